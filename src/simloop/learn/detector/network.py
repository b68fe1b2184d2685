"""A small network that finds things as points and draws their masks.

Things are the peaks of a heat map, one for each category, with a size and an offset at each peak: Zhou, Wang and
Kraehenbuehl, "Objects as Points" (arXiv 1904.07850), section 4, with their losses and weights. A mask is a mixture of a
few prototypes that all things of an image share, with weights that are read at the peak: Bolya et al., "YOLACT" (arXiv
1904.02689), section 3. Departures: four scales of plain convolutions with group normalisation, so that a batch of any
size gives each image the same answer, and sizes are logarithms.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn
from torch.nn import functional

#: pixels of the image to one cell of the maps
STRIDE = 4
#: images are filled up to a multiple of this
DEEPEST = 16
#: weights of the losses of sizes, offsets and masks, beside 1 for the heat map
_SIZE, _OFFSET, _MASK = 0.5, 1.0, 2.0
#: chance of a thing at a cell before anything is learned
_PRIOR = 0.02


class Network(nn.Module):  # type: ignore[misc]
    """Images (B, 3, H, W) from 0 to 1 -> maps at a quarter of the resolution.

    Args:
        categories: how many kinds of things there are.
        width: channels of the first scale; those below have two, three and four times as many.
        prototypes: of masks.
    """

    def __init__(self, categories: int, width: int = 16, prototypes: int = 12) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 4 * width]
        self.stem = _block(3, widths[0], 2)
        self.down = nn.ModuleList([_block(a, b, 2) for a, b in itertools.pairwise(widths)])
        self.more = nn.ModuleList([_block(w, w, 1) for w in widths[1:]])
        self.across = nn.ModuleList([nn.Conv2d(w, widths[1], 1) for w in widths[1:]])
        self.merge = _block(widths[1], widths[1], 1)
        self.shape = _block(widths[1], widths[1], 1)
        self.heat = nn.Sequential(_block(widths[1], widths[1], 1), nn.Conv2d(widths[1], categories, 1))
        self.heads = nn.ModuleDict(
            {"size": nn.Conv2d(widths[1], 2, 1), "offset": nn.Conv2d(widths[1], 2, 1),
             "weights": nn.Conv2d(widths[1], prototypes, 1), "prototypes": nn.Conv2d(widths[1], prototypes, 1)}
        )  # fmt: skip
        nn.init.constant_(self.heat[1].bias, float(torch.logit(torch.tensor(_PRIOR))))

    def forward(self, images: Any) -> dict[str, Any]:
        x, scales = self.stem(images - 0.5), []
        for down, more in zip(self.down, self.more, strict=True):
            x = down(x)
            x = x + more(x)
            scales.append(x)
        x = self.across[-1](scales[-1])
        for across, scale in zip(self.across[-2::-1], scales[-2::-1], strict=True):
            x = across(scale) + functional.interpolate(x, scale_factor=2, mode="nearest")
        x = self.merge(x)
        shape = self.shape(x)
        return {"heat": self.heat(x), **{name: head(shape) for name, head in self.heads.items()}}


def _block(channels: int, out: int, stride: int) -> nn.Sequential:
    groups = 8 if out % 8 == 0 else 1
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.GroupNorm(groups, out), nn.ReLU(inplace=True)
    )


def loss(maps: dict[str, Any], truth: dict[str, Any]) -> Any:
    """How far maps are from the truth, one number.

    Args:
        maps: what the network says.
        truth: `heat` (B, C, h, w) 1 at a thing's middle and less around it; of all things of the batch `image` (n,),
            `row`, `column` (n,) their cells, `size` (n, 2) logarithms of cells, `offset` (n, 2) cells, `box` (n, 4) in
            cells, and `mask` (n, h, w) from 0 to 1.
    """
    image, row, column = truth["image"], truth["row"], truth["column"]
    n = max(len(image), 1)
    total = _heat_loss(maps["heat"], truth["heat"]) / n
    if not len(image):
        return total
    size, offset, weights = (maps[k][image, :, row, column] for k in ("size", "offset", "weights"))
    total = total + _SIZE * (size - truth["size"]).abs().sum() / n
    total = total + _OFFSET * (offset - truth["offset"]).abs().sum() / n
    drawn = torch.einsum("nk,nkhw->nhw", weights, maps["prototypes"][image])
    inside = _inside(truth["box"], drawn.shape[1:])
    error = functional.binary_cross_entropy_with_logits(drawn, truth["mask"], reduction="none") * inside
    return total + _MASK * (error.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).sum() / n


def _heat_loss(logits: Any, truth: Any) -> Any:
    """The focal loss of "Objects as Points", equation 1: alpha 2, beta 4."""
    p = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = (truth == 1).float()
    found = -((1 - p) ** 2) * torch.log(p) * peak
    empty = -((1 - truth) ** 4) * p**2 * torch.log(1 - p) * (1 - peak)
    return (found + empty).sum()


def _inside(boxes: Any, size: Any) -> Any:
    """(n, h, w) which cells are in boxes (n, 4), in cells."""
    h, w = size
    u, v = torch.arange(w) + 0.5, torch.arange(h) + 0.5
    a = (u >= boxes[:, :1]) & (u < boxes[:, 2:3])
    b = (v >= boxes[:, 1:2]) & (v < boxes[:, 3:4])
    return (b[:, :, None] & a[:, None, :]).float()


def peaks(maps: dict[str, Any], most: int) -> dict[str, Any]:
    """The `most` highest peaks of each image: score, category, box (cells) and mask logits, (B, most, ...)."""
    heat = torch.sigmoid(maps["heat"])
    heat = heat * (functional.max_pool2d(heat, 3, 1, 1) == heat)
    b, c, h, w = heat.shape
    score, at = heat.reshape(b, -1).topk(min(most, c * h * w))
    category, cell = at // (h * w), at % (h * w)
    row, column = cell // w, cell % w
    image = torch.arange(b)[:, None].expand_as(row)
    size, offset, weights = (maps[k][image, :, row, column] for k in ("size", "offset", "weights"))
    middle = torch.stack([column, row], dim=-1) + offset
    half = size.clamp(-3, 6).exp() / 2
    return {
        "score": score,
        "category": category,
        "box": torch.cat([middle - half, middle + half], dim=-1),
        "weights": weights,
    }
