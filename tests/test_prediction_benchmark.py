"""Windows of the field's protocol, what predictors are measured by, and the table."""

from __future__ import annotations

import numpy as np
import pytest

from simloop.benchmark.prediction import Windows, cut_windows
from simloop.targets import catalogue
from simloop.targets.tracks import CHANNELS, track_set
from simloop.trajectories import TrajectorySet


def _real(name: str) -> Windows:
    entry = catalogue.entries()["eth-ucy"]
    if not entry.present(name):
        pytest.skip(f"the real tracks are not in {entry.folder}: run 'simloop data get eth-ucy'")
    return cut_windows(track_set(f"eth-ucy/{name}"))


def _tracks(rows: list[tuple[int, int, float, float]]) -> TrajectorySet:
    """One recording of rows (instant, person, x, y)."""
    table = np.array(rows, dtype=float)
    return TrajectorySet(CHANNELS, table[:, 0] * 0.4, table[:, 2:], np.array([0, len(table)]),
                         entity=table[:, 1].astype(np.int64))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "people", "scenes"),
    [("eth", 181, 70), ("hotel", 1053, 301), ("univ", 24334, 947), ("zara1", 2253, 602), ("zara2", 5833, 921)],
)
def test_windows_are_as_many_as_the_field_counts(name: str, people: int, scenes: int) -> None:
    """The published numbers count people in windows of at least two; every scene is one instant of one recording."""
    windows = _real(name)
    assert (len(windows), windows.scenes) == (people, scenes)
    assert np.isfinite(windows.observed).all()
    assert np.isfinite(windows.future).all()
    assert np.diff(windows.offsets).min() >= 2


def test_a_window_needs_all_of_its_twenty_rows() -> None:
    """Gaps, late comers and people who are alone are in no window; with `least=1` who is alone is."""
    rows = [(k, p, float(k), p) for k in range(21) for p in (1, 2) if (k, p) != (20, 2)]
    rows += [(k, 3, float(k), 3) for k in range(21) if k != 9]
    windows = cut_windows(_tracks(rows))
    assert windows.person.tolist() == [1, 2]
    assert windows.instant.tolist() == [0, 0]
    assert cut_windows(_tracks(rows), least=1).person.tolist() == [1, 2, 1]
    assert windows.observed[0, :, 0].tolist() == list(range(8))
    assert windows.future[0, :, 0].tolist() == list(range(8, 20))
    assert np.isnan(windows.blind.future).all()
