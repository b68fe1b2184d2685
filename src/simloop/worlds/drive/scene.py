"""Scenes of world `drive`: a road, its lines, and what stands or moves beside and on it, as arrays.

    scene = make_scene(values, stream(7, "drive", "scene", 3))
    scene.places(2.0)          # (n, 3) where each thing is after 2 s: x, y, m, and heading, rad

A scene is a pure function of the parameters and the stream. Both renderers draw it, and cars drive in it; neither
changes it. Heights are above the road, which is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.drive.parameters import CENTRES, DANGERS
from simloop.worlds.drive.road import Road, closed_road, open_road
from simloop.worlds.drive.street import Pavements, Walker

#: what a thing may be; a scene's `kinds` are places in it
KINDS = ("car", "pedestrian", "cone", "barrier", "building", "clutter")
#: what a part may be; `Parts.shapes` are places in it. All stand upright; a cone's tip is a quarter as wide
SHAPES = ("box", "cylinder", "cone")
#: s between two places of a track, and how long tracks are
TICK, LASTS = 0.25, 60.0
#: m, how far the road's surface reaches beyond its lanes
SHOULDER = 0.3
#: m along the road before the first place where a car may start, and after the last one
BEHIND, AHEAD = 5.0, 30.0
#: rad, how what lies in a lane or blocks it is turned from the road: its long side across
_TURNED = {"barrier": np.pi / 2}
#: part of the cones that are flat
_FLAT = 0.5
#: what may lie in a lane, none so wide that it could not be passed; m, thinner parts could not be seen from afar
_LIE, _SEEN = ("cone", "cone", "barrier", "clutter"), 0.4
#: m before and after what lies in a lane or blocks it over which the wanted line leaves the lane and comes back; the
#: least before small things, which cannot be seen from farther away
_OUT, _BACK, _LATE = 14.0, 10.0, 8.0
#: m along the road that ice is long at most
_LONGEST_ICE = 25.0
#: m by which things are put away that are not there: beyond what any camera sees
_AWAY = 1e5


@dataclass(frozen=True, eq=False)
class Parts:
    """What things are made of.

    Attributes:
        things: (P,) the thing that each is a part of.
        shapes: (P,) places in `SHAPES`.
        centres: (P, 3) m, of its middle in the thing's axes: x forward, y left, z up from the road.
        halves: (P, 3) m, half its size along its own axes; a cylinder's and a cone's radii are along x and y.
        turns: (P,) rad, about z, from the thing's axes to its own.
        colours: (P, 3) 0 to 1, sRGB.
    """

    things: NDArray[np.int64]
    shapes: NDArray[np.int64]
    centres: Array
    halves: Array
    turns: Array
    colours: Array


@dataclass(frozen=True, eq=False)
class Scene:
    """A road and what is on and beside it.

    Attributes:
        road: the road.
        centre, edge: what the line between the lanes and the lines at the sides are: places in `CENTRES`, `EDGES`.
        line_width, dash, gap: m.
        kerb: whether there is one along both sides.
        kinds: (n,) places in `KINDS`.
        known: (n, T, 3) x, y, m, and heading, rad, of each thing every `TICK` s; T is 1 where nothing moves. After its
            last place a thing stays there. Of people who walk beside the road it is the first place alone (`tracks`).
        parts: what they are made of.
        ice: (k, 3) from and to how far along the road, m, there is ice, and its grip beside the road's.
        line: (points of the road,) m, how far to the left of the road's middle an expert wants to drive.
        lane: (points of the road,) m, the same if nothing were in the way.
        danger: place in `DANGERS`.
        danger_at: m along the road where it happens; NaN where there is none.
        people: who walk beside the road; None: nobody.
        walkers: (m,) the things that they are.
        avoided: the things that it leads around.
    """

    road: Road
    centre: int
    edge: int
    line_width: float
    dash: float
    gap: float
    kerb: bool
    kinds: NDArray[np.int64]
    known: Array
    parts: Parts
    ice: Array
    line: Array
    lane: Array
    danger: int = 0
    danger_at: float = float("nan")
    people: Pavements | None = None
    walkers: tuple[int, ...] = ()
    avoided: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.kinds)

    @cached_property
    def tracks(self) -> Array:
        """(n, T, 3) x, y, m, and heading, rad, of each thing every `TICK` s; after its last place it stays there.

        People walk when this is asked for the first time: a still does not need it.
        """
        if self.people is None:
            return self.known
        walks = np.stack(self.people.walks(TICK))
        length = max(self.known.shape[1], walks.shape[1])
        last = np.minimum(np.arange(length), self.known.shape[1] - 1)
        tracks = self.known[:, last]
        tracks[list(self.walkers)] = walks[:, np.minimum(np.arange(length), walks.shape[1] - 1)]
        return tracks

    def places(self, time: float) -> Array:
        """(n, 3) x, y, m, and heading, rad, of the things `time` s after the scene's start."""
        if time <= 0:
            return self.known[:, 0]
        last = self.tracks.shape[1] - 1
        at = min(max(time / TICK, 0.0), float(last))
        low = min(int(at), max(last - 1, 0))
        part = at - low
        if not last:
            return self.tracks[:, 0]
        return (1 - part) * self.tracks[:, low] + part * self.tracks[:, low + 1]

    def cleared(self) -> Scene:
        """The same scene without the things that its line leads around, and with the line that then is wanted."""
        known = self.known.copy()
        known[list(self.avoided), :, :2] += _AWAY
        return replace(self, known=known, line=self.lane, avoided=())

    @cached_property
    def extents(self) -> tuple[Array, Array]:
        """(n, 3) and (n, 3), m: the least and the largest corner of each thing in its own axes."""
        p = self.parts
        c, s = np.abs(np.cos(p.turns)), np.abs(np.sin(p.turns))
        reach = np.stack(
            [c * p.halves[:, 0] + s * p.halves[:, 1], s * p.halves[:, 0] + c * p.halves[:, 1], p.halves[:, 2]], axis=1
        )
        low, high = np.full((len(self), 3), np.inf), np.full((len(self), 3), -np.inf)
        np.minimum.at(low, p.things, p.centres - reach)
        np.maximum.at(high, p.things, p.centres + reach)
        return low, high

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(n,) what each thing is called."""
        return tuple(f"{KINDS[k]}{i}" for i, k in enumerate(self.kinds.tolist()))


def make_scene(
    values: Mapping[str, float], rng: np.random.Generator, *, road: Road | None = None, walks: Sequence[Array] = ()
) -> Scene:
    """A random scene.

    Args:
        values: by name the parameters of `parameters.TABLE`.
        rng: decides it.
        road: to be used instead of a random one.
        walks: (T, 3) x, y, m, and heading, rad, every `TICK` s, of people who walk along given tracks, beside those
            that `pedestrians.count` adds.
    """
    road = road or _road(values, rng)
    start = BEHIND
    things = _Things(road)
    things.add_static(values, rng)
    things.add_moving(values, rng, start)
    for walk in walks:
        things.add("pedestrian", walk, _person(rng))
    danger, ice, at = DANGERS[int(values["danger.kind"])], np.zeros((0, 3)), start + values["danger.after"]
    lane = _wanted(road, values)
    line = things.add_obstacles(values, rng, lane, float("nan") if danger == "none" else at)
    if danger == "ice":
        ice = np.array([[at, at + _between(rng, 8, _LONGEST_ICE), values["danger.grip"]]])
    elif danger != "none":
        line = things.add_danger(danger, at, values, rng, line)
    people = things.walk(rng)  # the last, so that people leave all else as it is
    return Scene(
        road=road, centre=_centre(road, values), edge=int(values["lines.edge"]), line_width=values["lines.width"],
        dash=values["lines.dash"], gap=values["lines.gap"], kerb=bool(values["kerb.there"]), kinds=things.kinds,
        known=things.known, parts=things.parts, ice=ice, line=line, lane=lane, danger=DANGERS.index(danger),
        danger_at=at if danger != "none" else float("nan"), people=people, walkers=things.walkers,
        avoided=things.avoided,
    )  # fmt: skip


def _road(values: Mapping[str, float], rng: np.random.Generator) -> Road:
    make: Callable[..., Road] = closed_road if values["road.closed"] else open_road
    form = {} if values["road.closed"] else {"straight": values["road.straight"]}
    return make(
        rng, length=values["road.length"], radius=values["road.radius"], lane_width=values["road.lane_width"],
        lanes=int(values["road.lanes"]), **form,
    )  # fmt: skip


def _centre(road: Road, values: Mapping[str, float]) -> int:
    """The line in the middle: a single lane has none but tape."""
    centre = int(values["lines.centre"])
    return centre if road.lanes == 2 or CENTRES[centre] == "tape" else CENTRES.index("none")


def _wanted(road: Road, values: Mapping[str, float]) -> Array:
    """(points,) m, the lateral place that an expert wants: right of the middle of two lanes, the middle of one."""
    right = values["expert.offset"] * road.lane_width if road.lanes == 2 else 0.0
    return np.full(len(road.points), -right)


class _Things:
    """Things of a scene while it is made."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._kinds: list[int] = []
        self._tracks: list[Array] = []
        self._parts: list[tuple[int, _Part]] = []
        self._walkers: dict[int, Walker] = {}
        self._avoided: list[int] = []

    @property
    def kinds(self) -> NDArray[np.int64]:
        return np.array(self._kinds, dtype=np.int64)

    @property
    def known(self) -> Array:
        longest = max((len(t) for t in self._tracks), default=1)
        out = np.zeros((len(self._tracks), longest, 3))
        for i, track in enumerate(self._tracks):
            out[i, : len(track)], out[i, len(track) :] = track, track[-1]
        return out

    @property
    def parts(self) -> Parts:
        owners = np.array([i for i, _ in self._parts], dtype=np.int64)
        rows = np.array([p for _, p in self._parts], dtype=float).reshape(len(owners), 11)
        return Parts(owners, rows[:, 0].astype(np.int64), rows[:, 1:4], rows[:, 4:7], rows[:, 7], rows[:, 8:11])

    def add(self, kind: str, track: Array, parts: Sequence[_Part]) -> None:
        """Add a thing that is at (T, 3) places."""
        self._parts += [(len(self._kinds), part) for part in parts]
        self._kinds.append(KINDS.index(kind))
        self._tracks.append(np.asarray(track, dtype=float).reshape(-1, 3))

    def add_static(self, values: Mapping[str, float], rng: np.random.Generator) -> None:
        """Add what does not move: beside the road, and not on another part of it."""
        half, most = self._road.half_width, int(values["things.parts"])
        table: list[tuple[str, str, tuple[float, float], bool, float, Callable[[], list[_Part]]]] = [
            ("cones.count", "cone", (0.0, 1.2), False, 0.3, lambda: _cone(rng)),
            ("barriers.count", "barrier", (0.6, 2.0), True, 0.4, lambda: _barrier(rng)),
            ("parked.count", "car", (1.3, 2.5), True, 1.1, lambda: _car(rng)),
            ("buildings.count", "building", (6.0, 20.0), True, 6.0, lambda: _building(rng)),
            ("clutter.count", "clutter", (0.8, 10.0), False, 0.5, lambda: _clutter(rng, most)),
        ]  # fmt: skip
        kinds, wanted, clear, makers = [], [], [], []
        for name, kind, (least, largest), along, room, make in table:
            n = int(values[name])
            s = rng.uniform(0, self._road.length, n)
            side = np.where(rng.random(n) < 0.5, 1.0, -1.0)
            d = side * (half + rng.uniform(least, largest, n))
            turn = np.where(rng.random(n) < 0.5, 0, np.pi) if along else rng.uniform(-np.pi, np.pi, n)
            wanted.append(np.stack([s, d, turn], axis=1))
            kinds += [kind] * n
            clear += [room] * n
            makers += [make] * n
        rows = np.concatenate(wanted)
        place, heading, _ = self._road.at(rows[:, 0], rows[:, 1])
        _, beside = self._road.locate(place) if len(rows) else (None, np.zeros(0))
        free = np.abs(beside) > half + np.minimum(np.array(clear), np.abs(rows[:, 1]) - half) - 0.05
        for i, kind in enumerate(kinds):
            parts = makers[i]()  # drawn in any case, so that one thing less leaves the others as they are
            if free[i]:
                self.add(kind, np.array([*place[i], heading[i] + rows[i, 2]]), parts)

    def add_moving(self, values: Mapping[str, float], rng: np.random.Generator, start: float) -> None:
        """Add cars that drive, in the other lane and ahead in this one, and people who walk beside the road."""
        road, time = self._road, np.arange(0, LASTS, TICK)
        for k in range(int(values["traffic.count"])):
            parts, s = _car(rng), _between(rng, 0, road.length)
            speed = values["traffic.speed"] * _between(rng, 0.7, 1.3)
            oncoming = road.lanes == 2 and (k % 2 == 0 or rng.random() < 0.5)
            if oncoming:
                along = _inside(road, s - speed * time)
                place, heading, _ = road.at(along, road.lane_width / 2)
                heading = heading + np.pi
            else:
                ahead = start + 15 + _between(rng, 0, 60)
                place, heading, _ = road.at(_inside(road, ahead + speed * time), self._own_lane())
            self.add("car", np.column_stack([place, np.unwrap(heading)]), parts)
        for _ in range(int(values["pedestrians.count"])):
            parts, s = _person(rng), _between(rng, 0, road.length)
            d = (1 if rng.random() < 0.5 else -1) * (road.half_width + _between(rng, 0.6, 4))
            speed = values["pedestrians.speed"] * _between(rng, 0.7, 1.3) * (rng.random() < 0.8)
            way = 1 if rng.random() < 0.5 else -1
            self._add_walker(Walker(s, d, speed, way), parts)

    def add_obstacles(
        self, values: Mapping[str, float], rng: np.random.Generator, line: Array, danger_at: float
    ) -> Array:
        """Add what lies in the driven lane, evenly along the road; return the wanted line (points,) around it.

        Nothing lies where one would drive around it and meet a danger, which is at `danger_at` m along the road, NaN
        for none: nobody leaves a lane on ice and comes back.
        """
        count, most, width = int(values["obstacles.count"]), int(values["things.parts"]), self._road.lane_width
        for k in range(count):
            kind = _LIE[int(rng.integers(len(_LIE)))]
            parts = (
                _cone(rng) if kind == "cone"
                else _barrier(rng, self._across()) if kind == "barrier" else _clutter(rng, most, thinnest=_SEEN)
            )  # fmt: skip
            at = (k + _between(rng, 0.2, 0.8)) * self._road.length / count
            if self._road.lanes == 2:
                beside = self._own_lane() + _between(rng, -0.3, 0.3) * width
                around = beside + 0.6 * width
            else:
                side = 1 if rng.random() < 0.5 else -1
                beside, around = side * _between(rng, 0.25, 0.45) * width, -side * 0.25 * width
            turned, out = _between(rng, -0.3, 0.3), _between(rng, _LATE, _OUT)
            if -_BACK < at - danger_at < _LONGEST_ICE + _OUT:
                continue
            place, heading, _ = self._road.at(at, beside)
            self._add_avoided(kind, np.array([*place, float(heading) + turned + _TURNED.get(kind, 0.0)]), parts)
            line = self._led_around(line, at, around, out)
        return line

    def _led_around(self, line: Array, at: float, around: float, out: float = _OUT) -> Array:
        """A wanted line (points,) that leaves its place `out` m before `at` m along the road, is `around` m left of the
        road's middle there, and comes back."""
        s, length = np.arange(len(line)) * self._road.step, self._road.length
        past = s - at
        if self._road.closed:
            past = (past + length / 2) % length - length / 2
        leave = np.clip((past + out) / (0.9 * out), 0, 1)
        back = np.clip((_BACK - past) / (0.7 * _BACK), 0, 1)
        part = np.minimum(leave, back)
        return np.asarray(line + (around - line) * (3 * part**2 - 2 * part**3))

    def add_danger(
        self, danger: str, at: float, values: Mapping[str, float], rng: np.random.Generator, line: Array
    ) -> Array:
        """Add what makes it dangerous `at` m along the road; return the wanted line (points,) that avoids it."""
        road, time = self._road, np.arange(0, LASTS, TICK)
        lane = self._own_lane()
        if danger == "cut-in":  # beside or ahead in the other lane, then into this one
            parts, speed = _car(rng), 0.8 * values["car.speed"]
            when = max(at - BEHIND, 1.0) / values["car.speed"]
            part = np.clip((time - when) / 2, 0, 1)
            across = road.half_width - 1.2 + (lane - road.half_width + 1.2) * (3 * part**2 - 2 * part**3)
            place, heading, _ = road.at(_inside(road, BEHIND + 8 + speed * time), across)
            self.add("car", np.column_stack([place, np.unwrap(heading)]), parts)
            return line
        if danger == "pedestrian":  # from the right side across the road, as the car comes near
            parts, speed = _person(rng), 1.2 * values["pedestrians.speed"]
            when = max(max(at - BEHIND, 1.0) / values["car.speed"] - 2.5, 0.0)
            self._add_walker(Walker(at, -(road.half_width + 0.8), speed, steps_out=when), parts)
            return line
        kind = "car" if rng.random() < 0.5 else "barrier"
        parts = _car(rng) if kind == "car" else _barrier(rng, self._across())
        beside = lane - (0.25 * road.lane_width if road.lanes == 1 else 0.0)
        place, heading, _ = road.at(at, beside)
        self._add_avoided(kind, np.array([*place, float(heading) + _TURNED.get(kind, 0.0)]), parts)
        around = road.lane_width / 2 if road.lanes == 2 else 0.3 * road.lane_width
        return self._led_around(line, at, around)

    def _add_avoided(self, kind: str, place: Array, parts: Sequence[_Part]) -> None:
        """Add a thing that the line leads around."""
        self._avoided.append(len(self._kinds))
        self.add(kind, place, parts)

    def _add_walker(self, walker: Walker, parts: Sequence[_Part]) -> None:
        """Add somebody who is on the way once everybody is there."""
        self._walkers[len(self._kinds)] = walker
        self.add("pedestrian", np.zeros(3), parts)

    @property
    def avoided(self) -> tuple[int, ...]:
        return tuple(self._avoided)

    @property
    def walkers(self) -> tuple[int, ...]:
        return tuple(self._walkers)

    def walk(self, rng: np.random.Generator) -> Pavements | None:
        """Put the people where they begin; return who walks, if anybody does."""
        if not self._walkers:
            return None
        people = Pavements(self._road, list(self._walkers.values()), rng, seconds=LASTS)
        for thing, first in zip(self._walkers, people.first, strict=True):
            self._tracks[thing] = first[None]
        return people

    def _across(self) -> float:
        """m, how long a barrier across the driven lane may be so that a car gets past."""
        return (0.45 if self._road.lanes == 2 else 0.3) * self._road.lane_width

    def _own_lane(self) -> float:
        """m, the middle of the lane that is driven, from the road's middle."""
        return -self._road.lane_width / 2 if self._road.lanes == 2 else 0.0


def _inside(road: Road, s: Array) -> Array:
    """Places along the road; on an open one not beyond its ends."""
    return s if road.closed else np.clip(s, 0, road.length)


#: shape, centre (3), halves (3), turn, colour (3)
_Part = tuple[float, ...]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """As `rng.uniform`, which takes several times as long for a single number."""
    return low + (high - low) * rng.random()


def _part(
    shape: str, centre: Sequence[float], size: Sequence[float], colour: Sequence[float], turn: float = 0
) -> _Part:
    return (SHAPES.index(shape), *centre, *(x / 2 for x in size), turn, *colour)


def _colour(rng: np.random.Generator, vivid: float = 0.6) -> tuple[float, float, float]:
    """A random colour, from greys to vivid ones."""
    value, grey = _between(rng, 0.08, 1), rng.random()
    less = vivid * grey
    return value * (1 - less * rng.random()), value * (1 - less * rng.random()), value * (1 - less * rng.random())


def _cone(rng: np.random.Generator) -> list[_Part]:
    """A cone on its foot, or a flat disc as athletes and small cars go around."""
    flat = rng.random() < _FLAT
    high, wide = (_between(rng, 0.08, 0.25) if flat else _between(rng, 0.4, 1.4)), _between(rng, 0.3, 0.6)
    orange = (_between(rng, 0.8, 1), _between(rng, 0.05, 0.85), _between(rng, 0, 0.2))
    foot = [] if flat else [_part("box", (0, 0, 0.03), (1.3 * wide, 1.3 * wide, 0.06), orange)]
    return [_part("cone", (0, 0, high / 2), (wide, wide, high), orange), *foot]


def _barrier(rng: np.random.Generator, longest: float = np.inf) -> list[_Part]:
    long, high, deep = min(_between(rng, 1.5, 5), longest), _between(rng, 0.4, 1.1), _between(rng, 0.15, 0.5)
    red, white = (_between(rng, 0.5, 0.9), 0.1, 0.1), (0.85, 0.85, 0.85)
    if rng.random() < 0.5:
        return [_part("box", (0, 0, high / 2), (long, deep, high), _colour(rng))]
    return [_part("box", (0, 0, high / 4), (long, deep, high / 2), white),
            _part("box", (0, 0, 3 * high / 4), (long, deep, high / 2), red)]  # fmt: skip


def _car(rng: np.random.Generator) -> list[_Part]:
    long, wide, high = _between(rng, 3.6, 4.8), _between(rng, 1.6, 1.9), _between(rng, 1.35, 1.8)
    paint, glass, tyre = _colour(rng, 0.9), (0.1, 0.12, 0.15), (0.05, 0.05, 0.05)
    wheel = (0.65, 0.2, 0.65)
    return [
        _part("box", (0, 0, 0.25 + 0.22 * high), (long, wide, 0.44 * high), paint),
        _part("box", (-0.1 * long, 0, 0.25 + 0.6 * high), (0.5 * long, 0.88 * wide, 0.32 * high), glass),
        _part("box", (-0.1 * long, 0, 0.25 + 0.79 * high), (0.46 * long, 0.86 * wide, 0.08 * high), paint),
        *(_part("box", (i * 0.31 * long, j * (wide / 2 - 0.08), 0.33), wheel, tyre) for i in (-1, 1) for j in (-1, 1)),
    ]  # fmt: skip


def _person(rng: np.random.Generator) -> list[_Part]:
    tall = _between(rng, 1.5, 1.95)
    skin = tuple(_between(rng, 0.25, 0.9) * np.array([1, 0.8, 0.65]))
    return [
        _part("box", (0, 0, 0.23 * tall), (0.25, 0.32, 0.46 * tall), _colour(rng)),
        _part("cylinder", (0, 0, 0.65 * tall), (0.3, 0.48, 0.38 * tall), _colour(rng, 0.9)),
        _part("cylinder", (0, 0, 0.92 * tall), (0.2, 0.2, 0.16 * tall), skin),
    ]


def _building(rng: np.random.Generator) -> list[_Part]:
    long, deep, high = _between(rng, 3, 16), _between(rng, 3, 10), _between(rng, 2, 12)
    return [_part("box", (0, 0, high / 2), (long, deep, high), _colour(rng))]


def _clutter(rng: np.random.Generator, most: int, thinnest: float = 0.08) -> list[_Part]:
    """A piece of clutter: a stack of up to `most` parts, thin ones and thick ones, as posts, trees, boxes and signs."""
    out, base = [], 0.0
    for _ in range(int(rng.integers(1, most + 1))):
        shape = SHAPES[int(rng.integers(3))]
        wide, deep = _between(rng, thinnest, 1.2), _between(rng, thinnest, 1.2)
        high = _between(rng, 0.2, 2.5)
        colour, turn = _colour(rng, 0.9), _between(rng, 0, np.pi)
        out.append(_part(shape, (0, 0, base + high / 2), (wide, deep, high), colour, turn))
        base += high
    return out
