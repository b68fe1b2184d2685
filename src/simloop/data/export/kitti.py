"""KITTI: a text file for each image with 2-D and 3-D boxes (the object benchmark's devkit; Geiger et al., 2012).

A line is: type, truncated, occluded, alpha, box (left, top, right, bottom), height, width, length, location (x, y, z),
rotation_y.

- Places in the image are pixel indices from 0, at the pixels' centres: 0.5 less than image coordinates, in P2 and in
  boxes. A box's ends are places, not pixels: the devkit takes right - left for its width, and P2 projects the 3-D box
  into it. Boxes are cut to the first and the last pixel's centre, as KITTI's own are (0 to width - 1). They are around
  the whole object, hidden or not; `boxes=visible` gives those around what is seen.
- Location is the middle of the 3-D box's bottom, m, in the camera's axes (right, down, forward); rotation_y turns about
  the axis down, and is 0 where the object's length points right.
- A box of KITTI stands upright in the camera's axes: of an object that is tilted against them only the turn about the
  axis down is kept, and its height is the side that is nearest to upright. With `level=true` labels are in axes that
  are level in the world instead, at the camera's place, and P2 holds the camera's tilt; readers that take P2 for a
  focal length and a centre alone then misread it.
- Occluded is 0 from a visible fraction of 0.9 on, 1 from 0.5 on, else 2; 3 where it is not known.
- A lens's distortion is not kept.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from simloop.data.export.format import Format, Source, seen_things, shots
from simloop.errors import DataWarning, count
from simloop.frames import Camera, Category, Frame, Objects
from simloop.parameters import Array
from simloop.progress import Progress

#: rad; an object that is tilted more is counted in the warning
TILTED = np.radians(2.0)
#: from the axes of KITTI's laser scanner (forward, left, up) to the camera's; we have none, and readers ask for it
_SCANNER = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])


@dataclass(frozen=True)
class Kitti(Format):
    """KITTI object labels.

    Attributes:
        boxes: 2-D boxes around the whole object inside the image, or around its visible pixels.
        level: whether 3-D boxes are in axes that are level in the world.
    """

    name: ClassVar[str] = "kitti"
    summary: ClassVar[str] = "a text file for each image with 2-D and upright 3-D boxes, and the camera"

    boxes: Literal["amodal", "visible"] = "amodal"
    level: bool = False

    def write(self, source: Source, folder: Path, progress: Progress) -> dict[str, Any]:
        parts = {name: folder / "training" / name for name in ("image_2", "label_2", "calib")}
        for part in (*parts.values(), folder / "ImageSets"):
            part.mkdir(parents=True)
        types = type_names(source.categories)
        names = "".join(f"{types[k]} {c.name}\n" for k, c in enumerate(source.categories) if c.thing)
        (folder / "types.txt").write_text(names, encoding="utf-8")
        objects, tilted, most, distorted = 0, 0, 0.0, False
        with open(folder / "ImageSets" / "train.txt", "w") as listed:
            for shot in shots(source, progress, self.name):
                number = f"{shot.place:06d}"
                lines, tilt = self.lines(shot.frame, types)
                (parts["label_2"] / f"{number}.txt").write_text("".join(lines), encoding="utf-8")
                (parts["calib"] / f"{number}.txt").write_text(self.calibration(shot.frame.camera))
                shot.write_png(parts["image_2"] / f"{number}.png")
                listed.write(f"{number}\n")
                objects += len(lines)
                tilted += bool((tilt > TILTED).any())
                most = max(most, float(tilt.max(initial=0.0)))
                distorted = distorted or not shot.frame.camera.straight
        self._warn(source, tilted, most, distorted)
        return {"frames": source.count, "objects": objects, "frames with tilted objects": tilted}

    def _warn(self, source: Source, tilted: int, most: float, distorted: bool) -> None:
        """Say what was lost: the tilt in `tilted` frames, by up to `most` rad; a lens's distortion."""
        if tilted:
            way = "" if self.level else "; --option level=true keeps what is upright in the world"
            warnings.warn(
                f"{source.name}: in {count(tilted, 'frame')} of {source.count} an object is tilted against KITTI's"
                f" upright boxes (by up to {np.degrees(most):.0f} degrees), which keep its turn alone{way}",
                DataWarning,
                stacklevel=3,
            )
        if distorted:
            warnings.warn(f"{source.name}: KITTI has no lens distortion; it is lost", DataWarning, stacklevel=3)

    def lines(self, frame: Frame, types: dict[int, str]) -> tuple[list[str], Array]:
        """The lines of one image, and how far each object is from upright, (n,) rad."""
        objects = seen_things(frame)
        whole = np.where(np.isfinite(objects.amodal), objects.amodal, objects.boxes)
        boxes = in_indices(whole if self.boxes == "amodal" else objects.boxes, frame.camera.size)
        place, turn, sides, tilt = upright(objects, *self.axes(frame.camera))
        lines = []
        for i in range(len(objects)):
            alpha = _wrapped(turn[i] - np.arctan2(place[i, 0], place[i, 2]))
            numbers = [alpha, *boxes[i], *sides[i], *place[i], turn[i]]
            lines.append(
                f"{types[int(objects.categories[i])]} {objects.truncation[i]:.4f} {occlusion(objects.visible[i])} "
                + " ".join(f"{x:.4f}" for x in numbers)
                + "\n"
            )
        return lines, tilt

    def axes(self, camera: Camera) -> tuple[Array, Array]:
        """Origin (3,) and rotation (3, 3) to the world of the axes that 3-D boxes are in."""
        return camera.position, level_axes(camera.rotation) if self.level else camera.rotation

    def calibration(self, camera: Camera) -> str:
        """The calibration file of an image."""
        intrinsics = camera.intrinsics.copy()
        intrinsics[:2, 2] -= 0.5
        own = intrinsics @ camera.rotation.T @ self.axes(camera)[1]
        projection = np.concatenate([own, np.zeros((3, 1))], axis=1)
        rows = {f"P{k}": projection for k in range(4)}
        rows |= {"R0_rect": np.eye(3), "Tr_velo_to_cam": _SCANNER, "Tr_imu_to_velo": np.eye(3, 4)}
        return "".join(f"{name}: {' '.join(f'{x:.12e}' for x in m.ravel())}\n" for name, m in rows.items())


def in_indices(boxes: Array, size: tuple[int, int]) -> Array:
    """Boxes (n, 4) of image coordinates in pixel indices, cut to the first and last pixels' centres."""
    width, height = size
    return np.clip(boxes - 0.5, 0, [width - 1, height - 1, width - 1, height - 1])


def upright(objects: Objects, origin: Array, axes: Array) -> tuple[Array, Array, Array, Array]:
    """Oriented boxes as boxes that stand upright in given axes, whose second points down.

    Args:
        objects: n of them.
        origin: (3,) where the axes are in the world, m.
        axes: (3, 3) from them to the world's.

    Returns:
        (n, 3) middle of the bottom, (n,) rotation_y, (n, 3) height, width, length, and (n,) how far the upright side
        is from upright, rad.
    """
    rotation = _rotations(objects.poses[:, 3:])
    middle = objects.poses[:, :3] + np.einsum("nij,nj->ni", rotation, objects.centres)
    place = (middle - origin) @ axes
    own = np.einsum("ji,njk->nik", axes, rotation)  # columns: the object's axes
    up = np.abs(own[:, 1]).argmax(axis=1)
    along = np.where(up == 0, 1, 0)
    across = 3 - up - along
    n = np.arange(len(objects))
    sides = np.stack([objects.sizes[n, k] for k in (up, across, along)], axis=1)
    place[:, 1] += sides[:, 0] / 2
    turn = np.arctan2(-own[n, 2, along], own[n, 0, along])
    tilt = np.arccos(np.clip(np.abs(own[n, 1, up]), 0, 1))
    return place, turn, sides, tilt


def level_axes(rotation: Array) -> Array:
    """(3, 3) axes that are level in the world, from a camera's: forward is where it looks, or its top if it looks
    straight down or up."""
    forward = rotation[:, 2] * [1, 1, 0]
    if np.linalg.norm(forward) < 1e-6:
        forward = -rotation[:, 1] * [1, 1, 0]
    forward = forward / np.linalg.norm(forward)
    down = np.array([0.0, 0.0, -1.0])
    return np.stack([np.cross(down, forward), down, forward], axis=1)


def occlusion(visible: float) -> int:
    """KITTI's level of occlusion: 0 fully visible, 1 partly, 2 largely hidden, 3 unknown."""
    return 3 if np.isnan(visible) else 0 if visible >= 0.9 else 1 if visible >= 0.5 else 2


def type_names(categories: tuple[Category, ...]) -> dict[int, str]:
    """Names without blanks, which separate KITTI's columns, and different from each other."""
    names: dict[int, str] = {}
    for k, category in enumerate(categories):
        name = "_".join(category.name.split()) or "_"
        while name in names.values():
            name += "_"
        names[k] = name
    return names


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _rotations(q: Array) -> Array:
    """(n, 3, 3) of quaternions (n, 4), w first."""
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
