"""Walking along one's route, whoever is there: what people of published sampled crowds do (`sampling.py`).

Each walks at the speed that it likes, along the straight lines between the places of its route, and then stands there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT

if TYPE_CHECKING:
    from simloop.worlds.crowd.engine import Batch


def along_path(batch: Batch) -> Array:
    """Velocities (N, 2), m/s, that bring everybody to where the route is at the end of the step."""
    places, lengths = batch.ways
    time = np.repeat(batch.time, np.diff(batch.offsets)) + batch.dt
    far = batch.traits[:, TRAIT["speed"]] * np.where(batch.active, time - batch.entered, 0.0)
    who = np.arange(len(places))
    leg = np.clip((lengths <= far[:, None]).sum(axis=1) - 1, 0, places.shape[1] - 2)
    begin, end = lengths[who, leg], lengths[who, leg + 1]
    part = np.clip((far - begin) / np.maximum(end - begin, 1e-12), 0, 1)[:, None]
    goal = (1 - part) * places[who, leg] + part * places[who, leg + 1]
    return np.asarray((goal - batch.position) / batch.dt)
