"""Things that lie about: they are seen and labelled, and touch nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.frames import Category
from simloop.parameters import Array
from simloop.worlds.appearance.space import CLUTTER
from simloop.worlds.canvas import shown
from simloop.worlds.staged import CORNERS, Instance

if TYPE_CHECKING:
    import mujoco

#: what they are labelled as: a mask, but nothing to count
CATEGORY = Category("clutter", thing=False)
_NAMES = tuple(f"clutter-{k}" for k in range(CLUTTER))
#: proposals for a place, and how far the ground may be from even, as a part of a thing's size
_PROPOSALS, _UNEVEN = 30, 0.05


def add_clutter(spec: mujoco.MjSpec) -> None:
    """Add the things, too small and too transparent to be seen.

    They are at the origin, where they change neither size nor middle of any scene around it.
    """
    import mujoco

    for name in _NAMES:
        thing = spec.worldbody.add_body(name=name)
        thing.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=[1e-6] * 3, contype=0, conaffinity=0, mass=0,
                       rgba=[0.5, 0.5, 0.5, 0])  # fmt: skip


class Clutter:
    """The things of a compiled scene: their shapes are the scene's, how many lie where is the look's.

    Args:
        model, data: the scene, in the state that it is first seen in.
        rng: decides the shapes.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        import mujoco

        self._model, self._data = model, data
        self._bodies = np.array([model.body(name).id for name in _NAMES])
        self.geoms = np.array([model.geom(name).id for name in _NAMES])
        mine = np.zeros(model.ngeom, dtype=bool)
        mine[self.geoms] = True
        self.mine: NDArray[np.bool_] = mine
        kinds = mujoco.mjtGeom
        size = _size_of_things(model, mine)
        for geom in self.geoms:
            a, b, c = size * rng.uniform(0.4, 1.2, 3)
            kind = (kinds.mjGEOM_BOX, kinds.mjGEOM_CYLINDER, kinds.mjGEOM_ELLIPSOID)[rng.integers(3)]
            model.geom_type[geom] = kind
            model.geom_size[geom] = (a, c, 0) if kind == kinds.mjGEOM_CYLINDER else (a, b, c)
            half = _half(model, geom)
            model.geom_rbound[geom] = np.linalg.norm(half)
            model.geom_aabb[geom] = (0, 0, 0, *half)
            volume = model.body_bvhadr[model.geom_bodyid[geom]]
            if volume >= 0:  # rays look there first
                model.bvh_aabb[volume] = (0, 0, 0, *half)
        self._default = {name: getattr(model, name)[self._bodies].copy() for name in ("body_pos", "body_quat")}

    @property
    def instances(self) -> tuple[Instance, ...]:
        """What a labeller needs of them; those that do not lie about have no pixels."""
        found = []
        for name, geom in zip(_NAMES, self.geoms, strict=True):
            half = _half(self._model, geom)
            found.append(Instance.around(name, CATEGORY.name, name, (name,), CORNERS * half))
        return tuple(found)

    def absent(self, lying: NDArray[np.bool_]) -> frozenset[str]:
        """The names of those that do not lie about, of which (ngeom,) says which do."""
        return frozenset(name for name, geom in zip(_NAMES, self.geoms, strict=True) if not lying[geom])

    def hide(self) -> None:
        """Make all of them transparent, so that neither cameras nor rays meet them."""
        self._model.geom_matid[self.geoms], self._model.geom_rgba[self.geoms] = -1, (0.5, 0.5, 0.5, 0)

    def show(self, lying: NDArray[np.bool_]) -> None:
        """Let those that lie about, (ngeom,), be seen in what they wear, else in a grey; hide the others."""
        bare = self.mine & lying & (self._model.geom_matid < 0)
        self._model.geom_rgba[bare] = (0.55, 0.5, 0.45, 1)
        gone = self.mine & ~lying
        self._model.geom_matid[gone], self._model.geom_rgba[gone] = -1, (0.5, 0.5, 0.5, 0)

    def apply(self, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Let so many lie about, while all are hidden; return (ngeom,) which geoms those are.

        The scene's state must be current.
        """
        model, lying = self._model, np.zeros(self._model.ngeom, dtype=bool)
        for name, value in self._default.items():
            getattr(model, name)[self._bodies] = value
        taken: list[tuple[Array, float]] = []
        for k in range(count):
            own = np.random.Generator(np.random.Philox(int(rng.integers(2**62))))  # the others' tries do not matter
            geom, body = self.geoms[k], self._bodies[k]
            half = _half(model, geom)
            place = self._place(half, taken, own)
            taken.append((place[:2], float(np.hypot(half[0], half[1]))))
            turn = own.uniform(0, 2 * np.pi)
            model.body_pos[body] = place
            model.body_quat[body] = (np.cos(turn / 2), 0, 0, np.sin(turn / 2))
            lying[geom] = True
        return lying

    def _place(self, half: Array, taken: list[tuple[Array, float]], rng: np.random.Generator) -> Array:
        """Where a thing of half sizes (3,) comes to lie: on what does not move, else somewhere in the air."""
        centre, extent = self._model.stat.center, float(self._model.stat.extent)
        radius = float(np.hypot(half[0], half[1]))
        for _ in range(_PROPOSALS):
            at = centre[:2] + 0.3 * extent * rng.standard_normal(2)
            if any(np.linalg.norm(at - other) < radius + r for other, r in taken):
                continue
            ground = self._ground(at, radius, _UNEVEN * float(half.min()))
            if ground is not None:
                return np.array([*at, ground + half[2]])
        eyes = self._data.cam_xpos
        for _ in range(_PROPOSALS):
            direction = rng.standard_normal(3)
            place = centre + rng.uniform(0.4, 0.8) * extent * direction / np.linalg.norm(direction)
            clear = 0.6 * np.linalg.norm(eyes - centre, axis=1)
            if (np.linalg.norm(eyes - place, axis=1) > clear).all():
                break
        return np.asarray(place)

    def _ground(self, at: Array, radius: float, uneven: float) -> float | None:
        """Height, m, of the level ground below a disc; None where there is none, or something lies on it."""
        import mujoco

        model = self._model
        top = float(model.stat.center[2] + 3 * model.stat.extent)
        around = np.arange(8) * np.pi / 4
        points = [at, *(at + radius * np.stack([np.cos(around), np.sin(around)], axis=1))]
        geom, heights = np.zeros(1, dtype=np.int32), []
        for x, y in points:
            far = mujoco.mj_ray(model, self._data, np.array([x, y, top]), np.array([0.0, 0.0, -1.0]),
                                np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8), 1, -1, geom, None)  # fmt: skip
            if far < 0 or model.body_weldid[model.geom_bodyid[geom[0]]] != 0:
                return None
            heights.append(top - far)
        return heights[0] if max(heights) - min(heights) <= uneven else None


def _half(model: mujoco.MjModel, geom: int) -> Array:
    """(3,) half sides of the box around a thing, m."""
    import mujoco

    size = model.geom_size[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return np.array([size[0], size[0], size[1]])
    return np.array(size)


def _size_of_things(model: mujoco.MjModel, mine: NDArray[np.bool_]) -> float:
    """m, half of what the scene's movable things usually measure."""
    seen = shown(model) & (model.geom_rbound > 0) & ~mine
    movable = seen & (model.body_weldid[model.geom_bodyid] != 0)
    sizes = model.geom_rbound[movable if movable.any() else seen]
    usual = float(np.median(sizes)) if len(sizes) else 0.0
    extent = float(model.stat.extent)
    return float(np.clip(usual / np.sqrt(3), 0.01 * extent, 0.1 * extent))
