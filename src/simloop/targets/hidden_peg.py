"""The stand-in of world `peg`: MuJoCo with hidden parameters, a box 5 cm off, and effects the world does not model.

    machine = HiddenPeg(world, hidden_peg(world, 7))

It differs from the world in what the world cannot say: a rope of twice as many links with dry friction, air that drags
on the peg, a hole whose axis is a few degrees off, friction in the arm's joints that grows at low speed (Stribeck),
gravity that the arm compensates not quite, a tracker of the peg that is late and gives speeds as smoothed differences.
It senses what a real arm would, its joints, and the peg as the tracker gives it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.hidden import STEP, CommandLine
from simloop.targets.live import Machine
from simloop.targets.realities import Link, named_numbers
from simloop.worlds.drawer.panda import HIGHEST, HOME, JOINTS, LOWEST, TORQUE, add_panda, add_servos
from simloop.worlds.peg.rope import ROPE, Rope, add_rope, hanging
from simloop.worlds.peg.world import AXIS, TIME_STEP, add_box
from simloop.worlds.physics import without_engine_warnings
from simloop.worlds.world import World

if TYPE_CHECKING:
    import mujoco

Seven = tuple[float, ...]
#: m, how far from where it should be the box stands
OFF = 0.05
#: kg/m^3 and Pa s, of air
_AIR = (1.2, 1.8e-5)


@dataclass(frozen=True)
class PegReality:
    """An arm, a rope with its peg, and a box.

    Attributes:
        stiffness, damping, scale: of the seven joints, N m/rad, N m s/rad, and what commands are multiplied with.
        friction: of each joint as a link's: N m, growing at low speed.
        rope: the rope and the peg.
        place, axis: m, where the hole begins; of length 1, out of it.
        width: m, of the hole.
        weight: part of the arm's weight that is not compensated.
        air: whether there is any.
        delay: s, from command to servo.
        noise, tracker, placement: rad of joints, m of the peg, standard deviations; rad of where the arm starts.
        late, smoothing: s, by which the tracker is late, and over which it takes speeds.
    """

    stiffness: Seven
    damping: Seven
    scale: Seven
    friction: tuple[Link, ...]
    rope: Rope
    place: tuple[float, float, float]
    axis: tuple[float, float, float]
    width: float
    weight: float = 0.0
    air: bool = False
    delay: float = 0.0
    noise: float = 0.0
    tracker: float = 0.0
    placement: float = 0.0
    late: float = 0.0
    smoothing: float = 0.0

    def values(self) -> dict[str, float]:
        """Every number by name, to be shown after a run."""
        return named_numbers(asdict(self))


def nominal_peg(world: World, row: ArrayLike | None = None) -> PegReality:
    """The machine that parameters (d,) of the world describe, by default its own, without hidden effects."""
    values = np.asarray(world.parameters.default if row is None else row, dtype=float)
    v = dict(zip(world.parameters.names, values.tolist(), strict=True))

    def seven(what: str) -> Seven:
        return tuple(v[f"{j}.{what}"] for j in JOINTS)

    return PegReality(
        stiffness=seven("stiffness"),
        damping=seven("damping"),
        scale=seven("scale"),
        friction=tuple(_rubbing(0.0, 0.0, 1.0) for _ in JOINTS),
        rope=replace(ROPE, length=v["rope.length"], mass=v["rope.mass"], stiffness=v["rope.stiffness"],
                     damping=v["rope.damping"], peg_mass=v["peg.mass"], peg_radius=v["peg.radius"],
                     friction=v["peg.friction"]),
        place=(v["box.x"], v["box.y"], v["box.z"]),
        axis=(float(AXIS[0]), float(AXIS[1]), float(AXIS[2])),
        width=v["hole.width"],
        delay=v["command.delay"],
    )  # fmt: skip


def hidden_peg(world: World, number: int) -> PegReality:
    """The hidden reality of that number.

    The hole begins 5 cm from where it should, in any horizontal direction, 2 cm higher or lower, and its axis is
    turned up to 0.05 rad about each horizontal direction. The rope's length is times or over 1.05, its mass 1.25, its
    stiffness and damping 2; the peg's mass times or over 1.25, friction 1.3; the arm's stiffness and damping 1.25,
    scales 1.05. Commands arrive up to 15 ms late, the tracker's readings 20 ms.
    """
    rng = stream(number, "hidden reality", world.name, "mujoco")
    plain = nominal_peg(world)

    def times(width: float) -> float:
        return float(width ** rng.uniform(-1, 1))

    def each(values: Seven, width: float) -> Seven:
        return tuple(x * times(width) for x in values)

    bearing = rng.uniform(-np.pi, np.pi)
    x, y, z = plain.place
    axis = AXIS + np.cross(rng.uniform(-0.05, 0.05, 3) * [1, 1, 0], AXIS)
    axis /= np.linalg.norm(axis)
    return PegReality(
        stiffness=each(plain.stiffness, 1.25),
        damping=each(plain.damping, 1.25),
        scale=each(plain.scale, 1.05),
        friction=tuple(_rubbing(c, c * float(rng.uniform(1.1, 1.6)), float(rng.uniform(0.02, 0.1)))
                       for c in (np.divide(TORQUE, 87.0) * rng.uniform(0.2, 1.0, len(JOINTS))).tolist()),
        rope=_finer(replace(
            plain.rope,
            length=plain.rope.length * times(1.05),
            mass=plain.rope.mass * times(1.25),
            stiffness=plain.rope.stiffness * times(2),
            damping=plain.rope.damping * times(2),
            peg_mass=plain.rope.peg_mass * times(1.25),
            peg_radius=plain.rope.peg_radius + float(rng.uniform(-0.001, 0.001)),
            friction=plain.rope.friction * times(1.3),
            dry=float(rng.uniform(0, 2e-4)),
        )),
        place=(x + OFF * float(np.cos(bearing)), y + OFF * float(np.sin(bearing)), z + float(rng.uniform(-0.02, 0.02))),
        axis=(float(axis[0]), float(axis[1]), float(axis[2])),
        width=plain.width + float(rng.uniform(-0.002, 0.002)),
        weight=float(rng.uniform(-0.02, 0.02)),
        air=True,
        delay=float(rng.uniform(0, 0.015)),
        noise=5e-4 * times(2),
        tracker=1e-3 * times(2),
        placement=float(rng.uniform(0.002, 0.01)),
        late=float(rng.uniform(0.0, 0.02)),
        smoothing=float(rng.uniform(0.01, 0.03)),
    )  # fmt: skip


def _finer(rope: Rope) -> Rope:
    """The same rope as a chain of twice as many links: its joints are the stiffer, the more there are."""
    joints = (2 * rope.links + 1) / (rope.links + 1)
    return replace(rope, links=2 * rope.links, stiffness=rope.stiffness * joints, damping=rope.damping * joints)


def _rubbing(coulomb: float, stiction: float, slip: float) -> Link:
    """The friction of one of the arm's joints."""
    still = (0.0, 0.0, 0.0)
    return Link("friction", still, (0.0, 0.0, 1.0), 0.0, still, still, 0.0, coulomb, stiction, slip, 0.0)


class HiddenPeg(Machine):
    """The arm, the rope with its peg, and the box in MuJoCo at 1 kHz."""

    provenance = "same engine, hidden parameters"

    def __init__(self, world: World, reality: PegReality) -> None:
        import mujoco

        sensed = (*JOINTS, "peg", "peg.velocity")
        self.channels = tuple(c for c in world.channels if c.name in sensed)
        self.recorded = (*JOINTS, "peg")  # its speeds are noisier than what filters make of its places
        self.actions, self.dt = world.actions, world.control_dt
        self._all, self._reality, self._engine = world.channels, reality, mujoco
        self._substeps = round(self.dt / STEP)
        self._model = _spec(reality).compile()
        self._data = mujoco.MjData(self._model)
        self._scale = np.array(reality.scale)

    def reset(self, positions: Array, rates: Array, rest: Array, rng: np.random.Generator) -> Array:
        self._rng, self._line = rng, CommandLine(rest)
        start = np.array(positions[:7]) + self._reality.placement * rng.standard_normal(7)
        angles = np.clip(start, LOWEST, HIGHEST)
        self._engine.mj_resetData(self._model, self._data)
        self._data.qpos[:7] = angles
        self._data.joint("bend1").qpos[:] = hanging(angles)
        self._engine.mj_forward(self._model, self._data)
        here = self._peg()
        self._seen = deque([here] * (1 + round(self._reality.late / STEP)), maxlen=1 + round(self._reality.late / STEP))
        self._read, self._speed = here, np.zeros(3)
        return self._sense(fresh=True)

    def step(self, action: Array, samples: int) -> Array:
        for k, u in enumerate((self._scale * action).tolist()):
            self._line.send(k, u, self._reality.delay)
        out = np.empty((samples, sum(c.width for c in self.channels)))
        with without_engine_warnings():
            for i in range(samples):
                for _ in range(self._substeps):
                    self._advance(self._line.arrived())
                    self._line.tick()
                out[i] = self._sense()
        if self._data.warning.number.any():  # the engine has put everything back and gone on
            raise InputError("the simulation of the stand-in diverged")
        return out

    def _advance(self, command: list[float]) -> None:
        model, data = self._model, self._data
        speeds = data.qvel[:7].tolist()
        model.dof_frictionloss[:7] = [f.friction(w) for f, w in zip(self._reality.friction, speeds, strict=True)]
        data.ctrl[:] = command
        self._engine.mj_step(model, data)
        self._seen.append(self._peg())

    def _peg(self) -> Array:
        return np.array(self._data.site("peg").xpos)

    def judged(self) -> Array:
        data = self._data
        value: dict[str, ArrayLike] = {"peg": self._peg(), "hole": data.site("hole").xpos}
        value |= {"peg.velocity": data.sensor("peg.velocity").data}
        for i, name in enumerate(JOINTS):
            value |= {name: data.qpos[i : i + 1], f"{name}.velocity": data.qvel[i : i + 1]}
        return np.concatenate([np.asarray(value[c.name], dtype=float) for c in self._all])

    def _sense(self, *, fresh: bool = False) -> Array:
        """What joints and tracker say, (13,)."""
        reality, draws = self._reality, self._rng.standard_normal(10)
        read = self._seen[0] + reality.tracker * draws[7:]
        if not fresh:
            part = self.dt / (self.dt + reality.smoothing)
            self._speed = self._speed + part * ((read - self._read) / self.dt - self._speed)
        self._read = read
        return np.concatenate([self._data.qpos[:7] + reality.noise * draws[:7], read, self._speed])

    def reveal(self) -> Mapping[str, float]:
        return self._reality.values()


def _spec(reality: PegReality) -> mujoco.MjSpec:
    """The machine's body; without air and friction, and with the world's rope, it is the world's own."""
    import mujoco

    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = STEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    if reality.air:
        spec.option.density, spec.option.viscosity = _AIR
    hand = add_panda(spec, gripper=False)
    for body in spec.bodies:
        body.gravcomp = 1 - reality.weight
    add_rope(spec, hand, reality.rope)
    add_box(spec, reality.place, reality.width, np.array(reality.axis))
    for geom in spec.geoms:
        geom.solref = [0.5 * TIME_STEP, 1]
    add_servos(spec, gripper=False)
    for name, k, d, home in zip(JOINTS, reality.stiffness, reality.damping, HOME, strict=True):
        servo = spec.actuator(name)
        servo.gainprm[0], servo.biasprm[:2] = k, [k * home, -k]
        spec.joint(name).damping[0] = d
        spec.joint(name).frictionloss = 1.0  # written anew at each step
    spec.add_sensor(name="peg.velocity", type=mujoco.mjtSensor.mjSENS_FRAMELINVEL, objtype=mujoco.mjtObj.mjOBJ_SITE,
                    objname="peg")  # fmt: skip
    return spec
