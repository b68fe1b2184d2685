"""Which scenes of a dataset are held out of training: one rule for our learners and for exports."""

from __future__ import annotations

import math

from simloop.config import Share

#: the part of the scenes that is held out where nobody says another
HELD_OUT = Share(0.1)


def held_out(scene: int, part: float = HELD_OUT) -> bool:
    """Whether a scene is held out: the second, and from there on every tenth, if a tenth of them is.

    It depends on the scene's number alone: a dataset that grows moves no scene from one side to the other, and of two
    scenes one is held out.

    Args:
        scene: its number, from 0.
        part: of the scenes, from 0 to 1.
    """
    return math.floor((scene - 1) * part + 1e-9) > math.floor((scene - 2) * part + 1e-9)
