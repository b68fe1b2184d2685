"""Success on the target by iteration, beside policies that never met it; and what it all cost."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simloop.loop import years_in_an_hour
from simloop.report import figures
from simloop.report.blocks import Cell, Picture, Row, Section, Swatch, Table, Text
from simloop.report.figures import ACCENT, INK, MUTED, RULE
from simloop.report.learned import ORACLE, Learned, Scored, Trainee
from simloop.report.opening import ARMS, place, rate
from simloop.report.quantities import NOTHING, number, percent, span


def section(outcome: Learned) -> Section | None:
    """A figure and a table of all scores."""
    if outcome.kind == "train":
        return Section("scores", "How well it does", (_training_table(outcome),)) if outcome.scores else None
    trainees = [t for t in (*outcome.trainees, *outcome.arms.values()) if t.real or t.simulated]
    if not trainees:
        return None
    return Section("iterations", "Success by iteration", (_picture(outcome, trainees), _table(outcome)))


def _named(outcome: Learned, trainee: Trainee) -> str:
    arm = next((name for name, t in outcome.arms.items() if t is trainee), None)
    return trainee.name if arm is None else f"trained {ARMS.get(arm, arm)}"


def _picture(outcome: Learned, trainees: list[Trainee]) -> Picture:
    def draw(width: int) -> Figure:
        beside = width > figures.HALF
        left, each = (176, 44) if beside else (16, 58)
        figure = figures.canvas(width, 20 + each * len(trainees) + 36)
        axes = figures.rows_panel(figure, left, 8, width - left - 28, each * len(trainees), len(trainees))
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
        axes.grid(axis="x")
        for row, trainee in enumerate(trainees):
            color = MUTED if trainee in outcome.arms.values() else ACCENT
            name, named = _named(outcome, trainee), INK if color == ACCENT else MUTED
            if color == MUTED:
                axes.axhline(row - 0.5, color=RULE, linewidth=0.6)
            figures.write(
                axes, 0, row if beside else row - 0.28, name, data="y", dx=-left if beside else 0, color=named
            )
            middle = row if beside else row + 0.17
            if trainee.simulated:
                figures.line(axes, *trainee.simulated.success_interval, middle + 0.18, color=color, width=1)
                figures.dot(axes, trainee.simulated.success, middle + 0.18, color=color, hollow=True, size=6)
            if trainee.real:
                figures.line(axes, *trainee.real.success_interval, middle - 0.12, color=color, width=2.4)
                figures.dot(axes, trainee.real.success, middle - 0.12, color=color)
        return figure

    said = "; ".join(f"{_named(outcome, t)} {percent(t.real.success)}" for t in trainees if t.real)
    label = f"Success on the target: {said}"
    wide, narrow = figures.draw_both("iterations", label, draw)
    oracle = (
        ", except the oracle: it goes on from iteration 0 on the target itself, with its reward"
        if ORACLE in outcome.arms
        else ""
    )
    caption = (
        "Rates of success with 95 % intervals (Wilson). Iteration 0 was trained before any rollout on the target; each"
        " further one after the randomisation had been moved by the rollouts so far. Policies in grey took as many"
        f" decisions of training as all iterations together, and never met the target{oracle}."
    )
    target, real = outcome.target_of_figure("score")
    where = "target" if real else "target (NOT REAL)"
    legend: tuple[tuple[Swatch, str], ...] = (
        ("dot", f"on the {where}"),
        ("hollow", "in simulation, in the distribution it was trained in"),
    )
    return Picture("How often the policies succeed", label, caption, target, real, wide, narrow, legend=legend)


def _table(outcome: Learned) -> Table:
    rows, decisions = [], 0
    for i, trainee in enumerate(outcome.trainees):
        decisions += trainee.curve.steps if trainee.curve else 0
        acted = outcome.seconds_of_acting(i)
        rows.append(_row(trainee.name, trainee, decisions, NOTHING if acted is None else number(acted), strong=True))
    for name, t in outcome.arms.items():
        first = outcome.trainees[0].curve if name == ORACLE else None
        steps = sum(c.steps for c in (first, t.curve) if c)
        rows.append(_row(_named(outcome, t), t, steps, number(t.curve.acted) if t.curve else NOTHING))
    head = ("policy", "success on the target", "return", "success in simulation", "decisions of training so far",
            "s of acting that it learned from")  # fmt: skip
    return Table(f"The same in numbers, with 95 % intervals.{outcome.not_real}", head, tuple(rows))


def _row(name: str, trainee: Trainee, decisions: int, acted: str, *, strong: bool = False) -> Row:
    real, simulated = trainee.real, trainee.simulated
    cells = (
        Cell(name),
        _cell(real),
        Cell(number(real.mean_return), span(real.return_interval)) if real else Cell(NOTHING),
        _cell(simulated),
        Cell(number(decisions, 9)),
        Cell(acted),
    )
    return Row(cells, strong=strong)


def _cell(scored: Scored | None) -> Cell:
    if scored is None:
        return Cell(NOTHING)
    low, high = (percent(x) for x in scored.success_interval)
    more = f"{scored.diverged} diverged" if scored.diverged else ""
    return Cell(percent(scored.success), (f"{low} to {high}", f"{scored.episodes} episodes", more))


def _training_table(outcome: Learned) -> Table:
    rows = [
        Row((Cell(place(name)), Cell(rate(s)), Cell(number(s.mean_return), span(s.return_interval)),
             Cell(str(s.episodes)), Cell(str(s.diverged))), strong=k == 0)
        for k, (name, s) in enumerate(outcome.scores.items())
    ]  # fmt: skip
    head = ("in simulation", "success", "return", "episodes", "diverged")
    return Table("Scores of the trained policy, with 95 % intervals; simulation alone, no target.", head, tuple(rows))


def speed(outcome: Learned) -> Section | None:
    """Simulated time against the clock on the wall, for each training and each fit."""
    costs: list[tuple[str, float, float]] = [(_named(outcome, t), t.curve.simulated_seconds, t.curve.wall_seconds)
             for t in (*outcome.trainees, *outcome.arms.values()) if t.curve]  # fmt: skip
    costs += [(name, f.simulated_seconds, f.wall_seconds) for name, f in outcome.fits.items()]
    if not costs:
        return None
    simulated, wall = sum(c[1] for c in costs), sum(c[2] for c in costs)
    rows = [_cost(*c) for c in costs]
    if len(costs) > 1:
        rows.append(_cost("all", simulated, wall, strong=True))
    said = (
        f"Training and fits simulated {number(simulated)} s in {number(wall)} s: {_times(simulated, wall)} times real"
        f" time, {number(years_in_an_hour(simulated, wall), 2)} years of simulated time an hour. The clock counts all"
        " that learners and methods compute besides, on a machine that may have done other things at the same time."
    )
    head = ("what", "simulated, s", "clock, s", "times real time", "years an hour")
    return Section("speed", "How fast it was", (Text(said), Table("Simulated time and the clock.", head, tuple(rows))))


def _cost(name: str, simulated: float, wall: float, *, strong: bool = False) -> Row:
    years = number(years_in_an_hour(simulated, wall), 2)
    return Row(tuple(map(Cell, (name, number(simulated, 4), number(wall, 4), _times(simulated, wall), years))),
               strong=strong)  # fmt: skip


def _times(simulated: float, wall: float) -> str:
    return number(simulated / max(wall, 1e-9))
