"""The page of behaviour that was fitted to tracks of people: what was found, and statistics before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from simloop.report import blocks
from simloop.report.figures import ACCENT, INK, MUTED, canvas, dot, draw_panel, line, rows_panel, write
from simloop.report.page import render
from simloop.report.quantities import count, number, span, unit_sign
from simloop.report.reproduce import fit_section
from simloop.report.stages import without_folders
from simloop.runs import read_run

#: quantiles of `gap.tracks.QUANTILES` that a bar and its dot show
_LOW, _MIDDLE, _HIGH = 1, 3, 5
#: the arms of a figure from above, with what they are called there
_SHOWN = (("real", "real"), ("default", "default"), ("wide", "wide"), ("fitted", "fitted"))
_ROW, _TOP, _LEFT = 26, 8, 58


def describes(folder: Path) -> bool:
    """Whether a folder holds a run that fitted behaviour to tracks."""
    return (folder / "run.json").exists() and "behaviour" in read_run(folder)["configuration"]


def behaviour_page(folder: Path) -> str:
    """The page as HTML, of a finished run or of one that was stopped."""
    run = read_run(folder)
    people, stages = run["configuration"]["people"], run["stages"]
    name = without_folders(people["name"])
    real = people["provenance"] == "real recordings"
    target = ", ".join(x for x in (f"{name}: {count(people['people'], 'person').replace('persons', 'people')}",
                                   people["provenance"], people["source"], people["licence"]) if x)  # fmt: skip
    head = {
        "title": f"{folder.resolve().name}, crowd",
        "kicker": f"crowd · run {folder.resolve().name}",
        "headline": _headline(stages, name),
        "honesty": "Everybody in the simulation comes and leaves when and where real people did: what is compared is"
        " how they walk. The fit saw the first stretches of each recording; all figures are of the last ones.",
        "target": f"{target}.",
        "banner": "" if real else f"These tracks are {people['provenance']}.",
        "origin": f"the run's folder {folder.resolve().name}",
        "version": stages.get("versions", {}).get("simloop", ""),
    }
    sections = []
    if "held-out" in stages and "habits" in stages:
        found, habits = stages["held-out"], stages["habits"]
        sections += [
            blocks.Section("gap", "The gap before and after", (_gap(found), _alone(found))),
            blocks.Section("statistics", "How people walk", (_pictures(found, habits["statistics"], target, real),)),
            blocks.Section("habits", "The behaviour that was found", _habits(habits["habits"], stages)),
        ]
    predictive = _adaptation(stages).get("diagnostics", {}).get("posterior predictive")
    if predictive:
        sections.append(blocks.Section("predictive", "Does it hold?", _checks(_adaptation(stages)["diagnostics"])))
    again = fit_section(run, "behaviour", "people", "tracks", "crowd", folder.resolve().name)
    return render(head, [*sections, again])


def _adaptation(stages: dict[str, Any]) -> dict[str, Any]:
    return next((dict(v) for k, v in stages.items() if k.startswith("adapt-")), {})


def _headline(stages: dict[str, Any], name: str) -> str:
    if "held-out" not in stages:
        return f"Behaviour is being fitted to {name}"
    fitted = stages["held-out"]["fitted"]
    low, high = fitted["over default interval"]
    verdict = "nearer to" if high < 1 else "farther from" if low > 1 else "perhaps no nearer to"
    return (
        f"Fitted people are {verdict} the real ones of {name} than default ones: energy distance"
        f" {number(fitted['over default'])} times the default's ({number(low)} to {number(high)})"
    )


def _arms(found: dict[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in found.items() if "energy distance" in x}


def _gap(found: dict[str, Any]) -> blocks.Table:
    rows = tuple(
        blocks.Row(
            (blocks.Cell(name), blocks.Cell(number(x["energy distance"]), span(x["interval"])),
             blocks.Cell(number(x["over default"]), span(x["over default interval"]) if name != "default" else ""),
             blocks.Cell(f"{x['told apart']['accuracy']:.0%}"), blocks.Cell(number(x["told apart"]["p"]))),
            strong=name == "fitted",
        )
        for name, x in _arms(found).items()
    )  # fmt: skip
    caption = (
        "Energy distance of all statistics together, 0 where people are alike, with 95 % by leaving out stretches; and"
        " how often a classifier names rightly somebody it has not seen: 50 % is chance. Real people of the fitted"
        " part stand beside: nobody can be expected to be nearer than they are."
    )
    return blocks.Table(caption, ("people", "energy distance", "over default", "told apart", "p"), rows)


def _alone(found: dict[str, Any]) -> blocks.Table:
    arms = _arms(found)
    names = found["real"]["statistics"]
    rows = tuple(
        blocks.Row((blocks.Cell(name), *(blocks.Cell(number(x["by statistic"][name])) for x in arms.values())))
        for name in names
    )
    return blocks.Table("Energy distance of each statistic alone.", ("statistic", *arms), rows)


def _pictures(found: dict[str, Any], statistics: list[list[str]], target: str, real: bool) -> blocks.Picture:
    panels = []
    for j, (name, unit, _) in enumerate(statistics):
        moments = {shown: np.array(found[arm]["moments"])[:, j] for arm, shown in _SHOWN if arm in found}

        def draw(width: int, moments: dict[str, Any] = moments, name: str = name, unit: str = unit) -> Figure:
            return _panel(width, moments, f"{name}, {unit_sign(unit)}" if unit else name)

        panels.append(draw_panel(f"statistic-{j}", f"{name} of real and simulated people", draw))
    caption = (
        "Bars run from the 10 % to the 90 % quantile over people and instants, dots are medians: real people above,"
        " simulated ones in the same places below them."
    )
    return blocks.Picture("Statistics of tracks", "Statistics of real and simulated people", caption, target, real,
                          panels=tuple(Markup(p) for p in panels))  # fmt: skip


def _panel(width: int, moments: dict[str, Any], title: str) -> Figure:
    figure = canvas(width, _TOP + 22 + _ROW * len(moments) + 24)
    axes = rows_panel(figure, _LEFT, _TOP + 22, width - _LEFT - 12, _ROW * len(moments), len(moments))
    every = np.concatenate([m[[_LOW, _HIGH]] for m in moments.values()])
    reach = float(np.ptp(every)) or 1.0
    axes.set_xlim(float(every.min()) - 0.06 * reach, float(every.max()) + 0.06 * reach)
    write(axes, 0, 1, title, data="", dx=-_LEFT + 4, dy=12, bold=True)
    for i, (name, m) in enumerate(moments.items()):
        colour = INK if name == "real" else ACCENT if name == "fitted" else MUTED
        write(axes, 0, i, name, data="y", dx=-8, right=True, color=colour)
        line(axes, float(m[_LOW]), float(m[_HIGH]), i, color=colour)
        dot(axes, float(m[_MIDDLE]), i, color=colour, hollow=name == "wide")
    return figure


def _habits(habits: list[dict[str, Any]], stages: dict[str, Any]) -> tuple[blocks.Block, ...]:
    rows = tuple(
        blocks.Row(
            (blocks.Cell(h["name"]), blocks.Cell(number(h["default"])),
             blocks.Cell(f"{number(h['value'])} {unit_sign(h['unit'])}".strip()),
             blocks.Cell(f"{number(h['low'])} to {number(h['high'])}"), blocks.Cell(f"{h['shown']:.0%}"))
        )
        for h in habits
    )  # fmt: skip
    caption = (
        "Median and 90 % of the fitted distribution. Shown: part of a parameter's variance that a regression on"
        " statistics of simulated tracks explains on new ones; what is hardly shown was not fitted."
    )
    table = blocks.Table(caption, ("", "default", "fitted", "90 %", "shown"), rows)
    hidden = [f"{n} ({max(x, 0):.0%})" for n, x in stages["shown"].items() if n not in {h["name"] for h in habits}]
    note = f"Left at their defaults, because tracks do not show them: {', '.join(hidden)}." if hidden else ""
    return (table, blocks.Text(note, tone="quiet")) if note else (table,)


def _checks(diagnostics: dict[str, Any]) -> tuple[blocks.Block, ...]:
    rows = tuple(
        blocks.Row((blocks.Cell(c["channel"]), blocks.Cell(f"{c['90 % band covers']:.0%}"),
                    blocks.Cell(number(c["misfit over replicas'"])), blocks.Cell(number(c["p"]))))
        for c in diagnostics["posterior predictive"]
    )  # fmt: skip
    predictive = blocks.Table(
        "Crowds made under draws of the posterior must look like the real one: how many of the mean and the quantiles"
        " their 90 % band holds, and how far off the real ones are beside the crowds themselves; above 1 the model is"
        " missing something.",
        ("statistic", "90 % band covers", "misfit", "p"), rows,
    )  # fmt: skip
    ranks = tuple(blocks.Row((blocks.Cell(n), blocks.Cell(number(p)))) for n, p in diagnostics["calibration p"].items())
    calibration = blocks.Table(
        "Calibration on simulations of known parameters: p of ranks that are uniform; small ones warn.",
        ("parameter", "p"), ranks,
    )  # fmt: skip
    return predictive, calibration
