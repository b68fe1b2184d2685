"""Where cameras stand: turned about what they look at, nearer or farther, with another field of view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array

if TYPE_CHECKING:
    import mujoco

_FIELDS = ("cam_pos", "cam_quat", "cam_pos0", "cam_poscom0", "cam_mat0", "cam_fovy", "cam_intrinsic",
           "cam_sensorsize")  # fmt: skip


class Viewpoints:
    """The cameras of a compiled scene.

    A camera turns about the point on its axis that is as far away as the middle of the scene; where that is behind it,
    half the scene's size away. One that is carried by a body keeps following it; one that is aimed at a body by MuJoCo
    stays aimed, and cannot roll.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model = model
        self._default = {name: getattr(model, name).copy() for name in _FIELDS}
        self._eye, self._axes = data.cam_xpos.copy(), data.cam_xmat.reshape(-1, 3, 3).copy()
        body = model.cam_bodyid
        self._carried = data.xmat.reshape(-1, 3, 3)[body].copy()
        self._base = data.xpos[body].copy()

    def apply(self, v: Mapping[str, float]) -> None:
        """Move all cameras."""
        import mujoco

        model = self._model
        for name, value in self._default.items():
            getattr(model, name)[:] = value
        turns = [v[f"camera.{name}"] for name in ("azimuth", "elevation", "roll")]
        if any(turns) or v["camera.distance"] != 1:
            for c in range(model.ncam):
                eye, axes = self._moved(c, turns, v["camera.distance"])
                carried = self._carried[c]
                model.cam_pos[c] = carried.T @ (eye - self._base[c])
                mujoco.mju_mat2Quat(model.cam_quat[c], np.ascontiguousarray(carried.T @ axes).reshape(-1))
                model.cam_pos0[c] += eye - self._eye[c]
                model.cam_poscom0[c] += eye - self._eye[c]
                model.cam_mat0[c] = axes.reshape(-1)
        if v["camera.view"] != 1:
            for c in range(model.ncam):
                self._widen(c, v["camera.view"])

    def _moved(self, c: int, turns: list[float], distance: float) -> tuple[Array, Array]:
        """Where a camera then stands (3,), and its axes as columns: right, up and backwards."""
        azimuth, elevation, roll = turns
        eye, axes = self._eye[c], self._axes[c]
        extent = float(self._model.stat.extent)
        deep = float(-axes[:, 2] @ (self._model.stat.center - eye))
        deep = deep if deep > 0.05 * extent else extent / 2
        target = eye - deep * axes[:, 2]
        about = _turn(np.array([0.0, 0.0, 1.0]), azimuth)
        turn = _turn(about @ axes[:, 0], -elevation) @ about
        new = turn @ axes
        return target + distance * deep * new[:, 2], _turn(new[:, 2], -roll) @ new

    def _widen(self, c: int, factor: float) -> None:
        """Multiply a camera's vertical field of view."""
        import mujoco

        model = self._model
        before = float(model.cam_fovy[c])
        if model.cam_projection[c] == mujoco.mjtProjection.mjPROJ_ORTHOGRAPHIC:
            model.cam_fovy[c] = before * factor
            return
        after = min(before * factor, 150.0)
        model.cam_fovy[c] = after
        model.cam_intrinsic[c, :2] *= np.tan(np.deg2rad(before) / 2) / np.tan(np.deg2rad(after) / 2)


def see_as(model: mujoco.MjModel, camera: int, fovy: float) -> None:
    """Give a camera a vertical field of view, rad, square pixels and its centre in the middle, until the next look."""
    model.cam_sensorsize[camera] = 0
    model.cam_fovy[camera] = np.rad2deg(fovy)


def _turn(axis: Array, angle: float) -> Array:
    """(3, 3) rotation about a unit axis by an angle, rad (Rodrigues)."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k)
