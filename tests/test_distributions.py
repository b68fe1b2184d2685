"""Distributions against closed forms and SciPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from simloop.distributions import Distribution, Empirical, Normal, Point, Uniform
from simloop.errors import InputError
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.runs import write_json

OPEN = ParameterSpace([Parameter("a", -100, 100, 0), Parameter("b", 1e-6, 1e6, 1, scale="log")])
TIGHT = ParameterSpace([Parameter("a", 0, 2, 0.5), Parameter("b", -1, 1.5, 0), Parameter("c", 0.5, 4, 1, scale="log")])
COVARIANCE = np.array([[0.5, 0.3, 0.0], [0.3, 0.8, -0.1], [0.0, -0.1, 0.2]])


def test_uniform_is_log_uniform_on_log_parameters() -> None:
    """A Uniform has SciPy's uniform and log-uniform laws and densities."""
    d = Uniform(OPEN, [-2, 0.1], [3, 10])
    x = d.sample(4000, stream(0, "u"))
    assert stats.kstest(x[:, 0], stats.uniform(-2, 5).cdf).pvalue > 0.01
    assert stats.kstest(x[:, 1], stats.loguniform(0.1, 10).cdf).pvalue > 0.01
    expected = stats.uniform(-2, 5).logpdf(x[:, 0]) + stats.loguniform(0.1, 10).logpdf(x[:, 1])
    np.testing.assert_allclose(d.log_prob(x), expected)
    assert d.log_prob([[5, 1]])[0] == -np.inf


def test_whole_numbers_are_drawn_alike() -> None:
    """A Uniform over whole numbers draws each of them, the ends too, equally often, with their mass as density."""
    space = ParameterSpace([Parameter("count", 0, 3, 1, integer=True)])
    d = Uniform(space, [0], [3])
    values, counts = np.unique(d.sample(8000, stream(0, "whole")), return_counts=True)
    np.testing.assert_array_equal(values, [0, 1, 2, 3])
    assert stats.chisquare(counts).pvalue > 0.01
    assert d.log_prob([[2]])[0] == pytest.approx(np.log(0.25))


def test_normal_density_is_scipys_where_nothing_is_cut() -> None:
    """Far from its bounds a Normal has SciPy's density, with the Jacobian of the logarithm."""
    cov = np.array([[0.4, 0.2], [0.2, 0.3]])
    d = Normal(OPEN, [1, 2], cov)
    x = d.sample(50, stream(0, "n"))
    z = np.column_stack([x[:, 0], np.log(x[:, 1])])
    np.testing.assert_allclose(
        d.log_prob(x), stats.multivariate_normal([1, np.log(2)], cov).logpdf(z) - np.log(x[:, 1]), rtol=1e-9
    )


def test_normal_samples_have_its_moments() -> None:
    """Samples of a Normal have its mean and full covariance."""
    cov = np.array([[0.4, 0.2], [0.2, 0.3]])
    x = Normal(OPEN, [1, 2], cov).sample(40_000, stream(0, "moments"))
    z = np.column_stack([x[:, 0], np.log(x[:, 1])])
    np.testing.assert_allclose(z.mean(0), [1, np.log(2)], atol=0.02)
    np.testing.assert_allclose(np.cov(z.T), cov, atol=0.02)


def test_truncated_normal_in_one_dimension_is_scipys() -> None:
    """A truncated Normal in one dimension has the law and density of SciPy's truncnorm."""
    space = ParameterSpace([Parameter("delay", 0, 0.04, 0.0)])
    d = Normal(space, [0.004], [[0.005**2]])
    exact = stats.truncnorm(-0.004 / 0.005, 0.036 / 0.005, loc=0.004, scale=0.005)
    x = d.sample(4000, stream(0, "t"))
    assert stats.kstest(x[:, 0], exact.cdf).pvalue > 0.01
    np.testing.assert_allclose(d.log_prob(x), exact.logpdf(x[:, 0]), rtol=1e-9)


def test_truncated_density_integrates_to_one() -> None:
    """The density of a correlated, truncated Normal integrates to one over its bounds."""
    d = Normal(TIGHT, [0.5, 0, 1], COVARIANCE)
    box = Uniform(TIGHT, TIGHT.low, TIGHT.high)
    x = box.sample(200_000, stream(0, "integral"))
    total = np.exp(d.log_prob(x) - box.log_prob(x)).mean()
    assert total == pytest.approx(1.0, abs=0.02)


def test_truncated_samples_follow_the_density() -> None:
    """Importance weights computed from the density of a truncated Normal reproduce its sample means."""
    d = Normal(TIGHT, [0.5, 0, 1], COVARIANCE)
    box = Uniform(TIGHT, TIGHT.low, TIGHT.high)
    x = box.sample(100_000, stream(1, "weights"))
    w = np.exp(d.log_prob(x) - box.log_prob(x))
    np.testing.assert_allclose(
        d.sample(100_000, stream(2, "weights")).mean(0), (w[:, None] * x).sum(0) / w.sum(), atol=0.015
    )


def test_samples_stay_inside_and_are_not_clamped() -> None:
    """Truncation redraws: all samples are inside, none sits on a bound."""
    x = Normal(TIGHT, [0, 1.5, 4], COVARIANCE).sample(2000, stream(0, "edge"))
    assert ((x > TIGHT.low) & (x < TIGHT.high)).all()


def test_a_longer_draw_begins_with_the_shorter() -> None:
    """Points and uniforms drawn longer begin with what a shorter draw gave."""
    d = Uniform(OPEN, [-2, 0.1], [3, 10])
    np.testing.assert_array_equal(d.sample(5, stream(0, "p")), d.sample(50, stream(0, "p"))[:5])


def test_empirical_draws_by_weight() -> None:
    """An Empirical draws its rows as often as their weights say."""
    d = Empirical(OPEN, [[1, 1], [2, 2]], [1, 3])
    assert (d.sample(8000, stream(0, "e"))[:, 0] == 2).mean() == pytest.approx(0.75, abs=0.02)
    assert not d.has_density


@pytest.mark.parametrize(
    "d",
    [
        Point(TIGHT, [1, 0, 2]),
        Uniform(TIGHT, [0, -1, 1], [1, 1, 2]),
        Normal(TIGHT, [0.5, 0, 1], COVARIANCE),
        Empirical(TIGHT, [[1, 0, 1], [0, 1, 2]], [1, 2]),
    ],
)
def test_round_trip_through_a_file(d: Distribution, tmp_path: Path) -> None:
    """What is read back has the same hash and the same draws."""
    write_json(tmp_path / "distribution.json", d.to_dict())
    for where in (tmp_path, tmp_path / "distribution.json"):
        again = Distribution.load(where)
        assert again.hash == d.hash
        np.testing.assert_array_equal(again.sample(7, stream(0, "r")), d.sample(7, stream(0, "r")))


def test_a_covariance_that_is_none_is_refused() -> None:
    """A covariance that is not positive definite is refused, with the parameter that it fails along."""
    bad = COVARIANCE.copy()
    bad[0, 1] = bad[1, 0] = 5
    with pytest.raises(InputError, match=r"not positive definite.*smallest eigenvalue.*parameter '[ab]'"):
        Normal(TIGHT, [0.5, 0, 1], bad)


def test_what_is_read_back_has_the_same_hash() -> None:
    """Weights of draws that are no power of two in number survive being stored, to the last bit."""
    stored = Empirical(TIGHT, Uniform(TIGHT, TIGHT.low, TIGHT.high).sample(1000, stream(0, "stored")))
    again = Distribution.from_dict(stored.to_dict())
    assert again.hash == stored.hash
