"""Those of a run's stages as types that nothing else of simloop reads back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop.gap import Measured, Mismatch
from simloop.gap.mismatch import Finding, Leftover
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


@dataclass(frozen=True)
class ToldApart:
    """What a classifier found at one horizon, by arm."""

    horizon: float
    arms: dict[str, Measured]

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> ToldApart:
        return cls(float(record["horizon"]), {str(n): Measured.from_dict(m) for n, m in record["arms"].items()})


@dataclass(frozen=True)
class Structure:
    """What the first fit leaves over, or why that was not looked for."""

    found: Mismatch | None
    why_not: str = ""

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Structure:
        if "not looked for" in record:
            return cls(None, str(record["not looked for"]))
        findings = [
            Finding(**{**f, "means": tuple(f["means"]), "edges": tuple(f["edges"])}) for f in record["findings"]
        ]
        leftovers = [
            Leftover(**{**x, "ratio_interval": (x["ratio_interval"][0], x["ratio_interval"][1])})
            for x in record["leftovers"]
        ]
        return cls(
            Mismatch(
                findings=tuple(findings),
                leftovers=tuple(leftovers),
                horizon=float(record["horizon"]),
                windows=int(record["windows"]),
                diverged=int(record["diverged"]),
                questions=int(record["questions"]),
            )
        )


@dataclass(frozen=True)
class Proposed:
    """A recording to make: what to play, (actions, instants), and what it is expected to tell."""

    description: str
    information: float
    narrows: dict[str, float]
    signal: Array


@dataclass(frozen=True)
class Planned:
    """Recordings to make, in order, or why none are proposed."""

    proposals: tuple[Proposed, ...] = ()
    why_not: str = ""
    seconds: float = 0.0
    every: float = 0.0
    considered: int = 0
    strayed: int = 0
    actions: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    ranges: tuple[tuple[str, float, float], ...] = ()  # channel, lowest, highest value that was allowed
    spread: dict[str, float] | None = None  # parameter -> expected spread after all of them, over that before

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Planned:
        if "not planned" in record:
            return cls(why_not=str(record["not planned"]))
        signals = record["signals"]["actions"]
        return cls(
            proposals=tuple(
                Proposed(
                    str(p["description"]),
                    float(p["information"]),
                    {str(n): float(p["narrowed"][n]) for n in p["narrows most"]},
                    np.array(signal, dtype=float),
                )
                for p, signal in zip(record["proposals"], signals, strict=True)
            ),
            seconds=float(record["seconds"]),
            every=float(record["signals"]["every"]),
            considered=int(record["considered"]),
            strayed=int(record["strayed"]),
            actions=tuple(map(str, record["actions"])),
            units=tuple(map(str, record["units"])),
            ranges=tuple((str(n), float(low), float(high)) for n, (low, high) in record["ranges"].items()),
            spread={str(n): float(s["after"]) / float(s["before"]) for n, s in record["spread"].items()},
        )


def without_folders(name: str) -> str:
    """A name, or the last two parts of it where it is a path on this machine."""
    return short_name(name) if Path(name).is_absolute() or name.startswith("~") else name
