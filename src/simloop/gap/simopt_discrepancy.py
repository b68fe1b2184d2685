"""SimOpt's discrepancy: the weighted L1 plus squared L2 norm of the Gaussian-filtered error.

Chebotar et al., "Closing the sim-to-real loop" (arXiv 1810.05687), equation 6, with their constants: 0.5 for the L1
and 1.0 for the squared L2 norm, a filter of 5 steps truncated at 4 standard deviations. The weights W, which the paper
sets by hand, are a fifth of the reciprocal of the error that counts as one: a fiftieth of how much a channel changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simloop.gap.bootstrap import bootstrap_weights, weighted_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured, from_scores
from simloop.parameters import Array

#: the error of one channel that counts as one unit: this fraction of how much the channel changes in a window
TOLERANCE = 0.02


def filtered_norms(residuals: Array, *, l1: float = 0.5, l2: float = 1.0, sigma: float = 5.0) -> Array:
    """Sums over time and channels of equation 6, for residuals (..., K, D) in units of the tolerance: (...)."""
    from scipy.ndimage import gaussian_filter1d

    error = gaussian_filter1d(0.2 * residuals, sigma, axis=-2, truncate=4.0)
    return np.asarray(l1 * np.abs(error).sum(axis=(-2, -1)) + l2 * (error**2).sum(axis=(-2, -1)))


@dataclass(frozen=True)
class SimOptDiscrepancy:
    """Equation 6 for each draw of each window and a control step, mean over both; measured channels only, no rates."""

    name: ClassVar[str] = "simopt"
    summary: ClassVar[str] = "SimOpt's weighted, Gaussian-filtered L1 + L2 of the error, mean of a control step"
    instants: ClassVar[int] = 0
    least_draws: ClassVar[int] = 1

    def scores(self, ensemble: Ensemble) -> Array:
        return self._by_channel(ensemble).sum(axis=1)

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        each = self._by_channel(ensemble)
        means = weighted_mean(each, bootstrap_weights(ensemble.file, seed)[:1])[0]
        parts = tuple(ChannelValue(c.name, "", float(v)) for c, v in zip(ensemble.channels, means, strict=True))
        return from_scores(self.name, ensemble, each.sum(axis=1), parts, "", seed=seed)

    def _by_channel(self, e: Ensemble) -> Array:
        """Scores (n, C); the norms of equation 6 are sums over channels."""
        scale = np.maximum(TOLERANCE * np.sqrt((e.real[e.compared] ** 2).mean(axis=0)), 1e-9)
        known = e.finite[:, :, None, None] & e.compared[:, None, :, None]
        residuals = np.where(known, e.errors / scale, 0.0)
        steps = np.maximum(e.compared.sum(axis=1), 1)[:, None]
        draws = e.finite.sum(axis=1)
        out = []
        for at in e.parts:
            norms = filtered_norms(residuals[..., at]) / steps
            out.append(np.where(draws > 0, (norms * e.finite).sum(axis=1) / np.maximum(draws, 1), np.nan))
        return np.stack(out, axis=1)
