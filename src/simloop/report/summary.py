"""The headline, what the target is, and what each fit did at each horizon."""

from __future__ import annotations

import math

from simloop.gap import Gap
from simloop.loop import headline, how_honest
from simloop.report.blocks import Block, Cell, Points, Row, Section, Table, Text
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, count, number, span, spoken


def first_sentence(outcome: Outcome) -> str:
    """The plain sentence that the report opens with."""
    for gap in _of_first_fit(outcome):
        if math.isfinite(gap.value):
            return headline(outcome.result)
        return "How wrong the adapted simulation is could not be measured: it diverged in every window."
    world = outcome.configuration["world"]["name"]
    target = outcome.target("fit")
    if not outcome.fits or target is None:
        return f"The run of {world} has not come far enough to say how wrong the simulation is."
    what = "real recordings" if target.real else "simulated recordings (not real ones)"
    parameters = count(len(outcome.space), "parameter")
    return (
        f"{parameters} of {world} fitted to {number(target.seconds)} s of {what}; how wrong the result is on other"
        " recordings was not measured in this run."
    )


def _of_first_fit(outcome: Outcome) -> list[Gap]:
    """The gap that the headline is about, if it and the default's are there."""
    if "loop" not in outcome.configuration or not outcome.after or outcome.target("test") is None:
        return []
    gaps = {g.name: g for g in next(iter(outcome.after.values()))}
    name = str(outcome.configuration["loop"]["adapt"][0]["method"])
    return [gaps[name]] if name in gaps and "default" in gaps else []


def honesty(outcome: Outcome) -> str:
    """Whether the first fit covers reality as often as it says, and if not, which one does; "" where not known."""
    found = outcome.calibration
    if found is None or not outcome.fits or outcome.target("test") is None:
        return ""
    first = next(iter(outcome.fits))
    said = how_honest(outcome.result)
    shown = [s for s in said if s.lower().startswith(f"{first} ")]
    if not found.holds(first):
        others = [m for m in outcome.fits if m != first and found.holds(m)]
        shown += [s for s in said if any(s.lower().startswith(f"{m} ") for m in others)]
    return " ".join(shown)


def target_line(outcome: Outcome) -> str:
    """What the recordings are, directly under the headline."""
    target = outcome.target("test") or outcome.target("fit")
    if target is None:
        return "What the recordings are is not kept in this run: it stopped before that."
    files = {"fitted on": outcome.target("fit"), "tested on": outcome.target("test")}
    amounts = "; ".join(
        f"{verb} {count(len(t.files), 'file' if t.real else 'recording')}, {number(t.seconds)} s"
        for verb, t in files.items()
        if t is not None
    )
    kind = "Real recordings" if target.real else "Not real recordings"
    source = f" Source: {target.source}." if target.source else ""
    licence = f" Licence: {target.licence}." if target.licence else ""
    return f"{kind}: {target.description}; {amounts}.{source}{licence}"


def banner(outcome: Outcome) -> str:
    """What is said over a page whose targets are stand-ins; "" where all are real recordings."""
    kinds = list(dict.fromkeys(t.provenance for t in outcome.targets.values() if not t.real))
    return not_real(", ".join(kinds), "recordings of a real machine") if kinds else ""


def not_real(kind: str, instead_of: str) -> str:
    """What is said over a page whose target is a stand-in of a kind."""
    return (
        f"This run's target is a stand-in ({kind}), not {instead_of}. Nothing here says how near the simulation is to"
        " reality."
    )


def verdict(gap: Gap) -> str:
    """How the root mean square of an arm's error stands to the default's, in words."""
    if gap.ratio is None or gap.ratio_interval is None or not all(map(math.isfinite, gap.ratio_interval)):
        return "not compared"
    if not gap.told_apart:
        return "cannot be told apart"
    return "nearer" if gap.ratio < 1 else "farther"


def section(outcome: Outcome) -> Section:
    """What came out, in a few lines."""
    blocks: list[Block] = []
    if outcome.missing:
        blocks.append(
            Text(
                f"This run has not finished. Missing: {', '.join(outcome.missing)}. The same command goes on where it"
                " stopped; what is there already is shown below.",
                tone="warning",
            )
        )
    rows = [
        _row(outcome.when(horizon), gap, gaps)
        for horizon, gaps in outcome.after.items()
        for gap in gaps
        if gap.name != "default"
    ]
    said = list(how_honest(outcome.result)) if outcome.target("test") and "loop" in outcome.configuration else []
    if outcome.structure and outcome.structure.found:
        found = outcome.structure.found
        first = next(iter(outcome.fits), "the first fit")
        said.append(
            f"No parameters in range explain all of the recordings: {first} leaves structure over (see below)."
            if found.found
            else f"No mismatch found: what {first} leaves over has no structure."
        )
    if rows:
        head = ("fit, mean parameters", "wrong by", "default", "RMSE ratio", "median ratio", "verdict, by RMSE")
        caption = "On test recordings, with 95 % intervals; a ratio below 1 is nearer than the default."
        blocks.append(Table(caption, head, tuple(rows)))
    if said:
        blocks.append(Points(tuple(said)))
    return Section("summary", "In short", tuple(blocks))


def _row(when: str, gap: Gap, gaps: list[Gap]) -> Row:
    default = next((g for g in gaps if g.name == "default"), None)
    cells = (
        Cell(gap.name, when),
        Cell(spoken(gap.value, gap.unit)),
        Cell(spoken(default.value, default.unit) if default else NOTHING),
        Cell(number(gap.ratio, padded=True), span(gap.ratio_interval)),
        Cell(number(gap.median_ratio, padded=True), span(gap.median_ratio_interval)),
        Cell(verdict(gap)),
    )
    return Row(cells, strong=True)
