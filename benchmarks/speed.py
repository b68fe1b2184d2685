"""Rows 4-6: how much of the physical limit the package leaves.

The limit is bare `mujoco.batch.Batch.rollout` of the same windows with controls prepared beforehand, on all cores.
It is timed before and after each measurement in the same run, and the ratio is of simulated seconds per wall second.
Model: the double pendulum of design C.1 (two hinges, friction loss, no contacts), recorded torques, 2 ms steps.
"""

from __future__ import annotations

import os
import time

import numpy as np
from mujoco.batch import Batch

from benchmarks.table import show
from simloop import Comparison, LeastSquares, SimOpt, get_target, get_world
from simloop.loop import starting_point
from simloop.targets.windows import Windows
from simloop.worlds.physics import PhysicsWorld


def run() -> None:
    """Print the table."""
    world = get_world("double-pendulum/c1")
    assert isinstance(world, PhysicsWorld)
    train = get_target("double-pendulum/design-c1/train", world)
    rows = []
    for number, method in ((4, LeastSquares()), (5, SimOpt())):
        comparison = Comparison(world, train)
        windows = comparison.cut(method.horizons[-1] if isinstance(method, LeastSquares) else method.horizon)
        before = bare_rate(world, windows, 4000)
        fit = method.fit(comparison, starting_point(world, method))
        after = bare_rate(world, windows, 4000)
        rate = fit.simulated_seconds / fit.wall_seconds
        bare = (before + after) / 2
        rows.append(
            [
                number,
                f"{method.name}, {fit.rollouts} windows",
                f"{rate:.0f}",
                f"{bare:.0f}",
                f"{rate / bare:.2f}",
                ">= 0.8",
            ]
        )
    windows = Comparison(world, train).cut(0.2)
    ratios, rates = [], []
    for _ in range(5):
        bare = bare_rate(world, windows, 10_000)
        rates.append((simulate_rate(world, windows, 10_000), bare))
        ratios.append(rates[-1][0] / bare)
    middle = int(np.argsort(ratios)[len(ratios) // 2])
    rows.append([6, "simulate of 10,000 windows (median of 5)", f"{rates[middle][0]:.0f}", f"{rates[middle][1]:.0f}",
                 f"{ratios[middle]:.2f}", ">= 0.9"])  # fmt: skip
    print(f"{os.cpu_count()} cores; one hour of bare rollout gives {rates[middle][1] * 3600 / 31557600:.2f} years\n")
    show(["#", "what", "simulated s per s", "bare rollout", "ratio", "target"], rows)


def _many(windows: Windows, count: int) -> Windows:
    return windows.take(np.arange(count) % len(windows))


def bare_rate(world: PhysicsWorld, windows: Windows, count: int) -> float:
    """Simulated seconds per second of bare rollouts of `count` windows, controls prepared beforehand."""
    segments = _many(windows, count).segments
    rows = np.repeat(world.parameters.default[None], count, axis=0)
    control = world.channel.act(rows, segments, seed=0, first=0)
    batch = Batch(world.model, count)
    batch.bind("qpos")[:] = segments.state[:, : world.model.nq]
    batch.bind("qvel")[:] = segments.state[:, world.model.nq :]
    started = time.perf_counter()
    batch.rollout(segments.steps, control=control, record=["qpos", "qvel"])
    return count * segments.steps * world.control_dt / (time.perf_counter() - started)


def simulate_rate(world: PhysicsWorld, windows: Windows, count: int) -> float:
    """The same through `World.simulate` with its own parameters for each window, control preparation included."""
    segments = _many(windows, count).segments
    rows = world.distribution("wide").sample(count, np.random.default_rng(0))
    started = time.perf_counter()
    world.simulate(rows, segments)
    return count * segments.steps * world.control_dt / (time.perf_counter() - started)
