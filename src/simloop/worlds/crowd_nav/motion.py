"""How a robot and people move in a step of CrowdNav: people by ORCA, the robot as it is told."""

from __future__ import annotations

import math

import numpy as np

from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.linear_program import best_velocity
from simloop.worlds.crowd.orca import person_line

#: m, that ORCA adds to every radius, and the part of an avoidance that each takes on
_MARGIN, _SHARE = 0.01, 0.5


@compiled
def advance(state, told, forms, dt, gaps):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move everybody by one step, in place.

    state: (n, S) as `cases.STATE`; told: (n, 2) m/s, the robot's velocity; forms: (n, 5) whether people see the robot,
    their speed, m/s, radius, m, and horizon, s, and the robot's radius, m; gaps: (n,) m, written: the least gap between
    robot and people while both keep the robot's new and the people's old velocity, as published.
    """
    people = (state.shape[1] - 6) // 6
    total = people + 1
    chosen = np.empty((total, 2))
    for i in range(len(state)):
        place, velocity = state[i, : 2 * total].reshape(total, 2), state[i, 2 * total : 4 * total].reshape(total, 2)
        goal = state[i, 4 * total :].reshape(total, 2)
        for k in range(1, total):
            choose(place, velocity, goal, k, 0 if forms[i, 0] > 0.5 else 1, forms[i], dt, chosen[k])
        robot = forms[i, 4] + forms[i, 2]
        least = math.inf
        for k in range(1, total):
            px, py = place[k, 0] - place[0, 0], place[k, 1] - place[0, 1]
            ex, ey = (velocity[k, 0] - told[i, 0]) * dt, (velocity[k, 1] - told[i, 1]) * dt
            length = ex * ex + ey * ey
            t = 0.0 if length == 0.0 else min(max(-(px * ex + py * ey) / length, 0.0), 1.0)
            least = min(least, math.hypot(px + t * ex, py + t * ey) - robot)
        gaps[i] = least
        chosen[0] = told[i]
        for k in range(total):
            velocity[k] = chosen[k]
            place[k, 0] += dt * chosen[k, 0]
            place[k, 1] += dt * chosen[k, 1]


@compiled
def robot_by_orca(state, forms, most, dt, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the velocities (n, 2), m/s, that ORCA would choose for the robot, at most (n,) `most`."""
    total = state.shape[1] // 6
    for i in range(len(state)):
        place, velocity = state[i, : 2 * total].reshape(total, 2), state[i, 2 * total : 4 * total].reshape(total, 2)
        form = forms[i].copy()
        form[1] = most[i]
        choose(place, velocity, state[i, 4 * total :].reshape(total, 2), 0, 0, form, dt, out[i])


@compiled
def choose(place, velocity, goal, k, first, form, dt, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the velocity (2,) that k chooses by ORCA among those from `first` on; the preferred one is to the goal."""
    total = len(place)
    x, y = goal[k, 0] - place[k, 0], goal[k, 1] - place[k, 1]
    far = math.hypot(x, y)
    if far > form[1]:
        x, y = x / far * form[1], y / far * form[1]
    order, apart = np.empty(total, np.int64), np.empty(total)
    seen = 0
    for j in range(first, total):
        if j == k:
            continue
        d = (place[j, 0] - place[k, 0]) ** 2 + (place[j, 1] - place[k, 1]) ** 2
        at = seen
        while at > 0 and apart[at - 1] > d:
            apart[at], order[at] = apart[at - 1], order[at - 1]
            at -= 1
        apart[at], order[at] = d, j
        seen += 1
    lines, spare = np.empty((total, 4)), np.empty((total, 4))
    own = form[4] if k == 0 else form[2]
    for at in range(seen):
        j = order[at]
        wide = own + (form[4] if j == 0 else form[2]) + 2 * _MARGIN
        person_line(
            place[j, 0] - place[k, 0], place[j, 1] - place[k, 1], velocity[k, 0], velocity[k, 1], velocity[j, 0],
            velocity[j, 1], wide, form[3], dt, _SHARE, lines, at,
        )  # fmt: skip
    out[0], out[1] = best_velocity(lines, seen, 0, form[1], x, y, spare)
