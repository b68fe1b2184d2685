"""Which behaviour parameters tracks show at all: what part of each the statistics of a recording explain.

    shown(problem, seed=7)["people.speed"]      # 0.95: nearly all; 0 or below: nothing

People are simulated in the stretches of the recordings under rows drawn widely, and a ridge regression says the
parameters of each row from means and quantiles of the statistics. What counts is the part of a parameter's variance
that it explains on rows that it has not seen. A parameter of which nothing is explained would be fitted to noise.
"""

from __future__ import annotations

import numpy as np

from simloop.adapt.behaviour import Behaviour, searched
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream

#: rows, those that are simulated at once, the most stretches of each, and parts of which each is tried by the others
ROWS, _CHUNK, _STRETCHES, _FOLDS = 200, 40, 5, 5
_RIDGE = 10.0


def shown(problem: Behaviour, *, seed: int, progress: Progress = silent) -> dict[str, float]:
    """What part of the variance of each parameter the statistics explain, by name; below 0 where less than nothing."""
    space = problem.fitted
    wide, _ = searched(space)
    every = problem.cut(problem.longest_window)
    pieces = every.take(np.unique(np.linspace(0, len(every) - 1, min(_STRETCHES, len(every))).round().astype(np.int64)))
    summary = problem.summaries(pieces)
    rows = wide.sample(ROWS, stream(seed, "behaviour", "shown"))
    found = []
    for first in range(0, ROWS, _CHUNK):
        part = rows[first : first + _CHUNK]
        found.append(summary.of_simulations(part, stream(seed, "behaviour", "shown", first)))
        progress(f"what tracks show: {first + len(part)} of {ROWS} simulations", (first + len(part)) / ROWS)
    seen = np.concatenate(found)
    fine = np.isfinite(seen).all(axis=1)
    return dict(zip(space.names, explained(seen[fine], space.to_scale(rows[fine])).tolist(), strict=True))


def explained(seen: Array, z: Array) -> Array:
    """Part of the variance of each column of z (n, d) that seen (n, F) explains by ridge regression on new rows."""
    x = (seen - seen.mean(axis=0)) / np.maximum(seen.std(axis=0), 1e-9)
    y = (z - z.mean(axis=0)) / np.maximum(z.std(axis=0), 1e-12)
    fold, said = np.arange(len(x)) % _FOLDS, np.zeros_like(y)
    for f in range(_FOLDS):
        own = x[fold != f]
        weights = np.linalg.solve(own.T @ own + _RIDGE * np.eye(x.shape[1]), own.T @ y[fold != f])
        said[fold == f] = x[fold == f] @ weights
    return np.asarray(1 - ((y - said) ** 2).mean(axis=0))
