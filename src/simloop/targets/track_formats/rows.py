"""What a file of tracks holds, whatever its format: who was where in which frame, and on which line that stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array


@dataclass(frozen=True, eq=False)
class TrackRows:
    """Rows of one file, in its order.

    Attributes:
        frame: (n,) numbers of frames, or s where `frame_seconds` is 1.
        person: (n,) whole numbers.
        places: (n, 2) x and y in the file's unit; NaN where the file says that there is none.
        line: (n,) where each stands in the file, counted from 1.
        frame_seconds: s from one number of a frame to the next; None where the file does not say.
    """

    frame: Array
    person: NDArray[np.int64]
    places: Array
    line: NDArray[np.int64]
    frame_seconds: float | None = None

    @classmethod
    def of(cls, where: str, rows: Sequence[Sequence[float]], frame_seconds: float | None = None) -> TrackRows:
        """Rows of (line, frame, person, x, y); `where` is the file that errors name."""
        table = np.asarray(rows, dtype=float).reshape(-1, 5)
        person, frame = table[:, 2], table[:, 1]
        odd = np.flatnonzero(~np.isfinite(person) | (person != np.round(person)) | ~np.isfinite(frame))
        if len(odd):
            line, frame_of, who = (table[odd[0], k] for k in (0, 1, 2))
            raise InputError(
                f"{where}, line {line:.0f}: expected a frame and a whole number that names the pedestrian, got"
                f" {frame_of:g} and {who:g}; columns are frame, pedestrian, x, y"
            )
        return cls(frame, person.astype(np.int64), table[:, 3:], table[:, 0].astype(np.int64), frame_seconds)


def number(text: object, where: str) -> float:
    """A number that stands in a file; missing ones ("", "nan", null) are NaN."""
    if text is None or (isinstance(text, str) and text.strip().lower() in ("", "nan", "na", "null", "none")):
        return math.nan
    try:
        found = float(str(text))
    except ValueError:
        raise InputError(f"{where}: expected a number, got {str(text)[:40]!r}") from None
    return found if math.isfinite(found) else math.nan
