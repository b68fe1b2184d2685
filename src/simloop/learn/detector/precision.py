"""How well things are found: average precision, as COCO defines it.

    ap50 = average_precision(found, truth, overlap=0.5)

Detections are matched in the order of their scores, each to the free thing of its category with which it overlaps
most, at least by `overlap`; precision is made to fall with recall, and averaged at recalls 0, 0.01, ..., 1. It agrees
with the field's own reader (a test holds it to pycocotools).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array


@dataclass(frozen=True, eq=False)
class Truth:
    """What is in one image: boxes (n, 4), categories (n,), and which of them need not be found, `ignored` (n,)."""

    boxes: Array
    categories: NDArray[np.int64]
    ignored: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in one image: boxes (m, 4), categories (m,) and scores (m,)."""

    boxes: Array
    categories: NDArray[np.int64]
    scores: Array


def average_precision(found: Sequence[Found], truth: Sequence[Truth], *, overlap: float = 0.5) -> float:
    """Mean over the categories that occur of the average precision; NaN where nothing is to be found."""
    occurring = sorted({int(c) for t in truth for c in t.categories[~t.ignored]})
    return float(np.mean([_of_category(found, truth, c, overlap) for c in occurring])) if occurring else float("nan")


def _of_category(found: Sequence[Found], truth: Sequence[Truth], category: int, overlap: float) -> float:
    scores, right, wrong, wanted = [], [], [], 0
    for f, t in zip(found, truth, strict=True):
        mine, there = f.categories == category, t.categories == category
        order = np.argsort(-f.scores[mine], kind="stable")
        hit, spared = _match(f.boxes[mine][order], t.boxes[there], t.ignored[there], overlap)
        scores.append(f.scores[mine][order])
        right.append(hit)
        wrong.append(~hit & ~spared)
        wanted += int((~t.ignored[there]).sum())
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits, misses = np.cumsum(np.concatenate(right)[order]), np.cumsum(np.concatenate(wrong)[order])
    recall = hits / wanted
    precision = hits / np.maximum(hits + misses, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())


def _match(
    boxes: Array, truth: Array, ignored: NDArray[np.bool_], overlap: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which boxes (m, 4), best first, meet a thing that is to be found, and which meet one that need not be."""
    hit, spared = np.zeros(len(boxes), dtype=bool), np.zeros(len(boxes), dtype=bool)
    if not len(truth):
        return hit, spared
    shared = overlaps(boxes, truth)
    free = np.ones(len(truth), dtype=bool)
    for k in range(len(boxes)):
        for among in (~ignored, ignored):
            candidate = np.where(free & among, shared[k], -1.0)
            best = int(candidate.argmax())
            if candidate[best] >= overlap:
                free[best] = False
                (spared if ignored[best] else hit)[k] = True
                break
    return hit, spared


def overlaps(a: Array, b: Array) -> Array:
    """(m, n) intersection over union of boxes (m, 4) and (n, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    area = [(x[:, 2:] - x[:, :2]).clip(0).prod(-1) for x in (a, b)]
    return np.asarray(both / np.maximum(area[0][:, None] + area[1][None] - both, 1e-12))
