"""Real data in, a better distribution out: one method for each file, all on the same `Comparison`."""

from __future__ import annotations

from typing import Any

from simloop.adapt.adaptation import Adaptation, Books, Method
from simloop.adapt.cem import CrossEntropy
from simloop.adapt.comparison import Comparison
from simloop.adapt.hierarchical import Hierarchical
from simloop.adapt.least_squares import LeastSquares
from simloop.adapt.likelihood import Likelihood
from simloop.adapt.mujoco_sysid import MujocoSysid
from simloop.adapt.posterior import Posterior
from simloop.adapt.residual import Residual
from simloop.adapt.simopt import SimOpt
from simloop.config import with_options
from simloop.errors import unknown
from simloop.progress import Progress, silent

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
    changed: Method = with_options(method, options or {}, name)
    return changed
