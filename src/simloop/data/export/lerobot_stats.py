"""Statistics of columns as LeRobot keeps them, of an episode and of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array

#: LeRobot's quantiles
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
#: by name: (d,) numbers; of images (3, 1, 1), of a value from 0 to 1; "count" is how many rows
Stats = dict[str, NDArray[Any]]


def of_vectors(rows: Array) -> Stats:
    """Statistics of (n, d) numbers."""
    out: Stats = {"min": rows.min(axis=0), "max": rows.max(axis=0), "mean": rows.mean(axis=0),
                  "std": rows.std(axis=0), "count": np.array([len(rows)])}  # fmt: skip
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)
    return out | dict(zip(QUANTILES, quantiles, strict=True))


def together(a: Stats, b: Stats) -> Stats:
    """Statistics of two groups of rows at once; of quantiles the mean, weighted by rows, as LeRobot's own."""
    n, m = int(a["count"][0]), int(b["count"][0])
    share = m / (n + m)
    apart = b["mean"] - a["mean"]
    variance = (1 - share) * a["std"] ** 2 + share * b["std"] ** 2 + share * (1 - share) * apart**2
    out: Stats = {
        "min": np.minimum(a["min"], b["min"]),
        "max": np.maximum(a["max"], b["max"]),
        "mean": a["mean"] + share * apart,
        "std": np.sqrt(variance),
        "count": np.array([n + m]),
    }
    return out | {q: a[q] + share * (b[q] - a[q]) for q in QUANTILES}


@dataclass(frozen=True, eq=False)
class ImageStats:
    """How often each value occurs in the images of a column: all else follows from it, exactly.

    Attributes:
        counts: (3, 256) pixels of each channel with each value.
        images: how many images.
    """

    counts: NDArray[np.int64]
    images: int

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> ImageStats:
        """Of one image (height, width, 3)."""
        return cls(np.stack([np.bincount(image[..., k].ravel(), minlength=256) for k in range(3)]), 1)

    def __add__(self, other: ImageStats) -> ImageStats:
        return ImageStats(self.counts + other.counts, self.images + other.images)

    def summary(self) -> Stats:
        """LeRobot's statistics, with values from 0 to 1."""
        values = np.arange(256) / 255
        share = self.counts / self.counts.sum(axis=1, keepdims=True)
        mean = share @ values
        there = self.counts > 0
        up_to = np.cumsum(share, axis=1)
        out: Stats = {
            "min": values[there.argmax(axis=1)],
            "max": values[255 - there[:, ::-1].argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(share @ values**2 - mean**2, 0)),
        }
        out |= {q: values[(up_to >= at - 1e-12).argmax(axis=1)] for q, at in QUANTILES.items()}
        return {k: v.reshape(3, 1, 1) for k, v in out.items()} | {"count": np.array([self.images])}
