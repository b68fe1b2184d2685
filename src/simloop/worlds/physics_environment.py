"""A world of rigid bodies as a running batch: one native call steps all episodes of `environment.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.parameters import Array
from simloop.worlds.environment import Environment
from simloop.worlds.physics import PhysicsWorld, without_engine_warnings
from simloop.worlds.residual import FORCE, ResidualWorld


class PhysicsEnvironment(Environment):
    """A batch of episodes of a task in a world of rigid bodies. See `Environment`."""

    world: PhysicsWorld

    def _build(self) -> None:
        world, names = self.world, self._space.names
        self._substeps = world.substeps
        self._residual = _residual(world, self.randomization)
        self._force_columns = [j for j, name in enumerate(names) if name.startswith(FORCE)]
        self._force: Callable[[Array, Array, Array], Array] | None = None
        self.batch = world.batch(self.parameters[:, : self._own])
        self._read = world.reader(self.batch)
        self._qpos, self._qvel, self._ctrl = (self.batch.bind(f) for f in ("qpos", "qvel", "ctrl"))

    def _put(self, ids: NDArray[np.int64], rows: Array, state: Array) -> Array:
        every, nq = None if len(ids) == self.num_envs else ids, self.world.model.nq
        self.world.write(self.batch, rows[:, : self._own], every)
        self.batch.reset(every, stage=0)
        self._qpos[ids], self._qvel[ids] = state[:, :nq], state[:, nq:]
        self._ctrl[ids] = self._rest
        self._read.refresh(every)
        if self._residual is not None:
            force = self._residual.force(self.parameters[:, self._force_columns])
            self._force = force(np.arange(self.num_envs))
        return self._read()[ids]

    def _read_values(self) -> Array:
        return self._read()

    def _diverged(self, values: Array) -> NDArray[np.bool_]:
        """Where the engine gave up or channel values (n, D) are no numbers, (n,)."""
        if not self.batch.warning.any() and np.isfinite(values).all():  # the rule, and cheaper to know of all at once
            return np.zeros(self.num_envs, dtype=bool)
        return np.asarray(self.batch.warning[..., 1].any(axis=1) | ~np.isfinite(values).all(axis=1))

    def _simulate(self, control: Array) -> None:
        with without_engine_warnings():
            if self._force is not None:
                applied = self.batch.bind("qfrc_applied")
                for k in range(self._decision):
                    self._ctrl[:] = control[:, min(k, control.shape[1] - 1)]
                    applied[:] = self._force(self._qpos, self._qvel, self._ctrl)
                    self.batch.step(nstep=self._substeps)
            elif control.shape[1] == 1:
                self._ctrl[:] = control[:, 0]
                self.batch.step(nstep=self._decision * self._substeps)
            else:
                each = np.repeat(control, self._substeps, axis=1) if self._substeps > 1 else control
                self.batch.rollout(each.shape[1], control=each, record=[])
            self._read.refresh(None)


def _residual(world: PhysicsWorld, distribution: Distribution) -> ResidualWorld | None:
    """The world with the force that a distribution adds, if it adds one."""
    if not any(name.startswith(FORCE) for name in distribution.space.names):
        return None
    forced, _ = world.central(distribution)
    assert isinstance(forced, ResidualWorld)
    return forced
