"""An expert for the peg: inverse kinematics, for someone who knows where the box stands and how long the rope is.

    actions = expert_actions(world, row)                # (T, 7), one row for each control step of 3 s

The hand carries the peg over the mouth of the hole, slowly enough that it hardly swings, and lowers it along the hole's
axis, so that it slides in. Places become angles of the joints that the task moves; commands lead by the servos' lag and
are divided by the row's scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drawer.expert import Kinematics, smooth
from simloop.worlds.drawer.panda import HOME, JOINTS
from simloop.worlds.peg.rope import ROPE
from simloop.worlds.peg.world import AXIS, Peg

if TYPE_CHECKING:
    from simloop.worlds.environment import Environment
    from simloop.worlds.task import Task

#: the joints that the expert moves
MOVED = (0, 1, 3, 5)
#: m: how high above where the hole begins the peg's middle waits; how deep it is put; by how much the rope is slack
ABOVE, DEEPER, SLACK = 0.08, 0.07, 0.02
#: s: when the peg is above the hole, when it begins to be lowered, when it is in
TIMES = (1.2, 1.5, 2.4)


def expert_actions(world: Peg, row: Array, *, seconds: float = 3.0) -> Array:
    """Return actions (T, 7) that put the peg in under parameters `row` (d,), one for each control step of `seconds`.

    The first is held at t = 0. Of the row, where the box stands, the rope's length, scales and lags are used.
    """
    named = dict(zip(world.parameters.names, row, strict=True))
    time = np.arange(round(seconds / world.control_dt) + 1) * world.control_dt
    lag = np.array([named[f"{j}.damping"] / named[f"{j}.stiffness"] for j in JOINTS])
    knots, angles = _path(world, named)
    ahead = time[:, None] + lag
    targets = np.column_stack([np.interp(ahead[:, j], knots, angles[:, j]) for j in range(len(JOINTS))])
    return np.asarray((targets - HOME) / np.array([named[f"{j}.scale"] for j in JOINTS]))


def _path(world: Peg, named: dict[str, float]) -> tuple[Array, Array]:
    """The joints' path: times (K,), angles (K, 7)."""
    arm = Kinematics(world.model, MOVED)
    up = np.array([0.0, 0.0, 1.0])
    hole = np.array([named[f"box.{axis}"] for axis in "xyz"])
    hang = (named["rope.length"] + ROPE.middle) * up
    waits, ends = hole + ABOVE * up + hang, hole - DEEPER * AXIS + hang - SLACK * up
    q = np.array(HOME)
    above = arm.solve(q, waits, None, 100)
    knots = [t * TIMES[0] for t in np.linspace(0, 1, 14)]
    angles = [q + smooth(t) * (above - q) for t in np.linspace(0, 1, 14)]
    q = above
    for t in np.linspace(0, 1, 14):
        q = arm.solve(q, waits + smooth(t) * (ends - waits), None, 20)
        knots.append(TIMES[1] + t * (TIMES[2] - TIMES[1]))
        angles.append(q)
    return np.array(knots), np.array(angles)


class PegExpert:
    """Does in each episode what `expert_actions` says of its parameters, one decision after the other."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._plans: list[tuple[bytes, Array]] = []

    def __call__(self, environment: Environment, /) -> Array:
        world = environment.world
        assert isinstance(world, Peg)
        rows = environment.parameters[:, : len(world.parameters)]
        if len(self._plans) != len(rows):
            self._plans = [(b"", np.zeros((0, 0)))] * len(rows)
        each, at = round(self._task.decision_dt / world.control_dt), environment.decisions
        out = np.empty((len(rows), len(world.actions)))
        for i, row in enumerate(rows):
            key = row.tobytes()
            if self._plans[i][0] != key:  # the search takes a while
                self._plans[i] = key, expert_actions(world, row, seconds=self._task.seconds)
            plan = self._plans[i][1]
            out[i] = plan[min(at[i] * each, len(plan) - 1)]
        low, high = np.array(self._task.low), np.array(self._task.high)
        return np.asarray(np.clip(out, low, high)[:, self._task.active])
