"""Textures made by program, and images from a folder: what surfaces wear when their looks are randomised.

    picture = texture("noise", 128, stream(7, "texture", 3), first=(0.8, 0.2, 0.2), second=(0.2, 0.2, 0.8), scale=4)

All but images are seamless: laid side by side, no edge shows.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from simloop.errors import DataWarning, InputError, count, unknown

Kind = Literal["flat", "gradient", "checker", "stripes", "noise"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Float32 = NDArray[np.float32]
Picture = NDArray[np.uint8]

#: what is taken for an image, by its name
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
#: side that images of a folder are kept at, pixels; how many are taken of a folder, so that memory stays flat
_KEPT, _MOST = 128, 2000


def texture(
    kind: str,
    n: int,
    rng: np.random.Generator,
    *,
    first: Sequence[float],
    second: Sequence[float],
    scale: float = 4.0,
    contrast: float = 1.0,
) -> Picture:
    """A texture (n, n, 3).

    Args:
        kind: one of `KINDS`.
        n: pixels along a side.
        rng: decides directions, edges and clouds.
        first: a colour, red, green and blue from 0 to 1.
        second: another.
        scale: how many times a pattern repeats along a side, about; at least 1.
        contrast: 0 shows the first colour alone, 1 both in full.
    """
    mix = contrast * pattern(kind, n, rng, scale=scale)[..., None]
    a, b = (np.asarray(c, dtype=np.float32) for c in (first, second))
    return (255 * np.clip(a + mix * (b - a), 0, 1) + 0.5).astype(np.uint8)


def pattern(kind: str, n: int, rng: np.random.Generator, *, scale: float) -> Float32:
    """(n, n) how much of the second colour there is, from 0 to 1."""
    if kind not in KINDS:
        raise unknown("kind of texture", kind, KINDS)
    if kind == "flat":
        return np.zeros((n, n), dtype=np.float32)
    if kind == "noise":
        return _noise(n, rng, scale)
    repeats = max(1, round(min(scale, n / 4)))
    if kind == "checker":
        x = _waves(n, rng, (repeats, 0))
        return np.asarray(np.where((x < 0.5) ^ (x.T < 0.5), 1, 0), dtype=np.float32)
    if kind == "gradient":  # there and back again, so that its ends meet
        x = _waves(n, rng, ((1, 0), (0, 1), (1, 1))[rng.integers(3)])
        return np.asarray(1 - np.abs(2 * x - 1), dtype=np.float32)
    angle = rng.uniform(0, np.pi)
    waves = (round(repeats * np.cos(angle)), round(repeats * np.sin(angle)))
    return np.asarray(_waves(n, rng, waves if any(waves) else (repeats, 0)) < rng.uniform(0.25, 0.75), np.float32)


def _waves(n: int, rng: np.random.Generator, waves: tuple[int, int]) -> Float32:
    """(n, n) from 0 to 1 and again, so many times along each side; whole numbers of times make it seamless."""
    at = ((np.arange(n) + 0.5) / n).astype(np.float32)
    return np.asarray((waves[0] * at + waves[1] * at[:, None] + np.float32(rng.random())) % 1, dtype=np.float32)


def _noise(n: int, rng: np.random.Generator, scale: float, octaves: int = 5) -> Float32:
    """Value noise (n, n): random numbers on a grid, smoothly joined; each octave twice as fine and half as strong."""
    total, strength = np.zeros((n, n), dtype=np.float32), 1.0
    cells = max(1, round(scale))
    for _ in range(octaves):
        if cells > n // 2:
            break
        grid = rng.random((cells, cells), dtype=np.float32)
        at = np.arange(n) * cells / n
        i = at.astype(np.int64)
        f = (at - i).astype(np.float32)
        f = f * f * (3 - 2 * f)
        rows = grid[i] * (1 - f[:, None]) + grid[(i + 1) % cells] * f[:, None]
        total += np.float32(strength) * (rows[:, i] * (1 - f) + rows[:, (i + 1) % cells] * f)
        cells, strength = 2 * cells, strength / 2
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


class Images:
    """The images of a folder, for surfaces to wear; those that cannot be read are named in a warning and left out.

    Args:
        folder: holds images (PNG, JPEG, BMP, WebP, TIFF); its subfolders are searched too.

    Raises:
        InputError: there is no such folder, or no image in it that can be read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder; expected the images for textures (has it moved? --textures)")
        files = sorted(p for p in self.folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not files:
            raise InputError(f"{folder}: no images in this folder (looked for {', '.join(SUFFIXES)})")
        if len(files) > _MOST:
            warnings.warn(
                DataWarning(f"{folder}: {len(files)} images; the first {_MOST} by name are used"), stacklevel=2
            )
        kept, broken = [], []
        for file in files[:_MOST]:
            picture = _read(file)
            if picture is None:
                broken.append(str(file.relative_to(self.folder)))
            else:
                kept.append(picture)
        named = ", ".join(broken[:5]) + (f" and {len(broken) - 5} more" if len(broken) > 5 else "")
        if not kept:
            raise InputError(f"{folder}: no image in this folder can be read: {named}")
        if broken:
            warnings.warn(
                DataWarning(f"{folder}: {count(len(broken), 'image')} cannot be read and left out: {named}"),
                stacklevel=2,
            )
        self.pictures = np.stack(kept)

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of what the images show."""
        return hashlib.sha256(self.pictures.tobytes()).hexdigest()[:16]

    def texture(self, n: int, rng: np.random.Generator) -> Picture:
        """One of the images as (n, n, 3): turned by a quarter any number of times, mirrored or not."""
        picture = np.rot90(self.pictures[rng.integers(len(self))], int(rng.integers(4)))
        picture = picture[:, ::-1] if rng.random() < 0.5 else picture
        places = (np.arange(n) + 0.5) * _KEPT / n
        at = places.astype(np.int64)
        return np.ascontiguousarray(picture[at][:, at])


def _read(file: Path) -> Picture | None:
    """The middle square of an image, (kept, kept, 3); None where it cannot be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd but readable is no concern here
            with Image.open(file) as image:
                image.draft("RGB", (2 * _KEPT, 2 * _KEPT))  # JPEG alone: decode no larger than needed
                side = min(image.size)
                left, top = (image.width - side) // 2, (image.height - side) // 2
                square = image.convert("RGB").crop((left, top, left + side, top + side))
                return np.asarray(square.resize((_KEPT, _KEPT), Image.Resampling.BOX), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None
