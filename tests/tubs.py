"""Small folders of frames as others write them: Donkeycar tubs of both versions, images with a CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(k: int, size: tuple[int, int] = (16, 12)) -> Image.Image:
    """A picture of one colour, which tells its number."""
    return Image.new("RGB", size, (k % 256, k // 256, 100))


def write_images(folder: Path, names: Sequence[str], size: tuple[int, int] = (16, 12)) -> Path:
    """PNG files (whatever they are called) whose red is their place in `names`."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        picture(k, size).save(folder / name, format="PNG")
    return folder


def write_tub(
    folder: Path, angles: Sequence[Any], *, deleted: Sequence[int] = (), modes: Mapping[int, str] | None = None,
    in_catalog: int = 1000,
) -> Path:  # fmt: skip
    """A tub of version 2 with one frame for each angle, whose red is its index; None: a frame without an angle."""
    write_images(folder / "images", [f"{i}_cam_image_array_.jpg" for i in range(len(angles))])
    records = []
    for i, angle in enumerate(angles):
        record = {
            "_index": i,
            "cam/image_array": f"{i}_cam_image_array_.jpg",
            "user/mode": (modes or {}).get(i, "user"),
        }
        records.append(json.dumps(record if angle is None else {**record, "user/angle": angle}))
    paths = []
    for k, first in enumerate(range(0, len(angles), in_catalog)):
        paths.append(f"catalog_{k}.catalog")
        (folder / paths[-1]).write_text("\n".join(records[first : first + in_catalog]) + "\n")
    last = {"paths": paths, "current_index": len(angles), "max_len": in_catalog, "deleted_indexes": list(deleted)}
    head = ('["cam/image_array", "user/angle", "user/mode"]', '["image_array", "float", "str"]', "{}", "{}")
    (folder / "manifest.json").write_text("\n".join([*head, json.dumps(last)]) + "\n")
    return folder


def write_old_tub(folder: Path, angles: Sequence[float]) -> Path:
    """A tub of version 1."""
    write_images(folder, [f"{i}_cam-image_array_.jpg" for i in range(len(angles))])
    for i, angle in enumerate(angles):
        record = {"cam/image_array": f"{i}_cam-image_array_.jpg", "user/angle": angle, "user/mode": "user"}
        (folder / f"record_{i}.json").write_text(json.dumps(record))
    return folder


def reds(frames: np.ndarray[Any, Any]) -> list[int]:
    """The numbers of frames (n, H, W, 3) that `picture` made."""
    return [int(n) for n in frames[:, 0, 0, 0]]
