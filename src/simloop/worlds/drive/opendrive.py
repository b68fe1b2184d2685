"""Roads to and from OpenDRIVE (ASAM, 1.7), for CARLA, esmini and what else reads it.

    write_opendrive(road, Path("road.xodr"), markings=Markings.of(values), speed=8.0)
    road = read_opendrive(Path("road.xodr"))     # the same to a millimetre

A file holds one road in right-hand traffic, whose reference line is its middle: of two lanes lane -1 is the one that is
driven and lane 1 is for others; of one lane an offset puts its middle there. `road_file.py` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simloop.errors import MissingExtraError
from simloop.runs import write_aside
from simloop.worlds.drive.parameters import CENTRES, EDGES
from simloop.worlds.drive.plan_view import Piece, pieces_of
from simloop.worlds.drive.road import Road, limits
from simloop.worlds.drive.road_file import read_opendrive

__all__ = ["Markings", "opendrive", "read_opendrive", "write_opendrive"]

#: m, width of a kerb, and how wide tape is beside a line: as the renderers of the world draw them
_KERB, _CENTRE_TAPE, _EDGE_TAPE = 0.5, 1.6, 1.8
_ID = 1


@dataclass(frozen=True)
class Markings:
    """What is painted on a road, and whether it has kerbs.

    Attributes:
        centre, edge: the line in the middle and the lines at the sides, of `CENTRES` and `EDGES`.
        width: m, of a line.
        dash, gap: m, length of a dash, and from one to the next.
        kerb: whether there is one along both sides.
    """

    centre: str = "none"
    edge: str = "none"
    width: float = 0.2
    dash: float = 2.0
    gap: float = 2.0
    kerb: bool = False

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Markings:
        """What the parameters `lines.*` and `kerb.there` say."""
        return cls(
            CENTRES[int(values["lines.centre"])], EDGES[int(values["lines.edge"])], values["lines.width"],
            values["lines.dash"], values["lines.gap"], bool(values["kerb.there"]),
        )  # fmt: skip


def write_opendrive(
    road: Road, path: Path, *, markings: Markings | None = None, speed: float | None = None, name: str = "road"
) -> None:
    """Write a road as OpenDRIVE; the file is there whole or not at all. Arguments are those of `opendrive`."""
    text = opendrive(road, markings=markings, speed=speed, name=name)
    with write_aside(path) as out:
        out.write(text)


def opendrive(road: Road, *, markings: Markings | None = None, speed: float | None = None, name: str = "road") -> bytes:
    """The OpenDRIVE file of a road; the same bytes each time.

    Args:
        road: the road.
        markings: what is painted on it; None for nothing.
        speed: m/s, the most that is allowed; None where nothing is said.
        name: of the road.
    """
    try:
        from scenariogeneration import xodr
    except ImportError:
        raise MissingExtraError("OpenDRIVE", "drive") from None
    plan = xodr.PlanView()
    for piece in pieces_of(road):
        plan.add_fixed_geometry(_geometry(xodr, piece), piece.x, piece.y, piece.heading, piece.s)
    built = xodr.Road(_ID, plan, _lanes(xodr, road, markings or Markings()), name=name, rule=xodr.TrafficRule.RHT)
    if road.closed:
        built.add_successor(xodr.ElementType.road, _ID, xodr.ContactPoint.start)
        built.add_predecessor(xodr.ElementType.road, _ID, xodr.ContactPoint.end)
    if speed is not None:
        built.add_type(xodr.RoadType.town, 0, speed=float(speed), speed_unit="m/s")
    file = xodr.OpenDrive(name, revMajor="1", revMinor="7")
    file.add_road(built)
    element = file.get_element()
    _say_where(element.find("header"), road)
    ElementTree.indent(element)
    return ElementTree.tostring(element, encoding="utf-8", xml_declaration=True) + b"\n"


def _geometry(xodr: Any, piece: Piece) -> Any:
    if piece.kind == "line":
        return xodr.Line(piece.length)
    return xodr.ParamPoly3(*piece.numbers, prange="arcLength", length=piece.length)


def _say_where(header: Any, road: Road) -> None:
    """Write the box around the road into the header, and no date: the same road is the same file."""
    del header.attrib["date"]
    low, high = limits(road.points, road.half_width)
    for side, value in zip(("west", "south", "east", "north"), (*low, *high), strict=True):
        header.attrib[side] = f"{value:.3f}"


def _lanes(xodr: Any, road: Road, markings: Markings) -> Any:
    """The lanes of a road, their widths and marks, the same along all of it."""
    marks = {side: _mark(xodr, lines, markings) for side, lines in _lines(road, markings).items()}
    centre, right = xodr.Lane(lane_type=xodr.LaneType.none), [_lane(xodr, "driving", road.lane_width, marks["right"])]
    left: list[Any] = []
    if road.lanes == 2:
        left = [_lane(xodr, "driving", road.lane_width, marks["left"])]
        centre.add_roadmark(marks["centre"])
    else:  # the centre lane is where the only lane has its left side
        centre.add_roadmark(marks["left"])
    if markings.kerb:
        left.append(_lane(xodr, "curb", _KERB))
        right.append(_lane(xodr, "curb", _KERB))
    section, lanes = xodr.LaneSection(0, centre), xodr.Lanes()
    for lane in left:
        section.add_left_lane(lane)
    for lane in right:
        section.add_right_lane(lane)
    for lane in (*left, *right) if road.closed else ():
        lane.add_link("predecessor", lane.lane_id)
        lane.add_link("successor", lane.lane_id)
    lanes.add_lanesection(section)
    if road.lanes == 1:
        lanes.add_laneoffset(xodr.LaneOffset(0, road.lane_width / 2))
    return lanes


def _lane(xodr: Any, kind: str, width: float, mark: Any = None) -> Any:
    lane = xodr.Lane(lane_type=xodr.LaneType[kind], a=width)
    if mark is not None:
        lane.add_roadmark(mark)
    return lane


@dataclass(frozen=True)
class _Line:
    """A line beside a border of lanes: m to the left of it, m wide, and whether it is dashed."""

    offset: float
    width: float
    dashed: bool = False
    colour: str = "white"


def _lines(road: Road, markings: Markings) -> dict[str, list[_Line]]:
    """The lines at the left border, in the middle and at the right border, where the renderers draw them."""
    width, centre, edge = markings.width, markings.centre, markings.edge
    across = [-width, width] if centre == "double" else [] if centre == "none" else [0.0]
    wide = width * (_CENTRE_TAPE if centre == "tape" else 1)
    middle = [_Line(a, wide, centre == "dashed", "yellow") for a in across]
    inward, at_side = (0.0, _EDGE_TAPE * width) if edge == "tape" else (width / 2, width)
    left, right = ([] if edge == "none" else [_Line(side * inward, at_side, edge == "dashed")] for side in (-1, 1))
    if road.lanes == 1:  # no border is in the middle of a lane: what is there is said from the right one
        tape = [_Line(road.lane_width / 2, line.width, line.dashed, line.colour) for line in middle[:1]]
        return {"left": left, "centre": [], "right": right + (tape if centre == "tape" else [])}
    return {"left": left, "centre": middle, "right": right}


def _mark(xodr: Any, lines: list[_Line], markings: Markings) -> Any:
    """The mark of a border that has these lines."""
    kinds = xodr.RoadMarkType
    dashed = all(line.dashed for line in lines)
    kind = kinds.broken if dashed else kinds.solid_solid if len({line.offset for line in lines}) > 1 else kinds.solid
    if not lines:
        return xodr.RoadMark(kinds.none)
    colour = xodr.RoadMarkColor[lines[0].colour]
    mark = xodr.RoadMark(kind, width=max(line.width for line in lines), color=colour)
    for line in lines:
        length, space = (markings.dash, markings.gap) if line.dashed else (markings.dash, 0.0)
        mark.add_specific_road_line(
            xodr.RoadLine(line.width, length, space, line.offset, 0, xodr.MarkRule.none, colour)
        )
    return mark
