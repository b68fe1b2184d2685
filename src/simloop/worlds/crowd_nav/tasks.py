"""Task `reach` of world `crowd-nav`: reach the goal without touching anybody.

A policy sees all in axes that point from the robot to its goal: how far that is, its velocity, and of each person,
nearest first, place, velocity, distance, and when and how near both would come if nobody changed course. The reward is
CrowdNav's in kind (1 for the goal, less for a collision and for coming near), and progress towards the goal; what is
taken off is more than there, as a policy that gains by progress does not mind little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd_nav.channels import AT, CHANNELS, PEOPLE, PLACES, SPEEDS
from simloop.worlds.task import Task

_ME, _GOAL, _MOVE = ([AT[n] for n in names] for names in (("x", "y"), ("goal.x", "goal.y"),
                                                          ("x.velocity", "y.velocity")))  # fmt: skip
#: s, how far ahead the nearest approach is told
_SOON = 5.0


@dataclass(frozen=True, kw_only=True)
class Reach(Task):
    """Go to the goal among people.

    Attributes:
        near: m, how near the goal counts as reached.
        discomfort: m, a gap that is too small; CrowdNav's is 0.2.
        nearness: taken off for each second and metre by which a gap is smaller than that; CrowdNav's is 0.5.
        progress: reward of a metre towards the goal.
        crash: taken off for a collision; CrowdNav's is 0.25, which a policy that gains by progress does not mind.
    """

    near: float = 0.3
    discomfort: float = 0.3
    nearness: float = 2.0
    progress: float = 0.2
    crash: float = 4.0

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """In the middle, alone; running batches place people themselves."""
        return np.zeros(sum(not c.rate_of for c in CHANNELS)), np.zeros(sum(bool(c.rate_of) for c in CHANNELS))

    def observe(self, seen: Array) -> Array:
        n = len(seen)
        to = seen[:, _GOAL] - seen[:, _ME]
        far = np.maximum(np.linalg.norm(to, axis=1), 1e-6)
        axes = to / far[:, None]
        places = _turned(seen[:, PLACES].reshape(n, PEOPLE, 2) - seen[:, None, _ME], axes)
        own = _turned(seen[:, None, _MOVE], axes)
        speeds = _turned(seen[:, SPEEDS].reshape(n, PEOPLE, 2), axes)
        relative = speeds - own
        apart = np.linalg.norm(places, axis=2)
        square = np.maximum((relative**2).sum(axis=2), 1e-6)
        soon = np.clip(-(places * relative).sum(axis=2) / square, 0, _SOON)
        least = np.linalg.norm(places + soon[:, :, None] * relative, axis=2)
        of = np.concatenate([places / 2, speeds, (apart / 2)[:, :, None], (soon / _SOON)[:, :, None],
                             np.minimum(least, 3.0)[:, :, None]], axis=2)  # fmt: skip
        order = np.argsort(apart, axis=1, kind="stable")
        nearest_first = np.take_along_axis(of, order[:, :, None], axis=1).reshape(n, -1)
        return np.concatenate([np.minimum(far, 8.0)[:, None] / 4, own[:, 0], nearest_first], axis=1)

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        was, now = self._far(before), self._far(values)
        gap = values[:, AT["gap"]]
        out = self.progress * (was - now)
        out = out - np.where(gap < self.discomfort, self.nearness * self.decision_dt * (self.discomfort - gap), 0.0)
        reached = now < self.near
        return np.asarray(np.where(gap < 0, -self.crash, np.where(reached, out + 1.0, out)))

    def good(self, values: Array) -> NDArray[np.bool_]:
        return np.asarray((self._far(values) < self.near) & (values[:, AT["gap"]] >= 0))

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        return np.asarray((values[:, AT["gap"]] < 0) | (self._far(values) < self.near))

    def _far(self, values: Array) -> Array:
        return np.asarray(np.linalg.norm(values[:, _GOAL] - values[:, _ME], axis=1))


def _turned(vectors: Array, axes: Array) -> Array:
    """Vectors (n, k, 2) in axes whose first is (n, 2)."""
    ahead = vectors[:, :, 0] * axes[:, None, 0] + vectors[:, :, 1] * axes[:, None, 1]
    left = vectors[:, :, 1] * axes[:, None, 0] - vectors[:, :, 0] * axes[:, None, 1]
    return np.stack([ahead, left], axis=2)


def tasks(dt: float) -> Mapping[str, Task]:
    """`reach`."""
    reach = Reach(
        name="reach",
        summary="reach the goal without touching anybody",
        seconds=24.0,  # CrowdNav's limit of 25 s ends an episode after the step that begins at 24 s
        decision_dt=dt,
        low=(-1.0, -1.0),
        high=(1.0, 1.0),
        observed=tuple(c.name for c in CHANNELS if c.name != "gap"),
        training={"ppo": {"steps": 8_000_000, "envs": 256, "horizon": 64, "batch": 4096, "epochs": 5, "discount": 0.99,
                          "learning_rate": 7e-4, "last_rate": 0.02, "hidden": (256, 256)}},
    )  # fmt: skip
    return {reach.name: reach}
