"""People who walk by a learned policy, in scenarios that it never saw: beside ORCA and social force, same scenes.

A policy is trained in circles of 24 people, two-way corridors, squares, junctions and rooms (task `walk` of world
`crowd`, distribution `wide`), by PPO, once for each of three seeds; then 32 people swap sides of a circle, and 40 cross
or pass a bottleneck of 1.2 m, ten scenes each. Success: the part of the people who reach their goals within 90 s.
Under ORCA and a policy bodies are kept from overlapping, so collisions are counted as touches: pairs of bodies that
come nearer than 5 mm, each time anew, per person. Intervals are by bootstrap over scenes.

    python -m benchmarks crowd_policy                       # trains first: about 15 minutes for each seed
    python -m benchmarks.crowd_policy runs/walker ...       # policies that are there
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.table import show
from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.models import get_model
from simloop.worlds.crowd.scenarios import make_scene
from simloop.worlds.crowd.scene import Scene

_SEEDS, _SCENES, _LONGEST, _TOUCH = 3, 10, 90.0, 0.005
_UNSEEN = {"circle": {"people.count": 32.0}, "crossing": {"people.count": 40.0}, "bottleneck": {"people.count": 40.0}}
_TARGET = 0.95


def run(folders: list[str] | None = None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        walkers = folders or [str(_trained(Path(scratch) / f"walker{seed}", seed)) for seed in range(_SEEDS)]
        models = {**{f"policy {k}": walker for k, walker in enumerate(walkers)},
                  "orca": "orca", "social force": "social-force"}  # fmt: skip
        rows = []
        for scenario, values in _UNSEEN.items():
            scenes = [make_scene(scenario, values, stream(0, "unseen", scenario, k)) for k in range(_SCENES)]
            for name, model in models.items():
                reached, touches, overlaps, seconds = walked(scenes, model)
                met = "" if not name.startswith("policy") else "yes" if reached.mean() >= _TARGET else "no"
                rows.append([f"{scenario}, {len(scenes[0])}", name, _percent(reached), met, _number(touches),
                             str(overlaps), f"{seconds:.1f}"])  # fmt: skip
        show(["scenario, people", "model", "success", f"at least {_TARGET:.0%}", "touches per person",
              "overlaps, pairs x steps", "s to the goal"], rows)  # fmt: skip


def walked(scenes: list[Scene], model: str) -> tuple[Array, Array, int, float]:
    """For each scene the part of people who arrive and their touches; of all, overlaps and the mean time, s."""
    batch = Batch(scenes, model=get_model(model), dt=0.1)
    touching: set[tuple[int, int]] = set()
    touches = np.zeros(len(scenes))
    entered = np.full(len(batch.position), np.nan)
    for _ in range(round(_LONGEST / batch.dt)):
        batch.step()
        entered = np.where(np.isnan(entered), batch.entered, entered)
        now = _touching(batch)
        for a, _ in now - touching:
            touches[np.searchsorted(batch.offsets, a, side="right") - 1] += 1
        touching = now
        if batch.done.all():
            break
    sizes = np.diff(batch.offsets)
    reached = np.add.reduceat(np.isfinite(batch.arrived), batch.offsets[:-1]) / sizes
    return reached, 2 * touches / sizes, int(batch.overlaps.sum()), float(np.nanmean(batch.arrived - entered))


def _touching(batch: Batch) -> set[tuple[int, int]]:
    """Pairs of people whose bodies touch now."""
    radius, found = batch.traits[:, TRAIT["radius"]], set[tuple[int, int]]()
    for first, last in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        at = first + np.flatnonzero(batch.active[first:last])
        if len(at) < 2:
            continue
        i, j = at[cKDTree(batch.position[at]).query_pairs(2 * radius[at].max() + _TOUCH, output_type="ndarray")].T
        gap = np.hypot(*(batch.position[i] - batch.position[j]).T) - radius[i] - radius[j]
        found |= set(zip(i[gap < _TOUCH].tolist(), j[gap < _TOUCH].tolist(), strict=True))
    return found


def _trained(folder: Path, seed: int) -> Path:
    from simloop.verbs_policies import train_into, training_of
    from simloop.worlds import get_world

    world = get_world("crowd")
    task = world.task("walk")
    learner, steps = training_of(task, "ppo", [], None)
    train_into(folder, world, task, learner, "wide", steps=steps, seed=seed)
    return folder


def _interval(of: Array) -> tuple[float, float]:
    return percentile_interval(weighted_mean(of, bootstrap_weights(np.arange(len(of)), 0))[1:])


def _percent(of: Array) -> str:
    low, high = _interval(of)
    return f"{of.mean():.1%} ({low:.1%} to {high:.1%})"


def _number(of: Array) -> str:
    low, high = _interval(of)
    return f"{of.mean():.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    run(sys.argv[1:])
