"""Stand-ins for reality: a world with hidden parameters that plays the real machine, and is named as what it is.

The hidden parameters come from a seed, are drawn from the world's `wide` (else `search`) distribution, and are read
by no adaptation. Use it to try the loop where there are no recordings, and to test methods where the truth is known.

These are recordings, and a row of the world's parameters is their truth. What can be acted on (`live_target`), in
another engine or with effects that no row describes, is in `bullet.py` and `hidden.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.target import Target
from simloop.targets.windows import with_rates
from simloop.trajectories import TrajectorySet, columns
from simloop.worlds.world import Segments, World

#: standard deviation of the added measurement noise, as a fraction of each channel's own variation
NOISE = 0.001


def hidden_parameters(world: World, seed: int) -> Array:
    """Draw the (d,) parameters that a stand-in hides."""
    own = world.distributions()
    drawn: Array = own.get("wide", own["search"]).sample(1, stream(seed, "stand-in", world.name))[0]
    return drawn


def standin_target(
    world: World,
    *,
    seed: int,
    episodes: int = 0,
    seconds: float | None = None,
    amplitude: Array | None = None,
    actions: Array | None = None,
    truth: Array | None = None,
    noise: float = NOISE,
    part: str = "",
) -> Target:
    """Record a world under hidden parameters, driven from where it starts by `world.excitation` or by given actions.

    Args:
        world: what plays reality.
        seed: of the hidden parameters, the excitation and the noise.
        episodes: how many recordings, where `actions` does not say it.
        seconds: how long each is; default 10, or the world's longest horizon where it is replayed whole.
        amplitude: (A,) what the excitations, which reach 1 in each action's unit, are multiplied with.
        actions: (episodes, T, A) to play instead of excitations, one row for each control step.
        truth: (d,) parameters to hide instead of drawn ones.
        noise: standard deviation of the measurement noise, as a fraction of each channel's variation.
        part: names the excitation, so that "train" and "test" differ under the same hidden parameters.
    """
    if actions is None:
        actions = _excitations(world, seed, part, episodes, seconds, amplitude)
    hidden = hidden_parameters(world, seed) if truth is None else truth
    recordings = played(world, hidden, actions, seed=seed, part=part)
    if recordings.diverged is not None and recordings.diverged.any():
        raise InputError(f"the stand-in of {world.name!r} diverged; give smaller actions")
    values = recordings.regular.copy()
    for e in range(len(values)):
        draws = stream(seed, "measurement noise", part, e).standard_normal(values[e].shape)
        values[e] += noise * values[e].std(axis=0) * draws
    return Target(
        name=f"standin:{world.name}{'/' + part if part else ''}",
        recordings=replace(recordings, values=values.reshape(recordings.values.shape), diverged=None),
        provenance="same engine, hidden parameters",
        description=f"a stand-in: {world.summary}, simulated with hidden parameters",
    )


def played(world: World, parameters: Array, actions: Array, *, seed: int = 0, part: str = "") -> TrajectorySet:
    """What a world under `parameters` (d,) does when actions (E, T, A) are played from where it starts, without noise.

    Episodes that diverged are NaN and flagged. `seed` and `part` are of where the world starts.
    """
    episodes, length = actions.shape[:2]
    positions, rates = world.starts(episodes, stream(seed, "starts", part))
    every = np.arange(episodes)
    start = world.state(positions, rates)
    run = world.simulate(parameters[None], Segments(start, actions, every, np.zeros_like(every), length - 1))
    held = world.channels if world.whole else world.measured
    at = [j for c, s in zip(world.channels, columns(world.channels), strict=True) if c in held for j in _span(s)]
    first = with_rates(positions, rates, world.measured, held)
    values = np.concatenate([first[:, None], run.regular[:, :, at]], axis=1)
    return TrajectorySet(
        channels=held,
        action_channels=world.actions,
        time=np.tile(np.arange(length, dtype=np.float64) * world.control_dt, episodes),
        values=values.reshape(-1, len(at)),
        actions=actions.reshape(episodes * length, len(world.actions)),
        offsets=np.arange(episodes + 1, dtype=np.int64) * length,
        diverged=run.diverged,
        sources=tuple(f"stand-in {part} {e}".replace("  ", " ") for e in range(episodes)),
        meta={"made by": "a stand-in", "seed": seed, "versions": world.versions()},
    )


def _excitations(
    world: World, seed: int, part: str, episodes: int, seconds: float | None, amplitude: Array | None
) -> Array:
    """The world's own random excitations, (episodes, T, A)."""
    lasts = seconds or (world.horizons[-1] if world.whole else 10.0)
    scale = np.ones(len(world.actions)) if amplitude is None else np.asarray(amplitude, dtype=float)
    return np.stack([world.excitation(lasts, stream(seed, "excitation", part, e)) * scale for e in range(episodes)])


def _span(s: slice) -> range:
    return range(s.start, s.stop)
