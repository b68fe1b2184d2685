"""The channel between a policy and its body in closed loop: the effects of `channel.py`, one decision at a time.

Actions reach the body as in a replay, `gain * u(t - delay) + bias + noise` on every control step, where a decision is
held until the next one; with what a distribution adds (`worlds/uncertain.py`) they are pushed and get lost, and
sensors are noisy, late, quantised and lose readings. Every episode draws from its own stream, so that what happens
to it depends neither on how many run beside it nor on what came before.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.trajectories import columns, displaced, tangents
from simloop.worlds.channel import ControlChannel
from simloop.worlds.uncertain import DROP, LAG, NOISE, PUSH, STEP
from simloop.worlds.world import World

#: decisions of an episode whose noise is drawn at once
_BLOCK = 64


class LoopChannel:
    """Delays, gains, biases, noise and losses of a batch of episodes.

    Args:
        world, channel: the world and its table of effects.
        space: of the parameter rows: the world's own parameters, then what a distribution adds.
        num_envs: episodes at once, n.
        steps: control steps in a decision, k.
        seed: of the noise.
    """

    def __init__(
        self, world: World, channel: ControlChannel, space: ParameterSpace, *, num_envs: int, steps: int, seed: int
    ) -> None:
        n, width = num_envs, len(world.actions)
        self._channels, self._steps, self._dt, self._seed = world.channels, steps, world.control_dt, seed
        values, spread = sum(c.width for c in world.channels), sum(c.tangent for c in world.channels)
        self._gain, self._bias, self._delay, self._shake, self._lost = (np.zeros((n, width)) for _ in range(5))
        self._gain[:] = 1.0
        self._noise = np.zeros((n, spread))
        self._lag, self._step, self._drop = (np.zeros((n, values)) for _ in range(3))
        by_action = {"gain": self._gain, "bias": self._bias, "delay": self._delay, "noise": self._shake}
        by_value = {LAG: self._lag, STEP: self._step, DROP: self._drop}
        #: (array, its column, column of the parameter row): how rows are kept
        self._kept: list[tuple[Array, int, int]] = [
            (by_action[what], j, column) for (what, j), column in channel.of_actions.items()
        ]
        self._kept += [(self._noise, j, column) for j, column in channel.of_sensors.items()]
        index = {name: j for j, name in enumerate(space.names)}
        for j, action in enumerate(world.actions):
            if DROP + action.name in index:
                self._kept.append((self._lost, j, index[DROP + action.name]))
        for c, at, own in zip(world.channels, columns(world.channels), tangents(world.channels), strict=True):
            if NOISE + c.name in index:
                self._kept += [(self._noise, j, index[NOISE + c.name]) for j in range(own.start, own.stop)]
            for what, array in by_value.items():
                if what + c.name in index:
                    self._kept += [(array, j, index[what + c.name]) for j in range(at.start, at.stop)]
        self._used = {id(array) for array, _, _ in self._kept}
        #: (array, its columns, columns of the parameter row)
        self._groups = [
            (array, [j for a, j, _ in self._kept if a is array], [c for a, _, c in self._kept if a is array])
            for array in {id(a): a for a, _, _ in self._kept}.values()
        ]
        longest = max((space.high[c] for a, _, c in self._kept if a is self._delay), default=0.0) / self._dt
        latest = max((space.high[c] for a, _, c in self._kept if a is self._lag), default=0.0) / (self._dt * steps)
        self._past = np.zeros((math.ceil((longest + 1) / steps) + 1, n, width))  # decisions, the newest first
        self._readings = np.zeros((math.ceil(latest) + 2, n, values))  # true readings, a ring
        #: where in all of `_past` the samples stand that are held just after and just before the delayed time, and
        #: what they are multiplied with
        self._at = np.zeros((2, n, steps, width), dtype=np.int64)
        self._weight = np.zeros((2, n, 1, width))
        #: control steps from a sample just after and just before each of a decision, rounded up to whole decisions
        self._since = np.arange(2)[:, None, None, None] - np.arange(steps)[:, None] + steps - 1
        self._own = np.arange(n * width).reshape(n, 1, width)
        self._pushed = self._has(self._bias) or any(name.startswith(PUSH) for name in space.names)
        self._flat = all(c.width == c.tangent for c in world.channels)
        self._last = np.zeros((n, values))  # what was seen last
        self._now = 0
        self._age = np.zeros(n, dtype=np.int64)
        self._rngs: list[np.random.Generator | None] = [None] * n
        self._normals = np.zeros((n, _BLOCK, self._has(self._shake) * steps * width + self._has(self._noise) * spread))
        self._chances = np.zeros((n, _BLOCK, self._has(self._lost) * width + self._has(self._drop) * values))
        self._all = np.arange(n)

    def _has(self, array: Array) -> bool:
        return id(array) in self._used

    def begin(
        self, ids: NDArray[np.int64], rows: Array, episodes: NDArray[np.int64], push: Array, rest: Array, values: Array
    ) -> None:
        """Begin `episodes` (m,), numbered, in the places `ids` (m,).

        Args:
            ids: where.
            episodes: which.
            rows: (m, d) their parameters.
            push: (m, A) constant that is added to their actions.
            rest: (A,) what was commanded before they began.
            values: (m, D) true readings at their start.
        """
        if self._pushed:
            self._bias[ids] = 0.0
        for array, places, own in self._groups:
            array[ids[:, None], places] = rows[:, own]
        if self._pushed:
            self._bias[ids] += push
        if self._has(self._delay):
            delay = self._delay[ids, None] / self._dt
            whole = np.floor(delay).astype(np.int64)
            gain, blend = self._gain[ids, None], delay - whole
            self._weight[0, ids], self._weight[1, ids] = gain * (1 - blend), gain * blend
            back = (whole + self._since) // self._steps  # in decisions
            self._at[:, ids] = back * self._gain.size + self._own[ids]
        self._past[:, ids] = rest
        if self._has(self._lag):
            self._readings[:, ids] = values
        if self._has(self._drop):
            self._last[ids] = values
        self._age[ids] = 0
        if self._normals.size or self._chances.size:
            for i, episode in zip(ids, episodes, strict=True):
                self._rngs[i] = stream(self._seed, "channel", int(episode))
            self._draw(ids)

    def _draw(self, ids: NDArray[np.int64]) -> None:
        """Draw the next block of noise of the episodes in places `ids`."""
        for i in ids:
            rng = self._rngs[i]
            assert rng is not None
            rng.standard_normal(out=self._normals[i])
            if self._chances.size:
                rng.random(out=self._chances[i])

    def act(self, decision: Array) -> Array:
        """Take decisions (n, A): what reaches the body, (n, k, A), or (n, 1, A) where it is constant meanwhile."""
        at = self._age % _BLOCK
        width = decision.shape[1]
        if self._has(self._lost):
            lost = self._chances[self._all, at, :width] < self._lost
            decision = np.where(lost, self._past[0], decision)
        self._now += 1
        self._past[1:] = self._past[:-1]
        self._past[0] = decision
        if self._has(self._delay):
            out = self._past.take(self._at[0])
            out *= self._weight[0]
            earlier = self._past.take(self._at[1])
            earlier *= self._weight[1]
            out += earlier
        else:
            out = (self._gain * decision)[:, None]
        if self._pushed:
            out += self._bias[:, None]
        if self._has(self._shake):
            draws = self._normals[self._all, at, : self._steps * width].reshape(-1, self._steps, width)
            out = out + self._shake[:, None] * draws
        self._age += 1
        if (self._normals.size or self._chances.size) and (at == _BLOCK - 1).any():
            self._draw(np.flatnonzero(at == _BLOCK - 1))
        return np.asarray(out)

    def sense(self, values: Array, ids: NDArray[np.int64] | None = None) -> Array:
        """What sensors say of true readings (m, D) in the places `ids`, by default all of them: (m, D)."""
        ids = self._all if ids is None else ids
        at, seen = self._age[ids] % _BLOCK, values
        if self._has(self._lag):
            depth = len(self._readings)
            self._readings[self._now % depth, ids] = values
            lag = self._lag[ids] / (self._dt * self._steps)
            whole = np.floor(lag).astype(np.int64)
            places, which = ids[:, None], np.arange(values.shape[1])
            later, earlier = (self._readings[(self._now - whole - k) % depth, places, which] for k in range(2))
            seen = later + (lag - whole) * (earlier - later)
        if self._has(self._noise):
            by = self._normals[ids, at, -self._noise.shape[1] :]
            by *= self._noise[ids]
            seen = seen + by if self._flat else displaced(seen, by, self._channels)
        if self._has(self._step):
            step = self._step[ids]
            seen = np.where(step > 0, np.round(seen / np.where(step > 0, step, 1.0)) * step, seen)
        if self._has(self._drop):
            lost = self._chances[ids, at, -values.shape[1] :] < self._drop[ids]
            seen = np.where(lost & (self._age[ids] > 0)[:, None], self._last[ids], seen)
            self._last[ids] = seen
        return np.asarray(seen)
