"""A shard: some photographs of a dataset in a folder of their own, written aside, whole or not there.

The tables and the record are flushed to disk before the folder gets its name. The images are not, which would take
longer than to draw them: what a power cut leaves of them is found by their check sums, and made anew by
`simloop data repair`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from simloop.data import png
from simloop.data.images import IMAGES
from simloop.data.names import stem
from simloop.data.plan import Plan, shard_name
from simloop.data.tables import (
    Columns,
    ImageFile,
    camera_of,
    from_parquet,
    numbers_of,
    objects_of,
    objects_table,
    photographs_table,
    to_parquet,
)
from simloop.errors import InputError
from simloop.frames import Category, Frame
from simloop.runs import read_json, unwritable, write_aside, write_json

#: what a shard says of itself
R = TypeVar("R")

RECORD, PHOTOGRAPHS, OBJECTS = "shard.json", "frames.parquet", "objects.parquet"
#: photographs that wait to be encoded while the next one is drawn
_WAITING = 4


class DamagedError(InputError):
    """A shard is not what was written."""

    def __init__(self, folder: Path, shard: int, what: str) -> None:
        super().__init__(
            f"{folder}: {shard_name(shard)} is damaged ({what}); make it anew with: simloop data repair {folder}"
        )
        self.folder, self.shard, self.what = folder, shard, what

    def __reduce__(self) -> tuple[Any, ...]:
        return DamagedError, (self.folder, self.shard, self.what)


@dataclass(frozen=True)
class ShardRecord:
    """What a shard says of itself.

    Attributes:
        configuration: the hash of its dataset's configuration.
        frames: (first, end) of its frames' numbers.
        photographs: how many it holds.
        objects, seen: by category, how many annotations there are, and how many of them with a visible pixel.
        lost: by kind of image, how many pixels could not be kept.
        crc: by name, the CRC-32 of its tables.
    """

    configuration: str
    frames: tuple[int, int]
    photographs: int
    objects: dict[str, int]
    seen: dict[str, int]
    lost: dict[str, int]
    crc: dict[str, int]

    @classmethod
    def read(cls, folder: Path, shard: int) -> ShardRecord:
        """Read the record of a dataset's shard."""
        return read_record(cls, folder, shard)

    @property
    def made(self) -> int:
        """How much it holds, for who counts."""
        return self.photographs

    def is_of(self, configuration: str, plan: Plan, shard: int) -> bool:
        """Whether it is that shard, whole, of that dataset."""
        frames = plan.frames_of(shard)
        return self.configuration == configuration and self.frames == (frames.start, frames.stop)


def read_record(kind: Callable[..., R], folder: Path, shard: int) -> R:
    """Read what a shard says of itself, whatever kind of data it holds."""
    try:
        record = read_json(folder / shard_name(shard) / RECORD)
        first, end = record.pop("frames")
        return kind(frames=(first, end), **record)
    except (InputError, TypeError, ValueError, AttributeError, KeyError):
        missing = not (folder / shard_name(shard) / RECORD).exists()
        raise DamagedError(folder, shard, f"{RECORD} is {'missing' if missing else 'broken'}") from None


def total(records: Iterable[ShardRecord], categories: Iterable[Category]) -> dict[str, Any]:
    """What all shards hold."""
    each = list(records)
    names = [c.name for c in categories]
    lost = dict.fromkeys(k for r in each for k in r.lost)
    return {
        "photographs": sum(r.photographs for r in each),
        "objects": {n: sum(r.objects.get(n, 0) for r in each) for n in names},
        "seen": {n: sum(r.seen.get(n, 0) for r in each) for n in names},
        "lost": {k: sum(r.lost.get(k, 0) for r in each) for k in lost},
    }


def write_shard(
    folder: Path,
    plan: Plan,
    shard: int,
    frames: Iterable[Frame],
    categories: tuple[Category, ...],
    configuration: str,
    told: Callable[[int], None] = lambda photographs: None,
) -> ShardRecord:
    """Write the photographs of a shard beside their place in a dataset's folder, and put it there when it is whole.

    Args:
        folder: of the dataset.
        plan: which frames are where.
        shard: its number.
        frames: the photographs that the plan has for it, in that order. A frame's arrays must not change afterwards.
        categories: of the dataset.
        configuration: its hash.
        told: called after each photograph with their number so far.
    """
    with written_aside(folder / shard_name(shard)) as aside:
        kept: list[Frame] = []
        files: list[dict[str, ImageFile]] = []
        with contextlib.closing(_stored(aside, _expected(frames, plan.contents(shard)))) as stored:
            for frame, written in stored:
                kept.append(frame)
                files.append(written)
                told(len(kept))
        return _write_tables(aside, kept, files, categories, configuration, plan.frames_of(shard))


@contextlib.contextmanager
def written_aside(place: Path) -> Iterator[Path]:
    """Give a new folder beside `place`, and put it there when the `with` statement ends without an error."""
    aside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        _flush(aside)
        _put_in_place(aside, place)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise unwritable(place, error) from None
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def write_table(file: Path, table: pa.Table) -> int:
    """Write a table, and have it on disk; return the CRC-32 of its bytes."""
    content = to_parquet(table)
    with write_aside(file) as opened:
        opened.write(content)
    return zlib.crc32(content)


def _expected(frames: Iterable[Frame], contents: Iterable[tuple[int, str]]) -> Iterator[Frame]:
    """Pass frames on, if they are what was to come."""
    nothing: Any = None
    for frame, expected in itertools.zip_longest(frames, contents, fillvalue=nothing):
        found = None if frame is None else (frame.index, frame.camera.name)
        if found != expected:
            raise RuntimeError(f"a world gave the photograph {found} where {expected} was to come")
        yield frame


def _stored(folder: Path, frames: Iterable[Frame]) -> Generator[tuple[Frame, dict[str, ImageFile]]]:
    """Write the images of frames while the next ones are drawn; yield each, without its images, and its files."""
    waiting: deque[Future[tuple[Frame, dict[str, ImageFile]]]] = deque()
    with ThreadPoolExecutor(max_workers=1) as writer:
        for frame in frames:
            waiting.append(writer.submit(_store, folder, frame))
            if len(waiting) > _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _store(folder: Path, frame: Frame) -> tuple[Frame, dict[str, ImageFile]]:
    files, start = {}, stem(frame.index, frame.camera.name)
    for kind, stored in IMAGES.items():
        image = getattr(frame, kind, None)
        if image is None:
            continue
        packed, lost = stored.pack(image, frame.camera)
        content = png.encode(packed)
        name = f"{start}.{kind}.png"
        with open(folder / name, "xb") as file:
            file.write(content)
        files[kind] = ImageFile(name, zlib.crc32(content), lost)
    empty = np.zeros((0, 0, 3), dtype=np.uint8)
    return frame.replace(rgb=empty, **dict.fromkeys((k for k in files if k != "rgb"), None)), files


def _write_tables(
    folder: Path,
    frames: list[Frame],
    files: list[dict[str, ImageFile]],
    categories: tuple[Category, ...],
    configuration: str,
    numbers: range,
) -> ShardRecord:
    tables = {PHOTOGRAPHS: photographs_table(frames, files), OBJECTS: objects_table(frames)}
    crc = {name: write_table(folder / name, table) for name, table in tables.items()}
    found = np.concatenate([f.objects.categories for f in frames])
    seen = np.concatenate([f.objects.categories[f.objects.seen] for f in frames])
    record = ShardRecord(
        configuration=configuration,
        frames=(numbers.start, numbers.stop),
        photographs=len(frames),
        objects={c.name: int((found == k).sum()) for k, c in enumerate(categories)},
        seen={c.name: int((seen == k).sum()) for k, c in enumerate(categories)},
        lost={k: n for k in IMAGES if (n := sum(x[k].lost for x in files if k in x))},
        crc=crc,
    )
    write_json(folder / RECORD, asdict(record))
    return record


def _put_in_place(aside: Path, place: Path) -> None:
    """Rename a whole shard to its place; a smaller or damaged one there gives way."""
    before = aside.with_name(f"{aside.name}.old.part")
    if place.exists():
        os.replace(place, before)
    os.replace(aside, place)
    shutil.rmtree(before, ignore_errors=True)
    _flush(place.parent)


def _flush(folder: Path) -> None:
    """Have what a folder lists on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard that is read: its tables in memory, its images on disk."""

    folder: Path
    number: int
    photographs: Columns
    objects: Columns

    @classmethod
    def read(cls, folder: Path, shard: int, configuration: str, plan: Plan) -> Shard:
        """Read the tables of a shard of the dataset in `folder`, and check that they are what was written."""
        record = ShardRecord.read(folder, shard)
        if not record.is_of(configuration, plan, shard):
            raise DamagedError(folder, shard, f"{RECORD} is that of another shard or dataset")
        tables = []
        for name in (PHOTOGRAPHS, OBJECTS):
            tables.append(read_table(folder, shard, name, record.crc.get(name)))
        return cls(folder, shard, *tables)

    def __len__(self) -> int:
        return len(self.photographs["index"])

    def path(self, row: int, kind: str) -> Path | None:
        """The file of an image of a photograph; None where there is none."""
        name = self.photographs[kind][row] if kind in self.photographs else None
        return None if name is None else self.folder / shard_name(self.number) / name

    def content(self, row: int, kind: str) -> bytes:
        """The bytes of an image's file, checked."""
        name = self.photographs[kind][row]
        return _content(self.folder, self.number, name, int(self.photographs[f"{kind}.crc"][row]))

    def frame(self, row: int, categories: tuple[Category, ...]) -> Frame:
        """A photograph with its images."""
        table = self.photographs
        camera = camera_of(table, row)
        images = {}
        for kind, stored in IMAGES.items():
            if self.path(row, kind) is None:
                continue
            try:
                images[kind] = stored.unpack(png.decode(self.content(row, kind)), camera)
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise DamagedError(self.folder, self.number, f"{table[kind][row]}: {error}") from None
        parameters, values = numbers_of(table, row)
        return Frame(
            index=int(table["index"][row]),
            sequence=int(table["sequence"][row]),
            step=int(table["step"][row]),
            time=float(table["time"][row]),
            camera=camera,
            categories=categories,
            objects=objects_of(table, self.objects, row),
            parameters=parameters,
            values=values,
            **images,
        )


def read_table(folder: Path, shard: int, name: str, crc: int | None) -> Columns:
    """A table of a shard, checked against its check sum."""
    content = _content(folder, shard, name, crc)
    try:
        return from_parquet(content)
    except (OSError, ValueError) as error:
        raise DamagedError(folder, shard, f"{name}: {error}") from None


def _content(folder: Path, shard: int, name: str, crc: int | None) -> bytes:
    """The bytes of a shard's file, checked against their check sum."""
    try:
        content = (folder / shard_name(shard) / name).read_bytes()
    except FileNotFoundError:
        raise DamagedError(folder, shard, f"{name} is missing") from None
    except OSError as error:
        raise InputError(f"{folder / shard_name(shard) / name}: cannot be read: {error.strerror}") from None
    if zlib.crc32(content) != crc:
        raise DamagedError(
            folder, shard, f"{name} is not what was written: {len(content)} bytes with another check sum"
        )
    return content
