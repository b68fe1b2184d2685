"""A column map for images: which columns of a folder's table hold the image and the labels, as YAML.

    table: data/*/*.parquet          # CSV, Parquet or JSON lines, several in the order of the numbers in their names
    image: observation.images.front  # a column of paths, or of images in the Parquet file itself (LeRobot)
    labels:
      steering: {column: action, element: 0, unit: deg, full: 25, positive: left}

Without `image`, the rows are those of the images in `images` (a folder), in the order of the numbers in their names.
`full` is the angle of full lock: the label is the angle over it. `positive` says to which side the angle grows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from simloop.columns import Provenance
from simloop.config import Strict, read_yaml
from simloop.errors import InputError, count, unknown
from simloop.parameters import Array
from simloop.targets.image_folder import named, rows_of
from simloop.targets.images import STEERING
from simloop.targets.listing import SUFFIXES, Listed, images_in, natural, steering
from simloop.targets.tub import refuse_other_unit

#: endings of files with a JSON record a line; the last one is Donkeycar's
_LINES = (".jsonl", ".catalog")


class LabelColumn(Strict):
    """Where a label is: a column, and which of its numbers where it holds several; degrees and radians by `full`."""

    column: str
    element: int | None = Field(default=None, ge=0)
    unit: Literal["", "deg", "rad"] = ""
    full: float | None = Field(default=None, gt=0)
    positive: Literal["right", "left"] = "right"

    def value(self, cell: Any, where: str) -> Any:
        """The label in a cell: a number, or what the cell holds if that is none."""
        if self.element is not None:
            values = None if isinstance(cell, str | bytes) else list(cell) if hasattr(cell, "__len__") else None
            if values is None or len(values) <= self.element:
                raise InputError(f"{where}: column {self.column!r} has no element {self.element}")
            cell = values[self.element]
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        try:
            number = float(cell)
        except (TypeError, ValueError):
            return cell
        return number / (self.full or 1.0) * (1 if self.positive == "right" else -1)


class ImageColumns(Strict):
    """Columns of a folder of images with a table, and what kind of reality they are of, as their owner says."""

    table: str
    image: str | None = None
    images: str = "."
    labels: dict[str, LabelColumn] = Field(default_factory=dict)
    provenance: Provenance = "real recordings"

    @field_validator("labels", mode="before")
    @classmethod
    def _columns_by_name(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {k: {"column": v} if isinstance(v, str) else v for k, v in value.items()}

    @field_validator("labels")
    @classmethod
    def _angles_have_a_full(cls, value: dict[str, LabelColumn]) -> dict[str, LabelColumn]:
        for name, column in value.items():
            if name == STEERING and column.unit and column.full is None:
                raise ValueError(f"an angle in {column.unit} needs 'full', the angle of full lock in {column.unit}")
        return value

    @classmethod
    def from_file(cls, path: str | Path) -> ImageColumns:
        """Read the map from a YAML file."""
        return read_yaml(path, cls)

    def listed(self, folder: Path) -> Listed:
        """The frames of a folder, as this map says."""
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        tables = sorted((p for p in folder.glob(self.table) if p.is_file()), key=natural)
        if not tables:
            raise InputError(f"{folder}: no table {self.table!r} in this folder")
        columns = list(
            dict.fromkeys([*([self.image] if self.image else []), *(c.column for c in self.labels.values())])
        )
        rows: list[tuple[str, dict[str, Any]]] = []
        for table in tables:
            rows += _rows(table, columns, self.image)
        files, embedded = self._files(folder, rows)
        return self._labelled(folder, rows, files, embedded)

    def _files(self, folder: Path, rows: Sequence[tuple[str, dict[str, Any]]]) -> tuple[list[Path | None], bool]:
        """Where the image of each row is, None where it is not there; and whether they are in the table itself."""
        base = folder / self.images
        if self.image is None:
            if not base.is_dir():
                raise InputError(f"{base}: no such folder of images")
            images = images_in(base)
            if len(images) != len(rows):
                raise InputError(
                    f"{folder}: {count(len(rows), 'row')} in {self.table!r} for {count(len(images), 'image')}; name the"
                    " column that holds the image in the column map"
                )
            return list(images), False
        cells = [cells[self.image] for _, cells in rows]
        if any(isinstance(c, Path) for c in cells):
            return [c if isinstance(c, Path) else None for c in cells], True
        found: list[Path | None] = []
        for cell in cells:
            tried = [base / str(cell).strip(), base / named(str(cell))] if cell else []
            found.append(next((p for p in tried if p.suffix.lower() in SUFFIXES and p.is_file()), None))
        return found, False

    def _labelled(
        self, folder: Path, rows: Sequence[tuple[str, dict[str, Any]]], files: Sequence[Path | None], embedded: bool
    ) -> Listed:
        skipped, kept = [], []
        beyond: dict[str, list[str]] = {name: [] for name in self.labels}
        labels: dict[str, Array] = {name: np.full(len(rows), np.nan) for name in self.labels}
        labels.setdefault(STEERING, np.full(len(rows), np.nan))
        for i, ((where, cells), file) in enumerate(zip(rows, files, strict=True)):
            wrong = "its image is not there" if file is None else ""
            for name, column in self.labels.items():
                try:
                    labels[name][i] = _number(name, column.value(cells[column.column], where), where)
                except InputError as error:
                    beyond[name].append(str(error))
                    wrong = wrong or str(error).removeprefix(f"{where}: ")
            if wrong:
                skipped.append((where, wrong))
            else:
                kept.append(i)
        for odd in beyond.values():
            refuse_other_unit(str(folder), odd, len(rows))
        listed = Listed(tuple(f or folder for f in files), labels, (), (self.image or "") if embedded else "")
        return listed.take(np.array(kept, dtype=int), skipped)


def _number(name: str, value: Any, where: str) -> float:
    """A label; steering within -1 to 1, any other as it is."""
    if name == STEERING:
        return steering(value, where)
    if value is None:
        return math.nan
    if not isinstance(value, float):
        raise InputError(f"{where}: expected a number as {name!r}, got {str(value)[:40]!r}")
    return value


def _rows(table: Path, columns: Sequence[str], image: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Where each row of a table stands, and its cells; an image in the table itself is the path of its row."""
    if table.suffix.lower() == ".csv":
        names, rows = rows_of(table)
        for column in columns:
            if column not in names:
                raise unknown(f"column of {table}:", column, names)
        return [(f"{table.name}, line {n}", {c: cells[names.index(c)] for c in columns}) for n, cells in rows]
    if table.suffix.lower() in _LINES:
        return _json_rows(table, columns)
    if table.suffix.lower() != ".parquet":
        expected = ", ".join((".csv", ".parquet", *_LINES))
        raise InputError(f"{table}: not a table that can be read (expected {expected})")
    return _parquet_rows(table, columns, image)


def _json_rows(table: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a file of JSON records, one a line; what a record lacks is missing."""
    rows = []
    try:
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                record = json.loads(line)
                rows.append((f"{table.name}, line {number}", {c: record.get(c) for c in columns}))
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{table}: not a file of JSON records, one a line") from None
    for column in columns:
        if all(cells[column] is None for _, cells in rows):
            raise InputError(f"{table}: no record has {column!r}")
    return rows


def _parquet_rows(table: Path, columns: Sequence[str], image: str | None) -> list[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(table)
        for column in columns:
            if column not in schema.names:
                raise unknown(f"column of {table}:", column, schema.names)
        kind = schema.field(image).type if image is not None else pa.null()
        inside = pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        read = pq.read_table(table, columns=[c for c in columns if not (inside and c == image)])
        rows_in = pq.read_metadata(table).num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{table}: not a Parquet file, or a damaged one ({str(error).splitlines()[0]})") from None
    cells = {c: read.column(c).to_pylist() for c in read.column_names}
    if inside:
        cells[str(image)] = [Path(f"{table}[{k}]") for k in range(rows_in)]
    return [(f"{table.name}, row {k}", {c: cells[c][k] for c in columns}) for k in range(rows_in)]
