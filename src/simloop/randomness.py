"""Random streams keyed by a seed and names, so that no draw depends on who drew before it.

    stream(7, "noise", 42)      # the noise of episode 42 under seed 7, on any worker, in any order

Two keys that differ in any part give independent streams; `seed + i` is never used, so runs seeded 0 and 1
share nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of the stream keyed by (seed, *names).

    The key is hashed (SHA-256) into a Philox counter-based generator; the same key gives the same numbers in
    every process and on every machine with the same NumPy version.
    """
    key = hashlib.sha256(repr((int(seed), *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key[:16], dtype=np.uint64)))
