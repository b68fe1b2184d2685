"""How an expert drives: pure pursuit of a line along the road, as fast as bends and what stands in the way allow.

    steering = pursue(road, positions, headings, lookahead, line, wheelbase, turn)     # (m,) -1 left to 1 right

Positions are those of the middle of the rear axle, angles and lateral places are positive to the left; a command to
steer is positive to the right, as Donkeycar's and CARLA's are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from simloop.parameters import Array
from simloop.worlds.drive.channels import AT, BENDS, PREVIEW
from simloop.worlds.drive.road import Road

if TYPE_CHECKING:
    from simloop.worlds.drive.scene import Scene
    from simloop.worlds.environment import Environment

#: s of driving that the point it steers to is ahead at least; s in which a wanted speed is nearly reached
HURRY, SETTLE = 0.6, 0.3
#: part of the radius of the bends ahead that the point is ahead at most, and m within which bends are minded
CUT, _MINDS = 0.8, 6.0
_NEAR = [AT[name] for name, far in zip(BENDS, PREVIEW, strict=True) if far <= _MINDS]
#: m/s^2 sideways that it drives through a bend with, the part of the grip that it uses at most, and the part of the
#: largest braking that it slows down with
COMFORT, USED, GENTLE = 3.0, 0.5, 0.5
#: s from now at which it looks where things will be
_SOON = (0.0, 0.5, 1.0, 1.5, 2.0)
#: m, farther things do not matter
_FAR = 60.0
#: m from the rear axle to where it stops before a thing, half a car with a margin, and a margin to what stands
_FRONT, _HALF_CAR, _PAST = 4.5, 1.1, 0.35


def line_at(road: Road, offset_line: Array, s: ArrayLike) -> Array:
    """Lateral places (...,) m of a line (n,), given at the road's points, at places s (...,) m along it."""
    from simloop.worlds.drive import on_road

    s = np.asarray(s, dtype=float)
    return np.asarray(on_road.line_at(offset_line, road.step, road.closed, s.ravel()).reshape(s.shape))


def pursue(
    road: Road,
    positions: Array,
    headings: Array,
    lookahead: ArrayLike,
    offset_line: Array,
    wheelbase: ArrayLike,
    turn: ArrayLike,
) -> Array:
    """Steer to a point of the wanted line that is ahead (Coulter, CMU-RI-TR-92-01, 1992).

    The wheels are turned so that the rear axle's circle goes through that point: the curvature 2 y / c^2 of a point
    that is y to the left and c away. It is found along the road instead of by its distance, so that there always is
    one; on a circle that is the same.

    Args:
        road: the road.
        positions: (m, 2) m, of rear axles.
        headings: (m,) rad.
        lookahead: (m,) m, how far along the road the point is.
        offset_line: (n,) m, the wanted lateral place at each of the road's points.
        wheelbase: (m,) m.
        turn: (m,) rad, of the front wheels at full lock.

    Returns:
        commands (m,) from -1, full lock to the left, to 1, full lock to the right.
    """
    ahead = np.asarray(lookahead, dtype=float)
    s, _ = road.locate(positions)
    point, _, _ = road.at(s + ahead, line_at(road, offset_line, s + ahead))
    return steer_to(point - positions, headings, ahead, wheelbase, turn)


def steer_to(away: Array, headings: Array, lookahead: Array, wheelbase: ArrayLike, turn: ArrayLike) -> Array:
    """Commands (m,) whose circle goes through a point that is `away` (m, 2) m from the rear axle."""
    left = -np.sin(headings) * away[:, 0] + np.cos(headings) * away[:, 1]
    # a point that is nearer than this is beside the car, and cannot be reached
    apart = np.maximum((away**2).sum(axis=1), (0.5 * lookahead) ** 2)
    angle = np.arctan(np.asarray(wheelbase) * 2 * left / apart)
    return np.asarray(np.clip(-angle / np.asarray(turn), -1, 1))


class LaneExpert:
    """Keeps the lane: pure pursuit from where a car will be when a command reaches its wheels, at the wanted speed."""

    def __call__(self, environment: Environment) -> Array:
        from simloop.worlds.drive.environment import DriveEnvironment

        assert isinstance(environment, DriveEnvironment)
        world, rows, states = environment.world, environment.parameters, environment.states
        lookahead, width, base, turn, most, delay = (
            rows[:, world.parameters.index(name)]
            for name in ("expert.lookahead", "road.lane_width", "car.wheelbase", "car.turn", "car.acceleration",
                         "steering.delay")
        )  # fmt: skip
        ahead = sight(lookahead * width, environment.values, states[:, 3])
        moved = predicted(states, delay)
        points = environment.ahead(ahead + states[:, 3] * delay)
        steering = steer_to(points[:, :2] - moved[:, :2], moved[:, 2], ahead, base, turn)
        return np.column_stack([steering, hold_speed(states[:, 3], environment.values[:, AT["line.speed"]], most)])


def sight(lookahead: Array, values: Array, speed: Array) -> Array:
    """How far ahead (n,) m a driver looks: `lookahead` (n,) m, less in tight bends, whose corners it would cut.

    Args:
        lookahead: (n,) m.
        values: (n, D) of the channels.
        speed: (n,) m/s; a fast car looks farther.
    """
    return _sight(lookahead, np.abs(values[:, _NEAR]).max(axis=1), speed)


def sight_along(road: Road, offset_line: Array, s: float, lookahead: float, speed: float) -> float:
    """`sight` of one car `s` m along a road, by the road's own points."""
    from simloop.worlds.drive import on_road

    first, count = int(s / road.step), int(_MINDS / road.step) + 1
    bend = on_road.tightest(road.curvature, offset_line, first, count, road.closed)
    return float(_sight(lookahead, bend, speed))


def _sight(lookahead: ArrayLike, tightest: ArrayLike, speed: ArrayLike) -> Array:
    """m, of bends whose largest curvature is `tightest`, 1/m."""
    cut = CUT / np.maximum(tightest, 1e-9)
    return np.asarray(np.maximum(np.minimum(lookahead, cut), HURRY * np.asarray(speed)))


def predicted(states: Array, delay: Array) -> Array:
    """Place and heading (n, 3) of cars (n, 7) after `delay` (n,) s, if they go on as they do."""
    turned = delay * states[:, 5]
    c, s = np.cos(states[:, 2] + turned / 2), np.sin(states[:, 2] + turned / 2)
    u, v = delay * states[:, 3], delay * states[:, 4]
    return states[:, :3] + np.stack([u * c - v * s, u * s + v * c, turned], axis=1)


def hold_speed(speed: Array, wanted: Array, most: Array) -> Array:
    """Throttle (n,) that brings speeds (n,) to the wanted ones, m/s, by accelerations of at most `most`, m/s^2."""
    return np.asarray(np.clip((wanted - speed) / (SETTLE * most), -1, 1))


def clear_speed(scene: Scene, time: float, place: Array, s: float, braking: float) -> float:
    """m/s, as fast as one may be at a place with what is, or will soon be, on the line ahead; infinite if it is free.

    Things that move must be a car's width away from the line, those that stand only so far that the line leads past
    them. A thing that drives along is followed, before all others one stops.

    Args:
        scene: the road, its line, and things.
        time: s after the scene's start.
        place: (2,) m, of the car.
        s: m along the road, of the car.
        braking: m/s^2.
    """
    soon = [scene.places(time + t) for t in _SOON]
    near = np.linalg.norm(soon[0][:, :2] - place, axis=1) < _FAR
    if not near.any():
        return float("inf")
    road, soon, (low, high) = scene.road, [places[near] for places in soon], scene.extents
    half, best = ((high - low) / 2)[near], float("inf")
    along = [road.locate(places[:, :2]) for places in soon]
    step = along[1][0] - along[0][0]
    if road.closed:
        step = (step + road.length / 2) % road.length - road.length / 2
    moved = np.linalg.norm(soon[1][:, :2] - soon[0][:, :2], axis=1) / _SOON[1]
    for places, (at, beside) in zip(soon, along, strict=True):
        _, heading, _ = road.at(at)
        c, sn = np.abs(np.cos(places[:, 2] - heading)), np.abs(np.sin(places[:, 2] - heading))
        long, wide = c * half[:, 0] + sn * half[:, 1], sn * half[:, 0] + c * half[:, 1]
        on = np.abs(beside - line_at(road, scene.line, at)) < wide + np.where(moved > 0.1, _HALF_CAR, _PAST)
        gap = (at - s) % road.length if road.closed else at - s
        gap = np.where(road.closed & (gap > road.length / 2), gap - road.length, gap)
        ahead = on & (gap > 0)
        free = np.maximum(gap - long - _FRONT, 0)
        follows = np.maximum(step / _SOON[1], 0) if places is soon[0] else 0.0
        square = 2 * GENTLE * braking * free + follows**2
        best = min(best, float(np.min(square[ahead], initial=np.inf)))
    return float(np.sqrt(best))
