"""Which point of a line is nearest to where one is, kept in a grid: a compiled loop."""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled

#: what is as near to two points, up to rounding, counts as near to either
_ROUND = 1e-6


@compiled
def nearest_grid(points, low, cell, shape, reach, closed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(rows, columns) int32: of each cell's middle the nearest of points (n, 2) within `reach` m; -1 for none.

    Of a line's point only those cells are looked at that are nearer to it than to the points before and after it: in a
    row of cells they follow each other. Beside the end of an open line is the end itself, which asks nothing.
    """
    (rows, columns), n, around = shape, len(points), reach / cell
    out = np.full((rows, columns), -1, np.int32)
    best = np.full((rows, columns), around * around)
    for k in range(n):
        x, y = (points[k, 0] - low[0]) / cell, (points[k, 1] - low[1]) / cell
        before = (k - 1) % n if closed else max(k - 1, 0)
        after = (k + 1) % n if closed else min(k + 1, n - 1)
        back_x, back_y = (points[before, 0] - points[k, 0]) / cell, (points[before, 1] - points[k, 1]) / cell
        on_x, on_y = (points[after, 0] - points[k, 0]) / cell, (points[after, 1] - points[k, 1]) / cell
        for i in range(max(0, int(y - around)), min(rows, int(y + around) + 1)):
            dy, first, last = i + 0.5 - y, -around, around
            for side_x, side_y in ((back_x, back_y), (on_x, on_y)):
                free = 0.5 * (side_x * side_x + side_y * side_y) - side_y * dy  # at least side_x * dx
                if side_x > _ROUND:
                    last = min(last, free / side_x)
                elif side_x < -_ROUND:
                    first = max(first, free / side_x)
                elif free < -around * _ROUND:
                    last = first - 1
            for j in range(max(0, int(np.ceil(x + first - 0.5 - _ROUND))), min(columns, int(x + last + 0.5 + _ROUND))):
                dx = j + 0.5 - x
                far = dx * dx + dy * dy
                if far < best[i, j]:
                    best[i, j], out[i, j] = far, k
    return out
