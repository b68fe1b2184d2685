"""OpenDRIVE files as roads: what of them is read, what is skipped, and what is refused.

Read are the reference line (line, arc, spiral, poly3, paramPoly3) and one or two driving lanes of one width, with the
offset of the centre lane. What does not change where the road is, is skipped, counted and named in a `DataWarning`:
heights, signals, objects, lanes that nobody drives in. Road marks and speed limits are not read. What a road here
cannot be is refused: several roads, changing widths, more lanes, left-hand traffic.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np

from simloop.errors import DataWarning, InputError, count
from simloop.worlds.drive.plan_view import NUMBERS, Kind, Piece, trace
from simloop.worlds.drive.road import Road, along

#: m, the tightest bend of the world's default car: its wheelbase by the tangent of its front wheels' angle
TIGHTEST = 3.5
#: m, a wider gap between two pieces is no road; ends as near as the second, turned as little as the third, rad, are one
_GAP, _CLOSED, _TURNED = 0.1, 0.01, 0.02
#: m, lanes differ when their widths differ by more
_SAME = 1e-3
#: m, longer is no road of this world
_LONGEST = 1e5
_Element = ElementTree.Element


def read_opendrive(path: Path, *, tightest: float = TIGHTEST) -> Road:
    """Read the road of an OpenDRIVE file; raise an InputError where it is none that a car here can drive.

    Args:
        path: the file.
        tightest: m, radius of the tightest bend that the car can drive.
    """
    root = _root(path)
    try:
        road, skipped = _read(root, tightest)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if skipped:
        said = ", ".join(count(n, what) for what, n in sorted(skipped.items()))
        warnings.warn(f"{path}: skipped what is not read: {said}", DataWarning, stacklevel=2)
    return road


def _root(path: Path) -> _Element:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not text.strip():
        raise InputError(f"{path}: empty; an OpenDRIVE file was expected")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not XML ({error}); an OpenDRIVE file was expected") from None
    for element in root.iter():  # 1.8 has a namespace, versions before it have none
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    if root.tag != "OpenDRIVE":
        raise InputError(f"{path}: the root of this XML is <{root.tag}>; that of an OpenDRIVE file is <OpenDRIVE>")
    return root


def _read(root: _Element, tightest: float) -> tuple[Road, Counter[str]]:
    """The road, and how many of what was skipped."""
    roads = root.findall("road")
    if len(roads) != 1:
        raise InputError(
            f"holds {count(len(roads), 'road')} and {count(len(root.findall('junction')), 'junction')}; a file of one"
            " road is read"
        )
    (element,) = roads
    if element.get("rule", "RHT") == "LHT":
        raise InputError("its road has left-hand traffic (rule LHT); roads here have right-hand traffic")
    lanes = _lanes(element)
    points, headings = trace(_pieces(element))
    points = points + lanes.middle * np.stack([-np.sin(headings), np.cos(headings)], axis=1)
    turned = (headings[-1] - headings[0] + np.pi) % (2 * np.pi) - np.pi
    closed = bool(np.linalg.norm(points[-1] - points[0]) < _CLOSED and abs(turned) < _TURNED)
    if closed:
        points[-1] = points[0]
    line = points[::-1] if lanes.backward else points
    if np.linalg.norm(np.diff(line, axis=0), axis=1).sum() < 2:
        raise InputError("its road is shorter than 2 m")
    road = Road(along(line, closed=closed), closed, lanes.width, lanes.count)
    road.check(tightest=tightest)
    return road, _skipped(root, element, lanes)


def _pieces(road: _Element) -> list[Piece]:
    """The reference line, each piece of which begins where the one before it ends."""
    pieces = sorted((_piece(g) for g in road.iterfind("planView/geometry")), key=lambda p: p.s)
    if not pieces:
        raise InputError("its road has no <geometry> in a <planView>")
    if sum(p.length for p in pieces) > _LONGEST:
        raise InputError(f"its road is longer than {_LONGEST / 1000:g} km")
    for piece, after in itertools.pairwise(pieces):
        end = piece.trace()[0][-1]
        gap = float(np.hypot(end[0] - after.x, end[1] - after.y))
        if gap > _GAP:
            raise InputError(f"its reference line has a gap of {gap:.3g} m at s = {after.s:g} m")
    return pieces


def _piece(geometry: _Element) -> Piece:
    s = _number(geometry, "s")
    shapes = [child for child in geometry if child.tag != "userData"]
    if len(shapes) != 1 or shapes[0].tag not in NUMBERS:
        found = ", ".join(f"<{c.tag}>" for c in shapes) or "nothing"
        raise InputError(f"the geometry at s = {s:g} m is {found}; one of {', '.join(NUMBERS)} is read")
    (shape,) = shapes
    kind: Kind = shape.tag  # type: ignore[assignment]
    length = _number(geometry, "length")
    if not 0 < length <= _LONGEST:
        raise InputError(f"the geometry at s = {s:g} m is {length:g} m long; a length above 0 was expected")
    return Piece(
        kind, s, _number(geometry, "x"), _number(geometry, "y"), _number(geometry, "hdg"), length,
        tuple(_number(shape, name) for name in NUMBERS[kind]), shape.get("pRange", "normalized") == "normalized",
    )  # fmt: skip


@dataclass(frozen=True)
class _Lanes:
    """The lanes that are driven.

    Attributes:
        count: 1 or 2.
        width: m, of each.
        middle: m, from the reference line to the left, of all of them.
        backward: whether the only one is driven against the reference line.
        others: lanes that nobody drives in.
    """

    count: int
    width: float
    middle: float
    backward: bool
    others: int


def _lanes(road: _Element) -> _Lanes:
    """The lanes of a road, which must be the same in all of its sections."""
    offset = _constant(road.findall("lanes/laneOffset"), "the offset of its centre lane")
    sections = road.findall("lanes/laneSection")
    if not sections:
        raise InputError("its road has no <laneSection>")
    found = [_section(section, offset) for section in sections]
    for section, lanes in zip(sections, found, strict=True):
        if abs(lanes.width - found[0].width) > _SAME or abs(lanes.middle - found[0].middle) > _SAME or (
            (lanes.count, lanes.backward) != (found[0].count, found[0].backward)
        ):  # fmt: skip
            raise InputError(f"the lanes change at s = {_number(section, 's'):g} m; roads here have the same all along")
    return found[0]


def _section(section: _Element, offset: float) -> _Lanes:
    """The lanes of one section."""
    driven: dict[int, tuple[float, float]] = {}
    others = 0
    for side, sign in (("left", 1), ("right", -1)):
        border = offset
        for lane in sorted(section.iterfind(f"{side}/lane"), key=lambda e: abs(_number(e, "id"))):
            number = int(_number(lane, "id"))
            if lane.get("type") != "driving":
                others += 1
                if not any(e.get("type") == "driving" and abs(_number(e, "id")) > abs(number)
                           for e in section.iterfind(f"{side}/lane")):  # fmt: skip
                    continue  # how wide it is does not matter
            if not lane.findall("width"):
                raise InputError(f"lane {number} has no <width>; borders are not read")
            after = border + sign * _constant(lane.findall("width"), f"the width of lane {number}")
            if lane.get("type") == "driving":
                driven[number] = (border, after)
            border = after
    return _driven(driven, others)


def _driven(driven: dict[int, tuple[float, float]], others: int) -> _Lanes:
    """What lanes (number -> borders, m) make a road of this world."""
    if not driven:
        raise InputError("its road has no lane of type driving")
    numbers = sorted(driven)
    if len(numbers) > 2 or (len(numbers) == 2 and not numbers[0] < 0 < numbers[1]):
        raise InputError(
            f"its road has driving lanes {', '.join(map(str, numbers))}; one lane, or one in each direction, is read"
        )
    widths = [abs(b - a) for a, b in driven.values()]
    borders = [x for pair in driven.values() for x in pair]
    if abs(widths[0] - widths[-1]) > _SAME or max(borders) - min(borders) > sum(widths) + _SAME:
        raise InputError(
            "its two lanes have different widths, or lie apart; roads here have lanes of one width, side by side"
        )
    if not min(widths) > 0.1:
        raise InputError(f"its lanes are {min(widths):g} m wide; at least 0.1 m was expected")
    return _Lanes(
        len(numbers),
        float(np.mean(widths)),
        (max(borders) + min(borders)) / 2,
        numbers == [1] or numbers[0] > 0,
        others,
    )


def _constant(entries: list[_Element], what: str) -> float:
    """The value of polynomials that are all the same number; 0 of none."""
    values = [_number(e, "a") for e in entries]
    if any(_number(e, name) for e in entries for name in "bcd") or (values and max(values) - min(values) > _SAME):
        raise InputError(f"{what} changes along the road; roads here are equally wide all along")
    return values[0] if values else 0.0


def _skipped(root: _Element, road: _Element, lanes: _Lanes) -> Counter[str]:
    """How many of each kind of thing a file holds that is not read, by what it is called."""
    found: Counter[str] = Counter()
    heights = road.findall("elevationProfile/elevation")
    bent = [e for e in heights if any(_number(e, name) for name in "bcd")]
    levels = {_number(e, "a") for e in heights}
    found["elevation"] = len(heights) if bent or len(levels) > 1 else 0
    for name in ("superelevation", "shape", "crossfall"):
        found[name] = sum(any(_number(e, n, 0.0) for n in "abcd") for e in road.iterfind(f"lateralProfile/{name}"))
    for name in ("signals/signal", "objects/object", "objects/tunnel", "objects/bridge", "surface/CRG"):
        found[name.rpartition("/")[2]] = len(road.findall(name))
    found["junction"], found["controller"] = len(root.findall("junction")), len(root.findall("controller"))
    found["undriven lane"] = lanes.others
    return +found


def _number(element: _Element, name: str, default: float | None = None) -> float:
    """The attribute of an element as a number."""
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text if text is not None else "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        _refuse(element, name, text)
    return value


def _refuse(element: _Element, name: str, text: str | None) -> NoReturn:
    at = f" at s = {element.get('s')} m" if element.get("s") and name != "s" else ""
    raise InputError(
        f"<{element.tag}>{at} has "
        + (f"{name}={text!r}" if text is not None else f"no {name}")
        + "; a number was expected"
    )
