"""Curricula without real data: randomise as widely as the policy can bear, and widen as it learns.

    current = curriculum.begin(world)
    for ...:
        policy = train in worlds drawn from current
        current = curriculum.widen(world, current, probe)  # probe(distribution, episodes) -> Score of the policy

`adr`: OpenAI et al., "Solving Rubik's Cube with a Robot Hand" (arXiv 1910.07113), section 5: ranges around the default
whose ends move outwards where the policy does well at them, and inwards where it does badly. Departure: ends are
probed in turn by episodes of their own, not by some of those that are trained on.

`doraemon`: Tiboni, Klink, Peters, Tommasi, D'Eramo, Chalvatzaki, "Domain Randomization via Entropy Maximization"
(arXiv 2311.01885, ICLR 2024): Beta distributions of the largest entropy under which the rate of success, estimated from
episodes of the present one by importance weights, stays above a bound, within a KL divergence of the present one. Where
even the present one is below the bound, the rate of success is maximised instead, as in their section 4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from simloop.distributions import Beta, Distribution, Uniform
from simloop.errors import InputError, unknown
from simloop.learn.evaluate import Score
from simloop.parameters import Array
from simloop.worlds.world import World

#: how a policy does under a distribution, in so many episodes
Probe = Callable[[Distribution, int], Score]


@dataclass(frozen=True)
class Curriculum(ABC):
    """A way to widen a randomisation: options, where it begins, and one step of it."""

    name: ClassVar[str]

    @abstractmethod
    def begin(self, world: World) -> Distribution:
        """Return the first, narrow distribution."""

    @abstractmethod
    def widen(self, world: World, current: Distribution, probe: Probe) -> Distribution:
        """Return the next distribution, after asking how the policy does under the present one."""


def _widest(world: World) -> Uniform:
    """The ranges by hand, which no curriculum leaves."""
    wide = world.distributions().get("wide")
    if not isinstance(wide, Uniform):
        raise InputError(f"world {world.name!r} has no ranges by hand ('wide') for a curriculum to widen to")
    return wide


@dataclass(frozen=True)
class AutomaticRandomisation(Curriculum):
    """Automatic domain randomisation.

    Attributes:
        step: how far an end moves, as a fraction of the widest range.
        high, low: rates of success at an end above which it moves outwards, and below which it moves inwards.
        episodes: that an end is probed in.
    """

    name: ClassVar[str] = "adr"
    step: float = 0.1
    high: float = 0.8
    low: float = 0.4
    episodes: int = 16

    def begin(self, world: World) -> Uniform:
        wide, space = _widest(world), world.parameters
        a, b = space.to_scale(wide.low), space.to_scale(wide.high)
        centre, reach = np.clip(space.to_scale(space.default), a, b), self.step * (b - a)
        low = np.clip(centre - reach / 2, a, b - 0.01 * (b - a))
        high = np.clip(centre + reach / 2, a + 0.01 * (b - a), b)
        return Uniform(space, space.from_scale(low), space.from_scale(high))

    def widen(self, world: World, current: Distribution, probe: Probe) -> Uniform:
        assert isinstance(current, Uniform)
        wide, space = _widest(world), current.space
        ends = np.stack([space.to_scale(current.low), space.to_scale(current.high)])
        most = np.stack([space.to_scale(wide.low), space.to_scale(wide.high)])
        moved = ends.copy()
        for j in range(len(space)):
            for end in range(2):
                rate = probe(_AtEnd(current, j, end), self.episodes).success_rate
                direction = 1.0 if rate >= self.high else -1.0 if rate < self.low else 0.0
                out = 1.0 if end else -1.0
                moved[end, j] += direction * out * self.step * (most[1, j] - most[0, j])
        least = 0.01 * (most[1] - most[0])
        default = np.clip(space.to_scale(space.default), *most)
        moved[0] = np.clip(moved[0], most[0], np.maximum(default - least, most[0]))
        moved[1] = np.clip(moved[1], np.minimum(default + least, most[1]), most[1])
        return Uniform(space, space.from_scale(moved[0]), space.from_scale(moved[1]))


class _AtEnd(Uniform):
    """A uniform distribution with one parameter held at the low (0) or high (1) end of its range."""

    def __init__(self, current: Uniform, parameter: int, end: int) -> None:
        super().__init__(current.space, current.low, current.high)
        self._parameter, self._end = parameter, end

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        rows = super().sample(n, rng)
        rows[:, self._parameter] = (self.low, self.high)[self._end][self._parameter]
        return rows


@dataclass(frozen=True)
class EntropyMaximisation(Curriculum):
    """Domain randomisation via entropy maximisation.

    Attributes:
        success: the rate of success that must be kept (alpha).
        kl: bound on the KL divergence of one step (epsilon).
        concentration: sum of the exponents of the first distribution's Betas.
        episodes: that the rate is estimated from.
    """

    name: ClassVar[str] = "doraemon"
    success: float = 0.5
    kl: float = 1.0
    concentration: float = 200.0
    episodes: int = 500

    def begin(self, world: World) -> Beta:
        wide, space = _widest(world), world.parameters
        a, b = space.to_scale(wide.low), space.to_scale(wide.high)
        centre = np.clip((space.to_scale(space.default) - a) / (b - a), 0.02, 0.98)
        exponents = np.maximum(self.concentration * np.stack([centre, 1 - centre]), 1.0)
        return Beta(space, wide.low, wide.high, *exponents)

    def widen(self, world: World, current: Distribution, probe: Probe) -> Beta:
        assert isinstance(current, Beta)
        score = probe(current, self.episodes)
        rows = score.parameters[:, : len(current.space)]
        return self.step(current, rows, score.success.astype(float))

    def step(self, current: Beta, rows: Array, success: Array) -> Beta:
        """One step from rows (n, d) drawn from `current` and their successes (n,)."""
        from scipy.optimize import minimize
        from scipy.special import digamma

        d, ends = len(current.space), np.array([0.0, np.log(1e4)])  # exponents of at least 1: one mode
        logs = current.fractions(rows)  # logarithms of the fractions of the support, and of what is left: (2, n, d)
        before = _log_density(current.a, current.b, logs)

        def rate(x: Array) -> tuple[float, Array]:
            """Estimated rate of success under exponents exp(x), and its gradient."""
            a, b = np.exp(x[:d]), np.exp(x[d:])
            weighted = np.exp(_log_density(a, b, logs) - before) * success / len(rows)
            slope = np.concatenate([weighted @ logs[0] + weighted.sum() * (digamma(a + b) - digamma(a)),
                                    weighted @ logs[1] + weighted.sum() * (digamma(a + b) - digamma(b))])  # fmt: skip
            return float(weighted.sum()), slope * np.exp(x)

        def candidate(x: Array) -> Beta:
            a, b = np.exp(x[:d]), np.exp(x[d:])
            return Beta(current.space, current.support.low, current.support.high, a, b)

        within: Any = {"type": "ineq", "fun": lambda x: self.kl - kl_divergence(candidate(x), current)}
        kept: Any = {"type": "ineq", "fun": lambda x: rate(x)[0] - self.success, "jac": lambda x: rate(x)[1]}
        start = np.log(np.concatenate([current.a, current.b]))
        feasible = success.mean() >= self.success
        goal: Any = (lambda x: -entropy(candidate(x))) if feasible else (lambda x: -rate(x)[0])
        slope: Any = None if feasible else (lambda x: -rate(x)[1])
        limits: Any = [tuple(ends)] * (2 * d)
        constraints: Any = [within, kept] if feasible else [within]
        found = minimize(goal, start, method="SLSQP", bounds=limits, constraints=constraints,
                         jac=slope, options={"maxiter": 60})  # fmt: skip
        best = candidate(np.clip(found.x, *ends))
        if not np.isfinite(found.x).all() or kl_divergence(best, current) > 1.05 * self.kl:
            return current
        return best


def _log_density(a: Array, b: Array, logs: Array) -> Array:
    """Log density of Betas (d,) at fractions whose logarithms are (2, n, d), in the fractions: (n,)."""
    from scipy.special import betaln

    return np.asarray(logs[0] @ (a - 1) + logs[1] @ (b - 1) - betaln(a, b).sum())


def entropy(distribution: Beta) -> float:
    """Entropy of a Beta distribution's fractions of its support, nats: 0 where uniform, negative elsewhere."""
    from scipy.special import betaln, digamma

    a, b = distribution.a, distribution.b
    total = betaln(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b) + (a + b - 2) * digamma(a + b)
    return float(total.sum())


def kl_divergence(p: Beta, q: Beta) -> float:
    """KL divergence of p from q, which share their support, nats."""
    from scipy.special import betaln, digamma

    total = (
        betaln(q.a, q.b) - betaln(p.a, p.b) + (p.a - q.a) * digamma(p.a) + (p.b - q.b) * digamma(p.b)
        + (q.a - p.a + q.b - p.b) * digamma(p.a + p.b)
    )  # fmt: skip
    return float(total.sum())


CURRICULA: dict[str, type[Curriculum]] = {c.name: c for c in (AutomaticRandomisation, EntropyMaximisation)}


def get_curriculum(name: str) -> Curriculum:
    """Return the curriculum `name` with its default options."""
    if name not in CURRICULA:
        raise unknown("curriculum", name, CURRICULA)
    return CURRICULA[name]()
