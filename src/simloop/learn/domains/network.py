"""The small network that drives: an image in, features and one number out.

Four convolutions, each with batch normalisation, then one hidden layer. Their strides are 2; the first one's is larger
for larger images, so that these cost little more: small things are for the first one to see. Batch normalisation and
not group normalisation, on purpose: its statistics are where a network keeps what its domain looks like, and `adabn`
and `dann` change just those. It costs nothing in use, where statistics are fixed: an image's answer does not depend on
its batch.
"""

from __future__ import annotations

import itertools
import math
from math import prod
from typing import Any

import torch
from torch import nn

#: how many features the number is read from
FEATURES = 64


class Network(nn.Module):  # type: ignore[misc]
    """Normalised images (B, C, H, W) -> features (B, `FEATURES`) and a number (B,) in deviations of the labels.

    Args:
        channels: C.
        size: (W, H).
        width: channels of the first convolution; those after it have twice and four times as many.
    """

    def __init__(self, channels: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 4 * width]
        strides = [first_stride(size[0]), 2, 2, 2]
        kernels = [strides[0] + 3, 3, 3, 3]
        self.blocks = nn.ModuleList(
            block(a, b, k, s) for (a, b), k, s in zip(itertools.pairwise(widths), kernels, strides, strict=True)
        )
        across, down = (-(-side // prod(strides)) for side in size)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * across * down, FEATURES), nn.ReLU())
        self.out = nn.Linear(FEATURES, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Any) -> tuple[Any, Any]:
        x = images
        for each in self.blocks:
            x = each(x)
        features = self.hidden(x)
        return features, self.out(features)[:, 0]


class Whole(nn.Module):  # type: ignore[misc]
    """A driver's network with what comes before and after it: (n, H, W, 3) uint8 -> (n,), for export.

    Args:
        network: normalised images -> features and numbers in deviations.
        normalise: images (n, 3, H, W) from 0 to 1 -> normalised.
        scale: "mean" and "deviation" of the numbers.
    """

    def __init__(self, network: Any, normalise: Any, scale: dict[str, float]) -> None:
        super().__init__()
        self.network, self.normalise, self.scale = network, normalise, scale

    def forward(self, images: Any) -> Any:
        x = self.normalise(images.permute(0, 3, 1, 2).to(torch.float32) / 255)
        return self.network(x)[1] * self.scale["deviation"] + self.scale["mean"]


def first_stride(width: int) -> int:
    """Of the first convolution on images so many pixels wide: 2 for 80, 4 for 160; what it gives is about as large."""
    return int(2 ** max(1, round(math.log2(width / 40))))


def block(channels: int, out: int, kernel: int, stride: int = 2) -> nn.Sequential:
    """A convolution with batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )
