"""Calibration: does a randomisation hold reality as often as it says, on recordings that no fit has seen?

    arms = {"default": point, "wide": wide, "fit": fitted}
    found = calibrate(Predictions(world, replay, arms, (0.2, 0.5), draws=100, seed=0))
    found.covers("fit"), found.sentence("fit")

One distribution has to be right at every horizon: a band bought with noise on the sensors alone holds at one horizon
and fails at the others. Beside the bands stand proper scores (energy score, CRPS), since a band is easily bought with
width. Every window is simulated under draws of its own; the windows are the same for all arms, so ratios are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import gcd
from typing import Any

import numpy as np

from simloop.distributions import Distribution, Point
from simloop.gap.bootstrap import paired_ratio
from simloop.gap.classifier import Classifier
from simloop.gap.coverage import Coverage
from simloop.gap.crps import CRPS
from simloop.gap.energy_score import EnergyScore
from simloop.gap.ensemble import Ensemble, ensemble
from simloop.gap.gap import Interval
from simloop.gap.measure import Measured, measure_arms
from simloop.targets.windows import Replay, Windows
from simloop.worlds.world import World

#: rows drawn for each window, and the most windows of a horizon: evenly spaced ones where there are more
DRAWS, MOST_WINDOWS = 100, 120
#: s, instants of the shortest windows that are looked at beside their ends
SHORT = (0.06, 0.1)
#: instants at which a recording that is replayed whole is compared, where a measure would look at a window's end
WHOLE_INSTANTS = 10
#: the observed shares that count as what a band of 50, 80, 90 % says
TOLERANCE = {"50%": (0.42, 0.60), "80%": (0.73, 0.88), "90%": (0.85, 0.96)}
#: the arm of ranges set by hand, and what is put to the name of a fit for its mean parameters alone
WIDE, MEAN = "wide", ", mean"


@dataclass(frozen=True)
class Ratio:
    """A mean score divided by that of another arm, paired, with its 95 % interval."""

    to: str
    value: float
    interval: Interval

    @classmethod
    def from_dict(cls, record: dict[str, Any] | None) -> Ratio | None:
        if record is None:
            return None
        low, high = record["interval"]
        return cls(str(record["to"]), float(record["value"]), (float(low), float(high)))


@dataclass(frozen=True)
class Scores:
    """One arm at one horizon.

    Attributes:
        coverage: of the 50, 80 and 90 % bands, with ranks; None where the arm is a point or diverged.
        crps, energy: proper scores; that of energy also as a ratio to the default's.
        to_wide, to_point: the energy score divided by that of `wide`, and of the point that scores best.
    """

    coverage: Measured | None
    crps: Measured
    energy: Measured
    to_wide: Ratio | None = None
    to_point: Ratio | None = None

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Scores:
        coverage = record["coverage"]
        return cls(
            coverage=None if coverage is None else Measured.from_dict(coverage),
            crps=Measured.from_dict(record["crps"]),
            energy=Measured.from_dict(record["energy"]),
            to_wide=Ratio.from_dict(record["to_wide"]),
            to_point=Ratio.from_dict(record["to_point"]),
        )


@dataclass(frozen=True)
class Band:
    """How often one band of one channel held the recordings."""

    horizon: float
    channel: str
    level: str
    covered: float
    interval: Interval

    @property
    def off(self) -> str:
        """ "too little", "too much" or "": beyond the tolerance, and beyond what so few windows leave to chance."""
        low, high = TOLERANCE[self.level]
        level = float(self.level.rstrip("%")) / 100
        if self.covered < low and self.interval[1] < level:
            return "too little"
        return "too much" if self.covered > high and self.interval[0] > level else ""


@dataclass(frozen=True)
class Calibration:
    """Scores of all arms by horizon (s), then by name; JSON-able by `to_dict`.

    Arms named "NAME, mean" are the mean parameters of a fit alone.
    """

    at: dict[float, dict[str, Scores]]
    whole: bool = False

    def to_dict(self) -> dict[str, Any]:
        horizons = [{"horizon": h, "arms": {n: asdict(s) for n, s in arms.items()}} for h, arms in self.at.items()]
        return {"whole": self.whole, "horizons": horizons}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Calibration:
        at = {
            float(e["horizon"]): {str(n): Scores.from_dict(s) for n, s in e["arms"].items()} for e in record["horizons"]
        }
        return cls(at, bool(record["whole"]))

    @property
    def distributions(self) -> list[str]:
        """The arms that have bands."""
        return list(dict.fromkeys(n for arms in self.at.values() for n, s in arms.items() if s.coverage is not None))

    def bands(self, arm: str) -> list[Band]:
        """Every band of an arm, by horizon, channel and level."""
        found = []
        for horizon, arms in self.at.items():
            coverage = arms[arm].coverage if arm in arms else None
            for part in coverage.parts if coverage else ():
                for level, share in part.extra["coverage"].items():
                    low, high = part.extra["coverage intervals"][level]
                    found.append(Band(horizon, part.channel, level, float(share), (float(low), float(high))))
        return found

    def covers(self, arm: str) -> bool | None:
        """Whether the 50 and 90 % bands hold what they say, everywhere; None where nothing could be said."""
        judged = [b for b in self.bands(arm) if b.level in ("50%", "90%") and np.isfinite(b.covered)]
        return not any(b.off for b in judged) if judged else None

    def holds(self, arm: str) -> bool:
        """Whether no 90 % band holds less than it says: what is trained on such a distribution has met reality."""
        bands = self._level(arm, "90%")
        return bool(bands) and not any(b.off == "too little" for b in bands)

    def sentence(self, arm: str, reality: str = "reality") -> str:
        """Whether an arm covers reality as often as it says, and where not; "" where nothing could be said."""
        covers = self.covers(arm)
        if covers is None:
            return ""
        if covers:
            wide, half = (_shares(self._level(arm, level)) for level in ("90%", "50%"))
            return (
                f"{arm} covers {reality} as often as it says: its 90 % band holds {wide} of the recordings, its 50 %"
                f" band {half}, in every channel{self._everywhere()}"
            )
        if where := self._off(arm, "90%"):
            narrow = any(b.off == "too little" for b in self._level(arm, "90%"))
            how = "does not cover {} as often as" if narrow else "covers {} more often than"
            return f"{arm} {how.format(reality)} it says: its 90 % band holds {where}"
        return f"{arm} covers {reality} as often as its 90 % band says, but its 50 % band holds {self._off(arm, '50%')}"

    def _level(self, arm: str, level: str) -> list[Band]:
        return [b for b in self.bands(arm) if b.level == level and np.isfinite(b.covered)]

    def _everywhere(self) -> str:
        return "" if self.whole or len(self.at) == 1 else f", from {min(self.at):g} to {max(self.at):g} s"

    def _off(self, arm: str, level: str) -> str:
        """Where a band is off, and how: "only 24 to 40 % of joint1 after 0.06 and 0.2 s"; "" where it is not."""
        off: dict[tuple[str, str], list[Band]] = {}
        for band in self._level(arm, level):
            if band.off:
                off.setdefault((band.off, band.channel), []).append(band)
        parts = []
        for (how, channel), bands in off.items():
            everywhere = len(bands) == len(self.at)
            times = "" if everywhere else f" after {_listed([f'{b.horizon:g}' for b in bands])} s"
            parts.append(f"{'only ' if how == 'too little' else ''}{_shares(bands)} of {channel}{times}"
                         f"{' (wider than it need be)' if how == 'too much' else ''}")  # fmt: skip
        return _listed(parts) if parts else ""


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _shares(bands: Sequence[Band]) -> str:
    """The smallest and the largest share of some bands."""
    low, high = (f"{100 * pick(b.covered for b in bands):.0f}" for pick in (min, max))
    return f"{high} %" if low == high else f"{low} to {high} %"


class Predictions:
    """What each arm predicts for the same windows, simulated once for each length; short horizons lie within them.

    Args:
        world: the simulator.
        replay: recordings that no fit has seen.
        arms: name -> distribution; of a fit, its mean parameters are an arm of their own.
        lengths: s, of the windows; of recordings that are replayed whole the last one names them all.
        draws: rows drawn for each window.
        most: of more windows than this, so many evenly spaced ones are taken.
        seed: of the draws and of the world's noise.
    """

    def __init__(
        self,
        world: World,
        replay: Replay,
        arms: Mapping[str, Distribution],
        lengths: Sequence[float],
        *,
        draws: int = DRAWS,
        most: int = MOST_WINDOWS,
        seed: int = 0,
    ) -> None:
        self.world, self.replay, self.most, self.seed = world, replay, most, seed
        self.arms = {name: (distribution, draws) for name, distribution in arms.items()}
        fits = {name: d for name, d in arms.items() if name != WIDE and not isinstance(d, Point)}
        self.arms |= {name + MEAN: (d, 1) for name, d in fits.items()}
        self.lengths = sorted(lengths[-1:] if world.whole else lengths)
        dt = world.control_dt
        self._short = [] if world.whole else [h for h in SHORT if 2 * dt <= h < self.lengths[0]]
        self._kept: dict[float, dict[str, Ensemble]] = {}

    @property
    def horizons(self) -> list[float]:
        """Everything that can be asked for, s."""
        return [*self._short, *self.lengths]

    def at(self, horizon: float) -> dict[str, Ensemble]:
        """Ensembles of all arms at a horizon, compared at as many instants as the classifier looks at, or more."""
        if horizon in self._short:
            k = self._steps(horizon) // self._every - 1
            return {name: _instant(e, k) for name, e in self.at(self.lengths[0]).items()}
        if horizon not in self._kept:
            windows, count = windows_at(self.replay, horizon, Classifier.instants)
            if self._short and horizon == self.lengths[0]:
                windows = self.replay.windows(horizon, every=self._every * self.world.control_dt)
                count = len(windows.segments.recorded)
            if len(windows) > self.most:
                windows = windows.take(np.linspace(0, len(windows) - 1, self.most).round().astype(np.int64))
            self._kept[horizon] = {
                name: ensemble(self.world, windows, d, draws=draws, seed=self.seed).at(count)
                for name, (d, draws) in self.arms.items()
            }
        return self._kept[horizon]

    def _steps(self, horizon: float) -> int:
        return round(horizon / self.world.control_dt)

    @property
    def _every(self) -> int:
        """Control steps between two instants of the shortest windows, so that short horizons are among them."""
        steps = [self._steps(h) for h in (*self._short, self.lengths[0])]
        return gcd(*steps, max(1, steps[-1] // Classifier.instants))


def _instant(e: Ensemble, k: int) -> Ensemble:
    """An ensemble at its instant k alone."""
    at = slice(k, k + 1)
    return replace(e, errors=e.errors[:, :, at], changes=e.changes[:, :, at], real=e.real[:, at],
                   instants=e.instants[:, at])  # fmt: skip


def windows_at(replay: Replay, horizon: float, instants: int) -> tuple[Windows, int]:
    """Windows compared at least at `instants` instants (0: every control step), and how many to look at."""
    dt = replay.world.control_dt
    if replay.world.whole:
        windows = replay.windows(horizon, every=dt)
        return windows, max(instants, WHOLE_INSTANTS) if instants else windows.segments.steps
    steps = max(1, round(horizon / dt)) if np.isfinite(horizon) else 1
    # the last instant must be the end, so the steps between two must divide the window's
    each = max(d for d in range(1, steps + 1) if steps % d == 0 and steps // d >= min(instants or steps, steps))
    return replay.windows(horizon, every=each * dt), instants or steps


def calibrate(predictions: Predictions) -> Calibration:
    """Score every arm at every horizon, paired on the same windows."""
    whole, seed = predictions.world.whole, predictions.seed
    return Calibration({h: _scores(predictions.at(h), whole, seed) for h in predictions.horizons}, whole)


def _scores(arms: Mapping[str, Ensemble], whole: bool, seed: int) -> dict[str, Scores]:
    """Scores of all arms at one horizon: at the windows' ends, of whole recordings at all instants."""
    ends = {name: e if whole else e.at(1) for name, e in arms.items()}
    energy = EnergyScore()
    measured = measure_arms(energy, ends, seed=seed)
    own = {name: energy.scores(e) for name, e in ends.items()}
    points = {
        name: float(np.nanmean(own[name])) for name, e in ends.items() if e.draws == 1 and np.isfinite(own[name]).any()
    }
    best = min(points, key=lambda name: points[name]) if points else None
    found = {}
    for name, e in ends.items():

        def ratio(to: str | None, name: str = name, e: Ensemble = e) -> Ratio | None:
            if to is None or to not in own or to == name:
                return None
            return Ratio(to, *paired_ratio(own[name], own[to], e.file, seed=seed))

        enough = bool((e.finite.sum(axis=1) >= Coverage.least_draws).any())
        found[name] = Scores(
            coverage=Coverage().measure(e, seed=seed) if enough else None,
            crps=CRPS().measure(e, seed=seed),
            energy=measured[name],
            to_wide=ratio(WIDE),
            to_point=ratio(best),
        )
    return found


def tell_apart(predictions: Predictions, horizon: float) -> dict[str, Measured]:
    """Whether a classifier tells each arm's simulations from the recordings; none where there are too few windows."""
    arms = {name: e for name, e in predictions.at(horizon).items() if not name.endswith(MEAN)}
    usable = {n: e for n, e in arms.items() if (e.finite.any(axis=1) & e.compared.any(axis=1)).sum() >= 10}
    return {name: Classifier().measure(e, seed=predictions.seed) for name, e in usable.items()}
