"""What a sensor makes of light, compiled: as `simloop.sensor.sense_light`, but its noise is a hash of a number.

    rgb = sense(light, sensor_numbers(values), number(7, "noise", 3))

In meaning both are one: blur, exposure, vignetting, noise, curve, compression. This one is for worlds whose renderer is
compiled, for small pictures, where each call to NumPy costs as much as what it computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drive.compiled import compiled
from simloop.worlds.drive.jpeg import compress

#: what `sense` reads, in this order; `adapt` is how far a camera makes every picture equally bright
_NAMES = (
    "light.adapt", "sensor.exposure", "sensor.warmth", "sensor.tint", "sensor.gamma", "sensor.vignetting",
    "sensor.motion", "sensor.motion_angle", "sensor.defocus", "sensor.photon_noise", "sensor.read_noise", "sensor.jpeg",
)  # fmt: skip
#: what a camera makes the mean of a picture, in linear light, if it adapts wholly
_MEAN = 0.16
#: (16384,) values of a normal distribution at even steps of its probability, scaled to a variance of 1
_NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / 16384) for k in range(16384)])
_NORMAL = (_NORMAL / _NORMAL.std()).astype(np.float32)
#: cells of linear light, in each of which the search for a grey level begins
_CELLS = 4096


def sensor_numbers(values: Mapping[str, float]) -> Array:
    """(12,) what `sense` reads of a look's values."""
    return np.array([values[name] for name in _NAMES])


@compiled
def _disc(radius):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `sensor._disc`."""
    if radius < 1:
        out = np.zeros((3, 3), np.float32)
        beside = radius * radius / 8
        out[0, 1] = out[1, 0] = out[1, 2] = out[2, 1] = beside
        out[1, 1] = 1 - 4 * beside
        return out
    n = int(np.ceil(radius))
    out = np.zeros((2 * n + 1, 2 * n + 1), np.float32)
    for i in range(5 * (2 * n + 1)):
        for j in range(5 * (2 * n + 1)):
            if np.hypot((i + 0.5) / 5 - n - 0.5, (j + 0.5) / 5 - n - 0.5) <= radius:
                out[i // 5, j // 5] += 1
    return out / out.sum()


@compiled
def _line(length, angle):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `sensor._line`."""
    n = int(np.ceil(length / 2))
    out = np.zeros((2 * n + 2, 2 * n + 2), np.float32)
    steps = max(64 * n, 1)
    c, s = np.cos(angle), np.sin(angle)
    for k in range(steps):
        along = (k + 0.5) / steps * length - length / 2
        x, y = n + along * c, n + along * s
        i, j = int(np.floor(y)), int(np.floor(x))
        a, b = y - i, x - j
        out[i, j] += (1 - a) * (1 - b)
        out[i, j + 1] += (1 - a) * b
        out[i + 1, j] += a * (1 - b)
        out[i + 1, j + 1] += a * b
    return out[: 2 * n + 1, : 2 * n + 1] / np.float32(steps)


@compiled
def _blurred(light, motion, angle, defocus):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Light (H, W, 3) smeared by a disc and a line whose sizes are in pixels; the picture's edge goes on as it ends."""
    first, second = _disc(defocus), _line(motion, angle)
    n = (len(first) + len(second)) // 2 - 1
    kernel = np.zeros((2 * n + 1, 2 * n + 1), np.float32)
    for i in range(len(first)):
        for j in range(len(first)):
            for k in range(len(second)):
                for m in range(len(second)):
                    kernel[i + k, j + m] += first[i, j] * second[k, m]
    height, width = light.shape[:2]
    wide = np.empty((height + 2 * n, 3 * (width + 2 * n)), np.float32)
    for i in range(height + 2 * n):
        row = min(height - 1, max(0, i - n))
        for j in range(width + 2 * n):
            column = min(width - 1, max(0, j - n))
            for c in range(3):
                wide[i, 3 * j + c] = light[row, column, c]
    out = np.zeros((height, 3 * width), np.float32)
    for row in range(height):
        target = out[row]
        for i in range(2 * n + 1):  # a convolution turns its kernel around
            for j in range(2 * n + 1):
                part = kernel[i, j]
                if part == 0:
                    continue
                source = wide[row + 2 * n - i, 3 * (2 * n - j) :]
                for k in range(3 * width):
                    target[k] += part * source[k]
    return out.reshape(height, width, 3)


@compiled
def _levels(gamma):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(257,) the least linear light of each grey level, and (cells,) the level at each cell's start."""
    least = np.empty(257, np.float32)
    least[0], least[256] = -np.inf, np.inf
    for k in range(1, 256):
        x = ((k - 0.5) / 255) ** (1 / gamma)
        least[k] = x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
    start = np.empty(_CELLS + 1, np.uint8)
    k = 0
    for cell in range(_CELLS + 1):
        while least[k + 1] <= cell / _CELLS:
            k += 1
        start[cell] = k
    return least, start


@compiled
def _drawn(key, place):  # type: ignore[no-untyped-def]  # pragma: no cover
    """64 bits of a key and a place (splitmix64; Steele, Lea and Flood, 2014)."""
    h = np.uint64(key) + np.uint64(place) * np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@compiled
def sense(light, v, key):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What a sensor makes of linear light (H, W, 3) float32, white being 1, which stays as it is.

    Args:
        light: the light.
        v: (12,) as `sensor_numbers` gives them.
        key: a whole number below 2^63 that decides the noise.

    Returns:
        (H, W, 3) sRGB, 0 to 255.
    """
    height, width = light.shape[:2]
    mean = 0.0
    for i in range(height):
        for j in range(width):
            mean += light[i, j, 0] + light[i, j, 1] + light[i, j, 2]
    mean /= 3 * height * width
    bright = (_MEAN / max(mean, 1e-6)) ** v[0] * 2.0 ** v[1]
    gains = np.array([bright * np.exp(v[2]), bright * np.exp(v[3]), bright * np.exp(-v[2])]).astype(np.float32)
    if v[6] > 0 or v[8] > 0:
        light = _blurred(light, v[6] * width, v[7], v[8] * width)
    photons, read = np.float32(v[9] * v[9]), np.float32(v[10] * v[10])
    noisy = photons > 0 or read > 0
    least, start = _levels(v[4])
    out = np.empty((height, width, 3), np.uint8)
    corner = (width * width + height * height) / 4.0
    for i in range(height):
        y = i + 0.5 - height / 2
        for j in range(width):
            x = j + 0.5 - width / 2
            kept = np.float32(1 - v[5] * (x * x + y * y) / corner)
            bits = _drawn(key, i * width + j) if noisy else np.uint64(0)
            for c in range(3):
                value = light[i, j, c] * gains[c] * kept
                if noisy:
                    spread = np.sqrt(max(value, np.float32(0)) * photons + read)
                    value += spread * _NORMAL[int(bits & np.uint64(16383))]
                    bits >>= np.uint64(14)
                cell = min(max(value, np.float32(0)), np.float32(1)) * np.float32(_CELLS)
                level = int(start[int(cell)])
                while value >= least[level + 1]:
                    level += 1
                out[i, j, c] = level
    if v[11] > 0:
        compress(out, 100 - int(v[11]))
    return out
