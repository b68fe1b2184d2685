"""Long proofs: injected parameters are found again, and the stated uncertainty holds them as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.recovery import recover
from simloop.adapt import LeastSquares, SimOpt


@pytest.mark.slow
def test_least_squares_recovers_and_knows_how_well() -> None:
    """Over 20 stand-ins the pooled 90 % interval holds the truth 80 to 98 times in 100, nearer than the prior."""
    errors, inside = recover(LeastSquares(horizons=(0.5,), stride=1.0, starts=1), 20)
    assert 0.80 <= inside.mean() <= 0.98
    assert np.median(np.abs(errors)) < 0.5 * 0.6745


@pytest.mark.slow
def test_simopt_recovers() -> None:
    """Over 10 stand-ins SimOpt's mean is nearer to the truth than where it started."""
    errors, _ = recover(SimOpt(iterations=8, samples=100, windows=24), 10)
    assert np.sqrt((errors**2).mean()) < 0.9
