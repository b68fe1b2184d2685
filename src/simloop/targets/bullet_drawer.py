"""The stand-in of world `drawer` in PyBullet: another engine, a cabinet that stands 15 cm off, hidden parameters.

    machine = BulletDrawer(world, hidden_drawer(world, 7))

The arm has the Panda's published links and limits and is driven by torques, stiffness * (home + scale * command -
angle) up to the published limits less damping * speed, at 1 kHz. It differs from the world in what the world cannot
say: rotors are part of the links' inertia (Bullet's joints have none), fingers follow a servo of limited speed and
force instead of a spring with a heavy rotor, the drawer's friction is larger at rest (Stribeck), and the contact is
Bullet's. It senses what a real arm would, its joints and gripper, and the drawer's opening as a tracker gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.bullet import bullet_client, load_urdf
from simloop.targets.hidden import STEP, CommandLine
from simloop.targets.live import Machine
from simloop.targets.realities import Link, named_numbers
from simloop.worlds.drawer.panda import (
    DH,
    FINGER,
    FINGER_MASS,
    FLANGE,
    GRIP,
    GRIPPER_FORCE,
    HAND,
    HIGHEST,
    HOME,
    JOINTS,
    LINKS,
    LOWEST,
    RAIL,
    ROTOR,
    THICK,
    TIP,
    TORQUE,
)
from simloop.worlds.drawer.world import BAR, CLEARANCE, LENGTH, RADIUS
from simloop.worlds.world import World

Seven = tuple[float, ...]
#: m, how far from where it should be the cabinet stands
OFF = 0.15
#: kg, added to each finger: what moves with it; Bullet's contacts need bodies that are not too light
_FINGER_EXTRA = 0.1
#: 1/s, how fast the fingers are brought together again where one is ahead
_ALIKE = 50.0


@dataclass(frozen=True)
class DrawerReality:
    """An arm and a cabinet.

    Attributes:
        stiffness, damping, scale: of the seven joints, N m/rad, N m s/rad, and what commands are multiplied with.
        grip, grip_damping: N/m and N s/m of both fingers together.
        mass, spring, rails: of the drawer, kg, N/m, and friction in N and N s/m instead of N m and N m s/rad.
        handle: friction coefficient between handle and fingers.
        place, yaw: m, of the closed drawer's handle; rad, the cabinet's turn.
        delay: s, from command to servo.
        noise, tracker, placement: rad of joints, m of gripper and drawer, standard deviations; rad of where the arm
            starts.
    """

    stiffness: Seven
    damping: Seven
    scale: Seven
    grip: float
    grip_damping: float
    mass: float
    spring: float
    rails: Link
    handle: float
    place: tuple[float, float, float]
    yaw: float
    delay: float = 0.0
    noise: float = 0.0
    tracker: float = 0.0
    placement: float = 0.0

    def values(self) -> dict[str, float]:
        """Every number by name, to be shown after a run."""
        return named_numbers(asdict(self))


def nominal_drawer(world: World, row: ArrayLike | None = None) -> DrawerReality:
    """The machine that parameters (d,) of the world describe, by default its own, without hidden effects."""
    values = np.asarray(world.parameters.default if row is None else row, dtype=float)
    v = dict(zip(world.parameters.names, values.tolist(), strict=True))

    def seven(what: str) -> Seven:
        return tuple(v[f"{j}.{what}"] for j in JOINTS)

    return DrawerReality(
        stiffness=seven("stiffness"),
        damping=seven("damping"),
        scale=seven("scale"),
        grip=v["gripper.stiffness"],
        grip_damping=v["gripper.damping"],
        mass=v["drawer.mass"],
        spring=v["drawer.stiffness"],
        rails=_rails(v["drawer.friction"], v["drawer.friction"], 1.0, v["drawer.damping"]),
        handle=v["handle.friction"],
        place=(v["cabinet.x"], v["cabinet.y"], v["cabinet.z"]),
        yaw=v["cabinet.yaw"],
        delay=v["command.delay"],
    )


def hidden_drawer(world: World, number: int) -> DrawerReality:
    """The hidden reality of that number.

    The handle is 15 cm from where it should be, in any horizontal direction, 2 cm higher or lower, and turned up to 0.1
    rad; stiffness and damping are times or over 1.25, scales 1.05, what belongs to the drawer 1.5 to 2, the handle's
    friction 1.3; commands arrive up to 15 ms late.
    """
    rng = stream(number, "hidden reality", world.name, "pybullet")
    plain = nominal_drawer(world)

    def times(width: float) -> float:
        return float(width ** rng.uniform(-1, 1))

    def each(values: Seven, width: float) -> Seven:
        return tuple(x * times(width) for x in values)

    bearing = rng.uniform(-np.pi, np.pi)
    x, y, z = plain.place
    coulomb = plain.rails.coulomb * times(2)
    return DrawerReality(
        stiffness=each(plain.stiffness, 1.25),
        damping=each(plain.damping, 1.25),
        scale=each(plain.scale, 1.05),
        grip=plain.grip * times(1.25),
        grip_damping=plain.grip_damping * times(1.25),
        mass=plain.mass * times(1.5),
        spring=plain.spring * times(2),
        rails=_rails(coulomb, coulomb * float(rng.uniform(1.1, 1.8)), float(rng.uniform(0.01, 0.05)),
                     plain.rails.viscous * times(2)),
        handle=plain.handle * times(1.3),
        place=(x + OFF * float(np.cos(bearing)), y + OFF * float(np.sin(bearing)), z + float(rng.uniform(-0.02, 0.02))),
        yaw=float(rng.uniform(-0.1, 0.1)),
        delay=float(rng.uniform(0, 0.015)),
        noise=5e-4 * times(2),
        tracker=1e-3 * times(2),
        placement=float(rng.uniform(0.002, 0.01)),
    )  # fmt: skip


def _rails(coulomb: float, stiction: float, slip: float, viscous: float) -> Link:
    """The drawer's rails as a joint whose friction is in N, N s/m, and over m/s."""
    still = (0.0, 0.0, 0.0)
    return Link("rails", still, (-1.0, 0.0, 0.0), 0.0, still, still, 0.0, coulomb, stiction, slip, viscous)


class BulletDrawer(Machine):
    """The arm and the cabinet in PyBullet."""

    provenance = "another engine"

    def __init__(self, world: World, reality: DrawerReality) -> None:
        sensed = (*JOINTS, "gripper", "drawer")
        self.channels = tuple(c for c in world.channels if c.name in sensed)
        self.recorded = sensed
        self.actions, self.dt = world.actions, world.control_dt
        self._all, self._reality = world.channels, reality
        self._substeps = round(self.dt / STEP)
        self._servos = tuple(zip(reality.stiffness, HOME, reality.scale, TORQUE, reality.damping, strict=True))
        self._bullet, self._client = bullet_client()
        self._arm, self._cabinet = load_urdf(self._client, _arm_urdf()), load_urdf(self._client, _cabinet_urdf(reality))
        count = self._bullet.getNumJoints(self._arm, physicsClientId=self._client)
        names = [
            self._bullet.getJointInfo(self._arm, i, physicsClientId=self._client)[1].decode() for i in range(count)
        ]
        self._seven = tuple(names.index(j) for j in JOINTS)
        self._fingers = (names.index("left"), names.index("right"))
        self._hand = names.index("hand")
        self._set_up()

    def _joint_names(self) -> list[str]:
        engine, client = self._bullet, {"physicsClientId": self._client}
        count = engine.getNumJoints(self._arm, **client)
        return [engine.getJointInfo(self._arm, i, **client)[1].decode() for i in range(count)]

    def _set_up(self) -> None:
        engine, client = self._bullet, {"physicsClientId": self._client}
        turn = engine.getQuaternionFromEuler((0, 0, self._reality.yaw))
        engine.resetBasePositionAndOrientation(self._cabinet, self._reality.place, turn, **client)
        engine.setTimeStep(STEP, **client)
        touching = {self._hand, *self._fingers}
        for body, links in ((self._arm, range(-1, self._hand + 3)), (self._cabinet, range(-1, 1))):
            for link in links:
                engine.changeDynamics(body, link, linearDamping=0, angularDamping=0, jointDamping=0, restitution=0,
                                      maxJointVelocity=1e3, **client)  # fmt: skip
                group, other = (1, 2) if body == self._arm and link in touching else (2, 1)
                engine.setCollisionFilterGroupMask(body, link, group, other, **client)
        for link in touching:
            engine.changeDynamics(self._arm, link, lateralFriction=1.0, spinningFriction=0, rollingFriction=0, **client)
        engine.changeDynamics(self._cabinet, 0, lateralFriction=self._reality.handle, **client)
        engine.setJointMotorControlArray(self._arm, self._seven, engine.VELOCITY_CONTROL, forces=[0.0] * 7, **client)

    def reset(self, positions: Array, rates: Array, rest: Array, rng: np.random.Generator) -> Array:
        engine, client = self._bullet, {"physicsClientId": self._client}
        self._rng, self._line = rng, CommandLine(rest)
        start = np.array(positions[:7]) + self._reality.placement * rng.standard_normal(7)
        for j, angle in zip(self._seven, np.clip(start, LOWEST, HIGHEST).tolist(), strict=True):
            engine.resetJointState(self._arm, j, angle, 0.0, **client)
        for finger in self._fingers:
            engine.resetJointState(self._arm, finger, float(positions[7]), 0.0, **client)
        engine.resetJointState(self._cabinet, 0, float(positions[8]), 0.0, **client)
        return self._sense()

    def step(self, action: Array, samples: int) -> Array:
        for k, u in enumerate(action.tolist()):
            self._line.send(k, u, self._reality.delay)
        out = np.empty((samples, len(self.channels)))
        for i in range(samples):
            for _ in range(self._substeps):
                self._advance(self._line.arrived())
                self._line.tick()
            out[i] = self._sense()
        return out

    def _advance(self, command: list[float]) -> None:
        engine, client, reality = self._bullet, {"physicsClientId": self._client}, self._reality
        states = engine.getJointStates(self._arm, (*self._seven, *self._fingers), **client)
        torques = []
        for (k, home, scale, most, d), u, (q, w, *_) in zip(self._servos, command, states, strict=False):
            pull = k * (home + scale * u - q)
            torques.append((most if pull > most else -most if pull < -most else pull) - d * w)
        engine.setJointMotorControlArray(self._arm, self._seven, engine.TORQUE_CONTROL, forces=torques, **client)
        places = [s[0] for s in states[7:]]
        mean = sum(places) / 2
        goal = command[7] - mean
        pace, force = reality.grip / reality.grip_damping * goal, min(reality.grip * abs(goal), GRIPPER_FORCE) / 2
        engine.setJointMotorControlArray(
            self._arm, self._fingers, engine.VELOCITY_CONTROL,
            targetVelocities=[pace + _ALIKE * (mean - x) for x in places], forces=[force, force], **client
        )  # fmt: skip
        opening, speed = engine.getJointState(self._cabinet, 0, **client)[:2]
        engine.setJointMotorControl2(self._cabinet, 0, engine.VELOCITY_CONTROL, targetVelocity=0.0,
                                     force=reality.rails.friction(speed), **client)  # fmt: skip
        pull = -reality.spring * opening - reality.rails.viscous * speed
        engine.setJointMotorControl2(self._cabinet, 0, engine.TORQUE_CONTROL, force=pull, **client)
        engine.stepSimulation(**client)

    def judged(self) -> Array:
        engine, client = self._bullet, {"physicsClientId": self._client}
        states = engine.getJointStates(self._arm, (*self._seven, *self._fingers), **client)
        opening, speed = engine.getJointState(self._cabinet, 0, **client)[:2]
        q, w = np.array([s[:2] for s in states]).T
        hand = engine.getLinkState(self._arm, self._hand, computeForwardKinematics=1, **client)
        turned = np.reshape(engine.getMatrixFromQuaternion(hand[5]), (3, 3))
        away = np.array([np.cos(self._reality.yaw), np.sin(self._reality.yaw), 0.0])
        value = {
            **{name: [q[i]] for i, name in enumerate(JOINTS)},
            **{f"{name}.velocity": [w[i]] for i, name in enumerate(JOINTS)},
            "gripper": [q[7:].mean()],
            "gripper.velocity": [w[7:].mean()],
            "drawer": [opening],
            "drawer.velocity": [speed],
            "hand": hand[4] + turned @ [0, 0, GRIP],
            "handle": self._reality.place - opening * away,
        }
        return np.concatenate([value[c.name] for c in self._all])

    def _sense(self) -> Array:
        """What joints, gripper and tracker say, (9,)."""
        states = self._bullet.getJointStates(self._arm, (*self._seven, *self._fingers), physicsClientId=self._client)
        opening = self._bullet.getJointState(self._cabinet, 0, physicsClientId=self._client)[0]
        true = np.array([*(s[0] for s in states[:7]), (states[7][0] + states[8][0]) / 2, opening])
        spread = np.array([self._reality.noise] * 7 + [self._reality.tracker] * 2)
        return np.asarray(true + spread * self._rng.standard_normal(9))

    def reveal(self) -> Mapping[str, float]:
        return self._reality.values()

    def close(self) -> None:
        """Give Bullet's simulation back; closing twice does nothing."""
        if self._client >= 0:
            self._bullet.disconnect(physicsClientId=self._client)
            self._client = -1


def _inertial(mass: float, com: ArrayLike, inertia: tuple[float, ...]) -> str:
    xx, yy, zz, xy, xz, yz = (*inertia, 0.0, 0.0, 0.0)[:6]
    return (
        f'<inertial><origin xyz="{_numbers(com)}"/><mass value="{mass!r}"/><inertia ixx="{xx!r}" iyy="{yy!r}"'
        f' izz="{zz!r}" ixy="{xy!r}" ixz="{xz!r}" iyz="{yz!r}"/></inertial>'
    )


def _capsule(at: ArrayLike, length: float, radius: float, roll: float = 0.0) -> str:
    """A capsule along z, or along y where it is rolled by a quarter turn."""
    return (
        f'<collision><origin xyz="{_numbers(at)}" rpy="{roll!r} 0 0"/>'
        f'<geometry><capsule length="{length!r}" radius="{radius!r}"/></geometry></collision>'
    )


def _joint(name: str, kind: str, parent: str, child: str, at: ArrayLike, rpy: ArrayLike, rest: str) -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{_numbers(at)}" rpy="{_numbers(rpy)}"/>{rest}</joint>'
    )


def _numbers(values: ArrayLike) -> str:
    return " ".join(repr(float(x)) for x in np.asarray(values, dtype=float))


_STILL = _inertial(0.0, (0, 0, 0), (0.0, 0.0, 0.0))


def _arm_urdf() -> str:
    """The Panda with its hand; the rotors' inertia is part of the links'."""
    parts = [f'<robot name="arm"><link name="base">{_STILL}</link>']
    parent = "base"
    for i, ((a, d, alpha), (mass, com, inertia)) in enumerate(zip(DH, LINKS, strict=True)):
        # a body's inertia about one axis is at most that about the two others together
        felt = (inertia[0] + ROTOR / 2, inertia[1] + ROTOR / 2, inertia[2] + ROTOR, *inertia[3:])
        limit = f'<axis xyz="0 0 1"/><limit lower="{LOWEST[i]}" upper="{HIGHEST[i]}" effort="1000" velocity="100"/>'
        at = (a, -d * np.sin(alpha), d * np.cos(alpha))
        parts.append(f'<link name="link{i + 1}">{_inertial(mass, com, felt)}</link>')
        parts.append(_joint(JOINTS[i], "revolute", parent, f"link{i + 1}", at, (alpha, 0, 0), limit))
        parent = f"link{i + 1}"
    mass, com, moments = HAND
    palm = _capsule((0, 0, 0.035), 0.14, 0.03, np.pi / 2)
    parts.append(f'<link name="hand">{_inertial(mass, com, moments)}{palm}</link>')
    parts.append(_joint("hand", "fixed", parent, "hand", (0, 0, FLANGE), (0, 0, -np.pi / 4), ""))
    for name, side in (("left", 1), ("right", -1)):
        length = TIP - RAIL - THICK
        body = _inertial(FINGER_MASS + _FINGER_EXTRA, (0, 0, 0), (1e-4, 1e-4, 1e-4))
        parts.append(f'<link name="{name}">{body}{_capsule((0, side * THICK, length / 2), length, THICK)}</link>')
        limit = f'<axis xyz="0 {side} 0"/><limit lower="0" upper="{FINGER}" effort="1000" velocity="100"/>'
        parts.append(_joint(name, "prismatic", "hand", name, (0, 0, RAIL), (0, 0, 0), limit))
    return "".join([*parts, "</robot>"])


def _cabinet_urdf(reality: DrawerReality) -> str:
    """A solid cabinet, and the drawer on its rails: a bar and a front; the frame is at the closed drawer's handle."""
    depth = LENGTH + 0.06
    solid = (
        f'<collision><origin xyz="{CLEARANCE + 0.02 + depth / 2} 0 -0.1"/>'
        f'<geometry><box size="{depth} 0.52 0.5"/></geometry></collision>'
    )
    front = (
        f'<collision><origin xyz="{CLEARANCE + 0.01} 0 0"/><geometry><box size="0.02 0.5 0.28"/></geometry></collision>'
    )
    body = _inertial(reality.mass, (0, 0, 0), (0.05, 0.05, 0.05))
    rails = f'<axis xyz="-1 0 0"/><limit lower="0" upper="{LENGTH}" effort="1000" velocity="100"/>'
    return (
        f'<robot name="cabinet"><link name="cabinet">{_STILL}{solid}</link>'
        f'<link name="drawer">{body}{_capsule((0, 0, 0), 2 * BAR, RADIUS, np.pi / 2)}{front}</link>'
        f"{_joint('rails', 'prismatic', 'cabinet', 'drawer', (0, 0, 0), (0, 0, 0), rails)}</robot>"
    )
