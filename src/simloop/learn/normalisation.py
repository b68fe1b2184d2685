"""What is done to an image before a network sees it: by name, one function of a batch for each.

    NORMALISATIONS["local"].of(images)      # (B, 3, H, W) from 0 to 1 -> (B, 3, H, W)

Simulation and reality differ in light, colour and exposure more than in where edges are. What a normalisation takes
away need not be randomised. They are PyTorch functions, so that an exported network holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from simloop.errors import unknown

#: a side of the neighbourhood whose mean `local` takes away, as a part of the image's width: 9 pixels of 80
_SIDE = 9 / 80
#: the least deviation of an image from 0 to 1 that it is divided by: a quarter of a grey level
_LEAST = 1e-3
#: parts of red, green and blue in grey (ITU-R BT.601)
_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Normalisation:
    """A way to make images alike.

    Attributes:
        summary: what it does.
        channels: of what it gives.
        of: images (B, 3, H, W) from 0 to 1 -> (B, channels, H, W), both PyTorch tensors.
    """

    summary: str
    channels: int
    of: Callable[[Any], Any]


def get_normalisation(name: str) -> Normalisation:
    """Return the normalisation `name`; unknown names are answered by close matches."""
    if name not in NORMALISATIONS:
        raise unknown("normalisation", name, NORMALISATIONS)
    return NORMALISATIONS[name]


def _centred(images: Any) -> Any:
    return images - 0.5


def _standard(images: Any) -> Any:
    """Each channel of each image minus its mean, over its deviation."""
    rest = images - images.mean(dim=(2, 3), keepdim=True)
    return rest / _deviation(rest, (2, 3))


def _local(images: Any) -> Any:
    """Each channel minus the mean around each pixel, over the deviation of the whole image's rest."""
    rest = images - _around(images)
    return rest / _deviation(rest, (1, 2, 3))


def _local_and_standard(images: Any) -> Any:
    """Edges by the first, what is light and what is dark by the second: six channels."""
    from torch import cat

    return cat([_local(images), _standard(images)], dim=1)


def _grey(images: Any) -> Any:
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    return _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue


def _around(images: Any) -> Any:
    """The mean of the pixels around each one that are in the image: rows, then columns, each a product of matrices."""
    height, width = map(int, images.shape[2:])  # where it is traced for export, these are tensors
    reach = round(_SIDE * width / 2 - 0.5)
    down, across = (_near(count, reach).to(images.dtype) for count in (height, width))
    return down @ images @ across.T


@lru_cache
def _near(count: int, reach: int) -> Any:
    """(count, count) what each of some pixels in a row takes of which others, so that it is the mean around it."""
    import torch

    at = torch.arange(count)
    near = ((at[:, None] - at).abs() <= reach).to(torch.float64)
    return near / near.sum(dim=1, keepdim=True)


def _deviation(rest: Any, axes: tuple[int, ...]) -> Any:
    """Of what has no mean, over some axes; `norm` makes no copy of all squares."""
    from torch.linalg import vector_norm

    count = prod(int(rest.shape[axis]) for axis in axes)
    return (vector_norm(rest, dim=axes, keepdim=True) / count**0.5).clamp(min=_LEAST)


NORMALISATIONS: dict[str, Normalisation] = {
    "none": Normalisation("as they are, about 0", 3, _centred),
    "standard": Normalisation("each channel minus its mean, over its deviation", 3, _standard),
    "local": Normalisation("minus the mean around each pixel, over the image's deviation", 3, _local),
    "local-standard": Normalisation("`local` and `standard`, beside each other", 6, _local_and_standard),
    "grey": Normalisation("grey, about 0", 1, lambda images: _centred(_grey(images))),
    "grey-standard": Normalisation("grey, then `standard`", 1, lambda images: _standard(_grey(images))),
    "grey-local": Normalisation("grey, then `local`", 1, lambda images: _local(_grey(images))),
}
