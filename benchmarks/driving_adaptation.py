"""What does adapting to unlabelled real frames bring, or cost? Learned on a drive's frames 0-599, tested on 600-799.

Drivers whose simulated frames have nothing randomised, or everything (two arms of `real_driving`), adapt in each way to
frames 0-599, whose labels nobody reads; `auto` tries them and keeps the one that a criterion without labels likes.

Each training is kept in `runs/bench-driving-adaptation`; a benchmark that was stopped goes on there.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.real_driving import GROUPS, album, show_table
from simloop.benchmark.table import Entrant, benchmark
from simloop.learn.driving import Driver, DriverModel
from simloop.runs import POLICY, Run
from simloop.targets.images import image_set

_FOLDER = Path("runs/bench-driving-adaptation")
_SEEDS, _FRAMES = (0, 1, 2), 8_000
_LEARNER = Driver(normalisation="local", steps=1000)
_ADAPTATIONS = ("none", "adabn", "coral", "dann", "translation", "auto")


def run() -> None:
    """Print a table for each of the two networks."""
    frames, training = image_set("donkeycar-tub/test"), image_set("donkeycar-tub/train")
    for name, groups in (("nothing randomised", ()), ("everything randomised", GROUPS)):
        entrants = []
        for adaptation in _ADAPTATIONS:
            learner = replace(_LEARNER, adaptation=adaptation)
            made = [_trained(name.split()[0], groups, learner, seed) for seed in _SEEDS]
            chosen = ", ".join(str(c) for _, c in made if c)
            entrants.append(Entrant(adaptation + (f" ({chosen})" if chosen else ""), tuple(m for m, _ in made)))
        print(f"{name}: {_FRAMES} simulated frames, {_LEARNER.steps} steps, {len(_SEEDS)} seeds\n")
        show_table(benchmark(frames, entrants, training=training))
        print()


def _trained(name: str, groups: tuple[str, ...], learner: Driver, seed: int) -> tuple[DriverModel, str]:
    """A driver and, of `auto`, what it took; trained once, then read."""
    some, _ = album(groups, 16, seed)
    configuration = {"groups": groups, "count": _FRAMES, "learner": vars(learner), "seed": seed,
                     "frames": zlib.crc32(some.tobytes())}  # fmt: skip
    with Run.open(_FOLDER / f"{name}-{learner.adaptation}-{seed}", configuration) as kept:
        record = kept.stage("train", lambda: _train(groups, learner, seed, kept.folder))
    return DriverModel.load(kept.folder / POLICY), record["chosen"]


def _train(groups: tuple[str, ...], learner: Driver, seed: int, folder: Path) -> dict[str, Any]:
    images, labels = album(groups, _FRAMES, seed)
    real = None if learner.adaptation == "none" else image_set("donkeycar-tub/train").read(size=learner.size)
    made = learner.train(images, labels, unlabelled=real, seed=seed, folder=folder / "training")
    made.model.save(folder / POLICY)
    chosen = made.model.shape.adaptation if learner.adaptation == "auto" else ""
    return {"seconds": made.wall_seconds, "chosen": chosen, "selection": made.selection}
