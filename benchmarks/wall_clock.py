"""Seconds to a fixed return: the same PPO of Stable-Baselines3 on running batches and on its own vector environments.

The task is swing-up of the double pendulum with both motors; network and hyper-parameters are those that `simloop
train` uses by default (128 episodes at once, 64 decisions between updates, minibatches of 2048, 8 epochs, Adam 1e-3,
64-64 tanh), with observations and rewards normalised. Only the environments differ: `BaselinesEnvironment` on
`make(128)`, and 128 of the plain pendulum (`plain_pendulum.py`) in `DummyVecEnv` or `SubprocVecEnv`, whichever is
faster in a trial.

Twice: with neither delay nor noise, which is the most that a plain environment leaves out, and with delays up to 15 ms
and noisy joint angles in both, which is what training for a real machine is. The clock stops where the last 100
episodes' mean return reached RETURN, and counts environments and learner apart. PyTorch has one thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.plain_pendulum import DELAY, NAME, SENSOR_NOISE, TASK, PlainPendulum
from benchmarks.table import show
from simloop import get_world
from simloop.distributions import Point, Product, Uniform
from simloop.learn.reinforcement import PPO
from simloop.parameters import ParameterSpace
from simloop.worlds.uncertain import NOISE, uncertain_space

#: of 300 decisions that are rewarded by at most 1
RETURN = 200.0
SEEDS = (0, 1, 2)
_MOST = 2_000_000
#: rollouts of a trial that says which of Stable-Baselines3's vector environments is faster
_TRIAL = 2


def run() -> None:
    """Print the tables."""
    import stable_baselines3
    import torch

    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; Stable-Baselines3"
          f" {stable_baselines3.__version__}, PyTorch {torch.__version__}; PPO to a return of {RETURN:g}")  # fmt: skip
    for delayed in (False, True):
        peers = {"DummyVecEnv": partial(_dummy, delayed), "SubprocVecEnv": partial(_subprocesses, delayed)}
        trials = {
            label: train(make, seed=0, most=_TRIAL * PPO.envs * PPO.horizon).seconds for label, make in peers.items()
        }
        best = min(trials, key=lambda label: trials[label])
        what = "delays and noise in both" if delayed else "neither delay nor noise"
        took = ", ".join(f"{label} took {seconds:.1f} s" for label, seconds in trials.items())
        print(f"\n{what}; in a trial of {_TRIAL} rollouts {took}\n", flush=True)
        rows, ratios = [], []
        for seed in SEEDS:
            until = {}
            for label, make in (("simloop", partial(_batch, delayed, seed)), (best, peers[best])):
                found = train(make, seed=seed, most=_MOST)
                until[label] = found.seconds
                rows.append([seed, label, f"{found.decisions:,}", f"{'' if found.reached else '> '}{found.seconds:.1f}",
                             f"{found.inside:.1f}", f"{found.seconds - found.inside:.1f}", f"{found.cpu:.1f}",
                             f"{found.decisions / found.seconds:,.0f}"])  # fmt: skip
            ratios.append(until[best] / until["simloop"])
        show(["seed", "environments", "decisions", "s to the return", "s in environments", "s in learner", "s of CPU",
              "decisions/s"], rows)  # fmt: skip
        print(f"\nratio of s to the return: {', '.join(f'{r:.2f}' for r in ratios)}, median {np.median(ratios):.2f};"
              " target >= 3")  # fmt: skip
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def _batch(delayed: bool, seed: int) -> Any:
    """A running batch for Stable-Baselines3; the parameters of the body are the defaults."""
    from simloop.learn.sb3 import BaselinesEnvironment

    world = get_world(NAME)
    randomization = None
    if delayed:
        space = uncertain_space(world, {NOISE + c.name: SENSOR_NOISE for c in world.measured})
        body = [p for p in world.parameters if not p.name.endswith(".delay")]
        late = ParameterSpace(p for p in world.parameters if p.name.endswith(".delay"))
        noise = ParameterSpace(p for p in space if p.name.startswith(NOISE))
        parts = [
            Point(ParameterSpace(body)),
            Uniform(late, late.low, np.full(len(late), DELAY)),
            Point(noise, noise.high),
        ]
        randomization = Product(None, parts)
    return BaselinesEnvironment(world.make(PPO.envs, task=TASK, randomization=randomization, seed=seed))


def _plain(delayed: bool) -> Any:
    from stable_baselines3.common.monitor import Monitor

    return Monitor(PlainPendulum(scaled=True, delayed=delayed))


def _dummy(delayed: bool) -> Any:
    from stable_baselines3.common.vec_env import DummyVecEnv

    return DummyVecEnv([partial(_plain, delayed)] * PPO.envs)


def _subprocesses(delayed: bool) -> Any:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    return SubprocVecEnv([partial(_plain, delayed)] * PPO.envs, start_method="fork")


@dataclass(frozen=True)
class Training:
    """How long a training took: decisions, s, s of them in environments, s of CPU, and whether it got there."""

    decisions: int
    seconds: float
    inside: float
    cpu: float
    reached: bool


def train(make: Callable[[], Any], *, seed: int, most: int) -> Training:
    """Train until the return is reached, or for `most` decisions."""
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecEnvWrapper, VecNormalize

    class Timed(VecEnvWrapper):  # type: ignore[misc]
        """Counts the seconds in which environments are stepped."""

        inside = 0.0

        def reset(self) -> Any:
            return self.venv.reset()

        def step(self, actions: Any) -> Any:
            begun = time.perf_counter()
            found = self.venv.step(actions)
            self.inside += time.perf_counter() - begun
            return found

        def step_async(self, actions: Any) -> None:
            self._actions = actions

        def step_wait(self) -> Any:
            return self.step(self._actions)

    class Until(BaseCallback):  # type: ignore[misc]
        """Stops where the return is reached."""

        reached = False

        def _on_rollout_end(self) -> None:
            last = [e["r"] for e in self.model.ep_info_buffer]
            self.reached = len(last) == 100 and float(np.mean(last)) >= RETURN

        def _on_step(self) -> bool:
            return not self.reached

    learner, timed, until = PPO(), Timed(make()), Until()
    envs = VecNormalize(timed, gamma=learner.discount)
    model = learner.model(envs, seed)
    begun, used = time.perf_counter(), time.process_time()
    model.learn(most, callback=until)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    envs.close()
    return Training(model.num_timesteps, seconds, timed.inside, cpu, until.reached)
