"""Tracks as rows of four columns: the ETH and UCY files of the field, and CSV with or without a header.

    780	1.0	8.46	3.59          frame, pedestrian, x, y: parted by tabs, blanks, commas or semicolons

With a header the columns are found by name, in any order, and others are passed over: `frame` (or `time`, s), `ped`,
`x` and `y`, or what else they are often called.
"""

from __future__ import annotations

import re

from simloop.errors import InputError
from simloop.targets.track_formats.rows import TrackRows, number
from simloop.trajectories import TrajectorySet

#: what columns are called: frame, pedestrian, x, y
_NAMES = (
    ("frame", "frame_id", "frameid", "f", "fr", "time", "t", "timestamp"),
    ("ped", "pedestrian", "ped_id", "pedestrian_id", "id", "track_id", "trackid", "agent_id", "person", "entity", "p"),
    ("x", "pos_x", "x_m", "x_est"),
    ("y", "pos_y", "y_m", "y_est"),
)
_TIMES = ("time", "t", "timestamp")
_COLUMNS = "frame, pedestrian, x, y"


def read_plain(text: str, where: str) -> TrackRows:
    """Read rows of frame, pedestrian, x and y; `where` is the file that errors name."""
    rows: list[tuple[float, ...]] = []
    order, seconds, width = (0, 1, 2, 3), None, 0
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        fields = _fields(content)
        at = f"{where}, line {line}"
        if not width:
            width = len(fields)
            if _is_header(fields):
                order, seconds = _header(fields, at)
                continue
            if width != 4:
                raise InputError(f"{at}: expected four columns ({_COLUMNS}), got {width}")
        if len(fields) != width:
            raise InputError(f"{at}: has {len(fields)} columns, the lines before have {width}")
        rows.append((line, *(number(fields[k], at) for k in order)))
    return TrackRows.of(where, rows, seconds)


def write_plain(tracks: TrajectorySet, frames: list[int], frame_seconds: float) -> str:
    """Rows of one recording, as the ETH and UCY files have them, with frames (N,)."""
    from simloop.targets.track_formats.ordered import by_frame

    return "".join(f"{f}\t{p}\t{x:.6g}\t{y:.6g}\n" for f, p, x, y in by_frame(tracks, frames))


def _fields(content: str) -> list[str]:
    for mark in (",", ";", "\t"):
        if mark in content:
            return [f.strip().strip('"') for f in content.strip("\r\n").split(mark)]
    return content.split()


def _is_header(fields: list[str]) -> bool:
    return any(re.search(r"[A-Za-z]", f) and f.lower() not in ("nan", "na", "null", "none", "inf")
               and not re.fullmatch(r"[-+.\d]+[eE][-+]?\d+", f) for f in fields)  # fmt: skip


def _header(fields: list[str], at: str) -> tuple[tuple[int, int, int, int], float | None]:
    """Where the four columns stand, and 1 s where the first of them is a time."""
    names = [re.sub(r"\W+", "_", f.lower()).strip("_") for f in fields]
    found = []
    for known, what in zip(_NAMES, _COLUMNS.split(", "), strict=True):
        place = next((names.index(n) for n in known if n in names), None)
        if place is None:
            raise InputError(
                f"{at}: no column of {what}: expected one called {' or '.join(map(repr, known[:4]))}, got"
                f" {', '.join(fields)[:80]}"
            )
        found.append(place)
    return (found[0], found[1], found[2], found[3]), 1.0 if names[found[0]] in _TIMES else None
