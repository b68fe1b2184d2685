"""SimOpt: move the randomisation towards reality by relative-entropy policy search.

Chebotar et al., "Closing the Sim-to-Real Loop" (arXiv 1810.05687, ICRA 2019), section III:

    for each iteration i:
        draw parameters xi ~ p_i = N(mu, Sigma); replay the recordings under each; c(xi) = discrepancy (eq. 6)
        p_{i+1} = argmin E[c]  subject to  KL(p_{i+1} || p_i) <= epsilon           (eq. 3-5, solved by REPS)

Constants are the paper's: KL bound 1.0, least temperature 1e-3, discrepancy weights 0.5 (L1) and 1.0 (L2), filter of
5 steps. Departures: recordings take the place of policy rollouts; each iteration draws new windows of them, so that
no window is fitted twice in a row; the Gaussian lives in each parameter's scale (logarithmic for positive quantities)
and is truncated to the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.discrepancy import AnyDiscrepancy, Discrepancy
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream


@dataclass(frozen=True)
class SimOpt(Method):
    """Relative-entropy policy search over a Gaussian.

    Attributes:
        iterations: updates of the distribution.
        samples: parameter rows drawn for each.
        windows: windows of the recordings that each row is replayed on, drawn anew for each iteration.
        kl: bound on the KL divergence of one update.
        temperature: smallest temperature of the weights.
        horizon: s, length of the windows.
        covariance: `full` is the paper's update; `scaled` keeps the shape of the first covariance and moves its size
            alone, as the authors' later code does ("covariance damping"): for few samples in many dimensions, of which
            the full update would be noise.
    """

    name: ClassVar[str] = "simopt"
    starts_from: ClassVar[str] = "search"
    works_on: ClassVar[type | tuple[type, ...]] = Discrepancy

    iterations: int = 12
    samples: int = 400
    windows: int = 96
    kl: float = 1.0
    temperature: float = 1e-3
    horizon: float = 0.2
    covariance: Literal["full", "scaled"] = "full"

    def adapt(self, comparison: AnyDiscrepancy, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        space = prior.space
        windows = comparison.cut(self.horizon)
        count = min(self.windows, len(windows))
        iterations = books.affordable(self.name, self.iterations, self.samples, count)
        state = books.begin(mean=prior.mean.tolist(), covariance=prior.covariance.tolist(), history=[])
        while (i := len(state["history"])) < iterations:
            distribution = Normal(space, state["mean"], state["covariance"])
            chosen = stream(books.seed, "simopt", "windows", i).choice(len(windows), count, replace=False)
            rows = distribution.sample(self.samples, stream(books.seed, "simopt", "rows", i))
            cost = comparison.discrepancy(rows, windows.take(np.sort(chosen)))
            if not np.isfinite(cost).any():
                raise InputError(
                    f"simopt: the simulation diverged under all {self.samples} samples of iteration {i + 1}"
                )
            weights, temperature = reps_weights(cost, self.kl, self.temperature)
            z = space.to_scale(rows)
            mean, covariance = moved_normal(distribution, z, weights)
            if self.covariance == "scaled":
                covariance = scaled_covariance(distribution.covariance, covariance)
            record = {
                "iteration": i + 1,
                "cost": float(cost[np.isfinite(cost)].mean()),
                "best": float(cost.min()),
                "temperature": temperature,
                "effective samples": float(1 / (weights**2).sum()),
                "diverged": int((~np.isfinite(cost)).sum()),
                "mean": space.from_scale(mean).tolist(),
                "spread": np.sqrt(np.diag(covariance)).tolist(),
            }
            books.save(
                f"simopt: iteration {i + 1} of {iterations}, mean cost {record['cost']:.3g}",
                (i + 1) / iterations,
                mean=np.clip(space.from_scale(mean), space.low, space.high).tolist(),
                covariance=covariance.tolist(),
                history=[*state["history"], record],
            )
        fitted = Normal(space, state["mean"], state["covariance"])
        return fitted, {"samples": self.samples, "windows": count, "kl": self.kl}


def reps_weights(cost: Array, kl: float, least: float) -> tuple[Array, float]:
    """Weights of samples that minimise the expected cost within a KL divergence of `kl` from uniform weights.

    The temperature minimises the dual g(eta) = eta kl + eta log mean exp(-c / eta) over eta >= `least` (Peters,
    Muelling, Altun: Relative Entropy Policy Search, 2010), with costs scaled to [0, 1]. Infinite costs weigh 0.
    """
    from scipy.optimize import minimize_scalar

    fine = np.isfinite(cost)
    scaled = (cost - cost[fine].min()) / (np.ptp(cost[fine]) + 1e-5)

    def dual(log_eta: float) -> float:
        eta = np.exp(log_eta)
        # the smallest scaled cost is 0, so the largest exponent is 0
        return float(eta * kl + eta * np.log(np.exp(-scaled / eta).mean()))

    found = minimize_scalar(dual, bounds=(np.log(least), np.log(1e3)), method="bounded", options={"xatol": 1e-6})
    eta = float(np.exp(found.x))
    weights = np.exp(-scaled / eta)
    return weights / weights.sum(), eta


def moved_normal(distribution: Normal, z: Array, weights: Array) -> tuple[Array, Array]:
    """Move a truncated Gaussian as the weights move the moments of its own draws z (n, d), in the parameters' scale.

    Without truncation and with many draws this is the maximum-likelihood update. With it, moments of draws are not
    the Gaussian's own, so only their change counts: equal weights move nothing.
    """
    flat_mean, flat = weighted_normal(z, np.full(len(z), 1 / len(z)))
    new_mean, new = weighted_normal(z, weights)
    to_old = np.linalg.cholesky(distribution.covariance) @ np.linalg.inv(np.linalg.cholesky(flat))
    covariance = to_old @ new @ to_old.T
    return distribution.space.to_scale(distribution.mean) + new_mean - flat_mean, (covariance + covariance.T) / 2


def scaled_covariance(old: Array, new: Array) -> Array:
    """The old covariance (d, d) times the square root of the mean variance of `new` in its units."""
    size = np.trace(np.linalg.solve(old, new)) / len(old)
    return np.asarray(np.sqrt(size) * old)


def weighted_normal(z: Array, weights: Array) -> tuple[Array, Array]:
    """Maximum-likelihood mean (d,) and covariance (d, d) of weighted samples (n, d), kept positive definite."""
    mean = weights @ z
    centred = z - mean
    covariance = (centred * weights[:, None]).T @ centred
    return mean, covariance + np.diag(1e-6 * np.diag(covariance) + 1e-18)
