"""How near imitation comes to whom it imitates, under the wide randomisation: 3 seeds, 200 episodes each.

The expert knows the state and the parameters of each episode; cloning sees recordings of it, DAgger asks it; the
teacher is PPO that sees the parameters, the student sees a history of what the machine senses. Each is scored in the
same episodes. Adversarial imitation sees the recordings that cloning sees, with default parameters, where it works.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.table import show
from simloop.distributions import Distribution, Point
from simloop.learn import get_learner
from simloop.learn.demonstrations import demonstrations, expert_score, write_demonstrations
from simloop.learn.evaluate import Score, evaluate
from simloop.learn.teacher import PolicyExpert
from simloop.verbs_policies import randomisation
from simloop.worlds import World, get_world
from simloop.worlds.task import Task

#: decisions: of cloning, over all passes; of DAgger and of the student; of the teacher and of adversarial imitation
CLONING, ASKING, ACTING = 1_500_000, 150_000, 1_300_000
SEEDS, EPISODES, SHOWN = 3, 200, 100


def run() -> None:
    """Print one table for each pendulum."""
    for name in ("double-pendulum/c1", "qube"):
        world = get_world(name)
        rows = [row for seed in range(SEEDS) for row in _rows(world, world.task("swing-up"), seed)]
        show(["world", "seed", "who", "success", "return", "part of whom it imitates", "training s"], rows)
        print(flush=True)


def _rows(world: World, task: Task, seed: int) -> list[list[object]]:
    wide = randomisation(world, task, "wide")
    expert = world.expert(task)
    best = expert_score(world, task, expert, wide, episodes=EPISODES, seed=seed)
    rows = [_row(world, seed, "expert", best)]
    with tempfile.TemporaryDirectory() as there:
        demos, teacher = Path(there) / "demos", Path(there) / "teacher"
        # of other episodes than those that are scored
        write_demonstrations(demonstrations(world, task, expert, SHOWN, wide, seed=1000 + seed), demos)
        learned = {
            "bc": ({"demonstrations": str(demos)}, CLONING),
            "dagger": ({}, ASKING),
        }
        for name, (options, steps) in learned.items():
            rows.append(_learned(world, task, wide, name, options, steps, seed, best))
        trained = get_learner("ppo", {"privileged": True}).train(world, task, wide, steps=ACTING, seed=seed)
        trained.policy.save(teacher)
        taught = expert_score(world, task, PolicyExpert(trained.policy), wide, episodes=EPISODES, seed=seed)
        rows.append(_row(world, seed, "teacher (ppo, privileged)", taught, None, trained.wall_seconds))
        rows.append(_learned(world, task, wide, "distill", {"teacher": str(teacher)}, ASKING, seed, taught))
        plain = Point(world.parameters)
        write_demonstrations(demonstrations(world, task, expert, SHOWN, plain, seed=2000 + seed), demos / "plain")
        shown = expert_score(world, task, expert, plain, episodes=EPISODES, seed=seed)
        options = {"demonstrations": str(demos / "plain")}
        rows.append(_learned(world, task, plain, "gail", options, ACTING, seed, shown))
    return rows


def _learned(
    world: World,
    task: Task,
    distribution: Distribution,
    name: str,
    options: dict[str, object],
    steps: int,
    seed: int,
    imitated: Score,
) -> list[object]:
    """Train a learner and score it beside whom it imitates."""
    started = time.perf_counter()
    trained = get_learner(name, options).train(world, task, distribution, steps=steps, seed=seed)
    seconds = time.perf_counter() - started
    score = evaluate(world, task, trained.policy, distribution, episodes=EPISODES, seed=seed)
    return _row(world, seed, name, score, imitated, seconds)


def _row(
    world: World, seed: int, who: str, score: Score, imitated: Score | None = None, seconds: float | None = None
) -> list[object]:
    low, high = score.success_interval
    part = f"{score.mean_return / imitated.mean_return:.3f}" if imitated else ""
    row = [world.name, seed, who, f"{score.success_rate:.1%} [{low:.1%}, {high:.1%}]", f"{score.mean_return:.1f}", part,
           f"{seconds:.0f}" if seconds else ""]  # fmt: skip
    print(*row, flush=True)
    return row
