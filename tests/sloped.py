"""A world of images whose answer is known: a bright line on a floor, and the label is how far it leans.

Two domains of it: `painted` is what a simulation looks like; `filmed` is pale, of other colours, and leans mostly to
the right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

#: (width, height) of its images
SIZE = (40, 30)


def painted(n: int, *, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Images (n, 30, 40, 3) and labels (n,) from -1 to 1, mostly small."""
    rng = np.random.default_rng([seed, 0])
    labels = np.clip(0.4 * rng.standard_normal(n), -1, 1)
    floor, line = np.array([0.30, 0.35, 0.40]), np.array([0.9, 0.8, 0.2])
    images = _drawn(labels, rng, floor, line)
    return _stored(images + 0.02 * rng.standard_normal(images.shape)), labels


def filmed(n: int, *, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The same in another look, and of other labels: they lean to the right."""
    rng = np.random.default_rng([seed, 1])
    labels = np.clip(0.3 + 0.35 * rng.standard_normal(n), -1, 1)
    images = _drawn(labels, rng, np.array([0.35, 0.32, 0.35]), np.array([0.8, 0.85, 0.35]))
    light = rng.uniform(0.35, 0.5, (n, 1, 1, 1))
    return _stored(0.3 + light * images + 0.02 * rng.standard_normal(images.shape)), labels


def _drawn(labels: NDArray[np.float64], rng: np.random.Generator, floor: NDArray[np.float64],
           line: NDArray[np.float64]) -> NDArray[np.float64]:  # fmt: skip
    """A line from the middle below, wherever it begins exactly, to where its label says above."""
    n, (width, height) = len(labels), SIZE
    up = (height - 0.5 - np.arange(height)) / height
    begins = width / 2 + rng.uniform(-4, 4, (n, 1))
    middle = begins + labels[:, None] * up * 14
    inside = np.clip(1.8 - np.abs(np.arange(width) + 0.5 - middle[..., None]), 0, 1)
    texture = 0.05 * gaussian_filter(rng.standard_normal((n, height, width)), (0, 1, 1))
    ground = floor + texture[..., None]
    return ground + inside[..., None] * (line - ground)


def _stored(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
