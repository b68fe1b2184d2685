"""What the cameras of cars see in MuJoCo's renderer while the cars drive, for closed loop.

    with Onboard((160, 120), look=world.looks()["wide"], seed=3) as see:
        found = close_loop(world, policy, see=see, seed=1)

Each road keeps its scene and its look for as long as it is driven on; only the camera and what moves is put elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.frames import Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.sensor import sense
from simloop.worlds.drive.held_out import mounted, stage
from simloop.worlds.drive.look import camera_of
from simloop.worlds.drive.mujoco_scene import CAMERA, movers, state
from simloop.worlds.drive.photos import CATEGORIES
from simloop.worlds.drive.scene import Scene
from simloop.worlds.photograph import Looks, Studio, changes_nothing


class Onboard:
    """What cameras on cars see. Use it in a `with` statement: it holds memory of the graphics.

    Args:
        size: (width, height) of a picture, pixels.
        look: what the looks of roads are drawn from, as `HeldOut.looks` has them; None: scenes as they are made.
        mount: how the camera is mounted, by the parameters `camera.*` and `lens.*` of world `drive`'s look; what is not
            said is as by default.
        seed: of the looks and of the sensor's noise.
        shadows: side of the shadow map, pixels; shadows are those near where a road was first seen from.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        look: Distribution | None = None,
        mount: Mapping[str, float] | None = None,
        seed: int = 0,
        shadows: int = 0,
    ) -> None:
        self._request = Request(size=size, passes=(), shadows=shadows)
        self._eye = camera_of({**mounted(), **(mount or {})}, size, np.zeros(3))
        self._looks = None if look is None or changes_nothing(look) else Looks(look, self._request, seed)
        self._seed = seed
        self._roads: dict[int, _Road] = {}

    def __enter__(self) -> Onboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all roads, and give back what the graphics hold."""
        for road in self._roads.values():
            road.studio.canvas.close()
        self._roads.clear()

    def __call__(self, number: int, scene: Scene, states: Array, time: float) -> NDArray[np.uint8]:
        """(m, height, width, 3) what cars see.

        Args:
            number: of the road, which is the same scene in all calls.
            scene: the scene.
            states: (m, 3 or more) x, y, m, and heading, rad, of each car first; none sees another.
            time: s since the scene's start.
        """
        road = self._roads.get(number)
        if road is not None and road.scene is not scene:
            road.studio.canvas.close()
            road = None
        if road is None:
            road = self._roads[number] = self._first(number, scene, states[0, :3], time)
        return np.stack([road.see(place, time) for place in states[:, :3]])

    def _first(self, number: int, scene: Scene, place: Array, time: float) -> _Road:
        """A road that is seen for the first time."""
        staged = stage(scene, self._eye, place[None], np.array([time]))
        shapes = None if self._looks is None else stream(self._seed, "onboard", "shapes", number)
        studio = Studio(staged, self._request, CATEGORIES, [CAMERA], shapes)
        return _Road(number, scene, studio, self._looks)


class _Road:
    """A road, its studio, and how it looks."""

    def __init__(self, number: int, scene: Scene, studio: Studio, looks: Looks | None) -> None:
        self.scene, self.studio = scene, studio
        self._number, self._looks, self._seen = number, looks, 0
        self._moving = movers(scene)
        self._values = {} if looks is None else studio.dress(looks, number)

    def see(self, place: Array, time: float) -> NDArray[np.uint8]:
        """What a car at a place (3,) sees."""
        rgb = self.studio.glimpse(state(self.scene, self._moving, place, time), CAMERA)
        if self._looks is None:
            return rgb
        self._seen += 1
        streams = self._looks.noise_of(self._seen, f"{CAMERA} {self._number}")
        return sense(rgb, self._values, streams("rgb"))
