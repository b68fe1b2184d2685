"""Maximum mean discrepancy: are simulated and recorded motions samples of one distribution?

Gretton et al., "A kernel two-sample test" (JMLR 2012): the unbiased estimate of the squared MMD, their equation 4, on
pairs (one simulation and the recording of each window), with a Gaussian kernel whose width is the median distance.
The features of a motion are its changes since the window's start at four instants, in units of their pooled spread.
The p-value is by permutation: the two of a pair change places (`gap/pairs.py`), where Gretton et al. permute all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simloop.gap.bootstrap import bootstrap_weights, percentile_interval
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured
from simloop.gap.pairs import SIGNIFICANT, Pairs, permutation_p, swaps
from simloop.parameters import Array


@dataclass(frozen=True)
class MMD:
    """The squared maximum mean discrepancy of motions; it may come out below 0 where there is none."""

    name: ClassVar[str] = "mmd"
    summary: ClassVar[str] = "squared maximum mean discrepancy of motions, with a permutation p-value"
    instants: ClassVar[int] = 4
    least_draws: ClassVar[int] = 1

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        pairs = Pairs.of(ensemble.at(self.instants), seed=seed)
        signs = swaps(len(pairs), seed=seed, name=self.name)
        h = paired_kernel(pairs.simulated.reshape(len(pairs), -1), pairs.real.reshape(len(pairs), -1))
        p = permutation_p(_statistics(h, signs))
        weights = bootstrap_weights(pairs.file, seed)
        value = _statistics(h, weights, by_weight=True)
        parts = []
        for channel, at in zip(ensemble.channels, ensemble.parts, strict=True):
            own = paired_kernel(*(x[..., at].reshape(len(pairs), -1) for x in (pairs.simulated, pairs.real)))
            found = _statistics(own, signs)
            parts.append(ChannelValue(channel.name, "", float(found[0]), {"p": permutation_p(found)}))
        told = "told apart from the recordings" if p <= SIGNIFICANT else "cannot be told apart from the recordings"
        return Measured(
            name=self.name,
            value=float(value[0]),
            interval=percentile_interval(value[1:]),
            unit="",
            parts=tuple(parts),
            windows=len(pairs),
            diverged=ensemble.diverged,
            draws=ensemble.draws,
            verdict=f"{told} by the kernel's mean (p = {p:.2g})",
            extra={"p": p},
        )


def paired_kernel(x: Array, y: Array) -> Array:
    """h (n, n) of equation 4: k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), with zeros on its diagonal.

    Args:
        x: (n, F) features of one sample; both are standardised together here.
        y: (n, F) of the other.
    """
    from scipy.spatial.distance import cdist

    pooled = np.concatenate([x, y])
    spread = pooled.std(axis=0)
    pooled = pooled / np.where(spread > 0, spread, 1.0)
    squared = cdist(pooled, pooled, "sqeuclidean")
    n = len(x)
    width = np.median(squared[np.triu_indices(2 * n, 1)])
    k = np.exp(-squared / max(float(width), 1e-300))
    cross = k[:n, n:]
    h = k[:n, :n] + k[n:, n:] - cross - cross.T
    np.fill_diagonal(h, 0.0)
    return np.asarray(h)


def _statistics(h: Array, weights: Array, *, by_weight: bool = False) -> Array:
    """Mean of h over pairs of different windows under each row of signs or, `by_weight`, of weights (B, n): (B,)."""
    total = ((weights @ h) * weights).sum(axis=1)
    n = weights.sum(axis=1) if by_weight else np.full(len(weights), float(len(h)))
    same = (weights**2).sum(axis=1) if by_weight else n
    return np.asarray(total / np.maximum(n**2 - same, 1e-300))
