"""Samples of people who walk together: which sample of one goes with which of another, so that few collide.

Person by person, each sample of a scene gets the one of the person's samples that are left which touches the fewest of
those who are in it already: only their order changes, so that whatever is said of one person alone, as the least
distance among samples, is the same. Two who still touch then step aside by half of what is missing each, for a second
or two: a few centimetres, for few of the paths.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.compiled import compiled

#: m, nearer than that counts as a touch: what scores collisions counts from 0.2 m on
ROOM = 0.22
#: how often everybody's order is made: at first of those before alone, then of all others
_SWEEPS = 3
#: how often those who touch step aside; steps for which, before and after the nearest approach
_ROUNDS, _ASIDE = 12, 2.0


def arranged(many: Array, last: Array, offsets: NDArray[np.int64]) -> Array:
    """The samples (n, K, T, 2), m, in an order in which few people of a scene touch, and who does moved aside.

    Args:
        many: of each person, in any order.
        last: (n, 2) m, where each is before the first step.
        offsets: (S + 1,) first person of each scene, and n.
    """
    paths = np.concatenate([np.broadcast_to(last[:, None, None], (*many.shape[:2], 1, 2)), many], axis=2)
    order = np.tile(np.arange(many.shape[1]), (len(many), 1))
    _arrange(np.ascontiguousarray(paths), offsets, ROOM, order)
    paths = np.ascontiguousarray(np.take_along_axis(paths, order[:, :, None, None], axis=1))
    _step_aside(paths, offsets, ROOM)
    return paths[:, :, 1:]


@compiled
def _arrange(paths, offsets, room, order):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write which of a person's samples stands in which of the scene's, (n, K)."""
    samples = paths.shape[1]
    used, taken = np.empty(samples, np.bool_), np.empty(samples, np.int64)
    for s in range(len(offsets) - 1):
        for sweep in range(_SWEEPS):
            for i in range(offsets[s], offsets[s + 1]):
                last = i if sweep == 0 else offsets[s + 1]  # at first only those who have an order already
                used[:] = False
                for k in range(samples):
                    best, fewest = -1, 1 << 30
                    for j in range(samples):
                        if used[j]:
                            continue
                        touched = 0
                        for o in range(offsets[s], last):
                            if o != i and _touch(paths[i, j], paths[o, order[o, k]], room):
                                touched += 1
                                if touched >= fewest:
                                    break
                        if touched < fewest:
                            best, fewest = j, touched
                            if touched == 0:
                                break
                    taken[k] = best
                    used[best] = True
                order[i] = taken


@compiled
def _step_aside(paths, offsets, room):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move people of a scene's sample who touch apart, in place; where each is before the first step stays."""
    for s in range(len(offsets) - 1):
        for k in range(paths.shape[1]):
            for _ in range(_ROUNDS):
                moved = False
                for i in range(offsets[s], offsets[s + 1]):
                    for o in range(offsets[s], i):
                        moved = _push_apart(paths[i, k], paths[o, k], room) or moved
                if not moved:
                    break


@compiled
def _push_apart(a, b, room):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move two who touch apart around when they are nearest, in place; whether they touched."""
    when, x, y = _nearest(a, b)
    apart = math.sqrt(x * x + y * y)
    if apart >= room:
        return False
    missing = room - apart
    if apart < 1e-6:
        x, y, apart, missing = 1.0, 0.0, 1.0, room
    for t in range(1, len(a)):
        by = 0.52 * missing * math.exp(-(((t - when) / _ASIDE) ** 2))
        a[t, 0] += by * x / apart
        a[t, 1] += by * y / apart
        b[t, 0] -= by * x / apart
        b[t, 1] -= by * y / apart
    return True


@compiled
def _touch(a, b, room):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two who walk straight between the places (T, 2) come nearer than `room` to each other."""
    _, x, y = _nearest(a, b)
    return x * x + y * y < room * room


@compiled
def _nearest(a, b):  # type: ignore[no-untyped-def]  # pragma: no cover
    """When two who walk straight between the places (T, 2) are nearest, in steps, and from b to a there, m."""
    when, least, nx, ny = 0.0, math.inf, 0.0, 0.0
    for t in range(len(a) - 1):
        px, py = a[t, 0] - b[t, 0], a[t, 1] - b[t, 1]
        ex, ey = a[t + 1, 0] - b[t + 1, 0] - px, a[t + 1, 1] - b[t + 1, 1] - py
        part = min(max(-(px * ex + py * ey) / max(ex * ex + ey * ey, 1e-12), 0.0), 1.0)
        x, y = px + part * ex, py + part * ey
        if x * x + y * y < least:
            when, least, nx, ny = t + part, x * x + y * y, x, y
    return when, nx, ny
