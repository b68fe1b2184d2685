"""The cross-entropy method: draw, keep the best few, refit a Gaussian to them, repeat.

de Boer, Kroese, Mannor, Rubinstein, "A Tutorial on the Cross-Entropy Method" (Annals of Operations Research 134, 2005),
algorithm 4.2 with the smoothed updates of section 3.4 and the independent normal components of section 5:

    for each iteration i:
        draw rows xi ~ p_i = N(mu, diag(sigma^2)); c(xi) = discrepancy (SimOpt's, equation 6 of arXiv 1810.05687)
        elite = the best tenth; mu, sigma <- (1 - alpha) (mu, sigma) + alpha (mean, standard deviation) of the elite

The plain relative of SimOpt: no bound on how far an update goes, so it is quick and soon sure of itself. What it
returns is where the search ended, not what the recordings allow; its spread is no statement about reality. Departures:
the Gaussian lives in each parameter's scale and is truncated to the bounds; each iteration draws new windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.discrepancy import AnyDiscrepancy, Discrepancy
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.randomness import stream


@dataclass(frozen=True)
class CrossEntropy(Method):
    """Cross-entropy search over an independent Gaussian.

    Attributes:
        iterations: updates of the distribution.
        samples: parameter rows drawn for each.
        windows: windows of the recordings that each row is replayed on, drawn anew for each iteration.
        elite: fraction of the rows that is kept.
        smoothing: alpha, the weight of the elite in an update; at most 1.
        horizon: s, length of the windows; shortened to what the recordings hold.
        cost: `discrepancy` is SimOpt's, of all channels, squares included; `distance` is the mean distance of the
            measured channels alone: where contacts make velocities jump, their squares would drown everything else.
    """

    name: ClassVar[str] = "cem"
    starts_from: ClassVar[str] = "search"
    works_on: ClassVar[type | tuple[type, ...]] = Discrepancy

    iterations: int = 20
    samples: int = 200
    windows: int = 96
    elite: float = 0.1
    smoothing: float = 0.7
    horizon: float = 0.2
    cost: Literal["discrepancy", "distance"] = "discrepancy"

    def adapt(self, comparison: AnyDiscrepancy, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        if self.elite > 1 or self.smoothing > 1:
            raise InputError("cem: options 'elite' and 'smoothing' are fractions, at most 1")
        space = prior.space
        windows = comparison.cut(min(self.horizon, comparison.longest_window))
        count = min(self.windows, len(windows))
        iterations = books.affordable(self.name, self.iterations, self.samples, count)
        kept = max(2, round(self.elite * self.samples))
        state = books.begin(mean=space.to_scale(prior.mean).tolist(), spread=prior.spread.tolist(), history=[])
        while (i := len(state["history"])) < iterations:
            mean, spread = np.array(state["mean"]), np.array(state["spread"])
            chosen = stream(books.seed, self.name, "windows", i).choice(len(windows), count, replace=False)
            current = Normal.independent(space, space.from_scale(mean), spread)
            rows = current.sample(self.samples, stream(books.seed, self.name, "rows", i))
            measure = comparison.discrepancy if self.cost == "discrepancy" else comparison.distance
            cost = measure(rows, windows.take(np.sort(chosen)))
            best = np.argsort(cost, kind="stable")[:kept]
            if not np.isfinite(cost[best]).all():
                raise InputError(
                    f"cem: the simulation diverged under all but {np.isfinite(cost).sum()} of {self.samples} samples of"
                    f" iteration {i + 1}, and {kept} are needed"
                )
            elite = space.to_scale(rows[best])
            mean = mean + self.smoothing * (elite.mean(axis=0) - mean)
            spread = spread + self.smoothing * (elite.std(axis=0) - spread)
            record = {
                "iteration": i + 1,
                "cost": float(cost[np.isfinite(cost)].mean()),
                "best": float(cost.min()),
                "diverged": int((~np.isfinite(cost)).sum()),
                "mean": space.from_scale(mean).tolist(),
                "spread": spread.tolist(),
            }
            books.save(
                f"cem: iteration {i + 1} of {iterations}, mean cost {record['cost']:.3g}",
                (i + 1) / iterations,
                mean=mean.tolist(),
                # a component that has lost all spread would end the search in it
                spread=np.maximum(spread, 1e-6 * prior.spread).tolist(),
                history=[*state["history"], record],
            )
        fitted = Normal.independent(space, space.from_scale(np.array(state["mean"])), state["spread"])
        return fitted, {"samples": self.samples, "windows": count, "elite": kept}
