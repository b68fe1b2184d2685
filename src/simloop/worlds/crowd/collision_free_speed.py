"""The collision-free speed model: turn away from who is near, walk as fast as the gap ahead allows.

Tordeux, Chraibi, Seyfried, "Collision-free speed model for pedestrian dynamics", Traffic and Granular Flow '15 (2016):
direction by equations 5 and 6 (strength 8, as JuPedSim has it, range 0.1 m), speed by equations 2 and 4. As in
JuPedSim, walls repel as people do (strength 5, range 0.02 m).

Where it departs: bodies have radii of their own; walls do not slow, as `projection` keeps them out of walls. Nobody
is held up by who is behind on the own way, even where repulsion turns a walker round: of two who meet in a door one is
ahead, and walks, where the paper's rule can hold up both for ever. The time gap is 0.5 s, not 1 s: with it speeds at
1 to 4 people per m2 are Weidmann's (1993), and flows in bottlenecks those of experiments.
"""

from __future__ import annotations

import math

from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.walking import wall_distance2

#: s of gap per speed, strength and range (m) of people, and of walls
CONSTANTS = (0.5, 8.0, 0.1, 5.0, 0.02)


@compiled
def collision_free_speed(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, constants, scene_of, position, velocity, desired, active, blind, traits, clear, near, count,
    walls, wall_begins, wall_counts, out,
):  # fmt: skip
    """Write the velocities that people first..last choose to `out` (N, 2), m/s; arguments as those of `orca.orca`."""
    gap_time, strength, width, wall_strength, wall_width = constants
    for i in range(first, last):
        if not active[i]:
            continue
        wanted = math.hypot(desired[i, 0], desired[i, 1])
        out[i, 0] = out[i, 1] = 0.0
        if wanted < 1e-9:
            continue
        ux, uy = desired[i, 0] / wanted, desired[i, 1] / wanted
        ex, ey = ux, uy
        for k in range(count[i]):
            j = near[i, k]
            dx, dy = position[i, 0] - position[j, 0], position[i, 1] - position[j, 1]
            d = max(math.hypot(dx, dy), 1e-9)
            f = strength * math.exp(min((traits[i, 1] + traits[j, 1] - d) / width, 0.0)) / d
            ex, ey = ex + f * dx, ey + f * dy
        s = scene_of[i]
        for m in range(wall_begins[s], wall_begins[s] + wall_counts[s]):
            d2, px, py = wall_distance2(position[i, 0], position[i, 1], walls, m)
            if d2 < 1.0:
                d = max(math.sqrt(d2), 1e-9)
                f = wall_strength * math.exp(min((traits[i, 1] - d) / wall_width, 0.0)) / d
                ex, ey = ex + f * (position[i, 0] - px), ey + f * (position[i, 1] - py)
        e = math.hypot(ex, ey)
        if e < 1e-9:
            continue
        ex, ey = ex / e, ey / e
        gap = math.inf
        for k in range(count[i]):
            j = near[i, k]
            dx, dy = position[j, 0] - position[i, 0], position[j, 1] - position[i, 1]
            wide = traits[i, 1] + traits[j, 1]
            ahead = dx * ex + dy * ey > 0.0 and dx * ux + dy * uy > 0.0
            if ahead and abs(dx * ey - dy * ex) <= wide:
                gap = min(gap, math.hypot(dx, dy) - wide)
        speed = min(wanted, max(gap, 0.0) / gap_time)
        out[i, 0], out[i, 1] = speed * ex, speed * ey
