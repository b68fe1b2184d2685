"""Which parameters the recordings determine, which they do not, and how the search went."""

from __future__ import annotations

from math import isfinite
from typing import Any

from matplotlib.figure import Figure

from simloop.adapt import Adaptation
from simloop.report import figures
from simloop.report.blocks import Block, Picture, Points, Section, Swatch
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import count, number, percent, shortened

DETERMINED, PARTLY = 0.3, 0.8


def section(outcome: Outcome) -> Section | None:
    """From the diagnostics of each fit that looked into it."""
    blocks: list[Block] = []
    for method, fit in outcome.fits.items():
        ratios = fit.diagnostics.get("spread over prior spread")
        if isinstance(ratios, dict) and ratios:
            blocks += [_picture(outcome, method, ratios), *_sentences(method, fit)]
    if not blocks:
        return None
    return Section("identifiability", "What the recordings determine", tuple(blocks))


def groups(ratios: dict[str, float]) -> dict[str, list[str]]:
    """Names of the parameters that are determined, partly determined and not determined, best first."""
    order = sorted(ratios, key=lambda name: (ratios[name], name))
    return {
        "determined": [n for n in order if ratios[n] < DETERMINED],
        "partly determined": [n for n in order if DETERMINED <= ratios[n] <= PARTLY],
        "not determined by these data": [n for n in order if not ratios[n] <= PARTLY],
    }


def _picture(outcome: Outcome, method: str, ratios: dict[str, float]) -> Picture:
    order = [name for names in groups(ratios).values() for name in names]
    end = max([1.05, *(r * 1.05 for r in ratios.values() if isfinite(r))])

    def draw(width: int) -> Figure:
        beside = width > figures.HALF
        left, each = (180, 24) if beside else (132, 24)
        figure = figures.canvas(width, 34 + each * len(order) + 42)
        axes = figures.rows_panel(figure, left, 34, width - left - 46, each * len(order), len(order))
        axes.set_xlim(0, end)
        axes.set_xticks([0, DETERMINED, PARTLY, 1])
        axes.set_xlabel("spread of the fit / spread of the prior")
        for x in (DETERMINED, PARTLY):
            axes.axvline(x, color=MUTED, linewidth=0.8, dashes=(2, 3))
        for low, high, name in ((0, DETERMINED, "determined"), (DETERMINED, PARTLY, "partly"), (PARTLY, end, "not")):
            figures.write(axes, (low + high) / 2, 1, name, color=MUTED, data="x", dy=14, middle=True)
        for row, name in enumerate(order):
            axes.axhline(row, color=RULE, linewidth=0.6)
            figures.write(axes, 0, row, shortened(name, 26 if beside else 20), data="y", dx=-left)
            figures.write(axes, 1, row, number(ratios[name], 2), data="y", dx=40, right=True, color=MUTED)
            if isfinite(ratios[name]):
                figures.line(axes, 0, ratios[name], row, color=ACCENT)
                free = ratios[name] > PARTLY
                figures.dot(axes, ratios[name], row, color=INK if free else ACCENT, hollow=free)
        return figure

    said = ", ".join(f"{name} {number(ratios[name], 2)}" for name in order)
    label = f"Spread of the fit by {method} over the prior's: {said}"
    wide, narrow = figures.draw_both(f"identifiability-{method}", label, draw)
    target, real = outcome.target_of_figure("fit")
    caption = (
        "Near 0 the recordings say what the parameter is; near 1 they say nothing about it, and the fit has kept the"
        f" prior. Below {DETERMINED:g} counts as determined, up to {PARTLY:g} as partly."
    )
    legend: tuple[tuple[Swatch, str], ...] = (("dot", "determined or partly"), ("open", "not determined by these data"))
    return Picture(
        f"What is left of the prior's spread: {method}", label, caption, target, real, wide, narrow, legend=legend
    )


def _sentences(method: str, fit: Adaptation) -> list[Block]:
    found: dict[str, Any] = fit.diagnostics
    said = [f"{name[0].upper()}{name[1:]}: {', '.join(names) or 'none'}."
            for name, names in groups(found["spread over prior spread"]).items()]  # fmt: skip
    blocks: list[Block] = [Points(tuple(said))]
    pairs = found.get("correlated beyond 0.9", [])
    items = [f"{a} and {b} are correlated by {number(float(r))}: the recordings fix their combination, not each alone."
             for a, b, r in pairs]  # fmt: skip
    if not pairs:
        items.append("No two parameters are correlated beyond 0.9.")
    for direction in found.get("weakest directions", []):
        along = ", ".join(f"{name} {number(float(x), 2)}" for name, x in direction["along"].items())
        items.append(f"Weak direction ({along}): the recordings add {_information(float(direction['information']))} of"
                     " what the prior knows about it.")  # fmt: skip
    if "condition number" in found:
        condition = float(found["condition number"])
        sharper = number(condition**0.5, 2) if condition >= 0 else "not finite"
        items.append(f"Condition number {number(condition)}: in units of the prior, the best-known direction is known"
                     f" {sharper} times more sharply than the worst.")  # fmt: skip
    costs = [float(c) for c in found.get("costs of the starts", []) if c is not None]
    if len(costs) > 1:
        low, high = min(costs), max(costs)
        agree = f"within {percent((high - low) / low)} of one another" if low > 0 else "different"
        items.append(f"{count(len(costs), 'start')}: costs {', '.join(map(number, costs))} after a few steps on part of"
                     f" the windows, {agree}; the best went on.")  # fmt: skip
    blocks.append(Points(tuple(items), title=f"How well conditioned {method} is"))
    return blocks


def _information(value: float) -> str:
    return percent(value) if value < 10 else f"{number(value, 2)} times"
