"""Mismatch: what no parameters in range explain, and where.

    found = mismatch(world, replay, fitted.mean, seed=0)
    print(found.found, found.sentences)

Short windows are simulated at the fitted parameters. What is left over is measured in units of what an error of the
window's start and of the sensors, as the recordings show them, would leave. Then everything that moving the parameters
could explain is taken out of it, to first order and within their prior spread; and what remains is searched for
structure: does its mean depend on where the machine is, how it moves, what is done, on time or on the file?

Every question is one sum of squares between bins. Where the world is right, leftovers of single windows are as likely
one way as the other, so the signs of windows are drawn anew (the parameters' share is taken out again each time), and
a finding counts only if it beats the strongest of all the questions' answers in 99 of 100 such redrawings (Westfall and
Young's max-T, 1993): one false alarm in a hundred worlds, not in a hundred questions. Findings that explain next to
nothing, of the leftover or beside what is expected of it, are not mentioned either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.gap.bootstrap import bootstrap_weights, percentile_interval, weighted_mean
from simloop.gap.ensemble import done, measured_columns
from simloop.gap.gap import quantity
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.targets.target import short_name
from simloop.targets.windows import Replay, Windows
from simloop.trajectories import columns, difference
from simloop.worlds.world import World

#: starts drawn for each window to see what an error of the start leaves
STARTS = 24
REDRAWINGS = 2000
#: what a finding must explain at least: of the leftover, beyond what as many bins explain by chance, and in units of
#: what errors of the start and of the sensors leave: structure far below those is no reason to distrust a world
LEAST_SHARE, LEAST_SIZE = 0.05, 0.05
#: largest chance, over all questions, of a finding as strong in a world that is right
CHANCE = 0.01
#: a leftover that is certainly this many times what is expected is one that no structure need be found in
LARGE = 2.0
#: leftovers beyond this many standard deviations count as this many, so that no window decides alone
CLIP = 3.0
BINS = 5
BEFORE = "the window before"


@dataclass(frozen=True, eq=False)
class Question:
    """One way to sort windows into bins, asked about the leftover of one column.

    Attributes:
        column: the tangent column of the leftover.
        of: what the windows are sorted by; "the window before" asks whether neighbours are alike.
        unit: of the edges.
        bins: (n,) the bin of each window; of neighbours, the index of the window before, or -1.
        edges: between the bins; empty where bins have names.
        names: of the bins, where they have some.
        sign: (n,) the direction that leftovers are counted along; ones, or that in which the channel moves.
    """

    column: int
    of: str
    unit: str
    bins: NDArray[np.int64]
    edges: tuple[float, ...]
    names: tuple[str, ...]
    sign: Array

    @property
    def along(self) -> bool:
        return bool((self.sign < 0).any())

    def statistic(self, z: Array) -> Array:
        """Of leftovers (B, n, D'), how much the bins' means hold: (B,), near normal where there is no structure."""
        x = z[:, :, self.column] * self.sign
        if self.of == BEFORE:
            at = np.flatnonzero(self.bins >= 0)
            return np.asarray((x[:, at] * x[:, self.bins[at]]).sum(axis=1))
        # the cube root makes sums of squares nearly normal (Wilson and Hilferty, 1931)
        return np.asarray(np.cbrt(((x @ self.member) ** 2 / self.member.sum(axis=0)).sum(axis=1)))

    @cached_property
    def member(self) -> Array:
        """(n, k) which bin each window is in."""
        return (self.bins[:, None] == np.unique(self.bins)).astype(float)

    def share(self, z: Array) -> float:
        """The part of the mean square of leftovers (n, D') that this question explains, beyond chance."""
        x = z[:, self.column] * self.sign
        total = max(float((x**2).sum()), 1e-300)
        if self.of == BEFORE:
            return float(self.statistic(z[None])[0] / total) ** 2
        explained = float(self.statistic(z[None])[0]) ** 3 / total
        chance = self.member.shape[1] / len(x)
        return (explained - chance) / (1 - chance)


@dataclass(frozen=True)
class Finding:
    """Where what is left over has structure.

    Attributes:
        channel, of: whose leftover, and by what it is sorted.
        p: after accounting for all the questions that were asked.
        share: of the leftover's mean square that the bins' means explain, beyond chance.
        means: of the leftover in each bin, in `unit`, simulated minus measured.
        edges: the bins' edges.
        sentence: the finding in words.
    """

    channel: str
    of: str
    p: float
    share: float
    means: tuple[float, ...]
    edges: tuple[float, ...]
    unit: str
    sentence: str


@dataclass(frozen=True)
class Leftover:
    """How large the leftover of a channel is: root mean square, in its unit, and as a ratio to what is expected."""

    channel: str
    unit: str
    rms: float
    ratio: float
    ratio_interval: tuple[float, float]

    @property
    def large(self) -> bool:
        return self.ratio_interval[0] > LARGE

    @property
    def sentence(self) -> str:
        low, high = self.ratio_interval
        return (
            f"the simulated {self.channel} is off by {quantity(self.rms, self.unit)} at the end of a window,"
            f" {self.ratio:.1f} [{low:.1f}, {high:.1f}] times what errors of the start and of the sensors leave"
        )


@dataclass(frozen=True)
class Mismatch:
    """Whether parameters in range explain the recordings, and where they do not; JSON-able by `to_dict`.

    Attributes:
        findings: structure, the strongest first.
        leftovers: how much is left over, by tangent column.
        horizon: s, length of the windows.
        windows, diverged: looked at; left out because a simulation blew up.
        questions: how many were asked.
    """

    findings: tuple[Finding, ...]
    leftovers: tuple[Leftover, ...]
    horizon: float
    windows: int
    diverged: int
    questions: int

    @property
    def found(self) -> bool:
        """Whether there is structure, or certainly more than LARGE times as much left over as is expected."""
        return bool(self.findings) or any(x.large for x in self.leftovers)

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(f.sentence for f in self.findings) + tuple(x.sentence for x in self.leftovers if x.large)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "found": self.found, "sentences": list(self.sentences)}


def mismatch(
    world: World,
    replay: Replay,
    row: ArrayLike,
    *,
    horizon: float | None = None,
    prior: Normal | None = None,
    seed: int = 0,
) -> Mismatch:
    """Look for structure in what fitted parameters leave over.

    Args:
        world: the simulator.
        replay: the recordings; best those that were not fitted.
        row: (d,) the fitted parameters of the world.
        horizon: s, length of the windows; by default the shortest that the world names.
        prior: how far parameters may move to explain what is left; by default the world's own prior.
        seed: of the starts and of the redrawn signs.
    """  # fmt: skip
    windows = replay.windows(min(min(world.horizons) if horizon is None else horizon, replay.longest_window))
    own = world.distributions()["prior"] if prior is None else prior
    assert isinstance(own, Normal)
    rows = world.parameters.check(row)
    simulated = _ends(world, windows, rows)
    left = _apart(world, windows, simulated)
    expected = _expected(world, replay, windows, rows, seed)
    jacobian = _jacobian(world, windows, rows[0], own)
    good = np.isfinite(left).all(1) & np.isfinite(expected).all(1) & np.isfinite(jacobian).all((1, 2))
    if good.sum() < 4 * BINS:
        raise InputError(
            f"mismatch: {good.sum()} windows that did not diverge, and at least {4 * BINS} are needed to look for"
            " structure; give more recordings or a shorter horizon"
        )
    windows, left, expected, jacobian = windows.take(np.flatnonzero(good)), left[good], expected[good], jacobian[good]
    # where next to nothing is expected, a leftover of typical size must not count as enormous
    unit = np.sqrt(expected**2 + (0.25 * np.median(np.abs(left), axis=0) / 0.6745) ** 2)
    residual = _Residual.of(left / unit, jacobian / unit[..., None])
    questions = list(_questions(world, windows))
    findings = _answers(world, residual, questions, unit, seed)
    return Mismatch(
        findings=tuple(findings),
        leftovers=_leftovers(world, windows, left, expected, seed),
        horizon=windows.horizon,
        windows=len(windows),
        diverged=int((~good).sum()),
        questions=len(questions),
    )


@dataclass(frozen=True, eq=False)
class _Residual:
    """Leftovers in units of what is expected, (n, D'), without what parameters in range explain.

    Attributes:
        values: (n, D') clipped, and the parameters' share taken out.
        basis, kept: (n D', k) orthonormal directions in which parameters move the leftovers, and the share (k,) of
            what lies along each that the prior lets them take.
        leverage: (n, D') how much of a leftover's variance the parameters took.
    """

    values: Array
    basis: Array
    kept: Array
    leverage: Array

    @classmethod
    def of(cls, z: Array, jacobian: Array) -> _Residual:
        """From leftovers z (n, D') and their change (n, D', d) for a standard deviation of each parameter's prior."""
        limit = CLIP * np.maximum(np.median(np.abs(z), axis=0) / 0.6745, 1.0)
        basis, size, _ = np.linalg.svd(jacobian.reshape(z.size, -1), full_matrices=False)
        taken = size**2 / (size**2 + 1.0)
        leverage = (basis**2 @ (2 * taken - taken**2)).reshape(z.shape)
        raw = cls(np.clip(z, -limit, limit), basis, taken, np.minimum(leverage, 0.95))
        return replace(raw, values=raw.without_parameters(raw.values[None])[0])

    def without_parameters(self, z: Array) -> Array:
        """Take out of leftovers (B, n, D') what moving the parameters within their prior explains."""
        flat = z.reshape(len(z), -1)
        return (flat - ((flat @ self.basis) * self.kept) @ self.basis.T).reshape(z.shape)

    def redrawn(self, signs: Array) -> Array:
        """Leftovers with the signs (B, n) of whole windows, the parameters' share taken out anew: (B, n, D')."""
        return self.without_parameters(signs[:, :, None] * (self.values / np.sqrt(1 - self.leverage)))


def _ends(world: World, windows: Windows, rows: Array) -> Array:
    """Measured columns at the windows' ends under rows (1 or n, d), without noise: (n, D)."""
    silent = np.array([p.stochastic for p in world.parameters])
    rows = np.where(silent, world.parameters.low, rows)
    return _last(world.simulate(rows, windows.segments).regular, windows)[:, measured_columns(world)]


def _last(values: Array, windows: Windows) -> Array:
    """Values (n, D) at each window's last measured instant, of (n, K, D)."""
    known = np.isfinite(windows.measured).all(axis=2).sum(axis=1)
    return np.asarray(values[np.arange(len(values)), np.maximum(known, 1) - 1])


def _apart(world: World, windows: Windows, simulated: Array) -> Array:
    """Simulated minus measured at the windows' last measured instant, (n, D')."""
    measured = _last(windows.measured, windows)[:, measured_columns(world)]
    return difference(simulated, measured, world.measured)


def _expected(world: World, replay: Replay, windows: Windows, row: Array, seed: int) -> Array:
    """Standard deviation (n, D') that errors of the start and of the sensors alone would leave."""
    n, at = len(windows), measured_columns(world)
    many = windows.take(np.tile(np.arange(n), STARTS))
    segments = many.segments
    draws = stream(seed, "mismatch", "starts").standard_normal((STARTS // 2, n, segments.state.shape[1]))
    offsets = np.concatenate([draws, -draws]).reshape(STARTS * n, -1) * replay.start_spread
    moved = replace(segments, state=segments.state + offsets)
    ends = _last(world.simulate(row, moved, seed=seed).regular, many)[:, at].reshape(STARTS, n, -1)
    spread = difference(ends, ends[:1], world.measured).std(axis=0, ddof=1)
    noise = difference(replay.measured[..., at], replay.filtered[..., at], world.measured)
    return np.sqrt(spread**2 + np.nanmean(noise**2, axis=(0, 1)))


def _jacobian(world: World, windows: Windows, row: Array, prior: Normal) -> Array:
    """Change (n, D', d) of the ends for one standard deviation of each parameter's prior, by a hundredth of it."""
    space, n = world.parameters, len(windows)
    moving = np.flatnonzero([not (p.stochastic or whole) for p, whole in zip(space, space.discrete, strict=True)])
    z = space.to_scale(row)
    step = 0.01 * prior.spread
    step = np.where(z + step > space.to_scale(space.high), -step, step)
    there = np.concatenate([z[None], z + np.diag(step)[moving]])
    rows = np.clip(space.from_scale(there), space.low, space.high)
    many = windows.take(np.tile(np.arange(n), len(rows)))
    ends = _ends(world, many, np.repeat(rows, n, axis=0)).reshape(len(rows), n, -1)
    change = difference(ends[1:], np.broadcast_to(ends[0], ends[1:].shape), world.measured)
    return np.asarray(np.moveaxis(change, 0, -1) * (prior.spread / step)[moving])


def _questions(world: World, windows: Windows) -> Iterator[Question]:
    """Every leftover by positions, velocities, speeds, actions, time, file, and by the window before.

    Positions and velocities are the recording's own in the middle of a window: those at the start were estimated from
    few samples, and whatever was estimated too fast would also end too far.
    """
    n, labels = len(windows), _labels(world)
    ones = np.ones(n)
    velocity = _velocities(world, windows)
    sorted_by: list[tuple[str, str, Array]] = [*_positions(world, windows)]
    sorted_by += [(f"{label}'s velocity", f"{unit}/s", velocity[:, k]) for k, (label, unit) in enumerate(labels)]
    sorted_by += [(a.name, a.unit, x) for a, x in zip(world.actions, done(windows).mean(axis=1).T, strict=True)]
    sorted_by.append(("time in the recording", "s", windows.segments.start.astype(np.float64) * world.control_dt))
    speeds = [(f"|{label}'s velocity|", f"{unit}/s", np.abs(velocity[:, k])) for k, (label, unit) in enumerate(labels)]
    files = np.unique(windows.file)
    previous = _previous(windows)
    for column in range(len(labels)):
        for of, unit, x in sorted_by:
            if (binned := _binned(x)) is not None:
                yield Question(column, of, unit, *binned, (), ones)
        direction = np.where(velocity[:, column] < 0, -1.0, 1.0)
        for of, unit, x in speeds:
            if (binned := _binned(x)) is not None:
                yield Question(column, of, unit, *binned, (), direction)
        if 2 <= len(files) <= n / 8:
            names = tuple(short_name(windows.files[f]) for f in files)
            yield Question(column, "the recording", "", np.searchsorted(files, windows.file), (), names, ones)
        if (previous >= 0).sum() >= 20:
            yield Question(column, BEFORE, "", previous, (), (), ones)


def _labels(world: World) -> list[tuple[str, str]]:
    """Name and unit of each tangent column of the measured channels."""
    return [
        (c.name if c.tangent == 1 else f"{c.name} {axis}", c.error_unit)
        for c in world.measured
        for axis in "xyz"[: c.tangent]
    ]


def _binned(x: Array) -> tuple[NDArray[np.int64], tuple[float, ...]] | None:
    """Bins of equal counts, and the edges between them; None where x hardly varies."""
    edges = np.unique(np.quantile(x, np.arange(1, BINS) / BINS))
    edges = edges[(edges > x.min()) & (edges < x.max())]
    if not len(edges) or np.ptp(x) < 1e-9:
        return None
    return np.searchsorted(edges, x, side="right"), tuple(edges.tolist())


def _velocities(world: World, windows: Windows) -> Array:
    """Mean velocity of the measured columns over each window, (n, D')."""
    at = measured_columns(world)
    change = difference(_last(windows.measured, windows)[:, at], windows.before[:, at], world.measured)
    steps = windows.segments.recorded[np.isfinite(windows.measured).all(axis=2).sum(axis=1) - 1]
    return np.asarray(change / (steps[:, None] * world.control_dt))


def _positions(world: World, windows: Windows) -> Iterator[tuple[str, str, Array]]:
    """Label, unit and value (n,) of where each window is in its middle; rotations have no order to sort by."""
    middle = (_last(windows.measured, windows) + windows.before) / 2
    for channel, at in zip(world.channels, columns(world.channels), strict=True):
        if channel.rate_of or channel.kind == "quaternion":
            continue
        x = middle[:, at]
        if channel.kind == "angle":
            x = (x + np.pi) % (2 * np.pi) - np.pi
        for k, axis in enumerate("xyz"[: channel.width]):
            yield channel.name if channel.width == 1 else f"{channel.name} {axis}", channel.unit, x[:, k]


def _previous(windows: Windows) -> NDArray[np.int64]:
    """(n,) the index of the window that ends where this one starts, or -1."""
    s = windows.segments
    ends = {(int(r), int(t)): i for i, (r, t) in enumerate(zip(s.recording, s.start + s.steps, strict=True))}
    return np.array([ends.get((int(r), int(t)), -1) for r, t in zip(s.recording, s.start, strict=True)])


def _answers(world: World, residual: _Residual, questions: list[Question], unit: Array, seed: int) -> list[Finding]:
    """Findings that beat chance over all questions and explain enough, the strongest first."""
    chances = _chances(residual, questions, seed)
    found = []
    for q, p in zip(questions, chances, strict=True):
        share = q.share(residual.values)
        size = share * float((residual.values[:, q.column] ** 2).mean())
        if p <= CHANCE and share >= LEAST_SHARE and size >= LEAST_SIZE:
            found.append(_finding(world, q, residual, unit, p, share))
    return sorted(found, key=lambda f: -f.share)


def _chances(residual: _Residual, questions: list[Question], seed: int) -> list[float]:
    """For each question the chance that any of them all is answered as strongly where the world is right."""
    n = len(residual.values)
    signs = stream(seed, "mismatch", "signs").choice(np.array([-1.0, 1.0]), (REDRAWINGS, n))
    redrawn = np.concatenate([residual.values[None], residual.redrawn(signs)])
    statistics = np.stack([q.statistic(redrawn) for q in questions], axis=1)
    by_chance = statistics[1:]
    z = (statistics - by_chance.mean(axis=0)) / np.maximum(by_chance.std(axis=0), 1e-300)
    strongest = z[1:].max(axis=1)
    return [float((1 + (strongest >= own).sum()) / (1 + len(strongest))) for own in z[0]]


def _finding(world: World, q: Question, residual: _Residual, unit: Array, p: float, share: float) -> Finding:
    label, channel_unit = _labels(world)[q.column]
    x = residual.values[:, q.column] * unit[:, q.column] * q.sign
    chance = f"p {'< 0.001' if p < 0.001 else f'= {p:.2g}'}"
    explains = f"(explains {share:.0%} of what is left over, {chance})"
    if q.of == BEFORE:
        sentence = (
            f"what is left over of {label} resembles that of the window before {explains}: something slower than a"
            " window is missing"
        )
        return Finding(label, q.of, p, share, (), (), channel_unit, sentence)
    each = [q.bins == b for b in np.unique(q.bins)]
    means = [float(x[e].mean()) for e in each]
    strength = [abs(residual.values[e, q.column] @ q.sign[e]) / np.sqrt(e.sum()) for e in each]
    worst = int(np.argmax(strength))
    amount = quantity(abs(means[worst]), channel_unit)
    if q.along:
        what = f"moves {amount} {'further' if means[worst] > 0 else 'less'} than the real one"
    else:
        what = f"ends {amount} {'above' if means[worst] > 0 else 'below'} the real one"
    sentence = f"with any parameters in range the simulated {label} {what} where {_where(q, worst)} {explains}"
    return Finding(label, q.of, p, share, tuple(means), q.edges, channel_unit, sentence)


def _where(q: Question, b: int) -> str:
    """The bin b of a question, in words."""
    if q.names:
        return f"{q.of} is {q.names[b]}"
    if b == 0:
        return f"{q.of} is below {quantity(q.edges[0], q.unit)}"
    if b == len(q.edges):
        return f"{q.of} is above {quantity(q.edges[-1], q.unit)}"
    return f"{q.of} is between {quantity(q.edges[b - 1], q.unit)} and {quantity(q.edges[b], q.unit)}"


def _leftovers(world: World, windows: Windows, left: Array, expected: Array, seed: int) -> tuple[Leftover, ...]:
    weights = bootstrap_weights(windows.file, seed)
    rms, expects = (np.sqrt(weighted_mean(x**2, weights)) for x in (left, expected))
    ratio = rms / np.maximum(expects, 1e-300)
    return tuple(
        Leftover(label, unit, float(rms[0, k]), float(ratio[0, k]), percentile_interval(ratio[1:, k]))
        for k, (label, unit) in enumerate(_labels(world))
    )
