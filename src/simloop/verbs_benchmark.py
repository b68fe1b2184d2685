"""What `simloop benchmark` does and prints: models that steer, on real frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.benchmark import MEASURES, Benchmark, Entrant, Row, Steers, benchmark
from simloop.benchmark.blocks import BLOCK
from simloop.benchmark.measures import STRAIGHT
from simloop.errors import InputError, count, need
from simloop.gap.gap import Interval
from simloop.progress import Progress, silent
from simloop.runs import POLICY, content_hash, read_run
from simloop.targets.images import ImageSet, image_set, in_catalogue

#: skipped frames that are named in a terminal
_NAMED = 5


@dataclass(frozen=True)
class BenchmarkResult:
    """The table, and the page that it was written to."""

    found: Benchmark
    page: Path | None

    def to_dict(self) -> dict[str, Any]:
        return {**self.found.to_dict(), "page": None if self.page is None else str(self.page)}

    def show(self) -> None:
        found = self.found
        terminal.say(opening(found))
        if found.scored:
            _show_table(found)
            _show_differences(found)
        else:
            _show_said(found)
        skipped = found.images.skipped
        for file, why in skipped[:_NAMED]:
            terminal.say(f"  skipped {file}: {why}")
        if len(skipped) > _NAMED:
            terminal.say(f"  skipped {len(skipped) - _NAMED} more; --json names them all")
        if self.page is not None:
            shown = "frames on which each model is most wrong" if found.scored else "frames and what each model says"
            terminal.say(f"the page with the {shown}: {self.page}")


def opening(found: Benchmark) -> str:
    """What was scored, in one sentence."""
    images = found.images
    left = f", {count(len(images.skipped), 'frame')} skipped" if images.skipped else ""
    what = f"{images.name} ({images.description}; {images.provenance})"
    if not found.scored:
        return f"{what}: none of {count(found.frames, 'frame')} has a label, so nothing can be scored{left}"
    of = "" if found.frames == len(images) else f" of {found.frames}"
    return f"{what}: {len(images)}{of} labelled frames{left}"


def meaning() -> str:
    """What the columns are, in one sentence."""
    return (
        f"MAE: mean absolute error of steering (-1 left, 1 right); bMAE: the same, bins of steering weighing alike; r:"
        f" Pearson; sign: right sign where |steering| > {STRAIGHT:g}; in brackets 95 % by blocks of {BLOCK} frames"
    )


def labels_of(row: Row) -> str:
    """How many labels of real frames a row used, where that is known."""
    return str(row.labels) if row.labels else "none"


def _show_table(found: Benchmark) -> None:
    terminal.table(
        ["", "real labels", *MEASURES],
        [[_named(row), labels_of(row), *(_cell(row.values[m], row.intervals[m]) for m in MEASURES)]
         for row in found.rows],
    )  # fmt: skip
    terminal.say(meaning())
    for row in found.rows:
        if row.note:
            terminal.say(f"  {row.name}: {row.note}")
    if len(found.images) < 2 * BLOCK:
        terminal.say(f"  no intervals: they need {2 * BLOCK} frames at least")
    if not found.training:
        terminal.say("  no other labelled frames were given (--train), so there is no nearest neighbour")


def _show_differences(found: Benchmark) -> None:
    if found.differences:
        terminal.table(
            [f"minus {found.differences[0].first}, paired", *MEASURES],
            [[d.name, *(_cell(d.values[m], d.intervals[m], signed=True) for m in MEASURES)] for d in found.differences],
        )


def _show_said(found: Benchmark) -> None:
    first, several = found.rows[0], len(found.rows) > 1
    rows = []
    for row in found.rows:
        values = (row.mean.mean(), *np.percentile(row.mean, [5, 50, 95]))
        alike = [] if not several else ["" if row is first else f"{_alike(row, first.mean):.2f}"]
        rows.append([_named(row), *(f"{v:+.3f}" for v in values), *alike])
    head = ["what it says", "mean", "5 %", "median", "95 %"]
    terminal.table([*head, f"r with {first.name}"] if several else head, rows)


def _alike(row: Row, first: Any) -> float:
    return float(MEASURES["r"].of(row.mean, first, np.ones((1, len(first))))[0])


def _named(row: Row) -> str:
    return row.name if len(row.predicted) == 1 else f"{row.name} ({len(row.predicted)} seeds)"


def _cell(value: float, interval: Interval, *, signed: bool = False) -> str:
    if not np.isfinite(value):
        return "-"
    low, high = interval
    known = np.isfinite([low, high]).all()
    return _short(value, signed) + (f" [{_short(low, signed)}, {_short(high, signed)}]" if known else "")


def _short(value: float, signed: bool) -> str:
    """A number with three decimals and without the zero before them."""
    text = f"{round(value, 3) or 0.0:{'+' if signed else ''}.3f}"
    return text.replace("0.", ".", 1) if abs(round(value, 3)) < 1 else text


def parts_of(name: str, train: str | None, columns: str | None) -> tuple[ImageSet, ImageSet | None]:
    """The frames to score, and those of which baselines may use the labels: of an entry of the catalogue, its parts."""
    found = in_catalogue(name)
    if found is not None and (name.removesuffix("/") == found[0].name or found[1] == "test"):
        name, train = f"{found[0].name}/test", train or f"{found[0].name}/train"
    mapped = [n for n in (name, train) if n is not None and in_catalogue(n) is None]
    if columns is not None and not mapped:
        raise InputError(f"--columns {columns}: {name!r} is read without a column map")
    images = image_set(name, columns=columns if name in mapped else None)
    if train is None:
        return images, None
    training = image_set(train, columns=columns if train in mapped else None)
    if not training.labelled.any():
        raise InputError(f"--train {train}: none of {count(len(training), 'frame')} has a label")
    return images, training


def read_entrants(folders: Sequence[Path]) -> list[Entrant]:
    """The models of runs; runs whose configurations differ in the seed alone are one, in several seeds."""
    return [
        Entrant(name, tuple(read_driver(f) for f in group), _note(configuration))
        for name, group, configuration in grouped_runs(folders, "driver")
    ]


def grouped_runs(folders: Sequence[Path], kind: str) -> list[tuple[str, list[Path], dict[str, Any]]]:
    """Runs that trained a kind of model ("driver"): by name, those that differ in the seed alone, and how they were."""
    if len({f.resolve() for f in folders}) < len(folders):
        twice = next(f for k, f in enumerate(folders) if f.resolve() in {g.resolve() for g in folders[:k]})
        raise InputError(f"--model {twice}: stands there twice")
    groups: dict[str, list[Path]] = {}
    configurations: dict[str, dict[str, Any]] = {}
    for folder in folders:
        configuration = read_run(folder)["configuration"]
        if kind not in configuration:
            raise InputError(
                f"{folder}: this run trained no {kind}; 'simloop train DATASET --learner {kind}' makes one"
            )
        key = content_hash(_without_seed(configuration, kind))
        groups.setdefault(key, []).append(folder)
        configurations[key] = configuration
    names = _names(list(groups.values()))
    return [(name, group, configurations[key]) for name, (key, group) in zip(names, groups.items(), strict=True)]


def _note(configuration: dict[str, Any]) -> str:
    """What a driver learned from and how it sees, as far as its run says."""
    driver, dataset = configuration["driver"], configuration.get("dataset")
    options = driver.get("options") if isinstance(driver, dict) else None
    parts = []
    if isinstance(dataset, dict) and "photographs" in dataset:
        parts.append(f"learned from {count(dataset['photographs'], 'image')} of {dataset.get('world', 'a world')}")
    if isinstance(options, dict):
        parts += [f"{key} {options[key]}" for key in ("normalisation", "adaptation") if options.get(key)]
    return ", ".join(parts)


def read_driver(folder: Path) -> Steers:
    """The model that a run trained."""
    need(("torch", "safetensors"), "a driver", "learn")
    from simloop.learn.driving import DriverModel

    return DriverModel.load(folder / POLICY)


def _without_seed(configuration: dict[str, Any], kind: str) -> dict[str, Any]:
    """A configuration without the seed of its training; that of its dataset stays."""
    model = configuration[kind]
    own = {k: v for k, v in model.items() if k != "seed"} if isinstance(model, dict) else model
    return {**{k: v for k, v in configuration.items() if k != "seed"}, kind: own}


def _names(groups: Sequence[Sequence[Path]]) -> list[str]:
    """A name for each model: what the names of its folders begin with, whole paths where that is not enough."""
    names = []
    for group in groups:
        letters = zip(*(f.resolve().name for f in group), strict=False)
        shared = "".join(same[0] for same in takewhile(lambda s: len(set(s)) == 1, letters))
        short = shared.rstrip("-_. ").removesuffix("seed").rstrip("-_. ") if len(group) > 1 else shared
        names.append(short or group[0].resolve().name)
    times = Counter(names)
    return [n if times[n] == 1 else str(g[0]) for n, g in zip(names, groups, strict=True)]


def run_benchmark(
    name: str,
    folders: Sequence[Path],
    *,
    train: str | None = None,
    columns: str | None = None,
    calibrate: int = 0,
    page: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> BenchmarkResult:
    """Score models on frames.

    Args:
        name: the frames, as of `image_set`; an entry of the catalogue is scored on its part `test`.
        folders: runs that trained drivers.
        train: other frames whose labels baselines and calibration may use.
        columns: the YAML file of a column map.
        calibrate: add rows that use so many of these labels; 0: none.
        page: where to write the page to; None: nowhere.
        seed: of the resamples.
        progress: told of each model.
    """
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{page}: the name of the page ends in .html")
    images, training = parts_of(name, train, columns)
    if not folders and not images.labelled.any():
        raise InputError(
            f"{name}: none of {count(len(images), 'frame')} has a label; give a --model to see what it says"
        )
    found = benchmark(images, read_entrants(folders), training=training, calibrate=calibrate, seed=seed,
                      progress=progress)  # fmt: skip
    if page is not None:
        from simloop.report.benchmarked import write_benchmark_page

        asked = {"images": name, "models": [str(f) for f in folders], "train": train, "columns": columns,
                 "calibrate": calibrate, "seed": seed}  # fmt: skip
        write_benchmark_page(page, found, asked)
    return BenchmarkResult(found, page)
