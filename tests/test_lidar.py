"""Point clouds are what rays must meet, and are labelled as images are."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from simloop.errors import InputError
from simloop.frames import Category, Request
from simloop.parameters import ParameterSpace
from simloop.worlds import get_world
from simloop.worlds.lidar import LIDARS, Lidar, get_lidar, scans
from simloop.worlds.staged import Instance, Staged

PERFECT = Lidar((-0.1, 0.0, 0.1), 90, azimuths=(-0.5, 0.5), reach=1e6, noise=0.0, dropout=0.0)


class Wall:
    """A white wall 4 m before the sensor, straight across, and a grey ball of 0.5 m radius 2 m away."""

    name = "wall"
    parameters = ParameterSpace([])
    cameras = ("eye",)
    categories = (Category("wall", thing=False), Category("ball"))

    def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
        spec = mujoco.MjSpec()
        white = [1, 1, 1, 1]
        spec.worldbody.add_geom(
            name="wall", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.5, 9, 9], pos=[4.5, 0, 0], rgba=white
        )
        # looks along the world's x; the camera's own axes are x right and y up
        spec.worldbody.add_camera(name="eye", xyaxes=[0, -1, 0, 0, 0, 1])
        ball = spec.worldbody.add_body(name="ball", pos=[2, 1, 0])
        ball.add_geom(name="ball", size=[0.5, 0, 0], rgba=[0.4, 0.4, 0.4, 1])
        wall = Instance("wall", "wall", "world", ("wall",), np.zeros((0, 3)), np.zeros(3), np.zeros(3))
        round_ = Instance("ball", "ball", "ball", ("ball",), np.zeros((0, 3)), np.zeros(3), np.ones(3))
        return Staged(spec, np.zeros((request.length, 0)), (wall, round_))


def test_ranges_are_those_of_a_plane_and_a_ball() -> None:
    """Points on the wall have x = 4; those on the ball are its radius from its middle; intensity is by the angle."""
    cloud = next(scans(Wall(), [0], PERFECT))
    wall, ball = cloud.instances == 1, cloud.instances == 2
    assert len(cloud.points) == 3 * 90
    assert ball.sum() > 20
    np.testing.assert_allclose(cloud.points[wall, 0], 4, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(cloud.points[ball] - [2, 1, 0], axis=1), 0.5, atol=1e-9)
    np.testing.assert_allclose(cloud.intensity[wall], 4 / cloud.ranges[wall], atol=1e-6)
    out = (cloud.points[ball] - [2, 1, 0]) / 0.5
    cosine = -(out * cloud.points[ball]).sum(1) / cloud.ranges[ball]
    np.testing.assert_allclose(cloud.intensity[ball], 0.4 * cosine, atol=1e-6)
    np.testing.assert_allclose(cloud.points, cloud.in_world(), atol=1e-12)  # the sensor's axes are the world's here
    beams = PERFECT.directions[cloud.rings, cloud.columns]
    np.testing.assert_allclose(cloud.points, beams * cloud.ranges[:, None], atol=1e-9)


def test_noise_and_losses_are_as_large_as_stated() -> None:
    """Ranges scatter by `noise`; a tenth's reflectivity at `reach` is found in 95 of 100; dropout takes its share."""
    noisy = replace(PERFECT, columns=5000, noise=0.02, dropout=0.3)
    cloud = next(scans(Wall(), [0], noisy))
    wall = cloud.instances == 1
    assert np.std(cloud.points[wall, 0]) == pytest.approx(0.02, rel=0.05)
    assert len(cloud.points) / 15000 == pytest.approx(0.7, abs=0.02)
    dark = replace(PERFECT, columns=5000, azimuths=(-0.01, 0.01), elevations=(0.0,), reach=4 / np.sqrt(10))
    found = len(next(scans(Wall(), [0], dark)).points) / 5000  # white, at root ten times the reach: q = 3 again
    assert found == pytest.approx(1 - np.exp(-3), abs=0.02)
    assert not len(next(scans(Wall(), [0], replace(PERFECT, near=5.0, reach=1e5))).points)


def test_clouds_and_images_are_labelled_alike() -> None:
    """What a beam meets is what the camera at the same place shows there; a sequence is the same on its own."""
    world, request = get_world("drawer"), Request(size=(400, 400), length=2)
    sensor = replace(LIDARS["solid-state"], noise=0.0)
    frame = next(iter(world.frames([1], request=request, seed=4)))
    cloud = next(scans(world, [1], sensor, request=request, seed=4))  # type: ignore[arg-type]
    u, v, _ = frame.camera.project(cloud.in_world()).T
    inside = (u >= 0) & (u < 400) & (v >= 0) & (v < 400)
    assert frame.instances is not None
    seen = frame.instances[v[inside].astype(int), u[inside].astype(int)]
    assert inside.sum() > 200
    assert (seen == cloud.instances[inside]).mean() > 0.97
    both = list(scans(world, [0, 1], sensor, request=request, seed=4))  # type: ignore[arg-type]
    np.testing.assert_array_equal(both[2].points, cloud.points)
    assert [c.index for c in both] == [0, 1, 2, 3]


def test_sensors_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="unknown LiDAR 'spining-16'"):
        get_lidar("spining-16")
    with pytest.raises(InputError, match="near < reach"):
        replace(PERFECT, near=2e6)
    with pytest.raises(InputError, match="at least one ring"):
        Lidar((), 5)
