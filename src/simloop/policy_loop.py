"""The loop with policies: learn in simulation, act in reality, move the randomisation, learn again.

    result = run_policy_loop(PolicyLoopFile.read("examples/drawer.yaml"), Path("runs/drawer"))

Chebotar et al., "Closing the Sim-to-Real Loop" (arXiv 1810.05687), Algorithm 1:

    p_0 = what is believed at first
    for each iteration i:
        policy <- reinforcement learning in worlds drawn from p_i, from where the policy before left off
        a few rollouts of the policy on the target, without its reward, of what its sensors say
        p_{i+1} <- adapt p_i, so that simulated rollouts of the policy look like the real ones

Beside it stand policies of the same budget that never saw the target, and on a stand-in one that learned on the target
itself (`policy_arms.py`). All are scored on the target in episodes that no fit has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from simloop.adapt import Adaptation, Comparison, Method, get_method
from simloop.adapt.acted import ActedComparison
from simloop.config import Strict, parse_value, read_yaml
from simloop.distributions import Distribution, Normal
from simloop.errors import InputError
from simloop.learn import Learner, Policy, Trained, get_learner
from simloop.learn.evaluate import evaluate, live_score
from simloop.learn.randomisation import sensed
from simloop.loop import AdaptStep, relative_to
from simloop.policy_arms import Arm, check_arms, said, train_arm
from simloop.policy_rollouts import beside_simulated
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.runs import TRAINING, Resume, Run, read_run, write_json
from simloop.targets import live_target
from simloop.targets.live import LiveTarget
from simloop.targets.rollouts import Rollouts
from simloop.worlds import World, get_world
from simloop.worlds.description import describe_world, versions
from simloop.worlds.observed import observed
from simloop.worlds.task import Task, describe_task

#: simulated episodes that a policy is scored in, in the distribution that it was trained in
SIMULATED = 200


class LearnStep(Strict):
    """How policies are trained: decisions for the first, and for each that goes on from the one before.

    `oracle`: those that the arm of that name takes on the target, by default as many as all that go on together.
    """

    learner: str = "ppo"
    options: dict[str, Any] = Field(default_factory=dict)
    steps: int | None = Field(default=None, ge=1)
    again: int | None = Field(default=None, ge=1)
    oracle: int | None = Field(default=None, ge=1)


class PolicyLoopFile(Strict):
    """The YAML file of a loop with policies."""

    world: str
    task: str | None = None
    target: str = Field(min_length=1)
    mapping: str | None = None
    learn: LearnStep = LearnStep()
    adapt: AdaptStep | Literal["none"] = AdaptStep(method="simopt")
    #: the distribution that the first policy is trained in
    start: str = "search"
    iterations: int = Field(default=3, ge=0)
    #: real rollouts of each iteration
    rollouts: int = Field(default=3, ge=1)
    #: whether an adaptation looks at the rollouts of all iterations so far; in the paper it does at the last ones
    remember: bool = False
    #: what stands beside the loop (`policy_arms.py`)
    arms: list[Arm] = Field(default=["none", "wide"])
    #: episodes on the target that policies are scored in
    episodes: int = Field(default=100, ge=1)
    seed: int = 0

    @field_validator("adapt")
    @classmethod
    def _known(cls, value: AdaptStep | str) -> AdaptStep | str:
        if isinstance(value, AdaptStep):
            get_method(value.method, value.options)
        return value

    @field_validator("learn")
    @classmethod
    def _learner(cls, value: LearnStep) -> LearnStep:
        get_learner(value.learner, value.options)
        return value

    @model_validator(mode="after")
    def _possible(self) -> PolicyLoopFile:
        check_arms(self.arms, self.target, get_learner(self.learn.learner, self.learn.options))
        return self

    @classmethod
    def read(cls, path: str | Path) -> PolicyLoopFile:
        """Read the file; paths in it are relative to it."""
        file = read_yaml(path, cls)
        folder = Path(path).parent
        changes = {k: relative_to(folder, getattr(file, k)) for k in ("world", "mapping")}
        return file.model_copy(update=changes)

    @staticmethod
    def describes(path: str | Path) -> bool:
        """Whether a loop's file is one with policies: it says what is learned, or names one target to act on."""
        try:
            content = parse_value(Path(path).read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError):
            return False  # `read` says what is wrong with it
        return isinstance(content, dict) and ("learn" in content or isinstance(content.get("target"), str))


@dataclass(frozen=True)
class Budget:
    """Decisions of the first training, of each that follows, and of an oracle on the target."""

    first: int
    again: int
    oracle: int

    def total(self, iterations: int) -> int:
        """Decisions of all trainings of a loop together."""
        return self.first + iterations * self.again


class Loop:
    """What the steps of one loop share."""

    def __init__(self, file: PolicyLoopFile, run: Run, world: World, task: Task, live: LiveTarget) -> None:
        self.file, self.run, self.world, self.task, self.live = file, run, world, task, live
        own = dict(task.training.get(file.learn.learner, {}))
        steps = int(own.pop("steps", 1_000_000))
        self.learner: Learner = get_learner(file.learn.learner, {**own, **file.learn.options})
        first = file.learn.steps or steps
        again = file.learn.again or max(1, first // 5)
        self.budget = Budget(first, again, file.learn.oracle or max(1, file.iterations) * again)
        self.method: Method | None = None
        if isinstance(file.adapt, AdaptStep):
            self.method = get_method(file.adapt.method, file.adapt.options)

    def seed(self, *names: str | int) -> int:
        """A seed of its own for what is named."""
        return int(stream(self.file.seed, "policy loop", *names).integers(2**31))

    def train(
        self,
        name: str,
        distribution: Distribution,
        steps: int,
        progress: Progress,
        begin_from: str | None = None,
        *,
        learner: Learner | None = None,
        world: World | None = None,
        more: Mapping[str, float] = MappingProxyType({}),
    ) -> Policy:
        """Train a policy as a stage, in a folder of its own in the run.

        Args:
            name: of the folder and the stage.
            distribution: what episodes are drawn from, with the task's errors of sensors where it is silent on them.
            steps: decisions to take.
            progress: told of each chunk.
            begin_from: the name of the training to begin from.
            learner: another one than the loop's.
            world: where to train, if not in the loop's.
            more: what the record says otherwise than the learner.
        """
        folder = self.run.folder / name

        def compute() -> dict[str, Any]:
            trained: Trained = (learner or self.learner).train(
                world or self.world, self.task, sensed(self.world, self.task, distribution), steps=steps,
                seed=self.file.seed,
                folder=folder / TRAINING,
                begin_from=self.run.folder / begin_from / TRAINING if begin_from else None,
                progress=lambda message, done: progress(f"{name}: {message}", done),
            )  # fmt: skip
            trained.policy.save(folder)
            return {**trained.to_dict(), **more}

        self.run.stage(f"train-{name}", compute)
        return Policy.load(folder)

    def act(self, name: str, policy: Policy, first: int) -> Rollouts:
        """A few rollouts on the target, kept as they are."""
        file = self.run.folder / name / "rollouts.npz"
        if not file.exists():
            self.live.rollout(policy, self.file.rollouts, seed=self.file.seed, first=first).save(file)
        rollouts = Rollouts.load(file)
        self.run.stage(f"acted-{name}", lambda: {"seconds": float(rollouts.seconds.sum()), "rollouts": len(rollouts),
                                                 "success": float(rollouts.success.mean())})  # fmt: skip
        return rollouts

    def score(self, name: str, policy: Policy, distribution: Distribution | None, progress: Progress) -> dict[str, Any]:
        """How a policy does on the target, and in the distribution that it was trained in where there is one."""
        task, seed = self.task, self.file.seed

        def compute() -> dict[str, Any]:
            real = live_score(self.live, policy, self.file.episodes, self.seed("score"), progress, name)
            if distribution is None:
                return {"real": real}
            drawn = sensed(self.world, task, distribution)
            simulated = evaluate(self.world, task, policy, drawn, episodes=SIMULATED, seed=seed)
            return {"real": real, "simulated": simulated.to_dict()}

        scored: dict[str, Any] = self.run.stage(f"score-{name}", compute)
        return scored

    def comparison(self, acted: list[tuple[Policy, Rollouts]]) -> Comparison:
        """The real rollouts beside the world: whole ones are acted again, others are replayed in windows."""
        if self.world.whole:
            return ActedComparison(self.world, self.task, list(acted))
        target = Rollouts.joined([r for _, r in acted]).as_target()
        return Comparison(observed(self.world, target.recordings.channels), target)

    def show(self, i: int, policy: Policy, rollouts: Rollouts, before: Distribution, after: Distribution) -> None:
        """Keep for the report what the policy did on the target, and what it does under both distributions."""
        arms = {"before": before} if self.method is None else {"before": before, "after": after}
        self.run.stage(
            f"beside-{i}",
            lambda: beside_simulated(self.world, self.task, policy, rollouts, arms, seed=self.file.seed),
        )

    def first(self, method: Method, current: Distribution) -> Normal:
        """Where a method begins: one that searches where the distribution stands, others at the prior."""
        start = current if method.starts_from == "search" else self.world.distribution("prior")
        if not isinstance(start, Normal):
            raise InputError(f"{method.name}: starts from a Gaussian, and {self.file.start!r} is a {start.kind}")
        return start

    def adapt(
        self, i: int, current: Distribution, acted: list[tuple[Policy, Rollouts]], progress: Progress
    ) -> Distribution:
        """Move the distribution by what the policies did on the target."""
        method = self.method
        if method is None:
            return current
        start = self.first(method, current)
        record = self.run.stage(
            f"adapt-{i + 1}",
            lambda: method.fit(
                self.comparison(acted),
                start,
                seed=self.seed("adapt", i),
                checkpoint=self.run.checkpoint(f"adapt-{i + 1}"),
                progress=progress,
            ).to_dict(),
        )
        return Adaptation.from_dict(record).distribution


def run_policy_loop(
    file: PolicyLoopFile,
    folder: Path,
    *,
    resume: Resume = "if-match",
    progress: Progress = silent,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the loop, or go on where it stopped; return what `read_run` gives."""
    world = get_world(file.world)
    task = world.task(file.task)
    start = world.distribution(file.start)
    with (
        live_target(file.target, world, task, seed=file.seed, mapping=file.mapping) as live,
        Run.open(folder, configuration(file, world, task), resume=resume) as run,
    ):
        loop = Loop(file, run, world, task, live)
        if loop.method:
            loop.first(loop.method, start)  # before anything is trained
        run.stage("target", lambda: {"name": live.name, "provenance": live.provenance,
                                     "description": live.description})  # fmt: skip
        _iterate(loop, start, progress, say)
        for arm in file.arms:
            say(said(loop, arm))
            policy, drawn = train_arm(loop, arm, start, progress)
            loop.score(f"arm-{arm}", policy, drawn, progress)
        run.stage("versions", lambda: {**versions(world), **loop.learner.versions()})
    return read_run(folder)


def _iterate(loop: Loop, current: Distribution, progress: Progress, say: Callable[[str], None]) -> None:
    """Algorithm 1, with a score of each iteration's policy that no step of it reads."""
    acted: list[tuple[Policy, Rollouts]] = []
    before: str | None = None
    for i in range(loop.file.iterations + 1):
        name = f"iteration-{i}"
        steps = loop.budget.again if before else loop.budget.first
        say(f"iteration {i}: training for {steps:,} decisions")
        loop.run.stage(f"distribution-{i}", current.to_dict)
        policy = loop.train(name, current, steps, progress, before)
        scored = loop.score(name, policy, current, progress)
        say(f"iteration {i}: success {scored['simulated']['success']:.0%} simulated, {scored['real']['success']:.0%}"
            f" on {loop.live.name}")  # fmt: skip
        if i == loop.file.iterations:
            break
        rollouts = loop.act(name, policy, first=i * loop.file.rollouts)
        acted = [*acted, (policy, rollouts)] if loop.file.remember else [(policy, rollouts)]
        drawn = current
        current = loop.adapt(i, current, acted, progress)
        loop.show(i, policy, rollouts, drawn, current)
        before = name
    write_json(loop.run.folder / "distribution.json", current.to_dict())


def configuration(file: PolicyLoopFile, world: World, task: Task) -> dict[str, Any]:
    """Everything that decides a loop's results."""
    return {"policy loop": file.model_dump(), "world": describe_world(world), "task": describe_task(task)}
