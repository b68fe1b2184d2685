"""Random streams keyed by a seed and names, so that no draw depends on who drew before it.

    stream(7, "noise", 42)      # the noise of episode 42 under seed 7, on any worker, in any order

Two keys that differ in any part give independent streams; `seed + i` is never used, so runs seeded 0 and 1
share nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of the stream keyed by (seed, *names).

    The key is hashed (SHA-256) into a Philox counter-based generator; the same key gives the same numbers in
    every process and on every machine with the same NumPy version.
    """
    key = _Key(_digest(seed, *names)[:16])
    return np.random.Generator(np.random.Philox(key))  # type: ignore[arg-type]  # NumPy's stub asks for a subclass


def number(seed: int, *names: str | int) -> int:
    """A whole number from 0 to below 2^63 that is keyed as a stream is, for generators in compiled loops."""
    return int.from_bytes(_digest(seed, *names)[16:24], "little") >> 1


class _Key(ISeedSequence):
    """Gives Philox its key; `Philox(key=...)` asks the system for entropy first, and takes three times as long."""

    def __init__(self, key: bytes) -> None:
        self._key = np.frombuffer(key, dtype=np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[np.uint64]:
        return self._key


def _digest(seed: int, *names: str | int) -> bytes:
    return hashlib.sha256(repr((int(seed), *names)).encode()).digest()
