"""How well a policy does: returns and successes of episodes, with intervals, whatever it acts in.

score = evaluate(world, task, policy, world.distribution("wide"), episodes=200, seed=0)
score.success_rate, score.success_interval, score.mean_return
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.errors import count
from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.learn.policy import Actor, begin
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.targets.live import LiveTarget
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: episodes at once
_BATCH = 256


@dataclass(frozen=True)
class Score:
    """What episodes came to: `returns` (n,), `success` (n,), `diverged` (n,), the `parameters` of each (n, d)."""

    returns: Array
    success: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    parameters: Array

    @property
    def mean_return(self) -> float:
        return float(self.returns.mean())

    @property
    def success_rate(self) -> float:
        return float(self.success.mean())

    @property
    def success_interval(self) -> tuple[float, float]:
        """95 % interval of the success rate (Wilson)."""
        return success_interval(int(self.success.sum()), len(self.success))

    @property
    def return_interval(self) -> tuple[float, float]:
        """95 % interval of the mean return (bootstrap over episodes)."""
        every = np.arange(len(self.returns))
        return percentile_interval(weighted_mean(self.returns, bootstrap_weights(every, 0))[1:])

    def to_dict(self) -> dict[str, Any]:
        return {
            "episodes": len(self.returns),
            "success": self.success_rate,
            "success_interval": self.success_interval,
            "return": self.mean_return,
            "return_interval": self.return_interval,
            "diverged": int(self.diverged.sum()),
        }


def success_interval(successes: int, episodes: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a success rate."""
    from scipy.stats import binomtest

    low, high = binomtest(successes, episodes).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def difference_interval(k: int, n: int, j: int, m: int) -> tuple[float, float]:
    """95 % interval of the difference k / n - j / m of two rates of success, of independent episodes.

    Newcombe's hybrid of Wilson's intervals (Statistics in Medicine 17, 1998, method 10).
    """
    p, q = k / n, j / m
    (a, b), (c, d) = success_interval(k, n), success_interval(j, m)
    return p - q - math.hypot(p - a, d - q), p - q + math.hypot(b - p, q - c)


def ratio_interval(k: int, n: int, j: int, m: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the ratio (k / n) / (j / m) of two rates of success, of independent episodes; infinite where j is 0.

    The ratios that a score test of the two rates does not reject (Koopman, Biometrics 40, 1984).
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2

    most = float(chi2.ppf(confidence, 1))

    def apart(log_ratio: float) -> float:
        """Koopman's statistic of a ratio, less what it may be."""
        ratio = math.exp(log_ratio)
        a, b, c = ratio * (n + m), ratio * (n + j) + k + m, k + j
        q = (b - math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)  # the second rate that fits best under this ratio
        return _misfit(k, n, min(ratio * q, 1.0)) + _misfit(j, m, q) - most

    if k == 0 and j == 0:
        return 0.0, math.inf
    seen = math.log((k or 0.5) / n * m / (j or 0.5))
    low = 0.0 if k == 0 else math.exp(brentq(apart, seen - 20, seen))
    high = math.inf if j == 0 else math.exp(brentq(apart, seen, seen + 20))
    return low, high


def _misfit(successes: int, episodes: int, rate: float) -> float:
    """Pearson's statistic of a count of successes under a rate."""
    apart, spread = successes - episodes * rate, episodes * rate * (1 - rate)
    return apart**2 / max(spread, 1e-9) if abs(apart) > 1e-6 else 0.0


def evaluate(
    world: World,
    task: Task,
    actor: Actor,
    distribution: Distribution | None = None,
    *,
    episodes: int = 200,
    seed: int = 0,
    parameters: Array | None = None,
) -> Score:
    """Let a policy act in a world, each episode once.

    Args:
        world: where it acts.
        task: what it is to do.
        actor: the policy.
        distribution: what parameters are drawn from; None: the defaults.
        episodes: how many; episode k is the same whoever acts in it.
        seed: of everything random.
        parameters: (episodes, d) to use instead of drawn ones.
    """
    found: list[tuple[Array, Array, Array, Array]] = []
    for first in range(0, episodes, _BATCH):
        numbers = np.arange(first, min(first + _BATCH, episodes))
        rows = None if parameters is None else parameters[numbers]
        found.append(_episodes(world, task, actor, distribution, numbers, seed, rows))
    returns, success, diverged, drawn = (np.concatenate(part) for part in zip(*found, strict=True))
    return Score(returns, success, diverged, drawn)


def _episodes(
    world: World,
    task: Task,
    actor: Actor,
    distribution: Distribution | None,
    numbers: NDArray[np.int64],
    seed: int,
    rows: Array | None,
) -> tuple[Array, Array, Array, Array]:
    """Episodes of these numbers, side by side: returns, successes, which diverged, parameters."""
    n = len(numbers)
    environment = world.make(n, task=task, randomization=distribution, seed=seed, autoreset="disabled")
    asked: dict[str, Any] = {"episodes": numbers, **({} if rows is None else {"parameters": rows})}
    observations, infos = environment.reset(options=asked)
    parameters = infos["parameters"]
    begin(actor, np.ones(n, dtype=bool))
    over = np.zeros(n, dtype=bool)
    returns, success, diverged = np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    while not over.all():
        observations, _, terminated, truncated, infos = environment.step(actor(observations))
        ended = terminated | truncated
        if ended.any():
            final, new = infos["final_info"], ended & ~over
            returns[new] = final["return"][new]
            success[new], diverged[new] = final["success"][new], final["diverged"][new]
            over |= ended
            if not over.all():  # what is over goes on unseen, so that the batch keeps its size
                environment.reset(options={"reset_mask": ended, **asked})
                begin(actor, ended)
    environment.close()
    return returns, success, diverged, parameters


def live_score(
    live: LiveTarget, actor: Actor, episodes: int, seed: int, progress: Progress = silent, name: str = ""
) -> dict[str, Any]:
    """Act on a live target, one episode after the other; JSON-able, as a `Score`."""
    returns, success, seconds = [], [], 0.0
    for number in range(episodes):
        rollouts = live.rollout(actor, 1, seed=seed, first=number)
        returns.append(float(rollouts.returns[0]))
        success.append(bool(rollouts.success[0]))
        seconds += float(rollouts.seconds.sum())
        if number % 5 == 4:
            progress(f"{name or live.name}: {count(number + 1, 'episode')}", (number + 1) / episodes)
    score = Score(np.array(returns), np.array(success), np.zeros(episodes, bool), np.zeros((episodes, 0)))
    return {**score.to_dict(), "seconds of acting": seconds}
