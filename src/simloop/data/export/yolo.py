"""YOLO: a text file for each image, a line for each object (Ultralytics' detection and segmentation format).

- Detection: `class x y width height`, the middle and the sides of the box as fractions of the image's sides.
- Segmentation: `class u v u v ...`, one polygon for each object, as fractions of the image's sides. It runs along the
  edges of pixels and is exact: a pixel belongs to the object if its centre is inside by the even-odd rule. Separate
  parts and holes hang together by bridges that enclose nothing.
- Six digits after the point: a box's place is exact to half a millionth of the image's side.
- Classes count the things from 0. What is no thing has no lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from simloop.config import Share
from simloop.data.export.format import Format, Source, mask_of, seen_things, shots, things_of
from simloop.data.export.masks import outline
from simloop.data.held_out import HELD_OUT, held_out
from simloop.frames import Frame, Objects
from simloop.parameters import Array
from simloop.progress import Progress


@dataclass(frozen=True)
class Yolo(Format):
    """YOLO labels.

    Attributes:
        labels: boxes for detection, polygons for segmentation.
        validation: the part of the scenes that is for validation, from 0 to 1; all views of a scene are on one side.
    """

    name: ClassVar[str] = "yolo"
    summary: ClassVar[str] = "a text file for each image: boxes, or polygons around masks"

    labels: Literal["boxes", "polygons"] = "boxes"
    validation: Share = HELD_OUT

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        for kind in ("images", "labels"):
            for split in ("train", "val"):
                (folder / kind / split).mkdir(parents=True)
        classes = things_of(source.categories)
        written = {"train": 0, "val": 0, "objects": 0}
        for shot in shots(source, progress, self.name):
            split = "val" if held_out(shot.frame.sequence // source.views, self.validation) else "train"
            shot.write_png(folder / "images" / split / f"{shot.stem}.png")
            lines = self.lines(shot.frame, classes)
            (folder / "labels" / split / f"{shot.stem}.txt").write_text("".join(lines), encoding="utf-8")
            written[split] += 1
            written["objects"] += len(lines)
        self._write_names(source, folder, classes, validated=written["val"] > 0)
        return written

    def lines(self, frame: Frame, classes: dict[int, int]) -> list[str]:
        """The lines of one image."""
        objects = seen_things(frame)
        scale = np.array(frame.camera.size, dtype=float)
        rows = _boxes(objects, scale) if self.labels == "boxes" else self._polygons(frame, objects, scale)
        return [
            " ".join([str(classes[int(k)]), *(f"{x:.6f}" for x in row)]) + "\n"
            for k, row in zip(objects.categories, rows, strict=True)
        ]

    def _polygons(self, frame: Frame, objects: Objects, scale: Array) -> list[Array]:
        mask = mask_of(frame, f"{self.name} with polygons")
        rows = []
        for number, box in zip(objects.ids, objects.boxes.astype(int), strict=True):
            u0, v0, u1, v1 = box
            polygon = outline(mask[v0:v1, u0:u1] == number) + np.array([u0, v0])
            rows.append((polygon / scale).ravel())
        return rows

    def _write_names(self, source: Source, folder: Path, classes: dict[int, int], validated: bool) -> None:
        """The file that says where the images are and what the classes mean; paths count from this file."""
        import yaml

        record: dict[str, Any] = {
            "train": "images/train",
            "val": "images/val" if validated else "images/train",
            "names": {i: source.categories[k].name for k, i in classes.items()},
        }
        text = yaml.safe_dump(record, allow_unicode=True, sort_keys=False)
        (folder / "data.yaml").write_text(text, encoding="utf-8")


def _boxes(objects: Objects, scale: Array) -> Array:
    """(n, 4): middles and sides of boxes as fractions."""
    low, high = objects.boxes[:, :2] / scale, objects.boxes[:, 2:] / scale
    return np.concatenate([(low + high) / 2, high - low], axis=1)
