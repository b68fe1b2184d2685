"""Recorded targets: a name of the catalogue, or a file, folder or glob of someone's own logs."""

from __future__ import annotations

import warnings
from pathlib import Path

from simloop.columns import ColumnMap
from simloop.errors import DataWarning, InputError, did_you_mean
from simloop.logs import find_logs, read_logs
from simloop.targets import catalogue
from simloop.targets.target import Target
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.world import World


def recorded_target(name: str, world: World, columns: ColumnMap | None = None) -> Target:
    """Return the recordings that `name` means, read as the channels and actions of `world`.

    Args:
        name: an entry of the catalogue with its part ("double-pendulum/design-c1/test"), a log file, a folder of
            logs, or a quoted glob.
        world: whose channels and actions are read.
        columns: which columns hold what; not needed for columns named as in the world's catalogue recordings. Rates
            that it names are read too, and taken as they were recorded.
    """
    found = catalogue.find(name)
    given, columns = columns, columns or world.log_columns
    if found is None:
        files = _own_files(name)
        if len(files) == 1 and (own := _own_set(files[0], world)) is not None:
            return own
        columns = columns or _columns_by_name(world)
        recordings = read_logs(files, columns, _held(columns, world), world.actions)
        return Target(name, recordings, columns.provenance, f"recordings in {name}, as their owner says")
    entry, split = found
    if entry.images:
        raise InputError(
            f"{name!r} are images, with no channels to compare; 'simloop benchmark {entry.name}' uses them"
        )
    if entry.world != world.name.split("/")[0]:
        raise InputError(f"{name!r} are recordings of {entry.world!r}, not of {world.name!r}")
    if not entry.present(split):
        raise InputError(
            f"the recordings {name!r} are not on this machine (looked in {entry.folder}): run 'simloop data get"
            f" {entry.name}', or set SIMLOOP_DATA"
        )
    catalogue.check(entry, split)
    meant = entry.splits[split].world
    if meant and meant != world.name:
        warnings.warn(f"{name!r} are recordings of {meant!r}, compared with {world.name!r}", DataWarning, stacklevel=2)
    part = entry.splits[split]
    if entry.read is not None:
        if given is not None:
            raise InputError(f"{given.source}: {name!r} is read without a column map")
        recordings = entry.read(entry.paths(split))
    else:
        columns = columns or _columns_by_name(world)
        recordings = read_logs(entry.paths(split), columns, _held(columns, world), world.actions)
    if part.episodes is not None:
        recordings = recordings.take(part.episodes)
    return Target(name, recordings, "real recordings", part.machine or entry.machine, entry.source, entry.licence)


def _held(columns: ColumnMap, world: World) -> list[Channel]:
    """The channels that logs with these columns hold: all that are measured, and the rates that the map names."""
    return [*world.measured, *(c for c in world.channels if c.rate_of and c.name in columns.channels)]


def _own_files(name: str) -> list[Path]:
    try:
        return find_logs(name)
    except InputError as error:
        if "no such file or folder" not in str(error):
            raise
        names = [f"{e.name}/{s}" for e in catalogue.entries().values() for s in e.splits]
        hint = did_you_mean(name, names)
        raise InputError(f"{error}, and no target of the catalogue{hint}") from None


def _own_set(file: Path, world: World) -> Target | None:
    """Read a file that simloop wrote itself (`TrajectorySet.save`), or None if it is not one."""
    import numpy as np

    if file.suffix.lower() != ".npz":
        return None
    try:
        with np.load(file, allow_pickle=False) as archive:
            if "record" not in archive.files:
                return None
    except Exception:  # not an archive: the reader of logs says what is wrong with it
        return None
    recordings = TrajectorySet.load(file)
    measured = tuple(c for c in recordings.channels if not c.rate_of)
    known = set(recordings.channels) <= set(world.channels)
    if measured != world.measured or not known or recordings.action_channels != world.actions:
        raise InputError(
            f"{file}: holds channels {', '.join(c.name for c in recordings.channels)}; {world.name!r} needs"
            f" {', '.join(c.name for c in world.measured)}"
        )
    made_by = recordings.meta.get("made by", "simloop")
    return Target(str(file), recordings, "same engine, hidden parameters", f"written by {made_by}")


def _columns_by_name(world: World) -> ColumnMap:
    """Columns called as the world's channels and actions are."""
    from simloop.columns import Column

    return ColumnMap(
        channels={c.name: Column(column=c.name) for c in world.measured},
        actions={a.name: Column(column=a.name) for a in world.actions},
    )
