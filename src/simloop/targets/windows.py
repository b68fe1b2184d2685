"""From recordings to windows that a world can replay: a regular grid, filtered starts, held actions.

Follows the protocol for open-loop replay: positions are resampled linearly, actions by zero-order hold (never
interpolated); a window starts at a Savitzky-Golay estimate of position and velocity, which looks about 14 ms ahead:
fine for replay, not for control. A channel whose rate the recording holds is taken as it was recorded, and so is the
rate.

Of a world that is replayed whole (`World.whole`) a window is a recording from its first sample to its end.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import DataWarning, InputError
from simloop.parameters import Array
from simloop.targets.target import file_of
from simloop.trajectories import Channel, TrajectorySet, columns, tangents
from simloop.worlds.world import Segments, World

#: lengths of the Savitzky-Golay filters (order 3) for position and for velocity, s
POSITION_FILTER, VELOCITY_FILTER, ORDER = 0.022, 0.030, 3
#: control steps between two rows from which on a recording is probably not in seconds, and most steps of a recording
_SLOW, _MOST_STEPS = 50, 10_000_000
#: grid points at the start of a recording that no window starts in, so that delayed actions have a past
FIRST = 20


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one horizon, ready to simulate and to compare.

    Attributes:
        horizon: s, what was asked for.
        segments: one for each window.
        measured: (n, K, D) the recording at `segments.recorded`: raw positions, and rates recorded or estimated; NaN
            after the end of a recording that is shorter than the longest window.
        before: (n, D) the same at the start of the window, from the filter.
        file: (n,) index into `files`, which windows are clustered by.
        files: names.
    """

    horizon: float
    segments: Segments
    measured: Array
    before: Array
    file: NDArray[np.int64]
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.segments)

    def take(self, index: NDArray[np.int64]) -> Windows:
        """Return the windows `index` (m,)."""
        return Windows(
            self.horizon,
            self.segments.take(index),
            self.measured[index],
            self.before[index],
            self.file[index],
            self.files,
        )


class Replay:
    """Recordings on a world's control grid, from which windows are cut."""

    def __init__(self, world: World, recordings: TrajectorySet) -> None:
        if not world.replayed:
            raise world.nothing_to_replay()
        if not len(recordings):
            raise InputError("the target holds no recordings")
        self.world = world
        long = [e for e in range(len(recordings)) if _long_enough(recordings.episode(e), world)]
        if not long:
            longest = max(range(len(recordings)), key=lambda e: np.ptp(recordings.episode(e).time))
            lasts = np.ptp(recordings.episode(longest).time)
            raise InputError(
                f"{recordings.sources[longest]}: lasts {lasts:.3g} s, less than {ORDER + 2} control steps of"
                f" {world.control_dt:g} s"
            )
        if len(long) < len(recordings):
            warnings.warn(
                f"{len(recordings) - len(long)} recordings or parts of one last less than {ORDER + 2} control steps and"
                " were left out",
                DataWarning,
                stacklevel=2,
            )
        self.sources = tuple(recordings.sources[e] for e in long)
        grids = [_grid(recordings.episode(e), world) for e in long]
        self.length = np.array([len(g[0]) for g in grids])
        longest = int(self.length.max())
        self.measured, self.filtered, self.states, self.actions = (
            np.stack([_padded(g[i], longest) for g in grids]) for i in range(4)
        )
        # (S,) standard deviation of a window's start, in the layout of the world's state
        self.start_spread: Array = np.sqrt(np.concatenate([g[4] ** 2 for g in grids]).mean(axis=0))

    @property
    def longest_window(self) -> float:
        """The longest window that the longest recording holds, s."""
        return max(1, int(self.length.max()) - self._first - 1) * self.world.control_dt

    @property
    def _first(self) -> int:
        """The first grid point that a window starts at: without actions or from rest no past is to be waited for."""
        return 0 if self.world.whole and (self.world.begins_still or not self.world.actions) else FIRST

    def measured_at(self, segments: Segments) -> Array:
        """The recordings at the recorded steps of segments, (n, K, D); NaN after a recording's end."""
        at = segments.start[:, None] + segments.recorded
        out = self.measured[segments.recording[:, None], np.minimum(at, self.measured.shape[1] - 1)]
        out[at >= self.length[segments.recording][:, None]] = np.nan
        return np.asarray(out)

    def windows(self, horizon: float, *, stride: float | None = None, every: float | None = None) -> Windows:
        """Cut windows of `horizon` s, one each `stride` s (default: not overlapping), compared each `every` s.

        By default a window is compared at its end alone. Recordings shorter than a window are left out with a
        warning; if all are, that is an error. Of a world that is replayed whole there is one window for each recording,
        as long as that is and compared at every control step, whatever was asked.
        """
        dt = self.world.control_dt
        if self.world.whole:
            return self._whole(1 if every is None else max(1, round(every / dt)))
        if not (np.isfinite(horizon) and horizon > 0.999 * dt):
            raise InputError(f"a window of {horizon:g} s: expected a time of at least one control step, {dt:g} s")
        steps = round(horizon / dt)
        step = max(1, round((stride or horizon) / dt))
        each = steps if every is None else max(1, min(steps, round(every / dt)))
        starts = [np.arange(FIRST, n - steps, step) for n in self.length]
        short = [self.sources[e] for e, s in enumerate(starts) if not len(s)]
        if len(short) == len(starts):
            longest = (max(self.length) - 1) * dt
            raise InputError(
                f"the longest of {len(short)} recordings lasts {longest:.3g} s: too short for a window of {horizon:g} s"
                f" and the {FIRST * dt:g} s before it; give a shorter horizon"
            )
        if short:
            warnings.warn(
                f"{len(short)} recordings are shorter than a window of {horizon:g} s and were left out:"
                f" {', '.join(short[:3])}{', ...' if len(short) > 3 else ''}",
                DataWarning,
                stacklevel=2,
            )
        recording = np.repeat(np.arange(len(starts)), [len(s) for s in starts])
        start = np.concatenate(starts).astype(np.int64)
        return self._windows(Segments(self.states[recording, start], self.actions, recording, start, steps, each))

    def _whole(self, each: int) -> Windows:
        """One window for each recording, to its end."""
        recording = np.flatnonzero(self.length - self._first > each)
        if not len(recording):
            raise InputError(f"the recordings are too short to be compared after {each * self.world.control_dt:g} s")
        start = np.full(len(recording), self._first, dtype=np.int64)
        lasts = self.length[recording] - 1 - start
        state = self.states[recording, start]
        return self._windows(Segments(state, self.actions, recording, start, int(lasts.max()), each, lasts))

    def _windows(self, segments: Segments) -> Windows:
        files = tuple(dict.fromkeys(file_of(s) for s in self.sources))
        return Windows(
            horizon=segments.steps * self.world.control_dt,
            segments=segments,
            measured=self.measured_at(segments),
            before=self.filtered[segments.recording, segments.start],
            file=np.array([files.index(file_of(self.sources[r])) for r in segments.recording]),
            files=files,
        )


def _long_enough(episode: TrajectorySet, world: World) -> bool:
    return bool(episode.time[-1] - episode.time[0] > (ORDER + 2) * world.control_dt)


def _grid(episode: TrajectorySet, world: World) -> tuple[Array, Array, Array, Array, Array]:
    """Return (raw positions and rates, the same filtered, states, actions, errors of the states).

    All on the control grid. How wrong the states are is seen in the recording itself: for positions by what the
    filter took away, for rates by how much a filter half as long differs. Of what was recorded with its rate nothing
    is estimated, and no error is seen.
    """
    dt = world.control_dt
    time = episode.time - episode.time[0]  # so that a clock that began in 1970 costs no digits
    _check_pace(time, dt, episode.sources[0])
    grid = (
        np.arange(int(time[-1] / dt + 1e-6) + 1, dtype=np.float64) * dt
    )  # a last sample that lies on the grid is on it
    x = _resample(time, episode.values, grid, episode.channels)
    held = np.searchsorted(time, grid + 1e-6 * dt, side="right") - 1
    actions = episode.actions[held] if world.actions else np.zeros((len(grid), 0))
    raw, recorded = _split(x, episode.channels, world)
    smooth = _filtered(raw, world.measured, dt, POSITION_FILTER, 0)
    rates = _rates(smooth, _filtered(raw, world.measured, dt, VELOCITY_FILTER, 1), world.measured)
    # at long control steps no filter can be shorter: then one twice as long
    factor = (
        0.5
        if filter_samples(VELOCITY_FILTER / 2, dt) < filter_samples(VELOCITY_FILTER, dt)
        else 2 * (ORDER + 2) * dt / VELOCITY_FILTER
    )
    other = _rates(smooth, _filtered(raw, world.measured, dt, factor * VELOCITY_FILTER, 1), world.measured)
    for channel, at, rate in zip(world.measured, columns(world.measured), tangents(world.measured), strict=True):
        if channel.name in recorded:
            smooth[:, at] = raw[:, at]
            rates[:, rate] = other[:, rate] = recorded[channel.name]
    measured = with_rates(raw, rates, world.measured, world.channels)
    filtered = with_rates(smooth, rates, world.measured, world.channels)
    errors = world.state(raw - smooth, other - rates)
    return measured, filtered, world.state(smooth, rates), actions, errors


def _split(x: Array, channels: Sequence[Channel], world: World) -> tuple[Array, dict[str, Array]]:
    """Part a recording's columns into the world's measured channels and, by channel, the rates that it holds."""
    at = {c.name: x[:, s] for c, s in zip(channels, columns(channels), strict=True)}
    rates = {c.rate_of: at[c.name] for c in world.channels if c.rate_of and c.name in at}
    return np.concatenate([at[c.name] for c in world.measured], axis=1), rates


def _check_pace(time: Array, dt: float, source: str) -> None:
    """Raise or warn if a recording's time (T,), from 0, cannot be in seconds, or cannot be replayed with this step."""
    if time[-1] <= 4 * dt:
        raise InputError(f"{source}: lasts {time[-1]:.3g} s, less than five control steps of {dt:g} s")
    usual = float(np.median(np.diff(time)))
    seen = f"{source}: lasts {time[-1]:.3g} s with a row each {usual:.3g} s"
    unit = "if its time is not in seconds, say so in the column map, for example 'time: {column: t, unit: ms}'"
    if time[-1] > _MOST_STEPS * dt:
        raise InputError(f"{seen}, which is {time[-1] / dt:.2g} control steps of {dt:g} s; {unit}")
    if usual > _SLOW * dt:
        warnings.warn(f"{seen}, {usual / dt:.0f} control steps of {dt:g} s; {unit}", DataWarning, stacklevel=4)


def _resample(time: Array, values: Array, grid: Array, channels: Sequence[Channel]) -> Array:
    """Interpolate linearly; angles are unwrapped first, quaternions kept on one side and normalised."""
    x = values.copy()
    for channel, at in zip(channels, columns(channels), strict=True):
        if channel.kind == "angle":
            x[:, at] = np.unwrap(x[:, at], axis=0)
        elif channel.kind == "quaternion":
            same = np.where((x[1:, at] * x[:-1, at]).sum(1) < 0, -1.0, 1.0)
            x[1:, at] *= np.cumprod(same)[:, None]
    out = np.stack([np.interp(grid, time, x[:, j]) for j in range(x.shape[1])], axis=1)
    return _normalised(out, channels)


def filter_samples(seconds: float, dt: float) -> int:
    """The largest odd number of samples within `seconds`, at least order + 2."""
    samples = int(seconds / dt + 1e-9)
    return max(samples - (1 - samples % 2), ORDER + 2)


def _filtered(x: Array, channels: Sequence[Channel], dt: float, seconds: float, derivative: int) -> Array:
    """Savitzky-Golay over about `seconds`: the largest odd number of samples within, at least order + 2."""
    from scipy.signal import savgol_filter

    samples = min(filter_samples(seconds, dt), len(x) - (1 - len(x) % 2))
    out = np.asarray(savgol_filter(x, samples, ORDER, deriv=derivative, delta=dt, axis=0))
    return out if derivative else _normalised(out, channels)


def _normalised(x: Array, channels: Sequence[Channel]) -> Array:
    for channel, at in zip(channels, columns(channels), strict=True):
        if channel.kind == "quaternion":
            x[:, at] /= np.linalg.norm(x[:, at], axis=1, keepdims=True)
    return x


def _rates(x: Array, slope: Array, channels: Sequence[Channel]) -> Array:
    """Derivatives in tangent form: a quaternion's slope becomes the angular velocity in the body's frame."""
    parts = []
    for channel, at in zip(channels, columns(channels), strict=True):
        if channel.kind == "quaternion":
            q, d = x[:, at], slope[:, at]
            vector = q[:, :1] * d[:, 1:] - d[:, :1] * q[:, 1:] - np.cross(q[:, 1:], d[:, 1:])
            parts.append(2 * vector)
        else:
            parts.append(slope[:, at])
    return np.concatenate(parts, axis=1)


def with_rates(x: Array, rates: Array, have: Sequence[Channel], want: Sequence[Channel]) -> Array:
    """Arrange positions and rates in the order of the world's channels."""
    at = {c.name: s for c, s in zip(have, columns(have), strict=True)}
    rate_at = {c.name: s for c, s in zip(have, tangents(have), strict=True)}
    return np.concatenate([rates[:, rate_at[c.rate_of]] if c.rate_of else x[:, at[c.name]] for c in want], axis=1)


def _padded(x: Array, length: int) -> Array:
    return np.concatenate([x, np.repeat(x[-1:], length - len(x), axis=0)]) if len(x) < length else x
