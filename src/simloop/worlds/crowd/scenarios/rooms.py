"""Rooms that everyone leaves: by a narrow passage, or by the nearest of several exits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.outlines import lines
from simloop.worlds.crowd.scenarios.cast import draw_cast, spread
from simloop.worlds.crowd.scenarios.ways import mouth, stacked
from simloop.worlds.crowd.scene import Scene

_BEYOND = 2.0  # m, from an exit to the goals, so that nobody stops in it
_REACH = 0.6  # m


def make_bottleneck(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """A room whose people leave by one passage, at x from 0 to `bottleneck.length`, all at once.

    As in the experiments of Seyfried et al. (Transportation Science 43(3), 2009): a crowd waits before the passage,
    and its flow is what is measured.
    """
    size, width, length = values["room.size"], values["bottleneck.width"], values["bottleneck.length"]
    cast = draw_cast(values, rng)
    pitch = cast.pitch
    size = max(size, width + 2 * pitch, float(np.sqrt(len(cast))) * pitch * 1.15)
    half, gap = size / 2, width / 2
    starts = spread(cast, (-size, -half), (size - 0.5, size), rng)
    walls = lines([(length, gap), (0, gap), (0, half), (-size, half), (-size, -half), (0, -half), (0, -gap),
                   (length, -gap)])  # fmt: skip
    enter = mouth(starts, (0, 0), (0, 1), width, cast.radius)
    leave = enter + np.array([length, 0])
    # some way on, people spread out: nobody has to come back to a goal
    goals = leave + np.stack([np.full(len(cast), _BEYOND), leave[:, 1]], axis=1)
    n = len(cast)
    return Scene(
        walls=walls, starts=starts, begins=np.zeros(n), routes=stacked(enter, leave, goals), reach=np.full(n, _REACH),
        traits=cast.traits, groups=cast.groups, stays=np.zeros(n, dtype=bool), name="bottleneck",
        personalities=cast.personalities,
    )  # fmt: skip


def make_room(values: Mapping[str, float], rng: np.random.Generator) -> Scene:
    """A square room with exits in its sides, one after another; groups leave by the exit nearest to their first."""
    size, width, exits = values["room.size"], values["exits.width"], int(values["exits.count"])
    cast = draw_cast(values, rng)
    n, pitch = len(cast), cast.pitch
    per_side = -(-exits // 4)
    size = max(size, per_side * (width + 0.5) + 0.5, float(np.sqrt(n)) * pitch * 1.15)
    half = size / 2
    starts = spread(cast, (-half, -half), (size, size), rng)
    doors = [(k % 4, (k // 4 + 1) / (sum(j % 4 == k % 4 for j in range(exits)) + 1)) for k in range(exits)]
    turn = [np.array([(np.cos(a), -np.sin(a)), (np.sin(a), np.cos(a))]) for a in np.arange(4) * np.pi / 2]
    middles = np.array([turn[side] @ (half, size * (at - 0.5)) for side, at in doors])
    first = np.searchsorted(cast.party, np.arange(cast.parties))
    nearest = np.hypot(*(starts[first][:, None] - middles).transpose(2, 0, 1)).argmin(axis=1)[cast.party]
    enter, goals = np.empty((n, 2)), np.empty((n, 2))
    for k, (side, _) in enumerate(doors):
        who: NDArray[np.bool_] = nearest == k
        outward, along = turn[side] @ (1, 0), turn[side] @ (0, 1)
        enter[who] = mouth(starts[who], middles[k], along, width, cast.radius[who])
        goals[who] = enter[who] + _BEYOND * outward
    return Scene(
        walls=_sides(half, doors, turn, width), starts=starts, begins=np.zeros(n), routes=stacked(enter, goals),
        reach=np.full(n, _REACH), traits=cast.traits, groups=cast.groups, stays=np.zeros(n, dtype=bool), name="room",
        personalities=cast.personalities,
    )  # fmt: skip


def _sides(half: float, doors: list[tuple[int, float]], turn: list[Array], width: float) -> Array:
    """Walls (W, 4) m of a square room of half a side `half`, open at doors (side, part of the side)."""
    chains = []
    for side in range(4):
        at = -half
        for middle in sorted(2 * half * (part - 0.5) for k, part in doors if k == side):
            chains.append([turn[side] @ (half, at), turn[side] @ (half, middle - width / 2)])
            at = middle + width / 2
        chains.append([turn[side] @ (half, at), turn[side] @ (half, half)])
    return lines(*chains)
