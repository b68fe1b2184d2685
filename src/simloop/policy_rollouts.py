"""A policy's rollouts on the target beside its rollouts in simulation, for the report's picture of them.

    beside_simulated(world, task, policy, rollouts, {"before": p_i, "after": p_i_plus_1}, seed=0)

In both the same policy acts from the same starts, under the mean of each distribution and under draws of it. What it
does in simulation is its answer to what it meets there, so nothing of the real actions is replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simloop.adapt.acted import act_again
from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.learn import Policy
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.rollouts import Rollouts
from simloop.targets.windows import Replay
from simloop.trajectories import TrajectorySet, columns
from simloop.worlds import World
from simloop.worlds.observed import observed, places
from simloop.worlds.task import Task

#: rollouts shown of each iteration, draws of each distribution, and the most instants that are kept
_SHOWN, _DRAWS, _INSTANTS = 3, 40, 150


def beside_simulated(
    world: World,
    task: Task,
    policy: Policy,
    rollouts: Rollouts,
    arms: Mapping[str, Distribution],
    *,
    seed: int,
) -> dict[str, Any]:
    """Real and simulated rollouts of one policy, JSON-able.

    Args:
        world: what is simulated.
        task: what is to be done.
        policy: who acted.
        rollouts: what came of it on the target.
        arms: distributions to act in, by name.
        seed: of the draws.

    Returns:
        which of the first few rollouts were a success, and under `replays` their trajectories as the stage
        `replays` of a loop keeps them: (rollouts, columns, instants) of what was sensed, and of each arm the mean
        parameters' and the band that holds 90 % of its draws.
    """
    target = rollouts.as_target().recordings
    seen = observed(world, target.channels)
    try:
        replay = Replay(seen, target)
    except InputError as error:
        return {"not compared": str(error)}
    shown = [e for e in range(len(target)) if target.sources[e] in replay.sources][:_SHOWN]
    starts = np.stack([replay.states[replay.sources.index(target.sources[e]), 0] for e in shown])
    channels = [c for c in target.channels if not c.rate_of]
    longest = max(float(np.ptp(target.episode(e).time)) for e in shown)
    decisions = min(task.steps, max(1, round(longest / task.decision_dt)))
    every = -(-decisions // _INSTANTS)
    at = np.arange(every - 1, decisions, every)
    time = np.asarray((at + 1) * task.decision_dt, dtype=np.float64)
    kept = places(target.channels, channels, columns(target.channels))
    measured = np.stack([_held(target.episode(e), time)[:, kept].T for e in shown])
    of_world = places(world.channels, channels, columns(world.channels))
    records = {}
    for name, distribution in arms.items():
        drawn = distribution.sample(_DRAWS, stream(seed, "beside simulated", name))
        rows = np.concatenate([distribution.mean[None], drawn])
        acted = act_again(
            world, task, policy, np.repeat(rows, len(shown), axis=0), np.tile(starts, (len(rows), 1)), decisions,
            distribution=distribution,
        ).reshape(len(rows), len(shown), decisions, -1)  # fmt: skip
        simulated = np.moveaxis(acted[:, :, at][..., of_world], -1, -2)
        records[name] = _line_and_band(simulated, np.isnan(measured))
    return {
        "success": rollouts.success[shown].tolist(),
        "replays": {
            "horizon": decisions * task.decision_dt,
            "time": time.tolist(),
            "channels": [c.name if c.width == 1 else f"{c.name} {k + 1}" for c in channels for k in range(c.width)],
            "units": [c.unit if c.width == 1 else "" for c in channels for _ in range(c.width)],
            "wraps": [c.kind == "angle" for c in channels for _ in range(c.width)],
            "files": [target.sources[e] for e in shown],
            "starts": [0.0] * len(shown),
            "measured": measured.tolist(),
            "arms": records,
        },
    }


def _held(episode: TrajectorySet, time: Array) -> Array:
    """What an episode had sensed last at `time` (K,) s from its start, (K, D); NaN after its end."""
    began = episode.time - episode.time[0]
    out = episode.values[np.searchsorted(began, time + 1e-9, side="right") - 1]
    out[time > began[-1] + 1e-9] = np.nan
    return np.asarray(out)


def _line_and_band(acted: Array, unknown: Array) -> dict[str, Any]:
    """The first row's line and the other rows' 90 % band, of (rows, rollouts, columns, instants).

    A band's edges are those of the draws that still act at an instant; it ends where fewer than half of them do.
    """
    draws = acted[1:]
    few = np.isfinite(draws).mean(axis=0) < 0.5
    full = np.where(few, 0.0, draws)
    low, high = np.nanquantile(full, [0.05, 0.95], axis=0, method="weibull")
    gone = few | unknown.astype(bool)
    return {
        "mean": np.where(unknown, np.nan, acted[0]).tolist(),
        "low": np.where(gone, np.nan, low).tolist(),
        "high": np.where(gone, np.nan, high).tolist(),
    }
