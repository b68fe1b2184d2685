"""Predictors of where people walk: what they learn, keep and refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simloop.benchmark.prediction import Windows
from simloop.errors import InputError
from simloop.learn.track_augmentations import AUGMENTATIONS
from simloop.randomness import stream

pytest.importorskip("torch")
from simloop.learn.prediction import Predictor, PredictorModel

_SMALL = Predictor(steps=200, batch=64, width=32)


def _straight(n: int, seed: int = 0, *, noise: float = 0.0) -> Windows:
    """People in pairs who walk straight on, seen with noise (m)."""
    rng = stream(seed, "straight")
    angle, speed = rng.uniform(-np.pi, np.pi, n), rng.uniform(0.2, 0.7, n)
    step = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * speed[:, None]
    paths = rng.uniform(-5, 5, (n, 1, 2)) + step[:, None] * np.arange(20)[:, None]
    seen = paths + noise * rng.standard_normal(paths.shape)
    zeros = np.zeros(n, dtype=np.int64)
    return Windows(seen[:, :8], paths[:, 8:], np.arange(n) // 2, np.arange(n), zeros, np.arange(n) // 2)


def _distance(model: PredictorModel, windows: Windows) -> float:
    said = model.predict(windows.blind, 1, stream(0, "test"))[:, 0]
    return float(np.linalg.norm(said - windows.future, axis=-1).mean())


def test_learns_to_smooth() -> None:
    """Where people walk straight and are seen with noise, it comes near the least-squares line, which is best."""
    from simloop.benchmark.prediction.baselines import ConstantVelocity, Line

    learned = Predictor(augmentation="none", steps=500, batch=128, width=64).train(_straight(4000, noise=0.05), seed=1)
    test = _straight(500, 1, noise=0.05)

    def of(baseline: ConstantVelocity | Line) -> float:
        said = baseline.predict(test, 1, stream(0, "t"))[:, 0]
        return float(np.linalg.norm(said - test.future, axis=-1).mean())

    assert of(Line()) < _distance(learned.model, test) < 0.6 * of(ConstantVelocity())


def test_turns_with_the_world() -> None:
    """Turned and moved people are predicted turned and moved, alone and in sets."""
    model = _SMALL.train(_straight(200), seed=0).model
    test = _straight(40, 1, noise=0.02)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    moved = replace(test, observed=test.observed @ turn + [3.0, -7.0])
    for samples in (1, 20):
        a, b = (model.predict(w, samples, stream(0, "s")) for w in (test, moved))
        assert a.shape == (40, samples, 12, 2)
        np.testing.assert_allclose(a @ turn + [3.0, -7.0], b, atol=2e-4)


def test_same_bytes_after_an_interruption(tmp_path: Path) -> None:
    """A training that was stopped ends with the weights of one that was not."""
    data = _straight(100)

    class StoppedError(Exception):
        pass

    def stop(text: str, done: float) -> None:
        if done < 0.9:
            raise StoppedError

    with pytest.raises(StoppedError):
        _SMALL.train(data, seed=3, folder=tmp_path, progress=stop)
    resumed, whole = _SMALL.train(data, seed=3, folder=tmp_path).model, _SMALL.train(data, seed=3).model
    rng = stream(0, "x")
    assert resumed.predict(data, 1, rng).tobytes() == whole.predict(data, 1, rng).tobytes()
    resumed.save(tmp_path / "policy")
    loaded = PredictorModel.load(tmp_path / "policy")
    assert loaded.predict(data, 1, rng).tobytes() == whole.predict(data, 1, rng).tobytes()


def test_others_of_a_scene_alone_matter() -> None:
    """What people of one scene do changes nothing in another."""
    model, test = _SMALL.train(_straight(100), seed=0).model, _straight(10)
    changed = replace(test, observed=test.observed + np.where(test.scene[:, None, None] == 0, 1.3, 0.0))
    a, b = (model.predict(w, 1, stream(0, "s"))[test.scene > 0] for w in (test, changed))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_augmentation_keeps_the_place_beside_neighbours() -> None:
    """Without noise of annotation the last observed place stays, and "none" changes nothing."""
    windows = _straight(50)
    paths = np.concatenate([windows.observed, windows.future], axis=1)
    np.testing.assert_allclose(AUGMENTATIONS["none"].of(paths, stream(0, "a")), paths, atol=1e-3)
    exact = replace(AUGMENTATIONS["wide"], noise=(1e-9, 1e-9), key=0.0, rounds=0.0)
    np.testing.assert_allclose(exact.of(paths, stream(0, "a"))[:, 7], paths[:, 7], atol=1e-6)


def test_bad_input() -> None:
    """Nothing to learn from, misspelt options and folders without a predictor get one sentence."""
    with pytest.raises(InputError, match="wide"):
        Predictor(augmentation="wid")
    with pytest.raises(InputError, match="expected simulated tracks"):
        _SMALL.train(None)
    with pytest.raises(InputError, match="20 steps"):
        _SMALL.train(_straight(0))
    with pytest.raises(InputError, match="no predictor"):
        PredictorModel.load(Path("nowhere"))


def test_samples_are_put_together_so_that_few_collide():
    """Each person keeps its samples; two who may go left or right go where the other does not, in every sample."""
    from simloop.learn.joint_samples import arranged

    steps = np.linspace(0.3, 3.6, 12)
    left, right = np.stack([steps, 1 + steps], axis=1), np.stack([steps, -1 - steps], axis=1)
    many = np.array([[left, right], [left, right]]) + np.zeros((2, 1, 1, 1))
    found = arranged(many, np.array([[0.0, 0.0], [-9.0, 0.0]]), np.array([0, 2]))
    assert np.array_equal(found[0], many[0])
    apart = np.abs(found[0] - found[1]).max(axis=(1, 2))
    assert (apart > 1).all()
    assert sorted(x.tobytes() for x in found[1]) == sorted(x.tobytes() for x in many[1])


def test_who_still_touches_steps_aside():
    """Two who walk into each other pass with bodies apart, moved by a few centimetres; others are not moved."""
    from simloop.learn.joint_samples import ROOM, arranged

    ahead = np.stack([np.linspace(0.5, 6, 12), np.zeros(12)], axis=1)
    towards = np.add(ahead[::-1], [-0.5, 0.05])
    alone = np.add(ahead, [0.0, 30.0])
    many = np.stack([ahead, towards, alone])[:, None]
    found = arranged(many, np.array([[0.0, 0.0], [6.0, 0.05], [0.0, 30.0]]), np.array([0, 3]))
    apart = np.linalg.norm(found[0, 0] - found[1, 0], axis=1)
    assert apart.min() > 0.9 * ROOM
    assert np.abs(found - many).max() < 0.15
    assert np.array_equal(found[2], many[2])
