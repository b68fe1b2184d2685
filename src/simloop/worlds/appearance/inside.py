"""Whether a point is inside an object: where a camera stands, it should not.

geom = solid_at(model, data, position, margin=0.01)      # the name of the geom, or None
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.canvas import shown

if TYPE_CHECKING:
    import mujoco


def solids_at(model: mujoco.MjModel, data: mujoco.MjData, point: Array, *, margin: float = 0.0) -> NDArray[np.int64]:
    """The numbers of the geoms that can be seen and that hold a point or come nearer to it than a margin.

    Planes hold what is below them. Meshes are tested as far as they are convex: a point in a hollow of one is outside.
    Height fields and signed distance fields are not tested.

    Args:
        model: the scene.
        data: its state, whose `mj_kinematics` is done.
        point: (3,) in the world, m.
        margin: m.
    """
    away = np.linalg.norm(data.geom_xpos - point, axis=1)
    plane = model.geom_rbound == 0
    near = (plane | (away <= model.geom_rbound + margin)) & shown(model)
    return np.array([g for g in np.flatnonzero(near) if _holds(model, data, int(g), point, margin)], dtype=np.int64)


def solid_at(model: mujoco.MjModel, data: mujoco.MjData, point: Array, *, margin: float = 0.0) -> str | None:
    """The name of the first geom that `solids_at` finds; None where the point is free."""
    found = solids_at(model, data, point, margin=margin)
    return called(model, int(found[0])) if len(found) else None


def called(model: mujoco.MjModel, geom: int) -> str:
    """What to call a geom: its own name, else its body's."""
    return model.geom(geom).name or f"a part of {model.body(model.geom_bodyid[geom]).name}"


def _holds(model: mujoco.MjModel, data: mujoco.MjData, geom: int, point: Array, margin: float) -> bool:
    """Whether one geom holds a point, or nearly."""
    import mujoco

    kinds = mujoco.mjtGeom
    p = data.geom_xmat[geom].reshape(3, 3).T @ (point - data.geom_xpos[geom])
    size = model.geom_size[geom]
    kind = model.geom_type[geom]
    if kind == kinds.mjGEOM_SPHERE:
        return bool(np.linalg.norm(p) <= size[0] + margin)
    if kind == kinds.mjGEOM_CAPSULE:
        return bool(np.linalg.norm(p - [0, 0, np.clip(p[2], -size[1], size[1])]) <= size[0] + margin)
    if kind == kinds.mjGEOM_CYLINDER:
        return bool(np.hypot(p[0], p[1]) <= size[0] + margin and abs(p[2]) <= size[1] + margin)
    if kind == kinds.mjGEOM_ELLIPSOID:
        return bool(((p / (size + margin)) ** 2).sum() <= 1)
    if kind == kinds.mjGEOM_BOX:
        return bool((np.abs(p) <= size + margin).all())
    if kind == kinds.mjGEOM_PLANE:
        half = np.where(size[:2] > 0, size[:2], np.inf)
        return bool(p[2] <= margin and (np.abs(p[:2]) <= half).all())
    if kind == kinds.mjGEOM_MESH:
        return _in_mesh(model, int(model.geom_dataid[geom]), p, margin)
    return False


def _in_mesh(model: mujoco.MjModel, mesh: int, p: Array, margin: float) -> bool:
    """Whether a point is behind all faces of a mesh, or nearly."""
    first, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    start = model.mesh_vertadr[mesh]
    vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh]].astype(np.float64)
    a, b, c = (vertices[model.mesh_face[first : first + count, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    real = length > 1e-14  # faces without an area say nothing
    height = ((p - a[real]) * normal[real]).sum(axis=1) / length[real]
    return bool((height <= margin).all())
