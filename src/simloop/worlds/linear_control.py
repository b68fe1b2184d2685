"""Linear-quadratic regulation of a batch of linearised machines that hold late commands between decisions.

a, b = held(A, B, delay, dt)              # (n, S, S), (n, S, m) -> the same with the last command in the state
gain = regulator(a, b, Q, R)              # u = -gain @ [x; last command]
"""

from __future__ import annotations

import numpy as np

from simloop.parameters import Array

#: doublings of the horizon: 2^16 decisions, far beyond any episode
_DOUBLINGS = 16


def held(a: Array, b: Array, delay: Array, dt: float) -> tuple[Array, Array]:
    """Discretise x' = a x + b u where input j is held for `dt` and arrives `delay` later, at most `dt`, exactly.

    Args:
        a: (n, S, S).
        b: (n, S, m).
        delay: (n, m), s.
        dt: s.

    Returns:
        (n, S + m, S + m) and (n, S + m, m) for the state [x, u of the decision before].
    """
    n, size, inputs = b.shape
    late = np.clip(delay, 0.0, dt)
    out = np.zeros((n, size + inputs, size + inputs))
    effect = np.zeros((n, size + inputs, inputs))
    out[:, :size, :size] = _exponential(a, np.full(n, dt))[0]
    for j in range(inputs):
        after, fresh = _exponential(a, dt - late[:, j], b[:, :, j])
        _, old = _exponential(a, late[:, j], b[:, :, j])
        out[:, :size, size + j] = (after @ old[..., None])[..., 0]
        effect[:, :size, j] = fresh
        effect[:, size + j, j] = 1.0
    return out, effect


def _exponential(a: Array, time: Array, b: Array | None = None) -> tuple[Array, Array]:
    """exp(a t), (n, S, S), and the integral of exp(a s) b over s in [0, t], (n, S)."""
    from scipy.linalg import expm

    n, size = a.shape[:2]
    block = np.zeros((n, size + 1, size + 1))
    block[:, :size, :size] = a
    if b is not None:
        block[:, :size, size] = b
    both = np.stack([expm(x) for x in block * time[:, None, None]])
    return both[:, :size, :size], both[:, :size, size]


def regulator(a: Array, b: Array, q: Array, r: Array) -> Array:
    """Gains (n, m, S) that minimise the sum of x' q x + u' r u under x <- a x + b u, by u = -gain x.

    The Riccati equation is solved for the whole batch by structure-preserving doubling (Chu, Fan, Lin and Wang 2004,
    Int. J. Control 77, algorithm SDA): each step doubles the horizon.
    """
    eye = np.eye(a.shape[-1])
    g = b @ np.linalg.solve(r, b.swapaxes(-1, -2))
    h, forward = np.broadcast_to(q, a.shape), a
    for _ in range(_DOUBLINGS):
        w = np.linalg.inv(eye + g @ h)
        g, h, forward = (
            g + forward @ w @ g @ forward.swapaxes(-1, -2),
            h + forward.swapaxes(-1, -2) @ h @ w @ forward,
            forward @ w @ forward,
        )
    across = b.swapaxes(-1, -2) @ h
    return np.asarray(np.linalg.solve(r + across @ b, across @ a))
