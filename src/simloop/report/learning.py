"""Learning curves: success and return over the decisions of each training."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simloop.report import figures
from simloop.report.blocks import Picture, Section, Swatch
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.learned import ORACLE, Learned
from simloop.report.opening import ARMS
from simloop.report.quantities import count, number, percent

#: (colour, width, dashes, swatch) of arms, in order
_STYLES: tuple[tuple[str, float, tuple[float, ...], Swatch], ...] = (
    (MUTED, 1.2, (3, 2), "dashed"),
    (INK, 1.0, (), "ink"),
    (MUTED, 1.4, (1, 2), "dotted"),
    (INK, 1.2, (4, 3), "ink-dashed"),
    (MUTED, 0.8, (), "thin"),
)


@dataclass(frozen=True)
class Line:
    """A curve: (decisions, success, return) of its points, and where its trainings began."""

    points: tuple[tuple[int, float, float], ...]
    begins: tuple[int, ...] = ()


def section(outcome: Learned) -> Section | None:
    """One figure of success and one of return."""
    own, arms = _own(outcome), {n: Line(t.curve.points) for n, t in outcome.arms.items() if t.curve}
    if not own.points:
        return None
    pictures = tuple(_picture(outcome, own, arms, column) for column in (1, 2))
    return Section("learning", "How the policies learned", pictures)


def _own(outcome: Learned) -> Line:
    """The trainings of all iterations as one curve: each goes on from the one before."""
    points: list[tuple[int, float, float]] = []
    begins, before = [], 0
    for trainee in outcome.trainees:
        if trainee.curve is None:
            continue
        begins.append(before)
        points += [(before + steps, success, total) for steps, success, total in trainee.curve.points]
        before += trainee.curve.steps
    return Line(tuple(points), tuple(begins))


def _picture(outcome: Learned, own: Line, arms: dict[str, Line], column: int) -> Picture:
    what = {1: "success", 2: "return"}[column]

    def draw(width: int) -> Figure:
        figure = figures.canvas(width, 220)
        axes = figures.panel(figure, 52, 26, width - 70, 146)
        for begin in own.begins[1:]:
            axes.axvline(begin, color=RULE, linewidth=1)
        for k, line in enumerate(arms.values()):
            color, wide, dashes, _ = _STYLES[k % len(_STYLES)]
            axes.plot([p[0] for p in line.points], [p[column] for p in line.points], color=color, linewidth=wide,
                      dashes=dashes or (None, None), marker="o" if len(line.points) < 12 else None,
                      markersize=3)  # fmt: skip
        axes.plot([p[0] for p in own.points], [p[column] for p in own.points], color=ACCENT, linewidth=1.8,
                  marker="o" if len(own.points) < 12 else None, markersize=4)  # fmt: skip
        if len(own.begins) > 1:
            for i, begin in enumerate(own.begins):
                figures.write(axes, begin, 1, str(i), data="x", dx=3, dy=9, color=MUTED)
        if column == 1:
            axes.set_ylim(-0.03, 1.03)
            axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        else:
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
        axes.set_xlabel("decisions")
        return figure

    first, last = own.points[0][column], own.points[-1][column]
    said = percent if column == 1 else number
    label = f"Training {what} over {count(own.points[-1][0], 'decision')}: from {said(first)} to {said(last)}"
    wide, narrow = figures.draw_both(f"learning-{what}", label, draw, wide=figures.HALF)
    begins = (
        " Lines mark where an iteration's training begins: from the policy before, in the distribution as moved."
        if len(own.begins) > 1
        else ""
    )
    oracle = (
        " The oracle's curve is of the target itself, from where iteration 0 ended." if ORACLE in outcome.arms else ""
    )
    caption = (
        f"From {said(first)} to {said(last)}, of the episodes that ended in each part of the training, each curve in"
        f" its own distribution and with its exploration.{begins}{oracle}"
    )
    target, real = outcome.target_of_figure("none")
    legend: tuple[tuple[Swatch, str], ...] = (
        ("accent", "the loop's policy" if outcome.kind == "loop" else outcome.trainees[0].name),
        *((_STYLES[k % len(_STYLES)][3], f"trained {ARMS.get(name, name)}") for k, name in enumerate(arms)),
    )
    title = f"{what.capitalize()} in training"
    return Picture(title, label, caption, target, real, wide, narrow, legend=legend, half=True)
