"""Does a policy do the task, or does it exploit the simulator?

    audit = audit_policy(world, task, policy, episodes=100, seed=0)
    audit.exploits, audit.verdict
    audit.show()

The same episodes (starts, parameters, noise) are run again under changes that physics would not notice
(`audit/changes.py`). A score that falls is a score that the simulation gave away. Falls are of pairs of episodes, with
bootstrap intervals that hold for all changes together at 95 % (Bonferroni). Beside that every time step of some
episodes is watched (`audit/ledger.py`) for what cannot be: energy from nowhere, bodies inside each other, speeds and
forces that the machine does not have.

A fall counts if it is larger than chance, and larger than a tenth of the return or of the success rate: numerical
integration is never exact, and what is chaotic goes another way under every change without being worse for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simloop import terminal
from simloop.audit.changes import Kind, changes, other_engine
from simloop.audit.ledger import Ledger, watch
from simloop.distributions import Distribution, Point
from simloop.errors import InputError, MissingExtraError, unknown
from simloop.gap.bootstrap import bootstrap_weights, weighted_mean
from simloop.learn.evaluate import Score, evaluate
from simloop.learn.policy import Actor
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.trajectories import columns
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: part of the return, or success rate, that a score must fall by
MATTERS = 0.1
#: energy that may come from nowhere, over what is turned over; how deep bodies may lie in each other, over half of the
#: thinner one's thickness; how far over a limit a speed or a force may be
ENERGY, DEPTH, OVER = 0.05, 0.5, 0.2
#: part of the watched episodes that a flag needs
_OFTEN = 0.1
#: episodes that are watched, and that are acted in another engine, at most
_WATCHED, _ACTED = 32, 20
#: episodes that a bootstrap needs
_LEAST = 8


@dataclass(frozen=True)
class Fall:
    """How much a score falls under a change; positive is worse.

    Attributes:
        change: as in "when ...".
        kind: "same" physics, or "near".
        returned, success: mean return and success rate under it.
        fall, fall_interval: of the mean return, in its own unit.
        lost, lost_interval: of the success rate.
        part: the fall over the size of the return without the change.
        diverged: episodes.
        counts: whether it is larger than chance and large enough to matter.
    """

    change: str
    kind: Kind
    returned: float
    success: float
    fall: float
    fall_interval: tuple[float, float]
    lost: float
    lost_interval: tuple[float, float]
    part: float
    diverged: int
    counts: bool

    @property
    def sentence(self) -> str:
        """What fell by how much, the worse of the two."""
        low, high = self.fall_interval
        if self.lost > self.part:
            a, b = self.lost_interval
            return f"success falls by {self.lost:.0%} [{a:.0%}, {b:.0%}] when {self.change}"
        return f"the return falls by {self.fall:.3g} [{low:.3g}, {high:.3g}], {self.part:.0%}, when {self.change}"


@dataclass(frozen=True)
class Flag:
    """Something that cannot be: `largest` of all episodes beside what is `allowed`, and how many were beyond it."""

    name: str
    largest: float
    allowed: float
    episodes: int
    watched: int

    @property
    def raised(self) -> bool:
        return self.episodes > _OFTEN * self.watched

    @property
    def sentence(self) -> str:
        return (f"{self.name}: {self.largest:.3g}, allowed {self.allowed:.3g}, beyond it in {self.episodes} of"
                f" {self.watched} episodes")  # fmt: skip


@dataclass(frozen=True)
class CheatingAudit:
    """What an audit of a policy found.

    Attributes:
        world, task: what it acted in.
        score: of the policy as it is.
        falls: one for each change.
        flags: one for each thing that cannot be.
        skipped: what was not tried, and why.
    """

    world: str
    task: str
    score: Score
    falls: tuple[Fall, ...]
    flags: tuple[Flag, ...]
    skipped: Mapping[str, str]

    @property
    def exploits(self) -> bool:
        """Whether the score rests on what is not physics."""
        return any(f.counts and f.kind == "same" for f in self.falls) or any(f.raised for f in self.flags)

    @property
    def brittle(self) -> bool:
        """Whether the score rests on what nobody knows of a machine so exactly."""
        return any(f.counts and f.kind == "near" for f in self.falls)

    @property
    def verdict(self) -> str:
        """One sentence."""
        for kind, said in (("same", "exploits the simulator"), ("near", "brittle")):
            counting = [f for f in self.falls if f.counts and f.kind == kind]
            raised = [f.sentence for f in self.flags if f.raised] if kind == "same" else []
            if counting or raised:
                # the first says it most plainly: half the time step before other integrators
                fall = [f.sentence for f in counting[:1]]
                return f"{said}: {'; '.join([*fall, *raised])}"
        return "nothing found"

    def to_dict(self) -> dict[str, Any]:
        return {
            "world": self.world,
            "task": self.task,
            "verdict": self.verdict,
            "exploits": self.exploits,
            "brittle": self.brittle,
            "score": self.score.to_dict(),
            "falls": [vars(f) for f in self.falls],
            "flags": [{**vars(f), "raised": f.raised} for f in self.flags],
            "skipped": dict(self.skipped),
        }

    def show(self) -> None:
        s = self.score
        terminal.say(f"{self.world}, {self.task}: return {s.mean_return:.4g}, success {s.success_rate:.1%} of"
                     f" {len(s.returns)} episodes; it falls, with intervals that hold together at 95 %:")  # fmt: skip
        whole = max(abs(s.mean_return), 1e-12)
        terminal.table(
            ["when", "physics", "return falls by", "success falls by", "diverged", ""],
            [
                [
                    f.change,
                    f.kind,
                    f"{f.part:+.1%} ({f.fall_interval[0] / whole:+.1%}, {f.fall_interval[1] / whole:+.1%})",
                    f"{f.lost:+.1%} ({f.lost_interval[0]:+.1%}, {f.lost_interval[1]:+.1%})",
                    str(f.diverged),
                    "counts" if f.counts else "",
                ]
                for f in self.falls
            ],
        )
        terminal.table(
            ["cannot be", "largest", "allowed", "episodes beyond"],
            [[f.name, f"{f.largest:.3g}", f"{f.allowed:.3g}", f"{f.episodes} of {f.watched}"] for f in self.flags],
        )
        for name, why in self.skipped.items():
            terminal.say(f"not tried: {name}: {why}")
        terminal.say(self.verdict)


def audit_policy(
    world: World,
    task: Task | str | None,
    policy: Actor,
    distribution: Distribution | None = None,
    *,
    episodes: int = 100,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    engine: bool = True,
    progress: Progress = silent,
) -> CheatingAudit:
    """Run a policy again under changes that physics would not notice, and watch for what cannot be.

    Args:
        world: where it was trained; one of rigid bodies.
        task: what it is to do.
        policy: whoever acts.
        distribution: what the parameters of episodes are drawn from; None: the defaults.
        episodes: how many, at least 8.
        seed: of everything random.
        limits: channel -> the largest size that the machine allows, beside what the world knows of it.
        engine: whether to act in another engine too, where one plays the world.
        progress: told of each change.
    """
    if not isinstance(world, PhysicsWorld):
        raise InputError(f"world {world.name!r}: only a world of rigid bodies can be audited")
    if episodes < _LEAST:
        raise InputError(f"an audit compares at least {_LEAST} episodes, got {episodes}")
    task = world.task(task)
    known = {**world.machine_limits, **(limits or {})}
    names = [c.name for c in world.channels]
    for name in known:
        if name not in names:
            raise unknown(f"limit of a channel of {world.name!r}:", name, names)
    tried = changes(world)
    skipped: dict[str, str] = {}
    parts = len(tried) + 2
    score = evaluate(world, task, policy, distribution, episodes=episodes, seed=seed)
    falls = []
    for done, change in enumerate(tried):
        progress(f"audit: {change.name}", (done + 1) / parts)
        changed = change.apply(world, task, policy)
        rows = change.rows(world, score.parameters)
        other = evaluate(*changed, distribution, episodes=episodes, seed=seed, parameters=rows)
        falls.append(_fall(change.name, change.kind, score, other, len(tried) + 1, seed=seed))
    if engine:
        progress("audit: in another engine", (parts - 1) / parts)
        try:
            falls += _engine_fall(world, task, policy, score, distribution, len(tried) + 1, seed, skipped)
        except MissingExtraError as error:
            skipped["another engine"] = str(error)
    if world.mirror is None:
        skipped["everything happens in a mirror"] = "the world says no reflection that it is the same under"
    ledger = watch(world, task, policy, distribution, episodes=min(episodes, _WATCHED), seed=seed)
    return CheatingAudit(world.name, task.name, score, tuple(falls), _flags(world, task, ledger, known), skipped)


def _engine_fall(
    world: PhysicsWorld,
    task: Task,
    policy: Actor,
    score: Score,
    distribution: Distribution | None,
    compared: int,
    seed: int,
    skipped: dict[str, str],
) -> list[Fall]:
    """The fall in another engine, under the default parameters; its episodes are others, so they are not paired."""
    live = other_engine(world, task)
    if live is None:
        skipped["another engine"] = f"none plays world {world.name!r}"
        return []
    with live:
        acted = live.rollout(policy, min(len(score.returns), _ACTED), seed=seed)
    default = distribution is None or isinstance(distribution, Point)
    base = score if default else evaluate(world, task, policy, episodes=len(score.returns), seed=seed)
    other = Score(acted.returns, acted.success, np.zeros(len(acted), bool), np.zeros((len(acted), 0)))
    return [_fall("another engine, PyBullet, moves the machine", "near", base, other, compared, paired=False,
                  seed=seed)]  # fmt: skip


def _fall(name: str, kind: Kind, base: Score, other: Score, compared: int, *, seed: int, paired: bool = True) -> Fall:
    """The fall from one score to another, with intervals that hold for `compared` changes together."""
    tail = 100 * 0.025 / compared

    def falls(a: Array, b: Array) -> tuple[float, tuple[float, float]]:
        of_a = weighted_mean(a, bootstrap_weights(np.arange(len(a)), seed))
        of_b = weighted_mean(b, bootstrap_weights(np.arange(len(b)), seed if paired else seed + 1))
        low, high = np.percentile(of_a[1:] - of_b[1:], [tail, 100 - tail])
        return float(of_a[0] - of_b[0]), (float(low), float(high))

    fall, interval = falls(base.returns, other.returns)
    lost, lost_interval = falls(base.success.astype(float), other.success.astype(float))
    part = fall / max(abs(base.mean_return), 1e-12)
    counts = (part > MATTERS and interval[0] > 0) or (lost > MATTERS and lost_interval[0] > 0)
    return Fall(name, kind, other.mean_return, other.success_rate, fall, interval, lost, lost_interval, part,
                int(other.diverged.sum()), bool(counts))  # fmt: skip


def _flags(world: PhysicsWorld, task: Task, ledger: Ledger, limits: Mapping[str, float]) -> tuple[Flag, ...]:
    """Set what was watched beside what is allowed."""
    n = len(ledger.created)

    def flag(name: str, seen: Array, allowed: float) -> Flag:
        return Flag(name, float(seen.max()), allowed, int((seen > allowed).sum()), n)

    share = ledger.created / np.maximum(ledger.turned, 1e-12)
    found = [flag("energy from nowhere, over what is turned over", share, ENERGY)]
    if ledger.depth.any():
        found.append(flag("bodies inside each other, over half a thickness", ledger.depth, DEPTH))
    for channel, at in zip(world.channels, columns(world.channels), strict=True):
        if channel.name in limits:
            found.append(flag(f"size of {channel.name}, {channel.unit}", ledger.values[:, at].max(axis=1),
                              (1 + OVER) * limits[channel.name]))  # fmt: skip
    for j, allowed in enumerate(force_limits(world, task)):
        if np.isfinite(allowed):
            found.append(flag(f"force of {world.actions[j].name}", ledger.forces[:, j], (1 + OVER) * allowed))
    return tuple(found)


def force_limits(world: PhysicsWorld, task: Task) -> Array:
    """The largest force of each actuator, (A,): the model's own limit, else that of a motor under the largest action.

    Endless where neither says one, as of a servo without a limit.
    """
    import mujoco

    model = world.model
    largest = np.maximum(np.abs(task.low), np.abs(task.high))
    motor = (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_FIXED) & (
        model.actuator_biastype == mujoco.mjtBias.mjBIAS_NONE
    )
    own = np.where(motor, largest * np.abs(model.actuator_gainprm[:, 0]), np.inf)
    given = np.abs(model.actuator_forcerange).max(axis=1)
    return np.asarray(np.where(model.actuator_forcelimited.astype(bool), given, own))
