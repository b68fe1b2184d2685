"""Draws a video in a process of its own: `python -m simloop.report.draw FOLDER NAME FPS`, called by `video.py`.

The folder holds `qpos.npy` (T, n, nq), T frames of n episodes side by side, and a model of each, `model-0.mjb`, ...
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np


def draw(folder: Path, name: str, fps: int) -> None:
    """Write the video `name` into the folder."""
    import imageio.v3 as imageio
    import mujoco

    frames = np.load(folder / "qpos.npy")
    models = [mujoco.MjModel.from_binary_path(str(folder / f"model-{k}.mjb")) for k in range(frames.shape[1])]
    model, datas = models[0], [mujoco.MjData(m) for m in models]
    camera: Any = "watch" if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "watch") >= 0 else -1
    width, height = model.vis.global_.offwidth, model.vis.global_.offheight
    images = []
    with contextlib.ExitStack() as stack:
        renderers = [stack.enter_context(mujoco.Renderer(m, height, width)) for m in models]
        for places in frames:
            shown = []
            for m, data, renderer, qpos in zip(models, datas, renderers, places, strict=True):
                data.qpos[:] = qpos
                mujoco.mj_forward(m, data)
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
