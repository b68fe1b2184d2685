"""A staged scene: what stands before the cameras, how it moves, and what a labeller knows of each thing in it.

    staged = world.stage(row, number, seed, request)
    model = staged.spec.compile()
    data.qpos[:] = staged.qpos[step]        # then mj_kinematics, and photograph

A scene is a pure function of (row, number, seed, request): the same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simloop.frames import Camera
from simloop.parameters import Array

if TYPE_CHECKING:
    import mujoco

#: (8, 3) the corners of a box whose half sides are 1
CORNERS = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])).reshape(3, -1).T


@dataclass(frozen=True, eq=False)
class Instance:
    """One thing, or surface, that is labelled as one.

    Its axes are those of the body `body`: what is given here is in them, and its pose is that body's.

    Attributes:
        name: what the scene calls it; unique in the scene.
        category: name of one of the world's categories.
        body: name of the body that carries it; "world" for what never moves.
        geoms: names of all geoms that are seen as it, in the order in which they were added.
        vertices: (V, 3) m, points whose convex hull holds all that is seen of it, as tight as its shape allows.
        centre: (3,) m, middle of the box around it whose sides are along its axes.
        size: (3,) m, full sides of that box.
        keypoints: (K, 3) m, in the order of its category's keypoints.
    """

    name: str
    category: str
    body: str
    geoms: tuple[str, ...]
    vertices: Array
    centre: Array
    size: Array
    keypoints: Array = field(default_factory=lambda: np.zeros((0, 3)))

    @classmethod
    def around(
        cls,
        name: str,
        category: str,
        body: str,
        geoms: tuple[str, ...],
        vertices: Array,
        keypoints: Array | None = None,
    ) -> Instance:
        """An instance whose box is that of its vertices (V, 3)."""
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        points = np.zeros((0, 3)) if keypoints is None else keypoints
        return cls(name, category, body, geoms, vertices, (low + high) / 2, high - low, points)


@dataclass(frozen=True, eq=False)
class Staged:
    """A scene and its motion.

    Attributes:
        spec: the description, not yet compiled, with names for all geoms of the instances; nobody else holds it, so it
            may be changed.
        qpos: (T, nq) the state at each step of the sequence, in the order of the compiled model's joints; what has no
            joint does not move.
        instances: what is labelled, things and surfaces.
        write: writes into the compiled model what the description cannot say: the values of parameters.
        fisheyes: by the names of cameras that are fisheyes, how they form their images; where they stand, the
            description says.
        kept: names of geoms whose colours no look changes: paint on a road.
    """

    spec: mujoco.MjSpec
    qpos: Array
    instances: tuple[Instance, ...]
    write: Callable[[mujoco.MjModel], None] = lambda model: None
    fisheyes: Mapping[str, Camera] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.qpos)
