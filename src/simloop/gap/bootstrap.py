"""Intervals of a gap: bootstrap over windows, by whole files from eight files on, paired wherever two are compared.

weights = bootstrap_weights(windows.file, seed)                # (1 + 2000, n): all ones, then the resamples
interval = percentile_interval(weighted_mean(scores, weights)[1:])
ratio, interval = paired_ratio(fitted, default, windows.file, seed=seed)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.gap.gap import Interval
from simloop.parameters import Array
from simloop.randomness import stream

RESAMPLES = 2000
CLUSTERS = 8


def bootstrap_weights(file: NDArray[np.int64], seed: int) -> Array:
    """Weights (1 + RESAMPLES, n) of windows of the files (n,): first all ones, then resamples of windows or files."""
    rng, n, files = stream(seed, "gap", "bootstrap"), len(file), np.unique(file)
    if len(files) >= CLUSTERS:
        counts = rng.multinomial(len(files), np.full(len(files), 1 / len(files)), size=RESAMPLES)
        resampled = counts[:, np.searchsorted(files, file)]
    else:
        resampled = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return np.concatenate([np.ones((1, n)), resampled])


def weighted_mean(scores: Array, weights: Array) -> Array:
    """Means of scores (n, ...) under each row of weights (B, n), NaN left out: (B, ...)."""
    known = np.isfinite(scores)
    total = np.tensordot(weights, known.astype(float), axes=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any known score
        return np.asarray(np.tensordot(weights, np.where(known, scores, 0.0), axes=1) / total)


def paired_ratio(a: Array, b: Array, file: NDArray[np.int64], *, seed: int = 0) -> tuple[float, Interval]:
    """Mean of the scores a (n,) over that of b (n,) on the windows where both are known, and its 95 % interval."""
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return float("nan"), (float("nan"), float("nan"))
    weights = bootstrap_weights(file[both], seed)
    with np.errstate(invalid="ignore", divide="ignore"):  # a perfect b
        ratios = weighted_mean(a[both], weights) / weighted_mean(b[both], weights)
    return float(ratios[0]), percentile_interval(ratios[1:])


def percentile_interval(values: Array) -> Interval:
    """The central 95 % of values (B,), those that are NaN left out."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)
