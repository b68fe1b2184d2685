"""The page of `simloop benchmark`: the table, differences, steering over the frames, and pictures of the worst ones."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from simloop.benchmark import MEASURES, Benchmark, Row
from simloop.benchmark.blocks import BLOCK
from simloop.gap.gap import Interval
from simloop.report import blocks, figures
from simloop.report.driven_frames import panel
from simloop.report.page import render
from simloop.report.quantities import count, number, shortened, span
from simloop.report.reproduce import depends_on
from simloop.report.stages import without_folders
from simloop.runs import write_aside

#: pictures for each model, and frames between two of them at least: neighbours show the same
WORST, APART = 6, 10
#: rows whose worst frames are shown
_MODELS = 8


def write_benchmark_page(path: Path, found: Benchmark, asked: Mapping[str, Any]) -> None:
    """Write the page, one self-contained file; `asked` is what was asked for, to say the command."""
    with write_aside(path) as file:
        file.write(benchmark_page(found, asked).encode())


def benchmark_page(found: Benchmark, asked: Mapping[str, Any]) -> str:
    """The page as HTML."""
    from simloop import __version__

    images = found.images
    name = without_folders(images.name)
    head = {
        "title": f"benchmark on {name}",
        "kicker": f"benchmark · {name}",
        "headline": headline(found),
        "honesty": honesty(found),
        "target": _target(found),
        "banner": "" if real(found) else f"These frames are {images.provenance}.",
        "origin": f"the frames {name}",
        "version": __version__,
    }
    sections = [table(found), differences(found), over_frames(found), *pictures(found), reproduce(found, asked)]
    return render(head, sections)


def real(found: Benchmark) -> bool:
    """Whether the frames are of the real world."""
    return found.images.provenance == "real recordings"


def headline(found: Benchmark) -> str:
    """What came out, in one sentence."""
    models = [r for r in found.rows if r.model]
    if not found.scored:
        return f"None of {count(found.frames, 'frame')} has a label: what the models say, and no score"
    if not models:
        return f"What a model has to beat on {count(len(found.images), 'frame')}"
    best = min(models, key=lambda r: r.values["MAE"])
    mean = next(r for r in found.rows if r.name == "mean")
    ways = "misses" if len(models) == 1 else "is nearest: it misses"
    return (
        f"{best.name} {ways} the human's steering by {number(best.values['MAE'], padded=True)} on average, the mean"
        f" of labels by {number(mean.values['MAE'], padded=True)}"
    )


def honesty(found: Benchmark) -> str:
    """What the intervals are worth."""
    if not found.scored:
        return ""
    n = len(found.images)
    if n < 2 * BLOCK:
        return f"{count(n, 'frame')} are too few for an interval."
    return (
        f"{count(n, 'frame')} of one drive are about {n // BLOCK} blocks that do not look alike: intervals are wide,"
        " and paired differences say more than two intervals do."
    )


def _target(found: Benchmark) -> str:
    images = found.images
    parts = [f"{without_folders(images.name)}: {images.description}", images.provenance, images.source, images.licence]
    skipped = f" {count(len(images.skipped), 'frame')} skipped." if images.skipped else ""
    return ", ".join(p for p in parts if p) + "." + skipped


def table(found: Benchmark) -> blocks.Section:
    """All rows with their measures; without labels what the models say."""
    if not found.scored:
        rows = tuple(_said(r) for r in found.rows)
        head = ("", "mean", "5 %", "median", "95 %")
        return blocks.Section(
            "table", "What the models say", (blocks.Table("Steering, −1 left, 1 right.", head, rows),)
        )
    rows = tuple(
        blocks.Row(
            (blocks.Cell(r.name, _notes(r)), blocks.Cell(str(r.labels) if r.labels else "none"),
             *(_measured(r.values[m], r.intervals[m]) for m in MEASURES)),
            strong=r.model,
        )
        for r in found.rows
    )  # fmt: skip
    meanings = tuple(f"{m.name}: {m.meaning}; {'lower' if m.lower else 'higher'} is better." for m in MEASURES.values())
    caption = f"Steering, −1 left, 1 right. Below each value its 95 % interval by blocks of {BLOCK} frames."
    content: list[blocks.Block] = [
        blocks.Table(caption, ("", "real labels used", *MEASURES), rows),
        blocks.Points(meanings),
    ]
    if found.images.skipped:
        named = tuple(f"{file}: {why}" for file, why in found.images.skipped)
        content.append(blocks.Points(named, title=count(len(named), "skipped frame"), closed=True))
    return blocks.Section("table", "The table", tuple(content))


def differences(found: Benchmark) -> blocks.Section:
    """Each row minus the first model."""
    rows = tuple(
        blocks.Row((blocks.Cell(d.name), *(_measured(d.values[m], d.intervals[m]) for m in MEASURES)))
        for d in found.differences
    )
    if not rows:
        return blocks.Section("differences", "Differences")
    caption = f"Minus {found.differences[0].first}, on the same resamples: an interval without 0 tells them apart."
    title = f"Differences to {found.differences[0].first}"
    return blocks.Section("differences", title, (blocks.Table(caption, ("", *MEASURES), rows),))


def over_frames(found: Benchmark) -> blocks.Section:
    """Steering over the frames, of the human and of each model."""
    drawn = []
    for k, row in enumerate(_shown(found)):
        label = f"Steering over the frames: {row.name}" + (" and the human" if found.scored else "")
        wide, narrow = figures.draw_both(f"steering-{k}", label, partial(_lines, found=found, row=row))
        legend: tuple[tuple[blocks.Swatch, str], ...] = (
            ("accent", row.name),
            *((("ink", "the human"),) * found.scored),
        )
        caption = "Up is right." + (" The mean over seeds." if len(row.predicted) > 1 else "")
        drawn.append(
            blocks.Picture(
                row.name, label, caption, _target(found).rstrip("."), real(found), wide, narrow, legend=legend
            )
        )
    return blocks.Section("frames", "Steering over the frames", tuple(drawn))


def _lines(width: int, *, found: Benchmark, row: Row) -> Figure:
    figure = figures.canvas(width, 170)
    axes = figures.panel(figure, 34, 8, width - 44, 130)
    frames = np.arange(len(found.images))
    axes.axhline(0, color=figures.RULE, linewidth=0.8)
    if found.scored:
        axes.plot(frames, found.true, color=figures.INK, linewidth=1.2)
    axes.plot(frames, row.mean, color=figures.ACCENT, linewidth=1.2)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, 0, 1])
    axes.set_xlim(0, max(len(frames) - 1, 1))
    axes.set_xlabel("scored frame" if found.scored else "frame")
    return figure


def pictures(found: Benchmark) -> list[blocks.Section]:
    """Of each model the frames on which it is most wrong; without labels, frames from all over."""
    out = []
    for k, row in enumerate(_shown(found)):
        places = worst(row, found.true) if found.scored else _spread(len(found.images))
        shown = tuple(_picture(found, row, int(i)) for i in places)
        title = f"Where {row.name} is most wrong" if found.scored else f"What {row.name} says"
        legend: tuple[tuple[blocks.Swatch, str], ...] = (
            ("accent", row.name),
            *((("ink", "the human"),) * found.scored),
        )
        caption = (
            "Worst first, at most one of ten frames that follow each other."
            if found.scored
            else "Evenly over the drive."
        )
        caption += " A needle points to where one steers: upright is straight on, 60° is full lock."
        block = blocks.Picture("Frames", title, caption, _target(found).rstrip("."), real(found), panels=shown,
                               legend=legend)  # fmt: skip
        out.append(blocks.Section(f"pictures-{k}", title, (block,)))
    return out


def worst(row: Row, true: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """The frames with the largest mean error over seeds, none near another."""
    error = np.abs(row.predicted - true).mean(axis=0)
    chosen: list[int] = []
    for i in np.argsort(-error, kind="stable"):
        if all(abs(int(i) - j) >= APART for j in chosen):
            chosen.append(int(i))
        if len(chosen) == WORST:
            break
    return chosen


def _spread(n: int) -> list[int]:
    return list(dict.fromkeys(np.linspace(0, n - 1, min(n, WORST)).round().astype(int).tolist()))


def _picture(found: Benchmark, row: Row, i: int) -> Markup:
    human = float(found.true[i])
    frame = found.images.read([i])[0]
    needles = [("accent", float(row.mean[i])), *([("ink", human)] if math.isfinite(human) else [])]
    said = f"{shortened(row.name)} {number(float(row.mean[i]), 2)}"
    said += f", the human {number(human, 2)}" if math.isfinite(human) else ""
    return panel(frame, needles, (shortened(found.images.files[i].name, 50), said))


def _shown(found: Benchmark) -> list[Row]:
    """The models, or the memory of places where there is none."""
    models = [r for r in found.rows if r.model]
    return models[:_MODELS] or [r for r in found.rows if r.name == "nearest neighbour"]


def _notes(row: Row) -> tuple[str, ...]:
    seeds = len(row.predicted)
    if seeds == 1:
        return (row.note,)
    low, high = row.seeds["MAE"]
    return (row.note, f"mean of {seeds} seeds, whose MAE is {number(low, padded=True)} to {number(high, padded=True)}")


def _measured(value: float, interval: Interval) -> blocks.Cell:
    known = all(map(math.isfinite, interval))
    return blocks.Cell(number(value, padded=True) if math.isfinite(value) else "–", span(interval) if known else "")


def _said(row: Row) -> blocks.Row:
    values: Sequence[float] = (row.mean.mean(), *np.percentile(row.mean, [5, 50, 95]))
    cells = tuple(blocks.Cell(number(float(v), padded=True)) for v in values)
    return blocks.Row((blocks.Cell(row.name), *cells), strong=True)


def reproduce(found: Benchmark, asked: Mapping[str, Any]) -> blocks.Section:
    """What the numbers depend on, and the command."""
    words = ["simloop", "benchmark", without_folders(asked["images"])]
    for model in asked["models"]:
        words += ["--model", without_folders(model)]
    for option in ("train", "columns", "calibrate", "seed"):
        if asked.get(option):
            words += [f"--{option}", without_folders(str(asked[option]))]
    facts = {
        "frames": str(len(found.images)),
        "hash of the frames and their labels": found.images.hash(),
        "resamples": f"blocks of {BLOCK} frames, seed {asked.get('seed', 0)}",
        "labels that baselines used": found.training or "those of the scored frames (their mean)",
    }
    return blocks.Section(
        "reproduce", "How to reproduce it", (depends_on(facts), blocks.Code("The command", shlex.join(words)))
    )
