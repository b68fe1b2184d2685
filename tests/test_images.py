"""Real images as a target: what is read is what lies there, in the order in which it was taken."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from simloop.errors import InputError
from simloop.targets import catalogue
from simloop.targets.images import image_set
from simloop.targets.listing import decoded
from tests.tubs import picture, reds, write_images, write_old_tub, write_tub


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of the published drive; tests that need it are skipped where it is not."""
    entry = catalogue.entries()["donkeycar-tub"]
    if not entry.present("all"):
        pytest.skip(f"the real images are not in {entry.folder}: {entry.made}")
    return entry.folder


def test_the_published_drive_is_in_the_order_of_its_index(published: Path) -> None:
    """Frames, labels and parts are those of the catalog, read here by hand: 0-599 to train, 600-799 to test."""
    lines = (published / "catalog_0.catalog").read_text().splitlines()[:800]
    angles = np.array([json.loads(line)["user/angle"] for line in lines])
    train, test, every = (image_set(f"donkeycar-tub{part}") for part in ("/train", "/test", ""))
    assert [len(s) for s in (train, test, every)] == [600, 200, 800]
    np.testing.assert_array_equal(every.labels["steering"], angles)
    np.testing.assert_array_equal(test.labels["steering"], angles[600:])
    assert [f.name for f in train.files[9:11]] == ["9_cam_image_array_.jpg", "10_cam_image_array_.jpg"]
    assert not set(train.files) & set(test.files)
    with Image.open(published / "images" / "600_cam_image_array_.jpg") as image:
        np.testing.assert_array_equal(test.read(0)[0], np.asarray(image.convert("RGB")))
    assert test.provenance == "real recordings"
    assert test.licence == "MIT"


def test_the_public_original_works_and_a_changed_one_does_not(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longer catalog of the source gives the same frames; another label or another image is not the real drive."""
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path))
    copy = tmp_path / "donkeycar-tub"
    shutil.copytree(published, copy, copy_function=shutil.copyfile)
    copy.chmod(0o755)
    (copy / "images").chmod(0o755)
    catalog = copy / "catalog_0.catalog"
    kept = catalog.read_bytes()
    later = json.dumps({"_index": 800, "cam/image_array": "800_cam_image_array_.jpg", "user/angle": 0.1})
    catalog.write_bytes(b"".join(kept.splitlines(keepends=True)[:800]) + later.encode() + b"\n")
    picture(0, (160, 120)).save(copy / "images" / "800_cam_image_array_.jpg")
    assert len(image_set("donkeycar-tub")) == 800
    catalog.write_bytes(kept.replace(b'"user/angle": 0.29', b'"user/angle": 0.28', 1))
    with pytest.raises(InputError, match=r"catalog_0.catalog: differs from the published file"):
        image_set("donkeycar-tub/test")
    catalog.write_bytes(kept)
    picture(0, (160, 120)).save(copy / "images" / "612_cam_image_array_.jpg")
    with pytest.raises(InputError, match=r"\{600..699\}_cam_image_array_.jpg: one of them differs"):
        image_set("donkeycar-tub/test")


def test_many_numbered_files_have_one_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item such as images/{0..2}.jpg has the hash of what sha256sum prints of these files, and is got as a whole."""
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path / "data"))
    source = write_images(tmp_path / "source", ["a0.jpg", "a1.jpg", "a2.jpg"])
    printed = "".join(
        f"{hashlib.sha256((source / n).read_bytes()).hexdigest()}  {n}\n" for n in ("a0.jpg", "a1.jpg", "a2.jpg")
    )
    entry = catalogue.Entry(
        name="some", world="drive", machine="a camera", source="", url=source.as_uri() + "/", licence="", citation="",
        megabytes=0, files={"a{0..2}.jpg": hashlib.sha256(printed.encode()).hexdigest()},
        splits={"all": catalogue.Split("*")}, images=True,
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "entries", lambda: {"some": entry})
    assert not entry.present("all")
    catalogue.get("some")
    assert entry.present("all")
    catalogue.check(entry, "all")
    (entry.folder / "a1.jpg").unlink()
    picture(7).save(source / "a1.jpg")
    with pytest.raises(InputError, match="one of them differs"):
        catalogue.get("some")
    assert not (entry.folder / "a1.jpg").exists()


def test_files_are_got_out_of_an_archive(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the archive's 1,000 frames the entry's own 800 are kept, with their records; another archive is refused."""
    monkeypatch.setenv("SIMLOOP_DATA", str(tmp_path / "data"))
    later = json.dumps({"_index": 800, "cam/image_array": "800_cam_image_array_.jpg", "user/angle": 0.1}) + "\n"
    longer = tmp_path / "catalog"
    longer.write_bytes((published / "catalog_0.catalog").read_bytes() + later.encode())
    with tarfile.open(tmp_path / "tub.tar.gz", "w:gz") as archive:
        archive.add(longer, "./tub/catalog_0.catalog")
        archive.add(published / "manifest.json", "./tub/manifest.json")
        for name in [*published.glob("images/*.jpg")]:
            archive.add(name, f"./tub/images/{name.name}")
        archive.add(longer, "./tub/images/800_cam_image_array_.jpg")
    monkeypatch.setattr("simloop.runs.os.fsync", lambda _: None)  # 800 files: the disk is not what is tested
    told: list[str] = []
    folder = catalogue.get("donkeycar-tub", url=(tmp_path / "tub.tar.gz").as_uri(), progress=told.append)
    assert told == ["tub.tar.gz"]
    assert len(list(folder.glob("images/*"))) == 800
    assert len((folder / "catalog_0.catalog").read_bytes().splitlines()) == 800
    assert len(image_set("donkeycar-tub/test")) == 200
    shutil.rmtree(folder)
    with pytest.raises(InputError, match="no whole archive"):
        catalogue.get("donkeycar-tub", url=longer.as_uri())
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(longer, "other.txt")
    with pytest.raises(InputError, match=r"other.tar.gz: this archive does not hold manifest.json; donkeycar/tests"):
        catalogue.get("donkeycar-tub", url=(tmp_path / "other.tar.gz").as_uri())
    assert not folder.exists()


def test_a_tub_is_read_in_both_versions(tmp_path: Path) -> None:
    """Frames come by their index over several catalogs, without those that were deleted."""
    angles = [round(0.05 * i - 0.6, 2) for i in range(25)]
    new = image_set(write_tub(tmp_path / "new", angles, deleted=[3, 12], in_catalog=10))
    old = image_set(write_old_tub(tmp_path / "old", angles))
    kept = [i for i in range(25) if i not in (3, 12)]
    assert reds(new.read()) == kept
    np.testing.assert_array_equal(new.labels["steering"], np.array(angles)[kept])
    assert reds(old.read()) == list(range(25))
    np.testing.assert_array_equal(old.labels["steering"], angles)
    assert new.skipped == old.skipped == ()


def test_frames_that_nobody_steered_have_no_label(tmp_path: Path) -> None:
    """A missing angle, and one while the car drove itself, are NaN; the frames stay."""
    frames = image_set(write_tub(tmp_path / "tub", [0.1, None, 0.3, 0.4], modes={2: "pilot"}))
    assert frames.labelled.tolist() == [True, False, False, True]
    assert np.isnan(frames.labels["steering"][1:3]).all()
    assert frames.description == "4 frames in tub, 2 of them labelled"


def test_what_cannot_be_used_is_skipped_and_named(tmp_path: Path) -> None:
    """Truncated and missing images, damaged records, odd angles, other shapes are left out, one sentence each."""
    folder = write_tub(tmp_path / "tub", [0.1] * 30)
    images = folder / "images"
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(images / "4_cam_image_array_.jpg", format="JPEG")
    whole = (images / "4_cam_image_array_.jpg").read_bytes()
    (images / "4_cam_image_array_.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (images / "5_cam_image_array_.jpg").unlink()
    (images / "6_cam_image_array_.jpg").write_text("no image")
    picture(7, (12, 12)).save(images / "7_cam_image_array_.jpg")
    lines = (folder / "catalog_0.catalog").read_text().splitlines()
    lines[8] = lines[8][:30]
    lines[9] = lines[9].replace("0.1", "7.5")
    (folder / "catalog_0.catalog").write_text("\n".join(lines) + "\n")
    frames = image_set(folder)
    assert reds(frames.read()) == [i for i in range(30) if i not in range(4, 10)]
    assert frames.skipped == (
        ("catalog_0.catalog, line 9", "a damaged record"),
        ("catalog_0.catalog, line 6", "its image '5_cam_image_array_.jpg' is not there"),
        ("catalog_0.catalog, line 10", "the angle 7.5 is beyond -1 to 1"),
        ("images/4_cam_image_array_.jpg", "not a whole image (it is cut short)"),
        ("images/6_cam_image_array_.jpg", "not a whole image (of no kind that is known)"),
        ("images/7_cam_image_array_.jpg", "12x12 pixels, another shape than most, which have 16x12"),
    )


def test_other_sizes_of_the_same_shape_are_brought_to_that_of_most(tmp_path: Path) -> None:
    """A larger frame of the same shape is kept, and read at the size of most."""
    folder = write_images(tmp_path, ["1.png", "2.png", "3.png"])
    picture(9, (32, 24)).save(folder / "2.png")
    frames = image_set(folder)
    assert frames.size == (16, 12)
    assert reds(frames.read()) == [0, 9, 2]


def test_frames_are_made_smaller_by_averaging_areas(tmp_path: Path) -> None:
    """Each pixel of a smaller frame is the mean of those that it covers."""
    whole = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(whole).save(tmp_path / "0.png")
    small = image_set(tmp_path).read(size=(4, 3))[0]
    mean = whole.reshape(3, 4, 4, 4, 3).mean(axis=(1, 3))
    assert small.shape == (3, 4, 3)
    assert np.abs(small - mean).max() <= 1


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    """A camera held on its side says so in EXIF: the frame is turned, and its size is that of the turned one."""
    lying = Image.new("RGB", (16, 12), (200, 0, 0))
    lying.putpixel((0, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(tmp_path / "0.png", exif=exif)
    frames = image_set(tmp_path)
    assert frames.size == (12, 16)
    assert frames.read()[0, 0, -1].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        (Image.new("L", (4, 3), 90), (90, 90, 90)),
        (Image.new("RGBA", (4, 3), (10, 20, 30, 5)), (10, 20, 30)),
        (Image.new("1", (4, 3), 1), (255, 255, 255)),
        (Image.fromarray(np.full((3, 4), 0x5A00, dtype=np.uint16)), (0x5A, 0x5A, 0x5A)),
        (Image.new("RGB", (4, 3), (1, 2, 3)).quantize(), (1, 2, 3)),
    ],
    ids=["grey", "RGBA", "bitmap", "16 bits", "palette"],
)
def test_every_kind_of_picture_becomes_rgb(image: Image.Image, pixel: tuple[int, int, int]) -> None:
    """Grey is repeated, an alpha channel is left out, 16 bits give their upper eight."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    assert decoded(content.getvalue()).getpixel((2, 1)) == pixel


def test_a_folder_of_images_has_the_order_of_its_numbers(tmp_path: Path) -> None:
    """frame_10 comes after frame_2, and without a CSV no frame has a label."""
    frames = image_set(write_images(tmp_path, ["frame_1.png", "frame_2.png", "frame_10.png", "frame_11.png"]))
    assert reds(frames.read()) == [0, 1, 2, 3]
    assert not frames.labelled.any()
    assert reds(frames.read(slice(1, 3))) == [1, 2]
    assert reds(frames.take([3, 0]).read()) == [3, 0]
    assert reds(frames.read(np.array([True, False, False, True]))) == [0, 3]
    assert frames.read([]).shape == (0, 12, 16, 3)


CSVS = {
    "named": "file,steering\nb2.png,-0.5\nb1.png,0.25\nb3.png,\n",
    "udacity": "center,left,steering,throttle\nC:\\drive\\IMG\\b1.png,x,0.25,1\nIMG/b2.png,x,-0.5,1\n",
    "in order": "angle;speed\n0.25;1\n-0.5;1\nnan;1\n",
}


@pytest.mark.parametrize("text", CSVS.values(), ids=list(CSVS))
def test_angles_come_from_a_csv(tmp_path: Path, text: str) -> None:
    """Rows find their image by its name, or by their order; what has no angle has no label."""
    folder = write_images(tmp_path, ["b1.png", "b2.png", "b3.png"])
    (folder / "angles.csv").write_text(text)
    np.testing.assert_array_equal(image_set(folder).labels["steering"], [0.25, -0.5, np.nan])


def test_a_column_map_reads_degrees_of_another_sign(tmp_path: Path) -> None:
    """Degrees over full lock, grown to the left, become the label; other columns are labels as they are."""
    write_images(tmp_path / "frames", ["f1.png", "f2.png"])
    (tmp_path / "log.csv").write_text("jpg,wheel,v\nf2.png,-50,2\nf1.png,25,3\n")
    (tmp_path / "map.yaml").write_text(
        "table: log.csv\nimage: jpg\nimages: frames\n"
        "labels:\n  steering: {column: wheel, unit: deg, full: 100, positive: left}\n  speed: v\n"
    )
    frames = image_set(tmp_path, columns=tmp_path / "map.yaml")
    assert [f.name for f in frames.files] == ["f2.png", "f1.png"]
    np.testing.assert_allclose(frames.labels["steering"], [0.5, -0.25])
    np.testing.assert_array_equal(frames.labels["speed"], [2, 3])


def test_a_tub_in_degrees_is_read_by_a_column_map(tmp_path: Path) -> None:
    """A catalog is a table of JSON lines; where a record lacks the angle, its frame has no label."""
    write_tub(tmp_path, [20.0, None, -10.0])
    (tmp_path / "map.yaml").write_text(
        "table: '*.catalog'\nimage: cam/image_array\nimages: images\n"
        "labels:\n  steering: {column: user/angle, unit: deg, full: 20}\n"
    )
    frames = image_set(tmp_path, columns=tmp_path / "map.yaml")
    assert reds(frames.read()) == [0, 1, 2]
    np.testing.assert_allclose(frames.labels["steering"], [1, np.nan, -0.5])


def test_lerobot_images_are_read_out_of_parquet(tmp_path: Path) -> None:
    """Images in the rows of several Parquet files, and one element of the action, as LeRobot v3 has them."""
    for file in (2, 10):
        rows = []
        for k in range(3):
            content = io.BytesIO()
            picture(file + k).save(content, format="PNG")
            rows.append({"bytes": content.getvalue(), "path": f"{k}.png"})
        path = tmp_path / "data" / "chunk-000" / f"file-{file}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        actions = pa.array([[0.1 * k, 0.9] for k in range(3)], type=pa.list_(pa.float32(), 2))
        pq.write_table(pa.table({"observation.images.front": pa.array(rows), "action": actions}), path)
    (tmp_path / "map.yaml").write_text(
        "table: data/*/*.parquet\nimage: observation.images.front\nlabels:\n  steering: {column: action, element: 0}\n"
    )
    frames = image_set(tmp_path, columns=tmp_path / "map.yaml")
    assert reds(frames.read()) == [2, 3, 4, 10, 11, 12]
    assert reds(frames.take([4, 0]).read()) == [11, 2]
    np.testing.assert_allclose(frames.labels["steering"], [0, 0.1, 0.2] * 2, atol=1e-7)


def test_a_set_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    """The hash follows pixels, order and labels, and not the folder."""
    angles = [0.1, 0.2, 0.3]
    a = image_set(write_tub(tmp_path / "a", angles))
    assert image_set(write_tub(tmp_path / "b", angles)).hash() == a.hash()
    assert image_set(write_tub(tmp_path / "c", [0.1, 0.2, 0.4])).hash() != a.hash()
    assert a.take([1, 0, 2]).hash() != a.hash()
