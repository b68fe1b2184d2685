"""The loop and the command line, end to end on small budgets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop.audit import audit_parameters
from simloop.calibration import Calibration
from simloop.errors import InputError
from simloop.loop import LoopFile, headline, loop_horizons, run_loop
from simloop.policy_loop import PolicyLoopFile
from simloop.report import write_report
from simloop.runs import read_run
from simloop.targets import get_target
from simloop.targets.catalogue import find
from simloop.worlds import World, get_world

LOOP = """
world: double-pendulum/c1
target: {fit: "standin:double-pendulum/c1/fit", test: "standin:double-pendulum/c1/test"}
horizons: [0.2]
draws: 20
adapt:
  - method: simopt
    options: {iterations: 3, samples: 20, windows: 8}
  - method: least-squares
    options: {horizons: [0.2], stride: 2, starts: 1, iterations: 2}
seed: 3
"""
EXAMPLES = Path(__file__).parents[1] / "examples"
KEYS = {"value", "interval", "unit", "parts", "files", "baselines", "windows", "diverged", "versions"}


def simloop(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does."""
    command = [sys.executable, "-m", "simloop.cli", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished loop: (folder of file and run, what `--json` printed)."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "loop.yaml").write_text(LOOP)
    done = simloop("loop", "loop.yaml", "-o", "run", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_loop_prints_one_json_object(finished: tuple[Path, dict[str, Any]]) -> None:
    """The object has the promised fields, the baselines that did nothing, and says that its target is not real."""
    _, printed = finished
    assert printed.keys() >= KEYS
    assert {"persistence", "default", "wide"} <= printed["baselines"].keys()
    assert printed["provenance"] == "same engine, hidden parameters"
    assert "not real ones" in printed["headline"]
    assert [p["channel"] for p in printed["parts"]] == ["joint1", "joint2"]
    assert printed["ratio"] < 1


def test_a_loop_judges_its_distributions(finished: tuple[Path, dict[str, Any]]) -> None:
    """Every arm is scored at its own horizons and two short ones, and each fit has its sentence on coverage."""
    _, printed = finished
    found = Calibration.from_dict(printed["calibration"])
    assert list(found.at) == [0.06, 0.1, 0.2]
    for arms in found.at.values():
        assert arms.keys() == {"default", "wide", "simopt", "simopt, mean", "least-squares", "least-squares, mean"}
    assert [s.split(" ")[0] for s in printed["calibration"]["sentences"]] == ["Simopt", "Least-squares"]
    assert "the stand-in" in printed["calibration"]["sentences"][0]
    assert printed["classifier"]["arms"].keys() == {"default", "wide", "simopt", "least-squares"}
    assert 0 <= printed["classifier"]["arms"]["default"]["value"] <= 1
    assert {"findings", "sentences"} <= printed["mismatch"].keys()


def test_a_loop_proposes_what_to_record(finished: tuple[Path, dict[str, Any]]) -> None:
    """Five recordings are proposed, the most telling first, none with larger actions than the fit's recordings."""
    folder, printed = finished
    stage = read_run(folder / "run")["stages"]["plan"]
    gains = [p["information"] for p in printed["plan"]["proposals"]]
    assert len(gains) == 5
    assert gains == sorted(gains, reverse=True)
    largest = np.abs(stage["signals"]["actions"]).max(axis=(0, 2))
    assert (largest <= [stage["limits"][a] for a in stage["actions"]]).all()


def test_a_loop_over_whole_recordings(tmp_path: Path) -> None:
    """Of a world that is replayed whole a loop measures over recordings, refuses horizons, and still has its report."""
    text = (
        "world: cube-toss\ndraws: 20\ntarget: {fit: 'standin:cube-toss/fit', test: 'standin:cube-toss/test'}\n"
        "adapt: [{method: cem, options: {iterations: 2, samples: 8, windows: 4}}]\n"
    )
    (tmp_path / "loop.yaml").write_text(text)
    result = run_loop(LoopFile.read(tmp_path / "loop.yaml"), tmp_path / "run")
    assert "on average over a recording" in headline(result)
    assert "no actions" in result["stages"]["plan"]["not planned"]
    assert "was replayed whole" in write_report(tmp_path / "run").read_text()
    (tmp_path / "loop.yaml").write_text(text + "horizons: [0.2]\n")
    with pytest.raises(InputError, match="replayed whole, so leave this field out"):
        run_loop(LoopFile.read(tmp_path / "loop.yaml"), tmp_path / "other")


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.yaml")))
def test_examples_are_loop_files(name: str) -> None:
    """Every loop file among the examples can be read, and names a world and recordings that there are."""
    if PolicyLoopFile.describes(EXAMPLES / name):
        policies = PolicyLoopFile.read(EXAMPLES / name)
        assert get_world(policies.world).task(policies.task)
        return
    file = LoopFile.read(EXAMPLES / name)
    world = get_world(file.world)
    assert loop_horizons(file, world)
    assert find(file.target.fit)
    assert find(file.target.test)


def test_a_finished_loop_is_not_computed_again(finished: tuple[Path, dict[str, Any]]) -> None:
    """The same command again changes no stage and prints the same figures."""
    folder, printed = finished
    stages = {p: p.stat().st_mtime_ns for p in (folder / "run" / "stages").iterdir()}
    again = json.loads(simloop("loop", "loop.yaml", "-o", "run", "--json", cwd=folder).stdout)
    assert again == printed
    assert {p: p.stat().st_mtime_ns for p in (folder / "run" / "stages").iterdir()} == stages


def test_a_lost_stage_is_computed_again_to_the_same_bytes(finished: tuple[Path, dict[str, Any]]) -> None:
    """A stage that is missing, with its checkpoint, comes out as it was, but for its wall-clock."""
    folder, _ = finished
    before = read_run(folder / "run")["stages"]
    for name in ("adapt-simopt", "gap-after"):
        (folder / "run" / "stages" / f"{name}.json").unlink()
    (folder / "run" / "checkpoints" / "adapt-simopt.json").unlink()
    run_loop(LoopFile.read(folder / "loop.yaml"), folder / "run")
    after = read_run(folder / "run")["stages"]
    assert after["gap-after"] == before["gap-after"]
    assert after["adapt-simopt"]["distribution"] == before["adapt-simopt"]["distribution"]


def test_the_fit_of_a_run_is_a_distribution_anywhere(finished: tuple[Path, dict[str, Any]]) -> None:
    """`gap --distribution RUN` measures a run's fit beside the baselines, and equals the loop's own figure."""
    folder, printed = finished
    target = "standin:double-pendulum/c1/test"
    done = simloop("gap", "double-pendulum", "--distribution", "run", "--target", target, "--seed", "3",
                   "--draws", "1", "--json", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() >= KEYS
    assert found["value"] == printed["value"]
    assert found["ratio_interval"] == printed["ratio_interval"]


def test_the_report_is_there_and_names_its_path(finished: tuple[Path, dict[str, Any]]) -> None:
    """`simloop report` prints the path of one HTML file."""
    folder, _ = finished
    done = simloop("report", "run", cwd=folder)
    path = folder / done.stdout.strip()
    assert path.name == "report.html"
    assert "<html" in path.read_text()[:200]


def test_headline_is_a_plain_sentence(finished: tuple[Path, dict[str, Any]]) -> None:
    """The headline says how wrong, after how long, adapted and default."""
    folder, _ = finished
    assert headline(read_run(folder / "run")).startswith("On simulated recordings (not real ones) it had never seen,")


def test_adapt_prints_one_json_object(tmp_path: Path) -> None:
    """`adapt --json` has the promised fields, on the files it was fitted on and saying so, and its distribution."""
    options = ["--option", "iterations=2", "--option", "samples=10", "--option", "windows=4"]
    done = simloop("adapt", "double-pendulum", "--target", "standin:double-pendulum/c1", "--method", "simopt",
                   *options, "-o", "fit", "--json", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed.keys() >= KEYS
    assert printed["measured on"] == "the files that it was fitted on"
    assert printed["distribution"]["kind"] == "normal"


def test_without_recordings_a_loop_runs_on_a_stand_in_and_says_so(tmp_path: Path) -> None:
    """With stand_in and no recordings on the machine, the first line says that the target is not real."""
    real = LOOP.replace("standin:double-pendulum/c1/fit", "double-pendulum/design-c1/train")
    real = real.replace("standin:double-pendulum/c1/test", "double-pendulum/design-c1/test")
    (tmp_path / "strict.yaml").write_text(real)
    (tmp_path / "loop.yaml").write_text(real.replace('test"}', 'test", stand_in: true}'))
    (tmp_path / "empty").mkdir()
    done = simloop("loop", "strict.yaml", "-o", "run", cwd=tmp_path, SIMLOOP_DATA=str(tmp_path / "empty"))
    assert done.returncode == 2
    assert "are not on this machine" in done.stderr
    done = simloop("loop", "loop.yaml", "-o", "run", cwd=tmp_path, SIMLOOP_DATA=str(tmp_path / "empty"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("target: NOT REAL: a stand-in")
    assert "NOT REAL" in (tmp_path / "run" / "report.html").read_text()


def test_the_double_pendulum_passes_its_audit(c1: World) -> None:
    """Every parameter of the double pendulum does something, and inertia against armature cannot be told apart."""
    found = audit_parameters(c1, get_target("standin:double-pendulum/c1", c1), count=12)
    assert found.passed
    assert ("link1.inertia", "joint1.armature") in [(a, b) for a, b, _ in found.alike]


def test_a_parameter_without_effect_fails_the_audit(tmp_path: Path) -> None:
    """The mass of a body that hangs on nothing observed is found to have no effect, and the command exits with 1."""
    (tmp_path / "two.xml").write_text(
        '<mujoco><option timestep="0.002"><flag contact="disable"/></option><worldbody>'
        '<body name="seen"><joint name="a" axis="0 1 0"/><geom type="sphere" size=".05" pos="0 0 -.3" mass="1"/></body>'
        '<body name="fixed" pos="1 0 0"><geom type="sphere" size=".05" mass="1"/></body></worldbody>'
        '<actuator><motor name="m" joint="a"/></actuator></mujoco>'
    )
    (tmp_path / "two.yaml").write_text(
        "world: two\nmodel: two.xml\nparameters:\n"
        "  body.seen.mass: {factor: [0.5, 2]}\n  body.fixed.mass: {factor: [0.5, 2]}\n"
    )
    world = get_world(str(tmp_path / "two.yaml"))
    assert audit_parameters(world, get_target("standin:two", world), count=8).dead == ["body.fixed.mass"]
    done = simloop("audit", "two.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED: body.fixed.mass: no effect on anything observed" in done.stdout


def test_listing_commands_work_without_recordings(tmp_path: Path) -> None:
    """`worlds` and `targets` list what there is, also as JSON, and say what is not on this machine."""
    assert "double-pendulum/a0" in simloop("worlds", cwd=tmp_path).stdout
    listed = json.loads(simloop("targets", "--json", cwd=tmp_path, SIMLOOP_DATA=str(tmp_path)).stdout)
    assert listed["double-pendulum/design-c1/test"]["here"] is False
    assert "link1.mass" in json.dumps(json.loads(simloop("worlds", "--json", cwd=tmp_path).stdout))


def test_an_edited_model_is_another_run(tmp_path: Path) -> None:
    """After the model's file was edited, the same command refuses the old run instead of returning its stale fit."""
    model = (
        '<mujoco><option timestep="0.002"/><worldbody><body name="b"><joint name="a" axis="0 1 0"/>'
        '<geom type="sphere" size=".05" pos="0 0 -{length}" mass="1"/></body></worldbody>'
        '<actuator><motor name="m" joint="a"/></actuator></mujoco>'
    )
    (tmp_path / "arm.yaml").write_text("world: arm\nmodel: arm.xml\nparameters:\n  body.b.mass: {factor: [0.5, 2]}\n")
    (tmp_path / "arm.xml").write_text(model.format(length="0.3"))
    command = ["adapt", "arm.yaml", "--target", "standin:arm", "--method", "simopt", "-o", "run"]
    command += ["--option", "iterations=1", "--option", "samples=6", "--option", "windows=4"]
    assert simloop(*command, cwd=tmp_path).returncode == 0
    (tmp_path / "arm.xml").write_text(model.format(length="0.4"))
    done = simloop(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "holds a run of another configuration" in done.stderr


def test_a_copy_of_a_recording_is_no_test(tmp_path: Path) -> None:
    """A recording to test on that is a copy of one to fit on is refused, whatever its name."""
    target = get_target("standin:double-pendulum/c1", get_world("double-pendulum"))
    target.recordings.save(tmp_path / "one.npz")
    target.recordings.save(tmp_path / "two.npz")
    (tmp_path / "loop.yaml").write_text("world: double-pendulum\ntarget: {fit: ./one.npz, test: ./two.npz}\n")
    done = simloop("loop", "loop.yaml", "-o", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "a test must not see the fit's data" in done.stderr
