"""The command line: one function for each verb."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from simloop import cli_behaviour, cli_benchmark, cli_crowd, cli_data, terminal
from simloop.cli_options import Json, Resume, ResumeChoice, Seed, World
from simloop.errors import InputError

#: the keys of `simloop.adapt.METHODS`, which takes too long to import for a help text
_METHODS = (
    "least-squares", "hierarchical", "simopt", "cem", "likelihood", "posterior", "residual", "mujoco-sysid",
)  # fmt: skip
#: the keys of `simloop.learn.LEARNERS`
_LEARNERS = ("ppo", "sac", "recurrent-ppo", "bc", "dagger", "distill", "gail")
#: the keys of `simloop.data.export.FORMATS`
_FORMATS = ("coco", "yolo", "kitti", "mot", "webdataset", "lerobot")
#: exit code that typer makes of Ctrl-C
_INTERRUPTED = 130

app = typer.Typer(
    name="simloop",
    help="Close the loop between simulation and reality: measure the gap to real recordings, fit the randomisation"
    " to them, and see what it did.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Get public recordings; look at datasets, compare and mend them.", no_args_is_help=True)
app.add_typer(data, name="data")
app.command()(cli_data.generate)
app.command()(cli_data.look)
app.command()(cli_benchmark.benchmark)
data.command("show")(cli_data.show)
data.command("diff")(cli_data.diff)
data.command("repair")(cli_data.repair)


TargetOption = Annotated[
    str | None,
    typer.Option("--target", help="Recordings: a name of 'simloop targets', a file, a folder or a quoted glob of your"
                 " logs, or standin:WORLD."),
]  # fmt: skip
Fit = Annotated[
    list[str] | None,
    typer.Option(
        help="Of images: a parameter of the look to fit, or a group of them, as camera or camera.pitch; may be"
        " repeated. By default those of camera and lens that a frame shows."
    ),
]
TaskOption = Annotated[str | None, typer.Option("--task", help="What is to be done; by default the world's first.")]
Columns = Annotated[str | None, typer.Option(help="A YAML file that says which columns of your logs hold what.")]
Folder = Annotated[Path, typer.Option("-o", "--output", help="The run's folder.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from simloop import __version__

        terminal.say(f"simloop {__version__}")
        raise typer.Exit


DriverLook = Annotated[str | None, typer.Option(help="Of a driver: what roads look like: default, wide or a file.")]


@app.command()
def worlds(json: Json = False) -> None:
    """List what can be simulated: parameters, units, defaults and ranges."""
    from simloop.worlds import get_world, world_names

    found = [get_world(name) for name in world_names()]
    if json:
        terminal.print_json({w.name: {"summary": w.summary, "control_dt": w.control_dt,
                                      "channels": [c.name for c in w.channels], "actions": [a.name for a in w.actions],
                                      "parameters": w.parameters.to_dict()} for w in found})  # fmt: skip
        return
    for world in found:
        wide: Any = world.distributions().get("wide")
        low, high = (wide.low, wide.high) if wide else (world.parameters.low, world.parameters.high)
        terminal.table(
            ["parameter", "default", "wide from", "to", "unit", "what"],
            [[p.name, f"{p.default:.4g}", f"{a:.3g}", f"{b:.3g}", p.unit, p.description]
             for p, a, b in zip(world.parameters, low, high, strict=True)],
            title=f"{world.name}: {world.summary}; a control step is {world.control_dt:g} s",
        )  # fmt: skip


@app.command()
def targets(json: Json = False) -> None:
    """List what is real: public recordings, their source, licence and size, and whether they are on this machine."""
    from simloop.targets.catalogue import data_folder, entries

    rows, record = [], {}
    for entry in entries().values():
        for split in entry.splits:
            name = f"{entry.name}/{split}"
            here = entry.present(split)
            rows.append([name, str(len(entry.paths(split))), "yes" if here else "no", entry.licence])
            record[name] = {"files": len(entry.paths(split)), "here": here, "licence": entry.licence,
                            "source": entry.source, "citation": entry.citation, "world": entry.world}  # fmt: skip
    if json:
        terminal.print_json(record)
        return
    terminal.table(["target", "files", "here", "licence"], rows, title=f"recordings in {data_folder()}")
    for entry in entries().values():
        terminal.say(f"{entry.name}: {entry.machine}, {entry.megabytes:.0f} MB\n  {entry.source}\n  {entry.citation}")
        terminal.say(f"  get them: simloop data get {entry.name}")
    terminal.say("standin:WORLD: the world itself with hidden parameters, to try things where there are no recordings")


@data.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="An entry of the catalogue.")],
    part: Annotated[str | None, typer.Option(help="Only this part of it, for example design-c1/all.")] = None,
) -> None:
    """Download public recordings, with their hashes checked; files that are there already are kept."""
    from simloop.errors import unknown
    from simloop.targets.catalogue import entries, get

    if name in entries():
        entry = entries()[name]
        if part is not None and part not in entry.splits:
            raise unknown(f"part of {name!r}:", part, entry.splits)
        terminal.say(f"{entry.machine}\n{entry.source}, {entry.licence}, {entry.megabytes:.0f} MB in all")
    folder = get(name, split=part, progress=lambda f: terminal.say(f"  getting {f}"))
    terminal.say(f"all files are in {folder}, with the published hashes")


@app.command()
def gap(
    world: World,
    target: TargetOption = None,
    distribution: Annotated[
        str | None, typer.Option(help="default, wide, prior, a run's folder or a JSON file.")
    ] = None,
    measure: Annotated[
        str,
        typer.Option(help="windowed, or energy-score, crps, coverage, mmd, classifier, ...; all of the latter: all."),
    ] = "windowed",
    horizon: Annotated[
        float | None, typer.Option(help="Length of a window, s; by default the world's own.", min=1e-6)
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            help="Rows drawn for each window from a distribution; 1: its mean alone. By default 20 for"
            " windowed, 100 for the others.",
            min=1,
        ),
    ] = None,
    columns: Columns = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure how far a world is from recordings, beside persistence, the default parameters and wide ranges.

    Of world crowd: how far statistics of its people's tracks are from those of real people.
    """
    if world == cli_behaviour.WORLD:
        cli_behaviour.gap_behaviour(target, distribution, horizon, seed, json=json)
        return
    chosen, real = _world_and_target(world, target, columns, seed)
    from simloop.gap import MEASURES, get_measure
    from simloop.verbs import ENSEMBLE_DRAWS, WINDOWED_DRAWS, measure_ensembles, measure_gap

    if measure not in ("windowed", "all"):
        get_measure(measure)
    if distribution is not None:
        chosen.distribution(distribution)
    horizon = chosen.horizons[0] if horizon is None else horizon
    with terminal.shown_warnings() as warned:
        result: Any = (
            measure_gap(chosen, real(), distribution, horizon=horizon, draws=draws or WINDOWED_DRAWS, seed=seed)
            if measure == "windowed"
            else measure_ensembles(chosen, real(), distribution, list(MEASURES) if measure == "all" else [measure],
                                   horizon=horizon, draws=draws or ENSEMBLE_DRAWS, seed=seed)
        )  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def adapt(
    world: World,
    output: Folder,
    target: TargetOption = None,
    method: Annotated[str, typer.Option(help=f"{', '.join(_METHODS[:-1])} or {_METHODS[-1]}.")] = "least-squares",
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the method, as name=value; may be repeated.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Largest number of windows to simulate.", min=1)] = None,
    fit: Fit = None,
    columns: Columns = None,
    seed: Seed = 0,
    resume: Resume = ResumeChoice.if_match,
    json: Json = False,
) -> None:
    """Fit a distribution over a world's parameters to recordings, into a run's folder.

    Where the target are images, it is the world's look that is fitted, by simopt or cem. Where the world is crowd, it
    is how people walk, to their tracks, by posterior, simopt or cem; --fit then names behaviour parameters.
    """
    if world == cli_behaviour.WORLD:
        cli_behaviour.adapt_behaviour(output, target, method, option or [], fit or [], budget, seed, resume, json=json)
        return
    if target is not None and _means_images(target):
        _adapt_look(world, output, target, method, option or [], fit or [], budget, seed, resume, json=json)
        return
    if fit:
        raise InputError("--fit says which parameters of a look are fitted to images; the target is none")
    chosen, real = _world_and_target(world, target, columns, seed)
    from simloop.verbs import fit_into, parsed_options

    options = parsed_options(method, option or [])
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = fit_into(output, chosen, real(), method, options, seed=seed, budget=budget, resume=resume.value,
                          progress=show, asked={"world": world, "columns": columns})  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


def _means_images(target: str) -> bool:
    from simloop.targets.images import means_images

    return means_images(target)


def _adapt_look(
    name: str, output: Path, target: str, method: str, option: list[str], fit: list[str], budget: int | None,
    seed: int, resume: ResumeChoice, *, json: bool,
) -> None:  # fmt: skip
    from simloop.config import parsed_pairs
    from simloop.targets.images import image_set
    from simloop.worlds import get_world

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        world, images = get_world(name), image_set(target)
        from simloop.verbs_look import fit_look_into

        result = fit_look_into(output, world, images, method, parsed_pairs(option), fit=fit, seed=seed, budget=budget,
                               resume=resume.value, progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def loop(
    file: Annotated[Path, typer.Argument(help="The loop's YAML file.")],
    output: Folder,
    resume: Resume = ResumeChoice.if_match,
    json: Json = False,
) -> None:
    """Run the whole loop of a file, with a report; the same command goes on where it was stopped.

    A file about recordings (target: fit and test): gap, adapt, gap on files that no fit saw. A file about policies
    (learn, and one target to act on): learn in simulation, act on the target, move the randomisation, learn again.
    """
    from simloop.policy_loop import PolicyLoopFile

    run: Any
    if PolicyLoopFile.describes(file):
        from simloop.verbs_policies import run_policy_loop_file as run
    else:
        from simloop.verbs import run_loop_file as run
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result: Any = run(file, output, resume=resume.value, progress=show, quiet=json)
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def plan(
    world: World,
    distribution: Annotated[
        str, typer.Option(help="What is known: prior, wide, a run's folder or a JSON file.")
    ] = "prior",
    recordings: Annotated[int, typer.Option("-n", "--recordings", help="How many recordings to propose.")] = 5,
    seconds: Annotated[float, typer.Option(help="Length of each recording, s.")] = 4.0,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Largest action, as motor1=0.8; may be repeated. By default the model's control range, else"
            " the largest of --target, else 1."
        ),
    ] = None,
    within: Annotated[
        list[str] | None,
        typer.Option("--range", help="What a channel may reach, as joint1=-2,2; may be repeated."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Recordings whose actions are varied too, as of 'simloop gap'.")
    ] = None,
    columns: Columns = None,
    candidates: Annotated[int, typer.Option(help="Excitations to choose from.", min=1)] = 64,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A folder for the proposals as CSV files to play, and JSON.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Propose what to record next: excitations that would tell most about what is not known yet, within limits."""
    from simloop.worlds import get_world

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        chosen, real = _world_and_target(world, target, columns, seed) if target else (get_world(world), None)
        from simloop.verbs import plan_recordings

        result = plan_recordings(chosen, distribution, recordings, target=real() if real else None,
                                 limits=limit or [], ranges=within or [], seconds=seconds, candidates=candidates,
                                 output=output, seed=seed, progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def train(
    world: Annotated[
        str,
        typer.Argument(
            metavar="WORLD|DEMONSTRATIONS|DATASET",
            help="A world, or a YAML file around your own model; or a folder that `simloop demonstrate` or `simloop"
            " generate` wrote.",
        ),
    ],
    output: Folder,
    task: TaskOption = None,
    learner: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(_LEARNERS[:-1])} or {_LEARNERS[-1]} (by default ppo); of a dataset: detector, driver or"
            " predictor."
        ),
    ] = None,
    distribution: Annotated[
        str | None,
        typer.Option(help="What episodes are drawn from: default, wide, prior, a run's folder or a JSON file."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Decisions to train for, over all episodes; by default the task's own.", min=1)
    ] = None,
    begin_from: Annotated[
        Path | None, typer.Option(help="The folder of a finished training to go on from: a warm start.")
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(
            help="Images of reality that a driver adapts to: a folder, a tub, or a name as donkeycar-tub/train."
        ),
    ] = None,
    adaptation: Annotated[
        str | None,
        typer.Option(help="How a driver adapts to them: adabn, coral, dann, translation, or auto, which chooses."),
    ] = None,
    real: Annotated[
        list[str] | None,
        typer.Option(help="Real tracks that a predictor learns from besides, as eth-ucy/zara1/train; may be repeated."),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the learner, as name=value; may be repeated.")
    ] = None,
    scenario: cli_crowd.Scenario = None,
    seed: Seed = 0,
    resume: Resume = ResumeChoice.if_match,
    json: Json = False,
) -> None:
    """Train a policy for a task in a world, or a detector or a driver on images, into a run's folder.

    The same command goes on where it was stopped.
    """
    from simloop.data.plan import MANIFEST
    from simloop.worlds import get_world

    pairs = option or []
    if cli_crowd.is_crowd(world):
        task = cli_crowd.walking_task(task, scenario)
    else:
        cli_crowd.refuse_of_crowd(scenario=scenario)
    if learner in ("driver", "predictor") or (Path(world) / MANIFEST).exists():
        _of_policies_alone(f"{world} is a dataset", task=task, distribution=distribution, begin_from=begin_from)
    if learner == "driver":
        _train_driver(Path(world), output, pairs, steps, unlabelled, adaptation, seed, resume, json=json)
        return
    if unlabelled is not None or adaptation is not None:
        raise InputError("--unlabelled and --adaptation are of --learner driver")
    if learner == "predictor":
        _train_predictor(world, output, pairs, steps, real or [], seed, resume, json=json)
        return
    if real:
        raise InputError("--real is of --learner predictor")
    if (Path(world) / MANIFEST).exists():
        _train_detector(Path(world), output, learner, pairs, steps, seed, resume, json=json)
        return
    if Path(world).is_dir():
        from simloop.learn.demonstrations import shown_in

        pairs = [f"demonstrations={world}", *pairs]
        world, shown = shown_in(world)
        task = task or shown
    with terminal.shown_warnings():
        chosen = get_world(world)
    doing = chosen.task(task)
    if distribution is not None:
        chosen.distribution(distribution)
    from simloop.verbs_policies import train_into, training_of

    trained_by, budget = training_of(doing, learner or "ppo", pairs, steps)
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = train_into(output, chosen, doing, trained_by, distribution, steps=budget, seed=seed,
                            resume=resume.value, begin_from=begin_from, progress=show,
                            asked={"world": world, "task": doing.name})  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


def _of_policies_alone(why: str, **given: object) -> None:
    """Refuse options that would change nothing."""
    for name, value in given.items():
        if value:
            raise InputError(f"--{name.replace('_', '-')} is of policies alone, and {why}; leave it out")


def _train_detector(
    dataset: Path, output: Path, learner: str | None, pairs: list[str], steps: int | None, seed: int,
    resume: ResumeChoice, *, json: bool,
) -> None:  # fmt: skip
    from simloop.data.store import Dataset
    from simloop.verbs_detector import detector_of, train_detector

    made, frames = detector_of(learner, pairs, steps), Dataset.open(dataset)
    with terminal.progress() as show:
        result = train_detector(output, frames, made, seed=seed, resume=resume.value, progress=show)
    if json:
        terminal.print_json(result.to_dict())
    else:
        result.show()


def _train_predictor(
    tracks: str, output: Path, pairs: list[str], steps: int | None, real: list[str], seed: int, resume: ResumeChoice,
    *, json: bool,
) -> None:  # fmt: skip
    from simloop.verbs_predictor import predictor_of, train_predictor

    made = predictor_of(pairs, steps)
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = train_predictor(output, tracks, made, real=real, seed=seed, resume=resume.value, progress=show)
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


def _train_driver(
    dataset: Path, output: Path, pairs: list[str], steps: int | None, unlabelled: str | None, adaptation: str | None,
    seed: int, resume: ResumeChoice, *, json: bool,
) -> None:  # fmt: skip
    from simloop.data.store import Dataset
    from simloop.verbs_driver import driver_of, train_driver

    made, frames = driver_of(pairs, adaptation, steps), Dataset.open(dataset)
    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = train_driver(output, frames, made, unlabelled=unlabelled, seed=seed, resume=resume.value,
                              progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def demonstrate(
    world: World,
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder for the recordings.")],
    task: TaskOption = None,
    distribution: Annotated[
        str | None, typer.Option(help="Parameters to draw: default, wide, prior, a run's folder or a JSON file.")
    ] = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", help="How many episodes to record.", min=1)] = 50,
    seed: Seed = 0,
) -> None:
    """Record a world's own expert at a task, for policies that learn by imitation."""
    from simloop.worlds import get_world

    chosen = get_world(world)
    doing = chosen.task(task)
    from simloop.verbs_policies import demonstrate_into

    with terminal.shown_warnings():
        terminal.say(demonstrate_into(output, chosen, doing, distribution, episodes=episodes, seed=seed))


@app.command()
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="DATASET|DEMONSTRATIONS|WORLD|RUN",
            help="A folder that `simloop generate` or `simloop demonstrate` wrote, or a trajectory file (.npz); with"
            " --world any recordings that --target takes; with --road-seed a world of roads; a run that trained a"
            " driver.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder for the export; of a road a file.")],
    to: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(_FORMATS)}; trajnet, pedpy or plain for tracks; opendrive for a road; onnx for a driver."
        ),
    ],
    option: Annotated[
        list[str] | None, typer.Option(help="An option of the format, as name=value; may be repeated.")
    ] = None,
    world: Annotated[str | None, typer.Option(help="The world whose recordings are exported.")] = None,
    road_seed: Annotated[
        int | None, typer.Option(help="Export the road of the first scene that `generate` makes with this seed.")
    ] = None,
    resume: Annotated[
        ResumeChoice,
        typer.Option(
            help="A folder that holds an export: if-match leaves the same one as it is and refuses another,"
            " never refuses any, always replaces it."
        ),
    ] = ResumeChoice.if_match,
    json: Json = False,
) -> None:
    """Write annotated images, the episodes of a world, or a road, in a format that others train on and drive in."""
    if to == "onnx":
        from simloop.verbs_driver import export_onnx

        terminal.say(f"{export_onnx(output, Path(what))}: the driver of {what}")
        return
    from simloop.data.plan import holds_tracks
    from simloop.verbs_export import export_into, export_road

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result: Any
        if holds_tracks(what):
            from simloop.verbs_tracks import export_tracks

            cli_crowd.refuse("is not of tracks", option=option, world=world, road_seed=road_seed)
            result = export_tracks(output, Path(what), to, resume=resume.value, progress=show)
        elif to == "opendrive" or road_seed is not None:
            result = export_road(output, what, to, option or [], seed=road_seed, resume=resume.value)
        else:
            result = export_into(output, what, to, option or [], world=world, resume=resume.value, progress=show)
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a run that trained a policy or a detector.")],
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="What to act on: standin:WORLD, standin:WORLD@mujoco#7, gym:ID or gym:MODULE:MAKE; for a detector a"
            " dataset's folder; for a driver drive or drive/held-out.",
        ),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="A YAML file that says which observations and actions of gym: are which.")
    ] = None,
    distribution: Annotated[
        str | None, typer.Option(help="Also in worlds drawn from: wide, prior, a run's folder or a JSON file.")
    ] = None,
    world: Annotated[str | None, typer.Option(help="Another world than the policy was trained in.")] = None,
    task: TaskOption = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", help="Episodes in each place.", min=1)] = 100,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show afterwards what a stand-in hides.")] = False,
    look: DriverLook = None,
    kilometres: Annotated[float, typer.Option(help="Of a driver: how far each drives in all.")] = 5.0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Let a policy act, in simulation and on a live target: success and return, with intervals.

    Or let a detector look at a dataset (--target): average precision. Or let a driver drive on roads that it has not
    seen (--target drive/held-out): kilometres per intervention, beside the expert and one that goes straight on.
    """
    from simloop.runs import trained

    if trained(run, "driver"):
        _of_policies_alone(f"{run} is a driver", mapping=mapping, world=world, task=task, reveal=reveal)
        from simloop.verbs_closed_loop import evaluate_driver

        with terminal.shown_warnings(), terminal.progress() as show:
            drove = evaluate_driver([run], target or "drive/held-out", distribution=distribution, look=look,
                                    kilometres=kilometres, seed=seed, progress=show)  # fmt: skip
        if json:
            terminal.print_json(drove.to_dict())
        else:
            drove.show()
        return
    if trained(run, "detector"):
        _of_policies_alone(f"{run} is a detector", mapping=mapping, distribution=distribution, world=world, task=task,
                           reveal=reveal)  # fmt: skip
        from simloop.data.store import Dataset
        from simloop.errors import InputError
        from simloop.verbs_detector import evaluate_detector

        if target is None:
            raise InputError(f"{run}: a detector; say what it is to look at: --target and a dataset's folder")
        with terminal.progress() as show:
            looked = evaluate_detector(run, Dataset.open(target), progress=show)
        if json:
            terminal.print_json(looked.to_dict())
        else:
            looked.show()
        return
    from simloop.verbs_policies import PolicyRun, evaluate_run

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        result = evaluate_run(PolicyRun.read(run, world=world, task=task), target=target, mapping=mapping,
                              distribution=distribution, episodes=episodes, reveal=reveal, seed=seed,
                              progress=show)  # fmt: skip
    if json:
        terminal.print_json({**result.to_dict(), "warnings": warned})
    else:
        result.show()


@app.command()
def watch(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|crowd", help="The folder of a run that trained a policy; or crowd, for people who walk."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The video: a name that ends in .mp4 or .gif.")],
    distribution: Annotated[
        str | None, typer.Option(help="Parameters to draw: default, wide, prior, a run's folder or a JSON file.")
    ] = None,
    world: Annotated[str | None, typer.Option(help="Another world than the policy was trained in.")] = None,
    task: TaskOption = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", help="Episodes side by side.", min=1, max=6)] = 2,
    look: DriverLook = None,
    seconds: Annotated[
        float | None, typer.Option(help="How long a driver drives, or people walk; by default 30.", min=1)
    ] = None,
    scenario: cli_crowd.Scenario = None,
    model: cli_crowd.WalkingModel = None,
    values: cli_crowd.Values = None,
    seed: Seed = 0,
) -> None:
    """Make a video of a policy at work, or of a crowd, without a display.

    Of a driver: what its camera sees in a world (--world drive/held-out), and what the network sees of it. Of a crowd:
    a scenario from above, with trails, groups by colour and how dense people stand.
    """
    if cli_crowd.is_crowd(run):
        _of_policies_alone("people walk by a --model", world=world, task=task, look=look)
        cli_crowd.watch_crowd(str(run), output, scenario, model, values, distribution, seconds, seed)
        return
    cli_crowd.refuse_of_crowd(scenario=scenario, model=model, set=values)
    from simloop.runs import trained

    if trained(run, "driver"):
        _of_policies_alone(f"{run} is a driver", task=task)
        from simloop.verbs_closed_loop import watch_driver

        with terminal.shown_warnings(), terminal.progress() as show:
            said = watch_driver(run, output, world or "drive/held-out", distribution=distribution, look=look,
                                seconds=seconds or 30.0, seed=seed, progress=show)  # fmt: skip
        terminal.say(said)
        return
    from simloop.verbs_policies import PolicyRun, watch_run

    with terminal.shown_warnings(), terminal.progress() as show:
        said = watch_run(PolicyRun.read(run, world=world, task=task), output, distribution=distribution,
                         episodes=episodes, seed=seed, progress=show)  # fmt: skip
    terminal.say(said)


@app.command()
def report(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Write the report of a run, one self-contained HTML file, and print its path."""
    from simloop.errors import InputError
    from simloop.runs import trained

    if trained(run, "detector"):
        raise InputError(f"{run}: a detector has no report; `simloop evaluate {run} --target DATASET` says how it does")
    if trained(run, "driver"):
        raise InputError(f"{run}: a driver has no report; `simloop benchmark IMAGES --model {run}` says how it does")
    from simloop.report import write_report

    terminal.say(str(write_report(run)))


@app.command()
def audit(
    world: Annotated[
        str,
        typer.Argument(
            metavar="WORLD|RUN",
            help="A world, or a YAML file around your own model; or the folder of a run that trained a policy.",
        ),
    ],
    target: TargetOption = None,
    columns: Columns = None,
    episodes: Annotated[
        int,
        typer.Option("-n", "--episodes", help="Of a policy: episodes that it is tried in, under each change.", min=8),
    ] = 100,
    distribution: Annotated[
        str | None, typer.Option(help="Of a policy: what episodes are drawn from; by default the default parameters.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Check a world (does every parameter do something?), or a policy (does it exploit the simulator?).

    A world: does every parameter do something, which cannot be told apart, is it reproducible? Without --target the
    windows come from the world's own stand-in. Exits with 1 if a parameter has no effect or results are not
    reproducible.

    A policy: its episodes again under changes that physics would not notice, and a watch for energy from nowhere,
    bodies inside each other, and speeds and forces that the machine does not have. Exits with 1 if it exploits the
    simulator.
    """
    if _holds_policy(world):
        from simloop.verbs_policies import PolicyRun, audit_run

        with terminal.shown_warnings() as warned, terminal.progress() as show:
            found = audit_run(PolicyRun.read(Path(world)), distribution=distribution, episodes=episodes, seed=seed,
                              progress=show)  # fmt: skip
        if json:
            terminal.print_json({**found.to_dict(), "warnings": warned})
        else:
            found.show()
        if found.exploits:
            raise typer.Exit(1)
        return
    from simloop.worlds import get_world

    if target is None and not get_world(world).replayed:
        real: Any = None
        chosen: Any = get_world(world)
    else:
        chosen, real = _world_and_target(world, target or "standin", columns, seed)
    from simloop.verbs import show_audit

    with terminal.shown_warnings():
        passed = show_audit(chosen, real() if real else None, seed=seed, json=json)
    if not passed:
        raise typer.Exit(1)


@app.command()
def forecast(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs that trained policies.")],
    distribution: Annotated[
        list[str],
        typer.Option(help="What is known of the machine: a run's folder, a JSON file, prior, wide; may be repeated."),
    ],
    episodes: Annotated[int, typer.Option("-n", "--episodes", help="Episodes of the real test.", min=1)] = 20,
    draws: Annotated[int, typer.Option(help="Machines drawn.", min=20)] = 200,
    plan: Annotated[
        bool, typer.Option("--plan", help="Also say which recording would shrink the first policy's interval most.")
    ] = False,
    world: Annotated[str | None, typer.Option(help="Another world than the policies were trained in.")] = None,
    task: TaskOption = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Say how policies will do on the real machine before anyone runs them there, and which is better."""
    from simloop.verbs_policies import PolicyRun, forecast_runs

    with terminal.shown_warnings() as warned, terminal.progress() as show:
        found = forecast_runs([PolicyRun.read(run, world=world, task=task) for run in runs], distribution,
                              episodes=episodes, draws=draws, plan=plan, seed=seed, progress=show)  # fmt: skip
    if json:
        terminal.print_json({**found.to_dict(), "warnings": warned})
    else:
        found.show()


def _holds_policy(name: str) -> bool:
    """Whether a name is a folder with a policy in it."""
    return (Path(name) / "policy").is_dir() or (Path(name) / "policy.json").exists()


def _world_and_target(name: str, target: str | None, columns: str | None, seed: int) -> tuple[Any, Any]:
    """Find the world, and a function that reads the target: names are checked before anything heavy is imported."""
    if not target:
        raise InputError("what is real? Give --target: a name of 'simloop targets', or your own logs")
    if not target.startswith("standin"):
        from simloop.logs import find_logs
        from simloop.targets.catalogue import find

        if find(target) is None and ("/" not in target or Path(target).exists() or Path(target).suffix):
            find_logs(target)
    from simloop.columns import ColumnMap
    from simloop.worlds import get_world

    column_map = ColumnMap.read(columns) if columns else None
    with terminal.shown_warnings():
        world = get_world(name)
    if not world.replayed:
        raise world.nothing_to_replay()
    if target == "standin":
        target = f"standin:{world.name}"

    def read() -> Any:
        from simloop.targets import get_target

        return get_target(target, world, column_map, seed=seed)

    return world, read


def main() -> None:
    """Entry point: errors of the person's making are one sentence on standard error and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="simloop")
    except (InputError, ImportError) as error:
        print(f"simloop: {error}", file=sys.stderr)
        sys.exit(2)
    except click.UsageError as error:
        if message := error.format_message():  # empty where the help was asked for and has been printed
            where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            message = " ".join(message.replace("Value error, ", "").split()).rstrip(".")
            print(f"simloop: {message}{where}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        print(f"simloop: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to print has nowhere to go
        sys.exit(2)
    if code == _INTERRUPTED:
        print("simloop: stopped; the same command goes on where it stopped", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
