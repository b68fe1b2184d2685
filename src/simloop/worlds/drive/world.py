"""World `drive`: cars on roads. How they move is in `vehicle.py`, what is on the road in `scene.py`.

A replay (`simulate`) knows of the road what its start shows: where the line is that is followed, and its bends up to
24 m ahead; after them they stay as the last. Running batches (`make`) drive on whole roads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.excitation import multisine
from simloop.frames import Category, Frame, Request
from simloop.parameters import Array, ParameterSpace
from simloop.trajectories import TrajectorySet
from simloop.worlds.channel import ControlChannel, Effect
from simloop.worlds.compiled import loop_versions, source_hash
from simloop.worlds.drive.channels import ACTIONS, AT, BENDS, CHANNELS
from simloop.worlds.drive.look import look_space, looks
from simloop.worlds.drive.parameters import DRIVING, OBSTACLES, ROAD, TABLE, THINGS
from simloop.worlds.spreads import distributions, space
from simloop.worlds.world import Mirror, Segments, World

if TYPE_CHECKING:
    from simloop.worlds.drive.dashcam import Sees
    from simloop.worlds.drive.environment import DriveEnvironment
    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task

#: of a state: the car's own numbers, then where it is beside its line, how far turned from it, and the bends ahead
CAR = 7
#: segments that are simulated at once
_CHUNK = 256


class Drive(World):
    """Cars on roads.

    A state is a car's own (`vehicle.STATE`), then how far it is to the left of its line, in lane widths, how far turned
    from it, rad, and the line's bends ahead, 1/m.
    """

    def __init__(self) -> None:
        self.name = "drive"
        self.summary = "a car on random roads: lines, kerbs, things beside it, others who drive and walk"
        self.parameters = space(TABLE)
        self.channels, self.actions = CHANNELS, ACTIONS
        self.control_dt = 0.05
        self.mirror = Mirror(("y", "yaw", "wheel", "line.offset", "line.heading", *BENDS), ("steering",))
        self.horizons = (0.5, 1.0)
        around = (*ROAD, *THINGS, *DRIVING, *OBSTACLES)
        self.elsewhere = frozenset(row.parameter.name for row in around) - {"road.lane_width"}
        self.channel = ControlChannel(
            [Effect("steering.delay", "steering", "delay")], self.parameters, ACTIONS, CHANNELS, self.control_dt
        )

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), **distributions(TABLE)}

    def versions(self) -> dict[str, str]:
        return loop_versions()

    def content(self) -> str:
        own = Path(__file__).parent
        return source_hash(own, own.parent / "crowd")

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

    def onboard(self, size: tuple[int, int], *, look: Distribution | None = None, seed: int = 0) -> Sees:
        """What cameras on cars see while they drive, for `closed_loop.close_loop`; use it in a `with` statement."""
        from simloop.worlds.drive.dashcam import Dashcam

        return Dashcam(size, look=look, seed=seed)

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
        """Cars that roll along at 2 to 8 m/s, near a line that bends."""
        positions, rates = np.zeros((count, len(self.measured))), np.zeros((count, len(self.measured)))
        rates[:, 0] = rng.uniform(2, 8, count)
        positions[:, AT["line.offset"]] = rng.normal(0, 0.15, count)
        positions[:, AT["line.heading"]] = rng.normal(0, 0.1, count)
        positions[:, AT["line.speed"]] = self.parameters.default[self.parameters.index("car.speed")]
        positions[:, [AT[name] for name in BENDS]] = rng.normal(0, 0.1, (count, len(BENDS)))
        return positions, rates

    def excitation(self, seconds: float, rng: np.random.Generator) -> Array:
        """Turns to both sides, up to where the tyres slip, and a little more and less speed."""
        time = np.arange(round(seconds / self.control_dt) + 1, dtype=np.float64) * self.control_dt
        return multisine(time, len(self.actions), rng) * np.array([0.8, 0.5])

    def state(self, positions: Array, rates: Array) -> Array:
        at, rate = np.asarray(positions, dtype=float), np.asarray(rates, dtype=float)
        x, y, heading, wheel = np.moveaxis(at[..., :4], -1, 0)
        vx, vy, turning = np.moveaxis(rate[..., :3], -1, 0)
        c, s = np.cos(heading), np.sin(heading)
        car = np.stack([x, y, heading, vx * c + vy * s, vy * c - vx * s, turning, wheel], axis=-1)
        offset = AT["line.offset"]
        return np.concatenate([car, at[..., offset : offset + 2], at[..., offset + 3 :]], axis=-1)

    def forms(self, rows: Array) -> Array:
        """What a car's motion depends on (n, 7), in the order of `vehicle.FORM`, of parameter rows (n, d)."""
        return np.ascontiguousarray(rows[:, self._form_columns])

    @cached_property
    def _form_columns(self) -> list[int]:
        from simloop.worlds.drive.vehicle import FORM

        return [self.parameters.index(name) for name in FORM]

    def tasks(self) -> Mapping[str, Task]:
        from simloop.worlds.drive.tasks import drive_tasks

        return drive_tasks()

    def expert(self, task: str | Task | None = None) -> Expert:
        from simloop.worlds.drive.expert import LaneExpert
        from simloop.worlds.drive.tasks import Lane

        return LaneExpert() if isinstance(self.task(task), Lane) else super().expert(task)

    def environment(self) -> type[DriveEnvironment]:
        from simloop.worlds.drive.environment import DriveEnvironment

        return DriveEnvironment

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        rows, n = self.parameters.check(parameters), len(segments)
        if len(rows) not in (1, n):
            raise InputError(f"{len(rows)} parameter rows for {n} segments: expected one each, or one for all")
        rows = np.broadcast_to(rows, (n, rows.shape[1]))
        kept = len(segments.recorded)
        values = np.empty((n, kept, len(CHANNELS)))
        for first in range(0, n, _CHUNK):
            numbers: NDArray[np.int64] = np.arange(first, min(first + _CHUNK, n))
            commands = self.channel.act(rows[numbers], segments.take(numbers), seed=seed, numbers=numbers)
            values[numbers] = self._replayed(rows[numbers], segments.take(numbers), commands)
        diverged = np.asarray(~np.isfinite(values).all(axis=(1, 2)))
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

    def _replayed(self, rows: Array, segments: Segments, commands: Array) -> Array:
        """Values (n, kept, D) of segments under commands (n, steps, 2)."""
        from simloop.worlds.drive.course import Courses, local_courses

        widths, cruise = (rows[:, self.parameters.index(name)] for name in ("road.lane_width", "car.speed"))
        forms, states = self.forms(rows), segments.state[:, :CAR].copy()
        lasts = segments.steps * self.control_dt
        fast = float(np.nanmax(states[:, 3] + lasts * forms[:, 3], initial=0.0))
        offset, turned = segments.state[:, CAR] * widths, segments.state[:, CAR + 1]
        lines, places = local_courses(states, offset, turned, segments.state[:, CAR + 2 :], lasts * fast)
        which: NDArray[np.int64] = np.arange(len(states))
        return Courses.of_rows(lines, widths).drive(
            states, places, which, forms, cruise, commands, self.control_dt, steps=segments.steps, every=segments.every
        )
