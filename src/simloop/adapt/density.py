"""A conditional density learned from pairs: which parameters go with which statistics.

    density = ConditionalDensity.train(z, seen, regressed=seen.shape[1], kind="mdn", seed=7)
    density.sample(observed[None], 1000)        # (1000, 1, d)

By the package `sbi`, as `adapt/posterior.py` needs it.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.repeatable import repeatable

if TYPE_CHECKING:
    import torch


class ConditionalDensity:
    """A density over parameters given statistics.

    The statistics are first boiled down to as many numbers as there are parameters by linear regression (Fearnhead and
    Prangle, JRSS B 2012), and the density is of what that leaves of the parameters, whitened: near the reference the
    posterior is almost the regression, so only how it differs has to be learnt. An embedding network gets the rest.
    """

    network: Any
    loss: float

    def __init__(self, z: Array, seen: Array, regressed: int, seed: int) -> None:
        self.seed, self.regressed = seed, regressed
        self.centre, self.mean = seen[:, :regressed].mean(axis=0), z.mean(axis=0)
        self.slope = np.linalg.lstsq(seen[:, :regressed] - self.centre, z - self.mean, rcond=1e-10)[0]
        expected = self._expected(seen)
        self.range = np.quantile(expected, [0.02, 0.98], axis=0)
        left = z - expected
        self.root = np.linalg.cholesky(left.T @ left / len(left))

    def expected(self, seen: Array) -> Array:
        """What the regression says for each of seen (m, F), no farther out than it was made: (m, d)."""
        return np.asarray(np.clip(self._expected(seen), *self.range))

    def _expected(self, seen: Array) -> Array:
        return np.asarray(self.mean + (seen[:, : self.regressed] - self.centre) @ self.slope)

    def _condition(self, seen: Array) -> torch.Tensor:
        """What the network sees: no farther out than it was trained, since what it makes of that is arbitrary."""
        return _tensor(np.concatenate([self.expected(seen), seen[:, self.regressed :]], axis=1))

    @classmethod
    def train(cls, z: Array, seen: Array, *, regressed: int, kind: str, seed: int) -> ConditionalDensity:
        """Fit to pairs z (n, d), seen (n, F); the same seed gives the same weights."""
        from sbi.inference import NPE
        from sbi.neural_nets import posterior_nn
        from sbi.neural_nets.embedding_nets import FCEmbedding

        density = cls(z, seen, regressed, seed)
        condition = density._condition(seen)
        left = np.linalg.solve(density.root, (z - density._expected(seen)).T).T
        with repeatable(seed):
            options: dict[str, Any] = {}
            if regressed < seen.shape[1]:
                options["embedding_net"] = FCEmbedding(condition.shape[1], 2 * z.shape[1], num_layers=2, num_hiddens=64)
            if kind == "mdn":
                options |= {"hidden_features": 10, "num_components": 10}
            else:
                options |= {"hidden_features": 20, "num_transforms": 2}
            build = posterior_nn(kind, **options)
            inference = NPE(prior=None, density_estimator=build, show_progress_bars=False, tracker=_Untracked())
            inference.append_simulations(_tensor(left), condition)
            with contextlib.redirect_stdout(io.StringIO()):
                density.network = inference.train(
                    training_batch_size=100, learning_rate=5e-4, stop_after_epochs=10, validation_fraction=0.2
                )
            density.network.eval()
            density.loss = float(inference.summary["best_validation_loss"][-1])
        return density

    def sample(self, seen: Array, count: int) -> Array:
        """Draw `count` times for each of seen (m, F): (count, m, d), in the parameters' scale."""
        import torch

        with repeatable(self.seed), torch.no_grad():
            left = self.network.sample((count,), condition=self._condition(seen)).numpy().astype(float)
        return np.asarray(self._expected(seen) + left @ self.root.T)


def _tensor(x: NDArray[np.floating[Any]]) -> torch.Tensor:
    import torch

    return torch.tensor(x, dtype=torch.float32)


class _Untracked:
    """Keeps `sbi` from writing logs into the working folder."""

    log_dir = None

    def log_metric(self, *_: Any, **__: Any) -> None: ...

    def log_metrics(self, *_: Any, **__: Any) -> None: ...

    def log_params(self, *_: Any, **__: Any) -> None: ...

    def add_figure(self, *_: Any, **__: Any) -> None: ...

    def flush(self) -> None: ...
