"""Frames of world `drive` by its fast renderer: pictures, labels of steering, masks, boxes and depth.

    for frame in photos(world, range(100), request=Request(size=(80, 60)), look=looks()["wide"], seed=7): ...

A scene is shared by `Request.views` sequences, each of which begins somewhere else along its road, off the line and
turned as the parameters `start.*` say, and looks otherwise. Its label is what the expert would do there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.frames import Camera, Category, Frame, Objects, Request
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.sensor import sense_depth, sense_light
from simloop.worlds.drive import raster
from simloop.worlds.drive.expert import line_at, steer_to
from simloop.worlds.drive.look import camera_of, look_space, uniforms
from simloop.worlds.drive.ride import Begin, ride
from simloop.worlds.drive.scene import KINDS, Scene, make_scene
from simloop.worlds.labels import in_view, tight_boxes, truncation
from simloop.worlds.photograph import Looks

#: surfaces in the order of their numbers in masks; things follow
SURFACES = ("ground", "road", "line", "kerb")
#: what is labelled; buildings stand for what is far from the road
CATEGORIES = (
    *(Category(kind, thing=kind != "building") for kind in KINDS),
    *(Category(s, thing=False) for s in SURFACES),
)
#: what this renderer does not give
_NOT_HERE = ("normals", "flow", "visible")
#: m, side of a cell in which the nearest point of the road is kept, and how far beside the road
_CELL, _REACH = 0.5, 2.5
#: what a camera makes the mean of a picture, in linear light, if it adapts wholly
_MEAN = 0.16
#: (12 edges of 5 points, 3) along the edges of the cube from -1 to 1
_EDGES = np.array(
    [np.insert([i, j], axis, t) for axis in range(3) for i in (-1, 1) for j in (-1, 1) for t in np.linspace(-1, 1, 5)]
)
_IDENTITY = np.array([1.0, 0, 0, 0])


class Geometry:
    """What the renderer reads of a scene: computed once, seen from many places.

    Args:
        scene: what is seen.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, road = scene, scene.road
        reach = road.half_width + _REACH
        self._low = road.points.min(axis=0) - reach
        columns, rows = np.ceil((road.points.max(axis=0) + reach - self._low) / _CELL).astype(int)
        self._points, self._headings = np.ascontiguousarray(road.points), np.ascontiguousarray(road.heading)
        self._grid = raster.nearest_grid(self._points, self._low, _CELL, (rows, columns), reach, road.closed)
        self._form = np.array(
            [road.step, road.half_width, road.closed, scene.centre, scene.edge, scene.line_width, scene.dash, scene.gap,
             scene.kerb], dtype=float,
        )  # fmt: skip
        low, high = scene.extents
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._edges = self._middle[:, None] + _EDGES * self._half[:, None]

    def render(
        self, camera: Camera, numbers: Array, lamps: Array, recolour: Array, time: float = 0.0
    ) -> tuple[Array, Array, NDArray[np.uint16]]:
        """Linear light (H, W, 3), depth (H, W), m, and instances (H, W) of the scene at a time, s."""
        scene, parts = self.scene, self.scene.parts
        places = scene.places(time)
        own = places[parts.things]
        c, s = np.cos(own[:, 2]), np.sin(own[:, 2])
        x, y, z = parts.centres.T
        middles = np.stack([own[:, 0] + c * x - s * y, own[:, 1] + s * x + c * y, z], axis=1)
        k = camera.intrinsics
        return raster.render(
            camera.size, k[0, 0], k[0, 2], k[1, 2], *camera.distortion, camera.position, camera.rotation, numbers,
            lamps, self._form, self._points, self._headings, self._grid, self._low, _CELL, parts.things, parts.shapes,
            middles, parts.halves, own[:, 2] + parts.turns, parts.colours, recolour,
            self._boxes(places, camera, numbers),
        )  # fmt: skip

    def _boxes(self, places: Array, camera: Camera, numbers: Array) -> Array:
        """(n, 8) what may throw a shadow that is seen: see `raster.render`."""
        sun_z = max(float(numbers[raster.SUN_Z]), 1e-3)
        high = 2 * self._half[:, 2]
        c, s = np.cos(places[:, 2]), np.sin(places[:, 2])
        long = high * np.sqrt(max(0.0, 1 - sun_z**2)) / sun_z
        reach = np.hypot(self._half[:, 0], self._half[:, 1]) + np.minimum(long, 30.0)
        middle = places[:, :2] + np.stack([c, s], axis=1) * self._middle[:, :1]
        out = np.column_stack([middle, c, s, self._half[:, 0], self._half[:, 1], high, reach])
        far = np.linalg.norm(middle - camera.position[:2], axis=1)
        return np.ascontiguousarray(out[far < 35 + reach])

    def objects(self, camera: Camera, instances: NDArray[np.uint16], time: float) -> Objects:
        """The annotations of what is seen, and of things that would be seen if nothing were in the way."""
        scene, surfaces = self.scene, len(SURFACES)
        places = scene.places(time)
        n = surfaces + len(scene)
        amodal = np.full((n, 4), np.nan)
        amodal[surfaces:] = self._amodal(camera, places)
        pixels = np.bincount(instances.reshape(-1), minlength=n + 1)[1 : n + 1]
        keep = (pixels > 0) | in_view(amodal, camera.size)
        poses = np.zeros((n, 7))
        poses[:, 3:] = _IDENTITY
        poses[surfaces:, :2] = places[:, :2]
        poses[surfaces:, 3], poses[surfaces:, 6] = np.cos(places[:, 2] / 2), np.sin(places[:, 2] / 2)
        none = np.zeros((surfaces, 3))
        return Objects(
            ids=np.arange(1, n + 1),
            categories=np.concatenate([len(KINDS) + np.arange(surfaces), scene.kinds]),
            names=(*SURFACES, *scene.names),
            boxes=tight_boxes(instances, n),
            amodal=amodal,
            truncation=truncation(amodal, camera.size),
            pixels=pixels.astype(np.int64),
            visible=np.full(n, np.nan),
            poses=poses,
            centres=np.concatenate([none, self._middle]),
            sizes=np.concatenate([none, 2 * self._half]),
            keypoints=np.zeros((n, 0, 3)),
        ).take(keep)

    def _amodal(self, camera: Camera, places: Array) -> Array:
        """(n, 4) boxes around the images of the things' boxes: of points along their edges, which the lens bends."""
        out = np.full((len(places), 4), np.nan)
        away = np.column_stack([places[:, :2] - camera.position[:2], self._middle[:, 2] - camera.position[2]])
        reach = np.linalg.norm(self._half, axis=1) + np.linalg.norm(self._middle[:, :2], axis=1)
        near = np.flatnonzero((away @ camera.rotation[:, 2] > -reach) & ((away**2).sum(axis=1) < raster.FAR**2))
        if not len(near):
            return out
        x, y, z = np.moveaxis(self._edges[near], -1, 0)
        c, s = np.cos(places[near, 2])[:, None], np.sin(places[near, 2])[:, None]
        world = np.stack([places[near, :1] + c * x - s * y, places[near, 1:2] + s * x + c * y, z], axis=-1)
        image = camera.image(camera.to_camera(world))
        some = ~np.isnan(image[..., 0]).all(axis=1)
        seen = image[some]
        out[near[some], :2] = np.where(np.isnan(seen), np.inf, seen).min(axis=1)
        out[near[some], 2:] = np.where(np.isnan(seen), -np.inf, seen).max(axis=1)
        return out


@dataclass(frozen=True, eq=False)
class Dress:
    """How a sequence looks: the values of its look, what the kernel reads, and other colours for its parts."""

    values: Mapping[str, float]
    numbers: Array
    lamps: Array
    recolour: Array

    @classmethod
    def of(cls, values: Mapping[str, float], scene: Scene, rng: np.random.Generator) -> Dress:
        """The look that is said by values of `look_space`; what they leave open is drawn."""
        numbers, lamps = uniforms(values, rng)
        return cls(values, numbers, lamps, rng.random((len(scene.parts.things), 3)) ** 1.5)

    def exposed(self, light: Array) -> NDArray[np.float32]:
        """Linear light (H, W, 3) as a camera that adapts exposes it: (3, H, W)."""
        gain = (_MEAN / max(float(light.mean()), 1e-6)) ** self.values["light.adapt"]
        return np.multiply(light.transpose(2, 0, 1), gain, dtype=np.float32, order="C", casting="same_kind")


def labels_at(scene: Scene, values: Mapping[str, float], s: float, place: Array, speed: float) -> dict[str, float]:
    """What is known of a car at a place (3,), `s` m along the road: what an expert does, where it is in its lane."""
    road = scene.road
    ahead = values["expert.lookahead"] * road.lane_width
    wanted = line_at(road, scene.line, np.array([s, s + ahead]))
    (here, point), (heading, _), (_, curvature) = road.at(np.array([s, s + ahead]), wanted)
    steering = steer_to(
        point[None] - place[None, :2], place[None, 2], np.array([ahead]), values["car.wheelbase"], values["car.turn"]
    )
    left = (place[1] - here[1]) * np.cos(heading) - (place[0] - here[0]) * np.sin(heading)
    lane = -road.lane_width / 2 if road.lanes == 2 else 0.0
    return {
        "steering": float(steering[0]),
        "speed": speed,
        "lane_offset": float(left + wanted[0] - lane),
        "line_offset": float(left),
        "heading_error": float((place[2] - heading + np.pi) % (2 * np.pi) - np.pi),
        "curvature_ahead": float(curvature),
    }


def photos(
    parameters: ParameterSpace,
    sequences: Iterable[int],
    *,
    request: Request,
    distribution: Distribution | None = None,
    look: Distribution | None = None,
    seed: int = 0,
) -> Iterator[Frame]:
    """Yield the frames of sequences, in order; see `World.frames`."""
    for name in _NOT_HERE:
        if name in request.passes:
            raise InputError(
                f"world 'drive' has no pass {name!r} (it has depth, depth_sensed and instances); 'drive/held-out' has"
            )
    drawn = distribution or Point(parameters)
    looks = Looks(look or Point(look_space()), request, seed)
    for number, group in itertools.groupby(sequences, key=lambda s: s // request.views):
        row = drawn.sample(1, stream(seed, "frames", "scene", number))[0]
        values = dict(zip(parameters.names, row.tolist(), strict=True))
        geometry = Geometry(make_scene(values, stream(seed, "drive", "scene", number)))
        for sequence in group:
            yield from _sequence(geometry, sequence, values, looks, request, seed)


def _sequence(
    geometry: Geometry, sequence: int, values: Mapping[str, float], looks: Looks, request: Request, seed: int
) -> Iterator[Frame]:
    scene = geometry.scene
    seen = next(looks.rows(sequence))
    dress = Dress.of(seen, scene, looks.stream_of(sequence, "texture"))
    begin = Begin.of(scene, values, stream(seed, "drive", "start", sequence))
    taken = ride(scene, values, begin, request.length, request.rate)
    for step in range(request.length):
        index, time, place = sequence * request.length + step, step / request.rate, taken.places[step]
        camera = camera_of(seen, request.size, place)
        light, depth, instances = geometry.render(camera, dress.numbers, dress.lamps, dress.recolour, time)
        streams = looks.noise_of(index, camera.name)
        images: dict[str, Any] = {"rgb": sense_light(dress.exposed(light), seen, streams("rgb"))}
        near = depth.astype(np.float32)
        if "depth" in request.passes:
            images["depth"] = near
        if "depth_sensed" in request.passes:
            images["depth_sensed"] = sense_depth(near, seen, streams("depth"))
        if "instances" in request.passes:
            images["instances"] = instances
        yield Frame(
            index=index, sequence=sequence, step=step, time=time, camera=camera, categories=CATEGORIES,
            objects=geometry.objects(camera, instances, time), parameters={**values, **seen},
            values=labels_at(scene, values, float(taken.along[step]), place, float(taken.speeds[step])), **images,
        )  # fmt: skip
