"""Small changes of images that do not change their label, so that a network does not hang on what it happens to see.

Images are shifted as they are, and disturbed once they are normalised: after `local` a change of light is gone, and
what is left of it is a gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.errors import unknown

#: images that a strip of noise is as long as
_STRIP = 4


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

    def shifted(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], rng: np.random.Generator, *, alike: int = 1
    ) -> NDArray[np.uint8]:
        """Some of the images (n, H, W, C), each shifted, or `alike` in a row together: (m, H, W, C)."""
        m, (height, width) = len(index) // alike, images.shape[1:3]
        right = rng.integers(-round(self.across * width), round(self.across * width) + 1, size=(m, 1))
        lower = rng.integers(-round(self.down * height), round(self.down * height) + 1, size=(m, 1))
        rows = np.clip(np.arange(height) - lower, 0, height - 1).repeat(alike, axis=0)
        columns = np.clip(np.arange(width) - right, 0, width - 1).repeat(alike, axis=0)
        out = np.empty((len(index), *images.shape[1:]), dtype=images.dtype)
        for i, which in enumerate(index.tolist()):  # all of them in one step would take five times as long
            out[i] = images[which].take(rows[i], axis=0).take(columns[i], axis=1)
        return out

    def disturb(self, seen: NDArray[np.float32], rng: np.random.Generator, *, alike: int = 1) -> None:
        """Change normalised images (m, H, W, C) in place, all but where things are in them; `alike` together."""
        height, width, channels = seen.shape[1:]
        seen = seen.reshape(-1, alike, height, width, channels)  # a view, or what is changed is not what was given
        m = len(seen)
        if self.gain:
            seen *= np.exp(self.gain * rng.standard_normal((m, 1, 1, 1, 1), dtype=np.float32))
        if self.offset:
            seen += self.offset * rng.standard_normal((m, 1, 1, 1, channels), dtype=np.float32)
        if self.noise:
            size = height * width * channels
            # each image has a part of one strip of noise: as much of it for each would take as long as the network
            strip = self.noise * rng.standard_normal(_STRIP * size, dtype=np.float32)
            for images, first in zip(seen, rng.integers((_STRIP - 1) * size, size=m), strict=True):
                images += strip[first : first + size].reshape(images.shape[1:])
        for i in np.flatnonzero(rng.random(m) < self.hidden):
            h, w = rng.integers(1, height // 2 + 1), rng.integers(1, width // 2 + 1)
            r, c = rng.integers(height - h + 1), rng.integers(width - w + 1)
            seen[i, :, r : r + h, c : c + w] = 0


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
