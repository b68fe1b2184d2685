"""World `cart-pole`: a pole on a motor-driven cart on a rail, by Quanser.

The cart moves along +x; a pole at angle 0 hangs down and swings towards +x for positive angles. The action is the
motor's voltage V, which a gear turns into the force

    F = eta_g K eta_m k / (R r) (eta_m V - K k v / r)

so the motor acts as a force for each volt, and as damping of the cart that no recording can tell from the rail's.

Defaults are the published constants of the machine with the short pole (SimuRLacra, `quanser_cartpole.py`, after
Quanser's manual), named below. Not published, and near zero: Coulomb friction of the pole's joint, tilt of the rail, a
bias and the delay of the voltage.
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

if TYPE_CHECKING:
    import mujoco

CART_MASS, POLE_MASS, POLE_HALF = 0.38, 0.127, 0.3365 / 2  # kg, kg, m
MOTOR_EFFICIENCY, GEAR_EFFICIENCY, GEAR = 0.9, 0.9, 3.71
RESISTANCE, MOTOR_CONSTANT, ROTOR, PINION = 2.6, 7.67e-3, 3.9e-7, 6.35e-3  # ohm, V s/rad, kg m^2, m
CART_DAMPING, POLE_DAMPING, FRICTION = 5.4, 0.0024, 0.02  # N s/m, N m s/rad, of the normal force

_FORCE = GEAR_EFFICIENCY * GEAR * MOTOR_EFFICIENCY * MOTOR_CONSTANT / (RESISTANCE * PINION)  # N/V
_BACK_EMF = _FORCE * GEAR * MOTOR_CONSTANT / PINION  # N s/m

TABLE = [
    positive("cart.mass", CART_MASS + GEAR_EFFICIENCY * GEAR**2 * ROTOR / PINION**2, "kg", "inertial",
             "mass of the cart, with what the rotor's inertia adds"),
    positive("pole.mass", POLE_MASS, "kg", "inertial", "mass of the pole"),
    positive("pole.com", POLE_HALF, "m", "inertial", "distance of the pole's centre of mass from its joint"),
    positive("pole.inertia", POLE_MASS * POLE_HALF**2 / 3, "kg m^2", "inertial",
             "inertia of the pole about its centre of mass"),
    positive("cart.damping", CART_DAMPING + _BACK_EMF, "N s/m", "viscous",
             "viscous friction of the cart, and back-EMF"),
    positive("cart.friction", FRICTION * (CART_MASS + POLE_MASS) * 9.81, "N", "coulomb",
             "Coulomb friction of the cart"),
    positive("pole.damping", POLE_DAMPING, "N m s/rad", "viscous", "viscous friction of the pole's joint"),
    positive("pole.friction", 1e-4, "N m", "unpublished", "Coulomb friction of the pole's joint"),
    positive("motor.force", MOTOR_EFFICIENCY * _FORCE, "N/V", "gain", "force of the motor for each volt"),
    around("motor.bias", 0.0, 0.1, "V", "voltage that the motor acts as if it got when it gets none"),
    around("rail.tilt", 0.0, 0.1, "m/s^2", "part of gravity along the rail"),
    delay("motor.delay", "time from voltage to force"),
]  # fmt: skip


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = free_joints_spec()
    v = {row.parameter.name: row.parameter.default for row in TABLE}
    cart = spec.worldbody.add_body(name="cart", mass=v["cart.mass"], inertia=[1e-3] * 3, explicitinertial=True)
    pole = cart.add_body(
        name="pole",
        mass=v["pole.mass"],
        ipos=[0, 0, -v["pole.com"]],
        inertia=[v["pole.inertia"]] * 3,
        explicitinertial=True,
    )
    for body, kind, axis in ((cart, "SLIDE", [1, 0, 0]), (pole, "HINGE", [0, -1, 0])):
        joint = body.add_joint(
            name=body.name,
            type=getattr(mujoco.mjtJoint, f"mjJNT_{kind}"),
            axis=axis,
            frictionloss=v[f"{body.name}.friction"],
        )
        joint.damping[0] = v[f"{body.name}.damping"]
        joint.solref_friction = [0.004, 1]
    motor = spec.add_actuator(name="motor", target="cart", trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.gainprm[0] = v["motor.force"]
    return spec


class CartPole(PhysicsWorld):
    """The Quanser linear cart with its short pole."""

    log_columns = ColumnMap(
        channels={"cart": Column("states.0", "m"), "pole": Column("states.1", "rad")},
        actions={"motor": Column("actions_applied.0", "V")},
    )

    def __init__(self) -> None:
        super().__init__(
            name="cart-pole",
            summary="Quanser linear cart, a pole on a motor-driven cart",
            build=_build,
            parameters=space(TABLE),
            bindings=[
                Binding("cart.mass", "body_mass", "cart"),
                Binding("pole.mass", "body_mass", "pole"),
                Binding("pole.com", "body_ipos", "pole", 2, factor=-1.0),
                Binding("pole.inertia", "body_inertia", "pole"),
                *(Binding(f"{j}.{what}", f"dof_{field}", j) for j in ("cart", "pole")
                  for what, field in (("damping", "damping"), ("friction", "frictionloss"))),
                Binding("motor.force", "actuator_gainprm", "motor", 0),
                Binding("rail.tilt", "opt.gravity", "", 0),
            ],
            effects=[Effect("motor.bias", "motor", "bias"), Effect("motor.delay", "motor", "delay")],
            channels=[
                (Channel("cart", "m"), "joint.cart.position"),
                (Channel("pole", "rad", "angle"), "joint.pole.position"),
                (Channel("cart.velocity", "m/s", rate_of="cart"), "joint.cart.velocity"),
                (Channel("pole.velocity", "rad/s", rate_of="pole"), "joint.pole.velocity"),
            ],
            actions=[Channel("motor", "V")],
            control_dt=0.004,
        )  # fmt: skip

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def scene(self) -> mujoco.MjSpec:
        import mujoco

        spec = super().scene()
        spec.worldbody.add_geom(
            name="rail", type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[-0.5, 0.06, 0, 0.5, 0.06, 0], size=[0.006, 0, 0],
            rgba=[0.6, 0.6, 0.62, 1], contype=0, conaffinity=0, group=1,
        )  # fmt: skip
        spec.body("cart").add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.05, 0.05, 0.03], rgba=[0.2, 0.3, 0.6, 1], contype=0, conaffinity=0,
            mass=0, group=1,
        )  # fmt: skip
        length = 2 * next(row.parameter.default for row in TABLE if row.parameter.name == "pole.com")
        show_stick(spec.body("pole"), (0, 0, -length), 0.008, (0.8, 0.2, 0.2))
        show_from(spec, (0, 0, 0), 1.0)
        return spec
