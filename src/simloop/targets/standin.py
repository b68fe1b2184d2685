"""Stand-ins for reality: a world with hidden parameters that plays the real machine, and is named as what it is.

The hidden parameters come from a seed, are drawn from the world's `wide` (else `search`) distribution, and are read
by no adaptation. Use it to try the loop where there are no recordings, and to test methods where the truth is known.
"""

from __future__ import annotations

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.target import Target
from simloop.trajectories import TrajectorySet
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
    episodes: int,
    seconds: float = 10.0,
    amplitude: Array | None = None,
    truth: Array | None = None,
    noise: float = NOISE,
    part: str = "",
) -> Target:
    """Record `episodes` of a world under hidden parameters, driven by random multisines from rest.

    Args:
        world: what plays reality.
        seed: of the hidden parameters, the excitation and the noise.
        episodes: how many recordings.
        seconds: how long each is.
        amplitude: (A,) largest action; default 1 in each action's unit.
        truth: (d,) parameters to hide instead of drawn ones.
        noise: standard deviation of the measurement noise, as a fraction of each channel's variation.
        part: names the excitation, so that "train" and "test" differ under the same hidden parameters.
    """
    dt = world.control_dt
    steps = round(seconds / dt)
    time = np.arange(steps + 1, dtype=np.float64) * dt
    scale = np.ones(len(world.actions)) if amplitude is None else np.asarray(amplitude, dtype=float)
    actions = np.stack(
        [_multisine(time, len(world.actions), stream(seed, "excitation", part, e)) * scale for e in range(episodes)]
    )
    width = sum(c.width for c in world.measured)
    if any(c.kind == "quaternion" for c in world.measured):
        raise InputError(f"world {world.name!r}: stand-ins start from rest at angle 0, which a free body cannot")
    rest = world.state(np.zeros((episodes, width)), np.zeros((episodes, width)))
    segments = Segments(rest, actions, np.arange(episodes), np.zeros(episodes, dtype=np.int64), steps)
    hidden = hidden_parameters(world, seed) if truth is None else truth
    run = world.simulate(hidden[None], segments)
    if run.diverged is not None and run.diverged.any():
        raise InputError(f"the stand-in of {world.name!r} diverged; give smaller actions")
    measured = [j for j, c in enumerate(world.channels) if not c.rate_of]
    values = np.concatenate([np.zeros((episodes, 1, width)), run.regular[:, :, measured]], axis=1)
    for e in range(episodes):
        draws = stream(seed, "measurement noise", part, e).standard_normal(values[e].shape)
        values[e] += noise * values[e].std(axis=0) * draws
    return Target(
        name=f"standin:{world.name}{'/' + part if part else ''}",
        recordings=TrajectorySet(
            channels=world.measured,
            action_channels=world.actions,
            time=np.tile(time, episodes),
            values=values.reshape(-1, width),
            actions=actions.reshape(-1, len(world.actions)),
            offsets=np.arange(episodes + 1, dtype=np.int64) * (steps + 1),
            sources=tuple(f"stand-in {part} {e}".replace("  ", " ") for e in range(episodes)),
            meta={"made by": "a stand-in", "seed": seed, "versions": world.versions()},
        ),
        provenance="same engine, hidden parameters",
        description=f"a stand-in: {world.summary}, simulated with hidden parameters",
    )


def _multisine(time: Array, width: int, rng: np.random.Generator) -> Array:
    """Sums of eight sines of random frequency (0.1 to 3 Hz) and phase, peaking near 1, (T, width)."""
    frequency = np.exp(rng.uniform(np.log(0.1), np.log(3.0), (8, width)))
    phase = rng.uniform(0, 2 * np.pi, (8, width))
    waves = np.sin(2 * np.pi * time[:, None, None] * frequency + phase).sum(axis=1)
    return np.asarray(waves / np.abs(waves).max(axis=0))
