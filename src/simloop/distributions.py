"""Distributions over a parameter space: what is drawn when a world is randomised.

    wide = Uniform(space, low, high)                    # log-uniform for parameters with a log scale
    fit = Normal(space, mean, covariance)               # full covariance in the parameters' scale, truncated
    rows = fit.sample(100, stream(0, "draws"))          # (100, d), physical units, inside the bounds

`log_prob` is the density of what is really sampled, in physical units: the truncation's normalising constant and
the Jacobian of log scales are in it. A distribution knows the hash of its content, which names its version.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from simloop.errors import InputError, unknown
from simloop.parameters import Array, ParameterSpace

_FILE = "distribution.json"


class Distribution(ABC):
    """A probability distribution over the rows of a parameter space."""

    kind: ClassVar[str]
    has_density: ClassVar[bool] = True

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n rows, (n, d), in physical units and inside the space's bounds."""

    @property
    @abstractmethod
    def mean(self) -> Array:
        """The central parameters, (d,), physical units: the mean in each parameter's own scale."""

    @abstractmethod
    def _content(self) -> dict[str, Any]:
        """What `to_dict` stores beside the kind and the space."""

    def log_prob(self, rows: ArrayLike) -> Array:
        """Return the log density of rows (n, d) in physical units, (n,); -inf outside the support."""
        raise InputError(f"a {self.kind} distribution has no density")

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "space": self.space.to_dict(), **self._content()}

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of the content: equal content, equal hash."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @staticmethod
    def from_dict(record: Any, *, source: str = "distribution") -> Distribution:
        """Build the distribution that `to_dict` described; `source` names it in errors."""
        kinds: dict[str, type[Distribution]] = {
            c.kind: c for c in (Point, Uniform, Normal, Empirical, Mixture, Product, Beta)
        }
        if not isinstance(record, dict) or "kind" not in record:
            raise InputError(f"{source}: expected an object with 'kind', 'space' and the values of that kind")
        if record["kind"] not in kinds:
            raise unknown(f"kind of distribution in {source}:", str(record["kind"]), kinds)
        values = {k: v for k, v in record.items() if k not in ("kind", "space")}
        try:
            return kinds[record["kind"]](ParameterSpace.from_dict(record.get("space")), **values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        except (TypeError, ValueError):
            raise InputError(f"{source}: not the fields of a {record['kind']} distribution") from None

    @classmethod
    def load(cls, path: str | Path) -> Distribution:
        """Read a distribution from its JSON file, or from the folder of the run that fitted it."""
        file = Path(path)
        file = file / _FILE if file.is_dir() else file
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"{path}: no distribution here (expected a run's folder or a JSON file)") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: cannot be read as a distribution: {error}") from None
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{file}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
        return cls.from_dict(record, source=str(file))


class Point(Distribution):
    """All mass on one row."""

    kind = "point"
    has_density = False

    def __init__(self, space: ParameterSpace, value: ArrayLike | None = None) -> None:
        super().__init__(space)
        self.value = space.check(space.default if value is None else value)[0]

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        rows: Array = np.repeat(self.value[None], n, axis=0)
        return rows

    @property
    def mean(self) -> Array:
        return self.value

    def _content(self) -> dict[str, Any]:
        return {"value": self.value.tolist()}


class Uniform(Distribution):
    """Uniform between two rows, in each parameter's scale: log-uniform where the scale is log.

    Whole-number parameters are uniform over the whole numbers of their range, both ends included.
    """

    kind = "uniform"

    def __init__(self, space: ParameterSpace, low: ArrayLike, high: ArrayLike) -> None:
        super().__init__(space)
        self.low, self.high = space.check(low)[0], space.check(high)[0]
        if (self.low >= self.high).any():
            j = int(np.argmax(self.low >= self.high))
            raise InputError(
                f"parameter {space.names[j]!r}: uniform low {self.low[j]:g} must be below high {self.high[j]:g}"
            )

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        a, b = self._ends
        u = rng.random((n, len(self.space)))
        rows, whole = self.space.from_scale(a + (b - a) * u), self.space.discrete
        low, high = self.low[whole], self.high[whole]
        rows[:, whole] = np.floor(low + u[:, whole] * (high - low + 1))
        return np.minimum(np.maximum(rows, self.low), self.high)

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        """(d,) and (d,) the two rows in the parameters' scale."""
        return self.space.to_scale(self.low), self.space.to_scale(self.high)

    @property
    def mean(self) -> Array:
        middle = self.space.from_scale((self.space.to_scale(self.low) + self.space.to_scale(self.high)) / 2)
        return self.space.round(middle)

    def log_prob(self, rows: ArrayLike) -> Array:
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        width = self.space.to_scale(self.high) - self.space.to_scale(self.low)
        width = np.where(self.space.discrete, self.high - self.low + 1, width)
        inside = np.all((x >= self.low) & (x <= self.high), axis=1)
        density = -np.log(width).sum() - _log_jacobian(self.space, x)
        masked: Array = np.where(inside, density, -np.inf)
        return masked

    def _content(self) -> dict[str, Any]:
        return {"low": self.low.tolist(), "high": self.high.tolist()}


class Normal(Distribution):
    """Gaussian in the parameters' scale with full covariance, truncated to the space's bounds.

    Args:
        space: the parameter space.
        mean: (d,) the centre, in physical units.
        covariance: (d, d) in the parameters' scale (log units squared for log parameters); positive definite.

    Sampling is by rejection, so it is exact: what lies outside the bounds is drawn again, not clamped.
    """

    kind = "normal"

    def __init__(self, space: ParameterSpace, mean: ArrayLike, covariance: ArrayLike) -> None:
        super().__init__(space)
        self._mean = space.check(mean)[0]
        self.covariance = np.asarray(covariance, dtype=float)
        d = len(space)
        if self.covariance.shape != (d, d):
            raise InputError(f"covariance must have shape ({d}, {d}), got {self.covariance.shape}")
        if not np.isfinite(self.covariance).all():
            raise InputError("covariance has entries that are not finite")
        sd = np.sqrt(np.abs(np.diag(self.covariance)))
        if not np.allclose(self.covariance, self.covariance.T, atol=1e-9 * float((sd[:, None] * sd).max())):
            raise InputError("covariance is not symmetric")
        try:
            # of the correlations, so that parameters of very different spreads are judged alike
            with np.errstate(invalid="ignore", divide="ignore"):
                self._root = np.linalg.cholesky(self.covariance / (sd[:, None] * sd)) * sd[:, None]
        except (np.linalg.LinAlgError, FloatingPointError):
            raise InputError(self._not_positive_definite()) from None
        if not np.isfinite(self._root).all():
            raise InputError(self._not_positive_definite())

    @classmethod
    def independent(cls, space: ParameterSpace, mean: ArrayLike, spread: ArrayLike) -> Normal:
        """A Normal without correlations; `spread` (d,) is the standard deviation in the parameters' scale."""
        return cls(space, mean, np.diag(np.broadcast_to(np.asarray(spread, dtype=float), len(space)) ** 2))

    def _not_positive_definite(self) -> str:
        values, vectors = np.linalg.eigh((self.covariance + self.covariance.T) / 2)
        j = int(np.abs(vectors[:, 0]).argmax())
        return (
            f"covariance is not positive definite: its smallest eigenvalue is {values[0]:.3g}, mostly along"
            f" parameter {self.space.names[j]!r}"
        )

    @property
    def mean(self) -> Array:
        return self._mean

    @property
    def spread(self) -> Array:
        """Standard deviations in the parameters' scale, before truncation, (d,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Array:
        """(d, d) correlations in the parameters' scale."""
        return np.asarray(self.covariance / (self.spread[:, None] * self.spread))

    @cached_property
    def _box(self) -> tuple[Array, Array]:
        return self.space.to_scale(self.space.low), self.space.to_scale(self.space.high)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        centre, (low, high) = self.space.to_scale(self._mean), self._box
        rows, need, tried = np.empty((n, len(self.space))), n, 0
        while need:
            z = centre + rng.standard_normal((max(need, 16), len(self.space))) @ self._root.T
            good = z[((z >= low) & (z <= high)).all(axis=1)][:need]
            rows[n - need : n - need + len(good)] = good
            need -= len(good)
            tried += 1
            if tried == 10_000 and need:
                raise InputError(
                    "almost nothing of this normal distribution lies inside the parameters' bounds: widen the bounds"
                    " or narrow the covariance"
                )
        return self.space.round(self.space.from_scale(rows))

    @cached_property
    def _log_inside(self) -> float:
        """Log probability that the untruncated Gaussian falls inside the bounds."""
        from scipy import stats

        centre, (low, high) = self.space.to_scale(self._mean), self._box
        near = np.flatnonzero((centre - low < 8 * self.spread) | (high - centre < 8 * self.spread))
        if not len(near):
            return 0.0
        cov = self.covariance[np.ix_(near, near)]
        sd = self.spread[near]
        a, b = (low - centre)[near] / sd, (high - centre)[near] / sd
        if np.count_nonzero(cov) == len(near):
            return float(np.log(stats.norm.cdf(b) - stats.norm.cdf(a)).sum())
        joint = stats.multivariate_normal(cov=cov / (sd[:, None] * sd), seed=0, allow_singular=False)
        return float(np.log(joint.cdf(b, lower_limit=a, rng=np.random.default_rng(0))))

    def log_prob(self, rows: ArrayLike) -> Array:
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        inside = np.all((x >= self.space.low) & (x <= self.space.high), axis=1)
        z = self.space.to_scale(np.where(inside[:, None], x, self._mean)) - self.space.to_scale(self._mean)
        white = np.linalg.solve(self._root, z.T)
        density = -0.5 * (white**2).sum(axis=0) - np.log(np.diag(self._root)).sum()
        density -= 0.5 * len(self.space) * np.log(2 * np.pi) + self._log_inside
        density = density - _log_jacobian(self.space, np.where(inside[:, None], x, 1.0))
        masked: Array = np.where(inside, density, -np.inf)
        return masked

    def _content(self) -> dict[str, Any]:
        return {"mean": self._mean.tolist(), "covariance": self.covariance.tolist()}


class Empirical(Distribution):
    """Given rows with weights, drawn with replacement: posterior samples, for example."""

    kind = "empirical"
    has_density = False

    def __init__(self, space: ParameterSpace, rows: ArrayLike, weights: ArrayLike | None = None) -> None:
        super().__init__(space)
        self.rows = space.check(rows)
        self.weights = _weights(np.ones(len(self.rows)) if weights is None else weights, len(self.rows))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        rows: Array = self.rows[rng.choice(len(self.rows), size=n, p=self.weights)]
        return rows

    @property
    def mean(self) -> Array:
        return self.space.from_scale(self.weights @ self.space.to_scale(self.rows))

    def _content(self) -> dict[str, Any]:
        return {"rows": self.rows.tolist(), "weights": self.weights.tolist()}


class Mixture(Distribution):
    """A weighted mixture of distributions over one space: heavy tails, several modes.

    Args:
        space: the parameter space.
        components: distributions over it, or what `to_dict` stores of them.
        weights: (m,) of the components, not negative; scaled to sum to 1.
    """

    kind = "mixture"

    def __init__(self, space: ParameterSpace, components: Sequence[Any], weights: ArrayLike) -> None:
        super().__init__(space)
        self.components = tuple(
            c if isinstance(c, Distribution) else Distribution.from_dict({**c, "space": space.to_dict()})
            for c in components
        )
        if any(c.space != space for c in self.components):
            raise InputError("the components of a mixture must share its parameter space")
        self.weights = _weights(weights, len(self.components))

    @property
    def has_density(self) -> bool:  # type: ignore[override]
        """Whether every component has one."""
        return all(c.has_density for c in self.components)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        chosen = rng.choice(len(self.components), size=n, p=self.weights)
        rows = np.empty((n, len(self.space)))
        for i, component in enumerate(self.components):
            rows[chosen == i] = component.sample(int((chosen == i).sum()), rng)
        return rows

    @property
    def mean(self) -> Array:
        means = self.space.to_scale(np.array([c.mean for c in self.components]))
        return self.space.round(self.space.from_scale(self.weights @ means))

    def log_prob(self, rows: ArrayLike) -> Array:
        from scipy.special import logsumexp

        each = np.array([c.log_prob(rows) for c in self.components])
        with np.errstate(divide="ignore"):
            return np.asarray(logsumexp(each, b=self.weights[:, None], axis=0))

    def _content(self) -> dict[str, Any]:
        return {
            "components": [{"kind": c.kind, **c._content()} for c in self.components],
            "weights": self.weights.tolist(),
        }


class Beta(Distribution):
    """Independent Beta distributions between two rows, in each parameter's scale: uniform where both exponents are 1.

    Args:
        space: the parameter space.
        low, high: (d,) the ends of the support, physical units.
        a, b: (d,) the exponents, above 0.
    """

    kind = "beta"

    def __init__(self, space: ParameterSpace, low: ArrayLike, high: ArrayLike, a: ArrayLike, b: ArrayLike) -> None:
        super().__init__(space)
        self.support = Uniform(space, low, high)
        if space.discrete.any():
            raise InputError("a beta distribution is over continuous parameters")
        self.a, self.b = (np.broadcast_to(np.asarray(x, dtype=float), len(space)).copy() for x in (a, b))
        if not ((self.a > 0) & (self.b > 0)).all():
            raise InputError("the exponents of a beta distribution must be above 0")

    @property
    def _ends(self) -> tuple[Array, Array]:
        return self.space.to_scale(self.support.low), self.space.to_scale(self.support.high)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        low, high = self._ends
        z = low + rng.beta(self.a, self.b, (n, len(self.space))) * (high - low)
        return np.clip(self.space.from_scale(z), self.support.low, self.support.high)

    @property
    def mean(self) -> Array:
        low, high = self._ends
        return self.space.from_scale(low + self.a / (self.a + self.b) * (high - low))

    def log_prob(self, rows: ArrayLike) -> Array:
        from scipy.stats import beta

        x = np.atleast_2d(np.asarray(rows, dtype=float))
        low, high = self._ends
        u = self._fraction(x)
        inside = ((x >= self.support.low) & (x <= self.support.high)).all(axis=1)
        density = (beta.logpdf(u, self.a, self.b) - np.log(high - low)).sum(axis=1) - _log_jacobian(self.space, x)
        return np.where(inside, density, -np.inf)

    def fractions(self, rows: Array) -> Array:
        """Logarithms of the fractions of the support below and above rows (n, d): (2, n, d)."""
        u = np.clip(self._fraction(rows), 1e-12, 1 - 1e-12)
        return np.stack([np.log(u), np.log1p(-u)])

    def _fraction(self, rows: Array) -> Array:
        low, high = self._ends
        inside = np.clip(rows, self.support.low, self.support.high)
        return np.asarray((self.space.to_scale(inside) - low) / (high - low))

    def _content(self) -> dict[str, Any]:
        return {"low": self.support.low.tolist(), "high": self.support.high.tolist(),
                "a": self.a.tolist(), "b": self.b.tolist()}  # fmt: skip


class Product(Distribution):
    """Independent distributions over parts of a space, side by side: a fit, and by hand what it says nothing about.

    Args:
        space: the parameters of all parts, in any order; None to take them as the parts have them.
        parts: distributions, or what `to_dict` stores of them.
    """

    kind = "product"

    def __init__(self, space: ParameterSpace | None, parts: Sequence[Any]) -> None:
        self.parts = tuple(p if isinstance(p, Distribution) else Distribution.from_dict(p) for p in parts)
        joined = ParameterSpace([q for p in self.parts for q in p.space])
        space = joined if space is None else space
        if sorted(space.names) != sorted(joined.names) or any(joined[p.name] != p for p in space):
            raise InputError(
                f"the parts of a product are over {', '.join(joined.names)}, its space is {', '.join(space.names)}"
            )
        super().__init__(space)
        #: of each parameter of the space, its column where the parts stand side by side
        self._columns = [joined.index(name) for name in space.names]

    @property
    def has_density(self) -> bool:  # type: ignore[override]
        """Whether every part has one."""
        return all(p.has_density for p in self.parts)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        return np.concatenate([p.sample(n, rng) for p in self.parts], axis=1)[:, self._columns]

    @property
    def mean(self) -> Array:
        return np.concatenate([p.mean for p in self.parts])[self._columns]

    def log_prob(self, rows: ArrayLike) -> Array:
        x = np.atleast_2d(np.asarray(rows, dtype=float))[:, np.argsort(self._columns)]
        ends = np.cumsum([len(p.space) for p in self.parts])[:-1]
        return np.asarray(sum(p.log_prob(r) for p, r in zip(self.parts, np.split(x, ends, axis=1), strict=True)))

    def _content(self) -> dict[str, Any]:
        return {"parts": [p.to_dict() for p in self.parts]}


def _weights(weights: ArrayLike, count: int) -> Array:
    """Return weights (count,) scaled to sum to 1, or raise."""
    w = np.asarray(weights, dtype=float)
    if w.shape != (count,) or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise InputError(f"weights must be {count} finite numbers of at least 0, not all of them 0")
    # weights that sum to 1 already are kept to the last bit, so that what is read back has the hash of what was stored
    return np.asarray(w if abs(w.sum() - 1) < 1e-12 * count else w / w.sum())


def _log_jacobian(space: ParameterSpace, x: Array) -> Array:
    """Sum of log dx/dz over the log parameters of rows x, (n,)."""
    return np.asarray(np.where(space.log, np.log(np.where(space.log & (x > 0), x, 1.0)), 0.0).sum(axis=1))
