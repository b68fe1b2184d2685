"""A dry run on a live machine: is it what the mapping says, before a policy acts on it.

    print(check_live(target).real_time_factor)         # InputError in one sentence if something is wrong

Twice the machine is put at a start and given a few commands: none, then a small one. What cannot be what it measures
(other shapes, NaN, degrees for radians, rates that do not fit their positions, a start far from what was asked) and a
machine that answers more slowly than it is asked are said so.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np

from simloop.errors import DataWarning, InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.live import LiveTarget
from simloop.trajectories import Channel, columns, difference

#: decisions of each of the two tries, half of them with the small command: this part of the range from rest
_DECISIONS, _SMALL = 10, 0.05
#: rad or m from where it should be that an episode may start; more turns than an angle can plausibly be at its start
_NEAR, _MOST_TURNS = 0.3, 2
#: a joint's rate and its motion agree within this factor, once it moved so far (rad or m)
_AGREE, _MOVED = 4.0, 0.1
#: a machine in real time may be late by this part
_LATE = 0.2


@dataclass(frozen=True)
class LiveCheck:
    """What the dry run saw: s of acting, and s of the machine's time that pass in one s of waiting for it."""

    seconds: float
    real_time_factor: float


def check_live(target: LiveTarget) -> LiveCheck:
    """Try a live target; raise an InputError in one sentence if it is not what it is said to be."""
    waits: list[float] = []
    seconds = 0.0
    try:
        for attempt in range(2):
            sensed, start = target.begin(stream(0, "dry run", attempt))
            _check_start(target, sensed[0], start[0])
            rows = [sensed]
            for k in range(_DECISIONS):
                before = time.perf_counter()
                rows.append(target.act(_command(target, small=k >= _DECISIONS // 2), f"at decision {k}"))
                waits.append(time.perf_counter() - before)
                seconds += len(rows[-1]) * target.machine.dt
                if target.machine.over:
                    break
            _check_rates(target, np.concatenate(rows))
        factor = target.task.decision_dt / max(float(np.median(waits)), 1e-9)
        _check_pace(target, factor)
    except InputError as error:
        raise InputError(f"{target.name}, dry run: {error}") from None
    return LiveCheck(seconds, factor)


def _command(target: LiveTarget, *, small: bool) -> Array:
    """The command at rest, or a little off it towards the middle of the task's limits, (A,)."""
    low, high = np.array(target.task.low, dtype=float), np.array(target.task.high, dtype=float)
    rest = np.clip(target.rest, low, high)
    toward = np.where(rest > (low + high) / 2, -1.0, 1.0)
    return np.asarray(rest + small * _SMALL * (high - low) * toward)


def _check_start(target: LiveTarget, sensed: Array, asked: Array) -> None:
    """Raise if an episode starts where it cannot, or far from where it was asked to."""
    measured = {c.name: s for c, s in zip(target.world.measured, columns(target.world.measured), strict=True)}
    for channel, at in zip(target.machine.channels, columns(target.machine.channels), strict=True):
        x = sensed[at]
        if channel.kind == "angle" and abs(float(x[0])) > _MOST_TURNS * 2 * np.pi:
            raise InputError(
                f"angle {channel.name!r} starts at {x[0]:.4g} rad, more than {_MOST_TURNS} turns: if it is in degrees,"
                " say 'unit: deg' in the mapping"
            )
        if channel.name in measured and target.machine.starts_near():
            off = float(np.abs(difference(x, asked[measured[channel.name]], [channel])).max())
            if off > _NEAR:
                raise InputError(
                    f"{channel.name!r} starts {off:.2g} {channel.error_unit} from where it was asked to"
                    f" ({x[0]:.3g} instead of {asked[measured[channel.name]][0]:.3g})"
                )


def _check_rates(target: LiveTarget, rows: Array) -> None:
    """Raise if a sensed rate cannot be that of its sensed position, over rows (T, D) of one try."""
    channels = target.machine.channels
    at = {c.name: s for c, s in zip(channels, columns(channels), strict=True)}
    by_name = {c.name: c for c in channels}
    for channel in channels:
        if channel.rate_of not in at or channel.width != 1 or len(rows) < 3:
            continue
        position: Channel = by_name[channel.rate_of]
        steps = difference(rows[1:, at[position.name]], rows[:-1, at[position.name]], [position])[:, 0]
        rate = rows[:, at[channel.name]][:, 0]
        moved, said = float(steps.sum()), float(((rate[1:] + rate[:-1]) / 2).sum() * target.machine.dt)
        least, most = sorted((abs(moved), abs(said)))
        if most > _MOVED and least * _AGREE < most:
            raise InputError(
                f"{channel.name!r} does not fit {position.name!r}, which moved by {moved:.3g} {position.unit} while its"
                f" rate says {said:.3g}: check their columns, units and scales, and the period"
            )


def _check_pace(target: LiveTarget, factor: float) -> None:
    """Raise if a real machine is slower than it is asked, warn if a simulated one is slower than real time."""
    if factor >= 1 - _LATE:
        return
    dt = target.task.decision_dt
    text = f"answers after {dt / factor:.2g} s to a command that is to be held for {dt:.2g} s"
    if target.provenance == "real machine":
        raise InputError(f"{text}: slower than real time, so what it records is not at the times that it says")
    warnings.warn(f"{target.name} {text}: slower than real time", DataWarning, stacklevel=4)
