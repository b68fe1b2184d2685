"""How noisy recordings are, seen in the recordings themselves: what a simulation lacks to look like one.

    noise = sensor_noise(comparison, windows)       # (D',), in the units of the channels' differences
    bias = start_bias(comparison, row, windows)     # (W, S), in the layout of the world's state

Positions: what the filter takes away from the raw measurement, made good for what the filter keeps of white noise.
Rates, which are estimated from positions: the same noise through the filter that estimates them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simloop.adapt.comparison import Comparison
from simloop.parameters import Array
from simloop.targets.windows import FIRST, ORDER, POSITION_FILTER, VELOCITY_FILTER, Replay, Windows, _samples
from simloop.trajectories import TrajectorySet, columns, difference

#: control steps simulated on either side of a start: more than the filters reach, and no more than precede a window
_AROUND = FIRST
#: least noise, in units of `Comparison.scales`: where recordings show none
_LEAST = 0.05


def sensor_noise(comparison: Comparison, windows: Windows) -> Array:
    """(D',) standard deviation of the noise on each channel, as the recordings of the windows show it."""
    from scipy.signal import savgol_coeffs

    replay, channels, dt = comparison.replay, comparison.world.channels, comparison.world.control_dt
    removed = difference(replay.measured, replay.filtered, channels)
    inside = np.arange(removed.shape[1])[None] < replay.length[:, None]
    kept = savgol_coeffs(_samples(POSITION_FILTER, dt), ORDER)
    noise = np.sqrt((removed[inside] ** 2).mean(axis=0) / (1 - kept[len(kept) // 2]))
    slope = float(np.linalg.norm(savgol_coeffs(_samples(VELOCITY_FILTER, dt), ORDER, deriv=1, delta=dt)))
    ends = np.cumsum([0] + [c.tangent for c in channels])
    at = {c.name: slice(int(ends[i]), int(ends[i + 1])) for i, c in enumerate(channels)}
    for channel in channels:
        if channel.rate_of:
            noise[at[channel.name]] = slope * noise[at[channel.rate_of]]
    return np.asarray(np.maximum(noise, _LEAST * comparison.scales(windows)))


def start_bias(comparison: Comparison, row: Array, windows: Windows) -> Array:
    """(W, S) how far the estimated start of each window is from the true one for reasons that are not noise.

    A filter flattens what it smooths, and an engine's velocity at a step is that of half a step before (semi-implicit
    integration), while an estimated one is that of the step itself. Both are seen on simulations under `row`, (d,),
    that are read as if they were recordings.
    """
    world, recordings = comparison.world, comparison.target.recordings
    back = np.where(windows.segments.start >= _AROUND, _AROUND, 0)
    start = windows.segments.start - back
    segments = replace(
        windows.segments,
        state=comparison.replay.states[windows.segments.recording, start],
        start=start,
        steps=2 * _AROUND + 1,
        every=1,
        lasts=None,
    )
    values = comparison.simulate_each(np.repeat(row[None], len(segments), axis=0), segments)
    at = {c.name: values[..., s] for c, s in zip(world.channels, columns(world.channels), strict=True)}
    fine = np.isfinite(values).all(axis=(1, 2))
    steps = values.shape[1]
    seen = np.concatenate([at[c.name][fine] for c in recordings.channels], axis=2)
    bias = np.zeros((len(windows), segments.state.shape[1]))
    if not fine.any():
        return bias
    replay = Replay(
        world,
        TrajectorySet(
            channels=recordings.channels,
            action_channels=recordings.action_channels,
            time=np.tile(np.arange(steps) * world.control_dt, len(seen)),
            values=seen.reshape(-1, seen.shape[2]),
            actions=np.zeros((len(seen) * steps, recordings.actions.shape[1])),
            offsets=np.arange(len(seen) + 1, dtype=np.int64) * steps,
            sources=tuple(map(str, range(len(seen)))),
        ),
    )
    middle = _AROUND - 1  # the step that was the window's start: recorded is what comes after the first
    rates = {c.rate_of: at[c.name] for c in world.channels if c.rate_of}
    true = world.state(
        np.concatenate([at[c.name][fine, middle] for c in world.measured], axis=1),
        np.concatenate([rates[c.name][fine, middle] for c in world.measured if c.name in rates], axis=1)
        if rates
        else np.zeros((len(seen), 0)),
    )
    bias[fine] = replay.states[:, middle] - true
    return bias
