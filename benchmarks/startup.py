"""Row 7: how long a person waits before anything happens, against an empty Python in the same run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.table import show

COMMANDS = {
    "--help": ["--help"],
    "worlds": ["worlds"],
    "a wrong file name": ["gap", "double-pendulum", "--target", "no-such-log.csv"],
}


def run(repeats: int = 9) -> None:
    """Print the table: medians of alternating runs."""
    simloop = str(Path(sys.executable).with_name("simloop"))
    seconds: dict[str, list[float]] = {name: [] for name in ["python -c pass", *COMMANDS]}
    for _ in range(repeats):
        seconds["python -c pass"].append(_seconds([sys.executable, "-c", "pass"]))
        for name, arguments in COMMANDS.items():
            seconds[name].append(_seconds([simloop, *arguments]))
    empty = statistics.median(seconds["python -c pass"])
    show(
        ["#", "command", "median s", "more than an empty Python", "target"],
        [
            [7, n, f"{statistics.median(s):.3f}", f"{statistics.median(s) - empty:.3f}", "<= 0.4"]
            for n, s in seconds.items()
        ],
    )


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False)
    return time.perf_counter() - started
