"""The Franka Emika Panda with its hand, as published: kinematics, inertias, limits; capsules instead of meshes.

    hand = add_panda(spec)          # bodies link1 to link7 and hand, joints joint1 to joint7, left and right
    add_servos(spec)                # actuators joint1 to joint7 and gripper
    servo_bindings("joint1")        # what parameters of a servo set in the model

Published, and not changed here:
- kinematics (Denavit-Hartenberg, Craig's convention), limits of joints, speeds and torques: Franka Control Interface
  documentation, "Robot and interface specifications";
- masses, centres of mass, inertias: Gaz, Cognetti, Oliva, Robuffo Giordano and De Luca, "Dynamic identification of the
  Franka Emika Panda robot with retrieval of feasible parameters using penalty-based optimization", RA-L 2019, rounded
  as in MuJoCo Menagerie's Panda, which the hand, the fingers and the rotors' inertia are from;
- stiffness and damping of the joints: libfranka's example of joint impedance control; its damping acts on the joint's
  speed. Torque limits are of the stiffness's part. Gravity is compensated inside the arm, so that there is none here.

Not published: stiffness, damping and rotor of the gripper, whose two fingers a mechanism keeps alike. With these it
closes about as fast as the hand's data sheet says, 50 mm/s for each finger, and grips with up to its 70 N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simloop.worlds.physics import Binding

if TYPE_CHECKING:
    import mujoco

JOINTS = tuple(f"joint{i}" for i in range(1, 8))

#: a (m), d (m), alpha (rad) of each joint
DH = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.316, np.pi / 2),
    (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0.0, 0.0, np.pi / 2),
    (0.088, 0.0, np.pi / 2),
)
#: m, from the last joint's frame to the flange; from there to the fingers' rail, to the place between the fingertips,
#: and to the fingertips' end; half a finger's thickness
FLANGE, RAIL, GRIP, TIP, THICK = 0.107, 0.0584, 0.1034, 0.112, 0.005
#: of each link: mass (kg), centre of mass (m), inertia xx, yy, zz, xy, xz, yz (kg m^2)
LINKS = (
    (4.970684, (0.003875, 0.002081, -0.04762), (0.70337, 0.70661, 0.009117, -0.000139, 0.006772, 0.019169)),
    (0.646926, (-0.003141, -0.02872, 0.003495), (0.007962, 0.02811, 0.025995, -0.003925, 0.010254, 0.000704)),
    (3.228604, (0.027518, 0.039252, -0.066502), (0.037242, 0.036155, 0.01083, -0.004761, -0.011396, -0.012805)),
    (3.587895, (-0.05317, 0.104419, 0.027454), (0.025853, 0.019552, 0.028323, 0.007796, -0.001332, 0.008641)),
    (1.225946, (-0.011953, 0.041065, -0.038437), (0.035549, 0.029474, 0.008627, -0.002117, -0.004037, 0.000229)),
    (1.666555, (0.060149, -0.014117, -0.010517), (0.001964, 0.004354, 0.005433, 0.000109, -0.001158, 0.000341)),
    (0.735522, (0.010517, -0.004252, 0.061597), (0.012516, 0.010027, 0.004815, -0.000428, -0.001196, -0.000741)),
)
HAND = (0.73, (-0.01, 0.0, 0.03), (0.001, 0.0025, 0.0017))
FINGER_MASS = 0.015  # kg
#: kg m^2, kg: what the motors' rotors add to each joint and, through their high gear, to each finger
ROTOR, FINGER_ROTOR = 0.1, 5.0

#: rad: lowest and highest angle of each joint
LOWEST = (-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973)
HIGHEST = (2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973)
SPEED = (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61)  # rad/s
TORQUE = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)  # N m
FINGER = 0.04  # m, farthest place of a finger from the middle

STIFFNESS = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)  # N m/rad
DAMPING = (50.0, 50.0, 50.0, 50.0, 30.0, 25.0, 15.0)  # N m s/rad
#: N/m and N s/m of both fingers together, N: of each finger half
GRIPPER_STIFFNESS, GRIPPER_DAMPING, GRIPPER_FORCE = 8000.0, 2000.0, 140.0

#: rad: the arm's published pose "ready", its wrist turned so that the hand points ahead, 30 degrees down, and closes
#: up and down instead of sideways
HOME = (0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, 5 * np.pi / 6, -np.pi / 4)

#: of each link, where a capsule shows it: from, to (m), radius (m); for the eye only
_LOOKS = (
    ((0, 0, -0.15), (0, 0, 0), 0.06),
    ((0, 0, -0.06), (0, 0, 0.06), 0.06),
    ((0, 0, -0.26), (0.04, 0, 0), 0.06),
    ((0, 0, -0.04), (-0.0825, 0.05, 0), 0.055),
    ((0, 0, -0.26), (0, 0.05, -0.05), 0.05),
    ((0, 0, -0.03), (0.06, 0, 0.01), 0.05),
    ((0, 0, 0.0), (0, 0, 0.09), 0.045),
)


def add_panda(spec: mujoco.MjSpec, *, gripper: bool = True) -> mujoco.MjsBody:
    """Add the arm and its hand to the world; return the hand. Without `gripper` its fingers are shut and do not move.

    Of all this only the hand's palm and fingers can touch anything: their `conaffinity` is 1, nothing's `contype` is.
    """
    import mujoco

    body = spec.worldbody
    _show(body, (0, 0, 0), (0, 0, 0.12), 0.08)
    for i, ((a, d, alpha), (mass, com, inertia)) in enumerate(zip(DH, LINKS, strict=True)):
        body = body.add_body(
            name=f"link{i + 1}",
            pos=[a, -d * np.sin(alpha), d * np.cos(alpha)],
            quat=[np.cos(alpha / 2), np.sin(alpha / 2), 0, 0],
            mass=mass,
            ipos=com,
            fullinertia=inertia,
            explicitinertial=True,
        )
        joint = body.add_joint(name=JOINTS[i], axis=[0, 0, 1], range=[LOWEST[i], HIGHEST[i]], limited=1, armature=ROTOR)
        joint.damping[0] = DAMPING[i]
        _show(body, *_LOOKS[i])
    mass, com, moments = HAND
    turn = -np.pi / 8  # half the angle by which the hand is turned on the flange
    hand = body.add_body(
        name="hand",
        pos=[0, 0, FLANGE],
        quat=[np.cos(turn), 0, 0, np.sin(turn)],
        mass=mass,
        ipos=com,
        inertia=moments,
        explicitinertial=True,
    )
    hand.add_site(name="hand", pos=[0, 0, GRIP])
    _touch(hand, "palm", (0, -0.07, 0.035), (0, 0.07, 0.035), 0.03)
    for name, side in (("left", 1), ("right", -1)):
        finger = hand.add_body(name=name, pos=[0, 0, RAIL], mass=FINGER_MASS, inertia=[2.4e-6, 2.4e-6, 1e-6],
                               explicitinertial=True)  # fmt: skip
        if gripper:
            joint = finger.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, side, 0], range=[0, FINGER],
                                     limited=1, armature=FINGER_ROTOR)  # fmt: skip
            joint.damping[0] = GRIPPER_DAMPING / 2
        inside = side * THICK  # so that closed fingers meet in the middle
        _touch(finger, name, (0, inside, 0), (0, inside, TIP - RAIL - THICK), THICK)
    if gripper:
        _couple_fingers(spec)
    return hand


def add_servos(spec: mujoco.MjSpec, *, gripper: bool = True) -> None:
    """Add a position servo to each joint and, with `gripper`, one to both fingers.

    Commands are 0 at `HOME` and with closed fingers. A servo's damping is the joint's, which the engine integrates
    implicitly whatever limits the servo's force.
    """
    import mujoco

    to_joint, to_fingers = mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_TENDON
    for name, stiffness, home, most in zip(JOINTS, STIFFNESS, HOME, TORQUE, strict=True):
        _set_servo(spec.add_actuator(name=name, target=name, trntype=to_joint), stiffness, home, most)
    if gripper:
        fingers = spec.add_actuator(name="gripper", target="fingers", trntype=to_fingers)
        _set_servo(fingers, GRIPPER_STIFFNESS, 0.0, GRIPPER_FORCE)


def servo_bindings(name: str) -> list[Binding]:
    """How parameters `NAME.stiffness` and `NAME.damping` reach a servo and what it moves.

    A servo's force is stiffness * (home + command - position), and damping slows what it moves.
    """
    stiffness, damping = f"{name}.stiffness", f"{name}.damping"
    home = HOME[JOINTS.index(name)] if name in JOINTS else 0.0
    moved, share = ([name], 1.0) if name in JOINTS else (["left", "right"], 0.5)
    return [
        Binding(stiffness, "actuator_gainprm", name, 0),
        Binding(stiffness, "actuator_biasprm", name, 0, factor=home),
        Binding(stiffness, "actuator_biasprm", name, 1, factor=-1.0),
        *(Binding(damping, "dof_damping", joint, factor=share) for joint in moved),
    ]


def _set_servo(servo: mujoco.MjsActuator, stiffness: float, home: float, most: float) -> None:
    """Make an actuator's force stiffness * (home + command - position), at most `most` to both sides."""
    import mujoco

    servo.gainprm[0] = stiffness
    servo.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    servo.biasprm[:2] = [stiffness * home, -stiffness]
    servo.forcelimited, servo.forcerange = 1, [-most, most]


def _couple_fingers(spec: mujoco.MjSpec) -> None:
    """Keep the fingers alike, and name the mean of their places `fingers`."""
    import mujoco

    alike = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1="left",
                              name2="right", solref=[0.01, 1])  # fmt: skip
    alike.data[:2] = [0, 1]
    alike.solimp[:3] = [0.99, 0.999, 0.001]
    mean = spec.add_tendon(name="fingers")
    mean.wrap_joint("left", 0.5)
    mean.wrap_joint("right", 0.5)


def _touch(body: mujoco.MjsBody, name: str, start: tuple[float, ...], end: tuple[float, ...], radius: float) -> None:
    import mujoco

    body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[*start, *end], size=[radius, 0, 0], contype=0,
                  conaffinity=1, rgba=[0.25, 0.25, 0.3, 1])  # fmt: skip


def _show(body: mujoco.MjsBody, start: tuple[float, ...], end: tuple[float, ...], radius: float) -> None:
    import mujoco

    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[*start, *end], size=[radius, 0, 0], contype=0,
                  conaffinity=0, group=1, rgba=[0.9, 0.9, 0.92, 1])  # fmt: skip
