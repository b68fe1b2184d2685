"""What stands beside every predictor: nothing is learned here, and nobody else is looked at.

    constant velocity          the last observed step, again and again
    least-squares line         the line through all observed steps
    constant velocity, noise   samples whose speed and direction are off; the single one is not

Schöller, Aravantinos, Lay and Knoll, "What the Constant Velocity Model Can Teach Us About Pedestrian Motion
Prediction", IEEE RA-L 5 (2020), who turn by 25 degrees (standard deviation) and leave the speed. Here both vary, the
speed by a part of itself. The two numbers are a compromise of least distances and energy score on the *training* parts
of ETH and UCY; these are parts of the recordings of other sets' tests, so that the baseline knows more of them than who
learned from simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simloop.benchmark.prediction.windows import OBSERVED, PREDICTED, Windows
from simloop.parameters import Array

#: standard deviations of the noise on a velocity: of speed as a part of it, and of direction, rad
SPEED, TURN = 0.3, 0.2
_STEPS = np.arange(1, PREDICTED + 1)[:, None]


@dataclass(frozen=True)
class ConstantVelocity:
    """Everybody goes on as in the last observed step."""

    name: ClassVar[str] = "constant velocity"

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        """Where everybody will be, (n, samples, 12, 2) m."""
        last, velocity = windows.observed[:, -1], windows.observed[:, -1] - windows.observed[:, -2]
        return _same(last[:, None] + velocity[:, None] * _STEPS, samples)


@dataclass(frozen=True)
class Line:
    """Everybody goes on along the line that fits all observed steps best, with the speed that fits best."""

    name: ClassVar[str] = "least-squares line"

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        """Where everybody will be, (n, samples, 12, 2) m."""
        t = np.arange(OBSERVED) - (OBSERVED - 1) / 2
        middle = windows.observed.mean(axis=1)
        velocity = np.tensordot(windows.observed, t / (t @ t), axes=([1], [0]))
        return _same(middle[:, None] + velocity[:, None] * (t[-1] + _STEPS), samples)


@dataclass(frozen=True)
class NoisyVelocity:
    """Constant velocity; samples differ by noise on the velocity, in proportion to the speed."""

    speed: float = SPEED
    turn: float = TURN
    name: ClassVar[str] = "constant velocity, noise"

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        """Where everybody will be, (n, samples, 12, 2) m."""
        if samples == 1:
            return ConstantVelocity().predict(windows, 1, rng)
        last, step = windows.observed[:, -1, None], windows.observed[:, -1, None] - windows.observed[:, -2, None]
        size = 1 + self.speed * rng.standard_normal((len(windows), samples))
        angle = self.turn * rng.standard_normal((len(windows), samples))
        along, across = size * np.cos(angle), size * np.sin(angle)
        velocity = along[..., None] * step + across[..., None] * np.stack([-step[..., 1], step[..., 0]], axis=-1)
        return np.asarray(last[:, :, None] + velocity[:, :, None] * _STEPS)


def _same(paths: Array, samples: int) -> Array:
    return np.repeat(paths[:, None], samples, axis=1)
