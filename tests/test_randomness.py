"""Streams: their keys decide them, and nothing else does."""

from __future__ import annotations

import hashlib

import numpy as np

from simloop.randomness import number, stream


def test_a_stream_is_philox_keyed_by_the_hash() -> None:
    """The first 16 bytes of the SHA-256 of the key are Philox's key, whatever way it is handed over."""
    digest = hashlib.sha256(repr((7, "noise", 42)).encode()).digest()
    wanted = np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))
    found = stream(7, "noise", 42)
    for draw in ("random", "standard_normal", "standard_exponential"):
        assert (getattr(found, draw)(50) == getattr(wanted, draw)(50)).all()
    assert (found.integers(2**40, size=50) == wanted.integers(2**40, size=50)).all()


def test_numbers_differ_with_any_part_of_their_key() -> None:
    """Keys that differ in the seed or a name give other numbers, all of them from 0 to below 2^63."""
    found = {number(seed, "frames", k) for seed in range(30) for k in range(30)}
    assert len(found) == 900
    assert 0 <= min(found) < 2**56
    assert 2**62 < max(found) < 2**63
    assert number(3, "frames", 4) == number(3, "frames", 4)
