"""Spreads of random effects by composite marginal likelihood: how much each cause must vary to explain errors.

    effects = Effects(residuals, slopes, errors, group, window)
    spreads = fit_spreads(effects, tail=3.0)            # spreads.root, spreads.errors

The error r of one instant of one window is  r = J x + E y  with  x ~ tau N(0, T T'),  y_j ~ tau N(0, s_group(j)^2)  and
1/tau^2 ~ Gamma(nu/2, nu/2): a multivariate t with nu degrees of freedom and scale  C = J T T' J' + E s^2 E'.  T (lower
triangular, or diagonal) and s maximise the sum of log t over all instants of all windows, with analytic gradients
(L-BFGS). Every x and every tau is worth something only if it makes the errors likelier: a weak half-normal prior on T
draws what explains nothing to 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array

#: smallest and largest logarithm of a standard deviation, in its unit
_LOG_LEAST, _LOG_MOST = -8.0, 4.0
#: standard deviation of the normal prior on what is in T, in units of the parameters' prior spread
_PRIOR = 0.5


@dataclass(frozen=True, eq=False)
class Effects:
    """Errors of a simulation and what could have caused them, at N instants of windows.

    Attributes:
        residuals: (N, C) error.
        slopes: (N, C, d) what one unit of each parameter's variation does to it.
        errors: (N, C, P) what one unit of each other cause does to it.
        group: (P,) which spread each of the other causes has.
        window: (N,) the window that an instant belongs to.
    """

    residuals: Array
    slopes: Array
    errors: Array
    group: NDArray[np.int64]
    window: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> Effects:
        """Return the instants `chosen` (N,)."""
        return replace(self, residuals=self.residuals[chosen], slopes=self.slopes[chosen], errors=self.errors[chosen],
                       window=self.window[chosen])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Spreads:
    """How much each cause varies.

    Attributes:
        root: (d, d) T, lower triangular.
        errors: (q,) standard deviations s of the other causes.
        tail: degrees of freedom nu of the common scale; infinite for a Gaussian.
    """

    root: Array
    errors: Array
    tail: float

    def log_likelihood(self, effects: Effects) -> Array:
        """Log density of the error at each instant, (N,)."""
        return _log_t(effects, self.root, self.errors[effects.group] ** 2, self.tail)[0]


def fit_spreads(
    effects: Effects, *, tail: float, correlated: bool = False, start: Spreads | None = None, iterations: int = 500
) -> Spreads:
    """Maximise the composite likelihood over T (diagonal unless `correlated`) and s, from `start`."""
    from scipy.optimize import minimize

    d, q = effects.slopes.shape[2], int(effects.group.max()) + 1 if len(effects.group) else 0
    free = np.tril_indices(d) if correlated else (np.arange(d), np.arange(d))
    # a zero is a saddle for what is not on the diagonal: begin beside it
    first = start.root + 0.01 * np.tri(d, k=-1) if start else 0.2 * np.eye(d)
    sd = start.errors if start else np.ones(q)
    m = len(free[0])

    def cost(x: Array) -> tuple[float, Array]:
        root, variance = np.zeros((d, d)), np.exp(2 * x[m:])
        root[free] = x[:m]
        value, inner, _ = _log_t(effects, root, variance[effects.group], tail)
        by_root = np.tensordot(effects.slopes, inner @ (effects.slopes @ root), axes=((0, 1), (0, 1)))
        by_variance = np.zeros(q)
        np.add.at(by_variance, effects.group, ((inner @ effects.errors) * effects.errors).sum(axis=(0, 1)) / 2)
        gradient = np.concatenate([by_root[free] - root[free] / _PRIOR**2, 2 * variance * by_variance])
        return -float(value.sum() - 0.5 * (root**2).sum() / _PRIOR**2), -gradient

    found = minimize(
        cost,
        np.concatenate([first[free], np.log(np.maximum(sd, 2 * np.exp(_LOG_LEAST)))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * m + [(_LOG_LEAST, _LOG_MOST)] * q,
        options={"maxiter": iterations, "maxfun": 2 * iterations},
    )
    root = np.zeros((d, d))
    root[free] = found.x[:m]
    return Spreads(root, np.exp(found.x[m:]), tail)


def _log_t(effects: Effects, root: Array, variance: Array, tail: float) -> tuple[Array, Array, Array]:
    """Log density (N,), and its derivative (N, C, C) by the scale C; with each C^-1 r (N, C)."""
    moved = effects.slopes @ root
    scale = moved @ moved.transpose(0, 2, 1) + (effects.errors * variance) @ effects.errors.transpose(0, 2, 1)
    channels = scale.shape[1]
    scale = (
        scale + 1e-12 * np.trace(scale, axis1=1, axis2=2)[:, None, None] * np.eye(channels) + 1e-30 * np.eye(channels)
    )
    inverse = np.linalg.inv(scale)
    s = (inverse @ effects.residuals[..., None])[..., 0]
    distance = (s * effects.residuals).sum(axis=1)
    value = -0.5 * np.linalg.slogdet(scale)[1] - 0.5 * channels * np.log(2 * np.pi)
    if np.isinf(tail):
        value, weight = value - 0.5 * distance, np.ones(len(distance))
    else:
        from scipy.special import gammaln

        value = value + gammaln((tail + channels) / 2) - gammaln(tail / 2) - 0.5 * channels * np.log(tail / 2)
        value = value - 0.5 * (tail + channels) * np.log1p(distance / tail)
        weight = (tail + channels) / (tail + distance)
    inner = weight[:, None, None] * s[:, :, None] * s[:, None, :] - inverse
    return value, inner, s


def held_out(
    effects: Effects,
    labels: NDArray[np.int64],
    *,
    tail: float,
    correlated: bool = False,
    start: Spreads | None = None,
    iterations: int = 80,
) -> Array:
    """Mean log density of each recording's instants under spreads fitted on the other half of the recordings.

    `labels` (W,) name the recordings that the windows belong to; the result is in their order, (recordings,). The
    halves are the first and the last recordings: those made one after the other are often alike, and what holds for
    them alone is not to be learnt.
    """
    own = np.unique(labels, return_inverse=True)[1][effects.window]
    value = np.empty(len(own))
    half = own < (own.max() + 1) / 2
    for inside in (half, ~half):
        fit = fit_spreads(effects.take(inside), tail=tail, correlated=correlated, start=start, iterations=iterations)
        value[~inside] = fit.log_likelihood(effects.take(~inside))
    return np.asarray(np.bincount(own, value) / np.bincount(own))
