"""Label shift: reality has other labels than simulation, and that is no gap to be closed.

A car on a real track turns right more often than on random roads. An adaptation that makes all of reality look like all
of simulation, or the reverse, then bends right turns to straight ones. So both are compared at equal labels: simulated
images weigh as often as reality has their labels. Those are not known, but can be told from what the network says:
Lipton, Wang and Smola, "Detecting and correcting for label shift with black box predictors" (arXiv 1802.03916),
section 3, regularised towards no shift as in Azizzadenesheli et al. (arXiv 1903.09734), section 2. Departures: labels
are numbers, so they are cut at quantiles; and because what the network says of reality is itself in doubt, no weight is
below 1/4 or above 4.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from simloop.parameters import Array

#: into how many parts labels are cut, the strength of "no shift", and how far a weight may be from 1
_BINS, _RIDGE, _MOST = 7, 0.1, 4.0


def cuts(labels: Array) -> Array:
    """Where labels (n,) are cut into parts with equally many each; fewer where many are the same."""
    return np.unique(np.quantile(labels, np.arange(1, _BINS) / _BINS))


def shares(labels: Array, said: Array, said_of_real: Array, at: Array) -> Array:
    """How often reality has labels of each part, over how often simulation has, by part.

    Args:
        labels: (n,) of simulated images.
        said: (n,) what the network says of them.
        said_of_real: (m,) what it says of real ones.
        at: where labels are cut.
    """
    k = len(at) + 1
    confusion = np.zeros((k, k))
    np.add.at(confusion, (np.searchsorted(at, said), np.searchsorted(at, labels)), 1 / len(labels))
    found = np.bincount(np.searchsorted(at, said_of_real), minlength=k) / len(said_of_real)
    have = np.bincount(np.searchsorted(at, labels), minlength=k) / len(labels)
    # in units of the parts' sizes, so that the ridge is the same for any number of parts
    system = np.vstack([confusion * k, np.sqrt(_RIDGE / k) * np.eye(k)])
    weights = nnls(system, np.concatenate([found * k, np.full(k, np.sqrt(_RIDGE / k))]))[0]
    return _within(weights, have)


def shares_of(labels: Array, at: Array, by_part: Array) -> Array:
    """(n,) the share of each label."""
    return np.asarray(by_part[np.searchsorted(at, labels)])


def balance(said: Array, labels: Array) -> Array:
    """(m,) weights under which what is said of real images is distributed as simulated labels (n,) are."""
    at = cuts(labels)
    k = len(at) + 1
    have = np.bincount(np.searchsorted(at, said), minlength=k) / len(said)
    want = np.bincount(np.searchsorted(at, labels), minlength=k) / len(labels)
    by_part = _within(want / np.maximum(have, 1e-9), have)
    return shares_of(said, at, by_part)


def _within(weights: Array, parts: Array) -> Array:
    """Weights from 1/4 to 4 whose mean over the parts (k,) is 1, or as near as that allows."""
    for _ in range(10):
        mean = max(float(weights @ parts) / float(parts.sum()), 1e-9)
        weights = np.clip(weights / mean, 1 / _MOST, _MOST)
    return np.asarray(weights)
