"""Pictures of crowds from above: bodies that face somewhere, their trails, groups by colour, how dense they stand.

    view = View(scene, size=(960, 720))
    view.picture(Moment(time=12.0, position=..., heading=..., trails=..., ...))      # (720, 960, 3)

Pillow draws at twice the size and halves it, so that edges are smooth.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.scene import Scene

if TYPE_CHECKING:
    from PIL import ImageDraw

Colour = tuple[int, int, int]
#: times that a picture is drawn larger
_FINE = 2
#: pixels below the scene, for what is said in words
_FOOT = 30
#: m around what is in the scene
_MARGIN = 1.0
_PAPER, _WALL, _MARK, _INK = (250, 250, 248), (52, 56, 64), (196, 196, 190), (40, 44, 52)
_ALONE, _CLASH, _GOAL = (92, 112, 140), (214, 40, 40), (150, 190, 150)
#: m, spread of a person in the picture of densities, and side of its cells
_SPREAD, _CELL = 0.7, 0.25
#: people per m^2 that are drawn in the strongest colour
_DENSE = 4.0
#: parts of a trail that fade one after the other
_FADES = 4


@dataclass(frozen=True, eq=False)
class Moment:
    """What is seen at a time.

    Attributes:
        time: s.
        people: (n,) numbers of those in the scene.
        position: (n, 2) m.
        heading: (n,) rad, where each faces.
        trails: one (k, 2) for each of them, m, where they came along, the oldest place first.
        clashes: pairs of numbers of people whose bodies overlap.
        arrived: how many have reached their goal.
    """

    time: float
    people: NDArray[np.int64]
    position: Array
    heading: Array
    trails: Sequence[Array]
    clashes: Sequence[tuple[int, int]] = ()
    arrived: int = 0


@dataclass(frozen=True)
class Shown:
    """What of a scene is drawn beside the people in it."""

    density: bool = True
    trails: bool = True
    words: bool = True


@dataclass(eq=False)
class View:
    """A scene from above.

    Args:
        scene: who walks among what.
        size: (width, height) pixels, both even.
        shown: what is drawn beside people.
        title: said below the picture.
    """

    scene: Scene
    size: tuple[int, int] = (960, 720)
    shown: Shown = field(default_factory=Shown)
    title: str = ""

    def __post_init__(self) -> None:
        low, high = _bounds(self.scene)
        width, height = self.size[0], self.size[1] - (_FOOT if self.shown.words else 0)
        self._scale = _FINE * float(min(width / (high - low)[0], height / (high - low)[1]))
        room = np.array([width, height]) * _FINE / self._scale
        self._low = (low + high) / 2 - room / 2
        self._room = room
        self._colours = _colours(self.scene)
        self._goals = self._pixels(np.unique(np.round(self.scene.goals, 1), axis=0)).tolist()

    def picture(self, moment: Moment) -> NDArray[np.uint8]:
        """(height, width, 3) the scene at a time."""
        from PIL import Image, ImageDraw

        image = Image.new("RGB", self.size, _PAPER)
        if self.shown.density and len(moment.people):  # at the picture's own size: it has no edges
            heat, strength = self._heat(moment.position)
            side = (round(self._room[0] * self._scale) // _FINE, round(self._room[1] * self._scale) // _FINE)
            mask = Image.fromarray(strength).resize(side, Image.Resampling.BILINEAR)
            image.paste(Image.fromarray(heat).resize(side, Image.Resampling.BILINEAR), (0, 0), mask)
        image = image.resize((self.size[0] * _FINE, self.size[1] * _FINE), Image.Resampling.NEAREST)
        pen = ImageDraw.Draw(image)
        self._draw_ground(pen)
        self._draw_lines(pen, self.scene.walls, _WALL, 3)
        if self.shown.trails:
            for person, trail in zip(moment.people, moment.trails, strict=True):
                self._draw_trail(pen, trail, self._colours[person])
        clashing = {p for pair in moment.clashes for p in pair}
        for person, at, heading in zip(moment.people.tolist(), moment.position, moment.heading, strict=True):
            self._draw_body(pen, person, at, heading, person in clashing)
        if self.shown.words:
            self._say(pen, moment)
        return np.asarray(image.reduce(_FINE))

    def _pixels(self, places: Array) -> Array:
        """(..., 2) pixels of places (..., 2), m; y points up."""
        xy = (places - self._low) * self._scale
        return np.stack([xy[..., 0], self._room[1] * self._scale - xy[..., 1]], axis=-1)

    def _draw_ground(self, pen: ImageDraw.ImageDraw) -> None:
        self._draw_lines(pen, self.scene.marks, _MARK, 2)
        for x, y in self._goals:
            pen.line([(x - 6, y - 6), (x + 6, y + 6)], fill=_GOAL, width=3)
            pen.line([(x - 6, y + 6), (x + 6, y - 6)], fill=_GOAL, width=3)

    def _draw_lines(self, pen: ImageDraw.ImageDraw, lines: Array, colour: Colour, width: int) -> None:
        for a, b in self._pixels(lines.reshape(-1, 2, 2)).tolist():
            pen.line([tuple(a), tuple(b)], fill=colour, width=width * _FINE)

    def _draw_trail(self, pen: ImageDraw.ImageDraw, trail: Array, colour: Colour) -> None:
        """A line that is fainter where it is older."""
        pixels = [tuple(p) for p in self._pixels(trail).tolist()]
        for k, part in enumerate(np.array_split(np.arange(len(pixels)), _FADES)):
            if len(part) and part[-1] > 0:
                stretch = pixels[max(int(part[0]) - 1, 0) : int(part[-1]) + 1]
                pen.line(stretch, fill=_mixed(_PAPER, colour, 0.15 + 0.5 * (k + 1) / _FADES), width=_FINE)

    def _draw_body(self, pen: ImageDraw.ImageDraw, person: int, at: Array, heading: float, clashing: bool) -> None:
        x, y = self._pixels(at).tolist()
        r = max(float(self.scene.traits[person, TRAIT["radius"]]) * self._scale, 3.0)
        colour = self._colours[person]
        edge = _CLASH if clashing else _mixed(colour, (0, 0, 0), 0.45)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=edge, width=_FINE * (2 if clashing else 1))
        nose = (x + 0.95 * r * np.cos(heading), y - 0.95 * r * np.sin(heading))
        pen.line([(x, y), nose], fill=(255, 255, 255), width=max(_FINE, round(r / 3)))

    def _heat(self, position: Array) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Colours (h, w, 3) of how many people are in a square metre, and how strong they are (h, w)."""
        n = np.maximum(np.ceil(self._room / _CELL).astype(int), 2)
        x, y = ((np.arange(k) + 0.5) * room / k for k, room in zip(n, self._room, strict=True))
        near = position - self._low
        across = np.exp(-(((x - near[:, :1]) / _SPREAD) ** 2) / 2)
        up = np.exp(-((((self._room[1] - y) - near[:, 1:]) / _SPREAD) ** 2) / 2)
        density = up.T @ across / (2 * np.pi * _SPREAD**2)
        part = np.clip(density / _DENSE, 0, 1)[..., None]
        colours = np.where(part < 0.5, _between((255, 224, 130), (255, 140, 40), part * 2),
                           _between((255, 140, 40), (190, 20, 60), part * 2 - 1))  # fmt: skip
        return colours.astype(np.uint8), (np.clip(part[..., 0] * 2.2, 0, 0.75) * 255).astype(np.uint8)

    def _say(self, pen: ImageDraw.ImageDraw, moment: Moment) -> None:
        """The clock, how many are there, and who overlaps, below the picture."""
        top = (self.size[1] - _FOOT) * _FINE
        pen.rectangle([0, top, self.size[0] * _FINE, self.size[1] * _FINE], fill=(236, 236, 232))
        there = f"{len(moment.people)} in the scene, {moment.arrived} arrived"
        text = f"{moment.time:6.1f} s   {self.title}{'   ' if self.title else ''}{there}"
        pen.text((10 * _FINE, top + 7 * _FINE), text, fill=_INK, font=_font(14 * _FINE))
        if moment.clashes:
            pairs = ", ".join(f"{a} and {b}" for a, b in moment.clashes[:3])
            more = f" and {len(moment.clashes) - 3} more" if len(moment.clashes) > 3 else ""
            right = (self.size[0] - 10) * _FINE
            pen.text((right, top + 7 * _FINE), f"overlap: {pairs}{more}", fill=_CLASH, font=_font(14 * _FINE),
                     anchor="ra")  # fmt: skip


def picture_size(scene: Scene, width: int = 960, *, words: bool = True) -> tuple[int, int]:
    """(width, height) pixels, both even, in which a scene fits with little to spare; it is never higher than wide."""
    low, high = _bounds(scene)
    tall = width * (high - low)[1] / (high - low)[0]
    height = int(min(max(tall, width / 4), width)) + (_FOOT if words else 0)
    return width, height + height % 2


def _bounds(scene: Scene) -> tuple[Array, Array]:
    """The corners, m, of all that is in a scene."""
    places = [scene.walls.reshape(-1, 2), scene.marks.reshape(-1, 2), scene.starts, scene.routes.reshape(-1, 2)]
    known = np.concatenate(places)
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        known = np.zeros((1, 2))
    return known.min(axis=0) - _MARGIN, known.max(axis=0) + _MARGIN


def _colours(scene: Scene) -> list[Colour]:
    """The colour of each person: that of the group, and one for all who walk alone."""
    groups = np.unique(scene.groups[scene.groups >= 0]).tolist()
    own = {}
    for k, group in enumerate(groups):
        r, g, b = colorsys.hls_to_rgb(0.1 + 0.8 * ((0.61803 * k) % 1), 0.48, 0.68)  # red is for who overlaps
        own[group] = (round(r * 255), round(g * 255), round(b * 255))
    return [own.get(int(group), _ALONE) for group in scene.groups]


def _mixed(a: Colour, b: Colour, part: float) -> Colour:
    r, g, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return r, g, blue


def _between(a: Colour, b: Colour, part: Array) -> Array:
    return np.asarray(np.array(a) + (np.array(b) - np.array(a)) * part)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
