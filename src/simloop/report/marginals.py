"""What was believed before, what the fits say, and which parameters move together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from simloop.distributions import Distribution, Normal, Uniform
from simloop.errors import InputError
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Swatch, Table, Text
from simloop.report.figures import ACCENT, BAND, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import number, shortened, unit_sign, with_unit

#: how far the axis reaches at most, in prior spreads; longer intervals end at its edge
_EDGE = 5.0
#: draws that a marginal's interval is read from
_DRAWS = 40_000


@dataclass(frozen=True)
class Marginal:
    """The centre (d,) and the 90 % interval (2, d) of a distribution, in physical units."""

    name: str
    centre: Array
    interval: Array


def section(outcome: Outcome) -> Section | None:
    """A picture of all parameters in one unit, a table of the numbers, and the correlations of each fit."""
    if not outcome.fits:
        return None
    space = outcome.space
    prior = marginal("prior", outcome.own["prior"], space) if "prior" in outcome.own else None
    wide = outcome.own.get("wide")
    ranges = Marginal("wide", wide.mean, np.stack([wide.low, wide.high])) if isinstance(wide, Uniform) else None
    fits = [marginal(name, fit.distribution, space) for name, fit in outcome.fits.items()]
    blocks: list[Block] = []
    if prior is None:
        blocks.append(
            Text(
                "The world of this run cannot be built here as it was (its file has moved or changed), so the prior and"
                " the wide ranges are not shown; the spreads that the run recorded set the scale.",
                tone="quiet",
            )
        )
    blocks += [_picture(outcome, space, prior, ranges, fits), _table(space, prior, ranges, fits)]
    return Section("marginals", "What each parameter became", tuple(blocks))


def marginal(name: str, distribution: Distribution, space: ParameterSpace) -> Marginal:
    """Central 90 % interval of each of a world's own parameters, from draws, so that truncation is in it."""
    try:
        rows = distribution.sample(_DRAWS, stream(0, "report", "marginals"))
    except InputError:  # almost all of it lies outside the bounds
        rows = distribution.mean[None]
    own = slice(len(space))  # what a fit adds to them has a section of its own
    return Marginal(name, distribution.mean[own], np.quantile(rows[:, own], [0.05, 0.95], axis=0))


def _picture(
    outcome: Outcome, space: ParameterSpace, prior: Marginal | None, ranges: Marginal | None, fits: list[Marginal]
) -> Picture:
    before = outcome.own.get("prior")
    spread = before.spread if isinstance(before, Normal) else np.where(space.spread > 0, space.spread, 1.0)
    centre = space.to_scale(prior.centre if prior else space.default)

    def place(rows: Array) -> Array:
        return np.asarray((space.to_scale(np.clip(rows, space.low, space.high)) - centre) / spread)

    everything = np.concatenate([place(m.interval).ravel() for m in (prior, ranges, *fits) if m is not None])
    edge = float(min(np.abs(everything).max() * 1.08 + 0.1, _EDGE))
    each = 16 + 12 * len(fits)

    def draw(width: int) -> Figure:
        beside = width > figures.HALF
        left, right, row_height = (180, 240, each) if beside else (4, 4, each + 20)
        figure = figures.canvas(width, 26 + row_height * len(space) + 44)
        axes = figures.rows_panel(figure, left, 26, width - left - right, row_height * len(space), len(space))
        axes.set_xlim(-edge, edge)
        axes.set_xlabel("spreads of the prior from its mean" if prior else "recorded spreads from the default")
        axes.axvline(0, color=RULE, linewidth=1)
        if beside:
            figures.write(axes, 1, 1, f"default → {shortened(fits[0].name, 16)}", color=MUTED, data="", dx=12, dy=12)
        for j, parameter in enumerate(space):
            base = j + (0 if beside else 0.5 * 20 / row_height)
            step = 12 / row_height
            top = base - step * (len(fits) - 1) / 2
            axes.axhline(j + 0.5, color=RULE, linewidth=0.6)
            if prior:
                low, high = place(prior.interval)[:, j].tolist()
                figures.line(axes, low, high, base, color=BAND, width=each - 10)
            if ranges:
                low, high = place(ranges.interval)[:, j]
                axes.plot([low, low, high, high], base + np.array([0.2, 0, 0, 0.2]) * 0.8 - 0.36 * each / row_height,
                          color=MUTED, linewidth=1)  # fmt: skip
            axes.plot([place(space.default)[j]] * 2, [base - 0.4 * each / row_height, base + 0.4 * each / row_height],
                      color=INK, linewidth=1.2)  # fmt: skip
            for k, fit in enumerate(fits):
                color = ACCENT if k == 0 else INK
                low, high = place(fit.interval)[:, j].tolist()
                figures.line(axes, low, high, top + k * step, color=color, width=1.8 if k == 0 else 1)
                figures.dot(axes, place(fit.centre)[j], top + k * step, color=color, hollow=k > 0, size=6 - min(k, 1))
            change = f"{number(parameter.default)} → {with_unit(fits[0].centre[j], parameter.unit)}"
            if beside:
                figures.write(axes, 0, j, shortened(parameter.name), data="y", dx=-left)
                figures.write(axes, 1, j, change, data="y", dx=12)
            else:
                figures.write(axes, 0, j - 0.5, shortened(parameter.name), data="y", dy=-10)
                figures.write(axes, 1, j - 0.5, change, data="y", dy=-10, right=True, color=MUTED)
        return figure

    said = "; ".join(
        f"{p.name} {number(p.default)} to {with_unit(fits[0].centre[j], p.unit)}" for j, p in enumerate(space)
    )
    label = f"Parameters, default and {fits[0].name}: {said}"
    wide, narrow = figures.draw_both("marginals", label, draw)
    swatches: list[Swatch] = ["dot", "open"]
    legend: tuple[tuple[Swatch, str], ...] = (
        ("tick", "default"),
        *((("band", "prior, 90 %"),) if prior else ()),
        *((("bracket", "wide range"),) if ranges else ()),
        *((swatches[min(k, 1)], f"{fit.name}, mean and 90 %") for k, fit in enumerate(fits)),
    )
    scales = "logarithms where a parameter's scale is logarithmic" if space.log.any() else "all scales are linear"
    caption = (
        f"One row for each parameter, all in one unit ({scales}). A fit much shorter than the band has learnt from the"
        " recordings; one as long as the band has not. Intervals that are longer than the axis end at its edge."
    )
    target, real = outcome.target_of_figure("fit")
    return Picture("Before and after the recordings", label, caption, target, real, wide, narrow, legend=legend)


def _table(space: ParameterSpace, prior: Marginal | None, ranges: Marginal | None, fits: list[Marginal]) -> Table:
    shown = [(m, title) for m, title in ((ranges, "wide range"), (prior, "prior, 90 %")) if m is not None]
    rows = []
    for j, p in enumerate(space):

        def span(m: Marginal, j: int = j) -> str:
            return f"{number(m.interval[0, j])} to {number(m.interval[1, j])}"

        rows.append(
            Row(
                (
                    Cell(p.name, p.description),
                    Cell(unit_sign(p.unit) or "1", "log scale" if p.scale == "log" else ""),
                    Cell(number(p.default)),
                    *(Cell(span(m)) for m, _ in shown),
                    *(Cell(number(m.centre[j]), span(m)) for m in fits),
                )
            )
        )
    head = ("parameter", "unit", "default", *(title for _, title in shown), *(f"{m.name}, mean and 90 %" for m in fits))
    return Table("The same in numbers.", head, tuple(rows), closed=f"The numbers of all {len(space)} parameters")
