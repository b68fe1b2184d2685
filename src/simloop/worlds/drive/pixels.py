"""Small functions that the renderer's kernels call for each pixel: noise, and what a polynomial says fast enough."""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled


@compiled
def hashed(i, j, seed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """0 to 1 of two whole numbers."""
    h = np.uint64(np.uint32(i)) * np.uint64(0x9E3779B97F4A7C15) ^ (np.uint64(np.uint32(j)) + np.uint64(seed))
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return np.int32(h >> np.uint64(40)) * (1.0 / 16777216.0)


@compiled
def noise(x, y, seed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Smooth noise of the plane, -1 to 1, with cells of side 1."""
    low, left = np.floor(x), np.floor(y)
    i, j, u, v = np.int32(low), np.int32(left), x - low, y - left
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a = hashed(i, j, seed) * (1 - u) + hashed(i + 1, j, seed) * u
    b = hashed(i, j + 1, seed) * (1 - u) + hashed(i + 1, j + 1, seed) * u
    return 2 * (a * (1 - v) + b * v) - 1


@compiled
def angle(y, x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As arctan2, to 1e-5 rad: by a polynomial (Hastings, 1955), which is several times as fast."""
    a, b = abs(x), abs(y)
    t = min(a, b) / max(a, b, 1e-30)
    q = t * t
    r = 0.99997726 + q * (-0.33262347 + q * (0.19354346 + q * (-0.11643287 + q * (0.05265332 - q * 0.0117212))))
    r *= t
    if b > a:
        r = np.pi / 2 - r
    if x < 0:
        r = np.pi - r
    return -r if y < 0 else r


@compiled
def fade(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As exp(-x) of x >= 0, to 3e-4 of it up to 8: a polynomial, of which a processor does several at once."""
    u = x * (1 / 32)
    y = 1 / (1 + u * (1 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24)))))
    y *= y
    y *= y
    y *= y
    y *= y
    return y * y


@compiled
def covered(off, width, blur):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Part of a pixel of width `blur` that a line of a width covers whose middle is `off` away."""
    inside = min(off + blur / 2, width / 2) - max(off - blur / 2, -width / 2)
    return min(1.0, inside / blur) if inside > 0 else 0.0


@compiled
def dashed(s, dash, period, blur):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Part of a pixel of length `blur` at `s` that dashes cover."""
    if blur >= period:
        return dash / period
    u = s - period * np.floor(s / period)
    inside = 0.0
    for k in (-1, 0, 1):
        a, b = k * period, k * period + dash
        inside += max(0.0, min(u + blur / 2, b) - max(u - blur / 2, a))
    return min(1.0, inside / blur)


@compiled
def mix(a, b, part):  # type: ignore[no-untyped-def]  # pragma: no cover
    return a + (b - a) * part
