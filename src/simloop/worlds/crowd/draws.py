"""Scenes of world `crowd` by number: which scenario, under which parameters, with whom in it.

    draws = draw_scenes(range(100), world, scenarios=["crossing", "plaza"], distribution=wide, seed=7)
    draws[3].scenario, draws[3].values["people.count"], draws[3].scene

A draw depends on the seed, its number, the distribution and the list of scenarios alone. Scenarios take turns: number k
is one of the scenario k modulo their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simloop.config import listed
from simloop.distributions import Distribution, Point
from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.maps import SUFFIXES
from simloop.worlds.crowd.scenarios import SCENARIOS
from simloop.worlds.crowd.scene import Scene

if TYPE_CHECKING:
    from simloop.worlds.crowd.world import Crowd

#: draws after which a distribution is refused that has no scene: its people find no room
_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Draw:
    """A scene and what it was made of.

    Attributes:
        number: of the draw; also that of the scene's random streams.
        scenario: its name.
        row: (d,) parameters.
        values: the same by name.
        scene: who walks where.
    """

    number: int
    scenario: str
    row: Array
    values: Mapping[str, float]
    scene: Scene


def scenarios_named(text: str) -> tuple[str, ...]:
    """The scenarios of a comma-separated list of names and files of maps; `all` is all that have names."""
    names = listed(text)
    if not names:
        raise InputError(f"no scenario is named (there are: all, {', '.join(SCENARIOS)})")
    if names == ("all",):
        return tuple(SCENARIOS)
    for name in names:
        if name not in SCENARIOS and not name.lower().endswith(SUFFIXES):
            raise unknown("scenario of world 'crowd':", name, ["all", *SCENARIOS])
    return names


def draw_scenes(
    numbers: Iterable[int],
    world: Crowd,
    *,
    scenarios: Sequence[str],
    distribution: Distribution | None = None,
    seed: int = 0,
) -> list[Draw]:
    """Draw the scenes of those numbers.

    Args:
        numbers: of the scenes.
        world: world `crowd`, or one of its kind.
        scenarios: their names, by turns.
        distribution: of the parameters; None for their defaults.
        seed: of everything random.

    Raises:
        InputError: what the scenario says where none of a few draws of its parameters has room for its people.
    """
    drawn = distribution or Point(world.parameters)
    return [_draw(k, world, scenarios[k % len(scenarios)], drawn, seed) for k in numbers]


def _draw(number: int, world: Crowd, scenario: str, distribution: Distribution, seed: int) -> Draw:
    rows = distribution.sample(_ATTEMPTS, stream(seed, "crowd", "parameters", number))
    refused: InputError | None = None
    for attempt, row in enumerate(rows):
        values = dict(zip(world.parameters.names, row.tolist(), strict=True))
        try:
            scene = world.scene(scenario, values, stream(seed, "crowd", "scene", number, attempt))
        except InputError as error:
            refused = error
            if isinstance(distribution, Point):
                break
            continue
        return Draw(number, scenario, row, values, scene)
    assert refused is not None
    raise refused
