"""People, scenarios, maps and ways of world `crowd`: what is drawn, what is refused, and that everybody arrives."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kstest

from benchmarks.crowd_bottleneck import RECOMMENDED, passed
from simloop.errors import InputError
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.checks import check_scene
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.maps import read_map
from simloop.worlds.crowd.navigation import Ways, wall_distance
from simloop.worlds.crowd.outlines import lines, ring
from simloop.worlds.crowd.people import PEOPLE, draw_groups, draw_personalities, draw_traits
from simloop.worlds.crowd.personality import PERSONALITIES, shift_traits
from simloop.worlds.crowd.scenarios import SCENARIOS, TABLE, make_scene
from simloop.worlds.crowd.scenarios.from_map import make_from_map
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.spreads import distributions, space

_SPACE = space([*TABLE, *PEOPLE])


def _values(**changed: float) -> dict[str, float]:
    """All parameters at their defaults; `changed` has `_` for the first `.`."""
    own = {k.replace("_", ".", 1): v for k, v in changed.items()}
    return dict(zip(_SPACE.names, _SPACE.row(own).tolist(), strict=True))


def _gaps(scene: Scene) -> np.ndarray:
    """(n, n) m between bodies of people who begin at the same time; others are far apart."""
    radius = scene.traits[:, TRAIT["radius"]]
    gap = squareform(pdist(scene.starts)) - radius[:, None] - radius
    gap[(scene.begins[:, None] != scene.begins) | np.eye(len(scene), dtype=bool)] = np.inf
    return gap


def test_speeds_are_weidmanns() -> None:
    """Preferred speeds are normal with the mean and the spread that the parameters say."""
    speed = draw_traits(_values(), 4000, stream(1))[:, TRAIT["speed"]]
    assert kstest(speed, "norm", args=(1.34, 0.26)).pvalue > 0.01


def test_a_parameter_changes_people_and_not_the_draw() -> None:
    """People of two mean speeds differ by the difference, and in nothing else."""
    slow, fast = (draw_traits(_values(people_speed=v), 50, stream(2)) for v in (1.2, 1.4))
    np.testing.assert_allclose(fast[:, 0] - slow[:, 0], 0.2, atol=1e-12)
    np.testing.assert_array_equal(fast[:, 1:], slow[:, 1:])


def test_personalities_walk_as_the_study_says() -> None:
    """Aggressive people are faster and come nearer than others, shy ones slower and keep farther; bodies stay."""
    traits = draw_traits(_values(people_variety=0.0, people_speed_spread=0.0), 1, stream(3))
    moved = {name: shift_traits(traits, np.array([k]))[0] for k, name in enumerate(PERSONALITIES)}
    speed, space_, radius = TRAIT["speed"], TRAIT["space"], TRAIT["radius"]
    assert moved["aggressive"][speed] > traits[0, speed] > moved["shy"][speed]
    assert moved["aggressive"][space_] < traits[0, space_] < moved["shy"][space_]
    assert moved["tense"][space_] > moved["shy"][space_]
    assert all(m[radius] == traits[0, radius] for m in moved.values())
    np.testing.assert_array_equal(shift_traits(traits, np.array([-1])), traits)


def test_the_mix_of_personalities_is_the_one_asked_for() -> None:
    """Each personality's part of the people is its parameter; parts that exceed 1 are scaled."""
    drawn = draw_personalities(_values(personality_shy=0.3, personality_tense=0.1), 20000, stream(4))
    parts = {name: float((drawn == k).mean()) for k, name in enumerate(PERSONALITIES)}
    assert parts["shy"] == pytest.approx(0.3, abs=0.015)
    assert parts["tense"] == pytest.approx(0.1, abs=0.015)
    assert (drawn == -1).mean() == pytest.approx(0.6, abs=0.015)
    both = draw_personalities(_values(personality_shy=1, personality_active=1), 1000, stream(4))
    assert (both >= 0).all()


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_groups_are_as_many_and_as_large_as_asked_for(share: float) -> None:
    """The part of people in groups and the mean size are the parameters; members stand one after another."""
    groups = draw_groups(_values(groups_share=share, groups_size=2.5), 20000, stream(5))
    assert (groups >= 0).mean() == pytest.approx(share, abs=0.02)
    if share:
        sizes = np.bincount(groups[groups >= 0])
        assert sizes.mean() == pytest.approx(2.5, abs=0.05)
        assert (np.diff(groups[groups >= 0]) >= 0).all()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenes_begin_apart_and_everybody_arrives(name: str) -> None:
    """In each scenario nobody begins in another or in a wall, nobody ever overlaps under ORCA, and all arrive."""
    scenes = [
        make_scene(name, {"people.count": n, "groups.share": 0.5}, stream(k, name)) for k, n in enumerate((1, 9, 40))
    ]
    for scene in scenes:
        check_scene(scene)
        assert _gaps(scene).min(initial=1.0) > 0.01
        assert wall_distance(scene.starts, scene.walls).min() > scene.traits[:, TRAIT["radius"]].max()
    batch = Batch(scenes, model="orca", seed=1)
    while not batch.done.all() and batch.time.max() < 200:
        batch.step()
    assert batch.overlaps.sum() == 0
    assert np.isfinite(batch.arrived).mean() > 0.95


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenes_of_the_whole_range_can_be_walked(name: str) -> None:
    """Any parameters of `wide` make a scene without overlaps, whose goals can be reached; the same draw, the same."""
    wide = distributions([*TABLE, *PEOPLE])["wide"]
    for k, row in enumerate(wide.sample(25, stream(7, name))):
        values = dict(zip(_SPACE.names, _SPACE.round(row).tolist(), strict=True))
        scene, again = (make_scene(name, values, stream(k, name)) for _ in range(2))
        check_scene(scene)
        assert _gaps(scene).min(initial=1.0) > 0.01
        np.testing.assert_array_equal(scene.routes, again.routes)


def test_arrivals_are_a_poisson_stream() -> None:
    """People who are alone come at exponential intervals of the mean that the flow says."""
    scene = make_scene("corridor", {"people.count": 2000, "people.flow": 2.0, "groups.share": 0}, stream(8))
    assert kstest(np.diff(scene.begins), "expon", args=(0, 0.5)).pvalue > 0.01


@pytest.mark.parametrize("width", [0.8, 1.2])
def test_the_recommended_model_passes_bottlenecks_as_people_do(width: float) -> None:
    """The collision-free speed model never jams, and its specific flow is that of experiments, 1.2 to 1.9 /(m s)."""
    flow, jam, overlaps = passed(RECOMMENDED, width, 5)
    assert 1.2 < flow < 1.9
    assert not jam
    assert not overlaps


def test_ways_are_the_shortest_round_an_obstacle() -> None:
    """Round a square in the way, the route is about as long as the taut string at the clearance."""
    walls, clear = lines([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]), 0.3
    route = Ways(walls, clearance=clear).routes(np.array([[-5.0, 0.0]]), np.array([[5.0, 0.0]]))[0]
    path = np.concatenate([[(-5.0, 0.0)], route])
    length = np.hypot(*np.diff(path, axis=0).T).sum()
    assert 2 * np.hypot(4, 1) + 2 < length < 2 * np.hypot(3.7, 1.3) + 2.6 + 0.05
    inside = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(path)])
    assert wall_distance(inside, walls).min() >= clear - 1e-9


def test_an_unreachable_goal_is_refused() -> None:
    """A goal in a closed ring is an error that says whose it is, where, and how wide a body is."""
    ways = Ways(lines(ring((5, 0), 2, 8)), clearance=0.3)
    with pytest.raises(InputError, match=r"goal \(5, 0\) m of person 0 cannot be reached.*0\.6 m between walls"):
        ways.routes(np.array([[0.0, 0.0]]), np.array([[5.0, 0.0]]))


def _bad(scene: Scene) -> dict[str, Scene]:
    traits, starts, walls = scene.traits.copy(), scene.starts.copy(), scene.walls.copy()
    traits[2, TRAIT["radius"]], starts[3, 1], walls[0, 0] = 0, np.nan, np.inf
    goals = scene.routes.copy()
    goals[1, 0] = (0, scene.walls[0, 1])
    return {
        "radius of person 2": replace(scene, traits=traits),
        "start of person 3": replace(scene, starts=starts),
        "wall 0": replace(scene, walls=walls),
        "person 1 has the goal in a wall": replace(scene, routes=goals, reach=np.full(len(scene), 0.1)),
    }


def test_scenes_that_cannot_be_walked_are_refused() -> None:
    """Numbers that are none, bodies without size, and goals in walls are one sentence that names the person."""
    for message, scene in _bad(make_scene("corridor", {"people.count": 5}, stream(9))).items():
        with pytest.raises(InputError, match=message):
            check_scene(scene)


def test_too_many_people_are_refused() -> None:
    """A room that cannot hold its people grows; a parameter out of its bounds and an unknown scenario are refused."""
    assert len(make_scene("room", {"people.count": 3000, "room.size": 5}, stream(1))) == 3000
    with pytest.raises(InputError, match=r"'people\.count' is 0"):
        make_scene("room", {"people.count": 0}, stream(1))
    with pytest.raises(InputError, match="did you mean 'crossing'"):
        make_scene("crosing", {}, stream(1))


HALL = "# a hall\nPOLYGON ((0 0, 20 0, 20 12, 0 12, 0 0), (8 4, 12 4, 12 8, 8 8, 8 4))\nPOINT (1 1)\nPOINT (19 11)\n"


def test_maps_of_all_formats_say_the_same(tmp_path: Path) -> None:
    """A hall in WKT, in GeoJSON, and its lines in map.xml have the same walls and goals, and people walk in each."""
    wkt, geo, xml = tmp_path / "hall.wkt", tmp_path / "hall.geojson", tmp_path / "map.xml"
    wkt.write_text(HALL)
    shell, hole = [[0, 0], [20, 0], [20, 12], [0, 12], [0, 0]], [[8, 4], [12, 4], [12, 8], [8, 8], [8, 4]]
    shapes = [{"type": "Polygon", "coordinates": [shell, hole]}]
    shapes += [{"type": "Point", "coordinates": at} for at in ([1, 1], [19, 11])]
    features = [{"type": "Feature", "geometry": s, "properties": {}} for s in shapes]
    geo.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    sides = [(*a, *b) for chain in (shell, hole) for a, b in pairwise(chain)]
    line = '<Line x1="{}" y1="{}" x2="{}" y2="{}" thickness="1" />'
    xml.write_text(f"<Trial><Lines>{''.join(line.format(*s) for s in sides)}</Lines></Trial>")
    (tmp_path / "destinations.txt").write_text("1 1\n19 11\n")
    maps = [read_map(path) for path in (wkt, geo, xml)]
    for place in maps:
        np.testing.assert_array_equal(place.walls, maps[0].walls)
        np.testing.assert_array_equal(place.goals, [(1, 1), (19, 11)])
    batch = Batch([make_scene(str(wkt), {"people.count": 12}, stream(1))], seed=1)
    while not batch.done.all() and batch.time[0] < 120:
        batch.step()
    assert np.isfinite(batch.arrived).all()
    assert batch.overlaps[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the map is empty"),
        ("# nothing\n", "no polygon, line or point"),
        ("POLYGON ((0 0, 9 0, 9 9\n", "line 1 is not WKT"),
        (
            "LINESTRING (0 0, 9 0)\nPOLYGON ((0 0, 9 9, 9 0, 0 9, 0 0))\n",
            r"line 2: the Polygon crosses itself at \(4\.5",
        ),
        (HALL + "POINT (10 6)\n", r"line 5: the goal \(10, 6\) m is outside"),
        (
            HALL + "POLYGON ((2 2, 4 2, 4 4, 2 2))\nPOINT (3.5 2.5)\n",
            r"line 6: the goal \(3.5, 2.5\) m is inside an obstacle",
        ),
        ("LINESTRING (0 0, 300000 0)\n", "300 by 0 km"),
        ("POLYGON ((8.1 50.1, 8.2 50.1, 8.2 50.2, 8.1 50.1))\n", "degrees"),
        ("POLYGON EMPTY\n", "line 1: the Polygon is empty"),
    ],
)
def test_bad_maps_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong with a map is one sentence with the file and the line."""
    path = tmp_path / "hall.wkt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_map(path)
    assert str(path) in str(error.value)


def test_bad_places_of_maps_are_refused(tmp_path: Path) -> None:
    """A gap too small for a body, a goal too near to a wall, one place alone, and other files are one sentence."""
    cases = {
        "cannot be reached": HALL + "LINESTRING (0 6, 7.8 6)\nLINESTRING (12 6, 20 6)\n",
        "is in a wall or nearer": HALL + "POINT (5 0.1)\n",
        "the map has 1": "LINESTRING (0 0, 9 0)\nPOINT (3 3)\n",
    }
    for message, text in cases.items():
        path = tmp_path / "hall.wkt"
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            make_from_map(read_map(path), _values(people_count=20), stream(1))
    with pytest.raises(InputError, match="no such map"):
        read_map(tmp_path / "none.wkt")
    with pytest.raises(InputError, match=r"a map is a \.wkt"):
        read_map(tmp_path / "hall.png")
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": [{"geometry": null}]}')
    with pytest.raises(InputError, match="feature 1 has no geometry"):
        read_map(tmp_path / "a.geojson")
    (tmp_path / "map.xml").write_text("<a><Line x1='0'/></a>")
    with pytest.raises(InputError, match="Line 1 must have the numbers"):
        read_map(tmp_path / "map.xml")
