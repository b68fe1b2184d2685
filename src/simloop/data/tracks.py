"""Datasets of tracks: people of many scenes, where they walked, and everything that is known of them.

    tracks = load_tracks("data/crowd")                     # a TrajectorySet: an episode for each scene
    dataset = TrackDataset.open("data/crowd")
    for shard in dataset.tables():
        shard.scenes["scenario"], shard.people["trait.speed"], shard.tracks()

A folder is laid out as one of images is (`plan.py`), with other tables in its shards:

    shard-00000/scenes.parquet     a row for each scene: scenario, parameters, walls, overlaps
    shard-00000/people.parquet     a row for each person: traits, group, where from and where to, when there
    shard-00000/tracks.parquet     a row for each person and instant inside the scene: place, heading, velocity

Places, headings and velocities are kept to single precision, a ten-thousandth of a millimetre at 1 m.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from simloop.data.plan import Manifest, shard_name
from simloop.data.shard import RECORD, DamagedError, read_record, read_table
from simloop.data.tables import Columns, parameters_of
from simloop.errors import InputError
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.channels import CHANNELS, TRAITS

SCENES, PEOPLE, TRACKS = "scenes.parquet", "people.parquet", "tracks.parquet"
#: scenes in a shard
SCENES_IN_SHARD = 25


def scenes_of(shard: int, scenes: int) -> range:
    """The scenes of a shard of a dataset that has so many."""
    return range(shard * SCENES_IN_SHARD, min((shard + 1) * SCENES_IN_SHARD, scenes))


class TrackManifest(Manifest):
    """What stands in `dataset.json` of a dataset of tracks; its frames are scenes."""

    holds: ClassVar[str] = "tracks"

    @property
    def shards(self) -> range:
        """The numbers of the shards."""
        return range(-(-self.frames // SCENES_IN_SHARD))


@dataclass(frozen=True)
class TrackRecord:
    """What a shard says of itself.

    Attributes:
        configuration: the hash of its dataset's configuration.
        frames: (first, end) of its scenes' numbers.
        counts: scenes, people, rows of tracks, people who arrived, overlaps.
        crc: by name, the CRC-32 of its tables.
    """

    configuration: str
    frames: tuple[int, int]
    counts: Mapping[str, int]
    crc: Mapping[str, int]

    @property
    def made(self) -> int:
        """How many scenes it holds."""
        return self.frames[1] - self.frames[0]

    @classmethod
    def read(cls, folder: Path, shard: int) -> TrackRecord:
        """Read the record of a dataset's shard."""
        return read_record(cls, folder, shard)

    def is_of(self, configuration: str, shard: int, scenes: int) -> bool:
        """Whether it is that shard, whole, of that dataset of so many scenes."""
        own = scenes_of(shard, scenes)
        return self.configuration == configuration and self.frames == (own.start, own.stop)


@dataclass(frozen=True, eq=False)
class TrackShard:
    """The tables of a shard: columns by name.

    Attributes:
        scenes: `scene` (its number), `scenario`, `seconds`, `overlaps`, `deepest`, `walls` (lists of x, y, x, y, m),
            and `parameter.NAME`.
        people: `scene`, `person`, `group` (-1: alone), `start`, `goal` (n, 2) m, `begins`, `entered`, `arrived` (s,
            NaN: not), and `trait.NAME`.
        rows: `scene`, `time`, `person`, and the channels x, y, heading, x.velocity, y.velocity.
    """

    scenes: Columns
    people: Columns
    rows: Columns
    meta: Mapping[str, Any]

    def tracks(self) -> TrajectorySet:
        """The tracks as episodes, one for each scene, with the parameters drawn for it."""
        numbers, rows, people = self.scenes["scene"], self.rows, self.people
        first = np.searchsorted(people["scene"], rows["scene"])
        group = people["group"][first + rows["person"]]
        values = np.empty((len(group), len(CHANNELS)))
        for j, channel in enumerate(CHANNELS):
            values[:, j] = group if channel.name == "group" else rows[channel.name]
        parameters = parameters_of(self.scenes)
        return TrajectorySet(
            channels=CHANNELS,
            time=np.asarray(rows["time"], dtype=float),
            values=values,
            offsets=np.append(np.searchsorted(rows["scene"], numbers), len(values)).astype(np.int64),
            entity=np.asarray(rows["person"], dtype=np.int64),
            parameters=np.column_stack(list(parameters.values())) if parameters else None,
            sources=tuple(f"{name} {k}" for name, k in zip(self.scenes["scenario"], numbers.tolist(), strict=True)),
            meta={**self.meta, "parameters": list(parameters)},
        )


class TrackDataset:
    """The tracks of a dataset's folder. Use `TrackDataset.open`."""

    def __init__(self, folder: Path, manifest: TrackManifest, shards: tuple[int, ...]) -> None:
        self.folder, self.manifest, self.shards = folder, manifest, shards

    @classmethod
    def open(cls, folder: str | Path, *, unfinished: bool = False) -> TrackDataset:
        """Open a dataset's folder; with `unfinished` one that is not complete, too.

        Raises:
            InputError: for what is not a dataset of tracks, was written by a newer simloop, is not complete or damaged.
        """
        folder = Path(folder)
        manifest = TrackManifest.read(folder)
        there = tuple(whole_track_shards(folder, manifest))
        if not unfinished and manifest.counts is None:
            have = sum(len(scenes_of(k, manifest.frames)) for k in there)
            raise InputError(
                f"{folder}: not complete, it has {have} of {manifest.frames} scenes; give the command that makes it"
                " again, and it goes on"
            )
        if manifest.counts is not None and (missing := set(manifest.shards) - set(there)):
            shard = min(missing)
            TrackRecord.read(folder, shard)
            raise DamagedError(folder, shard, f"{RECORD} is that of another shard or dataset")
        return cls(folder, manifest, there)

    def __len__(self) -> int:
        return sum(len(scenes_of(k, self.manifest.frames)) for k in self.shards)

    def tables(self) -> Iterator[TrackShard]:
        """The shards, one after the other, checked against their check sums."""
        for shard in self.shards:
            crc = TrackRecord.read(self.folder, shard).crc
            scenes, people, rows = (
                read_table(self.folder, shard, name, crc.get(name)) for name in (SCENES, PEOPLE, TRACKS)
            )
            yield TrackShard(scenes, people, rows, self._meta)

    @property
    def _meta(self) -> dict[str, Any]:
        c = self.manifest.configuration
        return {"world": c["world"]["name"], "model": c["model"], "dt": c["dt"], "seed": c["seed"],
                "dataset": self.manifest.hash}  # fmt: skip


def load_tracks(folder: str | Path) -> TrajectorySet:
    """All tracks of a dataset in memory: an episode for each scene; `TrackDataset.tables` gives them by shard."""
    parts = [shard.tracks() for shard in TrackDataset.open(folder).tables()]
    lengths = np.concatenate([np.diff(p.offsets) for p in parts])
    parameters = [p.parameters for p in parts if p.parameters is not None]
    return TrajectorySet(
        channels=CHANNELS,
        time=np.concatenate([p.time for p in parts]),
        values=np.concatenate([p.values for p in parts]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        entity=np.concatenate([p.entity for p in parts if p.entity is not None]),
        parameters=np.concatenate(parameters) if parameters else None,
        sources=tuple(s for p in parts for s in p.sources),
        meta=parts[0].meta,
    )


def whole_track_shards(folder: Path, manifest: TrackManifest) -> dict[int, TrackRecord]:
    """The records of the shards of a dataset that are there and whole, by number."""
    found = {}
    for shard in manifest.shards:
        if (folder / shard_name(shard)).is_dir():
            try:
                record = TrackRecord.read(folder, shard)
            except DamagedError:
                continue
            if record.is_of(manifest.hash, shard, manifest.frames):
                found[shard] = record
    return found


def trait_columns(traits: Any) -> Columns:
    """The columns `trait.NAME` of traits (n, len(TRAITS))."""
    return {f"trait.{name}": np.asarray(traits[:, j], dtype=np.float32) for j, name in enumerate(TRAITS)}
