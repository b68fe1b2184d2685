"""World `cube-toss`: an acrylic cube of 10.48 cm that is tossed onto a table and comes to rest.

Tosses are replayed whole, from their first sample to their last: what comes after an impact depends on all before it.
The body is the published one of the tosses' authors (ContactNets, Pfrommer, Halm and Posa, CoRL 2020): mass 0.37 kg,
inertia 8.1e-4 kg m^2 about each axis, friction 0.18. The contact is MuJoCo's with an elliptic cone and its default
softness. The mass has no effect on a body that only gravity and contact act on, so it is no parameter. The centre of
mass is one: the published model puts it into the cube's middle, and the recordings do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.trajectories import Channel
from simloop.worlds.physics import Binding, PhysicsWorld, show_from
from simloop.worlds.spreads import around, distributions, positive, space

if TYPE_CHECKING:
    import mujoco

HALF_WIDTH, MASS, INERTIA = 0.0524, 0.37, 8.1e-4  # m, kg, kg m^2
RATE, SUBSTEPS = 148, 4  # Hz, time steps in a sample

CHANNELS = (
    Channel("position", "m", "point"),
    Channel("rotation", "", "quaternion"),
    Channel("velocity", "m/s", "point", rate_of="position"),
    Channel("spin", "rad/s", "spin", rate_of="rotation"),
)

TABLE = [
    positive("friction.sliding", 0.18, "", "coulomb", "friction coefficient against sliding"),
    positive("friction.torsional", 0.005, "m", "unpublished", "friction coefficient against turning on a corner"),
    positive("contact.time", 0.02, "s", "inertial", "time constant of the contact's spring"),
    positive("contact.damping", 1.0, "", "inertial", "damping ratio of the contact's spring"),
    positive(
        "cube.inertia", INERTIA, "kg m^2", "inertial", "inertia about the centre of mass, the same about all axes"
    ),
    around("cube.com_x", 0.0, 0.004, "m", "centre of mass from the cube's middle, along its x"),
    around("cube.com_y", 0.0, 0.004, "m", "centre of mass from the cube's middle, along its y"),
    around("cube.com_z", 0.0, 0.004, "m", "centre of mass from the cube's middle, along its z"),
    around("table.height", 0.0, 0.001, "m", "height of the table above the recording's zero"),
]


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = 1 / (RATE * SUBSTEPS)
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    spec.worldbody.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
    cube = spec.worldbody.add_body(name="cube", mass=MASS, inertia=[INERTIA] * 3, explicitinertial=True)
    cube.simple = False  # its centre of mass may move
    cube.add_freejoint(name="cube")
    v = {row.parameter.name: row.parameter.default for row in TABLE}
    geom = cube.add_geom(name="cube", type=mujoco.mjtGeom.mjGEOM_BOX, size=[HALF_WIDTH] * 3)
    geom.priority = 1  # the contact is the cube's alone, not a mixture with the table's defaults
    geom.condim = 4
    geom.friction[0], geom.friction[1] = v["friction.sliding"], v["friction.torsional"]
    geom.solref = [v["contact.time"], v["contact.damping"]]
    return spec


class CubeToss(PhysicsWorld):
    """The cube and its table."""

    whole = True
    horizons = (0.7,)

    def __init__(self) -> None:
        super().__init__(
            name="cube-toss",
            summary="acrylic cube of 10.48 cm, tossed onto a table",
            build=_build,
            parameters=space(TABLE),
            bindings=[
                Binding("friction.sliding", "geom_friction", "cube", 0),
                Binding("friction.torsional", "geom_friction", "cube", 1),
                Binding("contact.time", "geom_solref", "cube", 0),
                Binding("contact.damping", "geom_solref", "cube", 1),
                Binding("cube.inertia", "body_inertia", "cube"),
                *(Binding(f"cube.com_{axis}", "body_ipos", "cube", k) for k, axis in enumerate("xyz")),
                Binding("table.height", "geom_pos", "table", 2),
            ],
            effects=[],
            channels=list(
                zip(
                    CHANNELS,
                    (f"joint.cube.{q}" for q in ("position", "position:rotation", "velocity", "velocity:rotation")),
                    strict=True,
                )
            ),
            actions=[],
            control_dt=1 / RATE,
        )  # fmt: skip

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def scene(self) -> mujoco.MjSpec:
        spec = super().scene()
        spec.geom("table").rgba = [0.75, 0.72, 0.68, 1]
        spec.geom("cube").rgba = [0.85, 0.55, 0.2, 1]
        show_from(spec, (0, 0, 0.05), 1.0, azimuth=110, up=25)
        return spec

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Stand-ins are tossed as by hand: from 15 to 30 cm, in any rotation, at about 1 m/s and 5 rad/s."""
        height = rng.uniform(0.15, 0.3, count)
        turn = rng.standard_normal((count, 4))
        turn /= np.linalg.norm(turn, axis=1, keepdims=True)
        positions = np.column_stack([np.zeros((count, 2)), height, turn])
        return positions, rng.standard_normal((count, 6)) * [1, 1, 1, 5, 5, 5]
