"""Print the benchmarks that are named, or all of them."""

from __future__ import annotations

import importlib
import sys
import time

from simloop.errors import unknown

NAMES = (
    "accuracy",
    "calibration",
    "residual",
    "tosses",
    "linear_gaussian",
    "planning",
    "closed_loop",
    "imitation",
    "cheating",
    "forecast",
    "recovery",
    "speed",
    "environments",
    "driving_steps",
    "crowd_speed",
    "crowd_bottleneck",
    "eth_ucy",
    "prediction",
    "crowd_policy",
    "crowdnav",
    "wall_clock",
    "frames",
    "detector",
    "drive_pose",
    "real_driving",
    "drive_closed_loop",
    "drive_frames",
    "driving_adaptation",
    "behaviour",
    "startup",
    "new_user",
)


def main() -> None:
    """Run the named benchmarks in order."""
    for name in sys.argv[1:] or NAMES:
        if name not in NAMES:
            sys.exit(str(unknown("benchmark", name, NAMES)))
        started = time.perf_counter()
        print(f"## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").run()
        print(f"\n({time.perf_counter() - started:.0f} s)\n", flush=True)


main()
