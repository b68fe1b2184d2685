"""Copies of a live stand-in as a running batch, for whoever may learn on the target itself: an oracle.

    with LiveWorld(world, lambda: live_target("standin:drawer#0", world)) as reality:
        learner.train(reality, task, Point(world.parameters), steps=100_000, folder=folder)

No machine bears it: the copies act for days of its time, and are rewarded by what an outside observer sees. It says how
well a learner could do that had reality to train in, and so how much of that a loop recovers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.episode import RunningEpisode
from simloop.targets.live import LiveTarget
from simloop.trajectories import TrajectorySet
from simloop.worlds.task import Task
from simloop.worlds.world import Segments, World


class LiveBatch(gym.vector.VectorEnv[Any, Any, Any]):
    """One episode on each of several copies of a live target, as far as learners use an `Environment`.

    An episode is determined by the seed, its number and the actions. One that ended is replaced in the same step.

    Args:
        targets: copies of one target, n.
        world: whose parameters stand where those of an episode would, at their defaults: nobody knows the target's.
        seed: of everything random.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, targets: Sequence[LiveTarget], world: World, *, seed: int = 0) -> None:
        self.world, self.task, self.num_envs, self.seed = world, targets[0].task, len(targets), seed
        self.autoreset = "same-step"
        self.randomization = Point(world.parameters)
        self.parameters = np.tile(self.randomization.mean, (self.num_envs, 1))
        self._targets = targets
        active = self.task.active
        low, high = (np.array(x, dtype=np.float32)[active] for x in (self.task.low, self.task.high))
        self.single_action_space = gym.spaces.Box(low, high, dtype=np.float32)
        seen = self.task.observe(np.zeros((1, sum(c.width for c in world.channels))))
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, seen.shape[1:], np.float32)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._episodes: list[RunningEpisode] = []
        self._round = np.zeros(self.num_envs, dtype=np.int64)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode on every copy; a seed counts them anew."""
        if isinstance(seed, list) or options:
            raise InputError("a batch of live targets takes one seed and no options")
        if seed is not None:
            self.seed, self._round = seed, np.zeros(self.num_envs, dtype=np.int64)
        self._episodes = [self._next(i) for i in range(self.num_envs)]
        return self._observations(), {}

    def step(self, actions: ArrayLike) -> tuple[Any, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Take one decision on every copy: actions (n, active actions), clipped to their limits."""
        rewards = np.zeros(self.num_envs)
        terminated, ended = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        for i, (target, answer) in enumerate(zip(self._targets, np.asarray(actions, dtype=float), strict=True)):
            episode = self._episodes[i]
            rewards[i] = episode.take(target.commanded(answer))
            terminated[i], ended[i] = episode.terminated, episode.over
        infos = self._replaced(ended) if ended.any() else {}
        return self._observations(), rewards, terminated, ended & ~terminated, infos

    def _replaced(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        """Begin episodes where some ended; return how those went, as an `Environment` says it."""
        last = np.empty(self.num_envs, dtype=object)
        outcomes = {
            "success": np.array([e.success for e in self._episodes]) & ended,
            "diverged": np.zeros(self.num_envs, dtype=bool),
            "return": np.where(ended, [e.total for e in self._episodes], 0.0),
            "length": np.where(ended, [e.decisions for e in self._episodes], 0),
            "parameters": self.parameters.copy(),
        }
        for i in np.flatnonzero(ended).tolist():
            last[i] = self._episodes[i].observation[0]
            self._episodes[i] = self._next(i)
        return {"final_obs": last, "_final_obs": ended, "_final_info": ended,
                "final_info": {**outcomes, **{f"_{name}": ended for name in outcomes}}}  # fmt: skip

    def _next(self, place: int) -> RunningEpisode:
        number = place + int(self._round[place]) * self.num_envs
        self._round[place] += 1
        return RunningEpisode(self._targets[place], number, self.seed)

    def _observations(self) -> Any:
        return np.concatenate([e.observation for e in self._episodes])


class LiveWorld(World):
    """A live stand-in as a world that learners act in: there is nothing to draw, and it cannot be replayed.

    Args:
        world: whose channels and actions it has.
        copy: makes one more of the target, the same machine each time.
    """

    def __init__(self, world: World, copy: Callable[[], LiveTarget]) -> None:
        self.world, self._copy = world, copy
        self.name, self.summary = world.name, world.summary
        self.parameters, self.channels, self.actions = world.parameters, world.channels, world.actions
        self.control_dt, self.whole = world.control_dt, world.whole
        self._copies: list[LiveTarget] = []

    def make(
        self,
        num_envs: int,
        *,
        task: str | Task | None = None,
        randomization: str | Distribution | None = None,
        seed: int = 0,
        autoreset: str = "same-step",
    ) -> Any:
        """Return a `LiveBatch` of so many copies; its task is the target's, and a randomisation changes nothing."""
        if autoreset != "same-step":
            raise InputError("a batch of live targets begins its episodes in the same step: autoreset='same-step'")
        while len(self._copies) < num_envs:
            self._copies.append(self._copy())
        return LiveBatch(self._copies[:num_envs], self.world, seed=seed)

    def versions(self) -> dict[str, str]:
        return self.world.versions()

    def content(self) -> str:
        return f"{self.world.content()} live"

    def state(self, positions: Array, rates: Array) -> Array:
        return self.world.state(positions, rates)

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        raise InputError(f"a live target of {self.name!r} can be acted on, and not be replayed")

    def __enter__(self) -> LiveWorld:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for copy in self._copies:
            copy.close()
