"""Objects made by program: hulls of random points, superquadrics, extrusions and compositions of primitives.

    shape = random_object(stream(7, "object", 3), "superquadric", 0.06)     # its longest side is 6 cm
    body = shape.add_to(spec, "thing3", mass=500 * shape.volume)
    shape.vertices, shape.centre, shape.size                                 # what a labeller needs, in its axes

Random objects teach a grasping network at least as well as scanned ones (Bousmalis et al., arXiv 1709.07857, section
IV-B). The origin of an object's axes is its centre of mass; volume and inertia are those of what collides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.worlds.constraints import Thing
from simloop.worlds.footprints import footprint
from simloop.worlds.staged import CORNERS
from simloop.worlds.tabletop.solids import Moments, Placed, of_mesh, of_union

if TYPE_CHECKING:
    import mujoco

Family = Literal["hull", "superquadric", "extrusion", "composition"]
FAMILIES: tuple[Family, ...] = get_args(Family)

#: meridians and parallels of a superquadric's mesh
_AROUND, _UP = 20, 9
#: points on a circle, and parallels on a sphere, that stand for a primitive where it is labelled
_CIRCLE, _PARALLELS = 32, 12


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface: `vertices` (V, 3), m, and `faces` (F, 3), counter-clockwise from outside."""

    vertices: Array
    faces: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ObjectShape:
    """An object of density 1.

    Attributes:
        family: how it was made; its category.
        solids: the convex pieces that collide: meshes or primitives. Pieces of one object do not touch each other.
        skin: what is seen where that is not the pieces themselves: a star's one surface. None: the pieces.
        volume: m^3.
        inertia: (3, 3) about the centre of mass at density 1, m^5.
        vertices: (V, 3) m, points around all of it: a circle is a polygon around it.
        centre, size: (3,) m, middle and full sides of the box along its axes.
    """

    family: Family
    solids: tuple[Mesh | Placed, ...]
    skin: Mesh | None
    volume: float
    inertia: Array
    vertices: Array
    centre: Array
    size: Array

    def add_to(
        self,
        spec: mujoco.MjSpec,
        name: str,
        *,
        mass: float,
        position: Sequence[float] | Array = (0.0, 0.0, 0.0),
        quaternion: Sequence[float] | Array = (1.0, 0.0, 0.0, 0.0),
        rgba: Sequence[float] = (0.6, 0.6, 0.6, 1.0),
    ) -> Any:
        """Add the object as a free body `name` of that mass, kg; return the body.

        Its geoms are called NAME.0, NAME.1, ...; what is only touched, not seen, is in group 3.
        """
        import mujoco

        principal, axes = np.linalg.eigh(self.inertia * mass / self.volume)
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        body = spec.worldbody.add_body(
            name=name, pos=position, quat=quaternion, mass=mass, explicitinertial=True, ipos=np.zeros(3),
            iquat=quaternion_of(axes), inertia=principal,
        )  # fmt: skip
        body.add_freejoint(name=name)
        shown = () if self.skin is None else (self.skin,)
        for i, solid in enumerate((*shown, *self.solids)):
            geom = body.add_geom(name=f"{name}.{i}", rgba=rgba, mass=0)
            if isinstance(solid, Mesh):
                # triangles that meet at a sharp edge keep it; MuJoCo rounds the shading of the others
                mesh = spec.add_mesh(name=f"{name}.{i}", uservert=solid.vertices.reshape(-1),
                                     userface=solid.faces.reshape(-1).astype(np.int32))  # fmt: skip
                mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_EXACT
                geom.type, geom.meshname = mujoco.mjtGeom.mjGEOM_MESH, mesh.name
            else:
                geom.type = getattr(mujoco.mjtGeom, f"mjGEOM_{solid.kind.upper()}")
                geom.size, geom.pos = solid.size, solid.position
                geom.quat = quaternion_of(solid.rotation)
            if solid is self.skin:
                geom.contype = geom.conaffinity = 0
            elif shown:
                geom.group = 3
        return body

    def thing(self, name: str, rotation: Array | None = None) -> Thing:
        """What is placed of the object, turned by a rotation (3, 3), in a scene: its shadow and its height."""
        points = self.vertices if rotation is None else self.vertices @ rotation.T
        return Thing(
            name, footprint(points[:, :2]), float(points[:, 2].min()), float(points[:, 2].max()), group=self.family
        )

    def visible_geoms(self, name: str) -> tuple[str, ...]:
        """Names of the geoms that are seen of the object that was added as `name`."""
        return tuple(f"{name}.{i}" for i in range(1 if self.skin is not None else len(self.solids)))


def random_object(rng: np.random.Generator, family: Family, size: float) -> ObjectShape:
    """An object of a family, drawn from a stream, whose longest side along its axes is `size`, m."""
    if family not in FAMILIES:
        raise unknown("family of objects", family, FAMILIES)
    if not (np.isfinite(size) and size > 0):
        raise InputError(f"size of an object: {size:g} m; it must be above 0")
    makers: dict[str, Callable[[], ObjectShape]] = {
        "hull": lambda: hull(rng.standard_normal((int(rng.integers(8, 25)), 3)) * rng.uniform(0.4, 1, 3), size),
        "superquadric": lambda: superquadric(
            rng.uniform(0.35, 1, 3), float(rng.uniform(0.2, 2)), float(rng.uniform(0.2, 2)), size
        ),
        "extrusion": lambda: extrusion(*random_polygon(rng), size),
        "composition": lambda: composition(random_pieces(rng), size),
    }
    return makers[family]()


def hull(points: Array, size: float) -> ObjectShape:
    """The convex hull of points (n, 3), scaled to a longest side of `size`, m."""
    mesh = hull_mesh(points)
    return _of_meshes("hull", (mesh,), None, size)


def superquadric(half: Array, e1: float, e2: float, size: float) -> ObjectShape:
    """A superquadric of half axes (3,), scaled to a longest side of `size`, m.

    The surface |((x/a)^(2/e2) + (y/b)^(2/e2))^(e2/e1)| + |z/c|^(2/e1) = 1 (Barr, 1981), convex for exponents in
    (0, 2]: 1 is round, near 0 is a box, 2 is a double pyramid. The mesh is inside the surface, its vertices are on it.
    """
    across, turn, faces = _globe()

    def power(x: Array, e: float) -> Array:
        return np.asarray(np.sign(x) * np.abs(x) ** e)

    flat = power(np.cos(across), e1)
    shape = [flat * power(np.cos(turn), e2), flat * power(np.sin(turn), e2), power(np.sin(across), e1)]
    return _of_meshes("superquadric", (Mesh(np.stack(shape, axis=1) * half, faces),), None, size)


def extrusion(polygon: Array, height: float, size: float) -> ObjectShape:
    """A polygon (n, 2) extruded along z, scaled to a longest side of `size`, m.

    The polygon goes counter-clockwise around the origin and is star-shaped from there. It collides as the convex prisms
    into which it can be cut from the origin.
    """
    parts = convex_parts(polygon)
    solids = tuple(_prism(part, height) for part in parts)
    return _of_meshes("extrusion", solids, None if len(parts) == 1 else _prism(polygon, height), size)


def composition(pieces: Sequence[Placed], size: float) -> ObjectShape:
    """The union of primitives whose axes are those of the object but for their order, scaled to `size`, m."""
    reach = np.array([np.abs(p.rotation) @ p.half for p in pieces])
    at = np.array([p.position for p in pieces])
    low, high = (at - reach).min(axis=0), (at + reach).max(axis=0)
    scale = size / (high - low).max()
    scaled = [Placed(p.kind, p.size * scale, p.position * scale, p.rotation) for p in pieces]
    moments = of_union(scaled)
    centre = moments.centre
    solids = tuple(Placed(p.kind, p.size, p.position - centre, p.rotation) for p in scaled)
    vertices = np.concatenate([_points_around(p) @ p.rotation.T + p.position for p in solids])
    middle = (low + high) / 2 * scale - centre
    return ObjectShape(
        "composition", solids, None, moments.volume, moments.inertia, vertices, middle, (high - low) * scale
    )


def random_polygon(rng: np.random.Generator) -> tuple[Array, float]:
    """A random polygon (n, 2), convex or star-shaped in equal parts, and a height."""
    n = int(rng.integers(3, 9))
    gaps = rng.uniform(0.6, 1.4, n)
    angle = 2 * np.pi * np.cumsum(gaps) / gaps.sum() + rng.uniform(0, 2 * np.pi)
    star = n > 3 and rng.random() < 0.5
    radius = rng.uniform(0.35, 1, n) if star else np.ones(n)
    polygon = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None] * [1, rng.uniform(0.5, 1)]
    return polygon, float(rng.uniform(0.25, 1.5))


def random_pieces(rng: np.random.Generator) -> list[Placed]:
    """Two to five primitives, each of which holds a point of an earlier one: they are joined."""
    pieces: list[Placed] = []
    turns = [np.eye(3), np.eye(3)[[2, 0, 1]], np.eye(3)[[1, 2, 0]]]
    for _ in range(int(rng.integers(2, 6))):
        kind = ("box", "sphere", "cylinder", "capsule")[rng.integers(4)]
        turn = turns[rng.integers(3)]
        sides = rng.uniform(0.25, 1, 3) if kind != "sphere" else rng.uniform(0.25, 0.7, 3)
        piece = Placed(kind, sides, np.zeros(3), turn)
        if pieces:
            anchor = pieces[rng.integers(len(pieces))]
            # inside the double pyramid between the anchor's six outermost points, which any of the kinds holds
            share = rng.dirichlet(np.ones(3)) * rng.choice([-1, 1], 3) * 0.9
            point = anchor.position + share * (np.abs(anchor.rotation) @ anchor.half)
            axis = int(np.argmax(np.abs(share)))
            outward = np.sign(share[axis]) * np.eye(3)[axis]
            piece = Placed(kind, sides, point + 0.9 * (np.abs(turn) @ piece.half)[axis] * outward, turn)
        pieces.append(piece)
    return pieces


def convex_parts(polygon: Array) -> list[Array]:
    """Cut a polygon (n, 2), star-shaped from the origin, into few convex ones; each but a convex whole has the origin.

    Its triangles from the origin are joined as long as what they make is convex.
    """
    n = len(polygon)
    if _convex(polygon):
        return [polygon]
    reflex = next(i for i in range(n) if _turn(polygon[i - 1], polygon[i], polygon[(i + 1) % n]) <= 0)
    around = np.roll(polygon, -reflex, axis=0)
    around = np.concatenate([around, around[:1]])
    parts, start = [], 0
    while start < n:
        end = start + 1
        while end < n and _convex(np.concatenate([[[0.0, 0.0]], around[start : end + 2]])):
            end += 1
        parts.append(np.concatenate([[[0.0, 0.0]], around[start : end + 1]]))
        start = end
    return parts


def hull_mesh(points: Array) -> Mesh:
    """The convex hull of points (n, 3), m."""
    from scipy.spatial import ConvexHull

    found = ConvexHull(points)
    place = np.zeros(len(points), dtype=np.int64)
    place[found.vertices] = np.arange(len(found.vertices))
    vertices, faces = points[found.vertices], place[found.simplices]
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), found.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Mesh(vertices, faces)


def _of_meshes(family: Family, solids: tuple[Mesh, ...], skin: Mesh | None, size: float) -> ObjectShape:
    """The object of these convex meshes, scaled, with its centre of mass in the origin."""
    seen = solids[0] if skin is None else skin
    scale = size / np.ptp(seen.vertices, axis=0).max()
    moments: Moments = of_mesh(seen.vertices * scale, seen.faces)

    def put(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices * scale - moments.centre, mesh.faces)

    vertices = put(seen).vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return ObjectShape(family, tuple(map(put, solids)), None if skin is None else put(skin), moments.volume,
                       moments.inertia, vertices, (low + high) / 2, high - low)  # fmt: skip


def _prism(polygon: Array, height: float) -> Mesh:
    """The prism over a polygon (n, 2): caps are fans from the first corner of a convex one, else from the origin."""
    n = len(polygon)
    hub = not _convex(polygon)
    flat = np.concatenate([polygon, np.zeros((1, 2))]) if hub else polygon
    m = len(flat)
    vertices = np.concatenate([np.column_stack([flat, np.full(m, z)]) for z in (-height / 2, height / 2)])
    i = np.arange(n)
    after = (i + 1) % n
    rim = i if hub else i[1:-1]
    cap = np.stack([np.full(len(rim), n if hub else 0), rim, after[rim]], axis=1)
    walls = [np.stack([i, after, after + m], axis=1), np.stack([i, after + m, i + m], axis=1)]
    return Mesh(vertices, np.concatenate([cap[:, ::-1], cap + m, *walls]))


@cache
def _globe() -> tuple[Array, Array, NDArray[np.int64]]:
    """Latitude and longitude of a sphere's grid (V,), poles last, and its triangles (F, 3)."""
    up = (np.arange(1, _UP + 1) / (_UP + 1) - 0.5) * np.pi
    across, turn = np.meshgrid(up, np.arange(_AROUND) * 2 * np.pi / _AROUND, indexing="ij")
    i, j = np.meshgrid(np.arange(_UP - 1), np.arange(_AROUND), indexing="ij")
    a, b = (i * _AROUND + j).ravel(), (i * _AROUND + (j + 1) % _AROUND).ravel()
    sides = [np.stack([a, b, b + _AROUND], axis=1), np.stack([a, b + _AROUND, a + _AROUND], axis=1)]
    k = np.arange(_AROUND)
    south, north, top = _UP * _AROUND, _UP * _AROUND + 1, (_UP - 1) * _AROUND
    caps = [np.stack([np.full_like(k, south), (k + 1) % _AROUND, k], axis=1),
            np.stack([np.full_like(k, north), top + k, top + (k + 1) % _AROUND], axis=1)]  # fmt: skip
    poles = np.array([-np.pi / 2, np.pi / 2])
    return (np.concatenate([across.ravel(), poles]), np.concatenate([turn.ravel(), np.zeros(2)]),
            np.concatenate([*sides, *caps]))  # fmt: skip


def _points_around(piece: Placed) -> Array:
    """(V, 3) in a primitive's own axes: points whose hull holds it, as tight as a polygon around a circle."""
    if piece.kind == "box":
        return CORNERS * piece.size
    turn = np.arange(_CIRCLE) * 2 * np.pi / _CIRCLE
    out = 1 / np.cos(np.pi / _CIRCLE)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1) * out
    if piece.kind == "cylinder":
        return np.concatenate([np.column_stack([circle * piece.size[0], np.full(_CIRCLE, s * piece.size[1])])
                               for s in (-1, 1)])  # fmt: skip
    across = np.linspace(-np.pi / 2, np.pi / 2, _PARALLELS + 1)
    out = piece.size[0] / np.cos(np.pi / 2 / _PARALLELS)
    lift = 0.0 if piece.kind == "sphere" else float(piece.size[1])
    rings = [np.column_stack([circle * np.cos(a), np.full(_CIRCLE, np.sin(a))]) * out + [0, 0, s * lift]
             for a in across[1:-1] for s in ((-1, 1) if a == 0 else (np.sign(a),))]  # fmt: skip
    return np.concatenate([*rings, [[0, 0, -out - lift], [0, 0, out + lift]]])


def _turn(a: Array, b: Array, c: Array) -> float:
    """Above 0 where the way from a over b to c turns left; at most 0 also where it is nearly straight."""
    u, v = b - a, c - b
    return float(u[0] * v[1] - u[1] * v[0] - 1e-9 * np.hypot(*u) * np.hypot(*v))


def _convex(polygon: Array) -> bool:
    n = len(polygon)
    return all(_turn(polygon[i - 1], polygon[i], polygon[(i + 1) % n]) > 0 for i in range(n))


def quaternion_of(rotation: Array) -> Array:
    """(4,) of a rotation (3, 3)."""
    import mujoco

    out = np.empty(4)
    mujoco.mju_mat2Quat(out, rotation.reshape(-1))
    return out
