"""World `drive/held-out`: world `drive` in another renderer, which nothing that trains on `drive` has seen.

Scenes, cars and labels are those of `drive`: the same parameters and seeds give the same road with the same things on
it. How it looks is what `worlds/appearance` makes of what MuJoCo draws: textures, lights, sky, haze and sensors that
the fast renderer does not have. The camera is mounted as the default look of `drive` mounts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simloop.distributions import Distribution, Point, Product, Uniform
from simloop.frames import Camera, Frame, Request
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.worlds.drive.look import camera_of
from simloop.worlds.drive.look import look_space as fast_look_space
from simloop.worlds.drive.mujoco_scene import CAMERA, describe, movers, state
from simloop.worlds.drive.parameters import TABLE
from simloop.worlds.drive.photos import SURFACES, labels_at
from simloop.worlds.drive.ride import Begin, Ride, ride
from simloop.worlds.drive.scene import KINDS, Scene, make_scene
from simloop.worlds.drive.world import Drive
from simloop.worlds.photograph import look_distributions, look_space, photographs
from simloop.worlds.staged import Instance, Staged

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.drive.dashcam import Sees

#: ranges of `wide` that are narrower than those of appearance: a camera that is mounted on a car stays there, and what
#: is not painted is darker than paint
_MOUNTED = {
    "camera.azimuth": (-0.02, 0.02), "camera.elevation": (-0.01, 0.01), "camera.distance": (0.98, 1.02),
    "camera.roll": (-0.05, 0.05), "camera.view": (0.9, 1.1), "texture.value": (0.1, 0.6),
}  # fmt: skip
#: ranges of `weather` that are other than those of `wide`: fog, dusk and a low sun over roads in quieter colours
_WEATHER = {
    "sky.haze": (0.05, 0.45), "sky.mix": (0.7, 1), "sky.saturation": (0, 0.3), "sky.brightness": (0.1, 0.8),
    "light.own": (0, 0.6), "light.elevation": (0.1, 0.8), "light.ambient": (0, 0.2), "texture.share": (0, 0.4),
    "texture.saturation": (0, 0.4), "texture.hue_spread": (0, 0.4),
}  # fmt: skip
#: how much of appearance's own lies about: nothing, as it would lie on the road
_LYING = "clutter.count"
#: m before the car, where what lights and haze take for the middle of the scene is
_AHEAD = 12.0
_CORNERS = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], dtype=float)


class HeldOut(Drive):
    """World `drive`, drawn by MuJoCo."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "drive/held-out"
        self.summary = "world drive in another renderer, to test what was trained on drive's own pictures"

    @property
    def request(self) -> Request:
        return Request(size=(160, 120), shadows=0)

    @property
    def look(self) -> ParameterSpace:
        return look_space()

    def looks(self) -> Mapping[str, Distribution]:
        """`default`, `wide`, `images`, and `weather`: what is hard to see in, in quieter colours than `wide`."""
        found = look_distributions()
        made = dict(found)
        ranges = {"wide": _MOUNTED, "images": _MOUNTED, "weather": {**_MOUNTED, **_WEATHER}}
        for name, narrower in ranges.items():
            given = found[name if name in found else "wide"]
            assert isinstance(given, Uniform)
            made[name] = _mounted(given, narrower)
        return made

    def onboard(self, size: tuple[int, int], *, look: Distribution | None = None, seed: int = 0) -> Sees:
        from simloop.worlds.drive.onboard import Onboard

        return Onboard(size, look=look, seed=seed)

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Frame]:
        asked = request or self.request
        drawn = self.distribution("default") if distribution is None else distribution
        for frame in photographs(self, sequences, request=asked, distribution=drawn, look=look, seed=seed):
            number = frame.sequence // asked.views
            row = drawn.sample(1, stream(seed, "frames", "scene", number))[0]
            own = dict(zip(self.parameters.names, row.tolist(), strict=True))
            ride = _ride(tuple(row.tolist()), number, seed, asked.views, asked.length, asked.rate)
            k = frame.step
            labels = labels_at(ride.scene, own, float(ride.along[k]), ride.places[k], float(ride.speeds[k]))
            # the clutter of a scene, not that of a look, which has the same name and is not used here
            yield frame.replace(values=labels, parameters={**frame.parameters, **own})

    def stage(self, row: Array, number: int, seed: int, request: Request) -> Staged:
        """Scene `number` and the ride of a car through it; its views share where the car is."""
        row = self.parameters.check(row)[0]
        ride = _ride(tuple(row.tolist()), number, seed, request.views, request.length, request.rate)
        times = np.arange(len(ride.places), dtype=np.float64) * ride.dt
        return stage(ride.scene, camera_of(mounted(), request.size, np.zeros(3)), ride.places, times)


def mounted() -> dict[str, float]:
    """How the camera is mounted: the default of what `drive` looks like."""
    space = fast_look_space()
    return dict(zip(space.names, space.default.tolist(), strict=True))


def stage(scene: Scene, eye: Camera, places: Array, times: Array) -> Staged:
    """A scene before the camera of a car, which is at places (T, 3), m and rad, at times (T,), s.

    Args:
        scene: the scene.
        eye: the camera of a car at the origin.
        places: where the car is.
        times: when.
    """
    spec, moving = describe(scene, eye), movers(scene)
    x, y, heading = places[0]
    spec.stat.center = [x + _AHEAD * np.cos(heading), y + _AHEAD * np.sin(heading), 0]
    qpos = [state(scene, moving, place, time) for place, time in zip(places, times.tolist(), strict=True)]
    seen = instances(spec, scene)
    painted = [name for i in seen if i.category in ("line", "kerb") for name in i.geoms]
    return Staged(spec, np.array(qpos), seen, fisheyes={CAMERA: eye}, kept=tuple(painted))


def _mounted(look: Uniform, ranges: Mapping[str, tuple[float, float]]) -> Distribution:
    """A distribution of looks with other ranges, in which nothing lies about but what the scene has."""
    space, low, high = look.space, look.low.copy(), look.high.copy()
    for name, ends in ranges.items():
        low[space.index(name)], high[space.index(name)] = ends
    k = space.index(_LYING)

    def part(which: slice) -> Uniform:
        return Uniform(ParameterSpace(list(space)[which]), low[which], high[which])

    nothing = Point(ParameterSpace([space[_LYING]]), [0.0])
    return Product(None, [part(slice(k)), nothing, part(slice(k + 1, None))])


def instances(spec: mujoco.MjSpec, scene: Scene) -> tuple[Instance, ...]:
    """What is labelled, with the numbers that the fast renderer gives it: surfaces first, then things."""
    painted = {"ground": ("ground",), "road": ("road",), "line": ("centre", "edge"), "kerb": ("kerb-0", "kerb-1")}
    there = {geom.name for geom in spec.worldbody.geoms}
    nowhere, zero = np.zeros((0, 3)), np.zeros(3)
    out = [
        Instance(name, name, "world", tuple(g for g in painted[name] if g in there), nowhere, zero, zero)
        for name in SURFACES
    ]
    low, high = scene.extents
    owners = scene.parts.things
    for thing, name in enumerate(scene.names):
        geoms = tuple(f"{name}/{k}" for k in range(int((owners == thing).sum())))
        middle, half = (low[thing] + high[thing]) / 2, (high[thing] - low[thing]) / 2
        out.append(Instance(name, KINDS[scene.kinds[thing]], name, geoms, middle + _CORNERS * half, middle, 2 * half))
    return tuple(out)


@lru_cache(maxsize=2)  # the scene is asked for when it is staged, and again for the labels of each of its frames
def _ride(values: tuple[float, ...], number: int, seed: int, views: int, length: int, rate: float) -> Ride:
    """The ride of an expert at an even speed through scene `number`, from where the first of its views starts."""
    named = dict(zip((row.parameter.name for row in TABLE), values, strict=True))
    scene = make_scene(named, stream(seed, "drive", "scene", number))
    begin = Begin.of(scene, named, stream(seed, "drive", "start", number * views))
    return ride(scene, named, begin, length, rate)
