"""How fast labelled frames of world `drive` are made, beside the same scenes by MuJoCo's renderer.

Frames are 80 x 60, with depth, masks and all labels; roads, things, looks and the camera are all drawn anew (`wide`),
a road for eight looks. Two processes make them, as `simloop generate` does with two workers. `drive/held-out` draws
scenes of the same distribution with MuJoCo, at the same size and with the same passes. `generate` is what is left with
PNG files, tables and checks. They take turns; the best turn of each stands, for what else the machine does only slows.
CPU is that of all processes, for each frame, of the same turn.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.table import show
from simloop import get_world
from simloop.data.generate import generate
from simloop.frames import Request

_REQUEST = Request(size=(80, 60), views=8)
_PROCESSES, _TURNS, _SEED = 2, 3, 7


def run() -> None:
    """Print the table."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(_TURNS):
        for name, count in (("drive", 1600), ("drive/held-out", 160)):
            found.setdefault(f"frames of {name}", []).append(_made(name, count, turn))
        found.setdefault("simloop generate drive", []).append(_generated(1600, turn))
    rows = []
    for name, turns in found.items():
        rate, cpu = max(turns)
        rows.append([name, f"{rate:.0f}", f"{cpu:.2f}", " ".join(f"{r:.0f}" for r, _ in turns)])
    show(["80 x 60, everything varies, 2 processes", "frames/s", "CPU ms a frame", "frames/s of each turn"], rows)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def _made(name: str, count: int, turn: int) -> tuple[float, float]:
    """Frames in a second, and CPU ms a frame, that processes make which are warm."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(_PROCESSES) as pool:
        list(pool.imap_unordered(_part, [(name, 10**6 + 64 * k, 64) for k in range(_PROCESSES)], chunksize=1))
        own = count // _PROCESSES
        first = count * turn
        start = time.perf_counter()
        cpu = pool.map(_part, [(name, first + k * own, own) for k in range(_PROCESSES)], chunksize=1)
        return count / (time.perf_counter() - start), 1e3 * sum(cpu) / count


def _part(what: tuple[str, int, int]) -> float:
    """CPU s that some frames take."""
    name, first, count = what
    world = get_world(name)
    wide, look = world.distributions()["wide"], world.looks()["wide"]
    start = time.process_time()
    for _ in world.frames(range(first, first + count), request=_REQUEST, distribution=wide, look=look, seed=_SEED):
        pass
    return time.process_time() - start


def _generated(count: int, turn: int) -> tuple[float, float]:
    """The same of `simloop generate` with its files; its processes' start, with imports, is part of it."""
    world = get_world("drive")
    wide, look = world.distributions()["wide"], world.looks()["wide"]
    with tempfile.TemporaryDirectory() as folder:
        before, start = _used(), time.perf_counter()
        generate(world, count, Path(folder) / "made", seed=_SEED + turn, request=_REQUEST, distribution=wide, look=look,
                 workers=_PROCESSES)  # fmt: skip
        return count / (time.perf_counter() - start), 1e3 * (_used() - before) / count


def _used() -> float:
    """CPU s of this process and of those that it started and that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in both)
