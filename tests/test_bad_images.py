"""Images that cannot be taken: one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simloop.errors import InputError
from simloop.targets import get_target
from simloop.targets.images import image_set
from simloop.worlds import get_world
from tests.tubs import write_images, write_tub


def _with_csv(text: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        write_images(folder, ["a.png", "b.png"])
        (folder / "angles.csv").write_text(text)

    return make


def _several(folder: Path) -> None:
    write_images(folder, ["a.png"])
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text("angle\n0\n")


def _no_manifest(folder: Path) -> None:
    (write_tub(folder, [0.1]) / "manifest.json").unlink()


def _bad_manifest(folder: Path) -> None:
    (write_tub(folder, [0.1]) / "manifest.json").write_text("{}\n")


def _no_pictures(folder: Path) -> None:
    for file in (write_tub(folder, [0.1, 0.2]) / "images").iterdir():
        file.write_text("nothing")


def _dataset(folder: Path) -> None:
    folder.mkdir()
    (folder / "dataset.json").write_text("{}")


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda _: None, "FOLDER: no such folder, and no images of the catalogue"),
    "a file": (lambda f: f.write_text(""), "FOLDER: is a file; give a folder of images or a Donkeycar tub"),
    "empty": (lambda f: f.mkdir(), "FOLDER: no images in this folder (expected .jpg, .jpeg, .png, .bmp files)"),
    "a dataset": (_dataset, "FOLDER: a dataset of 'simloop generate'; what is real is expected here"),
    "tubs below": (lambda f: write_tub(f / "tub_1", [0]), "FOLDER: holds 1 Donkeycar tub (tub_1); give one"),
    "degrees": (
        lambda f: write_tub(f, [0, 12.5, -30, 0.5]),
        "FOLDER: 2 of 4 angles cannot be taken (the angle 12.5 is beyond -1 to 1); steering is expected from -1 (left)"
        " to 1 (right); for degrees or radians give a column map with a unit",
    ),
    "infinite": (
        lambda f: write_tub(f, [float("inf")]),
        "FOLDER: 1 of 1 angle cannot be taken (the angle inf is beyond",
    ),
    "words": (lambda f: write_tub(f, ["left"]), "FOLDER: 1 of 1 angle cannot be taken (expected an angle, got 'left')"),
    "no manifest": (_no_manifest, "FOLDER: a Donkeycar tub without its manifest.json, which says what was deleted"),
    "bad manifest": (_bad_manifest, "FOLDER/manifest.json: not a Donkeycar manifest (its last line names catalogs in"),
    "all deleted": (lambda f: write_tub(f, [0.1], deleted=[0]), "FOLDER: a Donkeycar tub without any frame"),
    "no pictures": (_no_pictures, "FOLDER: none of 2 images can be used: images/0_cam_image_array_.jpg: not a whole"),
    "two CSVs": (_several, "FOLDER: holds 2 CSV files (one.csv, two.csv); leave the one with the angles, or give a"),
    "no angles": (_with_csv("file,speed\na.png,1\n"), "FOLDER/angles.csv: no column of angles among file, speed"),
    "no names": (
        _with_csv("angle\n0.1\n"),
        "FOLDER/angles.csv: 1 row for 2 images, and no column that names the image",
    ),
    "no header": (
        _with_csv("a.png,0.1\n"),
        "FOLDER/angles.csv, line 1: expected the names of the columns, got 'a.png,",
    ),
    "twice": (_with_csv("file,angle\na.png,0\na.png,0\n"), "FOLDER/angles.csv, line 3: the image 'a.png' stands there"),
    "short row": (_with_csv("file,angle\na.png\n"), "FOLDER/angles.csv, line 2: 1 value for 2 column names"),
    "not UTF-8": (
        lambda f: (write_images(f, ["a.png"]) / "a.csv").write_bytes(b"angle\n\xe9\n"),
        "FOLDER/a.csv: not UTF-8 text, so not a CSV file",
    ),
    "CSV in degrees": (
        _with_csv("file,angle\na.png,20\nb.png,0\n"),
        "FOLDER/angles.csv: 1 of 2 angles cannot be taken",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), BAD.values(), ids=list(BAD))
def test_bad_images_get_one_sentence(tmp_path: Path, make: Callable[[Path], object], sentence: str) -> None:
    """What, where, and what was expected."""
    folder = tmp_path / "frames"
    make(folder)
    with pytest.raises(InputError) as error:
        image_set(folder)
    assert str(error.value).replace(str(folder), "FOLDER").startswith(sentence)
    assert "\n" not in str(error.value)


MAPS = {
    "angle without full": (
        "table: log.csv\nlabels:\n  steering: {column: wheel, unit: deg}\n",
        "map.yaml, line 2: labels: an angle in deg needs 'full', the angle of full lock in deg",
    ),
    "other column": ("table: log.csv\nimage: pic\n", "unknown column of log.csv: 'pic' (there are: jpg, wheel)"),
    "no table": ("table: data/*.parquet\n", "FOLDER: no table 'data/*.parquet' in this folder"),
    "unknown key": ("table: log.csv\npicture: jpg\n", "map.yaml, line 2: unknown key 'picture'"),
    "no element": (
        "table: log.csv\nimage: jpg\nlabels:\n  steering: {column: wheel, element: 1}\n",
        "FOLDER: 1 of 1 angle cannot be taken (column 'wheel' has no element 1)",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), MAPS.values(), ids=list(MAPS))
def test_bad_column_maps_get_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """A map that does not fit names the file, the line and the field."""
    write_images(tmp_path, ["a.png"])
    (tmp_path / "log.csv").write_text("jpg,wheel\na.png,3\n")
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        image_set(tmp_path, columns=tmp_path / "map.yaml")
    said = str(error.value).replace(f"{tmp_path}/", "").replace(str(tmp_path), "FOLDER")
    assert said.startswith(sentence)


def test_a_catalogue_knows_what_is_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings are no images, images no recordings, and what is absent is said so with how to make it."""
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path))
    with pytest.raises(InputError, match="'qube/chirps' are no images but recordings of Quanser Qube"):
        image_set("qube/chirps")
    with pytest.raises(InputError, match="'donkeycar-tub/test' are images, with no channels to compare"):
        get_target("donkeycar-tub/test", get_world("qube"))
    with pytest.raises(InputError, match="the images 'donkeycar-tub/test' are not on this machine"):
        image_set("donkeycar-tub/test")
    with pytest.raises(InputError, match="unknown part of 'donkeycar-tub': 'tset' \\(did you mean 'test'"):
        image_set("donkeycar-tub/tset")
    with pytest.raises(InputError, match="did you mean 'donkeycar-tub'"):
        image_set("donkycar-tub")
    monkeypatch.chdir(tmp_path)
    write_tub(Path("donkeycar-tub"), [0.1])
    with pytest.raises(InputError, match="not on this machine"):
        image_set("donkeycar-tub")
    assert len(image_set("./donkeycar-tub")) == len(image_set("donkeycar-tub/")) == 1
