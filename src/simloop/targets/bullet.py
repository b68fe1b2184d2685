"""Stand-ins of machines of two joints in PyBullet: another engine, with hidden parameters.

    machine = BulletMachine(world, hidden(world, 7, "pybullet"))

Bullet integrates the joints at 1 kHz. Its joints know neither rotors behind a gear nor Stribeck's friction, so both are
applied by hand: the acceleration a of the joints follows from Bullet's own mass matrix M and bias forces c as

    (M + R + h D) a = u - D w - s - c

with the rotors R, the motors' torques u, springs s, the time step h, and friction as the drag D(w) = friction(w) / |w|
+ viscous, taken at the end of the step, so that it stops a joint and never turns it around. The torque that makes
Bullet move so is M a + c.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from simloop.errors import InputError, MissingExtraError
from simloop.parameters import Array
from simloop.targets.hidden import STEP, StandInMachine
from simloop.targets.realities import Link, Reality
from simloop.worlds.world import World

#: rad/s, below which a joint that friction holds creeps
_CREEP = 1e-3


def bullet() -> Any:
    """The module `pybullet`, or an error that names the extra that brings it."""
    try:
        with _silent():
            return importlib.import_module("pybullet")
    except ImportError:
        raise MissingExtraError("a stand-in in another engine", "standin") from None


def bullet_client() -> tuple[Any, int]:
    """PyBullet and a new, empty simulation in it; to be disconnected when it is not needed any more."""
    engine = bullet()
    client = int(engine.connect(engine.DIRECT))
    if client < 0:
        raise InputError("PyBullet gives no further simulation; close the live targets that are not needed")
    return engine, client


def load_urdf(client: int, urdf: str) -> int:
    """Load a URDF's text on a fixed base; inertias are taken as they are written."""
    engine = bullet()
    handle, path = tempfile.mkstemp(suffix=".urdf")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(urdf)
        return int(
            engine.loadURDF(path, useFixedBase=True, flags=engine.URDF_USE_INERTIA_FROM_FILE, physicsClientId=client)
        )
    finally:
        os.unlink(path)


class BulletMachine(StandInMachine):
    """The stand-in in PyBullet."""

    def __init__(self, world: World, reality: Reality) -> None:
        super().__init__(world, reality, "another engine")
        self._bullet, self._client = bullet_client()
        self._body = load_urdf(self._client, _urdf(reality))
        self._bullet.setGravity(*reality.gravity, physicsClientId=self._client)
        self._bullet.setTimeStep(STEP, physicsClientId=self._client)
        for link in (-1, 0, 1):
            self._bullet.changeDynamics(self._body, link, linearDamping=0, angularDamping=0, jointDamping=0,
                                        maxJointVelocity=1e4, physicsClientId=self._client)  # fmt: skip
        self._bullet.setJointMotorControlArray(
            self._body, [0, 1], self._bullet.VELOCITY_CONTROL, forces=[0, 0], physicsClientId=self._client
        )

    def _place(self, positions: Array, rates: Array) -> None:
        for k in (0, 1):
            self._bullet.resetJointState(
                self._body, k, float(positions[k]), float(rates[k]), physicsClientId=self._client
            )

    def _advance(self, command: list[float]) -> None:
        engine, body, client, links = self._bullet, self._body, self._client, self._reality.links
        first, second = engine.getJointStates(body, (0, 1), physicsClientId=client)
        q, w = (first[0], second[0]), (first[1], second[1])
        (m11, m12), (_, m22) = engine.calculateMassMatrix(body, q, physicsClientId=client)
        c1, c2 = engine.calculateInverseDynamics(body, q, w, (0.0, 0.0), physicsClientId=client)
        torque = [0.0, 0.0]
        for motor, u in zip(self._reality.motors, command, strict=True):
            torque[motor.joint] += motor.torque * (u + motor.bias)
        d1, d2 = (_drag(link, rate) for link, rate in zip(links, w, strict=True))
        s1, s2 = ((link.spring + link.stiffening * x * x) * x for link, x in zip(links, q, strict=True))
        f1, f2 = torque[0] - d1 * w[0] - s1 - c1, torque[1] - d2 * w[1] - s2 - c2
        a11, a22 = m11 + links[0].rotor + STEP * d1, m22 + links[1].rotor + STEP * d2
        determinant = a11 * a22 - m12 * m12
        a1, a2 = (a22 * f1 - m12 * f2) / determinant, (a11 * f2 - m12 * f1) / determinant
        forces = (m11 * a1 + m12 * a2 + c1, m12 * a1 + m22 * a2 + c2)
        engine.setJointMotorControlArray(body, (0, 1), engine.TORQUE_CONTROL, forces=forces, physicsClientId=client)
        engine.stepSimulation(physicsClientId=client)

    def _joints(self) -> tuple[Array, Array]:
        first, second = self._bullet.getJointStates(self._body, (0, 1), physicsClientId=self._client)
        return np.array([first[0], second[0]]), np.array([first[1], second[1]])

    def close(self) -> None:
        """Give Bullet's simulation back; closing twice does nothing."""
        if self._client >= 0:
            self._bullet.disconnect(physicsClientId=self._client)
            self._client = -1


def _drag(link: Link, rate: float) -> float:
    """All friction of a joint as a drag, N m s/rad."""
    speed = abs(rate)
    return link.friction(rate) / max(speed, _CREEP) + link.viscous


def _urdf(reality: Reality) -> str:
    """The machine as a URDF: two links in a row on a fixed base, inertias as they are."""

    def numbers(values: tuple[float, ...]) -> str:
        return " ".join(repr(float(v)) for v in values)

    still = '<inertial><mass value="0"/><inertia ixx="0" iyy="0" izz="0" ixy="0" ixz="0" iyz="0"/></inertial>'
    parts = [f'<robot name="stand-in"><link name="base">{still}</link>']
    parent = "base"
    for link in reality.links:
        ixx, iyy, izz = link.inertia
        parts.append(
            f'<link name="{link.name}"><inertial><origin xyz="{numbers(link.com)}"/><mass value="{link.mass!r}"/>'
            f'<inertia ixx="{ixx!r}" iyy="{iyy!r}" izz="{izz!r}" ixy="0" ixz="0" iyz="0"/></inertial></link>'
            f'<joint name="{link.name} joint" type="continuous"><parent link="{parent}"/><child link="{link.name}"/>'
            f'<origin xyz="{numbers(link.at)}"/><axis xyz="{numbers(link.axis)}"/></joint>'
        )
        parent = link.name
    return "".join([*parts, "</robot>"])


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep PyBullet from greeting on the terminal: it writes its build time to stderr when it is first imported."""
    if "pybullet" in sys.modules:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        sys.stderr.flush()
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
