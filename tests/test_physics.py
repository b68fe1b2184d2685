"""Worlds of rigid bodies: against closed forms, against one MjData at a time, and bit for bit."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.worlds import World, get_world
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.world import Segments


def _segments(world: World, n: int, steps: int, *, every: int = 1, seed: int = 0, length: int = 400) -> Segments:
    rng = np.random.default_rng(seed)
    width = sum(c.width for c in world.measured)
    state = world.state(0.3 * rng.standard_normal((n, width)), rng.standard_normal((n, width)))
    actions = rng.uniform(-0.5, 0.5, (3, length, len(world.actions)))
    return Segments(state, actions, rng.integers(0, 3, n), rng.integers(20, length - steps - 1, n), steps, every)


def test_small_swings_have_the_period_of_a_physical_pendulum(pendulum: World) -> None:
    """An undamped pendulum swings with omega^2 = m g r / (I + m r^2), for each parameter row its own."""
    space = pendulum.parameters
    rows = np.stack([space.row({"body.bob.mass": m, "body.bob.com.z": -r}) for m, r in ((2, 0.5), (1, 0.3), (3, 0.7))])
    steps = 500
    still = Segments(
        pendulum.state(np.full((3, 1), 0.01), np.zeros((3, 1))),
        np.zeros((1, steps + 1, 1)),
        np.zeros(3, dtype=int),
        np.zeros(3, dtype=int),
        steps,
    )
    out = pendulum.simulate(rows, still).regular
    mass, arm = rows[:, 0], -rows[:, 1]
    omega = np.sqrt(mass * 9.81 * arm / (0.01 + mass * arm**2))
    time = np.arange(1, steps + 1) * pendulum.control_dt
    np.testing.assert_allclose(out[:, :, 0], 0.01 * np.cos(omega[:, None] * time), atol=1e-4)


def test_damping_and_gain_act_as_written(pendulum: World) -> None:
    """Without gravity's lever the speed follows I dv/dt = gain u - b v."""
    space = pendulum.parameters
    row = space.row({"joint.hinge.damping": 0.4, "actuator.motor.gain": 1.1, "body.bob.com.z": -0.2})
    steps, u = 40, 0.3
    held = Segments(np.zeros((1, 2)), np.full((1, 60, 1), u), np.zeros(1, int), np.zeros(1, int), steps)
    out = pendulum.simulate(row[None], held).regular[0]
    inertia = 0.01 + 2 * 0.2**2
    exact = np.zeros(2)
    dt = 1e-5
    for _ in range(round(steps * pendulum.control_dt / dt)):
        torque = 1.1 * u - 0.4 * exact[1] - 2 * 9.81 * 0.2 * np.sin(exact[0])
        exact += dt * np.array([exact[1], torque / inertia])
    np.testing.assert_allclose(out[-1], exact, rtol=1e-2)


def test_a_batch_is_a_loop_over_one_simulation(c1: World) -> None:
    """The batch gives, bit for bit, what one MjData at a time gives under a compiled model of each row."""
    assert isinstance(c1, PhysicsWorld)
    rows = c1.distribution("wide").sample(4, np.random.default_rng(0))
    rows[:, -2:] = 0.0
    segments = _segments(c1, 4, 60)
    got = c1.simulate(rows, segments).regular
    batch = c1.batch(rows)
    for i in range(4):
        model = batch.get_model(i)
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = segments.state[i, :2], segments.state[i, 2:]
        for t in range(60):
            u = segments.actions[segments.recording[i], segments.start[i] + t]
            data.ctrl[:] = rows[i, 12:14] * u
            mujoco.mj_step(model, data)
            np.testing.assert_array_equal(got[i, t], np.concatenate([data.qpos, data.qvel]))


def test_any_division_of_the_work_gives_the_same_bytes(c1: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of other sizes, another order and single calls change no bit."""
    rows = c1.distribution("prior").sample(50, np.random.default_rng(1))
    segments = _segments(c1, 50, 30)
    whole = c1.simulate(rows, segments).regular
    monkeypatch.setattr("simloop.worlds.physics._CHUNK", 7)
    assert c1.simulate(rows, segments).regular.tobytes() == whole.tobytes()
    order = np.random.default_rng(2).permutation(50)
    shuffled = c1.simulate(rows[order], segments.take(order)).regular
    assert shuffled.tobytes() == whole[order].tobytes()


def test_noise_belongs_to_its_episode(pendulum: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurement noise has the asked spread, and is the same whatever the size of the chunks."""
    rows = np.repeat(pendulum.parameters.row({"channel.hinge.noise": 0.05})[None], 40, axis=0)
    segments = _segments(pendulum, 40, 50)
    noisy = pendulum.simulate(rows, segments, seed=5).regular
    clean = pendulum.simulate(pendulum.parameters.default, segments, seed=5).regular
    assert (noisy - clean)[:, :, 0].std() == pytest.approx(0.05, rel=0.06)
    np.testing.assert_array_equal(noisy[:, :, 1], clean[:, :, 1])
    monkeypatch.setattr("simloop.worlds.physics._CHUNK", 9)
    assert pendulum.simulate(rows, segments, seed=5).regular.tobytes() == noisy.tobytes()
    assert (pendulum.simulate(rows, segments, seed=6).regular != noisy).any()


def test_delay_shifts_and_blends_held_samples(pendulum: World) -> None:
    """gain * u(t - delay) + bias, a delay between grid points blending two neighbouring held samples."""
    assert isinstance(pendulum, PhysicsWorld)
    segments = _segments(pendulum, 5, 20)
    row = pendulum.parameters.row(
        {"actuator.motor.delay": 0.005, "actuator.motor.gain": 1.2, "actuator.motor.bias": 0.1}
    )
    got = pendulum.channel.act(np.repeat(row[None], 5, axis=0), segments, seed=0, numbers=np.arange(5))
    for i in range(5):
        u = segments.actions[segments.recording[i], :, 0]
        at = segments.start[i] + np.arange(20)
        np.testing.assert_allclose(got[i, :, 0], 1.2 * (0.5 * u[at - 2] + 0.5 * u[at - 3]) + 0.1)


def test_delay_reaches_back_before_the_start(pendulum: World) -> None:
    """A segment that starts at the beginning of a recording takes the first action for the past."""
    assert isinstance(pendulum, PhysicsWorld)
    u = np.arange(1.0, 31.0)[None, :, None]
    segments = Segments(np.zeros((1, 2)), u, np.zeros(1, int), np.zeros(1, int), 10)
    row = pendulum.parameters.row({"actuator.motor.delay": 0.006})
    got = pendulum.channel.act(row[None], segments, seed=0, numbers=np.arange(5))[0, :, 0]
    np.testing.assert_allclose(got, [1, 1, 1, 1, 2, 3, 4, 5, 6, 7])


def test_every_thins_out_what_is_returned(c1: World) -> None:
    """Observations after every fifth step are those of the full recording."""
    segments = _segments(c1, 6, 30)
    full = c1.simulate(c1.parameters.default, segments).regular
    thin = c1.simulate(c1.parameters.default, _segments(c1, 6, 30, every=5)).regular
    np.testing.assert_array_equal(thin, full[:, 4::5])


def test_defaults_are_the_models_own(c1: World) -> None:
    """Writing the default values changes nothing: the batch's models equal the compiled one."""
    assert isinstance(c1, PhysicsWorld)
    written = c1.batch(c1.parameters.default[None]).get_model(0)
    for field in ("body_mass", "body_ipos", "body_inertia", "dof_damping", "dof_frictionloss", "dof_armature"):
        np.testing.assert_allclose(getattr(written, field), getattr(c1.model, field), rtol=1e-12, atol=1e-15)


def test_a_standin_without_noise_is_reproduced_by_its_truth(c1: World) -> None:
    """Replaying a noiseless stand-in under its hidden parameters ends where it was, to the filter's accuracy."""
    from simloop.distributions import Point
    from simloop.gap import windowed_gaps
    from simloop.targets.standin import hidden_parameters

    target = standin_target(c1, seed=3, episodes=2, seconds=4, noise=0.0)
    windows = Replay(c1, target.recordings).windows(0.2)
    arms = {"default": Point(c1.parameters), "truth": Point(c1.parameters, hidden_parameters(c1, 3))}
    default, truth = windowed_gaps(c1, windows, arms)
    assert truth.value < 0.05 * default.value


def test_urdf_becomes_a_world(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A URDF, which has no actuators, becomes a world whose named joints get torque motors."""
    (tmp_path / "arm.urdf").write_text(
        '<robot name="arm"><link name="base"/><link name="fore"><inertial><origin xyz="0 0 -0.2"/><mass value="1"/>'
        '<inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>'
        '<joint name="elbow" type="continuous"><parent link="base"/><child link="fore"/><axis xyz="0 1 0"/></joint>'
        "</robot>"
    )
    (tmp_path / "arm.yaml").write_text(
        "world: arm\nmodel: arm.urdf\nactions: [elbow]\nparameters:\n  body.fore.mass: {factor: [0.5, 2]}\n"
    )
    world = get_world(str(tmp_path / "arm.yaml"))
    assert [a.name for a in world.actions] == ["elbow"]
    out = world.simulate(world.parameters.default, _segments(world, 3, 20)).regular
    assert np.isfinite(out).all()


def test_free_bodies_are_observed_by_position_and_rotation(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A free body's start is built from positions and a quaternion, and falls as a free body does."""
    (tmp_path / "cube.xml").write_text(
        '<mujoco><option timestep="0.002"/><worldbody><body name="cube"><freejoint name="root"/>'
        '<geom type="box" size=".05 .05 .05" mass=".37"/></body></worldbody></mujoco>'
    )
    (tmp_path / "cube.yaml").write_text(
        "world: cube\nmodel: cube.xml\nparameters:\n  body.cube.mass: {factor: [0.5, 2]}\n"
    )
    world = get_world(str(tmp_path / "cube.yaml"))
    assert [c.name for c in world.measured] == ["root.x", "root.y", "root.z", "root.rotation"]
    state = world.state(np.array([[0, 0, 1, 1, 0, 0, 0.0]]), np.array([[0.5, 0, 0, 0, 0, 2.0]]))
    segments = Segments(state, np.zeros((1, 101, 0)), np.zeros(1, int), np.zeros(1, int), 100)
    end = world.simulate(world.parameters.default, segments).regular[0, -1]
    np.testing.assert_allclose(end[:3], [0.1, 0, 1 - 0.5 * 9.81 * 0.2**2], atol=3e-3)
    np.testing.assert_allclose(end[3:7], [np.cos(0.2), 0, 0, np.sin(0.2)], atol=1e-6)
