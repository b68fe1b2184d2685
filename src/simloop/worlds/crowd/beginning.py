"""What is settled when a scene begins: that people stand apart, and who walks with whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.scene import Scene


def refuse_overlaps(scene: Scene) -> None:
    """Raise an InputError where two who are there from the beginning stand in one another."""
    at = np.flatnonzero(scene.begins <= 0)
    if len(at) < 2:
        return
    from scipy.spatial import cKDTree

    radius = scene.traits[at, TRAIT["radius"]]
    for a, b in cKDTree(scene.starts[at]).query_pairs(2 * float(radius.max()), output_type="ndarray"):
        gap = float(np.hypot(*(scene.starts[at[a]] - scene.starts[at[b]])) - radius[a] - radius[b])
        if gap < -1e-9:
            raise InputError(
                f"{scene.name}: people {at[a]} and {at[b]} begin {-gap:.2f} m inside one another; let one begin "
                "elsewhere or later"
            )


def next_of_group(groups: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """(n,) the next member of each one's group, round, counted from `first`; -1 for who walks alone."""
    out = np.full(len(groups), -1)
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero(groups == group)
        if len(members) > 1:
            out[members] = first + np.roll(members, -1)
    return out
