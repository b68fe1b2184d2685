"""`adabn`: replace the statistics of batch normalisation by those of reality.

Li, Wang, Shi, Liu and Hou, "Revisiting batch normalization for practical domain adaptation" (arXiv 1603.04779),
algorithm 1: weights of a layer hold what there is to do, statistics of its batch normalisation what the domain looks
like. Nothing is trained: after the plain training each layer gets the mean and variance that real images have there,
first layers first.

Departure, for label shift: real images weigh so that what the network says of them is distributed as the simulated
labels are (`label_shift.balance`); else a track of right turns would be taken for how reality looks. This is done
twice, since the second time the network says better what they are.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from simloop.learn.domains.course import Plain, answers
from simloop.learn.domains.label_shift import balance
from simloop.learn.pictures import Pictures
from simloop.parameters import Array


class AdaBN(Plain):
    """The plain training, then statistics of reality."""

    name: ClassVar[str] = "adabn"
    adapts: ClassVar[bool] = True

    def finish(self, images: Pictures, labels: Array, real: Pictures | None) -> None:
        if real is not None:
            take_statistics(self.network, labels, real)


def take_statistics(network: Any, labels: Array, real: Pictures, *, rounds: int = 2) -> None:
    """Give a `Network` the statistics of real images, weighed against label shift.

    Args:
        network: changed in place.
        labels: (n,) simulated, in deviations.
        real: m images.
        rounds: how often.
    """
    for _ in range(rounds):
        weights = balance(answers(network, real)[1], labels)
        for layer in range(len(network.blocks)):
            _take(network, layer, real, weights / weights.sum())


def _take(network: Any, layer: int, real: Pictures, weights: Array) -> None:
    """The mean and variance (channels,) of what comes to one layer's batch normalisation, those before being done."""
    network.eval()
    mean, square = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for at, x in real.parts():
            for before in network.blocks[:layer]:
                x = before(x)
            x = network.blocks[layer][0](x)
            w = torch.from_numpy(weights[at].astype(np.float32))
            mean = mean + torch.einsum("b,bc->c", w, x.mean(dim=(2, 3)))
            square = square + torch.einsum("b,bc->c", w, (x * x).mean(dim=(2, 3)))
        norm = network.blocks[layer][1]
        norm.running_mean.copy_(mean)
        norm.running_var.copy_((square - mean * mean).clamp(min=1e-6))
