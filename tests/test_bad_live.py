"""A live machine, a mapping or a policy that is wrong gets one clear sentence, and what was whole is kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from simloop.errors import DataWarning, InputError, MissingExtraError
from simloop.parameters import Array
from simloop.targets import environment_target, live_target
from simloop.targets.gymnasium_machine import LiveMapping
from simloop.targets.live import LiveTarget, Machine
from simloop.targets.rollouts import BrokenRolloutError, Rollouts
from simloop.worlds import World, get_world
from tests.test_live import HOLD, MAPPING, HingeEnvironment


class Dial(Machine):
    """A machine that goes where the command pushes it, until `trouble` makes of its answers what it likes."""

    recorded = ("hinge",)
    dt = 0.02
    provenance = "real machine"

    def __init__(self, world: World, trouble: Callable[[int, int, Array], Any] | None = None) -> None:
        self.channels, self.actions = world.channels, world.actions
        self.trouble = trouble or (lambda episode, step, x: x)
        self.episode, self.steps = -1, 0

    def reset(self, positions: Array, rates: Array, rest: Array, rng: Any) -> Array:
        self.episode, self.steps = self.episode + 1, 0
        self.x = np.concatenate([positions, rates])
        return np.asarray(self.trouble(self.episode, 0, self.x))

    def step(self, action: Array, samples: int) -> Array:
        self.steps += 1
        self.x = np.array([self.x[0] + self.x[1] * self.dt * samples, self.x[1]])
        return np.asarray(self.trouble(self.episode, self.steps, self.x[None]))


def still(observation: Array) -> Array:
    return np.zeros((1, 1))


def dial(world: World, trouble: Callable[[int, int, Array], Any] | None = None, **changes: Any) -> LiveTarget:
    return LiveTarget("dial", world, Dial(world, trouble), replace(HOLD, **changes), "a dial")


def fails(episode: int, step: int, x: Array) -> Array:
    """Fail at the third step of the third episode after the two of the dry run."""
    if (episode, step) == (4, 3):
        raise ConnectionError("the cable\nis loose")
    return x


def test_a_machine_that_raises_costs_one_episode(pendulum: World, tmp_path: Path) -> None:
    """The error says at which episode and decision; the episodes before are kept, whole, and can be saved."""
    with pytest.raises(BrokenRolloutError) as error:
        dial(pendulum, fails).rollout(still, 5, seed=0, first=10)
    assert str(error.value) == (
        "dial: episode 12: at decision 2 (0.04 s): the machine raised ConnectionError: the cable is loose;"
        " 2 whole episodes before it are kept"
    )
    whole = error.value.whole
    assert whole is not None
    assert np.diff(whole.trajectories.offsets).tolist() == [11, 11]
    whole.save(tmp_path / "kept.npz")
    assert len(Rollouts.load(tmp_path / "kept.npz")) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["kept.npz"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: x * np.nan, "the machine answered nan for 'hinge', expected a finite measured value"),
        (lambda x: np.add(x, [0, np.inf]), "the machine answered inf for 'hinge.velocity'"),
        (lambda x: x[..., :1], "answered shape (1, 1), expected (1, 2): hinge, hinge.velocity"),
        (lambda x: np.repeat(x, 2, axis=0), "answered shape (2, 2), expected (1, 2)"),
        (lambda x: x[:0], "answered shape (0, 2), expected (1, 2)"),
        (lambda x: np.array([["a", "b"]]), "answered ndarray, not numbers"),
    ],
)
def test_answers_that_are_no_measurements(pendulum: World, answer: Any, sentence: str) -> None:
    """NaN, infinity and other shapes in the middle of an episode are said with the episode and the decision."""
    target = dial(pendulum, lambda episode, step, x: answer(x) if (episode, step) == (2, 4) else x)
    with pytest.raises(BrokenRolloutError) as error:
        target.rollout(still, 2, seed=0)
    assert str(error.value).startswith("dial: episode 0: at decision 3 (0.06 s) ")
    assert sentence in str(error.value)
    assert error.value.whole is None


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (lambda e, s, x: np.rad2deg(x), "'hinge' starts "),
        (lambda e, s, x: np.add(x, [1000, 0]), "'hinge' starts at 999.8 rad, more than 2 turns: if it is in degrees"),
        (
            lambda e, s, x: np.add(x, [0, 3.0]),
            "'hinge.velocity' does not fit 'hinge', which moved by 0 rad while its rate",
        ),
        (lambda e, s, x: np.add(x, [0.5, 0]) if e == 1 else x, "'hinge' starts 0.5 rad from where it was asked to"),
    ],
)
def test_the_dry_run_finds_what_cannot_be(pendulum: World, trouble: Any, sentence: str) -> None:
    """Degrees, rates in other units and starts elsewhere are found before a policy acts, without a rollout's start."""
    target = dial(pendulum, trouble)
    with pytest.raises(InputError) as error:
        target.rollout(still, 1, seed=0)
    assert str(error.value).startswith("dial, dry run: ")
    assert sentence in str(error.value)


def test_a_machine_slower_than_real_time_is_said_so(pendulum: World) -> None:
    """A real machine that is late records at other times than it says; a simulated one is only slow."""

    def slow(episode: int, step: int, x: Array) -> Array:
        time.sleep(0.04)
        return x

    target = dial(pendulum, slow)
    with pytest.raises(InputError, match=r"to a command that is to be held for 0.02 s: slower than real time"):
        target.rollout(still, 1, seed=0)
    target.machine.provenance = "another engine"
    with pytest.warns(DataWarning, match="slower than real time"):
        assert len(target.rollout(still, 1, seed=0)) == 1


def test_a_silent_machine_is_waited_for_so_long(pendulum: World) -> None:
    """A machine that hangs costs its time-out once, not forever, and is not asked again."""

    def hang(episode: int, step: int, x: Array) -> Array:
        if (episode, step) == (3, 2):
            time.sleep(5)
        return x

    target = dial(pendulum, hang)
    machine = target.machine
    machine.timeout = 0.3
    target = LiveTarget("dial", pendulum, machine, HOLD, "a dial")
    before = time.perf_counter()
    with pytest.raises(BrokenRolloutError, match=r"episode 1: at decision 1 .*was silent for 0.3 s") as error:
        target.rollout(still, 3, seed=0)
    assert time.perf_counter() - before < 3
    assert error.value.whole is not None
    with pytest.raises(InputError, match="went silent before and is not asked again"):
        target.rollout(still, 1, seed=0)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (lambda o: np.zeros((1, 2)), r"policy answered shape \(1, 2\), expected \(1, 1\) for observations of"),
        (lambda o: np.zeros(1), r"policy answered shape \(1,\), expected \(1, 1\)"),
        (lambda o: np.array([[np.nan]]), "policy answered .*nan.*expected finite actions"),
        (lambda o: 1 / 0, "policy raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_policy_that_fails_is_said_so(pendulum: World, policy: Any, sentence: str) -> None:
    """What a policy answers is checked before the machine gets it."""
    with pytest.raises(BrokenRolloutError, match=r"episode 0: at decision 0 .*" + sentence):
        dial(pendulum).rollout(policy, 1, seed=0)


def test_a_machine_must_have_what_the_task_needs(pendulum: World) -> None:
    """Channels, actions, limits and periods are compared with the world and the task before anything moves."""

    def lacking(**changes: Any) -> str:
        machine = Dial(pendulum)
        for name, value in changes.items():
            setattr(machine, name, value)
        with pytest.raises(InputError) as error:
            LiveTarget("dial", pendulum, machine, HOLD, "a dial")
        return str(error.value)

    hinge, velocity = pendulum.channels
    assert "observes hinge.velocity, and the machine senses only hinge" in lacking(channels=(hinge,))
    assert "did you mean 'hinge'" in lacking(channels=(replace(hinge, name="hing"), velocity))
    assert "'hinge' differs from the world's in unit or kind" in lacking(
        channels=(replace(hinge, unit="deg"), velocity)
    )
    assert "unknown recorded channel of 'dial': 'hing'" in lacking(recorded=("hing",))
    assert "the machine takes ; 'pendulum' has motor" in lacking(actions=())
    assert "lasts 0.02 s, not a whole number of the machine's samples of 0.015 s" in lacking(dt=0.015)
    with pytest.raises(InputError, match="gives limits for 2 actions, the world has 1"):
        dial(pendulum, low=(0.0, 0.0), high=(1.0, 1.0))
    with pytest.raises(InputError, match="at least 1 episode, got 0"):
        dial(pendulum).rollout(still, 0, seed=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("hinge:", "hing:"), "unknown channel of 'pendulum' in {file}: 'hing' (did you mean 'hinge'"),
        (("motor:", "moter:"), "unknown action of 'pendulum' in {file}: 'moter' (did you mean 'motor'"),
        (("theta: hinge", "theta: hingee"), "unknown channel of 'pendulum' in {file}: 'hingee'"),
        (("period: 0.01", "periode: 0.01"), "{file}, line 2: unknown key 'periode' (did you mean 'period'"),
        (("period: 0.01", "period: 0"), "{file}, line 2: period: expected more than 0, got 0"),
        (("cos: 1, sin: 2", "cos: 1"), "{file}, line 4: observations.hinge: expected either a column, or both"),
        (("deg/s", "degs"), "{file}: unit 'degs' of 'hinge.velocity': expected rad/s, deg/s, rpm"),
        (("column: 3", "cos: 0, sin: 1"), "an angle from its cosine and sine has no unit to say"),
        (("column: 3, unit: deg/s", "cos: 0, sin: 1"), "'hinge.velocity' is no angle, so it has no cosine and sine"),
        (("period: 0.01", "period: 0.015"), "not a whole number of the machine's samples of 0.015 s"),
        (("scale: 0.5", "scale: .inf"), "expected a finite number, got inf"),
    ],
)
def test_a_mapping_that_is_wrong(pendulum: World, tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    """Unknown names, keys and units in a mapping are found when it is read, with a close match."""
    file = tmp_path / "map.yaml"
    file.write_text(MAPPING.replace(*change))
    with pytest.raises(InputError) as error:
        environment_target(HingeEnvironment(pendulum), pendulum, HOLD, file)
    assert sentence.format(file=file) in str(error.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("column: 3", "column: 4"), "the environment's observation has shape (4,), and {file} names column 4"),
        (("column: 0, scale", "column: 1, scale"), "takes 1 actions, and {file} gives columns 1"),
        (("theta: hinge", "phi: hinge.velocity"), "'hinge' starts 0.4"),
        (("deg/s, scale: -1", "rad/s, scale: -1"), "'hinge.velocity' does not fit 'hinge'"),
    ],
)
def test_a_mapping_that_does_not_fit_its_environment(
    pendulum: World, tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    """Wrong columns, units and reset options are found by the dry run."""
    file = tmp_path / "map.yaml"
    file.write_text(MAPPING.replace(*change))

    @dataclass(frozen=True, kw_only=True)
    class Away(type(HOLD)):  # type: ignore[misc]
        def start(self, rng: Any) -> Any:
            return np.array([0.5]), np.zeros(1)

    task = Away(**{f: getattr(HOLD, f) for f in HOLD.__dataclass_fields__})
    with pytest.raises(InputError) as error:
        environment_target(HingeEnvironment(pendulum), pendulum, task, file, name="hinge").rollout(still, 1, seed=0)
    assert str(error.value).startswith("hinge, dry run: ")
    assert sentence.format(file=file) in str(error.value)


class Broken(gym.Env[Any, Any]):
    """An environment whose spaces and answers are given."""

    def __init__(self, space: Any = None, reset: Any = None, step: Any = None) -> None:
        self.action_space = gym.spaces.Box(-1, 1, (1,)) if space is None else space
        self.answers = (
            (np.zeros(4), {}) if reset is None else reset,
            (np.zeros(4), 0.0, False, False, {}) if step is None else step,
        )

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.answers[0]

    def step(self, action: Any) -> Any:
        return self.answers[1]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (lambda: Broken(gym.spaces.Discrete(3)), "action space is Discrete(3); expected a Box of one axis"),
        (lambda: Broken(reset=np.zeros(4)), "the environment's reset returned ndarray, expected 2 values"),
        (
            lambda: Broken(step=(np.zeros(4), 0.0, False, {})),
            "environment's step returned tuple, expected 5 values",
        ),
        (lambda: Broken(reset=({"x": 1}, {})), "observation is a dict, expected numbers on one axis"),
        (lambda: Broken(step=(np.full(4, np.nan), 0.0, False, False, {})), "the machine answered nan for 'hinge'"),
        (lambda: Broken(step=(np.zeros((1, 4)), 0.0, False, False, {})), "observation has shape (1, 4)"),
        (lambda: {}["key"], "reset: the machine raised KeyError: 'key'"),
    ],
)
def test_an_environment_that_is_none(pendulum: World, tmp_path: Path, environment: Any, sentence: str) -> None:
    """What a broken environment answers is said in one sentence, whatever it raises."""
    mapping = LiveMapping.read(_written(tmp_path, MAPPING.replace("starts: {theta: hinge}", "")))
    with pytest.raises(InputError) as error:
        environment_target(environment, pendulum, HOLD, mapping).rollout(still, 1, seed=0)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_the_environments_own_step_is_believed(pendulum: World, tmp_path: Path) -> None:
    """An environment that says how long its step lasts contradicts a mapping that says otherwise."""
    environment = Broken()
    environment.dt = 0.02  # type: ignore[attr-defined]
    mapping = LiveMapping.read(_written(tmp_path, MAPPING))
    with pytest.raises(InputError, match=r"says that its step lasts 0.02 s, mapping says 0.01 s"):
        environment_target(environment, pendulum, HOLD, mapping).rollout(still, 1, seed=0)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gym:Pendulum-v2", "knows no environment of that name (did you mean 'Pendulum-v1'"),
        ("gym:no.such.module:make", "cannot import 'no.such.module': No module named 'no'"),
        ("gym:tests.test_live:HingeEnvironmen", "(did you mean 'HingeEnvironment'"),
        ("gym:tests.test_live:MAPPING", "expected a function or class that makes an environment, got"),
        ("gim:Pendulum-v1", "'gim:Pendulum-v1' cannot be acted on: expected 'standin:pendulum' or 'gym:...'"),
        ("standin:pendulum", "there is no live stand-in of world 'pendulum'"),
    ],
)
def test_names_that_are_none(pendulum: World, tmp_path: Path, name: str, sentence: str) -> None:
    """A name that means nothing is answered by what it could mean."""
    mapping = LiveMapping.read(_written(tmp_path, MAPPING)) if name.startswith("gym") else None
    with pytest.raises(InputError) as error:
        live_target(name, pendulum, HOLD, mapping=mapping)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("standin:cube", "'standin:cube' is not a stand-in of this world: write 'standin:qube'"),
        ("standin:qube@bullet", "unknown engine of 'standin:qube@bullet': 'bullet' (did you mean 'pybullet'?)"),
        ("standin:qube#seven", "expected a whole number after '#', got 'seven'"),
        ("standin:qube#-1", "expected a whole number after '#', got '-1'"),
    ],
)
def test_stand_ins_that_are_none(name: str, sentence: str) -> None:
    """A stand-in's world, engine and number are checked."""
    with pytest.raises(InputError) as error:
        live_target(name, get_world("qube"))
    assert sentence in str(error.value)


def test_no_mapping_and_one_too_many(pendulum: World, tmp_path: Path) -> None:
    """An environment needs a mapping; a stand-in takes none."""
    with pytest.raises(InputError, match="gym:Pendulum-v1: give a mapping"):
        live_target("gym:Pendulum-v1", pendulum, HOLD)
    with pytest.raises(InputError, match="standin:qube: a stand-in needs no mapping"):
        live_target("standin:qube", get_world("qube"), mapping=_written(tmp_path, MAPPING))


def test_a_stand_in_without_pybullet_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyBullet is not installed, one sentence says how to get it; MuJoCo's stand-ins still work."""
    monkeypatch.setitem(sys.modules, "pybullet", None)
    world = get_world("qube")
    with pytest.raises(MissingExtraError, match=r"needs the extra 'standin': pip install 'simloop\[standin\]'"):
        live_target("standin:qube", world)
    assert live_target("standin:qube@mujoco", world).provenance == "same engine, hidden parameters"


def test_rollouts_that_are_none(pendulum: World, tmp_path: Path) -> None:
    """A file of trajectories without scores is not read as rollouts; machines that hide nothing reveal nothing."""
    target = dial(pendulum)
    rollouts = target.rollout(still, 1, seed=0)
    rollouts.trajectories.save(tmp_path / "plain.npz")
    with pytest.raises(InputError, match="not how the episodes of a rollout went"):
        Rollouts.load(tmp_path / "plain.npz")
    with pytest.raises(InputError, match="hides nothing"):
        target.reveal()
    with pytest.raises(InputError, match=r"rollouts on 'other' and on 'dial' cannot be joined"):
        Rollouts.joined([rollouts, replace(rollouts, name="other")])


def _written(folder: Path, text: str) -> Path:
    (folder / "map.yaml").write_text(text)
    return folder / "map.yaml"
