"""What a fitted look may be off: from how what is read of images answers to what is fitted.

    found = bound(comparison, around, count=1000, real_blocks=40, seed=7)
    found.mean, found.covariance                        # in the parameters' scale

Indirect inference (Gourieroux, Monfort, Renault, "Indirect inference", Journal of Applied Econometrics 8, 1993): the
mean of what is read is a function of the parameters, the binding function. It is linearised on frames that are drawn
around a search's end, and turned round at the mean of what is read of reality. Its uncertainty is that of both means
and of the function, by drawing blocks of real images and scenes again; what reality never shows is left to the prior.
It says nothing of what simulation lacks: images that look otherwise than any simulated one bias it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.appearance import VIEWS, LookComparison
from simloop.distributions import Normal
from simloop.gap.images import BLOCK
from simloop.parameters import Array
from simloop.randomness import stream

_RESAMPLES = 300


@dataclass(frozen=True)
class Bound:
    """A Gaussian of what the fitted parameters are, in their scale.

    Attributes:
        mean: (d,).
        covariance: (d, d).
        known: (d,) part of the prior's variance that the images took away.
    """

    mean: Array
    covariance: Array
    known: Array


def bound(comparison: LookComparison, around: Normal, prior: Normal, *, count: int = 1000, seed: int = 0) -> Bound:
    """Say what the fitted parameters are, and how sure that is.

    Args:
        comparison: frames and real images.
        around: frames are drawn from it: about where a search ended, and wide enough to see a slope.
        prior: what is believed without images.
        count: frames.
        seed: of the frames and of resamples.
    """
    space = around.space
    images, rows = comparison.frames(range(count), around, name=f"binding {seed}")
    said = comparison.said(images)
    z = space.to_scale(rows)
    at = space.to_scale(around.mean)
    rng = stream(seed, "binding")
    solved = []
    spread = _spread_of_means(comparison.real, rng) + np.eye(len(space)) * 1e-9
    for k in range(1 + _RESAMPLES):
        mine = np.arange(count) if k == 0 else _blocks(count, VIEWS, rng)
        real = comparison.real if k == 0 else comparison.real[_blocks(len(comparison.real), BLOCK, rng)]
        first, slope = _line(z[mine] - at, said[mine])
        solved.append(_turned(real.mean(axis=0) - first, slope, spread, prior, at))
    draws = np.array([m for m, _ in solved])
    # what resampling moves, and what is left of the prior where the images say nothing
    covariance = np.cov(draws[1:].T).reshape(len(space), -1)
    posterior = solved[0][1]
    larger = np.maximum(np.diag(covariance), np.diag(posterior)) / np.diag(posterior)
    scale = np.sqrt(larger)
    covariance = posterior * scale[:, None] * scale
    return Bound(draws[0], covariance, 1 - np.diag(covariance) / np.diag(prior.covariance))


def _line(x: Array, y: Array) -> tuple[Array, Array]:
    """Least squares y = a + B x + squares of x: a (k,) and B (k, d)."""
    found = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x, x**2]), y, rcond=None)[0]
    return np.asarray(found[0], dtype=float), np.asarray(found[1 : 1 + x.shape[1]].T, dtype=float)


def _turned(apart: Array, slope: Array, spread: Array, prior: Normal, at: Array) -> tuple[Array, Array]:
    """The Gaussian of parameters (d,) that a linear statistic `apart` (k,) with covariance `spread` allows."""
    weight = slope.T @ np.linalg.inv(spread)
    belief = np.linalg.inv(prior.covariance)
    covariance = np.linalg.inv(weight @ slope + belief)
    move = covariance @ (weight @ apart + belief @ (prior.space.to_scale(prior.mean) - at))
    return np.asarray(at + move), np.asarray(covariance, dtype=float)


def _spread_of_means(x: Array, rng: np.random.Generator) -> Array:
    """Covariance (k, k) of the mean of images (n, k), by blocks."""
    means = np.array([x[_blocks(len(x), BLOCK, rng)].mean(axis=0) for _ in range(_RESAMPLES)])
    return np.asarray(np.cov(means.T).reshape(x.shape[1], -1), dtype=float)


def _blocks(count: int, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """As many indices in blocks of neighbours, which begin anywhere (moving-block bootstrap)."""
    # of fewer than eight blocks the means would be too much alike
    length = max(1, min(length, count // 8))
    begins = rng.integers(count - length + 1, size=-(-count // length))
    return (begins[:, None] + np.arange(length)).reshape(-1)[:count]
