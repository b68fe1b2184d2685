"""How policies will do on the real machine, before anyone runs them there.

    found = forecast(world, "swing-up", {"a": a, "b": b}, world.distribution("runs/fit"), real_episodes=20)
    found["a"].returned, found["a"].return_interval       # the mean return of 20 real episodes, 90 % interval
    found["a"].risks[0]                                   # the parameter that its score hangs on most
    found.wrong("a", "b")                                 # probability that the real test ranks the two the other way
    next_recording(world, distribution, found, "a")       # what to record to know better

The machine is one draw of the distribution, and a real test is `real_episodes` episodes with it: each draw is tried in
just such a test, so that an interval holds what is not known of the parameters, where episodes start, noise, and that a
test is short. All policies are tried under the same draws, starts and noise, so that they are compared in pairs.

An interval lies between order statistics, (K + 1) q of K draws, so that if reality is as one more draw its score falls
into it as often as it says, whatever the distribution of scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from simloop import terminal
from simloop.distributions import Distribution
from simloop.errors import InputError, unknown
from simloop.excitation import Excitation
from simloop.learn.evaluate import evaluate
from simloop.learn.policy import Actor
from simloop.parameters import Array, ParameterSpace
from simloop.plan import Considered, consider
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.worlds.task import Task
from simloop.worlds.uncertain import with_errors
from simloop.worlds.world import World

#: draws that a forecast needs for its interval to have ends, at least
_LEAST = 20
#: rank correlation over this many standard errors is more than chance
_CLEAR = 3.0


@dataclass(frozen=True)
class Risk:
    """What a score owes to a parameter.

    Attributes:
        parameter: its name.
        correlation: Spearman's, of the parameter and the return over draws.
        share: of the variance of the return's rank, what the parameter explains beside all others (squared
            standardised rank regression coefficient; Saltelli and Marivoet, Reliability Engineering and System Safety
            28, 1990); for correlated parameters shares do not add up.
    """

    parameter: str
    correlation: float
    share: float


@dataclass(frozen=True, eq=False)
class PolicyForecast:
    """The forecast of one policy.

    Attributes:
        name: of the policy.
        returns, success: (K,) mean return and success rate of a real test under each draw.
        confidence: of the intervals.
        risks: parameters whose rank correlation with the return is more than chance, the largest share first.
        explained: share of the variance of the return's rank that all parameters explain together; the rest is the
            test's own chance, and what is not monotone.
    """

    name: str
    returns: Array
    success: Array
    confidence: float
    risks: tuple[Risk, ...]
    explained: float

    @property
    def returned(self) -> float:
        """The expected mean return."""
        return float(self.returns.mean())

    @property
    def success_rate(self) -> float:
        """The expected success rate."""
        return float(self.success.mean())

    @property
    def return_interval(self) -> tuple[float, float]:
        """Where the mean return of a real test will be."""
        return predictive_interval(self.returns, self.confidence)

    @property
    def success_interval(self) -> tuple[float, float]:
        """Where the success rate of a real test will be."""
        return predictive_interval(self.success, self.confidence)

    def to_dict(self) -> dict[str, Any]:
        return {
            "return": self.returned,
            "return_interval": self.return_interval,
            "success": self.success_rate,
            "success_interval": self.success_interval,
            "risks": [vars(r) for r in self.risks],
            "explained": self.explained,
        }


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of policies, compared under the same draws.

    Attributes:
        world, task: what they act in.
        real_episodes: of a real test.
        confidence: of the intervals.
        space: of the draws.
        rows: (K, d) the draws; of several distributions those parameters that they share.
        policies: by name.
        diverged: simulated episodes that did.
    """

    world: str
    task: str
    real_episodes: int
    confidence: float
    space: ParameterSpace
    rows: Array
    policies: Mapping[str, PolicyForecast]
    diverged: int

    def __getitem__(self, name: str) -> PolicyForecast:
        if name not in self.policies:
            raise unknown("policy", name, self.policies)
        return self.policies[name]

    @property
    def ranking(self) -> list[str]:
        """The policies, the one with the largest expected return first."""
        return sorted(self.policies, key=lambda name: -self.policies[name].returned)

    def wrong(self, a: str, b: str) -> float:
        """Probability that a real test of both ranks them the other way than this forecast; ties count half."""
        first, second = sorted((a, b), key=self.ranking.index)
        apart = self[first].returns - self[second].returns
        return float((apart < 0).mean() + (apart == 0).mean() / 2)

    def to_dict(self) -> dict[str, Any]:
        return {
            "world": self.world,
            "task": self.task,
            "real episodes": self.real_episodes,
            "confidence": self.confidence,
            "draws": len(self.rows),
            "diverged": self.diverged,
            "ranking": self.ranking,
            "policies": {name: p.to_dict() for name, p in self.policies.items()},
            "wrong": [{"better": a, "worse": b, "probability": self.wrong(a, b)}
                      for a, b in combinations(self.ranking, 2)],
        }  # fmt: skip

    def show(self) -> None:
        diverged = f", {self.diverged} episodes diverged" if self.diverged else ""
        terminal.say(
            f"{self.world}, {self.task}: forecast of {self.real_episodes} real episodes, {self.confidence:.0%}"
            f" intervals ({len(self.rows)} draws{diverged})"
        )
        rows = []
        for name in self.ranking:
            p = self.policies[name]
            (a, b), (low, high) = p.return_interval, p.success_interval
            hangs = ", ".join(f"{r.parameter} ({r.share:.0%})" for r in p.risks[:3]) or "nothing that is varied"
            rows.append([name, f"{p.returned:.4g}", f"{a:.4g} to {b:.4g}", f"{p.success_rate:.0%}",
                         f"{low:.0%} to {high:.0%}", hangs])  # fmt: skip
        terminal.table(["policy", "return", "interval", "success", "interval", "hangs on"], rows)
        for better, worse in pairwise(self.ranking):
            terminal.say(f"{better} before {worse}: wrong with probability {self.wrong(better, worse):.0%}")


def forecast(
    world: World,
    task: Task | str | None,
    policies: Mapping[str, Actor],
    distribution: Distribution | Sequence[Distribution],
    *,
    real_episodes: int = 20,
    draws: int = 200,
    confidence: float = 0.9,
    sensing: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Forecast:
    """Forecast how policies do in a test on the real machine.

    Args:
        world: the machine's simulation.
        task: what they are to do.
        policies: by name.
        distribution: what is known of the machine; of several, each gives an equal part of the draws.
        real_episodes: of the test.
        draws: machines that are tried.
        confidence: of the intervals.
        sensing: (least, largest) of errors of sensors by name (`noise.joint1`, `lag.joint1.velocity`), drawn where the
            distribution says nothing about them, as a fit to recordings does not of how late readings reach a policy;
            by default the task's own.
        seed: of everything random.
        progress: told of each policy.
    """
    task = world.task(task)
    several = [distribution] if isinstance(distribution, Distribution) else list(distribution)
    several = [with_errors(world, d, task.sensing if sensing is None else sensing) for d in several]
    if not policies or not several:
        raise InputError("a forecast needs at least one policy and one distribution")
    if draws < _LEAST * len(several) or real_episodes < 1:
        raise InputError(
            f"a forecast needs at least {_LEAST} draws of each distribution and 1 real episode, got {draws} draws of"
            f" {len(several)} and {real_episodes} episodes"
        )
    if not 0 < confidence < 1:
        raise InputError(f"confidence: expected a number between 0 and 1, got {confidence:g}")
    parts = np.array_split(np.arange(draws), len(several))
    drawn = [d.sample(len(part), stream(seed, "forecast", i))
             for i, (d, part) in enumerate(zip(several, parts, strict=True))]  # fmt: skip
    shared = [n for n in several[0].space.names if all(n in d.space.names for d in several)]
    space = ParameterSpace([p for p in several[0].space if p.name in shared])
    rows = np.concatenate([r[:, [d.space.index(n) for n in shared]] for d, r in zip(several, drawn, strict=True)])
    found: dict[str, PolicyForecast] = {}
    diverged = 0
    for done, (name, actor) in enumerate(policies.items()):
        progress(f"forecast: {name}", done / len(policies))
        returns, success = np.empty(draws), np.empty(draws)
        for i, (d, part) in enumerate(zip(several, parts, strict=True)):
            score = evaluate(
                world, task, actor, d, episodes=len(part) * real_episodes, seed=seed, parameters=np.repeat(
                    drawn[i], real_episodes, axis=0),
            )  # fmt: skip
            returns[part] = score.returns.reshape(len(part), -1).mean(axis=1)
            success[part] = score.success.reshape(len(part), -1).mean(axis=1)
            diverged += int(score.diverged.sum())
        risks, explained = score_risks(space, rows, returns)
        found[name] = PolicyForecast(name, returns, success, confidence, risks, explained)
    return Forecast(world.name, task.name, real_episodes, confidence, space, rows, found, diverged)


def predictive_interval(scores: Array, confidence: float) -> tuple[float, float]:
    """Between which one more of exchangeable scores (K,) falls with this probability."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail], method="weibull")
    return float(low), float(high)


def score_risks(space: ParameterSpace, rows: Array, returns: Array) -> tuple[tuple[Risk, ...], float]:
    """What returns (K,) owe to the parameters of rows (K, d), and what all of them explain together."""
    from scipy.stats import rankdata

    varied = np.flatnonzero(np.ptp(rows, axis=0) > 0)
    if np.ptp(returns) == 0 or not len(varied):
        return (), 0.0
    ranks = np.stack([rankdata(rows[:, j]) for j in varied], axis=1)
    x = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    y = rankdata(returns)
    y = (y - y.mean()) / y.std()
    correlation = x.T @ y / len(y)
    # without ranks to spare the regression fits chance: then each parameter is taken by itself
    if len(y) > 2 * len(varied):
        slope = np.linalg.lstsq(x, y, rcond=None)[0]
        rest = ((y - x @ slope) ** 2).sum() / (len(y) - len(varied) - 1)
        explained = float(np.clip(1 - rest * (len(y) - 1) / len(y), 0, 1))  # adjusted for their number
    else:
        slope, explained = correlation, float("nan")
    clear = np.abs(correlation) > _CLEAR / np.sqrt(len(y) - 1)
    risks = [
        Risk(space.names[j], float(c), float(min(s**2, 1.0)))
        for j, c, s, seen in zip(varied.tolist(), correlation, slope, clear, strict=True)
        if seen
    ]
    return tuple(sorted(risks, key=lambda r: -r.share)), explained


@dataclass(frozen=True, eq=False)
class NextRecording:
    """The recording that would narrow a forecast most.

    Attributes:
        policy: whose forecast.
        excitation: what to play.
        width: of the interval after it, as expected, over that of now.
        known: share of the return's variance now that parameters explain (linearly), which recordings can take away.
    """

    policy: str
    excitation: Excitation
    width: float
    known: float

    def to_dict(self) -> dict[str, Any]:
        e = self.excitation
        return {"policy": self.policy, "kind": e.kind, "description": e.description, "seconds": len(e.actions),
                "width": self.width, "known": self.known}  # fmt: skip


def next_recording(
    world: World,
    distribution: Distribution,
    found: Forecast,
    policy: str,
    *,
    limits: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    seconds: float = 4.0,
    candidates: int = 32,
    draws: int = 3,
    seed: int = 0,
    progress: Progress = silent,
) -> NextRecording:
    """Choose the excitation whose recording would narrow a policy's forecast most; arguments as of `plan`.

    Where `plan` asks for information about all parameters, this asks for the one combination of them that the score
    hangs on: c-optimal design (Chaloner and Verdinelli 1995, section 2.2), with c the slope of the return by a linear
    regression on the forecast's own draws. What the regression does not explain no recording takes away.
    """
    considered = consider(
        world, distribution, 1, limits=limits, ranges=ranges, seconds=seconds, candidates=candidates, draws=draws,
        seed=seed, progress=progress,
    )  # fmt: skip
    slope = score_slope(world, found, policy, considered.root)
    total = float(found[policy].returns.var())
    before = float(slope @ slope)
    after = expected_variance(considered, slope)
    best = int(after.argmin())
    rest = max(total - before, 0.0)
    width = float(np.sqrt((rest + after[best]) / max(rest + before, 1e-300)))
    return NextRecording(policy, considered.kept[best], width, min(before / max(total, 1e-300), 1.0))


def score_slope(world: World, found: Forecast, policy: str, root: Array) -> Array:
    """Slope (r,) of a policy's return along the columns of a root (d, r) of the draws' covariance."""
    own = [found.space.index(n) for n in world.parameters.names]
    z = world.parameters.to_scale(found.rows[:, own])
    u = (z - z.mean(axis=0)) @ np.linalg.pinv(root).T
    y = found[policy].returns - found[policy].returns.mean()
    # a ridge, as if a slope were no larger than the score's own spread: few draws must not explain chance
    return np.asarray(np.linalg.solve(u.T @ u + np.eye(u.shape[1]), u.T @ y))


def expected_variance(considered: Considered, slope: Array) -> Array:
    """Variance (C,) of what has this slope (r,) after each of C recordings, averaged over the considered draws."""
    root = considered.root
    inside = np.einsum("dr,kcde,es->kcrs", root, considered.informations, root) + np.eye(root.shape[1])
    return np.asarray((np.linalg.solve(inside, slope[:, None])[..., 0] @ slope).mean(axis=0))


def rank_violation(predicted: Array, real: Array) -> float:
    """Mean maximum rank violation of predicted scores (P,) against real ones (SimplerEnv; Li et al., CoRL 2024).

    For each policy the largest real difference to another that the prediction ranks the other way; their mean.
    """
    apart = real[:, None] - real
    violated = (predicted[:, None] < predicted) != (real[:, None] < real)
    return float((np.abs(apart) * violated).max(axis=1).mean())


def pearson(predicted: Array, real: Array) -> float:
    """Pearson's correlation of predicted and real scores (P,); NaN where either is constant."""
    if np.ptp(predicted) == 0 or np.ptp(real) == 0:
        return float("nan")
    return float(np.corrcoef(predicted, real)[0, 1])
