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
from matplotlib.ticker import FuncFormatter

from simloop.report.quantities import number

#: width in px of the column on a wide screen, of half of it, and on a phone
WIDE, HALF, NARROW = 920, 440, 343

INK, MUTED, RULE, ACCENT, BAND, PAPER = "#010102", "#010103", "#010104", "#010105", "#010106", "#010107"
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", BAND: "band", PAPER: "paper"}
SMALL, TEXT = 10.5, 12.0


def draw_both(name: str, label: str, draw: Callable[[int], Figure], *, wide: int = WIDE) -> tuple[Markup, Markup]:
    """Draw a figure for a wide and for a narrow screen: `draw` is given the width in px.

    Args:
        name: unlike that of any other figure of the page.
        label: what the figure shows, for who cannot see it.
        draw: draws it.
        wide: px on a wide screen.
    """
    return _svg(f"{name}-wide", label, draw, wide), _svg(f"{name}-narrow", label, draw, NARROW)


def canvas(width: int, height: float) -> Figure:
    """An empty, transparent figure of so many px."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return figure


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in px from the top left, with a line below and nothing else."""
    w, h = figure.get_size_inches() * 72
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    axes.patch.set_visible(False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_edgecolor(RULE)
    axes.tick_params(colors=MUTED, labelsize=SMALL, length=3, width=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(y)))
    return axes


def rows_panel(figure: Figure, left: float, top: float, width: float, height: float, rows: float) -> Axes:
    """Axes for rows of dots and intervals: row 0 on top, no vertical scale."""
    axes = panel(figure, left, top, width, height)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    return axes


def write(axes: Axes, x: float, y: float, text: str, *, color: str = INK, size: float = SMALL, right: bool = False,
          middle: bool = False, bold: bool = False, dx: float = 0, dy: float = 0, data: str = "xy") -> None:  # fmt: skip
    """Write text at a point, moved by (dx, dy) px; `data` names the coordinates that are the axes' data.

    The others are fractions of the axes.
    """
    across = "data" if "x" in data else "axes fraction"
    along = "data" if "y" in data else "axes fraction"
    axes.annotate(
        text, (x, y), xycoords=(across, along), xytext=(dx, dy), textcoords="offset points", color=color, fontsize=size,
        ha="right" if right else "center" if middle else "left", va="center_baseline", annotation_clip=False,
        fontweight="bold" if bold else "normal", parse_math=False,
    )  # fmt: skip


def dot(axes: Axes, x: float, y: float, *, color: str = ACCENT, hollow: bool = False, size: float = 7) -> None:
    """A dot; hollow ones are filled with the page's colour."""
    axes.plot([x], [y], "o", color=color, markersize=size, markerfacecolor=PAPER if hollow else color,
              markeredgewidth=1.6 if hollow else 0, clip_on=True, zorder=4)  # fmt: skip


def line(axes: Axes, low: float, high: float, y: float, *, color: str = ACCENT, width: float = 1.8) -> None:
    """A horizontal interval."""
    axes.plot([low, high], [y, y], color=color, linewidth=width, solid_capstyle="butt", zorder=3)


def _svg(name: str, label: str, draw: Callable[[int], Figure], width: int) -> Markup:
    with style.context(["default", {"svg.fonttype": "none", "svg.hashsalt": name}]):
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
    return Markup(re.sub(r"\s*\n\s*", "\n", text))  # noqa: S704 - matplotlib escapes its text, and the label is escaped


def _plain(tag: str) -> str:
    """A tag of matplotlib's with the page's colours and font, short numbers, and no ids that nothing refers to."""
    tag = re.sub(r' id="[A-Za-z.\d]+_\d+"', "", tag)
    tag = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r"font: (bold |\d+ )?([\d.]+px)[^;\"]*", lambda f: f"font-weight: {f[1] or 400}; font-size: {f[2]}", tag)
    for placeholder, variable in _VARIABLES.items():
        tag = tag.replace(placeholder, f"var(--{variable})")
    return tag
