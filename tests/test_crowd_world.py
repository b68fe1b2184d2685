"""World `crowd` on the contracts: what varies does something, scenes are drawn by number, pictures show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simloop.audit import audit_outcomes
from simloop.distributions import Distribution, Uniform
from simloop.errors import InputError
from simloop.parameters import Array, Parameter, ParameterSpace
from simloop.verbs_crowd import distribution_of, look_at_crowd, watch_crowd
from simloop.worlds import Segments, World, get_world
from simloop.worlds.crowd.channels import TRAIT, TRAITS
from simloop.worlds.crowd.draws import scenarios_named
from simloop.worlds.crowd.film import film_pictures
from simloop.worlds.crowd.scenarios import SCENARIOS
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.view import Moment, Shown, View, picture_size
from simloop.worlds.crowd.world import Crowd

WORLD = Crowd()


class Knobs(World):
    """Three knobs: one turns, one does nothing, one does something only where the first is above 1."""

    def __init__(self) -> None:
        self.name, self.replayed = "knobs", False
        self.parameters = ParameterSpace([Parameter(n, low=0, high=2, default=0.5) for n in ("a", "dead", "later")])
        self.channels, self.actions, self.control_dt = (), (), 0.1

    def distributions(self) -> dict[str, Distribution]:
        return {**super().distributions(), "wide": Uniform(self.parameters, np.zeros(3), np.full(3, 2.0))}

    def versions(self) -> dict[str, str]:
        return {}

    def content(self) -> str:
        return ""

    def outcomes(self, rows: Array, *, seed: int = 0) -> Array:
        return np.stack([rows[:, 0], np.where(rows[:, 0] > 1, rows[:, 2], 0)], axis=1)


def test_the_audit_finds_a_parameter_without_effect() -> None:
    """A dead parameter fails the audit; one that matters only beside others' values does not."""
    found = audit_outcomes(Knobs())
    assert found.dead == ["dead"]
    assert not found.passed
    assert found.effects["a"] == pytest.approx(1.5)
    assert found.effects["later"] > 0.5


@pytest.mark.slow
def test_every_parameter_does_something() -> None:
    """Every parameter of people and places changes who walks where, and the same seed gives the same bytes."""
    assert audit_outcomes(WORLD).passed


def test_outcomes_depend_on_the_row_and_the_seed_alone() -> None:
    """What is told of a row is the same bytes alone, among others, and again; another seed tells something else."""
    rows = WORLD.distribution("wide").sample(2, np.random.default_rng(0))
    rows[:, WORLD.parameters.index("people.count")] = 10
    told = WORLD.outcomes(rows, seed=3)
    assert np.isfinite(told).all()
    assert WORLD.outcomes(rows[1:], seed=3).tobytes() == told[1:].tobytes()
    assert WORLD.outcomes(rows[1:], seed=4).tobytes() != told[1:].tobytes()


def test_nothing_is_replayed_in_it() -> None:
    """Replaying is refused in a sentence that says why; the world is found by its name."""
    world = get_world("crowd")
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(InputError, match="world 'crowd' has nothing to replay"):
        world.simulate(world.parameters.default, Segments(np.zeros((1, 1)), np.zeros((1, 1, 0)), one, one, 1))
    with pytest.raises(InputError, match="world 'crowd' has nothing to replay"):
        world.state(np.zeros((1, 4)), np.zeros((1, 4)))
    assert set(world.distributions()) == {"default", "prior", "search", "wide"}


def test_a_draw_depends_on_its_number() -> None:
    """Scene 5 is the same whether it is drawn alone or among others; scenarios take turns."""
    among = WORLD.draws(range(12), distribution=WORLD.distribution("wide"), seed=2)
    alone = WORLD.draws([5], distribution=WORLD.distribution("wide"), seed=2)[0]
    assert [d.scenario for d in among] == [SCENARIOS[k % len(SCENARIOS)] for k in range(12)]
    assert alone.row.tobytes() == among[5].row.tobytes()
    for name in ("walls", "starts", "begins", "routes", "traits", "groups"):
        assert getattr(alone.scene, name).tobytes() == getattr(among[5].scene, name).tobytes()


def test_names_and_values_are_checked() -> None:
    """A scenario or a parameter that there is not, and a value that is none, are named with what is close."""
    with pytest.raises(InputError, match=r"unknown scenario of world 'crowd': 'crosing' \(did you mean 'crossing'"):
        scenarios_named("corridor,crosing")
    with pytest.raises(InputError, match=r"'people.cuont' \(did you mean 'people.count'"):
        distribution_of(WORLD, None, ["people.cuont=8"])
    with pytest.raises(InputError, match=r"expected parameter=number, for example people\.count=80"):
        distribution_of(WORLD, None, ["people.count"])
    set_in_wide = distribution_of(WORLD, "wide", ["people.count=8"]).sample(50, np.random.default_rng(0))
    counts, speeds = (set_in_wide[:, WORLD.parameters.index(f"people.{n}")] for n in ("count", "speed"))
    assert (counts == 8).all()
    assert np.ptp(speeds) > 0.2


def facing() -> Scene:
    """Two people, 4 m apart, who face one another in a box of 8 x 4 m."""
    corners = np.array([[-4, -2], [4, -2], [4, 2], [-4, 2]], dtype=float)
    traits = np.zeros((2, len(TRAITS)))
    traits[:, TRAIT["radius"]], traits[:, TRAIT["speed"]] = 0.5, 1.0
    return Scene(
        walls=np.concatenate([corners, np.roll(corners, -1, axis=0)], axis=1), starts=np.array([[-2.0, 0], [2, 0]]),
        begins=np.zeros(2), routes=np.array([[[2.0, 0]], [[-2, 0]]]), reach=np.full(2, 0.3), traits=traits,
        groups=np.array([0, -1]), stays=np.zeros(2, dtype=bool),
    )  # fmt: skip


def test_people_are_drawn_where_they_are() -> None:
    """Bodies cover their circles to the pixel's edge, the nose is where the body faces, and y points up."""
    scene = facing()
    view = View(scene, size=(500, 300), shown=Shown(density=False, trails=False, words=False))
    at = np.array([[-2.0, 1.0], [2, -1]])
    moment = Moment(0.0, np.array([0, 1]), at, np.array([0.0, np.pi / 2]), [at[:1], at[1:]])
    picture, empty = (
        view.picture(moment),
        view.picture(Moment(0.0, np.zeros(0, int), np.zeros((0, 2)), np.zeros(0), [])),
    )
    changed = (picture != empty).any(axis=2)
    # 10 m x 6 m in 500 x 300 pixels: 50 pixels a metre, and the middle of the scene in the middle
    v, u = np.nonzero(changed)
    for person, (x, y) in enumerate(at):
        own = (u < 250) if person == 0 else (u > 250)
        centre = np.array([250 + 50 * x, 150 - 50 * y])
        np.testing.assert_allclose([u[own].mean() + 0.5, v[own].mean() + 0.5], centre, atol=0.6)
        assert own.sum() == pytest.approx(np.pi * 25**2, rel=0.06)
    white = (picture == 255).all(axis=2)
    assert white[100, 160:170].any()  # the first faces along x
    assert white[180:190, 350].any()  # the second up
    assert not white[210:220, 350].any()


def test_who_overlaps_is_named() -> None:
    """Where two bodies overlap, the film's picture says who and marks them; apart it does not."""
    view = View(facing(), size=(500, 330))
    red = []
    for gap in (0.9, 1.1):
        at = np.array([[0.0, 0], [gap, 0]])
        clashes = [(0, 1)] if gap < 1 else []
        picture = view.picture(Moment(1.0, np.array([0, 1]), at, np.zeros(2), [at[:1], at[1:]], clashes)).astype(int)
        red.append(int(((picture[..., 0] > 180) & (picture[..., 1] < 90) & (picture[..., 2] < 90)).sum()))
    assert red[0] > 200
    assert red[1] == 0


def test_a_film_and_a_sheet_are_written(tmp_path: Path) -> None:
    """The film has two pictures a step, the sheet a scene of each scenario; what was seen is said in a sentence."""
    said = watch_crowd(tmp_path / "crossing.gif", scenario="crossing", pairs=["people.count=6"], seconds=2.0, seed=3)
    assert "6 people arrived; 0 overlaps of bodies" in said
    said = look_at_crowd(tmp_path / "sheet.png", pairs=["people.count=5"], seconds=3.0)
    assert f"{len(SCENARIOS)} scenes of world crowd, orca" in said
    assert (tmp_path / "crossing.gif").stat().st_size > 10_000
    with pytest.raises(InputError, match="one scenario is watched at a time"):
        watch_crowd(tmp_path / "all.gif", scenario="all")
    with pytest.raises(InputError, match=r"give a name that ends in .mp4 or .gif"):
        watch_crowd(tmp_path / "crossing.avi")


def test_the_pictures_of_a_film_are_the_same_again() -> None:
    """The same seed gives the same pictures, two for each step."""
    from simloop.worlds.crowd.engine import simulate

    draw = WORLD.draws([0], scenarios=["circle"], seed=1)[0]
    tracks = simulate([draw.scene], seconds=1.0, seed=1)
    view = View(draw.scene, size=picture_size(draw.scene, 240))
    first, again = (list(film_pictures(view, tracks)) for _ in range(2))
    assert len(first) == 22
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape[1] == 240
