"""Videos of what a policy does, rendered by MuJoCo without a display.

    watched = watch(world, task, policy, distribution, episodes=3, seed=0)
    write_video(Path("swing-up.mp4"), world, watched)

Side by side, episodes under different parameters start alike and are given the same policy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError, MissingExtraError
from simloop.learn import Actor, begin
from simloop.parameters import Array
from simloop.runs import write_aside
from simloop.worlds.environment import Environment
from simloop.worlds.physics import PhysicsWorld, address
from simloop.worlds.task import Task

if TYPE_CHECKING:
    import mujoco

#: pixels, of one episode
SIZE = (480, 480)


@dataclass(frozen=True, eq=False)
class Watched:
    """Episodes to look at: `qpos` (T, n, nq) at each decision, `parameters` (n, d), `success` (n,), `dt` s."""

    qpos: Array
    parameters: Array
    success: NDArray[np.bool_]
    returns: Array
    dt: float


def watch(
    world: PhysicsWorld,
    task: Task,
    actor: Actor,
    distribution: Distribution | None,
    *,
    episodes: int = 3,
    seed: int = 0,
) -> Watched:
    """Let a policy act and keep where everything was; an episode that is over stands still."""
    environment: Environment = world.make(
        episodes, task=task, randomization=distribution, seed=seed, autoreset="disabled"
    )
    observations, infos = environment.reset()
    begin(actor, np.ones(episodes, dtype=bool))
    qpos = environment.batch.bind("qpos")
    kept = [qpos.copy()]
    over, success, returns = np.zeros(episodes, bool), np.zeros(episodes, bool), np.zeros(episodes)
    parameters = infos["parameters"]
    while not over.all():
        observations, _, terminated, truncated, infos = environment.step(actor(observations))
        ended = terminated | truncated
        kept.append(np.where(over[:, None], kept[-1], qpos))
        if ended.any():
            new = ended & ~over
            success[new] = infos["final_info"]["success"][new]
            returns[new] = infos["final_info"]["return"][new]
            over |= ended
            if not over.all():
                environment.reset(options={"reset_mask": ended})
    return Watched(np.stack(kept), parameters, success, returns, task.decision_dt)


def joined(parts: Sequence[Watched]) -> Watched:
    """Episodes of several policies side by side; those that are over before the longest one stand still."""
    longest = max(len(p.qpos) for p in parts)
    still = [np.concatenate([p.qpos, np.repeat(p.qpos[-1:], longest - len(p.qpos), axis=0)]) for p in parts]
    return Watched(
        np.concatenate(still, axis=1),
        np.concatenate([p.parameters for p in parts]),
        np.concatenate([p.success for p in parts]),
        np.concatenate([p.returns for p in parts]),
        parts[0].dt,
    )


def write_video(path: Path, world: PhysicsWorld, watched: Watched, *, fps: int = 30) -> None:
    """Write the episodes side by side as MP4 or GIF, by the suffix; the file appears when it is whole.

    Another process draws, because the OpenGL that MuJoCo draws with is chosen when it is imported: without a display
    EGL, else OSMesa.
    """
    if path.suffix.lower() not in (".mp4", ".gif"):
        raise InputError(f"{path}: give a name that ends in .mp4 or .gif")
    if find_spec("imageio") is None or (path.suffix.lower() == ".mp4" and find_spec("imageio_ffmpeg") is None):
        raise MissingExtraError("a video", "learn")
    import mujoco

    spec = world.scene()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = SIZE
    spec.visual.quality.offsamples, spec.visual.quality.shadowsize = 4, 512
    models = [_as_drawn(world, spec.compile(), row) for row in watched.parameters]
    last = len(watched.qpos) - 1
    shown = [min(last, round(k / fps / watched.dt)) for k in range(int(last * watched.dt * fps) + 1)]
    with tempfile.TemporaryDirectory() as folder:
        for k, model in enumerate(models):
            mujoco.mj_saveModel(model, str(Path(folder) / f"model-{k}.mjb"), None)
        np.save(Path(folder) / "qpos.npy", watched.qpos[shown])
        video = Path(folder) / f"video{path.suffix.lower()}"
        said = ""
        for backend in _backends():
            drawn = subprocess.run(
                [sys.executable, "-m", "simloop.report.draw", folder, video.name, str(fps)],
                env={**os.environ, "MUJOCO_GL": backend}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if drawn.returncode == 0 and video.exists():
                with write_aside(path) as file:
                    file.write(video.read_bytes())
                return
            said = (drawn.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise InputError(
        f"nothing can be drawn here ({said}); install a headless OpenGL (libegl1 or libosmesa6), or set MUJOCO_GL"
    )


def _as_drawn(world: PhysicsWorld, model: mujoco.MjModel, row: Array) -> mujoco.MjModel:
    """A model of the scene with those of an episode's parameters that can be seen: where bodies are."""
    for b in world.bindings:
        if b.field in ("body_pos", "body_quat"):
            where, field = address(model, b), getattr(model, b.field)
            value = row[world.parameters.index(b.parameter)]
            field[where] = value * (field[where] if b.mode == "times" else b.factor)
    return model


def _backends() -> list[str]:
    """What to draw with, in the order to try."""
    if os.environ.get("MUJOCO_GL"):
        return [os.environ["MUJOCO_GL"]]
    return ["egl", "osmesa", "glfw"] if sys.platform == "linux" else [""]
