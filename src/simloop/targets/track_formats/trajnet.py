"""TrajNet++'s `.ndjson`: a JSON object a line, scenes first and then rows of tracks.

    {"scene": {"id": 0, "p": 248, "s": 0, "e": 190, "fps": 2.5, "tag": [0, []]}}
    {"track": {"f": 0, "p": 248, "x": 13.2, "y": 5.85}}

Kothari, Kreiss and Alahi, "Human Trajectory Forecasting in Crowds: A Deep Learning Perspective", IEEE T-ITS (2021). A
scene is a stretch of frames with a person of interest; `fps` is how many rows of a track there are in a second, though
frames are numbered as in the video, so that two rows may be ten frames apart. Rows with a `prediction_number` are
somebody's predictions and are passed over.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from simloop.errors import InputError
from simloop.targets.track_formats.ordered import by_frame, people
from simloop.targets.track_formats.rows import TrackRows, number
from simloop.trajectories import TrajectorySet

#: rows of a track in a scene that is written: 9 observed and 12 predicted, as in TrajNet++'s own files
SCENE_ROWS = 21


def read_trajnet(text: str, where: str) -> TrackRows:
    """Read the tracks of a file; `where` is the file that errors name."""
    rows: list[tuple[float, ...]] = []
    rates: set[float] = set()
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        at = f"{where}, line {line}"
        kind, record = _record(content, at)
        if kind == "scene":
            if "fps" in record:
                rates.add(number(record["fps"], f"{at}: fps"))
        elif record.get("prediction_number") is None:
            missing = [k for k in ("f", "p", "x", "y") if k not in record]
            if missing:
                raise InputError(f"{at}: a track of TrajNet++ needs f, p, x and y; {missing[0]!r} is missing")
            rows.append((line, *(number(record[k], f"{at}: {k}") for k in ("f", "p", "x", "y"))))
    if len(rates) > 1 or not all(r > 0 for r in rates):
        raise InputError(
            f"{where}: its scenes have fps {', '.join(f'{r:g}' for r in sorted(rates))}; expected one rate"
        )
    found = TrackRows.of(where, rows)
    if not rates or not rows:
        return found
    step = _step(found)
    return TrackRows(found.frame, found.person, found.places, found.line, 1 / (rates.pop() * step))


def write_trajnet(tracks: TrajectorySet, frames: list[int], frame_seconds: float) -> str:
    """One recording with frames (N,): a scene for each whole `SCENE_ROWS` rows of each person, then all tracks."""
    at, who = np.asarray(frames), people(tracks)
    step = _least_step(at, who)
    fps = round(1 / (frame_seconds * step), 9)
    scenes = []
    for person in np.unique(who).tolist():
        own = np.sort(at[who == person])
        run = np.concatenate([[0], np.cumsum(np.diff(own) != step)])
        for k in range(int(run[-1]) + 1):
            part = own[run == k]
            for first in range(0, len(part) - SCENE_ROWS + 1, SCENE_ROWS):
                scenes.append((int(part[first]), int(part[first + SCENE_ROWS - 1]), person))
    lines = [
        json.dumps({"scene": {"id": k, "p": person, "s": s, "e": e, "fps": fps, "tag": [0, []]}})
        for k, (s, e, person) in enumerate(sorted(scenes))
    ]
    lines += [
        json.dumps({"track": {"f": f, "p": p, "x": round(x, 6), "y": round(y, 6)}})
        for f, p, x, y in by_frame(tracks, frames)
    ]
    return "\n".join(lines) + "\n"


def _record(content: str, at: str) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(content)
        ((kind, record),) = found.items()
    except (ValueError, AttributeError):
        kind, record = "", None
    if kind not in ("scene", "track") or not isinstance(record, dict):
        raise InputError(f'{at}: expected {{"scene": ...}} or {{"track": ...}}, as TrajNet++ has it')
    return kind, record


def _step(rows: TrackRows) -> int:
    return _least_step(np.round(rows.frame).astype(np.int64), rows.person)


def _least_step(frames: np.ndarray[Any, np.dtype[np.int64]], who: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    """How many frames apart rows of a track most often are."""
    order = np.lexsort((frames, who))
    apart = np.diff(frames[order])[np.diff(who[order]) == 0]
    apart = apart[apart > 0]
    return int(np.bincount(apart).argmax()) if len(apart) else 1
