"""Figures as inline SVG: drawn by matplotlib in placeholder colours that the page's style sheet sets.

Text stays text, in the page's font. A figure is drawn for a wide and for a narrow screen, so that nothing has to be
scaled down on a phone. The same figure gives the same bytes: no dates, ids from a hash of the figure's name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape

from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from simloop.report.quantities import number

#: width in px of the column on a wide screen, of half of it, of a third, and on a phone
WIDE, HALF, PANEL, NARROW = 960, 460, 306, 343

INK, MUTED, RULE, ACCENT, BAND, PAPER = "#010102", "#010103", "#010104", "#010105", "#010106", "#010107"
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", BAND: "band", PAPER: "paper"}
#: px of the text in figures
SMALL = 12.0
_STYLE = {
    "svg.fonttype": "none",
    "font.size": SMALL,
    "axes.facecolor": "none",
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "text.parse_math": False,
}


def draw_both(name: str, label: str, draw: Callable[[int], Figure], *, wide: int = WIDE) -> tuple[Markup, Markup]:
    """Draw a figure for a wide and for a narrow screen: `draw` is given the width in px.

    Args:
        name: unlike that of any other figure of the page.
        label: what the figure shows, for who cannot see it.
        draw: draws it.
        wide: px on a wide screen.
    """
    return _svg(f"{name}-wide", label, draw, wide), _svg(f"{name}-narrow", label, draw, NARROW)


def draw_panel(name: str, label: str, draw: Callable[[int], Figure]) -> Markup:
    """Draw one of several panels: three stand beside one another on a wide screen, one on a phone."""
    return _svg(name, label, draw, PANEL)


def canvas(width: int, height: float) -> Figure:
    """An empty, transparent figure of so many px."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in px from the top left, with a line below and nothing else."""
    w, h = figure.get_size_inches() * 72
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    plain_numbers(axes)
    return axes


def plain_numbers(axes: Axes) -> None:
    """Label ticks as the rest of the page writes numbers; again after a change of scale."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.set_minor_formatter(NullFormatter())


def rows_panel(figure: Figure, left: float, top: float, width: float, height: float, rows: float) -> Axes:
    """Axes for rows of dots and intervals: row 0 on top, no vertical scale."""
    axes = panel(figure, left, top, width, height)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    return axes


def write(
    axes: Axes, x: float, y: float, text: str, *, data: str = "xy", dx: float = 0, dy: float = 0, color: str = INK,
    size: float = SMALL, right: bool = False, middle: bool = False, bold: bool = False,
) -> None:  # fmt: skip
    """Write text at a point, moved by (dx, dy) px; `data` names the coordinates that are the axes' data.

    The others are fractions of the axes.
    """
    across = "data" if "x" in data else "axes fraction"
    along = "data" if "y" in data else "axes fraction"
    axes.annotate(
        text, (x, y), xycoords=(across, along), xytext=(dx, dy), textcoords="offset points", color=color, fontsize=size,
        ha="right" if right else "center" if middle else "left", va="center_baseline", annotation_clip=False,
        fontweight="bold" if bold else "normal",
    )  # fmt: skip


def dot(axes: Axes, x: float, y: float, *, color: str = ACCENT, hollow: bool = False, size: float = 7) -> None:
    """A dot; hollow ones are filled with the page's colour."""
    axes.plot([x], [y], "o", color=color, markersize=size, markerfacecolor=PAPER if hollow else color,
              markeredgewidth=1.6 if hollow else 0, clip_on=True, zorder=4)  # fmt: skip


def line(axes: Axes, low: float, high: float, y: float, *, color: str = ACCENT, width: float = 1.8) -> None:
    """A horizontal interval; bands lie behind everything else."""
    order = 1 if color == BAND else 3
    axes.plot([low, high], [y, y], color=color, linewidth=width, solid_capstyle="butt", zorder=order)


def _svg(name: str, label: str, draw: Callable[[int], Figure], width: int) -> Markup:
    with style.context(["default", {**_STYLE, "svg.hashsalt": name}]):
        figure, buffer = draw(width), io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for useless in (r"<metadata>.*?</metadata>", r"<defs>\s*<style.*?</style>\s*</defs>", r"<!--.*?-->"):
        text = re.sub(useless, "", text, flags=re.DOTALL)
    text = re.sub(r"<[^<>]+>", lambda tag: _plain(tag[0]), text)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    opening = f'<svg {box[0]} role="img" aria-label="{escape(label)}">'
    text = re.sub(r"<svg.*?>", lambda _: opening, text, count=1, flags=re.DOTALL)
    return Markup(re.sub(r"\s*\n\s*", "\n", text))  # matplotlib escapes its text


def _plain(tag: str) -> str:
    """A tag of matplotlib's with the page's colours and font, short numbers, and no ids that nothing refers to."""
    tag = re.sub(r' id="[A-Za-z.\d]+_\d+"', "", tag)
    tag = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r"font: (bold |\d+ )?([\d.]+px)[^;\"]*", r"font-size: \2; font-weight: \1", tag)
    tag = tag.replace("; font-weight: ;", ";").replace('; font-weight: "', '"')
    for placeholder, variable in _VARIABLES.items():
        tag = tag.replace(placeholder, f"var(--{variable})")
    return tag
