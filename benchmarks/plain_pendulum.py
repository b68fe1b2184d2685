"""The double pendulum as anyone would write it for Gymnasium: one `MjData`, the same model, task and decisions.

It is what the benchmarks compare running batches with: nothing in it is random but where an episode starts, and its
channel has neither delay nor noise, unless it is `delayed`: then it does what the batch does in every control step.
What it does in a decision is written in plain arithmetic, which is faster for one
episode than array functions are. `agree` says how far it is from the batch, in observations and rewards.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from simloop import get_world
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.swing_up import SwingUp

NAME, TASK = "double-pendulum", "swing-up"
#: where it is delayed: s, the longest delay of a motor; rad, standard deviation of the noise on joint angles
DELAY, SENSOR_NOISE = 0.015, 0.005


class PlainPendulum(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Swing-up with both motors; actions (2,), N m, or in [-1, 1] where `scaled`.

    Where it is `delayed`, each episode draws a delay up to 15 ms for each motor, and joint angles are noisy.
    """

    def __init__(self, *, scaled: bool = False, delayed: bool = False) -> None:
        world = get_world(NAME)
        assert isinstance(world, PhysicsWorld)
        task = world.task(TASK)
        assert isinstance(task, SwingUp)
        self.model, self.task = world.model, task
        self.data = mujoco.MjData(self.model)
        self.substeps = round(task.decision_dt / self.model.opt.timestep)
        self.high = np.array(task.high)
        limit = np.ones(2, dtype=np.float32) if scaled else self.high.astype(np.float32)
        self.unit = self.high if scaled else np.ones(2)
        self.action_space = gym.spaces.Box(-limit, limit, dtype=np.float32)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (6,), np.float32)
        self.steps, self.delayed = 0, delayed
        self.control_dt, self.past = world.control_dt, np.zeros((20, 2))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:], self.data.qvel[:] = self.task.start(self.np_random)
        self.steps = 0
        if self.delayed:
            self.past[:] = 0
            delay = self.np_random.uniform(0, DELAY, 2) / self.control_dt
            self.whole, self.motors = np.floor(delay).astype(int), np.arange(2)
            self.blend = delay - self.whole
        return self._observe(), {}

    def _observe(self) -> NDArray[np.float32]:
        angle = self.data.qpos + SENSOR_NOISE * self.np_random.standard_normal(2) if self.delayed else self.data.qpos
        return np.concatenate([np.sin(angle), np.cos(angle), self.data.qvel / self.task.speed], dtype=np.float32)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        torque = np.clip(action * self.unit, -self.high, self.high)
        if self.delayed:
            self._step_late(torque)
        else:
            self.data.ctrl[:] = torque
            mujoco.mj_step(self.model, self.data, self.substeps)
        self.steps += 1
        observation = self._observe()
        over = bool(np.abs(self.data.qvel).max() > self.task.speed_limit)
        return observation, self._reward(observation, torque), over, self.steps >= self.task.steps and not over, {}

    def _step_late(self, torque: NDArray[np.float64]) -> None:
        """Apply what was commanded a delay ago in every control step; `past` holds the newest commands last."""
        self.past[:-10] = self.past[10:]
        self.past[-10:] = torque
        at = len(self.past) - 10 - self.whole
        for k in range(10):
            late = self.past[at + k, self.motors] * (1 - self.blend) + self.past[at + k - 1, self.motors] * self.blend
            self.data.ctrl[:] = late
            mujoco.mj_step(self.model, self.data)

    def _reward(self, observation: NDArray[np.float32], torque: NDArray[np.float64]) -> float:
        sine1, sine2, cosine1, cosine2, rate1, rate2 = observation.tolist()
        high = (2 - cosine1 - (cosine1 * cosine2 - sine1 * sine2)) / 4
        effort = ((torque / self.high) ** 2).mean()
        still = 1 / (1 + rate1 * rate1 + rate2 * rate2) * (1 - 0.1 * effort)
        return float(0.2 * high + 0.8 * high**4 * still)


def agree(decisions: int = 20) -> float:
    """Return the largest difference between this and the batch, of observations and rewards, over some decisions."""
    plain = PlainPendulum()
    batch = get_world(NAME).make(1, task=TASK, autoreset="disabled")
    batch.reset(seed=0)
    plain.reset(seed=0)
    plain.data.qpos[:] = batch.values[0, :2]
    plain.data.qvel[:] = batch.values[0, 2:]
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(decisions):
        action = rng.uniform(-plain.high, plain.high).astype(np.float32)
        seen, reward, *_ = plain.step(action)
        batch_seen, batch_reward, *_ = batch.step(action[None])
        worst = max(worst, float(np.abs(seen - batch_seen[0]).max()), abs(reward - float(batch_reward[0])))
    return worst
