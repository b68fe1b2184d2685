"""What to record next: the excitations that would tell most about the parameters that a fit left undetermined.

    found = plan(world, world.distribution("runs/fit"), 5, limits={"motor1": 0.8}, ranges={"joint1": (-2, 2)})
    found.proposals[0].excitation.actions       # (T, A), to play on the machine
    found.write(Path("next"))                   # proposal-1.csv, ..., plan.json

Bayesian experimental design for what is linear around a draw and Gaussian (Chaloner and Verdinelli, Statistical Science
10, 1995, section 2): the expected gain in Shannon information (Lindley, Annals of Mathematical Statistics 27, 1956) of
recordings c, given the distribution's covariance S in the parameters' scale, is

    1/2 log det(1 + S sum_c F_c),    F_c = sum over windows w of c of J_w' N_w^-1 J_w,    N_w = noise + B_w S0 B_w'

J_w is what parameters do to what is compared of a window, B_w what an error of its start does, both as least squares
sees them: the excitation is simulated, read like a recording, cut into windows that begin at filtered starts, and
linearised by `Problem`. So nothing counts as information that a fit could not use, and chaotic motions count little. It
departs from the text in averaging the gain over draws of the distribution, since F depends on the parameters.

Recordings are chosen one after the other, each for what it adds to those before it; the gain is submodular, so this is
at least 63 % as good as the best set (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978). Excitations
that leave a channel's range under more than one draw in twenty, or diverge under any, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.adapt.comparison import Comparison
from simloop.adapt.least_squares import Problem
from simloop.adapt.noise import slope_noise, start_noise
from simloop.distributions import Distribution, Normal, Point
from simloop.errors import InputError, unknown
from simloop.excitation import Excitation, excitations
from simloop.parameters import Array
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.runs import write_aside, write_json
from simloop.targets.standin import played
from simloop.targets.target import Target
from simloop.targets.windows import FIRST, Windows
from simloop.trajectories import columns, tangents
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.uncertain import NOISE
from simloop.worlds.world import Segments, World

#: draws under which an excitation must stay within ranges, and the fraction of them that may not
_TRIALS, _STRAYS = 20, 0.05
#: s between two looks at whether it does
_LOOK = 0.01
#: s, the longest recording that is planned
_LONGEST = 600.0
#: draws that a covariance is computed from where a distribution has none
_MANY = 4000
#: draws on a line or plane leave directions without spread; this fraction of the largest counts as none
_FLAT = 1e-12


@dataclass(frozen=True, eq=False)
class Proposal:
    """A recording to make.

    Attributes:
        excitation: what to play.
        information: nats that it is expected to add to the proposals before it.
        narrowed: parameter -> its expected spread after this recording, over that before it.
    """

    excitation: Excitation
    information: float
    narrowed: dict[str, float]

    @property
    def narrows_most(self) -> list[str]:
        """At most three parameters whose spread it narrows by more than 5 %, most first."""
        return [n for n in sorted(self.narrowed, key=lambda n: self.narrowed[n])[:3] if self.narrowed[n] < 0.95]


@dataclass(frozen=True, eq=False)
class Plan:
    """Recordings to make, in order.

    Attributes:
        world: the world that was planned for.
        seconds: how long each recording is.
        proposals: in the order of what they add.
        limits: action -> the largest one.
        ranges: channel -> (lowest, highest) value.
        considered: excitations that were looked at.
        strayed: of them, those that left a range or diverged.
        before, after: (d,) spread of each parameter in its scale, as given and as expected after all proposals.
    """

    world: World
    seconds: float
    proposals: list[Proposal]
    limits: dict[str, float]
    ranges: dict[str, tuple[float, float]]
    considered: int
    strayed: int
    before: Array
    after: Array

    def to_dict(self) -> dict[str, Any]:
        names, units = self.world.parameters.names, {a.name: a.unit for a in self.world.actions}
        return {
            "world": self.world.name,
            "information": sum(p.information for p in self.proposals),
            "unit": "nats",
            "seconds": self.seconds,
            "limits": self.limits,
            "ranges": {k: list(v) for k, v in self.ranges.items()},
            "considered": self.considered,
            "strayed": self.strayed,
            "spread": {
                n: {"before": float(b), "after": float(a)}
                for n, b, a in zip(names, self.before, self.after, strict=True)
            },
            "proposals": [
                {
                    "file": file_name(i),
                    "kind": p.excitation.kind,
                    "description": p.excitation.description,
                    "frequencies": p.excitation.frequencies,
                    "largest": {
                        n: {"value": float(x), "unit": units[n]} for n, x in zip(units, p.excitation.peaks, strict=True)
                    },
                    "information": p.information,
                    "narrows most": p.narrows_most,
                    "narrowed": p.narrowed,
                }
                for i, p in enumerate(self.proposals)
            ],
        }

    def write(self, folder: Path) -> None:
        """Write each proposal as CSV (time, then the actions by name), and the plan as JSON, last."""
        header = ",".join(["time", *(a.name for a in self.world.actions)])
        for i, proposal in enumerate(self.proposals):
            actions = proposal.excitation.actions
            time = np.arange(len(actions)) * self.world.control_dt
            with write_aside(folder / file_name(i)) as file:
                np.savetxt(file, np.column_stack([time, actions]), "%.9g", ",", header=header, comments="")
        write_json(folder / "plan.json", json.loads(json.dumps(self.to_dict())))


def file_name(i: int) -> str:
    """The file of proposal i."""
    return f"proposal-{i + 1}.csv"


def plan(
    world: World,
    distribution: Distribution,
    n: int,
    *,
    limits: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    noise: Mapping[str, float] | None = None,
    recorded: Sequence[Array] = (),
    seconds: float = 4.0,
    horizon: float | None = None,
    candidates: int = 64,
    draws: int = 3,
    seed: int = 0,
    progress: Progress = silent,
) -> Plan:
    """Choose the n excitations of `candidates` whose recordings are expected to tell most.

    Args:
        world: the machine's simulation.
        distribution: what is known of its parameters; spreads of starts and pushes that it has beside them are left.
        n: how many recordings.
        limits: action -> the largest one; others as `action_limits` finds them.
        ranges: channel -> (lowest, highest) value that it may take.
        noise: measured channel -> standard deviation of a reading. Default: the distribution's own `noise.*`, else what
            `Comparison.scales` counts as an error of one.
        recorded: (L, A) actions of recordings on the control grid, to make excitations of too.
        seconds: length of each recording.
        horizon: s, length of the windows that a fit would use; default the world's longest.
        candidates: excitations to choose from.
        draws: of the distribution, that information is averaged over.
        seed: of the excitations and the draws.
        progress: told of each draw.
    """
    found = consider(
        world, distribution, n, limits=limits, ranges=ranges, noise=noise, recorded=recorded, seconds=seconds,
        horizon=horizon, candidates=candidates, draws=draws, seed=seed, progress=progress,
    )  # fmt: skip
    chosen, gains, spreads = greedy(found.informations, found.root, n)
    names = world.parameters.names
    proposals = [
        Proposal(found.kept[c], gain, dict(zip(names, (after / before).tolist(), strict=True)))
        for c, gain, before, after in zip(chosen, gains, spreads, spreads[1:], strict=False)
    ]
    return Plan(
        world=world,
        seconds=seconds,
        proposals=proposals,
        limits=dict(zip((a.name for a in world.actions), found.largest.tolist(), strict=True)),
        ranges=dict(ranges or {}),
        considered=len(found.kept) + found.strayed,
        strayed=found.strayed,
        before=spreads[0],
        after=spreads[-1],
    )


@dataclass(frozen=True, eq=False)
class Considered:
    """Excitations that could be recorded, and what each would tell.

    Attributes:
        kept: those C that stay within their ranges.
        strayed: how many do not.
        informations: (K, C, d, d) Fisher information of each under each of K draws.
        root: (d, r) of the covariance of what is known now.
        largest: (A,) the largest action of each actuator.
    """

    kept: list[Excitation]
    strayed: int
    informations: Array
    root: Array
    largest: Array


def consider(
    world: World,
    distribution: Distribution,
    n: int,
    *,
    limits: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    noise: Mapping[str, float] | None = None,
    recorded: Sequence[Array] = (),
    seconds: float = 4.0,
    horizon: float | None = None,
    candidates: int = 64,
    draws: int = 3,
    seed: int = 0,
    progress: Progress = silent,
) -> Considered:
    """Look at `candidates` excitations of which n are to be chosen; arguments as of `plan`."""
    _check(world, distribution, n, ranges or {}, candidates, seconds, horizon)
    largest = action_limits(world, limits or {}, recorded)
    excited = excitations(
        world.actions, largest, seconds=seconds, dt=world.control_dt, count=candidates, seed=seed, recorded=recorded
    )
    d = len(world.parameters)
    root = spread_root(world, distribution, seed)
    progress("plan: trying excitations", 0.0)
    trials = distribution.sample(max(_TRIALS if ranges else 0, draws), stream(seed, "plan", "trials"))[:, :d]
    kept = [excited[c] for c in np.flatnonzero(stays(world, trials, excited, ranges or {}))]
    if len(kept) < n:
        raise InputError(
            f"only {len(kept)} of {len(excited)} excitations stay within their ranges, fewer than the {n} asked for;"
            " give wider ranges, lower limits or more candidates"
        )
    played_actions = [e.actions for e in kept]
    known = assumed_noise(world, distribution, noise or {}, trials[0], played_actions)
    informations = []
    for k in range(draws):
        informations.append(information(world, trials[k], played_actions, noise=known, horizon=horizon))
        progress(f"plan: draw {k + 1} of {draws}", (k + 1) / draws)
    return Considered(kept, len(excited) - len(kept), np.array(informations), root, largest)


def _check(
    world: World,
    distribution: Distribution,
    n: int,
    ranges: Mapping[str, tuple[float, float]],
    candidates: int,
    seconds: float,
    horizon: float | None,
) -> None:
    """Raise one sentence where what was asked for makes no sense."""
    if not world.actions:
        raise InputError(f"world {world.name!r}: this world has no actions, so there is nothing to choose")
    if any(c.kind == "quaternion" for c in world.measured):
        raise InputError(f"world {world.name!r}: proposals start from rest at 0, which a free body cannot")
    discrete = [p.name for p in world.parameters if p.discrete]
    if discrete:
        raise InputError(f"plan: parameter {discrete[0]!r} takes whole numbers, along which nothing can be derived")
    if isinstance(distribution, Point):
        raise InputError("plan: a single row of parameters leaves nothing to find out; give prior, or a run's folder")
    if not 1 <= n <= candidates:
        raise InputError(f"plan: expected 1 to {candidates} recordings (so many candidates there are), got {n}")
    least = (horizon or world.horizons[-1]) + FIRST * world.control_dt
    if not least * (1 - 1e-9) <= seconds <= _LONGEST:
        raise InputError(f"plan: a recording of {seconds:g} s; expected {least:.3g} s (one window) to {_LONGEST:g} s")
    names = [c.name for c in world.channels]
    for name, (low, high) in ranges.items():
        if name not in names:
            raise unknown(f"channel of {world.name!r}:", name, names)
        if not low <= 0 <= high or low == high:
            raise InputError(
                f"range of {name!r}: expected LOW,HIGH around 0, where recordings start, got {low:g},{high:g}"
            )


def action_limits(world: World, given: Mapping[str, float], recorded: Sequence[Array] = ()) -> Array:
    """The largest action of each actuator, (A,).

    As given; else the model's control range; else the largest recorded action; else 1 in the action's unit.
    """
    names = [a.name for a in world.actions]
    for name, limit in given.items():
        if name not in names:
            raise unknown(f"action of {world.name!r}:", name, names)
        if not 0 < limit < np.inf:
            raise InputError(f"limit of {name!r}: expected a finite number above 0, got {limit:g}")
    largest = np.ones(len(names))
    if recorded:
        seen = np.max([np.abs(r).max(axis=0) for r in recorded], axis=0)
        largest = np.where(seen > 0, seen, largest)
    if isinstance(world, PhysicsWorld):
        limited = world.model.actuator_ctrllimited.astype(bool)
        low, high = world.model.actuator_ctrlrange.T
        for j in np.flatnonzero(limited):
            if not low[j] < 0 < high[j] and names[j] not in given:
                raise InputError(
                    f"action {names[j]!r} goes from {low[j]:g} to {high[j]:g} in the model, and excitations go to both"
                    " sides of 0; give its limit"
                )
        largest = np.where(limited, np.minimum(-low, high), largest)
    return np.array([given.get(name, x) for name, x in zip(names, largest, strict=True)])


def stays(
    world: World, rows: Array, excited: Sequence[Excitation], ranges: Mapping[str, tuple[float, float]]
) -> NDArray[np.bool_]:
    """Whether each excitation (C,) stays in its ranges under almost all of the rows (T, d), and diverges under none."""
    actions = np.stack([e.actions for e in excited])
    count, length = actions.shape[:2]
    number = np.tile(np.arange(count), len(rows))
    positions, rates = world.starts(len(number), stream(0, "plan", "starts"))
    every = max(1, min(round(_LOOK / world.control_dt), length - 1))
    segments = Segments(world.state(positions, rates), actions, number, np.zeros_like(number), length - 1, every)
    values = world.simulate(np.repeat(rows, count, axis=0), segments).regular.reshape(len(rows), count, -1, sum(
        c.width for c in world.channels))  # fmt: skip
    strayed = np.zeros(values.shape[:2], dtype=bool)
    for channel, at in zip(world.channels, columns(world.channels), strict=True):
        if channel.name in ranges:
            low, high = ranges[channel.name]
            strayed |= ((values[..., at] < low) | (values[..., at] > high)).any(axis=(2, 3))
    converged = np.isfinite(values).all(axis=(0, 2, 3))
    return np.asarray(converged & (strayed.mean(axis=0) <= _STRAYS))


class _Readings(Comparison):
    """A comparison in which an error of one is the noise on each channel, (D',)."""

    def __init__(self, world: World, target: Target, noise: Array) -> None:
        super().__init__(world, target)
        self._noise = noise

    def scales(self, windows: Windows) -> Array:
        return self._noise


def information(
    world: World, row: Array, actions: Sequence[Array], *, noise: Array, horizon: float | None = None
) -> Array:
    """Fisher information (C, d, d) in the parameters' scale of recordings of actions (T, A) each, under `row` (d,).

    `noise` (D',) is the standard deviation of what is read of each channel. Windows do not overlap.
    """
    comparison = _Readings(world, _simulated(world, row, np.stack(actions)), noise)
    windows = comparison.cuts((horizon or world.horizons[-1],))[0]
    prior = world.distributions()["prior"]
    assert isinstance(prior, Normal)
    problem = Problem(comparison, [windows], prior)
    problem.start_spread = np.hypot(problem.start_spread, start_noise(comparison, noise))
    _, jacobian, _ = problem.linearise(world.parameters.to_scale(row), windows)
    jacobian = np.where(np.isfinite(jacobian).all(axis=(1, 2), keepdims=True), jacobian, 0.0)
    each = jacobian.shape[1] * np.einsum("wrd,wre->wde", jacobian, jacobian)  # whitening divides by the instants
    out = np.zeros((len(actions), *each.shape[1:]))
    np.add.at(out, windows.segments.recording, each)
    return out


def _simulated(world: World, row: Array, actions: Array) -> Target:
    """Recordings of actions (C, T, A) under a row (d,), but for its noise."""
    quiet = np.where([p.stochastic for p in world.parameters], world.parameters.low, row)
    recordings = played(world, quiet, actions)
    return Target("simulated", recordings, "same engine, hidden parameters", "what an excitation is expected to do")


def assumed_noise(
    world: World, distribution: Distribution, given: Mapping[str, float], row: Array, actions: Sequence[Array]
) -> Array:
    """What is read wrongly of each channel, (D',): as given, else as the distribution says, else as fits assume.

    Rates are estimated from positions, so their noise is that of positions through the filter.
    """
    known = {n.removeprefix(NOISE): float(x) for n, x in zip(distribution.space.names, distribution.mean, strict=True)
             if n.startswith(NOISE) and n not in world.parameters.names}  # fmt: skip
    known |= given
    comparison = Comparison(world, _simulated(world, row, np.stack(actions)))
    noise = comparison.scales(comparison.cuts((world.horizons[-1],))[0])
    for channel, at in zip(world.channels, tangents(world.channels), strict=True):
        if channel.name in known:
            noise[at] = known[channel.name]
        elif channel.rate_of in known:
            noise[at] = slope_noise(world.control_dt) * known[channel.rate_of]
    return noise


def spread_root(world: World, distribution: Distribution, seed: int) -> Array:
    """A root L (d, r) of a distribution's covariance L L' over the world's own parameters, in their scale."""
    d = len(world.parameters)
    if isinstance(distribution, Normal):
        covariance = distribution.covariance[:d, :d]
    else:
        rows = distribution.sample(_MANY, stream(seed, "plan", "covariance"))[:, :d]
        covariance = np.cov(world.parameters.to_scale(rows), rowvar=False).reshape(d, d)
    size = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    known = values > _FLAT * values[-1]
    return np.asarray(size[:, None] * vectors[:, known] * np.sqrt(values[known]))


def greedy(informations: Array, root: Array, n: int) -> tuple[list[int], list[float], Array]:
    """Choose n of C recordings one after the other: (their numbers, gain of each in nats, spreads (n + 1, d)).

    Args:
        informations: (K, C, d, d) Fisher information of each recording under each of K draws.
        root: (d, r) of the covariance before; gains and variances are averaged over draws.
        n: how many.
    """
    inside = np.einsum("dr,kcde,es->kcrs", root, informations, root)
    known = np.repeat(np.eye(root.shape[1])[None], len(inside), axis=0)
    chosen: list[int] = []
    gains: list[float] = []
    spreads = [np.linalg.norm(root, axis=1)]
    for _ in range(n):
        more = np.linalg.slogdet(known[:, None] + inside)[1] - np.linalg.slogdet(known)[1][:, None]
        gain = 0.5 * more.mean(axis=0)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        gains.append(float(gain[chosen[-1]]))
        known = known + inside[:, chosen[-1]]
        variance = np.einsum("dr,krs,ds->kd", root, np.linalg.inv(known), root)
        spreads.append(np.sqrt(variance.mean(axis=0)))
    return chosen, gains, np.array(spreads)
