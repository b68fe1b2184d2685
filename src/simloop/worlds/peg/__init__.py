"""World `peg`: rope and peg (`rope.py`), arm and box (`world.py`), what is to be done (`task.py`), an expert."""

from simloop.worlds.peg.expert import expert_actions
from simloop.worlds.peg.task import PegIn
from simloop.worlds.peg.world import Peg

__all__ = ["Peg", "PegIn", "expert_actions"]
