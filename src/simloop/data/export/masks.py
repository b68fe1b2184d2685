"""Masks as other formats write them: run lengths (COCO) and outlines (YOLO).

Both are exact: the mask comes back pixel by pixel.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array

Int64 = NDArray[np.int64]


def run_lengths(instances: NDArray[np.uint16]) -> dict[int, Int64]:
    """COCO's run lengths of every instance of a mask, in one pass over the image.

    Pixels are counted column by column, from the top left corner down: how many are outside, how many inside, how many
    outside, and so on (Lin et al., 2014, and `maskApi.c` of the COCO API). The last run of zeros is kept, the last run
    of no length is not.

    Args:
        instances: (height, width) instance numbers; 0 is nothing.

    Returns:
        For each number above 0 that occurs, (k,) counts that sum to height x width.
    """
    flat = instances.ravel(order="F")
    if not len(flat):
        return {}
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    ends = np.append(starts[1:], len(flat))
    numbers = flat[starts]
    by_number = np.argsort(numbers, kind="stable")
    numbers, starts, ends = numbers[by_number], starts[by_number], ends[by_number]
    borders = np.append(np.flatnonzero(np.diff(numbers, prepend=-1)), len(numbers))
    found = {}
    for a, b in itertools.pairwise(borders):
        if numbers[a]:
            edges = np.concatenate([[0], np.stack([starts[a:b], ends[a:b]], axis=1).ravel(), [len(flat)]])
            counts = np.diff(edges)
            found[int(numbers[a])] = counts if counts[-1] else counts[:-1]
    return found


def compressed(counts: Int64) -> str:
    """Run lengths as COCO's text: differences to the run before the last, five bits a letter, lowest first.

    (`rleToString` of the COCO API.)
    """
    rest = counts.copy()
    rest[3:] -= counts[1:-2]
    letters = np.zeros((len(rest), 13), dtype=np.uint8)  # 64 bits take thirteen letters
    goes_on = np.ones(len(rest), dtype=bool)
    used = 0
    while goes_on.any():
        five = rest & 31
        rest = rest >> 5
        more = goes_on & np.where(five & 16, rest != -1, rest != 0)
        letters[:, used] = np.where(goes_on, 48 + five + 32 * more, 0)
        goes_on, used = more, used + 1
    kept = letters[:, :used].ravel()
    return bytes(kept[kept > 0]).decode("ascii")


def outline(mask: NDArray[np.bool_]) -> Array:
    """One closed polygon around all of a mask: (n, 2) image coordinates u, v, on the corners of pixels.

    A pixel belongs to the mask if its centre is inside by the even-odd rule. Separate parts and holes hang together by
    bridges that are walked forth and back and so enclose nothing.

    Args:
        mask: (height, width).
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 2))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    loops = _loops(part)
    polygon = loops[0]
    for loop in loops[1:]:
        polygon = _bridged(polygon, loop)
    return polygon + np.array([columns[0], rows[0]], dtype=float)


def _loops(mask: NDArray[np.bool_]) -> list[Array]:
    """Closed walks along the edges between mask and not mask, the mask on the right hand, corners only."""
    padded = np.pad(mask, 1)
    onward: dict[tuple[int, int], list[tuple[int, int]]] = {}
    inside = padded[1:-1, 1:-1]
    sides = (  # the neighbour that is outside; where a pixel's edge there begins, and where it leads
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    for neighbour, (du, dv), step in sides:
        for v, u in np.argwhere(inside & ~neighbour).tolist():
            onward.setdefault((u + du, v + dv), []).append(step)
    loops = []
    while onward:
        start = min(onward)  # so that the walk is the same on every machine
        loops.append(_walk(onward, start))
    return sorted(loops, key=len, reverse=True)


def _walk(onward: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int]) -> Array:
    """Take a walk from `start` back to it out of `onward`, and return its corners."""
    corners: list[tuple[int, int]] = []
    at, came = start, (0, 0)
    while True:
        choices = onward[at]
        # where two pixels touch at a corner, turn right: each keeps an outline of its own
        step = max(choices, key=lambda s: came[0] * s[1] - came[1] * s[0])
        choices.remove(step)
        if not choices:
            del onward[at]
        if step != came:
            corners.append(at)
        at, came = (at[0] + step[0], at[1] + step[1]), step
        if at == start:
            break
    return np.array(corners, dtype=float)


def _bridged(polygon: Array, loop: Array) -> Array:
    """One polygon of two, by a bridge between their nearest corners."""
    far = np.abs(polygon[:, None] - loop[None]).sum(-1)
    a, b = np.unravel_index(int(far.argmin()), far.shape)
    around = np.concatenate([loop[b:], loop[: b + 1]])
    return np.concatenate([polygon[: a + 1], around, polygon[a:]])
