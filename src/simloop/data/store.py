"""A dataset that is read: any photograph at any time, with memory that does not grow.

    dataset = Dataset.open("data/tabletop")
    len(dataset), dataset[1234].rgb, dataset.categories
    for frame in dataset: ...

Photograph i is frame i // C with camera i % C, where C is the number of cameras. Every image is checked against its
check sum when it is read; what is damaged is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, overload

from simloop.data.plan import Manifest, shard_name
from simloop.data.shard import DamagedError, Shard, ShardRecord
from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.frames import Category, Frame, Request

#: shards whose tables are kept in memory
_SHARDS = 16


class Dataset(Sequence[Frame]):
    """The photographs of a dataset's folder. Use `Dataset.open`."""

    def __init__(self, folder: Path, manifest: Manifest, shards: tuple[int, ...]) -> None:
        self.folder, self.manifest, self.shards = folder, manifest, shards
        self._read = lru_cache(maxsize=_SHARDS)(self._read_shard)

    @classmethod
    def open(cls, folder: str | Path, *, unfinished: bool = False) -> Dataset:
        """Open a dataset's folder.

        Args:
            folder: what `simloop generate` wrote.
            unfinished: open a dataset that is not complete, too, with the whole shards that are there.

        Raises:
            InputError: for what is not a dataset, was written by a newer simloop, is not complete or is damaged.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        plan = manifest.plan
        there = tuple(k for k in plan.shards if (folder / shard_name(k)).is_dir())
        if manifest.counts is None:
            there = tuple(k for k in there if _whole(folder, manifest, k))
            if not unfinished:
                have = sum(len(plan.frames_of(k)) for k in there)
                raise InputError(
                    f"{folder}: not complete, it has {have} of {manifest.frames} frames; give the command that makes it"
                    " again, and it goes on"
                )
        elif len(there) < len(plan.shards):
            raise DamagedError(folder, min(set(plan.shards) - set(there)), "it is missing")
        return cls(folder, manifest, there)

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """What the objects' categories mean."""
        return self.manifest.categories

    @cached_property
    def request(self) -> Request:
        """What was photographed; its cameras are named."""
        return self.manifest.request

    @property
    def seed(self) -> int:
        """Of everything random."""
        return int(self.manifest.configuration["seed"])

    @property
    def world(self) -> str:
        """The name of the world."""
        return str(self.manifest.configuration["world"]["name"])

    @property
    def versions(self) -> dict[str, str]:
        """What it was made with."""
        return dict(self.manifest.configuration["versions"])

    @cached_property
    def distribution(self) -> Distribution:
        """What scenes were drawn from."""
        return self.manifest.distribution()

    @cached_property
    def look(self) -> Distribution | None:
        """What the scenes' appearance was drawn from; None where the world has no say in it."""
        return self.manifest.distribution("look") if self.manifest.configuration["look"] else None

    @cached_property
    def _in_shard(self) -> int:
        """Photographs in a full shard."""
        return self.manifest.plan.frames_in_shard * len(self.request.cameras)

    @cached_property
    def _length(self) -> int:
        return sum(len(self.manifest.plan.frames_of(k)) for k in self.shards) * len(self.request.cameras)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        shard, row = self._place(index)
        return shard.frame(row, self.categories)

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))

    def path(self, index: int, kind: str = "rgb") -> Path | None:
        """The PNG file of an image (rgb, depth, instances, ...) of photograph `index`; None where there is none."""
        shard, row = self._place(index)
        return shard.path(row, kind)

    def tables(self) -> Iterator[Shard]:
        """The shards, one after the other: all annotations, without images."""
        return (self._read(k) for k in self.shards)

    def _place(self, index: int) -> tuple[Shard, int]:
        """The shard and the row there of a photograph."""
        i = index + len(self) if index < 0 else index
        if not 0 <= i < len(self):
            raise IndexError(f"photograph {index} of {len(self)}")
        # all shards but the last are full
        return self._read(self.shards[i // self._in_shard]), i % self._in_shard

    def _read_shard(self, shard: int) -> Shard:
        return Shard.read(self.folder, shard, self.manifest.hash, self.manifest.plan)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.folder, self.manifest, self.shards)


def _whole(folder: Path, manifest: Manifest, shard: int) -> bool:
    """Whether a shard of an unfinished dataset is one that the finished one will have."""
    try:
        return ShardRecord.read(folder, shard).is_of(manifest.hash, manifest.plan, shard)
    except DamagedError:
        return False
