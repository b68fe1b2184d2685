"""Reading logs of real machines: CSV, NPZ and Parquet, as files, folders or globs, into a TrajectorySet.

Whatever cannot be trusted is named with its file, line and column. A jump in time splits a recording, so that
nothing is ever compared across it.
"""

from __future__ import annotations

import csv
import glob
import itertools
import math
import warnings
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from simloop.columns import Column, ColumnMap
from simloop.errors import DataWarning, InputError, count, did_you_mean
from simloop.parameters import Array
from simloop.trajectories import Channel, TrajectorySet

SUFFIXES = (".csv", ".npz", ".parquet")
#: no measured quantity is that large: what is, stands for a missing value (the largest float32 or float64)
_ABSURD = 1e30

#: factor to the unit that simloop computes in, by that unit
UNITS: dict[str, dict[str, float]] = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0},
    "rad": {"rad": 1.0, "deg": math.pi / 180, "rev": 2 * math.pi},
    "rad/s": {"rad/s": 1.0, "deg/s": math.pi / 180, "rpm": math.pi / 30},
    "m": {"m": 1.0, "cm": 1e-2, "mm": 1e-3},
    "m/s": {"m/s": 1.0, "cm/s": 1e-2, "mm/s": 1e-3},
    "N m": {"N m": 1.0, "Nm": 1.0, "N*m": 1.0, "mNm": 1e-3, "N mm": 1e-3},
    "N": {"N": 1.0, "mN": 1e-3, "kN": 1e3},
    "V": {"V": 1.0, "mV": 1e-3},
    "A": {"A": 1.0, "mA": 1e-3},
}


def find_logs(where: str | Path) -> list[Path]:
    """Return the log files that a file, a folder (searched through) or a glob names, sorted by their full path."""
    if not str(where).strip():
        raise InputError("the name of the recordings is empty; give a file, a folder or a quoted glob")
    path = Path(where)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: not a log that simloop reads (expected {', '.join(SUFFIXES)})")
        return [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not files:
            raise InputError(f"{path}: no recordings in this folder (expected {', '.join(SUFFIXES)} files)")
        return files
    if glob.has_magic(str(where)):
        files = sorted(Path(p) for p in glob.glob(str(where), recursive=True) if Path(p).suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"{where}: no {', '.join(SUFFIXES)} file matches this pattern")
        return files
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise InputError(f"{where}: no such file or folder{did_you_mean(path.name, names)}")


def read_logs(
    files: Sequence[Path], columns: ColumnMap, channels: Sequence[Channel], actions: Sequence[Channel]
) -> TrajectorySet:
    """Read log files into one TrajectorySet with the given channels and actions, in their order and units.

    Rows whose time does not advance are dropped with a warning; time that runs backwards, and values that are not
    finite, are errors; a jump in time (over 10 median steps and 50 ms) starts a new episode.
    """
    _check_map(columns, channels, actions)
    needed = {n for c in (columns.time, *columns.channels.values(), *columns.actions.values()) for n in c.names}
    episodes: list[tuple[str, Array, Array, Array]] = []
    for file in files:
        table = read_table(file, needed)
        time = _column(table, file, columns.time, Channel("time", "s"))[:, 0]
        values = [_column(table, file, columns.channels[c.name], c) for c in channels]
        commands = [_column(table, file, columns.actions[a.name], a, last=len(time)) for a in actions]
        x = np.concatenate(values, axis=1)
        u = np.concatenate(commands, axis=1) if commands else np.zeros((len(time), 0))
        for name, block in (("channels", x), ("actions", u)):
            if len(block) != len(time):
                raise InputError(f"{file}: {name} have {len(block)} rows, the time has {len(time)}")
        keep = _check_time(time, file)
        for channel, column in zip(channels, values, strict=True):
            _warn_degrees(file, channel, columns.channels[channel.name], time[keep], column[keep, 0])
            _warn_constant(file, columns.channels[channel.name], column)
        time, x, u = time[keep], x[keep], u[keep]
        cuts = _jumps(time, file)
        for k, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(time)], strict=True)):
            name = str(file) if not cuts else f"{file}[{k}]"
            episodes.append((name, time[a:b], x[a:b], u[a:b]))
    return TrajectorySet(
        channels=tuple(channels),
        action_channels=tuple(actions),
        time=np.concatenate([e[1] for e in episodes]),
        values=np.concatenate([e[2] for e in episodes]),
        actions=np.concatenate([e[3] for e in episodes]),
        offsets=np.cumsum([0] + [len(e[1]) for e in episodes]),
        sources=tuple(e[0] for e in episodes),
    )


def read_table(file: Path, needed: Collection[str]) -> dict[str, Array]:
    """Read one log as {column name: (T,) float64}; a 2-D array `a` of an NPZ gives `a.0`, `a.1`, ...

    Columns that are not `needed` may hold anything.
    """
    suffix = file.suffix.lower()
    try:
        if file.stat().st_size == 0:
            raise InputError(f"{file}: an empty file")
        if suffix == ".csv":
            return _read_csv(file, needed)
        if suffix == ".parquet":
            return _read_parquet(file, needed)
        return _read_npz(file, needed)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except (PermissionError, IsADirectoryError) as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def _read_csv(file: Path, needed: Collection[str]) -> dict[str, Array]:
    try:
        with open(file, encoding="utf-8-sig") as lines:
            header = lines.readline().strip().removeprefix("#")
            rows_below = any(line.strip() for line in lines)
    except UnicodeDecodeError:
        raise InputError(_not_text(file)) from None
    delimiter = max(",;\t", key=header.count)
    names = [n.strip() for n in next(csv.reader([header], delimiter=delimiter), [])]
    if not any(names):
        raise InputError(f"{file}, line 1: expected the names of the columns, got an empty line")
    if all(_is_number(n) for n in names):
        raise InputError(f"{file}, line 1: expected the names of the columns, got numbers")
    if not rows_below:
        raise InputError(f"{file}: has column names but no rows")
    _check_once(f"{file}, line 1", names, needed)
    try:
        rows = _numbers(file, delimiter)
    except ValueError:
        rows = np.full((_check_cells(file, delimiter, names, needed), len(names)), np.nan)
        use = [j for j, name in enumerate(names) if name in needed]
        try:
            rows[:, use] = _numbers(file, delimiter, use) if use else rows[:, use]
        except ValueError:
            raise InputError(f"{file}: cannot be read as a table of numbers") from None
    if rows.shape[1] != len(names):
        raise InputError(f"{_place(file, 0)}: {rows.shape[1]} values for {count(len(names), 'column name')}")
    return dict(zip(names, rows.T, strict=True))


def _numbers(file: Path, delimiter: str, use: list[int] | None = None) -> Array:
    return np.loadtxt(
        file, delimiter=delimiter, skiprows=1, ndmin=2, encoding="utf-8-sig", comments=None, quotechar='"', usecols=use
    )


def _check_cells(file: Path, delimiter: str, names: list[str], needed: Collection[str]) -> int:
    """Raise where a CSV file first has a row of another length, or no number in a needed column; else count rows."""
    rows = 0
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            next(reader)
            for cells in filter(None, reader):
                at = f"{file}, line {reader.line_num}"
                if len(cells) != len(names):
                    raise InputError(f"{at}: {count(len(cells), 'value')} for {count(len(names), 'column name')}")
                for name, cell in zip(names, cells, strict=True):
                    if name in needed and not _is_number(cell):
                        what = repr(cell) if cell.strip() else "nothing"
                        raise InputError(f"{at}, column {name!r}: expected a number, got {what}")
                rows += 1
    except UnicodeDecodeError:
        raise InputError(_not_text(file)) from None
    except csv.Error as error:
        raise InputError(f"{file}: not a CSV file: {error}") from None
    return rows


def _not_text(file: Path) -> str:
    return f"{file}: not UTF-8 text, so not a CSV file that simloop reads"


def _check_once(at: str, names: list[str], needed: Collection[str]) -> None:
    twice = [n for n in names if n in needed and names.count(n) > 1]
    if twice:
        raise InputError(f"{at}: column {twice[0]!r} stands there twice")


def _read_npz(file: Path, needed: Collection[str]) -> dict[str, Array]:
    table: dict[str, Array] = {}
    try:
        if not zipfile.is_zipfile(file):
            raise InputError(f"{file}: not an NPZ file, or a damaged one")
        with np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    array = archive[name]
                except ValueError as error:
                    if "pickle" not in str(error):
                        raise
                    if name in needed:
                        raise InputError(
                            f"{file}, column {name!r}: holds Python objects (pickle), which simloop does not read"
                        ) from None
                    continue
                if array.dtype.kind in "fiub" and array.ndim in (1, 2):
                    x = array.astype(float)
                    table.update({name: x} if x.ndim == 1 else {f"{name}.{j}": x[:, j] for j in range(x.shape[1])})
                elif name in needed:
                    raise InputError(
                        f"{file}, column {name!r}: expected a row of numbers, got {array.dtype} of shape {array.shape}"
                    )
    except InputError:
        raise
    except Exception:  # a damaged archive raises whatever its decompressor does
        raise InputError(f"{file}: not an NPZ file, or a damaged one") from None
    return table


def _read_parquet(file: Path, needed: Collection[str]) -> dict[str, Array]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        _check_once(str(file), schema.names, needed)
        numeric = []
        for name in dict.fromkeys(schema.names):
            kind = schema.types[schema.names.index(name)]
            if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
                numeric += [name] * (schema.names.count(name) == 1)
            elif name in needed:
                raise InputError(f"{file}, column {name!r}: expected numbers, got {kind}")
        frame = pq.read_table(file, columns=numeric)
    except InputError:
        raise
    except (pa.ArrowException, OSError):
        raise InputError(f"{file}: not a Parquet file, or a damaged one") from None
    return {name: frame[name].cast(pa.float64()).to_numpy().astype(float) for name in numeric}


def _column(table: dict[str, Array], file: Path, column: Column, channel: Channel, last: int = 0) -> Array:
    """Return the columns of one channel, (T, width), in the channel's unit, finite."""
    names = column.names
    for name in names:
        if name not in table:
            raise InputError(
                f"{file}: no column {name!r} for {channel.name!r}"
                f"{did_you_mean(name, table) or f'; it has {_shortened(list(table))}'}"
            )
    x = np.stack([table[name] for name in names], axis=1)
    if last and len(x) == last - 1:  # one action for each step, not each state: the last one holds
        x = np.concatenate([x, x[-1:]])
    bad = ~(np.abs(x) < _ABSURD)
    if bad.any():
        row, j = np.argwhere(bad)[0]
        raise InputError(
            f"{_place(file, row)}, column {names[j]!r}: {x[row, j]:g} ({count(bad.any(axis=1).sum(), 'such row')});"
            " expected finite numbers: cut these rows out of the log"
        )
    return x * (_units(channel)[column.unit] if column.unit is not None else 1.0)


def _units(channel: Channel) -> dict[str, float]:
    return UNITS.get(channel.unit, {channel.unit: 1.0})


def _check_map(columns: ColumnMap, channels: Sequence[Channel], actions: Sequence[Channel]) -> None:
    """Raise if the map names what the world lacks, lacks what the world needs, or has wrong widths or units."""
    for what, have, need in (
        ("channel", columns.channels, [c.name for c in channels]),
        ("action", columns.actions, [a.name for a in actions]),
    ):
        for name in have:
            if name not in need:
                hint = did_you_mean(name, need) or f" (it has: {', '.join(need) or 'none'})"
                raise InputError(f"{columns.source}: the world has no {what} {name!r}{hint}")
        for name in need:
            if name not in have:
                raise InputError(f"{columns.source}: {what} {name!r} of the world has no column; add it to '{what}s'")
    mapped = [(c, columns.channels[c.name]) for c in channels] + [(a, columns.actions[a.name]) for a in actions]
    for channel, column in [(Channel("time", "s"), columns.time), *mapped]:
        if len(column.names) != channel.width:
            wanted = "'column: [w, x, y, z]'" if channel.kind == "quaternion" else count(channel.width, "column")
            got = ", ".join(map(repr, column.names)) or "none"
            raise InputError(f"{columns.source}: {channel.name!r} needs {wanted}, got {got}")
        known = _units(channel)
        if column.unit is not None and column.unit not in known:
            units = ", ".join(filter(None, known)) or "no unit at all"
            raise InputError(f"{columns.source}: unit {column.unit!r} of {channel.name!r}: expected {units}")


def _check_time(time: Array, file: Path) -> Array:
    """Return which rows to keep; raise where the time runs backwards."""
    if len(time) < 2:
        raise InputError(f"{file}: {count(len(time), 'row')}; a recording has at least 2")
    step = np.diff(time)
    if (step < 0).any():
        row = int(np.argmax(step < 0)) + 1
        raise InputError(
            f"{_place(file, row)}: time runs backwards, from {time[row - 1]:g} s to {time[row]:g} s;"
            " sort the log, or split it where the clock was set back"
        )
    keep = np.concatenate([[True], step > 0])
    if not keep[1:].any():
        raise InputError(f"{file}: all {len(time)} rows have the time {time[0]:g} s; expected time that advances")
    if not keep.all():
        warnings.warn(
            f"{_place(file, int(np.argmin(keep)))}: repeats the time of the row before"
            f" ({count(int((~keep).sum()), 'such row')}, dropped)",
            DataWarning,
            stacklevel=3,
        )
    return keep


def _jumps(time: Array, file: Path) -> list[int]:
    """Return the rows before which the time jumps, with a warning."""
    step = np.diff(time)
    if not len(step):
        return []
    limit = max(10 * float(np.median(step)), 0.05)
    at = [int(i) + 1 for i in np.flatnonzero(step > limit)]
    if at:
        warnings.warn(
            f"{file}: the time jumps at {count(len(at), 'row')} (first by {step[at[0] - 1]:.3g} s at"
            f" {time[at[0] - 1]:.3g} s, where a usual step is {np.median(step):.2g} s); the recording was split there",
            DataWarning,
            stacklevel=3,
        )
    return at


def _warn_degrees(file: Path, channel: Channel, column: Column, time: Array, x: Array) -> None:
    """Warn if an angle without a stated unit moves as only degrees would."""
    if channel.kind != "angle" or column.unit is not None or len(x) < 3:
        return
    span = float(np.ptp(x))
    speed = float(np.percentile(np.abs(np.diff(x) / np.diff(time)), 99))
    if span > 50 and speed > 50:
        warnings.warn(
            f"{file}, column {column.names[0]!r}: spans {span:.0f} and moves at up to {speed:.0f} per second, which as"
            f" radians would be {span / 2 / math.pi:.0f} turns at {speed * 30 / math.pi:.0f} rpm; if these are"
            " degrees, say 'unit: deg' in the column map (or 'unit: rad' to silence this)",
            DataWarning,
            stacklevel=3,
        )


def _warn_constant(file: Path, column: Column, x: Array) -> None:
    """Warn if a channel never moves: nothing can be learned from it, and often a sensor was not connected."""
    if not np.ptp(x, axis=0).any():
        warnings.warn(
            f"{file}, column {column.names[0]!r}: is {x[0, 0]:g} in all {len(x)} rows; was the sensor connected?",
            DataWarning,
            stacklevel=3,
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # which Python allows between digits


def _place(file: Path, row: int) -> str:
    """Where row `row` of the table stands in its file: a line of a CSV file, blank lines counted."""
    if file.suffix.lower() != ".csv":
        return f"{file}, row {row}"
    with open(file, encoding="utf-8-sig") as lines:
        filled = (number for number, line in enumerate(lines, 1) if number > 1 and line.strip())
        return f"{file}, line {next(itertools.islice(filled, row, None))}"


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "no numeric columns"
