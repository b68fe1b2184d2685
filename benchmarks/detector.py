"""Does it teach? What randomising each part of a look is worth to a detector that is tested on another look.

A detector is trained on frames of `tabletop` whose look is the world's own (`none`), varies in one group of parameters,
or in all; and tested on scenes that it has not seen, in a family of looks that no training has: surfaces patterned by
noise of several octaves (training has flat colours, gradients, checkers and stripes), lamps redder or bluer than any
in training, fainter or stronger, and a sensor that is worse. Nothing lies about: clutter looks like the things. All
arms have as many frames of as many scenes, the same network and steps.

The second table: as many frames, but of fewer different scenes, textures or lights.

Each training is kept in `runs/bench-detector`; a benchmark that was stopped goes on there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.table import show
from simloop import get_world
from simloop.distributions import Distribution, Point, Product, Uniform
from simloop.frames import Category, Frame, Request
from simloop.learn.detector import Detector
from simloop.parameters import ParameterSpace
from simloop.runs import Run
from simloop.worlds.photograph import look_distributions, look_space

_FOLDER = Path("runs/bench-detector")
_FRAMES, _TEST, _SIZE = 600, 200, (96, 96)
_SEEDS = (0, 1, 2)
_LEARNER = Detector(steps=800, batch=16, agnostic=True)
_GROUPS = ("texture", "gloss", "light", "sky", "camera", "sensor")
#: what is varied in training: parameters whose range is not that of `wide`
_TRAINING = {"texture.kind": (1, 4), "sensor.depth_noise": (0, 1e-9)}
#: and in the test
_HELD_OUT = {
    "texture.kind": (5, 5),
    "texture.share": (0.7, 1.0),
    "light.strength": (0.2, 1.5),
    "sensor.motion": (0.0, 0.03),
    "sensor.photon_noise": (0.02, 0.1),
    "sensor.jpeg": (30, 85),
}
#: K, colours of lamps that no training has
_LAMPS = ((2000, 2700), (10000, 15000))


@dataclass(frozen=True)
class Arm:
    """A training: which groups of the look vary, and how many different scenes, textures, lights there are."""

    name: str
    groups: tuple[str, ...]
    views: int = 1
    distinct: tuple[tuple[str, int], ...] = ()


class Album:
    """Frames in memory."""

    def __init__(self, frames: Iterable[Frame], categories: tuple[Category, ...]) -> None:
        self.frames, self.categories = list(frames), categories

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]


def run() -> None:
    """Print the tables."""
    arms = [Arm("none", ()), *(Arm(g, (g,)) for g in _GROUPS), Arm("all", _GROUPS)]
    for first in ([arms[0], arms[-1]], arms):  # what matters most is there first
        scores = {arm.name: list[float]() for arm in arms}
        for seed in _SEEDS:
            for arm in first:
                scores[arm.name].append(score(arm, seed))
    none = np.array(scores["none"])
    rows = []
    for arm in arms:
        mine = np.array(scores[arm.name])
        rows.append([arm.name, *(f"{s:.3f}" for s in mine), f"{mine.mean():.3f}", _gain(mine - none, arm.name)])
    print(f"{_FRAMES} frames of {_SIZE[0]} x {_SIZE[1]}, {_LEARNER.steps} steps, {_TEST} test frames; AP50\n")
    show(["varied in training", *(f"seed {s}" for s in _SEEDS), "mean", "gain over none, 95 %"], rows)
    print()
    show(["different", "scenes", "textures", "lights"], _diversity())


def _gain(difference: np.ndarray, name: str) -> str:
    """Mean of paired differences with its t interval."""
    if name == "none":
        return ""
    half = stats.t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{difference.mean():+.3f} [{difference.mean() - half:+.3f}, {difference.mean() + half:+.3f}]"


def _diversity() -> list[list[str]]:
    """AP50 with all groups varied, for fewer different scenes, textures and lights; one seed."""
    rows = []
    for n in (1, 10, 100, _FRAMES):
        whole = n == _FRAMES
        kinds = [
            Arm(f"{n} scenes", _GROUPS, views=_FRAMES // n),
            Arm(f"{n} textures", _GROUPS, distinct=(("texture", n),)),
            Arm(f"{n} lights", _GROUPS, distinct=(("light", n),)),
        ]
        rows.append([str(n), *(f"{score(Arm('all', _GROUPS) if whole else arm, 0):.3f}" for arm in kinds)])
    return rows


def score(arm: Arm, seed: int) -> float:
    """AP50 of a training on the held-out family; trained and scored once, then read."""
    configuration = {"arm": vars(arm), "seed": seed, "frames": _FRAMES, "size": _SIZE, "learner": vars(_LEARNER),
                     "training": _TRAINING, "test": [_HELD_OUT, _LAMPS, _TEST]}  # fmt: skip
    with Run.open(_FOLDER / f"{arm.name.replace(' ', '-')}-{seed}", configuration) as kept:
        return float(kept.stage("score", lambda: _score(arm, seed, kept.folder))["AP50"])


def _score(arm: Arm, seed: int, folder: Path) -> dict[str, float]:
    look = look_of(arm.groups, _TRAINING)
    trained = _LEARNER.train(album(look, _FRAMES, seed, arm), seed=seed, folder=folder / "training")
    return {"AP50": trained.model.score(test())}


def test() -> Album:
    """Scenes of their own in the held-out family of looks."""
    halves = [look_of(_GROUPS, {**_HELD_OUT, "light.temperature": lamp}) for lamp in _LAMPS]
    parts = [album(look, _TEST // 2, 10_000 + k, Arm("test", ())) for k, look in enumerate(halves)]
    return Album([f for p in parts for f in p.frames], parts[0].categories)


def album(look: Distribution, count: int, seed: int, arm: Arm) -> Album:
    """Frames of the table; things are large enough to be seen in small pictures."""
    world = get_world("tabletop")
    near = world.distribution("wide")
    assert isinstance(near, Uniform)
    low, high = near.low.copy(), near.high.copy()
    for name, ends in {"objects.count": (2, 8), "objects.size": (0.08, 0.14)}.items():
        low[near.space.index(name)], high[near.space.index(name)] = ends
    scenes = Uniform(near.space, low, high)
    request = Request(size=_SIZE, passes=("instances",), views=arm.views, distinct=dict(arm.distinct))
    frames = world.frames(range(count), request=request, distribution=scenes, look=look, seed=seed)
    return Album(frames, world.categories)


def look_of(groups: tuple[str, ...], ranges: dict[str, tuple[float, float]]) -> Distribution:
    """A look that varies as `wide` in some groups, or as `ranges` say, and is the world's own in the others."""
    wide = look_distributions()["wide"]
    assert isinstance(wide, Uniform)
    parts: list[Distribution] = []
    for j, parameter in enumerate(look_space()):
        own = ParameterSpace([parameter])
        group = "sensor" if parameter.name.startswith("lens.") else parameter.name.partition(".")[0]
        low, high = ranges.get(parameter.name, (wide.low[j], wide.high[j]))
        varied = group in groups
        parts.append(
            Uniform(own, [low], [high])
            if varied and low < high
            else Point(own, [low] if varied else [parameter.default])
        )
    return Product(None, parts)
