"""Real data in, a better distribution out: one method for each file, all on the same `Comparison`."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

from simloop.adapt.adaptation import Adaptation, Method, Progress, silent
from simloop.adapt.comparison import Comparison
from simloop.adapt.least_squares import LeastSquares
from simloop.adapt.simopt import SimOpt
from simloop.errors import InputError, unknown

__all__ = ["Adaptation", "Comparison", "LeastSquares", "Method", "Progress", "SimOpt", "get_method", "silent"]

METHODS: dict[str, type[LeastSquares] | type[SimOpt]] = {m.name: m for m in (LeastSquares, SimOpt)}


def get_method(name: str, options: dict[str, Any] | None = None) -> LeastSquares | SimOpt:
    """Return the method `name` with its options; unknown names are answered by close matches."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    method: LeastSquares | SimOpt = METHODS[name]()
    known = {f.name: getattr(method, f.name) for f in fields(method)}
    for key, value in (options or {}).items():
        if key not in known:
            raise unknown(f"option of {name}:", key, known)
        wanted = known[key]
        if isinstance(wanted, tuple):
            values = value if isinstance(value, list | tuple) else [value]
            if not values or not all(map(_positive, values)):
                raise InputError(f"option {key!r} of {name}: expected a list of positive numbers, got {value!r}")
            value = tuple(float(v) for v in values)
        elif not _positive(value) or (isinstance(wanted, int) and value != int(value)):
            kind = "whole" if isinstance(wanted, int) else "finite"
            raise InputError(f"option {key!r} of {name}: expected a {kind} number above 0, got {value!r}")
        method = replace(method, **{key: value})
    return method


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
