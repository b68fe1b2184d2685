"""An expert's ride through a scene: where the car of each frame of a sequence is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drive.expert import line_at, pursue, sight_along
from simloop.worlds.drive.scene import AHEAD, BEHIND, Scene
from simloop.worlds.drive.vehicle import FORM, STATE, advance

#: errors of a start, in standard deviations, are cut here
_MOST = 2.5


@dataclass(frozen=True, eq=False)
class Begin:
    """Where a car starts: how far along the road, how far left of the wanted line, m, and how far turned, rad."""

    along: float
    beside: float
    turned: float

    @classmethod
    def of(cls, scene: Scene, values: Mapping[str, float], rng: np.random.Generator) -> Begin:
        """A random start."""
        road = scene.road
        last = road.length if road.closed else max(road.length - AHEAD, BEHIND + 1)
        errors = np.clip(rng.standard_normal(2), -_MOST, _MOST)
        return cls(
            float(rng.uniform(0 if road.closed else BEHIND, last)),
            float(errors[0] * values["start.offset"] * road.lane_width),
            float(errors[1] * values["start.heading"]),
        )

    def place(self, scene: Scene) -> Array:
        """(3,) x, y, m, and heading, rad."""
        wanted = line_at(scene.road, scene.line, np.array([self.along]))
        place, heading, _ = scene.road.at(np.array([self.along]), wanted + self.beside)
        return np.array([*place[0], heading[0] + self.turned])


@dataclass(frozen=True, eq=False)
class Ride:
    """A car in a scene, at times `dt` s apart.

    Attributes:
        scene: the scene.
        places: (T, 3) x, y, m, and heading, rad, of the car.
        along: (T,) m, how far along the road it is.
        speeds: (T,) m/s.
        dt: s.
    """

    scene: Scene
    places: Array
    along: Array
    speeds: Array
    dt: float


def ride(scene: Scene, values: Mapping[str, float], begin: Begin, length: int, rate: float) -> Ride:
    """The ride of an expert at an even speed: `length` places, `rate` of them in a second."""
    state = np.zeros(len(STATE))
    state[:3], state[3] = begin.place(scene), values["car.speed"]
    states, along = [state.copy()], [begin.along]
    form = np.array([values[name] for name in FORM])
    lookahead = values["expert.lookahead"] * scene.road.lane_width
    for _ in range(length - 1):
        ahead = np.array([sight_along(scene.road, scene.line, along[-1], lookahead, float(state[3]))])
        steering = pursue(scene.road, state[None, :2], state[None, 2], ahead, scene.line,
                          values["car.wheelbase"], values["car.turn"])  # fmt: skip
        advance(state, form, steering[0], 0.0, 1.0, 1 / rate)
        states.append(state.copy())
        along.append(float(scene.road.locate(state[:2])[0]))
    seen = np.array(states)
    return Ride(scene, seen[:, :3], np.array(along), seen[:, 3], 1 / rate)
