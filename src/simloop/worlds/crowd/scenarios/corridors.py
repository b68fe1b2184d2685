"""Corridors and where they meet: people come as a Poisson stream at each end, and leave at another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simloop.parameters import Array
from simloop.worlds.crowd.outlines import lines
from simloop.worlds.crowd.scenarios.cast import Cast, Gate, arrive, draw_cast
from simloop.worlds.crowd.scenarios.ways import mouth, stacked
from simloop.worlds.crowd.scene import Scene

_BEHIND = 3.0  # m, that walls reach beyond where people enter: a party in rows stands there
_BEYOND = 0.8  # m, from the end of a corridor to the goals
_REACH = 0.8  # m


def make_corridor(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Everyone walks the same way."""
    return _straight(values, rng, "corridor", 0.0)


def make_two_way(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Two streams meet; `people.back` is the part of the second."""
    return _straight(values, rng, "two-way", values["people.back"])


def make_crossing(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Two corridors cross: half of the people walk along each, `people.back` of them the other way."""
    length, width = values["corridor.length"], values["corridor.width"]
    arm, half, back = max(length / 2, width / 2 + 2), width / 2, values["people.back"]
    gates = [Gate((-arm, 0), (1, 0), width), Gate((0, -arm), (0, 1), width),
             Gate((arm, 0), (-1, 0), width), Gate((0, arm), (0, -1), width)]  # fmt: skip
    end = arm + _BEHIND
    corner = np.array([(end, half), (half, half), (half, end)])
    walls = lines(*(corner * sign for sign in ((1, 1), (-1, 1), (-1, -1), (1, -1))))
    chances = [(1 - back) / 2, (1 - back) / 2, back / 2, back / 2]
    cast = draw_cast(values, rng)
    starts, begins, gate = arrive(cast, gates, chances, values["people.flow"], rng)
    goals = _across(gates, (gate + 2) % 4, cast, rng)
    return _scene("crossing", walls, starts, begins, goals[:, None], cast)


def make_t_junction(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """Two streams from the arms merge into the stem; `people.back` of the people come up the stem, to either arm."""
    length, width = values["corridor.length"], values["corridor.width"]
    arm, half, back = max(length / 2, width / 2 + 2), width / 2, values["people.back"]
    gates = [Gate((-arm, 0), (1, 0), width), Gate((arm, 0), (-1, 0), width), Gate((0, -arm), (0, 1), width)]
    end = arm + _BEHIND
    left = np.array([(-end, -half), (-half, -half), (-half, -end)])
    walls = lines([(-end, half), (end, half)], left, left * (-1, 1))
    cast = draw_cast(values, rng)
    chances = [(1 - back) / 2, (1 - back) / 2, back]
    starts, begins, gate = arrive(cast, gates, chances, values["people.flow"], rng)
    side = rng.integers(0, 2, cast.parties)[cast.party]
    to = np.where(gate == 2, side, 2)
    goals = _across(gates, to, cast, rng)
    # round the corner, by a point on the diagonal of the middle
    right = np.where(gate == 2, side, gate) == 1
    off = np.minimum(cast.radius + rng.uniform(0.1, max(0.15, half - 0.3), len(cast)), half)
    turn = np.stack([np.where(right, half - off, off - half), off - half], axis=1)
    return _scene("t-junction", walls, starts, begins, stacked(turn, goals), cast)


def _straight(values: Mapping[str, float], rng: np.random.Generator, name: str, back: float) -> Scene:
    """A corridor along x."""
    half, width = values["corridor.length"] / 2, values["corridor.width"]
    gates = [Gate((-half, 0), (1, 0), width), Gate((half, 0), (-1, 0), width)]
    end = half + _BEHIND
    walls = lines([(-end, -width / 2), (end, -width / 2)], [(-end, width / 2), (end, width / 2)])
    cast = draw_cast(values, rng)
    starts, begins, gate = arrive(cast, gates, [1 - back, back], values["people.flow"], rng)
    ahead = mouth(starts, (0, 0), (0, 1), width, cast.radius)[:, 1]
    goals = np.stack([np.where(gate == 0, half + _BEYOND, -half - _BEYOND), ahead], axis=1)
    return _scene(name, walls, starts, begins, goals[:, None], cast)


def _across(gates: list[Gate], to: np.ndarray, cast: Cast, rng: np.random.Generator) -> Array:
    """Goals (n, 2) m behind the gates `to` (n,), anywhere along them; members of a party go to the same one."""
    where = rng.uniform(-1, 1, cast.parties)[cast.party]
    goals = np.empty((len(cast), 2))
    for k, gate in enumerate(gates):
        who = to == k
        free = np.maximum(gate.width / 2 - cast.radius[who] - 0.1, 0)
        goals[who] = gate.place(free * where[who], np.full(int(who.sum()), _BEYOND))
    return goals


def _scene(name: str, walls: Array, starts: Array, begins: Array, routes: Array, cast: Cast) -> Scene:
    """People who leave at their goals."""
    n = len(cast)
    return Scene(
        walls=walls, starts=starts, begins=begins, routes=routes, reach=np.full(n, _REACH), traits=cast.traits,
        groups=cast.groups, stays=np.zeros(n, dtype=bool), name=name, personalities=cast.personalities,
    )  # fmt: skip
