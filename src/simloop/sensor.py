"""What a sensor makes of a picture: exposure, blur, noise and compression; and a depth camera of depth.

    rgb = sense(rgb, values, stream(seed, "sensor", frame))
    sensed = sense_depth(depth, values, stream(seed, "sensor", "depth", frame))    # the true depth stays the label

Pictures are (H, W, 3) sRGB, 0 to 255. What is physics happens in linear light: exposure, white balance, vignetting,
blur and noise. The order is that of a camera: light, lens, photons, electronics, processing, compression. Every default
changes nothing, to the byte.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point, Uniform
from simloop.parameters import Array, Parameter, ParameterSpace

Picture = NDArray[np.uint8]
Float32 = NDArray[np.float32]

#: (low, default, high), range in `wide`, unit, what it does
_TABLE: dict[str, tuple[tuple[float, float, float], tuple[float, float], str, str]] = {
    "lens.k1": ((-0.3, 0, 0.3), (-0.12, 0.08), "", "radial distortion, in the square of the radius (Brown, 1971)"),
    "lens.k2": ((-0.1, 0, 0.1), (-0.02, 0.02), "", "radial distortion, in its fourth power"),
    "sensor.exposure": ((-4, 0, 4), (-1, 1), "stops", "brightness: doubles with each stop"),
    "sensor.warmth": ((-1, 0, 1), (-0.2, 0.2), "", "log of what red is multiplied and blue divided by"),
    "sensor.tint": ((-1, 0, 1), (-0.1, 0.1), "", "log of what green is multiplied by"),
    "sensor.gamma": ((0.3, 1, 3), (0.8, 1.25), "", "curve of the processing: values from 0 to 1 to this power"),
    "sensor.vignetting": ((0, 0, 1), (0, 0.5), "", "part of the light that is lost in the corners"),
    "sensor.motion": ((0, 0, 0.1), (0, 0.02), "width", "length of motion blur, as a part of the picture's width"),
    "sensor.motion_angle": ((0, 0, np.pi), (0, np.pi), "rad", "its direction, from the right downwards"),
    "sensor.defocus": ((0, 0, 0.03), (0, 0.006), "width", "radius of the disc that a point becomes"),
    "sensor.photon_noise": (
        (0, 0, 0.5),
        (0, 0.06),
        "white",
        "noise of white from counting photons",
    ),
    "sensor.read_noise": ((0, 0, 0.2), (0, 0.02), "white", "noise of the electronics, everywhere the same"),
    "sensor.jpeg": ((0, 0, 95), (0, 70), "", "strength of compression: 100 - quality; 0 is none"),
    "sensor.depth_noise": ((0, 0, 0.1), (0, 0.01), "1/m", "depth: noise at 1 m, in m; it grows with depth squared"),
    "sensor.depth_step": ((0, 0, 0.1), (0, 0.01), "1/m", "depth: step at 1 m, in m; it grows with depth squared"),
    "sensor.depth_edges": ((0, 0, 1), (0, 1), "", "depth: part of the pixels at edges that are missing"),
    "sensor.depth_missing": ((0, 0, 1), (0, 0.05), "", "depth: part of all pixels that are missing"),
}
_WHOLE = ("sensor.jpeg",)
_LOG = ("sensor.gamma",)
#: of the depth nearest to a pixel, a step that counts as an edge
_EDGE = 0.05
#: places of a blur up to which pictures are shifted and added, which is faster than transforming them
_FEW_TAPS = 30


@cache
def sensor_space() -> ParameterSpace:
    """The parameters of lens (`simloop.lens`) and sensor."""
    return ParameterSpace(
        Parameter(
            name, low=low, high=high, default=default, unit=unit, kind="sensing", description=description,
            integer=name in _WHOLE, scale="log" if name in _LOG else "linear",
        )
        for name, ((low, default, high), _, unit, description) in _TABLE.items()
    )  # fmt: skip


def sensor_distributions() -> dict[str, Distribution]:
    """`default`, a perfect camera, and `wide`, as far as someone would go by hand."""
    space = sensor_space()
    low, high = np.array([wide for _, wide, _, _ in _TABLE.values()]).T
    return {"default": Point(space), "wide": Uniform(space, low, high)}


def sense(rgb: Picture, values: Mapping[str, float], rng: np.random.Generator) -> Picture:
    """What a sensor makes of a picture (H, W, 3); the distortion is that of `simloop.lens`.

    Noise is Gaussian with the variance of counted photons and of the electronics (Foi et al., 2008): of a value m of
    linear light, white being 1, it is `photon_noise`^2 m + `read_noise`^2.
    """
    v = {name: values[name] for name in sensor_space().names}
    plain = not (v["sensor.motion"] or v["sensor.defocus"] or v["sensor.photon_noise"] or v["sensor.read_noise"])
    gain = _gain(v)
    if plain and not v["sensor.vignetting"] and (gain == 1).all() and v["sensor.gamma"] == 1:
        return _compressed(rgb, v)
    return _sensed(_decoded(rgb, gain), v, rng)


def sense_light(light: Float32, values: Mapping[str, float], rng: np.random.Generator) -> Picture:
    """What a sensor makes of linear light (3, H, W), white being 1, which is overwritten: as `sense` of a picture."""
    v = {name: values[name] for name in sensor_space().names}
    light *= _gain(v).astype(np.float32)[:, None, None]
    return _sensed(light, v, rng)


def _gain(v: Mapping[str, float]) -> Array:
    """(3,) what red, green and blue are multiplied with."""
    balance = np.exp([v["sensor.warmth"], v["sensor.tint"], -v["sensor.warmth"]])
    return np.asarray(2.0 ** v["sensor.exposure"] * balance)


def _sensed(light: Float32, v: Mapping[str, float], rng: np.random.Generator) -> Picture:
    """A picture of light (3, H, W) that was exposed: blur, vignetting, noise, curve, compression."""
    if v["sensor.motion"] or v["sensor.defocus"]:
        light = _blurred(light, v["sensor.motion"], v["sensor.motion_angle"], v["sensor.defocus"])
    if v["sensor.vignetting"]:
        light *= 1 - np.float32(v["sensor.vignetting"]) * _radius_squared(light.shape[1:])
    if v["sensor.photon_noise"] or v["sensor.read_noise"]:
        light = _noised(light, v["sensor.photon_noise"], v["sensor.read_noise"], rng)
    return _compressed(encoded(light, v["sensor.gamma"]), v)


def sense_depth(depth: Float32, values: Mapping[str, float], rng: np.random.Generator) -> Float32:
    """What a depth camera makes of depth (H, W), m; 0 where it sees nothing.

    It measures as a pair of cameras does: evenly in 1 / depth, so that noise and steps grow with depth squared. Pixels
    are missing at edges, where the pair does not see the same, and at random.
    """
    noise, step = values["sensor.depth_noise"], values["sensor.depth_step"]
    edges, missing = values["sensor.depth_edges"], values["sensor.depth_missing"]
    seen = depth > 0
    out = depth
    fast = _fast(rng)
    if noise or step:
        inverse = 1 / np.where(seen, depth, np.float32(1))
        if noise:
            inverse += np.float32(noise) * fast.standard_normal(depth.shape, dtype=np.float32)
        if step:
            inverse = np.rint(inverse / np.float32(step)) * np.float32(step)
        seen = seen & (inverse > 0)
        out = np.where(seen, 1 / np.where(seen, inverse, np.float32(1)), np.float32(0)).astype(np.float32)
    if edges or missing:
        chance = np.where(_edges(depth), np.float32(edges), np.float32(0)) if edges else np.float32(0)
        lost = fast.random(depth.shape, dtype=np.float32) < np.maximum(chance, np.float32(missing))
        out = np.where(lost, np.float32(0), out)
    return out


def _decoded(rgb: Picture, gain: Array) -> Float32:
    """(3, H, W) linear light, white being 1, times a gain for each colour."""
    table = _to_linear(np.arange(256) / 255)
    out = np.empty((3, *rgb.shape[:2]), dtype=np.float32)
    for k in range(3):  # `clip` spares a check of each pixel
        np.take((table * gain[k]).astype(np.float32), rgb[..., k], out=out[k], mode="clip")
    return out


def _to_linear(x: Array) -> Array:
    """SRGB values to linear light (IEC 61966-2-1)."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


@cache
def _encoding() -> Array:
    """(65536,) the sRGB value, 0 to 1, of each 16-bit value of linear light."""
    x = np.arange(65536) / 65535
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


@cache
def _bytes(gamma: float) -> Picture:
    """(65536,) the sRGB value, 0 to 255, of each 16-bit value of linear light, after a curve."""
    return np.rint(255 * _encoding() ** gamma).astype(np.uint8)


def encoded(light: Float32, gamma: float = 1.0) -> Picture:
    """(H, W, 3) sRGB of linear light (3, H, W), which is overwritten, after a curve; what is outside 0 to 1 is cut."""
    light *= np.float32(65535)
    light += np.float32(0.5)
    np.clip(light, 0, 65535, out=light)
    places = light.astype(np.uint16).transpose(1, 2, 0)
    if gamma != 1 and places.size < 65536:  # fewer powers than a table has
        return np.rint(255 * np.take(_encoding(), places) ** gamma).astype(np.uint8)
    return np.take(_bytes(gamma), places)


@lru_cache(maxsize=4)
def _radius_squared(shape: tuple[int, ...]) -> Float32:
    """(H, W) squared distance from the middle, 1 in the corners."""
    height, width = shape
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) ** 2
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) ** 2
    return np.asarray((x + y[:, None]) / np.float32((width**2 + height**2) / 4))


def _blurred(light: Float32, motion: float, angle: float, defocus: float) -> Float32:
    """Light (3, H, W) smeared along a line and over a disc; the picture's edge goes on as it ends."""
    height, width = light.shape[1:]
    kernel = _disc(defocus * width) if defocus else np.ones((1, 1), dtype=np.float32)
    if motion:
        kernel = _joined(kernel, _line(motion * width, angle))
    half = len(kernel) // 2
    if not half:
        return light
    if np.count_nonzero(kernel) <= _FEW_TAPS:
        return _shifted(light, kernel)
    from scipy import fft

    size = [fft.next_fast_len(n + 2 * half, real=True) for n in (height, width)]
    around = ((half, size[0] - height - half), (half, size[1] - width - half))
    smear = fft.rfft2(kernel, size)
    for plane in light:
        spectrum = fft.rfft2(np.pad(plane, around, mode="edge"), overwrite_x=True)
        spectrum *= smear
        out = fft.irfft2(spectrum, size, overwrite_x=True)
        np.maximum(out[2 * half : 2 * half + height, 2 * half : 2 * half + width], 0, out=plane)
    return light


def _shifted(light: Float32, kernel: Float32) -> Float32:
    """Light (3, H, W) smeared by a kernel (2 n + 1, 2 n + 1), as a sum of shifted pictures."""
    n, (height, width) = len(kernel) // 2, light.shape[1:]
    wide = light[:, np.clip(np.arange(-n, height + n), 0, height - 1)]
    wide = wide[:, :, np.clip(np.arange(-n, width + n), 0, width - 1)]
    out = np.zeros_like(light)
    part = np.empty_like(light)
    for i, j in np.argwhere(kernel):  # a convolution turns its kernel around
        shifted = wide[:, 2 * n - i : 2 * n - i + height, 2 * n - j : 2 * n - j + width]
        np.multiply(shifted, kernel[i, j], out=part)
        out += part
    return out


def _disc(radius: float) -> Float32:
    """A kernel (2 n + 1, 2 n + 1) that sums to 1: a disc of a radius in pixels."""
    if radius < 1:  # of as much spread as the disc, though it is smaller than a pixel
        beside = radius**2 / 8
        return np.array([[0, beside, 0], [beside, 1 - 4 * beside, beside], [0, beside, 0]], dtype=np.float32)
    n = int(np.ceil(radius))
    places = (np.arange(5 * (2 * n + 1)) + 0.5) / 5 - n - 0.5
    inside = np.hypot(places, places[:, None]) <= radius
    whole = inside.reshape(2 * n + 1, 5, 2 * n + 1, 5).mean(axis=(1, 3))
    return (whole / whole.sum()).astype(np.float32)


def _line(length: float, angle: float) -> Float32:
    """A kernel (2 n + 1, 2 n + 1) that sums to 1: a line of a length in pixels, through its middle."""
    n = int(np.ceil(length / 2))
    if not n:
        return np.ones((1, 1), dtype=np.float32)
    along = (np.arange(64 * n) + 0.5) / (64 * n) * length - length / 2
    x, y = n + along * np.cos(angle), n + along * np.sin(angle)
    kernel = np.zeros((2 * n + 2, 2 * n + 2))
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    a, b = y - i, x - j
    for di, dj in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.add.at(kernel, (i + di, j + dj), (a if di else 1 - a) * (b if dj else 1 - b))
    return (kernel / kernel.sum())[:-1, :-1].astype(np.float32)


def _joined(a: Float32, b: Float32) -> Float32:
    """One kernel after another."""
    small, large = sorted((a, b), key=len)
    out = np.zeros([len(a) + len(b) - 1] * 2, dtype=np.float32)
    for i, j in np.argwhere(small):
        out[i : i + len(large), j : j + len(large)] += small[i, j] * large
    return out


def _noised(light: Float32, photons: float, read: float, rng: np.random.Generator) -> Float32:
    """Light with noise whose variance is photons^2 light + read^2."""
    spread = np.maximum(light, 0)
    spread *= np.float32(photons**2)
    spread += np.float32(read**2)
    np.sqrt(spread, out=spread)
    spread *= _fast(rng).standard_normal(light.shape, dtype=np.float32)
    spread += light
    return np.asarray(spread)


def _fast(rng: np.random.Generator) -> np.random.Generator:
    """A generator that is quick with many numbers, decided by one number of another."""
    return np.random.Generator(np.random.SFC64(int(rng.integers(2**63))))


def _compressed(rgb: Picture, v: Mapping[str, float]) -> Picture:
    """A picture through JPEG, if there is any compression."""
    from PIL import Image

    if not v["sensor.jpeg"]:
        return rgb
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="JPEG", quality=100 - int(v["sensor.jpeg"]))
    return np.array(Image.open(file))


def _edges(depth: Float32) -> NDArray[np.bool_]:
    """(H, W) whether the depth steps, by more than a twentieth, between a pixel and one beside it."""
    out = np.zeros(depth.shape, dtype=bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        step = np.abs(depth[a] - depth[b]) > _EDGE * np.minimum(depth[a], depth[b])
        out[a] |= step
        out[b] |= step
    return out & (depth > 0)
