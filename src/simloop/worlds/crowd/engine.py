"""Many scenes of people at once: step them all, whatever makes them walk.

    batch = Batch(scenes, model="orca", dt=0.1, seed=7)
    while not batch.done.all():
        batch.step()
    batch.position, batch.velocity, batch.heading      # (N, 2), (N, 2), (N,): people of all scenes, one after another

or, whole and recorded,

    simulate(scenes, seconds=60.0, model="orca", every=4, seed=7)     # a TrajectorySet: an episode for each scene

What happens in a scene depends on the scene, the model, `dt` and its number's stream of the seed alone: neither on the
scenes beside it, nor on their order, nor on threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.batch import Batch
from simloop.worlds.crowd.channels import CHANNELS
from simloop.worlds.crowd.models import Model
from simloop.worlds.crowd.scene import Scene

__all__ = ["Batch", "simulate"]


def simulate(
    scenes: Sequence[Scene],
    *,
    seconds: float,
    model: str | Model = "orca",
    dt: float = 0.1,
    every: int = 1,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> TrajectorySet:
    """Simulate scenes until nobody walks or `seconds` are over; an episode for each.

    Rows are of who is inside, by time and then by person (`entity`), at the beginning and after each `every` steps.
    `meta` has the overlaps of each scene and, for each, when people arrived (s, None: not).
    """
    batch = Batch(scenes, model=model, dt=dt, seed=seed, numbers=numbers)
    records: list[tuple[float, NDArray[np.int64], Array]] = []
    steps = round(seconds / dt)
    over = np.zeros(len(batch.scenes), bool)
    groups = np.concatenate([np.zeros(0), *[s.groups for s in batch.scenes]])
    for step in range(steps + 1):
        if step % every == 0:
            at = np.flatnonzero(batch.active & ~over[batch._scene_of])
            state = (batch.position[at], batch.heading[at], groups[at], batch.velocity[at])
            records.append((step * dt, at, np.column_stack(state)))
            over = batch.done.copy()
        if step == steps or over.all():
            break
        batch.step()
    return _recorded(batch, records)


def _recorded(batch: Batch, records: list[tuple[float, NDArray[np.int64], Array]]) -> TrajectorySet:
    person = np.concatenate([np.zeros(0, np.int64), *[at for _, at, _ in records]])
    values = np.concatenate([np.zeros((0, len(CHANNELS))), *[v for _, _, v in records]])
    time = np.repeat([t for t, _, _ in records], [len(at) for _, at, _ in records])
    scene = batch._scene_of[person]
    order = np.argsort(scene, kind="stable")
    arrived = [[None if math.isnan(t) else round(float(t), 6) for t in batch.arrived[a:b]]
               for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)]  # fmt: skip
    meta: dict[str, Any] = {
        "world": "crowd", "model": batch.model.name, "dt": batch.dt, "seed": batch.seed,
        "overlaps": batch.overlaps.tolist(), "deepest": batch.deepest.tolist(), "arrived": arrived,
    }  # fmt: skip
    return TrajectorySet(
        channels=CHANNELS,
        time=time[order],
        values=values[order],
        offsets=np.searchsorted(scene[order], np.arange(len(batch.scenes) + 1)),
        entity=(person - batch.offsets[scene])[order],
        sources=tuple(s.name for s in batch.scenes),
        meta=meta,
    )
