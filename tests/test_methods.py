"""Methods where the answer has a closed form, and what every method promises whatever it answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy import stats

from benchmarks.linear_gaussian import OPTIONS, c2st
from simloop import errors
from simloop.adapt import METHODS, Comparison, get_method
from simloop.adapt.likelihood import gaussian_log_likelihood, truncated, whitened
from simloop.adapt.mujoco_sysid import MujocoSysid, Toolbox
from simloop.adapt.noise import reading_bias, sensor_noise, start_noise
from simloop.adapt.posterior import tempered, uniformity, weighted_rows
from simloop.adapt.statistics import Kind
from simloop.distributions import Distribution, Normal
from simloop.errors import InputError, MissingExtraError
from simloop.loop import starting_point
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.runs import Checkpoint
from simloop.targets.standin import standin_target
from simloop.worlds import World
from tests.linear_gaussian import MEAN, NOISE, SPREAD, LinearGaussian

#: small enough for tests, by name
SMALL: dict[str, dict[str, Any]] = {
    "cem": {"iterations": 3, "samples": 30, "windows": 10},
    "likelihood": {"iterations": 4, "samples": 8, "windows": 6},
    "posterior": {"simulations": 300, "windows": 8, "draws": 256},
}


@pytest.fixture(scope="module")
def world() -> LinearGaussian:
    return LinearGaussian()


@pytest.fixture(scope="module")
def prior(world: LinearGaussian) -> Normal:
    own = world.distribution("prior")
    assert isinstance(own, Normal)
    return own


def test_posterior_is_the_exact_posterior(world: LinearGaussian, prior: Normal) -> None:
    """On a linear-Gaussian world a classifier cannot tell the draws from the closed-form posterior's."""
    target = world.recordings(60, seed=1, mean=MEAN)
    fit = get_method("posterior").fit(Comparison(world, target), prior)
    truth = world.posterior(target, prior)
    assert c2st(fit.distribution, truth) <= 0.60
    assert c2st(prior, truth) > 0.95  # the test can tell
    assert min(fit.diagnostics["calibration p"].values()) > 1e-3
    for channel in fit.diagnostics["posterior predictive"]:
        assert channel["90 % band covers"] == pytest.approx(0.9, abs=0.04)
        assert channel["misfit over replicas'"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", [n for n in ("likelihood", "hierarchical") if n in METHODS])
def test_population_is_the_true_population(name: str, world: LinearGaussian, prior: Normal) -> None:
    """Where each recording has its own parameters, their distribution is found, not a point in the middle."""
    target = world.recordings(300, seed=1, mean=MEAN, covariance=np.diag(SPREAD**2))
    method = get_method(name, OPTIONS.get(name))
    fit = method.fit(Comparison(world, target), starting_point(world, method)).distribution
    truth = Normal.independent(world.parameters, MEAN, SPREAD)
    assert c2st(fit, truth) <= 0.60
    assert c2st(Normal.independent(world.parameters, MEAN, SPREAD / 2), truth) > 0.65  # the test can tell


def test_cem_finds_the_least_discrepancy(world: LinearGaussian, prior: Normal) -> None:
    """Without noise the cross-entropy method ends at the parameters that made the recordings."""
    target = world.recordings(40, seed=2, mean=MEAN)
    fit = get_method("cem").fit(Comparison(world, target), prior).distribution
    np.testing.assert_allclose(fit.mean, MEAN, atol=0.1)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_statistic_is_calibrated(kind: str, world: LinearGaussian, prior: Normal) -> None:
    """Whatever the network sees, the posterior holds the truth inside three of its spreads and is no prior."""
    target = world.recordings(30, seed=3, mean=MEAN)
    options = {"simulations": 600, "statistics": kind, "draws": 400}
    rows = get_method("posterior", options).fit(Comparison(world, target), prior).distribution.sample(400, stream(0))
    assert (np.abs(rows.mean(axis=0) - MEAN) < 3.5 * rows.std(axis=0) + 0.01).all()
    assert (rows.std(axis=0) < 0.2 * prior.spread).all()


@pytest.mark.parametrize("name", SMALL)
def test_same_seed_same_bytes_whatever_is_interrupted(name: str, pendulum: World, tmp_path: Path) -> None:
    """A fit repeated, and one stopped after each of its steps and continued, give the same distribution."""
    target = standin_target(pendulum, seed=2, episodes=2, seconds=4, amplitude=np.array([6.0]))
    method = get_method(name, SMALL[name])
    start = starting_point(pendulum, method)
    whole = method.fit(Comparison(pendulum, target), start, seed=1)

    class Stop(Exception):  # noqa: N818 - not an error
        pass

    checkpoint = Checkpoint(tmp_path / "c.json")
    state = np.random.get_state()[1]
    for i in range(9):
        told = 0

        def stop(*_: object) -> None:
            nonlocal told
            told += 1
            if told > 1 and i < 4:  # noqa: B023
                raise Stop

        try:
            parts = method.fit(Comparison(pendulum, target), start, seed=1, checkpoint=checkpoint, progress=stop)
            break
        except Stop:
            continue
    assert parts.distribution.hash == whole.distribution.hash
    assert np.array_equal(np.random.get_state()[1], state)  # nobody else's random numbers were touched
    stored = Distribution.from_dict(whole.to_dict()["distribution"])
    assert stored.hash == whole.distribution.hash


@pytest.mark.parametrize("name", SMALL)
def test_an_impossible_budget_is_refused(name: str, world: LinearGaussian, prior: Normal) -> None:
    """A budget too small for one iteration is said before anything is simulated."""
    comparison = Comparison(world, world.recordings(10, seed=0, mean=MEAN))
    with pytest.raises(InputError, match=f"{name}: one iteration simulates .* more than the budget of 5"):
        get_method(name, SMALL[name]).fit(comparison, prior, budget=5)
    assert comparison.rollouts == 0


def test_posterior_keeps_its_budget(world: LinearGaussian, prior: Normal) -> None:
    """The reference, the training and the checks together simulate no more windows than the budget."""
    comparison = Comparison(world, world.recordings(10, seed=0, mean=MEAN))
    method = get_method("posterior", {"simulations": 200, "draws": 64})
    needs = method.fit(comparison, prior).rollouts
    assert method.fit(comparison, prior, budget=needs - 20).rollouts <= needs - 20


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that a method needs, one sentence names the extra that brings it."""
    monkeypatch.setattr(errors, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"method 'posterior' needs the extra 'posterior': pip install"):
        get_method("posterior")
    assert get_method("least-squares").name == "least-squares"


def test_methods_import_nothing_heavy() -> None:
    """The registry of methods is there without torch, sbi, cma or mujoco."""
    code = "import sys, simloop.adapt; print({'torch', 'sbi', 'cma', 'mujoco'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"density": "mfa"}, "unknown value of option 'density' of posterior: 'mfa' (did you mean 'maf'?)"),
        ({"statistics": 3}, "unknown value of option 'statistics' of posterior: '3' (there are: projected, moments, "),
        ({"draws": 2.5}, "option 'draws' of posterior: expected a whole number above 0, got 2.5"),
    ],
)
def test_choices_are_listed(options: dict[str, Any], sentence: str) -> None:
    """An option that is none of its choices is answered by them."""
    with pytest.raises(InputError) as error:
        get_method("posterior", options)
    assert str(error.value).startswith(sentence)


def test_noise_is_seen_in_the_recordings(world: LinearGaussian) -> None:
    """White noise on slow signals is measured to a few per cent, and a start that needs no state has no error."""
    comparison = Comparison(world, world.recordings(200, seed=0, mean=MEAN))
    noise = sensor_noise(comparison, comparison.cut(0.2))
    np.testing.assert_allclose(noise, NOISE, rtol=0.1)
    assert not start_noise(comparison, noise).any()


def test_readings_are_half_a_step_ahead(c1: World) -> None:
    """An estimated velocity is ahead of a semi-implicit engine's by half a step of acceleration, without any noise."""
    truth = c1.distribution("prior").mean
    target = standin_target(c1, seed=1, episodes=2, seconds=4, truth=truth, noise=0.0)
    comparison = Comparison(c1, target)
    windows = comparison.cut(0.3)
    starts, instants = reading_bias(comparison, truth, windows)
    s = windows.segments
    states = comparison.replay.states
    half = (states[s.recording, s.start + 1] - states[s.recording, s.start - 1])[:, 2:] / 4
    assert np.abs(starts[:, :2]).max() < 1e-4
    assert np.corrcoef(starts[:, 2], half[:, 0])[0, 1] > 0.7
    assert np.abs(instants[..., :2]).max() == 0
    assert np.isfinite(instants).all()
    assert instants[..., 2:].any()


def test_transitions_are_as_likely_as_a_gaussian_says() -> None:
    """The likelihood of transitions equals SciPy's, diverged draws are left out, and mostly diverged ones rejected."""
    draws = stream(0, "draws").normal(0.3, 2.0, (1, 500, 1, 2))
    noise = np.array([0.1, 0.2])
    covariance = np.cov(draws[0, :, 0].T, bias=True) + np.diag(noise**2)
    expected = stats.multivariate_normal(draws[0, :, 0].mean(0), covariance).logpdf([0, 0])
    assert gaussian_log_likelihood(draws, noise)[0, 0] == pytest.approx(expected)
    some = np.concatenate([draws, np.full((1, 100, 1, 2), np.nan)], axis=1)
    assert gaussian_log_likelihood(some, noise)[0, 0] == pytest.approx(expected)
    assert gaussian_log_likelihood(np.where(np.arange(500)[:, None, None] < 300, np.nan, draws), noise)[0, 0] == -1e6


def test_few_draws_have_the_spread_that_they_stand_for() -> None:
    """Whitened draws have mean 0 and covariance 1 exactly; truncated ones follow SciPy's truncated normal."""
    draws = whitened(stream(0, "white").standard_normal((40, 5)))
    np.testing.assert_allclose(draws.T @ draws / 40, np.eye(5), atol=1e-12)
    space = ParameterSpace([Parameter("x", 0.0, 1.0, 0.5)])
    quantiles = (np.arange(2000) + 0.5) / 2000
    rows = truncated(space, np.array([[0.1]]), np.array([[0.3]]), stats.norm.ppf(quantiles)[:, None])[0, :, 0]
    exact = stats.truncnorm(-0.1 / 0.3, 0.9 / 0.3, 0.1, 0.3)
    np.testing.assert_allclose(rows, exact.ppf(quantiles), atol=1e-9)


def test_tempering_leaves_alone_what_the_data_do_not_say() -> None:
    """The proposal is three times as wide as the fit where data speak, and the prior where they do not."""
    space = ParameterSpace([Parameter(n, -100, 100, 0.0, spread=1.0) for n in "ab"])
    prior = Normal.independent(space, [0, 0], [1.0, 1.0])
    wide = tempered(prior, Normal.independent(space, [0.5, 0], [0.01, 1.0]), 3.0)
    np.testing.assert_allclose(wide.spread, [0.03, 1.0], rtol=1e-2)


def test_weighting_turns_the_proposal_into_the_prior() -> None:
    """Draws of a narrower proposal, weighted, have the prior's moments where the proposal has simulated."""
    space = ParameterSpace([Parameter("x", -100, 100, 0.0, spread=1.0)])
    prior, proposal = (Normal.independent(space, [m], [s]) for m, s in ((0.2, 1.0), (0.0, 1.5)))
    z = proposal.sample(40_000, stream(0, "proposal"))
    rows, effective = weighted_rows(z, prior, proposal, 20_000, stream(0, "rows"))
    assert rows.mean() == pytest.approx(0.2, abs=0.02)
    assert rows.std() == pytest.approx(1.0, abs=0.02)
    assert 10_000 < effective < 40_000


def test_calibration_finds_a_posterior_that_is_too_narrow() -> None:
    """Ranks of a calibrated posterior pass, those of one half as wide are rejected."""
    rng = stream(0, "ranks")
    truth = rng.standard_normal((200, 1))
    for width, good in ((1.0, True), (0.5, False)):
        ranks = (width * rng.standard_normal((99, 200, 1)) < truth).sum(axis=0)
        assert (uniformity(ranks, ("x",))["x"] > 0.01) == good


def test_the_toolbox_as_shipped_is_a_step_late(c1: World) -> None:
    """At the true parameters the mended residual is nothing, the shipped one is what moves in a step."""
    from mujoco import sysid

    target = standin_target(c1, seed=1, episodes=1, seconds=3, truth=c1.parameters.default, noise=0.0)
    comparison = Comparison(c1, target)
    prior = starting_point(c1, MujocoSysid())
    windows = comparison.replay.windows(0.1, every=c1.control_dt).take(np.arange(3))
    left = {}
    for variant in ("shipped", "mended"):
        problem = Toolbox(comparison, windows, prior)
        hook = problem.mended if variant == "mended" else None
        residual = sysid.build_residual_fn(
            models_sequences=[problem.sequences()], build_model=problem.model, custom_rollout=problem.rollout,
            modify_residual=hook, resample_true=False, n_threads=1,
        )  # fmt: skip
        parts, _, _ = residual(problem.parameters().as_vector(), problem.parameters())
        left[variant] = np.sqrt(np.mean(np.square(parts)))
    assert left["mended"] < 2e-3  # what the estimate of a start is off by
    assert left["shipped"] > 0.01
    seen = comparison.rollouts
    fit = MujocoSysid(windows=3, horizon=0.1, iterations=2).fit(comparison, prior)
    assert fit.rollouts == comparison.rollouts - seen > 3 * 17
    assert [h["iteration"] for h in fit.history] == list(range(1, len(fit.history) + 1))


def test_the_toolbox_refuses_what_it_cannot_simulate(world: LinearGaussian, prior: Normal, pendulum: World) -> None:
    """Worlds that are not MuJoCo's, or have substeps, are refused in one sentence."""
    with pytest.raises(InputError, match="world 'linear-gaussian' is not simulated by MuJoCo"):
        MujocoSysid().fit(Comparison(world, world.recordings(5, seed=0, mean=MEAN)), prior)
    target = standin_target(pendulum, seed=1, episodes=1, seconds=2)
    with pytest.raises(InputError, match="world 'pendulum' has several time steps for each control step"):
        MujocoSysid().fit(Comparison(pendulum, target), starting_point(pendulum, MujocoSysid()))


def test_the_command_line_names_every_method() -> None:
    """The help of `simloop adapt` lists the methods that there are."""
    from simloop.adapt import METHODS
    from simloop.cli import _METHODS

    assert set(_METHODS) == set(METHODS)


def test_distance_is_nothing_at_the_truth_and_grows_from_it() -> None:
    """The mean distance of measured channels is that of the noise at the truth, and larger elsewhere."""
    world = LinearGaussian()
    comparison = Comparison(world, world.recordings(40, seed=0, mean=MEAN))
    windows = comparison.cut(0.2)
    at, off = comparison.distance(np.array([MEAN, MEAN + 0.5]), windows)
    assert 0 < at < 0.5 * off
