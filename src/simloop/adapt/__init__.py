"""Real data in, a better distribution out: one method for each file, all on the same `Comparison`."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from simloop.adapt.adaptation import Adaptation, Books, Method, Progress, silent
from simloop.adapt.cem import CrossEntropy
from simloop.adapt.comparison import Comparison
from simloop.adapt.hierarchical import Hierarchical
from simloop.adapt.least_squares import LeastSquares
from simloop.adapt.likelihood import Likelihood
from simloop.adapt.mujoco_sysid import MujocoSysid
from simloop.adapt.posterior import Posterior
from simloop.adapt.residual import Residual
from simloop.adapt.simopt import SimOpt
from simloop.errors import InputError, unknown

__all__ = ["METHODS", "Adaptation", "Books", "Comparison", "CrossEntropy", "Hierarchical", "LeastSquares",
           "Likelihood", "Method", "MujocoSysid", "Posterior", "Progress", "Residual", "SimOpt", "get_method",
           "silent"]  # fmt: skip

#: methods import what they need of other packages when they fit, so this table costs nothing
METHODS: dict[str, type[Method]] = {
    m.name: m for m in (LeastSquares, Hierarchical, SimOpt, CrossEntropy, Likelihood, Posterior, Residual, MujocoSysid)
}


def get_method(name: str, options: dict[str, Any] | None = None) -> Method:
    """Return the method `name` with its options; unknown names are answered by close matches."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    cls = METHODS[name]
    cls.check_installed()
    method: Any = cls()
    kinds = {f.name: get_type_hints(cls)[f.name] for f in fields(method)}
    changes = {}
    for key, value in (options or {}).items():
        if key not in kinds:
            raise unknown(f"option of {name}:", key, kinds)
        changes[key] = _option(f"option {key!r} of {name}", kinds[key], value)
    changed: Method = replace(method, **changes)
    return changed


def _option(what: str, kind: Any, value: Any) -> Any:
    """Return `value` as the annotated kind of an option, or raise one sentence."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise unknown(f"value of {what}:", str(value), get_args(kind))
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{what}: expected true or false, got {value!r}")
        return value
    if get_origin(kind) is tuple:
        values = value if isinstance(value, list | tuple) else [value]
        if not values or not all(map(_positive, values)):
            raise InputError(f"{what}: expected a list of positive numbers, got {value!r}")
        return tuple(get_args(kind)[0](v) for v in values)
    if not _positive(value) or (kind is int and value != int(value)):
        expected = "whole" if kind is int else "finite"
        raise InputError(f"{what}: expected a {expected} number above 0, got {value!r}")
    return kind(value)


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
