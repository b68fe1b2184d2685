"""The page of a look that was fitted to images: what was found, how sure that is, and frames side by side."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from simloop.distributions import Distribution, Product
from simloop.report import blocks
from simloop.report.page import render
from simloop.report.quantities import count, number, unit_sign
from simloop.report.reproduce import fit_section
from simloop.report.stages import without_folders
from simloop.runs import read_run


def describes(folder: Path) -> bool:
    """Whether a folder holds a run that fitted a look to images."""
    return (folder / "run.json").exists() and "look" in read_run(folder)["configuration"]


def look_page(folder: Path) -> str:
    """The page as HTML, of a finished run or of one that was stopped."""
    run = read_run(folder)
    images, stages = run["configuration"]["images"], run["stages"]
    world, name = run["configuration"]["world"]["name"], without_folders(images["name"])
    real = images["provenance"] == "real recordings"
    target = ", ".join(x for x in (f"{name}: {images['description']}", images["provenance"], images["source"],
                                   images["licence"]) if x)  # fmt: skip
    head = {
        "title": f"{folder.resolve().name}, {world}",
        "kicker": f"{world} · run {folder.resolve().name}",
        "headline": _headline(folder, stages, name),
        "honesty": "Intervals say what frames and their number allow, if simulation can look like reality at all; what"
        " simulation never shows may bias a pose without widening them.",
        "target": f"{target}; {count(images['count'], 'image')}, whose labels were not read.",
        "banner": "" if real else f"These images are {images['provenance']}.",
        "origin": f"the run's folder {folder.resolve().name}",
        "version": stages.get("versions", {}).get("simloop", ""),
    }
    facts: list[blocks.Block] = []
    if "pose" in stages and (folder / "distribution.json").exists():
        facts.append(_table(folder, stages))
    if "told-apart" in stages:
        facts.append(_apart(stages["told-apart"]))
    sections = [blocks.Section("look", "The look that was found", tuple(facts)), _sheet(folder, target, real=real)]
    again = fit_section(run, "look", "images", "images", world, folder.resolve().name)
    return render(head, [*sections, again])


def _fitted(folder: Path) -> Distribution:
    look = Distribution.load(folder)
    assert isinstance(look, Product)
    return look.parts[-1]


def _headline(folder: Path, stages: dict[str, Any], name: str) -> str:
    if "pose" not in stages or not (folder / "distribution.json").exists():
        return f"A look is being fitted to {name}"
    pose, space = stages["pose"], _fitted(folder).space
    if "camera.pitch" not in space.names:
        return f"{count(len(space), 'parameter')} of the look fitted to {name}, without labels"
    j = space.index("camera.pitch")
    value, low, high = (np.degrees(space.from_scale(np.array(pose["mean"]))[j] if k == "mean" else pose[k][j])
                        for k in ("mean", "low", "high"))  # fmt: skip
    return f"The camera of {name} looks {value:.1f}° down ({low:.1f}° to {high:.1f}°), found without labels"


def _table(folder: Path, stages: dict[str, Any]) -> blocks.Table:
    fit, pose, seen = _fitted(folder), stages["pose"], stages["reader"]
    rows = []
    for j, p in enumerate(fit.space):
        value, low, high = fit.mean[j], pose["low"][j], pose["high"][j]
        small = (
            f"{np.degrees(value):.1f}°, {np.degrees(low):.1f}° to {np.degrees(high):.1f}°" if p.unit == "rad" else ""
        )
        rows.append(
            blocks.Row(
                (blocks.Cell(p.name, p.description), blocks.Cell(number(p.default)),
                 blocks.Cell(f"{number(value)} {unit_sign(p.unit)}".strip(), small),
                 blocks.Cell(f"{number(low)} to {number(high)}"), blocks.Cell(f"{seen[p.name]:.0%}"),
                 blocks.Cell(f"{pose['known'][j]:.0%}"))
            )
        )  # fmt: skip
    caption = (
        "What was fitted; everything else stays as wide as it was. Seen: part of its variance that a network reads from"
        " one frame. Known: part of what was open before that the images settle."
    )
    return blocks.Table(caption, ("", "default", "fitted", "90 %", "seen", "known"), tuple(rows))


def _apart(found: dict[str, Any]) -> blocks.Table:
    rows = tuple(
        blocks.Row(
            (blocks.Cell(name), blocks.Cell(number(x["energy distance"])), blocks.Cell(f"{x['accuracy']:.0%}"),
             blocks.Cell(f"{x['interval'][0]:.0%} to {x['interval'][1]:.0%}"), blocks.Cell(number(x["p"]))),
            strong=name == "fitted",
        )
        for name, x in found.items()
    )  # fmt: skip
    caption = (
        "Can simulation and reality be told apart? Energy distance of what is fitted, 0 where it is alike; and how"
        " often a classifier names rightly an image that it has not seen, from all features of the network: 50 % is"
        " chance."
    )
    return blocks.Table(caption, ("look", "energy distance", "told apart", "95 %", "p"), rows)


def _sheet(folder: Path, target: str, *, real: bool) -> blocks.Section:
    path = folder / "sheet.png"
    if not path.exists():
        return blocks.Section("sheet", "Side by side")
    data = base64.b64encode(path.read_bytes()).decode()
    label = "Images of the target above, frames of the fitted look below"
    picture = Markup(
        f'<svg viewBox="0 0 984 252" role="img" aria-label="{escape(label)}">'
        f'<image href="data:image/png;base64,{data}" width="984" height="252"/></svg>'
    )
    caption = "Above images of the target, evenly over it; below random frames of the fitted look, of other roads."
    block = blocks.Picture("Side by side", label, caption, target, real, picture, picture)
    return blocks.Section("sheet", "Side by side", (block,))
