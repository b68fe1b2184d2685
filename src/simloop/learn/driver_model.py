"""A trained driver: images in, one number for each out; on disk as safetensors and JSON, and as ONNX.

model = DriverModel.load(Path("runs/driver/policy"))
model(images)                                       # (n, H, W, 3) uint8 of any size -> (n,)
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import InputError, need
from simloop.learn.normalisation import get_normalisation
from simloop.learn.pictures import Images, Pictures, check_images, resized
from simloop.parameters import Array
from simloop.repeatable import repeatable
from simloop.runs import read_json, write_aside, write_json

_WEIGHTS, _RECORD = "driver.safetensors", "driver.json"


@dataclass(frozen=True)
class Scale:
    """A number in deviations from its mean, as networks learn it."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, labels: Array) -> Scale:
        return cls(float(labels.mean()), max(float(labels.std()), 1e-6))

    def down(self, labels: Array) -> Array:
        return (labels - self.mean) / self.deviation

    def up(self, deviations: Array) -> Array:
        return deviations * self.deviation + self.mean


@dataclass(frozen=True)
class Shape:
    """What decides a network's layers and what it sees.

    Attributes:
        label: what the number is called.
        size: (width, height) pixels that images are brought to by averaging areas.
        normalisation: of images.
        width: channels of the network's first convolution.
        adaptation: how the network was adapted to reality.
    """

    label: str
    size: tuple[int, int]
    normalisation: str
    width: int
    adaptation: str = "none"

    def network(self) -> Any:
        """One that has learned nothing."""
        channels = get_normalisation(self.normalisation).channels
        if self.adaptation == "translation":
            from simloop.learn.domains.translation import Reader

            return Reader(channels, self.size, self.width)
        from simloop.learn.domains.network import Network

        return Network(channels, self.size, self.width)

    def prepared(self, images: Images) -> Pictures:
        """Images (n, H, W, 3) of any size as a network sees them."""
        return Pictures(resized(images, self.size), self.normalisation)


@dataclass(eq=False)
class DriverModel:
    """A trained driver.

    Attributes:
        shape: of its network.
        scale: of its numbers.
        network: normalised images -> features and numbers in deviations.
    """

    shape: Shape
    scale: Scale
    network: Any = field(repr=False)

    @property
    def label(self) -> str:
        """What its number is called."""
        return self.shape.label

    def __call__(self, images: Images) -> Array:
        """The number (n,) of each image (n, H, W, 3) of 0 to 255 and any size."""
        return self.scale.up(self._answers(images)[1])

    def features(self, images: Images) -> Array:
        """What the number is read from, (n, F), of images (n, H, W, 3)."""
        return self._answers(images)[0]

    def _answers(self, images: Images) -> tuple[Array, Array]:
        from simloop.learn.domains.course import answers

        check_images(images)
        with repeatable(0):
            return answers(self.network, self.shape.prepared(images))

    def arrays(self) -> dict[str, Any]:
        """Its weights, by name."""
        return {f"network/{k}": v.detach().numpy() for k, v in self.network.state_dict().items()}

    def save(self, folder: Path) -> None:
        """Write it into a folder: weights as safetensors, the rest as JSON."""
        from safetensors.numpy import save

        with write_aside(folder / _WEIGHTS) as file:
            file.write(save({k: np.ascontiguousarray(v) for k, v in self.arrays().items()}))
        write_json(folder / _RECORD, {"shape": asdict(self.shape), "scale": asdict(self.scale)})

    @classmethod
    def load(cls, folder: Path) -> DriverModel:
        """Read what `save` wrote."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        from simloop.learn.domains.course import restore_module

        if not (folder / _RECORD).exists():
            raise InputError(f"{folder}: no driver (it has no {_RECORD}); `simloop train DATASET --learner driver`")
        record = read_json(folder / _RECORD)
        try:
            shape = Shape(**{**record["shape"], "size": tuple(record["shape"]["size"])})
            model = cls(shape, Scale(**record["scale"]), shape.network())
            restore_module(model.network, "network", load((folder / _WEIGHTS).read_bytes()))
        except (KeyError, TypeError, OSError, json.JSONDecodeError, SafetensorError) as error:
            raise InputError(f"{folder}: a damaged driver ({error}); train it again") from None
        return model

    def to_onnx(self, path: Path) -> None:
        """Write it as ONNX: `images` (n, height, width, 3) uint8 of the driver's own size in, (n,) out.

        Normalisation and scale are inside; only the averaging of areas to its size is not.
        """
        need(["onnx"], "the export to ONNX", "learn")
        import torch

        from simloop.learn.domains.network import Whole

        width, height = self.shape.size
        whole = Whole(self.network, get_normalisation(self.shape.normalisation).of, vars(self.scale)).eval()
        content = io.BytesIO()
        with repeatable(0), warnings.catch_warnings():
            # PyTorch's newer exporter needs another package, for the same graph
            warnings.simplefilter("ignore")
            torch.onnx.export(
                whole, (torch.zeros((1, height, width, 3), dtype=torch.uint8),), content, dynamo=False,
                input_names=["images"], output_names=[self.label],
                dynamic_axes={"images": {0: "n"}, self.label: {0: "n"}},
            )  # fmt: skip
        with write_aside(path) as file:
            file.write(content.getvalue())
