"""Hierarchical fit: how much reality itself varies, so that the fitted randomisation covers it as often as it says.

    fit = get_method("hierarchical").fit(Comparison(world, target), world.distribution("prior"))
    fit.distribution        # over the world's parameters and the spreads start.*, push.*, noise.*

Each window w of the recordings has parameters of its own, an error of its own in its start, a constant disturbance of
its own, and noise on what is observed (a random-effects model; Laird and Ware, Biometrics 38, 1982):

    theta_w ~ N(mu, tau_w^2 Sigma)    start_w ~ N(0, tau_w^2 S^2)    push_w ~ N(0, tau_w^2 P^2)    1/tau_w^2 ~ Gamma

1. mu comes from least squares. Linearised there, the error of the simulation at instant k of window w is
       r_wk = J_wk (theta_w - mu) + B_wk start_w + D_wk push_w + noise,    C_wk = J Sigma J' + B S^2 B' + D P^2 D' + R^2
2. Sigma, S, P, R maximise the composite marginal likelihood sum_wk log t_nu(r_wk; C_wk) (Varin, Reid and Firth,
   Statistica Sinica 21, 2011): each instant by itself, so that the spread is right at short and at long horizons alike,
   whatever the errors inside a window have to do with one another. The t comes from tau: windows differ in how wrong
   they are.
3. Errors are those of a fit that has not seen the recording: r_wk is taken at the mu that all other recordings give
   (one Gauss-Newton step), so that the spread holds for recordings to come.
4. Tails are heavy (nu = 3) and parameters vary each for itself, unless the likelihood of recordings left out is
   clearly better with lighter tails, or with a full Sigma.
5. What was linearised is tried in simulation: all spreads are scaled by the factor with which the bands of simulated
   draws hold the recordings as often as they say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.cem import CrossEntropy
from simloop.adapt.comparison import Comparison
from simloop.adapt.least_squares import LeastSquares, Problem, robust_spread
from simloop.adapt.random_effects import Effects, Spreads, fit_spreads, held_out
from simloop.distributions import Distribution, Mixture, Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.windows import Windows
from simloop.trajectories import Channel, difference, tangents
from simloop.worlds.uncertain import NOISE, PUSH, START, displaced_state, uncertain_space
from simloop.worlds.world import Segments, World

#: finite-difference steps: of a parameter in its prior's spread, of a start and of a push in their units
_STEP, _NUDGE = 0.02, 0.05
#: degrees of freedom of tau that are tried: heavy tails, moderate ones, none
_TAILS = (3.0, 6.0, np.inf)
#: the distribution of tau is stored as this many equally likely values
_NODES = 15
#: spread of what does not vary, and of the spreads themselves, in units of the prior's spread and in log units
_NOTHING, _KNOWN = 1e-3, 1e-2
#: gain in log density of an instant from which on a richer description is worth it: recordings of one kind can agree
#: on small gains that do not hold for another kind
_MATTERS = 0.05
#: the largest value of a spread, in its unit
_LARGEST = 1e3
#: recordings are cut into this many stretches where there are fewer than that
_LEAST_RECORDINGS = 4
#: windows, draws for each, and factors that the spreads are tried at in simulation
_TRIED_WINDOWS, _TRIED_DRAWS, _FACTORS = 160, 20, (1.0, 0.8, 0.9, 1.1, 1.25)


@dataclass(frozen=True)
class Hierarchical(Method):
    """Random effects of windows, by composite marginal likelihood.

    Attributes:
        horizon: s, length of the windows whose errors are explained; shortened to what the recordings hold.
        stride: from one window to the next, in windows.
        instants: at most so many of a window are compared, evenly spaced in the logarithm of time.
        mean: how the centre is found: by `least-squares`, or by `cem` where contacts make slopes meaningless.
        refine: whether the spreads are tried in simulation.
    """

    name: ClassVar[str] = "hierarchical"

    horizon: float = 0.5
    stride: float = 0.5
    instants: int = 12
    mean: Literal["least-squares", "cem"] = "least-squares"
    refine: bool = True

    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Distribution, dict[str, Any]]:
        windows = comparison.cuts((self.horizon,), stride=self.stride)[0]
        self._set_aside(comparison, windows, books)
        centre, diagnostics = self._centre(comparison, prior, books)
        # what is only the spread of noise is among the spreads that are fitted here: it is left at its least
        centre = np.asarray(np.where([p.stochastic for p in prior.space], prior.space.low, centre))
        z = prior.space.to_scale(centre)
        units = Units.of(comparison, windows)
        books.save("hierarchical: what moves the windows", 1.0)
        effects = linearise(comparison, windows, prior, centre, units, self.instants)
        effects, units = without_idle(effects, units)
        steps = left_out_steps(comparison, prior, z)[blocks(comparison, windows)]
        moved = np.einsum("ncd,nd->nc", effects.slopes, (steps / prior.spread)[effects.window])
        effects = replace(effects, residuals=effects.residuals + moved)
        books.save("hierarchical: how much reality varies", 1.0)
        spreads, choice = choose(effects, blocks(comparison, windows))
        factor = 1.0
        if self.refine:
            books.save("hierarchical: the spreads in simulation", 1.0)
            spreads, factor = refine(comparison, windows, prior, z + steps, units, spreads, books.seed)
        return mixture(comparison.world, prior, centre, units, spreads), {
            **diagnostics,
            **choice,
            "tail": None if np.isinf(spreads.tail) else spreads.tail,
            "variation over prior spread": dict(
                zip(prior.space.names, np.linalg.norm(spreads.root, axis=1).tolist(), strict=True)
            ),
            "spreads": dict(zip(units.names, (spreads.errors * units.sizes).tolist(), strict=True)),
            "factor found in simulation": factor,
            "windows": len(windows),
        }

    def _set_aside(self, comparison: Comparison, windows: Windows, books: Books) -> None:
        """Keep back the part of the budget that is not for finding the centre."""
        world = comparison.world
        d, s = len(world.parameters), windows.segments.state.shape[1]
        left_out = sum(map(len, comparison.cuts(LeastSquares.horizons, stride=LeastSquares.stride))) * (1 + d + s)
        slopes = len(windows) * (1 + 2 * (d + sum(c.tangent for c in world.channels) + len(world.actions)))
        tried = len(_FACTORS) * min(_TRIED_WINDOWS, len(windows)) * _TRIED_DRAWS if self.refine else 0
        own = slopes + left_out + tried
        if books.budget is not None:
            if books.budget <= own:
                raise InputError(
                    f"hierarchical: simulates {own} windows after it has found its centre, no fewer than the budget of"
                    f" {books.budget}; give a larger budget, or refine=false or a larger stride"
                )
            books.budget -= own

    def _centre(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Array, dict[str, Any]]:
        """The parameters that the windows vary around, (d,)."""
        if self.mean == "least-squares":
            fit, diagnostics = LeastSquares().adapt(comparison, prior, books)
            return fit.mean, diagnostics
        start = comparison.world.distributions()[CrossEntropy.starts_from]
        assert isinstance(start, Normal)
        return CrossEntropy().adapt(comparison, start, books)[0].mean, {}


@dataclass(frozen=True, eq=False)
class Units:
    """The causes beside parameters, each with a unit that makes it of order one.

    Attributes:
        names: start.*, push.* and noise.*.
        sizes: (q,) in the channels' units: what `Comparison.scales` tolerates of an observed channel, a tenth of the
            root mean square of an action.
        scales: (C,) of the measured channels' columns.
    """

    names: tuple[str, ...]
    sizes: Array
    scales: Array

    @classmethod
    def of(cls, comparison: Comparison, windows: Windows) -> Units:
        world = comparison.world
        scales, columns = comparison.scales(windows), tangents(world.channels)
        size = {c.name: float(scales[at].mean()) for c, at in zip(world.channels, columns, strict=True)}
        names = [START + c.name for c in world.channels if displaces(world, windows, c)]
        sizes = [size[n.removeprefix(START)] for n in names]
        strength = np.sqrt((windows.segments.actions**2).mean(axis=(0, 1))) / 10
        pushed = [(PUSH + a.name, s) for a, s in zip(world.actions, strength, strict=True) if s > 0]
        names += [n for n, _ in pushed] + [NOISE + c.name for c in world.measured]
        sizes += [float(s) for _, s in pushed] + [size[c.name] for c in world.measured]
        return cls(tuple(names), np.array(sizes), scales[: columns[len(world.measured) - 1].stop])


def displaces(world: World, windows: Windows, channel: Channel) -> bool:
    """Whether a state holds a channel, so that its start can be wrong."""
    by = np.zeros((1, sum(c.tangent for c in world.channels)))
    by[:, tangents(world.channels)[world.channels.index(channel)]] = 1.0
    state = windows.segments.state[:1]
    return bool((displaced_state(world, state, by) != state).any())


def linearise(
    comparison: Comparison, windows: Windows, prior: Normal, centre: Array, units: Units, instants: int
) -> Effects:
    """Errors of windows simulated under `centre` (d,), and what each cause does to them, by central differences."""
    world, segments = comparison.world, windows.segments
    count, width = len(windows), len(units.scales)
    at = log_spaced(len(segments.recorded), instants)
    measured = windows.measured[:, at]

    def errors(rows: Array, parts: Segments) -> Array:
        """(m W) simulations as errors (m, W, K, C)."""
        out = comparison.simulate_each(rows, parts)[:, at].reshape(-1, *measured.shape)
        return np.asarray(difference(out, measured[None], world.channels)[..., :width] / units.scales)

    def slope(rows: Array, parts: Segments, apart: Array | float) -> Array:
        """Difference of the first and the second half of simulations, over how far they are apart: (W, K, C, m)."""
        e = errors(rows, parts)
        return np.asarray(np.moveaxis(e[: len(e) // 2] - e[len(e) // 2 :], 0, -1) / apart)

    def repeated(times: int) -> Segments:
        return segments.take(np.tile(np.arange(count), times))

    z, space = prior.space.to_scale(centre), prior.space
    moves = np.diag(np.where([p.stochastic for p in space], 0.0, _STEP * prior.spread))
    rows = np.clip(space.from_scale(np.concatenate([z + moves, z - moves])), space.low, space.high)
    apart = np.diag(space.to_scale(rows[: len(z)]) - space.to_scale(rows[len(z) :])) / prior.spread  # less at a bound
    slopes = slope(np.repeat(rows, count, axis=0), repeated(len(rows)), np.where(apart > 0, apart, 1.0))
    columns, group = [], []
    for j, (name, size) in enumerate(zip(units.names, units.sizes, strict=True)):
        kind = name.split(".")[0] + "."
        own = {c.name: at for c, at in zip(world.channels, tangents(world.channels), strict=True)}
        if kind == START:
            here = own[name.removeprefix(START)]
            by = np.zeros((here.stop - here.start, sum(c.tangent for c in world.channels)))
            by[np.arange(len(by)), np.arange(here.start, here.stop)] = _NUDGE * size
            by = np.repeat(np.concatenate([by, -by]), count, axis=0)
            parts = repeated(len(by) // count)
            moved = replace(parts, state=displaced_state(world, parts.state, by))
        elif kind == PUSH:
            push = np.zeros((2 * count, len(world.actions)))
            push[:, [a.name for a in world.actions].index(name.removeprefix(PUSH))] = _NUDGE * size
            push[count:] *= -1
            moved = replace(repeated(2), push=push)
        else:
            here = own[name.removeprefix(NOISE)]
            eye = np.eye(width)[:, here] * (size / units.scales)[:, None]
            columns.append(np.broadcast_to(eye, (*measured.shape[:2], *eye.shape)))
            group += [j] * eye.shape[1]
            continue
        columns.append(slope(np.repeat(centre[None], len(moved), axis=0), moved, 2 * _NUDGE))
        group += [j] * columns[-1].shape[-1]
    r = errors(np.repeat(centre[None], count, axis=0), segments)[0]
    e = np.concatenate(columns, axis=-1)
    known = np.isfinite(r).all(axis=2) & np.isfinite(slopes).all(axis=(2, 3)) & np.isfinite(e).all(axis=(2, 3))
    return Effects(r[known], slopes[known], e[known], np.array(group), np.nonzero(known)[0])


def without_idle(effects: Effects, units: Units) -> tuple[Effects, Units]:
    """Leave out the causes that do nothing, which no data could find."""
    acts = np.zeros(len(units.names), dtype=bool)
    np.logical_or.at(acts, effects.group, (effects.errors != 0).any(axis=(0, 1)))
    columns = acts[effects.group]
    effects = replace(effects, errors=effects.errors[..., columns], group=(np.cumsum(acts) - 1)[effects.group[columns]])
    names = tuple(n for n, a in zip(units.names, acts, strict=True) if a)
    return effects, Units(names, units.sizes[acts], units.scales)


def log_spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` numbers from 0, evenly spaced in the logarithm, the last one included."""
    return np.unique(np.geomspace(1, count, most).round().astype(np.int64)) - 1


def blocks(comparison: Comparison, windows: Windows) -> NDArray[np.int64]:
    """The recording that each window belongs to, (W,); a stretch of it where there are few recordings."""
    recording, start = windows.segments.recording, windows.segments.start
    if len(windows.files) >= _LEAST_RECORDINGS:
        return windows.file
    if len(comparison.replay.length) >= _LEAST_RECORDINGS:
        return recording
    return recording * _LEAST_RECORDINGS + start * _LEAST_RECORDINGS // comparison.replay.length[recording]


def left_out_steps(comparison: Comparison, prior: Normal, z: Array) -> Array:
    """How far the centre z (d,) moves if a block is left out of the fit, by one Gauss-Newton step: (blocks, d)."""
    ls = LeastSquares()
    problem = Problem(comparison, comparison.cuts(ls.horizons, stride=ls.stride), prior, ls.tail)
    linear = [problem.linearise(z, w) for w in problem.groups]
    scale = robust_spread(np.concatenate([np.linalg.norm(r, axis=1) for r, _, _ in linear]))
    A, _, gradients = problem.normal_equations(linear, scale, z)
    labels = [blocks(comparison, w) for w in problem.groups]
    steps = np.zeros((1 + max(int(x.max()) for x in labels), len(z)))
    for b in np.unique(np.concatenate(labels)):
        own = [(r[x == b], J[x == b], w) for (r, J, w), x in zip(linear, labels, strict=True)]
        inside = problem.normal_equations(own, scale, z)[0] - problem.precision
        steps[b] = np.linalg.solve(A - inside, gradients[np.concatenate(labels) == b].sum(axis=0))
    return np.clip(z + steps, problem.low, problem.high) - z


def choose(effects: Effects, labels: NDArray[np.int64]) -> tuple[Spreads, dict[str, Any]]:
    """Fit the spreads, with lighter tails and with correlations only where recordings left out ask for them."""
    spreads = fit_spreads(effects, tail=_TAILS[0])
    scores = {tail: held_out(effects, labels, tail=tail, start=spreads) for tail in _TAILS}
    tail = max(scores, key=lambda t: float(scores[t].mean()))
    if not clearly_better(scores[tail], scores[_TAILS[0]]):
        tail = _TAILS[0]
    if tail != spreads.tail:
        spreads = fit_spreads(effects, tail=tail, start=spreads)
    together = held_out(effects, labels, tail=tail, correlated=True, start=spreads)
    if clearly_better(together, scores[tail]):
        spreads = fit_spreads(effects, tail=tail, correlated=True, start=spreads)
    return spreads, {
        "log likelihood of left-out recordings": {f"tail {t:g}": float(s.mean()) for t, s in scores.items()}
        | {"with correlations": float(together.mean())}
    }


def clearly_better(a: Array, b: Array) -> bool:
    """Whether recordings' scores a are above b by more than chance (two standard errors), and by what matters."""
    gain = a - b
    return bool(gain.mean() > max(_MATTERS, 2 * gain.std(ddof=1) / np.sqrt(len(gain))))


def mixture(world: World, prior: Normal, centre: Array, units: Units, spreads: Spreads) -> Distribution:
    """The distribution over parameters and spreads, around `centre` (d,): one Normal for each value of tau."""
    space = uncertain_space(world, dict(zip(units.names, _LARGEST * units.sizes, strict=True)))
    d, q = len(prior.space), len(units.names)
    root = prior.spread[:, None] * spreads.root
    errors = np.clip(spreads.errors * units.sizes, space.low[d:], None)
    parts = []
    for tau in scale_nodes(spreads.tail):
        covariance = np.zeros((d + q, d + q))
        covariance[:d, :d] = tau**2 * root @ root.T + np.diag((_NOTHING * prior.spread) ** 2)
        covariance[d:, d:] = _KNOWN**2 * np.eye(q)
        mean = np.concatenate([centre, np.clip(tau * errors, space.low[d:], space.high[d:])])
        parts.append(Normal(space, mean, covariance))
    return parts[0] if len(parts) == 1 else Mixture(space, parts, np.ones(len(parts)))


def scale_nodes(tail: float) -> Array:
    """Equally likely values of tau, 1/tau^2 ~ Gamma(nu/2, nu/2): means of the parts of its distribution."""
    if np.isinf(tail):
        return np.ones(1)
    from scipy.stats import chi2

    p = (np.arange(_NODES * 200) + 0.5) / (_NODES * 200)
    return np.asarray(np.sqrt(tail / chi2.isf(p, tail)).reshape(_NODES, 200).mean(axis=1))


def refine(
    comparison: Comparison, windows: Windows, prior: Normal, z: Array, units: Units, spreads: Spreads, seed: int
) -> tuple[Spreads, float]:
    """Scale all spreads by the factor with which simulated bands around z (W, d) hold reality as often as they say."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, _TRIED_WINDOWS).round().astype(int))
    tried, at = windows.take(chosen), log_spaced(len(windows.segments.recorded), 6)
    segments = tried.segments.take(np.repeat(np.arange(len(tried)), _TRIED_DRAWS))
    world, space, d = comparison.world, prior.space, len(prior.space)
    middle = z.mean(axis=0)
    aside = np.repeat(z[chosen] - middle, _TRIED_DRAWS, axis=0)
    levels = np.array([0.5, 0.8, 0.9])
    ends = np.concatenate([(1 - levels) / 2, (1 + levels) / 2])

    def misses(factor: float) -> float:
        """Mean squared difference of observed and nominal coverage, over instants, channels and levels."""
        scaled = Spreads(spreads.root * factor, spreads.errors * factor, spreads.tail)
        distribution = mixture(world, prior, space.from_scale(middle), units, scaled)
        rows = distribution.sample(len(segments), stream(seed, "hierarchical", "draws"))
        rows[:, :d] = np.clip(space.from_scale(space.to_scale(rows[:, :d]) + aside), space.low, space.high)
        out = comparison.simulate_each(rows, segments, world=world.under(distribution))[:, at]
        out = out.reshape(len(tried), _TRIED_DRAWS, *out.shape[1:])
        e = difference(out, tried.measured[:, None, at], world.channels)[..., : len(units.scales)]
        known = np.asarray(np.isfinite(tried.measured[:, at]).all(axis=2)) & np.asarray(np.isfinite(e).all(axis=3)).any(
            axis=1
        )
        bands = np.nanquantile(np.where(known[:, None, :, None], e, 0.0), ends, axis=1, method="weibull")
        held = (bands[: len(levels)] <= 0) & (bands[len(levels) :] >= 0)
        observed = (held * known[..., None]).sum(axis=1) / np.maximum(known.sum(axis=0), 1)[:, None]
        return float(((observed - levels[:, None, None]) ** 2)[:, known.any(axis=0)].mean())

    found = {factor: misses(factor) for factor in _FACTORS}
    factor = min(found, key=lambda f: found[f])
    if found[factor] > found[1.0] / 2:  # no more than chance can make of so few draws
        factor = 1.0
    return Spreads(spreads.root * factor, spreads.errors * factor, spreads.tail), factor
