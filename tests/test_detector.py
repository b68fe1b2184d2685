"""The detector learns what is there, the same each time, and is scored as the field scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simloop.errors import InputError
from simloop.frames import Category, Frame, Request
from simloop.learn.detector import Detector, Model
from simloop.learn.detector.detector import batch_of, shrunk
from simloop.learn.detector.precision import Found, Truth, average_precision, overlaps
from tests.painted import Painted

torch = pytest.importorskip("torch")


class Album:
    """Frames in memory."""

    def __init__(self, frames: list[Frame]) -> None:
        self.frames, self.categories = frames, frames[0].categories

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]


def album(first: int, count: int) -> Album:
    request = Request(size=(64, 64), cameras=("front",))
    return Album(list(Painted().frames(range(first, first + count), request=request, seed=3)))


def truth(*boxes: tuple[float, float, float, float], ignored: tuple[int, ...] = ()) -> Truth:
    n = len(boxes)
    return Truth(np.array(boxes, dtype=float).reshape(n, 4), np.zeros(n, dtype=np.int64), np.isin(range(n), ignored))


def found(*scored: tuple[float, tuple[float, float, float, float]]) -> Found:
    boxes = np.array([b for _, b in scored], dtype=float).reshape(-1, 4)
    return Found(boxes, np.zeros(len(scored), dtype=np.int64), np.array([s for s, _ in scored]))


A, B, FAR = (0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60)


def test_average_precision_by_hand() -> None:
    """All found is 1; a false alarm before the second thing leaves 1 up to half the recall and 2/3 beyond."""
    assert average_precision([found((0.9, A), (0.8, B))], [truth(A, B)]) == 1
    assert average_precision([found((0.9, A), (0.8, FAR), (0.7, B))], [truth(A, B)]) == pytest.approx(
        (51 + 50 * 2 / 3) / 101
    )
    assert average_precision([found((0.9, A), (0.8, A))], [truth(A)]) == 1  # found twice, but after all that is there
    assert average_precision([found((0.9, A))], [truth(A, B)]) == pytest.approx(51 / 101)
    assert average_precision([found()], [truth(A)]) == 0
    assert np.isnan(average_precision([found()], [truth()]))


def test_what_need_not_be_found_counts_neither_way() -> None:
    assert average_precision([found((0.9, B), (0.8, A))], [truth(A, B, ignored=(1,))]) == 1
    assert average_precision([found((0.8, A))], [truth(A, B, ignored=(1,))]) == 1


def test_overlaps_are_intersection_over_union() -> None:
    np.testing.assert_allclose(overlaps(np.array([A, B], float), np.array([[0, 0, 10, 5], [5, 5, 15, 15]], float)),
                               [[0.5, 25 / 175], [0, 0]])  # fmt: skip


@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_precision_agrees_with_pycocotools(ignored: float) -> None:
    """On random boxes, with things among them that need not be found, it is that of the field's own reader."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(5)
    truths, founds = [], []
    for _ in range(20):
        low = rng.uniform(0, 80, (6, 2))
        boxes = np.concatenate([low, low + rng.uniform(5, 30, (6, 2))], axis=1)
        truths.append(Truth(boxes, rng.integers(0, 3, 6), rng.random(6) < ignored))
        moved = np.concatenate([boxes + np.tile(rng.normal(0, 3, (6, 2)), 2), boxes[:3] + 40])
        founds.append(Found(moved, np.concatenate([truths[-1].categories, [0, 1, 2]]), rng.random(9)))
    # what need not be found has an area outside of those that are asked for, which end at 1e10
    reader, size = coco.COCO(), {"width": 200, "height": 200}
    reader.dataset = {
        "images": [{"id": i, **size} for i in range(20)],
        "categories": [{"id": c + 1, "name": str(c)} for c in range(3)],
        "annotations": [
            {"id": 6 * i + k + 1, "image_id": i, "category_id": int(t.categories[k]) + 1, "iscrowd": 0,
             "bbox": [*b[:2], *(b[2:] - b[:2])], "area": 1e11 if t.ignored[k] else float(np.prod(b[2:] - b[:2]))}
            for i, t in enumerate(truths) for k, b in enumerate(t.boxes)
        ],
    }  # fmt: skip
    reader.createIndex()
    results = reader.loadRes([
        {"image_id": i, "category_id": int(f.categories[k]) + 1, "score": float(f.scores[k]),
         "bbox": [*b[:2], *(b[2:] - b[:2])]}
        for i, f in enumerate(founds) for k, b in enumerate(f.boxes)
    ])  # fmt: skip
    judged = evaluation.COCOeval(reader, results, "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert average_precision(founds, truths, overlap=0.5) == pytest.approx(judged.stats[1], abs=1e-9)
    assert average_precision(founds, truths, overlap=0.75) == pytest.approx(judged.stats[2], abs=1e-9)


def test_examples_hold_what_is_seen() -> None:
    """Peaks stand in the middle of boxes, mirrored images have mirrored truth, masks keep their area."""
    frames = album(0, 4).frames
    learner = Detector(agnostic=True, least=1)
    images, plain = learner.examples(frames, np.zeros(4, dtype=bool), 1)
    mirrored_images, mirrored = learner.examples(frames, np.ones(4, dtype=bool), 1)
    assert torch.equal(images.flip(-1), mirrored_images)
    assert torch.allclose(plain["mask"].flip(-1), mirrored["mask"])
    seen = sum(int(f.things.seen.sum()) for f in frames)
    assert len(plain["image"]) == seen > 4
    at = plain["heat"][plain["image"], 0, plain["row"], plain["column"]]
    assert torch.equal(at, torch.ones(seen))
    area = np.concatenate([f.things.pixels[f.things.seen] for f in frames])
    np.testing.assert_allclose(plain["mask"].sum((1, 2)).numpy() * 16, area, rtol=1e-5)
    half = shrunk(np.array([[True, False], [True, False]]), 2, (1, 1))
    assert half.tolist() == [[0.5]]


def test_it_learns_and_an_interruption_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short training finds things in images that it has not seen; stopped in the middle it ends in the same bytes."""
    monkeypatch.setattr("simloop.learn.detector.detector._CHUNK", 30)
    learner = Detector(steps=90, batch=4, width=8, prototypes=4, agnostic=True, learning_rate=4e-3)
    frames = album(0, 60)
    whole = learner.train(frames, seed=1)
    assert whole.history[-1]["loss"] < 0.7 * whole.history[0]["loss"]

    def stop(_message: str, done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learner.train(frames, seed=1, folder=tmp_path, progress=stop)
    resumed = learner.train(frames, seed=1, folder=tmp_path)
    for name, weights in whole.model.arrays().items():
        np.testing.assert_array_equal(weights, resumed.model.arrays()[name])
    whole.model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    test = album(500, 20)
    assert loaded.score(test) == whole.model.score(test)
    one = loaded([test[0].rgb], above=0.0)[0]
    assert one.masks.shape == (len(one.scores), 64, 64)
    assert (np.diff(one.scores) <= 0).all()


def test_what_cannot_be_learned_from_is_said() -> None:
    frames = album(0, 2)
    with pytest.raises(InputError, match="needs instance masks"):
        Detector(steps=1).train(Album([f.replace(instances=None) for f in frames.frames]))
    walls = Album([f.replace(categories=(Category("wall", thing=False),)) for f in frames.frames])
    with pytest.raises(InputError, match="nothing to find"):
        Detector(steps=1).train(walls)
    model = Model.new(("box",), replace(Detector(), width=8))
    with pytest.raises(InputError, match="the detector finds box"):
        model.score(frames)
    with pytest.raises(InputError, match="must have one size, got 4 x 5 and 4 x 6"):
        batch_of([np.zeros((5, 4, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)])
    with pytest.raises(InputError, match="no detector"):
        Model.load(Path("nowhere"))


def test_the_commands_train_score_and_say_what_is_wrong(tmp_path: Path) -> None:
    """A dataset is learned from on the command line but for the scenes that YOLO has for validation; its own images are
    no test, and a detector has no report."""
    from typer.testing import CliRunner

    from simloop.cli import app
    from simloop.data.export import Source, export
    from simloop.data.generate import generate
    from simloop.data.store import Dataset
    from simloop.verbs_detector import parts

    request = Request(size=(32, 32), cameras=("front",), views=2)
    for seed in (1, 2):
        generate(Painted(), 16, tmp_path / f"data{seed}", seed=seed, request=request)
    run = str(tmp_path / "run")
    dataset = Dataset.open(tmp_path / "data1")
    export(Source.of(dataset), "yolo", tmp_path / "yolo")
    held_out = sorted(p.stem for p in (tmp_path / "yolo" / "images" / "val").iterdir())
    assert held_out == [f"{k:06d}-front" for k in parts(dataset)[1].numbers] == ["000002-front", "000003-front"]

    def answer(*words: str) -> object:
        done = CliRunner().invoke(app, list(words))
        return done.exception if done.exception else done.output

    trained = str(answer("train", str(tmp_path / "data1"), "-o", run, "--steps", "2", "--option", "width=8"))
    assert "scenes that were held out" in trained
    assert "data2" in str(answer("evaluate", run, "--target", str(tmp_path / "data2")))
    assert "was trained on" in str(answer("evaluate", run, "--target", str(tmp_path / "data1")))
    assert "say what it is to look at" in str(answer("evaluate", run))
    assert "a detector has no report" in str(answer("report", run))
    assert "--task is of policies alone" in str(answer("train", str(tmp_path / "data1"), "-o", run, "--task", "lift"))
    assert "--world is of policies alone" in str(answer("evaluate", run, "--target", run, "--world", "qube"))
    assert "unknown learner of datasets: 'ppo'" in str(
        answer("train", str(tmp_path / "data1"), "--learner", "ppo", "-o", run)
    )
