"""The learner `driver`: images with a number in, a model that says the number of any image out.

    trained = Driver().train(images, labels, unlabelled=real, seed=7)
    trained.model(images)                               # (n,), for example steering

For any world whose frames have that number (`Frame.values`). With images of reality, which need no labels, it adapts to
them (`domains/`). It trains in chunks, each with its own streams of random numbers, and keeps its state after each: an
interrupted training goes on to the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from simloop.errors import InputError, did_you_mean, unknown
from simloop.learn.augmentations import get_augmentation
from simloop.learn.domains import ADAPTATIONS, Adaptation
from simloop.learn.driver_model import DriverModel, Scale, Shape
from simloop.learn.learner import Clock
from simloop.learn.normalisation import get_normalisation
from simloop.learn.pictures import Images, Pictures, check_images, resized
from simloop.learn.state import keep_state, kept_state
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable
from simloop.runs import write_aside

if TYPE_CHECKING:
    from simloop.learn.augmentations import Augmentation
    from simloop.learn.detector import Frames
    from simloop.learn.domains.course import Plain

#: gradient steps in a chunk, and part of the training over which the rate rises
_CHUNK, _WARM = 100, 0.05
#: weights of the losses of `translation`, beside each other
_TRANSLATION = {
    "reconstruction": 10.0,
    "cycle": 10.0,
    "latent": 1.0,
    "adversarial": 1.0,
    "control": 5.0,
    "control of cycle": 5.0,
}
#: part of the memory that is free which images may take, and bytes of a pixel: as it is, and copied beside recoveries
_MEMORY, _BYTES = 0.7, 3 + 3
#: how often a network drives to learn from it, and what part of the steps each of these networks learns for
_ROUNDS, _EARLY = 2, 0.2
#: a driver, a number of images and of the round -> images (n, H, W, 3) that it sees where it drives, and what is right
#: there (n,)
Recover = Callable[[DriverModel, int, int], tuple[Images, Array]]
#: a number of pairs -> images (n, 2, H, W, 3) that differ in one thing, and their numbers (n, 2)
Contrast = Callable[[int], tuple[Images, Array]]
#: part of a batch that is pairs, where a driver learns from any
_PAIRED = 0.375
#: images below which nothing can be said of a domain
_FEWEST = 16

__all__ = ["Driver", "DriverModel", "Images", "TrainedDriver", "read_images"]


@dataclass(frozen=True)
class TrainedDriver:
    """A model and how its training went.

    Attributes:
        model: what was learned.
        history: for each chunk the mean of each loss.
        wall_seconds: s that it took, over all the processes that worked on it.
        selection: of `auto`: what each adaptation scored, and which was taken; else empty.
    """

    model: DriverModel
    history: list[dict[str, Any]]
    wall_seconds: float
    selection: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Images that come in pairs, one after the other.

    Attributes:
        pictures: of 2 n images.
        labels: (2 n,) their numbers.
    """

    pictures: Pictures
    labels: Array

    @classmethod
    def of(cls, shape: Shape, images: Images, labels: Array) -> Pairs:
        """Images (n, 2, H, W, 3) and numbers (n, 2), for networks of a shape."""
        if not len(images) or images.shape[1:2] != (2,) or labels.shape != images.shape[:2]:
            raise InputError(
                f"pairs: expected images (n, 2, height, width, 3) and numbers (n, 2), got {images.shape} and"
                f" {labels.shape}"
            )
        return cls(shape.prepared(images.reshape(-1, *images.shape[2:])), labels.ravel())

    def drawn(self, count: int, change: Augmentation, rng: np.random.Generator) -> tuple[Any, Array]:
        """Some of them: images (2 count, C, H, W), both of a pair changed alike, and their numbers (2 count,)."""
        chosen = (2 * rng.integers(len(self.labels) // 2, size=(count, 1)) + np.arange(2)).ravel()
        return self.pictures.changed(chosen, change, rng, alike=2), self.labels[chosen]


@dataclass(frozen=True)
class Driver:
    """How a driver is trained.

    Attributes:
        label: the number to be learned, by its name in `Frame.values`.
        size: (width, height) pixels to which images are brought by averaging areas.
        normalisation: of images (`normalisation.NORMALISATIONS`).
        augmentation: of images in training (`augmentations.AUGMENTATIONS`).
        steps: gradient steps.
        batch: simulated images in each, and as many real ones where it adapts.
        learning_rate: of Adam at its highest; it rises at first and falls along a cosine.
        width: channels of the first convolution.
        adaptation: to images of reality; "auto" tries them and keeps one by a criterion that needs no labels
            (`selection.py`).
        coral_weight, dann_weight: of their losses, beside 1 for the label's.
        translation_steps, translation_batch: of `translation`, whose steps take longer.
        recoveries: images of where two first networks get to when they drive by themselves, from which, too, the
            network learns (`recoveries.py`); 0: none drives.
        pairs: of images that differ in what is in the way and in nothing else, whose difference is learned beside the
            numbers (`worlds/drive/counterfactuals.py`); 0: none.
        contrast_weight: of that difference's loss, beside 1 for the numbers'.
    """

    name: ClassVar[str] = "driver"
    needs: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    label: str = "steering"
    size: tuple[int, int] = (80, 60)
    normalisation: str = "local"
    augmentation: str = "light"
    steps: int = 4000
    batch: int = 64
    learning_rate: float = 2e-3
    width: int = 16
    adaptation: Adaptation = "none"
    coral_weight: float = 0.1
    dann_weight: float = 0.1
    translation_steps: int = 1600
    translation_batch: int = 16
    recoveries: int = 0
    pairs: int = 0
    contrast_weight: float = 0.5

    def __post_init__(self) -> None:
        get_normalisation(self.normalisation)
        get_augmentation(self.augmentation)
        if self.adaptation not in ADAPTATIONS:
            raise unknown("adaptation", self.adaptation, ADAPTATIONS)
        for name, value in (("recoveries", self.recoveries), ("pairs", self.pairs)):
            if value < 0:
                raise InputError(f"{name} of a driver: expected a number of images, 0 for none, got {value}")
        if len(self.size) != 2 or min(self.size) < 16:
            raise InputError(f"size of a driver's images: expected a width and a height from 16 on, got {self.size}")

    def train(
        self,
        images: Images,
        labels: Array,
        *,
        unlabelled: Images | None = None,
        recover: Recover | None = None,
        contrast: Contrast | None = None,
        seed: int = 0,
        folder: Path | None = None,
        progress: Progress = silent,
    ) -> TrainedDriver:
        """Learn from images.

        Args:
            images: (n, H, W, 3) simulated.
            labels: (n,) their numbers.
            unlabelled: (m, H', W', 3) real, to adapt to; None: only without adaptation.
            recover: lets a first network drive; None: only without `recoveries`.
            contrast: makes pairs; None: only without `pairs`.
            seed: of everything random.
            folder: where to keep the state between chunks, and from where to go on; None: nowhere.
            progress: told of each chunk.
        """
        self._check(images, labels, unlabelled)
        pairs = None
        if self.recoveries and recover is None:
            raise InputError("learner 'driver': nothing lets it drive, so it cannot learn from recoveries")
        if self.pairs:
            if contrast is None:
                raise InputError("learner 'driver': nothing makes pairs of images, so it cannot learn from them")
            pairs = Pairs.of(self.shape, *contrast(self.pairs))
        if recover is not None:
            for number in range(min(_ROUNDS, self.recoveries)):
                more, right = self._recovered(images, labels, pairs, recover, number, seed, folder, progress)
                images, labels = np.concatenate([images, more]), np.concatenate([labels, right])
        if self.adaptation == "auto":
            from simloop.learn.selection import select

            assert unlabelled is not None  # or it was refused
            return select(self, images, labels, unlabelled, pairs=pairs, seed=seed, folder=folder, progress=progress)
        simulated = self.shape.prepared(images)
        real = None if unlabelled is None or self.adaptation == "none" else self.shape.prepared(unlabelled)
        return self.train_prepared(simulated, labels, real, pairs=pairs, seed=seed, folder=folder, progress=progress)

    def _recovered(
        self, images: Images, labels: Array, pairs: Pairs | None, recover: Recover, number: int, seed: int,
        folder: Path | None, progress: Progress,
    ) -> tuple[Images, Array]:  # fmt: skip
        """What an early network, which adapts to nothing, sees where it drives, and what is right there; made once."""
        own = folder / f"round-{number}" if folder else None
        kept = own / "recoveries.npz" if own else None
        if kept and kept.exists():
            with np.load(kept) as stored:
                return stored["images"], stored["labels"]
        early = replace(self, adaptation="none", recoveries=0, steps=max(int(_EARLY * self.steps), 1))
        made = early.train_prepared(
            early.shape.prepared(images), labels, None, pairs=pairs, seed=seed, folder=own, progress=progress
        )
        share = -(-(self.recoveries - number) // _ROUNDS)
        more, right = recover(made.model, share, number)
        if kept:
            with write_aside(kept) as file:
                np.savez(file, images=more, labels=right)
        return more, right

    def _check(self, images: Images, labels: Array, unlabelled: Images | None) -> None:
        check_images(images)
        if len(images) < 2 or labels.shape != (len(images),):
            raise InputError(
                f"learner 'driver': expected a label for each of at least 2 images, got {labels.shape}"
                f" for {len(images)}"
            )
        if not np.isfinite(labels).all():
            raise InputError(f"learner 'driver': {(~np.isfinite(labels)).sum()} labels are not finite numbers")
        if unlabelled is not None:
            check_images(unlabelled, "unlabelled images")
        if self.adaptation != "none" and (unlabelled is None or len(unlabelled) < _FEWEST):
            have = 0 if unlabelled is None else len(unlabelled)
            raise InputError(
                f"adaptation {self.adaptation!r} needs at least {_FEWEST} unlabelled images of reality, got {have}"
            )

    @property
    def shape(self) -> Shape:
        """Of the networks that it trains."""
        return Shape(self.label, self.size, self.normalisation, self.width, self.adaptation)

    def train_prepared(
        self,
        images: Pictures,
        labels: Array,
        real: Pictures | None,
        *,
        pairs: Pairs | None = None,
        seed: int = 0,
        folder: Path | None = None,
        progress: Progress = silent,
    ) -> TrainedDriver:
        """Learn from images that were prepared; `auto` does so several times."""
        scale = Scale.of(labels)
        course = self._course(seed)
        kept_in = folder / course.trains if folder else None
        record: dict[str, Any] = {"chunk": 0, "wall_seconds": 0.0, "history": []}
        if kept := (kept_state(kept_in) if kept_in else None):
            course.restore(kept[0])
            record = kept[1]
        clock = Clock(record["wall_seconds"])
        steps, seen = self._steps, None if course.trains == "none" else real
        chunks = -(-steps // _CHUNK)
        deviations = scale.down(labels)
        beside = replace(pairs, labels=scale.down(pairs.labels)) if pairs else None
        for chunk in range(record["chunk"], chunks):
            first = chunk * _CHUNK
            some = range(first, min(first + _CHUNK, steps))
            losses = self._chunk(course, images, deviations, seen, beside, some, seed)
            line = {"steps": min(first + _CHUNK, steps), **losses, "wall_seconds": clock.seconds}
            record = {"chunk": chunk + 1, "wall_seconds": clock.seconds, "history": [*record["history"], line]}
            if kept_in:
                keep_state(kept_in, course.arrays(), record)
            progress(f"driver, {self.adaptation}: step {line['steps']}, loss {losses['control']:.3f}",
                     (chunk + 1) / chunks)  # fmt: skip
        with repeatable(0):
            course.finish(images, deviations, real)
        return TrainedDriver(DriverModel(self.shape, scale, course.driver()), record["history"], clock.seconds)

    @property
    def _steps(self) -> int:
        return self.translation_steps if self.adaptation == "translation" else self.steps

    def _chunk(
        self, course: Plain, images: Pictures, labels: Array, real: Pictures | None, pairs: Pairs | None, steps: range,
        seed: int,
    ) -> dict[str, float]:  # fmt: skip
        """Some gradient steps; the mean of each loss."""
        import torch

        from simloop.learn.domains.course import Batch

        change = get_augmentation(self.augmentation)
        size = self.translation_batch if self.adaptation == "translation" else self.batch
        paired = int(_PAIRED * size / 2) if pairs else 0
        with repeatable(int(stream(seed, "driver", "chunk", steps.start).integers(2**31))):
            likely = self._weights(course, labels, real) if real else None
            losses = []
            for step in steps:
                rng = stream(seed, "driver", "batch", step)
                chosen = rng.integers(len(images), size=size - 2 * paired)
                seen, numbers = images.changed(chosen, change, rng), labels[chosen]
                if pairs:
                    both, right = pairs.drawn(paired, change, rng)
                    seen, numbers = torch.cat([seen, both]), np.concatenate([numbers, right])
                other = real.changed(rng.choice(len(real), size=size, p=likely), change, rng) if real else None
                done = step / self._steps
                for optimizer in course.optimizers.values():
                    for group in optimizer.param_groups:
                        group["lr"] = optimizer.defaults["lr"] * self._rate(done)
                right = torch.from_numpy(numbers.astype(np.float32))
                losses.append(course.step(Batch(seen, right, other, done, paired)))
        return {name: float(np.mean([each[name] for each in losses])) for name in losses[0]}

    @staticmethod
    def _rate(done: float) -> float:
        return min((done + 1e-3) / _WARM, 0.5 * (1 + float(np.cos(np.pi * done))) + 1e-3)

    def _weights(self, course: Plain, labels: Array, real: Pictures) -> Array:
        """(m,) how likely each real image is drawn, by what the network says of it as far as it is trained."""
        from simloop.learn.domains.course import answers
        from simloop.learn.domains.label_shift import balance

        weights = balance(answers(course.driver(), real)[1], labels)
        return weights / weights.sum()

    def _course(self, seed: int) -> Plain:
        from simloop.learn.domains.course import Options
        from simloop.learn.domains.courses import COURSES

        weights = {"coral": self.coral_weight, "dann": self.dann_weight, "contrast": self.contrast_weight,
                   **_TRANSLATION}  # fmt: skip
        channels = get_normalisation(self.normalisation).channels
        options = Options(channels, self.size, self.width, self.learning_rate, weights)
        with repeatable(int(stream(seed, "driver").integers(2**31))):
            return COURSES[self.adaptation](options)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """The versions of the packages that what is learned depends on."""
        return {package: version(package) for package in cls.needs}


def read_images(frames: Frames, label: str, size: tuple[int, int], *, where: str = "frames") -> tuple[Images, Array]:
    """All images of a dataset (n, height, width, 3), and their numbers (n,), in memory.

    Args:
        frames: 12,000 images of 80 x 60 take 170 MB, and as much again where recoveries join them.
        label: a number of them, by name.
        size: (width, height) to bring them to.
        where: they are, in errors.

    Raises:
        InputError: if frames have no such number, or memory is too small.
    """
    width, height = size
    needed, free = len(frames) * width * height * _BYTES, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > _MEMORY * free:
        raise InputError(
            f"{where}: {len(frames):,} images of {width} x {height} take {needed / 1e9:.1f} GB while they are learned"
            f" from, and {free / 1e9:.1f} GB are free; learn from smaller or fewer ones"
        )
    images = np.empty((len(frames), height, width, 3), dtype=np.uint8)
    labels = np.empty(len(frames))
    for i in range(len(frames)):
        frame = frames[i]
        if label not in frame.values:
            raise InputError(
                f"{where}: its frames have no number {label!r}, they have"
                f" {', '.join(sorted(frame.values)) or 'none'}{did_you_mean(label, frame.values)}"
            )
        images[i], labels[i] = resized(frame.rgb[None], size)[0], frame.values[label]
    return images, labels
