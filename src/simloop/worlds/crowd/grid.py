"""Who is near whom: the people of each scene sorted into cells, and the exact nearest of each.

The cells of a scene are as large as holds about one person each at its density now. A search looks at rings of cells
around a person until no nearer one can come; of two at the same distance the one with the lower number is nearer.
"""

from __future__ import annotations

import math

import numpy as np

from simloop.worlds.crowd.compiled import compiled


def cell_room(people: int, scenes: int) -> int:
    """How many numbers `sort_people` needs for where the cells of all scenes begin."""
    return 4 * people + 16 * scenes


@compiled
def sort_people(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, offsets, position, active, frame, shape, begins, order, sorted_
):
    """Sort those inside scenes first..last by cell (counting sort, stable), in place.

    frame: (S, 3) m, the lower corner of the cells and their side; shape: (S, 3) columns, rows, people inside;
    begins: where each cell begins in `order`, `cell_room` numbers, those of scene s from 4 * offsets[s] + 16 * s on;
    order: (N,) people by cell; sorted_: (N, 2) m, where they are.
    """
    for s in range(first, last):
        lo, hi = offsets[s], offsets[s + 1]
        left = low = math.inf
        right = high = -math.inf
        inside = 0
        for i in range(lo, hi):
            if active[i]:
                inside += 1
                left, right = min(left, position[i, 0]), max(right, position[i, 0])
                low, high = min(low, position[i, 1]), max(high, position[i, 1])
        shape[s, 2] = inside
        if inside == 0:
            continue
        side = max(0.5, math.sqrt((right - left) * (high - low) / inside))
        most = 4.0 * (hi - lo) + 8.0
        while (math.floor((right - left) / side) + 1.0) * (math.floor((high - low) / side) + 1.0) > most:
            side *= 1.3
        columns, rows = int((right - left) / side) + 1, int((high - low) / side) + 1
        frame[s, 0], frame[s, 1], frame[s, 2] = left, low, side
        shape[s, 0], shape[s, 1] = columns, rows
        base = 4 * lo + 16 * s
        begins[base : base + columns * rows + 1] = 0
        for i in range(lo, hi):
            if active[i]:
                begins[base + 1 + _cell(position, i, left, low, side, columns, rows)] += 1
        begins[base] = lo
        for c in range(base, base + columns * rows):
            begins[c + 1] += begins[c]
        filled = begins[base : base + columns * rows].copy()
        for i in range(lo, hi):
            if active[i]:
                c = _cell(position, i, left, low, side, columns, rows)
                order[filled[c]] = i
                sorted_[filled[c], 0], sorted_[filled[c], 1] = position[i, 0], position[i, 1]
                filled[c] += 1


@compiled
def _cell(position, i, left, low, side, columns, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    x = min(int((position[i, 0] - left) / side), columns - 1)
    y = min(int((position[i, 1] - low) / side), rows - 1)
    return y * columns + x


@compiled
def find_near(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, most, scene_of, offsets, position, active, unseen, blind, traits, frame, shape, begins, order, sorted_,
    near, count,
):  # fmt: skip
    """Write the `most` nearest within sight of people first..last, nearest first: near (N, k), count (N,).

    Nobody sees those who are `unseen`; who is `blind` sees nobody. What `near` and `count` hold from the step before
    only bounds the search: as many people as were the nearest then are no farther than these are now.
    """
    distances = np.empty(most)
    for i in range(first, last):
        before, count[i] = count[i], 0
        if not active[i] or blind[i]:
            continue
        s, x, y = scene_of[i], position[i, 0], position[i, 1]
        base = 4 * offsets[s] + 16 * s
        side, columns, rows = frame[s, 2], shape[s, 0], shape[s, 1]
        across, up = (x - frame[s, 0]) / side, (y - frame[s, 1]) / side
        cx, cy = min(int(across), columns - 1), min(int(up), rows - 1)
        farthest = traits[i, 5] * traits[i, 5]  # of those that are looked for: sight, then the last one found
        bound = 0.0 if before == most else math.inf
        for k in range(before if before == most else 0):
            j = near[i, k]
            dx, dy = position[j, 0] - x, position[j, 1] - y
            bound = max(bound, dx * dx + dy * dy) if active[j] and not unseen[j] else math.inf
        found = 0
        if bound < farthest:
            farthest = bound
            reach = math.sqrt(bound) / side * (1.0 + 1e-9)
            x0, x1 = int(max(across - reach, 0.0)), int(min(across + reach, columns - 1.0))
            for row in range(int(max(up - reach, 0.0)), int(min(up + reach, rows - 1.0)) + 1):
                c = base + row * columns
                found, farthest = _search(
                    begins[c + x0], begins[c + x1 + 1], i, x, y, found, most, farthest, unseen, order, sorted_,
                    distances, near,
                )  # fmt: skip
            count[i] = found
            continue
        across, up = across - cx, up - cy
        margin = max(min(min(across, 1.0 - across), min(up, 1.0 - up)), 0.0)
        for ring in range(max(columns, rows)):
            gap = (ring - 1.0 + margin) * side
            if ring > 0 and gap * gap > farthest:
                break
            for row in range(max(cy - ring, 0), min(cy + ring, rows - 1) + 1):
                whole = row in (cy - ring, cy + ring)
                for column in range(cx - ring, cx + ring + 1, 1 if whole or ring == 0 else 2 * ring):
                    if 0 <= column < columns:
                        c = base + row * columns + column
                        found, farthest = _search(
                            begins[c], begins[c + 1], i, x, y, found, most, farthest, unseen, order, sorted_, distances,
                            near,
                        )  # fmt: skip
        count[i] = found


@compiled
def _search(  # type: ignore[no-untyped-def]  # pragma: no cover
    begin, end, i, x, y, found, most, farthest, unseen, order, sorted_, distances, near
):
    """Put those from `begin` to `end` of `order` among the nearest of person i; how many these are, how far."""
    for at in range(begin, end):
        dx, dy = sorted_[at, 0] - x, sorted_[at, 1] - y
        d = dx * dx + dy * dy
        if d > farthest:
            continue
        j = order[at]
        if j == i or unseen[j] or (found == most and d == farthest and j > near[i, most - 1]):
            continue
        k = min(found, most - 1)
        while k > 0 and (distances[k - 1] > d or (distances[k - 1] == d and near[i, k - 1] > j)):
            distances[k] = distances[k - 1]
            near[i, k] = near[i, k - 1]
            k -= 1
        distances[k] = d
        near[i, k] = j
        found = min(found + 1, most)
        if found == most:
            farthest = distances[most - 1]
    return found, farthest
