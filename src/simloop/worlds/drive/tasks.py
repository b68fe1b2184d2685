"""Task `lane` of world `drive`: keep the lane, as fast as the road allows.

    get_world("drive").make(256, task="lane", randomization="wide")

A policy sees where the car is beside the line that is wanted and how far it is turned from it, its speeds, how its
wheels are turned, how fast an expert would be here, and the line's bends ahead. The reward of a decision is 1 on the
line at that speed, and less the farther off, the slower or faster, and the more sideways jerk; it is never below zero.
An episode ends where the car is half a lane off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.drive.channels import AT, BENDS, CHANNELS
from simloop.worlds.task import Task

_BENDS = [AT[name] for name in BENDS]


@dataclass(frozen=True, kw_only=True)
class Lane(Task):
    """Follow a line along a road at the speed that it allows.

    Attributes:
        off: lane widths off the line at which an episode ends.
        near: lane widths off the line that are good.
        pace: part of the wanted speed that is good, and as much more.
        jerk: rad/s, of the yaw rate in a decision, that halves its reward.
    """

    off: float = 0.5
    near: float = 0.25
    pace: float = 0.7
    jerk: float = 1.0

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """At rest on the line; a running batch starts where the parameters `start.*` say, and rolling."""
        width = sum(c.width for c in CHANNELS if not c.rate_of)
        return np.zeros(width), np.zeros(width)

    def observe(self, seen: Array) -> Array:
        forward, sideways = _speeds(seen)
        return np.column_stack([
            seen[:, AT["line.offset"]], seen[:, AT["line.heading"]], forward / 5, sideways,
            seen[:, AT["yaw.velocity"]], seen[:, AT["wheel"]], seen[:, AT["line.speed"]] / 5,
            5 * seen[:, _BENDS],
        ])  # fmt: skip

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        aside = np.minimum(np.abs(values[:, AT["line.offset"]]) / self.off, 1.0)
        turn = values[:, AT["yaw.velocity"]] - before[:, AT["yaw.velocity"]]
        return np.asarray(_pace(values) * (1 - aside**2) / (1 + (turn / self.jerk) ** 2))

    def good(self, values: Array) -> NDArray[np.bool_]:
        near = np.abs(values[:, AT["line.offset"]]) < self.near
        return np.asarray(near & (_pace(values) > self.pace))

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        return np.asarray(np.abs(values[:, AT["line.offset"]]) > self.off)


def _speeds(values: Array) -> tuple[Array, Array]:
    """(n,) m/s forward and to the left, in the car's axes."""
    c, s = np.cos(values[:, AT["yaw"]]), np.sin(values[:, AT["yaw"]])
    x, y = values[:, AT["x.velocity"]], values[:, AT["y.velocity"]]
    return x * c + y * s, y * c - x * s


def _pace(values: Array) -> Array:
    """(n,) 1 at the wanted speed along the line, 0 at rest and at twice as much."""
    along = _speeds(values)[0] * np.cos(values[:, AT["line.heading"]])
    wanted = np.maximum(values[:, AT["line.speed"]], 0.1)
    return np.asarray(np.clip(1 - np.abs(along / wanted - 1), 0, 1))


def drive_tasks() -> Mapping[str, Task]:
    """`lane`."""
    lane = Lane(
        name="lane",
        summary="keep the lane, as fast as the road allows",
        seconds=20.0,
        decision_dt=0.05,
        low=(-1.0, -1.0),
        high=(1.0, 1.0),
        observed=("line.offset", "line.heading", "line.speed", *BENDS, "yaw", "wheel", "x.velocity", "y.velocity",
                  "yaw.velocity"),
        hold=5.0,
        training={"ppo": {"steps": 1_500_000}, "dagger": {"steps": 100_000}},
    )  # fmt: skip
    return {lane.name: lane}
