"""World `crowd`: people who walk. What may vary is how they walk (kind behaviour), and where (kind structure).

    world = get_world("crowd")
    draws = world.draws(range(100), scenarios=["crossing"], distribution=world.distribution("wide"), seed=7)
    tracks = simulate([d.scene for d in draws], seconds=60.0, model="orca", numbers=[d.number for d in draws], seed=7)

Nobody's actions are recorded in it, so nothing is replayed: tracks of real people are compared by what they have in
common with simulated ones. What happens under parameters (`outcomes`) is told by small scenes of all scenarios.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.compiled import loop_versions, source_hash
from simloop.worlds.crowd.channels import CHANNELS
from simloop.worlds.crowd.people import PEOPLE
from simloop.worlds.crowd.scenarios import TABLE
from simloop.worlds.spreads import Row, distributions, space
from simloop.worlds.world import World

if TYPE_CHECKING:
    from simloop.worlds.crowd.draws import Draw
    from simloop.worlds.crowd.scene import Scene
    from simloop.worlds.crowd.walkers import Walkers
    from simloop.worlds.task import Task

#: s, a step of those who walk
STEP = 0.1
#: s, when it is told what happens
_TOLD = (2.0, 5.0, 10.0)
#: scenes that are simulated at once
_CHUNK = 256


class Crowd(World):
    """People who walk among others and among walls.

    Args:
        name, summary: of the world.
        table: what may vary.
        walking: the model of walking where none is named.
    """

    #: the scenario that is filmed where none is named
    filmed: ClassVar[str] = "crossing"

    def __init__(
        self,
        name: str = "crowd",
        summary: str = "people who walk: corridors, crossings, rooms with exits, squares, streets",
        table: Sequence[Row] = (*TABLE, *PEOPLE),
        walking: str = "orca",
    ) -> None:
        self.name, self.summary, self.table, self.walking = name, summary, list(table), walking
        self.parameters = space(self.table)
        self.channels, self.actions = CHANNELS, ()
        self.control_dt = STEP
        self.replayed = False

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(self.table)}

    def scenarios(self, text: str = "all") -> tuple[str, ...]:
        """The scenarios of a comma-separated list of names; `all` is all that have names."""
        from simloop.worlds.crowd.draws import scenarios_named

        return scenarios_named(text)

    def sources(self, scenarios: Sequence[str]) -> dict[str, str]:
        """The hashes of what those of the scenarios are made of that are not of this package: files of maps."""
        from simloop.worlds.crowd.scenarios import SCENARIOS

        files = [name for name in scenarios if name not in SCENARIOS]
        for name in files:
            if not Path(name).is_file():
                raise InputError(f"{name}: no such file")
        return {name: hashlib.sha256(Path(name).read_bytes()).hexdigest()[:16] for name in files}

    def scene(self, scenario: str, values: Mapping[str, float], rng: np.random.Generator) -> Scene:
        """A scene of that scenario under parameters by name."""
        from simloop.worlds.crowd.scenarios import make_scene

        return make_scene(scenario, values, rng)

    def versions(self) -> dict[str, str]:
        return loop_versions()

    def content(self) -> str:
        own = Path(__file__).parent
        return source_hash(own)

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.crowd.walk_task import walk_tasks

        return walk_tasks(self.control_dt)

    def environment(self) -> type[Walkers]:
        """A batch of people, all of whom are told how to walk."""
        from simloop.worlds.crowd.walkers import Walkers

        return Walkers

    def draws(
        self,
        numbers: Iterable[int],
        *,
        scenarios: Sequence[str] | None = None,
        distribution: Distribution | None = None,
        seed: int = 0,
    ) -> list[Draw]:
        """Draw the scenes of those numbers: of all scenarios by turns, or of some, by default of default parameters."""
        from simloop.worlds.crowd.draws import draw_scenes

        names = self.scenarios(",".join(scenarios) if scenarios else "all")
        return draw_scenes(numbers, self, scenarios=names, distribution=distribution, seed=seed)

    def outcomes(self, rows: Array, *, seed: int = 0, model: str | None = None) -> Array:
        """How many people are where, which way they face and how fast they are, in a scene of each scenario.

        Seven numbers for each scenario and each of a few times: how many are in the scene, the means of x, y, x^2 and
        y^2 (m, m^2), of speed (m/s) and of the heading's sine. Of scenarios that have no room for a row's people they
        are 0.
        """
        rows = self.parameters.check(rows)
        names = self.scenarios()
        scenes: list[Scene] = []
        places: list[tuple[int, int]] = []
        for i, row in enumerate(rows):
            values = dict(zip(self.parameters.names, row.tolist(), strict=True))
            for j, name in enumerate(names):
                try:
                    scenes.append(self.scene(name, values, stream(seed, "crowd", "outcomes", j)))
                except InputError:
                    continue
                places.append((i, j))
        told = np.zeros((len(rows), len(names), 7 * len(_TOLD)))
        for first in range(0, len(scenes), _CHUNK):
            part = slice(first, first + _CHUNK)
            told[tuple(np.array(places[part]).T)] = _told(
                scenes[part], [j for _, j in places[part]], model or self.walking, seed
            )
        return told.reshape(len(rows), -1)


def crowd_named(name: str) -> Crowd:
    """World `crowd`, or one of its kind."""
    from simloop.worlds import get_world

    world = get_world(name)
    if not isinstance(world, Crowd):
        raise InputError(f"world {name!r} is not of people who walk; 'crowd' is, and those of its kind")
    return world


def _told(scenes: Sequence[Scene], numbers: Sequence[int], model: str, seed: int) -> Array:
    """(n, 7 x times) what is told of each scene."""
    from simloop.worlds.crowd.engine import Batch

    batch = Batch(scenes, model=model, dt=STEP, seed=seed, numbers=numbers)
    parts = []
    for k in range(1, round(_TOLD[-1] / STEP) + 1):
        batch.step()
        if any(k == round(t / STEP) for t in _TOLD):
            parts.append(_moments(batch.offsets, batch.active, batch.position, batch.velocity, batch.heading))
    return np.concatenate(parts, axis=1)


def _moments(
    offsets: NDArray[np.int64], active: NDArray[np.bool_], position: Array, velocity: Array, heading: Array
) -> Array:
    """(n, 7) how many people are in each scene, and means over them."""
    found = np.zeros((len(offsets) - 1, 7))
    for k, (a, b) in enumerate(pairwise(offsets.tolist())):
        there = np.flatnonzero(active[a:b]) + a
        if len(there):
            xy, speed = position[there], np.hypot(*velocity[there].T)
            found[k] = [len(there), *xy.mean(0), *(xy**2).mean(0), speed.mean(), np.sin(heading[there]).mean()]
    return found
