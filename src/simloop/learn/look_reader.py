"""A network that says from one picture how the camera was mounted, or whatever else of a look it has learned to see.

    reader = LookReader.train(images, rows, normalisation="grey-local", seed=7)
    reader(images)                                      # (n, k): what it says, in units of what it does not know

Trained by squared error on simulated pictures of known look it says the posterior's mean, which is the best few numbers
that a picture can be put into for inference (Fearnhead and Prangle, "Constructing summary statistics for approximate
Bayesian computation", JRSS B 74, 2012, theorem 3). It is a statistic and no estimate: what is hard to see it draws
towards the middle, for real pictures as for simulated ones, so only the two are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import InputError
from simloop.learn.normalisation import get_normalisation
from simloop.learn.pictures import Images, Pictures, check_images, resized
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable
from simloop.runs import read_json, write_aside, write_json

#: widths of the convolutions, each of stride 2, of the layer after them, and what of it is left out in training
_WIDTHS, _KERNELS, _HIDDEN, _DROPPED = (16, 32, 64, 64), (5, 3, 3, 3), 64, 0.3
#: pictures in a gradient step, Adam's learning rate, and deviation of the logarithm of a picture's contrast
_BATCH, _RATE, _GAIN = 64, 2e-3, 0.15
#: part of the pictures, the last ones, that is not learned from: it says what can be seen
_HELD_OUT = 0.15
_WEIGHTS, _RECORD = "reader.safetensors", "reader.json"


@dataclass(frozen=True)
class Seen:
    """How a reader sees, and what it was found to see.

    Attributes:
        size: (width, height) pixels that pictures are brought to.
        normalisation: of pictures (`normalisation.NORMALISATIONS`).
        middle, spread: (k,) of the numbers that it has learned.
        explained: (k,) part of each number's variance that it explains on pictures that it has not learned from.
        says: which of the network's numbers are these k; None: all.
        doubt: (k, k) covariance of what it says of one picture where the look is known, in units of `spread`.
    """

    size: tuple[int, int]
    normalisation: str
    middle: tuple[float, ...]
    spread: tuple[float, ...]
    explained: tuple[float, ...] = ()
    doubt: tuple[tuple[float, ...], ...] = ()
    says: tuple[int, ...] | None = None


@dataclass(eq=False)
class LookReader:
    """A trained reader.

    Attributes:
        seen: how it sees.
        network: normalised pictures -> features (n, 64) and numbers (n, k).
    """

    seen: Seen
    network: Any = field(repr=False)

    @classmethod
    def train(
        cls,
        images: Images,
        rows: Array,
        *,
        size: tuple[int, int] = (80, 60),
        normalisation: str = "grey-local",
        turned: Sequence[int] | None = None,
        steps: int = 1000,
        seed: int = 0,
        progress: Progress = silent,
    ) -> LookReader:
        """Learn from simulated pictures.

        Args:
            images: (n, H, W, 3).
            rows: (n, k) what is to be said, in the scale of each parameter; pictures that share a scene lie together.
            size: (width, height) pixels that pictures are brought to.
            normalisation: of pictures.
            turned: which of the k numbers change their sign where left and right are exchanged, as half of the pictures
                are; None: no picture is.
            steps: gradient steps.
            seed: of everything random.
            progress: told how far it is.
        """
        import torch

        check_images(images)
        if len(images) != len(rows) or len(rows) < 2 * _BATCH:
            raise InputError(f"a reader learns from {2 * _BATCH} pictures or more, each with its row")
        learned = round((1 - _HELD_OUT) * len(rows))
        middle, spread = rows[:learned].mean(axis=0), np.maximum(rows[:learned].std(axis=0), 1e-9)
        signs = np.ones(rows.shape[1], dtype=np.float32)
        if turned is not None:
            middle[list(turned)], signs[list(turned)] = 0.0, -1.0
        seen = Seen(size, normalisation, tuple(middle.tolist()), tuple(spread.tolist()))
        wanted = ((rows - middle) / spread).astype(np.float32)
        prepared = _prepared(images, seen)
        with repeatable(int(stream(seed, "reader").integers(2**31))):
            network = _network(get_normalisation(normalisation).channels, size, rows.shape[1])
            adam = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
            network.train()
            for step in range(steps):
                rng = stream(seed, "reader", "batch", step)
                at = rng.integers(learned, size=_BATCH)
                contrast = torch.from_numpy(np.exp(_GAIN * rng.standard_normal((_BATCH, 1, 1, 1))).astype(np.float32))
                x, y = prepared.take(at) * contrast, wanted[at]
                if turned is not None:
                    x[::2] = x[::2].flip(3)
                    y[::2] *= signs
                rise_and_fall = min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
                for group in adam.param_groups:
                    group["lr"] = _RATE * rise_and_fall + 1e-6
                loss = ((network(x)[1] - torch.from_numpy(y)) ** 2).mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
                if step % 50 == 49:
                    progress(f"reader: step {step + 1} of {steps}, loss {float(loss.detach()):.2f}", (step + 1) / steps)
        reader = cls(seen, network)
        return reader._tried(prepared.some(slice(learned, None)), wanted[learned:].astype(float))

    def _tried(self, prepared: Pictures, wanted: Array) -> LookReader:
        """The reader with what it is found to see in pictures that it has not learned from."""
        said = self._answers(prepared)[1]
        left = ((said - wanted) ** 2).mean(axis=0) / np.maximum(wanted.var(axis=0), 1e-12)
        terms = np.column_stack([np.ones(len(wanted)), wanted])
        rest = said - terms @ np.linalg.lstsq(terms, said, rcond=None)[0]
        doubt = rest.T @ rest / max(len(rest) - terms.shape[1], 1) + 1e-6 * np.eye(wanted.shape[1])
        tried = {"explained": tuple((1 - left).tolist()), "doubt": tuple(map(tuple, doubt.tolist()))}
        return LookReader(Seen(**{**vars(self.seen), **tried}), self.network)

    def of(self, numbers: Sequence[int]) -> LookReader:
        """The reader that says only some of its numbers."""
        at, s = list(numbers), self.seen
        kept = {k: tuple(np.array(getattr(s, k))[at].tolist()) for k in ("middle", "spread", "explained")}
        doubt = tuple(map(tuple, np.array(s.doubt)[np.ix_(at, at)].tolist()))
        some: dict[str, Any] = {**vars(s), **kept, "doubt": doubt, "says": tuple(np.arange(len(s.doubt))[at].tolist())}
        return LookReader(Seen(**some), self.network)

    def __call__(self, images: Images) -> Array:
        """What it says of pictures (n, H, W, 3) of any size, (n, k), in units of `Seen.spread` about `Seen.middle`."""
        return self.read(images)[1]

    def read(self, images: Images) -> tuple[Array, Array]:
        """Features (n, 64) of pictures, and what it says of them (n, k)."""
        check_images(images)
        return self._answers(_prepared(images, self.seen))

    def _answers(self, prepared: Pictures) -> tuple[Array, Array]:
        import torch

        self.network.eval()
        found = []
        with torch.no_grad(), repeatable(0):
            for _, x in prepared.parts():
                found.append([each.numpy().astype(float) for each in self.network(x)])
        said = np.concatenate([y for _, y in found])
        return np.concatenate([f for f, _ in found]), said if self.seen.says is None else said[:, self.seen.says]

    def save(self, folder: Path) -> None:
        """Write it into a folder: weights as safetensors, the rest as JSON."""
        from safetensors.numpy import save

        weights = {k: np.ascontiguousarray(v.detach().numpy()) for k, v in self.network.state_dict().items()}
        with write_aside(folder / _WEIGHTS) as file:
            file.write(save(weights))
        write_json(folder / _RECORD, asdict(self.seen))

    @classmethod
    def load(cls, folder: Path) -> LookReader:
        """Read what `save` wrote."""
        import torch
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            record = read_json(folder / _RECORD)
            rows = {k: tuple(record[k]) for k in ("size", "middle", "spread", "explained")}
            seen = Seen(**{**record, **rows, "doubt": tuple(map(tuple, record["doubt"]))})
            network = _network(get_normalisation(seen.normalisation).channels, seen.size, len(seen.middle))
            weights = load((folder / _WEIGHTS).read_bytes())
            network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
        except (KeyError, TypeError, OSError, RuntimeError, SafetensorError) as error:
            raise InputError(f"{folder}: a damaged reader ({error}); delete this folder and fit again") from None
        return cls(seen, network)


def _prepared(images: Images, seen: Seen) -> Pictures:
    """Pictures as the network sees them."""
    return Pictures(resized(images, seen.size), seen.normalisation)


def _network(channels: int, size: tuple[int, int], numbers: int) -> Any:
    from torch import nn

    from simloop.learn.domains.network import block

    class Reader(nn.Module):  # type: ignore[misc]
        """Normalised pictures -> features and numbers."""

        def __init__(self) -> None:
            super().__init__()
            ends = zip(itertools.pairwise((channels, *_WIDTHS)), _KERNELS, strict=True)
            blocks = [block(a, b, k) for (a, b), k in ends]
            left = _WIDTHS[-1] * int(np.prod([-(-side // 2 ** len(_KERNELS)) for side in size]))
            self.hidden = nn.Sequential(
                *blocks, nn.Flatten(), nn.Dropout(_DROPPED), nn.Linear(left, _HIDDEN), nn.ReLU()
            )
            self.out = nn.Linear(_HIDDEN, numbers)

        def forward(self, pictures: Any) -> tuple[Any, Any]:
            features = self.hidden(pictures)
            return features, self.out(features)

    return Reader()
