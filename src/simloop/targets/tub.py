"""Donkeycar's own recordings, called tubs: frames with the human's steering, in both of the formats that it has had.

- Version 2: `manifest.json` names catalogs (`catalog_0.catalog`, one JSON record a line) and the indexes that its owner
  deleted; images lie in `images/`.
- Version 1: one `record_12.json` beside each image.

Frames come in the order of their index. `user/angle` is the steering; frames that the car drove itself (`user/mode` is
not "user") have no label, since nobody steered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import InputError, count
from simloop.targets.listing import Listed, natural, steering

_IMAGE, _ANGLE, _MODE, _INDEX = "cam/image_array", "user/angle", "user/mode", "_index"
#: more angles beyond -1 to 1 than this part of all, and they are in another unit
_ODD = 0.05

#: a record of a frame, where it stands, and its index
Placed = tuple[int, str, dict[str, Any]]


def is_tub(folder: Path) -> bool:
    """Whether a folder is a tub of either version."""
    found = (folder.glob(p) for p in ("*.catalog", "record_*.json"))
    return any(p.is_file() for paths in found for p in paths)


def read_tub(folder: Path) -> Listed:
    """Read which frames a tub holds and their steering; what cannot be used is skipped, with one sentence.

    Raises:
        InputError: if its manifest cannot be read, or its angles are in another unit than Donkeycar's.
    """
    skipped: list[tuple[str, str]] = []
    catalogs = any(folder.glob("*.catalog"))
    records = list(_catalogs(folder, skipped) if catalogs else _records(folder, skipped))
    images = folder / "images" if catalogs else folder
    present = {p.name for p in images.iterdir()} if images.is_dir() else set()
    kept: dict[int, tuple[Path, float]] = {}
    beyond = []
    for index, where, record in sorted(records, key=lambda r: r[0]):
        name = Path(str(record.get(_IMAGE, ""))).name
        if name not in present:
            skipped.append((where, f"its image {name!r} is not there" if name else f"has no {_IMAGE!r}"))
            continue
        if index in kept:
            skipped.append((where, f"has the index {index}, as a record before it"))
            continue
        try:
            angle = steering(record.get(_ANGLE) if record.get(_MODE, "user") == "user" else None, where)
        except InputError as error:
            beyond.append(str(error))
            skipped.append((where, str(error).removeprefix(f"{where}: ")))
            continue
        kept[index] = images / name, angle
    if not kept and not beyond:
        why = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise InputError(f"{folder}: a Donkeycar tub without any frame{why}")
    refuse_other_unit(str(folder), beyond, len(kept) + len(beyond))
    angles = np.array([angle for _, angle in kept.values()])
    return Listed(tuple(file for file, _ in kept.values()), {"steering": angles}, tuple(skipped))


def refuse_other_unit(where: str, beyond: list[str], frames: int) -> None:
    """Raise if so many angles cannot be taken that they are in another unit; `beyond` says what is wrong with each."""
    if len(beyond) > _ODD * frames:
        raise InputError(
            f"{where}: {len(beyond)} of {count(frames, 'angle')} cannot be taken ({beyond[0].split(': ', 1)[-1]});"
            " steering is expected from -1 (left) to 1 (right); for degrees or radians give a column map with a unit"
        )


def _catalogs(folder: Path, skipped: list[tuple[str, str]]) -> Iterator[Placed]:
    """The records of version 2, without those that were deleted."""
    names, deleted = _manifest(folder)
    for name in names:
        path = folder / Path(name).name
        if not path.is_file():
            skipped.append((path.name, "a catalog that the manifest names and that is not there"))
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            where = f"{path.name}, line {number}"
            record = _record(line, where, skipped) if line.strip() else None
            if record is None:
                continue
            index = record.get(_INDEX)
            if not isinstance(index, int):
                skipped.append((where, f"has no {_INDEX!r}"))
            elif index not in deleted:
                yield index, where, record


def _manifest(folder: Path) -> tuple[list[str], set[int]]:
    """The catalogs of a tub in their order, and the indexes of frames that were deleted."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{folder}: a Donkeycar tub without its manifest.json, which says what was deleted")
    try:
        last = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
        return [str(p) for p in last["paths"]], {int(i) for i in last.get("deleted_indexes", [])}
    except (OSError, UnicodeDecodeError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: not a Donkeycar manifest (its last line names catalogs in 'paths')") from None


def _records(folder: Path, skipped: list[tuple[str, str]]) -> Iterator[Placed]:
    """The records of version 1; their index is the number in their name."""
    for path in sorted(folder.glob("record_*.json"), key=natural):
        number = path.stem.removeprefix("record_")
        record = _record(path.read_bytes(), path.name, skipped)
        if record is None:
            continue
        if number.isdigit():
            yield int(number), path.name, record
        else:
            skipped.append((path.name, "expected a number after 'record_'"))


def _record(text: bytes, where: str, skipped: list[tuple[str, str]]) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, UnicodeDecodeError):
        record = None
    if isinstance(record, dict):
        return record
    skipped.append((where, "a damaged record"))
    return None
