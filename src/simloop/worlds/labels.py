"""Annotations of a frame, from what is known of its scene and from what is seen.

    scene = Labelled(model, staged.instances, categories)
    instances = scene.mask(geoms)                          # (H, W) numbers of instances
    objects = scene.objects(data, camera, instances, depth)

Everything is computed for all instances at once. Where an instance reaches behind the camera, its hull is cut at a
plane before it, so that its projection is that of what can be seen of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.frames import Camera, Category, Objects
from simloop.parameters import Array
from simloop.worlds.footprints import footprint
from simloop.worlds.staged import Instance

if TYPE_CHECKING:
    import mujoco

#: m before the camera's centre where hulls are cut
_NEAR = 1e-3
#: points that are not worth to look for their hull
_FEW = 32
#: part of the image's longer side from which on a box minds that a lens bends the edges between corners, and points
#: along each edge there
_LONG, _ALONG = 0.2, 16
#: a keypoint is hidden where something is in front of it by more than this part of its depth
_FRONT = 0.01


class Labelled:
    """What a labeller knows of a scene: which geom belongs to which instance, and the instances' shapes."""

    def __init__(self, model: mujoco.MjModel, instances: Sequence[Instance], categories: Sequence[Category]) -> None:
        self.instances = tuple(instances)
        self.categories = tuple(categories)
        places = {c.name: i for i, c in enumerate(categories)}
        for instance in instances:
            if instance.category not in places:
                raise InputError(
                    f"instance {instance.name!r}: its category {instance.category!r} is none of the world's"
                )
        #: (n,) place of each instance's category
        self.category_places = np.array([places[i.category] for i in instances], dtype=np.int64)
        self._bodies = np.array([model.body(i.body).id for i in instances], dtype=np.int64)
        #: by geom, and last for none, the number of the instance that it is part of; 0 for none
        self._numbers = np.zeros(model.ngeom + 1, dtype=np.uint16)
        for number, instance in enumerate(instances, start=1):
            self._numbers[[model.geom(g).id for g in instance.geoms]] = number
        self._geom_bodies = np.append(model.geom_bodyid, 0)
        #: (n, 3, V) corners of each instance's hull, in its own axes
        self._vertices = _stacked([i.vertices for i in instances]).transpose(0, 2, 1).copy()
        n = len(instances)
        self._names = tuple(i.name for i in instances)
        self._centres = np.array([i.centre for i in instances], dtype=float).reshape(n, 3)
        self._sizes = np.array([i.size for i in instances], dtype=float).reshape(n, 3)
        widest = max((len(i.keypoints) for i in instances), default=0)
        self._keypoints = np.full((len(instances), widest, 3), np.nan)
        for k, instance in enumerate(instances):
            self._keypoints[k, : len(instance.keypoints)] = instance.keypoints

    def mask(self, geoms: NDArray[np.int32]) -> NDArray[np.uint16]:
        """Numbers of instances from numbers of geoms, -1 for none, (H, W)."""
        return self._numbers[geoms]

    def geoms_of(self, number: int) -> NDArray[np.bool_]:
        """(ngeom,) which geoms are the instance of that number."""
        return np.asarray(self._numbers[:-1] == number)

    def poses_of(self, data: mujoco.MjData) -> Array:
        """(n, 7) position, m, and quaternion of each instance in the world."""
        return np.concatenate([data.xpos[self._bodies], data.xquat[self._bodies]], axis=1)

    def objects(
        self,
        data: mujoco.MjData,
        camera: Camera,
        instances: NDArray[np.uint16],
        depth: NDArray[np.float32] | None,
        visible: Array | None = None,
        absent: frozenset[str] = frozenset(),
    ) -> Objects:
        """The annotations of what the camera sees, and of what it would see if nothing were in the way.

        Args:
            data: the scene's state; the poses of bodies are read from it.
            camera: where from.
            instances: (H, W) the mask.
            depth: (H, W) m, for which keypoints are hidden; None: those whose pixel shows their own object are visible.
            visible: (n,) visible fractions of all instances.
            absent: names of instances that are not there.
        """
        n = len(self.instances)
        position, rotation = data.xpos[self._bodies], data.xmat[self._bodies].reshape(-1, 3, 3)
        amodal = self._amodal(camera, position, rotation)
        pixels = np.bincount(instances.reshape(-1), minlength=n + 1)[1 : n + 1]
        here = np.array([name not in absent for name in self._names], dtype=bool)
        keep = (pixels > 0) | (in_view(amodal, camera.size) & here)
        objects = Objects(
            ids=np.arange(1, n + 1),
            categories=self.category_places,
            names=self._names,
            boxes=tight_boxes(instances, n),
            amodal=amodal,
            truncation=truncation(amodal, camera.size),
            pixels=pixels.astype(np.int64),
            visible=np.full(n, np.nan) if visible is None else visible,
            poses=self.poses_of(data),
            centres=self._centres,
            sizes=self._sizes,
            keypoints=self._seen_keypoints(camera, position, rotation, instances, depth),
        )
        return objects.take(keep)

    def _amodal(self, camera: Camera, position: Array, rotation: Array) -> Array:
        """(n, 4) boxes around the projections of the instances' hulls."""
        own = camera.rotation.T @ rotation
        points = own @ self._vertices + ((position - camera.position) @ camera.rotation)[..., None]
        points = points.transpose(0, 2, 1)  # (n, V, 3), in memory coordinate by coordinate, which is read faster
        image = camera.image(points)
        boxes = np.concatenate([image.min(axis=1), image.max(axis=1)], axis=1)
        behind = np.asarray((points[..., 2] <= _NEAR).any(axis=1))
        for k in np.flatnonzero(behind):
            boxes[k] = _box(camera.image(hull_before(points[k])))
        if not camera.straight:
            long = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) > _LONG * max(camera.size)
            for k in np.flatnonzero(long):
                before = hull_before(points[k]) if behind[k] else points[k]
                boxes[k] = _box(camera.image(bent_outline(before)))
        return boxes

    def _seen_keypoints(
        self,
        camera: Camera,
        position: Array,
        rotation: Array,
        instances: NDArray[np.uint16],
        depth: NDArray[np.float32] | None,
    ) -> Array:
        """(n, K, 3) image coordinates and visibility."""
        seen = camera.project(np.einsum("nij,nkj->nki", rotation, self._keypoints) + position[:, None])
        width, height = camera.size
        with np.errstate(invalid="ignore"):
            inside = (seen[..., 0] >= 0) & (seen[..., 0] < width) & (seen[..., 1] >= 0) & (seen[..., 1] < height)
        column, row = (np.where(inside, seen[..., i], 0).astype(np.int64) for i in (0, 1))
        own = instances[row, column] == np.arange(1, len(seen) + 1)[:, None]
        if depth is not None:
            there = depth[row, column]
            own |= (there == 0) | (there > seen[..., 2] * (1 - _FRONT))
        state = np.where(inside, np.where(own, 2.0, 1.0), 0.0)
        return np.concatenate([seen[..., :2], state[..., None]], axis=-1)

    def flow(
        self,
        geoms: NDArray[np.int32],
        depth: NDArray[np.float32],
        now: tuple[Camera, Poses],
        later: tuple[Camera, Poses],
    ) -> NDArray[np.float32]:
        """(H, W, 2) where what is seen at each pixel is in the next frame, in pixels from here; NaN where unknown."""
        (camera, (p, r)), (next_camera, (q, s)) = now, later
        at = np.nonzero(geoms >= 0)
        bodies = self._geom_bodies[geoms[at]]
        world = camera.to_world(camera.rays[at] * depth[at][:, None].astype(np.float64))
        own = np.einsum("nji,nj->ni", r[bodies], world - p[bodies])
        moved = np.einsum("nij,nj->ni", s[bodies], own) + q[bodies]
        out = np.full((*geoms.shape, 2), np.nan, dtype=np.float32)
        out[at] = next_camera.project(moved)[:, :2] - (np.stack(at[::-1], axis=1) + 0.5)
        return out


def _stacked(vertices: Sequence[Array]) -> Array:
    """(n, V, 3) the corners of the hulls of points (V_k, 3), filled up with the first; NaN where there are none."""
    corners = [hull_corners(v) for v in vertices]
    out = np.full((len(corners), max((len(c) for c in corners), default=0) or 1, 3), np.nan)
    for k, c in enumerate(corners):
        if len(c):
            out[k] = c[0]
            out[k, : len(c)] = c
    return out


def hull_corners(points: Array) -> Array:
    """Those of points (V, 3) that are corners of their hull; all of them where they are few or flat."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points) <= _FEW:
        return points
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


#: positions (nbody, 3) and rotations (nbody, 3, 3) of all bodies
Poses = tuple[Array, Array]


def poses(data: mujoco.MjData) -> Poses:
    """A copy of where all bodies are."""
    return data.xpos.copy(), data.xmat.reshape(-1, 3, 3).copy()


def tight_boxes(instances: NDArray[np.uint16], n: int) -> Array:
    """(n, 4) boxes around the pixels of each number 1..n in a mask (H, W); NaN where it has none."""
    from scipy.ndimage import find_objects

    boxes = np.full((n, 4), np.nan)
    for k, found in enumerate(find_objects(instances, max_label=n)):
        if found is not None:
            rows, columns = found
            boxes[k] = columns.start, rows.start, columns.stop, rows.stop
    return boxes


def in_view(boxes: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,) which boxes (n, 4) share area with the image; not those that are NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray((boxes[:, 0] < size[0]) & (boxes[:, 2] > 0) & (boxes[:, 1] < size[1]) & (boxes[:, 3] > 0))


def truncation(boxes: Array, size: tuple[int, int]) -> Array:
    """(n,) the part of each box's area (n, 4) that is outside the image; NaN where the box is."""
    inside = np.clip(boxes, 0, [*size, *size])

    def area(b: Array) -> Array:
        return np.asarray((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))

    whole = area(boxes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, 1 - area(inside) / whole, np.where(np.isnan(whole), np.nan, 0.0))


def _box(image: Array) -> Array:
    """(4,) the box around places (n, 2); NaN of none."""
    return np.concatenate([image.min(axis=0), image.max(axis=0)]) if len(image) else np.full(4, np.nan)


def bent_outline(points: Array) -> Array:
    """Points (n, 3) along the outline of a hull of points (V, 3) that are before the camera, in the camera's axes.

    A lens takes what is inside an outline to the inside of the outline's image, but not the corners of a hull to those
    of its image's hull. Steps along an edge are even in the direction from the camera, however far its ends are.
    """
    slopes = footprint(points[:, :2] / points[:, 2:])
    corners = np.column_stack([slopes, np.ones(len(slopes))])
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    part = np.arange(_ALONG)[:, None, None] / _ALONG
    return np.asarray(((1 - part) * corners + part * np.roll(corners, -1, axis=0)).reshape(-1, 3))


def hull_before(points: Array) -> Array:
    """Points whose hull is that part of the hull of points (V, 3), in a camera's axes, that is before the camera."""
    front = points[:, 2] > _NEAR
    a, b = points[front], points[~front]
    if not len(a):
        return np.zeros((0, 3))
    share = (a[:, None, 2] - _NEAR) / (a[:, None, 2] - b[None, :, 2])
    cut = a[:, None] + share[..., None] * (b[None] - a[:, None])
    cut[..., 2] = _NEAR
    return np.concatenate([a, cut.reshape(-1, 3)])
