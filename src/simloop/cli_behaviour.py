"""What `adapt` and `gap` of the command line do where the world is one of people who walk."""

from __future__ import annotations

from pathlib import Path

from simloop import terminal
from simloop.cli_options import ResumeChoice
from simloop.errors import InputError

#: the world whose targets are tracks of people
WORLD = "crowd"


def _asked_for(target: str | None) -> str:
    if target is None:
        raise InputError(
            "world 'crowd' is compared with tracks of real people: give --target, such as eth-ucy/hotel or a file of"
            " rows 'frame person x y'"
        )
    return target


def adapt_behaviour(
    output: Path, target: str | None, method: str, option: list[str], fit: list[str], budget: int | None, seed: int,
    resume: ResumeChoice, *, json: bool,
) -> None:  # fmt: skip
    """Fit how people walk to real tracks, into a run's folder."""
    named = _asked_for(target)
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        from simloop.adapt.recorded_people import recorded_people
        from simloop.config import parsed_pairs
        from simloop.report.page import write_report
        from simloop.verbs_behaviour import fit_behaviour_into
        from simloop.worlds import get_world

        result = fit_behaviour_into(
            output, get_world(WORLD), recorded_people(named), method, parsed_pairs(option), fit=fit, seed=seed,
            budget=budget, resume=resume.value, progress=show,
        )  # fmt: skip
        page = write_report(output)
    if json:
        terminal.print_json({**result.to_dict(), "report": str(page), "warnings": warned})
    else:
        result.show()
        terminal.say(f"report: {page}")


def gap_behaviour(
    target: str | None, distribution: str | None, horizon: float | None, seed: int, *, json: bool
) -> None:
    """Measure how far people who walk are from real ones."""
    named = _asked_for(target)
    with terminal.shown_warnings() as warned:
        from simloop.adapt.recorded_people import recorded_people
        from simloop.verbs_behaviour import LENGTH, measure_track_gap
        from simloop.worlds import get_world

        result = measure_track_gap(
            get_world(WORLD), recorded_people(named), distribution, length=horizon or LENGTH, seed=seed
        )
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()
