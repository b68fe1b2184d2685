"""How far predictions are from what people did, in every way that papers measure it.

    tallies = tally(predicted_one, predicted_many, windows)
    total, count = tallies["minADE"]               # by scene; the measure is the sum of one over that of the other

ADE is the distance to the real place averaged over the 12 steps, FDE that at the last. Of many samples papers take the
least. They differ in of what: of each pedestrian (Trajectron++, Social-STGCNN, AgentFormer) or of each scene as a whole
(Social GAN's own code, JADE in Weng and others 2023); in whether the sample with the least ADE also gives the FDE; in
whether people who are alone count; and in whether each pedestrian counts once or each scene does. `VARIANTS` has all.

Two measures cannot be had by luck: the energy score of a scene's joint future (Gneiting and Raftery 2007, equation 22;
the norm is the root mean square over the scene's people and the steps, so that it is in m), and how many of those who
are predicted collide: come nearer to each other than TOUCH, also between two steps, on straight lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simloop.benchmark.prediction.windows import Windows
from simloop.parameters import Array

#: m between the middles of two people who collide, as in TrajNet++
TOUCH = 0.2

#: by scene, what is summed and over how many
Tally = tuple[Array, Array]


@dataclass(frozen=True)
class Variant:
    """One way to make a number of the same errors.

    Attributes:
        of: "single": one prediction; "pedestrian" or "scene": of which the least over samples is taken.
        joint: whether FDE is that of the sample with the least ADE.
        alone: whether scenes with one person count.
        weight: what counts once, each of the people or each of the scenes.
    """

    of: Literal["single", "pedestrian", "scene"]
    joint: bool = False
    alone: bool = False
    weight: Literal["people", "scenes"] = "people"

    def measure(self, quantity: str) -> str:
        """What ADE or FDE is called in this variant; the usual one has the short name."""
        parts = {"single": [], "pedestrian": [], "scene": ["of scenes"]}[self.of]
        parts = parts + ["of one sample"] * self.joint + ["alone too"] * self.alone
        parts += ["scenes alike"] * (self.weight == "scenes")
        name = quantity if self.of == "single" else f"min{quantity}"
        return ", ".join([name, *parts])


_OF: tuple[Literal["pedestrian", "scene"], ...] = ("pedestrian", "scene")
_WEIGHTS: tuple[Literal["people", "scenes"], ...] = ("people", "scenes")


def _variants() -> Iterator[Variant]:
    for alone in (False, True):
        for weight in _WEIGHTS:
            yield Variant("single", False, alone, weight)
    for of in _OF:
        for joint in (False, True):
            for alone in (False, True):
                for weight in _WEIGHTS:
                    yield Variant(of, joint, alone, weight)


VARIANTS = tuple(_variants())
#: the measures of the table, and what they mean
MEASURES = {
    "ADE": "mean distance of the single prediction to the real place, m",
    "FDE": "the same at the last step, m",
    "minADE": "least mean distance among the samples, for each pedestrian, m",
    "minFDE": "least last distance among the samples, for each pedestrian, m",
    "energy": "energy score of the joint future of a scene, m",
    "collisions": f"part of the people who come nearer than {TOUCH:g} m to another in a sampled future",
}
#: what is measured of samples; the rest is of the single prediction
SAMPLED = ("minADE", "minFDE", "energy", "collisions")


def tally(one: Array, many: Array, windows: Windows) -> dict[str, Tally]:
    """All measures by scene.

    Args:
        one: (n, 1, 12, 2) single predictions.
        many: (n, K, 12, 2) samples.
        windows: what was, with scenes of one person.
    """
    people = np.diff(windows.offsets).astype(float)
    found: dict[str, Tally] = {}
    single, sampled = _distances(one, windows), _distances(many, windows)
    ade = {"single": single[0], "pedestrian": sampled[0], "scene": sampled[0]}
    fde = {"single": single[1], "pedestrian": sampled[1], "scene": sampled[1]}
    for v in VARIANTS:
        least_ade, least_fde = _least(ade[v.of], fde[v.of], windows, v)
        use = np.ones(len(people)) if v.alone else (people > 1).astype(float)
        for quantity, sums in (("ADE", least_ade), ("FDE", least_fde)):
            total, count = (sums, people) if v.weight == "people" else (sums / people, np.ones(len(people)))
            found[v.measure(quantity)] = total * use, count * use
    several = (people > 1).astype(float)
    found["energy"] = energy(many, windows) * several, several
    found["collisions"] = collisions(many, windows) * several, people * several
    found["collisions of the single one"] = collisions(one, windows) * several, people * several
    return found


def _distances(predicted: Array, windows: Windows) -> tuple[Array, Array]:
    """ADE and FDE (n, K)."""
    apart = np.linalg.norm(predicted - windows.future[:, None], axis=-1)
    return apart.mean(axis=-1), apart[..., -1]


def _least(ade: Array, fde: Array, windows: Windows, v: Variant) -> tuple[Array, Array]:
    """Sums over each scene's people (S,) of the least ADE and FDE of (n, K)."""
    starts = windows.offsets[:-1]
    if v.of == "scene":  # people of a scene share the sample
        ade, fde = np.add.reduceat(ade, starts, axis=0), np.add.reduceat(fde, starts, axis=0)
    best = ade.argmin(axis=1)
    rows = np.arange(len(ade))
    least_ade = ade[rows, best]
    least_fde = fde[rows, best] if v.joint else fde.min(axis=1)
    if v.of == "scene":
        return least_ade, least_fde
    return np.add.reduceat(least_ade, starts), np.add.reduceat(least_fde, starts)


def energy(many: Array, windows: Windows) -> Array:
    """The energy score (S,), m, of the joint future of each scene's people under samples (n, K, 12, 2)."""
    samples = many.shape[1]
    out = np.empty(windows.scenes)
    for s, (a, b) in enumerate(zip(windows.offsets[:-1], windows.offsets[1:], strict=True)):
        size = (b - a) * many.shape[2]
        off = (many[a:b] - windows.future[a:b, None]).swapaxes(0, 1).reshape(samples, -1)
        apart = np.sqrt(np.square(off).sum(axis=1) / size).mean()
        if samples > 1:
            squares = np.square(off).sum(axis=1)
            between = np.maximum(squares[:, None] + squares - 2 * off @ off.T, 0.0)
            np.fill_diagonal(between, 0.0)
            apart -= np.sqrt(between / size).sum() / (samples * (samples - 1)) / 2
        out[s] = apart
    return out


def collisions(predicted: Array, windows: Windows) -> Array:
    """How many of each scene's people (S,) collide in predictions (n, K, 12, 2), averaged over samples."""
    out = np.zeros(windows.scenes)
    start = np.broadcast_to(windows.observed[:, None, -1:], (*predicted.shape[:2], 1, 2))
    paths = np.concatenate([start, predicted], axis=2).astype(np.float32)
    for s, (a, b) in enumerate(zip(windows.offsets[:-1], windows.offsets[1:], strict=True)):
        first, second = np.triu_indices(b - a, k=1)
        if not len(first):
            continue
        own = paths[a:b]
        apart = own[first] - own[second]
        longest = np.sqrt(np.square(np.diff(own, axis=2)).sum(-1).max(-1))
        reach = TOUCH + longest[first] + longest[second]  # farther than that at all steps is too far between them
        maybe = np.square(apart).sum(-1).min(-1) < np.square(reach)
        near = np.zeros(maybe.shape, dtype=np.bool_)
        near[maybe] = _nearest(apart[maybe]) < TOUCH
        hit = np.zeros((b - a, predicted.shape[1]), dtype=np.bool_)
        for ends in (first, second):
            np.logical_or.at(hit, ends[near.any(axis=1)], near[near.any(axis=1)])
        out[s] = hit.sum() / predicted.shape[1]
    return out


def _nearest(apart: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Array:
    """How near two who are `apart` (..., T, 2) at each step come to each other, (...), straight between steps."""
    step = np.diff(apart, axis=-2)
    begin = apart[..., :-1, :]
    along = -(begin * step).sum(-1) / np.maximum(np.square(step).sum(-1), 1e-12)
    nearest = begin + np.clip(along, 0, 1)[..., None] * step
    return np.asarray(np.sqrt(np.square(nearest).sum(-1).min(-1)), dtype=float)
