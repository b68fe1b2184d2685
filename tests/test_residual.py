"""A residual force acts as physics says, is the plain world where it is nothing, and is fitted only where it helps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from simloop.adapt import Comparison, LeastSquares, get_method
from simloop.adapt.residual import Candidate, Score, choose, paired
from simloop.cli import main
from simloop.distributions import Normal, Point
from simloop.errors import InputError
from simloop.gap import windowed_gaps
from simloop.targets import get_target
from simloop.targets.standin import standin_target
from simloop.targets.target import Target
from simloop.targets.windows import Replay
from simloop.worlds import World, get_world
from simloop.worlds.residual import ResidualWorld, residual_space
from simloop.worlds.uncertain import UncertainWorld, uncertain_space
from simloop.worlds.world import Segments

#: the size of a torque that no parameter of the pendulum explains, N m
COGGING = 0.6


def with_force(world: World, joint: str, features: dict[str, float]) -> tuple[ResidualWorld, np.ndarray]:
    """The world with a force on a joint, and the row of its defaults with the coefficients of the features."""
    space = residual_space(world, {joint: features}, {joint: 1.0})
    return ResidualWorld(world, space), np.append(world.parameters.default, list(features.values()))


def segments(world: World, n: int, steps: int, *, seed: int = 0) -> Segments:
    rng = np.random.default_rng(seed)
    width = sum(c.width for c in world.measured)
    state = world.state(0.3 * rng.standard_normal((n, width)), rng.standard_normal((n, width)))
    actions = rng.uniform(-0.5, 0.5, (3, 400, len(world.actions)))
    return Segments(state, actions, rng.integers(0, 3, n), rng.integers(20, 399 - steps, n), steps)


@pytest.fixture(scope="module")
def sensing(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A pendulum of three time steps for each control step that is also seen by a sensor."""
    folder = tmp_path_factory.mktemp("sensing")
    (folder / "p.xml").write_text(
        '<mujoco><option timestep="0.001" integrator="implicitfast"/><worldbody><body name="bob">'
        '<joint name="hinge" axis="0 -1 0"/><inertial pos="0 0 -0.5" mass="2" diaginertia="0.01 0.01 0.01"/></body>'
        '</worldbody><actuator><motor name="motor" joint="hinge"/></actuator>'
        '<sensor><jointpos name="encoder" joint="hinge"/></sensor></mujoco>'
    )
    (folder / "w.yaml").write_text(
        "world: p\nmodel: p.xml\ncontrol_dt: 0.003\nchannels: [hinge, sensor.encoder]\n"
        "parameters:\n  joint.hinge.damping: {range: [0, 0.5]}\n"
    )
    return get_world(str(folder / "w.yaml"))


@pytest.fixture(scope="module")
def bob_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a pendulum with few parameters and long steps, which is fitted in a second."""
    folder = tmp_path_factory.mktemp("bob")
    (folder / "p.xml").write_text(
        '<mujoco><option timestep="0.004" integrator="implicitfast"/><worldbody><body name="bob">'
        '<joint name="hinge" axis="0 -1 0" damping="0.1"/>'
        '<inertial pos="0 0 -0.5" mass="2" diaginertia="0.01 0.01 0.01"/></body></worldbody>'
        '<actuator><motor name="motor" joint="hinge"/></actuator></mujoco>'
    )
    (folder / "w.yaml").write_text(
        "world: p\nmodel: p.xml\ncontrol_dt: 0.004\n"
        "parameters:\n  joint.hinge.damping: {range: [0, 0.5]}\n  actuator.motor.gain: {factor: [0.8, 1.25]}\n"
    )
    return folder / "w.yaml"


@pytest.fixture(scope="module")
def bob(bob_file: Path) -> World:
    """The world of that file."""
    return get_world(str(bob_file))


@pytest.mark.parametrize("name", ["c1", "pendulum", "sensing"])
def test_no_force_is_the_plain_world_bit_for_bit(name: str, request: pytest.FixtureRequest) -> None:
    """With coefficients 0, and with a force too small to round anything, nothing differs from the world's own steps."""
    world: World = request.getfixturevalue(name)
    joint = world.measured[0].name
    there = segments(world, 20, 40)
    plain = world.simulate(world.parameters.default, there).values
    assert np.isfinite(plain).all()
    for size in (0.0, 1e-300):
        residual, row = with_force(world, joint, {"1": size, f"tanh({joint}.velocity/0.3)*cos({joint})": size})
        assert residual.simulate(row, there).values.tobytes() == plain.tobytes()


def test_a_constant_force_is_a_bias_of_the_motor(pendulum: World) -> None:
    """Feature `1` does what the same torque from the motor does."""
    there = segments(pendulum, 20, 100)
    residual, row = with_force(pendulum, "hinge", {"1": 0.15})
    pushed = residual.simulate(row, there).values
    biased = pendulum.simulate(pendulum.parameters.row({"actuator.motor.bias": 0.15}), there).values
    np.testing.assert_allclose(pushed, biased, atol=1e-12)
    assert np.abs(pushed - pendulum.simulate(pendulum.parameters.default, there).values).max() > 0.01


def test_a_restoring_force_shortens_the_period_as_physics_says(pendulum: World) -> None:
    """Small swings under m g l sin q and a force -k sin q have w^2 = (m g l + k) / I."""
    k, inertia, stiffness = 4.0, 0.01 + 2 * 0.5**2, 2 * 9.81 * 0.5
    residual, row = with_force(pendulum, "hinge", {"sin(hinge)": -k})
    row[pendulum.parameters.index("joint.hinge.damping")] = 0
    there = Segments(pendulum.state(np.array([[0.01]]), np.zeros((1, 1))), np.zeros((1, 1100, 1)), np.zeros(1, int),
                     np.array([20]), 1000)  # fmt: skip
    angle = residual.simulate(row, there).regular[0, :, 0]
    time = 0.002 * np.arange(1, 1001)
    np.testing.assert_allclose(angle, 0.01 * np.cos(np.sqrt((stiffness + k) / inertia) * time), atol=4e-4)


def test_a_linear_drag_is_damping(pendulum: World) -> None:
    """A force -b w, as a feature that does not saturate here, is close to the engine's damping of b."""
    there = segments(pendulum, 10, 150)
    residual, row = with_force(pendulum, "hinge", {"sat(hinge.velocity/100)": -100 * 0.3})
    row[pendulum.parameters.index("joint.hinge.damping")] = 0.1
    drag = residual.simulate(row, there).values
    damped = pendulum.simulate(pendulum.parameters.row({"joint.hinge.damping": 0.4}), there).values
    undamped = pendulum.simulate(pendulum.parameters.row({"joint.hinge.damping": 0.1}), there).values
    assert np.abs(drag - damped).max() < 0.01 * np.abs(undamped - damped).max()


def test_any_division_of_the_work_gives_the_same_bytes(c1: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of other sizes and another order change no bit, although rows have forces of their own."""
    features = {"1": 0.02, "sin(joint1)*cos(joint2)": 0.1, "tanh(joint1.velocity/0.3)": -0.1, "sat(motor1/2)": 0.1}
    residual, row = with_force(c1, "joint1", features)
    rows = np.repeat(row[None], 30, axis=0)
    rows[:, -4:] *= np.random.default_rng(0).standard_normal((30, 4))
    rows[::3, -4:] = 0
    there = segments(c1, 30, 30)
    whole = residual.simulate(rows, there).regular
    monkeypatch.setattr("simloop.worlds.physics._CHUNK", 7)
    assert residual.simulate(rows, there).regular.tobytes() == whole.tobytes()
    order = np.random.default_rng(2).permutation(30)
    assert residual.simulate(rows[order], there.take(order)).regular.tobytes() == whole[order].tobytes()


def test_a_force_that_blows_a_simulation_up_is_said_so(pendulum: World) -> None:
    """A diverged row is NaN and flagged; the others are what they are alone."""
    space = residual_space(pendulum, {"hinge": ["1"]}, {"hinge": 1e15})
    residual, there = ResidualWorld(pendulum, space), segments(pendulum, 3, 20)
    rows = np.repeat(space.default[None], 3, axis=0)
    rows[:, -1] = [0.1, 1e14, 0.2]
    out = residual.simulate(rows, there)
    assert out.diverged.tolist() == [False, True, False]
    assert np.isnan(out.regular[1]).all()
    assert np.isfinite(out.regular[[0, 2]]).all()
    alone = residual.simulate(rows[2:], there.take([2])).regular
    assert alone.tobytes() == out.regular[2:].tobytes()


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ("sine(hinge)", "unknown function of feature 'sine(hinge)': 'sine' (did you mean 'sin' or 'size'?)"),
        ("sin(hing)", "unknown channel of feature 'sin(hing)': 'hing' (did you mean 'hinge'?)"),
        ("sin(hinge/0)", "feature 'sin(hinge/0)': the scale '0' is not a number above 0"),
        ("hinge", "feature 'hinge': 'hinge' is not FUNCTION(CHANNEL/SCALE), for example tanh(x/0.3)"),
    ],
)
def test_a_bad_feature_gets_one_sentence(pendulum: World, tmp_path: Path, feature: str, sentence: str) -> None:
    """A distribution's file with a feature that is none says what is wrong with it, and where."""
    space = residual_space(pendulum, {"hinge": [feature]}, {"hinge": 1.0})
    file = tmp_path / "fit.json"
    file.write_text(json.dumps(Point(space).to_dict()))
    with pytest.raises(InputError) as caught:
        pendulum.distribution(str(file))
    assert str(caught.value).startswith(f"{file}: {sentence}")


def test_a_force_is_stored_and_drawn_like_any_parameter(pendulum: World, tmp_path: Path) -> None:
    """Read from its file, a distribution steps the world with its force, also together with errors of the start."""
    space = residual_space(pendulum, {"hinge": ["sin(hinge)", "1"]}, {"hinge": 0.5})
    force = Normal.independent(space, np.append(pendulum.parameters.default, [0.4, -0.2]), 0.01 * space.spread)
    file = tmp_path / "fit.json"
    file.write_text(json.dumps(force.to_dict()))
    loaded = pendulum.distribution(str(file))
    assert loaded.hash == force.hash
    world, there = pendulum.under(loaded), segments(pendulum, 5, 30)
    assert isinstance(world, ResidualWorld)
    expected = with_force(pendulum, "hinge", {"sin(hinge)": 0.4, "1": -0.2})
    alike = expected[0].simulate(expected[1], there).values
    central, row = pendulum.central(loaded)
    assert central.simulate(row, there).values.tobytes() == alike.tobytes()

    both = uncertain_space(world, {"start.hinge": 1.0})
    spread = Normal.independent(both, np.append(force.mean, 0.1), 0.01 * both.spread)
    file.write_text(json.dumps(spread.to_dict()))
    again = pendulum.distribution(str(file))
    seen = pendulum.under(again)
    assert isinstance(seen, UncertainWorld)
    assert isinstance(seen.world, ResidualWorld)
    central, row = pendulum.central(again)
    assert central.simulate(row, there).values.tobytes() == alike.tobytes()
    drawn = seen.simulate(again.mean, there).values
    assert np.abs(drawn - alike).max() > 0.01


def test_the_weakest_candidate_within_one_standard_error_is_taken() -> None:
    """No gain beyond its error, or harm where motion is faster, is rejected; of what is left less is preferred."""
    weak, strong = Candidate("friction", 0.1), Candidate("all", 1.0)
    for first, second, expected in (
        (Score(0.95, 0.03, 1.0, 0.0), Score(1.2, 0.1, 1.0, 0.0), None),
        (Score(0.995, 0.001, 1.0, 0.0), Score(1.2, 0.1, 1.0, 0.0), None),
        (Score(0.90, 0.01, 1.0, 0.0), Score(0.89, 0.02, 1.0, 0.0), weak),
        (Score(0.90, 0.01, 1.0, 0.0), Score(0.70, 0.02, 1.0, 0.0), strong),
        (Score(0.90, 0.01, 1.0, 0.0), Score(0.70, 0.02, 1.1, 0.05), weak),
        (Score(np.inf, np.inf, 1.0, 0.0), Score(0.70, 0.02, np.inf, np.inf), None),
    ):
        assert choose([weak, strong], [first, second]) == expected


def test_the_error_of_a_ratio_is_that_of_resampled_recordings() -> None:
    """The standard error over recordings agrees with a bootstrap of them, and diverging is never a gain."""
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(40), 25)
    base = rng.exponential(size=1000) * (1 + rng.random(40)[block])
    squared = base * (0.6 + 0.4 * rng.random(40)[block])
    ratio, error = paired(squared, base, block)
    picks = rng.integers(40, size=(2000, 40))
    a, b = (np.bincount(block, x) for x in (squared, base))
    resampled = np.sqrt(a[picks].sum(axis=1) / b[picks].sum(axis=1))
    assert ratio == pytest.approx(np.sqrt(squared.sum() / base.sum()))
    assert error == pytest.approx(resampled.std(), rel=0.15)
    squared[3] = np.nan
    assert paired(squared, base, block) == (np.inf, np.inf)


def _recorded(world: World, features: dict[str, float], part: str) -> Target:
    """Five recordings of the pendulum with a hidden force."""
    residual, row = with_force(world, "hinge", features)
    amplitude = np.array([4.0])
    return standin_target(residual, seed=3, episodes=5, seconds=5, amplitude=amplitude, truth=row, part=part)


def test_a_force_that_no_parameter_explains_is_found(
    bob: World, bob_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`simloop adapt` learns a hidden cogging torque from five recordings; others are predicted far better with it."""
    hidden = {"sin(hinge/0.5)": COGGING, "1": 0.0}
    train, test = _recorded(bob, hidden, "train"), _recorded(bob, hidden, "test")
    train.recordings.save(tmp_path / "train.npz")
    run = str(tmp_path / "run")
    command = ["adapt", str(bob_file), "--target", str(tmp_path / "train.npz"), "--method", "residual", "-o", run]
    monkeypatch.setattr("sys.argv", ["simloop", *command, "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    record = json.loads(capsys.readouterr().out)
    assert done.value.code in (0, None)
    assert record["diagnostics"]["residual"] != "rejected"
    fitted = bob.distribution(run)
    assert fitted.hash == record["hash"]
    prior = bob.distribution("prior")
    assert isinstance(prior, Normal)
    alone = LeastSquares().fit(Comparison(bob, train), prior)
    assert record["rollouts"] > alone.rollouts
    windows = Replay(bob, test.recordings).windows(0.2)
    for draws in (1, 10):
        arms = {"alone": alone.distribution, "force": fitted}
        gap = windowed_gaps(bob, windows, arms, reference="alone", draws=draws)[1]
        assert gap.ratio is not None
        assert gap.ratio < 0.7


def test_where_nothing_is_left_the_force_is_rejected(bob: World) -> None:
    """Recordings that parameters explain give least squares' own distribution, to the last bit."""
    train = _recorded(bob, {"1": 0.0}, "train")
    prior = bob.distribution("prior")
    assert isinstance(prior, Normal)
    fit = get_method("residual").fit(Comparison(bob, train), prior)
    assert fit.diagnostics["residual"] == "rejected"
    assert fit.distribution.hash == LeastSquares().fit(Comparison(bob, train), prior).distribution.hash


def test_a_budget_that_the_force_alone_exceeds_is_refused(c1: World) -> None:
    """What the force costs is kept back from the budget, and said where that is not enough."""
    target = standin_target(c1, seed=0, episodes=2, seconds=3)
    prior = c1.distribution("prior")
    assert isinstance(prior, Normal)
    with pytest.raises(InputError, match="residual: the force alone simulates"):
        get_method("residual").fit(Comparison(c1, target), prior, budget=500)


@pytest.mark.slow
def test_on_real_recordings_the_force_helps_or_is_rejected(real: Path) -> None:
    """Fitted on chirps of the Qube the force predicts swing-ups better; on the double pendulum it is rejected."""
    for name, train, tests in (
        ("qube", "qube/chirps-train", ("qube/chirps-test", "qube/swing-up-5s", "qube/swing-up-7s")),
        ("double-pendulum/c1", "double-pendulum/design-c1/train", ("double-pendulum/design-c1/test",)),
    ):
        world = get_world(name)
        prior = world.distribution("prior")
        assert isinstance(prior, Normal)
        fit = get_method("residual").fit(Comparison(world, get_target(train, world)), prior)
        own = Normal(world.parameters, fit.distribution.mean[: len(world.parameters)], np.diag(prior.spread**2))
        for test in tests:
            windows = Replay(world, get_target(test, world).recordings).windows(0.2)
            gap = windowed_gaps(world, windows, {"alone": own, "force": fit.distribution}, reference="alone")[1]
            assert gap.ratio is not None
            assert gap.ratio <= 1.0
