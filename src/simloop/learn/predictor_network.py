"""The network of a predictor: one person's steps and those around it in, a path and a set of paths out.

Everything is seen from its owner: the last observed place is the origin, and the walk so far points along x. What comes
out is added to constant velocity, so that a network that has learned nothing is that baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: steps that are seen and predicted; numbers known of a neighbour: its place and its step
_SEEN, _AHEAD, _KNOWN = 8, 12, 4


class PathNetwork(nn.Module):  # type: ignore[misc]
    """Paths ahead, (B, 12, 2) and (B, K, 12, 2), m."""

    def __init__(self, width: int, paths: int) -> None:
        super().__init__()
        steps = _SEEN - 1
        own = 2 * steps + 2 + 2 * 2 * (steps - 1) + 2 * (steps - 1)
        self.own = nn.Sequential(nn.Linear(own, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.query = nn.Linear(width, 32)
        self.key = nn.Sequential(nn.Linear(_KNOWN, 32), nn.SiLU(), nn.Linear(32, 32))
        self.value = nn.Sequential(nn.Linear(_KNOWN, 32), nn.SiLU(), nn.Linear(32, 32))
        self.trunk = nn.Sequential(nn.Linear(width + 32, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.one, self.many = nn.Linear(width, 2 * _AHEAD), nn.Linear(width, paths * 2 * _AHEAD)
        for layer, size in ((self.one, 0.0), (self.many, 0.03)):
            nn.init.normal_(layer.weight, std=size)
            nn.init.normal_(layer.bias, std=10 * size)
        self.register_buffer("ahead", torch.arange(1.0, _AHEAD + 1)[:, None])

    def forward(self, seen: Tensor, others: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Args: seen (B, 8, 2) m; others (B, M, 4) m and m a step; there (B, M), who of them is."""
        step = torch.diff(seen, dim=1)
        change = torch.diff(step, dim=1)
        # changes are read on several scales: of noise, of rounding, of walking
        parts = [
            step.flatten(1) * 2, seen[:, 0] * 0.3, torch.asinh(change.flatten(1) / 0.01) * 0.3,
            torch.asinh(change.flatten(1) / 0.1), torch.log(change.norm(dim=-1) + 1e-4) * 0.3,
            torch.log(step[:, 1:].norm(dim=-1) + 1e-3) * 0.3,
        ]  # fmt: skip
        own = self.own(torch.cat(parts, dim=1))
        # an empty place is always there, so that who is alone attends to nothing
        weight = (self.key(others) * self.query(own)[:, None]).sum(-1) / 32**0.5
        weight = torch.cat([weight.masked_fill(~there, -1e9), torch.zeros_like(weight[:, :1])], dim=1)
        social = (torch.softmax(weight, dim=1)[:, :-1, None] * self.value(others)).sum(1)
        out = self.trunk(torch.cat([own, social], dim=1))
        line = step[:, -1:] * self.ahead
        one = line + self.one(out).view(-1, _AHEAD, 2)
        return one, one.detach()[:, None] + self.many(out).view(len(seen), -1, _AHEAD, 2) * self.ahead / _AHEAD


def energy(paths: Tensor, truth: Tensor) -> Tensor:
    """Energy score of sets of paths (B, K, 12, 2) for truths (B, 12, 2), m (Gneiting and Raftery, JASA 2007)."""
    flat, target = paths.flatten(2), truth.flatten(1)
    count = paths.shape[1]
    apart = torch.cdist(flat, flat).sum((1, 2)) / (count * (count - 1))
    return ((flat - target[:, None]).norm(dim=-1).mean(1) - 0.5 * apart).mean() / _AHEAD**0.5


def nearest(paths: Tensor, truth: Tensor) -> Tensor:
    """Mean distance, m, of the nearest of paths (B, K, 12, 2) to truths (B, 12, 2)."""
    return (paths - truth[:, None]).norm(dim=-1).mean(-1).min(1).values.mean()
