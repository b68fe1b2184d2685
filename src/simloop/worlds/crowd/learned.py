"""A learned policy as a model of walking: everybody walks by it.

    simulate(scenes, seconds=60.0, model="runs/walker")          # a folder that `simloop train crowd` wrote
    simulate(scenes, seconds=60.0, model=learned(Policy.load("runs/walker")))

One policy for everybody, whatever the scene (Lee, Won, Lee, MIG 2018). Bodies are kept apart and off walls as under
ORCA: what a policy would have run into stops it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.models import Model
from simloop.worlds.crowd.sight import WIDTH, Sight, walked

#: people whose decisions are computed together, always as many, so that results do not depend on who else is there
_TOGETHER = 64


def learned(policy: Any, name: str = "learned") -> Model:
    """The model of walking of a policy: perceptions (n, WIDTH) -> decisions (n, 2)."""
    watching: WeakKeyDictionary[Batch, Sight] = WeakKeyDictionary()

    def choose(batch: Batch) -> Array:
        sight = watching.get(batch)
        if sight is None:
            sight = watching[batch] = Sight(batch)
        velocity = walked(batch, decided(policy, sight.look()))
        velocity[np.isfinite(batch.arrived)] = 0.0  # no policy has learned to stay at a goal
        return velocity

    return Model(name, inert=True, apart=True, choose=choose)


def decided(policy: Any, seen: Array) -> Array:
    """Decisions (n, 2) of perceptions (n, WIDTH), in padded parts of the same size."""
    n = len(seen)
    padded = np.zeros((-(-n // _TOGETHER) * _TOGETHER, seen.shape[1]), dtype=np.float32)
    padded[:n] = seen
    parts = [np.asarray(policy(padded[k : k + _TOGETHER])) for k in range(0, len(padded), _TOGETHER)]
    return np.concatenate(parts)[:n] if parts else np.zeros((0, 2))


def walker(run: str | Path) -> Model:
    """The model of walking that a run has learned (`simloop train crowd --learner ppo`)."""
    from simloop.learn.policy import Policy, policy_hash

    policy = Policy.load(run)
    if policy.record.get("world") != "crowd" or len(policy.mean) != WIDTH:
        raise InputError(f"{run}: its policy is not of people who walk; 'simloop train crowd --learner ppo' makes one")
    return replace(learned(policy, name=Path(run).name), content=policy_hash(run))
