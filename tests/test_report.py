"""The report of a run: one self-contained file that says all of it, and never takes a stand-in for the real thing."""

from __future__ import annotations

import copy
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop.calibration import Calibration, Ratio, Scores
from simloop.distributions import Distribution, Empirical, Mixture, Normal
from simloop.errors import InputError
from simloop.gap import ChannelValue, Gap, Measured
from simloop.gap.gap import Part
from simloop.gap.mismatch import Finding, Leftover, Mismatch
from simloop.parameters import Parameter, ParameterSpace
from simloop.report import write_report
from simloop.report.correlations import correlation
from simloop.report.identifiability import groups
from simloop.report.quantities import number, percent, span, spoken, with_unit
from simloop.worlds import get_world
from simloop.worlds.uncertain import uncertain_space

REAL = "real recordings"
SPACE = ParameterSpace(
    [
        Parameter("arm.mass", 0.1, 2.0, 0.5, unit="kg", scale="log", spread=0.5, description="mass of the arm"),
        Parameter("joint.friction", 0.0, 1.0, 0.2, unit="kg m^2", spread=0.1),
    ]
)


def a_gap(name: str, value: float, *, ratio: float | None, draws: int = 1, unit: str = "rad") -> dict[str, Any]:
    """A gap whose numbers are all different."""
    covered = 0.25 + value if draws > 1 else None
    parts = (
        Part("hip", unit, 1.1 * value, 0.6 * value, covered),
        Part("knee", unit, 0.9 * value, 0.5 * value, covered),
    )
    ratios = {} if ratio is None else {
        "ratio": ratio, "ratio_interval": (0.81 * ratio, 1.23 * ratio),
        "median_ratio": 0.77 * ratio, "median_ratio_interval": (0.61 * ratio, 0.93 * ratio),
    }  # fmt: skip
    return Gap(name, value, (0.8 * value, 1.3 * value), unit, 0.55 * value, parts, 40, 3, draws, **ratios).to_dict()


def a_fit(method: str, space: ParameterSpace = SPACE) -> dict[str, Any]:
    spread = 0.2 * space.spread
    covariance = np.diag(spread**2)
    covariance[0, 1] = covariance[1, 0] = 0.5 * spread[0] * spread[1]
    names = space.names
    return {
        "method": method,
        "distribution": Normal(space, space.default, covariance).to_dict(),
        "history": [{"iteration": 1, "cost": 8.0, "diverged": 2}, {"iteration": 2, "cost": 4.0, "diverged": 0}],
        "diagnostics": {
            "spread over prior spread": dict(zip(names, np.linspace(0.2, 0.95, len(names)).tolist(), strict=True)),
            "correlated beyond 0.9": [[names[0], names[1], -0.93]],
            "condition number": 1600.0,
            "weakest directions": [{"information": 0.02, "along": {names[1]: 0.98, names[0]: -0.2}}],
            "costs of the starts": [4.0, 4.2],
        },
        "rollouts": 1234,
        "simulated_seconds": 617.0,
        "wall_seconds": 2.0,
    }


def measured(name: str, value: float, *, draws: int, ratio: float | None = None, unit: str = "rad",
             extra: dict[str, Any] | None = None) -> Measured:  # fmt: skip
    """What a measure found, with numbers that are all different."""
    parts = tuple(ChannelValue(c, unit, f * value, extra or {}) for c, f in (("hip", 1.1), ("knee", 0.9)))
    interval = (0.8 * value, 1.2 * value)
    within = None if ratio is None else (0.9 * ratio, 1.1 * ratio)
    return Measured(name, value, interval, unit, parts, 40, 0, draws, "", {"p": 0.02}, ratio, within)


def scores(value: float, *, draws: int = 100, covered: float = 0.9, unit: str = "rad", wide: bool = True) -> Scores:
    """An arm's scores whose bands hold a share of `covered` of what they say."""
    bands = {
        "coverage": {"50%": 0.5 * covered / 0.9, "80%": 0.8 * covered / 0.9, "90%": covered},
        "coverage intervals": {k: [c * covered - 0.05, c * covered + 0.05] for k, c in
                               (("50%", 0.5 / 0.9), ("80%", 0.8 / 0.9), ("90%", 1.0))},
        "pit": [0.1] * 10, "p": 0.3, "mean rank": 0.5,
    }  # fmt: skip
    to_wide = Ratio("wide", value / 0.06, (value / 0.07, value / 0.05)) if wide else None
    return Scores(
        coverage=measured("coverage", 0.03, draws=draws, extra=bands) if draws > 1 else None,
        crps=measured("crps", 0.7 * value, draws=draws, unit=unit),
        energy=measured("energy-score", value, draws=draws, ratio=value / 0.05, unit=unit),
        to_wide=to_wide,
        to_point=Ratio("default", value / 0.04, (value / 0.05, value / 0.03)),
    )


def findings(unit: str = "rad") -> Mismatch:
    """Structure by the knee's angle, in degrees of leftover."""
    size = "1.3°" if unit == "rad" else "23 mm"
    sentence = f"with any parameters in range the simulated hip ends {size} above the real one where knee is above 0.4"
    finding = Finding("hip", "knee", 0.0005, 0.23, (-0.011, 0.004, 0.0227), (-0.2, 0.4), unit, sentence)
    return Mismatch((finding,), (Leftover("hip", unit, 0.02, 3.4, (2.5, 4.4)),), 0.2, 40, 0, 22)


PLAN = {
    "world": "bench/none", "seconds": 4.0, "considered": 24, "strayed": 3, "unit": "nats", "actions": ["m1", "m2"],
    "units": ["N m", "V"], "spread": {"arm.mass": {"before": 0.1, "after": 0.03},
                                      "joint.friction": {"before": 0.1, "after": 0.097}},
    "ranges": {"hip": [-1.234, 2.0]},
    "signals": {"every": 0.5, "actions": [[[0.0, 1.0, -1.0], [0.0, 0.0, 0.0]], [[0.0, 0.5, 0.5], [0.1, 0.2, 0.3]]]},
    "proposals": [
        {"description": f"chirp number {k}", "information": 3.2 / (k + 1), "narrows most": ["arm.mass"],
         "narrowed": {"arm.mass": 0.41, "joint.friction": 0.99}} for k in range(2)
    ],
}  # fmt: skip


def judged(methods: tuple[str, ...], *, unit: str = "rad", wide: bool = True) -> dict[str, Any]:
    """The stages that look at distributions: the first method too narrow, the others right."""
    arms = {
        "default": scores(0.05, draws=1, unit=unit, wide=wide),
        **({"wide": scores(0.06, covered=0.93, unit=unit)} if wide else {}),
        **{
            m: scores(0.02 + 0.001 * k, covered=0.9 if k else 0.31, unit=unit, wide=wide) for k, m in enumerate(methods)
        },
        **{f"{m}, mean": scores(0.03, draws=1, unit=unit, wide=wide) for m in methods},
    }
    told = {n: measured("classifier", 0.61 + 0.01 * k, draws=2).to_dict() for k, n in enumerate(["default", *methods])}
    return {
        "calibration": Calibration({0.06: arms, 0.2: arms}).to_dict(),
        "classifier": {"horizon": 0.2, "arms": told},
        "mismatch": findings(unit).to_dict(),
        "plan": PLAN,
    }


def a_target(provenance: str, files: list[str]) -> dict[str, Any]:
    return {
        "name": "bench/leg", "provenance": provenance, "description": "a leg on a bench", "source": "https://a.org/leg",
        "licence": "CC-BY-4.0", "files": files, "seconds": 61.5,
    }  # fmt: skip


def a_run(*, provenance: str = REAL, methods: tuple[str, ...] = ("least-squares", "simopt"), wide: bool = True,
          unit: str = "rad", space: ParameterSpace = SPACE, world: str = "bench/none") -> dict[str, Any]:  # fmt: skip
    """A finished run: its configuration and its stages."""
    before = [a_gap("persistence", 0.31, ratio=7.1, unit=unit), a_gap("default", 0.043, ratio=None, unit=unit)]
    if wide:
        before.append(a_gap("wide", 0.084, ratio=1.9, draws=30, unit=unit))
    after = [before[1], *(a_gap(m, 0.011 + 0.002 * k, ratio=0.31 + 0.2 * k, unit=unit) for k, m in enumerate(methods))]
    drawn = [before[1], *(a_gap(m, 0.017 + 0.002 * k, ratio=0.47 + 0.2 * k, draws=30, unit=unit)
                          for k, m in enumerate(methods))]  # fmt: skip
    wave = np.sin(np.linspace(0, 3, 12)) * np.ones((2, 2, 1))
    replays = {
        "horizon": 0.5, "time": np.linspace(0.01, 0.12, 12).tolist(), "channels": ["hip", "knee"], "units": [unit] * 2,
        "files": ["/somewhere/private/day1/a.csv", "/somewhere/private/day2/a.csv"], "starts": [0.5, 1.5],
        "measured": wave.tolist(),
        "arms": {
            "default": {"mean": (1.2 * wave).tolist()},
            **{m: {k: (f * wave).tolist() for k, f in (("mean", 1.01), ("low", 0.9), ("high", 1.1))} for m in methods},
        },
    }  # fmt: skip
    return {
        "configuration": {
            "loop": {"world": world, "target": {"fit": "bench/leg", "test": "/somewhere/private/leg/test.csv"},
                     "horizons": [0.2], "draws": 30, "seed": 7,
                     "adapt": [{"method": m, "options": {}} for m in methods]},
            "world": {"name": world, "parameters": space.to_dict()},
            "recordings": {"fit": "aaaa", "test": "bbbb"},
        },
        "stages": {
            "target": {"fit": a_target(provenance, ["day0/a.csv"]),
                       "test": a_target(provenance, ["day1/a.csv", "day2/a.csv"])},
            "gap-before": [{"horizon": 0.2, "gaps": before}],
            **{f"adapt-{m}": a_fit(m, space) for m in methods},
            "gap-after": [{"horizon": 0.2, "gaps": after}],
            "gap-after-draws": [{"horizon": 0.2, "gaps": drawn}],
            "replays": replays,
            **judged(methods, unit=unit, wide=wide),
            "versions": {"simloop": "0.1.0", "engine": "9.9"},
        },
    }  # fmt: skip


def stored(folder: Path, run: dict[str, Any]) -> None:
    """Write the run's files into a folder."""
    (folder / "stages").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"configuration": run["configuration"], "hash": "cccc"}))
    for name, stage in run["stages"].items():
        (folder / "stages" / f"{name}.json").write_text(json.dumps(stage))


def written(folder: Path, run: dict[str, Any]) -> str:
    """Store the run in a folder and return its report."""
    stored(folder, run)
    path = write_report(folder)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """The tags and the text of a page; fails where tags do not close in order."""

    VOID = ("meta", "br", "hr", "img", "input", "link", "path", "use", "rect")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("runs") / "demo", a_run())


def test_the_file_needs_nothing_from_elsewhere(page: str) -> None:
    """The report has no script, loads nothing, and links only to places within itself."""
    for tag, attributes in Page(page).tags:
        assert tag not in ("script", "link", "iframe", "object", "img", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "action", "data"):
                assert str(value).startswith("#")
            assert "http" not in str(value)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style


def test_every_arm_and_number_of_the_gaps_is_there(page: str) -> None:
    """Each arm of each gap stage stands in the report with its numbers, in degrees and in radians."""
    text = Page(page).text
    for stage in ("gap-before", "gap-after", "gap-after-draws"):
        for entry in a_run()["stages"][stage]:
            for gap in (Gap.from_dict(g) for g in entry["gaps"]):
                assert gap.name in text
                wanted = [spoken(gap.value, "rad"), with_unit(gap.value, "rad", padded=True), span(gap.interval, "rad")]
                wanted += [spoken(gap.median, "rad"), f"of {gap.windows * gap.draws:,}"]
                wanted += [spoken(p.rmse, "rad") for p in gap.parts] + [p.channel for p in gap.parts]
                wanted += [percent(p.covered) for p in gap.parts if p.covered is not None]
                for ratio, interval in ((gap.ratio, gap.ratio_interval), (gap.median_ratio, gap.median_ratio_interval)):
                    wanted += [number(ratio, padded=True), span(interval)] if ratio else []
                assert [w for w in wanted if w not in text] == []


def test_the_headline_and_the_target_come_first(page: str) -> None:
    """The report opens with the plain sentence, and with the recordings' source and licence under it."""
    text = Page(page).text
    opening = text[: text.index("What was compared")]
    assert "wrong by 0.63° after 0.2 s; the default one by 2.5°." in opening
    assert "Real recordings: a leg on a bench" in opening
    assert "https://a.org/leg" in opening
    assert "CC-BY-4.0" in opening


def test_every_figure_says_what_its_target_was(page: str) -> None:
    """No figure is without a label for who cannot see it, nor without the kind of its target."""
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.DOTALL)
    assert len(figures) >= 15
    assert all("Target: real recordings" in f for f in figures)
    assert all(a.get("aria-label") for tag, a in Page(page).tags if tag == "svg")


def test_a_stand_in_is_called_not_real(tmp_path: Path, page: str) -> None:
    """A run on a stand-in carries the banner, and each of its figures says NOT REAL; a real one has neither."""
    html = written(tmp_path / "standin", a_run(provenance="same engine, hidden parameters"))
    assert '<div class="banner"' in html
    assert "<title>NOT REAL" in html
    figures = re.findall(r"<figure.*?</figure>", html, flags=re.DOTALL)
    assert figures
    assert all("Target: NOT REAL, same engine, hidden parameters" in f for f in figures)
    assert "Target: real" not in html
    assert "NOT REAL" not in page


def test_names_are_text_and_not_markup(tmp_path: Path) -> None:
    """Characters that mean something in HTML or to the plotting library are shown as they are."""
    evil = '<img src=x onerror="a()">&amp; $\\frac$'
    space = ParameterSpace([Parameter(evil, 0.1, 2, 0.5, unit="<u>"), SPACE.parameters[1]])
    run = a_run(space=space)
    run["stages"]["target"]["test"]["description"] = evil
    run["stages"]["replays"]["channels"][0] = evil
    run["configuration"]["loop"]["note"] = evil
    for stage in ("gap-before", "gap-after", "gap-after-draws"):
        for gap in run["stages"][stage][0]["gaps"]:
            gap["parts"][0]["channel"] = evil
    html = written(tmp_path / "<i>run", run)
    assert not {"img", "u", "i"} & {tag for tag, a in Page(html).tags if tag != "i" or "class" not in a}
    assert evil in Page(html).text
    assert evil in unescape(html)


def test_a_run_of_an_adaptation_alone_shows_what_there_is(tmp_path: Path) -> None:
    """A run without gap stages has a report of its fit, without gaps, and how to get it again."""
    run = a_run(methods=("least-squares",))
    run["stages"] = {k: run["stages"][k] for k in ("target", "adapt-least-squares", "versions")}
    del run["stages"]["target"]["test"]
    run["configuration"].pop("loop")
    run["configuration"]["adapt"] = {"method": "least-squares", "options": {"starts": 1}, "budget": 9, "seed": 3,
                                     "target": "bench/leg"}  # fmt: skip
    html = written(tmp_path / "fit", run)
    text = Page(html).text
    assert "2 parameters of bench/none fitted to 61.5 s of real recordings" in text
    assert "not finished" not in text
    assert 'id="gaps"' not in html
    assert 'id="trajectories"' not in html
    assert 'id="marginals"' in html
    command = "simloop adapt bench/none --target bench/leg --method least-squares --option starts=1 --budget 9 --seed 3"
    assert command in text


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 5, 7, 8, 9, 10, 11])
def test_a_half_finished_run_says_what_is_missing(tmp_path: Path, kept: int) -> None:
    """Wherever a run was stopped there is a report, and it names the stages that are missing."""
    run = a_run()
    order = ["target", "gap-before", "adapt-least-squares", "adapt-simopt", "gap-after", "gap-after-draws", "replays",
             "calibration", "classifier", "mismatch", "plan", "versions"]  # fmt: skip
    run["stages"] = {name: run["stages"][name] for name in order[:kept]}
    text = Page(written(tmp_path / "half", run)).text
    assert f"This run has not finished. Missing: {', '.join(order[kept:])}." in text


def test_one_method_other_units_and_no_wide_ranges(tmp_path: Path) -> None:
    """A run in metres with one method and without wide ranges has its report, without degrees."""
    text = Page(written(tmp_path / "metres", a_run(methods=("simopt",), wide=False, unit="m"))).text
    assert "0.0110 m" in text
    assert "°" not in text
    assert "least-squares" not in text
    assert not [said for said in ("wide uniform", "to wide", "Bands: wide") if said in text]


def test_values_that_are_not_numbers_are_said_so(tmp_path: Path) -> None:
    """Diverged arms and lines do not stop the report; they are named."""
    run = a_run()
    nan = float("nan")
    for gap in (run["stages"]["gap-after"][0]["gaps"][2], run["stages"]["gap-before"][0]["gaps"][2]):
        gap.update(value=nan, interval=[nan, nan], median=nan, ratio=nan, ratio_interval=[nan, nan], diverged=40)
        gap["parts"][0].update(rmse=nan, median=nan)
    arm = run["stages"]["replays"]["arms"]["simopt"]
    arm["mean"][0][0][5:] = [nan] * 7
    arm["low"][1] = arm["high"][1] = [[nan] * 12] * 2
    run["stages"]["adapt-simopt"]["history"][0]["cost"] = nan
    text = Page(written(tmp_path / "blown", run)).text
    assert "not finite" in text
    assert "diverged" in text
    assert "nan" not in text.lower().split()
    first = copy.deepcopy(run)
    first["stages"]["gap-after"][0]["gaps"][1].update(value=nan, ratio_interval=[nan, nan])
    assert "diverged in every window" in Page(written(tmp_path / "first", first)).text


def test_nothing_of_the_machine_is_in_it(tmp_path: Path) -> None:
    """Absolute paths in a run are cut to their last two parts."""
    html = written(tmp_path / "private", a_run())
    assert "/somewhere/private" not in html
    assert str(tmp_path) not in html
    assert "leg/test.csv" in html


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, page: str) -> None:
    """Written twice, in other folders of one name, the report does not change."""
    assert written(tmp_path / "demo", a_run()) == page


def test_the_prior_comes_from_the_world_where_that_is_the_same(tmp_path: Path, page: str) -> None:
    """The prior is shown for a world that can be built as the run had it; else the report says that it cannot."""
    world = get_world("double-pendulum/c1")
    html = written(tmp_path / "c1", a_run(space=world.parameters, world=world.name))
    assert "prior, 90 %" in html
    assert "cannot be built here" not in html
    assert "cannot be built here" in page
    assert "prior, 90 %" not in page
    changed = a_run(space=world.parameters.replace("link1.mass", default=0.6), world=world.name)
    assert "cannot be built here" in written(tmp_path / "changed", changed)


STAGES = ["target", "gap-after", "adapt-simopt", "replays", "calibration", "classifier", "mismatch", "plan"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("content", ["[1, 2", "[1, 2]", '{"a": 1}', "3", "null"])
def test_a_damaged_stage_is_one_sentence_with_its_file(tmp_path: Path, stage: str, content: str) -> None:
    """A stage that is not what simloop writes is named, and no report is left that looks whole."""
    folder = tmp_path / "damaged"
    stored(folder, a_run())
    (folder / "stages" / f"{stage}.json").write_text(content)
    with pytest.raises(InputError, match=f"{stage}.json") as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "report.html").exists()


def test_it_says_first_whether_the_randomisation_covers_reality(page: str, tmp_path: Path) -> None:
    """Under the headline stands that the first fit does not cover, where, and which other one does."""
    opening = Page(page).text.split("What was compared")[0]
    assert "Least-squares does not cover reality as often as it says: its 90 % band holds only 31 % of hip" in opening
    assert "Simopt covers reality as often as it says: its 90 % band holds 90 % of the recordings" in opening
    html = written(tmp_path / "standin", a_run(provenance="another engine"))
    assert "Simopt covers the stand-in as often as it says" in Page(html).text
    assert "covers reality" not in Page(html).text


def test_bands_ranks_and_scores_of_every_arm_are_there(page: str) -> None:
    """Each distribution has a picture of its bands and one of its ranks; each arm its scores; each method its line."""
    text = Page(page).text
    for arm in ("least-squares", "simopt", "wide"):
        assert f"Bands: {arm}" in text
        assert f"Ranks: {arm}" in text
    for arm in ("default", "wide", "simopt, mean"):
        assert re.search(rf">{arm}<small>(a point|drawn, 100 a window)</small>", page)
    table = page[page.index('id="methods"') :]
    table = Page(table[table.index("<table") : table.index("</table>") + 8]).text
    for said in ("0.310", "0.510", "0.333", "0.500", "hip 31 %", "62 %", "p = 0.02", "1,234"):
        assert said in table


def test_a_mismatch_is_shown_and_none_is_said_plainly(tmp_path: Path, page: str) -> None:
    """Structure has its sentence, its bars and its share; where there is none the report says so; so it does if not."""
    assert "Mismatch: no parameters in range explain these recordings." in page
    assert "With any parameters in range the simulated hip ends 1.3° above" in Page(page).text
    assert "explains 23 % of it" in page
    run = a_run()
    run["stages"]["mismatch"] = {**findings().to_dict(), "findings": [], "leftovers": []}
    assert "No mismatch found" in Page(written(tmp_path / "none", run)).text
    run["stages"]["mismatch"] = {"not looked for": "mismatch: 3 windows are too few"}
    assert "Not looked for: 3 windows are too few." in Page(written(tmp_path / "few", run)).text


def test_proposed_recordings_are_there(tmp_path: Path, page: str) -> None:
    """Each proposal has its information, what it narrows and its picture; where none are, the reason is given."""
    text = Page(page).text
    for said in ("chirp number 1", "3.2 nats", "arm.mass to 41 % of its spread", "4.8 nats in all",
                 "leave joint.friction nearly as open",
                 "bench/none --distribution demo -n 2 --target bench/leg --range hip=-1.23,2 -o next"):  # fmt: skip
        assert said in text
    run = a_run()
    run["stages"]["plan"] = {"not planned": "this world has no actions"}
    assert "Nothing is proposed: this world has no actions." in Page(written(tmp_path / "none", run)).text


def spread_out(space: ParameterSpace, kind: str) -> Distribution:
    """A distribution of a kind whose first two parameters are correlated by 0.8."""
    d = len(space)
    spread = np.where(space.spread > 0, 0.1 * space.spread, 1e-3)
    covariance = np.diag(spread**2)
    covariance[0, 1] = covariance[1, 0] = 0.8 * spread[0] * spread[1]
    middle = np.where(space.default > 0, space.default * 1.05, space.default)
    normal = Normal(
        space, np.clip(middle, space.low + 0.2 * (space.high - space.low) * (d < 3), space.high), covariance
    )
    if kind == "mixture":
        return Mixture(space, [normal, normal], [1, 3])
    return Empirical(space, normal.sample(4000, np.random.default_rng(0))) if kind == "empirical" else normal


@pytest.mark.parametrize("kind", ["mixture", "empirical"])
def test_any_kind_of_distribution_has_its_report(tmp_path: Path, kind: str) -> None:
    """Fits that are no Normal have their marginals and their correlations, which are those of a Normal's draws."""
    run = a_run()
    fitted = spread_out(SPACE, kind)
    run["stages"]["adapt-simopt"]["distribution"] = fitted.to_dict()
    text = Page(written(tmp_path / kind, run)).text
    assert "Correlations: simopt" in text
    r = correlation(fitted, SPACE)
    assert r is not None
    assert abs(r[0, 1] - 0.8) < 0.03


def test_what_a_fit_adds_to_the_world_has_a_section_of_its_own(tmp_path: Path, page: str) -> None:
    """Errors of starts, disturbances and noise stand in a table with their units, and not among the parameters."""
    world = get_world("double-pendulum/c1")
    added = {"start.joint1": 0.2, "push.motor1": 0.3, "noise.joint1": 0.1}
    space = uncertain_space(world, added)
    middle = np.concatenate([world.parameters.default, [0.01, 0.02, 0.002]])
    wide = np.concatenate([0.05 * world.parameters.spread, [0.01, 0.01, 0.01]])
    fitted = Mixture(space, [Normal(space, middle, np.diag(wide**2))] * 2, [1, 1])
    run = a_run(methods=("hierarchical",), space=world.parameters, world=world.name)
    run["stages"]["adapt-hierarchical"]["distribution"] = fitted.to_dict()
    html = written(tmp_path / "more", run)
    text = Page(html).text
    assert "How reality varies beyond the parameters" in text
    assert "0.573°" in text
    assert "0.0200 N m" in text
    shown = html[html.index('id="marginals"') : html.index('id="variation"')]
    assert "start.joint1" not in shown
    assert "The numbers of all 16 parameters" in shown
    assert 'id="variation"' not in page


def test_whole_recordings_are_called_so(tmp_path: Path) -> None:
    """A run of a world that is replayed whole speaks of recordings, not of instants; its bands may be unknown."""
    run = a_run()
    run["configuration"]["world"]["whole"] = True
    run["stages"]["calibration"]["whole"] = True
    for stage in ("gap-before", "gap-after", "gap-after-draws"):
        for gap in run["stages"][stage][0]["gaps"]:
            for part in gap["parts"]:
                part["covered"] = None
    run["stages"]["replays"]["measured"][0] = [[float("nan")] * 12] * 2
    text = Page(written(tmp_path / "whole", run)).text
    assert "wrong by 0.63° on average over a recording" in text
    assert "was replayed whole" in text
    assert "On average over a recording: 40 windows" in text


@pytest.mark.parametrize("manifest", [None, "", "[]", "{}", '{"configuration": {}}', '{"configuration": 3}'])
def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path, manifest: str | None) -> None:
    """A missing or damaged manifest is one sentence that names it."""
    if manifest is not None:
        (tmp_path / "run.json").write_text(manifest)
    with pytest.raises(InputError, match=r"run\.json"):
        write_report(tmp_path)


def test_what_counts_as_determined() -> None:
    """Below 0.3 of the prior's spread is determined, above 0.8 is not, and what is not a number is not."""
    found = groups({"a": 0.29, "b": 0.3, "c": 0.8, "d": 0.81, "e": float("nan")})
    assert list(found.values()) == [["a"], ["b", "c"], ["d", "e"]]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.5, "0.5"), (12.345, "12.3"), (-0.0123, "−0.0123"), (9.999, "10"), (12345, "12,345"), (None, "–"),
     (1.5e-9, "1.50 × 10⁻⁹"), (float("nan"), "not finite"), (float("inf"), "not finite")],
)  # fmt: skip
def test_numbers_are_written_as_people_read_them(value: float | None, said: str) -> None:
    """Three digits, no exponents where that is readable, a real minus sign, and a word for what is no number."""
    assert number(value) == said
