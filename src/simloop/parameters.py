"""What may vary in a world: named parameters with units and bounds, and the space that they span.

    space = ParameterSpace([Parameter("link1.mass", unit="kg", low=0.1, high=2.0, default=0.5, scale="log")])
    space.check([[0.7]])                    # (n, d) float64 rows in physical units, or one clear InputError

A draw is a row of a float64 array (n, d) in physical units. Distributions and optimisers work in the *scale* of
each parameter: the logarithm for `log`, the value itself for `linear`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.errors import InputError, unknown

Array = NDArray[np.float64]
Scale = Literal["linear", "log"]
Kind = Literal["dynamics", "sensing", "appearance", "structure", "behaviour"]


@dataclass(frozen=True)
class Parameter:
    """One named quantity that may vary.

    `low` and `high` are hard bounds in `unit`: outside them the world makes no sense. `spread` is the standard
    deviation of the world's prior in the parameter's scale (log units for `log`), 0 for "half of the range".
    `integer` values are whole numbers; a `stochastic` parameter is the spread of something random (noise), which a
    point estimate cannot see; `choices` names the values of a categorical one (0, 1, 2, ...).
    """

    name: str
    low: float
    high: float
    default: float
    unit: str = ""
    scale: Scale = "linear"
    kind: Kind = "dynamics"
    spread: float = 0.0
    integer: bool = False
    stochastic: bool = False
    choices: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        if self.scale not in get_args(Scale):
            raise unknown(f"scale of parameter {self.name!r}:", self.scale, get_args(Scale))
        if self.kind not in get_args(Kind):
            raise unknown(f"kind of parameter {self.name!r}:", self.kind, get_args(Kind))
        if not all(map(math.isfinite, (self.low, self.high, self.default, self.spread))):
            raise InputError(f"parameter {self.name!r}: low, high, default and spread must be finite numbers")
        if not self.low < self.high:
            raise InputError(f"parameter {self.name!r}: low {self.low:g} must be below high {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise InputError(
                f"parameter {self.name!r}: a log scale needs low above 0, got {self.low:g}; use scale 'linear'"
            )
        if not self.low <= self.default <= self.high:
            raise InputError(
                f"parameter {self.name!r}: default {self.default:g} is outside [{self.low:g}, {self.high:g}]"
            )
        if self.choices and (self.low, self.high) != (0, len(self.choices) - 1):
            raise InputError(
                f"parameter {self.name!r}: {len(self.choices)} choices need low 0 and high {len(self.choices) - 1}"
            )
        if self.spread < 0:
            raise InputError(f"parameter {self.name!r}: spread must not be negative, got {self.spread:g}")
        if not self.spread:
            a, b = (math.log(self.low), math.log(self.high)) if self.scale == "log" else (self.low, self.high)
            object.__setattr__(self, "spread", b / 2 - a / 2)
        if not 1e-100 < self.spread < 1e100:
            raise InputError(f"parameter {self.name!r}: a spread of {self.spread:g} cannot be computed with")

    @property
    def discrete(self) -> bool:
        """Whether only whole numbers are values of this parameter."""
        return self.integer or bool(self.choices)


class ParameterSpace:
    """Ordered, named parameters; rows of (n, d) float64 arrays are points of it."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = tuple(parameters)
        names = [p.name for p in self.parameters]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InputError(f"parameter {twice[0]!r} is named twice")

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[self.index(name)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParameterSpace) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(self.parameters)

    def __repr__(self) -> str:
        return f"ParameterSpace({', '.join(self.names)})"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def low(self) -> Array:
        return np.array([p.low for p in self.parameters], dtype=float)

    @cached_property
    def high(self) -> Array:
        return np.array([p.high for p in self.parameters], dtype=float)

    @cached_property
    def default(self) -> Array:
        return np.array([p.default for p in self.parameters], dtype=float)

    @cached_property
    def spread(self) -> Array:
        return np.array([p.spread for p in self.parameters], dtype=float)

    @cached_property
    def log(self) -> NDArray[np.bool_]:
        return np.array([p.scale == "log" for p in self.parameters], dtype=bool)

    @cached_property
    def discrete(self) -> NDArray[np.bool_]:
        return np.array([p.discrete for p in self.parameters], dtype=bool)

    def index(self, name: str) -> int:
        """Return the column of parameter `name`; an unknown name is answered by close matches."""
        if name not in self.names:
            raise unknown("parameter", name, self.names)
        return self.names.index(name)

    def check(self, rows: ArrayLike) -> Array:
        """Return `rows` as a float64 array (n, d), or raise one InputError that names parameter and row."""
        try:
            x = np.atleast_2d(np.asarray(rows, dtype=float))
        except (TypeError, ValueError):
            raise InputError("parameter rows must be numbers") from None
        if x.ndim != 2 or x.shape[1] != len(self):
            raise InputError(
                f"parameter rows must have shape (n, {len(self)}), one column for each of {', '.join(self.names)};"
                f" got shape {x.shape}"
            )
        bad = ~np.isfinite(x)
        if bad.any():
            i, j = np.argwhere(bad)[0]
            raise InputError(f"parameter {self.names[j]!r} is {x[i, j]} in row {i}: expected a finite number")
        slack = 1e-9 * (self.high - self.low)
        bad = (x < self.low - slack) | (x > self.high + slack)
        if bad.any():
            i, j = np.argwhere(bad)[0]
            p = self.parameters[j]
            raise InputError(
                f"parameter {p.name!r} is {f'{x[i, j]:g} {p.unit}'.strip()} in row {i}: outside its bounds"
                f" [{p.low:g}, {p.high:g}]"
            )
        for j, p in enumerate(self.parameters):
            if p.discrete and (x[:, j] != np.round(x[:, j])).any():
                raise InputError(f"parameter {p.name!r} takes whole numbers, got {x[x[:, j] % 1 != 0, j][0]:g}")
        return np.clip(x, self.low, self.high)

    def row(self, values: Mapping[str, float]) -> Array:
        """Return the defaults with the named values put in: (d,), checked."""
        x = self.default.copy()
        for name, value in values.items():
            x[self.index(name)] = value
        return self.check(x)[0]

    def view(self, rows: ArrayLike) -> dict[str, Array]:
        """Return {name: column} of rows (n, d)."""
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        return {name: x[:, j] for j, name in enumerate(self.names)}

    def to_scale(self, rows: ArrayLike) -> Array:
        """Physical units to each parameter's scale: the logarithm where `scale` is log. (..., d) -> (..., d)."""
        z = np.array(rows, dtype=float)
        z[..., self.log] = np.log(z[..., self.log])
        return z

    def from_scale(self, z: ArrayLike) -> Array:
        """Inverse of `to_scale`. (..., d) -> (..., d)."""
        x = np.array(z, dtype=float)
        x[..., self.log] = np.exp(x[..., self.log])
        return x

    def round(self, rows: Array) -> Array:
        """Round the discrete parameters of rows (n, d) to whole numbers and clip all to their bounds."""
        return np.clip(np.where(self.discrete, np.round(rows), rows), self.low, self.high)

    def to_dict(self) -> list[dict[str, Any]]:
        return [asdict(p) for p in self.parameters]

    @classmethod
    def from_dict(cls, records: Any) -> ParameterSpace:
        known = [f.name for f in fields(Parameter)]
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise InputError("a parameter space is a list of objects, one for each parameter")
        parameters = []
        for record in records:
            for key in record:
                if key not in known:
                    raise unknown("field of a parameter", key, known)
            for key in ("name", "low", "high", "default"):
                if key not in record:
                    raise InputError(f"parameter {record.get('name', '?')!r} has no {key!r}")
            parameters.append(Parameter(**{**record, "choices": tuple(record.get("choices", ()))}))
        return cls(parameters)

    def replace(self, name: str, **changes: Any) -> ParameterSpace:
        """Return the space with one parameter's fields changed."""
        j = self.index(name)
        return ParameterSpace(replace(p, **changes) if i == j else p for i, p in enumerate(self.parameters))
