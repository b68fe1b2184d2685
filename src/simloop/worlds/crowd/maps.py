"""Maps of places, read from files: WKT, GeoJSON, and the `map.xml` of OpenTraj's recordings.

    place = read_map("hall.wkt")                                  # Map(name="hall", walls=(W, 4), goals=(G, 2), ...)
    place = read_map("scenes/seq_eth/map.xml")                    # with its destinations.txt, which lies beside it

Lengths are metres. A polygon that holds everything else is where people can walk, and its holes are obstacles; every
other polygon is an obstacle, every line a wall, every point a place where people come from and go to. WKT files have a
geometry on each line; GeoJSON files a geometry, a feature or a collection of features. `map.xml` has lines and
circles; its `thickness` is 1 everywhere, where people in the recordings come within 0.3 m of the line, so it is not a
width and is not used. Destinations that are kilometres away are directions: they are drawn in to the map's edge.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError, need
from simloop.parameters import Array
from simloop.worlds.crowd.outlines import lines, ring

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

SUFFIXES = (".wkt", ".geojson", ".json", ".xml")
_LARGEST, _SMALLEST = 10_000.0, 2.0  # m, of a map in metres that people walk in
_FAR = 1_000.0  # m beyond the map, from where on a destination is a direction


@dataclass(frozen=True, eq=False)
class Map:
    """A place to walk in.

    Attributes:
        name: what it is called.
        walls: (W, 4) m, both ends of segments that nobody passes.
        goals: (G, 2) m, where people come from and go to; may be empty.
        area: where a body may be, without the room it needs: the outline that holds all, or a wide rectangle, without
            the obstacles.
        source: the file.
    """

    name: str
    walls: Array
    goals: Array
    area: BaseGeometry
    source: str


def read_map(path: str | Path, *, destinations: str | Path | None = None) -> Map:
    """Read a map; one InputError says what is wrong with it, and in which line or feature.

    Args:
        path: a `.wkt`, `.geojson`, `.json` or `.xml` file.
        destinations: rows `x y`, m, of places to come from and go to. Default: `destinations.txt` beside a `map.xml`.
    """
    need(["shapely"], "maps of crowds", "crowd")
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{file}: a map is a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such map") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: the map cannot be read: {error}") from None
    if not text.strip():
        raise InputError(f"{file}: the map is empty")
    read = {".wkt": _read_wkt, ".xml": _read_xml}.get(file.suffix.lower(), _read_geojson)
    shapes = [(where, part) for where, shape in read(file, text) for part in _parts(where, shape)]
    if not shapes:
        raise InputError(f"{file}: the map has no polygon, line or point")
    beside = file.with_name("destinations.txt")
    given = Path(destinations) if destinations else beside if file.suffix == ".xml" and beside.exists() else None
    return _assembled(file, shapes, _destinations(given) if given else np.zeros((0, 2)))


def _assembled(file: Path, shapes: list[tuple[str, BaseGeometry]], destinations: Array) -> Map:
    """A map of checked shapes, each with where it stands in the file."""
    import shapely

    solid = [s for _, s in shapes if s.geom_type != "Point"]
    low, high = _bounds(file, solid or [s for _, s in shapes])
    polygons = [s for s in solid if s.geom_type == "Polygon"]
    outer = max(polygons, key=lambda p: float(p.convex_hull.area), default=None)
    if outer is not None and not all(outer.convex_hull.buffer(1e-6).contains(s) for _, s in shapes):
        outer = None
    chains: list[Array] = []
    for shape in solid:
        rings = (shape.exterior, *shape.interiors) if shape.geom_type == "Polygon" else (shape,)
        chains += [np.asarray(r.coords)[:, :2] for r in rings]
    obstacles = shapely.union_all([p for p in polygons if p is not outer])
    area = (shapely.box(*(low - _FAR), *(high + _FAR)) if outer is None else outer).difference(obstacles)
    far: NDArray[np.bool_] = np.any((destinations < low - _FAR) | (destinations > high + _FAR), axis=1)
    points = [(where, s.x, s.y) for where, s in shapes if s.geom_type == "Point"]
    points += [(f"{file}: destination {k + 1}", x, y) for k, (x, y) in enumerate(destinations) if not far[k]]
    for where, x, y in points:
        if not area.covers(shapely.Point(x, y)):
            inside = obstacles.covers(shapely.Point(x, y))
            wrong = "inside an obstacle" if inside else "outside of where people can walk"
            raise InputError(f"{where}: the goal ({x:g}, {y:g}) m is {wrong}")
    goals = np.array([(x, y) for _, x, y in points] + np.clip(destinations[far], low - 2, high + 2).tolist())
    name = file.absolute().parent.name if file.name == "map.xml" else file.stem
    return Map(name, lines(*chains), goals.reshape(-1, 2), area, str(file))


def _bounds(file: Path, shapes: list[BaseGeometry]) -> tuple[Array, Array]:
    """The smallest and the largest x and y of a map, of a size that people walk in."""
    bounds = np.array([s.bounds for s in shapes])
    low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    size = high - low
    if size.max() > _LARGEST:
        raise InputError(
            f"{file}: the map is {size[0] / 1000:.3g} by {size[1] / 1000:.3g} km, if its lengths are metres: at most"
            f" {_LARGEST / 1000:g} km are walked; cut out a part, or give metres"
        )
    if size.max() < _SMALLEST:
        raise InputError(
            f"{file}: the map is {size[0]:.3g} by {size[1]:.3g} m: are these degrees of longitude and latitude?"
            " Lengths must be metres, of a projected map"
        )
    return low, high


def _parts(where: str, shape: BaseGeometry) -> Iterable[BaseGeometry]:
    """The polygons, lines and points of a geometry, valid ones; `where` is for the error."""
    import shapely

    if hasattr(shape, "geoms"):
        for part in shape.geoms:
            yield from _parts(where, part)
        return
    if shape.is_empty:
        raise InputError(f"{where}: the {shape.geom_type} is empty")
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise InputError(f"{where}: a coordinate of the {shape.geom_type} is not a finite number")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        if reason.startswith("Self-intersection"):
            reason = f"crosses itself at ({reason[reason.index('[') + 1 : -1].replace(' ', ', ')})"
        else:
            reason = f"is not valid: {reason}"
        raise InputError(f"{where}: the {shape.geom_type} {reason}")
    yield shape


def _read_wkt(file: Path, text: str) -> Iterable[tuple[str, BaseGeometry]]:
    """The geometries of a WKT file, one on each line; `#` begins a comment."""
    import shapely

    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#")[0].strip()
        if not content:
            continue
        try:
            yield f"{file}: line {number}", shapely.from_wkt(content)
        except shapely.errors.ShapelyError as error:
            raise InputError(
                f"{file}: line {number} is not WKT, such as POLYGON ((0 0, 4 0, 4 3, 0 0)): {error}"
            ) from None


def _read_geojson(file: Path, text: str) -> Iterable[tuple[str, BaseGeometry]]:
    """The geometries of a GeoJSON file (RFC 7946, with metres in place of degrees)."""
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}: line {error.lineno} is not JSON: {error.msg}") from None
    features = found.get("features", [found]) if isinstance(found, dict) else None
    if not isinstance(features, list):
        raise InputError(f"{file}: a GeoJSON map is a geometry, a feature, or a collection of features")
    for number, feature in enumerate(features, 1):
        geometry = feature.get("geometry", feature) if isinstance(feature, dict) else None
        try:
            yield f"{file}: feature {number}", shape(geometry)
        except (ShapelyError, AttributeError, KeyError, TypeError, ValueError, IndexError):
            raise InputError(f"{file}: feature {number} has no geometry with a type and coordinates") from None


def _read_xml(file: Path, text: str) -> Iterable[tuple[str, BaseGeometry]]:
    """The lines and circles of a `map.xml`."""
    from shapely.geometry import LineString, Polygon

    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{file}: line {error.position[0]} is not XML: {error}") from None
    for kind, names in (("Line", ("x1", "y1", "x2", "y2")), ("Circle", ("x", "y", "radius"))):
        for number, element in enumerate((e for e in root.iter() if e.tag.rpartition("}")[2] == kind), 1):
            where = f"{file}: {kind} {number}"
            try:
                values = [float(element.attrib[name]) for name in names]
            except (KeyError, ValueError):
                raise InputError(f"{where} must have the numbers {', '.join(names)}") from None
            if kind == "Line" and values[:2] != values[2:]:
                yield where, LineString([values[:2], values[2:]])
            elif kind == "Circle":
                if values[2] <= 0:
                    raise InputError(f"{where} must have a radius above 0, got {values[2]:g}")
                yield where, Polygon(ring((values[0], values[1]), values[2], 12))


def _destinations(file: Path) -> Array:
    """Rows (G, 2) m of a file of destinations."""
    rows = []
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: the destinations cannot be read: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                x, y = map(float, line.split())
            except ValueError:
                raise InputError(
                    f"{file}: line {number} must be two numbers, x and y in m, got {line.strip()!r}"
                ) from None
            rows.append((x, y))
    return np.array(rows).reshape(-1, 2)
