"""Walls of world `crowd` as segments: chains of points, and round things."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simloop.parameters import Array


def lines(*chains: ArrayLike) -> Array:
    """Segments (W, 4) m of chains of points (k, 2) m."""
    parts = [np.asarray(c, dtype=float) for c in chains]
    return np.concatenate([np.zeros((0, 4)), *(np.concatenate([p[:-1], p[1:]], axis=1) for p in parts)])


def ring(middle: tuple[float, float], radius: float, corners: int, turn: float = 0.0) -> Array:
    """The corners (corners + 1, 2) m of a regular polygon, closed."""
    angle = turn + np.linspace(0, 2 * np.pi, corners + 1)
    points: Array = np.asarray(middle) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[-1] = points[0]
    return points
