"""What the command line's verbs about policies do and print: `train`, `evaluate`, `watch`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simloop import terminal
from simloop.adapt.adaptation import Progress, silent
from simloop.distributions import Point
from simloop.errors import InputError, count
from simloop.learn import Learner, Policy, Trained, get_learner
from simloop.learn.evaluate import evaluate, live_score
from simloop.learn.randomisation import randomisation
from simloop.loop import describe_world, versions, years_in_an_hour
from simloop.runs import POLICY, TRAINING, Resume, Run, read_run
from simloop.targets import live_target
from simloop.verbs import parsed_pairs
from simloop.worlds import World, get_world
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.task import Task, describe_task

#: episodes in which a policy is scored after its training
EPISODES = 200
#: decisions to train for, where neither a person nor the task says it
STEPS = 1_500_000


@dataclass(frozen=True)
class TrainResult:
    """A finished training, and how its policy does in the worlds that it was trained in and in the default one."""

    trained: Trained
    scores: dict[str, dict[str, Any]]
    folder: Path
    learner: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.folder.name,
            "learner": self.learner,
            **self.trained.to_dict(),
            "scores": self.scores,
            "years of simulation per hour": years_in_an_hour(self.trained.simulated_seconds, self.trained.wall_seconds),
        }

    def show(self) -> None:
        t = self.trained
        years = years_in_an_hour(t.simulated_seconds, t.wall_seconds)
        terminal.say(
            f"{self.learner}: {t.steps:,} decisions in {t.wall_seconds:.0f} s ({t.steps / t.wall_seconds:,.0f}/s;"
            f" {years:.3g} years of simulated time in an hour)"
        )
        show_scores(self.scores)
        terminal.say(f"the policy is in {self.folder / POLICY}")


def show_scores(scores: dict[str, dict[str, Any]]) -> None:
    """Print one table of how a policy does in several places."""
    rows = []
    for name, s in scores.items():
        low, high = s["success_interval"]
        a, b = s["return_interval"]
        rows.append([name, f"{s['episodes']}", f"{s['success']:.1%}", f"{low:.1%} to {high:.1%}",
                     f"{s['return']:.4g}", f"{a:.4g} to {b:.4g}", f"{s['diverged']}"])  # fmt: skip
    terminal.table(["in", "episodes", "success", "95 % interval", "return", "95 % interval", "diverged"], rows)


def train_into(
    folder: Path,
    world: World,
    task: Task,
    learner: Learner,
    distribution: str | None,
    *,
    steps: int,
    seed: int = 0,
    resume: Resume = "if-match",
    begin_from: Path | None = None,
    progress: Progress = silent,
    asked: dict[str, Any] | None = None,
) -> TrainResult:
    """Train a policy into a run's folder, or go on there; `asked` is the world as it was given."""
    drawn = randomisation(world, task, distribution)
    configuration = {
        "train": {
            "learner": learner.name,
            "options": vars(learner),
            "steps": steps,
            "seed": seed,
            "distribution": drawn.to_dict(),
            "begin from": _identity(begin_from) if begin_from else None,
        },
        "world": describe_world(world),
        "task": describe_task(task),
    }
    with Run.open(folder, configuration, resume=resume) as run:
        made: list[Trained] = []

        def compute() -> dict[str, Any]:
            trained = learner.train(
                world, task, drawn, steps=steps, seed=seed, folder=folder / TRAINING,
                begin_from=begin_from / TRAINING if begin_from else None, progress=progress,
            )  # fmt: skip
            made.append(trained)
            trained.policy.save(folder)
            return trained.to_dict()

        record = run.stage("train", compute)
        trained = made[0] if made else Trained(Policy.load(folder), **record)
        arms = {distribution or "default": drawn, "default": Point(world.parameters)}
        scores = run.stage("scores", lambda: {
            name: evaluate(world, task, trained.policy, arm, episodes=EPISODES, seed=seed).to_dict()
            for name, arm in arms.items()
        })  # fmt: skip
        run.stage("asked", lambda: asked or {"world": world.name, "task": task.name})
        run.stage("versions", lambda: versions(world))
    return TrainResult(trained, scores, folder, learner.name)


def _identity(folder: Path) -> str:
    """What names the policy in a run's folder: the hash of its files."""
    files = sorted((folder / POLICY).glob("*"))
    if not files:
        raise InputError(f"{folder}: no policy to begin from (expected a run's folder that `simloop train` made)")
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


@dataclass(frozen=True)
class PolicyRun:
    """A policy, and where and for what it was trained."""

    policy: Policy
    world: World
    task: Task
    name: str

    @classmethod
    def read(cls, folder: Path, *, world: str | None = None, task: str | None = None) -> PolicyRun:
        """Read a run that trained a policy; another world or task may be asked for by name."""
        policy = Policy.load(folder)
        stages = read_run(folder)["stages"] if (folder / "run.json").exists() else {}
        asked = stages.get("asked", {})
        name = world or asked.get("world") or policy.record.get("world")
        if not name:
            raise InputError(f"{folder}: does not say which world its policy is for; give --world")
        found = get_world(str(name))
        doing = found.task(task or asked.get("task") or policy.record.get("task"))
        width, seen = len(policy.mean), doing.observe(_zeros(found)).shape[1]
        if width != seen:
            raise InputError(
                f"{folder}: its policy sees {width} numbers, task {doing.name!r} of {found.name!r} shows {seen}"
            )
        return cls(policy, found, doing, folder.name)


def _zeros(world: World) -> Any:
    import numpy as np

    return np.zeros((1, sum(c.width for c in world.channels)))


@dataclass(frozen=True)
class EvaluateResult:
    """How a policy does in worlds and on a live target."""

    scores: dict[str, dict[str, Any]]
    provenance: str
    revealed: dict[str, float]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        shared = {"provenance": self.provenance, "versions": self.versions}
        return {"scores": self.scores, **shared, **({"hidden": self.revealed} if self.revealed else {})}

    def show(self) -> None:
        if self.provenance:
            terminal.say(self.provenance)
        show_scores(self.scores)
        if self.revealed:
            terminal.table(["hidden", "value"], [[k, f"{v:.4g}"] for k, v in self.revealed.items()])


def evaluate_run(
    run: PolicyRun,
    *,
    target: str | None,
    mapping: str | None = None,
    distribution: str | None = None,
    episodes: int = EPISODES,
    reveal: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> EvaluateResult:
    """Let a policy act: in the default world, in a distribution's, and on a live target where one is given."""
    world, task, actor = run.world, run.task, run.policy
    scores = {}
    arms = {"default": Point(world.parameters)}
    if distribution and distribution != "default":
        arms[distribution] = randomisation(world, task, distribution)  # type: ignore[assignment]
    for done, (name, arm) in enumerate(arms.items()):
        progress(f"evaluate: {name}", done / (len(arms) + 1))
        scores[name] = evaluate(world, task, actor, arm, episodes=episodes, seed=seed).to_dict()
    said, revealed = "", {}
    if target:
        live = live_target(target, world, task, seed=seed, mapping=mapping)
        with live:
            scores[live.name] = live_score(live, actor, episodes, seed, progress)
            said = live_sentence(live)
            revealed = dict(live.reveal()) if reveal else {}
    return EvaluateResult(scores, said, revealed, versions(world))


def live_sentence(live: Any) -> str:
    """What a live target is, in one line."""
    if live.provenance == "real machine":
        return f"{live.name}: a real machine, {live.description}"
    return f"{live.name}: NOT REAL: {live.description} ({live.provenance})"


def training_of(task: Task, learner: str, pairs: Sequence[str], steps: int | None) -> tuple[Learner, int]:
    """The learner, with the task's own options and then those of ["name=value", ...], and its number of decisions."""
    own = dict(task.training.get(learner, {}))
    budget = int(own.pop("steps", STEPS))
    return get_learner(learner, {**own, **parsed_pairs(pairs)}), steps or budget


def watch_run(
    run: PolicyRun,
    output: Path,
    *,
    distribution: str | None,
    episodes: int,
    seed: int,
    progress: Progress = silent,
) -> str:
    """Write a video of a policy's episodes side by side; say what it shows."""
    from simloop.report.video import watch, write_video

    if not isinstance(run.world, PhysicsWorld):
        raise InputError(f"world {run.world.name!r} cannot be drawn")
    drawn = randomisation(run.world, run.task, distribution)
    progress("watch: acting", 0.0)
    watched = watch(run.world, run.task, run.policy, drawn, episodes=episodes, seed=seed)
    progress("watch: drawing", 0.5)
    write_video(output, run.world, watched)
    progress("watch: written", 1.0)
    seconds = (len(watched.qpos) - 1) * watched.dt
    return (
        f"{output}: {count(episodes, 'episode')} of up to {seconds:.3g} s, {int(watched.success.sum())} successful,"
        f" return {watched.returns.mean():.4g} (simulated; parameters: {distribution or 'default'})"
    )
