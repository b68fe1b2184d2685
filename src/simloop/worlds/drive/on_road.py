"""Where one is along a road and a line on it, in compiled loops: what `Road` and the expert ask for each car.

A road is given by its points (n, 2) at even steps, by its pieces (8, m) between a point and the next (`Road._pieces`),
and by whether it is closed; a line by its lateral place at each point, m.
"""

from __future__ import annotations

import numpy as np

from simloop.worlds.drive.compiled import compiled


@compiled
def at(pieces, step, n, closed, s, d):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Places (k, 2), m, headings, rad, and curvatures, 1/m, of what is s (k,) m along and d (k,) m left of n points."""
    places, headings, bends = np.empty((len(s), 2)), np.empty(len(s)), np.empty(len(s))
    for k in range(len(s)):
        place = s[k] / step
        if closed:
            place = place % n
            low = int(place) % n
        else:
            low = int(min(max(np.floor(place), 0.0), n - 2.0))
        part = place - low
        inside = min(max(part, 0.0), 1.0)
        angle = pieces[4, low] + inside * pieces[5, low]
        places[k, 0] = pieces[0, low] + part * pieces[2, low] - d[k] * np.sin(angle)
        places[k, 1] = pieces[1, low] + part * pieces[3, low] + d[k] * np.cos(angle)
        headings[k], bends[k] = angle, (1 - inside) * pieces[6, low] + inside * pieces[7, low]
    return places, headings, bends


@compiled
def located(points, pieces, step, closed, flat):  # type: ignore[no-untyped-def]  # pragma: no cover
    """How far along, and how far left of the middle, points of the plane flat (k, 2) are: two (k,), m."""
    m, n = pieces.shape[1], len(points)
    s, d = np.empty(len(flat)), np.empty(len(flat))
    for k in range(len(flat)):
        x, y, nearest, least = flat[k, 0], flat[k, 1], 0, np.inf
        for i in range(n):
            away = (x - points[i, 0]) ** 2 + (y - points[i, 1]) ** 2
            if away < least:
                least, nearest = away, i
        best, s[k], d[k] = np.inf, 0.0, 0.0
        for before in (1, 0):  # the side that ends at the nearest point and the one that begins there
            i = nearest - before
            i = i % m if closed else min(max(i, 0), m - 1)
            long = np.sqrt(pieces[2, i] ** 2 + pieces[3, i] ** 2)
            along_x, along_y = pieces[2, i] / long, pieces[3, i] / long
            off_x, off_y = x - points[i, 0], y - points[i, 1]
            t = (off_x * along_x + off_y * along_y) / step
            # before its start and after its end an open road goes on straight
            if closed or i > 0:
                t = max(t, 0.0)
            if closed or i < m - 1:
                t = min(t, 1.0)
            far = np.hypot(off_x - t * step * along_x, off_y - t * step * along_y)
            if far < best:
                best, s[k] = far, (i + t) * step
                d[k] = np.copysign(far, along_x * off_y - along_y * off_x)
        if closed:
            s[k] %= step * m
    return s, d


@compiled
def line_at(line, step, closed, s):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Lateral places (k,), m, of a line (n,) at s (k,) m along its road; an open one goes on as it ends."""
    n, out = len(line), np.empty(len(s))
    for k in range(len(s)):
        place = s[k] / step
        if closed:
            place = place % n
            low = int(place) % n
            after = line[(low + 1) % n]
        else:
            place = min(max(place, 0.0), n - 1.0)
            low = min(int(place), n - 2)
            after = line[low + 1]
        out[k] = line[low] + (place - low) * (after - line[low])
    return out


@compiled
def tightest(curvature, line, first, count, closed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The largest curvature of a line (n,), 1/m, at `count` points of its road from the point `first` on."""
    n, most = len(curvature), 0.0
    for k in range(first, first + count):
        i = k % n if closed else min(max(k, 0), n - 1)
        most = max(most, abs(curvature[i] / max(1 - curvature[i] * line[i], 0.1)))
    return most


@compiled
def near(points, every, apart, step, length, least):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Two of every `every`-th points (n, 2) that are within `apart`, m, of each other but more than `least` m of road,
    which is closed after a length, or infinite; -1, -1 where there are none."""
    for i in range(0, len(points), every):
        for j in range(i + every, len(points), every):
            between = (j - i) * step
            if min(between, length - between) <= least:
                continue
            if (points[i, 0] - points[j, 0]) ** 2 + (points[i, 1] - points[j, 1]) ** 2 <= apart * apart:
                return i, j
    return -1, -1
