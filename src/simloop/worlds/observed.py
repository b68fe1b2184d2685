"""A world of which a recording holds only some channels: what a real machine senses, and not where everything is.

    seen = observed(world, target.recordings.channels)     # the world itself where nothing is missing
    Comparison(seen, target)                               # compares what was recorded, and nothing else

The parameters, actions and starts are the world's own. Only channels that its state does not need may be missing: of
the drawer, where hand and handle are follows from joints and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.trajectories import Channel, TrajectorySet, columns, tangents
from simloop.worlds.world import Segments, World


def observed(world: World, channels: Sequence[Channel]) -> World:
    """Return the world as recordings of these channels see it; rates are estimated where they lack them."""
    names = {c.name for c in channels}
    return world if names.issuperset(c.name for c in world.measured) else ObservedWorld(world, names)


class ObservedWorld(World):
    """A world without the channels that nobody measured, and without their rates.

    Args:
        world: the world itself.
        names: of the measured channels that are left.
    """

    def __init__(self, world: World, names: set[str]) -> None:
        self.world = world
        self.name, self.summary = world.name, world.summary
        self.parameters, self.actions, self.control_dt = world.parameters, world.actions, world.control_dt
        self.log_columns, self.whole, self.horizons = world.log_columns, world.whole, world.horizons
        self.begins_still = world.begins_still
        self.tolerances = world.tolerances
        self.channels = tuple(c for c in world.channels if (c.rate_of or c.name) in names)
        if not self.channels:
            raise InputError(f"the recordings hold none of the channels of {world.name!r}")
        #: columns of the world's channels that are observed
        self.kept = places(world.channels, self.channels, columns(world.channels))
        self._position = places(world.measured, self.measured, columns(world.measured))
        self._rate = places(world.measured, self.measured, tangents(world.measured))
        self._check_state()

    def _check_state(self) -> None:
        """Raise if the state needs a channel that is missing."""
        widths = [sum(s.stop - s.start for s in at(self.world.measured)) for at in (columns, tangents)]
        for kind, (width, kept) in enumerate(zip(widths, (self._position, self._rate), strict=True)):
            for j in sorted(set(range(width)) - set(kept)):
                given = [np.zeros(w) for w in widths]
                given[kind][j] = 1.0
                if (self.world.state(*given) != self.world.state(*(np.zeros(w) for w in widths))).any():
                    missing = ", ".join(c.name for c in self.world.measured if c not in self.measured)
                    raise InputError(
                        f"the recordings lack {missing}, and without it nobody knows how {self.name!r} starts"
                    )

    def distributions(self) -> Mapping[str, Distribution]:
        return self.world.distributions()

    def versions(self) -> dict[str, str]:
        return self.world.versions()

    def content(self) -> str:
        return f"{self.world.content()} {' '.join(c.name for c in self.channels)}"

    def state(self, positions: Array, rates: Array) -> Array:
        full = [
            np.zeros((*x.shape[:-1], sum(s.stop - s.start for s in at(self.world.measured))))
            for x, at in ((positions, columns), (rates, tangents))
        ]
        full[0][..., self._position], full[1][..., self._rate] = positions, rates
        return self.world.state(*full)

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        out = self.world.simulate(parameters, segments, seed=seed)
        return TrajectorySet(
            channels=self.channels,
            time=out.time,
            values=out.values[:, self.kept],
            offsets=out.offsets,
            parameters=out.parameters,
            diverged=out.diverged,
            meta=out.meta,
        )


def places(have: Sequence[Channel], want: Sequence[Channel], where: Sequence[slice]) -> list[int]:
    """The columns of `want` among those of `have`."""
    at = {c.name: s for c, s in zip(have, where, strict=True)}
    return [j for c in want for j in range(at[c.name].start, at[c.name].stop)]
