"""What a distribution predicts for windows of recordings: the one thing that all measures look at.

    windows = replay.windows(0.2, every=0.05)
    predicted = ensemble(world, windows, distribution, draws=100, seed=0)
    EnergyScore().measure(predicted, seed=0)

Every window is simulated under `draws` rows of its own. A simulation that diverged is NaN, counted, and left out of
every measure; instants that a recording does not reach are NaN for all and are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.windows import Windows
from simloop.trajectories import Channel, columns, difference, tangents
from simloop.worlds.world import World


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Simulations of n windows, m draws each, beside what was measured at K instants.

    Attributes:
        errors: (n, m, K, D') simulated minus measured, geodesic, one column for each tangent direction of a measured
            channel; NaN where a simulation diverged or nothing was measured.
        changes: (n, m, K, D') simulated minus the state at the window's start.
        real: (n, K, D') measured minus the state at the window's start; NaN where nothing was measured.
        context: (n, C) the conditions that reality and simulation share: where a window starts, how it moves then,
            what is done in it.
        instants: (n, K) s after the window's start.
        channels: the measured channels.
        file: (n,) which file each window is of.
    """

    errors: Array
    changes: Array
    real: Array
    context: Array
    instants: Array
    channels: tuple[Channel, ...]
    file: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.errors)

    @property
    def draws(self) -> int:
        return self.errors.shape[1]

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """(n, K) whether anything was measured."""
        return np.asarray(np.isfinite(self.real).all(axis=2))

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """(n, m) whether a simulation stayed finite at all instants that are compared."""
        return np.asarray((np.isfinite(self.changes).all(axis=3) | ~self.compared[:, None]).all(axis=2))

    @property
    def diverged(self) -> int:
        """How many simulations blew up and are left out."""
        return int((~self.finite).sum())

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """The columns of each channel among the D' tangent columns."""
        return tuple(tangents(self.channels))

    @property
    def shared_unit(self) -> str | None:
        """The unit of all channels, or None where they have several."""
        units = {c.error_unit for c in self.channels}
        return units.pop() if len(units) == 1 else None

    @property
    def unit(self) -> str:
        """The unit of distances over all channels together."""
        return "of persistence" if self.shared_unit is None else self.shared_unit

    @cached_property
    def scales(self) -> Array:
        """(D',) what a distance over several channels divides them by.

        One where all share a unit; else how far, root mean square, reality moves away from a window's start, which
        is the error of predicting that nothing moves.
        """
        if self.shared_unit is not None:
            return np.ones(self.real.shape[2])
        sizes = [np.sqrt((self.real[self.compared][:, at] ** 2).sum(axis=1).mean()) for at in self.parts]
        return np.maximum(np.repeat(sizes, [c.tangent for c in self.channels]), 1e-12)

    def at(self, count: int) -> Ensemble:
        """Return the ensemble at `count` instants of each window, evenly spaced, the last measured one included."""
        if count >= self.errors.shape[2]:
            return self
        last = np.maximum(self.compared.sum(axis=1), 1)[:, None]  # nothing is measured after a recording's end
        k = np.maximum(np.round(last * np.arange(1, count + 1) / count).astype(int) - 1, 0)
        w = np.arange(len(self))[:, None]
        return replace(self, errors=self.errors.transpose(0, 2, 1, 3)[w, k].transpose(0, 2, 1, 3),
                       changes=self.changes.transpose(0, 2, 1, 3)[w, k].transpose(0, 2, 1, 3),
                       real=self.real[w, k], instants=self.instants[w, k])  # fmt: skip

    def take(self, index: NDArray[np.int64]) -> Ensemble:
        """Return the windows `index` (n',)."""
        return replace(self, errors=self.errors[index], changes=self.changes[index], real=self.real[index],
                       instants=self.instants[index], context=self.context[index],
                       file=self.file[index])  # fmt: skip


def ensemble(
    world: World, windows: Windows, distribution: Distribution | None, *, draws: int = 100, seed: int = 0
) -> Ensemble:
    """Simulate windows under draws of a distribution, (n, draws) simulations in all.

    Args:
        world: the simulator; what the distribution says beside the world's own parameters (errors of the start,
            noise of the sensors) is simulated too.
        windows: compared at the instants that they were cut with.
        distribution: drawn from anew for each window; a point is simulated once. None is persistence: nothing moves.
        draws: rows drawn for each window; 1 means its mean parameters alone.
        seed: of the draws and of the world's noise.
    """
    at, channels = measured_columns(world), world.measured
    before, measured = windows.before[:, None, at], windows.measured[..., at]
    instants = windows.segments.recorded * world.control_dt
    simulated = predicted(world, windows, distribution, draws=draws, seed=seed)[..., at]
    return Ensemble(
        errors=difference(simulated, np.broadcast_to(measured[:, None], simulated.shape), channels),
        changes=difference(simulated, np.broadcast_to(before[:, None], simulated.shape), channels),
        real=difference(measured, np.broadcast_to(before, measured.shape), channels),
        context=_context(world, windows),
        instants=np.broadcast_to(instants, (len(windows), len(instants))),
        channels=channels,
        file=windows.file,
    )


def predicted(world: World, windows: Windows, distribution: Distribution | None, *, draws: int, seed: int = 0) -> Array:
    """Simulate windows under draws of a distribution: (n, draws, K, D); NaN where a simulation diverged.

    A point, or a single draw, is its mean parameters alone: without the errors of starts and sensors that a
    distribution may hold. None is persistence.
    """
    n = len(windows)
    if distribution is None:
        return np.broadcast_to(windows.before[:, None, None], windows.measured[:, None].shape)
    if isinstance(distribution, Point) or draws == 1:
        certain, mean = world.central(distribution)
        return certain.simulate(mean, windows.segments, seed=seed).regular[:, None]
    rows = distribution.sample(n * draws, stream(seed, "gap", "draws"))
    segments = windows.segments.take(np.repeat(np.arange(n), draws))
    out = world.under(distribution).simulate(rows, segments, seed=seed).regular
    return out.reshape(n, draws, *out.shape[1:])


def measured_columns(world: World) -> NDArray[np.int64]:
    """Columns of the measured channels among those of all channels."""
    wanted = [np.arange(at.start, at.stop) for c, at in zip(world.channels, columns(world.channels), strict=True)
              if not c.rate_of]  # fmt: skip
    return np.concatenate(wanted)


def _context(world: World, windows: Windows) -> Array:
    """(n, C) where each window starts (angles by sine and cosine), its rates, and mean and spread of its actions."""
    parts: list[Array] = []
    for channel, at in zip(world.channels, columns(world.channels), strict=True):
        x = windows.before[:, at]
        parts += [np.sin(x), np.cos(x)] if channel.kind == "angle" else [x]
    actions = done(windows)
    return np.concatenate([*parts, actions.mean(axis=1), actions.std(axis=1)], axis=1)


def done(windows: Windows) -> Array:
    """The actions in each window, without their past, (n, steps, A)."""
    s = windows.segments
    steps = np.minimum(s.start[:, None] + np.arange(s.steps), s.actions.shape[1] - 1)
    return np.asarray(s.actions[s.recording[:, None], steps])
