"""World `crowd`'s models of walking: each against its paper's equations, another library or a case with an answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")

from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.collision_free_speed import CONSTANTS as SPEEDS
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.models import MODELS
from simloop.worlds.crowd.social_force import CONSTANTS as FORCES
from tests.test_crowd_engine import people, scene


def _chosen(batch: Batch) -> Array:
    """(N, 2) m/s, what the model chooses from where and how fast everybody is now."""
    batch._look_around(0, len(batch.scenes))
    batch._decide(0, len(batch.position))
    return batch._chosen.copy()


def _free_places(n: int, side: float, walls: Array, rng: np.random.Generator) -> Array:
    """(n, 2) m, places whose bodies of 0.25 m touch neither each other nor walls."""
    found: list[Array] = []
    while len(found) < n:
        p = rng.uniform(0.5, side - 0.5, 2)
        away = [np.hypot(*(p - q)) for q in found]
        for w in walls:
            along = w[2:] - w[:2]
            t = np.clip((p - w[:2]) @ along / (along @ along), 0, 1)
            away.append(np.hypot(*(p - w[:2] - t * along)) + 0.25)
        if min(away, default=1) > 0.51:
            found.append(p)
    return np.array(found)


@pytest.mark.parametrize("walls", [[], [(2.0, 3, 6, 4)], [(2.0, 3, 6, 4), (3.0, 6, 5, 8)]])
def test_orca_chooses_the_velocities_of_rvo2(walls: list[tuple[float, float, float, float]]) -> None:
    """Five times 40 people in dense random places, at random speeds.

    RVO2 counts in single precision: lines that are nearly parallel cost it a few digits.
    """
    pyrvo = pytest.importorskip("pyrvo")
    model = dataclasses.replace(MODELS["orca"], constants=(2.0,))
    errors = []
    for seed in range(5):
        rng = stream(seed, "rvo2")
        at = _free_places(40, 9.0, np.array(walls).reshape(-1, 4), rng)
        goals, velocity = rng.uniform(0, 9, (40, 2)), rng.normal(0, 0.8, (40, 2))
        one = scene([(0, 0)] * 40, [(0, 0)] * 40, traits=people(40, speed=1.3, sight=5.0))
        one = dataclasses.replace(one, starts=at, routes=goals[:, None], walls=np.array(walls).reshape(-1, 4))
        batch = Batch([one], model=model)
        batch.velocity[:] = velocity
        simulator = pyrvo.RVOSimulator(0.1, 5.0, 10, 5.0, 2.0, 0.25, 1.3)
        for w in walls:
            simulator.add_obstacle([w[:2], w[2:]])
        simulator.process_obstacles()
        wanted = 1.3 * (goals - at) / np.hypot(*(goals - at).T)[:, None]
        for i in range(40):
            simulator.add_agent(tuple(at[i]))
            simulator.set_agent_velocity(i, tuple(velocity[i]))
            simulator.set_agent_pref_velocity(i, tuple(wanted[i]))
        simulator.do_step()
        theirs = np.array([simulator.get_agent_velocity(i).to_tuple() for i in range(40)])
        errors.append(np.abs(_chosen(batch) - theirs).max(axis=1))
    assert np.median(errors) < 1e-6
    assert np.quantile(errors, 0.98) < 1e-4
    assert np.max(errors) < 2e-3


def test_orca_shares_the_avoidance_as_it_is_told() -> None:
    """Two who meet: at fair shares both turn alike, mirrored; who takes the whole of it turns alone."""
    one = scene([(0, 0.1), (6, -0.1)], [(6, 0.1), (0, -0.1)])
    batch = Batch([one])
    batch.velocity[:] = [[1.3, 0], [-1.3, 0]]
    fair = _chosen(batch)
    assert fair[0] == pytest.approx(-fair[1], abs=1e-12)
    assert abs(fair[0, 1]) > 0.01
    traits = people(2)
    traits[:, 6] = 1.0, 0.0
    batch = Batch([dataclasses.replace(one, traits=traits)])
    batch.velocity[:] = [[1.3, 0], [-1.3, 0]]
    assert _chosen(batch)[1] == pytest.approx([-1.3, 0], abs=1e-12)


def test_people_keep_the_space_that_they_like_where_there_is_room() -> None:
    least = {}
    for space in (0.0, 0.6):
        batch = Batch([scene([(0, 0), (8, 0.05)], [(8, 0), (0, 0.05)], traits=people(2, space=space))])
        least[space] = np.inf
        while not batch.done.all() and batch.active.all():
            batch.step()
            least[space] = min(least[space], float(np.hypot(*(batch.position[0] - batch.position[1]))))
    assert 0.5 <= least[0.0] < 0.6
    assert least[0.6] > 0.8


def test_social_forces_are_the_gradient_of_the_papers_potential() -> None:
    """Against differences of V(b) = 2.1 exp(-b / 0.3), b of equation 4, and of the wall's 10 exp(-d / 0.2)."""
    strength, width, ahead, wall_strength, wall_width = FORCES[:5]
    at, other, walk = np.array([0.0, 0.0]), np.array([0.9, 0.4]), np.array([-1.0, 0.2])

    def potential(p: Array) -> float:
        r = p - other
        step = walk * ahead
        b = 0.5 * np.sqrt((np.hypot(*r) + np.hypot(*(r - step))) ** 2 - step @ step)
        return strength * np.exp(-b / width) + wall_strength * np.exp(-abs(p[1] + 0.5) / wall_width)

    h = 1e-6
    want = -np.array([potential(at + d) - potential(at - d) for d in (np.array([h, 0]), np.array([0, h]))]) / (2 * h)
    one = scene([tuple(at), tuple(other)], [(9, 0), (-9, 0.4)], walls=np.array([[-20.0, -0.5, 20, -0.5]]))
    batch = Batch([dataclasses.replace(one, traits=people(2, reaction=0.5))], model="social-force", dt=0.001)
    batch.velocity[:] = [[1.3, 0], walk]
    acceleration = (_chosen(batch)[0] - [1.3, 0]) / 0.001
    assert acceleration == pytest.approx(want, abs=2e-4)


def test_social_forces_relax_a_lone_walker_in_the_time_of_the_trait() -> None:
    batch = Batch([scene([(0, 0)], [(99, 0)], traits=people(1, reaction=0.5))], model="social-force", dt=0.01)
    for _ in range(50):
        batch.step()
    assert batch.velocity[0, 0] == pytest.approx(1.3 * (1 - np.exp(-1)), rel=0.01)


def test_the_collision_free_speed_is_the_gap_over_the_time_gap() -> None:
    """A queue behind somebody who stands: the speed of the next is (distance - diameter) / T, at most the preferred."""
    for gap in (0.3, 0.9, 5.0):
        one = scene([(0, 0), (0.5 + gap, 0)], [(99, 0), (99, 0)], traits=people(2))
        chosen = _chosen(Batch([one], model="collision-free-speed"))
        assert chosen[0] == pytest.approx([min(gap / SPEEDS[0], 1.3), 0], abs=1e-9)
        assert chosen[1] == pytest.approx([1.3, 0], abs=1e-9)


def test_the_collision_free_direction_is_that_of_the_paper() -> None:
    """One beside, near: the direction is that to the goal and a exp((l - s) / D) away from the other."""
    one = scene([(0, 0), (0.1, 0.7)], [(99, 0), (99, 0.7)], traits=people(2))
    chosen = _chosen(Batch([one], model="collision-free-speed"))[0]
    s = np.hypot(0.1, 0.7)
    want = np.array([1.0, 0]) - SPEEDS[1] * np.exp((0.5 - s) / SPEEDS[2]) * np.array([0.1, 0.7]) / s
    assert np.arctan2(*chosen[::-1]) == pytest.approx(np.arctan2(*want[::-1]), abs=1e-3)
