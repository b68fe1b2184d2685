"""The report of a loop with policies and of a training: all of it on one page, and a stand-in never taken for real."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from simloop import cli, get_world
from simloop.distributions import Normal, Point
from simloop.errors import InputError
from simloop.policy_loop import PolicyLoopFile
from simloop.policy_rollouts import beside_simulated
from simloop.report import opening, video, write_report
from simloop.report.learned import Learned, Scored
from simloop.targets.rollouts import Rollouts
from simloop.trajectories import TrajectorySet
from simloop.verbs_policies import PolicyLoopResult, run_policy_loop_file, train_into, training_of
from test_report import Page

TINY = """
world: double-pendulum
task: swing-up
target: "standin:double-pendulum@mujoco#3"
learn:
  learner: ppo
  options: {envs: 4, chunk: 160, horizon: 16, batch: 64, epochs: 1, hidden: [8]}
  steps: 1920
  again: 1280
adapt: {method: simopt, options: {iterations: 2, samples: 8, windows: 8}}
iterations: 1
rollouts: 2
arms: [none, wide]
episodes: 2
"""
SECTIONS = ["summary", "iterations", "rollouts", "moved", "film", "learning", "convergence", "speed", "reproduce"]


@pytest.fixture(scope="module")
def undrawn() -> Any:
    """No film is drawn in these tests, as on a machine without OpenGL."""

    def nothing(*_: Any, **__: Any) -> None:
        raise InputError("nothing can be drawn here (no OpenGL)")

    patch = pytest.MonkeyPatch()
    patch.setattr(video, "write_video", nothing)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, undrawn: None) -> PolicyLoopResult:
    """A real loop with few steps."""
    folder = tmp_path_factory.mktemp("policies")
    (folder / "loop.yaml").write_text(TINY)
    return run_policy_loop_file(folder / "loop.yaml", folder / "run", resume="if-match", quiet=True)


@pytest.fixture
def folder(finished: PolicyLoopResult, tmp_path: Path, undrawn: None) -> Path:
    """A copy of the finished run, to be changed."""
    copied = tmp_path / "run"
    shutil.copytree(finished.report.parent, copied)
    (copied / "report.html").unlink()
    return copied


def changed(folder: Path, stage: str, **changes: Any) -> None:
    """Change a stage's record."""
    file = folder / "stages" / f"{stage}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def a_score(success: float, episodes: int) -> dict[str, Any]:
    low, high = Scored.from_dict(
        {"episodes": episodes, "success": success, "return": 1.0, "return_interval": [0.9, 1.1], "diverged": 0,
         "success_interval": wilson(round(success * episodes), episodes)}
    ).success_interval  # fmt: skip
    return {"episodes": episodes, "success": success, "success_interval": [low, high], "return": 1.0,
            "return_interval": [0.9, 1.1], "diverged": 0, "seconds of acting": 6.0 * episodes}  # fmt: skip


def wilson(successes: int, n: int) -> list[float]:
    """Wilson's interval, from its formula."""
    z, p = 1.959963984540054, successes / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return [float((middle - half) / (1 + z**2 / n)), float((middle + half) / (1 + z**2 / n))]


def with_scores(folder: Path, **success: float) -> None:
    """Give policies these rates of success in 100 episodes on the target."""
    for name, rate in success.items():
        changed(folder, f"score-{name.replace('_', '-')}", real=a_score(rate, 100))


def text_of(folder: Path) -> str:
    return Page(write_report(folder).read_text(encoding="utf-8")).text


def test_the_page_holds_every_section_and_needs_nothing_from_elsewhere(finished: PolicyLoopResult) -> None:
    """One file with all sections in order, and no link, script or path of this machine."""
    html = finished.report.read_text(encoding="utf-8")
    page = Page(html)
    assert [a["id"] for tag, a in page.tags if tag == "section"] == SECTIONS
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")]
    assert "http" not in html.replace("http://www.w3.org", "")
    assert str(finished.report.parent.parent) not in html


def test_every_figure_says_what_its_target_was(finished: PolicyLoopResult) -> None:
    """Each caption and each table of target numbers names the stand-in, or says that there was no target."""
    html = finished.report.read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption>.*?</figcaption>", html, re.DOTALL)
    assert len(captions) == 6  # scores, rollouts, randomisation, two learning curves, the search
    assert all("NOT REAL, same engine, hidden parameters" in c or "No target: NOT REAL" in c for c in captions)
    assert html.count('class="banner"') == 1
    assert "This run's target is a stand-in (same engine, hidden parameters), not a real machine." in Page(html).text


def test_the_headline_says_success_acting_and_arms(folder: Path) -> None:
    """Iterations, rollouts, seconds, success with its interval, what the target is, and the arms, in one sentence."""
    with_scores(folder, iteration_0=0.30, iteration_1=0.94, arm_none=0.12, arm_wide=0.55)
    assert (
        "After 1 iteration with 2 rollouts each (12 s on the target) the policy does its task (swing both links up and"
        " keep them upright, both motors) in 94 % [88, 97] of 100 episodes on standin:double-pendulum/c1@mujoco#3,"
        " NOT REAL (same engine, hidden parameters); trained as long without the target 12 %, under wide ranges 55 %."
    ) in text_of(folder)


def test_better_worse_and_not_told_apart_are_told_apart(folder: Path) -> None:
    """An arm that is beaten, one that wins and one that is alike each get their word, and so has the start."""
    with_scores(folder, iteration_0=0.30, iteration_1=0.80, arm_none=0.12, arm_wide=0.98)
    text = text_of(folder)
    assert "It does better than the policy trained without the target: +68 points" in text
    assert "It does worse than the policy trained under wide ranges: −18 points" in text
    assert "On the target it succeeds more often than the policy before the loop, 30 % [22, 40]" in text
    with_scores(folder, arm_wide=0.82)
    assert "It cannot be told apart from the policy trained under wide ranges: −2 points" in text_of(folder)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062)],
)
def test_differences_have_the_published_intervals(
    a: tuple[int, int], b: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe's own examples (1998, Table II, method 10) come out to four digits."""
    scored = [Scored(n, k / n, tuple(wilson(k, n)), 0.0, (0.0, 0.0), 0) for k, n in (a, b)]  # type: ignore[arg-type]
    assert opening.difference_interval(*scored) == pytest.approx((low, high), abs=6e-5)


def test_a_real_machine_is_called_so(folder: Path) -> None:
    """On a real machine no banner stands there, and only what was simulated alone is called not real."""
    changed(folder, "target", name="bench", provenance="real machine", description="a pendulum on a bench")
    html = write_report(folder).read_text(encoding="utf-8")
    assert 'class="banner"' not in html
    assert "A real machine: a pendulum on a bench" in html
    assert "Target: real machine, bench, episodes that no fit has seen" in html
    said = [m.end() for m in re.finditer("NOT REAL", html)]
    assert said
    assert all(html[:at].endswith("No target: NOT REAL") for at in said)


def test_the_same_run_gives_the_same_bytes(finished: PolicyLoopResult, folder: Path) -> None:
    """Written again from another folder of the same name, the page does not change."""
    assert write_report(folder).read_bytes() == finished.report.read_bytes()


def test_the_parameter_that_moved_most_stands_first(folder: Path) -> None:
    """Panels and table are in the order of how far the distribution went."""
    world = get_world("double-pendulum")
    start = Learned.read(folder).trainees[0].distribution
    assert isinstance(start, Normal)
    z, j = world.parameters.to_scale(start.mean), world.parameters.index("link2.mass")
    z[j] += 2.5 * start.spread[j]
    moved = Normal(world.parameters, world.parameters.from_scale(z), start.covariance)
    (folder / "stages" / "distribution-1.json").write_text(json.dumps(moved.to_dict()))
    html = write_report(folder).read_text(encoding="utf-8")
    section = html[html.index('<section id="moved"') : html.index('<section id="film"')]
    row = section[section.index("<tbody>") :]
    assert row.index("link2.mass") == row.index('<th scope="row">') + len('<th scope="row">')
    before, after = (f"{m[j]:.3g}" for m in (start.mean, moved.mean))
    assert f"link2.mass {before} to {after} kg" in Page(section).text + str(Page(section).tags)


@pytest.mark.parametrize("kept", range(0, 19, 2))
def test_a_half_finished_loop_says_what_is_missing(folder: Path, kept: int) -> None:
    """Wherever it was stopped there is a page, which names the stages that are missing, and no film."""
    order = ["target", "distribution-0", "train-iteration-0", "score-iteration-0", "acted-iteration-0", "adapt-1",
             "beside-0", "distribution-1", "train-iteration-1", "score-iteration-1", "train-arm-none",
             "score-arm-none", "train-arm-wide", "score-arm-wide", "versions"]  # fmt: skip
    assert sorted(order) == sorted(p.stem for p in (folder / "stages").iterdir())
    for name in order[kept:]:
        (folder / "stages" / f"{name}.json").unlink()
    text = text_of(folder)
    if kept < len(order):
        assert f"This run has not finished. Missing: {', '.join(order[kept:])}." in text
        assert "What it looks like" not in text
    if kept < 4:
        assert "has not come far enough" in text


@pytest.mark.parametrize("stage", ["target", "score-iteration-1", "train-arm-wide", "adapt-1", "beside-0",
                                   "distribution-1", "acted-iteration-0"])  # fmt: skip
@pytest.mark.parametrize("content", ["[1, 2", "[1, 2]", '{"a": 1}', "null"])
def test_a_damaged_stage_is_one_sentence_with_its_file(folder: Path, stage: str, content: str) -> None:
    """A stage that is not what simloop writes is named, and no page is left that looks whole."""
    (folder / "stages" / f"{stage}.json").write_text(content)
    with pytest.raises(InputError, match=rf"{stage}\.json") as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "report.html").exists()


def test_a_film_is_in_the_page_and_its_absence_is_said(folder: Path) -> None:
    """The film's bytes are in the page as they are; where nothing can be drawn a sentence says why."""
    assert "No film: nothing can be drawn here (no OpenGL)" in text_of(folder)
    film = bytes(range(256)) * 8
    (folder / "film.mp4").write_bytes(film)
    outcome = Learned.read(folder)
    last = outcome.trainees[1].distribution
    assert last is not None
    shown = Point(outcome.space, last.mean).hash
    of = {"run": outcome.result["hash"], "policies": ["iteration 0", "iteration 1"], "parameters": shown}
    (folder / "film.json").write_text(json.dumps({"of": {**of, "run": "another"}, "success": [False, True]}))
    assert "No film" in text_of(folder)
    (folder / "film.json").write_text(json.dumps({"of": of, "success": [False, True]}))
    html = write_report(folder).read_text(encoding="utf-8")
    found = re.search(r'src="data:video/mp4;base64,([^"]+)"', html)
    assert found
    assert base64.b64decode(found[1]) == film
    assert "Left iteration 0, which does not succeed, right iteration 1, which succeeds" in html
    (folder / "film.mp4").write_bytes(bytes(4_000_000))
    assert "The film is too large for this page (4 MB)" in text_of(folder)


def test_a_film_shows_bodies_where_the_parameters_put_them() -> None:
    """The drawn cabinet of another row stands where the simulated one does."""
    import mujoco

    world: Any = get_world("drawer")
    row = world.parameters.row({"cabinet.x": 0.7, "cabinet.y": -0.15, "cabinet.yaw": 0.2})
    model = world.scene().compile()
    world.write_model(model, row)
    batch = world.batch(row[None])
    for field in ("body_pos", "body_quat"):
        there = batch.expand(field)[0, world.model.body("cabinet").id]
        here = getattr(model, field)[model.body("cabinet").id]
        assert np.allclose(here / np.linalg.norm(here), there / np.linalg.norm(there), atol=1e-6)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert not np.allclose(model.body("cabinet").pos, world.model.body("cabinet").pos)


def test_rollouts_of_the_world_itself_lie_on_the_simulated_line() -> None:
    """Where the target is the world, simulated rollouts are the target's; under other parameters they are not."""
    world: Any = get_world("double-pendulum")
    task = replace(world.task("swing-up"), decision_dt=world.control_dt, seconds=0.5, hold=0.0)

    def push(observations: Any) -> Any:
        return np.stack([1.5 - 0.3 * observations[:, 4], 0.4 * observations[:, 1]], axis=1)

    envs = world.make(2, task=task, autoreset="disabled")
    envs.reset(options={"parameters": world.parameters.default[None]})
    seen = [envs.observations]
    values = [envs.values]
    for _ in range(task.steps):
        seen.append(envs.step(push(seen[-1]))[0])
        values.append(envs.values)
    table = np.stack(values, axis=1)
    time = np.arange(task.steps + 1) * task.decision_dt
    sets = TrajectorySet(
        channels=world.channels, action_channels=world.actions, time=np.tile(time, 2), values=np.concatenate(table),
        actions=np.zeros((2 * len(time), 2)), offsets=np.array([0, len(time), 2 * len(time)]), sources=("a", "b"),
    )  # fmt: skip
    recorded = tuple(c.name for c in world.channels)
    how = np.zeros(2), np.zeros(2, bool), np.full(2, 0.5)
    rollouts = Rollouts("itself", "same engine, hidden parameters", "the world", sets, recorded, *how)
    heavy = world.parameters.row({"link1.mass": 1.0})
    found = beside_simulated(
        world, task, push, rollouts,  # type: ignore[arg-type]
        {"before": Point(world.parameters, heavy), "after": Point(world.parameters)}, seed=0,
    )["replays"]  # fmt: skip
    measured = np.array(found["measured"])
    assert np.ptp(measured) > 1.0
    assert found["channels"] == ["joint1", "joint2"]
    after, before = (np.abs(np.array(found["arms"][a]["mean"]) - measured).max() for a in ("after", "before"))
    assert after < 0.02
    assert before > 10 * after
    assert found["time"][-1] == pytest.approx(0.5)


def test_a_training_has_its_page(tmp_path: Path, undrawn: None) -> None:
    """Scores with intervals, what episodes were drawn from, the curve, and the command to get it again."""
    world = get_world("double-pendulum")
    task = world.task("swing-up")
    options = ["envs=4", "chunk=160", "horizon=16", "batch=64", "epochs=1", "hidden=[8]"]
    learner, steps = training_of(task, "ppo", options, 1920)
    train_into(tmp_path / "wide", world, task, learner, "wide", steps=steps, seed=5,
               asked={"world": "double-pendulum", "task": "swing-up"})  # fmt: skip
    html = write_report(tmp_path / "wide").read_text(encoding="utf-8")
    text = Page(html).text
    assert "After 1,920 decisions in simulation the policy does its task" in text
    assert "200 simulated episodes with parameters drawn from wide" in text
    assert "Nothing here says how the policy does in reality." in text
    assert "The numbers of all 16 parameters" in text
    command = "simloop train double-pendulum --task swing-up --learner ppo --steps 1920 --distribution wide"
    assert command in text
    assert "--option 'hidden=[8]'" in text
    assert "--seed 5 -o wide" in text
    assert str(tmp_path) not in html


def run_cli(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["simloop", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def test_the_command_line_knows_both_kinds_of_loop_and_goes_on(
    folder: Path, finished: PolicyLoopResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command on the finished run computes nothing again, prints all scores, and writes the same page."""
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    loop = finished.report.parent.parent / "loop.yaml"
    assert run_cli(monkeypatch, "loop", str(loop), "-o", str(folder), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["scores"]) == ["iteration 0", "iteration 1", "arm none", "arm wide"]
    assert found["seconds of acting learned from"] == 12.0
    assert found["seconds of acting tested in"] == 48.0
    assert run_cli(monkeypatch, "loop", str(loop), "-o", str(folder)) == 0
    said = capsys.readouterr().out
    assert re.search(r"arm wide +\d+\.\d% of 2", said)
    assert finished.headline in said
    assert (folder / "report.html").read_bytes() == finished.report.read_bytes()
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("learn:", "lern:"), "line 5: unknown key 'lern' (did you mean 'learn'?)"),
        (("again:", "agian:"), "line 9: unknown key 'learn.agian' (did you mean 'again'?)"),
        (("method: simopt", "method: simotp"), "adapt: unknown method 'simotp' (did you mean 'simopt'?)"),
        (
            ("[none, wide]", "[none, wyde]"),
            "arms.1: input should be 'none', 'wide', 'adr', 'doraemon' or 'oracle', got 'wyde'",
        ),
        (("batch: 64", "bach: 64"), "learn: unknown option of ppo: 'bach' (did you mean 'batch'?)"),
        (("standin:double-pendulum@", "standin:duoble-pendulum@"), "write 'standin:double-pendulum/c1'"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: tuple[str, str],
    said: str,
) -> None:  # fmt: skip
    """File, line, field and a close match, on one line; nothing is written."""
    file = tmp_path / "loop.yaml"
    file.write_text(TINY.replace(*change))
    assert run_cli(monkeypatch, "loop", str(file), "-o", str(tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run" / "stages").exists()


def test_files_about_recordings_are_not_taken_for_policies(tmp_path: Path) -> None:
    """A loop's file with a target of files is the other kind, whatever is wrong with it."""
    file = tmp_path / "loop.yaml"
    file.write_text("world: double-pendulum\ntarget: {fit: a.csv, test: b.csv}\nhorizens: [1]\n")
    assert not PolicyLoopFile.describes(file)
    assert not PolicyLoopFile.describes(tmp_path / "absent.yaml")
    file.write_text("world: double-pendulum\nlearn: {steps: 5}\ntarget: {fit: a.csv, test: b.csv}\n")
    assert PolicyLoopFile.describes(file)
