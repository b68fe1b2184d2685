"""What episodes of a training are drawn from."""

from __future__ import annotations

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.worlds.task import Task
from simloop.worlds.uncertain import spread_channels, with_errors
from simloop.worlds.world import World


def randomisation(world: World, task: Task, name: str | None) -> Distribution:
    """What episodes are drawn from: a distribution by name or from a run, with the task's errors of sensors.

    They are added, each uniform between the task's least and largest, where the distribution is one of the world's
    own by hand (not its defaults) and so says nothing about sensors.
    """
    found = world.distribution(name or "default")
    return sensed(world, task, found) if name in world.distributions() else found


def sensed(world: World, task: Task, distribution: Distribution) -> Distribution:
    """A distribution with the task's errors of sensors, if it says nothing about them and is not one point."""
    silent = distribution.space.names == world.parameters.names and not isinstance(distribution, Point)
    return with_sensing(world, task, distribution) if silent else distribution


def with_sensing(world: World, task: Task, distribution: Distribution) -> Distribution:
    """A distribution with the task's errors of sensors, each uniform between the task's least and largest."""
    if not task.sensing:
        return distribution
    unknown = sorted(set(task.sensing) - set(spread_channels(world)))
    if unknown:
        raise InputError(f"task {task.name!r} trains with {unknown[0]!r}, which world {world.name!r} does not have")
    return with_errors(world, distribution, task.sensing)
