"""Predictors of where people walk, on real tracks: windows, baselines, measures with every variant, the table."""

from __future__ import annotations

from simloop.benchmark.prediction.predictor import Predictor
from simloop.benchmark.prediction.windows import OBSERVED, PREDICTED, Windows, cut_windows

__all__ = ["OBSERVED", "PREDICTED", "Predictor", "Windows", "cut_windows"]
