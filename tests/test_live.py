"""Live targets: what a policy does on a machine is recorded as it was, and stand-ins are what they are said to be."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from simloop.adapt import Comparison, LeastSquares
from simloop.distributions import Point
from simloop.errors import InputError
from simloop.gap.windowed import windowed_gaps
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets import environment_target, live_target
from simloop.targets.bullet import BulletMachine
from simloop.targets.bullet_drawer import BulletDrawer, DrawerReality, hidden_drawer, nominal_drawer
from simloop.targets.gymnasium_machine import LiveMapping
from simloop.targets.hidden import HiddenMachine, StandInMachine
from simloop.targets.live import LiveTarget
from simloop.targets.live_check import check_live
from simloop.targets.realities import Link, Motor, Reality, Sensors, hidden, nominal
from simloop.targets.rollouts import Rollouts
from simloop.worlds import World, get_world
from simloop.worlds.drawer import expert_actions
from simloop.worlds.observed import observed
from simloop.worlds.task import Task
from simloop.worlds.world import Segments

pytest.importorskip("pybullet", reason="stand-ins in another engine need the extra 'standin'")

ENGINES = [BulletMachine, HiddenMachine]
WORLDS = ["double-pendulum", "qube"]


@dataclass
class Wave:
    """A policy with a memory: a sine for each motor, begun anew in each episode."""

    amplitude: float
    width: int
    step: int = 0

    def begin(self, mask: Any) -> None:
        assert mask.shape == (1,)
        assert mask.all()
        self.step = 0

    def __call__(self, observation: Array) -> Array:
        self.step += 1
        return self.amplitude * np.sin(0.25 * self.step + np.arange(self.width))[None]


@dataclass
class Replayed:
    """A policy that gives one action after the other, whatever it sees, from the first in each episode."""

    actions: Array
    step: int = 0

    def begin(self, mask: Any) -> None:
        self.step = 0

    def __call__(self, observation: Array) -> Array:
        self.step += 1
        return self.actions[self.step - 1][None]


def wave(target: LiveTarget, amplitude: float = 1.0) -> Wave:
    return Wave(amplitude, int(target.task.active.sum()))


def smooth(world: World) -> Reality:
    """The world's machine without any friction."""
    plain = nominal(world)
    first, second = (replace(x, coulomb=0.0, stiction=0.0, viscous=0.0) for x in plain.links)
    return replace(plain, links=(first, second))


def moved(machine: StandInMachine, start: list[float], actions: Array) -> Array:
    """True channel values (T, D) after each action (T, A), from rest at `start`."""
    machine.reset(np.array(start), np.zeros(2), np.zeros(actions.shape[1]), stream(0, "test"))
    rows = []
    for action in actions:
        machine.step(action, 1)
        rows.append(machine.judged())
    return np.array(rows)


def energies(reality: Reality, values: Array) -> Array:
    """Kinetic and potential energy (J) of joint values (T, 4) by the textbook's formula of a planar double pendulum."""
    a, b = reality.links
    length, r1, r2, g = -b.at[2], -a.com[2], -b.com[2], 9.81
    q1, q2, w1, w2 = values.T
    own = a.inertia[1] + a.mass * r1**2 + b.mass * length**2 + a.rotor
    both = b.inertia[1] + b.mass * r2**2
    kinetic = (own * w1**2 + both * (w1 + w2) ** 2 + b.rotor * w2**2) / 2
    kinetic += b.mass * length * r2 * np.cos(q2) * w1 * (w1 + w2)
    potential = -(a.mass * r1 + b.mass * length) * g * np.cos(q1) - b.mass * g * r2 * np.cos(q1 + q2)
    return kinetic + potential


@pytest.mark.parametrize("name", WORLDS)
def test_two_engines_move_the_same_machine_alike(name: str) -> None:
    """Without friction PyBullet and MuJoCo agree to rounding: it is the same machine, rotors and springs included."""
    world = get_world(name)
    actions = np.sin(np.arange(250)[:, None] / 20 + np.arange(len(world.actions)))
    one, other = (moved(engine(world, smooth(world)), [1.0, -0.5], actions) for engine in ENGINES)
    assert np.ptp(one[:, :2], axis=0).min() > 0.3
    np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("name", WORLDS)
def test_the_stand_in_with_the_worlds_values_follows_the_world(name: str) -> None:
    """With the world's defaults, little friction and no hidden effect, half a second differs by its time step alone."""
    world = get_world(name)
    row = world.parameters.default.copy()
    for i, parameter in enumerate(world.parameters.names):
        if parameter.endswith("friction"):
            row[i] = world.parameters.low[i]
    steps = round(0.5 / world.control_dt)
    actions = np.sin(np.arange(steps)[:, None] / 20 + np.arange(len(world.actions)))
    start = world.state(np.array([[1.0, -0.5]]), np.zeros((1, 2)))
    here = np.zeros(1, dtype=np.int64)
    simulated = world.simulate(row[None], Segments(start, actions[None], here, here, steps)).regular[0]
    out = moved(BulletMachine(world, nominal(world, row)), [1.0, -0.5], actions)
    assert np.ptp(out[:, :2], axis=0).min() > 0.3
    assert np.abs(out - simulated)[:, :2].max() < 0.025


def test_energy_is_conserved_without_friction() -> None:
    """Five seconds of free swinging in PyBullet keep the energy, by a formula that no engine computes."""
    world = get_world("double-pendulum")
    reality = smooth(world)
    values = moved(BulletMachine(world, reality), [2.0, -0.5], np.zeros((2500, 2)))
    energy = energies(reality, values)
    kinetic = energy - energies(reality, values * [1, 1, 0, 0])
    assert kinetic.max() > 3.0
    assert np.abs(energy - energy[0]).max() < 0.03 * kinetic.max()


@pytest.mark.parametrize("engine", ENGINES)
def test_friction_holds_below_stiction_and_slides_by_coulomb(engine: Any) -> None:
    """A joint at rest stays under a torque between Coulomb's and stiction's; one that moves slows down by Coulomb's."""
    still = Link("joint1", (0, 0, 0), (0, 0, 1), 1.0, (0, 0, 0), (0.1,) * 3, 0.0, 0.2, 0.4, 0.1, 0.0)
    reality = Reality((still, replace(still, name="joint2", inertia=(1e-3,) * 3)), (Motor(0, 1.0), Motor(1, 1.0)))
    world = get_world("double-pendulum")
    machine = engine(world, reality)
    held, slipped = (moved(machine, [0.0, 0.0], np.tile([u, 0.0], (250, 1)))[-1, 0] for u in (0.3, 0.5))
    assert abs(held) < 0.002
    assert slipped > 0.1
    machine.reset(np.zeros(2), np.array([3.0, 0.0]), np.zeros(2), stream(0, "test"))
    machine.step(np.zeros(2), 250)
    # both links turn together: 0.5 s of 0.2 N m on 0.101 kg m^2
    assert machine.judged()[2] == pytest.approx(3.0 - 0.5 * 0.2 / 0.101, abs=0.02)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_command_arrives_late(engine: Any) -> None:
    """Nothing moves before the delay is over, and then at once; a large command takes longer where it is said so."""
    world = get_world("double-pendulum")
    plain = smooth(world)
    motor = replace(plain.motors[0], delay=0.010, slow=0.006, full=2.0)
    machine = engine(world, replace(plain, motors=(motor, plain.motors[1])))
    for u, late in ((1.0, 0.013), (4.0, 0.016)):
        values = moved(machine, [0.0, 0.0], np.tile([u, 0.0], (30, 1)))
        first = int(np.argmax(np.abs(values[:, 2]) > 0))
        assert (first + 1) * world.control_dt == pytest.approx(late + 0.001, abs=0.0021)


def test_a_stand_in_that_blows_up_says_so() -> None:
    """The engine goes on from 0 where a simulation diverged; the stand-in raises instead."""
    world = get_world("qube")
    machine = HiddenMachine(world, nominal(world))
    machine.reset(np.zeros(2), np.array([1e12, 0.0]), np.zeros(1), stream(0, "test"))
    with pytest.raises(InputError, match="diverged"):
        machine.step(np.zeros(1), 50)


def test_sensors_have_the_noise_that_is_said() -> None:
    """White noise has its deviation, coloured noise also its memory, encoders their steps."""
    world = get_world("double-pendulum")
    plain = smooth(world)

    def sensed(sensors: Sensors) -> Array:
        machine = HiddenMachine(world, replace(plain, sensors=sensors))
        machine.reset(np.zeros(2), np.zeros(2), np.zeros(2), stream(3, "test"))
        return machine.step(np.zeros(2), 4000)

    white = sensed(Sensors(noise=0.01, rate_noise=0.1))
    np.testing.assert_allclose(white.std(axis=0), [0.01, 0.01, 0.1, 0.1], rtol=0.1)
    coloured = sensed(Sensors(noise=0.01, memory=0.9))[:, 0]
    assert coloured.std() == pytest.approx(0.01, rel=0.2)
    assert np.corrcoef(coloured[1:], coloured[:-1])[0, 1] == pytest.approx(0.9, abs=0.03)
    coarse = sensed(Sensors(noise=0.01, step=0.005))[:, 0] / 0.005
    np.testing.assert_allclose(coarse, np.round(coarse), atol=1e-9)


def test_backlash_lets_the_motor_turn_without_the_link() -> None:
    """Inside its play a motor moves alone; beyond it, it takes the link along."""
    world = get_world("double-pendulum")
    plain = smooth(world)
    free = replace(plain, gravity=(0.0, 0.0, 0.0), motors=(replace(plain.motors[0], play=0.01), plain.motors[1]))
    machine = HiddenMachine(world, free)
    machine.reset(np.zeros(2), np.zeros(2), np.zeros(2), stream(0, "test"))
    seen, true = [], []
    for _ in range(60):
        seen.append(machine.step(np.array([0.2, 0.0]), 1)[0, 0])
        true.append(machine.judged()[0])
    inside = np.array(seen) < 0.005
    assert inside.sum() >= 3
    assert np.array(seen)[inside].max() > 0.001
    assert np.abs(np.array(true)[inside]).max() < 1e-12
    assert true[-1] > 0.02
    assert np.abs(np.array(seen) - true).max() < 0.012


@pytest.mark.parametrize("name", ["standin:qube", "standin:qube@mujoco", "standin:double-pendulum@mujoco#4"])
def test_same_seed_same_bytes(name: str) -> None:
    """An episode is the same whatever ran before it, and on another object of the same hidden reality."""
    world = get_world(name.removeprefix("standin:").partition("@")[0])
    one, other = live_target(name, world, seed=4), live_target(name, world, seed=4)
    policy = wave(one)
    both, second = one.rollout(policy, 2, seed=5), other.rollout(policy, 1, seed=5, first=1)
    assert both.take([1]).trajectories.values.tobytes() == second.trajectories.values.tobytes()
    assert both.returns[1] == second.returns[0]
    assert both.trajectories.values.tobytes() != one.rollout(policy, 2, seed=6).trajectories.values.tobytes()


def test_hidden_realities_come_from_their_number_alone() -> None:
    """Number 7 is always the same machine; other numbers and engines are others, each near the published one."""
    world = get_world("double-pendulum")
    seven = hidden(world, 7, "pybullet").values()
    assert live_target("standin:double-pendulum#7", world, seed=1).reveal() == seven
    assert live_target("standin:double-pendulum", world, seed=7).reveal() == seven
    assert hidden(world, 8, "pybullet").values() != seven
    plain = nominal(world).values()
    for number in range(50):
        values = hidden(world, number, "mujoco").values()
        for key, width in (("links.joint1.mass", 1.25), ("links.joint2.coulomb", 2.0), ("motors.0.torque", 1.1)):
            assert 1 / width <= values[key] / plain[key] <= width
        assert values["links.joint1.stiction"] > values["links.joint1.coulomb"]
        assert values["motors.0.play"] > 0
        assert values["sensors.step"] > 0


def test_nothing_hidden_is_in_what_adaptations_get() -> None:
    """Rollouts and their target hold recordings, names and scores, and no way back to the machine."""
    world = get_world("qube")
    target = live_target("standin:qube#3", world)
    rollouts = target.rollout(wave(target), 1, seed=0)
    hidden_values = set(target.reveal().values()) - {0.0, 1.0, 5.0, -1.0, -9.81}
    text = repr((rollouts.as_target(), rollouts.trajectories.meta))
    assert not [v for v in hidden_values if repr(v) in text]
    assert not any(isinstance(v, LiveTarget | StandInMachine) for v in vars(rollouts).values())
    assert rollouts.as_target().provenance == "another engine"
    assert rollouts.as_target().recordings.channels == world.measured


@pytest.mark.parametrize("name", WORLDS)
def test_a_live_machine_gives_the_return_of_the_world_that_it_is(name: str) -> None:
    """The world's own values on the live machine give its environment's return: the same actions, times and rewards."""
    world = get_world(name)
    task = replace(world.task("swing-up"), start_spread=(0.0, 0.0))
    live = LiveTarget("test", world, HiddenMachine(world, nominal(world)), task, "the world itself")
    policy = wave(live, 1.5)
    rollouts = live.rollout(policy, 1, seed=0)
    envs = world.make(1, task=task, seed=0)
    envs.reset()
    policy.begin(np.ones(1, dtype=bool))
    total, values, over = 0.0, [], False
    while not over:
        _, reward, terminated, truncated, _ = envs.step(policy(np.zeros((1, 6))))
        over = bool(terminated[0] | truncated[0])
        total += float(reward[0])
        values.append(envs.values[0])
    assert rollouts.returns[0] == pytest.approx(total, rel=0.05)
    each = round(task.decision_dt / world.control_dt)
    at = np.arange(1, 11) * each
    np.testing.assert_allclose(rollouts.trajectories.values[at, :2], np.array(values)[:10, :2], atol=0.02)


def test_an_adaptation_works_unchanged_on_rollouts() -> None:
    """The default parameters miss a hidden reality; least squares on its rollouts misses other rollouts less."""
    world = get_world("qube")
    target = live_target("standin:qube#1", world, replace(world.task("swing-up"), seconds=1.5))
    fit, test = (target.rollout(wave(target, 1.0), 2, seed=seed) for seed in (0, 1))
    comparison = Comparison(world, fit.as_target())
    found = LeastSquares().fit(comparison, world.distribution("prior"), seed=0).distribution
    arms = {"default": Point(world.parameters), "fit": Point(world.parameters, found.mean)}
    default, fitted = windowed_gaps(world, Comparison(world, test.as_target()).cut(0.2), arms)
    assert default.value > 0.02
    assert fitted.value < 0.5 * default.value


def test_ten_seconds_take_well_under_one() -> None:
    """Ten seconds of the double pendulum in PyBullet cost less than a second of CPU."""
    world = get_world("double-pendulum")
    machine = BulletMachine(world, hidden(world, 0, "pybullet"))
    machine.reset(np.zeros(2), np.zeros(2), np.zeros(2), stream(0, "test"))
    before = time.process_time()
    machine.step(np.zeros(2), 5000)
    assert time.process_time() - before < 1.0


def test_rollouts_are_kept_whole(tmp_path: Path) -> None:
    """What is saved is read back; parts join to what they were."""
    world = get_world("qube")
    target = live_target("standin:qube#2", world, replace(world.task(), seconds=0.5))
    rollouts = target.rollout(wave(target), 3, seed=0)
    rollouts.save(tmp_path / "real.npz")
    for other in (Rollouts.load(tmp_path / "real.npz"), Rollouts.joined([rollouts.take([0]), rollouts.take([1, 2])])):
        assert other.trajectories.values.tobytes() == rollouts.trajectories.values.tobytes()
        assert other.trajectories.sources == rollouts.trajectories.sources
        assert (other.name, other.provenance, other.recorded) == (
            rollouts.name, rollouts.provenance, rollouts.recorded)  # fmt: skip
        for field in ("returns", "success", "seconds"):
            np.testing.assert_array_equal(getattr(other, field), getattr(rollouts, field))
    assert rollouts.seconds.tolist() == [0.5] * 3


def drawer_played(machine: BulletDrawer, world: World, reality: DrawerReality | None) -> Array:
    """True channel values (T, D) while an expert acts who knows where the cabinet stands, or (None) only thinks so."""
    x, y, z = (reality or nominal_drawer(world)).place
    believed = {"cabinet.x": x, "cabinet.y": y, "cabinet.z": z, "cabinet.yaw": reality.yaw if reality else 0.0}
    actions = expert_actions(world, world.parameters.row(believed))
    positions, rates = world.starts(1, stream(0, "test"))
    machine.reset(positions[0], rates[0], np.array(world.task().rest), stream(0, "test"))
    rows = []
    for action in actions[:-1]:
        machine.step(action, 1)
        rows.append(machine.judged())
    return np.array(rows)


def test_the_drawer_in_bullet_with_the_worlds_values_follows_the_world() -> None:
    """Arm, gripper, contact and drawer in another engine move within millimetres of the world's, through the pull."""
    world = get_world("drawer")
    out = drawer_played(BulletDrawer(world, nominal_drawer(world)), world, None)
    actions = expert_actions(world, world.parameters.default)
    here = np.zeros(1, dtype=np.int64)
    start = world.state(*world.starts(1, stream(0, "test")))
    segments = Segments(start, actions[None], here, here, len(actions) - 1)
    simulated = world.simulate(world.parameters.default[None], segments).regular[0]
    assert simulated[-1, 8] > 0.25
    for columns, tolerance in ((slice(0, 7), 0.01), (8, 0.005), (slice(9, 15), 0.005)):
        assert np.abs(out - simulated)[:, columns].max() < tolerance


def test_a_hidden_drawer_opens_for_who_knows_where_it_stands() -> None:
    """With the cabinet 15 cm off, an expert who knows it opens the drawer, and one who does not never does."""
    world = get_world("drawer")
    for number in range(6):
        reality = hidden_drawer(world, number)
        off = np.subtract(reality.place, nominal_drawer(world).place)
        assert np.hypot(off[0], off[1]) == pytest.approx(0.15)
        machine = BulletDrawer(world, reality)
        assert drawer_played(machine, world, reality)[-1, 8] > 0.2
        assert drawer_played(machine, world, None)[-1, 8] < 0.2
        machine.close()


def test_rollouts_on_the_drawer_tell_where_it_stands() -> None:
    """Compared on what the arm senses alone, the true place of the cabinet explains a rollout, and the default not."""
    world = get_world("drawer")
    target = live_target("standin:drawer#3", world)
    reality = hidden_drawer(world, 3)
    actions = expert_actions(world, world.parameters.row({"cabinet.yaw": reality.yaw} | {
        f"cabinet.{c}": x for c, x in zip("xyz", reality.place, strict=True)}))  # fmt: skip
    rollouts = target.rollout(Replayed(actions[::5]), 2, seed=0)
    alone = live_target("standin:drawer#3", world).rollout(Replayed(actions[::5]), 1, seed=0, first=1)
    assert alone.trajectories.values.tobytes() == rollouts.take([1]).trajectories.values.tobytes()
    assert rollouts.success.all()
    recordings = rollouts.as_target().recordings
    assert [c.name for c in recordings.channels] == list(world.task().observed)
    comparison = Comparison(observed(world, recordings.channels), rollouts.as_target())
    there = world.parameters.row({f"cabinet.{c}": x for c, x in zip("xyz", reality.place, strict=True)})
    default, true = comparison.discrepancy(np.stack([world.parameters.default, there]), comparison.cut(4.0))
    assert true < 0.1 * default


def test_a_world_seen_through_recordings_is_the_world() -> None:
    """Where nothing is missing it is the same object; else the channels left are simulated bit by bit the same."""
    world = get_world("drawer")
    assert observed(world, world.measured) is world
    seen = observed(world, [c for c in world.channels if c.name in world.task().observed])
    assert [c.name for c in seen.measured] == list(world.task().observed)
    positions, rates = world.starts(1, stream(0, "test"))
    actions = np.zeros((1, 50, 8))
    here = np.zeros(1, dtype=np.int64)
    one = world.simulate(
        world.parameters.default[None], Segments(world.state(positions, rates), actions, here, here, 49)
    )
    state = seen.state(positions[:, :9], rates[:, :9])
    other = seen.simulate(world.parameters.default[None], Segments(state, actions, here, here, 49))
    kept = [c.name not in ("hand", "handle") for c in world.channels for _ in range(c.width)]
    assert one.values[:, kept].tobytes() == other.values.tobytes()
    pendulum = get_world("double-pendulum")
    with pytest.raises(InputError, match="the recordings lack joint2, and without it nobody knows how"):
        observed(pendulum, pendulum.channels[:1])


@dataclass(frozen=True, kw_only=True)
class Hold(Task):
    """Keep a hinge where it starts; good while it is within 0.3 rad of hanging."""

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        return rng.uniform(-0.2, 0.2, 1), np.zeros(1)

    def observe(self, seen: Array) -> Array:
        return seen

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        return values[:, 0] - before[:, 0] + 0 * action[:, 0]

    def good(self, values: Array) -> Any:
        return np.abs(values[:, 0]) < 0.3


HOLD = Hold(
    name="hold", summary="hold still", seconds=0.2, decision_dt=0.02, low=(-2.0,), high=(2.0,),
    observed=("hinge", "hinge.velocity"), hold=0.1,
)  # fmt: skip


class HingeEnvironment(gym.Env[Any, Any]):
    """The pendulum of the tests as someone else's environment: cosine, degrees per second, turned around."""

    def __init__(self, world: Any, *, step: float = 0.01, limit: int = 10_000) -> None:
        self.model, self.limit = world.model, limit
        self.data = mujoco.MjData(self.model)
        self.substeps = round(step / self.model.opt.timestep)
        self.action_space = gym.spaces.Box(-10, 10, (1,))
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (4,))

    def _seen(self) -> Array:
        q, v = float(self.data.qpos[0]), float(self.data.qvel[0])
        return np.array([7.0, np.cos(q), np.sin(-q), -np.rad2deg(v)])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[0] = (options or {}).get("theta", self.np_random.uniform(-0.1, 0.1))
        self.steps = 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.substeps)
        self.steps += 1
        return self._seen(), 0.0, False, self.steps >= self.limit, {}


MAPPING = """
period: 0.01
observations:
  hinge: {cos: 1, sin: 2, scale: -1}
  hinge.velocity: {column: 3, unit: deg/s, scale: -1}
actions:
  motor: {column: 0, scale: 0.5, offset: 0.1, clip: [-0.3, 0.3]}
starts: {theta: hinge}
"""


def test_an_environment_is_mapped_onto_a_world(pendulum: World, tmp_path: Path) -> None:
    """Columns, cosines, units, signs, offsets and clips arrive as the mapping says; the world replays the recording."""
    (tmp_path / "map.yaml").write_text(MAPPING)
    target = environment_target(lambda: HingeEnvironment(pendulum), pendulum, HOLD, tmp_path / "map.yaml")
    rollouts = target.rollout(lambda o: np.array([[0.2 if o[0, 1] <= 0 else 2.0]]), 2, seed=0)
    sets = rollouts.trajectories.episode(1)
    assert [c.name for c in sets.channels] == ["hinge", "hinge.velocity"]
    np.testing.assert_allclose(np.diff(sets.time), 0.01)
    got = np.clip(0.5 * sets.actions[::1, 0] + 0.1, -0.3, 0.3)
    start = pendulum.state(sets.values[:1, :1], np.zeros((1, 1)))
    held = np.repeat(got[:-1], 5)[None, :, None]
    here = np.zeros(1, dtype=np.int64)
    replayed = pendulum.simulate(pendulum.parameters.default[None], Segments(start, held, here, here, held.shape[1], 5))
    np.testing.assert_allclose(replayed.values, sets.values[1:], atol=1e-6)
    expected = sets.values[-1, 0] - sets.values[0, 0]
    assert rollouts.returns[1] == pytest.approx(expected)
    assert rollouts.success.all()
    assert len(Comparison(pendulum, rollouts.as_target()).cut(0.1))


def test_an_environment_may_end_an_episode_itself(pendulum: World) -> None:
    """An environment that is truncated after 3 of its steps is recorded until then, and has not held long enough."""
    mapping = LiveMapping.model_validate(_mapping())
    target = environment_target(HingeEnvironment(pendulum, limit=3), pendulum, HOLD, mapping)
    rollouts = target.rollout(lambda o: np.zeros((1, 1)), 2, seed=0)
    assert np.diff(rollouts.trajectories.offsets).tolist() == [4, 4]
    assert rollouts.seconds.tolist() == pytest.approx([0.03, 0.03])
    assert not rollouts.success.any()


def test_gymnasiums_own_pendulum_by_its_name(pendulum: World) -> None:
    """A registered environment acts by its id, and the dry run says how fast it is."""
    mapping = LiveMapping.model_validate(
        {"period": 0.05, "observations": {"hinge": {"cos": 0, "sin": 1}, "hinge.velocity": 2}, "actions": {"motor": 0}}
    )
    target = live_target("gym:Pendulum-v1", pendulum, replace(HOLD, decision_dt=0.1), mapping=mapping)
    assert check_live(target).real_time_factor > 1
    rollouts = target.rollout(lambda o: np.zeros((1, 1)), 1, seed=0)
    values = rollouts.trajectories.values
    np.testing.assert_allclose(np.diff(values[:, 0]), 0.05 * values[1:, 1], atol=1e-5)
    target.close()


def _mapping() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(MAPPING)
    return found
