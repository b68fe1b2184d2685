"""What `simloop benchmark` does and prints about tracks: models that predict where people walk, on real recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.benchmark.prediction import MEASURES, Contestant, Predictor, TrackBenchmark, Windows, benchmark_tracks
from simloop.benchmark.prediction.scores import SAMPLED, TOUCH
from simloop.benchmark.prediction.table import BLOCK, MEAN, Figure, PredictorRow
from simloop.errors import InputError, count, need
from simloop.progress import Progress, silent
from simloop.runs import POLICY
from simloop.targets import catalogue
from simloop.targets.eth_ucy import TESTED
from simloop.targets.tracks import track_set
from simloop.verbs_benchmark import grouped_runs

#: measures of the single prediction
SINGLE = tuple(m for m in MEASURES if m not in SAMPLED)
#: pairs of measures that papers write with a stroke between them
PAIRS = {"single prediction": ("ADE", "FDE"), "least over samples, for each pedestrian": ("minADE", "minFDE")}


@dataclass(frozen=True)
class TrackBenchmarkResult:
    """The table, what it is of, and the page that it was written to."""

    found: TrackBenchmark
    name: str
    provenance: str
    page: Path | None

    def to_dict(self) -> dict[str, Any]:
        page = None if self.page is None else str(self.page)
        return {"tracks": self.name, "provenance": self.provenance, **self.found.to_dict(), "page": page}

    def show(self) -> None:
        found = self.found
        terminal.say(opening(self))
        for title, pair in PAIRS.items():
            terminal.table(
                [*by_set_head(found)], [list(row) for row in by_set(found, pair)], title=title_of(title, found)
            )
        for part in (SINGLE, SAMPLED):  # all in one are too wide for a terminal
            rows = [list(r) for r in measured(found, part)]
            terminal.table(["", *part], rows, title=f"{overall(found)}, with intervals")
        for part in (SINGLE, SAMPLED):
            if less := [list(r) for r in differences(found, part)]:
                terminal.table(["less constant velocity, paired", *part], less)
        terminal.table(["every variant: ADE / FDE", *(r.name for r in found.rows)], [list(r) for r in variants(found)],
                       title=overall(found))  # fmt: skip
        for line in meaning(found):
            terminal.say(line)
        for row in found.rows:
            if row.note:
                terminal.say(f"  {row.name}: {row.note}")
        if self.page is not None:
            terminal.say(f"the page with whom each model predicts worst: {self.page}")


def opening(result: TrackBenchmarkResult) -> str:
    """What was scored, in one sentence."""
    sets = result.found.sets
    people, scenes = (sum(s[k] for s in sets.values()) for k in (0, 1))
    each = ", ".join(f"{n} {s[0]}" for n, s in sets.items()) if len(sets) > 1 else ""
    return (
        f"{result.name} ({result.provenance}): {people} windows of people in {count(scenes, 'scene')} of 8 observed and"
        f" 12 predicted steps of 0.4 s" + (f" ({each})" if each else "")
    )


def overall(found: TrackBenchmark) -> str:
    """What the last column is: the mean of sets, or the one set."""
    return f"mean of {len(found.sets)} sets" if len(found.sets) > 1 else next(iter(found.sets))


def title_of(title: str, found: TrackBenchmark) -> str:
    return title.replace("samples", f"{found.samples} samples") + ": ADE / FDE, m"


def by_set_head(found: TrackBenchmark) -> list[str]:
    return ["", *found.rows[0].figures]


def by_set(found: TrackBenchmark, pair: tuple[str, str]) -> Iterator[list[str]]:
    """A row for each model: two measures on each set and on their mean."""
    for row in found.rows:
        yield [named(row), *(" / ".join(short(own[m].value) for m in pair) for own in row.figures.values())]


def measured(found: TrackBenchmark, measures: Sequence[str] = tuple(MEASURES)) -> Iterator[list[str]]:
    """A row for each model: measures of the mean with intervals; beside collisions a row of what people really did."""
    at = whole(found)
    for row in found.rows:
        yield [named(row), *(cell(row.figures[at][m]) for m in measures)]
    if "collisions" in measures:
        real = float(np.mean(list(found.real.values())))
        yield ["real tracks", *(short(real) if m == "collisions" else "" for m in measures)]


def differences(found: TrackBenchmark, measures: Sequence[str] = tuple(MEASURES)) -> Iterator[list[str]]:
    """A row for each model: it less the baseline of each measure, and on how many sets it is surely better."""
    at = whole(found)
    for row in found.rows:
        if not row.model:
            continue
        yield [row.name, *(cell(found.difference(row, at, m), signed=True) for m in measures)]
        if len(found.sets) > 1:
            yield [f"{row.name}: sets on which it is less", *(_wins(found, row, m) for m in measures)]


def _wins(found: TrackBenchmark, row: PredictorRow, measure: str) -> str:
    each = [found.difference(row, s, measure) for s in found.sets]
    less, surely = sum(d.value < 0 for d in each), sum(d.interval[1] < 0 for d in each)
    return f"{less} of {len(each)} ({surely} surely)"


def variants(found: TrackBenchmark) -> Iterator[list[str]]:
    """A row for each way to make the numbers, a column for each model."""
    at = whole(found)
    for name in found.rows[0].figures[at]:
        if "ADE" in name:
            pair = name, name.replace("ADE", "FDE")
            said = name.replace("minADE", "least").replace("ADE", "single")
            yield [said, *(" / ".join(short(r.figures[at][m].value) for m in pair) for r in found.rows)]


def whole(found: TrackBenchmark) -> str:
    """The name of the mean of sets, or of the one set."""
    return MEAN if len(found.sets) > 1 else next(iter(found.sets))


def meaning(found: TrackBenchmark) -> list[str]:
    """What the columns are."""
    lines = [f"{m}: {what}" for m, what in MEASURES.items()]
    real = ", ".join(f"{n} {v:.2%}" for n, v in found.real.items())
    lines.append(f"real people come nearer than {TOUCH:g} m to each other: {real}")
    lines.append(
        f"differences: ADE and FDE to constant velocity, the others to that with noise; intervals: 95 % by blocks of"
        f" {BLOCK} scenes, a window's length"
    )
    lines.append(
        "variants: 'of scenes' takes the least for a scene as a whole, 'of one sample' takes the FDE of the sample with"
        " the least ADE, 'alone too' has scenes of one person, 'scenes alike' weighs scenes and not people"
    )
    if few := [n for n, (_, s) in found.sets.items() if s < 2 * BLOCK]:
        lines.append(f"no intervals of {', '.join(few)} and of the mean: they need {2 * BLOCK} scenes at least")
    return lines


def named(row: PredictorRow) -> str:
    return row.name if row.seeds == 1 else f"{row.name} ({row.seeds} seeds)"


def cell(figure: Figure, *, signed: bool = False) -> str:
    """A value with its interval."""
    low, high = figure.interval
    known = np.isfinite([low, high]).all()
    return short(figure.value, signed) + (f" [{short(low, signed)}, {short(high, signed)}]" if known else "")


def short(value: float, signed: bool = False) -> str:
    """A number with three decimals and without the zero before them."""
    if not np.isfinite(value):
        return "-"
    text = f"{round(value, 3) or 0.0:{'+' if signed else ''}.3f}"
    return text.replace("0.", ".", 1) if abs(round(value, 3)) < 1 else text


def sets_of(name: str, unit: str, frame: float | None) -> tuple[dict[str, Windows], str]:
    """Windows by set, and where they are from: an entry's test sets, one of them, a dataset, or someone's own files."""
    from simloop.benchmark.prediction import cut_windows
    from simloop.data.plan import holds_tracks
    from simloop.data.tracks import load_tracks

    entry = None if name.startswith((".", "/")) else catalogue.entries().get(name.partition("/")[0])
    if entry is not None and not (name.endswith("/") and Path(name).is_dir()):
        parts = TESTED if name == entry.name else [name.partition("/")[2]]
        if unit != "m" or frame is not None:
            raise InputError(f"--unit and --frame are about your own tracks; {name!r} says both itself")
        sets = {part: cut_windows(track_set(f"{entry.name}/{part}"), least=1) for part in parts}
        return sets, "real recordings"
    if holds_tracks(Path(name)):
        return {Path(name).name or name: cut_windows(load_tracks(name), least=1)}, "simulated"
    tracks = track_set(name, unit=unit, frame=frame)
    return {Path(name).name or name: cut_windows(tracks, least=1)}, "recordings, as their owner says"


def read_contestants(folders: Sequence[Path], sets: Iterable[str] = ()) -> list[Contestant]:
    """The predictors of runs; runs that differ in the seed alone are one, in several seeds.

    `sets` are those of ETH and UCY that are scored: who learned from their recordings is noted.
    """
    return [
        Contestant(name, tuple(_read_predictor(f) for f in group), _note(configuration, list(sets)))
        for name, group, configuration in grouped_runs(folders, "predictor")
    ]


def _read_predictor(folder: Path) -> Predictor:
    need(("torch", "safetensors"), "a predictor", "learn")
    from simloop.learn.predictor_model import PredictorModel

    return PredictorModel.load(folder / POLICY)


def _note(configuration: dict[str, Any], sets: Sequence[str]) -> str:
    """What a predictor learned from, as far as its run says, and which of the scored recordings it has seen."""
    parts = []
    dataset, real = configuration.get("dataset"), configuration.get("real")
    if isinstance(dataset, dict) and "frames" in dataset:
        parts.append(f"learned from {count(int(dataset['frames']), 'simulated scene')}")
    if real:
        names = [str(n) for n in real] if isinstance(real, list) else [str(real)]
        parts.append(f"learned from real tracks: {', '.join(names)}")
        if seen := seen_sets(names, sets):
            parts.append(f"HAS SEEN recordings of what is scored: {', '.join(seen)}")
    return "; ".join(parts)


def seen_sets(learned: Sequence[str], sets: Sequence[str]) -> list[str]:
    """Which of the sets of ETH and UCY have recordings in the parts that somebody learned from.

    "eth-ucy/hotel/train" has recordings of all sets but hotel; "eth-ucy/hotel" is hotel's test itself.
    """
    seen: set[str] = set()
    for name in learned:
        entry, _, part = name.partition("/")
        own, _, rest = part.partition("/")
        if entry == "eth-ucy":
            seen |= set(TESTED) - {own} if rest else {own}
    return [s for s in sets if s in seen]


def run_track_benchmark(
    name: str,
    folders: Sequence[Path],
    *,
    unit: str = "m",
    frame: float | None = None,
    samples: int = 20,
    page: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> TrackBenchmarkResult:
    """Score predictors on tracks.

    Args:
        name: an entry of the catalogue (its test sets), a part of it, or files of tracks.
        folders: runs that trained predictors.
        unit: of lengths in own files.
        frame: s from one number of a frame to the next in own files.
        samples: futures of each scene.
        page: where to write the page to; None: nowhere.
        seed: of samples and resamples.
        progress: told of each model and set.
    """
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{page}: the name of the page ends in .html")
    sets, provenance = sets_of(name, unit, frame)
    scored = sets if provenance == "real recordings" else ()
    contestants = read_contestants(folders, scored)
    found = benchmark_tracks(sets, contestants, samples=samples, seed=seed, progress=progress)
    result = TrackBenchmarkResult(found, name, provenance, page)
    if page is not None:
        from simloop.report.predicted import write_prediction_page

        asked = {"models": [str(f) for f in folders], "unit": unit, "frame": frame, "samples": samples, "seed": seed}
        write_prediction_page(page, result, asked)
    return result
