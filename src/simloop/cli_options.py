"""Arguments and options that several verbs of the command line share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class ResumeChoice(StrEnum):
    """What to do with a folder that holds something already."""

    never = "never"
    if_match = "if-match"
    always = "always"


World = Annotated[
    str, typer.Argument(help="A world ('simloop worlds' lists them), or a YAML file around your own model.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Resume = Annotated[
    ResumeChoice,
    typer.Option(help="What to do with a folder that holds something already: if-match goes on with the same and"
                 " refuses another, never refuses any, always starts over where it is another."),
]  # fmt: skip
