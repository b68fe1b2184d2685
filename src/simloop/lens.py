"""Lenses: what a camera with radial distortion sees, made from what one without it sees.

    lens = Lens(camera)                          # a camera with distortion
    rgb, depth = lens.blend(rgb), lens.pick(depth)    # both rendered through lens.pinhole
    camera = lens.at(view)                       # where the pinhole camera stood, seen through the lens

Straight lines bend as `Camera.image` says: what a pixel of the result shows lies on that pixel's ray of `Camera.rays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simloop.frames import Camera, undistorted
from simloop.parameters import Array

_T = TypeVar("_T", bound=np.generic)
#: rad, the widest slice of a wide view that one pinhole camera sees
_SLICE = 1.5


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
        return _four(self._places, self.camera.size, self._sees.reshape(-1), np.zeros(1, dtype=np.int64))

    def blend(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pinhole's picture (H, W, 3) through the lens, blended between pixels."""
        if self.straight:
            return rgb
        return _blended(rgb.reshape(-1, 3), *self._corners).reshape(rgb.shape)

    def pick(self, picture: NDArray[_T]) -> NDArray[_T]:
        """A mask, depth or normals of the pinhole (H, W, ...) through the lens: of each pixel the nearest."""
        if self.straight:
            return picture
        flat = picture.reshape(-1, *picture.shape[2:])
        out = flat[self._nearest]
        out[~self._sees] = 0
        return np.asarray(out)


def _four(
    places: Array, size: tuple[int, int], sees: NDArray[np.bool_], first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Four pixels around image coordinates (2, n): their places (4, n), and how much each counts, (4, n).

    They are in pictures of a size that begin at rows `first` (n,) of a flat one; where nothing is seen, (n,), none
    counts.
    """
    width, height = size
    at = places - 0.5
    low = np.floor(at)
    right, down = (at - low).astype(np.float32)
    x, y = low.astype(np.int64)
    columns, rows = ([np.clip(n + d, 0, most - 1) for d in (0, 1)] for n, most in ((x, width), (y, height)))
    across, along = (1 - right, right), ((1 - down) * sees, down * sees)
    flat = np.stack([(first + rows[j]) * width + columns[i] for j in (0, 1) for i in (0, 1)])
    return flat, np.stack([along[j] * across[i] for j in (0, 1) for i in (0, 1)])


def _blended(pixels: NDArray[np.uint8], places: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, 3) the sums of pixels (k, 3) at places (4, n), each of which counts as weights (4, n) say."""
    out = np.empty((places.shape[1], 3), dtype=np.uint8)
    for k, plane in enumerate(pixels.T.copy()):
        total = np.full(len(out), 0.5, dtype=np.float32)
        for place, weight in zip(places, weights, strict=True):
            total += weight * np.take(plane, place, mode="clip")
        out[:, k] = total
    return out


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


class Facets:
    """How a camera that sees too wide for one pinhole camera sees, from what several see that stand side by side.

        facets = Facets(camera)                                  # a fisheye
        cameras = facets.at(view)                                # pinholes where `view` stands, side by side
        rgb, depth = facets.blend(pictures), facets.depth(depths)

    A pinhole camera that sees 125 degrees has most of its pixels at its sides. Each of these sees a slice of less than
    86 degrees, everywhere as finely as the fisheye does in its middle. Where the lens sees nothing there is 0.

    Args:
        camera: what the picture shall be taken by.
    """

    def __init__(self, camera: Camera) -> None:
        lens = Lens(camera)
        self.camera, self._sees = camera, lens._sees
        x, y = lens._true * self._sees
        angle = np.arctan(x)
        low, high = float(angle[self._sees].min()), float(angle[self._sees].max())
        count = max(1, int(np.ceil((high - low) / _SLICE)))
        wide = (high - low) / count
        #: (m,) rad, how far each looks to the right of the camera's axis
        self._turns = low + wide * (np.arange(count) + 0.5)
        #: (H, W) which of them sees each pixel
        self._which = np.clip(((angle - low) / wide).astype(np.int64), 0, count - 1)
        turn = self._turns[self._which]
        ahead = np.cos(turn) + x * np.sin(turn)
        #: (H, W) depth along the camera's axis beside that along the axis of what sees it
        self._nearer = np.float32(1) / ahead
        u, v = (x * np.cos(turn) - np.sin(turn)) / ahead, y / ahead
        reach = np.abs(np.stack([u, v])).max(axis=(1, 2))
        most = np.array(camera.size)  # half of the pictures' sides
        focal = float(min(camera.intrinsics[0, 0], *((most - 1) / reach)))
        width, height = (2 * np.ceil(focal * reach + 1)).astype(int).tolist()
        #: (width, height) of the pinholes' pictures, at most twice those of the camera's
        self.size: tuple[int, int] = (width, height)
        middle = np.array(self.size) / 2
        intrinsics = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1.0]])
        self._pinhole = replace(camera, size=self.size, intrinsics=intrinsics, distortion=(0.0, 0.0), fisheye=False)
        #: (2, H, W) where in the picture of what sees it each pixel is
        self._places = np.stack([focal * u + middle[0], focal * v + middle[1]])

    def at(self, view: Camera) -> list[Camera]:
        """The pinhole cameras where a camera stands, from left to right."""
        out = []
        for turn in self._turns:
            c, s = np.cos(turn), np.sin(turn)
            own = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            out.append(replace(self._pinhole, position=view.position, rotation=view.rotation @ own))
        return out

    @cached_property
    def _nearest(self) -> NDArray[np.int64]:
        """(H, W) place of the pixel that each pixel's centre sees, in the flat pictures one after the other."""
        width, height = self.size
        x, y = self._places.astype(np.int64)
        return (self._which * height + np.clip(y, 0, height - 1)) * width + np.clip(x, 0, width - 1)

    @cached_property
    def _corners(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(4, H W) places of the four pixels around what is seen, and (4, H W) how much each counts."""
        first = self._which.reshape(-1) * self.size[1]
        return _four(self._places.reshape(2, -1), self.size, self._sees.reshape(-1), first)

    def blend(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The pinholes' pictures (h, w, 3) through the lens, blended between pixels: (H, W, 3)."""
        return _blended(np.stack(pictures).reshape(-1, 3), *self._corners).reshape(*self._sees.shape, 3)

    def pick(self, pictures: Sequence[NDArray[_T]]) -> NDArray[_T]:
        """The pinholes' masks (h, w, ...) through the lens: of each pixel the nearest, (H, W, ...)."""
        whole = np.stack(pictures)
        out = whole.reshape(-1, *whole.shape[3:])[self._nearest]
        out[~self._sees] = 0
        return np.asarray(out)

    def depth(self, depths: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The pinholes' depths (h, w), m, as depth along the camera's own axis, (H, W)."""
        return self.pick(depths) * self._nearer.astype(np.float32)
