"""How far a policy drives before someone must take the wheel: kilometres per intervention, error, comfort.

    found = close_loop(world, policy, see=see, distribution=world.distribution("wide"), kilometres=5, seed=1)
    found.kilometres_per_intervention, found.error, found.acceleration, found.jerk

A policy steers; the expert holds the speed, for all policies alike. After Bewley et al. (arXiv 1812.03823, section V):
where a car is more than half a lane off the wanted line, or off the road, someone intervenes; it is counted, and the
car goes on from the line there. Nothing is run into: things are for cameras, and for the expert's speed. Roads and all
that is random on them are of the seed, so that policies are compared on the same ones; take one that no training had.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.worlds.drive.channels import AT
from simloop.worlds.drive.course import Courses, course_of
from simloop.worlds.drive.expert import clear_speed, hold_speed, line_at, predicted, sight, steer_to
from simloop.worlds.drive.parameters import DANGERS
from simloop.worlds.drive.scene import AHEAD, BEHIND, LASTS, Scene, make_scene
from simloop.worlds.drive.world import CAR, Drive
from simloop.worlds.loop_channel import LoopChannel

#: (number of the road, scene, states (m, 7), s after the scene's start) -> what the policy sees of them, (m, ...)
See = Callable[[int, Scene, Array, float], Any]
#: what is seen (n, ...) -> commands (n,), or (n, 1 or more) of which the first is steering
Steers = Callable[[Any], Any]
#: what is seen (n, ...) and the expert's steering there (n,) -> nothing
Witness = Callable[[Any, Array], None]
#: lane widths off the line at which someone intervenes
OFF = 0.5
#: s that a car may stand before it is put on, and m that it is put on by
_PATIENCE, _ON = 15.0, 20.0
#: steps after which it is asked again what is in the way
_MIND = 5
_NO_OTHERS = {"traffic.count": 0.0, "pedestrians.count": 0.0}


@dataclass(frozen=True)
class Driven:
    """What came of a drive.

    Attributes:
        metres: (roads,) driven on each road.
        interventions: (roads,) on each.
        stuck: (roads,) how often a car stood so long that it was put on, which is no intervention.
        error: m, root mean square of how far off the line it was.
        acceleration: m/s^2, root mean square of that to the side.
        jerk: m/s^3, root mean square of its change.
        speed: m/s, mean.
        places: (roads,) m along the road where someone intervened, each (k,).
    """

    metres: Array
    interventions: NDArray[np.int64]
    stuck: NDArray[np.int64]
    error: float
    acceleration: float
    jerk: float
    speed: float
    places: tuple[Array, ...] = field(repr=False)

    @property
    def kilometres(self) -> float:
        return float(self.metres.sum() / 1000)

    @property
    def kilometres_per_intervention(self) -> float:
        """Infinite where there was none: see the interval."""
        n = int(self.interventions.sum())
        return self.kilometres / n if n else math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the kilometres per intervention, if they come independently (Garwood, 1936)."""
        from scipy.stats import chi2

        n = int(self.interventions.sum())
        most = chi2.ppf(0.975, 2 * n + 2) / 2
        return self.kilometres / most, self.kilometres / (chi2.ppf(0.025, 2 * n) / 2) if n else math.inf

    def to_dict(self) -> dict[str, Any]:
        return {
            "kilometres": self.kilometres,
            "interventions": int(self.interventions.sum()),
            "kilometres_per_intervention": self.kilometres_per_intervention,
            "interval": self.interval,
            "stuck": int(self.stuck.sum()),
            "error": self.error,
            "acceleration": self.acceleration,
            "jerk": self.jerk,
            "speed": self.speed,
        }


def constant(command: float = 0.0) -> Steers:
    """A policy that steers always alike."""
    return lambda seen: np.full(len(seen), command)


def close_loop(
    world: Drive,
    policy: Steers | None,
    *,
    see: See | None = None,
    distribution: Distribution | None = None,
    roads: int = 16,
    kilometres: float = 5.0,
    others: bool = False,
    seed: int = 0,
    witness: Witness | None = None,
    progress: Progress = silent,
) -> Driven:
    """Let a policy drive.

    Args:
        world: world `drive`.
        policy: what is seen (roads, ...) -> commands (roads,) or (roads, 1 or more), of which the first is steering,
            -1 left to 1 right; one with a memory is told by `begin` where a car was put elsewhere. None: the expert.
        see: what a policy sees; None: what task `lane` observes.
        distribution: what roads and cars are drawn from; None: the defaults.
        roads: how many, one car on each, side by side.
        kilometres: to drive in all, evenly on all roads. A car at the end of an open road starts on it again.
        others: whether there are other cars and people who move, and dangers by them. The expert's speed minds them; a
            car that stands for a quarter of a minute is put on. Tracks end after a minute, then a scene starts again.
        seed: of everything random.
        witness: told at every decision what the policy saw and what the expert would have done there.
        progress: told how far it is.
    """
    if roads < 1 or not kilometres > 0:
        raise InputError(f"closed loop needs at least 1 road and some way to drive, got {roads} and {kilometres:g} km")
    rows = (distribution or Point(world.parameters)).sample(roads, stream(seed, "closed loop", "rows"))
    if not others:
        rows = _alone(world, rows)
    names = world.parameters.names
    scenes = [
        make_scene(dict(zip(names, row.tolist(), strict=True)), stream(seed, "closed loop", "scene", k))
        for k, row in enumerate(rows)
    ]
    for scene, (base, _, turn, *_) in zip(scenes, world.forms(rows), strict=True):
        scene.road.check(tightest=base / math.tan(turn))
    drive = _Drive(world, scenes, rows, others, stream(seed, "closed loop", "starts"), seed)
    return drive.run(policy, see, 1000 * kilometres / roads, witness, progress)


def _alone(world: Drive, rows: Array) -> Array:
    """The rows (n, d) without what moves."""
    out, index = rows.copy(), world.parameters.index
    for name, value in _NO_OTHERS.items():
        out[:, index(name)] = value
    kind = out[:, index("danger.kind")]
    moving = np.isin(kind, [DANGERS.index("cut-in"), DANGERS.index("pedestrian")])
    out[:, index("danger.kind")] = np.where(moving, DANGERS.index("none"), kind)
    return out


class _Drive:
    """Cars, one on each road, while they drive."""

    def __init__(
        self, world: Drive, scenes: Sequence[Scene], rows: Array, others: bool, rng: np.random.Generator, seed: int
    ) -> None:
        n, index = len(scenes), world.parameters.index
        self._world, self._scenes, self._rows, self._others = world, scenes, rows, others
        self._courses = Courses([course_of(s.road, s.line, s.ice) for s in scenes])
        self._which: NDArray[np.int64] = np.arange(n)
        self._forms, self._cruise = world.forms(rows), rows[:, index("car.speed")].copy()
        self._width, self._delay = rows[:, index("road.lane_width")], rows[:, index("steering.delay")]
        self._half = np.array([s.road.half_width for s in scenes])
        self._length = np.array([s.road.length for s in scenes])
        self._open = np.array([not s.road.closed for s in scenes])
        self._begin = np.where(self._open, BEHIND, rng.uniform(0, self._length))
        self._last = np.maximum(self._length - AHEAD, BEHIND + 1)
        self._lookahead = rows[:, index("expert.lookahead")] * self._width
        self._channel = LoopChannel(world, world.channel, world.parameters, num_envs=n, steps=1, seed=seed)
        self._states, self._places, self._time = np.zeros((n, CAR)), np.zeros(n), np.zeros(n)
        self._clear = np.full(n, np.inf)
        self._values = np.zeros((n, sum(c.width for c in world.channels)))

    def _put(self, ids: NDArray[np.int64], along: Array) -> None:
        """Put cars `ids` (m,) on their lines, `along` (m,) m along the roads, at the speed that is wanted there."""
        which, rows = self._which[ids], self._rows[ids]
        places = self._courses.begin(which, along)
        states = np.zeros((len(ids), CAR))
        states[:, :3] = self._courses.ahead(which, places, np.zeros(len(ids)))
        values = self._courses.measure(states, places, which, self._forms[ids], self._cruise[ids])
        states[:, 3] = values[:, AT["line.speed"]]
        values = self._courses.measure(states, places, which, self._forms[ids], self._cruise[ids])
        self._states[ids], self._places[ids], self._values[ids] = states, places, values
        none = np.zeros((len(ids), 2))
        self._channel.begin(ids, rows, np.zeros(len(ids), dtype=np.int64), none, np.zeros(2), values)

    def run(
        self, policy: Steers | None, see: See | None, far: float, witness: Witness | None, progress: Progress
    ) -> Driven:
        """Drive until every car has gone `far` m."""
        n, dt = len(self._scenes), self._world.control_dt
        task, total = self._world.task("lane"), _Total(n, dt)
        self._put(np.arange(n), self._begin)
        fresh = np.ones(n, dtype=bool)
        stood = np.zeros(n)
        for step in itertools.count():
            if (total.metres >= far).all():
                break
            if policy is None:
                steering = self._expert()
            else:
                seen = np.asarray(task.observe(self._values), dtype=np.float32) if see is None else self._see(see)
                if fresh.any() and hasattr(policy, "begin"):
                    policy.begin(fresh)
                if witness is not None:
                    witness(seen, self._expert())
                steering = _checked(policy(seen), n)
            commands = np.column_stack(
                [steering, hold_speed(self._states[:, 3], self._wanted(step), self._forms[:, 3])]
            )
            reached = self._channel.act(commands)
            self._values = self._courses.drive(
                self._states, self._places, self._which, self._forms, self._cruise, reached, dt, steps=1
            )[:, 0]
            self._time += dt
            total.add(self._states, self._values[:, AT["line.offset"]] * self._width, fresh, far)
            stood = np.where(self._states[:, 3] < 0.1, stood + dt, 0.0)
            fresh = self._put_back(total, stood, far)
            progress(f"{total.done(far):.0%} driven", total.done(far))
        return total.driven()

    def _put_back(self, total: _Total, stood: Array, far: float) -> NDArray[np.bool_]:
        """Put cars back that someone must take hold of, or that are at the end of a road; which (n,) they are."""
        along = self._courses.along(self._which, self._places)
        offset = self._values[:, AT["line.offset"]]
        off = (np.abs(offset) > OFF) | (self._beside() > self._half) | ~np.isfinite(offset)
        stuck = (stood > _PATIENCE) & ~off
        over = self._open & (along > self._last) & ~off
        total.intervene(off & (total.metres < far), along)
        total.stuck += stuck & (total.metres < far)
        stood[stuck] = 0.0
        along = np.where(stuck, along + _ON, along)
        along = np.where(over | (self._open & (along > self._last)), BEHIND, along)
        self._time[over | (self._time > LASTS)] = 0.0
        moved = off | stuck | over
        if moved.any():
            ids = np.flatnonzero(moved)
            self._put(ids, np.where(np.isfinite(along[ids]), along[ids], BEHIND))
        return moved

    def _beside(self) -> Array:
        """(n,) m, how far from the roads' middle the cars are."""
        along = self._courses.along(self._which, self._places)
        line = [float(line_at(s.road, s.line, at)) for s, at in zip(self._scenes, along.tolist(), strict=True)]
        return np.abs(np.array(line) + self._values[:, AT["line.offset"]] * self._width)

    def _wanted(self, step: int) -> Array:
        """(n,) m/s."""
        if self._others and step % _MIND == 0:
            along = self._courses.along(self._which, self._places)
            self._clear = np.array([
                clear_speed(scene, time, self._states[k, :2], along[k], self._forms[k, 3])
                for k, (scene, time) in enumerate(zip(self._scenes, self._time.tolist(), strict=True))
            ])  # fmt: skip
        return np.minimum(self._values[:, AT["line.speed"]], self._clear)

    def _expert(self) -> Array:
        ahead = sight(self._lookahead, self._values, self._states[:, 3])
        moved = predicted(self._states, self._delay)
        points = self._courses.ahead(self._which, self._places, ahead + self._states[:, 3] * self._delay)
        return steer_to(points[:, :2] - moved[:, :2], moved[:, 2], ahead, self._forms[:, 0], self._forms[:, 2])

    def _see(self, see: See) -> Array:
        """What all cars see, each on its own road."""
        return np.concatenate([
            np.asarray(see(k, scene, self._states[k : k + 1], float(self._time[k])))
            for k, scene in enumerate(self._scenes)
        ])  # fmt: skip


class _Total:
    """What adds up on the way."""

    def __init__(self, n: int, dt: float) -> None:
        self.metres, self.stuck = np.zeros(n), np.zeros(n, dtype=np.int64)
        self._dt, self._places = dt, [[] for _ in range(n)]  # type: ignore[var-annotated]
        self._squares, self._counts, self._sideways = np.zeros(3), np.zeros(3), np.zeros(n)
        self._seconds = 0.0

    def add(self, states: Array, off: Array, fresh: NDArray[np.bool_], far: float) -> None:
        """Count a step; of cars that have driven `far` enough nothing counts any more."""
        counts = (self.metres < far) & np.isfinite(off)
        sideways = states[:, 3] * states[:, 5]
        smooth = counts & ~fresh
        jerk = (sideways - self._sideways) / self._dt
        for j, (x, of) in enumerate(((off, counts), (sideways, counts), (jerk, smooth))):
            self._squares[j] += float((x[of] ** 2).sum())
            self._counts[j] += int(of.sum())
        self._sideways = sideways
        self._seconds += self._dt * int(counts.sum())
        self.metres += np.where(counts, np.hypot(states[:, 3], states[:, 4]) * self._dt, 0.0)

    def intervene(self, where: NDArray[np.bool_], along: Array) -> None:
        for i in np.flatnonzero(where):
            self._places[i].append(float(along[i]))

    def done(self, far: float) -> float:
        return float(np.minimum(self.metres / far, 1).mean())

    def driven(self) -> Driven:
        error, acceleration, jerk = np.sqrt(self._squares / np.maximum(self._counts, 1)).tolist()
        return Driven(
            metres=self.metres, interventions=np.array([len(p) for p in self._places]), stuck=self.stuck, error=error,
            acceleration=acceleration, jerk=jerk, speed=float(self.metres.sum() / max(self._seconds, 1e-9)),
            places=tuple(np.array(p) for p in self._places),
        )  # fmt: skip


def _checked(commands: Any, n: int) -> Array:
    """Steering (n,) of what a policy said."""
    said = np.asarray(commands, dtype=float)
    if said.shape[:1] != (n,) or not said.size:
        raise InputError(f"a policy that drives {n} cars must give {n} commands, got an array of shape {said.shape}")
    steering = said.reshape(n, -1)[:, 0]
    if not np.isfinite(steering).all():
        raise InputError(f"a policy steered {steering[~np.isfinite(steering)][0]} on road"
                         f" {int(np.argmax(~np.isfinite(steering)))}: expected a number from -1 to 1")  # fmt: skip
    return np.asarray(np.clip(steering, -1, 1))
