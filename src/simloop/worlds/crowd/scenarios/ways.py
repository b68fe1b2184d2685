"""Ways through openings: the pieces that routes are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simloop.parameters import Array
from simloop.worlds.crowd.scenarios.cast import ROOM


def stacked(*places: Array) -> Array:
    """Routes (n, K, 2) m by way of places (n, 2) m."""
    return np.stack(places, axis=1)


def mouth(starts: Array, middle: ArrayLike, along: ArrayLike, width: float, radius: Array) -> Array:
    """Where (n, 2) m each person passes an opening: as straight ahead as bodies and `ROOM` allow.

    Args:
        starts: (n, 2) m, where they come from.
        middle: (2,) m, of the opening.
        along: (2,) unit vector from one of its sides to the other.
        width: m, of the opening.
        radius: (n,) m, of bodies.
    """
    centre, unit = np.asarray(middle, dtype=float), np.asarray(along, dtype=float)
    free = np.maximum(width / 2 - radius - ROOM, 0)
    return centre + np.clip((starts - centre) @ unit, -free, free)[:, None] * unit
