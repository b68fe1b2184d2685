"""Recorded tracks of people: formats, the catalogue's recordings, and what is wrong with files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from simloop.errors import DataWarning, InputError
from simloop.targets import catalogue
from simloop.targets.track_formats import FORMATS, write_tracks
from simloop.targets.tracks import read_tracks, track_set
from simloop.trajectories import TrajectorySet


def _real(name: str) -> TrajectorySet:
    entry, split = catalogue.find(f"eth-ucy/{name}") or (None, "")
    assert entry is not None
    if not entry.present(split):
        pytest.skip(f"the real tracks are not in {entry.folder}: run 'simloop data get eth-ucy'")
    return track_set(f"eth-ucy/{name}")


def _file(folder: Path, text: str, name: str = "tracks.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _walk(folder: Path, *, speed: float = 1.3, step: int = 10, rows: int = 30, name: str = "tracks.txt") -> Path:
    lines = [f"{k * step}\t{p}\t{speed * 0.04 * k * step:.6f}\t{p}.0" for k in range(rows) for p in (1, 2)]
    return _file(folder, "\n".join(lines), name)


def test_the_catalogues_recordings_are_read_row_by_row() -> None:
    """A recording's rows are those of its file: places, people, and times of ten frames for 0.4 s."""
    tracks = _real("hotel")
    rows = np.loadtxt(tracks.sources[0])
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    assert np.allclose(tracks.time, rows[:, 0] * 0.04)
    assert (tracks.entity == rows[:, 1]).all()
    assert np.allclose(tracks.values, rows[:, 2:])
    assert len(_real("univ")) == 2
    assert len(_real("zara1/train")) == 7


def test_data_get_fetches_a_part_and_checks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a part come from the source's own layout; one that differs is not kept."""
    _real("zara1")
    source = tmp_path / "source"
    shutil.copytree(catalogue.entries()["eth-ucy"].folder / "zara1" / "test", source / "zara1" / "test")
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path / "data"))
    folder = catalogue.get("eth-ucy", split="zara1", url=f"{source.as_uri()}/")
    assert [p.name for p in folder.rglob("*.txt")] == ["crowds_zara01.txt"]
    assert len(track_set("eth-ucy/zara1").time) == 5153
    with pytest.raises(InputError, match=r"the tracks 'eth-ucy/hotel' are not on this machine .*data get eth-ucy"):
        track_set("eth-ucy/hotel")
    file = folder / "zara1" / "test" / "crowds_zara01.txt"
    file.chmod(0o644)
    file.write_text("0 1 2 3\n")
    with pytest.raises(InputError, match="differs from the published file"):
        track_set("eth-ucy/zara1")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_back_as_it_was_written(format: str, tmp_path: Path) -> None:
    """What is written in a format is read back: the same people at the same times and places."""
    tracks = _real("hotel")
    write_tracks(tracks, tmp_path / "tracks", format=format)
    again = read_tracks(tmp_path / "tracks")
    assert np.allclose(again.time, tracks.time)
    assert (again.entity == tracks.entity).all()
    assert np.allclose(again.values, tracks.values, atol=1e-4)


def test_pedpy_reads_what_is_written_for_it(tmp_path: Path) -> None:
    """PedPy's own reader gets the same frames, people and places, and the frame rate."""
    pedpy = pytest.importorskip("pedpy")
    tracks = read_tracks(_walk(tmp_path))
    write_tracks(tracks, tmp_path / "pedpy.txt", format="pedpy", frame_seconds=0.4)
    read = pedpy.load_trajectory_from_txt(trajectory_file=tmp_path / "pedpy.txt")
    assert read.frame_rate == pytest.approx(2.5)
    data = read.data.sort_values(["frame", "id"])
    assert np.allclose(data[["x", "y"]], tracks.values)
    assert (data["id"] == tracks.entity).all()
    assert np.allclose(data["frame"] * 0.4, tracks.time)


def test_trajnet_scenes_are_whole_stretches_of_a_person_and_fps_is_of_rows(tmp_path: Path) -> None:
    """Scenes hold 21 rows of their person; frames ten apart at 2.5 rows a second are 0.4 s apart."""
    tracks = read_tracks(_walk(tmp_path))
    write_tracks(tracks, tmp_path / "t.ndjson", format="trajnet")
    lines = [json.loads(line) for line in (tmp_path / "t.ndjson").read_text().splitlines()]
    scenes = [line["scene"] for line in lines if "scene" in line]
    assert [(s["p"], s["s"], s["e"], s["fps"]) for s in scenes] == [(1, 0, 200, 2.5), (2, 0, 200, 2.5)]
    predicted = json.dumps({"track": {"f": 0, "p": 1, "x": 9.0, "y": 9.0, "prediction_number": 0, "scene_id": 0}})
    with (tmp_path / "t.ndjson").open("a") as file:
        file.write(predicted + "\n")
    assert np.allclose(read_tracks(tmp_path / "t.ndjson").values, tracks.values)


def test_other_rates_are_brought_to_four_tenths_of_a_second_and_said(tmp_path: Path) -> None:
    """Rows at 25 per second become rows each 0.4 s on the same lines, and a warning says so."""
    path = _walk(tmp_path, step=1, rows=101)
    with pytest.warns(DataWarning, match=r"rows of a track are 0\.04 s apart; brought to 0\.4 s"):
        tracks = read_tracks(path)
    assert np.allclose(np.unique(tracks.time), np.arange(11) * 0.4)
    assert np.allclose(tracks.column("x"), 1.3 * tracks.time)
    rate = _file(tmp_path, "# framerate: 2\n" + "\n".join(f"1 {k} {0.5 * k} 0" for k in range(9)), "slow.txt")
    with pytest.warns(DataWarning, match="are 0.5 s apart"):
        tracks = read_tracks(rate)
    assert np.allclose(tracks.column("x"), tracks.time)


def test_feet_are_noticed_and_read(tmp_path: Path) -> None:
    """Lengths in feet read as metres are speeds that nobody walks; as feet they are right."""
    path = _walk(tmp_path, speed=1.3 / 0.3048)
    with pytest.raises(InputError, match=r"walk at 4\.27 m/s .* --unit ft \(then it is 1\.3 m/s\)"):
        read_tracks(path)
    tracks = read_tracks(path, unit="ft")
    assert np.allclose(tracks.column("x"), 1.3 * tracks.time, atol=1e-5)
    with pytest.raises(InputError, match="unknown unit of tracks 'feet'"):
        read_tracks(path, unit="feet")


def test_repeated_rows_are_read_once_and_two_places_at_once_are_an_error(tmp_path: Path) -> None:
    """The same row twice counts once, with a warning; somebody at two places in a frame is named with both lines."""
    path = _file(tmp_path, "0 1 0 0\n10 1 0.5 0\n10 1 0.5 0\n20 1 1.0 0\n")
    with pytest.warns(DataWarning, match=r"1 repeated row \(the first on line 3\)"):
        assert len(read_tracks(path).time) == 3
    path = _file(tmp_path, "0 1 0 0\n10 1 0.5 0\n20 1 1 0\n10 1 0.9 0\n")
    with pytest.raises(InputError, match="pedestrian 1 is at two places in frame 10, lines 2 and 4"):
        read_tracks(path)


def test_gaps_and_rows_without_a_place_stay_gaps(tmp_path: Path) -> None:
    """Nothing is made up where a track has a gap, at the field's rate or another."""
    path = _file(tmp_path, "0 1 0 0\n10 1 0.5 0\n20 1 nan nan\n30 1 1.5 0\n")
    with pytest.warns(DataWarning, match=r"1 row without a place \(the first on line 3\)"):
        assert np.allclose(read_tracks(path).time, [0, 0.4, 1.2])
    rows = [k for k in range(101) if not 41 <= k <= 59]
    path = _file(tmp_path, "\n".join(f"{k} 1 {0.05 * k} 0" for k in rows))
    with pytest.warns(DataWarning, match="brought to"):
        tracks = read_tracks(path)
    assert np.allclose(tracks.time, [0, 0.4, 0.8, 1.2, 1.6, 2.4, 2.8, 3.2, 3.6, 4.0])


def test_a_header_names_the_columns_in_any_order(tmp_path: Path) -> None:
    """CSV columns are found by name; a time in s is taken for what it is."""
    path = _file(tmp_path, "y,x,id,time\n0,1.0,7,0.0\n0,1.5,7,0.4\n", "a.csv")
    tracks = read_tracks(path)
    assert np.allclose(tracks.time, [0, 0.4])
    assert np.allclose(tracks.column("x"), [1, 1.5])
    assert tracks.entity is not None
    assert set(tracks.entity) == {7}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no pedestrian"),
        ("# a comment\n", "holds no pedestrian"),
        ("0 1 nan nan\n", "holds no pedestrian: no row has a place"),
        ("0 1 2\n", "line 1: expected four columns .*, got 3"),
        ("1 2 3 4 5 6 7 8\n", "expected four columns .*, got 8"),
        ("0 1 2 3\n10 1 2\n", "line 2: has 3 columns, the lines before have 4"),
        ("0 1 2 3\n10 1 two 3\n", "line 2: expected a number, got 'two'"),
        ("0 1.5 2 3\n", "line 1: expected a frame and a whole number that names the pedestrian, got 0 and 1.5"),
        ("frame,x,y\n0,1,2\n", "no column of pedestrian: expected one called 'ped' or"),
        ('{"scene": {"id": 0}}\n{"track": {"f": 0, "p": 1, "x": 2}}\n', "line 2: .*'y' is missing"),
        ('{"scene": {"id": 0}}\n{"tracks": 3}\n', "line 2: expected"),
        ("# framerate: 0\n1 0 0 0\n", "expected a frame rate above 0"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    """Every doubtful file is named, with the line and what was expected."""
    with pytest.raises(InputError, match=sentence):
        read_tracks(_file(tmp_path, text))


def test_what_is_no_file_of_tracks_is_said(tmp_path: Path) -> None:
    """Missing files, empty folders, binary files and entries of other things have their sentences."""
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\0\0\0")
    (tmp_path / "empty").mkdir()
    for name, sentence in (
        ("none.txt", "no such file"),
        ("empty", "no file of tracks in this folder"),
        ("picture.txt", "not a text file"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_tracks(tmp_path / name)
    with pytest.raises(InputError, match="are no tracks of people"):
        track_set("cube-tosses/test")
    with pytest.raises(InputError, match=r"unknown part of 'eth-ucy': 'hotell' \(did you mean 'hotel'"):
        track_set("eth-ucy/hotell")
