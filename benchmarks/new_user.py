"""Row 8: from an MJCF and its CSV logs to a gap, a fit and a report, with the commands of docs/your-robot.md.

What is timed is the machine's part: every command of the page, run in a fresh folder that holds only the files that
a user has or copies from the page. Reading and writing the two YAML files is the user's part.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import show

EXAMPLE = Path(__file__).parent.parent / "examples" / "my_arm"
COMMANDS = [
    ["audit", "arm.yaml"],
    ["gap", "arm.yaml", "--target", "logs/test", "--columns", "columns.yaml"],
    ["loop", "loop.yaml", "-o", "run"],
]


def run() -> None:
    """Print the table; a command that fails ends the benchmark with its error."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copytree(EXAMPLE, here, dirs_exist_ok=True, ignore=shutil.ignore_patterns("logs"))
        subprocess.run([sys.executable, "make_logs.py"], cwd=here, check=True, capture_output=True)
        simloop = str(Path(sys.executable).with_name("simloop"))
        total = 0.0
        for command in COMMANDS:
            started = time.perf_counter()
            done = subprocess.run([simloop, *command], cwd=here, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"simloop {' '.join(command)}: {done.stderr}")
            seconds = time.perf_counter() - started
            total += seconds
            said = [line for line in done.stdout.splitlines() if line.strip()]
            rows.append(
                [8, f"simloop {' '.join(command)}", f"{seconds:.0f}", said[-2] if command[0] == "loop" else said[-1]]
            )
        assert (here / "run" / "report.html").stat().st_size > 10_000
    rows.append([8, "all", f"{total:.0f}", "target: <= 300 s, reading and writing included"])
    show(["#", "command", "s", "last line"], rows)
