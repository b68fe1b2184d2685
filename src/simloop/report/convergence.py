"""How each method's search went: cost for each iteration."""

from __future__ import annotations

from math import isfinite

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from simloop.adapt import Adaptation
from simloop.report import figures
from simloop.report.blocks import Picture, Section, Swatch
from simloop.report.figures import ACCENT, MUTED
from simloop.report.learned import Learned
from simloop.report.outcome import Outcome
from simloop.report.quantities import count, number


def section(outcome: Outcome | Learned) -> Section | None:
    """One figure for each method that kept a history."""
    kept = {m: f for m, f in outcome.fits.items() if any("cost" in h for h in f.history)}
    blocks = tuple(_picture(outcome, method, fit, half=len(kept) > 1) for method, fit in kept.items())
    return Section("convergence", "How the searches went", blocks) if blocks else None


def _picture(outcome: Outcome | Learned, method: str, fit: Adaptation, *, half: bool) -> Picture:
    costs, best = _series(fit, "cost"), _series(fit, "best")
    values = [y for _, y in [*costs, *best] if y > 0]
    logarithmic = bool(values) and max(values) > 10 * min(values)

    def draw(width: int) -> Figure:
        figure = figures.canvas(width, 200)
        axes = figures.panel(figure, 52, 14, width - 62, 138)
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 100 * min(values) else (1,)))
            figures.plain_numbers(axes)
        else:
            axes.set_ylim(0, max(values, default=1.0) * 1.1)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("iteration")
        axes.plot(*zip(*costs, strict=True), "o-", color=ACCENT, linewidth=1.8, markersize=5)
        if best:
            axes.plot(*zip(*best, strict=True), "o-", color=MUTED, linewidth=1, markersize=3)
        return figure

    first, last = (number(costs[k][1]) for k in (0, -1)) if costs else ("none", "none")
    label = f"Cost of {method} over {count(len(fit.history), 'iteration')}: from {first} to {last}"
    wide, narrow = figures.draw_both(f"convergence-{method}", label, draw, wide=figures.HALF if half else figures.WIDE)
    said = [f"From {first} to {last} in {count(len(costs), 'iteration')}."]
    scales = _series(fit, "scale")
    if len(scales) > 1:
        said.append(
            "This method measures costs in units of the residuals' robust spread, which it estimates anew in each"
            f" iteration ({number(scales[0][1])} at first, {number(scales[-1][1])} at last): where the spread shrinks,"
            " costs may rise while the fit improves."
        )
    gains = _series(fit, "gain")
    if gains:
        said.append(f"Gain in cost, step by step: {', '.join(f'{number(100 * g, 2)} %' for _, g in gains)}.")
    if best:
        said.append("Each iteration draws other windows, so costs also differ by chance.")
    diverged = sum(int(h.get("diverged") or 0) for h in fit.history)
    if diverged:
        said.append(f"{count(diverged, 'simulation')} diverged on the way and did not count.")
    target, real = outcome.target_of_figure("fit")
    mean = "mean cost of the draws" if best else "cost"
    legend: tuple[tuple[Swatch, str], ...] = (("accent", mean), *((("thin", "best draw"),) if best else ()))
    return Picture(
        f"Cost by iteration: {method}", label, " ".join(said), target, real, wide, narrow, legend=legend, half=half
    )


def _series(fit: Adaptation, key: str) -> list[tuple[int, float]]:
    """(iteration, value) where the history has a finite one."""
    return [(k + 1, float(h[key])) for k, h in enumerate(fit.history)
            if isinstance(h.get(key), int | float) and isfinite(h[key])]  # fmt: skip
