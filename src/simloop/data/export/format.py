"""The contract of an export format, and what all of them take from frames."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.data.names import stem
from simloop.data.png import encode
from simloop.data.store import Dataset
from simloop.errors import InputError
from simloop.frames import Category, Frame, Objects
from simloop.progress import Progress

#: s, between two words on how far it is
_PATIENCE = 1.0


@dataclass(frozen=True)
class Source:
    """Frames to export, one after the other.

    Attributes:
        frames: in the order of their index; the frames of a sequence follow each other.
        categories: what the objects' categories mean.
        count: how many frames there are.
        length: frames in a sequence; 1 for stills.
        rate: frames in a second of a sequence.
        views: sequences that share a scene.
        name: what it is called in messages.
        world: where they were taken.
        record: what made the frames, JSON-able: it decides whether an export is the same.
        png: the file that holds the RGB of the frame at a place in `frames`, where there is one.
    """

    frames: Iterable[Frame]
    categories: tuple[Category, ...]
    count: int
    length: int = 1
    rate: float = 30.0
    views: int = 1
    name: str = "frames"
    world: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    png: Callable[[int], Path | None] = lambda place: None

    @classmethod
    def of(cls, dataset: Dataset) -> Source:
        """All photographs of a dataset."""
        request = dataset.request
        return cls(
            frames=dataset,
            categories=dataset.categories,
            count=len(dataset),
            length=request.length,
            rate=request.rate,
            views=request.views,
            name=dataset.folder.resolve().name,
            world=dataset.world,
            record={"dataset": dataset.manifest.hash},
            png=dataset.path,
        )


@dataclass(frozen=True)
class Shot:
    """A frame, its place in the source, and its image as a PNG file if it is one already."""

    frame: Frame
    place: int
    file: Path | None

    @property
    def stem(self) -> str:
        """The name of its files, without an ending: its index and its camera."""
        return stem(self.frame.index, self.frame.camera.name)

    def png(self) -> bytes:
        """The RGB image as PNG."""
        return self.file.read_bytes() if self.file else encode(self.frame.rgb)

    def write_png(self, path: Path) -> None:
        """Give `path` the RGB image: the same file by a hard link where it is one already, else written."""
        if self.file is None:
            path.write_bytes(encode(self.frame.rgb))
            return
        try:
            os.link(self.file, path)
        except OSError:  # another disk, or one without links
            shutil.copyfile(self.file, path)


class Format(ABC):
    """A way to write frames for others: a frozen dataclass whose fields are its options."""

    name: ClassVar[str]
    summary: ClassVar[str]
    #: whether its labels run over sequences
    sequences: ClassVar[bool] = False

    @abstractmethod
    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        """Write all frames into an empty folder; say what was written, JSON-able."""

    def check(self, source: Source) -> None:
        """Refuse what cannot be written in this format."""
        if self.sequences and source.length < 2:
            raise InputError(
                f"{source.name}: holds stills, and {self.name} needs sequences; generate it with --length 2 or more"
            )


def shots(source: Source, progress: Progress, what: str) -> Iterator[Shot]:
    """The frames of a source, with progress told as they are used."""
    told = time.monotonic()
    for place, frame in enumerate(source.frames):
        yield Shot(frame, place, source.png(place))
        if time.monotonic() > told + _PATIENCE or place + 1 == source.count:
            told = time.monotonic()
            progress(f"export to {what}: {place + 1} of {source.count} frames", (place + 1) / max(source.count, 1))


def things_of(categories: tuple[Category, ...]) -> dict[int, int]:
    """The categories that are things: place among all -> place among the things."""
    return {k: i for i, k in enumerate(k for k, c in enumerate(categories) if c.thing)}


def seen_things(frame: Frame) -> Objects:
    """The things of which at least one pixel is visible."""
    things = frame.things
    return things.take(things.seen)


def mask_of(frame: Frame, wanted_by: str) -> NDArray[np.uint16]:
    """The instance mask of a frame."""
    if frame.instances is None:
        raise InputError(
            f"frame {frame.index}: has no instance mask, and {wanted_by} needs one; generate with --passes instances"
        )
    return frame.instances
