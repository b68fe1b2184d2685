"""World `drive`: cars move as the bicycle model says in closed form, experts keep the lane, batches the contract."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simloop import get_world
from simloop.errors import InputError
from simloop.randomness import stream
from simloop.worlds.check import check_vector_env
from simloop.worlds.drive.channels import AT, CHANNELS
from simloop.worlds.drive.closed_loop import close_loop, constant
from simloop.worlds.drive.course import Courses, course_of
from simloop.worlds.drive.expert import clear_speed, line_at, pursue
from simloop.worlds.drive.road import Road, open_road
from simloop.worlds.drive.scene import make_scene
from simloop.worlds.drive.vehicle import FORM, GRAVITY, LOAD, replay
from simloop.worlds.environment import SingleEnvironment
from simloop.worlds.uncertain import spread_channels, uncertain_space
from simloop.worlds.world import Segments

WORLD = get_world("drive")
WIDE = WORLD.distribution("wide")
DT = 0.05


def form(**changes: float) -> np.ndarray:
    """A car's form: that of the defaults but for what is named, by the part after the dot."""
    row = WORLD.forms(WORLD.parameters.default[None])[0]
    for name, value in changes.items():
        row[[f.split(".")[1] for f in FORM].index(name)] = value
    return row


def driven(car: np.ndarray, speed: float, steering: float, throttle: float, seconds: float) -> np.ndarray:
    """(T, 7) states of a car that starts straight on at `speed` and gets constant commands."""
    start = np.zeros((1, 7))
    start[0, 3] = speed
    return replay(start, car[None], np.tile([steering, throttle], (1, round(seconds / DT), 1)), DT)[0]


@pytest.mark.parametrize("steering", [-1.0, -0.4, 0.2, 0.7])
@pytest.mark.parametrize("base", [1.0, 2.5])
def test_a_slow_car_turns_about_the_radius_of_its_geometry(steering, base):
    """At walking pace the rear axle's circle has the radius wheelbase / tan(angle of the wheels)."""
    end = driven(form(wheelbase=base), 0.3, steering, 0, 20)[-1]
    assert end[6] == pytest.approx(-steering * 0.52)
    assert end[3] / end[5] == pytest.approx(base / math.tan(end[6]), rel=1e-3)


@pytest.mark.parametrize("balance", [0.35, 0.45, 0.5])
@pytest.mark.parametrize("speed", [5.0, 10.0, 20.0])
def test_a_fast_car_understeers_as_the_linear_bicycle_model_says(balance, speed):
    """The yaw rate for each rad at the wheels is u / (L + K u^2), with K of how stiff each axle is beside its load."""
    stiffness, base = 20.0, 2.0
    end = driven(form(balance=balance, stiffness=stiffness, grip=1.5, wheelbase=base), speed, -0.004, 0, 30)[-1]
    front, rear = (stiffness * (1 - LOAD * (2 * part - 1)) for part in (1 - balance, balance))
    gradient = (1 / front - 1 / rear) / GRAVITY
    assert end[5] / end[6] == pytest.approx(end[3] / (base + gradient * end[3] ** 2), rel=3e-3)


def _equations(t: float, y: np.ndarray, car: np.ndarray, wheel: float, push: float) -> np.ndarray:
    """The bicycle model of the textbook: forces and moments on a mass and its inertia, with Fiala's tyres."""
    base, balance, _, _, stiffness, grip, _ = car
    _, _, heading, u, v, r = y
    front, rear = balance * base, (1 - balance) * base  # from the centre of mass, of which v is the sideways speed
    left = math.sqrt(grip**2 - (push / GRAVITY) ** 2)

    def side(slip: float, part: float) -> float:
        c = stiffness * (1 - LOAD * (2 * part - 1))
        t = math.tan(slip)
        if abs(t) > 3 * left / c:
            return -math.copysign(left * part * GRAVITY, t)
        force = -c * t + c**2 * abs(t) * t / (3 * left) - c**3 * t**3 / (27 * left**2)
        return force * part * GRAVITY

    ff = side(math.atan2(v + front * r, u) - wheel, 1 - balance)
    fr = side(math.atan2(v - rear * r, u), balance)
    drive = (1 - balance) * push
    fx = drive * math.cos(wheel) - ff * math.sin(wheel)
    fy = drive * math.sin(wheel) + ff * math.cos(wheel)
    c, s = math.cos(heading), math.sin(heading)
    return np.array([
        u * c - v * s, u * s + v * c, r, fx + balance * push + v * r, fy + fr - u * r,
        (front * fy - rear * fr) / (front * rear),
    ])  # fmt: skip


@pytest.mark.parametrize(("step", "near"), [(DT, 8e-3), (2.5e-3, 2e-3)])
@pytest.mark.parametrize(("wheel", "push", "speed"), [(0.03, 0.0, 15.0), (-0.25, -1.0, 8.0), (0.4, 1.0, 6.0)])
def test_the_motion_is_that_of_the_textbooks_equations(wheel, push, speed, step, near):
    """A precise solver of the model, written from forces and moments, gives the same path; finer steps come nearer."""
    from scipy.integrate import solve_ivp

    car, seconds = form(balance=0.45), 2.0
    start = np.zeros((1, 7))
    start[0, 3], start[0, 6] = speed, wheel
    commands = np.tile([-wheel / car[2], push / car[3]], (1, round(seconds / step), 1))
    ours = replay(start, car[None], commands, step)[0]
    rear = (1 - car[1]) * car[0]
    found = solve_ivp(_equations, (0, seconds), [rear, 0, 0, speed, 0, 0], args=(car, wheel, push), rtol=1e-9,
                      t_eval=np.arange(1, len(ours) + 1) * step)  # fmt: skip
    x, y, heading, u, v, r = found.y
    away = np.hypot(ours[:, 0] - (x - rear * np.cos(heading)), ours[:, 1] - (y - rear * np.sin(heading)))
    assert away.max() < near * speed * seconds
    assert np.abs(ours[:, 3] - u).max() < near * speed
    assert np.abs(ours[-1, 5] - r[-1]) < near * np.abs(r).max()
    assert np.abs(ours[-1, 4] - (v - rear * r)[-1]) < near * speed / 2


@pytest.mark.parametrize("grip", [0.1, 0.5, 0.9])
def test_no_car_accelerates_more_than_its_grip(grip):
    """Whatever is commanded, the centre of mass is accelerated, in any direction, by at most grip times gravity."""
    n, rng = 64, stream(0, "grip")
    car = form(grip=grip, balance=0.4)
    start = np.zeros((n, 7))
    start[:, 3] = rng.uniform(2, 20, n)
    commands = np.repeat(rng.uniform(-1, 1, (n, 20, 2)), 8, axis=1)
    states = replay(start, np.tile(car, (n, 1)), commands, DT)
    u, across = states[..., 3], states[..., 4] + (1 - car[1]) * car[0] * states[..., 5]
    c, s = np.cos(states[..., 2]), np.sin(states[..., 2])
    velocity = np.stack([u * c - across * s, u * s + across * c], axis=-1)
    acceleration = np.linalg.norm(np.diff(velocity, axis=1), axis=-1) / DT
    assert acceleration.max() <= 1.001 * grip * GRAVITY
    assert acceleration.max() > 0.9 * min(grip * GRAVITY, car[3])


def test_energy_does_not_grow_by_itself():
    """Without throttle the kinetic energy of speed, slip and yaw never grows, and is lost in bends."""
    n, rng = 64, stream(0, "energy")
    start = np.zeros((n, 7))
    start[:, 3], start[:, 4], start[:, 5] = rng.uniform(1, 15, n), rng.normal(0, 1, n), rng.normal(0, 1, n)
    commands = np.zeros((n, 200, 2))
    commands[..., 0] = np.repeat(rng.uniform(-1, 1, (n, 10)), 20, axis=1)
    car = form(balance=0.55)
    states = np.concatenate([start[:, None], replay(start, np.tile(car, (n, 1)), commands, DT)], axis=1)
    u, rear, front = states[..., 3], states[..., 4], states[..., 4] + car[0] * states[..., 5]
    energy = (u**2 + car[1] * rear**2 + (1 - car[1]) * front**2) / 2
    assert (np.diff(energy, axis=1) <= 1e-12 * energy[:, :-1]).all()
    assert (energy[:, -1] < energy[:, 0]).all()


def test_braking_stops_where_it_should_and_for_good():
    """From u it takes u^2 / (2 a), straight on; then everything is exactly still, with turned wheels too."""
    states = driven(form(), 6.0, 0.0, -1.0, 5)
    assert states[-1, 0] == pytest.approx(36 / 6, rel=0.01)
    turned = driven(form(), 6.0, 1.0, -1.0, 5)
    for found in (states, turned):
        assert (found[-10:, 3:6] == 0).all()
        assert (found[-10:, :3] == found[-1, :3]).all()


def test_a_mirrored_drive_is_the_mirror_image():
    """Commands to the other side give the same path to the other side."""
    a, b = (driven(form(), 7.0, sign * 0.8, 0.3, 4) for sign in (1, -1))
    assert np.array_equal(a[:, [0, 3]], b[:, [0, 3]])
    assert np.array_equal(a[:, [1, 2, 4, 5, 6]], -b[:, [1, 2, 4, 5, 6]])


def circle(radius: float) -> Road:
    angle = np.linspace(0, 2 * np.pi, round(2 * np.pi * radius / 0.5), endpoint=False)
    return Road(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), True, 3.5, 1)


def test_pursuit_on_a_circle_is_the_circles_own_angle():
    """On its line around a circle, a car is told to turn its wheels by atan(L / R), to the right as positive."""
    road = circle(20.0)
    line = np.full(len(road.points), 2.0)  # to the left, inside
    steering = pursue(road, np.array([[18.0, 0.0]]), np.array([np.pi / 2]), np.array([7.0]), line, 2.0, 0.5)
    assert steering[0] == pytest.approx(-math.atan(2 / 18) / 0.5, rel=1e-2)


def test_pursuit_converges_to_its_line():
    """From a metre off, on both sides, a car comes to the line and stays there, on a straight and on a circle."""
    straight = Road(np.stack([np.arange(400) * 0.5, np.zeros(400)], axis=1), False, 3.5, 2)
    for road, most in ((straight, 0.02), (circle(30.0), 0.08)):
        line = np.full(len(road.points), -1.2)
        for side in (1.0, -1.0):
            place, heading, _ = road.at(np.array([1.0]), line[:1] + side)
            state = np.zeros((1, 7))
            state[0, :4] = *place[0], heading[0], 5.0
            for _ in range(300):
                steering = pursue(road, state[:, :2], state[:, 2], np.array([7.0]), line, 2.0, 0.52)
                state = replay(state, form()[None], np.array([[[steering[0], 0.0]]]), DT)[:, -1]
            assert abs(road.locate(state[0, :2])[1] + 1.2) < most


def test_ice_is_slippery_where_it_lies_and_nowhere_else():
    """Braking takes longer on ice by the ratio of the grips; before and after it nothing changes."""
    road = Road(np.stack([np.arange(400) * 0.5, np.zeros(400)], axis=1), False, 3.5, 1)
    courses = Courses([course_of(road, np.zeros(400), ice) for ice in (None, np.array([[0.0, 200.0, 0.1]]))])
    cars = form(grip=0.5, acceleration=10.0)
    states = np.zeros((2, 7))
    states[:, 3] = 6.0
    which = np.arange(2)
    brake = np.tile([0.0, -1.0], (2, 1, 1))
    courses.drive(states, np.zeros(2), which, np.tile(cars, (2, 1)), np.full(2, 6.0), brake, DT, steps=600)
    assert states[:, 0] == pytest.approx([36 / 2 / (0.5 * GRAVITY), 36 / 2 / (0.05 * GRAVITY)], rel=0.02)


@pytest.mark.parametrize("mode", ["same-step", "next-step", "disabled"])
def test_the_contract_of_batches_holds(mode):
    """The checker of vector environments finds nothing in any mode of autoreset."""
    check_vector_env(WORLD.make(6, task="lane", randomization="wide", autoreset=mode))


def test_gymnasiums_own_checker_passes():
    """One episode at a time passes Gymnasium's `check_env`."""
    check_env(SingleEnvironment(WORLD.make(1, randomization="wide")), skip_render_check=True)


def test_a_running_batch_drives_as_a_replay_does():
    """Under the same commands an episode is what `simulate` gives of its start: the car exactly, the line nearly."""
    env = WORLD.make(8, seed=4, autoreset="disabled")
    _, infos = env.reset()
    first = env.values
    rates = np.zeros((8, len(WORLD.measured)))
    rates[:, :3] = first[:, -3:]
    state = WORLD.state(first[:, : len(WORLD.measured)], rates)
    actions = stream(4, "commands").uniform([-0.4, -1], [0.4, 1], (20, 8, 2)).astype(np.float32)
    seen = [env.step(a) and env.values for a in actions]
    held = np.concatenate([np.zeros((8, 1, 2)), actions.transpose(1, 0, 2).astype(float), np.zeros((8, 1, 2))], axis=1)
    which = np.arange(8)
    segments = Segments(state, held, which, np.ones(8, dtype=np.int64), 20)
    run = WORLD.simulate(infos["parameters"], segments).regular
    car = [AT[n] for n in ("x", "y", "yaw", "wheel", "x.velocity", "y.velocity", "yaw.velocity")]
    assert np.abs(run[:, :, car] - np.stack(seen, axis=1)[:, :, car]).max() < 1e-9
    offset = AT["line.offset"]
    assert np.abs(run[:, :, offset] - np.stack(seen, axis=1)[:, :, offset]).max() < 0.1


def test_replays_do_not_depend_on_the_division_of_work():
    """Segments give the same bytes alone and among others."""
    n, rng = 300, stream(1, "segments")
    positions, rates = WORLD.starts(n, rng)
    actions = rng.uniform(-1, 1, (n, 12, 2))
    segments = Segments(WORLD.state(positions, rates), actions, np.arange(n), np.full(n, 2), 10, every=5)
    rows = WIDE.sample(n, rng)
    whole = WORLD.simulate(rows, segments)
    part = WORLD.simulate(rows[:40], segments.take(np.arange(40)))
    assert whole.regular.shape == (n, 2, len(CHANNELS))
    assert whole.regular[:40].tobytes() == part.regular.tobytes()


def test_episodes_share_roads_and_say_so():
    """Sixteen episodes in a row have one road's parameters and their own cars; given rows are used as given."""
    env = WORLD.make(40, randomization="wide", seed=2)
    _, infos = env.reset()
    rows, index = infos["parameters"], WORLD.parameters.index
    assert len(np.unique(rows[:, index("road.radius")])) == 3
    assert len(np.unique(rows[:, index("car.wheelbase")])) == 40
    given = WIDE.sample(40, stream(0, "given"))
    _, infos = env.reset(options={"parameters": given})
    assert np.array_equal(infos["parameters"], given)


def test_no_parameter_of_the_world_is_taken_for_an_error():
    """No parameter has the name of an error of starts or sensors, which other layers would take out."""
    assert not set(WORLD.parameters.names) & set(spread_channels(WORLD))


def test_errors_of_sensors_reach_what_is_seen():
    """Noise on a channel of the line is in what the policy sees, and the true values are without it."""
    space = uncertain_space(WORLD, {"noise.line.offset": 0.1})
    from simloop.distributions import Point

    env = WORLD.make(64, randomization=Point(space, np.append(WORLD.parameters.default, 0.1)), seed=1)
    seen, _ = env.reset()
    assert 0.06 < np.std(seen[:, 0] - env.values[:, AT["line.offset"]]) < 0.14


@pytest.mark.parametrize(
    "name", ["start.offset", "start.heading", "expert.offset", "car.speed", "road.radius", "road.closed",
             "road.lanes", "road.length", "road.straight", "road.lane_width", "danger.kind", "obstacles.count"],
)  # fmt: skip
def test_what_no_replay_shows_changes_where_episodes_are(name):
    """The parameters of roads and of how one drives there move running batches, if not replays."""
    env, low, high = WORLD.make(16, seed=3), *np.tile(WORLD.parameters.default, (2, 1))
    j = WORLD.parameters.index(name)
    low[j], high[j] = WIDE.low[j], WIDE.high[j]
    if name == "danger.kind":
        low[j], high[j] = 0, 2
    said = []
    for row in (low, high):
        env.reset(seed=3, options={"parameters": row[None]})
        said.append(np.concatenate([env.values, env.ahead(np.full(16, 10.0)), env.ahead(np.full(16, 30.0))], axis=1))
    assert not np.allclose(*said)


def test_the_experts_lookahead_changes_how_it_steers():
    """The parameter is read by the expert of the task."""
    env, expert = WORLD.make(16, seed=3), WORLD.expert()
    rows = np.tile(WORLD.parameters.default, (2, 1))
    rows[:, WORLD.parameters.index("expert.lookahead")] = 1.8, 2.5
    said = []
    for row in rows:
        env.reset(seed=3, options={"parameters": row[None]})
        said.append(expert(env))
    assert not np.allclose(*said)


def test_the_expert_keeps_the_lane_on_wide_roads():
    """In at least 99 % of wide episodes it is never half a lane off."""
    n = 512
    env, expert = WORLD.make(n, randomization="wide", seed=5, autoreset="disabled"), WORLD.expert()
    env.reset()
    off, over = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for _ in range(env.task.steps):
        _, _, terminated, truncated, _ = env.step(expert(env))
        off |= terminated & ~over
        over |= terminated | truncated
        if terminated.any() and not over.all():
            env.reset(options={"reset_mask": terminated})
    assert off.mean() <= 0.01


def test_a_learner_of_stable_baselines_takes_it():
    """The adapter steps it with actions scaled to -1 to 1."""
    pytest.importorskip("stable_baselines3")
    from simloop.learn.sb3 import BaselinesEnvironment

    envs = BaselinesEnvironment(WORLD.make(4, task="lane", randomization="wide", seed=0))
    seen = envs.reset()
    envs.step_async(np.zeros((4, 2), dtype=np.float32))
    after, reward, _, _ = envs.step_wait()
    assert seen.shape == after.shape == (4, 12)
    assert (reward > 0).all()


def test_the_expert_needs_no_help_and_a_straight_driver_much():
    """Closed loop: none for the expert in a kilometre, many for constant steering; the same each time."""
    expert = close_loop(WORLD, None, distribution=WIDE, kilometres=1, roads=8, seed=2)
    straight = close_loop(WORLD, constant(), distribution=WIDE, kilometres=1, roads=8, seed=2)
    assert expert.interventions.sum() == 0
    assert math.isinf(expert.kilometres_per_intervention)
    assert expert.interval[0] == pytest.approx(1.0 / 3.69, rel=0.02)  # of a Poisson count of 0: 97.5 % are below 3.69
    assert straight.interventions.sum() > 20
    assert straight.error > 2 * expert.error
    assert straight.acceleration < expert.acceleration
    again = close_loop(WORLD, constant(), distribution=WIDE, kilometres=1, roads=8, seed=2)
    assert again.to_dict() == straight.to_dict()


def test_a_policy_drives_by_what_it_sees():
    """`see` is asked for each road with its own scene, states and time; labels as pictures drive as the expert does."""
    asked: list[tuple[int, float]] = []

    def see(road, scene, states, time):
        asked.append((road, time))
        return pursue(scene.road, states[:, :2], states[:, 2], np.full(len(states), 7.0), scene.line, 2.0, 0.52)

    found = close_loop(WORLD, lambda seen: seen, see=see, kilometres=0.4, roads=3, seed=1)
    assert found.interventions.sum() == 0
    assert found.error < 0.3
    assert {road for road, _ in asked} == {0, 1, 2}
    assert asked[0][1] == 0.0
    assert asked[3][1] == pytest.approx(DT)


def scene_with(**values: float):
    named = dict(zip(WORLD.parameters.names, WORLD.parameters.default.tolist(), strict=True))
    named |= {k.replace("__", "."): v for k, v in values.items()}
    road = open_road(stream(0, "road"), length=200, radius=20, lane_width=3.5, lanes=2, straight=1.0)
    return make_scene(named, stream(0, "scene"), road=road)


def test_the_expert_stops_for_people_and_drives_past_what_its_line_avoids():
    """A pedestrian who steps out makes the wanted speed 0 in time; a blocked lane is driven around; else it is free."""
    free = scene_with()
    assert math.isinf(clear_speed(free, 0.0, np.zeros(2), 5.0, 3.0))
    crossing = scene_with(danger__kind=3.0, danger__after=30.0)
    at = crossing.danger_at
    speeds = [
        clear_speed(crossing, t, crossing.road.at(np.array([at - 8.0]), -1.2)[0][0], at - 8.0, 3.0)
        for t in np.arange(0, 12, 0.25)
    ]
    assert min(speeds) < 3.5
    assert math.isinf(speeds[0])
    assert math.isinf(speeds[-1])
    blocked = scene_with(danger__kind=2.0)
    for s in np.arange(5.0, 60, 2.5):
        place = blocked.road.at(np.array([s]), -1.2)[0][0]
        assert math.isinf(clear_speed(blocked, 0.0, place, float(s), 3.0))


@pytest.mark.parametrize("closed", [0.0, 1.0])
@pytest.mark.parametrize("lanes", [1.0, 2.0])
def test_one_drives_around_what_lies_in_the_lane(lanes, closed):
    """The line leads past every obstacle with room for a car, nobody stops for one, and without any it is as it was."""
    plain = scene_with(road__lanes=lanes)
    for k in range(20):
        named = dict(zip(WORLD.parameters.names, WORLD.parameters.default.tolist(), strict=True))
        named.update({"road.lanes": lanes, "road.closed": closed, "obstacles.count": 3.0, "things.parts": 1.0})
        scene = make_scene(named, stream(k, "scene"))
        s, beside = scene.road.locate(scene.places(0)[:, :2])
        half = ((scene.extents[1] - scene.extents[0]) / 2)[:, :2].min(axis=1)
        assert len(scene) == 3
        assert (np.abs(beside) < scene.road.half_width).all()
        assert (np.abs(line_at(scene.road, scene.line, s) - beside) > half + 0.7).all()
        assert np.abs(scene.line).max() < scene.road.half_width
        for at in np.arange(5.0, scene.road.length - 5, 5.0):
            place = scene.road.at(np.array([at]), line_at(scene.road, scene.line, np.array([at])))[0][0]
            assert math.isinf(clear_speed(scene, 0.0, place, float(at), 3.0))
    np.testing.assert_array_equal(plain.line, plain.line[0])


def test_a_road_that_bends_beyond_the_car_is_refused():
    """In a batch and in closed loop, with both radii."""
    row = WORLD.parameters.default.copy()
    for name, value in (("road.radius", 7.0), ("road.straight", 0.0), ("car.wheelbase", 4.0), ("car.turn", 0.25)):
        row[WORLD.parameters.index(name)] = value
    with pytest.raises(InputError, match=r"bends with a radius of .* the car turns no tighter than 15.7 m"):
        WORLD.make(4).reset(options={"parameters": row[None]})
    from simloop.distributions import Point

    with pytest.raises(InputError, match="the car turns no tighter than"):
        close_loop(WORLD, None, distribution=Point(WORLD.parameters, row), kilometres=0.1, roads=1)


@pytest.mark.parametrize(
    ("policy", "match"),
    [
        (lambda seen: np.zeros(3), "must give 4 commands"),
        (lambda seen: np.full(4, np.nan), "expected a number from -1"),
    ],
)
def test_a_policy_that_says_nonsense_is_told(policy, match):
    """A wrong number of commands, and one that is no number, are one sentence each."""
    with pytest.raises(InputError, match=match):
        close_loop(WORLD, policy, kilometres=0.1, roads=4)
    with pytest.raises(InputError, match="some way to drive"):
        close_loop(WORLD, None, kilometres=0.0)


def test_without_numba_the_extra_is_named():
    """One sentence says what to install."""
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "from simloop import get_world\n"
        "world = get_world('drive')\n"
        "try: world.make(2)\n"
        "except ImportError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "world 'drive' needs the extra 'drive': pip install 'simloop[drive]'"


def test_loops_compile_where_nothing_can_be_kept(monkeypatch):
    """Where numba finds no folder to keep what it compiled in, it is compiled for this process alone."""
    import numba

    from simloop.worlds.compiled import compiler

    real = numba.njit

    def refusing(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return real(**options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert compiler("world 'drive'", "drive")(lambda x: x + 1)(2) == 3


def test_the_audit_finds_every_parameter_of_the_car_at_work():
    """Each dynamics parameter moves a replay; those left out, of roads and things, move none."""
    from simloop.audit import audit_parameters
    from simloop.targets.standin import standin_target

    audit = audit_parameters(WORLD, standin_target(WORLD, seed=0, episodes=2, seconds=4.0))
    assert audit.passed
    assert {p.name for p in WORLD.parameters if p.kind == "dynamics"} <= set(audit.effects)
    assert set(audit.effects) | set(audit.elsewhere) == set(WORLD.parameters.names)
    positions, rates = WORLD.starts(1, stream(0, "start"))
    segments = Segments(WORLD.state(positions, rates), np.full((1, 30, 2), 0.3), np.zeros(1, int), np.ones(1, int), 20)
    rows = np.tile(WORLD.parameters.default, (2, 1))
    columns = [WORLD.parameters.index(name) for name in audit.elsewhere]
    rows[0, columns], rows[1, columns] = WIDE.low[columns], WIDE.high[columns]
    low, high = (WORLD.simulate(row[None], segments).regular for row in rows)
    assert low.tobytes() == high.tobytes()
