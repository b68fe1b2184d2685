"""Coverage and PIT: does a band of the draws hold reality as often as it says?

For every channel: the share of windows whose measured value lies inside the central 50, 80 and 90 % bands of the draws
(Weibull quantiles p (m + 1), so that a band of 20 draws covers what it says), and the histogram of randomised ranks
(Dawid, 1984; Czado, Gneiting and Held, 2009): flat where the distribution is right, U-shaped where it is too narrow,
a hump where it is too wide, a slope where it is shifted. A band alone is easily bought with width: read it beside the
energy score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured
from simloop.parameters import Array
from simloop.randomness import stream

LEVELS = (0.5, 0.8, 0.9)
BINS = 10


@dataclass(frozen=True)
class Coverage:
    """How far the coverage of the central bands is from what they say, mean over bands and channels."""

    name: ClassVar[str] = "coverage"
    summary: ClassVar[str] = "how far the 50, 80 and 90 % bands are from covering that share; PIT histogram"
    instants: ClassVar[int] = 1
    least_draws: ClassVar[int] = 20  # below, the 90 % band would reach beyond the outermost draws

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        e = ensemble.take(np.flatnonzero(ensemble.finite.sum(axis=1) >= self.least_draws))
        weights = bootstrap_weights(e.file, seed)
        inside, ranks = _inside(e), _ranks(e, seed)
        parts, off = [], []
        for channel, at in zip(e.channels, e.parts, strict=True):
            # (B, levels): windows, instants and tangent columns of a channel pooled
            means = weighted_mean(inside[:, :, at].mean(axis=2), weights)
            off.append(np.abs(means - LEVELS).mean(axis=1))
            parts.append(
                ChannelValue(channel.name, "of the windows", float(off[-1][0]), {
                    "coverage": {f"{level:.0%}": float(means[0, i]) for i, level in enumerate(LEVELS)},
                    "coverage intervals": {
                        f"{level:.0%}": list(percentile_interval(means[1:, i])) for i, level in enumerate(LEVELS)
                    },
                    **_uniformity(ranks[..., at], e.instants.shape[1] * channel.tangent),
                })
            )  # fmt: skip
        value = np.mean(off, axis=0)
        least_p = min(1.0, len(parts) * min(p.extra["p"] for p in parts))
        return Measured(
            name=self.name,
            value=float(value[0]),
            interval=percentile_interval(value[1:]),
            unit="of the windows",
            parts=tuple(parts),
            windows=len(e),
            diverged=ensemble.diverged,
            draws=ensemble.draws,
            verdict=_verdict(parts, least_p),
            extra={"levels": list(LEVELS), "p": least_p},
        )


def _inside(e: Ensemble) -> Array:
    """(n, levels, D') share of the compared instants at which reality is inside the central band of the draws."""
    shares = []
    known = e.compared[..., None]
    for level in LEVELS:
        low, high = np.nanquantile(
            np.where(known[:, None], e.errors, 0.0), [(1 - level) / 2, (1 + level) / 2], axis=1, method="weibull"
        )
        inside = (low <= 0) & (high >= 0) & known
        shares.append(inside.sum(axis=1) / known.sum(axis=1))
    return np.stack(shares, axis=1)


def _ranks(e: Ensemble, seed: int) -> Array:
    """(n, K, D') randomised ranks of reality among the draws, in (0, 1); NaN where nothing was measured."""
    finite = e.finite[:, :, None, None]
    below = ((e.errors < 0) & finite).sum(axis=1)
    tied = ((e.errors == 0) & finite).sum(axis=1)
    u = stream(seed, "gap", "ranks").random(below.shape)
    ranks = (below + u * (tied + 1)) / (e.finite.sum(axis=1)[:, None, None] + 1)
    return np.where(e.compared[..., None], ranks, np.nan)


def _uniformity(ranks: Array, repeats: int) -> dict[str, Any]:
    """Shares of the ranks in ten bins, and the p-value of a chi-squared test that they are equal.

    The `repeats` ranks of one window (instants, columns) are not independent: they count as one.
    """
    from scipy.stats import chi2

    known = ranks[np.isfinite(ranks)]
    shares = np.histogram(known, BINS, (0, 1))[0] / max(len(known), 1)
    windows = len(known) / repeats
    statistic = windows * BINS * ((shares - 1 / BINS) ** 2).sum()
    return {"pit": shares.tolist(), "p": float(chi2.sf(statistic, BINS - 1)), "mean rank": float(known.mean())}


def _verdict(parts: list[ChannelValue], p: float) -> str:
    covered = " / ".join(f"{part.extra['coverage']['90%']:.0%}" for part in parts)
    says = f"the 90 % band holds {covered} of the recordings"
    if p > 0.05:
        return f"{says}; the ranks cannot be told from even ones (p = {p:.2g})"
    worst = min(parts, key=lambda part: float(part.extra["p"]))
    ends = worst.extra["pit"][0] + worst.extra["pit"][-1]
    rank = worst.extra["mean rank"]
    how = "shifted" if abs(rank - 0.5) > 0.1 else "too narrow" if ends > 0.3 else "too wide" if ends < 0.1 else "uneven"
    return f"{says}; {how} for {worst.channel} (ranks are not even, p = {p:.2g})"
