"""Worlds of rigid bodies on MuJoCo: a body described once, its parameters bound to model fields by a table.

    bindings = [Binding("link1.mass", "body_mass", "link1"), Binding("joint1.damping", "dof_damping", "joint1")]
    world = PhysicsWorld(name=..., build=spec_function, parameters=space, bindings=bindings, ...)
    world.simulate(rows, segments)        # one native call for each chunk of simulations, on all cores

Per-simulation values are written from the model's defaults, never in place, and constants are derived anew. Results
are bit-identical for any number of threads and any division of the work.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simloop.errors import InputError
from simloop.frames import Category, Frame, Request
from simloop.parameters import Array, ParameterSpace
from simloop.trajectories import Channel, TrajectorySet
from simloop.worlds.channel import ControlChannel, Effect
from simloop.worlds.world import Segments, World

if TYPE_CHECKING:
    import mujoco

    from simloop.distributions import Distribution
    from simloop.worlds.physics_environment import PhysicsEnvironment
    from simloop.worlds.staged import Staged

#: of the segments `numbers` (m,) a function of (qpos (m, nq), qvel (m, nv), actions (m, A)): forces (m, nv), N or N m
Force = Callable[[NDArray[np.int64]], Callable[[Array, Array, Array], Array]]

#: simulations in one native call: large enough to amortise it, small enough to keep memory flat
_CHUNK = 4096
#: time steps of all simulations in one native call
_CHUNK_STEPS = 500 * _CHUNK
#: the longest segment of a chunk lasts at most this many times as long as the shortest
_ALIKE = 1.5


@dataclass(frozen=True)
class Binding:
    """Parameter value -> field of the MuJoCo model: `default * value` where `mode` is times, else `factor * value`.

    `target` names the object (body, joint, geom, actuator, tendon), or is "" for an option field. `index` picks
    the columns of a field with several (None: all of them).
    """

    parameter: str
    field: str
    target: str
    index: int | None = None
    factor: float = 1.0
    mode: Literal["set", "times"] = "set"


@dataclass(frozen=True)
class Observation:
    """Where an observed channel is read: `columns` of the recorded field qpos, qvel or sensordata."""

    channel: Channel
    field: Literal["qpos", "qvel", "sensordata"]
    columns: slice


class PhysicsWorld(World):
    """A world simulated by MuJoCo.

    Args:
        name, summary: what the world is called and is.
        build: returns the `mujoco.MjSpec` of the body; called once, when first needed.
        parameters: what may vary.
        bindings: how parameters reach the model.
        effects: how parameters reach the channel between actions and body.
        channels: (name of the channel, source) where a source is "joint.NAME.position", "joint.NAME.velocity" or
            "sensor.NAME"; a rate names the channel that it is the rate of.
        actions: one for each actuator, in the model's order.
        control_dt: s between two actions; a whole number of the model's time steps.
    """

    def __init__(
        self,
        *,
        name: str,
        summary: str,
        build: Callable[[], mujoco.MjSpec],
        parameters: ParameterSpace,
        bindings: Sequence[Binding],
        effects: Sequence[Effect],
        channels: Sequence[tuple[Channel, str]],
        actions: Sequence[Channel],
        control_dt: float,
    ) -> None:
        self.name, self.summary = name, summary
        self.parameters = parameters
        self.bindings = tuple(bindings)
        self.channels = tuple(c for c, _ in channels)
        self.actions = tuple(actions)
        self.control_dt = control_dt
        self._sources = tuple(source for _, source in channels)
        self._build = build
        self.channel = ControlChannel(effects, parameters, self.actions, self.channels, control_dt)

    def versions(self) -> dict[str, str]:
        import mujoco

        return {"mujoco": mujoco.__version__}

    def content(self) -> str:
        import mujoco

        buffer = np.empty(mujoco.mj_sizeModel(self.model), dtype=np.uint8)
        mujoco.mj_saveModel(self.model, None, buffer)
        digest = hashlib.sha256(buffer.tobytes())
        rest = (self.bindings, self.channel.effects, self.channels, self._sources, self.actions, self.control_dt)
        digest.update(repr(rest).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model with its default values."""
        model = self._build().compile()
        if model.opt.timestep <= 0:
            raise InputError(f"world {self.name!r}: the model's time step is {model.opt.timestep:g} s, not above 0")
        if abs(self.control_dt / model.opt.timestep - self._substeps_of(model)) > 1e-6:
            raise InputError(
                f"world {self.name!r}: control_dt {self.control_dt:g} s is not a whole number of the model's time"
                f" steps of {model.opt.timestep:g} s"
            )
        return model

    def scene(self) -> mujoco.MjSpec:
        """The body as it is shown: as it is simulated, with what is only seen, a light and a camera `watch`.

        It has the joints of the model, in the same order.
        """
        return self._build()

    def with_model(self, change: Callable[[mujoco.MjSpec], None]) -> Self:
        """The same world on a changed body: another time step, integrator or solver, softer contacts.

        What is varied, observed and commanded stays; `change` alters the description before it is compiled.
        """
        build = self._build

        def changed() -> mujoco.MjSpec:
            spec = build()
            change(spec)
            return spec

        world = copy.copy(self)
        for name in list(vars(world)):
            if isinstance(getattr(type(world), name, None), cached_property):  # of the model as it was
                del world.__dict__[name]
        world._build = changed
        return world

    @property
    def substeps(self) -> int:
        """The model's time steps in a control step."""
        return self._substeps_of(self.model)

    def _substeps_of(self, model: mujoco.MjModel) -> int:
        return max(1, round(self.control_dt / float(model.opt.timestep)))

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """Where each channel is read in the model."""
        return tuple(
            locate(self.model, channel, source) for channel, source in zip(self.channels, self._sources, strict=True)
        )

    def observation(self, channel: str) -> Observation:
        """Where the channel of that name is read."""
        return next(o for o in self.observations if o.channel.name == channel)

    def dof(self, channel: str) -> int:
        """The degree of freedom that moves a joint's position, a channel of width 1."""
        return _dof_of(self.model, self.observation(channel).columns.start)

    @cached_property
    def _state_columns(self) -> list[tuple[slice, slice, slice, slice]]:
        """For each measured joint: columns of (positions, qpos, rates, qvel). Every joint must be measured."""
        table, at, rate_at, seen = [], 0, 0, 0
        for o in self.observations:
            if o.channel.rate_of:
                continue
            tangent = o.channel.tangent
            if o.field == "qpos":
                dof = _dof_of(self.model, o.columns.start)
                table.append((slice(at, at + o.channel.width), o.columns, slice(rate_at, rate_at + tangent),
                              slice(dof, dof + tangent)))  # fmt: skip
                seen += o.channel.width
            at += o.channel.width
            rate_at += tangent
        if seen < self.model.nq:
            have = {o.columns.start for o in self.observations if o.field == "qpos"}
            names = [self.model.joint(j).name for j in range(self.model.njnt) if self.model.jnt_qposadr[j] not in have]
            raise InputError(
                f"world {self.name!r}: the positions of {', '.join(map(repr, names))} are not among its channels, so a"
                " recording does not say where they start; add a channel for each"
            )
        return table

    def state(self, positions: Array, rates: Array) -> Array:
        nq, nv = self.model.nq, self.model.nv
        out = np.zeros((*positions.shape[:-1], nq + nv))
        for at, qpos, rate_at, dof in self._state_columns:
            out[..., qpos] = positions[..., at]
            out[..., nq + dof.start : nq + dof.stop] = rates[..., rate_at]
        return out

    def simulate(self, parameters: ArrayLike, segments: Segments, *, seed: int = 0) -> TrajectorySet:
        return self.simulate_with(None, parameters, segments, seed=seed)

    def simulate_with(
        self, force: Force | None, parameters: ArrayLike, segments: Segments, *, seed: int = 0
    ) -> TrajectorySet:
        """Simulate with a force on the joints that depends on their state; without one it is all native calls."""
        rows = self.parameters.check(parameters)
        n = len(segments)
        if len(rows) not in (1, n):
            raise InputError(f"{len(rows)} parameter rows for {n} segments: expected one each, or one for all")
        rows = np.broadcast_to(rows, (n, rows.shape[1]))
        width, kept = sum(c.width for c in self.channels), len(segments.recorded)
        values = np.empty((n, kept, width))
        diverged = np.zeros(n, dtype=bool)
        for chunk in self._chunks(segments):
            values[chunk], diverged[chunk] = self._simulate_chunk(rows[chunk], segments, seed, chunk, force)
        time = (segments.start[:, None] + segments.recorded).astype(np.float64) * self.control_dt
        return TrajectorySet(
            channels=self.channels,
            time=time.reshape(-1),
            values=values.reshape(n * kept, width),
            offsets=np.arange(n + 1, dtype=np.int64) * kept,
            parameters=np.array(rows),
            diverged=diverged,
            meta={"world": self.name, "seed": seed, "versions": self.versions()},
        )

    def _chunks(self, segments: Segments) -> Iterator[NDArray[np.int64]]:
        """Divide segments, by their numbers, into native calls that fit the memory and last about equally long."""
        n = len(segments)
        lasts = np.full(n, segments.steps) if segments.lasts is None else segments.lasts
        order = np.argsort(lasts, kind="stable")
        a = 0
        while a < n:
            longest = min(_ALIKE * lasts[order[a]], segments.steps)
            most = max(1, min(_CHUNK, int(_CHUNK_STEPS / (longest * self._substeps_of(self.model)))))
            b = min(a + most, int(np.searchsorted(lasts[order], longest, side="right")))
            yield order[a:b]
            a = b

    def _simulate_chunk(
        self, rows: Array, segments: Segments, seed: int, numbers: NDArray[np.int64], force: Force | None
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Simulate the segments `numbers` (m,); return values (m, kept, D) and which simulations diverged."""
        kept = len(segments.recorded)
        segments = segments.take(numbers)
        if segments.lasts is not None:
            segments = replace(segments, steps=max(int(segments.lasts.max()), segments.every))
        out = np.empty((len(numbers), kept, sum(c.width for c in self.channels)))
        batch = self.batch(rows)
        nq = self.model.nq
        batch.bind("qpos")[:] = segments.state[:, :nq]
        batch.bind("qvel")[:] = segments.state[:, nq:]
        control = self.channel.act(rows, segments, seed=seed, numbers=numbers)
        at = segments.recorded - 1
        with without_engine_warnings():  # what diverged is flagged in the result
            record = self._rollout(batch, control) if force is None else self._step(batch, control, force, numbers)
        column = 0
        for o in self.observations:
            out[:, : len(at), column : column + o.channel.width] = record[o.field][:, at, o.columns]
            column += o.channel.width
        out[:, len(at) :] = out[:, len(at) - 1 : len(at)]
        diverged = (batch.warning > 0).reshape(len(rows), -1).any(axis=1)
        self.channel.observe(rows, out, seed=seed, numbers=numbers)
        out[diverged] = np.nan
        return out, np.asarray(diverged)

    @cached_property
    def _fields(self) -> list[str]:
        return sorted({o.field for o in self.observations})

    def _rollout(self, batch: Any, control: Array) -> dict[str, Array]:
        """Run actions (m, steps, A) in one native call: each observed field at the end of each step, (m, steps, .)."""
        substeps = self._substeps_of(self.model)
        if substeps > 1:
            control = np.repeat(control, substeps, axis=1)
        # sensors describe the state before the last substep, so they need one substep more and are read one later
        extra = int("sensordata" in self._fields)
        if extra:
            control = np.concatenate([control, control[:, -1:]], axis=1)
        record = batch.rollout(control.shape[1], control=control, record=self._fields)
        return {
            f: x[:, substeps - 1 :: substeps] if f != "sensordata" else x[:, substeps::substeps]
            for f, x in record.items()
        }

    def _step(self, batch: Any, control: Array, force: Force, numbers: NDArray[np.int64]) -> dict[str, Array]:
        """The same with a force that is computed from the state at the start of each step and held during it."""
        substeps, steps = self._substeps_of(self.model), control.shape[1]
        sensors = "sensordata" in self._fields
        bound = {f: batch.bind(f) for f in {*self._fields, "qpos", "qvel", "ctrl", "qfrc_applied"}}
        record = {f: np.empty((len(numbers), steps, bound[f].shape[1])) for f in self._fields}
        of_state = force(numbers)
        for k in range(steps):
            bound["ctrl"][:] = control[:, k]
            bound["qfrc_applied"][:] = of_state(bound["qpos"], bound["qvel"], bound["ctrl"])
            if sensors:  # one substep more shows what they said at the end of the step before
                batch.step()
                record["sensordata"][:, k - 1] = bound["sensordata"]
            batch.step(nstep=substeps - sensors)
            for f in set(self._fields) - {"sensordata"}:
                record[f][:, k] = bound[f]
        if sensors:
            batch.step()
            record["sensordata"][:, -1] = bound["sensordata"]
        return record

    def batch(self, rows: Array) -> Any:
        """Return a `mujoco.batch.Batch` of one simulation for each parameter row, its model fields written."""
        from mujoco.batch import Batch

        batch = Batch(self.model, len(rows))
        self.write(batch, rows)
        return batch

    def reader(self, batch: Any) -> Reader:
        """What reads this world's channels off a batch."""
        return Reader(self, batch)

    def environment(self) -> type[PhysicsEnvironment]:
        from simloop.worlds.physics_environment import PhysicsEnvironment

        return PhysicsEnvironment

    def write(self, batch: Any, rows: Array, ids: NDArray[np.int64] | None = None) -> None:
        """Write parameter rows (m, d) into the simulations `ids` (m,) of a batch, by default into all of them."""
        at: Any = slice(None) if ids is None else ids
        for field, where, default, factor, column in self._writes:
            value = rows[:, column].reshape(-1, *[1] * default.ndim)
            target = batch.expand(field)
            target[(at, *where)] = value * factor
        if any(needs_constants(field) for field, *_ in self._writes):
            batch.set_const(ids)

    def write_model(self, model: mujoco.MjModel, row: Array) -> None:
        """Write one parameter row (d,) into a compiled model of this body or of its scene."""
        import mujoco

        for b in self.bindings:
            where, field = address(model, b), field_of(model, b.field)
            value = row[self.parameters.index(b.parameter)]
            field[where] = value * (field[where] if b.mode == "times" else b.factor)
        if any(needs_constants(b.field) for b in self.bindings):
            mujoco.mj_setConst(model, mujoco.MjData(model))

    @cached_property
    def cameras(self) -> tuple[str, ...]:
        return tuple(c.name for c in self._seen.cameras)

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        from simloop.worlds.appearance import CLUTTER_CATEGORY
        from simloop.worlds.staging import categories

        return (*categories(self._seen), CLUTTER_CATEGORY)

    @cached_property
    def _seen(self) -> mujoco.MjSpec:
        """The scene with names for all that is in it."""
        from simloop.worlds.staging import named

        return named(self.scene())

    def stage(self, row: Array, number: int, seed: int, request: Request) -> Staged:
        """Scene `number` under a parameter row (d,), before the world's cameras."""
        from simloop.worlds.staging import stage

        return stage(self, row, number, seed, request)

    def frames(
        self,
        sequences: Iterable[int],
        *,
        request: Request | None = None,
        distribution: Distribution | None = None,
        look: Distribution | None = None,
        seed: int = 0,
    ) -> Iterator[Frame]:
        from simloop.worlds.photograph import photographs

        return photographs(
            self, sequences, request=request or Request(), distribution=distribution, look=look, seed=seed
        )

    def graphics(self) -> dict[str, str]:
        from simloop.worlds.canvas import graphics

        return {"graphics": graphics()}

    @property
    def look(self) -> ParameterSpace:
        from simloop.worlds.photograph import look_space

        return look_space()

    def looks(self) -> Mapping[str, Distribution]:
        from simloop.worlds.photograph import look_distributions

        return look_distributions()

    @cached_property
    def _writes(self) -> list[tuple[str, tuple[Any, ...], Array, Array | float, int]]:
        """For each binding: model field, where in it, its default, factor of a value, column of the parameter."""
        table = []
        for b in self.bindings:
            where = address(self.model, b)
            default = np.array(field_of(self.model, b.field)[where])
            factor = default if b.mode == "times" else b.factor
            table.append((b.field, where, default, factor, self.parameters.index(b.parameter)))
        return table


class Reader:
    """Reads a world's channels off a running batch: `reader()` gives (n, D), current after a `refresh`."""

    def __init__(self, world: PhysicsWorld, batch: Any) -> None:
        self._batch = batch
        self._parts = [(batch.bind(o.field), o.columns) for o in world.observations]
        needs = [int(s) for o in world.observations if o.field == "sensordata" for s in world.model.sensor_needstage]
        self._stage = max(needs, default=0)

    def refresh(self, ids: NDArray[np.int64] | None) -> None:
        """Compute what sensors need at the present state, of the simulations `ids`, by default all."""
        if self._stage:
            self._batch.forward(ids, stage=self._stage)

    def __call__(self) -> Array:
        return np.concatenate([field[:, at] for field, at in self._parts], axis=1)


def free_joints_spec() -> mujoco.MjSpec:
    """An empty machine of joints that touches nothing and has no limits: 2 ms steps, implicit in its friction."""
    import mujoco

    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = 0.002
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    disable = mujoco.mjtDisableBit
    option.disableflags |= disable.mjDSBL_CONTACT | disable.mjDSBL_LIMIT | disable.mjDSBL_ISLAND
    return spec


def show_stick(body: Any, to: Sequence[float], radius: float, colour: Sequence[float]) -> None:
    """Let a body be seen as a stick from its origin to a point, m; it weighs and touches nothing."""
    import mujoco

    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, *to], size=[radius, 0, 0], rgba=[*colour, 1],
        contype=0, conaffinity=0, mass=0, group=1,
    )  # fmt: skip


def show_from(
    spec: mujoco.MjSpec, at: Sequence[float], distance: float, azimuth: float = 90.0, up: float = 15.0
) -> None:
    """Add a light and the camera `watch`, which looks at a point from a distance, m, and two angles, degrees."""
    import mujoco

    spec.worldbody.add_light(pos=[at[0], at[1] - distance, at[2] + 2 * distance], dir=[0, 0.4, -1], castshadow=False)
    a, e = np.deg2rad(azimuth), np.deg2rad(up)
    back = -np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), -np.sin(e)])
    right = np.array([np.sin(a), -np.cos(a), 0.0])
    axes = np.stack([right, np.cross(back, right), back], axis=1)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, axes.reshape(-1))
    spec.worldbody.add_camera(name="watch", pos=np.asarray(at) + distance * back, quat=quat, fovy=45)
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.95, 0.96, 0.98], rgb2=[0.75, 0.8, 0.88], width=32, height=32,
    )  # fmt: skip


@contextlib.contextmanager
def without_engine_warnings() -> Iterator[None]:
    """Keep the engine from printing a line for each simulation that diverges, and from writing MUJOCO_LOG.TXT.

    Divergence is counted and reported here.
    """
    import mujoco

    warn, log = mujoco.get_mju_user_warning(), mujoco.MjLogConfig.get()
    mujoco.set_mju_user_warning(_unheard)
    mujoco.MjLogConfig().set()
    try:
        yield
    finally:
        log.set()
        mujoco.set_mju_user_warning(warn)


def _unheard(_message: str) -> None:
    """What the engine says to nobody."""


def needs_constants(field: str) -> bool:
    """Whether MuJoCo derives constants from this model field, so that they must be derived anew."""
    import mujoco

    return field.startswith("opt.") or field in mujoco.MjModel._setconst_inputs


def field_of(model: mujoco.MjModel, field: str) -> Array:
    """The model's array of a field, option fields included."""
    value = getattr(model.opt, field[4:]) if field.startswith("opt.") else getattr(model, field)
    return np.asarray(value)


def address(model: mujoco.MjModel, binding: Binding) -> tuple[Any, ...]:
    """Where a binding writes in its field: an index for the object and, if it picks one, for the column."""
    column = () if binding.index is None else (binding.index,)
    prefix = binding.field.split("_")[0]
    if not binding.target:
        return column
    if prefix == "dof":
        joint = model.joint(binding.target)
        start = int(model.jnt_dofadr[joint.id])
        return (slice(start, start + _dofs(model, joint.id)), *column)
    kind = {"jnt": "joint"}.get(prefix, prefix)
    return (getattr(model, kind)(binding.target).id, *column)


def _dofs(model: mujoco.MjModel, joint: int) -> int:
    return {0: 6, 1: 3}.get(int(model.jnt_type[joint]), 1)


def _dof_of(model: mujoco.MjModel, qpos: int) -> int:
    """The first degree of freedom that moves qpos column `qpos`."""
    joint = int(np.flatnonzero(model.jnt_qposadr <= qpos)[-1])
    offset = qpos - int(model.jnt_qposadr[joint])
    return int(model.jnt_dofadr[joint]) + offset


def locate(model: mujoco.MjModel, channel: Channel, source: str) -> Observation:
    """Find the columns that a source ("joint.NAME.position", "joint.NAME.velocity", "sensor.NAME") names."""
    kind, _, rest = source.partition(".")
    if kind == "sensor":
        sensor = model.sensor(rest)
        start = int(model.sensor_adr[sensor.id])
        return Observation(channel, "sensordata", slice(start, start + channel.width))
    name, _, quantity = rest.rpartition(".")
    quantity, _, part = quantity.partition(":")
    joint = model.joint(name).id
    offset = {"": 0, "x": 0, "y": 1, "z": 2, "rotation": 3}[part]
    if quantity == "position":
        start = int(model.jnt_qposadr[joint]) + offset
        return Observation(channel, "qpos", slice(start, start + channel.width))
    start = int(model.jnt_dofadr[joint]) + offset
    return Observation(channel, "qvel", slice(start, start + channel.width))
