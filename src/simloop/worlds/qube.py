"""World `qube`: a Quanser Qube, a pendulum on a motor-driven arm (Furuta pendulum).

The arm turns about +z and the pole about the arm's own axis; angle 0 of the pole hangs down. The action is the motor's
voltage. Its torque is (km / R) (V - km w), so the motor acts as a torque of km / R for each volt and as damping of
km^2 / R; the damping of the arm is this and the bearing's together, which no recording can tell apart.

Defaults are the published constants of the machine (SimuRLacra, `quanser_qube.py`, after Quanser's manual): R 8.4 ohm,
km 0.042 V s/rad, arm 0.095 kg and 0.085 m, pole 0.024 kg and 0.129 m, damping 5e-6 and 1e-6 N m s/rad; both are
rods, whose inertia is m l^2 / 12. What is not published starts near zero: Coulomb friction, the cable that follows the
arm (a spring that stiffens as it is wound up, whose rest angle is a bias of the voltage), the tilt of the base, the
delay of the voltage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from simloop.columns import Column, ColumnMap
from simloop.distributions import Distribution
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.physics import Binding, PhysicsWorld, free_joints_spec, show_from, show_stick
from simloop.worlds.spreads import around, delay, distributions, positive, space
from simloop.worlds.world import Mirror

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

RESISTANCE, MOTOR_CONSTANT = 8.4, 0.042  # ohm, V s/rad
ARM_MASS, ARM_LENGTH, ARM_DAMPING = 0.095, 0.085, 5e-6  # kg, m, N m s/rad
POLE_MASS, POLE_LENGTH, POLE_DAMPING = 0.024, 0.129, 1e-6

TABLE = [
    positive("arm.inertia", ARM_MASS * ARM_LENGTH**2 / 12, "kg m^2", "inertial",
             "inertia of arm and rotor about the motor's axis"),
    positive("arm.length", ARM_LENGTH, "m", "length", "distance of the pole's joint from the motor's axis"),
    positive("pole.mass", POLE_MASS, "kg", "inertial", "mass of the pole"),
    positive("pole.com", POLE_LENGTH / 2, "m", "inertial", "distance of the pole's centre of mass from its joint"),
    positive("pole.inertia", POLE_MASS * POLE_LENGTH**2 / 12, "kg m^2", "inertial",
             "inertia of the pole about its centre of mass"),
    positive("arm.damping", ARM_DAMPING + MOTOR_CONSTANT**2 / RESISTANCE, "N m s/rad", "viscous",
             "viscous friction of the arm, and back-EMF"),
    positive("arm.friction", 1e-4, "N m", "unpublished", "Coulomb friction of the arm"),
    positive("arm.stiffness", 1e-4, "N m/rad", "unpublished", "stiffness of the cable that follows the arm"),
    positive("arm.stiffening", 1e-4, "N m/rad^3", "unpublished",
             "torque of the cable that grows with the cube of the arm's angle"),
    positive("pole.damping", POLE_DAMPING, "N m s/rad", "viscous", "viscous friction of the pole's joint"),
    positive("pole.friction", 1e-5, "N m", "unpublished", "Coulomb friction of the pole's joint"),
    positive("motor.torque", MOTOR_CONSTANT / RESISTANCE, "N m/V", "gain", "torque of the motor for each volt"),
    around("motor.bias", 0.0, 0.1, "V", "voltage that the motor acts as if it got when it gets none"),
    around("base.tilt_x", 0.0, 0.1, "m/s^2", "part of gravity along the arm at its angle 0"),
    around("base.tilt_y", 0.0, 0.1, "m/s^2", "part of gravity across the arm at its angle 0"),
    delay("motor.delay", "time from voltage to torque"),
]  # fmt: skip


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = free_joints_spec()
    v = {row.parameter.name: row.parameter.default for row in TABLE}
    arm = spec.worldbody.add_body(name="arm", mass=ARM_MASS, inertia=[v["arm.inertia"]] * 3, explicitinertial=True)
    pole = arm.add_body(
        name="pole",
        pos=[v["arm.length"], 0, 0],
        mass=v["pole.mass"],
        ipos=[0, 0, -v["pole.com"]],
        inertia=[v["pole.inertia"], v["pole.inertia"], 1e-7],
        explicitinertial=True,
    )
    for body, axis in ((arm, [0, 0, 1]), (pole, [1, 0, 0])):
        joint = body.add_joint(
            name=body.name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, frictionloss=v[f"{body.name}.friction"]
        )
        joint.damping[0] = v[f"{body.name}.damping"]
        joint.solref_friction = [0.004, 1]
    spec.joint("arm").stiffness = [v["arm.stiffness"], 0, v["arm.stiffening"]]
    motor = spec.add_actuator(name="motor", target="arm", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.gainprm[0] = v["motor.torque"]
    return spec


class Qube(PhysicsWorld):
    """The Quanser Qube."""

    log_columns = ColumnMap(
        channels={"arm": Column("states.0", "rad"), "pole": Column("states.1", "rad")},
        actions={"motor": Column("actions_applied.0", "V")},
    )
    mirror = Mirror(channels=("arm", "pole"), actions=("motor",), parameters=("base.tilt_y", "motor.bias"))

    def __init__(self) -> None:
        super().__init__(
            name="qube",
            summary="Quanser Qube, a pendulum on a motor-driven arm (Furuta pendulum)",
            build=_build,
            parameters=space(TABLE),
            bindings=[
                Binding("arm.inertia", "body_inertia", "arm"),
                Binding("arm.length", "body_pos", "pole", 0),
                Binding("pole.mass", "body_mass", "pole"),
                Binding("pole.com", "body_ipos", "pole", 2, factor=-1.0),
                Binding("pole.inertia", "body_inertia", "pole", 0),
                Binding("pole.inertia", "body_inertia", "pole", 1),
                *(Binding(f"{j}.{what}", f"dof_{field}", j) for j in ("arm", "pole")
                  for what, field in (("damping", "damping"), ("friction", "frictionloss"))),
                Binding("arm.stiffness", "jnt_stiffness", "arm"),
                Binding("arm.stiffening", "jnt_stiffnesspoly", "arm", 1),
                Binding("motor.torque", "actuator_gainprm", "motor", 0),
                Binding("base.tilt_x", "opt.gravity", "", 0),
                Binding("base.tilt_y", "opt.gravity", "", 1),
            ],
            effects=[Effect("motor.bias", "motor", "bias"), Effect("motor.delay", "motor", "delay")],
            channels=[
                (Channel("arm", "rad", "angle"), "joint.arm.position"),
                (Channel("pole", "rad", "angle"), "joint.pole.position"),
                (Channel("arm.velocity", "rad/s", rate_of="arm"), "joint.arm.velocity"),
                (Channel("pole.velocity", "rad/s", rate_of="pole"), "joint.pole.velocity"),
            ],
            actions=[Channel("motor", "V")],
            control_dt=0.004,
        )  # fmt: skip

    def scene(self) -> mujoco.MjSpec:
        spec = super().scene()
        show_stick(spec.body("arm"), (ARM_LENGTH, 0, 0), 0.006, (0.5, 0.5, 0.55))
        show_stick(spec.body("pole"), (0, 0, -POLE_LENGTH), 0.005, (0.8, 0.2, 0.2))
        show_from(spec, (0, 0, 0), 0.5, azimuth=120, up=25)
        return spec

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.swing_up import SwingUp

        swing_up = SwingUp(
            name="swing-up",
            summary="swing the pole up and keep it upright, the arm near its middle",
            seconds=6.0,
            decision_dt=0.02,
            low=(-4.0,),  # V: the most that the real machine was given in its recorded swing-ups
            high=(4.0,),
            observed=("arm", "pole", "arm.velocity", "pole.velocity"),
            hold=1.0,
            sensing={"noise.arm": (0.0005, 0.003), "noise.pole": (0.0005, 0.003)},
            links=((1,),),
            level=0,
            level_limit=2.0,
            start_spread=(0.02, 0.02),
            speed=10.0,
            slow=2.0,
            speed_limit=60.0,
        )
        return {swing_up.name: swing_up}

    def expert(self, task: str | Task | None = None) -> Expert:
        from simloop.worlds.energy_expert import QubeExpert
        from simloop.worlds.swing_up import SwingUp

        doing = self.task(task)
        return QubeExpert(doing) if isinstance(doing, SwingUp) else super().expert(doing)

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}
