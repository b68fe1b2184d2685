"""Draws a video in a process of its own: `python -m simloop.report.draw FOLDER NAME FPS`, called by `video.py`.

The folder holds the model as `model.mjb` and `qpos.npy` (T, n, nq): T frames of n episodes side by side.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def draw(folder: Path, name: str, fps: int) -> None:
    """Write the video `name` into the folder."""
    import imageio.v3 as imageio
    import mujoco

    model = mujoco.MjModel.from_binary_path(str(folder / "model.mjb"))
    data = mujoco.MjData(model)
    camera: Any = "watch" if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "watch") >= 0 else -1
    width, height = model.vis.global_.offwidth, model.vis.global_.offheight
    images = []
    with mujoco.Renderer(model, height, width) as renderer:
        for places in np.load(folder / "qpos.npy"):
            shown = []
            for qpos in places:
                data.qpos[:] = qpos
                mujoco.mj_forward(model, data)
                renderer.update_scene(data, camera)
                shown.append(renderer.render())
            images.append(np.concatenate(shown, axis=1))
    if name.endswith(".mp4"):
        options: dict[str, Any] = {"plugin": "FFMPEG", "fps": fps, "codec": "libx264", "macro_block_size": 2}
    else:
        options = {"duration": 1000 / fps, "loop": 0}
    imageio.imwrite(folder / name, np.stack(images), **options)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
