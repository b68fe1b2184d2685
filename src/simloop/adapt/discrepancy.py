"""What a search by sampling asks of reality: pieces of it, and how far rows of parameters are from them.

    class MyProblem(Discrepancy[Windows]): ...
    SimOpt(samples=40).fit(MyProblem(...), prior, seed=7)

Motions that were recorded (`comparison.py`) answer these questions and many more; images of reality (`appearance.py`)
answer only these. Tracks of people (`behaviour.py`) can also be summarised in a few numbers, which is all that the
posterior method needs (`Summarised`). What a row is does not matter to a search: physics, or how the world looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.parameters import Array


class Pieces(Protocol):
    """Parts of reality that rows are compared with, some of which can be taken."""

    def __len__(self) -> int: ...

    def take(self, index: NDArray[np.int64], /) -> Self:
        """The pieces `index` (n',)."""
        ...


P = TypeVar("P", bound=Pieces)


class Discrepancy(ABC, Generic[P]):
    """The problem of a search by sampling.

    Attributes:
        rollouts: simulations made through this object so far: windows replayed, frames drawn.
        simulated_seconds: s of simulated time in them; frames have none.
        reality: what it is compared with, for sentences that say what cannot be done with it.
    """

    reality: ClassVar[str] = "images"
    rollouts: int = 0
    simulated_seconds: float = 0.0

    @property
    def longest_window(self) -> float:
        """s, the longest piece that there is; infinity where pieces have no length."""
        return float("inf")

    @abstractmethod
    def cut(self, horizon: float) -> P:
        """All pieces, of `horizon` s where they have a length."""

    @abstractmethod
    def discrepancy(self, rows: ArrayLike, pieces: P, /) -> Array:
        """What a search makes small: of each row, (n, d) -> (n,); infinity where a simulation diverged."""

    @abstractmethod
    def distance(self, rows: ArrayLike, pieces: P, /) -> Array:
        """The same without squares, (n, d) -> (n,)."""


class Summaries(Protocol):
    """Reality in a few numbers, and simulations that stand for it in the same ones: what the posterior method sees.

    Attributes:
        names: of what is measured, D'.
        regressed: how many of the numbers, from the first, a linear regression can be made on.
        amount: factor on the noise of simulations that stand for reality.
    """

    @property
    def names(self) -> list[str]: ...

    @property
    def regressed(self) -> int: ...

    @property
    def amount(self) -> float: ...

    def of_recordings(self) -> Array:
        """(F,)"""
        ...

    def of_simulations(self, rows: Array, rng: np.random.Generator) -> Array:
        """Of simulations that stand for reality, under rows (n, d): (n, F), NaN where one diverged."""
        ...

    def replicas(self, rows: Array, rng: np.random.Generator) -> Array:
        """What would have been measured under rows (n, d): (n, W, K, D'), own units."""
        ...

    def real(self) -> Array:
        """What was measured, (W, K, D'), own units."""
        ...


class Summarised(Discrepancy[P]):
    """A problem whose reality can be summarised, though nothing of it can be replayed: tracks of people."""

    @abstractmethod
    def summaries(self, pieces: P, /) -> Summaries:
        """The summary of all these pieces together."""


#: problems of any pieces
AnyDiscrepancy = Discrepancy[Any]
AnySummarised = Summarised[Any]
