"""Images as a target: frames of a real camera, labelled or not.

    frames = image_set("donkeycar-tub/test")             # a name of the catalogue
    frames = image_set("my-tub")                         # a Donkeycar tub, or a folder of images with or without a CSV
    frames = image_set("lerobot", columns="map.yaml")    # anything with a table, by a column map
    frames.read(size=(80, 60))                           # (n, 60, 80, 3) uint8
    frames.labels["steering"]                            # (n,) NaN where there is none

The label `steering` runs from -1, full lock to the left, to 1, full lock to the right, as Donkeycar has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.columns import Provenance
from simloop.errors import InputError, count, did_you_mean
from simloop.parameters import Array
from simloop.targets import catalogue
from simloop.targets.catalogue import Entry
from simloop.targets.listing import Listed, Skipped, content_of, decoded

if TYPE_CHECKING:
    from simloop.targets.image_columns import ImageColumns

#: the label that a car's frames have: -1 is full lock to the left, 1 full lock to the right
STEERING = "steering"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Frames in the order in which they were taken.

    Attributes:
        name: what they were asked for by.
        files: (n,) where they are; a row of a Parquet file that holds images is `file.parquet[row]`.
        labels: (n,) for each label, NaN where a frame has none.
        provenance: real recordings, unless their owner says otherwise.
        description: what they are of.
        source, licence: of those of the catalogue.
        skipped: frames that were left out, each with one sentence that says why.
        size: (width, height) pixels of most of them; the others are brought to it when they are read.
        column: of the Parquet files that hold them, where they are in such.
    """

    name: str
    files: tuple[Path, ...]
    labels: Mapping[str, Array]
    provenance: Provenance
    description: str
    source: str
    licence: str
    skipped: Skipped
    size: tuple[int, int] = (0, 0)
    column: str = field(default="", repr=False)

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: ArrayLike | slice | None = None, *, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The frames (m, H, W, 3) RGB.

        Args:
            index: which: whole numbers, truth values or a slice; None: all.
            size: (width, height) to bring them to, by averaging areas; None: their own.
        """
        files = np.array(self.files, dtype=object)[self._places(index)]
        width, height = size or self.size
        out = np.empty((len(files), height, width, 3), dtype=np.uint8)
        for k, file in enumerate(files):
            out[k] = self._picture(file, (width, height))
        return out

    def _picture(self, file: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
        from PIL import Image

        try:
            image = decoded(content_of(file, self.column))
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{file}: cannot be read any more ({error})") from None
        return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BOX))

    def take(self, index: ArrayLike | slice) -> ImageSet:
        """Some of the frames, in the order of `index`."""
        places = self._places(index)
        return replace(
            self,
            files=tuple(np.array(self.files, dtype=object)[places]),
            labels={k: v[places] for k, v in self.labels.items()},
        )

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) which frames have the label `steering`."""
        return np.isfinite(self.labels.get(STEERING, np.full(len(self), np.nan)))

    def hash(self) -> str:
        """Sixteen hex digits that name what is in the frames, their order and their labels."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(content_of(file, self.column)).digest())
        for name in sorted(self.labels):
            digest.update(name.encode() + np.asarray(self.labels[name], dtype="<f8").tobytes())
        return digest.hexdigest()[:16]

    def _places(self, index: ArrayLike | slice | None) -> NDArray[np.int64]:
        every = np.arange(len(self))
        if index is None:
            return every
        chosen = index if isinstance(index, slice) else np.asarray(index)
        if not isinstance(chosen, slice) and chosen.size == 0:
            return every[:0]
        return np.atleast_1d(every[chosen])


def image_set(name: str | Path, *, columns: ImageColumns | str | Path | None = None) -> ImageSet:
    """Return the frames that `name` means.

    Args:
        name: an entry of the catalogue ("donkeycar-tub") or a part of it ("donkeycar-tub/test"); a Donkeycar tub
            (catalogs with a manifest, or the older record_*.json); a folder of images, where a CSV of angles may lie.
        columns: for any other folder with a table (LeRobot, comma): which columns hold what, or the YAML file that
            says it.

    Raises:
        InputError: in one sentence, if there is no such folder, no image in it, or its angles cannot be taken.
    """
    found = in_catalogue(str(name))
    if found is not None:
        if columns is not None:
            raise InputError(f"{str(name)!r} is read without a column map")
        return _published(str(name), *found)
    folder = Path(name)
    if columns is not None:
        from simloop.targets.image_columns import ImageColumns

        read = columns if isinstance(columns, ImageColumns) else ImageColumns.from_file(columns)
        return _owned(str(name), folder, read.listed(folder), read.provenance)
    return _owned(str(name), folder, _listed(folder), "real recordings")


def means_images(name: str) -> bool:
    """Whether a target's name means images and not recordings of motion: a tub, a folder of them, ..."""
    from simloop.targets.listing import images_in
    from simloop.targets.tub import is_tub

    folder = Path(name)
    if name.strip() and folder.is_dir():
        if is_tub(folder):
            return True
        own = images_in(folder)
        if own and own[0].parent == folder:
            return True
    entry = catalogue.entries().get(name.partition("/")[0])
    return entry is not None and entry.images


def in_catalogue(name: str) -> tuple[Entry, str] | None:
    """The entry and the part that a name means, "all" where it says none; None where it means a folder.

    A folder of the same name is `./donkeycar-tub` or `donkeycar-tub/`.
    """
    if not name.strip():
        raise InputError("the name of the images is empty; give a folder, or a name of 'simloop targets'")
    here = Path(name).exists()
    entry = catalogue.entries().get(name.removesuffix("/"))
    if here and (name.endswith("/") or (entry is not None and not entry.images)):
        return None
    found = (entry, "all") if entry is not None else catalogue.find(name)
    if found is not None and not found[0].images:
        raise InputError(f"{name!r} are no images but recordings of {found[0].machine}; 'simloop gap' reads them")
    return found


def _published(name: str, entry: Entry, split: str) -> ImageSet:
    """Frames of the catalogue, which are whole where their hashes are those published."""
    from simloop.targets.tub import read_tub

    if not entry.present(split):
        raise InputError(
            f"the images {name!r} are not on this machine (looked in {entry.folder}): run 'simloop data get"
            f" {entry.name}', or set SIMLOOP_DATA"
        )
    catalogue.check(entry, split)
    listed = read_tub(entry.folder)
    part = entry.splits[split]
    published = set(entry.names)
    own = np.array([str(f.relative_to(entry.folder)) in published for f in listed.files])
    listed = listed.take(np.flatnonzero(own)[slice(None) if part.episodes is None else part.episodes])
    size = decoded(content_of(listed.files[0])).size
    return ImageSet(name, listed.files, listed.labels, "real recordings", part.machine or entry.machine, entry.source,
                    entry.licence, (), size)  # fmt: skip


def _listed(folder: Path) -> Listed:
    """What lies in someone's own folder."""
    from simloop.targets.image_folder import read_folder
    from simloop.targets.tub import is_tub, read_tub

    if not folder.is_dir():
        if folder.is_file():
            raise InputError(f"{folder}: is a file; give a folder of images or a Donkeycar tub")
        near = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
        entries = [e for e in catalogue.entries().values() if e.images]
        names = [*(e.name for e in entries), *(f"{e.name}/{s}" for e in entries for s in e.splits)]
        hint = did_you_mean(folder.name, near) or did_you_mean(str(folder), names)
        raise InputError(f"{folder}: no such folder, and no images of the catalogue{hint}")
    if (folder / "dataset.json").exists():
        raise InputError(f"{folder}: a dataset of 'simloop generate'; what is real is expected here")
    if is_tub(folder):
        return read_tub(folder)
    tubs = sorted(p.name for p in folder.iterdir() if p.is_dir() and is_tub(p))
    if tubs:
        raise InputError(f"{folder}: holds {count(len(tubs), 'Donkeycar tub')} ({', '.join(tubs[:4])}); give one")
    return read_folder(folder)


def _owned(name: str, folder: Path, listed: Listed, provenance: Provenance) -> ImageSet:
    """Someone's own frames, those that can be read."""
    listed, size = listed.readable()
    if not listed.files:
        why = f": {listed.skipped[0][0]}: {listed.skipped[0][1]}" if listed.skipped else ""
        raise InputError(f"{folder}: none of {count(len(listed.skipped), 'image')} can be used{why}")
    labelled = int(np.isfinite(listed.labels.get(STEERING, np.zeros(0))).sum())
    description = (
        f"{count(len(listed.files), 'frame')} in {folder.resolve().name}, {labelled or 'none'} of them labelled"
    )
    return ImageSet(name, listed.files, listed.labels, provenance, description, "", "", listed.skipped, size,
                    listed.column)  # fmt: skip
