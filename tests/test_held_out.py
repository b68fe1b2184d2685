"""World drive/held-out: MuJoCo draws the scenes that the fast renderer draws, through the same camera."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from simloop.distributions import Point
from simloop.frames import Camera, Frame, Request
from simloop.lens import Facets
from simloop.randomness import stream
from simloop.worlds import get_world

pytest.importorskip("numba")

from simloop.worlds.drive.mujoco_scene import ribbon, strips
from simloop.worlds.drive.onboard import Onboard
from simloop.worlds.drive.scene import Scene, make_scene

SIZE, SEED = (160, 120), 5


def fisheye(size: tuple[int, int] = SIZE, focal: float = 70.0, k: tuple[float, float] = (-0.05, 0.01)) -> Camera:
    width, height = size
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera("eye", size, intrinsics, np.zeros(3), np.eye(3), k, fisheye=True)


@pytest.mark.parametrize("focal", [55.0, 70.0, 160.0])
def test_facets_see_along_the_rays_of_the_fisheye(focal: float) -> None:
    """What each pixel shows of a world of directions is the direction of its own ray, to a part of a pixel."""
    camera = fisheye(focal=focal)
    facets = Facets(camera)
    pictures, depths = [], []
    for pinhole in facets.at(camera):
        rays = pinhole.rays @ pinhole.rotation.T
        directions = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        pictures.append(np.rint(127.5 + 127 * directions).astype(np.uint8))
        depths.append((1 / np.linalg.norm(rays, axis=-1)).astype(np.float32))  # of a ball of 1 m around the camera
    own = camera.rays
    ball = 1 / np.linalg.norm(own, axis=-1)
    sees = facets.blend(pictures).any(axis=-1)
    assert sees.mean() > 0.85  # of the widest the corners are beyond what a camera sees
    assert np.abs(facets.blend(pictures) - (127.5 + 127 * own * ball[..., None]))[sees].max() < 1.5
    assert np.abs(facets.depth(depths) - ball)[sees].max() < 1.5 / focal


def test_a_narrow_view_is_one_facet() -> None:
    """A camera that sees no more than one pinhole can is seen by one; a wide one by more, none larger than twice it."""
    assert len(Facets(fisheye(focal=160)).at(fisheye())) == 1
    wide = Facets(fisheye(focal=55))
    assert len(wide.at(fisheye())) > 1
    assert (np.array(wide.size) <= 2 * np.array(SIZE)).all()


@cache
def pair(number: int) -> tuple[Frame, Frame]:
    """A scene of `wide` as the fast renderer draws it, and as MuJoCo does."""
    fast, held = get_world("drive"), get_world("drive/held-out")
    request = Request(size=SIZE, shadows=0)
    drawn = fast.distribution("wide")
    return tuple(next(iter(w.frames([number], request=request, distribution=drawn, seed=SEED))) for w in (fast, held))  # type: ignore[return-value]


NUMBERS = range(6)


@pytest.mark.parametrize("number", NUMBERS)
def test_both_renderers_show_the_same_scene(number: int) -> None:
    """Masks are the same but at edges, and what both see is as far away, to a few per cent at a pixel's slant."""
    fast, held = pair(number)
    assert fast.instances is not None
    assert held.instances is not None
    assert fast.depth is not None
    assert held.depth is not None
    assert (fast.instances == held.instances).mean() > 0.95
    same = (fast.instances == held.instances) & (fast.depth > 0) & (held.depth > 0) & (fast.depth < 30)
    ratio = held.depth[same] / fast.depth[same]
    assert abs(np.median(ratio) - 1) < 0.01
    assert np.percentile(np.abs(ratio - 1), 95) < 0.06
    assert held.camera.position == pytest.approx(fast.camera.position, abs=1e-5)
    assert held.camera.rotation == pytest.approx(fast.camera.rotation, abs=1e-6)
    assert np.abs(held.camera.intrinsics - fast.camera.intrinsics).max() < 1e-9


@pytest.mark.parametrize("number", NUMBERS)
def test_edges_of_the_road_are_at_the_same_pixels(number: int) -> None:
    """Of what one renderer shows as road, line or kerb all but a hundredth is within two pixels of it in the other."""
    from scipy.ndimage import distance_transform_edt

    fast, held = pair(number)
    for a, b in ((fast, held), (held, fast)):
        assert a.instances is not None
        assert b.instances is not None
        for surface in (2, 3, 4):
            near = np.zeros(a.instances.shape, dtype=bool)
            near[SIZE[1] // 2 :] = True  # farther away a line is less than a pixel
            shown = near & (a.instances == surface)
            if shown.sum() > 50:
                away = distance_transform_edt(b.instances != surface)
                assert (away[shown] <= 2).mean() > 0.99


@pytest.mark.parametrize("number", NUMBERS)
def test_labels_are_the_same(number: int) -> None:
    """Steering, places in the lane, parameters, categories, names, poses and boxes are those of the fast one."""
    fast, held = pair(number)
    assert fast.values == pytest.approx(held.values)
    for name in get_world("drive").parameters.names:
        assert fast.parameters[name] == held.parameters[name]
    assert fast.categories == held.categories
    both = sorted(set(fast.objects.names) & set(held.objects.names))
    assert len(both) > 2
    a, b = (f.objects.take(np.array([f.objects.names.index(n) for n in both])) for f in (fast, held))
    assert (a.ids == b.ids).all()
    assert (a.categories == b.categories).all()
    assert b.poses == pytest.approx(a.poses, abs=1e-9)
    assert b.centres == pytest.approx(a.centres)
    assert b.sizes == pytest.approx(a.sizes)
    clear = (a.pixels > 60) & (b.pixels > 60) & (a.ids > 4)  # of a road a farthest pixel decides
    assert np.abs(a.boxes - b.boxes)[clear].max(initial=0) <= 2
    assert np.abs(a.amodal - b.amodal)[clear].max(initial=0) <= 2


def test_frames_are_the_same_bytes_each_time() -> None:
    """The same seed gives the same bytes, in the wide look and over time, in which cars and people move."""
    held = get_world("drive/held-out")
    request = Request(size=(80, 60), length=3, rate=4, shadows=0, passes=("depth", "instances", "flow", "normals"))
    drawn = held.distribution("wide")
    first, again = (
        list(held.frames([1], request=request, distribution=drawn, look=held.looks()["wide"], seed=9)) for _ in (0, 1)
    )
    for a, b in zip(first, again, strict=True):
        assert (a.rgb == b.rgb).all()
        assert a.values == b.values
    s = [f.values["speed"] for f in first]
    moved = np.linalg.norm(np.diff([f.camera.position for f in first], axis=0), axis=1)
    assert moved == pytest.approx(np.array(s[:-1]) / 4, rel=0.2)


def scene_of(number: int) -> Scene:
    world = get_world("drive")
    row = world.distribution("wide").sample(1, stream(SEED, "frames", "scene", number))[0]
    return make_scene(
        dict(zip(world.parameters.names, row.tolist(), strict=True)), stream(SEED, "drive", "scene", number)
    )


def test_paint_stays_where_it_is_and_as_it_is() -> None:
    """Ribbons lie where the road's own coordinates say, seen from above, and no look changes the colour of paint."""
    scene = next(s for s in map(scene_of, range(20)) if s.centre or s.edge)
    for name, parts in strips(scene).items():
        vertices, faces = ribbon(scene.road, parts, 0.0)
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        assert (np.cross(b - a, c - a)[:, 2] > -1e-9).all()
        beside = np.abs(scene.road.locate(vertices[:, :2])[1])
        wanted = sorted({abs(d) for p in parts for d in (p.left, p.right)})
        off = np.abs(beside[:, None] - np.array(wanted)).min(axis=1)
        assert off.max() < 0.02, name  # what is left is that a road's steps are straight


def test_onboard_sees_what_frames_show() -> None:
    """Where a frame was taken a car that drives there sees the same picture, and another one from elsewhere."""
    held = get_world("drive/held-out")
    request = Request(size=SIZE, shadows=0)
    frame = next(iter(held.frames([2], request=request, distribution=held.distribution("wide"), seed=SEED)))
    scene, place = scene_of(2), np.zeros((2, 7))
    heading = np.arctan2(frame.camera.rotation[1, 2], frame.camera.rotation[0, 2])
    place[:, :2] = frame.camera.position[:2] - 0.5 * np.array([np.cos(heading), np.sin(heading)])
    place[:, 2] = heading
    place[1, :2] += 3 * np.array([np.cos(heading), np.sin(heading)])
    with Onboard(SIZE, look=Point(held.look)) as see:
        pictures = see(0, scene, place, 0.0)
        assert pictures.shape == (2, SIZE[1], SIZE[0], 3)
        assert np.abs(pictures[0].astype(int) - frame.rgb).mean() < 0.5
        assert np.abs(pictures[1].astype(int) - frame.rgb).mean() > 2
        other = see(0, scene_of(3), place[:1], 0.0)  # another scene of that number
        assert np.abs(other[0].astype(int) - frame.rgb).mean() > 2


def test_onboard_looks_are_of_the_seed() -> None:
    """A road looks the same to every car on it, and the same bytes come for the same seed."""
    held, scene, place = get_world("drive/held-out"), scene_of(2), np.zeros((1, 7))
    place[0, :3] = *scene.road.points[30], scene.road.heading[30]

    def seen(seed: int) -> np.ndarray:
        with Onboard((80, 60), look=held.looks()["wide"], seed=seed) as see:
            return np.concatenate([see(4, scene, place, t) for t in (0.0, 0.1)])

    assert (seen(1) == seen(1)).all()
    assert (seen(1) != seen(2)).mean() > 0.5


def test_a_bent_lens_sees_as_far_to_the_side() -> None:
    """In a look that bends the lens the fast renderer and MuJoCo see through the same camera, and the same scene."""
    fast, held = get_world("drive"), get_world("drive/held-out")
    request = Request(size=SIZE, shadows=0)
    frames = []
    for world in (fast, held):
        row = world.look.default.copy()
        row[world.look.index("lens.k1")], row[world.look.index("lens.k2")] = -0.08, 0.01
        drawn = world.distribution("wide")
        frames += world.frames([2], request=request, distribution=drawn, look=Point(world.look, row), seed=SEED)
    a, b = frames
    assert b.camera.distortion == a.camera.distortion == (-0.08, 0.01)
    assert b.camera.intrinsics == pytest.approx(a.camera.intrinsics, rel=1e-6)
    assert (a.instances == b.instances).mean() > 0.95


def test_normals_flow_and_visible_parts_through_the_fisheye() -> None:
    """The ground's normals point up, still things flow as the camera's move says, and what stands free is visible."""
    held = get_world("drive/held-out")
    request = Request(
        size=SIZE, length=2, rate=5, shadows=0, passes=("depth", "instances", "normals", "flow", "visible")
    )
    row = held.parameters.default.copy()
    for name, many in (("parked.count", 12), ("buildings.count", 20), ("clutter.count", 40)):
        row[held.parameters.index(name)] = many
    first, second = held.frames([0], request=request, distribution=Point(held.parameters, row), seed=SEED)
    assert first.instances is not None
    assert first.normals is not None
    assert first.flow is not None
    assert first.depth is not None
    flat = np.isin(first.instances, (1, 2))
    up = first.normals[flat] @ first.camera.rotation.T
    assert np.percentile(np.abs(up - [0, 0, 1]).max(axis=-1), 99) < 1e-3  # but for pixels of edges
    world = first.camera.to_world(first.camera.rays[flat] * first.depth[flat][:, None])
    rows, columns = np.nonzero(flat)
    wanted = second.camera.project(world)[:, :2] - np.stack([columns, rows], axis=1) - 0.5
    np.testing.assert_allclose(first.flow[flat], wanted, atol=1e-3)  # NaN where the camera passes what was ahead
    assert np.isfinite(wanted).mean() > 0.5
    things = first.things
    shown = things.visible[things.pixels > 30]
    assert len(shown) > 0
    assert shown.max() <= 1
    assert shown.max() > 0.95
