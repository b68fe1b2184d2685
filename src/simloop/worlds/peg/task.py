"""Task `in`: swing the peg on its rope into the hole, without being told where the box stands.

    envs = get_world("peg").make(64, task="in", randomization="wide", seed=0)

A policy sees the joints' positions, and where the peg's middle is and how fast it moves. A decision is rewarded for the
peg being near the hole's bottom, more for how deep it is in the hole; less for commands far from where the joints are,
which strain the servos, and for a peg in haste, which bounces where it should feel its way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.drawer.panda import HOME, JOINTS
from simloop.worlds.peg.world import AXIS, BOX, DEPTH, PEG, WIDTH
from simloop.worlds.task import Task

#: columns of the world's channels
_JOINTS, _PEG, _HOLE, _SPEED = slice(0, 7), slice(7, 10), slice(10, 13), slice(20, 23)


#: m/s, from which on haste costs no more: a simulation about to diverge is not to outweigh all others
_FASTEST = 3.0


@dataclass(frozen=True, kw_only=True)
class PegIn(Task):
    """Put the peg into the hole.

    Attributes:
        deep: m, how far below the hole's mouth the peg's middle is good.
        reach: m, the distance between the peg and the hole's middle that is worth half of being there.
        start_spread: rad, standard deviation of where each joint starts.
        strain: what a mean square of 1 rad^2 between commands and joints costs.
        haste: what a square of 1 m^2/s^2 of the peg's speed costs.
    """

    deep: float = 0.02
    reach: float = 0.1
    start_spread: float = 0.01
    strain: float = 0.5
    haste: float = 0.1

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        joints = HOME + self.start_spread * rng.standard_normal(len(HOME))
        positions = np.array([*joints, *PEG, *BOX])
        return positions, np.zeros(len(positions))

    def observe(self, seen: Array) -> Array:
        return np.column_stack([seen[:, _JOINTS] - HOME, 5 * (seen[:, _PEG] - PEG), seen[:, _SPEED]])

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        middle = np.linalg.norm(values[:, _PEG] - values[:, _HOLE] + AXIS * DEPTH / 2, axis=1)
        near = 1 / (1 + (middle / self.reach) ** 2)
        inside = np.clip(self._depth(values) / (DEPTH / 2), 0, 1)
        strain = ((action + HOME - before[:, _JOINTS]) ** 2).mean(axis=1)
        haste = np.minimum((values[:, _SPEED] ** 2).sum(axis=1), _FASTEST**2)
        return np.asarray(near + 2 * inside - self.strain * strain - self.haste * haste)

    def good(self, values: Array) -> NDArray[np.bool_]:
        return self._depth(values) >= self.deep

    def _depth(self, values: Array) -> Array:
        """How far below the hole's mouth the peg's middle is, in m, (n,); -inf where it is beside the hole."""
        away = values[:, _PEG] - values[:, _HOLE]
        below = -away @ AXIS
        aside = np.linalg.norm(away + below[:, None] * AXIS, axis=1)
        return np.where((aside < WIDTH / 2) & (below < DEPTH), below, -np.inf)


def peg_in() -> PegIn:
    """The task `in`, with limits that reach every hole of the world's `wide` boxes."""
    return PegIn(
        name="in",
        summary="swing the peg on its rope into the hole",
        seconds=3.0,
        decision_dt=0.05,
        low=(-0.4, -0.1, 0.0, -0.2, 0.0, -0.4, 0.0),
        high=(0.4, 1.3, 0.0, 1.0, 0.0, 0.4, 0.0),
        observed=(*JOINTS, "peg", "peg.velocity"),
        hold=0.25,
        training={"ppo": {"steps": 500_000, "target_kl": 1.0, "last_rate": 1.0, "horizon": 32, "batch": 512}},
    )
