"""What a scene must hold: things with footprints, and constraints on where they stand.

    table = Area.rectangle("table", centre=(0.6, 0.0), size=(0.6, 0.9), height=0.7)
    hard = [Supported(table), NotIntersecting(), Reachable((0, 0, 0.7), 0.85)]
    soft = {Clearance(0.04): 1.0, InView(camera, 1.0): 1.0}
    arrange(things, OnArea(table), stream(7, "scene", 0), hard=hard, soft=soft)     # worlds/arrange.py

A thing is the prism over a convex footprint. That is enough to arrange what stands upright or is dropped; physics does
the rest. A constraint says of one thing among those that are placed how far it is from being met: 0 where it is met.
Your own constraint is a frozen dataclass with a `name` and a `violation`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from simloop.errors import InputError
from simloop.frames import Camera
from simloop.parameters import Array
from simloop.worlds.footprints import convex_polygon, normals, polygon_distance


@dataclass(frozen=True, eq=False)
class Thing:
    """Something to be placed.

    Attributes:
        name: of it; unique in the scene.
        corners: (n, 2) m, its convex footprint around its origin, counter-clockwise.
        low, high: m, from its origin to its lowest and to its highest point.
        group: what constraints call it and its like.
    """

    name: str
    corners: Array
    low: float
    high: float
    group: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners", convex_polygon(self.corners, f"the footprint of {self.name!r}"))
        if not (np.isfinite([self.low, self.high]).all() and self.low <= self.high):
            raise InputError(f"{self.name!r}: low {self.low:g} m must be at most high {self.high:g} m")

    @classmethod
    def box(cls, name: str, size: Sequence[float], group: str = "") -> Thing:
        """A thing of full sides `size` (3,), m, whose origin is its middle."""
        x, y, z = (s / 2 for s in size)
        return cls(name, np.array([[-x, -y], [x, -y], [x, y], [-x, y]]), -z, z, group)


@dataclass(frozen=True, eq=False)
class Area:
    """A flat convex region: corners (n, 2), m, counter-clockwise, at a height, m."""

    name: str
    corners: Array
    height: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners", convex_polygon(self.corners, f"area {self.name!r}"))

    @classmethod
    def rectangle(cls, name: str, *, centre: Sequence[float], size: Sequence[float], height: float = 0.0) -> Area:
        """A rectangle of full sides `size` (2,) along the world's axes, m."""
        half = np.asarray(size, dtype=np.float64) / 2
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + np.asarray(centre, dtype=np.float64)
        return cls(name, corners, height)

    def outside(self, points: Array) -> Array:
        """(n,) m, how far points (n, 2) are beyond the region's sides; below 0 inside."""
        out = normals(self.corners)
        return np.asarray((points @ out.T - (self.corners * out).sum(axis=1)).max(axis=1))


class Layout:
    """Which things stand where, while they are being arranged.

    Attributes:
        things: all of them.
        poses: (n, 4) x, y, z of the origin, m, and yaw, rad; what is not placed is NaN.
        placed: (n,) which are placed.
        radius: (n,) m, of the circle around the origin that holds the footprint.
    """

    def __init__(self, things: Sequence[Thing]) -> None:
        self.things = tuple(things)
        self.poses = np.full((len(self.things), 4), np.nan)
        self.placed = np.zeros(len(self.things), dtype=bool)
        self._corners: list[Array] = [t.corners for t in self.things]
        self.radius = np.array([np.hypot(*t.corners.T).max() for t in self.things])
        self._low = np.array([t.low for t in self.things])
        self._high = np.array([t.high for t in self.things])
        self._distances: dict[tuple[int, float], list[tuple[int, float]]] = {}

    def put(self, i: int, pose: ArrayLike) -> None:
        """Place thing i, or place it elsewhere."""
        self.poses[i] = pose
        self.placed[i] = True
        c, s = np.cos(self.poses[i, 3]), np.sin(self.poses[i, 3])
        self._corners[i] = self.things[i].corners @ np.array([[c, s], [-s, c]]) + self.poses[i, :2]
        self._distances.clear()

    def remove(self, i: int) -> None:
        """Take thing i away."""
        self.poses[i] = np.nan
        self.placed[i] = False
        self._distances.clear()

    def corners(self, i: int) -> Array:
        """(n, 2) m, the footprint of thing i where it stands."""
        return self._corners[i]

    def bottom(self, i: int) -> float:
        """m, height of the lowest point of thing i."""
        return float(self.poses[i, 2] + self._low[i])

    def top(self, i: int) -> float:
        """m, height of the highest point of thing i."""
        return float(self.poses[i, 2] + self._high[i])

    def beside(self, i: int, within: float) -> list[tuple[int, float]]:
        """Placed things whose footprint is nearer than `within`, m, to that of thing i: (which, distance).

        Distances below 0 say how far one would have to move for the footprints to part. They are exact.
        """
        key = (i, within)
        if key not in self._distances:
            apart = np.hypot(*(self.poses[:, :2] - self.poses[i, :2]).T) - self.radius - self.radius[i]
            near = np.flatnonzero(apart < within)  # NaN, what is not placed, is not near
            pairs = [(int(j), polygon_distance(self._corners[i], self._corners[j])) for j in near if j != i]
            self._distances[key] = [(j, d) for j, d in pairs if d < within]
        return self._distances[key]

    def near(self, i: int, within: float) -> list[tuple[int, float]]:
        """Placed things nearer than `within`, m, to thing i, as prisms: (which, distance); below 0: they intersect."""
        found = []
        for j, flat in self.beside(i, within):
            up = max(self.bottom(i) - self.top(j), self.bottom(j) - self.top(i))
            apart = max(flat, up) if max(flat, up) <= 0 else float(np.hypot(max(flat, 0.0), max(up, 0.0)))
            if apart < within:
                found.append((j, apart))
        return found


@dataclass(frozen=True)
class Constraint(ABC):
    """Something that should be so for each thing, or for the things of one group."""

    #: whose cost it is: of each thing, of each pair (violation is symmetric and summed over pairs), or of the scene
    counted: ClassVar[Literal["each", "pair", "scene"]] = "each"
    #: what would help where it cannot be met
    remedy: ClassVar[str] = "a wider choice of places"

    @property
    @abstractmethod
    def name(self) -> str:
        """What a report calls it."""

    @abstractmethod
    def violation(self, layout: Layout, i: int) -> float:
        """How far placed thing i is from meeting it, among what else is placed: 0 where it is met, in its own unit.

        When a thing moves, the total changes by as much as this does.
        """

    def applies(self, thing: Thing) -> bool:
        """Whether it concerns a thing."""
        group = getattr(self, "group", "")
        return not group or thing.group == group

    def total(self, layout: Layout) -> float:
        """The violation of all things together."""
        placed = [int(i) for i in np.flatnonzero(layout.placed)]
        each = [self.violation(layout, i) for i in placed if self.applies(layout.things[i])]
        if self.counted == "scene":
            return max(each, default=0.0)
        return sum(each) / (2 if self.counted == "pair" else 1)


@dataclass(frozen=True)
class Supported(Constraint):
    """The whole footprint is over an area, `margin` m from its edge or more, and the thing is not below it.

    Violation: m by which the footprint sticks out, or is too low.
    """

    area: Area
    margin: float = 0.0
    group: str = ""
    remedy = "smaller things or a larger area"

    @property
    def name(self) -> str:
        return f"supported by {self.area.name}"

    def violation(self, layout: Layout, i: int) -> float:
        out = float(self.area.outside(layout.corners(i)).max()) + self.margin
        return max(0.0, out, self.area.height - layout.bottom(i) - 1e-9)


@dataclass(frozen=True)
class Clearance(Constraint):
    """Things are at least `margin` m apart. Violation: m that are missing, summed over the neighbours."""

    margin: float
    group: str = ""
    #: from things of this group; "": from all
    other: str = ""
    counted = "pair"
    remedy = "fewer or smaller things, or more space"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.margin) and self.margin >= 0):
            raise InputError(f"clearance must be a length that is not negative, got {self.margin:g} m")
        if self.other and self.other != self.group and not self.group:
            raise InputError(f"clearance from {self.other!r}: say also of which group")

    @property
    def name(self) -> str:
        whose = f" of {self.group} from {self.other or 'all'}" if self.group else ""
        return f"{self.margin:g} m clearance{whose}"

    def applies(self, thing: Thing) -> bool:
        return not (self.group and self.other) or thing.group in (self.group, self.other)

    def violation(self, layout: Layout, i: int) -> float:
        own = layout.things[i].group
        near = layout.near(i, self.margin)
        return sum(self.margin - apart for j, apart in near if self._between(own, layout.things[j].group))

    def _between(self, a: str, b: str) -> bool:
        return not self.group or any(
            x == self.group and (not self.other or y == self.other) for x, y in ((a, b), (b, a))
        )


@dataclass(frozen=True)
class NotIntersecting(Clearance):
    """No two things are in the same place. Violation: m by which they would have to part."""

    margin: float = 0.0

    @property
    def name(self) -> str:
        return "not intersecting"


@dataclass(frozen=True)
class Reachable(Constraint):
    """A thing's origin is at most `distance` m, and at least `nearest` m, from a point. Violation: m beyond that."""

    origin: tuple[float, float, float]
    distance: float
    nearest: float = 0.0
    group: str = ""
    remedy = "a longer reach, or an area nearer to where it is reached from"

    @property
    def name(self) -> str:
        return f"reachable within {self.distance:g} m"

    def violation(self, layout: Layout, i: int) -> float:
        away = float(np.linalg.norm(layout.poses[i, :3] - self.origin))
        return max(0.0, away - self.distance, self.nearest - away)


@dataclass(frozen=True)
class InView(Constraint):
    """At least the part `fraction` of a thing is inside a camera's image; what stands before it does not count.

    The part is that of the corners and the middle of its prism, at its bottom, middle and top. Violation: the part that
    is missing.
    """

    camera: Camera
    fraction: float = 1.0
    group: str = ""
    remedy = "a wider field of view, or a smaller fraction"

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise InputError(f"in view of {self.camera.name}: fraction must be from 0 to 1, got {self.fraction:g}")

    @property
    def name(self) -> str:
        return f"{self.fraction:.0%} in view of {self.camera.name}"

    def violation(self, layout: Layout, i: int) -> float:
        flat = np.concatenate([layout.corners(i), layout.poses[i : i + 1, :2]])
        low, high = layout.bottom(i), layout.top(i)
        points = np.empty((3, len(flat), 3))
        points[..., :2] = flat
        points[..., 2] = np.array([low, (low + high) / 2, high])[:, None]
        u, v, _ = self.camera.project(points.reshape(-1, 3)).T
        width, height = self.camera.size
        with np.errstate(invalid="ignore"):
            seen = (u >= 0) & (u <= width) & (v >= 0) & (v <= height)  # NaN is behind the camera
        return max(0.0, self.fraction - float(seen.mean()))


@dataclass(frozen=True)
class Count(Constraint):
    """From `low` to `high` things (of the group) have their origin over an area. Violation: things too many or few.

    While things are still to be placed, those may make up what is missing.
    """

    area: Area
    low: int = 0
    high: int | None = None
    group: str = ""
    counted = "scene"
    remedy = "other bounds, or a larger area"

    def __post_init__(self) -> None:
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise InputError(f"count in {self.area.name}: {self.low} to {self.high} is no range of counts")

    @property
    def name(self) -> str:
        high = "any number" if self.high is None else self.high
        whose = f" {self.group}" if self.group else ""
        return f"{self.low} to {high}{whose} in {self.area.name}"

    def violation(self, layout: Layout, i: int) -> float:
        own = np.array([self.applies(t) for t in layout.things])
        here = own & layout.placed
        within = int((self.area.outside(layout.poses[here, :2]) <= 0).sum()) if here.any() else 0
        to_come = int((own & ~layout.placed).sum())
        over = 0 if self.high is None else within - self.high
        return float(max(0, over, self.low - within - to_come))
