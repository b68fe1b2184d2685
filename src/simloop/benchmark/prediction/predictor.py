"""What a predictor of tracks is.

class Stands:
    name = "stands still"

    def predict(self, windows, samples, rng):
        return np.repeat(windows.observed[:, None, -1:], PREDICTED, axis=2).repeat(samples, axis=1)
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simloop.benchmark.prediction.windows import Windows
from simloop.parameters import Array


class Predictor(Protocol):
    """Says where people will walk."""

    @property
    def name(self) -> str:
        """What it is called in a table."""
        ...

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        """Where everybody will be: (n, samples, 12, 2), m.

        Args:
            windows: whole scenes, of which only what was observed is there.
            samples: how many futures; 1 asks for the single one that it stands by. Sample k of all people of a scene is
                one future of the scene.
            rng: for what is random.
        """
        ...
