"""The loop with policies: it never reads what it must not, goes on where it stopped, and names what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("pybullet")

from simloop import get_world
from simloop.adapt.acted import ActedComparison
from simloop.errors import InputError
from simloop.learn import Policy
from simloop.policy_loop import PolicyLoopFile, run_policy_loop
from simloop.runs import Run
from simloop.targets import live_target
from simloop.worlds.drawer import expert_actions

TINY = """
world: drawer
target: "standin:drawer#0"
learn:
  learner: ppo
  options: {envs: 8, chunk: 64, horizon: 16, batch: 64, epochs: 1, hidden: [8]}
  steps: 512
  again: 128
adapt: {method: simopt, options: {iterations: 2, samples: 6}}
start: prior
iterations: 1
rollouts: 2
arms: [wide]
episodes: 2
"""


def loop_file(tmp_path: Path, text: str = TINY) -> PolicyLoopFile:
    path = tmp_path / "loop.yaml"
    path.write_text(text)
    return PolicyLoopFile.read(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    return folder / "run", run_policy_loop(loop_file(folder), folder / "run")


def test_the_loop_moves_the_distribution_and_scores_every_policy(finished):
    """One iteration trains, acts, adapts and trains again; the arm that saw nothing stands beside it."""
    _, result = finished
    stages = result["stages"]
    assert stages["distribution-0"] != stages["distribution-1"]
    assert stages["train-iteration-0"]["steps"] == 512
    assert stages["train-iteration-1"]["steps"] == 128
    assert stages["train-arm-wide"]["steps"] == 640
    assert stages["acted-iteration-0"] == {"seconds": 8.0, "rollouts": 2, "success": 0.0}
    for name in ("iteration-0", "iteration-1", "arm-wide"):
        assert stages[f"score-{name}"]["real"]["episodes"] == 2
    assert stages["target"]["provenance"] == "another engine"


def test_an_interrupted_loop_goes_on_to_the_same_bytes(finished, tmp_path):
    """Stopped in the middle, the same command ends with the same stages, and does nothing twice."""
    folder, result = finished
    other = tmp_path / "run"

    def stop_at(message, _done):
        if message.startswith("simopt: iteration 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_policy_loop(loop_file(tmp_path), other, progress=stop_at)
    before = {p.name: p.stat().st_mtime_ns for p in (other / "stages").iterdir()}
    again = run_policy_loop(loop_file(tmp_path), other)
    assert all((other / "stages" / name).stat().st_mtime_ns == then for name, then in before.items())
    assert again["stages"]["distribution-1"] == result["stages"]["distribution-1"]
    assert again["stages"]["score-iteration-1"] == result["stages"]["score-iteration-1"]
    a, b = (Policy.load(f / "iteration-1") for f in (folder, other))
    assert all(np.array_equal(a.weights[k], b.weights[k]) for k in a.weights)


def test_nothing_of_the_run_says_what_the_stand_in_hides(finished):
    """Hidden values are in no file of the run."""
    folder, _ = finished
    with live_target("standin:drawer#0", get_world("drawer")) as live:
        hidden = [v for v in live.reveal().values() if abs(v) > 1e-3 and v != round(v, 2)]
    text = "".join(p.read_text() for p in folder.rglob("*.json"))
    assert len(hidden) > 10
    assert not [v for v in hidden if repr(v) in text]


def test_another_loop_in_the_same_folder_is_refused(finished, tmp_path):
    """A run of another configuration is not overwritten; the sentence says what differs."""
    folder, _ = finished
    with pytest.raises(InputError, match="another configuration"):
        run_policy_loop(loop_file(tmp_path, TINY.replace("samples: 6", "samples: 7")), folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("iterations: 1\n", "iteration: 1\n"), "line 11: unknown key 'iteration' .did you mean 'iterations'"),
        (("learner: ppo", "learner: pop"), "unknown learner 'pop'"),
        (("method: simopt", "method: simop"), "did you mean 'simopt'"),
        (("samples: 6", "sample: 6"), "did you mean 'samples'"),
        (("rollouts: 2", "rollouts: 0"), "rollouts: expected at least 1"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, change, says):
    """A loop file with an unknown field or name says where, and what may have been meant."""
    with pytest.raises(InputError, match=says):
        loop_file(tmp_path, TINY.replace(*change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("standin:drawer#0", "standin:qube"), "is not a stand-in of this world"),
        (("start: prior", "start: wide"), "starts from a Gaussian"),
        (("world: drawer", "world: cube-toss"), "has no task"),
    ],
)
def test_a_loop_that_cannot_be_is_refused(tmp_path, change, says):
    """What does not fit together is said before anything is trained, or before it would be needed."""
    with pytest.raises(InputError, match=says):
        run_policy_loop(loop_file(tmp_path, TINY.replace(*change)), tmp_path / "run")


def test_the_true_place_explains_what_an_expert_did():
    """Acted again under the right place of the cabinet, a policy's rollout is nearer the real one than elsewhere."""
    world = get_world("drawer")
    task = world.task()
    with live_target("standin:drawer#0", world) as live:
        place = dict(live.reveal())
        truth = world.parameters.row(
            {f"cabinet.{axis}": place[f"place.{k}"] for k, axis in enumerate("xyz")} | {"cabinet.yaw": place["yaw"]}
        )
        commands = expert_actions(world, truth)[::5]

        class Expert:
            """Plays what inverse kinematics planned, one decision after the other."""

            def begin(self, places):
                self.at = 0

            def __call__(self, observation):
                self.at += 1
                return np.tile(commands[min(self.at - 1, len(commands) - 1)], (len(observation), 1))

        rollouts = live.rollout(Expert(), 2, seed=0)
    assert rollouts.success.all()

    class Late(Expert):
        """The same from where comparisons begin: 0.2 s in."""

        def begin(self, places):
            self.at = 4

    comparison = ActedComparison(world, task, [(Late(), rollouts)])
    rows = np.stack([truth, world.parameters.default])
    cost = comparison.discrepancy(rows, comparison.cut(4.0))
    assert cost[0] < 0.1 * cost[1]
    assert comparison.rollouts == 4


def test_the_example_files_are_read():
    """The loop files of the examples are valid."""
    for name in ("drawer", "qube_swing_up", "peg"):
        file = PolicyLoopFile.read(Path(__file__).parents[1] / "examples" / f"{name}.yaml")
        assert json.dumps(file.model_dump())


def test_starting_over_leaves_nothing_of_another_loop(tmp_path):
    """`--resume always` with another configuration removes trainings, policies, rollouts and the film."""
    with Run.open(tmp_path / "run", {"seed": 0}) as run:
        run.stage("train-iteration-0", dict)
        for name in ("iteration-0/training", "arm-wide/policy", "policy"):
            (run.folder / name).mkdir(parents=True)
        (run.folder / "film.mp4").write_bytes(b"a film")
        (run.folder / "mine.txt").write_text("kept")
    with Run.open(tmp_path / "run", {"seed": 1}, resume="always") as run:
        assert run.stages() == []
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["lock", "mine.txt", "run.json", "stages"]
