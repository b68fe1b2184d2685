"""How models that steer do on real frames, beside what does nothing: measures, intervals, baselines, the table."""

from simloop.benchmark.measures import BINS, MEASURES, Measure
from simloop.benchmark.table import Benchmark, Difference, Entrant, Row, Steers, benchmark

__all__ = ["BINS", "MEASURES", "Benchmark", "Difference", "Entrant", "Measure", "Row", "Steers", "benchmark"]
