"""Energy score: how far draws are from reality, all channels together, less how far they are from each other.

Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation" (2007), equation 22 with beta = 1,
as a loss: mean |x - y| - 1/2 mean |x - x'|. The second mean is over pairs of different draws, so that the expected
score does not depend on how many there are. In expectation no distribution scores better than the one that reality is
drawn from: neither a narrow one nor a wide one. A single simulation scores |x - y|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.gap.bootstrap import weighted_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured, from_scores
from simloop.parameters import Array


@dataclass(frozen=True)
class EnergyScore:
    """The energy score of the vector of channels at the windows' ends (or averaged over several instants)."""

    name: ClassVar[str] = "energy-score"
    summary: ClassVar[str] = "distance of draws to reality less half their distance to each other, channels together"
    instants: ClassVar[int] = 1
    least_draws: ClassVar[int] = 1

    def scores(self, ensemble: Ensemble) -> Array:
        return instant_mean(energy_scores(ensemble.errors / ensemble.scales, ensemble.finite))

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        parts = []
        for channel, at in zip(ensemble.channels, ensemble.parts, strict=True):
            own = instant_mean(energy_scores(ensemble.errors[..., at], ensemble.finite))
            parts.append(
                ChannelValue(channel.name, channel.error_unit, float(weighted_mean(own, np.ones((1, len(own))))[0]))
            )
        return from_scores(self.name, ensemble, self.scores(ensemble), tuple(parts), ensemble.unit, seed=seed)


def energy_scores(errors: Array, finite: NDArray[np.bool_]) -> Array:
    """Energy scores (n, K) of errors (n, m, K, d) of which the draws `finite` (n, m) count; NaN where none does.

    With d = 1 this is the CRPS.
    """
    from scipy.spatial.distance import pdist

    n, _, instants, _ = errors.shape
    out = np.full((n, instants), np.nan)
    for w in range(n):
        x = errors[w, finite[w]]
        if not len(x):
            continue
        for k in range(instants):
            apart = np.linalg.norm(x[:, k], axis=1).mean()
            out[w, k] = apart - (pdist(x[:, k]).mean() / 2 if len(x) > 1 and np.isfinite(apart) else 0.0)
    return out


def instant_mean(scores: Array) -> Array:
    """Mean (n,) over the instants of scores (n, K) that are known; NaN where none is."""
    known = np.isfinite(scores)
    total = np.where(known, scores, 0.0).sum(axis=1)
    return np.asarray(np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan))
