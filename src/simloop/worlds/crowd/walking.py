"""Where each person would walk if nobody were in the way: entering, routes, groups, wandering, inattention, turning.

Whatever a person draws is a hash of (the scene's key, the person, the number of the step or of the spell), so that it
depends on nothing else.
"""

from __future__ import annotations

import math

import numpy as np

from simloop.worlds.crowd.compiled import compiled

#: s, in which a wandering direction forgets itself
WANDER_TIME = 2.0
#: s, how long a spell of inattention lasts
SPELL = 1.0
#: rad/s, how fast a body turns at most
TURN = 2.0 * math.pi
#: m, between people of a group who walk abreast, and how far off a member is lost
ABREAST, LOST = 0.8, 6.0


@compiled
def _hashed(key, person, step, salt):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A number in (0, 1) from a 64-bit hash (splitmix64)."""
    z = np.uint64(key) + np.uint64(person) * np.uint64(0x9E3779B97F4A7C15)
    z ^= np.uint64(step) * np.uint64(0xD1B54A32D192ED03) + np.uint64(salt) * np.uint64(0x8CB92BA72F3D8DD7)
    for _ in range(2):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)) + 0.5) / 9007199254740992.0


@compiled
def wall_distance2(x, y, walls, m):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Squared distance from (x, y) to wall m, and the nearest point of the wall."""
    ax, ay = walls[m, 0], walls[m, 1]
    ex, ey = walls[m, 2] - ax, walls[m, 3] - ay
    length2 = ex * ex + ey * ey
    t = 0.0
    if length2 > 0.0:
        t = min(max(((x - ax) * ex + (y - ay) * ey) / length2, 0.0), 1.0)
    px, py = ax + t * ex, ay + t * ey
    return (x - px) ** 2 + (y - py) ** 2, px, py


@compiled
def clearances(first, last, scene_of, starts, traits, walls, wall_begins, wall_counts, clear):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write how far from walls people first..last keep: their radius, or less where they begin nearer than that."""
    for i in range(first, last):
        least = traits[i, 1]
        s = scene_of[i]
        for m in range(wall_begins[s], wall_begins[s] + wall_counts[s]):
            d2, _, _ = wall_distance2(starts[i, 0], starts[i, 1], walls, m)
            least = min(least, math.sqrt(d2) * (1.0 - 1e-9))
        clear[i] = least


@compiled
def crossed(ax, ay, bx, by, walls, m):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether the way from a to b crosses or touches wall m."""
    px, py, qx, qy = walls[m, 0], walls[m, 1], walls[m, 2], walls[m, 3]
    one = (qx - px) * (ay - py) - (qy - py) * (ax - px)
    two = (qx - px) * (by - py) - (qy - py) * (bx - px)
    three = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    four = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
    return one * two <= 0.0 and three * four <= 0.0 and not (one == 0.0 and two == 0.0)


@compiled
def visible(ax, ay, bx, by, clear, walls, begin, n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a body of radius `clear` can walk straight from a to b."""
    for m in range(begin, begin + n):
        if crossed(ax, ay, bx, by, walls, m):
            return False
        ex, ey = bx - ax, by - ay
        length2 = max(ex * ex + ey * ey, 1e-18)
        for k in range(2):  # apart, segments are nearest at an end of one of them; both ends of the way are clear
            t = min(max(((walls[m, 2 * k] - ax) * ex + (walls[m, 2 * k + 1] - ay) * ey) / length2, 0.0), 1.0)
            if (walls[m, 2 * k] - ax - t * ex) ** 2 + (walls[m, 2 * k + 1] - ay - t * ey) ** 2 < clear * clear:
                return False
    return True


@compiled
def enter(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, offsets, time, starts, begins, routes, traits, unseen, position, velocity, heading, active, entered,
    leg,
):  # fmt: skip
    """Let in whose time has come and whose place is free, in scenes first..last, the lower numbers first.

    Who is there from the beginning stands; who comes later comes walking.
    """
    for s in range(first, last):
        for i in range(offsets[s], offsets[s + 1]):
            if active[i] or not math.isnan(entered[i]) or time[s] < begins[i] - 1e-9:
                continue
            free = True
            for j in range(offsets[s], offsets[s + 1]):
                if active[j] and not unseen[j] and not unseen[i]:
                    dx, dy = position[j, 0] - starts[i, 0], position[j, 1] - starts[i, 1]
                    touching = traits[i, 1] + traits[j, 1]
                    if dx * dx + dy * dy < touching * touching:
                        free = False
                        break
            if not free:
                continue
            active[i], entered[i], leg[i] = True, time[s], 0
            position[i, 0], position[i, 1] = starts[i, 0], starts[i, 1]
            dx, dy = routes[i, 0, 0] - starts[i, 0], routes[i, 0, 1] - starts[i, 1]
            heading[i] = math.atan2(dy, dx)
            speed = traits[i, 0] if begins[i] > 0.0 else 0.0
            velocity[i, 0], velocity[i, 1] = speed * math.cos(heading[i]), speed * math.sin(heading[i])


@compiled
def look_around(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, offsets, time, keys, position, active, traits, companions, gathered, blind
):
    """Write who of scenes first..last sees nobody to `blind` (N,), and what members of groups see to `gathered` (N, 4).

    That is: members near, their middle (m), the speed of the slowest (m/s).
    companions: (N,) the next member of the same group, round; -1 for who walks alone.
    """
    for s in range(first, last):
        for i in range(offsets[s], offsets[s + 1]):
            gathered[i, :] = 0.0
            blind[i] = False
            if not active[i]:
                continue
            if traits[i, 9] > 0.0:
                person = i - offsets[s]
                spell = int(time[s] / SPELL + _hashed(keys[s], person, 0, 1))
                blind[i] = _hashed(keys[s], person, spell, 2) < traits[i, 9]
            if companions[i] < 0:
                continue
            n, x, y, speed = 1.0, position[i, 0], position[i, 1], traits[i, 0]
            j = companions[i]
            while j != i:
                dx, dy = position[j, 0] - position[i, 0], position[j, 1] - position[i, 1]
                if active[j] and dx * dx + dy * dy < LOST * LOST:
                    n, x, y = n + 1.0, x + position[j, 0], y + position[j, 1]
                    speed = min(speed, traits[j, 0])
                j = companions[j]
            gathered[i, 0], gathered[i, 1], gathered[i, 2], gathered[i, 3] = n, x / n, y / n, speed


@compiled
def desire(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, scene_of, offsets, steps, keys, position, active, traits, routes, reach, stays, arrived, leg,
    clear, gathered, sway, walls, wall_begins, wall_counts, target, desired,
):  # fmt: skip
    """Write where people first..last want to walk: target (N, 2) m, desired (N, 2) m/s."""
    keep = math.exp(-dt / WANDER_TIME)
    for i in range(first, last):
        desired[i, 0] = desired[i, 1] = 0.0
        if not active[i]:
            continue
        s, x, y = scene_of[i], position[i, 0], position[i, 1]
        person = i - offsets[s]
        look = (steps[s] + person) % 4 == 0
        while leg[i] + 1 < routes.shape[1] and not math.isnan(routes[i, leg[i] + 1, 0]):
            ax, ay = routes[i, leg[i], 0] - x, routes[i, leg[i], 1] - y
            bx, by = routes[i, leg[i] + 1, 0] - x, routes[i, leg[i] + 1, 1] - y
            away2 = ax * ax + ay * ay
            passed = away2 < reach[i] * reach[i]
            if passed and away2 > 0.01:  # beside a door, the place in it is near before the next one is seen
                passed = visible(x, y, x + bx, y + by, 0.9 * clear[i], walls, wall_begins[s], wall_counts[s])
                if not passed:
                    break
            if not passed and look and away2 < 9.0 and -ax * (bx - ax) - ay * (by - ay) > 0.0:
                passed = visible(x, y, x + bx, y + by, 0.9 * clear[i], walls, wall_begins[s], wall_counts[s])
            if not passed:
                break
            leg[i] += 1
        tx, ty = routes[i, leg[i], 0], routes[i, leg[i], 1]
        target[i, 0], target[i, 1] = tx, ty
        dx, dy = tx - x, ty - y
        away = math.sqrt(dx * dx + dy * dy)
        if away < 1e-12:
            continue
        speed = traits[i, 0]
        if stays[i]:
            speed = min(speed, 2.0 * away)
            if not math.isnan(arrived[i]) and away < 0.5 * reach[i]:
                continue
        dx, dy = dx / away, dy / away
        if traits[i, 8] > 0.0:
            a = math.sqrt(-2.0 * math.log(_hashed(keys[s], person, steps[s], 3)))
            normal = a * math.cos(2.0 * math.pi * _hashed(keys[s], person, steps[s], 4))
            past = keep if steps[s] > 0 else 0.0
            sway[i] = past * sway[i] + traits[i, 8] * math.sqrt(1.0 - past * past) * normal
            angle = sway[i] * min(away, 1.0)  # close to the place nobody misses it
            c, n = math.cos(angle), math.sin(angle)
            dx, dy = c * dx - n * dy, n * dx + c * dy
        desired[i, 0], desired[i, 1] = speed * dx, speed * dy
        cohesion = traits[i, 7]
        if gathered[i, 0] > 1.0 and cohesion > 0.0:
            gx, gy = gathered[i, 1] - x, gathered[i, 2] - y
            behind = min(max(gx * dx + gy * dy, -0.8), 0.3)
            speed += cohesion * (min(gathered[i, 3], speed) * (1.0 + behind) - speed)
            aside = dx * gy - dy * gx  # how far left of the person the middle of the group is
            half = 0.5 * ABREAST * (gathered[i, 0] - 1.0)
            pull = cohesion * 0.5 * min(max(abs(aside) - half, 0.0), 1.0) * (1.0 if aside > 0.0 else -1.0)
            desired[i, 0], desired[i, 1] = speed * dx - pull * dy, speed * dy + pull * dx


@compiled
def carry_out(first, last, dt, inert, active, steered, told, traits, velocity, chosen):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Make of the velocities that people first..last chose those that they walk with, in place.

    A change of velocity is carried out as exp(-t / reaction); who is `inert` did so
    already, and `steered` people do as they are `told`.
    """
    for i in range(first, last):
        if not active[i]:
            continue
        if steered[i]:
            chosen[i, 0], chosen[i, 1] = told[i, 0], told[i, 1]
        elif traits[i, 3] > 0.0 and not inert:
            part = 1.0 - math.exp(-dt / traits[i, 3])
            for k in range(2):
                chosen[i, k] = velocity[i, k] + part * (chosen[i, k] - velocity[i, k])


@compiled
def _wrapped(angle):  # type: ignore[no-untyped-def]  # pragma: no cover
    """An angle of at most two turns within half a turn of 0, rad."""
    if angle > math.pi:
        return angle - 2.0 * math.pi
    return angle + 2.0 * math.pi if angle < -math.pi else angle


@compiled
def arrive(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, dt, offsets, steps, time, position, velocity, heading, active, entered, arrived, routes, reach, stays,
    leg, done,
):  # fmt: skip
    """Turn bodies towards where they walk, and let go who reached the goal, in scenes first..last; time goes on."""
    for s in range(first, last):
        steps[s] += 1
        time[s] = steps[s] * dt
        done[s] = True
        for i in range(offsets[s], offsets[s + 1]):
            if active[i]:
                vx, vy = velocity[i, 0], velocity[i, 1]
                if vx * vx + vy * vy > 0.01:
                    turn = _wrapped(math.atan2(vy, vx) - heading[i])
                    heading[i] = _wrapped(heading[i] + min(max(turn, -TURN * dt), TURN * dt))
                last_leg = leg[i] + 1 == routes.shape[1] or math.isnan(routes[i, leg[i] + 1, 0])
                dx, dy = routes[i, leg[i], 0] - position[i, 0], routes[i, leg[i], 1] - position[i, 1]
                if last_leg and math.isnan(arrived[i]) and dx * dx + dy * dy < reach[i] * reach[i]:
                    arrived[i] = time[s]
                    active[i] = stays[i]
            if math.isnan(arrived[i]) and (active[i] or math.isnan(entered[i])):
                done[s] = False
