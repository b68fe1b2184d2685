"""What a run's folder says, read into types once, so that sections deal with no JSON.

A stage that is not there is None or empty; a stage that is not what simloop writes is one sentence with its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from simloop.adapt import Adaptation
from simloop.calibration import Calibration
from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.gap import Gap
from simloop.loop import when_measured
from simloop.parameters import ParameterSpace
from simloop.report.stages import Planned, Replays, Structure, TargetRecord, ToldApart
from simloop.runs import read_run
from simloop.worlds import World, get_world

T = TypeVar("T")
Which = Literal["fit", "test"]


@dataclass(frozen=True)
class Outcome:
    """Everything that a report tells of.

    Attributes:
        result: what `read_run` gives.
        before, after, drawn: gaps by horizon, of the arms that did nothing, of the fits' means, of draws of the fits.
        fits: by method, in the order of the configuration.
        missing: stages that a finished run would have.
        calibration, told_apart, structure, planned: what was found on recordings that no fit has seen, and what to
            record next; None where the run has not come so far.
        space: the world's own parameters; a fit's distribution may have more columns than these, but begins with them.
        world: the world as it is now, None where it cannot be built again as the run had it.
        own: the world's own distributions; empty without the world.
    """

    folder: Path
    result: dict[str, Any]
    targets: dict[str, TargetRecord]
    before: dict[float, list[Gap]]
    after: dict[float, list[Gap]]
    drawn: dict[float, list[Gap]]
    fits: dict[str, Adaptation]
    replays: Replays | None
    calibration: Calibration | None
    told_apart: ToldApart | None
    structure: Structure | None
    planned: Planned | None
    space: ParameterSpace
    versions: dict[str, str]
    missing: tuple[str, ...]
    world: World | None
    own: dict[str, Distribution]

    @property
    def configuration(self) -> dict[str, Any]:
        found: dict[str, Any] = self.result["configuration"]
        return found

    @property
    def horizons(self) -> list[float]:
        return list(dict.fromkeys([*self.before, *self.after, *self.drawn]))

    def when(self, horizon: float) -> str:
        """When an error at a horizon was measured, in words."""
        return when_measured(horizon, self.configuration)

    def target(self, which: Which) -> TargetRecord | None:
        return self.targets.get(which)

    def target_of_figure(self, which: Which) -> tuple[str, bool]:
        """What is said below a figure about its target, and whether that is real."""
        target = self.target(which)
        if target is None:
            return "Target: not recorded in this run", False
        files = {"fit": "files to fit on", "test": "test files that no fit has seen"}[which]
        if target.real:
            return f"Target: real recordings, {files}", True
        return f"Target: NOT REAL, {target.provenance}, {files}", False

    @classmethod
    def read(cls, folder: Path) -> Outcome:
        """Read a run's folder."""
        manifest = folder / "run.json"
        result = parsed(manifest, lambda: read_run(folder))
        stages = result["stages"]
        configuration = parsed(manifest, lambda: dict(result["configuration"]))
        methods = parsed(manifest, lambda: _methods(configuration))
        expected = _expected(configuration, methods)

        def stage(name: str, read: Callable[[Any], T], empty: T) -> T:
            if name not in stages:
                return empty
            return parsed(folder / "stages" / f"{name}.json", lambda: read(stages[name]))

        order = [*methods, *(m for s in stages if (m := s.removeprefix("adapt-")) != s and m not in methods)]
        fits = {m: stage(f"adapt-{m}", Adaptation.from_dict, None) for m in order}
        world = parsed(manifest, lambda: _world(configuration, stages.get("asked", {})))
        return cls(
            folder=folder,
            result=result,
            targets=stage("target", lambda s: {k: TargetRecord.from_dict(v) for k, v in s.items()}, {}),
            before=stage("gap-before", _gaps, {}),
            after=stage("gap-after", _gaps, {}),
            drawn=stage("gap-after-draws", _gaps, {}),
            fits={m: fit for m, fit in fits.items() if fit is not None},
            replays=stage("replays", Replays.from_dict, None),
            calibration=stage("calibration", Calibration.from_dict, None),
            told_apart=stage("classifier", ToldApart.from_dict, None),
            structure=stage("mismatch", Structure.from_dict, None),
            planned=stage("plan", Planned.from_dict, None),
            space=parsed(manifest, lambda: ParameterSpace.from_dict(configuration["world"]["parameters"])),
            versions=stage("versions", lambda s: {str(k): str(v) for k, v in s.items()}, {}),
            missing=tuple(name for name in expected if name not in stages),
            world=world,
            own=dict(world.distributions()) if world else {},
        )


def parsed(file: Path, read: Callable[[], T]) -> T:
    """What `read` makes of a file of a run; where it is not what simloop writes, one sentence that names it."""
    try:
        return read()
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise InputError(
            f"{file}: not what simloop writes there; delete this file and give the run's command again"
        ) from None


def _methods(configuration: dict[str, Any]) -> list[str]:
    """The methods that a run was asked for: a loop's, or the one of an adaptation."""
    if "loop" in configuration:
        return [str(step["method"]) for step in configuration["loop"]["adapt"]]
    return [str(configuration["adapt"]["method"])] if "adapt" in configuration else []


def _expected(configuration: dict[str, Any], methods: list[str]) -> list[str]:
    """The stages of a finished run, in order."""
    fits = [f"adapt-{m}" for m in methods]
    if "loop" not in configuration:
        return ["target", *fits, "versions"]
    measured = ["gap-after", "gap-after-draws", "replays", "calibration", "classifier", "mismatch", "plan"]
    return ["target", "gap-before", *fits, *measured, "versions"]


def _world(configuration: dict[str, Any], asked: dict[str, Any]) -> World | None:
    """Build the run's world again; None where that gives another one than the run had, or none."""
    recorded = configuration["world"]
    try:
        world = get_world(str(configuration.get("loop", asked).get("world", recorded["name"])))
    except InputError:
        return None
    here = [(p.name, p.default, p.scale) for p in world.parameters]
    return world if here == [(p["name"], p["default"], p["scale"]) for p in recorded["parameters"]] else None


def _gaps(stage: list[dict[str, Any]]) -> dict[float, list[Gap]]:
    return {float(entry["horizon"]): [Gap.from_dict(g) for g in entry["gaps"]] for entry in stage}
