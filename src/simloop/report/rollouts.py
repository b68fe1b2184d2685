"""Real against simulated rollouts of the same policy, under the distribution before and after it was moved."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from simloop.parameters import Array
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Swatch, Table, Text
from simloop.report.figures import MUTED
from simloop.report.learned import Beside, Learned
from simloop.report.quantities import NOTHING, count, number, percent, shortened, unit_sign
from simloop.report.stages import Replays
from simloop.report.trajectories import draw_lines, least_heights, lines_of

#: most columns that a figure shows
_COLUMNS = 6


def section(outcome: Learned) -> Section | None:
    """A figure for each iteration, and how far apart target and simulation were, in numbers."""
    if not outcome.beside:
        return None
    blocks: list[Block] = [
        Text(
            "The policy of an iteration acted on the target. Here it acts again in simulation, from the same starts,"
            " under the distribution that it was trained in (before) and under the one that was fitted to its rollouts"
            " (after). It answers to what it meets, so small differences grow where contacts or falls decide."
        )
    ]
    for i, pair in outcome.beside.items():
        if pair.replays is None:
            blocks.append(Text(f"Iteration {i}: rollouts not compared: {pair.why_not}.", tone="warning"))
            continue
        blocks.append(_picture(outcome, i, pair, pair.replays, closed=i > 0))
    if any(a.replays for a in outcome.beside.values()):
        blocks.append(_table(outcome))
    return Section("rollouts", "Real against simulated rollouts", tuple(blocks))


def _picture(outcome: Learned, i: int, pair: Beside, replays: Replays, *, closed: bool) -> Picture:
    fit = "after" if "after" in replays.arms else "before"
    lines = lines_of(replays, fit, replays.units, pair.wraps, errors=False, beside="before")
    before = lines_of(replays, "before", replays.units, pair.wraps, errors=False, beside="before")
    least, columns = least_heights(lines), _most_apart(replays, lines.measured, before.mean)

    def draw(width: int, rollout: int) -> Figure:
        left, top, each = 42, 48, 94
        figure = figures.canvas(width, top + each * len(columns))
        for row, column in enumerate(columns):
            axes = figures.panel(figure, left, top + row * each, width - left - 18, each - 24)
            if fit == "after" and before.low is not None and before.high is not None:
                for edge in (before.low, before.high):
                    axes.plot(replays.time, edge[rollout, column], color=MUTED, linewidth=0.6)
            draw_lines(axes, replays.time, lines, rollout, column, least[column])
            unit = "°" if replays.units[column] == "rad" else unit_sign(replays.units[column])
            name = shortened(replays.channels[column], 24)
            figures.write(axes, 0, 1, f"{name}, {unit}" if unit else name, data="", dy=11, color=MUTED)
            if row + 1 < len(columns):
                axes.xaxis.set_major_formatter(NullFormatter())
            else:
                figures.write(axes, 1, 0, "s", data="", dx=10, color=MUTED)
            if row == 0:
                figures.write(axes, 0, 1, _title(pair, rollout), data="", dy=29, bold=True)
        return figure

    shown = range(len(replays.files))
    panels = tuple(
        figures.draw_panel(f"rollouts-{i}-{k}", f"Iteration {i}, {_title(pair, k)}", partial(draw, rollout=k))
        for k in shown
    )
    target, real = outcome.target_of_figure("fit")
    where = "target" if real else "target (NOT REAL)"
    legend: tuple[tuple[Swatch, str], ...] = (
        ("ink", f"on the {where}"),
        *(
            (("dashed", "simulated before, mean parameters"), ("thin", "90 % of draws before"))
            if fit == "after"
            else ()
        ),
        ("accent", f"simulated {fit}, mean parameters"),
        ("band", f"90 % of draws {fit}"),
    )
    hidden = len(columns) < len(replays.channels)
    few = f" Shown are the {len(columns)} of {len(replays.channels)} values that were furthest apart before."
    caption = (
        f"{count(len(shown), 'rollout')} of the policy of iteration {i}, one column each; all start where the target"
        f" did. Bands are of true values, without the noise of sensors.{few if hidden else ''}"
    )
    label = f"Rollouts of iteration {i} on the target and in simulation, before and after the distribution was moved"
    return Picture(f"Iteration {i}", label, caption, target, real, panels=panels, legend=legend, closed=closed)


def _title(pair: Beside, rollout: int) -> str:
    how = "a success" if pair.success[rollout] else "no success"
    return f"rollout {rollout + 1}: {how}"


def _most_apart(replays: Replays, measured: Array, simulated: Array) -> list[int]:
    """The columns in which target and simulation were furthest apart, in parts of how much the target moved."""
    size = np.nanstd(measured, axis=(0, 2)) + 1e-9
    apart = _apart(measured, simulated) / size
    most = np.argsort(-np.nan_to_num(apart, nan=np.inf), kind="stable")[:_COLUMNS]
    return sorted(int(j) for j in most)


def _apart(measured: Array, simulated: Array) -> Array:
    """Root mean square of simulated minus measured by column, (C,), where both are known."""
    error = (simulated - measured) ** 2
    known = np.isfinite(error)
    total = np.where(known, error, 0.0).sum(axis=(0, 2))
    return np.asarray(np.sqrt(np.where(known.any(axis=(0, 2)), total, np.nan) / np.maximum(known.sum(axis=(0, 2)), 1)))


def _held(measured: Array, low: Array | None, high: Array | None) -> float | None:
    """The share of a column's instants that a band holds; None where there is no band."""
    if low is None or high is None:
        return None
    known = np.isfinite(measured) & np.isfinite(low) & np.isfinite(high)
    inside = (measured >= low) & (measured <= high)
    return float(inside[known].mean()) if known.any() else None


def _table(outcome: Learned) -> Table:
    shown = {i: a for i, a in outcome.beside.items() if a.replays is not None}
    first = next(iter(shown.values())).replays
    assert first is not None
    rows = []
    for j, name in enumerate(first.channels):
        cells = [Cell(name, "°" if first.units[j] == "rad" else unit_sign(first.units[j]))]
        for pair in shown.values():
            cells.append(_before_and_after(pair, j))
        rows.append(Row(tuple(cells)))
    head = ("sensed", *(f"iteration {i}" for i in shown))
    caption = (
        "Root mean square between target and simulation (mean parameters), before → after; below it the share of"
        f" instants that the 90 % band holds.{outcome.not_real}"
    )
    return Table(caption, head, tuple(rows))


def _before_and_after(pair: Beside, column: int) -> Cell:
    replays = pair.replays
    assert replays is not None
    errors, shares = [], []
    for arm in ("before", "after"):
        if arm not in replays.arms:
            continue
        lines = lines_of(replays, arm, replays.units, pair.wraps, errors=False, beside=arm)
        error = float(_apart(lines.measured, lines.mean)[column])
        errors.append(number(error) if np.isfinite(error) else NOTHING)
        low, high = (None if x is None else x[:, column] for x in (lines.low, lines.high))
        shares.append(percent(_held(lines.measured[:, column], low, high)))
    return Cell(" → ".join(errors), " → ".join(shares))
