"""A world as a running batch: a Gymnasium vector environment whose step is one native call for all its episodes.

    envs = get_world("double-pendulum").make(1024, task="swing-up", randomization="wide", seed=7)
    observations, infos = envs.reset()
    observations, rewards, terminations, truncations, infos = envs.step(actions)

Each episode draws its own parameters and has a number; what happens in it depends on the seed, its number and the
actions alone: neither on how many episodes run beside it nor on when it started. `infos` says what each episode drew
(`parameters`, one row each) and, where one ended, whether it was a success and whether its simulation diverged. A
diverged one is truncated: its last finite observation is returned, with no reward.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.loop_channel import LoopChannel
from simloop.worlds.task import Task
from simloop.worlds.uncertain import PUSH, START, displaced_state
from simloop.worlds.world import World

Autoreset = Literal["same-step", "next-step", "disabled"]
_MODES = {
    "same-step": AutoresetMode.SAME_STEP,
    "next-step": AutoresetMode.NEXT_STEP,
    "disabled": AutoresetMode.DISABLED,
}
Seen = NDArray[np.float32]
#: observations, rewards, terminations, truncations, infos
Step = tuple[Seen, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
#: episodes whose parameters are drawn at once
_BLOCK = 64


class Environment(gym.vector.VectorEnv[Any, Any, Any]):
    """A batch of episodes of a task in a world. Subclasses say how bodies are put somewhere and moved.

    Args:
        world: what is simulated.
        task: what is to be done in it.
        num_envs: episodes at once, n.
        randomization: what each episode's parameters are drawn from; None: the defaults. It may be over what
            `worlds/uncertain.py` and `worlds/residual.py` add to the world's own parameters.
        seed: of everything random.
        autoreset: when an episode that ended is replaced by a new one: in the same step (`infos["final_obs"]` holds
            what was seen last), in the next step, or by `reset(options={"reset_mask": mask})` alone.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(
        self,
        world: World,
        task: Task,
        num_envs: int,
        *,
        randomization: Distribution | None = None,
        seed: int = 0,
        autoreset: Autoreset = "same-step",
    ) -> None:
        if autoreset not in get_args(Autoreset):
            raise unknown("autoreset", autoreset, get_args(Autoreset))
        if num_envs < 1:
            raise InputError(f"a batch needs at least 1 episode, got {num_envs}")
        self.world, self.task, self.num_envs = world, task, num_envs
        self.randomization = randomization or Point(world.parameters)
        self.autoreset = autoreset
        self.metadata = {**self.metadata, "autoreset_mode": _MODES[autoreset]}
        self._active = _checked_limits(world, task)
        self._decision = _whole(task.decision_dt, world.control_dt, f"decision_dt of task {task.name!r}")
        low, high = (np.array(x, dtype=np.float32)[self._active] for x in (task.low, task.high))
        self._limits = gym.spaces.Box(low, high, dtype=np.float32)
        self._low, self._high = low.astype(np.float64), high.astype(np.float64)
        self.single_action_space = self._limits
        seen = task.observe(np.zeros((1, sum(c.width for c in world.channels))))
        self._box = gym.spaces.Box(-np.inf, np.inf, seen.shape[1:], np.float32)
        self.single_observation_space = self._box
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._space = self.randomization.space
        self._own = len(world.parameters)
        world.under(self.randomization)  # says so where it is over other parameters
        self.parameters = np.tile(self.randomization.mean, (num_envs, 1))
        self._spread = sum(c.tangent for c in world.channels)
        self._start_spread, self._push_spread = (
            [(j, self._space.index(kind + c.name)) for j, c in enumerate(of) if kind + c.name in self._space.names]
            for kind, of in ((START, [c for c in world.channels for _ in range(c.tangent)]), (PUSH, world.actions))
        )
        self._rest = np.array(task.rest or np.zeros(len(world.actions)), dtype=float)
        self.episode = np.zeros(num_envs, dtype=np.int64)
        self.diverged = 0
        self._build()
        self._begin_all(seed)

    def _begin_all(self, seed: int) -> None:
        """Forget all episodes and start counting anew under a seed."""
        n = self.num_envs
        self.seed, self._round = seed, np.zeros(n, dtype=np.int64)
        self._rows: dict[Any, Array] = {}
        self._channel = LoopChannel(
            self.world, self.world.channel, self._space, num_envs=n, steps=self._decision, seed=seed
        )
        self._step, self._good = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._return = np.zeros(n)
        self._ended = np.ones(n, dtype=bool)
        self._values = np.zeros((n, sum(c.width for c in self.world.channels)))
        self._sensed, self._commanded = np.zeros_like(self._values), np.tile(self._rest, (n, 1))
        self._observation: Seen = np.zeros((n, *self._box.shape), dtype=np.float32)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: of everything random from here on; episodes are counted anew. None: go on counting.
            options: `reset_mask` (n,) where to begin a new episode, by default everywhere; `parameters` (n, d) or
                (1, d) to use instead of drawn ones, in these episodes only; `episodes` (n,) their numbers; `state`
                (n, S) to start from, in the world's layout.

        Returns:
            observations (n, O), and infos with each episode's `parameters` (n, d) and number, `episode_id` (n,).
        """
        given: dict[str, Any] = dict(options or {})
        mask = _mask(given.pop("reset_mask", None), self.num_envs)
        rows, numbers, state = given.pop("parameters", None), given.pop("episodes", None), given.pop("state", None)
        if given:
            raise unknown("reset option", next(iter(given)), ["reset_mask", "parameters", "episodes", "state"])
        if isinstance(seed, list):
            raise InputError("one seed gives every episode of the batch its own stream; give a number, not a list")
        if seed is not None:
            if not mask.all():
                raise InputError("a seed begins all episodes anew; give it without reset_mask")
            self._begin_all(seed)
        ids = np.flatnonzero(mask)
        if numbers is None:
            episodes = ids + self._round[ids] * self.num_envs
            self._round[ids] += 1
        else:
            episodes = np.broadcast_to(np.asarray(numbers, dtype=np.int64), (self.num_envs,))[ids]
        self._begin(ids, episodes, rows, state)
        return self._observation.copy(), self._infos()

    def step(self, actions: ArrayLike) -> Step:
        """Take one decision in every episode: actions (n, active actions), clipped to their limits."""
        decision = self._checked(actions)
        if self.autoreset == "next-step" and self._ended.any():
            return self._next_step(decision)
        if self._ended.any():
            ended = int(np.argmax(self._ended))
            raise InputError(f"episode {self.episode[ended]} (place {ended}) is over or not begun: call reset first")
        return self._advance(decision, ~self._ended)

    def _advance(self, decision: Array, live: NDArray[np.bool_]) -> Step:
        """Simulate one decision; episodes that are not `live` (n,) are over already, and nothing is said of them."""
        before = self._values
        self._simulate(self._channel.act(decision))
        values = self._read_values()
        diverged = self._diverged(values)
        if diverged.any():
            values[diverged] = before[diverged]
        reward = np.array(self.task.reward(before, values, decision), dtype=np.float64)
        reward[diverged | ~live] = 0.0
        self._values = values
        self._sensed = self._channel.sense(values)
        self._observation = self._seen(self._sensed)
        self._commanded = decision
        self._step += 1
        self._return += reward
        self._good = np.where(self.task.good(values) & ~diverged, self._good + 1, 0)
        terminated = self.task.terminated(values) & ~diverged & live
        truncated = (diverged | (self._step >= self.task.steps)) & ~terminated & live
        self._ended = terminated | truncated
        infos = self._infos()
        if self._ended.any():
            self.diverged += int((diverged & live).sum())
            self._add_outcomes(infos, diverged)
            if self.autoreset == "same-step":
                self._replace(infos)
        return self._observation.copy(), reward, terminated, truncated, infos

    @abstractmethod
    def _build(self) -> None:
        """Make the bodies of all places, once."""

    @abstractmethod
    def _put(self, ids: NDArray[np.int64], rows: Array, state: Array) -> Array:
        """Put the bodies in places `ids` (m,) under parameter rows (m, d) into states (m, S); return values (m, D)."""

    @abstractmethod
    def _simulate(self, control: Array) -> None:
        """Apply what reaches the body, (n, k, A) or (n, 1, A), for one decision."""

    @abstractmethod
    def _read_values(self) -> Array:
        """The true channel values (n, D) as they are now."""

    def _diverged(self, values: Array) -> NDArray[np.bool_]:
        """Where channel values (n, D) are no numbers, (n,)."""
        return np.asarray(~np.isfinite(values).all(axis=1))

    def _add_outcomes(self, infos: dict[str, Any], diverged: NDArray[np.bool_]) -> None:
        """Say of the episodes that ended how they did."""
        ended = self._ended.copy()
        outcomes = {
            "success": (self._good >= self.task.hold_steps) & ended,
            "diverged": diverged,
            "return": np.where(ended, self._return, 0.0),
            "length": np.where(ended, self._step, 0),
            "parameters": self.parameters.copy(),
            "episode_id": self.episode.copy(),
        }
        infos["final_info"] = {**outcomes, **{f"_{name}": ended for name in outcomes}}
        infos["_final_info"] = ended

    def _replace(self, infos: dict[str, Any]) -> None:
        """Begin new episodes where some ended; keep what was seen last."""
        ended = self._ended.copy()
        last = np.empty(self.num_envs, dtype=object)
        for i in np.flatnonzero(ended):
            last[i] = self._observation[i].copy()
        infos["final_obs"], infos["_final_obs"] = last, ended
        self._go_on(ended)
        infos |= self._infos()

    def _go_on(self, ended: NDArray[np.bool_]) -> None:
        ids = np.flatnonzero(ended)
        episodes = ids + self._round[ids] * self.num_envs
        self._round[ids] += 1
        self._begin(ids, episodes, None, None)

    def _next_step(self, decision: Array) -> Step:
        """Advance the episodes that go on; begin new ones where they ended, whose actions are not used."""
        fresh = self._ended.copy()
        _, reward, terminated, truncated, infos = self._advance(decision, ~fresh)
        self._go_on(fresh)
        infos |= self._infos()
        return self._observation.copy(), reward, terminated, truncated, infos

    def _begin(self, ids: NDArray[np.int64], episodes: NDArray[np.int64], rows: Any, state: Any) -> None:
        """Begin `episodes` (m,) in the places `ids` (m,)."""
        if rows is None:
            drawn = self._drawn(episodes)
        else:
            drawn = np.broadcast_to(self._space.check(rows), (self.num_envs, len(self._space)))[ids]
        self.parameters[ids], self.episode[ids] = drawn, episodes
        first, push = self._starts(episodes, drawn)
        if state is not None:
            first = np.asarray(state, dtype=float)[ids]
        values = self._put(ids, drawn, first)
        self._values = self._values.copy()  # what was before an episode ended stays what it was
        self._values[ids] = values
        self._channel.begin(ids, drawn, episodes, push, self._rest, values)
        self._observation = self._observation.copy()
        self._sensed = self._sensed.copy()
        self._sensed[ids] = self._channel.sense(values, ids)
        self._observation[ids] = self._seen(self._sensed[ids])
        self._commanded = self._commanded.copy()
        self._commanded[ids] = self._rest
        for counter in (self._step, self._good, self._return):
            counter[ids] = 0
        self._ended[ids] = False

    def _drawn(self, episodes: NDArray[np.int64]) -> Array:
        """The parameters that episodes draw, (m, d): in blocks of numbers, so that they do not depend on the batch."""
        for block in np.unique(episodes // _BLOCK).tolist():
            if block not in self._rows:
                self._rows[block] = self.randomization.sample(_BLOCK, stream(self.seed, "parameters", int(block)))
        drawn = np.stack([self._rows[e // _BLOCK][e % _BLOCK] for e in episodes])
        oldest = int(self._round.min()) * self.num_envs // _BLOCK
        self._rows = {b: rows for b, rows in self._rows.items() if b >= oldest}
        return drawn

    def _starts(self, episodes: NDArray[np.int64], rows: Array) -> tuple[Array, Array]:
        """Draw the states (m, S) that episodes start from, and the constants that are added to their actions (m, A)."""
        rngs = [stream(self.seed, "start", episode) for episode in episodes.tolist()]
        positions, rates = (np.array(x, dtype=float) for x in zip(*map(self.task.start, rngs), strict=True))
        return self._displaced(self.world.state(positions, rates), rngs, rows)

    def _displaced(self, state: Array, rngs: list[np.random.Generator], rows: Array) -> tuple[Array, Array]:
        """Add the errors of starts (m, S) that the rows (m, d) name; return constants (m, A) to add to actions too."""
        by, push = np.zeros((len(rows), self._spread)), np.zeros((len(rows), len(self.world.actions)))
        if not (self._start_spread or self._push_spread):
            return state, push
        for i, rng in enumerate(rngs):
            by[i], push[i] = rng.standard_normal(by.shape[1]), rng.standard_normal(push.shape[1])
        for draws, spread in ((by, self._start_spread), (push, self._push_spread)):
            scale = np.zeros_like(draws)
            for j, column in spread:
                scale[:, j] = rows[:, column]
            draws *= scale
        return displaced_state(self.world, state, by), push

    def _seen(self, sensed: Array) -> Seen:
        return np.asarray(self.task.observe(sensed), dtype=np.float32)

    def _checked(self, actions: ArrayLike) -> Array:
        """Return decisions (n, A) for all of the world's actions, inside their limits."""
        x = np.asarray(actions, dtype=np.float64)
        width = len(self._low)
        if x.shape != (self.num_envs, width):
            raise InputError(f"actions must have shape ({self.num_envs}, {width}), got {x.shape}")
        if not np.isfinite(x).all():
            i, j = np.argwhere(~np.isfinite(x))[0]
            names = [a.name for a, used in zip(self.world.actions, self._active, strict=True) if used]
            raise InputError(f"action {names[j]!r} is {x[i, j]} in place {i}: expected a finite number")
        inside = np.clip(x, self._low, self._high)
        if width == len(self._active):
            return inside
        decision = np.tile(np.array(self.task.low, dtype=float), (self.num_envs, 1))
        decision[:, self._active] = inside
        return decision

    def _infos(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, dtype=bool)
        return {"parameters": self.parameters.copy(), "_parameters": every,
                "episode_id": self.episode.copy(), "_episode_id": every}  # fmt: skip

    @property
    def values(self) -> Array:
        """The true channel values (n, D) of all episodes, without what sensors make of them."""
        return self._values.copy()

    @property
    def sensed(self) -> Array:
        """The channel values (n, D) as sensors said them last: what the observations are made of."""
        return self._sensed.copy()

    @property
    def observations(self) -> Seen:
        """What policies saw last, (n, O)."""
        return self._observation.copy()

    @property
    def commanded(self) -> Array:
        """The last decision of each episode, (n, A); before its first one what the task has at rest."""
        return self._commanded.copy()

    @property
    def decisions(self) -> NDArray[np.int64]:
        """How many decisions each episode has taken, (n,)."""
        return self._step.copy()


class SingleEnvironment(gym.Env[Any, Any]):
    """One episode at a time of a batch of one, as `gymnasium.Env`: for what does not know batches.

    `seed` of `reset` begins episodes anew from 0; without it the next episode follows.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, environment: Environment) -> None:
        self.batch = environment
        self.observation_space = environment.single_observation_space
        self.action_space = environment.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Begin an episode; options as of the batch, for its one place."""
        super().reset(seed=seed)
        observations, infos = self.batch.reset(seed=seed, options=options)
        return observations[0], _first(infos)

    def step(self, action: ArrayLike) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take one decision: action (active actions,)."""
        observations, rewards, terminated, truncated, infos = self.batch.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first(infos)


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    """The infos of the only place."""
    found = {k: v[0] for k, v in infos.items() if not k.startswith("_") and k != "final_info"}
    final = infos.get("final_info", {})
    return found | {k: v[0] for k, v in final.items() if not k.startswith("_")}


def _mask(mask: Any, n: int) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(n, dtype=bool)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (n,) or not mask.any():
        raise InputError(f"reset_mask must be a boolean array of shape ({n},) with at least one True")
    return mask.copy()


def _whole(time: float, of: float, what: str) -> int:
    """How many steps of `of` s make `time` s, or raise."""
    steps = round(time / of)
    if steps < 1 or abs(time / of - steps) > 1e-6:
        raise InputError(f"{what} is {time:g} s, not a whole number of the world's control steps of {of:g} s")
    return steps


def _checked_limits(world: World, task: Task) -> NDArray[np.bool_]:
    """Which of the world's actions a task uses, (A,), after checking it against the world."""
    names = [a.name for a in world.actions]
    if len(task.low) != len(names) or len(task.high) != len(names):
        raise InputError(f"task {task.name!r} gives limits for {len(task.low)} actions, {world.name!r} has {names}")
    for channel in task.observed:
        if channel not in [c.name for c in world.channels]:
            raise unknown(f"channel of world {world.name!r} in task {task.name!r}:", channel,
                          [c.name for c in world.channels])  # fmt: skip
    if not task.active.any():
        raise InputError(f"task {task.name!r}: no action has a low below its high")
    return task.active
