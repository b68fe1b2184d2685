"""One episode on a live target, decision by decision: what rollouts are made of, and batches of copies.

    episode = RunningEpisode(target, number=3, seed=0)
    while not episode.over:
        reward = episode.take(action)
    episode.recorded()

Episode e under a seed starts, and senses, the same whatever was done before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simloop.parameters import Array
from simloop.randomness import stream

if TYPE_CHECKING:
    from simloop.targets.live import LiveTarget


@dataclass(frozen=True, eq=False)
class Episode:
    """What was recorded of one episode: (T,) s, (T, D) sensed, (T, A) held from this row on, and how it went."""

    time: Array
    values: Array
    actions: Array
    total: float
    success: bool
    seconds: float


class RunningEpisode:
    """An episode that has begun.

    Args:
        target: what is acted on; one episode at a time.
        number, seed: what decides where it starts and all that is random in it.

    Attributes:
        total: sum of the rewards so far.
        terminated: whether the task or the machine ended it before its time.
    """

    def __init__(self, target: LiveTarget, number: int, seed: int) -> None:
        self._target = target
        sensed, _ = target.begin(stream(seed, "live episode", target.task.name, number))
        self._rows: list[Array] = [sensed]
        self._actions: list[Array] = []
        self._before = target.judged(sensed[-1])
        self._good = 0
        self.total, self.terminated = 0.0, False

    @property
    def observation(self) -> Any:
        """What a policy sees, (1, O), float32."""
        seen = self._target.seen(self._rows[-1][-1])
        return np.asarray(self._target.task.observe(seen), dtype=np.float32)

    @property
    def decisions(self) -> int:
        """How many decisions were taken."""
        return len(self._actions)

    @property
    def when(self) -> str:
        """Where the episode is, for errors."""
        return f"at decision {self.decisions} ({self.decisions * self._target.task.decision_dt:.3g} s)"

    @property
    def over(self) -> bool:
        """Whether nothing more can be done in it."""
        return self.terminated or self.decisions >= self._target.task.steps

    @property
    def success(self) -> bool:
        """Whether the task would be done if it ended now."""
        return self._good >= self._target.task.hold_steps

    def take(self, action: Array) -> float:
        """Hold an action (A,) inside the task's limits for one decision; return its reward."""
        target, task = self._target, self._target.task
        self._rows.append(target.act(action, self.when))
        self._actions.append(np.repeat(action[None], len(self._rows[-1]), axis=0))
        values = target.judged(self._rows[-1][-1])
        reward = float(task.reward(self._before, values, action[None])[0])
        self.total += reward
        self._good = self._good + 1 if bool(task.good(values)[0]) else 0
        self.terminated = target.machine.over or bool(task.terminated(values)[0])
        self._before = values
        return reward

    def recorded(self) -> Episode:
        """What was recorded so far; at least one decision must have been taken."""
        table = np.concatenate(self._rows)
        actions = np.concatenate([*self._actions, self._actions[-1][-1:]])
        time: Array = np.arange(len(table), dtype=np.float64) * self._target.machine.dt
        return Episode(time, table, actions, self.total, self.success, float(time[-1]))
