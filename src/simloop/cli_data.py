"""The command line's verbs about data sets: `generate`, `look`, and `data show`, `data diff`, `data repair`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from simloop import cli_crowd, terminal
from simloop.cli_options import Json, Resume, ResumeChoice, Seed, World
from simloop.errors import InputError


class ExecutorChoice(StrEnum):
    """Where images are made."""

    processes = "processes"
    ray = "ray"


Dataset = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that `simloop generate` wrote.")]
Size = Annotated[str | None, typer.Option(help="Width and height of an image, pixels, as 128x128.")]
Passes = Annotated[
    str | None,
    typer.Option(help="What to give beside RGB: any of depth,instances,normals,flow,visible,depth_sensed; or none."),
]
Cameras = Annotated[str | None, typer.Option(help="Cameras of the world, as front,top; by default its first.")]
Drawn = Annotated[
    str | None,
    typer.Option("--distribution", help="What scenes are drawn from: default, wide, a run's folder or a JSON file."),
]
LookOption = Annotated[
    str | None,
    typer.Option("--look", help="What their appearance is drawn from: default, wide, a run, a JSON file."),
]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]


def generate(
    world: World,
    output: Annotated[Path, typer.Option("-o", "--output", help="The dataset's folder.")],
    frames: Annotated[
        int | None, typer.Option("-n", "--frames", help="How many, in all; of world crowd scenes.", min=1)
    ] = None,
    size: Size = None,
    passes: Passes = None,
    cameras: Cameras = None,
    length: Annotated[int | None, typer.Option(help="Frames in a sequence.", min=1)] = None,
    rate: Annotated[float | None, typer.Option(help="Frames in a second of a sequence.")] = None,
    views: Annotated[
        int | None, typer.Option(help="Sequences that share a scene and differ in how it looks.", min=1)
    ] = None,
    distinct: Annotated[
        list[str] | None,
        typer.Option(help="Different draws of a group of appearance parameters, as texture=10; may be repeated."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Samples of a pixel against jagged edges.", min=0, max=64)] = None,
    textures: Annotated[
        str | None, typer.Option(help="A folder of images that surfaces may wear; then looks are drawn from 'images'.")
    ] = None,
    shadows: Annotated[
        int | None, typer.Option(help="Side of the shadow map, pixels; 0: no shadows.", min=0, max=16384)
    ] = None,
    distribution: Drawn = None,
    look: LookOption = None,
    workers: Workers = 1,
    executor: Annotated[
        ExecutorChoice, typer.Option(help="Processes of this machine, or a Ray cluster.")
    ] = ExecutorChoice.processes,
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster, for example auto; by default one is started here.")
    ] = None,
    scenario: cli_crowd.Scenario = None,
    model: cli_crowd.WalkingModel = None,
    values: cli_crowd.Values = None,
    seconds: cli_crowd.Seconds = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Resume = ResumeChoice.if_match,
    json: Json = False,
) -> None:
    """Make a dataset of annotated images; the same command goes on where it was stopped, a larger -n adds to it.

    What is not said is as in the dataset that the folder holds already; in a new one it is 100 stills of 256x256 pixels
    with depth and masks, of scenes and looks drawn as widely as the world says (wide), with seed 0. Of world crowd: the
    tracks of -n scenes, of all scenarios by turns, of 60 s at most, with a row for each person and 0.4 s.
    """
    if cli_crowd.is_crowd(world):
        cli_crowd.refuse_of_images(size=size, passes=passes, cameras=cameras, length=length, rate=rate, views=views,
                                   distinct=distinct or None, samples=samples, textures=textures, shadows=shadows,
                                   look=look, address=address)  # fmt: skip
        if executor != ExecutorChoice.processes:
            raise InputError("tracks of world 'crowd' are made by processes of this machine, not by Ray")
        from simloop.verbs_tracks import generate_crowd

        with terminal.shown_warnings() as warned, terminal.progress() as show:
            tracks = generate_crowd(output, frames, world, scenario=scenario, model=model, distribution=distribution,
                                    pairs=values or (), seconds=seconds, workers=workers, seed=seed,
                                    resume=resume.value, progress=show)  # fmt: skip
        _show(tracks, json, warned)
        return
    cli_crowd.refuse_of_crowd(scenario=scenario, model=model, set=values, seconds=seconds)
    from simloop.verbs_data import changes_of_request, generate_into

    changes = changes_of_request(size=size, passes=passes, cameras=cameras, length=length, rate=rate, views=views,
                                 distinct=distinct, samples=samples, shadows=shadows, textures=textures)  # fmt: skip
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = generate_into(output, world, frames, changes, distribution, look, workers=workers,
                               executor=executor.value, address=address, seed=seed, resume=resume.value,
                               progress=show)  # fmt: skip
    _show(result, json, warned)


def look(
    what: Annotated[str, typer.Argument(metavar="WORLD|FOLDER", help="A world with cameras, or a dataset's folder.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet: a name that ends in .png or .jpg.")],
    count: Annotated[int | None, typer.Option("-n", "--count", help="Images; by default 8.", min=1, max=200)] = None,
    size: Size = None,
    passes: Passes = None,
    cameras: Cameras = None,
    distribution: Drawn = None,
    look: LookOption = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Images of reality to stand above the world's: a tub, a folder, ...")
    ] = None,
    scenario: cli_crowd.Scenario = None,
    model: cli_crowd.WalkingModel = None,
    values: cli_crowd.Values = None,
    seconds: cli_crowd.Seconds = None,
    seed: Seed = 0,
) -> None:
    """Put random draws of a world, or images of a dataset, on one sheet: boxes, depth in false colours, masks.

    A world is drawn from its wide distributions, where it has them and nothing else is said. Of world crowd: a scene of
    each scenario from above, with the ways that people came; it is drawn from the default where nothing else is said.
    """
    if cli_crowd.is_crowd(what):
        cli_crowd.refuse_of_images(size=size, passes=passes, cameras=cameras, look=look, target=target)
        from simloop.verbs_crowd import look_at_crowd

        with terminal.shown_warnings():
            terminal.say(look_at_crowd(output, what, scenario=scenario or "all", model=model, pairs=values or (),
                                       distribution=distribution, images=count, seconds=seconds or 12.0,
                                       seed=seed))  # fmt: skip
        return
    cli_crowd.refuse_of_crowd(scenario=scenario, model=model, set=values, seconds=seconds)
    count = count or 8
    from simloop.verbs_data import changes_of_request, look_at

    changes = changes_of_request(size=size, passes=passes, cameras=cameras)
    if target is not None:
        if changes or distribution:
            raise InputError("beside images of reality (--target) there is only --look, -n and --seed to say")
        from simloop.targets.images import image_set
        from simloop.verbs_look import look_beside

        with terminal.shown_warnings():
            terminal.say(look_beside(output, what, look, image_set(target), pairs=count, seed=seed))
        return
    with terminal.shown_warnings():
        terminal.say(look_at(output, what, count, changes, distribution, look, seed=seed))


def show(folder: Dataset, json: Json = False) -> None:
    """Say what a dataset holds: counts, sizes, coverage of the parameter space, versions."""
    from simloop.data.plan import holds_tracks

    with terminal.shown_warnings() as warned:
        if holds_tracks(folder):
            from simloop.verbs_tracks import ShownTracks

            _show(ShownTracks.read(folder), json, warned)
            return
        from simloop.verbs_data import ShownDataset

        _show(ShownDataset.read(folder), json, warned)


def diff(
    a: Annotated[Path, typer.Argument(help="A dataset's folder.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    json: Json = False,
) -> None:
    """Say what differs between two datasets: how they were made, images, labels, counts."""
    from simloop.verbs_data import ComparedDatasets

    with terminal.shown_warnings() as warned:
        _show(ComparedDatasets.read(a, b), json, warned)


def repair(
    folder: Dataset,
    world: Annotated[
        str | None, typer.Option(help="The dataset's world, where its YAML file is in another place now.")
    ] = None,
    textures: Annotated[
        str | None, typer.Option(help="The folder of images that its surfaces wear, where it has moved.")
    ] = None,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Read every file of a dataset, and make what is damaged or missing anew."""
    from simloop.verbs_data import repair_dataset

    with terminal.shown_warnings() as warned, terminal.progress() as progress:
        result = repair_dataset(folder, world, textures, workers=workers, progress=progress)
    _show(result, json, warned)


def _show(result: Any, json: bool, warned: list[str]) -> None:
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()
