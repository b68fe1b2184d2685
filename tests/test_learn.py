"""Learners: what they make is a policy that needs them no more, and an interruption changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from simloop import get_world
from simloop.errors import InputError
from simloop.learn import LEARNERS, Policy, begin, get_learner
from simloop.learn.evaluate import evaluate
from simloop.learn.randomisation import randomisation
from simloop.learn.sb3 import BaselinesEnvironment
from simloop.learn.state import keep_state, kept_state

WORLD = get_world("double-pendulum")
TASK = replace(WORLD.task("swing-up"), seconds=0.4)
TINY = {
    "ppo": {"envs": 4, "chunk": 32, "horizon": 16, "batch": 32, "epochs": 2, "hidden": [8]},
    "recurrent-ppo": {"envs": 4, "chunk": 32, "horizon": 16, "batch": 32, "epochs": 2, "hidden": [8], "memory": 8},
    "sac": {"envs": 4, "chunk": 32, "updates": 1, "batch": 16, "warmup": 40, "buffer": 200, "hidden": [8]},
}


def trained(name: str, chunks: int, **more):
    learner = get_learner(name, TINY[name])
    return learner.train(WORLD, TASK, randomisation(WORLD, TASK, "wide"), steps=4 * 32 * chunks, seed=3, **more)


@pytest.mark.parametrize("name", TINY)
def test_an_interrupted_training_goes_on_to_the_same_bytes(name, tmp_path):
    """Stopping after a chunk and giving the same command again ends with the same weights."""
    whole, said = trained(name, 3).policy, []

    def stop(message, done):
        said.append(message)
        if len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(name, 3, folder=tmp_path, progress=stop)
    resumed = trained(name, 3, folder=tmp_path).policy
    assert whole.weights.keys() == resumed.weights.keys()
    assert all(np.array_equal(whole.weights[k], resumed.weights[k]) for k in whole.weights)
    assert np.array_equal(whole.mean, resumed.mean)


@pytest.mark.parametrize("name", TINY)
def test_a_policy_acts_as_the_network_it_was_made_of(name, tmp_path):
    """The policy on disk gives the actions of Stable-Baselines3's deterministic policy, to single precision."""
    from stable_baselines3.common.vec_env import VecNormalize

    learner = get_learner(name, TINY[name])
    envs = VecNormalize(BaselinesEnvironment(WORLD.make(4, task=TASK, seed=0)), norm_obs=learner.scaled)
    model = learner.model(envs, 0)
    observations = envs.reset()
    weights, activation, squash = learner.weights(model)
    raw = envs.get_original_obs()
    mean = envs.obs_rms.mean if learner.scaled else np.zeros(6)
    scale = np.sqrt(envs.obs_rms.var + envs.epsilon) if learner.scaled else np.ones(6)
    policy = Policy(weights, activation, squash, mean, scale, np.full(2, -1.0), np.full(2, 1.0))
    policy.save(tmp_path)
    again = Policy.load(tmp_path)
    state, starts = None, np.ones(4, bool)
    begin(again, starts)
    for _ in range(3):
        expected, state = model.predict(observations, state=state, episode_start=starts, deterministic=True)
        assert np.allclose(again(raw), expected, atol=2e-5)
        starts = np.zeros(4, bool)


def test_a_policy_does_not_depend_on_how_many_it_is_asked_about():
    """One row alone and the same row among 200 others: the same bytes."""
    policy = trained("ppo", 1).policy
    x = np.random.default_rng(0).normal(size=(200, 6))
    many = policy(x)
    assert all(np.array_equal(policy(x[i]), many[i]) for i in (0, 63, 64, 199))


def test_a_policy_on_disk_holds_no_pickle(tmp_path):
    """What is read back is safetensors and JSON alone."""
    trained("ppo", 1, folder=tmp_path / "training").policy.save(tmp_path)
    files = {p.name.split("-")[0].split(".")[0] + p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"weights.safetensors", "policy.json", "training.safetensors", "training.json"}
    record = json.loads((tmp_path / "policy" / "policy.json").read_text())
    assert record["world"] == "double-pendulum/c1"
    assert record["task"] == "swing-up"


def test_damage_is_named(tmp_path):
    """A damaged policy or training state is one sentence that says what to do."""
    trained("ppo", 1, folder=tmp_path / "training").policy.save(tmp_path)
    file = next((tmp_path / "training").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(InputError, match="damaged training state"):
        trained("ppo", 2, folder=tmp_path / "training")
    weights = tmp_path / "policy" / "weights.safetensors"
    weights.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="damaged policy"):
        Policy.load(tmp_path)
    with pytest.raises(InputError, match="no policy here"):
        Policy.load(tmp_path / "training")


def test_state_of_other_networks_is_refused(tmp_path):
    """A training state cannot be put into a network of another shape."""
    trained("ppo", 1, folder=tmp_path)
    other = get_learner("ppo", {**TINY["ppo"], "hidden": [16]})
    with pytest.raises(InputError, match="another network"):
        other.train(WORLD, TASK, WORLD.distribution("default"), steps=256, seed=3, folder=tmp_path)


def test_state_is_kept_whole(tmp_path):
    """Arrays and record come back as they were, and an older state is gone."""
    keep_state(tmp_path, {"a": np.arange(3), "b": np.array(2.5)}, {"chunk": 1})
    keep_state(tmp_path, {"a": np.arange(4), "b": np.array(1.5)}, {"chunk": 2})
    arrays, record = kept_state(tmp_path)
    assert arrays["a"].tolist() == [0, 1, 2, 3]
    assert arrays["b"].shape == ()
    assert record == {"chunk": 2}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_warm_start_begins_where_the_other_training_ended(tmp_path):
    """`begin_from` takes over the whole network: without a further decision the policy is the same."""
    first = trained("ppo", 2, folder=tmp_path).policy
    learner = get_learner("ppo", {**TINY["ppo"], "learning_rate": 1e-12})
    again = learner.train(WORLD, TASK, WORLD.distribution("default"), steps=128, seed=9, begin_from=tmp_path).policy
    assert all(np.allclose(first.weights[k], again.weights[k], atol=1e-6) for k in first.weights)
    with pytest.raises(InputError, match="no training to begin from"):
        learner.train(WORLD, TASK, WORLD.distribution("default"), steps=128, begin_from=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("pop", {}, "unknown learner 'pop'"),
        ("ppo", {"learning_rat": 1}, "did you mean 'learning_rate'"),
        ("ppo", {"envs": 0}, "expected a whole number above 0"),
    ],
)
def test_bad_learners_are_one_sentence(name, options, says):
    """Wrong names and values of learners and options are answered with what was expected."""
    with pytest.raises(InputError, match=says):
        get_learner(name, options)


def test_the_same_episode_is_scored_the_same_in_any_batch():
    """An episode's score does not depend on how many are scored."""
    policy = trained("ppo", 1).policy
    wide = randomisation(WORLD, TASK, "wide")
    few = evaluate(WORLD, TASK, policy, wide, episodes=5, seed=1)
    many = evaluate(WORLD, TASK, policy, wide, episodes=300, seed=1)
    assert np.array_equal(few.returns, many.returns[:5])
    assert np.array_equal(few.parameters, many.parameters[:5])


def test_help_names_every_learner():
    """The command line, which may not import learners to show its help, lists all of them."""
    from simloop.cli import _LEARNERS

    assert set(_LEARNERS) == set(LEARNERS)


@pytest.mark.slow
def test_ppo_swings_the_double_pendulum_up():
    """With both motors, PPO's default training succeeds in at least 95 % of 200 episodes."""
    task = WORLD.task("swing-up")
    policy = get_learner("ppo").train(WORLD, task, randomisation(WORLD, task, "wide"), steps=1_500_000, seed=0).policy
    assert evaluate(WORLD, task, policy, episodes=200, seed=1).success_rate >= 0.95
