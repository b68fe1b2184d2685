"""Roads: a centreline that bends no more than a car can steer, and what is where along it.

    road = open_road(stream(7, "road"), length=200.0, radius=20.0, lane_width=3.5, lanes=2)
    s, d = road.locate(points)                # (m,), (m,): how far along it and how far to its left, m

A road is a line of points at even steps. What is between two of them lies on the straight line between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.errors import InputError
from simloop.parameters import Array

#: m between two points of a centreline
STEP = 0.5
#: parts of a road that do not follow each other are apart at least this many of its widths, from middle to middle
_APART = 1.25
_ATTEMPTS = 60
#: places of a closed road between two of the points that its spline goes through; with less than 200 what is between
#: them, straight, is seen in the bends
_FINE = 256


@dataclass(frozen=True, eq=False)
class Road:
    """A road on the plane.

    Attributes:
        points: (n, 2) m, its middle, at even steps along it.
        closed: whether the last point is followed by the first.
        lane_width: m.
        lanes: 1, driven along the middle, or 2, of which the right one is driven and the left one is for others.
    """

    points: Array
    closed: bool
    lane_width: float
    lanes: int

    def __post_init__(self) -> None:
        if self.lanes not in (1, 2):
            raise InputError(f"a road has 1 or 2 lanes, got {self.lanes}")
        if not (np.isfinite(self.points).all() and self.points.ndim == 2 and len(self.points) >= 4):
            raise InputError("a road needs at least 4 points (x, y), all of them finite")

    @cached_property
    def step(self) -> float:
        """m between two points."""
        return float(np.mean(np.linalg.norm(self._sides, axis=1)))

    @property
    def length(self) -> float:
        """m along the middle."""
        return self.step * len(self._sides)

    @property
    def half_width(self) -> float:
        """m from the middle to the outer side of a lane."""
        return self.lane_width * self.lanes / 2

    @cached_property
    def _sides(self) -> Array:
        """(m, 2) from each point to the next."""
        after = np.roll(self.points, -1, axis=0) if self.closed else self.points[1:]
        return after - self.points[: len(after)]

    @cached_property
    def heading(self) -> Array:
        """(n,) rad at each point, without jumps; of a closed road the last differs from the first by a whole turn."""
        if self.closed:
            along = np.roll(self.points, -1, axis=0) - np.roll(self.points, 1, axis=0)
        else:
            along = np.gradient(self.points, axis=0)
        return np.unwrap(np.arctan2(along[:, 1], along[:, 0]))

    @cached_property
    def curvature(self) -> Array:
        """(n,) 1/m at each point, positive to the left: the turn between two sides to the length that makes it."""
        angles = np.arctan2(self._sides[:, 1], self._sides[:, 0])
        turn = np.diff(angles, prepend=angles[-1:] if self.closed else angles[:1])
        turn = (turn + np.pi) % (2 * np.pi) - np.pi
        if self.closed:
            return np.asarray(turn / self.step)
        turn = np.append(turn, turn[-1])
        turn[0] = turn[1]
        return np.asarray(turn / self.step)

    def at(self, s: ArrayLike, d: ArrayLike = 0.0) -> tuple[Array, Array, Array]:
        """Where one is `s` m along the road and `d` m to its left.

        Args:
            s: (...,) m; a closed road goes on after its end, an open one ends straight.
            d: (...,) m.

        Returns:
            places (..., 2), m, headings (...,), rad, and curvatures (...,), 1/m.
        """
        from simloop.worlds.drive import on_road

        s, d = np.asarray(s, dtype=float), np.asarray(d, dtype=float)
        if s.shape != d.shape:
            s, d = np.broadcast_arrays(s, d)
        middle, angle, bend = on_road.at(self._pieces, self.step, len(self.points), self.closed, s.ravel(), d.ravel())
        return middle.reshape(*s.shape, 2), angle.reshape(s.shape), bend.reshape(s.shape)

    @cached_property
    def _pieces(self) -> Array:
        """(8, m) of what is between a point and the next: where it begins, x and y, m, and how far that goes on; its
        heading and turn, rad; and the curvatures at both ends, 1/m."""
        m = len(self._sides)
        after = np.roll(self.heading, -1)
        turn = (after - self.heading + np.pi) % (2 * np.pi) - np.pi
        columns = self.heading, turn, self.curvature, np.roll(self.curvature, -1)
        return np.array([*self.points[:m].T, *self._sides.T, *(c[:m] for c in columns)])

    def locate(self, points: ArrayLike) -> tuple[Array, Array]:
        """How far along the road and how far to the left of its middle points (..., 2) are: two (...,), m."""
        from simloop.worlds.drive import on_road

        points = np.asarray(points, dtype=float)
        s, d = on_road.located(self.points, self._pieces, self.step, self.closed, points.reshape(-1, 2))
        return s.reshape(points.shape[:-1]), d.reshape(points.shape[:-1])

    def check(self, *, tightest: float) -> None:
        """Raise an InputError where the road bends more than a radius `tightest`, m, allows, or crosses itself."""
        bend = np.abs(self.curvature)
        if bend.max() * tightest > 1.05:
            k = int(bend.argmax())
            raise InputError(
                f"the road bends with a radius of {1 / bend[k]:.1f} m at {k * self.step:.0f} m along it; the car turns"
                f" no tighter than {tightest:.1f} m"
            )
        if (near := self.crossing()) is not None:
            raise InputError(
                f"the road comes too near to itself: {near[0]:.0f} m and {near[1]:.0f} m along it are less than"
                f" {_APART * 2 * self.half_width:.1f} m apart"
            )

    def crossing(self) -> tuple[float, float] | None:
        """Two places along the road, m, that are nearer to each other than its width allows; None where none are."""
        from simloop.worlds.drive import on_road

        apart = _APART * 2 * self.half_width
        every = max(1, int(apart / 4 / self.step))
        # along a half circle of this diameter parts are as near as that and farther along the road
        least = np.pi / 2 * apart + 2 * every * self.step
        i, j = on_road.near(self.points, every, apart, self.step, self.length if self.closed else np.inf, least)
        return (i * self.step, j * self.step) if i >= 0 else None


def open_road(
    rng: np.random.Generator, *, length: float, radius: float, lane_width: float, lanes: int, straight: float = 0.3
) -> Road:
    """A random road from one place to another: straights and bends, between which the curvature changes evenly.

    Args:
        rng: decides it.
        length: m; shorter where so long a road would meet itself.
        radius: m, of its tightest bend; the others' are up to four times as large, evenly in the logarithm.
        lane_width: m.
        lanes: 1 or 2.
        straight: part of its pieces that are straight.
    """
    count = int(np.ceil(length / STEP)) + 1
    for _ in range(_ATTEMPTS):
        places, bends = _pieces(rng, length, radius, straight)
        heading = np.cumsum(np.interp(np.arange(count) * STEP, places, bends)) * STEP
        steps = STEP * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        road = Road(np.cumsum(steps, axis=0) - steps[0], False, lane_width, lanes)
        if road.crossing() is None:
            return road
        count = max(int(0.9 * count), int(4 * radius / STEP))
    line = np.stack([np.arange(count) * STEP, np.zeros(count)], axis=1)
    return Road(line, False, lane_width, lanes)


def _pieces(rng: np.random.Generator, length: float, radius: float, straight: float) -> tuple[Array, Array]:
    """Places along a road, m, and its curvatures there, 1/m, between which it changes evenly."""
    n = int(length / (0.5 * radius)) + 2
    radii = radius * np.exp(rng.uniform(0, np.log(4), n))
    bends = np.where(rng.random(n) < straight, 0.0, np.where(rng.random(n) < 0.5, 1, -1) / radii)
    turned = rng.uniform(0.2, np.pi, n)
    long = np.where(bends == 0, radius * rng.uniform(0.5, 5, n), np.minimum(turned * radii, 12 * radius))
    change = 0.5 * radius  # a clothoid between two pieces
    ends = np.cumsum(long + change)
    starts = np.concatenate([[0.0], ends[:-1]])
    return np.stack([starts, starts + long], axis=1).reshape(-1), np.repeat(bends, 2)


def closed_road(
    rng: np.random.Generator, *, length: float, radius: float, lane_width: float, lanes: int, knots: int = 9
) -> Road:
    """A random road that leads back to its start: a periodic cubic spline around random points of a ring.

    Args:
        rng: decides it.
        length: m, about; longer where its bends would be too tight.
        radius: m, of its tightest bend.
        lane_width: m.
        lanes: 1 or 2.
        knots: points that the spline goes through.
    """
    shift = rng.uniform(-0.5, 0.5, knots)
    rough, flip = rng.uniform(-1, 1, knots), rng.random() < 0.5
    ring = max(length / (2 * np.pi), 1.3 * radius)
    place, slope, bend = _periodic(knots)
    for unevenness in (0.8, 0.65, 0.5, 0.38, 0.28, 0.18, 0.1, 0.0):
        away, angles = ring * (1 + unevenness * rough), 2 * np.pi * (np.arange(knots) + unevenness * shift) / knots
        through = np.stack([away * np.cos(angles), away * np.sin(angles)], axis=1)
        (x1, y1), (x2, y2) = (slope @ through).T, (bend @ through).T
        if np.abs((x1 * y2 - y1 * x2) / (x1 * x1 + y1 * y1) ** 1.5).max() > 0.95 / radius:
            continue
        line = place @ through
        points = along(np.concatenate([line, line[:1]]), closed=True)
        road = Road(points[::-1] if flip else points, True, lane_width, lanes)
        if road.crossing() is None:
            return road
    raise InputError(f"no closed road with bends of {radius:g} m and lanes of {lane_width:g} m was found")


@cache
def _periodic(knots: int) -> tuple[Array, Array, Array]:
    """(m, knots) what a periodic cubic spline, its slope and its bend are of the points that it goes through."""
    from scipy.interpolate import CubicSpline

    unit = np.eye(knots)
    spline = CubicSpline(np.arange(knots + 1), np.concatenate([unit, unit[:1]]), bc_type="periodic")
    at = np.arange(_FINE * knots) / _FINE
    return spline(at), spline(at, 1), spline(at, 2)


def along(line: Array, *, closed: bool, step: float = STEP) -> Array:
    """Points (n, 2) at even steps of about `step` m along a line of points (k, 2); a closed one ends at its start."""
    travelled = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    sides = max(4, round(travelled[-1] / step))
    wanted = places = np.linspace(0, 1, sides + 1)
    for _ in range(4):  # even along the line at first, then, as a road's steps are straight, from point to point
        out = np.stack([np.interp(travelled[-1] * places, travelled, line[:, j]) for j in (0, 1)], axis=1)
        far = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(out, axis=0), axis=1))])
        places = np.interp(wanted, far / far[-1], places)
    return out[:-1] if closed else out


def limits(points: NDArray[np.float64], margin: float) -> tuple[Array, Array]:
    """The corners (2,), (2,) of a box around points (n, 2), m, with a margin."""
    return points.min(axis=0) - margin, points.max(axis=0) + margin
