"""Open places: a circle whose people swap sides, a square with kiosks, a street with a crossing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simloop.worlds.crowd.navigation import Ways
from simloop.worlds.crowd.outlines import lines, ring
from simloop.worlds.crowd.scenarios.cast import ROOM, Gate, arrive, draw_cast, spread
from simloop.worlds.crowd.scene import Scene

_BEHIND = 3.0  # m, that walls reach beyond where people enter
_ZEBRA = 4.0  # m, width of a crossing


def make_circle(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """People on a circle walk to the other side, all at once, and stay there; groups stand side by side on it."""
    cast = draw_cast(values, rng)
    n = len(cast)
    # the second 0.3 m lets neighbours be moved off their places of a regular polygon
    radius = max(values["circle.radius"], n * (cast.pitch + 0.3) / (2 * np.pi))
    room = (2 * np.pi - n * cast.pitch / radius) / max(n, 1)
    # a chord is shorter than its arc, by less than this where two stand next to each other
    angle = 2 * np.pi * np.arange(n) / max(n, 1) + rng.uniform(-0.4, 0.4, n) * max(room, 0) + rng.uniform(0, 2 * np.pi)
    starts = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Scene(
        walls=lines(), starts=starts, begins=np.zeros(n), routes=-starts[:, None], reach=np.full(n, 0.3),
        traits=cast.traits, groups=cast.groups, stays=np.ones(n, dtype=bool), name="circle",
        personalities=cast.personalities,
    )  # fmt: skip


def make_street(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Pavements along a roadway of `corridor.length`; `street.crossers` of the people change sides at the crossing.

    People keep to pavements and crossing by their routes; kerbs are marks, houses are walls.
    """
    half, road, pavement = values["corridor.length"] / 2, values["street.width"] / 2, values["street.pavement"]
    half = max(half, _ZEBRA)
    cast = draw_cast(values, rng)
    n, middle = len(cast), road + pavement / 2
    gates = [Gate((x, y), (-np.sign(x), 0), pavement) for y in (-middle, middle) for x in (-half, half)]
    back = values["people.back"]
    starts, begins, gate = arrive(cast, gates, [1 - back, back] * 2, values["people.flow"], rng)
    crosses = (rng.random(cast.parties) < values["street.crossers"])[cast.party]
    side, ahead = np.where(gate < 2, -1.0, 1.0), np.where(gate % 2 == 0, 1.0, -1.0)
    free = max(pavement / 2 - float(cast.radius.max()) - 0.1, 0)
    goal_y = np.where(crosses, -side, side) * (middle + free * rng.uniform(-1, 1, cast.parties)[cast.party])
    goals = np.stack([ahead * (half + 0.8), goal_y], axis=1)
    lane = rng.uniform(-1, 1, cast.parties)[cast.party] * (_ZEBRA / 2 - 0.5)
    near, far = np.stack([lane, side * (road + 0.4)], axis=1), np.stack([lane, -side * (road + 0.4)], axis=1)
    routes = np.full((n, 3, 2), np.nan)
    routes[crosses] = np.stack([near, far, goals], axis=1)[crosses]
    routes[~crosses, 0] = goals[~crosses]
    end, house = half + _BEHIND, road + pavement
    kerbs = [[(a * end, b * road), (a * _ZEBRA / 2, b * road)] for a in (-1, 1) for b in (-1, 1)]
    zebra = [[(a * _ZEBRA / 2, -road), (a * _ZEBRA / 2, road)] for a in (-1, 1)]
    return Scene(
        walls=lines([(-end, house), (end, house)], [(-end, -house), (end, -house)]), starts=starts, begins=begins,
        routes=routes, reach=np.full(n, 0.8), traits=cast.traits, groups=cast.groups, stays=np.zeros(n, dtype=bool),
        name="street", marks=lines(*kerbs, *zebra), personalities=cast.personalities,
    )  # fmt: skip


def make_plaza(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """A square with kiosks: half of the parties are there at first, the others come from its edges; goals are free."""
    size, half = values["plaza.size"], values["plaza.size"] / 2
    cast = draw_cast(values, rng)
    n, pitch = len(cast), cast.pitch
    half = max(half, 0.8 * float(np.sqrt(n)) * pitch)
    size = 2 * half
    kiosks = _kiosks(int(values["plaza.obstacles"]), half, pitch, rng)
    walls = lines(*(ring((x, y), r, int(4 + 5 * turn), 2 * np.pi * turn) for x, y, r, turn in kiosks))
    edges = [Gate((-half * a, -half * b), (a, b), size - pitch) for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    starts, begins, gate = arrive(cast, edges, [1] * 4, values["people.flow"], rng)
    inside = spread(cast, (-half, -half), (size, size), rng)
    # a party that would stand in a kiosk comes from the edge
    apart = [np.hypot(*(inside - (x, y)).T) - r for x, y, r, _ in kiosks]
    taken = np.min(apart, axis=0, initial=np.inf) < cast.radius + ROOM
    clear = np.bincount(cast.party, taken) == 0
    there = (clear & (rng.random(cast.parties) < 0.5))[cast.party]
    starts[there], begins = inside[there], np.where(there, 0.0, begins + 1e-3)
    away = np.array([Gate((-half * a, -half * b), (a, b), size).place(np.zeros(1), np.full(1, 0.5))[0]
                     for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1))])  # fmt: skip
    to = (gate + rng.integers(1, 4, cast.parties)[cast.party]) % 4
    along = rng.uniform(-0.9, 0.9, cast.parties)[cast.party] * half
    goals = away[to] + np.where((to % 2 == 0)[:, None], (0, 1), (1, 0)) * along[:, None]
    ways = Ways(walls, clearance=float(cast.radius.max()) + ROOM)
    return Scene(
        walls=walls, starts=starts, begins=begins, routes=ways.routes(starts, goals, what="plaza"),
        reach=np.full(n, 0.8), traits=cast.traits, groups=cast.groups, stays=np.zeros(n, dtype=bool), name="plaza",
        personalities=cast.personalities,
    )  # fmt: skip


def _kiosks(n: int, half: float, pitch: float, rng: np.random.Generator) -> list[tuple[float, float, float, float]]:
    """Middle (x, y) and radius, m, and a number from 0 to 1 for the shape, of round kiosks.

    They are a wide gap apart and off the edges; those that find no place are left out.
    """
    placed: list[tuple[float, float, float, float]] = []
    drawn = (rng.uniform(0.3, 1.2, n), *rng.uniform(-1, 1, (2, n)), rng.random(n))
    for radius, x, y, turn in zip(*(d.tolist() for d in drawn), strict=True):
        r = min(radius, half / 5)
        free = half - r - 3 * pitch
        x, y = x * free, y * free
        if free > 0 and all(np.hypot(x - a, y - b) > r + s + 2 * pitch for a, b, s, _ in placed):
            placed.append((x, y, r, turn))
    return placed
