"""How far simulation is from reality: one measure for each file."""

from simloop.gap.gap import Gap, Part
from simloop.gap.windowed import windowed_gaps

__all__ = ["Gap", "Part", "windowed_gaps"]
