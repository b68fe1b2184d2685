"""Audits against cheating: what PPO learns in a world with a planted flaw, and in an honest one.

The flawed world is a mass above a floor that throws it back harder than it came where the time step lets it sink deep
(`tests/bouncer.py`); the honest one is the double pendulum. Both policies are trained with the same learner.
"""

from __future__ import annotations

import time

from benchmarks.table import show
from simloop import get_world
from simloop.audit.cheating import audit_policy
from simloop.learn import get_learner
from simloop.worlds import World
from tests.bouncer import Bouncer

#: decisions to train for
FLAWED, HONEST = 300_000, 800_000


def run(seeds: int = 3) -> None:
    """Print one row for each world and seed."""
    honest = get_world("double-pendulum/c1")
    cases: list[tuple[str, World, str, int]] = [
        ("planted flaw", Bouncer(), "rise", FLAWED),
        ("honest", honest, "swing-up", HONEST),
    ]
    rows = []
    for name, world, asked, steps in cases:
        task, default = world.task(asked), world.distribution("default")
        for seed in range(seeds):
            started = time.perf_counter()
            policy = get_learner("ppo", {}).train(world, task, default, steps=steps, seed=seed).policy
            trained = time.perf_counter() - started
            audit = audit_policy(world, task, policy, episodes=100, seed=seed)
            energy = next(f for f in audit.flags if f.name.startswith("energy"))
            fall = audit.falls[0]
            rows.append([
                name, seed, f"{audit.score.mean_return:.4g}", f"{audit.score.success_rate:.0%}",
                f"{fall.part:+.1%}", f"{energy.largest:.2g}", "yes" if audit.exploits else "no",
                f"{trained:.0f}", f"{time.perf_counter() - started - trained:.0f}",
            ])  # fmt: skip
            print(f"{name}, seed {seed}: {audit.verdict}\n", flush=True)
    show(
        ["world", "seed", "return", "success", "return falls at half the time step", "energy from nowhere", "found",
         "s trained", "s audited"], rows,
    )  # fmt: skip
