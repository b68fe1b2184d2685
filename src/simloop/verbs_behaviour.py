"""What the command line's verbs do about behaviour and real people: `adapt crowd --target TRACKS`, `gap crowd`.

A run of an adaptation to tracks: cut the recordings into stretches and lay the last ones aside; learn which behaviour
parameters the statistics of tracks show at all; fit these, by SimOpt, cem or the posterior method, to the first
stretches; and measure on the others how far simulated people are from real ones, under the default parameters, wide
ones and the fitted. `distribution.json` in its folder is over all parameters of world `crowd`: the fitted ones, all
other habits at their default, and places and numbers of people as wide as they were. Every other verb takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.adapt import Adaptation, get_method
from simloop.adapt.behaviour import Behaviour, candidates, searched
from simloop.adapt.behaviour_arms import arms_apart
from simloop.adapt.behaviour_seen import shown
from simloop.adapt.comparison import Comparison
from simloop.adapt.recorded_people import RecordedPeople
from simloop.adapt.stretches import Stretches
from simloop.distributions import Distribution, Point, Product, Uniform
from simloop.errors import InputError, count, need
from simloop.gap.tracks import NAMES, STATISTICS
from simloop.parameters import ParameterSpace
from simloop.progress import Progress, silent
from simloop.runs import Resume, Run, write_json
from simloop.worlds.description import describe_world, versions
from simloop.worlds.world import World

#: part of a parameter's variance that the statistics must explain before the parameter is fitted
LEAST_SHOWN = 0.2
#: s of a stretch, part of the stretches that are fitted, and the fewest of both kinds together
LENGTH, FIRST, FEWEST = 24.0, 0.6, 5
#: of a method, where nobody says it
OPTIONS: dict[str, dict[str, Any]] = {
    "simopt": {"iterations": 10, "samples": 48, "windows": 8, "horizon": LENGTH},
    "cem": {"iterations": 8, "samples": 48, "windows": 8, "elite": 0.2, "horizon": LENGTH},
    "posterior": {"simulations": 600, "windows": 12, "horizon": LENGTH},
}


@dataclass(frozen=True)
class FittedHabit:
    """One fitted behaviour parameter, in its unit.

    Attributes:
        name, unit: its own.
        shown: part of its variance that the statistics explain.
        default: of the world.
        value: in the middle of the fitted distribution.
        low, high: 90 % of that.
    """

    name: str
    unit: str
    shown: float
    default: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BehaviourFit:
    """Fitted behaviour in its run's folder."""

    folder: Path
    people: str
    adaptation: Adaptation
    fitted: tuple[FittedHabit, ...]
    unseen: dict[str, float]
    held_out: dict[str, dict[str, Any]]
    distribution: Distribution

    def to_dict(self) -> dict[str, Any]:
        a = self.adaptation
        return {
            "run": str(self.folder),
            "tracks": self.people,
            "fitted": [asdict(f) for f in self.fitted],
            "not shown": self.unseen,
            "held out": self.held_out,
            "method": a.method,
            "history": a.history,
            "diagnostics": a.diagnostics,
            "stretches simulated": a.rollouts,
            "hash": self.distribution.hash,
        }

    def show(self) -> None:
        terminal.table(
            ["parameter", "default", "fitted", "90 %", "unit", "shown"],
            [[f.name, f"{f.default:.3g}", f"{f.value:.3g}", f"{f.low:.3g} to {f.high:.3g}", f.unit, f"{f.shown:.0%}"]
             for f in self.fitted],
            title=f"{self.adaptation.method}: behaviour fitted to {self.people}",
        )  # fmt: skip
        if self.unseen:
            names = ", ".join(f"{name} ({max(x, 0):.0%})" for name, x in self.unseen.items())
            terminal.say(f"left as they are, because tracks do not show them: {names}")
        show_arms(self.held_out)
        terminal.say(
            f"behaviour {self.distribution.hash} is in {self.folder}; use it: simloop generate crowd --distribution"
            f" {self.folder}"
        )


@dataclass(frozen=True)
class TrackGapResult:
    """How far people of world `crowd` are from real ones, under what was asked for and what was not fitted."""

    people: str
    arms: dict[str, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        return {"tracks": self.people, "arms": self.arms}

    def show(self) -> None:
        terminal.say(f"target: {self.people}")
        show_arms(self.arms)


def show_arms(found: dict[str, dict[str, Any]]) -> None:
    """Print how far each arm is from real people, and what of it each statistic is."""
    arms = {name: x for name, x in found.items() if "energy distance" in x}
    terminal.table(
        ["people", "energy distance", "95 %", "over default", "95 %", "told apart", "p"],
        [[name, f"{x['energy distance']:.3f}", _range(x["interval"]), f"{x['over default']:.2f}",
          _range(x["over default interval"], 2), f"{x['told apart']['accuracy']:.0%}", f"{x['told apart']['p']:.2g}"]
         for name, x in arms.items()],
        title="statistics of tracks on stretches that no fit saw" if "fitted" in arms else "statistics of tracks",
    )  # fmt: skip
    terminal.table(
        ["of each statistic alone", *arms],
        [[name, *(f"{x['by statistic'][name]:.3f}" for x in arms.values())] for name in NAMES],
    )


def _range(interval: Sequence[float], digits: int = 3) -> str:
    return f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def fit_behaviour_into(
    folder: Path,
    world: World,
    people: RecordedPeople,
    method: str,
    options: dict[str, Any],
    *,
    fit: Sequence[str] = (),
    model: str = "orca",
    seed: int = 0,
    budget: int | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> BehaviourFit:
    """Fit how people of world `crowd` walk to real ones, into a run's folder, or go on there.

    Args:
        folder: the run's.
        world: `crowd`.
        people: real ones.
        method: its name: simopt, cem or posterior.
        options: of the method.
        fit: behaviour parameters to fit; (): those that tracks show.
        model: of walking.
        seed: of everything random.
        budget: the largest number of stretches that the method simulates.
        resume: what to do with a folder that holds a run already.
        progress: told how far it is.
    """
    need(("numba",), "the adaptation of behaviour", "crowd")
    options = {**OPTIONS.get(method, {}), **options}
    chosen = get_method(method, options)
    if chosen.works_on is Comparison:
        raise InputError(
            f"method {method!r} replays recordings, and tracks of people cannot be replayed; use posterior, simopt or"
            " cem"
        )
    length = float(options["horizon"])
    asked = candidates(fit)
    configuration = {
        "behaviour": {"method": method, "options": options, "fit": list(fit), "model": model, "seed": seed,
                      "budget": budget, "first": FIRST},
        "world": describe_world(world),
        "people": people.describe(),
    }  # fmt: skip
    with Run.open(folder, configuration, resume=resume) as run:
        problem = _problem(people, asked, model, seed)
        first, held_out = divided(problem.cut(length))
        explained = run.stage("shown", lambda: shown(problem.only(first, length), seed=seed, progress=progress))
        names = [n for n in asked.names if fit or explained[n] >= LEAST_SHOWN]
        if not names:
            raise InputError(
                f"{people.name}: these tracks show no parameter among {', '.join(asked.names)}; say which to fit:"
                " --fit, or give longer recordings"
            )
        fitted = ParameterSpace([asked[n] for n in names])
        wide, prior = searched(fitted)
        problem = _problem(people, fitted, model, seed)
        part = problem.only(first, length)
        stage = f"adapt-{method}"
        record = run.stage(
            stage,
            lambda: chosen.fit(part, prior, seed=seed, budget=budget, checkpoint=run.checkpoint(stage),
                               progress=progress).to_dict(),
        )  # fmt: skip
        adaptation = Adaptation.from_dict(record)
        arms = {"default": Point(fitted), "wide": wide, "fitted": adaptation.distribution}
        others = {"real, fitted part": part.real(part.cut(length))}
        pieces = problem.cut(length).take(held_out)
        apart = run.stage("held-out", lambda: arms_apart(part, pieces, arms, others=others, seed=seed))
        run.stage("versions", lambda: versions(world))
        run.stage("habits", lambda: _habits(adaptation.distribution, explained, seed))
        distribution = over_world(world, adaptation.distribution)
        write_json(folder / "distribution.json", distribution.to_dict())
    habits = tuple(FittedHabit(**h) for h in _habits(adaptation.distribution, explained, seed)["habits"])
    unseen = {n: explained[n] for n in asked.names if n not in names}
    return BehaviourFit(folder, people.name, adaptation, habits, unseen, apart, distribution)


def measure_track_gap(
    world: World, people: RecordedPeople, distribution: str | None, *, length: float, seed: int, model: str = "orca"
) -> TrackGapResult:
    """How far people are from real ones on all stretches of recordings: default, wide, and what is named or loaded."""
    need(("numba",), "statistics of tracks", "crowd")
    space = candidates([p.name for p in candidates()] + [n for n in world.parameters.names if "personality" in n])
    problem = _problem(people, space, model, seed)
    arms: dict[str, Distribution] = {"default": Point(space), "wide": searched(space)[0]}
    if distribution is not None and distribution not in arms:
        arms[distribution] = _Habits(space, world.distribution(distribution))
    return TrackGapResult(people.name, arms_apart(problem, problem.cut(length), arms, seed=seed))


class _Habits(Distribution):
    """The behaviour of a distribution over a world's parameters."""

    kind = "habits"
    has_density = False

    def __init__(self, space: ParameterSpace, whole: Distribution) -> None:
        super().__init__(space)
        self._whole, self._columns = whole, [whole.space.index(n) for n in space.names]

    def sample(self, n: int, rng: np.random.Generator) -> Any:
        return self._whole.sample(n, rng)[:, self._columns]

    @property
    def mean(self) -> Any:
        return self._whole.mean[self._columns]

    def _content(self) -> dict[str, Any]:
        return {"of": self._whole.to_dict()}


def divided(every: Stretches) -> tuple[Any, Any]:
    """Numbers of the stretches that are fitted and of those that are not, of each recording its first and its last.

    One stretch between them is in neither, so that nobody is in both.
    """
    episode = np.array([s.episode for s in every.parts])
    first, last = [], []
    for e in np.unique(episode):
        own = np.flatnonzero(episode == e)
        kept = round(FIRST * len(own))
        first.append(own[:kept])
        last.append(own[kept + 1 :])
    if len(every) < FEWEST or not sum(map(len, last)):
        raise InputError(
            f"tracks of people: {count(len(every), 'stretch' if len(every) == 1 else 'stretche')} in which somebody"
            f" walks, and {FEWEST} are needed to fit some and to measure on others; give longer recordings, or shorter"
            " stretches: --option horizon=12"
        )
    return np.concatenate(first), np.concatenate(last)


def over_world(world: World, fitted: Distribution) -> Distribution:
    """A distribution over all parameters of a world: fitted habits, other habits at their default, the rest wide."""
    wide = world.distribution("wide")
    assert isinstance(wide, Uniform)
    others = [p for p in world.parameters if p.name not in fitted.space.names]
    habits = ParameterSpace([p for p in others if p.kind == "behaviour"])
    places = ParameterSpace([p for p in others if p.kind != "behaviour"])
    at = [world.parameters.index(n) for n in places.names]
    parts: list[Distribution] = [Uniform(places, wide.low[at], wide.high[at])] if len(places) else []
    parts += [Point(habits)] if len(habits) else []
    return Product(world.parameters, [*parts, fitted])


def _problem(people: RecordedPeople, fitted: ParameterSpace, model: str, seed: int) -> Behaviour:
    return Behaviour(people.tracks, fitted=fitted, groups=people.groups, walls=people.walls, model=model, seed=seed)


def _habits(fitted: Distribution, explained: dict[str, float], seed: int) -> dict[str, Any]:
    """What was found of each fitted parameter, JSON-able."""
    from simloop.randomness import stream

    rows = fitted.sample(2000, stream(seed, "behaviour", "habits"))
    middle = np.quantile(rows, [0.05, 0.5, 0.95], axis=0)
    return {
        "habits": [
            {"name": p.name, "unit": p.unit, "shown": explained[p.name], "default": p.default,
             "value": float(middle[1, j]), "low": float(middle[0, j]), "high": float(middle[2, j])}
            for j, p in enumerate(fitted.space)
        ],
        "statistics": [[s.name, s.unit, s.description] for s in STATISTICS],
    }  # fmt: skip
