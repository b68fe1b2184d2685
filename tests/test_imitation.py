"""Experts, demonstrations and what is learned from them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="imitation needs the extra 'learn'")
pytest.importorskip("safetensors", reason="policies need the extra 'learn'")

from simloop.distributions import Product, Uniform
from simloop.errors import DataWarning, InputError
from simloop.learn import get_learner
from simloop.learn.adversarial import Discriminator
from simloop.learn.demonstrations import (
    demonstrations,
    expert_score,
    imitation_pairs,
    read_demonstrations,
    write_demonstrations,
)
from simloop.learn.evaluate import evaluate
from simloop.learn.policy import Policy, stacked_history
from simloop.learn.teacher import PolicyExpert, informed
from simloop.parameters import ParameterSpace
from simloop.worlds import get_world
from simloop.worlds.linear_control import held, regulator
from simloop.worlds.uncertain import uncertain_space

WORLD = get_world("double-pendulum/c1")
TASK = WORLD.task("swing-up")
SHORT = replace(TASK, seconds=0.6)


def noisy(world=WORLD):
    """The randomisation by hand, with noise of one sensor."""
    space = uncertain_space(world, {"noise.joint1": 0.01})
    added = ParameterSpace([p for p in space if p.name == "noise.joint1"])
    return Product(None, [world.distribution("wide"), Uniform(added, [0.001], [0.01])])


@pytest.fixture(scope="module")
def shown():
    """Six demonstrations under the wide randomisation."""
    return demonstrations(WORLD, TASK, WORLD.expert(TASK), 6, noisy(), seed=3)


def test_the_regulator_solves_the_riccati_equation_of_scipy():
    """Doubling gives the gains that SciPy's solver gives, for each machine of a batch."""
    from scipy.linalg import solve_discrete_are

    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 0.6, (5, 4, 4)), rng.normal(0, 1, (5, 4, 2))
    q, r = np.diag([1.0, 2.0, 0.5, 0.1]), np.diag([0.3, 2.0])
    for x, y, gain in zip(a, b, regulator(a, b, q, r), strict=True):
        p = solve_discrete_are(x, y, q, r)
        assert np.allclose(gain, np.linalg.solve(r + y.T @ p @ y, y.T @ p @ x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("late", [0.0, 0.007, 0.02])
def test_late_held_commands_are_discretised_exactly(late):
    """A mass that is pushed late moves as the closed form of two constant pushes says."""
    dt, before, now = 0.02, 3.0, -1.0
    a, b = np.array([[[0.0, 1.0], [0.0, 0.0]]]), np.array([[[0.0], [2.0]]])
    step, effect = held(a, b, np.array([[late]]), dt)
    place, speed, last = step[0] @ [0.5, 0.1, before] + effect[0, :, 0] * now
    first = 0.1 + 2 * before * late
    assert speed == pytest.approx(first + 2 * now * (dt - late))
    passed = 0.5 + 0.1 * late + before * late**2 + first * (dt - late) + now * (dt - late) ** 2
    assert place == pytest.approx(passed)
    assert last == now


@pytest.mark.parametrize(
    ("name", "episodes"), [("double-pendulum/c1", 60), ("double-pendulum/a0", 60), ("qube", 60), ("drawer", 12)]
)
def test_experts_can_do_their_task_by_default(name, episodes):
    """Each world's expert succeeds in at least 95 % of the episodes with default parameters."""
    world = get_world(name)
    assert expert_score(world, world.task(), world.expert(), episodes=episodes, seed=1).success_rate >= 0.95


@pytest.mark.parametrize(("name", "episodes"), [("double-pendulum/c1", 100), ("drawer", 12)])
def test_an_expert_knows_the_parameters(name, episodes):
    """It succeeds in at least 90 % of the episodes under the wide randomisation."""
    world = get_world(name)
    wide = world.distribution("wide")
    assert expert_score(world, world.task(), world.expert(), wide, episodes=episodes, seed=1).success_rate >= 0.9


def test_an_expert_says_the_same_of_an_episode_in_any_batch():
    """What an expert does depends on the episode alone, not on who is beside it or on whom it saw before."""
    expert = WORLD.expert(TASK)
    many = demonstrations(WORLD, SHORT, expert, 5, noisy(), seed=3)
    few = demonstrations(WORLD, SHORT, expert, 2, noisy(), seed=3)
    assert np.allclose(few.actions, many.take([0, 1]).actions, rtol=0, atol=1e-9)


def test_worlds_without_an_expert_say_so():
    """A task that no expert can do is one sentence."""
    with pytest.raises(InputError, match="no expert for task 'swing-up-acrobot'"):
        WORLD.expert("swing-up-acrobot")


def test_demonstrations_are_recordings(shown, tmp_path):
    """What is written as logs is read back by the reader of logs, number by number."""
    write_demonstrations(shown, tmp_path / "demos")
    back = read_demonstrations(tmp_path / "demos", WORLD)
    assert len(back) == 6
    assert [c.name for c in back.channels] == [c.name for c in WORLD.channels]
    assert np.array_equal(back.values, shown.values)
    assert np.array_equal(back.actions, shown.actions)


def test_pairs_are_what_a_policy_would_have_seen_and_done(shown):
    """Replaying the demonstrated actions in the same episodes shows the observations that were made of the logs."""
    pairs = imitation_pairs(WORLD, TASK, shown)
    environment = WORLD.make(6, task=TASK, randomization=noisy(), seed=3, autoreset="disabled")
    observations, _ = environment.reset()
    for k in range(40):
        at = [np.flatnonzero(pairs.episode == e)[k] for e in range(6)]
        assert np.allclose(pairs.seen[at], observations, atol=1e-5)
        observations, *_ = environment.step(pairs.done[at] * np.array(TASK.high))


def test_actions_beyond_the_limits_are_told(shown):
    """Demonstrations that do more than the task allows are clipped with a warning."""
    weaker = replace(TASK, low=(-1.0, -1.0), high=(1.0, 1.0))
    with pytest.warns(DataWarning, match="beyond the limits"):
        pairs = imitation_pairs(WORLD, weaker, shown)
    assert np.abs(pairs.done).max() == 1.0


def test_a_policy_remembers_what_it_was_trained_to_see():
    """A policy's own history, one decision at a time, is what training stacks of whole episodes, also after a reset."""
    rng = np.random.default_rng(0)
    length, seen, actions = 3, 2, 1
    width = seen * (length + 1) + actions * length
    # the network hands on one number of what it sees: its answers show its inputs
    for j in range(width):
        weight = np.zeros((1, width), np.float32)
        weight[0, j] = 0.1
        policy = Policy({"layers.0.weight": weight, "layers.0.bias": np.zeros(1, np.float32)}, "relu", "clip",
                        np.zeros(seen), np.ones(seen), np.array([-2.0]), np.array([2.0]), history=length)  # fmt: skip
        observed = rng.uniform(-1, 1, (2, 2, 7, seen))  # two lives of two places
        told = rng.uniform(-2, 2, (2, 2, 7, actions))
        for life in range(2):
            policy.begin(np.ones(2, dtype=bool))
            said = np.zeros((2, 7, 1))
            for k in range(7):
                said[:, k] = policy(observed[life, :, k])
                policy.took(told[life, :, k])
            inputs = stacked_history(observed[life].astype(np.float32), policy.fraction(told[life]), length)
            assert np.allclose(said[..., 0], 0.2 * inputs[..., j], atol=1e-6)


def test_a_policy_with_a_history_is_kept(tmp_path):
    """Its length is saved and read back."""
    weights = {"layers.0.weight": np.ones((1, 5), np.float32), "layers.0.bias": np.zeros(1, np.float32)}
    one = np.ones(1)
    Policy(weights, "relu", "clip", 0 * one, one, -one, one, history=2).save(tmp_path)
    assert Policy.load(tmp_path).history == 2


def test_cloning_finds_a_linear_law(tmp_path, shown):
    """Where what was done is a function of what is seen, cloning finds it, and says how near it came."""
    law = 0.4 * np.sin(shown.values[:, :2])
    actions = replace(shown, actions=law * np.array(TASK.high))
    write_demonstrations(actions, tmp_path / "demos")
    learner = get_learner("bc", {"demonstrations": str(tmp_path / "demos")})
    trained = learner.train(WORLD, TASK, noisy(), steps=60_000, seed=1)
    assert trained.history[-1]["held_out_loss"] < 1e-3
    other = demonstrations(WORLD, TASK, WORLD.expert(TASK), 3, noisy(), seed=8).values
    error = trained.policy(TASK.observe(other)) / TASK.high[0] - 0.4 * np.sin(other[:, :2])
    assert np.sqrt((error**2).mean()) < 0.03


def _options(name, folder):
    return {"bc": {"demonstrations": str(folder / "demos")}, "dagger": {"envs": 4, "mixing": 0.5},
            "distill": {"envs": 4, "history": 3, "teacher": str(folder / "teacher")},
            "gail": {"demonstrations": str(folder / "demos"), "envs": 4, "chunk": 32, "horizon": 16, "batch": 32,
                     "epochs": 1}}[name]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "steps"), [("bc", 10 * 1500), ("dagger", 3 * 120), ("distill", 3 * 120), ("gail", 4 * 32 * 4)]
)
def test_interrupted_imitation_goes_on_to_the_same_bytes(name, steps, shown, tmp_path):
    """A training that was cut off and started again gives the very policy of one that was not."""
    write_demonstrations(shown, tmp_path / "demos")
    _teacher().save(tmp_path / "teacher")
    learner = get_learner(name, _options(name, tmp_path))
    world, task = WORLD, TASK if name == "bc" else SHORT
    whole = learner.train(world, task, noisy(), steps=steps, seed=1, folder=tmp_path / "a")

    def cut(_message, fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learner.train(world, task, noisy(), steps=steps, seed=1, folder=tmp_path / "b", progress=cut)
    again = learner.train(world, task, noisy(), steps=steps, seed=1, folder=tmp_path / "b")
    assert all(np.array_equal(again.policy.weights[k], v) for k, v in whole.policy.weights.items())
    assert [h["return"] for h in again.history] == [h["return"] for h in whole.history]


def _teacher():
    """An untrained privileged policy."""
    pytest.importorskip("stable_baselines3", reason="PPO needs the extra 'learn'")
    learner = get_learner("ppo", {"privileged": True, "envs": 4, "horizon": 16, "batch": 32, "epochs": 1})
    return learner.train(WORLD, SHORT, noisy(), steps=64, seed=0).policy


def test_a_privileged_policy_sees_its_parameters():
    """What a teacher does is its network's answer to what is sensed and to the parameters."""
    teacher, space = _teacher(), noisy().space
    assert len(teacher.mean) == 6 + len(space)
    environment = WORLD.make(3, task=SHORT, randomization=noisy(), seed=4)
    environment.reset()
    seen = informed(environment.observations, environment.parameters, space)
    assert np.array_equal(PolicyExpert(teacher)(environment), teacher(seen))
    assert np.allclose(informed(np.zeros((1, 0)), space.default[None], space), 0)
    with pytest.raises(InputError, match="other parameters"):
        PolicyExpert(teacher)(WORLD.make(3, task=SHORT, seed=4))


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("bc", {}, "give its option 'demonstrations'"),
        ("gail", {}, "give its option 'demonstrations'"),
        ("distill", {}, "give its option 'teacher'"),
        ("bc", {"demonstrations": "nowhere"}, "no such file or folder"),
        ("distill", {"teacher": "nowhere"}, "no policy here"),
    ],
)
def test_what_is_missing_is_one_sentence(name, options, says):
    """A learner that lacks whom to learn from says which option names it."""
    with pytest.raises(InputError, match=says):
        get_learner(name, options).train(WORLD, TASK, WORLD.distribution("default"), steps=10)


def test_cloning_learns_from_real_recordings(real):
    """The files of the real double pendulum are demonstrations like any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # jumps in time, and torques beyond the task's limits
        learner = get_learner("bc", {"demonstrations": "double-pendulum/design-c1/train", "history": 2})
        trained = learner.train(WORLD, TASK, WORLD.distribution("default"), steps=60_000, seed=0)
    held_out = [h["held_out_loss"] for h in trained.history]
    assert min(held_out) < 0.8 * held_out[0]


def test_a_discriminator_tells_demonstrations_from_a_policy():
    """It learns to reward what was demonstrated more than what was not."""
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, (2000, 2)).astype(np.float32)
    judge = Discriminator(seen, 0.8 * seen[:, :1], (32,), 1e-2, 4, 0.1, seed=0)
    for _ in range(600):
        at = rng.integers(2000, size=256)
        judge(seen[at], -0.8 * seen[at, :1], None)
    as_shown, otherwise = judge(seen, 0.8 * seen[:, :1], None), judge(seen, -0.8 * seen[:, :1], None)
    assert as_shown.mean() > 2 * otherwise.mean()


@pytest.mark.slow
def test_dagger_does_as_well_as_the_expert():
    """Under the wide randomisation DAgger reaches at least .9 of the expert's return, and is not shown parameters."""
    wide = noisy()
    expert = expert_score(WORLD, TASK, WORLD.expert(TASK), wide, episodes=100, seed=5)
    trained = get_learner("dagger").train(WORLD, TASK, wide, steps=100_000, seed=0)
    assert evaluate(WORLD, TASK, trained.policy, wide, episodes=100, seed=5).mean_return >= 0.9 * expert.mean_return
