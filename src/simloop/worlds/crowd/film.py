"""Films and stills of crowds: tracks of a scene, step by step, as pictures from above.

tracks = simulate([scene], seconds=30.0)
view = View(scene, size=picture_size(scene))
for picture in film_pictures(view, tracks): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.channels import AT, TRAIT
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.view import Moment, View

#: pictures in a step of a film
IN_STEP = 2
#: s, how long a trail is in a film; and after which somebody's trail is worth a still
_TRAIL, _EARLY = 4.0, 5.0
_PLACE = [AT["x"], AT["y"]]


def arrivals(tracks: TrajectorySet, episode: int = 0) -> Array:
    """(n,) s, when the people of an episode reached their goals; NaN: not."""
    return np.array([np.nan if t is None else t for t in tracks.meta["arrived"][episode]], dtype=float)


@dataclass(frozen=True, eq=False)
class _Instant:
    """Who is where at a time, s: people (m,) and their channels (m, D)."""

    time: float
    people: NDArray[np.int64]
    values: Array


def film_pictures(view: View, tracks: TrajectorySet, *, progress: Progress = silent) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a film of a single episode: `IN_STEP` for each step, the later ones on the way to the next."""
    instants, arrived = _instants(tracks), arrivals(tracks)
    places = _places(instants, len(view.scene))
    back = round(_TRAIL / float(tracks.meta["dt"]))
    for k, (now, after) in enumerate(pairwise([*instants, instants[-1]])):
        trails = places[max(k - back, 0) : k + 1 : 2]
        for part in range(IN_STEP):
            yield view.picture(_moment(view.scene, now, after, part / IN_STEP, trails, arrived))
        progress(f"watch: {k + 1} of {len(instants)} steps drawn", (k + 1) / len(instants))


def still(view: View, tracks: TrajectorySet) -> NDArray[np.uint8]:
    """A single episode when many people are in it that have left trails, with all the ways that they came."""
    instants = _instants(tracks)
    k = max(range(len(instants)), key=lambda i: (len(instants[i].people) * min(1.0, instants[i].time / _EARLY), i))
    trails = _places(instants[: k + 1], len(view.scene))
    return view.picture(_moment(view.scene, instants[k], instants[k], 0.0, trails, arrivals(tracks)))


def _instants(tracks: TrajectorySet) -> list[_Instant]:
    """The rows of a single episode by time, also of times at which nobody is there."""
    dt = float(tracks.meta["dt"])
    steps = np.round(tracks.time / dt).astype(int)
    assert tracks.entity is not None
    cuts = np.searchsorted(steps, np.arange(int(steps.max(initial=0)) + 2))
    return [_Instant(k * dt, tracks.entity[a:b], tracks.values[a:b]) for k, (a, b) in enumerate(pairwise(cuts))]


def _places(instants: list[_Instant], n: int) -> Array:
    """(T, n, 2) m, where people were; NaN: not there."""
    places = np.full((len(instants), n, 2), np.nan)
    for k, instant in enumerate(instants):
        places[k, instant.people] = instant.values[:, _PLACE]
    return places


def _moment(scene: Scene, now: _Instant, after: _Instant, part: float, trails: Array, arrived: Array) -> Moment:
    """What is seen between two instants, `part` of the way from one to the other."""
    position, heading = now.values[:, _PLACE], now.values[:, AT["heading"]].copy()
    stay = np.isin(now.people, after.people)
    then = after.values[np.isin(after.people, now.people)]
    position[stay] += part * (then[:, _PLACE] - position[stay])
    heading[stay] += part * ((then[:, AT["heading"]] - heading[stay] + np.pi) % (2 * np.pi) - np.pi)
    lines = []
    for person, at in zip(now.people.tolist(), position, strict=True):
        line = trails[:, person]
        lines.append(np.concatenate([line[np.isfinite(line[:, 0])], at[None]]))
    time = now.time + part * (after.time - now.time)
    clashes = _clashes(scene, now.people, now.values[:, _PLACE])
    return Moment(time, now.people, position, heading, lines, clashes, int((arrived <= time + 1e-9).sum()))


def _clashes(scene: Scene, people: NDArray[np.int64], position: Array) -> list[tuple[int, int]]:
    """Pairs of people whose bodies overlap."""
    if len(people) < 2:
        return []
    from scipy.spatial import cKDTree

    radius = scene.traits[people, TRAIT["radius"]]
    pairs = cKDTree(position).query_pairs(2 * float(radius.max()), output_type="ndarray")
    gap = np.hypot(*(position[pairs[:, 0]] - position[pairs[:, 1]]).T) - radius[pairs].sum(axis=1)
    return [(int(people[a]), int(people[b])) for a, b in pairs[gap < -1e-6]]
