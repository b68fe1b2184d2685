"""Label shift: reality has other labels than simulation, and that is no gap to be closed.

A car on a real track turns right more often than on random roads. An adaptation that makes all of reality look like all
of simulation then bends right turns to straight ones. So real images are drawn, or weigh, so that what the network says
of them so far is distributed as the simulated labels are: Jiang, Lao, Matwin and Havaei, "Implicit class-conditioned
domain alignment for unsupervised domain adaptation" (ICML 2020, arXiv 2006.04996). Departures: labels are numbers, so
they are cut at quantiles; and because what is said of reality is itself in doubt, weights are the roots of those that
would make the distributions equal, and none is below 1/4 or above 4. With full weights nothing holds what is said of
reality in place: a network that leans to one side takes reality for one that does, and leans further.
"""

from __future__ import annotations

import numpy as np

from simloop.parameters import Array

#: into how many parts labels are cut, and how far a weight may be from 1
_PARTS, _MOST = 7, 4.0


def balance(said: Array, labels: Array) -> Array:
    """Weights (m,), about 1 in the mean, under which what is said of real images is distributed more as labels are.

    Args:
        said: (m,) of real images.
        labels: (n,) of simulated ones, in the same unit.
    """
    at = np.unique(np.quantile(labels, np.arange(1, _PARTS) / _PARTS))
    part = np.searchsorted(at, said)
    have = np.bincount(part, minlength=len(at) + 1) / len(said)
    want = np.bincount(np.searchsorted(at, labels), minlength=len(at) + 1) / len(labels)
    weights = want / np.maximum(have, 1e-9)
    return np.asarray(np.clip(weights, 1 / _MOST**2, _MOST**2)[part] ** 0.5)
