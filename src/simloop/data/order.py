"""What is to be made, as any process can carry it out: a shard of a dataset is a function of (order, number)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from simloop.data.plan import Manifest
from simloop.data.shard import ShardRecord, write_shard
from simloop.errors import InputError
from simloop.worlds import World, get_world, world_names


class Made(Protocol):
    """What a shard says of itself."""

    @property
    def configuration(self) -> str:
        """The hash of its dataset's configuration."""

    @property
    def frames(self) -> tuple[int, int]:
        """(first, end) of the numbers of what it holds."""

    @property
    def made(self) -> int:
        """How much it holds, for who counts."""


#: the record of a shard
R = TypeVar("R", bound=Made, covariant=True)


class Work(Protocol[R]):
    """Shards that any process can make."""

    def make(self, shard: int, told: Callable[[int], None] = ...) -> R:
        """Make a shard and put it in its place; say how much of it is made."""

    def packed(self) -> bytes:
        """The work as bytes for another process; an InputError where it cannot be sent."""


@dataclass(frozen=True)
class Order:
    """A dataset of images to be made.

    Attributes:
        folder: where.
        world: itself, or the name by which other processes find it.
        manifest: says what is drawn and photographed.
    """

    folder: Path
    world: str | World
    manifest: Manifest

    def make(self, shard: int, told: Callable[[int], None] = lambda photographs: None) -> ShardRecord:
        """Make a shard and put it in its place."""
        world = get_world(self.world) if isinstance(self.world, str) else self.world
        m = self.manifest
        frames = world.frames(
            m.plan.sequences_of(shard),
            request=m.request,
            distribution=m.distribution(),
            look=m.distribution("look") if m.configuration["look"] else None,
            seed=int(m.configuration["seed"]),
        )
        return write_shard(self.folder, m.plan, shard, frames, m.categories, m.hash, told)

    def packed(self, pack: Callable[[Any], bytes] = pickle.dumps) -> bytes:
        """The order as bytes for another process.

        Raises:
            InputError: where the world can neither be found by its name nor be sent.
        """
        world = self.world
        if (
            isinstance(world, World)
            and world.name in world_names()
            and get_world(world.name).content() == world.content()
        ):
            world = world.name
        try:
            return pack(replace(self, world=world))
        except Exception as error:  # whatever a part of the world answers that cannot be pickled
            raise InputError(
                f"world {self.manifest.configuration['world']['name']!r} cannot be sent to other processes ({error});"
                " give its name or YAML file, or one worker"
            ) from None


def unpacked(content: bytes) -> Work[Any]:
    """The work that `packed` gave."""
    try:
        order: Work[Any] = pickle.loads(content)
    except (ImportError, AttributeError) as error:
        raise InputError(f"the world is not found by the processes that are to make shards of it: {error}") from None
    return order
