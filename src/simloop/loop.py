"""The loop: measure the gap to real recordings, adapt the randomisation, measure again on files the fit never saw.

    result = run_loop(LoopFile.read("examples/double_pendulum.yaml"), Path("runs/demo"))

Each step is a stage of the run's folder: computed once, kept, and not repeated when the same command is given again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from simloop.adapt import Adaptation, Comparison, Method, get_method
from simloop.calibration import Calibration, Predictions, calibrate, tell_apart
from simloop.columns import ColumnMap
from simloop.config import Strict, read_yaml
from simloop.distributions import Distribution, Normal, Point
from simloop.errors import InputError, count
from simloop.gap import Gap, quantity, windowed_gaps
from simloop.gap.ensemble import predicted
from simloop.gap.mismatch import mismatch
from simloop.parameters import Array
from simloop.plan import plan
from simloop.progress import Progress, silent
from simloop.runs import Resume, Run, read_run, write_json
from simloop.targets import Target, get_target
from simloop.targets.catalogue import find
from simloop.targets.target import short_name
from simloop.targets.windows import Replay
from simloop.trajectories import columns, difference
from simloop.worlds import World, get_world
from simloop.worlds.description import describe_world, versions

YEAR = 365.25 * 86400  # s
#: below this coverage of its 90 % band a fit is called too sure of itself
TOO_SURE = 0.75
#: recordings that are proposed, the excitations that they are chosen from, draws that their information is averaged
#: over, and the most points of an action's picture
PLANNED, PLAN_CANDIDATES, PLAN_DRAWS, SIGNAL = 5, 24, 2, 400


class LoopTarget(Strict):
    """Recordings to fit on, and others to test on that the fit never sees."""

    fit: str = Field(min_length=1)
    test: str = Field(min_length=1)
    columns: str | None = None
    #: without the recordings on this machine: run against a stand-in, and say so everywhere
    stand_in: bool = False


class AdaptStep(Strict):
    """One adaptation method and its options."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)


class LoopFile(Strict):
    """The YAML file of a loop."""

    world: str
    target: LoopTarget
    #: s, at which gaps are measured; None: the world's own
    horizons: list[float] | None = Field(default=None, min_length=1)
    draws: int = Field(default=50, ge=1)
    adapt: list[AdaptStep] = Field(default=[AdaptStep(method="least-squares")], min_length=1)
    seed: int = 0

    @field_validator("horizons")
    @classmethod
    def _positive(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and not all(np.isfinite(h) and h > 0 for h in value):
            raise ValueError(f"expected positive numbers of seconds, got {value}")
        return value

    @field_validator("adapt")
    @classmethod
    def _known(cls, value: list[AdaptStep]) -> list[AdaptStep]:
        for step in value:
            get_method(step.method, step.options)
        names = [s.method for s in value]
        if len(set(names)) < len(names):
            raise ValueError("each method may stand there once")
        return value

    @classmethod
    def read(cls, path: str | Path) -> LoopFile:
        """Read the file; paths in it are relative to it."""
        file = read_yaml(path, cls)
        folder = Path(path).parent
        target = file.target.model_copy(
            update={k: relative_to(folder, getattr(file.target, k)) for k in ("fit", "test", "columns")}
        )
        return file.model_copy(update={"target": target, "world": relative_to(folder, file.world)})


def relative_to(folder: Path, name: str | None) -> str | None:
    """A path of a loop file seen from the working folder; names of worlds and of the catalogue stay as they are."""
    if name is None or name.startswith("standin:") or Path(name).is_absolute():
        return name
    is_path = name.startswith((".", "~")) or Path(name).suffix or (folder / name).exists()
    return str(folder / name) if is_path and not _in_catalogue(name) else name


def _in_catalogue(name: str) -> bool:
    try:
        return find(name) is not None
    except InputError:
        return True


def load_targets(file: LoopFile, world: World) -> tuple[Target, Target]:
    """Return the targets (to fit on, to test on), or their stand-ins where that is allowed and needed."""
    columns = ColumnMap.read(file.target.columns) if file.target.columns else None
    found = [find(n) if not n.startswith("standin:") else None for n in (file.target.fit, file.target.test)]
    missing = [f for f in found if f and not f[0].present(f[1])]
    if missing and file.target.stand_in:
        from simloop.targets.standin import standin_target

        fit, test = (standin_target(world, seed=file.seed, episodes=4, part=part) for part in ("fit", "test"))
        return fit, test
    return get_target(file.target.fit, world, columns, seed=file.seed), get_target(
        file.target.test, world, columns, seed=file.seed
    )


def run_loop(
    file: LoopFile,
    folder: Path,
    *,
    resume: Resume = "if-match",
    progress: Progress = silent,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the loop into a folder, or continue it there; return what `read_run` returns for it."""
    world = get_world(file.world)
    fit, test = load_targets(file, world)
    say(f"target: {provenance_sentence(test)}")
    shared = _episodes(fit).keys() & _episodes(test).keys()
    if shared:
        name = _episodes(test)[min(shared)]
        raise InputError(
            f"{name}: is among the recordings to fit on and to test on; a test must not see the fit's data"
        )
    with Run.open(folder, configuration(file, world, fit, test), resume=resume) as run:
        own, horizons = world.distributions(), loop_horizons(file, world)
        wide = {"wide": own["wide"]} if "wide" in own else {}
        before: dict[str, Distribution | None] = {"persistence": None, "default": own["default"], **wide}
        replay = Replay(world, test.recordings)
        say("measuring the gap before adapting")
        run.stage("gap-before", lambda: _gaps(replay, before, horizons, file.draws, file.seed))
        run.stage("target", lambda: {"fit": describe_target(fit), "test": describe_target(test)})
        fits: dict[str, Distribution] = {}
        for step in file.adapt:
            fits[step.method] = adapt_stage(run, world, fit, step, seed=file.seed, progress=progress).distribution
        first = fits[file.adapt[0].method]
        write_json(folder / "distribution.json", first.to_dict())
        say("measuring the gap after adapting, on files that no fit has seen")
        arms = {"default": own["default"], **fits}
        run.stage("gap-after", lambda: _gaps(replay, arms, horizons, 1, file.seed))
        run.stage("gap-after-draws", lambda: _gaps(replay, arms, horizons, file.draws, file.seed))
        run.stage("replays", lambda: _replays(replay, arms, max(horizons), max(20, file.draws), file.seed))
        say("asking whether the distributions hold the recordings as often as they say")
        predictions = Predictions(world, replay, {**arms, **wide}, horizons, seed=file.seed)
        run.stage("calibration", lambda: calibrate(predictions).to_dict())
        run.stage("classifier", lambda: _told_apart(predictions, min(horizons)))
        say("looking for what no parameters explain")
        run.stage("mismatch", lambda: _mismatch(replay, first, min(horizons), file.seed))
        say("planning what to record next")
        run.stage("plan", lambda: _plan(Replay(world, fit.recordings), first, horizons, file.seed))
        run.stage("versions", lambda: versions(world))
    return read_run(folder)


def loop_horizons(file: LoopFile, world: World) -> list[float]:
    """Lengths of the windows that gaps are measured at, s: the file's, else the world's own."""
    if file.horizons is None:
        return list(world.horizons[-1:] if world.whole else world.horizons)
    if world.whole:
        raise InputError(f"horizons: recordings of {world.name!r} are replayed whole, so leave this field out")
    return file.horizons


def adapt_stage(
    run: Run,
    world: World,
    target: Target,
    step: AdaptStep,
    *,
    seed: int,
    budget: int | None = None,
    progress: Progress = silent,
) -> Adaptation:
    """Fit by one method as a stage of a run, resumable between its iterations."""
    method = get_method(step.method, step.options)

    def compute() -> dict[str, Any]:
        return method.fit(
            Comparison(world, target),
            starting_point(world, method),
            seed=seed,
            budget=budget,
            checkpoint=run.checkpoint(f"adapt-{step.method}"),
            progress=progress,
        ).to_dict()

    record = run.stage(f"adapt-{step.method}", compute)
    try:
        return Adaptation.from_dict(record)
    except (KeyError, TypeError):
        file = run.folder / "stages" / f"adapt-{step.method}.json"
        raise InputError(f"{file}: damaged; delete this file and give the same command again") from None


def starting_point(world: World, method: Method) -> Normal:
    """The world's own distribution that a method starts from."""
    start = world.distributions()[method.starts_from]
    assert isinstance(start, Normal)
    return start


def _gaps(
    replay: Replay, arms: Mapping[str, Distribution | None], horizons: list[float], draws: int, seed: int
) -> list[dict[str, Any]]:
    """Gaps of all arms at all horizons, JSON-able."""
    found = []
    for horizon in horizons:
        gaps = windowed_gaps(replay.world, replay.windows(horizon), arms, draws=draws, seed=seed)
        found.append({"horizon": horizon, "gaps": [g.to_dict() for g in gaps]})
    return found


def _told_apart(predictions: Predictions, horizon: float) -> dict[str, Any]:
    """Which arms a classifier tells from the recordings, JSON-able."""
    return {"horizon": horizon, "arms": {n: m.to_dict() for n, m in tell_apart(predictions, horizon).items()}}


def _mismatch(replay: Replay, fit: Distribution, horizon: float, seed: int) -> dict[str, Any]:
    """What the fit's mean parameters leave over, JSON-able; or why that could not be looked for."""
    world = replay.world
    try:
        return mismatch(world, replay, fit.mean[: len(world.parameters)], horizon=horizon, seed=seed).to_dict()
    except InputError as error:
        return {"not looked for": str(error)}


def _plan(replay: Replay, fit: Distribution, horizons: list[float], seed: int) -> dict[str, Any]:
    """Recordings that would tell most of what the fit left open, JSON-able; or why none were planned.

    No action is larger, and no channel goes further, than in the recordings of the fit.
    """
    world = replay.world
    recorded = [a[:n] for a, n in zip(replay.actions, replay.length, strict=True)]
    try:
        found = plan(
            world,
            fit,
            PLANNED,
            recorded=recorded,
            ranges=_ranges(replay),
            horizon=horizons[0],
            candidates=PLAN_CANDIDATES,
            draws=PLAN_DRAWS,
            seed=seed,
        )
    except InputError as error:
        return {"not planned": str(error)}
    each = max(1, len(found.proposals[0].excitation.actions) // SIGNAL)
    signals = [p.excitation.actions[::each].T.tolist() for p in found.proposals]
    return {
        **found.to_dict(),
        "actions": [a.name for a in world.actions],
        "units": [a.unit for a in world.actions],
        "signals": {"every": each * world.control_dt, "actions": signals},
    }


def _ranges(replay: Replay) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each measured channel of one column, 0 among them."""
    found = {}
    for channel, at in zip(replay.world.channels, columns(replay.world.channels), strict=True):
        if channel.width == 1 and not channel.rate_of:
            seen = np.concatenate([x[:n, at] for x, n in zip(replay.measured, replay.length, strict=True)])
            low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
            if low < high:
                found[channel.name] = (low, high)
    return found


def _replays(
    replay: Replay, arms: Mapping[str, Distribution], horizon: float, draws: int, seed: int, count: int = 6
) -> dict[str, Any]:
    """Real and simulated trajectories of a few test windows, for the report's picture.

    The windows are those at evenly spaced ranks of the default's error, so easy and hard ones are both shown.
    """
    world = replay.world
    windows = replay.windows(horizon, every=0.01)
    default = predicted(world, windows, arms["default"], draws=1, seed=seed)[:, 0]
    error = np.abs(difference(default, windows.measured, world.channels)).sum(axis=2)
    ranks = np.argsort(np.nan_to_num(_at_end(error, world), nan=np.inf), kind="stable")
    chosen = ranks[np.linspace(0, len(ranks) - 1, min(count, len(ranks))).round().astype(int)]
    shown = windows.take(np.sort(chosen))
    out: dict[str, Any] = {
        "horizon": horizon,
        "time": (shown.segments.recorded * world.control_dt).tolist(),
        "channels": [c.name for c in world.measured],
        "units": [c.unit for c in world.measured],
        "files": [short_name(replay.sources[r] if world.whole else shown.files[f])
                  for r, f in zip(shown.segments.recording, shown.file, strict=True)],
        "starts": (shown.segments.start * world.control_dt).tolist(),
        "measured": _measured_only(world, shown.measured),
        "arms": {},
    }  # fmt: skip
    unknown = np.isnan(shown.measured).any(axis=2, keepdims=True)
    for name, distribution in arms.items():
        mean = predicted(world, shown, distribution, draws=1, seed=seed)[:, 0]
        record = {"mean": _measured_only(world, np.where(unknown, np.nan, mean))}
        if not isinstance(distribution, Point):
            many = predicted(world, shown, distribution, draws=draws, seed=seed)
            bands = np.nanquantile(many, [0.05, 0.95], axis=1, method="weibull")
            low, high = (_measured_only(world, np.where(unknown, np.nan, b)) for b in bands)
            record |= {"low": low, "high": high}
        out["arms"][name] = record
    return out


def _at_end(error: Array, world: World) -> Array:
    """The error (n, K) of windows at their end, of whole recordings over their time: (n,)."""
    if not world.whole:
        return error[:, -1]
    known = np.isfinite(error)
    return np.asarray(np.where(known, error, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _measured_only(world: World, values: Array) -> Any:
    """Columns of the measured channels as nested lists (window, channel column, time)."""
    width = sum(c.width for c in world.measured)
    return np.moveaxis(values[..., :width], -1, 1).tolist()


def configuration(file: LoopFile, world: World, fit: Target, test: Target) -> dict[str, Any]:
    """Everything that decides a loop's results: its file, the world's parameters, the content of the recordings."""
    return {
        "loop": file.model_dump(),
        "world": describe_world(world),
        "recordings": {"fit": recordings_hash(fit), "test": recordings_hash(test)},
    }


def _episodes(target: Target) -> dict[str, str]:
    """Source of each recording by the hash of its content, so that a copy under another name is found."""
    r = target.recordings
    return {hashlib.sha256(r.episode(e).values.tobytes()).hexdigest(): r.sources[e] for e in range(len(r))}


def recordings_hash(target: Target) -> str:
    """Names the content of a target's recordings."""
    return target.recordings.content_hash


def describe_target(target: Target) -> dict[str, Any]:
    """A target as the record of a run keeps it."""
    return {
        "name": target.name,
        "provenance": target.provenance,
        "description": target.description,
        "source": target.source,
        "licence": target.licence,
        "files": [short_name(f) for f in target.files],
        "seconds": float(sum(target.recordings.episode(e).time[-1] - target.recordings.episode(e).time[0]
                             for e in range(len(target.recordings)))),
    }  # fmt: skip


def provenance_sentence(target: Target) -> str:
    """What the target is, in one line."""
    files = len(target.files)
    if target.provenance == "real recordings":
        return f"real recordings, {count(files, 'file')}: {target.description}"
    return f"NOT REAL: {target.description} ({target.provenance}; {count(files, 'recording')})"


def headline(result: dict[str, Any], method: str | None = None) -> str:
    """The plain sentences that a report opens with: the first horizon, then the others."""
    name = method or result["configuration"]["loop"]["adapt"][0]["method"]
    target = result["stages"]["target"]["test"]
    unseen = "recordings" if target["provenance"] == "real recordings" else "simulated recordings (not real ones)"
    sentences: list[str] = []
    for after in result["stages"]["gap-after"]:
        gaps = {g["name"]: Gap.from_dict(g) for g in after["gaps"]}
        fitted, default = gaps[name], gaps["default"]
        when = when_measured(after["horizon"], result["configuration"])
        if not sentences:
            sentences.append(
                f"On {unseen} it had never seen, the adapted simulation ({name}) is wrong by {how_wrong(fitted)}"
                f" {when}; the default one by {how_wrong(default)}"
            )
        else:
            sentences.append(f"{when[0].upper()}{when[1:]} it is {how_wrong(fitted)} against {how_wrong(default)}")
        if not fitted.told_apart:
            sentences[-1] += " (the two cannot be told apart)"
    return ". ".join(sentences) + "."


def when_measured(horizon: float, configuration: Mapping[str, Any]) -> str:
    """When an error was measured, in words: at the end of a window, or over whole recordings."""
    return "on average over a recording" if configuration["world"].get("whole") else f"after {horizon:g} s"


def how_honest(result: dict[str, Any]) -> list[str]:
    """For each fit a sentence on whether it covers reality as often as it says, and where not."""
    stages = result["stages"]
    if "calibration" not in stages:
        return []
    found = Calibration.from_dict(stages["calibration"])
    reality = "reality" if stages["target"]["test"]["provenance"] == "real recordings" else "the stand-in"
    said = [found.sentence(step["method"], reality) for step in result["configuration"]["loop"]["adapt"]]
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in said if sentence]


def how_wrong(gap: Gap) -> str:
    """A gap in words: one quantity where the channels share a unit, else one for each channel."""
    if len({p.unit for p in gap.parts}) == 1:
        return quantity(gap.value, gap.unit)
    return " and ".join(f"{quantity(p.rmse, p.unit)} ({p.channel})" for p in gap.parts)


def too_sure(drawn: Gap) -> str:
    """A warning where a fit's own band holds reality far less often than it says, or ""."""
    covered = [p.covered for p in drawn.parts if p.covered is not None]
    if not covered or min(covered) >= TOO_SURE:
        return ""
    return (
        f"{drawn.name}: its 90 % band holds only {' / '.join(f'{c:.0%}' for c in covered)} of the recordings, so as a"
        " randomisation it is too narrow; train with a wider one"
    )


def years_per_hour(result: dict[str, Any]) -> float:
    """Years of simulated time that an hour of the run's adaptations gives."""
    fits = [s for name, s in result["stages"].items() if name.startswith("adapt-")]
    return years_in_an_hour(sum(s["simulated_seconds"] for s in fits), sum(s["wall_seconds"] for s in fits))


def years_in_an_hour(simulated_seconds: float, wall_seconds: float) -> float:
    """Years of simulated time in an hour, at the rate of what was simulated in some wall-clock time."""
    return float(simulated_seconds / max(wall_seconds, 1e-9) * 3600 / YEAR)
