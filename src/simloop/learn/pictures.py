"""Images in memory as they are, and normalised when a network sees them.

    pictures = Pictures(images, "local")                # (n, H, W, 3) uint8
    pictures.take([3, 5])                               # (2, C, H, W) float32
    pictures.changed(chosen, augmentation, rng)         # the same, changed at random

Kept normalised they would take four to eight times the memory, which is what limits how many there may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.learn.normalisation import get_normalisation

if TYPE_CHECKING:
    from simloop.learn.augmentations import Augmentation

#: images (n, H, W, 3)
Images = NDArray[np.uint8]
#: images that are looked at together where nothing is learned
TOGETHER = 128
#: images that are normalised together: what is computed on the way stays near the processor
_FEW = 8


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images, and how they are normalised.

    Attributes:
        images: (n, H, W, 3) of the size that a network sees.
        normalisation: by name.
    """

    images: Images
    normalisation: str

    def __len__(self) -> int:
        return len(self.images)

    def some(self, index: Any) -> Pictures:
        """Some of them."""
        return Pictures(self.images[index], self.normalisation)

    def take(self, index: Any) -> Any:
        """Some of them normalised, a tensor (m, C, H, W) float32 with the channels last in memory, which is faster."""
        return self._normalised(self.images[index])

    def parts(self) -> Iterator[tuple[slice, Any]]:
        """All of them normalised, a few at once: where these are, and they."""
        for first in range(0, len(self), TOGETHER):
            at = slice(first, first + TOGETHER)
            yield at, self.take(at)

    def changed(
        self, index: NDArray[np.int64], change: Augmentation, rng: np.random.Generator, *, alike: int = 1
    ) -> Any:
        """Some of them shifted, normalised, and otherwise changed at random: (m, C, H, W), as `take` gives them.

        So many in a row are changed `alike`.
        """
        seen = self._normalised(change.shifted(self.images, index, rng, alike=alike))
        change.disturb(seen.permute(0, 2, 3, 1).numpy(), rng, alike=alike)
        return seen

    def _normalised(self, images: Images) -> Any:
        import torch

        normal, (height, width) = get_normalisation(self.normalisation), images.shape[1:3]
        with torch.no_grad():
            out = torch.empty(
                (len(images), normal.channels, height, width), memory_format=torch.channels_last, dtype=torch.float32
            )
            for first in range(0, len(images), _FEW):
                # planes of one channel, for sums and products over them
                x = torch.from_numpy(images[first : first + _FEW]).permute(0, 3, 1, 2).contiguous().to(torch.float32)
                out[first : first + _FEW] = normal.of(x.div_(255))
            return out


def check_images(images: Images, what: str = "images") -> None:
    """Raise an InputError for what is no (n, H, W, 3) uint8."""
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"{what}: expected (n, height, width, 3) uint8, got {images.dtype} of shape {tuple(images.shape)}"
        )


def resized(images: Images, size: tuple[int, int]) -> Images:
    """Images (n, H, W, 3) brought to (width, height) by averaging areas."""
    from PIL import Image

    if images.shape[2:0:-1] == size:
        return images
    out = np.empty((len(images), size[1], size[0], 3), dtype=np.uint8)
    for i, image in enumerate(images):
        out[i] = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    return out
