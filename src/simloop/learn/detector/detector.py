"""The learner `detector`: frames with annotations in, a model that finds things out.

    model = Detector(steps=2000).train(dataset, seed=7).model
    detections = model(images)

It learns the visible boxes and masks of things. It trains in chunks, each with its own stream of random numbers, and
keeps its state after each: an interrupted training goes on to the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.frames import Category, Frame, Objects
from simloop.learn.detector.precision import Found, Truth, average_precision
from simloop.learn.learner import Clock
from simloop.learn.state import keep_state, kept_state, optimizer_arrays, restore_optimizer
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable
from simloop.runs import read_json, write_aside, write_json

#: gradient steps in a chunk, and images that are looked at together where nothing is learned
_CHUNK, _TOGETHER = 100, 16
#: part of the training over which the rate rises
_WARM = 0.05
_WEIGHTS, _RECORD = "detector.safetensors", "detector.json"


class Frames(Protocol):
    """Frames at random access, and what their categories mean: a dataset, or what is in memory."""

    @property
    def categories(self) -> tuple[Category, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image, best first.

    Attributes:
        scores: (n,) 0 to 1.
        categories: (n,) places in the model's `names`.
        boxes: (n, 4) u0, v0, u1, v1.
        masks: (n, height, width).
    """

    scores: Array
    categories: NDArray[np.int64]
    boxes: Array
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class TrainedDetector:
    """A model and how its training went: for each chunk the mean loss."""

    model: Model
    history: list[dict[str, Any]]
    wall_seconds: float


@dataclass(frozen=True)
class Detector:
    """How a detector is trained.

    Attributes:
        steps: gradient steps.
        batch: images in each.
        learning_rate: of Adam at its highest; it rises at first and falls along a cosine.
        width: channels of the network's first scale.
        prototypes: of masks.
        agnostic: whether all things are one category, "thing".
        least: things of fewer visible pixels are neither learned nor, when scored, asked for.
        flip: whether half of the images are mirrored left to right.
    """

    name: ClassVar[str] = "detector"
    needs: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    steps: int = 2000
    batch: int = 16
    learning_rate: float = 2e-3
    width: int = 16
    prototypes: int = 12
    agnostic: bool = False
    least: int = 16
    flip: bool = True

    def names(self, categories: Sequence[Category]) -> tuple[str, ...]:
        """What is told apart."""
        things = tuple(c.name for c in categories if c.thing)
        if not things:
            raise InputError("learner 'detector': none of the categories is a thing, so there is nothing to find")
        return ("thing",) if self.agnostic else things

    def train(
        self, frames: Frames, *, seed: int = 0, folder: Path | None = None, progress: Progress = silent
    ) -> TrainedDetector:
        """Learn from frames.

        Args:
            frames: with instance masks.
            seed: of everything random.
            folder: where to keep the state between chunks, and from where to go on; None: nowhere.
            progress: told of each chunk.
        """
        import torch

        if not len(frames):
            raise InputError("learner 'detector': there are no frames to learn from")
        names = self.names(frames.categories)
        with repeatable(int(stream(seed, "detector").integers(2**31))):
            model = Model.new(names, self)
            adam = torch.optim.AdamW(model.network.parameters(), lr=self.learning_rate, weight_decay=1e-4)
        record: dict[str, Any] = {"chunk": 0, "wall_seconds": 0.0, "history": []}
        if kept := (kept_state(folder) if folder else None):
            model.restore(kept[0])
            restore_optimizer("adam", adam, kept[0])
            record = kept[1]
        clock = Clock(record["wall_seconds"])
        chunks = -(-self.steps // _CHUNK)
        for chunk in range(record["chunk"], chunks):
            first = chunk * _CHUNK
            mean = self._chunk(model, adam, frames, range(first, min(first + _CHUNK, self.steps)), seed)
            line = {"steps": min(first + _CHUNK, self.steps), "loss": mean, "wall_seconds": clock.seconds}
            record = {"chunk": chunk + 1, "wall_seconds": clock.seconds, "history": [*record["history"], line]}
            if folder:
                keep_state(folder, model.arrays() | optimizer_arrays("adam", adam), record)
            progress(f"detector: step {line['steps']}, loss {mean:.3f}", (chunk + 1) / chunks)
        return TrainedDetector(model, record["history"], record["wall_seconds"])

    def _chunk(self, model: Model, adam: Any, frames: Frames, steps: range, seed: int) -> float:
        """Some gradient steps; the mean loss."""
        from simloop.learn.detector.network import loss

        losses = []
        with repeatable(0):  # nothing is drawn by torch
            for step in steps:
                rng = stream(seed, "detector", "batch", step)
                chosen = [frames[int(i)] for i in rng.integers(len(frames), size=self.batch)]
                mirrored = rng.random(self.batch) < 0.5 if self.flip else np.zeros(self.batch, dtype=bool)
                images, truth = self.examples(chosen, mirrored, len(model.names))
                for group in adam.param_groups:
                    group["lr"] = self.learning_rate * self._rate(step)
                value = loss(model.network(images), truth)
                adam.zero_grad()
                value.backward()
                adam.step()
                losses.append(float(value.detach()))
        return float(np.mean(losses))

    def _rate(self, step: int) -> float:
        done = (step + 1) / self.steps
        return min(done / _WARM, 0.5 * (1 + float(np.cos(np.pi * done))) + 1e-3)

    def things(self, frame: Frame) -> tuple[Objects, NDArray[np.int64]]:
        """The visible things of a frame, and the place of each among what is told apart."""
        things = frame.things
        things = things.take(things.seen)
        places = np.cumsum([c.thing for c in frame.categories]) - 1
        return things, np.zeros(len(things), dtype=np.int64) if self.agnostic else places[things.categories]

    def examples(self, frames: Sequence[Frame], mirrored: NDArray[np.bool_], kinds: int) -> tuple[Any, dict[str, Any]]:
        """Images (B, 3, H, W) and the truth of their things for `network.loss`."""
        import torch

        from simloop.learn.detector.network import STRIDE

        images = batch_of([f.rgb[:, ::-1] if m else f.rgb for f, m in zip(frames, mirrored, strict=True)])
        height, width = (n // STRIDE for n in images.shape[2:])
        heat = np.zeros((len(frames), kinds, height, width), dtype=np.float32)
        rows: list[tuple[int, int, int]] = []
        numbers: list[Array] = []
        masks: list[NDArray[np.float32]] = []
        for i, frame in enumerate(frames):
            if frame.instances is None:
                raise InputError("learner 'detector' needs instance masks: generate with the pass 'instances'")
            things, places = self.things(frame)
            seen = frame.instances[:, ::-1] if mirrored[i] else frame.instances
            for k in np.flatnonzero(things.pixels >= self.least):
                box = things.boxes[k].copy()
                if mirrored[i]:
                    box[[0, 2]] = frame.camera.size[0] - box[[2, 0]]
                box = box / STRIDE
                middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
                column, row = np.minimum(middle.astype(int), [width - 1, height - 1])
                spread = max(0.7, float(size.min()) / 6)
                _peak(heat[i, places[k]], row, column, spread)
                rows.append((i, row, column))
                numbers.append(np.concatenate([np.log(size), middle - [column, row], box]))
                masks.append(shrunk(seen == things.ids[k], STRIDE, (height, width)))
        at = np.array(rows, dtype=np.int64).reshape(-1, 3)
        values = torch.from_numpy(np.array(numbers, dtype=np.float32).reshape(-1, 8))
        drawn = np.array(masks, dtype=np.float32).reshape(-1, height, width)
        truth = {
            "heat": torch.from_numpy(heat),
            "size": values[:, :2],
            "offset": values[:, 2:4],
            "box": values[:, 4:],
            "mask": torch.from_numpy(drawn),
            **{name: torch.from_numpy(at[:, j].copy()) for j, name in enumerate(("image", "row", "column"))},
        }
        return torch.from_numpy(images), truth

    def truth(self, frame: Frame) -> Truth:
        """What is to be found in a frame."""
        things, places = self.things(frame)
        return Truth(things.boxes, places, things.pixels < self.least)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """The versions of the packages that what is learned depends on."""
        from importlib.metadata import version

        return {package: version(package) for package in cls.needs}


@dataclass(eq=False)
class Model:
    """A trained detector: `names` of what it tells apart, how it was made, and its network."""

    names: tuple[str, ...]
    made: Detector
    network: Any = field(repr=False)

    @classmethod
    def new(cls, names: Sequence[str], made: Detector) -> Model:
        """One that has learned nothing."""
        from simloop.learn.detector.network import Network

        return cls(tuple(names), made, Network(len(names), made.width, made.prototypes))

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], *, most: int = 100, above: float = 0.05
    ) -> list[Detections]:
        """What is in each image (height, width, 3), all of one size: up to `most` things with a score above `above`."""
        import torch

        from simloop.learn.detector.network import STRIDE, peaks

        out: list[Detections] = []
        with torch.no_grad(), repeatable(0):
            for first in range(0, len(images), _TOGETHER):
                some = images[first : first + _TOGETHER]
                maps = self.network(torch.from_numpy(batch_of(some)))
                found = peaks(maps, most)
                for i, image in enumerate(some):
                    keep = found["score"][i] > above
                    boxes = found["box"][i][keep].numpy() * STRIDE
                    drawn = torch.einsum("nk,khw->nhw", found["weights"][i][keep], maps["prototypes"][i])
                    out.append(
                        Detections(
                            scores=found["score"][i][keep].numpy().astype(float),
                            categories=found["category"][i][keep].numpy(),
                            boxes=np.clip(boxes, 0, [*image.shape[1::-1]] * 2).astype(float),
                            masks=_full_masks(drawn, boxes, STRIDE, image.shape[:2]),
                        )
                    )
        return out

    def found(self, frames: Frames, *, progress: Progress = silent) -> tuple[list[Found], list[Truth]]:
        """What it finds in frames and what is to be found; their categories must be those that it was trained on."""
        if self.made.names(frames.categories) != self.names:
            raise InputError(
                f"the detector finds {', '.join(self.names)}; these frames have"
                f" {', '.join(c.name for c in frames.categories if c.thing)}"
            )
        found, truth = [], []
        for first in range(0, len(frames), _TOGETHER):
            some = [frames[i] for i in range(first, min(first + _TOGETHER, len(frames)))]
            for detections, frame in zip(self([f.rgb for f in some]), some, strict=True):
                found.append(Found(detections.boxes, detections.categories, detections.scores))
                truth.append(self.made.truth(frame))
            progress("detector: scoring", min(first + _TOGETHER, len(frames)) / len(frames))
        return found, truth

    def score(self, frames: Frames, *, overlap: float = 0.5, progress: Progress = silent) -> float:
        """Average precision on frames, from 0 to 1."""
        return average_precision(*self.found(frames, progress=progress), overlap=overlap)

    def arrays(self) -> dict[str, Any]:
        """Its weights, by name."""
        return {f"network/{k}": v.detach().numpy() for k, v in self.network.state_dict().items()}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Put weights in."""
        import torch

        try:
            own = {k: torch.from_numpy(np.array(arrays[f"network/{k}"])) for k in self.network.state_dict()}
            self.network.load_state_dict(own)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"these weights are of another network ({error})") from None

    def save(self, folder: Path) -> None:
        """Write it into a folder: weights as safetensors, the rest as JSON."""
        from safetensors.numpy import save

        with write_aside(folder / _WEIGHTS) as file:
            file.write(save({k: np.ascontiguousarray(v) for k, v in self.arrays().items()}))
        write_json(folder / _RECORD, {"names": self.names, "made": asdict(self.made)})

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read what `save` wrote."""
        from safetensors.numpy import load

        if not (folder / _RECORD).exists():
            raise InputError(f"{folder}: no detector (it has no {_RECORD}); `simloop train DATASET --learner detector`")
        record = read_json(folder / _RECORD)
        try:
            model = cls.new(record["names"], Detector(**record["made"]))
            model.restore(load((folder / _WEIGHTS).read_bytes()))
        except (KeyError, TypeError, OSError, json.JSONDecodeError) as error:
            raise InputError(f"{folder}: a damaged detector ({error}); train it again") from None
        return model


def batch_of(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """(B, 3, H, W) from 0 to 1 of images (height, width, 3), filled with grey below and to the right."""
    from simloop.learn.detector.network import DEEPEST

    sizes = {i.shape[:2] for i in images}
    if len(sizes) > 1:
        a, b = sorted(sizes)[:2]
        raise InputError(f"images of one batch must have one size, got {a[1]} x {a[0]} and {b[1]} x {b[0]}")
    height, width = sizes.pop()
    h, w = (-(-n // DEEPEST) * DEEPEST for n in (height, width))
    out = np.full((len(images), 3, h, w), 0.5, dtype=np.float32)
    for k, image in enumerate(images):
        out[k, :, :height, :width] = image.transpose(2, 0, 1) / np.float32(255)
    return out


def _peak(heat: NDArray[np.float32], row: int, column: int, spread: float) -> None:
    """Raise a map (h, w) to a bell around a cell."""
    reach = int(3 * spread) + 1
    r = np.arange(max(row - reach, 0), min(row + reach + 1, heat.shape[0]))
    c = np.arange(max(column - reach, 0), min(column + reach + 1, heat.shape[1]))
    bell = np.exp(-((r[:, None] - row) ** 2 + (c[None] - column) ** 2) / (2 * spread**2)).astype(np.float32)
    at = np.ix_(r, c)
    heat[at] = np.maximum(heat[at], bell)


def shrunk(mask: NDArray[np.bool_], by: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w) the part of each square of `by` pixels that a mask (height, width) fills."""
    full = np.zeros((size[0] * by, size[1] * by), dtype=np.float32)
    full[: mask.shape[0], : mask.shape[1]] = mask
    return full.reshape(size[0], by, size[1], by).mean(axis=(1, 3))


def _full_masks(drawn: Any, boxes: Array, by: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(n, height, width) masks of logits (n, h, w), inside their boxes (n, 4)."""
    from torch.nn import functional

    if not len(boxes):
        return np.zeros((0, *size), dtype=bool)
    whole = functional.interpolate(drawn[None], scale_factor=by, mode="bilinear", align_corners=False)[0].numpy()
    u, v = np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5
    across = (u >= boxes[:, :1]) & (u < boxes[:, 2:3])
    down = (v >= boxes[:, 1:2]) & (v < boxes[:, 3:4])
    return np.asarray((whole[:, : size[0], : size[1]] > 0) & down[:, :, None] & across[:, None, :])
