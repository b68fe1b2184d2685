"""Adaptations: where the truth is known they find it, and they can be stopped at any step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop.adapt import Comparison, LeastSquares, SimOpt, get_method
from simloop.adapt.least_squares import Problem, Whitening
from simloop.adapt.simopt import moved_normal, reps_weights, weighted_normal
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.randomness import stream
from simloop.runs import Checkpoint
from simloop.targets.standin import standin_target
from simloop.worlds import World


@pytest.fixture(scope="module")
def truth(pendulum: World) -> np.ndarray:
    """Parameters that a stand-in hides."""
    names = {"body.bob.mass": 2.6, "body.bob.com.z": -0.4, "joint.hinge.damping": 0.2, "actuator.motor.delay": 0.008}
    return pendulum.parameters.row(names)


@pytest.fixture(scope="module")
def comparison(pendulum: World, truth: np.ndarray) -> Comparison:
    """A comparison with a stand-in that has measurement noise."""
    amplitude = np.array([6.0])
    target = standin_target(pendulum, seed=2, episodes=3, seconds=6, truth=truth, amplitude=amplitude, noise=1e-3)
    return Comparison(pendulum, target)


def test_least_squares_finds_hidden_parameters(comparison: Comparison, pendulum: World, truth: np.ndarray) -> None:
    """On a noisy stand-in the fitted parameters are the hidden ones, to their stated uncertainty."""
    prior = pendulum.distribution("prior")
    assert isinstance(prior, Normal)
    fit = LeastSquares(horizons=(0.5,), starts=2).fit(comparison, prior).distribution
    assert isinstance(fit, Normal)
    space = pendulum.parameters
    z = (space.to_scale(truth) - space.to_scale(fit.mean)) / fit.spread
    determined = [space.index(n) for n in ("body.bob.com.z", "joint.hinge.damping", "actuator.motor.delay")]
    assert np.abs(z[determined]).max() < 3
    assert fit.mean[determined[:2]] == pytest.approx(truth[determined[:2]], rel=0.05)
    assert (fit.spread[determined] < 0.25 * prior.spread[determined]).all()


def test_least_squares_says_what_cannot_be_told_apart(comparison: Comparison, pendulum: World) -> None:
    """Noise and bias of a channel, mass against gain: what replay cannot show keeps its prior or is correlated."""
    prior = pendulum.distribution("prior")
    assert isinstance(prior, Normal)
    found = LeastSquares(starts=1).fit(comparison, prior)
    narrowed: dict[str, float] = found.diagnostics["spread over prior spread"]
    assert narrowed["channel.hinge.noise"] == pytest.approx(1.0, abs=0.02)
    assert narrowed["actuator.motor.delay"] < 0.2
    pairs = [{a, b} for a, b, _ in found.diagnostics["correlated beyond 0.9"]]
    assert {"body.bob.mass", "actuator.motor.gain"} in pairs


def test_simopt_moves_towards_hidden_parameters(comparison: Comparison, pendulum: World, truth: np.ndarray) -> None:
    """SimOpt's mean comes nearer to the hidden parameters and lowers the discrepancy."""
    start = pendulum.distribution("search")
    assert isinstance(start, Normal)
    fit = SimOpt(iterations=6, samples=80, windows=24, horizon=0.3).fit(comparison, start)
    windows = comparison.cut(0.3)
    before, after = comparison.discrepancy(np.stack([start.mean, fit.distribution.mean]), windows)
    assert after < 0.3 * before
    j = pendulum.parameters.index("body.bob.com.z")
    assert abs(fit.distribution.mean[j] - truth[j]) < 0.5 * abs(start.mean[j] - truth[j])


@pytest.mark.parametrize(
    ("method", "start"),
    [
        (SimOpt(iterations=4, samples=12, windows=6, horizon=0.2), "search"),
        (LeastSquares(horizons=(0.3,), starts=2, iterations=3, tolerance=1e-6), "prior"),
    ],
)
def test_a_fit_stopped_at_any_step_ends_the_same(
    comparison: Comparison, pendulum: World, tmp_path: Path, method: Any, start: str
) -> None:
    """Stopped after each of its steps and continued from its checkpoint, a fit gives the same bytes."""
    prior = pendulum.distribution(start)
    assert isinstance(prior, Normal)
    whole = method.fit(comparison, prior, seed=1)

    class Stop(Exception):  # noqa: N818 - not an error
        pass

    def stop(*_: object) -> None:
        raise Stop

    checkpoint = Checkpoint(tmp_path / "c.json")
    for _ in range(20):
        try:
            parts = method.fit(comparison, prior, seed=1, checkpoint=checkpoint, progress=stop)
            break
        except Stop:
            continue
    assert parts.distribution.hash == whole.distribution.hash
    assert parts.rollouts == whole.rollouts


def test_a_budget_is_kept(comparison: Comparison, pendulum: World) -> None:
    """No method simulates more windows than its budget, and an impossible budget is refused in words."""
    search, prior = pendulum.distribution("search"), pendulum.distribution("prior")
    assert isinstance(search, Normal)
    assert isinstance(prior, Normal)
    fit = SimOpt(iterations=9, samples=10, windows=5, horizon=0.2).fit(comparison, search, budget=120)
    assert fit.rollouts == 100
    quick = LeastSquares(horizons=(0.2,), stride=2, starts=1, iterations=9, tolerance=1e-9)
    assert quick.fit(comparison, prior, budget=2500).rollouts <= 2500
    with pytest.raises(InputError, match="least-squares: its starts, one step and the uncertainty simulate"):
        quick.fit(comparison, prior, budget=10)
    with pytest.raises(InputError, match="one iteration simulates 10 x 5 = 50 windows, more than the budget of 49"):
        SimOpt(samples=10, windows=5, horizon=0.2).fit(comparison, search, budget=49)


def test_reps_weights_meet_their_bound() -> None:
    """The weights' KL divergence from uniform is the bound, and they prefer low costs."""
    cost = stream(0, "cost").gamma(2.0, size=300)
    weights, temperature = reps_weights(cost, 1.0, 1e-3)
    assert (weights * np.log(weights * 300 + 1e-300)).sum() == pytest.approx(1.0, abs=1e-3)
    assert temperature > 1e-3
    assert (np.diff(weights[np.argsort(cost)]) <= 0).all()
    assert reps_weights(np.append(cost, np.inf), 1.0, 1e-3)[0][-1] == 0


def test_reps_on_a_quadratic_finds_its_minimum() -> None:
    """Repeated updates of a Gaussian under a quadratic cost converge to the minimum."""
    mean, cov, goal = np.zeros(3), np.eye(3), np.array([1.0, -2.0, 0.5])
    for i in range(25):
        z = mean + stream(0, "reps", i).standard_normal((400, 3)) @ np.linalg.cholesky(cov).T
        weights, _ = reps_weights(((z - goal) ** 2).sum(1), 1.0, 1e-3)
        mean, cov = weighted_normal(z, weights)
    np.testing.assert_allclose(mean, goal, atol=0.02)


def test_whitening_is_the_inverse_root() -> None:
    """The low-rank whitening equals the inverse square root of the full covariance."""
    U = np.random.default_rng(0).standard_normal((3, 12, 4))
    whiten = Whitening.of(U)
    for w in range(3):
        full = np.eye(12) + U[w] @ U[w].T
        W = whiten(np.repeat(np.eye(12)[None], 3, axis=0))[w] * np.sqrt(12)
        np.testing.assert_allclose(W @ full @ W.T, np.eye(12), atol=1e-9)


def test_options_are_checked() -> None:
    """Unknown methods and options, and values of the wrong kind, are answered in words."""
    for name, options, sentence in [
        ("simop", {}, "unknown method 'simop'.*'simopt'"),
        ("simopt", {"sample": 3}, "unknown option of simopt: 'sample'.*'samples'"),
        ("simopt", {"samples": 0.5}, "option 'samples' of simopt: expected a whole number above 0, got 0.5"),
        ("least-squares", {"horizons": [-1]}, "expected a list of positive numbers"),
    ]:
        with pytest.raises(InputError, match=sentence):
            get_method(name, options)


def test_simopt_leaves_alone_what_costs_nothing(c1: World) -> None:
    """Under a flat cost a truncated Gaussian keeps its centre and covariance: what moves is what the data moved."""
    start = c1.distribution("search")
    assert isinstance(start, Normal)
    z = c1.parameters.to_scale(start.sample(200, stream(0, "flat")))
    mean, covariance = moved_normal(start, z, np.full(200, 1 / 200))
    np.testing.assert_allclose(mean, c1.parameters.to_scale(start.mean), atol=1e-12)
    np.testing.assert_allclose(covariance, start.covariance, rtol=1e-5, atol=1e-12)


def test_divergence_is_never_a_bargain(comparison: Comparison, pendulum: World) -> None:
    """A point at which every window diverges costs more than any at which none does."""
    prior = pendulum.distribution("prior")
    assert isinstance(prior, Normal)
    problem = Problem(comparison, [comparison.cut(0.3)], prior, 1.0)
    norms = np.full(30, 2.0)
    whole = problem._cost(norms, 1.0, problem.z0)
    for count in (1, 29, 30):
        assert problem._cost(np.where(np.arange(30) < count, np.nan, norms), 1.0, problem.z0) > whole


def test_directions_that_no_recording_shows_keep_their_prior(c1: World) -> None:
    """All masses, frictions and gains together change nothing; least squares claims no knowledge of that scale."""
    prior = c1.distribution("prior")
    assert isinstance(prior, Normal)
    target = standin_target(c1, seed=0, episodes=2, seconds=4)
    fit = LeastSquares(horizons=(0.4,), stride=1, starts=1, iterations=8).fit(Comparison(c1, target), prior)
    quantities = ("mass", "inertia", "damping", "friction", "armature", "gain")
    along = np.array([float(n.split(".")[1] in quantities) for n in c1.parameters.names])
    believed = 1 / np.sqrt(along @ np.linalg.inv(prior.covariance) @ along)
    assert isinstance(fit.distribution, Normal)
    stated = 1 / np.sqrt(along @ np.linalg.inv(fit.distribution.covariance) @ along)
    assert stated > 0.8 * believed
