"""What the command line's verbs about drivers do: `train DATASET --learner driver` and `export RUN --to onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.config import parsed_pairs, with_options
from simloop.data.store import Dataset
from simloop.errors import InputError, need
from simloop.learn.driving import Contrast, Driver, DriverModel, Images, Recover, read_images
from simloop.learn.recoveries import recoveries
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import number
from simloop.runs import POLICY, TRAINING, Resume, Run, read_run
from simloop.targets.images import ImageSet, image_set
from simloop.verbs_closed_loop import driven_world
from simloop.verbs_detector import parts


@dataclass(frozen=True)
class DriverResult:
    """A trained driver, how its training went, and how it does on scenes of the dataset that were held out."""

    folder: Path
    model: DriverModel
    history: list[dict[str, Any]]
    selection: dict[str, Any]
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.folder.name,
            "label": self.model.label,
            "adaptation": self.model.shape.adaptation,
            "history": self.history,
            "selection": self.selection,
            "scores": self.scores,
        }

    def show(self) -> None:
        last = self.history[-1]
        terminal.say(
            f"driver ({self.model.label}, adaptation {self.model.shape.adaptation}): {last['steps']:,} steps in"
            f" {last['wall_seconds']:.0f} s, loss {last['control']:.3f}"
        )
        if self.selection:
            terminal.table(
                ["adaptation", "reverse error", "gain", "mean moved", ""],
                [self._row(name) for name in self.selection["scores"]],
            )
            terminal.say(self.selection["why"])
        terminal.say(
            f"scenes that were held out ({self.scores['images']:,.0f} simulated images): MAE"
            f" {self.scores['MAE']:.3f}, r {self.scores['r']:.3f}; what it does in reality says"
            f" 'simloop benchmark FRAMES --model {self.folder}'"
        )
        terminal.say(f"the driver is in {self.folder / POLICY}")

    def _row(self, name: str) -> list[str]:
        score = self.selection["scores"][name]
        taken = "taken" if name == self.selection["taken"] else ""
        gain = f"{score['gain']:+.3f} ± {score['doubt']:.3f}"
        moved = f"{score['moved']:+.2f}" + (", put back" if score["put back"] else "")
        return [name, f"{score['reverse error']:.3f}", gain, moved, taken]


def driver_of(pairs: Sequence[str], adaptation: str | None, steps: int | None) -> Driver:
    """The driver with the options of ["name=value", ...]."""
    options = parsed_pairs(pairs)
    if adaptation is not None:
        options["adaptation"] = adaptation
    if steps is not None:
        options["steps"] = steps
    return with_options(Driver(), options, Driver.name)


def train_driver(
    folder: Path,
    dataset: Dataset,
    learner: Driver,
    *,
    unlabelled: str | None = None,
    seed: int = 0,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> DriverResult:
    """Train a driver into a run's folder, or go on there.

    Args:
        folder: the run's.
        dataset: simulated frames with the number.
        learner: how.
        unlabelled: images of reality to adapt to, by name (`targets.images.image_set`); their labels are not read.
        seed: of everything random.
        resume: what to do with a folder that holds a run already.
        progress: told how far it is.
    """
    need(learner.needs, "learner 'driver'", "learn")
    real = _real(learner, unlabelled)
    learned_from, held_out = parts(dataset)
    configuration: dict[str, Any] = {
        "driver": {"options": vars(learner), "seed": seed},
        "dataset": {"hash": dataset.manifest.hash, "photographs": len(dataset), "world": dataset.world},
    }
    if real is not None:
        configuration["unlabelled"] = {"name": real.name, "images": len(real), "hash": _hash(real)}
    recover = _recover(dataset, learner.label, seed, progress) if learner.recoveries else None
    contrast = _contrast(dataset, learner, seed, progress) if learner.pairs else None
    with Run.open(folder, configuration, resume=resume) as run:

        def compute() -> dict[str, Any]:
            images, labels = read_images(learned_from, learner.label, learner.size, where=str(dataset.folder))
            seen = None if real is None else real.read(size=learner.size)
            trained = learner.train(
                images, labels, unlabelled=seen, recover=recover, contrast=contrast, seed=seed,
                folder=folder / TRAINING, progress=progress,
            )  # fmt: skip
            trained.model.save(folder / POLICY)
            return {"history": trained.history, "selection": trained.selection}

        record = run.stage("train", compute)
        model = DriverModel.load(folder / POLICY)
        scores = run.stage(
            "scores",
            lambda: scored(model, *read_images(held_out, learner.label, learner.size, where=str(dataset.folder))),
        )
        run.stage("versions", lambda: {**dataset.versions, **learner.versions()})
    return DriverResult(folder, model, record["history"], record["selection"], scores)


def _recover(dataset: Dataset, label: str, seed: int, progress: Progress) -> Recover:
    """Lets a driver drive in the world of a dataset, on other roads of the same distribution, in the same looks."""
    world = driven_world(dataset.world)
    if label != "steering":
        raise InputError(f"recoveries: a driver that says {label!r} does not steer; leave them out")

    def recover(model: DriverModel, count: int, round_: int) -> tuple[Images, Array]:
        return recoveries(
            world, model, count, distribution=dataset.distribution, look=dataset.look,
            seed=number(seed, "recoveries", dataset.seed, round_), progress=progress,
        )  # fmt: skip

    return recover


def _contrast(dataset: Dataset, learner: Driver, seed: int, progress: Progress) -> Contrast:
    """Makes pairs of pictures in scenes of a dataset's distribution and looks."""
    if dataset.world != "drive":
        raise InputError(f"pairs: are made in scenes of world 'drive', and the dataset is of {dataset.world!r}")
    if learner.label != "steering":
        raise InputError(f"pairs: an expert's steering differs in them, not {learner.label!r}; leave them out")

    def contrast(count: int) -> tuple[Images, Array]:
        from simloop.worlds.drive.counterfactuals import counterfactuals

        return counterfactuals(
            driven_world("drive"), count, size=learner.size, distribution=dataset.distribution, look=dataset.look,
            seed=number(seed, "pairs", dataset.seed), progress=progress,
        )  # fmt: skip

    return contrast


def scored(model: DriverModel, images: Images, labels: Array) -> dict[str, float]:
    """How near what a driver says is to labels: mean absolute error and Pearson's r."""
    said = model(images)
    spread = said.std() * labels.std()
    r = float(((said - said.mean()) * (labels - labels.mean())).mean() / spread) if spread > 0 else 0.0
    return {"images": len(labels), "MAE": float(np.abs(said - labels).mean()), "r": r}


def export_onnx(output: Path, folder: Path) -> Path:
    """Write the driver of a run as an ONNX file."""
    if "driver" not in read_run(folder)["configuration"]:
        raise InputError(f"{folder}: this run trained no driver, and only drivers are exported --to onnx")
    DriverModel.load(folder / POLICY).to_onnx(output)
    return output


def _real(learner: Driver, unlabelled: str | None) -> ImageSet | None:
    """The images of reality that an adaptation needs."""
    if learner.adaptation == "none":
        if unlabelled is not None:
            raise InputError(
                f"--unlabelled {unlabelled}: nothing adapts to it without --adaptation (adabn, coral, dann,"
                " translation or auto)"
            )
        return None
    if unlabelled is None:
        raise InputError(f"--adaptation {learner.adaptation} needs --unlabelled: images of reality to adapt to")
    return image_set(unlabelled)


def _hash(images: ImageSet) -> str:
    """Sixteen hex digits that name what is in the images; labels are no part of it."""
    from dataclasses import replace

    return replace(images, labels={}).hash()
