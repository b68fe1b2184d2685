"""Shared by all tests: where the real recordings are, and small worlds."""

from __future__ import annotations

from pathlib import Path

import pytest

from simloop.targets.catalogue import entries
from simloop.worlds import World, get_world

_PENDULUM = """
<mujoco model="pendulum">
  <option timestep="0.001" integrator="implicitfast"/>
  <worldbody>
    <body name="bob">
      <joint name="hinge" axis="0 -1 0"/>
      <inertial pos="0 0 -0.5" mass="2" diaginertia="0.01 0.01 0.01"/>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="hinge"/></actuator>
</mujoco>
"""
_PENDULUM_WORLD = """
world: pendulum
model: pendulum.xml
control_dt: 0.002
parameters:
  body.bob.mass: {factor: [0.5, 2]}
  body.bob.com.z: {range: [-0.8, -0.2]}
  joint.hinge.damping: {range: [0, 0.5]}
  actuator.motor.gain: {factor: [0.8, 1.25]}
  actuator.motor.delay: {range: [0, 0.02]}
  actuator.motor.bias: {range: [-0.2, 0.2]}
  channel.hinge.noise: {range: [0, 0.1]}
"""


@pytest.fixture(scope="session")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A damped pendulum whose small motions have a closed form, with a channel."""
    folder = tmp_path_factory.mktemp("pendulum")
    (folder / "pendulum.xml").write_text(_PENDULUM)
    (folder / "pendulum.yaml").write_text(_PENDULUM_WORLD)
    return get_world(str(folder / "pendulum.yaml"))


@pytest.fixture(scope="session")
def c1() -> World:
    """The double pendulum of design C.1."""
    return get_world("double-pendulum/c1")


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real double-pendulum recordings; tests that need it are skipped where it is not."""
    entry = entries()["double-pendulum"]
    if not all(entry.present(split) for split in entry.splits):
        pytest.skip(f"the real recordings are not in {entry.folder}: run 'simloop data get double-pendulum'")
    return entry.folder
