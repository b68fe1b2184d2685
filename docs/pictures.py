"""Draw the pictures of the documentation: `python docs/pictures.py [NAME ...]` writes docs/pictures/NAME.svg.

Each function computes what it shows, with small budgets, and draws one picture. The same code gives the same bytes.
What needs the real recordings is left as it is where they are missing.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Rectangle

import simloop
from simloop.targets.catalogue import entries
from simloop.targets.standin import standin_target
from simloop.worlds.photograph import Studio
from simloop.worlds.physics import PhysicsWorld

HERE = Path(__file__).parent
ARM = HERE.parent / "examples" / "my_arm"

INK, GREY, PALE = "#1d2733", "#7b8794", "#e6eaef"
REAL, DEFAULT, WIDE, FITTED, SIMOPT = "#1d2733", "#d9822b", "#9aa5b1", "#1f77b4", "#7b4fb5"
BLUES = LinearSegmentedColormap.from_list("page", ["#f4f8fc", "#9cc3e4", "#1f77b4", "#0b2e4f"])

STYLE = {
    "svg.hashsalt": "simloop", "font.family": "DejaVu Sans", "font.size": 9.5,
    "text.color": INK, "axes.edgecolor": GREY, "axes.labelcolor": INK, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "xtick.color": GREY,
    "ytick.color": GREY, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "legend.frameon": False,
    "legend.fontsize": 8.5, "axes.grid": True, "grid.color": PALE, "grid.linewidth": 0.8, "axes.axisbelow": True,
    "lines.linewidth": 1.6,
}  # fmt: skip


def new_figure(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A white figure of `width` by `height` inches and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return figure, figure.subplots(**grid)


def why_simulate() -> Figure:
    """2,500 pendulums that nobody built, all given the same torques."""
    world = simloop.get_world("double-pendulum/c1")
    target = standin_target(world, seed=3, episodes=1, seconds=2.0, truth=world.parameters.default)
    start = simloop.Replay(world, target.recordings).windows(1.5, every=0.03).take(np.array([0])).segments
    n = 50
    mass = np.geomspace(0.25, 1.0, n)
    friction = np.geomspace(0.03, 0.5, n)
    rows = np.repeat(world.parameters.default[None], n * n, axis=0)
    rows[:, world.parameters.index("link2.mass")] = np.tile(mass, n)
    rows[:, world.parameters.index("joint2.friction")] = np.repeat(friction, n)
    runs = world.simulate(rows, start.take(np.zeros(n * n, dtype=int))).regular[:, :, 1]
    swing = np.degrees(np.abs(runs).max(axis=1)).reshape(n, n)

    figure, (left, right) = new_figure(8.4, 3.3, ncols=2, width_ratios=[1.15, 1])
    mesh = left.pcolormesh(mass, friction, swing, cmap=BLUES, shading="nearest", rasterized=True, norm=LogNorm(5, 500))
    left.set(xscale="log", yscale="log", xlabel="mass of link 2 (kg)", ylabel="friction of joint 2 (N m)",
             title="how far joint 2 swings, 2,500 machines")  # fmt: skip
    left.set_xticks([0.25, 0.4, 0.6, 1.0], ["0.25", "0.4", "0.6", "1"])
    left.set_yticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    left.minorticks_off()
    left.grid(False)
    bar = figure.colorbar(mesh, ax=left, ticks=[5, 20, 100, 500], format="%g°", extend="both")
    bar.outline.set_visible(False)
    bar.minorticks_off()
    own = world.parameters.default
    left.plot(own[world.parameters.index("link2.mass")], own[world.parameters.index("joint2.friction")], "o",
              ms=9, mfc="none", mec=DEFAULT, mew=2)  # fmt: skip
    left.annotate("as built", (0.6256, 0.1885), (8, 6), textcoords="offset points", color=DEFAULT, fontweight="bold")
    time = start.recorded * world.control_dt
    for i in np.linspace(0, n * n - 1, 40).astype(int):
        right.plot(time, np.degrees(runs[i]), color=FITTED, lw=0.6, alpha=0.35)
    built = np.degrees(world.simulate(own[None], start).regular[0, :, 1])
    right.plot(time, built, color=DEFAULT, lw=2.2)
    right.set(xlabel="time (s)", ylabel="angle of joint 2 (°)", title="the same torques, 40 of them")
    right.set_xlim(0, time[-1])
    return figure


def generate_a_world() -> Figure:
    """Draws from two distributions, and what they make of one command."""
    world = simloop.get_world(str(ARM / "arm.yaml"))
    space = world.parameters
    x, y = space.index("body.forearm.mass"), space.index("joint.elbow.damping")
    z = np.diag(np.full(len(space), 0.06**2))
    z[x, x], z[y, y] = 0.1**2, 0.35**2
    z[x, y] = z[y, x] = -0.8 * 0.1 * 0.35
    centre = space.row({"body.forearm.mass": 0.75, "joint.elbow.damping": 0.04, "joint.elbow.frictionloss": 0.02})
    delays = [space.index(f"actuator.{j}_motor.delay") for j in ("shoulder", "elbow")]
    z[delays, delays] = 0.002**2
    arms = {
        "wide (uniform)": (world.distributions()["wide"], WIDE),
        "a Normal with a correlation": (simloop.Normal(space, centre, z), FITTED),
    }
    target = standin_target(world, seed=1, episodes=1, seconds=2.0, amplitude=np.array([2.0, 0.5]), truth=space.default)
    segment = simloop.Replay(world, target.recordings).windows(1.5, every=0.02).take(np.array([0])).segments
    time = segment.recorded * world.control_dt

    figure, (left, right) = new_figure(8.4, 3.2, ncols=2, width_ratios=[1, 1.25])
    for k, (name, (distribution, colour)) in enumerate(arms.items()):
        rows = distribution.sample(400, simloop.stream(0, "picture", name))
        left.scatter(rows[:300, x], rows[:300, y], s=9, color=colour, alpha=0.75, lw=0, label=name, zorder=2 + k)
        runs = world.simulate(rows, segment.take(np.zeros(400, dtype=int))).regular[:, :, 1]
        low, high = np.degrees(np.quantile(runs, [0.05, 0.95], axis=0))
        right.fill_between(time, low, high, color=colour, alpha=0.35 if k == 0 else 0.55, lw=0)
    right.plot(time, np.degrees(world.simulate(space.default[None], segment).regular[0, :, 1]), color=DEFAULT, lw=2)
    left.plot(
        space.default[x], space.default[y], "o", ms=8, mfc=DEFAULT, mec="white", label="default (a point)", zorder=5
    )
    left.set(yscale="log", xscale="log", xlabel="mass of the forearm (kg)", ylabel="damping of the elbow (N m s/rad)",
             title="draws")  # fmt: skip
    left.set_xticks([0.4, 0.6, 0.9], ["0.4", "0.6", "0.9"])
    left.set_yticks([0.005, 0.02, 0.08], ["0.005", "0.02", "0.08"])
    left.minorticks_off()
    figure.legend(loc="outside upper center", ncols=3, handletextpad=0.3)
    right.set(xlabel="time (s)", ylabel="angle of the elbow (°)", title="what they do under one command (90 % of 400)")
    right.set_xlim(0, time[-1])
    return figure


def your_robot() -> Figure:
    """A held-out log of the example arm: measured, as modelled, as fitted."""
    if not (ARM / "logs").exists():
        runpy.run_path(str(ARM / "make_logs.py"), run_name="__main__")
    world = simloop.get_world(str(ARM / "arm.yaml"))
    columns = simloop.ColumnMap.read(ARM / "columns.yaml")
    train, test = (simloop.get_target(str(ARM / "logs" / part), world, columns) for part in ("fit", "test"))
    fit = simloop.LeastSquares(horizons=(0.5,), stride=1.0, starts=1).fit(
        simloop.Comparison(world, train), world.distribution("prior")
    )
    windows = simloop.Replay(world, test.recordings).windows(0.5, every=world.control_dt)
    start = windows.segments.start * world.control_dt
    time = start[:, None] + windows.segments.recorded * world.control_dt

    figure, axes = new_figure(8.4, 3.6, nrows=2, sharex=True)
    for j, (axis, name) in enumerate(zip(axes, ("shoulder", "elbow"), strict=True)):
        for label, row, colour, width in (
            ("default model", world.parameters.default, DEFAULT, 1.5),
            ("fitted on two other logs", fit.distribution.mean, FITTED, 1.5),
        ):
            runs = np.degrees(world.simulate(row[None], windows.segments).regular[:, :, j])
            for w in range(len(windows)):
                axis.plot(time[w, ::4], runs[w, ::4], color=colour, lw=width, label=label if w == 0 else None, zorder=3)
        real = np.degrees(windows.measured[:, :, j])
        axis.plot(time[:, ::4].ravel(), real[:, ::4].ravel(), color=REAL, lw=3.5, alpha=0.3, label="log", zorder=2)
        axis.set_ylabel(f"{name} (°)")
        axis.set_xlim(time[0, 0], time[-1, -1])
        axis.set_xticks(start, minor=True)
        axis.grid(True, axis="x", which="both", color=PALE)
    axes[0].set_title("replayed from the log every 0.5 s")
    axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
    axes[1].set_xlabel("time in logs/test/run3.csv (s)")
    return figure


def techniques() -> Figure:
    """Where wide randomisation, SimOpt and least squares put two parameters whose truth is known."""
    world = simloop.get_world(str(ARM / "arm.yaml"))
    space = world.parameters
    pair = space.index("body.forearm.mass"), space.index("joint.elbow.damping")
    truth = space.row({"body.forearm.mass": 0.75, "body.forearm.inertia": 1.2, "joint.elbow.damping": 0.045,
                       "joint.shoulder.damping": 0.08, "joint.elbow.frictionloss": 0.025,
                       "actuator.elbow_motor.delay": 0.006})  # fmt: skip
    target = standin_target(world, seed=5, episodes=3, seconds=8.0, amplitude=np.array([2.5, 0.6]), truth=truth)
    simopt = simloop.SimOpt(iterations=10, samples=100, windows=30).fit(
        simloop.Comparison(world, target), world.distribution("search")
    )
    least = simloop.LeastSquares(horizons=(0.5,), stride=1.0, starts=1).fit(
        simloop.Comparison(world, target), world.distribution("prior")
    )

    figure, (left, right) = new_figure(8.4, 3.6, ncols=2, width_ratios=[1.2, 1])
    wide = world.distributions()["wide"]
    low, high = np.log([wide.low[list(pair)], wide.high[list(pair)]])
    left.add_patch(Rectangle(low, *(high - low), fc=PALE, ec=WIDE, lw=1.2))
    left.text(low[0] + 0.03, high[1] - 0.06, "wide: domain randomisation", va="top", color=GREY, fontsize=8.5)
    path = np.log(
        [world.distribution("search").mean[list(pair)], *[np.array(h["mean"])[list(pair)] for h in simopt.history]]
    )
    left.plot(*path.T, "-o", color=SIMOPT, ms=3, lw=1)
    spreads = [
        world.distribution("search").spread[list(pair)],
        *[np.array(h["spread"])[list(pair)] for h in simopt.history],
    ]
    for i in (0, 2, 4, 6, 10):
        left.add_patch(Ellipse(path[i], *(2 * 1.645 * spreads[i]), fc="none", ec=SIMOPT, lw=1.1, alpha=0.35 + 0.06 * i))
    below = path[0] - [0.0, 1.645 * spreads[0][1] + 0.04]
    left.text(*below, "SimOpt starts", color=SIMOPT, ha="center", va="top", fontsize=8.5)
    fitted = np.log(least.distribution.mean[list(pair)])
    left.plot(*fitted, "s", color=FITTED, ms=8, zorder=4)
    left.plot(*np.log(truth[list(pair)]), "*", color=DEFAULT, ms=15, mec="white", zorder=5)
    left.annotate("truth, and\nleast squares", np.log(truth[list(pair)]), (12, -26), textcoords="offset points",
                  fontsize=8.5, fontweight="bold", color=DEFAULT)  # fmt: skip
    left.set(
        title="two of ten parameters", xlabel="mass of the forearm (kg)", ylabel="damping of the elbow (N m s/rad)"
    )
    left.set_xticks(np.log([0.4, 0.5, 0.6, 0.75, 0.9]), ["0.4", "0.5", "0.6", "0.75", "0.9"])
    left.set_yticks(np.log([0.005, 0.01, 0.02, 0.04, 0.08]), ["0.005", "0.01", "0.02", "0.04", "0.08"])
    left.set(xlim=(low[0] - 0.08, high[0] + 0.08), ylim=(low[1] - 0.15, high[1] + 0.15))

    steps = np.arange(len(spreads))
    away = [abs(space.to_scale(truth) - space.to_scale(np.array(h["mean"])))[list(pair)] for h in simopt.history]
    away = [abs(space.to_scale(truth) - space.to_scale(world.distribution("search").mean))[list(pair)], *away]
    right.semilogy(steps, np.array(away)[:, 1], "-o", ms=3.5, color=DEFAULT, label="distance from the truth")
    right.semilogy(steps, np.array(spreads)[:, 1], "-o", ms=3.5, color=SIMOPT, label="standard deviation")
    right.set(title="SimOpt: damping of the elbow", xlabel="iteration", ylabel="log units")
    right.set_yticks([0.01, 0.03, 0.1, 0.3, 1.0], ["0.01", "0.03", "0.1", "0.3", "1"])
    right.minorticks_off()
    right.legend(loc="best")
    return figure


def reality_gap() -> Figure | None:
    """The double pendulum's error after 0.06 to 0.5 s: doing nothing, default, wide, fitted; held-out recordings."""
    if not entries()["double-pendulum"].present("design-c1/all"):
        return None
    world = simloop.get_world("double-pendulum/c1")
    train, test = (simloop.get_target(f"double-pendulum/design-c1/{s}", world) for s in ("train", "test"))
    fit = simloop.LeastSquares(horizons=(0.5,), stride=1.0, starts=1).fit(
        simloop.Comparison(world, train), world.distribution("prior")
    )
    replay = simloop.Replay(world, test.recordings)
    horizons = [0.06, 0.1, 0.2, 0.5]
    arms = {"persistence": None, "wide": world.distribution("wide"), "default": world.distribution("default"),
            "fitted": fit.distribution}  # fmt: skip
    looks = {
        "persistence": (GREY, ":", "nothing moves (persistence)"),
        "wide": (WIDE, "-", "wide randomisation, 10 draws"),
        "default": (DEFAULT, "-", "published parameters"),
        "fitted": (FITTED, "-", "fitted on other files"),
    }
    gaps: dict[str, list[Any]] = {name: [] for name in arms}
    for horizon in horizons:
        windows = replay.windows(horizon)
        for name, arm in arms.items():
            draws = 10 if name == "wide" else 1
            gaps[name] += simloop.windowed_gaps(world, windows, {name: arm}, draws=draws)

    figure, (left, right) = new_figure(8.4, 3.5, ncols=2, sharey=True)
    for name, (colour, dash, label) in looks.items():
        rmse = np.degrees([g.value for g in gaps[name]])
        low, high = np.degrees([g.interval for g in gaps[name]]).T
        left.fill_between(horizons, low, high, color=colour, alpha=0.15, lw=0)
        left.plot(horizons, rmse, dash, color=colour, marker="o", ms=4, label=label)
        right.plot(horizons, np.degrees([g.median for g in gaps[name]]), dash, color=colour, marker="o", ms=4)
    for axis, title in ((left, "RMSE, with 95 % intervals"), (right, "median")):
        axis.set(yscale="log", xscale="log", title=title, xlabel="length of a window (s)")
        axis.set_xticks(horizons, [f"{h:g}" for h in horizons])
        axis.minorticks_off()
        axis.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["0.1°", "0.3°", "1°", "3°", "10°", "30°"])
    left.set_ylabel("error at the window's end")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4, handlelength=1.6)
    return figure


def tools() -> Figure:
    """What goes in and what comes out."""
    figure = Figure(figsize=(8.4, 3.0), facecolor="white")
    axis: Axes = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 84), ylim=(0, 30))
    axis.set_axis_off()

    def box(x: float, y: float, width: float, height: float, title: str, text: str, colour: str) -> None:
        style = "round,pad=0.1,rounding_size=0.8"
        axis.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc="white", ec=colour, lw=1.5))
        centre = y + height / 2
        axis.text(
            x + 1.2, centre + (1.4 if text else 0), title, color=colour, fontweight="bold", va="center", fontsize=9.5
        )
        if text:
            axis.text(x + 1.2, centre - 1.5, text, va="center", fontsize=8.3)

    def arrow(a: tuple[float, float], b: tuple[float, float]) -> None:
        axis.add_patch(
            FancyArrowPatch(a, b, arrowstyle="-|>", mutation_scale=11, color=GREY, lw=1.3, shrinkA=3, shrinkB=3)
        )

    box(1, 21.5, 24, 6.5, "your model", "MJCF or URDF, world YAML", DEFAULT)
    box(1, 11.8, 24, 6.5, "your logs", "CSV, NPZ, Parquet, column map", REAL)
    box(1, 2, 24, 6.5, "public recordings", "simloop data get, hashes checked", REAL)
    box(34, 9.8, 17, 10.5, "simloop", "gap, adapt, audit,\nloop, report", FITTED)
    box(60, 21.5, 23, 6.5, "distribution.json", "plain JSON, hash, any tool", SIMOPT)
    box(60, 11.8, 23, 6.5, "run folder", "stages, manifest, resumable", FITTED)
    box(60, 2, 23, 6.5, "report.html, --json", "for people, for scripts", GREY)
    for y in (24.7, 15, 5.2):
        arrow((25.3, y), (33.8, 15 + (y - 15) * 0.3))
        arrow((51.3, 15 + (y - 15) * 0.3), (59.8, y))
    return figure


def scenes() -> Figure:
    """The same twelve objects, placed at three levels of effort, from above."""
    from simloop.frames import Camera
    from simloop.worlds.arrange import OnArea, arrange
    from simloop.worlds.constraints import Area, Clearance, InView, NotIntersecting, Reachable, Supported
    from simloop.worlds.tabletop.objects import FAMILIES, random_object

    shapes = [random_object(simloop.stream(7, "shape", i), FAMILIES[i % 4], 0.09) for i in range(12)]
    things = [shape.thing(f"thing{i}") for i, shape in enumerate(shapes)]
    table = Area.rectangle("the table", centre=(0.6, 0.0), size=(0.6, 0.9), height=0.7)
    camera = Camera.of_view("side", (640, 480), fovy=0.26, position=np.array([0.6, -1.4, 1.5]),
                            rotation=np.array([[1, 0, 0], [0, -0.5, 0.866], [0, -0.866, -0.5]]))  # fmt: skip
    hard = [Supported(table), NotIntersecting(), Reachable((0.0, 0.0, 0.7), 0.85)]
    levels: dict[str, dict[str, Any]] = {
        "1  plain random placement": {},
        "2  hard constraints": {"hard": hard},
        "3  soft constraints too": {"hard": hard, "soft": {Clearance(0.05): 1.0, InView(camera): 0.1}},
    }
    figure, axes = new_figure(8, 3.6, ncols=3, sharex=True, sharey=True)
    for ax, (name, level) in zip(axes, levels.items(), strict=True):
        found = arrange(things, OnArea(table), simloop.stream(7, "scene"), **level)
        ax.add_patch(Rectangle((-0.45, 0.3), 0.9, 0.6, facecolor=PALE, edgecolor=GREY))
        ax.add_patch(Ellipse((0, 0), 1.7, 1.7, facecolor="none", edgecolor=DEFAULT, linestyle="--"))
        for thing, (x, y, _, yaw) in zip(things, found.poses, strict=True):
            turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
            corners = np.asarray(thing.corners) @ turn.T + [x, y]
            ax.fill(-corners[:, 1], corners[:, 0], color=FITTED, alpha=0.55, edgecolor=INK, linewidth=0.8)
        ax.set(title=name, aspect="equal", xlim=(-0.6, 0.6), ylim=(0.18, 1.0), xticks=[], yticks=[])
        ax.grid(False)
    axes[0].set_xlabel("the table from above; dashed: as far as the robot reaches", loc="left")
    return figure


def frames() -> Figure:
    """Random draws of the table, and all that is known of each pixel."""
    from simloop.data.sheet import false_colours
    from simloop.frames import Request

    world = simloop.get_world("tabletop")
    request = Request(size=(128, 96), passes=("depth", "instances", "normals"), samples=4)
    drawn = list(world.frames([0, 1, 5], request=request, distribution=world.distribution("wide"),
                              look=world.looks()["wide"], seed=7))  # fmt: skip
    figure, axes = new_figure(8, 6.2, nrows=4, ncols=3)
    for column, frame in zip(axes.T, drawn, strict=True):
        assert frame.depth is not None
        assert frame.instances is not None
        assert frame.normals is not None
        colours = np.random.default_rng(3).uniform(0.2, 1, (int(frame.instances.max()) + 1, 3))
        shown = (frame.rgb, false_colours(frame.depth), colours[frame.instances], (frame.normals * [1, -1, -1] + 1) / 2)
        for ax, image in zip(column, shown, strict=True):
            ax.imshow(image, interpolation="none")
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        for u0, v0, u1, v1 in frame.things.boxes[frame.things.seen]:
            column[0].add_patch(Rectangle((u0 - 0.5, v0 - 0.5), u1 - u0, v1 - v0, fill=False, color="w", linewidth=0.6))
    for ax, name in zip(axes[:, 0], ("image and boxes", "depth", "instances", "normals"), strict=True):
        ax.set_ylabel(name)
    return figure


def quality() -> Figure:
    """One frame of 128 x 128 by MuJoCo's defaults and by simloop's, and what four samples of a pixel add."""
    import mujoco

    from simloop.frames import Request
    from simloop.worlds import canvas

    world = simloop.get_world("tabletop")
    assert isinstance(world, PhysicsWorld)
    row = world.parameters.row({"objects.count": 20, "objects.size": 0.08})
    theirs = mujoco.MjSpec().compile().vis.quality
    images = {}
    for name, samples, shadows, slices in (
        ("MuJoCo's defaults", int(theirs.offsamples), int(theirs.shadowsize), int(theirs.numslices)),
        ("simloop's defaults", 0, 512, canvas.SLICES),
        ("--samples 4", 4, 512, canvas.SLICES),
    ):
        request = Request(size=(128, 128), passes=(), samples=samples, shadows=shadows)
        staged = world.stage(row, 0, 7, request)
        own, canvas.SLICES = canvas.SLICES, slices
        with Studio(staged, request, world.categories, ["front"]) as studio:
            images[name] = studio.picture(0, "front")
        canvas.SLICES = own
    figure, axes = new_figure(8, 3, ncols=3)
    for ax, (name, image) in zip(axes, images.items(), strict=True):
        ax.imshow(image, interpolation="nearest")
        ax.set(title=name, xticks=[], yticks=[])
        ax.grid(False)
    return figure


PICTURES: dict[str, Callable[[], Figure | None]] = {
    "why-simulate": why_simulate,
    "generate-a-world": generate_a_world,
    "your-robot": your_robot,
    "techniques": techniques,
    "reality-gap": reality_gap,
    "tools": tools,
    "scenes": scenes,
    "frames": frames,
    "quality": quality,
}


def save(figure: Figure, path: Path, look: Path | None = None) -> None:
    """Write the SVG without a date; with `look`, a PNG beside it to look at."""
    FigureCanvasSVG(figure).print_svg(str(path), metadata={"Date": None, "Creator": "docs/pictures.py"})
    if look:
        FigureCanvasAgg(figure)
        figure.savefig(look, dpi=110)


def main(names: list[str]) -> None:
    """Draw the named pictures, or all; an argument `--png=FOLDER` writes PNGs there too."""
    folders = [Path(n.removeprefix("--png=")) for n in names if n.startswith("--png=")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    wanted = [n for n in names if not n.startswith("--")] or list(PICTURES)
    with matplotlib.rc_context(STYLE):
        for name in wanted:
            figure = PICTURES[name]()
            path = HERE / "pictures" / f"{name}.svg"
            if figure is None:
                print(f"{name}: the real recordings are not on this machine; left as it is")
                continue
            path.parent.mkdir(exist_ok=True)
            save(figure, path, folders[0] / f"{name}.png" if folders else None)
            print(f"{name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
