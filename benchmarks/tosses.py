"""Row 6: cube tosses 300-399 under parameters fitted on tosses 0-299, against the best of a coarse grid, paired.

Whole tosses are replayed from their first sample. Errors are the distance in cube widths and the angle of the rotation
between, each averaged over a toss, then over tosses. The grid's best on tosses 0-299 is the protocol's: friction .18,
contact time .01 s, no bounce, the published mass and inertia. Contacts make slopes meaningless, so the fit is by `cem`.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.table import show
from simloop import Comparison, Replay, get_method, get_target, get_world
from simloop.distributions import Point
from simloop.gap.bootstrap import paired_ratio
from simloop.gap.windowed import window_errors
from simloop.loop import starting_point

WIDTH = 0.1048  # m
#: distances of places and rotations, since contacts make velocities jump; tosses differ more than parameters do
OPTIONS = {"cost": "distance", "iterations": 16, "samples": 64, "windows": 75, "elite": 0.15}


def run() -> None:
    """Print the table."""
    world = get_world("cube-toss")
    windows = Replay(world, get_target("cube-tosses/test", world).recordings).windows(1.0)
    method = get_method("cem", OPTIONS)
    began = time.perf_counter()
    fit = method.fit(Comparison(world, get_target("cube-tosses/train", world)), starting_point(world, method))
    took = time.perf_counter() - began
    grid = world.parameters.row({"friction.sliding": 0.18, "contact.time": 0.01})
    arms = {"default": world.parameters.default, "grid": grid, "cem": fit.distribution.mean}
    errors = {n: window_errors(world, windows, Point(world.parameters, row), 1, 0)[:, 0] for n, row in arms.items()}
    toss = np.arange(len(windows))
    rows = []
    for name, e in errors.items():
        ratios = [paired_ratio(e[:, j], errors["grid"][:, j], toss) for j in (0, 1)]
        rows.append([name, f"{e[:, 0].mean() / WIDTH:.4f}", f"{np.degrees(e[:, 1].mean()):.2f}",
                     *(f"{r:.3f} [{a:.2f}, {b:.2f}]" for r, (a, b) in ratios)])  # fmt: skip
    show(
        ["arm", "position (widths)", "rotation (degrees)", "position / grid (<= .93)", "rotation / grid (<= 1.0)"], rows
    )
    fitted = ", ".join(f"{p.name} {v:.4g}" for p, v in zip(world.parameters, fit.distribution.mean, strict=True))
    print(f"\ncem: {fit.rollouts} tosses in {took:.0f} s; {fitted}")
