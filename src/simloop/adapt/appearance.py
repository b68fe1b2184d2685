"""The comparison of images: how far frames of a world, under rows of its look, are from images of reality.

    comparison = LookComparison(world, reader, real, fitted=space, seed=7)
    SimOpt(samples=40, windows=24).fit(comparison, prior, seed=7)       # SimOpt, cem: any search by sampling

SimOpt (Chebotar et al., arXiv 1810.05687) compares a simulated rollout with the real one of the same policy. Images of
an unknown road have no such partner. What is compared is how whole sets of them are distributed: energy distance
between what a reader (`learn/look_reader.py`) says of frames of many scenes and of the real images. A row says the
fitted part of the look; the rest of it, the scenes and where the car stands are drawn anew for each frame, alike for
all rows, so that rows differ in what is fitted alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.adapt.discrepancy import Discrepancy
from simloop.distributions import Distribution, Normal, Point, Product, Uniform
from simloop.errors import InputError
from simloop.gap.images import energy_distance, mean_distance
from simloop.learn.look_reader import LookReader
from simloop.learn.pictures import Images
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.worlds.world import World

#: frames that share a scene
VIEWS = 8


@dataclass(frozen=True)
class Draws:
    """Numbers (n,) of frames to be simulated under each row; the real images cost nothing and are all compared."""

    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, index: NDArray[np.int64], /) -> Draws:
        return Draws(self.numbers[index])


class LookComparison(Discrepancy[Draws]):
    """Frames of a world beside images of reality.

    Args:
        world: one with cameras and a look.
        reader: says of each image the numbers that are compared, in the order of `fitted`.
        real: what it says of the images of reality, (m, k).
        fitted: the part of `world.look` that rows are of.
        rest: what the other parameters of the look are drawn from.
        scenes: what the world's own parameters are drawn from.
        size: (width, height) pixels of a frame.
        seed: of scenes, starts and all that is not fitted.
    """

    def __init__(
        self,
        world: World,
        reader: LookReader,
        real: Array,
        *,
        fitted: ParameterSpace,
        rest: Distribution,
        scenes: Distribution,
        size: tuple[int, int] = (80, 60),
        seed: int = 0,
    ) -> None:
        self.world, self.reader, self.fitted, self.rest, self.scenes = world, reader, fitted, rest, scenes
        self.rollouts, self.simulated_seconds = 0, 0.0
        self._size, self._seed = size, seed
        #: (k, k) what makes the doubt of one frame a unit in every direction
        self._whiten = np.linalg.inv(np.linalg.cholesky(np.array(reader.seen.doubt)))
        self.real = real @ self._whiten.T
        self._within = mean_distance(self.real)

    def cut(self, horizon: float) -> Draws:
        """As many draws as there are real images; they have no length."""
        return Draws(np.arange(max(len(self.real), 2)))

    def discrepancy(self, rows: ArrayLike, pieces: Draws, /) -> Array:
        """Energy distance of each row's frames from the real images, (n, d) -> (n,)."""
        seen = self.seen(rows, pieces)
        return np.array([energy_distance(x, self.real, within=self._within) for x in seen])

    def distance(self, rows: ArrayLike, pieces: Draws, /) -> Array:
        return np.sqrt(np.maximum(self.discrepancy(rows, pieces), 0.0))

    def seen(self, rows: ArrayLike, pieces: Draws) -> Array:
        """What the reader says of frames under each row, in units of its doubt: (n, d) -> (n, frames, k)."""
        x = self.fitted.check(rows)
        scenes = pieces.numbers[: -(-len(pieces) // VIEWS)]
        numbers = (scenes[:, None] * VIEWS + np.arange(VIEWS)).reshape(-1)[: len(pieces)]
        out = np.empty((len(x), len(numbers), len(self.fitted)))
        for i, row in enumerate(x):
            out[i] = self.said(self.frames(numbers, Point(self.fitted, row))[0])
        return out

    def said(self, images: Images) -> Array:
        """What the reader says of images, in units of its doubt, (n, k)."""
        return np.asarray(self.reader(images) @ self._whiten.T)

    def frames(self, numbers: Iterable[int], drawn: Distribution, *, name: str = "search") -> tuple[Images, Array]:
        """Frames (n, H, W, 3) whose fitted part is drawn from a distribution, and that part of each, (n, d)."""
        look = beside(drawn, self.rest, self.world.look)
        seed = int(stream(self._seed, "look", name).integers(2**31))
        found = pictures(self.world, numbers, look, self.scenes, self.fitted.names, size=self._size, seed=seed)
        self.rollouts += len(found[0])
        return found


def pictures(
    world: World,
    numbers: Iterable[int],
    look: Distribution,
    scenes: Distribution,
    names: Iterable[str],
    *,
    size: tuple[int, int],
    seed: int,
) -> tuple[Images, Array]:
    """Frames of a world without labels, (n, H, W, 3), and parameters of each by name, (n, d)."""
    request = replace(world.request, size=size, passes=(), views=VIEWS, length=1)
    images, rows, asked = [], [], list(names)
    for frame in world.frames(numbers, request=request, distribution=scenes, look=look, seed=seed):
        images.append(frame.rgb)
        rows.append([frame.parameters[name] for name in asked])
    return np.stack(images), np.array(rows)


def beside(part: Distribution, rest: Distribution, space: ParameterSpace) -> Product:
    """A distribution over a space: of some parameters `part`, of the others what `rest`, over all of it, says."""
    others = [p for p in space if p.name not in part.space.names]
    at = [space.index(p.name) for p in others]
    own = ParameterSpace(others)
    if isinstance(rest, Uniform):
        kept: Distribution = Uniform(own, rest.low[at], rest.high[at])
    elif isinstance(rest, Point):
        kept = Point(own, rest.value[at])
    else:
        raise InputError(f"what is not fitted is drawn from a uniform distribution or a point, not a {rest.kind} one")
    # first what is not fitted: its draws are then the same whatever `part` is
    return Product(space, [kept, part])


def searched(space: ParameterSpace, wide: Uniform, names: Iterable[str]) -> tuple[Uniform, Normal]:
    """Where the fitted parameters are searched: half as far again beyond `wide` as that is wide, and a first guess.

    The guess is the middle of `wide`, with half of its width as the standard deviation, truncated to the search.
    """
    kept = []
    for name in names:
        j = space.index(name)
        ends = space.to_scale(np.stack([wide.low, wide.high]))[:, j]
        half = (ends[1] - ends[0]) / 2
        reach = space.to_scale(np.stack([space.low, space.high]))[:, j]
        low, high = np.clip([ends[0] - half, ends[1] + half], *reach)
        kept.append((space[name], low, high, ends.mean(), half))
    own = ParameterSpace([p for p, *_ in kept])
    low, high, middle, half = np.array([numbers for _, *numbers in kept]).T
    return (
        Uniform(own, own.from_scale(low), own.from_scale(high)),
        Normal.independent(own, own.from_scale(middle), half),
    )
