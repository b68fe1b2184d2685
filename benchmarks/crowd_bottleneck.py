"""How many people pass a bottleneck: 120 who leave a room by a passage 0.8 to 2 m wide, each model, three scenes each.

The flow is pedpy's: the number of people N(t) who have crossed the middle of the passage, its slope from 20 % to 80 %
of them by least squares, by width: the specific flow, 1/(m s). Experiments find 1.2 to 1.9 (Seyfried et al.,
Transportation Science 43(3), 2009; Kretz et al. 2006). A jam is 10 s in which nobody passes while a fifth of the people
or more are still inside, or people who are inside after 300 s.

    python -m benchmarks crowd_bottleneck
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.table import show
from simloop.randomness import stream
from simloop.trajectories import TrajectorySet
from simloop.worlds.crowd.engine import simulate
from simloop.worlds.crowd.models import MODELS
from simloop.worlds.crowd.scenarios import make_scene

_WIDTHS, _SEEDS, _PEOPLE, _LONGEST = (0.8, 1.0, 1.2, 1.6, 2.0), 3, 120, 300.0
RECOMMENDED, _TARGET = "collision-free-speed", (1.2, 1.9)
_JAM = 10.0  # s


def run() -> None:
    """Print the table."""
    rows, flows, jams = [], [], 0
    for model in MODELS:
        for width in _WIDTHS:
            found = [passed(model, width, seed) for seed in range(_SEEDS)]
            low, mean, high = (f([flow for flow, _, _ in found]) for f in (min, np.mean, max))
            jammed = sum(jam for _, jam, _ in found)
            rows.append([model, f"{width:g}", f"{mean:.2f}", f"{low:.2f} to {high:.2f}", str(jammed),
                         str(sum(overlaps for _, _, overlaps in found))])  # fmt: skip
            if model == RECOMMENDED:
                flows += [flow for flow, _, _ in found]
                jams += jammed
    show(["model", "width, m", "flow, 1/(m s)", f"of {_SEEDS} scenes", "jams", "overlaps, pairs x steps"], rows)
    met = not jams and min(flows) >= _TARGET[0] and max(flows) <= _TARGET[1]
    print(f"\nrecommended: {RECOMMENDED}, {min(flows):.2f} to {max(flows):.2f} /(m s), {jams} jams of {len(flows)}"
          f" (target {_TARGET[0]} to {_TARGET[1]}, no jam): {'met' if met else 'missed'}")  # fmt: skip


def pedpy_tracks(tracks: TrajectorySet, episode: int = 0) -> pd.DataFrame:
    """The rows of an episode as pedpy has them: id, frame, x, y."""
    rows = slice(int(tracks.offsets[episode]), int(tracks.offsets[episode + 1]))
    time = tracks.time[rows]
    frame = np.unique(time.round(6), return_inverse=True)[1]
    assert tracks.entity is not None
    return pd.DataFrame(
        {"id": tracks.entity[rows], "frame": frame, "x": tracks.values[rows, 0], "y": tracks.values[rows, 1]}
    )


def passed(model: str, width: float, seed: int) -> tuple[float, int, int]:
    """Specific flow 1/(m s), whether it jammed, and overlaps, of one scene."""
    import pedpy

    values = {"people.count": _PEOPLE, "bottleneck.width": width, "groups.share": 0.0}
    scene = make_scene("bottleneck", values, stream(seed, "bottleneck"))
    tracks = simulate([scene], seconds=_LONGEST, model=model, seed=seed)
    data = pedpy.TrajectoryData(data=pedpy_tracks(tracks), frame_rate=10.0)
    line = pedpy.MeasurementLine([(0.5, -width / 2), (0.5, width / 2)])
    nt, _ = pedpy.compute_n_t(traj_data=data, measurement_line=line)
    count, time = nt["cumulative_pedestrians"].to_numpy(), nt["time"].to_numpy()
    part = (count >= 0.2 * _PEOPLE) & (count <= 0.8 * _PEOPLE)
    flow = float(np.polyfit(time[part], count[part], 1)[0]) / width if part.sum() > 2 else 0.0
    steps = np.flatnonzero(np.diff(count, prepend=0) > 0)
    waited = np.diff(time[steps[count[steps] <= 0.8 * _PEOPLE]], prepend=0.0)
    arrived = np.array(tracks.meta["arrived"][0], dtype=float)
    jam = bool(np.isnan(arrived).any() or waited.max(initial=0) > _JAM)
    return flow, int(jam), int(np.sum(tracks.meta["overlaps"]))
