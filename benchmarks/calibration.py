"""Rows 1-4 and 10: do randomisations hold reality as often as they say, and still predict better than one model?

C.1 is cross-validated: for each recording (the twin swing-ups together) least squares and `hierarchical` are fitted on
the others with their default options, and answer for it. Qube is fitted on eight chirps and asks for two chirps and for
swing-ups that it has never seen. All windows of a horizon are pooled; a band is that of 100 draws.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.table import show
from simloop import Comparison, Hierarchical, LeastSquares, Replay, get_target, get_world
from simloop.distributions import Distribution, Normal, Point
from simloop.gap.bootstrap import paired_ratio
from simloop.gap.energy_score import energy_scores
from simloop.gap.ensemble import Ensemble, ensemble
from simloop.parameters import Array
from simloop.targets.target import Target
from simloop.worlds import World

HORIZONS = (0.06, 0.1, 0.2, 0.5)
DRAWS = 100
#: the Qube's few windows are drawn for more often, so that chance does not decide
QUBE_DRAWS = 400
#: C.1's recordings that are left out together: 8 and 9 are twins
FOLDS = ((0,), (1,), (2,), (3,), (4,), (5,), (6,), (7,), (8, 9))


class Pooled(NamedTuple):
    """What an arm makes of windows, pooled over folds."""

    covered: Array  # (n, 2, C) inside the 50 % and the 90 % band
    score: Array  # (n,) energy score
    error: Array  # (n, C) of the mean parameters
    file: np.ndarray  # (n,)


def run() -> None:
    """Print the tables."""
    cross_validated()
    qube()


def cross_validated() -> None:
    """Rows 1, 2 and 10."""
    world = get_world("double-pendulum/c1")
    target = get_target("double-pendulum/design-c1/all", world)
    prior = _prior(world)
    pooled: dict[tuple[str, float], list[Pooled]] = {}
    took: dict[str, list[float]] = {"least-squares": [], "hierarchical": []}
    for fold in FOLDS:
        train = [i for i in range(len(target.recordings)) if i not in fold]
        arms: dict[str, Distribution] = {"wide": world.distribution("wide")}
        for method in (LeastSquares(), Hierarchical()):
            began = time.perf_counter()
            fit = method.fit(Comparison(world, _part(target, train)), prior)
            took[method.name].append(time.perf_counter() - began)
            arms[method.name] = fit.distribution
        replay = Replay(world, target.recordings.take(np.array(fold)))
        for horizon in HORIZONS:
            for name, distribution in {**arms, "point": _point(world, arms["least-squares"])}.items():
                pooled.setdefault((name, horizon), []).append(measured(world, replay, distribution, horizon))
        print(f"fold {fold}: {took['least-squares'][-1]:.0f} s and {took['hierarchical'][-1]:.0f} s", flush=True)
    print(
        f"\n1, 2: double pendulum C.1, {len(FOLDS)} folds over {len(target.recordings)} recordings, joint 1 / joint 2\n"
    )
    joined = {key: _joined(parts) for key, parts in pooled.items()}
    show(*_rows(joined, HORIZONS, ("wide", "least-squares", "hierarchical")))
    ratio = sum(took["hierarchical"]) / sum(took["least-squares"])
    print(f"\n10: hierarchical took {ratio:.2f} times as long as least-squares (target: <= 3), which it begins with\n")


def qube() -> None:
    """Rows 3 and 4."""
    world = get_world("qube")
    comparison = Comparison(world, get_target("qube/chirps-train", world))
    arms: dict[str, Distribution] = {"default": world.distribution("default"), "wide": world.distribution("wide")}
    for method in (LeastSquares(), Hierarchical()):
        arms[method.name] = method.fit(comparison, _prior(world)).distribution
    arms["point"] = _point(world, arms["least-squares"])
    found: dict[str, dict[tuple[str, float], Pooled]] = {}
    for name in ("chirps-test", "swing-up-5s", "swing-up-7s"):
        replay = Replay(world, get_target(f"qube/{name}", world).recordings)
        found[name] = {(a, 0.2): measured(world, replay, d, 0.2, draws=QUBE_DRAWS) for a, d in arms.items()}
    swing_ups = [found["swing-up-5s"], found["swing-up-7s"]]
    found["both swing-ups"] = {key: _joined([part[key] for part in swing_ups]) for key in swing_ups[0]}
    for name, parts in found.items():
        print(f"\n3, 4: Qube, fitted on chirps, asked for {name}, arm / pole\n")
        show(*_rows(parts, (0.2,), ("default", "wide", "least-squares", "hierarchical")))
    print()


def measured(world: World, replay: Replay, distribution: Distribution, horizon: float, *, draws: int = DRAWS) -> Pooled:
    """Windows of one horizon under an arm."""
    windows = replay.windows(horizon)
    e = ensemble(world, windows, distribution, draws=draws)
    alone = ensemble(world, windows, _point(world, distribution)).errors[:, 0, 0]
    return Pooled(_covered(e), energy_scores(e.errors, e.finite)[:, 0], alone, windows.segments.recording)


def _covered(e: Ensemble) -> Array:
    low, high = np.quantile(e.errors[:, :, 0], [[0.25, 0.05], [0.75, 0.95]], axis=1, method="weibull")
    return np.asarray((low <= 0) & (high >= 0)).transpose(1, 0, 2).astype(float)


def _joined(parts: list[Pooled]) -> Pooled:
    files = np.concatenate([np.full(len(p.file), 100 * i) + p.file for i, p in enumerate(parts)])
    covered, score, error = (np.concatenate([getattr(p, k) for p in parts]) for k in ("covered", "score", "error"))
    return Pooled(covered, score, error, files)


def _rows(
    found: Mapping[tuple[str, float], Pooled], horizons: tuple[float, ...], arms: tuple[str, ...]
) -> tuple[list[str], list[list[str]]]:
    head = ["after", "arm", "mean's RMSE (rad)", "50 % band", "90 % band", "energy score", "to point fit", "to wide"]

    def ratio(a: Pooled, b: Pooled) -> str:
        value, (low, high) = paired_ratio(a.score, b.score, a.file)
        return f"{value:.3f} [{low:.2f}, {high:.2f}]"

    def each(values: Array, digits: int) -> str:
        return " / ".join(f"{x:.{digits}f}" for x in values)

    rows = []
    for horizon in horizons:
        for arm in (*arms, "point"):
            p = found[arm, horizon]
            bands = [each(p.covered[:, i].mean(axis=0), 3) for i in (0, 1)]
            rows.append(
                [
                    f"{horizon:g} s",
                    "least-squares, mean" if arm == "point" else arm,
                    each(np.sqrt((p.error**2).mean(axis=0)), 4),
                    *(["-", "-"] if arm in ("default", "point") else bands),
                    f"{p.score.mean():.4f}",
                    ratio(p, found["point", horizon]),
                    ratio(p, found["wide", horizon]),
                ]
            )
    return head, rows


def _prior(world: World) -> Normal:
    prior = world.distribution("prior")
    assert isinstance(prior, Normal)
    return prior


def _point(world: World, distribution: Distribution) -> Point:
    """The mean of a distribution over the world's own parameters."""
    return Point(world.parameters, distribution.mean[: len(world.parameters)])


def _part(target: Target, index: list[int]) -> Target:
    return replace(target, recordings=target.recordings.take(np.array(index)))
