"""The command line's verb about models on real data, images or tracks of people: `benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simloop import terminal
from simloop.cli_options import Json, Seed


def benchmark(
    images: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Images or tracks of 'simloop targets' (donkeycar-tub, eth-ucy); a Donkeycar tub, a folder of images"
            " with or without a CSV of angles; or pedestrian tracks, files or a dataset.",
        ),
    ],
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", help="The folder of a run that trained a driver or a predictor; may be repeated."),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            help="Other labelled images: of their labels are the mean, the nearest neighbour and --calibrate. By"
            " default those of the catalogue's part 'train'."
        ),
    ] = None,
    calibrate: Annotated[
        int, typer.Option(help="Also each model with slope and offset fitted to so many of these labels.", min=0)
    ] = 0,
    columns: Annotated[
        str | None, typer.Option(help="A YAML file that says which columns of a table hold images and angles.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A page with the table and the worst frames: NAME.html.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Of your tracks' lengths: m, ft or cm.")] = "m",
    frame: Annotated[
        float | None, typer.Option(help="Seconds from one number of a frame to the next in your tracks; 0.04.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Futures that predictors of tracks are asked for.", min=2)] = 20,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score models on real data: the table with intervals, beside baselines, and paired differences.

    Models that steer are scored on images: donkeycar-tub, a Donkeycar tub, or a folder of images with or without a CSV
    of angles. Without labels nothing is scored: then it shows what they say.

    Models that predict where people walk are scored on tracks, in every variant of the field's measures: eth-ucy (its
    five sets), eth-ucy/hotel, your own files (txt, CSV, TrajNet++ ndjson, PedPy text), or a dataset of simulated ones.

    Models whose runs differ in the seed alone are one row.
    """
    from simloop.data.plan import holds_tracks
    from simloop.targets.tracks import means_tracks

    if means_tracks(images) or holds_tracks(Path(images)):
        _benchmark_tracks(images, model or [], {"--train": train, "--calibrate": calibrate or None,
                          "--columns": columns}, unit, frame, samples, output, seed, json)  # fmt: skip
        return
    from simloop.verbs_benchmark import run_benchmark

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = run_benchmark(images, model or [], train=train, columns=columns, calibrate=calibrate, page=output,
                               seed=seed, progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


def _benchmark_tracks(
    name: str, models: list[Path], others: dict[str, object], unit: str, frame: float | None, samples: int,
    output: Path | None, seed: int, json: bool,
) -> None:  # fmt: skip
    from simloop.errors import InputError
    from simloop.verbs_benchmark_tracks import run_track_benchmark

    if given := next((option for option, value in others.items() if value is not None), None):
        raise InputError(f"{given} is about images; {name!r} are tracks of people")
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = run_track_benchmark(name, models, unit=unit, frame=frame, samples=samples, page=output, seed=seed,
                                     progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()
