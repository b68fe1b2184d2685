"""How fast environments are: against bare `mujoco.batch`, Gymnasium's vector environments and EnvPool, in one run.

Every environment of simloop draws its parameters anew in each episode (`wide`), and has a delay, gain and noise on all
that it measures. Actions are uniform between their limits, so episodes end and begin as they do in training.

Against the limit, environment and bare loop take turns, ten decisions each, for a whole episode at a time. The bare one
starts each turn from the environment's states and parameters and takes the same decisions, on as many threads; getting
it there is not timed. It steps by `Batch.rollout`, with controls for each control step prepared beforehand, which is
what an environment with a delay must do, and by `Batch.step` with constant controls. The ratio is of the sums of one
episode; the median over episodes stands.

Against Gymnasium and EnvPool the environments take turns too. Theirs have neither randomisation, delay nor noise; the
plain pendulum is also measured with the same delay and noise, which is the same work. Both ants are `Ant-v5` without
contact forces in what is observed; EnvPool's does not compute them. Rates are of the wall clock, so that what else runs
on the machine counts; CPU time, which does not count what subprocesses use, says what is left without it.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from mujoco.batch import Batch

from benchmarks import ant
from benchmarks.ant import Ant
from benchmarks.plain_pendulum import PlainPendulum, agree
from benchmarks.table import show
from simloop import get_world
from simloop.distributions import Product, Uniform
from simloop.parameters import Array
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.physics_environment import PhysicsEnvironment
from simloop.worlds.uncertain import NOISE, uncertain_space

#: largest standard deviation of noise on what is measured, in its own unit
_NOISE = 0.005
_TURN = 10
_EPISODES = 3
#: decisions that stand for an episode where it may be much longer: the ant's lasts 1000 unless it falls
_SHORTENED = {"ant": 60}
_BATCHES = (64, 1024)

#: label -> (episodes at once, what makes the vector environment)
Makers = dict[str, tuple[int, Callable[[], Any]]]


def run() -> None:
    """Print the tables."""
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the start; MuJoCo {mujoco.__version__}, Gymnasium"
          f" {gym.__version__}; peers agree with simloop's observations to {agree():.0e} (pendulum) and"
          f" {ant.agree():.0e} (ant)\n")  # fmt: skip
    _limit()
    print()
    _peers()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def noisy(world: PhysicsWorld) -> Product:
    """The world's randomisation `wide`, and noise on every measured channel."""
    largest = {NOISE + c.name: _NOISE for c in world.measured}
    space = uncertain_space(world, largest)
    added = type(space)([p for p in space if p.name in largest])
    high = np.full(len(added), _NOISE)
    return Product(None, [world.distribution("wide"), Uniform(added, high / 10, high)])


def made(world: PhysicsWorld, count: int) -> PhysicsEnvironment:
    """The world's environment for `count` episodes, randomised, delayed and noisy, at its first decision."""
    env = world.make(count, randomization=noisy(world), seed=0)
    env.reset()
    return env


def _actions(box: Any, n: int, decisions: int, seed: int) -> Array:
    """Uniform actions (decisions, n, A) in a box (A,)."""
    draws = np.random.default_rng(seed).uniform(box.low, box.high, (decisions, n, *box.shape))
    return np.asarray(draws, dtype=np.float32)


def _limit() -> None:
    """The share of bare stepping that environments leave."""
    rows = []
    for world in (get_world("double-pendulum"), get_world("drawer"), Ant()):
        assert isinstance(world, PhysicsWorld)
        for count in _BATCHES:
            env, decisions = made(world, count), _SHORTENED.get(world.name, world.task(None).steps)
            for action in _actions(env.single_action_space, count, _TURN, seed=1):
                env.step(action)
            wall, busy = zip(*(_episode(env, decisions, seed=k) for k in range(_EPISODES)), strict=True)
            seconds, cpu = np.array(wall), np.array(busy)
            ratio = seconds[:, 1:] / seconds[:, :1]
            rates = decisions * count / np.median(seconds, axis=0)
            rows.append([world.name, count, *(f"{r:,.0f}" for r in rates), f"{np.median(ratio[:, 0]):.2f}",
                         f"{ratio[:, 0].min():.2f}-{ratio[:, 0].max():.2f}", f"{np.median(ratio[:, 1]):.2f}",
                         f"{np.median(cpu[:, 1] / cpu[:, 0]):.2f}", ">= 0.80"])  # fmt: skip
    show(["world", "batch", "environment, decisions/s", "bare rollout", "bare step", "ratio to rollout", "least-most",
          "to step", "to rollout, CPU time", "target"], rows)  # fmt: skip


def _episode(env: PhysicsEnvironment, decisions: int, seed: int) -> tuple[list[float], list[float]]:
    """Seconds, of wall and of CPU, of environment, bare rollout and bare step for the same decisions."""
    world, n = env.world, env.num_envs
    bare, own = world.batch(env.parameters[:, : len(world.parameters)]), len(world.parameters)
    control, written = bare.bind("ctrl"), env.parameters.copy()
    each = round(env.task.decision_dt / world.model.opt.timestep)
    wall, busy = np.zeros(3), np.zeros(3)
    whole = np.zeros((n, len(world.actions)))
    for first in range(0, decisions, _TURN):
        actions = _actions(env.single_action_space, n, min(_TURN, decisions - first), seed=seed * decisions + first)
        if not np.array_equal(written, env.parameters):
            written = env.parameters.copy()
            world.write(bare, written[:, :own])
        start = env.batch.state.copy()
        held = []
        for action in actions:
            whole[:, env.task.active] = action
            held.append(np.repeat(whole[:, None], each, axis=1))
        steps: list[Callable[[], Any]] = [
            lambda actions=actions: [env.step(a) for a in actions],
            lambda held=held: [bare.rollout(each, control=c, record=[]) for c in held],
            lambda held=held: _held_steps(bare, control, held, each),
        ]
        for k, step in enumerate(steps):
            if k:
                bare.state[:] = start
            begun, used = time.perf_counter(), time.process_time()
            step()
            wall[k] += time.perf_counter() - begun
            busy[k] += time.process_time() - used
    return wall.tolist(), busy.tolist()


def _held_steps(batch: Batch, control: Array, held: list[Array], substeps: int) -> None:
    """Step a batch with controls that are constant during each decision."""
    for values in held:
        control[:] = values[:, 0]
        batch.step(nstep=substeps)


def _peers() -> None:
    """Rates beside those of Gymnasium's vector environments and of EnvPool."""
    pendulum, runner = get_world("double-pendulum"), Ant()
    assert isinstance(pendulum, PhysicsWorld)
    plain, same = PlainPendulum, partial(PlainPendulum, delayed=True)
    ant_of_gymnasium = partial(gym.make, "Ant-v5", include_cfrc_ext_in_observation=False)
    _against("double-pendulum", pendulum, _gymnasium(plain), 10.0)
    _against("double-pendulum, peer with the same delay and noise", pendulum, _gymnasium(same), 10.0)
    _against("ant", runner, _gymnasium(ant_of_gymnasium), 2.6)
    pool = _envpool()
    if pool:
        _against("ant", runner, pool, 1.0)


def _gymnasium(make: Callable[[], gym.Env[Any, Any]]) -> Makers:
    cores = os.cpu_count() or 1
    return {
        "Gymnasium Sync, 64": (64, lambda: gym.vector.SyncVectorEnv([make] * 64)),
        f"Gymnasium Async, {cores}": (cores, lambda: gym.vector.AsyncVectorEnv([make] * cores)),
        "Gymnasium Async, 64": (64, lambda: gym.vector.AsyncVectorEnv([make] * 64)),
    }


def _envpool() -> Makers:
    """EnvPool's ant, if it can be imported; it brings its own MuJoCo."""
    try:
        import envpool
    except (ImportError, OSError) as error:
        print(f"\nEnvPool is not measured: it cannot be imported ({error})")
        return {}
    pool = partial(envpool.make, "Ant-v5", env_type="gymnasium", num_threads=os.cpu_count() or 1,
                   use_contact_force=False, post_constraint=False)  # fmt: skip
    version = importlib.metadata.version("envpool")
    return {f"EnvPool {version}, {n}": (n, partial(pool, num_envs=n)) for n in (64, 1024)}


def _against(name: str, world: PhysicsWorld, peers: Makers, target: float) -> None:
    """Print decisions/s of simloop and its peers, which take turns; each is running before it is timed."""
    makers: Makers = {f"simloop, {n}": (n, partial(made, world, n)) for n in _BATCHES}
    envs = {label: (n, make()) for label, (n, make) in (makers | peers).items()}
    for label in peers:
        envs[label][1].reset()
    box = envs[f"simloop, {_BATCHES[0]}"][1].single_action_space
    rates: dict[str, list[float]] = {label: [] for label in envs}
    busy: dict[str, list[float]] = {label: [] for label in envs}
    for turn in range(_EPISODES + 1):
        for label, (n, env) in envs.items():
            actions = _actions(box, n, max(8, 4096 // n), seed=turn)
            begun, used = time.perf_counter(), time.process_time()
            for action in actions:
                env.step(action)
            if turn:  # the first one warms up
                rates[label].append(n * len(actions) / (time.perf_counter() - begun))
                busy[label].append((time.process_time() - used) / (n * len(actions)) * 1e6)
    for _, env in envs.values():
        env.close()
    best = max(peers, key=lambda label: float(np.median(rates[label])))
    print(f"\n{name}: against the fastest peer ({best}); target >= {target:g}\n")
    rows = []
    for label, found in rates.items():
        ratio = np.array(found) / np.array(rates[best])
        rows.append([label, f"{np.median(found):,.0f}", f"{np.median(ratio):.2f}",
                     f"{ratio.min():.2f}-{ratio.max():.2f}", f"{np.median(busy[label]):.0f}"])  # fmt: skip
    show(["what, batch", "decisions/s", "ratio", "least-most", "us of CPU for a decision, in this process"], rows)
