"""Datasets that are damaged, of another world or in a bad place end with one sentence, or are made whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop import cli
from simloop.data import shard as shard_module
from simloop.data.generate import generate
from simloop.data.plan import MANIFEST, Manifest
from simloop.data.repair import repair
from simloop.data.sheet import write_sheet
from simloop.data.store import Dataset
from simloop.errors import InputError
from simloop.frames import Request
from simloop.runs import lock_folder
from tests.painted import CATEGORIES, Painted
from tests.test_generate import content

WORLD = Painted()
REQUEST = Request(size=(24, 16), cameras=WORLD.cameras)


def make(folder: Path, n: int = 150, world: Painted = WORLD, **options: Any) -> None:
    generate(world, n, folder, **{"seed": 1, "request": REQUEST, **options})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "data"
    make(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A dataset to be damaged."""
    return shutil.copytree(whole, tmp_path / "data")


def said(run: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as error:
        run()
    assert "\n" not in str(error.value)
    return str(error.value)


def read_all(folder: Path) -> None:
    for frame in Dataset.open(folder):
        assert frame.rgb.size


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


# --- folders that are no dataset, or no readable one


def test_what_is_not_a_dataset_is_said(tmp_path: Path) -> None:
    """No folder, another folder, a file: each has its sentence, for readers and for writers."""
    assert said(lambda: Dataset.open(tmp_path / "none")) == f"{tmp_path / 'none'}: no such folder"
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    assert said(lambda: Dataset.open(other)) == f"{other}: not a dataset of simloop (it has no dataset.json)"
    assert (
        said(lambda: make(other)) == f"{other}: not empty and not a dataset of simloop; give a new or an empty folder"
    )
    file = tmp_path / "file"
    file.touch()
    assert said(lambda: make(file)) == f"{file}: is a file; give a folder for the dataset"
    assert "world 'painted' has no camera" in said(lambda: make(tmp_path / "none", world=Painted(cameras=())))
    assert not (tmp_path / "none").exists()


def test_a_newer_schema_is_named(folder: Path) -> None:
    """A dataset of a later simloop says so instead of being misread."""
    rewrite(folder / MANIFEST, lambda record: record.update(schema=2))
    assert said(lambda: Dataset.open(folder)) == (
        f"{folder / MANIFEST}: written by a newer simloop (its schema is 2, this one reads 1); upgrade simloop"
    )
    assert "newer simloop" in said(lambda: make(folder))


def test_a_damaged_manifest_is_named_and_can_be_written_over(folder: Path, whole: Path) -> None:
    """Half a manifest and one that somebody edited are told from a good one; always starts over."""
    good = (folder / MANIFEST).read_text()
    for bad in (good[: len(good) // 2], good.replace('"seed": 1', '"seed": 2'), "[]", "{}"):
        (folder / MANIFEST).write_text(bad)
        sentence = said(lambda: Dataset.open(folder))
        assert sentence.startswith(f"{folder / MANIFEST}: damaged (")
        assert sentence.endswith("; give the command that made it again with --resume always")
        assert said(lambda: make(folder)) == sentence
    make(folder, resume="always")
    assert content(folder) == content(whole)


def test_a_read_only_folder(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place where nothing may be written is named; a dataset there can be read."""
    if os.geteuid() == 0:  # root may write anywhere: let the system say no

        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    else:
        tmp_path.chmod(0o500)
    try:
        sentence = said(lambda: make(tmp_path / "new"))
    finally:
        monkeypatch.undo()
        tmp_path.chmod(0o700)
    assert sentence.endswith("new: cannot be written: Permission denied")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    read_all(folder)
    folder.chmod(0o700)


def test_a_full_disk_is_one_sentence(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that looks whole is left of the shard that did not fit, and the same command goes on afterwards."""
    store, stored = shard_module._store, [0]

    def fill(*given: Any) -> Any:
        stored[0] += 1
        if stored[0] > 230:
            raise OSError(errno.ENOSPC, "No space left on device")
        return store(*given)

    monkeypatch.setattr(shard_module, "_store", fill)
    folder = tmp_path / "data"
    assert said(lambda: make(folder)) == (
        f"{folder / 'shard-00001'}: the disk is full; free some space and give the same command again"
    )
    assert sorted(p.name for p in folder.iterdir()) == ["dataset.json", "lock", "shard-00000"]
    monkeypatch.undo()
    make(folder)
    assert content(folder) == content(whole)


def test_two_commands_in_one_folder(folder: Path) -> None:
    """A folder in which a command is at work is left alone by another one."""
    lock = lock_folder(folder)
    for run in (lambda: make(folder, 200), lambda: repair(folder, WORLD)):
        assert said(run) == f"{folder}: another simloop process is working in this folder"
    lock.close()


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    """An address at which nothing answers, or none that Ray knows, is said within seconds."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    with socket.socket() as taken:  # a port that nobody listens at
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        sentence = said(lambda: make(tmp_path / "data", executor="ray", address=address))
    assert sentence.startswith(f"no Ray cluster at {address}: ")
    assert not list((tmp_path / "data").glob("shard-*"))
    assert "unknown executor 'rya' (did you mean 'ray'?)" in said(lambda: make(tmp_path / "data", executor="rya"))


# --- another dataset in the folder


def test_another_dataset_is_refused_with_what_differs(folder: Path, whole: Path) -> None:
    """Another seed, request or world is named; never refuses any dataset; always starts over where it must."""
    assert said(lambda: make(folder, seed=2)) == (
        f"{folder}: holds another dataset (seed was '1', now '2'); give a new folder, or --resume always to start over"
        " in this one"
    )
    larger = Request(size=(32, 16), cameras=WORLD.cameras)
    assert "(request.size.0 was '24', now '32')" in said(lambda: make(folder, request=larger))
    edited = Painted(edition=2)
    assert "(world.content was 'painted 1', now 'painted 2')" in said(lambda: make(folder, world=edited))
    assert content(folder) == content(whole)
    assert "holds a dataset already, and --resume is 'never'" in said(lambda: make(folder, resume="never"))
    before = (folder / "shard-00000").stat().st_ino
    make(folder, resume="always")
    assert (folder / "shard-00000").stat().st_ino == before
    make(folder, 30, seed=2, resume="always")
    assert (len(Dataset.open(folder)), Dataset.open(folder).seed) == (60, 2)
    assert said(lambda: make(folder, resume="maybe")).startswith("unknown choice of --resume 'maybe'")


def test_shards_of_another_dataset_are_not_taken_for_ones_own(folder: Path, tmp_path: Path, whole: Path) -> None:
    """A shard that was copied from a dataset of another seed is found out, and made anew."""
    make(tmp_path / "other", seed=2)
    shutil.rmtree(folder / "shard-00000")
    shutil.copytree(tmp_path / "other" / "shard-00000", folder / "shard-00000")
    assert "shard-00000 is damaged (shard.json is that of another shard or dataset)" in said(lambda: read_all(folder))
    repair(folder, WORLD)
    assert content(folder) == content(whole)


# --- damage


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "an image is cut": ("shard-00001/*.rgb.png", truncate),
    "an image has a wrong bit": ("shard-00001/*.depth.png", flip),
    "an image is gone": ("shard-00001/*.instances.png", Path.unlink),
    "an image is empty": ("shard-00001/*.rgb.png", lambda path: path.write_bytes(b"")),
    "a table is cut": ("shard-00001/frames.parquet", truncate),
    "a table has a wrong bit": ("shard-00001/objects.parquet", flip),
    "a table is gone": ("shard-00001/objects.parquet", Path.unlink),
    "the record is gone": ("shard-00001/shard.json", Path.unlink),
    "the record is cut": ("shard-00001/shard.json", truncate),
    "the record says nothing": ("shard-00001/shard.json", lambda path: path.write_text("[]")),
    "the shard is gone": ("shard-00001", shutil.rmtree),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_mended(folder: Path, whole: Path, damage: str) -> None:
    """A damaged file is named with its shard and the way out, which gives the same bytes and leaves the rest alone."""
    pattern, spoil = DAMAGES[damage]
    path = first(folder, pattern)
    spoil(path)
    sentence = said(lambda: read_all(folder))
    assert sentence.startswith(f"{folder}: shard-00001 is damaged (")
    assert sentence.endswith(f"; make it anew with: simloop data repair {folder}")
    if path.name != "shard-00001":
        assert path.name in sentence
    untouched = (folder / "shard-00000").stat().st_ino
    repaired = repair(folder, WORLD)
    assert repaired.made is not None
    assert repaired.made.made == 100
    assert [d.shard for d in repaired.damages] == ([] if path.name == "shard-00001" else [1])
    assert content(folder) == content(whole)
    assert (folder / "shard-00000").stat().st_ino == untouched
    assert repair(folder, WORLD).made is None


def test_a_repair_that_would_give_other_images_is_refused(folder: Path) -> None:
    """Where the world or an engine has changed the damage is named, with what changed, and nothing is removed."""
    image = first(folder, "shard-00000/*.rgb.png")
    truncate(image)
    sentence = said(lambda: repair(folder, Painted(edition=2)))
    assert sentence.startswith(f"{folder}: cannot be made whole (shard-00000: {image.name} is not what was written")
    assert "other images would come out (world.content was 'painted 1', now 'painted 2')" in sentence
    assert len(list(folder.glob("shard-*"))) == 2
    assert said(lambda: repair(folder)).startswith("unknown world 'painted'")


def test_an_unfinished_dataset_is_said_so_and_can_be_looked_at(folder: Path) -> None:
    """What is not complete is not opened by mistake; asked for, it gives the shards that are there."""
    rewrite(folder / MANIFEST, lambda record: record.update(counts=None))
    shutil.rmtree(folder / "shard-00000")
    assert said(lambda: Dataset.open(folder)) == (
        f"{folder}: not complete, it has 50 of 150 frames; give the command that makes it again, and it goes on"
    )
    there = Dataset.open(folder, unfinished=True)
    assert (len(there), there[0].index) == (100, 100)


# --- correct results where one might fear for them


def test_names_in_any_alphabet(tmp_path: Path) -> None:
    """Spaces, slashes and letters of any alphabet in folders, cameras, categories and objects come back."""
    folder = tmp_path / "данные und Bilder/日本"
    make(folder, 3)
    frame = Dataset.open(folder)[1]
    assert frame.camera.name == "hintere Kamera/奥"
    assert frame.categories == CATEGORIES
    assert sorted(folder.glob("shard-*/*奥.rgb.png"))[0].name == "000000-hintere Kamera~2F奥.rgb.png"


def test_frames_without_objects(tmp_path: Path) -> None:
    """A dataset in which nothing is to be seen is written, read, shown and drawn."""
    from simloop.distributions import Point

    nothing = Point(WORLD.parameters, [0, 0.1])
    make(tmp_path / "data", 5, distribution=nothing)
    dataset = Dataset.open(tmp_path / "data")
    assert [len(f.objects) for f in dataset] == [0] * 10
    assert dataset[0].objects.keypoints.shape[1:] == (2, 3)
    write_sheet(tmp_path / "sheet.png", dataset)


def test_pixels_that_are_too_far_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Depth beyond what the steps reach is 0, counted in the manifest, and said."""

    class Far(Painted):
        def frames(self, *given: Any, **named: Any) -> Any:
            for frame in super().frames(*given, **named):
                depth = np.where(frame.depth == 5.0, 7.0, frame.depth)
                yield frame.replace(depth=depth)

    make(tmp_path / "data", 3, Far())
    counts = Manifest.read(tmp_path / "data").counts
    assert counts is not None
    assert counts["lost"]["depth"] == sum(int((f.depth == 0).sum()) for f in Dataset.open(tmp_path / "data"))
    assert run("data", "show", str(tmp_path / "data")) == 0
    assert "pixels of depth are farther than 65,535 steps" in capsys.readouterr().out


# --- the command line


def run(*arguments: str) -> int:
    """The exit code of a command."""
    import sys

    before, sys.argv = sys.argv, ["simloop", *arguments]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)
    finally:
        sys.argv = before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["generate", "qubee", "-o", "x"], "unknown world 'qubee' (did you mean 'qube'?)"),
        (["generate", "tabletop", "-o", "x", "--size", "12"], "--size is '12': expected width and height in pixels"),
        (["generate", "tabletop", "-o", "x", "--passes", "dept"], "unknown pass 'dept' (did you mean 'depth'"),
        (["generate", "tabletop", "-o", "x", "--cameras", "fron"], "unknown camera of world 'tabletop': 'fron'"),
        (["generate", "tabletop", "-o", "x", "--distinct", "light"], "--distinct is 'light=': expected a group and"),
        (["generate", "tabletop", "-o", "x", "--look", "wild"], "unknown look of world 'tabletop': 'wild'"),
        (
            ["generate", "tabletop", "-o", "x", "--distribution", "wid"],
            "unknown distribution of world 'tabletop': 'wid'",
        ),
        (["data", "show", "x"], "x: no such folder"),
        (["data", "diff", "x", "y"], "x: no such folder"),
        (["data", "repair", "x"], "x: no such folder"),
        (["look", "tabletop", "-o", "sheet.txt"], "sheet.txt: the name of a sheet ends in .png"),
        (["generate", "tabletop", "-o", "x", "-n", "0"], "Invalid value for '-n' / '--frames': 0 is not in the range"),
    ],
)
def test_commands_that_cannot_be_done(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One sentence on standard error, exit code 2, and no folder made."""
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"simloop: {sentence}"), said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_commands_on_a_dataset(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is shown, compared, drawn and added: what is not said is as in the dataset that is there."""
    import simloop.worlds

    monkeypatch.setitem(simloop.worlds._WORLDS, "painted", lambda: WORLD)
    assert run("data", "show", str(folder), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["photographs"], shown["complete"], shown["seed"]) == (300, True, 1)
    assert run("data", "diff", str(folder), str(folder)) == 0
    assert "are equal: 300 images with the same labels" in capsys.readouterr().out
    assert run("look", str(folder), "-o", str(tmp_path / "sheet.png"), "-n", "3") == 0
    capsys.readouterr()
    assert run("generate", "painted", "-o", str(folder), "-n", "160") == 0
    assert "160 frames, 320 images; 120 made now" in capsys.readouterr().out
    truncate(first(folder, "shard-00000/*.rgb.png"))
    assert run("data", "repair", str(folder), "--json") == 0
    repaired = json.loads(capsys.readouterr().out)
    assert (repaired["damaged"][0]["shard"], repaired["made"]) == ("shard-00000", 200)
    assert run("generate", "painted", "-o", str(folder), "--seed", "2") == 2
    assert "holds another dataset (seed was '1', now '2')" in capsys.readouterr().err
    assert run("generate", "cart-pole", "-o", str(folder)) == 2
    assert "holds a dataset of world 'painted', not of 'cart-pole'" in capsys.readouterr().err


def test_what_cannot_be_drawn_leaves_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is said before there is a folder, which would hand it on to the next command."""
    for words in (["--distinct", "texturee=2"], ["--textures", "nowhere"], ["--shadows", "100000"], ["--size", "9"]):
        assert run("generate", "cube-toss", "-o", str(tmp_path / "data"), "-n", "1", *words) == 2
        assert "\n" not in capsys.readouterr().err.strip()
        assert not (tmp_path / "data").exists()


def test_a_dataset_without_images_has_no_sheet(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that was killed before its first shard was whole is looked at, and says so."""
    (tmp_path / "data").mkdir()
    record = json.loads((whole / MANIFEST).read_text())
    (tmp_path / "data" / MANIFEST).write_text(json.dumps({**record, "counts": None}))
    assert run("look", str(tmp_path / "data"), "-o", str(tmp_path / "sheet.png")) == 2
    assert "data: holds no images yet; give the command that makes it again" in capsys.readouterr().err
    assert run("data", "show", str(tmp_path / "data")) == 0
    assert "0 images of 300: NOT COMPLETE" in capsys.readouterr().out


def test_flow_of_stills_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A still has no next frame: its flow would be unknown everywhere. On a sheet there is some."""
    size = ("--size", "32x32", "--passes", "flow")
    assert run("generate", "cube-toss", "-o", str(tmp_path / "data"), "-n", "1", *size) == 0
    assert "warning: flow is unknown in stills, which have no next frame" in capsys.readouterr().err
    assert (
        run("look", "cube-toss", "-o", str(tmp_path / "sheet.png"), "-n", "1", "--distribution", "default", *size) == 0
    )
    from PIL import Image

    picture = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert picture[-100:-10, 10:-10].any(axis=2).mean() > 0.01
