"""How noisy recordings are, seen in the recordings themselves: what a simulation lacks to look like one.

    noise = sensor_noise(comparison, windows)       # (D',), in the units of the channels' differences
    starts, instants = reading_bias(comparison, row, windows)       # (W, S) of the world's state, (W, K, D')

Positions: what the filter takes away from the raw measurement, made good for what the filter keeps of white noise.
Rates, which are estimated from positions: the same noise through the filter that estimates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simloop.adapt.comparison import Comparison
from simloop.parameters import Array
from simloop.targets.windows import FIRST, ORDER, POSITION_FILTER, VELOCITY_FILTER, Replay, Windows, filter_samples
from simloop.trajectories import Channel, TrajectorySet, columns, difference, tangents

#: least noise, in units of `Comparison.scales`: where recordings show none
_LEAST = 0.05


def sensor_noise(comparison: Comparison, windows: Windows) -> Array:
    """(D',) standard deviation of the noise on each channel, as the recordings of the windows show it."""
    replay, channels, dt = comparison.replay, comparison.world.channels, comparison.world.control_dt
    removed = difference(replay.measured, replay.filtered, channels)
    inside = np.arange(removed.shape[1])[None] < replay.length[:, None]
    noise = np.sqrt((removed[inside] ** 2).mean(axis=0) / (1 - _kept(dt)))
    at = _tangents(channels)
    for channel in channels:
        if channel.rate_of:
            noise[at[channel.name]] = slope_noise(dt) * noise[at[channel.rate_of]]
    return np.asarray(np.maximum(noise, _LEAST * comparison.scales(windows)))


def start_noise(comparison: Comparison, noise: Array) -> Array:
    """(S,) what noise (D',) on the channels leaves on a filtered start, in the layout of the world's state."""
    world, at = comparison.world, _tangents(comparison.world.channels)
    rate_of = {c.rate_of: c.name for c in world.channels if c.rate_of}
    held = {c.name for c in comparison.target.recordings.channels}
    positions, rates = [], []
    for channel in world.measured:
        rate = rate_of.get(channel.name)
        recorded = rate in held  # then nothing was estimated
        error = noise[at[channel.name]] * np.sqrt(_kept(world.control_dt)) * (not recorded)
        positions.append(np.concatenate([[0.0], error / 2]) if channel.kind == "quaternion" else error)
        rates.append(np.zeros(channel.tangent) if rate is None or recorded else noise[at[rate]])
    return np.abs(world.state(np.concatenate(positions), np.concatenate(rates)))


def _kept(dt: float) -> float:
    """The part of white noise's variance that the filter of positions keeps."""
    from scipy.signal import savgol_coeffs

    coefficients = savgol_coeffs(filter_samples(POSITION_FILTER, dt), ORDER)
    return float(coefficients[len(coefficients) // 2])


def slope_noise(dt: float) -> float:
    """The noise of an estimated rate for white noise 1 on the position, 1/s."""
    from scipy.signal import savgol_coeffs

    return float(np.linalg.norm(savgol_coeffs(filter_samples(VELOCITY_FILTER, dt), ORDER, deriv=1, delta=dt)))


def _tangents(channels: Sequence[Channel]) -> dict[str, slice]:
    """Where each channel, by name, stands among the columns of differences."""
    return dict(zip((c.name for c in channels), tangents(channels), strict=True))


def reading_bias(comparison: Comparison, row: Array, windows: Windows) -> tuple[Array, Array]:
    """How far readings are off, but for noise: of the windows' starts (W, S), of their instants (W, K, D').

    A filter flattens what it smooths, and an engine's velocity at a step is that of half a step before (semi-implicit
    integration), while an estimated one is that of the step itself. Both are seen on simulations under `row`, (d,),
    that are read as if they were recordings. Recorded rates are not estimated: there is nothing to see.
    """
    world, recordings, s = comparison.world, comparison.target.recordings, windows.segments
    rates = {c.rate_of: c.name for c in world.channels if c.rate_of}
    starts = np.zeros((len(windows), s.state.shape[1]))
    instants = np.zeros((*windows.measured.shape[:2], sum(c.tangent for c in world.channels)))
    held = {c.name for c in recordings.channels}
    if world.whole or s.start.min() < FIRST or held.issuperset(rates.values()):
        return starts, instants
    begin = s.start - FIRST
    state = comparison.replay.states[s.recording, begin]
    long = replace(s, state=state, start=begin, steps=FIRST + s.steps, every=1)
    values = comparison.simulate_each(np.repeat(row[None], len(s), axis=0), long)
    fine = np.flatnonzero(np.isfinite(values).all(axis=(1, 2)))
    if not len(fine):
        return starts, instants
    values = values[fine]
    at = {c.name: values[..., x] for c, x in zip(world.channels, columns(world.channels), strict=True)}
    positions, count = np.concatenate([at[c.name] for c in recordings.channels], axis=2), values.shape[1]
    read = Replay(
        world,
        TrajectorySet(
            channels=recordings.channels,
            action_channels=recordings.action_channels,
            time=np.tile(np.arange(count) * world.control_dt, len(fine)),
            values=positions.reshape(-1, positions.shape[2]),
            actions=np.zeros((len(fine) * count, recordings.actions.shape[1])),
            offsets=np.arange(len(fine) + 1, dtype=np.int64) * count,
            sources=tuple(map(str, fine)),
        ),
    )
    before = FIRST - 1  # what is recorded comes after the first step, so this is the window's start
    true = world.state(
        np.concatenate([at[c.name][:, before] for c in world.measured], axis=1),
        np.concatenate([at[rates[c.name]][:, before] for c in world.measured if c.name in rates], axis=1),
    )
    starts[fine] = read.states[:, before] - true
    when = before + s.recorded
    instants[fine] = difference(read.measured[:, when], values[:, when], world.channels)
    return starts, instants
