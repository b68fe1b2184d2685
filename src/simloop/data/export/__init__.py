"""Annotated frames in the formats that people train on: one file for each format.

    export(source, "coco", Path("coco"))
    export(source, get_format("yolo", {"labels": "polygons"}), Path("yolo"))

Every export is streamed, written aside and renamed when it is whole. `simloop.json` in it says what made it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from simloop.config import with_options
from simloop.data.export.coco import Coco
from simloop.data.export.folder import RECORD, finished, written_aside
from simloop.data.export.format import Format, Shot, Source
from simloop.data.export.kitti import Kitti
from simloop.data.export.lerobot import LeRobot
from simloop.data.export.mot import Mot
from simloop.data.export.webdataset import WebDataset
from simloop.data.export.yolo import Yolo
from simloop.errors import InputError, unknown
from simloop.progress import Progress, silent
from simloop.runs import Resume, write_json
from simloop.trajectories import TrajectorySet

__all__ = ["FORMATS", "Coco", "Format", "Kitti", "LeRobot", "Mot", "Shot", "Source", "WebDataset", "Yolo", "export",
           "export_trajectories", "get_format"]  # fmt: skip

FORMATS: dict[str, type[Format]] = {f.name: f for f in (Coco, Yolo, Kitti, Mot, WebDataset, LeRobot)}


def get_format(name: str, options: dict[str, Any] | None = None) -> Format:
    """Return the format `name` with its options; unknown names are answered by close matches."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    form: Any = FORMATS[name]()
    changed: Format = with_options(form, options or {}, name)
    return changed


def export(
    source: Source, to: Format | str, folder: Path, *, resume: Resume = "if-match", progress: Progress = silent
) -> dict[str, Any]:
    """Write frames in another format into a new folder.

    Args:
        source: the frames.
        to: the format, or its name.
        folder: where to; it is there when the export is whole, and not before.
        resume: what to do with a folder that holds an export already: `if-match` leaves the same one as it is and
            refuses another, `never` refuses any, `always` replaces it. A folder of anything else is always refused.
        progress: told how far it is.

    Returns:
        What was written, JSON-able.
    """
    form = get_format(to) if isinstance(to, str) else to
    form.check(source)
    about = {"name": source.name, "frames": source.count, **source.record}
    return _exported(form, about, folder, resume, lambda aside: form.write(source, aside, progress))


def export_trajectories(
    shown: TrajectorySet, to: Format | str, folder: Path, *, task: str, robot: str, resume: Resume = "if-match"
) -> dict[str, Any]:
    """Write the episodes of trajectories into a new folder: LeRobot's format alone can hold them.

    Args:
        shown: what was observed and done.
        to: the format, or its name.
        folder: where to, as of `export`.
        task: what is done, where the format's options do not say it.
        robot: what it was done with.
        resume: as of `export`.
    """
    form = get_format(to) if isinstance(to, str) else to
    if not isinstance(form, LeRobot):
        raise InputError(f"{form.name}: trajectories have no images; --to lerobot is the format that holds them")
    about = {"name": robot, "rows": shown.content_hash}
    return _exported(form, about, folder, resume,
                     lambda aside: form.write_trajectories(shown, aside, task=task, robot=robot))  # fmt: skip


def _exported(
    form: Format, about: dict[str, Any], folder: Path, resume: Resume, write: Callable[[Path], dict[str, Any]]
) -> dict[str, Any]:
    configuration = {"format": form.name, "options": vars(form), "source": about}
    before = finished(folder, configuration, resume)
    if before is not None:
        return dict(before["written"])
    with written_aside(folder) as aside:
        written = write(aside)
        write_json(aside / RECORD, {"export": configuration, "written": written})
    return written
