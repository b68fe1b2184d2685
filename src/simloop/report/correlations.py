"""Which parameters each fit moves together."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simloop.distributions import Normal
from simloop.report import figures
from simloop.report.blocks import Picture, Section
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import number, shortened

#: most parameters in one matrix; of more, those with the strongest correlations
_MOST = 24


def section(outcome: Outcome) -> Section | None:
    """The correlation matrix of each fit that has one."""
    normals = {m: f.distribution for m, f in outcome.fits.items() if isinstance(f.distribution, Normal)}
    blocks = tuple(_picture(outcome, m, d, half=len(normals) > 1) for m, d in normals.items() if len(d.space) > 1)
    return Section("correlations", "What the fits cannot separate", blocks) if blocks else None


def strongest(normal: Normal, count: int = 6) -> list[tuple[str, str, float]]:
    """The pairs of parameters with the strongest correlations, strongest first."""
    r = np.tril(normal.correlation, -1)
    order = np.argsort(-np.abs(r), axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, r.shape), strict=True)
    return [(normal.space.names[j], normal.space.names[i], float(r[i, j])) for i, j in pairs if i > j]


def _picture(outcome: Outcome, method: str, normal: Normal, *, half: bool) -> Picture:
    d = len(normal.space)
    off = np.abs(normal.correlation - np.eye(d)).max(axis=1)
    shown = np.sort(np.argsort(-off, kind="stable")[:_MOST])
    r, names = normal.correlation[np.ix_(shown, shown)], [shortened(normal.space.names[j], 20) for j in shown]

    def draw(width: int) -> Figure:
        left = 8 + 6.4 * max(map(len, names))
        cell = min((width - left - 26) / len(names), 24.0)
        size = min(figures.SMALL, 0.85 * cell)
        figure = figures.canvas(width, cell * len(names) + 26)
        axes = figures.rows_panel(figure, left, 8, cell * len(names), cell * len(names), len(names))
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        for i, name in enumerate(names):
            figures.write(axes, 0, i, name, data="y", dx=-6, right=True, size=size)
            figures.write(axes, i, i, str(i + 1), color=MUTED, size=min(9.0, cell * 0.6), middle=True)
            if i:
                axes.plot([-0.5, i - 0.5], [i, i], color=RULE, linewidth=0.6, zorder=1)
            for j in range(i):
                across = cell * 0.9 * float(np.sqrt(abs(r[i, j])))
                if across > 1:
                    figures.dot(axes, j, i, color=ACCENT if r[i, j] > 0 else INK, hollow=bool(r[i, j] < 0), size=across)
        return figure

    said = ", ".join(f"{a} with {b} {number(x, 2)}" for a, b, x in strongest(normal, 3))
    label = f"Correlations of the fit by {method}; the strongest: {said}"
    wide, narrow = figures.draw_both(f"correlations-{method}", label, draw, wide=figures.HALF if half else figures.WIDE)
    fewer = f" Shown: the {_MOST} of {d} parameters with the strongest." if d > _MOST else ""
    caption = (
        f"The larger a dot, the more an error of one parameter can be made good by the other. Columns are numbered like"
        f" rows.{fewer} Strongest: {said}."
    )
    target, real = outcome.target_of_figure("fit")
    return Picture(f"Correlations: {method}", label, caption, target, real, wide, narrow,
                   legend=(("dot", "rise together"), ("open", "one rises as the other falls")), half=half)  # fmt: skip
