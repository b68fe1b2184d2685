"""LeRobot v3: episodes in Parquet with their images, for policies that learn by imitation (huggingface/lerobot,
`codebase_version` v3.0: "LeRobotDataset v3.0" in its documentation, and what its writer writes).

    meta/info.json                                what the columns are, frames in a second, counts, where the files are
    meta/stats.json                               minimum, maximum, mean, spread and quantiles of every column
    meta/tasks.parquet                            what the tasks are called
    meta/episodes/chunk-000/file-000.parquet      length, task, place and statistics of each episode
    data/chunk-000/file-000.parquet               a row for each frame; images are PNG inside it

- Of frames: `observation.images.CAMERA`, and `values` and `parameters` where frames have them. An episode is a
  sequence, with all its cameras side by side. Values that can be commanded in the world, as a steering angle, are the
  `action`, too. Boxes, masks, depth and poses are not kept.
- Of trajectories: `observation.state` and `action`, float32, columns named after their channels. Episodes that diverged
  are left out.
- Images are PNG and not video: nothing of them is lost.
- Time is counted in frames: rows must follow each other at a constant rate.
- Quantiles over all episodes are, as LeRobot's own, means of the episodes' quantiles; of images they are exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from simloop.data.export.format import Format, Shot, Source, shots
from simloop.data.export.lerobot_files import DatasetFiles, Episode, Film
from simloop.data.export.lerobot_stats import ImageStats
from simloop.data.names import safe
from simloop.errors import DataWarning, InputError, count
from simloop.progress import Progress
from simloop.trajectories import TrajectorySet

#: s; how far LeRobot lets a row's time be from a whole number of frames
TOLERANCE = 1e-4


@dataclass(frozen=True)
class LeRobot(Format):
    """LeRobot v3 datasets.

    Attributes:
        task: what is done, in words; by default the name of the world or of its task.
    """

    name: ClassVar[str] = "lerobot"
    summary: ClassVar[str] = "episodes for imitation learning: images, or states and actions"
    sequences: ClassVar[bool] = True

    task: str = ""

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        each = groupby(shots(source, progress, self.name), key=lambda shot: shot.frame.sequence)
        files = DatasetFiles(folder, fps=source.rate, task=self.task or source.world or source.name, robot=source.world)
        acts = commanded(source.world)
        return _written(files, (_photographed(list(sequence), acts) for _, sequence in each))

    def write_trajectories(self, shown: TrajectorySet, folder: Path, *, task: str, robot: str) -> dict[str, Any]:
        """Write the episodes of trajectories into an empty folder; say what was written.

        Args:
            shown: what was observed and done.
            folder: where to.
            task: what is done, where the format's options do not say it.
            robot: what it was done with.

        Raises:
            InputError: where no episode is left, episodes hold several bodies, or the rate is not constant.
        """
        if shown.entity is not None and (shown.entity != shown.entity[:1]).any():
            raise InputError("these episodes hold several bodies each; those of LeRobot hold one")
        lengths = np.diff(shown.offsets)
        fine = lengths > 0 if shown.diverged is None else (lengths > 0) & ~shown.diverged
        kept = np.flatnonzero(fine).tolist()
        if not kept:
            raise InputError("there is no episode to export: all of them diverged or are empty")
        if len(kept) < len(shown):
            left = count(len(shown) - len(kept), "episode")
            warnings.warn(f"{left} diverged or empty: left out", DataWarning, stacklevel=2)
        fps = constant_rate(shown, kept)
        files = DatasetFiles(folder, fps=fps, task=self.task or task, robot=robot)
        return _written(files, (_recorded(shown, e) for e in kept))


def _written(files: DatasetFiles, episodes: Iterable[Episode]) -> dict[str, Any]:
    for episode in episodes:
        files.add(episode)
    files.close()
    return {"episodes": files.episodes, "frames": files.rows, "data files": files.files}


def commanded(world: str) -> tuple[str, ...]:
    """The names of what can be commanded in a world that simloop ships; none of another."""
    from simloop.worlds import get_world, world_names

    return tuple(a.name for a in get_world(world).actions) if world in world_names() else ()


def _photographed(shown: list[Shot], acts: tuple[str, ...]) -> Episode:
    """A sequence as an episode: the frames of all cameras, step by step; values that are commands are the action."""
    cameras: dict[str, list[Shot]] = {}
    for shot in shown:
        cameras.setdefault(shot.frame.camera.name, []).append(shot)
    films = {f"observation.images.{safe(name)}": _film(own) for name, own in cameras.items()}
    frames = [shot.frame for shot in next(iter(cameras.values()))]
    actions = [{n: x for n, x in f.values.items() if n in acts} for f in frames]
    rows: dict[str, list[Any]] = {
        "action": actions,
        "values": [f.values for f in frames],
        "parameters": [f.parameters for f in frames],
    }
    names = {k: list(r[0]) for k, r in rows.items() if r[0]}
    vectors = {k: np.array([[row[n] for n in names[k]] for row in rows[k]], dtype=float) for k in names}
    return Episode(vectors, names, films)


def _film(shown: list[Shot]) -> Film:
    stats = ImageStats.of(shown[0].frame.rgb)
    for shot in shown[1:]:
        stats += ImageStats.of(shot.frame.rgb)
    return Film([shot.png() for shot in shown], shown[0].frame.camera.size, stats)


def _recorded(shown: TrajectorySet, e: int) -> Episode:
    """An episode of trajectories."""
    rows = slice(int(shown.offsets[e]), int(shown.offsets[e + 1]))
    vectors = {"observation.state": shown.values[rows]}
    names = {"observation.state": [n for c in shown.channels for n in c.column_names]}
    if shown.action_channels:
        vectors["action"] = shown.actions[rows]
        names["action"] = [n for c in shown.action_channels for n in c.column_names]
    return Episode(vectors, names)


def constant_rate(shown: TrajectorySet, kept: list[int]) -> float:
    """Frames in a second of the episodes `kept`; an InputError where it is not constant and the same in all."""
    times = [shown.time[shown.offsets[e] : shown.offsets[e + 1]] for e in kept]
    spans = [(t[-1] - t[0]) / (len(t) - 1) for t in times if len(t) > 1]
    if not spans:
        raise InputError("episodes of one row have no rate: LeRobot needs at least two rows in one of them")
    fps = 1 / float(np.median(spans))
    fps = round(fps) if abs(fps - round(fps)) < 1e-6 * fps else fps
    for e, t in zip(kept, times, strict=True):
        off = float(np.abs(t - t[0] - np.arange(len(t)) / fps).max())
        if off > TOLERANCE:
            what = shown.sources[e] if shown.sources else f"episode {e}"
            raise InputError(
                f"{what}: its rows are not {fps:g} in a second (up to {off:.2g} s off), and LeRobot needs one constant"
                " rate; resample the recordings first"
            )
    if not float(fps).is_integer():
        warnings.warn(f"{fps:.6g} rows in a second: LeRobot's own datasets have a whole number", DataWarning,
                      stacklevel=3)  # fmt: skip
    return float(fps)
