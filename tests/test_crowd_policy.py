"""People of world `crowd` who walk by a shared policy: what they perceive, gain and learn."""

import math
from dataclasses import replace

import numpy as np
import pytest

from simloop.data.generate_tracks import configure_tracks
from simloop.errors import InputError
from simloop.learn import Policy
from simloop.randomness import stream
from simloop.worlds import get_world
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.engine import Batch, simulate
from simloop.worlds.crowd.learned import learned
from simloop.worlds.crowd.models import get_model
from simloop.worlds.crowd.scenarios import make_scene
from simloop.worlds.crowd.sight import FAN, INTERNAL, PAST, RAYS, REACH, WIDTH, Sight

WORLD = get_world("crowd")


def straight_on(seen):
    """Decisions of who walks straight to the goal at the liked speed, minding nobody."""
    wanted = seen[:, :2] * seen[:, 5:6] * 1.5
    return np.clip((wanted - 1.5 * seen[:, 3:5]) / 0.3, -1, 1)


def two_people(walls=()):
    """Two who face each other 3 m apart on the x axis, their bodies 0.2 m in radius."""
    scene = make_scene("circle", {"people.count": 2, "groups.share": 0}, stream(0, "pair"))
    traits = scene.traits.copy()
    traits[:, TRAIT["radius"]], traits[:, TRAIT["speed"]] = 0.2, 1.0
    starts = np.array([[0.0, 0.0], [3.0, 0.0]])
    return replace(
        scene,
        starts=starts,
        routes=starts[::-1, None].copy(),
        traits=traits,
        walls=np.reshape(walls, (-1, 4)).astype(float),
    )


def fan_of(batch):
    """The newest fan of the first person, m from its skin to what each ray meets."""
    seen = Sight(batch).look()
    assert seen.shape == (len(batch.position), WIDTH)
    return (1 - seen[0, INTERNAL : INTERNAL + RAYS]) * REACH


def test_rays_meet_bodies_where_geometry_says():
    """Each ray ends on the other's circle by the law of cosines, or meets nothing."""
    found = fan_of(Batch([two_people()]))
    for k, far in enumerate(found):
        angle = FAN * (k / (RAYS - 1) - 0.5)
        aside = 3.0 * abs(math.sin(angle))
        meets = aside < 0.2 and math.cos(angle) > 0
        wanted = 3.0 * math.cos(angle) - math.sqrt(0.04 - aside**2) - 0.2 if meets else REACH
        assert far == pytest.approx(wanted, abs=1e-9)


def test_rays_meet_walls_where_geometry_says():
    """Along a wall 1 m to the left each ray to that side is 1 m over the sine of its angle long."""
    found = fan_of(Batch([two_people([[-50, 1, 50, 1]])]))
    for k, far in enumerate(found):
        angle = FAN * (k / (RAYS - 1) - 0.5)
        if angle > 0.1:
            assert far == pytest.approx(min(1 / math.sin(angle) - 0.2, REACH), abs=1e-9)


def test_what_is_seen_turns_with_the_scene():
    """A scene that is turned by 70 degrees looks the same to everybody in it."""
    scene = make_scene("circle", {"people.count": 9}, stream(3, "turned"))
    c, s = math.cos(1.2), math.sin(1.2)
    turn = np.array([[c, s], [-s, c]])
    turned = replace(scene, starts=scene.starts @ turn, routes=scene.routes @ turn)
    first, second = (Sight(Batch([one])).look() for one in (scene, turned))
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_motion_shows_in_earlier_fans():
    """After two steps towards each other the newest fan is nearer than the oldest."""
    batch = Batch([two_people()], model=learned(straight_on))
    sight = Sight(batch)
    sight.look()
    for _ in range(PAST - 1):
        batch.step()
        seen = sight.look()
    fans = seen[0, INTERNAL:].reshape(PAST, RAYS)
    assert fans[0].max() > fans[-1].max() > 0


def test_walking_straight_on_is_rewarded_as_arithmetic_says():
    """Without anybody near, rewards of a walk sum to its metres and the goal's, less what is told."""
    environment = WORLD.make(1, task="circle", seed=1)
    seen, _ = environment.reset()
    total, walked = 0.0, None
    for _ in range(300):
        batch = environment._batch
        if walked is None:
            walked = float(np.hypot(*(batch.target - batch.position)[0]))
        seen, reward, terminated, _, infos = environment.step(straight_on(seen))
        total += float(reward[0])
        if terminated[0]:
            break
    assert infos["final_info"]["success"][0]
    assert total == pytest.approx(walked + environment.task.there, abs=0.8)
    assert infos["final_info"]["return"][0] == pytest.approx(total)


def test_a_batch_repeats_itself_and_shares_scenes():
    """The same seed and decisions give the same bytes; a batch is divided into scenes of at most 24."""
    runs = []
    for _ in range(2):
        environment = WORLD.make(48, task="walk", randomization="wide", seed=5)
        seen, _ = environment.reset(seed=5)
        for _ in range(40):
            seen, *_ = environment.step(straight_on(seen))
        runs.append(seen.tobytes())
    assert runs[0] == runs[1]
    assert np.diff(environment._batch.offsets).max() <= 24


def test_the_past_is_one_step_old_though_others_begin_again():
    """Whoever goes on sees as the second fan what was the newest one a step ago, also where others' episodes end."""
    environment = WORLD.make(48, task="corridor", seed=5)
    seen, _ = environment.reset()
    ended = 0
    for _ in range(280):
        before, there = seen, environment._batch.active.copy()
        seen, _, terminated, truncated, _ = environment.step(straight_on(seen))
        ended += int((terminated | truncated).sum())
        on = there & ~(terminated | truncated)
        fans, old = (x[on, INTERNAL:].reshape(-1, PAST, RAYS) for x in (seen, before))
        np.testing.assert_array_equal(fans[:, 1], old[:, 0])
    assert ended > 10


def test_bodies_never_overlap_whatever_a_policy_says():
    """People who mind nobody are stopped: no overlap, no wall passed, in every scenario of a few."""
    for name in ("circle", "crossing", "bottleneck"):
        scene = make_scene(name, {"people.count": 16}, stream(2, name))
        tracks = simulate([scene], seconds=10.0, model=learned(straight_on), seed=2)
        assert tracks.meta["overlaps"] == [0]


def test_a_policy_of_something_else_is_refused(tmp_path):
    """A folder without a policy is refused in one sentence that names it."""
    with pytest.raises(InputError, match="no policy here"):
        get_model(str(tmp_path))


def test_a_dataset_says_which_policy_walked(tmp_path):
    """Tracks of another policy are another dataset, also where its folder has the same name."""
    options = {"scenarios": ["circle"], "distribution": WORLD.distribution("default"), "seconds": 5.0, "interval": 0.4}
    found = []
    for k in range(2):
        policy = Policy(
            weights={"layers.0.weight": np.zeros((2, WIDTH), np.float32), "layers.0.bias": np.full(2, k, np.float32)},
            activation="tanh", squash="clip", mean=np.zeros(WIDTH), scale=np.ones(WIDTH), low=-np.ones(2),
            high=np.ones(2), record={"world": "crowd"},
        )  # fmt: skip
        policy.save(tmp_path / "walker")
        found.append(configure_tracks(WORLD, model=str(tmp_path / "walker"), seed=1, **options)["model content"])
    assert found[0] != found[1]
    assert "model content" not in configure_tracks(WORLD, model="orca", seed=1, **options)


@pytest.mark.slow
def test_ppo_learns_to_walk(tmp_path):
    """A short training gets people to their goals more often and with more reward than one that has just begun."""
    from simloop.learn import get_learner
    from simloop.learn.evaluate import evaluate

    task = WORLD.task("circle")
    learner = get_learner("ppo", {"envs": 128, "horizon": 64, "chunk": 256, "batch": 2048, "hidden": (64, 64)})
    trained = learner.train(WORLD, task, WORLD.distribution("default"), steps=150_000, seed=0)
    score = evaluate(WORLD, task, trained.policy, episodes=64)
    assert score.success_rate > 0.9
    trained.policy.save(tmp_path)
    scene = make_scene("circle", {"people.count": 8}, stream(9, "walk"))
    tracks = simulate([scene], seconds=40.0, model=str(tmp_path))
    assert sum(t is not None for t in tracks.meta["arrived"][0]) >= 7
