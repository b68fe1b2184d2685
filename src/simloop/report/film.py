"""A film of the policies at work in simulation, side by side, in the page itself.

It is drawn once, when the report is written, and kept in the run's folder: `film.mp4`. Where nothing can be drawn, a
sentence says why.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop.distributions import Distribution, Point
from simloop.errors import InputError, MissingExtraError
from simloop.learn import Policy
from simloop.report.blocks import Section, Text, Video
from simloop.report.learned import Learned
from simloop.report.opening import rate
from simloop.report.quantities import number
from simloop.runs import read_json, write_json
from simloop.worlds import get_world
from simloop.worlds.physics import PhysicsWorld

#: the film and what is in it, in a run's folder; frames a second; the largest film that a page holds, bytes
_FILM, _SHOWN, _FPS, _LARGEST = "film.mp4", "film.json", 20, 3_000_000


@dataclass(frozen=True)
class Part:
    """One half of a film: whose policy, in which folder, and the world's parameters that it acts under."""

    name: str
    folder: Path
    row: Distribution


def section(outcome: Learned) -> Section | None:
    """The first and the last policy side by side, under the parameters that the fit ended with."""
    if outcome.missing or not outcome.trainees:
        return None
    parts = _parts(outcome)
    if not parts:
        return None
    title = "What it looks like"
    try:
        success = _filmed(outcome, parts)
        film = (outcome.folder / _FILM).read_bytes()
    except (InputError, MissingExtraError) as error:
        return Section("film", title, (Text(f"No film: {error}", tone="quiet"),))
    if len(film) > _LARGEST:
        said = f"The film is too large for this page ({number(len(film) / 1e6)} MB); it is {_FILM} in the run's folder."
        return Section("film", title, (Text(said, tone="quiet"),))
    return Section("film", title, (_video(outcome, parts, success, film),))


def _parts(outcome: Learned) -> list[Part]:
    """What is shown, left to right."""
    folder = outcome.folder
    last = outcome.trainees[-1]
    if last.distribution is None:
        return []
    row = _own_mean(outcome, last.distribution)
    if outcome.kind == "train":
        return [Part(last.name, folder, row)]
    named = [outcome.trainees[0], last] if len(outcome.trainees) > 1 else [last]
    return [Part(t.name, folder / t.name.replace(" ", "-"), row) for t in named]


def _own_mean(outcome: Learned, distribution: Distribution) -> Point:
    """The mean of the world's own parameters, all mass on it."""
    space = outcome.space
    return Point(space, np.clip(distribution.mean[: len(space)], space.low, space.high))


def _filmed(outcome: Learned, parts: list[Part]) -> list[bool]:
    """Draw the film if the folder has none of these policies; return which of the parts succeed in it."""
    folder = outcome.folder
    of = {"run": str(outcome.result.get("hash", "")), "policies": [p.name for p in parts],
          "parameters": parts[0].row.hash}  # fmt: skip
    if (folder / _FILM).exists() and (folder / _SHOWN).exists():
        kept = read_json(folder / _SHOWN)
        if kept.get("of") == of:
            return [bool(s) for s in kept["success"]]
    from simloop.report.video import joined, watch, write_video

    world = get_world(str(outcome.asked.get("world") or outcome.file.get("world") or _recorded(outcome)["name"]))
    if not isinstance(world, PhysicsWorld):
        raise InputError(f"world {world.name!r} cannot be drawn")
    if world.parameters.names != outcome.space.names:
        raise InputError(f"world {world.name!r} is not the one that the run had")
    task = world.task(str(outcome.task["name"]))
    seed = int(outcome.file["seed"])
    watched = joined([watch(world, task, Policy.load(p.folder), p.row, episodes=1, seed=seed) for p in parts])
    write_video(folder / _FILM, world, watched, fps=_FPS)
    success = watched.success.tolist()
    write_json(folder / _SHOWN, {"of": of, "success": success})
    return [bool(s) for s in success]


def _recorded(outcome: Learned) -> dict[str, Any]:
    found: dict[str, Any] = outcome.configuration["world"]
    return found


def _video(outcome: Learned, parts: list[Part], success: list[bool], film: bytes) -> Video:
    source = f"data:video/mp4;base64,{base64.b64encode(film).decode()}"
    how = ["succeeds" if s else "does not succeed" for s in success]
    if len(parts) > 1:
        sides = f"Left {parts[0].name}, which {how[0]}, right {parts[1].name}, which {how[1]}, from the same start"
    else:
        sides = f"The policy of {parts[0].name}, which {how[0]} here"
    drawn = "the last distribution" if outcome.kind == "loop" else "the distribution that it was trained in"
    last = outcome.trainees[-1].simulated
    caption = (
        f"{sides}, in one episode in simulation under the mean of {drawn}."
        + (" The target is not shown: this is what the simulation believes of it." if outcome.live else "")
        + (f" One episode tells little: in simulation the last policy succeeds in {rate(last)}." if last else "")
    )
    target, real = outcome.target_of_figure("none")
    title = "First and last policy" if len(parts) > 1 else "The policy at work"
    return Video(title, f"Film: {sides}", caption, target, real, source)
