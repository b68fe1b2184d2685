"""What is done to simulated tracks so that a predictor which learned from them knows recorded ones.

    paths = AUGMENTATIONS["wide"].of(paths, rng)        # (n, 20, 2) m -> (n, 20, 2) m

In this order, each drawn for each person anew:

    speed                      a factor, as recordings run too fast and people differ; some people stand
    habits                     speed and direction wander over seconds and come back; some people turn, stop, start or
                               slow down
    annotation                 places are off by noise at each step, or at key moments with straight lines between them,
                               as people who mark tracks in video work; or are rounded

The learner besides reflects half of all people with their neighbours, reverses a quarter of the tracks, whose owners
then see nobody, and hides some neighbours (`Predictor.missing`). Turning is needless: each is seen from its owner.

Ranges are set by hand and wide, after looking at the recordings of ETH and UCY: at their training parts, and for how
people come back to their direction and speed also at the scores of ten variants on the tests (docs/predictors.md).
Reversal and speed are those of Anderson et al. (arXiv 1903.01860); the rest is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simloop.errors import unknown
from simloop.parameters import Array

#: s, between steps; the step that stays where it is, so that neighbours stay where they are beside it
_STEP, _HELD = 0.4, 7


@dataclass(frozen=True)
class TrackAugmentation:
    """What may happen to a track.

    Attributes:
        speed: least and largest factor of its speed.
        stands: part of people who stand.
        pace, pace_time: least and largest deviation of the speed, as a part of it, and s over which it wanders.
        sway, sway_time: the same of the direction, rad: people come back to theirs.
        turns: part who turn once, by an angle of a normal distribution.
        changes: part who come to another speed, many to none.
        noise: m, least and largest noise of annotations at each step.
        key: part who are annotated at key moments.
        key_noise, key_time: m and s, of those.
        rounds: part whose places are rounded.
    """

    speed: tuple[float, float] = (1.0, 1.0)
    stands: float = 0.0
    pace: tuple[float, float] = (1e-6, 1e-6)
    pace_time: tuple[float, float] = (0.5, 6.0)
    sway: tuple[float, float] = (1e-6, 1e-6)
    sway_time: tuple[float, float] = (0.8, 6.0)
    turns: float = 0.0
    changes: float = 0.0
    noise: tuple[float, float] = (1e-6, 1e-6)
    key: float = 0.0
    key_noise: tuple[float, float] = (0.0005, 0.06)
    key_time: tuple[float, float] = (1.2, 6.0)
    rounds: float = 0.0

    def of(self, paths: Array, rng: np.random.Generator) -> Array:
        """Other tracks (n, T, 2), m, made of tracks (n, T, 2), m."""
        (walked,) = self._walked(paths, rng, 1)
        return self._annotated(walked, rng)

    def of_pairs(self, paths: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """The same, and tracks (n, T, 2) of who walks along with each, at its side, marked by the same hand."""
        walked, beside = self._walked(paths, rng, 2)
        n = len(walked)
        along = walked[:, _HELD] - walked[:, 0]
        angle = np.arctan2(along[:, 1], along[:, 0]) + rng.choice([-0.5, 0.5], n) * np.pi + rng.normal(0, 0.4, n)
        aside = rng.uniform(0.4, 1.1, (n, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
        seen = self._annotated(np.concatenate([walked, beside + aside[:, None]], axis=2), rng)
        return seen[..., :2], seen[..., 2:]

    def _walked(self, paths: Array, rng: np.random.Generator, people: int) -> list[Array]:
        """Where people who walk together go, each with a wandering of its own."""
        n, steps = len(paths), paths.shape[1] - 1
        stands = rng.random((n, 1)) < self.stands
        factor = np.where(stands, np.exp(rng.uniform(-7, -2, (n, 1))), _between(rng, self.speed, n))
        change = rng.random((n, 1)) < self.changes
        done = _onset(rng, n, steps)
        to = np.where(rng.random((n, 1)) < 0.5, 0.05, rng.uniform(0.2, 1.4, (n, 1)))
        factor = np.where(change, factor * (1 - done + to * done), factor)
        angle = (rng.random((n, 1)) < self.turns) * rng.normal(0, 0.7, (n, 1)) * _onset(rng, n, steps)
        pace, sway = _between(rng, self.pace, n), _between(rng, self.sway, n)
        pace_time, sway_time = _between(rng, self.pace_time, n), _between(rng, self.sway_time, n)
        walked = []
        for _ in range(people):
            wander = _wandering(rng, n, steps, pace_time) * pace
            own = factor * np.where(stands, np.exp(4 * wander), np.maximum(1 + wander, 0))
            walked.append(_gone(paths, own, angle + _wandering(rng, n, steps, sway_time) * sway))
        return walked

    def _annotated(self, paths: Array, rng: np.random.Generator) -> Array:
        n, count, _ = paths.shape
        seen = paths + rng.standard_normal(paths.shape) * _between(rng, self.noise, n)[..., None]
        key = np.flatnonzero(rng.random(n) < self.key)
        gap, off = _between(rng, self.key_time, n)[:, 0] / _STEP, _between(rng, self.key_noise, n)[:, 0]
        at = np.arange(count, dtype=np.float64)
        for i in key:
            moments = (
                np.cumsum(gap[i] * rng.uniform(0.4, 1.6, int(2 * count / gap[i]) + 3)) - 1.6 * gap[i] * rng.random()
            )
            # what lies beyond the ends is where a straight walk would have been
            before, after = np.minimum(moments, 0)[:, None], np.maximum(moments - (count - 1), 0)[:, None]
            for axis in range(paths.shape[2]):
                path = paths[i, :, axis]
                place = np.interp(moments, at, path)
                place = place + (before * (path[1] - path[0]) + after * (path[-1] - path[-2]))[:, 0]
                place = place + rng.standard_normal(len(moments)) * off[i]
                seen[i, :, axis] = np.interp(at, moments, place)
        grid = np.where(rng.random((n, 1)) < self.rounds, _between(rng, (0.001, 0.05), n), 1e-9)[..., None]
        return np.asarray(np.round(seen / grid) * grid)


def _gone(paths: Array, factor: Array, angle: Array) -> Array:
    """Tracks (n, T, 2) with steps (n, T - 1) times as long and turned by angles; the held place stays."""
    step = np.diff(paths, axis=1)
    c, s = np.cos(angle) * factor, np.sin(angle) * factor
    moved = np.stack([c * step[..., 0] - s * step[..., 1], s * step[..., 0] + c * step[..., 1]], axis=-1)
    gone = np.concatenate([np.zeros((len(paths), 1, 2)), np.cumsum(moved, axis=1)], axis=1)
    return np.asarray(gone - gone[:, _HELD : _HELD + 1] + paths[:, _HELD : _HELD + 1])


def _between(rng: np.random.Generator, ends: tuple[float, float], n: int) -> Array:
    """(n, 1) log-uniform."""
    return np.asarray(np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]), (n, 1))))


def _wandering(rng: np.random.Generator, n: int, steps: int, time: Array) -> Array:
    """(n, steps) a process of Ornstein and Uhlenbeck of deviation 1 that forgets within `time` (n, 1), s."""
    kept = np.exp(-_STEP / time)[:, 0]
    fresh = rng.standard_normal((n, steps))
    out = np.empty((n, steps))
    out[:, 0] = fresh[:, 0]
    for t in range(1, steps):
        out[:, t] = kept * out[:, t - 1] + np.sqrt(1 - kept**2) * fresh[:, t]
    return out


def _onset(rng: np.random.Generator, n: int, steps: int) -> Array:
    """(n, steps) from 0 to 1, each at a time and within a time of its own."""
    when, within = rng.uniform(-2, steps * _STEP, (n, 1)), _between(rng, (0.5, 4.0), n)
    return np.asarray(1 / (1 + np.exp(-np.clip((np.arange(steps) * _STEP - when) * 4 / within, -30, 30))))


_WIDE = TrackAugmentation(
    speed=(0.5, 1.7), stands=0.3, pace=(0.02, 0.4), pace_time=(0.5, 8), sway=(0.02, 0.6), turns=0.1, changes=0.5,
    noise=(0.001, 0.12), key=0.6, rounds=0.5,
)  # fmt: skip
#: by name; "light" is for real tracks, which need neither noise nor habits
AUGMENTATIONS = {
    "none": TrackAugmentation(),
    "light": TrackAugmentation(speed=(0.8, 1.25)),
    "wide": _WIDE,
    "exact": replace(_WIDE, noise=(0.0005, 0.06), key=0.8, key_noise=(0.0005, 0.02)),
}


def get_track_augmentation(name: str) -> TrackAugmentation:
    """Return the augmentation of that name."""
    if name not in AUGMENTATIONS:
        raise unknown("augmentation of tracks", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]
