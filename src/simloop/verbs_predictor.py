"""What the command line's `train TRACKS --learner predictor` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simloop import terminal
from simloop.benchmark.prediction.windows import Windows, cut_windows
from simloop.config import parsed_pairs, with_options
from simloop.data.tracks import TrackDataset, load_tracks
from simloop.errors import InputError, need
from simloop.learn.prediction import Predictor
from simloop.learn.predictor_model import PredictorModel
from simloop.progress import Progress, silent
from simloop.runs import POLICY, TRAINING, Resume, Run
from simloop.targets.tracks import track_set

#: steps from one scene of windows to the next in simulated tracks, whose windows overlap otherwise
_STRIDE = 3


@dataclass(frozen=True)
class PredictorResult:
    """A trained predictor, how its training went, and how it does on simulated scenes that were held out."""

    folder: Path
    model: PredictorModel
    history: list[dict[str, Any]]
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {"run": self.folder.name, "history": self.history, "scores": self.scores}

    def show(self) -> None:
        last, s = self.history[-1], self.scores
        terminal.say(
            f"predictor: {last['steps']:,} steps in {last['wall_seconds']:.0f} s, distance {last['distance']:.3f} m"
        )
        if s:
            terminal.say(
                f"simulated scenes that were held out ({s['windows']:,.0f} windows): ADE {s['ADE']:.3f} m, FDE"
                f" {s['FDE']:.3f} m (constant velocity {s['ADE of constant velocity']:.3f} m); what it does in reality"
                f" says 'simloop benchmark eth-ucy --model {self.folder}'"
            )
        terminal.say(f"the predictor is in {self.folder / POLICY}")


def predictor_of(pairs: Sequence[str], steps: int | None) -> Predictor:
    """The predictor with the options of ["name=value", ...]."""
    options = parsed_pairs(pairs)
    if steps is not None:
        options["steps"] = steps
    return with_options(Predictor(), options, Predictor.name)


def train_predictor(
    folder: Path,
    tracks: str,
    learner: Predictor,
    *,
    real: Sequence[str] = (),
    seed: int = 0,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> PredictorResult:
    """Train a predictor into a run's folder, or go on there.

    Args:
        folder: the run's.
        tracks: a dataset of simulated tracks; or recordings by name (`track_set`), which then are all that it
            learns from.
        learner: how.
        real: recordings to learn from besides, by name.
        seed: of everything random.
        resume: what to do with a folder that holds a run already.
        progress: told how far it is.
    """
    need(learner.needs, "learner 'predictor'", "learn")
    dataset = TrackDataset.open(tracks) if Path(tracks).is_dir() and (Path(tracks) / "dataset.json").exists() else None
    names = list(real) if dataset else [tracks, *real]
    recorded = _joined([cut_windows(track_set(name), least=1) for name in names])
    configuration: dict[str, Any] = {"predictor": {"options": vars(learner), "seed": seed}, "real": names}
    if dataset:
        configuration["dataset"] = {"hash": dataset.manifest.hash, "frames": dataset.manifest.frames}
    with Run.open(folder, configuration, resume=resume) as run:
        simulated, held_out = _simulated(tracks) if dataset else (None, None)

        def compute() -> dict[str, Any]:
            trained = learner.train(simulated, real=recorded, seed=seed, folder=folder / TRAINING, progress=progress)
            trained.model.save(folder / POLICY)
            return {"history": trained.history}

        record = run.stage("train", compute)
        model = PredictorModel.load(folder / POLICY)
        scores = run.stage("scores", lambda: scored(model, held_out) if held_out and len(held_out) else {})
        run.stage("versions", learner.versions)
    return PredictorResult(folder, model, record["history"], scores)


def scored(model: PredictorModel, windows: Windows) -> dict[str, float]:
    """Mean and last distances, m, of the single path, and of constant velocity."""
    from simloop.benchmark.prediction.baselines import ConstantVelocity

    rng = np.random.default_rng(0)  # of samples, of which a single path has none
    off, plain = (
        np.linalg.norm(p.predict(windows.blind, 1, rng)[:, 0] - windows.future, axis=-1)
        for p in (model, ConstantVelocity())
    )
    return {
        "windows": float(len(windows)),
        "ADE": float(off.mean()),
        "FDE": float(off[:, -1].mean()),
        "ADE of constant velocity": float(plain.mean()),
    }


def _simulated(folder: str) -> tuple[Windows, Windows]:
    """Windows to learn from, and those of each tenth scene, which are held out."""
    tracks = load_tracks(folder)
    try:
        windows = cut_windows(tracks, least=1, stride=_STRIDE)
    except InputError as error:
        raise InputError(f"{folder}: {error} (generate them with rows 0.4 s apart, as by default)") from None
    first = windows.offsets[:-1]
    held = windows.recording[first] % 10 == 9
    return windows.take(~held), windows.take(held)


def _joined(windows: Sequence[Windows]) -> Windows | None:
    """Windows of several sets of recordings as one."""
    if not windows:
        return None
    scenes = np.cumsum([0, *[w.scenes for w in windows]])
    records = np.cumsum([0, *[len(w.recordings) for w in windows]])
    return Windows(
        np.concatenate([w.observed for w in windows]),
        np.concatenate([w.future for w in windows]),
        np.concatenate([w.scene + k for w, k in zip(windows, scenes[:-1], strict=True)]),
        np.concatenate([w.person for w in windows]),
        np.concatenate([w.recording + k for w, k in zip(windows, records[:-1], strict=True)]),
        np.concatenate([w.instant for w in windows]),
        tuple(name for w in windows for name in w.recordings),
    )
