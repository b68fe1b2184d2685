"""How good predicted steering is: four measures, each of any weighting of the frames.

    values = MEASURES["MAE"].of(predicted, true, weights)        # (B,) for weights (B, n)

A row of weights says how often each frame counts: all ones for the frames as they are, counts for a resample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array

#: edges of the bins of true steering that the balanced error gives equal weight; the last one holds 1 too
BINS = (-1.0, -0.4, -0.1, 0.1, 0.4, 1.0)
#: below this much steering its sign is not asked for
STRAIGHT = 0.2


@dataclass(frozen=True)
class Measure:
    """A measure of predictions (n,) against the truth (n,), for each row of weights (B, n).

    Attributes:
        name: as it is printed and kept.
        meaning: what it is, in a few words.
        lower: whether lower is better.
        of: (predicted (n,), true (n,), weights (B, n)) -> (B,)
    """

    name: str
    meaning: str
    lower: bool
    of: Callable[[Array, Array, Array], Array]


def _mean(values: Array, which: NDArray[np.bool_], weights: Array) -> Array:
    """Means of values (n,) over some frames (n,), for each row of weights; NaN where none of these counts."""
    total = weights[:, which].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights[:, which] @ values[which] / total)


def mean_absolute_error(predicted: Array, true: Array, weights: Array) -> Array:
    """The mean of |predicted - true|."""
    return _mean(np.abs(predicted - true), np.ones(len(true), dtype=bool), weights)


def balanced_error(predicted: Array, true: Array, weights: Array) -> Array:
    """The mean of the mean absolute errors in each of the `BINS` of true steering; empty ones are left out."""
    error = np.abs(predicted - true)
    bins = np.clip(np.searchsorted(BINS, true, side="right") - 1, 0, len(BINS) - 2)
    parts = np.stack([_mean(error, bins == k, weights) for k in range(len(BINS) - 1)])
    known = np.isfinite(parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, parts, 0).sum(axis=0) / known.sum(axis=0))


def correlation(predicted: Array, true: Array, weights: Array) -> Array:
    """Pearson's r; 0 where one of the two does not change, since a constant says nothing."""
    share = weights / weights.sum(axis=1, keepdims=True)
    x = predicted - predicted.mean()  # near zero: sums of squares then lose nothing
    y = true - true.mean()
    mx, my = share @ x, share @ y
    product = share @ (x * y) - mx * my
    spread = np.sqrt(np.maximum(share @ x**2 - mx**2, 0) * np.maximum(share @ y**2 - my**2, 0))
    return np.where(spread > 1e-12, product / np.maximum(spread, 1e-12), 0.0)


def sign_accuracy(predicted: Array, true: Array, weights: Array) -> Array:
    """The share of the frames with |true| > 0.2 on which the prediction has the same sign."""
    return _mean((np.sign(predicted) == np.sign(true)).astype(float), np.abs(true) > STRAIGHT, weights)


MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("MAE", "mean absolute error", True, mean_absolute_error),
        Measure("bMAE", "the same, bins of steering weighing alike", True, balanced_error),
        Measure("r", "Pearson correlation", False, correlation),
        Measure("sign", "share with the right sign where |steering| > 0.2", False, sign_accuracy),
    )
}
