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
        #: (2, H, W) normalised coordinates of what each pixel's centre sees, and (H, W) whether it sees anything
        self._true, self._sees = _straight((u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], camera)

    @cached_property
    def pinhole(self) -> Camera:
        """A camera without distortion at the same place and of the same size that sees all that the lens sees.

        Its pixels are square and its centre is in the middle, so that `fovy` says all of it.
        """
        camera, k = self.camera, self.camera.intrinsics
        width, height = camera.size
        if camera.straight or not self._sees.any():
            return replace(camera, distortion=(0.0, 0.0), fisheye=False)
        reach = np.abs(self._true * self._sees).max(axis=(1, 2)) + 1 / np.array([k[0, 0], k[1, 1]])
        focal = min(width / 2 / reach[0], height / 2 / reach[1])
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return replace(camera, intrinsics=intrinsics, distortion=(0.0, 0.0), fisheye=False)

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
        return self.camera.straight

    @cached_property
    def _places(self) -> Array:
        """(2, H W) image coordinates in the pinhole's picture of what each pixel's centre sees."""
        k = self.pinhole.intrinsics
        u, v = self._true * self._sees
        return np.stack([u * k[0, 0] + k[0, 2], v * k[1, 1] + k[1, 2]]).reshape(2, -1)

    @cached_property
    def _nearest(self) -> NDArray[np.int64]:
        """(H, W) place, in a flat picture of the pinhole, of the pixel that each pixel's centre sees."""
        width, height = self.camera.size
        x, y = self._places.astype(np.int64)
        return (np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1)).reshape(height, width)

    @cached_property
    def _corners(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(4, H W) places of the four pixels around what is seen, and (4, H W) how much each counts."""
        width, height = self.camera.size
        at = self._places - 0.5
        low = np.floor(at)
        right, down = (at - low).astype(np.float32)
        x, y = low.astype(np.int64)
        sees = self._sees.reshape(-1)
        columns, rows = ([np.clip(n + d, 0, most - 1) for d in (0, 1)] for n, most in ((x, width), (y, height)))
        across, along = (1 - right, right), ((1 - down) * sees, down * sees)
        places = np.stack([rows[j] * width + columns[i] for j in (0, 1) for i in (0, 1)])
        return places, np.stack([along[j] * across[i] for j in (0, 1) for i in (0, 1)])

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


def _straight(x: Array, y: Array, camera: Camera) -> tuple[Array, NDArray[np.bool_]]:
    """Normalised coordinates (H, W) without distortion, (2, H, W), and (H, W) whether there are any."""
    if camera.straight:
        return np.stack([x, y]), np.ones(x.shape, dtype=bool)
    k1, k2 = camera.distortion
    true = np.stack(undistorted(x, y, camera.distortion, fisheye=camera.fisheye))
    r = np.hypot(*true)
    r2 = np.arctan(r) ** 2 if camera.fisheye else r**2
    scale = (1 + r2 * (k1 + r2 * k2)) * (np.sqrt(r2) / np.maximum(r, 1e-12) if camera.fisheye else 1.0)
    found = (np.abs(true[0] * scale - x) < 1e-6) & (np.abs(true[1] * scale - y) < 1e-6)
    return true, np.asarray(found & (1 + r2 * (3 * k1 + r2 * 5 * k2) > 0.05))
