"""LiDAR: point clouds with labels, by casting rays through all steps of a sequence in one call.

    cloud = next(scans(world, [0], LIDARS["spinning-16"], seed=7))
    cloud.points, cloud.instances, cloud.intensity

The sensor stands where a camera of the world stands. Its axes are x forward, y to the left and z up.

What comes back of a beam is proportional to the surface's reflectivity and to the cosine of the angle at which it is
met, and falls with the square of the distance; it is detected with probability 1 - exp(-q), where q is 3 for a surface
of a tenth's reflectivity that is met straight on at the sensor's `reach`, which is how makers state it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError, unknown
from simloop.frames import Category, Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.canvas import SEEN, shown_colours
from simloop.worlds.labels import Labelled
from simloop.worlds.photograph import Stage, chosen

#: reflectivity that a reach is stated for, and q there
_DARK, _SURE = 0.1, 3.0
#: from a camera's axes (right, down, forward) to the sensor's (forward, left, up)
_FROM_CAMERA = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


@dataclass(frozen=True)
class Lidar:
    """A scanning range sensor.

    Attributes:
        elevations: rad, of its rings, from the first to the last.
        columns: beams of a ring.
        azimuths: rad, where a ring begins and ends, to the left of forward; the last beam is before the end.
        near: m, nothing is measured nearer.
        reach: m, up to which a surface of a tenth's reflectivity is detected.
        noise: m, standard deviation of a range.
        dropout: probability that a beam is lost, whatever it meets.
    """

    elevations: tuple[float, ...]
    columns: int
    azimuths: tuple[float, float] = (-np.pi, np.pi)
    near: float = 0.05
    reach: float = 50.0
    noise: float = 0.01
    dropout: float = 0.01

    def __post_init__(self) -> None:
        if not self.elevations or self.columns < 1:
            raise InputError("a LiDAR needs at least one ring and one beam in it")
        if not (0 <= self.near < self.reach and self.noise >= 0 and 0 <= self.dropout < 1):
            raise InputError("a LiDAR needs 0 <= near < reach, a noise of at least 0 and a dropout from 0 to below 1")

    @cached_property
    def directions(self) -> Array:
        """(rings, columns, 3) unit vectors in the sensor's axes."""
        begin, end = self.azimuths
        azimuth = begin + (np.arange(self.columns) + 0.5) * (end - begin) / self.columns
        up = np.array(self.elevations)[:, None]
        x, y = np.cos(up) * np.cos(azimuth), np.cos(up) * np.sin(azimuth)
        return np.stack([x, y, np.broadcast_to(np.sin(up), x.shape)], axis=-1)


def _rings(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(np.deg2rad(np.linspace(low, high, count)).tolist())


#: patterns of common kinds of sensors
LIDARS: dict[str, Lidar] = {
    "spinning-16": Lidar(_rings(-15, 15, 16), 900, reach=100, near=0.1, noise=0.03),
    "spinning-64": Lidar(_rings(-24.8, 2, 64), 1024, reach=120, near=0.1, noise=0.02),
    "solid-state": Lidar(_rings(-20, 20, 96), 128, azimuths=(-np.pi / 6, np.pi / 6), reach=20, noise=0.005),
}


def get_lidar(name: str) -> Lidar:
    """Return a sensor by its pattern's name."""
    if name not in LIDARS:
        raise unknown("LiDAR", name, LIDARS)
    return LIDARS[name]


@dataclass(frozen=True, eq=False)
class PointCloud:
    """What one turn of a sensor measured.

    Attributes:
        index, sequence, step, time: as a frame's.
        position: (3,) of the sensor in the world, m.
        rotation: (3, 3) from the sensor's axes to the world's.
        points: (n, 3) m, in the sensor's axes.
        intensity: (n,) reflectivity times the cosine of the angle, 0 to 1.
        rings, columns: (n,) the beam of each point.
        instances: (n,) numbers of instances; 0 for what is labelled as none.
        names, instance_categories: of the instances 1, 2, ..., their names and places in `categories`.
        categories: the world's.
        poses: (m, 7) of the instances, in the world.
        centres, sizes: (m, 3) of their oriented boxes, in their own axes, m.
        parameters: by name, what was drawn.
    """

    index: int
    sequence: int
    step: int
    time: float
    position: Array
    rotation: Array
    points: Array
    intensity: Array
    rings: NDArray[np.int64]
    columns: NDArray[np.int64]
    instances: NDArray[np.int64]
    names: tuple[str, ...]
    instance_categories: NDArray[np.int64]
    categories: tuple[Category, ...]
    poses: Array
    centres: Array
    sizes: Array
    parameters: Mapping[str, float]

    @property
    def ranges(self) -> Array:
        """(n,) m."""
        return np.linalg.norm(self.points, axis=1)

    def in_world(self) -> Array:
        """(n, 3) the points in the world, m."""
        return np.asarray(self.points @ self.rotation.T + self.position)


def scans(
    world: Stage,
    sequences: Iterable[int],
    lidar: Lidar,
    *,
    request: Request | None = None,
    distribution: Distribution | None = None,
    seed: int = 0,
) -> Iterator[PointCloud]:
    """Yield the point clouds of sequences, in order, from the first camera that is asked for.

    Scenes and their motion are those of `frames` with the same request, distribution and seed.
    """
    request = request or Request()
    camera = chosen(world, request)[0]
    drawn = Point(world.parameters) if distribution is None else distribution
    for number, group in itertools.groupby(sequences, key=lambda s: s // request.views):
        row = drawn.sample(1, stream(seed, "frames", "scene", number))[0]
        swept = _Sweep(world, row, number, camera, lidar, request, seed)
        for sequence in group:
            for step in range(request.length):
                yield swept.cloud(sequence, step)


class _Sweep:
    """All beams through all steps of one scene."""

    def __init__(
        self, world: Stage, row: Array, number: int, camera: str, lidar: Lidar, request: Request, seed: int
    ) -> None:
        import mujoco
        from mujoco.batch import Batch

        staged = world.stage(row, number, seed, request)
        model = staged.spec.compile()
        staged.write(model)
        self._world, self._row, self._lidar, self._request, self._seed = world, row, lidar, request, seed
        self._labelled = Labelled(model, staged.instances, world.categories)
        self._reflectivity = _reflectivity(model)
        steps = len(staged.qpos)
        batch = Batch(model, steps)
        batch.bind("qpos")[:] = staged.qpos
        data = mujoco.MjData(model)
        self._position, self._rotation = np.empty((steps, 3)), np.empty((steps, 3, 3))
        self._poses = []
        at = model.camera(camera).id
        for step in range(steps):
            data.qpos[:] = staged.qpos[step]
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_camlight(model, data)
            own = data.cam_xmat[at].reshape(3, 3) @ np.diag([1.0, -1, -1])
            self._position[step], self._rotation[step] = data.cam_xpos[at], own @ _FROM_CAMERA.T
            self._poses.append(self._labelled.poses_of(data))
        beams = lidar.directions.reshape(-1, 3)
        world_beams = np.einsum("sij,bj->sbi", self._rotation, beams)
        distance, geoms, normals = batch.ray(
            self._position[:, None], world_beams, geomgroup=np.array(SEEN, dtype=np.uint8), normal=True
        )
        self._distance, self._geoms = distance, geoms
        self._cosine = np.abs((normals * world_beams).sum(-1))

    def cloud(self, sequence: int, step: int) -> PointCloud:
        """What the sensor makes of one step."""
        lidar, labelled = self._lidar, self._labelled
        index = sequence * self._request.length + step
        distance, geoms = self._distance[step], self._geoms[step]
        rng = stream(self._seed, "frames", "lidar", index)
        chance, error = rng.random(len(distance)), rng.standard_normal(len(distance))
        strength = self._reflectivity[geoms] * self._cosine[step]
        with np.errstate(divide="ignore"):
            power = _SURE * strength / _DARK * (lidar.reach / np.maximum(distance, 1e-9)) ** 2
        found = (geoms >= 0) & (distance >= lidar.near) & (chance < (1 - lidar.dropout) * -np.expm1(-power))
        ranges = np.maximum(distance + lidar.noise * error, 0.0)[found]
        rings, columns = np.divmod(np.flatnonzero(found), lidar.columns)
        n = len(labelled.instances)
        return PointCloud(
            index=index, sequence=sequence, step=step, time=step / self._request.rate,
            position=self._position[step], rotation=self._rotation[step],
            points=lidar.directions.reshape(-1, 3)[found] * ranges[:, None],
            intensity=strength[found], rings=rings, columns=columns,
            instances=labelled.mask(geoms[found]).astype(np.int64),
            names=tuple(i.name for i in labelled.instances), instance_categories=labelled.category_places,
            categories=labelled.categories, poses=self._poses[step],
            centres=np.array([i.centre for i in labelled.instances]).reshape(n, 3),
            sizes=np.array([i.size for i in labelled.instances]).reshape(n, 3),
            parameters=dict(zip(self._world.parameters.names, self._row.tolist(), strict=True)),
        )  # fmt: skip


def _reflectivity(model: Any) -> Array:
    """(ngeom + 1,) mean of each geom's colour, last 0 for none: what it sends back of what meets it straight on."""
    return np.append(shown_colours(model)[:, :3].astype(float).mean(axis=1), 0.0)
