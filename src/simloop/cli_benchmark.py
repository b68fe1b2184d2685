"""The command line's verb about real images: `benchmark`."""

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
            metavar="IMAGES",
            help="Images of 'simloop targets' (donkeycar-tub); or a Donkeycar tub, or a folder of images with or"
            " without a CSV of angles.",
        ),
    ],
    model: Annotated[
        list[Path] | None, typer.Option("--model", help="The folder of a run that trained a driver; may be repeated.")
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
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score models that steer on real frames: the table with intervals, beside baselines, and paired differences.

    IMAGES is donkeycar-tub, a Donkeycar tub, or a folder of images with or without a CSV of angles.

    Models whose runs differ in the seed alone are one row. Without labels nothing is scored: then it shows what they
    say.
    """
    from simloop.verbs_benchmark import run_benchmark

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = run_benchmark(images, model or [], train=train, columns=columns, calibrate=calibrate, page=output,
                               seed=seed, progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()
