"""The contract of a measure: an ensemble of simulations beside reality in, one number with an interval out.

A measure is a frozen record with a `name`, a one-line `summary` and `measure(ensemble, seed=)`; lower is nearer. A new
one is one file here and one line in `gap/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from simloop.gap.bootstrap import bootstrap_weights, paired_ratio, percentile_interval, weighted_mean
from simloop.gap.ensemble import Ensemble
from simloop.gap.gap import Interval
from simloop.parameters import Array


@dataclass(frozen=True)
class ChannelValue:
    """A measure of one channel alone; `extra` holds what only this measure knows, JSON-able."""

    channel: str
    unit: str
    value: float
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a measure found.

    Attributes:
        name: the measure's.
        value: lower is nearer, in `unit`.
        interval: 95 % bootstrap interval.
        parts: by channel.
        windows, diverged, draws: compared; simulations that blew up and were left out; drawn for each window.
        verdict: the finding in a sentence.
        extra: further numbers, JSON-able.
        ratio, ratio_interval: `value` divided by that of the default parameters, paired, where scores can be.
    """

    name: str
    value: float
    interval: Interval
    unit: str
    parts: tuple[ChannelValue, ...]
    windows: int
    diverged: int
    draws: int
    verdict: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    ratio: float | None = None
    ratio_interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Measured:
        intervals = {k: tuple(v) for k, v in record.items() if k.endswith("interval") and v is not None}
        return cls(**{**record, **intervals, "parts": tuple(ChannelValue(**p) for p in record["parts"])})


class Measure(Protocol):
    """A distance between an ensemble and reality.

    Attributes:
        name, summary: what it is called, and says.
        instants: at how many instants of a window it looks; 0 for every control step.
        least_draws: draws of a distribution that it needs; 1 where one simulation will do.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    instants: ClassVar[int]
    least_draws: ClassVar[int]

    def measure(self, ensemble: Ensemble, *, seed: int = 0) -> Measured:
        """Measure an ensemble; `seed` is of the bootstrap, of permutations and of tied ranks."""
        ...


@runtime_checkable
class Scored(Protocol):
    """A measure that is a mean of scores of single windows, so that two ensembles can be compared window by window."""

    def scores(self, ensemble: Ensemble) -> Array:
        """Scores (n,) of the windows; NaN where nothing could be compared."""
        ...


def from_scores(
    name: str, ensemble: Ensemble, scores: Array, parts: tuple[ChannelValue, ...], unit: str, *, seed: int
) -> Measured:
    """The mean of scores (n,) with its bootstrap interval, as a `Measured`."""
    means = weighted_mean(scores, bootstrap_weights(ensemble.file, seed))
    return Measured(
        name=name,
        value=float(means[0]),
        interval=percentile_interval(means[1:]),
        unit=unit,
        parts=parts,
        windows=int(np.isfinite(scores).sum()),
        diverged=ensemble.diverged,
        draws=ensemble.draws,
    )


def measure_arms(
    measure: Measure, ensembles: Mapping[str, Ensemble], *, reference: str = "default", seed: int = 0
) -> dict[str, Measured]:
    """Measure several ensembles of the same windows; scores are also given as paired ratios to `reference`.

    Ensembles with fewer draws than the measure needs are left out.
    """
    found = {name: measure.measure(e, seed=seed) for name, e in ensembles.items() if e.draws >= measure.least_draws}
    if not isinstance(measure, Scored) or reference not in found:
        return found
    base = measure.scores(ensembles[reference])
    for name in found:
        if name != reference:
            e = ensembles[name]
            ratio, interval = paired_ratio(measure.scores(e), base, e.file, seed=seed)
            found[name] = replace(found[name], ratio=ratio, ratio_interval=interval)
    return found
