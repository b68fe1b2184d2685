"""The soft rope between the arm's hand and the peg: a chain of links on ball joints.

    peg = add_rope(spec, hand)      # bodies rope1 to rope5 and peg, joints bend1 to bend6
    turn = hanging(angles)          # (..., 4), what of bend1 makes the rope hang straight down

Each joint is bent and twisted against a spring and a damper. SimOpt's rope (Chebotar et al., ICRA 2019, Table III) has
a compliance for bending and one for torsion; here they are one, since nothing but the turn of a round peg would tell
them apart. Pairs of hinges in place of ball joints would, but are singular where a rope is bent by a right angle. The
rope is for the eye where it would touch something: it touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drawer.panda import DH, GRIP, HOME

if TYPE_CHECKING:
    import mujoco

#: how many links a rope has; where it can bend: at the hand, between links, at the peg
LINKS = 5
BENDS = tuple(f"bend{i + 1}" for i in range(LINKS + 1))
#: m and kg of the whole rope; N m/rad and N m s/rad of each joint
LENGTH, MASS = 0.3, 0.03
STIFFNESS, DAMPING = 3e-3, 3e-3
#: kg, m: the peg's mass, the length of its straight part, its radius; its largest radius
PEG_MASS, PEG_LENGTH, PEG_RADIUS, PEG_WIDEST = 0.1, 0.07, 0.015, 0.022
#: m, from where the rope holds the peg to its middle
PEG_MIDDLE = PEG_LENGTH / 2 + PEG_RADIUS
#: rad, by which the hand's frame is turned on the last joint's
_FLANGE_TURN = -np.pi / 4


def add_rope(spec: mujoco.MjSpec, hand: mujoco.MjsBody) -> mujoco.MjsBody:
    """Hang a rope with a peg between the fingertips of a hand that is as in the pose `HOME`; return the peg."""
    import mujoco

    upright = np.zeros(4)
    mujoco.mju_mat2Quat(upright, hand_turn(np.array(HOME)).T.ravel())
    parent, at, turn = hand, [0, 0, GRIP], upright.tolist()
    link = LENGTH / LINKS
    for i in range(LINKS):
        body = parent.add_body(name=f"rope{i + 1}", pos=at, quat=turn, mass=MASS / LINKS, ipos=[0, 0, -link / 2],
                               inertia=[MASS / LINKS * link**2 / 12] * 2 + [1e-7], explicitinertial=True)  # fmt: skip
        _bend(body, i)
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, 0, 0, -link], size=[0.004, 0, 0],
                      contype=0, conaffinity=0, group=1, rgba=[0.85, 0.75, 0.5, 1])  # fmt: skip
        parent, at, turn = body, [0, 0, -link], [1, 0, 0, 0]
    return _add_peg(parent, at)


def _add_peg(rope: mujoco.MjsBody, at: list[float]) -> mujoco.MjsBody:
    import mujoco

    across, along = PEG_MASS * (PEG_LENGTH + 2 * PEG_RADIUS) ** 2 / 12, PEG_MASS * PEG_RADIUS**2 / 2
    peg = rope.add_body(name="peg", pos=at, mass=PEG_MASS, ipos=[0, 0, -PEG_MIDDLE], inertia=[across, across, along],
                        explicitinertial=True)  # fmt: skip
    _bend(peg, LINKS)
    ends = [0, 0, PEG_LENGTH / 2 - PEG_MIDDLE, 0, 0, -PEG_LENGTH / 2 - PEG_MIDDLE]
    # compiled at its largest: the engine keeps what it looks for contacts in as it was compiled
    peg.add_geom(name="peg", type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=ends, size=[PEG_WIDEST, 0, 0], contype=2,
                 conaffinity=0, priority=1, rgba=[0.8, 0.2, 0.2, 1])  # fmt: skip
    peg.add_site(name="peg", pos=[0, 0, -PEG_MIDDLE])
    return peg


def _bend(body: mujoco.MjsBody, i: int) -> None:
    """Let a body bend where it is fastened."""
    import mujoco

    joint = body.add_joint(name=BENDS[i], type=mujoco.mjtJoint.mjJNT_BALL)
    joint.stiffness, joint.damping = [STIFFNESS, 0, 0], [DAMPING, 0, 0]


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
