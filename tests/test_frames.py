"""Frames say what is true: a scene worked out by hand, and what must hold of every world with a camera."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from simloop.distributions import Point
from simloop.errors import InputError
from simloop.frames import Camera, Category, Frame, Request, undistorted, widest
from simloop.parameters import ParameterSpace
from simloop.worlds import get_world
from simloop.worlds.appearance import CLUTTER_CATEGORY
from simloop.worlds.canvas import Canvas, shown, shown_colours
from simloop.worlds.photograph import depth_unit, look_space, photographs
from simloop.worlds.staged import Instance, Staged

ALL = ("depth", "instances", "normals", "flow", "visible")
CORNERS = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], dtype=float)


class Boxes:
    """Boxes of half a side of 10 cm above a floor at z = 0, seen by a camera at z = 3 m that looks straight down.

    Its field of view is a right angle: a point at depth z is 40 / z pixels to a metre in an image of 80 rows.
    """

    name = "boxes"
    parameters = ParameterSpace([])
    cameras = ("down",)
    categories: tuple[Category, ...] = (Category("floor", thing=False), Category("box", keypoints=("top", "bottom")))

    def __init__(self, *paths: list[tuple[float, float, float]]) -> None:
        self.paths = np.array(paths, dtype=float)  # (boxes, T, 3)

    def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
        spec = mujoco.MjSpec()
        spec.stat.extent, spec.stat.center = 3.0, [0, 0, 1]
        spec.worldbody.add_light(pos=[0, 0, 3])
        spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[9, 9, 0.1])
        spec.worldbody.add_camera(name="down", pos=[0, 0, 3], fovy=90)
        instances = [Instance("floor", "floor", "world", ("floor",), np.zeros((0, 3)), np.zeros(3), np.zeros(3))]
        qpos = []
        for k, path in enumerate(self.paths):
            body = spec.worldbody.add_body(name=f"box {k}")
            body.add_freejoint()
            body.add_geom(name=f"box {k}", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.1] * 3)
            top = np.array([[0, 0, 0.1], [0, 0, -0.1]])
            instances.append(Instance.around(f"box {k}", "box", f"box {k}", (f"box {k}",), 0.1 * CORNERS, top))
            qpos.append(np.concatenate([path, np.tile([1.0, 0, 0, 0], (len(path), 1))], axis=1))
        return Staged(spec, np.concatenate(qpos, axis=1), tuple(instances))


def shoot(*paths: list[tuple[float, float, float]], passes: tuple[str, ...] = ALL) -> list[Frame]:
    request = Request(size=(100, 80), passes=passes, length=len(paths[0]))  # type: ignore[arg-type]
    return list(photographs(Boxes(*paths), [0], request=request))


def box(frame: Frame, k: int = 0) -> int:
    """The row of box `k`."""
    return frame.objects.names.index(f"box {k}")


def test_camera_is_that_of_the_scene_by_hand() -> None:
    """Forty pixels to a unit of slope, the centre in the middle, x to the right, y down, z forward."""
    camera = shoot([(0.3, 0.1, 1)])[0].camera
    np.testing.assert_allclose(camera.intrinsics, [[40, 0, 50], [0, 40, 40], [0, 0, 1]], atol=1e-4)
    np.testing.assert_allclose(camera.rotation, np.diag([1, -1, -1]), atol=1e-7)
    np.testing.assert_allclose(camera.position, [0, 0, 3], atol=1e-7)
    np.testing.assert_allclose(camera.extrinsics @ [0.3, 0.1, 1, 1], [0.3, -0.1, 2, 1], atol=1e-7)
    np.testing.assert_allclose(camera.project(np.array([0.3, 0.1, 1.0])), [56, 38, 2], atol=1e-4)


def test_boxes_depth_and_masks_are_those_of_the_scene_by_hand() -> None:
    """A box from (0.2, 0) to (0.4, 0.2) whose top is 1.9 m away and whose bottom is 2.1 m away."""
    frame = shoot([(0.3, 0.1, 1)])[0]
    o, k = frame.objects, box(frame)
    by_hand = [50 + 40 * 0.2 / 2.1, 40 - 40 * 0.2 / 1.9, 50 + 40 * 0.4 / 1.9, 40.0]
    np.testing.assert_allclose(o.amodal[k], by_hand, atol=1e-3)
    # the pixels whose centres are in it: columns 54 to 57 (centres 54.5 to 57.5), rows 36 to 39
    np.testing.assert_array_equal(o.boxes[k], [54, 36, 58, 40])
    assert o.pixels[k] == 16 == (frame.instances == o.ids[k]).sum()
    assert frame.depth is not None
    assert frame.depth.dtype == np.float32
    assert frame.depth[37, 56] == pytest.approx(1.9, abs=1e-5)
    assert frame.depth[0, 0] == pytest.approx(3.0, abs=1e-5)  # along the axis, not along the ray
    np.testing.assert_allclose(o.poses[k], [0.3, 0.1, 1, 1, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(np.concatenate([o.centres[k], o.sizes[k]]), [0, 0, 0, 0.2, 0.2, 0.2])
    assert o.truncation[k] == 0
    assert o.visible[k] == 1
    np.testing.assert_array_equal(np.unique(frame.semantics), [1, 2])
    assert frame.things.names == ("box 0",)


def test_keypoints_know_what_hides_them() -> None:
    """The middle of the top is seen, that of the bottom is hidden by another box only."""
    frame = shoot([(0.3, 0.1, 1)], [(0.3, 0.1, 0.5)])[0]
    upper, lower = box(frame, 0), box(frame, 1)
    np.testing.assert_allclose(frame.objects.keypoints[upper, 0], [50 + 12 / 1.9, 40 - 4 / 1.9, 2], atol=1e-3)
    np.testing.assert_array_equal(frame.objects.keypoints[upper, :, 2], [2, 2])
    np.testing.assert_array_equal(frame.objects.keypoints[lower, :, 2], [1, 1])


def test_what_has_no_visible_pixel_has_an_amodal_box_alone() -> None:
    frame = shoot([(0, 0, 1)], [(0, 0, 0.2)], [(0, 0, 4)], [(30, 0, 1)])[0]
    assert frame.objects.names == ("floor", "box 0", "box 1")  # neither what is behind the camera nor what is outside
    hidden = box(frame, 1)
    assert frame.objects.pixels[hidden] == 0
    assert frame.objects.visible[hidden] == 0
    assert np.isnan(frame.objects.boxes[hidden]).all()
    np.testing.assert_allclose(frame.objects.amodal[hidden], [50 - 4 / 2.7, 40 - 4 / 2.7, 50 + 4 / 2.7, 40 + 4 / 2.7])


def test_half_hidden_and_half_outside() -> None:
    """A box half under another shows half of its pixels; one across the border is truncated by a half."""
    frame = shoot([(0.1, 0, 2)], [(0.2, 0, 1.7)])[0]
    seen = frame.objects.visible[box(frame, 1)]
    # the upper one hides u < 50 + 8 / 0.9; the lower one's top reaches from 50 + 4 / 1.2 to 50 + 12 / 1.2
    assert seen == pytest.approx((12 / 1.2 - 8 / 0.9) / (8 / 1.2), abs=0.1)
    edge = shoot([(50 * 2 / 40, 0, 1)])[0]
    k = box(edge)
    amodal = edge.objects.amodal[k]
    assert edge.objects.truncation[k] == pytest.approx((amodal[2] - 100) / (amodal[2] - amodal[0]))
    assert edge.objects.boxes[k][2] == 100


def test_a_hull_that_reaches_behind_the_camera_is_cut() -> None:
    """A box around the camera's own plane fills its side of the image."""
    frame = shoot([(0.2, 0, 3)])[0]
    amodal = frame.objects.amodal[box(frame)]
    assert amodal[0] < 50 + 40 * 0.1 / 0.1 + 1
    assert amodal[2] > 100
    assert amodal[1] < 0
    assert amodal[3] > 80


def test_flow_is_the_motion_by_hand_and_unknown_in_the_last_frame() -> None:
    """5 cm to the right at 1.9 m is 40 * 0.05 / 1.9 pixels; the floor stands still."""
    first, last = shoot([(0.3, 0.1, 1), (0.35, 0.1, 1)])
    assert first.flow is not None
    assert last.flow is not None
    np.testing.assert_allclose(first.flow[37, 56], [40 * 0.05 / 1.9, 0], atol=1e-3)
    np.testing.assert_allclose(first.flow[0, 0], [0, 0], atol=1e-3)
    assert np.isnan(last.flow).all()
    assert (first.sequence, first.step, last.step, last.index) == (0, 0, 1, 1)
    assert first.objects.ids[box(first)] == last.objects.ids[box(last)]


def test_flow_takes_masks_onto_masks() -> None:
    """What flow says of a cube in flight is what the next frame shows: its mask lands on its mask."""
    request = Request(size=(128, 128), passes=("depth", "instances", "flow"), length=2, rate=60)
    for sequence in range(3):
        a, b = list(get_world("cube-toss").frames([sequence], request=request, seed=2))
        assert a.flow is not None
        assert a.instances is not None
        assert b.instances is not None
        rows, columns = np.nonzero(a.instances == 2)
        u, v = (np.stack([columns, rows], axis=1) + 0.5 + a.flow[rows, columns]).T
        inside = (u >= 0) & (u < 128) & (v >= 0) & (v < 128)
        landed = b.instances[v[inside].astype(int), u[inside].astype(int)] == 2
        assert landed.mean() > 0.9


def test_normals_face_the_camera_and_are_those_of_the_depth() -> None:
    """Straight up on top of the box; elsewhere the cross product of neighbours' points where the surface is smooth."""
    frame = shoot([(0.3, 0.1, 1)])[0]
    assert frame.normals is not None
    np.testing.assert_allclose(frame.normals[37, 56], [0, 0, -1], atol=1e-6)
    drawer = next(iter(get_world("drawer").frames([0], request=Request(size=(160, 160), passes=ALL), seed=1)))
    assert drawer.normals is not None
    assert drawer.depth is not None
    assert drawer.instances is not None
    points = drawer.camera.rays * drawer.depth[..., None]
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    by_depth = np.cross(down, across)
    by_depth /= np.linalg.norm(by_depth, axis=-1, keepdims=True) + 1e-12
    cabinet = drawer.instances == drawer.objects.ids[drawer.objects.names.index("cabinet")]
    inner = (
        cabinet & np.roll(cabinet, 1, 0) & np.roll(cabinet, -1, 0) & np.roll(cabinet, 1, 1) & np.roll(cabinet, -1, 1)
    )
    agree = (by_depth * drawer.normals).sum(-1)[inner]
    assert (agree > 0.99).mean() > 0.8
    facing = (drawer.normals * drawer.camera.rays).sum(-1)[drawer.instances > 0]
    assert (facing <= 1e-6).mean() > 0.98


def test_lens_distortion_is_undone() -> None:
    """Rays through pixels, seen through the lens, come out at their centres; beyond its end nothing folds back."""
    camera = Camera(
        "c", (64, 48), np.array([[50, 0, 32], [0, 50, 24], [0, 0, 1.0]]), np.zeros(3), np.eye(3), (-0.2, 0.05)
    )
    u, v = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    np.testing.assert_allclose(camera.image(camera.rays), np.stack([u, v], axis=-1), atol=1e-6)
    end = widest((-0.2, 0.0))
    assert end == pytest.approx(np.sqrt(1 / 0.6))
    folding = Camera("c", (64, 48), camera.intrinsics, np.zeros(3), np.eye(3), (-0.2, 0.0))
    far = folding.image(np.array([[end, 0, 1.0], [9.0, 0, 1.0]]))
    np.testing.assert_allclose(far[0], far[1])
    x, y = undistorted(np.zeros(1), np.zeros(1), (-0.2, 0.05))
    assert x[0] == y[0] == 0


@pytest.mark.parametrize("name", ["double-pendulum/c1", "qube", "cart-pole", "cube-toss", "drawer"])
def test_every_physics_world_can_be_photographed(name: str) -> None:
    """Each shows its bodies, and a sequence is the same whatever else is asked for."""
    world = get_world(name)
    request = Request(size=(48, 48), length=2)
    frames = list(world.frames([0, 3], request=request, seed=5))
    assert [f.index for f in frames] == [0, 1, 6, 7]
    assert all(f.things.seen.any() for f in frames)
    again = list(world.frames([3], request=request, seed=5))
    for a, b in zip(frames[2:], again, strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.objects.amodal, b.objects.amodal)
    assert set(frames[0].parameters) >= set(world.parameters.names)


def test_depth_is_kept_in_round_steps() -> None:
    assert [depth_unit(x) for x in (6.5, 6.6, 60, 131)] == [1e-4, 2e-4, 1e-3, 2e-3]


def test_a_request_says_what_is_wrong_with_it() -> None:
    with pytest.raises(InputError, match=r"unknown pass 'depht' .did you mean 'depth'"):
        Request(passes=("depht",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="each side must be from 1"):
        Request(size=(0, 5))
    with pytest.raises(InputError, match=r"unknown camera of world 'qube': 'wach' .did you mean 'watch'"):
        next(iter(get_world("qube").frames([0], request=Request(cameras=("wach",)))))


def look_of(**values: float) -> Point:
    """A look that is always the same, all else as the world made it."""
    named = {k.replace("__", "."): v for k, v in values.items()}
    return Point(look_space(), look_space().row(named))


def test_a_look_that_changes_nothing_changes_nothing() -> None:
    """To the byte of the image, and in all that is labelled."""
    request = Request(size=(100, 80), passes=("depth", "instances"))
    world = Boxes([(0.3, 0.1, 1)])
    world.categories = (*Boxes.categories, CLUTTER_CATEGORY)
    plain = next(photographs(world, [0], request=request))
    nobody = look_of(light__azimuth=0.5)  # of no light: it is dressed, and looks the same
    dressed = next(photographs(world, [0], request=request, look=nobody))
    np.testing.assert_array_equal(plain.rgb, dressed.rgb)
    np.testing.assert_array_equal(plain.instances, dressed.instances)
    np.testing.assert_array_equal(plain.depth, dressed.depth)
    assert plain.objects.names == dressed.objects.names
    default = next(photographs(world, [0], request=request, look=look_of()))
    np.testing.assert_array_equal(plain.rgb, default.rgb)
    assert default.parameters.keys() == dressed.parameters.keys()


def test_labels_are_seen_through_the_lens() -> None:
    """Through a barrel lens the box stands where `Camera.image` puts it, in image, mask, depth, flow and boxes."""
    request = Request(size=(200, 160), passes=ALL, length=2)
    world = Boxes([(1.2, 0.9, 1), (1.1, 0.9, 1)])
    world.categories = (*Boxes.categories, CLUTTER_CATEGORY)
    plain = next(photographs(world, [0], request=request))
    bent = next(photographs(world, [0], request=request, look=look_of(lens__k1=-0.2)))
    assert bent.camera.distortion == (-0.2, 0)
    np.testing.assert_allclose(bent.camera.intrinsics, plain.camera.intrinsics, atol=1e-4)
    k = box(bent)
    rows, columns = np.nonzero(bent.instances == bent.objects.ids[k])
    amodal, tight = bent.objects.amodal[k], bent.objects.boxes[k]
    assert np.abs(amodal - plain.objects.amodal[box(plain)]).max() > 3
    np.testing.assert_allclose(tight, amodal, atol=1.1)
    top = bent.camera.project(np.array([1.2, 0.9, 1.1]))
    row, column = int(top[1]), int(top[0])
    assert bent.instances is not None
    assert bent.depth is not None
    assert bent.flow is not None
    assert bent.instances[row, column] == bent.objects.ids[k]
    assert bent.depth[row, column] == pytest.approx(1.9, abs=1e-4)
    here = bent.camera.image(bent.camera.rays[row, column] * 1.9)
    there = bent.camera.image(bent.camera.rays[row, column] * 1.9 - [0.1, 0, 0])
    np.testing.assert_allclose(bent.flow[row, column], there - here, atol=0.02)
    assert bent.objects.visible[k] == 1
    brightness = bent.rgb[rows, columns].mean() - plain.rgb[plain.instances == 2].mean()
    assert abs(brightness) < 12


@pytest.mark.parametrize("k1", [-0.3, 0.2])
def test_amodal_boxes_hold_what_a_lens_bends(k1: float) -> None:
    """An edge from one side of the image to the other bulges beyond its ends: the box goes round it to a pixel."""
    boards = [[(x, -0.9, 1), (x, -0.9, 1)] for x in np.arange(-1.5, 1.6, 0.2)]

    class Board(Boxes):
        def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
            staged = super().stage(row, number, seed, request)
            geoms = tuple(g for i in staged.instances[1:] for g in i.geoms)
            corners = CORNERS * [1.6, 0.1, 0.1] + [1.5, 0, 0]
            whole = Instance.around("board", "box", "box 0", geoms, corners, staged.instances[1].keypoints)
            return replace(staged, instances=(staged.instances[0], whole))

    world = Board(*boards)
    world.categories = (*Boxes.categories, CLUTTER_CATEGORY)
    request = Request(size=(200, 160), passes=("instances",), length=2)
    frame = next(photographs(world, [0], request=request, look=look_of(lens__k1=k1)))
    k = frame.objects.names.index("board")
    np.testing.assert_allclose(frame.objects.boxes[k], np.clip(frame.objects.amodal[k], 0, [200, 160] * 2), atol=1.1)


def test_a_lens_before_a_camera_that_is_given_by_its_sensor() -> None:
    """A camera with a focal length and a middle of its own is seen through a lens as `Camera.image` says."""

    class Sensor(Boxes):
        def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
            staged = super().stage(row, number, seed, request)
            camera = staged.spec.camera("down")
            camera.resolution, camera.sensor_size = [200, 160], [0.02, 0.016]
            camera.focal_length, camera.principal_length = [0.008, 0.01], [0.001, -0.0005]
            return staged

    world = Sensor([(0.5, 0.4, 1), (0.5, 0.4, 1)])
    world.categories = (*Boxes.categories, CLUTTER_CATEGORY)
    request = Request(size=(200, 160), passes=("instances",), length=2)
    frame = next(photographs(world, [0], request=request, look=look_of(lens__k1=-0.1)))
    np.testing.assert_allclose(np.diag(frame.camera.intrinsics)[:2], [80, 100], rtol=1e-4)
    k = box(frame)
    np.testing.assert_allclose(frame.objects.boxes[k], frame.objects.amodal[k], atol=1.1)


def test_a_camera_without_perspective_is_refused() -> None:
    """Depth and boxes of an orthographic camera would be wrong: it is refused, in a sentence that names it."""

    class Parallel(Boxes):
        def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
            staged = super().stage(row, number, seed, request)
            staged.spec.camera("down").proj = mujoco.mjtProjection.mjPROJ_ORTHOGRAPHIC
            return staged

    with pytest.raises(InputError, match="camera 'down' is orthographic"):
        next(photographs(Parallel([(0.0, 0.0, 1)]), [0], request=Request(size=(20, 16))))


def test_a_geom_has_the_colour_that_it_is_drawn_in() -> None:
    """A geom's own colour goes before its material's: what is drawn, and in what colour, is known without drawing."""
    spec = mujoco.MjSpec()
    spec.worldbody.add_light(pos=[0, 0, 3], dir=[0, 0, -1])
    spec.worldbody.add_camera(name="down", pos=[0, 0, 3], fovy=90)
    for name, rgba in (("red", [1, 0, 0, 1]), ("clear", [1, 0, 0, 0])):
        spec.add_material(name=name, rgba=rgba)
    kinds = [("red", None), ("red", [0, 1, 0, 1]), ("red", [0, 1, 0, 0]), ("clear", None), ("clear", [0, 0, 1, 1])]
    for k, (material, rgba) in enumerate(kinds):
        given = {} if rgba is None else {"rgba": rgba}
        spec.worldbody.add_geom(name=f"{k}", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.2] * 3, pos=[k - 2, 0, 1],
                                material=material, **given)  # fmt: skip
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    canvas = Canvas((100, 40))
    canvas.load(model)
    canvas.look(data, 0)
    rgb, geoms = canvas.colour(), canvas.surfaces()[1]
    canvas.close()
    assert shown(model).tolist() == [(geoms == k).any() for k in range(5)] == [True, True, False, False, True]
    for k in np.flatnonzero(shown(model)):
        assert rgb[geoms == k].mean(axis=0).argmax() == shown_colours(model)[k, :3].argmax()


def test_a_scene_of_which_nothing_is_labelled() -> None:
    """A scene without instances has frames without objects."""

    class Bare(Boxes):
        def stage(self, row: object, number: int, seed: int, request: Request) -> Staged:
            return replace(super().stage(row, number, seed, request), instances=())

    frame = next(photographs(Bare([(0.0, 0.0, 1)]), [0], request=Request(size=(20, 16), passes=ALL)))
    assert len(frame.objects) == 0
    assert frame.instances is not None
    assert not frame.instances.any()


def test_groups_of_a_look_are_drawn_as_often_as_asked() -> None:
    """Two textures for any number of sequences, each with a light of its own, on one scene."""
    world = get_world("drawer")
    request = Request(size=(32, 32), passes=(), views=4, distinct={"texture": 2})
    frames = list(world.frames(range(4), request=request, look=world.looks()["wide"], seed=3))
    hue = [f.parameters["texture.hue"] for f in frames]
    assert hue[0] == hue[2] != hue[1] == hue[3]
    assert len({f.parameters["light.azimuth"] for f in frames}) == 4
    alone = next(iter(world.frames([2], request=request, look=world.looks()["wide"], seed=3)))
    np.testing.assert_array_equal(alone.rgb, frames[2].rgb)
    with pytest.raises(InputError, match="group of appearance parameters in 'distinct': 'textures'"):
        next(iter(world.frames([0], request=replace(request, distinct={"textures": 2}), look=world.looks()["wide"])))


def test_what_a_depth_camera_measures_is_beside_the_truth() -> None:
    world = get_world("drawer")
    request = Request(size=(64, 64), passes=("depth_sensed",))
    frame = next(iter(world.frames([0], request=request, look=look_of(sensor__depth_noise=0.01), seed=3)))
    clean = next(iter(world.frames([0], request=Request(size=(64, 64)), seed=3)))
    np.testing.assert_array_equal(frame.depth, clean.depth)
    assert frame.depth is not None
    assert frame.depth_sensed is not None
    seen = frame.depth > 0
    error = 1 / frame.depth_sensed[seen] - 1 / frame.depth[seen]
    assert np.std(error) == pytest.approx(0.01, rel=0.1)


def test_scenes_may_be_photographed_in_turns() -> None:
    """One that is put aside while another is drawn and gone gives the same images, and OpenGL finds nothing wrong."""
    said: list[str] = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(said.append)
    try:
        world, request = get_world("tabletop"), Request(size=(32, 32), views=9)
        whole = [f.rgb for f in world.frames(range(3), request=request, seed=1)]
        slow = world.frames(range(3), request=request, seed=1)
        for k in range(3):
            np.testing.assert_array_equal(next(iter(slow)).rgb, whole[k])
            list(world.frames([9], request=request, seed=2))
    finally:
        mujoco.set_mju_user_warning(before)
    assert not said


def test_a_fisheye_shows_angles_as_distances() -> None:
    """A point 60 degrees off the axis is pi / 3 focal lengths from the middle, and rays lead back to their pixels."""
    intrinsics = np.array([[50.0, 0, 50], [0, 50, 40], [0, 0, 1]])
    camera = Camera("c", (100, 80), intrinsics, np.zeros(3), np.eye(3), fisheye=True)
    seen = camera.image(np.array([np.tan(np.pi / 3), 0.0, 1.0]))
    np.testing.assert_allclose(seen, [50 + 50 * np.pi / 3, 40])
    bent = replace(camera, distortion=(0.03, -0.01))
    u, v = np.meshgrid(np.arange(100) + 0.5, np.arange(80) + 0.5)
    for c in (camera, bent):
        np.testing.assert_allclose(c.image(c.rays), np.stack([u, v], axis=-1), atol=1e-9)
