"""Windows of the field's protocol, what predictors are measured by, and the table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simloop.benchmark.prediction import Contestant, Windows, benchmark_tracks, cut_windows
from simloop.benchmark.prediction.baselines import ConstantVelocity
from simloop.benchmark.prediction.scores import Tally, collisions, energy, tally
from simloop.cli import app
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.runs import POLICY, Run
from simloop.targets import catalogue
from simloop.targets.tracks import CHANNELS, track_set
from simloop.trajectories import TrajectorySet
from simloop.verbs_benchmark_tracks import run_track_benchmark, seen_sets


def _real(name: str) -> Windows:
    entry = catalogue.entries()["eth-ucy"]
    if not entry.present(name):
        pytest.skip(f"the real tracks are not in {entry.folder}: run 'simloop data get eth-ucy'")
    return cut_windows(track_set(f"eth-ucy/{name}"))


def _tracks(rows: list[tuple[int, int, float, float]]) -> TrajectorySet:
    """One recording of rows (instant, person, x, y)."""
    table = np.array(rows, dtype=float)
    return TrajectorySet(CHANNELS, table[:, 0] * 0.4, table[:, 2:], np.array([0, len(table)]),
                         entity=table[:, 1].astype(np.int64))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "people", "scenes"),
    [("eth", 181, 70), ("hotel", 1053, 301), ("univ", 24334, 947), ("zara1", 2253, 602), ("zara2", 5833, 921)],
)
def test_windows_are_as_many_as_the_field_counts(name: str, people: int, scenes: int) -> None:
    """The published numbers count people in windows of at least two; every scene is one instant of one recording."""
    windows = _real(name)
    assert (len(windows), windows.scenes) == (people, scenes)
    assert np.isfinite(windows.observed).all()
    assert np.isfinite(windows.future).all()
    assert np.diff(windows.offsets).min() >= 2


def test_a_window_needs_all_of_its_twenty_rows() -> None:
    """Gaps, late comers and people who are alone are in no window; with `least=1` who is alone is."""
    rows = [(k, p, float(k), p) for k in range(21) for p in (1, 2) if (k, p) != (20, 2)]
    rows += [(k, 3, float(k), 3) for k in range(21) if k != 9]
    windows = cut_windows(_tracks(rows))
    assert windows.person.tolist() == [1, 2]
    assert windows.instant.tolist() == [0, 0]
    assert cut_windows(_tracks(rows), least=1).person.tolist() == [1, 2, 1]
    assert windows.observed[0, :, 0].tolist() == list(range(8))
    assert windows.future[0, :, 0].tolist() == list(range(8, 20))
    assert np.isnan(windows.blind.future).all()


def _windows(scenes: list[list[float]], *, offset: float = 0.0) -> Windows:
    """Scenes of people who stand at (0, y), and then at (offset, y)."""
    places = np.array([y for own in scenes for y in own])
    paths = np.zeros((len(places), 20, 2))
    paths[..., 1] = places[:, None]
    paths[:, 8:, 0] = offset
    scene = np.repeat(np.arange(len(scenes)), [len(own) for own in scenes])
    return Windows(paths[:, :8], paths[:, 8:], scene, np.arange(len(places)), np.zeros_like(scene), scene)


def _value(tallies: dict[str, Tally], measure: str) -> float:
    total, count = tallies[measure]
    return float(total.sum() / count.sum())


def test_constant_velocity_has_the_published_errors() -> None:
    """The five sets' ADE and FDE of constant velocity are those of the literature, and so is their mean."""
    wanted = {"eth": (1.00, 2.23), "hotel": (0.32, 0.62), "univ": (0.52, 1.17), "zara1": (0.43, 0.96),
              "zara2": (0.33, 0.73)}  # fmt: skip
    found = []
    for name, published in wanted.items():
        windows = _real(name)
        off = ConstantVelocity().predict(windows.blind, 1, np.random.default_rng(0))[:, 0] - windows.future
        apart = np.linalg.norm(off, axis=-1)
        found.append((apart.mean(), apart[:, -1].mean()))
        assert found[-1] == pytest.approx(published, abs=0.0051)
    assert np.mean(found, axis=0) == pytest.approx((0.520, 1.141), abs=5e-4)


def test_variants_of_the_least_over_samples_are_told_apart() -> None:
    """By hand: two people and one alone, two samples each of which is right for one and wrong for the other."""
    windows = _windows([[0.0, 5.0], [9.0]])
    many = np.repeat(windows.future[:, None], 2, axis=1)
    many[0, 1, :, 0] += 1  # the first is right in sample 0, the second in sample 1
    many[1, 0, :, 0] += 3
    many[1, 1, :-1, 0] += 0.5  # a mean of 0.46 and an end that is right
    many[2, :, :, 0] += 7
    tallies = tally(windows.future[:, None] + [2.0, 0.0], many, windows)
    part = 0.5 * 11 / 12
    assert _value(tallies, "ADE") == pytest.approx(2)
    assert _value(tallies, "minADE") == pytest.approx(part / 2)
    assert _value(tallies, "minADE, of scenes") == pytest.approx((1 + part) / 2)
    assert _value(tallies, "minFDE, of scenes") == pytest.approx(0.5)
    assert _value(tallies, "minADE, alone too") == pytest.approx((part + 7) / 3)
    assert _value(tallies, "minADE, alone too, scenes alike") == pytest.approx((part / 2 + 7) / 2)
    many[0, 0, -1, 0] += 12  # sample 0 ends far away and has the larger mean; sample 1 gives both
    many[0, 0, :-1, 0] = -0.01
    again = tally(windows.future[:, None], many, windows)
    assert _value(again, "minFDE, of one sample") == pytest.approx(0.5)
    many[0, 0, -1, 0] = 6  # now it has the least mean and not the least end
    again = tally(windows.future[:, None], many, windows)
    assert _value(again, "minFDE, of one sample") == pytest.approx(3)
    assert _value(again, "minFDE") == pytest.approx(0.5)


def test_the_energy_score_is_least_for_the_truth_and_is_a_distance_of_one_sample() -> None:
    """One sample scores its root mean square distance; the law that reality is drawn from scores best."""
    windows = _windows([[0.0, 5.0]] * 400)
    rng = np.random.default_rng(1)
    assert energy(windows.future[:, None] + [0.3, 0.4], windows) == pytest.approx(0.5)
    windows.future[...] += rng.standard_normal(windows.future.shape)
    scores = []
    for spread in (0.5, 1.0, 2.0):
        drawn = windows.future * 0 + [0.0, 0.0]
        drawn[..., 1] += windows.observed[:, -1:, 1]
        many = drawn[:, None] + spread * rng.standard_normal((len(windows), 20, 12, 2))
        scores.append(energy(many, windows).mean())
    assert np.argmin(scores) == 1


def test_collisions_are_seen_between_steps() -> None:
    """Two who change places in one step meet between its ends; those who pass 0.3 m from each other do not collide."""
    windows = _windows([[0.0, 1.0], [0.0, 1.0], [3.0]])
    predicted = np.repeat(windows.future[:, None], 2, axis=1)
    predicted[0, 0, 5:, 1], predicted[1, 0, 5:, 1] = 1.0, 0.0  # sample 0 of the first scene
    predicted[2, :, 5:] = [0.3, 1.0]
    predicted[3, :, 5:] = [0.3, 0.0]
    predicted[2:4, :, :5, 0] = [[0.3]], [[0.0]]
    predicted[3, :, 5:, 0] = 0.0
    assert collisions(predicted, windows).tolist() == [1.0, 0.0, 0.0]


def test_the_table_has_baselines_intervals_and_paired_differences() -> None:
    """A model that is constant velocity differs from it by nothing, and no predictor sees the future."""
    rng = np.random.default_rng(0)
    sets = {}
    for name in ("one", "two"):
        windows = _windows([[0.0, 5.0]] * 60)
        windows.observed[...] += np.cumsum(rng.normal(0, 0.1, windows.observed.shape), axis=1)
        sets[name] = windows

    class Watched(ConstantVelocity):
        def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
            assert np.isnan(windows.future).all()
            return super().predict(windows, samples, rng)

    found = benchmark_tracks(sets, [Contestant("mine", (Watched(), {"one": Watched(), "two": Watched()}))], samples=3)
    assert [r.name for r in found.rows] == ["mine", "constant velocity", "least-squares line",
                                            "constant velocity, noise"]  # fmt: skip
    assert found.sets == {"one": (120, 60), "two": (120, 60)}
    difference = found.difference(found.rows[0], "mean", "ADE")
    assert difference.value == 0
    assert difference.interval == pytest.approx((0, 0), abs=1e-12)
    own = found.rows[0].figures
    assert own["mean"]["ADE"].value == pytest.approx((own["one"]["ADE"].value + own["two"]["ADE"].value) / 2)
    low, high = own["mean"]["ADE"].interval
    assert low < own["mean"]["ADE"].value < high
    with pytest.raises(InputError, match=r"mine: predictions must have shape \(120, 1, 12, 2\)"):
        benchmark_tracks(sets, [Contestant("mine", (_Wrong(),))])
    with pytest.raises(InputError, match="no two people are there together for 20 rows"):
        benchmark_tracks({"lonely": _windows([[0.0], [1.0]])}, [])


class _Wrong:
    name = "wrong"

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        return windows.observed[:, None, -1:]


def _written(folder: Path, people: int = 3, seconds: int = 100) -> Path:
    """Own tracks of people who walk with a little noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = [f"{10 * k} {p} {0.5 * k + rng.normal(0, 0.05):.3f} {2 * p}.0" for p in range(people)
             for k in range(seconds)]  # fmt: skip
    (folder / "walk.txt").write_text("\n".join(lines))
    return folder


def test_the_command_scores_own_tracks_and_writes_a_page(tmp_path: Path) -> None:
    """`simloop benchmark FOLDER -o page.html` prints every variant and writes one file with pictures."""
    folder = _written(tmp_path / "my-tracks")
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["benchmark", str(folder), "-o", str(page)])
    assert done.exit_code == 0, done.output
    for said in ("my-tracks", "243 windows of people in 81 scenes", "constant velocity, noise", "of scenes, of one",
                 "real people come nearer than 0.2 m"):  # fmt: skip
        assert said in done.output
    text = page.read_text()
    assert text.count("<polyline") >= 6
    assert "Every variant" in text
    assert str(tmp_path) not in text
    record = json.loads(CliRunner().invoke(app, ["benchmark", str(folder), "--samples", "2", "--json"]).stdout)
    assert record["sets"]["my-tracks"] == {"people": 243, "scenes": 81, "alone": 0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--calibrate", "5"], "--calibrate is about images"),
        (["--train", "x"], "--train is about images"),
        (["-o", "page.pdf"], "the name of the page ends in .html"),
        (["--unit", "mile"], "unknown unit of tracks 'mile'"),
        (["--model", "nothing"], "not a run of simloop"),
    ],
)
def test_options_that_are_wrong_for_tracks_are_named(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """What is about images, unknown or no run is said so."""
    folder = _written(tmp_path / "my-tracks", seconds=21)
    done = CliRunner().invoke(app, ["benchmark", str(folder), *arguments])
    assert done.exit_code != 0
    assert isinstance(done.exception, InputError)
    assert sentence in str(done.exception)


def test_one_pedestrian_is_said_to_be_too_few(tmp_path: Path) -> None:
    """Tracks of one person have no window of the protocol, and the sentence says why."""
    folder = _written(tmp_path / "alone", people=1)
    done = CliRunner().invoke(app, ["benchmark", str(folder)])
    assert "no two people are there together for 20 rows (8 s)" in str(done.exception)


def test_who_learned_from_what_is_scored_is_named() -> None:
    """A set's training part holds the recordings of all other sets, and its test is its own."""
    sets = ["eth", "hotel", "univ", "zara1", "zara2"]
    assert seen_sets(["eth-ucy/hotel/train", "eth-ucy/hotel/val"], sets) == ["eth", "univ", "zara1", "zara2"]
    assert seen_sets(["eth-ucy/hotel"], sets) == ["hotel"]
    assert seen_sets(["my-tracks.txt"], sets) == []
    assert seen_sets(["eth-ucy/hotel/train"], ["hotel"]) == []


def test_runs_that_differ_in_the_seed_alone_are_one_row(tmp_path: Path) -> None:
    """Predictors of runs are read, seeds are one row with the least and the most, and what they learned is said."""
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from simloop.learn.predictor_model import PredictorModel, PredictorShape

    shape = PredictorShape(width=8)
    for seed in (0, 1):
        made = {"predictor": {"options": {}, "seed": seed}, "real": ["eth-ucy/hotel/train"]}
        with Run.open(tmp_path / f"walk-{seed}", made) as run:
            PredictorModel(shape, [shape.network()]).save(run.folder / POLICY)
    folder = _written(tmp_path / "my-tracks", seconds=30)
    result = run_track_benchmark(str(folder), [tmp_path / "walk-0", tmp_path / "walk-1"], samples=20)
    row = result.found.rows[0]
    assert (row.name, row.seeds, row.model) == ("walk", 2, True)
    assert row.note == "learned from real tracks: eth-ucy/hotel/train"
    figure = row.figures["my-tracks"]["ADE"]
    assert figure.seeds[0] <= figure.value <= figure.seeds[1]
    assert len(row.worst) == 3
