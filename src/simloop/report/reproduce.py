"""What it takes to get the same numbers again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from simloop.report.blocks import Block, Cell, Code, Row, Section, Table, Text
from simloop.report.learned import Learned
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING
from simloop.report.stages import without_folders


def section(outcome: Outcome) -> Section:
    """Versions, seed, hashes, the configuration and the command."""
    configuration = outcome.configuration
    loop = configuration.get("loop")
    asked: dict[str, Any] = loop if loop is not None else configuration.get("adapt", {})
    content = configuration.get("recordings", {})
    facts = {
        **{f"version of {name}": version for name, version in outcome.versions.items()},
        "seed": str(asked.get("seed", NOTHING)),
        "hash of the configuration": str(outcome.result.get("hash", NOTHING)),
        **{f"hash of the recordings to {use} on": str(value) for use, value in content.items()},
        **{f"hash of the fit by {method}": fit.distribution.hash for method, fit in outcome.fits.items()},
    }
    blocks: list[Block] = [
        Text(
            "The same configuration on the same recordings gives the same bytes on one machine and engine version,"
            " whatever the number of workers and however often the run was stopped."
            + ("" if outcome.versions else " This run has not kept its versions: it stopped before that.")
        ),
        depends_on(facts),
        Code("The command", command(outcome)),
    ]  # fmt: skip
    plain = _without_folders(asked)
    if loop is not None:
        title = "loop.yaml"
    else:
        title = "What was asked for"
        plain = {"world": configuration["world"]["name"], **plain}
    if plain != (asked if loop is not None else {"world": configuration["world"]["name"], **asked}):
        title += " (of files outside the working folder, the last two parts of the path)"
    blocks.append(Code(title, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)))
    return Section("reproduce", "How to reproduce it", tuple(blocks))


def policy_section(outcome: Learned) -> Section:
    """The same of a run with policies."""
    file = _without_folders(outcome.file)
    kept = {k: v for k, v in file.items() if k != "distribution"}
    facts = {
        **{f"version of {name}": version for name, version in outcome.versions.items()},
        "seed": str(file.get("seed", NOTHING)),
        "hash of the configuration": str(outcome.result.get("hash", NOTHING)),
        **{f"hash of the distribution of {t.name}": t.distribution.hash for t in outcome.trainees if t.distribution},
    }
    folder = shlex.quote(outcome.folder.resolve().name)
    if outcome.kind == "loop":
        line, title = f"simloop loop loop.yaml -o {folder}", "loop.yaml"
    else:
        line, title = _training_command(outcome), "What was asked for"
        kept = {"world": outcome.configuration["world"]["name"], "task": outcome.task["name"], **kept}
    blocks: tuple[Block, ...] = (
        Text(
            "The same configuration gives the same bytes on one machine and version of the engine and of the learner,"
            " however often the run was stopped; what a real machine does is not repeatable, and is kept in the run."
            + ("" if outcome.versions else " This run has not kept its versions: it stopped before that.")
        ),
        depends_on(facts),
        Code("The command", line),
        Code(title, yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)),
    )  # fmt: skip
    return Section("reproduce", "How to reproduce it", blocks)


def fit_section(run: Mapping[str, Any], kind: str, source: str, what: str, world: str, folder: str) -> Section:
    """The same of a run that fitted a world to images or to tracks.

    Args:
        run: what the folder says of itself.
        kind: of its configuration, what was asked for: "look", "behaviour".
        source: of its configuration, what it was fitted to.
        what: the same in words.
        world: its name.
        folder: the run's name.
    """
    asked, real, stages = run["configuration"][kind], run["configuration"][source], run["stages"]
    options = " ".join(f"--option {shlex.quote(f'{k}={v}')}" for k, v in asked["options"].items())
    fits = "".join(f" --fit {shlex.quote(f)}" for f in asked["fit"])
    line = (
        f"simloop adapt {world} --target {shlex.quote(without_folders(real['name']))} --method {asked['method']}"
        f" {options}{fits} --seed {asked['seed']} -o {folder}"
    )
    facts = {
        f"hash of the {what}": str(real["hash"]),
        "hash of the configuration": str(run.get("hash", "")),
        **{f"version of {name}": str(version) for name, version in stages.get("versions", {}).items()},
    }
    return Section("reproduce", "How to reproduce it", (depends_on(facts), Code("The command", line)))


def depends_on(facts: Mapping[str, str]) -> Table:
    """The table of what numbers depend on, by name."""
    rows = tuple(Row((Cell(name), Cell(value))) for name, value in facts.items())
    return Table("What the numbers depend on.", ("", "value"), rows, words=True)


def _training_command(outcome: Learned) -> str:
    """The command line that made a training, with its folder's name; options as the learner had them."""
    asked, file = _without_folders(outcome.asked), outcome.file
    words = ["simloop", "train", str(asked.get("world", outcome.configuration["world"]["name"]))]
    words += ["--task", str(outcome.task["name"]), "--learner", str(file["learner"]), "--steps", str(file["steps"])]
    first = without_folders(next(iter(outcome.scores), "default"))
    if first != "default":
        words += ["--distribution", first]
    if file.get("begin from"):
        words += ["--begin-from", f"the run whose policy has the hash {file['begin from']}"]
    for key, value in file["options"].items():
        words += ["--option", f"{key}={value}"]
    return shlex.join([*words, "--seed", str(file["seed"]), "-o", outcome.folder.resolve().name])


def command(outcome: Outcome) -> str:
    """The command line that made the run, with its folder's name."""
    folder = outcome.folder.resolve().name
    if "adapt" not in outcome.configuration:
        return f"simloop loop loop.yaml -o {shlex.quote(folder)}"
    asked = _without_folders(outcome.configuration["adapt"])
    given = _without_folders(outcome.result["stages"].get("asked", {}))
    world = str(given.get("world", outcome.configuration["world"]["name"]))
    words = ["simloop", "adapt", world, "--target", str(asked.get("target", "")), "--method", str(asked["method"])]
    if given.get("columns"):
        words += ["--columns", str(given["columns"])]
    for key, value in (asked.get("options") or {}).items():
        words += ["--option", f"{key}={value}"]
    if asked.get("budget") is not None:
        words += ["--budget", str(asked["budget"])]
    return shlex.join([*words, "--seed", str(asked.get("seed", 0)), "-o", folder])


def _without_folders(value: Any) -> Any:
    """A configuration with nothing of this machine in it."""
    if isinstance(value, dict):
        return {k: _without_folders(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(v) for v in value]
    return without_folders(value) if isinstance(value, str) else value
