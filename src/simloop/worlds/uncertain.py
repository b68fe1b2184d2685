"""A world seen through errors: it starts a little off, is pushed by what nobody models, and its sensors are noisy.

    space = uncertain_space(world, {"start.joint1": 0.01, "push.motor1": 0.5, "noise.joint1": 0.01})
    UncertainWorld(world, space).simulate(rows, segments, seed=0)

The spreads are parameters like any other, so that a distribution over them is drawn, stored and trained with as one
over the world's own: `start.NAME` is the standard deviation of the error of a channel at the start of a segment,
`push.NAME` that of a constant added to an action throughout a segment, `noise.NAME` that of white noise on a measured
channel. The same seed gives the same errors, whatever comes after a segment in its call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution, Product, Uniform
from simloop.errors import InputError, unknown
from simloop.parameters import Array, Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.trajectories import Channel, TrajectorySet, columns, displaced, tangents
from simloop.worlds.world import Segments, World

START, PUSH, NOISE = "start.", "push.", "noise."
#: what acts in closed loop alone
LAG, STEP, DROP = "lag.", "step.", "drop."
_MEANING = {
    START: "error of the start of",
    PUSH: "constant disturbance of",
    NOISE: "noise on",
    LAG: "time by which a reading is late, of",
    STEP: "quantum of",
    DROP: "chance of losing",
}
#: from the least to the largest value of a spread
_RANGE = 1e9


def spread_channels(world: World) -> dict[str, Channel]:
    """The spreads that a world can be seen through, by name, and the channel or action that each is of."""
    return {
        **{START + c.name: c for c in world.channels},
        **{PUSH + a.name: a for a in world.actions},
        **{NOISE + c.name: c for c in world.measured},
        **{what + c.name: c for what in (LAG, STEP) for c in world.channels if c.kind != "quaternion"},
        **{DROP + c.name: c for c in (*world.channels, *world.actions)},
    }


def uncertain_space(world: World, largest: Mapping[str, float]) -> ParameterSpace:
    """The world's parameters, then the spreads that `largest` names, each with its upper bound in its channel's unit.

    A spread's default is its lower bound, which is as good as nothing.
    """
    known, spreads = spread_channels(world), []
    for name, high in largest.items():
        if name not in known:
            raise unknown(f"error of starts, actions or sensors of world {world.name!r}:", name, known)
        channel, what = known[name], name.split(".")[0] + "."
        spreads.append(
            Parameter(
                name,
                low=high / _RANGE,
                high=high,
                default=high / _RANGE,
                unit={LAG: "s", DROP: ""}.get(what, channel.error_unit),
                scale="log",
                kind="sensing",
                stochastic=what not in (LAG, STEP),
                description=f"{_MEANING[what]} {channel.name}",
            )
        )
    return ParameterSpace([*world.parameters, *spreads])


def with_errors(world: World, distribution: Distribution, ranges: Mapping[str, tuple[float, float]]) -> Distribution:
    """Add to a distribution the errors of `ranges`, name -> (least, largest), that it says nothing about.

    Each is uniform in its scale, and independent of everything else.
    """
    missing = {name: ends for name, ends in ranges.items() if name not in distribution.space.names}
    if not missing:
        return distribution
    space = uncertain_space(world, {name: largest for name, (_, largest) in missing.items()})
    added = ParameterSpace([p for p in space if p.name in missing])
    low, high = np.array([missing[name] for name in added.names]).T
    return Product(None, [distribution, Uniform(added, low, high)])


class UncertainWorld(World):
    """A world whose parameters are joined by the spreads of its starts, disturbances and sensors.

    Args:
        world: the world itself.
        space: its parameters, then any of `spread_channels`.
    """

    def __init__(self, world: World, space: ParameterSpace) -> None:
        d, known = len(world.parameters), spread_channels(world)
        unknown = [n for n in space.names[d:] if n not in known]
        if space.names[:d] != world.parameters.names or unknown:
            raise InputError(
                f"a distribution over {', '.join(unknown or space.names)} is not one over the parameters of"
                f" {world.name!r}, which are {', '.join(world.parameters.names)}"
            )
        self.world, self.parameters = world, space
        self.name, self.summary = world.name, world.summary
        self.channels, self.actions, self.control_dt = world.channels, world.actions, world.control_dt
        self.log_columns, self.whole, self.horizons = world.log_columns, world.whole, world.horizons
        self.begins_still = world.begins_still
        self.tolerances = world.tolerances

    def distributions(self) -> Mapping[str, Distribution]:
        return self.world.distributions()

    def versions(self) -> dict[str, str]:
        return self.world.versions()

    def content(self) -> str:
        return self.world.content()

    def state(self, positions: Array, rates: Array) -> Array:
        return self.world.state(positions, rates)

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        n, d = len(segments), len(self.world.parameters)
        rows = np.broadcast_to(self.parameters.check(parameters), (n, len(self.parameters)))
        start, push, noise = (self._errors(rows, kind, seed) for kind in (START, PUSH, NOISE))
        moved = replace(segments, state=displaced_state(self.world, segments.state, start))
        if self.actions:
            moved = replace(moved, push=push if segments.push is None else segments.push + push)
        out = self.world.simulate(rows[:, :d], moved, seed=seed)
        values = out.values.reshape(n, -1, out.values.shape[1])
        white = stream(seed, "sensor noise").standard_normal((*values.shape[:2], noise.shape[1]))
        measured = sum(c.width for c in self.world.measured)
        assert self.world.channels[: len(self.world.measured)] == self.world.measured
        values[..., :measured] = displaced(values[..., :measured], white * noise[:, None], self.world.measured)
        return replace(out, values=values.reshape(out.values.shape), parameters=np.array(rows))

    def _errors(self, rows: Array, kind: str, seed: int) -> Array:
        """Draw the errors of one kind for rows (n, d): (n, columns); of noise the standard deviations."""
        of = {START: self.channels, PUSH: self.actions, NOISE: self.world.measured}[kind]
        names = [kind + c.name for c in of for _ in range(c.tangent)]
        spread = np.zeros((len(rows), len(names)))
        for j, name in enumerate(names):
            if name in self.parameters.names:
                spread[:, j] = rows[:, self.parameters.index(name)]
        return spread if kind == NOISE else spread * stream(seed, kind).standard_normal(spread.shape)


def displaced_state(world: World, state: Array, by: Array) -> Array:
    """Move states (n, S) along the tangent of the world's channels, by (n, D'), in the order of its channels."""
    out = state.copy()
    for channel, own in zip(world.channels, tangents(world.channels), strict=True):
        at = _state_columns(world, channel)
        if len(at):
            out[:, at] = displaced(out[:, at], by[:, own], [channel])
    return out


def _state_columns(world: World, channel: Channel) -> NDArray[np.int64]:
    """Where a channel stands in the world's state; nowhere if the state does not hold it."""
    positions = np.zeros(sum(c.width for c in world.measured))
    rates = np.zeros(sum(c.tangent for c in world.measured))
    if channel.rate_of:
        at = tangents(world.measured)[[c.name for c in world.measured].index(channel.rate_of)]
        rates[at] = np.arange(1, at.stop - at.start + 1)
    else:
        at = columns(world.measured)[world.measured.index(channel)]
        positions[at] = np.arange(1, channel.width + 1)
    marks = world.state(positions, rates)
    return np.argsort(np.where(marks > 0, marks, np.inf), kind="stable")[: int((marks > 0).sum())]
