"""Audits of policies: a planted flaw is found, an honest world is not blamed, and the books are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simloop.audit.changes import changes
from simloop.audit.cheating import audit_policy
from simloop.audit.ledger import WatchedEnvironment, watch
from simloop.errors import InputError
from simloop.learn import get_learner
from simloop.learn.evaluate import evaluate
from simloop.parameters import Array
from simloop.worlds import World, get_world
from simloop.worlds.double_pendulum import DESIGNS, DoublePendulum
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.physics_environment import PhysicsEnvironment
from simloop.worlds.swing_up import SwingUp
from tests.bouncer import Bouncer, honest, pump


def lift(observation: Array) -> Array:
    """Bring both links of a double pendulum up: springs and dampers to upright, and what gravity asks for."""
    design = DESIGNS["c1"]
    q = np.arctan2(observation[:, :2], observation[:, 2:4])
    rate = observation[:, 4:] * 6.0
    (m1, m2), (r1, r2) = design.mass, design.com
    second = 9.81 * m2 * r2 * np.sin(q.sum(axis=1))
    first = 9.81 * (m1 * r1 + m2 * design.length) * np.sin(q[:, 0]) + second
    away = np.arctan2(np.sin(np.pi - q[:, 0]), np.cos(np.pi - q[:, 0]))
    return np.stack([first + 6 * away - 0.6 * rate[:, 0], second - 3 * q[:, 1] - 0.2 * rate[:, 1]], axis=1)


def half(observation: Array) -> Array:
    """A policy that is not its own mirror image."""
    return lift(observation) + np.array([0.7, -0.2])


def test_a_planted_flaw_is_found() -> None:
    """A policy whose score the time step gives away is called so, by the score's fall and by the energy it gets."""
    audit = audit_policy(Bouncer(), None, pump, episodes=32)
    fall = audit.falls[0]
    assert audit.exploits
    assert fall.counts
    assert fall.change == "the time step is halved"
    assert fall.fall_interval[0] > 0
    assert fall.part > 0.5
    energy = next(f for f in audit.flags if f.name.startswith("energy"))
    assert energy.raised
    assert energy.largest > 0.1
    assert "when the time step is halved" in audit.verdict
    assert "energy from nowhere" in audit.verdict


def test_the_same_policy_is_not_blamed_where_the_time_step_is_fine() -> None:
    """With a floor that is resolved nothing is found, of the same policy in the same task."""
    audit = audit_policy(honest(), None, pump, episodes=16)
    assert not audit.exploits
    assert not any(f.raised for f in audit.flags)
    assert max(abs(f.part) for f in audit.falls if f.kind == "same") < 0.05


def test_an_honest_policy_is_not_blamed(c1: World) -> None:
    """A double pendulum that lifts itself passes under every change, PyBullet's engine included."""
    pytest.importorskip("pybullet")
    audit = audit_policy(c1, "swing-up", lift, episodes=8)
    assert audit.verdict == "nothing found"
    assert audit.score.success_rate == 1
    assert {f.kind for f in audit.falls} == {"same", "near"}
    assert any("PyBullet" in f.change for f in audit.falls)
    record = audit.to_dict()
    assert record["exploits"] is False
    assert len(record["falls"]) == len(audit.falls)


def test_a_mirror_image_scores_the_same(c1: World) -> None:
    """What happens in a mirror is what happened, to the last bits, also of a policy that is not symmetric itself."""
    assert isinstance(c1, PhysicsWorld)
    mirrored = next(c for c in changes(c1) if c.mirrored)
    task, drawn = c1.task("swing-up"), c1.distribution("wide")
    base = evaluate(c1, task, half, drawn, episodes=8)
    other = evaluate(*mirrored.apply(c1, task, half), drawn, episodes=8, parameters=base.parameters)
    np.testing.assert_allclose(other.returns, base.returns, rtol=1e-9)
    assert base.returns.std() > 1


def test_a_mirror_turns_the_parameters_that_are_not_symmetric() -> None:
    """The Qube's tilt and its motor's bias change sign in a mirror; if they did not, the score would be another."""
    qube = get_world("qube")
    assert isinstance(qube, PhysicsWorld)
    mirrored = next(c for c in changes(qube) if c.mirrored)
    task, prior = qube.task("swing-up"), qube.distribution("prior")

    def push(observation: Array) -> Array:
        return 3.0 * np.sign(observation[:, 5:6] + 0.05)

    base = evaluate(qube, task, push, prior, episodes=6)
    world, image, actor = mirrored.apply(qube, task, push)
    right = mirrored.rows(qube, base.parameters)
    assert not np.array_equal(right, base.parameters)
    turned = evaluate(world, image, actor, prior, episodes=6, parameters=right)
    np.testing.assert_allclose(turned.returns, base.returns, rtol=1e-6)
    unturned = evaluate(world, image, actor, prior, episodes=6, parameters=base.parameters)
    assert np.abs(unturned.returns - base.returns).max() > 1e-2


def test_watching_changes_nothing(c1: World) -> None:
    """An episode that is watched step by step is the same to the last bit."""
    assert isinstance(c1, PhysicsWorld)
    task, drawn = c1.task("swing-up"), c1.distribution("wide")
    plain = PhysicsEnvironment(c1, task, 3, randomization=drawn, seed=4, autoreset="disabled")
    watched = WatchedEnvironment(c1, task, 3, randomization=drawn, seed=4)
    a, _ = plain.reset()
    b, _ = watched.reset()
    for _ in range(60):
        assert a.tobytes() == b.tobytes()
        a, *_ = plain.step(half(a))
        b, *_ = watched.step(half(b))


_SPINNER = """
<mujoco model="spinner">
  <option timestep="0.0005" gravity="0 0 0"/>
  <worldbody>
    <body name="wheel"><joint name="hinge" axis="0 0 1" damping="0"/>
      <inertial pos="0 0 0" mass="1" diaginertia="0.5 0.5 0.5"/></body>
  </worldbody>
  <actuator><motor name="motor" joint="hinge"/></actuator>
</mujoco>
"""


def _spinner(folder: Path, damping: float) -> PhysicsWorld:
    (folder / "spinner.xml").write_text(_SPINNER.replace('damping="0"', f'damping="{damping}"'))
    (folder / "spinner.yaml").write_text(
        "world: spinner\nmodel: spinner.xml\ncontrol_dt: 0.01\nparameters:\n  body.wheel.mass: {factor: [0.5, 2]}\n"
    )
    world = get_world(str(folder / "spinner.yaml"))
    assert isinstance(world, PhysicsWorld)
    return world


def _spin() -> SwingUp:
    return SwingUp(
        name="spin", summary="", seconds=2.0, decision_dt=0.01, low=(-1.0,), high=(1.0,), observed=("hinge",),
        links=((0,),), start_spread=(0.0, 0.0), speed_limit=np.inf,
    )  # fmt: skip


def _full(observation: Array) -> Array:
    return np.ones((len(observation), 1))


def test_the_work_of_motors_is_not_held_against_them(tmp_path: Path) -> None:
    """A wheel under a constant torque has just the energy that the motor gave: (u t)^2 / 2 I, nothing from nowhere."""
    ledger = watch(_spinner(tmp_path, 0.0), _spin(), _full, episodes=2, seed=0)
    np.testing.assert_allclose(ledger.turned, 2 * 2.0**2 / (2 * 0.5), rtol=2e-3)
    assert (ledger.created < 1e-9).all()
    np.testing.assert_allclose(ledger.forces, 1.0)


def test_what_a_negative_damper_gives_is_found(tmp_path: Path) -> None:
    """Energy that a joint's friction gives instead of taking is counted: the integral of |d| w^2, in closed form."""
    damping, inertia = -0.25, 0.5
    ledger = watch(_spinner(tmp_path, damping), _spin(), _full, episodes=2, seed=0)
    time = np.linspace(0, 2, 20001)
    rate = (np.exp(-damping / inertia * time) - 1) / -damping  # of I dw/dt = 1 + |d| w
    np.testing.assert_allclose(ledger.created, np.trapezoid(-damping * rate**2, time), rtol=5e-3)


def test_speeds_beyond_a_limit_are_flagged(c1: World) -> None:
    """A joint faster than someone says that the machine can be raises a flag, and the verdict names it."""
    audit = audit_policy(c1, "swing-up", lift, episodes=8, limits={"joint1.velocity": 1.0}, engine=False)
    assert audit.exploits
    assert "joint1.velocity" in audit.verdict
    with pytest.raises(InputError, match=r"joint1\.velocity"):
        audit_policy(c1, "swing-up", lift, limits={"joint1.speed": 1.0})


def test_a_changed_model_leaves_the_world_as_it_was() -> None:
    """`with_model` gives another world: its own time step, the same tasks, and nothing changes in the first."""
    world = DoublePendulum("c1")
    step, content = world.model.opt.timestep, world.content()

    def halve(spec: object) -> None:
        spec.option.timestep /= 2  # type: ignore[attr-defined]

    finer = world.with_model(halve)
    assert finer.model.opt.timestep == step / 2
    assert finer.substeps == 2 * world.substeps
    assert world.model.opt.timestep == step
    assert world.content() == content != finer.content()
    assert finer.tasks().keys() == world.tasks().keys()
    assert finer.with_model(halve).model.opt.timestep == step / 4


def test_starts_move_by_what_was_said_and_nothing_else_changes(c1: World) -> None:
    """Jitter moves where an episode starts by its size, and leaves the episode's other draws alone."""
    assert isinstance(c1, PhysicsWorld)
    moved = next(c for c in changes(c1, jitter=0.01) if c.jitter)
    _, task, _ = moved.apply(c1, c1.task("swing-up"), lift)
    from simloop.randomness import stream

    apart = []
    for k in range(200):
        one, other = stream(0, "start", k), stream(0, "start", k)
        a, b = c1.task("swing-up").start(one), task.start(other)
        apart.append(np.concatenate([b[0] - a[0], b[1] - a[1]]))
        assert one.random() == other.random()
    np.testing.assert_allclose(np.std(apart, axis=0), 0.01, rtol=0.2)


@pytest.mark.slow
def test_ppo_finds_the_flaw_and_the_audit_finds_ppo() -> None:
    """A policy that PPO learned in the flawed world scores by the flaw, and the audit says so."""
    pytest.importorskip("stable_baselines3")
    world = Bouncer()
    task, default = world.task(), world.distribution("default")
    policy = get_learner("ppo", {"envs": 64}).train(world, task, default, steps=300_000, seed=0).policy
    gained = evaluate(world, task, policy, episodes=32).mean_return
    assert gained > 5 * evaluate(honest(), task, policy, episodes=32).mean_return
    audit = audit_policy(world, task, policy, episodes=64)
    assert audit.exploits
    assert audit.falls[0].counts
    assert "time step is halved" in audit.verdict


@pytest.mark.slow
def test_what_ppo_learns_in_an_honest_world_is_not_blamed(c1: World) -> None:
    """A swing-up that PPO learned in the double pendulum rests on nothing that is not physics."""
    pytest.importorskip("stable_baselines3")
    task = c1.task("swing-up")
    policy = get_learner("ppo", {}).train(c1, task, c1.distribution("default"), steps=600_000, seed=0).policy
    audit = audit_policy(c1, task, policy, episodes=64)
    assert not audit.exploits, audit.verdict
