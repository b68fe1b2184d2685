"""Who is in a scene: people, their groups, when each party comes and where its members begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.people import draw_groups, draw_personalities, draw_traits

#: m, between bodies that begin side by side, and between a body and a wall
ROOM = 0.08


@dataclass(frozen=True, eq=False)
class Cast:
    """The people of a scene; members of a party (a group, or one who is alone) stand one after another.

    Attributes:
        traits: (n, len(TRAITS)) what they are like.
        groups: (n,) who walks together; -1: alone.
        personalities: (n,) places in `personality.PERSONALITIES`; -1: nothing special.
    """

    traits: Array
    groups: NDArray[np.int64]
    personalities: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.groups)

    @cached_property
    def party(self) -> NDArray[np.int64]:
        """(n,) number of each person's party."""
        new = np.ones(len(self), dtype=bool)
        new[1:] = (self.groups[1:] < 0) | (self.groups[1:] != self.groups[:-1])
        return np.cumsum(new) - 1

    @cached_property
    def member(self) -> NDArray[np.int64]:
        """(n,) each person's place in the party: 0, 1, ..."""
        first = np.searchsorted(self.party, np.arange(self.parties))
        return np.arange(len(self)) - first[self.party]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(parties,) people in each."""
        return np.bincount(self.party)

    @property
    def parties(self) -> int:
        return int(self.party[-1]) + 1 if len(self) else 0

    @property
    def radius(self) -> Array:
        """(n,) m, of bodies."""
        return self.traits[:, TRAIT["radius"]]

    @property
    def pitch(self) -> float:
        """From one person to the next where all begin side by side, m."""
        return 2 * float(self.radius.max(initial=0.1)) + ROOM


def draw_cast(values: Mapping[str, float], rng: np.random.Generator) -> Cast:
    """Draw the people of a scene; `people.count` says how many."""
    n = int(values["people.count"])
    personalities = draw_personalities(values, n, rng)
    traits = draw_traits(values, n, rng, personalities=personalities)
    return Cast(traits, draw_groups(values, n, rng), personalities)


@dataclass(frozen=True)
class Gate:
    """Where people enter: a line of given middle, width and direction into the scene.

    Attributes:
        middle: m.
        inward: unit vector.
        width: m, of the line, between walls.
    """

    middle: tuple[float, float]
    inward: tuple[float, float]
    width: float

    def place(self, along: Array, back: Array) -> Array:
        """Points (n, 2) m that are `along` from the middle to the left of who enters, and `back` behind the line."""
        (x, y), (a, b) = self.middle, self.inward
        return np.stack([x - b * along - a * back, y + a * along - b * back], axis=1)


def arrive(
    cast: Cast, gates: Sequence[Gate], chances: Sequence[float], rate: float, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Let parties come as a Poisson stream.

    Args:
        cast: the people.
        gates: where they enter.
        chances: of each gate.
        rate: people a second, all gates together.
        rng: where the draws come from.

    Returns:
        starts (n, 2) m, begins (n,) s, and the gate (n,) of each person. Members of a party come at the same time,
        side by side, in rows one behind another where the gate is narrow.
    """
    parties, pitch = cast.parties, cast.pitch
    gate = rng.choice(len(gates), size=parties, p=np.asarray(chances) / np.sum(chances))
    # a party takes its people's share of the stream, so that `rate` counts people
    begins = np.cumsum(rng.exponential(1.0, parties) * cast.sizes) / rate if parties else np.zeros(0)
    begins -= begins[:1].sum()
    where = rng.uniform(-1, 1, parties)
    starts = np.empty((len(cast), 2))
    for k, at in enumerate(gates):
        across = max(1, int((at.width - 2 * ROOM) // pitch))
        who = gate[cast.party] == k
        wide = np.minimum(cast.sizes, across)[cast.party[who]]
        free = np.maximum(at.width / 2 - ROOM - wide * pitch / 2, 0) * where[cast.party[who]]
        row, column = np.divmod(cast.member[who], np.maximum(wide, 1))
        starts[who] = at.place(free + (column - (wide - 1) / 2) * pitch, row * pitch)
    return starts, begins[cast.party], gate[cast.party]


def spread(cast: Cast, corner: tuple[float, float], size: tuple[float, float], rng: np.random.Generator) -> Array:
    """Places (n, 2) m in a rectangle, none nearer to another than bodies and `ROOM` need, groups side by side.

    Args:
        cast: whose places.
        corner: m, of the rectangle with the smallest x and y.
        size: m, its sides.
        rng: where the draws come from.
    """
    n, pitch = len(cast), cast.pitch
    inside = np.asarray(size, dtype=float) - pitch  # bodies keep off the sides
    if (inside < 0).any():
        raise InputError(f"a place of {size[0]:g} by {size[1]:g} m is too small for a person")
    step = max(pitch, 0.8 * float(np.sqrt(np.prod(inside + pitch) / max(n, 1))))
    lattice = _lattice(inside, step)
    while len(lattice) < n and step > pitch:
        step = max(pitch, 0.93 * step)
        lattice = _lattice(inside, step)
    if len(lattice) < n:
        raise InputError(
            f"{n} people of {pitch:.2g} m do not fit into {size[0]:g} by {size[1]:g} m: at most {len(lattice)} do"
        )
    chosen = lattice[rng.permutation(len(lattice))[:n]]
    order = _beside(chosen, cast)
    angle, reach = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.random(n)) * (step - pitch) / 2
    jitter = reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(corner) + pitch / 2 + np.clip(chosen[order] + jitter, 0, inside)


def _lattice(inside: Array, step: float) -> Array:
    """Points (m, 2) of a triangular lattice in a rectangle of given sides, m; neighbours are `step` apart."""
    rows = int(inside[1] // (step * np.sqrt(3) / 2)) + 1
    y = np.arange(rows) * step * np.sqrt(3) / 2 + (inside[1] - (rows - 1) * step * np.sqrt(3) / 2) / 2
    points = []
    for k in range(rows):
        shift = step / 2 if k % 2 else 0.0
        x = np.arange(shift, inside[0] + 1e-9, step)
        points.append(np.stack([x, np.full(len(x), y[k])], axis=1))
    return np.concatenate(points)


def _beside(places: Array, cast: Cast) -> NDArray[np.int64]:
    """Which place (n,) each person takes: members of a group take the free ones nearest to its first."""
    if (cast.groups < 0).all():
        return np.arange(len(places))
    free, order, k = np.ones(len(places), dtype=bool), np.empty(len(places), dtype=np.int64), 0
    for size in cast.sizes:
        left = np.flatnonzero(free)
        near = left if size == 1 else left[np.argsort(np.hypot(*(places[left] - places[left[0]]).T), kind="stable")]
        order[k : k + size] = near[:size]
        free[near[:size]] = False
        k += size
    return order
