"""Intervals of frames that follow one another: the moving-block bootstrap.

    for weights in block_weights(200, seed=0):       # (1, 200) ones, then 2,000 resamples, some at a time
        values += measure.of(predicted, true, weights).tolist()

Frames of a drive look like their neighbours, so that resampling them one by one would make intervals far too short.
Blocks of 40 consecutive frames are drawn with replacement, from every place where one begins, and laid end to end:
Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17 (1989). What is
compared is compared on the same resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simloop.gap.bootstrap import RESAMPLES
from simloop.parameters import Array
from simloop.randomness import stream

#: frames in a block
BLOCK = 40
#: numbers in one array of weights: a long drive has to fit in memory
_MOST = 4_000_000


def block_weights(
    n: int, *, seed: int = 0, block: int = BLOCK, resamples: int = RESAMPLES, names: Sequence[str] = ()
) -> Iterator[Array]:
    """How often each of n frames counts: first (1, n) ones, then (b, n) for some resamples of n frames at a time.

    With fewer than two blocks there is nothing to draw from: then only the ones. Other `names` draw other resamples.
    """
    yield np.ones((1, n))
    if n < 2 * block:
        return
    starts = stream(seed, "benchmark", "blocks", *names).integers(0, n - block + 1, (resamples, -(-n // block)))
    for part in np.array_split(starts, -(-resamples * n // _MOST)):
        rows = (part[:, :, None] + np.arange(block)).reshape(len(part), -1)[:, :n]
        flat = (np.arange(len(part))[:, None] * n + rows).ravel()
        yield np.bincount(flat, minlength=len(part) * n).reshape(len(part), n).astype(float)
