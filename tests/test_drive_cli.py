"""Drivers at the wheel, from the command line: `evaluate --target drive`, `watch --world drive`."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from typer.testing import CliRunner

from simloop.cli import app
from simloop.errors import InputError


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a driver that learned a little."""
    folder = tmp_path_factory.mktemp("driver")
    said = CliRunner().invoke(app, ["generate", "drive", "-n", "64", "-o", str(folder / "data"), "--size", "40x30"])
    assert said.exit_code == 0, said.output
    options = ["--learner", "driver", "--steps", "20", "-o", str(folder / "run")]
    said = CliRunner().invoke(app, ["train", str(folder / "data"), *options])
    assert said.exit_code == 0, said.output
    return folder / "run"


def test_a_driver_is_let_drive_beside_the_expert(driver: Path) -> None:
    """Each drives as far as it is told, on the same roads; the expert needs nobody, one that goes straight on does."""
    said = CliRunner().invoke(app, ["evaluate", str(driver), "--target", "drive", "--kilometres", "0.1", "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)["drivers"]
    assert set(found) == {driver.name, "expert", "straight on"}
    assert all(d["kilometres"] == pytest.approx(0.1, rel=0.1) for d in found.values())
    assert found["expert"]["interventions"] == 0
    assert found["straight on"]["interventions"] > 1


def test_a_driver_learns_from_its_own_recoveries(driver: Path, tmp_path: Path) -> None:
    """It drives on roads of the dataset's distribution, in its looks; who does not steer is refused."""
    data = str(driver.parent / "data")
    options = ["--learner", "driver", "--steps", "20", "--option", "recoveries=40", "-o", str(tmp_path / "run")]
    said = CliRunner().invoke(app, ["train", data, *options])
    assert said.exit_code == 0, said.output
    for number in range(2):
        with np.load(tmp_path / "run" / "training" / f"round-{number}" / "recoveries.npz") as kept:
            assert kept["images"].shape[1:] == (60, 80, 3)
            assert 5 <= len(kept["images"]) == len(kept["labels"]) <= 20
            assert np.abs(kept["labels"]).max() <= 1
            assert kept["labels"].std() > 0.02
    options[-1] = str(tmp_path / "other")
    said = CliRunner().invoke(app, ["train", data, *options, "--option", "label=speed"])
    assert "'speed' does not steer" in str(said.exception)


def test_a_drive_is_filmed(driver: Path, tmp_path: Path) -> None:
    """The film shows the camera's view and the network's, for as long as it was asked."""
    said = CliRunner().invoke(
        app, ["watch", str(driver), "--world", "drive", "--seconds", "1", "-o", str(tmp_path / "a.gif")]
    )
    assert said.exit_code == 0, said.output
    frames = imageio.imread(tmp_path / "a.gif", index=None)
    assert len(frames) >= 15
    assert frames.shape[1:] == (480, 960, 3)


def test_a_wrong_world_is_named(driver: Path) -> None:
    """A world that is not driven in is refused with a close match, before anything is computed."""
    said = CliRunner().invoke(app, ["evaluate", str(driver), "--target", "drive/heldout"])
    assert isinstance(said.exception, InputError)
    assert "did you mean 'drive/held-out'" in str(said.exception)
