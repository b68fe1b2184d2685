"""Scenes of objects made by program: what they weigh, where they may stand, and that they lie still."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
import pytest
from scipy.special import beta

from simloop.errors import InputError
from simloop.frames import Camera, Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds import get_world
from simloop.worlds.arrange import OnArea, arrange
from simloop.worlds.constraints import (
    Area,
    Clearance,
    Constraint,
    Count,
    InView,
    Layout,
    NotIntersecting,
    Reachable,
    Supported,
    Thing,
)
from simloop.worlds.footprints import footprint, polygon_distance
from simloop.worlds.staged import Staged
from simloop.worlds.tabletop import Tabletop
from simloop.worlds.tabletop.objects import FAMILIES, Mesh, composition, extrusion, random_object, superquadric
from simloop.worlds.tabletop.solids import Placed, of_mesh

TABLE = Area.rectangle("table", centre=(0.6, 0.0), size=(0.6, 0.9), height=0.7)
SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def boxes(n: int, size: float = 0.06, group: str = "") -> list[Thing]:
    """Cubes of side `size`, m."""
    return [Thing.box(f"{group or 'box'}{i}", (size, size, size), group) for i in range(n)]


# Objects


@pytest.mark.parametrize(
    ("e1", "e2", "shape"),
    [(1.0, 1.0, "ellipsoid"), (0.02, 0.02, "box"), (0.02, 1.0, "cylinder"), (2.0, 2.0, "octahedron")],
)
def test_superquadrics_have_the_volumes_and_inertias_of_their_limits(e1: float, e2: float, shape: str) -> None:
    """At its limits a superquadric is a known solid, but for what its mesh cuts off: at most 7 %."""
    half = np.array([0.5, 0.7, 1.0]) * 0.05
    made = superquadric(half, e1, e2, 0.1)
    a, b, c = half
    volume, second = {
        "ellipsoid": (4 / 3 * np.pi * a * b * c, 1 / 5),
        "box": (8 * a * b * c, 1 / 3),
        "cylinder": (2 * np.pi * a * b * c, 1 / 4),
        "octahedron": (4 / 3 * a * b * c, 1 / 10),
    }[shape]
    assert made.volume == pytest.approx(volume, rel=0.07)
    of_z = made.volume * (a**2 + b**2) * second  # about z, the section's second moments
    assert made.inertia[2, 2] == pytest.approx(of_z, rel=0.05)
    np.testing.assert_allclose(made.size, 2 * half, rtol=1e-3)


@pytest.mark.parametrize("e1", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("e2", [0.3, 1.0, 1.7])
def test_superquadrics_have_the_published_volume(e1: float, e2: float) -> None:
    """V = 2 a b c e1 e2 B(e1/2 + 1, e1) B(e2/2, e2/2) (Jaklic, Leonardis and Solina, 2000, eq. 2.60)."""
    half = np.array([0.05, 0.03, 0.04])
    true = 2 * np.prod(half) * e1 * e2 * beta(e1 / 2 + 1, e1) * beta(e2 / 2, e2 / 2)
    volume = superquadric(half, e1, e2, 0.1).volume
    assert 0.92 * true < volume <= true


@pytest.mark.parametrize("family", FAMILIES)
def test_volume_and_inertia_are_those_of_points_inside(family: str) -> None:
    """Volume, centre of mass and inertia agree with those of 40,000 random points in its box."""
    shape = random_object(stream(5, family), family, 0.1)  # type: ignore[arg-type]
    points = shape.centre + (stream(0, "points").random((40_000, 3)) - 0.5) * shape.size
    within = np.zeros(len(points), dtype=bool)
    for solid in shape.solids:
        within |= in_mesh(points, solid) if isinstance(solid, Mesh) else solid.holds(points)
    box = float(np.prod(shape.size))
    assert shape.volume == pytest.approx(within.mean() * box, rel=0.03)
    held = points[within]
    np.testing.assert_allclose(held.mean(axis=0), 0, atol=0.001)
    second = held.T @ held / len(held) * shape.volume
    inertia = np.trace(second) * np.eye(3) - second
    np.testing.assert_allclose(shape.inertia, inertia, atol=0.02 * np.trace(inertia))


def in_mesh(points: Array, mesh: Mesh) -> np.ndarray:
    """Which points are inside a convex mesh."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    return ((points @ normal.T - (a * normal).sum(axis=1)) <= 1e-12).all(axis=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_engine_sees_what_was_made(family: str) -> None:
    """Compiled, an object has its mass and its inertia in its own axes, and its vertices hold all its geoms."""
    for i in range(10):
        shape = random_object(stream(i, family), family, 0.08)  # type: ignore[arg-type]
        spec = mujoco.MjSpec()
        shape.add_to(spec, "thing", mass=0.3)
        model = spec.compile()
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        turned = data.ximat[1].reshape(3, 3)
        np.testing.assert_allclose(
            turned @ np.diag(model.body_inertia[1]) @ turned.T, shape.inertia * 0.3 / shape.volume, atol=1e-12
        )
        assert model.body_mass[1] == pytest.approx(0.3)
        assert shape.size.max() == pytest.approx(0.08)
        low, high = shape.centre - shape.size / 2, shape.centre + shape.size / 2
        assert (shape.vertices.min(axis=0) < low + 1e-9).all()
        assert (shape.vertices.max(axis=0) > high - 1e-9).all()
        for name in shape.visible_geoms("thing"):
            corners = mesh_points(model, data, model.geom(name).id)
            if len(corners):
                assert (corners > low - 1e-6).all()
                assert (corners < high + 1e-6).all()


def mesh_points(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> Array:
    """The vertices of a mesh geom, in the world; none for another geom."""
    mesh = model.geom_dataid[geom]
    if mesh < 0:
        return np.zeros((0, 3))
    at, n = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    return model.mesh_vert[at : at + n] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


def test_stars_collide_as_their_parts() -> None:
    """The convex parts of a star fill it: same volume, and none of them leaves it."""
    for i in range(20):
        rng = stream(i, "star")
        angle = np.linspace(0, 2 * np.pi, 9)[:-1]
        polygon = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.3, 1, 8)[:, None]
        shape = extrusion(polygon, 0.5, 0.1)
        meshes = [s for s in shape.solids if isinstance(s, Mesh)]
        parts = [of_mesh(m.vertices, m.faces).volume for m in meshes]
        assert min(parts) > 0
        assert sum(parts) == pytest.approx(shape.volume)
        assert len(parts) < 8 or shape.skin is not None


def test_a_union_is_not_counted_twice() -> None:
    """Two equal boxes that overlap by half are one and a half boxes."""
    box = Placed("box", np.array([0.5, 0.5, 0.5]), np.zeros(3), np.eye(3))
    other = Placed("box", np.array([0.5, 0.5, 0.5]), np.array([0.5, 0, 0]), np.eye(3))
    shape = composition([box, other], 1.5)
    assert shape.volume == pytest.approx(1.5)
    assert shape.inertia[0, 0] == pytest.approx(1.5 / 6, rel=0.01)
    assert shape.inertia[2, 2] == pytest.approx(1.5 * (1.5**2 + 1) / 12, rel=0.01)


def test_objects_say_what_is_wrong() -> None:
    """A family that there is not, and a size that is none, get one sentence."""
    with pytest.raises(InputError, match=r"unknown family of objects 'hul' \(did you mean 'hull'"):
        random_object(stream(0), "hul", 0.1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be above 0"):
        random_object(stream(0), "hull", -1)


# Constraints


def test_distances_of_polygons_are_exact() -> None:
    """Corner to corner, corner to side, and how far squares that intersect must part."""
    assert polygon_distance(SQUARE, SQUARE + np.array([2, 0])) == pytest.approx(1)
    assert polygon_distance(SQUARE, SQUARE + np.array([4, 5])) == pytest.approx(5)
    assert polygon_distance(SQUARE, SQUARE + np.array([0.7, 0.2])) == pytest.approx(-0.3)
    diamond = np.array([[0.0, -1], [1, 0], [0, 1], [-1, 0]])
    assert polygon_distance(SQUARE, diamond + np.array([3, 0.5])) == pytest.approx(1)


def test_footprints_hold_their_points() -> None:
    """The footprint of points is their convex hull, counter-clockwise."""
    points = stream(0, "points").standard_normal((200, 2))
    corners = footprint(points)
    assert (Area("hull", corners).outside(points) < 1e-9).all()
    assert all(((corners[i] == points).all(axis=1)).any() for i in range(len(corners)))


def test_hard_constraints_hold() -> None:
    """Every hard constraint holds for every thing of the scene that is returned, measured anew."""
    camera = Camera.of_view("top", (64, 64), 0.8, np.array([0.6, 0, 1.9]), np.diag([1.0, -1, -1]))
    near = Area.rectangle("near", centre=(0.4, 0), size=(0.2, 0.9), height=0.7)
    hard: list[Constraint] = [
        Supported(TABLE, 0.02), NotIntersecting(), Clearance(0.02), Reachable((0, 0, 0.7), 0.8), InView(camera, 0.9),
        Count(near, 3, 5),
    ]  # fmt: skip
    for seed in range(5):
        found = arrange(boxes(12), OnArea(TABLE), stream(seed, "scene"), hard=hard)
        layout = Layout(boxes(12))
        for i, pose in enumerate(found.poses):
            layout.put(i, pose)
        assert all(c.total(layout) < 1e-9 for c in hard)
        assert 3 <= (near.outside(found.poses[:, :2]) <= 0).sum() <= 5
        assert found.rates["all"].held >= 12


def test_acceptance_rates_are_those_of_the_areas() -> None:
    """A box stands on a table with the probability that its middle is far enough from the edge."""
    box = [Thing("box", np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]]), 0, 0.1)]
    found = [arrange(box, OnArea(TABLE, yaws=(0.0,)), stream(i, "x"), hard=[Supported(TABLE)]) for i in range(400)]
    asked = sum(f.rates["supported by table"].asked for f in found)
    share = 400 / asked
    true = (0.4 * 0.7) / (0.6 * 0.9)
    assert abs(share - true) < 4 * np.sqrt(true * (1 - true) / asked)


def test_soft_constraints_are_lowered_and_hard_ones_stay() -> None:
    """Soft costs go down, on the whole, while nothing intersects or leaves the table."""
    hard = [Supported(TABLE), NotIntersecting()]
    soft: dict[Constraint, float] = {Clearance(0.05): 1.0}
    before = after = 0.0
    for seed in range(3):
        found = arrange(boxes(15), OnArea(TABLE), stream(seed, "scene"), hard=hard, soft=soft)
        layout = Layout(boxes(15))
        for i, pose in enumerate(found.poses):
            layout.put(i, pose)
        assert all(c.total(layout) < 1e-9 for c in hard)
        a, b = found.costs["0.05 m clearance"]
        assert b == pytest.approx(Clearance(0.05).total(layout))
        before, after = before + a, after + b
    assert after < 0.3 * before


def test_moves_change_the_total_by_as_much_as_their_own_cost() -> None:
    """What a thing has part in changes by as much as the total when it moves: Metropolis' rule needs no more."""
    clearance = Clearance(0.1)
    layout = Layout(boxes(8))
    rng = stream(0, "moves")
    for i in range(8):
        layout.put(i, [*rng.uniform(0, 0.4, 2), 0, rng.uniform(0, 3)])
    for i in range(8):
        total, own = clearance.total(layout), clearance.violation(layout, i)
        layout.put(i, [*rng.uniform(0, 0.4, 2), 0, 0])
        assert clearance.total(layout) - total == pytest.approx(clearance.violation(layout, i) - own)


def test_the_same_stream_gives_the_same_scene() -> None:
    """Same stream, same bytes, soft constraints included."""
    soft: dict[Constraint, float] = {Clearance(0.05): 1.0}
    a, b = (arrange(boxes(9), OnArea(TABLE), stream(3), hard=[NotIntersecting()], soft=soft) for _ in range(2))
    assert a.poses.tobytes() == b.poses.tobytes()


@pytest.mark.parametrize(
    ("things", "hard", "said"),
    [
        (boxes(1, 1.0), [Supported(TABLE), NotIntersecting()],
         "no place for 'box0' even alone.*'supported by table' failed most, for 100.0% of .* larger area would help"),
        (boxes(20, 0.25), [Supported(TABLE), NotIntersecting()],
         "no place for 'box.*' beside .* 'not intersecting' failed most, for .* fewer or smaller things"),
        (boxes(3), [Count(TABLE, 5)], "'5 to any number in table' failed most, for 100.0%"),
        (boxes(3), [Reachable((5, 0, 0.7), 1.0)], "'reachable within 1 m' failed most, .* a longer reach"),
        (boxes(3, group="cup"), [Clearance(0.1, "cop")], "'0.1 m clearance of cop from all' is about 'cop'"),
        ([*boxes(1), *boxes(1)], [], "two things are called 'box0'"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_said(things: list[Thing], hard: list[Constraint], said: str) -> None:
    """The error names the constraint that failed most, how often, and what would help."""
    with pytest.raises(InputError, match=said):
        arrange(things, OnArea(TABLE), stream(0), hard=hard, tries=50, restarts=3)


def test_shapes_that_are_none_are_said() -> None:
    """Footprints that are clockwise, concave, or have no numbers get one sentence."""
    for corners in (SQUARE[::-1], SQUARE[:2], [[0, 0], [2, 0], [0.5, 0.5], [0, 2]], np.full((3, 2), np.nan)):
        with pytest.raises(InputError, match="area 'x'"):
            Area("x", np.array(corners))


@dataclass(frozen=True)
class Facing(Constraint):
    """A constraint of one's own: things face along x. Violation: rad."""

    name = "facing"

    def violation(self, layout: Layout, i: int) -> float:
        return abs(float(layout.poses[i, 3]))


def test_constraints_of_ones_own_are_heeded() -> None:
    """Three lines make a constraint."""
    found = arrange(boxes(5), OnArea(TABLE), stream(0), hard=[NotIntersecting()], soft={Facing(): 1.0})
    assert np.abs(found.poses[:, 3]).mean() < 0.3


def test_what_is_fixed_stays() -> None:
    """Things that stand already are neither moved nor run into."""
    fixed = {0: [0.6, 0, 0.73, 0], 1: [0.5, 0.2, 0.73, 0]}
    soft: dict[Constraint, float] = {Clearance(0.05): 1.0}
    found = arrange(boxes(9), OnArea(TABLE), stream(0), hard=[NotIntersecting()], soft=soft, fixed=fixed)
    np.testing.assert_array_equal(found.poses[:2], [fixed[0], fixed[1]])


# The world


@cache
def still(count: int, number: int) -> Staged:
    """A scene at rest."""
    world = Tabletop()
    return world.stage(world.parameters.row({"objects.count": count}), number, 0, Request())


@pytest.mark.parametrize(("count", "number"), [(10, 0), (10, 1), (10, 2), (40, 0)])
def test_objects_rest_on_the_table(count: int, number: int) -> None:
    """All are on the table, hardly intersect, and half a second of physics, without any help, hardly moves them."""
    staged = still(count, number)
    things = [i for i in staged.instances if i.body != "world"]
    assert len(things) == count
    model = staged.spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = staged.qpos[0]
    mujoco.mj_forward(model, data)
    assert data.contact.dist.min() > -2e-3
    assert np.quantile(data.contact.dist, 0.05) > -1e-3
    before = data.qpos.reshape(-1, 7)[:, :3].copy()
    for thing in things:
        body = data.body(thing.body)
        points = thing.vertices @ body.xmat.reshape(3, 3).T + body.xpos
        assert points[:, 2].min() > 0.75 - 2e-3
    mujoco.mj_step(model, data, nstep=round(0.5 / model.opt.timestep))
    moved = np.linalg.norm(data.qpos.reshape(-1, 7)[:, :3] - before, axis=1)
    assert np.quantile(moved, 0.9) < 1e-3
    assert moved.max() < 5e-3


def test_the_same_seed_gives_the_same_scene() -> None:
    """Same (row, number, seed), same bytes, whatever was staged before; another number is another scene."""
    world = Tabletop()
    row = world.parameters.default
    for request in (Request(), Request(length=8)):
        a = world.stage(row, 3, 5, request)
        other = world.stage(row, 4, 5, request)
        b = Tabletop().stage(row, 3, 5, request)
        assert a.qpos.tobytes() == b.qpos.tobytes()
        assert [i.vertices.tobytes() for i in a.instances] == [i.vertices.tobytes() for i in b.instances]
        assert a.qpos.tobytes() != other.qpos.tobytes()


@pytest.mark.parametrize("end", ["low", "high"])
def test_every_corner_of_the_parameters_is_a_scene(end: str) -> None:
    """At the ends of all parameters there is a scene that compiles; shares of 0 are equal shares."""
    world = Tabletop()
    row = getattr(world.parameters, end).copy()
    row[world.parameters.index("objects.count")] = 15
    staged = world.stage(world.parameters.check(row)[0], 0, 0, Request())
    assert staged.spec.compile().nq == staged.qpos.shape[1]
    assert 1 <= len(staged.instances) - 2 <= 16


@pytest.mark.slow
def test_sixty_large_objects_on_the_smallest_table_are_a_scene() -> None:
    """Where they hardly fit, what fell off three times is left out, and what is there rests on the table."""
    world = Tabletop()
    row = world.parameters.row(
        {"objects.count": 60, "objects.size": 0.15, "table.depth": 0.5, "table.width": 0.5, "drop.area": 0.1}
    )
    staged = world.stage(row, 0, 0, Request())
    place = staged.qpos.reshape(-1, 7)
    assert 5 < len(place) < 60
    assert (place[:, 2] > 0.75).all()


def test_shares_are_kept() -> None:
    """Only families with a share are made."""
    world = Tabletop()
    row = world.parameters.row({"share.hull": 0, "share.extrusion": 0, "share.composition": 0})
    assert {i.category for i in world.stage(row, 0, 0, Request()).instances if i.body != "world"} == {"superquadric"}


def test_sequences_fall_rest_and_are_pushed() -> None:
    """Frames are as far apart as the rate says: bodies fall freely at first, rest later, and one moves again."""
    world = Tabletop()
    rate = 50.0
    qpos = world.stage(world.parameters.default, 0, 0, Request(length=200, rate=rate)).qpos.reshape(200, -1, 7)
    fallen = qpos[0, :, 2] - qpos[5, :, 2]
    np.testing.assert_allclose(fallen, 9.81 / 2 * (5 / rate) ** 2, rtol=0.06)
    speed = np.linalg.norm(np.diff(qpos[:, :, :3], axis=0), axis=2).max(axis=1) * rate
    resting = np.flatnonzero(speed < 0.05)
    assert len(resting)
    assert speed[resting[0] :].max() > 0.2


def observed(world: Tabletop, **values: float) -> bytes:
    """Everything that a sequence shows."""
    row = world.parameters.row({"objects.count": 6, **values})
    staged = world.stage(row, 0, 0, Request(length=40, rate=20))
    model = staged.spec.compile()
    return b"".join(
        [staged.qpos.tobytes(), model.geom_size.tobytes(), model.geom_pos.tobytes(), model.mesh_vert.tobytes()]
    )


def test_every_parameter_has_an_effect() -> None:
    """Moving any parameter changes what a sequence shows."""
    world = Tabletop()
    default = observed(world)
    for p in world.parameters:
        value = p.low if p.default - p.low > p.high - p.default else p.high
        if p.name.startswith("share"):
            value = 0.0
        if p.name != "objects.count":
            assert observed(world, **{p.name: value}) != default, p.name


def test_the_world_is_found_and_says_what_it_cannot() -> None:
    """It is found by name; there is nothing to replay, to do or to act on, and each is one sentence."""
    world = get_world("tabletop")
    assert world.cameras[0] == "front"
    assert [c.name for c in world.categories if c.thing] == list(FAMILIES)
    assert len(world.content()) == 16
    with pytest.raises(InputError, match="nothing to replay"):
        world.state(np.zeros((1, 0)), np.zeros((1, 0)))
    with pytest.raises(InputError, match="no task"):
        world.make(1)


def test_frames_show_the_objects() -> None:
    """From the front, most objects of a default scene are seen; each of them has its box and its keypoint."""
    world = get_world("tabletop")
    for frame in world.frames(range(3), request=Request(size=(160, 120)), seed=1):
        things = frame.things
        assert things.seen.sum() >= 8
        assert np.isfinite(things.boxes[things.seen]).all()
        assert things.keypoints.shape[1:] == (1, 3)
