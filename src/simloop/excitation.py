"""Excitations: what to command a machine, within limits, so that its recordings tell parameters apart.

    proposed = excitations(world.actions, limits, seconds=4.0, dt=world.control_dt, count=200, seed=0)
    proposed[0].actions, proposed[0].description         # (T, A), "sines of 0.3 to 2.1 Hz, motor1 0.8 N m"

Four families: sums of sines, chirps, levels held or reached by ramps, and recorded actions that are scaled, reversed in
time or given to other actuators. No action exceeds its limit. Excitation i depends on the seed and on i alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import Channel

#: Hz: the slowest frequency, and the fastest where the control step allows
SLOWEST, FASTEST = 0.1, 8.0
#: Hz: up to which a sum of sines is broad
BROAD = 3.0
#: control steps to a period, at least
_PERIOD = 20
#: an actuator that takes part reaches at least this fraction of its limit, and the limit itself in about half of all
#: excitations: strong motion mostly tells more, but not of friction, and not where it leaves its range
_WEAKEST, _STRONGEST = 0.3, 1.7
#: how often all actuators take part; else only one does
_TOGETHER = 0.75
#: s, between two levels
_HOLDS = (0.15, 1.0)
#: where there are recordings, one excitation in this many is made of them
_OF_RECORDINGS = 4


@dataclass(frozen=True, eq=False)
class Excitation:
    """Actions to play on a machine.

    Attributes:
        kind: sines, chirp, levels, ramps or recorded.
        description: what it is, for a person.
        actions: (T, A), one row for each control step, in the actions' units.
        frequencies: (lowest, highest) Hz, where it is made of frequencies.
    """

    kind: str
    description: str
    actions: Array
    frequencies: tuple[float, float] | None = None

    @property
    def peaks(self) -> Array:
        """(A,) the largest action of each actuator, without its sign."""
        return np.asarray(np.abs(self.actions).max(axis=0))


def excitations(
    actions: Sequence[Channel],
    limits: Array,
    *,
    seconds: float,
    dt: float,
    count: int,
    seed: int,
    recorded: Sequence[Array] = (),
) -> list[Excitation]:
    """Draw `count` excitations of all families.

    Args:
        actions: what the machine is driven by.
        limits: (A,) the largest action of each, without its sign.
        seconds: how long each excitation lasts.
        dt: s between two actions.
        count: how many.
        seed: of everything random.
        recorded: (L, A) actions of recordings, one row for each control step, to make others of.
    """
    if not actions:
        raise InputError("this world has no actions, so there is nothing to choose for a recording")
    steps = round(seconds / dt) + 1
    time = np.arange(steps, dtype=np.float64) * dt
    out = []
    for i in range(count):
        rng = stream(seed, "excitation", "proposed", i)
        if recorded and i % _OF_RECORDINGS == 0:
            out.append(_of_recordings(actions, limits, steps, recorded, rng))
        else:
            out.append(_made_up(i % 4, actions, limits, time, rng))
    return out


def multisine(time: Array, width: int, rng: np.random.Generator, band: tuple[float, float] = (SLOWEST, BROAD)) -> Array:
    """Sums of eight sines of random phase and frequency (log-uniform in `band`, Hz), peaking at 1, (T, width)."""
    frequency = np.exp(rng.uniform(np.log(band[0]), np.log(band[1]), (8, width)))
    phase = rng.uniform(0, 2 * np.pi, (8, width))
    waves = np.sin(2 * np.pi * time[:, None, None] * frequency + phase).sum(axis=1)
    return np.asarray(waves / np.abs(waves).max(axis=0))


def _made_up(
    family: int, actions: Sequence[Channel], limits: Array, time: Array, rng: np.random.Generator
) -> Excitation:
    """An excitation of sines in a band (family 0) or over all slow frequencies (1), a chirp (2), or levels (3)."""
    acting, width = _acting(len(actions), rng), len(actions)
    unit, band = np.zeros((len(time), width)), _band(time, rng)
    if family == 1:
        band = (_band_ends(time)[0], min(BROAD, _band_ends(time)[1]))
    if family < 2:
        kind, what = "sines", f"eight sines of {band[0]:.2g} to {band[1]:.2g} Hz"
        unit[:, acting] = multisine(time, len(acting), rng, band)
    elif family == 2:
        first, last = band if rng.random() < 0.5 else band[::-1]
        logarithmic = rng.random() < 0.5
        kind, what = "chirp", f"{'log' if logarithmic else 'linear'} chirp from {first:.2g} to {last:.2g} Hz"
        phase = rng.uniform(0, 2 * np.pi, len(acting))
        unit[:, acting] = np.sin(_chirp_phase(time, first, last, logarithmic)[:, None] + phase)
    else:
        kind = "ramps" if rng.random() < 0.5 else "levels"
        longest = float(np.exp(rng.uniform(np.log(2 * _HOLDS[0]), np.log(_HOLDS[1]))))
        what = f"{kind} {'between' if kind == 'ramps' else 'held for'} {_HOLDS[0]:g} to {longest:.2g} s"
        for j in acting:
            unit[:, j] = _levels(time, longest, kind == "ramps", rng)
    peaks = limits * np.minimum(rng.uniform(_WEAKEST, _STRONGEST, width), 1.0)
    played = np.clip(unit * peaks, -limits, limits)
    return Excitation(kind, f"{what}, {_amplitudes(played, actions)}", played, band if family < 3 else None)


def _of_recordings(
    actions: Sequence[Channel], limits: Array, steps: int, recorded: Sequence[Array], rng: np.random.Generator
) -> Excitation:
    """A stretch of a recording's actions: scaled to the limits, perhaps backwards, perhaps for other actuators."""
    number = int(rng.integers(len(recorded)))
    whole = np.resize(recorded[number], (max(steps, len(recorded[number])), len(actions)))
    first = int(rng.integers(len(whole) - steps + 1))
    played = whole[first : first + steps]
    what = f"recording {number + 1} from row {first + 1}"
    if rng.random() < 0.5:
        played, what = played[::-1], f"{what}, backwards"
    if len(actions) > 1 and rng.random() < 0.5:
        played, what = np.roll(played, 1, axis=1), f"{what}, actuators exchanged"
    most = np.abs(played).max(axis=0)
    scale = np.min(limits / np.maximum(most, 1e-12)) * min(rng.uniform(_WEAKEST, _STRONGEST), 1.0)
    played = np.clip(played * scale, -limits, limits)
    return Excitation("recorded", f"{what}, scaled x {scale:.2g}, {_amplitudes(played, actions)}", played)


def _acting(width: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The actuators that take part: all, or one."""
    return np.arange(width) if rng.random() < _TOGETHER else np.array([rng.integers(width)])


def _band_ends(time: Array) -> tuple[float, float]:
    """Hz: no slower than the excitation is long, no faster than its steps resolve."""
    slowest = max(SLOWEST, 0.5 / time[-1])
    return slowest, max(min(FASTEST, 1 / (_PERIOD * (time[1] - time[0]))), 2 * slowest)


def _band(time: Array, rng: np.random.Generator) -> tuple[float, float]:
    """A band of frequencies between those ends, Hz."""
    slowest, fastest = _band_ends(time)
    low, high = np.sort(np.exp(rng.uniform(np.log(slowest), np.log(fastest), 2)))
    return float(low), float(max(high, 1.5 * low))


def _chirp_phase(time: Array, first: float, last: float, logarithmic: bool) -> Array:
    """The phase (T,), rad, of a sine whose frequency goes from `first` to `last`, Hz."""
    end, ratio = time[-1], last / first
    if logarithmic:
        return np.asarray(2 * np.pi * first * end / np.log(ratio) * (ratio ** (time / end) - 1))
    return np.asarray(2 * np.pi * (first * time + (last - first) * time**2 / (2 * end)))


def _levels(time: Array, longest: float, ramps: bool, rng: np.random.Generator) -> Array:
    """Random levels in [-1, 1], each held for a random time or reached by a ramp, (T,); the largest is 1."""
    count = int(time[-1] / _HOLDS[0]) + 2
    at = np.concatenate([[0.0], np.cumsum(rng.uniform(_HOLDS[0], longest, count))])
    level = rng.uniform(-1, 1, len(at))
    if ramps:
        level[0] = 0.0
        wave = np.interp(time, at, level)
    else:
        wave = level[np.searchsorted(at, time, side="right") - 1]
    return np.asarray(wave / max(np.abs(wave).max(), 1e-12))


def _amplitudes(played: Array, actions: Sequence[Channel]) -> str:
    """The largest action of each actuator that takes part, in words."""
    peaks = np.abs(played).max(axis=0)
    parts = [f"{a.name} {p:.2g} {a.unit}".strip() for a, p in zip(actions, peaks, strict=True) if p > 0]
    return ", ".join(parts) or "nothing"
