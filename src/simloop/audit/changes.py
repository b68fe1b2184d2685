"""Changes of a simulated world that physics would not notice, and small ones that no reality is free of.

    for change in changes(world):
        world_, task_, actor_ = change.apply(world, task, policy)

`same` changes leave the physics what it is: a finer time step, another integrator or solver at the finest step (so that
none is itself too coarse), the scene in a mirror. `near` changes are smaller than what anyone knows of a machine: the
softness of contacts, where exactly an episode starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from simloop.learn.policy import Actor, begin
from simloop.parameters import Array
from simloop.targets.live import LiveTarget
from simloop.trajectories import columns, displaced, tangents
from simloop.worlds.physics import PhysicsWorld
from simloop.worlds.task import Task
from simloop.worlds.world import World

if TYPE_CHECKING:
    import mujoco

Kind = Literal["same", "near"]
#: the finest time step that is tried: the model's own divided by this
_FINEST = 4
#: how much softer and harder contacts are made
_SOFTER = 1.1
_INTEGRATORS = {0: "Euler", 1: "RK4", 2: "implicit", 3: "implicitfast"}
_SOLVERS = {0: "PGS", 1: "CG", 2: "Newton"}
_CONES = {0: "pyramidal", 1: "elliptic"}


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        name: what reports call it, as in "when ...".
        kind: whether physics is the same under it, or near.
        model: what it does to the body's description; None: nothing.
        jitter: by how much starts move, in each channel's unit; 0: not.
        mirrored: whether everything happens in a mirror.
    """

    name: str
    kind: Kind
    model: Callable[[mujoco.MjSpec], None] | None = None
    jitter: float = 0.0
    mirrored: bool = False

    def apply(self, world: PhysicsWorld, task: Task, actor: Actor) -> tuple[PhysicsWorld, Task, Actor]:
        """The world, the task and the actor under it."""
        if self.model is not None:
            world = world.with_model(self.model)
        if self.jitter:
            task = JitteredTask(**_fields(task), task=task, world=world, size=self.jitter)
        if self.mirrored:
            signs = Signs.of(world)
            task, actor = _mirrored_task(task, signs), MirroredActor(actor, signs.actions[task.active])
        return world, task, actor

    def rows(self, world: World, rows: Array) -> Array:
        """The parameters (n, d) of the same episodes under it."""
        if not self.mirrored or world.mirror is None:
            return rows
        turned = [j for j, name in enumerate(world.parameters.names) if name in world.mirror.parameters]
        out = rows.copy()
        out[:, turned] *= -1
        return out


def changes(world: PhysicsWorld, *, jitter: float = 0.005) -> list[Change]:
    """All changes that can be made to a world."""
    import mujoco

    model = world.model
    contacts = bool(((model.geom_contype > 0) | (model.geom_conaffinity > 0)).any()) and not (
        model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CONTACT
    )
    constrained = contacts or bool(model.neq or (model.dof_frictionloss > 0).any() or model.jnt_limited.any())
    found = [
        Change("the time step is halved", "same", lambda spec: _finer(spec, 2)),
        Change("the time step is quartered", "same", lambda spec: _finer(spec, _FINEST)),
    ]
    found += [
        Change(f"the integrator is {name} at a quarter of the time step", "same", _set("integrator", number, _FINEST))
        for number, name in _INTEGRATORS.items()
        if number != model.opt.integrator
    ]
    if constrained:
        other = 1 if model.opt.solver == 2 else 2  # CG and Newton's method converge; PGS may not
        found.append(Change(f"the solver is {_SOLVERS[other]} with more iterations", "same", _solver(other)))
    if contacts:
        cone = 1 - int(model.opt.cone)
        found.append(Change(f"friction cones are {_CONES[cone]}", "near", _set("cone", cone, 1)))
        for name, factor in (("softer", _SOFTER), ("harder", 1 / _SOFTER)):
            percent = abs(round(100 * (factor - 1)))
            found.append(Change(f"contacts are {percent} % {name}", "near", _softness(factor)))
    if world.mirror is not None:
        found.append(Change("everything happens in a mirror", "same", mirrored=True))
    found.append(Change(f"starts move by {jitter:g}", "near", jitter=jitter))
    return found


def _finer(spec: mujoco.MjSpec, by: int) -> None:
    spec.option.timestep /= by


def _set(option: str, value: int, finer: int) -> Callable[[mujoco.MjSpec], None]:
    def change(spec: mujoco.MjSpec) -> None:
        setattr(spec.option, option, value)
        _finer(spec, finer)

    return change


def _solver(number: int) -> Callable[[mujoco.MjSpec], None]:
    def change(spec: mujoco.MjSpec) -> None:
        option = spec.option
        option.solver, option.tolerance = number, min(option.tolerance, 1e-10)
        option.iterations, option.ls_iterations = max(4 * option.iterations, 200), max(2 * option.ls_iterations, 100)

    return change


def _softness(factor: float) -> Callable[[mujoco.MjSpec], None]:
    """Contacts give way `factor` times as easily: by their time constant, or by their stiffness where that is given."""

    def change(spec: mujoco.MjSpec) -> None:
        for geom in [*spec.geoms, *spec.pairs]:
            first = geom.solref[0]
            geom.solref[0] = first * factor if first > 0 else first / factor

    return change


def other_engine(world: World, task: Task) -> LiveTarget | None:
    """The machine that the world's defaults describe in another engine, or None where no engine plays it."""
    from simloop.targets.bullet import BulletMachine
    from simloop.targets.live import Machine
    from simloop.targets.realities import nominal

    kind = world.name.split("/")[0]
    machine: Machine | None = None
    if kind in ("double-pendulum", "qube"):
        machine = BulletMachine(world, nominal(world))
    elif kind == "drawer":
        from simloop.targets.bullet_drawer import BulletDrawer, nominal_drawer

        machine = BulletDrawer(world, nominal_drawer(world))
    if machine is None:
        return None
    return LiveTarget(f"{world.name} in PyBullet", world, machine, task, "the world's defaults in another engine")


def _fields(task: Task) -> dict[str, Any]:
    """What every task says, for a task that stands for another."""
    return {f.name: getattr(task, f.name) for f in fields(Task)}


@dataclass(frozen=True, kw_only=True)
class _Standing(Task):
    """A task that stands for another."""

    task: Task

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        return self.task.start(rng)

    def observe(self, seen: Array) -> Array:
        return self.task.observe(seen)

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        return self.task.reward(before, values, action)

    def good(self, values: Array) -> NDArray[np.bool_]:
        return self.task.good(values)

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        return self.task.terminated(values)


@dataclass(frozen=True, kw_only=True)
class JitteredTask(_Standing):
    """A task whose episodes start a little off: positions and rates move by normal steps of `size`."""

    world: World
    size: float

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        positions, rates = self.task.start(rng)
        # a stream beside the episode's own, so that all else that is drawn from that stays the same
        own = np.random.Generator(rng.bit_generator.jumped())  # type: ignore[attr-defined]
        measured = self.world.measured
        by = self.size * own.standard_normal((1, sum(c.tangent for c in measured)))
        moved = displaced(np.asarray(positions, dtype=float)[None], by, measured)[0]
        rates = np.asarray(rates, dtype=float)
        return moved, rates + self.size * own.standard_normal(rates.shape)


@dataclass(frozen=True)
class Signs:
    """What a mirror makes of channel values (D,), of measured positions (M,) and rates (M',), and of actions (A,)."""

    values: Array
    positions: Array
    rates: Array
    actions: Array

    @classmethod
    def of(cls, world: World) -> Signs:
        mirror = world.mirror
        assert mirror is not None
        values = np.ones(sum(c.width for c in world.channels))
        for channel, at in zip(world.channels, columns(world.channels), strict=True):
            values[at] = -1.0 if (channel.rate_of or channel.name) in mirror.channels else 1.0
        measured = world.measured
        positions, rates = np.ones(sum(c.width for c in measured)), np.ones(sum(c.tangent for c in measured))
        for channel, at, own in zip(measured, columns(measured), tangents(measured), strict=True):
            positions[at] = rates[own] = -1.0 if channel.name in mirror.channels else 1.0
        actions = np.array([-1.0 if a.name in mirror.actions else 1.0 for a in world.actions])
        return cls(values, positions, rates, actions)


def _mirrored_task(task: Task, signs: Signs) -> MirroredTask:
    ends = np.array([task.low, task.high]) * signs.actions
    rest = tuple((np.array(task.rest) * signs.actions).tolist()) if task.rest else ()
    own = {"low": tuple(ends.min(axis=0).tolist()), "high": tuple(ends.max(axis=0).tolist()), "rest": rest}
    return MirroredTask(**{**_fields(task), **own}, task=task, signs=signs)


@dataclass(frozen=True, kw_only=True)
class MirroredTask(_Standing):
    """A task as it looks in a mirror: what happens there is judged, and seen, as if it happened here."""

    signs: Signs = field(repr=False)

    def start(self, rng: np.random.Generator) -> tuple[Array, Array]:
        positions, rates = self.task.start(rng)
        return positions * self.signs.positions, rates * self.signs.rates

    def observe(self, seen: Array) -> Array:
        return self.task.observe(seen * self.signs.values)

    def reward(self, before: Array, values: Array, action: Array) -> Array:
        sign = self.signs.values
        return self.task.reward(before * sign, values * sign, action * self.signs.actions)

    def good(self, values: Array) -> NDArray[np.bool_]:
        return self.task.good(values * self.signs.values)

    def terminated(self, values: Array) -> NDArray[np.bool_]:
        return self.task.terminated(values * self.signs.values)


@dataclass
class MirroredActor:
    """A policy that acts in a mirror: its actions turn by `signs` (active actions,)."""

    actor: Actor
    signs: Array

    def begin(self, places: NDArray[np.bool_]) -> None:
        begin(self.actor, places)

    def __call__(self, observation: Array, /) -> Array:
        return self.actor(observation) * self.signs
