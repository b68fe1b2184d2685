"""Which point of a line is nearest to where one is, kept in a grid: a compiled loop."""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled


@compiled
def nearest_grid(points, low, cell, shape, reach):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(rows, columns) int32: of each cell's middle the nearest point of a line within `reach` m; -1 for none."""
    rows, columns = shape
    out = np.full((rows, columns), -1, np.int32)
    best = np.full((rows, columns), reach * reach, np.float64)
    around = int(np.ceil(reach / cell))
    for k in range(len(points)):
        x, y = (points[k, 0] - low[0]) / cell, (points[k, 1] - low[1]) / cell
        left, right = max(0, int(x) - around), min(columns, int(x) + around + 1)
        for i in range(max(0, int(y) - around), min(rows, int(y) + around + 1)):
            dy = (i + 0.5 - y) * cell
            for j in range(left, right):
                dx = (j + 0.5 - x) * cell
                far = dx * dx + dy * dy
                if far < best[i, j]:
                    best[i, j], out[i, j] = far, k
    return out
