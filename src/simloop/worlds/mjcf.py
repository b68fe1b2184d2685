"""Any MJCF or URDF as a world, by a YAML file that names what may vary:

    world: my-arm
    model: my-arm.xml                       # MJCF or URDF, relative to this file
    control_dt: 0.01                        # s between two actions (default: the model's time step)
    actions: [shoulder_motor, elbow_motor]  # actuators, or joints that get a torque motor (default: all actuators)
    channels: [shoulder, elbow]             # joints whose position is measured, or sensor.NAME (default: all joints)
    parameters:
      body.forearm.mass: {factor: [0.7, 1.4]}      # times the model's value
      joint.*.damping: {range: [0.01, 1.0]}        # one parameter for each joint
      actuator.*.delay: {range: [0, 0.02]}         # s

Parameters carry the model's own values as defaults; the ranges are the world's `wide` distribution.
"""

from __future__ import annotations

import fnmatch
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from simloop.config import Strict, read_yaml
from simloop.distributions import Distribution, Uniform
from simloop.errors import DataWarning, InputError, did_you_mean, unknown
from simloop.parameters import Kind, Parameter, ParameterSpace
from simloop.trajectories import Channel
from simloop.worlds.channel import Effect
from simloop.worlds.physics import Binding, PhysicsWorld, address, field_of

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class Quantity:
    """One row of the table of what may vary: where it is in the model, and what it is."""

    field: str  # of the MuJoCo model, or "" for an effect of the channel
    index: int | None
    unit: str
    positive: bool  # cannot be negative; log scale where its range allows
    kind: Kind = "dynamics"
    relative: bool = False  # the parameter multiplies the model's values (several of them)


#: "kind of object.quantity" -> where it is
QUANTITIES: dict[str, Quantity] = {
    "body.mass": Quantity("body_mass", None, "kg", True),
    "body.density": Quantity("body_mass", None, "", True, relative=True),  # mass and inertia together
    "body.inertia": Quantity("body_inertia", None, "", True, relative=True),
    "body.com.x": Quantity("body_ipos", 0, "m", False),
    "body.com.y": Quantity("body_ipos", 1, "m", False),
    "body.com.z": Quantity("body_ipos", 2, "m", False),
    "body.gravcomp": Quantity("body_gravcomp", None, "", False),
    "joint.damping": Quantity("dof_damping", None, "N m s/rad", True),
    "joint.frictionloss": Quantity("dof_frictionloss", None, "N m", True),
    "joint.armature": Quantity("dof_armature", None, "kg m^2", True),
    "joint.stiffness": Quantity("jnt_stiffness", None, "N m/rad", True),
    "geom.friction": Quantity("geom_friction", 0, "", True),
    "geom.friction.torsional": Quantity("geom_friction", 1, "m", True),
    "geom.friction.rolling": Quantity("geom_friction", 2, "m", True),
    "geom.solref.time": Quantity("geom_solref", 0, "s", True),
    "geom.solref.damping": Quantity("geom_solref", 1, "", True),
    "actuator.kp": Quantity("actuator_gainprm", 0, "", True),
    "actuator.gear": Quantity("actuator_gear", 0, "", False),
    "tendon.damping": Quantity("tendon_damping", None, "N s/m", True),
    "tendon.stiffness": Quantity("tendon_stiffness", None, "N/m", True),
    "tendon.frictionloss": Quantity("tendon_frictionloss", None, "N", True),
    "tendon.armature": Quantity("tendon_armature", None, "kg", True),
    "option.gravity.x": Quantity("opt.gravity", 0, "m/s^2", False),
    "option.gravity.y": Quantity("opt.gravity", 1, "m/s^2", False),
    "option.gravity.z": Quantity("opt.gravity", 2, "m/s^2", False),
    "option.density": Quantity("opt.density", None, "kg/m^3", True),
    "option.viscosity": Quantity("opt.viscosity", None, "Pa s", True),
    "actuator.gain": Quantity("", None, "", True, "sensing"),
    "actuator.delay": Quantity("", None, "s", True, "sensing"),
    "actuator.bias": Quantity("", None, "", False, "sensing"),
    "actuator.noise": Quantity("", None, "", True, "sensing"),
    "channel.noise": Quantity("", None, "", True, "sensing"),
}
_NEUTRAL = {"gain": 1.0}


class Range(Strict):
    """How far a parameter may vary: `range` in its unit, or `factor` times the model's value."""

    range: tuple[float, float] | None = None
    factor: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Range:
        if (self.range is None) == (self.factor is None):
            raise ValueError("give either 'range: [low, high]' or 'factor: [low, high]'")
        low, high = self.range or self.factor or (0.0, 0.0)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"expected two finite numbers, got [{low:g}, {high:g}]")
        if low >= high:
            raise ValueError(f"the first number must be below the second, got [{low:g}, {high:g}]")
        if self.factor and low <= 0:
            raise ValueError(f"a factor must be above 0, got {low:g}")
        return self


class WorldFile(Strict):
    """The YAML file of a world."""

    world: str = Field(min_length=1)
    model: str
    control_dt: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    actions: list[str] | None = None
    channels: list[str] | None = None
    parameters: dict[str, Range]


class MjcfWorld(PhysicsWorld):
    """A world around someone's own model; `wide` is the uniform distribution over the ranges of its file."""

    def __init__(self, *, wide: tuple[list[float], list[float]], **physics: Any) -> None:
        super().__init__(**physics)
        self._wide = wide

    def distributions(self) -> Mapping[str, Distribution]:
        return {**super().distributions(), "wide": Uniform(self.parameters, *self._wide)}


def read_world(file: Path) -> MjcfWorld:
    """Build the world that a YAML file describes; errors name the file and the field."""
    record = read_yaml(file, WorldFile)
    path = file.parent / record.model
    if not path.is_file():
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"{file}: model: no such file {str(path)!r}{did_you_mean(path.name, names)}")
    try:
        return _world(file, record, path)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(file)) else f"{file}: {text}") from None


def _world(file: Path, record: WorldFile, path: Path) -> MjcfWorld:
    spec = _load_spec(path, record.actions)
    model = _compiled(spec, path)
    actuators = [model.actuator(i).name for i in range(model.nu)]
    wanted = record.actions if record.actions is not None else actuators
    if not all(actuators):
        raise InputError(f"{path}: an actuator has no name; name it, so that its action can be")
    _check_once("actions", wanted)
    for name in wanted:
        if name not in actuators:
            raise unknown("action", name, [*actuators, *_names(model, "joint")])
    if model.na:
        warnings.warn(
            f"{path}: an actuator has an internal state, which no recording holds; it is 0 at the start of each window",
            DataWarning,
            stacklevel=4,
        )
    if set(wanted) != set(actuators):
        left = ", ".join(repr(a) for a in actuators if a not in wanted)
        raise InputError(f"actions: {left} would get no action; list them too or take them out of the model")
    channels = _channels(model, record.channels)
    parameters, bindings, effects, wide = _parameters(model, record, actuators, [c.name for c, _ in channels])
    world = MjcfWorld(
        name=record.world,
        summary=f"{path.name}, described by {file.name}",
        build=lambda: _load_spec(path, record.actions),
        parameters=ParameterSpace(parameters),
        bindings=bindings,
        effects=effects,
        channels=channels,
        actions=[Channel(a, _force_unit(model, i)) for i, a in enumerate(actuators)],
        control_dt=record.control_dt or float(model.opt.timestep),
        wide=wide,
    )
    _ = world.model, world._state_columns  # says now what a simulation would say later
    return world


def _check_once(field: str, names: list[str]) -> None:
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise InputError(f"{field}: {twice[0]!r} stands there twice")


def _load_spec(path: Path, actions: list[str] | None) -> mujoco.MjSpec:
    import mujoco

    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise InputError(f"{path}: not a model that MuJoCo reads: {_first_line(error)}") from None
    actuators = {a.name for a in spec.actuators}
    joints = {j.name for j in spec.joints}
    for name in actions or []:
        if name not in actuators and name in joints:
            spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    return spec


def _compiled(spec: mujoco.MjSpec, path: Path) -> mujoco.MjModel:
    try:
        return spec.compile()
    except ValueError as error:
        raise InputError(f"{path}: does not compile: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return " ".join(str(error).replace("Error: ", "").split())[:200]


def _names(model: mujoco.MjModel, kind: str) -> list[str]:
    count = {"body": model.nbody, "joint": model.njnt, "geom": model.ngeom, "actuator": model.nu,
             "tendon": model.ntendon, "sensor": model.nsensor}[kind]  # fmt: skip
    return [name for i in range(count) if (name := getattr(model, kind)(i).name) and name != "world"]


def _force_unit(model: mujoco.MjModel, actuator: int) -> str:
    """The unit of an action: known for a plain motor on a joint, else the model's own business."""
    import mujoco

    plain = model.actuator_gaintype[actuator] == mujoco.mjtGain.mjGAIN_FIXED and not model.actuator_biastype[actuator]
    if not plain or model.actuator_trntype[actuator] != mujoco.mjtTrn.mjTRN_JOINT:
        return ""
    joint = model.actuator_trnid[actuator, 0]
    return "N" if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE else "N m"


def _channels(model: mujoco.MjModel, wanted: list[str] | None) -> list[tuple[Channel, str]]:
    """Measured positions first, then their rates. A free joint gives NAME.x, NAME.y, NAME.z and NAME.rotation."""
    import mujoco

    joints, sensors = _names(model, "joint"), _names(model, "sensor")
    unnamed = model.njnt - len(joints)
    if unnamed:
        raise InputError(f"{unnamed} of the model's {model.njnt} joints have no name; name them, as channels need")
    _check_once("channels", wanted or [])
    positions: list[tuple[Channel, str]] = []
    rates: list[tuple[Channel, str]] = []
    for name in joints if wanted is None else wanted:
        if name.startswith("sensor."):
            if name[7:] not in sensors:
                raise unknown("sensor", name[7:], sensors)
            if int(model.sensor_dim[model.sensor(name[7:]).id]) != 1:
                raise InputError(f"channels: sensor {name[7:]!r} has several values; only single ones are read")
            positions.append((Channel(name, ""), name))
            continue
        if name not in joints:
            raise unknown("channel", name, [*joints, *(f"sensor.{s}" for s in sensors)])
        kind = model.jnt_type[model.joint(name).id]
        if kind == mujoco.mjtJoint.mjJNT_HINGE:
            positions.append((Channel(name, "rad", "angle"), f"joint.{name}.position"))
            rates.append((Channel(f"{name}.velocity", "rad/s", rate_of=name), f"joint.{name}.velocity"))
        elif kind == mujoco.mjtJoint.mjJNT_SLIDE:
            positions.append((Channel(name, "m"), f"joint.{name}.position"))
            rates.append((Channel(f"{name}.velocity", "m/s", rate_of=name), f"joint.{name}.velocity"))
        else:
            turn = f"{name}.rotation"
            if kind == mujoco.mjtJoint.mjJNT_FREE:
                for axis in "xyz":
                    at = f"{name}.{axis}"
                    positions.append((Channel(at, "m"), f"joint.{name}.position:{axis}"))
                    rates.append((Channel(f"{at}.velocity", "m/s", rate_of=at), f"joint.{name}.velocity:{axis}"))
            part = ":rotation" if kind == mujoco.mjtJoint.mjJNT_FREE else ""
            positions.append((Channel(turn, "", "quaternion"), f"joint.{name}.position{part}"))
            rates.append((Channel(f"{turn}.velocity", "rad/s", "spin", rate_of=turn), f"joint.{name}.velocity{part}"))
    return positions + rates


def _parameters(
    model: mujoco.MjModel, record: WorldFile, actuators: list[str], channels: list[str]
) -> tuple[list[Parameter], list[Binding], list[Effect], tuple[list[float], list[float]]]:
    parameters, bindings, effects = [], [], []
    low_wide: list[float] = []
    high_wide: list[float] = []
    if not record.parameters:
        raise InputError("parameters: name at least one that may vary")
    for pattern, allowed in record.parameters.items():
        for name, target, key in _expand(model, pattern, actuators, channels):
            quantity = QUANTITIES[key]
            what = key.split(".", 1)[1]
            default = 1.0 if quantity.relative else _NEUTRAL.get(what, 0.0)
            if quantity.field and not quantity.relative:
                binding = Binding(name, quantity.field, target, quantity.index)
                value = np.asarray(field_of(model, binding.field)[address(model, binding)]).ravel()
                default = float(value[0])
            low, high = _bounds(name, allowed, default, quantity)
            parameter = _parameter(name, low, high, default, _with_unit(model, target, key, quantity))
            parameters.append(parameter)
            low_wide.append(low)
            high_wide.append(high)
            if quantity.field:
                mode = "times" if quantity.relative else "set"
                bindings.append(Binding(name, quantity.field, target, quantity.index, mode=mode))  # type: ignore[arg-type]
                if key == "body.density":
                    bindings.append(Binding(name, "body_inertia", target, mode="times"))
                if key == "actuator.kp" and _is_position_servo(model, target):
                    bindings.append(Binding(name, "actuator_biasprm", target, 1, factor=-1.0))
            else:
                effects.append(Effect(name, target, what))  # type: ignore[arg-type]
    places: dict[tuple[object, ...], str] = {}
    for b in bindings:
        other = places.setdefault((b.field, b.target, b.index), b.parameter)
        if other != b.parameter:
            raise InputError(
                f"parameters: {other} and {b.parameter} write the same values of the model; keep one of them"
            )
    return parameters, bindings, effects, (low_wide, high_wide)


def _with_unit(model: mujoco.MjModel, target: str, key: str, quantity: Quantity) -> Quantity:
    """The quantity in the unit of its joint: forces and metres for a slide, torques and radians for a hinge."""
    import mujoco

    if not key.startswith("joint.") or model.jnt_type[model.joint(target).id] != mujoco.mjtJoint.mjJNT_SLIDE:
        return quantity
    units = {"N m s/rad": "N s/m", "N m": "N", "kg m^2": "kg", "N m/rad": "N/m"}
    return replace(quantity, unit=units[quantity.unit])


def _is_position_servo(model: mujoco.MjModel, actuator: str) -> bool:
    """Whether an actuator's bias holds minus its kp; a plain motor or a velocity servo has none to change."""
    i = model.actuator(actuator).id
    kp = float(model.actuator_gainprm[i, 0])
    if kp != 0 and float(model.actuator_biasprm[i, 1]) == -kp:
        return True
    raise InputError(f"parameters: actuator.{actuator}.kp: not a position servo; use 'gain' for a motor")


def _expand(
    model: mujoco.MjModel, pattern: str, actuators: list[str], channels: list[str]
) -> list[tuple[str, str, str]]:
    """Return (name, object, key of QUANTITIES) for each parameter that a name or pattern means."""
    kind, _, rest = pattern.partition(".")
    kinds = sorted({k.split(".")[0] for k in QUANTITIES})
    if kind not in kinds:
        raise unknown("parameter", pattern, [f"{k}.NAME.{v}" for k, _, v in (q.partition(".") for q in QUANTITIES)])
    if kind == "option":
        if pattern not in QUANTITIES:
            raise unknown("parameter", pattern, [q for q in QUANTITIES if q.startswith("option.")])
        return [(pattern, "", pattern)]
    own = sorted((q.partition(".")[2] for q in QUANTITIES if q.startswith(kind + ".")), key=len, reverse=True)
    names = {"actuator": actuators, "channel": channels}.get(kind) or _names(model, kind)
    what = next((q for q in own if rest.endswith("." + q)), None)
    if rest in own:
        raise InputError(f"parameters: {pattern!r} names no {kind}; write '{kind}.NAME.{rest}' or '{kind}.*.{rest}'")
    if what is None:
        given = rest.rpartition(".")[2]
        raise unknown(f"quantity of a {kind} in {pattern!r}:", given, sorted(own))
    target = rest[: -len(what) - 1]
    found = [n for n in names if fnmatch.fnmatchcase(n, target)]
    if not found:
        raise unknown(f"{kind} in {pattern!r}:", target, names)
    return [(f"{kind}.{n}.{what}", n, f"{kind}.{what}") for n in found]


def _bounds(name: str, allowed: Range, default: float, quantity: Quantity) -> tuple[float, float]:
    if allowed.factor:
        if default == 0:
            raise InputError(f"parameters: {name} is 0 in the model, so a factor cannot change it; give a 'range'")
        low, high = sorted((default * allowed.factor[0], default * allowed.factor[1]))
    else:
        low, high = allowed.range or (0.0, 0.0)
    if quantity.positive and low < 0:
        raise InputError(f"parameters: {name} cannot be negative, got a range from {low:g}")
    return low, high


def _parameter(name: str, low: float, high: float, default: float, quantity: Quantity) -> Parameter:
    """The parameter behind a range: bounds well outside it, a prior as wide as it."""
    log = quantity.positive and low > 0 and default > 0
    if log:
        bounds = min(low / 10, default), max(high * 10, default)
        spread = math.log(high / low) / 2
    else:
        room = 2 * (high - low)
        bounds = min(low - room, default), max(high + room, default)
        if quantity.positive:
            bounds = max(bounds[0], 0.0), bounds[1]
        spread = (high - low) / 2
    return Parameter(name, *bounds, default=default, unit=quantity.unit, scale="log" if log else "linear",
                     kind=quantity.kind, spread=spread, stochastic=name.endswith(".noise"))  # fmt: skip
