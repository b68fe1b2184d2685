"""Row 7: methods against what is known in closed form, on a world that is linear in its parameters with Gaussian noise.

Two kinds of recordings of the same world: in one all share the same parameters, so there is
an exact posterior; in the other each has its own, so there is a true population. A classifier two-sample test (of
`sbi`, random forest and network) between draws of a method's result and of the truth: .5 is as good as the truth, 1 is
told apart every time. A method is for one of the two; the other column is what it says when asked the wrong question.
"""

from __future__ import annotations

import time
import warnings

import numpy as np

from benchmarks.table import show
from simloop.adapt import METHODS, Comparison, get_method
from simloop.distributions import Distribution, Empirical, Normal
from simloop.errors import InputError
from simloop.loop import starting_point
from simloop.parameters import Array
from simloop.randomness import stream
from tests.linear_gaussian import MEAN, SPREAD, LinearGaussian

#: options where the defaults are not meant for a world this small: all windows, enough draws
OPTIONS = {"likelihood": {"windows": 300, "samples": 100, "horizon": 0.2}}
SHARED, VARYING, DRAWS = 60, 300, 1000


def run() -> None:
    """Print the table."""
    world = LinearGaussian()
    prior = world.distribution("prior")
    assert isinstance(prior, Normal)
    shared = world.recordings(SHARED, seed=0, mean=MEAN)
    varying = world.recordings(VARYING, seed=0, mean=MEAN, covariance=np.diag(SPREAD**2))
    truths = [world.posterior(shared, prior), Normal.independent(world.parameters, MEAN, SPREAD)]
    rows = [
        ["the truth, other draws", *[two_sample(t, t) for t in truths], "-"],
        ["prior", *[two_sample(prior, t) for t in truths], "-"],
    ]
    for name in METHODS:
        started = time.perf_counter()
        fits = []
        for target in (shared, varying):
            method = get_method(name, OPTIONS.get(name))
            try:
                fits.append(method.fit(Comparison(world, target), starting_point(world, method)).distribution)
            except InputError:  # for worlds of joints and bodies only
                break
        if not fits:
            continue
        scores = [two_sample(f, t) for f, t in zip(fits, truths, strict=True)]
        rows.append([name, *scores, f"{time.perf_counter() - started:.0f} s"])
    show(["method", f"exact posterior ({SHARED} windows)", f"true population ({VARYING} windows)", "both took"], rows)


def two_sample(fitted: Distribution, truth: Distribution) -> str:
    """C2ST by random forest and by network."""
    return " / ".join(f"{c2st(fitted, truth, kind):.2f}" for kind in ("rf", "mlp"))


def c2st(fitted: Distribution, truth: Distribution, classifier: str = "rf", seed: int = 0) -> float:
    """Accuracy of `sbi`'s two-sample test between draws of two distributions, over the parameters of the truth."""
    import torch
    from sbi.utils.metrics import c2st as accuracy

    width = len(truth.space)
    pair = (draws(truth, seed, "truth"), draws(fitted, seed, "fitted")[:, :width])
    x, y = (torch.tensor(p, dtype=torch.float32) for p in pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that has not converged is only a weaker test
        return float(accuracy(x, y, seed=seed + 1, classifier=classifier))


def draws(distribution: Distribution, seed: int, name: str) -> Array:
    """Draws without repetition: a classifier that meets the same row in two folds knows it."""
    rng = stream(seed, "two samples", name)
    if isinstance(distribution, Empirical):
        return distribution.rows[rng.permutation(len(distribution.rows))[:DRAWS]]
    return distribution.sample(DRAWS, rng)
