"""A running batch as Stable-Baselines3 wants it: a `VecEnv` with actions scaled to [-1, 1].

envs = BaselinesEnvironment(get_world("double-pendulum").make(128, task="swing-up"))
PPO("MlpPolicy", envs).learn(1_000_000)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from simloop.errors import InputError
from simloop.learn.teacher import informed
from simloop.parameters import Array
from simloop.worlds.environment import Environment


class BaselinesEnvironment(VecEnv):  # type: ignore[misc]
    """Steps an `Environment` that resets in the same step; `infos` are made only of what happened.

    Args:
        environment: what is stepped.
        privileged: whether observations are followed by the parameters of each episode (`learn/teacher.py`).
        reward: (observations (n, O), actions (n, A) in [-1, 1], the environment's rewards (n,)) -> rewards (n,) to
            learn from; None: the environment's. What episodes are said to have returned stays the environment's.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        privileged: bool = False,
        reward: Callable[[Any, Any, Any], Any] | None = None,
    ) -> None:
        if environment.autoreset != "same-step":
            raise InputError("Stable-Baselines3 needs an environment made with autoreset='same-step'")
        self.environment = environment
        box = environment.single_action_space
        assert isinstance(box, gym.spaces.Box)
        self._low, self._half = box.low.astype(np.float64), (box.high.astype(np.float64) - box.low) / 2
        scaled = gym.spaces.Box(-1.0, 1.0, box.shape, np.float32)
        self._privileged, self.reward, self._seen = privileged, reward, np.zeros((environment.num_envs, 0))
        seen: Any = environment.single_observation_space
        if privileged:
            width = seen.shape[0] + len(environment.randomization.space)
            seen = gym.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        super().__init__(environment.num_envs, seen, scaled)
        self._actions: Array = np.zeros((self.num_envs, *box.shape))
        #: success and return of the episodes that ended since they were last taken
        self.ended: list[tuple[bool, float, bool]] = []

    def reset(self) -> Any:
        seed = self._seeds[0] if self._seeds else None
        observations, _ = self.environment.reset(seed=seed)
        self._reset_seeds()
        self._seen = self._informed(observations, self.environment.parameters)
        return self._seen

    def _informed(self, observations: Any, rows: Any) -> Any:
        """Observations (n, O) and, where it is privileged, the parameters (n, d) of their episodes."""
        if not self._privileged:
            return observations
        return informed(observations, rows, self.environment.randomization.space).astype(np.float32)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = self._low + (np.clip(actions, -1.0, 1.0) + 1) * self._half

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        observations, rewards, terminated, truncated, infos = self.environment.step(self._actions)
        done = terminated | truncated
        out: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            final = infos["final_info"]
            for i in np.flatnonzero(done):
                out[i] = {
                    "terminal_observation": self._informed(infos["final_obs"][i][None], final["parameters"][i : i + 1])[
                        0
                    ],
                    "TimeLimit.truncated": bool(truncated[i]),
                    "episode": {"r": float(final["return"][i]), "l": int(final["length"][i]), "t": 0.0},
                    "is_success": bool(final["success"][i]),
                }
                self.ended.append((bool(final["success"][i]), float(final["return"][i]), bool(final["diverged"][i])))
        if self.reward is not None:
            rewards = self.reward(self._seen, (self._actions - self._low) / self._half - 1, rewards)
        self._seen = self._informed(observations, self.environment.parameters)
        return self._seen, rewards.astype(np.float32), done, out

    def close(self) -> None:
        self.environment.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        value = None if attr_name == "render_mode" else getattr(self.environment, attr_name)
        return [value] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self.environment, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise InputError(f"the episodes of a batch have no methods of their own: {method_name!r} cannot be called")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * len(self._indices(indices))

    def _indices(self, indices: Any) -> Sequence[int]:
        return range(self.num_envs) if indices is None else np.atleast_1d(indices).tolist()
