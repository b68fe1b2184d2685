"""The catalogue of public recordings: what they are, where they come from, and which of them are on this machine.

    simloop data get double-pendulum          # explicit download, hash checked
    SIMLOOP_DATA=/my/recordings               # or a folder that holds the sources' own layout

Each entry keeps the layout of its public source, so a folder made by `data get` and a copy of the original both work.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from simloop.errors import InputError, unknown
from simloop.runs import write_aside

if TYPE_CHECKING:
    from simloop.trajectories import TrajectorySet


@dataclass(frozen=True)
class Split:
    """A named part of an entry.

    Attributes:
        files: a file, a folder, or a pattern of either with `*` in it.
        indices: which of these files, sorted by full path; None: all.
        machine: what was recorded.
        world: the build of the world that it was recorded on, where there are several.
        episodes: which of the recordings in the files; None: all.
    """

    files: str
    indices: tuple[int, ...] | None = None
    machine: str = ""
    world: str = ""
    episodes: range | None = None


@dataclass(frozen=True)
class Entry:
    """Public recordings of one machine.

    `files` maps each file, relative to the entry's folder, to its SHA-256. `splits` names parts of them. Files are read
    by the columns that the world names, or by the entry's own `read`.
    """

    name: str
    world: str
    machine: str
    source: str
    url: str  # a file's address is url + its relative path; "": they were made from the source, as `made` says
    licence: str
    citation: str
    megabytes: float
    files: dict[str, str]
    splits: dict[str, Split] = field(default_factory=dict)
    made: str = ""
    keeps: str = ""  # the folder below the data folder, where several entries share one; "": the entry's name
    read: Callable[[Sequence[Path]], TrajectorySet] | None = None

    @property
    def folder(self) -> Path:
        return data_folder() / (self.keeps or self.name)

    def paths(self, split: str) -> list[Path]:
        """The files of a split, on this machine or not."""
        part = self.splits[split]
        names = sorted(n for n in self.files if fnmatchcase(n, part.files) or fnmatchcase(n, part.files + "/*"))
        chosen = names if part.indices is None else [names[i] for i in part.indices]
        return [self.folder / n for n in chosen]

    def present(self, split: str) -> bool:
        return all(p.is_file() for p in self.paths(split))


def data_folder() -> Path:
    """The folder of recordings: $SIMLOOP_DATA, else the user's data folder by the platform's convention."""
    if os.environ.get("SIMLOOP_DATA"):
        return Path(os.environ["SIMLOOP_DATA"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "simloop"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "simloop"


def entries() -> dict[str, Entry]:
    """All entries of the catalogue by name."""
    from simloop.targets.cube_tosses import CUBE_TOSSES
    from simloop.targets.double_pendulum import DOUBLE_PENDULUM
    from simloop.targets.quanser import CART_POLE, QUBE

    return {e.name: e for e in (DOUBLE_PENDULUM, QUBE, CART_POLE, CUBE_TOSSES)}


def sharing(name: str) -> list[Entry]:
    """The entry of that name, or those that keep their files in a folder of that name."""
    found = [e for e in entries().values() if name in (e.name, e.keeps)]
    if not found:
        raise unknown("entry of the catalogue", name, entries())
    return found


def find(name: str) -> tuple[Entry, str] | None:
    """Return the entry and split that a target's name means ("double-pendulum/design-c1/test"), or None."""
    entry_name, _, split = name.partition("/")
    entry = entries().get(entry_name)
    if entry is None:
        return None
    if split not in entry.splits:
        if Path(name).exists():
            return None
        raise unknown(f"part of {entry_name!r}:", split, entry.splits)
    return entry, split


def check(entry: Entry, split: str) -> None:
    """Raise if a file of a split is not the published one: then its figures would not be the real machine's."""
    for path in entry.paths(split):
        if _sha256(path.read_bytes()) != entry.files[str(path.relative_to(entry.folder))]:
            raise InputError(
                f"{path}: differs from the published file (SHA-256); {how_to_get(entry)}, or give its path with a"
                " column map to use it as your own"
            )


def get(
    name: str, *, split: str | None = None, progress: Callable[[str], None] = lambda _: None, url: str | None = None
) -> Path:
    """Download an entry's missing files and check their hashes; files already there are checked and kept.

    Args:
        name: the entry, or the folder that several share.
        split: only this part of it.
        progress: told of each file.
        url: another place to fetch from, instead of the entry's own.
    """
    for entry in sharing(name):
        if split is not None and split not in entry.splits:
            raise unknown(f"part of {entry.name!r}:", split, entry.splits)
        _get_entry(entry, split, progress, url)
    return entry.folder


def how_to_get(entry: Entry) -> str:
    """What someone does who lacks an entry's files, as the end of a sentence."""
    if entry.url:
        return f"delete it and run 'simloop data get {entry.name}'"
    return f"make it anew: {entry.made}"


def _get_entry(entry: Entry, split: str | None, progress: Callable[[str], None], url: str | None) -> None:
    wanted = entry.files if split is None else {
        str(p.relative_to(entry.folder)): entry.files[str(p.relative_to(entry.folder))] for p in entry.paths(split)
    }  # fmt: skip
    for relative, digest in wanted.items():
        path = entry.folder / relative
        if path.is_file():
            if _sha256(path.read_bytes()) != digest:
                raise InputError(f"{path}: differs from the published file (SHA-256); delete it and try again")
            continue
        if not (url or entry.url):
            raise InputError(
                f"{entry.name}: no public address has these files as simloop reads them; put {relative} into"
                f" {entry.folder} yourself: {entry.made}"
            )
        progress(relative)
        content = _fetch((url or entry.url) + relative)
        if _sha256(content) != digest:
            raise InputError(f"{relative}: what was downloaded is not the published file (SHA-256 differs); not kept")
        with write_aside(path) as file:
            file.write(content)


def _fetch(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return bytes(answer.read())
    except (http.client.HTTPException, OSError) as error:  # URLError and timeouts are OSErrors
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{address}: cannot be downloaded ({reason}); download it elsewhere and set SIMLOOP_DATA to its folder"
        ) from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
