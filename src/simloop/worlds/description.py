"""A world and the versions beneath it as a run or a dataset keeps them: what decides its results."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

import simloop
from simloop.worlds.world import World


def describe_world(world: World) -> dict[str, Any]:
    """A world as a run's configuration keeps it: an edited model or another engine is another configuration."""
    return {
        "name": world.name,
        "parameters": world.parameters.to_dict(),
        "whole": world.whole,
        "content": world.content(),
        "versions": versions(world),
    }


def versions(world: World) -> dict[str, str]:
    """Versions that a result depends on."""
    return {
        "simloop": simloop.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **world.versions(),
    }
