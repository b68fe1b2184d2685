"""World `crowd`'s engine: who walks where, whatever the model, and that nothing else decides it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAITS
from simloop.worlds.crowd.engine import Batch, simulate
from simloop.worlds.crowd.models import MODELS
from simloop.worlds.crowd.scenarios import SCENARIOS, make_scene
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.threads import at_once

_PLAIN = {"speed": 1.3, "radius": 0.25, "horizon": 5.0, "sight": 10.0, "share": 0.5}
_NO_WALLS = np.zeros((0, 4))


def people(n: int, **traits: float) -> Array:
    """(n, len(TRAITS)) people who react at once, see everybody and walk straight, but for the given traits."""
    row = _PLAIN | traits
    return np.tile([row.get(name, 0.0) for name in TRAITS], (n, 1))


def scene(starts: list[tuple[float, float]], goals: list[tuple[float, float]], **changes: object) -> Scene:
    """A scene without walls; what `changes` names is otherwise."""
    n = len(starts)
    plain = Scene(
        walls=_NO_WALLS, starts=np.array(starts, float).reshape(-1, 2), begins=np.zeros(n),
        routes=np.array(goals, float).reshape(-1, 1, 2), reach=np.full(n, 0.3), traits=people(n),
        groups=np.full(n, -1), stays=np.zeros(n, bool),
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def crowd(n: int, seed: int, **traits: float) -> Scene:
    """n people on a grid, about 0.5 per m2, who walk to random places."""
    rng = stream(seed, "crowd")
    side = int(np.ceil(np.sqrt(n)))
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    starts = 1.4 * cells + rng.uniform(-0.4, 0.4, (n, 2))
    goals = rng.uniform(0, 1.4 * side, (n, 2))
    return dataclasses.replace(
        scene([(0, 0)] * n, [(0, 0)] * n), starts=starts, routes=goals[:, None], traits=people(n, **traits)
    )


@pytest.mark.parametrize("model", MODELS)
def test_who_is_alone_walks_straight_at_the_preferred_speed(model: str) -> None:
    batch = Batch([scene([(0, 0)], [(8, 6)])], model=model)
    batch.velocity[:] = 1.04, 0.78
    while not batch.done.all():
        batch.step()
        assert abs(0.8 * batch.position[0, 1] - 0.6 * batch.position[0, 0]) < 1e-9
    assert batch.arrived[0] == pytest.approx((10 - 0.3) / 1.3, abs=0.1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_under_orca_no_body_overlaps_or_passes_a_wall_in_any_scenario(name: str) -> None:
    one = make_scene(name, {}, stream(11, "scene"))
    batch = Batch([one], model="orca")
    for _ in range(250):
        batch.step()
        at = np.flatnonzero(batch.active)
        gaps = _gaps(batch.position[at], batch.traits[at, 1])
        assert gaps.min(initial=1) > -1e-9
        for wall in one.walls:
            assert (_wall_distance(batch.position[at], wall) - batch.traits[at, 1]).min(initial=1) > -1e-9
    assert batch.overlaps[0] == 0


@pytest.mark.parametrize("model", ["social-force", "collision-free-speed"])
def test_no_model_lets_bodies_into_walls_in_any_scenario(model: str) -> None:
    scenes = [make_scene(name, {}, stream(12, "scene", name)) for name in SCENARIOS]
    batch = Batch(scenes, model=model)
    for _ in range(100):
        batch.step()
        for k, one in enumerate(scenes):
            at = np.arange(batch.offsets[k], batch.offsets[k + 1])
            at = at[batch.active[at]]
            for wall in one.walls:
                assert (_wall_distance(batch.position[at], wall) - batch.traits[at, 1]).min(initial=1) > -1e-9


def test_people_on_a_circle_change_places() -> None:
    """Forty people swap places on a circle of 8 m under ORCA, the worst case for a symmetric rule: all arrive."""
    angle = 2 * np.pi * np.arange(40) / 40
    places = 8 * np.column_stack([np.cos(angle), np.sin(angle)])
    one = dataclasses.replace(
        scene([(0, 0)] * 40, [(0, 0)] * 40, traits=people(40, wander=0.05)), starts=places, routes=-places[:, None]
    )
    batch = Batch([one])
    while not batch.done.all() and batch.time[0] < 120:
        batch.step()
    assert np.isfinite(batch.arrived).all()
    assert batch.overlaps[0] == 0
    assert batch.arrived.min() > 15.7 / 1.3


@pytest.mark.parametrize("model", MODELS)
def test_nobody_is_pressed_through_a_wall(model: str) -> None:
    """Forty people want to walk through a closed wall, for 20 s."""
    starts = [(0.6 * (k % 5), 0.6 * (k // 5)) for k in range(40)]
    walls = np.array([[4.0, -2, 4, 7], [-1, -2, 4, -2], [-1, 7, 4, 7], [-1, -2, -1, 7]])
    batch = Batch([scene(starts, [(9, 3)] * 40, walls=walls)], model=model)
    for _ in range(200):
        batch.step()
    x, y = batch.position.T
    assert ((x > -1) & (x < 4) & (y > -2) & (y < 7)).all()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_overlaps_whatever_velocities_people_are_told(seed: int) -> None:
    """Sixty people of all sizes in a packed, closed room with an inner wall, at random velocities up to 4 m/s."""
    rng = stream(seed, "told")
    walls = np.array([[0.0, 0, 6, 0], [6, 0, 6, 6], [6, 6, 0, 6], [0, 6, 0, 0], [2, 3.05, 4, 3.05]])
    starts = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)[:60] * 0.72 + 0.45
    traits = people(60)
    traits[:, 1] = rng.uniform(0.15, 0.34, 60)
    one = dataclasses.replace(scene([(0, 0)] * 60, [(99, 99)] * 60), starts=starts, walls=walls, traits=traits)
    batch = Batch([one], steered=np.ones(60, bool))
    # who begins nearer to a wall than its radius is let as near
    clear = np.minimum(traits[:, 1], np.min([_wall_distance(starts, wall) for wall in walls], axis=0))
    told = np.zeros((60, 2))
    for step in range(300):
        if step % 10 == 0:
            told = rng.uniform(-4, 4) * rng.standard_normal((60, 2)) / 2
        before = batch.position.copy()
        batch.step(told)
        assert _gaps(batch.position, traits[:, 1]).min() > -1e-9
        for wall in walls:
            assert (_wall_distance(batch.position, wall) - clear).min() > -1e-8
        assert ((batch.position > 0) & (batch.position < 6)).all()
        middle = (before[:, 1] - 3.05) * (batch.position[:, 1] - 3.05) < 0
        assert (~middle | (np.abs(batch.position[:, 0] - 3) > 1)).all()
    assert np.hypot(*(batch.position - starts).T).max() > 1
    assert batch.overlaps[0] == 0


def _gaps(position: Array, radius: Array) -> Array:
    i, j = np.triu_indices(len(position), 1)
    return np.hypot(*(position[i] - position[j]).T) - radius[i] - radius[j]


def _wall_distance(points: Array, wall: Array) -> Array:
    along = wall[2:] - wall[:2]
    t = np.clip((points - wall[:2]) @ along / (along @ along), 0, 1)
    return np.hypot(*(points - wall[:2] - t[:, None] * along).T)


def test_overlaps_are_counted_as_all_pairs_say() -> None:
    batch = Batch([dataclasses.replace(crowd(100, 3), stays=np.ones(100, bool))], model="social-force")
    total, deepest = 0, 0.0
    for _ in range(30):
        batch.step()
        gaps = _gaps(batch.position[batch.active], batch.traits[batch.active, 1])
        total += int((gaps < -1e-9).sum())
        deepest = max(deepest, float(-gaps.min()))
    assert total > 0
    assert batch.overlaps[0] == total
    assert batch.deepest[0] == pytest.approx(deepest)


@pytest.mark.parametrize("model", MODELS)
def test_a_scene_is_the_same_at_any_number_of_threads_in_any_company_and_order(model: str) -> None:
    traits = {"reaction": 0.2, "wander": 0.3, "distraction": 0.2, "space": 0.2}
    scenes = [crowd(60 + 10 * k, k, **traits) for k in range(5)]
    whole = Batch(scenes, model=model, seed=5, threads=1)
    threads = Batch(scenes, model=model, seed=5, threads=3)
    turned = Batch(scenes[::-1], model=model, seed=5, numbers=[4, 3, 2, 1, 0], threads=2)
    alone = [Batch([scenes[k]], model=model, seed=5, numbers=[k], threads=4) for k in range(5)]
    batches = [whole, threads, turned, *alone]
    for _ in range(25):
        for batch in batches:
            batch.step()
    assert threads.position.tobytes() == whole.position.tobytes()
    backwards = np.concatenate([turned.position[turned.offsets[k] : turned.offsets[k + 1]] for k in range(4, -1, -1)])
    assert backwards.tobytes() == whole.position.tobytes()
    assert np.concatenate([b.position for b in alone]).tobytes() == whole.position.tobytes()


def test_one_large_scene_is_the_same_at_any_number_of_threads() -> None:
    one, two = (Batch([crowd(400, 1, wander=0.2)], threads=threads) for threads in (1, 2))
    for _ in range(20):
        one.step()
        two.step()
    assert one.position.tobytes() == two.position.tobytes()


def test_another_seed_and_another_number_walk_otherwise() -> None:
    one = crowd(20, 0, wander=0.3)
    ends = []
    for seed, number in ((0, 0), (1, 0), (0, 1)):
        batch = Batch([one], seed=seed, numbers=[number])
        batch.step()
        ends.append(batch.position.tobytes())
    assert len(set(ends)) == 3


def test_a_scene_that_takes_the_place_of_another_is_as_if_begun_alone() -> None:
    first, second = crowd(30, 0, wander=0.3), crowd(30, 1, wander=0.3)
    second = dataclasses.replace(second, walls=np.array([[3.0, 0, 3, 5]]))
    batch = Batch([first, first], seed=2)
    for _ in range(10):
        batch.step()
    batch.replace(1, second, number=9)
    alone = Batch([second], seed=2, numbers=[9])
    for _ in range(15):
        batch.step()
        alone.step()
    assert batch.position[30:].tobytes() == alone.position.tobytes()


def test_neighbours_are_the_nearest_within_sight() -> None:
    batch = Batch([crowd(200, 2, sight=4.0)], threads=1)
    batch.step()
    batch._look_around(0, 1)
    batch._decide(0, 200)
    at = np.flatnonzero(batch.active)
    for i in at:
        d2 = ((batch.position[at] - batch.position[i]) ** 2).sum(axis=1)
        want = at[np.lexsort((at, d2))]
        want = want[(want != i) & (((batch.position[want] - batch.position[i]) ** 2).sum(axis=1) <= 16)][:10]
        assert batch._near[i, : batch._near_count[i]].tolist() == want.tolist()


def test_who_finds_the_place_taken_waits_until_it_is_free() -> None:
    one = scene([(0, 0), (0, 0), (0, 0)], [(9, 0)] * 3, begins=np.array([0.0, 0.1, 5.0]))
    batch = Batch([one])
    while not batch.done.all():
        batch.step()
    assert batch.entered[0] == 0
    assert batch.entered[1] == pytest.approx(0.5, abs=0.15)  # the first walks a diameter at 1.3 m/s
    assert batch.entered[2] == pytest.approx(5.0)
    assert np.isfinite(batch.arrived).all()


def test_routes_lead_round_corners_and_who_stays_stays() -> None:
    walls = np.array([[2.0, -5, 2, 1]])
    routes = np.array([[[2.0, 1.5], [4.0, 0.0]]])
    batch = Batch([scene([(0, 0)], [(0, 0)], walls=walls, routes=routes, stays=np.array([True]))])
    for _ in range(100):
        batch.step()
    assert batch.active[0]
    assert batch.done[0]
    assert np.hypot(*(batch.position[0] - (4, 0))) < 0.3
    assert np.hypot(*batch.velocity[0]) < 0.05


def test_a_group_waits_for_its_slow_member() -> None:
    traits = people(2)
    traits[:, 0] = 1.5, 0.9
    ends = {}
    for cohesion in (0.0, 1.0):
        traits[:, 7] = cohesion
        one = scene([(0, 0), (0, 0.8)], [(30, 0), (30, 0.8)], traits=traits.copy(), groups=np.array([3, 3]))
        batch = Batch([one])
        for _ in range(100):
            batch.step()
        ends[cohesion] = batch.position[0, 0] - batch.position[1, 0]
    assert ends[0.0] == pytest.approx(6, abs=0.3)
    assert abs(ends[1.0]) < 0.5


def test_reaction_is_a_lag_and_wandering_has_the_spread_that_is_asked_for() -> None:
    batch = Batch([scene([(0, 0)], [(99, 0)], traits=people(1, reaction=0.5))])
    for _ in range(5):
        batch.step()
    assert batch.velocity[0, 0] == pytest.approx(1.3 * (1 - np.exp(-1)))
    many = scene([(3.0 * k, 0) for k in range(400)], [(3.0 * k, 900) for k in range(400)],
                 traits=people(400, wander=0.2, sight=0.1))  # fmt: skip
    batch = Batch([many])
    angles = []
    for _ in range(60):
        batch.step()
        angles.append(np.arctan2(-batch.velocity[:, 0], batch.velocity[:, 1]))
    assert np.std(angles[-1]) == pytest.approx(0.2, rel=0.1)
    assert np.corrcoef(angles[-1], angles[-21])[0, 1] == pytest.approx(np.exp(-1), abs=0.15)


def test_who_is_distracted_leaves_it_to_others_to_avoid() -> None:
    traits = people(2)
    traits[0, 9] = 1.0
    batch = Batch([scene([(0, 0), (8, 0.1)], [(8, 0), (0, 0.1)], traits=traits)])
    off = np.zeros(2)
    while not batch.done.all():
        batch.step()
        off = np.maximum(off, np.abs(batch.position[:, 1] - (0, 0.1)))
    assert off[0] < 1e-9
    assert off[1] > 0.3


def test_people_who_are_steered_do_as_they_are_told_and_who_is_unseen_is_not_avoided() -> None:
    one = scene([(0, 0), (6, 0)], [(6, 0), (0, 0)])
    told = np.array([[1.0, 0], [9, 9]])
    batch = Batch([one], steered=np.array([True, False]), unseen=np.array([True, False]))
    for _ in range(50):
        batch.step(told)
    assert batch.position[0] == pytest.approx([5, 0])
    assert np.isfinite(batch.arrived[1])
    assert batch.overlaps[0] > 0
    with pytest.raises(InputError, match="needs the velocities"):
        batch.step()


def test_bodies_turn_at_a_bounded_rate() -> None:
    batch = Batch([scene([(0, 0)], [(50, 0)])], steered=np.array([True]))
    batch.step(np.array([[-1.0, 0.01]]))
    assert batch.heading[0] == pytest.approx(0.2 * np.pi)


def test_starts_inside_one_another_are_refused() -> None:
    with pytest.raises(InputError, match=r"scene: people 0 and 1 begin 0\.10 m inside one another"):
        Batch([scene([(0, 0), (0.4, 0)], [(5, 0), (5, 1)])])
    with pytest.raises(InputError, match="did you mean 'orca'"):
        Batch([scene([(0, 0)], [(5, 0)])], model="orcas")


def test_numbers_that_cannot_be_are_refused() -> None:
    for name in ("radius", "sight", "horizon"):
        with pytest.raises(InputError, match=rf"scene: the {name} of person 0 must be at least 0\.001, got -1"):
            Batch([scene([(0, 0)], [(5, 0)], traits=people(1, **{name: -1.0}))])


def test_no_scenes_and_scenes_without_people_are_fine() -> None:
    for batch in (Batch([]), Batch([scene([], [])])):
        batch.step()
        assert batch.done.all()


def test_simulate_records_who_is_inside_by_time_and_person() -> None:
    late = scene([(0, 0), (0, 2)], [(4, 0), (4, 2)], begins=np.array([0.0, 1.0]))
    tracks = simulate([late, scene([], [])], seconds=10, every=2)
    assert len(tracks) == 2
    assert np.diff(tracks.offsets)[1] == 0
    keys = np.column_stack([tracks.time, tracks.entity])
    assert (np.lexsort(keys.T[::-1]) == np.arange(len(keys))).all()
    mine = tracks.entity == 1
    assert tracks.time[mine][0] == pytest.approx(1.0)
    steps = np.diff(tracks.column("x")[mine]) / np.diff(tracks.time[mine])
    assert steps[1:] == pytest.approx(tracks.column("x.velocity")[mine][1:-1], abs=1e-6)
    assert tracks.meta["overlaps"] == [0, 0]
    assert tracks.meta["arrived"][0][0] == pytest.approx(2.9, abs=0.1)


def test_work_in_threads_is_done_once_and_its_errors_come_back() -> None:
    """Each range is worked on once, also by whoever asks while others are at work; what a thread raises is raised."""
    done: list[tuple[int, int]] = []

    def work(first: int, last: int) -> None:
        if first == 7:
            raise ValueError("seven")
        if first == 0:
            at_once(lambda a, b: done.append((a, b)), [(20, 21), (21, 22)])
        done.append((first, last))

    for _ in range(3):
        done.clear()
        at_once(work, [(0, 2), (2, 5), (5, 6)])
        assert sorted(done) == [(0, 2), (2, 5), (5, 6), (20, 21), (21, 22)]
        with pytest.raises(ValueError, match="seven"):
            at_once(work, [(1, 2), (7, 8)])
