"""How fast frames are made: against bare rendering of the same passes, and against MuJoCo's renderer as it comes.

The work is RGB with shadows, depth, instance mask and all 2-D labels of a table with 60 objects at 128 x 128, written
to disk as a dataset: `generate` on one process, from one scene that is staged (objects made, dropped and settled)
before. Bare rendering draws the same scene as often, at the same settings, and reads colour, depth and identities
from the graphics: two `mjr_render`, as here, and nothing is made of them. MuJoCo's `Renderer` with its defaults (four
samples, shadow maps of 4096, rounder shapes, an image in a frame of 640 x 480) takes three passes.

They take turns, a shard at a time; the median of the turns' ratios stands. The scene has the world's own look, or
another one in each frame (`wide`), in which case the lights and textures of each frame are set in both, and in bare
rendering not timed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")  # for MuJoCo's own renderer, which asks when it is imported

import mujoco
import numpy as np

from benchmarks.table import show
from simloop import get_world
from simloop.data.generate import generate
from simloop.data.plan import Plan
from simloop.distributions import Distribution, Point
from simloop.frames import Request
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.canvas import Canvas
from simloop.worlds.photograph import Looks, Studio
from simloop.worlds.tabletop import Tabletop

_SIZE, _OBJECTS, _TURNS, _SEED = (128, 128), 60, 3, 7


def run() -> None:
    """Print the table."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; MuJoCo {mujoco.__version__}\n")
    rows = []
    for name in ("the world's own", "wide"):
        look = None if name != "wide" else Tabletop().looks()["wide"]
        rows.append([name, *_measured(look)])
    show(["look", "objects seen", "frames/s", "bare", "MuJoCo's renderer", "to bare", "to MuJoCo's renderer"], rows)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def _measured(look: Distribution | None) -> list[str]:
    world: Any = get_world("tabletop")
    row = world.parameters.row({"objects.count": _OBJECTS, "objects.size": 0.04, "drop.area": 0.8})
    request = Request(size=_SIZE, views=10_000)
    count = Plan(10_000, request).frames_in_shard
    scenes = Point(world.parameters, row)
    ours, bare, theirs, seen = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder, _studio(world, row, request, look) as studio:
        looks = None if look is None else Looks(look, request, _SEED)
        warm = Path(folder) / "warm"
        generate(world, 2, warm, seed=_SEED, request=request, distribution=scenes, look=look)
        for turn in range(_TURNS):
            start = time.perf_counter()
            made = generate(world, (turn + 1) * count, Path(folder) / "timed", seed=_SEED, request=request,
                            distribution=scenes, look=look)  # fmt: skip
            ours.append(count / (time.perf_counter() - start))
            seen = round(sum(v for k, v in (made.manifest.counts or {})["seen"].items() if _thing(world, k))
                         / ((turn + 1) * count))  # fmt: skip
            bare.append(count / sum(_bare(studio, looks, turn * count + k) for k in range(count)))
            theirs.append(count / _renderer(studio.model, count))
    a, b, c = (np.array(x) for x in (ours, bare, theirs))
    return [
        str(seen),
        *(f"{np.median(x):.0f}" for x in (a, b, c)),
        f"{np.median(a / b):.2f}",
        f"{np.median(a / c):.2f}",
    ]


def _thing(world: Any, category: str) -> bool:
    return any(c.thing for c in world.categories if c.name == category)


def _studio(world: Any, row: Array, request: Request, look: Distribution | None) -> Studio:
    """The same scene, before its camera."""
    staged = world.stage(row, 0, _SEED, request)
    shapes = None if look is None else stream(_SEED, "frames", "clutter", 0)
    return Studio(staged, request, world.categories, world.cameras[:1], shapes)


def _bare(studio: Studio, looks: Looks | None, sequence: int) -> float:
    """Seconds of the two passes and nothing else."""
    if looks is not None:
        studio.dress(looks, sequence)
    studio.picture(0, studio.cameras[0])  # puts the scene into its state
    canvas: Canvas = studio.canvas
    width, height = _SIZE
    rect, flags = mujoco.MjrRect(0, 0, width, height), canvas.scene.flags
    rgb, depth = np.empty((height, width, 3), dtype=np.uint8), np.empty((height, width), dtype=np.float32)
    identity = [int(mujoco.mjtRndFlag.mjRND_SEGMENT), int(mujoco.mjtRndFlag.mjRND_IDCOLOR)]
    start = time.perf_counter()
    canvas.look(studio.data, studio.model.camera(studio.cameras[0]).id)
    mujoco.mjr_render(rect, canvas.scene, canvas.context)
    mujoco.mjr_readPixels(rgb, None, rect, canvas.context)
    flags[identity] = 1
    mujoco.mjr_render(rect, canvas.scene, canvas.context)
    mujoco.mjr_readPixels(rgb, depth, rect, canvas.context)
    flags[identity] = 0
    return time.perf_counter() - start


def _renderer(model: mujoco.MjModel, count: int) -> float:
    """Seconds of three passes for each of `count` frames by MuJoCo's renderer with the settings that it comes with."""
    default = mujoco.MjSpec().compile()
    vis = model.vis
    kept = [(vis.quality, n) for n in ("offsamples", "shadowsize", "numslices", "numstacks")]
    kept += [(vis.global_, n) for n in ("offwidth", "offheight")]
    before = [getattr(o, n) for o, n in kept]
    for o, n in kept:
        theirs = default.vis.quality if o is vis.quality else default.vis.global_
        setattr(o, n, getattr(theirs, n))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    try:
        with mujoco.Renderer(model, _SIZE[1], _SIZE[0]) as renderer:
            passes: list[Callable[[], None]] = [
                lambda: None, renderer.enable_depth_rendering, renderer.enable_segmentation_rendering,
            ]  # fmt: skip
            start = time.perf_counter()
            for _ in range(count):
                renderer.disable_segmentation_rendering()
                for choose in passes:
                    choose()
                    renderer.update_scene(data, 0)
                    renderer.render()
                    renderer.disable_depth_rendering()
            return time.perf_counter() - start
    finally:
        for (o, n), value in zip(kept, before, strict=True):
            setattr(o, n, value)
