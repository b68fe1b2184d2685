"""Lines that cars follow, as arrays for compiled loops: where a car is beside its line, and what the line does ahead.

    courses = Courses([course_of(scene) for scene in scenes])
    place = courses.begin(which, along)                      # (n,) of each car on its line
    values = courses.drive(states, place, which, forms, cruise, commands, 0.05)

A line is the lateral place that is wanted along a road (`Scene.line`). What is measured is measured from it, with its
own bends, so that a line around an obstacle is one like any other. Before its start and after its end an open line goes
straight on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.drive.channels import CHANNELS, PREVIEW
from simloop.worlds.drive.compiled import compiled
from simloop.worlds.drive.expert import COMFORT, GENTLE, USED
from simloop.worlds.drive.road import Road
from simloop.worlds.drive.vehicle import GRAVITY, advance

#: m between two places ahead at which an expert looks at the bends
_LOOK = 1.5
#: m between two points of a line of which only what a car sees is known
LOCAL = 0.5
_PREVIEW = np.array(PREVIEW)


@dataclass(frozen=True, eq=False)
class Course:
    """A line along a road.

    Attributes:
        rows: (n, 5) of its points x, y, m, heading, rad, curvature, 1/m, and grip beside the usual; of a closed line
            the last is the first again, and the heading has gone on.
        closed: whether it is.
        step: m along the road between two points.
        lane_width: m.
    """

    rows: Array
    closed: bool
    step: float
    lane_width: float


def course_of(road: Road, offset_line: Array, ice: Array | None = None) -> Course:
    """The course of a line (n,), m to the left of the road's points, with ice (k, 3) from, to and grip."""
    s = np.arange(len(road.points)) * road.step
    middle, heading = road.points, road.heading
    normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    points = middle + offset_line[:, None] * normal
    line = Road(points, road.closed, road.lane_width, road.lanes)
    after = np.roll(points, -1, axis=0) - points
    sides = after if road.closed else after[:-1]
    angle, long = np.arctan2(sides[:, 1], sides[:, 0]), np.linalg.norm(sides, axis=1)
    if road.closed:
        turn, apart = angle - np.roll(angle, 1), (long + np.roll(long, 1)) / 2
    else:
        turn, apart = np.diff(angle, prepend=angle[:1], append=angle[-1:]), np.pad(long, (0, 1), mode="edge")
    curvature = ((turn + np.pi) % (2 * np.pi) - np.pi) / np.maximum(apart, 1e-6)
    grip = np.ones(len(s))
    for begin, end, part in np.zeros((0, 3)) if ice is None else ice:
        grip[(s >= begin) & (s <= end)] = part
    rows = np.column_stack([points, line.heading, curvature, grip])
    if road.closed:
        first = rows[:1].copy()
        gone = (first[0, 2] - rows[-1, 2] + np.pi) % (2 * np.pi) - np.pi
        first[0, 2] = rows[-1, 2] + gone
        rows = np.concatenate([rows, first])
    return Course(np.ascontiguousarray(rows), road.closed, road.step, road.lane_width)


def local_courses(states: Array, offset: Array, turned: Array, bends: Array, far: float) -> tuple[Array, Array]:
    """Lines around cars of which only what they see is known: bends at `PREVIEW`, evenly between, then as the last.

    Args:
        states: (n, 7) where the cars are.
        offset: (n,) m, how far left of the line.
        turned: (n,) rad, how far turned from it.
        bends: (n, 5) 1/m.
        far: m, how far ahead the lines must reach.

    Returns:
        rows (n, p, 5) as of a `Course` with steps of `LOCAL` m, and the place (n,) of each car on its line.
    """
    step, behind = LOCAL, 4
    s = np.arange(-behind, math.ceil((far + PREVIEW[-1]) / step) + 2) * step
    curvature = np.stack([np.interp(s, PREVIEW, b) for b in bends])
    heading = np.cumsum(curvature, axis=1) * step
    heading -= heading[:, [behind]] - (states[:, 2] - turned)[:, None]
    between = heading[:, :-1] + 0.5 * step * curvature[:, 1:]  # of the side from a point to the next
    places = np.zeros((2, *curvature.shape))
    places[:, :, 1:] = np.cumsum(step * np.stack([np.cos(between), np.sin(between)]), axis=2)
    at = states[:, 2] - turned
    here = np.stack([states[:, 0] + offset * np.sin(at), states[:, 1] - offset * np.cos(at)])
    places += (here - places[:, :, behind])[:, :, None]
    rows = np.stack([*places, heading, curvature, np.ones_like(curvature)], axis=-1)
    return rows, np.full(len(states), float(behind))


@compiled
def _follow(rows, first, sides, closed, place, x, y):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The place on a line that is nearest to x, y, found from one near it; beyond 0 to 1 at the ends."""
    k = min(max(math.floor(place), 0), sides - 1)
    went = 0
    for _ in range(sides):
        i = first + k
        sx, sy = rows[i + 1, 0] - rows[i, 0], rows[i + 1, 1] - rows[i, 1]
        t = ((x - rows[i, 0]) * sx + (y - rows[i, 1]) * sy) / (sx * sx + sy * sy)
        if t > 1 and (closed or k < sides - 1):
            if went < 0:
                return k + 1.0
            went, k = 1, k + 1
            if k == sides:
                k = 0
        elif t < 0 and (closed or k > 0):
            if went > 0:
                return float(k)
            went, k = -1, k - 1
            if k < 0:
                k = sides - 1
        else:
            return k + t
    return float(k)


@compiled
def _bend(rows, first, sides, closed, place):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Curvature and grip at a place; straight beyond the ends of an open line."""
    if closed:
        place = place % sides
    elif place < 0 or place > sides:
        return 0.0, rows[first + (0 if place < 0 else sides), 4]
    k = min(int(place), sides - 1)
    t, i = place - k, first + k
    return rows[i, 3] + t * (rows[i + 1, 3] - rows[i, 3]), rows[i, 4]


@compiled
def _wanted(rows, first, sides, closed, step, place, grip, braking, cruise):  # type: ignore[no-untyped-def]  # pragma: no cover
    """m/s, as fast as all bends ahead allow that may be met before the car could stop, at most `cruise`."""
    best, gentle = cruise * cruise, GENTLE * braking
    far, reach = 0.0, cruise * cruise / (2 * gentle) + _LOOK
    while far <= reach:
        bend, part = _bend(rows, first, sides, closed, place + far / step)
        most = min(COMFORT, USED * grip * part * GRAVITY)
        square = most / max(abs(bend), 1e-9) + 2 * min(gentle, most) * far
        best = min(best, square)
        far += _LOOK
    return math.sqrt(best)


@compiled
def _measure(rows, first, sides, closed, step, width, place, state, form, cruise, preview, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the channels' values of one car."""
    k = min(max(math.floor(place), 0), sides - 1)
    t, i = place - k, first + k
    sx, sy = rows[i + 1, 0] - rows[i, 0], rows[i + 1, 1] - rows[i, 1]
    off = (sx * (state[1] - rows[i, 1]) - sy * (state[0] - rows[i, 0])) / math.sqrt(sx * sx + sy * sy)
    t = min(max(t, 0.0), 1.0)
    turned = state[2] - rows[i, 2] - t * (rows[i + 1, 2] - rows[i, 2])
    out[0], out[1], out[2], out[3] = state[0], state[1], state[2], state[6]
    out[4] = off / width
    out[5] = (turned + math.pi) % (2 * math.pi) - math.pi
    out[6] = _wanted(rows, first, sides, closed, step, place, form[5], form[3], cruise)
    for j in range(len(preview)):
        out[7 + j], _ = _bend(rows, first, sides, closed, place + preview[j] / step)
    c, s = math.cos(state[2]), math.sin(state[2])
    out[7 + len(preview)] = state[3] * c - state[4] * s
    out[8 + len(preview)] = state[3] * s + state[4] * c
    out[9 + len(preview)] = state[5]


@compiled
def _drive(rows, lines, which, places, states, forms, cruise, commands, every, dt, preview, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Drive cars in place; write the values after every `every` steps."""
    last = commands.shape[1] - 1
    for i in range(len(states)):
        first, sides = int(lines[which[i], 0]), int(lines[which[i], 1])
        closed, step, width = lines[which[i], 2] > 0, lines[which[i], 3], lines[which[i], 4]
        state, place = states[i], places[i]
        for k in range(out.shape[1] * every):
            _, ice = _bend(rows, first, sides, closed, place)
            at = min(k, last)
            advance(state, forms[i], commands[i, at, 0], commands[i, at, 1], ice, dt)
            if not math.isfinite(state[0] + state[1] + state[2]):
                out[i] = math.nan
                break
            place = _follow(rows, first, sides, closed, place, state[0], state[1])
            if (k + 1) % every == 0:
                _measure(rows, first, sides, closed, step, width, place, state, forms[i], cruise[i], preview,
                         out[i, k // every])  # fmt: skip
        places[i] = place


@compiled
def _look(rows, lines, which, places, states, forms, cruise, preview, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(len(states)):
        a = lines[which[i]]
        places[i] = _follow(rows, int(a[0]), int(a[1]), a[2] > 0, places[i], states[i, 0], states[i, 1])
        _measure(rows, int(a[0]), int(a[1]), a[2] > 0, a[3], a[4], places[i], states[i], forms[i], cruise[i], preview,
                 out[i])  # fmt: skip


@compiled
def _find(rows, lines, which, states, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(len(states)):
        first, sides = int(lines[which[i], 0]), int(lines[which[i], 1])
        x, y = states[i, 0], states[i, 1]
        nearest, best = 0, math.inf
        for k in range(sides + 1):
            far = (rows[first + k, 0] - x) ** 2 + (rows[first + k, 1] - y) ** 2
            if far < best:
                nearest, best = k, far
        out[i] = _follow(rows, first, sides, lines[which[i], 2] > 0, float(nearest), x, y)


@compiled
def _points(rows, lines, which, places, ahead, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for i in range(len(places)):
        first, sides = int(lines[which[i], 0]), int(lines[which[i], 1])
        place = places[i] + ahead[i] / lines[which[i], 3]
        if lines[which[i], 2] > 0:
            place = place % sides
        k = min(max(math.floor(place), 0), sides - 1)
        for j in range(2):
            out[i, j] = rows[first + k, j] + (place - k) * (rows[first + k + 1, j] - rows[first + k, j])
        out[i, 2] = rows[first + k, 2] + min(max(place - k, 0.0), 1.0) * (rows[first + k + 1, 2] - rows[first + k, 2])


class Courses:
    """Lines that cars are driven along; `which` (n,) says of each car on which one it is.

    Args:
        courses: the lines.
    """

    def __init__(self, courses: Sequence[Course]) -> None:
        firsts = np.cumsum([0] + [len(c.rows) for c in courses])
        self._rows = np.concatenate([c.rows for c in courses])
        self._lines = np.array(
            [[f, len(c.rows) - 1, c.closed, c.step, c.lane_width] for f, c in zip(firsts, courses, strict=False)]
        )

    @classmethod
    def of_rows(cls, rows: Array, lane_widths: Array) -> Courses:
        """Open lines of equally many points, `LOCAL` m apart: rows (n, p, 5), widths (n,) m."""
        n, p = rows.shape[:2]
        made = cls.__new__(cls)
        made._rows = np.ascontiguousarray(rows.reshape(n * p, 5))
        made._lines = np.column_stack(
            [np.arange(n) * p, np.full(n, p - 1), np.zeros(n), np.full(n, LOCAL), lane_widths]
        )
        return made

    def begin(self, which: NDArray[np.int64], along: Array) -> Array:
        """Places (n,) of what is `along` (n,) m along the roads."""
        return np.asarray(along / self._lines[which, 3])

    def along(self, which: NDArray[np.int64], places: Array) -> Array:
        """How far along the roads places (n,) are, (n,) m."""
        return np.asarray(places * self._lines[which, 3])

    def find(self, which: NDArray[np.int64], states: Array) -> Array:
        """Places (n,) on their lines of cars (n, 7) that may be anywhere."""
        out = np.empty(len(states))
        _find(self._rows, self._lines, which, states, out)
        return out

    def drive(
        self, states: Array, places: Array, which: NDArray[np.int64], forms: Array, cruise: Array, commands: Array,
        dt: float, *, steps: int, every: int = 1,
    ) -> Array:  # fmt: skip
        """Drive cars on, in place.

        Args:
            states: (n, 7), written.
            places: (n,) on their lines, written.
            which: (n,) the lines.
            forms: (n, 7) see `vehicle.FORM`.
            cruise: (n,) m/s, wanted where it is straight.
            commands: (n, k, 2) steering and throttle of each step; the last one is held.
            dt: s, of a step.
            steps: how many.
            every: values are measured after every so many.

        Returns:
            (n, steps // every, D) the values of `CHANNELS`; NaN from where a car is no number.
        """
        out = np.empty((len(states), steps // every, len(CHANNELS)))
        _drive(self._rows, self._lines, which, places, states, forms, cruise, np.ascontiguousarray(commands), every,
               dt, _PREVIEW, out)  # fmt: skip
        return out

    def measure(self, states: Array, places: Array, which: NDArray[np.int64], forms: Array, cruise: Array) -> Array:
        """The values (n, D) of cars where they are; their places (n,) are found from near ones, and written."""
        out = np.empty((len(states), len(CHANNELS)))
        _look(self._rows, self._lines, which, places, states, forms, cruise, _PREVIEW, out)
        return out

    def ahead(self, which: NDArray[np.int64], places: Array, far: Array) -> Array:
        """x, y, m, and heading, rad, (n, 3) of the lines `far` (n,) m along the roads from places (n,)."""
        out = np.empty((len(places), 3))
        _points(self._rows, self._lines, which, places, np.ascontiguousarray(far, dtype=float), out)
        return out
