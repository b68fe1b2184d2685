"""Work on several ranges at once, in threads that are started once.

    at_once(decide, [(0, 500), (500, 1000)])           # decide(0, 500) in this thread, decide(500, 1000) in another

Compiled loops let other threads run, so that ranges are worked on side by side.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Thread:
    """A thread that does what it is handed, and then waits: on locks, which take a third of an executor's time."""

    def __init__(self) -> None:
        self._begin, self._end = threading.Lock(), threading.Lock()
        self._begin.acquire()
        self._end.acquire()
        self._job: tuple[Callable[[int, int], None], int, int] | None = None
        self._raised: BaseException | None = None
        threading.Thread(target=self._go, daemon=True, name="crowd").start()

    def hand(self, work: Callable[[int, int], None], first: int, last: int) -> None:
        self._job, self._raised = (work, first, last), None
        self._begin.release()

    def wait(self) -> BaseException | None:
        """Until it is done; return what it raised."""
        self._end.acquire()
        return self._raised

    def _go(self) -> None:
        while True:
            self._begin.acquire()
            assert self._job is not None
            work, first, last = self._job
            try:
                work(first, last)
            except BaseException as error:
                self._raised = error
            self._job = None
            self._end.release()


@cache
def _threads(process: int) -> tuple[threading.Lock, list[_Thread]]:
    """The threads of a process, and who may hand them work; one that was forked has none of its parent's."""
    return threading.Lock(), [_Thread() for _ in range(cores() - 1)]


def at_once(work: Callable[[int, int], None], ranges: list[tuple[int, int]]) -> None:
    """Do the work on all ranges, the first of them in this thread; all in this one where the others are busy."""
    asked, threads = _threads(os.getpid())
    if not asked.acquire(blocking=False):
        for first, last in ranges:
            work(first, last)
        return
    handed = []
    try:
        for thread, own in zip(threads, ranges[1:], strict=False):
            thread.hand(work, *own)
            handed.append(thread)
        for own in [*ranges[:1], *ranges[1 + len(threads) :]]:
            work(*own)
    finally:
        # an interrupt here leaves the threads alone for good: later work is done in one
        raised = [thread.wait() for thread in handed]
        asked.release()
    for error in raised:
        if error is not None:
            raise error
