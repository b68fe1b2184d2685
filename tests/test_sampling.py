"""Crowds sampled from a few real tracks: what was fitted is what is sampled."""

from __future__ import annotations

import numpy as np
import pytest

from simloop.errors import InputError
from simloop.randomness import stream
from simloop.targets.catalogue import entries
from simloop.targets.tracks import track_set
from simloop.targets.windows import Replay
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.sampling import INTERVAL, Sampling, TrackSource, sample_crowds
from simloop.worlds.crowd.world import crowd_named

#: people at an instant, mean and deviation: Anderson et al., Table I
_PUBLISHED = {"eth": (6.15, 4.46), "hotel": (5.60, 3.41)}


@pytest.mark.parametrize("name", _PUBLISHED)
def test_numbers_of_people_are_those_of_table_one(name: str) -> None:
    """The moments that the paper fitted to ETH and Hotel come out of the real recordings."""
    entry = entries()["eth-ucy"]
    if not entry.present(name):
        pytest.skip(f"the real tracks are not in {entry.folder}: run 'simloop data get eth-ucy'")
    found = TrackSource.fit(track_set(f"eth-ucy/{name}"))
    np.testing.assert_allclose(found.people, _PUBLISHED[name], rtol=0.025)


def test_sampled_crowds_have_the_fitted_moments() -> None:
    """Numbers of people and speeds of sampled scenes have the means and deviations of the source."""
    source = TrackSource.straight(people=(20.0, 3.0))
    drawn = [source.draw(stream(1, "test", k)) for k in range(300)]
    counts, speeds = np.array([len(s) for _, s in drawn]), np.concatenate([s for _, s in drawn])
    assert abs(counts.mean() - 20) < 0.6
    assert abs(counts.std() - 3) < 0.5
    assert abs(speeds.mean() - 1.34) < 0.02
    assert abs(speeds.std() - 0.26) < 0.02


def test_sampled_people_keep_their_speed_along_their_track() -> None:
    """As published: each walks the track's lines at one speed, for 21 steps of 0.4 s."""
    tracks = sample_crowds(TrackSource.straight(people=(5.0, 0.0)), 3, seed=2)
    assert len(tracks) == 3
    assert np.diff(tracks.offsets).tolist() == [105, 105, 105]
    places = np.column_stack([tracks.column("x"), tracks.column("y")]).reshape(3, 21, 5, 2)
    pace = np.hypot(*np.moveaxis(np.diff(places, axis=1), -1, 0)) / INTERVAL
    np.testing.assert_allclose(pace, np.broadcast_to(pace[:, :1], pace.shape), atol=1e-9)


def test_same_seed_same_bytes_whatever_else_is_sampled() -> None:
    """A scene depends on the seed and its number alone."""
    source = TrackSource.straight()
    one, more = sample_crowds(source, 1, seed=5), sample_crowds(source, 4, seed=5)
    assert one.values.tobytes() == more.episode(0).values.tobytes()


def test_interaction_keeps_bodies_apart() -> None:
    """With ORCA the sampled people never overlap, and most are as fast as they were sampled."""
    pytest.importorskip("numba")
    tracks = sample_crowds(TrackSource.straight(people=(12.0, 0.0)), 4, seed=3, interaction="orca")
    assert sum(tracks.meta["overlaps"]) == 0
    speed = np.hypot(tracks.column("x.velocity"), tracks.column("y.velocity"))[tracks.time > 2]
    assert 1.1 < np.median(speed) < 1.5


def test_bad_input() -> None:
    """No tracks, and interactions that do not exist, get one sentence."""
    empty = TrajectorySet((Channel("x", "m"), Channel("y", "m")), np.zeros(0), np.zeros((0, 2)), np.array([0, 0]))
    with pytest.raises(InputError, match="found none"):
        TrackSource.fit(empty)
    with pytest.raises(InputError, match="orca"):
        sample_crowds(TrackSource.straight(), 1, interaction="orco")  # type: ignore[arg-type]


def test_sampled_worlds_are_what_the_functions_give() -> None:
    """A draw is a scene of its source; as published nobody minds anybody, with ORCA nobody overlaps."""
    pytest.importorskip("numba")
    for name, most in (("crowd/sampled", None), ("crowd/sampled-orca", 0)):
        world = crowd_named(name)
        draws = world.draws(range(20), distribution=world.distribution("wide"), seed=2)
        tracks = simulate([d.scene for d in draws], seconds=8.0, model=world.walking, every=4, seed=2)
        assert {d.scenario for d in draws} == {"straight"}
        assert sum(tracks.meta["overlaps"]) > 0 if most is None else sum(tracks.meta["overlaps"]) == most
    with pytest.raises(InputError, match="no such file"):
        world.draws([0], scenarios=["no-such-tracks"])
    with pytest.raises(InputError, match="not of people who walk"):
        crowd_named("qube")
    with pytest.raises(InputError, match="'crowd/sampled' has nothing to replay"):
        Replay(crowd_named("crowd/sampled"), sample_crowds(TrackSource.straight(), 1))


def test_more_people_where_more_are_asked_for() -> None:
    """Sampling is relative to what was fitted: twice the people, half the speed."""
    source = TrackSource.straight(people=(10.0, 0.0))
    paths, speeds = source.draw(stream(3, "test"), Sampling(people=2.0, speed=0.5, spread=0.0))
    assert len(paths) == 20
    np.testing.assert_allclose(speeds, 0.67, rtol=1e-9)
