"""The measures of the gap, where the truth is known: closed forms, proper scoring, even ranks, honest p-values."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import simloop.gap.pairs
from simloop.cli import main
from simloop.distributions import Normal, Point
from simloop.errors import InputError
from simloop.gap import MEASURES, Ensemble, Measured, get_measure, measure_arms
from simloop.gap.bootstrap import paired_ratio
from simloop.gap.classifier import Classifier
from simloop.gap.coverage import Coverage
from simloop.gap.crps import CRPS
from simloop.gap.energy_score import EnergyScore, energy_scores
from simloop.gap.ensemble import ensemble
from simloop.gap.mmd import MMD, paired_kernel
from simloop.gap.simopt_discrepancy import SimOptDiscrepancy, filtered_norms
from simloop.gap.windowed import window_errors
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay, Windows
from simloop.trajectories import Channel
from simloop.verbs import measure_ensembles
from simloop.worlds import World, get_world

CHANNELS = (Channel("joint1", "rad", "angle"), Channel("joint2", "rad", "angle"))


def gaussian(
    *, windows: int = 150, draws: int = 50, instants: int = 1, shift: float = 0.0, spread: float = 1.0, seed: int = 0
) -> Ensemble:
    """Draws N(m_w + shift s_w on joint2, (spread s_w)^2) of windows whose reality is N(m_w, s_w^2); s_w differ."""
    rng = np.random.default_rng(seed)
    context = rng.standard_normal((windows, 4))
    scale = 0.02 * np.exp(0.5 * context[:, 0])[:, None, None]
    centre = 0.3 * context[:, None, 1:3] * np.linspace(0.5, 1, instants)[:, None]

    def motions(m: int) -> np.ndarray:
        steps = rng.standard_normal((windows, m, instants, 2)).cumsum(axis=2)
        return np.asarray(steps / np.sqrt(np.arange(1, instants + 1))[:, None])

    real = centre + scale * motions(1)[:, 0]
    simulated = centre[:, None] + (scale * (np.array([0, shift])))[:, None] + scale[:, None] * spread * motions(draws)
    return Ensemble(
        errors=simulated - real[:, None],
        changes=simulated,
        real=real,
        context=context,
        instants=np.tile(np.linspace(0.2 / instants, 0.2, instants), (windows, 1)),
        channels=CHANNELS,
        file=np.arange(windows) * 10 // windows,
    )


def windows_of(world: World, **options: float) -> Windows:
    return Replay(world, standin_target(world, seed=1, episodes=3, seconds=5, **options).recordings).windows(0.2)  # type: ignore[arg-type]


# --- scores


@pytest.mark.parametrize("y", [0.0, 0.7, -2.5])
def test_crps_of_a_normal_is_its_closed_form(y: float) -> None:
    """Averaged over many sets of draws, the CRPS of N(0, 1) at y is y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi)."""
    x = np.random.default_rng(0).standard_normal((800, 60, 1, 1)) - y
    scores = energy_scores(x, np.ones((800, 60), dtype=bool))
    expected = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / math.sqrt(math.pi)
    assert scores.mean() == pytest.approx(expected, abs=0.012)


def test_energy_score_of_a_normal_in_the_plane_is_its_closed_form() -> None:
    """At its centre, N(0, s^2 I) in the plane scores s (sqrt(pi / 2) - sqrt(pi) / 2), with few draws as with many."""
    for draws in (3, 80):
        x = 0.5 * np.random.default_rng(draws).standard_normal((3000, draws, 1, 2))
        scores = energy_scores(x, np.ones((3000, draws), dtype=bool))
        expected = 0.5 * (math.sqrt(math.pi / 2) - math.sqrt(math.pi) / 2)
        assert scores.mean() == pytest.approx(expected, abs=4 * scores.std() / math.sqrt(3000))


def test_a_point_scores_its_distance() -> None:
    """A single simulation's energy score is the length of its error, its CRPS the mean absolute error."""
    e = gaussian(draws=1)
    found = EnergyScore().measure(e), CRPS().measure(e)
    assert found[0].value == pytest.approx(np.linalg.norm(e.errors, axis=-1).mean())
    assert found[1].value == pytest.approx(np.abs(e.errors).mean())
    assert [p.value for p in found[1].parts] == pytest.approx(np.abs(e.errors).mean(axis=(0, 1, 2)))


@pytest.mark.parametrize("measure", [EnergyScore(), CRPS()])
@pytest.mark.parametrize("wrong", [{"shift": 1.0}, {"spread": 0.4}, {"spread": 2.5}, {"draws": 1}])
def test_the_true_distribution_scores_best(measure: EnergyScore | CRPS, wrong: dict[str, float]) -> None:
    """Shifted, narrow and wide distributions, and single draws, score worse than the one that reality is drawn from."""
    arms = {"default": gaussian(windows=600), "wrong": gaussian(windows=600, **wrong)}  # type: ignore[arg-type]
    found = measure_arms(measure, arms)["wrong"]
    assert found.ratio is not None
    assert found.ratio_interval is not None
    assert found.ratio_interval[0] > 1


def test_a_ratio_is_paired() -> None:
    """Scores that are 0.8 of others in each window have a ratio of 0.8 with no interval to speak of."""
    scores = np.random.default_rng(0).exponential(size=100)
    scores[3] = np.nan
    ratio, (low, high) = paired_ratio(0.8 * scores, scores, np.zeros(100, dtype=np.int64))
    assert (ratio, low, high) == pytest.approx((0.8, 0.8, 0.8))


def test_several_units_are_scored_by_how_far_things_move() -> None:
    """Where channels have several units, scores do not change if one is given in another unit."""
    e = replace(gaussian(), channels=(CHANNELS[0], Channel("slide", "m")))
    k = np.array([1.0, 1000.0])
    other = replace(e, errors=e.errors * k, changes=e.changes * k, real=e.real * k)
    for measure in (EnergyScore(), CRPS()):
        assert measure.measure(e).unit == "of persistence"
        assert measure.measure(other).value == pytest.approx(measure.measure(e).value)


def test_what_diverged_and_what_was_not_measured_is_left_out() -> None:
    """Diverged draws are counted and change nothing else; instants that no recording reaches are not compared."""
    e = gaussian(draws=60, instants=4)
    late = {"errors": e.errors.copy(), "changes": e.changes.copy(), "real": e.real.copy()}
    late["errors"][:50, :, 2:] = late["real"][:50, 2:] = np.nan
    short = replace(e, **late)
    late["errors"][:, 25:] = late["changes"][:, 25:] = np.nan
    broken = replace(e, **late)
    fewer = replace(short, errors=short.errors[:, :25], changes=short.changes[:, :25])
    assert (broken.diverged, fewer.diverged) == (150 * 35, 0)
    for measure in MEASURES.values():
        assert measure.measure(broken).value == pytest.approx(measure.measure(fewer).value, rel=1e-12)
    assert (short.at(1).instants[:50, 0] == e.instants[:50, 1]).all()
    assert np.isfinite(short.at(2).real).all()


# --- coverage


def test_coverage_and_ranks_of_the_true_distribution() -> None:
    """Where reality is a draw the bands cover what they say and the ranks are even."""
    found = Coverage().measure(gaussian(windows=3000, draws=40))
    assert found.value < 0.02
    for part in found.parts:
        assert [part.extra["coverage"][k] for k in ("50%", "80%", "90%")] == pytest.approx([0.5, 0.8, 0.9], abs=0.025)
        assert part.extra["pit"] == pytest.approx([0.1] * 10, abs=0.02)
    assert found.extra["p"] > 0.01


def test_ranks_cry_wolf_no_more_often_than_they_say() -> None:
    """Over 100 true distributions the test of even ranks alarms at 5 % about five times."""
    alarms = [Coverage().measure(gaussian(draws=25, seed=s), seed=s).extra["p"] <= 0.05 for s in range(100)]
    assert sum(alarms) <= 11


@pytest.mark.parametrize(
    ("wrong", "says", "outer"), [({"spread": 0.4}, "too narrow", 0.3), ({"spread": 3.0}, "too wide", 0.02)]
)
def test_ranks_say_what_is_wrong(wrong: dict[str, float], says: str, outer: float) -> None:
    """Too narrow a distribution has U-shaped ranks, too wide a one a hump; the verdict says so."""
    found = Coverage().measure(gaussian(windows=400, **wrong))  # type: ignore[arg-type]
    pit = found.parts[0].extra["pit"]
    assert (pit[0] + pit[-1] > outer) if outer > 0.2 else (pit[0] + pit[-1] < 2 * outer)
    assert says in found.verdict
    assert found.value > 0.1


def test_ranks_see_a_shift_and_where() -> None:
    """A shifted channel's ranks slope; the other's stay even."""
    found = Coverage().measure(gaussian(windows=400, shift=1.0))
    assert "shifted for joint2" in found.verdict
    assert found.parts[0].extra["p"] > 0.01 > found.parts[1].extra["p"]
    assert found.parts[1].extra["mean rank"] < 0.35


# --- two-sample tests


def test_mmd_is_its_definition() -> None:
    """The paired kernel gives the unbiased estimate of Gretton et al.'s equation 4, term by term."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 12, 3))
    pooled = np.concatenate([x, y])
    x, y = x / pooled.std(axis=0), y / pooled.std(axis=0)
    both = np.concatenate([x, y])
    squared = [float(((a - b) ** 2).sum()) for i, a in enumerate(both) for b in both[i + 1 :]]

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-float(((a - b) ** 2).sum()) / float(np.median(squared)))

    h = [k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i]) for i in range(12) for j in range(12) if i != j]
    assert paired_kernel(x, y).sum() / (12 * 11) == pytest.approx(float(np.mean(h)))


@pytest.mark.parametrize("measure", [MMD(), Classifier()])
def test_two_sample_tests_cry_wolf_no_more_often_than_they_say(
    measure: MMD | Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over 120 true distributions the p-value is at most 5 % about six times, and evenly spread."""
    monkeypatch.setattr(simloop.gap.pairs, "PERMUTATIONS", 199)
    p = [measure.measure(gaussian(windows=60, draws=15, instants=4, seed=s), seed=s).extra["p"] for s in range(120)]
    assert np.mean(np.array(p) <= 0.05) <= 0.11
    assert np.mean(p) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("measure", [MMD(), Classifier()])
def test_two_sample_tests_find_a_shift_and_name_the_channel(measure: MMD | Classifier) -> None:
    """One standard deviation of shift on joint2 is found, on joint2."""
    found = measure.measure(gaussian(shift=1.0, instants=4))
    assert found.extra["p"] < 0.01
    assert found.parts[0].extra["p"] > 0.01 > found.parts[1].extra["p"]
    assert "told apart" in found.verdict
    assert found.windows == 150


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_the_classifier_sees_a_wrong_spread(spread: float) -> None:
    """Draws that spread half or twice as much as reality are told from it, by both channels."""
    found = Classifier().measure(gaussian(spread=spread, instants=4))
    assert found.extra["p"] < 0.01
    assert found.extra["by channels"] == ["joint1", "joint2"]
    assert found.interval[0] > 0.55


def test_the_classifier_says_that_it_cannot_tell() -> None:
    """Where reality is a draw the verdict is that the two cannot be told apart."""
    assert "cannot be told apart" in Classifier().measure(gaussian(instants=4, seed=1)).verdict


# --- SimOpt's


def test_simopt_is_equation_six() -> None:
    """A constant error passes the filter: its cost is steps x (l1 0.2 |e| + l2 (0.2 e)^2), summed over channels."""
    error = np.broadcast_to([3.0, -1.0], (2, 40, 2))
    expected = 40 * (0.5 * 0.2 * 4 + 1.0 * 0.04 * 10)
    assert filtered_norms(error) == pytest.approx([expected, expected])
    e = gaussian(draws=7, instants=40)
    scale = 0.02 * np.sqrt((e.real**2).mean(axis=(0, 1)))
    by_hand = filtered_norms(e.errors / scale).mean() / 40
    assert SimOptDiscrepancy().measure(e).value == pytest.approx(by_hand)


def test_simopt_of_a_world_is_the_one_that_simopt_minimises(pendulum: World) -> None:
    """On the measured channel the measure is `Comparison.discrepancy` without the rate's share."""
    windows = Replay(pendulum, standin_target(pendulum, seed=1, episodes=2, seconds=4).recordings).windows(
        0.2, every=pendulum.control_dt
    )
    e = ensemble(pendulum, windows, Point(pendulum.parameters))
    change = windows.measured[..., :1] - windows.before[:, None, :1]
    residuals = e.errors / (0.02 * np.sqrt((change**2).mean(axis=(0, 1))))
    assert SimOptDiscrepancy().measure(e).value == pytest.approx(filtered_norms(residuals).mean() / 100)


# --- ensembles of worlds


def test_an_ensemble_is_what_the_windowed_gap_measures(pendulum: World) -> None:
    """The errors at the windows' ends are those of the windowed gap, bit for bit, drawn, at the mean and unmoved."""
    windows, prior = windows_of(pendulum), pendulum.distribution("prior")
    for distribution, draws in ((prior, 7), (prior, 1), (Point(pendulum.parameters), 7), (None, 7)):
        e = ensemble(pendulum, windows, distribution, draws=draws, seed=3)
        assert (e.errors[:, :, -1] == window_errors(pendulum, windows, distribution, draws, 3)).all()


def test_all_measures_of_a_world_whose_distribution_is_true(pendulum: World) -> None:
    """Draws of a stand-in whose parameters vary from window to window are not told from it; the default is."""
    space = pendulum.parameters
    mean = np.clip(0.8 * space.default, space.low, space.high)
    truth = Normal.independent(space, mean, np.maximum(0.2 * space.spread, 1e-6))
    windows = Replay(pendulum, standin_target(pendulum, seed=1, episodes=6, seconds=6, noise=0.0).recordings).windows(
        0.2, every=0.05
    )
    drawn = pendulum.simulate(truth.sample(len(windows), np.random.default_rng(0)), windows.segments).regular
    real = replace(windows, measured=drawn)
    right = ensemble(pendulum, real, truth, draws=60, seed=1)
    wrong = ensemble(pendulum, real, Normal.independent(space, space.default, truth.spread / 4), draws=60, seed=1)
    for name in ("coverage", "mmd", "classifier"):
        assert get_measure(name).measure(right).extra["p"] > 0.01
    for name in ("coverage", "classifier"):
        assert get_measure(name).measure(wrong).extra["p"] < 0.01
    for name in ("energy-score", "crps", "simopt"):
        assert get_measure(name).measure(right).value < get_measure(name).measure(wrong).value


def test_a_free_body_can_be_measured() -> None:
    """Recordings of other lengths, points and rotations: every measure is finite and has a part for each channel."""
    world = get_world("cube-toss")
    windows = _tosses(world)
    own = world.distributions()
    e = ensemble(world, windows, own.get("wide", own["prior"]), draws=25).at(8)
    assert e.errors.shape[2:] == (8, 6)
    for measure in MEASURES.values():
        found = measure.measure(e)
        assert math.isfinite(found.value)
        assert [p.channel for p in found.parts] == [c.name for c in world.measured]


def _tosses(world: World) -> Windows:
    """Twelve free flights under the default parameters, of other lengths; no recording is needed."""
    from simloop.worlds.world import Segments

    rng = np.random.default_rng(0)
    width, tangent = sum(c.width for c in world.measured), sum(c.tangent for c in world.measured)
    positions = np.zeros((12, width))
    for channel, at in zip(world.measured, np.cumsum([0] + [c.width for c in world.measured])[:-1], strict=True):
        if channel.kind == "quaternion":
            positions[:, at] = 1.0
        else:
            positions[:, at + 2] = 0.2
    state = world.state(positions, rng.standard_normal((12, tangent)))
    lasts = rng.integers(30, 60, 12)
    segments = Segments(state, np.zeros((12, 61, 0)), np.arange(12), np.zeros(12, dtype=np.int64), 60, 1, lasts)
    measured = world.simulate(world.parameters.default[None], segments).regular.copy()
    before = measured[:, 0].copy()
    measured[np.arange(60) >= lasts[:, None]] = np.nan
    return Windows(60 * world.control_dt, segments, measured, before, np.arange(12), tuple("abcdefghijkl"))


# --- results and errors


def test_a_measure_survives_json() -> None:
    """What a measure found is the same after JSON."""
    for measure in MEASURES.values():
        found = measure_arms(measure, {"default": gaussian(draws=25), "other": gaussian(draws=25, shift=1.0)})["other"]
        assert Measured.from_dict(json.loads(json.dumps(found.to_dict()))).to_dict() == found.to_dict()
        assert found.name == measure.name
        assert found.interval[0] <= found.value <= found.interval[1]


def test_the_same_seed_gives_the_same_numbers() -> None:
    """Every measure gives the same numbers under the same seed."""
    e = gaussian(draws=25, instants=4)
    for measure in MEASURES.values():
        assert measure.measure(e, seed=3) == measure.measure(e, seed=3)


def test_what_a_measure_cannot_do_is_one_sentence(pendulum: World) -> None:
    """Unknown measures get a close match; too few draws or windows are said."""
    with pytest.raises(InputError, match=r"unknown measure 'energyscore' \(did you mean 'energy-score'"):
        get_measure("energyscore")
    target = standin_target(pendulum, seed=1, episodes=2, seconds=3)
    with pytest.raises(InputError, match=r"'coverage' looks at 20 draws or more, and of 'default' there is 1"):
        measure_ensembles(pendulum, target, None, ["coverage"], horizon=0.2, draws=50, seed=0)
    with pytest.raises(InputError, match="at least ten windows"):
        MMD().measure(gaussian(windows=6))


def test_every_measure_of_the_command_line(pendulum: World) -> None:
    """Asked for all, each measure gives what was asked for, beside the arms that did nothing."""
    target = standin_target(pendulum, seed=1, episodes=3, seconds=4)
    found = measure_ensembles(pendulum, target, "wide", list(MEASURES), horizon=0.2, draws=20, seed=0)
    record = found.to_dict()
    assert list(record["measures"]) == list(MEASURES)
    for name, measured in record["measures"].items():
        have = {"persistence", "default"} if name != "coverage" else set()
        assert set(measured["baselines"]) == have
        assert measured["windows"] == 57
        assert measured["draws"] == 20
    one = measure_ensembles(pendulum, target, "wide", ["crps"], horizon=0.2, draws=20, seed=0).to_dict()
    assert one["value"] == record["measures"]["crps"]["value"]
    assert one["provenance"] == "same engine, hidden parameters"


def test_the_command_line_measures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`simloop gap --measure NAME --json` prints one object; a misspelt name is one sentence and exit code 2."""
    command = "simloop gap double-pendulum --target standin --horizon 0.1 --draws 20 --distribution wide --measure"
    monkeypatch.setattr("sys.argv", [*command.split(), "coverage", "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    record = json.loads(capsys.readouterr().out)
    assert done.value.code in (0, None)
    assert {"value", "interval", "unit", "parts", "baselines", "windows", "diverged", "versions"} <= record.keys()
    assert (record["name"], record["arm"], record["horizon"]) == ("coverage", "wide", 0.1)
    monkeypatch.setattr("sys.argv", [*command.split(), "coverge"])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    assert capsys.readouterr().err == "simloop: unknown measure 'coverge' (did you mean 'coverage'?)\n"


def test_all_measures_are_fast() -> None:
    """All measures of 100 draws of 156 windows, the filtered one at 100 instants, take less than five seconds."""
    few, many = gaussian(windows=156, draws=100, instants=4), gaussian(windows=156, draws=100, instants=100)
    began = time.process_time()
    for measure in MEASURES.values():
        measure.measure((few if measure.instants else many).at(measure.instants or 100))
    assert time.process_time() - began < 5
