"""What a search by sampling asks of reality: pieces of it, and how far rows of parameters are from them.

    class MyProblem(Discrepancy[Windows]): ...
    SimOpt(samples=40).fit(MyProblem(...), prior, seed=7)

Motions that were recorded (`comparison.py`) answer these questions and many more; images of reality (`appearance.py`)
answer only these. What a row is does not matter to a search: physics, or how the world looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, Self, TypeVar

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
    """

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


#: a problem of any pieces
AnyDiscrepancy = Discrepancy[Any]
