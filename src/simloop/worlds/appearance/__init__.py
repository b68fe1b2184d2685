"""How a scene looks, as parameters of kind `appearance`, for every world that MuJoCo draws.

prepare(spec)                                    # once for each scene, before it is compiled
look = Look(spec.compile(), stream(seed, "clutter", scene), qpos=qpos)
applied = look.apply(values, streams)            # as often as you like: nothing is compiled again
look.upload(context)                             # before mjr_render
applied.show(scene)
rgb = applied.hazed(rgb, depth)                  # after it
"""

from simloop.worlds.appearance.clutter import CATEGORY as CLUTTER_CATEGORY
from simloop.worlds.appearance.inside import solid_at, solids_at
from simloop.worlds.appearance.look import Applied, Look, Streams, prepare
from simloop.worlds.appearance.space import CLUTTER, appearance_distributions, appearance_space
from simloop.worlds.appearance.textures import Images, texture
from simloop.worlds.appearance.viewpoints import see_as

__all__ = [
    "CLUTTER",
    "CLUTTER_CATEGORY",
    "Applied",
    "Images",
    "Look",
    "Streams",
    "appearance_distributions",
    "appearance_space",
    "prepare",
    "see_as",
    "solid_at",
    "solids_at",
    "texture",
]
