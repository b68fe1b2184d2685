"""Which columns of a log hold the time, the observed channels and the actions, and in which units:

time: {column: t, unit: ms}
channels: {shoulder: {column: pos1, unit: deg}, elbow: pos2}
actions: {motor1: tau1}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

#: said beside every figure: real recordings, another engine, or the same engine with hidden parameters
Provenance = Literal["real recordings", "another engine", "same engine, hidden parameters"]


@dataclass(frozen=True)
class Column:
    """A column of a log (four, in the order w, x, y, z, for a quaternion) and the unit that it is written in."""

    column: str | list[str]
    unit: str | None = None

    @property
    def names(self) -> list[str]:
        return [self.column] if isinstance(self.column, str) else self.column


@dataclass(frozen=True)
class ColumnMap:
    """Columns by channel and action, and what kind of reality the logs are of, as their owner says."""

    channels: Mapping[str, Column]
    actions: Mapping[str, Column] = field(default_factory=dict)
    time: Column = Column("time")
    provenance: Provenance = "real recordings"
    #: what errors call this map
    source: str = "column map"

    @classmethod
    def read(cls, path: str | Path) -> ColumnMap:
        """Read the map from a YAML file."""
        from simloop.column_file import ColumnFile  # brings pydantic, which most commands can do without

        return ColumnFile.read(path)
