"""What a person of a crowd perceives who walks by a policy: a goal, an own velocity, and a fan of rays.

    sight = Sight(batch)
    seen = sight.look()                 # (N, WIDTH): of everybody, in axes that point where the body faces

After Lee, Won, Lee, "Crowd simulation by deep reinforcement learning", MIG 2018: what is internal (goal and speed in
the body's frame) and what is external (how far it is to the next person or wall along each ray, now and some steps
before, so that motion shows). It departs in its numbers: 31 rays reach 6 m and cover 240 degrees, so that one points
straight ahead, and nobody of 0.2 m radius within 2.8 m is between two of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.compiled import compiled
from simloop.worlds.crowd.engine import Batch

#: rays of a fan, the angle that it covers, rad, and how far it reaches, m
RAYS, FAN, REACH = 31, math.radians(240), 6.0
#: steps that are remembered, the present one among them
PAST = 3
#: internal numbers: direction of the goal and how far it is, velocity, and the speed that is liked
INTERNAL = 6
WIDTH = INTERNAL + RAYS * PAST


@compiled
def cast_rays(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, offsets, position, heading, active, radius, walls, wall_begins, wall_counts, fan, reach, out
):
    """Write how near what each ray meets is, (N, rays): 1 at the own skin, 0 at `reach` m from it and beyond."""
    rays = out.shape[1]
    for s in range(first, last):
        for i in range(offsets[s], offsets[s + 1]):
            if not active[i]:
                out[i] = 0.0
                continue
            x, y = position[i, 0], position[i, 1]
            far = reach + radius[i]
            for k in range(rays):
                angle = heading[i] + fan * (k / (rays - 1) - 0.5)
                c, sn = math.cos(angle), math.sin(angle)
                least = far
                for j in range(offsets[s], offsets[s + 1]):
                    if j == i or not active[j]:
                        continue
                    dx, dy = position[j, 0] - x, position[j, 1] - y
                    along, aside = dx * c + dy * sn, dy * c - dx * sn
                    r = radius[j]
                    if along > 0.0 and abs(aside) < r and along - r < least:
                        least = min(least, along - math.sqrt(r * r - aside * aside))
                for m in range(wall_begins[s], wall_begins[s] + wall_counts[s]):
                    ax, ay = walls[m, 0] - x, walls[m, 1] - y
                    ex, ey = walls[m, 2] - walls[m, 0], walls[m, 3] - walls[m, 1]
                    cross = c * ey - sn * ex
                    if cross == 0.0:
                        continue
                    t = (ax * ey - ay * ex) / cross
                    u = (ax * sn - ay * c) / cross
                    if 0.0 <= u <= 1.0 and 0.0 <= t < least:
                        least = t
                out[i, k] = 1.0 - min(max(least - radius[i], 0.0) / reach, 1.0)


class Sight:
    """What everybody in a batch perceives; it remembers the last steps.

    Attributes:
        seen: (N, PAST, RAYS) how near things are along the rays, the newest first.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        n = len(batch.position)
        self.seen = np.zeros((n, PAST, RAYS))
        self._now = np.zeros((n, RAYS))
        self._known = np.zeros(n, dtype=bool)

    def forget(self, who: NDArray[np.bool_]) -> None:
        """Forget the past of those (N,): they begin anew."""
        self._known &= ~who

    def look(self, *, again: bool = False) -> Array:
        """Perceive the present, and return everything (N, WIDTH); zeros of who is not there.

        Args:
            again: whether no time has passed since the last look, but people or goals have been replaced.
        """
        b = self._batch
        cast_rays(
            0, len(b.scenes), b.offsets, b.position, b.heading, b.active,
            np.ascontiguousarray(b.traits[:, TRAIT["radius"]]), *b.walls, FAN, REACH, self._now,
        )  # fmt: skip
        if not again:
            self.seen[:, 1:] = self.seen[:, :-1]
        self.seen[:, 0] = self._now
        new = b.active & ~self._known
        self.seen[new] = self._now[new, None]
        self._known = b.active.copy()
        to = b.target - b.position
        far = np.maximum(np.hypot(to[:, 0], to[:, 1]), 1e-9)
        liked = b.traits[:, TRAIT["speed"]]
        inner = np.column_stack([
            in_body(to / far[:, None], b.heading), np.minimum(far, 6.0) / 3,
            in_body(b.velocity, b.heading) / 1.5, liked / 1.5,
        ])  # fmt: skip
        out = np.concatenate([inner, self.seen.reshape(len(to), -1)], axis=1)
        out[~b.active] = 0.0
        return out


def in_body(vectors: Array, heading: Array) -> Array:
    """Vectors (N, 2) over the ground in axes ahead and to the left of bodies."""
    c, s = np.cos(heading), np.sin(heading)
    return np.column_stack([vectors[:, 0] * c + vectors[:, 1] * s, vectors[:, 1] * c - vectors[:, 0] * s])


def over_ground(vectors: Array, heading: Array) -> Array:
    """The way back from `in_body`."""
    return in_body(vectors, -heading)


#: m/s^2, the most that a decision accelerates along each axis; speeds are at most this many times the liked one
MOST, FASTEST = 3.0, 1.3


def walked(batch: Batch, decisions: Array) -> Array:
    """Velocities (N, 2), m/s, after a step of accelerations (N, 2), -1 to 1 of the most, in bodies' axes."""
    change = over_ground(np.clip(decisions, -1, 1) * MOST * batch.dt, batch.heading)
    velocity = batch.velocity + change
    size = np.hypot(velocity[:, 0], velocity[:, 1])
    most = FASTEST * batch.traits[:, TRAIT["speed"]]
    return np.asarray(velocity * np.minimum(1.0, most / np.maximum(size, 1e-9))[:, None])
