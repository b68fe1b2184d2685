"""Make a dataset of tracks: scenes of world `crowd`, drawn and simulated into a folder that can be stopped at any time.

    generate_tracks(2000, Path("data/crowd"), scenarios=["crossing", "plaza"], seed=1, workers=2)

A scene depends on (seed, its number) and the configuration alone: any number of workers, and a command that was stopped
and given again, write the same bytes. The same command with a larger number adds what is missing.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from simloop.data.generate import Generated, Meter, gathered, opened
from simloop.data.order import Work
from simloop.data.plan import MANIFEST, shard_name
from simloop.data.processes import in_processes, in_this_process
from simloop.data.shard import RECORD, write_table, written_aside
from simloop.data.tables import Columns, columns_table
from simloop.data.tracks import (
    PEOPLE,
    SCENES,
    SCENES_IN_SHARD,
    TRACKS,
    TrackManifest,
    TrackRecord,
    scenes_of,
    trait_columns,
    whole_track_shards,
)
from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.progress import Progress, silent
from simloop.runs import Resume, check_resume, write_json
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.channels import CHANNELS
from simloop.worlds.crowd.draws import Draw, draw_scenes
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.models import get_model
from simloop.worlds.crowd.world import STEP, Crowd, crowd_named
from simloop.worlds.description import versions

#: s, how long a scene goes on at most, and between two rows of a track, where nobody says it
SECONDS, INTERVAL = 60.0, 0.4


@dataclass(frozen=True)
class TrackOrder:
    """A dataset of tracks to be made, as any process can carry it out."""

    folder: Path
    manifest: TrackManifest

    def make(self, shard: int, told: Callable[[int], None] = lambda scenes: None) -> TrackRecord:
        """Simulate the scenes of a shard and put it in its place."""
        c, numbers = self.manifest.configuration, scenes_of(shard, self.manifest.frames)
        seed = int(c["seed"])
        draws = draw_scenes(
            numbers,
            crowd_named(c["world"]["name"]),
            scenarios=c["scenarios"],
            distribution=self.manifest.distribution(),
            seed=seed,
        )
        tracks = simulate([d.scene for d in draws], seconds=c["seconds"], model=c["model"], dt=c["dt"],
                          every=c["every"], seed=seed, numbers=list(numbers))  # fmt: skip
        tables = {SCENES: _scenes_table(draws, tracks), PEOPLE: _people_table(draws, tracks),
                  TRACKS: _tracks_table(draws, tracks)}  # fmt: skip
        counts = {
            "scenes": len(draws),
            "people": len(tables[PEOPLE]),
            "rows": len(tracks.time),
            "arrived": sum(t is not None for scene in tracks.meta["arrived"] for t in scene),
            "overlaps": sum(tracks.meta["overlaps"]),
        }
        with written_aside(self.folder / shard_name(shard)) as aside:
            crc = {name: write_table(aside / name, table) for name, table in tables.items()}
            record = TrackRecord(self.manifest.hash, (numbers.start, numbers.stop), counts, crc)
            write_json(aside / RECORD, asdict(record))
        told(len(draws))
        return record

    def packed(self) -> bytes:
        """The order as bytes for another process."""
        return pickle.dumps(self)


def configure_tracks(
    world: Crowd,
    *,
    scenarios: Sequence[str],
    model: str,
    distribution: Distribution,
    seconds: float,
    interval: float,
    seed: int,
) -> dict[str, Any]:
    """Everything that decides the tracks of a dataset but how many scenes there are, JSON-able."""
    every = interval / STEP
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"the length of a scene must be above 0 s, got {seconds:g}")
    if round(every) < 1 or abs(every - round(every)) > 1e-6:
        raise InputError(f"the time between two rows of a track must be a multiple of {STEP:g} s, got {interval:g}")
    content, sources = get_model(model).content, world.sources(scenarios)
    configuration = {
        "holds": TrackManifest.holds,
        "world": {"name": world.name, "content": world.content()},
        "versions": {**versions(world), "pyarrow": pa.__version__},
        "scenarios": list(scenarios),
        **({"scenario sources": sources} if sources else {}),
        "model": model,
        **({"model content": content} if content else {}),
        "dt": STEP,
        "every": round(every),
        "seconds": float(seconds),
        "seed": seed,
        "distribution": distribution.to_dict(),
        "distribution hash": distribution.hash,
        "scenes in a shard": SCENES_IN_SHARD,
    }
    return dict(json.loads(json.dumps(configuration)))  # as it will be read back: tuples are lists


def generate_tracks(
    n: int,
    folder: str | Path,
    name: str = "crowd",
    *,
    scenarios: Sequence[str] = ("all",),
    model: str | None = None,
    distribution: Distribution | None = None,
    seconds: float = SECONDS,
    interval: float = INTERVAL,
    seed: int = 0,
    workers: int = 1,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> Generated:
    """Make a dataset of the tracks of `n` scenes, or what is missing of it.

    Args:
        n: scenes.
        folder: a new one, or one that holds a part of this dataset.
        name: of the world, `crowd` or one of its kind.
        scenarios: their names, by turns; `all` for all of them.
        model: of walking; by default the world's.
        distribution: what parameters are drawn from; by default the default parameters.
        seconds: how long a scene goes on at most.
        interval: s, between two rows of a track.
        seed: of everything random.
        workers: processes; 1 is this one.
        resume: `if-match` finishes or enlarges the same dataset and refuses another one; `never` refuses any; `always`
            starts over where it is another.
        progress: told how far it is.
    """
    check_resume(resume)
    if n < 1 or workers < 1:
        raise InputError(f"{'n' if n < 1 else 'workers'} must be at least 1, got {min(n, workers)}")
    world = crowd_named(name)
    configuration = configure_tracks(
        world, scenarios=world.scenarios(",".join(scenarios)), model=model or world.walking,
        distribution=distribution or world.distributions()["default"], seconds=seconds, interval=interval, seed=seed,
    )  # fmt: skip
    with opened(Path(folder), TrackManifest(configuration, n, world.name), resume) as manifest:
        records = whole_track_shards(Path(folder), manifest)
        missing = [k for k in manifest.shards if k not in records]
        left = sum(len(scenes_of(k, manifest.frames)) for k in missing)
        meter = Meter("scenes", manifest.frames, left, progress)
        order: Work[TrackRecord] = TrackOrder(Path(folder), manifest)
        several = min(workers, len(missing)) > 1
        making = (
            in_processes(order, missing, min(workers, len(missing)), meter.tell)
            if several
            else in_this_process(order, missing, meter.tell)
        )
        for record in gathered(Path(folder), manifest, making, unfinished=bool(missing)):
            records[record.frames[0] // SCENES_IN_SHARD] = record
        names = ("scenes", "people", "rows", "arrived", "overlaps")
        counts = {name: sum(r.counts[name] for r in records.values()) for name in names}
        manifest = manifest.replace(counts=counts)
        write_json(Path(folder) / MANIFEST, manifest.to_dict())
        return Generated(Path(folder), manifest, meter.made, meter.seconds)


def _scenes_table(draws: Sequence[Draw], tracks: TrajectorySet) -> pa.Table:
    """A row for each scene."""
    last = [tracks.time[b - 1] if b > a else 0.0 for a, b in zip(tracks.offsets[:-1], tracks.offsets[1:], strict=True)]
    columns: Columns = {
        "scene": np.array([d.number for d in draws]),
        "scenario": [d.scenario for d in draws],
        "people": np.array([len(d.scene) for d in draws]),
        "seconds": np.array(last),
        "overlaps": np.array(tracks.meta["overlaps"], dtype=np.int64),
        "deepest": np.array(tracks.meta["deepest"], dtype=float),
        **{f"parameter.{name}": np.array([d.values[name] for d in draws]) for name in draws[0].values},
    }
    walls = pa.array([d.scene.walls.reshape(-1).tolist() for d in draws], type=pa.list_(pa.float64()))
    return columns_table(columns, texts=("scenario",)).append_column("walls", walls)


def _people_table(draws: Sequence[Draw], tracks: TrajectorySet) -> pa.Table:
    """A row for each person."""
    scenes = [d.scene for d in draws]
    sizes = [len(s) for s in scenes]
    scene = np.repeat([d.number for d in draws], sizes)
    assert tracks.entity is not None
    # the first row of each person, which is when it was first seen
    episode = np.repeat(np.arange(len(draws)), np.diff(tracks.offsets))
    person = np.concatenate([[0], np.cumsum(sizes)])[episode] + tracks.entity
    entered = np.full(sum(sizes), np.nan)
    seen, first = np.unique(person, return_index=True)
    entered[seen] = tracks.time[first]
    arrived = [math.nan if t is None else t for each in tracks.meta["arrived"] for t in each]
    return columns_table(
        {
            "scene": scene,
            "person": np.concatenate([np.arange(n) for n in sizes]),
            "group": np.concatenate([s.groups for s in scenes]),
            "start": np.concatenate([s.starts for s in scenes]),
            "goal": np.concatenate([s.goals for s in scenes]),
            "begins": np.concatenate([s.begins for s in scenes]),
            "entered": entered,
            "arrived": np.array(arrived),
            **trait_columns(np.concatenate([s.traits for s in scenes])),
        }
    )


def _tracks_table(draws: Sequence[Draw], tracks: TrajectorySet) -> pa.Table:
    """A row for each person and instant."""
    assert tracks.entity is not None
    return columns_table(
        {
            "scene": np.repeat([d.number for d in draws], np.diff(tracks.offsets)),
            "time": tracks.time,
            "person": tracks.entity.astype(np.int32),
            **{c.name: tracks.column(c.name).astype(np.float32) for c in CHANNELS if c.name != "group"},
        }
    )
