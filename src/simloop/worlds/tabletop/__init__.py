"""World `tabletop`: objects made by program, dropped on a table."""

from simloop.worlds.tabletop.world import Tabletop

__all__ = ["Tabletop"]
