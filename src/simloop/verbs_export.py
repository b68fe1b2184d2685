"""What `simloop export` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.config import parsed_pairs
from simloop.data.export import Source, export, export_trajectories, get_format
from simloop.data.plan import MANIFEST
from simloop.data.store import Dataset
from simloop.errors import InputError
from simloop.progress import Progress, silent
from simloop.runs import Resume, write_aside
from simloop.trajectories import TrajectorySet
from simloop.worlds import World


@dataclass(frozen=True)
class ExportResult:
    """A finished export: what was written, and where."""

    what: str
    to: str
    folder: Path
    written: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"source": self.what, "format": self.to, "folder": str(self.folder), "written": self.written}

    def show(self) -> None:
        counts = ", ".join(f"{n:,} {name.removesuffix('s') if n == 1 else name}" for name, n in self.written.items())
        terminal.say(f"{self.folder}: {self.what} as {self.to}: {counts}")


def export_into(
    folder: Path,
    what: str,
    to: str,
    pairs: Sequence[str],
    *,
    world: str | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> ExportResult:
    """Write a dataset, demonstrations, trajectories or recordings of a world in another format into a new folder.

    Args:
        folder: where to.
        what: the folder of a dataset or of demonstrations, or a file that `TrajectorySet.save` wrote; with `world`
            any recordings that `--target` takes.
        to: the format.
        pairs: its options, as ["name=value", ...].
        world: whose recordings `what` are.
        resume: what to do with a folder that holds an export already.
        progress: told how far it is.
    """
    form = get_format(to, parsed_pairs(pairs))
    if world is None and (Path(what) / MANIFEST).exists():
        source = Source.of(Dataset.open(what))
        written = export(source, form, folder, resume=resume, progress=progress)
    else:
        shown, task, robot = _trajectories(what, world)
        written = export_trajectories(shown, form, folder, task=task, robot=robot, resume=resume)
    return ExportResult(what, to, folder, written)


def export_road(
    path: Path, what: str, to: str, pairs: Sequence[str], *, seed: int | None, resume: Resume = "if-match"
) -> ExportResult:
    """Write the road of the first scene that `simloop generate` makes with a seed as an OpenDRIVE file.

    Args:
        path: the file.
        what: the world; the one that has roads.
        to: the format.
        pairs: its options; there are none.
        seed: of the road.
        resume: what to do with a file that is there: `if-match` leaves the same one and refuses another, `never`
            refuses any, `always` replaces it.
    """
    from simloop.randomness import stream
    from simloop.worlds import get_world
    from simloop.worlds.drive.opendrive import Markings, opendrive

    if to != "opendrive":
        raise InputError(f"a road is exported --to opendrive, not {to!r}; without --road-seed give a dataset's folder")
    world = get_world(what)
    if not world.name.startswith("drive"):
        raise InputError(f"world {world.name!r} has no roads; give the world drive")
    if seed is None:
        raise InputError("say which road: --road-seed 4")
    if pairs:
        raise InputError(f"format 'opendrive' has no options, got {pairs[0]!r}")
    from simloop.worlds.drive.scene import make_scene

    row = world.distributions()["wide"].sample(1, stream(seed, "frames", "scene", 0))[0]
    values = dict(zip(world.parameters.names, row.tolist(), strict=True))
    road = make_scene(values, stream(seed, "drive", "scene", 0)).road
    text = opendrive(
        road, markings=Markings.of(values), speed=round(values["car.speed"], 3), name=f"{world.name}-{seed}"
    )
    _put(path, text, resume)
    what = f"a {'closed' if road.closed else 'open'} road of {road.length:.0f} m (seed {seed})"
    return ExportResult(what, to, path, {"lanes": road.lanes, "bytes": len(text)})


def _put(path: Path, text: bytes, resume: Resume) -> None:
    """Write a file, unless it is there and may not be replaced."""
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the name of a file, for example road.xodr")
    if path.exists() and resume != "always":
        if resume == "if-match" and path.read_bytes() == text:
            return
        raise InputError(f"{path}: there is another file of that name; give another name or --resume always")
    with write_aside(path) as file:
        file.write(text)


def _trajectories(what: str, world: str | None) -> tuple[TrajectorySet, str, str]:
    """Trajectories, what is done in them, and what it is done with."""
    from simloop.learn.demonstrations import read_demonstrations, shown_in  # takes long: not for images
    from simloop.worlds import get_world

    path = Path(what)
    if world is not None:
        chosen = get_world(world)
        return on_grid(chosen, read_demonstrations(what, chosen)), chosen.name, chosen.name
    if path.is_dir() and (path / "demonstrations.json").exists():
        name, task = shown_in(path)
        return read_demonstrations(path, get_world(name)), task, name
    if path.suffix == ".npz" and path.is_file():
        shown = TrajectorySet.load(path)
        robot = str(shown.meta.get("world", path.stem))
        return shown, str(shown.meta.get("task", robot)), robot
    if not path.exists():
        raise InputError(f"{what}: no such file or folder; for recordings of the catalogue give their --world")
    raise InputError(
        f"{what}: not a dataset of 'simloop generate', not demonstrations of 'simloop demonstrate' and not a trajectory"
        " file; for recordings give their --world"
    )


def on_grid(world: World, recordings: TrajectorySet) -> TrajectorySet:
    """Recordings with a row for each control step of a world, and the rates that they do not hold estimated."""
    from simloop.targets.windows import Replay

    replay = Replay(world, recordings)
    rows = [slice(n) for n in replay.length.tolist()]
    return TrajectorySet(
        channels=world.channels,
        time=np.concatenate([np.arange(n) * world.control_dt for n in replay.length.tolist()]),
        values=np.concatenate([m[r] for m, r in zip(replay.measured, rows, strict=True)]),
        offsets=np.concatenate([[0], np.cumsum(replay.length)]),
        action_channels=world.actions,
        actions=np.concatenate([a[r] for a, r in zip(replay.actions, rows, strict=True)]),
        sources=replay.sources,
    )
