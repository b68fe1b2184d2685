"""Which parameters each fit moves together."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simloop.distributions import Distribution, Normal, Point, Uniform
from simloop.errors import InputError
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.report import figures
from simloop.report.blocks import Picture, Section
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import number, shortened

#: most parameters in one matrix; of more, those with the strongest correlations
_MOST = 24
#: draws that correlations are computed from where a distribution does not name them, and what is chance among so many
_DRAWS, _CHANCE = 20_000, 0.03


def section(outcome: Outcome) -> Section | None:
    """The correlation matrix of each fit that has one."""
    found = {m: correlation(f.distribution, outcome.space) for m, f in outcome.fits.items()}
    shown = {m: r for m, r in found.items() if r is not None}
    blocks = tuple(_picture(outcome, m, r, half=len(shown) > 1) for m, r in shown.items())
    return Section("correlations", "What the fits cannot separate", blocks) if blocks else None


def correlation(distribution: Distribution, space: ParameterSpace) -> Array | None:
    """Correlations (d, d) of a world's own parameters, in their scale; None where nothing can be correlated."""
    d = len(space)
    if d < 2 or isinstance(distribution, Point | Uniform):
        return None
    if isinstance(distribution, Normal):
        return distribution.correlation[:d, :d]
    try:
        rows = distribution.sample(_DRAWS, stream(0, "report", "correlations"))[:, :d]
    except InputError:  # almost all of it lies outside the bounds
        return None
    with np.errstate(invalid="ignore", divide="ignore"):  # a parameter that does not vary
        r = np.nan_to_num(np.corrcoef(space.to_scale(rows), rowvar=False))
    return np.where(np.eye(d) > 0, 1.0, np.where(np.abs(r) < _CHANCE, 0.0, r))


def strongest(r: Array, names: tuple[str, ...], count: int = 6) -> list[tuple[str, str, float]]:
    """The pairs of parameters with the strongest correlations r (d, d), strongest first."""
    r = np.tril(r, -1)
    order = np.argsort(-np.abs(r), axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, r.shape), strict=True)
    return [(names[j], names[i], float(r[i, j])) for i, j in pairs if i > j]


def _picture(outcome: Outcome, method: str, every: Array, *, half: bool) -> Picture:
    d, all_names = len(every), outcome.space.names
    off = np.abs(every - np.eye(d)).max(axis=1)
    shown = np.sort(np.argsort(-off, kind="stable")[:_MOST])
    r, names = every[np.ix_(shown, shown)], [shortened(all_names[j], 20) for j in shown]

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

    said = ", ".join(f"{a} with {b} {number(x, 2)}" for a, b, x in strongest(every, all_names, 3))
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
