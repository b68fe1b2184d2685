"""The report: a run's folder in, one self-contained HTML file out."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from simloop.errors import InputError
from simloop.report import (
    compared,
    convergence,
    correlations,
    coverage,
    gaps,
    identifiability,
    marginals,
    methods,
    mismatch,
    next_recordings,
    reproduce,
    speed,
    summary,
    trajectories,
    variation,
)
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


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder, finished or not, and return its path.

    The file holds all it needs: no scripts, fonts, images or links to elsewhere, and nothing of this machine's paths.
    The same run gives the same bytes.
    """
    path = folder / "report.html"
    text = page(Outcome.read(folder))
    with write_aside(path) as file:
        file.write(text.encode())
    return path


def page(outcome: Outcome) -> str:
    """The report as HTML."""
    try:
        sections = [s for s in (make(outcome) for make in _SECTIONS) if s is not None]
        head = {
            "headline": summary.first_sentence(outcome),
            "honesty": summary.honesty(outcome),
            "target": summary.target_line(outcome),
            "not_real": summary.not_real(outcome),
        }
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{outcome.folder}: the stages of this run do not fit together ({error}); give its command again in a new"
            " folder"
        ) from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html")).render(
        **head,
        sections=[s for s in sections if s.blocks],
        run=outcome.folder.resolve().name,
        world=outcome.configuration["world"]["name"],
        version=outcome.versions.get("simloop", ""),
        style=Markup(_asset("page.css")),
    )


def _asset(name: str) -> str:
    return resources.files("simloop.report").joinpath(name).read_text(encoding="utf-8")
