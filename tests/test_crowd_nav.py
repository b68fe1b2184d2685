"""World `crowd-nav`: CrowdNav's benchmark of a robot among people."""

import numpy as np
import pytest

from simloop.audit.parameters import audit_outcomes
from simloop.worlds import get_world
from simloop.worlds.check import check_vector_env
from simloop.worlds.crowd_nav.cases import STATE, place, published_cases
from simloop.worlds.crowd_nav.channels import AT
from simloop.worlds.crowd_nav.world import scored

WORLD = get_world("crowd-nav")


def test_orca_does_as_published():
    """Unseen by people, ORCA's robot reaches the goal in .43 of the 500 cases and collides in .57, after 10.86 s."""
    found = scored(WORLD, None)
    assert found.success == pytest.approx(0.43, abs=0.006)
    assert found.collisions == pytest.approx(0.57, abs=0.006)
    assert found.time == pytest.approx(10.86, abs=0.02)


def test_orca_is_safe_where_everybody_does_the_same():
    """Where people see the robot and all avoid each other by ORCA, nobody collides."""
    found = scored(WORLD, None, visible=True, cases=200)
    assert found.success == 1.0
    assert found.collisions == 0.0


def test_a_robot_that_goes_straight_on_collides():
    """In the same cases a robot that minds nobody collides in most."""
    found = scored(WORLD, lambda seen: np.tile([0.0, 1.0], (len(seen), 1)), cases=100)
    assert found.collisions > 0.4


def test_nobody_begins_within_reach_of_another():
    """Places and goals are farther apart than both radii and 0.2 m; a state has its stated size."""
    states = published_cases(50)
    assert states.shape == (50, STATE)
    for state in states:
        for at in (state[:12], state[24:]):
            places = at.reshape(6, 2)
            apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(6)
            assert apart.min() >= 0.8 - 1e-9
    again = place(np.random.RandomState(1000).random_sample, circle=4.0, radius=0.3, robot=0.3, speed=1.0)
    assert again.tobytes() == states[0].tobytes()


def test_its_batches_are_gymnasiums():
    """Our checker passes; an episode is the same bytes in a batch of two and of five."""
    check_vector_env(WORLD.make(3, task="reach", randomization="wide", seed=3))
    seen = []
    for n in (2, 5):
        environment = WORLD.make(n, task="reach", randomization="wide", seed=4)
        environment.reset()
        for _ in range(8):
            environment.step(environment.by_orca())
        seen.append(environment.values[:2].tobytes())
    assert seen[0] == seen[1]


def test_a_touch_ends_an_episode_without_success():
    """A gap below zero is the end, is no success, and costs more than standing still."""
    task = WORLD.task("reach")
    values = np.zeros((2, WORLD.make(1).values.shape[1]))
    values[:, AT["goal.y"]] = 4.0
    values[1, AT["gap"]] = -0.01
    values[0, AT["gap"]] = 1.0
    assert task.terminated(values).tolist() == [False, True]
    assert not task.good(values).any()
    assert task.reward(values, values, np.zeros((2, 2)))[1] < task.reward(values, values, np.zeros((2, 2)))[0]


def test_every_parameter_does_something():
    """The audit finds an effect of each parameter on where people and the robot go."""
    assert audit_outcomes(WORLD).passed
