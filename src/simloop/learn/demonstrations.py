"""Demonstrations: recordings of someone who can do a task, as ordinary trajectories and as what a policy learns from.

    shown = demonstrations(world, task, world.expert(task), 50, world.distribution("wide"), seed=0)
    write_demonstrations(shown, "demos")                        # a folder of logs, and which column holds what
    pairs = imitation_pairs(world, task, read_demonstrations("demos", world))

Any recordings of a machine will do, as long as they hold the world's measured channels and actions: what a policy would
have seen is made of them at the rate of the task's decisions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simloop.columns import ColumnMap
from simloop.distributions import Distribution, Point
from simloop.errors import DataWarning, InputError
from simloop.learn.evaluate import Score
from simloop.learn.policy import Float32, fraction_of
from simloop.parameters import Array
from simloop.runs import read_json, write_aside, write_json
from simloop.trajectories import TrajectorySet
from simloop.worlds.expert import Expert
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: the file in a folder of demonstrations that says which column holds what
_COLUMNS = "columns.yaml"
#: and the one that says what they are of
_RECORD = "demonstrations.json"
#: part of the actions that may lie beyond a task's limits without a word
_BEYOND = 0.01


def demonstrations(
    world: World,
    task: Task,
    expert: Expert,
    n: int,
    distribution: Distribution | None = None,
    seed: int = 0,
) -> TrajectorySet:
    """Record an expert at work in simulation: `n` episodes as sensors told them, one row for each decision.

    The channel's effects apply: what is recorded of the channels is noisy and late as in every episode. `meta` says
    the return and the success of each (`returns`, `success`).
    """
    return expert_episodes(world, task, expert, n, distribution, seed)[0]


def expert_score(
    world: World,
    task: Task,
    expert: Expert,
    distribution: Distribution | None = None,
    *,
    episodes: int = 200,
    seed: int = 0,
) -> Score:
    """How well an expert does, in the same episodes as a policy under `evaluate` with this seed."""
    return expert_episodes(world, task, expert, episodes, distribution, seed)[1]


def expert_episodes(
    world: World, task: Task, expert: Expert, n: int, distribution: Distribution | None, seed: int
) -> tuple[TrajectorySet, Score]:
    """Let an expert act in episodes 0 to n - 1, side by side: what was recorded, and how it went."""
    drawn = distribution or Point(world.parameters)
    environment = world.make(n, task=task, randomization=drawn, seed=seed, autoreset="disabled")
    environment.reset()
    parameters = environment.parameters.copy()
    sensed, commands = [environment.sensed], []
    length, returns = np.zeros(n, dtype=np.int64), np.zeros(n)
    success, diverged = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    while not (length > 0).all():
        _, _, terminated, truncated, infos = environment.step(expert(environment))
        commands.append(environment.commanded)
        sensed.append(environment.sensed)
        ended = terminated | truncated
        if ended.any():
            final, new = infos["final_info"], ended & (length == 0)
            length[new] = len(commands)
            returns[new], success[new] = final["return"][new], final["success"][new]
            diverged[new] = final["diverged"][new]
            if not (length > 0).all():  # what is over goes on unseen, so that the batch keeps its size
                environment.reset(options={"reset_mask": ended})
    environment.close()
    values, actions = np.stack(sensed, axis=1), np.stack([*commands, commands[-1]], axis=1)
    rows = [np.arange(k + 1) for k in length]
    for e, k in enumerate(length):
        actions[e, k] = actions[e, k - 1]  # after its end the last one holds
    shown = TrajectorySet(
        channels=world.channels,
        action_channels=world.actions,
        time=np.concatenate(rows).astype(np.float64) * task.decision_dt,
        values=np.concatenate([values[e, r] for e, r in enumerate(rows)]),
        actions=np.concatenate([actions[e, r] for e, r in enumerate(rows)]),
        offsets=np.concatenate([[0], np.cumsum(length + 1)]),
        parameters=parameters,
        diverged=diverged,
        sources=tuple(f"demonstration {e}" for e in range(n)),
        meta={"world": world.name, "task": task.name, "seed": seed, "distribution hash": drawn.hash,
              "versions": world.versions(), "returns": returns.tolist(), "success": success.tolist()},
    )  # fmt: skip
    return shown, Score(returns, success, diverged, parameters)


def write_demonstrations(shown: TrajectorySet, folder: str | Path) -> None:
    """Write each episode that did not diverge as a Parquet log, and which column holds what, into a folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = Path(folder)
    names = {c.name: c.column_names for c in (*shown.channels, *shown.action_channels)}
    for e in range(len(shown)):
        if shown.diverged is not None and shown.diverged[e]:
            continue
        episode = shown.episode(e)
        table = np.concatenate([episode.values, episode.actions], axis=1)
        header = [n for c in (*shown.channels, *shown.action_channels) for n in names[c.name]]
        columns = {"time": episode.time, **dict(zip(header, table.T, strict=True))}
        with write_aside(where / f"episode-{e:05d}.parquet") as file:
            pq.write_table(pa.table(columns), file)
    with write_aside(where / _COLUMNS) as file:
        file.write(_column_file(shown, names).encode())
    write_json(where / _RECORD, {k: v for k, v in shown.meta.items() if k in ("world", "task", "seed", "versions",
                                                                           "distribution hash")})  # fmt: skip


def shown_in(folder: str | Path) -> tuple[str, str]:
    """The world and the task that demonstrations in a folder are of."""
    file = Path(folder) / _RECORD
    if not file.exists():
        raise InputError(
            f"{folder}: does not say which world and task it shows; give the world, --task, and"
            f" --option demonstrations={folder}"
        )
    record = read_json(file)
    try:
        return str(record["world"]), str(record["task"])
    except (KeyError, TypeError):
        raise InputError(f"{file}: damaged; record the demonstrations again") from None


def _column_file(shown: TrajectorySet, names: dict[str, list[str]]) -> str:
    """The column map of a folder of demonstrations, as YAML."""
    lines = ["provenance: same engine, hidden parameters"]
    for what, channels in (("channels", shown.channels), ("actions", shown.action_channels)):
        lines.append(f"{what}:")
        lines += [f"  {c.name}: {{column: [{', '.join(names[c.name])}]}}" for c in channels]
    return "\n".join(lines) + "\n"


def read_demonstrations(where: str | Path, world: World, columns: ColumnMap | None = None) -> TrajectorySet:
    """Read recordings of a world: what `write_demonstrations` wrote, or any logs with its channels and actions."""
    from simloop.targets.recorded import recorded_target

    own = Path(where) / _COLUMNS
    if columns is None and own.is_file():
        columns = ColumnMap.read(own)
    return recorded_target(str(where), world, columns).recordings


@dataclass(frozen=True)
class Pairs:
    """What was seen and what was done then, N decisions in the order of time.

    Attributes:
        seen: (N, O) observations.
        done: (N, A) actions as fractions of their limits.
        episode: (N,) which recording each is of.
    """

    seen: Float32
    done: Float32
    episode: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.seen)


def imitation_pairs(world: World, task: Task, recordings: TrajectorySet) -> Pairs:
    """What a policy would have seen in recordings, and the actions that it would have had to take.

    Recordings are put on the world's control grid first; of an action that changed between two decisions the mean is
    taken, and what lies beyond the task's limits is clipped.
    """
    from simloop.targets.windows import Replay

    replay = Replay(world, recordings)
    each = round(task.decision_dt / world.control_dt)
    low, high = (np.array(x, dtype=float)[task.active] for x in (task.low, task.high))
    seen, done, episode = [], [], []
    for e, length in enumerate(replay.length.tolist()):
        decisions = (length - 1) // each
        if not decisions:
            continue
        held = replay.actions[e, : decisions * each].reshape(decisions, each, -1).mean(axis=1)
        seen.append(np.asarray(task.observe(replay.measured[e, : decisions * each : each]), dtype=np.float32))
        done.append(held[:, task.active])
        episode.append(np.full(decisions, e))
    if not seen:
        raise InputError(f"these recordings are shorter than one decision of {task.decision_dt:g} s")
    actions = np.concatenate(done)
    _warn_beyond(actions, low, high, task)
    return Pairs(np.concatenate(seen), fraction_of(actions, low, high), np.concatenate(episode))


def _warn_beyond(actions: Array, low: Array, high: Array, task: Task) -> None:
    slack = 1e-6 * (high - low)
    part = float(((actions < low - slack) | (actions > high + slack)).any(axis=1).mean())
    if part > _BEYOND:
        warnings.warn(
            f"{part:.0%} of the demonstrated actions lie beyond the limits of task {task.name!r} and were clipped",
            DataWarning,
            stacklevel=3,
        )
