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
from simloop.frames import Camera, Category, Frame, Objects, Request, widest
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import number, stream
from simloop.sensor import sense_depth
from simloop.worlds.drive import outlines, raster
from simloop.worlds.drive.expert import line_at, sight_along, steer_to
from simloop.worlds.drive.look import camera_of, look_space
from simloop.worlds.drive.nearest import nearest_grid
from simloop.worlds.drive.ride import Begin, ride
from simloop.worlds.drive.scene import KINDS, Scene, make_scene
from simloop.worlds.drive.sensing import sense, sensor_numbers
from simloop.worlds.drive.uniforms import uniforms
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
        self._points = np.ascontiguousarray(road.points)
        after = (
            np.roll(road.heading, -1) - road.heading if road.closed else np.diff(road.heading, append=road.heading[-1:])
        )
        after = (after + np.pi) % (2 * np.pi) - np.pi
        self._ways = np.column_stack([np.cos(road.heading), np.sin(road.heading), after, -np.roll(after, 1)])
        self._grid = nearest_grid(self._points, self._low, _CELL, (rows, columns), reach, road.closed)
        form = road.step, road.half_width, scene.centre, scene.edge, scene.line_width, scene.dash, scene.gap, scene.kerb
        self._form = tuple(map(float, form))
        low, high = scene.extents
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._categories = np.concatenate([len(KINDS) + np.arange(len(SURFACES)), scene.kinds])
        self._names = (*SURFACES, *scene.names)

    def render(
        self, camera: Camera, numbers: Array, lamps: Array, recolour: Array, time: float = 0.0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16]]:
        """Linear light (H, W, 3), depth (H, W), m, and instances (H, W) of the scene at a time, s."""
        scene, parts = self.scene, self.scene.parts
        places = scene.places(time)
        own = places[parts.things]
        c, s = np.cos(own[:, 2]), np.sin(own[:, 2])
        x, y, z = parts.centres.T
        middles = np.stack([own[:, 0] + c * x - s * y, own[:, 1] + s * x + c * y, z], axis=1)
        k = camera.intrinsics
        return raster.render(
            camera.size, k[0, 0], *camera.distortion, camera.position, camera.rotation, numbers,
            lamps, self._form, self._points, self._ways, self._grid, self._low, _CELL, parts.things, parts.shapes,
            middles, parts.halves, own[:, 2] + parts.turns, parts.colours, recolour,
            raster.shades(places, self._middle, self._half, camera.position, camera.rotation[:, 2],
                          *numbers[raster.SUN_X : raster.SUN_Z + 1]),
        )  # fmt: skip

    def objects(self, camera: Camera, instances: NDArray[np.uint16], time: float) -> Objects:
        """The annotations of what is seen, and of things that would be seen if nothing were in the way."""
        places, k = self.scene.places(time), camera.intrinsics
        amodal = outlines.amodal(
            places, self._middle, self._half, camera.position, camera.rotation, k[0, 0], k[0, 2], k[1, 2],
            *camera.distortion, widest(camera.distortion), raster.FAR,
        )  # fmt: skip
        pixels, boxes = outlines.seen(instances, len(self._names))
        keep, whole, outside, poses, centres, sizes = outlines.annotated(
            places, self._middle, self._half, amodal, pixels, len(SURFACES), *camera.size
        )
        n = len(keep)
        return Objects(
            ids=keep + 1,
            categories=self._categories[keep],
            names=tuple([self._names[i] for i in keep.tolist()]),
            boxes=boxes[keep],
            amodal=whole,
            truncation=outside,
            pixels=pixels[keep],
            visible=np.full(n, np.nan),
            poses=poses,
            centres=centres,
            sizes=sizes,
            keypoints=np.zeros((n, 0, 3)),
        )


@dataclass(frozen=True, eq=False)
class Dress:
    """How a sequence looks: the values of its look, what the kernel reads, and other colours for its parts."""

    values: Mapping[str, float]
    numbers: Array
    lamps: Array
    recolour: Array
    sensor: Array

    @classmethod
    def of(cls, values: Mapping[str, float], scene: Scene, rng: np.random.Generator) -> Dress:
        """The look that is said by values of `look_space`; what they leave open is drawn."""
        numbers, lamps = uniforms(values, rng)
        recolour = rng.random((len(scene.parts.things), 3)) ** 1.5
        return cls(values, numbers, lamps, recolour, sensor_numbers(values))

    def sensed(self, light: NDArray[np.float32], key: int) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that a camera takes of linear light (H, W, 3); a number decides its noise."""
        return np.asarray(sense(light, self.sensor, key))


def labels_at(scene: Scene, values: Mapping[str, float], s: float, place: Array, speed: float) -> dict[str, float]:
    """What is known of a car at a place (3,), `s` m along the road: what an expert does, where it is in its lane."""
    road = scene.road
    ahead = sight_along(road, scene.line, s, values["expert.lookahead"] * road.lane_width, speed)
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
    for scene, group in itertools.groupby(sequences, key=lambda s: s // request.views):
        row = drawn.sample(1, stream(seed, "frames", "scene", scene))[0]
        values = dict(zip(parameters.names, row.tolist(), strict=True))
        geometry = Geometry(make_scene(values, stream(seed, "drive", "scene", scene)))
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
        light, near, instances = geometry.render(camera, dress.numbers, dress.lamps, dress.recolour, time)
        images: dict[str, Any] = {
            "rgb": dress.sensed(light, number(seed, "frames", "noise", index, camera.name, "rgb"))
        }
        if "depth" in request.passes:
            images["depth"] = near
        if "depth_sensed" in request.passes:
            images["depth_sensed"] = sense_depth(near, seen, looks.noise_of(index, camera.name)("depth"))
        if "instances" in request.passes:
            images["instances"] = instances
        yield Frame(
            index=index, sequence=sequence, step=step, time=time, camera=camera, categories=CATEGORIES,
            objects=geometry.objects(camera, instances, time), parameters={**values, **seen},
            values=labels_at(scene, values, float(taken.along[step]), place, float(taken.speeds[step])), **images,
        )  # fmt: skip
