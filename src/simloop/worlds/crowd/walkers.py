"""World `crowd` as a running batch: every person of every scene is an episode, and all walk by what they are told.

    envs = get_world("crowd").make(256, task="walk", randomization="wide", seed=7)
    observations, infos = envs.reset()                # (256, WIDTH), see `sight.py`
    observations, rewards, terminations, truncations, infos = envs.step(accelerations)      # (256, 2), -1 to 1

So that one policy is learned from all people at once (parameter sharing), the people of a batch are its places: as many
in each scene as divide the batch, at most `PEOPLE`. A person's episode ends at the goal; then the next one begins, the
way back to where it began. After the task's time a whole scene ends and another takes its place. An episode depends on
what the others of its scene do: it is the same in any batch only if they do the same.

Its `autoreset` is "same-step", or "disabled": then people who arrived walk back as well, and resets of some are not
needed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.models import Model
from simloop.worlds.crowd.scenarios import make_scene
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.sight import WIDTH, Sight, walked
from simloop.worlds.crowd.walk_task import Walk
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: most people of a scene
PEOPLE = 24
#: m, bodies that are nearer touch
TOUCH = 0.005


@compiled
def gaps(first, last, offsets, position, active, radius, walls, wall_begins, wall_counts, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write how far each body is from the nearest other and from walls, (N,) m; infinite of who is not there."""
    for s in range(first, last):
        for i in range(offsets[s], offsets[s + 1]):
            out[i] = math.inf
            if not active[i]:
                continue
            x, y = position[i, 0], position[i, 1]
            for j in range(offsets[s], offsets[s + 1]):
                if j != i and active[j]:
                    apart = math.hypot(position[j, 0] - x, position[j, 1] - y) - radius[i] - radius[j]
                    out[i] = min(out[i], apart)
            for m in range(wall_begins[s], wall_begins[s] + wall_counts[s]):
                ax, ay, ex, ey = walls[m, 0], walls[m, 1], walls[m, 2] - walls[m, 0], walls[m, 3] - walls[m, 1]
                t = min(max(((x - ax) * ex + (y - ay) * ey) / max(ex * ex + ey * ey, 1e-12), 0.0), 1.0)
                out[i] = min(out[i], math.hypot(ax + t * ex - x, ay + t * ey - y) - radius[i])


class Walkers(gym.vector.VectorEnv[Any, Any, Any]):
    """People of many scenes who walk by what they are told."""

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        world: World,
        task: Task,
        num_envs: int,
        *,
        randomization: Distribution | None = None,
        seed: int = 0,
        autoreset: str = "same-step",
    ) -> None:
        if not isinstance(task, Walk):
            raise InputError(f"people of world 'crowd' walk; task {task.name!r} is not of walking")
        if autoreset not in ("same-step", "disabled"):
            raise InputError(f"people of a crowd begin again in the same step or never, not {autoreset!r}")
        if num_envs < 1:
            raise InputError(f"a batch needs at least 1 person, got {num_envs}")
        self.world, self.task, self.num_envs, self.autoreset = world, task, num_envs, autoreset
        self.randomization = randomization or Point(world.parameters)
        world.under(self.randomization)
        self._each = next(k for k in range(min(PEOPLE, num_envs), 0, -1) if num_envs % k == 0)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.single_observation_space = gym.spaces.Box(-np.inf, np.inf, (WIDTH,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.diverged = 0
        self._begin_all(seed)

    def _begin_all(self, seed: int) -> None:
        n, count = self.num_envs, self.num_envs // self._each
        self.seed = seed
        self.parameters = np.zeros((n, len(self.randomization.space)))
        self._next = count
        self._told = np.zeros((n, 2))
        told = Model("told", inert=True, apart=True, choose=lambda _: self._told)
        self._batch = Batch([self._scene(k, k) for k in range(count)], model=told, dt=self.task.decision_dt, seed=seed)
        self._sight, self._gap = Sight(self._batch), np.zeros(n)
        self._return, self._length = np.zeros(n), np.zeros(n, dtype=np.int64)
        self._legs = np.zeros(n, dtype=np.int64)
        self._seen = self._look()

    def _scene(self, number: int, place: int) -> Scene:
        """The scene of that number, for place `place`: with so many people that it fits there."""
        space = self.randomization.space
        name = self.task.scenarios[number % len(self.task.scenarios)]
        for attempt in range(16):
            rng = stream(self.seed, "walkers", number, attempt)
            row = self.randomization.sample(1, rng)[0]
            values = dict(zip(space.names, row.tolist(), strict=True)) | {"people.count": float(self._each)}
            try:
                scene = make_scene(name, values, rng)
            except InputError:
                continue
            self.parameters[place * self._each : (place + 1) * self._each] = row
            return _staying(scene)
        raise InputError(f"scenario {name!r} has no room for {self._each} people under this distribution")

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin all scenes anew; with `reset_mask` among the options nothing begins, for people go on by themselves."""
        if isinstance(seed, list):
            raise InputError("one seed gives every scene of the batch its own stream; give a number, not a list")
        if (options or {}).get("reset_mask") is None:
            self._begin_all(self.seed if seed is None else seed)
        return self._seen.copy(), self._infos()

    def step(
        self, actions: ArrayLike
    ) -> tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Let everybody accelerate for a step: (n, 2) along and to the left of the body, -1 to 1 of 3 m/s^2."""
        told = np.asarray(actions, dtype=np.float64)
        if told.shape != (self.num_envs, 2) or not np.isfinite(told).all():
            raise InputError(f"actions must be finite, of shape ({self.num_envs}, 2), got {told.shape}")
        b = self._batch
        there, target, heading = b.active.copy(), b.target.copy(), b.heading.copy()
        before = np.hypot(*(target - b.position).T)
        self._told = walked(b, told)
        b.step()
        reward = self._reward(there, before - np.hypot(*(target - b.position).T), b.heading - heading)
        arrived = there & np.isfinite(b.arrived)
        over = np.repeat(b.time >= self.task.seconds - 1e-9, self._each)
        reward += self.task.there * arrived
        terminated, truncated = arrived, over & ~arrived
        self._return += reward
        self._length += there
        ended = terminated | truncated
        last = self._look()
        infos: dict[str, Any] = {}
        if ended.any():
            self._add_outcomes(infos, ended, arrived)
            if self.autoreset == "same-step":
                infos["final_obs"], infos["_final_obs"] = _each_of(last, ended), ended
            self._send_back(arrived & ~over)
            for k in np.flatnonzero(b.time >= self.task.seconds - 1e-9).tolist():
                b.replace(k, self._scene(self._next, k), self._next)
                self._next += 1
            self._return[ended], self._length[ended] = 0.0, 0
            self._sight.forget(over)
            self._legs[over] = 0
            last = self._look(again=True)
        self._seen = last
        return last.copy(), reward, terminated, truncated, infos | self._infos()

    def _look(self, *, again: bool = False) -> NDArray[np.float32]:
        return self._sight.look(again=again).astype(np.float32)

    def _reward(self, there: NDArray[np.bool_], nearer: Array, turned: Array) -> Array:
        """Rewards (n,) of a step; 0 of who was not there."""
        b, task = self._batch, self.task
        radius = np.ascontiguousarray(b.traits[:, TRAIT["radius"]])
        gaps(0, len(b.scenes), b.offsets, b.position, b.active, radius, *b.walls, self._gap)
        turned = np.abs((turned + np.pi) % (2 * np.pi) - np.pi)
        fast = np.maximum(np.hypot(*b.velocity.T) - b.traits[:, TRAIT["speed"]], 0.0)
        out = task.progress * nearer - task.contact * (self._gap < TOUCH) - task.haste * fast - task.turn * turned
        out = out - task.close * np.clip(1 - self._gap / task.room, 0, 1)
        return np.asarray(np.where(there, out, 0.0))

    def _send_back(self, who: NDArray[np.bool_]) -> None:
        """Let people who reached their goal walk back to where they came from, and there and back again."""
        for i in np.flatnonzero(who).tolist():
            self._legs[i] += 1
            k, own = divmod(i, self._each)
            scene = self._batch.scenes[k]
            route = scene.routes[own][np.isfinite(scene.routes[own][:, 0])]
            there = np.concatenate([scene.starts[own][None], route])
            self._batch.send(i, there[::-1][1:] if self._legs[i] % 2 else there[1:])

    def _add_outcomes(self, infos: dict[str, Any], ended: NDArray[np.bool_], arrived: NDArray[np.bool_]) -> None:
        outcomes = {
            "success": arrived & ended,
            "diverged": np.zeros_like(ended),
            "return": np.where(ended, self._return, 0.0),
            "length": np.where(ended, self._length, 0),
            "parameters": self.parameters.copy(),
            "episode_id": np.arange(self.num_envs),
        }
        infos["final_info"] = {**outcomes, **{f"_{name}": ended for name in outcomes}}
        infos["_final_info"] = ended

    def _infos(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, dtype=bool)
        return {"parameters": self.parameters.copy(), "_parameters": every,
                "episode_id": np.arange(self.num_envs), "_episode_id": every}  # fmt: skip


def _each_of(rows: NDArray[np.float32], which: NDArray[np.bool_]) -> NDArray[np.object_]:
    out = np.empty(len(rows), dtype=object)
    for i in np.flatnonzero(which):
        out[i] = rows[i].copy()
    return out


def _staying(scene: Scene) -> Scene:
    """The scene in which everybody stays at the goal, to be sent on from there."""
    return replace(scene, stays=np.ones(len(scene), dtype=bool))
