"""Predictors of where people walk, on real tracks: windows, baselines, measures with every variant, the table."""

from __future__ import annotations

from simloop.benchmark.prediction.predictor import Predictor
from simloop.benchmark.prediction.scores import MEASURES, VARIANTS
from simloop.benchmark.prediction.table import Contestant, TrackBenchmark, benchmark_tracks
from simloop.benchmark.prediction.windows import OBSERVED, PREDICTED, Windows, cut_windows

__all__ = ["MEASURES", "OBSERVED", "PREDICTED", "VARIANTS", "Contestant", "Predictor", "TrackBenchmark", "Windows",
           "benchmark_tracks", "cut_windows"]  # fmt: skip
