"""Trajectories: what was observed and done over time, simulated or recorded, in one layout.

A `TrajectorySet` holds many episodes of any lengths as flat arrays: row r belongs to the episode e with
`offsets[e] <= r < offsets[e + 1]`. Channels know their unit and kind, so that differences are geodesic where they
must be: an angle differs by at most half a turn, a quaternion by a rotation.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, unknown
from simloop.parameters import Array

ChannelKind = Literal["linear", "angle", "quaternion", "spin", "point", "category"]
_WIDTH = {"quaternion": 4, "spin": 3, "point": 3}


@dataclass(frozen=True)
class Channel:
    """One observed or commanded quantity.

    `width` columns: 4 for a quaternion (w, x, y, z), 3 for a spin (angular velocity in the body's frame) and for a
    point (a place or a velocity in space), else 1. `rate_of` names the channel whose time derivative this one is;
    recordings need not hold it.
    """

    name: str
    unit: str = ""
    kind: ChannelKind = "linear"
    rate_of: str = ""

    @property
    def width(self) -> int:
        return _WIDTH.get(self.kind, 1)

    @property
    def tangent(self) -> int:
        """Columns of a difference and of a rate: three for a quaternion, else as many as the channel has."""
        return 3 if self.kind == "quaternion" else self.width

    @property
    def column_names(self) -> list[str]:
        """What its columns are called in a table: its name, with a number where there are several."""
        return [self.name] if self.width == 1 else [f"{self.name}.{k}" for k in range(self.width)]

    @property
    def signed(self) -> bool:
        """Whether its error is one signed number; that of a rotation is an angle, that of a point a distance."""
        return self.kind not in ("quaternion", "point")

    @property
    def error_unit(self) -> str:
        return "rad" if self.kind == "quaternion" else self.unit


def columns(channels: Sequence[Channel]) -> list[slice]:
    """Return where each channel stands among the columns of `values`."""
    ends = np.cumsum([0] + [c.width for c in channels])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def tangents(channels: Sequence[Channel]) -> list[slice]:
    """Return where each channel stands among the columns of `difference`."""
    ends = np.cumsum([0] + [c.tangent for c in channels])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def difference(a: Array, b: Array, channels: Sequence[Channel]) -> Array:
    """Return a - b channel by channel, geodesic: (..., D) and (..., D) -> (..., sum of tangent widths).

    Linear channels subtract; angles (rad) wrap into [-pi, pi); quaternions give the rotation vector (rad, 3
    columns) that takes b to a, in b's frame; categories give 0 where equal and 1 where not.
    """
    parts = []
    for channel, at in zip(channels, columns(channels), strict=True):
        x, y = a[..., at], b[..., at]
        if channel.kind == "angle":
            parts.append((x - y + np.pi) % (2 * np.pi) - np.pi)
        elif channel.kind == "quaternion":
            parts.append(rotation_between(y, x))
        elif channel.kind == "category":
            parts.append((x != y).astype(float))
        else:
            parts.append(x - y)
    return np.concatenate(parts, axis=-1)


def displaced(a: Array, by: Array, channels: Sequence[Channel]) -> Array:
    """Return b with `difference(b, a) == by`: (..., D) and (..., sum of tangent widths) -> (..., D)."""
    parts = []
    for channel, at, own in zip(channels, columns(channels), tangents(channels), strict=True):
        x, step = a[..., at], by[..., own]
        parts.append(rotated(x, step) if channel.kind == "quaternion" else x + step)
    return np.concatenate(parts, axis=-1)


def rotated(q: Array, vector: Array) -> Array:
    """Return q * exp(vector / 2) for quaternions (..., 4) and rotation vectors (..., 3), rad, in q's own frame."""
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    w, v = np.cos(angle / 2), vector * np.sinc(angle / (2 * np.pi)) / 2
    out = [q[..., :1] * w - (q[..., 1:] * v).sum(-1, keepdims=True), q[..., :1] * v + w * q[..., 1:]]
    out[1] = out[1] + np.cross(q[..., 1:], v)
    return np.concatenate(out, axis=-1)


def rotation_between(p: Array, q: Array) -> Array:
    """Return the rotation vector (..., 3), rad, of conj(p) * q for unit quaternions (..., 4) in w, x, y, z."""
    w = (p * q).sum(-1)
    pv, qv = p[..., 1:], q[..., 1:]
    v = p[..., :1] * qv - q[..., :1] * pv - np.cross(pv, qv)
    sign = np.where(w < 0, -1.0, 1.0)
    norm = np.linalg.norm(v, axis=-1)
    angle = 2 * np.arctan2(norm, np.abs(w))
    scale = np.where(norm > 1e-12, angle / np.maximum(norm, 1e-12), 2.0)
    return np.asarray(v * (sign * scale)[..., None])


@dataclass(frozen=True, eq=False)
class TrajectorySet:
    """Episodes of observations and actions.

    Attributes:
        channels, action_channels: what the columns of `values` and `actions` are.
        time: (N,) s, increasing inside an episode.
        values: (N, D) observations; NaN throughout an episode that diverged.
        actions: (N, A) the action that holds from this row's time on.
        offsets: (E + 1,) first row of each episode, and N.
        entity: (N,) whose row it is, where an episode has several (people in a crowd); zeros otherwise.
        parameters: (E, d) drawn parameters, or None for recordings of the real thing.
        diverged: (E,) whether the simulation blew up.
        sources: one name for each episode: the file it was read from, or what made it.
        meta: seed, world, versions, hash of the distribution.
    """

    channels: tuple[Channel, ...]
    time: Array
    values: Array
    offsets: NDArray[np.int64]
    action_channels: tuple[Channel, ...] = ()
    actions: Array = field(default_factory=lambda: np.zeros((0, 0)))
    entity: NDArray[np.int64] | None = None
    parameters: Array | None = None
    diverged: NDArray[np.bool_] | None = None
    sources: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, width = len(self.time), sum(c.width for c in self.channels)
        if self.values.shape != (n, width):
            raise InputError(f"trajectory values must have shape ({n}, {width}), got {self.values.shape}")
        if self.offsets[0] != 0 or self.offsets[-1] != n or (np.diff(self.offsets) < 0).any():
            raise InputError(f"trajectory offsets must rise from 0 to {n}")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def regular(self) -> Array:
        """Values as (E, T, D) where every episode has the same length; an InputError otherwise."""
        lengths = np.diff(self.offsets)
        if len(lengths) and (lengths != lengths[0]).any():
            raise InputError("these episodes have different lengths")
        length = int(lengths[0]) if len(lengths) else 0
        return self.values.reshape(len(self), length, self.values.shape[1])

    @property
    def content_hash(self) -> str:
        """Sixteen hex digits that name the values, times and actions."""
        digest = hashlib.sha256(self.values.tobytes())
        digest.update(self.time.tobytes() + self.actions.tobytes())
        return digest.hexdigest()[:16]

    def episode(self, e: int) -> TrajectorySet:
        """Return episode e alone."""
        return self.take([e])

    def take(self, index: Sequence[int]) -> TrajectorySet:
        """Return the episodes `index`, in that order."""
        rows = np.concatenate([np.arange(self.offsets[e], self.offsets[e + 1]) for e in index])
        at = np.asarray(index, dtype=np.int64)
        return TrajectorySet(
            channels=self.channels,
            time=self.time[rows],
            values=self.values[rows],
            offsets=np.concatenate([[0], np.cumsum(np.diff(self.offsets)[at])]),
            action_channels=self.action_channels,
            actions=self.actions[rows] if len(self.actions) else self.actions,
            entity=None if self.entity is None else self.entity[rows],
            parameters=None if self.parameters is None else self.parameters[at],
            diverged=None if self.diverged is None else self.diverged[at],
            sources=tuple(self.sources[e] for e in index) if self.sources else (),
            meta=self.meta,
        )

    def column(self, name: str) -> Array:
        """Return the column(s) of the observed channel or action `name`: (N,), or (N, 4) for a quaternion."""
        for channels, values in ((self.channels, self.values), (self.action_channels, self.actions)):
            for channel, at in zip(channels, columns(channels), strict=True):
                if channel.name == name:
                    return values[:, at] if channel.width > 1 else values[:, at.start]
        raise unknown("channel", name, [c.name for c in self.channels + self.action_channels])

    def save(self, path: str | Path) -> None:
        """Write the set to one `.npz` file without pickle, aside and then renamed."""
        import json

        from simloop.runs import write_aside

        record = {
            "format": "simloop trajectories 1",
            "channels": [[c.name, c.unit, c.kind, c.rate_of] for c in self.channels],
            "action_channels": [[c.name, c.unit, c.kind] for c in self.action_channels],
            "sources": list(self.sources),
            "meta": self.meta,
        }
        arrays = {"time": self.time, "values": self.values, "offsets": self.offsets, "actions": self.actions}
        for name in ("entity", "parameters", "diverged"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        with write_aside(Path(path)) as file:
            np.savez(file, record=np.array(json.dumps(record)), allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> TrajectorySet:
        """Read what `save` wrote."""
        import json

        try:
            with np.load(path, allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                arrays = {k: file[k] for k in file.files if k != "record"}
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except Exception:  # a damaged archive raises whatever its decompressor does
            raise InputError(
                f"{path}: not a trajectory file of simloop (expected what TrajectorySet.save wrote)"
            ) from None
        try:
            return cls(
                channels=tuple(Channel(*c) for c in record["channels"]),
                action_channels=tuple(Channel(*c) for c in record["action_channels"]),
                sources=tuple(record["sources"]),
                meta=record["meta"],
                **arrays,
            )
        except (KeyError, TypeError, IndexError, ValueError) as error:
            why = error if isinstance(error, InputError) else "fields are missing or of another kind"
            raise InputError(f"{path}: not what TrajectorySet.save wrote: {why}") from None
