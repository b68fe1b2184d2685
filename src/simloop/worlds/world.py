"""The contract of a world: a simulator with named parameters.

A world says what may vary (`parameters`), what is observed (`channels`), what acts on it (`actions`) and how long a
control step is, and replays segments: `simulate(rows, segments)` is the hot path of every adaptation.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.columns import ColumnMap
from simloop.distributions import Distribution, Normal, Point
from simloop.errors import DataWarning, InputError, unknown
from simloop.excitation import multisine
from simloop.frames import Category, Frame, Request
from simloop.parameters import Array, ParameterSpace
from simloop.trajectories import Channel, TrajectorySet

if TYPE_CHECKING:
    from simloop.worlds.channel import ControlChannel
    from simloop.worlds.environment import Autoreset, Environment
    from simloop.worlds.expert import Expert
    from simloop.worlds.task import Task


@dataclass(frozen=True)
class Mirror:
    """A reflection under which a world is itself: the channels (not their rates), actions and parameters that turn."""

    channels: tuple[str, ...]
    actions: tuple[str, ...]
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Segments:
    """Stretches of time to simulate: where each starts, and what was done in it and before it.

    Attributes:
        state: (n, S) the state at the start of each segment, in the world's own layout.
        actions: (R, L, A) the actions of whole recordings on the world's control grid, shared by all segments.
        recording: (n,) which recording each segment belongs to.
        start: (n,) its first step there; delays reach back before it.
        steps: number of control steps.
        every: observations are returned after every this many steps.
        lasts: (n,) the steps that matter of each segment, at most `steps`; a world may stop there and repeat its last
            observation. None: all of them.
        push: (n, A) constant that is added to the actions when they reach the body: what no parameter explains.
            None: nothing.
    """

    state: Array
    actions: Array
    recording: NDArray[np.int64]
    start: NDArray[np.int64]
    steps: int
    every: int = 1
    lasts: NDArray[np.int64] | None = None
    push: Array | None = None

    def __len__(self) -> int:
        return len(self.state)

    @property
    def recorded(self) -> NDArray[np.int64]:
        """The steps after which observations are returned, counted from the start."""
        return np.arange(self.every, self.steps + 1, self.every)

    def take(self, index: ArrayLike) -> Segments:
        """Return the segments `index` (m,), which may repeat; the recordings' actions are shared, not copied."""
        i = np.asarray(index)
        lasts = None if self.lasts is None else self.lasts[i]
        push = None if self.push is None else self.push[i]
        return replace(
            self, state=self.state[i], recording=self.recording[i], start=self.start[i], lasts=lasts, push=push
        )


class World(ABC):
    """A simulator with named parameters.

    Subclasses set the attributes and implement `state` and `simulate`; those where nothing is replayed (`replayed`)
    implement `outcomes` instead.
    """

    name: str
    summary: str
    parameters: ParameterSpace
    channels: tuple[Channel, ...]
    actions: tuple[Channel, ...]
    control_dt: float
    #: what is between a decision and the body, and between the body and what is sensed, where it can be acted in
    channel: ControlChannel
    #: columns of this world's own catalogue recordings, used where a target comes without a column map
    log_columns: ColumnMap | None = None
    #: whether recordings are replayed in it, by `state` and `simulate`; else `outcomes` says what happens in it
    replayed: bool = True
    #: whether recordings are replayed from their first sample to their end instead of in windows: where the motion is
    #: over soon and the start is what was controlled, as in a toss
    whole: bool = False
    #: whether recordings begin at rest with parts that no channel shows where only that says, as a rope does: then they
    #: are replayed from their very first sample
    begins_still: bool = False
    #: by channel the error that counts as one, in its unit, where how much a recording changes says nothing about it: a
    #: drawer that stays shut
    tolerances: Mapping[str, float] = MappingProxyType({})
    #: s, lengths of the windows that a gap is measured at where nobody says which
    horizons: tuple[float, ...] = (0.2, 0.5)
    #: the reflection that changes nothing, if there is one
    mirror: Mirror | None = None
    #: parameters that no replay depends on, for they say where running batches start and what frames show
    elsewhere: frozenset[str] = frozenset()
    #: channel -> the largest size that the machine itself allows, where that is known
    machine_limits: Mapping[str, float] = MappingProxyType({})

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of what the world can be seen through; the first is used where nobody says which."""
        return ()

    @property
    def categories(self) -> tuple[Category, ...]:
        """The kinds of objects that its frames are labelled with."""
        return ()

    @property
    def request(self) -> Request:
        """What is photographed where nobody says it."""
        return Request()

    def graphics(self) -> dict[str, str]:
        """What draws its frames, beside `versions`: another one may give other pixels."""
        return {}

    @property
    def look(self) -> ParameterSpace:
        """What may vary in how the world is seen: parameters of kind appearance and sensing."""
        return ParameterSpace([])

    def looks(self) -> Mapping[str, Distribution]:
        """The distributions over `look` that have a name: `default`, which changes nothing, and `wide`."""
        return {}

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Frame]:
        """Yield images with annotations (`frames.py`), all steps of each sequence in order.

        Args:
            sequences: their numbers; a sequence depends on the seed and its number alone.
            request: what to photograph; by default what `World.request` says.
            distribution: what scenes are drawn from; by default the default parameters.
            look: what their appearance is drawn from; by default the world as it was made.
            seed: of everything random.
        """
        raise InputError(f"world {self.name!r} has no camera: there is nothing to see in it")

    @property
    def measured(self) -> tuple[Channel, ...]:
        """The channels that a recording must hold: all but the rates, which are estimated where it lacks them."""
        return tuple(c for c in self.channels if not c.rate_of)

    def distributions(self) -> Mapping[str, Distribution]:
        """The distributions that the world names itself.

        `default` (a point), `prior` (a Normal with each parameter's spread), `search` (where a search by sampling
        starts), and `wide` (the uniform randomisation that someone would set by hand) where a world has one.
        """
        space = self.parameters
        return {
            "default": Point(space),
            "prior": Normal.independent(space, space.default, space.spread),
            "search": Normal.independent(space, space.default, space.spread / 2),
        }

    def distribution(self, name: str) -> Distribution:
        """Return one of the world's own distributions by name, or load one from a run's folder or JSON file."""
        own = self.distributions()
        if name in own:
            return own[name]
        if "/" not in name and "." not in name:
            from pathlib import Path

            if not Path(name).exists():
                error = unknown(f"distribution of world {self.name!r}:", name, own)
                raise InputError(f"{error}, and no run's folder of that name")
        loaded = Distribution.load(name)
        from simloop.worlds.residual import FORCE
        from simloop.worlds.uncertain import spread_channels

        own_names = tuple(n for n in loaded.space.names if n not in spread_channels(self) and not n.startswith(FORCE))
        if own_names != self.parameters.names:
            missing = sorted(set(self.parameters.names) ^ set(own_names))
            raise InputError(
                f"{name}: a distribution over the parameters of another world (differs in {', '.join(missing[:4])});"
                f" {self.name!r} has {', '.join(self.parameters.names)}"
            )
        if loaded.space.parameters[: len(own_names)] != self.parameters.parameters:
            warnings.warn(
                f"{name}: fitted for other defaults or bounds than those of {self.name!r} (another build?)",
                DataWarning,
                stacklevel=2,
            )
        try:
            self.under(loaded)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        return loaded

    def under(self, distribution: Distribution) -> World:
        """Return the world that understands a distribution's parameters: itself, or itself with what is added.

        A fitted distribution may say more than the world's own parameters: a force that they leave unexplained
        (`worlds/residual.py`); how wrong the start of a window is, and how noisy what is observed
        (`worlds/uncertain.py`). They follow the world's own in this order.
        """
        space = distribution.space
        world: World = self
        if space.names == world.parameters.names:
            return world
        from simloop.worlds.residual import FORCE, ResidualWorld
        from simloop.worlds.uncertain import UncertainWorld

        forces = [p for p in space if p.name.startswith(FORCE)]
        if forces:
            own = space.parameters[: len(self.parameters)]
            world = ResidualWorld(self, ParameterSpace([*own, *forces]))
        return world if space.names == world.parameters.names else UncertainWorld(world, space)

    def central(self, distribution: Distribution) -> tuple[World, Array]:
        """The world and the row (d,) of a distribution's centre, without the errors of starts and sensors."""
        from simloop.worlds.uncertain import spread_channels

        space = distribution.space
        certain = [n not in spread_channels(self) for n in space.names]
        own = ParameterSpace([p for p, c in zip(space, certain, strict=True) if c])
        return self.under(Point(own)), distribution.mean[certain]

    def starts(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Where stand-ins start: the measured channels (count, D) and their rates (count, D'), at rest at 0."""
        if any(c.kind == "quaternion" for c in self.measured):
            raise InputError(f"world {self.name!r}: stand-ins start from rest at angle 0, which a free body cannot")
        width = sum(c.width for c in self.measured)
        return np.zeros((count, width)), np.zeros((count, width))

    def excitation(self, seconds: float, rng: np.random.Generator) -> Array:
        """What a stand-in is driven with for `seconds` where nobody says: (T, A), one row for each control step.

        A random multisine of amplitude 1 in each action's unit, where a world does not know better.
        """
        time = np.arange(round(seconds / self.control_dt) + 1, dtype=np.float64) * self.control_dt
        return multisine(time, len(self.actions), rng)

    def tasks(self) -> Mapping[str, Task]:
        """What can be done in the world, by name; the first is done where nobody says which."""
        return {}

    def task(self, name: str | Task | None = None) -> Task:
        """Return the task of that name, by default the world's first; a task given is returned as it is."""
        if name is not None and not isinstance(name, str):
            return name
        own = self.tasks()
        if not own:
            raise InputError(f"world {self.name!r} has no task: nothing is to be done in it")
        if name is None:
            return next(iter(own.values()))
        if name not in own:
            raise unknown(f"task of world {self.name!r}:", name, own)
        return own[name]

    def expert(self, task: str | Task | None = None) -> Expert:
        """Return someone who can do a task, by default the world's first, and knows the true state and parameters."""
        raise InputError(f"world {self.name!r} has no expert for task {self.task(task).name!r}")

    def make(
        self,
        num_envs: int,
        *,
        task: str | Task | None = None,
        randomization: str | Distribution | None = None,
        seed: int = 0,
        autoreset: Autoreset = "same-step",
    ) -> Environment:
        """Return a running batch of `num_envs` episodes, a `gymnasium.vector.VectorEnv` (`worlds/environment.py`).

        Args:
            num_envs: episodes at once.
            task: one of the world's, by name, or your own; by default its first.
            randomization: what each episode's parameters are drawn from, or the name of one of the world's own, or a
                run's folder; by default the default parameters.
            seed: of everything random.
            autoreset: when an episode that ended is replaced by a new one.
        """
        running = self.environment()
        drawn = self.distribution(randomization) if isinstance(randomization, str) else randomization
        return running(self, self.task(task), num_envs, randomization=drawn, seed=seed, autoreset=autoreset)

    def environment(self) -> Callable[..., Any]:
        """What makes the world's running batches, with the arguments of `Environment`."""
        raise InputError(f"world {self.name!r} cannot be acted in")

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of the world's engine, for the record of a run."""

    @abstractmethod
    def content(self) -> str:
        """A hash of everything that decides what `simulate` returns, beside its arguments and the versions."""

    def outcomes(self, rows: Array, *, seed: int = 0) -> Array:
        """What happens in the world under parameter rows (n, d): (n, k) numbers, the same k for all rows.

        It is for worlds in which no recording is replayed; a row's numbers depend on it and the seed alone.
        """
        raise InputError(f"world {self.name!r} says what happens in it by replaying recordings alone")

    def state(self, positions: Array, rates: Array) -> Array:
        """Return states (..., S) from the measured channels (..., D) and their derivatives (..., D')."""
        raise self.nothing_to_replay()

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        """Simulate segment i under parameter row i, for all i at once.

        Args:
            parameters: (n, d) rows, or (1, d) for all segments.
            segments: n segments.
            seed: of the channel's noise, keyed by the segment's number; the physics itself is deterministic.

        Returns:
            n episodes of `len(segments.recorded)` rows with the world's channels; the result depends neither on
            how the work is divided nor on the number of threads. Episodes that diverged are NaN and flagged.
        """
        raise self.nothing_to_replay()

    def nothing_to_replay(self) -> InputError:
        """What is raised where recordings are to be replayed in a world that is not `replayed`."""
        return InputError(f"world {self.name!r} has nothing to replay: what is in it is not driven by recorded actions")
