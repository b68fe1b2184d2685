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

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.drive.channels import AT, BENDS
from simloop.worlds.drive.course import Course, Courses, course_of
from simloop.worlds.drive.parameters import OBSTACLES, ROAD, THINGS
from simloop.worlds.drive.road import Road
from simloop.worlds.drive.scene import AHEAD, BEHIND, make_scene
from simloop.worlds.drive.world import CAR, Drive
from simloop.worlds.environment import Environment

#: episodes in a row that drive on one road, and roads
SHARED, ROADS = 16, 64
#: what decides a scene
_OF_SCENE = (
    *(row.parameter.name for row in (*ROAD, *THINGS, *OBSTACLES)),
    "expert.offset",
    "traffic.speed",
    "pedestrians.speed",
)
#: roads that may be kept though nobody drives on them
_KEPT = 2 * ROADS
#: episodes whose starts are drawn at once
_BLOCK = 64
#: columns of values that a state has too
_LINE = [AT[name] for name in ("line.offset", "line.heading", *BENDS)]
#: lane widths and s, see `DriveEnvironment._starts`
_START, _REACT = 0.35, 1


class DriveEnvironment(Environment):
    """A batch of episodes of a task on roads. See `Environment`.

    Attributes:
        states: (n, 7) of the cars, see `vehicle.STATE`.
        forms: (n, 7) what their motion depends on, see `vehicle.FORM`.
    """

    world: Drive

    def _build(self) -> None:
        n, names = self.num_envs, ("start.offset", "start.heading", "car.speed", "road.lane_width")
        self.states, self.forms = np.zeros((n, CAR)), np.ones((n, CAR))
        self._which, self._places, self._cruise = np.zeros(n, dtype=np.int64), np.zeros(n), np.ones(n)
        self._shared = [self._space.index(name) for name in _OF_SCENE]
        self._now = np.zeros((n, sum(c.width for c in self.world.channels)))
        self._start_columns = [self._space.index(name) for name in names]
        self._speed = self._space.index("car.speed")

    def _begin_all(self, seed: int) -> None:
        super()._begin_all(seed)
        self._row_of = np.zeros((ROADS, len(self._shared)))  # of a road, parameters of the first episode on it
        self._known: set[int] = set()  # roads that they are known of
        self._blocks: dict[int, Array] = {}  # of episodes, what decides where they start
        self._roads: dict[bytes, tuple[Course, Road]] = {}  # lines and the roads that they lead along
        self._slots: dict[bytes, int] = {}  # where each stands in `_courses`
        self._key = [b""] * self.num_envs

    def _drawn(self, episodes: NDArray[np.int64]) -> Array:
        drawn, roads = super()._drawn(episodes), _road(episodes)
        for road in set(roads.tolist()) - self._known:
            self._row_of[road] = super()._drawn(np.array([road * SHARED]))[0, self._shared]
            self._known.add(road)
        drawn[:, self._shared] = self._row_of[roads]
        return drawn

    def _on(self, episodes: NDArray[np.int64], rows: Array) -> tuple[list[bytes], NDArray[np.int64]]:
        """What keys and which of `_courses` episodes (m,) under parameter rows (m, d) drive on, made where needed."""
        own = np.ascontiguousarray(rows[:, self._shared])
        numbers = _road(episodes).tolist()
        keys = [row.tobytes() + number.to_bytes(2, "little") for row, number in zip(own, numbers, strict=True)]
        new = {key: i for i, key in enumerate(keys) if key not in self._slots}
        for key, i in new.items():
            values = dict(zip(self.world.parameters.names, rows[i, : self._own].tolist(), strict=True))
            scene = make_scene(values, stream(self.seed, "drive", "scene", numbers[i]))
            self._roads[key] = course_of(scene.road, scene.line, scene.ice), scene.road
        if new:
            self._lay({*self._key, *keys})
        return keys, np.array([self._slots[key] for key in keys], dtype=np.int64)

    def _lay(self, driven: set[bytes]) -> None:
        """Put all lines where the loops find them; where there are many, forget those that are not `driven` on."""
        if len(self._roads) > _KEPT + len(driven):
            self._roads = {key: made for key, made in self._roads.items() if key in driven}
        self._slots = {key: j for j, key in enumerate(self._roads)}
        self._courses = Courses([course for course, _ in self._roads.values()])
        self._sizes = np.array([[r.length, r.closed, 1 / max(np.abs(r.curvature).max(), 1e-9)]
                                for _, r in self._roads.values()])  # fmt: skip
        self._which[:] = [self._slots.get(key, 0) for key in self._key]

    def _starts(self, episodes: NDArray[np.int64], rows: Array) -> tuple[Array, Array]:
        """Somewhere along the road, off the line and turned as `start.*` say, at the speed that is wanted there.

        Both errors are made smaller, by one factor, where the car would be more than `_START` off the line at once or
        after `_REACT` s straight on: nobody could keep such a lane. On an open road there is as much ahead as the
        episode may take, if it is so long.
        """
        keys, which = self._on(episodes, rows)
        length, closed, radius = self._sizes[which].T
        forms = self.world.forms(rows)
        tightest = forms[:, 0] / np.tan(forms[:, 2])
        if (tightest > radius).any():
            i = int(np.argmax(tightest / radius))
            self._roads[keys[i]][1].check(tightest=float(tightest[i]))
        offset, turned, speed, width = rows[:, self._start_columns].T
        chance, first, second = self._draws(episodes)
        last = np.maximum(length - AHEAD - self.task.seconds * speed, BEHIND)
        along = np.where(closed > 0, chance * length, BEHIND + chance * (last - BEHIND))
        errors = np.stack([first * offset, second * turned])
        soon = errors[0] + errors[1] * _REACT * speed / width
        errors *= np.minimum(1.0, _START / np.maximum(np.maximum(np.abs(errors[0]), np.abs(soon)), 1e-9))
        places = self._courses.begin(which, along)
        x, y, heading = self._courses.ahead(which, places, np.zeros(len(which))).T
        left = errors[0] * width
        state = np.zeros((len(which), CAR))
        state[:, :3] = np.stack([x - left * np.sin(heading), y + left * np.cos(heading), heading + errors[1]], axis=1)
        values = self._courses.measure(state, places, which, forms, np.ascontiguousarray(speed))
        state[:, 3] = values[:, AT["line.speed"]]
        whole = np.concatenate([state, values[:, _LINE]], axis=1)
        errors_of = self._start_spread or self._push_spread
        rngs = [stream(self.seed, "start", episode) for episode in episodes.tolist()] if errors_of else []
        return self._displaced(whole, rngs, rows)

    def _draws(self, episodes: NDArray[np.int64]) -> Array:
        """A uniform and two normal numbers (3, m) of each episode, drawn in blocks of their numbers."""
        for block in np.unique(episodes // _BLOCK).tolist():
            if block not in self._blocks:
                rng = stream(self.seed, "drive", "start", block)
                self._blocks[block] = np.concatenate([rng.random((1, _BLOCK)), rng.standard_normal((2, _BLOCK))])
        drawn = np.stack([self._blocks[e // _BLOCK][:, e % _BLOCK] for e in episodes.tolist()], axis=1)
        if len(self._blocks) > _KEPT:
            self._blocks.clear()
        return drawn

    def _put(self, ids: NDArray[np.int64], rows: Array, state: Array) -> Array:
        keys, which = self._on(self.episode[ids], rows)
        for i, key in zip(ids.tolist(), keys, strict=True):
            self._key[i] = key
        car, forms, speed = state[:, :CAR].copy(), self.world.forms(rows), rows[:, self._speed].copy()
        places = self._courses.find(which, car)
        self._which[ids], self._places[ids] = which, places
        self.states[ids], self.forms[ids], self._cruise[ids] = car, forms, speed
        values = self._courses.measure(car, places, which, forms, speed)
        self._now = self._now.copy()
        self._now[ids] = values
        return values

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
