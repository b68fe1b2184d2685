"""Recordings of the catalogue that are absent, damaged or of another machine: one sentence each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simloop.columns import Column, ColumnMap
from simloop.errors import InputError
from simloop.targets import catalogue, get_target
from simloop.targets.cube_tosses import read_tosses
from simloop.targets.recorded import recorded_target
from simloop.worlds import World, get_world


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recordings with nothing in it."""
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path))
    return tmp_path


UNPUBLISHED = {
    "quanser": (
        "qube: no public address has these files as simloop reads them; put"
        " qq-su_ectrl_250Hz_5s/rollout_real_2021-04-14_18-34-53.npz into DATA/quanser yourself:"
        " numpy.savez_compressed of the arrays time, states,"
    ),
    "cart-pole": (
        "cart-pole: no public address has these files as simloop reads them; put"
        " qcp_chrip_3to0Hz_+3.5V_250Hz/rollout_real_2021-04-14_19-38-02.npz into DATA/quanser yourself:"
    ),
    "cube-tosses": (
        "cube-tosses: no public address has these files as simloop reads them; put tosses.npz into DATA/cube-tosses"
        " yourself: numpy.savez_compressed of samples"
    ),
}


@pytest.mark.parametrize("name", UNPUBLISHED)
def test_files_without_an_address_are_not_downloaded(name: str, empty: Path) -> None:
    """What no server has is not asked for: the sentence says how to make it, and where it belongs."""
    with pytest.raises(InputError) as error:
        catalogue.get(name)
    assert str(error.value).replace(str(empty), "DATA").startswith(UNPUBLISHED[name])
    assert not list(empty.rglob("*"))


BAD_NAMES = {
    (
        "qube",
        "qube/chirps-train",
    ): "the recordings 'qube/chirps-train' are not on this machine (looked in DATA/quanser):"
    " run 'simloop data get qube', or set SIMLOOP_DATA",
    ("qube", "cube-tosses/test"): "'cube-tosses/test' are recordings of 'cube-toss', not of 'qube'",
    ("qube", "qube/chirp-test"): "unknown part of 'qube': 'chirp-test' (did you mean 'chirps-test' or 'chirps'?)",
}


@pytest.mark.parametrize(("world", "name"), BAD_NAMES)
def test_recordings_that_cannot_be_had_are_named(world: str, name: str, empty: Path) -> None:
    """Absent recordings, another machine's and unknown parts are one sentence."""
    with pytest.raises(InputError) as error:
        get_target(name, get_world(world))
    assert str(error.value).replace(str(empty), "DATA") == BAD_NAMES[world, name]


def test_a_part_that_only_one_of_two_entries_has_is_named(empty: Path) -> None:
    """A folder that two machines share has the parts of each."""
    with pytest.raises(InputError, match="unknown part of 'cart-pole': 'swing-up-5s'"):
        catalogue.get("cart-pole", split="swing-up-5s")


def test_a_changed_file_of_tosses_is_not_the_published_one(empty: Path) -> None:
    """Other content than the published is refused with the way to make it anew."""
    (empty / "cube-tosses").mkdir()
    np.savez_compressed(empty / "cube-tosses" / "tosses.npz", samples=np.zeros((9, 13)), offsets=np.array([0, 9]))
    with pytest.raises(
        InputError, match=r"tosses.npz: differs from the published file \(SHA-256\); make it anew: numpy"
    ):
        get_target("cube-tosses/all", get_world("cube-toss"))
    with pytest.raises(InputError, match=r"tosses.npz: differs from the published file \(SHA-256\)"):
        catalogue.get("cube-tosses")


def test_a_damaged_file_of_tosses_is_named(tmp_path: Path) -> None:
    """What is no archive, or one without the arrays, is one sentence."""
    broken, other = tmp_path / "broken.npz", tmp_path / "other.npz"
    broken.write_bytes(b"PK nothing")
    np.savez(other, states=np.zeros(3))
    for file in (broken, other):
        with pytest.raises(InputError, match=r"not the file of tosses \(expected the arrays samples and offsets\)"):
            read_tosses([file])


def test_a_column_map_has_no_say_in_an_entry_with_its_own_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that would be ignored is refused."""
    entry = catalogue.entries()["cube-tosses"]
    if not entry.present("test"):
        pytest.skip(f"the real recordings are not in {entry.folder}: {entry.made}")
    columns = ColumnMap(channels={"position": Column(["x", "y", "z"])}, source="cube.yaml")
    with pytest.raises(InputError, match=r"cube.yaml: 'cube-tosses/test' is read without a column map"):
        get_target("cube-tosses/test", get_world("cube-toss"), columns)


def test_logs_may_hold_rates_of_the_right_width(pendulum: World, tmp_path: Path) -> None:
    """A rate that the column map names is read as it is; one of another width, or of nothing, is refused."""
    time = np.arange(100) * 0.002
    np.savez(tmp_path / "log.npz", time=time, q=np.sin(time), w=np.full(100, 7.0), u=0 * time)
    actions = {"motor": Column("u")}
    columns = ColumnMap({"hinge": Column("q"), "hinge.velocity": Column("w", "deg/s")}, actions)
    recordings = recorded_target(str(tmp_path / "log.npz"), pendulum, columns).recordings
    np.testing.assert_allclose(recordings.column("hinge.velocity"), np.radians(7.0))
    wide = ColumnMap({"hinge": Column("q"), "hinge.velocity": Column(["q", "w"])}, actions)
    with pytest.raises(InputError, match=r"'hinge.velocity' needs 1 column, got 'q', 'w'"):
        recorded_target(str(tmp_path / "log.npz"), pendulum, wide)
    misspelt = ColumnMap({"hinge": Column("q"), "hinge.speed": Column("w")}, actions)
    with pytest.raises(InputError, match=r"the world has no channel 'hinge.speed'"):
        recorded_target(str(tmp_path / "log.npz"), pendulum, misspelt)
