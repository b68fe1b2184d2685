"""Rows of a recording in the order in which files have them: by frame, then by person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simloop.trajectories import TrajectorySet


def by_frame(tracks: TrajectorySet, frames: Sequence[int]) -> Iterator[tuple[int, int, float, float]]:
    """Frame, person, x and y (m) of each row of one recording whose rows are of the frames (N,)."""
    at, who = np.asarray(frames), people(tracks)
    x, y = tracks.column("x"), tracks.column("y")
    for r in np.lexsort((who, at)).tolist():
        yield int(at[r]), int(who[r]), float(x[r]), float(y[r])


def people(tracks: TrajectorySet) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(N,) whose each row is."""
    return np.zeros(len(tracks.time), dtype=np.int64) if tracks.entity is None else tracks.entity
