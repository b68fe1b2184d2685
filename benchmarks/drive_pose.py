"""Does an unknown camera's pose come out of its pictures, and what does knowing it give back to a driver?

Stand-ins for a car: frames of `drive` from a camera of its own pose, on roads and in looks of its own, 4 for the fit
and 4 others for the test; they are written to a folder and read back as anyone's. The fit reads no label and none of
the stand-in's parameters. Drivers have a fixed camera with the right pose, one whose pitch is wrong by 10 degrees, or
the look that was fitted, whose search knows neither; all else is as wide as it can be, the same for all. What the wrong
pose costs is its mean absolute error of steering minus that of the right pose; recovered is what part of it the fitted
look does not cost.

Each part is kept in `runs/bench-drive-pose`; a benchmark that was stopped goes on there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.table import show
from simloop import get_world
from simloop.adapt import get_method
from simloop.adapt.appearance import LookComparison, beside, searched
from simloop.distributions import Distribution, Point
from simloop.frames import Request
from simloop.learn.driver_model import DriverModel
from simloop.learn.driving import Driver
from simloop.learn.look_reader import LookReader
from simloop.learn.pictures import Images
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.runs import Run
from simloop.targets.images import image_set
from simloop.verbs_look import OPTIONS, look_of, pose_of, taught

_FOLDER = Path("runs/bench-drive-pose")
_SIZE = (80, 60)
_SEEDS = (0, 1, 2)
#: places of a stand-in for each part, and frames of each place
_PLACES, _EACH = 4, 120
#: simulated frames that a driver learns from, and its steps
_FRAMES, _STEPS = 6000, 1500
_WRONG = np.radians(10.0)
#: what is fitted, and how far from the default a stand-in's may be: a factor where the scale is logarithmic
_POSE = {"camera.height": 1.3, "camera.pitch": 0.12, "camera.roll": 0.04, "camera.fov": 0.25}
#: what is fixed and not asked for
_OTHER = ("camera.yaw", "camera.forward")


def run() -> None:
    """Print the tables."""
    names = list(_POSE)
    with Run.open(_FOLDER / "reader", {"reader": names}) as kept:
        seen = kept.stage("reader", lambda: taught(get_world("drive"), names, seed=0, progress=_quiet,
                                                   folder=kept.folder / "training"))  # fmt: skip
        reader = LookReader.load(kept.folder / "training")
    print("read from one frame: " + ", ".join(f"{n} {x:.0%}" for n, x in seen.items()), "\n", flush=True)
    rows, recovered = [], []
    for seed in _SEEDS:
        truth = pose_of_stand_in(seed)
        with Run.open(_FOLDER / f"stand-in-{seed}", {"seed": seed, "frames": _FRAMES, "steps": _STEPS}) as kept:
            fit = kept.stage("fit", lambda: fitted(kept.folder / "frames", reader, seed))  # noqa: B023 - run at once
            maes = {arm: kept.stage(arm, lambda: {"MAE": score(arm, seed, fit)})["MAE"]  # noqa: B023
                    for arm in ("right", "wrong", "fitted")}  # fmt: skip
        cost = maes["wrong"] - maes["right"]
        recovered.append((cost, maes["wrong"] - maes["fitted"]))
        for j, name in enumerate(names):
            rows.append([seed, name, f"{truth[j]:.3f}", f"{fit['mean'][j]:.3f}",
                         f"{fit['low'][j]:.3f} to {fit['high'][j]:.3f}",
                         "yes" if fit["low"][j] <= truth[j] <= fit["high"][j] else "no"])  # fmt: skip
        off = np.degrees(fit["mean"][names.index("camera.pitch")] - truth[names.index("camera.pitch")])
        print(f"stand-in {seed}: pitch off by {off:+.2f} degrees; MAE right {maes['right']:.3f}, wrong"
              f" {maes['wrong']:.3f}, fitted {maes['fitted']:.3f}", flush=True)  # fmt: skip
    print()
    show(["stand-in", "parameter", "truth", "fitted", "90 %", "holds it"], rows)
    cost, back = np.sum(recovered, axis=0)
    print(f"\nthe wrong pose costs {cost / len(_SEEDS):.3f} of MAE; the fitted look recovers {back / cost:.0%} of it")


def pose_of_stand_in(seed: int) -> Array:
    """The camera of a stand-in, (4,)."""
    rng = stream(seed, "bench", "pose")
    space, z = get_world("drive").look, []
    for name, reach in _POSE.items():
        p = space[name]
        u = rng.uniform(-1, 1)
        z.append(p.default * reach**u if p.scale == "log" else p.default + reach * u)
    return np.array(z)


def fixed(pose: Sequence[float]) -> Point:
    """A camera that is mounted so and does not move."""
    world = get_world("drive")
    names = [*_POSE, *_OTHER]
    space = ParameterSpace([world.look[n] for n in names])
    return Point(space, [*pose, *(world.look[n].default for n in _OTHER)])


def places(seed: int, part: str) -> tuple[Images, Array]:
    """Frames of a stand-in's car in places of its own, (n, H, W, 3), and how an expert steers there, (n,)."""
    world = get_world("drive")
    wide = world.looks()["wide"]
    images, steering = [], []
    for place in range(_PLACES):
        rng = stream(seed, "bench", "place", part, place)
        look = beside(fixed(pose_of_stand_in(seed)), Point(world.look, wide.sample(1, rng)[0]), world.look)
        request = Request(size=_SIZE, views=_EACH)
        for frame in world.frames(range(_EACH), request=request, distribution=world.distribution("wide"), look=look,
                                  seed=int(rng.integers(2**31))):  # fmt: skip
            images.append(frame.rgb)
            steering.append(frame.values["steering"])
    return np.stack(images), np.array(steering)


def fitted(folder: Path, reader: LookReader, seed: int) -> dict[str, Any]:
    """Fit the look to a stand-in's frames by SimOpt."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(places(seed, "fit")[0]):
        Image.fromarray(image).save(folder / f"{i:04d}.png")
    return fit_to(folder, reader, seed)


def fit_to(folder: str | Path, reader: LookReader, seed: int) -> dict[str, Any]:
    """Fit the look to a folder of frames, or to those of the catalogue."""
    world = get_world("drive")
    wide = world.looks()["wide"]
    search, prior = searched(world.look, wide, list(_POSE))
    real = reader(image_set(folder).read(size=_SIZE))
    comparison = LookComparison(world, reader, real, fitted=search.space, rest=wide,
                                scenes=world.distribution("wide"), size=_SIZE, seed=seed)  # fmt: skip
    adaptation = get_method("simopt", OPTIONS["simopt"]).fit(comparison, prior, seed=seed)
    pose = pose_of(comparison, adaptation, prior, seed)
    return {**pose, "searched": adaptation.distribution.mean.tolist(),
            "look": look_of(world, adaptation, pose).to_dict()}  # fmt: skip


def learned(look: Distribution, seed: int) -> DriverModel:
    """A driver that has seen frames of a look on roads of any kind."""
    world = get_world("drive")
    images, steering = [], []
    for frame in world.frames(range(_FRAMES), request=Request(size=_SIZE, views=8),
                              distribution=world.distribution("wide"), look=look, seed=10_000 + seed):  # fmt: skip
        images.append(frame.rgb)
        steering.append(frame.values["steering"])
    # shifts of the picture would be a little of another pose, which is what is measured here
    learner = Driver(steps=_STEPS, augmentation="none")
    return learner.train(np.stack(images), np.array(steering), seed=seed).model


def arm_look(arm: str, pose: Sequence[float], fit: dict[str, Any]) -> Distribution:
    """What an arm's driver sees."""
    world = get_world("drive")
    if arm == "fitted":
        return Distribution.from_dict(fit["look"])
    off = np.array(pose, dtype=float)
    if arm == "wrong":
        at = list(_POSE).index("camera.pitch")
        off[at] += _WRONG if off[at] < world.look["camera.pitch"].default else -_WRONG
    return beside(fixed(off.tolist()), world.looks()["wide"], world.look)


def score(arm: str, seed: int, fit: dict[str, Any]) -> float:
    """Mean absolute error of an arm's driver in places that nothing was fitted to."""
    model = learned(arm_look(arm, pose_of_stand_in(seed).tolist(), fit), seed)
    images, steering = places(seed, "test")
    return float(np.abs(model(images) - steering).mean())


def _quiet(message: str, fraction: float) -> None:
    print(f"\r{message:80}", end="" if fraction < 1 else "\n", flush=True)
