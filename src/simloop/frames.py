"""Frames: images with annotations, in one record for every world with a camera.

    for frame in world.frames(range(10), request=Request(size=(128, 128)), seed=7):
        frame.rgb, frame.depth, frame.instances, frame.objects.boxes

The conventions, which hold for everything that is stored and exported:

- Lengths are in m, angles in rad, times in s. The world's axes are right-handed with z up.
- A camera looks along its z axis; x points to the right of the image and y down, as in OpenCV.
- Pixel (row r, column c) is the square [c, c + 1) x [r, r + 1) of image coordinates (u, v): its centre is at
  (c + 0.5, r + 0.5), and the image ends at (width, height).
- A box is (u0, v0, u1, v1) in image coordinates: a single pixel at (r, c) has the box (c, r, c + 1, r + 1).
- Depth is the distance along the camera's z axis, not along the ray; 0 where nothing is seen.
- A quaternion is (w, x, y, z); a pose is a position and the rotation that takes the object's axes to the world's.
- An instance's number is its value in the mask; 0 is nothing. It is the same in all frames of a sequence: a track.
- Flow at a pixel says where what is seen there is in the next frame of the sequence: (du, dv), in pixels. It is NaN
  where nothing is seen, where that leaves the view backwards, and in the last frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, unknown
from simloop.parameters import Array

#: what can be asked for beside RGB; `visible` is the visible fraction, which takes one pass for each object
Pass = Literal["depth", "depth_sensed", "instances", "normals", "flow", "visible"]
PASSES: tuple[Pass, ...] = get_args(Pass)
#: rad, no camera sees what is farther from its axis: depth has no meaning there
WIDEST_ANGLE = float(np.radians(88))


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera with a pinhole's or a fisheye's lens: where it stands and how it forms its image.

    Attributes:
        name: what the world calls it.
        size: (width, height), pixels.
        intrinsics: (3, 3), pixels.
        position: (3,) in the world, m.
        rotation: (3, 3) from the camera's axes to the world's: its columns are right, down and forward.
        distortion: (k1, k2): a point at normalised radius r is seen at r (1 + k1 r^2 + k2 r^4) (Brown, 1971).
        depth_unit: m, the step in which depth is stored.
        fisheye: whether r is not the distance from the axis at depth 1 but the angle to it, rad (Kannala and Brandt,
            2006; OpenCV's fisheye model with two coefficients). It sees up to `WIDEST_ANGLE`.
    """

    name: str
    size: tuple[int, int]
    intrinsics: Array
    position: Array
    rotation: Array
    distortion: tuple[float, float] = (0.0, 0.0)
    depth_unit: float = 1e-4
    fisheye: bool = False

    @classmethod
    def of_view(
        cls, name: str, size: tuple[int, int], fovy: float, position: Array, rotation: Array, depth_unit: float = 1e-4
    ) -> Camera:
        """A camera with square pixels and its centre in the middle; `fovy` is its vertical field of view, rad."""
        width, height = size
        focal = height / 2 / np.tan(fovy / 2)
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return cls(name, size, intrinsics, position, rotation, depth_unit=depth_unit)

    @property
    def straight(self) -> bool:
        """Whether straight lines are straight in its images."""
        return self.distortion == (0.0, 0.0) and not self.fisheye

    @property
    def extrinsics(self) -> Array:
        """(4, 4) from homogeneous world coordinates to the camera's."""
        out = np.eye(4)
        out[:3, :3] = self.rotation.T
        out[:3, 3] = -self.rotation.T @ self.position
        return out

    def to_camera(self, points: Array) -> Array:
        """World coordinates (..., 3) to the camera's (..., 3), m."""
        return np.asarray((points - self.position) @ self.rotation)

    def to_world(self, points: Array) -> Array:
        """The camera's coordinates (..., 3) to the world's (..., 3), m."""
        return np.asarray(points @ self.rotation.T + self.position)

    def image(self, points: Array) -> Array:
        """Image coordinates (..., 2) of points (..., 3) in the camera's coordinates; NaN behind it."""
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            normal = points[..., :2] / np.where(z > 0, z, np.nan)
        if not self.straight:
            k1, k2 = self.distortion
            r = np.sqrt((normal**2).sum(-1, keepdims=True))
            inside = np.minimum(np.arctan(r) if self.fisheye else r, widest(self.distortion))
            normal = normal * (1 + k1 * inside**2 + k2 * inside**4) * inside / np.maximum(r, 1e-12)
        focal = np.array([self.intrinsics[0, 0], self.intrinsics[1, 1]])
        return np.asarray(normal * focal + self.intrinsics[:2, 2])

    def project(self, points: Array) -> Array:
        """(..., 3): image coordinates u, v and depth, m, of world points (..., 3)."""
        own = self.to_camera(points)
        return np.concatenate([self.image(own), own[..., 2:]], axis=-1)

    @cached_property
    def rays(self) -> Array:
        """(height, width, 3) what each pixel's centre sees, in the camera's coordinates, at depth 1."""
        width, height = self.size
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        x = (u - self.intrinsics[0, 2]) / self.intrinsics[0, 0]
        y = (v - self.intrinsics[1, 2]) / self.intrinsics[1, 1]
        x, y = undistorted(x, y, self.distortion, fisheye=self.fisheye)
        return np.stack([x, y, np.ones_like(x)], axis=-1)


@cache
def widest(distortion: tuple[float, float]) -> float:
    """The normalised radius up to which a lens shows what is farther out farther out; inf without an end."""
    k1, k2 = distortion
    inside = 9 * k1**2 - 20 * k2
    if inside < 0:
        return math.inf
    # where 1 + 3 k1 x + 5 k2 x^2 becomes 0, x being the radius squared
    root = math.sqrt(inside)
    ends = [-2 / below for below in (3 * k1 + root, 3 * k1 - root) if below < 0]
    return math.sqrt(min(ends)) if ends else math.inf


def undistorted(x: Array, y: Array, distortion: tuple[float, float], *, fisheye: bool = False) -> tuple[Array, Array]:
    """Normalised coordinates at depth 1 without the lens's distortion, by Newton's method on the radius."""
    k1, k2 = distortion
    if not (k1 or k2 or fisheye):
        return x, y
    seen = np.hypot(x, y)
    s2 = seen * seen
    r = seen * (1 - s2 * (k1 - s2 * (3 * k1 * k1 - k2)))  # the inverse's series, to begin with
    most = widest(distortion)
    for _ in range(20):
        r = np.clip(r, 0, most)
        r2 = r * r
        step = (r * (1 + r2 * (k1 + r2 * k2)) - seen) / np.maximum(1 + r2 * (3 * k1 + r2 * 5 * k2), 0.1)
        r = r - step
        if np.abs(step).max(initial=0) < 1e-13:
            break
    if fisheye:
        r = np.tan(np.minimum(r, WIDEST_ANGLE))
    scale = np.where(seen > 1e-12, r / np.maximum(seen, 1e-12), 1.0)
    return x * scale, y * scale


@dataclass(frozen=True)
class Category:
    """A kind of object. Things are counted and boxed; what is no thing (table, floor, road) has a mask alone."""

    name: str
    thing: bool = True
    keypoints: tuple[str, ...] = ()
    #: pairs of keypoints, by their place, that are drawn connected
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Objects:
    """The annotations of one frame: a row for each instance of the scene that is in front of the camera or in view.

    Attributes:
        ids: (n,) values in the mask, each above 0; the same for an instance in all frames of a sequence.
        categories: (n,) place in the world's categories.
        names: what the world calls each.
        boxes: (n, 4) tight around the visible pixels; NaN where there are none.
        amodal: (n, 4) around the projection of the whole object, hidden or outside the image or not; NaN where it is
            wholly behind the camera, and of what has no end.
        truncation: (n,) the part of the amodal box's area that is outside the image, 0 to 1; NaN where that is NaN, as
            of a plane, which has no end.
        pixels: (n,) how many pixels are visible.
        visible: (n,) visible pixels as a fraction of those that it would have if nothing stood before it, inside the
            image; NaN where it was not asked for or has none.
        poses: (n, 7) position, m, and quaternion in the world.
        centres: (n, 3) middle of the oriented box, in the object's axes, m.
        sizes: (n, 3) full sides of the oriented box along the object's axes, m.
        keypoints: (n, K, 3) u, v and whether it is outside the image or not defined (0), hidden (1) or visible (2); K
            is the largest number of keypoints of a category, and u, v are NaN for those not defined.
    """

    ids: NDArray[np.int64]
    categories: NDArray[np.int64]
    names: tuple[str, ...]
    boxes: Array
    amodal: Array
    truncation: Array
    pixels: NDArray[np.int64]
    visible: Array
    poses: Array
    centres: Array
    sizes: Array
    keypoints: Array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Objects:
        """The objects `index`: a mask (n,) or places (m,)."""
        places = np.arange(len(self))[index]
        arrays = {k: v[places] for k, v in vars(self).items() if k != "names"}
        return Objects(names=tuple(self.names[i] for i in places), **arrays)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) whether an object has a visible pixel."""
        return np.asarray(self.pixels > 0)


@dataclass(frozen=True, eq=False)
class Frame:
    """One image with everything that is known of it.

    Attributes:
        index: number in the dataset; with the seed it decides everything else.
        sequence, step: which sequence it belongs to, and its place there.
        time: s since the sequence's start.
        camera: where it was taken from.
        categories: what the objects' categories mean.
        rgb: (height, width, 3) 0 to 255.
        objects: annotations.
        parameters: by name, what was drawn for it, in physical units.
        depth: (height, width) m; None where it was not asked for.
        depth_sensed: (height, width) m, what a depth camera would make of it; 0 where it measures nothing. None: not
            asked for. The true depth is the label, this is an input.
        instances: (height, width) instance numbers; None where not asked for.
        normals: (height, width, 3) unit normals in the camera's axes; 0 where nothing is seen. None: not asked for.
        flow: (height, width, 2) pixels. None: not asked for.
        values: by name, other numbers that label the whole image (a steering angle, a count).
    """

    index: int
    sequence: int
    step: int
    time: float
    camera: Camera
    categories: tuple[Category, ...]
    rgb: NDArray[np.uint8]
    objects: Objects
    parameters: Mapping[str, float]
    depth: NDArray[np.float32] | None = None
    depth_sensed: NDArray[np.float32] | None = None
    instances: NDArray[np.uint16] | None = None
    normals: NDArray[np.float32] | None = None
    flow: NDArray[np.float32] | None = None
    values: Mapping[str, float] = field(default_factory=dict)

    def replace(self, **changes: object) -> Frame:
        """The frame with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def semantics(self) -> NDArray[np.uint16]:
        """(height, width) 1 + the category's place where something is seen, else 0."""
        if self.instances is None:
            raise InputError("this frame has no instance mask, so no semantic one")
        table = np.zeros(int(self.instances.max(initial=0)) + 1, dtype=np.uint16)
        within = self.objects.ids < len(table)
        table[self.objects.ids[within]] = 1 + self.objects.categories[within]
        return table[self.instances]

    @property
    def things(self) -> Objects:
        """The objects that are things."""
        thing = np.array([c.thing for c in self.categories], dtype=bool)
        return self.objects.take(thing[self.objects.categories] if len(self.objects) else np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class Request:
    """What to photograph, and how.

    Attributes:
        size: (width, height), pixels.
        passes: what to give beside RGB.
        cameras: names; () for the world's first.
        length: frames in a sequence; frame i belongs to sequence i // length.
        rate: frames in a second of a sequence.
        views: sequences that share a scene (its objects and their motion) and differ in how it looks.
        distinct: group of appearance parameters (`texture`, `light`, `camera`, `sensor`, ...) -> how many different
            draws of it there are; a group that is not named is drawn for each sequence.
        textures: a folder of images that surfaces may wear, for looks with the pattern `image`; "" for none.
        samples: samples of a pixel against jagged edges; 0 is one, and fast.
        shadows: side of the shadow map, pixels; 0 for no shadows.
    """

    size: tuple[int, int] = (256, 256)
    passes: tuple[Pass, ...] = ("depth", "instances")
    cameras: tuple[str, ...] = ()
    length: int = 1
    rate: float = 30.0
    views: int = 1
    distinct: Mapping[str, int] = field(default_factory=dict)
    textures: str = ""
    samples: int = 0
    shadows: int = 512

    def __post_init__(self) -> None:
        for name in self.passes:
            if name not in PASSES:
                raise unknown("pass", name, PASSES)
        if min(self.size) < 1 or max(self.size) > 8192:
            raise InputError(f"size: {self.size[0]} x {self.size[1]} pixels; each side must be from 1 to 8192")
        for count in ("length", "views"):
            if getattr(self, count) < 1:
                raise InputError(f"{count} must be at least 1, got {getattr(self, count)}")
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"rate must be above 0 frames in a second, got {self.rate:g}")
        if any(n < 1 for n in self.distinct.values()):
            raise InputError("distinct: each number of draws must be at least 1")
        if self.samples < 0 or self.shadows < 0:
            raise InputError("samples and shadows must not be negative")
        if {"flow", "depth_sensed"} & {*self.passes} and "depth" not in self.passes:
            object.__setattr__(self, "passes", (*self.passes, "depth"))

    def to_dict(self) -> dict[str, object]:
        """What decides the images, JSON-able."""
        return {**vars(self), "distinct": dict(self.distinct)}
