"""Trajectories: geodesic differences, flat layout, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simloop.errors import InputError
from simloop.trajectories import Channel, TrajectorySet, difference, rotation_between


def test_angles_differ_by_at_most_half_a_turn() -> None:
    """Angle channels wrap, linear ones subtract."""
    channels = [Channel("angle", "rad", "angle"), Channel("x", "m")]
    d = difference(np.array([[np.pi - 0.1, 5.0]]), np.array([[-np.pi + 0.1, 1.0]]), channels)
    np.testing.assert_allclose(d, [[-0.2, 4.0]])


def test_quaternions_differ_by_a_rotation() -> None:
    """A quaternion and its negative are the same rotation; a turn about z is a rotation vector along z."""
    q = np.array([1.0, 0, 0, 0])
    turned = np.array([np.cos(0.35), 0, 0, np.sin(0.35)])
    np.testing.assert_allclose(rotation_between(q, turned), [0, 0, 0.7], atol=1e-12)
    np.testing.assert_allclose(rotation_between(q, -turned), [0, 0, 0.7], atol=1e-12)
    np.testing.assert_allclose(rotation_between(turned, -turned), 0, atol=1e-7)
    d = difference(turned[None], q[None], [Channel("pose", "", "quaternion")])
    assert d.shape == (1, 3)


def test_rotations_agree_with_scipy() -> None:
    """Rotation vectors between random quaternions are SciPy's."""
    from scipy.spatial.transform import Rotation

    a, b = Rotation.random(50, rng=0), Rotation.random(50, rng=1)
    expected = (a.inv() * b).as_rotvec()
    got = rotation_between(a.as_quat(scalar_first=True), b.as_quat(scalar_first=True))
    np.testing.assert_allclose(got, expected, atol=1e-9)


def _set() -> TrajectorySet:
    return TrajectorySet(
        channels=(Channel("q", "rad", "angle"), Channel("q.velocity", "rad/s", rate_of="q")),
        action_channels=(Channel("u", "N m"),),
        time=np.array([0, 0.1, 0.2, 0, 0.1]),
        values=np.arange(10.0).reshape(5, 2),
        actions=np.arange(5.0)[:, None],
        offsets=np.array([0, 3, 5]),
        parameters=np.array([[1.0], [2.0]]),
        diverged=np.array([False, True]),
        sources=("first", "second"),
        meta={"seed": 3},
    )


def test_file_round_trip(tmp_path: Path) -> None:
    """What is read back is what was written, without pickle."""
    _set().save(tmp_path / "t.npz")
    again = TrajectorySet.load(tmp_path / "t.npz")
    assert again.channels == _set().channels
    assert again.meta == {"seed": 3}
    for name in ("time", "values", "actions", "offsets", "parameters", "diverged"):
        np.testing.assert_array_equal(getattr(again, name), getattr(_set(), name))


def test_episodes_of_any_length() -> None:
    """An episode is cut out whole; a set of unequal ones has no regular array."""
    second = _set().episode(1)
    np.testing.assert_array_equal(second.column("q"), [6, 8])
    np.testing.assert_array_equal(second.column("u"), [3, 4])
    with pytest.raises(InputError, match="different lengths"):
        _ = _set().regular
