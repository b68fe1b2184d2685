"""The table: each model's measures with intervals, beside the baselines, and paired differences to the first model.

    result = benchmark(image_set("donkeycar-tub/test"), [Entrant("driver", (model,))],
                       training=image_set("donkeycar-tub/train"))
    result.rows[0].values["MAE"], result.rows[0].intervals["MAE"]

Predictions are taken raw. Whatever used a label of the real frames says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simloop.benchmark.baselines import calibration_frames, mean_label, nearest_neighbours, slope_and_offset
from simloop.benchmark.blocks import BLOCK, block_weights
from simloop.benchmark.measures import MEASURES
from simloop.errors import InputError, count
from simloop.gap.bootstrap import percentile_interval
from simloop.gap.gap import Interval
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.targets.images import STEERING, ImageSet

#: frames that a model is shown at a time
_TOGETHER = 256


class Steers(Protocol):
    """A model that looks at images and gives one number for each."""

    @property
    def label(self) -> str:
        """What it predicts."""
        ...

    def __call__(self, images: NDArray[np.uint8], /) -> Array:
        """The prediction (n,) for images (n, H, W, 3)."""
        ...


@dataclass(frozen=True)
class Entrant:
    """One model of the table, in one or several seeds, and what to know of it."""

    name: str
    seeds: tuple[Steers, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the table.

    Attributes:
        name: of the model or the baseline.
        predicted: (S, n) by seed and scored frame.
        labels: how many labels of real frames it used.
        note: what to know of it.
        model: whether it is a model that was given, and not a baseline or one calibrated.
        values: by measure, the mean over seeds.
        intervals: by measure, 95 % over resamples of the frames; NaN where there are too few.
        seeds: by measure, the least and the most over seeds.
        samples: by measure, (1 + B,) the mean over seeds on the frames and on each resample.
    """

    name: str
    predicted: Array
    labels: int = 0
    note: str = ""
    model: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    seeds: Mapping[str, Interval] = field(default_factory=dict)
    samples: Mapping[str, Array] = field(default_factory=dict, repr=False)

    @property
    def mean(self) -> Array:
        """(n,) predictions, the mean over seeds."""
        return np.asarray(self.predicted.mean(axis=0))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.model,
            "seeds": len(self.predicted),
            "labels used": self.labels,
            "note": self.note,
            "measures": {
                m: {"value": self.values[m], "interval": self.intervals[m], "least and most of seeds": self.seeds[m]}
                for m in self.values
            },
            "predicted": np.round(self.predicted, 4).tolist(),
        }


@dataclass(frozen=True)
class Difference:
    """A row minus the first model, by measure, with 95 % intervals over the same resamples."""

    name: str
    first: str
    values: dict[str, float]
    intervals: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        measures = {m: {"value": v, "interval": self.intervals[m]} for m, v in self.values.items()}
        return {"name": self.name, "minus": self.first, "measures": measures}


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What `benchmark` found.

    Attributes:
        images: the frames that the rows are of: those with a label, or all where none has one.
        frames: how many there were in all.
        rows: models first, then what was calibrated, then baselines. Without labels they have no values.
        differences: of each other row to the first model.
        training: the name of the frames whose labels the baselines used; "": none.
    """

    images: ImageSet
    frames: int
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    training: str

    @property
    def scored(self) -> bool:
        """Whether there were labels to score with."""
        return bool(self.images.labelled.any())

    @property
    def true(self) -> Array:
        """(n,) the human's steering, NaN where there is none."""
        return np.asarray(self.images.labels.get(STEERING, np.full(len(self.images), np.nan)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "images": self.images.name,
            "provenance": self.images.provenance,
            "frames": self.frames,
            "scored": len(self.images) if self.scored else 0,
            "skipped": [list(s) for s in self.images.skipped],
            "block": BLOCK,
            "training": self.training,
            "human": self.true.tolist(),
            "rows": [r.to_dict() for r in self.rows],
            "differences": [d.to_dict() for d in self.differences],
        }


def benchmark(
    images: ImageSet,
    models: Sequence[Entrant],
    *,
    training: ImageSet | None = None,
    calibrate: int = 0,
    seed: int = 0,
    progress: Progress = silent,
) -> Benchmark:
    """Show frames to models and score what they say.

    Args:
        images: the frames; those without a label are left out where others have one.
        models: in the table's order; differences are to the first.
        training: other frames of which baselines may use the labels, and from which models are calibrated.
        calibrate: add each model with a slope and an offset fitted to so many labels of the training part; 0: do not.
        seed: of the resamples.
        progress: told of each model.
    """
    frames = len(images)
    if training is not None and set(images.files) & set(training.files):
        raise InputError(f"{training.name!r} holds frames that are scored; its labels would give them away")
    if calibrate and training is None:
        raise InputError("--calibrate needs labelled frames that are not scored: give --train")
    if images.labelled.any():
        images = images.take(images.labelled)
    rows = []
    for k, entrant in enumerate(models):
        rows.append(Row(entrant.name, _said(entrant, images), note=entrant.note, model=True))
        progress(f"benchmark: {entrant.name}", (k + 1) / len(models))
    if not images.labelled.any():
        return Benchmark(images, frames, tuple(rows), (), "")
    if calibrate and training is not None:
        used = calibration_frames(training, calibrate)
        rows += [_calibrated(e, row, used) for e, row in zip(models, list(rows), strict=True)]
    rows += _baselines(images, training)
    return _scored(images, frames, rows, training, seed)


def _said(entrant: Entrant, images: ImageSet) -> Array:
    """(S, n) what a model says of frames, by seed; frames are read a few at a time."""
    for model in entrant.seeds:
        if model.label != STEERING:
            raise InputError(f"{entrant.name}: predicts {model.label!r}; what is scored is {STEERING!r}")
    out = np.empty((len(entrant.seeds), len(images)))
    for first in range(0, len(images), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        pictures = images.read(part)
        for k, model in enumerate(entrant.seeds):
            out[k, part] = model(pictures)
    if not np.isfinite(out).all():
        wrong = int((~np.isfinite(out)).any(axis=0).sum())
        raise InputError(f"{entrant.name}: says no finite number of {count(wrong, 'frame')}; train it again")
    return out


def _calibrated(entrant: Entrant, row: Row, used: ImageSet) -> Row:
    """A model with a line fitted, for each of its seeds, to what it says of labelled frames."""
    said, true = _said(entrant, used), used.labels[STEERING]
    lines = np.array([slope_and_offset(own, true) for own in said])
    predicted = lines[:, :1] * row.predicted + lines[:, 1:]
    return Row(f"{row.name}, calibrated", predicted, len(used), f"slope and offset fitted with {len(used)} real labels")


def _baselines(images: ImageSet, training: ImageSet | None) -> list[Row]:
    """What stands beside the models; without a training part the mean is of the scored frames' own labels."""
    n, rows = len(images), []
    source = training if training is not None and training.labelled.any() else None
    mean, labels = mean_label(images if source is None else source)
    of = "the scored frames themselves" if source is None else repr(source.name)
    rows.append(Row("mean", np.full((1, n), mean), labels, f"{mean:+.3f}, the mean label of {of}"))
    rows.append(Row("zero", np.zeros((1, n)), 0, "straight on"))
    if source is not None:
        known = source.take(source.labelled)
        said = known.labels[STEERING][nearest_neighbours(known, images)]
        note = f"the label of the frame of {source.name!r} with the nearest pixels: memory of places, not driving"
        rows.append(Row("nearest neighbour", said[None], len(known), note))
    return rows


def _scored(images: ImageSet, frames: int, rows: Sequence[Row], training: ImageSet | None, seed: int) -> Benchmark:
    true = np.asarray(images.labels[STEERING])
    found: list[dict[str, list[Array]]] = [{m: [] for m in MEASURES} for _ in rows]
    for weights in block_weights(len(true), seed=seed):
        for row, kept in zip(rows, found, strict=True):
            for m, measure in MEASURES.items():
                kept[m].append(np.stack([measure.of(p, true, weights) for p in row.predicted]))
    done = [_measured(row, {m: np.concatenate(v, axis=1) for m, v in kept.items()})
            for row, kept in zip(rows, found, strict=True)]  # fmt: skip
    first = next((row for row in done if row.model), None)
    differences = [_difference(row, first) for row in done if first is not None and row is not first]
    name = training.name if training is not None and training.labelled.any() else ""
    return Benchmark(images, frames, tuple(done), tuple(differences), name)


def _measured(row: Row, by_seed: Mapping[str, Array]) -> Row:
    """A row with its measures (S, 1 + B) by seed and resample."""
    samples = {m: v.mean(axis=0) for m, v in by_seed.items()}
    return Row(
        row.name, row.predicted, row.labels, row.note, row.model,
        values={m: float(v[0]) for m, v in samples.items()},
        intervals={m: percentile_interval(v[1:]) for m, v in samples.items()},
        seeds={m: (float(v[:, 0].min()), float(v[:, 0].max())) for m, v in by_seed.items()},
        samples=samples,
    )  # fmt: skip


def _difference(row: Row, first: Row) -> Difference:
    samples = {m: row.samples[m] - first.samples[m] for m in MEASURES}
    return Difference(
        row.name, first.name, {m: float(v[0]) for m, v in samples.items()},
        {m: percentile_interval(v[1:]) for m, v in samples.items()},
    )  # fmt: skip
