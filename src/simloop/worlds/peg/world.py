"""World `peg`: a 7-joint arm (Franka Emika Panda) that swings a peg on a soft rope into the tilted hole of a box.

    world = get_world("peg")
    envs = world.make(128, task="in", randomization="prior")

The task is SimOpt's swing-peg-in-hole (Chebotar et al., ICRA 2019, section IV-A and Table III): the hole's axis is
tilted by 45 degrees, so that a peg that hangs straight down has to be swung or slid into it. The parameters are the
rope's (length, mass, stiffness, damping: `rope.py`), the peg's mass, radius and friction, the hole's width, where the
box stands, and the arm's (stiffness, damping and scale of the commands of each joint). The arm's sensors and the
tracker of the peg do not tell where the box stands.

An action is where each joint's servo is to go, in rad from the home pose, as in the world `drawer`. Recordings are
replayed whole: what comes after a contact depends on all before it. No channel shows how the rope is bent, so
recordings begin at rest: then it hangs straight down. Nothing can touch but the peg, and the hand's palm and fingers,
the box; the rope touches nothing. Gravity is compensated in the arm and pulls rope and peg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.drawer import panda
from simloop.worlds.drawer.panda import HOME, JOINTS, SPEED, add_panda, add_servos, servo_bindings
from simloop.worlds.peg.rope import ROPE, add_rope, hanging
from simloop.worlds.physics import Binding, PhysicsWorld
from simloop.worlds.spreads import Row, delay, distributions, place, positive, space

if TYPE_CHECKING:
    import mujoco

    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

#: m: where the hole begins if nobody moved the box; the hole's width and depth; the peg's largest radius
BOX, WIDTH, DEPTH, WIDEST = (0.65, 0.0, 0.26), 0.06, 0.1, 0.022
#: m: how thick its walls are; how long the slopes that lead in are, and how thick; half of what a side is wide
WALL, LEAD, SLAB, _SIDE = 0.03, 0.1, 0.02, 0.1
SIDES = ("far side", "left side", "near side", "right side")
#: out of the hole along its axis: up and towards the arm
AXIS = np.array([-np.sqrt(0.5), 0.0, np.sqrt(0.5)])
#: m: where the peg's middle is in the home pose
PEG = (0.4451, 0.0, 0.3183)
#: rad: how much an excitation adds to an expert's commands, at most
_TREMOR = 0.05
#: s
TIME_STEP, CONTROL_DT = 0.005, 0.01


def _size(name: str, default: float, low: float, high: float, spread: float, what: str) -> Row:
    """A size that can be measured: `wide` is one spread to both sides."""
    return place(name, default, low, high, spread, spread, what)


TABLE = [
    *(positive(f"{j}.stiffness", k, "N m/rad", "inertial", f"stiffness of the servo of {j}")
      for j, k in zip(JOINTS, panda.STIFFNESS, strict=True)),
    *(positive(f"{j}.damping", d, "N m s/rad", "inertial", f"damping of the servo of {j}")
      for j, d in zip(JOINTS, panda.DAMPING, strict=True)),
    *(positive(f"{j}.scale", 1.0, "", "gain", f"what the commands of {j} are multiplied with") for j in JOINTS),
    positive("rope.length", ROPE.length, "m", "length", "length of the rope"),
    positive("rope.mass", ROPE.mass, "kg", "inertial", "mass of the rope"),
    positive("rope.stiffness", ROPE.stiffness, "N m/rad", "soft", "stiffness of each of the rope's joints"),
    positive("rope.damping", ROPE.damping, "N m s/rad", "soft", "damping of each of the rope's joints"),
    positive("peg.mass", ROPE.peg_mass, "kg", "inertial", "mass of the peg"),
    _size("peg.radius", ROPE.peg_radius, 0.01, WIDEST, 0.001, "radius of the peg"),
    positive("peg.friction", ROPE.friction, "", "coulomb", "friction coefficient between peg and box"),
    _size("hole.width", WIDTH, 0.045, 0.08, 0.002, "width of the hole, from wall to wall"),
    place("box.x", BOX[0], 0.4, 0.9, 0.05, 0.12, "distance of the hole's mouth ahead of the arm's base"),
    place("box.y", BOX[1], -0.25, 0.25, 0.05, 0.12, "distance of the hole's mouth to the left of the arm's base"),
    place("box.z", BOX[2], 0.15, 0.4, 0.02, 0.03, "height of the hole's mouth above the arm's base"),
    delay("command.delay", "time from a command to the servos"),
]  # fmt: skip


def _build() -> mujoco.MjSpec:
    import mujoco

    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = TIME_STEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.iterations, option.ls_iterations = 10, 10
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    hand = add_panda(spec, gripper=False)
    for body in spec.bodies:
        body.gravcomp = 1
    # compiled with the widest peg, which every simulation narrows: the engine looks for contacts as far as it compiled
    add_rope(spec, hand, replace(ROPE, peg_radius=WIDEST))
    add_box(spec)
    add_servos(spec, gripper=False)
    site = mujoco.mjtObj.mjOBJ_SITE
    spec.add_sensor(name="peg", type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=site, objname="peg")
    spec.add_sensor(name="hole", type=mujoco.mjtSensor.mjSENS_FRAMEPOS, objtype=site, objname="hole")
    spec.add_sensor(name="peg.velocity", type=mujoco.mjtSensor.mjSENS_FRAMELINVEL, objtype=site, objname="peg")
    return spec


def add_box(spec: mujoco.MjSpec, at: Sequence[float] = BOX, width: float = WIDTH, axis: Array = AXIS) -> None:
    """Add a box whose hole begins at a place (3,), m, its axis (3,) out of the hole of length 1.

    The box's frame is there, and z is along the axis. Each side is a body of its own, which the hole's width moves: a
    wall, and before it a slope of 45 degrees that leads in.
    """
    import mujoco

    turn = np.zeros(4)
    mujoco.mju_quatZ2Vec(turn, axis)
    box = spec.worldbody.add_body(name="box", pos=at, quat=turn)
    box.add_site(name="hole")
    for k, name in enumerate(SIDES):
        quarter = k * np.pi / 2
        side = box.add_body(name=name, pos=[width / 2 * np.cos(quarter), width / 2 * np.sin(quarter), 0],
                            quat=[np.cos(quarter / 2), 0, 0, np.sin(quarter / 2)])  # fmt: skip
        _slab(side, f"wall of {name}", (WALL / 2, 0, -DEPTH / 2), 0.0, (WALL / 2, _SIDE, DEPTH / 2))
        up = np.sqrt(0.5) * np.array([LEAD + SLAB, 0, LEAD - SLAB]) / 2  # its middle
        _slab(side, f"lead of {name}", up, -np.pi / 4, (LEAD / 2, _SIDE, SLAB / 2))
    _slab(box, "floor", (0, 0, -DEPTH - WALL / 2), 0.0, (_SIDE, _SIDE, WALL / 2))


def _slab(body: mujoco.MjsBody, name: str, at: ArrayLike, pitch: float, size: Sequence[float]) -> None:
    """Add a part of the box, of half the sizes (3,), m, turned about its y by `pitch`, rad."""
    import mujoco

    geom = body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=np.asarray(at, dtype=float), size=size,
                         quat=[np.cos(pitch / 2), 0, np.sin(pitch / 2), 0], contype=1, conaffinity=2,
                         rgba=[0.55, 0.4, 0.25, 1])  # fmt: skip
    geom.solref = [2 * TIME_STEP, 1]


class Peg(PhysicsWorld):
    """The arm, the rope with its peg, and the box."""

    whole = True
    begins_still = True
    horizons = (3.0,)
    tolerances = MappingProxyType(
        {**dict.fromkeys(JOINTS, 0.02), **dict.fromkeys([f"{j}.velocity" for j in JOINTS], 0.2),
         "peg": 0.01, "peg.velocity": 0.1}
    )  # fmt: skip
    machine_limits = MappingProxyType({f"{j}.velocity": s for j, s in zip(JOINTS, SPEED, strict=True)})

    def __init__(self) -> None:
        super().__init__(
            name="peg",
            summary="7-joint arm (Franka Emika Panda) that swings a peg on a rope into a box",
            build=_build,
            parameters=space(TABLE),
            bindings=[*(b for j in JOINTS for b in servo_bindings(j)), *_BINDINGS],
            effects=[
                *(Effect(f"{j}.scale", j, "gain") for j in JOINTS),
                *(Effect("command.delay", j, "delay") for j in JOINTS),
            ],
            channels=[
                *((Channel(j, "rad"), f"joint.{j}.position") for j in JOINTS),
                (Channel("peg", "m", "point"), "sensor.peg"),
                (Channel("hole", "m", "point"), "sensor.hole"),
                *((Channel(f"{j}.velocity", "rad/s", rate_of=j), f"joint.{j}.velocity") for j in JOINTS),
                (Channel("peg.velocity", "m/s", "point", rate_of="peg"), "sensor.peg.velocity"),
            ],
            actions=[Channel(j, "rad") for j in JOINTS],
            control_dt=CONTROL_DT,
        )  # fmt: skip

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.peg.task import peg_in

        task = peg_in()
        return {task.name: task}

    def expert(self, task: str | Task | None = None) -> Expert:
        from simloop.worlds.peg.expert import PegExpert
        from simloop.worlds.peg.task import PegIn

        doing = self.task(task)
        return PegExpert(doing) if isinstance(doing, PegIn) else super().expert(doing)

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def state(self, positions: Array, rates: Array) -> Array:
        """Return states (..., 56), at rest: the rope hangs straight down wherever the arm is; rates are not read."""
        joints, outer = positions[..., :7], positions.shape[:-1]
        straight = np.broadcast_to(np.tile([1.0, 0.0, 0.0, 0.0], ROPE.links), (*outer, 4 * ROPE.links))
        still = np.zeros((*outer, 7 + 3 * len(ROPE.bends)))
        return np.concatenate([joints, hanging(joints), straight, still], axis=-1)

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Stand-ins start at rest in the home pose."""
        at_home = np.array([*HOME, *PEG, *BOX])
        return np.tile(at_home, (count, 1)), np.zeros((count, len(at_home)))

    def excitation(self, seconds: float, rng: np.random.Generator) -> Array:
        """Stand-ins are driven by an expert who knows about where the box stands by default, and who trembles.

        Multisines would hardly ever meet the box, and no recording without contact tells where it stands.
        """
        from simloop.worlds.peg.expert import expert_actions

        names = [f"box.{axis}" for axis in "xyz"]
        believed = {n: p.default + 0.2 * p.spread * rng.standard_normal() for n in names for p in [self.parameters[n]]}
        actions = expert_actions(self, self.parameters.row(believed), seconds=seconds)
        return actions + _TREMOR * super().excitation(seconds, rng)


_LINKS = tuple(f"rope{i + 1}" for i in range(ROPE.links))
_BINDINGS = (
    *(Binding("rope.length", "body_pos", b, 2, factor=-1 / ROPE.links) for b in (*_LINKS[1:], "peg")),
    *(Binding("rope.length", "body_ipos", b, 2, factor=-0.5 / ROPE.links) for b in _LINKS),
    *(Binding("rope.mass", "body_mass", b, factor=1 / ROPE.links) for b in _LINKS),
    *(Binding("rope.stiffness", "jnt_stiffness", j) for j in ROPE.bends),
    *(Binding("rope.damping", "dof_damping", j) for j in ROPE.bends),
    Binding("peg.mass", "body_mass", "peg"),
    Binding("peg.radius", "geom_size", "peg", 0),
    Binding("peg.friction", "geom_friction", "peg", 0),
    *(Binding("hole.width", "body_pos", name, k % 2, factor=0.5 if k < 2 else -0.5) for k, name in enumerate(SIDES)),
    *(Binding(f"box.{axis}", "body_pos", "box", k) for k, axis in enumerate("xyz")),
)
