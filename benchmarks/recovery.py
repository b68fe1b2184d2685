"""Row 8: parameters injected into stand-ins and found again, 100 times.

Each repeat draws parameters of the double pendulum from the distribution that the method starts from, records three
noisy stand-ins of 6 s under them, fits, and asks: how far off, and did the stated 90 % interval hold the truth?
Pooled over parameters and repeats. Errors are in units of the start's spread: 1 is what not looking gives on average.
All run at stated, smaller budgets: least squares on windows of 0.5 s that do not overlap, from one start; the posterior
on 96 windows of 0.2 s with 1000 simulations; SimOpt with 8 iterations x 100 samples x 24 windows. SimOpt's spread says
where its search is, not how sure it is, so its coverage is for comparison alone.
"""

from __future__ import annotations

import numpy as np

from benchmarks.table import show
from simloop import Comparison, get_world
from simloop.adapt import LeastSquares, Method, Posterior, SimOpt
from simloop.loop import starting_point
from simloop.randomness import stream
from simloop.targets.standin import standin_target

METHODS: tuple[Method, ...] = (
    LeastSquares(horizons=(0.5,), stride=1.0, starts=1),
    Posterior(simulations=1000),
    SimOpt(iterations=8, samples=100, windows=24),
)


def run(repeats: int = 100) -> None:
    """Print the table."""
    rows = []
    for method in METHODS:
        errors, inside = recover(method, repeats)
        rows.append(
            [
                method.name,
                repeats,
                f"{np.median(np.abs(errors)):.3f}",
                f"{np.sqrt((errors**2).mean()):.3f}",
                f"{inside.mean():.3f}",
                f"{inside.mean(axis=0).min():.2f} to {inside.mean(axis=0).max():.2f}",
            ]
        )
    show(["method", "repeats", "median error", "RMS error", "90 % interval covers", "by parameter"], rows)


def recover(method: Method, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Return errors in units of the start's spread, and whether the 90 % interval held the truth, (repeats, d)."""
    world = get_world("double-pendulum/c1")
    space = world.parameters
    start = starting_point(world, method)
    errors, inside = [], []
    for i in range(repeats):
        truth = start.sample(1, stream(i, "recovery", "truth"))[0]
        target = standin_target(world, seed=i, episodes=3, seconds=6, truth=truth)
        fit = method.fit(Comparison(world, target), start, seed=i).distribution
        draws = space.to_scale(fit.sample(2000, stream(i, "recovery", "draws")))
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        z = space.to_scale(truth)
        errors.append((space.to_scale(fit.mean) - z) / start.spread)
        inside.append((low <= z) & (z <= high))
    return np.array(errors), np.array(inside)
