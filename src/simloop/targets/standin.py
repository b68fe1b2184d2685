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
    episodes: int,
    seconds: float | None = None,
    amplitude: Array | None = None,
    truth: Array | None = None,
    noise: float = NOISE,
    part: str = "",
) -> Target:
    """Record `episodes` of a world under hidden parameters, driven by random multisines from where the world starts.

    Args:
        world: what plays reality.
        seed: of the hidden parameters, the excitation and the noise.
        episodes: how many recordings.
        seconds: how long each is; default 10, or the world's longest horizon where it is replayed whole.
        amplitude: (A,) largest action; default 1 in each action's unit.
        truth: (d,) parameters to hide instead of drawn ones.
        noise: standard deviation of the measurement noise, as a fraction of each channel's variation.
        part: names the excitation, so that "train" and "test" differ under the same hidden parameters.
    """
    dt = world.control_dt
    steps = round((seconds or (world.horizons[-1] if world.whole else 10.0)) / dt)
    time = np.arange(steps + 1, dtype=np.float64) * dt
    scale = np.ones(len(world.actions)) if amplitude is None else np.asarray(amplitude, dtype=float)
    actions = np.stack(
        [_multisine(time, len(world.actions), stream(seed, "excitation", part, e)) * scale for e in range(episodes)]
    )
    positions, rates = world.starts(episodes, stream(seed, "starts", part))
    start = world.state(positions, rates)
    segments = Segments(start, actions, np.arange(episodes), np.zeros(episodes, dtype=np.int64), steps)
    hidden = hidden_parameters(world, seed) if truth is None else truth
    run = world.simulate(hidden[None], segments)
    if run.diverged is not None and run.diverged.any():
        raise InputError(f"the stand-in of {world.name!r} diverged; give smaller actions")
    held = world.channels if world.whole else world.measured
    at = [j for c, s in zip(world.channels, columns(world.channels), strict=True) if c in held for j in _span(s)]
    first = with_rates(positions, rates, world.measured, held)
    values = np.concatenate([first[:, None], run.regular[:, :, at]], axis=1)
    for e in range(episodes):
        draws = stream(seed, "measurement noise", part, e).standard_normal(values[e].shape)
        values[e] += noise * values[e].std(axis=0) * draws
    return Target(
        name=f"standin:{world.name}{'/' + part if part else ''}",
        recordings=TrajectorySet(
            channels=held,
            action_channels=world.actions,
            time=np.tile(time, episodes),
            values=values.reshape(-1, len(at)),
            actions=actions.reshape(len(time) * episodes, len(world.actions)),
            offsets=np.arange(episodes + 1, dtype=np.int64) * (steps + 1),
            sources=tuple(f"stand-in {part} {e}".replace("  ", " ") for e in range(episodes)),
            meta={"made by": "a stand-in", "seed": seed, "versions": world.versions()},
        ),
        provenance="same engine, hidden parameters",
        description=f"a stand-in: {world.summary}, simulated with hidden parameters",
    )


def _span(s: slice) -> range:
    return range(s.start, s.stop)


def _multisine(time: Array, width: int, rng: np.random.Generator) -> Array:
    """Sums of eight sines of random frequency (0.1 to 3 Hz) and phase, peaking near 1, (T, width)."""
    frequency = np.exp(rng.uniform(np.log(0.1), np.log(3.0), (8, width)))
    phase = rng.uniform(0, 2 * np.pi, (8, width))
    waves = np.sin(2 * np.pi * time[:, None, None] * frequency + phase).sum(axis=1)
    return np.asarray(waves / np.abs(waves).max(axis=0))
