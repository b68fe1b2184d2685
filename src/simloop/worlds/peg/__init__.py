"""World `peg`: a peg on a soft rope (`rope.py`), the arm and the box (`world.py`), what is to be done (`task.py`)."""

from simloop.worlds.peg.task import PegIn
from simloop.worlds.peg.world import Peg

__all__ = ["Peg", "PegIn"]
