"""What the command line's verbs do and print about datasets of tracks: `generate crowd` and `data show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.data.generate import Generated, duration
from simloop.data.generate_tracks import INTERVAL, SECONDS, generate_tracks
from simloop.data.plan import MANIFEST
from simloop.data.tracks import TrackDataset, TrackManifest
from simloop.errors import count
from simloop.progress import Progress, silent
from simloop.runs import Resume
from simloop.verbs_crowd import distribution_of
from simloop.worlds.crowd.world import Crowd

#: scenes of a dataset, where nobody says how many
SCENES = 100


@dataclass(frozen=True)
class GeneratedTracks:
    """A dataset of tracks that was made."""

    made: Generated

    def to_dict(self) -> dict[str, Any]:
        m = self.made
        return {
            "folder": str(m.folder),
            "scenes": m.manifest.frames,
            "hash": m.manifest.hash,
            "made": m.made,
            "seconds": m.seconds,
            "counts": m.manifest.counts,
        }

    def show(self) -> None:
        m = self.made
        c = m.manifest.counts or {}
        rate = f" in {duration(m.seconds)}, {m.made / max(m.seconds, 1e-9):.3g}/s" if m.made else ""
        terminal.say(
            f"{m.folder}: {count(m.manifest.frames, 'scene')}, {c['people']:,} people, {c['rows']:,} rows of tracks,"
            f" {count(c['overlaps'], 'overlap')}; {m.made} made now{rate}"
        )


def generate_crowd(
    folder: Path,
    scenes: int | None,
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
    world = Crowd()
    before = TrackManifest.read(folder) if (folder / MANIFEST).is_file() and resume != "always" else None
    c: Mapping[str, Any] = before.configuration if before else {}
    kept = before is not None and distribution is None and not pairs
    drawn = before.distribution() if before and kept else distribution_of(world, distribution, pairs, otherwise="wide")
    made = generate_tracks(
        scenes or (before.frames if before else SCENES),
        folder,
        scenarios=(scenario,) if scenario else tuple(c.get("scenarios", ("all",))),
        model=model or c.get("model", "orca"),
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
        terminal.say(f"{self.dataset.folder}: tracks of world 'crowd', {count(len(self.dataset), 'scene')}{there}")
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
