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
from simloop.learn.domains import Adaptation
from simloop.learn.driving import Driver, DriverModel
from simloop.runs import POLICY, Run
from simloop.targets.images import image_set

_FOLDER = Path("runs/bench-driving-adaptation")
_SEEDS, _FRAMES = (0, 1, 2), 8_000
_LEARNER = Driver(normalisation="local", steps=1000)
_ADAPTATIONS: tuple[Adaptation, ...] = ("none", "adabn", "coral", "dann", "auto", "translation")
#: what takes too long for more than the first seed
_ONCE = ("translation",)


def run() -> None:
    """Print a table for each of the two networks."""
    frames, training = image_set("donkeycar-tub/test"), image_set("donkeycar-tub/train")
    for name, groups in (("nothing randomised", ()), ("everything randomised", GROUPS)):
        found = [_trained(name.split()[0], groups, seed) for seed in _SEEDS]
        entrants = []
        for adaptation in _ADAPTATIONS:
            made = [one[adaptation] for one in found if adaptation in one]
            entrants.append(Entrant(_title(adaptation, made), tuple(model for model, _ in made)))
        print(f"{name}: {_FRAMES} simulated frames, {_LEARNER.steps} steps, {len(_SEEDS)} seeds\n")
        show_table(benchmark(frames, entrants, training=training))
        print()


def _title(adaptation: str, made: list[tuple[DriverModel, str]]) -> str:
    chosen = ", ".join(choice for _, choice in made if choice)
    return adaptation + (f" ({chosen})" if chosen else "") + (", one seed" if len(made) == 1 else "")


def _trained(name: str, groups: tuple[str, ...], seed: int) -> dict[Adaptation, tuple[DriverModel, str]]:
    """Drivers by how they adapt and, of `auto`, what it took; trained once, then read."""
    some, _ = album(groups, 16, seed)
    configuration = {"groups": groups, "count": _FRAMES, "learner": vars(_LEARNER), "seed": seed,
                     "frames": zlib.crc32(some.tobytes())}  # fmt: skip
    out: dict[Adaptation, tuple[DriverModel, str]] = {}
    with Run.open(_FOLDER / f"{name}-{seed}", configuration) as kept:
        for adaptation in _ADAPTATIONS:
            if adaptation in _ONCE and seed != _SEEDS[0]:
                continue
            learner = replace(_LEARNER, adaptation=adaptation)
            where = kept.folder / adaptation
            record = kept.stage(adaptation, lambda: _train(groups, learner, seed, where))  # noqa: B023 - run at once
            out[adaptation] = (DriverModel.load(where / POLICY), record["chosen"])
    return out


def _train(groups: tuple[str, ...], learner: Driver, seed: int, folder: Path) -> dict[str, Any]:
    images, labels = album(groups, _FRAMES, seed)
    real = None if learner.adaptation == "none" else image_set("donkeycar-tub/train").read(size=learner.size)
    # trainings lie beside each other, so that `auto` finds those of its candidates as it would have made them
    made = learner.train(images, labels, unlabelled=real, seed=seed, folder=folder.parent / "training")
    folder.mkdir(exist_ok=True)
    made.model.save(folder / POLICY)
    chosen = made.model.shape.adaptation if learner.adaptation == "auto" else ""
    return {"seconds": made.wall_seconds, "chosen": chosen, "selection": made.selection}
