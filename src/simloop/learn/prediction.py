"""The learner `predictor`: tracks of people in, a model that says where people will walk out.

    trained = Predictor().train(cut_windows(tracks, least=1), seed=7)              # simulated tracks
    trained = Predictor().train(simulated, real=cut_windows(recorded), seed=7)     # and real ones
    trained.model.predict(windows, 20, rng)                                        # (n, 20, 12, 2) m

Eight observed steps of 0.4 s, then twelve that are predicted. Two losses: the mean distance of the single path; of the
set of paths the energy score, which is least for a set drawn from the truth, and a share of the nearest one's distance.
It trains in chunks, each with its own streams of random numbers, and keeps its state after each: an interrupted
training goes on to the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, need
from simloop.learn.learner import Clock
from simloop.learn.predictor_model import PredictorModel, PredictorShape, Views, local, views_of
from simloop.learn.state import keep_state, kept_state, optimizer_arrays, restore_optimizer
from simloop.learn.track_augmentations import get_track_augmentation
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable

if TYPE_CHECKING:
    from simloop.benchmark.prediction.windows import Windows

#: gradient steps in a chunk; part of the training over which the rate rises
_CHUNK, _WARM = 100, 0.05
#: part of tracks that are walked backwards
_REVERSED = 0.25


@dataclass(frozen=True)
class TrainedPredictor:
    """A model, for each chunk the mean of each loss, and the s that it took."""

    model: PredictorModel
    history: list[dict[str, Any]]
    wall_seconds: float


@dataclass(frozen=True)
class _Source:
    """Tracks that are learned from: their part of a batch, how they are augmented, who is accompanied."""

    views: Views
    part: float
    augmentation: str
    companions: float


@dataclass(frozen=True)
class Predictor:
    """How a predictor is trained.

    Attributes:
        augmentation: of simulated tracks (`track_augmentations.AUGMENTATIONS`).
        real_augmentation: of real ones.
        real_part: of each batch, where there are real tracks beside simulated ones.
        steps, batch: gradient steps, and people in each.
        learning_rate: of Adam at its highest; it rises at first and falls along a cosine.
        width, paths: of the network, and of its set of paths.
        nearest: weight of the nearest path's distance beside the energy score.
        missing: part of neighbours who are not seen in training.
        companions: part of simulated people beside whom somebody walks along.
    """

    name: ClassVar[str] = "predictor"
    needs: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    augmentation: str = "wide"
    real_augmentation: str = "light"
    real_part: float = 0.3
    steps: int = 3000
    batch: int = 256
    learning_rate: float = 2e-3
    width: int = 128
    paths: int = 20
    nearest: float = 0.5
    missing: float = 0.2
    companions: float = 0.6

    def __post_init__(self) -> None:
        get_track_augmentation(self.augmentation)
        get_track_augmentation(self.real_augmentation)
        if not all(0 <= part <= 1 for part in (self.real_part, self.missing, self.companions)):
            raise InputError("learner 'predictor': real_part, missing and companions are parts, from 0 to 1")
        if min(self.steps, self.batch, self.width) < 1 or self.paths < 2:
            raise InputError("learner 'predictor': steps, batch and width must be at least 1, and paths at least 2")

    def train(
        self,
        simulated: Windows | None,
        *,
        real: Windows | None = None,
        seed: int = 0,
        folder: Path | None = None,
        progress: Progress = silent,
    ) -> TrainedPredictor:
        """Learn from windows of tracks.

        Args:
            simulated: with their futures; None: from real ones alone.
            real: with their futures; None: from simulated ones alone.
            seed: of everything random.
            folder: where to keep the state between chunks, and from where to go on; None: nowhere.
            progress: told of each chunk.
        """
        need(self.needs, "learner 'predictor'", "learn")
        import torch

        sources = self._sources(simulated, real)
        shape = PredictorShape(self.width, self.paths)
        with repeatable(int(stream(seed, "predictor").integers(2**31))):
            network = shape.network()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        record: dict[str, Any] = {"chunk": 0, "wall_seconds": 0.0, "history": []}
        if kept := (kept_state(folder) if folder else None):
            from simloop.learn.domains.course import restore_module

            restore_module(network, "network", kept[0])
            restore_optimizer("optimizer", optimizer, kept[0])
            record = kept[1]
        clock, chunks = Clock(record["wall_seconds"]), -(-self.steps // _CHUNK)
        for chunk in range(record["chunk"], chunks):
            first, last = chunk * _CHUNK, min((chunk + 1) * _CHUNK, self.steps)
            with repeatable(int(stream(seed, "predictor", "chunk", chunk).integers(2**31))):
                losses = self._chunk(network, optimizer, sources, range(first, last), seed)
            line = {"steps": last, **losses, "wall_seconds": clock.seconds}
            record = {"chunk": chunk + 1, "wall_seconds": clock.seconds, "history": [*record["history"], line]}
            if folder:
                arrays = {f"network/{k}": v.detach().numpy() for k, v in network.state_dict().items()}
                keep_state(folder, {**arrays, **optimizer_arrays("optimizer", optimizer)}, record)
            progress(f"predictor: step {last}, distance {losses['distance']:.3f} m", (chunk + 1) / chunks)
        return TrainedPredictor(PredictorModel(shape, [network]), record["history"], clock.seconds)

    def _sources(self, simulated: Windows | None, real: Windows | None) -> list[_Source]:
        """What is learned from."""
        both = simulated is not None and real is not None
        given = ((simulated, 1 - self.real_part, self.augmentation, self.companions),
                 (real, self.real_part, self.real_augmentation, 0.0))  # fmt: skip
        found = []
        for windows, part, augmentation, companions in given:
            if windows is None:
                continue
            if not len(windows):
                raise InputError("learner 'predictor': no track is there for 20 steps of 0.4 s; give longer ones")
            found.append(_Source(views_of(windows, future=True), part if both else 1.0, augmentation, companions))
        if not found:
            raise InputError("learner 'predictor': expected simulated tracks, real ones, or both")
        return found

    def _chunk(self, network: Any, optimizer: Any, sources: list[_Source], steps: range, seed: int) -> dict[str, float]:
        """Some gradient steps; the mean of each loss."""
        import torch

        from simloop.learn.predictor_network import energy, nearest

        batches = self._drawn(sources, len(steps), stream(seed, "predictor", "draw", steps.start))
        sums = np.zeros(3)
        for i, (paths, others, there) in zip(steps, batches, strict=True):
            done = i / self.steps
            rate = min((done + 1e-3) / _WARM, 0.5 * (1 + float(np.cos(np.pi * done))) + 1e-3)
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * rate
            one, many = network(paths[:, :8], others, there)
            truth = paths[:, 8:]
            losses = [(one - truth).norm(dim=-1).mean(), energy(many, truth), nearest(many, truth)]
            optimizer.zero_grad()
            (losses[0] + losses[1] + self.nearest * losses[2]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            sums += [float(each.detach()) for each in losses]
        return dict(zip(("distance", "energy", "nearest"), (sums / len(steps)).tolist(), strict=True))

    def _drawn(self, sources: list[_Source], count: int, rng: np.random.Generator) -> Any:
        """Batches of tensors: paths, others, who of them is there."""
        import torch

        parts = []
        sizes = [round(self.batch * source.part) for source in sources]
        sizes[0] = self.batch - sum(sizes[1:])
        for source, size in zip(sources, sizes, strict=True):
            chosen = source.views.take(rng.integers(len(source.views), size=size * count))
            # who walks backwards meets others elsewhere, and sees nobody
            back = rng.random(len(chosen)) < _REVERSED
            paths = np.where(back[:, None, None], chosen.paths[:, ::-1], chosen.paths)
            there = chosen.there & ~back[:, None] & (rng.random(chosen.there.shape) >= self.missing)
            others, how = chosen.others, get_track_augmentation(source.augmentation)
            if source.companions:
                paths, beside = how.of_pairs(paths, rng)
                with_them = rng.random(len(paths)) < source.companions
                others, there = _accompanied(others, there, paths, beside, with_them)
            else:
                paths = how.of(paths, rng)
            seen, _ = local(Views(paths, others, there))
            flip = np.where(rng.random((len(chosen), 1, 1)) < 0.5, -1.0, 1.0)
            seen.paths[..., 1:] *= flip
            seen.others[..., 1::2] *= flip
            parts.append([a.reshape(count, size, *a.shape[1:]) for a in (seen.paths, seen.others, seen.there)])
        paths, others, there = (np.concatenate(group, axis=1) for group in zip(*parts, strict=True))
        return [
            (torch.from_numpy(p), torch.from_numpy(o), torch.from_numpy(t))
            for p, o, t in zip(paths.astype(np.float32), others.astype(np.float32), there, strict=True)
        ]

    @classmethod
    def versions(cls) -> dict[str, str]:
        """The versions of the packages that what is learned depends on."""
        return {package: version(package) for package in cls.needs}


def _accompanied(
    others: Array, there: NDArray[np.bool_], paths: Array, beside: Array, who: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.bool_]]:
    """Neighbours of whom the nearest of some (n,) is who walks beside them."""
    others, there = others.copy(), there.copy()
    known = np.concatenate([beside[:, 7] - paths[:, 7], beside[:, 7] - beside[:, 6]], axis=1)
    others[who, 0], there[who, 0] = known[who], True
    return others, there
