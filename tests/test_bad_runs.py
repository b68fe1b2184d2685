"""Runs, downloads and commands that go wrong end with one sentence, lose nothing, and can be given again."""

from __future__ import annotations

import errno
import functools
import hashlib
import http.server
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop import cli
from simloop.errors import InputError
from simloop.runs import Run, read_run, write_aside, write_json
from simloop.targets import catalogue
from simloop.targets.catalogue import Entry, Split

ARM = """<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <body name="link" pos="0 0 1">
      <joint name="j" axis="0 1 0" damping="0.1"/>
      <geom name="g" type="capsule" size="0.02" fromto="0 0 0 0 0 -0.3" mass="0.5"/>
    </body>
  </worldbody>
  <actuator><motor name="m" joint="j"/></actuator>
</mujoco>"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a world and one recording."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    return tmp_path


def fill(folder: Path) -> None:
    (folder / "arm.xml").write_text(ARM)
    (folder / "arm.yaml").write_text("world: arm\nmodel: arm.xml\nparameters: {joint.*.damping: {range: [0.01, 1]}}\n")
    time = np.arange(500) * 0.002
    rows = [f"{t:.6g},{np.sin(3 * t):.9g},0" for t in time]
    (folder / "log.csv").write_text("\n".join(["time,j,m", *rows]) + "\n")


# --- the folder of a run


def run(folder: Path, configuration: dict[str, Any], resume: Any = "if-match") -> None:
    with Run.open(folder, configuration, resume=resume) as opened:
        opened.stage("work", lambda: configuration)


def test_a_run_of_another_configuration_is_refused_with_what_changed(tmp_path: Path) -> None:
    """if-match names the first field that differs, never refuses any run, always starts over, the same goes on."""
    space = {"space": [{"name": "mass", "choices": (), "high": 1.0}]}
    run(tmp_path, space)
    run(tmp_path, space)
    other = {"space": [{"name": "mass", "choices": (), "high": 2.0}]}
    with pytest.raises(InputError) as error:
        run(tmp_path, other)
    assert str(error.value) == (
        f"{tmp_path}: holds a run of another configuration (space.mass.high was '1.0', now '2.0'); give a new folder,"
        " or --resume always to start over in this one"
    )
    with pytest.raises(InputError) as error:
        run(tmp_path, space, "never")
    assert str(error.value) == f"{tmp_path}: holds a run already, and --resume is 'never'; give a new folder"
    run(tmp_path, other, "always")
    assert read_run(tmp_path)["stages"]["work"]["space"][0]["high"] == 2.0
    with pytest.raises(InputError, match=r"^unknown choice of --resume 'alway' \(did you mean 'always'\?\)$"):
        run(tmp_path, other, "alway")


def test_a_command_that_failed_at_once_does_not_claim_the_folder(tmp_path: Path) -> None:
    """A folder in which nothing was computed yet takes the corrected command."""
    with Run.open(tmp_path, {"horizon": 100}):
        pass
    run(tmp_path, {"horizon": 0.2})
    assert read_run(tmp_path)["configuration"] == {"horizon": 0.2}


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second one is refused while the first one works, and let in afterwards."""
    with Run.open(tmp_path, {"a": 1}), pytest.raises(InputError) as error:
        Run.open(tmp_path, {"a": 1})
    assert str(error.value) == f"{tmp_path}: another simloop process is working in this folder"
    run(tmp_path, {"a": 1})


def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    """A file, a folder with other things in it and a place that cannot be written are named."""
    (tmp_path / "file").write_text("precious")
    for place, sentence in (
        (tmp_path / "file", "is a file; give a folder for the run"),
        (tmp_path, "not empty and not a run of simloop; give a new or an empty folder"),
        (tmp_path / "file" / "run", "cannot be written: Not a directory"),
    ):
        with pytest.raises(InputError) as error:
            Run.open(place, {})
        assert str(error.value) == f"{place}: {sentence}"
    with pytest.raises(InputError, match=r"no: not a run of simloop \(it has no run.json\)$"):
        read_run(tmp_path / "no")


AGAIN = "delete this file and give the same command again"
DAMAGED = {
    ("run.json", "{"): "run.json: damaged; give a new folder, or --resume always to start over in this one",
    ("run.json", "[]"): "run.json: damaged; give a new folder, or --resume always to start over in this one",
    ("run.json", ""): "run.json: damaged; give a new folder, or --resume always to start over in this one",
    ("stages/work.json", ""): f"stages/work.json, line 1: damaged (Expecting value); {AGAIN}",
    ("stages/work.json", '{"a": 1'): f"stages/work.json, line 1: damaged (Expecting ',' delimiter); {AGAIN}",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_of_a_run_is_named_and_its_way_out_works(case: tuple[str, str], tmp_path: Path) -> None:
    """What a broken disk left is named with its line, and what the sentence advises gets the run going."""
    name, content = case
    run(tmp_path, {"a": 1})
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as error:
        run(tmp_path, {"a": 1})
    assert str(error.value) == f"{tmp_path}/{DAMAGED[case]}"
    if name != "run.json":
        (tmp_path / name).unlink()
    run(tmp_path, {"a": 1}, "always")
    assert read_run(tmp_path)["stages"] == {"work": {"a": 1}}


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"state": {"history": []}, "hash": "0"}'])
def test_a_damaged_checkpoint_is_named(content: str, tmp_path: Path) -> None:
    """A checkpoint whose content is not what was saved is never continued from."""
    with Run.open(tmp_path, {}) as opened:
        checkpoint = opened.checkpoint("fit")
        assert checkpoint.load() is None
        checkpoint.save({"history": [1.5]})
        assert checkpoint.load() == {"history": [1.5]}
        checkpoint.path.write_text(content)
        with pytest.raises(InputError) as error:
            checkpoint.load()
    assert re.fullmatch(rf"{tmp_path}/checkpoints/fit.json(, line 1)?: damaged( \(.*\))?; {AGAIN}", str(error.value))


# --- a full disk


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space while a file is written: the old one stays whole, nothing half-written stays, one sentence is said."""
    file = tmp_path / "result.json"
    write_json(file, {"old": 1})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(InputError) as error:
        write_json(file, {"new": 2})
    assert str(error.value) == f"{file}: the disk is full; free some space and give the same command again"
    assert json.loads(file.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_failure_while_writing_leaves_nothing_half_written(tmp_path: Path) -> None:
    """An exception inside the block leaves the folder as it was."""
    with pytest.raises(TypeError), write_aside(tmp_path / "a") as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


# --- whole commands, killed and stopped

FIT = ["adapt", "arm.yaml", "--target", "standin", "-o", "run", "--method", "simopt", "--option", "iterations=60"]
FIT += ["--option", "samples=8", "--option", "windows=4"]
COMMAND = [sys.executable, "-m", "simloop.cli", *FIT]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The distribution that the fit gives when nobody disturbs it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    fill(folder)
    subprocess.run(COMMAND, cwd=folder, check=True, capture_output=True)
    return (folder / "run" / "distribution.json").read_bytes()


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    stop: signal.Signals, folder: Path, undisturbed: bytes
) -> None:
    """kill -9 or Ctrl-C in the middle of a fit, then the same command: the bytes of an undisturbed run."""
    checkpoint = folder / "run" / "checkpoints" / "adapt-simopt.json"
    # a shell that started the tests in its background has told its children to ignore Ctrl-C
    listening = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening
    ) as process:
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(stop)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130)
    if stop == signal.SIGINT:
        said = [line for line in told.splitlines() if not line.startswith("[")]
        assert said == ["simloop: stopped; the same command goes on where it stopped"]
    assert not (folder / "run" / "stages" / "adapt-simopt.json").exists()
    done = len(json.loads(checkpoint.read_text())["state"]["history"])
    again = subprocess.run(COMMAND, check=True, capture_output=True, text=True)
    assert f"iteration {done + 1} of 60" in again.stderr
    assert f"iteration {done} of 60" not in again.stderr
    assert (folder / "run" / "distribution.json").read_bytes() == undisturbed
    assert not list((folder / "run").rglob("*.part"))


def test_a_file_that_cannot_grow_is_one_sentence(folder: Path) -> None:
    """A process that may write no more says so in one sentence, and leaves nothing half-written."""
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (200, 200))
    process = subprocess.run(COMMAND, capture_output=True, text=True, preexec_fn=limit)
    assert process.returncode == 2
    assert process.stderr == f"simloop: run{os.sep}run.json: cannot be written: File too large\n"
    assert [p.name for p in (folder / "run").iterdir()] == ["lock"]


def test_standard_output_on_a_full_disk_is_one_sentence(folder: Path) -> None:
    """Tables that cannot be written are one sentence, not a traceback."""
    with open("/dev/full", "w") as full:
        process = subprocess.run([*COMMAND[:3], "worlds"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert process.returncode == 2
    assert process.stderr == "simloop: standard output: No space left on device\n"


# --- whole commands that are wrong

SEE = {verb: f" (see simloop {verb} --help)" for verb in ("gap", "adapt")}
COMMANDS: dict[str, str] = {
    "frobnicate": "No such command 'frobnicate' (see simloop --help)",
    "gap": "Missing argument 'WORLD'" + SEE["gap"],
    "gap arm.yaml": "what is real? Give --target: a name of 'simloop targets', or your own logs",
    "gap arm.yaml --target=": "what is real? Give --target: a name of 'simloop targets', or your own logs",
    "gap arm.yaml --targt log.csv": "No such option '--targt'. Did you mean '--target'?" + SEE["gap"],
    "gap arm.yaml --target lgo.csv": "lgo.csv: no such file or folder (did you mean 'log.csv'?)",
    "gap arm.yaml --target *.npz": "*.npz: no .csv, .npz, .parquet file matches this pattern",
    "gap arm.xml --target log.csv": "arm.xml: give a YAML file that names this model and what may vary in it ...",
    "gap arm.yaml --target double-pendulum/design-c1/test": (
        "'double-pendulum/design-c1/test' are recordings of 'double-pendulum', not of 'arm'"
    ),
    "gap arm.yaml --target standin:cartpole": (
        "'standin:cartpole' is not a stand-in of this world: write 'standin:arm'"
    ),
    "gap arm.yaml --target log.csv --columns no.yaml": "no.yaml: no such file (did you mean 'arm.yaml'?)",
    "gap arm.yaml --target log.csv --horizon 9": (
        "the longest of 1 recordings lasts 0.998 s: too short for a window of 9 s and the 0.04 s before it; give a"
        " shorter horizon"
    ),
    "gap arm.yaml --target log.csv --horizon inf": (
        "a window of inf s: expected a time of at least one control step, 0.002 s"
    ),
    "gap arm.yaml --target log.csv --horizon nan": (
        "a window of nan s: expected a time of at least one control step, 0.002 s"
    ),
    "gap arm.yaml --target log.csv --draws 0": "Invalid value for '--draws': ..." + SEE["gap"],
    "gap arm.yaml --target log.csv --distribution wid": (
        "unknown distribution of world 'arm': 'wid' (did you mean 'wide'?), and no run's folder of that name"
    ),
    "adapt arm.yaml --target log.csv": "Missing option '-o' / '--output'" + SEE["adapt"],
    "adapt arm.yaml --target log.csv -o log.csv": "log.csv: is a file; give a folder for the run",
    "adapt arm.yaml --target log.csv -o .": ".: not empty and not a run of simloop; give a new or an empty folder",
    "adapt arm.yaml --target log.csv -o r --method simpot": "unknown method 'simpot' (did you mean 'simopt'?)",
    "adapt arm.yaml --target log.csv -o r --option starts=[": (
        "--option 'starts=[', line 1, column 2: not YAML: expected the node content, but found '<stream end>'"
    ),
    "adapt arm.yaml --target log.csv -o r --resume maybe": (
        "Invalid value for '--resume': 'maybe' is not one of 'never', 'if-match', 'always'" + SEE["adapt"]
    ),
    "adapt arm.yaml --target log.csv -o r --method simopt --budget 5": (
        "simopt: one iteration simulates 400 x 4 = 1600 windows, more than the budget of 5; give a larger budget, or"
        " fewer samples or windows"
    ),
    "loop no.yaml -o r": "no.yaml: no such file (did you mean 'arm.yaml'?)",
    "loop arm.yaml -o r": "arm.yaml, line 2: unknown key 'model'",
    "report no": "no: not a run of simloop (it has no run.json)",
    "data get double-pendulm": "unknown entry of the catalogue 'double-pendulm' (did you mean 'double-pendulum'?)",
    "data get double-pendulum --part x": "unknown part of 'double-pendulum': 'x' (there are: ...)",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with a command, standard error holds one sentence, and nothing else; ... stands for more."""
    monkeypatch.setenv("SIMLOOP_DATA", str(folder / "nothing"))
    before = {p.name for p in folder.iterdir()}
    assert exit_code(command.split(), monkeypatch) == 2
    out = capsys.readouterr()
    assert out.out == ""
    pattern = ".*".join(map(re.escape, COMMANDS[command].split("...")))
    assert re.fullmatch(f"simloop: {pattern}\n", out.err)
    assert {p.name for p in folder.iterdir()} - before <= {"r"}


def exit_code(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "argv", ["simloop", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


def test_a_parameter_without_effect_fails_the_audit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A parameter that moves nothing observed is named, and the exit code is 1."""
    (folder / "arm.yaml").write_text(
        "world: arm\nmodel: arm.xml\nparameters:\n"
        "  geom.g.friction: {range: [0.1, 1]}\n  joint.j.damping: {range: [0.01, 1]}\n"
    )
    assert exit_code(["audit", "arm.yaml", "--target", "log.csv"], monkeypatch) == 1
    out = capsys.readouterr()
    assert "FAILED: geom.g.friction: no effect on anything observed\n" in out.out
    assert out.err == ""


def test_a_warning_is_one_line_and_in_the_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A constant channel still gives a result, with one line of warning, also where a program reads it."""
    rows = [f"{t:.6g},0,0" for t in np.arange(500) * 0.002]
    (folder / "log.csv").write_text("\n".join(["time,j,m", *rows]) + "\n")
    command = "gap arm.yaml --target log.csv --draws 1 --json"
    assert exit_code(command.split(), monkeypatch) in (0, None)
    out = capsys.readouterr()
    warning = "log.csv, column 'j': is 0 in all 500 rows; was the sensor connected?"
    first, second = out.err.splitlines()
    assert first == f"warning: {warning}"
    assert second.startswith("warning: after 0.2 s the default parameters are no better than predicting that nothing")
    assert json.loads(out.out)["warnings"] == [warning, second.removeprefix("warning: ")]


# --- downloads

CONTENT = b"time,a\n0,1\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word; `cut.csv` breaks off in the middle."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if not self.path.endswith("cut.csv"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(CONTENT)
        return None


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entry]:
    """A catalogue of one entry, served from this machine, and an empty folder of recordings."""
    source = tmp_path / "source" / "logs"
    source.mkdir(parents=True)
    (source / "good.csv").write_bytes(CONTENT)
    (source / "changed.csv").write_bytes(b"something else")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "source"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = ("good", "changed", "missing", "cut")
    entry = Entry(
        name="things",
        world="arm",
        machine="a thing",
        source="here",
        url=f"http://127.0.0.1:{server.server_port}/",
        licence="none",
        citation="",
        megabytes=0.0,
        files={f"logs/{n}.csv": hashlib.sha256(CONTENT).hexdigest() for n in names},
        splits={n: Split("logs", (sorted(names).index(n),)) for n in names},
    )
    monkeypatch.setattr(catalogue, "entries", lambda: {"things": entry})
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path / "data"))
    yield entry
    server.shutdown()
    server.server_close()


def test_a_download_with_the_published_hash_is_kept_and_not_fetched_twice(served: Entry) -> None:
    """What arrives whole is there, and is there still when the server is not."""
    folder = catalogue.get("things", split="good")
    assert (folder / "logs" / "good.csv").read_bytes() == CONTENT
    assert catalogue.get("things", split="good", url="http://127.0.0.1:9/") == folder


ELSEWHERE = "; download it elsewhere and set SIMLOOP_DATA to its folder"
BAD_DOWNLOADS = {
    "changed": "logs/changed.csv: what was downloaded is not the published file (SHA-256 differs); not kept",
    "missing": "URLlogs/missing.csv: cannot be downloaded (File not found)" + ELSEWHERE,
    "cut": "URLlogs/cut.csv: cannot be downloaded (IncompleteRead(11 bytes read, 989 more expected))" + ELSEWHERE,
}


@pytest.mark.parametrize("part", BAD_DOWNLOADS)
def test_a_bad_download_is_named_and_not_kept(part: str, served: Entry) -> None:
    """Other content, a file that is gone and a connection that broke off leave nothing behind."""
    with pytest.raises(InputError) as error:
        catalogue.get("things", split=part)
    assert str(error.value).replace(served.url, "URL") == BAD_DOWNLOADS[part]
    assert not served.present(part)
    assert not list(served.folder.rglob("*.csv*"))


def test_no_network_and_a_file_that_was_changed_are_told_apart(served: Entry) -> None:
    """Without a server the address is named; a file that differs from the published one is named, and not replaced."""
    with pytest.raises(InputError, match=r"^http://127.0.0.1:9/logs/good.csv: cannot be downloaded \(.*refused.*\)"):
        catalogue.get("things", split="good", url="http://127.0.0.1:9/")
    file = catalogue.get("things", split="good") / "logs" / "good.csv"
    file.write_bytes(b"mine")
    with pytest.raises(InputError) as error:
        catalogue.get("things", split="good")
    assert str(error.value) == f"{file}: differs from the published file (SHA-256); delete it and try again"
    assert file.read_bytes() == b"mine"
