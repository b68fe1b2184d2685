"""The channel between a policy (or a recording) and a body: delay, gain, bias and noise, as parameters.

A world declares its channel as a table of effects, each driven by one parameter:

    Effect("motor1.delay", on="motor1", what="delay")       # seconds; blends the two neighbouring held samples

Actions go through gain * u(t - delay) + bias + noise; observations get noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.trajectories import Channel
from simloop.worlds.world import Segments

EFFECTS = ("gain", "delay", "bias", "noise")


@dataclass(frozen=True)
class Effect:
    """One row of a channel's table: `parameter` is the `what` of the action or observed channel `on`."""

    parameter: str
    on: str
    what: Literal["gain", "delay", "bias", "noise"]


class ControlChannel:
    """Applies a table of effects to the actions and observations of one world."""

    def __init__(
        self,
        effects: Sequence[Effect],
        space: ParameterSpace,
        actions: Sequence[Channel],
        channels: Sequence[Channel],
        dt: float,
    ) -> None:
        self.dt = dt
        self.effects = tuple(effects)
        names = [a.name for a in actions]
        observed = [c.name for c in channels]
        #: (effect, column of the actions) -> column of the parameter row
        self.of_actions: dict[tuple[str, int], int] = {}
        #: column of a difference of observations -> column of the parameter row that is its noise
        self.of_sensors: dict[int, int] = {}
        ends = np.cumsum([0] + [c.width for c in channels])
        for effect in effects:
            column = space.index(effect.parameter)
            if effect.on in names:
                self.of_actions[effect.what, names.index(effect.on)] = column
            else:
                k = observed.index(effect.on)
                for j in range(int(ends[k]), int(ends[k + 1])):
                    self.of_sensors[j] = column

    def act(self, rows: Array, segments: Segments, *, seed: int, numbers: NDArray[np.int64]) -> Array:
        """Return the actions that reach the body, (n, steps, A), for parameter rows (n, d).

        `numbers` (n,) are those of the segments in their call, which key the noise.
        """
        n, steps = len(segments), segments.steps
        _, length, width = segments.actions.shape
        out = np.empty((n, steps, width))
        for j in range(width):
            delay = self._value("delay", j, rows) / self.dt
            whole = np.floor(delay).astype(np.int64)
            # a row of held samples for each segment: the one before the delayed start, then `steps` more
            begin = segments.start - whole - 1
            lead = int(max(0, -begin.min(initial=0)))
            held = np.concatenate(
                [np.repeat(segments.actions[:, :1, j], lead, axis=1), segments.actions[:, :, j]], axis=1
            )
            runs = np.lib.stride_tricks.sliding_window_view(held.reshape(-1), steps + 1)
            u = runs[segments.recording * (length + lead) + begin + lead]
            blend = (delay - whole)[:, None]
            gain = self._value("gain", j, rows, 1.0)[:, None]
            np.multiply(u[:, 1:], gain * (1 - blend), out=out[:, :, j])
            out[:, :, j] += u[:, :-1] * (gain * blend)
            if ("bias", j) in self.of_actions:
                out[:, :, j] += self._value("bias", j, rows)[:, None]
        if segments.push is not None:
            out += segments.push[:, None]
        noisy = {j: column for (what, j), column in self.of_actions.items() if what == "noise"}
        self._add_noise(out, rows, noisy, "action noise", seed, numbers)
        return out

    def observe(self, rows: Array, values: Array, *, seed: int, numbers: NDArray[np.int64]) -> Array:
        """Add the sensors' noise to values (n, T, D), in place.

        Delay, gain and bias of sensors are no effects here: a replayed window starts from what the sensors reported,
        so they would have to be taken out of its start again.
        """
        self._add_noise(values, rows, self.of_sensors, "observation noise", seed, numbers)
        return values

    def _value(self, what: str, j: int, rows: Array, absent: float = 0.0) -> Array:
        column = self.of_actions.get((what, j))
        return np.full(len(rows), absent) if column is None else rows[:, column]

    @staticmethod
    def _add_noise(
        x: Array, rows: Array, noisy: dict[int, int], name: str, seed: int, numbers: NDArray[np.int64]
    ) -> None:
        """Add Gaussian noise with the standard deviations that the rows name, one stream for each segment."""
        if not noisy or not rows[:, list(noisy.values())].any():
            return
        for i in range(len(x)):
            draws = stream(seed, name, int(numbers[i])).standard_normal(x.shape[1:])
            for j, column in noisy.items():
                x[i, :, j] += rows[i, column] * draws[:, j]
