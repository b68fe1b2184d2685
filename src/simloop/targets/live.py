"""Reality that can be acted on: a machine, a task on it, and what a policy did there.

    target = live_target("standin:double-pendulum#7", world, "swing-up")
    rollouts = target.rollout(policy, 20, seed=0)         # 20 episodes, one after the other
    rollouts.success.mean(), rollouts.seconds.sum()       # how it went, how long it took on the machine
    target.close()                                        # or: with live_target(...) as target
    Comparison(world, rollouts.as_target())               # and every adaptation works on what was recorded

Episode e under a seed starts, and senses, the same whatever was done before it. A machine that fails in the middle of
an episode costs that episode alone: the error keeps those that were whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.targets.answer import Line
from simloop.targets.episode import Episode, RunningEpisode
from simloop.targets.rollouts import BrokenRolloutError, LiveProvenance, Rollouts
from simloop.trajectories import Channel, TrajectorySet, columns
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: a policy: observations (n, O) -> the task's active actions (n, active); one with a memory has `begin(places (n,))`
Policy = Callable[[Any], Any]
#: no measured or commanded quantity is that large
_ABSURD = 1e6


class Machine(ABC):
    """A live machine, one at a time. Subclasses set the attributes and implement `reset` and `step`.

    Attributes:
        channels: what it senses, D columns; names, units and kinds are those of the world's channels.
        recorded: the names of those that recordings keep; rates that are noisier than an estimate are left out.
        actions: what it is commanded.
        dt: s between two of its samples.
        provenance: what kind of reality it is.
        timeout: s, the longest that it may take for an answer; None: it is never silent, and is called directly.
        over: whether it ended the episode itself.
    """

    channels: tuple[Channel, ...]
    recorded: tuple[str, ...]
    actions: tuple[Channel, ...]
    dt: float
    provenance: LiveProvenance
    timeout: float | None = None
    over: bool = False

    @abstractmethod
    def reset(self, positions: Array, rates: Array, rest: Array, rng: np.random.Generator) -> Array:
        """Begin an episode near a start; return what is sensed there, (D,).

        Args:
            positions: (M,) of the world's measured channels.
            rates: (M',) of the same.
            rest: (A,) what is commanded before the first step.
            rng: of all that is random in this episode.
        """

    @abstractmethod
    def step(self, action: Array, samples: int) -> Array:
        """Hold a command (A,) for `samples` samples; return what is sensed after each, (samples, D).

        Fewer where the machine ended the episode (`over`).
        """

    def judged(self) -> Array | None:
        """All channels of the world as an outside observer sees them, for the score alone; None: what is sensed."""
        return None

    def starts_near(self) -> bool:
        """Whether `reset` goes where it is told; a machine that chooses its own starts says no."""
        return True

    def reveal(self) -> Mapping[str, float]:
        """What the machine hides, by name, to be shown after a run."""
        raise InputError("this machine hides nothing that could be shown")

    def close(self) -> None:  # noqa: B027 - most machines have nothing to give back
        """Give back what the machine holds."""


@dataclass(eq=False)
class LiveTarget:
    """A machine to act on, and what is to be done there.

    Attributes:
        name: what reports call it.
        world: whose channels and actions the machine has.
        machine: what is acted on; nothing that this object returns leads back to it.
        task: what is to be done.
        description: one line for reports.
    """

    name: str
    world: World
    machine: Machine
    task: Task
    description: str
    _line: Line = field(init=False, repr=False)
    _checked: bool = field(init=False, default=False, repr=False)

    def __post_init__(self) -> None:
        _check_fit(self)
        self._line = Line(self.name, self.machine.timeout)

    @property
    def provenance(self) -> LiveProvenance:
        return self.machine.provenance

    @property
    def samples(self) -> int:
        """Samples of the machine in a decision."""
        return round(self.task.decision_dt / self.machine.dt)

    def rollout(self, policy: Policy, n: int, *, seed: int, first: int = 0) -> Rollouts:
        """Act for `n` episodes; the first time, after a dry run (`check_live`).

        Args:
            policy: observation (1, O) -> active actions (1, active), clipped to the task's limits.
            n: how many episodes.
            seed: of where they start and of all that is random in the machine.
            first: number of the first episode; further numbers give further, independent episodes.

        Raises:
            BrokenRolloutError: the machine or the policy failed; `whole` holds the episodes before.
        """
        if n < 1:
            raise InputError(f"{self.name}: expected at least 1 episode, got {n}")
        if not self._checked:
            from simloop.targets.live_check import check_live

            check_live(self)
            self._checked = True
        done: list[Episode] = []
        for number in range(first, first + n):
            try:
                done.append(self._episode(policy, number, seed))
            except InputError as error:
                raise BrokenRolloutError(
                    f"{self.name}: episode {number}: {error}; {len(done)} whole episodes before it are kept",
                    self._rollouts(done, seed, first) if done else None,
                ) from None
        return self._rollouts(done, seed, first)

    def reveal(self) -> Mapping[str, float]:
        """What a stand-in hides, by name; to be shown after a run, never to be fitted to."""
        return self.machine.reveal()

    def close(self) -> None:
        """Give the machine back."""
        self._line.tell(self.machine.close)

    def __enter__(self) -> LiveTarget:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, rng: np.random.Generator) -> tuple[Array, tuple[Array, Array]]:
        """Begin an episode: what is sensed (1, D), and the start that was asked for."""
        start = self.task.start(rng)
        positions, rates = (np.asarray(x, dtype=float) for x in start)
        sensed = self._line.ask("reset", lambda: self.machine.reset(positions, rates, self.rest, rng))
        return self.sound(sensed, 1, "after reset"), (positions, rates)

    def act(self, action: Array, when: str) -> Array:
        """Hold an action (A,) for one decision; what is sensed, (samples, D), or less of an episode that ended."""
        sensed = self._line.ask(when, lambda: self.machine.step(action, self.samples))
        return self.sound(sensed, None if self.machine.over else self.samples, when)

    @property
    def rest(self) -> Array:
        """What is commanded before an episode, (A,)."""
        return np.array(self.task.rest or np.zeros(len(self.world.actions)), dtype=float)

    def sound(self, sensed: Any, rows: int | None, when: str) -> Array:
        """Return what a machine answered as (rows, D), or raise if it cannot be what it measures."""
        width = sum(c.width for c in self.machine.channels)
        try:
            x = np.array(sensed, dtype=float)
        except (TypeError, ValueError):
            raise InputError(f"{when} the machine answered {type(sensed).__name__}, not numbers") from None
        if rows == 1 and x.ndim == 1:
            x = x[None]
        if x.ndim != 2 or x.shape[1] != width or not len(x) or (rows is not None and len(x) != rows):
            names = ", ".join(c.name for c in self.machine.channels)
            expected = f"({'at least 1' if rows is None else rows}, {width})"
            raise InputError(f"{when} the machine answered shape {x.shape}, expected {expected}: {names}")
        bad = ~np.isfinite(x) | (np.abs(x) > _ABSURD)
        if bad.any():
            i, j = np.argwhere(bad)[0]
            where = [c.name for c in self.machine.channels for _ in range(c.width)][j]
            raise InputError(f"{when} the machine answered {x[i, j]:g} for {where!r}, expected a finite measured value")
        return x

    def seen(self, sensed: Array) -> Array:
        """One sample (D,) among all of the world's channels, (1, world's D): NaN where the machine senses nothing."""
        out = np.full((1, sum(c.width for c in self.world.channels)), np.nan)
        out[0, self._where] = sensed
        return out

    @property
    def _where(self) -> list[int]:
        """The column of the world's channels that each sensed column is."""
        at = {c.name: s for c, s in zip(self.world.channels, columns(self.world.channels), strict=True)}
        return [j for c in self.machine.channels for j in range(at[c.name].start, at[c.name].stop)]

    def judged(self, sensed: Array) -> Array:
        """The channels that the score is of, (1, world's D), where (D,) was sensed."""
        judged = self._line.ask("judging", self.machine.judged)
        return self.seen(sensed) if judged is None else np.asarray(judged, dtype=float)[None]

    def commanded(self, answer: Array) -> Array:
        """A policy's action (active,) as one of the world's (A,), inside the task's limits."""
        active = self.task.active
        action = np.array(self.task.low, dtype=float)
        action[active] = np.clip(answer, action[active], np.array(self.task.high)[active])
        return action

    def _episode(self, policy: Policy, number: int, seed: int) -> Episode:
        episode = RunningEpisode(self, number, seed)
        if hasattr(policy, "begin"):
            policy.begin(np.ones(1, dtype=bool))
        while not episode.over:
            episode.take(self._decided(policy, episode.observation, episode.when))
        return episode.recorded()

    def _decided(self, policy: Policy, observation: Any, when: str) -> Array:
        """Ask the policy: an action (A,) inside the task's limits, or raise if it answers anything else."""
        try:
            answer = np.asarray(policy(observation), dtype=float)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{when} the policy raised {type(error).__name__}: {error}") from error
        active = int(self.task.active.sum())
        if answer.shape != (1, active):
            raise InputError(
                f"{when} the policy answered shape {answer.shape}, expected (1, {active}) for observations of shape"
                f" {observation.shape}"
            )
        if not np.isfinite(answer).all():
            raise InputError(f"{when} the policy answered {answer[0]}, expected finite actions")
        return self.commanded(answer[0])

    def _rollouts(self, episodes: list[Episode], seed: int, first: int) -> Rollouts:
        lengths = [len(e.time) for e in episodes]
        trajectories = TrajectorySet(
            channels=self.machine.channels,
            action_channels=self.machine.actions,
            time=np.concatenate([e.time for e in episodes]),
            values=np.concatenate([e.values for e in episodes]),
            actions=np.concatenate([e.actions for e in episodes]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            sources=tuple(f"{self.name}, episode {first + i}" for i in range(len(episodes))),
            meta={"made by": self.name, "task": self.task.name, "seed": seed, "first": first},
        )
        return Rollouts(
            name=self.name,
            provenance=self.provenance,
            description=self.description,
            trajectories=trajectories,
            recorded=self.machine.recorded,
            returns=np.array([e.total for e in episodes]),
            success=np.array([e.success for e in episodes]),
            seconds=np.array([e.seconds for e in episodes]),
        )


def _check_fit(target: LiveTarget) -> None:
    """Raise if a machine has not what a world and a task need."""
    world, machine, task = target.world, target.machine, target.task
    by_name = {c.name: c for c in world.channels}
    for channel in machine.channels:
        if channel.name not in by_name:
            raise unknown(f"channel of {world.name!r} in {target.name!r}:", channel.name, by_name)
        if channel != by_name[channel.name]:
            raise InputError(f"{target.name}: channel {channel.name!r} differs from the world's in unit or kind")
    names = [c.name for c in machine.channels]
    lacking = [c for c in task.observed if c not in names]
    if lacking:
        raise InputError(
            f"{target.name}: task {task.name!r} observes {', '.join(lacking)}, and the machine senses only"
            f" {', '.join(names)}"
        )
    stray = [c for c in machine.recorded if c not in names]
    if stray:
        raise unknown(f"recorded channel of {target.name!r}:", stray[0], names)
    if tuple(a.name for a in machine.actions) != tuple(a.name for a in world.actions):
        raise InputError(
            f"{target.name}: the machine takes {', '.join(a.name for a in machine.actions)}; {world.name!r} has"
            f" {', '.join(a.name for a in world.actions)}"
        )
    if len(task.low) != len(world.actions):
        raise InputError(f"task {task.name!r} gives limits for {len(task.low)} actions, the world has"
                         f" {len(world.actions)}")  # fmt: skip
    ratio = task.decision_dt / machine.dt
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
        raise InputError(
            f"{target.name}: a decision of task {task.name!r} lasts {task.decision_dt:g} s, not a whole number of the"
            f" machine's samples of {machine.dt:g} s"
        )
