"""A contact sheet: photographs with their boxes, depth in false colours, and masks, side by side.

Each photograph is a column of its images, all at the same scale; columns fill rows. Depth runs from blue (near) to red
(far) over what is seen in the image, nothing is black. An instance has the same colour in its mask and its box.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.frames import Frame
from simloop.runs import write_aside

#: pixels, a small image is enlarged to about this width
_WIDTH = 192
_GAP = 4
#: pixels, the most that a sheet is wide
_WIDEST = 1600
_PAPER = (255, 255, 255)
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

Picture = NDArray[np.uint8]


def write_sheet(path: Path, frames: Iterable[Frame]) -> tuple[int, int]:
    """Write the contact sheet of some photographs; return its size, (width, height) pixels."""
    return write_pictures(path, [_column(f) for f in frames])


def write_pictures(path: Path, columns: Sequence[Sequence[Picture]]) -> tuple[int, int]:
    """Write columns of pictures side by side on one sheet; return its size, (width, height) pixels."""
    form = check_sheet(path)
    from PIL import Image

    sheet = Image.fromarray(_sheet(columns))
    with write_aside(path) as file:
        sheet.save(file, format=form)
    return sheet.size


def check_sheet(path: Path) -> str:
    """Return Pillow's name for the format of a file's name, or raise."""
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: the name of a sheet ends in {', '.join(_FORMATS)}")
    return _FORMATS[path.suffix.lower()]


def _column(frame: Frame) -> list[Picture]:
    """The pictures of one photograph, enlarged."""
    times = max(1, round(_WIDTH / frame.camera.size[0]))
    pictures = [_boxed(_enlarged(frame.rgb, times), frame, times)]
    if frame.depth is not None:
        pictures.append(_enlarged(false_colours(frame.depth), times))
    if frame.instances is not None:
        pictures.append(_enlarged(_colours(int(frame.instances.max(initial=0)))[frame.instances], times))
    if frame.normals is not None:
        seen = frame.normals.any(axis=2, keepdims=True)
        pictures.append(_enlarged((seen * (frame.normals * [1, -1, -1] + 1) * 127.5).astype(np.uint8), times))
    if frame.flow is not None:
        pictures.append(_enlarged(_flow_colours(frame.flow), times))
    return pictures


def _enlarged(image: NDArray[Any], times: int) -> Picture:
    return np.repeat(np.repeat(image, times, axis=0), times, axis=1)


def _boxed(image: Picture, frame: Frame, times: int) -> Picture:
    """An image with the tight boxes of its visible things."""
    from PIL import Image, ImageDraw

    drawn = Image.fromarray(np.ascontiguousarray(image))
    pen = ImageDraw.Draw(drawn)
    things = frame.things
    things = things.take(things.seen)
    colours = _colours(int(things.ids.max(initial=0)))
    for number, (u0, v0, u1, v1) in zip(things.ids, things.boxes * times, strict=True):
        pen.rectangle((u0, v0, u1 - 1, v1 - 1), outline=tuple(colours[number].tolist()))
    return np.asarray(drawn)


def false_colours(depth: NDArray[np.float32]) -> Picture:
    """(H, W) m as colours (H, W, 3): blue is near, red far, over the depths of the image; black is nothing."""
    from matplotlib import colormaps

    known = depth > 0
    low, high = (depth[known].min(), depth[known].max()) if known.any() else (0, 1)
    scaled = (depth - low) / max(high - low, 1e-9)
    colours = (colormaps["turbo"](scaled)[..., :3] * 255).astype(np.uint8)
    colours[~known] = 0
    return np.asarray(colours)


def _colours(most: int) -> Picture:
    """(most + 1, 3) a colour for each number in a mask: black for 0, neighbours far apart."""
    rows = [
        colorsys.hsv_to_rgb(0.618034 * k % 1, 0.55 + 0.45 * (k % 2), 1 - 0.35 * (k % 3) / 2) for k in range(most + 1)
    ]
    colours = (np.array(rows) * 255).astype(np.uint8)
    colours[0] = 0
    return colours


def _flow_colours(flow: NDArray[np.float32]) -> Picture:
    """(H, W, 2) pixels as colours: the hue is the direction, how far is how bright."""
    from matplotlib.colors import hsv_to_rgb

    known = np.isfinite(flow).all(axis=2)
    u, v = np.where(known, flow[..., 0], 0), np.where(known, flow[..., 1], 0)
    far = np.hypot(u, v)
    hue = np.arctan2(v, u) / (2 * np.pi) % 1
    return np.asarray(
        hsv_to_rgb(np.stack([hue, np.ones_like(hue), far / max(far.max(), 1e-9)], axis=-1)) * 255, dtype=np.uint8
    )


def _sheet(columns: Sequence[Sequence[Picture]]) -> Picture:
    """Columns of pictures side by side, in as many rows as they need."""
    heights = [sum(p.shape[0] + _GAP for p in c) for c in columns]
    width, height = max(c[0].shape[1] for c in columns) + _GAP, max(heights)
    across = max(1, min(len(columns), _WIDEST // width))
    down = -(-len(columns) // across)
    sheet = np.full((down * (height + _GAP) + _GAP, across * width + _GAP, 3), _PAPER, dtype=np.uint8)
    for k, column in enumerate(columns):
        top, left = k // across * (height + _GAP) + _GAP, k % across * width + _GAP
        for picture in column:
            h, w = picture.shape[:2]
            sheet[top : top + h, left : left + w] = picture
            top += h + _GAP
    return sheet
