"""The problem that every adaptation works on: a world, recordings of the real thing, and how they are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from simloop.adapt.discrepancy import Discrepancy
from simloop.gap.simopt_discrepancy import TOLERANCE, filtered_norms
from simloop.parameters import Array
from simloop.targets.target import Target
from simloop.targets.windows import Replay, Windows
from simloop.trajectories import difference, tangents
from simloop.worlds.world import Segments, World


class Comparison(Discrepancy[Windows]):
    """Replays windows of a target's recordings in a world, and counts what it simulated.

    Args:
        world: the simulator.
        target: recordings of what it simulates.
        every: s between two compared instants of a window.

    `rollouts` (windows simulated) and `simulated_seconds` add up over everything done through this object.
    """

    def __init__(self, world: World, target: Target, *, every: float = 0.02) -> None:
        self.world, self.target = world, target
        self.replay = Replay(world, target.recordings)
        self.every = max(every, world.control_dt)
        self.rollouts = 0
        self.simulated_seconds = 0.0

    @property
    def longest_window(self) -> float:
        return self.replay.longest_window

    def cut(self, horizon: float, *, stride: float | None = None) -> Windows:
        """Cut windows of `horizon` s, one each `stride` s (default: not overlapping), compared each `every` s."""
        return self.replay.windows(horizon, stride=stride, every=self.every)

    def cuts(self, horizons: Iterable[float], *, stride: float = 1.0) -> list[Windows]:
        """The distinct cuts of several horizons (s), shortened to what the recordings hold; `stride` in windows.

        A world that is replayed whole has one cut, whatever the horizons.
        """
        lengths = sorted({min(h, self.replay.longest_window) for h in horizons})
        return [self.cut(h, stride=stride * h) for h in (lengths[-1:] if self.world.whole else lengths)]

    def scales(self, windows: Windows) -> Array:
        """(D',) the error of each channel that counts as one.

        TOLERANCE of how much it changes in a window, or what the world itself says.
        """
        change = difference(windows.measured, windows.before[:, None], self.world.channels)
        found = np.asarray(np.maximum(TOLERANCE * np.sqrt(np.nanmean(change**2, axis=(0, 1))), 1e-9))
        for channel, at in zip(self.world.channels, tangents(self.world.channels), strict=True):
            if channel.name in self.world.tolerances:
                found[at] = self.world.tolerances[channel.name]
        return found

    def simulate(self, rows: ArrayLike, windows: Windows) -> Array:
        """Simulate every window under every row: (n, d) -> (n, W, K, D); diverged simulations are NaN."""
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        n, count = len(x), len(windows)
        segments = windows.segments.take(np.tile(np.arange(count), n))
        out = self.simulate_each(np.repeat(x, count, axis=0), segments)
        return out.reshape(n, count, *out.shape[1:])

    def simulate_each(self, rows: Array, segments: Segments, *, world: World | None = None, seed: int = 0) -> Array:
        """Simulate segment i under row i: (n, d) and n segments -> (n, K, D); diverged simulations are NaN.

        `world` is the comparison's own, or that seen through errors (`World.under`).
        """
        self.rollouts += len(segments)
        self.simulated_seconds += len(segments) * segments.steps * self.world.control_dt
        return (world or self.world).simulate(rows, segments, seed=seed).regular

    def residuals(self, rows: ArrayLike, windows: Windows) -> Array:
        """Simulated minus measured, in units of `scales`: (n, d) -> (n, W, K, D'); 0 where nothing was measured."""
        apart = difference(self.simulate(rows, windows), windows.measured[None], self.world.channels)
        apart[:, np.isnan(windows.measured).any(axis=-1)] = 0.0
        scaled: Array = apart / self.scales(windows)
        return scaled

    def start_residuals(self, row: Array, windows: Windows, offsets: Array) -> Array:
        """Residuals under one row from starts moved by offsets (m, S) in the state's layout: (m, W, K, D')."""
        many = np.tile(np.arange(len(windows)), len(offsets))
        segments = windows.segments.take(many)
        moved = replace(segments, state=segments.state + np.repeat(offsets, len(windows), axis=0))
        out = self.residuals(row, replace(windows.take(many), segments=moved))[0]
        return out.reshape(len(offsets), len(windows), *out.shape[1:])

    def every_step(self, windows: Windows) -> Windows:
        """The same windows compared at every control step (for measures that filter over time)."""
        s = replace(windows.segments, every=1)
        return replace(windows, segments=s, measured=self.replay.measured_at(s))

    def discrepancy(
        self, rows: ArrayLike, windows: Windows, *, l1: float = 0.5, l2: float = 1.0, sigma: float = 5.0
    ) -> Array:
        """SimOpt's discrepancy of each row, (n, d) -> (n,): arXiv 1810.05687, equation 6.

        The weighted L1 plus squared L2 norm of the error, Gaussian-filtered over time with `sigma` steps (truncated
        at 4 sigma), averaged over windows. The weights W are a fifth of the reciprocals of `scales`. A row under which
        any window diverges gets infinity.
        """
        windows = self.every_step(windows)
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        each = max(1, 4096 // len(windows))
        costs = []
        for a in range(0, len(x), each):
            total = filtered_norms(self.residuals(x[a : a + each], windows), l1=l1, l2=l2, sigma=sigma)
            costs.append(total.mean(axis=1) / windows.segments.steps)
        cost = np.concatenate(costs)
        return np.where(np.isfinite(cost), cost, np.inf)

    def distance(self, rows: ArrayLike, windows: Windows) -> Array:
        """Mean distance of each row's simulations from the recordings, (n, d) -> (n,): measured channels alone.

        Each channel's error (of a rotation its angle, of a point its distance) is divided by how much the channel
        changes in a window, and averaged over instants, windows and channels. A row under which any window diverges
        gets infinity.
        """
        x, channels = np.atleast_2d(np.asarray(rows, dtype=float)), self.world.channels
        each, costs = max(1, 4096 // len(windows)), []
        for a in range(0, len(x), each):
            e = TOLERANCE * self.residuals(x[a : a + each], windows)
            parts = [np.linalg.norm(e[..., at], axis=-1).mean(axis=(1, 2))
                     for c, at in zip(channels, tangents(channels), strict=True) if not c.rate_of]  # fmt: skip
            costs.append(np.mean(parts, axis=0))
        cost = np.concatenate(costs)
        return np.where(np.isfinite(cost), cost, np.inf)
