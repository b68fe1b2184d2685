"""Detection: boxes and masks of things in images, learned from frames with annotations.

`detector.py` trains and uses what `network.py` computes; `precision.py` says how well it does.
"""

from simloop.learn.detector.detector import Detections, Detector, Frames, Model

__all__ = ["Detections", "Detector", "Frames", "Model"]
