"""Task `swing-up` of the pendulums: from hanging to standing upright, and to stay there; `balance`: to stay there.

    get_world("double-pendulum").make(64, task="swing-up")            # both motors
    get_world("double-pendulum").make(64, task="swing-up-pendubot")   # the shoulder's motor alone
    get_world("double-pendulum").make(64, task="swing-up-acrobot")    # the elbow's motor alone

A policy sees the sine and cosine of each joint's angle and its velocity. The reward of a decision is how upright the
links are (0 hanging, 1 upright), less a little for speed and effort where they are upright, so that to stand still is
worth most; it is never below zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.task import Task


@dataclass(frozen=True, kw_only=True)
class SwingUp(Task):
    """Bring pendulum links from hanging to upright and keep them there.

    The world's channels are joint angles (rad, 0 hangs down) and then their velocities, in the same order.

    Attributes:
        links: for each pendulum link the joints (columns) whose angles add up to its angle from hanging down.
        level: a joint (column) that is to stay near 0, as a Furuta pendulum's arm; None: there is none.
        level_limit: rad, where an episode ends because of it.
        from_upright: whether an episode starts upright (`balance`).
        start_spread: rad and rad/s, standard deviation of where an episode starts.
        speed: rad/s, joint speeds that make standing half as good.
        near, slow: rad and rad/s, how near to upright and how slow is good.
        speed_limit: rad/s, joint speed at which an episode ends: the machine would be stopped.
    """

    links: tuple[tuple[int, ...], ...]
    level: int | None = None
    level_limit: float = np.inf
    from_upright: bool = False
    start_spread: tuple[float, float] = (0.05, 0.05)
    speed: float = 6.0
    near: float = 0.3
    slow: float = 1.0
    speed_limit: float = 25.0

    @cached_property
    def joints(self) -> int:
        """How many joints there are."""
        return 1 + max(j for link in self.links for j in link)

    @cached_property
    def _motors(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.active)

    @cached_property
    def _strongest(self) -> Array:
        return np.array(self.high)[self.active]

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        angles, rates = rng.standard_normal((2, self.joints)) * np.array(self.start_spread)[:, None]
        if self.from_upright:
            angles[self.links[0][-1]] += np.pi
        return angles, rates

    def observe(self, seen: Array) -> Array:
        angle, rate = seen[:, : self.joints], seen[:, self.joints : 2 * self.joints]
        return np.concatenate([np.sin(angle), np.cos(angle), rate / self.speed], axis=1)

    def _upright(self, values: Array) -> Array:
        """Cosine of each link's angle from upright, (n, links)."""
        angles = np.empty((len(values), len(self.links)))
        for k, (first, *others) in enumerate(self.links):
            angles[:, k] = values[:, first]
            for j in others:
                angles[:, k] += values[:, j]
        return -np.cos(angles)

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        high = (1 + self._upright(values)).mean(axis=1) / 2
        rate = values[:, self.joints : 2 * self.joints] / self.speed
        effort = (action[:, self._motors] / self._strongest) ** 2
        still = 1 / (1 + (rate**2).sum(axis=1)) * (1 - 0.1 * effort.mean(axis=1))
        centred = 1.0 if self.level is None else np.cos(np.clip(values[:, self.level], -np.pi / 2, np.pi / 2))
        return np.asarray((0.2 * high + 0.8 * high**4 * still) * centred)

    def good(self, values: Array) -> NDArray[np.bool_]:
        near = (self._upright(values) > np.cos(self.near)).all(axis=1)
        slow = (np.abs(values[:, self.joints : 2 * self.joints]) < self.slow).all(axis=1)
        return np.asarray(near & slow)

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        over = (np.abs(values[:, self.joints : 2 * self.joints]) > self.speed_limit).any(axis=1)
        if self.level is not None:
            over |= np.abs(values[:, self.level]) > self.level_limit
        return np.asarray(over)


def double_pendulum_tasks() -> Mapping[str, Task]:
    """Swing-up and balance with both motors, with the shoulder's alone (pendubot) and the elbow's alone (acrobot)."""
    from dataclasses import replace

    limit = 6.0  # N m: as much as the real machine was commanded in its recorded swing-ups
    full = SwingUp(
        name="swing-up",
        summary="swing both links up and keep them upright, both motors",
        seconds=6.0,
        decision_dt=0.02,
        low=(-limit, -limit),
        high=(limit, limit),
        observed=("joint1", "joint2", "joint1.velocity", "joint2.velocity"),
        hold=1.0,
        sensing={
            "noise.joint1": (0.0005, 0.005),
            "noise.joint2": (0.0005, 0.005),
            "start.joint1.velocity": (0.001, 0.1),
        },
        links=((0,), (0, 1)),
        speed=6.0,
    )
    found: dict[str, Task] = {}
    for suffix, motors, summary in (
        ("", (1, 1), "both motors"),
        ("-pendubot", (1, 0), "the shoulder's motor alone"),
        ("-acrobot", (0, 1), "the elbow's motor alone"),
    ):
        high = tuple(limit * m for m in motors)
        low = tuple(-h for h in high)
        for kind, upright in (("swing-up", False), ("balance", True)):
            what = "keep both links upright" if upright else "swing both links up and keep them upright"
            steps = 500_000 if upright else 1_500_000 if not suffix else 3_000_000
            found[kind + suffix] = replace(
                full, name=kind + suffix, summary=f"{what}, {summary}", low=low, high=high, from_upright=upright,
                training={"ppo": {"steps": steps}, "dagger": {"steps": 150_000}, "distill": {"steps": 150_000}},
            )  # fmt: skip
    return found
