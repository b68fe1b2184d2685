"""`auto`: which adaptation to take, without a label of reality.

Two things are asked, neither of which needs labels:

- *Is there anything to adapt to?* Features that the plain network has of reality are compared with those that it has
  of simulation (`outside`). Where reality lies within what simulation was randomised over, adaptation has little to win
  and can only disturb, so `none` is kept.
- *Does it tell more of reality?* Reverse validation: Zhong, Fan, Yang, Verscheure and Ren, "Cross validation framework
  to choose amongst models and datasets for transfer learning" (ECML 2010); Ganin et al. (JMLR 17, 2016), section 5.1.2.
  A network learns, from scratch, from real images with what the adapted one says of them, and is scored on simulated
  images, whose labels are known. What was said wrongly is then learned wrongly. Departures: the way back is plain
  training for all, so that candidates differ in what they say and in nothing else (adapted on the way back too, those
  that bend what they say do well); and it is gone several times, which tells how far to trust the score.

An adaptation is taken only if its reverse error is below that of `none` by more than doubt, two standard errors. The
way back cannot tell an image that is one to the right from one that is said to be, and under label shift a match of
distributions moves the mean of what is said of reality to that of simulated labels. So where that mean comes nearer to
it by more than a quarter of their deviation, or moves at all by more than a whole one, it is put back to where the
plain network has it: what was learned of how reality varies stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simloop.learn.domains import Adaptation
from simloop.learn.driver_model import DriverModel
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable

if TYPE_CHECKING:
    from simloop.learn.driving import Driver, Pairs, TrainedDriver
    from simloop.learn.pictures import Images, Pictures

#: what is tried; `translation` takes longer than all of them together and is taken by name
CANDIDATES: tuple[Adaptation, ...] = ("none", "adabn", "coral", "dann")
#: ways back, gradient steps of each, and simulated images that they are scored on
_WAYS, _STEPS, _SCORED = 3, 200, 600
#: part of reality that must lie outside of simulation before anything is adapted, and part of simulation that does
_OUTSIDE, _RARE = 0.25, 0.05
#: how far the mean of what is said of reality may come nearer to that of simulation, and move at all, in deviations
_NEARER, _MOVED = 0.25, 1.0


@dataclass(frozen=True)
class Score:
    """What is known of an adaptation without labels of reality.

    Attributes:
        reverse: (ways, n) absolute errors of simulated images, in the label's unit.
        moved: how far the mean of what is said of reality moved from where `none` has it, in deviations of the labels.
        back: whether it was put back.
    """

    reverse: Array
    moved: float
    back: bool

    def against(self, none: Score) -> tuple[float, float]:
        """By how much its error is below that of `none`, and two standard errors of that."""
        gain = none.reverse - self.reverse
        ways, images = gain.mean(axis=1), gain.mean(axis=0)
        variance = ways.var(ddof=1) / len(ways) + images.var(ddof=1) / len(images)
        return float(gain.mean()), 2 * float(np.sqrt(variance))


def select(
    learner: Driver,
    images: Images,
    labels: Array,
    unlabelled: Images,
    *,
    pairs: Pairs | None = None,
    seed: int,
    folder: Path | None,
    progress: Progress = silent,
) -> TrainedDriver:
    """Train with each adaptation, and return the one that is taken; arguments are those of `Driver.train`."""
    from simloop.learn.domains.course import answers

    plain = replace(learner, adaptation="none")
    simulated, real = plain.shape.prepared(images), plain.shape.prepared(unlabelled)
    trained: dict[str, TrainedDriver] = {}
    scores: dict[str, Score] = {}
    usual = 0.0  # the mean of what the plain network says of reality
    held = stream(seed, "driver", "scored").choice(len(images), size=min(_SCORED, len(images)), replace=False)
    for name in CANDIDATES:
        one = replace(learner, adaptation=name)
        trained[name] = one.train_prepared(
            simulated, labels, real, pairs=pairs, seed=seed, folder=folder, progress=progress
        )
        network = trained[name].model.network
        with repeatable(0):
            said = answers(network, real)[1]
        if name == "none":
            usual = float(said.mean())
        moved = float(said.mean()) - usual
        back = goes_back(usual, moved)
        if back:
            said = said - moved
            network.out.bias.data -= moved
        errors = reverse_errors(
            plain, trained[name].model.scale.up(said), simulated.some(held), labels[held], real, seed=seed,
            folder=folder / "reverse" / name if folder else None,
        )  # fmt: skip
        scores[name] = Score(errors, moved, back)
        progress(f"driver, {name}: judged without labels", (CANDIDATES.index(name) + 1) / len(CANDIDATES))
    far = outside(trained["none"].model, simulated.some(held), real)
    record = {name: _line(score, scores["none"]) for name, score in scores.items()}
    taken, why = chosen(record, far)
    wall = sum(each.wall_seconds for each in trained.values())
    selection = {"taken": taken, "why": why, "outside": far, "scores": record}
    return replace(trained[taken], selection=selection, wall_seconds=wall)


def goes_back(usual: float, moved: float) -> bool:
    """Whether a mean that moved from where the plain network has it is put back there, both in deviations."""
    return abs(usual) - abs(usual + moved) > _NEARER or abs(moved) > _MOVED


def chosen(scores: dict[str, dict[str, float]], far: float) -> tuple[str, str]:
    """The adaptation to take, and why, in one sentence."""
    if far < _OUTSIDE:
        return "none", (
            f"nothing is adapted: {far:.0%} of reality is outside of simulation, less than {_OUTSIDE:.0%}, so there is"
            " little to win"
        )
    better = {name: s["gain"] for name, s in scores.items() if name != "none" and s["gain"] > s["doubt"]}
    if not better:
        return "none", "nothing is adapted: none has a lower reverse error beyond doubt"
    best = max(better, key=lambda name: better[name])
    return best, (
        f"{best} is taken: {far:.0%} of reality is outside of simulation, and its reverse error is lower by"
        f" {better[best]:.3f}" + ("; its mean was put back" if scores[best]["put back"] else "")
    )


def reverse_errors(
    plain: Driver,
    said: Array,
    simulated: Pictures,
    labels: Array,
    real: Pictures,
    *,
    seed: int = 0,
    folder: Path | None = None,
) -> Array:
    """Absolute errors (ways, n) on simulated images, of networks that learned what is said of reality.

    Args:
        plain: how a network is trained.
        said: (m,) of real images.
        simulated: n images.
        labels: (n,) of them.
        real: images of reality.
        seed: of everything random.
        folder: where to keep the state of these trainings; None: nowhere.
    """
    from simloop.learn.domains.course import answers

    back = replace(plain, steps=min(_STEPS, plain.steps))
    errors = []
    for way in range(_WAYS):
        own = int(stream(seed, "driver", "way", way).integers(2**31))
        kept = folder / str(way) if folder else None
        learned = back.train_prepared(real, said, None, seed=own, folder=kept).model
        with repeatable(0):
            errors.append(np.abs(learned.scale.up(answers(learned.network, simulated)[1]) - labels))
    return np.array(errors)


def outside(model: DriverModel, simulated: Pictures, real: Pictures) -> float:
    """The part of real images whose features are farther from simulation than all but 5 % of simulated ones.

    Far is Mahalanobis' distance to one half of the simulated images; the other half says what is rare.
    """
    from simloop.learn.domains.course import answers

    with repeatable(0):
        a, b = (np.log1p(answers(model.network, x)[0]) for x in (simulated, real))
    known, new = a[::2], a[1::2]
    covariance = np.cov(known.T)
    covariance += (0.1 * np.trace(covariance) / len(covariance) + 1e-9) * np.eye(len(covariance))
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    distance = [(((x - known.mean(axis=0)) @ whiten.T) ** 2).sum(axis=1) for x in (new, b)]
    return float((distance[1] > np.quantile(distance[0], 1 - _RARE)).mean())


def _line(score: Score, none: Score) -> dict[str, Any]:
    gain, doubt = score.against(none) if score is not none else (0.0, 0.0)
    return {
        "reverse error": float(score.reverse.mean()),
        "gain": gain,
        "doubt": doubt,
        "moved": score.moved,
        "put back": score.back,
    }
