"""Pairs of pictures of world `drive` that differ in what is in the way, and what a driver learns from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simloop import get_world
from simloop.cli import app
from simloop.errors import InputError
from simloop.learn.augmentations import AUGMENTATIONS
from simloop.learn.driving import Driver
from simloop.learn.pictures import Pictures
from simloop.randomness import stream
from simloop.worlds.drive.counterfactuals import counterfactuals
from simloop.worlds.drive.scene import make_scene
from simloop.worlds.drive.world import Drive
from tests.sloped import SIZE, painted

torch = pytest.importorskip("torch")

SMALL = (80, 60)


@pytest.fixture(scope="module")
def drive() -> Drive:
    world = get_world("drive")
    assert isinstance(world, Drive)
    return world


def test_pairs_differ_in_what_is_in_the_way(drive: Drive) -> None:
    """Some pixels and the expert's steering are others; exposure and compression answer a little everywhere."""
    wide, look = drive.distribution("wide"), drive.looks()["wide"]
    images, labels = counterfactuals(drive, 30, size=SMALL, distribution=wide, look=look, seed=7)
    assert images.shape == (30, 2, 60, 80, 3)
    apart = np.abs(images[:, 0].astype(int) - images[:, 1]).max(axis=3)
    assert ((apart > 40).sum(axis=(1, 2)) >= 2).all()
    assert np.median((apart <= 8).mean(axis=(1, 2))) > 0.9
    assert (np.abs(labels[:, 0] - labels[:, 1]) >= 0.08).all()
    assert (np.abs(labels) <= 1).all()
    again, right = counterfactuals(drive, 20, size=SMALL, distribution=wide, look=look, seed=7)
    np.testing.assert_array_equal(again, images[:20])
    np.testing.assert_array_equal(right, labels[:20])
    with pytest.raises(InputError, match="nothing is in the way"):
        counterfactuals(drive, 1, size=SMALL)


def test_a_cleared_scene_keeps_all_else(drive: Drive) -> None:
    """What the line led around is gone, and the line leads straight on; the scene itself is as it was."""
    values = dict(zip(drive.parameters.names, drive.parameters.default.tolist(), strict=True))
    values |= {"obstacles.count": 3.0, "cones.count": 5.0, "parked.count": 4.0}
    scene = make_scene(values, stream(7, "a scene"))
    clear = scene.cleared()
    assert len(scene.avoided) == 3
    assert np.ptp(scene.line) > 1
    assert np.ptp(clear.line) == 0
    others = np.setdiff1d(np.arange(len(scene)), scene.avoided)
    np.testing.assert_array_equal(clear.known[others], scene.known[others])
    assert np.linalg.norm(clear.known[list(scene.avoided), 0, :2], axis=1).min() > 1e4
    assert np.abs(scene.known[..., :2]).max() < 1e4
    assert clear.cleared().known.tolist() == clear.known.tolist()


def test_a_driver_learns_what_makes_the_difference() -> None:
    """A small mark that single images hardly ever show, and that adds to the number, is minded after pairs."""
    images, labels = painted(600, seed=1)
    first, right = painted(200, seed=2)
    pairs, numbers = np.stack([marked(first), first], axis=1), np.stack([right + 0.5, right], axis=1)
    plain = Driver(size=SIZE, steps=150, batch=32, width=8)
    learner = replace(plain, pairs=200)
    found = learner.train(images, labels, contrast=lambda count: (pairs[:count], numbers[:count]), seed=7)
    assert set(found.history[-1]) >= {"control", "contrast"}
    seen, _ = painted(100, seed=3)
    added = (found.model(marked(seen)) - found.model(seen)).mean()
    assert added == pytest.approx(0.5, abs=0.15)
    without = plain.train(images, labels, seed=7).model
    assert abs((without(marked(seen)) - without(seen)).mean()) < 0.2
    with pytest.raises(InputError, match="nothing makes pairs"):
        learner.train(images, labels)
    with pytest.raises(InputError, match="pairs: expected images"):
        learner.train(images, labels, contrast=lambda _: (pairs[:, 0], numbers))
    with pytest.raises(InputError, match="pairs of a driver: expected a number of images"):
        Driver(pairs=-1)


def marked(images: np.ndarray) -> np.ndarray:
    out = images.copy()
    out[:, 12:16, 4:8] = [230, 30, 30]
    return out


def test_both_of_a_pair_are_changed_alike() -> None:
    images, _ = painted(8, seed=1)
    twice = Pictures(images.repeat(2, axis=0), "local")
    seen = twice.changed(np.arange(16), AUGMENTATIONS["strong"], np.random.default_rng(3), alike=2)
    assert torch.equal(seen[::2], seen[1::2])
    alone = twice.changed(np.arange(16), AUGMENTATIONS["strong"], np.random.default_rng(3))
    assert not torch.equal(alone[::2], alone[1::2])


def test_pairs_are_made_as_a_dataset_was(tmp_path: Path) -> None:
    """From the command line; what does not steer is refused."""
    data = str(tmp_path / "data")
    made = CliRunner().invoke(app, ["generate", "drive", "-n", "40", "-o", data, "--passes", "none"])
    assert made.exit_code == 0, made.output
    options = ["train", data, "--learner", "driver", "--steps", "10", "--option", "pairs=20"]
    said = CliRunner().invoke(app, [*options, "-o", str(tmp_path / "run")])
    assert said.exit_code == 0, said.output
    said = CliRunner().invoke(app, [*options, "--option", "label=speed", "-o", str(tmp_path / "other")])
    assert "an expert's steering differs" in str(said.exception)
