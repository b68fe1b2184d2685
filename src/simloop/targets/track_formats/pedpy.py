"""Text files of PedPy, JuPedSim and the archive of pedestrian experiments: a comment with the rate, then the rows.

    # framerate: 25.00
    # ID frame x y z                   lengths in m; z may be missing

PedPy: Schrödter and others, doi 10.5281/zenodo.7194992; its `load_trajectory_from_txt` reads the same. A comment that
says "x/cm" makes the lengths cm, as it does there.
"""

from __future__ import annotations

import re

from simloop.errors import InputError
from simloop.targets.track_formats.ordered import by_frame
from simloop.targets.track_formats.rows import TrackRows, number
from simloop.trajectories import TrajectorySet

_RATE = re.compile(r"framerate\s*:?\s*([-+.\deE]+)", re.IGNORECASE)


def is_pedpy(text: str) -> bool:
    """Whether a comment before the first row says a frame rate."""
    for content in text.splitlines():
        if content.strip() and not content.lstrip().startswith("#"):
            return False
        if _RATE.search(content):
            return True
    return False


def read_pedpy(text: str, where: str) -> TrackRows:
    """Read the tracks of a file; `where` is the file that errors name."""
    rate, scale = float("nan"), 1.0
    rows: list[tuple[float, ...]] = []
    for line, content in enumerate(text.splitlines(), 1):
        if content.lstrip().startswith("#"):
            if found := _RATE.search(content):
                rate = number(found[1], f"{where}, line {line}: framerate")
            scale = 0.01 if re.search(r"\bx\s*[/\[(]\s*cm", content) else scale
            continue
        fields = content.split()
        if not fields:
            continue
        at = f"{where}, line {line}"
        if len(fields) not in (4, 5):
            raise InputError(f"{at}: expected ID, frame, x, y and perhaps z, got {len(fields)} columns")
        who, frame, x, y = (number(f, at) for f in fields[:4])
        rows.append((line, frame, who, x, y))
    if not rate > 0:
        raise InputError(f"{where}: expected a frame rate above 0 after '# framerate:', got {rate:g}")
    found_rows = TrackRows.of(where, rows, 1 / rate)
    return TrackRows(found_rows.frame, found_rows.person, found_rows.places * scale, found_rows.line, 1 / rate)


def write_pedpy(tracks: TrajectorySet, frames: list[int], frame_seconds: float) -> str:
    """One recording with frames (N,), by person and frame."""
    rows = list(by_frame(tracks, frames))
    rows.sort(key=lambda row: (row[1], row[0]))
    lines = [f"# framerate: {1 / frame_seconds:.8g}", "# ID\tframe\tx/m\ty/m\tz/m"]
    lines += [f"{person}\t{frame}\t{x:.6f}\t{y:.6f}\t0" for frame, person, x, y in rows]
    return "\n".join(lines) + "\n"
