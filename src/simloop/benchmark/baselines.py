"""What stands beside every model: predictions that need no eyes, a memory of places, and calibration with labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.images import STEERING, ImageSet

#: (width, height) pixels at which frames are compared
_SMALL = (40, 30)


def nearest_neighbours(training: ImageSet, scored: ImageSet) -> NDArray[np.int64]:
    """For each frame (m,) the place of the training frame with the least sum of squared differences of pixels.

    Both are brought to 40x30 RGB by averaging areas. Nothing is learned: it finds where a picture was taken.
    """
    known = training.read(size=_SMALL).reshape(len(training), -1).astype(np.float32)
    asked = scored.read(size=_SMALL).reshape(len(scored), -1).astype(np.float32)
    squares = np.square(known).sum(axis=1)
    return np.argmin(squares - 2 * asked @ known.T, axis=1)


def calibration_frames(training: ImageSet, labels: int) -> ImageSet:
    """So many labelled frames of a training part, evenly from its first to its last."""
    labelled = np.flatnonzero(training.labelled)
    if not 2 <= labels <= len(labelled):
        raise InputError(
            f"--calibrate {labels}: expected from 2 to {len(labelled)}, the labelled frames of {training.name!r}"
        )
    return training.take(labelled[np.linspace(0, len(labelled) - 1, labels).round().astype(int)])


def slope_and_offset(predicted: Array, true: Array) -> tuple[float, float]:
    """The line that brings predictions (n,) nearest to labels (n,) by least squares; flat where they are constant."""
    centred = predicted - predicted.mean()
    spread = float(centred @ centred)
    slope = float(centred @ (true - true.mean())) / spread if spread > 1e-12 else 0.0
    return slope, float(true.mean() - slope * predicted.mean())


def mean_label(images: ImageSet) -> tuple[float, int]:
    """The mean steering of the frames that have it, and how many these are."""
    known = images.labels[STEERING][images.labelled]
    return float(known.mean()), len(known)
