"""What the command line's verbs do and print: results as records that can show themselves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.adapt import Adaptation, get_method
from simloop.audit import audit_outcomes, audit_parameters
from simloop.calibration import windows_at
from simloop.config import parsed_pairs
from simloop.distributions import Distribution, Normal, Point
from simloop.errors import DataWarning, InputError, count
from simloop.gap import Ensemble, Gap, Measured, get_measure, measure_arms, quantity, windowed_gaps
from simloop.gap.ensemble import ensemble
from simloop.loop import (
    YEAR,
    AdaptStep,
    LoopFile,
    adapt_stage,
    describe_target,
    headline,
    how_honest,
    how_wrong,
    provenance_sentence,
    recordings_hash,
    run_loop,
    starting_point,
    too_sure,
    years_in_an_hour,
    years_per_hour,
)
from simloop.plan import Plan, plan
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.runs import Resume, Run, write_json
from simloop.targets import Target
from simloop.targets.target import short_name
from simloop.targets.windows import Replay
from simloop.worlds import World
from simloop.worlds.description import describe_world, versions

#: s, at which a fit reports its gap on its own files
IN_SAMPLE_HORIZON = 0.2
#: rows drawn for each window where nobody says how many: for the windowed gap, and for what looks at a whole ensemble
WINDOWED_DRAWS, ENSEMBLE_DRAWS = 20, 100


@dataclass(frozen=True)
class GapResult:
    """The gap of what was asked for, and of the arms that did nothing."""

    asked: Gap
    arms: list[Gap]
    target: Target
    horizon: float
    versions: dict[str, str]
    hash: str = ""

    def to_dict(self) -> dict[str, Any]:
        g = self.asked.to_dict()
        return {
            **{k: g[k] for k in ("value", "interval", "unit", "parts", "name", "median", "ratio", "ratio_interval",
                                 "median_ratio", "median_ratio_interval")},
            "horizon": self.horizon,
            "draws": self.asked.draws,
            "drawn": next((a.to_dict() for a in self.arms if a.name == self.asked.name and a.draws > 1), None),
            "distribution hash": self.hash,
            "files": [short_name(f) for f in self.target.files],
            "provenance": self.target.provenance,
            "baselines": {a.name: a.to_dict() for a in self.arms if a.name != self.asked.name},
            "windows": self.asked.windows,
            "diverged": self.asked.diverged,
            "versions": self.versions,
        }  # fmt: skip

    def show(self) -> None:
        terminal.say(f"target: {provenance_sentence(self.target)}")
        show_gaps(self.arms, self.horizon)
        if self.asked.value != self.asked.value:
            terminal.say(f"{self.asked.name}: every simulation diverged; check the model and its time step")
            return
        what = "RMSE" if len(self.asked.parts) == 1 else "RMSE, mean over channels"
        if len({p.unit for p in self.asked.parts}) == 1:
            low, high = (quantity(x, self.asked.unit) for x in self.asked.interval)
            what += f", 95 % interval {low} to {high}"
        terminal.say(f"{self.asked.name}: wrong by {how_wrong(self.asked)} ({what}) after {self.horizon:g} s")
        for drawn in self.arms:
            if drawn.name == self.asked.name and (warning := too_sure(drawn)):
                terminal.say(warning)


def show_gaps(gaps: Sequence[Gap], horizon: float) -> None:
    """Print one table of arms at one horizon."""
    channels = " / ".join(p.channel for p in gaps[0].parts)
    unit = gaps[0].parts[0].unit if len({p.unit for p in gaps[0].parts}) == 1 else "own units"
    rows = [
        [
            g.name if g.draws == 1 else f"{g.name} ({g.draws} draws)",
            " / ".join(f"{p.rmse:.4f}" for p in g.parts),
            _ratio(g.ratio, g.ratio_interval),
            " / ".join(f"{p.median:.4f}" for p in g.parts),
            _ratio(g.median_ratio, g.median_ratio_interval),
            " / ".join(f"{p.covered:.0%}" for p in g.parts if p.covered is not None) or "-",
            f"{g.diverged}",
        ]
        for g in gaps
    ]
    terminal.table(
        [
            f"after {horizon:g} s",
            f"RMSE ({unit})",
            "ratio to default",
            "median",
            "ratio",
            "90 % band covers",
            "diverged",
        ],
        rows,
        title=f"{channels}, {gaps[0].windows} windows",
    )


def _ratio(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None or interval is None:
        return "1"
    return f"{value:.3g} [{interval[0]:.3g}, {interval[1]:.3g}]"


def measure_gap(
    world: World, target: Target, distribution: str | None, *, horizon: float, draws: int, seed: int
) -> GapResult:
    """Measure the gap of a distribution, named or loaded, and of the baselines, on one target."""
    windows = Replay(world, target.recordings).windows(horizon)
    arms = baselines(world)
    gaps = windowed_gaps(world, windows, arms, draws=draws, seed=seed)
    if gaps[1].value >= gaps[0].value:
        warnings.warn(
            f"after {horizon:g} s the default parameters are no better than predicting that nothing moves: check the"
            " units, the signs and the order of the columns",
            DataWarning,
            stacklevel=2,
        )
    asked = next(g for g in gaps if g.name == "default")
    if distribution is not None and distribution not in arms:
        fitted = world.distribution(distribution)
        added = windowed_gaps(world, windows, {distribution: fitted}, seed=seed)
        asked = added[0]
        if draws > 1 and not isinstance(fitted, Point):
            added += windowed_gaps(world, windows, {distribution: fitted}, draws=draws, seed=seed)
        gaps += added
    elif distribution is not None:
        asked = next(g for g in gaps if g.name == distribution)
    measured = world.distribution(distribution or "default")
    return GapResult(asked, gaps, target, windows.horizon, versions(world), measured.hash)


def baselines(world: World) -> dict[str, Distribution | None]:
    """The arms that did nothing: persistence (None), the default parameters, wide ranges where a world has them."""
    own = world.distributions()
    arms: dict[str, Distribution | None] = {"persistence": None, "default": own["default"]}
    return {**arms, "wide": own["wide"]} if "wide" in own else arms


@dataclass(frozen=True)
class MeasureResult:
    """Measures of what was asked for, and of the arms that did nothing: name of the measure -> arm -> value."""

    found: dict[str, dict[str, Measured]]
    asked: str
    target: Target
    horizon: float
    versions: dict[str, str]
    hash: str

    def to_dict(self) -> dict[str, Any]:
        shared = {
            "arm": self.asked,
            "horizon": self.horizon,
            "distribution hash": self.hash,
            "files": [short_name(f) for f in self.target.files],
            "provenance": self.target.provenance,
            "versions": self.versions,
        }
        each = {
            name: {
                **arms[self.asked].to_dict(),
                "baselines": {arm: m.to_dict() for arm, m in arms.items() if arm != self.asked},
            }
            for name, arms in self.found.items()
        }
        return {**next(iter(each.values())), **shared} if len(each) == 1 else {"measures": each, **shared}

    def show(self) -> None:
        terminal.say(f"target: {provenance_sentence(self.target)}")
        rows = []
        for name, arms in self.found.items():
            for arm, m in arms.items():
                rows.append([
                    name,
                    arm if m.draws == 1 else f"{arm} ({m.draws} draws)",
                    f"{m.value:.4g} [{m.interval[0]:.4g}, {m.interval[1]:.4g}]",
                    m.unit,
                    "-" if m.ratio is None else _ratio(m.ratio, m.ratio_interval),
                    " / ".join(f"{part.value:.4g}" for part in m.parts),
                    f"{m.diverged}",
                ])  # fmt: skip
        first = next(iter(self.found.values()))[self.asked]
        terminal.table(
            ["measure", "arm", "value", "unit", "ratio to default", "by channel", "diverged"],
            rows,
            title=f"after {self.horizon:g} s; {' / '.join(p.channel for p in first.parts)}, {first.windows} windows",
        )
        for name, arms in self.found.items():
            if verdict := arms[self.asked].verdict:
                terminal.say(f"{self.asked}, {name}: {verdict}")


def measure_ensembles(
    world: World,
    target: Target,
    distribution: str | None,
    names: Sequence[str],
    *,
    horizon: float,
    draws: int,
    seed: int,
) -> MeasureResult:
    """Measure a distribution, named or loaded, and the baselines by measures of ensembles, on one target.

    Measures that need more draws than there are (a point has one) are left out where several were asked for.
    """
    replay, asked = Replay(world, target.recordings), distribution or "default"
    arms = baselines(world)
    arms.setdefault(asked, world.distribution(asked))
    ensembles: dict[int, dict[str, Ensemble]] = {}
    found: dict[str, dict[str, Measured]] = {}
    for measure in map(get_measure, names):
        if measure.instants not in ensembles:
            windows, count = windows_at(replay, horizon, measure.instants)
            ensembles[measure.instants] = {
                arm: ensemble(world, windows, d, draws=draws, seed=seed).at(count) for arm, d in arms.items()
            }
        have = ensembles[measure.instants][asked].draws
        if have >= measure.least_draws:
            found[measure.name] = measure_arms(measure, ensembles[measure.instants], seed=seed)
        elif len(names) == 1:
            raise InputError(
                f"measure {measure.name!r} looks at {measure.least_draws} draws or more, and of {asked!r} there"
                f" {'is 1' if have == 1 else f'are {have}'}: give --distribution (wide, a run's folder) and --draws"
            )
    own = world.distribution(asked)
    return MeasureResult(found, asked, target, windows.horizon, versions(world), own.hash)


@dataclass(frozen=True)
class FitResult:
    """A fit in its run's folder, and its gap on the files that it was fitted on."""

    adaptation: Adaptation
    gap: GapResult
    start: Normal
    target: Target
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.gap.to_dict(),
            "measured on": "the files that it was fitted on",
            **self.adaptation.to_dict(),
            "hash": self.adaptation.distribution.hash,
            "run": str(self.folder),
        }

    def show(self) -> None:
        show_moves(self.adaptation, self.start)
        self.gap.show()
        terminal.say("measured on the files that it was fitted on: use 'simloop gap' on others for an honest figure")
        terminal.say(f"distribution {self.adaptation.distribution.hash} is in {self.folder}")


def show_moves(adaptation: Adaptation, start: Normal) -> None:
    """Print what moved and by how much, of any kind of distribution; what a fit added to the world comes last."""
    fit = adaptation.distribution
    space = fit.space
    draws = fit.sample(2000, stream(0, "moves"))
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    spread = fit.spread if isinstance(fit, Normal) else space.to_scale(draws).std(axis=0)
    rows = []
    for j, p in enumerate(space):
        own = p.name in start.space.names
        moved = f"x {fit.mean[j] / p.default:.2f}" if own and p.default else f"{fit.mean[j] - p.default * own:+.3g}"
        narrowed = f"{np.clip(1 - spread[j] / start.spread[start.space.index(p.name)], 0, 1):.0%}" if own else "-"
        band = f"{low[j]:.3g} to {high[j]:.3g}"
        default = f"{p.default:.4g}" if own else "0"
        rows.append([p.name, default, f"{fit.mean[j]:.4g}", moved, band, p.unit, narrowed])
    per_hour = years_in_an_hour(adaptation.simulated_seconds, adaptation.wall_seconds)
    terminal.table(
        ["parameter", "default", "fitted", "moved", "90 % of the fit", "unit", "narrowed by"],
        rows,
        title=f"{adaptation.method}: {adaptation.rollouts} windows, {adaptation.simulated_seconds:.0f} s simulated in"
        f" {adaptation.wall_seconds:.0f} s ({per_hour:.3f} years of simulation in an hour)",
    )


def parsed_options(method: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ["iterations=8", ...] into options of a method, checked."""
    options = parsed_pairs(pairs)
    get_method(method, options)
    return options


def fit_into(
    folder: Path,
    world: World,
    target: Target,
    method: str,
    options: dict[str, Any],
    *,
    seed: int = 0,
    budget: int | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
    asked: dict[str, str | None] | None = None,
) -> FitResult:
    """Fit by one method into a run's folder, or continue there; `asked` are the world and columns as given."""
    configuration = {
        "adapt": {"method": method, "options": options, "budget": budget, "seed": seed, "target": target.name},
        "world": describe_world(world),
        "recordings": {"fit": recordings_hash(target)},
    }
    with Run.open(folder, configuration, resume=resume) as run:
        step = AdaptStep(method=method, options=options)
        adaptation = adapt_stage(run, world, target, step, seed=seed, budget=budget, progress=progress)
        run.stage("asked", lambda: asked or {"world": world.name})
        run.stage("target", lambda: {"fit": describe_target(target)})
        write_json(folder / "distribution.json", adaptation.distribution.to_dict())
        run.stage("versions", lambda: versions(world))
    replay = Replay(world, target.recordings)
    windows = replay.windows(min(IN_SAMPLE_HORIZON, replay.longest_window))
    arms = {"default": Point(world.parameters), method: adaptation.distribution}
    default, fitted = windowed_gaps(world, windows, arms, seed=seed)
    gap = GapResult(fitted, [default, fitted], target, windows.horizon, versions(world))
    return FitResult(adaptation, gap, starting_point(world, get_method(method)), target, folder)


@dataclass(frozen=True)
class LoopResult:
    """A finished loop."""

    record: dict[str, Any]
    report: Path

    def to_dict(self) -> dict[str, Any]:
        """The first fit's gap at the first horizon, with everything it is compared with."""
        stages = self.record["stages"]
        after, before = stages["gap-after"][0], stages["gap-before"][0]
        name = self.record["configuration"]["loop"]["adapt"][0]["method"]
        asked = next(g for g in after["gaps"] if g["name"] == name)
        return {
            **asked,
            "horizon": after["horizon"],
            "files": stages["target"]["test"]["files"],
            "provenance": stages["target"]["test"]["provenance"],
            "baselines": {g["name"]: g for g in before["gaps"]},
            "gaps": {k: stages[k] for k in ("gap-before", "gap-after", "gap-after-draws")},
            "headline": headline(self.record),
            "calibration": {**stages["calibration"], "sentences": how_honest(self.record)},
            "classifier": stages["classifier"],
            "mismatch": stages["mismatch"],
            "plan": {k: v for k, v in stages["plan"].items() if k != "signals"},
            "years of simulation per hour": years_per_hour(self.record),
            "versions": stages["versions"],
            "report": str(self.report),
        }

    def show(self) -> None:
        stages = self.record["stages"]
        for before, after, drawn in zip(
            stages["gap-before"], stages["gap-after"], stages["gap-after-draws"], strict=True
        ):
            gaps = before["gaps"] + [g for part in (after, drawn) for g in part["gaps"] if g["name"] != "default"]
            show_gaps([Gap.from_dict(g) for g in gaps], before["horizon"])
        for step in self.record["configuration"]["loop"]["adapt"]:
            from simloop.worlds import get_world

            world = get_world(self.record["configuration"]["loop"]["world"])
            adaptation = Adaptation.from_dict(stages[f"adapt-{step['method']}"])
            show_moves(adaptation, starting_point(world, get_method(step["method"])))
        if found := stages["mismatch"].get("sentences"):
            more = f" (and {count(len(found) - 1, 'more finding')})" if len(found) > 1 else ""
            terminal.say(f"mismatch: {found[0]}{more}")
        for sentence in how_honest(self.record):
            terminal.say(sentence)
        terminal.say(headline(self.record))
        years = years_per_hour(self.record)
        terminal.say(f"An hour gives {years:.3f} years of simulation ({years * YEAR / 3600:.0f} times real time).")
        terminal.say(f"report: {self.report}")


def run_loop_file(
    file: Path, folder: Path, *, resume: Resume, progress: Progress = silent, quiet: bool = False
) -> LoopResult:
    """Run a loop's file into a folder and write the report."""
    from simloop.report import write_report

    record = run_loop(
        LoopFile.read(file), folder, resume=resume, progress=progress, say=(lambda _: None) if quiet else terminal.say
    )
    return LoopResult(record, write_report(folder))


@dataclass(frozen=True)
class PlanResult:
    """Proposed recordings, and the folder that they were written to."""

    plan: Plan
    distribution: str
    hash: str
    folder: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.plan.to_dict(),
            "distribution": self.distribution,
            "distribution hash": self.hash,
            "folder": None if self.folder is None else str(self.folder),
            "versions": versions(self.plan.world),
        }

    def show(self) -> None:
        found = self.plan
        limits = ", ".join(f"{a.name} {found.limits[a.name]:.3g} {a.unit}".strip() for a in found.world.actions)
        terminal.say(f"limits: {limits}" + "".join(f"; {n} {a:g} to {b:g}" for n, (a, b) in found.ranges.items()))
        terminal.table(
            ["", "what to play", "seconds", "information (nats)", "narrows most"],
            [
                [str(i + 1), p.excitation.description, f"{found.seconds:g}", f"{p.information:.2f}",
                 ", ".join(f"{n} to {p.narrowed[n]:.0%}" for n in p.narrows_most) or "-"]
                for i, p in enumerate(found.proposals)
            ],
            title=f"{found.world.name}: what tells most about what {self.distribution} leaves open, each beside those"
            f" before it; {found.considered} excitations tried, {found.strayed} left their range or diverged",
        )  # fmt: skip
        space = found.world.parameters
        terminal.table(
            ["parameter", "spread now", "expected after all", "left"],
            [[p.name, f"{b:.3g}", f"{a:.3g}", f"{a / b:.0%}" if b else "-"]
             for p, b, a in zip(space, found.before, found.after, strict=True)],
            title="spreads, in log units where a parameter has a log scale, else in its unit",
        )  # fmt: skip
        if self.folder is not None:
            terminal.say(f"{count(len(found.proposals), 'proposal')} to play in {self.folder}")


def plan_recordings(
    world: World,
    distribution: str,
    n: int,
    *,
    target: Target | None,
    limits: Sequence[str],
    ranges: Sequence[str],
    seconds: float,
    candidates: int,
    output: Path | None,
    seed: int,
    progress: Progress = silent,
) -> PlanResult:
    """Plan n recordings and write them; limits as ["motor1=0.8"], ranges as ["joint1=-2,2"]."""
    known = world.distribution(distribution)
    replay = Replay(world, target.recordings) if target and world.actions else None
    found = plan(
        world,
        known,
        n,
        limits={name: x[0] for name, x in _numbers("--limit", limits, 1)},
        ranges={name: (x[0], x[1]) for name, x in _numbers("--range", ranges, 2)},
        recorded=[a[:m] for a, m in zip(replay.actions, replay.length, strict=True)] if replay else (),
        seconds=seconds,
        candidates=candidates,
        seed=seed,
        progress=progress,
    )
    if output is not None:
        found.write(output)
    return PlanResult(found, distribution, known.hash, output)


def _numbers(option: str, given: Sequence[str], width: int) -> list[tuple[str, list[float]]]:
    """Turn ["joint1=-2,2"] into [("joint1", [-2, 2])]."""
    example = "motor1=0.8" if width == 1 else "joint1=-2,2"
    out = []
    for text in given:
        name, _, values = text.partition("=")
        try:
            numbers = [float(v) for v in values.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != width:
            raise InputError(f"{option} {text!r}: expected name={'number' if width == 1 else 'low,high'}, as {example}")
        out.append((name, numbers))
    return out


def show_audit(world: World, target: Target | None, *, seed: int = 0, json: bool) -> bool:
    """Audit a world's parameters, print what was found, and return whether it passed.

    Without a target the world is one in which nothing is replayed.
    """
    found = audit_outcomes(world, seed=seed) if target is None else audit_parameters(world, target)
    of = f", replayed on {found.windows} windows of {found.target}" if target else ", by what happens in it"
    whole = "how much it moves" if target else "its size"
    if json:
        weakest = min(found.effects.values())
        terminal.print_json(
            {
                "value": weakest,
                "interval": None,
                "unit": f"largest change of {'a channel' if target else 'a number'}, in parts of {whole};"
                " of the weakest parameter",
                "parts": [{"parameter": n, "effect": e} for n, e in found.effects.items()],
                "files": target.files if target else [],
                "baselines": {},
                **found.to_dict(),
                "versions": versions(world),
            }
        )
        return found.passed
    terminal.say(f"world {world.name}{of}")
    terminal.table(
        ["parameter", "largest effect", ""],
        [[n, f"{e:.2%}", "NO EFFECT" if n in found.dead else ""] for n, e in found.effects.items()],
        title="change of "
        + ("a channel" if target else "a number")
        + f" across the parameter's range, in parts of {whole}",
    )
    if found.elsewhere:
        terminal.say(f"seen in frames and running batches alone, and not moved: {', '.join(found.elsewhere)}")
    for a, b, cosine in found.alike:
        terminal.say(f"{a} and {b} cannot be told apart by such recordings (effects alike to {cosine:.3f})")
    if found.dead:
        terminal.say(f"FAILED: {', '.join(found.dead)}: no effect on anything observed")
    if not found.reproducible:
        terminal.say("FAILED: the same seed did not give the same bytes")
    if found.diverged:
        terminal.say(f"{found.diverged} simulations diverged")
    if found.passed:
        moved = "every parameter that was moved" if found.elsewhere else "every parameter"
        terminal.say(f"passed: {moved} does something, and the same seed gives the same bytes")
    return found.passed
