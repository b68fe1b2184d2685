"""What JPEG leaves of a picture, in one compiled loop: baseline coding with 4:2:0 chroma, as libjpeg does it.

    compress(rgb, quality)          # (H, W, 3) 0 to 255, in place

Only what loses something is done: colours to luma and chroma, chroma at half the size, the cosine transform of blocks
of 8 x 8, quantisation by the tables of annex K of ITU-T T.81, and all of that back, with chroma blended between places.
"""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled

_LUMA = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
], dtype=np.float32).reshape(8, 8)  # fmt: skip
_CHROMA = np.full((8, 8), 99, dtype=np.float32)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
#: (8, 8) the orthonormal cosine transform: a row for each frequency
_BASIS = np.sqrt(np.where(np.arange(8)[:, None] == 0, 1, 2) / 8) * np.cos(
    np.pi / 8 * np.arange(8)[:, None] * (np.arange(8) + 0.5)
)
_BASIS = _BASIS.astype(np.float32)
_BACK = np.ascontiguousarray(_BASIS.T)


@compiled
def _transformed(plane, basis, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write into out (W, H), turned over, what basis (8, 8) makes of each 8 rows of a plane (H, W)."""
    height, width = plane.shape
    row = np.empty(width, np.float32)
    for first in range(0, height, 8):
        for i in range(8):
            row[:] = 0
            for k in range(8):
                part, source = basis[i, k], plane[first + k]
                for j in range(width):
                    row[j] += part * source[j]
            for j in range(width):
                out[j, first + i] = row[j]


@compiled
def _quantise(plane, table, quality):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Code a plane, whose sides are multiples of 8, and decode it, in place; values around 128, 0 to 255."""
    height, width = plane.shape
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = np.empty((8, width), np.float32)
    for i in range(8):
        for j in range(width):
            steps[i, j] = min(255.0, max(1.0, np.floor((table[i, j % 8] * scale + 50) / 100)))
    for i in range(height):
        for j in range(width):
            plane[i, j] = np.rint(plane[i, j]) - np.float32(128)
    turned = np.empty((width, height), np.float32)
    _transformed(plane, _BASIS, turned)
    _transformed(turned, _BASIS, plane)
    for i in range(height):
        for j in range(width):
            plane[i, j] = np.rint(plane[i, j] / steps[i % 8, j]) * steps[i % 8, j]
    _transformed(plane, _BACK, turned)
    _transformed(turned, _BACK, plane)
    for i in range(height):
        for j in range(width):
            value = np.rint(plane[i, j] + np.float32(128))
            plane[i, j] = min(np.float32(255), max(np.float32(0), value))


@compiled
def compress(rgb, quality):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put a picture (H, W, 3), 0 to 255, through JPEG of a quality, 1 to 100, in place."""
    height, width = rgb.shape[:2]
    rows, columns = (height + 15) // 16 * 8, (width + 15) // 16 * 8
    y = np.empty((2 * rows, 2 * columns), np.float32)
    cb, cr = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    for i in range(2 * rows):
        for j in range(2 * columns):
            k, m = min(i, height - 1), min(j, width - 1)
            r, g, b = np.float32(rgb[k, m, 0]), np.float32(rgb[k, m, 1]), np.float32(rgb[k, m, 2])
            y[i, j] = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
            blue = np.float32(-0.168736) * r - np.float32(0.331264) * g + np.float32(0.5) * b
            red = np.float32(0.5) * r - np.float32(0.418688) * g - np.float32(0.081312) * b
            cb[i // 2, j // 2] += np.float32(0.25) * blue + np.float32(32)
            cr[i // 2, j // 2] += np.float32(0.25) * red + np.float32(32)
    _quantise(y, _LUMA, quality)
    _quantise(cb, _CHROMA, quality)
    _quantise(cr, _CHROMA, quality)
    last, end = (height + 1) // 2 - 1, (width + 1) // 2 - 1
    near, far = np.float32(0.75), np.float32(0.25)
    blues, reds = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for i in range(height):
        k = i // 2
        up = min(last, max(0, k + (1 if i % 2 else -1)))
        for m in range(columns):
            blues[m], reds[m] = near * cb[k, m] + far * cb[up, m], near * cr[k, m] + far * cr[up, m]
        for j in range(width):
            m = j // 2
            beside = min(end, max(0, m + (1 if j % 2 else -1)))
            blue, red = near * blues[m] + far * blues[beside], near * reds[m] + far * reds[beside]
            blue, red, bright = blue - np.float32(128), red - np.float32(128), y[i, j] + np.float32(0.5)
            r = bright + np.float32(1.402) * red
            g = bright - np.float32(0.344136) * blue - np.float32(0.714136) * red
            b = bright + np.float32(1.772) * blue
            rgb[i, j, 0] = np.uint8(min(np.float32(255), max(np.float32(0), r)))
            rgb[i, j, 1] = np.uint8(min(np.float32(255), max(np.float32(0), g)))
            rgb[i, j, 2] = np.uint8(min(np.float32(255), max(np.float32(0), b)))
