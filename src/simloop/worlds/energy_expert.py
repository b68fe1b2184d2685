"""Experts of the pendulums: swing up by shaping the energy, and catch by a linear-quadratic regulator.

    expert = get_world("double-pendulum").expert("swing-up")
    actions = expert(environment)                         # (n, active actions)

Each knows the true parameters of every episode. Swinging, energy is pumped towards that of standing upright (Astrom and
Furuta 2000; for links that are kept stretched, the double pendulum is one). Near upright the regulator takes over: it
is of the machine linearised there, knows how late commands arrive and what was commanded last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from simloop.parameters import Array
from simloop.worlds.linear_control import held, regulator
from simloop.worlds.swing_up import SwingUp

if TYPE_CHECKING:
    from simloop.worlds.environment import Environment

_GRAVITY = 9.81


@dataclass
class EnergyExpert(ABC):
    """Swing up by energy, catch by regulation.

    Attributes:
        task: whose limits and decisions count.
        weights: (4,) cost of the square of each joint's angle and velocity.
        effort: cost of a command as large as its limit.
        catch: the regulator takes over where the commands that it would give are at most this many limits.
    """

    task: SwingUp
    weights: tuple[float, float, float, float] = (10.0, 10.0, 0.15, 0.15)
    effort: float = 4.0
    catch: float = 2.0
    _rows: Array | None = field(default=None, init=False, repr=False)

    def __call__(self, environment: Environment, /) -> Array:
        self._learn(environment)
        angle, rate = environment.values[:, :2], environment.values[:, 2:4]
        error = _turned(angle - self.upright(angle))
        low, high = (np.array(x)[self.task.active] for x in (self.task.low, self.task.high))
        state = np.concatenate([error, rate, environment.commanded[:, self.task.active]], axis=1)
        command = -(self._gains @ state[..., None])[..., 0]
        near = (np.abs(command) <= self.catch * high).all(axis=1) & self.close(error, rate)
        return np.clip(np.where(near[:, None], command + self.level(), self.swing(error, rate)), low, high)

    def _learn(self, environment: Environment) -> None:
        """Read the parameters of episodes that are new."""
        rows = environment.parameters[:, : len(environment.world.parameters)]
        if self._rows is None or self._rows.shape != rows.shape:
            changed = np.ones(len(rows), dtype=bool)
            self._gains = np.zeros((len(rows), int(self.task.active.sum()), 4 + int(self.task.active.sum())))
        else:
            changed = (self._rows != rows).any(axis=1)
        if not changed.any():
            return
        self._rows = rows.copy()
        self.named = environment.world.parameters.view(rows)
        at = np.flatnonzero(changed)
        unique, back = np.unique(rows[at], axis=0, return_inverse=True)
        named = environment.world.parameters.view(unique)
        a, b, delay = self.linear(named)
        active = self.task.active
        a, b = held(a, b[:, :, active], delay[:, active], self.task.decision_dt)
        high = np.array(self.task.high)[active]
        cost = np.diag([*self.weights, *np.zeros(len(high))])
        self._gains[at] = regulator(a, b, cost, np.diag(self.effort / high**2))[back.reshape(-1)]

    @abstractmethod
    def upright(self, angle: Array) -> Array:
        """Joint angles (n, 2) of standing upright, where the joints are at `angle`."""

    @abstractmethod
    def linear(self, named: dict[str, Array]) -> tuple[Array, Array, Array]:
        """The machine near upright: x' = a x + b u, (n, 4, 4), (n, 4, A), and the delay of each command, (n, A)."""

    @abstractmethod
    def close(self, error: Array, rate: Array) -> Array:
        """Where the linear machine is about the true one, (n,)."""

    @abstractmethod
    def swing(self, error: Array, rate: Array) -> Array:
        """Commands (n, active) that pump energy."""

    def level(self) -> Any:
        """What commands need beside the regulator's to stand still."""
        return 0.0


def _turned(angle: Array) -> Array:
    """Angles in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _first_order(mass: Array, stiffness: Array, damping: Array, effect: Array) -> tuple[Array, Array]:
    """mass q'' + damping q' + stiffness q = effect u as x' = a x + b u of x = (q, q')."""
    n, joints = mass.shape[:2]
    inverse = np.linalg.inv(mass)
    a = np.zeros((n, 2 * joints, 2 * joints))
    a[:, :joints, joints:] = np.eye(joints)
    a[:, joints:, :joints] = -inverse @ stiffness
    a[:, joints:, joints:] = -inverse @ damping
    b = np.zeros((n, 2 * joints, effect.shape[2]))
    b[:, joints:] = inverse @ effect
    return a, b


def _diagonal(*entries: Array) -> Array:
    """(n,), (n,), ... -> diagonal matrices (n, k, k)."""
    return np.stack(entries, axis=-1)[..., None] * np.eye(len(entries))


def _square(a: Array, b: Array, d: Array) -> Array:
    """Symmetric matrices (n, 2, 2)."""
    return np.stack([np.stack([a, b], axis=-1), np.stack([b, d], axis=-1)], axis=-2)


@dataclass
class DoublePendulumExpert(EnergyExpert):
    """Both motors: the elbow is kept straight while the shoulder pumps.

    Attributes:
        length: m, of link 1.
        pump: N m of torque for each J of energy that lacks.
        stretch: 1/s, how fast the elbow is straightened.
    """

    length: float = 0.2
    pump: float = 0.45
    stretch: float = 12.0

    def upright(self, angle: Array) -> Array:
        return np.array([np.pi, 0.0])

    def _mass(self, p: dict[str, Array], cos: Array | float) -> Array:
        lever = p["link2.mass"] * self.length * p["link2.com"] * cos
        second = p["link2.inertia"] + p["link2.mass"] * p["link2.com"] ** 2
        first = p["link1.inertia"] + p["link1.mass"] * p["link1.com"] ** 2 + p["link2.mass"] * self.length**2
        return _square(first + second + 2 * lever + p["joint1.armature"], second + lever, second + p["joint2.armature"])

    def _weight(self, p: dict[str, Array]) -> tuple[Array, Array]:
        """N m of each link's angle, where it is level."""
        first = _GRAVITY * (p["link1.mass"] * p["link1.com"] + p["link2.mass"] * self.length)
        return first, _GRAVITY * p["link2.mass"] * p["link2.com"]

    def linear(self, named: dict[str, Array]) -> tuple[Array, Array, Array]:
        first, second = self._weight(named)
        a, b = _first_order(
            self._mass(named, 1.0),
            -_square(first + second, second, second),
            _diagonal(named["joint1.damping"], named["joint2.damping"]),
            _diagonal(named["motor1.gain"], named["motor2.gain"]),
        )
        return a, b, np.stack([named["motor1.delay"], named["motor2.delay"]], axis=1)

    def close(self, error: Array, rate: Array) -> Array:
        return np.asarray((np.abs(error) < 1.0).all(axis=1))

    def swing(self, error: Array, rate: Array) -> Array:
        p = self.named
        first, second = self._weight(p)
        mass = self._mass(p, np.cos(error[:, 1]))
        weight = -np.stack([first * np.sin(error[:, 0]), np.zeros(len(error))], axis=1)
        weight -= (second * np.sin(error[:, 0] + error[:, 1]))[:, None]
        curl = p["link2.mass"] * self.length * p["link2.com"] * np.sin(error[:, 1])
        turning = np.stack([-curl * (2 * rate[:, 0] + rate[:, 1]) * rate[:, 1], curl * rate[:, 0] ** 2], axis=1)
        energy = (rate * (mass @ rate[..., None])[..., 0]).sum(axis=1) / 2
        energy += first * (np.cos(error[:, 0]) - 1) + second * (np.cos(error[:, 0] + error[:, 1]) - 1)
        friction = np.stack([p["joint1.friction"], p["joint2.friction"]], axis=1) * np.tanh(rate / 0.3)
        hanging = np.cos(error[:, 0]) < -0.9  # at rest there it would not know which way to push
        forward = np.tanh((rate[:, 0] - np.where(hanging, 0.2 * np.sign(error[:, 0]), 0.0)) / 0.1)
        shoulder = -self.pump * energy * forward + friction[:, 0]
        bend = -(self.stretch**2) * error[:, 1] - 2 * self.stretch * rate[:, 1]
        rest = turning + weight
        turn = (shoulder - friction[:, 0] - rest[:, 0] - mass[:, 0, 1] * bend) / mass[:, 0, 0]
        elbow = mass[:, 0, 1] * turn + mass[:, 1, 1] * bend + rest[:, 1] + friction[:, 1]
        return np.stack([shoulder / p["motor1.gain"], elbow / p["motor2.gain"]], axis=1)


@dataclass
class QubeExpert(EnergyExpert):
    """The motor pushes in step with the pole's swing, as hard as energy lacks, and draws the arm back to its middle.

    Torques are in units of what holds the pole level.

    Attributes:
        pump: torque for each unit of energy that lacks; hanging lacks 2.
        reach: the largest torque that pumps.
        centre: torque for each rad of the arm.
        free: what is made up for beyond the arm's damping, in units of the root of the pole's inertia times weight:
            the arm swings with the pole and gives energy.
        cone: rad from upright in which the pole is caught.
    """

    weights: tuple[float, float, float, float] = (0.344, 10.0, 0.005, 0.246)
    effort: float = 3.976
    catch: float = 3.056
    pump: float = 11.46
    reach: float = 0.47
    centre: float = 0.72
    free: float = 0.187
    cone: float = 0.508

    def upright(self, angle: Array) -> Array:
        p = self.named
        across = p["base.tilt_y"] * np.cos(angle[:, 0]) - p["base.tilt_x"] * np.sin(angle[:, 0])
        return np.stack([np.zeros(len(angle)), np.pi + np.arctan(across / _GRAVITY)], axis=1)

    def _mass(self, p: dict[str, Array], sin: Array | float, cos: Array | float) -> Array:
        own = p["pole.inertia"] + p["pole.mass"] * p["pole.com"] ** 2
        return _square(
            p["arm.inertia"] + p["pole.mass"] * p["arm.length"] ** 2 + own * sin**2,
            p["pole.mass"] * p["arm.length"] * p["pole.com"] * cos,
            own,
        )

    def linear(self, named: dict[str, Array]) -> tuple[Array, Array, Array]:
        p = named
        a, b = _first_order(
            self._mass(p, 0.0, -1.0),
            _diagonal(p["arm.stiffness"], -_GRAVITY * p["pole.mass"] * p["pole.com"]),
            _diagonal(p["arm.damping"], p["pole.damping"]),
            np.stack([p["motor.torque"], np.zeros(len(p["motor.torque"]))], axis=1)[..., None],
        )
        return a, b, p["motor.delay"][:, None]

    def close(self, error: Array, rate: Array) -> Array:
        return np.asarray(np.abs(error[:, 1]) < self.cone)

    def level(self) -> Any:
        return -self.named["motor.bias"][:, None]

    def swing(self, error: Array, rate: Array) -> Array:
        p = self.named
        own = p["pole.inertia"] + p["pole.mass"] * p["pole.com"] ** 2
        weight = _GRAVITY * p["pole.mass"] * p["pole.com"]
        cos = -np.cos(error[:, 1])
        energy = own / weight * rate[:, 1] ** 2 / 2 - (cos + 1)  # 0 upright, -2 hanging
        step = np.tanh(20 * rate[:, 1] * cos * np.sqrt(own / weight))
        torque = weight * np.clip(self.pump * energy, -self.reach, self.reach) * step
        torque += (p["arm.damping"] + self.free * np.sqrt(own * weight)) * rate[:, 0] - self.centre * weight * error[
            :, 0
        ]
        return np.asarray((torque / p["motor.torque"] - p["motor.bias"])[:, None])
