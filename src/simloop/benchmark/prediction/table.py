"""The table: every predictor on every set of recordings, with intervals, beside baselines, and paired differences.

    windows = cut_windows(track_set("eth-ucy/hotel"), least=1)
    found = benchmark_tracks({"hotel": windows}, [Contestant("mine", (model,))])
    found.rows[0].figures["hotel"]["ADE"].value, found.rows[0].figures["hotel"]["ADE"].interval

Windows overlap: a person is in up to twenty scenes that follow each other. Intervals are therefore by blocks of scenes
(`blocks.py`), as long as a window. The mean of sets is that of the sets' own numbers, as papers have it; its resamples
draw in each set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simloop.benchmark.blocks import block_weights
from simloop.benchmark.prediction.baselines import ConstantVelocity, Line, NoisyVelocity
from simloop.benchmark.prediction.predictor import Predictor
from simloop.benchmark.prediction.scores import MEASURES, SAMPLED, Tally, collisions, tally
from simloop.benchmark.prediction.windows import OBSERVED, PREDICTED, Windows
from simloop.errors import InputError
from simloop.gap.bootstrap import percentile_interval
from simloop.gap.gap import Interval
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream

#: scenes in a block: as long as a window
BLOCK = OBSERVED + PREDICTED
#: samples of the field
SAMPLES = 20
#: what the mean of all sets is called
MEAN = "mean"
#: people whose paths are kept for pictures, of each model and set
_WORST = 6


@dataclass(frozen=True)
class Contestant:
    """One model of the table, in one or several seeds, and what to know of it.

    A seed is one predictor, or one for each set where what it may learn from differs (leave one out).
    """

    name: str
    seeds: tuple[Predictor | Mapping[str, Predictor], ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Figure:
    """A measure: its value, 95 % interval (NaN where there are too few scenes), and its least and most over seeds."""

    value: float
    interval: Interval
    seeds: Interval
    samples: Array = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "interval": self.interval, "least and most of seeds": self.seeds}


@dataclass(frozen=True, eq=False)
class Worst:
    """A person whom a model predicts badly, the scene, and what it said.

    Attributes:
        name: of the set.
        person: place in the scene.
        seen: (m, 8, 2) m, of the scene's people.
        real: (m, 12, 2) m.
        predicted: (m, K, 12, 2) m.
        error: m, the ADE of the person's single prediction, which is the first of `predicted`.
    """

    name: str
    person: int
    seen: Array
    real: Array
    predicted: Array
    error: float


@dataclass(frozen=True, eq=False)
class PredictorRow:
    """One row of the table: by set, and for their mean, each measure."""

    name: str
    note: str
    model: bool
    seeds: int
    figures: Mapping[str, Mapping[str, Figure]]
    worst: tuple[Worst, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        sets = {s: {m: f.to_dict() for m, f in own.items()} for s, own in self.figures.items()}
        return {"name": self.name, "note": self.note, "model": self.model, "seeds": self.seeds, "sets": sets}


@dataclass(frozen=True, eq=False)
class TrackBenchmark:
    """What `benchmark_tracks` found.

    Attributes:
        sets: by name, how many people and scenes with at least two people it has.
        alone: by name, how many people are alone in their scene.
        rows: models first, then baselines.
        real: by name, which part of the people really come as near to others as counts as a collision.
        samples: how many futures were asked for.
    """

    sets: Mapping[str, tuple[int, int]]
    alone: Mapping[str, int]
    rows: tuple[PredictorRow, ...]
    real: Mapping[str, float]
    samples: int

    def difference(self, row: PredictorRow, name: str, measure: str) -> Figure:
        """A row less the baseline of the measure, on the same resamples."""
        base = self.baseline(measure).figures[name][measure]
        return _figure((row.figures[name][measure].samples - base.samples)[None])

    def baseline(self, measure: str) -> PredictorRow:
        """Constant velocity: with noise for what is measured of samples."""
        sampled = measure in SAMPLED or measure.startswith("min")
        wanted = NoisyVelocity.name if sampled else ConstantVelocity.name
        return next(r for r in self.rows if r.name == wanted and not r.model)

    def to_dict(self) -> dict[str, Any]:
        return {
            "sets": {k: {"people": n, "scenes": s, "alone": self.alone[k]} for k, (n, s) in self.sets.items()},
            "samples": self.samples,
            "block": BLOCK,
            "collisions of real people": dict(self.real),
            "rows": [r.to_dict() for r in self.rows],
            "differences": [
                {"name": r.name, "minus": self.baseline(m).name, "set": s, "measure": m,
                 **self.difference(r, s, m).to_dict()}
                for r in self.rows if r.model for s in r.figures for m in MEASURES
            ],
        }  # fmt: skip


def benchmark_tracks(
    sets: Mapping[str, Windows],
    models: Sequence[Contestant],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> TrackBenchmark:
    """Score predictors.

    Args:
        sets: windows by name, cut with `least=1`: who is alone is left out where a measure does.
        models: in the table's order; the baselines come after them.
        samples: futures of each scene.
        seed: of the samples and the resamples.
        progress: told of each model and set.
    """
    for name, windows in sets.items():
        if not (np.diff(windows.offsets) > 1).any():
            raise InputError(
                f"{name}: no two people are there together for {BLOCK} rows ({BLOCK * 0.4:g} s), so that there is"
                " nothing to score by the field's protocol"
            )
    weights = {name: _weights(windows, seed, name) for name, windows in sets.items()}
    baselines = [Contestant(b.name, (b,)) for b in (ConstantVelocity(), Line(), NoisyVelocity())]
    rows = []
    for k, contestant in enumerate([*models, *baselines]):
        scored = {}
        worst: list[Worst] = []
        for j, (name, windows) in enumerate(sets.items()):
            tallies, bad = _scored(contestant, name, windows, samples, seed)
            scored[name] = {m: _of_weights(t, weights[name]) for m, t in tallies.items()}
            worst += bad
            progress(f"benchmark: {contestant.name}, {name}", (k + (j + 1) / len(sets)) / (len(models) + 3))
        figures = {s: {m: _figure(v) for m, v in own.items()} for s, own in scored.items()}
        if len(sets) > 1:
            figures[MEAN] = {
                m: _figure(_mean([own[m] for own in scored.values()])) for m in next(iter(scored.values()))
            }
        worst.sort(key=lambda w: -w.error)
        rows.append(PredictorRow(contestant.name, contestant.note, k < len(models), len(contestant.seeds), figures,
                                 tuple(worst[:_WORST])))  # fmt: skip
    several = {name: np.diff(w.offsets)[np.diff(w.offsets) > 1] for name, w in sets.items()}
    real = {s: float(collisions(w.future[:, None], w).sum() / several[s].sum()) for s, w in sets.items()}
    counts = {s: (int(n.sum()), len(n)) for s, n in several.items()}
    return TrackBenchmark(counts, {s: len(w) - counts[s][0] for s, w in sets.items()}, tuple(rows), real, samples)


def _scored(
    contestant: Contestant, name: str, windows: Windows, samples: int, seed: int
) -> tuple[dict[str, list[Tally]], list[Worst]]:
    """Tallies by measure and seed, and whom the first seed predicts worst."""
    found: dict[str, list[Tally]] = {}
    worst: list[Worst] = []
    for k, one in enumerate(contestant.seeds):
        predictor = one[name] if isinstance(one, Mapping) else one
        rng = stream(seed, "prediction", name, str(k))
        single = _said(predictor, contestant.name, windows, 1, rng)
        many = _said(predictor, contestant.name, windows, samples, rng)
        for m, t in tally(single, many, windows).items():
            found.setdefault(m, []).append(t)
        if k == 0:
            worst = _worst(name, windows, single, many)
    return found, worst


def _said(predictor: Predictor, name: str, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
    predicted = np.asarray(predictor.predict(windows.blind, samples, rng), dtype=float)
    wanted = (len(windows), samples, PREDICTED, 2)
    if predicted.shape != wanted:
        raise InputError(f"{name}: predictions must have shape {wanted}, got {predicted.shape}")
    if not np.isfinite(predicted).all():
        raise InputError(f"{name}: some predictions are not finite; train it again")
    return predicted


def _worst(name: str, windows: Windows, single: Array, many: Array) -> list[Worst]:
    """Those with the largest ADE, each person once, in scenes of several people."""
    error = np.linalg.norm(single[:, 0] - windows.future, axis=-1).mean(axis=-1)
    error = np.where(np.diff(windows.offsets)[windows.scene] > 1, error, -1)
    found: list[Worst] = []
    known: set[tuple[int, int]] = set()
    for i in np.argsort(-error, kind="stable")[: _WORST * BLOCK].tolist():
        who = int(windows.recording[i]), int(windows.person[i])
        if who in known or error[i] < 0:
            continue
        known.add(who)
        a, b = windows.offsets[windows.scene[i]], windows.offsets[windows.scene[i] + 1]
        found.append(Worst(name, i - int(a), windows.observed[a:b], windows.future[a:b],
                           np.concatenate([single[a:b], many[a:b]], axis=1), float(error[i])))  # fmt: skip
        if len(found) == _WORST:
            break
    return found


def _weights(windows: Windows, seed: int, name: str) -> Array:
    """(1 + B, S) how often each scene counts; blocks of scenes that follow each other."""
    parts = block_weights(windows.scenes, seed=seed, block=BLOCK, names=("prediction", name))
    return np.concatenate(list(parts))


def _of_weights(tallies: Sequence[Tally], weights: Array) -> Array:
    """(seeds, 1 + B) the measure under each row of weights."""
    total = np.stack([t for t, _ in tallies])
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any scene that counts
        return np.asarray((total @ weights.T) / (weights @ tallies[0][1]))


def _mean(sets: Sequence[Array]) -> Array:
    """The mean of sets; without resamples where one set has none."""
    width = min(s.shape[1] for s in sets)
    return np.asarray(np.mean([s[:, :width] for s in sets], axis=0))


def _figure(by_seed: Array) -> Figure:
    samples = by_seed.mean(axis=0)
    seeds = float(by_seed[:, 0].min()), float(by_seed[:, 0].max())
    return Figure(float(samples[0]), percentile_interval(samples[1:]), seeds, samples)
