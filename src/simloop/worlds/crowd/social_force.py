"""The social force model: people are driven to their goal and pushed off others and walls by potentials.

Helbing and Molnar, "Social force model for pedestrian dynamics", Physical Review E 51 (1995): the elliptical repulsion
of equations 4 and 5 with its constants (2.1 m2/s2 over 0.3 m, steps foreseen 2 s ahead; of walls 10 m2/s2 over 0.2 m;
what lies outside 100 degrees to each side counts half; speed at most 1.3 times the preferred one).

Where it departs: the relaxation time, 0.5 s there, is the trait `reaction`; attraction is left to groups. Bodies may
overlap, as they may in the paper, where people are points.
"""

from __future__ import annotations

import math

from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.walking import wall_distance2

#: strength (m2/s2) and range (m) of people, s that steps are foreseen, strength and range of walls, cosine of half of
#: the angle of sight, weight outside it, most that the speed may be of the preferred one, least relaxation time (s)
CONSTANTS = (2.1, 0.3, 2.0, 10.0, 0.2, math.cos(math.radians(100.0)), 0.5, 1.3, 0.1)


@compiled
def social_force(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, constants, scene_of, position, velocity, desired, active, blind, traits, clear, near, count,
    walls, wall_begins, wall_counts, out,
):  # fmt: skip
    """Write the velocities of people first..last after dt to `out` (N, 2), m/s; arguments as those of `orca.orca`."""
    strength, width, ahead, wall_strength, wall_width, edge, weight, fastest, least = constants
    for i in range(first, last):
        if not active[i]:
            continue
        wanted = math.hypot(desired[i, 0], desired[i, 1])
        relax = max(traits[i, 3], least)
        ax, ay = (desired[i, 0] - velocity[i, 0]) / relax, (desired[i, 1] - velocity[i, 1]) / relax
        for k in range(count[i]):
            j = near[i, k]
            fx, fy = _push(position[i, 0] - position[j, 0], position[i, 1] - position[j, 1],
                           velocity[j, 0] * ahead, velocity[j, 1] * ahead, strength, width)  # fmt: skip
            seen = -(desired[i, 0] * fx + desired[i, 1] * fy) >= edge * wanted * math.hypot(fx, fy)
            part = 1.0 if seen else weight
            ax, ay = ax + part * fx, ay + part * fy
        s = scene_of[i]
        for m in range(wall_begins[s], wall_begins[s] + wall_counts[s]):
            d2, px, py = wall_distance2(position[i, 0], position[i, 1], walls, m)
            if d2 < 4.0:
                d = max(math.sqrt(d2), 1e-6)
                f = wall_strength / wall_width * math.exp(-d / wall_width)
                ax, ay = ax + f * (position[i, 0] - px) / d, ay + f * (position[i, 1] - py) / d
        vx, vy = velocity[i, 0] + dt * ax, velocity[i, 1] + dt * ay
        speed, most = math.hypot(vx, vy), fastest * traits[i, 0]
        scale = most / speed if speed > most else 1.0
        out[i, 0], out[i, 1] = scale * vx, scale * vy


@compiled
def _push(rx, ry, sx, sy, strength, width):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The gradient of the elliptical potential of somebody who is (rx, ry) m away and is going to walk (sx, sy) m."""
    r, far = max(math.hypot(rx, ry), 1e-6), max(math.hypot(rx - sx, ry - sy), 1e-6)
    both = r + far
    b = max(0.5 * math.sqrt(max(both * both - sx * sx - sy * sy, 0.0)), 1e-3)
    f = strength / width * math.exp(-b / width) * both / (4.0 * b)
    return f * (rx / r + (rx - sx) / far), f * (ry / r + (ry - sy) / far)
