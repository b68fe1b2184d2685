"""What is read from a dataset is what the world gave: exactly, or as nearly as the page on data sets says."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from simloop.data import png
from simloop.data.difference import difference
from simloop.data.generate import generate
from simloop.data.images import IMAGES
from simloop.data.plan import Plan
from simloop.data.store import Dataset
from simloop.data.summary import summarise
from simloop.frames import Camera, Frame, Request
from simloop.worlds.photograph import depth_unit
from tests.painted import Painted

WORLD = Painted()
REQUEST = Request(
    size=(40, 32), passes=("depth", "instances", "normals", "flow"), cameras=WORLD.cameras, length=3, views=2
)
WIDE, LOOK = WORLD.distributions()["wide"], WORLD.looks()["wide"]
FRAMES = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three shards, the last of them not full."""
    path = tmp_path_factory.mktemp("store") / "with space 数据"
    generate(WORLD, FRAMES, path, seed=5, request=REQUEST, distribution=WIDE, look=LOOK)
    return path


def frames() -> Iterator[Frame]:
    sequences = range(FRAMES // REQUEST.length)
    return WORLD.frames(sequences, request=REQUEST, distribution=WIDE, look=LOOK, seed=5)


def test_what_is_read_is_what_the_world_gave(folder: Path) -> None:
    """Every image, label, camera and number of every photograph; depth to half a step, flow to 1/128 pixel."""
    dataset = Dataset.open(folder)
    assert len(dataset) == FRAMES * 2
    for given, read in zip(frames(), dataset, strict=True):
        for name in ("index", "sequence", "step", "time", "categories", "parameters", "values"):
            assert getattr(read, name) == getattr(given, name)
        for record in ("camera", "objects"):
            for name, value in vars(getattr(given, record)).items():
                assert_equal(getattr(getattr(read, record), name), value)
        assert_equal(read.rgb, given.rgb)
        assert_equal(read.instances, given.instances)
        assert_equal(read.normals, given.normals)
        np.testing.assert_allclose(read.depth, given.depth, atol=given.camera.depth_unit / 2 + 1e-6, rtol=0)
        np.testing.assert_allclose(read.flow, given.flow, atol=1 / 128, rtol=0)


def assert_equal(a: Any, b: Any) -> None:
    if isinstance(b, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def test_any_photograph_at_any_time(folder: Path) -> None:
    """Random access, negative numbers, slices and iteration give the same frames."""
    dataset = Dataset.open(folder)
    in_order = [(f.index, f.camera.name, int(f.rgb.sum())) for f in dataset]
    for i in np.random.default_rng(0).permutation(len(dataset))[:50].tolist():
        f = dataset[i]
        assert (f.index, f.camera.name, int(f.rgb.sum())) == in_order[i]
    assert dataset[-1].index == FRAMES - 1
    assert [f.index for f in dataset[2:9:3]] == [1, 2, 4]
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert pickle.loads(pickle.dumps(dataset))[7].index == dataset[7].index


def test_the_dataset_says_what_made_it(folder: Path) -> None:
    """World, categories, request, distributions with their hashes, seed and versions come back."""
    dataset = Dataset.open(folder)
    assert (dataset.world, dataset.categories, dataset.seed) == ("painted", WORLD.categories, 5)
    assert dataset.request == REQUEST
    assert dataset.distribution.hash == WIDE.hash
    assert dataset.look is not None
    assert dataset.look.hash == LOOK.hash
    assert {"brush", "numpy", "simloop", "pyarrow"} <= set(dataset.versions)


def test_other_readers_read_the_files(folder: Path) -> None:
    """Pillow reads the images, and PyArrow the tables, whose rows name the images."""
    dataset = Dataset.open(folder)
    frame, path = dataset[4], dataset.path(4)
    assert path is not None
    assert (np.asarray(Image.open(path)) == frame.rgb).all()
    table = pq.read_table(path.parent / "frames.parquet")
    row = table.slice(4, 1).to_pylist()[0]
    assert (row["index"], row["rgb"], row["parameter.count"]) == (2, path.name, frame.parameters["count"])
    np.testing.assert_allclose(np.reshape(row["extrinsics"], (4, 4)), frame.camera.extrinsics)
    objects = pq.read_table(path.parent / "objects.parquet").to_pylist()
    own = [o for o in objects if (o["index"], o["camera"]) == (frame.index, frame.camera.name)]
    assert [o["names"] for o in own] == list(frame.objects.names)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 48), (3, 9, 3), (50, 1, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_survive_their_file(shape: tuple[int, ...], dtype: type) -> None:
    """PNGs of random pixels come back exactly, and Pillow, an independent reader, sees the same ones."""
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    content = png.encode(image)
    assert_equal(png.decode(content), image)
    if len(shape) == 2 or dtype == np.uint8:  # Pillow has no colour images of 16 bits
        assert (np.asarray(Image.open(io.BytesIO(content))) == image).all()


def camera(unit: float = 1e-4) -> Camera:
    return Camera.of_view("c", (4, 1), 1.0, np.zeros(3), np.eye(3), depth_unit=unit)


def stored(kind: str, image: Any, seen_by: Camera | None = None) -> tuple[Any, int]:
    packed, lost = IMAGES[kind].pack(np.asarray(image, dtype=np.float32), seen_by or camera())
    return IMAGES[kind].unpack(png.decode(png.encode(packed)), seen_by or camera()), lost


def test_depth_is_nothing_where_nothing_is_or_too_far_to_say() -> None:
    """What is near stays above 0; what is farther than 65,535 steps becomes 0 and is counted; nothing stays nothing."""
    read, lost = stored("depth", [[0.0, np.nan, 1e-6, 6.5535], [1.23456, 6.56, np.inf, 100.0]])
    np.testing.assert_allclose(read, [[0, 0, 1e-4, 6.5535], [1.2346, 0, 0, 0]], atol=1e-6)
    assert lost == 3
    far, lost = stored("depth", [[50.0]], camera(depth_unit(60.0)))
    assert (far[0, 0], lost) == (pytest.approx(50.0, abs=5e-4), 0)


def test_normals_are_kept_to_a_hundred_thousandth() -> None:
    """Random unit normals come back within 1.6e-5 in each component, nothing as nothing."""
    normals = np.random.default_rng(1).normal(size=(20, 30, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[0] = 0
    read, _ = stored("normals", normals)
    np.testing.assert_allclose(read, normals, atol=1.6e-5)
    assert not read[0].any()


def test_flow_is_unknown_where_it_is_not_known_or_too_large() -> None:
    """Flow comes back within 1/128 pixel; NaN stays NaN; 512 pixels and more become NaN and are counted."""
    flow = np.random.default_rng(2).uniform(-500, 500, (20, 30, 2))
    flow[0, 0], flow[0, 1] = (np.nan, 1.0), (600.0, 0.0)
    read, lost = stored("flow", flow)
    assert np.isnan(read[0, :2]).all()
    assert lost == 1
    np.testing.assert_allclose(read[1:], flow[1:], atol=1 / 128 + 1e-5)


def test_masks_hold_more_than_a_byte() -> None:
    """Instance numbers above 255 come back."""
    mask = np.arange(600, dtype=np.uint16).reshape(20, 30)
    packed, _ = IMAGES["instances"].pack(mask, camera())
    assert packed.dtype == np.uint16
    assert_equal(IMAGES["instances"].unpack(png.decode(png.encode(packed)), camera()), mask)


@pytest.mark.parametrize(("length", "views", "cameras"), [(1, 1, 1), (3, 2, 2), (30, 7, 1), (500, 1, 1), (1, 1000, 3)])
def test_the_plan_covers_every_frame_once_and_grows_by_adding(length: int, views: int, cameras: int) -> None:
    """Shards are whole sequences, every frame is in one of them, in which one does not depend on how many there are."""
    request = Request(length=length, views=views, cameras=tuple(map(str, range(cameras))))
    plans = [Plan.of(n, request) for n in (1, 137, 2000)]
    for plan in plans:
        assert [i for k in plan.shards for i in plan.frames_of(k)] == list(range(plan.frames))
        for k in plan.shards:
            assert len(plan.sequences_of(k)) * length == len(plan.frames_of(k))
    for small, large in pairwise(plans):
        for k in small.shards:
            assert small.frames_of(k).start == large.frames_of(k).start
    if views * length <= 100:
        assert plans[-1].sequences_in_shard % views == 0


def test_a_summary_counts_what_is_there(folder: Path) -> None:
    """Counts, histograms and the coverage of parameters are those of a loop over all frames."""
    found, all_frames = summarise(Dataset.open(folder)), list(frames())
    assert (found.photographs, found.sequences, found.scenes) == (2 * FRAMES, 80, 40)
    things = [f.things.take(f.things.seen) for f in all_frames]
    assert found.per_image == np.bincount([len(t) for t in things]).tolist()
    assert sum(found.seen.values()) == sum(f.objects.seen.sum() for f in all_frames)
    assert found.images["box"] == sum(bool((f.objects.seen & (f.objects.categories == 0)).any()) for f in all_frames)
    assert sum(found.sizes) == sum(found.visible) == sum(map(len, things))
    count, size, light = found.coverage
    assert (count.name, count.of, size.of) == ("count", 7, 10)
    assert (light.low, light.high) == tuple(pick([f.parameters["light"] for f in all_frames]) for pick in (min, max))
    assert light.expected == pytest.approx((0.2, 1.0), abs=1e-3)


def test_a_difference_is_zero_or_named(folder: Path, tmp_path: Path) -> None:
    """A dataset equals itself; another seed changes all, more frames add, another look changes images alone."""
    first = Dataset.open(folder)
    assert difference(first, Dataset.open(folder)).equal
    generate(WORLD, 30, tmp_path / "few", seed=5, request=REQUEST, distribution=WIDE, look=LOOK)
    fewer = difference(first, Dataset.open(tmp_path / "few"))
    assert (fewer.only_a, fewer.only_b, fewer.same, fewer.configuration) == (2 * FRAMES - 60, 0, 60, {})
    generate(WORLD, 30, tmp_path / "seed", seed=6, request=REQUEST, distribution=WIDE, look=LOOK)
    other = difference(Dataset.open(tmp_path / "few"), Dataset.open(tmp_path / "seed"))
    assert (other.configuration, other.labels) == ({"seed": (5, 6)}, 60)
    generate(WORLD, 30, tmp_path / "look", seed=5, request=REQUEST, distribution=WIDE)
    looks = difference(Dataset.open(tmp_path / "few"), Dataset.open(tmp_path / "look"))
    assert set(looks.images) == {"rgb"}
    assert looks.configuration["look.kind"] == ("uniform", "point")


def test_torch_loads_it_in_other_processes(folder: Path) -> None:
    """A DataLoader with workers gives every image once, as tensors."""
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    from simloop.data.torch_dataset import TorchDataset, collate, tensors

    images = TorchDataset(folder)
    item, frame = images[3], Dataset.open(folder)[3]
    assert item["image"].dtype == torch.uint8
    assert (item["image"].numpy().transpose(1, 2, 0) == frame.rgb).all()
    assert (tensors(frame.replace(depth_sensed=frame.depth))["depth_sensed"] == item["depth"]).all()
    assert (item["labels"].numpy() == frame.things.take(frame.things.seen).categories).all()
    loader = DataLoader(images, batch_size=32, shuffle=True, num_workers=2, collate_fn=collate)  # type: ignore[arg-type]
    batches = list(loader)
    assert batches[0]["depth"].shape == (32, 1, 32, 40)
    assert sorted(i for b in batches for i in b["index"]) == sorted([*range(FRAMES), *range(FRAMES)])
