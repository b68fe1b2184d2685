"""Calibration: whether a distribution is said to cover reality exactly where it does, in a world with closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simloop.calibration import (
    MEAN,
    Band,
    Calibration,
    Predictions,
    calibrate,
    tell_apart,
    windows_at,
)
from simloop.distributions import Empirical, Mixture, Normal
from simloop.parameters import Array
from simloop.targets import get_target
from simloop.targets.windows import Replay
from simloop.worlds import World, get_world
from simloop.worlds.uncertain import uncertain_space
from tests import linear_gaussian as lg

HORIZONS = (0.06, 0.1, 0.2)


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """Recordings of a known population, and arms that are it, narrower, wider, shifted."""
    world = lg.LinearGaussian()
    target = world.recordings(150, seed=1, mean=lg.MEAN, covariance=np.diag(lg.SPREAD**2))
    space = uncertain_space(world, {"noise.y1": 1.0, "noise.y2": 1.0})

    def population(scale: float, noise: float, shift: float = 0.0) -> Normal:
        spread: Array = np.concatenate([lg.SPREAD * scale, [1e-3, 1e-3]])
        return Normal(space, np.concatenate([lg.MEAN + shift, [noise, noise]]), np.diag(spread**2))

    true = population(1, lg.NOISE)
    arms = {
        "default": world.distributions()["default"],
        "wide": population(3, 3 * lg.NOISE),
        "true": true,
        "narrow": population(0.3, 0.3 * lg.NOISE),
        "shifted": population(1, lg.NOISE, shift=1.0),
        "mixed": Mixture(space, [true, true], [1.0, 2.0]),
        "drawn": Empirical(space, true.sample(500, np.random.default_rng(0))),
    }
    return Predictions(world, Replay(world, target.recordings), arms, HORIZONS[-1:], seed=0)


@pytest.fixture(scope="module")
def found(predictions: Predictions) -> Calibration:
    return calibrate(predictions)


@pytest.mark.parametrize("arm", ["true", "mixed", "drawn"])
def test_the_population_itself_covers(found: Calibration, arm: str) -> None:
    """The distribution that recordings are drawn from is said to cover them, of whatever kind it is."""
    assert found.covers(arm) is True
    assert f"{arm} covers reality as often as it says: its 90 % band holds" in found.sentence(arm)
    assert all(abs(b.covered - float(b.level[:-1]) / 100) < 0.1 for b in found.bands(arm))


@pytest.mark.parametrize(("arm", "how"), [("narrow", "too little"), ("shifted", "too little"), ("wide", "too much")])
def test_other_distributions_do_not_cover(found: Calibration, arm: str, how: str) -> None:
    """A narrow, a shifted and a wide one are said not to, in both channels and how."""
    assert found.covers(arm) is False
    off = [b for b in found.bands(arm) if b.off]
    assert {b.off for b in off} == {how}
    assert {b.channel for b in off} == {"y1", "y2"}
    said = "does not cover the stand-in as often as" if how == "too little" else "covers the stand-in more often than"
    assert f"{arm} {said} it says" in found.sentence(arm, "the stand-in")
    assert found.holds(arm) == (how == "too much")
    assert ("wider than it need be" in found.sentence(arm)) == (how == "too much")


def test_scores_are_best_for_the_population(found: Calibration) -> None:
    """No arm has a better energy score or CRPS than the population; it beats the best point and the wide ranges."""
    for arms in found.at.values():
        for score in ("energy", "crps"):
            values = {name: getattr(s, score).value for name, s in arms.items()}
            assert min(values, key=lambda n: values[n]) in ("true", "mixed", "drawn")
        ratios = arms["true"].to_wide, arms["true"].to_point
        assert all(r is not None and r.interval[1] < 1 for r in ratios)
        assert arms["true"].energy.ratio is not None


def test_a_point_has_no_bands(found: Calibration) -> None:
    """The default and the mean of a fit are scored, but nothing is said of how often they cover."""
    assert found.covers("default") is None
    assert found.sentence("true" + MEAN) == ""
    assert found.at[0.1]["true" + MEAN].energy.draws == 1


def test_a_classifier_names_the_real_one_where_draws_are_wrong(predictions: Predictions) -> None:
    """It names the real one of nearly every pair for the default and a narrow fit, of few for the population itself.

    Not of none beyond chance: the start of a window is estimated from samples after it, and so knows their noise.
    """
    told = tell_apart(predictions, 0.2)
    assert MEAN not in "".join(told)
    assert all(told[n].value > 0.85 and told[n].extra["told apart"] for n in ("narrow", "default"))
    assert told["true"].value < 0.7


def test_it_survives_being_stored(found: Calibration) -> None:
    """What is read back from JSON says the same."""
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert again.sentence("narrow") == found.sentence("narrow")


def test_few_windows_condemn_nothing() -> None:
    """A share beyond the tolerance whose interval holds what the band says counts as right."""
    assert Band(0.1, "y1", "90%", 0.8, (0.6, 0.95)).off == ""
    assert Band(0.1, "y1", "90%", 0.8, (0.7, 0.85)).off == "too little"
    assert Band(0.1, "y1", "90%", 0.99, (0.97, 1.0)).off == "too much"
    assert Band(0.1, "y1", "50%", 0.55, (0.51, 0.6)).off == ""


def test_whole_recordings_are_one_horizon() -> None:
    """Of a world that is replayed whole, recordings are compared at ten instants, rotations with bands of their own."""
    world: World = get_world("cube-toss")
    replay = Replay(world, get_target("standin:cube-toss", world).recordings)
    arms = {"default": world.distribution("default"), "wide": world.distribution("wide")}
    found = calibrate(Predictions(world, replay, arms, world.horizons, draws=25))
    assert len(found.at) == 1
    assert {b.channel for b in found.bands("wide")} == {"position", "rotation"}
    assert " s" not in found.sentence("wide").replace(" says", "")
    assert windows_at(replay, 0.7, 4)[1] == 10
