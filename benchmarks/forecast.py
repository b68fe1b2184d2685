"""Forecasts of policies on 50 hidden realities: do intervals hold the real scores, are policies ranked rightly?

Six policies lift both links of the double pendulum with springs and dampers to upright and part of gravity's torque:
three stiffnesses, each well and little damped. Half of the realities are in PyBullet, half in MuJoCo with effects that
the world does not model (`targets/realities.py`). On each, one policy acts three times (twice with sines added), least
squares fits the parameters, and every policy's mean return of a real test of three episodes is forecast. What the fit
says nothing about, how late and noisy sensors are in closed loop, is drawn from a range by hand. Then all act for real.
The arm that did nothing is the world with its own defaults.

How it is set up was chosen on realities from 100 on; those here are others.

The second table is of the real double pendulum, as far as recordings allow: its controllers are not at hand, only what
they commanded, so what is forecast is how upright and still the links are, on average, over windows of the held-out
recordings (the task's reward without its cost of effort) when the recorded commands are played.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import show
from simloop import Comparison, Hierarchical, LeastSquares, get_target, get_world
from simloop.distributions import Distribution, Normal, Point
from simloop.errors import InputError
from simloop.forecast import forecast, pearson, predictive_interval, rank_violation
from simloop.gap.ensemble import predicted
from simloop.learn import Actor
from simloop.parameters import Array
from simloop.targets import live_target
from simloop.targets.rollouts import Rollouts
from simloop.worlds import World
from simloop.worlds.double_pendulum import DESIGNS
from simloop.worlds.task import Task

REALITIES, EPISODES, DRAWS, DEFAULT_DRAWS = 50, 3, 39, 20
#: N m of the sines that two of three recorded episodes have added
SINES = 1.5
METHOD = LeastSquares(horizons=(0.3,), starts=1, iterations=6)
#: least and largest of what sensors do in closed loop: s, rad
SENSORS = {
    "lag.joint1.velocity": (0.001, 0.015),
    "lag.joint2.velocity": (0.001, 0.015),
    "noise.joint1": (0.0003, 0.003),
    "noise.joint2": (0.0003, 0.003),
}


@dataclass
class Lift:
    """Springs and dampers to upright, and part of gravity's torque, in N m, rad and s."""

    stiffness: float
    damping: float
    gravity: float = 0.9
    sines: float = 0.0
    decision_dt: float = 0.02
    _made: int = field(default=0, init=False)

    def begin(self, places: NDArray[np.bool_]) -> None:
        """Forget how long it has acted."""
        self._made = 0

    def __call__(self, observation: Array) -> Array:
        design = DESIGNS["c1"]
        (m1, m2), (r1, r2) = design.mass, design.com
        q = np.arctan2(observation[:, :2], observation[:, 2:4])
        rate = observation[:, 4:] * 6.0
        second = 9.81 * m2 * r2 * np.sin(q.sum(axis=1))
        first = 9.81 * (m1 * r1 + m2 * design.length) * np.sin(q[:, 0]) + second
        away = np.arctan2(np.sin(np.pi - q[:, 0]), np.cos(np.pi - q[:, 0]))
        shoulder = self.gravity * first + self.stiffness * away - self.damping * rate[:, 0]
        elbow = self.gravity * second - self.stiffness / 2 * q[:, 1] - self.damping / 3 * rate[:, 1]
        time = self._made * self.decision_dt
        self._made += 1
        added = self.sines * np.array([np.sin(7 * time + np.sin(0.9 * time)), np.sin(11 * time + 1)])
        return np.stack([shoulder, elbow], axis=1) + added


#: damping over the root of stiffness
_DAMPED = {"damped": 0.3, "little damped": 0.12}
POLICIES: dict[str, Actor] = {
    f"{k} {name}": Lift(k, c * k**0.5) for k in (3, 8, 20) for name, c in _DAMPED.items()
}  # fmt: skip
_RECORDED = {"stiffness": 8.0, "damping": 0.3 * 8**0.5}


@dataclass
class Arm:
    """What an arm forecast of realities: one row each."""

    predicted: list[Array] = field(default_factory=list)
    inside: list[Array] = field(default_factory=list)
    width: list[Array] = field(default_factory=list)


def run(realities: int = REALITIES) -> None:
    """Print the tables."""
    hidden_realities(range(realities))
    real_recordings()


def hidden_realities(numbers: range) -> None:
    """Coverage and ranks on hidden realities, PyBullet's and MuJoCo's in turn."""
    world = get_world("double-pendulum/c1")
    task = replace(world.task("swing-up"), seconds=3.0, hold=0.5)
    arms = {name: Arm() for name in ("fitted", "default")}
    real, engines = [], []
    for number in numbers:
        engine = ("pybullet", "mujoco")[number % 2]
        scores, recorded = acted(world, task, engine, number)
        real.append(scores)
        engines.append(engine)
        target = recorded.as_target()
        fit = METHOD.fit(Comparison(world, target), _prior(world)).distribution
        of_arm = {"fitted": fit, "default": Point(world.parameters)}
        for name, distribution in of_arm.items():
            found = forecast(
                world, task, POLICIES, distribution, real_episodes=EPISODES, sensing=SENSORS, seed=number,
                draws=DRAWS if name == "fitted" else DEFAULT_DRAWS,
            )  # fmt: skip
            ends = np.array([found[p].return_interval for p in POLICIES])
            arms[name].predicted.append(np.array([found[p].returned for p in POLICIES]))
            arms[name].inside.append((ends[:, 0] <= scores) & (scores <= ends[:, 1]))
            arms[name].width.append(ends[:, 1] - ends[:, 0])
        ours = arms["fitted"]
        print(f"{engine} {number}: inside {int(ours.inside[-1].sum())} of {len(scores)}, off by "
              + ", ".join(f"{x:+.1f}" for x in scores - ours.predicted[-1]), flush=True)  # fmt: skip
        if number % 10 == 9:
            table(arms, np.array(real), np.array(engines))


def acted(world: World, task: Task, engine: str, number: int) -> tuple[Array, Rollouts]:
    """All policies' mean returns on a reality, and the recordings that one of them made before."""
    name = f"standin:{world.name}{'@mujoco' if engine == 'mujoco' else ''}#{number}"
    with live_target(name, world, task) as live:
        plain = live.rollout(Lift(**_RECORDED), 1, seed=2)
        moved = live.rollout(Lift(**_RECORDED, sines=SINES), 2, seed=2, first=1)
        scores = [live.rollout(policy, EPISODES, seed=1).returns.mean() for policy in POLICIES.values()]
    return np.array(scores), Rollouts.joined([plain, moved])


def table(arms: dict[str, Arm], real: Array, engines: NDArray[np.str_]) -> None:
    """Print what the arms came to so far."""
    rows = []
    for name, arm in arms.items():
        means, inside, width = np.array(arm.predicted), np.array(arm.inside), np.array(arm.width)
        for engine in ("pybullet", "mujoco", "both"):
            at = np.ones(len(real), bool) if engine == "both" else engines == engine
            if at.any():
                violation = [rank_violation(p, r) for p, r in zip(means[at], real[at], strict=True)]
                r = [pearson(p, r) for p, r in zip(means[at], real[at], strict=True)]
                off = np.abs(means[at] - real[at])
                rows.append([name, engine, int(at.sum()), f"{inside[at].mean():.1%}", f"{np.median(width[at]):.1f}",
                             f"{np.median(off):.1f}", f"{np.mean(violation):.2f}", f"{np.mean(r):.3f}"])  # fmt: skip
    print()
    show(["arm", "engine", "realities", "90 % intervals hold", "median width", "median error", "MMRV", "Pearson"], rows)
    print(flush=True)


def _prior(world: World) -> Normal:
    prior = world.distribution("prior")
    assert isinstance(prior, Normal)
    return prior


def real_recordings(horizons: tuple[float, ...] = (0.2, 0.5, 1.0), draws: int = 59) -> None:
    """Coverage of how upright and still the real links are over windows of recordings that no fit has seen."""
    world = get_world("double-pendulum/c1")
    try:
        train, test = (get_target(f"double-pendulum/design-c1/{part}", world) for part in ("train", "test"))
    except InputError as error:
        print(f"no real recordings: {error}")
        return
    arms: dict[str, Distribution] = {"default": Point(world.parameters), "wide": world.distribution("wide")}
    for method in (LeastSquares(), Hierarchical()):
        arms[method.name] = method.fit(Comparison(world, train), _prior(world)).distribution
    rows = []
    for horizon in horizons:
        for name, distribution in arms.items():
            simulated, real = rewards(world, Comparison(world, test), distribution, horizon, draws)
            ends = np.array([predictive_interval(p, 0.9) for p in simulated])
            inside = (ends[:, 0] <= real) & (real <= ends[:, 1])
            off = np.abs(np.median(simulated, axis=1) - real)
            rows.append([f"{horizon:g} s", name, len(real), f"{inside.mean():.1%}",
                         f"{np.median(ends[:, 1] - ends[:, 0]):.4f}", f"{off.mean():.4f}",
                         f"{pearson(np.median(simulated, axis=1), real):.4f}"])  # fmt: skip
    show(["window", "arm", "windows", "90 % intervals hold", "median width", "mean error", "Pearson"], rows)


def rewards(
    world: World, comparison: Comparison, distribution: Distribution, horizon: float, draws: int
) -> tuple[Array, Array]:
    """Mean reward over each window, without its cost of effort: of each draw (n, S), and of the recording (n,)."""
    windows = comparison.cut(horizon)
    task = world.task("swing-up")
    nothing = np.zeros(len(world.actions))

    def mean_reward(values: Array) -> Array:
        flat = values.reshape(-1, values.shape[-1])
        each = task.reward(flat, flat, np.broadcast_to(nothing, (len(flat), len(nothing))))
        return np.asarray(each.reshape(values.shape[:-1]).mean(axis=-1))

    simulated = predicted(world, windows, distribution, draws=draws, seed=0)
    real = mean_reward(windows.measured)
    whole = np.isfinite(real)
    return mean_reward(simulated)[whole], real[whole]
