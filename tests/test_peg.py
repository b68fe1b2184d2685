"""The world `peg`: a rope that hangs and swings by the laws, a hole as wide as it says, an expert, a hidden machine."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import pytest
from scipy.linalg import eigh

from simloop.audit import audit_parameters
from simloop.distributions import Point
from simloop.gap.windowed import window_errors
from simloop.parameters import Array
from simloop.targets import live_target
from simloop.targets.hidden_peg import OFF, HiddenPeg, hidden_peg, nominal_peg
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.trajectories import columns
from simloop.worlds import Segments, get_world
from simloop.worlds.check import check_vector_env
from simloop.worlds.drawer.panda import HIGHEST, HOME, JOINTS, LOWEST
from simloop.worlds.peg import Peg, expert_actions
from simloop.worlds.peg.rope import ROPE
from simloop.worlds.peg.world import AXIS, BOX, DEPTH, PEG, SIDES, WALL

STEPS = 300


@pytest.fixture(scope="module")
def world() -> Peg:
    found = get_world("peg")
    assert isinstance(found, Peg)
    return found


def _played(world: Peg, rows: Array, actions: Array, state: Array | None = None) -> Array:
    """True channel values (n, T, D) under actions (n, T + 1, 7) from where the world starts, or from a state (S,)."""
    n, every = len(rows), np.arange(len(rows))
    first = world.state(*world.starts(n, np.random.default_rng(0))) if state is None else np.tile(state, (n, 1))
    run = world.simulate(rows, Segments(first, actions, every, 0 * every, actions.shape[1] - 1))
    assert not run.diverged.any()
    return run.regular


def _of(world: Peg, values: Array, name: str) -> Array:
    """A channel's columns, (..., width)."""
    return values[..., columns(world.channels)[[c.name for c in world.channels].index(name)]]


def test_the_rope_hangs_straight_down_from_wherever_the_hand_is(world: Peg) -> None:
    """In random poses of the arm the state that joints alone say has the peg below the hand, by the rope's length."""
    data, width = mujoco.MjData(world.model), sum(c.width for c in world.measured)
    poses = np.random.default_rng(0).uniform(LOWEST, HIGHEST, (20, 7))
    for pose in [np.array(HOME), *poses]:
        state = world.state(np.concatenate([pose, np.zeros(width - 7)]), np.zeros(width))
        data.qpos[:] = state[: world.model.nq]
        mujoco.mj_kinematics(world.model, data)
        below = data.site("hand").xpos - [0, 0, ROPE.length + ROPE.middle]
        np.testing.assert_allclose(data.site("peg").xpos, below, atol=1e-12)
    resting = _played(world, world.parameters.default[None], np.zeros((1, 2, 7)))
    np.testing.assert_allclose(_of(world, resting, "peg")[0, 0], PEG, atol=1e-3)


def _slowest(rope_length: float, rope_mass: float, stiffness: float, peg_mass: float) -> float:
    """Period (s) of the slowest small swing of the chain about a fixed end, by its linearised equations of motion."""
    n = ROPE.links + 1
    link = rope_length / ROPE.links
    length = np.array([link] * ROPE.links + [0.0])
    centre = np.array([link / 2] * ROPE.links + [ROPE.middle])
    mass = np.array([rope_mass / ROPE.links] * ROPE.links + [peg_mass])
    inertia = np.array([rope_mass / ROPE.links * link**2 / 12] * ROPE.links + [peg_mass * 0.1**2 / 12])
    moves = np.array([[length[j] if j < i else centre[j] if j == i else 0.0 for j in range(n)] for i in range(n)])
    m = moves.T @ (mass[:, None] * moves) + np.diag(inertia)
    k = np.diag(9.81 * (mass @ moves))
    bent = np.eye(n) - np.eye(n, k=-1)  # of each joint: its link's angle less that of the link before
    k = k + stiffness * bent.T @ bent
    return float(2 * np.pi / np.sqrt(eigh(k, m, eigvals_only=True)[0]))


@pytest.mark.parametrize("given", [{}, {"rope.stiffness": 0.02, "rope.length": 0.35, "peg.mass": 0.06}])
def test_a_small_swing_has_the_period_of_the_linearised_chain(world: Peg, given: dict[str, float]) -> None:
    """Rope and peg swing as a chain of rods with springs does, whatever its length, stiffness and mass."""
    row = world.parameters.row({"rope.damping": 3e-4, "rope.mass": 0.03, "box.x": 0.9, **given})
    state = world.state(*world.starts(1, np.random.default_rng(0)))[0]
    state[7:11] = [np.cos(0.02), np.sin(0.02), 0.0, 0.0]  # all of it turned by 0.04 rad about x
    named = dict(zip(world.parameters.names, row, strict=True))
    aside = _of(world, _played(world, row[None], np.zeros((1, STEPS + 101, 7)), state), "peg")[0, :, 1]
    crossings = np.flatnonzero((aside[:-1] < 0) & (aside[1:] >= 0))
    exact = crossings + aside[crossings] / (aside[crossings] - aside[crossings + 1])
    period = np.diff(exact).mean() * world.control_dt
    truth = _slowest(named["rope.length"], named["rope.mass"], named["rope.stiffness"], named["peg.mass"])
    assert period == pytest.approx(truth, rel=0.01)


def test_the_hole_is_as_wide_and_where_the_parameters_say(world: Peg) -> None:
    """Opposite walls are the hole's width apart, around the axis through where it begins."""
    row = world.parameters.row({"hole.width": 0.05, "box.x": 0.7, "box.y": 0.05, "box.z": 0.3})
    model = world._build().compile()
    world.write_model(model, row)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    far, left, near, right = (data.geom(f"wall of {name}").xpos for name in SIDES)
    assert np.linalg.norm(far - near) - WALL == pytest.approx(0.05)
    assert np.linalg.norm(left - right) - WALL == pytest.approx(0.05)
    np.testing.assert_allclose((far + near) / 2, [0.7, 0.05, 0.3] - AXIS * DEPTH / 2, atol=1e-9)
    assert model.geom("peg").size[0] == world.parameters["peg.radius"].default


def test_good_is_the_pegs_middle_deep_between_the_walls(world: Peg) -> None:
    """A peg is in from `deep` below where the hole begins, not above it, beside it or under its floor."""
    task = world.task()
    values = np.zeros((5, sum(c.width for c in world.channels)))
    values[:, 10:13] = BOX
    across = np.array([np.sqrt(0.5), 0, np.sqrt(0.5)])
    places = [-0.03 * AXIS, 0.01 * AXIS, -0.03 * AXIS + 0.05 * across, -0.15 * AXIS, -0.01 * AXIS]
    values[:, 7:10] = BOX + np.array(places)
    np.testing.assert_array_equal(task.good(values), [True, False, False, False, False])


def test_an_expert_puts_the_peg_into_nearly_every_hole(world: Peg) -> None:
    """Knowing the parameters, inverse kinematics puts the peg in in 9 of 10 wide draws, inside the task's limits."""
    rows = world.distributions()["wide"].sample(30, np.random.default_rng(1))
    rows[0] = world.parameters.default
    actions = np.stack([expert_actions(world, row) for row in rows])
    task = world.task()
    inside = np.clip(actions, task.low, task.high)
    good = task.good(_played(world, rows, inside)[:, -1])
    assert good[0]
    assert good.mean() >= 0.9
    blind = task.good(_played(world, rows, np.tile(inside[0], (30, 1, 1)))[:, -1])
    assert blind.mean() <= good.mean() - 0.3  # who does not know where the box stands


def test_a_peg_slides_down_a_slope_unless_it_is_too_rough(world: Peg) -> None:
    """It comes to rest on the floor of a hole tilted by 45 degrees, and far above it where its friction is over 1."""
    rows = np.stack([world.parameters.row({"peg.friction": f}) for f in (0.1, 0.4, 4.0)])
    actions = np.stack([expert_actions(world, rows[0])] * 3)
    deep = -(_of(world, _played(world, rows, actions)[:, -1], "peg") - BOX) @ AXIS
    np.testing.assert_allclose(deep[:2], DEPTH - ROPE.peg_length / 2 - ROPE.peg_radius, atol=1e-3)
    assert deep[2] < 0.0


def test_a_running_batch_of_the_peg_keeps_the_contract(world: Peg) -> None:
    """Shapes, seeds, masks and independence of the batch, under the wide randomisation."""
    check_vector_env(world.make(3, task="in", randomization="wide", seed=0))


def test_every_parameter_does_something(world: Peg) -> None:
    """The audit on a stand-in's recordings passes: its excitations reach the hole, so that no parameter is dead."""
    audit = audit_parameters(world, standin_target(world, seed=0, episodes=2))
    assert audit.passed, audit.dead
    assert not audit.diverged


def test_a_recording_is_reproduced_by_its_truth(world: Peg) -> None:
    """Replayed whole under the hidden parameters, a recording comes out again, contact and all; not by the defaults."""
    truth = world.parameters.row({"box.x": 0.66, "rope.length": 0.31, "joint2.stiffness": 500.0})
    target = standin_target(world, seed=2, episodes=2, truth=truth, noise=0.0)
    windows = Replay(world, target.recordings).windows(0.5)
    exact, default = (
        window_errors(world, windows, Point(world.parameters, row), 1, 0) for row in (truth, world.parameters.default)
    )
    assert exact.max() < 1e-5
    assert default.max() > 1e-3


@dataclass
class _Played:
    """A policy that gives one action after the other, whatever it sees."""

    actions: Array
    step: int = 0

    def begin(self, places: Array) -> None:
        self.step = 0

    def __call__(self, observation: Array) -> Array:
        self.step += 1
        return self.actions[self.step - 1][None]


def test_the_machine_with_the_worlds_values_follows_the_world(world: Peg) -> None:
    """Without hidden effects the machine's peg is within 5 mm of the world's, through contact and into the hole."""
    machine = HiddenPeg(world, nominal_peg(world))
    row = world.parameters.default
    actions = expert_actions(world, row)
    expected = _played(world, row[None], actions[None])[0]
    (positions, rates), rng = world.starts(1, np.random.default_rng(0)), np.random.default_rng(0)
    machine.reset(positions[0], rates[0], np.zeros(7), rng)
    seen = np.concatenate([machine.step(a, 1) for a in actions[:-1]])
    np.testing.assert_allclose(seen[:, :7], expected[:, :7], atol=2e-3)
    np.testing.assert_allclose(seen[:, 7:10], expected[:, 7:10], atol=5e-3)
    assert world.task().good(machine.judged()[None])[0]


def test_a_hidden_machine_hides_a_box_that_is_elsewhere(world: Peg) -> None:
    """The box is 5 cm off; who knows everything puts the peg in, in most realities, and who does not seldom does."""
    task, found = world.task(), []
    for number in range(4):
        reality = hidden_peg(world, number)
        assert np.linalg.norm(np.subtract(reality.place, BOX)[:2]) == pytest.approx(OFF)
        given = {f"box.{c}": x for c, x in zip("xyz", reality.place, strict=True)}
        given |= {f"{j}.scale": s for j, s in zip(JOINTS, reality.scale, strict=True)}
        rows = [world.parameters.row({**given, "rope.length": reality.rope.length}), world.parameters.default]
        with live_target(f"standin:peg#{number}", world) as target:
            for row in rows:
                plan = np.clip(expert_actions(world, row), task.low, task.high)[::5, task.active]
                found.append(bool(target.rollout(_Played(plan), 1, seed=0).success[0]))
    assert sum(found[::2]) >= 3
    assert sum(found[1::2]) <= 1


def test_the_machine_senses_joints_and_peg_and_repeats_itself(world: Peg) -> None:
    """Rollouts hold no place of the hole, are the same bytes under the same seed, and differ under another."""
    with live_target("standin:peg#3", world) as target:
        assert target.provenance == "same engine, hidden parameters"
        plan = np.zeros((60, 4))
        first, again, other = (target.rollout(_Played(plan), 1, seed=s) for s in (0, 0, 1))
    names = [c.name for c in first.trajectories.channels]
    assert names == [*JOINTS, "peg", "peg.velocity"]
    assert first.trajectories.values.tobytes() == again.trajectories.values.tobytes()
    assert first.trajectories.values.tobytes() != other.trajectories.values.tobytes()
