"""Any Gymnasium environment as a machine: a mapping says which of its numbers are the world's channels and actions.

    period: 0.05                                   # s, of one step of the environment
    provenance: another engine                     # or: real machine
    observations:
      pole: {cos: 0, sin: 1}                       # an angle from its cosine and sine
      pole.velocity: {column: 2, unit: deg/s, scale: -1}
    actions:
      motor: {column: 0, scale: 0.5, clip: [-2, 2]}   # what the environment gets is scale * action + offset, clipped
    starts: {theta0: pole}                         # reset options that put channels where the task wants them

The environment is a registered id (`gym:Pendulum-v1`), a function that makes it (`gym:package.module:make`), or an
object. Without `starts` it starts where it likes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from simloop.config import Strict, read_yaml
from simloop.errors import InputError, did_you_mean, unknown
from simloop.logs import UNITS
from simloop.parameters import Array
from simloop.targets.live import Machine
from simloop.targets.rollouts import LiveProvenance
from simloop.trajectories import Channel, columns, tangents
from simloop.worlds.world import World


class SensedColumn(Strict):
    """Where a channel is among an environment's observations: one column, or the cosine and sine of an angle."""

    column: int | None = Field(None, ge=0)
    cos: int | None = Field(None, ge=0)
    sin: int | None = Field(None, ge=0)
    unit: str | None = None
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_way(self) -> SensedColumn:
        pair = self.cos is not None and self.sin is not None
        if (self.column is not None) == pair or (self.cos is None) != (self.sin is None):
            raise ValueError("expected either a column, or both cos and sin")
        if pair and self.unit is not None:
            raise ValueError("an angle from its cosine and sine has no unit to say")
        return self


class CommandedColumn(Strict):
    """Where an action goes in an environment: `scale * action + offset`, clipped."""

    column: int = Field(ge=0)
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    clip: tuple[float, float] | None = None


class LiveMapping(Strict):
    """The mapping file.

    Attributes:
        period: s, how long one step of the environment lasts.
        observations, actions: by channel and action of the world; a bare number is a column.
        starts: reset option -> the channel, or channels, whose start it is given.
        recorded: channels that a comparison is made on; by default all that are mapped.
        provenance: what kind of reality it is.
        timeout: s, the longest wait for an answer.
    """

    period: float = Field(gt=0, allow_inf_nan=False)
    observations: dict[str, SensedColumn]
    actions: dict[str, CommandedColumn]
    starts: dict[str, str | list[str]] = Field(default_factory=dict)
    recorded: list[str] | None = None
    provenance: LiveProvenance = "another engine"
    timeout: float = Field(10.0, gt=0)

    @field_validator("observations", "actions", mode="before")
    @classmethod
    def _columns_by_number(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {k: {"column": v} if isinstance(v, int) else v for k, v in value.items()}

    @classmethod
    def read(cls, path: str | Path) -> LiveMapping:
        """Read the file; errors name the file, the line and the field."""
        return read_yaml(path, cls)


class GymnasiumMachine(Machine):
    """An environment as a machine.

    Args:
        world: whose channels and actions are mapped.
        make: returns the environment; called once, when first needed.
        mapping: what is what.
        source: what errors call the mapping.
    """

    def __init__(self, world: World, make: Callable[[], Any], mapping: LiveMapping, source: str = "mapping") -> None:
        self.channels = tuple(c for c in world.channels if c.name in mapping.observations)
        self.actions, self.dt, self.provenance = world.actions, mapping.period, mapping.provenance
        self.timeout = mapping.timeout
        self._make, self._mapping, self._source = make, mapping, source
        self._world = world
        self._environment: Any = None
        self._check_names()
        self.recorded = tuple(c.name for c in self.channels) if mapping.recorded is None else tuple(mapping.recorded)

    def _check_names(self) -> None:
        mapping, world, names = self._mapping, self._world, [c.name for c in self._world.channels]
        starts = [n for v in mapping.starts.values() for n in ([v] if isinstance(v, str) else v)]
        for name in [*mapping.observations, *starts, *(mapping.recorded or [])]:
            if name not in names:
                raise unknown(f"channel of {world.name!r} in {self._source}:", name, names)
        for name in mapping.actions:
            if name not in [a.name for a in world.actions]:
                raise unknown(f"action of {world.name!r} in {self._source}:", name, [a.name for a in world.actions])
        for action in world.actions:
            if action.name not in mapping.actions:
                raise InputError(f"{self._source}: says nowhere where action {action.name!r} goes")
        for channel in self.channels:
            _check_sensed(channel, mapping.observations[channel.name], self._source)

    def starts_near(self) -> bool:
        """Only an environment with `starts` goes where it is told."""
        return bool(self._mapping.starts)

    def reset(self, positions: Array, rates: Array, rest: Array, rng: np.random.Generator) -> Array:
        self.over = False
        if self._environment is None:
            self._environment = self._made()
        options = self._options(positions, rates)
        answer = self._environment.reset(seed=int(rng.integers(2**31)), options=options or None)
        return self._sensed(_parts(answer, 2, "reset")[0])

    def step(self, action: Array, samples: int) -> Array:
        command = np.zeros(self._environment.action_space.shape, dtype=self._environment.action_space.dtype)
        for channel, value in zip(self.actions, action.tolist(), strict=True):
            to = self._mapping.actions[channel.name]
            x = to.scale * value + to.offset
            command[to.column] = x if to.clip is None else min(max(x, to.clip[0]), to.clip[1])
        rows = []
        for _ in range(samples):
            seen, _, terminated, truncated, _ = _parts(self._environment.step(command.copy()), 5, "step")
            rows.append(self._sensed(seen))
            if terminated or truncated:
                self.over = True
                break
        return np.stack(rows)

    def close(self) -> None:
        """Close the environment."""
        if self._environment is not None:
            self._environment.close()

    def _made(self) -> Any:
        """Make the environment and check that the mapping fits its spaces."""
        import gymnasium as gym

        environment = self._make()
        space = getattr(environment, "action_space", None)
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
            raise InputError(f"the environment's action space is {space}; expected a Box of one axis")
        columns_given = {to.column for to in self._mapping.actions.values()}
        if columns_given != set(range(space.shape[0])):
            raise InputError(
                f"the environment takes {space.shape[0]} actions, and {self._source} gives columns"
                f" {', '.join(map(str, sorted(columns_given)))}"
            )
        dt = getattr(environment.unwrapped, "dt", None)
        if isinstance(dt, int | float) and abs(dt - self.dt) > 1e-6:
            raise InputError(f"the environment says that its step lasts {dt:g} s, {self._source} says {self.dt:g} s")
        return environment

    def _options(self, positions: Array, rates: Array) -> dict[str, Any]:
        """The reset options that put the environment at a start."""
        measured = self._world.measured
        value = {c.name: positions[s] for c, s in zip(measured, columns(measured), strict=True)}
        rate = {c.name: rates[s] for c, s in zip(measured, tangents(measured), strict=True)}
        value |= {c.name: rate[c.rate_of] for c in self._world.channels if c.rate_of}
        out: dict[str, Any] = {}
        for option, names in self._mapping.starts.items():
            given = np.concatenate([value[n] for n in ([names] if isinstance(names, str) else names)])
            out[option] = float(given[0]) if isinstance(names, str) and len(given) == 1 else given
        return out

    def _sensed(self, seen: Any) -> Array:
        """The channels (D,) in an observation of the environment."""
        try:
            x = np.asarray(seen, dtype=float)
        except (TypeError, ValueError):
            raise InputError(
                f"the environment's observation is a {type(seen).__name__}, expected numbers on one axis (wrap it in"
                " gymnasium.wrappers.FlattenObservation)"
            ) from None
        most = max(_columns_of(self._mapping.observations.values()))
        if x.ndim != 1 or len(x) <= most:
            raise InputError(
                f"the environment's observation has shape {x.shape}, and {self._source} names column {most}"
            )
        out = []
        for channel in self.channels:
            at = self._mapping.observations[channel.name]
            if at.column is None:
                assert at.cos is not None
                assert at.sin is not None
                value = float(np.arctan2(x[at.sin], x[at.cos]))
            else:
                value = float(x[at.column]) * (_units(channel)[at.unit] if at.unit is not None else 1.0)
            out.append(at.scale * value + at.offset)
        return np.array(out)


def environment_maker(name: str) -> Callable[[], Any]:
    """What makes the environment `name`: "package.module:factory", or a registered id."""
    import gymnasium as gym

    module, colon, factory = name.partition(":")
    if colon:
        try:
            found = getattr(importlib.import_module(module), factory)
        except ImportError as error:
            raise InputError(f"gym:{name}: cannot import {module!r}: {error}") from None
        except AttributeError:
            names = [n for n in vars(importlib.import_module(module)) if not n.startswith("_")]
            raise unknown(f"function of {module!r}:", factory, names) from None
        if not callable(found):
            raise InputError(f"gym:{name}: expected a function or class that makes an environment, got {found!r:.60}")
        return found
    if name not in gym.registry:
        raise InputError(
            f"gym:{name}: Gymnasium knows no environment of that name{did_you_mean(name, gym.registry)}; for your own"
            " write 'gym:package.module:function'"
        )
    return lambda: gym.make(name, disable_env_checker=True)


def _units(channel: Channel) -> Mapping[str, float]:
    return UNITS.get(channel.unit, {channel.unit: 1.0})


def _columns_of(sensed: Any) -> list[int]:
    return [c for s in sensed for c in (s.column, s.cos, s.sin) if c is not None]


def _check_sensed(channel: Channel, sensed: SensedColumn, source: str) -> None:
    if channel.width != 1:
        raise InputError(f"{source}: channel {channel.name!r} has {channel.width} columns; a mapping gives one")
    if sensed.cos is not None and channel.kind != "angle":
        raise InputError(f"{source}: {channel.name!r} is no angle, so it has no cosine and sine")
    if sensed.unit is not None and sensed.unit not in _units(channel):
        raise InputError(
            f"{source}: unit {sensed.unit!r} of {channel.name!r}: expected {', '.join(filter(None, _units(channel)))}"
        )


def _parts(answer: Any, count: int, what: str) -> tuple[Any, ...]:
    if not isinstance(answer, tuple) or len(answer) != count:
        raise InputError(f"the environment's {what} returned {type(answer).__name__}, expected {count} values")
    return answer
