"""What the folder of a run that trained policies says, read into types once, so that sections deal with no JSON.

    outcome = Learned.read(Path("runs/drawer"))           # of a loop with policies, or of `simloop train`
    outcome.last, outcome.arms["wide"].real, outcome.live

A stage that is not there is None or empty; a stage that is not what simloop writes is one sentence with its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from simloop.adapt import Adaptation
from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.learn.curricula import CURRICULA
from simloop.parameters import ParameterSpace
from simloop.policy_arms import PARTS
from simloop.report.outcome import Which, parsed
from simloop.report.stages import Replays, without_folders
from simloop.runs import read_run

T = TypeVar("T")
#: the arm that learned on the target itself
ORACLE = "oracle"


@dataclass(frozen=True)
class Scored:
    """How a policy did in episodes somewhere: rates with 95 % intervals, and s of acting on a live target."""

    episodes: int
    success: float
    success_interval: tuple[float, float]
    mean_return: float
    return_interval: tuple[float, float]
    diverged: int
    seconds: float | None = None

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Scored:
        (low, high), (least, most) = record["success_interval"], record["return_interval"]
        seconds = record.get("seconds of acting")
        return cls(
            episodes=int(record["episodes"]),
            success=float(record["success"]),
            success_interval=(float(low), float(high)),
            mean_return=float(record["return"]),
            return_interval=(float(least), float(most)),
            diverged=int(record["diverged"]),
            seconds=None if seconds is None else float(seconds),
        )


@dataclass(frozen=True)
class Curve:
    """A training: what it cost, and (decisions, success, return) of its chunks in which episodes ended."""

    steps: int
    simulated_seconds: float
    wall_seconds: float
    points: tuple[tuple[int, float, float], ...]
    diverged: int
    #: s of acting on the target that it learned from
    acted: float = 0.0

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Curve:
        history = [dict(line) for line in record["history"]]
        return cls(
            steps=int(record["steps"]),
            simulated_seconds=float(record["simulated_seconds"]),
            wall_seconds=float(record["wall_seconds"]),
            points=tuple((int(h["steps"]), float(h["success"]), float(h["return"]))
                         for h in history if h.get("success") is not None and h.get("return") is not None),
            diverged=sum(int(h.get("diverged") or 0) for h in history),
            acted=float(record.get("seconds of acting", 0.0)),
        )  # fmt: skip


@dataclass(frozen=True)
class Trainee:
    """A policy of a run: in which distribution and how it was trained, how it does in there and on the target."""

    name: str
    distribution: Distribution | None
    curve: Curve | None
    simulated: Scored | None
    real: Scored | None


@dataclass(frozen=True)
class Live:
    """The live target as the run kept it."""

    name: str
    provenance: str
    description: str

    @property
    def real(self) -> bool:
        return self.provenance == "real machine"

    @property
    def spoken(self) -> str:
        """The name, and what it is where it is not a real machine."""
        return self.name if self.real else f"{self.name}, NOT REAL ({self.provenance})"

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Live:
        return cls(without_folders(record["name"]), str(record["provenance"]), str(record["description"]))


@dataclass(frozen=True)
class Acted:
    """What an iteration did on the target: how many rollouts, and s of acting."""

    rollouts: int
    seconds: float

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Acted:
        return cls(int(record["rollouts"]), float(record["seconds"]))


@dataclass(frozen=True)
class Beside:
    """Rollouts on the target and in simulation of one iteration's policy; None and why where they are not there."""

    success: tuple[bool, ...]
    replays: Replays | None
    wraps: tuple[bool, ...]
    why_not: str = ""

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Beside:
        if "not compared" in record:
            return cls((), None, (), str(record["not compared"]))
        shown = record["replays"]
        return cls(tuple(map(bool, record["success"])), Replays.from_dict(shown), tuple(map(bool, shown["wraps"])))


@dataclass(frozen=True)
class Learned:
    """Everything that the report of a run with policies tells of.

    Attributes:
        kind: a loop with policies, or one training.
        result: what `read_run` gives.
        live: the live target; None where there is none.
        trainees: the policies of a loop's iterations in order, or the one of a training.
        arms: what stands beside a loop, by name: policies as long trained that never met the target, and the oracle.
        widened: of arms whose randomisation was widened, each part's decisions before it and its distribution.
        widest: the ranges by hand that these widen to.
        scores: of a training, by the name of what it was scored in.
        fits: adaptations by what each followed, as "simopt after iteration 0".
        acted: what was done on the target, by iteration.
        beside: rollouts on the target and in simulation, by iteration.
        space: the world's own parameters.
        missing: stages that a finished run would have.
    """

    folder: Path
    kind: Literal["loop", "train"]
    result: dict[str, Any]
    live: Live | None
    trainees: tuple[Trainee, ...]
    arms: dict[str, Trainee]
    scores: dict[str, Scored]
    fits: dict[str, Adaptation]
    acted: dict[int, Acted]
    beside: dict[int, Beside]
    space: ParameterSpace
    versions: dict[str, str]
    missing: tuple[str, ...]
    widened: dict[str, tuple[tuple[int, Distribution], ...]] = field(default_factory=dict)
    widest: Distribution | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, Any]:
        found: dict[str, Any] = self.result["configuration"]
        return found

    @property
    def file(self) -> dict[str, Any]:
        """What a person asked for: the loop's file, or how to train."""
        found: dict[str, Any] = self.configuration["policy loop" if self.kind == "loop" else "train"]
        return found

    @property
    def task(self) -> dict[str, Any]:
        found: dict[str, Any] = self.configuration["task"]
        return found

    @property
    def last(self) -> Trainee | None:
        """The last policy of the loop that was scored on the target."""
        return next((t for t in reversed(self.trainees) if t.real is not None), None)

    @property
    def finished(self) -> int:
        """Iterations of a loop whose policy was scored on the target, the first training not counted."""
        return sum(t.real is not None for t in self.trainees) - 1

    def seconds_of_acting(self, iterations: int) -> float | None:
        """s on the target of the rollouts before the policy of an iteration; None where a run has not kept them."""
        if any(i not in self.acted for i in range(iterations)):
            return None
        return sum(self.acted[i].seconds for i in range(iterations))

    @property
    def not_real(self) -> str:
        """What a table's caption says more where the target is not a real machine; else ""."""
        return "" if self.live is None or self.live.real else f" NOT REAL: {self.live.provenance}."

    def target_of_figure(self, which: Which | Literal["score", "none"]) -> tuple[str, bool]:
        """What is said below a figure about its target, and whether that is real."""
        if which == "none":
            return "No target: NOT REAL, simulation alone", False
        if self.live is None:
            return "Target: not recorded in this run", False
        what = {"fit": "rollouts that the randomisation was fitted to", "test": "episodes that no fit has seen",
                "score": "episodes that no fit has seen"}[which]  # fmt: skip
        if self.live.real:
            return f"Target: real machine, {self.live.name}, {what}", True
        return f"Target: NOT REAL, {self.live.provenance}, {self.live.name}, {what}", False

    @staticmethod
    def describes(folder: Path) -> bool:
        """Whether a folder holds a run that trained policies."""
        manifest = folder / "run.json"
        return bool(parsed(manifest, lambda: {"policy loop", "train"} & set(read_run(folder)["configuration"])))

    @classmethod
    def read(cls, folder: Path) -> Learned:
        """Read a run's folder."""
        manifest = folder / "run.json"
        result = parsed(manifest, lambda: read_run(folder))
        stages = result["stages"]
        configuration = parsed(manifest, lambda: dict(result["configuration"]))
        kind: Literal["loop", "train"] = "loop" if "policy loop" in configuration else "train"
        expected = parsed(manifest, lambda: _expected(configuration))

        def stage(name: str, read: Callable[[Any], T], empty: T) -> T:
            if name not in stages:
                return empty
            file = folder / "stages" / f"{name}.json"
            try:
                return parsed(file, lambda: read(stages[name]))
            except InputError as error:  # of a distribution: it does not know in which file it stands
                raise error if str(file) in str(error) else InputError(f"{file}: {error}") from None

        def trainee(name: str, distribution: Distribution | None) -> Trainee:
            scored: dict[str, Scored] = stage(f"score-{name}", _scores, {})
            curve = stage(f"train-{name}", Curve.from_dict, None)
            return Trainee(name.replace("-", " "), distribution, curve, scored.get("simulated"), scored.get("real"))

        trainees: list[Trainee] = []
        arms, fits, acted, beside = {}, {}, {}, {}
        widened: dict[str, tuple[tuple[int, Distribution], ...]] = {}
        if kind == "loop":
            for i in range(int(configuration["policy loop"]["iterations"]) + 1):
                drawn = stage(f"distribution-{i}", Distribution.from_dict, None)
                trainees.append(trainee(f"iteration-{i}", drawn))
                fit = stage(f"adapt-{i + 1}", Adaptation.from_dict, None)
                if fit is not None:
                    fits[f"{fit.method} after iteration {i}"] = fit
                did = stage(f"acted-iteration-{i}", Acted.from_dict, None)
                if did is not None:
                    acted[i] = did
                compared = stage(f"beside-{i}", Beside.from_dict, None)
                if compared is not None:
                    beside[i] = compared
            arms = {str(a): trainee(f"arm-{a}", None) for a in configuration["policy loop"]["arms"]}
            for a in arms:
                parts: list[tuple[int, Distribution]] = []
                begins = 0
                for k in range(PARTS):
                    within = stage(f"distribution-arm-{a}-{k}", Distribution.from_dict, None)
                    curve = stage(f"train-arm-{a}-{k}", Curve.from_dict, None)
                    if within is not None and curve is not None:
                        parts.append((begins, within))
                        begins += curve.steps
                if parts:
                    widened[a] = tuple(parts)
        else:
            given = parsed(manifest, lambda: configuration["train"].get("distribution"))
            drawn = parsed(manifest, lambda: Distribution.from_dict(given) if given else None)
            curve = stage("train", Curve.from_dict, None)
            trainees.append(Trainee(str(configuration["train"]["learner"]), drawn, curve, None, None))
        return cls(
            folder=folder,
            kind=kind,
            result=result,
            live=stage("target", Live.from_dict, None),
            trainees=tuple(t for t in trainees if t.curve is not None),
            arms={name: t for name, t in arms.items() if t.curve is not None},
            scores=stage("scores", _scores, {}),
            fits=fits,
            acted=acted,
            beside=beside,
            space=parsed(manifest, lambda: ParameterSpace.from_dict(configuration["world"]["parameters"])),
            versions=stage("versions", lambda s: {str(k): str(v) for k, v in s.items()}, {}),
            widened=widened,
            widest=next((w for a in widened if (w := stage(f"widest-arm-{a}", Distribution.from_dict, None))), None),
            missing=tuple(name for name in expected if name not in stages),
            asked=stage("asked", dict, {}),
        )


def _scores(stage: dict[str, Any]) -> dict[str, Scored]:
    return {str(name): Scored.from_dict(record) for name, record in stage.items()}


def _expected(configuration: dict[str, Any]) -> list[str]:
    """The stages of a finished run, in order."""
    if "policy loop" not in configuration:
        return ["train", "scores", "asked", "versions"]
    file, names = configuration["policy loop"], ["target"]
    last = int(file["iterations"])
    for i in range(last + 1):
        names += [f"distribution-{i}", f"train-iteration-{i}", f"score-iteration-{i}"]
        if i < last:
            adapted = [f"adapt-{i + 1}"] if file["adapt"] != "none" else []
            names += [f"acted-iteration-{i}", *adapted, f"beside-{i}"]
    for arm in file["arms"]:
        if arm in CURRICULA:
            for k in range(PARTS):
                names += [f"distribution-arm-{arm}-{k}", f"train-arm-{arm}-{k}"]
        names += [f"train-arm-{arm}", f"score-arm-{arm}"]
    return [*names, "versions"]
