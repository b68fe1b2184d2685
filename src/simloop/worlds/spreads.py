"""How far a machine's quantities may be from what is published, by kind: one table for all worlds of machines.

    TABLE = [positive("pole.mass", 0.024, "kg", "inertial", "mass of the pole"), delay("motor.delay", "...")]
    world = PhysicsWorld(parameters=space(TABLE), ...)
    world.distributions() -> {**own, **distributions(TABLE)}

The half-widths of `wide` are those of the real-dynamics protocol: inertial times or over 1.3, viscous friction 3,
Coulomb friction 2, gains 1.1, delays up to 15 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simloop.distributions import Distribution, Normal, Uniform
from simloop.parameters import Kind, Parameter, ParameterSpace

#: kind of quantity: (prior spread in log units, bounds: factor, half-width of `wide`: factor, search: part of spread)
_FACTORS = {
    "length": (0.1, 2.0, 1.05, 0.4),
    "inertial": (0.5, 10.0, 1.3, 0.4),
    "viscous": (1.5, 100.0, 3.0, 0.7),
    "coulomb": (0.7, 10.0, 2.0, 0.7),
    "unpublished": (1.5, 100.0, 2.0, 0.7),
    "soft": (0.7, 10.0, 2.0, 0.7),
    "gain": (0.1, 2.0, 1.1, 0.7),
}


@dataclass(frozen=True)
class Row:
    """A parameter, its range in `wide`, and the part of its spread that a search by sampling starts with."""

    parameter: Parameter
    wide: tuple[float, float]
    search: float = 0.7


def positive(name: str, default: float, unit: str, quantity: str, description: str) -> Row:
    """A quantity above 0, known up to a factor."""
    spread, bound, wide, search = _FACTORS[quantity]
    kind: Kind = "sensing" if quantity == "gain" else "dynamics"
    return Row(
        Parameter(name, low=default / bound, high=default * bound, default=default, unit=unit, scale="log", kind=kind,
                  spread=spread, description=description),
        (default / wide, default * wide),
        search,
    )  # fmt: skip


def ranged(
    name: str, low: float, default: float, high: float, wide: tuple[float, float], unit: str, description: str, *,
    kind: Kind = "structure", log: bool = False, integer: bool = False, choices: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    """A quantity whose bounds and range in `wide` someone sets by hand; its spread is a quarter of that range."""
    narrow, broad = np.log(wide) if log else wide
    parameter = Parameter(
        name, low=low, high=high, default=default, unit=unit, scale="log" if log else "linear", integer=integer,
        spread=float(broad - narrow) / 4, kind=kind, choices=choices, description=description,
    )  # fmt: skip
    return Row(parameter, wide)


def around(name: str, default: float, spread: float, unit: str, description: str, *, kind: Kind = "dynamics") -> Row:
    """A quantity of either sign, known up to `spread`; bounds are ten spreads away, `wide` is one to each side."""
    return Row(
        Parameter(name, low=default - 10 * spread, high=default + 10 * spread, default=default, unit=unit, kind=kind,
                  spread=spread, description=description),
        (default - spread, default + spread),
    )  # fmt: skip


def place(name: str, default: float, low: float, high: float, spread: float, wide: float, description: str) -> Row:
    """Where something stands, in m, or how it is turned, in rad (`NAME.yaw`); `wide` is to both sides."""
    unit = "rad" if name.endswith("yaw") else "m"
    return Row(
        Parameter(name, low=low, high=high, default=default, unit=unit, kind="structure", spread=spread,
                  description=description),
        (default - wide, default + wide),
    )  # fmt: skip


def delay(name: str, description: str) -> Row:
    """A delay of a few control steps at most."""
    return Row(
        Parameter(name, low=0.0, high=0.04, default=0.0, unit="s", kind="sensing", spread=0.010,
                  description=description),
        (0.0, 0.015),
    )  # fmt: skip


def space(table: Sequence[Row]) -> ParameterSpace:
    """The parameters of a table."""
    return ParameterSpace([row.parameter for row in table])


def distributions(table: Sequence[Row]) -> dict[str, Distribution]:
    """The distributions `wide` and `search` of a table."""
    own = space(table)
    low, high = np.array([row.wide for row in table]).T
    return {
        "wide": Uniform(own, low, high),
        "search": Normal.independent(own, own.default, own.spread * np.array([row.search for row in table])),
    }
