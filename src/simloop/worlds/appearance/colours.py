"""Colours: from hue, saturation and value, and of light of a temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simloop.parameters import Array

#: from CIE XYZ to linear sRGB (IEC 61966-2-1)
_FROM_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def from_hsv(hue: ArrayLike, saturation: ArrayLike, value: ArrayLike) -> Array:
    """(..., 3) red, green and blue of hue (0 and 1 are red), saturation and value, all from 0 to 1."""
    h, s, v = np.broadcast_arrays(*(np.asarray(x, dtype=float)[..., None] for x in (hue, saturation, value)))
    k = (np.array([5.0, 3.0, 1.0]) + 6 * h) % 6
    return np.asarray(v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1))


def of_temperature(kelvin: float) -> Array:
    """(3,) red, green and blue, the largest of them 1, of a glowing body's light; white at 6500 K.

    The Planckian locus is that of Kim et al. (2002), from 1667 to 25000 K.
    """
    colour = _planckian(kelvin) / _planckian(6500.0)
    return np.asarray(colour / colour.max())


def _planckian(kelvin: float) -> Array:
    """(3,) linear red, green and blue of a glowing body, at one luminance."""
    t = 1e3 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    return np.clip(_FROM_XYZ @ np.array([x / y, 1, (1 - x - y) / y]), 1e-3, None)
