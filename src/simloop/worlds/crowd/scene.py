"""Scenes of world `crowd`: walls, and people with a place to begin at and places to go to.

    scene = Scene(walls=corridor, starts=starts, begins=np.zeros(n), routes=goals[:, None], ...)
    simulate([scene], seconds=30.0, seed=7)

A scene is arrays, and says everything that decides a simulation beside the model of walking and the seed: whoever
makes scenes (`scenarios/`, maps, recordings) knows nothing of models, and models nothing of who made them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAITS


@dataclass(frozen=True, eq=False)
class Scene:
    """Who walks where, among what.

    Attributes:
        walls: (W, 4) m, x and y of both ends of line segments that nobody passes; an obstacle is its edges.
        starts: (n, 2) m.
        begins: (n,) s, when each enters; who finds the place taken waits outside until it is free.
        routes: (n, K, 2) m, places to walk to one after another, the last is the goal; unused ones after it are NaN.
        reach: (n,) m, how near a place counts as reached.
        traits: (n, len(TRAITS)) what people are like (`channels.TRAITS`).
        groups: (n,) who walks together; -1: alone.
        stays: (n,) who stays at the goal; the others leave the scene there.
        name: what the scene is called.
        marks: (M, 4) m, lines that are only drawn, such as the edges of a street.
        personalities: (n,) what each person is, places in `personality.PERSONALITIES`; -1: nothing special. A label:
            the traits have it already. None: not known.
    """

    walls: Array
    starts: Array
    begins: Array
    routes: Array
    reach: Array
    traits: Array
    groups: NDArray[np.int64]
    stays: NDArray[np.bool_]
    name: str = "scene"
    marks: Array = field(default_factory=lambda: np.zeros((0, 4)))
    personalities: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n = len(self.starts)
        shapes = {
            "walls": (len(self.walls), 4), "starts": (n, 2), "begins": (n,), "reach": (n,),
            "routes": (n, self.routes.shape[1] if self.routes.ndim == 3 else 1, 2),
            "traits": (n, len(TRAITS)), "groups": (n,), "stays": (n,),
        }  # fmt: skip
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(f"{self.name}: {name} of a scene with {n} people must have shape {shape}, got {found}")

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def goals(self) -> Array:
        """(n, 2) m, the last place of each route."""
        known = np.isfinite(self.routes[:, :, 0]).sum(axis=1)
        return self.routes[np.arange(len(self)), np.maximum(known - 1, 0)]
