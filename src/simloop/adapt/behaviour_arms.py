"""How far crowds under several distributions of behaviour are from real people, on the same stretches of recordings.

    found = arms_apart(problem, held_out, {"default": default, "fitted": fitted}, seed=7)
    found["fitted"]["energy distance"], found["fitted"]["over default"]

A crowd under a distribution is what `DRAWS` rows of it make together of the stretches. Intervals are of leaving out
whole stretches, simulated and real ones alike, for all arms the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.behaviour import Behaviour
from simloop.adapt.stretches import Stretches
from simloop.distributions import Distribution
from simloop.gap.gap import Interval
from simloop.gap.tracks import NAMES, TrackStatistics
from simloop.parameters import Array
from simloop.randomness import stream

#: rows of each distribution
DRAWS = 16
_MOST = 1200
#: the arm that the others are divided by
DEFAULT = "default"


def arms_apart(
    problem: Behaviour,
    pieces: Stretches,
    arms: Mapping[str, Distribution],
    *,
    seed: int,
    others: Mapping[str, TrackStatistics] | None = None,
) -> dict[str, dict[str, Any]]:
    """For each arm how far its people are from the real ones, and how often a classifier tells them.

    Args:
        problem: whose scale counts.
        pieces: the stretches.
        arms: distributions over the fitted parameters; one is called `default`.
        seed: of the rows, of who people are, and of the test.
        others: statistics that stand beside the arms, such as those of other real people.
    """
    gap = problem.gap(pieces)
    crowds: dict[str, TrackStatistics] = {}
    for name, arm in arms.items():
        rows = arm.sample(DRAWS, stream(seed, "behaviour", "arm", name))
        draws = stream(seed, "behaviour", "luck").integers(1, 2**31, size=DRAWS)
        crowds[name] = together(problem.simulated(rows, pieces, draws=draws))
    crowds |= others or {}
    real, own = gap.real.values / problem.scale, gap.real.episode
    weights = left_out(len(pieces))
    # stretches that others are from are as good as any of these
    blocks = {name: energy_by_block(c.values / problem.scale, c.episode % len(pieces), real, own, weights)
              for name, c in crowds.items()}  # fmt: skip
    found = {}
    for name, c in crowds.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = blocks[name] / blocks[DEFAULT]
        found[name] = {
            "energy distance": float(blocks[name][0]),
            "interval": jackknife_interval(blocks[name]),
            "over default": float(ratio[0]),
            "over default interval": jackknife_interval(ratio),
            "by statistic": gap.by_statistic(c),
            "told apart": asdict(gap.told_apart(c, seed=seed)),
            "moments": c.moments().tolist(),
        }
    found["real"] = {"moments": gap.real.moments().tolist(), "rows": len(gap.real), "statistics": list(NAMES)}
    return found


def together(parts: list[TrackStatistics]) -> TrackStatistics:
    """All rows of several records, as if they were one crowd."""
    people = 1 + max((int(p.entity.max(initial=0)) for p in parts), default=0)
    return TrackStatistics(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.episode for p in parts]),
        np.concatenate([i * people + p.entity for i, p in enumerate(parts)]),
        np.concatenate([p.time for p in parts]),
    )


def left_out(count: int) -> Array:
    """Weights (1 + count, count) of blocks: first all ones, then without each block."""
    return np.concatenate([np.ones((1, count)), 1 - np.eye(count)])


def jackknife_interval(values: Array) -> Interval:
    """95 % of the first of values (1 + blocks,); the others are the same without each block.

    Efron and Stein, "The jackknife estimate of variance" (Annals of Statistics 9, 1981), with Student's quantiles.
    Drawing blocks again instead would count the pairs of a block with its own copy, whose distances are 0.
    """
    from scipy.stats import t

    known = values[1:][np.isfinite(values[1:])]
    if len(known) < 2:
        return float("nan"), float("nan")
    half = t.ppf(0.975, len(known) - 1) * np.sqrt((len(known) - 1) * known.var())
    return float(values[0] - half), float(values[0] + half)


def energy_by_block(
    x: Array, x_block: NDArray[np.int64], y: Array, y_block: NDArray[np.int64], weights: Array
) -> Array:
    """Energy distances of samples (n, k) and (m, k) under weights (B, blocks) of their blocks: (B,)."""
    from scipy.spatial.distance import cdist

    count = weights.shape[1]
    x, x_block = _thinned(x, x_block)
    y, y_block = _thinned(y, y_block)
    one, two = (np.eye(count)[b] for b in (x_block, y_block))

    def mean(a: Array, b: Array, left: Array, right: Array, *, own: bool) -> Array:
        total = np.einsum("ib,bc,ic->i", weights, left.T @ cdist(a, b) @ right, weights, optimize=True)
        n, m = weights @ left.sum(axis=0), weights @ right.sum(axis=0)
        return np.asarray(total / (n * (m - 1) if own else n * m))

    with np.errstate(invalid="ignore", divide="ignore"):  # without a block in which alone somebody is seen
        across = mean(x, y, one, two, own=False)
        return np.asarray(2 * across - mean(x, x, one, one, own=True) - mean(y, y, two, two, own=True))


def _thinned(rows: Array, block: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    if len(rows) <= _MOST:
        return rows, block
    order = np.argsort(block, kind="stable")
    keep = order[np.linspace(0, len(rows) - 1, _MOST).round().astype(np.int64)]
    return rows[keep], block[keep]
