"""The hierarchical fit finds how much reality varies; worlds are seen through the errors that it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simloop import Comparison, get_world
from simloop.adapt import Hierarchical
from simloop.adapt.hierarchical import scale_nodes
from simloop.adapt.random_effects import Effects, fit_spreads
from simloop.distributions import Distribution, Mixture, Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.trajectories import Channel, difference, displaced
from simloop.worlds import World
from simloop.worlds.uncertain import UncertainWorld, uncertain_space
from tests.linear_gaussian import MEAN, SPREAD, LinearGaussian


@pytest.fixture(scope="module")
def c1() -> World:
    return get_world("double-pendulum/c1")


def _population(covariance: Array, count: int = 300) -> tuple[Distribution, Array]:
    world = LinearGaussian()
    target = world.recordings(count, seed=1, mean=MEAN, covariance=covariance)
    prior = world.distribution("prior")
    assert isinstance(prior, Normal)
    fit = Hierarchical().fit(Comparison(world, target), prior).distribution
    z = fit.sample(20_000, np.random.default_rng(0))[:, :3]
    return fit, z


def test_a_population_without_correlations_is_found() -> None:
    """Means, spreads and independence of a Gaussian population are those it was drawn from, to sampling error."""
    _, z = _population(np.diag(SPREAD**2))
    np.testing.assert_allclose(z.mean(axis=0), MEAN, atol=4 * SPREAD.max() / np.sqrt(300))
    np.testing.assert_allclose(z.std(axis=0), SPREAD, rtol=0.2)
    assert np.abs(np.corrcoef(z.T) - np.eye(3)).max() < 0.1


def test_correlations_that_recordings_show_are_found() -> None:
    """Where parameters vary together and the recordings say so, so does the fit."""
    correlation = np.array([[1, 0.95, 0], [0.95, 1, 0], [0, 0, 1.0]])
    _, z = _population(correlation * SPREAD[:, None] * SPREAD)
    assert np.corrcoef(z.T)[0, 1] == pytest.approx(0.95, abs=0.06)


def test_recordings_that_share_their_parameters_leave_no_variation() -> None:
    """Where all recordings have the same parameters, the population is narrow and the noise is what was added."""
    fit, z = _population(np.zeros((3, 3)))
    assert z.std(axis=0).max() < 0.1
    noise = fit.mean[[fit.space.index("noise.y1"), fit.space.index("noise.y2")]]
    np.testing.assert_allclose(noise, 0.1, rtol=0.15)


def test_spreads_maximise_the_likelihood_of_a_heavy_tailed_sample() -> None:
    """Scales of a t-distributed sample with known causes come back, its tail held."""
    rng, n = np.random.default_rng(0), 20_000
    slopes, errors = rng.standard_normal((n, 2, 2)), np.broadcast_to(np.eye(2), (n, 2, 2))
    tau = 1 / np.sqrt(rng.chisquare(3, n) / 3)
    x, y = rng.standard_normal((n, 2)) * [0.5, 0.0], 0.2 * rng.standard_normal((n, 2))
    r = tau[:, None] * (np.einsum("ncd,nd->nc", slopes, x) + y)
    fit = fit_spreads(Effects(r, slopes, errors, np.zeros(2, int), np.arange(n)), tail=3.0)
    np.testing.assert_allclose(np.diag(fit.root) ** 2, [0.25, 0], atol=0.02)
    assert fit.errors[0] == pytest.approx(0.2, rel=0.05)


def test_nodes_of_the_scale_have_its_median_and_tail() -> None:
    """Draws with the stored values of tau are t-distributed, out to the 5 % that bands are judged by."""
    nodes, rng = scale_nodes(3.0), np.random.default_rng(0)
    x = rng.choice(nodes, 200_000) * rng.standard_normal(200_000)
    for p in (0.75, 0.9, 0.95):
        assert np.quantile(x, p) == pytest.approx(stats.t.ppf(p, 3), rel=0.03)
    assert scale_nodes(np.inf).tolist() == [1.0]


def test_a_fit_covers_a_varying_machine_as_often_as_it_says(c1: World) -> None:
    """On a stand-in with noisy sensors the 90 % band holds about 90 % of other recordings."""
    from simloop.gap.coverage import Coverage
    from simloop.gap.ensemble import ensemble

    fitted = standin_target(c1, seed=5, episodes=4, seconds=6, noise=0.01, part="fit")
    test = standin_target(c1, seed=5, episodes=2, seconds=6, noise=0.01, part="test")
    prior = c1.distribution("prior")
    assert isinstance(prior, Normal)
    method = Hierarchical(refine=False)
    distribution = method.fit(Comparison(c1, fitted), prior).distribution
    windows = Replay(c1, test.recordings).windows(0.2)
    found = Coverage().measure(ensemble(c1, windows, distribution, draws=60, seed=0), seed=0)
    shares = [part.extra["coverage"]["90%"] for part in found.parts]
    assert all(0.8 <= share <= 1.0 for share in shares)


def test_errors_have_the_spreads_that_the_row_names(c1: World) -> None:
    """Starts, pushes and sensors vary with the standard deviations of the row; the same seed gives the same bytes."""
    target = standin_target(c1, seed=0, episodes=1, seconds=2)
    windows = Replay(c1, target.recordings).windows(0.1, every=0.002).take(np.zeros(4000, dtype=np.int64))
    space = uncertain_space(c1, {"start.joint1": 1.0, "push.motor2": 1.0, "noise.joint2": 1.0})
    world = UncertainWorld(c1, space)
    row = space.row({"start.joint1": 0.01, "noise.joint2": 0.02})
    first = world.simulate(row, windows.segments, seed=3).regular
    assert first.tobytes() == world.simulate(row, windows.segments, seed=3).regular.tobytes()
    assert first[:, 0, 0].std() == pytest.approx(0.01, rel=0.05)
    assert first[:, 0, 1].std() == pytest.approx(0.02, rel=0.05)
    part = world.simulate(row, windows.segments.take(np.arange(10)), seed=3).regular
    assert part.tobytes() == first[:10].tobytes()
    pushed = world.simulate(space.row({"push.motor2": 0.1}), windows.segments, seed=3).regular
    steady = c1.simulate(c1.parameters.default, windows.segments.take(np.arange(1))).regular
    # a push of 0.1 N m for 0.1 s turns the light second link by about tau t^2 / 2 I
    assert 0.005 < (pushed[:, -1, 1] - steady[0, -1, 1]).std() < 0.1


def test_spreads_at_their_least_change_nothing_that_matters(c1: World) -> None:
    """A row with the least spreads is the world itself, to a part in a million."""
    target = standin_target(c1, seed=0, episodes=1, seconds=2)
    segments = Replay(c1, target.recordings).windows(0.2).segments
    space = uncertain_space(c1, {"start.joint1": 0.1, "push.motor1": 1.0, "noise.joint1": 0.1})
    through = UncertainWorld(c1, space).simulate(space.default, segments).regular
    np.testing.assert_allclose(through, c1.simulate(c1.parameters.default, segments).regular, atol=1e-6)


def test_errors_of_another_world_are_refused(c1: World) -> None:
    """A distribution over another world's parameters is answered by their names."""
    other = get_world("qube").distribution("prior")
    with pytest.raises(InputError, match="not one over the parameters"):
        c1.under(other)


def test_displacements_undo_differences() -> None:
    """`displaced` is the inverse of `difference`, rotations included, and keeps quaternions of unit length."""
    channels = [Channel("q", kind="quaternion"), Channel("a", "rad", "angle"), Channel("p", "m", "point")]
    rng = np.random.default_rng(0)
    a = rng.standard_normal((50, 8))
    a[:, :4] /= np.linalg.norm(a[:, :4], axis=1, keepdims=True)
    by = 0.5 * rng.standard_normal((50, 7))
    b = displaced(a, by, channels)
    np.testing.assert_allclose(difference(b, a, channels), by, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(b[:, :4], axis=1), 1)


def test_a_mixture_is_what_its_components_are(c1: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Moments, density and file of a mixture are those of its components."""
    space = LinearGaussian.parameters
    parts = [Normal.independent(space, m * np.ones(3), s) for m, s in ((0.0, 1.0), (2.0, 0.5))]
    mixture = Mixture(space, parts, [1, 3])
    x = mixture.sample(40_000, np.random.default_rng(0))
    np.testing.assert_allclose(x.mean(axis=0), 1.5, atol=0.03)
    want = np.log(0.25 * np.exp(parts[0].log_prob(x[:5])) + 0.75 * np.exp(parts[1].log_prob(x[:5])))
    np.testing.assert_allclose(mixture.log_prob(x[:5]), want)
    again = Distribution.from_dict(mixture.to_dict())
    assert again.hash == mixture.hash
    assert again.sample(5, np.random.default_rng(1)).tobytes() == mixture.sample(5, np.random.default_rng(1)).tobytes()
    with pytest.raises(InputError, match="weights must be 2"):
        Mixture(space, parts, [1])


def test_a_budget_is_kept_or_refused(c1: World) -> None:
    """A fit simulates no more windows than its budget; one that is too small is answered by what it needs."""
    target = standin_target(c1, seed=1, episodes=1, seconds=3)
    prior = c1.distribution("prior")
    assert isinstance(prior, Normal)
    with pytest.raises(InputError, match="no fewer than the budget of 100"):
        Hierarchical().fit(Comparison(c1, target), prior, budget=100)
    fit = Hierarchical(refine=False).fit(Comparison(c1, target), prior, budget=6000)
    assert fit.rollouts <= 6000
