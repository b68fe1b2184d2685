"""World `drive`: cars on roads. How they move is in `vehicle.py`, what is on the road in `scene.py`.

A replay (`simulate`) is of a car on an even plane: recordings say where it was and how its wheels were turned, not what
road it was on. Running batches (`make`) drive on roads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.excitation import multisine
from simloop.frames import Category, Frame, Request
from simloop.parameters import Array, ParameterSpace
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.channel import ControlChannel, Effect
from simloop.worlds.drive.look import look_space, looks
from simloop.worlds.drive.parameters import TABLE
from simloop.worlds.spreads import distributions, space
from simloop.worlds.world import Mirror, Segments, World

#: where a car is, m and rad, how its front wheels are turned, rad, and its speeds over the plane
CHANNELS = (
    Channel("x", "m"),
    Channel("y", "m"),
    Channel("heading", "rad", "angle"),
    Channel("wheel", "rad", "angle"),
    Channel("x.velocity", "m/s", rate_of="x"),
    Channel("y.velocity", "m/s", rate_of="y"),
    Channel("heading.velocity", "rad/s", rate_of="heading"),
)
#: steering is positive to the right, everything else to the left; both are parts of what the car can
ACTIONS = (Channel("steering"), Channel("throttle"))
#: segments that are simulated at once
_CHUNK = 256


class Drive(World):
    """Cars on roads. A state is that of `vehicle.STATE`."""

    def __init__(self) -> None:
        self.name = "drive"
        self.summary = "a car on random roads: lines, kerbs, things beside it, others who drive and walk"
        self.parameters = space(TABLE)
        self.channels, self.actions = CHANNELS, ACTIONS
        self.control_dt = 0.05
        self.mirror = Mirror(("y", "heading", "wheel"), ("steering",))
        self.horizons = (0.5, 1.0)
        self.channel = ControlChannel(
            [Effect("steering.delay", "steering", "delay")], self.parameters, ACTIONS, CHANNELS, self.control_dt
        )

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def versions(self) -> dict[str, str]:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return {"numpy": np.__version__, "numba": version("numba")}
        except PackageNotFoundError:
            return {"numpy": np.__version__}

    def content(self) -> str:
        own = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
        return hashlib.sha256(own).hexdigest()

    @property
    def cameras(self) -> tuple[str, ...]:
        return ("front",)

    @property
    def categories(self) -> tuple[Category, ...]:
        from simloop.worlds.drive.photos import CATEGORIES

        return CATEGORIES

    @property
    def request(self) -> Request:
        return Request(size=(80, 60), views=8)

    @property
    def look(self) -> ParameterSpace:
        return look_space()

    def looks(self) -> Mapping[str, Distribution]:
        return looks()

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Frame]:
        from simloop.worlds.drive.photos import photos

        return photos(
            self.parameters, sequences, request=request or self.request, distribution=distribution, look=look, seed=seed
        )

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Cars that roll straight on at 2 to 8 m/s."""
        rates = np.zeros((count, 4))
        rates[:, 0] = rng.uniform(2, 8, count)
        return np.zeros((count, 4)), rates

    def excitation(self, seconds: float, rng: np.random.Generator) -> Array:
        """Turns to both sides, up to where the tyres slip, and a little more and less speed."""
        time = np.arange(round(seconds / self.control_dt) + 1, dtype=np.float64) * self.control_dt
        return multisine(time, len(self.actions), rng) * np.array([0.8, 0.5])

    def state(self, positions: Array, rates: Array) -> Array:
        x, y, heading, wheel = np.moveaxis(np.asarray(positions, dtype=float), -1, 0)
        vx, vy, turning, _ = np.moveaxis(np.asarray(rates, dtype=float), -1, 0)
        c, s = np.cos(heading), np.sin(heading)
        return np.stack([x, y, heading, np.maximum(vx * c + vy * s, 0), vy * c - vx * s, turning, wheel], axis=-1)

    def seen(self, states: Array) -> Array:
        """The channels' values (..., 7) of states (..., 7)."""
        x, y, heading, u, v, turning, wheel = np.moveaxis(states, -1, 0)
        c, s = np.cos(heading), np.sin(heading)
        return np.stack([x, y, heading, wheel, u * c - v * s, u * s + v * c, turning], axis=-1)

    def forms(self, rows: Array) -> Array:
        """What a car's motion depends on (n, 7), in the order of `vehicle.FORM`, of parameter rows (n, d)."""
        from simloop.worlds.drive.vehicle import FORM

        return rows[:, [self.parameters.index(name) for name in FORM]]

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        from simloop.worlds.drive.vehicle import replay

        rows, n = self.parameters.check(parameters), len(segments)
        if len(rows) not in (1, n):
            raise InputError(f"{len(rows)} parameter rows for {n} segments: expected one each, or one for all")
        rows = np.broadcast_to(rows, (n, rows.shape[1]))
        kept = len(segments.recorded)
        values, diverged = np.empty((n, kept, len(CHANNELS))), np.zeros(n, dtype=bool)
        for first in range(0, n, _CHUNK):
            numbers: NDArray[np.int64] = np.arange(first, min(first + _CHUNK, n))
            own = segments.take(numbers)
            commands = self.channel.act(rows[numbers], own, seed=seed, numbers=numbers)
            states = replay(own.state, self.forms(rows[numbers]), commands, self.control_dt)
            values[numbers] = self.seen(states[:, segments.recorded - 1])
            diverged[numbers] = ~np.isfinite(values[numbers]).all(axis=(1, 2))
        values[diverged] = np.nan
        time = (segments.start[:, None] + segments.recorded).astype(np.float64) * self.control_dt
        return TrajectorySet(
            channels=self.channels,
            time=time.reshape(-1),
            values=values.reshape(n * kept, -1),
            offsets=np.arange(n + 1, dtype=np.int64) * kept,
            parameters=np.array(rows),
            diverged=diverged,
            meta={"world": self.name, "seed": seed, "versions": self.versions()},
        )
