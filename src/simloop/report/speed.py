"""How fast the simulation was."""

from __future__ import annotations

from simloop.loop import years_per_hour
from simloop.report.blocks import Cell, Row, Section, Table, Text
from simloop.report.outcome import Outcome
from simloop.report.quantities import number

_YEAR = 365.25 * 86400


def section(outcome: Outcome) -> Section | None:
    """Simulated time against the clock on the wall, for each fit and for all of them."""
    if not outcome.fits:
        return None
    rows = []
    for name, fit in outcome.fits.items():
        rows.append(_row(name, fit.rollouts, fit.simulated_seconds, fit.wall_seconds))
    fits = outcome.fits.values()
    windows = sum(f.rollouts for f in fits)
    simulated, wall = sum(f.simulated_seconds for f in fits), sum(f.wall_seconds for f in fits)
    if len(rows) > 1:
        rows.append(_row("all fits", windows, simulated, wall, strong=True))
    said = (
        f"The fits simulated {number(windows, 9)} windows, {number(simulated)} s of the machine's time, in"
        f" {number(wall)} s: {_times(simulated, wall)} times real time, {number(years_per_hour(outcome.result), 2)}"
        " years of simulated time an hour. The clock counts all that the methods compute besides, on a machine that may"
        " have done other things at the same time."
    )
    head = ("fit", "windows simulated", "simulated, s", "clock, s", "times real time", "years an hour")
    return Section("speed", "How fast it was", (Text(said), Table("Simulated time and the clock.", head, tuple(rows))))


def _row(name: str, windows: int, simulated: float, wall: float, *, strong: bool = False) -> Row:
    per_hour = simulated / max(wall, 1e-9) * 3600 / _YEAR
    texts = number(windows, 9), number(simulated, 4), number(wall, 4), _times(simulated, wall), number(per_hour, 2)
    return Row(tuple(map(Cell, (name, *texts))), strong=strong)


def _times(simulated: float, wall: float) -> str:
    return number(simulated / max(wall, 1e-9))
