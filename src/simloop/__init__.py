"""simloop closes the loop between simulation and reality.

    import simloop
    world = simloop.get_world("double-pendulum")
    target = simloop.get_target("double-pendulum/design-c1/train", world)
    fit = simloop.LeastSquares().fit(simloop.Comparison(world, target), world.distribution("prior"))

Names are imported when first used, so that `import simloop` is immediate.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.4.0"

_HOMES = {
    "simloop.adapt": ["Adaptation", "Comparison", "Hierarchical", "LeastSquares", "SimOpt", "get_method"],
    "simloop.distributions": ["Distribution", "Empirical", "Mixture", "Normal", "Point", "Uniform"],
    "simloop.errors": ["DataWarning", "InputError"],
    "simloop.frames": ["Frame", "Request"],
    "simloop.gap": ["Gap", "get_measure", "measure_arms", "windowed_gaps"],
    "simloop.columns": ["Column", "ColumnMap"],
    "simloop.data.generate": ["generate"],
    "simloop.data.store": ["Dataset"],
    "simloop.loop": ["LoopFile", "run_loop"],
    "simloop.parameters": ["Parameter", "ParameterSpace"],
    "simloop.randomness": ["stream"],
    "simloop.report": ["write_report"],
    "simloop.runs": ["Run"],
    "simloop.targets": ["Target", "get_target"],
    "simloop.targets.images": ["ImageSet", "image_set"],
    "simloop.targets.windows": ["Replay", "Windows"],
    "simloop.trajectories": ["Channel", "TrajectorySet"],
    "simloop.worlds": ["Segments", "World", "get_world", "world_names"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'simloop' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
