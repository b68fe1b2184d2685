"""Two of a run's stages as types: the targets, and the replayed windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop.parameters import Array
from simloop.targets.target import short_name


@dataclass(frozen=True)
class TargetRecord:
    """A target as the run kept it."""

    name: str
    provenance: str
    description: str
    files: tuple[str, ...]
    seconds: float
    source: str = ""
    licence: str = ""

    @property
    def real(self) -> bool:
        return self.provenance == "real recordings"

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> TargetRecord:
        return cls(
            **{**record, "name": without_folders(record["name"]), "files": tuple(map(without_folders, record["files"]))}
        )


@dataclass(frozen=True)
class Replays:
    """Measured and simulated trajectories of a few windows, (windows, columns, instants)."""

    horizon: float
    time: Array
    channels: tuple[str, ...]
    units: tuple[str, ...]
    files: tuple[str, ...]
    starts: tuple[float, ...]
    measured: Array
    arms: dict[str, dict[str, Array]]

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Replays:
        arms = {a: {k: np.array(v, dtype=float) for k, v in arm.items()} for a, arm in record["arms"].items()}
        replays = cls(
            horizon=float(record["horizon"]),
            time=np.array(record["time"], dtype=float),
            channels=tuple(record["channels"]),
            units=tuple(record["units"]),
            files=tuple(map(without_folders, record["files"])),
            starts=tuple(map(float, record["starts"])),
            measured=np.array(record["measured"], dtype=float),
            arms=arms,
        )
        shape = (len(replays.files), replays.measured.shape[1], len(replays.time))
        if any(a.shape != shape for arm in [{"": replays.measured}, *arms.values()] for a in arm.values()):
            raise ValueError("arrays of different shapes")
        return replays


def without_folders(name: str) -> str:
    """A name, or the last two parts of it where it is a path on this machine."""
    return short_name(name) if Path(name).is_absolute() or name.startswith("~") else name
