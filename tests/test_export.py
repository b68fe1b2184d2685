"""Exports hold what the frames held: each format is read back by its field's own reader, or by one written here from
the format's description, and compared label by label with the source."""

from __future__ import annotations

import configparser
import gc
import itertools
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from simloop.config import parsed_pairs
from simloop.data.export import FORMATS, Source, export, export_trajectories, get_format
from simloop.data.export.format import seen_things, things_of
from simloop.data.export.kitti import Kitti, in_indices
from simloop.data.export.masks import compressed, outline, run_lengths
from simloop.data.generate import generate
from simloop.data.held_out import held_out
from simloop.data.png import encode
from simloop.data.store import Dataset
from simloop.errors import DataWarning, InputError
from simloop.frames import Camera, Category, Frame, Objects, Request
from simloop.randomness import stream
from simloop.trajectories import Channel, TrajectorySet, rotated
from tests.painted import Painted

SIZE = WIDTH, HEIGHT = 64, 48
CATEGORIES = (
    Category("grosse Kiste", keypoints=("top left", "bottom right", "центр"), skeleton=((0, 1), (1, 2))),
    Category("стол", thing=False),
    Category("猫 cat"),
    Category("big  box"),
    Category("big box"),
)
CAMERAS = ("front", "rück/links 1.5")
LENGTH = 3


def quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quaternion of a rotation vector (3,), rad."""
    return rotated(np.array([1.0, 0, 0, 0]), rotation)


def camera(name: str, rng: np.random.Generator) -> Camera:
    """A camera that looks at the origin from somewhere above, level from side to side."""
    position = np.array([rng.uniform(-2, -1), rng.uniform(-1, 1), rng.uniform(0.5, 1.5)])
    forward = -position / np.linalg.norm(position)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    return Camera.of_view(name, SIZE, 0.8, position, np.stack([right, np.cross(forward, right), forward], axis=1))


def mask_with(rng: np.random.Generator, ids: list[int]) -> NDArray[np.uint16]:
    """Rectangles and specks with holes and separate parts; later ones hide earlier ones."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint16)
    for number in ids:
        for _ in range(int(rng.integers(1, 4))):
            u, v = rng.integers(-5, [WIDTH, HEIGHT])
            w, h = rng.integers(1, 20, 2)
            mask[max(v, 0) : max(v + h, 0), max(u, 0) : max(u + w, 0)] = number
            mask[max(v + 1, 0) : max(v + h // 2, 0), max(u + 1, 0) : max(u + w // 2, 0)] = 0
        specks = rng.random(mask.shape) < 0.003
        mask[specks] = number
    return mask


def painted(index: int, step: int, shown: Camera, rng: np.random.Generator, categories: NDArray[np.int64]) -> Frame:
    """A frame with random labels that agree with its mask; the last object of each scene is hidden."""
    n = len(categories)
    ids = np.arange(1, n + 1) * 3
    mask = mask_with(rng, ids[:-1].tolist())
    pixels = np.array([(mask == k).sum() for k in ids], dtype=np.int64)
    boxes = np.full((n, 4), np.nan)
    for i, k in enumerate(ids):
        if pixels[i]:
            v, u = np.nonzero(mask == k)
            boxes[i] = u.min(), v.min(), u.max() + 1, v.max() + 1
    amodal = np.where(np.isfinite(boxes), boxes, [5, 5, 9, 9]) + rng.uniform(0, 3, (n, 4)) * [-1, -1, 1, 1]
    keypoints = np.full((n, 3, 3), np.nan)
    keypoints[:, :, 2] = 0
    own = categories == 0
    keypoints[own] = np.concatenate(
        [rng.uniform(0, [WIDTH, HEIGHT], (own.sum(), 3, 2)), rng.integers(0, 3, (own.sum(), 3, 1))], axis=2
    )
    upright = np.stack([quaternion(np.array([0, 0, rng.uniform(-3, 3)])) for _ in range(n)] or [np.zeros(4)])[:n]
    visible = np.where(pixels > 0, rng.uniform(0.05, 1, n), np.nan)
    objects = Objects(
        ids=ids, categories=categories, names=tuple(f"Ding №{i} a/b" for i in range(n)), boxes=boxes, amodal=amodal,
        truncation=rng.uniform(0, 0.9, n), pixels=pixels, visible=visible,
        poses=np.concatenate([rng.uniform(-0.3, 0.3, (n, 3)), upright], axis=1),
        centres=rng.uniform(-0.05, 0.05, (n, 3)), sizes=rng.uniform(0.02, 0.2, (n, 3)), keypoints=keypoints,
    )  # fmt: skip
    return Frame(
        index=index, sequence=index // LENGTH, step=step, time=step / 30, camera=shown, categories=CATEGORIES,
        rgb=rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), objects=objects,
        parameters={"light.strength": float(rng.random()), "größe": float(rng.random())},
        depth=rng.uniform(0.1, 4, (HEIGHT, WIDTH)).astype(np.float32), instances=mask,
        depth_sensed=rng.uniform(0.1, 4, (HEIGHT, WIDTH)).astype(np.float32),
        normals=rng.normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32), values={"Winkel": float(rng.random())},
    )  # fmt: skip


def painted_frames(sequences: int, cameras: tuple[str, ...] = CAMERAS) -> Iterator[Frame]:
    """Sequences of painted frames; the second has no objects."""
    for sequence in range(sequences):
        rng = stream(7, "painted", sequence)
        shown = [camera(name, rng) for name in cameras]
        n = 0 if sequence == 1 else int(rng.integers(3, 9))
        kinds = rng.integers(0, len(CATEGORIES), n)
        for step in range(LENGTH):
            for one in shown:
                yield painted(sequence * LENGTH + step, step, one, rng, kinds)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return list(painted_frames(12))


@pytest.fixture(scope="module")
def source(frames: list[Frame]) -> Source:
    return Source(frames, CATEGORIES, len(frames), length=LENGTH, name="Bilder für 猫")


def inside(polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(HEIGHT, WIDTH) which pixels' centres are inside a closed polygon (n, 2), by the even-odd rule."""
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for (u0, v0), (u1, v1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if v0 != v1:
            crosses = (v >= min(v0, v1)) & (v < max(v0, v1))
            mask ^= crosses & (u < u0 + (v - v0) * (u1 - u0) / (v1 - v0))
    return mask


def test_masks_come_back_pixel_by_pixel() -> None:
    """Run lengths are those of pycocotools, to the letter, and outlines hold exactly the mask: holes, parts, specks."""
    pycoco = pytest.importorskip("pycocotools.mask")
    rng = stream(0, "masks")
    for _ in range(100):
        mask = np.where(rng.random((HEIGHT, WIDTH)) < rng.random(), rng.integers(0, 4, (HEIGHT, WIDTH)), 0) * 70
        runs = run_lengths(mask.astype(np.uint16))
        assert set(runs) == set(np.unique(mask)) - {0}
        for number, counts in runs.items():
            theirs = pycoco.encode(np.asfortranarray((mask == number).astype(np.uint8)))
            assert compressed(counts) == theirs["counts"].decode()
    for share in (0.02, 0.3, 0.5, 0.9, 1.0):
        speckled = rng.random((HEIGHT, WIDTH)) < share
        assert (inside(outline(speckled)) == speckled).all()


@pytest.mark.parametrize("counts", ["compressed", "uncompressed"])
@pytest.mark.parametrize("first", [0, 1])
def test_coco(frames: list[Frame], source: Source, tmp_path: Path, counts: str, first: int) -> None:
    """pycocotools reads back every label of every visible object, and every mask pixel by pixel."""
    reader = pytest.importorskip("pycocotools.coco")
    form = get_format("coco", {"counts": counts, "numbering": f"from-{first}"})
    written = export(source, form, tmp_path / "out")
    compared = 0
    for file, thing in (("instances", True), ("stuff", False)):
        coco = reader.COCO(str(tmp_path / "out" / "annotations" / f"{file}.json"))
        own = {k: c for k, c in enumerate(CATEGORIES) if c.thing == thing}
        assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {
            k + first: c.name for k, c in own.items()
        }
        assert len(coco.getImgIds()) == len(frames)
        for image, frame in zip(coco.loadImgs(sorted(coco.getImgIds())), frames, strict=True):
            assert (image["frame"], image["camera"], image["step"]) == (frame.index, frame.camera.name, frame.step)
            picture = np.array(Image.open(tmp_path / "out" / "images" / image["file_name"]))
            assert (picture == frame.rgb).all()
            labels = {a["track_id"]: a for a in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]], iscrowd=False))}
            objects = frame.objects
            wanted = [i for i in range(len(objects)) if objects.pixels[i] and int(objects.categories[i]) in own]
            assert set(labels) == {int(objects.ids[i]) for i in wanted}
            for i in wanted:
                a = labels[int(objects.ids[i])]
                u0, v0, u1, v1 = objects.boxes[i]
                assert a["bbox"] == [u0, v0, u1 - u0, v1 - v0]
                assert (a["category_id"], a["area"]) == (objects.categories[i] + first, objects.pixels[i])
                assert (coco.annToMask(a) == (frame.instances == objects.ids[i])).all()
                _same_keypoints(a, objects, i, CATEGORIES[objects.categories[i]])
                compared += 1
        assert min(coco.getAnnIds()) == 1
    assert compared == sum(v for k, v in written.items() if k != "images") > 100


def _same_keypoints(a: dict[str, Any], objects: Objects, i: int, category: Category) -> None:
    if not category.keypoints:
        assert "keypoints" not in a
        return
    points = np.array(a["keypoints"]).reshape(-1, 3)
    seen = points[:, 2] > 0
    assert (points[:, 2] == objects.keypoints[i, :, 2]).all()
    assert np.abs(points[seen, :2] + 0.5 - objects.keypoints[i, seen, :2]).max(initial=0) <= 0.0005 + 1e-12
    assert (points[~seen] == 0).all()
    assert a["num_keypoints"] == seen.sum()


def test_coco_evaluation_finds_nothing_wrong(source: Source, tmp_path: Path) -> None:
    """Labels given back as detections score 1 in pycocotools' own evaluation, of boxes and of masks."""
    reader = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    export(source, "coco", tmp_path / "out")
    coco = reader.COCO(str(tmp_path / "out" / "annotations" / "instances.json"))
    found = [{**{k: a[k] for k in ("image_id", "category_id", "bbox", "segmentation")}, "score": 1.0}
             for a in coco.dataset["annotations"]]  # fmt: skip
    for kind in ("bbox", "segm"):
        scored = evaluation.COCOeval(coco, coco.loadRes(found), kind)
        scored.params.maxDets = [1, 10, 1000]
        scored.evaluate()
        scored.accumulate()
        precision = scored.eval["precision"][..., 0, -1]
        assert (precision[precision > -1] == 1).all()


def yolo_images(folder: Path) -> dict[str, tuple[Path, list[list[float]]]]:
    """By stem: the image and the numbers of each line of its label, as Ultralytics finds them from data.yaml."""
    record = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    found = {}
    for split in ("train", "val"):
        for image in sorted((folder / record[split]).glob("*.png")):
            label = Path(str(image.with_suffix(".txt")).replace(f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"))
            lines = label.read_text(encoding="utf-8").splitlines()
            found[image.stem] = (image, [[float(x) for x in line.split()] for line in lines])
    return found


@pytest.mark.parametrize("labels", ["boxes", "polygons"])
def test_yolo(frames: list[Frame], source: Source, tmp_path: Path, labels: str) -> None:
    """Boxes come back to a thousandth of a pixel, and polygons filled by the even-odd rule are the masks."""
    export(source, get_format("yolo", {"labels": labels, "validation": 0.25}), tmp_path / "out")
    found = list(yolo_images(tmp_path / "out").values())
    assert len(found) == len(frames)
    pictures = {np.array(Image.open(image)).tobytes(): (image, lines) for image, lines in found}
    names = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))["names"]
    compared = 0
    for frame in frames:
        image, lines = pictures[frame.rgb.tobytes()]
        assert image.parent.name == ("val" if frame.sequence % 4 == 1 else "train")
        objects = seen_things(frame)
        assert len(lines) == len(objects)
        for i, (kind, *numbers) in enumerate(lines):
            assert names[int(kind)] == CATEGORIES[objects.categories[i]].name
            assert all(0 <= x <= 1 for x in numbers)
            pairs = np.array(numbers).reshape(-1, 2) * SIZE
            if labels == "boxes":
                box = np.concatenate([pairs[0] - pairs[1] / 2, pairs[0] + pairs[1] / 2])
                assert np.abs(box - objects.boxes[i]).max() < 0.001
            else:
                assert (inside(pairs) == (frame.instances == objects.ids[i])).all()
            compared += 1
    assert compared > 100


def test_a_scene_is_held_out_by_its_number_alone() -> None:
    """So many of the scenes as is said, one of the first two among them; none for 0, all for 1."""
    for part in (0.1, 0.2, 0.25, 0.5, 0.7):
        held = [held_out(scene, part) for scene in range(1000)]
        assert sum(held) == round(1000 * part)
        assert held[1]
    assert [scene for scene in range(30) if held_out(scene)] == [1, 11, 21]
    assert not any(held_out(scene, 0) for scene in range(100))
    assert all(held_out(scene, 1) for scene in range(100))


@pytest.mark.parametrize("part", ["2", "-0.1", "nan", "many", "true"])
def test_yolo_says_which_parts_there_are(part: str) -> None:
    """A part that is none is answered with what it may have been."""
    with pytest.raises(InputError, match="option 'validation' of yolo: expected a part of the whole, from 0 to 1, got"):
        get_format("yolo", parsed_pairs([f"validation={part}"]))


def kitti_corners(h: float, w: float, length: float, place: list[float], turn: float) -> NDArray[np.float64]:
    """(8, 3) corners of a 3-D box, as the devkit's computeBox3D.m makes them."""
    along = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    down = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * h
    across = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * w / 2
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return (rotation @ np.stack([along, down, across])).T + place


def kitti_projection(file: Path) -> NDArray[np.float64]:
    """P2 of a calibration file."""
    lines = dict(line.split(":") for line in file.read_text().splitlines() if line)
    assert set(lines) >= {"P0", "P1", "P2", "P3", "R0_rect", "Tr_velo_to_cam", "Tr_imu_to_velo"}
    return np.array([float(x) for x in lines["P2"].split()]).reshape(3, 4)


def oriented_corners(objects: Objects, i: int) -> NDArray[np.float64]:
    """(8, 3) corners of an object's oriented box in the world."""
    signs = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
    w, x, y, z = objects.poses[i, 3:]
    turned = objects.centres[i] + signs * objects.sizes[i]
    vector = np.array([x, y, z])
    turned = turned + 2 * np.cross(vector, np.cross(vector, turned) + w * turned)
    return turned + objects.poses[i, :3]


def nearest(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """How far the farthest point of `a` is from the nearest of `b`."""
    return float(np.linalg.norm(a[:, None] - b[None], axis=-1).min(axis=1).max())


def test_kitti_upright_boxes_project_where_the_objects_are(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """With level axes, the corners that the devkit would draw are those of the objects' oriented boxes."""
    export(source, get_format("kitti", {"level": True}), tmp_path / "out")
    training = tmp_path / "out" / "training"
    types = dict(line.split(" ", 1) for line in (tmp_path / "out" / "types.txt").read_text("utf-8").splitlines())
    assert sorted(types.values()) == sorted(c.name for c in CATEGORIES if c.thing)
    compared = 0
    for place, frame in enumerate(frames):
        assert (np.array(Image.open(training / "image_2" / f"{place:06d}.png")) == frame.rgb).all()
        projection = kitti_projection(training / "calib" / f"{place:06d}.txt")
        lines = (training / "label_2" / f"{place:06d}.txt").read_text("utf-8").splitlines()
        objects = seen_things(frame)
        assert len(lines) == len(objects)
        for i, line in enumerate(lines):
            kind, *texts = line.split(" ")
            truncated, occluded, alpha, u0, v0, u1, v1, h, w, length, x, y, z, turn = map(float, texts)
            assert types[kind] == CATEGORIES[objects.categories[i]].name
            assert abs(truncated - objects.truncation[i]) <= 0.00005 + 1e-9
            assert occluded == (0 if objects.visible[i] >= 0.9 else 1 if objects.visible[i] >= 0.5 else 2)
            box = np.clip(objects.amodal[i] - 0.5, 0, [WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1])
            assert np.abs(box - [u0, v0, u1, v1]).max() <= 0.00005 + 1e-9
            assert np.allclose([h, length, w], objects.sizes[i][[2, 0, 1]], atol=0.00005 + 1e-9)
            assert abs((alpha - turn + np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi) < 0.0002
            corners = kitti_corners(h, w, length, [x, y, z], turn)
            drawn = np.concatenate([corners, np.ones((8, 1))], axis=1) @ projection.T
            truth = frame.camera.project(oriented_corners(objects, i))[:, :2] - 0.5
            assert nearest(drawn[:, :2] / drawn[:, 2:], truth) < 0.05  # of 0.1 mm and 0.1 mrad, in pixels
            compared += 1
    assert compared > 100


def test_kitti_boxes_hold_what_p2_projects(tmp_path: Path) -> None:
    """A box in the image is that of the 3-D box as P2 projects it, of the size that the devkit takes: right - left."""
    size, position = (640, 480), np.array([0.0, 0, 0])
    looks = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # along the world's x axis
    shown = Camera.of_view("front", size, 0.8, position, looks)
    pose = np.array([[4.0, 0.7, -0.3, *quaternion(np.array([0, 0, 0.4]))]])
    box = Objects(
        ids=np.array([1]), categories=np.array([2]), names=("cat",), boxes=np.array([[10.0, 10, 11, 11]]),
        amodal=np.full((1, 4), np.nan), truncation=np.zeros(1), pixels=np.ones(1, dtype=np.int64), visible=np.ones(1),
        poses=pose, centres=np.zeros((1, 3)), sizes=np.array([[0.9, 0.4, 0.5]]), keypoints=np.zeros((1, 0, 3)),
    )  # fmt: skip
    corners = shown.project(oriented_corners(box, 0))[:, :2]
    whole = replace(box, amodal=np.concatenate([corners.min(axis=0), corners.max(axis=0)])[None])
    frame = Frame(index=0, sequence=0, step=0, time=0.0, camera=shown, categories=CATEGORIES, objects=whole,
                  rgb=np.zeros((480, 640, 3), dtype=np.uint8), parameters={}, values={})  # fmt: skip
    form = Kitti()
    (line,), _ = form.lines(frame, {k: str(k) for k in range(len(CATEGORIES))})
    numbers = [float(x) for x in line.split(" ")[4:]]
    (tmp_path / "calib.txt").write_text(form.calibration(shown))
    h, w, length, x, y, z, turn = numbers[4:]
    drawn = np.concatenate([kitti_corners(h, w, length, [x, y, z], turn), np.ones((8, 1))], axis=1)
    drawn = drawn @ kitti_projection(tmp_path / "calib.txt").T
    places = drawn[:, :2] / drawn[:, 2:]
    assert np.abs(np.concatenate([places.min(axis=0), places.max(axis=0)]) - numbers[:4]).max() < 0.02  # of 0.1 mm
    # one pixel has the area 1; at the border what is beyond the pixels' centres is cut off
    (line,), _ = Kitti(boxes="visible").lines(frame, {k: str(k) for k in range(len(CATEGORIES))})
    assert line.split(" ")[4:8] == ["9.5000", "9.5000", "10.5000", "10.5000"]
    assert in_indices(np.array([[0.0, 0, 640, 480]]), size).tolist() == [[0, 0, 639, 479]]


def test_kitti_says_what_tilt_loses(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """In the camera's own axes P2 is a plain camera, the middle of a box is right, and lost tilt is said."""
    with pytest.warns(DataWarning, match=r"an object is tilted against KITTI's upright boxes .* level=true"):
        export(source, "kitti", tmp_path / "out")
    training = tmp_path / "out" / "training"
    for place, frame in enumerate(frames[:20]):
        projection = kitti_projection(training / "calib" / f"{place:06d}.txt")
        expected = frame.camera.intrinsics - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
        assert np.allclose(projection, np.concatenate([expected, np.zeros((3, 1))], axis=1), rtol=1e-9)
        objects = seen_things(frame)
        lines = (training / "label_2" / f"{place:06d}.txt").read_text("utf-8").splitlines()
        for i, line in enumerate(lines):
            numbers = [float(x) for x in line.split(" ")[8:]]
            middle = kitti_corners(*numbers[:3], numbers[3:6], numbers[6]).mean(axis=0)
            truth = frame.camera.to_camera(oriented_corners(objects, i)).mean(axis=0)
            assert np.abs(middle - truth).max() < 0.0002


@pytest.mark.parametrize("boxes", ["amodal", "visible"])
def test_mot(frames: list[Frame], source: Source, tmp_path: Path, boxes: str) -> None:
    """Every sequence and camera has its images in order, and every track its box in every frame."""
    export(source, get_format("mot", {"boxes": boxes}), tmp_path / "out")
    by_picture = {f.rgb.tobytes(): f for f in frames}
    folders = [p for p in (tmp_path / "out").iterdir() if p.is_dir()]
    assert len(folders) == len(frames) // LENGTH
    compared = 0
    for folder in folders:
        info = configparser.ConfigParser()
        info.read(folder / "seqinfo.ini", encoding="utf-8")
        head = info["Sequence"]
        assert (head["name"], head["imDir"], head["imExt"]) == (folder.name, "img1", ".png")
        assert [int(head[k]) for k in ("frameRate", "seqLength", "imWidth", "imHeight")] == [30, LENGTH, *SIZE]
        names = (folder / "gt" / "labels.txt").read_text("utf-8").splitlines()
        rows = [line.split(",") for line in (folder / "gt" / "gt.txt").read_text("utf-8").splitlines()]
        for step in range(LENGTH):
            frame = by_picture[np.array(Image.open(folder / "img1" / f"{step + 1:06d}.png")).tobytes()]
            assert frame.step == step
            things = frame.things
            things = things if boxes == "amodal" else things.take(things.seen)
            own = {int(row[1]): row for row in rows if int(row[0]) == step + 1}
            assert set(own) == set(things.ids.tolist())
            for i, number in enumerate(things.ids.tolist()):
                left, top, width, height, flag, kind, visible = map(float, own[number][2:])
                box = np.array([left - 1, top - 1, left - 1 + width, top - 1 + height])
                truth = things.amodal[i] if boxes == "amodal" else things.boxes[i]
                assert np.abs(box - truth).max() <= 0.001 + 1e-9
                assert (flag, names[int(kind) - 1]) == (1, CATEGORIES[things.categories[i]].name)
                assert abs(visible - (things.visible[i] if things.pixels[i] else 0)) <= 0.00005 + 1e-9
                compared += 1
    assert compared > 100


def test_mot_says_that_visibility_is_unknown(frames: list[Frame], tmp_path: Path) -> None:
    """Visible fractions that nobody asked for are -1, and that is said."""
    changed = [f.replace(objects=f.objects.take(np.arange(len(f.objects)))) for f in frames[:6]]
    for frame in changed:
        frame.objects.visible[:] = np.nan
    with pytest.warns(DataWarning, match="generate with --passes visible"):
        export(Source(changed, CATEGORIES, 6, length=LENGTH), get_format("mot", {"boxes": "visible"}), tmp_path / "out")
    lines = [p.read_text("utf-8").splitlines() for p in (tmp_path / "out").glob("*/gt/gt.txt")]
    assert {line.split(",")[8] for one in lines for line in one} == {"-1"}


def test_webdataset(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """The webdataset package reads every image and every annotation back; depth to half a step."""
    reader = pytest.importorskip("webdataset")
    written = export(source, get_format("webdataset", {"shard": 10}), tmp_path / "out")
    assert written["shards"] == -(-len(frames) // 10)
    shards = sorted(map(str, (tmp_path / "out").glob("*.tar")))
    read = list(reader.WebDataset(shards, shardshuffle=False).decode("rgb8", handler=reader.reraise_exception))
    assert len({r["__key__"] for r in read}) == len(read) == len(frames)
    for record, frame in zip(read, frames, strict=True):
        assert (record["rgb.png"] == frame.rgb).all()
        assert (record["normals.npy"] == frame.normals).all()
        assert "flow.npy" not in record
        own = record["json"]
        assert (own["index"], own["sequence"], own["step"], own["time"]) == (
            frame.index, frame.sequence, frame.step, frame.time)  # fmt: skip
        assert (own["parameters"], own["values"]) == (dict(frame.parameters), dict(frame.values))
        for name in ("intrinsics", "position", "rotation"):
            assert (np.array(own["camera"][name]) == getattr(frame.camera, name)).all()
        _same_objects(own["objects"], frame)


def _same_objects(records: list[dict[str, Any]], frame: Frame) -> None:
    objects = frame.objects
    assert [r["name"] for r in records] == list(objects.names)
    assert [r["category"] for r in records] == [CATEGORIES[k].name for k in objects.categories]
    fields = {"id": "ids", "box": "boxes", "pose": "poses", "centre": "centres", "size": "sizes"}
    fields |= {k: k for k in ("amodal", "truncation", "pixels", "visible", "keypoints")}
    for one, many in fields.items():
        read = np.array([r[one] for r in records], dtype=float).reshape(getattr(objects, many).shape)
        assert np.array_equal(read, getattr(objects, many), equal_nan=True), one


def test_webdataset_images_of_sixteen_bits(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """Instance numbers come back as they were, and depth to half a step of the camera's depth unit."""
    import io
    import tarfile

    export(source, "webdataset", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
        names = tar.getnames()
        for ending, of in [(f"{of}.png", of) for of in ("instances", "depth", "depth_sensed")]:
            entries = [n for n in names if n.endswith(f".{ending}")]
            assert len(entries) == len(frames)
            for entry, frame in zip(entries, frames, strict=True):
                file = tar.extractfile(entry)
                assert file is not None
                image = np.array(Image.open(io.BytesIO(file.read()))).astype(np.int64)
                truth = getattr(frame, of)
                if of == "instances":
                    assert (image == truth).all()
                else:
                    off = np.abs(image * frame.camera.depth_unit - truth).max()
                    assert off <= 0.502 * frame.camera.depth_unit  # the rest is float32's


class LeRobotReader:
    """Reads a LeRobot v3 dataset from its description: info.json says where everything is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = json.loads((folder / "meta" / "info.json").read_text("utf-8"))
        self.stats = json.loads((folder / "meta" / "stats.json").read_text("utf-8"))
        files = sorted((folder / "meta" / "episodes").glob("*/*.parquet"))
        self.episodes = [row for file in files for row in pq.read_table(file).to_pylist()]
        table = pq.read_table(folder / "meta" / "tasks.parquet")
        assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ["task"]
        self.tasks = {row["task_index"]: row["task"] for row in table.to_pylist()}

    def rows(self, episode: int) -> list[dict[str, Any]]:
        about = self.episodes[episode]
        path = self.info["data_path"].format(chunk_index=about["data/chunk_index"], file_index=about["data/file_index"])
        return [r for r in pq.read_table(self.folder / path).to_pylist() if r["episode_index"] == episode]

    def check(self) -> None:
        """What the format promises of every dataset."""
        assert self.info["codebase_version"] == "v3.0"
        assert self.info["total_episodes"] == len(self.episodes)
        assert self.info["splits"] == {"train": f"0:{len(self.episodes)}"}
        assert self.info["total_tasks"] == len(self.tasks)
        start = 0
        for e, about in enumerate(self.episodes):
            rows = self.rows(e)
            assert (about["episode_index"], about["length"]) == (e, len(rows))
            assert (about["dataset_from_index"], about["dataset_to_index"]) == (start, start + len(rows))
            assert [r["index"] for r in rows] == list(range(start, start + len(rows)))
            assert [r["frame_index"] for r in rows] == list(range(len(rows)))
            assert (
                np.abs(np.array([r["timestamp"] for r in rows]) - np.arange(len(rows)) / self.info["fps"]).max() < 1e-4
            )
            assert about["tasks"] == [self.tasks[r["task_index"]] for r in rows[:1]]
            assert set(rows[0]) == set(self.info["features"])
            start += len(rows)
        assert self.info["total_frames"] == start
        assert set(self.stats) == set(self.info["features"])


def test_lerobot_of_frames(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """Every image of every camera comes back in its episode and step, and statistics are those of all pixels."""
    import io

    export(source, "lerobot", tmp_path / "out")
    read = LeRobotReader(tmp_path / "out")
    read.check()
    columns = {"front": "observation.images.front", "rück/links 1.5": "observation.images.rück~2Flinks 1~2E5"}
    assert not any("/" in name for name in read.info["features"])
    assert (len(read.episodes), read.info["fps"]) == (12, 30)
    for e in range(12):
        rows = read.rows(e)
        for frame in (f for f in frames if f.sequence == e):
            row = rows[frame.step]
            column = columns[frame.camera.name]
            assert (np.array(Image.open(io.BytesIO(row[column]["bytes"]))) == frame.rgb).all()
            assert read.info["features"][column]["shape"] == [HEIGHT, WIDTH, 3]
        for frame in (f for f in frames if f.sequence == e and f.camera.name == "front"):
            for key, own in (("parameters", frame.parameters), ("values", frame.values)):
                values = np.atleast_1d(rows[frame.step][key])
                assert read.info["features"][key]["names"] == list(own)
                assert np.allclose(values, list(own.values()), rtol=1e-6)
    pixels = np.stack([f.rgb for f in frames if f.camera.name == "front"]).reshape(-1, 3) / 255
    stats = {k: np.array(v).ravel() for k, v in read.stats["observation.images.front"].items()}
    assert np.shape(read.stats["observation.images.front"]["mean"]) == (3, 1, 1)
    assert np.allclose(stats["mean"], pixels.mean(axis=0))
    assert np.allclose(stats["std"], pixels.std(axis=0))
    assert np.allclose(stats["q90"], np.quantile(pixels, 0.9, axis=0, method="inverted_cdf"))
    assert stats["count"] == len(frames) // 2


def recorded(lengths: list[int], dt: float = 0.02) -> TrajectorySet:
    """Episodes of a made-up machine; the second diverged."""
    rng = stream(3, "recorded")
    n = sum(lengths)
    values, diverged = rng.normal(size=(n, 5)), np.arange(len(lengths)) == 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values[offsets[1] : offsets[2]] = np.nan
    return TrajectorySet(
        channels=(Channel("Gelenk 1", "rad", "angle"), Channel("lage", "", "quaternion")),
        time=np.concatenate([np.arange(k) * dt + 5 for k in lengths]), values=values, offsets=offsets,
        action_channels=(Channel("motor", "N m"),), actions=rng.normal(size=(n, 1)), diverged=diverged,
        sources=tuple(f"episode {k}" for k in range(len(lengths))),
    )  # fmt: skip


def test_lerobot_of_trajectories(tmp_path: Path) -> None:
    """States and actions come back as float32, without the episodes that diverged, with exact statistics."""
    shown = recorded([7, 4, 9, 2])
    with pytest.warns(DataWarning, match="1 episode diverged or empty: left out"):
        export_trajectories(shown, "lerobot", tmp_path / "out", task="schwingen", robot="arm")
    read = LeRobotReader(tmp_path / "out")
    read.check()
    assert (read.info["fps"], read.info["robot_type"], read.tasks) == (50, "arm", {0: "schwingen"})
    assert read.info["features"]["observation.state"]["names"] == ["Gelenk 1", *(f"lage.{k}" for k in range(4))]
    kept = shown.take([0, 2, 3])
    for e in range(3):
        own, rows = kept.episode(e), read.rows(e)
        assert (np.array([r["observation.state"] for r in rows], np.float32) == own.values.astype(np.float32)).all()
        assert (np.array([r["action"] for r in rows], np.float32) == own.actions[:, 0].astype(np.float32)).all()
    stats = read.stats["observation.state"]
    assert np.allclose(stats["mean"], kept.values.mean(axis=0), atol=1e-6)
    assert np.allclose(stats["std"], kept.values.std(axis=0), atol=1e-6)
    assert np.allclose(stats["max"], kept.values.max(axis=0), atol=1e-6)
    assert stats["count"] == [18]


def test_lerobot_refuses_another_rate(tmp_path: Path) -> None:
    """Rows that do not follow each other at one rate are named, with how far they are off."""
    shown = recorded([7, 4, 9])
    shown.time[13] += 0.004
    with pytest.warns(DataWarning), pytest.raises(InputError, match=r"episode 2: its rows are not 50 in a second"):
        export_trajectories(shown, "lerobot", tmp_path / "out", task="", robot="arm")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="trajectories have no images; --to lerobot"):
        export_trajectories(shown, "coco", tmp_path / "out", task="", robot="arm")


@pytest.mark.parametrize("name", ["mot", "lerobot"])
def test_stills_are_refused_where_sequences_are_needed(frames: list[Frame], tmp_path: Path, name: str) -> None:
    """Tracks and episodes need sequences, and one sentence says so."""
    stills = Source(frames, CATEGORIES, len(frames), name="bilder")
    with pytest.raises(InputError, match=rf"bilder: holds stills, and {name} needs sequences; .* --length 2"):
        export(stills, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_masks_are_asked_for(frames: list[Frame], tmp_path: Path, name: str) -> None:
    """A dataset without instance masks says which pass is missing, and leaves nothing behind."""
    bare = Source([f.replace(instances=None) for f in frames], CATEGORIES, len(frames))
    form = get_format(name, {"labels": "polygons"} if name == "yolo" else {})
    with pytest.raises(InputError, match=r"frame 0: has no instance mask, .* --passes instances"):
        export(bare, form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.filterwarnings("ignore::simloop.errors.DataWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_same_bytes_again(source: Source, tmp_path: Path, name: str) -> None:
    """An export is the same bytes wherever and whenever it is made, and nothing else is left beside it."""
    for out in ("a", "b"):
        export(source, name, tmp_path / out)
    assert listing(tmp_path / "a") == listing(tmp_path / "b")
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b"}


@pytest.mark.filterwarnings("ignore::simloop.errors.DataWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_frames_without_objects(source: Source, tmp_path: Path, name: str) -> None:
    """A dataset in which nothing is seen is exported like any other."""
    empty = [f for f in painted_frames(2) if f.sequence == 1]
    assert sum(len(f.objects) for f in empty) == 0
    export(Source(empty, CATEGORIES, len(empty), length=LENGTH), name, tmp_path / "leer")
    assert (tmp_path / "leer" / "simloop.json").is_file()


def test_folders_are_kept_from_harm(source: Source, tmp_path: Path) -> None:
    """A folder of something else is never touched; an older export is kept, refused or replaced as --resume says."""
    mine = tmp_path / "meine Daten"
    mine.mkdir()
    (mine / "thesis.tex").write_text("ten years of work")
    for resume in ("never", "if-match", "always"):
        with pytest.raises(InputError, match="not empty and not an export of simloop"):
            export(source, "coco", mine, resume=resume)
    assert listing(mine) == {"thesis.tex": b"ten years of work"}
    out = tmp_path / "out"
    written = export(source, "yolo", out)
    before = {p: p.stat().st_ino for p in out.rglob("*")}
    assert export(source, "yolo", out) == written
    assert {p: p.stat().st_ino for p in out.rglob("*")} == before
    with pytest.raises(InputError, match="holds an export already, and --resume is 'never'"):
        export(source, "yolo", out, resume="never")
    with pytest.raises(InputError, match=r"holds another export .format was 'yolo', now 'coco'"):
        export(source, "coco", out)
    export(source, "coco", out, resume="always")
    assert (out / "annotations" / "instances.json").is_file()
    assert not (out / "data.yaml").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"meine Daten", "out"}


def test_an_export_that_fails_leaves_nothing(frames: list[Frame], source: Source, tmp_path: Path) -> None:
    """Stopped in the middle, an export leaves the older one as it was and no part of the new one."""

    def broken() -> Iterator[Frame]:
        yield from frames[:7]
        raise KeyboardInterrupt

    export(source, "yolo", tmp_path / "out")
    before = listing(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        export(Source(broken(), CATEGORIES, 20), "coco", tmp_path / "out", resume="always")
    assert listing(tmp_path / "out") == before
    assert {p.name for p in tmp_path.iterdir()} == {"out"}


def test_what_a_killed_export_left_is_removed(source: Source, tmp_path: Path) -> None:
    """The next export into the same folder clears away what a killed one left beside it."""
    for name in ("out", "out [1]"):
        for ending in ("part", "old"):
            left = tmp_path / f".{name}.4194303.{ending}"  # no process has so high a number
            left.mkdir()
            (left / "half.png").write_bytes(b"half")
        export(source, "yolo", tmp_path / name)
    assert {p.name for p in tmp_path.iterdir()} == {"out", "out [1]"}


def test_images_that_are_png_already_are_linked(frames: list[Frame], tmp_path: Path) -> None:
    """Images that are PNG files already take no space of their own."""
    (tmp_path / "store").mkdir()
    files = [tmp_path / "store" / f"{place}.png" for place in range(6)]
    for file, frame in zip(files, frames[:6], strict=True):
        file.write_bytes(encode(frame.rgb))
    source = Source(frames[:6], CATEGORIES, 6, length=LENGTH, png=lambda place: files[place])
    export(source, "coco", tmp_path / "out")
    assert {p.stat().st_ino for p in (tmp_path / "out" / "images").iterdir()} == {p.stat().st_ino for p in files}


@pytest.mark.filterwarnings("ignore::simloop.errors.DataWarning")
def test_a_dataset_goes_into_every_format(tmp_path: Path) -> None:
    """What `simloop generate` stored is exported from its folder: same images, same masks, same images' files."""
    reader = pytest.importorskip("pycocotools.coco")
    request = Request(size=SIZE, passes=("depth", "instances"), cameras=Painted().cameras, length=3)
    generate(Painted(), 12, tmp_path / "bunte Bilder", request=request, seed=3)
    dataset = Dataset.open(tmp_path / "bunte Bilder")
    for name in FORMATS:
        export(Source.of(dataset), name, tmp_path / name)
        assert json.loads((tmp_path / name / "simloop.json").read_text("utf-8"))["export"]["source"] == {
            "name": "bunte Bilder", "frames": 24, "dataset": dataset.manifest.hash,
        }  # fmt: skip
    coco = reader.COCO(str(tmp_path / "coco" / "annotations" / "instances.json"))
    compared = 0
    for image, frame in zip(coco.loadImgs(sorted(coco.getImgIds())), dataset, strict=True):
        stored = dataset.path(image["id"] - 1)
        assert stored is not None
        assert (tmp_path / "coco" / "images" / image["file_name"]).stat().st_ino == stored.stat().st_ino
        for a in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            assert (coco.annToMask(a) == (frame.instances == a["track_id"])).all()
            compared += 1
    assert compared == sum(len(seen_things(f)) for f in dataset) > 20
    read = LeRobotReader(tmp_path / "lerobot")
    read.check()
    assert (len(read.episodes), read.info["robot_type"], read.tasks) == (4, "painted", {0: "painted"})


def test_wrong_names_get_a_close_match() -> None:
    """A misspelt format or option is answered by what it may have been."""
    with pytest.raises(InputError, match=r"unknown format 'koko'.*coco"):
        get_format("koko")
    with pytest.raises(InputError, match=r"unknown option of yolo: 'label' \(did you mean 'labels'\?\)"):
        get_format("yolo", {"label": "boxes"})
    with pytest.raises(InputError, match="did you mean 'polygons'"):
        get_format("yolo", {"labels": "polygon"})


def test_classes_count_things_alone() -> None:
    """Classes of formats that count them without gaps are the places among the things."""
    assert things_of(CATEGORIES) == {0: 0, 2: 1, 3: 2, 4: 3}


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`simloop export` writes trajectories in LeRobot's format, and says what was written, or what is wrong."""
    from simloop.cli import _FORMATS, app

    assert set(_FORMATS) == set(FORMATS)
    monkeypatch.chdir(tmp_path)
    recorded([7, 4, 9]).save("meine fahrt.npz")
    run = CliRunner()
    done = run.invoke(app, ["export", "meine fahrt.npz", "--to", "lerobot", "-o", "out", "--option", "task=fahren"])
    assert done.exit_code == 0
    assert "out: meine fahrt.npz as lerobot: 2 episodes, 16 frames, 1 data file" in done.stdout
    assert LeRobotReader(tmp_path / "out").tasks == {0: "fahren"}
    for wrong, said in (
        (["nowhere", "--to", "coco"], "nowhere: no such file or folder"),
        (["meine fahrt.npz", "--to", "coco"], "trajectories have no images; --to lerobot"),
        (["out", "--to", "coco"], "out: not a dataset of 'simloop generate'"),
        (["meine fahrt.npz", "--to", "lerobots"], "did you mean 'lerobot'"),
    ):
        failed = run.invoke(app, ["export", *wrong, "-o", "b"])
        assert isinstance(failed.exception, InputError)
        assert said in str(failed.exception)


def held_by_export(name: str, folder: Path) -> int:
    """Bytes that an export holds more after 1,000 frames than after 400."""
    held = []

    def watched() -> Iterator[Frame]:
        for place, frame in enumerate(painted_frames(350, cameras=("front",))):
            if place in (400, 1000):  # whole episodes after a multiple of those that LeRobot's writer holds back
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
            yield frame

    tracemalloc.start()
    export(Source(watched(), CATEGORIES, 1050, length=LENGTH), name, folder)
    tracemalloc.stop()
    return held[1] - held[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_flat(tmp_path: Path, name: str) -> None:
    """After 1,000 frames an export holds no more than after 400, in a process of its own (64 kB for buffers)."""
    program = "from tests.test_export import *; print(held_by_export(sys.argv[1], Path(sys.argv[2])))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, name, str(tmp_path / "out")],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 64_000
