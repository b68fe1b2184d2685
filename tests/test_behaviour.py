"""Behaviour fitted to tracks: stretches are what was recorded, hidden parameters are found again, runs go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from simloop.adapt import get_method
from simloop.adapt.behaviour import Behaviour, candidates, searched
from simloop.adapt.behaviour_arms import arms_apart, energy_by_block, jackknife_interval, left_out
from simloop.adapt.behaviour_seen import explained
from simloop.adapt.recorded_people import RecordedPeople, read_groups, recorded_people
from simloop.adapt.stretches import BEFORE, Tracks, cut_stretches, moved_apart
from simloop.cli_behaviour import adapt_behaviour
from simloop.cli_options import ResumeChoice
from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.gap.images import energy_distance
from simloop.parameters import ParameterSpace
from simloop.randomness import stream
from simloop.trajectories import Channel, TrajectorySet
from simloop.verbs_behaviour import divided, fit_behaviour_into
from simloop.worlds import get_world
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.people import PEOPLE, draw_traits
from simloop.worlds.crowd.scene import Scene

#: what the people of the recording that is no recording are like
_HIDDEN = {"people.speed": 1.05, "people.speed_spread": 0.15, "people.wander": 0.22}


def square(n: int = 90, seconds: float = 150.0, hidden: dict[str, float] | None = None) -> TrajectorySet:
    """Tracks each 0.4 s of people who cross a square 16 m wide from all sides, under hidden parameters."""
    rng = stream(0, "test", "square")
    values = {row.parameter.name: row.parameter.default for row in PEOPLE} | (hidden or _HIDDEN)
    side = rng.integers(0, 4, n)
    along, across = rng.uniform(-7, 7, (2, n))
    ends = [np.column_stack(p) for p in ((along, np.full(n, -8.0)), (along, np.full(n, 8.0)),
                                         (np.full(n, -8.0), along), (np.full(n, 8.0), along))]  # fmt: skip
    others = [np.column_stack(p) for p in ((across, np.full(n, 8.0)), (across, np.full(n, -8.0)),
                                           (np.full(n, 8.0), across), (np.full(n, -8.0), across))]  # fmt: skip
    starts, goals = (np.choose(side[:, None], e) for e in (ends, others))
    scene = Scene(
        np.zeros((0, 4)), starts, np.sort(rng.uniform(0.4, seconds - 15, n)), goals[:, None], np.full(n, 0.5),
        draw_traits(values, n, rng), np.full(n, -1), np.zeros(n, dtype=bool),
    )  # fmt: skip
    return simulate([scene], seconds=seconds, every=4, seed=3)


def written(path: Path, tracks: TrajectorySet) -> Path:
    """The tracks as a file of rows 'frame person x y', 10 frames for 0.4 s."""
    assert tracks.entity is not None
    frames = np.round(tracks.time / 0.04)
    rows = np.column_stack([frames, tracks.entity, tracks.column("x"), tracks.column("y")])
    np.savetxt(path, rows, fmt=["%d", "%d", "%.4f", "%.4f"], delimiter="\t")
    return path


def plain(*people: tuple[float, np.ndarray]) -> TrajectorySet:
    """One recording of people by the s at which each is first seen and their places (n, 2) m each 0.4 s."""
    time = np.concatenate([t + 0.4 * np.arange(len(p)) for t, p in people])
    entity = np.concatenate([np.full(len(p), 10 + i) for i, (_, p) in enumerate(people)])
    places = np.concatenate([p for _, p in people])
    order = np.lexsort((entity, time))
    return TrajectorySet((Channel("x", "m"), Channel("y", "m")), time[order], places[order],
                         np.array([0, len(time)]), entity=entity[order])  # fmt: skip


def test_a_stretch_is_who_came_when_and_where_and_left_where() -> None:
    """Whoever is there when a stretch begins starts where he was, who comes later then; who stands stays."""
    walk = np.column_stack([0.4 * np.arange(100), np.zeros(100)])
    late = np.column_stack([np.zeros(20), 3 + 0.5 * np.arange(20)])
    stood = np.full((100, 2), 9.0)
    tracks = plain((0.0, walk), (26.0, late), (0.0, stood))
    stretches = cut_stretches(Tracks.of(tracks), 8.0, groups={(0, 10): 3, (0, 11): 3})
    assert [s.begins for s in stretches.parts] == [0, 8, 16, 24, 32]
    s = stretches[3]
    begin = s.begins - BEFORE
    np.testing.assert_allclose(s.enters, [0.0, 26.0 - begin, 0.0])
    np.testing.assert_allclose(s.starts, [[begin, 0], [0, 3], [9, 9]], atol=1e-9)
    np.testing.assert_allclose(s.exits[:2], [walk[-1], late[-1]])
    np.testing.assert_array_equal(s.stood, [False, False, True])
    np.testing.assert_array_equal(s.groups, [0, 0, -1])
    scene = s.scene(draw_traits({r.parameter.name: r.parameter.default for r in PEOPLE}, 3, stream(0, "t")))
    np.testing.assert_allclose(scene.goals[0], walk[-1] + [1, 0])
    np.testing.assert_array_equal(scene.stays, [False, False, True])


def test_people_who_are_lost_for_a_while_are_two_people_and_nobody_walks_alone_in_a_group() -> None:
    """A gap makes two tracks of a person; a group of which one is there is none."""
    walk = np.column_stack([0.5 * np.arange(30), np.zeros(30)])
    tracks = plain((0.0, walk[:12]), (8.0, walk[20:]))
    joined = TrajectorySet(tracks.channels, tracks.time, tracks.values, tracks.offsets,
                           entity=np.zeros(len(tracks.time), dtype=np.int64))  # fmt: skip
    own = Tracks.of(joined)
    np.testing.assert_array_equal(own.person, [0, 0])
    stretch = cut_stretches(own, 11.0, groups={(0, 0): 5})[0]
    assert len(stretch.people) == 2
    lone = cut_stretches(Tracks.of(plain((0.0, walk))), 8.0, groups={(0, 10): 7})[0]
    np.testing.assert_array_equal(lone.groups, [-1])


def test_bodies_are_moved_apart_and_no_farther() -> None:
    """Friends whose marks are 0.3 m apart stand with their bodies beside one another, and strangers where they were."""
    starts = np.array([[0, 0], [0.3, 0], [5, 5], [5, 5], [9, 9.0]])
    out = moved_apart(starts, np.zeros(5), np.full(5, 0.25), np.zeros(5, dtype=bool))
    gaps = np.linalg.norm(out[:, None] - out[None], axis=2) + 9 * np.eye(5)
    assert gaps.min() >= 0.5
    assert np.abs(out - starts).max() < 0.3
    np.testing.assert_array_equal(out[4], starts[4])


def test_energy_distance_by_blocks_is_energy_distance() -> None:
    """With all blocks it is the measure itself, and without one that of the others; intervals hold the truth."""
    rng = stream(0, "test", "blocks")
    x, y = rng.standard_normal((40, 2)), rng.standard_normal((60, 2)) + 0.5
    a, b = np.arange(40) % 4, np.arange(60) % 4
    found = energy_by_block(x, a, y, b, left_out(4))
    assert found[0] == pytest.approx(energy_distance(x, y))
    assert found[2] == pytest.approx(energy_distance(x[a != 1], y[b != 1]))
    values = rng.standard_normal(30)
    means = np.array([values.mean(), *((values.sum() - v) / 29 for v in values)])
    low, high = jackknife_interval(means)
    assert (high - low) / 2 == pytest.approx(2.045 * values.std(ddof=1) / np.sqrt(30), rel=1e-3)


def test_what_is_shown_is_what_a_regression_explains() -> None:
    """A parameter that the statistics hold is explained, one that they do not hold is not."""
    rng = stream(0, "test", "shown")
    z = rng.standard_normal((200, 2))
    seen = z[:, :1] @ rng.standard_normal((1, 10)) + 0.1 * rng.standard_normal((200, 10))
    part = explained(seen, z)
    assert part[0] > 0.9 > 0.1 > part[1]


@pytest.fixture(scope="module")
def crossed() -> TrajectorySet:
    """A simulated recording."""
    return square()


def test_hidden_behaviour_is_found_by_search(crossed: TrajectorySet) -> None:
    """A search by sampling finds hidden speed and wander again, and is far nearer than the defaults."""
    space = candidates(list(_HIDDEN))
    problem = Behaviour(crossed, fitted=space, seed=1)
    _, prior = searched(space)
    method = get_method("cem", {"horizon": 24.0, "iterations": 5, "samples": 24, "windows": 4, "elite": 0.25})
    fit = method.fit(problem, prior, seed=1)
    found = dict(zip(space.names, fit.distribution.mean, strict=True))
    assert found["people.speed"] == pytest.approx(_HIDDEN["people.speed"], abs=0.08)
    assert found["people.wander"] == pytest.approx(_HIDDEN["people.wander"], abs=0.08)
    assert fit.rollouts == problem.rollouts == 5 * 24 * 4
    pieces = problem.cut(24.0)
    arms = arms_apart(problem, pieces, {"default": Point(space), "fitted": fit.distribution}, seed=2)
    assert arms["fitted"]["over default"] < 0.3


def test_the_truth_has_no_gap(crossed: TrajectorySet) -> None:
    """Under the hidden parameters themselves, with other people and other luck, the energy distance is about 0."""
    space = candidates(list(_HIDDEN))
    problem = Behaviour(crossed, fitted=space, seed=9)
    truth, default = problem.discrepancy([list(_HIDDEN.values()), space.default], problem.cut(24.0))
    assert truth < 0.05 < 5 * truth + 0.05 < default


def test_same_seed_same_statistics_whatever_the_batch(crossed: TrajectorySet) -> None:
    """A row says the same alone and among others, and the same on some stretches as on all."""
    space = candidates(["people.speed"])
    problem = Behaviour(crossed, fitted=space, seed=1)
    pieces = problem.cut(24.0)
    both = problem.simulated([[1.0], [1.4]], pieces)
    alone = problem.simulated([[1.4]], pieces)[0]
    np.testing.assert_array_equal(both[1].values, alone.values)
    part = problem.simulated([[1.4]], pieces.take(np.array([2])))[0]
    np.testing.assert_array_equal(part.values, alone.values[alone.episode == 2])


def test_stretches_of_a_fit_and_a_test_share_nobody(crossed: TrajectorySet) -> None:
    """Nobody who walks in a fitted stretch walks in one of the test; too few stretches are an error."""
    problem = Behaviour(crossed, fitted=candidates(["people.speed"]))
    every = problem.cut(24.0)
    first, last = divided(every)
    people = [set(problem.real(every.take(at)).entity.tolist()) for at in (first, last)]
    assert people[0]
    assert people[1]
    assert not people[0] & people[1]
    with pytest.raises(InputError, match="5 are needed"):
        divided(problem.cut(60.0))


def test_groups_are_read_line_by_line(tmp_path: Path) -> None:
    """Lines are groups; words that are no numbers are named with their line; no file, no groups."""
    path = tmp_path / "groups.txt"
    path.write_text(" 14 15\n\n7\n")
    assert read_groups(path, 2) == {(2, 14): 1, (2, 15): 1}
    assert read_groups(tmp_path / "none.txt", 0) == {}
    path.write_text("1 2\n3 x\n")
    with pytest.raises(InputError, match="line 2"):
        read_groups(path, 0)


def test_a_world_of_people_wants_tracks(tmp_path: Path) -> None:
    """Without a target, and for a method that replays, there is one sentence."""
    with pytest.raises(InputError, match="give --target"):
        adapt_behaviour(tmp_path / "run", None, "simopt", [], [], None, 0, ResumeChoice.if_match, json=False)
    people = RecordedPeople("square", square(20, 40))
    with pytest.raises(InputError, match="cannot be replayed"):
        fit_behaviour_into(tmp_path / "run", get_world("crowd"), people, "least-squares", {})
    with pytest.raises(InputError, match=r"did you mean 'people\.speed'"):
        candidates(["people.sped"])


@pytest.mark.slow
def test_a_run_is_a_distribution_of_the_world_with_a_page(crossed: TrajectorySet, tmp_path: Path) -> None:
    """A run from a file of tracks ends with a distribution over all of the world's parameters and a page."""
    people = recorded_people(str(written(tmp_path / "square.txt", crossed)))
    options = {"iterations": 2, "samples": 12, "windows": 2}
    fit = fit_behaviour_into(tmp_path / "run", get_world("crowd"), people, "simopt", options,
                             fit=["people.speed", "people.wander"])  # fmt: skip
    loaded = Distribution.load(tmp_path / "run")
    assert loaded.space.names == get_world("crowd").parameters.names
    assert loaded.hash == fit.distribution.hash
    again = fit_behaviour_into(tmp_path / "run", get_world("crowd"), people, "simopt", options,
                               fit=["people.speed", "people.wander"])  # fmt: skip
    assert json.dumps(again.to_dict()) == json.dumps(fit.to_dict())  # NaN is no equal of itself
    from simloop.report.page import write_report

    page = write_report(tmp_path / "run").read_text()
    assert "energy distance" in page
    assert str(tmp_path) not in page


@pytest.mark.slow
def test_the_posterior_holds_the_hidden_behaviour(crossed: TrajectorySet) -> None:
    """The posterior is within 4 standard deviations of hidden parameters, narrower than the prior, calibrated."""
    pytest.importorskip("sbi")
    space: ParameterSpace = candidates(list(_HIDDEN))
    problem = Behaviour(crossed, fitted=space, seed=1)
    _, prior = searched(space)
    options = {"horizon": 24.0, "windows": 6, "simulations": 300}
    fit = get_method("posterior", options).fit(problem, prior, seed=1)
    rows = fit.distribution.sample(2000, stream(0, "test"))
    # 90 people are a sample of their own: the 95 % interval of the spread of speeds misses by 0.01 m/s
    away = (rows.mean(axis=0) - [_HIDDEN[name] for name in space.names]) / rows.std(axis=0)
    assert np.abs(away).max() < 4
    assert fit.diagnostics["spread over prior spread"]["people.speed"] < 0.3
    assert min(fit.diagnostics["calibration p"].values()) > 0.001


def test_images_are_not_summarised() -> None:
    """The posterior method says in one sentence that images cannot be replayed, as before."""
    from simloop.adapt.discrepancy import Discrepancy

    class Nothing(Discrepancy):  # type: ignore[type-arg]
        def cut(self, horizon):  # type: ignore[no-untyped-def]
            return []

        def discrepancy(self, rows, pieces):  # type: ignore[no-untyped-def]
            return np.zeros(len(rows))

        distance = discrepancy

    pytest.importorskip("sbi")
    with pytest.raises(InputError, match="images cannot be replayed; use simopt or cem"):
        get_method("posterior").fit(Nothing(), searched(candidates(["people.speed"]))[1], seed=0)
