"""World `crowd-nav`: a robot among five people who cross a circle by ORCA; CrowdNav's benchmark (`cases.py`).

    world = get_world("crowd-nav")
    world.make(256, task="reach", seed=7)
    scored(world, policy)                       # on the 500 published test cases

The robot is told a velocity every 0.25 s and has it at once. People do not see it (`robot.visible` 0), as in the
published table's first half, or do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.worlds.channel import ControlChannel
from simloop.worlds.compiled import loop_versions, source_hash
from simloop.worlds.crowd_nav.channels import ACTIONS, CHANNELS
from simloop.worlds.spreads import distributions, ranged, space
from simloop.worlds.world import World

if TYPE_CHECKING:
    from simloop.worlds.crowd_nav.environment import CrowdNavEnvironment
    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

TABLE = [
    ranged("robot.visible", 0, 0, 1, (0, 1), "", "whether people avoid the robot", kind="behaviour",
           choices=("no", "yes")),
    ranged("people.speed", 0.3, 1, 2, (0.6, 1.4), "m/s", "at which people like to walk", kind="behaviour"),
    ranged("people.radius", 0.15, 0.3, 0.6, (0.25, 0.4), "m", "of people", kind="behaviour"),
    ranged("people.horizon", 0.5, 5, 10, (2, 8), "s", "how far ahead people foresee meetings", kind="behaviour"),
    ranged("robot.radius", 0.15, 0.3, 0.6, (0.25, 0.35), "m", "of the robot"),
    ranged("robot.speed", 0.3, 1, 2, (0.8, 1.2), "m/s", "the robot's most", kind="dynamics"),
    ranged("circle.radius", 2.5, 4, 8, (3.5, 5), "m", "of the circle around which people begin"),
]  # fmt: skip
#: of parameters, what people's motion depends on, in the order of `motion.advance`
FORM = ("robot.visible", "people.speed", "people.radius", "people.horizon", "robot.radius")
#: cases in which it is told what happens
_TOLD = 4


class CrowdNav(World):
    """A robot among people who cross a circle."""

    def __init__(self) -> None:
        self.name = "crowd-nav"
        self.summary = "a robot among five people who cross a circle by ORCA (CrowdNav)"
        self.parameters = space(TABLE)
        self.channels, self.actions = CHANNELS, ACTIONS
        self.control_dt = 0.25
        self.replayed = False
        self.channel = ControlChannel([], self.parameters, ACTIONS, CHANNELS, self.control_dt)

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def versions(self) -> dict[str, str]:
        return loop_versions()

    def content(self) -> str:
        own = Path(__file__).parent
        return source_hash(own, own.parent / "crowd")

    def forms(self, rows: Array) -> Array:
        """What people's motion depends on (n, 5), of parameter rows (n, d)."""
        return np.ascontiguousarray(rows[:, [self.parameters.index(name) for name in FORM]])

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.crowd_nav.tasks import tasks

        return tasks(self.control_dt)

    def expert(self, task: str | Task | None = None) -> Expert:
        """ORCA, which takes people for others who do the same."""
        from simloop.worlds.crowd_nav.environment import orca_robot

        return orca_robot

    def environment(self) -> type[CrowdNavEnvironment]:
        from simloop.worlds.crowd_nav.environment import CrowdNavEnvironment

        return CrowdNavEnvironment

    def outcomes(self, rows: Array, *, seed: int = 0) -> Array:
        """Where the robot, steered by ORCA, and people are after 4 and 8 s of some episodes, (n, k) m."""
        rows = self.parameters.check(rows)
        many = np.repeat(rows, _TOLD, axis=0)
        environment = self.environment()(self, self.task(), len(many), seed=seed, autoreset="disabled")
        environment.reset(options={"parameters": many, "episodes": np.tile(np.arange(_TOLD), len(rows))})
        told = []
        for k in range(1, 33):
            environment._simulate(environment.by_orca()[:, None])
            if k % 16 == 0:
                told.append(environment.states.copy())
        return np.concatenate(told, axis=1).reshape(len(rows), -1)


@dataclass(frozen=True, eq=False)
class NavScore:
    """How a robot did, as CrowdNav's table has it.

    Attributes:
        reached, collided: (n,) the cases; those that are neither ran out of time.
        seconds: (n,) s, how long each took.
    """

    reached: NDArray[np.bool_]
    collided: NDArray[np.bool_]
    seconds: Array

    @property
    def success(self) -> float:
        return float(self.reached.mean())

    @property
    def collisions(self) -> float:
        return float(self.collided.mean())

    @property
    def time(self) -> float:
        """s, the mean of cases in which the goal was reached."""
        return float(self.seconds[self.reached].mean()) if self.reached.any() else float("nan")

    def to_dict(self) -> dict[str, Any]:
        return {"cases": len(self.reached), "success": self.success, "collisions": self.collisions, "time": self.time}


def scored(
    world: CrowdNav, policy: Callable[[Any], Any] | None, *, visible: bool = False, cases: int = 500
) -> NavScore:
    """Let a policy steer the robot through published test cases.

    Args:
        world: world `crowd-nav`.
        policy: observations (n, O) -> decisions (n, 2); None: ORCA.
        visible: whether people see the robot.
        cases: how many of the published ones.
    """
    from simloop.worlds.crowd_nav.cases import published_cases

    row = world.parameters.default.copy()
    row[world.parameters.index("robot.visible")] = visible
    environment = world.environment()(world, world.task(), cases, autoreset="disabled")
    seen, _ = environment.reset(options={"parameters": row[None], "state": published_cases(cases)})
    reached, collided = np.zeros(cases, dtype=bool), np.zeros(cases, dtype=bool)
    seconds = np.zeros(cases)
    for _ in range(environment.task.steps):
        decision = environment.by_orca() if policy is None else np.asarray(policy(seen))
        over = reached | collided
        environment._simulate(np.clip(decision, -1, 1)[:, None])
        values = environment._read_values()
        seen = environment._seen(values)
        collided |= ~over & (environment._gaps < 0)
        reached |= ~over & ~collided & environment.task.good(values)
        seconds += np.where(over, 0.0, world.control_dt)
        if (reached | collided).all():
            break
    return NavScore(reached, collided, seconds)
