"""How each image of a frame becomes a PNG, and back: what is exact, and how wrong the rest is.

- rgb, instances: exact. A mask whose numbers all fit has 8 bits, else 16.
- depth, depth_sensed: 16 bits in steps of the camera's depth_unit: wrong by at most half of one. 0 is nothing; what is
  farther than 65,535 steps is kept as nothing, and counted.
- normals: 16 bits a component, 32768 + 32767 n: wrong by at most 1.6e-5 a component; (0, 0, 0) is nothing.
- flow: as in KITTI, 16 bits: 32768 + 64 du, 32768 + 64 dv, and 1 where it is known: wrong by at most 1/128 pixel. What
  is outside [-512, 512) pixels is kept as unknown, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.data.png import Image
from simloop.frames import Camera

_MOST = 65535
_MIDDLE = 32768
#: steps in a pixel of flow
_FLOW_STEPS = 64


@dataclass(frozen=True)
class Stored:
    """How one image is stored.

    Attributes:
        pack: (array, camera) -> the image to be encoded, and how many pixels could not be kept.
        unpack: (decoded image, camera) -> array.
    """

    pack: Callable[[NDArray[Any], Camera], tuple[Image, int]]
    unpack: Callable[[NDArray[Any], Camera], NDArray[Any]]


def _pack_mask(mask: NDArray[Any], _camera: Camera) -> tuple[Image, int]:
    return (mask.astype(np.uint8) if mask.max(initial=0) < 256 else mask.astype(np.uint16)), 0


def _pack_depth(depth: NDArray[Any], camera: Camera) -> tuple[Image, int]:
    known = depth > 0
    steps = np.floor(np.where(known, depth, 0) * (1 / camera.depth_unit) + 0.5)
    far = ~(steps <= _MOST)
    steps = np.where(far, 0, np.maximum(steps, known))
    return steps.astype(np.uint16), int(far.sum())


def _unpack_depth(steps: NDArray[Any], camera: Camera) -> NDArray[Any]:
    return (steps * camera.depth_unit).astype(np.float32)


def _pack_normals(normals: NDArray[Any], _camera: Camera) -> tuple[Image, int]:
    steps = np.round(normals * (_MIDDLE - 1)) + _MIDDLE
    steps[~normals.any(axis=2)] = 0
    return steps.astype(np.uint16), 0


def _unpack_normals(steps: NDArray[Any], _camera: Camera) -> NDArray[Any]:
    normals = (steps.astype(np.float32) - _MIDDLE) / (_MIDDLE - 1)
    normals[~steps.any(axis=2)] = 0
    return normals


def _pack_flow(flow: NDArray[Any], _camera: Camera) -> tuple[Image, int]:
    steps = np.round(flow * _FLOW_STEPS) + _MIDDLE
    known = np.isfinite(flow).all(axis=2)
    inside = known & ((steps >= 0) & (steps <= _MOST)).all(axis=2)
    out = np.zeros((*flow.shape[:2], 3), dtype=np.uint16)
    out[inside, :2] = steps[inside]
    out[inside, 2] = 1
    return out, int((known & ~inside).sum())


def _unpack_flow(steps: NDArray[Any], _camera: Camera) -> NDArray[Any]:
    flow = (steps[:, :, :2].astype(np.float32) - _MIDDLE) / _FLOW_STEPS
    flow[steps[:, :, 2] == 0] = np.nan
    return flow


#: by the name of a frame's attribute
IMAGES: dict[str, Stored] = {
    "rgb": Stored(lambda rgb, _: (rgb, 0), lambda rgb, _: rgb),
    "depth": Stored(_pack_depth, _unpack_depth),
    "depth_sensed": Stored(_pack_depth, _unpack_depth),
    "instances": Stored(_pack_mask, lambda mask, _: mask.astype(np.uint16)),
    "normals": Stored(_pack_normals, _unpack_normals),
    "flow": Stored(_pack_flow, _unpack_flow),
}
