"""Does every parameter do something, and which cannot be told apart?

Each parameter is moved across the world's range while the others stay; windows with rich actions are replayed. A
parameter whose whole range moves no observed channel by more than rounding has no effect, and the audit fails.
Parameters that move everything in the same direction cannot be told apart by any recording like these. What a world
says that no replay depends on (`World.elsewhere`) is left out: frames and running batches show it.

A world in which nothing is replayed is asked what happens in it (`World.outcomes`). There a parameter may matter only
beside values that others do not have by default, as the size of groups where nobody walks in one; what does nothing at
the default is moved again beside draws of the world's `wide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simloop.distributions import Uniform
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.target import Target
from simloop.targets.windows import Replay, Windows
from simloop.trajectories import difference
from simloop.worlds.world import World

#: the largest change of any channel, as a fraction of how much that channel moves, that still counts as none
NO_EFFECT = 1e-9
#: cosine between two parameters' effects from which on they cannot be told apart
ALIKE = 0.98
#: values of a parameter, from one end of its range to the other
_STEPS = np.linspace(0, 1, 5)
#: draws of `wide` beside which a parameter is moved that does nothing at the default
_DRAWS = 4


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        effects: parameter -> largest change of any channel across its range, as a fraction of the channel's motion.
        dead: parameters without effect.
        elsewhere: parameters that only frames and running batches show, which are not moved here.
        alike: (parameter, parameter, cosine of their effects) that cannot be told apart.
        reproducible: whether two simulations, and a division of the work, gave the same bytes.
        diverged: simulations that blew up on the way.
        windows: how many windows were replayed; 0 where the world was asked for outcomes.
        target: what they were taken from; "" where the world was asked for outcomes.
    """

    effects: dict[str, float]
    dead: list[str]
    elsewhere: list[str]
    alike: list[tuple[str, str, float]]
    reproducible: bool
    diverged: int
    windows: int
    target: str

    @property
    def passed(self) -> bool:
        return not self.dead and self.reproducible

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "passed": self.passed}


def audit_parameters(world: World, target: Target, *, horizon: float = 0.5, count: int = 48) -> Audit:
    """Move each parameter of a world across its range and see what changes on windows of a target."""
    replay = Replay(world, target.recordings)
    windows = replay.windows(min(horizon, float(replay.length.max() - 25) * world.control_dt), every=world.control_dt)
    windows = windows.take(np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).round().astype(int)))
    space = world.parameters
    base, diverged = _run(world, windows, space.default)
    motion = np.maximum(np.sqrt(np.nanmean(difference(base, base[:, :1], world.channels) ** 2, axis=(0, 1))), 1e-9)
    effects: dict[str, float] = {}
    directions = []
    names = [n for n in space.names if n not in world.elsewhere]
    for j, name in ((space.index(n), n) for n in names):
        changes = []
        for row in _moved(world, space.default, j):
            moved, bad = _run(world, windows, row)
            diverged += bad
            changes.append(difference(moved, base, world.channels) / motion)
        effects[name] = float(np.nanmax(np.abs(changes)))
        directions.append(np.nan_to_num(changes[-1] - changes[0]).ravel())
    half = windows.take(np.arange((len(windows) + 1) // 2))  # noise is keyed by a segment's number, so the first ones
    again, _ = _run(world, windows, space.default)
    part, _ = _run(world, half, space.default)
    return Audit(
        effects=effects,
        dead=[n for n, e in effects.items() if not e > NO_EFFECT],
        elsewhere=[n for n in space.names if n in world.elsewhere],
        alike=_alike(names, directions),
        reproducible=again.tobytes() == base.tobytes() and part.tobytes() == base[: (len(windows) + 1) // 2].tobytes(),
        diverged=diverged,
        windows=len(windows),
        target=target.name,
    )


def audit_outcomes(world: World, *, seed: int = 0) -> Audit:
    """Move each parameter of a world across its range and see what changes of what happens in it.

    Raises:
        InputError: for a world in which recordings are replayed.
    """
    if world.replayed:
        raise InputError(f"world {world.name!r} is audited on recordings; give a target")
    space, names = world.parameters, [n for n in world.parameters.names if n not in world.elsewhere]
    wide = world.distributions().get("wide")
    default = world.outcomes(space.default[None], seed=seed)[0]
    size = np.maximum(np.abs(default), 1.0)
    effects: dict[str, float] = {}
    directions: list[Array] = []
    for name in names:
        j = space.index(name)
        rows = _moved(world, space.default, j)
        changes = (world.outcomes(rows, seed=seed) - default) / size
        effects[name] = float(np.abs(changes).max())
        directions.append(changes[-1] - changes[0])
        for k in range(_DRAWS if wide is not None and not effects[name] > NO_EFFECT else 0):
            row = wide.sample(1, stream(seed, "audit", k))[0] if wide is not None else space.default
            ends = world.outcomes(_moved(world, row, j), seed=seed)
            effects[name] = max(effects[name], float(np.abs((ends - ends[:1]) / size).max()))
            if effects[name] > NO_EFFECT:
                break
    again = world.outcomes(np.repeat(space.default[None], 2, axis=0), seed=seed)
    return Audit(
        effects=effects,
        dead=[n for n, e in effects.items() if not e > NO_EFFECT],
        elsewhere=[n for n in space.names if n in world.elsewhere],
        alike=_alike(names, directions),
        reproducible=all(row.tobytes() == default.tobytes() for row in again),
        diverged=0,
        windows=0,
        target="",
    )


def _moved(world: World, row: Array, j: int) -> Array:
    """(steps, d) a row with its parameter j moved across its range."""
    space = world.parameters
    low, high = (space.to_scale(end) for end in _range(world))
    z = np.repeat(space.to_scale(row)[None], len(_STEPS), axis=0)
    z[:, j] = low[j] + _STEPS * (high[j] - low[j])
    return space.round(space.from_scale(z))


def _alike(names: list[str], directions: list[Array]) -> list[tuple[str, str, float]]:
    """The pairs of parameters that move everything in the same direction."""
    unit = np.array([d / max(float(np.linalg.norm(d)), 1e-300) for d in directions])
    cosine = unit @ unit.T
    alike = [(names[i], names[j], float(cosine[i, j])) for j in range(len(names)) for i in range(j)
             if abs(cosine[i, j]) > ALIKE]  # fmt: skip
    return sorted(alike, key=lambda p: -abs(p[2]))


def _range(world: World) -> tuple[Array, Array]:
    """Where each parameter is moved: the world's `wide` range, else two prior spreads to both sides."""
    space = world.parameters
    wide = world.distributions().get("wide")
    if isinstance(wide, Uniform):
        return wide.low, wide.high
    z = space.to_scale(space.default)
    return tuple(np.clip(space.from_scale(z + s * 2 * space.spread), space.low, space.high) for s in (-1, 1))  # type: ignore[return-value]


def _run(world: World, windows: Windows, row: Array) -> tuple[Array, int]:
    out = world.simulate(row[None], windows.segments)
    assert out.diverged is not None
    return out.regular, int(out.diverged.sum())
