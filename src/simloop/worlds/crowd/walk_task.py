"""Task `walk` of world `crowd`: everybody goes to an own goal by the same policy.

The reward is that of Lee, Won, Lee (MIG 2018): progress, collisions, smooth speed, smooth turning. What a person
perceives is in `sight.py`. `walk` is learned in several scenarios by turns; each scenario is also a task of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.scenarios import SCENARIOS
from simloop.worlds.crowd.sight import WIDTH
from simloop.worlds.task import Task

#: what `walk` is learned in: circles of all sizes up to a batch's people, streams that meet, open places, doors;
#: crossings, bottlenecks and larger circles are left for tests
LEARNED_IN = ("circle", "two-way", "plaza", "t-junction", "room")
_TRAINING: dict[str, Any] = {
    "steps": 8_000_000, "envs": 480, "chunk": 640, "horizon": 32, "batch": 4096, "epochs": 5, "discount": 0.99,
    "learning_rate": 7e-4, "last_rate": 0.02, "hidden": (256, 256),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Walk(Task):
    """Walk to a goal.

    Attributes:
        scenarios: by turns.
        progress: reward of a metre towards the next place.
        contact: taken off for each step in which the body touches another or a wall.
        close: taken off for a gap of nothing, in proportion less up to `room` m.
        room: m.
        haste: taken off for each m/s above the liked speed.
        turn: taken off for each rad that the body turns.
        there: reward of the goal.
    """

    scenarios: tuple[str, ...] = LEARNED_IN
    progress: float = 1.0
    contact: float = 2.0
    close: float = 1.0
    room: float = 0.25
    haste: float = 0.1
    turn: float = 0.1
    there: float = 5.0

    @property
    def seen(self) -> int:
        return WIDTH

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        raise self._of_scenes()

    def observe(self, seen: Array) -> Array:
        raise self._of_scenes()

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        raise self._of_scenes()

    def good(self, values: Array) -> NDArray[np.bool_]:
        raise self._of_scenes()

    def _of_scenes(self) -> InputError:
        return InputError(
            f"task {self.name!r} is of people among others: World.make says what each perceives and gains"
        )


def walk_tasks(dt: float) -> Mapping[str, Walk]:
    """`walk`, and one task for each scenario."""

    def task(name: str, summary: str, scenarios: tuple[str, ...]) -> Walk:
        return Walk(
            name=name, summary=summary, seconds=60.0, decision_dt=dt, low=(-1.0, -1.0), high=(1.0, 1.0), observed=(),
            scenarios=scenarios, training={"ppo": _TRAINING},
        )  # fmt: skip

    own = {name: task(name, f"go to one's goal in scenario {name}", (name,)) for name in SCENARIOS}
    return {"walk": task("walk", "go to one's goal among others, in several scenarios", LEARNED_IN), **own}
