"""Scenes of world `drive` as MuJoCo draws them: the same road, lines and things, by another renderer.

    spec = describe(scene, camera)
    model = spec.compile()
    data.qpos[:] = state(scene, movers(scene), place, time)

Road, lines and kerbs are flat ribbons of triangles over a plane that reaches farther than a camera sees. They lie a
little over each other, so that which is seen is no matter of rounding: by less than a hundredth of a camera's height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.frames import Camera
from simloop.parameters import Array
from simloop.worlds.drive.parameters import CENTRES, EDGES
from simloop.worlds.drive.road import Road, limits
from simloop.worlds.drive.scene import SHAPES, SHOULDER, Scene

if TYPE_CHECKING:
    import mujoco

#: what carries the camera, and the camera
EGO, CAMERA = "ego", "front"
#: m, heights of the ground, the road, lines and kerbs, which lie over tape
GROUND, ROAD, LINE, KERB = -0.008, 0.0, 0.003, 0.005
#: m, how far an open road goes on straight beyond its ends
_BEYOND = 4.0
#: m, length of a piece of a kerb of one colour, and its width; widths of tape beside a line's, in the middle and at
#: the sides: as the fast renderer paints them
_PIECE, _KERB, _CENTRE_TAPE, _EDGE_TAPE = 1.2, 0.5, 1.6, 1.8
#: sides of a round shape, and how wide the tip of a cone is beside its foot
_ROUND, _TIP = 16, 0.25
#: m, what a camera does not see because it is too near or too far; what lights and haze take for the scene's size
_NEAR, _FAR, _SIZE = 0.1, 400.0, 12.0
#: m, side of a piece of the ground as it is drawn; an endless plane has many pieces, which took most of the time
_GRID = 100.0
#: m of a ribbon on which a pattern repeats
_REPEAT = 4.0
_COLOURS = {
    "ground": (0.35, 0.47, 0.31), "road": (0.46, 0.46, 0.46), "edge": (0.9, 0.9, 0.9), "centre": (0.9, 0.82, 0.4),
    "kerb-0": (0.85, 0.52, 0.52), "kerb-1": (0.85, 0.88, 0.88),
}  # fmt: skip


@dataclass(frozen=True)
class Strip:
    """Part of a surface along the road: from `right` to `left` m beside its middle, where `spans` say it is.

    Attributes:
        right, left: m to the left of the middle.
        spans: (k, 2) m along the road, from and to.
    """

    right: float
    left: float
    spans: Array


def strips(scene: Scene) -> dict[str, list[Strip]]:
    """The surfaces that are painted along the road, by name; those that are not there are left out."""
    road, half, width = scene.road, scene.road.half_width, scene.line_width
    end = 0.0 if road.closed else _BEYOND
    all_along = np.array([[-end, road.length + end]])
    dashes = _repeated(all_along, scene.dash, scene.dash + scene.gap)
    centre, edge = CENTRES[scene.centre], EDGES[scene.edge]
    wide = width * (_CENTRE_TAPE if centre == "tape" else 1)
    middles = {"none": [], "double": [-width, width]}.get(centre, [0.0])
    side, at_side = (half, _EDGE_TAPE * width) if edge == "tape" else (half - width / 2, width)
    found = {
        "road": [Strip(-half - SHOULDER, half + SHOULDER, all_along)],
        "centre": [_strip(d, wide, dashes if centre == "dashed" else all_along) for d in middles],
        "edge": [] if edge == "none" else [
            _strip(d, at_side, dashes if edge == "dashed" else all_along) for d in (-side, side)
        ],
    }  # fmt: skip
    if scene.kerb:
        for k in (0, 1):
            pieces = _repeated(all_along, _PIECE, 2 * _PIECE, first=k * _PIECE)
            found[f"kerb-{k}"] = [_strip(d, _KERB, pieces) for d in (-half - _KERB / 2, half + _KERB / 2)]
    return {name: parts for name, parts in found.items() if parts}


def _strip(middle: float, width: float, spans: Array) -> Strip:
    return Strip(middle - width / 2, middle + width / 2, spans)


def _repeated(within: Array, long: float, period: float, first: float = 0.0) -> Array:
    """(k, 2) the parts of one span (1, 2) that are `long` m long and begin at `first` + a multiple of `period`."""
    low, high = within[0]
    begins = first + period * np.arange(np.floor((low - first) / period), np.ceil((high - first) / period))
    spans = np.clip(np.stack([begins, begins + long], axis=1), low, high)
    return spans[spans[:, 1] - spans[:, 0] > 1e-6]


def ribbon(road: Road, parts: Sequence[Strip], height: float) -> tuple[Array, NDArray[np.int64]]:
    """Vertices (V, 3), m, and triangles (F, 3), seen from above, of strips along a road."""
    places, beside, faces, count = [], [], [], 0
    for part in parts:
        for low, high in part.spans:
            inner = np.arange(np.ceil(low / road.step + 1e-9), high / road.step - 1e-9) * road.step
            s = np.concatenate([[low], inner, [high]])
            places.append(np.repeat(s, 2))
            beside.append(np.tile([part.left, part.right], len(s)))
            quad = count + 2 * np.arange(len(s) - 1)[:, None]
            faces += [quad + np.array([0, 1, 2]), quad + np.array([2, 1, 3])]
            count += 2 * len(s)
    points, _, _ = road.at(np.concatenate(places), np.concatenate(beside))
    return np.column_stack([points, np.full(count, height)]), np.concatenate(faces)


def movers(scene: Scene) -> NDArray[np.int64]:
    """(k,) the things that move."""
    moves = np.abs(np.diff(scene.tracks, axis=1)).max(axis=(1, 2), initial=0) > 0
    return np.flatnonzero(moves)


def describe(scene: Scene, camera: Camera) -> mujoco.MjSpec:
    """The scene as MuJoCo describes it.

    The body `EGO`, which has no shape, carries the camera: where it stands on it, and how it is turned, is read from
    `camera`, that of a car at the origin. It moves freely, and so do `movers`, in the order of their numbers.
    """
    import mujoco

    spec = mujoco.MjSpec()
    spec.compiler.usethread = False
    spec.stat.extent, spec.stat.center = _SIZE, [0, 0, 0]
    spec.visual.map.znear, spec.visual.map.zfar = _NEAR / _SIZE, _FAR / _SIZE
    _sky(spec)
    ego = spec.worldbody.add_body(name=EGO, mass=1, inertia=[1, 1, 1], explicitinertial=True)
    ego.add_freejoint()
    turned = np.empty(4)
    axes = camera.rotation * np.array([1, -1, -1])  # MuJoCo's cameras look along -z, y up
    mujoco.mju_mat2Quat(turned, np.ascontiguousarray(axes).reshape(-1))
    ego.add_camera(name=CAMERA, pos=camera.position, quat=turned)
    low, high = limits(scene.road.points, _FAR)
    x, y = (low + high) / 2
    spec.worldbody.add_geom(
        name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[*(high - low) / 2, _GRID], pos=[x, y, GROUND],
        rgba=[*_COLOURS["ground"], 1], contype=0, conaffinity=0,
    )  # fmt: skip
    heights = {"road": ROAD, "kerb-0": KERB, "kerb-1": KERB}
    for name, parts in strips(scene).items():
        _add_ribbon(spec, name, *ribbon(scene.road, parts, heights.get(name, LINE)))
    moving = set(movers(scene).tolist())
    for thing in range(len(scene)):
        _add_thing(spec, scene, thing, moves=thing in moving)
    return spec


def _sky(spec: mujoco.MjSpec) -> None:
    import mujoco

    sun = np.array([np.cos(0.9) * np.cos(1), np.cos(0.9) * np.sin(1), np.sin(0.9)])
    spec.worldbody.add_light(
        name="sun", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=_SIZE * sun / 2, dir=-sun, castshadow=True,
        diffuse=[0.5] * 3, specular=[0.1] * 3,
    )  # fmt: skip
    headlight = spec.visual.headlight
    headlight.ambient, headlight.diffuse, headlight.specular = [0.6] * 3, [0] * 3, [0] * 3
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.62, 0.75, 0.9], rgb2=[0.8, 0.82, 0.85], width=32, height=32,
    )  # fmt: skip


def _add_ribbon(spec: mujoco.MjSpec, name: str, vertices: Array, faces: NDArray[np.int64]) -> None:
    import mujoco

    mesh = spec.add_mesh(
        name=name, uservert=vertices.reshape(-1), userface=faces.reshape(-1).astype(np.int32),
        usertexcoord=(vertices[:, :2] / _REPEAT).reshape(-1),
        userfacetexcoord=faces.reshape(-1).astype(np.int32), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )  # fmt: skip
    spec.worldbody.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh.name, rgba=[*_COLOURS[name], 1], contype=0,
        conaffinity=0,
    )  # fmt: skip


def _add_thing(spec: mujoco.MjSpec, scene: Scene, thing: int, *, moves: bool) -> None:
    """Add a thing of a scene where it is at its start, as a body whose shapes are its parts."""
    import mujoco

    name = scene.names[thing]
    x, y, heading = scene.tracks[thing, 0]
    body = spec.worldbody.add_body(name=name, pos=[x, y, 0], quat=quaternion(heading))
    if moves:
        body.add_freejoint()
    parts = scene.parts
    for k, part in enumerate(np.flatnonzero(parts.things == thing)):
        half, geom = parts.halves[part], f"{name}/{k}"
        kind, extra = mujoco.mjtGeom.mjGEOM_BOX, {"size": half}
        if SHAPES[parts.shapes[part]] != "box":
            top = _TIP if SHAPES[parts.shapes[part]] == "cone" else 1.0
            vertices, faces = round_shape(half, top)
            spec.add_mesh(name=geom, uservert=vertices.reshape(-1), userface=faces.reshape(-1).astype(np.int32))
            kind, extra = mujoco.mjtGeom.mjGEOM_MESH, {"meshname": geom}
        body.add_geom(
            name=geom, type=kind, pos=parts.centres[part], quat=quaternion(float(parts.turns[part])),
            rgba=[*parts.colours[part], 1], contype=0, conaffinity=0, **extra,
        )  # fmt: skip


def round_shape(half: Array, top: float) -> tuple[Array, NDArray[np.int64]]:
    """Vertices (V, 3), m, and triangles (F, 3) of an upright cylinder, or of a cone whose tip is `top` as wide.

    Args:
        half: (3,) m, its radii along x and y at its foot, and half its height.
        top: radius of its upper side beside that of its lower one.
    """
    angle = 2 * np.pi * np.arange(_ROUND) / _ROUND
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * half[:2]
    low, high = (np.column_stack([r * ring, np.full(_ROUND, z)]) for r, z in ((1, -half[2]), (top, half[2])))
    a = np.arange(_ROUND)
    b = (a + 1) % _ROUND
    sides = [np.stack([a, b, a + _ROUND], axis=1), np.stack([b, b + _ROUND, a + _ROUND], axis=1)]
    inner = np.arange(1, _ROUND - 1)
    lids = [np.stack([0 * inner, inner + 1, inner], axis=1), _ROUND + np.stack([0 * inner, inner, inner + 1], axis=1)]
    return np.concatenate([low, high]), np.concatenate([*sides, *lids])


def quaternion(heading: float) -> Array:
    """(4,) the rotation about the vertical by a heading, rad."""
    return np.array([np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2)])


def state(scene: Scene, moving: NDArray[np.int64], place: Array, time: float) -> Array:
    """(nq,) the state of a described scene at a time, s, with the car at a place (3,): x, y, m, and heading, rad."""
    return np.concatenate([_free(place[None]), _free(scene.places(time)[moving])])


def _free(places: Array) -> Array:
    """(7 n,) the numbers of free bodies at places (n, 3)."""
    out = np.zeros((len(places), 7))
    out[:, :2] = places[:, :2]
    out[:, 3], out[:, 6] = np.cos(places[:, 2] / 2), np.sin(places[:, 2] / 2)
    return out.reshape(-1)
