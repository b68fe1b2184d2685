"""The world `drawer`: published kinematics, laws of physics, an expert that opens the drawer, what a policy sees."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np
import pytest

from simloop.audit import audit_parameters
from simloop.distributions import Point
from simloop.gap.windowed import window_errors
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.trajectories import TrajectorySet, columns
from simloop.worlds import Segments, get_world
from simloop.worlds.drawer import Drawer, DrawerOpen, expert_actions
from simloop.worlds.drawer.panda import DH, FINGER, FLANGE, GRIP, HIGHEST, HOME, JOINTS, LOWEST, SPEED

STEPS = 400


@pytest.fixture(scope="module")
def world() -> Drawer:
    found = get_world("drawer")
    assert isinstance(found, Drawer)
    return found


class Opened(NamedTuple):
    """What an expert did in cabinets that stand up to 15 cm off."""

    rows: np.ndarray
    actions: np.ndarray
    run: TrajectorySet


@pytest.fixture(scope="module")
def opened(world: Drawer) -> Opened:
    rows = world.distributions()["wide"].sample(60, np.random.default_rng(1))
    rows[0] = world.parameters.default
    actions = np.stack([expert_actions(world, row) for row in rows])
    return Opened(rows, actions, _played(world, rows, actions))


def _played(world: Drawer, rows: np.ndarray, actions: np.ndarray) -> TrajectorySet:
    """Actions (n, T, 8) from where the world starts."""
    every = np.arange(len(actions))
    start = world.state(*world.starts(len(actions), np.random.default_rng(0)))
    return world.simulate(rows, Segments(start, actions, every, 0 * every, actions.shape[1] - 1))


def _of(world: Drawer, values: np.ndarray, name: str) -> np.ndarray:
    """A channel's columns, (..., width)."""
    names = [c.name for c in world.channels]
    return values[..., columns(world.channels)[names.index(name)]]


def _hand_by_table(angles: np.ndarray) -> np.ndarray:
    """The place between the fingertips by the published table, in Craig's convention: (3,)."""
    frame = np.eye(4)
    for (a, d, alpha), theta in zip((*DH, (0.0, FLANGE + GRIP, 0.0)), (*angles, 0.0), strict=True):
        c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        rows = [[c, -s, 0, a], [s * ca, c * ca, -sa, -d * sa], [s * sa, c * sa, ca, d * ca], [0, 0, 0, 1]]
        frame = frame @ np.array(rows)
    return frame[:3, 3]


def test_the_hand_is_where_the_published_table_puts_it(world: Drawer) -> None:
    """In random poses the hand is where the Denavit-Hartenberg table says, in pose `ready` where Franka says."""
    data = mujoco.MjData(world.model)
    ready = np.array([0, -np.pi / 4, 0, -3 * np.pi / 4, 0, np.pi / 2, np.pi / 4])
    poses = [ready, np.array(HOME), *np.random.default_rng(0).uniform(LOWEST, HIGHEST, (20, 7))]
    for pose in poses:
        data.qpos[:7] = pose
        mujoco.mj_kinematics(world.model, data)
        np.testing.assert_allclose(data.site("hand").xpos, _hand_by_table(pose), atol=1e-12)
    np.testing.assert_allclose(_hand_by_table(ready), [0.3069, 0, 0.4869], atol=1e-4)


def test_servos_go_where_they_are_told(world: Drawer) -> None:
    """Held commands are reached, from the home pose and times each joint's scale; the fingers follow theirs."""
    command = np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1, 0.1, 0.03])
    scales = np.linspace(0.8, 1.2, 7)
    row = world.parameters.row({f"{j}.scale": s for j, s in zip(JOINTS, scales, strict=True)})
    end = _played(world, row[None], np.tile(command, (1, STEPS + 1, 1))).regular[0, -1]
    np.testing.assert_allclose(end[:7], HOME + scales * command[:7], atol=2e-3)
    np.testing.assert_allclose(end[7], command[7], atol=1e-4)


def test_a_drawer_that_is_let_go_follows_its_equation(world: Drawer) -> None:
    """A drawer on a stiff spring, hardly braked, moves as the damped oscillator of its parameters does."""
    from scipy.integrate import solve_ivp

    given = {"drawer.mass": 10.0, "drawer.stiffness": 100.0, "drawer.damping": 2.0, "drawer.friction": 0.2}
    positions, rates = world.starts(1, np.random.default_rng(0))
    positions[0, 8] = 0.1
    zero = np.zeros(1, dtype=np.int64)
    still = np.tile([0.0] * 7 + [FINGER], (1, 52, 1))
    out = world.simulate(
        world.parameters.row(given)[None], Segments(world.state(positions, rates), still, zero, zero, 40)
    )

    def pulled(_: float, s: np.ndarray) -> list[float]:
        return [s[1], (-100 * s[0] - 2 * s[1] + 0.2) / 10]  # it closes all the time

    time = np.arange(1, 41) * world.control_dt
    truth = solve_ivp(pulled, (0, 0.4), [0.1, 0.0], t_eval=time, rtol=1e-9)
    np.testing.assert_allclose(_of(world, out.regular[0], "drawer")[:, 0], truth.y[0], atol=2e-3)


def test_the_handle_moves_as_the_cabinet_stands(world: Drawer, opened: Opened) -> None:
    """The handle starts where the parameters say and leaves along the cabinet's yaw, as far as the drawer is open."""
    values = opened.run.regular
    handle, drawer = _of(world, values, "handle"), _of(world, values, "drawer")
    x, y, z, yaw = (opened.rows[:, world.parameters.index(f"cabinet.{c}"), None] for c in ("x", "y", "z", "yaw"))
    out = drawer[..., 0]
    place = np.stack([x - out * np.cos(yaw), y - out * np.sin(yaw), z + 0 * out], axis=-1)
    np.testing.assert_allclose(handle, place, atol=1e-3)


def test_an_expert_opens_nearly_every_drawer(world: Drawer, opened: Opened) -> None:
    """Knowing the parameters, inverse kinematics opens 95 % of wide draws, within the arm's limits of speed."""
    assert opened.run.diverged is not None
    assert not opened.run.diverged.any()
    task = world.task()
    assert task.good(opened.run.regular[:, -1]).mean() >= 0.95
    speeds = np.stack([np.abs(_of(world, opened.run.regular, f"{j}.velocity")).max() for j in JOINTS])
    assert (speeds < SPEED).all()
    assert (opened.actions >= np.array(task.low) - 1e-9).all()
    assert (opened.actions <= np.array(task.high) + 1e-9).all()


def test_a_cabinet_that_is_elsewhere_stays_closed(world: Drawer, opened: Opened) -> None:
    """What opens the drawer where it should be does not where the cabinet is 15 cm further, lower or aside."""
    moved = [{"cabinet.x": 0.8}, {"cabinet.y": 0.15}, {"cabinet.y": -0.15}, {"cabinet.z": 0.43}]
    rows = np.stack([world.parameters.row(m) for m in moved])
    end = _played(world, rows, np.tile(opened.actions[0], (4, 1, 1))).regular[:, -1]
    assert not world.task().good(end).any()


def test_without_friction_the_handle_slips(world: Drawer) -> None:
    """The drawer opens by friction: fingers that hold a handle of 0.8 slide off one of 0.08."""
    rows = np.stack([world.parameters.row({"handle.friction": f, "drawer.friction": 20.0}) for f in (0.8, 0.08)])
    end = _played(world, rows, np.stack([expert_actions(world, row) for row in rows])).regular[:, -1]
    rough, slippery = _of(world, end, "drawer")[:, 0]
    assert rough > 0.2
    assert slippery < 0.05


@pytest.mark.parametrize("number", range(4))
def test_contact_neither_gives_way_nor_gives_energy(world: Drawer, opened: Opened, number: int) -> None:
    """While a drawer is opened nothing sinks in by a millimetre, and energy never exceeds what the servos put in."""
    row = opened.rows[number]
    model = world.batch(row[None]).get_model(0)
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    data, now = mujoco.MjData(model), mujoco.MjData(model)
    data.qpos[:] = world.state(*world.starts(1, np.random.default_rng(0)))[0, :10]
    scale = np.ones(8)
    scale[:7] = [row[world.parameters.index(f"{j}.scale")] for j in JOINTS]
    work, surplus, deepest = 0.0, 0.0, 0.0
    for action in opened.actions[number][:STEPS]:
        for _ in range(2):
            data.ctrl[:] = action * scale
            before = data.qvel.copy()
            mujoco.mj_step(model, data)
            force = data.qfrc_actuator - model.dof_damping * data.qvel * (np.arange(10) < 9)  # of servos, not of rails
            work += model.opt.timestep * float(force @ (before + data.qvel) / 2)
            now.qpos[:], now.qvel[:] = data.qpos, data.qvel
            mujoco.mj_forward(model, now)
            surplus = max(surplus, float(now.energy.sum()) - work)
            deepest = min(deepest, data.contact.dist.min(initial=0.0))
    assert deepest > -1e-3
    assert surplus < 0.05  # J, of several that are turned over
    assert data.qpos[9] > 0.2


def test_every_parameter_does_something(world: Drawer) -> None:
    """The audit on a stand-in's recordings passes: its excitations reach the handle, so that no parameter is dead."""
    audit = audit_parameters(world, standin_target(world, seed=0, episodes=3))
    assert audit.passed, audit.dead
    assert not audit.diverged


def test_a_stand_in_is_reproduced_by_its_truth(world: Drawer) -> None:
    """Replayed whole under the hidden parameters, a recording comes out again, contact and all; not by the defaults."""
    truth = world.parameters.row({"cabinet.x": 0.66, "drawer.damping": 20.0, "joint2.stiffness": 500.0})
    target = standin_target(world, seed=2, episodes=3, truth=truth, noise=0.0)
    assert (target.recordings.regular[:, -1, 8] > 0.2).any()
    windows = Replay(world, target.recordings).windows(0.5)
    exact, default = (
        window_errors(world, windows, Point(world.parameters, row), 1, 0) for row in (truth, world.parameters.default)
    )
    assert exact.max() < 1e-5
    assert default.max() > 1e-3


def test_dividing_the_work_changes_nothing(world: Drawer, opened: Opened) -> None:
    """Drawers opened together and alone give the same bytes."""
    alone = _played(world, opened.rows[7:8], opened.actions[7:8])
    assert alone.regular.tobytes() == opened.run.regular[7:8].tobytes()


def test_a_policy_is_not_told_where_the_cabinet_stands(world: Drawer, opened: Opened) -> None:
    """What the task shows is made of the joints, the gripper and the drawer's opening alone."""
    task = world.task("open")
    values = opened.run.regular[:, -1].copy()
    seen = task.observe(values)
    hidden = np.ones(values.shape[1], dtype=bool)
    for channel in task.observed:
        hidden[columns(world.channels)[[c.name for c in world.channels].index(channel)]] = False
    values[:, hidden] = np.nan
    np.testing.assert_array_equal(task.observe(values), seen)


def test_reward_grows_towards_the_open_drawer(world: Drawer, opened: Opened) -> None:
    """An expert's reward rises from the start to the closed fingers to the open drawer, which alone is good."""
    task = world.task("open")
    assert isinstance(task, DrawerOpen)
    values, actions = opened.run.regular[0], opened.actions[0]
    at = np.array([5, 150, 225, 399])
    rewards = task.reward(values[at - 5], values[at], actions[at - 5])
    assert (np.diff(rewards) > 0.1).all()
    np.testing.assert_array_equal(task.good(values[at]), [False, False, False, True])


def test_an_expert_acts_in_the_environment(world: Drawer, opened: Opened) -> None:
    """Twenty decisions a second are enough: through `make`, from starts that vary, the expert still opens drawers."""
    envs = world.make(len(opened.rows), seed=0)
    envs.reset(options={"parameters": opened.rows})
    for k in range(80):
        _, _, _, truncated, infos = envs.step(opened.actions[:, 5 * k])
    assert truncated.all()
    assert infos["final_info"]["success"].mean() >= 0.9
