"""A world with a force on its joints that no parameter of it explains, as a sum of features of state and action.

    space = residual_space(world, ["joint1", "joint2"], ["sin(joint1)", "tanh(joint1.velocity/0.3)"], spread)
    ResidualWorld(world, space).simulate(rows, segments)

The coefficients are parameters like any other, in the unit of the joint's force: `force.JOINT.FEATURE`. A feature's
name is its formula: factors FUNCTION(CHANNEL/SCALE) joined by `*`, or `1`. The functions are bounded, so that what was
never seen gets no larger force than what was; so a distribution's file says everything about the force, and no code is
read from it. Actions are those that reach the body. The force is computed at the start of each control step and held.
Where all coefficients are 0 the world is the one without them, bit for bit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError, unknown
from simloop.parameters import Array, Parameter, ParameterSpace
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.physics import Force, PhysicsWorld
from simloop.worlds.world import Segments, World

FORCE = "force."
#: what a feature is made of; each is of order 1 and bounded
FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sat": lambda x: np.clip(x, -1.0, 1.0),
    "size": lambda x: np.minimum(np.abs(x), 1.0),
    "near": lambda x: np.exp(-(x**2)),
}
_FACTOR = re.compile(r"(?P<function>\w+)\((?P<channel>[^()/]+)(?:/(?P<scale>[0-9.e+-]+))?\)")
#: bounds of a coefficient, in its spreads
_BOUND = 1e3


@dataclass(frozen=True)
class Factor:
    """FUNCTION(CHANNEL / SCALE)."""

    function: str
    channel: str
    scale: float


def parse(feature: str, channels: Iterable[str]) -> tuple[Factor, ...]:
    """The factors of a feature, none for `1`; an unknown function or channel is answered by close matches."""
    known, factors = list(channels), []
    for part in feature.split("*") if feature != "1" else ():
        match = _FACTOR.fullmatch(part)
        if match is None:
            raise InputError(f"feature {feature!r}: {part!r} is not FUNCTION(CHANNEL/SCALE), for example tanh(x/0.3)")
        if match["function"] not in FUNCTIONS:
            raise unknown(f"function of feature {feature!r}:", match["function"], FUNCTIONS)
        if match["channel"] not in known:
            raise unknown(f"channel of feature {feature!r}:", match["channel"], known)
        try:
            scale = float(match["scale"] or 1.0)
        except ValueError:
            scale = 0.0
        if not 0 < scale < np.inf:
            raise InputError(f"feature {feature!r}: the scale {match['scale']!r} is not a number above 0")
        factors.append(Factor(match["function"], match["channel"], scale))
    return tuple(factors)


def force_channels(world: World) -> dict[str, Channel]:
    """The joints that a residual force may act on, by name: measured, and of one degree of freedom."""
    if not isinstance(world, PhysicsWorld):
        return {}
    return {c.name: c for c in world.measured if c.width == 1 and world.observation(c.name).field == "qpos"}


def residual_space(world: World, terms: Mapping[str, Iterable[str]], spread: Mapping[str, float]) -> ParameterSpace:
    """The world's parameters, then a coefficient of 0 for each feature of each joint of `terms`.

    `spread` of a joint is how large a coefficient is expected to be, in the unit of its force.
    """
    coefficients = []
    for joint, features in terms.items():
        if joint not in force_channels(world):
            raise unknown(f"joint of world {world.name!r} for a residual force:", joint, force_channels(world))
        unit = "N" if force_channels(world)[joint].kind == "linear" else "N m"
        for feature in features:
            coefficients.append(
                Parameter(
                    f"{FORCE}{joint}.{feature}",
                    low=-_BOUND * spread[joint],
                    high=_BOUND * spread[joint],
                    default=0.0,
                    unit=unit,
                    spread=spread[joint],
                    description=f"leftover force on {joint} along {feature}",
                )
            )
    return ParameterSpace([*world.parameters, *coefficients])


class ResidualWorld(World):
    """A world of rigid bodies whose parameters are joined by the coefficients of a force on its joints.

    Args:
        world: the world itself.
        space: its parameters, then coefficients named `force.JOINT.FEATURE`.
    """

    def __init__(self, world: World, space: ParameterSpace) -> None:
        d = len(world.parameters)
        added = space.names[d:]
        if not isinstance(world, PhysicsWorld) or space.names[:d] != world.parameters.names:
            raise InputError(
                f"a distribution over {', '.join(space.names)} is not one over the parameters of {world.name!r}"
            )
        self.world, self.parameters = world, space
        self.name, self.summary = world.name, world.summary
        self.channels, self.actions, self.control_dt = world.channels, world.actions, world.control_dt
        self.log_columns, self.whole, self.horizons = world.log_columns, world.whole, world.horizons
        self.begins_still = world.begins_still
        self.tolerances = world.tolerances
        self._inputs = [o.channel.name for o in world.observations if o.channel.width == 1 and o.field != "sensordata"]
        self._inputs += [a.name for a in world.actions]
        self._terms = tuple(self._term(name) for name in added)

    def _term(self, name: str) -> tuple[str, tuple[Factor, ...]]:
        """The joint and the factors of a coefficient's name."""
        joints = force_channels(self.world)
        # a channel's name may hold dots: the longest that fits
        joint = max((j for j in joints if name.startswith(f"{FORCE}{j}.")), key=len, default="")
        if not joint:
            raise unknown(f"parameter of world {self.name!r}", name, [*self.world.parameters.names, FORCE + "JOINT"])
        return joint, parse(name[len(f"{FORCE}{joint}.") :], self._inputs)

    def distributions(self) -> Mapping[str, Distribution]:
        return self.world.distributions()

    def versions(self) -> dict[str, str]:
        return self.world.versions()

    def content(self) -> str:
        return self.world.content()

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        return self.world.starts(count, rng)

    def state(self, positions: Array, rates: Array) -> Array:
        return self.world.state(positions, rates)

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        rows = np.broadcast_to(self.parameters.check(parameters), (len(segments), len(self.parameters)))
        d = len(self.world.parameters)
        coefficients = rows[:, d:]
        force = self.force(coefficients) if coefficients.any() else None
        out = self.world.simulate_with(force, rows[:, :d], segments, seed=seed)
        return replace(out, parameters=np.array(rows))

    def force(self, coefficients: Array) -> Force:
        """The force of segments with coefficients (n, F), as `PhysicsWorld.simulate_with` asks for it."""
        used = [t for t in range(len(self._terms)) if coefficients[:, t].any()]
        products = list(dict.fromkeys(self._terms[t][1] for t in used))
        factors = list(dict.fromkeys(f for product in products for f in product))

        def of_segments(numbers: NDArray[np.int64]) -> Callable[[Array, Array, Array], Array]:
            terms = [(self.world.dof(self._terms[t][0]), self._terms[t][1], coefficients[numbers, t]) for t in used]

            def of_state(qpos: Array, qvel: Array, actions: Array) -> Array:
                values = {
                    f: FUNCTIONS[f.function](self._read(f.channel, qpos, qvel, actions) / f.scale) for f in factors
                }
                of = {p: math.prod((values[f] for f in p), start=np.ones(len(qpos))) for p in products}
                out = np.zeros_like(qvel)
                # one by one, so that the sum does not depend on how many simulations there are
                for dof, product, coefficient in terms:
                    out[:, dof] += coefficient * of[product]
                return out

            return of_state

        return of_segments

    def _read(self, channel: str, qpos: Array, qvel: Array, actions: Array) -> Array:
        """A channel or an action of all simulations, (m,)."""
        names = [a.name for a in self.actions]
        if channel in names:
            return actions[:, names.index(channel)]
        o = self.world.observation(channel)
        return (qpos if o.field == "qpos" else qvel)[:, o.columns.start]
