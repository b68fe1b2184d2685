"""How near imitation comes to whom it imitates: 3 seeds, 200 episodes each, in the same episodes.

The expert knows the state and the parameters of each episode; cloning sees recordings of it, DAgger asks it; the
teacher is PPO that sees the parameters, the student sees a history of what the machine senses. Under the wide
randomisation where the expert itself is up to it (the double pendulum), else with default parameters: the Qube's expert
fails in half of the wide episodes, and no sensor of the drawer's arm tells where the cabinet stands. Adversarial
imitation sees recordings with default parameters.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.table import show
from simloop.distributions import Distribution
from simloop.learn import get_learner
from simloop.learn.demonstrations import demonstrations, expert_score, write_demonstrations
from simloop.learn.evaluate import Score, evaluate
from simloop.learn.teacher import PolicyExpert
from simloop.verbs_policies import randomisation
from simloop.worlds import World, get_world
from simloop.worlds.task import Task

#: decisions: of cloning, over all passes; of DAgger and of the student; of the teacher and of adversarial imitation;
#: and of that where there is only to balance
CLONING, ASKING, ACTING, BALANCING = 1_500_000, 150_000, 1_300_000, 500_000
SEEDS, EPISODES, SHOWN = 3, 200, 100


def run() -> None:
    """Print one table."""
    rows = []
    for seed in range(SEEDS):
        pendulum, qube, drawer = (get_world(n) for n in ("double-pendulum/c1", "qube", "drawer"))
        with tempfile.TemporaryDirectory() as there:
            rows += _shown(pendulum, "wide", "bc", CLONING, seed, Path(there) / "wide")
            rows += _shown(pendulum, "default", "gail", ACTING, seed, Path(there) / "default")
            rows += _shown(pendulum, "default", "gail", BALANCING, seed, Path(there) / "balance", "balance")
            for world in (pendulum, qube):
                rows += _taught(world, seed, Path(there) / world.name)
        rows += _asked(pendulum, "wide", {}, ASKING, seed)
        rows += _asked(qube, "default", {}, ASKING, seed)
        rows += _asked(drawer, "default", {"history": 4}, ASKING // 3, seed)
    print()
    show(["world", "parameters", "seed", "who", "success [95 %]", "return", "part of whom it imitates", "training s"],
         rows)  # fmt: skip


def _shown(
    world: World, where: str, name: str, steps: int, seed: int, folder: Path, what: str | None = None
) -> list[list[object]]:
    """The world's expert, and who saw recordings of it, of other episodes than those that are scored."""
    task = world.task(what)
    drawn = randomisation(world, task, where)
    write_demonstrations(demonstrations(world, task, world.expert(), SHOWN, drawn, seed=SEEDS + seed), folder)
    best = expert_score(world, task, world.expert(), drawn, episodes=EPISODES, seed=seed)
    options: dict[str, object] = {"demonstrations": str(folder)}
    return [
        _row(world, where, seed, f"expert, {task.name}", best),
        _learned(world, task, drawn, where, name, options, steps, seed, best),
    ]


def _asked(world: World, where: str, options: dict[str, object], steps: int, seed: int) -> list[list[object]]:
    """The world's expert, and who asked it."""
    task = world.task()
    drawn = randomisation(world, task, where)
    best = expert_score(world, task, world.expert(), drawn, episodes=EPISODES, seed=seed)
    return [
        _row(world, where, seed, "expert", best),
        _learned(world, task, drawn, where, "dagger", options, steps, seed, best),
    ]


def _taught(world: World, seed: int, folder: Path) -> list[list[object]]:
    """A teacher that sees the parameters, and its student."""
    task = world.task()
    drawn = randomisation(world, task, "wide")
    trained = get_learner("ppo", {"privileged": True}).train(world, task, drawn, steps=ACTING, seed=seed)
    trained.policy.save(folder)
    best = expert_score(world, task, PolicyExpert(trained.policy), drawn, episodes=EPISODES, seed=seed)
    return [
        _row(world, "wide", seed, "teacher (ppo, privileged)", best, None, trained.wall_seconds),
        _learned(world, task, drawn, "wide", "distill", {"teacher": str(folder)}, ASKING, seed, best),
    ]


def _learned(
    world: World,
    task: Task,
    distribution: Distribution,
    where: str,
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
    return _row(world, where, seed, f"{name}, {task.name}", score, imitated, seconds)


def _row(
    world: World,
    where: str,
    seed: int,
    who: str,
    score: Score,
    imitated: Score | None = None,
    seconds: float | None = None,
) -> list[object]:
    low, high = score.success_interval
    part = f"{score.mean_return / imitated.mean_return:.3f}" if imitated else ""
    row: list[object] = [
        world.name,
        where,
        seed,
        who,
        f"{score.success_rate:.1%} [{low:.1%}, {high:.1%}]",
        f"{score.mean_return:.1f}",
        part,
        f"{seconds:.0f}" if seconds else "",
    ]
    print(*row, flush=True)
    return row
