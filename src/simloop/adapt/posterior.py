"""Neural posterior estimation: a network that says which parameters go with what a recording looks like.

Papamakarios and Murray (NeurIPS 2016), Greenberg et al. (ICML 2019), by the package `sbi`:

    reference point by least squares; q(z) = prior(z) x its likelihood tempered by 1 / breadth^2
    for i = 1..n:  z_i ~ q;  s_i = statistics of a simulation under z_i that stands for the recordings
    fit a conditional density f(z | s) to the pairs by maximum likelihood
    posterior = f(z | statistics of the recordings), weighted by prior(z) / q(z)

Where nothing can be replayed (`Summarised`: tracks of people), there is no reference either: q is then the prior times
what a linear regression of some draws of the prior says, tempered in the same way.

The proposal q plays the part of the first rounds of sequential estimation: all simulations go where the posterior can
be. Simulations stand for recordings as in `adapt/statistics.py`: with the recordings' noise and errors of the start.

What is known of the answer stands in the diagnostics, because a network can be wrong. Simulation-based calibration
(Talts et al., arXiv 1804.06788): on simulations that it was not trained on, the true parameter's rank among the
network's draws must be uniform; a Kolmogorov-Smirnov p-value for each parameter. Posterior predictive check (Gelman,
Meng, Stern, 1996): recordings made under the posterior's draws must look like the real ones. The first is blind to
what simulations and recordings do not have in common; the second is not.

The result is `Empirical`: draws, with nothing of the network, so nothing needs pickle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.comparison import Comparison
from simloop.adapt.density import ConditionalDensity
from simloop.adapt.discrepancy import AnySummarised, P, Summaries, Summarised
from simloop.adapt.least_squares import LeastSquares
from simloop.adapt.statistics import Kind, Summary
from simloop.distributions import Empirical, Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream

#: simulations of one step, after which the state is kept
_CHUNK = 100
#: held-out simulations of the calibration, and draws of the density for each
_RANKED, _AMONG = 100, 99
#: draws of the prior that a regression says from where to simulate
_PILOT = 300
#: draws of the posterior that are simulated for the predictive check
_PREDICTED = 40
#: probability of the proposal's ellipsoid that counts as simulated
_SIMULATED = 0.99
#: draws of the density for each draw of the result, to be weighted
_FLOW_DRAWS = 4


@dataclass(frozen=True)
class Posterior(Method):
    """Neural posterior estimation on summary statistics of windows.

    Attributes:
        simulations: parameter rows simulated to train on.
        windows: most windows that the posterior is of, spread evenly over the recordings.
        horizon: s, their length; shortened to what the recordings hold.
        statistics: what the network sees of the windows; see `adapt/statistics.py`.
        density: a mixture of Gaussians whose weights, means and covariances depend on what is seen, or one of two
            normalising flows. The mixture is quick and errs on the wide side where flows of few simulations are too
            sure; flows bend farther.
        breadth: spread of the proposal in units of the least-squares cost's curvature, where the data say something.
        draws: rows of the result.
    """

    name: ClassVar[str] = "posterior"
    works_on: ClassVar[type | tuple[type, ...]] = (Comparison, Summarised)
    needs: ClassVar[tuple[str, ...]] = ("sbi", "torch")
    extra: ClassVar[str] = "posterior"

    simulations: int = 2000
    windows: int = 96
    horizon: float = 0.2
    statistics: Kind = "projected"
    density: Literal["mdn", "maf", "nsf"] = "mdn"
    breadth: float = 6.0
    draws: int = 2048

    def adapt(
        self, comparison: Comparison | AnySummarised, prior: Normal, books: Books
    ) -> tuple[Empirical, dict[str, Any]]:
        space, seed = prior.space, books.seed
        if isinstance(comparison, Comparison):
            summary, proposal, count = self._around_reference(comparison, prior, books)
            reached = np.ones(len(summary.of_recordings()), dtype=bool)
        else:
            summary, proposal, count, reached = self._around_regression(comparison, prior, books)
        total, state = self.simulations + _RANKED, books.state
        while len(state["z"]) < total:
            i = len(state["z"])
            rows = proposal.sample(min(_CHUNK, total - i), stream(seed, self.name, "rows", i))
            seen = summary.of_simulations(rows, stream(seed, self.name, "noise", i))
            books.save(
                f"posterior: {i + len(rows)} of {total} simulations",
                0.1 + 0.7 * (i + len(rows)) / total,
                z=[*state["z"], *space.to_scale(rows).tolist()],
                statistics=[*state["statistics"], *seen.tolist()],
            )
        z, seen = np.array(state["z"]), np.array(state["statistics"])
        fine = np.asarray(np.isfinite(seen).all(axis=1))
        if fine[_RANKED:].sum() < 10 * len(space):
            raise InputError(f"posterior: all but {fine.sum()} of {total} simulations diverged")
        train = np.flatnonzero(fine)[fine[:_RANKED].sum() :]
        books.progress("posterior: training the network", 0.8)
        network = int(stream(seed, self.name, "network").integers(2**31))
        regressed, seen = int(reached[: summary.regressed].sum()), seen[:, reached]
        density = ConditionalDensity.train(z[train], seen[train], regressed=regressed, kind=self.density, seed=network)
        books.progress("posterior: calibration", 0.95)
        drawn = density.sample(summary.of_recordings()[None, reached], _FLOW_DRAWS * self.draws)[:, 0]
        rows, effective = weighted_rows(drawn, prior, proposal, self.draws, stream(seed, self.name, "draws"))
        held_out = np.flatnonzero(fine[:_RANKED])
        ranks = (density.sample(seen[held_out], _AMONG) < z[held_out]).sum(axis=0)
        diagnostics = {
            "calibration p": uniformity(ranks, space.names),
            "posterior predictive": predictive(summary, rows, stream(seed, self.name, "predictive")),
            "spread over prior spread": dict(
                zip(space.names, (space.to_scale(rows).std(axis=0) / prior.spread).tolist(), strict=True)
            ),
            "effective draws": effective,
            "noise over shown noise": summary.amount,
            "windows": count,
            "numbers out of reach": int((~reached).sum()),
            "diverged": int((~fine).sum()),
            "loss": density.loss,
        }
        return Empirical(space, rows), diagnostics

    def _around_reference(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Summaries, Normal, int]:
        """The summary of windows around a point that least squares finds, a proposal there, how many windows."""
        space, seed = prior.space, books.seed
        horizon = min(self.horizon, comparison.replay.longest_window)
        windows, count = self._spread(comparison.cut(horizon))
        # what it simulates of each window beside the reference: the summary, the training, the predictive check
        each = Summary.rollouts(comparison, space) + self.simulations + _RANKED + _PREDICTED
        books.affordable(self.name, 1, each, count)
        left = None if books.budget is None else books.budget - each * count
        state = books.begin(point=None, z=[], statistics=[])
        if state["point"] is None:
            found = LeastSquares(horizons=(horizon,), stride=1.0, starts=1).fit(
                comparison, prior, seed=seed, budget=left
            )
            books.save("posterior: reference found", 0.1, point=found.distribution.mean.tolist())
        summary = Summary.around(comparison, windows, prior, np.array(state["point"]), kind=self.statistics, seed=seed)
        # not the fit's own covariance: it is right about each parameter, but along some directions far too narrow
        fit = Normal(space, state["point"], np.linalg.inv(summary.curvature))
        return summary, tempered(prior, fit, self.breadth), count

    def _around_regression(
        self, comparison: AnySummarised, prior: Normal, books: Books
    ) -> tuple[Summaries, Normal, int, NDArray[np.bool_]]:
        """The summary of pieces of reality, a proposal where a regression says, how many pieces, which numbers count.

        A number that is, of reality, as no simulation has it says nothing of parameters (Frazier, Robert and Rousseau,
        JRSS B 2020): what a network makes of it is arbitrary. It counts in the predictive check, which must show it.
        """
        space, seed = prior.space, books.seed
        pieces, count = self._spread(comparison.cut(min(self.horizon, comparison.longest_window)))
        books.affordable(self.name, 1, _PILOT + self.simulations + _RANKED + _PREDICTED, count)
        summary = comparison.summaries(pieces)
        state = books.begin(pilot=[], seen=[], z=[], statistics=[])
        while len(state["pilot"]) < _PILOT:
            i = len(state["pilot"])
            rows = prior.sample(min(_CHUNK, _PILOT - i), stream(seed, self.name, "pilot", i))
            seen = summary.of_simulations(rows, stream(seed, self.name, "pilot noise", i))
            books.save(
                f"posterior: {i + len(rows)} of {_PILOT} simulations to begin with",
                0.2 * (i + len(rows)) / _PILOT,
                pilot=[*state["pilot"], *space.to_scale(rows).tolist()],
                seen=[*state["seen"], *seen.tolist()],
            )
        z, seen = np.array(state["pilot"]), np.array(state["seen"])
        fine = np.isfinite(seen).all(axis=1)
        if fine.sum() < 10 * len(space):
            raise InputError(f"posterior: all but {fine.sum()} of {_PILOT} simulations diverged")
        z, seen, real = z[fine], seen[fine], summary.of_recordings()
        reached = np.asarray((real >= seen.min(axis=0)) & (real <= seen.max(axis=0)) & (np.ptp(seen, axis=0) > 0))
        if not reached.any():
            raise InputError("posterior: no simulation has any statistic as reality has it; give a wider prior")
        regression = ConditionalDensity(z, seen[:, reached], int(reached[: summary.regressed].sum()), seed)
        at = regression.expected(real[None, reached])[0]
        middle = np.clip(space.from_scale(at), space.low, space.high)
        fit = Normal(space, middle, regression.root @ regression.root.T)
        return summary, tempered(prior, fit, self.breadth), count, reached

    def _spread(self, every: P) -> tuple[P, int]:
        """So many of the pieces, spread evenly over them, and how many."""
        count = min(self.windows, len(every))
        return every.take(np.linspace(0, len(every) - 1, count).round().astype(np.int64)), count


def tempered(prior: Normal, fit: Normal, breadth: float) -> Normal:
    """The prior times what the fit knows beyond it, with spreads `breadth` times as wide: where to simulate."""
    root = np.linalg.cholesky(prior.covariance)
    values, vectors = np.linalg.eigh(root.T @ np.linalg.inv(fit.covariance) @ root)
    spread = 1 / np.sqrt(1 + np.maximum(values - 1, 0.0) / breadth**2)
    narrowed = root @ (vectors * spread)
    covariance = narrowed @ narrowed.T
    return Normal(prior.space, fit.mean, (covariance + covariance.T) / 2)


def weighted_rows(
    z: Array, prior: Normal, proposal: Normal, count: int, rng: np.random.Generator
) -> tuple[Array, float]:
    """Draw `count` rows of draws z (n, d), as often as the prior is denser than the proposal.

    Draws outside the bounds, or farther out than the proposal has been simulated, are extrapolations and left out.
    """
    from scipy.stats import chi2

    space = prior.space
    inside = ((z >= space.to_scale(space.low)) & (z <= space.to_scale(space.high))).all(axis=1)
    away = z - space.to_scale(proposal.mean)
    inside &= (away * np.linalg.solve(proposal.covariance, away.T).T).sum(axis=1) < chi2.ppf(_SIMULATED, len(space))
    z = z[inside]
    if not len(z):
        raise InputError("posterior: the network puts nothing where it was trained; give more simulations")
    rows = space.from_scale(z)
    log = prior.log_prob(rows) - proposal.log_prob(rows)
    weight = np.exp(log - log.max())
    # truncated importance sampling (Ionides, 2008): no few draws stand for all
    weight = np.minimum(weight, weight.mean() * np.sqrt(len(weight)))
    weight /= weight.sum()
    places = (np.arange(count) + rng.random()) / count
    chosen = np.minimum(np.searchsorted(np.cumsum(weight), places), len(rows) - 1)
    return rows[rng.permutation(chosen)], float(1 / (weight**2).sum())


def uniformity(ranks: Array, names: tuple[str, ...]) -> dict[str, float]:
    """p-value of each parameter's ranks (n, d) among `_AMONG` draws, against uniform."""
    from scipy.stats import kstest

    spread = stream(0, "posterior", "ties").random(ranks.shape)  # ranks are whole numbers
    places = (ranks + spread) / (_AMONG + 1)
    return {n: float(kstest(places[:, j], "uniform").pvalue) for j, n in enumerate(names)}


def predictive(summary: Summaries, rows: Array, rng: np.random.Generator) -> list[dict[str, Any]]:
    """By channel: how often the 90 % band of replicas holds what was measured, and how unusual the misfit is.

    The misfit is the root mean square distance from the replicas' mean, over windows and instants, in units of the
    replicas' own: above 1 the model is missing something, below 1 the noise is taken for too large. `p` is the
    fraction of replicas whose misfit is at least the recordings'.
    """
    many = summary.replicas(rows[:_PREDICTED], rng)
    measured = summary.real()
    low, high = np.nanquantile(many, [0.05, 0.95], axis=0, method="weibull")
    centre = np.nanmean(many, axis=0)
    misfit = np.sqrt(np.nanmean((many - centre) ** 2, axis=(1, 2)))
    real = np.sqrt(np.nanmean((measured - centre) ** 2, axis=(0, 1)))
    covered = ((measured >= low) & (measured <= high)).mean(axis=(0, 1))
    return [
        {
            "channel": n,
            "90 % band covers": float(covered[j]),
            "misfit over replicas'": float(real[j] / np.median(misfit[:, j])),
            "p": float((misfit[:, j] >= real[j]).mean()),
        }
        for j, n in enumerate(summary.names)
    ]
