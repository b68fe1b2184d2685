"""The methods of a run beside each other: how near, how honest, how hard to tell from the recordings, at what price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from simloop.calibration import TOLERANCE, Scores
from simloop.gap import Gap
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Swatch, Table, Text
from simloop.report.figures import ACCENT, BAND, INK, MUTED
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, number, percent, shortened, span


@dataclass(frozen=True)
class Standing:
    """What one arm came to at one horizon."""

    name: str
    scores: Scores
    mean: Gap | None  # of its mean parameters
    fitted: bool

    @property
    def covered(self) -> list[float]:
        """What its 90 % band holds, by channel."""
        coverage = self.scores.coverage
        shares = [float(p.extra["coverage"]["90%"]) for p in coverage.parts] if coverage else []
        return [x for x in shares if np.isfinite(x)]


def section(outcome: Outcome) -> Section | None:
    """A table of all arms at the first of the gaps' horizons, and a picture of nearness against honesty."""
    found, horizons = outcome.calibration, list(outcome.after)
    if found is None or not outcome.fits or not horizons or horizons[0] not in found.at:
        return None
    horizon = horizons[0]
    standings = _standings(outcome, horizon)
    blocks: list[Block] = [
        Text(
            "The mean parameters say how near one simulation comes; the energy score how well the whole distribution"
            " predicts (its ratio to the best single simulation below 1 means that its width is worth something); the"
            " 90 % band whether it is as wide as it says; the classifier whether its draws can be told from the"
            " recordings (50 % is chance)."
        )
    ]
    if any(s.covered and s.scores.energy.ratio is not None for s in standings):
        blocks.append(_picture(outcome, horizon, standings))
    blocks.append(_table(outcome, horizon, standings))
    return Section("methods", "The methods beside each other", tuple(blocks))


def _standings(outcome: Outcome, horizon: float) -> list[Standing]:
    assert outcome.calibration is not None
    arms = outcome.calibration.at[horizon]
    means = {g.name: g for g in outcome.after[horizon]}
    order = ["default", "wide", *outcome.fits]
    return [Standing(n, arms[n], means.get(n), n in outcome.fits) for n in order if n in arms]


def _table(outcome: Outcome, horizon: float, standings: list[Standing]) -> Table:
    told, wide = outcome.told_apart, any(s.name == "wide" for s in standings)
    best = next((s.scores.to_point.to for s in standings if s.scores.to_point), "")
    head = ("method", "mean: RMSE ratio to default", "mean: median ratio",
            f"energy score, ratio to the best point ({best})", *(["energy score, ratio to wide"] if wide else []),
            "inside 90 % band", "classifier right", "clock, s", "windows simulated")  # fmt: skip
    rows = []
    for s in standings:
        fit, gap = outcome.fits.get(s.name), s.mean
        told_apart = told.arms.get(s.name) if told else None
        coverage = s.scores.coverage
        band = [f"{p.channel} {percent(p.extra['coverage']['90%'])}" for p in coverage.parts] if coverage else []
        cells = (
            Cell(s.name, "" if s.fitted else "did nothing"),
            Cell(number(gap.ratio if gap.ratio is not None else 1, padded=gap.ratio is not None),
                 span(gap.ratio_interval) if gap.ratio_interval else "") if gap else Cell(NOTHING),
            Cell(number(gap.median_ratio if gap.median_ratio is not None else 1, padded=gap.median_ratio is not None),
                 span(gap.median_ratio_interval) if gap.median_ratio_interval else "") if gap else Cell(NOTHING),
            *(Cell(number(r.value, padded=True), span(r.interval)) if r else Cell(NOTHING)
              for r in (s.scores.to_point, *([s.scores.to_wide] if wide else []))),
            Cell(band[0] if band else NOTHING, tuple(band[1:])),
            Cell(percent(told_apart.value), f"p {_chance(float(told_apart.extra['p']))}") if told_apart
            else Cell(NOTHING),
            Cell(number(fit.wall_seconds) if fit else NOTHING),
            Cell(number(fit.rollouts, 9) if fit else NOTHING),
        )  # fmt: skip
        rows.append(Row(cells, strong=s.fitted))
    when = outcome.when(horizon)
    return Table(f"{when[0].upper()}{when[1:]}, on test recordings, with 95 % intervals.", head, tuple(rows))


def _chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {number(p, 2)}"


def _picture(outcome: Outcome, horizon: float, standings: list[Standing]) -> Picture:
    """Energy score against coverage: left is nearer, inside the stripe is honest."""
    points = [(s, float(s.scores.energy.ratio or 1.0), float(np.mean(s.covered)) if s.covered else None)
              for s in standings if s.name == "default" or s.scores.energy.ratio is not None]  # fmt: skip
    shown = [(s, x, y) for s, x, y in points if y is not None and np.isfinite(x)]
    low, high = TOLERANCE["90%"]

    def draw(width: int) -> Figure:
        figure = figures.canvas(width, 260)
        axes = figures.panel(figure, 46, 22, width - 62, 186)
        most = max([1.0, *(x for _, x, _ in shown)])
        axes.set_xlim(0, most * 1.12)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9], ["0", "25", "50", "75", "90 %"])
        axes.axhspan(low, high, color=BAND, linewidth=0)
        axes.axvline(1, color=MUTED, linewidth=1)
        figures.write(axes, 1, 1, "default", color=MUTED, data="x", dy=10, middle=True)
        axes.set_xlabel("energy score / that of the default")
        heights: list[float] = []
        for s, x, y in sorted(shown, key=lambda point: point[2]):
            for share in s.covered:
                axes.plot([x], [share], "_", color=ACCENT if s.fitted else MUTED, markersize=9, zorder=3)
            figures.dot(axes, x, y, color=ACCENT if s.fitted else MUTED)
            at = max([y, *(h + 0.075 for h in heights)]) if any(abs(h - y) < 0.075 for h in heights) else y
            heights.append(at)
            right = x > 0.6 * most
            figures.write(axes, x, at, shortened(s.name, 20), dx=-9 if right else 9, right=right,
                          color=INK if s.fitted else MUTED)  # fmt: skip
        return figure

    said = "; ".join(f"{s.name}: score {number(x)}, 90 % band holds {percent(y)}" for s, x, y in shown)
    label = f"Energy score against coverage {outcome.when(horizon)}. {said}"
    wide, narrow = figures.draw_both("methods", label, draw)
    target, real = outcome.target_of_figure("test")
    caption = (
        "Further left predicts better; inside the stripe the 90 % band holds what it says. Ticks are single channels."
        " Good is the top left."
    )
    legend: tuple[tuple[Swatch, str], ...] = (("dot", "fits, mean over channels"), ("band", "holds what it says"))
    return Picture("How near, and how honest", label, caption, target, real, wide, narrow, legend=legend)
