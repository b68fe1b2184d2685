"""The gap between simulated and real images: of numbers that a network reads from each of them.

    energy_distance(simulated, real)                    # 0 where the two are one distribution
    told_apart(simulated, real, blocks=(a, b), seed=7)  # how often a classifier is right about images that are new

Images have no pairs, as recordings and their replays have, and neighbours in a drive show nearly the same: what is left
out, exchanged and drawn again are whole blocks of frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.gap.bootstrap import percentile_interval
from simloop.gap.gap import Interval
from simloop.gap.pairs import SIGNIFICANT
from simloop.parameters import Array
from simloop.randomness import stream

#: frames of a drive that are taken for one block
BLOCK = 40
_FOLDS, _EXCHANGES, _RESAMPLES = 5, 200, 500


def energy_distance(x: Array, y: Array, *, within: float | None = None) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples (n, k) and (m, k), without bias; about 0 where they are alike.

    Szekely and Rizzo, "Energy statistics: a class of statistics based on distances" (2013), equation 5, with means
    over different elements. `within` is E|Y - Y'| where it is known already.
    """
    from scipy.spatial.distance import cdist

    own = mean_distance(y) if within is None else within
    return float(2 * cdist(x, y).mean() - mean_distance(x) - own)


def mean_distance(x: Array) -> float:
    """E|X - X'| of different elements of a sample (n, k)."""
    from scipy.spatial.distance import pdist

    return float(pdist(x).mean()) if len(x) > 1 else 0.0


@dataclass(frozen=True)
class ToldApart:
    """How often a classifier says rightly whether an image that it has not seen is real; one half is chance.

    Attributes:
        accuracy: simulated and real images weighing alike.
        interval: 95 %, by blocks.
        p: of exchanging the names of whole blocks, everything trained anew.
    """

    accuracy: float
    interval: Interval
    p: float

    @property
    def verdict(self) -> str:
        said = f"the right one is named in {self.accuracy:.0%} (p = {self.p:.2g})"
        apart = "are told apart" if self.p <= SIGNIFICANT else "cannot be told apart"
        return f"simulated and real images {apart}: {said}"


def told_apart(
    simulated: Array, real: Array, *, blocks: tuple[NDArray[np.int64], NDArray[np.int64]], seed: int = 0
) -> ToldApart:
    """Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017) of features (n, F) and (m, F).

    The classifier is ridge regression on standardised features with a Gaussian kernel; blocks (n,) and (m,) say which
    images belong together and are never parted between learning and trying.
    """
    from scipy.spatial.distance import cdist

    x = np.concatenate([simulated, real])
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    squared = cdist(x, x, "sqeuclidean")
    kernel = np.exp(-squared / max(float(np.median(squared)), 1e-12))
    block = np.concatenate([np.unique(blocks[0], return_inverse=True)[1],
                            blocks[0].max() + 1 + np.unique(blocks[1], return_inverse=True)[1]])  # fmt: skip
    names, block = np.unique(block, return_inverse=True)
    truth = np.zeros(len(names), dtype=bool)
    truth[block[len(simulated) :]] = True
    rng = stream(seed, "gap", "images", "exchanges")
    labels = np.stack([truth, *(rng.permutation(truth) for _ in range(_EXCHANGES))])[:, block]
    fold = _folds(truth, stream(seed, "gap", "images", "folds"))[block]
    right = _right(kernel, labels, fold)
    scores = np.array([_balanced(r, each) for r, each in zip(right, labels, strict=True)])
    p = float((1 + (scores[1:] >= scores[0]).sum()) / (1 + _EXCHANGES))
    return ToldApart(float(scores[0]), _interval(right[0], labels[0], block, truth, seed), p)


def _folds(truth: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """(blocks,) the fold of each block, with as many of both kinds in each as can be."""
    fold = np.empty(len(truth), dtype=np.int64)
    for kind in (True, False):
        mine = np.flatnonzero(truth == kind)
        fold[mine] = rng.permutation(len(mine)) % _FOLDS
    return fold


def _right(kernel: Array, labels: NDArray[np.bool_], fold: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B, n) whether each image is named rightly by what was learned from the other folds, for rows of labels."""
    right = np.zeros(labels.shape, dtype=bool)
    for f in range(_FOLDS):
        test, train = fold == f, fold != f
        if not test.any() or not train.any():
            continue
        own = labels[:, train]
        share = own.mean(axis=1, keepdims=True)
        # both kinds weigh alike, however many there are
        signs = np.where(own, 1 / np.maximum(share, 1e-9), -1 / np.maximum(1 - share, 1e-9)) / 2
        k = kernel[np.ix_(train, train)]
        weights = np.linalg.solve(k + 0.01 * np.trace(k) / len(k) * len(k) ** 0.5 * np.eye(len(k)), signs.T)
        right[:, test] = ((kernel[np.ix_(test, train)] @ weights).T > 0) == labels[:, test]
    return right


def _balanced(right: NDArray[np.bool_], label: NDArray[np.bool_]) -> float:
    return float(np.mean([right[label].mean(), right[~label].mean()]))


def _interval(
    right: NDArray[np.bool_], label: NDArray[np.bool_], block: NDArray[np.int64], truth: NDArray[np.bool_], seed: int
) -> Interval:
    """95 % of the balanced accuracy by drawing blocks of both kinds again."""
    rng = stream(seed, "gap", "images", "bootstrap")
    hits, size = np.bincount(block, right), np.bincount(block)
    halves = []
    for kind in (True, False):
        mine = np.flatnonzero(truth == kind)
        drawn = mine[rng.integers(len(mine), size=(_RESAMPLES, len(mine)))]
        halves.append(hits[drawn].sum(axis=1) / size[drawn].sum(axis=1))
    return percentile_interval(np.mean(halves, axis=0))
