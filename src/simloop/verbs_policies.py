"""What the command line's verbs about policies do and print: `train`, `evaluate`, `watch`, and `loop` with policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simloop import terminal
from simloop.audit.cheating import CheatingAudit, audit_policy
from simloop.config import parsed_pairs
from simloop.distributions import Point
from simloop.errors import InputError, count
from simloop.forecast import Forecast, NextRecording, forecast, next_recording
from simloop.learn import Learner, Policy, Trained, get_learner
from simloop.learn.demonstrations import expert_episodes, write_demonstrations
from simloop.learn.evaluate import evaluate, live_score
from simloop.learn.policy import policy_hash
from simloop.learn.randomisation import randomisation
from simloop.loop import years_in_an_hour
from simloop.progress import Progress, silent
from simloop.runs import POLICY, TRAINING, Resume, Run, read_run
from simloop.targets import live_target
from simloop.worlds import World, get_world
from simloop.worlds.description import describe_world, versions
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
        faster = t.simulated_seconds / max(t.wall_seconds, 1e-9)
        acted = f"; {faster:,.0f} times real time" if t.simulated_seconds else ""
        terminal.say(
            f"{self.learner}: {t.steps:,} decisions in {t.wall_seconds:.0f} s"
            f" ({t.steps / max(t.wall_seconds, 1e-9):,.0f}/s{acted})"
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
        run.stage("versions", lambda: {**versions(world), **learner.versions()})
    return TrainResult(trained, scores, folder, learner.name)


def _identity(folder: Path) -> str:
    """What names the policy in a run's folder: the hash of its files."""
    named = policy_hash(folder / POLICY)
    if not named:
        raise InputError(f"{folder}: no policy to begin from (expected a run's folder that `simloop train` made)")
    return named


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
        width, seen = len(policy.mean), doing.seen or doing.observe(_zeros(found)).shape[1]
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


@dataclass(frozen=True)
class PolicyLoopResult:
    """A finished loop with policies."""

    record: dict[str, Any]
    headline: str
    #: whether the last policy does better than arms that never met the target
    beside: str
    report: Path

    @property
    def scores(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By iteration and arm, how the policy did on the target (`real`) and in simulation (`simulated`)."""
        file, stages = self.record["configuration"]["policy loop"], self.record["stages"]
        names = [*(f"iteration-{i}" for i in range(file["iterations"] + 1)), *(f"arm-{a}" for a in file["arms"])]
        return {name.replace("-", " "): stages[f"score-{name}"] for name in names}

    def to_dict(self) -> dict[str, Any]:
        stages = self.record["stages"]
        costs = [s for name, s in stages.items() if name.startswith(("train-", "adapt-"))]
        simulated, wall = (sum(s[k] for s in costs) for k in ("simulated_seconds", "wall_seconds"))
        acted = [s for name, s in stages.items() if name.startswith("acted-iteration-")]
        return {
            "headline": self.headline,
            "beside": self.beside,
            "target": stages["target"],
            "scores": self.scores,
            "seconds of acting learned from": sum(s["seconds"] for s in acted),
            "seconds of acting tested in": sum(s["real"]["seconds of acting"] for s in self.scores.values()),
            "years of simulation per hour": years_in_an_hour(simulated, wall),
            "versions": stages["versions"],
            "report": str(self.report),
        }

    def show(self) -> None:
        rows = []
        for name, scored in self.scores.items():
            cells = [name]
            for place in ("real", "simulated"):
                if place not in scored:  # an oracle learned in no distribution
                    cells += ["", "", ""]
                    continue
                s = scored[place]
                low, high = s["success_interval"]
                cells += [f"{s['success']:.1%} of {s['episodes']}", f"{low:.1%} to {high:.1%}", f"{s['return']:.4g}"]
            rows.append(cells)
        name, each = self.record["stages"]["target"]["name"], ["success", "95 % interval", "return"]
        terminal.table(
            ["policy", *each, *(f"simulated {e}" for e in each)], rows, title=f"on {name}, and in simulation"
        )
        for sentence in (self.beside, self.headline):
            if sentence:
                terminal.say(sentence)
        found = self.to_dict()
        terminal.say(f"An hour gives {found['years of simulation per hour']:.3g} years of simulation.")
        terminal.say(f"report: {self.report}")


def run_policy_loop_file(
    file: Path, folder: Path, *, resume: Resume, progress: Progress = silent, quiet: bool = False
) -> PolicyLoopResult:
    """Run the file of a loop with policies into a folder and write the report."""
    from simloop.policy_loop import PolicyLoopFile, run_policy_loop
    from simloop.report import opening, write_report
    from simloop.report.learned import Learned

    asked = PolicyLoopFile.read(file)
    say = (lambda _: None) if quiet else terminal.say
    record = run_policy_loop(asked, folder, resume=resume, progress=progress, say=say)
    outcome = Learned.read(folder)
    return PolicyLoopResult(record, opening.headline(outcome), opening.beside_it(outcome), write_report(folder))


def live_sentence(live: Any) -> str:
    """What a live target is, in one line."""
    if live.provenance == "real machine":
        return f"{live.name}: a real machine, {live.description}"
    return f"{live.name}: NOT REAL: {live.description} ({live.provenance})"


def audit_run(
    run: PolicyRun, *, distribution: str | None, episodes: int, seed: int, progress: Progress = silent
) -> CheatingAudit:
    """Ask of a run's policy whether it does the task or exploits the simulator."""
    drawn = randomisation(run.world, run.task, distribution)
    return audit_policy(run.world, run.task, run.policy, drawn, episodes=episodes, seed=seed, progress=progress)


@dataclass(frozen=True)
class ForecastResult:
    """A forecast, and the recording that would narrow it most, where that was asked for."""

    found: Forecast
    next: NextRecording | None
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        planned = {"next recording": self.next.to_dict()} if self.next else {}
        return {**self.found.to_dict(), **planned, "versions": self.versions}

    def show(self) -> None:
        self.found.show()
        if self.next:
            n = self.next
            terminal.say(
                f"to know better how {n.policy} does, record {n.excitation.description}: its interval should shrink to"
                f" {n.width:.0%} of its width"
            )


def forecast_runs(
    runs: Sequence[PolicyRun],
    distributions: Sequence[str],
    *,
    episodes: int,
    draws: int,
    plan: bool,
    seed: int,
    progress: Progress = silent,
) -> ForecastResult:
    """Forecast how the policies of several runs will do in a real test."""
    first = runs[0]
    for run in runs[1:]:
        if (run.world.name, run.task.name) != (first.world.name, first.task.name):
            raise InputError(
                f"{run.name} was trained for {run.task.name!r} in {run.world.name!r}, {first.name} for"
                f" {first.task.name!r} in {first.world.name!r}: they cannot be compared"
            )
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(f"two runs are called alike: {', '.join(names)}; give folders with names of their own")
    known = [first.world.distribution(name) for name in distributions]
    found = forecast(first.world, first.task, {run.name: run.policy for run in runs}, known, real_episodes=episodes,
                     draws=draws, seed=seed, progress=progress)  # fmt: skip
    planned = next_recording(first.world, known[0], found, first.name) if plan else None
    return ForecastResult(found, planned, versions(first.world))


def demonstrate_into(
    folder: Path, world: World, task: Task, distribution: str | None, *, episodes: int, seed: int
) -> str:
    """Record the world's expert into a new folder; say how it did."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not an empty folder; give a new one for the demonstrations")
    drawn = randomisation(world, task, distribution)
    shown, score = expert_episodes(world, task, world.expert(task), episodes, drawn, seed)
    write_demonstrations(shown, folder)
    return (
        f"{folder}: {count(episodes, 'demonstration')} of {task.name!r} in {world.name!r} by its expert, success"
        f" {score.success_rate:.0%}, return {score.mean_return:.4g}"
    )


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
