"""The windowed gap: closed forms, intervals, and the protocol's published table on real recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simloop.distributions import Normal, Point
from simloop.gap.bootstrap import bootstrap_weights
from simloop.gap.windowed import _parts, _statistics, windowed_gaps
from simloop.targets import get_target
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay, Windows
from simloop.worlds import World, get_world


def _windows(world: World, **options: float) -> Windows:
    return Replay(world, standin_target(world, seed=1, episodes=3, seconds=5, **options).recordings).windows(0.2)  # type: ignore[arg-type]


def test_statistics_are_rms_and_median() -> None:
    """With equal weights the statistics are NumPy's; with integer weights those of repeated windows."""
    rng = np.random.default_rng(0)
    error = rng.standard_normal((31, 2, 3))
    weights = np.stack([np.ones(31), rng.integers(0, 4, 31)])
    rmse, median = _statistics(error, weights)
    np.testing.assert_allclose(rmse[0], np.sqrt((error**2).mean((0, 1))))
    np.testing.assert_allclose(median[0], np.median(np.abs(error), axis=(0, 1)))
    repeated = np.repeat(error, weights[1].astype(int), axis=0)
    np.testing.assert_allclose(rmse[1], np.sqrt((repeated**2).mean((0, 1))))
    np.testing.assert_allclose(median[1], np.median(np.abs(repeated), axis=(0, 1)))


def test_bootstrap_interval_covers_as_often_as_it_says() -> None:
    """Over 200 samples of known errors, the 95 % interval of the RMSE holds the true one 88 to 99 times in 100."""
    rng = np.random.default_rng(1)
    weights = rng.multinomial(150, np.full(150, 1 / 150), size=400)
    inside = 0
    for _ in range(200):
        rmse, _ = _statistics(rng.standard_normal((150, 1, 1)), weights)
        low, high = np.percentile(rmse[:, 0], [2.5, 97.5])
        inside += bool(low <= 1 <= high)
    assert 0.88 <= inside / 200 <= 0.99


def test_many_files_are_resampled_whole(pendulum: World) -> None:
    """From eight files on, a resample takes or leaves files, never single windows of one."""
    windows = _windows(pendulum)
    many = replace(windows, file=np.arange(len(windows)) % 9, files=tuple("abcdefghi"))
    weights = bootstrap_weights(many.file, seed=0)
    for f in range(9):
        block = weights[:, many.file == f]
        assert (block == block[:, :1]).all()
    assert not (bootstrap_weights(windows.file, seed=0)[1:, windows.file == 0] == 1).all()


def test_a_diverged_window_is_counted_and_left_out(pendulum: World) -> None:
    """Windows that start in a state that no simulation survives are counted; the others give the same gap."""
    windows = _windows(pendulum)
    state = windows.segments.state.copy()
    state[2] = 1e20
    broken = replace(windows, segments=replace(windows.segments, state=state))
    point = {"default": Point(pendulum.parameters)}
    with_it = windowed_gaps(pendulum, broken, point)[0]
    without = windowed_gaps(pendulum, windows.take(np.delete(np.arange(len(windows)), 2)), point)[0]
    assert with_it.diverged == 1
    assert with_it.value == pytest.approx(without.value, rel=1e-12)


def test_coverage_of_a_true_distribution(pendulum: World) -> None:
    """Draws from the distribution that reality is drawn from cover it as often as the band says."""
    space = pendulum.parameters
    truth = Normal.independent(space, space.default, np.maximum(0.2 * space.spread, 1e-6))
    windows = _windows(pendulum, noise=0.0)
    rows = truth.sample(len(windows), np.random.default_rng(0))
    drawn = pendulum.simulate(rows, windows.segments).regular
    inside = windowed_gaps(pendulum, replace(windows, measured=drawn), {"truth": truth}, draws=60)[0]
    covered = inside.parts[0].covered
    assert covered is not None
    assert 0.8 <= covered <= 0.98


@pytest.mark.parametrize("draws", [20, 50, 100])
def test_a_band_covers_as_often_as_it_says_at_any_number_of_draws(pendulum: World, draws: int) -> None:
    """Draws from the law of reality itself cover it 90 % of the time, with 20 draws as with 100."""
    rng = np.random.default_rng(draws)
    error = rng.standard_normal((6000, draws, 1)) - rng.standard_normal((6000, 1, 1))
    part = _parts(pendulum.measured, error, pendulum, range(6000))[0]  # type: ignore[arg-type]
    assert part.covered == pytest.approx(0.9, abs=0.015)


#: protocol `real-dynamics`: (build, part, horizon, persistence RMSE, nominal RMSE, nominal median)
PROTOCOL = [
    ("c1", 0.2, (0.336, 0.470), (0.0284, 0.0485), (0.0122, 0.0200), 156),
    ("c1", 0.5, (0.650, 0.760), (0.0706, 0.1568), (0.0359, 0.0300), 60),
    ("a0", 0.2, (0.382, 1.055), (0.049, 0.170), (0.032, 0.115), 147),
]


@pytest.mark.parametrize(("build", "horizon", "still", "rmse", "median", "count"), PROTOCOL)
def test_the_protocols_table_is_reproduced(
    real: Path,
    build: str,
    horizon: float,
    still: tuple[float, float],
    rmse: tuple[float, float],
    median: tuple[float, float],
    count: int,
) -> None:
    """On the real test files the default parameters and persistence score what the protocol published."""
    world = get_world(f"double-pendulum/{build}")
    target = get_target(f"double-pendulum/design-{build}/test", world)
    windows = Replay(world, target.recordings).windows(horizon)
    persistence, default = windowed_gaps(world, windows, {"persistence": None, "default": Point(world.parameters)})
    assert len(windows) == count
    tolerance = 0.0006 if build == "a0" else 0.00006
    np.testing.assert_allclose([p.rmse for p in persistence.parts], still, atol=0.0006)
    np.testing.assert_allclose([p.rmse for p in default.parts], rmse, atol=tolerance)
    np.testing.assert_allclose([p.median for p in default.parts], median, atol=tolerance)
