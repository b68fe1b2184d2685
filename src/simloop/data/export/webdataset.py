"""WebDataset: tar files that are read from end to end, files of one key for each frame (Aizman et al., 2019).

A key is the frame's index and camera. Its files:

- `rgb.png`; `instances.png` (the instance's number, 8 bits, 16 where they are needed); `depth.png` and
  `depth_sensed.png` (16 bits, in steps of the camera's depth unit; 0 where nothing is seen and beyond what 16 bits
  hold); `normals.npy` and `flow.npy` (float32): those that the frame has;
- `json`: everything else: the camera, all objects with all their annotations in the order and the units of
  `simloop.frames`, parameters and values. What is not a number (NaN) is null.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from simloop.data.export.format import Format, Shot, Source, shots
from simloop.data.images import IMAGES
from simloop.data.png import encode
from simloop.frames import Camera, Category, Objects
from simloop.parameters import Array
from simloop.progress import Progress


@dataclass(frozen=True)
class WebDataset(Format):
    """Tar shards.

    Attributes:
        shard: frames in a tar file.
    """

    name: ClassVar[str] = "webdataset"
    summary: ClassVar[str] = "tar files to stream: images, depth, masks and all annotations as JSON"

    shard: int = 1000

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        tar: tarfile.TarFile | None = None
        for shot in shots(source, progress, self.name):
            if shot.place % self.shard == 0:
                if tar:
                    tar.close()
                tar = tarfile.open(  # noqa: SIM115 - the next shard or the end closes it
                    folder / f"shard-{shot.place // self.shard:06d}.tar", "w", format=tarfile.PAX_FORMAT
                )
            assert tar is not None
            for ending, content in _files(shot):
                entry = tarfile.TarInfo(f"{shot.stem}.{ending}")  # no time and no owner: the same bytes again
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember every file of the shard
        if tar:
            tar.close()
        return {"frames": source.count, "shards": -(-source.count // self.shard)}


def _files(shot: Shot) -> Iterator[tuple[str, bytes]]:
    """The files of a frame: ending and content."""
    frame = shot.frame
    yield "rgb.png", shot.png()
    for name in ("instances", "depth", "depth_sensed"):
        image = getattr(frame, name)
        if image is not None:
            yield f"{name}.png", encode(IMAGES[name].pack(image, frame.camera)[0])
    for name in ("normals", "flow"):  # of 16 bits in three channels, which most readers of PNG make 8
        image = getattr(frame, name)
        if image is not None:
            content = io.BytesIO()
            np.save(content, image.astype(np.float32), allow_pickle=False)
            yield f"{name}.npy", content.getvalue()
    record = {
        "index": frame.index,
        "sequence": frame.sequence,
        "step": frame.step,
        "time": frame.time,
        "camera": _camera(frame.camera),
        "objects": _objects(frame.objects, frame.categories),
        "parameters": dict(frame.parameters),
        "values": dict(frame.values),
    }
    yield "json", json.dumps(_finite(record), ensure_ascii=False).encode()


def _camera(camera: Camera) -> dict[str, Any]:
    record = {k: vars(camera)[k] for k in ("name", "size", "distortion", "depth_unit", "fisheye")}
    return record | {k: getattr(camera, k).tolist() for k in ("intrinsics", "position", "rotation")}


def _objects(objects: Objects, categories: tuple[Category, ...]) -> list[dict[str, Any]]:
    """One record for each object, its category by name."""
    singular = {
        "ids": "id", "boxes": "box", "poses": "pose", "centres": "centre", "sizes": "size", "keypoints": "keypoints",
        "amodal": "amodal", "truncation": "truncation", "pixels": "pixels", "visible": "visible",
    }  # fmt: skip
    columns: dict[str, Array] = {one: getattr(objects, many) for many, one in singular.items()}
    return [
        {
            "name": objects.names[i],
            "category": categories[objects.categories[i]].name,
            **{k: v[i].tolist() for k, v in columns.items()},
        }
        for i in range(len(objects))
    ]


def _finite(x: Any) -> Any:
    """JSON without NaN, which JSON does not have."""
    if isinstance(x, dict):
        return {k: _finite(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(v) for v in x]
    return None if isinstance(x, float) and not np.isfinite(x) else x
