"""DROPO: the randomisation under which the recorded transitions are most likely.

Tiboni, Arndt, Kyrki, "DROPO: Sim-to-Real Transfer with Offline Domain Randomization" (Robotics and Autonomous Systems
166, 2023; arXiv 2201.08434), section 4, algorithm 1:

    maximise over phi = (mu, sigma) by CMA-ES:
        for each recorded transition t: start the simulator at s_t, apply a_t ... a_{t+lambda} under K draws of p_phi;
            N(mean_t, cov_t) = the Gaussian of the K states s_{t+lambda}, plus epsilon on the covariance's diagonal
        L(phi) = sum_t log N(measured s_{t+lambda}; mean_t, cov_t)

Departures: a transition is a short window, which starts at the filtered measurement with the error that the recordings
show of it; epsilon is each channel's measured noise, no constant; the K draws are common random numbers, so that the
likelihood is a smooth function of phi that CMA-ES sees without noise; p_phi lives in each parameter's scale, and is
truncated to the bounds as in the paper. Parameters are independent in p_phi, as there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.comparison import Comparison
from simloop.adapt.noise import sensor_noise
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.targets.windows import Windows
from simloop.trajectories import difference

#: least and most standard deviation, as a fraction of the prior's; as the paper's, the search is over its logarithm
_LEAST, _MOST = 0.01, 2.0
#: first step of CMA-ES in coordinates in which the prior has spread 1, and the spread that the search begins with
_STEP, _BEGIN = 0.3, 0.3
#: log-likelihood of a transition that most draws diverge in
_NOWHERE = -1e6


@dataclass(frozen=True)
class Likelihood(Method):
    """Maximum likelihood of transitions under an independent Gaussian randomisation.

    Attributes:
        horizon: s, length of a transition (the paper's lambda, in steps); shortened to what the recordings hold.
        windows: most transitions, spread evenly over the recordings.
        samples: draws of the randomisation for each transition (the paper's K).
        iterations: generations of CMA-ES.
        tolerance: spread of the best log-likelihoods of ten generations below which the search is done.
    """

    name: ClassVar[str] = "likelihood"
    needs: ClassVar[tuple[str, ...]] = ("cma",)
    extra: ClassVar[str] = "compare"

    horizon: float = 0.1
    windows: int = 64
    samples: int = 40
    iterations: int = 100
    tolerance: float = 0.05

    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        import cma

        all_windows = comparison.replay.windows(min(self.horizon, comparison.replay.longest_window))
        count = min(self.windows, len(all_windows))
        windows = all_windows.take(np.linspace(0, len(all_windows) - 1, count).round().astype(np.int64))
        transitions = _Transitions(comparison, windows, prior, self.samples, books.seed)
        d = len(prior.space)
        state = books.begin(best=None, told=[], history=[])
        low, high = [-4.0] * d + [float(np.log(_LEAST))] * d, [4.0] * d + [float(np.log(_MOST))] * d
        options = {"seed": np.nan, "randn": _normal_draws(books.seed), "bounds": [low, high],
                   "tolfun": self.tolerance, "tolfunhist": 0, "verbose": -9}  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its plots and options that are not used
            search = cma.CMAEvolutionStrategy([0.0] * d + [float(np.log(_BEGIN))] * d, _STEP, options)
        iterations = books.affordable(self.name, self.iterations, self.samples * search.popsize, count)
        for told in state["told"]:  # what was simulated before goes back into the search
            search.tell(search.ask(), told)
        while len(state["history"]) < iterations and not search.stop():
            points = search.ask()
            loss = (-transitions.log_likelihood(np.array(points))).tolist()
            search.tell(points, loss)
            best = int(np.argmin(loss))
            if state["best"] is None or loss[best] < state["best"][0]:
                state["best"] = [loss[best], np.array(points[best]).tolist()]
            record = {"iteration": len(state["history"]) + 1, "cost": float(np.median(loss)), "best": float(min(loss))}
            books.save(
                f"likelihood: generation {record['iteration']} of {iterations}, log-likelihood {-record['best']:.4g}",
                record["iteration"] / iterations,
                told=[*state["told"], loss],
                history=[*state["history"], record],
            )
        value, point = state["best"]
        if value >= count * -_NOWHERE:
            raise InputError("likelihood: the simulation diverged under every randomisation that was tried")
        mean, spread = transitions.split(np.array(point))
        space = prior.space
        fitted = Normal.independent(space, np.clip(space.from_scale(mean), space.low, space.high), spread)
        diagnostics = {"log likelihood": -value, "windows": count, "samples": self.samples,
                       "transition": windows.horizon, "stopped by": sorted(search.stop())}  # fmt: skip
        return fitted, diagnostics


class _Transitions:
    """The likelihood of windows' ends under points (m, 2 d): means, then log spreads, in units of the prior's."""

    def __init__(self, comparison: Comparison, windows: Windows, prior: Normal, samples: int, seed: int) -> None:
        self.comparison, self.windows, self.prior = comparison, windows, prior
        starts = comparison.replay.start_spread
        draws = whitened(stream(seed, "likelihood", "draws").standard_normal((samples, len(prior.space) + len(starts))))
        self.draws, errors = draws[:, : len(prior.space)], draws[:, len(prior.space) :] * starts
        self.noise = sensor_noise(comparison, windows)
        each = windows.segments.take(np.tile(np.arange(len(windows)), samples))
        self.segments = replace(each, state=each.state + np.repeat(errors, len(windows), axis=0))

    def split(self, point: Array) -> tuple[Array, Array]:
        """Mean and spread, (..., d) each, in the parameters' scale, of points (..., 2 d)."""
        d = len(self.prior.space)
        centre = self.prior.space.to_scale(self.prior.mean)
        return centre + self.prior.spread * point[..., :d], self.prior.spread * np.exp(point[..., d:])

    def log_likelihood(self, points: Array) -> Array:
        """Of each of the points (m, 2 d): (m,)."""
        m, k, count = len(points), len(self.draws), len(self.windows)
        rows = truncated(self.prior.space, *self.split(points), self.draws).reshape(m * k, -1)
        segments = self.segments.take(np.tile(np.arange(k * count), m))
        ends = self.comparison.simulate_each(np.repeat(rows, count, axis=0), segments)[:, -1]
        apart = difference(ends.reshape(m, k, count, -1), self.windows.measured[:, -1], self.comparison.world.channels)
        return gaussian_log_likelihood(apart, self.noise).sum(axis=1)


def gaussian_log_likelihood(apart: Array, noise: Array) -> Array:
    """Log-likelihood of 0 under the Gaussian of draws apart (m, K, W, D'), with noise (D',) added: (m, W)."""
    fine = np.asarray(np.isfinite(apart).all(axis=-1))
    weight = fine[..., None] / np.maximum(fine.sum(axis=1), 1)[:, None, :, None]
    x = np.where(fine[..., None], apart, 0.0)
    mean = (weight * x).sum(axis=1)
    centred = x - mean[:, None]
    covariance = np.einsum("mkwi,mkwj->mwij", weight * centred, centred) + np.diag(noise**2)
    away = np.linalg.solve(covariance, mean[..., None])[..., 0]
    value = -0.5 * ((mean * away).sum(axis=-1) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    return np.where(fine.mean(axis=1) > 0.5, np.maximum(value, _NOWHERE), _NOWHERE)


def truncated(space: ParameterSpace, mean: Array, spread: Array, draws: Array) -> Array:
    """Rows (m, K, d) of truncated Gaussians with means and spreads (m, d), by inversion, from normal draws (K, d)."""
    from scipy.special import ndtr, ndtri

    mean, spread = mean[:, None], spread[:, None]
    low, high = (ndtr((space.to_scale(b) - mean) / spread) for b in (space.low, space.high))
    z = mean + spread * ndtri(np.clip(low + ndtr(draws) * (high - low), 1e-15, 1 - 1e-15))
    return space.round(np.clip(space.from_scale(z), space.low, space.high))


def whitened(draws: Array) -> Array:
    """Draws (K, n) with means 0 and, where K > n, exactly the covariance 1: a Gaussian of few draws has its spread."""
    centred = draws - draws.mean(axis=0)
    if len(draws) <= draws.shape[1]:
        return np.asarray(centred / centred.std(axis=0))
    root = np.linalg.cholesky(centred.T @ centred / len(draws))
    return np.asarray(np.linalg.solve(root, centred.T).T)


def _normal_draws(seed: int) -> Any:
    """What CMA-ES draws from instead of NumPy's global generator."""
    rng = stream(seed, "likelihood", "cma")
    return lambda *shape: rng.standard_normal(shape)
