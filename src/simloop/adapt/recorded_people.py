"""Recordings of real people as an adaptation takes them: their tracks, who walked with whom, and walls.

people = recorded_people("eth-ucy/hotel")
people = recorded_people("my-tracks.txt")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets import catalogue
from simloop.targets.tracks import track_set
from simloop.trajectories import TrajectorySet

#: the folder of maps and groups of each recording of `eth-ucy`
SCENES = {"biwi_eth": "seq_eth", "biwi_hotel": "seq_hotel", "crowds_zara01": "zara01", "crowds_zara02": "zara02",
          "students003": "students03"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class RecordedPeople:
    """Tracks of real people.

    Attributes:
        name: what they were asked for by.
        tracks: an episode for each recording.
        groups: the number of a group for (episode, person) of who walked with others; empty where nobody says.
        walls: (W, 4) m of each recording; empty where nobody says.
        provenance: real recordings, unless their owner says otherwise.
        source, licence: of those of the catalogue.
    """

    name: str
    tracks: TrajectorySet
    groups: Mapping[tuple[int, int], int] = field(default_factory=dict)
    walls: tuple[Array, ...] = ()
    provenance: str = "real recordings"
    source: str = ""
    licence: str = ""

    def describe(self) -> dict[str, Any]:
        """What a run's configuration keeps of them."""
        entity = self.tracks.entity
        return {
            "name": self.name,
            "hash": self.tracks.content_hash,
            "recordings": len(self.tracks),
            "people": 0 if entity is None else len(np.unique(entity)),
            "grouped": len(self.groups),
            "walls": [len(w) for w in self.walls],
            "provenance": self.provenance,
            "source": self.source,
            "licence": self.licence,
        }


def recorded_people(target: str) -> RecordedPeople:
    """Read the tracks of the catalogue, as `eth-ucy/hotel`, or those of a file, a folder or a quoted glob."""
    tracks = track_set(target)
    found = catalogue.find(target)
    if found is None or Path(target).exists():
        return RecordedPeople(Path(target).name, tracks)
    entry, _ = found
    groups: dict[tuple[int, int], int] = {}
    for e, file in enumerate(tracks.sources):
        scene = SCENES.get(Path(file).stem)
        if scene is not None:
            groups |= read_groups(entry.folder / "scenes" / scene / "groups.txt", e)
    return RecordedPeople(target, tracks, groups, source=entry.source, licence=entry.licence)


def read_groups(path: Path, episode: int) -> dict[tuple[int, int], int]:
    """Who walked with whom: a line for each group, of numbers of people; nobody where there is no file."""
    if not path.exists():
        return {}
    found: dict[tuple[int, int], int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            members = [int(word) for word in line.split()]
        except ValueError:
            raise InputError(f"{path}, line {number}: expected whole numbers of people, got {line.strip()!r}") from None
        if len(members) > 1:
            found |= {(episode, m): number for m in members}
    return found
