"""What no parameters in range explain: where by channel and state the leftover of the first fit lies."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simloop.gap import Mismatch
from simloop.gap.mismatch import Finding
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Points, Row, Section, Table, Text
from simloop.report.figures import ACCENT, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import count, number, percent, shortened, spoken

#: most findings that are drawn
_MOST = 6


def section(outcome: Outcome) -> Section | None:
    """Sentences, a bar picture of each finding, and how large the leftover is."""
    structure = outcome.structure
    if structure is None or not outcome.fits:
        return None
    title, method = "What no parameters explain", next(iter(outcome.fits))
    if structure.found is None:
        return Section(
            "mismatch", title, (Text(f"Not looked for: {structure.why_not.removeprefix('mismatch: ')}.", tone="quiet"),)
        )
    found = structure.found
    blocks: list[Block] = [
        Text(
            f"{count(found.windows, 'window')} of {number(found.horizon)} s of the test recordings were replayed under"
            f" the mean parameters of {method}. What moving the parameters within their prior could explain was taken"
            f" out, and the rest was asked {count(found.questions, 'question')}: does it depend on where the machine"
            " is, how it moves, what is done? An answer counts only where chance gives none as strong, to any of them,"
            " in 99 of 100 worlds that are right."
        )
    ]
    if not found.found:
        blocks.append(Text("No mismatch found: what is left over is as large as errors of the start and of the sensors"
                           " leave, or nearly so, and has no structure."))  # fmt: skip
    else:
        blocks.append(Text("Mismatch: no parameters in range explain these recordings.", tone="warning"))
        blocks.append(Points(tuple(f"{s[0].upper()}{s[1:]}." for s in found.sentences)))
    drawn = [f for f in found.findings if f.means][:_MOST]
    if drawn:
        blocks.append(_picture(outcome, found, drawn))
    blocks.append(_table(found))
    return Section("mismatch", title, tuple(blocks))


def _table(found: Mismatch) -> Table:
    rows = tuple(
        Row((
            Cell(x.channel),
            Cell(spoken(x.rms, x.unit)),
            Cell(number(x.ratio, 2), f"{number(x.ratio_interval[0], 2)} to {number(x.ratio_interval[1], 2)}"),
        ))
        for x in found.leftovers
    )  # fmt: skip
    head = ("channel", "root mean square", "times what start and sensors leave")
    return Table(f"How much is left over after {number(found.horizon)} s, simulated minus measured.", head, rows)


def _picture(outcome: Outcome, found: Mismatch, drawn: list[Finding]) -> Picture:
    units = _units(outcome)

    def draw(width: int, finding: Finding) -> Figure:
        names, means = _bins(finding, units.get(finding.of, "")), np.array(finding.means)
        degrees = finding.unit == "rad"
        each, top, left = 24, 44, 124
        figure = figures.canvas(width, top + each * len(means) + 24)
        axes = figures.rows_panel(figure, left, top, width - left - 12, each * len(means), len(means))
        values = np.degrees(means) if degrees else means
        edge = float(np.abs(values).max()) * 1.15 or 1.0
        axes.set_xlim(-edge, edge)
        ends = [-edge / 1.15, edge / 1.15]
        axes.set_xticks([ends[0], 0, ends[1]], [number(x, 2) for x in (ends[0], 0, ends[1])])
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, (name, value) in enumerate(zip(names, values, strict=True)):
            _bar(axes, row, name, float(value), left)
        unit = "°" if degrees else finding.unit
        by = units.get(finding.of, "")
        asked = f"{shortened(finding.channel, 14)} by {shortened(finding.of, 18)}"
        asked += f", {'°' if by == 'rad' else by}" if by else ""
        figures.write(axes, 0, 1, asked, data="", dx=-left, dy=32, bold=True)
        explains = f"leftover, {unit}; explains {percent(finding.share)} of it"
        figures.write(axes, 0, 1, explains, data="", dx=-left, dy=14, color=MUTED)
        return figure

    panels = tuple(
        figures.draw_panel(f"mismatch-{k}", f"{f.sentence}", partial(draw, finding=f)) for k, f in enumerate(drawn)
    )
    label = "Mean leftover by what it depends on: " + "; ".join(f.sentence for f in drawn)
    target, real = outcome.target_of_figure("test")
    caption = (
        "Mean leftover (simulated minus measured) in bins with equally many windows. Where nothing is missing from the"
        " world, bars are short and of either sign."
    )
    return Picture("Where the leftover lies", label, caption, target, real, panels=panels)


def _bar(axes: Axes, row: int, name: str, value: float, left: float) -> None:
    axes.axhline(row + 0.5, color=RULE, linewidth=0.6)
    figures.write(axes, 0, row, name, data="y", dx=-left, color=MUTED)
    figures.line(axes, min(0.0, value), max(0.0, value), row, color=ACCENT, width=10)


def _units(outcome: Outcome) -> dict[str, str]:
    """The unit of what a finding sorts windows by, where the world is known."""
    if outcome.world is None:
        return {}
    found = {"time in the recording": "s", **{a.name: a.unit for a in outcome.world.actions}}
    for channel in outcome.world.measured:
        found |= {channel.name: channel.unit, **dict.fromkeys(_velocities(channel.name), f"{channel.error_unit}/s")}
    return found


def _velocities(name: str) -> tuple[str, str]:
    return f"{name}'s velocity", f"|{name}'s velocity|"


def _bins(finding: Finding, unit: str) -> list[str]:
    """The bins of a finding in few characters, angles in degrees."""
    if not finding.edges:
        return [f"recording {k + 1}" for k in range(len(finding.means))]
    edges = [number(float(np.degrees(e)) if unit == "rad" else e, 2) for e in finding.edges]
    inner = [f"{a} to {b}" for a, b in pairwise(edges)]
    return [f"below {edges[0]}", *inner, f"above {edges[-1]}"][: len(finding.means)]
