"""Convex polygons: how far they are from each other, and the one around points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simloop.errors import InputError
from simloop.parameters import Array

#: points, from which on Qhull is quicker
_MANY = 40
#: turns a vector whose parts are exchanged to the right
_RIGHT = np.array([1.0, -1.0])


def polygon_distance(a: Array, b: Array) -> float:
    """m between convex polygons (n, 2) and (m, 2), counter-clockwise; below 0, how far they would have to part."""
    axes = np.concatenate([normals(a), -normals(b)])
    gap = float(((b @ axes.T).min(axis=0) - (a @ axes.T).max(axis=0)).max())
    return gap if gap <= 0 else min(_corners_to_sides(a, b), _corners_to_sides(b, a))


def _corners_to_sides(points: Array, polygon: Array) -> float:
    """The least distance of points (n, 2) to the sides of a polygon (m, 2)."""
    side = sides(polygon)
    to = points[:, None] - polygon
    along = np.clip((to * side).sum(axis=2) / (side**2).sum(axis=1), 0, 1)
    return float(np.sqrt(((to - along[..., None] * side) ** 2).sum(axis=2).min()))


def sides(corners: Array) -> Array:
    """(n, 2) from each corner of a polygon (n, 2) to the next."""
    after = np.concatenate([corners[1:], corners[:1]])
    after -= corners
    return after


def normals(corners: Array) -> Array:
    """(n, 2) outward unit normals of a polygon's sides; side k starts at corner k."""
    side = sides(corners)
    out = side[:, ::-1] * _RIGHT
    return np.asarray(out / np.hypot(side[:, 0], side[:, 1])[:, None])


def convex_polygon(corners: ArrayLike, what: str) -> Array:
    """Corners (n, 2) checked: at least three, convex, counter-clockwise."""
    x = np.asarray(corners, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) < 3 or not np.isfinite(x).all():
        raise InputError(f"{what}: expected at least three corners (x, y) of finite numbers, got shape {x.shape}")
    side = sides(x)
    after = np.roll(side, -1, axis=0)
    turns = side[:, 0] * after[:, 1] - side[:, 1] * after[:, 0]
    if (turns <= 0).any() or _winding(side) != 1:
        raise InputError(
            f"{what}: its corners must go counter-clockwise around a convex polygon, none of them straight"
        )
    return x


def _winding(side: Array) -> int:
    """How often a closed way of these sides turns around."""
    heading = np.arctan2(side[:, 1], side[:, 0])
    turn = (np.diff(heading, append=heading[:1]) + np.pi) % (2 * np.pi) - np.pi
    return round(float(turn.sum()) / (2 * np.pi))


def footprint(points: Array) -> Array:
    """The convex hull (n, 2), counter-clockwise, of points (m, 2): Andrew's monotone chain.

    Corners that are nearly straight are left out. Of many points Qhull finds those that matter first.
    """
    if len(points) > _MANY:
        from scipy.spatial import ConvexHull

        points = points[ConvexHull(points).vertices]
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))].tolist()
    chains: list[list[list[float]]] = []
    for way in (ordered, ordered[::-1]):
        chain: list[list[float]] = []
        for p in way:
            while len(chain) > 1 and _left(chain[-2], chain[-1], p) <= 1e-12:
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _left(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
