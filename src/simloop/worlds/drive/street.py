"""People beside a road of world `drive`: those of world `crowd`, who walk on its pavements and step out.

    walks = walk_beside(road, [Walker(s=20.0, d=-3.2, speed=1.3, way=1)], rng)       # one (T, 3) for each

They walk in the road's own frame, where it is straight: x is the way along it, y how far to its left. There the edges
of the roadway are walls with a gap where somebody steps out, and everybody makes way for the others. In bends people
are faster or slower than they would be, by how much longer or shorter the pavement is than the road's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.people import PEOPLE, draw_traits
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.drive.road import Road

#: s, a step of those who walk
STEP = 0.5
#: m, how near the roadway bodies come; and half the width of the gap where somebody steps out
_EDGE, _GAP = 0.3, 1.0
#: m, between two who begin
_APART = 0.8
#: m, beyond the ends of the road
_BEYOND = 5.0
#: how people walk where nobody says it
_USUAL = {row.parameter.name: row.parameter.default for row in PEOPLE}


@dataclass(frozen=True)
class Walker:
    """Somebody beside the road.

    Attributes:
        s: m along the road, where the walk begins; of who steps out, where that happens.
        d: m to the left of the road's middle.
        speed: m/s; 0 for who stands.
        way: 1 along the road, -1 against it.
        steps_out: s, when the walker leaves the pavement and crosses the road; NaN: never.
    """

    s: float
    d: float
    speed: float
    way: int = 1
    steps_out: float = float("nan")


class Pavements:
    """Walkers beside a road; nobody takes a step before somebody asks where they are later.

    Attributes:
        first: (n, 3) x, y, m, and heading, rad, where each is at first.
    """

    def __init__(self, road: Road, walkers: Sequence[Walker], rng: np.random.Generator, *, seconds: float) -> None:
        """Put people where they begin.

        Args:
            road: the road.
            walkers: who walks.
            rng: of what they are like, and of how they stray.
            seconds: how long they walk.
        """
        self._road, self._walkers, self._seconds = road, list(walkers), seconds
        self._seed = int(rng.integers(1 << 31))
        starts, goals = self._ways = _ways(road, walkers, seconds)
        ahead = goals - starts
        turn = np.where([w.speed > 0 for w in walkers], np.arctan2(ahead[:, 1], ahead[:, 0]), 0.0)
        place, heading, _ = road.at(starts[:, 0], starts[:, 1])
        self.first = np.column_stack([place, heading + turn])

    def walks(self, tick: float) -> list[Array]:
        """Where people are: one (T, 3), x, y, m, and heading, rad, for each, every `tick` s."""
        from simloop.worlds.crowd.engine import Batch

        steered = np.array([np.isfinite(w.steps_out) for w in self._walkers])
        scene = _street(self._road, self._walkers, *self._ways, stream(self._seed, "traits"), self._seconds)
        batch = Batch([scene], dt=STEP, seed=self._seed, steered=steered, threads=1)
        steps = round(self._seconds / STEP)
        places = np.empty((steps + 1, len(self._walkers), 3))
        told = np.zeros((len(self._walkers), 2)) if steered.any() else None
        who = [(i, self._walkers[i]) for i in np.flatnonzero(steered).tolist()]
        for k in range(steps + 1):
            places[k, :, :2], places[k, :, 2] = batch.position, batch.heading
            for i, walker in who:
                assert told is not None
                told[i] = (_where(self._road, walker, (k + 1) * STEP) - batch.position[i]) / STEP
            batch.step(told)
        time = np.arange(0, self._seconds, tick)
        return [_on_road(self._road, places[:, i], time, w) for i, w in enumerate(self._walkers)]


def walk_beside(
    road: Road, walkers: Sequence[Walker], rng: np.random.Generator, *, seconds: float, tick: float
) -> list[Array]:
    """Where walkers are every `tick` s for `seconds`: one (T, 3), x, y, m, and heading, rad, for each."""
    return Pavements(road, walkers, rng, seconds=seconds).walks(tick)


def _ways(road: Road, walkers: Sequence[Walker], seconds: float) -> tuple[Array, Array]:
    """Where walkers begin and where they go, (n, 2) and (n, 2), on the road made straight."""
    starts = _apart(np.array([_where(road, w, 0.0) for w in walkers]))
    ends = np.array([w.s + w.way * w.speed * seconds for w in walkers])
    goals = np.stack([ends if road.closed else np.clip(ends, 0, road.length), starts[:, 1]], axis=1)
    stand = [w.speed <= 0 for w in walkers]
    goals[stand] = starts[stand]
    return starts, goals


def _street(
    road: Road, walkers: Sequence[Walker], starts: Array, goals: Array, rng: np.random.Generator, seconds: float
) -> Scene:
    """The road made straight, as a scene of world `crowd`."""
    n = len(walkers)
    traits = draw_traits(_USUAL, n, rng)
    traits[:, TRAIT["speed"]] = [w.speed for w in walkers]
    return Scene(
        walls=_edges(road, walkers, seconds), starts=starts, begins=np.zeros(n), routes=goals[:, None],
        reach=np.full(n, 0.3), traits=traits, groups=np.full(n, -1), stays=np.ones(n, dtype=bool), name="street",
    )  # fmt: skip


def _edges(road: Road, walkers: Sequence[Walker], seconds: float) -> Array:
    """(W, 4) m, the edges of the roadway as walls."""
    far = _BEYOND + max(w.speed for w in walkers) * seconds * road.closed
    gaps = sorted(w.s for w in walkers if np.isfinite(w.steps_out))
    ends = [-far, *(s + side for s in gaps for side in (-_GAP, _GAP)), road.length + far]
    edge = road.half_width + _EDGE
    return np.array([[a, d, b, d] for d in (-edge, edge) for a, b in zip(ends[::2], ends[1::2], strict=True)])


def _apart(starts: Array) -> Array:
    """Starts (n, 2) of which none is inside another: those who come later in the list begin farther along."""
    free = starts.copy()
    for i in range(1, len(free)):
        while (np.hypot(*(free[:i] - free[i]).T) < _APART).any():
            free[i, 0] += _APART
    return free


def _where(road: Road, walker: Walker, time: float) -> Array:
    """(2,) m, where a walker is meant to be: of who steps out along the pavement, then across; else the start."""
    if not np.isfinite(walker.steps_out):
        return np.array([walker.s, walker.d])
    left = walker.steps_out - time
    s = max(walker.s - walker.way * walker.speed * max(left, 0), 0.0)
    across = walker.speed * max(-left, 0)
    far = road.half_width + 3
    return np.array([s, min(walker.d + across, far) if walker.d < 0 else max(walker.d - across, -far)])


def _on_road(road: Road, places: Array, time: Array, walker: Walker) -> Array:
    """(T, 3) x, y and heading at some times of somebody who was at (k, 3) places of the straight road."""
    known = np.arange(len(places)) * STEP
    turned = places[:, 2] if walker.speed > 0 else np.zeros(len(places))
    s, d, turn = (np.interp(time, known, column) for column in (places[:, 0], places[:, 1], np.unwrap(turned)))
    place, heading, _ = road.at(s, d)
    return np.column_stack([place, np.unwrap(heading) + turn])
