"""People beside roads of world `drive` are world `crowd`'s: they keep apart, off the roadway, and step out in time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.drive.parameters import TABLE
from simloop.worlds.drive.road import Road, open_road
from simloop.worlds.drive.scene import KINDS, LASTS, TICK, Scene, make_scene
from simloop.worlds.drive.street import Walker, walk_beside
from simloop.worlds.spreads import space


@pytest.fixture(scope="module")
def road() -> Road:
    return open_road(stream(0, "street"), length=200, radius=60, lane_width=3.5, lanes=2, straight=0.9)


def walked(road: Road, *walkers: Walker) -> list[tuple[Array, Array]]:
    """How far along the road and beside it walkers are, every quarter of a second."""
    walks = walk_beside(road, walkers, stream(1, "walks"), seconds=LASTS, tick=TICK)
    return [road.locate(walk[:, :2]) for walk in walks]


def scene(**values: float) -> Scene:
    named = dict(zip(space(TABLE).names, space(TABLE).default.tolist(), strict=True))
    return make_scene({**named, **values}, stream(5, "scene"))


def people(made: Scene) -> Array:
    return made.tracks[made.kinds == KINDS.index("pedestrian")]


def test_two_who_meet_make_way(road: Road) -> None:
    """Two on the same line, towards one another, pass without touching, and both get on at their speed."""
    d = -(road.half_width + 2)
    (a, beside_a), (b, beside_b) = walked(road, Walker(50, d, 1.3, 1), Walker(80, d, 1.3, -1))
    assert np.hypot(a - b, beside_a - beside_b).min() > 0.3
    assert np.ptp(a) == pytest.approx(1.3 * LASTS, rel=0.12)
    assert np.ptp(b) == pytest.approx(1.3 * LASTS, rel=0.12)


def test_who_stands_stays_and_nobody_enters_the_roadway(road: Road) -> None:
    """Somebody who stands is always in the same place; those who walk stay off the road."""
    edge = road.half_width
    walkers = [Walker(60, edge + 1, 0.0), *(Walker(40 + 3 * k, edge + 0.7, 1.2, 1 - 2 * (k % 2)) for k in range(8))]
    ways = walked(road, *walkers)
    np.testing.assert_allclose(ways[0][0], 60, atol=0.05)
    assert min(beside.min() for _, beside in ways) > edge + 0.3


def test_who_steps_out_does_it_in_time(road: Road) -> None:
    """A walker comes along the pavement, leaves it at the time and the place that were said, and crosses the road."""
    (along, beside), _ = walked(road, Walker(70, -(road.half_width + 0.8), 1.5, steps_out=12.0), Walker(75, -7, 1, -1))
    time = np.arange(0, LASTS, TICK)
    before, after = time <= 12.0, time >= 12.5
    np.testing.assert_allclose(along[before], 70 - 1.5 * (12 - time[before]), atol=0.1)
    np.testing.assert_allclose(beside[before], -(road.half_width + 0.8), atol=0.1)
    np.testing.assert_allclose(along[after], 70, atol=0.1)
    wanted = np.minimum(-(road.half_width + 0.8) + 1.5 * (time[after] - 12), road.half_width + 3)
    np.testing.assert_allclose(beside[after], wanted, atol=0.2)  # steps of 0.5 s end beyond it


def test_count_and_speed_are_those_asked_for() -> None:
    """As many people as asked for; a faster one gets on farther; all other things stay where they were."""
    slow, fast = (scene(**{"pedestrians.count": 6, "pedestrians.speed": v, "cones.count": 5}) for v in (0.8, 1.8))
    assert len(people(slow)) == len(people(fast)) == 6
    ways = [np.hypot(*np.diff(people(s)[:, :, :2], axis=1).T).sum() for s in (slow, fast)]
    assert ways[1] > 1.5 * ways[0]
    rest = slow.kinds != KINDS.index("pedestrian")
    assert slow.tracks[rest].tobytes() == fast.tracks[rest].tobytes()
    assert len(people(scene())) == 0


def test_what_is_seen_first_is_where_walks_begin() -> None:
    """A still shows everybody where the tracks begin, though nobody has walked yet."""
    made = scene(**{"pedestrians.count": 12, "danger.kind": 3, "traffic.count": 2})
    first = made.places(0.0).copy()
    assert "tracks" not in vars(made)
    np.testing.assert_allclose(first, made.tracks[:, 0], atol=1e-9)
    np.testing.assert_allclose(first[:, :2], made.places(1e-9)[:, :2], atol=1e-6)


def test_the_same_stream_gives_the_same_walks() -> None:
    """Scenes are the same bytes again; nobody of thirty is inside another."""
    made, again = (scene(**{"pedestrians.count": 30}) for _ in range(2))
    assert made.tracks.tobytes() == again.tracks.tobytes()
    for a, b in itertools.combinations(people(made), 2):
        assert np.hypot(*(a - b)[:, :2].T).min() > 0.15
