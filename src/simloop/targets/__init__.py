"""What is real: recordings of the catalogue, someone's own logs, and stand-ins named as such."""

from __future__ import annotations

from simloop.logs import ColumnMap
from simloop.targets.target import Provenance, Target
from simloop.worlds.world import World

__all__ = ["Provenance", "Target", "get_target"]


def get_target(name: str, world: World, columns: ColumnMap | None = None, *, seed: int = 0) -> Target:
    """Return the target `name`: "standin:WORLD[/PART]", a name of the catalogue, or a path to logs."""
    if name.startswith("standin:"):
        from simloop.targets.standin import standin_target

        part = name.removeprefix("standin:").removeprefix(world.name).strip("/")
        return standin_target(world, seed=seed, episodes=4, part=part)
    from simloop.targets.recorded import recorded_target

    return recorded_target(name, world, columns)
