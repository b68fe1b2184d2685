"""A world where everything is known in closed form: what is observed is linear in the parameters, noise is Gaussian.

    world = LinearGaussian()
    target = world.recordings(100, seed=0, mean=MEAN, covariance=COVARIANCE)     # each recording has its own parameters
    world.posterior(target, prior)                                               # if all had the same ones

Channel c of recording w at step k is  y = a_wk,c . theta_w + noise,  where the features a are the recorded actions
(slow sines). No engine, no state: a window starts at nothing. Each recording is as long as one window of `STEPS` steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from simloop.distributions import Normal
from simloop.parameters import Array, Parameter, ParameterSpace
from simloop.randomness import stream
from simloop.targets.target import Target
from simloop.targets.windows import FIRST
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.world import Segments, World

D, OUTPUTS, STEPS, DT = 3, 2, 10, 0.02
#: ranges of frequency (Hz), phase (rad) and size of the features
_WAVES = ((0.1, 1.0), (0.0, 6.28), (0.3, 1.0))
#: standard deviation of the noise on every observation
NOISE = 0.1
#: the population that the recordings' parameters are drawn from, where they differ
MEAN = np.array([0.8, -0.5, 0.3])
SPREAD = np.array([0.5, 0.3, 0.7])


class LinearGaussian(World):
    """Observations linear in three parameters with prior N(0, 1), seen through actions that are the features."""

    name = "linear-gaussian"
    summary = "a linear world"
    parameters = ParameterSpace([Parameter(f"theta{j + 1}", -20, 20, 0.0, spread=1.0) for j in range(D)])
    channels = tuple(Channel(f"y{c + 1}") for c in range(OUTPUTS))
    actions = tuple(Channel(f"a{c + 1}{j + 1}") for c in range(OUTPUTS) for j in range(D))
    control_dt = DT

    def versions(self) -> dict[str, str]:
        return {}

    def content(self) -> str:
        return "linear-gaussian 1"

    def state(self, positions: Array, rates: Array) -> Array:
        return np.zeros((*positions.shape[:-1], 1))

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        rows = np.broadcast_to(self.parameters.check(parameters), (len(segments), D))
        at = segments.start[:, None] + segments.recorded
        values = np.einsum("nkcd,nd->nkc", features(segments.actions[segments.recording[:, None], at]), rows)
        n, kept = values.shape[:2]
        return TrajectorySet(
            channels=self.channels,
            time=(at * DT).reshape(-1),
            values=values.reshape(-1, OUTPUTS),
            offsets=np.arange(n + 1, dtype=np.int64) * kept,
            parameters=np.array(rows),
            diverged=np.zeros(n, dtype=bool),
        )

    def recordings(self, count: int, *, seed: int, mean: Array, covariance: Array | None = None) -> Target:
        """Record `count` windows under parameters drawn from N(mean, covariance); without one all have the mean."""
        rng = stream(seed, "linear-gaussian")
        length = FIRST + STEPS + 1
        time = np.arange(length) * DT
        frequency, phase, size = (
            rng.uniform(a, b, (count, 1, OUTPUTS * D)) for a, b in ((0.1, 1), (0, 6.28), (0.3, 1))
        )
        actions = size * np.sin(2 * np.pi * frequency * time[:, None] + phase)
        rows = np.repeat(mean[None], count, axis=0)
        if covariance is not None:
            rows = rng.multivariate_normal(mean, covariance, size=count)
        values = np.einsum("wtcd,wd->wtc", features(actions), rows)
        values = values + NOISE * rng.standard_normal(values.shape)
        recordings = TrajectorySet(
            channels=self.channels,
            action_channels=self.actions,
            time=np.tile(time, count),
            values=values.reshape(-1, OUTPUTS),
            actions=actions.reshape(-1, OUTPUTS * D),
            offsets=np.arange(count + 1, dtype=np.int64) * length,
            sources=tuple(f"linear {w}" for w in range(count)),
        )
        return Target("linear-gaussian", recordings, "same engine, hidden parameters", "a linear world")

    def posterior(self, target: Target, prior: Normal) -> Normal:
        """The exact posterior of parameters that all recordings share, given the compared instants."""
        r = target.recordings
        length = FIRST + STEPS + 1
        seen = slice(FIRST + 1, FIRST + STEPS + 1)
        A = features(r.actions.reshape(len(r), length, -1)[:, seen]).reshape(-1, D)
        y = r.values.reshape(len(r), length, -1)[:, seen].reshape(-1)
        precision = np.linalg.inv(prior.covariance)
        covariance = np.linalg.inv(precision + A.T @ A / NOISE**2)
        mean = covariance @ (precision @ prior.mean + A.T @ y / NOISE**2)
        return Normal(self.parameters, mean, covariance)


def features(actions: Array) -> Array:
    """Actions (..., OUTPUTS * D) as features (..., OUTPUTS, D)."""
    return actions.reshape(*actions.shape[:-1], OUTPUTS, D)
