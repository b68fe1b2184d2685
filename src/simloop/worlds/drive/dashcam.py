"""What the cameras of cars see in the fast renderer while the cars drive, for closed loop.

    with Dashcam((80, 60), look=world.looks()["wide"], seed=3) as see:
        found = close_loop(world, policy, see=see, seed=1)

Each road keeps its look for as long as it is driven on. `Onboard` is the same in MuJoCo's renderer.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.frames import Request
from simloop.parameters import Array
from simloop.randomness import number as key_of
from simloop.worlds.drive.look import camera_of, look_space
from simloop.worlds.drive.photos import Dress, Geometry
from simloop.worlds.drive.scene import Scene
from simloop.worlds.photograph import Looks


class Sees(Protocol):
    """What cars see while they drive: `Dashcam`, or `Onboard`."""

    def __enter__(self) -> Sees: ...

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, number: int, scene: Scene, states: Array, time: float, /) -> NDArray[np.uint8]:
        """(m, height, width, 3) what cars on road `number` see at states (m, ...), `time` s after the scene's start."""
        ...


class Dashcam:
    """What cameras on cars see. Used as `Onboard` is.

    Args:
        size: (width, height) of a picture, pixels.
        look: what the looks of roads are drawn from; None: the default.
        seed: of the looks and of the sensor's noise.
    """

    def __init__(self, size: tuple[int, int], *, look: Distribution | None = None, seed: int = 0) -> None:
        self._size, self._seed = size, seed
        self._looks = Looks(look or Point(look_space()), Request(size=size, passes=()), seed)
        self._roads: dict[int, tuple[Geometry, Dress]] = {}
        self._seen: dict[int, int] = {}

    def __enter__(self) -> Dashcam:
        return self

    def __exit__(self, *_: object) -> None:
        self._roads.clear()

    def __call__(self, number: int, scene: Scene, states: Array, time: float) -> NDArray[np.uint8]:
        """(m, height, width, 3) what cars on road `number` see; see `Onboard`."""
        found = self._roads.get(number)
        if found is None or found[0].scene is not scene:
            values = next(self._looks.rows(number))
            dress = Dress.of(values, scene, self._looks.stream_of(number, "texture"))
            found = self._roads[number] = Geometry(scene), dress
        return np.stack([self._see(number, *found, place, time) for place in states[:, :3]])

    def _see(self, number: int, geometry: Geometry, dress: Dress, place: Array, time: float) -> NDArray[np.uint8]:
        camera = camera_of(dress.values, self._size, place)
        light, _, _ = geometry.render(camera, dress.numbers, dress.lamps, dress.recolour, time)
        self._seen[number] = self._seen.get(number, -1) + 1
        return dress.sensed(light, key_of(self._seed, "frames", "noise", self._seen[number], f"road {number}", "rgb"))
