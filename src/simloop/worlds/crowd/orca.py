"""Optimal reciprocal collision avoidance (ORCA), with walls.

van den Berg, Guy, Lin, Manocha, "Reciprocal n-body collision avoidance", ISRR 2009 (Springer 2011), sections 4 and 5:
each other person and each wall forbids a half-plane of velocities; a linear program finds the allowed velocity that is
nearest to the preferred one, and where none is allowed, the one that breaks the half-planes of people least. A wall is
a segment with two sides, as a polygon of two corners.

Where it departs: the part of an avoidance that a person takes on is a trait (the paper's is 1/2), and is whole towards
someone who is distracted; the body is wider by the trait `space`, yet at most by half of the gap that there is.
"""

from __future__ import annotations

import math

import numpy as np

from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.linear_program import best_velocity


@compiled
def orca(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, constants, scene_of, position, velocity, desired, active, blind, traits, clear, near, count,
    walls, wall_begins, wall_counts, out,
):  # fmt: skip
    """Write the velocities that people first..last choose to `out` (N, 2), m/s.

    constants: s, how far ahead walls are foreseen at most; desired: (N, 2) m/s; clear: (N,) m, the distance from walls
    that each keeps; near, count: who is near (`grid.find_near`).
    """
    lines = np.empty((near.shape[1] + wall_counts.max() + 1, 4))
    spare = np.empty_like(lines)
    for i in range(first, last):
        if not active[i]:
            continue
        x, y, vx, vy = position[i, 0], position[i, 1], velocity[i, 0], velocity[i, 1]
        wanted_x, wanted_y = desired[i, 0], desired[i, 1]
        most = max(traits[i, 0], math.sqrt(wanted_x * wanted_x + wanted_y * wanted_y))
        s = scene_of[i]
        made = 0
        if wall_counts[s] > 0:
            horizon = min(traits[i, 4], constants[0])
            made = wall_lines(x, y, vx, vy, clear[i], horizon, most, walls, wall_begins[s], wall_counts[s], lines)
        fixed = made
        for k in range(count[i]):
            j = near[i, k]
            dx, dy = position[j, 0] - x, position[j, 1] - y
            wide = traits[i, 1] + traits[j, 1]
            if traits[i, 2] > 0.0:
                wide += max(min(traits[i, 2], 0.5 * (math.sqrt(dx * dx + dy * dy) - wide)), 0.0)
            share = 1.0 if blind[j] else traits[i, 6]
            person_line(dx, dy, vx, vy, velocity[j, 0], velocity[j, 1], wide, traits[i, 4], dt, share, lines, made)
            made += 1
        out[i, 0], out[i, 1] = best_velocity(lines, made, fixed, most, wanted_x, wanted_y, spare)


@compiled
def person_line(dx, dy, vx, vy, ox, oy, wide, horizon, dt, share, lines, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the half-plane that another person leaves: a point and a direction, allowed is what lies left of it.

    dx, dy: m, to the other; vx, vy, ox, oy: m/s, the own velocity and the other's; wide: m, both radii together.
    """
    rx, ry = vx - ox, vy - oy
    apart2, wide2 = dx * dx + dy * dy, wide * wide
    touching = apart2 <= wide2
    per = 1.0 / dt if touching else 1.0 / horizon
    wx, wy = rx - per * dx, ry - per * dy
    w2 = wx * wx + wy * wy
    along = wx * dx + wy * dy
    if touching or (along < 0.0 and along * along > wide2 * w2):
        w = math.sqrt(w2)
        if w < 1e-12:  # neither moves and both stand at one place
            wx, wy, w = 1.0, 0.0, 1.0
            ux = uy = 0.0
        else:
            wx, wy = wx / w, wy / w
            ux, uy = (wide * per - w) * wx, (wide * per - w) * wy
        lines[at, 2], lines[at, 3] = wy, -wx
    else:
        leg = math.sqrt(apart2 - wide2)
        if dx * wy - dy * wx > 0.0:
            lines[at, 2], lines[at, 3] = (dx * leg - dy * wide) / apart2, (dx * wide + dy * leg) / apart2
        else:
            lines[at, 2], lines[at, 3] = -(dx * leg + dy * wide) / apart2, -(-dx * wide + dy * leg) / apart2
        dot = rx * lines[at, 2] + ry * lines[at, 3]
        ux, uy = dot * lines[at, 2] - rx, dot * lines[at, 3] - ry
    lines[at, 0], lines[at, 1] = vx + share * ux, vy + share * uy


@compiled
def wall_lines(x, y, vx, vy, radius, horizon, speed, walls, begin, n, lines):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the half-planes that walls leave, nearest wall first, and return how many."""
    reach = horizon * speed + radius
    index, distance = np.empty(n, np.int64), np.empty(n)
    seen = 0
    for m in range(begin, begin + n):
        ax, ay, bx, by = walls[m, 0] - x, walls[m, 1] - y, walls[m, 2] - x, walls[m, 3] - y
        ex, ey = bx - ax, by - ay
        length2 = ex * ex + ey * ey
        t = 0.0 if length2 == 0.0 else min(max(-(ax * ex + ay * ey) / length2, 0.0), 1.0)
        px, py = ax + t * ex, ay + t * ey
        d = px * px + py * py
        if d < reach * reach:
            k = seen
            while k > 0 and distance[k - 1] > d:
                distance[k], index[k] = distance[k - 1], index[k - 1]
                k -= 1
            distance[k], index[k] = d, m
            seen += 1
    made = 0
    for k in range(seen):
        m = index[k]
        ax, ay, bx, by = walls[m, 0] - x, walls[m, 1] - y, walls[m, 2] - x, walls[m, 3] - y
        if ax * by - ay * bx > 0.0:  # the person stands right of the wall from a to b
            ax, ay, bx, by = bx, by, ax, ay
        covered = False
        per = 1.0 / horizon
        for h in range(made):
            px, py, gx, gy = lines[h, 0], lines[h, 1], lines[h, 2], lines[h, 3]
            one = (per * ax - px) * gy - (per * ay - py) * gx - per * radius >= -1e-9
            if one and (per * bx - px) * gy - (per * by - py) * gx - per * radius >= -1e-9:
                covered = True
                break
        if not covered and _wall_line(ax, ay, bx, by, vx, vy, radius, per, lines, made):
            made += 1
    return made


@compiled
def _legs(px, py, radius):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Directions of both tangents from the origin to a disc around (px, py)."""
    d2 = px * px + py * py
    leg = math.sqrt(max(d2 - radius * radius, 0.0))
    left_x, left_y = (px * leg - py * radius) / d2, (px * radius + py * leg) / d2
    right_x, right_y = (px * leg + py * radius) / d2, (-px * radius + py * leg) / d2
    return left_x, left_y, right_x, right_y


@compiled
def _wall_line(ax, ay, bx, by, vx, vy, radius, per, lines, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the half-plane that the wall from a to b leaves a person at the origin, right of it; whether there is one.

    The velocity obstacle of a wall is a cone cut off by the wall itself at 1 / `per` seconds, rounded by the radius.
    """
    ex, ey = bx - ax, by - ay
    length2 = ex * ex + ey * ey
    length = math.sqrt(length2)
    if length == 0.0:
        return False
    ux, uy = ex / length, ey / length
    s = -(ax * ex + ay * ey) / length2
    a2, b2, r2 = ax * ax + ay * ay, bx * bx + by * by, radius * radius
    px, py = ax + s * ex, ay + s * ey
    line2 = px * px + py * py
    lines[at, 0] = lines[at, 1] = 0.0
    if s < 0.0 and a2 <= r2:  # touches the left end
        d = max(math.sqrt(a2), 1e-12)
        lines[at, 2], lines[at, 3] = -ay / d, ax / d
        return True
    if s > 1.0 and b2 <= r2:  # touches the right end
        d = max(math.sqrt(b2), 1e-12)
        lines[at, 2], lines[at, 3] = -by / d, bx / d
        return True
    if 0.0 <= s <= 1.0 and line2 <= r2:  # touches the wall
        lines[at, 2], lines[at, 3] = -ux, -uy
        return True
    # of the left end: the direction of the side that begins there and of that which ends there; likewise of the right
    begin_x, begin_y, before_x, before_y = ux, uy, -ux, -uy
    after_x, after_y = -ux, -uy
    one = False
    if s < 0.0 and line2 <= r2:  # looks along the wall: only its left end counts
        bx, by, one = ax, ay, True
        after_x, after_y = ux, uy
        lx, ly, gx, gy = _legs(ax, ay, radius)
    elif s > 1.0 and line2 <= r2:
        ax, ay, one = bx, by, True
        begin_x, begin_y, before_x, before_y = -ux, -uy, ux, uy
        lx, ly, gx, gy = _legs(bx, by, radius)
    else:
        lx, ly, _, _ = _legs(ax, ay, radius)
        _, _, gx, gy = _legs(bx, by, radius)
    left_foreign = right_foreign = False
    if -(lx * before_y - ly * before_x) >= 0.0:
        lx, ly, left_foreign = -before_x, -before_y, True
    if gx * after_y - gy * after_x <= 0.0:
        gx, gy, right_foreign = after_x, after_y, True
    cut_ax, cut_ay, cut_bx, cut_by = per * ax, per * ay, per * bx, per * by
    cx, cy = cut_bx - cut_ax, cut_by - cut_ay
    t = 0.5 if one else ((vx - cut_ax) * cx + (vy - cut_ay) * cy) / (cx * cx + cy * cy)
    on_left = (vx - cut_ax) * lx + (vy - cut_ay) * ly
    on_right = (vx - cut_bx) * gx + (vy - cut_by) * gy
    if (t < 0.0 and on_left < 0.0) or (one and on_left < 0.0 and on_right < 0.0):
        return _round_line(vx, vy, cut_ax, cut_ay, radius * per, lines, at)
    if t > 1.0 and on_right < 0.0:
        return _round_line(vx, vy, cut_bx, cut_by, radius * per, lines, at)
    to_cut = to_left = to_right = math.inf
    if 0.0 <= t <= 1.0 and not one:
        to_cut = (vx - cut_ax - t * cx) ** 2 + (vy - cut_ay - t * cy) ** 2
    if on_left >= 0.0:
        to_left = (vx - cut_ax - on_left * lx) ** 2 + (vy - cut_ay - on_left * ly) ** 2
    if on_right >= 0.0:
        to_right = (vx - cut_bx - on_right * gx) ** 2 + (vy - cut_by - on_right * gy) ** 2
    if to_cut <= to_left and to_cut <= to_right:
        qx, qy = cut_ax, cut_ay
        lines[at, 2], lines[at, 3] = -begin_x, -begin_y
    elif to_left <= to_right:
        if left_foreign:
            return False
        qx, qy = cut_ax, cut_ay
        lines[at, 2], lines[at, 3] = lx, ly
    else:
        if right_foreign:
            return False
        qx, qy = cut_bx, cut_by
        lines[at, 2], lines[at, 3] = -gx, -gy
    lines[at, 0], lines[at, 1] = qx - radius * per * lines[at, 3], qy + radius * per * lines[at, 2]
    return True


@compiled
def _round_line(vx, vy, cx, cy, radius, lines, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the half-plane outside the disc around (cx, cy) that touches it where the velocity is nearest."""
    wx, wy = vx - cx, vy - cy
    w = max(math.sqrt(wx * wx + wy * wy), 1e-12)
    wx, wy = wx / w, wy / w
    lines[at, 0], lines[at, 1], lines[at, 2], lines[at, 3] = cx + radius * wx, cy + radius * wy, wy, -wx
    return True
