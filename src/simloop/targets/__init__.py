"""What is real: recordings of the catalogue, someone's own logs, what can be acted on, and stand-ins named as such."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from simloop.columns import ColumnMap, Provenance
from simloop.errors import InputError, unknown
from simloop.targets.target import Target
from simloop.worlds import canonical_name
from simloop.worlds.world import World

if TYPE_CHECKING:
    from simloop.targets.gymnasium_machine import LiveMapping
    from simloop.targets.live import LiveTarget, Machine
    from simloop.worlds.task import Task

#: the engines that play a live stand-in of a world, first the one where a target's name says none
_ENGINES = {
    "double-pendulum": ("pybullet", "mujoco"),
    "qube": ("pybullet", "mujoco"),
    "drawer": ("pybullet",),
    "peg": ("mujoco",),
}

__all__ = ["Provenance", "Target", "environment_target", "get_target", "live_target"]


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


def live_target(
    name: str,
    world: World,
    task: str | Task | None = None,
    *,
    seed: int = 0,
    mapping: LiveMapping | str | Path | None = None,
) -> LiveTarget:
    """Return what can be acted on.

    Args:
        name: "standin:WORLD" is a stand-in in PyBullet, "standin:WORLD@mujoco" one in MuJoCo with effects that the
            world does not model (`peg` has no other), "...#7" the hidden reality of that number; "gym:ID" and
            "gym:package.module:function" are Gymnasium environments.
        world: whose channels and actions it has.
        task: what is to be done, by default the world's first task.
        seed: number of the hidden reality where the name says none.
        mapping: of an environment's observations and actions, or the YAML file that says it.
    """
    kind, _, rest = name.partition(":")
    if kind == "gym":
        from simloop.targets.gymnasium_machine import environment_maker

        return environment_target(environment_maker(rest), world, task, mapping, name=name)
    if kind != "standin":
        raise InputError(f"{name!r} cannot be acted on: expected 'standin:{world.name}' or 'gym:...'")
    if mapping is not None:
        raise InputError(f"{name}: a stand-in needs no mapping; it has the world's own channels and actions")
    return _stand_in(name, rest, world, task, seed)


def environment_target(
    environment: Any,
    world: World,
    task: str | Task | None = None,
    mapping: LiveMapping | str | Path | None = None,
    *,
    name: str = "gym",
) -> LiveTarget:
    """Return a Gymnasium environment, or a function that makes one, as a live target; see `LiveMapping`."""
    from simloop.targets.gymnasium_machine import GymnasiumMachine, LiveMapping
    from simloop.targets.live import LiveTarget

    if mapping is None:
        raise InputError(f"{name}: give a mapping that says which observations and actions are which of {world.name!r}")
    source = "mapping" if isinstance(mapping, LiveMapping) else str(mapping)
    read = mapping if isinstance(mapping, LiveMapping) else LiveMapping.read(mapping)
    make = (lambda: environment) if hasattr(environment, "step") and not isinstance(environment, type) else environment
    machine = GymnasiumMachine(world, make, read, source)
    return LiveTarget(name, world, machine, world.task(task), f"Gymnasium environment {name.removeprefix('gym:')}")


def _stand_in(name: str, of: str, world: World, task: str | Task | None, seed: int) -> LiveTarget:
    from simloop.targets.live import LiveTarget

    of, mark, number = of.partition("#")
    of, at, engine = of.partition("@")
    first = _ENGINES.get(world.name.split("/")[0], ("pybullet",))[0]
    engine = engine if at else first
    if (canonical_name(of) or world.name) != world.name:
        raise InputError(f"{name!r} is not a stand-in of this world: write 'standin:{world.name}'")
    if mark and not number.isdigit():
        raise InputError(f"{name!r}: expected a whole number after '#', got {number!r}")
    reality = int(number) if mark else seed
    machine = _machine(name, world, engine, reality)
    full = f"standin:{world.name}{'' if engine == first else f'@{engine}'}#{reality}"
    where = "PyBullet" if engine == "pybullet" else "MuJoCo with effects that the world does not model"
    return LiveTarget(full, world, machine, world.task(task), f"a stand-in in {where}: {world.summary}")


def _machine(name: str, world: World, engine: str, number: int) -> Machine:
    """The hidden reality of that number in an engine."""
    kind = world.name.split("/")[0]
    if kind not in _ENGINES:
        raise InputError(f"there is no live stand-in of world {world.name!r} (there are: {', '.join(_ENGINES)})")
    if engine not in _ENGINES[kind]:
        raise unknown(f"engine of {name!r}:", engine, _ENGINES[kind])
    if kind == "drawer":
        from simloop.targets.bullet_drawer import BulletDrawer, hidden_drawer

        return BulletDrawer(world, hidden_drawer(world, number))
    if kind == "peg":
        from simloop.targets.hidden_peg import HiddenPeg, hidden_peg

        return HiddenPeg(world, hidden_peg(world, number))
    from simloop.targets.realities import hidden

    if engine == "mujoco":
        from simloop.targets.hidden import HiddenMachine

        return HiddenMachine(world, hidden(world, number, "mujoco"))
    from simloop.targets.bullet import BulletMachine

    return BulletMachine(world, hidden(world, number, "pybullet"))
