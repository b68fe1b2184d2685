"""A set of windows in a few numbers: what a network sees of a recording, or of a simulation that stands for one.

    seen = Summary.around(comparison, windows, prior, fitted, kind="projected", seed=0)
    seen.of_recordings()                                    # (F,)
    seen.of_simulations(rows, stream(seed, "training", 0))  # (n, F), NaN where a simulation diverged

Everything is seen relative to one reference: the simulation of the windows under a fitted point. A simulation that
stands for a recording starts where the machine was, not where the filter says, and carries the noise of the sensors;
both are as large as the recordings' own residuals at the reference are, whatever causes them.

- `projected`: the Gauss-Newton step of least squares from the reference, (d,): the score, which is nearly sufficient.
- `moments`: of each channel the residual's size and its regression on how the reference moves and on what is done.
- `embedding`: the first and all whitened residuals, for a network that learns what to keep of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from simloop.adapt.comparison import Comparison
from simloop.adapt.least_squares import Problem, Whitening, robust_spread
from simloop.adapt.noise import reading_bias, sensor_noise, start_noise
from simloop.distributions import Normal
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.targets.windows import Windows
from simloop.trajectories import difference

Kind = Literal["projected", "moments", "embedding"]
#: residual of a window, in robust standard deviations, from which on it weighs less in `projected`
_FAR = 1.5
#: simulations of the reference that the size of the noise is read from
_CALIBRATION = 20


@dataclass(frozen=True, eq=False)
class Summary:
    """Summary statistics of a set of windows.

    Attributes:
        comparison, windows: what is summarised.
        kind: which statistics.
        reference: (W, K, D) the windows simulated under the fitted point.
        problem: least squares on these windows.
        jacobian: (W, R, d) of the whitened residuals at the point, in the parameters' scale.
        whiten: takes out what an error of the start does.
        curvature: (d, d) of the least-squares cost there, the prior's included.
        scale: spread of the recordings' whitened residuals.
        noise: (D',) of the sensors, (S,) of the starts.
        bias: (W, S) of the estimated starts, (W, K, D') of the estimated instants.
        amount: factor on the noises with which simulations of the reference are as far from it as the recordings are.
    """

    comparison: Comparison
    windows: Windows
    kind: Kind
    reference: Array
    problem: Problem
    jacobian: Array
    whiten: Whitening
    curvature: Array
    scale: float
    noise: tuple[Array, Array]
    bias: tuple[Array, Array]
    amount: float = 1.0

    @staticmethod
    def rollouts(comparison: Comparison, space: ParameterSpace) -> int:
        """Simulations of each window that `around` makes: linearised, the reference, its reading, its noise."""
        return 1 + len(space) + len(comparison.replay.start_spread) + 2 + _CALIBRATION

    @classmethod
    def around(
        cls, comparison: Comparison, windows: Windows, prior: Normal, point: Array, *, kind: Kind, seed: int
    ) -> Summary:
        """Build the summary around the fitted point (d,), in physical units."""
        problem = Problem(comparison, [windows], prior)
        z = prior.space.to_scale(point)
        residual, jacobian, whiten = problem.linearise(z, windows)
        row = problem.rows(z[None])[0]
        scale = robust_spread(np.linalg.norm(residual, axis=1))
        curvature, _, _ = problem.normal_equations([(residual, jacobian, whiten)], scale, z)
        noise = sensor_noise(comparison, windows)
        summary = cls(
            comparison,
            windows,
            kind,
            comparison.simulate(row, windows)[0],
            problem,
            np.nan_to_num(jacobian),
            whiten,
            curvature,
            scale,
            (noise, start_noise(comparison, noise)),
            reading_bias(comparison, row, windows),
        )
        rows = np.repeat(row[None], _CALIBRATION, axis=0)
        simulated = summary._whitened(summary._apart(rows, stream(seed, "statistics", "noise")))
        return replace(summary, amount=scale / robust_spread(np.linalg.norm(simulated, axis=-1)))

    def of_recordings(self) -> Array:
        """(F,)"""
        return self._statistics(np.nan_to_num(-self.real() / self._units)[None])[0]

    def of_simulations(self, rows: Array, rng: np.random.Generator) -> Array:
        """Of simulations that stand for recordings, under rows (n, d): (n, F)."""
        return self._statistics(self._apart(rows, rng))

    def replicas(self, rows: Array, rng: np.random.Generator) -> Array:
        """What the windows would have measured under rows (n, d), minus the reference: (n, W, K, D'), own units."""
        return -self._apart(rows, rng) * self._units

    def real(self) -> Array:
        """What the windows measured, minus the reference: (W, K, D'), own units."""
        return -difference(self.reference, self.windows.measured, self.comparison.world.channels)

    @property
    def names(self) -> list[str]:
        """Of the columns of a difference of what is measured."""
        return [c.name for c in self.comparison.world.channels for _ in range(c.tangent)]

    @property
    def regressed(self) -> int:
        """How many of the statistics, from the first, a linear regression can be made on."""
        channels = self.bias[1].shape[-1]
        features = channels * (2 + channels + self.windows.segments.actions.shape[-1])
        return features if self.kind == "moments" else self.jacobian.shape[-1]

    @cached_property
    def _weight(self) -> Array:
        """(W,) of the windows: all that a Gaussian error tells is kept, but a few recordings far off do not decide."""
        size = np.linalg.norm(self._whitened(np.nan_to_num(-self.real() / self._units)[None])[0], axis=1)
        return np.asarray(np.minimum(1.0, (_FAR * self.scale / np.maximum(size, 1e-12)) ** 2))

    @property
    def _units(self) -> Array:
        return self.comparison.scales(self.windows)

    def _apart(self, rows: Array, rng: np.random.Generator) -> Array:
        """The reference minus simulated measurements, in units of the comparison's scales: (n, W, K, D')."""
        n, count = len(rows), len(self.windows)
        sensors, starts = self.noise
        each = self.windows.segments.take(np.tile(np.arange(count), n))
        errors = self.amount * starts * rng.standard_normal((len(each), len(starts)))
        true = replace(each, state=each.state - np.tile(self.bias[0], (n, 1)) - errors)
        out = self.comparison.simulate_each(np.repeat(self.problem.silenced(rows), count, axis=0), true)
        simulated = out.reshape(n, count, *out.shape[1:])
        apart = difference(self.reference[None], simulated, self.comparison.world.channels) - self.bias[1]
        apart -= self.amount * sensors * rng.standard_normal(apart.shape)
        apart[:, np.isnan(self.windows.measured).any(axis=-1)] = 0.0
        return np.asarray(apart / self._units)

    def _whitened(self, apart: Array) -> Array:
        """(n, W, K, D') -> (n, W, R)."""
        flat = apart.reshape(len(apart), len(self.windows), -1)
        return np.moveaxis(self.whiten(np.moveaxis(flat, 0, -1)), -1, 0)

    def _statistics(self, apart: Array) -> Array:
        """(n, W, K, D') -> (n, F)."""
        if self.kind == "moments":
            return self._moments(np.arcsinh(apart))
        r = self._whitened(apart)
        score = np.einsum("wrd,nwr,w->dn", self.jacobian, r, self._weight, optimize=True) / self.scale**2
        steps = np.linalg.solve(self.curvature, score).T
        if self.kind == "projected":
            return steps
        return np.concatenate([steps, np.arcsinh(r * np.sqrt(r.shape[2])).reshape(len(r), -1)], axis=1)

    def _moments(self, apart: Array) -> Array:
        """Sizes and regression coefficients of each channel's residual, (n, D' x (1 + features))."""
        channels, s = self.comparison.world.channels, self.windows.segments
        moves = difference(self.reference, self.windows.before[:, None], channels)
        actions = s.actions[s.recording[:, None], np.minimum(s.start[:, None] + s.recorded, s.actions.shape[1] - 1)]
        features = np.concatenate([np.ones((*moves.shape[:2], 1)), moves, actions], axis=-1)
        features = features.reshape(-1, features.shape[-1])
        features = features / np.maximum(np.sqrt((features**2).mean(axis=0)), 1e-12)
        flat = apart.reshape(len(apart), len(features), -1)
        weights = np.linalg.pinv(features)
        slopes = np.einsum("fi,nic->nfc", weights, flat).reshape(len(apart), -1)
        return np.concatenate([np.log(np.maximum(np.sqrt((flat**2).mean(axis=1)), 1e-12)), slopes], axis=1)
