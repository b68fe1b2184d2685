"""From recordings to windows: resampling, held actions, filtered starts."""

from __future__ import annotations

import numpy as np
import pytest

from simloop.errors import DataWarning, InputError
from simloop.targets.windows import FIRST, Replay
from simloop.trajectories import TrajectorySet
from simloop.worlds import World


def _recording(world: World, time: np.ndarray, q: np.ndarray, u: np.ndarray, name: str = "r") -> TrajectorySet:
    return TrajectorySet(
        channels=world.measured,
        action_channels=world.actions,
        time=time,
        values=q[:, None],
        actions=u[:, None],
        offsets=np.array([0, len(time)]),
        sources=(name,),
    )


def test_positions_are_interpolated_and_actions_are_held(pendulum: World) -> None:
    """On the control grid positions are linear between samples and an action is the last one given."""
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.001, 0.004, 400))
    q, u = 3 * time, rng.standard_normal(400)
    replay = Replay(pendulum, _recording(pendulum, time, q, u))
    grid = np.arange(time[0], time[-1], pendulum.control_dt)
    np.testing.assert_allclose(replay.measured[0, :, 0], 3 * grid, rtol=1e-12)
    held = [u[np.flatnonzero(time <= t + 1e-12)[-1]] for t in grid]
    np.testing.assert_array_equal(replay.actions[0, :, 0], held)
    np.testing.assert_allclose(replay.states[0, 20:-20, 1], 3.0, rtol=1e-9)


def test_windows_do_not_overlap_and_start_after_the_past(pendulum: World) -> None:
    """Windows tile a recording from its twentieth grid point on."""
    time = np.arange(1001) * 0.002
    windows = Replay(pendulum, _recording(pendulum, time, np.sin(time), 0 * time)).windows(0.2)
    np.testing.assert_array_equal(windows.segments.start, FIRST + 100 * np.arange(len(windows)))
    assert len(windows) == 9
    np.testing.assert_allclose(windows.measured[:, -1, 0], np.sin((windows.segments.start + 100) * 0.002), atol=1e-12)


def test_a_full_turn_is_unwrapped(pendulum: World) -> None:
    """An angle that jumps from pi to -pi is a turning one, not a fast one."""
    time = np.arange(2000) * 0.002
    wrapped = (4 * time + np.pi) % (2 * np.pi) - np.pi
    replay = Replay(pendulum, _recording(pendulum, time, wrapped, 0 * time))
    np.testing.assert_allclose(replay.states[0, 20:-20, 1], 4.0, rtol=1e-6)


def test_short_recordings_are_left_out_or_refused(pendulum: World) -> None:
    """A recording shorter than a window is left out with a warning; if all are, that is an error."""
    time = np.arange(300) * 0.002
    short = _recording(pendulum, time[:100], time[:100], 0 * time[:100], "short")
    long = _recording(pendulum, time, time, 0 * time, "long")
    both = TrajectorySet(
        channels=short.channels,
        action_channels=short.action_channels,
        time=np.concatenate([short.time, long.time]),
        values=np.concatenate([short.values, long.values]),
        actions=np.concatenate([short.actions, long.actions]),
        offsets=np.array([0, 100, 400]),
        sources=("short", "long"),
    )
    with pytest.warns(DataWarning, match="1 recordings are shorter than a window of 0.4 s and were left out: short"):
        assert set(Replay(pendulum, both).windows(0.4).segments.recording) == {1}
    with pytest.raises(InputError, match="too short for a window of 5 s"):
        Replay(pendulum, both).windows(5.0)
