"""Make shards in processes of this machine: one at a time in each; one that dies is replaced, and its shard named."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from simloop.data.order import R, Work, unpacked
from simloop.data.plan import shard_name
from simloop.errors import InputError, count

#: times that a shard is tried whose process dies
ATTEMPTS = 3
#: photographs, or whatever is made, after which a process says how far it is
_EVERY = 10

#: what is told of a shard: its number, and how much of it is there
Told = Callable[[int, int], None]


def in_this_process(order: Work[R], shards: Sequence[int], told: Told) -> Generator[R]:
    """Make shards one after the other."""
    for shard in shards:
        yield order.make(shard, partial(told, shard))


@dataclass
class _Worker:
    process: BaseProcess
    line: Connection
    shard: int | None = None


def in_processes(order: Work[R], shards: Sequence[int], workers: int, told: Told) -> Generator[R]:
    """Make shards in `workers` processes; yield the record of each as it is done.

    Raises:
        InputError: what a process said, or which shard's process died time and again.
    """
    content = order.packed()
    left, attempts = list(reversed(shards)), dict.fromkeys(shards, 0)
    crew: list[_Worker] = []
    try:
        while left or any(w.shard is not None for w in crew):
            while left and len(crew) < workers:
                crew.append(_start(content))
            for worker in crew:
                if worker.shard is None and left:
                    _give(worker, left, attempts)
            busy: dict[Any, _Worker] = {w.line: w for w in crew if w.shard is not None}
            for line in wait(list(busy)):
                worker = busy[line]
                try:
                    message, *rest = worker.line.recv()
                except (EOFError, OSError):  # it died: its end of the line is closed
                    crew.remove(worker)
                    _bury(worker, attempts, left)
                    continue
                if message == "so far":
                    told(*rest)
                elif message == "done":
                    told(worker.shard or 0, rest[0].made)
                    worker.shard = None
                    yield rest[0]
                else:
                    raise rest[0]
    finally:
        for worker in crew:
            worker.process.kill()
        for worker in crew:
            worker.process.join()
            worker.line.close()


def _start(content: bytes) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(content, theirs, os.getpid()), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, left: list[int], attempts: dict[int, int]) -> None:
    worker.shard = left.pop()
    attempts[worker.shard] += 1
    with contextlib.suppress(OSError):  # one that died before says so at the other end
        worker.line.send(worker.shard)


def _bury(worker: _Worker, attempts: dict[int, int], left: list[int]) -> None:
    """Put back the shard of a process that died, or say that it dies each time."""
    worker.process.join()
    worker.line.close()
    shard = worker.shard
    assert shard is not None
    if attempts[shard] < ATTEMPTS:
        left.append(shard)
        return
    code = worker.process.exitcode or 0
    how = f"killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"
    hint = "; in a script of your own, call generate under: if __name__ == '__main__':" if code == 1 else ""
    if code == -signal.SIGKILL:
        hint = "; is there enough memory for so many workers?"
    raise InputError(
        f"{shard_name(shard)}: the process that makes it died {count(ATTEMPTS, 'time')}, {how}{hint}; the shards that"
        " are there stay"
    )


def _serve(content: bytes, line: Connection, parent: int) -> None:
    """Make the shards whose numbers come down the line, until it is closed or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    try:
        order = unpacked(content)
    except InputError as error:
        line.send(("wrong", error))
        return
    while True:
        try:
            shard = line.recv()
        except EOFError:
            return

        def told(made: int, shard: int = shard) -> None:
            if os.getppid() != parent:  # a parent that was killed leaves its children behind
                os._exit(1)
            if made % _EVERY == 0:
                line.send(("so far", shard, made))

        line.send(_made(order, shard, told))


def _made(order: Work[Any], shard: int, told: Callable[[int], None]) -> tuple[str, Any]:
    """The message about a shard: done, or what went wrong."""
    try:
        return "done", order.make(shard, told)
    except InputError as error:
        return "wrong", error
    except Exception:
        return "wrong", RuntimeError(f"{shard_name(shard)}:\n{traceback.format_exc()}")
