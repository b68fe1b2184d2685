"""A course of training: what one gradient step does, and what is done at the end. One file for each adaptation.

A course sees batches of simulated images with labels and, if it adapts, of images of reality without any. `Plain` is
the course that knows nothing of reality, and what the others add to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional

from simloop.errors import InputError
from simloop.learn.domains.network import Network
from simloop.learn.pictures import Pictures
from simloop.learn.state import optimizer_arrays, restore_optimizer
from simloop.parameters import Array

#: the norm at which gradients are cut
_STEEPEST = 1.0
#: an error, in deviations of the labels, from which on it counts linearly
_LINEAR = 0.25


@dataclass(frozen=True)
class Options:
    """What a course is made of.

    Attributes:
        channels, size, width: of the network: of normalised images, (W, H) pixels, and its first convolution's.
        learning_rate: of Adam at its highest.
        weights: of losses, by name.
    """

    channels: int
    size: tuple[int, int]
    width: int
    learning_rate: float
    weights: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Batch:
    """What a gradient step sees.

    Attributes:
        images: (B, C, H, W) simulated and normalised.
        labels: (B,) in deviations.
        real: (B, C, H, W) of reality, or None; drawn so that what is said of them is distributed as the labels of
            simulation are (`label_shift.py`).
        done: of the training, 0 to 1.
        pairs: how many of the last images are pairs, whose difference is to be said rightly, too.
    """

    images: Any
    labels: Any
    real: Any
    done: float
    pairs: int = 0


class Plain:
    """`none`: learn from simulation alone.

    Attributes:
        trains: the name of the training that it shares with others, which differ in what is done at its end.
        adapts: whether it needs images of reality.
    """

    name: ClassVar[str] = "none"
    trains: ClassVar[str] = "none"
    adapts: ClassVar[bool] = False

    def __init__(self, options: Options) -> None:
        self.options = options
        self.network = Network(options.channels, options.size, options.width)
        self.optimizers = {
            "adam": torch.optim.AdamW(self.network.parameters(), options.learning_rate, weight_decay=1e-3)
        }

    def driver(self) -> Any:
        """The network that drives in reality: normalised images -> features and a number in deviations."""
        return self.network

    def step(self, batch: Batch) -> dict[str, float]:
        """One gradient step; its losses by name, "control" among them."""
        self.network.train()
        _, said = self.network(batch.images)
        loss, told = self.control(said, batch)
        self.descend(loss)
        return told

    def control(self, said: Any, batch: Batch) -> tuple[Any, dict[str, float]]:
        """What is to be minimised of what is said of a batch's images, (B,), and its parts by name."""
        loss = control_loss(said, batch.labels)
        told = {"control": float(loss.detach())}
        if batch.pairs:
            first = len(said) - 2 * batch.pairs
            apart, right = (x[first::2] - x[first + 1 :: 2] for x in (said, batch.labels))
            contrast = control_loss(apart, right)
            told["contrast"] = float(contrast.detach())
            loss = loss + self.options.weights["contrast"] * contrast
        return loss, told

    def descend(self, loss: Any) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers.values():
            torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], _STEEPEST)
            optimizer.step()

    def finish(self, images: Pictures, labels: Array, real: Pictures | None) -> None:
        """What is done when all steps are taken."""

    def modules(self) -> dict[str, Any]:
        """All that is trained, by name."""
        return {"network": self.network}

    def arrays(self) -> dict[str, Any]:
        """The whole state, by name."""
        out = {f"{m}/{k}": v.detach().numpy() for m, module in self.modules().items()
               for k, v in module.state_dict().items()}  # fmt: skip
        for name, optimizer in self.optimizers.items():
            out |= optimizer_arrays(name, optimizer)
        return out

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Put a state back."""
        for name, module in self.modules().items():
            restore_module(module, name, arrays)
        for name, optimizer in self.optimizers.items():
            restore_optimizer(name, optimizer, arrays)


def control_loss(said: Any, labels: Any) -> Any:
    """Huber's loss: near zero it is smooth, far from it a single odd label counts little."""
    return functional.huber_loss(said, labels, delta=_LINEAR) / _LINEAR


def answers(network: Any, images: Pictures) -> tuple[Array, Array]:
    """Features (n, F) and numbers (n,) of a network in use, in deviations."""
    network.eval()
    features, numbers = [], []
    with torch.no_grad():
        for _, seen in images.parts():
            f, y = network(seen)
            features.append(f.numpy().astype(float))
            numbers.append(y.numpy().astype(float))
    return np.concatenate(features), np.concatenate(numbers)


def restore_module(module: Any, name: str, arrays: Mapping[str, Any]) -> None:
    """Put back the weights of a module from arrays by "name/weight"."""
    try:
        module.load_state_dict({k: torch.from_numpy(np.array(arrays[f"{name}/{k}"])) for k in module.state_dict()})
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"these weights are of another network ({error})") from None
