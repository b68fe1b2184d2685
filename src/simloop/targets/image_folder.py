"""A folder of images, by the numbers in their names, with or without one CSV file of angles.

The CSV has a column of angles (`steering`, `angle`, `steering_angle` or `user/angle`) and one of images (`image`,
`file`, `filename`, `frame`, `name`, `path`, or Udacity's `center`); without one its rows are those of the images.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import numpy as np

from simloop.errors import InputError, count
from simloop.targets.listing import SUFFIXES, Listed, images_in, steering
from simloop.targets.tub import refuse_other_unit

_ANGLES = ("steering", "angle", "steering_angle", "user/angle")
_IMAGES = ("image", "file", "filename", "frame", "name", "path", "center")


def read_folder(folder: Path) -> Listed:
    """Read which images a folder holds, and their steering where a CSV says it.

    Raises:
        InputError: if there is no image, or the CSV cannot be taken.
    """
    images = images_in(folder)
    if not images:
        raise InputError(f"{folder}: no images in this folder (expected {', '.join(SUFFIXES[:4])} files)")
    tables = sorted(p for p in folder.glob("*.csv") if not p.name.startswith("."))
    if len(tables) > 1:
        raise InputError(
            f"{folder}: holds {len(tables)} CSV files ({', '.join(t.name for t in tables[:4])}); leave the one with the"
            " angles, or give a column map"
        )
    return _with_angles(folder, images, tables[0]) if tables else Listed(
        tuple(images), {"steering": np.full(len(images), np.nan)}
    )  # fmt: skip


def _with_angles(folder: Path, images: Sequence[Path], table: Path) -> Listed:
    names, rows = rows_of(table)
    angle, image = _first(names, _ANGLES), _first(names, _IMAGES)
    if angle is None:
        raise InputError(
            f"{table}: no column of angles among {', '.join(names)[:80]} (expected {', '.join(_ANGLES)}); rename it, or"
            " give a column map"
        )
    if image is None and len(rows) != len(images):
        raise InputError(
            f"{table}: {count(len(rows), 'row')} for {count(len(images), 'image')}, and no column that names the image"
            f" (expected {', '.join(_IMAGES)})"
        )
    places = {p.name: i for i, p in enumerate(images)}
    if len(places) < len(images):
        raise InputError(f"{folder}: images in its folders have the same names; give a column map")
    angles = np.full(len(images), np.nan)
    skipped, beyond, given = [], [], set()
    for k, (line, cells) in enumerate(rows):
        where = f"{table.name}, line {line}"
        name = images[k].name if image is None else named(cells[image])
        if name not in places:
            skipped.append((where, f"its image {name!r} is not there"))
            continue
        if name in given:
            raise InputError(f"{table}, line {line}: the image {name!r} stands there twice")
        given.add(name)
        try:
            angles[places[name]] = steering(cells[angle], where)
        except InputError as error:
            beyond.append(str(error))
            skipped.append((name, str(error)))
            angles[places[name]] = np.inf
    refuse_other_unit(str(table), beyond, len(rows))
    return Listed(tuple(images), {"steering": angles}).take(np.flatnonzero(~np.isinf(angles)), skipped)


def named(cell: str) -> str:
    """The name of an image in a cell that may hold a whole path, of Windows too."""
    return PureWindowsPath(cell.strip()).name


def rows_of(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns of a CSV file, and its rows of as many cells, with their lines.

    Raises:
        InputError: for what is no CSV file with names on its first line.
    """
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            delimiter = max(",;\t", key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            names = [n.strip() for n in next(reader, [])]
            rows = [(reader.line_num, cells) for cells in reader if any(c.strip() for c in cells)]
    except UnicodeDecodeError:
        raise InputError(f"{table}: not UTF-8 text, so not a CSV file that simloop reads") from None
    except (OSError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not any(names) or any(_numeric(n) for n in names):
        raise InputError(f"{table}, line 1: expected the names of the columns, got {','.join(names)[:60]!r}")
    for line, cells in rows:
        if len(cells) != len(names):
            raise InputError(
                f"{table}, line {line}: {count(len(cells), 'value')} for {count(len(names), 'column name')}"
            )
    return names, rows


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    lower = [n.lower() for n in names]
    return next((lower.index(w) for w in wanted if w in lower), None)
