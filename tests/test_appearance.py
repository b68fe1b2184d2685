"""How scenes look: what changes nothing does so to the byte, and each parameter does what it says."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import ConvexHull

from simloop.distributions import Uniform
from simloop.errors import DataWarning, InputError
from simloop.frames import Request
from simloop.randomness import stream
from simloop.worlds import get_world, world_names
from simloop.worlds.appearance import (
    CLUTTER,
    Images,
    Look,
    appearance_distributions,
    appearance_space,
    prepare,
    see_as,
    solid_at,
    solids_at,
    texture,
)
from simloop.worlds.appearance.colours import from_hsv, of_temperature
from simloop.worlds.appearance.textures import KINDS
from simloop.worlds.canvas import Canvas
from simloop.worlds.photograph import Stage

SPACE = appearance_space()
GEOM = mujoco.mjtGeom
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def values(**changes: float) -> dict[str, float]:
    """The looks that a world has by itself, with some parameters changed: `light__count` is light.count."""
    row = SPACE.row({name.replace("__", "."): value for name, value in changes.items()})
    return dict(zip(SPACE.names, row.tolist(), strict=True))


def drawn(number: int) -> dict[str, float]:
    """A look from the wide distribution."""
    row = appearance_distributions()["wide"].sample(1, stream(number, "wide"))[0]
    return dict(zip(SPACE.names, row.tolist(), strict=True))


def table() -> mujoco.MjSpec:
    """A table on a chequered floor, things on it, and two cameras: one at rest and one on an arm."""
    spec = mujoco.MjSpec()
    world = spec.worldbody
    spec.add_texture(name="grid", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
                     rgb1=[0.2, 0.3, 0.4], rgb2=[0.1, 0.2, 0.3], width=64, height=64)  # fmt: skip
    grid = spec.add_material(name="grid", texrepeat=[2, 2], texuniform=True, reflectance=0.1)
    grid.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "grid"
    world.add_geom(name="floor", type=GEOM.mjGEOM_PLANE, size=[0, 0, 0.1], material="grid")
    world.add_geom(name="top", type=GEOM.mjGEOM_BOX, size=[0.5, 0.4, 0.02], pos=[0, 0, 0.6], rgba=[0.6, 0.5, 0.4, 1])
    kinds = (GEOM.mjGEOM_BOX, GEOM.mjGEOM_SPHERE, GEOM.mjGEOM_CYLINDER, GEOM.mjGEOM_CAPSULE, GEOM.mjGEOM_ELLIPSOID)
    for k, kind in enumerate(kinds):
        body = world.add_body(name=f"thing{k}", pos=[0.15 * (k - 2), 0.1 * (-1) ** k, 0.67])
        body.add_freejoint()
        body.add_geom(name=f"thing{k}", type=kind, size=[0.05, 0.04, 0.05], mass=0.1, rgba=[0.2 * k, 0.8, 0.3, 1])
    world.add_light(pos=[0, 0, 3], dir=[0, 0.1, -1])
    world.add_camera(name="watch", pos=[1.4, 0, 1.1], xyaxes=[0, 1, 0, -0.3, 0, 1], fovy=45)
    arm = world.add_body(name="arm", pos=[0, 0.8, 0.9], quat=[0.9, 0.1, 0.3, 0.2])
    arm.add_joint(name="arm", type=mujoco.mjtJoint.mjJNT_HINGE)
    arm.add_geom(name="arm", type=GEOM.mjGEOM_SPHERE, size=[0.03, 0, 0], mass=1)
    arm.add_camera(name="hand", pos=[0, 0, 0.1], xyaxes=[1, 0, 0, 0, 1, 0.3])
    return spec


class Photographer:
    """Photographs a scene as it was made or under looks, through a camera."""

    def __init__(
        self, spec: mujoco.MjSpec, *, prepared: bool = True, size: int = 64, images: Images | None = None
    ) -> None:
        if prepared:
            prepare(spec)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.look = Look(self.model, stream(0, "clutter"), images=images) if prepared else None
        self.canvas = Canvas((size, size))
        self.canvas.load(self.model)
        self.camera = 0

    def shoot(self) -> NDArray[np.uint8]:
        """What the camera sees."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self.canvas.context)  # others draw too
        for _ in range(2):  # MuJoCo puts endless planes where the camera before this one needed them
            self.canvas.look(self.data, self.camera)
        return self.canvas.colour()

    def __call__(self, look: dict[str, float], seed: int = 0) -> NDArray[np.uint8]:
        assert self.look is not None
        applied = self.look.apply(look, lambda group: stream(seed, "look", group))
        self.look.upload(self.canvas.context)
        applied.show(self.canvas.scene)
        rgb = self.shoot()
        return applied.hazed(rgb, self.canvas.surfaces()[0])

    def bytes(self) -> bytes:
        """The whole model."""
        buffer = np.empty(mujoco.mj_sizeModel(self.model), dtype=np.uint8)
        mujoco.mj_saveModel(self.model, None, buffer)
        return buffer.tobytes()


def far_apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.abs(a.astype(int) - b).max())


@pytest.fixture(scope="module")
def photographer() -> Photographer:
    return Photographer(table())


# ---------------------------------------------------------------------------------------------------- as it was made


def worlds_with_cameras() -> list[str]:
    """Those that MuJoCo draws."""
    return [n for n in world_names() if get_world(n).cameras and hasattr(get_world(n), "stage")]


@pytest.mark.parametrize("name", ["table", *worlds_with_cameras()])
def test_the_default_look_is_the_world_as_it_was_made(name: str) -> None:
    """Preparing a scene and applying the defaults changes no byte of its picture, for any world with a camera."""

    def spec() -> mujoco.MjSpec:
        if name == "table":
            return table()
        world: Stage = get_world(name)  # type: ignore[assignment]
        return world.stage(world.parameters.default, 0, 0, Request(size=(64, 64))).spec

    plain, prepared = Photographer(spec(), prepared=False), Photographer(spec())
    prepared.data.qpos[:] = plain.data.qpos
    before = plain.shoot()
    np.testing.assert_array_equal(prepared(values()), before)
    prepared(drawn(3), 3)
    np.testing.assert_array_equal(prepared(values()), before)


def test_what_is_added_changes_neither_extent_nor_physics(photographer: Photographer) -> None:
    """Lights, materials and clutter leave the scene's size, its joints and its masses as they were."""
    plain, prepared = Photographer(table(), prepared=False).model, photographer.model
    assert prepared.stat.extent == plain.stat.extent
    np.testing.assert_array_equal(prepared.stat.center, plain.stat.center)
    assert (prepared.nq, prepared.nv, prepared.njnt) == (plain.nq, plain.nv, plain.njnt)
    assert prepared.body_mass.sum() == plain.body_mass.sum()


def test_a_look_depends_on_nothing_before_it(photographer: Photographer) -> None:
    """Applying A, B and A gives A's bytes again, in the model and in the picture."""
    for number in range(4):
        first = photographer(drawn(number), number)
        whole = photographer.bytes()
        photographer(drawn(number + 10), number + 10)
        assert far_apart(photographer(drawn(number), number), first) == 0
        assert photographer.bytes() == whole
    afresh = Photographer(table())
    np.testing.assert_array_equal(afresh(drawn(3), 3), first)


def test_every_parameter_does_something(photographer: Photographer) -> None:
    """Moving any parameter across its wide range, others being in the middle, changes the picture."""
    wide = appearance_distributions()["wide"]
    assert isinstance(wide, Uniform)
    middle = {**dict(zip(SPACE.names, wide.mean.tolist(), strict=True)), "texture.kind": 3.0}  # checker has a scale
    for j, name in enumerate(SPACE.names):
        round_again = name.endswith(("hue", "azimuth"))  # their ends are one and the same
        ends = (wide.low[j], wide.high[j] - 0.4 * (wide.high[j] - wide.low[j]) * round_again)
        apart = []
        for seed in range(4):
            low, high = (photographer({**middle, name: float(end)}, seed) for end in ends)
            apart.append(far_apart(low, high))
        assert max(apart) > 8, name


def test_choices_of_a_group_come_from_its_own_stream(photographer: Photographer) -> None:
    """Other lights under the same textures: what was drawn for the surfaces stays the same bytes."""
    assert photographer.look is not None
    look, model = values(texture__share=0.7, texture__recolour=0.5, light__count=3), photographer.model
    kept = []
    for seed in (1, 2):
        photographer.look.apply(look, lambda g, s=seed: stream(s if g == "light" else 0, "look", g))  # type: ignore[misc]
        kept.append((model.mat_rgba.tobytes(), model.tex_data.tobytes(), model.light_dir.tobytes()))
    assert kept[0][:2] == kept[1][:2]
    assert kept[0][2] != kept[1][2]


def test_a_look_without_a_value_is_refused(photographer: Photographer) -> None:
    """A parameter that has no value is named."""
    assert photographer.look is not None
    with pytest.raises(InputError, match=r"'texture\.share' has no value"):
        photographer.look.apply({}, lambda g: stream(0, g))


# --------------------------------------------------------------------------------------------------------- textures


@pytest.mark.parametrize("kind", KINDS)
def test_textures_are_seamless_and_repeat(kind: str) -> None:
    """Across a texture's edge colours change no more than within it; the same stream gives the same bytes."""
    for number in range(8):
        picture = texture(kind, 64, stream(number, "t"), first=RED, second=BLUE, scale=1.0 + number)
        np.testing.assert_array_equal(
            picture, texture(kind, 64, stream(number, "t"), first=RED, second=BLUE, scale=1.0 + number)
        )
        twice = np.tile(picture, (2, 2, 1)).astype(int)
        for axis in (0, 1):
            steps = np.abs(np.diff(twice, axis=axis)).sum(axis=-1).mean(axis=1 - axis)
            assert steps[63] <= steps[:63].max() + 1e-9, (kind, number)


def test_a_texture_has_the_colours_that_it_is_told() -> None:
    """Without contrast there is the first colour alone, with it both and nothing outside them."""
    for kind in KINDS:
        flat = texture(kind, 32, stream(0, "t"), first=RED, second=BLUE, contrast=0.0)
        assert (flat == (255, 0, 0)).all()
    checker = texture("checker", 64, stream(0, "t"), first=RED, second=BLUE, scale=4)
    assert {tuple(c) for c in checker.reshape(-1, 3)} == {(255, 0, 0), (0, 0, 255)}
    assert (checker[..., 0] > 0).mean() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(InputError, match="did you mean 'checker'"):
        texture("chequer", 8, stream(0, "t"), first=RED, second=BLUE)


def test_images_of_a_folder_are_worn(tmp_path: Path) -> None:
    """Images are taken from a folder and its subfolders, whatever their names; broken ones are named and left out."""
    (tmp_path / "Bäume und Felsen").mkdir()
    Image.fromarray(np.full((40, 60, 3), (250, 10, 10), dtype=np.uint8)).save(
        tmp_path / "Bäume und Felsen" / "木 1.png"
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images"):
        Images(tmp_path / "empty")
    good = Images(tmp_path)
    assert len(good) == 1
    assert (good.texture(16, stream(0, "i")) == (250, 10, 10)).all()
    photographer = Photographer(table(), images=good)
    share = {**values(texture__share=1), "texture.kind": float(len(KINDS) + 1)}
    rgb = photographer(share).astype(int)
    assert (rgb[..., 0] > 2 * rgb[..., 1]).mean() > 0.5
    whole = (tmp_path / "Bäume und Felsen" / "木 1.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.jpg").write_text("no image")
    with pytest.warns(DataWarning, match=r"2 images cannot be read and left out: half\.png, none\.jpg"):
        assert Images(tmp_path).hash == good.hash
    (tmp_path / "Bäume und Felsen" / "木 1.png").unlink()
    with pytest.raises(InputError, match=r"no image in this folder can be read"):
        Images(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        Images(tmp_path / "nowhere")


def test_an_image_pattern_needs_a_folder(photographer: Photographer) -> None:
    """Without a folder of images the pattern is no choice, and asking for it is refused in a sentence."""
    assert appearance_space()["texture.kind"].choices[-1] == "image"
    with pytest.raises(InputError, match="no folder of images"):
        photographer({**values(texture__share=1), "texture.kind": float(len(KINDS) + 1)})


def test_colours_are_those_of_their_names() -> None:
    """Hue, saturation and value as the standard library has them; 6500 K is white, candles are red, the sky is blue."""
    import colorsys

    for h, s, v in stream(0, "hsv").random((20, 3)):
        np.testing.assert_allclose(from_hsv(h, s, v), colorsys.hsv_to_rgb(h, s, v), atol=1e-12)
    np.testing.assert_allclose(of_temperature(6500), 1)
    warm, cold = of_temperature(2700), of_temperature(12000)
    assert warm[0] == 1
    assert warm[0] > warm[1] > warm[2]
    assert cold[2] == 1
    assert cold[2] > cold[1] > cold[0]


# ----------------------------------------------------------------------------------------------- lights, sky and haze


def test_lights_are_as_many_and_as_strong_as_said(photographer: Photographer) -> None:
    """Together the further lights have the strength that is said, however many; the world's own take their factor."""
    model = photographer.model
    for count in range(5):
        photographer(values(light__count=count, light__strength=0.9, light__own=0.5, light__shadows=2))
        mine = [model.light(f"look/light-{k}").id for k in range(4)]
        on = model.light_active[mine].astype(bool)
        assert on.sum() == count
        assert model.light_diffuse[mine][on].sum() == pytest.approx(0.9 * 3 * (count > 0), rel=1e-5)
        assert model.light_castshadow[mine][on].sum() == min(count, 2)
        assert model.light_diffuse[0, 0] == pytest.approx(0.5 * 0.7)  # the world's own, 0.7 by default
    dark = photographer(values(light__own=0))
    assert dark.max() <= 2
    even = photographer(values(light__own=0, light__ambient=0.5))
    assert even.max() > 60


def test_the_first_light_shines_from_where_it_is_said(photographer: Photographer) -> None:
    """Its direction is the opposite of where it stands: azimuth about the vertical, elevation above the ground."""
    photographer(values(light__count=1, light__azimuth=0.5, light__elevation=0.9))
    direction = photographer.model.light_dir[photographer.model.light("look/light-0").id]
    expected = -np.array([np.cos(0.9) * np.cos(0.5), np.cos(0.9) * np.sin(0.5), np.sin(0.9)])
    np.testing.assert_allclose(direction, expected, atol=1e-12)


def test_haze_is_koschmieders_law(photographer: Photographer) -> None:
    """Of what is as far as the scene's middle the part 1 - haze comes through; without haze the picture is itself."""
    look = photographer.look
    assert look is not None
    rgb = np.full((2, 2, 3), 200, dtype=np.uint8)
    away = float(np.median(np.linalg.norm(photographer.data.cam_xpos - photographer.model.stat.center, axis=1)))
    depth = np.array([[away, 2 * away], [away / 2, 0]], dtype=np.float32)
    applied = look.apply(values(sky__haze=0.4, sky__brightness=0.3), lambda g: stream(0, g))
    expected = np.array([[0.6, 0.36], [np.sqrt(0.6), 0.6**5]])[..., None]
    hazed = applied.hazed(rgb, depth)
    np.testing.assert_allclose(hazed, applied.haze.colour + (200 - applied.haze.colour) * expected, atol=1)
    clear = look.apply(values(), lambda g: stream(0, g))
    assert clear.hazed(rgb, depth) is rgb


def test_the_sky_is_seen_where_nothing_else_is(photographer: Photographer) -> None:
    """A world without a sky has none by default; with a mix of 1 it has the colour that is said."""
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(name="ball", type=GEOM.mjGEOM_SPHERE, size=[0.1, 0, 0])
    spec.worldbody.add_camera(pos=[2, 0, 0], xyaxes=[0, 1, 0, 0, 0, 1])
    photographer = Photographer(spec)
    assert photographer(values())[0, 0].max() == 0
    red = photographer(values(sky__mix=1, sky__hue=0, sky__saturation=1, sky__brightness=0.6)).astype(int)
    assert red[0, 0, 0] > 100
    assert red[0, 0, 0] > red[0, 0, 2] + 30


# ---------------------------------------------------------------------------------------------------------- cameras


def pose(photographer: Photographer, camera: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a camera is and where it looks."""
    photographer.shoot()
    return photographer.data.cam_xpos[camera].copy(), -photographer.data.cam_xmat[camera].reshape(3, 3)[:, 2].copy()


@pytest.mark.parametrize("camera", [0, 1])
def test_cameras_turn_about_what_they_look_at(photographer: Photographer, camera: int) -> None:
    """Turned, a camera looks at the same point from the same distance; nearer, from the part that is said."""
    photographer(values())
    eye, forward = pose(photographer, camera)
    middle = photographer.model.stat.center
    deep = (middle - eye) @ forward
    deep = deep if deep > 0.05 * photographer.model.stat.extent else photographer.model.stat.extent / 2
    target = eye + deep * forward
    for look in (
        values(camera__azimuth=0.4),
        values(camera__elevation=0.3),
        values(camera__azimuth=-1, camera__elevation=0.2, camera__distance=1.5, camera__roll=0.3),
    ):
        photographer(look)
        moved, now = pose(photographer, camera)
        np.testing.assert_allclose(moved + look["camera.distance"] * deep * now, target, atol=1e-6)
    photographer(values(camera__elevation=0.3))
    assert pose(photographer, camera)[0][2] > eye[2]  # up is up
    photographer(values(camera__azimuth=0.4))
    turned = pose(photographer, camera)[0]
    assert turned[2] == pytest.approx(eye[2])


def test_a_carried_camera_keeps_following(photographer: Photographer) -> None:
    """A camera on an arm, moved by a look, moves with the arm."""
    photographer.data.qpos[-1] = 0
    photographer(values(camera__azimuth=0.3))
    before = pose(photographer, 1)[0]
    photographer.data.qpos[-1] = 0.5
    assert np.linalg.norm(pose(photographer, 1)[0] - before) > 0.01
    photographer.data.qpos[-1] = 0


def test_roll_and_view_are_what_they_say() -> None:
    """A roll turns the picture about its middle; twice the angle of view is twice the angle."""
    photographer = Photographer(table())
    photographer(values(camera__roll=np.pi))
    upside = photographer(values(camera__roll=np.pi)).astype(int)
    upright = photographer(values()).astype(int)
    assert np.abs(upside[::-1, ::-1] - upright).mean() < 4
    photographer(values(camera__view=2))
    assert photographer.model.cam_fovy[0] == pytest.approx(90)
    see_as(photographer.model, 0, 1.0)
    assert photographer.model.cam_fovy[0] == pytest.approx(np.rad2deg(1))
    photographer(values())
    assert photographer.model.cam_fovy[0] == 45


# ------------------------------------------------------------------------------------------------- inside of objects


def test_the_points_in_an_object_make_up_its_volume() -> None:
    """Of random points as many are in a shape as its volume says; in a mesh, those that are in its convex hull."""
    cloud = stream(0, "cloud").standard_normal((30, 3))
    hull = ConvexHull(cloud)
    shapes = {
        GEOM.mjGEOM_SPHERE: ([0.8, 0, 0], 4 / 3 * np.pi * 0.8**3),
        GEOM.mjGEOM_BOX: ([0.8, 0.5, 0.9], 8 * 0.8 * 0.5 * 0.9),
        GEOM.mjGEOM_CYLINDER: ([0.7, 0.8, 0], np.pi * 0.7**2 * 1.6),
        GEOM.mjGEOM_CAPSULE: ([0.4, 0.5, 0], np.pi * 0.4**2 * 1.0 + 4 / 3 * np.pi * 0.4**3),
        GEOM.mjGEOM_ELLIPSOID: ([0.9, 0.5, 0.7], 4 / 3 * np.pi * 0.9 * 0.5 * 0.7),
    }
    points = stream(0, "points").uniform(-1, 1, (1500, 3))
    for kind, (size, volume) in shapes.items():
        spec = mujoco.MjSpec()
        spec.worldbody.add_geom(type=kind, size=size, quat=[0.6, 0.3, 0.2, 0.7], name="it")
        model = spec.compile()
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        turned = data.geom_xmat[0].reshape(3, 3)
        inside = np.mean([solid_at(model, data, turned @ p) == "it" for p in points])
        assert 8 * inside == pytest.approx(volume, abs=4 * 8 * np.sqrt(0.25 / len(points))), kind
    spec = mujoco.MjSpec()
    spec.add_mesh(name="hull", uservert=hull.points.reshape(-1).tolist())
    spec.worldbody.add_body(pos=[1, 2, 3]).add_geom(type=GEOM.mjGEOM_MESH, meshname="hull", name="it")
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    for p in 3 * points[:500]:
        height = (hull.equations[:, :3] @ p + hull.equations[:, 3]).max()
        if abs(height) > 1e-4:
            at = p + np.array([1, 2, 3])
            assert (len(solids_at(model, data, at)) == 1) == (height < 0)
            assert (len(solids_at(model, data, at, margin=0.2)) == 1) >= (height < 0)


def test_a_camera_in_an_object_is_drawn_again() -> None:
    """The first look whose cameras are free is taken; where there is none it says what the camera stands in."""
    photographer = Photographer(table())
    in_the_ball = values(camera__distance=0.7, camera__elevation=0.2)
    photographer(in_the_ball)
    photographer = Photographer(_with_ball(photographer.data.cam_xpos[0].copy()))
    look = photographer.look
    assert look is not None
    chosen, _ = look.apply_free([in_the_ball, values(camera__azimuth=0.1)], lambda g: stream(0, g), ["watch"])
    assert chosen["camera.azimuth"] == 0.1
    assert look.blocked("watch") is None
    with pytest.raises(InputError, match="camera 'watch' stands in 'ball', however often it was drawn"):
        look.apply_free([in_the_ball] * 3, lambda g: stream(0, g), ["watch"])


def _with_ball(at: NDArray[np.float64]) -> mujoco.MjSpec:
    spec = table()
    spec.worldbody.add_geom(name="ball", type=GEOM.mjGEOM_SPHERE, size=[0.05, 0, 0], pos=at)
    return spec


def test_a_camera_may_stand_where_the_world_put_it() -> None:
    """A camera inside a housing that the world made is left alone, however it then turns."""
    spec = table()
    spec.worldbody.add_geom(name="housing", type=GEOM.mjGEOM_SPHERE, size=[0.05, 0, 0], pos=[1.4, 0, 1.1])
    look = Photographer(spec).look
    assert look is not None
    assert look.blocked("watch") is None


# ---------------------------------------------------------------------------------------------------------- clutter


def test_clutter_lies_on_the_ground_and_apart_and_is_labelled() -> None:
    """As many things as said lie on what is level and does not move, none in another, and are seen as themselves."""
    photographer = Photographer(table())
    look, model = photographer.look, photographer.model
    assert look is not None
    names = [i.name for i in look.clutter]
    assert len(names) == CLUTTER
    for seed in range(5):
        applied = look.apply(values(clutter__count=5), lambda g, s=seed: stream(s, g))  # type: ignore[misc]
        photographer.shoot()
        lying = [n for n in names if n not in applied.absent]
        assert len(lying) == 5
        geoms = photographer.canvas.surfaces()[1]
        assert not any((geoms == model.geom(n).id).any() for n in applied.absent)
        for instance in (i for i in look.clutter if i.name in lying):
            at = photographer.data.body(instance.body).xpos
            bottom = at[2] - instance.size[2] / 2
            assert min(abs(bottom), abs(bottom - 0.62)) < 1e-6  # the floor or the table
            others = [n for n in lying if n != instance.name]
            for name in others:
                gap = mujoco.mj_geomDistance(model, photographer.data, model.geom(instance.name).id,
                                             model.geom(name).id, 1.0, None)  # fmt: skip
                assert gap > 0
    half = model.geom_size[model.geom("clutter-0").id]
    assert half.max() < 0.1 * model.stat.extent * 1.2 + 1e-9


def test_the_shapes_of_clutter_belong_to_the_scene() -> None:
    """Under every look the things have the same shapes, so that their boxes hold."""
    photographer = Photographer(table())
    assert photographer.look is not None
    before = [i.size.tolist() for i in photographer.look.clutter]
    photographer(drawn(5), 5)
    assert [i.size.tolist() for i in photographer.look.clutter] == before
