"""The comparison of SimOpt's loop: the policy that acted on the target acts again in simulation, under each row.

    comparison = ActedComparison(world, task, [(policy, rollouts)])
    SimOpt(iterations=10, samples=200).fit(comparison, distribution, seed=7)

Where a machine touches things, what it does depends on what it met, and so a policy answers to it; replaying its
actions blindly would not (Chebotar et al., arXiv 1810.05687, section IV-A). Everything that is asked of recordings
alone is answered as by any other `Comparison`, by replaying what was commanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.adapt.comparison import Comparison
from simloop.distributions import Distribution
from simloop.gap.simopt_discrepancy import TOLERANCE, filtered_norms
from simloop.learn.policy import Actor, begin
from simloop.parameters import Array
from simloop.targets.rollouts import Rollouts
from simloop.targets.windows import Windows
from simloop.trajectories import difference, tangents
from simloop.worlds.observed import ObservedWorld, observed
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: episodes at once
_BATCH = 1024


class ActedComparison(Comparison):
    """Real rollouts of policies, compared with the same policies' rollouts in a world that is replayed whole.

    Args:
        world, task: what was acted in, and for what.
        acted: policies, and what each did on the target.
    """

    def __init__(self, world: World, task: Task, acted: Sequence[tuple[Actor, Rollouts]]) -> None:
        target = Rollouts.joined([r for _, r in acted]).as_target()
        seen = observed(world, target.recordings.channels)
        super().__init__(seen, target)
        self._acting, self._task = world, task
        self._actors = [actor for actor, _ in acted]
        self._actor_of = np.repeat(np.arange(len(acted)), [len(r) for _, r in acted])
        self._columns: Any = seen.kept if isinstance(seen, ObservedWorld) else slice(None)
        self._decision = round(task.decision_dt / world.control_dt)
        #: columns of a difference that are compared: of what is sensed, not of its rates
        self._compared = np.concatenate(
            [np.arange(at.start, at.stop) for c, at in zip(seen.channels, tangents(seen.channels), strict=True)
             if not c.rate_of]
        )  # fmt: skip

    def discrepancy(
        self, rows: ArrayLike, windows: Windows, *, l1: float = 0.5, l2: float = 1.0, sigma: float = 5.0
    ) -> Array:
        """SimOpt's discrepancy (equation 6) of each row, (n, d) -> (n,), at the policies' decisions."""
        residuals = self.acted_residuals(rows, windows)
        total = filtered_norms(np.where(np.isnan(residuals), 0.0, residuals), l1=l1, l2=l2, sigma=sigma)
        diverged = np.isnan(residuals).all(axis=(2, 3))
        cost = np.where(diverged, np.inf, total / residuals.shape[2]).mean(axis=1)
        return np.asarray(cost)

    def distance(self, rows: ArrayLike, windows: Windows) -> Array:
        """Mean distance of each row's rollouts from the real ones, (n, d) -> (n,), at the policies' decisions."""
        e = np.abs(self.acted_residuals(rows, windows)) * TOLERANCE
        cost = np.nanmean(np.where(np.isnan(e).all(axis=(2, 3), keepdims=True), np.inf, e), axis=(1, 2, 3))
        return np.asarray(cost)

    def acted_residuals(self, rows: ArrayLike, windows: Windows) -> Array:
        """Simulated minus measured in units of `scales`, (n, W, K, D'): NaN where nothing was measured or diverged."""
        at_decisions = replace(windows.segments, every=self._decision, lasts=None)
        measured = self.replay.measured_at(at_decisions)
        x = np.atleast_2d(np.asarray(rows, dtype=float))
        simulated = self._act(x, windows, measured.shape[1])
        apart = difference(simulated, np.broadcast_to(measured, simulated.shape), self.world.channels)
        return np.asarray((apart / self.scales(windows))[..., self._compared])

    def _act(self, rows: Array, windows: Windows, decisions: int) -> Array:
        """What is sensed after each decision of each window's policy, (n, W, K, D), under every row (n, d)."""
        n, count = len(rows), len(windows)
        width = sum(c.width for c in self.world.channels)
        out = np.full((n, count, decisions, width), np.nan)
        recording = windows.segments.recording
        for which, actor in enumerate(self._actors):
            mine = np.flatnonzero(self._actor_of[recording] == which)
            pairs = np.array([(i, j) for i in range(n) for j in mine], dtype=np.int64).reshape(-1, 2)
            for a in range(0, len(pairs), _BATCH):
                i, j = pairs[a : a + _BATCH].T
                out[i, j] = self._rollout(actor, rows[i], windows.segments.state[j], decisions)
        self.rollouts += n * count
        self.simulated_seconds += n * count * decisions * self._task.decision_dt
        return out

    def _rollout(self, actor: Actor, rows: Array, state: Array, decisions: int) -> Array:
        """One policy's rollouts from states (m, S) under rows (m, d): (m, K, D), NaN from where one diverged."""
        return act_again(self._acting, self._task, actor, rows, state, decisions)[..., self._columns]


def act_again(
    world: World,
    task: Task,
    actor: Actor,
    rows: Array,
    state: Array,
    decisions: int,
    *,
    distribution: Distribution | None = None,
) -> Array:
    """Let a policy act from given states; return the true channel values after each decision, (m, K, D).

    They are NaN from where an episode diverged or the task ended it.

    Args:
        world: where it acts.
        task: for what.
        actor: the policy.
        rows: (m, d) parameters of each rollout.
        state: (m, S) where each begins.
        decisions: K.
        distribution: what the rows are of, where that has more columns than the world's own parameters.
    """
    m = len(rows)
    envs = world.make(m, task=replace(task, seconds=1e9), randomization=distribution, autoreset="disabled")
    options: dict[str, Any] = {"parameters": rows, "state": state}
    observations, _ = envs.reset(options=options)
    begin(actor, np.ones(m, dtype=bool))
    out = np.full((m, decisions, sum(c.width for c in world.channels)), np.nan)
    over: NDArray[np.bool_] = np.zeros(m, dtype=bool)
    for k in range(decisions):
        observations, _, terminated, truncated, _ = envs.step(actor(observations))
        ended = terminated | truncated
        out[~over, k] = envs.values[~over]
        over |= ended
        if ended.any():
            envs.reset(options={"reset_mask": ended})
            begin(actor, ended)
    return out
