"""Images as they lie in a folder, before anyone has looked into them, and which of them can be read.

    listed = Listed(files, {"steering": angles}, skipped)
    listed, size = listed.readable()                 # damaged images and those of another shape are left out, and named

An image is a file, or a row of a Parquet file that holds images: its path then ends in the row's number, as
`file-000.parquet[12]`.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.target import file_of, short_name

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
#: sizes whose shapes differ by less than this part are one size, drawn larger or smaller
_SAME_SHAPE = 0.02
#: the tag of EXIF that says how a camera was held: from 5 on, on its side
_ORIENTATION = 0x0112
#: what is skipped: a file, and one sentence that says why
Skipped = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Listed:
    """Images in their order.

    Attributes:
        files: (n,) where they are.
        labels: (n,) for each label, NaN where it is missing.
        skipped: what was left out, and one sentence why.
        column: of a Parquet file that holds images, where they are in one.
    """

    files: tuple[Path, ...]
    labels: Mapping[str, Array]
    skipped: Skipped = field(default=())
    column: str = ""

    def take(self, index: NDArray[Any], skipped: Sequence[tuple[str, str]] = ()) -> Listed:
        """Some of them, in the order of `index`."""
        return Listed(
            tuple(np.array(self.files, dtype=object)[index]),
            {k: v[index] for k, v in self.labels.items()},
            (*self.skipped, *skipped),
            self.column,
        )

    def readable(self) -> tuple[Listed, tuple[int, int]]:
        """Those that can be decoded to their end and have the shape of most, and the size (width, height) of most."""
        sizes: list[tuple[int, int] | None] = []
        skipped = []
        for file in self.files:
            try:
                sizes.append(_size_if_whole(content_of(file, self.column)))
            except (OSError, ValueError, SyntaxError) as error:
                sizes.append(None)
                skipped.append((short_name(str(file)), f"not a whole image ({_reason(error)})"))
        known = Counter(s for s in sizes if s is not None)
        if not known:
            return self.take(np.zeros(0, dtype=int), skipped), (0, 0)
        most = max(known, key=lambda s: (known[s], s))
        keep = []
        for i, size in enumerate(sizes):
            if size is None:
                continue
            if abs(size[0] * most[1] / (size[1] * most[0]) - 1) < _SAME_SHAPE:
                keep.append(i)
                continue
            shape = f"{size[0]}x{size[1]} pixels, another shape than most, which have {most[0]}x{most[1]}"
            skipped.append((short_name(str(self.files[i])), shape))
        return self.take(np.array(keep, dtype=int), skipped), most


def content_of(file: Path, column: str = "") -> bytes:
    """The bytes of an image: of its file, or of a row of a Parquet file."""
    if not column:
        return file.read_bytes()
    table = Path(file_of(str(file)))
    row = int(str(file).rsplit("[", 1)[1].rstrip("]"))
    cell = _embedded(table, column, table.stat().st_mtime_ns)[row].as_py()
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not content:
        raise ValueError("its row holds no image")
    return bytes(content)


@lru_cache(maxsize=4)
def _embedded(table: Path, column: str, _changed: int) -> Any:
    """The images in a column of a Parquet file."""
    import pyarrow.parquet as pq

    return pq.read_table(table, columns=[column]).column(0)


def decoded(content: bytes) -> Image.Image:
    """An image as RGB, turned upright as its camera says: grey is repeated, an alpha channel is left out.

    Raises:
        OSError, ValueError, SyntaxError: if it is not a whole image.
    """
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as image:
        image.load()
        if image.mode.startswith("I") or image.mode == "F":  # 16 bits: the upper eight
            values = np.asarray(image, dtype=float)
            scale = 1 / 256 if values.max(initial=0) > 255 else 1
            return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8)).convert("RGB")
        return ImageOps.exif_transpose(image).convert("RGB")


def _size_if_whole(content: bytes) -> tuple[int, int]:
    """The size (width, height) of an image that can be read to its end; raises as `decoded` does."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        lying = image.getexif().get(_ORIENTATION, 1) >= 5
        image.draft("RGB", (width // 8, height // 8))  # all of a JPEG is still read, in a fifth of the time
        image.load()
    return (height, width) if lying else (width, height)


def _reason(error: Exception) -> str:
    """What Pillow says, without the address of an object."""
    if "cannot identify" in str(error):
        return "of no kind that is known"
    if "truncated" in str(error).lower():
        return "it is cut short"
    return getattr(error, "strerror", None) or str(error)


def natural(path: Path | str) -> tuple[tuple[int, int, str], ...]:
    """The key that sorts names by the numbers in them: 2_cam.jpg stands before 10_cam.jpg."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts if p)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, by the numbers in their names; of the folders below it where it has none itself."""
    for found in (folder.iterdir(), folder.rglob("*")):
        files = [p for p in found if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]
        if files:
            return sorted(files, key=lambda p: natural(p.relative_to(folder)))
    return []


def steering(value: object, where: str) -> float:
    """A steering angle in [-1, 1] as a record holds it; NaN where it holds none.

    Raises:
        InputError: if it is no number or outside, in one sentence.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan", "none", "null")):
        return float("nan")
    if isinstance(value, bool):
        raise InputError(f"{where}: expected an angle, got {value!r}")
    try:
        angle = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected an angle, got {str(value)[:40]!r}") from None
    if abs(angle) > 1 + 1e-6:  # also infinite; NaN compares as False
        raise InputError(f"{where}: the angle {angle:g} is beyond -1 to 1")
    return min(max(angle, -1.0), 1.0) if angle == angle else angle
