"""`coral`: features of simulation and of reality shall vary together in the same way.

Sun and Saenko, "Deep CORAL: correlation alignment for deep domain adaptation" (arXiv 1607.01719), section 3: beside the
loss of the labels, the squared distance between the covariances of the features (equation 1), here in
units of their squares. Departures:

- the distance of the features' means is part of the loss: layers after the last batch normalisation are else free to
  let all of reality lean to one side;
- label shift: real images are drawn with the weights of `label_shift.balance`; else a track of right turns would have
  to vary as random roads do;
- each domain has its own statistics of batch normalisation in training, and reality's in use, as in `adabn.py`;
- the weight rises along the training as in `dann.py`, since early features mean nothing yet.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from simloop.learn.domains.adabn import AdaBN
from simloop.learn.domains.course import Batch


class Coral(AdaBN):
    """Plain training and a loss on covariances."""

    name: ClassVar[str] = "coral"
    trains: ClassVar[str] = "coral"

    def step(self, batch: Batch) -> dict[str, float]:
        self.network.train()
        features, said = self.network(batch.images)
        others, _ = self.network(batch.real)
        control, parts = self.control(said, batch)
        distance = coral_loss(features, others)
        self.descend(control + self.options.weights["coral"] * ramp(batch.done) * distance)
        return {**parts, "coral": float(distance.detach())}


def coral_loss(features: Any, others: Any) -> Any:
    """How differently features (B, F) and (B', F) vary, and how far apart they are, each in units of their spread.

    || C - C' ||^2 / (|| C ||^2 + || C' ||^2) + || m - m' ||^2 / (tr C + tr C') of their covariances and means. The
    paper divides by 4 F^2, and features that shrink to nothing are then alike; so divided, the scale has no say.
    """
    a, b = torch.cov(features.T), torch.cov(others.T)
    apart = features.mean(dim=0) - others.mean(dim=0)
    varied = ((a - b) ** 2).sum() / ((a**2).sum() + (b**2).sum()).clamp(min=1e-12)
    return varied + (apart**2).sum() / (a.trace() + b.trace()).clamp(min=1e-12)


def ramp(done: float) -> float:
    """How much of its weight an adaptation has after a part of the training, 0 to 1 (Ganin et al., section 5.2.2)."""
    return 2 / (1 + math.exp(-10 * done)) - 1
