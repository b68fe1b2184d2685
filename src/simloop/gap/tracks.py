"""The gap between simulated and real crowds: statistics of how people walk, and how far apart two sets of them are.

    simulated = track_statistics(simulate(scenes, seconds=30.0, every=4))
    real = track_statistics(read_tracks("hotel.txt"))
    gap = TrackGap.of(real)                                   # what counts as one: the spread of the real ones
    gap.energy_distance(simulated)                            # 0 where the two are one distribution
    gap.told_apart(simulated, seed=7)                         # how often a classifier is right about new people

A row of the statistics is a person at an instant. Simulated and real tracks are treated alike: both are taken each
0.4 s, the places of each are smoothed by weights 1/4, 1/2, 1/4 (marks made by hand jump by a few cm, which would be an
acceleration of 0.3 m/s^2 without, and is one of below 0.1 m/s^2 with it), and the first and last instants of a track
are left out, since nobody knows how somebody walked who was not seen yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.gap.images import ToldApart, energy_distance, mean_distance, told_apart
from simloop.gap.track_rows import KINDS, on_grid
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import TrajectorySet

#: s between two instants
EVERY = 0.4
#: instants at both ends of a track that only say how the others move
ENDS = 2
#: rows of each of both sets that a distance is computed of, drawn evenly, and that a classifier sees
_MOST, _TOLD = 1500, 400
#: quantiles that say how a statistic is distributed
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class TrackStatistic:
    """One number about a person at an instant.

    Attributes:
        name, unit: its own.
        description: what it is.
        least: the smallest spread that counts as one, where the real ones hardly differ.
    """

    name: str
    unit: str
    description: str
    least: float


STATISTICS = (
    TrackStatistic("speed", "m/s", "over 0.8 s", 0.05),
    TrackStatistic("acceleration", "m/s^2", "along the way", 0.05),
    TrackStatistic("turning", "rad/s", "of the direction of motion; 0 below 0.25 m/s", 0.05),
    TrackStatistic("straightness", "", "distance over way of up to 4 s around", 0.01),
    TrackStatistic("nearest distance", "m", "to the middle of another person; at most 5 m", 0.1),
    TrackStatistic("time to collision", "s", "of discs 0.4 m apart that go straight on; at most 8 s", 0.2),
    TrackStatistic("density", "1/m^2", "of others within 3 m", 0.02),
    TrackStatistic("lane order", "", "others ahead or behind in one's strip: same way (1) or towards one (-1)", 0.1),
)
assert tuple(s.name for s in STATISTICS) == KINDS
NAMES = KINDS


@dataclass(frozen=True, eq=False)
class TrackStatistics:
    """Statistics of people at instants.

    Attributes:
        values: (n, 8) `STATISTICS`, in their units.
        episode, entity: (n,) whose they are.
        time: (n,) s, in the episode.
    """

    values: Array
    episode: NDArray[np.int64]
    entity: NDArray[np.int64]
    time: Array

    def __len__(self) -> int:
        return len(self.values)

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> TrackStatistics:
        """Some of the rows."""
        return replace(self, values=self.values[rows], episode=self.episode[rows], entity=self.entity[rows],
                       time=self.time[rows])  # fmt: skip

    def moments(self) -> Array:
        """Mean and quantiles of each statistic, (1 + len(QUANTILES), 8); NaN without rows."""
        if not len(self):
            return np.full((1 + len(QUANTILES), len(STATISTICS)), np.nan)
        return np.concatenate([self.values.mean(axis=0)[None], np.quantile(self.values, QUANTILES, axis=0)])


def track_statistics(tracks: TrajectorySet, *, ends: int = ENDS) -> TrackStatistics:
    """Statistics of everybody in simulated or real tracks, at each 0.4 s.

    Args:
        tracks: with the channels x and y, in m; gaps end a track, and another one begins behind them.
        ends: instants at both ends of each track that are left out, at least 1.
    """
    if ends < 1:
        raise InputError(f"statistics of tracks leave out 1 or more instants at both ends, got {ends}")
    rows = on_grid(tracks, EVERY)
    values, inner = rows.statistics(EVERY, ends)
    time = np.asarray(rows.instant[inner] * EVERY, dtype=np.float64)
    return TrackStatistics(values[inner], rows.episode[inner], rows.entity[inner], time)


@dataclass(frozen=True, eq=False)
class TrackGap:
    """How far statistics are from real ones.

    Attributes:
        real: the real ones, all of them.
        scale: (8,) what counts as one of each statistic: the spread of the real ones.
        rows: (m, 8) real ones in these units that are compared.
        within: mean distance among them.
    """

    real: TrackStatistics
    scale: Array
    rows: Array
    within: float

    @classmethod
    def of(cls, real: TrackStatistics, *, scale: Array | None = None) -> TrackGap:
        """Measure from these real ones, in units of their own spread or of a `scale` (8,)."""
        if len(real) < 2:
            raise InputError("statistics of real tracks: nobody is seen long enough to say how people walk")
        units = np.maximum(real.values.std(axis=0), [s.least for s in STATISTICS]) if scale is None else scale
        rows = evenly(real.values / units, _MOST)
        return cls(real, units, rows, mean_distance(rows))

    def energy_distance(self, simulated: TrackStatistics) -> float:
        """Energy distance of all statistics at once; infinity where nobody was seen."""
        if len(simulated) < 2:
            return float("inf")
        return energy_distance(evenly(simulated.values / self.scale, _MOST), self.rows, within=self.within)

    def by_statistic(self, simulated: TrackStatistics) -> dict[str, float]:
        """Energy distance of each statistic alone, by name."""
        x = evenly(simulated.values / self.scale, _MOST)
        return {
            name: energy_distance(x[:, j : j + 1], self.rows[:, j : j + 1]) if len(x) > 1 else float("inf")
            for j, name in enumerate(NAMES)
        }

    def told_apart(self, simulated: TrackStatistics, *, seed: int = 0) -> ToldApart:
        """Classifier two-sample test; whoever is a person in an episode is never parted between learning and trying."""
        parts = []
        for found, name in ((simulated, "simulated"), (self.real, "real")):
            rng = stream(seed, "gap", "tracks", name)
            parts.append(found.of(np.sort(rng.choice(len(found), min(_TOLD, len(found)), replace=False))))
        one, two = (p.episode * (1 + p.entity.max(initial=0)) + p.entity for p in parts)
        return told_apart(parts[0].values / self.scale, parts[1].values / self.scale, blocks=(one, two), seed=seed)


def evenly(rows: Array, most: int) -> Array:
    """At most `most` of the rows (n, k), spread evenly over them."""
    if len(rows) <= most:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)])
