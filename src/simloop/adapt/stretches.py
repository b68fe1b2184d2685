"""Recordings of people, cut into stretches that can be walked again: who came when and where, and left where.

    stretches = cut_stretches(tracks, 24.0)
    stretches[3].scene(traits)                  # people of the traits (n, len(TRAITS)) in their places

A stretch is simulated from some seconds before it, so that people walk when it begins, until some seconds after it.
Whoever was there then begins where he really was; whoever came later, when and where he really came. All go to where
they really left, and stay where they really stood: what is left for a simulation to get wrong is how people walk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.gap.track_rows import Rows, on_grid
from simloop.gap.tracks import EVERY
from simloop.parameters import Array
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.scene import Scene

#: s that are simulated before a stretch and after it, and not compared
BEFORE, AFTER = 4.8, 2.0
#: instants of which a track must have more to be somebody's
_SEEN = 2
#: m: who never was farther from the mean place than this stood there, if for so many instants
_STOOD, _LONG = 0.6, 10
#: m beyond the place where somebody left that the goal is, so that nobody slows down on the way there
_BEYOND = 1.0
#: way over distance from which on somebody turned round on the way, and m of such a way
_DETOUR, _FAR = 1.6, 4.0
#: rounds in which bodies are moved apart that stand in one another
_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some seconds of a recording.

    Attributes:
        episode: of the recording.
        begins, ends: s, in the recording.
        people: (n,) whose tracks, in `Tracks`.
        enters: (n,) s after the simulation's begin.
        starts, exits: (n, 2) m.
        turns: (n, 2) m, where somebody turned round on the way; NaN: nowhere.
        stood: (n,) who stood all the time.
        groups: (n,) who walked together; -1: alone.
        walls: (W, 4) m.
    """

    episode: int
    begins: float
    ends: float
    people: NDArray[np.int64]
    enters: Array
    starts: Array
    exits: Array
    turns: Array
    stood: NDArray[np.bool_]
    groups: NDArray[np.int64]
    walls: Array

    @property
    def seconds(self) -> float:
        """s to be simulated."""
        return BEFORE + self.ends - self.begins + AFTER

    def scene(self, traits: Array) -> Scene:
        """The stretch with people of these traits (n, len(TRAITS))."""
        away = self.exits - self.starts
        length = np.linalg.norm(away, axis=1, keepdims=True)
        goals = self.exits + _BEYOND * np.where(length > 0, away / np.maximum(length, 1e-9), 0.0)
        turned = np.isfinite(self.turns)
        routes = np.stack([np.where(turned, self.turns, goals), np.where(turned, goals, np.nan)], axis=1)
        starts = moved_apart(self.starts, self.enters, traits[:, TRAIT["radius"]], self.stood)
        routes[self.stood] = np.stack([starts, np.full_like(starts, np.nan)], axis=1)[self.stood]
        # nobody leaves where he begins
        reach = np.clip(np.linalg.norm(routes[:, 0] - starts, axis=1) - 0.1, 0.2, _BEYOND)
        return Scene(
            walls=self.walls, starts=starts, begins=self.enters, routes=routes, reach=reach, traits=traits,
            groups=self.groups, stays=self.stood, name=f"stretch {self.begins:g} to {self.ends:g} s",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stretches:
    """Several stretches, some of which can be taken."""

    parts: tuple[Stretch, ...]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, i: int) -> Stretch:
        return self.parts[i]

    def take(self, index: NDArray[np.int64], /) -> Stretches:
        """The stretches `index` (n',)."""
        return Stretches(tuple(self.parts[i] for i in index))


@dataclass(frozen=True, eq=False)
class Tracks:
    """Unbroken tracks of people each 0.4 s: whoever was lost and found again is two people.

    Attributes:
        rows: places, whose `entity` is the number of the track.
        person: (tracks,) who it was in the recording.
    """

    rows: Rows
    person: NDArray[np.int64]

    @classmethod
    def of(cls, recorded: TrajectorySet) -> Tracks:
        """Those of recordings, simulated ones among them."""
        found = on_grid(recorded, EVERY)
        run = found.runs()
        first = np.flatnonzero(np.diff(run, prepend=-1))
        return cls(Rows(found.episode, run, found.instant, found.places), found.entity[first])

    def recorded(self, episodes: int) -> TrajectorySet:
        """The tracks as recordings again; persons are tracks."""
        r = self.rows
        order = np.lexsort((r.entity, r.instant, r.episode))
        time = np.asarray(r.instant[order] * EVERY, dtype=np.float64)
        return TrajectorySet(
            (Channel("x", "m"), Channel("y", "m")), time, r.places[order],
            np.searchsorted(r.episode[order], np.arange(episodes + 1)).astype(np.int64), entity=r.entity[order],
        )  # fmt: skip


def cut_stretches(
    tracks: Tracks,
    length: float,
    *,
    groups: Mapping[tuple[int, int], int] | None = None,
    walls: Sequence[Array] = (),
) -> Stretches:
    """Cut recordings into stretches of `length` s, one after another; those in which nobody walks are left out.

    Args:
        tracks: of the recordings.
        length: s, a multiple of 0.4 where it is not rounded to one.
        groups: who walked with whom: the number of a group for (episode, person).
        walls: (W, 4) m of each recording; none where it is empty.
    """
    steps = max(1, round(length / EVERY))
    if length < EVERY:
        raise InputError(f"stretches of {length:g} s: expected at least {EVERY} s, and 20 to 40 s say most")
    found: list[Stretch] = []
    for e in np.unique(tracks.rows.episode).tolist():
        at = tracks.rows.episode == e
        instants = tracks.rows.instant[at]
        own = walls[e] if len(walls) else np.zeros((0, 4))
        for first in range(int(instants.min()), int(instants.max()) - steps + 2, steps):
            stretch = _stretch(tracks, e, at, first, steps, groups or {}, own)
            if stretch is not None:
                found.append(stretch)
    return Stretches(tuple(found))


def _stretch(
    tracks: Tracks, e: int, at: NDArray[np.bool_], first: int, steps: int, groups: Mapping[tuple[int, int], int],
    walls: Array,
) -> Stretch | None:  # fmt: skip
    """One stretch from instant `first` on; None where nobody walks in it."""
    begin, end = first - round(BEFORE / EVERY), first + steps + round(AFTER / EVERY)
    there = at & (tracks.rows.instant >= begin) & (tracks.rows.instant < end)
    people, enters, starts, exits, turns, stood = [], [], [], [], [], []
    for p in np.unique(tracks.rows.entity[there]).tolist():
        low, high = np.searchsorted(tracks.rows.entity, [p, p + 1])  # tracks stand one after another
        instant, places = tracks.rows.instant[low:high], tracks.rows.places[low:high]
        here = instant >= begin
        still = _stands(places[here & (instant < end)]) if (here & (instant < end)).sum() >= _LONG else _stands(places)
        if here.sum() <= _SEEN:
            continue
        places = places[here]
        people.append(p)
        enters.append((int(instant[here][0]) - begin) * EVERY)
        starts.append(places[: end - begin].mean(axis=0) if still else places[0])
        exits.append(places[-1])
        turns.append(_turn(places) if not still else np.full(2, np.nan))
        stood.append(still)
    if all(stood):
        return None
    named = [groups.get((e, int(tracks.person[p])), -1) for p in people]
    alone = {g for g in named if named.count(g) < 2} | {-1}
    numbers = {g: k for k, g in enumerate(sorted(set(named) - alone))}
    return Stretch(
        e, first * EVERY, (first + steps) * EVERY, np.array(people), np.array(enters), np.array(starts),
        np.array(exits), np.array(turns), np.array(stood), np.array([numbers.get(g, -1) for g in named]), walls,
    )  # fmt: skip


def _stands(places: Array) -> bool:
    """Whether somebody who was at these places (n, 2) stood all the time."""
    away = np.linalg.norm(places - places.mean(axis=0), axis=1)
    return len(places) >= _LONG and bool(away.max() <= _STOOD)


def _turn(places: Array) -> Array:
    """The place (2,) farthest from the ends of a way that leads back; NaN where it does not."""
    way = np.linalg.norm(np.diff(places, axis=0), axis=1).sum()
    if way < _FAR or way < _DETOUR * np.linalg.norm(places[-1] - places[0]):
        return np.full(2, np.nan)
    off = np.linalg.norm(places - places[0], axis=1) + np.linalg.norm(places - places[-1], axis=1)
    return np.asarray(places[np.argmax(off)])


def moved_apart(starts: Array, enters: Array, radius: Array, fixed: NDArray[np.bool_]) -> Array:
    """Starts (n, 2) m of who is there from the beginning or stands, with no bodies in one another.

    Marks made by hand put friends nearer to each other than bodies can be. Whoever comes later waits for a free place.
    """
    out = starts.copy()
    mine = np.flatnonzero((enters <= 0) | fixed)
    for _ in range(_ROUNDS):
        gap = out[mine][:, None] - out[mine][None]
        distance = np.linalg.norm(gap, axis=2) + np.where(np.eye(len(mine), dtype=bool), np.inf, 0.0)
        lack = radius[mine][:, None] + radius[mine][None] + 1e-3 - distance
        if not (lack > 0).any():
            break
        away = gap / np.maximum(distance, 1e-9)[:, :, None]
        # two in one place part along x, whichever stands first to the right
        away[distance < 1e-9] = [1.0, 0.0]
        sign = np.where(mine[:, None] < mine[None], 1.0, -1.0)[:, :, None]
        away = np.where((distance < 1e-9)[:, :, None], sign * away, away)
        out[mine] += (0.55 * np.maximum(lack, 0.0)[:, :, None] * away).sum(axis=1)
    return out
