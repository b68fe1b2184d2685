"""What MuJoCo's scenes are drawn on, without a display: colour, depth and which geom is seen at each pixel.

    canvas = Canvas((128, 128))
    canvas.load(model)
    canvas.look(data, camera)
    rgb = canvas.colour()
    depth, geoms = canvas.surfaces()

Depth and geoms come from one pass. The OpenGL is the first of EGL, OSMesa and GLFW that works here, or what the
environment variable MUJOCO_GL names; a process needs no setting for it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.frames import Camera

if TYPE_CHECKING:
    import mujoco

#: slices of a round shape: as round as it looks in small images, at a third of the default's time
SLICES = 16
#: groups of geoms that are seen; the others are for contacts alone
SEEN = (1, 1, 1, 0, 0, 0)
_HIDDEN = 5
#: a geom's own colour that stands for its material's, where it has one
_PLAIN = np.array([0.5, 0.5, 0.5, 1], dtype=np.float32)


def shown_colours(model: mujoco.MjModel) -> NDArray[np.float32]:
    """(ngeom, 4) the colour in which MuJoCo draws each geom: its material's, unless it has one of its own."""
    own, material = model.geom_rgba, model.geom_matid
    worn = (material >= 0) & (own == _PLAIN).all(axis=1)
    return np.where(worn[:, None], model.mat_rgba[material] if model.nmat else own, own)


def shown(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """(ngeom,) whether a geom is drawn: in a group that is seen, and not wholly transparent."""
    return np.asarray(np.array(SEEN, dtype=bool)[model.geom_group] & (shown_colours(model)[:, 3] > 0))


@cache
def _gl() -> Any:
    """This process's OpenGL context: made once, and made current before each use."""
    said = []
    for backend in backends():
        try:
            context = importlib.import_module(f"mujoco.{backend}").GLContext(64, 64)
            context.make_current()
        except Exception as error:  # each library fails in a way of its own
            said.append(f"{backend}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            continue
        return context
    raise InputError(
        f"nothing can be drawn here ({'; '.join(said)[:200]}); install a headless OpenGL (libegl1 or libosmesa6)"
    )


def backends() -> tuple[str, ...]:
    """What to draw with, in the order to try."""
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    if chosen:
        return (chosen,)
    return ("egl", "osmesa", "glfw") if sys.platform == "linux" else ("cgl",) if sys.platform == "darwin" else ("glfw",)


def graphics() -> str:
    """What draws here, as OpenGL names it: another one may give other pixels."""
    _gl().make_current()
    from OpenGL import GL  # chosen when the context was made

    return " ".join(GL.glGetString(name).decode() for name in (GL.GL_RENDERER, GL.GL_VERSION))


class Canvas:
    """Pictures of one size of whatever model is loaded.

    Args:
        size: (width, height), pixels.
        samples: samples of a pixel against jagged edges; 0 is one, and fast.
        shadows: side of the shadow map, pixels; 0 for no shadows.
        room: (width, height), pixels, of the largest picture of a camera that is aimed with.
    """

    def __init__(
        self, size: tuple[int, int], *, samples: int = 0, shadows: int = 512, room: tuple[int, int] = (0, 0)
    ) -> None:
        import mujoco

        self.size = size
        self._samples, self._shadows = samples, shadows
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = SEEN
        self._option.sitegroup[:] = 0
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._context: mujoco.MjrContext | None = None
        self._room = (max(size[0], room[0]), max(size[1], room[1]))
        self._rgb, self._depth = np.empty((0, 0, 3), dtype=np.uint8), np.empty((0, 0), dtype=np.float32)
        self._resize(size)

    @property
    def context(self) -> mujoco.MjrContext:
        """What OpenGL knows of the model, current, its image being the one that is drawn on."""
        import mujoco

        if self._context is None:
            raise RuntimeError("load a model before anything is drawn")
        _gl().make_current()
        # another canvas may have been drawn on, and be gone
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        return self._context

    @property
    def scene(self) -> mujoco.MjvScene:
        """What is drawn; its flags say how."""
        return self._scene

    def load(self, model: mujoco.MjModel) -> None:
        """Draw this model from now on. Its settings of quality and its frame's size are changed to the canvas's."""
        import mujoco

        self.close()
        _gl().make_current()
        model.vis.global_.offwidth, model.vis.global_.offheight = self._room
        quality = model.vis.quality
        quality.offsamples, quality.numslices, quality.numstacks = self._samples, SLICES, SLICES
        quality.shadowsize = self._shadows
        self._model = model
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 100)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._shadows > 0
        self._groups = model.geom_group.copy()

    def look(self, data: mujoco.MjData, camera: int) -> None:
        """Look at the model in the state `data` through its camera of that number."""
        import mujoco

        self._data, self._camera.fixedcamid = data, camera
        self._resize(self.size)
        # endless planes are laid where the scene's camera is, which would be the one of before
        mujoco.mjv_updateCamera(self._model, data, self._camera, self._scene)
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )

    def aim(self, camera: Camera) -> None:
        """See as a pinhole camera that stands where the one stands that was looked through; its picture may be smaller.

        It is so until something is looked at again.
        """
        width, height = camera.size
        self._resize(camera.size)
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
        for eye in self._scene.camera:
            near = eye.frustum_near
            eye.pos, eye.forward, eye.up = camera.position, camera.rotation[:, 2], -camera.rotation[:, 1]
            eye.frustum_center, eye.frustum_width = near * (width / 2 - cx) / fx, near * width / (2 * fx)
            eye.frustum_top, eye.frustum_bottom = near * cy / fy, near * (cy - height) / fy

    def _resize(self, size: tuple[int, int]) -> None:
        import mujoco

        width, height = size
        if self._rgb.shape[:2] != (height, width):
            self._rect = mujoco.MjrRect(0, 0, width, height)
            self._rgb = np.empty((height, width, 3), dtype=np.uint8)
            self._depth = np.empty((height, width), dtype=np.float32)

    def view(self, name: str, depth_unit: float) -> Camera:
        """Where the picture is taken from, and how, read from what is drawn."""
        eye, other = self._scene.camera[0], self._scene.camera[1]
        width, height = self.size
        near, low, high = eye.frustum_near, eye.frustum_bottom, eye.frustum_top
        fy = near * height / (high - low)
        half = eye.frustum_width or (high - low) / 2 * width / height
        fx = near * width / (2 * half)
        centre = (eye.frustum_center + other.frustum_center) / 2
        intrinsics = np.array(
            [[fx, 0, width / 2 - centre / near * fx], [0, fy, high / (high - low) * height], [0, 0, 1.0]]
        )
        forward = np.array(eye.forward, dtype=float)
        down = -np.array(eye.up, dtype=float)
        rotation = np.stack([np.cross(down, forward), down, forward], axis=1)
        position = (np.array(eye.pos, dtype=float) + other.pos) / 2
        return Camera(name, self.size, intrinsics, position, rotation, depth_unit=depth_unit)

    def colour(self) -> NDArray[np.uint8]:
        """(height, width, 3) what is seen."""
        import mujoco

        context = self.context
        mujoco.mjr_render(self._rect, self._scene, context)
        mujoco.mjr_readPixels(self._rgb, None, self._rect, context)
        return self._rgb[::-1].copy()

    def colour_and_depth(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """What is seen, and how far away it is, m, in one pass; what is nothing is as far as anything is drawn."""
        import mujoco

        context = self.context
        mujoco.mjr_render(self._rect, self._scene, context)
        mujoco.mjr_readPixels(self._rgb, self._depth, self._rect, context)
        return self._rgb[::-1].copy(), self._metres()

    def surfaces(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Depth (height, width), m, 0 where nothing is seen; and the number of the geom that is seen there, or -1."""
        import mujoco

        context, flags = self.context, self._scene.flags
        before = flags.copy()
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        try:
            mujoco.mjr_render(self._rect, self._scene, context)
        finally:
            flags[:] = before
        mujoco.mjr_readPixels(self._rgb, self._depth, self._rect, context)
        red, green, blue = (self._rgb[::-1, :, k].astype(np.int32) for k in range(3))
        geoms = self._drawn()[red + (green << 8) + (blue << 16)]
        return np.where(geoms >= 0, self._metres(), np.float32(0)), geoms

    def _metres(self) -> NDArray[np.float32]:
        """(height, width) m, the depth that was read last."""
        eye = self._scene.camera[0]
        near, far = float(eye.frustum_near), float(eye.frustum_far)
        # reversed depth: 1 at the near plane, 0 at the far one
        return np.float32(near * far) / (np.float32(near) + self._depth[::-1] * np.float32(far - near))

    def _drawn(self) -> NDArray[np.int32]:
        """For each colour of an identity pass the geom that it stands for, -1 for none or what is no geom."""
        import mujoco

        geom = mujoco.mjtObj.mjOBJ_GEOM.value
        table = np.full(self._scene.ngeom + 2, -1, dtype=np.int32)
        for g in self._scene.geoms[: self._scene.ngeom]:
            if g.segid >= 0 and g.objtype == geom:
                table[g.segid + 1] = g.objid
        return table

    @contextlib.contextmanager
    def alone(self, geoms: NDArray[np.bool_]) -> Iterator[None]:
        """In a `with` statement: nothing but the geoms (ngeom,) is in the scene that was looked at."""
        groups = self._model.geom_group
        groups[:] = np.where(geoms, self._groups, _HIDDEN)
        try:
            self.look(self._data, self._camera.fixedcamid)
            yield
        finally:
            groups[:] = self._groups
            self.look(self._data, self._camera.fixedcamid)

    def close(self) -> None:
        """Give back what OpenGL holds; when the process ends that is gone before, and nothing is left to do."""
        context, self._context = self._context, None
        if context is not None:
            with contextlib.suppress(Exception):
                _gl().make_current()
                context.free()
