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

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.channels import CHANNELS, TRAIT, TRAITS
from simloop.worlds.crowd.scene import Scene

Interaction = Literal["none", "orca"]
INTERACTIONS: tuple[Interaction, ...] = ("none", "orca")
#: constants of the paper: m, s, steps, points
_SHIFT, _LENGTH, INTERVAL, STEPS, _LONG = 4.0, 40.0, 0.4, 21, 20
#: m, between the places that those who avoid others walk to; how near counts; and of bodies, from the first on
_APART, _REACH, _RADIUS = 2.0, 0.6, 0.2
#: m, below which a track has no direction
_STILL = 0.05


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

    def draw(self, rng: np.random.Generator) -> tuple[list[Array], Array]:
        """The people of a scene: paths (K, 2), m, of at least 40 m, and speeds (n,), m/s."""
        count = max(round(rng.normal(*self.people)), 1)
        drawn = [self._person(rng) for _ in range(count)]
        return [path for path, _ in drawn], np.array([speed for _, speed in drawn])

    def _person(self, rng: np.random.Generator) -> tuple[Array, float]:
        path = self.paths[rng.integers(len(self.paths))]
        speed = abs(_speed(path) + rng.normal(0, self.speed_deviation))
        path = path[::-1] if rng.random() < 0.5 else path
        path = path + rng.uniform(-_SHIFT, _SHIFT, 2)
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
    drawn = [source.draw(stream(seed, "sampling", k)) for k in range(scenes)]
    if interaction == "orca":
        from simloop.worlds.crowd.engine import simulate

        return simulate([_scene(*each) for each in drawn], seconds=(steps - 1) * INTERVAL, every=4, seed=seed)
    values, time, entity, lengths = [], [], [], [0]
    at = np.arange(steps) * INTERVAL
    for paths, speeds in drawn:
        walked = np.stack([_along(path, speed * at) for path, speed in zip(paths, speeds, strict=True)], axis=1)
        values.append(_rows(walked).reshape(-1, len(CHANNELS)))
        time.append(np.repeat(at, len(paths)))
        entity.append(np.tile(np.arange(len(paths)), steps))
        lengths.append(steps * len(paths))
    return TrajectorySet(
        CHANNELS, np.concatenate([np.zeros(0), *time]), np.concatenate([np.zeros((0, len(CHANNELS))), *values]),
        np.cumsum(lengths), entity=np.concatenate([np.zeros(0, dtype=np.int64), *entity]),
        meta={"world": "crowd/sampled", "seed": seed},
    )  # fmt: skip


def _speed(path: Array) -> float:
    """m/s, mean along a track with points each 0.4 s."""
    return float(np.hypot(*np.diff(path, axis=0).T).mean() / INTERVAL)


def _along(path: Array, distance: Array) -> Array:
    """(n, 2) m, the places so far (n,), m, along a path's lines."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    return np.column_stack([np.interp(distance, length, path[:, axis]) for axis in (0, 1)])


def _rows(places: Array) -> Array:
    """(T, n, channels) of places (T, n, 2), m."""
    velocity = np.gradient(places, INTERVAL, axis=0)
    heading = np.arctan2(velocity[..., 1], velocity[..., 0])
    group = np.full(heading.shape, -1.0)
    return np.concatenate([places, np.stack([heading, group], axis=-1), velocity], axis=-1)


def _scene(paths: list[Array], speeds: Array) -> Scene:
    """The scene of people who walk to places along their paths; who would begin inside another is left out."""
    starts: list[Array] = []
    kept = []
    for i, path in enumerate(paths):
        if all(np.hypot(*(path[0] - other)) > 2.2 * _RADIUS for other in starts):
            starts.append(path[0])
            kept.append(i)
    goals = [_along(paths[i], np.arange(_APART, _LENGTH, _APART)) for i in kept]
    return Scene(
        walls=np.zeros((0, 4)), starts=np.array(starts), begins=np.zeros(len(kept)), routes=np.stack(goals),
        reach=np.full(len(kept), _REACH), traits=_traits(speeds[kept]), groups=np.full(len(kept), -1),
        stays=np.zeros(len(kept), dtype=np.bool_), name="sampled",
    )  # fmt: skip


def _traits(speeds: Array) -> Array:
    """(n, traits) of attentive people of those speeds, m/s."""
    like = {"radius": _RADIUS, "space": 0.1, "reaction": 0.2, "horizon": 2.0, "sight": 8.0, "share": 0.5}
    traits = np.zeros((len(speeds), len(TRAITS)))
    traits[:, TRAIT["speed"]] = np.maximum(speeds, 0.05)
    for name, value in like.items():
        traits[:, TRAIT[name]] = value
    return traits
