"""The contract of a target: what reality is, and what kind of reality it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simloop.columns import Provenance
from simloop.trajectories import TrajectorySet


@dataclass(frozen=True)
class Target:
    """Recordings to compare a simulation with, and where they come from."""

    name: str
    recordings: TrajectorySet
    provenance: Provenance
    description: str
    source: str = ""
    licence: str = ""

    @property
    def files(self) -> list[str]:
        """The files that the recordings were read from, each once, in order."""
        return list(dict.fromkeys(file_of(s) for s in self.recordings.sources))


def file_of(source: str) -> str:
    """The file of an episode's source: a recording split at a jump in time is still one file."""
    return source.rsplit("[", 1)[0] if source.endswith("]") else source


def short_name(file: str) -> str:
    """The last two parts of a path: enough to tell recordings apart, nothing of the machine they lie on."""
    return "/".join(Path(file).parts[-2:])
