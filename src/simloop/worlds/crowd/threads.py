"""Work on several ranges at once, in threads that are started once.

    at_once(decide, [(0, 500), (500, 1000)])           # decide(0, 500) in this thread, decide(500, 1000) in another

Compiled loops let other threads run, so that ranges are worked on side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; one that was forked has none of its parent's."""
    return ThreadPoolExecutor(max_workers=max(1, cores() - 1))


def at_once(work: Callable[[int, int], None], ranges: list[tuple[int, int]]) -> None:
    """Do the work on all ranges, the first of them in this thread."""
    others = [_pool(os.getpid()).submit(work, a, b) for a, b in ranges[1:]]
    work(*ranges[0])
    for other in others:
        other.result()
