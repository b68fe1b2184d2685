"""Pairs for two-sample tests: in every window one simulation and the recording, side by side.

If reality is a draw of the simulation given how a window starts and what is done in it, the two of a pair can change
places. A test that compares what it found with what it finds after changing places at random (in each window with
probability one half) is then exact, however different the windows are from each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.gap.ensemble import Ensemble
from simloop.parameters import Array
from simloop.randomness import stream

#: windows beyond which a test looks at a random part of them: its cost grows with their square
MOST = 1500
PERMUTATIONS = 2000
#: p-value from which on simulation and reality are not told apart
SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class Pairs:
    """Changes from the windows' starts, (n, K, D'), simulated and measured, and what the other draws expect.

    Attributes:
        simulated, real: one simulation and the recording of each window; 0 where nothing was measured.
        centre, spread: (n, K, D') mean and standard deviation of the window's other draws; None where there are fewer
            than ten.
        context: (n, C) standardised.
        file: (n,)
        windows: (n,) which windows of the ensemble these are.
    """

    simulated: Array
    real: Array
    centre: Array | None
    spread: Array | None
    context: Array
    file: NDArray[np.int64]
    windows: NDArray[np.int64]

    @classmethod
    def of(cls, ensemble: Ensemble, *, seed: int) -> Pairs:
        """Take a window's first finite draw as the simulation, and its other draws for what is expected."""
        usable = np.flatnonzero(ensemble.finite.any(axis=1) & ensemble.compared.any(axis=1))
        if len(usable) < 10:
            raise InputError(f"a two-sample test needs at least ten windows that did not diverge, got {len(usable)}")
        if len(usable) > MOST:
            usable = np.sort(stream(seed, "gap", "pairs").choice(usable, MOST, replace=False))
        e = ensemble.take(usable)
        first = e.finite.argmax(axis=1)
        others = e.finite.copy()
        others[np.arange(len(e)), first] = False
        simulated = e.changes[np.arange(len(e)), first]
        measured = e.compared[..., None]
        centre = spread = None
        if others.sum(axis=1).min() >= 10:
            x = np.where(others[:, :, None, None], e.changes, np.nan)
            centre, spread = np.nanmean(x, axis=1), np.nanstd(x, axis=1, ddof=1)
        deviation = e.context.std(axis=0)
        return cls(
            simulated=np.where(measured, simulated, 0.0),
            real=np.where(measured, e.real, 0.0),
            centre=None if centre is None else np.where(measured, centre, 0.0),
            spread=None if spread is None else np.where(measured, spread, 1.0),
            context=((e.context - e.context.mean(axis=0)) / np.maximum(deviation, 1e-9))[:, deviation > 1e-9],
            file=e.file,
            windows=usable,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.real)


def swaps(n: int, *, seed: int, name: str) -> Array:
    """Signs (1 + PERMUTATIONS, n) of which pairs change places: first none, then each with probability one half."""
    drawn = stream(seed, "gap", name, "swaps").integers(0, 2, (PERMUTATIONS, n)) * 2.0 - 1.0
    return np.concatenate([np.ones((1, n)), drawn])


def permutation_p(statistics: Array) -> float:
    """The share of statistics (1 + B,) that are at least the first, which is the observed one."""
    return float((statistics >= statistics[0] * (1 - np.sign(statistics[0]) * 1e-12)).mean())
