"""Running batches: an episode depends on the seed, its number and the actions alone, and agrees with replay."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simloop import get_world
from simloop.distributions import Point, Product, Uniform
from simloop.errors import InputError
from simloop.worlds.check import check_vector_env
from simloop.worlds.environment import Environment, SingleEnvironment
from simloop.worlds.residual import residual_space
from simloop.worlds.uncertain import uncertain_space
from simloop.worlds.world import Segments

WORLD = get_world("double-pendulum")
MODES = ("same-step", "next-step", "disabled")


def sensed(largest: dict[str, float]) -> Product:
    """The wide randomisation, with errors of sensors up to `largest`."""
    space = uncertain_space(WORLD, largest)
    added = type(space)([p for p in space if p.name in largest])
    high = np.array(list(largest.values()))
    return Product(None, [WORLD.distribution("wide"), Uniform(added, high / 10, high)])


NOISY = sensed(
    {
        "noise.joint1": 0.01,
        "noise.joint2": 0.01,
        "lag.joint1": 0.03,
        "step.joint2": 0.002,
        "drop.joint1": 0.2,
        "drop.motor1": 0.2,
        "start.joint1": 0.05,
        "push.motor2": 0.1,
    }
)


def short(seconds: float = 0.5, task: str = "swing-up"):
    return replace(WORLD.task(task), seconds=seconds)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("randomization", [None, "wide", NOISY])
def test_contract_holds_in_every_mode(mode, randomization):
    """The checker of vector environments finds nothing, with and without errors of sensors and commands."""
    check_vector_env(WORLD.make(5, task=short(), randomization=randomization, autoreset=mode))


@pytest.mark.parametrize("name", ["double-pendulum", "qube"])
def test_gymnasiums_own_checker_passes(name):
    """One episode at a time passes Gymnasium's `check_env`."""
    check_env(SingleEnvironment(get_world(name).make(1, randomization="wide")), skip_render_check=True)


def test_environment_and_replay_agree_to_the_last_bit():
    """A decision's effect is that of the same actions replayed by `simulate`, with gain and delay."""
    n, decisions = 4, 20
    env = WORLD.make(n, task=short(), randomization="wide", seed=5, autoreset="disabled")
    env.reset()
    state = np.concatenate([env.batch.bind("qpos"), env.batch.bind("qvel")], axis=1).copy()
    rng = np.random.default_rng(0)
    actions = rng.uniform(-2, 2, (decisions, n, 2)).astype(np.float32).astype(float)
    seen = []
    for a in actions:
        env.step(a)
        seen.append(env.values)
    held = np.repeat(actions.transpose(1, 0, 2), 10, axis=1)
    rest = np.zeros((n, 30, 2))
    numbers = np.arange(n)
    segments = Segments(
        state, np.concatenate([rest, held], axis=1), numbers, np.full(n, 30), steps=10 * decisions, every=10
    )
    replayed = WORLD.simulate(env.parameters, segments).regular
    assert np.array_equal(np.stack(seen, axis=1), replayed)


def test_episode_does_not_depend_on_the_size_of_the_batch():
    """Episode 3 is the same bytes alone and among eight others."""
    rng = np.random.default_rng(1)
    actions = rng.uniform(-3, 3, (20, 2))
    said = []
    for n in (1, 9):
        env = WORLD.make(n, task=short(), randomization=NOISY, seed=2, autoreset="disabled")
        numbers = np.arange(n) + 3
        parts = [env.reset(options={"episodes": numbers})[0][0]]
        parts += [env.step(np.tile(a, (n, 1)))[0][0] for a in actions]
        said.append(np.stack(parts))
    assert said[0].tobytes() == said[1].tobytes()


def test_given_parameters_are_used_and_reported():
    """`reset(options={"parameters": rows})` sets what is simulated, and infos say it."""
    env = WORLD.make(2, task=short(), seed=0, autoreset="disabled")
    rows = np.stack([WORLD.parameters.default, WORLD.parameters.row({"link2.mass": 1.2})])
    _, infos = env.reset(options={"parameters": rows, "episodes": np.zeros(2, int)})
    assert np.array_equal(infos["parameters"], rows)
    first, *_ = env.step(np.ones((2, 2)))
    assert not np.array_equal(first[0], first[1])


def test_ended_episodes_say_how_they_did():
    """An episode that reaches its time is truncated, with its last observation, return, length and success."""
    env = WORLD.make(3, task=short(0.1), seed=0)
    env.reset()
    for k in range(5):
        _, _, terminated, truncated, infos = env.step(np.zeros((3, 2)))
        assert (truncated == (k == 4)).all()
        assert not terminated.any()
    assert infos["final_info"]["length"].tolist() == [5, 5, 5]
    assert infos["final_info"]["success"].tolist() == [False] * 3
    assert all(o.shape == env.single_observation_space.shape for o in infos["final_obs"])
    assert infos["episode_id"].tolist() == [3, 4, 5]


def test_standing_still_is_a_success_and_hanging_is_not():
    """Success is being good throughout the last `hold` seconds."""
    upright = np.array([[np.pi, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    env = WORLD.make(2, task=replace(short(0.1), hold=0.1), autoreset="disabled")
    env.reset(options={"state": upright})
    for _ in range(5):
        *_, infos = env.step(np.zeros((2, 2)))
    assert infos["final_info"]["success"].tolist() == [True, False]


def test_diverged_episode_ends_and_is_counted():
    """A simulation that blows up is truncated with finite observations and reward, counted, and replaced."""
    env = WORLD.make(2, task=replace(short(), speed_limit=np.inf), seed=0)
    env.reset()
    env.batch.bind("qvel")[0] = 1e9
    observations, rewards, _, truncated, infos = env.step(np.ones((2, 2)))
    assert truncated.tolist() == [True, False]
    assert env.diverged == 1
    assert infos["final_info"]["diverged"].tolist() == [True, False]
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
    for _ in range(3):
        *_, truncated, infos = env.step(np.ones((2, 2)))
        assert not truncated.any()


def test_residual_force_acts_on_episodes():
    """A distribution with a force that no parameter explains moves the episodes as it moves replays."""
    space = residual_space(WORLD, {"joint1": ["sin(joint1/1)"]}, {"joint1": 1.0})
    row = space.row({"force.joint1.sin(joint1/1)": 0.5})
    env = WORLD.make(1, task=short(), randomization=Point(space, row), seed=0, autoreset="disabled")
    env.reset(options={"state": np.array([[0.5, 0.0, 0.0, 0.0]])})
    for _ in range(5):
        env.step(np.zeros((1, 2)))
    world = WORLD.under(Point(space, row))
    segments = Segments(np.array([[0.5, 0, 0, 0.0]]), np.zeros((1, 50, 2)), np.zeros(1, int), np.zeros(1, int), 50, 50)
    assert np.allclose(env.values[0], world.simulate(row[None], segments).regular[0, -1], atol=1e-12)
    without = WORLD.simulate(WORLD.parameters.default[None], segments).regular[0, -1]
    assert not np.allclose(env.values[0], without, atol=1e-3)


def test_vector_wrappers_of_gymnasium_work():
    """Gymnasium's own vector wrapper counts returns and lengths of a batch."""
    env = gym.wrappers.vector.RecordEpisodeStatistics(WORLD.make(3, task=short(0.1), autoreset="next-step"))
    env.reset(seed=0)
    for _ in range(5):
        *_, infos = env.step(np.zeros((3, 2)))
    assert infos["episode"]["l"].tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: e.step(np.full((2, 2), np.nan)), "action 'motor1' is nan in place 0"),
        (lambda e: e.step(np.zeros((3, 2))), r"actions must have shape \(2, 2\)"),
        (lambda e: e.reset(options={"reset_mask": np.zeros(2, bool)}), "at least one True"),
        (lambda e: e.reset(options={"parametres": 1}), "did you mean 'parameters'"),
        (lambda e: e.reset(options={"parameters": np.zeros((2, 16))}), "outside its bounds"),
    ],
)
def test_bad_calls_are_one_sentence(call, says):
    """What is given wrongly is named, with what was expected."""
    env = WORLD.make(2, task=short())
    env.reset(seed=0)
    with pytest.raises(InputError, match=says):
        call(env)


def test_stepping_what_is_over_is_refused():
    """Without autoreset, an ended episode must be reset before the next decision."""
    env = WORLD.make(1, task=short(0.02), autoreset="disabled")
    env.reset()
    env.step(np.zeros((1, 2)))
    with pytest.raises(InputError, match="call reset first"):
        env.step(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("swing-upp", "did you mean 'swing-up'"),
        (replace(short(), decision_dt=0.003), "not a whole number of the world's control steps"),
        (replace(short(), low=(0.0,), high=(1.0,)), "gives limits for 1 actions"),
        (replace(short(), observed=("joint3",)), "unknown channel"),
    ],
)
def test_a_task_that_does_not_fit_its_world_is_refused(task, says):
    """A wrong task is named before anything is simulated."""
    with pytest.raises(InputError, match=says):
        WORLD.make(2, task=task)


def test_environments_are_gymnasium_vector_environments():
    """The batch is what Gymnasium knows, with its autoreset mode declared."""
    env = WORLD.make(2, task=short())
    assert isinstance(env, gym.vector.VectorEnv)
    assert isinstance(env, Environment)
    assert env.metadata["autoreset_mode"] == gym.vector.AutoresetMode.SAME_STEP
