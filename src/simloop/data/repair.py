"""Find what is damaged in a dataset, and make it anew: the same bytes, or a sentence that says why not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simloop.data.generate import Generated, complete, configure, opened, whole_shards
from simloop.data.images import IMAGES
from simloop.data.order import Order
from simloop.data.plan import Manifest, shard_name
from simloop.data.shard import DamagedError, Shard
from simloop.errors import InputError
from simloop.progress import Progress, silent
from simloop.runs import first_difference, unwritable
from simloop.worlds import World, get_world


@dataclass(frozen=True)
class Damage:
    """What is wrong with a shard."""

    shard: int
    what: str


@dataclass(frozen=True)
class Repaired:
    """What was damaged, and what was made; None where nothing was to be made."""

    damages: list[Damage]
    made: Generated | None


def damages(folder: Path, manifest: Manifest, progress: Progress = silent) -> Iterator[Damage]:
    """Read every file of a dataset, and yield the damaged shards; those that are missing are not among them."""
    shards = [k for k in manifest.plan.shards if (folder / shard_name(k)).exists()]
    for done, number in enumerate(shards):
        try:
            shard = Shard.read(folder, number, manifest.hash, manifest.plan)
            for row in range(len(shard)):
                for kind in IMAGES:
                    if shard.path(row, kind) is not None:
                        shard.content(row, kind)
        except DamagedError as error:
            yield Damage(number, error.what)
        progress(f"repair: {done + 1} of {len(shards)} shards read", (done + 1) / len(shards))


def repair(
    folder: str | Path,
    world: str | World | None = None,
    *,
    textures: str | Path | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Repaired:
    """Make the damaged and the missing shards of a dataset anew.

    Args:
        folder: of the dataset.
        world: that it shows, or its name or YAML file; by default the one that was asked for when it was made.
        textures: the folder of the images that its surfaces wear; by default where it was when it was made.
        workers: processes.
        progress: told how far it is.

    Raises:
        InputError: where the world or the versions beneath it are others than when the dataset was made, so that other
            images would come out.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    if textures is not None:
        manifest = manifest.replace(textures=str(Path(textures).resolve()))
    with opened(folder, manifest, "if-match"):
        found = list(damages(folder, manifest, progress))
        missing = set(manifest.plan.shards) - set(whole_shards(folder, manifest))
        if not found and not missing and manifest.counts is not None:
            return Repaired([], None)
        world = manifest.asked if world is None else world
        _check_same(folder, manifest, get_world(world) if isinstance(world, str) else world, found)
        try:
            for damage in found:
                shutil.rmtree(folder / shard_name(damage.shard))
        except OSError as error:
            raise unwritable(folder, error) from None
        return Repaired(found, complete(Order(folder, world, manifest), workers=workers, progress=progress))


def _check_same(folder: Path, manifest: Manifest, world: World, found: list[Damage]) -> None:
    """Raise unless the world would give the same frames as when the dataset was made."""
    look = manifest.configuration["look"]
    now = configure(
        world,
        manifest.request,
        manifest.distribution(),
        manifest.distribution("look") if look else None,
        int(manifest.configuration["seed"]),
    )
    if now != dict(manifest.configuration):
        changed = first_difference(dict(manifest.configuration), now)
        which = ", ".join(f"{shard_name(d.shard)}: {d.what}" for d in found[:3]) or "shards are missing"
        raise InputError(
            f"{folder}: cannot be made whole ({which}), for other images would come out ({changed}); install what it"
            " was made with, or make it anew with: simloop generate ... --resume always"
        )
