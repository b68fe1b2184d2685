"""The page of `simloop benchmark` about tracks: the tables, every variant, and whom each model predicts worst."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from simloop.benchmark.prediction import MEASURES
from simloop.benchmark.prediction.table import BLOCK, Figure, PredictorRow, Worst
from simloop.parameters import Array
from simloop.report import blocks
from simloop.report.page import render
from simloop.report.quantities import number, shortened, span
from simloop.report.stages import without_folders
from simloop.runs import write_aside
from simloop.verbs_benchmark_tracks import (
    PAIRS,
    TrackBenchmarkResult,
    by_set,
    by_set_head,
    differences,
    meaning,
    named,
    opening,
    overall,
    title_of,
    variants,
    whole,
)

#: px of a picture's side in its own scale, and of a line of the caption below it
_SIDE, _LINE = 320, 17
#: samples that are drawn of each person, and models whose worst people are
_SAMPLES, _MODELS = 10, 6


def write_prediction_page(path: Path, result: TrackBenchmarkResult, asked: Mapping[str, Any]) -> None:
    """Write the page, one self-contained file; `asked` is what was asked for, to say the command."""
    with write_aside(path) as file:
        file.write(prediction_page(result, asked).encode())


def prediction_page(result: TrackBenchmarkResult, asked: Mapping[str, Any]) -> str:
    """The page as HTML."""
    from simloop import __version__

    name = without_folders(result.name)
    result = replace(result, name=name)
    head = {
        "title": f"benchmark on {name}",
        "kicker": f"benchmark · {name}",
        "headline": headline(result),
        "honesty": (
            f"Windows overlap: intervals are by blocks of {BLOCK} scenes that follow each other, and paired differences"
            " say more than two intervals do."
        ),
        "target": opening(result) + ".",
        "banner": "" if real(result) else f"These tracks are {result.provenance}.",
        "origin": f"the tracks {name}",
        "version": __version__,
    }
    return render(head, [*tables(result), variant_table(result), *pictures(result), reproduce(result, asked)])


def real(result: TrackBenchmarkResult) -> bool:
    """Whether the tracks are of the real world."""
    return result.provenance == "real recordings"


def headline(result: TrackBenchmarkResult) -> str:
    """What came out, in one sentence."""
    found, at = result.found, whole(result.found)
    base = found.baseline("ADE").figures[at]["ADE"].value
    models = [r for r in found.rows if r.model]
    if not models:
        return f"What a predictor has to beat: constant velocity misses by {number(base, padded=True)} m on average"
    best = min(models, key=lambda r: r.figures[at]["ADE"].value)
    value = best.figures[at]["ADE"].value
    return f"{best.name} misses by {number(value, padded=True)} m on average, constant velocity by" \
           f" {number(base, padded=True)} m"  # fmt: skip


def tables(result: TrackBenchmarkResult) -> list[blocks.Section]:
    """Each set, then what is measured on the mean of all with intervals, then paired differences."""
    found, at = result.found, whole(result.found)
    sets: list[blocks.Block] = []
    for title, pair in PAIRS.items():
        rows = tuple(_row(cells, r.model) for cells, r in zip(by_set(found, pair), found.rows, strict=True))
        sets.append(blocks.Table(title_of(title, found) + ".", tuple(by_set_head(found)), rows))
    measured = tuple(
        blocks.Row((blocks.Cell(named(r), r.note), *(_cell(r.figures[at][m]) for m in MEASURES)), strong=r.model)
        for r in found.rows
    )
    whole_table = blocks.Table(f"{overall(found)}, with 95 % intervals.", ("", *MEASURES), measured)
    out = [
        blocks.Section("sets", "Each set", tuple(sets)),
        blocks.Section("table", "All measures", (whole_table, blocks.Points(tuple(meaning(found))))),
    ]
    if less := tuple(_row(cells, False) for cells in differences(found)):
        caption = "Below 0 is better than constant velocity, on the same resamples."
        out.append(blocks.Section("differences", "Against constant velocity",
                                  (blocks.Table(caption, ("", *MEASURES), less),)))  # fmt: skip
    return out


def variant_table(result: TrackBenchmarkResult) -> blocks.Section:
    """The same errors in every way that papers average them."""
    found = result.found
    rows = tuple(_row(cells, False) for cells in variants(found))
    caption = f"ADE / FDE, m, {overall(found)}: the same predictions, measured as different papers do."
    head = ("", *(r.name for r in found.rows))
    return blocks.Section("variants", "Every variant", (blocks.Table(caption, head, rows),))


def pictures(result: TrackBenchmarkResult) -> list[blocks.Section]:
    """Of each model those whom it predicts worst."""
    models = [r for r in result.found.rows if r.model][:_MODELS] or [result.found.baseline("minADE")]
    return [_worst(result, row, k) for k, row in enumerate(models)]


def _worst(result: TrackBenchmarkResult, row: PredictorRow, k: int) -> blocks.Section:
    title = f"Whom {row.name} predicts worst"
    legend: tuple[tuple[blocks.Swatch, str], ...] = (("ink", "where they walked"), ("accent", "what it said"))
    caption = (
        "Worst first, each person once. A dot is the last observed place; thin lines are the other people of the scene,"
        f" and up to {_SAMPLES} of the samples."
    )
    panels = tuple(panel(w) for w in row.worst)
    block = blocks.Picture("Scenes", title, caption, opening(result), real(result), panels=panels, legend=legend)
    return blocks.Section(f"pictures-{k}", title, (block,))


def panel(worst: Worst) -> Markup:
    """A scene from above: the person, what was said of it, and the others."""
    p = worst.person
    own = np.concatenate([worst.seen[p], worst.real[p], worst.predicted[p].reshape(-1, 2)])
    low, high = own.min(axis=0), own.max(axis=0)
    size = max(float((high - low).max()), 2.0) * 1.15
    corner = (low + high) / 2 - size / 2
    scale = _SIDE / size

    def line(path: Array, colour: str, width: float, opacity: float) -> str:
        at = (path - corner) * scale
        points = " ".join(f"{x:.1f},{_SIDE - y:.1f}" for x, y in at)
        return (
            f'<polyline points="{points}" fill="none" stroke="var(--{colour})" stroke-width="{width:g}"'
            f' stroke-opacity="{opacity:g}" stroke-linecap="round"/>'
        )

    drawn = []
    for j in range(len(worst.seen)):
        if j != p:
            drawn.append(line(np.concatenate([worst.seen[j], worst.real[j]]), "muted", 1, 0.5))
    last = worst.seen[p, -1:]
    for sample in worst.predicted[p, 1 : 1 + _SAMPLES]:
        drawn.append(line(np.concatenate([last, sample]), "accent", 1, 0.4))
    drawn.append(line(np.concatenate([worst.seen[p], worst.real[p]]), "ink", 2.5, 1))
    drawn.append(line(np.concatenate([last, worst.predicted[p, 0]]), "accent", 2.5, 1))
    x, y = (last[0] - corner) * scale
    drawn.append(f'<circle cx="{x:.1f}" cy="{_SIDE - y:.1f}" r="4" fill="var(--ink)"/>')
    caption = (shortened(worst.name, 50), f"ADE {number(worst.error)} m, {size:.0f} m across")
    lines = "".join(
        f'<text x="0" y="{_SIDE + _LINE * (k + 1)}" fill="var(--muted)" style="font-size: 12px">{escape(text)}</text>'
        for k, text in enumerate(caption)
    )
    return Markup(
        f'<svg viewBox="0 0 {_SIDE} {_SIDE + _LINE * len(caption) + 5}" role="img"'
        f' aria-label="{escape(": ".join(caption))}">'
        f'<svg width="{_SIDE}" height="{_SIDE}">{"".join(drawn)}</svg>{lines}</svg>'
    )


def reproduce(result: TrackBenchmarkResult, asked: Mapping[str, Any]) -> blocks.Section:
    """The command."""
    words = ["simloop", "benchmark", without_folders(result.name)]
    for model in asked["models"]:
        words += ["--model", without_folders(model)]
    for option, default in (("unit", "m"), ("frame", None), ("samples", 20), ("seed", 0)):
        if asked[option] != default:
            words += [f"--{option}", str(asked[option])]
    return blocks.Section("reproduce", "How to reproduce it", (blocks.Code("The command", shlex.join(words)),))


def _row(cells: list[str], strong: bool) -> blocks.Row:
    return blocks.Row(tuple(blocks.Cell(c) for c in cells), strong=strong)


def _cell(figure: Figure) -> blocks.Cell:
    known = all(map(math.isfinite, figure.interval))
    return blocks.Cell(number(figure.value, padded=True), span(figure.interval) if known else "")
