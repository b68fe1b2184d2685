"""Whether each distribution holds the recordings as often as it says: bands, ranks, and scores that pay for width."""

from __future__ import annotations

from math import sqrt

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simloop.calibration import MEAN, TOLERANCE, Band, Calibration, Ratio, Scores
from simloop.gap.measure import ChannelValue
from simloop.report import figures
from simloop.report.blocks import Block, Cell, Picture, Points, Row, Section, Swatch, Table, Text
from simloop.report.figures import ACCENT, BAND, INK, MUTED, RULE
from simloop.report.outcome import Outcome
from simloop.report.quantities import NOTHING, number, percent, shortened, span, spoken

#: the levels of the bands: their place in a row, and how they are drawn
_LEVELS = {"50%": (-0.22, INK, True), "80%": (0.0, MUTED, False), "90%": (0.22, ACCENT, False)}
#: most channels of which ranks are shown
_CHANNELS = 6


def section(outcome: Outcome) -> Section | None:
    """Sentences, a picture of bands and one of ranks for each distribution, and the scores in numbers."""
    found = outcome.calibration
    if found is None or not found.distributions:
        return None
    target = outcome.target("test")
    reality = "reality" if target is None or target.real else "the stand-in"
    said = [s[0].upper() + s[1:] + "." for arm in _order(outcome, found) if (s := found.sentence(arm, reality))]
    low, high = TOLERANCE["90%"]
    blocks: list[Block] = [
        Text(
            "A band of 90 % should hold 90 % of the recordings, at every horizon and in every channel, from one and the"
            " same distribution. A narrow one is a randomisation that reality falls outside of; a wide one trains for"
            f" worlds that there are not. Called right: {percent(low)[:-2]} to {percent(high)} for the 90 % band,"
            " or whatever so few windows cannot tell from 90 %."
        ),
        Points(tuple(said)),
    ]
    arms = _order(outcome, found)
    blocks += [_bands(outcome, found, arm, half=len(arms) > 1) for arm in arms]
    blocks += [_ranks(outcome, found, arm, closed=k > 0) for k, arm in enumerate(arms)]
    blocks += [_table(outcome, horizon, scores) for horizon, scores in found.at.items()]
    return Section("coverage", "Does the randomisation cover reality?", tuple(blocks))


def _order(outcome: Outcome, found: Calibration) -> list[str]:
    """Distributions, the fits first."""
    return sorted(found.distributions, key=lambda name: name not in outcome.fits)


def _bands(outcome: Outcome, found: Calibration, arm: str, *, half: bool) -> Picture:
    bands = [b for b in found.bands(arm) if b.level in _LEVELS]
    rows = list(dict.fromkeys((b.channel, b.horizon) for b in bands))
    channels = [b.channel for b in bands]
    rows.sort(key=lambda row: channels.index(row[0]))

    def draw(width: int) -> Figure:
        left, each, top = 132, 28, 8
        figure = figures.canvas(width, top + each * len(rows) + 42)
        axes = figures.rows_panel(figure, left, top, width - left - 14, each * len(rows), len(rows))
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.8, 0.9], ["0", "25", "50", "80", "90"])
        axes.set_xlabel("% of the recordings inside the band")
        for level, (_, color, _) in _LEVELS.items():
            axes.axvline(float(level[:-1]) / 100, color=color, linewidth=1, dashes=(3, 2))
        for y, (channel, horizon) in enumerate(rows):
            axes.axhline(y + 0.5, color=RULE, linewidth=0.6)
            when = "" if found.whole else f", {horizon:g} s"
            figures.write(axes, 0, y, f"{shortened(channel, 13)}{when}", data="y", dx=-left)
            for band in bands:
                if (band.channel, band.horizon) == (channel, horizon):
                    _band(axes, y, band)
        return figure

    said = "; ".join(f"{b.channel} after {b.horizon:g} s {percent(b.covered)}" for b in bands if b.level == "90%")
    label = f"What the bands of {arm} hold; the 90 % band: {said}"
    wide, narrow = figures.draw_both(f"bands-{arm}", label, draw, wide=figures.HALF if half else figures.WIDE)
    legend: tuple[tuple[Swatch, str], ...] = (("open", "50 % band"), ("thin", "80 %"), ("dot", "90 %"))
    caption = "Each mark belongs on the line of its colour: left of it the band is too narrow, right of it too wide."
    target, real = outcome.target_of_figure("test")
    return Picture(f"Bands: {arm}", label, f"{caption} Lines are 95 % intervals.", target, real, wide, narrow,
                   legend=legend, half=half)  # fmt: skip


def _band(axes: Axes, row: int, band: Band) -> None:
    shift, color, hollow = _LEVELS[band.level]
    figures.line(axes, *band.interval, row + shift, color=color, width=1.4)
    figures.dot(axes, band.covered, row + shift, color=color, hollow=hollow, size=6)


def _ranks(outcome: Outcome, found: Calibration, arm: str, *, closed: bool) -> Picture:
    """Histograms of where reality ranks among the draws, channel by channel and horizon by horizon."""
    shown = [(c.channel, h, c, scores.coverage.windows) for h, arms in found.at.items()
             if (scores := arms.get(arm)) and scores.coverage for c in scores.coverage.parts[:_CHANNELS]]  # fmt: skip
    channels = [channel for channel, *_ in shown]
    shown.sort(key=lambda item: channels.index(item[0]))
    highest = max((max(c.extra["pit"]) for _, _, c, _ in shown), default=0.1)

    def draw(width: int) -> Figure:
        across = min(max(len(found.at), 2), 4) if width > figures.HALF else 2
        one, each = width / across, 118
        figure = figures.canvas(width, each * -(-len(shown) // across) + 6)
        for k, (channel, horizon, part, windows) in enumerate(shown):
            axes = figures.panel(figure, k % across * one, 26 + k // across * each, one - 18, each - 44)
            when = "" if found.whole else f", {horizon:g} s"
            figures.write(axes, 0, 1, f"{shortened(channel, 16)}{when}", data="", dy=11, color=MUTED)
            _histogram(axes, part, windows, max(highest, 0.25))
        return figure

    said = "; ".join(f"{c} after {h:g} s: outermost tenths {percent(p.extra['pit'][0])} and"
                     f" {percent(p.extra['pit'][-1])}" for c, h, p, _ in shown)  # fmt: skip
    label = f"Ranks of the recordings among draws of {arm}: {said}"
    wide, narrow = figures.draw_both(f"ranks-{arm}", label, draw)
    caption = (
        "Where the recording stands among the draws, from below all (left) to above all (right), in tenths. Even bars,"
        " inside the stripe up to chance, are right; high ends mean too narrow, a hump too wide, a slope shifted."
    )
    target, real = outcome.target_of_figure("test")
    legend: tuple[tuple[Swatch, str], ...] = (("accent", "share of the recordings"), ("band", "even, up to chance"))
    return Picture(f"Ranks: {arm}", label, caption, target, real, wide, narrow, legend=legend, closed=closed)


def _histogram(axes: Axes, part: ChannelValue, windows: int, top: float) -> None:
    shares = part.extra["pit"]
    even = 1 / len(shares)
    chance = 1.96 * sqrt(even * (1 - even) / max(windows, 1))
    axes.axhspan(max(even - chance, 0), even + chance, color=BAND, linewidth=0)
    axes.bar(range(len(shares)), shares, width=0.82, color=ACCENT, zorder=3)
    axes.set_xlim(-0.6, len(shares) - 0.4)
    axes.set_ylim(0, top * 1.05)
    axes.set_xticks([])
    axes.set_yticks([])


def _table(outcome: Outcome, horizon: float, arms: dict[str, Scores]) -> Table:
    """Scores of every arm; the mean parameters of fits stand beside the fits."""
    names = sorted(arms, key=lambda n: (n.removesuffix(MEAN) in outcome.fits, n.removesuffix(MEAN), MEAN in n))
    channels = [p.channel for p in arms[names[0]].energy.parts]
    levels, wide = ("50%", "80%", "90%"), "wide" in arms
    head = ("simulation", "energy score", "ratio to default", *(["ratio to wide"] if wide else []),
            "ratio to the best point", *(f"CRPS {c}" for c in channels),
            *(f"inside {level[:-1]} %" for level in levels))  # fmt: skip
    rows = []
    for name in names:
        s = arms[name]
        what = "a point" if s.energy.draws == 1 else f"drawn, {s.energy.draws} a window"
        to_default = (
            None if s.energy.ratio is None else Ratio("default", s.energy.ratio, s.energy.ratio_interval or (0, 0))
        )
        unit = "rad" if s.energy.unit == "rad" else ""
        cells = (
            Cell(name, what),
            Cell(spoken(s.energy.value, unit), span(s.energy.interval, unit)),
            *(_ratio(r) for r in (to_default, *([s.to_wide] if wide else []), s.to_point)),
            *(Cell(spoken(p.value, p.unit)) for p in s.crps.parts),
            *(_inside(s, level) for level in levels),
        )
        rows.append(Row(cells, strong=name.removesuffix(MEAN) in outcome.fits))
    when = outcome.when(horizon)
    windows = max(s.energy.windows for s in arms.values())
    caption = f"{when[0].upper()}{when[1:]}: {windows} windows. Lower scores are better; no width is for free in them."
    return Table(caption, head, tuple(rows), closed=f"The scores {when} in numbers")


def _ratio(ratio: Ratio | None) -> Cell:
    return Cell(NOTHING) if ratio is None else Cell(number(ratio.value, padded=True), span(ratio.interval))


def _inside(scores: Scores, level: str) -> Cell:
    if scores.coverage is None:
        return Cell(NOTHING)
    shares = [f"{p.channel} {percent(p.extra['coverage'][level])}" for p in scores.coverage.parts]
    return Cell(shares[0], tuple(shares[1:]))
