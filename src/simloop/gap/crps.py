"""CRPS: the energy score of each channel alone, which for one number is the continuous ranked probability score.

Gneiting and Raftery (2007), equation 21, in its form E|x - y| - 1/2 E|x - x'|; the second mean is over different
draws (the "fair" CRPS of Ferro, 2014). A channel of several columns (a rotation, a point) is scored by its energy
score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.gap.energy_score import energy_scores, instant_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured, from_scores
from simloop.parameters import Array


@dataclass(frozen=True)
class CRPS:
    """The continuous ranked probability score, mean over channels."""

    name: ClassVar[str] = "crps"
    summary: ClassVar[str] = "distance of draws to reality less half their distance to each other, channel by channel"
    instants: ClassVar[int] = 1
    least_draws: ClassVar[int] = 1

    def scores(self, ensemble: Ensemble) -> Array:
        scale = np.array([ensemble.scales[at.start] for at in ensemble.parts])
        return np.asarray((self.by_channel(ensemble) / scale).mean(axis=1))

    def by_channel(self, ensemble: Ensemble) -> Array:
        """Scores (n, C) of each channel, in its own unit."""
        each = [instant_mean(energy_scores(ensemble.errors[..., at], ensemble.finite)) for at in ensemble.parts]
        return np.stack(each, axis=1)

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        means = weighted_mean(self.by_channel(ensemble), bootstrap_weights(ensemble.file, seed))
        parts = tuple(
            ChannelValue(
                c.name, c.error_unit, float(means[0, j]), {"interval": list(percentile_interval(means[1:, j]))}
            )
            for j, c in enumerate(ensemble.channels)
        )
        return from_scores(self.name, ensemble, self.scores(ensemble), parts, ensemble.unit, seed=seed)
