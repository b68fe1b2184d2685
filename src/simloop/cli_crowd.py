"""Options of the command line that mean world `crowd`, and what its verbs do where that is what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simloop import terminal
from simloop.errors import InputError

#: worlds that give tracks of people
CROWDS = ("crowd", "crowd/sampled", "crowd/sampled-orca")
Scenario = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        help="Of world crowd: crossing, corridor, room, ...; all for all of them. Of crowd/sampled: tracks"
        " to sample from.",
    ),
]
WalkingModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Of world crowd, what makes people walk: orca, social-force, collision-free-speed,"
        " or the folder of a run of `train crowd`.",
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", help="Of world crowd: a parameter's value, as people.count=80; may be repeated."),
]
Seconds = Annotated[float | None, typer.Option("--seconds", help="How long it goes on.", min=1)]


def is_crowd(name: str | Path) -> bool:
    """Whether a name on the command line means world `crowd` or one of its kind, and no folder."""
    return str(name) in CROWDS and not Path(name).exists()


def walking_task(task: str | None, scenario: str | None) -> str | None:
    """The task of walking in a scenario; all of them: `walk`."""
    if task is not None and scenario is not None:
        raise InputError("--scenario says what the task is; leave out --task")
    return task or ("walk" if scenario in (None, "all") else scenario)


def refuse(why: str, **given: object) -> None:
    """Refuse options that would change nothing."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise InputError(f"--{name.rstrip('_').replace('_', '-')} {why}; leave it out")


def refuse_of_crowd(**given: object) -> None:
    """Refuse options that only world `crowd` has, where another one is meant."""
    refuse("is of world 'crowd' alone", **given)


def refuse_of_images(**given: object) -> None:
    """Refuse options of images, where world `crowd` is meant, which has none."""
    refuse("is of images, and world 'crowd' gives tracks", **given)


def watch_crowd(
    world: str,
    output: Path,
    scenario: str | None,
    model: str | None,
    values: list[str] | None,
    distribution: str | None,
    seconds: float | None,
    seed: int,
) -> None:
    """Film a scene from above."""
    from simloop.verbs_crowd import watch_crowd as watch

    with terminal.shown_warnings(), terminal.progress() as show:
        said = watch(output, world, scenario=scenario, model=model, pairs=values or (),
                     distribution=distribution, seconds=seconds or 30.0, seed=seed, progress=show)  # fmt: skip
    terminal.say(said)
