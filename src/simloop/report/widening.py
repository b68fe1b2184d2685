"""How curricula without real data widened the randomisation: width of the ranges over the decisions of training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simloop.distributions import Distribution
from simloop.parameters import Array, ParameterSpace
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Row, Section, Swatch, Table
from simloop.report.figures import ACCENT, MUTED
from simloop.report.learned import Learned
from simloop.report.marginals import marginal
from simloop.report.quantities import count, number, percent


def section(outcome: Learned) -> Section | None:
    """A figure for each curriculum, and a table of how wide each parameter became."""
    if not outcome.widened or outcome.widest is None:
        return None
    space, widest = outcome.space, outcome.widest
    spans = {arm: np.stack([widths(d, widest, space) for _, d in parts]) for arm, parts in outcome.widened.items()}
    blocks: list[Block] = [_picture(outcome, arm, spans[arm]) for arm in spans]
    return Section("widening", "How far the policies bore a wider randomisation", (*blocks, _table(space, spans)))


def widths(distribution: Distribution, widest: Distribution, space: ParameterSpace) -> Array:
    """Width of each parameter's 90 % interval in parts of that of the widest, (d,), in its own scale."""
    own, most = (np.diff(space.to_scale(marginal("", d, space).interval), axis=0)[0] for d in (distribution, widest))
    return np.asarray(own / np.maximum(most, 1e-12))


def _picture(outcome: Learned, arm: str, spans: Array) -> Picture:
    """Widths (parts, d) over the decisions of training."""
    begins = [steps for steps, _ in outcome.widened[arm]]
    middle = spans.mean(axis=1)

    def draw(width: int) -> Figure:
        figure = figures.canvas(width, 220)
        axes = figures.panel(figure, 52, 26, width - 70, 146)
        axes.plot(begins, spans, color=MUTED, linewidth=0.6)
        axes.plot(begins, middle, "o-", color=ACCENT, linewidth=1.8, markersize=4)
        axes.set_ylim(-0.03, max(1.03, 1.02 * float(spans.max())))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
        axes.set_xlabel("decisions")
        return figure

    label = f"{arm}: mean width over {count(len(begins), 'part')} from {percent(middle[0])} to {percent(middle[-1])}"
    wide, narrow = figures.draw_both(f"widening-{arm}", label, draw, wide=figures.HALF)
    caption = (
        f"From {percent(middle[0])} to {percent(middle[-1])} of the ranges by hand on average, in"
        f" {count(len(begins), 'part')} of training. After each part the policy was tried in simulation, and the ranges"
        " widened where it did well. A line that stays low is a parameter whose change the policy does not bear."
    )
    target, real = outcome.target_of_figure("none")
    legend: tuple[tuple[Swatch, str], ...] = (("accent", "mean of all parameters"), ("thin", "each parameter"))
    title = f"Width of the randomisation of {arm}"
    return Picture(title, label, caption, target, real, wide, narrow, legend=legend, half=True)


def _table(space: ParameterSpace, spans: dict[str, Array]) -> Table:
    last = np.stack([s[-1] for s in spans.values()])
    rows = [Row((Cell(space.names[j]), *(Cell(f"{number(100 * x, 3)} %") for x in last[:, j])))
            for j in np.argsort(last.mean(axis=0), kind="stable").tolist()]  # fmt: skip
    caption = "Width of each parameter's last 90 % interval in parts of the ranges by hand, the narrowest first."
    return Table(caption, ("parameter", *spans), tuple(rows), closed=f"The widths of all {len(space)} parameters")
