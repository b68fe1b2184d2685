"""Fitting a look to images: the gap of images, readers, searches by sampling on images, and the run of it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simloop import verbs_look
from simloop.adapt import get_method
from simloop.adapt.appearance import LookComparison, beside, searched
from simloop.adapt.binding import bound
from simloop.distributions import Distribution, Normal, Point, Product, Uniform
from simloop.errors import InputError
from simloop.frames import Request
from simloop.gap.images import energy_distance, told_apart
from simloop.learn.look_reader import LookReader, Seen
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.report import write_report
from simloop.runs import TRAINING
from simloop.targets.images import image_set, means_images
from simloop.worlds.world import Mirror
from tests.painted import Painted

SIZE = (32, 24)
LOOK = ParameterSpace(
    [
        Parameter("light.bright", 0.2, 1, 0.6, kind="appearance"),
        Parameter("camera.pitch", -0.42, 0.42, 0, "rad", kind="sensing", spread=0.2),
        Parameter("camera.yaw", -0.42, 0.42, 0, "rad", kind="sensing", spread=0.2),
        Parameter("camera.height", 0.1, 4, 1, "m", scale="log", kind="sensing", spread=0.2),
    ]
)
WIDE = Uniform(LOOK, [0.4, -0.2, -0.2, 0.7], [1.0, 0.2, 0.2, 1.4])
#: the pictures are their own mirror images, with yaw and roll turned round
MIRROR = Mirror((), ())


@dataclass(frozen=True)
class Tilted(Painted):
    """A bright sky over dark ground: its horizon says the pitch, a post the yaw; nothing says the height."""

    look: ParameterSpace = LOOK
    mirror: Mirror | None = MIRROR

    def looks(self) -> dict[str, Distribution]:
        return {"default": Point(LOOK), "wide": WIDE}

    @property
    def request(self) -> Request:
        return Request(size=SIZE)

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Any]:
        width, height = (request or self.request).size
        for number in sequences:
            row = (look or Point(LOOK)).sample(1, stream(seed, "tilted", number))[0]
            values = dict(zip(LOOK.names, row.tolist(), strict=True))
            ground = stream(seed, "tilted", "ground", number).normal(0, 0.03, 2)
            image = np.full((height, width), 0.1)
            rows = (np.arange(height) + 0.5) / height - 0.5
            image[rows < -values["camera.pitch"] + ground[0]] = 0.8
            columns = (np.arange(width) + 0.5) / width - 0.5
            image[:, np.abs(columns - values["camera.yaw"] + ground[1]) < 0.06] = 0.5
            rgb = np.repeat((255 * image * values["light.bright"]).astype(np.uint8)[..., None], 3, axis=2)
            yield SimpleNamespace(rgb=rgb, parameters=values)


SEEN = Seen(SIZE, "none", (0.0, 0.0), (1.0, 1.0), (1.0, 1.0), ((0.0009, 0.0), (0.0, 0.0009)))


@dataclass(frozen=True)
class Exact:
    """A reader without a network: says where the horizon and the post are."""

    seen: Seen = SEEN

    def __call__(self, images: Any) -> Any:
        grey = images[..., 0].astype(float)
        sky = (grey > 0.65 * grey.max(axis=(1, 2), keepdims=True)).any(axis=2)
        # the post is as bright above as below, where it alone is bright
        last = grey[:, -1] == grey[:, -1].max(axis=1, keepdims=True)
        columns = (np.arange(grey.shape[2]) + 0.5) / grey.shape[2] - 0.5
        return np.column_stack([0.5 - sky.mean(axis=1), (last * columns).sum(axis=1) / last.sum(axis=1)])


def comparison(truth: tuple[float, float], *, frames: int = 240) -> tuple[LookComparison, Normal]:
    world = Tilted()
    search, prior = searched(LOOK, WIDE, ["camera.pitch", "camera.yaw"])
    look = beside(Point(search.space, truth), WIDE, LOOK)
    real = np.stack([f.rgb for f in world.frames(range(frames), look=look, seed=99)])
    made = LookComparison(
        world,
        Exact(),  # type: ignore[arg-type]
        Exact()(real),
        fitted=search.space,
        rest=WIDE,
        scenes=world.distributions()["wide"],
        size=SIZE,
        seed=3,
    )
    return made, prior


def test_energy_distance_is_that_of_normal_distributions() -> None:
    """Between two normal distributions it is what is known in closed form, and without bias where they are one."""
    rng = stream(0, "test")
    x, y, z = rng.normal(0, 1, (4000, 1)), rng.normal(1, 1, (4000, 1)), rng.normal(0, 1, (4000, 1))
    # E|N(m, 2)| = 2 / sqrt(pi) exp(-m^2 / 4) + m erf(m / 2)
    apart = 2 / np.sqrt(np.pi) * np.exp(-0.25) + 0.5204998778
    assert energy_distance(x, y) == pytest.approx(2 * apart - 4 / np.sqrt(np.pi), abs=0.03)
    small = [energy_distance(x[a : a + 20], z[a : a + 20]) for a in range(0, 4000, 20)]
    assert abs(np.mean(small)) < 3 * np.std(small) / np.sqrt(len(small))


def test_classifier_tells_what_differs_and_nothing_else() -> None:
    """Samples of one distribution are told apart as rarely as said, shifted ones nearly always."""
    rng = stream(1, "test")
    blocks = (np.arange(160) // 8, np.arange(160) // 16)
    same = [told_apart(*rng.normal(0, 1, (2, 160, 6)), blocks=blocks, seed=k) for k in range(12)]
    assert sum(t.p <= 0.05 for t in same) <= 3
    assert 0.4 < np.mean([t.accuracy for t in same]) < 0.6
    x = rng.normal(0, 1, (160, 6))
    other = told_apart(x, rng.normal(0, 1, (160, 6)) + np.eye(6)[0] * 4, blocks=blocks)
    assert other.accuracy > 0.9
    assert other.p <= 0.01
    assert "are told apart" in other.verdict


@pytest.mark.parametrize("method", ["simopt", "cem"])
def test_searches_work_on_images_unchanged(method: str) -> None:
    """SimOpt and the cross-entropy method find a hidden pose through the shared contract, and the binding function
    says it more exactly, within its own interval."""
    truth = (0.16, -0.1)
    problem, prior = comparison(truth)
    found = get_method(method, verbs_look.OPTIONS[method]).fit(problem, prior, seed=1)
    assert found.rollouts == problem.rollouts == 6 * 32 * 24
    assert np.abs(found.distribution.mean - truth).max() < 0.05
    around = Normal.independent(prior.space, found.distribution.mean, prior.spread / 2)
    said = bound(problem, around, prior, count=400, seed=2)
    assert np.abs(said.mean - truth).max() < 0.02
    assert (np.abs(said.mean - truth) < 3 * np.sqrt(np.diag(said.covariance))).all()
    assert (said.known > 0.9).all()


def test_intervals_hold_the_truth() -> None:
    """Of many cameras about nine in ten are inside their 90 % intervals."""
    rng, inside = stream(2, "test"), []
    for k in range(16):
        truth = rng.uniform(-0.15, 0.15, 2)
        problem, prior = comparison((float(truth[0]), float(truth[1])), frames=200)
        around = Normal.independent(prior.space, truth + rng.normal(0, 0.05, 2), prior.spread / 2)
        said = bound(problem, around, prior, count=240, seed=k)
        inside.append(np.abs(said.mean - truth) < 1.645 * np.sqrt(np.diag(said.covariance)))
    assert 0.75 <= np.mean(inside) <= 1.0


def test_rows_differ_in_what_is_fitted_alone() -> None:
    """The same row gives the same frames again, and another row changes nothing but what it says."""
    problem, _ = comparison((0.0, 0.0))
    rows = np.array([[0.1, 0.0], [0.1, 0.0], [-0.2, 0.0]])
    pieces = problem.cut(1.0).take(np.arange(8))
    seen = problem.seen(rows, pieces)
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0][:, 1], seen[2][:, 1])
    assert not np.array_equal(seen[0][:, 0], seen[2][:, 0])


def test_methods_that_replay_refuse_images() -> None:
    """A method that needs recordings says so in one sentence."""
    problem, prior = comparison((0.0, 0.0))
    with pytest.raises(InputError, match="images cannot be replayed"):
        get_method("least-squares").fit(problem, prior)


def test_products_take_their_parts_in_any_order() -> None:
    """A product over a space draws, centres and weighs each parameter by its own part, whatever the parts' order."""
    part = Normal.independent(ParameterSpace([LOOK["camera.yaw"], LOOK["light.bright"]]), [0.35, 0.3], [0.01, 0.01])
    look = beside(part, WIDE, LOOK)
    rows = look.sample(50, stream(0, "test"))
    assert look.space == LOOK
    assert isinstance(look, Product)
    assert np.abs(rows[:, 2] - 0.35).max() < 0.1
    assert np.abs(rows[:, 0] - 0.3).max() < 0.1
    at = [LOOK.index(n) for n in ("camera.pitch", "camera.height")]
    rest = look.parts[0].log_prob(rows[:, at])
    assert np.allclose(look.log_prob(rows), rest + part.log_prob(rows[:, [2, 0]]))
    assert Distribution.from_dict(look.to_dict()).hash == look.hash
    with pytest.raises(InputError, match="the parts of a product"):
        Product(LOOK, [part])


def test_a_reader_reads_and_is_read_back(tmp_path: Path) -> None:
    """It learns what pictures show and says what they do not; the same seed gives the same bytes, on disk too."""
    world = Tilted()
    frames = list(world.frames(range(400), look=WIDE, seed=1))
    images = np.stack([f.rgb for f in frames])
    names = ["camera.pitch", "camera.yaw", "camera.height"]
    rows = np.array([[f.parameters[n] for n in names] for f in frames])
    trained = [LookReader.train(images, rows, size=SIZE, turned=[1], steps=40, seed=5) for _ in range(2)]
    pitch, yaw, height = trained[0].seen.explained
    assert pitch > 0.7
    assert yaw > 0.5
    assert height < 0.1
    assert np.array_equal(trained[0](images), trained[1](images))
    trained[0].save(tmp_path)
    back = LookReader.load(tmp_path)
    assert np.array_equal(back(images), trained[0](images))
    assert back.seen == trained[0].seen
    assert np.array_equal(back.of([1])(images)[:, 0], trained[0](images)[:, 1])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FRAMES": 400, "STEPS": 60, "AROUND": 240, "_TOLD": 80, "SIZE": SIZE}.items():
        monkeypatch.setattr(verbs_look, name, value)
    monkeypatch.setattr(verbs_look.taught, "__kwdefaults__", {"frames": 400})


def drive_of(folder: Path, truth: dict[str, float]) -> Path:
    """A folder of frames of a hidden camera."""
    folder.mkdir()
    look = beside(Point(LOOK, LOOK.row(truth)), WIDE, LOOK)
    for i, frame in enumerate(Tilted().frames(range(120), look=look, seed=77)):
        Image.fromarray(frame.rgb).save(folder / f"{i}.png")
    return folder


def test_a_run_finds_a_hidden_camera(tmp_path: Path, small: None) -> None:
    """From a folder of images: what can be seen is fitted and found, what cannot stays wide, in the same bytes when the
    command is given again; the report says it."""
    truth = {"camera.pitch": 0.15, "camera.yaw": -0.1, "camera.height": 1.2, "light.bright": 0.7}
    images = image_set(drive_of(tmp_path / "images", truth))
    found = verbs_look.fit_look_into(tmp_path / "run", Tilted(), images, "simopt", {"iterations": 4}, seed=3)
    assert {f.name for f in found.fitted} == {"camera.pitch", "camera.yaw"}
    assert set(found.unseen) == {"camera.height"}
    for f in found.fitted:
        assert f.value == pytest.approx(truth[f.name], abs=0.05)
        assert f.low < f.value < f.high
    assert found.apart["fitted"]["energy distance"] < 0.2 * found.apart["wide"]["energy distance"]
    loaded = Distribution.load(tmp_path / "run")
    assert loaded.space == LOOK
    assert loaded.hash == found.look.hash
    files = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    again = verbs_look.fit_look_into(tmp_path / "run", Tilted(), images, "simopt", {"iterations": 4}, seed=3)
    assert again.to_dict() == found.to_dict()
    assert {p: p.read_bytes() for p in files} == files
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "looks" in page
    assert "camera.yaw" in page
    assert "data:image/png" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "run" / TRAINING / "reader.safetensors").exists()


def test_bad_input_is_one_sentence(tmp_path: Path, small: None) -> None:
    """Unknown parameters, too few images and methods that replay are refused before anything is computed."""
    folder = drive_of(tmp_path / "images", {})
    images, world = image_set(folder), Tilted()
    with pytest.raises(InputError, match="did you mean 'camera"):
        verbs_look.fit_look_into(tmp_path / "run", world, images, "simopt", {}, fit=["camera.pich"])
    with pytest.raises(InputError, match="too few"):
        verbs_look.fit_look_into(tmp_path / "run", world, images.take(slice(10)), "simopt", {})
    with pytest.raises(InputError, match="images cannot be replayed"):
        verbs_look.fit_look_into(tmp_path / "run", world, images, "least-squares", {})
    assert not (tmp_path / "run").exists()


def test_names_of_images_and_of_recordings_are_told_apart(tmp_path: Path) -> None:
    """A folder of images and a part of the catalogue mean images; logs and stand-ins do not."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.csv").write_text("time,angle\n0,0\n")
    assert means_images(str(drive_of(tmp_path / "images", {})))
    assert means_images("donkeycar-tub/train")
    assert not any(map(means_images, (str(tmp_path / "logs"), "double-pendulum", "standin:drive", "nothing", "")))
