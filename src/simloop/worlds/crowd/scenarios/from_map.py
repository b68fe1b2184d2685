"""People in a place that someone drew: they come at its destinations, and walk round its obstacles to another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.maps import Map
from simloop.worlds.crowd.navigation import Ways, wall_distance
from simloop.worlds.crowd.scenarios.cast import ROOM, Cast, draw_cast
from simloop.worlds.crowd.scene import Scene

_AROUND = 2.5  # m, from a destination, where people who come there begin
_FREE = 6  # destinations of a map that names none, as far from each other as can be


def make_from_map(place: Map, values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """A scene in `place`: parties come as a Poisson stream, each from one destination to another.

    One InputError says which goal is in a wall, too near to one, or cannot be reached.
    """
    cast = draw_cast(values, rng)
    n, clearance = len(cast), float(cast.radius.max()) + ROOM
    ways = Ways(place.walls, clearance=clearance)
    goals = place.goals if len(place.goals) else _free_points(place, clearance)
    if len(goals) < 2:
        raise InputError(f"{place.source}: people need two places to walk between, the map has {len(goals)}")
    for x, y in goals[wall_distance(goals, place.walls) < clearance]:
        raise InputError(
            f"{place.source}: the goal ({x:g}, {y:g}) m is in a wall or nearer to one than a body's {clearance:.2g} m"
        )
    source = rng.integers(0, len(goals), cast.parties)
    target = (source + rng.integers(1, len(goals), cast.parties)) % len(goals)
    begins = np.cumsum(rng.exponential(1.0, cast.parties) * cast.sizes) / values["people.flow"]
    starts = np.empty((n, 2))
    for k in range(len(goals)):
        around = _around(goals[k], ways, cast.pitch)
        for party in np.flatnonzero(source == k):
            starts[cast.party == party] = _beside(around, cast, int(cast.sizes[party]), rng)
    to = goals[target[cast.party]]
    return Scene(
        walls=place.walls, starts=starts, begins=(begins - begins[:1].sum())[cast.party],
        routes=ways.routes(starts, to, what=place.source), reach=np.full(n, 0.8), traits=cast.traits,
        groups=cast.groups, stays=np.zeros(n, dtype=bool), name=place.name, personalities=cast.personalities,
    )  # fmt: skip


def _around(goal: Array, ways: Ways, pitch: float) -> Array:
    """Places (m, 2) m around a destination, a lattice of `pitch` that the destination sees."""
    steps = np.arange(-int(_AROUND / pitch), int(_AROUND / pitch) + 1) * pitch
    lattice = goal + np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    near = np.hypot(*(lattice - goal).T) <= _AROUND
    clear = wall_distance(lattice, ways.walls) >= ways.clearance
    return np.asarray(lattice[near & clear & ways.sees(goal[None], lattice)[0]])


def _beside(places: Array, cast: Cast, size: int, rng: np.random.Generator) -> Array:
    """Places (size, 2) of a party: one at random and those nearest to it; where there are too few, the party is split.

    Who finds no place of their own waits outside until the first one's is free.
    """
    first = places[rng.integers(len(places))]
    nearest = places[np.argsort(np.hypot(*(places - first).T), kind="stable")]
    return nearest[np.minimum(np.arange(size), len(nearest) - 1)]


def _free_points(place: Map, clearance: float) -> Array:
    """Points (G, 2) m where a body may be, each as far as can be from those before."""
    import shapely

    x0, y0, x1, y1 = place.area.bounds
    if len(place.walls):  # in the open, not far off the walls
        (x0, y0), (x1, y1) = place.walls.reshape(-1, 2).min(axis=0) - 5, place.walls.reshape(-1, 2).max(axis=0) + 5
    x, y = np.meshgrid(np.linspace(x0, x1, 40), np.linspace(y0, y1, 40))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    free: NDArray[np.bool_] = shapely.contains_xy(place.area, points[:, 0], points[:, 1])
    points = points[free & (wall_distance(points, place.walls) > 1.5 * clearance)]
    chosen = points[:1]
    while 0 < len(chosen) < min(_FREE, len(points)):
        apart = np.hypot(*(points[:, None] - chosen).transpose(2, 0, 1)).min(axis=1)
        chosen = np.concatenate([chosen, points[apart.argmax()][None]])
    return chosen
