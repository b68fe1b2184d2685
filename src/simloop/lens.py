"""Lenses: what a camera with radial distortion sees, made from what one without it sees.

    lens = Lens(camera)                          # a camera with distortion
    rgb, depth = lens.blend(rgb), lens.pick(depth)    # both rendered through lens.pinhole
    camera = lens.at(view)                       # where the pinhole camera stood, seen through the lens

Straight lines bend as `Camera.image` says: what a pixel of the result shows lies on that pixel's ray of `Camera.rays`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simloop.frames import Camera, undistorted
from simloop.parameters import Array

_T = TypeVar("_T", bound=np.generic)


class Lens:
    """How a camera with radial distortion sees, from what one without it sees: `pinhole` is what to render.

    Where the lens sees what no pinhole camera could (beyond the radius at which the distortion turns back), there is
    nothing: 0.

    Args:
        camera: what the picture shall be taken by.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        width, height = camera.size
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        k = camera.intrinsics
        seen = np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1]], axis=-1)
        self._true, self._sees = _straight(seen, camera.distortion)

    @cached_property
    def pinhole(self) -> Camera:
        """A camera without distortion at the same place and of the same size that sees all that the lens sees."""
        camera, k = self.camera, self.camera.intrinsics
        width, height = camera.size
        k1, k2 = camera.distortion
        if not (k1 or k2) or not self._sees.any():
            return replace(camera, distortion=(0.0, 0.0))
        reach = np.abs(self._true[self._sees]).max(axis=0) + 1 / np.array([k[0, 0], k[1, 1]])
        focal = min(width / 2 / reach[0] / k[0, 0], height / 2 / reach[1] / k[1, 1])
        intrinsics = np.array([[focal * k[0, 0], 0, width / 2], [0, focal * k[1, 1], height / 2], [0, 0, 1.0]])
        return replace(camera, intrinsics=intrinsics, distortion=(0.0, 0.0))

    def at(self, view: Camera) -> Camera:
        """The camera with the lens where a pinhole camera stands."""
        return replace(self.camera, position=view.position, rotation=view.rotation)

    @property
    def fovy(self) -> float:
        """The vertical field of view of `pinhole`, rad."""
        return float(2 * np.arctan(self.camera.size[1] / 2 / self.pinhole.intrinsics[1, 1]))

    @property
    def straight(self) -> bool:
        """Whether there is no distortion."""
        return self.camera.distortion == (0.0, 0.0)

    @cached_property
    def _places(self) -> Array:
        """(H, W, 2) image coordinates in the pinhole's picture of what each pixel's centre sees."""
        k = self.pinhole.intrinsics
        return np.asarray(self._true * [k[0, 0], k[1, 1]] + k[:2, 2])

    @cached_property
    def _nearest(self) -> NDArray[np.int64]:
        """(H W) place, in a flat picture of the pinhole, of the pixel that each pixel's centre sees."""
        width, height = self.camera.size
        at = np.floor(np.where(self._sees[..., None], self._places, 0)).astype(np.int64)
        return np.clip(at[..., 1], 0, height - 1) * width + np.clip(at[..., 0], 0, width - 1)

    @cached_property
    def _corners(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(4, H W) places of the four pixels around what is seen, and (4, H W) how much each counts."""
        width, height = self.camera.size
        at = np.where(self._sees[..., None], self._places, 0) - 0.5
        low = np.floor(at)
        part = (at - low).reshape(-1, 2)
        x0, y0 = low.astype(np.int64).reshape(-1, 2).T
        places, weights = [], []
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            places.append(np.clip(y0 + dy, 0, height - 1) * width + np.clip(x0 + dx, 0, width - 1))
            along = part[:, 0] if dx else 1 - part[:, 0]
            weights.append(along * (part[:, 1] if dy else 1 - part[:, 1]) * self._sees.reshape(-1))
        return np.stack(places), np.stack(weights).astype(np.float32)

    def blend(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pinhole's picture (H, W, 3) through the lens, blended between pixels."""
        if self.straight:
            return rgb
        places, weights = self._corners
        out = np.empty_like(rgb).reshape(-1, 3)
        for k, plane in enumerate(rgb.reshape(-1, 3).T.copy()):
            total = np.full(len(out), 0.5, dtype=np.float32)
            for place, weight in zip(places, weights, strict=True):
                total += weight * np.take(plane, place, mode="clip")
            out[:, k] = total
        return out.reshape(rgb.shape)

    def pick(self, picture: NDArray[_T]) -> NDArray[_T]:
        """A mask, depth or normals of the pinhole (H, W, ...) through the lens: of each pixel the nearest."""
        if self.straight:
            return picture
        flat = picture.reshape(-1, *picture.shape[2:])
        out = flat[self._nearest]
        out[~self._sees] = 0
        return np.asarray(out)


def _straight(seen: Array, distortion: tuple[float, float]) -> tuple[Array, NDArray[np.bool_]]:
    """Normalised coordinates (..., 2) without distortion, and (...) whether there are any."""
    if distortion == (0.0, 0.0):
        return seen, np.ones(seen.shape[:-1], dtype=bool)
    k1, k2 = distortion
    x, y = undistorted(seen[..., 0], seen[..., 1], distortion)
    true = np.stack([x, y], axis=-1)
    r2 = (true**2).sum(-1)
    again = true * (1 + k1 * r2 + k2 * r2**2)[..., None]
    rising = 1 + 3 * k1 * r2 + 5 * k2 * r2**2 > 0.05
    return true, np.asarray(rising & (np.abs(again - seen).max(axis=-1) < 1e-6))
