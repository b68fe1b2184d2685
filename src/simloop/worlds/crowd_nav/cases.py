"""Where a robot and people begin: CrowdNav's circle crossing, its 500 test cases among others.

    states = published_cases(500)            # (500, S), for `reset(options={"state": ...})` and `scored`

Chen, Liu, Kreiss, Alahi, "Crowd-robot interaction: crowd-aware robot navigation with attention-based deep reinforcement
learning", ICRA 2019 (arXiv 1809.08835), and its published simulator: people stand around a circle of 4 m, each moved by
up to 0.5 m, and walk to the opposite place; the robot goes from below to above.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simloop.parameters import Array
from simloop.worlds.crowd_nav.channels import PEOPLE

#: numbers of a state: places (6, 2), velocities (6, 2) and goals (6, 2), the robot first
STATE = 6 * (PEOPLE + 1)
#: m, kept between any two at the start beside their radii
_APART = 0.2
#: the published seeds of test cases begin here
_FIRST = 1000


def place(draw: Callable[[], float], *, circle: float, radius: float, robot: float, speed: float) -> Array:
    """A state (S,): people are placed one after another, where nobody stands or wants to go yet.

    Args:
        draw: gives numbers from 0 to 1.
        circle: m, its radius.
        radius: m, of people.
        robot: m, the robot's radius.
        speed: m/s, at which people like to walk; places are moved by up to half of it, in m, as published.
    """
    starts, goals = [(0.0, -circle)], [(0.0, circle)]
    radii = [robot]
    for _ in range(PEOPLE):
        while True:
            angle = draw() * math.pi * 2
            x = circle * math.cos(angle) + (draw() - 0.5) * speed
            y = circle * math.sin(angle) + (draw() - 0.5) * speed
            if all(
                math.hypot(x - a, y - b) >= radius + r + _APART
                for ends in (starts, goals)
                for (a, b), r in zip(ends, radii, strict=True)
            ):
                break
        starts.append((x, y))
        goals.append((-x, -y))
        radii.append(radius)
    return np.concatenate([np.ravel(starts), np.zeros(2 * len(starts)), np.ravel(goals)])


def published_cases(count: int = 500) -> Array:
    """(count, S) the published test cases, of NumPy's old generator with the published seeds."""
    return np.array([
        place(np.random.RandomState(_FIRST + k).random_sample, circle=4.0, radius=0.3, robot=0.3, speed=1.0)
        for k in range(count)
    ])  # fmt: skip
