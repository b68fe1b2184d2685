"""World `drawer`: the arm (`panda.py`), the world (`world.py`), what is to be done in it (`task.py`), an expert."""

from simloop.worlds.drawer.expert import expert_actions
from simloop.worlds.drawer.task import DrawerOpen
from simloop.worlds.drawer.world import Drawer

__all__ = ["Drawer", "DrawerOpen", "expert_actions"]
