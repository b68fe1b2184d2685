"""What makes people walk: the models of walking by name.

    Batch(scenes, model="orca")
    Batch(scenes, model=replace(MODELS["orca"], constants=(2.0,)))      # walls are foreseen 2 s ahead

A model chooses a velocity for each person from who and what is near, in a compiled loop, or, as a policy does, from
the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simloop.errors import unknown
from simloop.parameters import Array
from simloop.worlds.crowd.collision_free_speed import CONSTANTS as SPEEDS
from simloop.worlds.crowd.collision_free_speed import collision_free_speed
from simloop.worlds.crowd.orca import orca
from simloop.worlds.crowd.path import along_path
from simloop.worlds.crowd.social_force import CONSTANTS as FORCES
from simloop.worlds.crowd.social_force import social_force

if TYPE_CHECKING:
    from simloop.worlds.crowd.engine import Batch


@dataclass(frozen=True)
class Model:
    """A model of walking.

    Attributes:
        name: what it is called.
        loop: the compiled loop that writes velocities, with the arguments of `orca.orca`.
        constants: numbers of the model that are the same for everybody.
        neighbours: how many of the nearest each person minds at most.
        substep: s, the longest step that it stands; longer ones are divided.
        inert: whether the loop itself carries out changes of velocity in the time that the trait `reaction` says.
        apart: whether bodies never overlap: `projection` keeps them apart.
        choose: instead of `loop`: the velocities (N, 2) m/s of everybody in a batch.
        alone: whether nobody sees anybody, and bodies may begin inside one another.
        content: of a learned one, the hash of its policy.
    """

    name: str
    loop: Any = None
    constants: tuple[float, ...] = (0.0,)
    neighbours: int = 10
    substep: float = float("inf")
    inert: bool = False
    apart: bool = False
    choose: Callable[[Batch], Array] | None = None
    alone: bool = False
    content: str = ""


#: the models of walking; `orca` foresees walls 0.5 s ahead at most
MODELS: dict[str, Model] = {
    m.name: m
    for m in (
        Model("orca", orca, constants=(0.5,), apart=True),
        Model("social-force", social_force, constants=FORCES, neighbours=20, substep=0.05, inert=True),
        Model("collision-free-speed", collision_free_speed, constants=SPEEDS, neighbours=20, substep=0.05, apart=True),
        Model("path", inert=True, choose=along_path, alone=True),
    )
}


def get_model(model: str | Model) -> Model:
    """The model of that name, the policy in a run's folder of that name, or itself."""
    if isinstance(model, Model):
        return model
    if model not in MODELS and Path(model).is_dir():
        from simloop.worlds.crowd.learned import walker

        return walker(model)
    if model not in MODELS:
        raise unknown("model of walking", model, MODELS)
    return MODELS[model]
