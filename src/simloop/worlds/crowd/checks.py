"""What makes a scene one that can be walked: numbers that are numbers, and places where a body can be.

    check_scene(scene)            # one InputError says who, where, and what is wrong

That people begin apart is checked where they begin (`engine`); that goals can be reached, where ways are found
(`navigation`).
"""

from __future__ import annotations

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT, TRAITS
from simloop.worlds.crowd.navigation import wall_distance
from simloop.worlds.crowd.scene import Scene

_ON = 1e-6  # m, within which a point is on a wall


def check_scene(scene: Scene) -> None:
    """Raise an InputError where a scene cannot be walked."""
    if not len(scene):
        return
    _finite(scene, "start", scene.starts)
    _finite(scene, "first place to walk to", scene.routes[:, 0])
    _finite(scene, "time of entering", scene.begins[:, None])
    for k in np.argwhere(~np.isfinite(scene.traits)):
        raise InputError(f"{scene.name}: the {TRAITS[k[1]]} of person {k[0]} is not a finite number")
    if not np.isfinite(scene.walls).all():
        raise InputError(f"{scene.name}: wall {np.argwhere(~np.isfinite(scene.walls))[0, 0]} is not of finite numbers")
    radius = scene.traits[:, TRAIT["radius"]]
    for name, least in (("radius", 1e-3), ("horizon", 1e-3), ("sight", 1e-3), ("speed", 0.0)):
        column = scene.traits[:, TRAIT[name]]
        for i in np.flatnonzero(column < least):
            raise InputError(f"{scene.name}: the {name} of person {i} must be at least {least:g}, got {column[i]:g}")
    for what, places, room in (
        ("begins", scene.starts, np.full(len(scene), _ON)),
        ("has the goal", scene.goals, np.maximum(radius - scene.reach, _ON)),
    ):
        off = wall_distance(places, scene.walls)
        for i in np.flatnonzero(off < room):
            x, y = places[i]
            raise InputError(
                f"{scene.name}: person {i} {what} in a wall: ({x:.4g}, {y:.4g}) m is {off[i]:.2g} m from one, and a"
                f" body of {radius[i]:.2g} m radius has to come there"
            )


def _finite(scene: Scene, what: str, values: Array) -> None:
    """Every person's values (n, k) must be finite."""
    for i in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        raise InputError(f"{scene.name}: the {what} of person {i} is not a finite number")
