"""Residual force: what the fitted parameters leave, as a small force on the joints, used only where that helps.

    fit = get_method("residual").fit(Comparison(world, target), world.distribution("prior"))
    world.under(fit.distribution)       # steps with the force; the plain world where the force was rejected

1. The parameters come from least squares and stay.
2. A force along each feature of state and action (`worlds/residual.py`) is simulated by a small push along it; the
   coefficients c minimise the robust, whitened cost of least squares with a ridge, c_jk ~ N(0, (strength * s_j)^2).
   s_j is the force on joint j that, held through a window, would move it by as much as the windows are off.
3. Which features and which strength is decided on recordings left out, by simulation with the coefficients that the
   others give. A candidate must beat no force by more than 1 % and two standard errors over recordings, and must not
   do harm where motion is faster than what it was fitted on: fitted on the slower half of the windows, it may be worse
   than no force on the faster half by one standard error at most. Of the rest the weakest within one standard error
   of the best is taken (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10).
4. Where none is left the result is that of least squares, to the last bit.

Features are bounded, so the ridge also bounds the force where nothing was recorded. That is why no strength above 1 is
tried by itself: coefficients larger than all that is left cancel one another where there are recordings and add up
elsewhere. It was found on real swing-ups of the Qube, which chirps predict a third worse with strength 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.comparison import Comparison
from simloop.adapt.hierarchical import blocks
from simloop.adapt.least_squares import LeastSquares, Problem, robust_spread
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.windows import Windows
from simloop.trajectories import columns, difference
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.residual import force_channels, residual_space
from simloop.worlds.world import World

#: finite-difference step of a coefficient: this part of the force that brings a joint to its top speed in a second
_STEP = 2e-3
#: standard deviation of a coefficient that does not vary, in those of the ridge
_LEAST = 1e-3
#: reweighting steps of the robust cost
_REWEIGHTED = 6
#: speeds at which friction changes its character, as parts of the largest speed seen
_SLOW, _MIDDLE, _FAST = 0.01, 0.05, 0.2
#: a force must bring the error down to this, or it is not worth that simulations then take steps outside the engine
_WORTH = 0.99
#: the groups of features that are tried by themselves, beside all together
_TRIED = ("friction", "position")


@dataclass(frozen=True)
class Residual(Method):
    """Least squares, then a ridge-regularised force along features of state and action, if held-out recordings agree.

    Attributes:
        horizon: s, length of the windows that the force is fitted to; shortened to what the recordings hold.
        stride: from one window to the next, in windows.
        strengths: how large coefficients may be, in units of what would explain the windows' errors.
    """

    name: ClassVar[str] = "residual"

    horizon: float = 0.5
    stride: float = 0.5
    strengths: tuple[float, ...] = (0.1, 0.3, 1.0)

    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        if not force_channels(comparison.world):
            raise InputError(
                f"residual: world {comparison.world.name!r} has no joint with one degree of freedom whose position is"
                " a channel, so there is nothing that a force could act on"
            )
        windows = comparison.cuts((self.horizon,), stride=self.stride)[0]
        terms = features(comparison, windows)
        candidates = [Candidate(g, s) for g in (*_TRIED, "all") for s in sorted(self.strengths)]
        centre, diagnostics = self._parameters(comparison, prior, books, len(windows), terms, len(candidates))
        books.save("residual: what a force along each feature does", 1.0)
        ridge = Ridge.of(comparison, windows, centre, terms)
        books.save("residual: recordings left out", 1.0)
        scores = judge(ridge, candidates)
        chosen = choose(candidates, scores)
        comparison.rollouts += ridge.comparison.rollouts
        comparison.simulated_seconds += ridge.comparison.simulated_seconds
        diagnostics |= {
            "residual": "rejected" if chosen is None else f"{chosen.group}, strength {chosen.strength:g}",
            "residual candidates": [{**asdict(c), **asdict(s)} for c, s in zip(candidates, scores, strict=True)],
        }
        return centre if chosen is None else ridge.distribution(centre, chosen), diagnostics

    def _parameters(
        self, comparison: Comparison, prior: Normal, books: Books, windows: int, terms: Sequence[Term], tried: int
    ) -> tuple[Normal, dict[str, Any]]:
        """Least squares, with what the force will cost kept back from the budget."""
        reserve = windows * (1 + len(prior.space) + len(terms) + len(comparison.replay.start_spread) + 2 * (1 + tried))
        if books.budget is None:
            return LeastSquares().adapt(comparison, prior, books)
        if books.budget <= reserve:
            raise InputError(
                f"residual: the force alone simulates {reserve} windows, not less than the budget of {books.budget};"
                " give a larger budget or a larger stride"
            )
        books.budget -= reserve
        return LeastSquares().adapt(comparison, prior, books)


@dataclass(frozen=True)
class Candidate:
    """A group of features and how large their coefficients may be."""

    group: str
    strength: float


@dataclass(frozen=True)
class Score:
    """RMSE of held-out positions over that with no force, with its standard error over recordings; 1 is no gain."""

    ratio: float
    error: float
    ratio_faster: float
    error_faster: float


@dataclass(frozen=True)
class Term:
    """A feature of the force on a joint, and the group that it is tried with."""

    joint: str
    feature: str
    group: str


def features(comparison: Comparison, windows: Windows) -> list[Term]:
    """What the force may consist of, scaled to what the recordings show: beyond that, features saturate."""
    world = comparison.world
    fastest = top_speeds(world, windows)
    strongest = np.abs(comparison.replay.actions).max(axis=(0, 1))
    actions = {a.name: u for a, u in zip(world.actions, strongest, strict=True) if u > 0}
    terms = []
    for joint in fastest:
        groups = {
            "friction": _friction(world, joint, fastest),
            "position": _position(world, joint, fastest),
            "action": _action(world, joint, fastest, actions),
            "coupling": _coupling(world, joint, fastest),
        }
        terms += [Term(joint, f, g) for g, names in groups.items() for f in dict.fromkeys(names)]
    return terms


def top_speeds(world: World, windows: Windows) -> dict[str, float]:
    """The largest speed of each joint that a force may act on, where it moved at all."""
    names = [c.name for c in world.channels]
    at = dict(zip(names, columns(world.channels), strict=True))
    speeds = {j: float(np.nanmax(np.abs(windows.measured[..., at[r]]))) for j, r in _rates(world).items()}
    return {j: v for j, v in speeds.items() if v > 0}


def _rates(world: World) -> dict[str, str]:
    """The channel of the rate of each joint that a force may act on."""
    return {c.rate_of: c.name for c in world.channels if c.rate_of in force_channels(world)}


def _turns(world: World, joints: Iterable[str]) -> list[str]:
    return [j for j in joints if force_channels(world)[j].kind == "angle"]


def _slow(world: World, joint: str, fastest: Mapping[str, float], part: float) -> str:
    return f"tanh({_rates(world)[joint]}/{part * fastest[joint]:.2g})"


def _saturated(world: World, joint: str, fastest: Mapping[str, float], function: str = "sat") -> str:
    return f"{function}({_rates(world)[joint]}/{fastest[joint]:.2g})"


def _friction(world: World, joint: str, fastest: Mapping[str, float]) -> list[str]:
    linear, size = (_saturated(world, joint, fastest, f) for f in ("sat", "size"))
    return [*(_slow(world, joint, fastest, part) for part in (_SLOW, _MIDDLE, _FAST)), linear, f"{linear}*{size}"]


def _position(world: World, joint: str, fastest: Mapping[str, float]) -> list[str]:
    turns = _turns(world, fastest)
    found = ["1", *(f"{f}({j})" for j in turns for f in ("sin", "cos"))]
    if joint in turns:
        found += [f"{f}({joint}/0.5)" for f in ("sin", "cos")]
        found += [f"{f}({joint})*{g}({j})" for f, g in (("sin", "cos"), ("cos", "sin")) for j in turns if j != joint]
    return found


def _action(world: World, joint: str, fastest: Mapping[str, float], strongest: Mapping[str, float]) -> list[str]:
    """Torque that is not as large as said, friction that grows with the load, torque on other joints."""
    found = []
    for action, most in strongest.items():
        found += [f"sat({action}/{most:.2g})", f"size({action}/{most:.2g})*{_slow(world, joint, fastest, _MIDDLE)}"]
        found += [f"cos({j})*sat({action}/{most:.2g})" for j in _turns(world, fastest) if j == joint]
    return found


def _coupling(world: World, joint: str, fastest: Mapping[str, float]) -> list[str]:
    """What a joint's motion does to another, and friction that depends on where the joints are."""
    coulomb = _slow(world, joint, fastest, _MIDDLE)
    linear, size = (_saturated(world, joint, fastest, f) for f in ("sat", "size"))
    found = [size, *(f"cos({j})*{coulomb}" for j in _turns(world, fastest))]
    for j in fastest:
        if j != joint:
            found += [_slow(world, j, fastest, _MIDDLE), _saturated(world, j, fastest)]
            found += [_saturated(world, j, fastest, "size"), f"{_saturated(world, j, fastest, 'size')}*{coulomb}"]
            found += [f"{linear}*{_saturated(world, j, fastest)}"]
    return found


@dataclass(frozen=True, eq=False)
class Ridge:
    """The windows linearised in the coefficients at no force, and what is known of them.

    Attributes:
        world: without a force.
        comparison: of the world with one.
        problem, windows: of it.
        terms: F features.
        row: (d + F,) the fitted parameters, then no force.
        spread: (F,) the size of a coefficient, s_j.
        residuals, slopes: whitened, (W, R) and (W, R, F); 0 where something diverged.
        scale: robust spread of the residuals' norms.
        recording: (W,) the recording, or stretch of one, that is left out together.
    """

    world: World
    comparison: Comparison
    problem: Problem
    windows: Windows
    terms: tuple[Term, ...]
    row: Array
    spread: Array
    residuals: Array
    slopes: Array
    scale: float
    recording: NDArray[np.int64]

    @classmethod
    def of(cls, comparison: Comparison, windows: Windows, centre: Normal, terms: Sequence[Term]) -> Ridge:
        """Linearise the windows of a comparison around the fitted parameters."""
        world, d = comparison.world, len(comparison.world.parameters)
        push = accelerating(world, top_speeds(world, windows))
        space = residual_space(world, by_joint(terms), push)
        # the spreads of the parameters, which do not move here, only have to be positive
        start = Normal.independent(space, np.append(centre.mean, np.zeros(len(terms))), space.spread)
        inner = Comparison(world.under(start), comparison.target, every=comparison.every)
        problem = Problem(inner, [windows], start)
        problem.steps = np.append(problem.steps[:d], _STEP * space.spread[d:])
        r, jacobian, _ = problem.linearise(problem.z0, windows)
        good: NDArray[np.bool_] = np.isfinite(np.concatenate([r[..., None], jacobian], axis=2)).all(axis=(1, 2))
        r, slopes = np.where(good[:, None], r, 0.0), np.where(good[:, None, None], jacobian[:, :, d:], 0.0)
        scale = robust_spread(np.linalg.norm(r[good], axis=1))
        moved = np.maximum(np.median(np.linalg.norm(slopes[good], axis=1), axis=0), 1e-12)
        typical = 0.6745 * scale
        spread = np.array([typical / moved[terms.index(Term(t.joint, "1", "position"))] for t in terms])
        return cls(world, inner, problem, windows, tuple(terms), start.mean, spread, r, slopes, scale,
                   blocks(comparison, windows))  # fmt: skip

    def solve(self, candidate: Candidate, kept: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        """The candidate's coefficients (F,) from the windows `kept` (W,); the features used; (k, k) curvature."""
        used = np.array([candidate.group in ("all", t.group) for t in self.terms])
        r, slopes = self.residuals[kept], self.slopes[kept][:, :, used]
        precision = np.diag((candidate.strength * self.spread[used]) ** -2)
        found = np.zeros(int(used.sum()))
        for _ in range(_REWEIGHTED):
            weight = self.problem.weights(r + slopes @ found, self.scale)
            weighted = slopes * weight[:, None, None]
            curvature = precision + np.tensordot(weighted, slopes, axes=((0, 1), (0, 1)))
            found = -np.linalg.solve(curvature, np.einsum("wrf,wr->f", weighted, r))
        coefficients = np.zeros(len(self.terms))
        coefficients[used] = found
        return coefficients, used, curvature

    def errors(self, coefficients: Array) -> Array:
        """Mean squared error of the positions (W,) in simulation, with coefficients of each window's own (W, F)."""
        d = len(self.row) - len(self.terms)
        rows = np.concatenate([np.repeat(self.row[None, :d], len(self.windows), axis=0), coefficients], axis=1)
        world = self.comparison.world
        out = self.comparison.simulate_each(self.problem.silenced(rows), self.windows.segments)
        apart = difference(out, self.windows.measured, world.channels) / self.comparison.scales(self.windows)
        rates = np.concatenate([np.full(c.tangent, bool(c.rate_of)) for c in world.channels])
        return np.asarray(np.nanmean(apart[..., ~rates] ** 2, axis=(1, 2)))

    def distribution(self, centre: Normal, chosen: Candidate) -> Normal:
        """The fitted parameters and the coefficients, which vary as they would from recordings to recordings.

        Their covariance is the sandwich over stretches of recordings. What the ridge holds at 0 because the recordings
        say nothing of it does not vary: it would be a force drawn at random.
        """
        everything = np.ones(len(self.windows), dtype=bool)
        coefficients, used, curvature = self.solve(chosen, everything)
        r = self.residuals + self.slopes @ coefficients
        each = np.einsum("wrf,wr,w->wf", self.slopes[:, :, used], r, self.problem.weights(r, self.scale))
        _, stretch = np.unique(self.problem.stretches, return_inverse=True)
        summed = np.zeros((stretch.max() + 1, each.shape[1]))
        np.add.at(summed, stretch, each)
        inverse = np.linalg.inv(curvature)
        least = np.diag((_LEAST * chosen.strength * self.spread[used]) ** 2)
        covariance = inverse @ summed.T @ summed @ inverse + least
        spread = {t.joint: chosen.strength * float(s) for t, s in zip(self.terms, self.spread, strict=True)}
        kept = [t for t, u in zip(self.terms, used, strict=True) if u]
        space = residual_space(self.world, by_joint(kept), spread)
        joint = np.zeros((len(space), len(space)))
        d = len(centre.space)
        joint[:d, :d], joint[d:, d:] = centre.covariance, (covariance + covariance.T) / 2
        return Normal(space, np.append(centre.mean, coefficients[used]), joint)


def by_joint(terms: Iterable[Term]) -> dict[str, list[str]]:
    """The features of each joint."""
    table: dict[str, list[str]] = {}
    for t in terms:
        table.setdefault(t.joint, []).append(t.feature)
    return table


def accelerating(world: World, fastest: Mapping[str, float]) -> dict[str, float]:
    """The force that brings each joint from rest to its top speed in a second, about, in N or N m."""
    assert isinstance(world, PhysicsWorld)
    return {j: float(world.model.dof_M0[world.dof(j)]) * v for j, v in fastest.items()}


def judge(ridge: Ridge, candidates: Sequence[Candidate]) -> list[Score]:
    """Try each candidate on recordings that its coefficients have not seen, and on faster motion than they have."""
    blocks_, block = np.unique(ridge.recording, return_inverse=True)
    speed = speeds(ridge.world, ridge.windows)
    slower = speed <= np.median(speed)
    none = ridge.errors(np.zeros((len(ridge.windows), len(ridge.terms))))
    scores = []
    for candidate in candidates:
        left_out = np.array([ridge.solve(candidate, block != b)[0] for b in range(len(blocks_))])
        from_slower = np.repeat(ridge.solve(candidate, slower)[0][None], len(block), axis=0)
        held = paired(ridge.errors(left_out[block]), none, block)
        scores.append(Score(*held, *paired(ridge.errors(from_slower)[~slower], none[~slower], block[~slower])))
    return scores


def speeds(world: World, windows: Windows) -> Array:
    """How fast each window gets, (W,), as a part of the largest speed of the joint that is fastest in this sense."""
    at = dict(zip([c.name for c in world.channels], columns(world.channels), strict=True))
    each = np.concatenate([np.nanmax(np.abs(windows.measured[..., at[r]]), axis=1) for r in _rates(world).values()], 1)
    return np.asarray((each / np.maximum(each.max(axis=0), 1e-300)).max(axis=1))


def paired(squared: Array, base: Array, block: NDArray[np.int64]) -> tuple[float, float]:
    """The ratio of two RMSEs from squared errors (W,) of the same windows, and its standard error over blocks.

    A window that diverged with a force but not without one makes the ratio infinite.
    """
    if (~np.isfinite(squared) & np.isfinite(base)).any():
        return np.inf, np.inf
    known = np.isfinite(base)
    a, b = (np.asarray(np.bincount(block[known], x[known]), dtype=float) for x in (squared, base))
    if not b.sum() > 0:  # nothing is left to explain
        return 1.0, 0.0
    ratio = float(a.sum()) / float(b.sum())
    count = len(np.unique(block[known]))
    # of the ratio of two sums; by the chain rule of its root
    error = np.sqrt(count / max(count - 1, 1) * ((a - ratio * b) ** 2).sum()) / b.sum()
    return float(np.sqrt(ratio)), float(error / (2 * np.sqrt(ratio)))


def choose(candidates: Sequence[Candidate], scores: Sequence[Score]) -> Candidate | None:
    """The weakest of the candidates that help within one standard error of the best; None where none does."""
    good = [
        (s, c)
        for c, s in zip(candidates, scores, strict=True)
        if s.ratio <= min(_WORTH, 1 - 2 * s.error) and s.ratio_faster - s.error_faster <= 1
    ]
    if not good:
        return None
    best = min((s for s, _ in good), key=lambda s: s.ratio)
    near = [(c.strength, c.group == "all", s.ratio, c) for s, c in good if s.ratio <= best.ratio + best.error]
    return min(near, key=lambda x: x[:3])[3]
