"""Arranging a scene: places are proposed, hard constraints must hold, soft ones are costs that are lowered.

    scene = arrange(things, OnArea(table), stream(7, "scene", 0), hard=[Supported(table), NotIntersecting()])
    scene.poses, scene.rates["not intersecting"].share

Each thing in turn gets the first proposal under which all hard constraints hold. If none does, the scene begins anew
with that thing first. Then things move by Metropolis' rule on the sum of the soft costs, at a temperature that falls to
0, never breaking a hard constraint; the best scene on the way is returned. The same stream gives the same scene.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.errors import InputError, count
from simloop.parameters import Array
from simloop.worlds.constraints import Area, Constraint, Layout, Thing

#: what a hard constraint may be off by, in its own unit
_TOLERANCE = 1e-9
#: the first temperature, as a part of a thing's mean cost: warm enough to leave dead ends, measured on four scenes
_WARM = 0.1


class Proposal(ABC):
    """Where things may stand: draws the pose (4,) of thing i, which is not placed, among those that are."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, layout: Layout, i: int) -> Array:
        """Any pose."""

    def near(self, rng: np.random.Generator, layout: Layout, i: int, pose: Array, step: float) -> Array:
        """A pose about `step` m away from one, by default any."""
        return self.draw(rng, layout, i)


@dataclass(frozen=True)
class OnArea(Proposal):
    """Uniform over the box around an area, in any yaw, standing at its height or `gap` m above.

    Attributes:
        stacked: whether things come to stand above those that are placed already, `gap` m from them.
        yaws: rad, to choose from; (): any.
    """

    area: Area
    gap: float = 0.0
    stacked: bool = False
    yaws: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator, layout: Layout, i: int) -> Array:
        low, high = self.area.corners.min(axis=0), self.area.corners.max(axis=0)
        yaw = float(rng.choice(self.yaws)) if self.yaws else rng.uniform(-np.pi, np.pi)
        return self._settled(layout, i, np.array([*rng.uniform(low, high), 0.0, yaw]))

    def near(self, rng: np.random.Generator, layout: Layout, i: int, pose: Array, step: float) -> Array:
        yaw = float(rng.choice(self.yaws)) if self.yaws else pose[3] + rng.normal(0, 0.3)
        return self._settled(layout, i, np.array([*(pose[:2] + rng.normal(0, step, 2)), 0.0, yaw]))

    def _settled(self, layout: Layout, i: int, pose: Array) -> Array:
        """The pose at the height at which it stands; it leaves the thing placed there."""
        pose[2] = self.area.height + self.gap - layout.things[i].low
        layout.put(i, pose)
        if self.stacked:
            under = [layout.top(j) for j, _ in layout.beside(i, self.gap)]
            pose[2] = max([self.area.height, *under]) + self.gap - layout.things[i].low
        return pose


@dataclass(frozen=True)
class Rate:
    """How often a constraint held: `held` of `asked` proposals that it applied to."""

    asked: int = 0
    held: int = 0

    @property
    def share(self) -> float:
        """The acceptance rate; NaN where it was never asked."""
        return self.held / self.asked if self.asked else float("nan")


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A scene that was found.

    Attributes:
        poses: (n, 4) x, y, z, m, and yaw, rad, of each thing.
        rates: by hard constraint, how often it held for the proposals of places, each by itself; `all`: together.
        costs: by soft constraint, its violation (before, after) the soft constraints were heeded.
        restarts: how often the scene began anew.
    """

    poses: Array
    rates: Mapping[str, Rate]
    costs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    restarts: int = 0

    def __str__(self) -> str:
        lines = [f"{name}: held for {r.held} of {r.asked} proposals ({r.share:.1%})" for name, r in self.rates.items()]
        lines += [f"{name}: cost {a:.3g}, lowered to {b:.3g}" for name, (a, b) in self.costs.items()]
        return "\n".join(lines)


def arrange(
    things: Sequence[Thing],
    proposal: Proposal,
    rng: np.random.Generator,
    *,
    hard: Sequence[Constraint] = (),
    soft: Mapping[Constraint, float] | None = None,
    fixed: Mapping[int, ArrayLike] | None = None,
    tries: int = 200,
    restarts: int = 10,
    sweeps: int = 40,
    name: str = "scene",
) -> Arrangement:
    """Find places for things.

    Args:
        things: what is to be placed.
        proposal: where it may stand.
        rng: the scene's stream.
        hard: what must hold.
        soft: constraint -> weight of its cost.
        fixed: thing, by its place -> pose (4,) that it has already; it is not asked whether that meets anything.
        tries: proposals for a thing before the scene begins anew.
        restarts: how often it may.
        sweeps: moves for each thing to lower the soft costs.
        name: of the scene, in errors.

    Raises:
        InputError: no places were found within the budget: which constraint failed most, and what would help.
    """
    _check(things, hard, soft or {}, name)
    tally = _Tally(hard)
    layout, restarted = _place(things, proposal, rng, hard, tally, fixed or {}, tries, restarts, name)
    weights = dict(soft or {})
    before = {c.name: c.total(layout) for c in weights}
    if weights and sweeps:
        _lower(layout, proposal, rng, hard, weights, fixed or {}, sweeps)
    costs = {c.name: (before[c.name], c.total(layout)) for c in weights}
    return Arrangement(layout.poses.copy(), tally.rates(), costs, restarted)


def _check(things: Sequence[Thing], hard: Sequence[Constraint], soft: Mapping[Constraint, float], name: str) -> None:
    names = [t.name for t in things]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"{name}: two things are called {twice[0]!r}")
    called = [c.name for c in hard]
    twice = sorted({n for n in called if called.count(n) > 1})
    if twice:
        raise InputError(f"{name}: the hard constraint {twice[0]!r} is given twice")
    groups = {t.group for t in things}
    for c in (*hard, *soft):
        for group in (getattr(c, "group", ""), getattr(c, "other", "")):
            if things and group and group not in groups:
                raise InputError(f"{name}: constraint {c.name!r} is about {group!r}, and no thing is of that group")
    for c, weight in soft.items():
        if not (np.isfinite(weight) and weight > 0):
            raise InputError(f"{name}: the weight of {c.name!r} must be above 0, got {weight:g}")


class _Tally:
    """Counts which constraints held for the proposals of places."""

    def __init__(self, hard: Sequence[Constraint]) -> None:
        self.hard = hard
        self.asked = np.zeros(len(hard) + 1, dtype=np.int64)
        self.held = np.zeros(len(hard) + 1, dtype=np.int64)

    def heed(self, layout: Layout, i: int) -> NDArray[np.bool_]:
        """(C,) which hard constraints placed thing i breaks."""
        applies = np.array([c.applies(layout.things[i]) for c in self.hard], dtype=bool)
        broken = np.array([a and c.violation(layout, i) > _TOLERANCE for a, c in zip(applies, self.hard, strict=True)],
                          dtype=bool)  # fmt: skip
        self.asked += np.append(applies, True)
        self.held += np.append(applies & ~broken, not broken.any())
        return broken

    def rates(self) -> dict[str, Rate]:
        names = [*(c.name for c in self.hard), "all"]
        return {n: Rate(int(a), int(h)) for n, a, h in zip(names, self.asked, self.held, strict=True)}


def _place(
    things: Sequence[Thing],
    proposal: Proposal,
    rng: np.random.Generator,
    hard: Sequence[Constraint],
    tally: _Tally,
    fixed: Mapping[int, ArrayLike],
    tries: int,
    restarts: int,
    name: str,
) -> tuple[Layout, int]:
    """Places under which all hard constraints hold, and how often the scene began anew."""
    order = [i for i in range(len(things)) if i not in fixed]
    failed = np.zeros(len(hard), dtype=np.int64)
    proposals = 0
    for attempt in range(restarts + 1):
        layout = Layout(things)
        for i, pose in fixed.items():
            layout.put(i, pose)
        for place, i in enumerate(order):
            broken = np.zeros(len(hard), dtype=np.int64)
            for _ in range(tries):
                layout.remove(i)
                layout.put(i, proposal.draw(rng, layout, i))
                now = tally.heed(layout, i)
                broken += now
                if not now.any():
                    break
            else:
                failed += broken
                proposals += tries
                stuck = (things[i].name, place + len(fixed))
                order.insert(0, order.pop(place))
                break
        else:
            return layout, attempt
    worst = int(np.argmax(failed))
    beside = f"beside {count(stuck[1], 'other thing')} of {len(things)}" if stuck[1] else "even alone"
    raise InputError(
        f"{name}: the constraints cannot be met: no place for {stuck[0]!r} {beside}, after beginning anew"
        f" {count(restarts, 'time')}; {hard[worst].name!r} failed most, for {failed[worst] / proposals:.1%} of"
        f" {proposals} proposals; {hard[worst].remedy} would help"
    )


def _lower(
    layout: Layout,
    proposal: Proposal,
    rng: np.random.Generator,
    hard: Sequence[Constraint],
    soft: Mapping[Constraint, float],
    fixed: Mapping[int, ArrayLike],
    sweeps: int,
) -> None:
    """Lower the soft costs by Metropolis' rule, at a temperature that falls to 0; keep the best scene."""
    things = layout.things
    movable = [i for i in range(len(things)) if i not in fixed]
    n = len(movable)

    def cost(i: int) -> float:
        """What thing i has part in: it changes by as much as the total does when the thing moves."""
        return sum(w * c.violation(layout, i) for c, w in soft.items() if c.applies(things[i]))

    total = start = sum(w * c.total(layout) for c, w in soft.items())
    best, poses = total, layout.poses.copy()
    step = 0.5 * float(np.median(layout.radius)) if n else 0.0
    for k in range(sweeps * n):
        if best <= 0:
            break
        temperature = _WARM * start / n * (1 - k / (sweeps * n)) ** 2
        i = movable[int(rng.integers(n))]
        old, was = layout.poses[i].copy(), cost(i)
        wide = step * 4.0 ** rng.integers(0, 3)
        layout.remove(i)
        fresh = rng.random() < 0.25
        layout.put(i, proposal.draw(rng, layout, i) if fresh else proposal.near(rng, layout, i, old, wide))
        chance = rng.random()
        change = cost(i) - was
        accepted = change <= 0 or chance < np.exp(-change / max(temperature, 1e-300))
        if accepted and not any(c.applies(things[i]) and c.violation(layout, i) > _TOLERANCE for c in hard):
            total += change
            if total < best - 1e-15:
                best, poses = total, layout.poses.copy()
        else:
            layout.put(i, old)
    for i in movable:
        layout.put(i, poses[i])
