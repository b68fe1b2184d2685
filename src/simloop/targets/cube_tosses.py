"""Catalogue entry: tosses of a real acrylic cube onto a table (DAIR Lab, University of Pennsylvania).

All tosses are in one file: toss i is `samples[offsets[i]:offsets[i + 1]]`, at 148 Hz. Lengths there are in half cube
widths; here they are in m.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simloop.errors import InputError
from simloop.targets.catalogue import Entry, Split

if TYPE_CHECKING:
    from simloop.trajectories import TrajectorySet

HALF_WIDTH = 0.0524  # m
RATE = 148  # Hz
_SOURCE = "https://github.com/DAIRLab/contact-nets"


def read_tosses(paths: Sequence[Path]) -> TrajectorySet:
    """Read the file of tosses: place, rotation and both velocities (the angular one in the cube's frame)."""
    import numpy as np

    from simloop.trajectories import TrajectorySet
    from simloop.worlds.cube_toss import CHANNELS

    (path,) = paths
    try:
        with np.load(path, allow_pickle=False) as file:
            samples, offsets = file["samples"], file["offsets"]
    except Exception:  # a damaged archive raises whatever its decompressor does
        raise InputError(f"{path}: not the file of tosses (expected the arrays samples and offsets)") from None
    values = samples.copy()
    values[:, [0, 1, 2, 7, 8, 9]] *= HALF_WIDTH
    tosses = np.diff(offsets)
    return TrajectorySet(
        channels=CHANNELS,
        time=np.concatenate([np.arange(n) for n in tosses]) / RATE,
        values=values,
        actions=np.zeros((len(values), 0)),
        offsets=offsets,
        sources=tuple(f"{path}[{i}]" for i in range(len(tosses))),
    )


CUBE_TOSSES = Entry(
    name="cube-tosses",
    world="cube-toss",
    machine="acrylic cube of 10.48 cm, tossed onto a table",
    source=_SOURCE,
    url="",
    made=(
        "numpy.savez_compressed of samples (rows of position, quaternion, velocity and angular velocity, the tosses one"
        f" after another) and offsets (first row of each toss), from data/tosses_processed of {_SOURCE} (commit"
        " c3dc21c945), whose tensors are pickles and are not read here"
    ),
    licence="BSD-3-Clause",
    citation="Pfrommer, Halm and Posa, ContactNets: Learning Discontinuous Contact Dynamics, CoRL 2020",
    megabytes=3.8,
    splits={
        "all": Split("tosses.npz"),
        "train": Split("tosses.npz", episodes=range(300)),
        "test": Split("tosses.npz", episodes=range(300, 400)),
    },
    files={"tosses.npz": "3e9d6b5e22b289bceaf4cd05f70cdc1cf3b699d79fe4667f772c07bb0fa248cc"},
    read=read_tosses,
)
