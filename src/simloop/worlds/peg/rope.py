"""The soft rope between the arm's hand and the peg: a chain of links on ball joints.

    add_rope(spec, hand)            # bodies rope1 to rope5 and peg, joints bend1 to bend6
    turn = hanging(angles)          # (..., 4), what of bend1 makes the rope hang straight down

Each joint is bent and twisted against a spring and a damper. SimOpt's rope (Chebotar et al., ICRA 2019, Table III) has
a compliance for bending and one for torsion; here they are one, since nothing but the turn of a round peg would tell
them apart. Pairs of hinges in place of ball joints would, but are singular where a rope is bent by a right angle. The
rope is for the eye where it would touch something: it touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drawer.panda import DH, GRIP, HOME

if TYPE_CHECKING:
    import mujoco

#: rad, by which the hand's frame is turned on the last joint's
_FLANGE_TURN = -np.pi / 4


@dataclass(frozen=True)
class Rope:
    """A rope and the peg at its end.

    Attributes:
        length, mass: m and kg of the rope.
        stiffness, damping: N m/rad and N m s/rad of each of its joints.
        peg_mass: kg, of the peg.
        peg_radius, peg_length: m, of the peg, whose straight part is so long and ends in two half balls.
        middle: m, from where the rope holds the peg to the peg's middle.
        friction: coefficient between peg and box.
        links: how many the rope has; it can bend at the hand, between them, and at the peg.
        dry: N m, Coulomb friction of each joint.
    """

    length: float = 0.3
    mass: float = 0.03
    stiffness: float = 3e-3
    damping: float = 3e-3
    peg_mass: float = 0.1
    peg_radius: float = 0.015
    peg_length: float = 0.07
    middle: float = 0.05
    friction: float = 0.4
    links: int = 5
    dry: float = 0.0

    @property
    def bends(self) -> tuple[str, ...]:
        """The joints, from the hand to the peg."""
        return tuple(f"bend{i + 1}" for i in range(self.links + 1))


#: the rope of the world's defaults
ROPE = Rope()


def add_rope(spec: mujoco.MjSpec, hand: mujoco.MjsBody, rope: Rope = ROPE) -> None:
    """Hang a rope with its peg between the fingertips of a hand that is as in the pose `HOME`."""
    import mujoco

    upright = np.zeros(4)
    mujoco.mju_mat2Quat(upright, hand_turn(np.array(HOME)).T.ravel())
    parent, at, turn = hand, [0, 0, GRIP], upright.tolist()
    link, mass = rope.length / rope.links, rope.mass / rope.links
    for i in range(rope.links):
        body = parent.add_body(name=f"rope{i + 1}", pos=at, quat=turn, mass=mass, ipos=[0, 0, -link / 2],
                               inertia=[mass * link**2 / 12] * 2 + [1e-7], explicitinertial=True)  # fmt: skip
        _bend(body, rope, i)
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, 0, 0, -link], size=[0.004, 0, 0],
                      contype=0, conaffinity=0, group=1, rgba=[0.85, 0.75, 0.5, 1])  # fmt: skip
        parent, at, turn = body, [0, 0, -link], [1, 0, 0, 0]
    across, along = rope.peg_mass * (rope.peg_length + 2 * rope.peg_radius) ** 2 / 12, rope.peg_mass * 1e-4
    peg = parent.add_body(name="peg", pos=at, mass=rope.peg_mass, ipos=[0, 0, -rope.middle],
                          inertia=[across, across, along], explicitinertial=True)  # fmt: skip
    _bend(peg, rope, rope.links)
    high, low = rope.peg_length / 2 - rope.middle, -rope.peg_length / 2 - rope.middle
    geom = peg.add_geom(name="peg", type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, high, 0, 0, low],
                        size=[rope.peg_radius, 0, 0], contype=2, conaffinity=0, priority=1,
                        rgba=[0.8, 0.2, 0.2, 1])  # fmt: skip
    geom.friction[0] = rope.friction
    peg.add_site(name="peg", pos=[0, 0, -rope.middle])


def _bend(body: mujoco.MjsBody, rope: Rope, i: int) -> None:
    """Let a body bend where it is fastened."""
    import mujoco

    joint = body.add_joint(name=rope.bends[i], type=mujoco.mjtJoint.mjJNT_BALL, frictionloss=rope.dry)
    joint.stiffness, joint.damping = [rope.stiffness, 0, 0], [rope.damping, 0, 0]


def hanging(angles: Array) -> Array:
    """Return how `bend1` is turned, a quaternion (..., 4), so that the rope hangs straight down.

    Args:
        angles: (..., 7) rad, of the arm's joints.
    """
    mounted = hand_turn(angles) @ hand_turn(np.array(HOME)).T
    down = -mounted[..., 2, :]  # the vertical, as the rope's fastening sees it
    q = np.stack([1 - down[..., 2], down[..., 1], -down[..., 0], 0 * down[..., 0]], axis=-1)  # the shortest way
    return np.asarray(q / np.linalg.norm(q, axis=-1, keepdims=True))


def hand_turn(angles: Array) -> Array:
    """Return how the hand is turned, (..., 3, 3), under joint angles (..., 7) rad."""
    turned = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for k, (_, _, alpha) in enumerate((*DH, (0.0, 0.0, 0.0))):
        theta = angles[..., k] if k < len(DH) else np.full(angles.shape[:-1], _FLANGE_TURN)
        c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        zero = np.zeros_like(c)
        rows = [[c, -s, zero], [s * ca, c * ca, zero - sa], [s * sa, c * sa, zero + ca]]
        turned = turned @ np.moveaxis(np.array(rows), (0, 1), (-2, -1))
    return turned
