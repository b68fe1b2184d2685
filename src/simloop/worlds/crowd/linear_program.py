"""The velocity nearest to a wanted one that many half-planes allow, in two dimensions.

Lines are rows of (point x, point y, direction x, direction y); allowed is what lies left of each. One line after
another is added, as de Berg et al., "Computational Geometry", section 4.4 have it; where no velocity is left, a linear
program in three dimensions finds the one that breaks the lines least (van den Berg et al. 2011, section 5.3).
"""

from __future__ import annotations

import math

from simloop.worlds.crowd.compiled import compiled

#: of the cross product of two directions, up to which lines count as parallel
_SMALL = 1e-9


@compiled
def best_velocity(lines, n, fixed, most, wanted_x, wanted_y, spare):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The velocity of at most `most` nearest to the wanted one that is left of n lines; the first `fixed` give nothing.

    Where there is none, the one that is least right of any of the others.
    """
    x, y, failed = _nearest(lines, n, most, wanted_x, wanted_y, False)
    if failed == n:
        return x, y
    worst = 0.0
    for i in range(failed, n):
        px, py, gx, gy = lines[i, 0], lines[i, 1], lines[i, 2], lines[i, 3]
        if gx * (py - y) - gy * (px - x) <= worst:
            continue
        spare[:fixed] = lines[:fixed]
        made = fixed
        for j in range(fixed, i):
            qx, qy, hx, hy = lines[j, 0], lines[j, 1], lines[j, 2], lines[j, 3]
            cross = gx * hy - gy * hx
            if abs(cross) <= _SMALL:
                if gx * hx + gy * hy > 0.0:
                    continue
                spare[made, 0], spare[made, 1] = 0.5 * (px + qx), 0.5 * (py + qy)
            else:
                t = (hx * (py - qy) - hy * (px - qx)) / cross
                spare[made, 0], spare[made, 1] = px + t * gx, py + t * gy
            kx, ky = hx - gx, hy - gy
            k = math.sqrt(kx * kx + ky * ky)
            spare[made, 2], spare[made, 3] = kx / k, ky / k
            made += 1
        tried_x, tried_y, bad = _nearest(spare, made, most, -gy, gx, True)
        if bad == made:
            x, y = tried_x, tried_y
        worst = gx * (py - y) - gy * (px - x)
    return x, y


@compiled
def _nearest(lines, n, most, wanted_x, wanted_y, far):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Velocity nearest to the wanted one, or farthest in its direction, and the first line that leaves none (or n)."""
    x, y = wanted_x, wanted_y
    if far:
        x, y = wanted_x * most, wanted_y * most
    elif x * x + y * y > most * most:
        size = math.sqrt(x * x + y * y)
        x, y = x / size * most, y / size * most
    for i in range(n):
        px, py, gx, gy = lines[i, 0], lines[i, 1], lines[i, 2], lines[i, 3]
        if gx * (py - y) - gy * (px - x) <= 0.0:
            continue
        dot = px * gx + py * gy
        room = dot * dot + most * most - px * px - py * py
        if room < 0.0:
            return x, y, i
        room = math.sqrt(room)
        low, high = -dot - room, -dot + room
        for j in range(i):
            cross = gx * lines[j, 3] - gy * lines[j, 2]
            over = lines[j, 2] * (py - lines[j, 1]) - lines[j, 3] * (px - lines[j, 0])
            if abs(cross) <= _SMALL:
                if over < 0.0:
                    return x, y, i
                continue
            t = over / cross
            if cross >= 0.0:
                high = min(high, t)
            else:
                low = max(low, t)
            if low > high:
                return x, y, i
        if far:
            t = high if wanted_x * gx + wanted_y * gy > 0.0 else low
        else:
            t = min(max(gx * (wanted_x - px) + gy * (wanted_y - py), low), high)
        x, y = px + t * gx, py + t * gy
    return x, y, n
