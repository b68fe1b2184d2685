"""Personalities of people who walk: what makes others call a walker aggressive, shy or tense.

    shift_traits(traits, personalities)         # traits of people, each moved by its personality; -1: none

The table is that of Guy, Kim, Lin and Manocha, "Simulating heterogeneous crowd behaviors using personality trait
theory" (SCA 2011, table 3), who asked people which walkers of a reciprocal-velocity-obstacle simulation they perceive
as what; LCrowdV (Cheung et al. 2016, arXiv 1606.08998) labels its crowds by the same six words. Its columns are those
of their simulation: distance m at which neighbours are seen, horizon s, radius m with the room that is kept free, and
preferred speed m/s. Here each is taken beside their default walker's (15 m, 30 s, 0.8 m, 1.4 m/s), because their
numbers are those of their simulator, and only what differs says something of people.

Two departures. A body does not grow with its owner's shyness: what their radius adds is room around the body
(`space`). How many neighbours are heeded is not a trait of this world, and is left out.

The paper's text was not at hand when the numbers were written down: none has been compared with it. Take them for an
order (who is faster, who keeps farther off), not for measurements.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT

#: word: sight m, horizon s, radius m, speed m/s of the walkers whom it fits
_WALKERS = {
    "aggressive": (15, 31, 0.6, 1.55),
    "assertive": (15, 32, 0.5, 1.55),
    "shy": (15, 30, 1.1, 1.25),
    "active": (13, 40, 0.4, 1.55),
    "tense": (29, 12, 1.6, 1.55),
    "impulsive": (30, 90, 0.4, 1.55),
}
_DEFAULT = np.array([15, 30, 0.8, 1.4])
PERSONALITIES = tuple(_WALKERS)
#: (6, 4) sight, horizon, radius with room, and speed, beside a walker's without personality
FACTORS: Array = np.array(list(_WALKERS.values())) / _DEFAULT


def shift_traits(traits: Array, personalities: NDArray[np.int64]) -> Array:
    """Traits (n, len(TRAITS)) moved by personalities (n,), places in `PERSONALITIES`; -1: none."""
    factors = np.concatenate([FACTORS, np.ones((1, 4))])[personalities]
    moved = traits.copy()
    radius, space = TRAIT["radius"], TRAIT["space"]
    for name, factor in zip(("sight", "horizon", "speed"), factors[:, [0, 1, 3]].T, strict=True):
        moved[:, TRAIT[name]] *= factor
    wanted = (traits[:, radius] + traits[:, space]) * factors[:, 2]
    moved[:, space] = np.where(factors[:, 2] == 1, traits[:, space], np.maximum(wanted - traits[:, radius], 0))
    return moved
