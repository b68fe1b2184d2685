"""Real against simulated trajectories in a few windows of the test recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from simloop.parameters import Array
from simloop.report import figures
from simloop.report.blocks import Block, Picture, Section, Swatch, Text
from simloop.report.figures import ACCENT, BAND, INK, MUTED
from simloop.report.outcome import Outcome
from simloop.report.quantities import number, shortened, unit_sign
from simloop.report.stages import Replays

#: most columns of a recording, and most panels, that a figure shows
_COLUMNS, _PANELS = 6, 24


@dataclass(frozen=True)
class Lines:
    """What one figure shows, (windows, columns, instants), in the unit shown: degrees where the unit is rad."""

    measured: Array
    default: Array | None
    mean: Array
    low: Array | None
    high: Array | None


def section(outcome: Outcome) -> Section | None:
    """One figure of trajectories and one of their errors for each fit."""
    replays = outcome.replays
    if replays is None or not replays.files:
        return None
    names, units, wraps = _columns(outcome, replays)
    shown = range(min(len(names), _COLUMNS))
    windows = list(range(len(replays.files)))[: max(2, _PANELS // len(shown))]
    blocks: list[Block] = [
        Text(
            f"{len(windows)} windows of {replays.horizon:g} s from the test recordings, chosen at even ranks of the"
            " default's error, so that easy and hard ones are both here; in order of time, not of error."
            + (f" Only the first {_COLUMNS} of {len(names)} values are shown." if len(names) > _COLUMNS else "")
        )
    ]
    fits = [m for m in replays.arms if m != "default"] or list(replays.arms)
    for k, fit in enumerate(fits):
        for errors in (False, True):
            lines = lines_of(replays, fit, units, wraps, errors=errors)
            blocks.append(_picture(outcome, replays, fit, names, units, lines, windows, errors=errors, closed=k > 0))
    return Section("trajectories", "Real against simulated", tuple(blocks))


def _columns(outcome: Outcome, replays: Replays) -> tuple[list[str], list[str], list[bool]]:
    """Name, unit and whether it wraps of each column; a channel of several columns is named with their numbers."""
    width = replays.measured.shape[1]
    channels = outcome.world.measured if outcome.world else ()
    names = [c.name if c.width == 1 else f"{c.name} {k + 1}" for c in channels for k in range(c.width)]
    if len(names) == width:
        units = [c.unit if c.width == 1 else "" for c in channels for _ in range(c.width)]
        return names, units, [c.kind == "angle" for c in channels for _ in range(c.width)]
    if len(replays.channels) == width:
        return list(replays.channels), list(replays.units), [False] * width
    return [f"column {j + 1}" for j in range(width)], [""] * width, [False] * width


def lines_of(
    replays: Replays, fit: str, units: Sequence[str], wraps: Sequence[bool], *, errors: bool, beside: str = "default"
) -> Lines:
    """The lines of an arm, with those of another one's means beside it where there are any."""
    turn = np.where(wraps, 2 * np.pi, np.inf)[:, None]
    scale = np.where([u == "rad" for u in units], 180 / np.pi, 1.0)[:, None]

    def of(arm: str, key: str) -> Array | None:
        found = replays.arms.get(arm, {})
        if key not in found:
            return None
        # whole turns are no difference: all lines of an arm are moved to the measured one's turn
        turns = np.round((found["mean"] - replays.measured) / turn)
        moved = found[key] - np.where(np.isfinite(turn), turn, 0.0) * turns
        return np.asarray((moved - replays.measured if errors else moved) * scale)

    mean = of(fit, "mean")
    assert mean is not None
    measured = np.where(np.isfinite(replays.measured), 0.0, np.nan) if errors else replays.measured * scale
    return Lines(measured, None if fit == beside else of(beside, "mean"), mean, of(fit, "low"), of(fit, "high"))


def _picture(
    outcome: Outcome, replays: Replays, fit: str, names: list[str], units: list[str], lines: Lines, windows: list[int],
    *, errors: bool, closed: bool,
) -> Picture:  # fmt: skip
    columns = range(min(len(names), _COLUMNS))
    least, titles = least_heights(lines), _titles(replays)

    def draw(width: int, window: int) -> Figure:
        left, top, each = 42, 48, 94
        figure = figures.canvas(width, top + each * len(columns))
        for row, column in enumerate(columns):
            axes = figures.panel(figure, left, top + row * each, width - left - 18, each - 24)
            draw_lines(axes, replays.time, lines, window, column, least[column])
            unit = "°" if units[column] == "rad" else unit_sign(units[column])
            said = f"{shortened(names[column], 24)}, {unit}" if unit else shortened(names[column], 24)
            figures.write(axes, 0, 1, said, data="", dy=11, color=MUTED)
            if row + 1 < len(columns):
                axes.xaxis.set_major_formatter(NullFormatter())
            else:
                figures.write(axes, 1, 0, "s", data="", dx=10, color=MUTED)
            if row == 0:
                figures.write(axes, 0, 1, titles[window], data="", dy=29, bold=True)
        return figure

    what = "Simulated minus measured" if errors else "Measured and simulated"
    name = f"trajectories-{'error-' if errors else ''}{fit}"
    panels = tuple(
        figures.draw_panel(f"{name}-{w}", f"{what}, {fit}: {titles[w]}", partial(draw, window=w)) for w in windows
    )
    label = f"{what} trajectories in {len(windows)} test windows, for the default parameters and the fit by {fit}"
    legend: tuple[tuple[Swatch, str], ...] = (
        ("ink", "measured" if not errors else "no error"),
        *((("dashed", "default"),) if lines.default is not None else ()),
        ("accent", f"{fit}, mean parameters" if fit != "default" else "default"),
        *((("band", "90 % of its draws"),) if lines.low is not None else ()),
    )
    caption = (
        "The same windows, errors only: a band that leaves the zero line out is too narrow or off."
        if errors
        else "Panels below one another are one window. All start where the recording was; lines that meet agree."
    )
    target, real = outcome.target_of_figure("test")
    title = f"{what}: {fit}"
    return Picture(title, label, caption, target, real, panels=panels, legend=legend, closed=closed)


def _titles(replays: Replays) -> list[str]:
    """File and start of each window; a file's name is left out where all have the same one."""
    last = {f.rsplit("/", 1)[-1] for f in replays.files}
    files = [f.rsplit("/", 1)[0] if len(last) == 1 and len(set(replays.files)) > 1 else f for f in replays.files]
    return [f"{shortened(f, 24)}, from {number(s, 4)} s" for f, s in zip(files, replays.starts, strict=True)]


def least_heights(lines: Lines) -> list[float]:
    """The least height of each column's panels: a tenth of the tallest, so that noise does not look like motion."""
    shown = np.stack([x for x in (lines.measured, lines.default, lines.mean) if x is not None])
    low = np.where(np.isfinite(shown), shown, np.inf).min(axis=(0, 3))
    high = np.where(np.isfinite(shown), shown, -np.inf).max(axis=(0, 3))
    heights = np.where(high > low, high - low, 0.0).max(axis=0)
    return [float(h) / 10 + 1e-9 for h in heights]


def draw_lines(axes: Axes, time: Array, lines: Lines, window: int, column: int, least: float) -> None:
    """Draw one window's column; its height is at least `least`."""
    at = window, column
    if lines.low is not None and lines.high is not None:
        axes.fill_between(time, lines.low[at], lines.high[at], color=BAND, linewidth=0)
    axes.plot(time, lines.measured[at], color=INK, linewidth=1.2)
    if lines.default is not None:
        axes.plot(time, lines.default[at], color=MUTED, linewidth=1.2, dashes=(3, 2))
    axes.plot(time, lines.mean[at], color=ACCENT, linewidth=1.6)
    if not np.isfinite(lines.mean[at][np.isfinite(lines.measured[at])]).all():
        figures.write(axes, 1, 1, "diverged", data="", dy=7, right=True, color=MUTED)
    low, high = axes.get_ylim()
    if high - low < least:
        axes.set_ylim((low + high - least) / 2, (low + high + least) / 2)
    axes.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
