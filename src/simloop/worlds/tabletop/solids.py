"""How much solids hold and how they resist turning: volumes, centres and inertias of meshes, primitives and unions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array

#: points along each side of the box around a piece at which overlaps are measured
_GRID = 8


@dataclass(frozen=True, eq=False)
class Moments:
    """Integrals over a solid of density 1: `volume` m^3, `first` (3,) of x, m^4, `second` (3, 3) of x x', m^5."""

    volume: float
    first: Array
    second: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.volume + other.volume, self.first + other.first, self.second + other.second)

    def moved(self, rotation: Array, position: Array) -> Moments:
        """Those of the solid turned by (3, 3) and then shifted by (3,)."""
        first, second = rotation @ self.first, rotation @ self.second @ rotation.T
        cross = np.outer(first, position)
        shifted = second + cross + cross.T + self.volume * np.outer(position, position)
        return Moments(self.volume, first + self.volume * position, shifted)

    @property
    def centre(self) -> Array:
        """(3,) m, the centre of mass."""
        return self.first / self.volume

    @property
    def inertia(self) -> Array:
        """(3, 3) m^5, the inertia about the centre of mass at density 1."""
        about = self.second - np.outer(self.first, self.first) / self.volume
        return np.asarray(np.trace(about) * np.eye(3) - about)


def of_mesh(vertices: Array, faces: NDArray[np.int64]) -> Moments:
    """Moments of what a closed mesh (V, 3) with outward triangles (F, 3) encloses, by tetrahedra from the origin."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    det = np.einsum("ij,ij->i", a, np.cross(b, c))
    s = a + b + c
    second = sum(np.einsum("i,ij,ik->jk", det, p, p) for p in (s, a, b, c)) / 120
    return Moments(float(det.sum() / 6), det @ s / 24, np.asarray(second))


def of_box(half: Array) -> Moments:
    """Moments of a box of half sides (3,) around the origin."""
    volume = 8 * float(np.prod(half))
    return Moments(volume, np.zeros(3), np.diag(half**2) * volume / 3)


def of_round(radius: float, half: float, *, caps: bool) -> Moments:
    """Moments of a cylinder along z, or, with half spheres as caps, of a capsule; of half length 0, of a sphere."""
    r2, area = radius**2, np.pi * radius**2
    volume, side, along = 2 * half * area, 2 * half * area * r2 / 4, 2 * half * area * half**2 / 3
    if caps:
        ball = 4 / 3 * area * radius
        volume += ball
        side += ball * r2 / 5
        along += area * (4 / 3 * radius * half**2 + half * r2 + 4 / 15 * r2 * radius)
    return Moments(volume, np.zeros(3), np.diag([side, side, along]))


def inside(points: Array, kind: str, size: Array) -> NDArray[np.bool_]:
    """(...,) whether points (..., 3), in a primitive's own axes, are in it; `size` as MuJoCo has it."""
    if kind == "box":
        return np.asarray((np.abs(points) <= size).all(axis=-1))
    flat = points[..., 0] ** 2 + points[..., 1] ** 2
    if kind == "cylinder":
        return np.asarray((flat <= size[0] ** 2) & (np.abs(points[..., 2]) <= size[1]))
    beyond = np.maximum(np.abs(points[..., 2]) - (size[1] if kind == "capsule" else 0.0), 0.0)
    return np.asarray(flat + beyond**2 <= size[0] ** 2)


@dataclass(frozen=True, eq=False)
class Placed:
    """A primitive and where it is: `kind` box, sphere, cylinder or capsule, `size` (3,) as MuJoCo has it, m."""

    kind: str
    size: Array
    position: Array
    rotation: Array

    @property
    def moments(self) -> Moments:
        """Those of the primitive where it is."""
        own = of_box(self.size) if self.kind == "box" else of_round(
            float(self.size[0]), 0.0 if self.kind == "sphere" else float(self.size[1]), caps=self.kind != "cylinder"
        )  # fmt: skip
        return own.moved(self.rotation, self.position)

    @property
    def half(self) -> Array:
        """(3,) m, half sides of the box around it, in its own axes."""
        radius, length = self.size[0], self.size[1]
        if self.kind == "box":
            return self.size
        along = {"sphere": radius, "cylinder": length, "capsule": length + radius}[self.kind]
        return np.array([radius, radius, along])

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """(...,) which points (..., 3) are in it."""
        return inside((points - self.position) @ self.rotation, self.kind, self.size)


def of_union(pieces: Sequence[Placed]) -> Moments:
    """Moments of the union of primitives: each one's exactly, less what they share, measured on a grid in each."""
    total = pieces[0].moments
    for piece in pieces[1:]:
        total = total + piece.moments
    ticks = (np.arange(_GRID) + 0.5) / _GRID * 2 - 1
    grid = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    for piece in pieces:
        own = grid * piece.half
        own = own[inside(own, piece.kind, piece.size)]
        points = own @ piece.rotation.T + piece.position
        shared = np.sum([other.holds(points) for other in pieces], axis=0)
        weight = (1 / shared - 1) * piece.moments.volume / len(points)
        total = total + Moments(float(weight.sum()), weight @ points, (points * weight[:, None]).T @ points)
    return total
