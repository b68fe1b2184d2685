"""A trained predictor of tracks; on disk as safetensors and JSON.

    model = PredictorModel.load(Path("runs/predictor/policy"))
    model.predict(windows, 20, rng)                     # (n, 20, 12, 2) m

A folder of several members is an ensemble: single paths are averaged, and sets of paths are shared among members.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, need
from simloop.parameters import Array
from simloop.repeatable import repeatable
from simloop.runs import read_json, write_aside, write_json

if TYPE_CHECKING:
    from simloop.benchmark.prediction.windows import Windows

_WEIGHTS, _RECORD = "predictor.safetensors", "predictor.json"
#: people around one who are seen, the nearest ones; windows that are predicted together
NEIGHBOURS, _TOGETHER = 6, 4096


@dataclass(frozen=True, eq=False)
class Views:
    """What predictors see of people, in the world's frame.

    Attributes:
        paths: (n, T, 2) m.
        others: (n, NEIGHBOURS, 4) the nearest people: places beside one's own last observed one, m, and last steps, m.
        there: (n, NEIGHBOURS) whether there are so many.
    """

    paths: Array
    others: Array
    there: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, index: NDArray[np.int64]) -> Views:
        """Return some people, who may repeat."""
        return Views(self.paths[index], self.others[index], self.there[index])


def views_of(windows: Windows, *, future: bool = False) -> Views:
    """What predictors see of windows; with what came after where they learn from it."""
    n = len(windows)
    others, there = np.zeros((n, NEIGHBOURS, 4)), np.zeros((n, NEIGHBOURS), dtype=np.bool_)
    known = np.concatenate([windows.observed[:, -1], windows.observed[:, -1] - windows.observed[:, -2]], axis=1)
    for a, b in zip(windows.offsets[:-1], windows.offsets[1:], strict=True):
        beside = known[None, a:b] - np.concatenate([known[a:b, :2], np.zeros((b - a, 2))], axis=1)[:, None]
        apart = np.hypot(beside[..., 0], beside[..., 1])
        np.fill_diagonal(apart, np.inf)
        order = np.argsort(apart, axis=1, kind="stable")[:, : min(NEIGHBOURS, b - a - 1)]
        width = order.shape[1]
        others[a:b, :width] = np.take_along_axis(beside, order[..., None], axis=1)
        there[a:b, :width] = True
    paths = np.concatenate([windows.observed, windows.future], axis=1) if future else windows.observed
    return Views(paths, others, there)


def local(views: Views) -> tuple[Views, Array]:
    """The same, each seen from its owner, and the turns (n, 2, 2) that bring it back."""
    seen = views.paths[:, :8]
    along = seen[:, -1] - seen[:, 0]
    angle = np.arctan2(along[:, 1], along[:, 0])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    paths = (views.paths - seen[:, -1:]) @ turn
    others = np.concatenate([views.others[..., :2] @ turn, views.others[..., 2:] @ turn], axis=-1)
    return Views(paths, others, views.there), turn.swapaxes(1, 2)


@dataclass(frozen=True)
class PredictorShape:
    """What decides a network's layers: its width, and how many paths its set has."""

    width: int = 128
    paths: int = 20

    def network(self) -> Any:
        """One that has learned nothing."""
        need(["torch", "safetensors"], "learner 'predictor'", "learn")
        from simloop.learn.predictor_network import PathNetwork

        return PathNetwork(self.width, self.paths)


@dataclass(eq=False)
class PredictorModel:
    """A trained predictor.

    Attributes:
        shape: of its networks.
        networks: its members.
        name: what it is called in tables.
    """

    shape: PredictorShape
    networks: list[Any] = field(repr=False)
    name: str = "predictor"

    def predict(self, windows: Windows, samples: int, rng: np.random.Generator) -> Array:
        """Where everybody will be, (n, samples, 12, 2) m; 1 asks for the single path.

        Samples are drawn from the set, without repeats while there are others, for each person on its own; then they
        are put together so that few people of a scene touch (`joint_samples.py`).
        """
        one, many = self._said(views_of(windows))
        if samples == 1:
            return one[:, None]
        need(["numba"], "samples of people who walk together", "crowd")
        from simloop.learn.joint_samples import arranged

        count = many.shape[1]
        rounds = [np.argsort(rng.random((len(many), count)), axis=1) for _ in range(-(-samples // count))]
        chosen = np.concatenate(rounds, axis=1)[:, :samples]
        drawn = np.take_along_axis(many, chosen[:, :, None, None], axis=1)
        return arranged(drawn, windows.observed[:, -1], windows.offsets)

    def _said(self, views: Views) -> tuple[Array, Array]:
        """(n, 12, 2) and (n, K, 12, 2), m: a member's share of the set is its first paths."""
        import torch

        seen, back = local(views)
        ones, sets = [], []
        share = np.array_split(np.arange(self.shape.paths), len(self.networks))
        with torch.no_grad(), repeatable(0):
            for first in range(0, len(views), _TOGETHER):
                part = slice(first, first + _TOGETHER)
                x, o = (torch.from_numpy(a[part].astype(np.float32)) for a in (seen.paths, seen.others))
                said = [network(x, o, torch.from_numpy(seen.there[part])) for network in self.networks]
                ones.append(np.mean([one.numpy() for one, _ in said], axis=0))
                sets.append(np.concatenate([m.numpy()[:, s] for (_, m), s in zip(said, share, strict=True)], axis=1))
        empty = np.zeros((0, 12, 2))
        origin = views.paths[:, 7]
        one = np.concatenate([empty, *ones]) @ back + origin[:, None]
        many = np.concatenate([np.zeros((0, self.shape.paths, 12, 2)), *sets]) @ back[:, None] + origin[:, None, None]
        return one, many

    def save(self, folder: Path) -> None:
        """Write it into a folder: weights as safetensors, the rest as JSON."""
        from safetensors.numpy import save

        arrays = {f"{i}/{k}": np.ascontiguousarray(v.detach().numpy())
                  for i, network in enumerate(self.networks) for k, v in network.state_dict().items()}  # fmt: skip
        with write_aside(folder / _WEIGHTS) as file:
            file.write(save(arrays))
        write_json(folder / _RECORD, {"shape": vars(self.shape), "members": len(self.networks)})

    @classmethod
    def load(cls, folder: Path, *, name: str = "predictor") -> PredictorModel:
        """Read what `save` wrote."""
        need(["torch", "safetensors"], "learner 'predictor'", "learn")
        from safetensors import SafetensorError
        from safetensors.numpy import load

        from simloop.learn.domains.course import restore_module

        if not (folder / _RECORD).exists():
            raise InputError(
                f"{folder}: no predictor (it has no {_RECORD}); `simloop train TRACKS --learner predictor`"
            )
        record = read_json(folder / _RECORD)
        try:
            shape = PredictorShape(**record["shape"])
            networks = [shape.network() for _ in range(record["members"])]
            arrays = load((folder / _WEIGHTS).read_bytes())
            for i, network in enumerate(networks):
                restore_module(network, str(i), arrays)
        except (KeyError, TypeError, OSError, RuntimeError, json.JSONDecodeError, SafetensorError) as error:
            raise InputError(f"{folder}: a damaged predictor ({error}); train it again") from None
        return cls(shape, networks, name)
