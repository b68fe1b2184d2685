"""A world of upright rectangles that NumPy paints: its labels are known, and a thousand frames take no time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution, Point, Uniform
from simloop.frames import Camera, Category, Frame, Objects, Request
from simloop.parameters import Array, Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.trajectories import TrajectorySet
from simloop.worlds import Segments, World

CATEGORIES = (
    Category("box"),
    Category("tall box, 高い箱", keypoints=("top", "bottom"), skeleton=((0, 1),)),
    Category("wall", thing=False),
)
PARAMETERS = ParameterSpace([
    Parameter("count", 0, 6, 3, integer=True, kind="structure"),
    Parameter("size", 0.05, 0.5, 0.2, "m", scale="log", kind="structure"),
])  # fmt: skip
LOOK = ParameterSpace([Parameter("light", 0.2, 1.0, 1.0, kind="appearance")])
#: m, from the camera to the wall
WALL = 5.0


@dataclass(frozen=True)
class Painted(World):
    """Rectangles before a wall; each moves sideways over a sequence.

    Attributes:
        name: what it is called.
        pause: s that each photograph takes.
        dies: (index, file): the process that comes to frame `index` is killed, once, which `file` remembers; always
            where the file's name is empty.
        breaks: index of a frame at which the world fails.
    """

    name: str = "painted"
    pause: float = 0.0
    dies: tuple[int, str] | None = None
    breaks: int | None = None
    cameras: tuple[str, ...] = ("front", "hintere Kamera/奥")
    summary: str = "rectangles"
    edition: int = 1
    categories: tuple[Category, ...] = CATEGORIES
    parameters: ParameterSpace = PARAMETERS
    look: ParameterSpace = LOOK

    def looks(self) -> dict[str, Distribution]:
        return {"default": Point(self.look), "wide": Uniform(self.look, self.look.low, self.look.high)}

    def distributions(self) -> dict[str, Distribution]:
        space = self.parameters
        return {"default": Point(space), "wide": Uniform(space, space.low, space.high)}

    def versions(self) -> dict[str, str]:
        return {"brush": "1"}

    def content(self) -> str:
        return f"painted {self.edition}"

    def state(self, positions: Array, rates: Array) -> Array:
        raise NotImplementedError

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        raise NotImplementedError

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Frame]:
        asked = request or Request()
        for sequence in sequences:
            scene = sequence // asked.views
            row = (distribution or Point(self.parameters)).sample(1, stream(seed, "frames", "scene", scene))[0]
            light = (look or Point(self.look)).sample(1, stream(seed, "frames", "look", sequence))[0]
            for step in range(asked.length):
                for name in asked.cameras or self.cameras[:1]:
                    index = sequence * asked.length + step
                    self._trouble(index)
                    time.sleep(self.pause)
                    yield self._photograph(index, sequence, step, name, row, float(light[0]), scene, asked, seed)

    def _trouble(self, index: int) -> None:
        if self.dies and self.dies[0] == index:
            marker = self.dies[1]
            if not marker or not Path(marker).exists():
                if marker:
                    Path(marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if index == self.breaks:
            raise ZeroDivisionError("the brush broke")

    def _photograph(
        self,
        index: int,
        sequence: int,
        step: int,
        name: str,
        row: Array,
        light: float,
        scene: int,
        asked: Request,
        seed: int,
    ) -> Frame:
        back = name != self.cameras[0]
        camera = Camera.of_view(
            name, asked.size, 0.9, np.array([0.1 * back, 0.0, 0.0]), np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        )
        rng = stream(seed, "painted", scene)
        n = int(row[0])
        place = rng.uniform([-1.5, 1.5, -1.2], [1.5, 4.5, 1.2], (n, 3)) + [0.1, 0, 0] * np.full((n, 1), step)
        kinds = rng.integers(0, 2, n)
        sides = row[1] * rng.uniform(0.5, 2, (n, 1)) * np.where(kinds[:, None] == 1, [1, 0, 3], [1.5, 0, 1])
        colours = rng.integers(30, 256, (n + 1, 3))
        boxes = np.array([_box(camera, p, s) for p, s in zip(place, sides, strict=True)]).reshape(n, 4)
        mask, depth = _paint(asked.size, boxes, place[:, 1])
        rgb = (colours[mask] * light).astype(np.uint8)
        rgb[:, ::7] //= 2
        passes = asked.passes
        u = np.full((*mask.shape, 2), np.nan, dtype=np.float32)
        if step + 1 < asked.length:
            moves = np.array([0.0, *(0.1 * camera.intrinsics[0, 0] / place[:, 1])])
            u[..., 0], u[..., 1] = moves[mask], 0
        return Frame(
            index=index, sequence=sequence, step=step, time=step / asked.rate, camera=camera,
            categories=self.categories, rgb=rgb, objects=_labels(camera, boxes, mask, place, sides, kinds),
            parameters={"count": float(n), "size": float(row[1]), "light": light},
            depth=depth if "depth" in passes else None,
            instances=mask.astype(np.uint16) if "instances" in passes else None,
            normals=np.broadcast_to(np.float32([0, 0, -1]), (*mask.shape, 3)).copy() if "normals" in passes else None,
            flow=u if "flow" in passes else None,
            values={"mean colour": float(rgb.mean())},
        )  # fmt: skip


def _box(camera: Camera, place: Array, sides: Array) -> Array:
    """(u0, v0, u1, v1) of an upright rectangle around a place, to whole pixels."""
    corners = camera.project(np.array([place - sides / 2, place + sides / 2]))[:, :2]
    low, high = np.sort(corners, axis=0)
    return np.array([*np.floor(low), *np.ceil(high)])


def _paint(size: tuple[int, int], boxes: Array, depths: Array) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(H, W) numbers of what is seen, and how far it is, m."""
    width, height = size
    mask, depth = np.zeros((height, width), dtype=np.int64), np.full((height, width), WALL, dtype=np.float32)
    for k in np.argsort(-depths):
        u0, v0, u1, v1 = np.clip(boxes[k], 0, [width, height, width, height]).astype(int)
        mask[v0:v1, u0:u1], depth[v0:v1, u0:u1] = k + 1, depths[k]
    return mask, depth


def _labels(
    camera: Camera, boxes: Array, mask: NDArray[np.int64], place: Array, sides: Array, kinds: NDArray[np.int64]
) -> Objects:
    """What is known of each rectangle."""
    n, (width, height) = len(boxes), camera.size
    inside = np.clip(boxes, 0, [width, height, width, height])
    area, within = (((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])) for b in (boxes, inside))
    pixels = np.bincount(mask.reshape(-1), minlength=n + 1)[1:]
    tight = np.full((n, 4), np.nan)
    points = np.full((n, 2, 3), np.nan)
    points[:, :, 2] = 0
    for k in range(n):
        v, u = np.nonzero(mask == k + 1)
        if len(u):
            tight[k] = u.min(), v.min(), u.max() + 1, v.max() + 1
        if kinds[k] == 1:
            ends = place[k] + np.array([[0, 0, 0.5], [0, 0, -0.5]]) * sides[k]
            points[k, :, :2] = camera.project(ends)[:, :2]
            seen = (points[k, :, :2] >= 0).all(axis=1) & (points[k, :, :2] < camera.size).all(axis=1)
            points[k, :, 2] = 2 * seen
    with np.errstate(invalid="ignore", divide="ignore"):
        return Objects(
            ids=np.arange(1, n + 1), categories=kinds.astype(np.int64),
            names=tuple(f"{CATEGORIES[c].name} {k}" for k, c in enumerate(kinds)),
            boxes=tight, amodal=boxes, truncation=1 - within / area, pixels=pixels,
            visible=np.where(within > 0, pixels / within, np.nan),
            poses=np.hstack([place, np.tile([1.0, 0, 0, 0], (n, 1))]), centres=np.zeros((n, 3)), sizes=sides,
            keypoints=points,
        )  # fmt: skip
