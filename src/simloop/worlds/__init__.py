"""What can be simulated. `get_world(name)` finds a world by name, or builds one from a YAML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simloop.errors import InputError, did_you_mean, unknown
from simloop.worlds.world import Segments, World

__all__ = ["Segments", "World", "get_world", "world_names"]


def _double_pendulum(build: str) -> World:
    from simloop.worlds.double_pendulum import DoublePendulum

    return DoublePendulum(build)


def _qube() -> World:
    from simloop.worlds.qube import Qube

    return Qube()


def _cart_pole() -> World:
    from simloop.worlds.cart_pole import CartPole

    return CartPole()


def _cube_toss() -> World:
    from simloop.worlds.cube_toss import CubeToss

    return CubeToss()


def _drawer() -> World:
    from simloop.worlds.drawer import Drawer

    return Drawer()


def _peg() -> World:
    from simloop.worlds.peg import Peg

    return Peg()


def _tabletop() -> World:
    from simloop.worlds.tabletop import Tabletop

    return Tabletop()


def _drive() -> World:
    from simloop.worlds.drive.world import Drive

    return Drive()


def _drive_held_out() -> World:
    from simloop.worlds.drive.held_out import HeldOut

    return HeldOut()


def _crowd() -> World:
    from simloop.worlds.crowd.world import Crowd

    return Crowd()


def _crowd_nav() -> World:
    from simloop.worlds.crowd_nav import CrowdNav

    return CrowdNav()


def _crowd_sampled(*, meet: bool) -> World:
    from simloop.worlds.crowd.sampled import SampledCrowd

    return SampledCrowd(meet=meet)


_WORLDS: dict[str, Callable[[], World]] = {
    "double-pendulum/c1": lambda: _double_pendulum("c1"),
    "double-pendulum/a0": lambda: _double_pendulum("a0"),
    "qube": _qube,
    "cart-pole": _cart_pole,
    "cube-toss": _cube_toss,
    "drawer": _drawer,
    "peg": _peg,
    "tabletop": _tabletop,
    "drive": _drive,
    "drive/held-out": _drive_held_out,
    "crowd": _crowd,
    "crowd/sampled": lambda: _crowd_sampled(meet=False),
    "crowd/sampled-orca": lambda: _crowd_sampled(meet=True),
    "crowd-nav": _crowd_nav,
}
_DEFAULTS = {"double-pendulum": "double-pendulum/c1"}


def world_names() -> list[str]:
    """Names of the worlds that simloop ships."""
    return list(_WORLDS)


def canonical_name(name: str) -> str:
    """The full name of a world: that of its default build where `name` leaves the build out."""
    return _DEFAULTS.get(name, name)


def get_world(name: str) -> World:
    """Return the world `name`, or the one that a YAML file describes around an MJCF or URDF."""
    name = canonical_name(name)
    if name in _WORLDS:
        return _WORLDS[name]()
    suffix = Path(name).suffix.lower()
    if suffix in (".yaml", ".yml"):
        from simloop.worlds.mjcf import read_world

        return read_world(Path(name))
    if suffix in (".xml", ".urdf", ".mjcf"):
        raise InputError(
            f"{name}: give a YAML file that names this model and what may vary in it (see docs/your-robot.md), for"
            f" example 'model: {Path(name).name}' and 'parameters: {{joint.*.damping: {{factor: [0.3, 3]}}}}'"
        )
    if "/" in name and Path(name).exists():
        raise InputError(f"{name}: not a world; give a YAML file or one of {', '.join(_WORLDS)}")
    close = did_you_mean(name, [*_WORLDS, *_DEFAULTS])
    raise (
        unknown("world", name, [*_DEFAULTS, *_WORLDS])
        if close
        else InputError(
            f"unknown world {name!r} (there are: {', '.join(_WORLDS)}, or a YAML file around your own MJCF or URDF)"
        )
    )
