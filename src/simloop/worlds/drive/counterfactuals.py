"""Pairs of pictures that differ in what is in the way and in nothing else, and what an expert does in both.

    images, labels = counterfactuals(world, 8_000, size=(80, 60), distribution=wide, look=looks, seed=7)

A thing in the lane is a small part of a picture, and of what decides how to steer: from single pictures a network
learns roads, and to see things only long after. Here the same place is seen twice, in the same light, by the same
camera, with the same noise: with what the wanted line leads around, and without it. What the expert does otherwise in
the second is due to these things alone, and only where they are seen. Reality cannot show the same moment without
them; a simulation can. After Teney, Abbasnejad and van den Hengel, "Learning what makes a difference from
counterfactual examples and gradient supervision" (ECCV 2020); there gradients are taught, here the difference itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.frames import Request
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import number, stream
from simloop.worlds.drive.look import camera_of, look_space
from simloop.worlds.drive.photos import Dress, Geometry, labels_at
from simloop.worlds.drive.ride import Begin
from simloop.worlds.drive.scene import Scene, make_scene
from simloop.worlds.photograph import Looks

if TYPE_CHECKING:
    from simloop.worlds.drive.world import Drive

#: m before a thing from where it is seen
_NEAR, _FAR = 2.0, 18.0
#: of full lock, and pixels of 80 x 60 that differ by more than some of 255: what a pair differs in at least
_TURNS, _PIXELS, _BY = 0.08, 2, 40
#: places that are tried in each scene, and scenes after which there must have been a pair
_PLACES, _SCENES = 8, 500
#: pairs after which it is told how far it is
_TOLD = 500


def counterfactuals(
    world: Drive,
    count: int,
    *,
    size: tuple[int, int],
    distribution: Distribution | None = None,
    look: Distribution | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[NDArray[np.uint8], Array]:
    """Pictures (n, 2, H, W, 3), first with what is in the way and then without it, and the expert's steering (n, 2).

    Args:
        world: whose scenes they are of.
        count: n.
        size: (W, H) of pictures, pixels.
        distribution: what scenes are drawn from.
        look: what their looks are drawn from.
        seed: of everything random.
        progress: told how far it is.

    Raises:
        InputError: if nothing is ever in the way.
    """
    images, labels = np.empty((count, 2, size[1], size[0], 3), dtype=np.uint8), np.empty((count, 2))
    looks = Looks(look or Point(look_space()), Request(size=size, passes=()), seed)
    made = _pairs(world, distribution or Point(world.parameters), looks, size, seed)
    for i, (pair, right) in enumerate(itertools.islice(made, count), 1):
        images[i - 1], labels[i - 1] = pair, right
        if i % _TOLD == 0:
            progress(f"pairs with and without what is in the way: {i:,}", i / count)
    return images, labels


def differing(pairs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels (...,) differ visibly between the two of each pair (..., 2, H, W, 3)."""
    apart = np.abs(pairs[..., 0, :, :, :].astype(np.int16) - pairs[..., 1, :, :, :])
    return np.asarray((apart.max(axis=-1) > _BY).sum(axis=(-2, -1)))


def _pairs(
    world: Drive, drawn: Distribution, looks: Looks, size: tuple[int, int], seed: int
) -> Iterator[tuple[NDArray[np.uint8], tuple[float, float]]]:
    """Pairs of one scene after the other, without end."""
    some = False
    for scene_number in itertools.count():
        row = drawn.sample(1, stream(seed, "counterfactuals", "scene", scene_number))[0]
        values = dict(zip(world.parameters.names, row.tolist(), strict=True))
        scene = make_scene(values, stream(seed, "counterfactuals", "layout", scene_number))
        for pair in _pairs_of(scene, values, looks, size, seed, scene_number):
            some = True
            yield pair
        if not some and scene_number + 1 >= _SCENES:
            raise InputError(
                f"pairs: in {_SCENES} scenes nothing is in the way where it is seen and driven around; draw from a"
                " distribution with obstacles.count or a blocked lane (danger.kind), as 'wide'"
            )


def _pairs_of(
    scene: Scene, values: Mapping[str, float], looks: Looks, size: tuple[int, int], seed: int, scene_number: int
) -> Iterator[tuple[NDArray[np.uint8], tuple[float, float]]]:
    """The pairs of one scene."""
    if not scene.avoided:
        return
    road, clear = scene.road, scene.cleared()
    geometries = None
    rng = stream(seed, "counterfactuals", "places", scene_number)
    at, _ = road.locate(scene.known[list(scene.avoided), 0, :2])
    least = _PIXELS * size[0] * size[1] / (80 * 60)
    for k in range(_PLACES):
        begin = Begin.of(scene, values, rng)
        along = float(rng.choice(at) - rng.uniform(_NEAR, _FAR))
        if not road.closed and along < 0:
            continue
        begin = replace(begin, along=along % road.length)
        place, speed = begin.place(scene), values["car.speed"]
        right = tuple(labels_at(s, values, begin.along, place, speed)["steering"] for s in (scene, clear))
        if abs(right[0] - right[1]) < _TURNS:
            continue
        geometries = geometries or (Geometry(scene), Geometry(clear))
        sequence = scene_number * _PLACES + k
        seen = next(looks.rows(sequence))
        dress = Dress.of(seen, scene, looks.stream_of(sequence, "texture"))
        camera, noise = camera_of(seen, size, place), number(seed, "counterfactuals", "noise", sequence)
        pair = np.stack(
            [dress.sensed(g.render(camera, dress.numbers, dress.lamps, dress.recolour)[0], noise) for g in geometries]
        )
        if differing(pair) >= least:
            yield pair, (right[0], right[1])
