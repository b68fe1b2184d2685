"""What differs between two datasets: how they were made, which photographs they share, and what these hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simloop.data.images import IMAGES
from simloop.data.shard import Shard
from simloop.data.store import Dataset
from simloop.data.summary import Summary, summarise
from simloop.data.tables import camera_of, numbers_of, objects_of
from simloop.runs import differences

#: a photograph: the frame's number and the camera's name
Key = tuple[int, str]


@dataclass(frozen=True)
class Difference:
    """What differs between dataset a and dataset b.

    Attributes:
        configuration: by field, its value in each; None where one has none.
        only_a, only_b: photographs that the other has not.
        images: photographs of both whose images differ, by kind: their number.
        labels: photographs of both whose annotations, camera or parameters differ.
        changed: photographs of both of which anything differs, the first few.
        same: photographs of both that are equal to the byte.
        summaries: of a and of b.
    """

    configuration: dict[str, tuple[Any, Any]]
    only_a: int
    only_b: int
    images: dict[str, int]
    labels: int
    changed: list[Key]
    same: int
    summaries: tuple[Summary, Summary]

    @property
    def equal(self) -> bool:
        """Whether they hold the same photographs with the same labels."""
        return not (self.only_a or self.only_b or self.images or self.labels)


def difference(a: Dataset, b: Dataset, *, shown: int = 5) -> Difference:
    """Compare two datasets photograph by photograph: images by their check sums, labels by their values."""
    images: dict[str, int] = {}
    labels, same, only_a, only_b = 0, 0, 0, 0
    changed: list[Key] = []
    for (key, in_a), (_, in_b) in _side_by_side(_photographs(a), _photographs(b)):
        if in_a is None or in_b is None:
            only_a, only_b = only_a + (in_b is None), only_b + (in_a is None)
            continue
        differing = [kind for kind in IMAGES if _crc(*in_a, kind) != _crc(*in_b, kind)]
        for kind in differing:
            images[kind] = images.get(kind, 0) + 1
        relabelled = not _same_labels(in_a, in_b)
        labels += relabelled
        same += not (differing or relabelled)
        if (differing or relabelled) and len(changed) < shown:
            changed.append(key)
    return Difference(
        configuration=dict(differences(dict(a.manifest.configuration), dict(b.manifest.configuration))),
        only_a=only_a,
        only_b=only_b,
        images=images,
        labels=labels,
        changed=changed,
        same=same,
        summaries=(summarise(a), summarise(b)),
    )


Row = tuple[Shard, int]


def _photographs(dataset: Dataset) -> Iterator[tuple[Key, Row]]:
    """All photographs, ordered by frame and camera's name."""
    for shard in dataset.tables():
        keys = zip(shard.photographs["index"].tolist(), shard.photographs["camera"], strict=True)
        yield from sorted(((key, (shard, row)) for row, key in enumerate(keys)), key=lambda item: item[0])


def _side_by_side(
    a: Iterator[tuple[Key, Row]], b: Iterator[tuple[Key, Row]]
) -> Iterator[tuple[tuple[Key, Row | None], tuple[Key, Row | None]]]:
    """Pairs of the entries of two ordered sequences with the same key; None stands for the one that is missing."""
    x, y = next(a, None), next(b, None)
    while x is not None or y is not None:
        key = min(item[0] for item in (x, y) if item is not None)
        in_a = x[1] if x is not None and x[0] == key else None
        in_b = y[1] if y is not None and y[0] == key else None
        yield (key, in_a), (key, in_b)
        x = x if in_a is None else next(a, None)
        y = y if in_b is None else next(b, None)


def _crc(shard: Shard, row: int, kind: str) -> int | None:
    return None if shard.path(row, kind) is None else int(shard.photographs[f"{kind}.crc"][row])


def _same_labels(a: Row, b: Row) -> bool:
    x, y = ((objects_of(s.photographs, s.objects, r), camera_of(s.photographs, r)) for s, r in (a, b))
    return (
        _same(vars(x[0]), vars(y[0]))
        and _same(vars(x[1]), vars(y[1]))
        and numbers_of(a[0].photographs, a[1]) == numbers_of(b[0].photographs, b[1])
    )


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return all(
        np.array_equal(v, b[k], equal_nan=True) if isinstance(v, np.ndarray) else v == b[k] for k, v in a.items()
    )
