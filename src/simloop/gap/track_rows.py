"""Tracks of people on a common grid of instants, and the compiled loops that make statistics of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.compiled import compiled

#: what the columns of the statistics are
KINDS = ("speed", "acceleration", "turning", "straightness", "nearest distance", "time to collision", "density",
         "lane order")  # fmt: skip
#: how far from an instant of the grid a row may be to be that instant, in steps; farther ones are interpolated
_NEAR = 0.01
#: instants to both sides that straightness looks at, and the least that it needs in all
_AROUND, _LEAST = 5, 4
#: m/s below which nobody has a direction
_SLOW = 0.25
#: m and s, caps of what is seen; m, sum of the radii of two bodies that collide
_FAR, _LATE, _TOUCH = 5.0, 8.0, 0.4
#: m, of the circle that a density is of, and half of width and length of a strip of lane order
_CIRCLE, _WIDE, _LONG = 3.0, 0.6, 5.0


@dataclass(frozen=True, eq=False)
class Rows:
    """Places of people at instants, ordered by episode, person and instant.

    Attributes:
        episode, entity, instant: (n,) whole numbers; instant k is k steps after the episode's time 0.
        places: (n, 2) m.
    """

    episode: NDArray[np.int64]
    entity: NDArray[np.int64]
    instant: NDArray[np.int64]
    places: Array

    def statistics(self, every: float, ends: int) -> tuple[Array, NDArray[np.bool_]]:
        """Statistics (n, 8) and for which rows (n,) they are known: not within `ends` instants of an end."""
        run = self.runs()
        starts = np.concatenate([np.flatnonzero(np.diff(run, prepend=-1)), [len(run)]]).astype(np.int64)
        values = np.zeros((len(run), len(KINDS)))
        velocity = np.full((len(run), 2), np.nan)
        inner = np.zeros(len(run), dtype=np.bool_)
        smooth = _smoothed(self.places, starts)
        _alone(smooth, starts, every, ends, values, velocity, inner)
        order = np.lexsort((self.instant, self.episode))
        moments = np.stack([self.episode[order], self.instant[order]])
        changes = np.flatnonzero((np.diff(moments, axis=1) != 0).any(axis=0)) + 1
        frames = np.concatenate([[0], changes, [len(run)]]).astype(np.int64)
        _among(smooth, velocity, order.astype(np.int64), frames, values)
        return values, inner

    def runs(self) -> NDArray[np.int64]:
        """(n,) number of the unbroken stretch that each row is in."""
        new = np.asarray((np.diff(self.episode) != 0) | (np.diff(self.entity) != 0) | (np.diff(self.instant) != 1))
        return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)[: len(self.episode)]


def on_grid(tracks: TrajectorySet, every: float) -> Rows:
    """Everybody's places each `every` s from an episode's first row on.

    Rows that are there are taken, and between others places on a straight line. Two rows of a person that are farther
    apart than one and a half steps are a gap, over which nothing is made up.
    """
    episode = np.repeat(np.arange(len(tracks)), np.diff(tracks.offsets))
    entity = np.zeros(len(episode), dtype=np.int64) if tracks.entity is None else tracks.entity
    places = np.column_stack([tracks.column("x"), tracks.column("y")])
    known = np.asarray(np.isfinite(places).all(axis=1))
    order = np.lexsort((tracks.time, entity, episode))
    order = order[known[order]]
    episode, entity, places = episode[order], entity[order], places[order]
    time = tracks.time[order]
    begins = np.full(len(tracks), np.inf)
    np.minimum.at(begins, episode, time)
    begins[np.isinf(begins)] = 0.0
    aligned = begins - every * np.floor(begins / every + _NEAR)
    steps = (time - aligned[episode]) / every
    instant = np.round(steps).astype(np.int64)
    if len(steps) < 2 or (np.abs(steps - instant) <= _NEAR).all():
        return _distinct(Rows(episode, entity, instant, places))
    joined = (np.diff(episode) == 0) & (np.diff(entity) == 0) & (np.diff(steps) <= 1.5) & (np.diff(steps) > 0)
    first = np.ceil(steps[:-1] - _NEAR).astype(np.int64)
    found = []
    for more in (0, 1):  # instants between two rows, both ends included
        k = first + more
        between = np.flatnonzero(joined & (k <= steps[1:] + _NEAR))
        share = np.clip((k - steps[:-1])[between] / np.diff(steps)[between], 0.0, 1.0)[:, None]
        at = (1 - share) * places[between] + share * places[between + 1]
        found.append((episode[between], entity[between], k[between], at))
    e, p, k, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((k, p, e))
    return _distinct(Rows(e[order], p[order], k[order], at[order]))


def _distinct(rows: Rows) -> Rows:
    """The first of rows that are one person at one instant."""
    same = (np.diff(rows.episode) == 0) & (np.diff(rows.entity) == 0) & (np.diff(rows.instant) == 0)
    keep = np.concatenate([[True], ~same])[: len(rows.episode)]
    return Rows(rows.episode[keep], rows.entity[keep], rows.instant[keep], rows.places[keep])


@compiled
def _smoothed(places, starts):  # type: ignore[no-untyped-def]
    """Places (n, 2) with weights 1/4, 1/2, 1/4 inside of runs; their ends stay."""
    out = places.copy()
    for r in range(len(starts) - 1):
        for i in range(starts[r] + 1, starts[r + 1] - 1):
            for d in range(2):
                out[i, d] = 0.25 * places[i - 1, d] + 0.5 * places[i, d] + 0.25 * places[i + 1, d]
    return out


@compiled
def _alone(places, starts, every, ends, values, velocity, inner):  # type: ignore[no-untyped-def]
    """Write what a track says alone, its velocities (n, 2) m/s, and which of its rows count."""
    for r in range(len(starts) - 1):
        first, last = starts[r], starts[r + 1] - 1
        for i in range(first, last + 1):
            if last == first:
                continue
            before, after = max(i - 1, first), min(i + 1, last)
            velocity[i] = (places[after] - places[before]) / ((after - before) * every)
            if i in (first, last):
                continue
            inner[i] = i - first >= ends and last - i >= ends
            back, on = places[i] - places[i - 1], places[i + 1] - places[i]
            slow, fast = np.hypot(back[0], back[1]), np.hypot(on[0], on[1])
            speed = np.hypot(velocity[i, 0], velocity[i, 1])
            values[i, 0] = speed
            if speed > 1e-9:
                values[i, 1] = np.dot(on - back, velocity[i]) / (every * every * speed)
            if slow > _SLOW * every and fast > _SLOW * every:
                turn = np.arctan2(back[0] * on[1] - back[1] * on[0], np.dot(back, on))
                values[i, 2] = turn / every
            a, b = max(i - _AROUND, first), min(i + _AROUND, last)
            way = 0.0
            for k in range(a, b):
                way += np.hypot(places[k + 1, 0] - places[k, 0], places[k + 1, 1] - places[k, 1])
            values[i, 3] = 1.0
            if b - a >= _LEAST and way > _SLOW * every * (b - a):
                values[i, 3] = np.hypot(places[b, 0] - places[a, 0], places[b, 1] - places[a, 1]) / way


@compiled
def _among(places, velocity, order, frames, values):  # type: ignore[no-untyped-def]
    """Write what a person's statistics say of the others that are there at the same instant."""
    for f in range(len(frames) - 1):
        for m in range(frames[f], frames[f + 1]):
            i = order[m]
            nearest, soonest, near, same, towards = _FAR, _LATE, 0, 0, 0
            vx, vy = velocity[i, 0], velocity[i, 1]
            speed = np.hypot(vx, vy)
            for n in range(frames[f], frames[f + 1]):
                j = order[n]
                if i == j:
                    continue
                dx, dy = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1]
                distance = np.hypot(dx, dy)
                nearest = min(nearest, distance)
                near += distance <= _CIRCLE
                wx, wy = velocity[j, 0] - vx, velocity[j, 1] - vy
                if np.isnan(wx) or np.isnan(vx):
                    continue
                # |d + w t| = touch, while they come nearer
                closing, c = dx * wx + dy * wy, distance * distance - _TOUCH * _TOUCH
                ww = wx * wx + wy * wy
                if closing < 0:
                    left = closing * closing - ww * c
                    if c <= 0:
                        soonest = 0.0
                    elif left >= 0 and ww > 0:
                        soonest = min(soonest, max(0.0, (-closing - np.sqrt(left)) / ww))
                other = np.hypot(velocity[j, 0], velocity[j, 1])
                if speed > _SLOW and other > _SLOW:
                    along, across = (dx * vx + dy * vy) / speed, (dx * vy - dy * vx) / speed
                    if abs(along) <= _LONG and abs(across) <= _WIDE:
                        alike = (vx * velocity[j, 0] + vy * velocity[j, 1]) / (speed * other)
                        same += alike > 0.5
                        towards += alike < -0.5
            values[i, 4], values[i, 5] = nearest, soonest
            values[i, 6] = near / (np.pi * _CIRCLE * _CIRCLE)
            if same + towards:
                values[i, 7] = (same - towards) / (same + towards)
