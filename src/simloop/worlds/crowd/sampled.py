"""Worlds `crowd/sampled` and `crowd/sampled-orca`: crowds sampled from a few tracks (`sampling.py`).

    world = get_world("crowd/sampled-orca")
    draws = world.draws(range(100), scenarios=["eth-ucy/zara1/train"], seed=7)

A scenario is the tracks that crowds are sampled from: a set of tracks by its name, files of tracks, or `straight`,
which are people of no recording. In `crowd/sampled` nobody sees anybody, as published; in `crowd/sampled-orca` the same
people avoid each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from simloop.config import listed
from simloop.errors import InputError
from simloop.worlds.crowd.sampling import Sampling, TrackSource
from simloop.worlds.crowd.world import Crowd
from simloop.worlds.spreads import ranged

if TYPE_CHECKING:
    from simloop.worlds.crowd.scene import Scene
    from simloop.worlds.task import Task

STRAIGHT = "straight"
TABLE = [
    ranged("people.number", 0.05, 1, 20, (0.5, 2), "", "how many people, in units of the fitted numbers", log=True),
    ranged("people.speed", 0.1, 1, 4, (0.7, 1.4), "", "how fast, in units of the fitted speeds", kind="behaviour",
           log=True),
    ranged("people.spread", 0, 1, 4, (0.5, 1.5), "", "how different speeds are, in units of the fitted deviation",
           kind="behaviour"),
    ranged("tracks.shift", 0, 4, 50, (2, 8), "m", "by which tracks are moved at most, each way"),
    ranged("tracks.reversed", 0, 0.5, 1, (0.3, 0.7), "", "part of the tracks that are walked the other way"),
]  # fmt: skip


class SampledCrowd(Crowd):
    """People who follow tracks of others; see the module.

    Args:
        meet: whether they avoid each other.
    """

    filmed = STRAIGHT

    def __init__(self, *, meet: bool) -> None:
        name, how, walking = ("-orca", "who avoid each other", "orca") if meet else ("", "as published", "path")
        super().__init__(f"crowd/sampled{name}", f"crowds sampled from a few tracks, {how}", TABLE, walking)

    def scenarios(self, text: str = "all") -> tuple[str, ...]:
        """What crowds are sampled from: names of track sets in a list with commas; `all` is people of no recording."""
        names = listed(text)
        if not names:
            raise InputError(
                f"world {self.name!r} samples from tracks: name some, as eth-ucy/zara1/train, or {STRAIGHT}"
            )
        names = (STRAIGHT,) if names == ("all",) else names
        for name in names:
            _source(name)
        return names

    def sources(self, scenarios: Sequence[str]) -> dict[str, str]:
        """The hashes of the tracks that are sampled from."""
        return {name: _source(name).content for name in scenarios if name != STRAIGHT}

    def scene(self, scenario: str, values: Mapping[str, float], rng: np.random.Generator) -> Scene:
        how = Sampling(
            people=values["people.number"], speed=values["people.speed"], spread=values["people.spread"],
            shift=values["tracks.shift"], reversed_=values["tracks.reversed"],
        )  # fmt: skip
        return _source(scenario).scene(rng, how, meet=self.walking == "orca")

    def tasks(self) -> Mapping[str, Task]:
        return {}


@cache
def _source(name: str) -> TrackSource:
    if name == STRAIGHT:
        return TrackSource.straight()
    from simloop.targets.tracks import track_set

    return TrackSource.fit(track_set(name))
