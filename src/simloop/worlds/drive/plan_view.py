"""Pieces of a road's reference line as OpenDRIVE has them: cut from a road's points, and traced as points again.

    pieces = pieces_of(road)                     # lines and cubics that go through every point of the road
    points, headings = trace(pieces)             # (n, 2), m, and (n,), rad

A road is a line of points. A cubic through a stretch of them that meets its neighbours with the same heading is that
line to a tenth of a millimetre, whatever the road was made of; arcs and clothoids are that only of roads that are made
of them. The parameter of a cubic is the way along it, so that readers that take it for that are right too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drive.road import Road

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Kind = Literal["line", "arc", "spiral", "poly3", "paramPoly3"]
#: names of the numbers of each kind of piece, in the order of `Piece.numbers`
NUMBERS: dict[Kind, tuple[str, ...]] = {
    "line": (),
    "arc": ("curvature",),
    "spiral": ("curvStart", "curvEnd"),
    "poly3": ("a", "b", "c", "d"),
    "paramPoly3": ("aU", "bU", "cU", "dU", "aV", "bV", "cV", "dV"),
}
#: m, no point of a road is farther from its piece, nor from its place along it
_NEAR = 1e-4
#: rad, a stretch that turns less is a line
_STRAIGHT = 1e-6
#: points of a road in a piece: as many of these as are near enough
_LONG = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
#: m between two points of a trace
TRACE = 0.025
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass(frozen=True)
class Piece:
    """A piece of a reference line.

    Attributes:
        kind: what it is.
        s: m, how far along the line it begins.
        x, y: m, where it begins.
        heading: rad, where it begins.
        length: m, along it.
        numbers: as `NUMBERS` names them: curvatures in 1/m, coefficients in m.
        normalised: of a paramPoly3, whether its parameter goes from 0 to 1; else from 0 to its length.
    """

    kind: Kind
    s: float
    x: float
    y: float
    heading: float
    length: float
    numbers: tuple[float, ...] = ()
    normalised: bool = False

    def trace(self, step: float = TRACE) -> tuple[Array, Array]:
        """Points (n, 2), m, and headings (n,), rad, from its begin to its end, at most about `step` m apart."""
        part = np.linspace(0, 1, max(2, int(np.ceil(self.length / step)) + 1))
        u, v, turned = self._local(part)
        c, s = np.cos(self.heading), np.sin(self.heading)
        places = np.stack([self.x + c * u - s * v, self.y + s * u + c * v], axis=1)
        return places, self.heading + turned

    def _local(self, part: Array) -> tuple[Array, Array, Array]:
        """u along its first heading and v to its left, m, and how far it turned, rad, at parts (n,) of its length."""
        if self.kind == "line":
            return part * self.length, 0 * part, 0 * part
        if self.kind == "arc":
            return _bend(part * self.length, self.numbers[0], self.numbers[0], self.length)
        if self.kind == "spiral":
            begins, ends = self.numbers
            return _bend(part * self.length, begins, ends, self.length)
        if self.kind == "poly3":
            across = np.array(self.numbers)
            u = part * _reach(across, self.length)
            slope = np.arctan(_polynomial(_derived(across), u))
            return u, _polynomial(across, u), slope
        p = part * (1.0 if self.normalised else self.length)
        along, across = np.array(self.numbers[:4]), np.array(self.numbers[4:])
        turned = np.arctan2(_polynomial(_derived(across), p), _polynomial(_derived(along), p))
        return _polynomial(along, p), _polynomial(across, p), np.unwrap(turned)


def trace(pieces: Sequence[Piece]) -> tuple[Array, Array]:
    """Points (n, 2), m, and headings (n,), rad, along pieces that follow each other."""
    traces = [piece.trace() for piece in pieces]
    points = [places[:-1] for places, _ in traces[:-1]] + [traces[-1][0]]
    headings = [turned[:-1] for _, turned in traces[:-1]] + [traces[-1][1]]
    return np.concatenate(points), np.unwrap(np.concatenate(headings))


def pieces_of(road: Road) -> list[Piece]:
    """Lines and paramPoly3 that go through all points of a road; those of a closed one end where they begin."""
    from scipy.interpolate import CubicSpline

    points = np.concatenate([road.points, road.points[:1]]) if road.closed else road.points
    places = np.arange(len(points), dtype=float)
    spline = CubicSpline(places, points, bc_type="periodic" if road.closed else "not-a-knot")
    steps = _lengths(spline)
    tangents = spline(places, 1)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    out: list[Piece] = []
    first, s = 0, 0.0
    while first < len(points) - 1:
        for count in _LONG:
            last = min(first + count, len(points) - 1)
            here = slice(first, last + 1)
            piece = _cubic(points[here], tangents[[first, last]], steps[first:last], s)
            if piece is not None:
                break
        assert piece is not None  # through two points there is always one
        out.append(piece)
        first, s = last, s + piece.length
    return out


def _cubic(points: Array, tangents: Array, steps: Array, s: float) -> Piece | None:
    """The piece with tangents (2, 2) at its ends through points (n, 2), `steps` (n - 1,) m apart; None where it is far
    from one of them."""
    heading = float(np.arctan2(tangents[0, 1], tangents[0, 0]))
    back = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
    own = (points - points[0]) @ back.T
    turned = back @ tangents[1]
    places = np.concatenate([[0.0], np.cumsum(steps)])
    x, y = points[0].tolist()
    if abs(turned[1]) < _STRAIGHT and np.abs(own[:, 1]).max() < _STRAIGHT * places[-1]:
        return Piece("line", s, x, y, heading, float(own[-1, 0]))
    length = float(places[-1])
    coefficients = _hermite(own[-1], turned, length)
    for _ in range(2):  # until the parameter's end is the length of the curve that it gives
        along = places * (length / places[-1])
        far = np.stack([_polynomial(c, along) for c in coefficients], axis=1) - own
        if len(points) > 2 and np.abs(far).max() > _NEAR:
            return None
        length = _arc(coefficients, length)
        coefficients = _hermite(own[-1], turned, length)
    return Piece("paramPoly3", s, x, y, heading, length, tuple(coefficients.reshape(-1).tolist()))


def _hermite(end: Array, direction: Array, length: float) -> Array:
    """(2, 4) coefficients in u and v of the cubic from the origin along u to `end` along `direction` (2,)."""
    start = np.array([1.0, 0.0])
    c = (3 * end / length - 2 * start - direction) / length
    d = (start + direction - 2 * end / length) / length**2
    return np.stack([np.zeros(2), start, c, d], axis=1)


def _polynomial(coefficients: Array, p: Array) -> Array:
    a, b, c, d = coefficients
    return np.asarray(a + p * (b + p * (c + p * d)))


def _derived(coefficients: Array) -> Array:
    _, b, c, d = coefficients
    return np.array([b, 2 * c, 3 * d, 0.0])


def _arc(coefficients: Array, end: float) -> float:
    """m, the length of the curve with coefficients (2, 4) from the parameter 0 to `end`."""
    cuts = np.linspace(0, end, 9)
    p = (cuts[:-1, None] + cuts[1:, None] + np.diff(cuts)[:, None] * _NODES) / 2
    speed = np.hypot(*(_polynomial(_derived(c), p) for c in coefficients))
    return float((speed * _WEIGHTS).sum() * np.diff(cuts)[0] / 2)


def _reach(across: Array, length: float) -> float:
    """m, the u at which v(u) has run `length` m along its curve, by Newton's method on its length."""
    straight = np.array([0.0, 1.0, 0.0, 0.0])
    u = length
    for _ in range(50):
        off = _arc(np.stack([straight, across]), u) - length
        u -= off / float(np.hypot(1, _polynomial(_derived(across), np.asarray(u))))
        if abs(off) < 1e-10:
            break
    return u


def _bend(way: Array, begins: float, ends: float, length: float) -> tuple[Array, Array, Array]:
    """u, v and how far it turned, at ways (n,) m along a curve whose curvature goes evenly from one to another.

    The Fresnel integrals between two ways that are near each other are sums of six terms to the last digit.
    """
    change = (ends - begins) / length
    nodes = (way[:-1, None] + way[1:, None] + np.diff(way)[:, None] * _NODES) / 2
    angle = nodes * (begins + change * nodes / 2)
    half = np.diff(way)[:, None] / 2 * _WEIGHTS
    u, v = (np.concatenate([[0.0], np.cumsum((f(angle) * half).sum(axis=1))]) for f in (np.cos, np.sin))
    return u, v, way * (begins + change * way / 2)


def _lengths(spline: CubicSpline) -> Array:
    """(n - 1,) m, the length of a plane spline between its knots 0, 1, 2, ..."""
    low = spline.x[:-1]
    speed = np.linalg.norm(spline(low[:, None] + (1 + _NODES) / 2, 1), axis=-1)
    return np.asarray((speed * _WEIGHTS).sum(axis=1) / 2)
