"""What is to be done in a world: where an episode starts, what a policy sees, what is rewarded, what is a success.

    class Hang(Task):
        def start(self, rng): return rng.normal(0, 0.1, 2), np.zeros(2)
        def observe(self, seen): return seen
        def reward(self, before, values, action): return -np.abs(values[:, 0])
        def good(self, values): return np.abs(values[:, 0]) < 0.1

Every function is an array function over a batch of channel values (n, D), in the order of the world's channels, so a
task is the same on a batch of simulations, in another engine and on a live machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What is to be done in a world. Subclasses implement `start`, `observe`, `reward` and `good`.

    Attributes:
        name, summary: what it is called and is.
        seconds: s, the longest episode; one that lasts so long is truncated.
        decision_dt: s between two decisions, a whole number of the world's control steps; an action is held in between.
        low, high: (A,) limits of the actions in their own units; an action whose limits are equal is not the policy's.
        observed: the channels that `observe` reads: what the real machine senses.
        rest: (A,) what is commanded before an episode's first decision; empty: zeros.
        hold: s, an episode is a success if `good` held throughout its last `hold` seconds; 0: at its last step.
        sensing: by name of a sensing parameter (`noise.joint1`, `lag.joint1`), the (least, largest) value to train with
            where a randomisation by hand says nothing about it.
        training: by name of a learner, what it is trained with here where nobody says otherwise: its options, and
            `steps`, how many decisions.
    """

    name: str
    summary: str
    seconds: float
    decision_dt: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    observed: tuple[str, ...]
    rest: tuple[float, ...] = ()
    hold: float = 0.0
    sensing: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @abstractmethod
    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw where one episode starts: the measured channels (D,) and their rates (D',)."""

    @abstractmethod
    def observe(self, seen: Array) -> Array:
        """Return what the policy sees, (n, O), of the channels as sensed, (n, D); only `observed` ones are read."""

    @abstractmethod
    def reward(self, before: Array, values: Array, action: Array) -> Array:
        """Return the rewards (n,) of decisions `action` (n, A) that led from `before` (n, D) to `values` (n, D)."""

    @abstractmethod
    def good(self, values: Array) -> NDArray[np.bool_]:
        """Return where channel values (n, D) are as they should be in the end, (n,)."""

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        """Return where an episode is over before its time, (n,): by default nowhere."""
        return np.zeros(len(values), dtype=bool)

    @property
    def seen(self) -> int | None:
        """How many numbers a policy sees, where that is not what `observe` makes of channels."""
        return None

    @property
    def steps(self) -> int:
        """The most decisions in an episode."""
        return round(self.seconds / self.decision_dt)

    @property
    def hold_steps(self) -> int:
        """After how many decisions in a row an episode that ends there is a success."""
        return max(1, round(self.hold / self.decision_dt))

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which of the world's actions are the policy's, (A,)."""
        return np.array(self.low) < np.array(self.high)


def describe_task(task: Task) -> dict[str, Any]:
    """A task as a run's configuration keeps it."""
    record = {f.name: getattr(task, f.name) for f in fields(task)}
    return {**{k: v for k, v in record.items() if isinstance(v, str | int | float | tuple | bool | None)},
            "kind": type(task).__name__}  # fmt: skip
