"""World `drawer`: a 7-joint arm (Franka Emika Panda, `panda.py`) that opens the drawer of a cabinet by its handle.

    world = get_world("drawer")
    actions = expert_actions(world, row)                    # (T, 8), inverse kinematics: `expert.py`
    world.simulate(row, Segments(start, actions[None], ...))

The parameters are those of SimOpt's drawer (Chebotar et al., ICRA 2019, Table IV: stiffness and damping of each joint,
of the gripper and of the drawer, scale of the actions, friction of the handle) and where the cabinet stands. Neither
the arm's sensors nor the drawer's tell that, so a policy does not know it beyond what it is trained on.

An action is where each joint's servo is to go, in rad from the home pose, and how far each finger is to be from the
middle, in m. Commands of places, not of speeds or steps: then the servo has no memory, so that open-loop replay of a
recording's actions is exact from wherever it starts, and a late or lost command does not shift all that follow.
SimOpt's action scale multiplies steps that a servo adds up; added up from the home pose this is the same as a factor on
the distance from it.

Recordings are replayed whole: what comes after a contact depends on all before it. Nothing can touch but the hand's
palm and its two fingers the handle, the drawer's front and the cabinet, which is solid; the handle is a bar whose posts
are for the eye only. Gravity is compensated in the arm, and borne by the drawer's rails.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.drawer.panda import (
    DAMPING,
    FINGER,
    GRIPPER_DAMPING,
    GRIPPER_STIFFNESS,
    HOME,
    JOINTS,
    SPEED,
    STIFFNESS,
    add_panda,
    add_servos,
    servo_bindings,
)
from simloop.worlds.physics import Binding, PhysicsWorld
from simloop.worlds.spreads import delay, distributions, place, positive, space

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

#: m: the middle of the closed drawer's handle, where nobody moved the cabinet; how far the drawer opens
HANDLE, LENGTH = (0.65, 0.0, 0.58), 0.3
#: m: half the handle's length, its radius, its distance from the drawer's front
BAR, RADIUS, CLEARANCE = 0.08, 0.01, 0.06
#: m: where the hand is in the home pose
HAND = (0.4451, 0.0, 0.6683)
#: rad, m: how much an excitation adds to an expert's commands, at most
_TREMOR = np.array([0.03] * 7 + [0.003])
#: s
TIME_STEP, CONTROL_DT = 0.005, 0.01


TABLE = [
    *(positive(f"{j}.stiffness", k, "N m/rad", "inertial", f"stiffness of the servo of {j}")
      for j, k in zip(JOINTS, STIFFNESS, strict=True)),
    *(positive(f"{j}.damping", d, "N m s/rad", "inertial", f"damping of the servo of {j}")
      for j, d in zip(JOINTS, DAMPING, strict=True)),
    *(positive(f"{j}.scale", 1.0, "", "gain", f"what the commands of {j} are multiplied with") for j in JOINTS),
    positive("gripper.stiffness", GRIPPER_STIFFNESS, "N/m", "inertial", "stiffness of the gripper's servo"),
    positive("gripper.damping", GRIPPER_DAMPING, "N s/m", "inertial", "damping of the gripper's servo"),
    positive("drawer.mass", 3.0, "kg", "inertial", "mass of the drawer"),
    positive("drawer.stiffness", 5.0, "N/m", "unpublished", "stiffness of the spring that closes the drawer"),
    positive("drawer.damping", 10.0, "N s/m", "viscous", "viscous friction of the drawer's rails"),
    positive("drawer.friction", 2.0, "N", "coulomb", "Coulomb friction of the drawer's rails"),
    positive("handle.friction", 0.8, "", "coulomb", "friction coefficient between handle and fingers"),
    place("cabinet.x", HANDLE[0], 0.35, 0.95, 0.05, 0.15, "the handle's distance ahead of the arm's base"),
    place("cabinet.y", HANDLE[1], -0.3, 0.3, 0.05, 0.15, "the handle's distance to the left of the arm's base"),
    place("cabinet.z", HANDLE[2], 0.4, 0.75, 0.02, 0.05, "the handle's height above the arm's base"),
    place("cabinet.yaw", 0.0, -0.5, 0.5, 0.1, 0.2, "turn of the cabinet about the vertical through its handle"),
    delay("command.delay", "time from a command to the servos"),
]  # fmt: skip


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = TIME_STEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.gravity = [0, 0, 0]
    option.impratio = 10  # else a held bar creeps through the fingers, millimetres a second
    option.iterations, option.ls_iterations = 10, 10  # Newton's method is there after one to eight
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    add_panda(spec)
    _add_cabinet(spec)
    add_servos(spec)
    for site in ("hand", "handle"):
        spec.add_sensor(
            name=site, type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site
        )
    return spec


def _add_cabinet(spec: mujoco.MjSpec) -> None:
    """A cabinet whose frame is at the closed drawer's handle; the drawer opens along -x of it."""
    import mujoco

    v = {row.parameter.name: row.parameter.default for row in TABLE}
    cabinet = spec.worldbody.add_body(name="cabinet", pos=HANDLE)
    depth = LENGTH / 2 + 0.03
    box = cabinet.add_geom(name="cabinet", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[CLEARANCE + 0.02 + depth, 0, -0.1],
                           size=[depth, 0.26, 0.25], rgba=[0.55, 0.4, 0.25, 1])  # fmt: skip
    drawer = cabinet.add_body(name="drawer", mass=v["drawer.mass"], inertia=[0.05] * 3, explicitinertial=True)
    slide = drawer.add_joint(name="drawer", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[-1, 0, 0], range=[0, LENGTH],
                             limited=1, frictionloss=v["drawer.friction"])  # fmt: skip
    slide.damping, slide.stiffness = [v["drawer.damping"], 0, 0], [v["drawer.stiffness"], 0, 0]
    drawer.add_site(name="handle")
    bar = drawer.add_geom(name="handle", type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, -BAR, 0, 0, BAR, 0],
                          size=[RADIUS, 0, 0], rgba=[0.8, 0.8, 0.8, 1])  # fmt: skip
    front = drawer.add_geom(name="front", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[CLEARANCE + 0.01, 0, 0],
                            size=[0.01, 0.25, 0.14], rgba=[0.7, 0.52, 0.33, 1])  # fmt: skip
    for geom in (bar, front, box):
        geom.contype, geom.conaffinity = 1, 0
        geom.solref, geom.solimp[:3] = [2 * TIME_STEP, 1], [0.98, 0.995, 0.001]
    bar.priority = 1  # the friction is the handle's alone
    bar.friction[0] = v["handle.friction"]
    for side in (-1, 1):
        drawer.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, side * BAR, 0, CLEARANCE, side * BAR, 0],
                        size=[0.007, 0, 0], contype=0, conaffinity=0, group=1, rgba=[0.8, 0.8, 0.8, 1])  # fmt: skip


class Drawer(PhysicsWorld):
    """The arm and the cabinet."""

    whole = True
    horizons = (4.0,)
    tolerances = MappingProxyType(
        {**dict.fromkeys(JOINTS, 0.02), **dict.fromkeys([f"{j}.velocity" for j in JOINTS], 0.2),
         "gripper": 0.01, "gripper.velocity": 0.1, "drawer": 0.01, "drawer.velocity": 0.1}
    )  # fmt: skip
    machine_limits = MappingProxyType({f"{j}.velocity": s for j, s in zip(JOINTS, SPEED, strict=True)})

    def __init__(self) -> None:
        of_channel = {**{j: j for j in JOINTS}, "gripper": "left", "drawer": "drawer"}
        super().__init__(
            name="drawer",
            summary="7-joint arm (Franka Emika Panda) that opens a cabinet's drawer",
            build=_build,
            parameters=space(TABLE),
            bindings=[
                *(b for j in (*JOINTS, "gripper") for b in servo_bindings(j)),
                Binding("drawer.mass", "body_mass", "drawer"),
                Binding("drawer.stiffness", "jnt_stiffness", "drawer"),
                Binding("drawer.damping", "dof_damping", "drawer"),
                Binding("drawer.friction", "dof_frictionloss", "drawer"),
                Binding("handle.friction", "geom_friction", "handle", 0),
                *(Binding(f"cabinet.{axis}", "body_pos", "cabinet", k) for k, axis in enumerate("xyz")),
                # the engine scales quaternions to length 1: (1, 0, 0, yaw / 2) turns by 2 arctan(yaw / 2), which is the
                # yaw to a thousandth of a radian up to 0.2 and to a hundredth up to 0.5
                Binding("cabinet.yaw", "body_quat", "cabinet", 3, factor=0.5),
            ],
            effects=[
                *(Effect(f"{j}.scale", j, "gain") for j in JOINTS),
                *(Effect("command.delay", j, "delay") for j in (*JOINTS, "gripper")),
            ],
            channels=[
                *((Channel(c, _unit(c)), f"joint.{j}.position") for c, j in of_channel.items()),
                (Channel("hand", "m", "point"), "sensor.hand"),
                (Channel("handle", "m", "point"), "sensor.handle"),
                *((Channel(f"{c}.velocity", f"{_unit(c)}/s", rate_of=c), f"joint.{j}.velocity")
                  for c, j in of_channel.items()),
            ],
            actions=[Channel(a, _unit(a)) for a in (*JOINTS, "gripper")],
            control_dt=CONTROL_DT,
        )  # fmt: skip

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.drawer.task import drawer_open

        task = drawer_open()
        return {task.name: task}

    def expert(self, task: str | Task | None = None) -> Expert:
        from simloop.worlds.drawer.expert import DrawerExpert
        from simloop.worlds.drawer.task import DrawerOpen

        doing = self.task(task)
        return DrawerExpert(doing) if isinstance(doing, DrawerOpen) else super().expert(doing)

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def state(self, positions: Array, rates: Array) -> Array:
        """Return states (..., 20): the fingers are alike; where hand and handle are follows from the parameters."""
        joints = [0, 1, 2, 3, 4, 5, 6, 7, 7, 8]
        return np.concatenate([positions[..., joints], rates[..., joints]], axis=-1)

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Stand-ins start at rest in the home pose with open fingers, in front of the closed drawer."""
        at_home = np.array([*HOME, FINGER, 0.0, *HAND, *HANDLE])
        return np.tile(at_home, (count, 1)), np.zeros((count, len(at_home)))

    def excitation(self, seconds: float, rng: np.random.Generator) -> Array:
        """Stand-ins are driven by an expert who knows about where the cabinet stands by default, and who trembles.

        Multisines would hardly ever meet the handle, and no recording without contact tells of the drawer.
        """
        from simloop.worlds.drawer.expert import expert_actions

        names = [f"cabinet.{c}" for c in ("x", "y", "z", "yaw")]
        believed = {n: p.default + 0.2 * p.spread * rng.standard_normal() for n in names for p in [self.parameters[n]]}
        actions = expert_actions(self, self.parameters.row(believed), seconds=seconds)
        return actions + _TREMOR * super().excitation(seconds, rng)


def _unit(joint: str) -> str:
    """The unit of a joint's position."""
    return "rad" if joint in JOINTS else "m"
