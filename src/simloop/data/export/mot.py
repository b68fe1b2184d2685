"""MOTChallenge: a folder for each sequence with its images and one table of all boxes (MOT16: Milan et al., 2016).

- `gt/gt.txt`: frame, id, left, top, width, height, 1, class, visibility. Frames, ids, classes and places in the image
  begin with 1, as the challenge says: the first pixel's box has left 1, top 1, width 1, height 1.
- Boxes are around the whole object, hidden or outside the image or not, as the challenge's are; `boxes=visible` gives
  those around what is seen.
- Visibility is the visible fraction inside the image; -1 where it was not asked for.
- `gt/labels.txt` says what the classes are, one a line.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np

from simloop.data.export.format import Format, Source, shots, things_of
from simloop.data.names import stem
from simloop.errors import DataWarning
from simloop.frames import Frame, Objects
from simloop.progress import Progress


@dataclass(frozen=True)
class Mot(Format):
    """MOTChallenge sequences, one for each camera.

    Attributes:
        boxes: around the whole object, or around its visible pixels.
    """

    name: ClassVar[str] = "mot"
    summary: ClassVar[str] = "tracks: a table of boxes for each sequence"
    sequences: ClassVar[bool] = True

    boxes: Literal["amodal", "visible"] = "amodal"

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        classes = things_of(source.categories)
        open_now: dict[str, _Sequence] = {}
        written = {"sequences": 0, "frames": 0, "boxes": 0}
        unknown = False
        for shot in shots(source, progress, self.name):
            frame, camera = shot.frame, shot.frame.camera.name
            if camera not in open_now or open_now[camera].number != frame.sequence:
                if camera in open_now:
                    open_now[camera].close()
                open_now[camera] = _Sequence(folder, frame, source, classes)
                written["sequences"] += 1
            lines = self.lines(frame, classes)
            unknown = unknown or any(line.endswith(",-1\n") for line in lines)
            open_now[camera].table.writelines(lines)
            shot.write_png(open_now[camera].next_image())
            written["frames"] += 1
            written["boxes"] += len(lines)
        for sequence in open_now.values():
            sequence.close()
        if unknown:
            warnings.warn(
                f"{source.name}: has no visible fractions, so visibility is -1; generate with --passes visible to"
                " have them",
                DataWarning,
                stacklevel=2,
            )
        return written

    def lines(self, frame: Frame, classes: dict[int, int]) -> list[str]:
        """The lines of one frame: what is in the image, hidden or not; with visible boxes what is seen."""
        objects = self.labelled(frame)
        boxes = objects.amodal if self.boxes == "amodal" else objects.boxes
        visible = np.where(objects.seen, objects.visible, 0.0)
        out = []
        for i, (u0, v0, u1, v1) in enumerate(boxes.tolist()):
            share = -1 if np.isnan(visible[i]) else f"{visible[i]:.4f}"
            box = ",".join(f"{x:.3f}" for x in (u0 + 1, v0 + 1, u1 - u0, v1 - v0))
            out.append(f"{frame.step + 1},{objects.ids[i]},{box},1,{classes[int(objects.categories[i])] + 1},{share}\n")
        return out

    def labelled(self, frame: Frame) -> Objects:
        """The things that get a line."""
        things = frame.things
        if self.boxes == "visible":
            return things.take(things.seen)
        inside = np.isfinite(things.amodal).all(axis=1) & ((things.truncation < 1) | things.seen)
        return things.take(inside)


class _Sequence:
    """The folder of a sequence that is being written."""

    def __init__(self, folder: Path, frame: Frame, source: Source, classes: dict[int, int]) -> None:
        self.number, self.images = frame.sequence, 0
        self._name = stem(frame.sequence, frame.camera.name)
        self._folder, self._frame, self._rate = folder / self._name, frame, source.rate
        (self._folder / "img1").mkdir(parents=True)
        (self._folder / "gt").mkdir()
        names = "".join(f"{source.categories[k].name}\n" for k in classes)
        (self._folder / "gt" / "labels.txt").write_text(names, encoding="utf-8")
        self.table: IO[str] = open(self._folder / "gt" / "gt.txt", "w", encoding="utf-8")  # noqa: SIM115 - in close

    def next_image(self) -> Path:
        self.images += 1
        return self._folder / "img1" / f"{self.images:06d}.png"

    def close(self) -> None:
        self.table.close()
        width, height = self._frame.camera.size
        (self._folder / "seqinfo.ini").write_text(
            f"[Sequence]\nname={self._name}\nimDir=img1\nframeRate={self._rate:g}\nseqLength={self.images}\n"
            f"imWidth={width}\nimHeight={height}\nimExt=.png\n",
            encoding="utf-8",
        )
