"""The comparison of behaviour: how far people of world `crowd` are from real ones who came and left as they do.

    problem = Behaviour.of(read_tracks("hotel.txt"), fitted=space)
    SimOpt(horizon=24.0, samples=48, windows=8).fit(problem, prior, seed=7)      # also cem
    Posterior(horizon=24.0, windows=24).fit(problem, prior, seed=7)

People who walk are not replayed: two crowds under the same parameters part within seconds. What is compared is how
people walk, as statistics of tracks say (`gap/tracks.py`): SimOpt and cem make the energy distance between simulated
and real ones small, and the posterior method sees their means and quantiles. Everybody enters where and when he really
did (`stretches.py`), so that the gap is of behaviour alone. Under all rows the same people have the same luck: a row
moves them, and not who they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.adapt.discrepancy import Summarised
from simloop.adapt.stretches import AFTER, BEFORE, Stretches, Tracks, cut_stretches
from simloop.distributions import Normal, Uniform
from simloop.errors import InputError
from simloop.gap.tracks import EVERY, NAMES, QUANTILES, TrackGap, TrackStatistics, track_statistics
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import number, stream
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.people import PEOPLE, draw_traits
from simloop.worlds.spreads import space

#: s of a step of the simulation, and simulations at once
STEP, _CHUNK = 0.1, 512


class Behaviour(Summarised[Stretches]):
    """People of world `crowd` beside real ones.

    Args:
        tracks: of real people.
        fitted: the behaviour parameters that rows are of.
        groups: who walked with whom: the number of a group for (episode, person).
        walls: (W, 4) m of each recording.
        model: of walking.
        seed: of who people are and what luck they have.
    """

    reality: ClassVar[str] = "tracks of people"

    def __init__(
        self,
        tracks: TrajectorySet,
        *,
        fitted: ParameterSpace,
        groups: Mapping[tuple[int, int], int] | None = None,
        walls: Sequence[Array] = (),
        model: str = "orca",
        seed: int = 0,
    ) -> None:
        self.fitted, self.groups, self.walls, self.model = fitted, groups, walls, model
        self.rollouts, self.simulated_seconds = 0, 0.0
        self._seed = seed
        self._default = {row.parameter.name: row.parameter.default for row in PEOPLE}
        self.tracks = Tracks.of(tracks)
        #: of all real tracks, whose persons are numbers of tracks
        self.statistics = track_statistics(self.tracks.recorded(len(tracks)))
        #: (8,) what counts as one of each statistic
        self.scale = TrackGap.of(self.statistics).scale
        self._kept: tuple[Any, TrackGap] | None = None
        self._only: tuple[float, NDArray[np.int64]] | None = None

    def only(self, stretches: NDArray[np.int64], length: float) -> Behaviour:
        """The same problem of some stretches of `length` s alone: others are for tests."""
        other = object.__new__(Behaviour)
        other.__dict__.update(self.__dict__)
        other._only, other._kept = (length, stretches), None
        other.scale = TrackGap.of(other.real(other.cut(length))).scale
        return other

    @property
    def longest_window(self) -> float:
        instants = self.tracks.rows.instant
        return float(EVERY * (instants.max() - instants.min())) if self._only is None else self._only[0]

    def cut(self, horizon: float) -> Stretches:
        """All stretches of `horizon` s."""
        if self._only is not None:
            length, index = self._only
            return cut_stretches(self.tracks, length, groups=self.groups, walls=self.walls).take(index)
        found = cut_stretches(self.tracks, horizon, groups=self.groups, walls=self.walls)
        if not len(found):
            raise InputError(
                f"tracks of people: no stretch of {horizon:g} s in which somebody walks; give a shorter horizon, or"
                " longer recordings"
            )
        return found

    def discrepancy(self, rows: ArrayLike, pieces: Stretches, /) -> Array:
        """Energy distance of each row's people from the real ones of these stretches, (n, d) -> (n,)."""
        gap = self.gap(pieces)
        return np.array([gap.energy_distance(found) for found in self.simulated(rows, pieces)])

    def distance(self, rows: ArrayLike, pieces: Stretches, /) -> Array:
        return np.sqrt(np.maximum(self.discrepancy(rows, pieces), 0.0))

    def summaries(self, pieces: Stretches, /) -> TrackSummaries:
        """Means and quantiles of the statistics, over all these stretches."""
        return TrackSummaries(self, pieces)

    def gap(self, pieces: Stretches) -> TrackGap:
        """The measure of how far statistics are from those of the real people of these stretches."""
        if self._kept is None or self._kept[0] is not pieces.parts:
            self._kept = (pieces.parts, TrackGap.of(self.real(pieces), scale=self.scale))
        return self._kept[1]

    def real(self, pieces: Stretches) -> TrackStatistics:
        """Statistics of the real people who walk in these stretches; their `episode` is the number of the stretch."""
        return _joined([_during(self.statistics, s.episode, s.begins, s.ends, s.people[~s.stood], k)
                        for k, s in enumerate(pieces.parts)])  # fmt: skip

    def simulated(
        self, rows: ArrayLike, pieces: Stretches, *, draws: NDArray[np.int64] | None = None
    ) -> list[TrackStatistics]:
        """Statistics of simulated people in these stretches, one record for each row (n, d).

        Args:
            rows: of the fitted parameters.
            pieces: the stretches; `episode` of the statistics is their number.
            draws: (n,) number of the people and their luck; 0 for all rows by default.
        """
        x = self.fitted.check(rows)
        lucky = np.zeros(len(x), dtype=np.int64) if draws is None else draws
        each = max(1, _CHUNK // max(1, len(pieces)))
        found: list[TrackStatistics] = []
        for first in range(0, len(x), each):
            found += self._simulated(x[first : first + each], pieces, lucky[first : first + each])
        return found

    def walked(self, rows: Array, pieces: Stretches, draws: NDArray[np.int64]) -> TrajectorySet:
        """The simulated tracks: an episode for each row and stretch, rows outermost."""
        scenes, numbers = [], []
        for row, draw in zip(rows, draws, strict=True):
            values = self._default | dict(zip(self.fitted.names, row.tolist(), strict=True))
            for s in pieces.parts:
                named = ("behaviour", int(draw), s.episode, round(s.begins / EVERY))
                scenes.append(s.scene(draw_traits(values, len(s.people), stream(self._seed, *named))))
                numbers.append(number(self._seed, *named))
        self.rollouts += len(scenes)
        seconds = max(s.seconds for s in pieces.parts)
        self.simulated_seconds += len(scenes) * seconds
        return simulate(scenes, seconds=seconds, model=self.model, dt=STEP, every=round(EVERY / STEP), seed=self._seed,
                        numbers=numbers)  # fmt: skip

    def _simulated(self, rows: Array, pieces: Stretches, draws: NDArray[np.int64]) -> list[TrackStatistics]:
        every = track_statistics(self.walked(rows, pieces, draws))
        found = []
        for i in range(len(rows)):
            parts = [
                _during(every, i * len(pieces) + k, BEFORE, s.seconds - AFTER, np.flatnonzero(~s.stood), k)
                for k, s in enumerate(pieces.parts)
            ]
            found.append(_joined(parts))
        return found


@dataclass(frozen=True, eq=False)
class TrackSummaries:
    """Means and quantiles of the statistics of stretches: what the posterior method sees.

    Attributes:
        problem, pieces: what is summarised.
        amount: 1; nothing is added to simulations beside what they have of their own.
    """

    problem: Behaviour
    pieces: Stretches
    amount: float = 1.0

    @property
    def names(self) -> list[str]:
        return list(NAMES)

    @property
    def regressed(self) -> int:
        return (1 + len(QUANTILES)) * len(NAMES)

    def of_recordings(self) -> Array:
        return (self.problem.real(self.pieces).moments() / self.problem.scale).reshape(-1)

    def of_simulations(self, rows: Array, rng: np.random.Generator) -> Array:
        return (self.replicas(rows, rng) / self.problem.scale).reshape(len(rows), -1)

    def replicas(self, rows: Array, rng: np.random.Generator) -> Array:
        """Moments (n, 1, 1 + len(QUANTILES), 8) of other people with other luck, in the statistics' units."""
        draws = rng.integers(1, 2**31, size=len(rows))
        found = self.problem.simulated(rows, self.pieces, draws=draws)
        return np.stack([f.moments() for f in found])[:, None]

    def real(self) -> Array:
        return self.problem.real(self.pieces).moments()[None]


def _during(
    found: TrackStatistics, episode: int, begins: float, ends: float, people: NDArray[np.int64], number: int
) -> TrackStatistics:
    """Rows of these people of an episode from `begins` s to before `ends` s, which become episode `number`."""
    # rows stand in the order of episodes
    low, high = np.searchsorted(found.episode, [episode, episode + 1])
    time = found.time[low:high]
    keep = (time >= begins - EVERY / 2) & (time < ends - EVERY / 2) & np.isin(found.entity[low:high], people)
    part = found.of(low + np.flatnonzero(keep))
    return TrackStatistics(part.values, np.full(len(part), number), part.entity, part.time)


def _joined(parts: Sequence[TrackStatistics]) -> TrackStatistics:
    return TrackStatistics(
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.episode for p in parts]),
        np.concatenate([p.entity for p in parts]),
        np.concatenate([p.time for p in parts]),
    )


def candidates(names: Sequence[str] = ()) -> ParameterSpace:
    """The parameters of how people walk that may be fitted: all of them, or some.

    Shares of personalities are not among them unless they are named: they mix the same habits.
    """
    from simloop.errors import unknown

    own = space(PEOPLE)
    if not names:
        return ParameterSpace([p for p in own if not p.name.startswith("personality.")])
    for name in names:
        if name not in own.names:
            raise unknown("behaviour parameter of world 'crowd':", name, own.names)
    return ParameterSpace([own[name] for name in own.names if name in names])


def searched(fitted: ParameterSpace) -> tuple[Uniform, Normal]:
    """The range `wide` of behaviour parameters, and where they are searched: about their defaults, farther than that.

    The standard deviation is three quarters of the width of `wide`: people of a place may all be slower than the
    slowest of these ranges.
    """
    wide = {row.parameter.name: row.wide for row in PEOPLE}
    low, high = np.array([wide[name] for name in fitted.names]).T
    ends = fitted.to_scale(np.stack([low, high]))
    return Uniform(fitted, low, high), Normal.independent(fitted, fitted.default, 0.75 * (ends[1] - ends[0]))
