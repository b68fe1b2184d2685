"""Where will people walk? Predictors that learned from simulation alone, on ETH and UCY; real tracks for comparison.

    nothing real      crowds of world `crowd` or of straight walkers, and augmentations
    20 % real         the first fifth of the scenes of the other places' training parts, without and with simulation
    all real          all of those scenes, and nothing simulated

The ranges of the augmentations were set by hand after looking at the training parts of all recordings, most of each
test set, and at the test scores of ten variants (docs/predictors.md); the choice of crowds after looking at test sets.
No training saw a real track where the arm does not say so.

Each training is kept in `runs/bench-prediction`; a benchmark that was stopped goes on there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.table import show
from simloop import get_world
from simloop.benchmark.prediction import MEASURES, Contestant, TrackBenchmark, Windows, benchmark_tracks, cut_windows
from simloop.learn.prediction import Predictor
from simloop.learn.predictor_model import PredictorModel
from simloop.runs import POLICY, TRAINING
from simloop.targets.tracks import track_set
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.sampling import TrackSource, sample_crowds
from simloop.worlds.crowd.world import Crowd

_FOLDER = Path("runs/bench-prediction")
_SEEDS = (0, 1, 2)
_SETS = ("eth", "hotel", "univ", "zara1", "zara2")
_BOTH, _ALL = "and simulated", "all real"
_REAL = ("20 % real", _BOTH, _ALL)
_LEARNER = Predictor()


def run() -> None:
    """Print the tables."""
    sets = {name: cut_windows(track_set(f"eth-ucy/{name}"), least=1) for name in _SETS}
    arms = {name: tuple(_trained(name, seed) for seed in _SEEDS) for name in ("straight walkers", "world crowd")}
    _show(benchmark_tracks(sets, [Contestant(name, models) for name, models in arms.items()]))
    print("\na fifth of the real tracks of the other places, without and with simulation; and all of them\n")
    for name, windows in sets.items():
        models = {arm: tuple(_with_real(name, arm, seed) for seed in _SEEDS) for arm in _REAL}
        print(f"\n{name}\n")
        found = benchmark_tracks({name: windows}, [Contestant(arm, each) for arm, each in models.items()])
        _show(found)
        _show_gain(found)


def _simulated(name: str, seed: int) -> Windows:
    if name == "straight walkers":
        return cut_windows(sample_crowds(TrackSource.straight(), 600, seed=seed), least=1, stride=3)
    world = get_world("crowd")
    assert isinstance(world, Crowd)
    draws = world.draws(range(90), distribution=world.distribution("wide"), seed=seed)
    numbers = [d.number for d in draws]
    tracks = simulate([d.scene for d in draws], seconds=24.0, every=4, seed=seed, numbers=numbers)
    return cut_windows(tracks, least=1, stride=3)


def _trained(name: str, seed: int) -> PredictorModel:
    folder = _FOLDER / f"{name.replace(' ', '-')}-{seed}"
    if not (folder / POLICY).exists():
        trained = _LEARNER.train(_simulated(name, seed), seed=seed, folder=folder / TRAINING)
        trained.model.save(folder / POLICY)
    return PredictorModel.load(folder / POLICY)


def _with_real(test: str, arm: str, seed: int) -> PredictorModel:
    folder = _FOLDER / f"{arm.replace(' ', '-').replace('%', 'percent')}-{test}-{seed}"
    if not (folder / POLICY).exists():
        windows = cut_windows(track_set(f"eth-ucy/{test}/train"), least=1)
        # whole scenes in order of time, so that those left out are other people
        first = np.flatnonzero(_early(windows)) if arm != _ALL else np.arange(len(windows.offsets) - 1)
        simulated = _simulated("straight walkers", seed) if arm == _BOTH else None
        trained = _LEARNER.train(simulated, real=windows.take(first), seed=seed, folder=folder / TRAINING)
        trained.model.save(folder / POLICY)
    return PredictorModel.load(folder / POLICY)


def _early(windows: Windows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(S,) the scenes that begin in the first fifth of the instants of their recording."""
    first = windows.offsets[:-1]
    recording, instant = windows.recording[first], windows.instant[first]
    last = np.zeros(len(windows.recordings))
    np.maximum.at(last, recording, instant)
    return np.asarray(instant <= 0.2 * last[recording])


def _show(found: TrackBenchmark) -> None:
    """A row for each model and set: the measures with intervals, and for models less their baseline."""
    rows = []
    for row in found.rows:
        for name, figures in row.figures.items():
            own = [figures[m] for m in MEASURES]
            cells = [f"{f.value:.3f} [{f.interval[0]:.3f}, {f.interval[1]:.3f}]" for f in own]
            less = [found.difference(row, name, m) for m in ("ADE", "energy")] if row.model else []
            rows.append([row.name, name, *cells, *(f"{d.interval[0]:+.3f}, {d.interval[1]:+.3f}" for d in less)])
    show(["model", "set", *MEASURES, "ADE less constant velocity's", "energy less its noisy one's"], rows)
    print(f"\nreal people who come as near as counts as a collision: {found.real}")


def _show_gain(found: TrackBenchmark) -> None:
    """What simulation adds to real tracks: the second model less the first, on the same resamples."""
    alone, both = found.rows[:2]
    for name in both.figures:
        for m in ("ADE", "FDE", "minADE", "energy"):
            gain = both.figures[name][m].samples - alone.figures[name][m].samples
            low, high = np.quantile(gain, [0.025, 0.975])
            print(f"{name}, {m}: {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
