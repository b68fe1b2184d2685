"""Crowds sampled from a few real tracks (Anderson, Du, Vasudevan and Johnson-Roberson, IROS 2019, arXiv 1903.01860).

    source = TrackSource.fit(track_set("eth-ucy/zara1/train"))
    tracks = sample_crowds(source, 100, seed=7)                         # as published: nobody sees anybody
    tracks = sample_crowds(source, 100, seed=7, interaction="orca")     # the same people, who avoid each other

As published, a scene has round(N(mean, deviation)) people, at least one. Each follows a real track, reversed half of
the time, shifted by up to 4 m each way and begun anywhere where it has more than 20 points, at the speed
|the track's mean + N(0, deviation)|; it goes on straight until it is 40 m long, and is walked along its lines for 21
steps of 0.4 s. What is ours: people who walk towards the places of their sampled path by ORCA.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.channels import TRAIT, TRAITS
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.world import STEP

Interaction = Literal["none", "orca"]
INTERACTIONS: tuple[Interaction, ...] = ("none", "orca")
#: constants of the paper: m, s, steps, points
_LENGTH, INTERVAL, STEPS, _LONG = 40.0, 0.4, 21, 20
#: m, between the places that those who avoid others walk to; how near counts; and of bodies, from the first on
_APART, _REACH, _RADIUS = 2.0, 0.6, 0.2
#: m, below which a track has no direction
_STILL = 0.05


@dataclass(frozen=True)
class Sampling:
    """How people are sampled, relative to what was fitted where nothing else is said.

    Attributes:
        people: how many, in units of the fitted numbers.
        speed: how fast, in units of the fitted speeds.
        spread: how different their speeds are, in units of the fitted deviation.
        shift: m, by which tracks are moved at most, each way.
        reversed_: part of the tracks that are walked the other way.
    """

    people: float = 1.0
    speed: float = 1.0
    spread: float = 1.0
    shift: float = 4.0
    reversed_: float = 0.5


PUBLISHED = Sampling()


@dataclass(frozen=True, eq=False)
class TrackSource:
    """What is known of a place's people.

    Attributes:
        paths: each (T, 2) m, at least two points, T - 1 steps of 0.4 s.
        people: mean and standard deviation of how many are there at an instant.
        speed_deviation: m/s, of the tracks' mean speeds.
    """

    paths: tuple[Array, ...]
    people: tuple[float, float]
    speed_deviation: float

    @classmethod
    def fit(cls, tracks: TrajectorySet, *, most: int | None = None, seed: int = 0) -> TrackSource:
        """Read the numbers off recordings.

        Args:
            tracks: an episode for each recording, with rows 0.4 s apart.
            most: tracks that are kept to be followed, drawn at random; None: all.
            seed: of that draw.
        """
        paths, counts = [], []
        place = np.column_stack([tracks.column("x"), tracks.column("y")])
        entity = np.zeros(len(place), dtype=np.int64) if tracks.entity is None else tracks.entity
        for a, b in zip(tracks.offsets[:-1], tracks.offsets[1:], strict=True):
            counts.append(np.unique(np.round(tracks.time[a:b], 3), return_counts=True)[1])
            own = [place[a:b][entity[a:b] == person] for person in np.unique(entity[a:b])]
            paths += [path for path in own if len(path) > 1 and np.isfinite(path).all()]
        if not paths:
            raise InputError("crowds are sampled from tracks: expected a person with at least two points, found none")
        number = np.concatenate(counts)
        # shorter tracks than the paper's windows of 8 steps say little of a speed
        speeds = np.array([_speed(path) for path in paths if len(path) >= 8] or [_speed(path) for path in paths])
        if most is not None and most < len(paths):
            keep = stream(seed, "sampling", "kept").choice(len(paths), size=most, replace=False)
            paths = [paths[i] for i in np.sort(keep)]
        return cls(tuple(paths), (float(number.mean()), float(number.std())), float(speeds.std()))

    @classmethod
    def straight(cls, *, people: tuple[float, float] = (8.0, 6.0)) -> TrackSource:
        """People of no recording: straight on, in all directions, at 1.34 +- 0.26 m/s (Weidmann 1993)."""
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        step = 1.34 * INTERVAL * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return cls(tuple(each * np.arange(_LONG)[:, None] for each in step), people, 0.26)

    @property
    def content(self) -> str:
        """The hash of what is known."""
        told = hashlib.sha256(repr((self.people, self.speed_deviation)).encode())
        for path in self.paths:
            told.update(np.ascontiguousarray(path).tobytes())
        return told.hexdigest()[:16]

    def draw(self, rng: np.random.Generator, how: Sampling = PUBLISHED) -> tuple[list[Array], Array]:
        """The people of a scene: paths (K, 2), m, of at least 40 m, and speeds (n,), m/s."""
        mean, deviation = self.people
        count = max(round(how.people * rng.normal(mean, deviation)), 1)
        drawn = [self._person(rng, how) for _ in range(count)]
        return [path for path, _ in drawn], np.array([speed for _, speed in drawn])

    def scene(self, rng: np.random.Generator, how: Sampling = PUBLISHED, *, meet: bool = False) -> Scene:
        """A scene of sampled people: who walk exactly along their paths, or who `meet`, and so begin apart."""
        paths, speeds = self.draw(rng, how)
        return _meeting(paths, speeds) if meet else _passing(paths, speeds)

    def _person(self, rng: np.random.Generator, how: Sampling) -> tuple[Array, float]:
        path = self.paths[rng.integers(len(self.paths))]
        speed = how.speed * abs(_speed(path) + rng.normal(0, how.spread * self.speed_deviation))
        path = path[::-1] if rng.random() < how.reversed_ else path
        path = path + rng.uniform(-how.shift, how.shift, 2)
        if len(path) > _LONG:
            path = path[rng.integers(len(path) - _LONG + 1) :]
        along = path[-1] - path[0]
        size = float(np.hypot(*along))
        angle = rng.uniform(-np.pi, np.pi)
        direction = along / size if size > _STILL else np.array([np.cos(angle), np.sin(angle)])
        missing = _LENGTH - float(np.hypot(*np.diff(path, axis=0).T).sum())
        return np.vstack([path, path[-1] + max(missing, 0.1) * direction]), float(speed)


def sample_crowds(
    source: TrackSource, scenes: int, *, seed: int = 0, interaction: Interaction = "none", steps: int = STEPS
) -> TrajectorySet:
    """Sample scenes; an episode for each, rows each 0.4 s, with the channels of world `crowd`.

    Args:
        source: what is known of the people.
        scenes: how many; scene k depends on the seed and k alone.
        seed: of everything random.
        interaction: "none", as published, or "orca".
        steps: instants in each.
    """
    if interaction not in INTERACTIONS:
        raise unknown("interaction", interaction, INTERACTIONS)
    meet = interaction == "orca"
    drawn = [source.scene(stream(seed, "sampling", k), meet=meet) for k in range(scenes)]
    model = "orca" if meet else "path"
    return simulate(
        drawn, seconds=(steps - 1) * INTERVAL, model=model, every=round(INTERVAL / STEP), dt=STEP, seed=seed
    )


def _speed(path: Array) -> float:
    """m/s, mean along a track with points each 0.4 s."""
    return float(np.hypot(*np.diff(path, axis=0).T).mean() / INTERVAL)


def _passing(paths: list[Array], speeds: Array) -> Scene:
    """The scene of people who walk along their paths and see nobody."""
    longest = max(len(path) for path in paths)
    routes = np.stack([np.pad(path[1:], ((0, longest - len(path)), (0, 0)), constant_values=np.nan) for path in paths])
    # who begins after 0 s comes walking
    return _of(np.array([path[0] for path in paths]), routes, np.full(len(paths), 1e-9), 0.05, _traits(speeds, 0.0))


def _meeting(paths: list[Array], speeds: Array) -> Scene:
    """The scene of people who walk to places along their paths; who would begin inside another is left out."""
    starts: list[Array] = []
    kept = []
    for i, path in enumerate(paths):
        if all(np.hypot(*(path[0] - other)) > 2.2 * _RADIUS for other in starts):
            starts.append(path[0])
            kept.append(i)
    routes = np.stack([_places(paths[i]) for i in kept])
    return _of(np.array(starts), routes, np.zeros(len(kept)), _REACH, _traits(speeds[kept], 0.05))


def _of(starts: Array, routes: Array, begins: Array, reach: float, traits: Array) -> Scene:
    n = len(starts)
    return Scene(
        walls=np.zeros((0, 4)), starts=starts, begins=begins, routes=routes, reach=np.full(n, reach), traits=traits,
        groups=np.full(n, -1), stays=np.zeros(n, dtype=np.bool_), name="sampled",
    )  # fmt: skip


def _places(path: Array) -> Array:
    """(K, 2) m, places each 2 m along a path's lines, so far as every path is long."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.arange(_APART, _LENGTH, _APART)
    return np.column_stack([np.interp(at, length, path[:, axis]) for axis in (0, 1)])


def _traits(speeds: Array, least: float) -> Array:
    """(n, traits) of attentive people of those speeds, m/s, or the least."""
    like = {"radius": _RADIUS, "space": 0.1, "reaction": 0.2, "horizon": 2.0, "sight": 8.0, "share": 0.5}
    traits = np.zeros((len(speeds), len(TRAITS)))
    traits[:, TRAIT["speed"]] = np.maximum(speeds, least)
    for name, value in like.items():
        traits[:, TRAIT[name]] = value
    return traits
