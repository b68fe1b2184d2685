"""The report: a run's folder in, one self-contained HTML file out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from simloop.errors import InputError
from simloop.report import (
    compared,
    convergence,
    correlations,
    coverage,
    film,
    gaps,
    identifiability,
    iterations,
    learning,
    marginals,
    methods,
    mismatch,
    moved,
    next_recordings,
    opening,
    reproduce,
    rollouts,
    speed,
    summary,
    trajectories,
    variation,
    widening,
)
from simloop.report.blocks import Section
from simloop.report.learned import Learned
from simloop.report.outcome import Outcome
from simloop.runs import write_aside

_SECTIONS = (
    summary.section,
    compared.section,
    gaps.section,
    coverage.section,
    methods.section,
    trajectories.section,
    mismatch.section,
    marginals.section,
    variation.section,
    correlations.section,
    identifiability.section,
    next_recordings.section,
    convergence.section,
    speed.section,
    reproduce.section,
)
_POLICY_SECTIONS = (
    opening.section,
    iterations.section,
    rollouts.section,
    moved.section,
    film.section,
    learning.section,
    widening.section,
    convergence.section,
    iterations.speed,
    reproduce.policy_section,
)


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder, finished or not, and return its path.

    The file holds all it needs: no scripts, fonts, images or links to elsewhere, and nothing of this machine's paths.
    The same run gives the same bytes.
    """
    from simloop.report import behaviour, looked

    path = folder / "report.html"
    if looked.describes(folder):
        text = looked.look_page(folder)
    elif behaviour.describes(folder):
        text = behaviour.behaviour_page(folder)
    else:
        text = policy_page(Learned.read(folder)) if Learned.describes(folder) else page(Outcome.read(folder))
    with write_aside(path) as file:
        file.write(text.encode())
    return path


def page(outcome: Outcome) -> str:
    """The report of a loop on recordings, or of an adaptation, as HTML."""

    def head() -> dict[str, Any]:
        return {
            "headline": summary.first_sentence(outcome),
            "honesty": summary.honesty(outcome),
            "target": summary.target_line(outcome),
            "banner": summary.banner(outcome),
        }

    return _page(outcome, head, [partial(make, outcome) for make in _SECTIONS])


def policy_page(outcome: Learned) -> str:
    """The report of a loop with policies, or of a training, as HTML."""

    def head() -> dict[str, Any]:
        return {
            "headline": opening.headline(outcome),
            "honesty": opening.beside_it(outcome),
            "target": opening.target_line(outcome),
            "banner": opening.banner(outcome),
        }

    return _page(outcome, head, [partial(make, outcome) for make in _POLICY_SECTIONS])


def _page(
    outcome: Outcome | Learned, head: Callable[[], dict[str, Any]], makers: Sequence[Callable[[], Section | None]]
) -> str:
    try:
        sections = [s for s in (make() for make in makers) if s is not None]
        shown = head()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{outcome.folder}: the stages of this run do not fit together ({error}); give its command again in a new"
            " folder"
        ) from error
    run, world = outcome.folder.resolve().name, outcome.configuration["world"]["name"]
    return render(
        {**shown, "title": f"{run}, {world}", "kicker": f"{world} · run {run}", "origin": f"the run's folder {run}",
         "version": outcome.versions.get("simloop", "")},
        sections,
    )  # fmt: skip


def render(head: dict[str, Any], sections: Sequence[Section]) -> str:
    """A page as HTML.

    Args:
        head: title, kicker, headline, honesty, target, banner, origin and version: texts, "" where there is none.
        sections: those without anything in them are left out.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html")).render(
        **head, sections=[s for s in sections if s.blocks], style=Markup(_asset("page.css"))
    )


def _asset(name: str) -> str:
    return resources.files("simloop.report").joinpath(name).read_text(encoding="utf-8")
