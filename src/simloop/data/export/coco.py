"""COCO: one JSON file of instances, with exact masks as run lengths (Lin et al., 2014; cocodataset.org, data format).

- `bbox` is [x, y, width, height] in image coordinates: the first pixel's box is [0, 0, 1, 1].
- `area` is the number of visible pixels; `segmentation` is the visible mask.
- Ids of categories, images and annotations begin with 1. Readers differ about 0: some keep it for the background, and
  pycocotools' evaluation takes an annotation of id 0 for no match.
- Keypoints are pixel indices as COCO's own: 0.5 less than image coordinates. The values of visibility are the same.
- `iscrowd` is 0: every annotation is one object. What is no thing is in a second file, as COCO-Stuff has it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np

from simloop.data.export.format import Format, Shot, Source, mask_of, shots
from simloop.data.export.masks import compressed, run_lengths
from simloop.frames import Category, Objects
from simloop.progress import Progress


@dataclass(frozen=True)
class Coco(Format):
    """COCO instances.

    Attributes:
        counts: how run lengths are written: as text, or as lists of numbers, which are longer.
        numbering: the id of the first category.
    """

    name: ClassVar[str] = "coco"
    summary: ClassVar[str] = "instances with masks (RLE), boxes and keypoints in one JSON file"

    counts: Literal["compressed", "uncompressed"] = "compressed"
    numbering: Literal["from-1", "from-0"] = "from-1"

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        images = folder / "images"
        images.mkdir()
        (folder / "annotations").mkdir()
        stuff = any(not c.thing for c in source.categories)
        with ExitStack() as stack:
            kinds = {True: "instances", False: "stuff"} if stuff else {True: "instances"}
            files = {k: stack.enter_context(_AnnotationFile(folder / "annotations" / f"{name}.json", k, self, source))
                     for k, name in kinds.items()}  # fmt: skip
            for shot in shots(source, progress, self.name):
                shot.write_png(images / f"{shot.stem}.png")
                for file in files.values():
                    file.add(shot)
        return {"images": source.count, **{f"annotations in {kinds[k]}.json": f.written for k, f in files.items()}}

    def category(self, place: int) -> int:
        """The id of a category."""
        return place + (self.numbering == "from-1")


class _AnnotationFile:
    """One JSON file that grows with each image: its annotations wait in a file of their own until the end."""

    def __init__(self, path: Path, things: bool, form: Coco, source: Source) -> None:
        self.path, self.things, self.form, self.source = path, things, form, source
        self.written = self._images = 0

    def __enter__(self) -> _AnnotationFile:
        self._file = open(self.path, "w", encoding="utf-8")
        self._waiting: IO[str] = open(self.path.with_suffix(".part"), "w+", encoding="utf-8")
        kept = [(k, c) for k, c in enumerate(self.source.categories) if c.thing == self.things]
        head = {
            "info": {"description": f"{self.source.name}, by simloop", "version": "1.0"},
            "licenses": [],
            "categories": [_category(self.form.category(k), c) for k, c in kept],
        }
        self._file.write(_json(head)[:-1] + ',\n"images": [\n')
        return self

    def add(self, shot: Shot) -> None:
        frame = shot.frame
        width, height = frame.camera.size
        image = {
            "id": shot.place + 1, "file_name": f"{shot.stem}.png", "width": width, "height": height,
            "frame": frame.index, "sequence": frame.sequence, "step": frame.step, "camera": frame.camera.name,
        }  # fmt: skip
        self._file.write(",\n" * bool(self._images) + _json(image))
        self._images += 1
        for annotation in self._annotations(shot):
            self.written += 1
            self._waiting.write(",\n" * (self.written > 1) + _json({"id": self.written, **annotation}))

    def _annotations(self, shot: Shot) -> Iterator[dict[str, Any]]:
        frame = shot.frame
        size = list(frame.camera.size)[::-1]
        objects = frame.objects
        runs = run_lengths(mask_of(frame, self.form.name))
        for i in range(len(objects)):
            category = frame.categories[objects.categories[i]]
            if category.thing != self.things or not objects.pixels[i]:
                continue
            counts = runs[int(objects.ids[i])]
            u0, v0, u1, v1 = (float(x) for x in objects.boxes[i])
            yield {
                "image_id": shot.place + 1,
                "category_id": self.form.category(int(objects.categories[i])),
                "iscrowd": 0,
                "area": int(objects.pixels[i]),
                "bbox": [u0, v0, u1 - u0, v1 - v0],
                "segmentation": {
                    "size": size,
                    "counts": compressed(counts) if self.form.counts == "compressed" else counts.tolist(),
                },
                "track_id": int(objects.ids[i]),
                **(_keypoints(objects, i, len(category.keypoints)) if category.keypoints else {}),
            }

    def __exit__(self, *_: object) -> None:
        with self._file, self._waiting:
            self._file.write('\n],\n"annotations": [\n')
            self._waiting.seek(0)
            shutil.copyfileobj(self._waiting, self._file)
            self._file.write("\n]}\n")
        self.path.with_suffix(".part").unlink()


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _category(number: int, category: Category) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": number,
        "name": category.name,
        "supercategory": "thing" if category.thing else "stuff",
    }
    if category.keypoints:
        record["keypoints"] = list(category.keypoints)
        record["skeleton"] = [[a + 1, b + 1] for a, b in category.skeleton]
    return record


def _keypoints(objects: Objects, i: int, count: int) -> dict[str, Any]:
    """Keypoints as COCO has them: x, y, visibility of each in one list; 0, 0, 0 where it is not in the image."""
    points = objects.keypoints[i, :count]
    there = points[:, 2] > 0
    places = np.where(there[:, None], points[:, :2] - 0.5, 0.0)
    flat = np.concatenate([np.round(places, 3), points[:, 2:]], axis=1)
    return {
        "keypoints": [x if k % 3 < 2 else int(x) for k, x in enumerate(flat.ravel().tolist())],
        "num_keypoints": int(there.sum()),
    }
