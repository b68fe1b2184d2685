"""Curricula: they widen where a policy succeeds, hold where it fails, and their mathematics is what is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simloop import get_world
from simloop.distributions import Beta, Distribution, Uniform
from simloop.learn.curricula import AutomaticRandomisation, EntropyMaximisation, entropy, get_curriculum, kl_divergence
from simloop.learn.evaluate import Score
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import stream

WORLD = get_world("double-pendulum")
LINE = ParameterSpace([Parameter("x", 0.0, 1.0, 0.5), Parameter("y", 1.0, 100.0, 10.0, scale="log")])


def probe_of(works):
    """A policy that succeeds where `works(rows)` says."""

    def probe(distribution: Distribution, episodes: int) -> Score:
        rows = distribution.sample(episodes, stream(0, "probe"))
        success = np.asarray(works(rows))
        return Score(success.astype(float), success, np.zeros(episodes, bool), rows)

    return probe


def test_beta_density_is_the_one_that_is_sampled():
    """The density integrates to one and is that of its draws, log scale included."""
    d = Beta(LINE, [0.0, 1.0], [1.0, 100.0], [2.0, 3.0], [5.0, 2.0])
    rows = d.sample(4000, stream(0, "beta"))
    u = np.log(rows[:, 1]) / np.log(100)
    assert stats.kstest(rows[:, 0], stats.beta(2, 5).cdf).pvalue > 0.01
    assert stats.kstest(u, stats.beta(3, 2).cdf).pvalue > 0.01
    other = Uniform(LINE, [0.0, 1.0], [1.0, 100.0])
    flat = other.sample(40000, stream(1, "flat"))
    weights = np.exp(d.log_prob(flat) - other.log_prob(flat))
    assert weights.mean() == pytest.approx(1.0, abs=0.03)
    assert d.log_prob([[0.5, 0.5]])[0] == -np.inf
    again = Distribution.from_dict(d.to_dict())
    assert again.hash == d.hash
    ones = Beta(LINE, [0.0, 1.0], [1.0, 100.0], 1.0, 1.0)
    assert np.allclose(ones.log_prob(flat[:5]), other.log_prob(flat[:5]))


def test_entropy_and_divergence_are_those_of_scipy():
    """Closed forms agree with SciPy's entropy and with a divergence by integration."""
    space = ParameterSpace([Parameter("x", 0.0, 1.0, 0.5)])
    p, q = (Beta(space, [0.0], [1.0], a, b) for a, b in ((2.0, 3.5), (4.0, 1.5)))
    assert entropy(p) == pytest.approx(float(stats.beta(2, 3.5).entropy()), abs=1e-9)
    x = np.linspace(1e-6, 1 - 1e-6, 200_001)[:, None]
    integrand = np.exp(p.log_prob(x)) * (p.log_prob(x) - q.log_prob(x))
    assert kl_divergence(p, q) == pytest.approx(np.trapezoid(integrand, x[:, 0]), abs=1e-4)


def test_adr_widens_where_the_policy_does_well_alone():
    """An end moves outwards if the policy succeeds at it, inwards if it fails, and never beyond the widest range."""
    curriculum, j = AutomaticRandomisation(), WORLD.parameters.index("link1.mass")
    limit = WORLD.parameters.default[j] * 1.05
    current = curriculum.begin(WORLD)
    for _ in range(14):
        current = curriculum.widen(WORLD, current, probe_of(lambda rows: rows[:, j] < limit))
    wide = WORLD.distribution("wide")
    others = np.arange(len(WORLD.parameters)) != j
    assert np.allclose(current.low, wide.low)
    assert np.allclose(current.high[others], wide.high[others])
    assert current.high[j] < limit * 1.06


def test_doraemon_widens_until_success_binds():
    """Entropy grows to that of the widest range where all succeeds; where not, success stays at its bound."""
    curriculum = EntropyMaximisation()
    current = first = curriculum.begin(WORLD)
    for _ in range(6):
        current = curriculum.widen(WORLD, current, probe_of(lambda rows: np.ones(len(rows), bool)))
        assert kl_divergence(current, first) > 0
    assert entropy(current) > entropy(first) + 5
    j = WORLD.parameters.index("link1.mass")
    default = WORLD.parameters.default[j]
    held = curriculum.begin(WORLD)
    for _ in range(12):
        held = curriculum.widen(WORLD, held, probe_of(lambda rows: np.abs(rows[:, j] / default - 1) < 0.03))
    rows = held.sample(4000, stream(1, "held"))
    assert 0.3 < (np.abs(rows[:, j] / default - 1) < 0.03).mean() < 0.7


def test_doraemon_steps_within_its_divergence():
    """One step goes no further than its KL bound."""
    curriculum = EntropyMaximisation(kl=0.3)
    first = curriculum.begin(WORLD)
    second = curriculum.widen(WORLD, first, probe_of(lambda rows: np.ones(len(rows), bool)))
    assert 0.2 < kl_divergence(second, first) <= 0.32


def test_an_unknown_curriculum_is_named():
    """A wrong name is answered by close matches."""
    with pytest.raises(ValueError, match="did you mean 'doraemon'"):
        get_curriculum("doremon")
