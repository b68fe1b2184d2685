"""A dataset for PyTorch: random access, in any number of loading processes.

from torch.utils.data import DataLoader
images = TorchDataset("data/tabletop")
for batch in DataLoader(images, batch_size=16, shuffle=True, num_workers=2, collate_fn=collate):
    batch["image"], batch["boxes"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simloop.data.store import Dataset
from simloop.errors import MissingExtraError
from simloop.frames import Frame


class TorchDataset:
    """The photographs of a dataset's folder as PyTorch reads them: by number, with `len`.

    Args:
        folder: of the dataset.
        transform: makes an item of a frame; `tensors` by default. It must be picklable for loading processes.
    """

    def __init__(self, folder: str | Path, transform: Callable[[Frame], Any] | None = None) -> None:
        self.dataset = Dataset.open(folder)
        self.transform = transform or tensors

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.dataset[index])


def tensors(frame: Frame) -> dict[str, Any]:
    """A frame as tensors: its images, and its visible things.

    Returns:
        image (3, H, W) uint8; depth and depth_sensed (1, H, W) float32, m; instances (H, W) int64; normals (3, H, W)
        float32; flow (2, H, W) float32, each where it is there; of the n things with a visible pixel boxes (n, 4)
        float32, labels (n,) places of their categories, ids (n,) numbers in the mask; index, the frame's number.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("a dataset for PyTorch", "learn") from None

    def tensor(array: Any, dtype: Any) -> Any:
        return torch.from_numpy(np.array(array, dtype=dtype, order="C"))

    things = frame.things
    things = things.take(things.seen)
    item = {"image": tensor(frame.rgb.transpose(2, 0, 1), np.uint8), "index": frame.index}
    for name, image in (("depth", frame.depth), ("depth_sensed", frame.depth_sensed)):
        if image is not None:
            item[name] = tensor(image[None], np.float32)
    if frame.instances is not None:
        item["instances"] = tensor(frame.instances, np.int64)
    for name, image in (("normals", frame.normals), ("flow", frame.flow)):
        if image is not None:
            item[name] = tensor(image.transpose(2, 0, 1), np.float32)
    return {
        **item,
        "boxes": tensor(things.boxes, np.float32),
        "labels": tensor(things.categories, np.int64),
        "ids": tensor(things.ids, np.int64),
    }


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack what has the same shape in all items; the rest stays a list with an entry for each."""
    import torch

    batch: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        alike = isinstance(values[0], torch.Tensor) and name not in ("boxes", "labels", "ids")
        batch[name] = torch.stack(values) if alike else values
    return batch
