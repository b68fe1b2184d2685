"""Windows of tracks, as the field cuts them: 8 observed steps of 0.4 s, then 12 that are to be predicted.

    windows = cut_windows(track_set("eth-ucy/hotel"))
    windows.observed, windows.future            # (1053, 8, 2) and (1053, 12, 2), m

The protocol is that of Social GAN (Gupta, Johnson, Fei-Fei, Savarese and Alahi, CVPR 2018): a scene begins at each
instant, its people are those who are there at all of its 20 instants, and a scene with one person alone is left out.
The numbers that papers give, 181, 1053, 24334, 2253 and 5833, count people in scenes, not scenes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.tracks import INTERVAL
from simloop.trajectories import TrajectorySet

#: steps that are seen, and steps that are predicted
OBSERVED, PREDICTED = 8, 12
#: steps: how far from an instant a row may be
_NEAR = 0.05


@dataclass(frozen=True, eq=False)
class Windows:
    """People in scenes, by scene.

    Attributes:
        observed: (n, 8, 2) m.
        future: (n, 12, 2) m; NaN where a predictor looks.
        scene: (n,) number of each one's scene, 0, 1, ... without gaps, rising.
        person: (n,) who it is in the recording.
        recording: (n,) place of the recording among `recordings`.
        instant: (n,) the scene's first instant, in steps of 0.4 s.
        recordings: names.
    """

    observed: Array
    future: Array
    scene: NDArray[np.int64]
    person: NDArray[np.int64]
    recording: NDArray[np.int64]
    instant: NDArray[np.int64]
    recordings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.observed)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(S + 1,) first row of each scene, and n."""
        scenes = int(self.scene[-1]) + 1 if len(self) else 0
        return np.searchsorted(self.scene, np.arange(scenes + 1))

    @property
    def scenes(self) -> int:
        """How many scenes there are."""
        return len(self.offsets) - 1

    @property
    def blind(self) -> Windows:
        """The same with nothing of the future: what predictors are given."""
        return replace(self, future=np.full_like(self.future, np.nan))

    def rows(self) -> NDArray[np.int64]:
        """(S, M) the people of each scene, places among the n; -1 where a scene has fewer than the largest."""
        sizes = np.diff(self.offsets)
        column = np.arange(int(sizes.max(initial=0)))
        return np.where(column < sizes[:, None], self.offsets[:-1, None] + column, -1)

    def take(self, scenes: NDArray[np.int64] | NDArray[np.bool_]) -> Windows:
        """Return some scenes, in the order in which they stand."""
        chosen = np.zeros(self.scenes, dtype=np.bool_)
        chosen[scenes] = True
        keep = chosen[self.scene]
        number = np.cumsum(chosen) - 1
        return Windows(self.observed[keep], self.future[keep], number[self.scene[keep]], self.person[keep],
                       self.recording[keep], self.instant[keep], self.recordings)  # fmt: skip


def cut_windows(tracks: TrajectorySet, *, least: int = 2, stride: int = 1) -> Windows:
    """Cut recordings into windows.

    Args:
        tracks: an episode for each recording, rows each 0.4 s with channels x and y.
        least: people in a scene; 1 keeps who is alone.
        stride: steps from scene to scene.

    Raises:
        InputError: if the rows are not 0.4 s apart.
    """
    steps = OBSERVED + PREDICTED
    recording = np.repeat(np.arange(len(tracks)), np.diff(tracks.offsets))
    person = np.zeros(len(recording), dtype=np.int64) if tracks.entity is None else tracks.entity
    order = np.lexsort((tracks.time, person, recording))
    recording, person = recording[order], person[order]
    places = np.column_stack([tracks.column("x"), tracks.column("y")])[order]
    instant = _instants(tracks, recording, tracks.time[order])
    last = np.arange(len(order)) + steps - 1
    inside = np.flatnonzero(last < len(order))
    end = last[inside]
    whole = (recording[end] == recording[inside]) & (person[end] == person[inside])
    whole &= instant[end] - instant[inside] == steps - 1
    known = np.concatenate([[0], np.cumsum(np.isfinite(places).all(axis=1))])
    whole &= known[end + 1] - known[inside] == steps
    begin = inside[whole]
    if stride > 1:
        first = np.array([instant[recording == e].min() for e in range(len(tracks))])
        begin = begin[(instant[begin] - first[recording[begin]]) % stride == 0]
    begin = begin[np.lexsort((person[begin], instant[begin], recording[begin]))]
    new = (np.diff(recording[begin], prepend=-1) != 0) | (np.diff(instant[begin], prepend=-1) != 0)
    scene = np.cumsum(new) - 1
    keep = np.bincount(scene, minlength=1)[scene] >= least
    begin, scene = begin[keep], scene[keep]
    scene = np.unique(scene, return_inverse=True)[1].astype(np.int64)
    paths = places[begin[:, None] + np.arange(steps)]
    return Windows(paths[:, :OBSERVED], paths[:, OBSERVED:], scene, person[begin], recording[begin], instant[begin],
                   tracks.sources)  # fmt: skip


def _instants(tracks: TrajectorySet, recording: NDArray[np.int64], time: Array) -> NDArray[np.int64]:
    """The number of each row's instant, counted from its recording's first; an error where rows lie between."""
    lengths = np.diff(tracks.offsets)
    first = [tracks.time[a : a + n].min() if n else 0.0 for a, n in zip(tracks.offsets[:-1], lengths, strict=True)]
    exact = (time - np.array(first)[recording]) / INTERVAL
    instant = np.round(exact).astype(np.int64)
    if len(exact) and np.abs(exact - instant).max() > _NEAR:
        raise InputError(f"windows are cut from tracks with rows each {INTERVAL:g} s; resample these first")
    return instant
