"""A perceptron that is fitted to decisions: what behavioural cloning and its iterations share.

    network = Regression(inputs=6, actions=2, hidden=(128, 128), rate=1e-3, seed=7)
    loss = network.epoch(seen, done, batch=512, order=rng.permutation(len(seen)))

It says fractions of the actions' limits, tanh of its last layer, and minimises their mean squared error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.learn.policy import Float32
from simloop.learn.state import optimizer_arrays, restore_optimizer
from simloop.randomness import stream
from simloop.repeatable import repeatable

#: rows that are looked at together where nothing is learned
_ROWS = 8192


class Regression:
    """A perceptron with its optimizer (Adam).

    Args:
        inputs, actions: numbers that come in and go out.
        hidden: widths of the hidden layers.
        rate: the learning rate.
        seed: of the first weights.
    """

    def __init__(self, inputs: int, actions: int, hidden: Sequence[int], rate: float, seed: int) -> None:
        import torch

        widths = [inputs, *hidden]
        modules: list[Any] = []
        with repeatable(int(stream(seed, "first weights").integers(2**31))):
            for a, b in itertools.pairwise(widths):
                modules += [torch.nn.Linear(a, b), torch.nn.ReLU()]
            self._net = torch.nn.Sequential(*modules, torch.nn.Linear(widths[-1], actions), torch.nn.Tanh())
        self._adam = torch.optim.Adam(self._net.parameters(), lr=rate)

    def epoch(
        self, seen: Float32, done: Float32, *, batch: int, order: NDArray[np.int64], rate: float | None = None
    ) -> float:
        """Pass once through (N, inputs) and (N, actions) in an order, (N,); return the mean loss."""
        import torch

        if rate is not None:
            for group in self._adam.param_groups:
                group["lr"] = rate
        total = 0.0
        with repeatable(0):  # nothing is drawn here: for its one thread
            for a in range(0, len(order), batch):
                at = order[a : a + batch]
                loss = ((self._net(torch.from_numpy(seen[at])) - torch.from_numpy(done[at])) ** 2).mean()
                self._adam.zero_grad()
                loss.backward()
                self._adam.step()
                total += float(loss.detach()) * len(at)
        return total / len(order)

    def loss(self, seen: Float32, done: Float32) -> float:
        """Mean squared error without learning."""
        import torch

        total = 0.0
        with torch.no_grad(), repeatable(0):
            for a in range(0, len(seen), _ROWS):
                x, y = torch.from_numpy(seen[a : a + _ROWS]), torch.from_numpy(done[a : a + _ROWS])
                total += float(((self._net(x) - y) ** 2).sum())
        return total / done.size

    def weights(self) -> dict[str, Float32]:
        """The weights as `Policy` names them."""
        linear = [m for m in self._net if hasattr(m, "weight")]
        found = {f"layers.{i}.weight": m.weight.detach().numpy().copy() for i, m in enumerate(linear)}
        return found | {f"layers.{i}.bias": m.bias.detach().numpy().copy() for i, m in enumerate(linear)}

    def arrays(self) -> dict[str, Any]:
        """Everything that it has learned and counted, by name."""
        kept = {f"network/{k}": v.detach().numpy().copy() for k, v in self._net.state_dict().items()}
        return kept | optimizer_arrays("adam", self._adam)

    def restore(self, arrays: dict[str, Any]) -> None:
        """Put back what `arrays` gave."""
        import torch

        try:
            self._net.load_state_dict(
                {k: torch.from_numpy(np.array(arrays[f"network/{k}"])) for k in self._net.state_dict()}
            )
            restore_optimizer("adam", self._adam, arrays)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"this training state is of another network ({error})") from None
