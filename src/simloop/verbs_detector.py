"""What the command line's verbs about detectors do and print: `train DATASET --learner detector` and `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simloop import terminal
from simloop.config import parsed_pairs, with_options
from simloop.data.held_out import HELD_OUT, held_out
from simloop.data.store import Dataset
from simloop.errors import InputError, need, unknown
from simloop.frames import Category, Frame
from simloop.learn.detector import Detector, Model
from simloop.learn.detector.precision import average_precision
from simloop.progress import Progress, silent
from simloop.runs import POLICY, TRAINING, Resume, Run, read_run


@dataclass(frozen=True)
class Part:
    """Some photographs of a dataset."""

    dataset: Dataset
    numbers: Sequence[int]

    @property
    def categories(self) -> tuple[Category, ...]:
        return self.dataset.categories

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int, /) -> Frame:
        return self.dataset[self.numbers[index]]


def parts(dataset: Dataset) -> tuple[Part, Part]:
    """What is learned from, and what is held out; a scene is never in both."""
    request = dataset.request
    in_scene = request.views * request.length * len(request.cameras)
    sides: tuple[list[int], list[int]] = [], []
    for number in range(len(dataset)):
        sides[held_out(number // in_scene)].append(number)
    if not sides[True]:
        raise InputError(f"{dataset.folder}: one scene only; a detector needs others to be scored on")
    return Part(dataset, sides[False]), Part(dataset, sides[True])


@dataclass(frozen=True)
class DetectorResult:
    """A trained detector and its average precision, by what it was measured on."""

    folder: Path
    names: tuple[str, ...]
    history: list[dict[str, Any]]
    scores: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        return {"run": self.folder.name, "finds": self.names, "history": self.history, "scores": self.scores}

    def show(self) -> None:
        last = self.history[-1]
        terminal.say(
            f"detector: {last['steps']:,} steps in {last['wall_seconds']:.0f} s, loss {last['loss']:.3f};"
            f" finds {', '.join(self.names)}"
        )
        terminal.table(
            ["on", "images", "AP50", "AP75"],
            [[on, f"{s['images']:.0f}", f"{s['AP50']:.3f}", f"{s['AP75']:.3f}"] for on, s in self.scores.items()],
        )
        terminal.say(f"the detector is in {self.folder / POLICY}")


def detector_of(learner: str | None, pairs: Sequence[str], steps: int | None) -> Detector:
    """The detector with the options of ["name=value", ...]."""
    if learner not in (None, Detector.name):
        raise unknown("learner of datasets:", str(learner), [Detector.name, "driver"])
    made = with_options(Detector(), parsed_pairs(pairs), Detector.name)
    return made if steps is None else with_options(made, {"steps": steps}, Detector.name)


def train_detector(
    folder: Path,
    dataset: Dataset,
    learner: Detector,
    *,
    seed: int = 0,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> DetectorResult:
    """Train a detector into a run's folder, or go on there."""
    need(learner.needs, "learner 'detector'", "learn")
    learned_from, others = parts(dataset)
    configuration = {
        "detector": {"options": vars(learner), "seed": seed},
        "dataset": {"hash": dataset.manifest.hash, "photographs": len(dataset), "world": dataset.world},
        "held out": HELD_OUT,
    }
    with Run.open(folder, configuration, resume=resume) as run:

        def compute() -> dict[str, Any]:
            trained = learner.train(learned_from, seed=seed, folder=folder / TRAINING, progress=progress)
            trained.model.save(folder / POLICY)
            return {"history": trained.history}

        record = run.stage("train", compute)
        model = Model.load(folder / POLICY)
        scores = run.stage("scores", lambda: {"scenes that were held out": scored(model, others, progress)})
        run.stage("versions", lambda: {**dataset.versions, **learner.versions()})
    return DetectorResult(folder, model.names, record["history"], scores)


def scored(model: Model, frames: Part, progress: Progress = silent) -> dict[str, float]:
    """Average precision at two overlaps."""
    found, truth = model.found(frames, progress=progress)
    return {
        "images": len(frames),
        **{f"AP{round(100 * o)}": average_precision(found, truth, overlap=o) for o in (0.5, 0.75)},
    }


def evaluate_detector(folder: Path, dataset: Dataset, *, progress: Progress = silent) -> DetectorResult:
    """How a detector does on a dataset that it has not learned from."""
    record = read_run(folder)
    if dataset.manifest.hash == record["configuration"]["dataset"]["hash"]:
        raise InputError(
            f"{folder}: was trained on {dataset.folder}; what it has not learned from is scored already; give another"
            " dataset (the same world with another --seed)"
        )
    model = Model.load(folder / POLICY)
    scores = {
        **record["stages"]["scores"],
        dataset.folder.name: scored(model, Part(dataset, range(len(dataset))), progress),
    }
    return DetectorResult(folder, model.names, record["stages"]["train"]["history"], scores)
