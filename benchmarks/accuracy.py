"""Rows 1-3: how near a fit on training files comes to real recordings that it never saw.

One fit, with the default options of each method, answers all rows of a build. Nominal means the published parameters
with the protocol's corrections; ratios are of the means over joints, paired, with bootstrap intervals over windows.
For A.0 the nominal model is scored with the torque column that is better for it, `tau_meas`.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.table import show
from simloop import Comparison, LeastSquares, Replay, SimOpt, get_target, get_world
from simloop.adapt.adaptation import Adaptation
from simloop.columns import Column, ColumnMap
from simloop.distributions import Distribution, Point
from simloop.gap import Gap, windowed_gaps
from simloop.gap.bootstrap import RESAMPLES, percentile_interval
from simloop.gap.windowed import window_errors
from simloop.loop import starting_point
from simloop.randomness import stream
from simloop.targets.windows import Windows
from simloop.worlds import World


def run() -> None:
    """Print the table for both builds and both methods."""
    rows = []
    for build in ("c1", "a0"):
        world = get_world(f"double-pendulum/{build}")
        train = get_target(f"double-pendulum/design-{build}/train", world)
        replay = Replay(world, get_target(f"double-pendulum/design-{build}/test", world).recordings)
        arms: dict[str, Distribution | None] = {
            "persistence": None,
            "default": Point(world.parameters),
            "wide": world.distribution("wide"),
        }
        for method in (LeastSquares(), SimOpt()):
            started = time.perf_counter()
            fit = method.fit(Comparison(world, train), starting_point(world, method))
            arms[method.name] = fit.distribution
            _say(build, fit, time.perf_counter() - started)
        for horizon in (0.2, 0.5):
            windows = replay.windows(horizon)
            means = windowed_gaps(world, windows, arms)
            drawn = {g.name: g for g in windowed_gaps(world, windows, arms, draws=100)}
            rows += [_row(build, g if g.name != "wide" else drawn["wide"], drawn[g.name], horizon) for g in means]
        if build == "a0":
            _against_measured_torque(world, replay, arms)
    print()
    show(["build", "after", "arm", "RMSE per joint (rad)", "ratio [95 %]", "median per joint", "median ratio [95 %]",
          "90 % band covers"], rows)  # fmt: skip


def _say(build: str, fit: Adaptation, seconds: float) -> None:
    print(f"{build}: {fit.method} took {seconds:.0f} s for {fit.rollouts} windows", flush=True)


def _row(build: str, gap: Gap, drawn: Gap, horizon: float) -> list[str]:
    def ratio(value: float | None, interval: tuple[float, float] | None) -> str:
        return "1" if value is None or interval is None else f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"

    covered = " / ".join(f"{p.covered:.2f}" for p in drawn.parts if p.covered is not None)
    return [
        build,
        f"{horizon:g} s",
        gap.name,
        " / ".join(f"{p.rmse:.4f}" for p in gap.parts),
        ratio(gap.ratio, gap.ratio_interval),
        " / ".join(f"{p.median:.4f}" for p in gap.parts),
        ratio(gap.median_ratio, gap.median_ratio_interval),
        covered or "-",
    ]


def _against_measured_torque(world: World, replay: Replay, arms: dict[str, Distribution | None]) -> None:
    """Row 3: the fits (commanded torque) against nominal driven by the measured torque, on the same windows."""
    measured = ColumnMap(
        channels={f"joint{k}": Column(column=f"pos_meas{k}", unit="rad") for k in (1, 2)},
        actions={f"motor{k}": Column(column=f"tau_meas{k}", unit="N m") for k in (1, 2)},
    )
    windows = replay.windows(0.2)
    other = Replay(world, get_target("double-pendulum/design-a0/test", world, measured).recordings).windows(0.2)
    nominal = window_errors(world, other, Point(world.parameters), 1, 0)[:, 0]
    print(f"a0: nominal with tau_meas: RMSE {_rms(nominal).round(4)}")
    for name in ("least-squares", "simopt"):
        fit = arms[name]
        assert fit is not None
        error = window_errors(world, windows, Point(world.parameters, fit.mean), 1, 0)[:, 0]
        value, (low, high) = _paired(error, nominal, windows)
        print(f"a0: {name} against nominal with tau_meas: ratio {value:.3f} [{low:.2f}, {high:.2f}]", flush=True)


def _rms(error: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt((error**2).mean(axis=-2)))


def _paired(error: np.ndarray, base: np.ndarray, windows: Windows) -> tuple[float, tuple[float, float]]:
    index = stream(0, "benchmarks", "paired").integers(len(windows), size=(RESAMPLES, len(windows)))
    ratios = _rms(error[index]).mean(-1) / _rms(base[index]).mean(-1)
    return float(_rms(error).mean() / _rms(base).mean()), percentile_interval(ratios)
