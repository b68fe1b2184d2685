"""A dataset of tracks holds what was simulated, and is the same bytes however it was made."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from simloop.data.generate import Generated
from simloop.data.generate_tracks import generate_tracks
from simloop.data.plan import holds_tracks
from simloop.data.store import Dataset
from simloop.data.tracks import TrackDataset, load_tracks
from simloop.distributions import Uniform
from simloop.errors import InputError
from simloop.targets.tracks import read_tracks
from simloop.verbs_tracks import ShownTracks, export_tracks
from simloop.worlds.crowd.channels import AT, TRAIT
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.world import Crowd

WORLD = Crowd()


def few() -> Uniform:
    """Four to nine people in a scene; all else within a hair of the default."""
    space = WORLD.parameters
    low, high = space.default.copy(), space.default.copy()
    for name, ends in {"people.count": (4, 9), "people.speed": (1.0, 1.6)}.items():
        low[space.index(name)], high[space.index(name)] = ends
    same = low == high
    up = same & (space.default < space.high)
    step = np.where(space.discrete, 1.0, 1e-9)
    return Uniform(space, np.where(same & ~up, low - step, low), np.where(up, high + step, high))


def make(folder: Path, n: int = 60, *, workers: int = 1) -> Generated:
    return generate_tracks(n, folder, scenarios=["corridor", "street"], distribution=few(), seconds=8.0, seed=3,
                           workers=workers)  # fmt: skip


def content(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of 60 scenes that one process made without a break."""
    folder = tmp_path_factory.mktemp("tracks") / "data"
    make(folder)
    return folder


def test_tracks_are_those_simulated(made: Path) -> None:
    """A dataset's tracks are what the engine gives for the same draws, to single precision, with their labels."""
    tracks = load_tracks(made)
    draws = WORLD.draws(range(60), scenarios=["corridor", "street"], distribution=few(), seed=3)
    expected = simulate([d.scene for d in draws], seconds=8.0, every=4, seed=3, numbers=range(60))
    assert len(tracks) == 60
    assert np.array_equal(tracks.offsets, expected.offsets)
    assert np.array_equal(tracks.time, expected.time)
    assert tracks.entity is not None
    assert expected.entity is not None
    assert np.array_equal(tracks.entity, expected.entity)
    np.testing.assert_allclose(tracks.values, expected.values, atol=1e-5)
    assert tracks.parameters is not None
    np.testing.assert_array_equal(tracks.parameters, np.array([d.row for d in draws]))
    shards = list(TrackDataset.open(made).tables())
    speed = np.concatenate([s.people["trait.speed"] for s in shards])
    np.testing.assert_allclose(speed, np.concatenate([d.scene.traits[:, TRAIT["speed"]] for d in draws]), rtol=1e-6)
    group = np.concatenate([d.scene.groups for d in draws])
    assert np.array_equal(np.concatenate([s.people["group"] for s in shards]), group)
    assert set(np.unique(tracks.values[:, AT["group"]])) <= set(group.tolist())
    arrived = np.concatenate([s.people["arrived"] for s in shards])
    known = [t for scene in expected.meta["arrived"] for t in scene]
    np.testing.assert_array_equal(arrived, [np.nan if t is None else t for t in known])


def test_workers_and_growth_change_no_byte(made: Path, tmp_path: Path) -> None:
    """Two processes write what one writes, and so does a dataset that grew from 30 scenes."""
    make(tmp_path / "two", workers=2)
    assert content(tmp_path / "two") == content(made)
    assert make(tmp_path / "grown", 30).made == 30
    assert make(tmp_path / "grown", 60).made == 35  # the shard of 5 was not full, and is made again
    assert content(tmp_path / "grown") == content(made)
    assert make(tmp_path / "grown", 10).made == 0


SCRIPT = """
import sys
from pathlib import Path
from tests.test_tracks_data import make
if __name__ == "__main__":
    make(Path(sys.argv[1]))
"""


def test_a_command_that_was_killed_goes_on(made: Path, tmp_path: Path) -> None:
    """After kill -9 what is whole stays, and the same command gives the same bytes."""
    folder, script = tmp_path / "data", tmp_path / "make.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env={"PYTHONPATH": root})
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None and not (folder / "shard-00000").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not (folder / "shard-00002").exists():
        with pytest.raises(InputError, match=r"not complete, it has \d+ of 60 scenes"):
            load_tracks(folder)
    assert make(folder).made <= 35
    assert content(folder) == content(made)


def test_what_is_damaged_or_of_another_kind_is_named(made: Path, tmp_path: Path) -> None:
    """A changed byte, another configuration and a dataset of images are told in a sentence."""
    folder = tmp_path / "data"
    make(folder, 5)
    assert holds_tracks(folder)
    with pytest.raises(InputError, match="a dataset of tracks, where one of images is needed"):
        Dataset.open(folder)
    with pytest.raises(InputError, match=r"holds another dataset \(seconds: 8\.0, now 9\.0\)|holds another dataset"):
        generate_tracks(5, folder, scenarios=["corridor"], seconds=9.0, seed=3)
    table = folder / "shard-00000" / "tracks.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"shard-00000 is damaged \(tracks.parquet"):
        load_tracks(folder)


def test_another_map_of_the_same_name_is_another_dataset(tmp_path: Path) -> None:
    """A dataset of scenes in a map is of what the map's file said then."""
    hall, folder = tmp_path / "hall.wkt", tmp_path / "data"
    hall.write_text("POLYGON ((0 0, 12 0, 12 9, 0 9, 0 0))")
    generate_tracks(2, folder, scenarios=[str(hall)], seconds=2.0, distribution=few(), seed=3)
    hall.write_text("POLYGON ((0 0, 14 0, 14 9, 0 9, 0 0))")
    with pytest.raises(InputError, match="scenario sources"):
        generate_tracks(4, folder, scenarios=[str(hall)], seconds=2.0, distribution=few(), seed=3)


def test_bad_requests_are_told_in_a_sentence(tmp_path: Path) -> None:
    """Names, models, lengths and numbers that are none get a sentence, and no folder."""
    for message, options in {
        "unknown scenario of world 'crowd': 'crosing'": {"scenarios": ["crosing"]},
        "unknown model of walking 'orcas'": {"model": "orcas"},
        "must be above 0 s, got -1": {"seconds": -1.0},
        r"must be a multiple of 0.1 s, got 0.25": {"interval": 0.25},
    }.items():
        with pytest.raises(InputError, match=message):
            generate_tracks(5, tmp_path / "data", **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n must be at least 1, got 0"):
        generate_tracks(0, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("form", ["trajnet", "pedpy", "plain"])
def test_exported_tracks_are_read_back(made: Path, tmp_path: Path, form: str) -> None:
    """Each scene is a file of the format, and holds the same people at the same places."""
    exported = export_tracks(tmp_path / "out", made, form)
    tracks = load_tracks(made)
    assert exported.written == {"files": 60, "rows": len(tracks.time)}
    (file,) = (tmp_path / "out").glob("street-7.*")
    back, one = read_tracks(file), tracks.episode(7)
    assert back.entity is not None
    assert one.entity is not None
    assert np.array_equal(np.unique(back.entity, return_counts=True)[1], np.unique(one.entity, return_counts=True)[1])
    at = [np.lexsort((back.entity, back.time)), np.lexsort((one.entity, one.time))]
    for name in ("x", "y"):
        np.testing.assert_allclose(back.column(name)[at[0]], one.column(name)[at[1]], atol=1e-3)
    assert export_tracks(tmp_path / "out", made, form).written == exported.written
    with pytest.raises(InputError, match="unknown format of tracks 'coco'"):
        export_tracks(tmp_path / "other", made, "coco")


def test_what_a_dataset_holds_is_counted(made: Path) -> None:
    """Scenes, people and rows by scenario sum to those of the tables."""
    shown = ShownTracks.read(made).to_dict()
    counts = shown["counts"]
    assert set(shown["scenarios"]) == {"corridor", "street"}
    for name in ("scenes", "people", "rows"):
        assert sum(s[name] for s in shown["scenarios"].values()) == counts[name]
    assert counts["scenes"] == 60
    assert counts["overlaps"] == 0
