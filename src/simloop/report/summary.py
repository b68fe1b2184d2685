"""The headline, what the target is, and what each fit did at each horizon."""

from __future__ import annotations

import math

from simloop.gap import Gap
from simloop.loop import headline
from simloop.report.blocks import Block, Points, Section, Text
from simloop.report.outcome import Outcome
from simloop.report.quantities import count, number, span, spoken


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
    what = "real recordings" if target.real else "a stand-in's recordings (not real ones)"
    parameters = count(len(next(iter(outcome.fits.values())).distribution.space), "parameter")
    return (
        f"{parameters} of {world} fitted to {number(target.seconds)} s of {what}; how wrong the result is on other"
        " recordings was not measured in this run."
    )


def _of_first_fit(outcome: Outcome) -> list[Gap]:
    """The gap that the headline is about, if it and the default's are there."""
    gaps = {g.name: g for g in outcome.after.get(outcome.horizons[0] if outcome.horizons else 0.0, [])}
    asked = [m for m in outcome.fits if m in gaps]
    complete = "default" in gaps and bool(asked) and outcome.target("test") is not None
    return [gaps[asked[0]]] if complete and next(iter(outcome.fits)) == asked[0] else []


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


def not_real(outcome: Outcome) -> list[str]:
    """What kinds of stand-in the run's targets are; empty where all are real recordings."""
    return list(dict.fromkeys(t.provenance for t in outcome.targets.values() if not t.real))


def verdict(gap: Gap) -> str:
    """How an arm's mean error stands to the default's."""
    if gap.ratio is None or gap.ratio_interval is None or not all(map(math.isfinite, gap.ratio_interval)):
        return "not compared with the default"
    if not gap.told_apart:
        return "cannot be told apart from the default"
    return "nearer to the recordings than the default" if gap.ratio < 1 else "farther from the recordings than the default"


def section(outcome: Outcome) -> Section:
    """What came out, in a few sentences."""
    blocks: list[Block] = []
    if outcome.missing:
        blocks.append(
            Text(
                f"This run has not finished. Missing: {', '.join(outcome.missing)}. The same command goes on where it"
                " stopped; what is there already is shown below.",
                tone="warning",
            )
        )
    sentences = []
    for horizon, gaps in outcome.after.items():
        default = next((g for g in gaps if g.name == "default"), None)
        for gap in gaps:
            if gap.name == "default":
                continue
            against = f", the default by {spoken(default.value, default.unit)}" if default else ""
            sentences.append(
                f"{gap.name} after {horizon:g} s: wrong by {spoken(gap.value, gap.unit)}{against}. Root mean square"
                f" {number(gap.ratio)} of the default's ({span(gap.ratio_interval)}): {verdict(gap)}. Median error"
                f" {number(gap.median_ratio)} of the default's ({span(gap.median_ratio_interval)})."
            )
    if sentences:
        blocks.append(Points(tuple(sentences), title="At each horizon, with 95 % intervals"))
    return Section("summary", "In short", tuple(blocks))
