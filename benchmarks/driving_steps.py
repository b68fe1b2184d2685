"""How fast cars drive without pictures: whole steps of task `lane` of world `drive`, in one process on one core.

A step is all that `env.step` does: commands with their delay, the motion of the car, where it is beside its line, the
observation, the reward, the ends of episodes, and new episodes with parameters and starts of their own (`wide`). It is
measured twice: with the expert's decisions, which keep cars in their lane (deciding is not timed), and with uniform
ones, which end episodes after 2.5 s. The roads, 64 of a seed, are made before; what they take is printed.

The peer is Gymnasium's `CartPoleVectorEnv`, hand-written NumPy for a batch of four numbers each, without randomised
parameters, delay or roads: other work, and a yardstick that everyone has. They take turns, a fifth of the steps at a
time. Rates are of the wall clock and of CPU time, which does not count what else runs on the machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.table import show
from simloop import get_world
from simloop.worlds.drive.environment import ROADS, SHARED, DriveEnvironment

_BATCH, _STEPS, _TURNS, _TARGET = 256, 200, 5, 200_000


def run() -> None:
    """Print the table."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; Gymnasium {gym.__version__}")
    begun, used = time.perf_counter(), time.process_time()
    world = get_world("drive")
    env = world.make(_BATCH, task="lane", randomization="wide", seed=0)
    assert isinstance(env, DriveEnvironment)
    env.reset(options={"episodes": np.resize(np.arange(ROADS) * SHARED, _BATCH)})
    env.reset()
    print(f"{ROADS} roads made and loops compiled or read in {time.perf_counter() - begun:.1f} s"
          f" ({time.process_time() - used:.1f} s of CPU)\n")  # fmt: skip
    expert, rng = world.expert(), np.random.default_rng(0)
    pole = gym.make_vec("CartPole-v1", _BATCH, vectorization_mode="vector_entry_point")
    pole.reset(seed=0)
    uniform = rng.uniform(-1, 1, (_STEPS, _BATCH, 2)).astype(np.float32)
    pushes = rng.integers(0, 2, (_STEPS, _BATCH))
    kinds: dict[str, tuple[Callable[[Any], Any], Callable[[int], Any]]] = {
        "drive, the expert's decisions": (env.step, lambda k: expert(env)),
        "drive, uniform decisions": (env.step, lambda k: uniform[k]),
        "Gymnasium's CartPoleVectorEnv": (pole.step, lambda k: pushes[k]),
    }
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in kinds}
    for turn in range(_TURNS + 1):
        for name, (step, decide) in kinds.items():
            once = _turn(step, decide)
            if turn:  # the first one warms up
                found[name].append(once)
    peer = np.median([w for w, _, _ in found["Gymnasium's CartPoleVectorEnv"]])
    rows = []
    for name, turns in found.items():
        wall, cpu, ended = np.median(np.array(turns, dtype=float), axis=0)
        target = "" if "Gymnasium" in name else f">= {_TARGET:,}"
        rows.append([name, f"{wall:,.0f}", f"{max(w for w, _, _ in turns):,.0f}", f"{cpu:,.0f}", f"{wall / peer:.2f}",
                     f"{ended:.0f}", target])  # fmt: skip
    show(["what, batch of 256", "steps/s, median", "best", "steps/s of CPU time", "to the peer",
          f"episodes that ended in {_STEPS} steps", "target"], rows)  # fmt: skip
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def _turn(step: Callable[[Any], Any], decide: Callable[[int], Any]) -> tuple[float, float, int]:
    """Steps/s by the wall clock and by CPU time of `_STEPS` steps, and how many episodes ended in them."""
    wall = cpu = 0.0
    ended = 0
    for k in range(_STEPS):
        decision = decide(k)
        begun, used = time.perf_counter(), time.process_time()
        _, _, terminated, truncated, _ = step(decision)
        wall += time.perf_counter() - begun
        cpu += time.process_time() - used
        ended += int((terminated | truncated).sum())
    return _BATCH * _STEPS / wall, _BATCH * _STEPS / cpu, ended
