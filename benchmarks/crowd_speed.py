"""How fast crowds are simulated: agent-seconds per second of wall clock, beside the C++ library RVO2 (`pyrvo`).

One scene of 1,000 people and 64 scenes of 50, at 0.5 per m2 on an open square, each with a goal anywhere in it; steps
of 0.1 s, ten neighbours within 5 m, 5 s foreseen. Whoever arrives gets the next goal, so that everybody walks all the
time. `pyrvo` does the same work with the same numbers (it has no projection: its people may overlap); its velocities
are set and its positions read in Python, which is not timed. Five turns of each, one after another; medians.
Rates per second of CPU say what a busy machine would have given with its cores free.
"""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.table import show
from simloop.parameters import Array
from simloop.randomness import stream
from simloop.worlds.crowd.channels import TRAITS
from simloop.worlds.crowd.engine import Batch
from simloop.worlds.crowd.scene import Scene

_DT, _DENSITY, _TURNS, _STEPS, _WARM = 0.1, 0.5, 5, 50, 20
_PERSON = {"speed": 1.34, "radius": 0.2, "horizon": 5.0, "sight": 5.0, "share": 0.5}


def run() -> None:
    """Print the table."""
    rows = []
    for scenes, people in ((1, 1000), (64, 50)):
        peer = [_peer_rate(scenes, people, seed) for seed in range(_TURNS)]
        what = f"{scenes} x {people}"
        middle, cpu = np.median(peer, axis=0)
        rows.append([what, "pyrvo (C++)", "1", f"{middle:,.0f}", f"{cpu:,.0f}", "1.00", "not counted", ""])
        for model, threads in (("orca", 2), ("orca", 1), ("collision-free-speed", 2), ("social-force", 2)):
            runs = [_rate(scenes, people, seed, model, threads) for seed in range(_TURNS)]
            rate, cpu, _ = np.median(runs, axis=0)
            target = ">= 100,000; >= 1.0; 0" if (model, threads) == ("orca", 2) else ""
            overlaps = sum(int(r[2]) for r in runs)
            rows.append([what, model, threads, f"{rate:,.0f}", f"{cpu:,.0f}", f"{rate / middle:.2f}", overlaps, target])
    print(f"{os.cpu_count()} cores\n")
    head = [
        "scenes x people",
        "what",
        "threads",
        "agent-s per s",
        "per CPU s",
        "against pyrvo",
        "overlaps",
        "target",
    ]
    show(head, rows)


def _scene(people: int, seed: int, k: int) -> Scene:
    """People on a jittered grid, who walk to one random place of the square after another."""
    rng = stream(seed, "crowd_speed", k)
    side = int(np.ceil(np.sqrt(people)))
    pitch = np.sqrt(people / _DENSITY) / side
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:people]
    starts = pitch * (cells + 0.5) + rng.uniform(-0.35, 0.35, (people, 2))
    routes = rng.uniform(0, pitch * side, (people, 12, 2))
    traits = np.tile([_PERSON.get(name, 0.0) for name in TRAITS], (people, 1))
    return Scene(
        walls=np.zeros((0, 4)), starts=starts, begins=np.zeros(people), routes=routes, reach=np.full(people, 0.5),
        traits=traits, groups=np.full(people, -1), stays=np.ones(people, bool),
    )  # fmt: skip


def _rate(scenes: int, people: int, seed: int, model: str, threads: int) -> tuple[float, float, int]:
    """Agent-seconds per second and per second of CPU, and overlaps of bodies."""
    batch = Batch([_scene(people, seed, k) for k in range(scenes)], model=model, dt=_DT, seed=seed, threads=threads)
    for _ in range(_WARM):
        batch.step()
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(_STEPS):
        batch.step()
    spent, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert batch.active.all()
    done = scenes * people * _STEPS * _DT
    return done / spent, done / cpu, int(batch.overlaps.sum())


def _peer_rate(scenes: int, people: int, seed: int) -> tuple[float, float]:
    """The rates of `pyrvo`."""
    import pyrvo

    all_scenes = [_scene(people, seed, k) for k in range(scenes)]
    simulators = []
    for scene in all_scenes:
        simulator = pyrvo.RVOSimulator(_DT, 5.0, 10, 5.0, 5.0, _PERSON["radius"], _PERSON["speed"])
        for start in scene.starts:
            simulator.add_agent(tuple(start))
        simulators.append(simulator)
    legs = [np.zeros(people, int) for _ in all_scenes]
    spent = cpu = 0.0
    for step in range(_WARM + _STEPS):
        for simulator, scene, leg in zip(simulators, all_scenes, legs, strict=True):
            for i, wanted in enumerate(_wanted(simulator, scene, leg)):
                simulator.set_agent_pref_velocity(i, tuple(wanted))
        started, before = time.perf_counter(), time.process_time()
        for simulator in simulators:
            simulator.do_step()
        if step >= _WARM:
            spent, cpu = spent + time.perf_counter() - started, cpu + time.process_time() - before
    done = scenes * people * _STEPS * _DT
    return done / spent, done / cpu


def _wanted(simulator: object, scene: Scene, leg: np.ndarray) -> Array:
    """(n, 2) m/s, towards the next goal of each."""
    places = np.array([simulator.get_agent_position(i).to_tuple() for i in range(len(scene))])  # type: ignore[attr-defined]
    away = scene.routes[np.arange(len(scene)), leg] - places
    leg += np.hypot(*away.T) < scene.reach
    away = scene.routes[np.arange(len(scene)), leg] - places
    return _PERSON["speed"] * away / np.maximum(np.hypot(*away.T), 1e-9)[:, None]
