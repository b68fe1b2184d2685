"""World `drive` as a running batch: cars that follow their lines along random roads, without anything in their way.

    envs = get_world("drive").make(256, task="lane", randomization="wide", seed=7)

What an episode drives in, its road and the things beside it, is shared: `SHARED` episodes in a row drive on one road,
and after `ROADS` roads they drive on the first one again, from other places, in other cars. Then the parameters of the
road and of its things are the same for these episodes, and stand so in `infos["parameters"]`. Where rows are given
(`options["parameters"]`), each has the road that it says. Things and other cars are not run into: they are for cameras.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.drive.channels import AT
from simloop.worlds.drive.course import Course, Courses, course_of
from simloop.worlds.drive.parameters import ROAD, THINGS
from simloop.worlds.drive.scene import AHEAD, BEHIND, Scene, make_scene
from simloop.worlds.drive.world import CAR, Drive
from simloop.worlds.environment import Autoreset, Environment
from simloop.worlds.task import Task

#: episodes in a row that drive on one road, and roads
SHARED, ROADS = 16, 64
#: what decides a scene
_OF_SCENE = (*(row.parameter.name for row in (*ROAD, *THINGS)), "expert.offset", "traffic.speed", "pedestrians.speed")
#: roads that are kept while nobody drives on them
_KEPT = 2 * ROADS
#: lane widths and s, see `DriveEnvironment._start`
_START, _REACT = 0.35, 1


class DriveEnvironment(Environment):
    """A batch of episodes of a task on roads. See `Environment`.

    Attributes:
        states: (n, 7) of the cars, see `vehicle.STATE`.
        forms: (n, 7) what their motion depends on, see `vehicle.FORM`.
    """

    world: Drive

    def __init__(
        self,
        world: Drive,
        task: Task,
        num_envs: int,
        *,
        randomization: Distribution | None = None,
        seed: int = 0,
        autoreset: Autoreset = "same-step",
    ) -> None:
        super().__init__(
            world, task, num_envs, effects=world.channel, randomization=randomization, seed=seed, autoreset=autoreset
        )

    def _build(self) -> None:
        n = self.num_envs
        self.states, self.forms = np.zeros((n, CAR)), np.ones((n, CAR))
        self._which, self._places, self._cruise = np.zeros(n, dtype=np.int64), np.zeros(n), np.ones(n)
        self._shared = [self._space.index(name) for name in _OF_SCENE]
        self._now = np.zeros((n, sum(c.width for c in self.world.channels)))
        self._at = {name: self._space.index(name) for name in ("start.offset", "start.heading", "car.speed")}

    def _begin_all(self, seed: int) -> None:
        super()._begin_all(seed)
        self._row_of: dict[int, Array] = {}  # of a road, the parameters of the first episode on it
        self._scenes: dict[bytes, tuple[Scene, Course]] = {}
        self._slots: dict[bytes, int] = {}
        self._key = [b""] * self.num_envs

    def _drawn(self, episodes: NDArray[np.int64]) -> Array:
        drawn, roads = super()._drawn(episodes), _road(episodes)
        for road in np.unique(roads).tolist():
            if road not in self._row_of:
                self._row_of[road] = super()._drawn(np.array([road * SHARED]))[0]
            drawn[np.ix_(roads == road, self._shared)] = self._row_of[road][self._shared]
        return drawn

    def _scene_of(self, episode: int, row: Array) -> bytes:
        """The key of the scene that an episode under a row (d,) drives in; it is made if it is not there."""
        road = int(_road(np.array([episode]))[0])
        key = row[self._shared].tobytes() + road.to_bytes(4, "little")
        if key not in self._scenes:
            values = dict(zip(self.world.parameters.names, row[: self._own].tolist(), strict=True))
            scene = make_scene(values, stream(self.seed, "drive", "scene", road))
            self._scenes[key] = scene, course_of(scene.road, scene.line, scene.ice)
        return key

    def _start(self, rng: np.random.Generator, episode: int, row: Array) -> tuple[Array, Array]:
        """Somewhere along the road, off the line and turned as `start.*` say, at the speed that is wanted there.

        Both errors are made smaller, by one factor, where the car would be more than `_START` off the line at once or
        after `_REACT` s straight on: nobody could keep such a lane.
        """
        scene, course = self._scenes[self._scene_of(episode, row)]
        road, (offset, turned, speed) = scene.road, (row[j] for j in self._at.values())
        drives = AHEAD + self.task.seconds * speed
        along = rng.uniform(0, road.length) if road.closed else rng.uniform(BEHIND, max(road.length - drives, BEHIND))
        errors = rng.standard_normal(2) * [offset, turned]
        soon = errors[0] + errors[1] * _REACT * speed / road.lane_width
        errors *= min(1.0, _START / max(abs(errors[0]), abs(soon), 1e-9))
        lines, which = Courses([course]), np.zeros(1, dtype=np.int64)
        x, y, heading = lines.ahead(which, lines.begin(which, np.zeros(1)), np.array([along]))[0]
        left = errors[0] * road.lane_width
        place = np.array([[x - left * np.sin(heading), y + left * np.cos(heading), heading, 0, 0, 0, 0]])
        place[0, 2] += errors[1]
        form = self.world.forms(row[None])
        values = lines.measure(place, lines.begin(which, np.array([along])), which, form, np.array([speed]))[0]
        u, heading = values[AT["line.speed"]], place[0, 2]
        width = sum(c.width for c in self.world.measured)
        rates = np.zeros(width)
        rates[:2] = u * np.cos(heading), u * np.sin(heading)
        return values[:width], rates

    def _put(self, ids: NDArray[np.int64], rows: Array, state: Array) -> Array:
        keys = [self._scene_of(episode, row) for episode, row in zip(self.episode[ids].tolist(), rows, strict=True)]
        for i, key in zip(ids.tolist(), keys, strict=True):
            self._key[i] = key
        if any(key not in self._slots for key in keys):
            self._lay()
        self._which[ids] = [self._slots[key] for key in keys]
        self.states[ids], self.forms[ids] = state[:, :CAR], self.world.forms(rows)
        self._cruise[ids] = rows[:, self._at["car.speed"]]
        for i, key in zip(ids.tolist(), keys, strict=True):
            along, _ = self._scenes[key][0].road.locate(self.states[i, :2])
            self._places[i] = along / self._scenes[key][1].step
        self._now = self._courses.measure(self.states, self._places, self._which, self.forms, self._cruise)
        return self._now[ids]

    def _lay(self) -> None:
        """Put the lines of all scenes that are known where the loops find them; forget those that nobody drives on."""
        if len(self._scenes) > _KEPT + len(set(self._key)):
            self._scenes = {key: made for key, made in self._scenes.items() if key in self._key}
        self._slots = {key: j for j, key in enumerate(self._scenes)}
        self._courses = Courses([course for _, course in self._scenes.values()])
        self._which[:] = [self._slots.get(key, 0) for key in self._key]

    def _simulate(self, control: Array) -> None:
        self._now = self._courses.drive(
            self.states, self._places, self._which, self.forms, self._cruise, control, self.world.control_dt,
            steps=self._decision, every=self._decision,
        )[:, 0]  # fmt: skip

    def _read_values(self) -> Array:
        return self._now.copy()

    def ahead(self, far: Array) -> Array:
        """x, y, m, and heading, rad, (n, 3) of the lines `far` (n,) m ahead of the cars."""
        return self._courses.ahead(self._which, self._places, far)


def _road(episodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which road each episode is driven on."""
    return episodes // SHARED % ROADS
