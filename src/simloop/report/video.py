"""Videos of what a policy does, rendered by MuJoCo without a display.

    watched = watch(world, task, policy, distribution, episodes=3, seed=0)
    write_video(Path("swing-up.mp4"), world, watched)

Side by side, episodes under different parameters start alike and are given the same policy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError, MissingExtraError
from simloop.frames import Request
from simloop.learn import Actor, begin
from simloop.parameters import Array
from simloop.runs import write_aside
from simloop.worlds.photograph import Studio
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.staged import Staged
from simloop.worlds.staging import named
from simloop.worlds.task import Task

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
    running = world.environment()
    environment = running(world, task, episodes, randomization=distribution, seed=seed, autoreset="disabled")
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
    """Write the episodes side by side as MP4 or GIF, by the suffix; the file appears when it is whole."""
    check_film(path)
    last = len(watched.qpos) - 1
    shown = [min(last, round(k / fps / watched.dt)) for k in range(int(last * watched.dt * fps) + 1)]
    images = np.concatenate(
        [_drawn(world, row, watched.qpos[shown, k]) for k, row in enumerate(watched.parameters)], axis=2
    )
    write_film(path, images, fps=fps)


def check_film(path: Path) -> None:
    """Raise where a film of that name cannot be written."""
    suffix = path.suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise InputError(f"{path}: give a name that ends in .mp4 or .gif")
    if find_spec("imageio") is None or (suffix == ".mp4" and find_spec("imageio_ffmpeg") is None):
        raise MissingExtraError("a video", "learn")


def write_film(path: Path, images: NDArray[np.uint8], *, fps: int) -> None:
    """Write pictures (T, height, width, 3) as MP4 or GIF, by the suffix; the file appears when it is whole."""
    with _film(path, fps, "plugin") as (whole, options):
        import imageio.v3 as imageio

        imageio.imwrite(whole, images, **options)


def write_frames(path: Path, pictures: Iterable[NDArray[np.uint8]], *, fps: int) -> None:
    """Write pictures (height, width, 3) one after the other as MP4 or GIF, without keeping them in memory."""
    with _film(path, fps, "format") as (whole, options):
        from imageio.v2 import get_writer

        film: Any = get_writer(whole, mode="I", **options)
        with film:
            for picture in pictures:
                film.append_data(picture)


@contextmanager
def _film(path: Path, fps: int, encoder: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Where to write a film and with what options, of which `encoder` names the one that chooses who encodes."""
    check_film(path)
    suffix = path.suffix.lower()
    options: dict[str, Any] = {"duration": 1000 / fps, "loop": 0}
    if suffix == ".mp4":
        options = {encoder: "FFMPEG", "fps": fps, "codec": "libx264", "macro_block_size": 2}
    with tempfile.TemporaryDirectory() as folder, write_aside(path) as file:
        whole = Path(folder) / f"video{suffix}"
        yield whole, options
        file.write(whole.read_bytes())


def _drawn(world: PhysicsWorld, row: Array, qpos: Array) -> NDArray[np.uint8]:
    """(T, height, width, 3) pictures of an episode under a parameter row, at the states qpos (T, nq)."""
    staged = Staged(named(world.scene()), qpos, (), lambda model: world.write_model(model, row))
    request = Request(size=SIZE, passes=(), samples=4)
    camera = world.cameras[0]
    with Studio(staged, request, world.categories, [camera]) as studio:
        return np.stack([studio.picture(step, camera) for step in range(len(qpos))])
