"""Statistics of tracks: what a pencil says of tracks made by hand is what the program says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from simloop.errors import InputError
from simloop.gap.track_rows import on_grid
from simloop.gap.tracks import NAMES, TrackGap, TrackStatistics, track_statistics
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.trajectories import Channel, TrajectorySet

_AT = {name: j for j, name in enumerate(NAMES)}


def walked(*people: tuple[Array, Array]) -> TrajectorySet:
    """One episode of people, each given by times (n,) s and places (n, 2) m."""
    time = np.concatenate([t for t, _ in people])
    places = np.concatenate([p for _, p in people])
    entity = np.concatenate([np.full(len(t), i) for i, (t, _) in enumerate(people)])
    order = np.lexsort((entity, time))
    return TrajectorySet(
        (Channel("x", "m"), Channel("y", "m")), time[order], places[order], np.array([0, len(time)]),
        entity=entity[order],
    )  # fmt: skip


def line(
    start: tuple[float, float], velocity: tuple[float, float], steps: int = 21, every: float = 0.4
) -> tuple[Array, Array]:
    """Somebody who walks straight on: times (n,) s and places (n, 2) m."""
    time = every * np.arange(steps)
    return time, np.array(start) + time[:, None] * np.array(velocity)


def of(found: TrackStatistics, name: str, person: int = 0) -> Array:
    """A statistic of a person at all instants."""
    return np.asarray(found.values[found.entity == person, _AT[name]])


def test_a_lone_straight_walk() -> None:
    """Who walks straight at 1.3 m/s has that speed, no acceleration, no turn, straightness 1 and nobody near."""
    found = track_statistics(walked(line((1.0, 2.0), (1.2, 0.5))))
    assert len(found) == 21 - 4
    np.testing.assert_allclose(of(found, "speed"), 1.3, atol=1e-12)
    for name, value in (("acceleration", 0), ("turning", 0), ("straightness", 1), ("nearest distance", 5),
                        ("time to collision", 8), ("density", 0), ("lane order", 0)):  # fmt: skip
        np.testing.assert_allclose(of(found, name), value, atol=1e-9)


def test_a_circle_turns_at_its_rate_and_is_as_straight_as_its_chord() -> None:
    """On a circle the turning rate is speed over radius, and straightness chord over arc of the steps between."""
    rate, radius, time = 0.3, 4.0, 0.4 * np.arange(40)
    places = radius * np.column_stack([np.cos(rate * time), np.sin(rate * time)])
    found = track_statistics(walked((time, places)))
    np.testing.assert_allclose(of(found, "turning")[5:-5], rate, atol=1e-9)
    np.testing.assert_allclose(of(found, "acceleration")[5:-5], 0, atol=1e-9)
    arc = 10 * 2 * np.sin(rate * 0.4 / 2)
    np.testing.assert_allclose(of(found, "straightness")[6:-6], 2 * np.sin(rate * 4.0 / 2) / arc, atol=1e-9)


def test_acceleration_is_that_of_the_motion() -> None:
    """Who speeds up by 0.2 m/s^2 has that acceleration, smoothed or not."""
    time = 0.4 * np.arange(20)
    found = track_statistics(walked((time, np.column_stack([time + 0.1 * time**2, 0 * time]))))
    np.testing.assert_allclose(of(found, "acceleration")[1:-1], 0.2, atol=1e-9)


def test_two_who_meet_head_on() -> None:
    """Two who come towards each other collide when they are 0.4 m apart, and count as opposite in their lane."""
    found = track_statistics(walked(line((0, 0), (1, 0), 8), line((9, 0), (-1, 0), 8)))
    time = found.time[found.entity == 0]
    gap = 9 - 2 * time
    np.testing.assert_allclose(of(found, "nearest distance"), np.minimum(gap, 5), atol=1e-9)
    np.testing.assert_allclose(of(found, "time to collision"), (gap - 0.4) / 2, atol=1e-9)
    np.testing.assert_allclose(of(found, "density"), np.where(gap <= 3, 1 / (9 * np.pi), 0), atol=1e-12)
    np.testing.assert_allclose(of(found, "lane order"), np.where(gap <= 5, -1, 0))


def test_two_side_by_side_and_one_behind_another() -> None:
    """A pair side by side never collides and is in different lanes; one behind another walks in the same lane."""
    beside = track_statistics(walked(line((0, 0), (1, 0)), line((0, 0.8), (1, 0))))
    np.testing.assert_allclose(of(beside, "nearest distance"), 0.8)
    np.testing.assert_allclose(of(beside, "time to collision"), 8)
    np.testing.assert_allclose(of(beside, "lane order"), 0)
    behind = track_statistics(walked(line((0, 0), (1, 0)), line((2, 0.2), (1, 0))))
    np.testing.assert_allclose(of(behind, "lane order"), 1)


def test_the_same_walk_at_another_rate_says_the_same() -> None:
    """Tracks at 10 Hz, off the grid or on it, give the statistics of those at 2.5 Hz, whatever their order."""
    coarse = track_statistics(walked(line((0, 0), (1, 0), 11), line((3, 1), (-0.5, 0.1), 11)))
    fine = track_statistics(walked(line((0, 0), (1, 0), 41, 0.1), line((3, 1), (-0.5, 0.1), 41, 0.1)))
    np.testing.assert_allclose(fine.values, coarse.values, atol=1e-9)
    late = line((0, 0), (1, 0), 30, 0.15)
    moved = on_grid(walked((late[0] + 0.07, late[1])), 0.4)
    np.testing.assert_allclose(moved.places[:, 0], 0.4 * moved.instant, atol=1e-9)
    shuffled = walked(line((3, 1), (-0.5, 0.1), 11), line((0, 0), (1, 0), 11))
    np.testing.assert_allclose(track_statistics(shuffled).values[: len(coarse) // 2],
                               coarse.values[len(coarse) // 2 :])  # fmt: skip


def test_a_gap_ends_a_track() -> None:
    """Nothing is made up where somebody was not seen: both stretches count alone."""
    time, places = line((0, 0), (1, 0), 20)
    keep = np.ones(20, dtype=bool)
    keep[9:12] = False
    found = track_statistics(walked((time[keep], places[keep])))
    assert len(found) == (9 - 4) + (8 - 4)
    np.testing.assert_allclose(of(found, "speed"), 1.0, atol=1e-12)


def test_marks_that_jump_by_2_cm_hardly_accelerate() -> None:
    """Marks made by hand with an error of 2 cm give accelerations below 0.1 m/s^2."""
    time, places = line((0, 0), (1.3, 0), 400)
    noisy = places + 0.02 * stream(0, "test", "marks").standard_normal(places.shape)
    assert of(track_statistics(walked((time, noisy))), "acceleration").std() < 0.1


def test_energy_distance_and_classifier_know_same_from_different() -> None:
    """People at the same speeds are near and not told apart; people faster by 0.4 m/s are far and told apart."""

    def crowd(mean: float, name: str) -> TrackStatistics:
        rng = stream(0, "test", name)
        speeds = mean + 0.2 * rng.standard_normal(60)
        return track_statistics(walked(*(line((0, 20.0 * i), (v, 0), 12) for i, v in enumerate(speeds))))

    gap = TrackGap.of(crowd(1.3, "real"))
    same, other = crowd(1.3, "same"), crowd(1.7, "other")
    assert abs(gap.energy_distance(same)) < 0.1 < 0.5 < gap.energy_distance(other)
    assert max(gap.by_statistic(other), key=gap.by_statistic(other).__getitem__) == "speed"
    assert gap.told_apart(same).p > 0.05 > gap.told_apart(other).p


def test_nobody_and_somebody_seen_for_a_moment() -> None:
    """Zero people, or people seen too shortly, give no rows, and as a reality one sentence."""
    empty = track_statistics(TrajectorySet((Channel("x", "m"), Channel("y", "m")), np.zeros(0), np.zeros((0, 2)),
                                           np.array([0, 0]), entity=np.zeros(0, dtype=np.int64)))  # fmt: skip
    short = track_statistics(walked(line((0, 0), (1, 0), 3)))
    assert len(empty) == len(short) == 0
    with pytest.raises(InputError, match="nobody is seen long enough"):
        TrackGap.of(short)
