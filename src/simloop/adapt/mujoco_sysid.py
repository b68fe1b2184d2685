"""MuJoCo's own identification toolbox, `mujoco.sysid`, as a baseline on the same windows.

    get_method("mujoco-sysid", {"variant": "shipped"}).fit(comparison, prior)

The toolbox gets what it asks for: a model with a position sensor on each measured joint, one trajectory for each window
(start, actions, measured positions), named parameters with bounds, and a function that makes a model of them. It
minimises its residual with its own Gauss-Newton; `variant` says which residual:

- `shipped`: the default one. It compares sensors with measurements of the same instant, although a rollout's sensors
  are those of the step before, and divides each window by its own norm, so that windows far from 0 hardly count.
- `mended`: by the toolbox's own hook `modify_residual`, the rolled-out positions less the measurements of the same
  instants, in rad or m.

Departures from how the toolbox is meant to be used: parameters that are no field of the model (gain and delay of a
motor) reach it by the hook `custom_rollout`, with the world's own channel, and log parameters are searched in logs.
The result is its point with the covariance of a linear regression, s^2 (J'J)^-1, within the prior: what the toolbox
states as its confidence interval.
"""

from __future__ import annotations

import contextlib
import copy
import io
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from simloop.adapt.adaptation import Books, Method
from simloop.adapt.comparison import Comparison
from simloop.distributions import Normal
from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.windows import Windows
from simloop.worlds.physics import PhysicsWorld, address, field_of


@dataclass(frozen=True)
class MujocoSysid(Method):
    """The official toolbox, as shipped or with its residual mended.

    Attributes:
        variant: which residual is minimised.
        windows: most windows, spread evenly over the recordings.
        horizon: s, their length; shortened to what the recordings hold.
        iterations: most iterations of its optimiser.
    """

    name: ClassVar[str] = "mujoco-sysid"
    needs: ClassVar[tuple[str, ...]] = ("mujoco", "colorama", "tabulate")
    extra: ClassVar[str] = "compare"

    variant: Literal["shipped", "mended"] = "mended"
    windows: int = 41
    horizon: float = 0.2
    iterations: int = 30

    def adapt(self, comparison: Comparison, prior: Normal, books: Books) -> tuple[Normal, dict[str, Any]]:
        from mujoco import sysid

        space = prior.space
        all_windows = comparison.replay.windows(
            min(self.horizon, comparison.replay.longest_window), every=comparison.world.control_dt
        )
        count = min(self.windows, len(all_windows))
        windows = all_windows.take(np.linspace(0, len(all_windows) - 1, count).round().astype(np.int64))
        books.affordable(self.name, 1, len(space) + 1, count)
        problem = Toolbox(comparison, windows, prior)
        start = problem.parameters()
        start.move_off_bounds()
        residual = sysid.build_residual_fn(
            models_sequences=[problem.sequences()],
            build_model=problem.model,
            custom_rollout=problem.rollout,
            modify_residual=problem.mended if self.variant == "mended" else None,
            resample_true=False,
            n_threads=1,
        )
        with contextlib.redirect_stdout(io.StringIO()):  # a line for each of its iterations
            _, found = sysid.optimize(start, residual, verbose=False, max_iters=self._most(books, len(space), count))
        z = np.asarray(found.x, dtype=float).reshape(-1)
        jacobian = np.asarray(found.jac).reshape(-1, len(space))
        left = np.concatenate([np.ravel(r) for r in residual(z, start)[0]])
        variance = max(float((left**2).sum() / max(len(left) - len(space), 1)), 1e-300)
        covariance = np.linalg.inv(jacobian.T @ jacobian / variance + np.linalg.inv(prior.covariance))
        costs = [float(np.asarray(c).reshape(-1)[0]) for c in found.extras["objective"]]
        books.begin(history=[{"iteration": i + 1, "cost": c} for i, c in enumerate(costs)])
        books.save(f"mujoco-sysid: {len(costs)} iterations", 1.0)
        mean = np.clip(space.from_scale(z), space.low, space.high)
        diagnostics = {"windows": count, "residual": float(np.sqrt(variance))}
        return Normal(space, mean, (covariance + covariance.T) / 2), diagnostics

    def _most(self, books: Books, parameters: int, count: int) -> int:
        """Iterations that a budget allows: each simulates a Jacobian and, as a rule, fewer than eight trial points."""
        if books.budget is None:
            return self.iterations
        return max(1, min(self.iterations, books.budget // ((parameters + 8) * count)))


class Toolbox:
    """A comparison in the toolbox's own terms."""

    def __init__(self, comparison: Comparison, windows: Windows, prior: Normal) -> None:
        import mujoco

        world = comparison.world
        if not isinstance(world, PhysicsWorld):
            raise InputError(f"mujoco-sysid: world {world.name!r} is not simulated by MuJoCo")
        joints = [o for o in world.observations if not o.channel.rate_of]
        if any(o.field != "qpos" or o.channel.width > 1 for o in joints):
            raise InputError(f"mujoco-sysid: world {world.name!r} has channels other than the positions of hinges")
        if world.control_dt != world.model.opt.timestep:
            raise InputError(f"mujoco-sysid: world {world.name!r} has several time steps for each control step")
        self.comparison, self.world, self.windows, self.prior = comparison, world, windows, prior
        self.columns = [o.columns.start for o in joints]
        self.spec = world._build()
        for column in self.columns:
            name = world.model.joint(int(np.flatnonzero(world.model.jnt_qposadr == column)[0])).name
            self.spec.add_sensor(name=f"at {name}", type=mujoco.mjtSensor.mjSENS_JOINTPOS,
                                 objtype=mujoco.mjtObj.mjOBJ_JOINT, objname=name)  # fmt: skip
        self.base = self.spec.compile()
        self.models: dict[bytes, Any] = {}
        self.controls: list[Any] = []

    def parameters(self) -> Any:
        """The toolbox's parameters: one scalar for each of the world's, in its scale, from the prior's mean."""
        from mujoco import sysid

        space = self.prior.space
        start, low, high = (space.to_scale(x) for x in (self.prior.mean, space.low, space.high))
        return sysid.ParameterDict(
            {p.name: sysid.Parameter(p.name, start[j], low[j], high[j]) for j, p in enumerate(space)}
        )

    def sequences(self) -> Any:
        """Windows as the toolbox's measured trajectories."""
        from mujoco import sysid

        s, nq = self.windows.segments, self.base.nq
        steps = np.arange(s.steps + 1)
        times = steps * self.world.control_dt
        starts = self.comparison.replay.measured[s.recording, s.start][:, None]
        measured = np.concatenate([starts, self.windows.measured], axis=1)[..., : len(self.columns)]
        control = [s.actions[r, np.minimum(b + steps, s.actions.shape[1] - 1)]
                   for r, b in zip(s.recording, s.start, strict=True)]  # fmt: skip
        self.controls = [sysid.TimeSeries.from_control_names(times, u, self.base) for u in control]
        return sysid.ModelSequences(
            self.world.name,
            self.spec,
            [str(i) for i in range(len(s))],
            [sysid.create_initial_state(self.base, x[:nq], x[nq:]) for x in s.state],
            self.controls,
            [sysid.TimeSeries.from_names(times, y, self.base) for y in measured],
        )

    def row(self, parameters: Any) -> Array:
        """A parameter row, (1, d), of the toolbox's parameters."""
        space = self.prior.space
        return np.clip(space.from_scale(parameters.as_vector()), space.low, space.high)[None]

    def model(self, parameters: Any, _spec: Any) -> Any:
        """The model under parameters."""
        import mujoco

        row = self.row(parameters)[0]
        if row.tobytes() in self.models:  # the toolbox asks again for each window
            return self.models[row.tobytes()]
        model = copy.copy(self.base)
        for b in self.world.bindings:
            where = address(model, b)
            default = np.array(field_of(self.base, b.field)[where])
            value = row[self.world.parameters.index(b.parameter)]
            field_of(model, b.field)[where] = value * (default if b.mode == "times" else b.factor)
        mujoco.mj_setConst(model, mujoco.MjData(model))
        if len(self.models) > 4 * len(row):
            self.models.clear()
        self.models[row.tobytes()] = model
        return model

    def rollout(
        self, *, models: Any, datas: Any, control_signal: Any, initial_states: Any, param_dicts: Any,
        rollout_signal_mapping: Any, rollout_state_mapping: Any, ctrl_mapping: Any,
    ) -> Any:  # fmt: skip
        """The toolbox's own rollout, of the actions that reach the body."""
        from mujoco import sysid

        # the toolbox simulates one window at a time and does not say which
        window = next(i for i, c in enumerate(self.controls) if c is control_signal[0])
        n = len(models)
        segments = self.windows.segments.take(np.full(n, window))
        rows = np.concatenate([self.row(p) for p in param_dicts])
        acting = self.world.channel.act(rows, segments, seed=0, numbers=np.arange(n))
        # the toolbox leaves the last row out
        signals = [
            sysid.TimeSeries(c.times, np.concatenate([u, u[-1:]]), c.signal_mapping)
            for c, u in zip(control_signal, acting, strict=True)
        ]
        self.comparison.rollouts += n
        self.comparison.simulated_seconds += n * segments.steps * self.world.control_dt
        return sysid.sysid_rollout(
            models=models,
            datas=datas,
            control_signal=signals,
            initial_states=initial_states,
            rollout_signal_mapping=rollout_signal_mapping,
            rollout_state_mapping=rollout_state_mapping,
            ctrl_mapping=ctrl_mapping,
        )

    def mended(
        self, _parameters: Any, _predicted: Any, measured: Any, _model: Any, _all: bool, *, state: Array
    ) -> tuple[Array, Any, Any]:
        """Rolled-out positions less measured ones of the same instants; `state` begins with the time."""
        from mujoco import sysid

        positions = state[:, 1:][:, self.columns]
        seen = sysid.TimeSeries(measured.times[1:], measured.data[1:], measured.signal_mapping)
        return positions - seen.data, sysid.TimeSeries(seen.times, positions, seen.signal_mapping), seen
