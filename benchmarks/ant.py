"""Gymnasium's ant as a world: its own MJCF, read from the installed package, with parameters, a task and a channel.

    get_world("ant") does not know it; Ant().make(1024, randomization="wide") does.

Integrator (RK4), time step (0.01 s), five of them in a decision, limits and start are those of Gymnasium's `Ant-v5`.
Its observation is what that has without contact forces: height, rotation, joints' angles (13) and all velocities (14).
Its reward is that of `Ant-v5` (forward speed + 1 where healthy - half the square of the action) but for the cost of
contacts; the speed is that of the torso at the end of the decision, where Gymnasium's is one time step late. An episode
ends where the torso is below 0.2 or above 1 m, and after 1000 decisions. Islands are not looked for, as there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.physics import Binding, PhysicsWorld
from simloop.worlds.spreads import delay, distributions, positive, space
from simloop.worlds.task import Task

if TYPE_CHECKING:
    import mujoco

JOINTS = tuple(f"{part}_{k}" for k in (1, 2, 3, 4) for part in ("hip", "ankle"))
#: as Gymnasium's MJCF orders its actuators
MOTORS = tuple(f"{part}_{k}" for k in (4, 1, 2, 3) for part in ("hip", "ankle"))
GEOMS = ("floor", "left_ankle_geom", "right_ankle_geom", "third_ankle_geom", "fourth_ankle_geom")

TABLE = [
    positive("torso.mass", 1.0, "", "inertial", "factor of the torso's mass and inertia"),
    positive("friction.sliding", 1.0, "", "coulomb", "friction coefficient of floor and feet"),
    positive("joint.damping", 1.0, "N m s/rad", "viscous", "viscous friction of every joint"),
    positive("joint.armature", 1.0, "kg m^2", "inertial", "rotor inertia felt at every joint"),
    positive("motor.gain", 1.0, "", "gain", "factor of every torque"),
    delay("motor.delay", "time from command to torque"),
]

CHANNELS = (
    (Channel("position", "m", "point"), "joint.root.position"),
    (Channel("rotation", "", "quaternion"), "joint.root.position:rotation"),
    *((Channel(j, "rad"), f"joint.{j}.position") for j in JOINTS),
    (Channel("velocity", "m/s", "point", rate_of="position"), "joint.root.velocity"),
    (Channel("spin", "rad/s", "spin", rate_of="rotation"), "joint.root.velocity:rotation"),
    *((Channel(f"{j}.velocity", "rad/s", rate_of=j), f"joint.{j}.velocity") for j in JOINTS),
)


@dataclass(frozen=True, kw_only=True)
class Run(Task):
    """Run ahead, along x.

    Attributes:
        healthy: m, heights between which the torso is to be.
        noise: how far from at rest an episode starts: positions uniform, rates normal.
    """

    healthy: tuple[float, float] = (0.2, 1.0)
    noise: float = 0.1

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        positions = np.array([0, 0, 0.75, 1, 0, 0, 0, *np.zeros(8)]) + rng.uniform(-self.noise, self.noise, 15)
        positions[3:7] /= np.linalg.norm(positions[3:7])
        return positions, self.noise * rng.standard_normal(14)

    def observe(self, seen: Array) -> Array:
        return seen[:, 2:]

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        forward = (values[:, 0] - before[:, 0]) / self.decision_dt
        return np.asarray(forward + self.good(values) - 0.5 * (action**2).sum(axis=1))

    def good(self, values: Array) -> NDArray[np.bool_]:
        return np.asarray((values[:, 2] >= self.healthy[0]) & (values[:, 2] <= self.healthy[1]))

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        return ~self.good(values)


class Ant(PhysicsWorld):
    """The ant."""

    def __init__(self) -> None:
        super().__init__(
            name="ant",
            summary="Gymnasium's ant",
            build=_build,
            parameters=space(TABLE),
            bindings=[
                Binding("torso.mass", "body_mass", "torso", mode="times"),
                Binding("torso.mass", "body_inertia", "torso", mode="times"),
                *(Binding("friction.sliding", "geom_friction", geom, 0) for geom in GEOMS),
                *(Binding(f"joint.{what}", f"dof_{what}", j) for what in ("damping", "armature") for j in JOINTS),
            ],
            effects=[Effect(f"motor.{what}", m, what) for what in ("gain", "delay") for m in MOTORS],
            channels=CHANNELS,
            actions=[Channel(m, "") for m in MOTORS],
            control_dt=0.01,
        )

    def tasks(self) -> Mapping[str, Task]:
        ones = (1.0,) * len(MOTORS)
        return {
            "run": Run(
                name="run", summary="run ahead", seconds=50.0, decision_dt=0.05, low=tuple(-x for x in ones),
                high=ones, observed=tuple(c.name for c, _ in CHANNELS),
            )
        }  # fmt: skip

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}


def agree(decisions: int = 20) -> float:
    """Return the largest difference from Gymnasium's own `Ant-v5`, of observations over some decisions."""
    peer = gym.make("Ant-v5", include_cfrc_ext_in_observation=False).unwrapped
    batch = Ant().make(1, autoreset="disabled")
    batch.reset(seed=0)
    peer.reset(seed=0)
    state = np.concatenate([batch.batch.bind("qpos")[0], batch.batch.bind("qvel")[0]])
    peer.set_state(state[:15], state[15:])  # type: ignore[attr-defined]
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(decisions):
        action = rng.uniform(-1, 1, len(MOTORS)).astype(np.float32)
        seen, *_ = peer.step(action)
        batch_seen, *_ = batch.step(action[None])
        worst = max(worst, float(np.abs(seen - batch_seen[0]).max()))
    return worst


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = mujoco.MjSpec.from_file(str(Path(gym.__file__).parent / "envs" / "mujoco" / "assets" / "ant.xml"))
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    return spec
