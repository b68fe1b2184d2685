"""Roads as OpenDRIVE: what is written is read back, by others too, and what is no road here is said in one sentence."""

from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.special import fresnel

from simloop.errors import DataWarning, InputError
from simloop.randomness import stream
from simloop.worlds.drive.opendrive import Markings, read_opendrive, write_opendrive
from simloop.worlds.drive.plan_view import Piece
from simloop.worlds.drive.road import Road, closed_road, open_road

pytest.importorskip("scenariogeneration")


def random_road(number: int) -> Road:
    """One of the roads that the world draws in `wide`."""
    rng = stream(number, "test", "opendrive")
    radius, length = float(np.exp(rng.uniform(np.log(4.8), np.log(25)))), float(rng.uniform(120, 250))
    make = closed_road if number % 2 else open_road
    return make(rng, length=length, radius=radius, lane_width=float(rng.uniform(2.8, 4.2)), lanes=1 + number // 2 % 2)


def test_roads_come_back_to_a_millimetre(tmp_path: Path) -> None:
    """A road that is written and read is the same to a millimetre at every place along it, with its lanes."""
    for number in range(50):
        road, path = random_road(number), tmp_path / "road.xodr"
        write_opendrive(road, path, markings=Markings("double", "solid"), speed=5)
        again = read_opendrive(path)
        s = np.linspace(0, road.length, 2000)
        assert np.linalg.norm(road.at(s)[0] - again.at(s)[0], axis=1).max() < 1e-3
        assert (again.closed, again.lanes) == (road.closed, road.lanes)
        assert again.lane_width == pytest.approx(road.lane_width, abs=1e-9)
        assert len(again.points) == len(road.points)


@pytest.mark.parametrize("number", range(8))
def test_bends_change_evenly(number: int) -> None:
    """A road's curvature has no jitter from point to point: that would be in labels, and in files of many pieces."""
    road = random_road(number)
    jitter = np.abs(np.diff(road.curvature[2:-2], 2))
    assert np.percentile(jitter, 95) < 0.03 * np.abs(road.curvature).max()


def walked(path: Path) -> np.ndarray:
    """(n, 2) the reference line of a file, by a walk of our own: cubics in u and v, lines, at a hundred places each."""
    points = []
    for g in ElementTree.parse(path).getroot().iterfind("road/planView/geometry"):
        x, y, heading, length = (float(g.get(n)) for n in ("x", "y", "hdg", "length"))  # type: ignore[arg-type]
        cubic, p = g.find("paramPoly3"), np.linspace(0, length, 100)
        u, v = p, 0 * p
        if cubic is not None:
            assert cubic.get("pRange") == "arcLength"
            u, v = (sum(float(cubic.get(k + axis)) * p**i for i, k in enumerate("abcd")) for axis in "UV")  # type: ignore[arg-type, misc]
        turn = complex(np.cos(heading), np.sin(heading))
        z = complex(x, y) + (u + 1j * v) * turn
        points.append(np.stack([z.real, z.imag], axis=1))
        assert np.hypot(*np.diff(points[-1], axis=0).T).sum() == pytest.approx(length, abs=1e-4)
    return np.concatenate(points)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_others_read_the_same_line(tmp_path: Path, number: int) -> None:
    """A walk along the file that shares no code with the reader passes all points of the road, without a gap."""
    road, path = random_road(number), tmp_path / "road.xodr"
    write_opendrive(road, path)
    line = walked(path)
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() < 0.4
    begin, side = line[:-1], np.diff(line, axis=0)
    part = ((road.points[:, None] - begin) * side).sum(-1) / np.maximum((side**2).sum(-1), 1e-12)
    off = np.linalg.norm(road.points[:, None] - begin - np.clip(part, 0, 1)[..., None] * side, axis=-1)
    assert off.min(axis=1).max() < 2e-4
    if road.closed:
        assert np.linalg.norm(line[0] - line[-1]) < 1e-6


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("closed", [False, True])
def test_files_are_valid(tmp_path: Path, lanes: int, closed: bool) -> None:
    """A file with every kind of line is valid against the schema of OpenDRIVE 1.7, and the same bytes each time."""
    xmlschema = pytest.importorskip("xmlschema")
    schemas = pytest.importorskip("schemas")  # ships with scenariogeneration
    core = Path(next(iter(schemas.__path__))) / "opendrive_17_core.xsd"
    schema = xmlschema.XMLSchema(str(core))
    make = closed_road if closed else open_road
    road = make(stream(3, "test"), length=90, radius=10, lane_width=3, lanes=lanes)
    for centre, edge in (("dashed", "solid"), ("double", "dashed"), ("tape", "tape"), ("solid", "none")):
        a, b = tmp_path / "a.xodr", tmp_path / "b.xodr"
        for path in (a, b):
            write_opendrive(road, path, markings=Markings(centre, edge, kerb=True), speed=8)
        schema.validate(str(a))
        assert a.read_bytes() == b.read_bytes()


def test_marks_are_where_they_are_drawn(tmp_path: Path) -> None:
    """Marks have the widths, dashes and places that the renderers draw, and the speed limit is said."""
    path = tmp_path / "road.xodr"
    write_opendrive(random_road(2), path, markings=Markings("double", "dashed", 0.2, 1.5, 3.0), speed=8)
    road = ElementTree.parse(path).getroot().find("road")
    assert road is not None
    marks = {e.get("id"): e.find("roadMark") for e in road.iter("lane")}
    lines = {k: [(float(x.get("tOffset", 9)), float(x.get("width", 9))) for x in m.iter("line")]
             for k, m in marks.items() if m is not None and k is not None}  # fmt: skip
    assert lines == {"1": [(-0.1, 0.2)], "0": [(-0.2, 0.2), (0.2, 0.2)], "-1": [(0.1, 0.2)]}
    right = marks["-1"]
    assert right is not None
    assert right.get("type") == "broken"
    assert [(x.get("length"), x.get("space")) for x in right.iter("line")] == [("1.5", "3.0")]
    speed = road.find("type/speed")
    assert speed is not None
    assert (speed.get("max"), speed.get("unit")) == ("8.0", "m/s")


def test_arcs_are_circles() -> None:
    """An arc's trace is the circle with its curvature, in closed form."""
    places, headings = Piece("arc", 0, 2.0, -1.0, 0.3, 12.0, (0.15,)).trace()
    way = np.linspace(0, 12, len(places))
    middle = np.array([2.0, -1.0]) + np.array([-np.sin(0.3), np.cos(0.3)]) / 0.15
    assert np.linalg.norm(places - middle, axis=1) == pytest.approx(1 / 0.15, abs=1e-12)
    assert headings == pytest.approx(0.3 + 0.15 * way, abs=1e-12)


def test_spirals_are_clothoids() -> None:
    """A spiral's trace is that of the Fresnel integrals."""
    length, end = 25.0, 0.12
    places, _ = Piece("spiral", 0, 0, 0, 0, length, (0.0, end)).trace()
    way = np.linspace(0, length, len(places))
    scale = np.sqrt(np.pi * length / end)
    v, u = fresnel(way / scale)
    assert places == pytest.approx(scale * np.stack([u, v], axis=1), abs=1e-10)


def test_poly3_ends_where_its_length_ends() -> None:
    """A poly3 is as long along its curve as it says, and goes where its cubic goes."""
    places, headings = Piece("poly3", 0, 0, 0, 0, 20.0, (0.0, 0.0, 0.03, -0.001)).trace(0.002)
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).sum() == pytest.approx(20, abs=1e-6)
    u, v = places.T
    assert v == pytest.approx(0.03 * u**2 - 0.001 * u**3, abs=1e-12)
    assert np.tan(headings) == pytest.approx(0.06 * u - 0.003 * u**2, abs=1e-12)


GEOMETRY = """<geometry s="0" x="1" y="2" hdg="0.5" length="20"><line/></geometry>
<geometry s="20" x="{x1}" y="{y1}" hdg="0.5" length="15"><arc curvature="0.05"/></geometry>"""
X1, Y1 = 1 + 20 * np.cos(0.5), 2 + 20 * np.sin(0.5)
LANES = """<left><lane id="1" type="{left}"><width sOffset="0" a="{wide}" b="{grow}" c="0" d="0"/></lane></left>
<center><lane id="0" type="none"/></center>
<right><lane id="-1" type="{right}"><width sOffset="0" a="3" b="0" c="0" d="0"/></lane></right>"""
FILE = """<OpenDRIVE{space}><header revMajor="1" revMinor="7"/>
<road id="1" junction="-1" length="35"{rule}><planView>{geometry}</planView>{more}
<lanes>{offset}<laneSection s="0">{lanes}</laneSection></lanes></road>{roads}</OpenDRIVE>"""


def written(path: Path, *, geometry: str = "", lanes: str = "", left: str = "driving", right: str = "driving",
            wide: str = "3", grow: str = "0", more: str = "", offset: str = "", roads: str = "", rule: str = "",
            space: str = "", gap: float = 0.0) -> Path:  # fmt: skip
    """A file of a straight and a bend, changed in one place."""
    line = geometry or GEOMETRY.format(x1=X1 + gap, y1=Y1)
    lanes = lanes or LANES.format(left=left, right=right, wide=wide, grow=grow)
    path.write_text(
        FILE.format(geometry=line, lanes=lanes, more=more, offset=offset, roads=roads, rule=rule, space=space)
    )
    return path


def test_files_of_others_are_read(tmp_path: Path) -> None:
    """A line and an arc, written by hand, are a straight and a circle with two lanes of 3 m, with a namespace too."""
    for space in ("", ' xmlns="http://code.asam.net/simulation/standard/opendrive_schema"'):
        road = read_opendrive(written(tmp_path / "a.xodr", space=space))
        assert (road.lanes, road.lane_width, road.closed) == (2, 3.0, False)
        assert road.length == pytest.approx(35, abs=2e-3)
        assert road.at(10)[0] == pytest.approx([1 + 10 * np.cos(0.5), 2 + 10 * np.sin(0.5)], abs=1e-3)
        assert road.curvature[-5] == pytest.approx(0.05, rel=1e-2)


def test_a_lane_beside_the_reference_line(tmp_path: Path) -> None:
    """One lane to the right of the line, behind a shoulder on the left, is a road whose middle is the lane's."""
    with pytest.warns(DataWarning, match="skipped what is not read: 1 undriven lane"):
        road = read_opendrive(written(tmp_path / "a.xodr", left="none"))
    assert road.lanes == 1
    assert road.points[0] == pytest.approx([1 + 1.5 * np.sin(0.5), 2 - 1.5 * np.cos(0.5)], abs=1e-6)


def test_a_lane_against_the_reference_line(tmp_path: Path) -> None:
    """One lane to the left of the line is driven from the line's end to its begin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        road = read_opendrive(written(tmp_path / "a.xodr", right="sidewalk"))
    assert road.points[-1] == pytest.approx([1 - 1.5 * np.sin(0.5), 2 + 1.5 * np.cos(0.5)], abs=1e-6)


def test_what_is_skipped_is_counted(tmp_path: Path) -> None:
    """Heights, signals and objects are skipped and counted in one warning; an even elevation is nothing to say."""
    even = '<elevationProfile><elevation s="0" a="5" b="0" c="0" d="0"/></elevationProfile>'
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_opendrive(written(tmp_path / "even.xodr", more=even))
    more = (
        '<elevationProfile><elevation s="0" a="0" b="0.1" c="0" d="0"/></elevationProfile>'
        '<lateralProfile><superelevation s="0" a="0.1" b="0" c="0" d="0"/></lateralProfile>'
        '<objects><object id="1"/></objects><signals><signal id="1"/><signal id="2"/></signals>'
    )
    with pytest.warns(DataWarning, match=r"1 elevation, 1 object, 2 signals, 1 superelevation"):
        read_opendrive(written(tmp_path / "a.xodr", more=more))


def geometry(length: float, shape: str, begin: str = 'x="0" y="0"') -> dict[str, str]:
    """A change of the file: one geometry."""
    return {"geometry": f'<geometry s="0" {begin} hdg="0" length="{length}"><{shape}/></geometry>'}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"roads": '<road id="2"/><junction id="5"/>'}, r"holds 2 roads and 1 junction"),
        ({"rule": ' rule="LHT"'}, r"left-hand traffic"),
        ({"wide": "3.2"}, r"different widths"),
        ({"grow": "0.01"}, r"width of lane 1 changes"),
        ({"wide": "wide"}, r"<width> has a='wide'; a number"),
        ({"offset": '<laneOffset s="0" a="1" b="0.1" c="0" d="0"/>'}, r"offset of its centre lane changes"),
        ({"left": "sidewalk", "right": "none"}, r"no lane of type driving"),
        ({"gap": 0.5}, r"gap of 0\.5 m at s = 20 m"),
        (geometry(9, "curve"), r"<curve>; one of line, arc"),
        (geometry(-1, "line"), r"-1 m long"),
        (geometry(9, "line", 'x="0"'), r"<geometry> at s = 0 m has no y"),
        (geometry(9, 'arc curvature="0.5"'), r"bends with a radius of 2\.0 m"),
        (geometry(90, 'arc curvature="0.1"'), r"comes too near to itself"),
        ({"geometry": "<geometry/>"}, r"<geometry> has no s; a number"),
    ],
)
def test_what_is_no_road_here_is_refused(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """What cannot be driven here is refused in one sentence that names the file and the place."""
    path = written(tmp_path / "a.xodr", **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said) as caught:
        read_opendrive(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n\0\0", "not XML"), (b"<OpenDRIVE><road>", "not XML"),
     (b"<mujoco/>", "root of this XML is <mujoco>"), (b"<OpenDRIVE/>", "holds 0 roads")],
)  # fmt: skip
def test_what_is_no_opendrive_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    """A file that is empty, no XML, or an XML of something else is said so, and so is one that is not there."""
    path = tmp_path / "a.xodr"
    path.write_bytes(text)
    with pytest.raises(InputError, match=said):
        read_opendrive(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_opendrive(tmp_path / "none.xodr")


def test_export_by_the_command_line(tmp_path: Path) -> None:
    """`simloop export drive --road-seed` writes the road of that seed's first scene, and replaces no other file."""
    from simloop.verbs_export import export_road
    from simloop.worlds.drive.parameters import TABLE
    from simloop.worlds.drive.scene import make_scene
    from simloop.worlds.spreads import distributions

    path = tmp_path / "road.xodr"
    for _ in range(2):
        export_road(path, "drive", "opendrive", [], seed=4)
    wide = distributions(TABLE)["wide"]
    row = wide.sample(1, stream(4, "frames", "scene", 0))[0]
    road = make_scene(dict(zip(wide.space.names, row.tolist(), strict=True)), stream(4, "drive", "scene", 0)).road
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # kerbs are lanes that nobody drives in
        assert read_opendrive(path).points == pytest.approx(road.points, abs=1e-3)
    wrong: list[tuple[str, str, int | None, str]] = [
        ("drive", "opendrive", 5, "another file"), ("qube", "opendrive", 4, "no roads"),
        ("drive", "opendrive", None, "say which road"), ("drive", "coco", 4, "to opendrive"),
    ]  # fmt: skip
    for what, to, seed, said in wrong:
        with pytest.raises(InputError, match=said):
            export_road(path, what, to, [], seed=seed)
