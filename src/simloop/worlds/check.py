"""A checker of running batches, for worlds of your own: Gymnasium ships one for single environments alone.

    check_vector_env(world.make(8, task=task, randomization="wide", seed=3))

It asks what the contract promises: shapes and types, autoreset as declared, `reset_mask` honoured, the same seed the
same bytes, an episode that depends on its number and not on the batch beside it. What does not hold is one InputError.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simloop.errors import InputError
from simloop.randomness import stream
from simloop.worlds.environment import Environment

#: decisions that a check takes: enough for episodes to end in most tasks
_STEPS = 40


def check_vector_env(environment: Environment, *, steps: int = _STEPS) -> None:
    """Raise an InputError for the first promise that an environment does not keep.

    Args:
        environment: a batch of at least 2 episodes; it is reset, and left in the middle of episodes.
        steps: decisions to take.
    """
    if environment.num_envs < 2:
        raise InputError("the check needs a batch of at least 2 episodes")
    for check in (_shapes, _repeats, _masks, _independent):
        check(environment, steps)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InputError(f"this environment breaks its contract: {what}")


def _actions(environment: Environment, k: int) -> Any:
    """Random actions of decision k, the same for every episode number."""
    box = environment.single_action_space
    draws = np.stack([stream(0, "check", int(e), k).random(box.shape) for e in environment.episode])
    return box.low + draws * (box.high - box.low)  # type: ignore[attr-defined]


def _shapes(environment: Environment, steps: int) -> None:
    n, box = environment.num_envs, environment.single_observation_space
    observations, infos = environment.reset(seed=0)
    for k in range(steps):
        _require(observations.shape == (n, *box.shape), f"observations have shape {observations.shape}")  # type: ignore[misc]
        _require(observations.dtype == box.dtype, f"observations are {observations.dtype}, not {box.dtype}")
        _require(bool(np.isfinite(observations).all()), f"observations are not finite after {k} decisions")
        _require("parameters" in infos, "infos do not say the parameters of the episodes")
        observations, rewards, terminated, truncated, infos = environment.step(_actions(environment, k))
        _require(rewards.shape == (n,) and bool(np.isfinite(rewards).all()), "rewards are not n finite numbers")
        for name, flags in (("terminations", terminated), ("truncations", truncated)):
            _require(flags.shape == (n,) and flags.dtype == np.bool_, f"{name} are not n truth values")
        ended = terminated | truncated
        _require(not (terminated & truncated).any(), "an episode is both terminated and truncated")
        if ended.any() and environment.autoreset == "same-step":
            _require("final_obs" in infos and bool((infos["_final_obs"] == ended).all()),
                     "infos lack final_obs where episodes ended")  # fmt: skip
        if ended.any() and environment.autoreset == "disabled":
            observations, infos = environment.reset(options={"reset_mask": ended})


def _run(environment: Environment, steps: int, seed: int) -> list[np.ndarray]:
    """Everything that an environment says from a seed on."""
    observations, infos = environment.reset(seed=seed)
    said = [observations, infos["parameters"]]
    for k in range(steps):
        observations, rewards, terminated, truncated, infos = environment.step(_actions(environment, k))
        said += [observations, rewards, terminated, truncated, infos["parameters"]]
        if environment.autoreset == "disabled" and (terminated | truncated).any():
            said.append(environment.reset(options={"reset_mask": terminated | truncated})[0])
    return said


def _same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def _repeats(environment: Environment, steps: int) -> None:
    first = _run(environment, steps, 1)
    _require(_same(first, _run(environment, steps, 1)), "the same seed does not give the same bytes")
    _require(not _same(first, _run(environment, steps, 2)), "another seed gives the same bytes")


def _masks(environment: Environment, steps: int) -> None:
    environment.reset(seed=0)
    before, *_ = environment.step(_actions(environment, 0))
    numbers = environment.episode.copy()
    mask = np.zeros(environment.num_envs, dtype=bool)
    mask[0] = True
    after, _ = environment.reset(options={"reset_mask": mask})
    _require(before[1:].tobytes() == after[1:].tobytes(), "reset_mask changes episodes that it leaves out")
    _require(
        environment.episode[0] != numbers[0] and bool((environment.episode[1:] == numbers[1:]).all()),
        "reset_mask does not begin new episodes in its places alone",
    )


def _independent(environment: Environment, steps: int) -> None:
    """An episode is the same in another place of the batch."""
    n = environment.num_envs
    said = []
    for order in (np.arange(n), np.arange(n)[::-1].copy()):
        environment.reset(seed=3)
        observations, _ = environment.reset(options={"episodes": order})
        parts = [observations[np.argsort(order)]]
        for k in range(min(steps, environment.task.steps - 1)):
            observations, _, terminated, truncated, _ = environment.step(_actions(environment, k))
            if (terminated | truncated).any():
                break
            parts.append(observations[np.argsort(order)])
        said.append(parts)
    _require(_same(*said), "an episode depends on its place in the batch")
