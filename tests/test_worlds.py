"""The worlds of real machines: laws of physics, published figures on real recordings, the replay of whole tosses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simloop.adapt import Comparison
from simloop.audit import audit_parameters
from simloop.distributions import Point
from simloop.gap.windowed import window_errors, windowed_gaps
from simloop.targets import Target, get_target
from simloop.targets.catalogue import entries
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.trajectories import Channel, TrajectorySet, difference
from simloop.worlds import Segments, World, get_world
from simloop.worlds.cube_toss import HALF_WIDTH

NAMES = ("qube", "cart-pole", "cube-toss")


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Target]:
    """Returns a target of the catalogue; the test is skipped where its recordings are not on this machine."""

    def read(name: str) -> Target:
        entry = entries()[name.split("/")[0]]
        if not entry.present(name.split("/")[1]):
            pytest.skip(f"the real recordings are not in {entry.folder}: {entry.made}")
        return get_target(name, get_world(entry.world))

    return read


def _free(world: World, positions: list[float], rates: list[float], steps: int) -> Segments:
    """One segment without actions from a state."""
    state = world.state(np.array([positions]), np.array([rates]))
    zero = np.zeros(1, dtype=np.int64)
    return Segments(state, np.zeros((1, steps + 2, len(world.actions))), zero, zero, steps)


def _row(world: World) -> np.ndarray:
    """The defaults with every friction at its smallest."""
    space = world.parameters
    lossy = [n.endswith((".damping", ".friction")) and not n.startswith("contact") for n in space.names]
    return np.where(lossy, space.low, space.default)


def _furuta(state: np.ndarray, volts: float, p: dict[str, float]) -> tuple[np.ndarray, float]:
    """Accelerations (2,) and energy of a Furuta pendulum, in closed form (Lagrange)."""
    _, alpha, w, v = state
    m, r, c = p["pole.mass"], p["arm.length"], p["pole.com"]
    a = p["arm.inertia"] + m * r**2 + (m * c**2 + p["pole.inertia"]) * np.sin(alpha) ** 2 + 1e-7 * np.cos(alpha) ** 2
    b, i = m * r * c * np.cos(alpha), m * c**2 + p["pole.inertia"]
    turned = (m * c**2 + p["pole.inertia"] - 1e-7) * np.sin(2 * alpha)  # da/dalpha
    force = p["motor.torque"] * volts - p["arm.damping"] * w - turned * w * v + m * r * c * np.sin(alpha) * v**2
    force -= p["arm.stiffness"] * state[0] + p["arm.stiffening"] * state[0] ** 3
    moment = -p["pole.damping"] * v + turned * w**2 / 2 - m * 9.81 * c * np.sin(alpha)
    energy = a * w**2 / 2 + b * w * v + i * v**2 / 2 - m * 9.81 * c * np.cos(alpha)
    energy += p["arm.stiffness"] * state[0] ** 2 / 2 + p["arm.stiffening"] * state[0] ** 4 / 4
    return np.linalg.solve([[a, b], [b, i]], [force, moment]), float(energy)


def _cart(state: np.ndarray, volts: float, p: dict[str, float]) -> tuple[np.ndarray, float]:
    """Accelerations (2,) and energy of a pole on a cart, in closed form (Lagrange)."""
    _, theta, v, w = state
    m, c = p["pole.mass"], p["pole.com"]
    total, b, i = p["cart.mass"] + m, m * c * np.cos(theta), m * c**2 + p["pole.inertia"]
    force = p["motor.force"] * volts - p["cart.damping"] * v + m * c * np.sin(theta) * w**2
    moment = -p["pole.damping"] * w - m * 9.81 * c * np.sin(theta)
    energy = total * v**2 / 2 + b * v * w + i * w**2 / 2 - m * 9.81 * c * np.cos(theta)
    return np.linalg.solve([[total, b], [b, i]], [force, moment]), float(energy)


PENDULUMS = {"qube": (_furuta, [0.3, 2.0], [1.5, -2.0]), "cart-pole": (_cart, [0.1, 2.0], [0.2, -2.0])}


@pytest.mark.parametrize("name", PENDULUMS)
def test_pendulums_follow_their_equations(name: str) -> None:
    """Half a second under a held voltage ends where the closed-form equations of motion end."""
    from scipy.integrate import solve_ivp

    equations, positions, rates = PENDULUMS[name]
    world = get_world(name)
    row = world.parameters.default.copy()
    frictions = [n.endswith(".friction") for n in world.parameters.names]
    row[frictions] = world.parameters.low[frictions]
    p = dict(zip(world.parameters.names, row, strict=True))
    segments = _free(world, positions, rates, 125)
    segments.actions[:] = 1.5
    got = world.simulate(row[None], segments).regular[0, -1]
    truth = solve_ivp(
        lambda _, s: np.concatenate([s[2:], equations(s, 1.5, p)[0]]), (0, 0.5), positions + rates, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(got, truth.y[:, -1], atol=0.03 * np.abs(truth.y).max())


@pytest.mark.parametrize("name", PENDULUMS)
def test_without_friction_energy_stays(name: str) -> None:
    """A pendulum that nothing drives and hardly anything brakes keeps its energy, to a twentieth of a full swing's."""
    equations, positions, rates = PENDULUMS[name]
    world = get_world(name)
    row = _row(world)
    p = dict(zip(world.parameters.names, row, strict=True))
    out = world.simulate(row[None], _free(world, positions, rates, 100)).regular[0]
    energy = np.array([equations(s, 0.0, p)[1] for s in out])
    swing = 2 * p["pole.mass"] * 9.81 * p["pole.com"]
    assert np.ptp(energy) < 0.05 * swing


def test_a_cube_in_the_air_falls_and_turns() -> None:
    """Before it lands, the cube follows the parabola and turns about its axis at constant speed."""
    world = get_world("cube-toss")
    spin = np.array([3.0, -2.0, 5.0])
    segments = _free(world, [0, 0, 2.0, 1, 0, 0, 0], [1.0, 0.5, 0, *spin], 74)
    out = world.simulate(world.parameters.default[None], segments).regular[0]
    t = np.arange(1, 75) / 148
    np.testing.assert_allclose(out[:, 0], t, rtol=1e-9)
    np.testing.assert_allclose(out[:, 2], 2 - 9.81 / 2 * t**2, atol=0.006)  # half a time step of the integrator
    start = np.tile([1.0, 0, 0, 0], (74, 1))
    turned = difference(out[:, 3:7], start, [Channel("r", kind="quaternion")])
    angle = np.linalg.norm(spin) * t
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.minimum(angle, 2 * np.pi - angle), atol=1e-6)
    np.testing.assert_allclose(out[:, 10:], np.tile(spin, (74, 1)), atol=1e-9)


def test_a_cube_comes_to_rest_on_the_table() -> None:
    """Set down flat, the cube stays where it is, half its width above the table."""
    world = get_world("cube-toss")
    segments = _free(world, [0.1, -0.1, HALF_WIDTH, 1, 0, 0, 0], [0.0] * 6, 148)
    out = world.simulate(world.parameters.default[None], segments).regular[0]
    np.testing.assert_allclose(out[-1, :3], [0.1, -0.1, HALF_WIDTH], atol=1.5e-3)


#: protocol `real-dynamics`: RMSE of the nominal model after 0.2 s, arm and pole
QUBE = {"chirps-test": (0.115, 0.057), "swing-up-5s": (0.129, 0.129), "swing-up-7s": (0.201, 0.297)}


@pytest.mark.parametrize("part", QUBE)
def test_the_published_qube_scores_what_the_protocol_says(part: str, recorded: Callable[[str], Target]) -> None:
    """On held-out recordings the default parameters score the protocol's nominal figures, to a tenth."""
    target = recorded(f"qube/{part}")
    world = get_world("qube")
    gaps = windowed_gaps(world, Replay(world, target.recordings).windows(0.2), {"default": Point(world.parameters)})
    np.testing.assert_allclose([p.rmse for p in gaps[0].parts], QUBE[part], rtol=0.1)


def test_the_published_cart_pole_is_much_better_than_standing_still(recorded: Callable[[str], Target]) -> None:
    """With the published constants the pole's error after 0.2 s is a tenth of what predicting no motion gives."""
    target = recorded("cart-pole/chirps-test")
    world = get_world("cart-pole")
    windows = Replay(world, target.recordings).windows(0.2)
    still, default = windowed_gaps(world, windows, {"still": None, "default": Point(world.parameters)})
    assert default.parts[0].rmse < 0.5 * still.parts[0].rmse
    assert default.parts[1].rmse < 0.1 * still.parts[1].rmse


#: protocol `real-dynamics`: time constant of the contact -> mean error in cube widths and degrees, tosses 300 to 399
TOSSES = {0.02: (0.137, 14.8), 0.01: (0.128, 14.9)}


@pytest.mark.parametrize("constant", TOSSES)
def test_tosses_score_what_the_protocol_says(constant: float, recorded: Callable[[str], Target]) -> None:
    """Whole tosses replayed with friction 0.18 score the protocol's figures, counted from after the start."""
    target = recorded("cube-tosses/test")
    world = get_world("cube-toss")
    windows = Replay(world, target.recordings).windows(0.2)
    assert len(windows) == 100
    values = {"friction.sliding": 0.18, "contact.time": constant, "contact.damping": 1.0}
    error = window_errors(world, windows, Point(world.parameters, world.parameters.row(values)), 1, 0)[:, 0]
    got = error[:, 0].mean() / (2 * HALF_WIDTH), np.degrees(error[:, 1].mean())
    np.testing.assert_allclose(got, TOSSES[constant], rtol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_does_something_and_again_the_same(name: str, recorded: Callable[[str], Target]) -> None:
    """On real recordings the audit of each world passes: no dead parameter, the same bytes again."""
    part = {"qube": "qube/chirps-train", "cart-pole": "cart-pole/chirps-train", "cube-toss": "cube-tosses/train"}[name]
    audit = audit_parameters(get_world(name), recorded(part), count=12)
    assert audit.passed, audit.dead


def test_recorded_rates_are_taken_as_they_are(recorded: Callable[[str], Target]) -> None:
    """A toss starts from the recorded velocities, unfiltered, in m and m/s."""
    target = recorded("cube-tosses/test")
    windows = Replay(get_world("cube-toss"), target.recordings).windows(0.2)
    toss = target.recordings.episode(3)
    np.testing.assert_allclose(windows.segments.state[3], toss.values[0], atol=1e-12)
    known = np.isfinite(windows.measured[3]).all(axis=1)
    np.testing.assert_allclose(windows.measured[3][known], toss.values[1:], atol=1e-12)


def test_whole_windows_are_compared_to_their_end_and_no_further() -> None:
    """Of tosses of different lengths nothing is compared after the end, whatever is simulated there."""
    world = get_world("cube-toss")
    target = standin_target(world, seed=1, episodes=3, noise=0.0)
    short = _cut_short(target.recordings, [104, 40, 70])
    comparison = Comparison(world, Target("tosses", short, target.provenance, ""))
    (windows,) = comparison.cuts((0.2, 0.5))
    assert windows.segments.steps == 103
    np.testing.assert_array_equal(windows.segments.lasts, [103, 39, 69])
    known = np.isfinite(windows.measured).all(axis=-1)
    np.testing.assert_array_equal(known.sum(axis=1), [103 // 3, 39 // 3, 69 // 3])
    residuals = comparison.residuals(world.parameters.default, windows)
    assert not residuals[0][~known].any()
    assert residuals[0][known].any()
    assert np.isfinite(comparison.discrepancy(world.parameters.default, windows)).all()
    # a toss says the same alone and among longer ones
    alone = windows.take(np.array([1]))
    point = Point(world.parameters)
    np.testing.assert_array_equal(
        window_errors(world, alone, point, 1, 0), window_errors(world, windows, point, 1, 0)[1:2]
    )


def _cut_short(recordings: TrajectorySet, lengths: list[int]) -> TrajectorySet:
    """The first samples of each episode."""
    rows = np.concatenate([recordings.offsets[e] + np.arange(n) for e, n in enumerate(lengths)])
    return TrajectorySet(
        channels=recordings.channels,
        time=recordings.time[rows],
        values=recordings.values[rows],
        actions=recordings.actions[rows],
        offsets=np.cumsum([0, *lengths]),
        sources=recordings.sources,
    )


def test_a_stand_in_toss_is_reproduced_by_its_truth() -> None:
    """The hidden parameters of a stand-in replay its tosses exactly; the defaults do not."""
    world = get_world("cube-toss")
    truth = world.parameters.row({"friction.sliding": 0.22, "contact.time": 0.015})
    target = standin_target(world, seed=2, episodes=4, truth=truth, noise=0.0)
    windows = Replay(world, target.recordings).windows(0.2)
    exact, default = (
        window_errors(world, windows, Point(world.parameters, row), 1, 0) for row in (truth, world.parameters.default)
    )
    assert exact.max() < 1e-6
    assert default.max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_dividing_the_work_changes_nothing(name: str) -> None:
    """Segments simulated together and one by one give the same bytes, short and long ones too."""
    world = get_world(name)
    target = standin_target(world, seed=3, episodes=3)
    windows = Replay(world, target.recordings).windows(0.2)
    rows = world.distributions()["wide"].sample(len(windows), np.random.default_rng(0))
    together = world.simulate(rows, windows.segments).regular
    for i in (0, len(windows) - 1):
        alone = world.simulate(rows[i : i + 1], windows.segments.take([i])).regular
        assert alone.tobytes() == together[i : i + 1].tobytes()


def test_a_recording_that_ends_on_the_grid_keeps_its_last_sample(pendulum: World) -> None:
    """A hundred steps of recording are a hundred steps to replay, whatever rounding did to its clock."""
    time = np.cumsum(np.full(101, 0.002)) - 0.002
    recordings = TrajectorySet(
        channels=pendulum.measured,
        action_channels=pendulum.actions,
        time=time,
        values=np.sin(time)[:, None],
        actions=np.zeros((101, 1)),
        offsets=np.array([0, 101]),
        sources=("r",),
    )
    assert Replay(pendulum, recordings).length[0] == 101
