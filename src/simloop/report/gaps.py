"""How far each simulation is from recordings that no fit has seen: every arm, those that did nothing included."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from simloop.gap import Gap
from simloop.gap.gap import Interval
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Table, Text
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, count, measured, number, percent, shortened, span


@dataclass(frozen=True)
class Arm:
    """One row of a gap table."""

    name: str
    what: str
    gap: Gap
    fitted: bool


def section(outcome: Outcome) -> Section | None:
    """A table for each horizon and a picture of the ratios."""
    if not outcome.horizons:
        return None
    whole = outcome.configuration["world"].get("whole")
    where = "averaged over each recording's time" if whole else "at the windows' ends"
    blocks: list[Block] = [
        Text(
            f"RMSE is the root mean squared error {where}, and counts a few large misses heavily; the"
            " median error says how a usual window went. A ratio below 1 is nearer to the recordings than the default;"
            " where its interval holds 1, the two cannot be told apart. “Drawn” arms draw parameters anew for each"
            " window, as training would, so their error includes their own spread; their 90 % band should hold 90 % of"
            " windows."
        )
    ]
    arms = {horizon: _arms(outcome, horizon) for horizon in outcome.horizons}
    blocks.append(_picture(outcome, arms))
    blocks += [_table(outcome.when(horizon), rows) for horizon, rows in arms.items()]
    said = _coverage(arms) if outcome.calibration is None else ""  # which says it of every horizon
    if said:
        blocks.append(Text(said))
    return Section("gaps", "The gap before and after", tuple(blocks))


def _arms(outcome: Outcome, horizon: float) -> list[Arm]:
    """All arms at a horizon: what did nothing, then each fit's mean and each fit as a distribution."""
    before, after, drawn = (stage.get(horizon, []) for stage in (outcome.before, outcome.after, outcome.drawn))
    still = {g.name: g for g in [*(g for g in after if g.name == "default"), *before]}
    what = {"persistence": "nothing moves", "default": "the world's own parameters"}
    arms = [Arm(name, what.get(name, _draws(still[name])), still[name], False)
            for name in sorted(still, key=lambda n: ({"persistence": 0, "default": 1}.get(n, 2), n))]  # fmt: skip
    for name in dict.fromkeys(g.name for g in [*after, *drawn] if g.name not in still):
        arms += [Arm(name, "mean parameters", g, True) for g in after if g.name == name]
        arms += [Arm(name, _draws(g), g, True) for g in drawn if g.name == name]
    return arms


def _draws(gap: Gap) -> str:
    return f"drawn, {gap.draws} a window"


def _table(when: str, arms: list[Arm]) -> Table:
    channels = [p.channel for p in arms[0].gap.parts]
    head = ("simulation", *(f"RMSE {c}" for c in channels), "RMSE mean", "95 % interval", "median error",
            "RMSE ratio to default", "median ratio to default", "inside 90 % band", "diverged")  # fmt: skip
    rows = []
    for arm in arms:
        g = arm.gap
        band = [f"{p.channel} {percent(p.covered)}" for p in g.parts if p.covered is not None]
        interval = Cell(span(g.interval, g.unit), f"{span(g.interval)} rad" if g.unit == "rad" else "")
        cells = (
            Cell(arm.name, arm.what),
            *(measured(p.rmse, p.unit) for p in g.parts),
            measured(g.value, g.unit),
            interval,
            measured(g.median, g.unit),
            _ratio(g.ratio, g.ratio_interval),
            _ratio(g.median_ratio, g.median_ratio_interval),
            Cell(band[0] if band else NOTHING, tuple(band[1:])),
            Cell(number(g.diverged, 9), f"of {number(g.windows * g.draws, 9)}"),
        )
        rows.append(Row(cells, strong=arm.fitted))
    windows = count(max(a.gap.windows for a in arms), "window")
    return Table(f"{when[0].upper()}{when[1:]}: {windows} of the test recordings. Lower is nearer.", head, tuple(rows))


def _ratio(value: float | None, interval: Interval | None) -> Cell:
    return Cell("1") if value is None else Cell(number(value, padded=True), span(interval) if interval else "")


def _picture(outcome: Outcome, arms: dict[float, list[Arm]]) -> Picture:
    values = [x for rows in arms.values() for a in rows for v in (a.gap.ratio_interval, a.gap.median_ratio_interval)
              for x in v or () if isfinite(x) and x > 0]  # fmt: skip
    low, high = min([0.5, *values]) / 1.15, max([2.0, *values]) * 1.15
    shown = {h: [a for a in rows if a.gap.name != "default"] for h, rows in arms.items()}

    def draw(width: int) -> Figure:
        across = len(shown) if width > figures.HALF else 1
        deepest = max(max(map(len, shown.values())), 1)
        names, each = (176, 28) if width > figures.HALF else (0, 46)
        one = (width - names) / across
        height = 34 + each * deepest + 32
        figure = figures.canvas(width, height * -(-len(shown) // across))
        for k, (horizon, rows) in enumerate(shown.items()):
            left, top = names + k % across * one, 34 + k // across * height
            axes = figures.rows_panel(figure, left, top, one - 16, each * deepest, deepest)
            axes.set_xscale("log")
            figures.plain_numbers(axes)
            axes.set_xlim(low, high)
            ticks = [x for x in (0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 100, 1000) if low <= x <= high]
            axes.xaxis.set_major_locator(FixedLocator(ticks if log10(high / low) < 2.2 else ticks[::2]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.axvline(1, color=MUTED, linewidth=1)
            figures.write(axes, 0, 1, outcome.when(horizon), bold=True, data="", dy=22)
            figures.write(axes, 1, 1, "default", color=MUTED, data="x", dy=8, middle=True)
            for row, arm in enumerate(rows):
                _row(axes, row, arm)
                name = f"{shortened(arm.name, 18)}, {arm.what.split()[0].rstrip(',')}" if arm.fitted else arm.name
                if not names:
                    figures.write(axes, 0, row, name, color=INK if arm.fitted else MUTED, data="y", dy=17)
                elif k == 0:
                    figures.write(axes, 0, row, name, color=INK if arm.fitted else MUTED, data="y", dx=-names)
        return figure

    said = "; ".join(
        f"{outcome.when(h)} " + ", ".join(f"{a.name} ({a.what}) {number(a.gap.ratio)}" for a in rows)
        for h, rows in shown.items()
    )
    wide, narrow = figures.draw_both("ratios", f"Error of each simulation divided by the default's: {said}", draw)
    target, real = outcome.target_of_figure("test")
    return Picture("Error divided by the default's", f"Ratios: {said}",
                   "Left of the line is nearer to the recordings than the default parameters. Lines are paired 95 %"
                   " intervals; the scale is logarithmic.",
                   target, real, wide, narrow, legend=(("dot", "root mean square"), ("hollow", "median")))  # fmt: skip


def _row(axes: Axes, row: int, arm: Arm) -> None:
    color = ACCENT if arm.fitted else MUTED
    axes.axhline(row, color=RULE, linewidth=0.6)
    for value, interval, shift, hollow in (
        (arm.gap.ratio, arm.gap.ratio_interval, -0.12, False),
        (arm.gap.median_ratio, arm.gap.median_ratio_interval, 0.12, True),
    ):
        if interval is not None and all(map(isfinite, interval)):
            figures.line(axes, *interval, row + shift, color=color)
        if value is not None and isfinite(value):
            figures.dot(axes, value, row + shift, color=color, hollow=hollow)
    if arm.gap.ratio is not None and not isfinite(arm.gap.ratio):
        figures.write(axes, 1, row, "diverged", color=MUTED, data="xy", dx=8)


def _coverage(arms: dict[float, list[Arm]]) -> str:
    """Whether the fits' own bands are as wide as they should be, in words."""
    shares: dict[str, list[float]] = {}
    for rows in arms.values():
        for arm in rows:
            if arm.fitted:
                shares.setdefault(arm.name, []).extend(p.covered for p in arm.gap.parts if p.covered is not None)
    said = []
    for name, found in shares.items():
        if found:
            low, high = min(found), max(found)
            judged = "it is too sure of itself" if high < 0.8 else "it is wider than it need be" if low > 0.97 else ""
            between = percent(low) if percent(low) == percent(high) else f"{percent(low)[:-2]} to {percent(high)}"
            said.append(f"The 90 % band of {name}'s draws holds the recording in {between} of the windows"
                        + (f": as a distribution {judged}." if judged else "."))  # fmt: skip
    return " ".join(said)
