"""How far simulation is from reality: one measure for each file.

    from simloop.gap.ensemble import ensemble

    predicted = ensemble(world, replay.windows(0.2), distribution, draws=100)
    get_measure("energy-score").measure(predicted, seed=0)

`windowed_gaps` is the default: the error at the ends of windows, for people. The others look at the whole ensemble.
"""

from __future__ import annotations

from simloop.errors import unknown
from simloop.gap.classifier import Classifier
from simloop.gap.coverage import Coverage
from simloop.gap.crps import CRPS
from simloop.gap.energy_score import EnergyScore
from simloop.gap.ensemble import Ensemble
from simloop.gap.gap import Gap, Part, quantity
from simloop.gap.measure import ChannelValue, Measure, Measured, measure_arms
from simloop.gap.mismatch import Mismatch
from simloop.gap.mmd import MMD
from simloop.gap.simopt_discrepancy import SimOptDiscrepancy
from simloop.gap.windowed import windowed_gaps

__all__ = [
    "MEASURES",
    "ChannelValue",
    "Ensemble",
    "Gap",
    "Measure",
    "Measured",
    "Mismatch",
    "Part",
    "get_measure",
    "measure_arms",
    "quantity",
    "windowed_gaps",
]

#: name -> measure of an ensemble
MEASURES: dict[str, Measure] = {
    m.name: m for m in (EnergyScore(), CRPS(), Coverage(), MMD(), Classifier(), SimOptDiscrepancy())
}


def get_measure(name: str) -> Measure:
    """Return the measure `name`; unknown names are answered by close matches."""
    if name not in MEASURES:
        raise unknown("measure", name, ["windowed", *MEASURES, "all"])
    return MEASURES[name]
