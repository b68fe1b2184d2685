"""People of many scenes as arrays, one after another, who go on step by step.

A step has three parts: what must be known of everybody (who is where, who sees nobody, where groups are), scene by
scene; what each decides, person by person; and the movement, scene by scene. A part reads only what those before it
wrote, so that threads can share each part out as they like.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.randomness import number
from simloop.worlds.crowd import walking
from simloop.worlds.crowd.beginning import next_of_group, refuse_overlaps
from simloop.worlds.crowd.channels import TRAIT
from simloop.worlds.crowd.checks import check_scene
from simloop.worlds.crowd.grid import cell_room, find_near, sort_people
from simloop.worlds.crowd.models import Model, get_model
from simloop.worlds.crowd.projection import move
from simloop.worlds.crowd.scene import Scene
from simloop.worlds.crowd.threads import at_once, cores

Mask = NDArray[np.bool_]
#: people in a batch from which on a second thread pays
_FEW = 200


class Batch:
    """People of many scenes, who walk until they reach their goals.

    Attributes:
        scenes: (S,) the scenes.
        offsets: (S + 1,) first person of each scene, and N.
        position: (N, 2) m; of who has not entered the start, of who has left the last place.
        velocity: (N, 2) m/s, over the ground; may be set.
        heading: (N,) rad, where the body faces; it turns towards the velocity at a bounded rate.
        active: (N,) who is inside the scene now.
        entered: (N,) s, NaN before.
        arrived: (N,) s, when each reached the goal, NaN before.
        target: (N, 2) m, the place that each is walking to now.
        desired: (N, 2) m/s, how each would have walked in the last step if nobody were in the way.
        time: (S,) s.
        done: (S,) whether nobody is left to come or to walk.
        overlaps: (S,) pairs of bodies that overlapped, counted at each step.
        deepest: (S,) m, by how much at most.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        *,
        model: str | Model = "orca",
        dt: float = 0.1,
        seed: int = 0,
        numbers: Sequence[int] | None = None,
        steered: Mask | None = None,
        unseen: Mask | None = None,
        threads: int | None = None,
    ) -> None:
        """Begin all scenes.

        Args:
            scenes: the scenes.
            model: of walking, a name of `models.MODELS`.
            dt: s, time of a step.
            seed: of everything random.
            numbers: (S,) of the scenes' random streams; 0, 1, ... by default.
            steered: (N,) who moves as `step` is told.
            unseen: (N,) whom the others do not avoid, nor push.
            threads: how many work at once; all cores by default. Results do not depend on it.
        """
        if not (math.isfinite(dt) and dt > 0):
            raise InputError(f"the time of a step of a crowd must be above 0 s, got {dt}")
        self.scenes = list(scenes)
        self.model, self.dt, self.seed = get_model(model), float(dt), int(seed)
        sizes = [len(s) for s in self.scenes]
        n, count = sum(sizes), len(sizes)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._scene_of = np.repeat(np.arange(count), sizes)
        self._allocate(n, count, max([s.routes.shape[1] for s in self.scenes], default=1))
        self._steered = np.zeros(n, bool) if steered is None else np.array(steered, bool)
        self._unseen = np.full(n, self.model.alone) if unseen is None else np.array(unseen, bool)
        for name, mask in (("steered", self._steered), ("unseen", self._unseen)):
            if mask.shape != (n,):
                raise InputError(f"{name} of a crowd of {n} people must have shape ({n},), got {mask.shape}")
        self._threads = threads or cores()
        self._ways: tuple[Array, Array] | None = None
        self._counting = True
        self._substeps = max(1, math.ceil(self.dt / self.model.substep - 1e-9))
        self._set_walls()
        for k in range(count):
            self._begin(k, k if numbers is None else int(numbers[k]))
        self._ranges = self._divide()

    def _allocate(self, n: int, count: int, places: int) -> None:
        self.position, self.velocity, self.heading = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros(n)
        self.active, self.entered, self.arrived = np.zeros(n, bool), np.full(n, np.nan), np.full(n, np.nan)
        self.target, self.desired = np.zeros((n, 2)), np.zeros((n, 2))
        self.time, self.done = np.zeros(count), np.zeros(count, bool)
        self.overlaps, self.deepest = np.zeros(count, np.int64), np.zeros(count)
        self.traits = np.zeros((n, len(TRAIT)))
        self._starts, self._begins, self._reach = np.zeros((n, 2)), np.zeros(n), np.zeros(n)
        self._routes, self._stays = np.full((n, places, 2), np.nan), np.zeros(n, bool)
        self._companions, self._leg = np.full(n, -1), np.zeros(n, np.int64)
        self._sway, self._clear, self._gathered = np.zeros(n), np.zeros(n), np.zeros((n, 4))
        self._blind, self._chosen, self._told = np.zeros(n, bool), np.zeros((n, 2)), np.zeros((n, 2))
        self._goal, self._whole, self._part = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros(n)
        self._steps, self._keys = np.zeros(count, np.int64), np.zeros(count, np.uint64)
        self._frame, self._shape = np.zeros((count, 3)), np.zeros((count, 3), np.int64)
        self._cells, self._order = np.zeros(cell_room(n, count), np.int64), np.zeros(n, np.int64)
        self._sorted = np.zeros((n, 2))
        self._near, self._near_count = np.zeros((n, self.model.neighbours), np.int64), np.zeros(n, np.int64)

    def _set_walls(self) -> None:
        counts = [len(s.walls) for s in self.scenes]
        self._wall_counts = np.array(counts, np.int64)
        self._wall_begins = np.cumsum([0, *counts])[:-1].astype(np.int64)
        self._walls = np.concatenate([np.zeros((0, 4)), *[s.walls for s in self.scenes]]).astype(float)

    def _begin(self, k: int, number_of_stream: int) -> None:
        """Begin the scene in place k."""
        scene, at = self.scenes[k], slice(self.offsets[k], self.offsets[k + 1])
        check_scene(scene)
        if not self.model.alone:
            refuse_overlaps(scene)
        self._starts[at], self._begins[at], self.traits[at] = scene.starts, scene.begins, scene.traits
        self._reach[at], self._stays[at] = scene.reach, scene.stays
        self._ways = None
        self._routes[at] = np.nan
        self._routes[at, : scene.routes.shape[1]] = scene.routes
        self._companions[at] = next_of_group(scene.groups, int(self.offsets[k]))
        self.position[at] = scene.starts
        self.target[at] = scene.routes[:, 0]
        self.active[at], self.entered[at], self.arrived[at] = False, np.nan, np.nan
        self._leg[at], self._sway[at] = 0, 0.0
        self.velocity[at], self.heading[at] = 0.0, 0.0
        self.time[k], self._steps[k], self.overlaps[k], self.deepest[k] = 0.0, 0, 0, 0.0
        self._keys[k] = number(self.seed, "walk", number_of_stream)
        self.done[k] = len(scene) == 0
        walking.clearances(
            at.start, at.stop, self._scene_of, self._starts, self.traits,
            self._walls, self._wall_begins, self._wall_counts, self._clear,
        )  # fmt: skip
        self._enter(k, k + 1)

    def replace(self, k: int, scene: Scene, number: int) -> None:
        """Begin another scene of as many people in place k; `number` is that of its random stream."""
        if len(scene) != len(self.scenes[k]):
            raise InputError(f"place {k} of the crowd is for {len(self.scenes[k])} people, got {len(scene)}")
        if scene.routes.shape[1] > self._routes.shape[1]:
            more = scene.routes.shape[1] - self._routes.shape[1]
            self._routes = np.concatenate([self._routes, np.full((len(self._routes), more, 2), np.nan)], axis=1)
        old, self.scenes[k] = self.scenes[k], scene
        if not np.array_equal(old.walls, scene.walls):
            self._set_walls()
        self._begin(k, number)

    def send(self, i: int, route: Array) -> None:
        """Let person i, who is inside the scene, walk another route (k, 2) m from here."""
        if len(route) > self._routes.shape[1]:
            more = len(route) - self._routes.shape[1]
            self._routes = np.concatenate([self._routes, np.full((len(self._routes), more, 2), np.nan)], axis=1)
        self._routes[i], self._leg[i], self.arrived[i], self._ways = np.nan, 0, np.nan, None
        self._routes[i, : len(route)] = route
        self.target[i] = route[0]
        self.done[self._scene_of[i]] = False

    @property
    def walls(self) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
        """(W, 4) m of all scenes, and (S,) where those of each begin among them and how many they are."""
        return self._walls, self._wall_begins, self._wall_counts

    @property
    def ways(self) -> tuple[Array, Array]:
        """(N, 1 + K, 2) m, where each begins and the places of its route, and (N, 1 + K) m, how far along it each is.

        Shorter routes go on with their last place.
        """
        if self._ways is None:
            ways = np.concatenate([self._starts[:, None], self._routes], axis=1)
            known = np.isfinite(ways[:, :, 0])
            last = np.maximum.accumulate(np.where(known, np.arange(ways.shape[1]), 0), axis=1)
            ways = np.take_along_axis(ways, last[:, :, None], axis=1)
            steps = np.linalg.norm(np.diff(ways, axis=1, prepend=ways[:, :1]), axis=2)
            self._ways = ways, np.cumsum(steps, axis=1)
        return self._ways

    def _divide(self) -> list[tuple[int, int]]:
        """Which scenes each thread takes; one range where they cannot be shared out evenly."""
        n, count = len(self.position), len(self.scenes)
        threads = min(self._threads, count)
        if threads < 2 or n < _FEW:
            return [(0, count)]
        cuts = np.searchsorted(self.offsets, np.linspace(0, n, threads + 1))
        cuts[0], cuts[-1] = 0, count
        ranges = [(int(a), int(b)) for a, b in itertools.pairwise(cuts) if b > a]
        largest = max(self.offsets[b] - self.offsets[a] for a, b in ranges)
        return ranges if largest * threads <= 1.3 * n else [(0, count)]

    def step(self, velocities: Array | None = None) -> None:
        """Go on by dt.

        Args:
            velocities: (N, 2) m/s of steered people; the rows of others are ignored.
        """
        if velocities is not None:
            told = np.asarray(velocities, dtype=float)
            if told.shape != self._told.shape or not np.isfinite(told[self._steered]).all():
                raise InputError(f"velocities of steered people must be finite, of shape {self._told.shape}")
            self._told[:] = told
        elif self._steered.any():
            raise InputError("step needs the velocities of who is steered")
        if not self.scenes:
            return
        for k in range(self._substeps):
            self._counting = k == self._substeps - 1
            self._substep()

    def _substep(self) -> None:
        ranges = self._ranges
        if self.model.choose is not None:
            self._look_around(0, len(self.scenes))
            self._want(0, len(self.position))
            self._chosen[:] = self.model.choose(self)
            self._carry_out(0, len(self.position))
            self._move(0, len(self.scenes))
        elif len(ranges) > 1:
            at_once(self._whole_step, ranges)
        else:
            n, parts = len(self.position), 1 if len(self.position) < _FEW else self._threads
            self._look_around(0, len(self.scenes))
            cuts = [n * p // parts for p in range(parts + 1)]
            at_once(self._decide, list(itertools.pairwise(cuts)))
            self._move(0, len(self.scenes))

    def _whole_step(self, first: int, last: int) -> None:
        self._look_around(first, last)
        self._decide(int(self.offsets[first]), int(self.offsets[last]))
        self._move(first, last)

    def _decide(self, first: int, last: int) -> None:
        """People first..last choose how to walk."""
        self._want(first, last)
        find_near(
            first, last, self.model.neighbours, self._scene_of, self.offsets, self.position, self.active, self._unseen,
            self._blind, self.traits, self._frame, self._shape, self._cells, self._order, self._sorted, self._near,
            self._near_count,
        )  # fmt: skip
        self.model.loop(
            first, last, self.dt / self._substeps, self.model.constants, self._scene_of, self.position, self.velocity,
            self.desired, self.active, self._blind, self.traits, self._clear, self._near, self._near_count,
            self._walls, self._wall_begins, self._wall_counts, self._chosen,
        )  # fmt: skip
        self._carry_out(first, last)

    def _enter(self, first: int, last: int) -> None:
        walking.enter(
            first, last, self.offsets, self.time, self._starts, self._begins, self._routes, self.traits, self._unseen,
            self.position, self.velocity, self.heading, self.active, self.entered, self._leg,
        )  # fmt: skip

    def _look_around(self, first: int, last: int) -> None:
        """What must be known of everybody in scenes first..last before any of them decides."""
        walking.look_around(
            first, last, self.offsets, self.time, self._keys, self.position, self.active, self.traits,
            self._companions, self._gathered, self._blind,
        )  # fmt: skip
        sort_people(
            first, last, self.offsets, self.position, self.active, self._frame, self._shape, self._cells, self._order,
            self._sorted,
        )  # fmt: skip

    def _want(self, first: int, last: int) -> None:
        walking.desire(
            first, last, self.dt / self._substeps, self._scene_of, self.offsets, self._steps, self._keys, self.position,
            self.active, self.traits, self._routes, self._reach, self._stays, self.arrived, self._leg, self._clear,
            self._gathered, self._sway, self._walls, self._wall_begins, self._wall_counts, self.target, self.desired,
        )  # fmt: skip

    def _carry_out(self, first: int, last: int) -> None:
        walking.carry_out(
            first, last, self.dt / self._substeps, self.model.inert, self.active, self._steered, self._told,
            self.traits, self.velocity, self._chosen,
        )  # fmt: skip

    def _move(self, first: int, last: int) -> None:
        dt = self.dt / self._substeps
        move(
            first, last, dt, self.model.apart, self._counting, self.offsets, self.position, self.velocity, self._chosen,
            self.active, self._unseen, self.traits, self._clear, self._walls, self._wall_begins, self._wall_counts,
            self._frame, self._shape, self._cells, self._order, self._sorted, self._goal, self._whole, self._part,
            self.overlaps, self.deepest,
        )  # fmt: skip
        walking.arrive(
            first, last, dt, self.offsets, self._steps, self.time, self.position, self.velocity, self.heading,
            self.active, self.entered, self.arrived, self._routes, self._reach, self._stays, self._leg, self.done,
        )  # fmt: skip
        self._enter(first, last)
