"""The compiled sensor, JPEG and outlines of world `drive`, beside the same in NumPy and Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from simloop import sensor
from simloop.distributions import Uniform
from simloop.frames import Request, widest
from simloop.randomness import number, stream
from simloop.worlds import get_world
from simloop.worlds.drive.jpeg import compress
from simloop.worlds.drive.look import look_space, looks
from simloop.worlds.drive.sensing import sense, sensor_numbers
from simloop.worlds.labels import tight_boxes

WORLD = get_world("drive")
PLAIN = dict(zip(look_space().names, look_space().default.tolist(), strict=True))


def soft(seed: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """(H, W, 3) linear light with a bright and a dark side and some texture."""
    rng = stream(seed, "soft")
    slope = np.linspace(0.02, 0.9, size[1])[None, :, None] * rng.uniform(0.5, 1, 3)
    return (slope * (1 + 0.3 * rng.standard_normal((*size, 3)))).clip(0, 2).astype(np.float32)


def by_numpy(light: np.ndarray, values: dict[str, float]) -> np.ndarray:
    gain = (0.16 / light.mean()) ** values["light.adapt"]
    planes = np.ascontiguousarray(light.transpose(2, 0, 1)) * np.float32(gain)
    return sensor.sense_light(planes, values, stream(0, "noise"))


@pytest.mark.parametrize("seed", range(8))
def test_without_noise_it_is_the_sensor_of_every_world(seed: int) -> None:
    """Blur, exposure, vignetting and curve give the pictures of `sensor.sense_light`, to one grey level."""
    row = looks()["wide"].sample(1, stream(seed, "row"))[0]
    values = dict(zip(look_space().names, row.tolist(), strict=True))
    values |= {"sensor.photon_noise": 0.0, "sensor.read_noise": 0.0, "sensor.jpeg": 0.0}
    if seed > 5:  # discs and lines of several pixels
        values |= {"sensor.motion": 0.07, "sensor.defocus": 0.02}
    light = soft(seed)
    off = np.abs(sense(light, sensor_numbers(values), seed).astype(int) - by_numpy(light, values))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.02


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_noise_has_the_variance_of_photons_and_electronics(level: float) -> None:
    """In linear light the variance is photons^2 m + read^2, and pixels and colours are independent."""
    values = PLAIN | {"light.adapt": 0.0, "sensor.photon_noise": 0.08, "sensor.read_noise": 0.03}
    seen = sense(np.full((300, 300, 3), level, np.float32), sensor_numbers(values), 5)
    x = seen / 255
    light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    if level > 0.1:  # what is below black is cut
        assert light.mean() == pytest.approx(level, rel=0.005)
        assert light.var() == pytest.approx(0.08**2 * level + 0.03**2, rel=0.03)
    off = light - light.mean()
    assert abs((off[:, 1:] * off[:, :-1]).mean()) < 0.02 * off.var()
    assert abs((off[..., 0] * off[..., 1]).mean()) < 0.02 * off.var()


def test_noise_is_decided_by_its_number() -> None:
    """The same number gives the same bytes, another one others; the light stays as it was."""
    values = PLAIN | {"sensor.photon_noise": 0.05, "sensor.jpeg": 30.0}
    light = soft(1)
    kept = light.copy()
    a, b, c = (sense(light, sensor_numbers(values), number(seed, "x")) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a != c).any()
    assert (light == kept).all()


@pytest.mark.parametrize("quality", [30, 49, 50, 75, 90, 99])
@pytest.mark.parametrize("size", [(60, 80), (64, 64), (31, 45)])
def test_jpeg_is_that_of_pillow(quality: int, size: tuple[int, int]) -> None:
    """What is lost is what Pillow loses: the pictures differ by far less than either does from the original."""
    original = (255 * soft(3, size).clip(0, 1) ** 0.45).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(original).save(file, format="JPEG", quality=quality)
    wanted = np.array(Image.open(file)).astype(float)
    found = original.copy()
    compress(found, quality)
    lost = np.sqrt(((wanted - original) ** 2).mean())
    assert np.sqrt(((found - wanted) ** 2).mean()) < 0.25 * lost + 1
    assert abs((found - wanted).mean()) < 0.3
    assert np.sqrt(((found.astype(float) - original) ** 2).mean()) == pytest.approx(lost, rel=0.05)


def test_annotations_are_what_the_camera_and_the_mask_say() -> None:
    """Boxes of what is seen are those of the mask, and amodal ones go around the oriented box's projected corners."""
    wide, look = WORLD.distributions()["wide"], WORLD.looks()["wide"]
    checked = 0
    for frame in WORLD.frames(range(6), request=Request(size=(80, 60)), distribution=wide, look=look, seed=2):
        things = frame.things
        assert frame.instances is not None
        boxes = tight_boxes(frame.instances, int(frame.objects.ids.max()))
        np.testing.assert_array_equal(frame.objects.boxes, boxes[frame.objects.ids - 1])
        for i in range(len(things)):
            turn = 2 * np.arctan2(things.poses[i, 6], things.poses[i, 3])
            corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T * things.sizes[i] / 2
            x, y, z = (things.centres[i] + corners).T
            c, s = np.cos(turn), np.sin(turn)
            world = np.stack([c * x - s * y, s * x + c * y, z], axis=1) + things.poses[i, :3]
            image = frame.camera.project(world)
            if (image[:, 2] > 0).all():
                checked += 1
                assert (things.amodal[i, :2] <= image[:, :2].min(axis=0) + 1e-6).all()
                assert (things.amodal[i, 2:] >= image[:, :2].max(axis=0) - 1e-6).all()
                assert (things.amodal[i, :2] >= image[:, :2].min(axis=0) - 12).all()
    assert checked > 10


def test_how_far_out_a_lens_shows_is_the_end_of_its_growth() -> None:
    """At `widest` the radius stops growing, for all distortions; where it never does, it is infinite."""
    space = Uniform(sensor.sensor_space(), sensor.sensor_space().low, sensor.sensor_space().high)
    lens = [space.space.index(name) for name in ("lens.k1", "lens.k2")]
    for k1, k2 in [*space.sample(50, stream(0, "lens"))[:, lens].tolist(), (0.0, 0.0), (-0.1, 0.0), (0.1, 0.0)]:
        r = widest((k1, k2))
        within = np.linspace(0, min(r, 5.0) * 0.999, 200)
        assert (1 + 3 * k1 * within**2 + 5 * k2 * within**4 > 0).all()
        if np.isfinite(r):
            assert 1 + 3 * k1 * r**2 + 5 * k2 * r**4 == pytest.approx(0, abs=1e-9)
