"""Scenarios of world `crowd`: who meets whom in what place.

    scene = make_scene("crossing", {"people.count": 80, "corridor.width": 3}, stream(7, "scene", 0))
    scene = make_scene("hall.wkt", {}, stream(7, "scene", 0))           # in a place that someone drew: `maps`

`SCENARIOS` names them; `TABLE` has their parameters, and `people.PEOPLE` how people walk. What a mapping does not say
is at its default. No scene begins with overlapping people, or with a goal in a wall.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from simloop.errors import unknown
from simloop.worlds.crowd.maps import SUFFIXES, Map, read_map
from simloop.worlds.crowd.people import PEOPLE
from simloop.worlds.crowd.scenarios.corridors import make_corridor, make_crossing, make_t_junction, make_two_way
from simloop.worlds.crowd.scenarios.from_map import make_from_map
from simloop.worlds.crowd.scenarios.places import make_circle, make_plaza, make_street
from simloop.worlds.crowd.scenarios.rooms import make_bottleneck, make_room
from simloop.worlds.crowd.scenarios.table import TABLE
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.spreads import space

_MAKERS: dict[str, Callable[[Mapping[str, float], np.random.Generator], Scene]] = {
    "corridor": make_corridor,
    "two-way": make_two_way,
    "crossing": make_crossing,
    "circle": make_circle,
    "bottleneck": make_bottleneck,
    "room": make_room,
    "t-junction": make_t_junction,
    "plaza": make_plaza,
    "street": make_street,
}
SCENARIOS = tuple(_MAKERS)
_SPACE = space([*TABLE, *PEOPLE])

__all__ = ["SCENARIOS", "TABLE", "make_scene"]


def make_scene(name: str, values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Make a scene.

    Args:
        name: one of `SCENARIOS`, or the file of a map (`maps.SUFFIXES`).
        values: parameters of `TABLE` and `people.PEOPLE` by name; others are at their defaults.
        rng: where its draws come from.
    """
    drawn = name.lower().endswith(SUFFIXES)
    if name not in _MAKERS and not drawn:
        raise unknown("scenario", name, SCENARIOS)
    full = dict(zip(_SPACE.names, _SPACE.row(values).tolist(), strict=True))
    return make_from_map(_map(name), full, rng) if drawn else _MAKERS[name](full, rng)


@cache
def _map(path: str) -> Map:
    """A map, read once."""
    return read_map(path)
