"""`coral`: features of simulation and of reality shall vary together in the same way.

Sun and Saenko, "Deep CORAL: correlation alignment for deep domain adaptation" (arXiv 1607.01719), section 3: beside the
loss of the labels, the squared distance between the covariances of the features (equation 1), here in
units of their squares. Departures:

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
from simloop.learn.domains.course import Batch, control_loss


class Coral(AdaBN):
    """Plain training and a loss on covariances."""

    name: ClassVar[str] = "coral"
    trains: ClassVar[str] = "coral"

    def step(self, batch: Batch) -> dict[str, float]:
        self.network.train()
        features, said = self.network(batch.images)
        others, _ = self.network(batch.real)
        control = control_loss(said, batch.labels)
        distance = coral_loss(features, others)
        self.descend(control + self.options.weights["coral"] * ramp(batch.done) * distance)
        return {"control": float(control.detach()), "coral": float(distance.detach())}


def coral_loss(features: Any, others: Any) -> Any:
    """|| C - C' ||^2 / (|| C ||^2 + || C' ||^2), 0 to 1, of features (B, F) and (B', F).

    The paper divides by 4 F^2, and features that shrink to nothing are then alike; so divided, the scale has no say.
    """
    a, b = torch.cov(features.T), torch.cov(others.T)
    return ((a - b) ** 2).sum() / ((a**2).sum() + (b**2).sum()).clamp(min=1e-12)


def ramp(done: float) -> float:
    """How much of its weight an adaptation has after a part of the training, 0 to 1 (Ganin et al., section 5.2.2)."""
    return 2 / (1 + math.exp(-10 * done)) - 1
