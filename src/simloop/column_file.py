"""The YAML file of a column map, with bare names for columns in a channel's own unit."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from simloop.columns import Column, ColumnMap, Provenance
from simloop.config import Strict, read_yaml


class ColumnEntry(Strict):
    """One column of the file."""

    column: str | list[str]
    unit: str | None = None


class ColumnFile(Strict):
    """The file as it is written."""

    time: ColumnEntry = Field(default_factory=lambda: ColumnEntry(column="time"))
    channels: dict[str, ColumnEntry]
    actions: dict[str, ColumnEntry] = Field(default_factory=dict)
    provenance: Provenance = "real recordings"

    @field_validator("time", mode="before")
    @classmethod
    def _time_by_name(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("channels", "actions", mode="before")
    @classmethod
    def _columns_by_name(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {k: {"column": v} if isinstance(v, str | list) else v for k, v in value.items()}

    @classmethod
    def read(cls, path: str | Path) -> ColumnMap:
        """Read a file into a column map; errors name the file, the line and the field."""
        file = read_yaml(path, cls)
        return ColumnMap(
            channels={k: Column(v.column, v.unit) for k, v in file.channels.items()},
            actions={k: Column(v.column, v.unit) for k, v in file.actions.items()},
            time=Column(file.time.column, file.time.unit),
            provenance=file.provenance,
            source=str(path),
        )
