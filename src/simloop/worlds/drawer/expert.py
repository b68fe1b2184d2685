"""An expert for the drawer: inverse kinematics, for someone who knows where the cabinet stands.

    actions = expert_actions(world, row)                # (T, 8), one row for each control step of 4 s
    world.simulate(row[None], Segments(world.state(*world.starts(1, rng)), actions[None], zero, zero, len(actions) - 1))

The hand goes to a place in front of the handle, then straight over it; the fingers close; the hand pulls straight
back, in the direction that the drawer opens. Places become joint angles by damped least squares on the arm's own
kinematics (Nakamura and Hanafusa 1986), the free direction drawn towards where the search began. The commands lead by
the servos' lag, damping / stiffness, of the row, and are divided by the row's scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drawer.panda import DAMPING, FINGER, HIGHEST, HOME, JOINTS, LOWEST, TORQUE
from simloop.worlds.drawer.world import Drawer

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.environment import Environment
    from simloop.worlds.task import Task

#: rad, how far down the hand points, as in the home pose
PITCH = np.pi / 6
#: m: how far before the handle the hand waits, how much nearer than the fingertips' middle it grips, how far it pulls
BEFORE, DEEPER, PULL = 0.08, 0.01, 0.26
#: s: when the hand is before the handle, at the handle, when the fingers are closed, and the drawer open
TIMES = (1.2, 1.6, 2.1, 3.7)
#: the weights of an error of the hand's direction against one of its place, m/rad; damping; pull towards where it began
_TURN, _DAMPING, _NEAR = 0.1, 2e-4, 0.1
#: how readily each joint is moved: the root of how fast its servo can go, greatest torque / damping
_EASE = np.sqrt(np.divide(TORQUE, DAMPING))
#: rad, kept from the joints' limits; the farthest that one step of the search goes
_MARGIN, _STEP = 0.02, 0.3


def expert_actions(world: Drawer, row: Array, *, seconds: float = 4.0) -> Array:
    """Return actions (T, 8) that open the drawer under parameters `row` (d,), one for each control step of `seconds`.

    The first is held at t = 0. Of the row, where the cabinet stands, the scales, and the servos' lags are used.
    """
    named = dict(zip(world.parameters.names, row, strict=True))
    time = np.arange(round(seconds / world.control_dt) + 1) * world.control_dt
    lag = np.array([named[f"{j}.damping"] / named[f"{j}.stiffness"] for j in JOINTS])
    knots, angles = _path(Kinematics(world.model), named)
    ahead = time[:, None] + lag
    targets = np.column_stack([np.interp(ahead[:, j], knots, angles[:, j]) for j in range(len(JOINTS))])
    scales = np.array([named[f"{j}.scale"] for j in JOINTS])
    fingers = np.where(time < TIMES[1], FINGER, 0.0)
    return np.column_stack([(targets - HOME) / scales, fingers])


class DrawerExpert:
    """Does in each episode what `expert_actions` says of its parameters, one decision after the other."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._plans: list[tuple[bytes, Array]] = []

    def __call__(self, environment: Environment, /) -> Array:
        world = environment.world
        assert isinstance(world, Drawer)
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


def _path(arm: Kinematics, named: dict[str, float]) -> tuple[Array, Array]:
    """The joints' path: times (K,), angles (K, 7). Before the handle it is straight in angles, then in space."""
    cos, sin = np.cos(named["cabinet.yaw"]), np.sin(named["cabinet.yaw"])
    into = np.array([cos, sin, 0.0])  # into the cabinet
    ahead = into * np.cos(PITCH) - [0, 0, np.sin(PITCH)]
    handle = np.array([named[f"cabinet.{axis}"] for axis in "xyz"]) + DEEPER * ahead
    closing = into * np.sin(PITCH) + [0, 0, np.cos(PITCH)]
    pose = np.column_stack([np.cross(closing, ahead), closing, ahead])
    start, before = np.array(HOME), arm.solve(np.array(HOME), handle - BEFORE * ahead, pose, 200)
    knots, angles = [], []
    for t in np.linspace(0.0, 1.0, 14):
        knots.append(t * TIMES[0])
        angles.append(start + smooth(t) * (before - start))
    q = before
    for begin, end, goal in ((TIMES[0], TIMES[1], handle), (TIMES[2], TIMES[3], handle - PULL * into)):
        origin = handle - BEFORE * ahead if begin == TIMES[0] else handle
        for t in np.linspace(0.0, 1.0, 14)[1:]:
            q = arm.solve(q, origin + smooth(t) * (goal - origin), pose, 20)
            knots.append(begin + t * (end - begin))
            angles.append(q)
        knots.append(TIMES[2])
        angles.append(q)
    return np.array(knots[:-1]), np.array(angles[:-1])


def smooth(t: float) -> float:
    """From 0 to 1 with no speed at the ends."""
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Kinematics:
    """Where the hand is, and which joint angles bring it somewhere.

    Attributes:
        model: the arm's, whose joints come first.
        moved: the joints that may move.
    """

    model: mujoco.MjModel
    moved: tuple[int, ...] = tuple(range(7))

    def solve(self, angles: Array, place: Array, pose: Array | None, steps: int) -> Array:
        """Return angles (7,) near `angles` that bring the hand to `place` (3,), m, turned as `pose` (3, 3), or anyhow.

        Where a joint may not move, the others do what they can.
        """
        import mujoco

        data, site = mujoco.MjData(self.model), self.model.site("hand").id
        by_place, by_turn = np.zeros((3, self.model.nv)), np.zeros((3, self.model.nv))
        moved, q = list(self.moved), angles.copy()
        ease = _EASE[moved]
        low, high = np.add(LOWEST, _MARGIN)[moved], np.subtract(HIGHEST, _MARGIN)[moved]
        for _ in range(steps):
            data.qpos[:7] = q
            mujoco.mj_kinematics(self.model, data)
            mujoco.mj_comPos(self.model, data)
            mujoco.mj_jacSite(self.model, data, by_place, by_turn, site)
            error, jacobian = place - data.site_xpos[site], by_place[:, moved]
            if pose is not None:
                turn = np.cross(data.site_xmat[site].reshape(3, 3), pose, axis=0).sum(axis=1) / 2
                error = np.concatenate([error, _TURN * turn])
                jacobian = np.concatenate([jacobian, _TURN * by_turn[:, moved]])
            eased = ease * jacobian
            inverse = eased.T @ np.linalg.inv(eased @ jacobian.T + _DAMPING * np.eye(len(error)))
            step = inverse @ error + (np.eye(len(moved)) - inverse @ jacobian) @ (_NEAR * (angles - q)[moved])
            q[moved] = np.clip(q[moved] + np.clip(step, -_STEP, _STEP), low, high)
        return np.asarray(q)
