"""How cars move: the bicycle model with tyres that slip, for many cars at once in a compiled loop.

    values = replay(states, forms, commands, 0.05)          # (n, 7), (n, 7), (n, k, 2) -> (n, k, 7)

A state is x, y, m, heading, rad, forward speed, sideways speed, m/s, yaw rate, rad/s, and the angle of the front
wheels, rad. Place and speeds are those of the middle of the rear axle, which follows the wheels at any speed, so that
a state means the same for every car. Angles, sideways speed and yaw rate are positive to the left.

The model is that of Pacejka (Tire and Vehicle Dynamics, 3rd ed., sections 1.3 and 3.2): two axles, each with the side
force of Fiala's brush, -C t + C^2 |t| t / (3 m) - C^3 t^3 / (27 m^2) of the tangent t of its slip angle, up to the grip
m that the longitudinal force leaves of a friction circle. Forces are counted beside the weight on their axle. Its
choices:

- The square of the radius of gyration is the product of the distances of the axles from the centre of mass, as of most
  cars about. Then an axle moves as if its part of the mass stood on it, and the kinetic energy is
  m (u^2 + b v_r^2 + (1 - b) v_f^2) / 2 of the forward speed and the sideways speeds of the axles.
- A tyre that carries more is less stiff beside what it carries (`LOAD`): cars that are heavier in front understeer.
- Accelerating and braking act on both axles as their weight does. Braking stops a car and keeps it there; it goes
  backwards only where it has spun round.
- The body neither rolls nor pitches.

Each step turns the body half, lets the tyres act, and turns it again. Slip velocities decay exponentially, as they do
where the force is in proportion: that is stable at any speed, at rest too, never adds energy, and never asks a tyre for
more than its grip.
"""

from __future__ import annotations

import math

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drive.compiled import compiled

#: the numbers of a state, and the parameters that a car's motion depends on, in the order of its form
STATE = ("x", "y", "heading", "speed", "sideways", "yaw rate", "wheel")
FORM = (
    "car.wheelbase", "car.balance", "car.turn", "car.acceleration", "tyre.stiffness", "tyre.grip", "steering.rate",
)  # fmt: skip
GRAVITY = 9.81
#: how much less stiff, beside its weight, a tyre is that carries twice its even part
LOAD = 0.4
#: s, about, between two steps
TICK = 0.01
#: m/s, slower than which slip angles are those of this speed
_SLOW = 0.3
#: m/s, slower than which a car that is not accelerated stands
_STILL = 1e-3


@compiled
def _held(slip, fast, stiffness, grip):  # type: ignore[no-untyped-def]  # pragma: no cover
    """1/s, what a slip velocity, m/s, is multiplied with: the sideways acceleration of an axle to it."""
    t = abs(slip) / fast
    x = stiffness * t / (3 * grip) if grip > 0 else 1.0
    return GRAVITY * (stiffness * (1 - x + x * x / 3) if x < 1 else grip / max(t, 1e-12)) / fast


@compiled
def _turned(u, v, angle):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A velocity in the axes of a body that turns by about `angle` under it, and the exact angle."""
    half = 0.5 * angle
    c, s = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    return u * c + v * s, v * c - u * s, 2 * math.atan(half)


@compiled
def advance(state, form, steering, throttle, ice, dt):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move one car (7,) on by dt, s, in place; `ice` is the grip beside the usual."""
    base, balance, turn, most, stiffness, grip, rate = form
    steps = max(1, round(dt / TICK))
    h = dt / steps
    grip = grip * ice
    front = stiffness * (1 - LOAD * (1 - 2 * balance))
    rear = stiffness * (1 - LOAD * (2 * balance - 1))
    arm = (1 - balance) * base
    target = -min(max(steering, -1.0), 1.0) * turn
    push = min(max(throttle, -1.0), 1.0) * most
    push = min(max(push, -grip * GRAVITY), grip * GRAVITY)
    x, y, heading, u, v, r, wheel = state
    for _ in range(steps):
        wheel += min(max(target - wheel, -rate * h), rate * h)
        c, s = math.cos(wheel), math.sin(wheel)
        # the body turns under the velocity of its centre of mass: half before the tyres act, half after it
        u, across, turned = _turned(u, v + arm * r, r * h / 2)
        heading += turned
        v, vf = across - arm * r, across + balance * base * r
        pushed = push if push > 0 else max(push, -abs(u) / h) * (1 if u > 0 else -1)
        left = math.sqrt(max(0.0, grip * grip - (pushed / GRAVITY) ** 2))
        u += h * pushed * (balance + (1 - balance) * c)
        vf += h * pushed * s
        # the front tyres' impulse is along their axle, where the body gives way to it by so much
        slip, gives = vf * c - u * s, c * c + (1 - balance) * s * s
        k = _held(slip, max(abs(u * c + vf * s), _SLOW), front, left)
        impulse = slip * (math.exp(-h * k * gives) - 1) / gives
        vf += impulse * c
        u -= impulse * (1 - balance) * s
        v *= math.exp(-h * _held(v, max(abs(u), _SLOW), rear, left))
        r = (vf - v) / base
        if push <= 0 and u * u + v * v + vf * vf < _STILL * _STILL:
            u = v = r = 0.0
        c, s = math.cos(heading), math.sin(heading)
        x += h * (u * c - v * s)
        y += h * (u * s + v * c)
        u, across, turned = _turned(u, v + arm * r, r * h / 2)
        v, heading = across - arm * r, heading + turned
    state[0], state[1], state[2], state[3] = x, y, heading, u
    state[4], state[5], state[6] = v, r, wheel


@compiled
def _replay(states, forms, commands, dt, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    state = np.empty(7)
    for i in range(len(states)):
        state[:] = states[i]
        for k in range(commands.shape[1]):
            advance(state, forms[i], commands[i, k, 0], commands[i, k, 1], 1.0, dt)
            out[i, k] = state


def replay(states: Array, forms: Array, commands: Array, dt: float) -> Array:
    """Drive cars as commanded.

    Args:
        states: (n, 7) where they start.
        forms: (n, 7) their parameters, in the order of `FORM`.
        commands: (n, k, 2) steering and throttle, -1 to 1, of each step.
        dt: s, of a step.

    Returns:
        (n, k, 7) their states after each step.
    """
    out = np.empty((*commands.shape[:2], len(STATE)))
    _replay(np.ascontiguousarray(states, dtype=float), np.ascontiguousarray(forms, dtype=float),
            np.ascontiguousarray(commands, dtype=float), dt, out)  # fmt: skip
    return out
