"""A scene that can be made to look otherwise, again and again, without being compiled anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.appearance.clutter import Clutter, add_clutter
from simloop.worlds.appearance.inside import called, solids_at
from simloop.worlds.appearance.lights import Haze, Lights, Sky, add_lights
from simloop.worlds.appearance.space import appearance_space
from simloop.worlds.appearance.surfaces import Surfaces, add_surfaces
from simloop.worlds.appearance.textures import Images
from simloop.worlds.appearance.viewpoints import Viewpoints
from simloop.worlds.staged import Instance

if TYPE_CHECKING:
    import mujoco

#: name of a group of parameters ("texture", "light", ...) -> the stream that its choices are drawn from
Streams = Callable[[str], np.random.Generator]
_NAMES = appearance_space().names


def prepare(spec: mujoco.MjSpec) -> None:
    """Add what looks need to a scene: textures, materials, lights, a sky and clutter. None of it is seen yet."""
    add_clutter(spec)
    add_surfaces(spec)
    add_lights(spec)


@dataclass(frozen=True, eq=False)
class Applied:
    """What a look needs beside the model: whether the sky is shown, the haze, and which clutter is not there."""

    sky: bool
    haze: Haze
    absent: frozenset[str]

    def show(self, scene: mujoco.MjvScene) -> None:
        """Set the flags of the scene that is drawn."""
        import mujoco

        scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = self.sky

    def hazed(self, rgb: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """A picture (H, W, 3) seen through the haze: of what is at depth (H, W), m, exp(-density depth) comes through.

        That is Koschmieder's law (1924), in the picture's own values as OpenGL's fog.
        """
        if not self.haze.density:
            return rgb
        far = np.where(depth > 0, np.minimum(depth, np.float32(self.haze.sky)), np.float32(self.haze.sky))
        through = np.exp(np.float32(-self.haze.density) * far)
        colour = self.haze.colour.astype(np.float32)
        return (colour + (rgb - colour) * through[..., None] + np.float32(0.5)).astype(np.uint8)


class Look:
    """A compiled scene and its looks.

    Args:
        model: compiled from a prepared spec; it is written into.
        rng: decides the shapes of what lies about.
        qpos: (nq,) the state that the scene is first seen in; None for the model's own.
        images: a folder's images, for patterns of the kind `image`.
        kept: names of geoms whose surfaces are left as they are.
    """

    def __init__(
        self, model: mujoco.MjModel, rng: np.random.Generator, *, qpos: Array | None = None,
        images: Images | None = None, kept: Collection[str] = (),
    ) -> None:  # fmt: skip
        import mujoco

        self.model = model
        self._data = mujoco.MjData(model)
        if qpos is not None:
            self._data.qpos[:] = qpos
        self._place()
        self._clutter = Clutter(model, self._data, rng)
        self._surfaces = Surfaces(model, self._clutter.mine, images, kept)
        eyes = np.linalg.norm(self._data.cam_xpos - model.stat.center, axis=1)
        away = float(np.median(eyes)) if len(eyes) else float(model.stat.extent)
        self._lights, self._sky = Lights(model), Sky(model, away)
        self._viewpoints = Viewpoints(model, self._data)
        #: by camera the geoms that it stands in as the world made it: what hides it there is meant
        self._tolerated = [set(self._holding(c)) for c in range(model.ncam)]
        self._stale: set[int] = set()

    @property
    def clutter(self) -> tuple[Instance, ...]:
        """What a labeller needs of the things that may lie about."""
        return self._clutter.instances

    def apply(self, values: Mapping[str, float], streams: Streams) -> Applied:
        """Write a look into the model. Kinematics, cameras and lights of a state must be computed after it.

        Args:
            values: by name all parameters of `appearance_space`; others are left alone.
            streams: where the choices of each group of parameters are drawn from.
        """
        missing = [n for n in _NAMES if n not in values]
        if missing:
            raise InputError(f"how the scene looks is not said: parameter {missing[0]!r} has no value")
        before = self._pixels()
        self._clutter.hide()
        self._viewpoints.apply(values)
        self._place()
        lying = self._clutter.apply(int(values["clutter.count"]), streams("clutter"))
        self._surfaces.apply(values, streams("texture"), streams("gloss"))
        self._lights.apply(values, streams("light"))
        sky, haze = self._sky.apply(values, streams("sky"))
        self._clutter.show(lying)
        self._stale |= {t for t, old in before.items() if not np.array_equal(old, self._texture(t))}
        return Applied(sky, haze, self._clutter.absent(lying))

    def apply_free(
        self, rows: Iterable[Mapping[str, float]], streams: Streams, cameras: Sequence[str]
    ) -> tuple[Mapping[str, float], Applied]:
        """Apply the first of some looks under which no camera stands in an object; return it with what was applied."""
        said = "no look was given"
        for values in rows:
            applied = self.apply(values, streams)
            blocked = next(((c, g) for c in cameras if (g := self.blocked(c))), None)
            if blocked is None:
                return values, applied
            said = f"camera {blocked[0]!r} stands in {blocked[1]!r}"
        raise InputError(
            f"{said}, however often it was drawn; narrow camera.distance, camera.azimuth and camera.elevation"
        )

    def blocked(self, camera: str) -> str | None:
        """What a camera stands in, in the state that the scene is first seen in; None where it is free."""
        c = self.model.camera(camera).id
        self._place()
        found = [g for g in self._holding(c) if g not in self._tolerated[c]]
        return called(self.model, found[0]) if found else None

    def upload(self, context: mujoco.MjrContext) -> None:
        """Tell OpenGL what has changed since the last time."""
        import mujoco

        model = self.model
        for texture in sorted(self._stale):
            mujoco.mjr_uploadTexture(model, context, texture)
        self._stale.clear()
        context.mat_texid[: model.mat_texid.size] = model.mat_texid.reshape(-1)
        context.mat_texuniform[: model.nmat] = model.mat_texuniform
        context.mat_texrepeat[: 2 * model.nmat] = model.mat_texrepeat.reshape(-1)

    def _holding(self, camera: int) -> list[int]:
        """The geoms that a camera stands in, as near as its near plane."""
        margin = float(self.model.vis.map.znear * self.model.stat.extent)
        return [int(g) for g in solids_at(self.model, self._data, self._data.cam_xpos[camera], margin=margin)]

    def _place(self) -> None:
        """Compute where everything is in the state that the scene is first seen in."""
        import mujoco

        mujoco.mj_kinematics(self.model, self._data)
        mujoco.mj_comPos(self.model, self._data)
        mujoco.mj_camlight(self.model, self._data)

    def _texture(self, texture: int) -> NDArray[np.uint8]:
        model = self.model
        start = int(model.tex_adr[texture])
        size = int(model.tex_height[texture]) * int(model.tex_width[texture]) * int(model.tex_nchannel[texture])
        return np.asarray(model.tex_data[start : start + size])

    def _pixels(self) -> dict[int, NDArray[np.uint8]]:
        """A copy of the textures that looks write into."""
        return {t: self._texture(t).copy() for t in (*self._surfaces.slots, self._sky.texture)}
