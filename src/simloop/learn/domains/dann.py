"""`dann`: features by which a classifier cannot tell simulation from reality.

Ganin et al., "Domain-adversarial training of neural networks" (JMLR 17, 2016), section 4: a classifier learns to tell
the domains apart by the features, and its gradient reaches the network with its sign reversed. The weight rises as in
section 5.2.2. Departures:

- each domain has its own statistics of batch normalisation, in training and in use (Chang et al., "Domain-specific
  batch normalization for unsupervised domain adaptation", arXiv 1906.03950): with common ones the two halves of a batch
  are told apart by them;
- the classifier sees features of unit variance in each image (layer normalisation), and gradients are cut at norm 1:
  else the two run away from each other, as nothing bounds the loss that the network maximises;
- label shift: real images are drawn with the weights of `label_shift.balance`, so that domains need not look alike in
  how often they turn right.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from simloop.learn.domains.adabn import AdaBN
from simloop.learn.domains.coral import ramp
from simloop.learn.domains.course import Batch, Options
from simloop.learn.domains.network import FEATURES


class Dann(AdaBN):
    """Plain training against a classifier of domains."""

    name: ClassVar[str] = "dann"
    trains: ClassVar[str] = "dann"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.classifier = nn.Sequential(
            nn.LayerNorm(FEATURES, elementwise_affine=False), nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        parameters = [*self.network.parameters(), *self.classifier.parameters()]
        self.optimizers = {"adam": torch.optim.AdamW(parameters, options.learning_rate, weight_decay=1e-3)}

    def modules(self) -> dict[str, Any]:
        return {**super().modules(), "classifier": self.classifier}

    def step(self, batch: Batch) -> dict[str, float]:
        self.network.train()
        features, said = self.network(batch.images)
        others, _ = self.network(batch.real)
        control, parts = self.control(said, batch)
        weight = self.options.weights["dann"] * ramp(batch.done)
        both = Reversed.apply(torch.cat([features, others]), weight)
        told = functional.binary_cross_entropy_with_logits(
            self.classifier(both)[:, 0],
            torch.cat([torch.zeros(len(features)), torch.ones(len(others))]),
        )
        self.descend(control + told)
        return {**parts, "domain": float(told.detach())}


class Reversed(torch.autograd.Function):  # type: ignore[misc]
    """What it is given, with the gradient times -weight (Ganin et al., section 4.2, equations 14 and 15)."""

    @staticmethod
    def forward(context: Any, features: Any, weight: float) -> Any:
        context.weight = weight
        return features.view_as(features)

    @staticmethod
    def backward(context: Any, gradient: Any) -> tuple[Any, None]:
        return -context.weight * gradient, None
