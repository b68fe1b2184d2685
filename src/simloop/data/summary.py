"""What a dataset holds: counts, sizes, how much of objects is seen, and how much of the parameter space it covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simloop.data.store import Dataset
from simloop.data.tables import parameters_of
from simloop.distributions import Distribution, Point
from simloop.parameters import Array
from simloop.randomness import stream

#: pixels, ends of the bins for the square root of a visible box's area
SIZE_BINS = (0.0, 8.0, 16.0, 32.0, 64.0, 96.0, 128.0, 256.0, 512.0, np.inf)
#: ends of the bins for the visible fraction
VISIBLE_BINS = tuple(float(x) for x in np.linspace(0, 1, 11))
#: draws of a distribution from which the ends of its tenths are taken
_DRAWS = 4096
_TENTHS = 10


@dataclass(frozen=True)
class Coverage:
    """How much of what a distribution may draw of one parameter is in a dataset.

    Attributes:
        name, unit: of the parameter.
        low, high: the least and the largest value drawn.
        expected: the same of many draws of the distribution.
        tenths: of the ten equally likely stretches of the distribution (of its values, where they are fewer), how many
            have a value in them.
        of: how many such stretches there are.
    """

    name: str
    unit: str
    low: float
    high: float
    expected: tuple[float, float]
    tenths: int
    of: int


@dataclass(frozen=True)
class Summary:
    """What a dataset holds.

    Attributes:
        photographs, sequences, scenes: how many.
        objects, seen, images: by category, how many objects, how many with a visible pixel, and in how many images.
        per_image: how many images have 0, 1, 2, ... visible things.
        sizes: how many visible things are in each bin of `SIZE_BINS`.
        visible: the same for visible fractions and `VISIBLE_BINS`; all 0 where they were not asked for.
        truncated: visible things of which a part is outside the image.
        lost: by kind of image, pixels that could not be kept.
        coverage: one for each parameter that varies.
    """

    photographs: int
    sequences: int
    scenes: int
    objects: dict[str, int]
    seen: dict[str, int]
    images: dict[str, int]
    per_image: list[int]
    sizes: list[int]
    visible: list[int]
    truncated: int
    lost: dict[str, int]
    coverage: list[Coverage]


def summarise(dataset: Dataset) -> Summary:
    """Look at all annotations of a dataset; its images are not read."""
    categories = dataset.categories
    thing = np.array([c.thing for c in categories], dtype=bool)
    k = len(categories)
    objects, seen, images = (np.zeros(k, dtype=np.int64) for _ in range(3))
    sizes, visible = np.zeros(len(SIZE_BINS) - 1, dtype=np.int64), np.zeros(len(VISIBLE_BINS) - 1, dtype=np.int64)
    per_image: list[NDArray[np.int64]] = []
    drawn: list[dict[str, Array]] = []
    sequences: set[int] = set()
    truncated = 0
    lost: dict[str, int] = {}
    for shard in dataset.tables():
        p, o = shard.photographs, shard.objects
        photograph = np.repeat(np.arange(len(shard)), p["objects"])
        has = o["pixels"] > 0
        things = has & thing[o["categories"]]
        objects += np.bincount(o["categories"], minlength=k)
        seen += np.bincount(o["categories"][has], minlength=k)
        pairs = np.unique(photograph[has] * k + o["categories"][has])
        images += np.bincount(pairs % k, minlength=k) if k else 0
        per_image.append(np.bincount(photograph[things], minlength=len(shard)).astype(np.int64))
        box = o["boxes"][things]
        sizes += np.histogram(np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])), SIZE_BINS)[0]
        visible += np.histogram(o["visible"][things], VISIBLE_BINS)[0]
        truncated += int((o["truncation"][things] > 0).sum())
        _, first = np.unique(p["sequence"], return_index=True)
        drawn.append({name: x[first] for name, x in parameters_of(p).items()})
        sequences.update(p["sequence"][first].tolist())
        for name in p:
            if name.endswith(".lost") and p[name].any():
                lost[name.removesuffix(".lost")] = lost.get(name.removesuffix(".lost"), 0) + int(p[name].sum())
    names = [c.name for c in categories]
    return Summary(
        photographs=len(dataset),
        sequences=len(sequences),
        scenes=len({s // dataset.request.views for s in sequences}),
        objects=dict(zip(names, objects.tolist(), strict=True)),
        seen=dict(zip(names, seen.tolist(), strict=True)),
        images=dict(zip(names, images.tolist(), strict=True)),
        per_image=np.bincount(np.concatenate(per_image)).tolist() if per_image else [],
        sizes=sizes.tolist(),
        visible=visible.tolist(),
        truncated=truncated,
        lost=lost,
        coverage=_coverage(dataset, drawn),
    )


def _coverage(dataset: Dataset, drawn: list[dict[str, Array]]) -> list[Coverage]:
    """The coverage of each parameter that a distribution of the dataset varies."""
    found = []
    for distribution in (dataset.distribution, dataset.look):
        if distribution is None or isinstance(distribution, Point):
            continue
        found += [_covered(distribution, name, drawn) for name in _varied(distribution)]
    return [c for c in found if c is not None]


def _varied(distribution: Distribution) -> list[str]:
    rows = distribution.sample(_TENTHS * 2, stream(0, "coverage", "varied"))
    return [n for n, v in zip(distribution.space.names, np.ptp(rows, axis=0) > 0, strict=True) if v]


def _covered(distribution: Distribution, name: str, drawn: list[dict[str, Array]]) -> Coverage | None:
    values = np.concatenate([d[name] for d in drawn if name in d]) if drawn else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    j = distribution.space.index(name)
    expected = distribution.sample(_DRAWS, stream(0, "coverage"))[:, j]
    if len(different := np.unique(expected)) <= _TENTHS:
        hit, of = int(np.isin(different, values).sum()), len(different)
    else:
        ends = np.quantile(expected, np.linspace(0, 1, _TENTHS + 1)[1:-1])
        hit, of = len(np.unique(np.searchsorted(ends, values))), _TENTHS
    return Coverage(
        name, distribution.space[name].unit, float(values.min()), float(values.max()),
        (float(expected.min()), float(expected.max())), hit, of,
    )  # fmt: skip
