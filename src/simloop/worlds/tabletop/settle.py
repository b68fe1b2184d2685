"""Objects are dropped: until they rest, or as a sequence in which they fall, rest, and are pushed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.physics import without_engine_warnings

if TYPE_CHECKING:
    import mujoco

#: s, after which what is not still is taken as it is
LONGEST = 2.0
#: m/s and rad/s, below which an object comes to rest
_STILL = 0.004
#: s, in which an object that settles loses its spin: as on a soft cloth, lest eggs rock for minutes
_SPIN_LOST = 0.2
#: rad/s, a little spin at the start, lest something stays upon a corner
_SPIN = 1.0
#: s, from coming to rest to the next push, and at most from one push to the next
_REST, _PATIENCE = 0.25, 1.5
#: m/s, no push is faster: what weighs little would fly across the room
_FASTEST = 2.0
#: rad, how far to either side of the table's middle things are pushed
_ASIDE = 1.0


def settle(model: mujoco.MjModel, rng: np.random.Generator) -> Array:
    """(n, 7) where free bodies, which start where the model has them, come to rest; NaN where it diverges.

    What rests is put to sleep, so that time goes to what still moves.
    """
    import mujoco

    model.opt.enableflags |= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    model.opt.sleep_tolerance = _STILL
    model.dof_damping[:] = np.repeat(model.body_inertia[1:].mean(axis=1) / _SPIN_LOST, 6)
    data = mujoco.MjData(model)
    data.qvel.reshape(-1, 6)[:, 3:] = _SPIN * rng.standard_normal((model.njnt, 3))
    steps = round(LONGEST / model.opt.timestep)
    with without_engine_warnings():
        for _ in range(0, steps, 5):
            mujoco.mj_step(model, data, nstep=5)
            if (data.tree_asleep >= 0).all():
                break
    return np.full((model.njnt, 7), np.nan) if diverged(data) else data.qpos.reshape(-1, 7).copy()


def motion(model: mujoco.MjModel, v: Mapping[str, float], length: int, rate: float, rng: np.random.Generator) -> Array:
    """(length, nq) how free bodies fall from where the model has them, at `rate` frames in a second.

    When all have come to rest, or 1.5 s after the last time, one that is on the table gets a push: the impulse
    `push.impulse`, N s, in its centre of mass, within a radian of the direction to the table's middle. If the
    simulation diverges, all stay as they were.
    """
    import mujoco

    substeps = max(1, int(np.ceil(1 / rate / model.opt.timestep)))
    model.opt.timestep = 1 / rate / substeps
    data = mujoco.MjData(model)
    data.qvel.reshape(-1, 6)[:, 3:] = _SPIN * rng.standard_normal((model.njnt, 3))
    out = np.empty((length, model.nq))
    rested = waited = 0.0
    with without_engine_warnings():
        for k in range(length):
            out[k] = data.qpos
            mujoco.mj_step(model, data, nstep=substeps)
            if diverged(data):
                out[k + 1 :] = out[k]
                break
            moving = np.abs(data.qvel).max(initial=0.0) > 10 * _STILL
            rested, waited = 0.0 if moving else rested + 1 / rate, waited + 1 / rate
            if rested >= _REST or waited >= _PATIENCE:
                rested = waited = 0.0
                _push(model, data, v, rng)
    return out


def _push(model: mujoco.MjModel, data: mujoco.MjData, v: Mapping[str, float], rng: np.random.Generator) -> None:
    """Push one body that is on the table."""
    place = data.qpos.reshape(-1, 7)
    on = np.flatnonzero(place[:, 2] > v["table.height"])
    if not len(on):
        return
    i = int(rng.choice(on))
    heading = np.arctan2(-place[i, 1], -place[i, 0]) + rng.uniform(-_ASIDE, _ASIDE)
    speed = min(v["push.impulse"] / float(model.body_mass[1 + i]), _FASTEST)
    data.qvel.reshape(-1, 6)[i, :2] += speed * np.array([np.cos(heading), np.sin(heading)])


def diverged(data: mujoco.MjData) -> bool:
    """Whether the engine found the state to be no numbers, or began anew."""
    import mujoco

    bad = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
    return any(data.warning[w].number for w in bad) or not np.isfinite(data.qpos).all()


def lay(vertices: Array, rng: np.random.Generator) -> Array:
    """(3, 3) a rotation, of random heading, in which the hull of vertices (V, 3) nearly lies on one of its faces.

    From a random direction downhill: the height of the centre of mass over the ground is that of the lowest vertex
    below it, and its slope is that vertex's way to the side. So faces are met about as often as on a throw.
    """
    down = rng.standard_normal(3)
    down /= np.linalg.norm(down)
    for step in 0.3 * 0.88 ** np.arange(40):
        lowest = vertices[np.argmax(vertices @ down)]
        aside = lowest - (lowest @ down) * down
        far = np.linalg.norm(aside)
        if far < 1e-9:
            break
        down = down - step / far * aside
        down /= np.linalg.norm(down)
    return _upright(-down, rng)


def tumble(rng: np.random.Generator) -> Array:
    """(3, 3) any rotation, all alike."""
    up = rng.standard_normal(3)
    return _upright(up / np.linalg.norm(up), rng)


def _upright(up: Array, rng: np.random.Generator) -> Array:
    """A rotation of random heading that turns a body's axis `up` (3,) to the world's z."""
    x = np.cross(up, rng.standard_normal(3))
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])
