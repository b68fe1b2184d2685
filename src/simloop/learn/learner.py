"""The contract of a learner: a world and what to randomise in, a policy out.

    trained = get_learner("ppo", {"learning_rate": 3e-4}).train(world, task, distribution, steps=2_000_000, seed=7)
    trained.policy(observation)

A learner is a frozen record of options. It trains in chunks, each of which begins its episodes and its random numbers
anew, and keeps its whole state after each: a training that was interrupted goes on to the same bytes.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from simloop.distributions import Distribution
from simloop.errors import need
from simloop.learn.policy import Policy
from simloop.progress import Progress, silent
from simloop.worlds.task import Task
from simloop.worlds.world import World


@dataclass(frozen=True)
class Trained:
    """What a learner made.

    Attributes:
        policy: what was learned.
        history: for each chunk the decisions so far, the mean return and success of the episodes that ended in it,
            and how many of them diverged, JSON-able.
        steps: decisions taken in all.
        simulated_seconds: s of simulated time, all episodes together.
        wall_seconds: s that it took, over all the processes that worked on it.
    """

    policy: Policy
    history: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    simulated_seconds: float = 0.0
    wall_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "policy"}


class Learner(ABC):
    """A way to learn by acting: a frozen dataclass whose fields are its options."""

    name: ClassVar[str]
    #: packages that the learner imports, and the extra that brings them
    needs: ClassVar[tuple[str, ...]] = ("torch", "stable_baselines3", "safetensors")
    extra: ClassVar[str] = "learn"

    @abstractmethod
    def train(
        self,
        world: World,
        task: Task,
        distribution: Distribution,
        *,
        steps: int,
        seed: int = 0,
        folder: Path | None = None,
        begin_from: Path | None = None,
        progress: Progress = silent,
    ) -> Trained:
        """Learn a policy.

        Args:
            world: where.
            task: what is to be done.
            distribution: what each episode's parameters are drawn from.
            steps: decisions to take, over all episodes.
            seed: of everything random.
            folder: where to keep the state between chunks, and from where to go on; None: nowhere.
            begin_from: the folder of a finished training to begin from, its whole state: a warm start.
            progress: told of each chunk.
        """

    @classmethod
    def versions(cls) -> dict[str, str]:
        """The versions of the packages that what is learned depends on."""
        return {package: version(package) for package in cls.needs}

    @classmethod
    def check_installed(cls) -> None:
        """Raise a MissingExtraError where a package that the learner needs is not installed."""
        need(cls.needs, f"learner '{cls.name}'", cls.extra)


class Clock:
    """Wall-clock time of a computation over all the processes that worked on it."""

    def __init__(self, before: float) -> None:
        self._began = time.perf_counter() - before

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began
