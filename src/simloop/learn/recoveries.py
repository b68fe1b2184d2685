"""What a driver sees where it gets to by itself, and what the expert would do there: DAgger for images.

    images, labels = recoveries(world, model, 8_000, distribution=wide, look=looks, seed=7)

A network that learned where an expert drives has not seen where its own errors lead. Ross, Gordon and Bagnell, "A
reduction of imitation learning and structured prediction to no-regret online learning" (AISTATS 2011): let it drive in
simulation, ask the expert all the time, and learn again from both. The expert is that of the closed loop, which knows
the car's speed and the delay of its steering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simloop.distributions import Distribution
from simloop.learn.driver_model import DriverModel
from simloop.learn.pictures import Images
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream

if TYPE_CHECKING:
    from simloop.worlds.drive.world import Drive

#: decisions from one picture that is kept to the next, and m that each road is driven for each
_EVERY, _METRES = 4, 0.6
#: pictures of one road
_OF_A_ROAD = 160


def recoveries(
    world: Drive,
    model: DriverModel,
    count: int,
    *,
    distribution: Distribution,
    look: Distribution | None,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Images, Array]:
    """Pictures (n, H, W, 3) of the model's own size that it sees while it drives, and the expert's steering (n,).

    Args:
        world: where it drives, on roads of its own.
        model: who drives. Where someone must take the wheel the car is put back on its line.
        count: n; of few roads of fast cars there may be fewer.
        distribution: what roads are drawn from.
        look: what their looks are drawn from.
        seed: of everything random.
        progress: told how far it is.
    """
    from simloop.worlds.drive.closed_loop import close_loop

    images: list[Images] = []
    labels: list[Array] = []
    decisions = 0

    def keep(seen: Any, steering: Array) -> None:
        nonlocal decisions
        if decisions % _EVERY == 0:
            images.append(seen)
            labels.append(steering)
        decisions += 1

    with world.onboard(model.shape.size, look=look, seed=seed) as see:
        close_loop(
            world, model, see=see, distribution=distribution, roads=max(count // _OF_A_ROAD, 1),
            kilometres=count * _METRES / 1000, seed=seed, witness=keep, progress=progress,
        )  # fmt: skip
    # roads in random order, so that fewer pictures than were taken are not of the roads' beginnings alone
    kept = stream(seed, "recoveries").permutation(sum(map(len, labels)))[:count]
    return np.concatenate(images)[kept], np.concatenate(labels)[kept]
