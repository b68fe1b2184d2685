"""Frames of world `drive`: pictures, masks, depth and labels of scenes whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from simloop.data.export import export
from simloop.data.export.format import Source
from simloop.data.generate import generate
from simloop.data.store import Dataset
from simloop.errors import InputError
from simloop.frames import Frame, Request
from simloop.randomness import stream
from simloop.worlds import get_world
from simloop.worlds.drive import raster
from simloop.worlds.drive.look import camera_of, look_space
from simloop.worlds.drive.photos import SURFACES, Geometry, labels_at
from simloop.worlds.drive.ride import Begin
from simloop.worlds.drive.road import Road, closed_road, open_road
from simloop.worlds.drive.scene import Scene, make_scene
from simloop.worlds.drive.uniforms import uniforms
from simloop.worlds.labels import in_view, truncation

WORLD = get_world("drive")
SIZE = (80, 60)
PLAIN = dict(zip(look_space().names, look_space().default.tolist(), strict=True))


def values(**changes: float) -> dict[str, float]:
    row = WORLD.parameters.row({name.replace("__", "."): x for name, x in changes.items()})
    return dict(zip(WORLD.parameters.names, row.tolist(), strict=True))


def straight(**changes: float) -> Scene:
    """A straight road of 200 m along x, with two lanes, and nothing on it where nobody says so."""
    road = Road(np.stack([np.arange(401) * 0.5, np.zeros(401)], axis=1), False, 3.5, 2)
    return make_scene(values(**changes), stream(0, "test"), road=road)


def shot(scene: Scene, place: tuple[float, float, float], size: tuple[int, int] = SIZE) -> tuple[Frame, Geometry]:
    geometry = Geometry(scene)
    camera = camera_of(PLAIN, size, np.array(place))
    numbers, lamps = uniforms(PLAIN, stream(0, "look"))
    light, depth, instances = geometry.render(camera, numbers, lamps, np.zeros((len(scene.parts.things), 3)))
    frame = Frame(
        0, 0, 0, 0.0, camera, WORLD.categories, (255 * light.clip(0, 1)).astype(np.uint8),
        geometry.objects(camera, instances, 0.0), {}, depth.astype(np.float32), None, instances,
    )  # fmt: skip
    return frame, geometry


def seen_at(frame: Frame) -> np.ndarray:
    """(H, W, 3) where in the world what is seen at each pixel is."""
    assert frame.depth is not None
    return frame.camera.to_world(frame.camera.rays * frame.depth[..., None])


#: numbers that the renderer reads as the look has them, and the first places of its colours, in the kernel's order
AS_THEY_ARE = {
    "NOISE": "texture.noise", "GRAIN": "texture.grain", "PATCHES": "texture.patches", "GLOSS": "texture.gloss",
    "ROUGH": "texture.rough", "WEAR": "lines.wear", "SUN": "light.sun", "AMBIENT": "light.ambient",
    "SHADE": "light.shadows", "SHADE_SIZE": "light.shadow_size", "CLOUDS": "sky.clouds",
    "BACK_HEIGHT": "sky.backdrop", "BACK_CONTRAST": "sky.contrast", "BACK_SIZE": "sky.pieces",
    "LAMP_COUNT": "light.lamps", "LAMP_LIGHT": "light.lamp", "HEADLAMPS": "light.headlamps", "FOG": "weather.fog",
    "RAIN": "weather.rain", "SNOW": "weather.snow", "WET": "weather.wet", "RECOLOUR": "things.recolour",
    "GLARE": "light.glare",
}  # fmt: skip
COLOURS = {
    "ROAD_R": "texture.road", "VERGE_R": "texture.verge", "CENTRE_R": "lines.centre_hue", "EDGE_R": "lines.edge_hue",
    "ZENITH_R": "sky.tint", "HORIZON_R": "sky.tint", "SUN_X": "light.azimuth",
}  # fmt: skip


def test_the_look_says_what_the_renderer_reads() -> None:
    """Every number that the kernel reads has the place that the look writes it to."""
    values = dict.fromkeys(look_space().names, 0.4) | {"texture.floor": 0.0}

    def numbers(changed: dict[str, float]) -> np.ndarray:
        return uniforms(values | changed, stream(0, "look"))[0]

    usual = numbers({})
    assert usual.shape == (raster.NUMBERS,)
    assert np.isfinite(usual).all()
    places = {getattr(raster, place) for place in AS_THEY_ARE}
    for place, name in AS_THEY_ARE.items():
        changed = numbers({name: 0.3})
        assert usual[getattr(raster, place)] == 0.4, place
        assert changed[getattr(raster, place)] == 0.3, place
        moved = set(np.flatnonzero(changed != usual).tolist())
        assert moved <= {getattr(raster, place), raster.BACK_LIGHT}, place  # which the ambient light makes brighter
    for place, name in COLOURS.items():
        first = getattr(raster, place)
        assert (numbers({name: 0.7})[first : first + 2] != usual[first : first + 2]).any(), place
        places |= {first, first + 1, first + 2}
    assert numbers({"sky.bright": 0.3})[raster.BACK_LIGHT] == pytest.approx(0.35 * 0.3 + 0.15 * 0.4)
    assert sorted({*places, raster.SEED, raster.SHOULDER, raster.BACK_LIGHT}) == list(range(raster.NUMBERS))


def test_annotations_are_those_of_staged_scenes() -> None:
    """What is in view, and how much of it is outside the picture, is what worlds in MuJoCo say of the same boxes."""
    for frame in WORLD.frames(range(12), distribution=WORLD.distribution("wide"), request=Request(size=SIZE), seed=3):
        o = frame.objects
        assert ((o.pixels > 0) | in_view(o.amodal, SIZE)).all()
        np.testing.assert_allclose(o.truncation, truncation(o.amodal, SIZE), atol=1e-12)


def test_what_is_seen_of_the_ground_is_on_the_ground() -> None:
    """Depth times a pixel's ray is a place at height 0, for road, verge and lines."""
    frame, _ = shot(straight(), (20.0, -1.0, 0.1))
    assert frame.instances is not None
    ground = (frame.instances > 0) & (frame.instances < raster.FIRST_THING)
    assert ground.sum() > 2000
    assert np.abs(seen_at(frame)[ground][:, 2]).max() < 1e-3


def test_lines_and_road_are_where_the_scene_says() -> None:
    """A pixel of a line is within half a line and half a pixel of one; the road ends beside its lanes."""
    frame, _ = shot(straight(), (20.0, -1.0, 0.0), (320, 240))
    assert frame.instances is not None
    world = seen_at(frame)
    near = np.hypot(world[..., 0] - 20, world[..., 1]) < 12
    pixel = 0.02 * np.hypot(world[..., 0] - 20, world[..., 1] + 1)
    line = (frame.instances == raster.LINE) & near
    beside = world[..., 1][line]
    off = np.min(np.abs(beside[:, None] - np.array([0.0, 3.4, -3.4])), axis=1)
    assert line.sum() > 300
    assert (off <= 0.1 + pixel[line]).all()
    road = ((frame.instances == raster.ROAD) | line) & near
    assert np.abs(world[..., 1][road]).max() < 3.5 + 0.3 + pixel[road].max()


def test_dashes_are_as_long_as_they_say() -> None:
    """Along the middle of a straight road paint and gap follow each other as dash and gap do."""
    frame, _ = shot(straight(lines__dash=2.0, lines__gap=3.0, lines__edge=0), (20.0, 0.0, 0.0), (640, 480))
    assert frame.instances is not None
    world = seen_at(frame)
    near = (np.abs(world[..., 1]) < 0.05) & (world[..., 0] > 22) & (world[..., 0] < 28) & (frame.instances > 0)
    painted = frame.instances[near] == raster.LINE
    s = world[..., 0][near]
    wanted = (s % 5.0) < 2.0
    clear = (np.abs((s % 5.0) - 2.0) > 0.15) & (s % 5.0 > 0.15) & (s % 5.0 < 4.85)
    assert clear.sum() > 50
    assert (painted[clear] == wanted[clear]).all()


@pytest.mark.parametrize(
    "kind", ["cones.count", "parked.count", "clutter.count", "barriers.count", "pedestrians.count"]
)
def test_things_are_where_their_boxes_say(kind: str) -> None:
    """Each pixel of a thing is inside its oriented box, and the box around its pixels inside that of its hull."""
    scene = straight(**{kind.replace(".", "__"): 8 if kind != "parked.count" else 5})
    found = 0
    for x in (10.0, 40.0, 80.0, 120.0):
        frame, _ = shot(scene, (x, -1.2, 0.0), (160, 120))
        assert frame.instances is not None
        world = seen_at(frame)
        things = frame.things
        for i, number in enumerate(things.ids):
            pixels = world[frame.instances == number]
            if not len(pixels):
                continue
            found += 1
            turn = 2 * np.arctan2(things.poses[i, 6], things.poses[i, 3])
            off = pixels - things.poses[i, :3]
            own = np.stack([np.cos(turn) * off[:, 0] + np.sin(turn) * off[:, 1],
                            np.cos(turn) * off[:, 1] - np.sin(turn) * off[:, 0], off[:, 2]], axis=1)  # fmt: skip
            assert (np.abs(own - things.centres[i]) <= things.sizes[i] / 2 + 0.02).all()
            assert (things.boxes[i, :2] >= things.amodal[i, :2] - 1).all()
            assert (things.boxes[i, 2:] <= things.amodal[i, 2:] + 1).all()
    assert found >= 3


def test_a_frame_depends_on_its_number_alone() -> None:
    """Frames that are made together, apart, or from the middle are the same bytes."""
    request = Request(size=(40, 30), views=3)
    wide = {"distribution": WORLD.distributions()["wide"], "look": WORLD.looks()["wide"], "seed": 5}
    together = list(WORLD.frames(range(7), request=request, **wide))  # type: ignore[arg-type]
    for i in (0, 2, 3, 6):
        (alone,) = WORLD.frames([i], request=request, **wide)  # type: ignore[arg-type]
        assert (alone.rgb == together[i].rgb).all()
        assert alone.values == together[i].values
        assert alone.parameters == together[i].parameters
        assert alone.depth is not None
        assert (alone.depth == together[i].depth).all()


def test_steering_leads_back_to_the_line() -> None:
    """Left of the line, or turned to the left, the label is to the right, which is positive; and mirrored."""
    scene, v = straight(), values()
    for beside, turned, sign in ((0.8, 0.0, 1), (-0.8, 0.0, -1), (0.0, 0.2, 1), (0.0, -0.2, -1)):
        begin = Begin(50.0, beside, turned)
        labels = labels_at(scene, v, begin.along, begin.place(scene), 5.0)
        assert np.sign(labels["steering"]) == sign
        assert labels["line_offset"] == pytest.approx(beside)
        assert labels["heading_error"] == pytest.approx(turned)
    begin = Begin(50.0, 0.0, 0.0)
    assert labels_at(scene, v, 50.0, begin.place(scene), 5.0)["steering"] == pytest.approx(0, abs=1e-9)


def test_a_bend_is_steered_as_it_bends() -> None:
    """On a circle to the left the label is full lock's part that makes that circle, to the left."""
    angle = np.arange(400) * 0.5 / 20
    road = Road(20 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)[:200], False, 3.5, 1)
    scene, v = make_scene(values(road__lanes=1), stream(0, "test"), road=road), values(road__lanes=1)
    begin = Begin(20.0, 0.0, 0.0)
    labels = labels_at(scene, v, 20.0, begin.place(scene), 5.0)
    assert labels["steering"] == pytest.approx(-np.arctan(v["car.wheelbase"] / 20) / v["car.turn"], rel=0.01)
    assert labels["curvature_ahead"] == pytest.approx(1 / 20, rel=0.01)


@pytest.mark.parametrize("make", [open_road, closed_road])
def test_roads_bend_no_more_than_they_may(make) -> None:  # type: ignore[no-untyped-def]
    """Random roads keep their limit of curvature, do not cross themselves, and say where a point beside them is."""
    for k in range(20):
        road = make(stream(k, "road"), length=180.0, radius=10.0, lane_width=3.5, lanes=2)
        road.check(tightest=9.5)
        s = np.linspace(1, road.length - 1, 200)
        d = stream(k, "beside").uniform(-2, 2, 200)
        found, left = road.locate(road.at(s, d)[0])
        assert np.abs(left - d).max() < 0.02
        assert np.abs(found - s).max() < 0.35


def test_bad_roads_are_named() -> None:
    """A road that crosses itself and one that bends too much are refused, saying where."""
    turn = np.linspace(0, 2 * np.pi, 200)
    eight = Road(40 * np.stack([np.sin(turn), np.sin(2 * turn) / 2], axis=1)[:-1], True, 3.5, 2)
    with pytest.raises(InputError, match=r"too near to itself: \d+ m and \d+ m"):
        eight.check(tightest=3.0)
    circle = Road(6 * np.stack([np.cos(turn), np.sin(turn)], axis=1)[:-1], True, 3.5, 1)
    with pytest.raises(InputError, match=r"radius of 6.0 m .* no tighter than 8.0 m"):
        circle.check(tightest=8.0)


def test_what_this_renderer_lacks_is_said() -> None:
    """Flow is refused with the name of the world that has it."""
    with pytest.raises(InputError, match=r"no pass 'flow'.*drive/held-out"):
        next(iter(WORLD.frames([0], request=Request(size=(16, 12), passes=("flow",)))))


def test_surfaces_come_first() -> None:
    """The numbers of surfaces in masks are those that the kernel writes."""
    assert [SURFACES.index(s) + 1 for s in ("ground", "road", "line", "kerb")] == [
        raster.GROUND, raster.ROAD, raster.LINE, raster.KERB,
    ]  # fmt: skip


def test_a_sequence_is_a_ride() -> None:
    """Frames of a sequence follow each other along the road at the car's speed, and come back to the line."""
    request = Request(size=(16, 12), passes=(), length=30, rate=10.0)
    point = values(start__offset=0.3, car__speed=5)
    drawn = type(WORLD.distributions()["default"])(WORLD.parameters, [point[n] for n in WORLD.parameters.names])
    frames = list(WORLD.frames([3], request=request, distribution=drawn, seed=2))
    assert [f.step for f in frames] == list(range(30))
    places = np.array([f.camera.position[:2] for f in frames])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1) == pytest.approx(0.5, abs=0.1)
    off = np.abs([f.values["line_offset"] for f in frames])
    assert off[-1] < max(0.3 * off[0], 0.2)


def test_a_ride_is_an_episode_with_its_steering_as_action(tmp_path: Path) -> None:
    """Exported to LeRobot, the steering of each frame is the episode's action."""
    made = generate("drive", 12, tmp_path / "d", request=Request(size=(16, 12), passes=(), length=6, rate=10.0))
    export(Source.of(Dataset.open(made.folder)), "lerobot", tmp_path / "l")
    table = pq.read_table(tmp_path / "l" / "data" / "chunk-000" / "file-000.parquet")
    steering = [f.values["steering"] for f in Dataset.open(made.folder)]
    np.testing.assert_allclose(np.ravel(table["action"].to_pylist()), steering, rtol=1e-6)
