"""World `crowd-nav` as a running batch: a robot on each circle, among people who cross it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd_nav.cases import STATE, place
from simloop.worlds.crowd_nav.channels import AT, CHANNELS, PEOPLE, PLACES, SPEEDS
from simloop.worlds.crowd_nav.motion import advance, robot_by_orca
from simloop.worlds.crowd_nav.world import CrowdNav
from simloop.worlds.environment import Environment

_ALL = PEOPLE + 1


class CrowdNavEnvironment(Environment):
    """A batch of episodes of a task among people. See `Environment`; a state is as `cases.STATE` says.

    Attributes:
        states: (n, S) of robots and people.
        forms: (n, 5) what people's motion depends on, see `motion.advance`.
    """

    world: CrowdNav

    def _build(self) -> None:
        n = self.num_envs
        self.states, self.forms, self._gaps = np.zeros((n, STATE)), np.ones((n, 5)), np.full(n, np.inf)
        self._speed = np.ones(n)

    def _starts(self, episodes: NDArray[np.int64], rows: Array) -> tuple[Array, Array]:
        """People around the circle."""
        columns = [self._space.index(n) for n in ("circle.radius", "people.radius", "robot.radius", "people.speed")]
        states = np.array([
            place(stream(self.seed, "start", episode).random, circle=circle, radius=radius, robot=robot, speed=speed)
            for episode, (circle, radius, robot, speed) in zip(episodes.tolist(), rows[:, columns], strict=True)
        ])  # fmt: skip
        return states, np.zeros((len(episodes), 2))

    def _put(self, ids: NDArray[np.int64], rows: Array, state: Array) -> Array:
        self.states[ids], self.forms[ids] = state, self.world.forms(rows)
        self._speed[ids] = rows[:, self._space.index("robot.speed")]
        self._gaps[ids] = _gaps(state, self.forms[ids])
        return self._read_values()[ids]

    def _simulate(self, control: Array) -> None:
        told = control[:, -1] * self._speed[:, None]
        size = np.linalg.norm(told, axis=1, keepdims=True)
        told = told * np.minimum(1.0, self._speed[:, None] / np.maximum(size, 1e-9))
        advance(self.states, told, self.forms, self.world.control_dt, self._gaps)

    def _read_values(self) -> Array:
        out = np.empty((self.num_envs, len(CHANNELS)))
        of, speeds, goals = self.states[:, : 2 * _ALL], self.states[:, 2 * _ALL : 4 * _ALL], self.states[:, 4 * _ALL :]
        out[:, :2], out[:, 2:4], out[:, AT["gap"]] = of[:, :2], goals[:, :2], self._gaps
        out[:, PLACES], out[:, SPEEDS] = of[:, 2:], speeds[:, 2:]
        at = AT["x.velocity"]
        out[:, at : at + 2] = speeds[:, :2]
        return out

    def by_orca(self) -> Array:
        """(n, 2) what ORCA would tell the robots, as decisions."""
        out = np.empty((self.num_envs, 2))
        robot_by_orca(self.states, self.forms, self._speed, self.world.control_dt, out)
        return out / self._speed[:, None]


def _gaps(states: Array, forms: Array) -> Array:
    """(m,) m, between robots and the nearest person."""
    places = states[:, : 2 * _ALL].reshape(-1, _ALL, 2)
    apart = np.linalg.norm(places[:, 1:] - places[:, :1], axis=2).min(axis=1)
    return np.asarray(apart - forms[:, 2] - forms[:, 4])


def orca_robot(environment: Environment) -> Array:
    """ORCA at the robot's wheel: an `Expert`."""
    assert isinstance(environment, CrowdNavEnvironment)
    return environment.by_orca()
