"""Recordings that cannot be trusted are answered by one sentence: file, line or column, and what was expected."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simloop.columns import Column, ColumnMap
from simloop.errors import DataWarning, InputError
from simloop.logs import find_logs, read_logs
from simloop.targets import get_target
from simloop.targets.windows import Replay
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds import World

CHANNELS, ACTIONS = (Channel("hinge", "rad", "angle"),), (Channel("motor", "N m"),)
BY_NAME = ColumnMap(channels={"hinge": Column("hinge")}, actions={"motor": Column("motor")})
TIME = np.arange(500) * 0.002
ANGLE = np.sin(3 * TIME)


def read(file: Path, columns: ColumnMap = BY_NAME) -> TrajectorySet:
    return read_logs([file], columns, CHANNELS, ACTIONS)


def said(error: pytest.ExceptionInfo[InputError], folder: Path) -> str:
    """The sentence, with paths relative to the folder; it must be one line."""
    text = str(error.value).replace(f"{folder}/", "").replace(str(folder), "FOLDER")
    assert "\n" not in text
    return text


def csv(*rows: str, header: str = "time,hinge,motor") -> str:
    return "\n".join([header, *rows]) + "\n"


def log(time: Any = TIME, hinge: Any = ANGLE, motor: Any = None) -> str:
    motor = np.zeros(len(time)) if motor is None else motor
    return csv(*(f"{t:.9g},{x:.9g},{u:.9g}" for t, x, u in zip(time, hinge, motor, strict=True)))


NOT_TEXT = "log.csv: not UTF-8 text, so not a CSV file that simloop reads"
CUT = "expected finite numbers: cut these rows out of the log"
BAD_CSV: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "log.csv: an empty file"),
    "blank lines": ("\n\n\n", "log.csv, line 1: expected the names of the columns, got an empty line"),
    "header only": (csv(), "log.csv: has column names but no rows"),
    "no header": ("0,1,2\n1,2,3\n", "log.csv, line 1: expected the names of the columns, got numbers"),
    "one row": (csv("0,1,2"), "log.csv: 1 row; a recording has at least 2"),
    "binary": (bytes(range(256)) * 8, NOT_TEXT),
    "UTF-16": (csv("0,1,2").encode("utf-16"), NOT_TEXT),
    "missing column": (csv("0,1", header="time,hinge"), "log.csv: no column 'motor' for 'motor'; it has time, hinge"),
    "misnamed column": (
        csv("0,1,2", header="time,hinges,motor"),
        "log.csv: no column 'hinge' for 'hinge' (did you mean 'hinges'?)",
    ),
    "no time": (csv("0,1,2", header="t,hinge,motor"), "log.csv: no column 'time' for 'time'; it has t, hinge, motor"),
    "column twice": (
        csv("0,1,2,3", header="time,hinge,hinge,motor"),
        "log.csv, line 1: column 'hinge' stands there twice",
    ),
    "word": (csv("0,1,2", "1,foo,2"), "log.csv, line 3, column 'hinge': expected a number, got 'foo'"),
    "empty cell": (csv("0,1,2", "1,,2"), "log.csv, line 3, column 'hinge': expected a number, got nothing"),
    "cut in the middle": (csv("0,1,2", "1,2,3", "2,3"), "log.csv, line 4: 2 values for 3 column names"),
    "too many cells": (csv("0,1,2", "1,2,3,4"), "log.csv, line 3: 4 values for 3 column names"),
    "more cells everywhere": (csv("0,1,2,3", "1,2,3,4"), "log.csv, line 2: 4 values for 3 column names"),
    "decimal comma": (
        csv("0;1,5;2", header="time;hinge;motor"),
        "log.csv, line 2, column 'hinge': expected a number, got '1,5'",
    ),
    "digits grouped": (csv("0,1_000,2"), "log.csv, line 2, column 'hinge': expected a number, got '1_000'"),
    "comment first": ("# of Monday\n" + csv("0,1,2"), "log.csv, line 2: 3 values for 1 column name"),
    "NaN": (csv("0,1,2", "1,nan,2", "2,NaN,2"), f"log.csv, line 3, column 'hinge': nan (2 such rows); {CUT}"),
    "NaN below blank lines": (
        csv("0,1,2", "", "", "1,nan,2"),
        f"log.csv, line 5, column 'hinge': nan (1 such row); {CUT}",
    ),
    "infinity": (csv("0,1,2", "1,1,-inf"), f"log.csv, line 3, column 'motor': -inf (1 such row); {CUT}"),
    "NaN in time": (csv("0,1,2", "nan,1,2"), f"log.csv, line 3, column 'time': nan (1 such row); {CUT}"),
    "largest float": (
        csv("0,1,2", "1,1.8e308,2", "2,3.4e38,2"),
        f"log.csv, line 3, column 'hinge': inf (2 such rows); {CUT}",
    ),
    "time backwards": (
        csv("0,1,2", "1,1,2", "0.5,1,2"),
        "log.csv, line 4: time runs backwards, from 1 s to 0.5 s; sort the log, or split it where the clock was"
        " set back",
    ),
    "time stands still": (csv("7,1,2", "7,1,2"), "log.csv: all 2 rows have the time 7 s; expected time that advances"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", BAD_CSV)
def test_a_bad_csv_file_is_named_with_line_and_column(case: str, tmp_path: Path) -> None:
    """A malformed CSV file is one sentence that leads to the cell, and no warning of a library beside it."""
    content, sentence = BAD_CSV[case]
    file = tmp_path / "log.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        read(file)
    assert said(error, tmp_path) == sentence


def good(file: Path, **arrays: Any) -> None:
    np.savez(file, **{"time": TIME, "hinge": ANGLE, "motor": ANGLE, **arrays})


def table(file: Path, **columns: Any) -> None:
    pq.write_table(pa.table({"time": TIME, "hinge": ANGLE, "motor": ANGLE, **columns}), file)


def twins(file: Path) -> None:
    names = ["time", "hinge", "hinge", "motor"]
    pq.write_table(pa.Table.from_arrays([pa.array(TIME)] * 4, names=names), file)


BAD_BINARY: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "gzip called npz": ("a.npz", lambda f: f.write_bytes(gzip.compress(b"abc")), "not an NPZ file, or a damaged one"),
    "damaged npz": ("a.npz", lambda f: f.write_bytes(b"PK\x03\x04junk"), "not an NPZ file, or a damaged one"),
    "pickle": (
        "a.npz",
        lambda f: good(f, hinge=np.array([None] * 500)),
        "column 'hinge': holds Python objects (pickle), which simloop does not read",
    ),
    "text": (
        "a.npz",
        lambda f: good(f, hinge=ANGLE.astype(str)),
        "column 'hinge': expected a row of numbers, got <U32 of shape (500,)",
    ),
    "scalar time": (
        "a.npz",
        lambda f: good(f, time=0.002),
        "column 'time': expected a row of numbers, got float64 of shape ()",
    ),
    "one state short": ("a.npz", lambda f: good(f, hinge=ANGLE[:-1]), "channels have 499 rows, the time has 500"),
    "actions too short": ("a.npz", lambda f: good(f, motor=ANGLE[:9]), "actions have 9 rows, the time has 500"),
    "no rows": ("a.npz", lambda f: np.savez(f, time=[], hinge=[], motor=[]), "0 rows; a recording has at least 2"),
    "no arrays": ("a.npz", lambda f: np.savez(f), "no column 'time' for 'time'; it has no numeric columns"),
    "damaged parquet": ("a.parquet", lambda f: f.write_bytes(b"PAR1junk"), "not a Parquet file, or a damaged one"),
    "strings": (
        "a.parquet",
        lambda f: table(f, time=[str(t) for t in TIME]),
        "column 'time': expected numbers, got string",
    ),
    "timestamps": (
        "a.parquet",
        lambda f: table(f, time=(TIME * 1e9).astype("datetime64[ns]")),
        "column 'time': expected numbers, got timestamp[ns]",
    ),
    "nulls": ("a.parquet", lambda f: table(f, hinge=[None, *ANGLE[1:]]), f"column 'hinge': nan (1 such row); {CUT}"),
    "column twice": ("a.parquet", twins, "column 'hinge' stands there twice"),
}


@pytest.mark.parametrize("case", BAD_BINARY)
def test_a_bad_npz_or_parquet_file_is_named_with_its_column(case: str, tmp_path: Path) -> None:
    """A malformed NPZ or Parquet file is one sentence that names the file and the column."""
    name, write, sentence = BAD_BINARY[case]
    write(tmp_path / name)
    with pytest.raises(InputError) as error:
        read(tmp_path / name)
    assert said(error, tmp_path).startswith(name)
    assert said(error, tmp_path).endswith(sentence)


def test_a_record_that_simloop_did_not_write_is_refused(tmp_path: Path) -> None:
    """TrajectorySet.load names a file whose record lacks fields, and never shows a KeyError."""
    for record, sentence in (
        ("{}", "a.npz: not what TrajectorySet.save wrote: fields are missing or of another kind"),
        ("{", "a.npz: not a trajectory file of simloop (expected what TrajectorySet.save wrote)"),
    ):
        np.savez(tmp_path / "a.npz", record=np.array(record), time=TIME)
        with pytest.raises(InputError) as error:
            TrajectorySet.load(tmp_path / "a.npz")
        assert said(error, tmp_path) == sentence


NO_LOGS = {
    "": "the name of the recordings is empty; give a file, a folder or a quoted glob",
    "logs/": "FOLDER/logs: no recordings in this folder (expected .csv, .npz, .parquet files)",
    "notes.txt": "FOLDER/notes.txt: not a log that simloop reads (expected .csv, .npz, .parquet)",
    "mondya.csv": "FOLDER/mondya.csv: no such file or folder (did you mean 'monday.csv'?)",
    "*.npz": "FOLDER/*.npz: no .csv, .npz, .parquet file matches this pattern",
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_a_place_without_logs_is_named(name: str, tmp_path: Path) -> None:
    """An empty name, an empty folder, another kind of file, a misspelt file and a glob without match are told apart."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "notes.txt").write_text("a")
    (tmp_path / "monday.csv").write_text("a")
    with pytest.raises(InputError) as error:
        find_logs(f"{tmp_path}/{name}" if name else "")
    assert str(error.value).replace(str(tmp_path), "FOLDER") == NO_LOGS[name]


BAD_MAPS = {
    "channels: [hinge]\n": "map.yaml, line 1: channels: expected keys and values, got ['hinge']",
    "actions: {motor: u}\n": "map.yaml, line 1: 'channels' is missing",
    "channels: {hinge: q}\n": "map.yaml: action 'motor' of the world has no column; add it to 'actions'",
    "channels: {hing: q}\nactions: {motor: u}\n": "map.yaml: the world has no channel 'hing' (did you mean 'hinge'?)",
    "channels: {hinge: q}\nactions: {motor: u, fan: u}\n": "map.yaml: the world has no action 'fan' (it has: motor)",
    "channels: {hinge: q}\nactions: {motor: u}\n": "log.csv: no column 'q' for 'hinge'; it has time, hinge, motor",
    "channels:\n  hinge: {col: q}\n": "map.yaml, line 2: unknown key 'channels.hinge.col' (did you mean 'column'?)",
    "channels:\n  hinge: 3\n": "map.yaml, line 2: channels.hinge: expected keys and values, got 3",
    "channels: {hinge: {column: hinge, unit: degrees}}\nactions: {motor: motor}\n": (
        "map.yaml: unit 'degrees' of 'hinge': expected rad, deg, rev"
    ),
    "time: {column: time, unit: hours}\nchannels: {hinge: hinge}\nactions: {motor: motor}\n": (
        "map.yaml: unit 'hours' of 'time': expected s, ms, us, µs, ns, min"
    ),
    "channels: {hinge: [a, b]}\nactions: {motor: motor}\n": "map.yaml: 'hinge' needs 1 column, got 'a', 'b'",
}


@pytest.mark.parametrize("text", BAD_MAPS)
def test_a_bad_column_map_is_named_with_line_and_field(text: str, tmp_path: Path) -> None:
    """A column map of another world, with an unknown key, unit or column, is one sentence that names file and field."""
    (tmp_path / "map.yaml").write_text(text)
    (tmp_path / "log.csv").write_text(log())
    with pytest.raises(InputError) as error:
        read(tmp_path / "log.csv", ColumnMap.read(tmp_path / "map.yaml"))
    assert said(error, tmp_path) == BAD_MAPS[text]


def test_a_quaternion_asks_for_four_columns(tmp_path: Path) -> None:
    """One column for a rotation is refused with the order that its four columns stand in."""
    channels = (Channel("base", "", "quaternion"),)
    with pytest.raises(InputError) as error:
        read_logs([tmp_path / "a.csv"], ColumnMap(channels={"base": Column("q")}), channels, ())
    assert str(error.value) == "column map: 'base' needs 'column: [w, x, y, z]', got 'q'"


DOUBTFUL = {
    "degrees": (
        log(hinge=200 * ANGLE),
        "log.csv, column 'hinge': spans 200 and moves at up to 600 per second, which as"
        " radians would be 32 turns at 5726 rpm; if these are degrees, say 'unit: deg' in the column map (or"
        " 'unit: rad' to silence this)",
    ),
    "time repeats": (
        log(time=np.repeat(TIME[:250], 2)),
        "log.csv, line 3: repeats the time of the row before (250 such rows, dropped)",
    ),
    "time jumps": (
        log(time=np.concatenate([TIME[:250], TIME[250:] + 5])),
        "log.csv: the time jumps at 1 row (first by 5 s"
        " at 0.498 s, where a usual step is 0.002 s); the recording was split there",
    ),
    "nothing moves": (log(hinge=0 * ANGLE), "log.csv, column 'hinge': is 0 in all 500 rows; was the sensor connected?"),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_data_is_read_with_a_warning_that_shows_the_evidence(case: str, tmp_path: Path) -> None:
    """Degrees, repeated or jumping time and a dead sensor are one warning each, with the numbers that say so."""
    content, sentence = DOUBTFUL[case]
    (tmp_path / "log.csv").write_text(content)
    with pytest.warns(DataWarning) as caught:
        read(tmp_path / "log.csv")
    assert [str(w.message).replace(f"{tmp_path}/", "") for w in caught] == [sentence]


UNITS = "if its time is not in seconds, say so in the column map, for example 'time: {column: t, unit: ms}'"


def test_milliseconds_taken_for_seconds_are_warned_of_or_refused(pendulum: World, tmp_path: Path) -> None:
    """A log in milliseconds warns with its evidence; one in microseconds is refused before it fills the memory."""
    file = tmp_path / "log.csv"
    file.write_text(log(time=TIME[:50] * 1e3, hinge=ANGLE[:50]))
    with pytest.warns(DataWarning) as caught:
        Replay(pendulum, read(file))
    seen = "log.csv: lasts 98 s with a row each 2 s, 1000 control steps of 0.002 s; "
    assert [str(w.message).replace(f"{tmp_path}/", "") for w in caught] == [seen + UNITS]
    file.write_text(log(time=TIME * 1e6))
    with pytest.raises(InputError) as error:
        Replay(pendulum, read(file))
    seen = "log.csv: lasts 9.98e+05 s with a row each 2e+03 s, which is 5e+08 control steps of 0.002 s; "
    assert said(error, tmp_path) == seen + UNITS


TOO_LONG = {
    100.0: "the longest of 1 recordings lasts 0.998 s: too short for a window of 100 s and the 0.04 s before it;"
    " give a shorter horizon",
    1e-4: "a window of 0.0001 s: expected a time of at least one control step, 0.002 s",
    -1.0: "a window of -1 s: expected a time of at least one control step, 0.002 s",
    float("nan"): "a window of nan s: expected a time of at least one control step, 0.002 s",
    float("inf"): "a window of inf s: expected a time of at least one control step, 0.002 s",
}


@pytest.mark.parametrize("horizon", TOO_LONG)
def test_a_window_that_no_recording_holds_is_refused(horizon: float, pendulum: World, tmp_path: Path) -> None:
    """A horizon longer than all recordings, shorter than a step, or no number is one sentence."""
    (tmp_path / "log.csv").write_text(log())
    with pytest.raises(InputError) as error:
        Replay(pendulum, read(tmp_path / "log.csv")).windows(horizon)
    assert said(error, tmp_path) == TOO_LONG[horizon]


def test_a_recording_shorter_than_five_steps_is_refused(pendulum: World, tmp_path: Path) -> None:
    """A recording of a few rows is named, with how long it lasts."""
    (tmp_path / "log.csv").write_text(log(TIME[:4], ANGLE[:4]))
    with pytest.raises(InputError) as error:
        Replay(pendulum, read(tmp_path / "log.csv"))
    assert said(error, tmp_path) == "log.csv: lasts 0.006 s, less than 5 control steps of 0.002 s"


BAD_TARGETS = {
    "double-pendulum/design-c1/tset": "unknown part of 'double-pendulum': 'design-c1/tset' (did you mean"
    " 'design-c1/test' or 'design-a0/test'?)",
    "double-pendlum/design-c1/test": "double-pendlum/design-c1/test: no such file or folder, and no target of the"
    " catalogue (did you mean 'double-pendulum/design-c1/test' or 'double-pendulum/design-a0/test'?)",
    "standin:double-pendulum": "'standin:double-pendulum' is not a stand-in of this world: write 'standin:pendulum'",
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_an_unknown_target_is_answered_by_close_matches(name: str, pendulum: World) -> None:
    """A misspelt target names its neighbours, and a stand-in of another world is not taken for one of this world."""
    with pytest.raises(InputError) as error:
        get_target(name, pendulum)
    assert str(error.value) == BAD_TARGETS[name]


GOOD = {
    "semicolons": log().replace(",", ";"),
    "tabs": log().replace(",", "\t"),
    "byte order mark": "\ufeff" + log(),
    "Windows line ends": log().replace("\n", "\r\n"),
    "spaces": log().replace(",", ", "),
    "quotes": "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in log().splitlines()),
    "commented header": "# " + log(),
    "blank lines": log().replace("\n", "\n\n"),
    "other columns of text": log().replace("\n", ",on\n"),
    "commas at the end": log().replace("\n", ",,\n"),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_is_odd_but_clear_is_read(case: str, tmp_path: Path) -> None:
    """Delimiters, encodings marks, line ends, quotes and columns that nobody asked for change nothing."""
    file = tmp_path / "räume und zeiten.csv"
    file.write_bytes(GOOD[case].encode())
    episode = read(file)
    np.testing.assert_allclose(episode.time, TIME, atol=1e-9)
    np.testing.assert_allclose(episode.values[:, 0], ANGLE, atol=1e-8)


def test_a_clock_that_began_in_1970_costs_no_digits(pendulum: World, tmp_path: Path) -> None:
    """A log stamped in seconds since 1970 gives the same windows as one that starts at 0."""
    ends = []
    for start in (0.0, 1.7e9):
        np.savez(tmp_path / "a.npz", time=start + TIME, hinge=ANGLE, motor=ANGLE)
        ends.append(Replay(pendulum, read(tmp_path / "a.npz")).measured[:, :499])
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-3)
