"""What the command line's verbs do and print where world `crowd` is watched or looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from simloop.config import parse_value
from simloop.data.sheet import check_sheet, write_pictures
from simloop.distributions import Distribution, Empirical, Point
from simloop.errors import InputError, count
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.report.video import check_film, write_frames
from simloop.worlds.crowd.draws import Draw, draw_scenes
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.film import IN_STEP, arrivals, film_pictures, still
from simloop.worlds.crowd.view import Shown, View, picture_size
from simloop.worlds.crowd.world import STEP, Crowd, crowd_named

#: pixels, width of a film and of each picture of a sheet
_WIDE, _SMALL = 960, 400
#: pictures of a sheet beside one another
_COLUMNS = 3
#: draws that stand for a distribution of which some parameters are set
_DRAWS = 1000


def distribution_of(
    world: Crowd, name: str | None, pairs: Sequence[str], *, otherwise: str = "default"
) -> Distribution:
    """What parameters are drawn from: a distribution by name, with some parameters set, as ["people.count=80"]."""
    drawn = world.distribution(name or otherwise)
    changes = set_values(world, pairs)
    if not changes:
        return drawn
    return Point(world.parameters, world.parameters.row(changes)) if name is None else _fixed(world, drawn, changes)


def set_values(world: Crowd, pairs: Sequence[str]) -> dict[str, float]:
    """The values of ["people.count=80", ...], checked."""
    values: dict[str, float] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        value = parse_value(text, f"--set {pair!r}") if equals else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"--set {pair!r}: expected parameter=number, for example people.count=80")
        values[name.strip()] = float(value)
    world.parameters.row(values)
    return values


def _fixed(world: Crowd, drawn: Distribution, changes: Mapping[str, float]) -> Distribution:
    """A distribution that draws as another one does, but for parameters that are set: a thousand of its draws."""
    rows = drawn.sample(_DRAWS, stream(0, "crowd", "set"))
    for name, value in changes.items():
        rows[:, world.parameters.index(name)] = value
    return Empirical(world.parameters, world.parameters.round(rows))


def watch_crowd(
    output: Path,
    name: str = "crowd",
    *,
    scenario: str | None = None,
    model: str | None = None,
    pairs: Sequence[str] = (),
    distribution: str | None = None,
    seconds: float = 30.0,
    seed: int = 0,
    progress: Progress = silent,
) -> str:
    """Make a film of a scene from above; return what was seen."""
    check_film(output)
    world = crowd_named(name)
    model = model or world.walking
    draw = _one(world, scenario or world.filmed, distribution, pairs, seed)
    progress("watch: people walk", 0.0)
    tracks = simulate([draw.scene], seconds=seconds, model=model, dt=STEP, seed=seed, numbers=[draw.number])
    title = f"{draw.scenario}, {model}"
    view = View(draw.scene, size=picture_size(draw.scene, _WIDE), title=title)
    write_frames(output, film_pictures(view, tracks, progress=progress), fps=round(IN_STEP / STEP))
    met, deepest = tracks.meta["overlaps"][0], tracks.meta["deepest"][0]
    clashes = f"{count(met, 'overlap')} of bodies" + (f", {deepest:.3f} m at most" if met else "")
    there = int(np.isfinite(arrivals(tracks)).sum())
    return f"{output}: {title}; {there} of {len(draw.scene)} people arrived; {clashes}"


def _one(world: Crowd, scenario: str, distribution: str | None, pairs: Sequence[str], seed: int) -> Draw:
    names = world.scenarios(scenario)
    if len(names) != 1:
        raise InputError(f"one scenario is watched at a time, got {', '.join(names)}")
    drawn = distribution_of(world, distribution, pairs)
    return draw_scenes([0], world, scenarios=names, distribution=drawn, seed=seed)[0]


def look_at_crowd(
    output: Path,
    name: str = "crowd",
    *,
    scenario: str = "all",
    model: str | None = None,
    pairs: Sequence[str] = (),
    distribution: str | None = None,
    images: int | None = None,
    seconds: float = 12.0,
    seed: int = 0,
) -> str:
    """Put scenes with the trails of their people on one sheet; return what is on it."""
    check_sheet(output)
    world = crowd_named(name)
    names, model = world.scenarios(scenario), model or world.walking
    drawn = distribution_of(world, distribution, pairs)
    draws = draw_scenes(range(images or len(names)), world, scenarios=names, distribution=drawn, seed=seed)
    pictures = []
    for d in draws:
        tracks = simulate([d.scene], seconds=seconds, model=model, dt=STEP, seed=seed, numbers=[d.number])
        size = (_SMALL, _SMALL)
        pictures.append(still(View(d.scene, size, Shown(density=False), title=d.scenario), tracks))
    columns = [pictures[k::_COLUMNS] for k in range(min(_COLUMNS, len(pictures)))]
    wide, high = write_pictures(output, columns)
    return f"{output}: {count(len(draws), 'scene')} of world {name}, {model}, {wide} x {high} pixels"
