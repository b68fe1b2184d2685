"""What happened in episodes between one time step and the next: energy, speeds, forces, contacts.

    ledger = watch(world, task, policy, episodes=16, seed=0)
    ledger.created          # (n,) J that came from nowhere, of `ledger.turned` (n,) J that were turned over

Mechanical energy less the work of actuators and applied forces is a balance that physics only lets fall, by friction,
damping and impact. What it rises to above the lowest level that it had since a body last touched something was created
by the simulation. While something touches (a contact, a limit or a tie), energy may be stored there and come back, so
the level then stays what it was at the touch. Work over a time step is force times the mean of the velocities before
and after, which is exact for the kinetic energy of a body under constant forces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.learn.policy import Actor, begin
from simloop.parameters import Array
from simloop.worlds.physics import PhysicsWorld, without_engine_warnings
from simloop.worlds.physics_environment import PhysicsEnvironment
from simloop.worlds.task import Task


@dataclass(frozen=True, eq=False)
class Ledger:
    """What was seen of n episodes.

    Attributes:
        created: (n,) J, the most that the balance rose above its lowest level.
        turned: (n,) J, how much energy was in motion: its range and the most that was kinetic.
        values: (n, D) the largest size of each channel.
        forces: (n, actuators) the largest force of each actuator.
        depth: (n,) the deepest that bodies lay in each other, over the thinner one's half thickness; 0: never.
    """

    created: Array
    turned: Array
    values: Array
    forces: Array
    depth: Array


def watch(
    world: PhysicsWorld,
    task: Task,
    actor: Actor,
    distribution: Distribution | None = None,
    *,
    episodes: int,
    seed: int,
) -> Ledger:
    """Let an actor act in a world and watch every time step of episodes 0, 1, ..."""
    numbers = np.arange(episodes)
    environment = WatchedEnvironment(world, task, episodes, randomization=distribution, seed=seed)
    observations, _ = environment.reset(options={"episodes": numbers})
    begin(actor, np.ones(episodes, dtype=bool))
    for _ in range(task.steps):
        observations, _, terminated, truncated, _ = environment.step(actor(observations))
        ended = terminated | truncated
        if ended.any():  # the same episode again, so that the batch keeps its size
            observations, _ = environment.reset(options={"reset_mask": ended, "episodes": numbers})
            begin(actor, ended)
    return environment.ledger


class WatchedEnvironment(PhysicsEnvironment):
    """Episodes of a task, to the same bytes, whose every time step is looked at; they end and stay so until `reset`."""

    def __init__(
        self, world: PhysicsWorld, task: Task, num_envs: int, *, randomization: Distribution | None, seed: int
    ) -> None:
        super().__init__(
            world.with_model(_with_energy), task, num_envs, randomization=randomization, seed=seed, autoreset="disabled"
        )
        model, n = self.world.model, num_envs
        names = ("energy", "qfrc_actuator", "qfrc_applied", "qfrc_gravcomp", "actuator_force", "nefc", "nf", "ncon")
        self._seen_fields = {name: self.batch.bind(name) for name in names}
        self._time_step = float(model.opt.timestep)
        self._staged = model.opt.integrator == 1  # RK4 leaves behind what was at a middle of the step
        self._ungeared = (model.jnt_actgravcomp == 0)[model.dof_jntid]
        self._thickness = _thickness(model)
        self._models: dict[int, Any] = {}
        self._work, self._level = np.zeros(n), np.full(n, np.inf)
        self._least, self._most, self._moving = np.full(n, np.inf), np.full(n, -np.inf), np.zeros(n)
        self._created, self._depth = np.zeros(n), np.zeros(n)
        self._largest = np.zeros((n, self._values.shape[1]))
        self._forces = np.zeros((n, model.nu))

    @property
    def ledger(self) -> Ledger:
        """What was seen so far."""
        turned = np.maximum(self._most - self._least, 0) + self._moving
        return Ledger(self._created.copy(), turned, self._largest.copy(), self._forces.copy(), self._depth.copy())

    def _begin(self, ids: NDArray[np.int64], episodes: NDArray[np.int64], rows: Any, state: Any) -> None:
        super()._begin(ids, episodes, rows, state)
        self._work[ids], self._level[ids] = 0.0, np.inf
        for i in ids.tolist():
            self._models.pop(i, None)

    def _simulate(self, control: Array) -> None:
        applied = self._seen_fields["qfrc_applied"]
        with without_engine_warnings():
            for k in range(self._decision):
                self._ctrl[:] = control[:, min(k, control.shape[1] - 1)]
                if self._force is not None:
                    applied[:] = self._force(self._qpos, self._qvel, self._ctrl)
                for _ in range(self._substeps):
                    self._follow_step()
            self._read.refresh(None)
        self._largest = np.fmax(self._largest, np.abs(self._read()))
        if self._seen_fields["ncon"].any():
            self._look_at_contacts()

    def _follow_step(self) -> None:
        """Take one time step and book it."""
        see, before = self._seen_fields, self._qvel.copy()
        if self._staged:
            self.batch.forward()
            at = {name: see[name].copy() for name in see}
        self.batch.step()
        if not self._staged:
            at = see
        energy = at["energy"].sum(axis=1)
        balance = energy - self._work
        touching = at["nefc"] > at["nf"]
        free = ~touching | np.isinf(self._level)
        self._created = np.fmax(self._created, np.where(np.isinf(self._level), 0.0, balance - self._level))
        self._level = np.where(free, np.fmin(self._level, balance), self._level)
        self._least, self._most = np.fmin(self._least, energy), np.fmax(self._most, energy)
        self._moving = np.fmax(self._moving, at["energy"][:, 1])
        force = at["qfrc_actuator"] + at["qfrc_applied"] + at["qfrc_gravcomp"] * self._ungeared
        self._work += self._time_step * (force * (before + self._qvel) / 2).sum(axis=1)
        if self.world.model.nu:
            self._forces = np.fmax(self._forces, np.abs(at["actuator_force"]))

    def _look_at_contacts(self) -> None:
        """Find how deep bodies lie in each other at the end of a decision."""
        import mujoco

        for i in np.flatnonzero(self._seen_fields["ncon"] > 0).tolist():
            if i not in self._models:
                model = self.batch.get_model(i)
                self._models[i] = model, mujoco.MjData(model)
            model, data = self._models[i]
            data.qpos[:] = self._qpos[i]
            mujoco.mj_fwdPosition(model, data)
            if data.ncon:
                pairs = data.contact.geom
                thin = np.where(pairs >= 0, self._thickness[pairs], np.inf).min(axis=1)
                self._depth[i] = max(self._depth[i], float((-data.contact.dist / thin).max()))


def _with_energy(spec: Any) -> None:
    import mujoco

    spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY


def _thickness(model: Any) -> Array:
    """Half of how thick each geom is where it is thinnest, (ngeom,), m; endless for a plane."""
    half = model.geom_aabb[:, 3:].min(axis=1)
    return np.asarray(np.where((model.geom_type == 0) | (half <= 0), np.inf, half))
