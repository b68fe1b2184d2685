"""The randomisation over the iterations: for the parameters that moved most, mean and band by iteration."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simloop.parameters import Array, ParameterSpace
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Swatch, Table, Text
from simloop.report.figures import ACCENT, BAND, MUTED
from simloop.report.learned import Learned
from simloop.report.marginals import Marginal, marginal
from simloop.report.quantities import count, number, shortened, unit_sign, with_unit

#: most parameters that have a panel of their own
_PANELS = 6


def section(outcome: Learned) -> Section | None:
    """A panel for each of the parameters that moved most, and a table of all."""
    drawn = [t.distribution for t in outcome.trainees if t.distribution is not None]
    if not drawn:
        return None
    space = outcome.space
    marginals = [marginal(f"iteration {i}", d, space) for i, d in enumerate(drawn)]
    if outcome.kind == "train":
        said = Text("Each episode's parameters were drawn anew from this distribution.")
        return Section("moved", "What episodes were drawn from", (said, _table(space, marginals)))
    if outcome.file["adapt"] == "none":
        same = Text("The randomisation stayed as it was: this loop adapts nothing (adapt: none).")
        return Section("moved", "How the randomisation moved", (same, _table(space, marginals)))
    if len(marginals) < 2:
        return None
    most = list(np.argsort(-_moved(space, marginals), kind="stable")[: min(_PANELS, len(space))])
    blocks: list[Block] = [_picture(outcome, space, marginals, [int(j) for j in most]), _table(space, marginals)]
    return Section("moved", "How the randomisation moved", tuple(blocks))


def _moved(space: ParameterSpace, marginals: list[Marginal]) -> Array:
    """How far each parameter's centre went, (d,), in half-widths of its first 90 % interval, in its own scale."""
    centres = np.stack([space.to_scale(m.centre) for m in marginals])
    low, high = (space.to_scale(edge) for edge in marginals[0].interval)
    half = np.maximum((high - low) / 2, 1e-12)
    return np.asarray(np.abs(centres - centres[0]).max(axis=0) / half)


def _narrowed(space: ParameterSpace, marginals: list[Marginal]) -> Array:
    """The width of the last 90 % interval in parts of the first, (d,), in each parameter's own scale."""
    first, last = (np.diff(space.to_scale(m.interval), axis=0)[0] for m in (marginals[0], marginals[-1]))
    return np.asarray(last / np.maximum(first, 1e-12))


def _picture(outcome: Learned, space: ParameterSpace, marginals: list[Marginal], shown: list[int]) -> Picture:
    at, parameters = np.arange(len(marginals)), list(space)

    def draw(width: int, j: int) -> Figure:
        figure = figures.canvas(width, 200)
        axes = figures.panel(figure, 54, 40, width - 72, 112)
        low, high = (np.array([m.interval[edge, j] for m in marginals]) for edge in (0, 1))
        centre = [m.centre[j] for m in marginals]
        if space.log[j] and high.max() > 10 * low.min() > 0:
            axes.set_yscale("log")
            figures.plain_numbers(axes)
        else:
            axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.fill_between(at, low, high, color=BAND, linewidth=0)
        axes.plot(at, centre, "o-", color=ACCENT, linewidth=1.8, markersize=5)
        axes.axhline(space.default[j], color=MUTED, linewidth=1, dashes=(3, 2))
        axes.set_xlim(-0.15, at[-1] + 0.15)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.grid(axis="y")
        axes.set_xlabel("iteration")
        unit = unit_sign(parameters[j].unit)
        name = shortened(space.names[j], 24) + (f", {unit}" if unit else "")
        figures.write(axes, 0, 1, name, data="", dy=26, bold=True)
        moved = f"{number(centre[0])} → {with_unit(centre[-1], parameters[j].unit)}"
        figures.write(axes, 0, 1, moved, data="", dy=10, color=MUTED)
        return figure

    said = [f"{space.names[j]} {number(marginals[0].centre[j])} to"
            f" {with_unit(marginals[-1].centre[j], parameters[j].unit)}" for j in shown]  # fmt: skip
    panels = tuple(figures.draw_panel(f"moved-{j}", said[k], partial(draw, j=j)) for k, j in enumerate(shown))
    label = f"The randomisation over {count(len(marginals) - 1, 'iteration')}: {'; '.join(said)}"
    which = f"The {len(shown)} of {len(space)} parameters that moved most" if len(shown) < len(space) else "All"
    caption = (
        f"{which}, measured in half-widths of their first 90 % interval. The policy of iteration i was trained in the"
        " distribution at i. A band that moves or narrows has learned from the rollouts; what a stand-in hides is not"
        " shown, and nothing in the loop reads it."
    )
    target, real = outcome.target_of_figure("fit")
    legend: tuple[tuple[Swatch, str], ...] = (("accent", "mean"), ("band", "90 %"), ("dashed", "default"))
    return Picture("Mean and 90 % by iteration", label, caption, target, real, panels=panels, legend=legend)


def _table(space: ParameterSpace, marginals: list[Marginal]) -> Table:
    first, last = marginals[0], marginals[-1]
    moves = len(marginals) > 1
    moved, narrowed = _moved(space, marginals), _narrowed(space, marginals)
    parameters, rows = list(space), []
    for j in np.argsort(-moved, kind="stable") if moves else range(len(space)):
        p = parameters[int(j)]

        def cell(m: Marginal, j: int = int(j)) -> Cell:
            return Cell(number(m.centre[j]), f"{number(m.interval[0, j])} to {number(m.interval[1, j])}")

        more = (cell(last), Cell(number(moved[j], 2)), Cell(f"{100 * narrowed[j]:.0f} %")) if moves else ()
        rows.append(
            Row(
                (
                    Cell(p.name, p.description),
                    Cell(unit_sign(p.unit) or "1", "log scale" if p.scale == "log" else ""),
                    Cell(number(p.default)),
                    cell(first),
                    *more,
                )
            )
        )
    head: tuple[str, ...] = ("parameter", "unit", "default", f"{first.name if moves else 'mean'}, 90 %")
    if moves:
        head += (f"{last.name}, 90 %", "moved, half-widths", "width left")
    return Table("All parameters in numbers.", head, tuple(rows), closed=f"The numbers of all {len(space)} parameters")
