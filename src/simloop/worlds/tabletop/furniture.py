"""The room of the world `tabletop`: floor, table, wall, light and cameras. x points away from the robot, z up.

The middle of the table's top is above the origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simloop.frames import Category
from simloop.parameters import Array
from simloop.worlds.staged import CORNERS, Instance

if TYPE_CHECKING:
    import mujoco

#: s; of 2, 4, 5 and 8 ms the largest in which piles of 60 objects come to rest
TIME_STEP = 0.005
#: m, half the top's thickness, half a leg's, and how far the wall stands behind the table
_TOP, _LEG, _BEHIND = 0.015, 0.03, 0.05

SURFACES = tuple(Category(name, thing=False) for name in ("table", "floor", "wall"))
CAMERAS = ("front", "top", "wrist")


def room(v: Mapping[str, float]) -> mujoco.MjSpec:
    """The room without objects, under parameter values by name."""
    import mujoco

    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = TIME_STEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0  # things that lie on a slope do not creep
    option.iterations = 20
    spec.compiler.usethread = False
    shapes, world = mujoco.mjtGeom, spec.worldbody
    world.add_geom(name="floor", type=shapes.mjGEOM_PLANE, size=[4, 4, 0.1], rgba=[0.5, 0.47, 0.43, 1])
    for name, size, position in _table(v):
        geom = world.add_geom(name=name, type=shapes.mjGEOM_BOX, size=size, pos=position, rgba=[0.72, 0.58, 0.42, 1])
        rub(geom, v)
    if v["wall.there"]:
        world.add_geom(name="wall", type=shapes.mjGEOM_BOX, size=[0.02, 2.5, 1.25],
                       pos=[v["table.depth"] / 2 + _BEHIND + 0.02, 0, 1.25], rgba=[0.85, 0.85, 0.82, 1])  # fmt: skip
    _light(spec, v["table.height"])
    _look(spec, v)
    return spec


def rub(geom: mujoco.MjsGeom, v: Mapping[str, float]) -> None:
    """Give a geom the friction of all things, and contacts as hard as the time step allows."""
    geom.friction = [v["friction.sliding"], v["friction.torsional"], v["friction.rolling"]]
    geom.condim = 6
    geom.solref = [2 * TIME_STEP, 1]


def surfaces(v: Mapping[str, float]) -> tuple[Instance, ...]:
    """What of the room is labelled."""
    parts = _table(v)
    table = np.concatenate([CORNERS * size + position for _, size, position in parts])
    nowhere = np.zeros((0, 3))
    out = [
        Instance.around("table", "table", "world", tuple(name for name, *_ in parts), table),
        Instance("floor", "floor", "world", ("floor",), nowhere, np.zeros(3), np.zeros(3)),
    ]
    if v["wall.there"]:
        at = np.array([v["table.depth"] / 2 + _BEHIND + 0.02, 0, 1.25])
        out.append(Instance.around("wall", "wall", "world", ("wall",), CORNERS * [0.02, 2.5, 1.25] + at))
    return tuple(out)


def _table(v: Mapping[str, float]) -> list[tuple[str, Array, Array]]:
    """(name, half sides (3,), middle (3,)) of the table's boxes, m; the first is what things lie on."""
    x, y, height = v["table.depth"] / 2, v["table.width"] / 2, v["table.height"]
    if not v["table.legs"]:
        return [("table", np.array([x, y, height / 2]), np.array([0, 0, height / 2]))]
    length = height / 2 - _TOP
    legs = [(sx * (x - 0.05), sy * (y - 0.05)) for sx in (-1, 1) for sy in (-1, 1)]
    return [
        ("table", np.array([x, y, _TOP]), np.array([0, 0, height - _TOP])),
        *((f"leg{i}", np.array([_LEG, _LEG, length]), np.array([*at, length])) for i, at in enumerate(legs)),
    ]


def _light(spec: mujoco.MjSpec, height: float) -> None:
    import mujoco

    spec.visual.map.shadowscale = 0.4  # all of the shadow map is for the table, and shadows are as sharp as it allows
    spec.stat.extent, spec.stat.center = 1.0, [0, 0, height]
    spec.worldbody.add_light(name="lamp", pos=[-0.8, 1.2, 3], dir=[0.25, -0.4, -1], castshadow=True)
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.95, 0.96, 0.98], rgb2=[0.75, 0.8, 0.88], width=32, height=32,
    )  # fmt: skip


def _look(spec: mujoco.MjSpec, v: Mapping[str, float]) -> None:
    """`front` looks at the middle as a robot before the table does, `top` from above, `wrist` from a hand over it.

    The first two stand back as far as the area over which things are dropped asks for.
    """
    wide = 0.25 + float(np.hypot(v["table.depth"], v["table.width"])) * v["drop.area"] ** 0.5
    middle = np.array([0, 0, v["table.height"]])
    for name, back, fovy in (
        ("front", np.array([-0.65, 0.0, 0.55]) * wide, 50),
        ("top", np.array([-1e-3, 0.0, 1.1]) * wide, 45),
        ("wrist", np.array([-0.15, 0.0, 0.35]), 70),
    ):
        spec.worldbody.add_camera(name=name, pos=middle + back, quat=toward(back), fovy=fovy)


def toward(back: Sequence[float] | Array) -> Array:
    """(4,) quaternion of a MuJoCo camera that stands at `back` (3,) from what it looks at, its right side level."""
    import mujoco

    z = np.asarray(back) / np.linalg.norm(back)
    x = np.cross([0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.stack([x, np.cross(z, x), z], axis=1).reshape(-1))
    return quat
