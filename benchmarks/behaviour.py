"""Is fitted behaviour nearer to real people than the default, on stretches of recordings that the fit never saw?

Each recording of `eth-ucy` is fitted on its first part and measured on its last: energy distance between statistics of
simulated and real tracks, for the default parameters, for wide ranges and for what was fitted, three seeds each. Beside
them stand the real people of the first part: how far reality is from itself. Which parameters are fitted is decided
once for each recording, on its first part. Intervals are of leaving out stretches; over all recordings together the
energy distances are added up, and the interval is of leaving out recordings.

Each part is kept in `runs/bench-behaviour`; a benchmark that was stopped goes on there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import show
from simloop.adapt.behaviour_arms import jackknife_interval
from simloop.adapt.recorded_people import recorded_people
from simloop.verbs_behaviour import BehaviourFit, fit_behaviour_into
from simloop.worlds import get_world

_FOLDER = Path("runs/bench-behaviour")
_SITES = ("hotel", "eth", "zara1", "zara2", "univ")
_SEEDS = (0, 1, 2)
#: the method and its options; a stretch is 24 s
METHOD = "cem"
OPTIONS: dict[str, Any] = {"iterations": 7, "samples": 32, "windows": 6}
_TARGET = 0.5
_ARMS = ("default", "wide", "fitted", "real, fitted part")


def run() -> None:
    """Print the tables."""
    rows, distances, names = [], [], dict[str, list[str]]()
    for seed in _SEEDS:
        for site in _SITES:
            fit = fitted(site, names.get(site, []), seed)
            names[site] = [f.name for f in fit.fitted]
            found = fit.held_out
            distances.append([found[arm]["energy distance"] for arm in _ARMS])
            low, high = found["fitted"]["over default interval"]
            rows.append([f"{site}, {seed}", *(f"{x:.3f}" for x in distances[-1]),
                         f"{found['fitted']['over default']:.2f}", f"{low:.2f} to {high:.2f}",
                         f"{found['default']['told apart']['accuracy']:.0%}",
                         f"{found['fitted']['told apart']['accuracy']:.0%}"])  # fmt: skip
            print("  ".join(rows[-1]), flush=True)
    print()
    show(
        ["held-out stretches, seed", *_ARMS, "fitted/default", "95 %", "default told apart", "fitted told apart"], rows
    )
    total = np.array(distances).reshape(len(_SEEDS), len(_SITES), len(_ARMS)).mean(axis=0)
    ratios = total[:, 2] / total[:, 0]
    print("\nfitted/default by recording, mean of seeds: "
          + ", ".join(f"{s} {r:.2f}" for s, r in zip(_SITES, ratios, strict=True)))  # fmt: skip
    without = [total.sum(axis=0), *(total.sum(axis=0) - row for row in total)]
    whole = np.array([w[2] / w[0] for w in without])
    low, high = jackknife_interval(whole)
    print(f"all recordings together: {whole[0]:.2f} ({low:.2f} to {high:.2f} by leaving out recordings), target"
          f" {_TARGET}: {'reached' if whole[0] <= _TARGET else 'missed'} on the whole, on"
          f" {int((ratios <= _TARGET).sum())} of {len(_SITES)} recordings")  # fmt: skip


def fitted(site: str, names: list[str], seed: int) -> BehaviourFit:
    """Fit one recording, or read what was fitted already."""
    people = recorded_people(f"eth-ucy/{site}")
    return fit_behaviour_into(_FOLDER / f"{site}-{seed}", get_world("crowd"), people, METHOD, dict(OPTIONS), fit=names,
                              seed=seed)  # fmt: skip
