"""What to record next: proposed excitations, what each is expected to tell, and how to get them as files."""

from __future__ import annotations

import shlex
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simloop.report import figures
from simloop.report.blocks import Block, Cell, Code, Picture, Row, Section, Table, Text
from simloop.report.figures import ACCENT, INK, MUTED
from simloop.report.outcome import Outcome
from simloop.report.quantities import count, number, percent, shortened, unit_sign
from simloop.report.stages import Planned, Proposed

#: most actuators whose signals are drawn
_ACTIONS = 4


def section(outcome: Outcome) -> Section | None:
    """A table of the proposals with the information expected of them, and a picture of each signal."""
    planned = outcome.planned
    if planned is None or not outcome.fits:
        return None
    title = "What to record next"
    if not planned.proposals:
        return Section("next", title, (Text(f"Nothing is proposed: {planned.why_not}.", tone="quiet"),))
    method, total = next(iter(outcome.fits)), sum(p.information for p in planned.proposals)
    blocks: list[Block] = [
        Text(
            f"Of {count(planned.considered, 'excitation')} of {number(planned.seconds)} s, the {len(planned.proposals)}"
            f" whose recordings would tell most about what the fit by {method} left open, in the order of what each"
            f" adds to those before it: {number(total)} nats in all. None asks for more than the recordings of the fit"
            f" did, nor should it take the machine further ({planned.strayed} that might were left out). These are"
            " expectations of the fitted simulation, not measurements."
        ),
        _table(planned),
        _picture(outcome, planned),
    ]
    if closer := _narrowed(planned):
        blocks.append(Text(closer))
    blocks.append(Code("Proposals like these as files to play", _command(outcome, planned)))
    return Section("next", title, tuple(blocks))


def _command(outcome: Outcome, planned: Planned) -> str:
    """The command line that writes proposals, within what this run's recordings did."""
    world, run = str(outcome.configuration["world"]["name"]), outcome.folder.resolve().name
    words = ["simloop", "plan", world, "--distribution", run, "-n", str(len(planned.proposals))]
    if target := outcome.target("fit"):
        words += ["--target", target.name]
    for channel, low, high in planned.ranges:
        words += ["--range", f"{channel}={low:.3g},{high:.3g}"]
    return shlex.join([*words, "-o", "next"])


def _table(planned: Planned) -> Table:
    rows = []
    for k, p in enumerate(planned.proposals):
        narrows = [f"{n} to {percent(share)} of its spread" for n, share in p.narrows.items()]
        rows.append(Row((
            Cell(f"{k + 1}"),
            Cell(p.description),
            Cell(f"{number(p.information)} nats"),
            Cell(narrows[0] if narrows else "none by more than 5 %", tuple(narrows[1:])),
        )))  # fmt: skip
    head = ("", "what to play", "adds", "narrows most")
    return Table("Recordings to make, the most telling first.", head, tuple(rows), words=True)  # fmt: skip


def _narrowed(planned: Planned) -> str:
    """Which parameters all proposals together are expected to narrow least."""
    spread = planned.spread or {}
    still = sorted((n for n in spread if spread[n] > 0.8), key=lambda n: -spread[n])[:6]
    if not still:
        return "All of them together are expected to narrow every parameter by a fifth or more."
    return (
        f"Even all of them together are expected to leave {', '.join(still)} nearly as open as now: no excitation"
        " within these limits tells them apart from others."
    )


def _picture(outcome: Outcome, planned: Planned) -> Picture:
    signals = np.concatenate([p.signal for p in planned.proposals], axis=1)
    largest = np.abs(signals).max(axis=1)
    shown = [j for j in range(len(planned.actions)) if largest[j] > 0][:_ACTIONS]

    def draw(width: int, proposal: Proposed, number_: int) -> Figure:
        left, top, each = 42, 44, 66
        figure = figures.canvas(width, top + each * len(shown) + 8)
        time = np.arange(proposal.signal.shape[1]) * planned.every
        for row, j in enumerate(shown):
            axes = figures.panel(figure, left, top + row * each, width - left - 18, each - 26)
            axes.axhline(0, color=MUTED, linewidth=0.6)
            axes.step(time, proposal.signal[j], where="post", color=ACCENT, linewidth=1.2)
            axes.set_ylim(-1.1 * largest[j], 1.1 * largest[j])
            axes.yaxis.set_major_locator(MaxNLocator(2, symmetric=True, min_n_ticks=2))
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            if row + 1 < len(shown):
                axes.set_xticklabels([])
            else:
                figures.write(axes, 1, 0, "s", data="", dx=10, color=MUTED)
            said = f"{shortened(planned.actions[j], 20)}, {unit_sign(planned.units[j])}"
            figures.write(axes, 0, 1, said, data="", dy=9, color=MUTED)
            if row == 0:
                figures.write(axes, 0, 1, f"{number_}: adds {number(proposal.information)} nats", data="", dy=27,
                              bold=True, color=INK)  # fmt: skip
        return figure

    panels = tuple(
        figures.draw_panel(f"next-{k}", f"Proposal {k + 1}: {p.description}", partial(draw, proposal=p, number_=k + 1))
        for k, p in enumerate(planned.proposals)
    )
    target, real = outcome.target_of_figure("fit")
    label = "Actions of the proposed recordings: " + "; ".join(p.description for p in planned.proposals)
    caption = "What to command. Planned with the simulation that was fitted to the recordings."
    return Picture("What to play", label, caption, target, real, panels=panels)
