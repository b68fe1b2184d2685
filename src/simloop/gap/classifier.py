"""Classifier two-sample test: can a classifier tell simulation from reality, and by which channels?

Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (ICLR 2017): train a classifier to tell two samples apart;
its accuracy on data that it has not seen is near one half if they are alike. Departures, all so that few windows of
very different motions suffice and the test stays exact:

- it is shown pairs, one simulation and the recording of the same window, and has to say which is the real one;
- it knows what the simulation expects: motions are given as deviations from the mean of the window's other draws, in
  units of their spread (without other draws: as changes since the window's start);
- it is linear in deviations, their products, and their products with the window's conditions (where it starts, how it
  moves, what is done), fitted by ridge regression, so that thousands of permutations cost one factorisation;
- the p-value is by changing places within pairs (`gap/pairs.py`), with everything trained anew, not by a normal limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.measure import ChannelValue, Measured
from simloop.gap.pairs import SIGNIFICANT, Pairs, permutation_p, swaps
from simloop.parameters import Array
from simloop.randomness import stream

FOLDS = 5


@dataclass(frozen=True)
class Classifier:
    """How often a classifier, given an unseen pair, names the real one; one half is chance, and the best value.

    Attributes:
        ridge: strength of the classifier's regularisation, as a fraction of the features' mean square.
    """

    name: ClassVar[str] = "classifier"
    summary: ClassVar[str] = "how often a classifier names the real one of a pair, with a permutation p-value"
    instants: ClassVar[int] = 4
    least_draws: ClassVar[int] = 1

    ridge: float = 1.0

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        pairs = Pairs.of(ensemble.at(self.instants), seed=seed)
        signs = swaps(len(pairs), seed=seed, name=self.name)
        fold = stream(seed, "gap", "folds").permutation(len(pairs)) % FOLDS
        right = self._right(pairs, slice(None), signs, fold)
        p = permutation_p(right.mean(axis=1))
        accuracy = weighted_mean(right[0], bootstrap_weights(pairs.file, seed))
        parts = []
        for channel, at in zip(ensemble.channels, ensemble.parts, strict=True):
            own = self._right(pairs, at, signs, fold).mean(axis=1)
            parts.append(ChannelValue(channel.name, "of pairs", float(own[0]), {"p": permutation_p(own)}))
        by = [c.channel for c in parts if c.extra["p"] * len(parts) <= SIGNIFICANT]
        return Measured(
            name=self.name,
            value=float(accuracy[0]),
            interval=percentile_interval(accuracy[1:]),
            unit="of pairs",
            parts=tuple(parts),
            windows=len(pairs),
            diverged=ensemble.diverged,
            draws=ensemble.draws,
            verdict=_verdict(float(accuracy[0]), p, by),
            extra={"p": p, "by channels": by, "told apart": p <= SIGNIFICANT},
        )

    def _right(self, pairs: Pairs, at: slice, signs: Array, fold: NDArray[np.int64]) -> Array:
        """(1 + B, n) whether the classifier trained on the other folds names the real one, for each row of signs.

        Changing places turns the sign of a pair's difference of features, which leaves the Gram matrix as it is up
        to signs: one factorisation in each fold serves all permutations.
        """
        difference = _features(pairs, at)
        gram = difference @ difference.T
        penalty = self.ridge * np.trace(gram) / len(gram)
        scores = np.empty(signs.shape)
        for f in range(FOLDS):
            test, train = fold == f, fold != f
            weights = np.linalg.solve(
                gram[np.ix_(train, train)] + max(penalty, 1e-12) * np.eye(train.sum()), gram[np.ix_(train, test)]
            )
            scores[:, test] = (signs[:, train] @ weights) * signs[:, test]
        return np.where(np.abs(scores) < 1e-12, 0.5, scores > 0)  # fmt: skip


def _features(pairs: Pairs, at: slice) -> Array:
    """Simulated minus real features of each pair, (n, F), from the channel columns `at`."""
    sides = []
    for x in (pairs.simulated, pairs.real):
        x = x[..., at]
        if pairs.centre is not None and pairs.spread is not None:
            spread = pairs.spread[..., at]
            floor = 1e-3 * np.sqrt((spread**2).mean(axis=0)) + 1e-12
            # a single far-off window must not be all that the classifier learns from
            x = np.arcsinh((x - pairs.centre[..., at]) / np.maximum(spread, floor))
        sides.append(x.reshape(len(pairs), -1))
    spread = np.sqrt((np.concatenate(sides) ** 2).mean(axis=0))
    simulated, real = (x / np.where(spread > 0, spread, 1.0) for x in sides)
    i, j = np.triu_indices(simulated.shape[1])
    blocks = [
        simulated - real,
        simulated[:, i] * simulated[:, j] - real[:, i] * real[:, j],
        ((simulated - real)[:, :, None] * pairs.context[:, None, :]).reshape(len(pairs), -1),
    ]
    # a large group of features must not outweigh a small one
    return np.concatenate([b / max(np.sqrt((b**2).sum(axis=1).mean()), 1e-12) for b in blocks if b.size], axis=1)


def _verdict(accuracy: float, p: float, by: list[str]) -> str:
    if p > SIGNIFICANT:
        return f"simulation and reality cannot be told apart (the real one is named in {accuracy:.0%}, p = {p:.2g})"
    where = f", by {', '.join(by)}" if by else ", by no channel alone"
    return (
        f"simulation and reality are told apart: the real one of a pair is named in {accuracy:.0%} (p = {p:.2g}){where}"
    )
