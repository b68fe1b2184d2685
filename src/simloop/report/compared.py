"""What was compared, and on which recordings."""

from __future__ import annotations

from simloop.report.blocks import Block, Cell, Points, Row, Section, Table, Text
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, count, number


def section(outcome: Outcome) -> Section:
    """The recordings to fit on and to test on, and the windows cut from them."""
    blocks: list[Block] = []
    targets = {"to fit on": outcome.target("fit"), "to test on": outcome.target("test")}
    there = {use: t for use, t in targets.items() if t is not None}
    facts = {
        "name": [t.name for t in there.values()],
        "what it is": [t.provenance if t.real else f"NOT REAL: {t.provenance}" for t in there.values()],
        "of what": [t.description for t in there.values()],
        "files": [number(len(t.files), 9) for t in there.values()],
        "length": [f"{number(t.seconds)} s" for t in there.values()],
        "source": [t.source or NOTHING for t in there.values()],
        "licence": [t.licence or NOTHING for t in there.values()],
    }
    if there:
        rows = tuple(Row((Cell(name), *map(Cell, values))) for name, values in facts.items())
        blocks.append(Table("The recordings. No fit has seen the test files." if len(there) > 1 else "The recordings.",
                            ("", *(f"recordings {use}" for use in there)), rows, words=True))  # fmt: skip
        for use, target in there.items():
            blocks.append(Points(target.files, title=f"{count(len(target.files), 'file')} {use}", closed=True))
    if outcome.horizons:
        blocks.append(Text(_windows(outcome)))
    blocks.append(Text(_arms(outcome)))
    return Section("compared", "What was compared", tuple(blocks))


def _windows(outcome: Outcome) -> str:
    cut = []
    for horizon in outcome.horizons:
        gaps = [g for stage in (outcome.before, outcome.after, outcome.drawn) for g in stage.get(horizon, [])]
        cut.append(f"{count(max((g.windows for g in gaps), default=0), 'window')} of {horizon:g} s")
    if outcome.configuration["world"].get("whole"):
        return (
            f"Each of {cut[0].split(' ')[0]} test recordings was replayed whole, from its first sample; the error is"
            " the mean distance over its time. Intervals are paired bootstraps over recordings."
        )
    return (
        f"The test recordings were cut into {' and '.join(cut)}. In each window the simulation starts where the"
        " recording was and is given the recorded actions; the error is the difference at the window's end. Intervals"
        " are paired bootstraps over windows, by whole files where there are eight or more."
    )


def _arms(outcome: Outcome) -> str:
    names = {g.name for gaps in outcome.before.values() for g in gaps}
    known = {
        "persistence": "persistence (nothing moves)",
        "default": "the world's default parameters",
        "wide": "wide uniform ranges set by hand",
    }
    said = [text for name, text in known.items() if name in names]
    fits = f"the fits by {' and '.join(outcome.fits)}" if outcome.fits else "no fit, since none has finished"
    compared = f" Compared: {', '.join(said)}, and {fits}." if said else f" There is no gap here; shown: {fits}."
    return f"World: {outcome.configuration['world']['name']}.{compared}"
