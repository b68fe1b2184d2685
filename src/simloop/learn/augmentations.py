"""Small changes of images that do not change their label, so that a network does not hang on what it happens to see.

They act on normalised images: after `local` a change of light is gone, and what is left of it is a gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import unknown


@dataclass(frozen=True)
class Augmentation:
    """How much images are changed, each drawn for each image.

    Attributes:
        across, down: images are shifted by up to this part of their width and height, edges repeated.
        gain: deviation of the logarithm of what all values are multiplied with.
        offset: deviation of what is added to each channel.
        noise: deviation of what is added to each value.
        hidden: part of the images in which a rectangle of up to half of each side is set to 0.
    """

    across: float = 0.0
    down: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    noise: float = 0.0
    hidden: float = 0.0

    def of(
        self, images: NDArray[np.float16], index: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Some of the images (n, H, W, C), changed: (m, H, W, C)."""
        m, (height, width, channels) = len(index), images.shape[1:]
        right = rng.integers(-round(self.across * width), round(self.across * width) + 1, size=(m, 1))
        lower = rng.integers(-round(self.down * height), round(self.down * height) + 1, size=(m, 1))
        rows = np.clip(np.arange(height) - lower, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        out = images[index[:, None, None], rows[:, :, None], columns[:, None, :]].astype(np.float32)
        if self.gain:
            out *= np.exp(self.gain * rng.standard_normal((m, 1, 1, 1), dtype=np.float32))
        if self.offset:
            out += self.offset * rng.standard_normal((m, 1, 1, channels), dtype=np.float32)
        if self.noise:
            out += self.noise * rng.standard_normal(out.shape, dtype=np.float32)
        for i in np.flatnonzero(rng.random(m) < self.hidden):
            h, w = rng.integers(1, height // 2 + 1), rng.integers(1, width // 2 + 1)
            r, c = rng.integers(height - h + 1), rng.integers(width - w + 1)
            out[i, r : r + h, c : c + w] = 0
        return out


def get_augmentation(name: str) -> Augmentation:
    """Return the augmentation `name`; unknown names are answered by close matches."""
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "light": Augmentation(across=0.02, down=0.06, gain=0.15),
    "strong": Augmentation(across=0.04, down=0.12, gain=0.3, offset=0.15, noise=0.08, hidden=0.3),
}
