"""How far crowds under several distributions of behaviour are from real people, on the same stretches of recordings.

    found = arms_apart(problem, held_out, {"default": default, "fitted": fitted}, seed=7)
    found["fitted"]["energy distance"], found["fitted"]["over default"]

A crowd under a distribution is what `DRAWS` rows of it make together of the stretches. Intervals are of drawing whole
stretches again, simulated and real ones alike, for all arms the same.
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
from simloop.gap.bootstrap import percentile_interval
from simloop.gap.tracks import NAMES, TrackStatistics
from simloop.parameters import Array
from simloop.randomness import stream

#: rows of each distribution
DRAWS = 8
_RESAMPLES, _MOST = 500, 1200
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
    weights = resampled(len(pieces), seed)
    blocks = {name: energy_by_block(c.values / problem.scale, c.episode, real, own, weights)
              for name, c in crowds.items()}  # fmt: skip
    found = {}
    for name, c in crowds.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = blocks[name] / blocks[DEFAULT]
        found[name] = {
            "energy distance": float(blocks[name][0]),
            "interval": percentile_interval(blocks[name][1:]),
            "over default": float(ratio[0]),
            "over default interval": percentile_interval(ratio[1:]),
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


def resampled(count: int, seed: int) -> Array:
    """Weights (1 + resamples, count) of blocks: first all ones, then draws with replacement."""
    rng = stream(seed, "behaviour", "bootstrap")
    return np.concatenate([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)])


def energy_by_block(
    x: Array, x_block: NDArray[np.int64], y: Array, y_block: NDArray[np.int64], weights: Array
) -> Array:
    """Energy distances of samples (n, k) and (m, k) under weights (B, blocks) of their blocks: (B,).

    All means are over pairs from different blocks: neighbours in time are alike, and a block that is drawn twice is not
    two.
    """
    from scipy.spatial.distance import cdist

    count = weights.shape[1]
    x, x_block = _thinned(x, x_block)
    y, y_block = _thinned(y, y_block)
    one, two = (np.eye(count)[b] for b in (x_block, y_block))
    apart = 1 - np.eye(count)

    def mean(a: Array, b: Array, left: Array, right: Array) -> Array:
        total = left.T @ cdist(a, b) @ right * apart
        pairs = np.outer(left.sum(axis=0), right.sum(axis=0)) * apart
        sums = [np.einsum("ib,bc,ic->i", weights, m, weights, optimize=True) for m in (total, pairs)]
        return np.asarray(sums[0] / sums[1])

    with np.errstate(invalid="ignore", divide="ignore"):  # a resample of one block alone
        return np.asarray(2 * mean(x, y, one, two) - mean(x, x, one, one) - mean(y, y, two, two))


def _thinned(rows: Array, block: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    if len(rows) <= _MOST:
        return rows, block
    order = np.argsort(block, kind="stable")
    keep = order[np.linspace(0, len(rows) - 1, _MOST).round().astype(np.int64)]
    return rows[keep], block[keep]
