"""How people walk: the behaviour parameters of world `crowd`, and people drawn from them.

    values = dict(zip(space(PEOPLE).names, space(PEOPLE).default))
    traits = draw_traits(values, 40, stream(7, "people"))                 # (40, len(TRAITS))

Speeds are normal with Weidmann's mean and spread (Transporttechnik der Fussgaenger, 1993: 1.34 and 0.26 m/s). That
people in streets walk in groups, most of them in pairs, is what Moussaid et al. found (PLoS ONE 5(4), 2010). All
other defaults, and all ranges, were set by hand.

A person takes the same random numbers whatever the parameters are: a crowd with a mean speed of 1.2 m/s is the one of
1.3 m/s, slower.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT, TRAITS
from simloop.worlds.crowd.personality import PERSONALITIES, shift_traits
from simloop.worlds.spreads import Row, ranged

_SLOWEST, _FASTEST = 0.2, 2.6  # m/s, of who walks and does not run
_MOST = 6  # people in a group

WALKING: list[Row] = [
    ranged("people.speed", 0.3, 1.34, 2.2, (1.0, 1.6), "m/s", "mean of the speeds that people like", kind="behaviour"),
    ranged("people.speed_spread", 0, 0.26, 0.8, (0.1, 0.4), "m/s", "standard deviation of these speeds",
           kind="behaviour"),
    ranged("people.radius", 0.12, 0.2, 0.4, (0.17, 0.24), "m", "mean radius of bodies", kind="behaviour"),
    ranged("people.space", 0, 0.1, 1.5, (0.0, 0.4), "m", "kept free around the body where there is room",
           kind="behaviour"),
    ranged("people.reaction", 0.05, 0.25, 2, (0.1, 0.6), "s", "in which a change of velocity is carried out",
           kind="behaviour", log=True),
    ranged("people.horizon", 0.5, 3, 20, (1.5, 6), "s", "how far ahead meetings are foreseen", kind="behaviour",
           log=True),
    ranged("people.sight", 1, 8, 30, (5, 12), "m", "how far away others are seen", kind="behaviour", log=True),
    ranged("people.share", 0.1, 0.5, 1, (0.4, 0.6), "", "part of an avoidance that a person takes on",
           kind="behaviour"),
    ranged("people.variety", 0, 0.15, 0.6, (0.05, 0.3), "", "how much people differ in all but speed: log units",
           kind="behaviour"),
    ranged("people.wander", 0, 0.1, 1, (0.0, 0.3), "rad", "standard deviation of the direction from that to the goal",
           kind="behaviour"),
    ranged("people.distraction", 0, 0, 0.8, (0.0, 0.3), "", "part of the time in which others are not seen",
           kind="behaviour"),
    ranged("groups.share", 0, 0.3, 1, (0.0, 0.7), "", "part of the people who walk in groups", kind="behaviour"),
    ranged("groups.size", 2, 2.4, 5, (2, 3.5), "", "mean number of people in a group", kind="behaviour"),
    ranged("groups.cohesion", 0, 0.5, 1, (0.2, 0.9), "", "how much members keep to their group", kind="behaviour"),
]  # fmt: skip

CHARACTER: list[Row] = [
    ranged(f"personality.{name}", 0, 0, 1, (0.0, 0.15), "", f"part of the people who are {name}", kind="behaviour")
    for name in PERSONALITIES
]

PEOPLE: list[Row] = [*WALKING, *CHARACTER]


def draw_traits(
    values: Mapping[str, float], n: int, rng: np.random.Generator, *, personalities: NDArray[np.int64] | None = None
) -> Array:
    """Draw what n people are like: (n, len(TRAITS)).

    Args:
        values: every parameter of `PEOPLE` by name.
        n: people.
        rng: where the draws come from.
        personalities: (n,) who is what, places in `PERSONALITIES`; -1: nothing special. Default: drawn.
    """
    normal = rng.standard_normal((n, len(TRAITS)))
    if personalities is None:
        personalities = draw_personalities(values, n, rng)
    traits = np.empty((n, len(TRAITS)))
    traits[:, TRAIT["speed"]] = values["people.speed"] + values["people.speed_spread"] * normal[:, TRAIT["speed"]]
    factor = np.exp(values["people.variety"] * np.clip(normal, -2.5, 2.5))
    for name in ("space", "reaction", "horizon", "sight", "share", "wander", "distraction"):
        traits[:, TRAIT[name]] = values[f"people.{name}"] * factor[:, TRAIT[name]]
    # bodies differ less than habits do
    traits[:, TRAIT["radius"]] = values["people.radius"] * factor[:, TRAIT["radius"]] ** 0.4
    traits[:, TRAIT["cohesion"]] = values["groups.cohesion"]
    traits = shift_traits(traits, personalities)
    traits[:, TRAIT["speed"]] = np.clip(traits[:, TRAIT["speed"]], _SLOWEST, _FASTEST)
    for name in ("share", "distraction"):
        traits[:, TRAIT[name]] = np.clip(traits[:, TRAIT[name]], 0, 1)
    return traits


def draw_personalities(values: Mapping[str, float], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw who is what: (n,) places in `PERSONALITIES`; -1: nothing special. Parts that exceed 1 in sum are scaled."""
    parts = np.array([values[f"personality.{name}"] for name in PERSONALITIES])
    ends = np.cumsum(parts / max(1.0, float(parts.sum())))
    at = np.searchsorted(ends, rng.random(n), side="right")
    return np.where(at < len(PERSONALITIES), at, -1)


def draw_groups(values: Mapping[str, float], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw who walks with whom: (n,) numbers of groups, members one after another; -1: alone.

    A group has 2 people and a Poisson number more, 6 at most.
    """
    size = values["groups.size"]
    part = values["groups.share"] / size  # of parties, such that `groups.share` of the people are in groups
    grouped = part / (part + 1 - values["groups.share"]) if values["groups.share"] < 1 else 1.0
    chance, sizes = rng.random(n), np.minimum(2 + rng.poisson(size - 2, n), _MOST)
    groups = np.full(n, -1)
    k = number = 0
    while k < n:
        together = min(int(sizes[number]), n - k) if chance[number] < grouped else 1
        if together > 1:
            groups[k : k + together] = number
        k, number = k + together, number + 1
    return np.unique(groups, return_inverse=True)[1] - int((groups < 0).any())
