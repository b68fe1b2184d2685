"""The learner driver: what it promises of bytes, files, images and bad input; adaptations are in test_domains.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simloop.cli import app
from simloop.errors import InputError
from simloop.frames import Category, Frame, Request
from simloop.learn.driving import Driver, DriverModel, read_images
from tests.painted import Painted
from tests.sloped import SIZE, painted

torch = pytest.importorskip("torch")

QUICK = Driver(size=SIZE, steps=150, batch=32, width=8)


@pytest.fixture(scope="module")
def model() -> DriverModel:
    return QUICK.train(*painted(600, seed=1), seed=7).model


def test_it_learns_what_an_image_shows(model: DriverModel) -> None:
    images, labels = painted(200, seed=2)
    assert np.abs(model(images) - labels).mean() < 0.25 * np.abs(labels - labels.mean()).mean()


def test_images_of_any_size_are_averaged_to_its_own(model: DriverModel) -> None:
    images, _ = painted(20, seed=2)
    twice = images.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(model(twice), model(images))
    assert model.features(images).shape == (20, 64)


def test_an_interrupted_training_goes_on_to_the_same_bytes(tmp_path: Path, model: DriverModel) -> None:
    class StopError(Exception):
        pass

    def stop(_: str, fraction: float | None = None) -> None:
        raise StopError

    with pytest.raises(StopError):
        QUICK.train(*painted(600, seed=1), seed=7, folder=tmp_path, progress=stop)
    again = QUICK.train(*painted(600, seed=1), seed=7, folder=tmp_path)
    assert len(again.history) == 2
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(again.model.arrays()[name], array)
    other = QUICK.train(*painted(600, seed=1), seed=8).model
    assert any((other.arrays()[name] != array).any() for name, array in model.arrays().items())


def test_it_learns_from_where_early_networks_get_to(tmp_path: Path) -> None:
    """What they bring home is learned beside the images, and each is asked once; the second learned from both."""
    images, labels = painted(600, seed=1)
    asked: list[tuple[DriverModel, int, int]] = []

    def recover(model: DriverModel, count: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        asked.append((model, count, number))
        return painted(count, seed=3 + number)

    learner = replace(QUICK, recoveries=101)
    found = learner.train(images, labels, recover=recover, seed=7, folder=tmp_path).model
    assert [(count, number) for _, count, number in asked] == [(51, 0), (50, 1)]
    early, parts = replace(QUICK, steps=max(QUICK.steps // 5, 1)), [(images, labels)]
    for model, count, number in asked:
        same(early.train(*joined(parts), seed=7).model, model)
        parts.append(painted(count, seed=3 + number))
    same(QUICK.train(*joined(parts), seed=7).model, found)
    same(learner.train(images, labels, recover=recover, seed=7, folder=tmp_path).model, found)
    assert len(asked) == 2
    asked.clear()
    replace(learner, recoveries=1).train(images, labels, recover=recover, seed=7)
    assert [(count, number) for _, count, number in asked] == [(1, 0)]
    with pytest.raises(InputError, match="nothing lets it drive"):
        learner.train(images, labels)


def joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def same(model: DriverModel, other: DriverModel) -> None:
    for name, array in other.arrays().items():
        np.testing.assert_array_equal(model.arrays()[name], array)


def test_a_driver_is_read_back_as_it_was(tmp_path: Path, model: DriverModel) -> None:
    model.save(tmp_path)
    back = DriverModel.load(tmp_path)
    images, _ = painted(10, seed=3)
    np.testing.assert_array_equal(back(images), model(images))
    assert back.label == "steering"
    assert json.loads((tmp_path / "driver.json").read_text())["shape"]["normalisation"] == "local"
    (tmp_path / "driver.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="damaged driver"):
        DriverModel.load(tmp_path)
    with pytest.raises(InputError, match="no driver"):
        DriverModel.load(tmp_path / "none")


@pytest.mark.parametrize("normalisation", ["none", "grey-local", "standard", "local-standard"])
def test_onnx_gives_equal_outputs(tmp_path: Path, normalisation: str) -> None:
    """onnxruntime's answers to bytes of images are ours, for a batch of another size than that of the export."""
    runtime = pytest.importorskip("onnxruntime")
    made = replace(QUICK, steps=20, normalisation=normalisation).train(*painted(100, seed=1), seed=7).model
    made.to_onnx(tmp_path / "driver.onnx")
    session = runtime.InferenceSession(tmp_path / "driver.onnx", providers=["CPUExecutionProvider"])
    images, _ = painted(5, seed=4)
    (said,) = session.run(["steering"], {"images": images})
    np.testing.assert_allclose(said, made(images), atol=2e-3)  # ours keeps normalised images in half precision


class Album:
    """Painted frames with a number in memory."""

    def __init__(self, count: int, values: dict[str, float]) -> None:
        request = Request(size=(64, 64), cameras=("front",))
        self.frames = [replace(f, values=values) for f in Painted().frames(range(count), request=request, seed=3)]
        self.categories: tuple[Category, ...] = self.frames[0].categories

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]


@pytest.mark.parametrize("normalisation", ["grey-local", "local", "local-standard"])
def test_what_a_network_sees_is_a_picture(normalisation: str) -> None:
    """Also of six channels."""
    from simloop.learn.driver_model import Scale, Shape
    from simloop.verbs_closed_loop import network_view

    shape = Shape("steering", (40, 30), normalisation, 4)
    model = DriverModel(shape, Scale(0.0, 1.0), shape.network())
    image = np.random.default_rng(2).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    view = network_view(image, model)
    assert view.shape == (30, 40, 3)
    assert view.dtype == np.uint8
    assert view.min() == 0
    assert view.max() == 255


def test_images_and_numbers_are_read_from_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = read_images(Album(3, {"steering": 0.5}), "steering", (32, 32))
    assert images.shape == (3, 32, 32, 3)
    assert labels.tolist() == [0.5] * 3
    with pytest.raises(InputError, match=r"no number 'stering'.*did you mean 'steering'"):
        read_images(Album(3, {"steering": 0.5}), "stering", (32, 32))
    monkeypatch.setattr("os.sysconf", lambda _: 10)
    with pytest.raises(InputError, match=r"3 images of 32 x 32 take .* GB are free"):
        read_images(Album(3, {"steering": 0.5}), "steering", (32, 32))


def test_what_cannot_be_learned_from_is_refused() -> None:
    images, labels = painted(40, seed=1)
    with pytest.raises(InputError, match="expected a label for each"):
        QUICK.train(images, labels[:-1])
    with pytest.raises(InputError, match="1 labels are not finite"):
        QUICK.train(images, np.where(np.arange(40) == 3, np.nan, labels))
    with pytest.raises(InputError, match=r"expected \(n, height, width, 3\) uint8, got float64"):
        QUICK.train(images / 255.0, labels)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'adabn' needs at least 16 unlabelled images of reality, got 3"):
        replace(QUICK, adaptation="adabn").train(images, labels, unlabelled=images[:3])
    with pytest.raises(InputError, match="did you mean 'grey-local'"):
        Driver(normalisation="gray-local")
    with pytest.raises(InputError, match="did you mean 'adabn'"):
        Driver(adaptation="adabm")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a number of images, 0 for none, got -1"):
        Driver(recoveries=-1)
    with pytest.raises(InputError, match="a width and a height from 16 on"):
        Driver(size=(8, 8))


def test_the_command_line_refuses_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    for arguments, expected in [
        (["train", str(tmp_path), "-o", "r", "--adaptation", "auto"], "are of --learner driver"),
        (["train", str(tmp_path), "-o", "r", "--learner", "drivr"], "did you mean 'driver'"),
        (["train", str(tmp_path), "-o", "r", "--learner", "driver", "--adaptation", "dan"], "did you mean 'dann'"),
    ]:
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code != 0
        assert expected in str(found.exception) + found.output
