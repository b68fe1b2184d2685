"""Row 5: what a residual force gains on held-out recordings over the same parameters alone, windows of 0.2 s.

The force and the parameters are fitted on the training recordings with the method's defaults; where cross-validation on
them rejects the force, both arms are the same simulation and the ratio is exactly 1. Ratios are of the RMSE averaged
over joints, paired, with bootstrap intervals (over files from eight on). The last table is what stepping with the force
costs.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.table import show
from simloop import Comparison, Replay, get_target, get_world
from simloop.adapt import get_method
from simloop.adapt.adaptation import Adaptation
from simloop.distributions import Normal, Point
from simloop.gap import windowed_gaps
from simloop.loop import starting_point
from simloop.worlds import World

#: world -> (training recordings, held-out recordings)
SETS = {
    "double-pendulum/c1": ("double-pendulum/design-c1/train", ["double-pendulum/design-c1/test"]),
    "qube": ("qube/chirps-train", ["qube/chirps-test", "qube/swing-up-5s", "qube/swing-up-7s"]),
}
HORIZON, MANY = 0.2, 4000


def run() -> None:
    """Print the tables."""
    rows, candidates, costs = [], [], []
    for name, (train, tests) in SETS.items():
        world, method = get_world(name), get_method("residual")
        started = time.perf_counter()
        fit = method.fit(Comparison(world, get_target(train, world)), starting_point(world, method))
        print(f"{name}: {fit.diagnostics['residual']}, {time.perf_counter() - started:.0f} s, {fit.rollouts} windows")
        candidates += [[name, *(f"{v:.3f}" if isinstance(v, float) else v for v in c.values())]
                       for c in fit.diagnostics["residual candidates"]]  # fmt: skip
        rows += [_compared(world, fit, test) for test in tests]
        costs.append([name, *_rates(world, fit, tests[0])])
    print()
    show(["held out", "parameters alone, RMSE (rad)", "with the force", "ratio [95 %]", "target"], rows)
    print()
    show(["world", "features", "strength", "left out / no force", "SE", "faster / no force", "SE"], candidates)
    print()
    show(["world", "simulated s per s, alone", "with the force", "ratio"], costs)


def _alone(world: World, fit: Adaptation) -> Point:
    """The fitted parameters without the force."""
    return Point(world.parameters, fit.distribution.mean[: len(world.parameters)])


def _compared(world: World, fit: Adaptation, test: str) -> list[str]:
    windows = Replay(world, get_target(test, world).recordings).windows(HORIZON)
    arms = {"alone": _alone(world, fit), "force": fit.distribution}
    alone, force = windowed_gaps(world, windows, arms, reference="alone")
    assert force.ratio is not None
    assert force.ratio_interval is not None
    low, high = force.ratio_interval
    errors = [" / ".join(f"{p.rmse:.4f}" for p in g.parts) for g in (alone, force)]
    return [test, *errors, f"{force.ratio:.3f} [{low:.2f}, {high:.2f}]", "<= .92"]


def _rates(world: World, fit: Adaptation, test: str) -> list[str]:
    """Simulated seconds per second of many windows without and with the force, of three alternating runs the best."""
    windows = Replay(world, get_target(test, world).recordings).windows(HORIZON)
    segments = windows.segments.take(np.arange(MANY) % len(windows))
    assert isinstance(fit.distribution, Normal)
    forced, row = world.central(fit.distribution)
    if forced is world:
        return ["-", "-", "1 (rejected)"]
    best = [0.0, 0.0]
    for _ in range(3):
        for k, (one, own) in enumerate(((world, row[: len(world.parameters)]), (forced, row))):
            started = time.perf_counter()
            one.simulate(own, segments)
            best[k] = max(best[k], MANY * HORIZON / (time.perf_counter() - started))
    return [f"{best[0]:.0f}", f"{best[1]:.0f}", f"{best[1] / best[0]:.2f}"]
