"""Stand-ins of machines of two joints, and the one in MuJoCo with effects that no world has parameters for.

A stand-in plays reality: what it is made of (`targets/realities.py`) is drawn from a number, no adaptation can reach
it, and it is shown only by `reveal()`. Here is what all of them do, whatever engine moves the joints: commands arrive
late, sensors are noisy, an episode starts not quite where it should.

`HiddenMachine` is the same engine as the worlds, so it has what they lack: friction that grows at low speed
(Stribeck), backlash between motor and link with the encoder on the motor's side, delays that grow with the command,
noise with a memory, coarse encoders, rates that are smoothed differences of positions.

Unlike `targets/standin.py`, which records a world itself under hidden parameters, these can be acted on, and no row
of the world's parameters describes them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.targets.live import Machine
from simloop.targets.realities import Reality
from simloop.targets.rollouts import LiveProvenance
from simloop.worlds.physics import free_joints_spec, without_engine_warnings
from simloop.worlds.world import World

if TYPE_CHECKING:
    import mujoco

#: s, the time step of the engines
STEP = 0.001
#: N m/rad and N m s/rad for each kg m^2 of rotor: how hard the teeth of a gear are
_TEETH, _TEETH_DAMPING = 4.0e5, 400.0


class CommandLine:
    """Commands on their way to motors that they reach later, each after a delay of its own.

    Args:
        rest: (A,) what has reached the motors before.
    """

    def __init__(self, rest: Array) -> None:
        self._now = 0
        #: of each motor, (time step that it reaches the motor at, command), in the order in which they were given
        self._sent: list[list[tuple[int, float]]] = [[(0, float(u))] for u in rest]
        self._acting = [float(u) for u in rest]
        #: the time step at which a command on its way arrives next
        self._due: float = math.inf

    def send(self, motor: int, command: float, delay: float) -> None:
        """Give a motor a command that reaches it after `delay` s, rounded to time steps."""
        when = self._now + round(delay / STEP)
        self._sent[motor].append((when, command))
        self._due = min(self._due, when)

    def arrived(self) -> list[float]:
        """What the motors act on now: of the commands that have arrived, the last that was given."""
        if self._now >= self._due:
            self._acting = [self._arrived(sent) for sent in self._sent]
            self._due = min((when for sent in self._sent for when, _ in sent[1:]), default=math.inf)
        return self._acting

    def tick(self) -> None:
        """Let a time step pass."""
        self._now += 1

    def _arrived(self, sent: list[tuple[int, float]]) -> float:
        last = max(i for i, (when, _) in enumerate(sent) if when <= self._now)
        if last:
            del sent[:last]
        return sent[0][1]


class StandInMachine(Machine):
    """A machine of two joints with hidden parts. Subclasses move the joints.

    Args:
        world: whose channels, actions and control step it has.
        reality: what it is made of.
    """

    def __init__(self, world: World, reality: Reality, provenance: LiveProvenance) -> None:
        self.channels, self.actions, self.dt = world.channels, world.actions, world.control_dt
        self.recorded = tuple(c.name for c in world.measured)  # rates are noisier than what filters make of positions
        self.provenance = provenance
        self._reality = reality
        self._substeps = round(self.dt / STEP)
        names = [link.name for link in reality.links]
        self._positions = [j for j, c in enumerate(self.channels) if not c.rate_of]
        self._joint = [names.index(c.rate_of or c.name) for c in self.channels]
        self._rng = np.random.Generator(np.random.Philox(0))

    @abstractmethod
    def _place(self, positions: Array, rates: Array) -> None:
        """Put the joints at positions (2,) rad with rates (2,) rad/s, and forget everything else."""

    @abstractmethod
    def _advance(self, command: list[float]) -> None:
        """Let one time step pass under the commands that reach the motors."""

    @abstractmethod
    def _joints(self) -> tuple[Array, Array]:
        """True positions and rates of the links, (2,) each."""

    def _encoders(self) -> tuple[Array, Array]:
        """Positions and rates where the sensors are, (2,) each: on the links unless something lies between."""
        return self._joints()

    def reset(self, positions: Array, rates: Array, rest: Array, rng: np.random.Generator) -> Array:
        self._rng = rng
        sensors = self._reality.sensors
        order = [self._joint.index(k) for k in (0, 1)]
        placed = np.asarray(positions)[order] + sensors.placement * rng.standard_normal(2)
        self._place(placed, np.asarray(rates, dtype=float)[order])
        self._line = CommandLine(rest)
        self._coloured = sensors.noise * rng.standard_normal(2)
        self._smoothed = self._encoders()[1].copy()
        self._read = self._encoders()[0].copy()
        return self._sense(fresh=True)

    def step(self, action: Array, samples: int) -> Array:
        out = np.empty((samples, len(self.channels)))
        for k, (motor, u) in enumerate(zip(self._reality.motors, action.tolist(), strict=True)):
            self._line.send(k, u, motor.delay + motor.slow * min(1.0, abs(u) / motor.full))
        for i in range(samples):
            for _ in range(self._substeps):
                self._advance(self._line.arrived())
                self._line.tick()
            out[i] = self._sense()
        return out

    def judged(self) -> Array:
        positions, rates = self._joints()
        return np.array([(rates if c.rate_of else positions)[k]
                         for c, k in zip(self.channels, self._joint, strict=True)])  # fmt: skip

    def reveal(self) -> Mapping[str, float]:
        return self._reality.values()

    def _sense(self, *, fresh: bool = False) -> Array:
        """What the sensors say, (D,)."""
        sensors = self._reality.sensors
        positions, rates = self._encoders()
        draws = self._rng.standard_normal(4)
        if not fresh:
            self._coloured = (
                sensors.memory * self._coloured + (1 - sensors.memory**2) ** 0.5 * sensors.noise * draws[:2]
            )
        read = positions + self._coloured
        if sensors.step:
            read = np.round(read / sensors.step) * sensors.step
        if sensors.smoothing:
            part = self.dt / (self.dt + sensors.smoothing)
            if not fresh:
                self._smoothed = self._smoothed + part * ((read - self._read) / self.dt - self._smoothed)
            rates = self._smoothed
        self._read = read
        rates = rates + sensors.rate_noise * draws[2:]
        return np.array([(rates if c.rate_of else read)[k] for c, k in zip(self.channels, self._joint, strict=True)])


class HiddenMachine(StandInMachine):
    """The stand-in in MuJoCo."""

    def __init__(self, world: World, reality: Reality) -> None:
        super().__init__(world, reality, "same engine, hidden parameters")
        import mujoco

        self._engine = mujoco
        self._model = _spec(reality).compile()
        self._data = mujoco.MjData(self._model)
        self._links = np.array([self._model.joint(link.name).dofadr[0] for link in reality.links])
        #: for each motor, the degree of freedom that it turns: that of its rotor, or of the link itself
        self._turned = [
            int(self._model.joint(f"{reality.links[m.joint].name} rotor" if m.play else reality.links[m.joint].name)
                .dofadr[0])
            for m in reality.motors
        ]  # fmt: skip
        self._sensed = self._links.copy()
        for motor, dof in zip(reality.motors, self._turned, strict=True):
            self._sensed[motor.joint] = dof
        #: the degree of freedom that each joint's friction acts on: gears are where the friction is
        self._rubbed = self._sensed

    def step(self, action: Array, samples: int) -> Array:
        with without_engine_warnings():
            out = super().step(action, samples)
        if self._data.warning.number.any():  # the engine has put the joints back to 0 and gone on
            raise InputError("the simulation of the stand-in diverged")
        return out

    def _place(self, positions: Array, rates: Array) -> None:
        self._engine.mj_resetData(self._model, self._data)
        for dofs in (self._links, self._sensed):
            self._data.qpos[dofs], self._data.qvel[dofs] = positions, rates

    def _advance(self, command: list[float]) -> None:
        model, data, reality = self._model, self._data, self._reality
        qpos, qvel, applied = data.qpos, data.qvel, data.qfrc_applied
        applied[:] = 0.0
        for link, dof in zip(reality.links, self._rubbed.tolist(), strict=True):
            model.dof_frictionloss[dof] = link.friction(float(qvel[dof]))
        for motor, dof, u in zip(reality.motors, self._turned, command, strict=True):
            applied[dof] += motor.torque * (u + motor.bias)
            if motor.play:
                turned = int(self._links[motor.joint])
                torque = _teeth(float(qpos[dof] - qpos[turned]), float(qvel[dof] - qvel[turned]), motor.play / 2,
                                reality.links[motor.joint].rotor)  # fmt: skip
                applied[dof] -= torque
                applied[turned] += torque
        self._engine.mj_step(model, data)

    def _joints(self) -> tuple[Array, Array]:
        return self._data.qpos[self._links].copy(), self._data.qvel[self._links].copy()

    def _encoders(self) -> tuple[Array, Array]:
        return self._data.qpos[self._sensed].copy(), self._data.qvel[self._sensed].copy()


def _teeth(apart: float, rate: float, half: float, rotor: float) -> float:
    """Torque (N m) of a gear whose sides are `apart` (rad): none inside its play, else a stiff, damped spring."""
    deep = apart - half if apart > half else apart + half if apart < -half else 0.0
    if deep == 0.0:
        return 0.0
    torque = rotor * (_TEETH * deep + _TEETH_DAMPING * rate)
    return max(torque, 0.0) if deep > 0 else min(torque, 0.0)  # teeth push, they do not pull


def _spec(reality: Reality) -> mujoco.MjSpec:
    """The machine's body; where a motor has play its rotor is a joint of its own beside the link."""
    import mujoco

    spec = free_joints_spec()
    spec.option.timestep = STEP
    spec.option.gravity = list(reality.gravity)
    parents = [spec.worldbody]
    played = {m.joint for m in reality.motors if m.play}
    for k, link in enumerate(reality.links):
        body = parents[k].add_body(name=link.name, pos=list(link.at), mass=link.mass, ipos=list(link.com),
                                   inertia=list(link.inertia), explicitinertial=True)  # fmt: skip
        joint = body.add_joint(name=link.name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=list(link.axis))
        joint.damping[0] = link.viscous
        joint.stiffness = [link.spring, 0, link.stiffening]
        rubbed = joint
        if k in played:
            rotor = parents[k].add_body(name=f"{link.name} rotor", pos=list(link.at), mass=1e-6,
                                        inertia=[1e-9] * 3, explicitinertial=True)  # fmt: skip
            rubbed = rotor.add_joint(name=f"{link.name} rotor", type=mujoco.mjtJoint.mjJNT_HINGE, axis=list(link.axis))
        rubbed.armature = link.rotor
        rubbed.frictionloss = link.coulomb
        rubbed.solref_friction = [0.004, 1]
        parents.append(body)
    return spec
