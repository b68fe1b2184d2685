"""Recorded tracks of people: one episode for each file, places each 0.4 s.

    tracks = read_tracks("my-tracks/")                      # txt, CSV, TrajNet++ ndjson, PedPy text
    tracks = track_set("eth-ucy/hotel")                     # or the same by name, of the catalogue too
    tracks.time, tracks.entity, tracks.column("x")          # rows by episode, time and person

Frames are 0.04 s apart where a file does not say, so that rows ten frames apart are 0.4 s apart, as in the files of ETH
and UCY that the field uses. What was recorded at another rate is brought to 0.4 s, on straight lines between rows, and
a warning says so. Times are those of the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from glob import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simloop.errors import DataWarning, InputError, count, unknown
from simloop.parameters import Array
from simloop.targets import catalogue
from simloop.targets.track_formats import TrackRows, read_rows
from simloop.trajectories import Channel, TrajectorySet

#: s between two rows of a track, as the field has it; s from one number of a frame to the next
INTERVAL, FRAME = 0.4, 0.04
#: lengths that a file may be in, in m
UNITS = {"m": 1.0, "ft": 0.3048, "cm": 0.01}
CHANNELS = (Channel("x", "m"), Channel("y", "m"))
#: m/s: who is slower stands, and no crowd's median walker is as fast as that (that of `eth`, whose video runs fast,
#: does 2.5)
_STANDS, _NOBODY = 0.2, 3.0
#: parts of a step: how far from the grid a row may be, and how far apart two rows may be that are one track
_NEAR, _JOINED = 1e-3, 1.5
_ENDINGS = (".txt", ".csv", ".ndjson", ".tsv")


def track_set(name: str, *, unit: str = "m", frame: float | None = None) -> TrajectorySet:
    """Return the tracks that a name means: an entry of the catalogue with its part, a file, a folder or a glob."""
    found = None if name.startswith((".", "/")) or name.endswith("/") else catalogue.find(name)
    if found is None:
        return read_tracks(name, unit=unit, frame=frame)
    entry, split = found
    if entry.read is None or entry.world != "crowd":
        tracks = [e.name for e in catalogue.entries().values() if e.world == "crowd"]
        raise InputError(f"{name!r} are no tracks of people (there are: {', '.join(tracks)})")
    if not entry.present(split):
        raise InputError(
            f"the tracks {name!r} are not on this machine (looked in {entry.folder}): run 'simloop data get"
            f" {entry.name}', or set SIMLOOP_DATA"
        )
    catalogue.check(entry, split)
    return entry.read(entry.paths(split))


def means_tracks(name: str) -> bool:
    """Whether a name means tracks of people and not images: by the catalogue, or by what lies there."""
    from simloop.targets.listing import images_in

    entry = catalogue.entries().get(name.partition("/")[0])
    own = Path(name)
    if entry is not None and not (name.endswith("/") and own.is_dir()):
        return entry.world == "crowd"
    if own.is_dir():
        ends = {p.suffix.lower() for p in own.iterdir()}
        return not ends.isdisjoint(_ENDINGS) and not images_in(own)
    return own.suffix.lower() in _ENDINGS


def read_tracks(*paths: str | Path, unit: str = "m", frame: float | None = None) -> TrajectorySet:
    """Read files of tracks, one episode for each.

    Args:
        paths: files, folders of them, or quoted globs.
        unit: of their lengths: "m", "ft" or "cm".
        frame: s from one number of a frame to the next, where the files do not say it; None: 0.04.

    Raises:
        InputError: for a file that is none of tracks, holds nobody, has somebody at two places at once, or in which
            people are faster than people are.
    """
    if unit not in UNITS:
        raise unknown("unit of tracks", unit, UNITS)
    if frame is not None and not frame > 0:
        raise InputError(f"the time from frame to frame must be above 0 s, got {frame:g}")
    files = [file for path in paths for file in track_files(path)]
    read = [_read(file, unit, frame) for file in files]
    lengths = [len(time) for time, _, _ in read]
    return TrajectorySet(
        channels=CHANNELS,
        time=np.concatenate([time for time, _, _ in read]),
        values=np.concatenate([places for _, _, places in read]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        entity=np.concatenate([person for _, person, _ in read]),
        sources=tuple(map(str, files)),
        meta={"interval": INTERVAL},
    )


def read_catalogued(paths: Sequence[Path]) -> TrajectorySet:
    """Read an entry's files."""
    return read_tracks(*paths)


def track_files(path: str | Path) -> list[Path]:
    """The files that a path means: itself, those of a folder, or those of a glob."""
    own = Path(path)
    if own.is_dir():
        found = sorted(p for p in own.iterdir() if p.suffix.lower() in _ENDINGS and p.is_file())
        if not found:
            raise InputError(f"{path}: no file of tracks in this folder (expected {', '.join(_ENDINGS)})")
        return found
    if not own.exists() and any(c in str(path) for c in "*?["):
        found = sorted(Path(p) for p in glob(str(path)) if Path(p).is_file())
        if not found:
            raise InputError(f"{path}: no file has such a name")
        return found
    return [own]


def _read(path: Path, unit: str, frame: float | None) -> tuple[Array, NDArray[np.int64], Array]:
    """Times (n,) s, people (n,) and places (n, 2) m of a file, by time and person, on the grid of 0.4 s."""
    rows = _known(read_rows(path), path)
    seconds = rows.frame_seconds if rows.frame_seconds is not None else frame or FRAME
    order = np.lexsort((rows.frame, rows.person))
    order = order[_distinct(rows, order, path)]
    time, person, places = rows.frame[order] * seconds, rows.person[order], rows.places[order] * UNITS[unit]
    time, person, places = _on_grid(time, person, places, path)
    _refuse_speeds(time, person, places, path, unit)
    order = np.lexsort((person, time))
    return time[order], person[order], places[order]


def _known(rows: TrackRows, path: Path) -> TrackRows:
    """The rows that have a place."""
    known = np.asarray(np.isfinite(rows.places).all(axis=1))
    if not known.any():
        raise InputError(f"{path}: holds no pedestrian" + ("" if not len(known) else ": no row has a place"))
    if not known.all():
        lost = np.flatnonzero(~known)
        warnings.warn(
            f"{path}: {count(len(lost), 'row')} without a place (the first on line {rows.line[lost[0]]}) left out;"
            " their tracks have gaps there", DataWarning, stacklevel=4,
        )  # fmt: skip
    return TrackRows(rows.frame[known], rows.person[known], rows.places[known], rows.line[known], rows.frame_seconds)


def _distinct(rows: TrackRows, order: NDArray[np.int64], path: Path) -> NDArray[np.bool_]:
    """Which rows, in an order by person and frame, to keep: repeated ones once; two places at once are an error."""
    frame, person, places = rows.frame[order], rows.person[order], rows.places[order]
    again = np.concatenate([[False], (np.diff(frame) == 0) & (np.diff(person) == 0)])
    at = np.flatnonzero(again)
    elsewhere = at[(np.abs(places[at] - places[at - 1]) > 1e-9).any(axis=1)]
    if len(elsewhere):
        k = elsewhere[0]
        raise InputError(
            f"{path}: pedestrian {person[k]} is at two places in frame {frame[k]:g}, lines"
            f" {' and '.join(map(str, sorted((int(rows.line[order[k - 1]]), int(rows.line[order[k]])))))}"
        )
    if len(at):
        warnings.warn(
            f"{path}: {count(len(at), 'repeated row')} (the first on line {rows.line[order[at[0]]]}) read once",
            DataWarning, stacklevel=4,
        )  # fmt: skip
    return ~again


def _on_grid(
    time: Array, person: NDArray[np.int64], places: Array, path: Path
) -> tuple[Array, NDArray[np.int64], Array]:
    """Rows, ordered by person and time, at the file's first instant and each 0.4 s after it."""
    first = float(time.min())
    steps = (time - first) / INTERVAL
    instant = np.round(steps)
    if (np.abs(steps - instant) <= _NEAR).all():
        return first + instant * INTERVAL, person, places
    apart = np.diff(steps)
    same = np.diff(person) == 0
    own = float(np.median(apart[same])) if same.any() else 1.0
    joined = same & (apart <= _JOINED * max(own, 1.0))
    begin = np.ceil(steps - _NEAR).astype(np.int64)
    found_k, found_p, found_at = [], [], []
    for more in range(int(np.ceil(_JOINED * max(own, 1.0))) + 1):
        k = begin[:-1] + more
        use = np.flatnonzero(joined & (k < steps[1:] - _NEAR))
        share = np.clip((k[use] - steps[use]) / apart[use], 0, 1)[:, None]
        found_k.append(k[use])
        found_p.append(person[use])
        found_at.append((1 - share) * places[use] + share * places[use + 1])
    last = np.flatnonzero(~np.append(joined, False) & (np.abs(steps - instant) <= _NEAR))
    ks = np.concatenate([*found_k, instant[last].astype(np.int64)])
    if not len(ks):
        raise InputError(f"{path}: no track is as long as {INTERVAL:g} s")
    who = np.concatenate([*found_p, person[last]])
    where = np.concatenate([*found_at, places[last]])
    warnings.warn(
        f"{path}: rows of a track are {own * INTERVAL:.3g} s apart; brought to {INTERVAL:g} s on straight lines"
        " between them", DataWarning, stacklevel=4,
    )  # fmt: skip
    order = np.lexsort((ks, who))
    return first + ks[order] * INTERVAL, who[order], where[order]


def _refuse_speeds(time: Array, person: NDArray[np.int64], places: Array, path: Path, unit: str) -> None:
    """Raise if most of those who walk are faster than people are: then lengths or times are in another unit."""
    same = np.diff(person) == 0
    speed = np.linalg.norm(np.diff(places, axis=0), axis=1)[same] / np.diff(time)[same]
    walking = speed[speed > _STANDS]
    if not len(walking) or (median := float(np.median(walking))) <= _NOBODY:
        return
    feet = unit == "m" and median * UNITS["ft"] <= _NOBODY
    hint = f"if it is in feet give --unit ft (then it is {median * UNITS['ft']:.2g} m/s)" if feet else "check the unit"
    raise InputError(
        f"{path}: its people walk at {median:.3g} m/s (median), as nobody does: {hint}, or say how many s there are"
        " from frame to frame with --frame"
    )
