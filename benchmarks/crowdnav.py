"""CrowdNav's table: a robot among five people who cross a circle, 500 published test cases; ORCA, and PPO's policies.

A policy is trained by PPO on circles of its own seeds, in which people do not see the robot, and then steers it through
the test cases, where they do not see it and where they do. Published (Chen et al., ICRA 2019, robot not seen): ORCA
.43, LSTM-RL .95, SARL .99 success.

    python -m benchmarks crowdnav                          # trains first: about 10 minutes for each of three seeds
    python -m benchmarks.crowdnav runs/nav ...             # policies that are there
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.table import show
from simloop.learn import Policy
from simloop.learn.evaluate import success_interval
from simloop.worlds.crowd_nav.world import CrowdNav, scored

_SEEDS, _TARGET, _LONGEST = 3, 0.99, 15.0


def run(folders: list[str] | None = None) -> None:
    """Print the table."""
    world = CrowdNav()
    policies: dict[str, tuple[Callable[[Any], Any] | None, str]] = {"orca": (None, "")}
    if folders:
        policies |= {folder: (Policy.load(folder), "") for folder in folders}
    else:
        policies |= {f"ppo, seed {seed}": _trained(world, seed) for seed in range(_SEEDS)}
    rows = []
    for name, (policy, minutes) in policies.items():
        for visible in (False, True):
            found = scored(world, policy, visible=visible)
            low, high = success_interval(int(found.reached.sum()), len(found.reached))
            met = "" if policy is None or visible else "yes" if found.success >= _TARGET else "no"
            rows.append([name, "yes" if visible else "no", f"{found.success:.3f} ({low:.3f} to {high:.3f})", met,
                         f"{found.collisions:.3f}", f"{found.time:.2f}", minutes])  # fmt: skip
    show(["robot", "seen by people", "success", f"at least {_TARGET}", "collisions", "s to the goal",
          f"minutes of training (at most {_LONGEST:g})"], rows)  # fmt: skip


def _trained(world: CrowdNav, seed: int) -> tuple[Policy, str]:
    from simloop.verbs_policies import training_of

    task = world.task("reach")
    learner, steps = training_of(task, "ppo", [], None)
    made = learner.train(world, task, world.distribution("default"), steps=steps, seed=seed)
    return made.policy, f"{made.wall_seconds / 60:.1f}"


if __name__ == "__main__":
    run(sys.argv[1:])
