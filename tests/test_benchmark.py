"""`simloop benchmark`: measures and intervals that are right where the answer is known, and a page that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr

from simloop import cli, verbs_benchmark
from simloop.benchmark import BINS, MEASURES, Entrant, benchmark
from simloop.benchmark.blocks import block_weights
from simloop.errors import InputError
from simloop.report.benchmarked import APART, WORST, worst
from simloop.runs import POLICY, Run
from simloop.targets import catalogue
from simloop.targets.images import image_set
from tests.tubs import write_images, write_tub


@dataclass(frozen=True)
class Reds:
    """A model that says a function of a frame's red, which is its number in the tubs of these tests."""

    say: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    label: str = "steering"

    def __call__(self, images: NDArray[np.uint8], /) -> NDArray[np.float64]:
        return self.say(images[:, 0, 0, 0].astype(float))


def _angles(n: int) -> NDArray[np.float64]:
    return np.round(0.9 * np.sin(np.arange(n) / 9), 3)


def test_measures_are_those_of_the_protocol() -> None:
    """Against loops written out and SciPy; a bin without frames is left out, and a constant has no correlation."""
    rng = np.random.default_rng(0)
    true = rng.uniform(-0.3, 1, 300)
    true[:3] = (1.0, -0.1, 0.1)
    said = 0.5 * true + 0.3 * rng.normal(size=300)
    ones = np.ones((1, 300))
    value = {m: float(measure.of(said, true, ones)[0]) for m, measure in MEASURES.items()}
    error = np.abs(said - true)
    pairs = list(zip(error, true, strict=True))
    bins = [[e for e, t in pairs if a <= t < b or t == b == 1] for a, b in pairwise(BINS)]
    assert not bins[0]
    turning = [(s > 0) == (t > 0) for s, t in zip(said, true, strict=True) if abs(t) > 0.2]
    assert value["MAE"] == pytest.approx(error.mean())
    assert value["bMAE"] == pytest.approx(np.mean([np.mean(b) for b in bins if b]))
    assert value["r"] == pytest.approx(pearsonr(said, true)[0])
    assert value["sign"] == pytest.approx(np.mean(turning))
    assert MEASURES["r"].of(np.full(300, 0.3), true, ones)[0] == 0


def test_weights_count_frames() -> None:
    """A frame of weight 2 counts as two frames, one of weight 0 not at all."""
    rng = np.random.default_rng(1)
    said, true = rng.uniform(-1, 1, (2, 50))
    weights = rng.integers(0, 3, (4, 50)).astype(float)
    for measure in MEASURES.values():
        for row, value in zip(weights.astype(int), measure.of(said, true, weights), strict=True):
            repeated = measure.of(np.repeat(said, row), np.repeat(true, row), np.ones((1, row.sum())))
            assert value == pytest.approx(repeated[0])


def test_blocks_know_that_neighbours_are_alike() -> None:
    """For errors that hang together (AR(1)) the spread of the mean is nearly the true one; of single frames a third."""
    n, phi = 4000, 0.8
    rng = np.random.default_rng(2)
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + rng.normal()
    true = np.sqrt((1 / (1 - phi)) ** 2 / n)  # of the mean of a long series
    blocks = [np.concatenate([w @ x / n for w in block_weights(n, block=b)])[1:].std() for b in (40, 1)]
    assert len(list(block_weights(n))) > 1
    assert 0.75 < blocks[0] / true < 1.1
    assert blocks[1] / true < 0.45


def test_resamples_are_whole_blocks_and_always_the_same() -> None:
    """Every resample has n frames in runs of 40; the same seed draws the same, another one others."""
    ones, drawn = block_weights(100, seed=3)
    assert ones.tolist() == [[1.0] * 100]
    assert drawn.shape == (2000, 100)
    assert (drawn.sum(axis=1) == 100).all()
    np.testing.assert_array_equal(drawn, list(block_weights(100, seed=3))[1])
    assert (drawn != list(block_weights(100, seed=4))[1]).any()
    assert len(list(block_weights(79))) == 1


def test_the_protocols_row_of_the_mean_is_reproduced() -> None:
    """On the published drive the mean of 0-599 has MAE .277, bMAE .352, r 0 and sign .79."""
    entry = catalogue.entries()["donkeycar-tub"]
    if not entry.present("all"):
        pytest.skip(f"the real images are not in {entry.folder}: {entry.made}")
    found = benchmark(image_set("donkeycar-tub/test"), [], training=image_set("donkeycar-tub/train"))
    row = next(r for r in found.rows if r.name == "mean")
    assert [round(row.values[m], 3) for m in ("MAE", "bMAE", "r")] == [0.277, 0.352, 0]
    assert round(row.values["sign"], 2) == 0.79
    assert row.labels == 600


def test_models_are_scored_beside_baselines_and_compared(tmp_path: Path) -> None:
    """An error of 0.1 everywhere is an MAE of 0.1, and its paired difference to 0.2 has no width at all."""
    angles = _angles(160)
    frames = image_set(write_tub(tmp_path / "tub", angles))
    near, far = Reds(lambda k: angles[k.astype(int)] + 0.1), Reds(lambda k: angles[k.astype(int)] - 0.2)
    found = benchmark(frames, [Entrant("far", (far,)), Entrant("near", (near,)), Entrant("both", (near, far))])
    far_row, near_row, both, mean, zero = found.rows
    assert [r.name for r in found.rows] == ["far", "near", "both", "mean", "zero"]
    assert near_row.values["MAE"] == pytest.approx(0.1)
    assert both.values["MAE"] == pytest.approx(0.15)
    assert both.seeds["MAE"] == pytest.approx((0.1, 0.2))
    assert far_row.values["r"] == pytest.approx(1)
    assert zero.values["MAE"] == pytest.approx(np.abs(angles).mean())
    assert mean.labels == 160
    difference = found.differences[0]
    assert (difference.name, difference.first) == ("near", "far")
    assert (difference.values["MAE"], *difference.intervals["MAE"]) == pytest.approx((-0.1, -0.1, -0.1))
    low, high = zero.intervals["MAE"]
    assert low < zero.values["MAE"] < high


def test_a_memory_of_places_finds_them_again(tmp_path: Path) -> None:
    """The nearest neighbour has the label of the training frame that shows the same."""
    scored = image_set(write_tub(tmp_path / "a", _angles(90)))
    training = image_set(write_tub(tmp_path / "b", [*_angles(90), 1.0, 1.0]))
    found = benchmark(scored, [], training=training)
    neighbour = found.rows[-1]
    assert neighbour.name == "nearest neighbour"
    assert neighbour.values["MAE"] == pytest.approx(0)
    assert "memory of places" in neighbour.note


def test_calibration_finds_slope_and_offset_and_says_its_labels(tmp_path: Path) -> None:
    """A model that is right but for a line is right after calibration with a few labels, in each of its seeds."""
    angles = _angles(120)
    scored, training = (image_set(write_tub(tmp_path / name, angles)) for name in ("a", "b"))
    wrong = [Reds(lambda k: angles[k.astype(int)] / 2 - 0.3), Reds(lambda k: 2 - angles[k.astype(int)])]
    found = benchmark(scored, [Entrant("wrong", tuple(wrong))], training=training, calibrate=20)
    row = next(r for r in found.rows if r.name == "wrong, calibrated")
    assert row.values["MAE"] == pytest.approx(0)
    assert row.labels == 20
    assert not row.model
    assert found.rows[0].labels == 0


def test_what_is_scored_is_not_learned_from(tmp_path: Path) -> None:
    """Training frames that are scored are refused, and so are calibration without labels and another label."""
    frames = image_set(write_tub(tmp_path / "tub", _angles(90)))
    with pytest.raises(InputError, match="holds frames that are scored"):
        benchmark(frames.take(slice(0, 50)), [], training=frames)
    with pytest.raises(InputError, match="needs labelled frames that are not scored: give --train"):
        benchmark(frames, [], calibrate=5)
    with pytest.raises(InputError, match="expected from 2 to 40, the labelled frames"):
        benchmark(frames.take(slice(40, 90)), [], training=frames.take(slice(0, 40)), calibrate=41)
    with pytest.raises(InputError, match="m: predicts 'speed'; what is scored is 'steering'"):
        benchmark(frames, [Entrant("m", (Reds(lambda k: k, label="speed"),))])
    with pytest.raises(InputError, match="m: says no finite number of 90 frames"):
        benchmark(frames, [Entrant("m", (Reds(lambda k: k * np.nan),))])


def test_the_worst_frames_are_not_all_of_one_place(tmp_path: Path) -> None:
    """Worst first, and none within ten frames of another."""
    frames = image_set(write_tub(tmp_path / "tub", np.zeros(100)))
    found = benchmark(frames, [Entrant("m", (Reds(lambda k: k / 100),))])
    assert worst(found.rows[0], found.true) == [99 - APART * k for k in range(WORST)]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes folders of trained drivers (stand-ins), and returns the words that name them on a command line."""
    monkeypatch.chdir(tmp_path)

    def read(folder: Path) -> Reds:
        off = float((folder / POLICY / "off").read_text())
        return Reds(lambda k: _angles(256)[k.astype(int)] + off)

    monkeypatch.setattr(verbs_benchmark, "read_driver", read)

    def make(**drivers: tuple[dict[str, Any], float]) -> list[str]:
        words = []
        for name, (driver, off) in drivers.items():
            folder = Path("runs") / name.replace("_", "-")
            with Run.open(folder, {"driver": driver, "dataset": {"hash": "a"}}):
                (folder / POLICY).mkdir()
                (folder / POLICY / "off").write_text(str(off))
            words += ["--model", str(folder)]
        return words

    return make


def _run(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["simloop", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_runs_that_differ_in_the_seed_alone_are_one_row(
    runs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three seeds of a model are one row with their mean; another option is another row."""
    write_tub(Path("tub"), _angles(100))
    models = runs(wide_1=({"width": 8, "seed": 1}, 0.1), wide_2=({"width": 8, "seed": 2}, 0.3),
                  narrow=({"width": 4, "seed": 1}, 0.2))  # fmt: skip
    assert _run(["benchmark", "tub", *models, "--json"], monkeypatch) == 0
    record = json.loads(capsys.readouterr().out)
    rows = {r["name"]: r for r in record["rows"]}
    assert list(rows) == ["wide", "narrow", "mean", "zero"]
    assert rows["wide"]["seeds"] == 2
    assert rows["wide"]["measures"]["MAE"]["value"] == pytest.approx(0.2)
    assert rows["narrow"]["labels used"] == 0
    assert record["differences"][0]["measures"]["MAE"]["value"] == pytest.approx(0, abs=1e-9)


def test_the_page_shows_the_worst_frames_and_loads_nothing(
    runs: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file with the table, pictures and the command; nothing from elsewhere or of this machine; same bytes."""
    folder = write_tub(tmp_path / "mine", _angles(100))
    words = ["benchmark", str(folder), *runs(driver=({"seed": 1}, 0.1)), "-o"]
    assert _run([*words, "page.html"], monkeypatch) == 0
    assert _run([*words, "again.html"], monkeypatch) == 0
    page = Path("page.html").read_text()
    assert page == Path("again.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert str(tmp_path) not in page
    assert page.count("data:image/jpeg;base64,") == WORST
    headline = "driver misses the human's steering by 0.100 on average, the mean of labels"
    for said in (headline, "Where driver is most wrong", "the human −0.", "real labels used", "--model runs/driver"):
        assert said in unescape(page)
    assert "page.html" in capsys.readouterr().out


def test_frames_without_labels_are_not_scored(
    runs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that nothing can be scored, shows what the models say, and ends well."""
    write_images(Path("frames"), [f"{k}.png" for k in range(30)])
    models = runs(driver=({"seed": 1}, 0.1), other=({"seed": 1, "width": 3}, 0.0))
    assert _run(["benchmark", "frames", *models, "-o", "page.html"], monkeypatch) == 0
    said = capsys.readouterr().out
    assert "none of 30 frames has a label, so nothing can be scored" in said
    assert "what it says" in said
    page = Path("page.html").read_text()
    assert "None of 30 frames has a label" in page
    assert "MAE" not in page


SENTENCES = {
    ("frames",): "simloop: frames: none of 3 frames has a label; give a --model to see what it says",
    ("frames", "--model", "none"): "simloop: none: not a run of simloop (it has no run.json)",
    (
        "frames",
        "--model",
        "loop",
    ): "simloop: loop: this run trained no driver; 'simloop train DATASET --learner driver'",
    ("frames", "--model", "a", "--model", "a"): "simloop: --model a: stands there twice",
    ("frames", "-o", "page.png"): "simloop: page.png: the name of the page ends in .html",
    ("",): "simloop: the name of the images is empty; give a folder, or a name of 'simloop targets'",
    ("frames", "--train", "frames"): "simloop: --train frames: none of 3 frames has a label",
    ("farmes",): "simloop: farmes: no such folder, and no images of the catalogue (did you mean 'frames'?)",
}


@pytest.mark.parametrize("words", SENTENCES, ids=" ".join)
def test_what_cannot_be_benchmarked_gets_one_sentence(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one sentence."""
    monkeypatch.chdir(tmp_path)
    write_images(Path("frames"), ["0.png", "1.png", "2.png"])
    with Run.open(Path("loop"), {"loop": {}}):
        pass
    assert _run(["benchmark", *words], monkeypatch) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(SENTENCES[words])


def test_a_trained_driver_is_read_from_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model that a run holds is scored with what it says, and the table says what it learned from."""
    pytest.importorskip("torch")
    from simloop.learn.driver_model import DriverModel, Scale, Shape

    monkeypatch.chdir(tmp_path)
    frames = image_set(write_tub(Path("tub"), _angles(90)))
    shape = Shape("steering", (16, 12), "local", 4)
    model = DriverModel(shape, Scale(0.0, 0.1), shape.network())
    configuration = {
        "driver": {"options": {"normalisation": "local", "adaptation": "none"}, "seed": 1},
        "dataset": {"hash": "a", "photographs": 12000, "world": "drive"},
    }
    with Run.open(Path("run"), configuration):
        model.save(Path("run") / POLICY)
    assert _run(["benchmark", "tub", "--model", "run", "--json"], monkeypatch) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    np.testing.assert_allclose(row["predicted"][0], model(frames.read()), atol=1e-4)
    assert row["note"] == "learned from 12000 images of drive, normalisation local, adaptation none"
