"""World `tabletop`: objects made by program (`objects.py`) are dropped on a table and lie as physics lets them.

    for frame in Tabletop().frames(range(100), distribution=Tabletop().distribution("wide"), seed=7): ...

- A still (`Request.length` 1) shows the objects at rest. Each is laid over a free place, or over what lies there, and
  let go. What fell off the table is dropped again; what fell off three times is left out, so that there may be fewer
  objects than `objects.count` where they hardly fit.
- A sequence begins with the objects in the air, in any rotation. They fall and come to rest; then, again and again, one
  of them is pushed. What falls off the table stays on the floor.

There is nothing to record, observe or command yet.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.frames import Category, Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.appearance import CLUTTER_CATEGORY
from simloop.worlds.arrange import OnArea, arrange
from simloop.worlds.constraints import Area, NotIntersecting, Supported
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.spreads import distributions, ranged, space
from simloop.worlds.staged import Instance, Staged
from simloop.worlds.tabletop.furniture import CAMERAS, SURFACES, TIME_STEP, room, rub, surfaces
from simloop.worlds.tabletop.objects import FAMILIES, ObjectShape, quaternion_of, random_object
from simloop.worlds.tabletop.settle import lay, motion, settle, tumble

if TYPE_CHECKING:
    import mujoco

#: how often an object is dropped before it is left out
DROPS = 3
#: m, over what is below it, from which an object is dropped for a still, and for a sequence
_GAP, _FALL = 0.005, 0.1
#: m, no object is longer; no object is larger or smaller than the middle by more than this factor
_LONGEST, _FACTOR = 0.25, 2.5


TABLE = [
    ranged("objects.count", 1, 10, 60, (3, 20), "", "objects that are dropped", integer=True),
    ranged("objects.size", 0.02, 0.06, 0.15, (0.04, 0.09), "m", "longest side, median over the objects", log=True),
    ranged("objects.size_spread", 0, 0.25, 0.6, (0.1, 0.4), "", "standard deviation of its logarithm"),
    *(ranged(f"share.{f}", 0, 0.5, 1, (0, 1), "", f"how many objects are of family {f}, relative to the other shares")
      for f in FAMILIES),
    ranged("table.depth", 0.5, 0.7, 1.2, (0.6, 0.9), "m", "along x, away from the robot"),
    ranged("table.width", 0.5, 1.0, 1.8, (0.8, 1.4), "m", "along y"),
    ranged("table.height", 0.3, 0.75, 1.1, (0.6, 0.9), "m", "of the top above the floor"),
    ranged("table.legs", 0, 1, 1, (0, 1), "", "what carries the top", choices=("block", "legs")),
    ranged("wall.there", 0, 1, 1, (0, 1), "", "behind the table", choices=("no wall", "wall")),
    ranged("drop.area", 0.1, 0.4, 0.9, (0.2, 0.7), "", "part of the top, in its middle, that objects drop on"),
    ranged("objects.density", 100, 600, 5000, (300, 1500), "kg/m^3", "median over the objects", kind="dynamics",
           log=True),
    ranged("objects.density_spread", 0, 0.3, 1, (0, 0.6), "", "standard deviation of its logarithm", kind="dynamics"),
    ranged("friction.sliding", 0.1, 0.6, 1.5, (0.3, 1), "", "coefficient against sliding", kind="dynamics", log=True),
    ranged("friction.torsional", 1e-4, 3e-3, 0.03, (1e-3, 0.01), "m", "against turning on the spot", kind="dynamics",
         log=True),
    ranged("friction.rolling", 1e-4, 1e-3, 0.01, (4e-4, 2.5e-3), "m", "against rolling", kind="dynamics", log=True),
    ranged("push.impulse", 2e-3, 0.05, 0.5, (0.02, 0.1), "N s", "of a push in a sequence", kind="dynamics", log=True),
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Dropped:
    """An object of a scene and where it starts."""

    name: str
    shape: ObjectShape
    mass: float
    rgba: tuple[float, float, float, float]
    position: Array
    quaternion: Array


class Tabletop(PhysicsWorld):
    """The table and what lies on it: another scene for each number."""

    def __init__(self) -> None:
        super().__init__(
            name="tabletop",
            summary="objects made by program, dropped on a table; there is nothing to command",
            build=lambda: self.stage(self.parameters.default, 0, 0, Request()).spec,
            parameters=space(TABLE),
            bindings=[],
            effects=[],
            channels=[],
            actions=[],
            control_dt=TIME_STEP,
        )

    @property
    def cameras(self) -> tuple[str, ...]:
        return CAMERAS

    @property
    def categories(self) -> tuple[Category, ...]:
        return (*(Category(f, keypoints=("centre",)) for f in FAMILIES), *SURFACES, CLUTTER_CATEGORY)

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def state(self, positions: Array, rates: Array) -> Array:
        raise InputError("world 'tabletop' is photographed: nothing is recorded of it, so there is nothing to replay")

    def stage(self, row: Array, number: int, seed: int, request: Request) -> Staged:
        """Scene `number`: at rest for a still; falling, resting and pushed for a sequence."""
        values = tuple(self.parameters.check(row)[0].tolist())
        placed, qpos = _scene(values, number, seed, request.length, request.rate)
        v = _named(values)
        return Staged(_spec(v, placed), qpos, (*map(_instance, placed), *surfaces(v)))


def _named(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((row.parameter.name for row in TABLE), values, strict=True))


@lru_cache(maxsize=1)  # views of one scene that are made in several goes
def _scene(
    values: tuple[float, ...], number: int, seed: int, length: int, rate: float
) -> tuple[tuple[_Dropped, ...], Array]:
    """The objects of a scene where they are let go or lie, and their motion (T, nq)."""
    v, still = _named(values), length == 1

    def rng(what: str) -> np.random.Generator:
        return stream(seed, "tabletop", what, number)

    dropped = _objects(v, rng("objects"), rng("rotations"), still=still)
    if still:
        placed = _at_rest(v, dropped, rng("places"), rng("drops"))
        qpos = np.array([[*d.position, *d.quaternion] for d in placed]).reshape(1, -1)
    else:
        placed = _placed(v, dropped, _FALL, rng("places"))
        qpos = motion(_spec(v, placed).compile(), v, length, rate, rng("drops"))
    return tuple(placed), qpos


def _objects(
    v: Mapping[str, float], rng: np.random.Generator, turns: np.random.Generator, *, still: bool
) -> list[_Dropped]:
    """The objects of a scene, in the origin, turned as they are dropped."""
    shares = np.array([v[f"share.{f}"] for f in FAMILIES])
    shares = shares / shares.sum() if shares.sum() > 0 else np.full(len(FAMILIES), 1 / len(FAMILIES))
    out = []
    for i in range(int(v["objects.count"])):
        family = FAMILIES[min(int(np.searchsorted(np.cumsum(shares), rng.random(), side="right")), len(FAMILIES) - 1)]
        factor = np.clip(np.exp(v["objects.size_spread"] * rng.standard_normal()), 1 / _FACTOR, _FACTOR)
        density = v["objects.density"] * np.exp(v["objects.density_spread"] * rng.standard_normal())
        colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.4, 0.95))
        shape = random_object(rng, family, min(v["objects.size"] * factor, _LONGEST))
        turn = lay(shape.vertices, turns) if still else tumble(turns)
        out.append(
            _Dropped(f"thing{i}", shape, density * shape.volume, (*colour, 1.0), np.zeros(3), quaternion_of(turn))
        )
    return out


def _placed(
    v: Mapping[str, float],
    dropped: Sequence[_Dropped],
    gap: float,
    rng: np.random.Generator,
    resting: Sequence[_Dropped] = (),
) -> list[_Dropped]:
    """The objects where they are let go: over the table, clear of each other and of those that rest."""
    size = (v["table.depth"], v["table.width"])
    top = Area.rectangle("the table", centre=(0, 0), size=size, height=v["table.height"])
    over = Area.rectangle(
        "drop", centre=(0, 0), size=[s * v["drop.area"] ** 0.5 for s in size], height=v["table.height"]
    )
    found = arrange(
        [d.shape.thing(d.name, _rotation(d.quaternion)) for d in (*resting, *dropped)],
        OnArea(over, gap=gap, stacked=True, yaws=(0.0,)),  # they are turned already
        rng,
        hard=[Supported(top), NotIntersecting()],
        fixed={i: [*d.position, 0.0] for i, d in enumerate(resting)},
        name="tabletop",
    )
    return [_moved(d, pose[:3]) for d, pose in zip(dropped, found.poses[len(resting) :], strict=True)]


def _at_rest(
    v: Mapping[str, float], dropped: Sequence[_Dropped], places: np.random.Generator, drops: np.random.Generator
) -> list[_Dropped]:
    """The objects as they lie. What fell off the table is dropped again; what did so too often is left out."""
    resting: list[_Dropped] = []
    falling = list(dropped)
    for _ in range(DROPS):
        tried = [*resting, *_placed(v, falling, _GAP, places, resting)]
        poses = settle(_spec(v, tried).compile(), drops)
        on = poses[:, 2] > v["table.height"]  # where it diverged it is NaN, and nothing is on the table
        resting = [_moved(d, p[:3], p[3:]) for d, p, kept in zip(tried, poses, on, strict=True) if kept]
        falling = [d for d, kept in zip(tried, on, strict=True) if not kept]
        if not falling:
            break
    return sorted(resting, key=lambda d: int(d.name.removeprefix("thing")))


def _moved(d: _Dropped, position: Array, quaternion: Array | None = None) -> _Dropped:
    return _Dropped(d.name, d.shape, d.mass, d.rgba, position, d.quaternion if quaternion is None else quaternion)


def _spec(v: Mapping[str, float], placed: Sequence[_Dropped]) -> mujoco.MjSpec:
    """The room with the objects where they are."""
    spec = room(v)
    for d in placed:
        body = d.shape.add_to(spec, d.name, mass=d.mass, position=d.position, quaternion=d.quaternion, rgba=d.rgba)
        for geom in body.geoms:
            rub(geom, v)
    return spec


def _instance(d: _Dropped) -> Instance:
    s = d.shape
    return Instance(
        d.name, s.family, d.name, s.visible_geoms(d.name), s.vertices, s.centre, s.size, keypoints=s.centre[None]
    )


def _rotation(quaternion: Array) -> Array:
    import mujoco

    out = np.empty(9)
    mujoco.mju_quat2Mat(out, quaternion)
    return out.reshape(3, 3)
