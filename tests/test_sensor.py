"""Lens and sensor: what changes nothing does so to the byte, and what is physics has the numbers of physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simloop.frames import Camera
from simloop.lens import Lens
from simloop.randomness import stream
from simloop.sensor import sense, sense_depth, sensor_distributions, sensor_space

SPACE = sensor_space()


def values(**changes: float) -> dict[str, float]:
    """A perfect sensor's parameters with some changed."""
    row = SPACE.row({f"sensor.{name}": value for name, value in changes.items()})
    return dict(zip(SPACE.names, row.tolist(), strict=True))


def linear(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear light of an sRGB picture."""
    x = rgb / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def flat(value: int, size: tuple[int, int] = (200, 200)) -> NDArray[np.uint8]:
    """A picture of one grey."""
    return np.full((*size, 3), value, dtype=np.uint8)


def busy(size: tuple[int, int] = (60, 80)) -> NDArray[np.uint8]:
    """A picture in which each pixel is another."""
    return stream(0, "busy").integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_perfect_sensor_changes_nothing() -> None:
    """At the defaults picture and depth are the same bytes, and so are they through a straight lens."""
    rgb, depth = busy(), stream(0, "depth").random((60, 80), dtype=np.float32)
    assert sense(rgb, values(), stream(0, "s")) is rgb
    assert sense_depth(depth, values(), stream(0, "s")) is depth
    lens = Lens(Camera.of_view("c", (80, 60), 0.8, np.zeros(3), np.eye(3)))
    assert lens.blend(rgb) is rgb
    assert lens.pick(depth) is depth


def test_linear_light_and_back_is_exact() -> None:
    """Decoding to linear light and encoding again gives each of the 256 values back."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    almost = values(tint=1e-12)  # so little that it must be computed and must not be seen
    np.testing.assert_array_equal(sense(ramp, almost, stream(0, "s")), ramp)


def test_the_same_stream_gives_the_same_bytes() -> None:
    """Noise depends on the stream alone."""
    noisy = values(photon_noise=0.1, read_noise=0.02, jpeg=30)
    a, b, c = (sense(busy(), noisy, stream(seed, "s")) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize("stops", [-1.0, 1.0])
def test_a_stop_doubles_the_light(stops: float) -> None:
    """Exposure multiplies linear light by two for each stop; warmth takes from blue what it gives to red."""
    rgb = flat(100, (4, 4))
    brighter = linear(sense(rgb, values(exposure=stops), stream(0, "s")))
    np.testing.assert_allclose(brighter / linear(rgb), 2.0**stops, rtol=0.02)
    red, green, blue = (linear(sense(rgb, values(warmth=0.3), stream(0, "s"))) / linear(rgb))[0, 0]
    assert (red, green, blue) == pytest.approx((np.exp(0.3), 1, np.exp(-0.3)), rel=0.02)


@pytest.mark.parametrize("value", [100, 140, 180])
def test_photon_noise_is_that_of_counting(value: int) -> None:
    """With N photons in white, light m has a variance of m / N; what the electronics add is the same everywhere."""
    rgb = flat(value, (400, 400))
    m, photons, read = float(linear(rgb)[0, 0, 0]), 900, 0.03
    counted = linear(sense(rgb, values(photon_noise=1 / np.sqrt(photons)), stream(0, "s")))
    assert counted.var() == pytest.approx(m / photons, rel=0.02)
    assert counted.mean() == pytest.approx(m, rel=2e-3)
    assert linear(sense(rgb, values(read_noise=read), stream(0, "s"))).var() == pytest.approx(read**2, rel=0.02)
    both = linear(sense(rgb, values(photon_noise=1 / np.sqrt(photons), read_noise=read), stream(0, "s")))
    assert both.var() == pytest.approx(m / photons + read**2, rel=0.02)


def test_a_fourth_of_the_light_has_half_the_noise_and_twice_the_ratio() -> None:
    """Noise follows the light that arrives: exposure is before the photons are counted."""
    rgb, noisy = flat(150, (400, 400)), values(photon_noise=0.02)
    bright = linear(sense(rgb, noisy, stream(0, "s"))).std()
    dark = linear(sense(rgb, {**noisy, "sensor.exposure": -2.0}, stream(0, "s"))).std()
    assert dark == pytest.approx(bright / 2, rel=0.03)


def test_vignetting_takes_its_part_in_the_corners() -> None:
    """The middle keeps its light, the corner loses the part that the parameter says."""
    out = linear(sense(flat(200), values(vignetting=0.4), stream(0, "s"))) / linear(flat(200))
    assert out[100, 100, 0] == pytest.approx(1, abs=0.01)
    assert out[0, 0, 0] == pytest.approx(0.6, abs=0.01)


def test_blur_keeps_the_light_and_spreads_it_as_it_says() -> None:
    """A point becomes a line of the given length and direction, or a disc of the given radius, of as much light."""
    point = flat(0, (101, 101))
    point[50, 50] = 255
    rows, columns = np.mgrid[:101, :101] - 50
    bright = values(exposure=3)  # so that what little each pixel gets is not rounded away

    def spread(changes: dict[str, float]) -> tuple[NDArray[np.float64], float, float]:
        out = linear(sense(point, {**bright, **changes}, stream(0, "s")))[..., 0]
        return out, float((out * columns**2).sum() / out.sum()), float((out * rows**2).sum() / out.sum())

    light, across, down = spread({"sensor.defocus": 8 / 101})
    assert light.sum() == pytest.approx(8, rel=0.02)
    assert (across, down) == pytest.approx((16, 16), rel=0.05)  # of a disc: r^2 / 4
    light, across, down = spread({"sensor.motion": 0.0999, "sensor.motion_angle": 0.0})
    length = 0.0999 * 101
    assert across == pytest.approx(length**2 / 12, rel=0.1)
    assert down == pytest.approx(0, abs=0.01)
    _, across, down = spread({"sensor.motion": 0.0999, "sensor.motion_angle": np.pi / 2})
    assert across == pytest.approx(0, abs=0.01)
    assert down == pytest.approx(length**2 / 12, rel=0.1)


def test_blur_leaves_what_is_even_even() -> None:
    """A grey picture stays as it is, its edges too."""
    blurred = sense(flat(77), values(motion=0.03, motion_angle=1.0, defocus=0.02), stream(0, "s"))
    assert np.abs(blurred.astype(int) - 77).max() <= 1


def test_every_parameter_does_something() -> None:
    """Moving any parameter of lens or sensor through its wide range changes picture or depth."""
    wide = sensor_distributions()["wide"]
    rgb = busy()
    y, x = np.mgrid[:60, :80]
    depth = (1 + (x > 40) + 0.01 * y).astype(np.float32)
    camera = Camera.of_view("c", (80, 60), 0.8, np.zeros(3), np.eye(3))
    base = dict(zip(SPACE.names, wide.mean.tolist(), strict=True))

    def everything(v: dict[str, float]) -> list[NDArray[np.generic]]:
        bent = Lens(replace(camera, distortion=(v["lens.k1"], v["lens.k2"]))).blend(rgb)
        return [sense(bent, v, stream(0, "s")), sense_depth(depth, v, stream(0, "d"))]

    before = everything(base)
    for j, name in enumerate(SPACE.names):
        for end in (wide.low[j], wide.high[j]):  # type: ignore[attr-defined]
            if end != base[name]:
                after = everything({**base, name: float(end)})
                assert any((a != b).any() for a, b in zip(before, after, strict=True)), name


@pytest.mark.parametrize("distortion", [(-0.25, 0.05), (0.2, -0.03), (-0.1, 0.0)])
def test_what_is_seen_through_a_lens_is_where_the_camera_says(distortion: tuple[float, float]) -> None:
    """Points drawn where the pinhole sees them land, through the lens, where `Camera.image` says."""
    camera = replace(Camera.of_view("c", (321, 241), 0.9, np.zeros(3), np.eye(3)), distortion=distortion)
    lens = Lens(camera)
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.35, 0.35, 7)), axis=-1).reshape(-1, 2)
    points = np.column_stack([grid, np.ones(len(grid))])
    v, u = np.mgrid[:241, :321] + 0.5
    for point in points:
        place, through = camera.image(point), lens.pinhole.image(point)
        blob = np.exp(-((u - through[0]) ** 2 + (v - through[1]) ** 2) / 8)
        rgb = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, axis=2)
        seen = lens.blend(rgb)[..., 0].astype(float)
        if not (6 < place[0] < 315 and 6 < place[1] < 235):
            continue
        middle = np.array([(u * seen).sum(), (v * seen).sum()]) / seen.sum()
        np.testing.assert_allclose(middle, place, atol=0.1)


def test_masks_and_depth_through_a_lens_are_those_of_its_rays() -> None:
    """What a pixel of a mask shows lies on that pixel's ray, to a pixel of the picture that it is made from."""
    camera = replace(Camera.of_view("c", (160, 120), 0.9, np.zeros(3), np.eye(3)), distortion=(-0.2, 0.03))
    lens = Lens(camera)
    seen = lens.pick(lens.pinhole.rays)  # a picture that shows at each pixel where it looks
    pixel = 1 / lens.pinhole.intrinsics[0, 0]
    assert np.abs(seen - camera.rays).max() < 0.51 * pixel + 1e-9
    mask = np.arange(160 * 120, dtype=np.uint16).reshape(120, 160)
    assert set(np.unique(lens.pick(mask))) <= set(np.unique(mask))


def test_where_a_lens_sees_nothing_there_is_nothing() -> None:
    """Beyond the radius at which the distortion turns back a picture is black and a mask 0, without a warning."""
    camera = replace(Camera.of_view("c", (64, 64), 1.6, np.zeros(3), np.eye(3)), distortion=(-0.3, 0.0))
    lens = Lens(camera)
    mask = lens.pick(np.ones((64, 64), dtype=np.uint16))
    assert mask[32, 32] == 1
    assert mask[0, 0] == 0
    assert lens.blend(flat(255, (64, 64)))[0, 0].max() == 0
    assert np.isfinite(lens.pinhole.intrinsics).all()


def test_a_lens_shows_all_that_it_sees() -> None:
    """The pinhole camera that is rendered reaches as far as the lens sees, so no edge of its picture is repeated."""
    for distortion in ((-0.25, 0.05), (0.3, 0.1)):
        camera = replace(Camera.of_view("c", (200, 100), 0.7, np.zeros(3), np.eye(3)), distortion=distortion)
        lens = Lens(camera)
        places = lens.pinhole.image(camera.rays)
        assert places.min() > 0
        assert places[..., 0].max() < 200
        assert places[..., 1].max() < 100
        assert lens.fovy == pytest.approx(2 * np.arctan(50 / lens.pinhole.intrinsics[1, 1]))


def test_depth_noise_grows_with_depth_squared() -> None:
    """Noise is that of a pair of cameras: sigma at 1 m, four times as much at 2 m."""
    for metres in (0.5, 1.0, 2.0):
        depth = np.full((400, 400), metres, dtype=np.float32)
        noise = sense_depth(depth, values(depth_noise=0.002), stream(0, "d")) - depth
        assert noise.std() == pytest.approx(0.002 * metres**2, rel=0.02)


def test_depth_steps_are_even_in_its_inverse() -> None:
    """Measured depths are those of whole numbers of steps in 1 / depth, and the nearest of them."""
    depth = np.linspace(0.3, 4, 5000, dtype=np.float32).reshape(50, 100)
    stepped = sense_depth(depth, values(depth_step=0.01), stream(0, "d"))
    whole = 1 / stepped / 0.01
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-3)
    assert np.abs(1 / stepped - 1 / depth).max() <= 0.005 + 1e-6


def test_depth_is_missing_at_edges_as_often_as_said() -> None:
    """Only pixels beside a step are missing, that part of them; what was not seen stays unseen."""
    depth = np.ones((1000, 40), dtype=np.float32)
    depth[:, 20:] = 2
    depth[:, :3] = 0
    out = sense_depth(depth, values(depth_edges=0.3), stream(0, "d"))
    lost = (out == 0) & (depth > 0)
    assert set(np.flatnonzero(lost.any(axis=0))) == {3, 19, 20}
    assert lost[:, 19:21].mean() == pytest.approx(0.3, abs=0.03)
    out = sense_depth(depth, values(depth_missing=0.1), stream(0, "d"))
    assert (out[:, 3:] == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (out[:, :3] == 0).all()
