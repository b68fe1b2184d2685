"""What the command line's verbs do and print about datasets of tracks: `generate crowd`, `data show` and `export`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.data.export.folder import RECORD, finished, written_aside
from simloop.data.generate import Generated
from simloop.data.generate_tracks import INTERVAL, SECONDS, generate_tracks
from simloop.data.plan import MANIFEST
from simloop.data.tracks import TrackDataset, TrackManifest
from simloop.errors import count, unknown
from simloop.progress import Progress, silent
from simloop.runs import Resume, write_json
from simloop.targets.track_formats import FORMATS, write_tracks
from simloop.verbs_crowd import distribution_of
from simloop.worlds.crowd.world import crowd_named

#: scenes of a dataset, where nobody says how many
SCENES = 100
#: s, a frame of the recordings that plain files are usual for
_VIDEO = 0.04
#: how the names of files end in which each format is kept, where not in .txt
_ENDINGS = {"trajnet": ".ndjson"}


@dataclass(frozen=True)
class GeneratedTracks:
    """A dataset of tracks that was made."""

    made: Generated

    def to_dict(self) -> dict[str, Any]:
        return self.made.to_dict("scenes")

    def show(self) -> None:
        m = self.made
        c = m.manifest.counts or {}
        terminal.say(
            f"{m.folder}: {count(m.manifest.frames, 'scene')}, {c['people']:,} people, {c['rows']:,} rows of tracks,"
            f" {count(c['overlaps'], 'overlap')}; {m.made} made now{m.rate}"
        )


def generate_crowd(
    folder: Path,
    scenes: int | None,
    name: str = "crowd",
    *,
    scenario: str | None = None,
    model: str | None = None,
    distribution: str | None = None,
    pairs: Sequence[str] = (),
    seconds: float | None = None,
    workers: int = 1,
    seed: int | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> GeneratedTracks:
    """Make a dataset of tracks; what is None is as in the one that is there."""
    world = crowd_named(name)
    before = TrackManifest.read(folder) if (folder / MANIFEST).is_file() and resume != "always" else None
    c: Mapping[str, Any] = before.configuration if before else {}
    kept = before is not None and distribution is None and not pairs
    drawn = before.distribution() if before and kept else distribution_of(world, distribution, pairs, otherwise="wide")
    made = generate_tracks(
        scenes or (before.frames if before else SCENES),
        folder,
        name,
        scenarios=(scenario,) if scenario else tuple(c.get("scenarios", ("all",))),
        model=model or c.get("model", world.walking),
        distribution=drawn,
        seconds=seconds or c.get("seconds", SECONDS),
        interval=c["every"] * c["dt"] if before else INTERVAL,
        seed=int(c.get("seed", 0)) if seed is None else seed,
        workers=workers,
        resume=resume,
        progress=progress,
    )
    return GeneratedTracks(made)


@dataclass(frozen=True)
class ShownTracks:
    """A dataset of tracks and what it holds."""

    dataset: TrackDataset
    scenarios: Mapping[str, Mapping[str, float]]

    @classmethod
    def read(cls, folder: Path) -> ShownTracks:
        """Look at a dataset, complete or not."""
        dataset = TrackDataset.open(folder, unfinished=True)
        return cls(dataset, dict(_by_scenario(dataset)))

    def to_dict(self) -> dict[str, Any]:
        m = self.dataset.manifest
        c = m.configuration
        return {
            "folder": str(self.dataset.folder),
            "holds": m.holds,
            "complete": m.counts is not None,
            "scenes": m.frames,
            "hash": m.hash,
            **{name: c[name] for name in ("world", "versions", "seed", "model", "seconds", "distribution hash")},
            "counts": m.counts,
            "scenarios": {name: dict(s) for name, s in self.scenarios.items()},
        }

    def show(self) -> None:
        m = self.dataset.manifest
        c = m.configuration
        there = "" if m.counts is not None else f" of {m.frames}: NOT COMPLETE, give its command again"
        terminal.say(
            f"{self.dataset.folder}: tracks of world {c['world']['name']!r}, {count(len(self.dataset), 'scene')}{there}"
        )
        terminal.say(
            f"model {c['model']}, up to {c['seconds']:g} s, a row each {c['every'] * c['dt']:.3g} s, seed {c['seed']},"
            f" distribution {c['distribution hash']}, dataset {m.hash}"
        )
        terminal.say("made with " + ", ".join(f"{k} {v}" for k, v in c["versions"].items()))
        terminal.table(
            ["scenario", "scenes", "people", "in groups", "arrived", "seconds", "speed m/s", "overlaps"],
            [[name, f"{s['scenes']:.0f}", f"{s['people']:.0f}", f"{s['in groups']:.1%}", f"{s['arrived']:.1%}",
              f"{s['seconds']:.3g}", f"{s['speed']:.3g}", f"{s['overlaps']:.0f}"]
             for name, s in self.scenarios.items()],
        )  # fmt: skip


def _by_scenario(dataset: TrackDataset) -> Iterator[tuple[str, Mapping[str, float]]]:
    """By scenario: how many scenes and people, how they did, and how fast they were on the mean of all rows."""
    names = ("scenes", "people", "in groups", "arrived", "seconds", "speed", "rows", "overlaps")
    sums: dict[str, dict[str, float]] = {}
    for shard in dataset.tables():
        scene = dict(zip(shard.scenes["scene"].tolist(), shard.scenes["scenario"], strict=True))
        speed = np.hypot(shard.rows["x.velocity"].astype(float), shard.rows["y.velocity"].astype(float))
        for k, number in enumerate(shard.scenes["scene"].tolist()):
            own = sums.setdefault(scene[number], dict.fromkeys(names, 0.0))
            people, rows = shard.people["scene"] == number, shard.rows["scene"] == number
            own["scenes"] += 1
            own["people"] += int(people.sum())
            own["in groups"] += int((shard.people["group"][people] >= 0).sum())
            own["arrived"] += int(np.isfinite(shard.people["arrived"][people]).sum())
            own["seconds"] += float(shard.scenes["seconds"][k])
            own["speed"] += float(speed[rows].sum())
            own["rows"] += int(rows.sum())
            own["overlaps"] += int(shard.scenes["overlaps"][k])
    for name, s in sums.items():
        people = max(s["people"], 1)
        yield name, {**s, "in groups": s["in groups"] / people, "arrived": s["arrived"] / people,
                     "seconds": s["seconds"] / s["scenes"], "speed": s["speed"] / max(s["rows"], 1)}  # fmt: skip


def _frame(to: str, interval: float) -> float:
    """Seconds of a frame of a format whose rows are so many s apart: plain files count in 25ths where they can."""
    whole = interval / _VIDEO
    return _VIDEO if to == "plain" and abs(whole - round(whole)) < 1e-6 else interval


@dataclass(frozen=True)
class ExportedTracks:
    """Tracks in a format of others: a file for each scene."""

    source: str
    to: str
    folder: Path
    written: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {"source": self.source, "format": self.to, "folder": str(self.folder), "written": dict(self.written)}

    def show(self) -> None:
        counts = ", ".join(f"{n:,} {name}" for name, n in self.written.items())
        terminal.say(f"{self.folder}: {self.source} as {self.to}: {counts}")


def export_tracks(
    folder: Path, what: Path, to: str, *, resume: Resume = "if-match", progress: Progress = silent
) -> ExportedTracks:
    """Write the tracks of a dataset into a new folder, a file for each scene; scenes in which nobody is seen have none.

    Args:
        folder: where to; it is there when the export is whole, and not before.
        what: the dataset's folder.
        to: a format of `targets/track_formats`.
        resume: what to do with a folder that holds an export: `if-match` leaves the same one and refuses another,
            `never` refuses any, `always` replaces it.
        progress: told how far it is.
    """
    if to not in FORMATS:
        raise unknown("format of tracks", to, FORMATS)
    dataset = TrackDataset.open(what)
    c = dataset.manifest.configuration
    source = {"name": what.name, "dataset": dataset.manifest.hash, "scenes": len(dataset)}
    configuration = {"format": to, "options": {}, "source": source}
    before = finished(folder, configuration, resume)
    if before is not None:
        return ExportedTracks(str(what), to, folder, before["written"])
    files = rows = done = 0
    with written_aside(folder) as aside:
        for shard in dataset.tables():
            tracks = shard.tracks()
            for k, name in enumerate(tracks.sources):
                one = tracks.episode(k)
                done += 1
                if len(one.time):
                    path = aside / f"{name.replace(' ', '-')}{_ENDINGS.get(to, '.txt')}"
                    write_tracks(one, path, format=to, frame_seconds=_frame(to, c["every"] * c["dt"]))
                    files, rows = files + 1, rows + len(one.time)
            progress(f"export: {done} of {len(dataset)} scenes", done / len(dataset))
        written = {"files": files, "rows": rows}
        write_json(aside / RECORD, {"export": configuration, "written": written})
    return ExportedTracks(str(what), to, folder, written)
