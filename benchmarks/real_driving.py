"""Does a network that has only driven in simulation steer a real car? The published drive's frames 600-799.

Drivers learn from frames of world `drive` in which nothing is randomised but the roads, and where a car stands on them
(`none`), in which all is (`all`), and in which one group of parameters is, or all but one. No label of a real frame is
used. Then the same frames, seen as if the camera were turned by 9 degrees: shifted by 12 rows.

The ablations are smaller than the first table's drivers, with one seed: they compare groups with each other.

Each training is kept in `runs/bench-driving`; a benchmark that was stopped goes on there. It saw every test label
before, whoever ran it before: what was chosen after looking is said in docs/real-images.md.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import show
from simloop import get_world
from simloop.benchmark.table import Benchmark, Entrant, benchmark
from simloop.distributions import Distribution, Point, Product, Uniform
from simloop.frames import Request
from simloop.learn.driving import Driver, DriverModel
from simloop.learn.recoveries import recoveries
from simloop.parameters import Parameter, ParameterSpace
from simloop.randomness import number
from simloop.runs import POLICY, Run
from simloop.targets.images import image_set
from simloop.worlds.drive.counterfactuals import counterfactuals, differing
from simloop.worlds.drive.world import Drive

_FOLDER = Path("runs/bench-driving")
_SEEDS = (0, 1, 2)
#: groups of the look, and of the world's own parameters; what is in neither always varies
_LOOK = ("texture", "lines", "light", "sky", "weather", "camera", "sensor")
_SCENE = ("markings", "things")
_OF_THINGS = frozenset(
    ["things", "obstacles", "cones", "barriers", "parked", "traffic", "pedestrians", "buildings", "clutter", "danger"]
)
GROUPS = (*_LOOK, *_SCENE)
#: pixels of larger pictures; new pairs of them, their seed, and numbers of pixels that differ in them
_LARGE = (160, 120)
_PAIRS, _PAIRS_SEED, _DIFFER = 600, 4321, (8, 50, 200)
#: rows of a picture of 120 that are 9 degrees
_ROWS = 12


@dataclass(frozen=True)
class Arm:
    """A training: which groups vary, how many frames, and how the driver learns."""

    name: str
    groups: tuple[str, ...]
    frames: int
    learner: Driver


_FULL = Driver(normalisation="local", steps=2000)
_ARMS = (
    Arm("all, local", GROUPS, 12_000, _FULL),
    Arm("none, local", (), 12_000, _FULL),
    Arm("all, grey-local", GROUPS, 12_000, replace(_FULL, normalisation="grey-local")),
    Arm("all, none", GROUPS, 12_000, replace(_FULL, normalisation="none")),
    Arm("none, none", (), 12_000, replace(_FULL, normalisation="none")),
)
#: longer trainings, of about 6 and 15 minutes of a core; the second also drives by itself (`drive_closed_loop`)
LONGER = Arm("all, longer", GROUPS, 24_000, Driver(normalisation="local-standard", steps=6000))
RECOVERING = Arm(
    "all, recoveries",
    GROUPS,
    24_000,
    Driver(normalisation="local-standard", augmentation="strong", steps=5000, width=24, recoveries=12_000),
)
#: of about 14 minutes: larger images, and pairs of them that differ in what is in the way
PAIRED = Arm(
    "all, pairs",
    GROUPS,
    24_000,
    Driver(size=_LARGE, normalisation="local-standard", steps=6000, width=24, pairs=6_000),
)
_SMALL = Driver(normalisation="local", steps=1000)


def run() -> None:
    """Print the tables."""
    frames, training = image_set("donkeycar-tub/test"), image_set("donkeycar-tub/train")
    for seed in _SEEDS:  # arms whose frames are the same follow each other
        for arm in sorted(_ARMS, key=lambda a: a.groups, reverse=True):
            trained(arm, seed)
    entrants = [Entrant(a.name, tuple(trained(a, s) for s in _SEEDS)) for a in (*_ARMS, LONGER, PAIRED)]
    found = benchmark(frames, entrants, training=training)
    print(f"{len(frames)} real frames, {_ARMS[0].frames} simulated ones, {len(_SEEDS)} seeds\n")
    show_table(found)
    print("\nthe same frames shifted by 12 rows (9 degrees): what is lost of r\n")
    show(["driver", "as they are", "up", "down"], [_shifted(e, frames) for e in entrants])
    print("\nwhat is in the way: how far it makes them steer elsewhere, in parts of how far the expert does\n")
    show_minded([e for e in entrants if e.name in (LONGER.name, PAIRED.name)])
    small = [Arm("all", GROUPS, 6_000, _SMALL), Arm("none", (), 6_000, _SMALL)]
    small += [Arm(f"{g} alone", (g,), 6_000, _SMALL) for g in GROUPS]
    small += [Arm(f"without {g}", tuple(x for x in GROUPS if x != g), 6_000, _SMALL) for g in GROUPS]
    print(f"\n{_SMALL.steps} steps, {small[0].frames} frames, one seed\n")
    show_table(benchmark(frames, [Entrant(a.name, (trained(a, 0),)) for a in small]))


def show_table(found: Benchmark) -> None:
    names = list(found.rows[0].values)
    differences = {d.name: d for d in found.differences}
    rows = []
    for row in found.rows:
        difference = differences.get(row.name)
        cell = ""
        if difference is not None and "MAE" in difference.values:
            low, high = difference.intervals["MAE"]
            cell = f"{difference.values['MAE']:+.3f} [{low:+.3f}, {high:+.3f}]"
        spread = ", ".join(f"{x:.3f}" for x in row.seeds["MAE"]) if len(row.predicted) > 1 else ""
        rows.append([row.name, *(_cell(row.values[n], row.intervals[n]) for n in names), spread, cell])
    show(["driver", *names, "MAE of seeds", f"MAE less {found.rows[0].name}"], rows)


def show_minded(entrants: list[Entrant]) -> None:
    """Of new pairs of pictures, by how many of their pixels differ; the mean over seeds, and twice its standard error.

    The error is that of the pairs: the deviation of how far a mean over seeds is off its line through 0.
    """
    scenes, look = distributions_of(GROUPS)
    pairs, right = counterfactuals(_drive(), _PAIRS, size=_LARGE, distribution=scenes, look=look, seed=_PAIRS_SEED)
    differ, expert = differing(pairs), right[:, 0] - right[:, 1]
    rows = []
    for low, high in itertools.pairwise((*_DIFFER, _LARGE[0] * _LARGE[1])):
        some = (differ >= low) & (differ < high)
        row = [f"{low} to {high}", str(some.sum()), f"{np.abs(expert[some]).mean():.3f}"]
        for entrant in entrants:
            apart = np.mean([m(pairs[some, 0]) - m(pairs[some, 1]) for m in entrant.seeds], axis=0)
            part = (apart * expert[some]).sum() / (expert[some] ** 2).sum()
            off = (apart - part * expert[some]) * expert[some]
            row.append(f"{part:.2f} ± {2 * np.sqrt((off**2).sum()) / (expert[some] ** 2).sum():.2f}")
        rows.append(row)
    show(["pixels that differ", "pairs", "the expert", *(e.name for e in entrants)], rows)


def _cell(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _shifted(entrant: Entrant, frames: Any) -> list[str]:
    """r on the frames as they are, and what shifting them up and down costs, the mean over seeds."""
    pictures, true = frames.read(), frames.labels["steering"]
    found = []
    for rows in (0, _ROWS, -_ROWS):
        moved = moved_down(pictures, rows)
        found.append(np.mean([np.corrcoef(model(moved), true)[0, 1] for model in entrant.seeds]))
    return [entrant.name, f"{found[0]:.3f}", *(f"{found[0] - x:+.3f}" for x in found[1:])]


def moved_down(pictures: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """Pictures (n, H, W, 3) shifted down by some rows; what was not seen is as the outermost row."""
    height = pictures.shape[1]
    return pictures[:, np.clip(np.arange(height) - rows, 0, height - 1)]


def trained(arm: Arm, seed: int) -> DriverModel:
    """The driver of an arm; trained once, then read."""
    some, _ = album(arm.groups, 16, seed)  # what the world's code makes of it
    configuration = {"arm": [arm.groups, arm.frames], "learner": vars(arm.learner), "seed": seed,
                     "frames": zlib.crc32(some.tobytes())}  # fmt: skip
    folder = _FOLDER / f"{arm.name.replace(', ', '-').replace(' ', '-')}-{seed}"
    with Run.open(folder, configuration) as kept:
        kept.stage("train", lambda: _train(arm, seed, kept.folder))
    return DriverModel.load(folder / POLICY)


def named(name: str) -> Arm:
    """The arm that has this name."""
    return next(a for a in (*_ARMS, LONGER, RECOVERING, PAIRED) if a.name == name)


def _train(arm: Arm, seed: int, folder: Path) -> dict[str, Any]:
    images, labels = album(arm.groups, arm.frames, seed, arm.learner.size)
    scenes, look = distributions_of(arm.groups)

    def recover(model: DriverModel, count: int, round_: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        return recoveries(
            _drive(), model, count, distribution=scenes, look=look, seed=number(seed, "recoveries", round_)
        )

    def contrast(count: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        return counterfactuals(_drive(), count, size=arm.learner.size, distribution=scenes, look=look,
                               seed=number(seed, "pairs"))  # fmt: skip

    made = arm.learner.train(images, labels, recover=recover, contrast=contrast, seed=seed, folder=folder / "training")
    made.model.save(folder / POLICY)
    return {"seconds": made.wall_seconds, "history": made.history[-1]}


def _drive() -> Drive:
    world = get_world("drive")
    assert isinstance(world, Drive)
    return world


@lru_cache(maxsize=2)
def album(
    groups: tuple[str, ...], count: int, seed: int, size: tuple[int, int] = (80, 60)
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Simulated frames (n, H, W, 3) in which some groups vary, and how an expert steers there (n,)."""
    scenes, look = distributions_of(groups)
    request = Request(size=size, passes=(), views=8)
    frames = get_world("drive").frames(range(count), request=request, distribution=scenes, look=look, seed=seed)
    images, labels = np.empty((count, *size[::-1], 3), dtype=np.uint8), np.empty(count)
    for i, frame in enumerate(frames):
        images[i], labels[i] = frame.rgb, frame.values["steering"]
    return images, labels


def distributions_of(groups: tuple[str, ...]) -> tuple[Distribution, Distribution]:
    """What scenes and what looks are drawn from: as `wide` in some groups, and the default in the others."""
    world = get_world("drive")

    def varies(parameter: Parameter) -> bool:
        return group_of(parameter.name, parameter.kind) in (*groups, "roads")

    return varied(world.distribution("wide"), varies), varied(world.looks()["wide"], varies)


def varied(wide: Distribution, varies: Callable[[Parameter], bool]) -> Distribution:
    """What some parameters are drawn from as in `wide`, while the others are as by default."""
    assert isinstance(wide, Uniform)
    parts: list[Distribution] = []
    for j, parameter in enumerate(wide.space):
        own = ParameterSpace([parameter])
        parts.append(Uniform(own, [wide.low[j]], [wide.high[j]]) if varies(parameter) else Point(own))
    return Product(None, parts)


def group_of(name: str, kind: str) -> str:
    """The group of a parameter; those of "roads" always vary: what is to be learned."""
    first = name.partition(".")[0]
    if first == "lens":
        return "camera"
    if first in _OF_THINGS:
        return "things"
    if first in ("lines", "kerb") and kind == "structure":
        return "markings"
    return first if first in _LOOK else "roads"
