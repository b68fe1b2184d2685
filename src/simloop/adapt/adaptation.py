"""The contract of an adaptation: real data in, a better distribution over a world's parameters out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from simloop.adapt.comparison import Comparison
from simloop.distributions import Distribution, Normal
from simloop.runs import Checkpoint

#: told what is being done and which fraction of it is done
Progress = Callable[[str, float], None]


def silent(_message: str, _fraction: float) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Adaptation:
    """What a method made of a comparison.

    Attributes:
        method: its name.
        distribution: the fitted distribution.
        history: one record for each iteration, JSON-able.
        diagnostics: what the method found out on the way, JSON-able.
        rollouts: windows simulated.
        simulated_seconds: s of simulated time, all windows together.
        wall_seconds: s that it took, over all the processes that worked on it.
    """

    method: str
    distribution: Distribution
    history: list[dict[str, Any]]
    diagnostics: dict[str, Any] = field(default_factory=dict)
    rollouts: int = 0
    simulated_seconds: float = 0.0
    wall_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "distribution": self.distribution.to_dict()}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Adaptation:
        return cls(**{**record, "distribution": Distribution.from_dict(record["distribution"])})


class Method(Protocol):
    """A way to adapt: an object whose fields are its options, with one method."""

    name: str

    def fit(
        self,
        comparison: Comparison,
        prior: Normal,
        *,
        seed: int = 0,
        budget: int | None = None,
        checkpoint: Checkpoint | None = None,
        progress: Progress = silent,
    ) -> Adaptation:
        """Fit a distribution.

        Args:
            comparison: the world and the recordings.
            prior: where the search starts, or what is believed before the data.
            seed: of everything random.
            budget: the largest number of windows to simulate; None for the method's own.
            checkpoint: where to keep the state between iterations, and from where to go on.
            progress: told of each iteration.
        """
        ...
