"""The contract of an adaptation: real data in, a better distribution over a world's parameters out.

    fit = get_method("least-squares", {"starts": 1}).fit(Comparison(world, target), prior, seed=7)
    fit.distribution, fit.rollouts, fit.diagnostics

A method is a frozen record of options and one function, `adapt`, that reads like its paper. `Method.fit` is the same
for all: it gives them `Books`, which keep the state between steps, count what was simulated, and go on from a
checkpoint as if nothing had happened.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from simloop.adapt.comparison import Comparison
from simloop.adapt.discrepancy import AnyDiscrepancy
from simloop.distributions import Distribution, Normal
from simloop.errors import InputError, need
from simloop.progress import Progress, silent
from simloop.runs import Checkpoint


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


class Books:
    """The books of one fit: its state between steps, and what it simulated and took, over all its processes.

    Attributes:
        seed: of everything random.
        budget: the largest number of windows to simulate; None for the method's own.
        state: what the method needs to go on, JSON-able; the last saved one where there is a checkpoint.
    """

    def __init__(
        self,
        comparison: AnyDiscrepancy,
        seed: int,
        budget: int | None,
        checkpoint: Checkpoint | None,
        progress: Progress,
    ) -> None:
        self.seed, self.budget, self.progress = seed, budget, progress
        self._comparison, self._checkpoint = comparison, checkpoint
        state = (checkpoint and checkpoint.load()) or {}
        # where the counters would have stood at the start, had one process done everything
        self._rollouts = comparison.rollouts - state.pop("rollouts", 0)
        self._simulated = comparison.simulated_seconds - state.pop("simulated_seconds", 0.0)
        self._began = time.perf_counter() - state.pop("wall_seconds", 0.0)
        self.state: dict[str, Any] = state

    def begin(self, **first: Any) -> dict[str, Any]:
        """Return the state to go on from: `first`, unless there was a checkpoint."""
        self.state = self.state or first
        return self.state

    def affordable(self, method: str, iterations: int, samples: int, windows: int) -> int:
        """How many iterations of samples x windows the budget allows, at most `iterations` and at least one."""
        each = samples * windows
        allowed = iterations if self.budget is None else min(iterations, self.budget // each)
        if allowed < 1:
            raise InputError(
                f"{method}: one iteration simulates {samples} x {windows} = {each} windows, more than the budget of"
                f" {self.budget}; give a larger budget, or fewer samples or windows"
            )
        return allowed

    def save(self, message: str, fraction: float, **changes: Any) -> None:
        """Put changes into the state, keep it, and tell progress how far the fit is (0 to 1)."""
        self.state.update(changes)
        if self._checkpoint:
            self._checkpoint.save({**self.state, **self.spent()})
        self.progress(message, fraction)

    @property
    def rollouts(self) -> int:
        """Windows simulated so far."""
        return self._comparison.rollouts - self._rollouts

    def spent(self) -> dict[str, Any]:
        """What the fit cost so far, as an `Adaptation` records it."""
        return {
            "rollouts": self.rollouts,
            "simulated_seconds": self._comparison.simulated_seconds - self._simulated,
            "wall_seconds": time.perf_counter() - self._began,
        }


class Method(ABC):
    """A way to adapt: a frozen dataclass whose fields are its options, with one function, `adapt`.

    Options are numbers above 0, tuples of them, truth values, and strings of a `Literal`. Whatever needs another
    package imports it inside its functions and names it in `needs`.
    """

    name: ClassVar[str]
    #: the world's own distribution that the method starts from: "prior" or "search"
    starts_from: ClassVar[str] = "prior"
    #: the least that it asks of a comparison: `Discrepancy` where it only asks how far rows are from reality
    works_on: ClassVar[type | tuple[type, ...]] = Comparison
    #: packages that the method imports, and the extra that brings them
    needs: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    def fit(
        self,
        comparison: AnyDiscrepancy,
        prior: Normal,
        *,
        seed: int = 0,
        budget: int | None = None,
        checkpoint: Checkpoint | None = None,
        progress: Progress = silent,
    ) -> Adaptation:
        """Fit a distribution.

        Args:
            comparison: the world and the recordings, or what else the method works on.
            prior: where the search starts, or what is believed before the data.
            seed: of everything random.
            budget: the largest number of windows to simulate; None for the method's own.
            checkpoint: where to keep the state between iterations, and from where to go on.
            progress: told of each iteration.
        """
        self.check_installed()
        if not isinstance(comparison, self.works_on):
            raise InputError(
                f"method '{self.name}' replays recordings, and {comparison.reality} cannot be replayed; use simopt or"
                " cem"
            )
        books = Books(comparison, seed, budget, checkpoint, progress)
        distribution, diagnostics = self.adapt(cast(Comparison, comparison), prior, books)
        return Adaptation(self.name, distribution, books.state.get("history", []), diagnostics, **books.spent())

    @abstractmethod
    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Distribution, dict[str, Any]]:
        """Return the fitted distribution and the diagnostics; `books.state["history"]` becomes the history."""

    @classmethod
    def check_installed(cls) -> None:
        """Raise a MissingExtraError where a package that the method needs is not installed."""
        need(cls.needs, f"method '{cls.name}'", cls.extra)
