"""Shortest ways round obstacles: a graph of points that see one another, off the corners of walls.

    ways = Ways(walls, clearance=0.3)
    routes = ways.routes(starts, goals)                    # (n, K, 2) m: `Scene.routes`

A shortest way among obstacles turns at their corners alone (Lozano-Perez and Wesley, CACM 22(10), 1979). A body keeps
off walls, so the points stand around the ends of walls at `clearance`, as far as other walls let them. Dijkstra's
algorithm runs once for each goal that differs; all people of a scene share its result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.walking import visible, wall_distance2

_AROUND = 8  # points around each end of a wall
_OFF = 1.1  # of the clearance, that they stand off it: a way from one to the next keeps the clearance
#: m more than the clearance, within which a way passes the end of a wall by a point of its own: who is pushed off a
#: straight line there comes to stand behind the wall
_WIDE = 0.6


@compiled
def _sees(points, others, clear, walls, seen):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write to `seen` (n, m) whether a body of radius `clear` can walk straight from each point to each other."""
    for i in range(len(points)):
        for j in range(len(others)):
            seen[i, j] = visible(points[i, 0], points[i, 1], others[j, 0], others[j, 1], clear, walls, 0, len(walls))


@compiled
def _distances(points, walls, nearest):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write to `nearest` (n,) how far each point is from the nearest wall, m."""
    for i in range(len(points)):
        least = np.inf
        for m in range(len(walls)):
            least = min(least, wall_distance2(points[i, 0], points[i, 1], walls, m)[0])
        nearest[i] = np.sqrt(least)


def wall_distance(points: Array, walls: Array) -> Array:
    """How far points (n, 2) are from the nearest of walls (W, 4): (n,) m, infinite without walls."""
    nearest = np.empty(len(points))
    _distances(np.ascontiguousarray(points, dtype=float), np.ascontiguousarray(walls, dtype=float), nearest)
    return nearest


class Ways:
    """The ways that a body can take among walls.

    Args:
        walls: (W, 4) m, both ends of each.
        clearance: m, that ways keep from walls; a gap narrower than twice as much is closed.
    """

    def __init__(self, walls: Array, *, clearance: float) -> None:
        self.walls = np.ascontiguousarray(walls, dtype=float)
        self.clearance = clearance
        angle = 2 * np.pi * (np.arange(_AROUND) + 0.5) / _AROUND
        ring = _OFF * clearance * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        ends = np.unique(self.walls.reshape(-1, 2).round(9), axis=0)
        points = (ends[:, None] + ring).reshape(-1, 2)
        self.points = points[wall_distance(points, self.walls) >= clearance]
        seen = self.sees(self.points, self.points)
        self._far = np.where(seen, _apart(self.points, self.points), 0)

    def sees(self, points: Array, others: Array, *, clearance: float | None = None) -> NDArray[np.bool_]:
        """Whether a body can walk straight from points (n, 2) to others (m, 2): (n, m)."""
        seen = np.empty((len(points), len(others)), dtype=bool)
        clear = self.clearance if clearance is None else clearance
        _sees(
            np.ascontiguousarray(points, dtype=float),
            np.ascontiguousarray(others, dtype=float),
            clear,
            self.walls,
            seen,
        )
        return seen

    def routes(self, starts: Array, goals: Array, *, what: str = "a scene") -> Array:
        """The shortest ways from starts (n, 2) to goals (n, 2): corners to pass, then the goal, (n, K, 2) m, NaN after.

        An InputError names a goal that cannot be reached.

        Args:
            starts: m.
            goals: m.
            what: what the goals belong to, for the error.
        """
        ends, which = np.unique(goals, axis=0, return_inverse=True)
        which = which.reshape(-1)
        k, e = len(self.points), len(ends)
        graph = np.zeros((k + e, k + e))  # from a goal to points, and from a point to others: no way passes a goal
        graph[:k, :k] = self._far
        graph[k:, :k] = np.where(self._seen_by_bodies(ends, self.points), _apart(ends, self.points), 0)
        long, before = dijkstra(csr_array(graph), indices=np.arange(k, k + e), return_predecessors=True)
        first = np.where(self._seen_by_bodies(starts, self.points), _apart(starts, self.points), np.inf)
        chains: list[list[Array]] = []
        for i, to in enumerate(which):
            chains.append([ends[to]])
            if self.sees(starts[i : i + 1], ends[to : to + 1], clearance=self.clearance + _WIDE)[0, 0]:
                continue
            total = first[i] + long[to, :k]
            if not np.isfinite(total).any():
                if self._seen_by_bodies(starts[i : i + 1], ends[to : to + 1])[0, 0]:
                    continue
                raise InputError(
                    f"{what}: the goal ({ends[to, 0]:.4g}, {ends[to, 1]:.4g}) m of person {i} cannot be reached from"
                    f" ({starts[i, 0]:.4g}, {starts[i, 1]:.4g}) m by a body that needs {2 * self.clearance:.2g} m"
                    " between walls"
                )
            at, passed = int(total.argmin()), []
            while at < k:
                passed.append(self.points[at])
                at = int(before[to, at])
            chains[-1] = [*passed, ends[to]]
        routes = np.full((len(starts), max(map(len, chains), default=1), 2), np.nan)
        for i, chain in enumerate(chains):
            routes[i, : len(chain)] = chain
        return routes

    def _seen_by_bodies(self, points: Array, others: Array) -> NDArray[np.bool_]:
        """`sees` for points that may be nearer to a wall than the clearance: they count as far off as they are."""
        off = wall_distance(points, self.walls)
        tight = off < self.clearance
        seen = self.sees(points, others)
        for i in np.flatnonzero(tight):
            seen[i] = self.sees(points[i : i + 1], others, clearance=float(0.999 * off[i]))[0]
        return seen


def _apart(a: Array, b: Array) -> Array:
    """(n, m) m, distances between points."""
    return np.asarray(np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1]))
