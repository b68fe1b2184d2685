"""What a policy did on a live target: recordings like any others, and how each episode went.

rollouts.save("real.npz"); Rollouts.load("real.npz")       # written aside, whole or not there
Comparison(world, rollouts.as_target())                    # the recordings, for every adaptation
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from simloop.columns import Provenance
from simloop.errors import InputError, unknown
from simloop.parameters import Array
from simloop.targets.target import Target
from simloop.trajectories import TrajectorySet, columns

#: said beside every figure: a machine, another engine, or the same engine with hidden parameters
LiveProvenance = Literal["real machine", "another engine", "same engine, hidden parameters"]


@dataclass(frozen=True, eq=False)
class Rollouts:
    """Episodes on a live target.

    Attributes:
        name, provenance, description: of the target.
        trajectories: what was sensed and commanded, one row for each sample of the machine; actions hold from their
            row's time on.
        recorded: the channels of it that a comparison is made on.
        returns, success, seconds: (n,) sum of rewards, whether the task was done, s on the machine.
    """

    name: str
    provenance: LiveProvenance
    description: str
    trajectories: TrajectorySet
    recorded: tuple[str, ...]
    returns: Array
    success: NDArray[np.bool_]
    seconds: Array

    def __len__(self) -> int:
        return len(self.returns)

    def as_target(self) -> Target:
        """The recordings, as every adaptation takes them."""
        sets = self.trajectories
        kept = [c for c in sets.channels if c.name in self.recorded]
        at = [j for c, s in zip(sets.channels, columns(sets.channels), strict=True) if c in kept
              for j in range(s.start, s.stop)]  # fmt: skip
        provenance: Provenance = "real recordings" if self.provenance == "real machine" else self.provenance
        return Target(
            name=self.name,
            recordings=replace(sets, channels=tuple(kept), values=sets.values[:, at]),
            provenance=provenance,
            description=f"{self.description}, {len(self)} episodes, {self.seconds.sum():.3g} s of acting",
        )

    def take(self, index: Sequence[int]) -> Rollouts:
        """Return the episodes `index`."""
        i = list(index)
        return replace(
            self,
            trajectories=self.trajectories.take(i),
            returns=self.returns[i],
            success=self.success[i],
            seconds=self.seconds[i],
        )

    @classmethod
    def joined(cls, parts: Sequence[Rollouts]) -> Rollouts:
        """All episodes of several rollouts on the same target, in order."""
        first = parts[0]
        for part in parts[1:]:
            if (part.name, part.trajectories.channels) != (first.name, first.trajectories.channels):
                raise InputError(f"rollouts on {part.name!r} and on {first.name!r} cannot be joined")
        sets = [p.trajectories for p in parts]
        lengths = np.concatenate([np.diff(s.offsets) for s in sets])
        trajectories = replace(
            first.trajectories,
            time=np.concatenate([s.time for s in sets]),
            values=np.concatenate([s.values for s in sets]),
            actions=np.concatenate([s.actions for s in sets]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            sources=tuple(name for s in sets for name in s.sources),
        )
        return replace(
            first,
            trajectories=trajectories,
            returns=np.concatenate([p.returns for p in parts]),
            success=np.concatenate([p.success for p in parts]),
            seconds=np.concatenate([p.seconds for p in parts]),
        )

    def save(self, path: str | Path) -> None:
        """Write to one `.npz` file without pickle, aside and then renamed."""
        record = {
            "name": self.name,
            "provenance": self.provenance,
            "description": self.description,
            "recorded": list(self.recorded),
            "returns": self.returns.tolist(),
            "success": self.success.tolist(),
            "seconds": self.seconds.tolist(),
        }
        replace(self.trajectories, meta={**self.trajectories.meta, "rollouts": record}).save(path)

    @classmethod
    def load(cls, path: str | Path) -> Rollouts:
        """Read what `save` wrote."""
        stored = TrajectorySet.load(path)
        meta = dict(stored.meta)
        try:
            record = meta.pop("rollouts")
            if record["provenance"] not in get_args(LiveProvenance):
                raise unknown(f"{path}: provenance", record["provenance"], get_args(LiveProvenance))
            return cls(
                name=record["name"],
                provenance=record["provenance"],
                description=record["description"],
                trajectories=replace(stored, meta=meta),
                recorded=tuple(record["recorded"]),
                returns=np.array(record["returns"], dtype=float),
                success=np.array(record["success"], dtype=bool),
                seconds=np.array(record["seconds"], dtype=float),
            )
        except (KeyError, TypeError):
            raise InputError(f"{path}: holds trajectories, but not how the episodes of a rollout went") from None


class BrokenRolloutError(InputError):
    """A rollout ended before its time; `whole` holds the episodes before the one that broke, None if there are none."""

    def __init__(self, message: str, whole: Rollouts | None) -> None:
        super().__init__(message)
        self.whole = whole
