"""The catalogue of public recordings: what they are, where they come from, and which of them are on this machine.

    simloop data get double-pendulum          # explicit download, hash checked
    SIMLOOP_DATA=/my/recordings               # or a folder that holds the sources' own layout

Each entry keeps the layout of its public source, so a folder made by `data get` and a copy of the original both work.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import re
import sys
import tarfile
import urllib.request
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
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
        episodes: which of the recordings, or of the frames, in the files; None: all.
    """

    files: str
    indices: tuple[int, ...] | None = None
    machine: str = ""
    world: str = ""
    episodes: range | None = None


@dataclass(frozen=True)
class Entry:
    """Public recordings of one machine, or images from it.

    `files` maps each file, relative to the entry's folder, to its SHA-256. Many numbered files can be one item, as
    `images/{0..99}.jpg`: its SHA-256 is that of what `sha256sum images/{0..99}.jpg` prints. `splits` names parts of
    them. Files are read by the columns that the world names, or by the entry's own `read`; images by `image_set`.
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
    images: bool = False
    archive: bool = False  # `url` is that of a .tar.gz that holds the files
    lines: Mapping[str, int] = field(default_factory=dict)  # of a file, how many first lines are this entry's

    @property
    def folder(self) -> Path:
        return data_folder() / (self.keeps or self.name)

    @property
    def names(self) -> list[str]:
        """All files, relative to the folder."""
        return [name for item in self.files for name in expanded(item)]

    def paths(self, split: str) -> list[Path]:
        """The files of a split, on this machine or not."""
        part = self.splits[split]
        names = sorted(n for n in self.names if fnmatchcase(n, part.files) or fnmatchcase(n, part.files + "/*"))
        chosen = names if part.indices is None else [names[i] for i in part.indices]
        return [self.folder / n for n in chosen]

    def present(self, split: str) -> bool:
        return all(p.is_file() for p in self.paths(split))


def expanded(item: str) -> list[str]:
    """The names of the files that an item of `Entry.files` stands for: "a{0..2}.jpg" is a0.jpg, a1.jpg and a2.jpg."""
    found = re.fullmatch(r"(.*)\{(\d+)\.\.(\d+)\}(.*)", item)
    if not found:
        return [item]
    before, first, last, after = found.groups()
    return [f"{before}{i}{after}" for i in range(int(first), int(last) + 1)]


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
    from simloop.targets.donkeycar import DONKEYCAR_TUB
    from simloop.targets.double_pendulum import DOUBLE_PENDULUM
    from simloop.targets.eth_ucy import ETH_UCY
    from simloop.targets.quanser import CART_POLE, QUBE

    return {e.name: e for e in (DOUBLE_PENDULUM, QUBE, CART_POLE, CUBE_TOSSES, DONKEYCAR_TUB, ETH_UCY)}


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
    wanted = {str(p.relative_to(entry.folder)) for p in entry.paths(split)}
    for item, digest in entry.files.items():
        if wanted.isdisjoint(expanded(item)):
            continue
        if _digest(entry, item, {n: (entry.folder / n).read_bytes() for n in expanded(item)}) != digest:
            raise InputError(
                f"{entry.folder / item}: {_differs(item)}; {how_to_get(entry)}, or give its path with a"
                " column map to use it as your own"
            )


def _digest(entry: Entry, item: str, contents: Mapping[str, bytes]) -> str:
    """The SHA-256 of an item: of its file, or of the list of those of its files."""
    hashes = {name: _sha256(_own(entry, name, content)) for name, content in contents.items()}
    if list(hashes) == [item]:
        return hashes[item]
    return _sha256("".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode())


def _own(entry: Entry, name: str, content: bytes) -> bytes:
    """The part of a file that is the entry's: all of it, or its first lines."""
    lines = entry.lines.get(name)
    return content if lines is None else b"".join(content.splitlines(keepends=True)[:lines])


def _differs(item: str) -> str:
    return f"{'differs' if expanded(item) == [item] else 'one of them differs'} from the published file (SHA-256)"


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
    wanted = set(entry.names if split is None else (str(p.relative_to(entry.folder)) for p in entry.paths(split)))
    fetch = _fetcher(entry, url or entry.url, progress)
    for item, digest in entry.files.items():
        if wanted.isdisjoint(expanded(item)):
            continue
        paths = {relative: entry.folder / relative for relative in expanded(item)}
        fetched = {relative: fetch(relative) for relative, path in paths.items() if not path.is_file()}
        contents = {r: fetched[r] if r in fetched else path.read_bytes() for r, path in paths.items()}
        if _digest(entry, item, contents) != digest:
            if len(fetched) < len(contents):
                raise InputError(f"{entry.folder / item}: {_differs(item)}; delete it and try again")
            raise InputError(f"{item}: what was downloaded is not the published file (SHA-256 differs); not kept")
        for relative, content in fetched.items():
            with write_aside(paths[relative]) as file:
                file.write(content)


def _fetcher(entry: Entry, url: str, progress: Callable[[str], None]) -> Callable[[str], bytes]:
    """What gets a file of an entry: from its own address, or out of the archive at `url`, which is downloaded once."""
    archive: dict[str, bytes] = {}

    def fetch(relative: str) -> bytes:
        if not url:
            raise InputError(
                f"{entry.name}: no public address has these files as simloop reads them; put {relative} into"
                f" {entry.folder} yourself: {entry.made}"
            )
        if not entry.archive:
            progress(relative)
            return _fetch(url + relative)
        if not archive:
            progress(url.rsplit("/", 1)[-1])
            archive.update(_unpacked(url, _fetch(url), entry.names))
        if relative not in archive:
            raise InputError(f"{url}: this archive does not hold {relative}; {entry.made}")
        return _own(entry, relative, archive[relative])

    return fetch


def _unpacked(url: str, content: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The files of some names in an archive (.tar.gz), which may lie in a folder there."""
    wanted, found = set(names), {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                name = next((n for n in ("/".join(parts[k:]) for k in (0, 1, 2)) if n in wanted), None)
                if name is not None and (file := archive.extractfile(member)) is not None:
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise InputError(f"{url}: what was downloaded is no whole archive ({error}); not kept") from None
    return found


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
