"""Task `open`: pull the drawer open by its handle, without being told where the cabinet stands.

    envs = get_world("drawer").make(64, task="open", randomization="wide", seed=0)

A policy sees the joints' positions, the gripper's and how far the drawer is open. A decision is rewarded for the hand
being near the handle, for fingers closed around it, and most for how far the drawer is open, however that came; less
for commands far from where the joints are, which strain the servos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.drawer.panda import FINGER, HOME, JOINTS
from simloop.worlds.drawer.world import HAND, HANDLE, LENGTH
from simloop.worlds.task import Task

#: columns of the world's channels
_JOINTS, _GRIPPER, _DRAWER, _HAND, _HANDLE = slice(0, 7), 7, 8, slice(9, 12), slice(12, 15)


@dataclass(frozen=True, kw_only=True)
class DrawerOpen(Task):
    """Open the drawer far enough.

    Attributes:
        far: m, how far open is good.
        reach: m, the distance between hand and handle that is worth half of being there.
        around: m, how far the handle may be from between the fingers that closing them is worth something.
        start_spread: rad, standard deviation of where each joint starts.
        strain: what a mean square of 1 rad^2 between commands and joints costs.
    """

    far: float = 0.2
    reach: float = 0.1
    around: float = 0.02
    start_spread: float = 0.01
    strain: float = 0.5

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        joints = HOME + self.start_spread * rng.standard_normal(len(HOME))
        positions = np.array([*joints, FINGER, 0.0, *HAND, *HANDLE])
        return positions, np.zeros(len(positions))

    def observe(self, seen: Array) -> Array:
        return np.column_stack(
            [seen[:, _JOINTS] - HOME, seen[:, _GRIPPER] / FINGER * 2 - 1, seen[:, _DRAWER] / LENGTH * 2 - 1]
        )

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        away = np.linalg.norm(values[:, _HAND] - values[:, _HANDLE], axis=1)
        near, around = 1 / (1 + (away / self.reach) ** 2), np.exp(-((away / self.around) ** 2))
        closed = 1 - np.clip(values[:, _GRIPPER] / FINGER, 0, 1)
        opened = np.clip(values[:, _DRAWER] / self.far, 0, 1.25)
        strain = ((action[:, _JOINTS] + HOME - before[:, _JOINTS]) ** 2).mean(axis=1)
        return np.asarray(0.5 * near + 0.5 * around * closed + 4 * opened - self.strain * strain)

    def good(self, values: Array) -> NDArray[np.bool_]:
        return np.asarray(values[:, _DRAWER] >= self.far)


def drawer_open() -> DrawerOpen:
    """The task `open`, with limits that reach every handle of the world's `wide` cabinets."""
    return DrawerOpen(
        name="open",
        summary="pull the drawer open by its handle",
        seconds=4.0,
        decision_dt=0.05,
        low=(-1.2, -0.9, -1.2, -0.7, -1.2, -0.6, -1.3, 0.0),
        high=(1.2, 1.3, 1.2, 1.1, 1.2, 0.6, 1.3, FINGER),
        observed=(*JOINTS, "gripper", "drawer"),
        rest=(*(0.0,) * len(JOINTS), FINGER),
        # updates that go far: a policy that goes on in a world that was moved has to change much
        training={"ppo": {"steps": 800_000, "target_kl": 1.0, "last_rate": 1.0}},
    )
