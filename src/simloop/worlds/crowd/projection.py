"""Moves people so that no body passes a wall and, where the model promises it, none overlaps another.

First bodies that would overlap are pushed apart and out of walls, again and again (position-based: Mueller et al.,
"Position based dynamics", 2007; for crowds Weiss et al., 2019). Who then still overlaps or stands in a wall takes half
of the step, then a quarter, then none. As the places before the step were free, and whoever goes back frees the place
that he took, this ends, and at its end nothing overlaps: by construction, not by luck.
"""

from __future__ import annotations

import math

import numpy as np

from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.walking import crossed, wall_distance2

#: how often bodies are pushed apart before steps are shortened
ROUNDS = 12
#: m, how much farther than touching they are pushed, and how far a push may carry
SLACK, FARTHEST = 1e-4, 0.1


@compiled
def close_pairs(s, offsets, position, active, traits, travel, frame, shape, begins, order, sorted_):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(P, 2) people of scene s whose bodies can touch if each moves `travel` m at most; the lower number first."""
    lo, hi = offsets[s], offsets[s + 1]
    pairs = np.empty((4 * (hi - lo) + 16, 2), np.int64)
    n = 0
    widest = 0.0
    for i in range(lo, hi):
        if active[i]:
            widest = max(widest, traits[i, 1])
    base, columns, rows = 4 * lo + 16 * s, shape[s, 0], shape[s, 1]
    left, low, per_m = frame[s, 0], frame[s, 1], (1.0 + 1e-12) / frame[s, 2]
    for i in range(lo, hi):
        if not active[i]:
            continue
        x, y = position[i, 0], position[i, 1]
        reach = traits[i, 1] + widest + 2.0 * travel
        x0, x1 = int(max((x - left - reach) * per_m - 1e-9, 0.0)), int(min((x - left + reach) * per_m, columns - 1.0))
        y0, y1 = int(max((y - low - reach) * per_m - 1e-9, 0.0)), int(min((y - low + reach) * per_m, rows - 1.0))
        for row in range(y0, y1 + 1):
            for at in range(begins[base + row * columns + x0], begins[base + row * columns + x1 + 1]):
                dx, dy = sorted_[at, 0] - x, sorted_[at, 1] - y
                d2 = dx * dx + dy * dy
                if d2 >= reach * reach:
                    continue
                j = order[at]
                limit = traits[i, 1] + traits[j, 1] + 2.0 * travel
                if j > i and d2 < limit * limit:
                    if n == len(pairs):
                        pairs = _doubled(pairs)
                    pairs[n, 0], pairs[n, 1] = i, j
                    n += 1
    return pairs[:n]


@compiled
def _doubled(pairs):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The pairs with room for as many again."""
    more = np.empty((2 * len(pairs), 2), np.int64)
    more[: len(pairs)] = pairs
    return more


@compiled
def _near_walls(lo, hi, position, active, clear, travel, walls, begin, n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(P, 2) people and walls that they can touch if they move `travel` m at most."""
    pairs = np.empty((hi - lo + 16, 2), np.int64)
    found = 0
    for i in range(lo, hi):
        if not active[i]:
            continue
        reach = clear[i] + travel
        x, y = position[i, 0], position[i, 1]
        for m in range(begin, begin + n):
            if min(walls[m, 0], walls[m, 2]) - reach > x or max(walls[m, 0], walls[m, 2]) + reach < x:
                continue
            if min(walls[m, 1], walls[m, 3]) - reach > y or max(walls[m, 1], walls[m, 3]) + reach < y:
                continue
            d2, _, _ = wall_distance2(x, y, walls, m)
            if d2 <= reach * reach:
                if found == len(pairs):
                    pairs = _doubled(pairs)
                pairs[found, 0], pairs[found, 1] = i, m
                found += 1
    return pairs[:found]


@compiled
def _push_apart(pairs, traits, unseen, goal):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Push overlapping bodies apart by half of the overlap each, one pair after another; whether any was."""
    any_pushed = False
    for k in range(len(pairs)):
        i, j = pairs[k, 0], pairs[k, 1]
        if unseen[i] or unseen[j]:
            continue
        dx, dy = goal[j, 0] - goal[i, 0], goal[j, 1] - goal[i, 1]
        touching = traits[i, 1] + traits[j, 1]
        d2 = dx * dx + dy * dy
        if d2 < touching * touching:
            any_pushed = True
            d = math.sqrt(d2)
            if d < 1e-12:
                dx, dy, d = 1.0, 0.0, 1.0
                by = 0.5 * (touching + SLACK)
            else:
                by = 0.5 * (touching + SLACK - d)
            goal[i, 0] -= by * dx / d
            goal[i, 1] -= by * dy / d
            goal[j, 0] += by * dx / d
            goal[j, 1] += by * dy / d
    return any_pushed


@compiled
def _push_out(walls_near, clear, walls, position, goal):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Push bodies out of walls to the side that they came from; whether any was."""
    any_pushed = False
    for k in range(len(walls_near)):
        i, m = walls_near[k, 0], walls_near[k, 1]
        d2, px, py = wall_distance2(goal[i, 0], goal[i, 1], walls, m)
        through = crossed(position[i, 0], position[i, 1], goal[i, 0], goal[i, 1], walls, m)
        if not through and d2 >= clear[i] * clear[i]:
            continue
        any_pushed = True
        nx, ny = goal[i, 0] - px, goal[i, 1] - py
        d = math.sqrt(d2)
        if through or d < 1e-9:
            ex, ey = walls[m, 2] - walls[m, 0], walls[m, 3] - walls[m, 1]
            nx, ny, d = -ey, ex, max(math.hypot(ex, ey), 1e-12)
            if nx * (position[i, 0] - px) + ny * (position[i, 1] - py) < 0.0:
                nx, ny = -nx, -ny
        goal[i, 0] = px + (clear[i] + SLACK) * nx / d
        goal[i, 1] = py + (clear[i] + SLACK) * ny / d
    return any_pushed


@compiled
def _shorten(pairs, walls_near, apart, traits, unseen, clear, walls, position, goal, whole, part):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Shorten the steps of who overlaps or stands in a wall, until none does.

    whole: (N, 2) m, where each would go; part: (N,) how much of the way there is gone; goal: where each then is.
    """
    again = True
    while again:
        again = False
        for k in range(len(walls_near)):
            i, m = walls_near[k, 0], walls_near[k, 1]
            if part[i] > 0.0:
                d2, _, _ = wall_distance2(goal[i, 0], goal[i, 1], walls, m)
                cross = crossed(position[i, 0], position[i, 1], goal[i, 0], goal[i, 1], walls, m)
                if cross or d2 < clear[i] * clear[i]:
                    _go_back(i, position, whole, part, goal)
                    again = True
        if not apart:
            continue
        for k in range(len(pairs)):
            i, j = pairs[k, 0], pairs[k, 1]
            if (part[i] == 0.0 and part[j] == 0.0) or unseen[i] or unseen[j]:
                continue
            touching = traits[i, 1] + traits[j, 1]
            if (goal[i, 0] - goal[j, 0]) ** 2 + (goal[i, 1] - goal[j, 1]) ** 2 < touching * touching:
                _go_back(i, position, whole, part, goal)
                _go_back(j, position, whole, part, goal)
                again = True


@compiled
def _go_back(i, position, whole, part, goal):  # type: ignore[no-untyped-def]  # pragma: no cover
    part[i] = 0.5 * part[i] if part[i] > 0.3 else 0.0
    if part[i] == 0.0:  # exactly where it was, not nearly
        goal[i, 0], goal[i, 1] = position[i, 0], position[i, 1]
    else:
        goal[i, 0] = position[i, 0] + part[i] * (whole[i, 0] - position[i, 0])
        goal[i, 1] = position[i, 1] + part[i] * (whole[i, 1] - position[i, 1])


@compiled
def move(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, apart, counting, offsets, position, velocity, chosen, active, unseen, traits, clear, walls,
    wall_begins, wall_counts, frame, shape, begins, order, sorted_, goal, whole, part, overlaps, deepest,
):  # fmt: skip
    """Move everybody in scenes first..last by the chosen velocities, out of walls and, if `apart`, from each other.

    The velocity is that which a body then had; overlaps that remain are counted if `counting`.
    """
    for s in range(first, last):
        lo, hi = offsets[s], offsets[s + 1]
        if shape[s, 2] == 0:
            continue
        fastest = 0.0
        for i in range(lo, hi):
            if active[i]:
                fastest = max(fastest, chosen[i, 0] ** 2 + chosen[i, 1] ** 2)
                goal[i, 0] = position[i, 0] + dt * chosen[i, 0]
                goal[i, 1] = position[i, 1] + dt * chosen[i, 1]
                part[i] = 1.0
        travel = dt * math.sqrt(fastest) + FARTHEST
        pairs = close_pairs(s, offsets, position, active, traits, travel, frame, shape, begins, order, sorted_)
        near = _near_walls(lo, hi, position, active, clear, travel, walls, wall_begins[s], wall_counts[s])
        pushed = False
        for _ in range(ROUNDS):
            again = apart and _push_apart(pairs, traits, unseen, goal)
            again = _push_out(near, clear, walls, position, goal) or again
            if not again:
                break
            pushed = True
        if pushed:
            for i in range(lo, hi):
                if active[i]:
                    dx, dy = goal[i, 0] - position[i, 0], goal[i, 1] - position[i, 1]
                    far = math.sqrt(dx * dx + dy * dy) / travel
                    if far > 1.0 - 1e-9:  # farther than the pairs hold
                        goal[i, 0] = position[i, 0] + dx / far * (1.0 - 1e-9)
                        goal[i, 1] = position[i, 1] + dy / far * (1.0 - 1e-9)
                    whole[i, 0], whole[i, 1] = goal[i, 0], goal[i, 1]
            _shorten(pairs, near, apart, traits, unseen, clear, walls, position, goal, whole, part)
        for i in range(lo, hi):
            if active[i]:
                for k in range(2):
                    if pushed and goal[i, k] != position[i, k] + dt * chosen[i, k]:
                        velocity[i, k] = (goal[i, k] - position[i, k]) / dt
                    else:
                        velocity[i, k] = chosen[i, k]
                    position[i, k] = goal[i, k]
        for k in range(len(pairs) if counting else 0):
            i, j = pairs[k, 0], pairs[k, 1]
            depth = traits[i, 1] + traits[j, 1] - math.hypot(goal[i, 0] - goal[j, 0], goal[i, 1] - goal[j, 1])
            if depth > 1e-9:
                overlaps[s] += 1
                deepest[s] = max(deepest[s], depth)
