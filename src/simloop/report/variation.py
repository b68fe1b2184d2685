"""How reality varies beyond the parameters: errors of starts, constant disturbances, noise, a leftover force."""

from __future__ import annotations

import numpy as np

from simloop.adapt import Adaptation
from simloop.errors import InputError
from simloop.randomness import stream
from simloop.report.blocks import Block, Cell, Row, Section, Table, Text
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, number, span, spoken, unit_sign
from simloop.worlds.uncertain import NOISE, PUSH, START

#: draws that an interval is read from
_DRAWS = 20_000
_HEAD = {START: "error of the start", PUSH: "constant disturbance", NOISE: "noise of the sensor"}


def section(outcome: Outcome) -> Section | None:
    """For each fit with more columns than the world has parameters: what they are, in their units."""
    blocks: list[Block] = []
    for method, fit in outcome.fits.items():
        blocks += _tables(method, fit, len(outcome.space))
    if not blocks:
        return None
    said = (
        "No parameter explains these: they differ from window to window. Where a recording starts is known only so"
        " well, something pushes that nobody models, sensors are noisy, bearings and cables pull. Draws of the fit"
        " include them, so training on it does too; its mean parameters do not. Numbers are standard deviations, with"
        " the 90 % of draws below: windows differ in how wrong they are."
    )
    return Section("variation", "How reality varies beyond the parameters", (Text(said), *blocks))


def _tables(method: str, fit: Adaptation, own: int) -> list[Block]:
    space = fit.distribution.space
    added = space.names[own:]
    if not added:
        return []
    try:
        rows = fit.distribution.sample(_DRAWS, stream(0, "report", "variation"))
    except InputError:  # almost all of it lies outside the bounds
        rows = fit.distribution.mean[None]
    low, middle, high = np.quantile(rows, [0.05, 0.5, 0.95], axis=0)

    def cell(name: str) -> Cell:
        if name not in added:
            return Cell(NOTHING)
        j, unit = space.index(name), space[name].unit
        return Cell(spoken(float(middle[j]), unit), span((float(low[j]), float(high[j])), unit))

    spreads = [n for n in added if n.startswith(tuple(_HEAD))]
    things = list(dict.fromkeys(n.split(".", 1)[1] for n in spreads))
    blocks: list[Block] = []
    if things:
        table = tuple(Row((Cell(thing), *(cell(kind + thing) for kind in _HEAD))) for thing in things)
        blocks.append(Table(f"Standard deviations that {method} found.", ("", *_HEAD.values()), table))
    others = [n for n in added if n not in spreads]
    if others:
        table = tuple(
            Row((
                Cell(n, space[n].description),
                Cell(number(float(middle[space.index(n)]))),
                Cell(span((float(low[space.index(n)]), float(high[space.index(n)])))),
                Cell(unit_sign(space[n].unit)),
            ))
            for n in others
        )  # fmt: skip
        head = ("coefficient", "median", "90 %", "unit")
        blocks.append(Table(f"What {method} added to the world.", head, table, closed=f"The {len(others)} coefficients"
                            f" that {method} added to the world"))  # fmt: skip
    return blocks
