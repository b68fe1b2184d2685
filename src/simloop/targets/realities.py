"""Hidden realities: what a stand-in is made of, drawn from a number alone and shown by nobody until asked.

    reality = hidden(world, 7)             # number 7: always the same machine
    reality = nominal(world)               # the machine that the world's defaults describe, without hidden effects

A reality describes a machine of two joints by its parts, not by the world's parameters: links, joints with a friction
that grows at low speed, motors with delay, sensors with noise. What the world has no parameter for (Stribeck friction,
backlash, quantised encoders, ...) is here, so no fit can be perfect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from simloop.errors import InputError
from simloop.randomness import stream
from simloop.worlds.world import World

Vector = tuple[float, float, float]
Engine = Literal["pybullet", "mujoco"]


@dataclass(frozen=True)
class Link:
    """A link and the joint that it turns about; `name` is that of the joint's channel.

    Attributes:
        at, axis: m, where the joint is in the link before, and its axis.
        mass, com, inertia: kg; m from the joint; kg m^2 about the centre of mass.
        rotor: kg m^2, inertia of the rotor as felt at the joint.
        coulomb, stiction, slip: N m, friction at speed and from rest; rad/s over which the one becomes the other.
        viscous: N m s/rad.
        spring, stiffening: N m/rad and N m/rad^3, of what follows the joint.
    """

    name: str
    at: Vector
    axis: Vector
    mass: float
    com: Vector
    inertia: Vector
    rotor: float
    coulomb: float
    stiction: float
    slip: float
    viscous: float
    spring: float = 0.0
    stiffening: float = 0.0

    def friction(self, rate: float) -> float:
        """Largest friction (N m) at a rate (rad/s): Coulomb's, and Stribeck's that fades with speed."""
        return self.coulomb + (self.stiction - self.coulomb) * math.exp(-((rate / self.slip) ** 2))


@dataclass(frozen=True)
class Motor:
    """What stands between a command and the torque of a joint.

    Attributes:
        joint: which joint it turns.
        torque, bias: N m for each unit commanded; unit, added to the command.
        delay, slow: s, from command to torque, and what a command of `full` adds to it.
        full: unit, a large command.
        play: rad, backlash between motor and link; 0: none.
    """

    joint: int
    torque: float
    bias: float = 0.0
    delay: float = 0.0
    slow: float = 0.0
    full: float = 1.0
    play: float = 0.0


@dataclass(frozen=True)
class Sensors:
    """How joints are read and how exactly they are placed.

    Attributes:
        noise, rate_noise: rad and rad/s, standard deviation of the noise of positions and rates.
        memory: part of the noise of one sample that is left in the next: 0 is white.
        step: rad, resolution of the encoders; 0: none.
        smoothing: s, time constant of rates taken as differences of positions; 0: rates are read themselves.
        placement: rad, standard deviation of where an episode really starts.
    """

    noise: float = 0.0
    rate_noise: float = 0.0
    memory: float = 0.0
    step: float = 0.0
    smoothing: float = 0.0
    placement: float = 0.0


@dataclass(frozen=True)
class Reality:
    """A machine of two joints; the fields of `links` and `motors` are in the world's order."""

    links: tuple[Link, Link]
    motors: tuple[Motor, ...]
    gravity: Vector = (0.0, 0.0, -9.81)
    sensors: Sensors = Sensors()

    def values(self) -> dict[str, float]:
        """Every number by name, to be shown after a run."""
        return named_numbers(asdict(self))


def nominal(world: World, row: ArrayLike | None = None) -> Reality:
    """The machine that parameters (d,) of a world describe, by default its own: exact sensors, no hidden effect."""
    values = np.asarray(world.parameters.default if row is None else row, dtype=float)
    return _description(world)(world, dict(zip(world.parameters.names, values.tolist(), strict=True)))


def hidden(world: World, number: int, engine: Engine) -> Reality:
    """The hidden reality of that number, as the engine plays it; only MuJoCo's has what PyBullet's joints lack.

    About as far from the world's defaults as its `wide` distribution, but drawn part by part: masses and inertias times
    or over 1.25, centres of mass 1.15, lengths 1.02, viscous friction 3, Coulomb friction 2, torques 1.1, delays to
    12 ms. Everything comes from the number, so that reality 7 is the same machine in every run.
    """
    rng = stream(number, "hidden reality", world.name, engine)

    def times(width: float) -> float:
        return float(width ** rng.uniform(-1, 1))

    plain = nominal(world)
    links = [_drawn_link(link, times, rng) for link in plain.links]
    motors = [replace(m, torque=m.torque * times(1.1), delay=float(rng.uniform(0, 0.012)))
              for m in plain.motors]  # fmt: skip
    sensors = Sensors(noise=5e-4 * times(2), rate_noise=0.02 * times(2), placement=float(rng.uniform(0.002, 0.01)))
    tilt = rng.normal(0, 0.05, 2)
    out = Reality((links[0], links[1]), tuple(motors), (float(tilt[0]), float(tilt[1]), -9.81), sensors)
    return _with_unmodelled(out, rng) if engine == "mujoco" else out


def _drawn_link(link: Link, times: Callable[[float], float], rng: np.random.Generator) -> Link:
    """Draw what a link really is around what it should be."""
    com, inertia, length, coulomb = times(1.15), times(1.25), times(1.02), link.coulomb * times(2)
    x, y, z = link.at
    return replace(
        link,
        at=(x * length, y * length, z * length),
        mass=link.mass * times(1.25),
        com=(link.com[0] * com, link.com[1] * com, link.com[2] * com),
        inertia=(link.inertia[0] * inertia, link.inertia[1] * inertia, link.inertia[2] * inertia),
        rotor=link.rotor * times(1.5),
        coulomb=coulomb,
        stiction=coulomb * float(rng.uniform(1.1, 1.6)),
        slip=float(rng.uniform(0.05, 0.3)),
        viscous=link.viscous * times(3),
        spring=link.spring * times(2),
        stiffening=link.stiffening * times(2),
    )


def _with_unmodelled(reality: Reality, rng: np.random.Generator) -> Reality:
    """Add what no parameter of a world describes: play, slow large commands, coloured noise, coarse encoders."""
    geared = [reality.links[m.joint].rotor > 0 for m in reality.motors]
    motors = tuple(
        replace(m, slow=float(rng.uniform(0.002, 0.006)), play=float(rng.uniform(0.002, 0.01)) if g else 0.0)
        for m, g in zip(reality.motors, geared, strict=True)
    )
    sensors = replace(
        reality.sensors,
        rate_noise=0.0,
        memory=float(rng.uniform(0.8, 0.98)),
        step=2 * math.pi / float(rng.choice([2048, 4096, 8192])),
        smoothing=float(rng.uniform(0.004, 0.01)),
    )
    return replace(reality, motors=motors, sensors=sensors)


def _description(world: World) -> Callable[[World, Mapping[str, float]], Reality]:
    kinds = {"double-pendulum": _double_pendulum, "qube": _qube}
    kind = world.name.split("/")[0]
    if kind not in kinds:
        raise InputError(f"there is no live stand-in of world {world.name!r} (there are: {', '.join(kinds)})")
    return kinds[kind]


def _double_pendulum(world: World, v: Mapping[str, float]) -> Reality:
    from simloop.worlds.double_pendulum import DESIGNS

    at = (0.0, -DESIGNS[world.name.split("/")[1]].length)
    links = [
        Link(
            f"joint{k}",
            at=(0.0, 0.0, at[k - 1]),
            axis=(0.0, -1.0, 0.0),
            mass=v[f"link{k}.mass"],
            com=(0.0, 0.0, -v[f"link{k}.com"]),
            inertia=(v[f"link{k}.inertia"],) * 3,
            rotor=v[f"joint{k}.armature"],
            coulomb=v[f"joint{k}.friction"],
            stiction=v[f"joint{k}.friction"],
            slip=1.0,
            viscous=v[f"joint{k}.damping"],
        )
        for k in (1, 2)
    ]
    motors = tuple(Motor(k - 1, v[f"motor{k}.gain"], delay=v[f"motor{k}.delay"], full=5.0) for k in (1, 2))
    return Reality((links[0], links[1]), motors)


def _qube(world: World, v: Mapping[str, float]) -> Reality:
    from simloop.worlds.qube import ARM_MASS

    arm = Link(
        "arm",
        at=(0.0, 0.0, 0.0),
        axis=(0.0, 0.0, 1.0),
        mass=ARM_MASS,
        com=(0.0, 0.0, 0.0),
        inertia=(v["arm.inertia"],) * 3,
        rotor=0.0,
        coulomb=v["arm.friction"],
        stiction=v["arm.friction"],
        slip=1.0,
        viscous=v["arm.damping"],
        spring=v["arm.stiffness"],
        stiffening=v["arm.stiffening"],
    )
    pole = Link(
        "pole",
        at=(v["arm.length"], 0.0, 0.0),
        axis=(1.0, 0.0, 0.0),
        mass=v["pole.mass"],
        com=(0.0, 0.0, -v["pole.com"]),
        inertia=(v["pole.inertia"], v["pole.inertia"], 1e-7),
        rotor=0.0,
        coulomb=v["pole.friction"],
        stiction=v["pole.friction"],
        slip=1.0,
        viscous=v["pole.damping"],
    )
    motor = Motor(0, v["motor.torque"], v["motor.bias"], v["motor.delay"], full=5.0)
    return Reality((arm, pole), (motor,), (v["base.tilt_x"], v["base.tilt_y"], -9.81))


def named_numbers(record: object, prefix: str = "") -> dict[str, float]:
    """The numbers of nested records and lists, each by its path; in a list, a record with a name goes by that."""
    if isinstance(record, Mapping):
        parent, dot, _ = prefix.rpartition(".")
        own = f"{parent}.{record['name']}" if dot and isinstance(record.get("name"), str) else prefix
        return {n: x for k, v in record.items() for n, x in named_numbers(v, f"{own}.{k}".lstrip(".")).items()}
    if isinstance(record, list | tuple):
        return {n: x for i, v in enumerate(record) for n, x in named_numbers(v, f"{prefix}.{i}").items()}
    return {prefix: float(record)} if isinstance(record, int | float) else {}
