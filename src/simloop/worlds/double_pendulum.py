"""World `double-pendulum`: a torque-controlled double pendulum, as built at DFKI RIC in two designs.

Angle 0 hangs down, joint 2 is relative to link 1, both axes are (0, -1, 0). The defaults are the published
parameters (design C.1 `model_1.0`, design A.0 `model_2.0`, double_pendulum repository, BSD-3), read with three cares:

- the published inertias are about the joints, so m r^2 is taken off;
- the gear (ratio 6) puts rotor inertia Ir (g^2 + 1) and Ir g^2 on the joints;
- the published Coulomb value cf is used as cf arctan(k v) on the machine, so its plateau is cf pi/2, and that is what
  a friction loss must be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simloop.columns import Column, ColumnMap
from simloop.distributions import Distribution, Normal, Uniform
from simloop.parameters import Parameter, ParameterSpace
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.physics import Binding, PhysicsWorld, free_joints_spec, show_from, show_stick
from simloop.worlds.world import Mirror

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

_GEAR = 6.0


@dataclass(frozen=True)
class Design:
    """Published parameters of one build; pairs are (joint 1, joint 2)."""

    machine: str
    mass: tuple[float, float]  # kg
    com: tuple[float, float]  # m, from the joint down the link
    inertia_at_joint: tuple[float, float]  # kg m^2
    coulomb: tuple[float, float]  # N m, the published cf
    rotor: float  # kg m^2
    length: float  # m, of link 1
    damping: tuple[float, float] = (0.001, 0.001)  # N m s/rad


DESIGNS = {
    "c1": Design(
        "design C.1 (links 0.2 and 0.3 m)",
        mass=(0.5234602302310271, 0.6255677234174437),
        com=(0.2, 0.25569305436052964),
        inertia_at_joint=(0.031887199591513114, 0.05086984812807257),
        coulomb=(0.16, 0.12),
        rotor=6.287203962819607e-05,
        length=0.2,
    ),
    "a0": Design(
        "design A.0 (links 0.3 and 0.2 m)",
        mass=(0.5593806151425046, 0.6043459469186889),
        com=(0.3, 0.18377686083653508),
        inertia_at_joint=(0.053470810264216295, 0.02392374528789766),
        coulomb=(0.093, 0.078),
        rotor=7.659297952841183e-05,
        length=0.3,
    ),
}

#: quantity: (unit, prior spread in log units or s, bounds: factor or s, half-width of `wide`: factor or s, search)
_QUANTITIES = {
    "mass": ("kg", 0.5, 5.0, 1.3, 0.4),
    "com": ("m", 0.5, 5.0, 1.3, 0.4),
    "inertia": ("kg m^2", 0.5, 10.0, 1.3, 0.4),
    "damping": ("N m s/rad", 1.5, 100.0, 3.0, 0.7),
    "friction": ("N m", 0.7, 10.0, 2.0, 0.7),
    "armature": ("kg m^2", 1.0, 20.0, 1.5, 0.7),
    "gain": ("", 0.1, 2.0, 1.1, 0.7),
    "delay": ("s", 0.010, 0.040, 0.015, 0.7),
}
_MEANING = {
    "mass": "mass of link {k}",
    "com": "distance of link {k}'s centre of mass from its joint",
    "inertia": "inertia of link {k} about its centre of mass",
    "damping": "viscous friction of joint {k}",
    "friction": "Coulomb friction of joint {k}",
    "armature": "rotor inertia felt at joint {k}",
    "gain": "torque of motor {k} for each unit commanded",
    "delay": "time from command to torque of motor {k}",
}


def _values(design: Design, k: int) -> dict[str, float]:
    return {
        "mass": design.mass[k],
        "com": design.com[k],
        "inertia": design.inertia_at_joint[k] - design.mass[k] * design.com[k] ** 2,
        "damping": design.damping[k],
        "friction": design.coulomb[k] * math.pi / 2,
        "armature": design.rotor * (_GEAR**2 + (1 if k == 0 else 0)),
        "gain": 1.0,
        "delay": 0.0,
    }


def _name(quantity: str, k: int) -> str:
    part = {"mass": "link", "com": "link", "inertia": "link", "gain": "motor", "delay": "motor"}.get(quantity, "joint")
    return f"{part}{k + 1}.{quantity}"


def _space(design: Design) -> ParameterSpace:
    parameters = []
    for quantity, (unit, spread, bound, _, _) in _QUANTITIES.items():
        for k in (0, 1):
            value = _values(design, k)[quantity]
            log = quantity != "delay"
            parameters.append(
                Parameter(
                    _name(quantity, k),
                    low=value / bound if log else 0.0,
                    high=value * bound if log else bound,
                    default=value,
                    unit=unit,
                    scale="log" if log else "linear",
                    kind="sensing" if quantity in ("gain", "delay") else "dynamics",
                    spread=spread,
                    description=_MEANING[quantity].format(k=k + 1),
                )
            )
    return ParameterSpace(parameters)


def _build(design: Design) -> mujoco.MjSpec:
    import mujoco

    spec = free_joints_spec()
    parent, at = spec.worldbody, 0.0
    for k in (0, 1):
        v = _values(design, k)
        body = parent.add_body(
            name=f"link{k + 1}",
            pos=[0, 0, at],
            mass=v["mass"],
            ipos=[0, 0, -v["com"]],
            inertia=[v["inertia"]] * 3,
            explicitinertial=True,
        )
        joint = body.add_joint(
            name=f"joint{k + 1}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=[0, -1, 0],
            frictionloss=v["friction"],
            armature=v["armature"],
        )
        joint.damping[0] = v["damping"]
        joint.solref_friction = [0.004, 1]
        spec.add_actuator(name=f"motor{k + 1}", target=f"joint{k + 1}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        parent, at = body, -design.length
    return spec


_FIELDS = {
    "mass": ("body_mass", None, 1.0),
    "com": ("body_ipos", 2, -1.0),
    "inertia": ("body_inertia", None, 1.0),
    "damping": ("dof_damping", None, 1.0),
    "friction": ("dof_frictionloss", None, 1.0),
    "armature": ("dof_armature", None, 1.0),
}


class DoublePendulum(PhysicsWorld):
    """The double pendulum in one of its builds, `c1` or `a0`."""

    log_columns = ColumnMap(
        channels={f"joint{k}": Column(column=f"pos_meas{k}", unit="rad") for k in (1, 2)},
        actions={f"motor{k}": Column(column=f"tau_con{k}", unit="N m") for k in (1, 2)},
    )
    mirror = Mirror(channels=("joint1", "joint2"), actions=("motor1", "motor2"))

    def __init__(self, build: str) -> None:
        design = DESIGNS[build]
        self._design = design
        super().__init__(
            name=f"double-pendulum/{build}",
            summary=f"torque-controlled double pendulum, {design.machine}",
            build=lambda: _build(design),
            parameters=_space(design),
            bindings=[
                Binding(_name(q, k), field, _name(q, k).split(".")[0], index=index, factor=factor)
                for q, (field, index, factor) in _FIELDS.items()
                for k in (0, 1)
            ],
            effects=[Effect(f"motor{k}.{what}", f"motor{k}", what) for what in ("gain", "delay") for k in (1, 2)],
            channels=[(Channel(f"joint{k}", "rad", "angle"), f"joint.joint{k}.position") for k in (1, 2)]
            + [
                (Channel(f"joint{k}.velocity", "rad/s", rate_of=f"joint{k}"), f"joint.joint{k}.velocity")
                for k in (1, 2)
            ],
            actions=[Channel(f"motor{k}", "N m") for k in (1, 2)],
            control_dt=0.002,
        )

    def scene(self) -> mujoco.MjSpec:
        spec = super().scene()
        lengths = (self._design.length, 0.5 - self._design.length)  # both builds reach half a metre
        for k, colour in ((0, (0.2, 0.35, 0.65)), (1, (0.85, 0.45, 0.2))):
            show_stick(spec.body(f"link{k + 1}"), (0, 0, -lengths[k]), 0.015, colour)
        show_from(spec, (0, 0, 0), 1.6)
        return spec

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.swing_up import double_pendulum_tasks

        return double_pendulum_tasks()

    def expert(self, task: str | Task | None = None) -> Expert:
        from simloop.worlds.energy_expert import DoublePendulumExpert
        from simloop.worlds.swing_up import SwingUp

        doing = self.task(task)
        if not isinstance(doing, SwingUp) or not doing.active.all():
            return super().expert(doing)
        return DoublePendulumExpert(doing, length=self._design.length)

    def distributions(self) -> Mapping[str, Distribution]:
        space = self.parameters
        wide = np.repeat([q[3] for q in _QUANTITIES.values()], 2)
        search = np.repeat([q[4] for q in _QUANTITIES.values()], 2)
        return {
            **super().distributions(),
            "wide": Uniform(
                space,
                np.where(space.log, space.default / wide, 0.0),
                np.where(space.log, space.default * wide, wide),
            ),
            "search": Normal.independent(space, space.default, space.spread * search),
        }
