"""What a section is made of. `page.html` knows how each kind of block looks; sections only say what is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from markupsafe import Markup

#: how a legend's swatch is drawn: the same colours and marks as in the figures
Swatch = Literal[
    "ink", "dashed", "dotted", "ink-dashed", "thin", "accent", "band", "bracket", "tick", "dot", "hollow", "open"
]
Tone = Literal["plain", "quiet", "warning"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Points:
    """A list of short sentences, closed at first where it is long."""

    kind: ClassVar[str] = "points"
    items: tuple[str, ...]
    title: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it says, and below it in small type, line by line, what goes with that."""

    text: str
    small: str | tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The small lines that say something."""
        return tuple(s for s in ((self.small,) if isinstance(self.small, str) else self.small) if s)


@dataclass(frozen=True)
class Row:
    """One row of a table; the first cell names it."""

    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption that says what to see; all columns after the first hold numbers unless `words`."""

    kind: ClassVar[str] = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    words: bool = False
    closed: str = ""  # summary of the fold that hides it at first


@dataclass(frozen=True)
class Picture:
    """A figure: drawn twice, for wide and for narrow screens, or as panels that the page lays out.

    Attributes:
        label: what the figure shows, for who cannot see it.
        caption: what to see in it.
        target: what its target was; every figure says so.
        real: whether that target was real recordings.
        legend: swatches and what they stand for.
        half: whether two such figures fit beside one another.
        closed: whether it is folded away at first.
    """

    kind: ClassVar[str] = "picture"
    title: str
    label: str
    caption: str
    target: str
    real: bool
    wide: Markup | str = ""
    narrow: Markup | str = ""
    panels: tuple[Markup, ...] = ()
    legend: tuple[tuple[Swatch, str], ...] = ()
    half: bool = False
    closed: bool = False


@dataclass(frozen=True)
class Video:
    """A film in the page itself, with the same words as a `Picture`; `source` is a data URI."""

    kind: ClassVar[str] = "video"
    title: str
    label: str
    caption: str
    target: str
    real: bool
    source: str


@dataclass(frozen=True)
class Code:
    """Text to copy, as it is."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


Block = Text | Points | Table | Picture | Video | Code


@dataclass(frozen=True)
class Section:
    """A part of the page with its heading."""

    name: str
    title: str
    blocks: tuple[Block, ...] = field(default=())
