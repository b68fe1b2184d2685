"""How world `drive` may look through its fast renderer: surfaces, lines, light, sky, weather, camera and sensor.

    values = dict(zip(look_space().names, row))
    camera = camera_of(values, (80, 60), place)

The groups, which can be varied or left alone together, are what stands before the dot of a name: texture, lines,
things, light, sky, weather, camera, lens and sensor. The default is a plain scene: grey road, green verge, white edges
and a yellow middle, an even sky, and a small car's camera: a fisheye 125 degrees wide that looks 17 degrees down from a
third of a lane's width. What is either there or not (fog, gloss, lamps and the like) is not there where its parameter
is 0 or below, so that a range around 0 leaves it out as often as the range says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point, Uniform
from simloop.frames import Camera
from simloop.parameters import Array, Kind, ParameterSpace
from simloop.sensor import sensor_distributions, sensor_space
from simloop.worlds.spreads import Row, ranged


def _looks(
    name: str, low: float, default: float, high: float, wide: tuple[float, float], unit: str, what: str, *,
    log: bool = False, integer: bool = False, kind: Kind = "appearance", choices: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    return ranged(name, low, default, high, wide, unit, what, kind=kind, log=log, integer=integer, choices=choices)


TABLE: list[Row] = [
    _looks("texture.road", 0.02, 0.18, 0.9, (0.03, 0.5), "", "brightness of the road, in linear light", log=True),
    _looks("texture.road_tint", 0, 0, 1, (0, 0.5), "", "how coloured it is"),
    _looks("texture.verge", 0.02, 0.15, 0.9, (0.03, 0.5), "", "brightness of what is beside it", log=True),
    _looks("texture.verge_tint", 0, 0.5, 1, (0, 0.8), "", "how coloured it is"),
    _looks("texture.floor", 0, 0, 1, (0, 1), "", "whether the road and what is beside it are one floor",
           choices=("road and verge", "one floor")),
    _looks("texture.noise", -1, 0, 1, (-0.3, 0.5), "", "grain of the ground"),
    _looks("texture.grain", 0.02, 0.3, 4, (0.05, 2), "m", "its coarsest size", log=True),
    _looks("texture.patches", -1, 0, 1, (-0.5, 0.5), "", "spots that are darker or brighter"),
    _looks("texture.gloss", -1, 0, 1, (-0.5, 0.8), "", "how much the ground mirrors"),
    _looks("texture.rough", 0, 0.3, 1, (0, 1), "", "how much it smears what it mirrors"),
    _looks("lines.centre_hue", 0, 0.14, 1, (0, 1), "turns", "of the middle line's colour"),
    _looks("lines.centre_tint", 0, 0.8, 1, (0, 1), "", "how coloured it is"),
    _looks("lines.edge_hue", 0, 0.14, 1, (0, 1), "turns", "of the side lines' colour"),
    _looks("lines.edge_tint", 0, 0, 1, (0, 0.5), "", "how coloured it is"),
    _looks("lines.bright", 0.1, 0.8, 1.5, (0.35, 1), "", "brightness of the lines, in linear light"),
    _looks("lines.wear", -1, 0, 1, (-0.3, 0.5), "", "part of them that is worn off"),
    _looks("things.recolour", 0, 0, 1, (0, 1), "", "how far things are from the scene's own colours"),
    _looks("light.sun", 0, 0.6, 3, (0, 1.2), "", "light of the sun on what faces it"),
    _looks("light.elevation", 0.05, 0.9, 1.5, (0.15, 1.4), "rad", "of the sun over the horizon"),
    _looks("light.azimuth", -3.1416, 1, 3.1416, (-3.1416, 3.1416), "rad", "of the sun, from the world's x axis"),
    _looks("light.ambient", 0.02, 0.5, 2, (0.1, 0.9), "", "light from everywhere", log=True),
    _looks("light.lamps", -16, 0, 16, (-8, 16), "", "lamps over the road", integer=True),
    _looks("light.lamp", 0, 2, 10, (0.5, 5), "", "how bright they are"),
    _looks("light.headlamps", -2, 0, 2, (-0.6, 0.6), "", "the car's own"),
    _looks("light.shadows", -1, 0, 1, (-0.7, 0.7), "", "how dark the shadows of what is out of sight are"),
    _looks("light.shadow_size", 0.5, 4, 20, (1, 10), "m", "how large they are", log=True),
    _looks("light.glare", -2, 0, 2, (-0.8, 0.8), "", "of the sun in the lens and on the ground"),
    _looks("light.adapt", 0, 0.7, 1, (0.5, 1), "", "how far the camera makes every picture equally bright"),
    _looks("sky.bright", 0.005, 0.6, 1.5, (0.02, 1), "", "in linear light", log=True),
    _looks("sky.tint", 0, 0.4, 1, (0, 0.6), "", "how blue it is"),
    _looks("sky.clouds", -1, 0, 1, (-1, 1), "", "how much of it they cover"),
    _looks("sky.backdrop", 0, 0, 1, (0, 0.5), "rad", "how high what stands at the horizon reaches"),
    _looks("sky.contrast", 0, 1, 2, (0.2, 2), "", "of its pieces"),
    _looks("sky.pieces", 0.01, 0.1, 0.6, (0.02, 0.3), "rad", "how wide they are", log=True),
    _looks("weather.fog", -0.3, 0, 0.3, (-0.04, 0.04), "1/m", "part of the light that is lost on each metre"),
    _looks("weather.rain", -1, 0, 1, (-0.7, 0.5), "", "how dense"),
    _looks("weather.snow", -1, 0, 1, (-0.7, 0.4), "", "falling and lying"),
    _looks("weather.wet", -1, 0, 1, (-0.6, 0.6), "", "how wet the ground is"),
    _looks("camera.height", 0.3, 1.16, 4, (0.8, 1.8), "m", "over the road", log=True, kind="sensing"),
    _looks("camera.pitch", -0.2, 0.297, 1, (0.14, 0.45), "rad", "downwards", kind="sensing"),
    _looks("camera.roll", -0.5, 0, 0.5, (-0.05, 0.05), "rad", "to the right", kind="sensing"),
    _looks("camera.yaw", -0.5, 0, 0.5, (-0.05, 0.05), "rad", "to the left", kind="sensing"),
    _looks("camera.forward", -1, 0.5, 3, (0, 1), "m", "before the middle of the car", kind="sensing"),
    _looks("camera.fov", 0.6, 2.18, 2.8, (1.8, 2.5), "rad", "from the left to the right side of the picture",
           kind="sensing"),
]  # fmt: skip


#: what is not there where it is 0 or below
MAY_BE_ABSENT = frozenset(
    row.parameter.name
    for row in TABLE
    if row.parameter.low < 0 == row.parameter.default and row.parameter.kind == "appearance"
) - {"light.azimuth"}


@cache
def look_space() -> ParameterSpace:
    """All that may vary in how the world looks."""
    return ParameterSpace([*(row.parameter for row in TABLE), *sensor_space()])


@cache
def looks() -> Mapping[str, Distribution]:
    """`default`, plain and without noise, and `wide`, as far as someone would go by hand."""
    space = look_space()
    sensor = sensor_distributions()["wide"]
    assert isinstance(sensor, Uniform)
    own = {p.name: (a, b) for p, a, b in zip(sensor.space, sensor.low, sensor.high, strict=True)}
    ranges = {row.parameter.name: row.wide for row in TABLE} | own
    low, high = np.array([ranges[name] for name in space.names]).T
    return {"default": Point(space), "wide": Uniform(space, low, high)}


def camera_of(values: Mapping[str, float], size: tuple[int, int], place: Array) -> Camera:
    """The camera of a car at a place (3,): x, y, m, and heading, rad."""
    width, height = size
    k1, k2 = values["lens.k1"], values["lens.k2"]
    half = values["camera.fov"] / 2
    # a lens that bends spreads the same angle over the same picture
    focal = width / 2 / (half * (1 + k1 * half**2 + k2 * half**4))
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    x, y, heading = place
    reach = values["camera.forward"]
    position = np.array([x + reach * math.cos(heading), y + reach * math.sin(heading), values["camera.height"]])
    rotation = _rotation(heading + values["camera.yaw"], values["camera.pitch"], values["camera.roll"])
    return Camera("front", size, intrinsics, position, rotation, (k1, k2), depth_unit=1e-2, fisheye=True)


def _rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """(3, 3) from a camera's axes (right, down, forward) to the world's."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    right, down = (sy, -cy, 0.0), (-cy * sp, -sy * sp, -cp)
    rolled = [(cr * r + sr * d, cr * d - sr * r) for r, d in zip(right, down, strict=True)]
    return np.array([(*pair, f) for pair, f in zip(rolled, (cy * cp, sy * cp, -sp), strict=True)])
