"""How a physics world that says nothing itself is put before its cameras: its bodies as objects, in motion.

Each body that is seen is an instance, and its name is its category; what belongs to no body is a surface. The motion is
a piece of what stand-ins do: from the world's own starts, under its own excitation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simloop.frames import Category, Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import columns
from simloop.worlds.canvas import shown
from simloop.worlds.staged import CORNERS, Instance, Staged
from simloop.worlds.world import Segments

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.physics import PhysicsWorld

#: s, a sequence begins at a random time up to this after the motion's start; a toss's within what it lasts
_BEGINS = 2.0
#: corners of a round shape along each angle
_ROUND = 24
_WORLD = "world"


def stage(world: PhysicsWorld, row: Array, number: int, seed: int, request: Request) -> Staged:
    """Scene `number` of a world: its bodies, and a piece of its motion."""
    spec = named(world.scene())
    return Staged(
        spec=spec,
        qpos=motion(world, row, request, stream(seed, "frames", "motion", number)),
        instances=bodies(spec),
        write=lambda model: world.write_model(model, row),
    )


def motion(world: PhysicsWorld, row: Array, request: Request, rng: np.random.Generator) -> Array:
    """(T, nq) a piece of the world's motion, a row for each frame; where it diverges it stands still at its start."""
    dt = world.control_dt
    first = rng.uniform(0, world.horizons[-1] if world.whole and not len(world.actions) else _BEGINS)
    at = np.round((first + np.arange(request.length) / request.rate) / dt).astype(np.int64)
    positions, rates = world.starts(1, rng)
    actions = world.excitation((at[-1] + 2) * dt, rng)
    start = world.state(positions, rates)
    zero = np.zeros(1, dtype=np.int64)
    segments = Segments(start, actions[None], zero, zero, steps=int(min(at[-1] + 1, len(actions) - 1)))
    values = world.simulate(row[None], segments).values
    measured = [at for c, at in zip(world.channels, columns(world.channels), strict=True) if not c.rate_of]
    seen = np.concatenate([values[:, c] for c in measured], axis=1)
    moved = world.state(seen, np.zeros((len(seen), rates.shape[1])))
    whole = np.concatenate([start, moved])[:, : world.model.nq]
    whole[~np.isfinite(whole).all(axis=1)] = whole[0]
    return whole[np.minimum(at, len(whole) - 1)]


def named(spec: mujoco.MjSpec) -> mujoco.MjSpec:
    """The description with a name for each geom and body, and a camera."""
    for kind, elements in (("geom", spec.geoms), ("body", spec.bodies)):
        taken = {e.name for e in elements}
        free = (n for n in (f"{kind}.{k}" for k in range(2 * len(elements) + 1)) if n not in taken)
        for element in elements:
            if not element.name:
                element.name = next(free)
    if not len(spec.cameras):
        from simloop.worlds.physics import show_from

        model = spec.copy().compile()
        show_from(spec, model.stat.center, 1.5 * float(model.stat.extent))
    return spec


def categories(spec: mujoco.MjSpec) -> tuple[Category, ...]:
    """The bodies that are seen as things, and the surfaces, in the order of the instances; a thing has an end."""
    return tuple(Category(i.category, thing=i.body != _WORLD and len(i.vertices) > 0) for i in bodies(spec))


def bodies(spec: mujoco.MjSpec) -> tuple[Instance, ...]:
    """An instance for each body of a named description that is seen, and one for each geom of the world itself."""
    model = spec.copy().compile()
    out, drawn = [], shown(model)
    for body in range(model.nbody):
        seen = list(np.flatnonzero((model.geom_bodyid == body) & drawn))
        name = model.body(body).name
        if body == 0:
            out += [_instance(model, model.geom(g).name, _WORLD, [g]) for g in seen]
        elif seen:
            out.append(_instance(model, name, name, seen))
    return tuple(out)


def _instance(model: mujoco.MjModel, name: str, body: str, geoms: list[Any]) -> Instance:
    vertices = np.concatenate([vertices_of(model, int(g)) for g in geoms])
    names = tuple(model.geom(g).name for g in geoms)
    if not len(vertices):  # a plane has no end
        return Instance(name, name, body, names, vertices, np.zeros(3), np.zeros(3))
    return Instance.around(name, name, body, names, vertices)


def vertices_of(model: mujoco.MjModel, geom: int) -> Array:
    """(V, 3) m, points whose hull holds a geom, in its body's axes; none for a plane, which has no end.

    Round shapes are given by points on their surface: their hull is inside them by at most a hundredth of the radius.
    """
    import mujoco

    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    shapes = mujoco.mjtGeom
    if kind == shapes.mjGEOM_PLANE:
        return np.zeros((0, 3))
    if kind == shapes.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first = model.mesh_vertadr[mesh]
        local = model.mesh_vert[first : first + model.mesh_vertnum[mesh]].astype(float)
    elif kind == shapes.mjGEOM_HFIELD:
        x, y, top, bottom = model.hfield_size[model.geom_dataid[geom]]
        local = CORNERS * [x, y, (top + bottom) / 2] + [0, 0, (top - bottom) / 2]
    elif kind == shapes.mjGEOM_BOX:
        local = CORNERS * size
    elif kind == shapes.mjGEOM_CYLINDER:
        ring = _ring(size[0])
        local = np.concatenate([ring + np.array([0, 0, size[1]]), ring - [0, 0, size[1]]])
    elif kind == shapes.mjGEOM_CAPSULE:
        ball = _ball() * size[0]
        local = np.concatenate([ball + np.array([0, 0, size[1]]), ball - [0, 0, size[1]]])
    else:
        local = _ball() * (size[[0, 0, 0]] if kind == shapes.mjGEOM_SPHERE else size)
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    return np.asarray(local @ rotation.reshape(3, 3).T + model.geom_pos[geom])


def _ring(radius: float) -> Array:
    angle = np.arange(_ROUND) * 2 * np.pi / _ROUND
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(_ROUND)], axis=1)


def _ball() -> Array:
    """Points on the unit ball."""
    up = np.linspace(-np.pi / 2, np.pi / 2, _ROUND // 2 + 1)
    ring = _ring(1.0)
    return np.concatenate([ring * [np.cos(u), np.cos(u), 0] + [0, 0, np.sin(u)] for u in up])
