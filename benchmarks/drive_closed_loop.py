"""How far does a network drive in a renderer and weather that its training never had, before someone takes the wheel?

Drivers of `real_driving`, three seeds each: all randomised, with recoveries, with pairs, and with neither, and nothing
but the roads randomised. They drive new roads in world `drive/held-out`, MuJoCo's renderer, with its weather and
lights; so do the expert, who knows the road, and one who goes straight on. Roads are as in `wide`, with ice and blocked
lanes, but first nothing lies in the lane. A network says the mean of what may be right, and so steers too little in
tight bends: what it says is multiplied by `_GAIN`. Trainings and drives are kept in `runs/`; a benchmark that was
stopped goes on there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.real_driving import Arm, named, trained, varied
from benchmarks.table import show
from simloop import get_world
from simloop.distributions import Distribution
from simloop.runs import Run
from simloop.worlds.drive.closed_loop import close_loop, constant
from simloop.worlds.drive.held_out import HeldOut

_FOLDER = Path("runs/bench-drive-closed-loop")
_ARMS = ("all, recoveries", "all, pairs", "all, local", "none, local")
_SEEDS = (0, 1, 2)
#: km of each driver, on how many roads; those of the expert and of one who goes straight on are as many as of one seed
_FAR, _ROADS, _ROAD_SEED = 5.0, 25, 77
_LOOK, _GAIN = "weather", 1.3
_EYE = (160, 120)


def run() -> None:
    """Print the tables."""
    for lying in (False, True):
        rows = []
        for arm in map(named, _ARMS):
            driven = [_kept(arm, seed, lying) for seed in _SEEDS]
            km, n = sum(d["kilometres"] for d in driven), sum(d["interventions"] for d in driven)
            each = ", ".join(str(d["interventions"]) for d in driven)
            rows.append([arm.name, f"{km:.1f}", f"{n} ({each})", _each(km, n), *_comfort(driven)])
        for name, driver in (("expert", None), ("straight on", constant())):
            one = close_loop(
                _world(), driver, distribution=_roads(lying), roads=_ROADS, kilometres=_FAR, seed=_ROAD_SEED
            ).to_dict()
            rows.append([name, f"{one['kilometres']:.1f}", str(one["interventions"]),
                         _each(one["kilometres"], one["interventions"]), *_comfort([one])])  # fmt: skip
        what = "with things" if lying else "nothing"
        print(f"{_ROADS} roads, look {_LOOK}, {what} in the lane; comfort and error are root mean squares\n")
        show(["driver", "km", "interventions (seeds)", "km each", "off the line, m", "to the side, m/s^2",
              "jerk, m/s^3"], rows)  # fmt: skip


def _world() -> HeldOut:
    world = get_world("drive/held-out")
    assert isinstance(world, HeldOut)
    return world


def _roads(lying: bool) -> Distribution:
    """Roads of `wide`, with or without what lies in the lane."""
    return varied(_world().distribution("wide"), lambda p: lying or p.name != "obstacles.count")


def _kept(arm: Arm, seed: int, lying: bool) -> dict[str, Any]:
    configuration = {"arm": arm.name, "seed": seed, "gain": _GAIN, "km": _FAR, "roads": _ROADS, "look": _LOOK,
                     "lying": lying}  # fmt: skip
    name = f"{arm.name.replace(', ', '-')}-{'things-' if lying else ''}{seed}"
    with Run.open(_FOLDER / name, configuration) as kept:
        return kept.stage("driven", lambda: _driven(arm, seed, lying))


def _driven(arm: Arm, seed: int, lying: bool) -> dict[str, Any]:
    world, model = _world(), trained(arm, seed)
    with world.onboard(_EYE, look=world.looks()[_LOOK], seed=_ROAD_SEED) as see:
        return close_loop(
            world, lambda seen: _GAIN * model(seen), see=see, distribution=_roads(lying), roads=_ROADS, kilometres=_FAR,
            seed=_ROAD_SEED,
        ).to_dict()  # fmt: skip


def _each(km: float, interventions: int) -> str:
    return f"{km / interventions:.2f}" if interventions else f"none in {km:.1f}"


def _comfort(driven: list[dict[str, Any]]) -> list[str]:
    return [
        f"{sum(d[name] for d in driven) / len(driven):.{digits}f}"
        for name, digits in (("error", 2), ("acceleration", 2), ("jerk", 1))
    ]
