"""What is real: recordings of the catalogue, someone's own logs, and stand-ins named as such."""

from __future__ import annotations

from simloop.columns import ColumnMap, Provenance
from simloop.errors import InputError
from simloop.targets.target import Target
from simloop.worlds import canonical_name
from simloop.worlds.world import World

__all__ = ["Provenance", "Target", "get_target"]


def get_target(name: str, world: World, columns: ColumnMap | None = None, *, seed: int = 0) -> Target:
    """Return the target `name`: "standin[:WORLD[/PART]]", a name of the catalogue, or a path to logs."""
    if name == "standin" or name.startswith("standin:"):
        from simloop.targets.standin import standin_target

        of = name.removeprefix("standin").removeprefix(":")
        of = canonical_name(of) or world.name
        if of != world.name and not of.startswith(world.name + "/"):
            raise InputError(f"{name!r} is not a stand-in of this world: write 'standin:{world.name}'")
        return standin_target(world, seed=seed, episodes=4, part=of.removeprefix(world.name).strip("/"))
    from simloop.targets.recorded import recorded_target

    return recorded_target(name, world, columns)
