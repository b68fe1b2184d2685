"""What the command line's verbs do about looks and images of reality: `adapt WORLD --target IMAGES`, `look --target`.

A run of an adaptation to images: simulate frames of looks drawn widely and teach a reader to say their look; search
the look whose frames it reads as it reads reality (any method that searches by sampling); say how sure that is; ask
whether simulation and reality can be told apart, before and after. Labels of the images are never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.adapt import Adaptation, get_method
from simloop.adapt.appearance import VIEWS, LookComparison, beside, pictures, searched
from simloop.adapt.binding import bound
from simloop.adapt.discrepancy import Discrepancy
from simloop.data.sheet import check_sheet, write_pictures
from simloop.distributions import Distribution, Normal, Product, Uniform
from simloop.errors import InputError, count, need, unknown
from simloop.gap.images import BLOCK, energy_distance, told_apart
from simloop.learn.look_reader import LookReader
from simloop.learn.pictures import Images
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.runs import TRAINING, Resume, Run, write_json
from simloop.targets.images import ImageSet
from simloop.verbs_data import distribution_named, look_named
from simloop.worlds import World
from simloop.worlds.description import describe_world, versions

#: groups of the look that are fitted where nobody says which, as far as they can be seen
GROUPS = ("camera", "lens")
#: part of a parameter's variance that a reader must explain before the parameter is fitted
LEAST_SEEN = 0.2
#: frames that the reader learns from, its gradient steps, and frames around the search's end
FRAMES, STEPS, AROUND = 8000, 2000, 1000
#: of a method, where nobody says it: a frame costs as much as a hundred windows of a pendulum
OPTIONS: Mapping[str, dict[str, Any]] = {
    "simopt": {"iterations": 6, "samples": 32, "windows": 24, "covariance": "scaled"},
    "cem": {"iterations": 6, "samples": 32, "windows": 24, "elite": 0.25},
}
#: parameters that change their sign where left and right are exchanged
_TURNED = ("camera.roll", "camera.yaw")
#: frames of each arm that the classifier sees, and pairs of a report's sheet
_TOLD, SHEET_PAIRS = 400, 6
SIZE = (80, 60)


@dataclass(frozen=True)
class Fitted:
    """One parameter of a look that was fitted, in its unit.

    Attributes:
        name, unit: its own.
        seen: part of its variance that the reader explains from one frame.
        default: of the world.
        searched: where the search ended.
        value: what the images say.
        low, high: 90 % of that.
        known: part of the variance of what was believed before that the images took away.
    """

    name: str
    unit: str
    seen: float
    default: float
    searched: float
    value: float
    low: float
    high: float
    known: float


@dataclass(frozen=True)
class LookFit:
    """A fitted look in its run's folder."""

    folder: Path
    images: str
    adaptation: Adaptation
    fitted: tuple[Fitted, ...]
    unseen: dict[str, float]
    apart: dict[str, dict[str, Any]]
    look: Distribution

    def to_dict(self) -> dict[str, Any]:
        a = self.adaptation
        return {
            "run": str(self.folder),
            "images": self.images,
            "fitted": [asdict(f) for f in self.fitted],
            "not seen": self.unseen,
            "told apart": self.apart,
            "method": a.method,
            "history": a.history,
            "frames": a.rollouts,
            "hash": self.look.hash,
        }

    def show(self) -> None:
        terminal.table(
            ["parameter", "default", "search ended at", "fitted", "90 %", "unit", "seen in a frame", "known"],
            [[f.name, *(f"{x:.3g}" for x in (f.default, f.searched, f.value)), f"{f.low:.3g} to {f.high:.3g}",
              f.unit, f"{f.seen:.0%}", f"{f.known:.0%}"] for f in self.fitted],
            title=f"{self.adaptation.method}: look fitted to {self.images}, without labels",
        )  # fmt: skip
        for f in self.fitted:
            if f.unit == "rad":
                value, low, high = np.degrees([f.value, f.low, f.high])
                terminal.say(f"  {f.name}: {value:.1f} degrees ({low:.1f} to {high:.1f})")
        if self.unseen:
            names = ", ".join(f"{name} ({max(x, 0):.0%})" for name, x in self.unseen.items())
            terminal.say(f"left as wide as they are, because a frame does not show them: {names}")
        terminal.table(
            ["look", "energy distance", "told apart from reality", "95 %", "p"],
            [[name, f"{x['energy distance']:.3f}", f"{x['accuracy']:.0%}",
              f"{x['interval'][0]:.0%} to {x['interval'][1]:.0%}", f"{x['p']:.2g}"] for name, x in self.apart.items()],
        )  # fmt: skip
        terminal.say("half of them is chance; intervals hold as far as simulation can look like reality at all")
        terminal.say(f"look {self.look.hash} is in {self.folder}; use it: simloop generate --look {self.folder}")


def fit_look_into(
    folder: Path,
    world: World,
    images: ImageSet,
    method: str,
    options: dict[str, Any],
    *,
    fit: Sequence[str] = (),
    seed: int = 0,
    budget: int | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> LookFit:
    """Fit a world's look to images, into a run's folder, or go on there.

    Args:
        folder: the run's.
        world: one with cameras and a look.
        images: of reality; their labels are not read.
        method: its name: one that searches by sampling.
        options: of the method.
        fit: parameters of the look or groups of them; (): those of `GROUPS` that a frame shows.
        seed: of everything random.
        budget: the largest number of frames of the search.
        resume: what to do with a folder that holds a run already.
        progress: told how far it is.
    """
    need(("torch", "safetensors"), "the adaptation to images", "learn")
    options = {**OPTIONS.get(method, {}), **options}
    chosen = get_method(method, options)
    if chosen.works_on is not Discrepancy:
        raise InputError(f"method {method!r} replays recordings, and images cannot be replayed; use simopt or cem")
    asked = candidates(world, fit)
    if len(images) < 2 * BLOCK:
        raise InputError(f"{images.name}: {count(len(images), 'image')} are too few; {2 * BLOCK} or more say something")
    bare = replace(images, labels={})
    configuration = {
        "look": {"method": method, "options": options, "fit": list(fit), "seed": seed, "budget": budget,
                 "frames": FRAMES, "steps": STEPS},
        "world": describe_world(world),
        "images": {"name": images.name, "hash": bare.hash(), "count": len(images), "provenance": images.provenance,
                   "description": images.description, "source": images.source, "licence": images.licence},
    }  # fmt: skip
    with Run.open(folder, configuration, resume=resume) as run:
        at = folder / TRAINING
        explained = run.stage("reader", lambda: taught(world, asked, seed=seed, progress=progress, folder=at))
        names = [n for n in asked if fit or explained[n] >= LEAST_SEEN]
        if not names:
            raise InputError(f"no parameter among {', '.join(asked)} can be seen in a frame; say which: --fit")
        reader = LookReader.load(at).of([asked.index(n) for n in names])
        wide = _wide(world)
        space, prior = searched(world.look, wide, names)
        real = images.read(size=SIZE)
        comparison = LookComparison(world, reader, reader(real), fitted=space.space, rest=wide,
                                    scenes=distribution_named(world, None, "wide"), size=SIZE, seed=seed)  # fmt: skip
        stage = f"adapt-{method}"
        record = run.stage(
            stage,
            lambda: chosen.fit(comparison, prior, seed=seed, budget=budget, checkpoint=run.checkpoint(stage),
                               progress=progress).to_dict(),
        )  # fmt: skip
        adaptation = Adaptation.from_dict(record)
        pose = run.stage("pose", lambda: pose_of(comparison, adaptation, prior, seed))
        look = look_of(world, adaptation, pose)
        arms = {"default": world.looks()["default"], "wide": wide, "fitted": look}
        apart = run.stage("told-apart", lambda: _apart(world, comparison, arms, real, seed))
        run.stage("versions", lambda: versions(world))
        write_json(folder / "distribution.json", look.to_dict())
        if not (folder / "sheet.png").exists():
            write_side_by_side(folder / "sheet.png", world, look, images, pairs=SHEET_PAIRS, seed=seed)
    fitted = tuple(
        Fitted(p.name, p.unit, explained[p.name], p.default, *(float(x) for x in numbers))
        for p, *numbers in zip(space.space, adaptation.distribution.mean, pose["mean"], pose["low"], pose["high"],
                               pose["known"], strict=True)
    )  # fmt: skip
    unseen = {n: explained[n] for n in asked if n not in names}
    return LookFit(folder, images.name, adaptation, fitted, unseen, apart, look)


def candidates(world: World, fit: Sequence[str]) -> list[str]:
    """Names of the parameters of a look that may be fitted: what was asked for, or those of `GROUPS`."""
    space = world.look
    if not len(space):
        raise InputError(f"world {world.name!r} has no parameters of appearance, so that nothing fits it to images")
    groups = {p.name.partition(".")[0] for p in space}
    found: list[str] = []
    for word in fit or [g for g in GROUPS if g in groups]:
        own = [p.name for p in space if word in (p.name, p.name.partition(".")[0]) and not p.discrete]
        if not own:
            raise unknown(f"parameter or group of the look of {world.name!r} that can be fitted:", word,
                          [*groups, *(p.name for p in space if not p.discrete)])  # fmt: skip
        found += own
    return [p.name for p in space if p.name in found]


def taught(
    world: World, names: Sequence[str], *, seed: int, progress: Progress, folder: Path, frames: int = FRAMES
) -> dict[str, float]:
    """Teach a reader to say some parameters of a look, keep it in a folder; what part of each it explains, by name."""
    wide = _wide(world)
    search, _ = searched(world.look, wide, names)
    images, rows = [], []
    look, scenes = beside(search, wide, world.look), distribution_named(world, None, "wide")
    drawn = int(stream(seed, "look", "reader").integers(2**31))
    for first in range(0, frames, 50 * VIEWS):
        numbers = range(first, min(first + 50 * VIEWS, frames))
        some, own = pictures(world, numbers, look, scenes, names, size=SIZE, seed=drawn)
        images.append(some)
        rows.append(own)
        progress(f"simulating frames: {numbers.stop} of {frames}", numbers.stop / frames)
    plain = all(n.partition(".")[0] in GROUPS for n in names)
    turned = [i for i, n in enumerate(names) if n in _TURNED] if world.mirror is not None else None
    reader = LookReader.train(
        np.concatenate(images), search.space.to_scale(np.concatenate(rows)), size=SIZE, turned=turned, steps=STEPS,
        normalisation="grey-local" if plain else "none", seed=seed, progress=progress,
    )  # fmt: skip
    reader.save(folder)
    return dict(zip(names, reader.seen.explained, strict=True))


def pose_of(comparison: LookComparison, adaptation: Adaptation, prior: Normal, seed: int) -> dict[str, Any]:
    """What the images say of the fitted parameters: mean, covariance in their scale, 90 %."""
    space = prior.space
    around = Normal.independent(space, adaptation.distribution.mean, prior.spread / 2)
    found = bound(comparison, around, prior, count=AROUND, seed=seed)
    mean = np.clip(found.mean, space.to_scale(space.low), space.to_scale(space.high))
    half = 1.645 * np.sqrt(np.diag(found.covariance))
    return {
        "mean": space.from_scale(mean).tolist(),
        "covariance": found.covariance.tolist(),
        "low": space.from_scale(mean - half).tolist(),
        "high": space.from_scale(mean + half).tolist(),
        "known": found.known.tolist(),
    }


def look_of(world: World, adaptation: Adaptation, pose: dict[str, Any]) -> Product:
    """The fitted look: about what the images say, as wide as where the search ended and as what they leave open.

    What simulation lacks is in neither. What was not fitted is as wide as it was.
    """
    ended = adaptation.distribution
    assert isinstance(ended, Normal)
    part = Normal(ended.space, pose["mean"], ended.covariance + np.array(pose["covariance"]))
    return beside(part, _wide(world), world.look)


def _apart(
    world: World, comparison: LookComparison, arms: Mapping[str, Distribution], real: Images, seed: int
) -> dict[str, dict[str, Any]]:
    """For each look how far its frames are from the images, and how often a classifier tells them."""
    features = comparison.reader.read(real)[0]
    found = {}
    for name, look in arms.items():
        drawn = int(stream(seed, "look", "told").integers(2**31))
        simulated, _ = pictures(world, range(_TOLD), look, comparison.scenes, (), size=SIZE, seed=drawn)
        test = told_apart(
            comparison.reader.read(simulated)[0], features,
            blocks=(np.arange(_TOLD) // VIEWS, np.arange(len(real)) // BLOCK), seed=seed,
        )  # fmt: skip
        found[name] = {**asdict(test), "energy distance": energy_distance(comparison.said(simulated), comparison.real)}
    return found


def write_side_by_side(
    path: Path, world: World, look: Distribution, images: ImageSet, *, pairs: int, seed: int, scale: int = 2
) -> tuple[int, int]:
    """Write a sheet: real images above, simulated frames below them; return its size, (width, height) pixels."""
    check_sheet(path)
    at = np.linspace(0, len(images) - 1, pairs).round().astype(int)
    size = (SIZE[0] * scale, SIZE[1] * scale)
    real = images.read(at, size=size)
    scenes = distribution_named(world, None, "wide")
    numbers = range(0, pairs * VIEWS, VIEWS)
    simulated, _ = pictures(world, numbers, look, scenes, (), size=size, seed=seed)
    return write_pictures(path, list(zip(real, simulated, strict=True)))


def look_beside(path: Path, name: str, look: str | None, images: ImageSet, *, pairs: int, seed: int) -> str:
    """Write the sheet of a world's look beside images; say what it shows."""
    from simloop.worlds import get_world

    check_sheet(path)
    world = get_world(name)
    seen = look_named(world, look, "wide")
    if seen is None:
        raise InputError(f"world {name!r} has no parameters of appearance")
    size = write_side_by_side(path, world, seen, images, pairs=min(pairs, len(images)), seed=seed)
    return f"{path}: above {images.name}, below random draws of {name}, {size[0]} x {size[1]} pixels"


def _wide(world: World) -> Uniform:
    wide = world.looks().get("wide")
    if not isinstance(wide, Uniform):
        raise InputError(f"world {world.name!r} does not say how far its look may vary (it has no look 'wide')")
    return wide
