"""The contract of a gap: a distance between simulated and real behaviour, with an interval; lower is nearer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

Interval = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """The gap of one measured channel."""

    channel: str
    unit: str
    rmse: float
    median: float
    covered: float | None = None  # share of windows inside the 90 % band of the draws


@dataclass(frozen=True)
class Gap:
    """How far one simulation (or one distribution of simulations) is from the recordings.

    Attributes:
        name: what was simulated ("default", "wide", "persistence", a run).
        value: mean over channels of the root mean squared error, in `unit`.
        interval: 95 % bootstrap interval of `value`.
        median: mean over channels of the median absolute error.
        ratio, median_ratio: `value` and `median` divided by those of the default parameters, paired; None for the
            default itself.
        ratio_interval, median_ratio_interval: their paired 95 % intervals.
        parts: by channel, in the world's order.
        windows, diverged: how many windows were compared, and how many simulations blew up and were left out.
        draws: parameter rows simulated for each window.
    """

    name: str
    value: float
    interval: Interval
    unit: str
    median: float
    parts: tuple[Part, ...]
    windows: int
    diverged: int
    draws: int = 1
    ratio: float | None = None
    ratio_interval: Interval | None = None
    median_ratio: float | None = None
    median_ratio_interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Gap:
        intervals = {k: tuple(v) for k, v in record.items() if k.endswith("interval") and v is not None}
        return cls(**{**record, **intervals, "parts": tuple(Part(**p) for p in record["parts"])})

    @property
    def told_apart(self) -> bool:
        """Whether this gap differs from the default's beyond chance (95 %)."""
        if self.ratio_interval is None or not all(map(math.isfinite, self.ratio_interval)):
            return False
        return not self.ratio_interval[0] <= 1 <= self.ratio_interval[1]


def quantity(value: float, unit: str) -> str:
    """A value with its unit as people say it: radians in degrees."""
    if not math.isfinite(value):
        return "an unknown amount (every simulation diverged)"
    if unit == "rad":
        return f"{math.degrees(value):.3g}°" if abs(value) >= math.radians(10) else f"{math.degrees(value):.2g}°"
    if unit == "m" and abs(value) < 0.1:
        return f"{1000 * value:.2g} mm"
    return f"{value:.3g} {unit}".rstrip()
