"""Least squares: the parameters that make windows of simulation end where reality did, and how sure that is.

Levenberg-Marquardt on all windows at once; the Jacobian by finite differences and every trial step are simulated in one
native call each. Per window w with residual r_w (compared instants x channels):

    cost = sum_w rho(|L_w^-1 r_w| / s) + 1/2 (z - z0)' P^-1 (z - z0)

- z are the parameters in their scale, with the prior N(z0, P); rho is the Student-t loss, so that a few chaotic
  windows do not decide; s is the robust spread of the windows' residuals, estimated anew in each iteration.
- L_w L_w' = 1 + J0 S0 J0' whitens a window by what an error of its start (S0, as the recordings show it) does to it:
  instants that amplify the start's error weigh little, so short and long horizons can be mixed.
- The covariance is the sandwich A^-1 (sum_c g_c g_c' + P^-1) A^-1 with one gradient g_c for each stretch of a
  recording, so it holds although residuals inside a stretch are correlated and the model is not perfect (White, 1982).
  What it cannot see, because it is alike in all stretches, is added: b b' with b the parameters' error in a fit to a
  simulation that is read like a recording (`adapt/noise.py`). Estimated velocities are half a step ahead of an
  engine's, which passes for a delay that is short by up to half a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.comparison import Comparison
from simloop.adapt.noise import reading_bias
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.windows import Windows

#: finite-difference step, as a fraction of the prior's spread: so small that its own error does not pass for
#: information along directions that the data cannot see (all masses, frictions and gains together)
_STEP = 5e-5
_DAMPINGS = np.array([0.03, 1.0, 30.0, 1000.0])
#: steps from each start before all but the best are given up
_TRIAL_STEPS = 4


@dataclass(frozen=True)
class LeastSquares(Method):
    """Batched Levenberg-Marquardt with priors, a robust loss, several horizons and several starts.

    Attributes:
        horizons: s, lengths of the windows that are fitted together; shortened to what the recordings hold.
        stride: from one window to the next, in windows; below 1 they overlap.
        iterations: most steps from one start.
        starts: how many points of the prior to begin from (the first is its mean); all but the best are given up
            after a few steps on a part of the windows.
        tail: residual, in robust standard deviations, from which on the loss flattens.
        tolerance: relative gain in cost below which a fit is done.
    """

    name: ClassVar[str] = "least-squares"
    starts_from: ClassVar[str] = "prior"

    horizons: tuple[float, ...] = (0.5, 1.0)
    stride: float = 0.5
    iterations: int = 12
    starts: int = 3
    tail: float = 1.0
    tolerance: float = 2e-3

    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        if prior.space.discrete.any():
            name = prior.space.names[int(prior.space.discrete.argmax())]
            raise InputError(
                f"least-squares: parameter {name!r} takes whole numbers, along which nothing can be derived"
            )
        state = books.begin(**{"candidates": [], "start costs": [], "z": None, "damping": 1e-2, "done": False,
                               "history": []})  # fmt: skip
        groups = comparison.cuts(self.horizons, stride=self.stride)
        problem = Problem(comparison, groups, prior, self.tail)
        coarse = Problem(
            comparison, [w.take(np.arange(0, len(w), max(1, len(w) // 24))) for w in groups], prior, self.tail
        )
        starts = _starts(prior, self.starts, books.seed)
        several = len(starts) if len(starts) > 1 else 0
        least = coarse.step_rollouts * (_TRIAL_STEPS * several + min(several, 1)) + 2 * problem.step_rollouts
        if books.budget is not None and books.budget < least:
            raise InputError(
                f"least-squares: its starts, one step and the uncertainty simulate {least} windows, more than the"
                f" budget of {books.budget}; give a larger budget, fewer starts, or a larger stride"
            )
        self._choose_start(coarse, starts, books)
        while not state["done"]:
            z, damping, record = problem.step(np.array(state["z"]), state["damping"])
            record = {"iteration": len(state["history"]) + 1, **record, "rollouts": books.rollouts}
            over = books.budget is not None and books.rollouts + 2 * problem.step_rollouts > books.budget
            done = record["gain"] < self.tolerance or record["iteration"] >= self.iterations or over
            books.save(
                f"least-squares: step {record['iteration']}, residual {record['scale']:.3g}",
                1.0 if done else 0.1 + 0.9 * record["iteration"] / self.iterations,
                z=z.tolist(),
                damping=damping,
                done=bool(done),
                history=[*state["history"], record],
            )
        mean = prior.space.from_scale(np.array(state["z"]))
        covariance, diagnostics = problem.uncertainty(np.array(state["z"]))
        diagnostics |= {"costs of the starts": state["start costs"], "windows": sum(map(len, groups))}
        return Normal(prior.space, np.clip(mean, prior.space.low, prior.space.high), covariance), diagnostics

    def _choose_start(self, coarse: Problem, starts: Array, books: Books) -> None:
        """A few steps from each start (m, d) on a part of the windows; the best goes on as the state's z."""
        state = books.state
        while len(state["candidates"]) < len(starts) > 1:
            z = starts[len(state["candidates"])]
            damping = 1e-2
            for _ in range(_TRIAL_STEPS):
                z, damping, record = coarse.step(z, damping)
            done = len(state["candidates"]) + 1
            books.save(
                f"least-squares: start {done} of {len(starts)}, residual {record['scale']:.3g}",
                0.1 * done / len(starts),
                candidates=[*state["candidates"], z.tolist()],
            )
        if state["z"] is None:
            points = np.array(state["candidates"] or starts[:1])
            costs = coarse.costs_of(points)
            state.update({"start costs": costs, "z": points[int(np.argmin(costs))].tolist()})


@dataclass(frozen=True, eq=False)
class Whitening:
    """(1 + U U')^-1/2 / sqrt(R) for each window, by the few directions of U: 1 + Q diag(gain) Q'.

    Attributes:
        directions: (W, R, k) orthonormal columns Q.
        gain: (W, k) (1 + s^2)^-1/2 - 1 for the singular values s of U.
    """

    directions: Array
    gain: Array

    @classmethod
    def of(cls, amplified: Array) -> Whitening:
        """Build it from U (W, R, k)."""
        squares, vectors = np.linalg.eigh(amplified.transpose(0, 2, 1) @ amplified)
        squares = np.maximum(squares, 0.0)
        size = np.sqrt(np.where(squares > 1e-12, squares, 1.0))
        return cls(amplified @ vectors / size[:, None, :], np.where(squares > 1e-12, 1 / np.sqrt(1 + squares) - 1, 0.0))

    def __call__(self, x: Array) -> Array:
        """Whiten the columns of x (W, R, m)."""
        inside = self.directions.transpose(0, 2, 1) @ x
        return np.asarray((x + self.directions @ (self.gain[..., None] * inside)) / np.sqrt(x.shape[1]))


class Problem:
    """The cost of one set of windows, linearised where asked."""

    def __init__(self, comparison: Comparison, groups: list[Windows], prior: Normal, tail: float = 1.0) -> None:
        self.comparison, self.groups, self.tail = comparison, groups, tail
        self.space = prior.space
        self.z0 = prior.space.to_scale(prior.mean)
        self.precision = np.linalg.inv(prior.covariance)
        self.steps = _STEP * prior.spread
        # what is only the spread of noise moves no expected trajectory: it is simulated without, and keeps its prior
        self.silent = np.array([p.stochastic for p in prior.space])
        self.low, self.high = prior.space.to_scale(prior.space.low), prior.space.to_scale(prior.space.high)
        self.start_spread = comparison.replay.start_spread
        # (W,) windows that share a stretch of a recording, as long as the longest window, are not independent
        longest = max(w.segments.steps for w in groups)
        self.stretches = np.concatenate([w.segments.recording * 10**9 + w.segments.start // longest for w in groups])

    @property
    def row_count(self) -> int:
        """Simulations of each window in one step: the point, its Jacobian, the start's, and the trial points."""
        return 1 + len(self.space) + len(self.start_spread) + len(_DAMPINGS)

    @property
    def step_rollouts(self) -> int:
        """Windows simulated in one step."""
        return sum(map(len, self.groups)) * self.row_count

    def costs_of(self, points: Array) -> list[float]:
        """Costs of points (m, d), judged on one scale and one whitening; none where there is nothing to choose."""
        if len(points) == 1:
            return [0.0]
        norms = self._norms(points, [self.linearise(points[0], w)[2] for w in self.groups])
        scale = min(robust_spread(n) for n in norms if np.isfinite(n).any())
        return [self._cost(n, scale, z) for n, z in zip(norms, points, strict=True)]

    def step(self, z: Array, damping: float) -> tuple[Array, float, dict[str, Any]]:
        """One step from z: (z after, damping after, record); z stays where no damping lowers the cost."""
        linear = [self.linearise(z, w) for w in self.groups]
        norms = np.concatenate([np.linalg.norm(r, axis=1) for r, _, _ in linear])
        scale = robust_spread(norms)
        cost = self._cost(norms, scale, z)
        A, g, _ = self.normal_equations(linear, scale, z)
        free = ~(((z <= self.low) & (g > 0)) | ((z >= self.high) & (g < 0)))
        dampings = damping * _DAMPINGS
        trials = np.repeat(z[None], len(dampings), axis=0)
        for trial, d in zip(trials, dampings, strict=True):
            inner = A[np.ix_(free, free)]
            trial[free] -= np.linalg.solve(inner + d * np.diag(np.diag(inner)), g[free])
        trials = np.clip(trials, self.low, self.high)
        tried = self._norms(trials, [whiten for _, _, whiten in linear])
        costs = np.array([self._cost(n, scale, t) for n, t in zip(tried, trials, strict=True)])
        costs[np.isnan(tried).sum(axis=1) > np.isnan(norms).sum()] = np.inf  # no step into divergence
        best = int(costs.argmin())
        gain = (cost - costs[best]) / max(cost, 1e-300)
        record = {"cost": float(min(cost, costs[best])), "gain": float(max(gain, 0.0)), "scale": float(scale),
                  "diverged": int((~np.isfinite(norms)).sum())}  # fmt: skip
        if not gain > 0:
            return z, float(dampings[-1]), record
        return trials[best], float(np.clip(dampings[best], 1e-6, 1e3)), record

    def uncertainty(self, z: Array) -> tuple[Array, dict[str, Any]]:
        """Sandwich covariance (d, d) at z, and what the data determine."""
        linear = [self.linearise(z, w) for w in self.groups]
        scale = robust_spread(np.concatenate([np.linalg.norm(r, axis=1) for r, _, _ in linear]))
        A, _, gradients = self.normal_equations(linear, scale, z)
        inverse = np.linalg.inv(A)
        _, cluster = np.unique(self.stretches, return_inverse=True)
        summed = np.zeros((cluster.max() + 1, len(z)))
        np.add.at(summed, cluster, gradients)
        # few stretches vary less than many: the usual small-sample factor
        variance = summed.T @ summed * len(summed) / max(len(summed) - 1, 1)
        moved = inverse @ self._misread(z, linear, scale)
        covariance = inverse @ (variance + self.precision) @ inverse + np.outer(moved, moved)
        covariance = (covariance + covariance.T) / 2
        return covariance, conditioning(self.space.names, covariance, np.linalg.inv(self.precision), A)

    def _misread(self, z: Array, linear: list[tuple[Array, Array, Whitening]], scale: float) -> Array:
        """The gradient (d,) that a simulation under z has at z itself, because of how recordings are read."""
        row, g = self.rows(z[None])[0], np.zeros(len(z))
        for windows, (r, jacobian, whiten) in zip(self.groups, linear, strict=True):
            starts, instants = reading_bias(self.comparison, row, windows)
            true = replace(windows.segments, state=windows.segments.state - starts)
            apart = (
                self.comparison.residuals(row, windows)[0]
                - self.comparison.residuals(row, replace(windows, segments=true))[0]
            )
            apart -= instants / self.comparison.scales(windows)
            apart = whiten(apart.reshape(len(windows), -1, 1))[..., 0]
            weight = self.weights(r, scale)
            each = np.einsum("wrd,wr,w->wd", jacobian, apart, weight)
            g += each[np.isfinite(each).all(axis=1)].sum(axis=0)
        return g

    def linearise(self, z: Array, windows: Windows) -> tuple[Array, Array, Whitening]:
        """Whitened residuals (W, R), Jacobian (W, R, d) and what whitened them."""
        up = z + self.steps <= self.high
        signed = np.where(up, self.steps, -self.steps)
        rows = self.rows(np.concatenate([z[None], z + np.diag(signed)]))
        residuals = self.comparison.residuals(rows, windows)
        flat = residuals.reshape(len(rows), len(windows), -1)
        r, jacobian = flat[0], np.moveaxis((flat[1:] - flat[0]) / signed[:, None, None], 0, -1)
        offset = 1e-4
        moved = self.comparison.start_residuals(rows[0], windows, offset * np.eye(len(self.start_spread)))
        amplified = np.moveaxis((moved.reshape(len(moved), *r.shape) - r) / offset, 0, -1) * self.start_spread
        whiten = Whitening.of(np.nan_to_num(amplified))
        return whiten(r[..., None])[..., 0], whiten(jacobian), whiten

    def rows(self, z: Array) -> Array:
        """Points (m, d) in the parameters' scale as rows to simulate, without noise."""
        return self.silenced(np.clip(self.space.from_scale(z), self.space.low, self.space.high))

    def silenced(self, rows: Array) -> Array:
        """Rows (m, d) with the least noise that their bounds allow."""
        return np.where(self.silent, self.space.low, rows)

    def normal_equations(
        self, linear: list[tuple[Array, Array, Whitening]], scale: float, z: Array
    ) -> tuple[Array, Array, Array]:
        """Curvature (d, d), gradient (d,) and the gradients of the windows (W, d); diverged windows count nothing."""
        A, g, each = self.precision.copy(), self.precision @ (z - self.z0), []
        for r, jacobian, _ in linear:
            good = np.all(np.isfinite(r), axis=1) & np.all(np.isfinite(jacobian), axis=(1, 2))
            r, jacobian = np.where(good[:, None], r, 0.0), np.where(good[:, None, None], jacobian, 0.0)
            weight = self.weights(r, scale)
            weighted = jacobian * weight[:, None, None]
            A += np.tensordot(weighted, jacobian, axes=((0, 1), (0, 1)))
            gradients = np.einsum("wrd,wr->wd", weighted, r)
            each.append(gradients)
            g = g + gradients.sum(axis=0)
        return A, g, np.concatenate(each)

    def weights(self, r: Array, scale: float) -> Array:
        """What the loss makes of each window's whitened residual (..., R) in the normal equations: (...,)."""
        return np.asarray(1 / (scale**2 * (1 + ((r**2).sum(axis=-1) / (self.tail * scale) ** 2))))

    def _norms(self, trials: Array, whitenings: list[Whitening]) -> Array:
        """Norms of the whitened residuals of trial points (m, d), over all windows: (m, W)."""
        rows = self.rows(trials)
        parts = []
        for windows, whiten in zip(self.groups, whitenings, strict=True):
            r = self.comparison.residuals(rows, windows).reshape(len(rows), len(windows), -1)
            parts.append(np.linalg.norm(whiten(np.moveaxis(r, 0, -1)), axis=1).T)
        return np.concatenate(parts, axis=1)

    def _cost(self, norms: Array, scale: float, z: Array) -> float:
        """The cost; a window that diverged costs as much as one that is a thousand typical ones off."""
        x = np.where(np.isfinite(norms), norms, 1000 * scale) / (self.tail * scale)
        return float(0.5 * self.tail**2 * np.log1p(x**2).sum() + 0.5 * (z - self.z0) @ self.precision @ (z - self.z0))


def robust_spread(norms: Array) -> float:
    """The spread of residual norms by their median, consistent for a normal."""
    if not np.isfinite(norms).any():
        raise InputError("least-squares: the simulation diverged in every window; check the model and its time step")
    return max(float(np.nanmedian(norms)) / 0.6745, 1e-12)


def conditioning(names: tuple[str, ...], covariance: Array, prior: Array, curvature: Array) -> dict[str, Any]:
    """What the data determine: shrinkage of each parameter, the strongest correlations, the weakest directions."""
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / (spread[:, None] * spread)
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if abs(correlation[i, j]) > 0.9]
    root = np.linalg.cholesky(prior)
    values, vectors = np.linalg.eigh(root.T @ curvature @ root)  # 1 where the data say nothing beyond the prior
    weakest = []
    for value, vector in zip(values[:3], vectors.T[:3], strict=False):
        if value > 4:  # the data tell more than three times what the prior knows: not weak
            break
        top = np.argsort(-np.abs(vector))[:3]
        weakest.append({"information": float(value - 1), "along": {names[i]: float(vector[i]) for i in top}})
    return {
        "spread over prior spread": dict(zip(names, (spread / np.sqrt(np.diag(prior))).tolist(), strict=True)),
        "correlated beyond 0.9": [[names[j], names[i], float(correlation[i, j])] for i, j in pairs],
        "condition number": float(values[-1] / values[0]),
        "weakest directions": weakest,
    }


def _starts(prior: Normal, count: int, seed: int) -> Array:
    """The prior's mean and count - 1 draws of it, in the parameters' scale, (count, d)."""
    drawn = prior.sample(count - 1, stream(seed, "least-squares", "starts"))
    return prior.space.to_scale(np.concatenate([prior.mean[None], drawn]))
