"""Formats of files of tracks: one file for each of them here, found by what a file holds and not by its name.

rows = read_rows(Path("hotel.ndjson"))
write_tracks(tracks, "hotel.txt", format="pedpy")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from simloop.errors import InputError, unknown
from simloop.runs import write_aside
from simloop.targets.track_formats.pedpy import is_pedpy, read_pedpy, write_pedpy
from simloop.targets.track_formats.plain import read_plain, write_plain
from simloop.targets.track_formats.rows import TrackRows
from simloop.targets.track_formats.trajnet import read_trajnet, write_trajnet
from simloop.trajectories import TrajectorySet

__all__ = ["FORMATS", "TrackRows", "read_rows", "write_tracks"]

#: by name, how one recording with frames (N,), so many s apart, is written
FORMATS: dict[str, Callable[[TrajectorySet, list[int], float], str]] = {
    "plain": write_plain,
    "trajnet": write_trajnet,
    "pedpy": write_pedpy,
}


def read_rows(path: Path) -> TrackRows:
    """Read a file of any of the formats.

    Raises:
        InputError: if it is not there, is no text, or is of no format that is known.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in content[:4096]:
        raise InputError(f"{path}: not a text file; expected tracks as txt, CSV, TrajNet++ ndjson or PedPy text")
    text = content.decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith("{"):
        return read_trajnet(text, str(path))
    return read_pedpy(text, str(path)) if is_pedpy(text) else read_plain(text, str(path))


def write_tracks(
    tracks: TrajectorySet, path: str | Path, *, format: str = "plain", frame_seconds: float = 0.04
) -> None:
    """Write one recording.

    Args:
        tracks: of one episode, with channels x and y (m).
        path: of the file.
        format: "plain", "trajnet" or "pedpy".
        frame_seconds: s from one number of a frame to the next; times must be multiples of it.
    """
    if format not in FORMATS:
        raise unknown("format of tracks", format, FORMATS)
    if len(tracks) != 1:
        raise InputError(f"{path}: a file holds one recording, got {len(tracks)}; write episode by episode")
    exact = tracks.time / frame_seconds
    frames = np.round(exact).astype(np.int64)
    if len(exact) and np.abs(exact - frames).max() > 1e-3:
        raise InputError(f"{path}: times are no multiples of {frame_seconds:g} s; give another frame_seconds")
    with write_aside(Path(path)) as file:
        file.write(FORMATS[format](tracks, frames.tolist(), frame_seconds).encode())
