"""Windowed trajectory error: replay short windows of recordings and compare where they end.

For each window the simulation starts where the recording was and is given the recorded actions; the error is the
simulated minus the measured value of each channel at the window's end, over all windows of all files: root mean square
and median. Short windows keep chaotic motion comparable; at long ones a few chaotic windows carry the mean square, and
the median decides. Intervals are paired bootstraps over windows, clustered by file from eight files on.

Of a world that is replayed whole, as a toss is, a window's error is the mean of the absolute error over its time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simloop.distributions import Distribution, Point
from simloop.gap.bootstrap import bootstrap_weights, percentile_interval
from simloop.gap.ensemble import predicted
from simloop.gap.gap import Gap, Part
from simloop.parameters import Array
from simloop.targets.windows import Windows
from simloop.trajectories import Channel, columns, difference
from simloop.worlds.world import World

BAND = 0.9


def windowed_gaps(
    world: World,
    windows: Windows,
    arms: Mapping[str, Distribution | None],
    *,
    draws: int = 1,
    reference: str = "default",
    seed: int = 0,
) -> list[Gap]:
    """Measure several arms on the same windows, each paired with the arm `reference`.

    Args:
        world: the simulator.
        windows: compared at their ends.
        arms: name -> distribution; None is persistence, the predictor for which nothing moves.
        draws: rows drawn for each window from a distribution that is not a point; 1 means its mean parameters alone.
        reference: the arm that ratios are taken to; the default parameters if it is not among the arms.
        seed: of the draws and of the bootstrap.
    """
    errors = {name: window_errors(world, windows, d, draws, seed) for name, d in arms.items()}
    weights = bootstrap_weights(windows.file, seed)
    channels = world.measured
    scales = _scales(channels, windows, world)
    base = errors[reference] if reference in errors else window_errors(world, windows, Point(world.parameters), 1, seed)
    gaps = []
    for name, error in errors.items():
        paired = np.all(np.isfinite(error), axis=(1, 2)) & np.all(np.isfinite(base), axis=(1, 2))
        rmse, median = _statistics(error / scales, weights)
        base_rmse, base_median = _statistics(np.where(paired[:, None, None], base, np.nan) / scales, weights)
        own_rmse, own_median = _statistics(np.where(paired[:, None, None], error, np.nan) / scales, weights)
        with np.errstate(invalid="ignore", divide="ignore"):  # nothing moved, or everything diverged
            ratio, median_ratio = own_rmse.mean(1) / base_rmse.mean(1), own_median.mean(1) / base_median.mean(1)
        is_base = name == reference
        gaps.append(
            Gap(
                name=name,
                value=float(rmse[0].mean()),
                interval=percentile_interval(rmse[1:].mean(1)),
                unit=channels[0].unit if (scales == 1).all() else "of persistence",
                median=float(median[0].mean()),
                parts=_parts(channels, error, world, windows),
                windows=len(windows),
                diverged=int((~np.isfinite(error)).any(axis=2).sum()),
                draws=error.shape[1],
                ratio=None if is_base else float(ratio[0]),
                ratio_interval=None if is_base else percentile_interval(ratio[1:]),
                median_ratio=None if is_base else float(median_ratio[0]),
                median_ratio_interval=None if is_base else percentile_interval(median_ratio[1:]),
            )
        )
    return gaps


def window_errors(world: World, windows: Windows, distribution: Distribution | None, draws: int, seed: int) -> Array:
    """Signed errors at the windows' ends, (n, draws, C); NaN where the simulation diverged.

    Of a world that is replayed whole, mean absolute errors over the windows' time.
    """
    return _window_error(predicted(world, windows, distribution, draws=draws, seed=seed), windows, world)


def _window_error(simulated: Array, windows: Windows, world: World) -> Array:
    """One error for each window and channel, (n, draws, C), from what was simulated, (n, draws, K, D)."""
    if not world.whole:
        return channel_errors(simulated[:, :, -1], windows.measured[:, -1:], world)
    error = np.abs(channel_errors(simulated, windows.measured[:, None], world))
    known = np.all(np.isfinite(windows.measured), axis=-1, keepdims=True)[:, None]
    return np.asarray(np.where(known, error, 0.0).sum(axis=2) / known.sum(axis=2))


def channel_errors(simulated: Array, real: Array, world: World) -> Array:
    """One error for each measured channel, (..., C): signed, but a rotation's is its angle and a point's a distance."""
    parts = []
    for channel, at in zip(world.channels, columns(world.channels), strict=True):
        if channel.rate_of:
            continue
        error = difference(simulated[..., at], real[..., at], [channel])
        parts.append(error if channel.signed else np.linalg.norm(error, axis=-1, keepdims=True))
    return np.concatenate(parts, axis=-1)


def _scales(channels: tuple[Channel, ...], windows: Windows, world: World) -> Array:
    """1 for each channel where all share a unit, else the error of persistence, so that they can be averaged."""
    if len({c.error_unit for c in channels}) == 1:
        return np.ones(len(channels))
    still = window_errors(world, windows, None, 1, 0)[:, 0]
    return np.asarray(np.maximum(np.sqrt((still**2).mean(axis=0)), 1e-12))


def _statistics(error: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted RMSE and median of |error| (n, draws, C) for each row of weights (B, n): (B, C) each."""
    finite = np.all(np.isfinite(error), axis=2)
    squared = np.where(finite[..., None], error, 0.0) ** 2
    total = weights @ finite.sum(axis=1)
    rmse = np.sqrt((weights @ squared.sum(axis=1)) / np.maximum(total, 1e-300)[:, None])
    owner = np.nonzero(finite)[0]
    median = np.full_like(rmse, np.nan)
    for j in range(error.shape[2] if len(owner) else 0):
        x = np.abs(error[..., j][finite])
        order = np.argsort(x, kind="stable")
        if len(x) > 20_000:  # a wide ensemble: the median needs no more than this
            order = order[:: len(x) // 20_000 + 1]
        # the mean of the two middle values, so that equal weights give the ordinary median
        cumulative = np.cumsum(weights[:, owner[order]], axis=1, dtype=np.float32)
        half = cumulative[:, -1:] / 2
        low = (cumulative < half).sum(axis=1).clip(max=len(order) - 1)
        high = (cumulative <= half).sum(axis=1).clip(max=len(order) - 1)
        median[:, j] = (x[order[low]] + x[order[high]]) / 2
    return np.asarray(np.where(total[:, None] > 0, rmse, np.nan)), median


def _parts(channels: tuple[Channel, ...], error: Array, world: World, windows: Windows) -> tuple[Part, ...]:
    rmse, median = _statistics(error, np.ones((1, len(windows))))
    covered: list[float | None] = [None] * len(channels)
    some = error[np.isfinite(error).all(axis=2).sum(axis=1) > 0]
    if error.shape[1] >= 20 and len(some):
        # reality is inside the central band of the draws if the errors' quantiles have 0 between them
        low, high = np.nanquantile(some, [(1 - BAND) / 2, (1 + BAND) / 2], axis=1, method="weibull")
        inside = ((low <= 0) & (high >= 0)).mean(axis=0)
        # an error that is never negative has no two-sided band
        covered = [float(x) if c.signed and not world.whole else None for c, x in zip(channels, inside, strict=True)]
    return tuple(
        Part(c.name, c.error_unit, float(r), float(m), k)
        for c, r, m, k in zip(channels, rmse[0], median[0], covered, strict=True)
    )
