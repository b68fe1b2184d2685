"""Worlds, loops, options, parameters and distributions that are wrong are answered by one sentence each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop.adapt import get_method
from simloop.distributions import Distribution, Empirical, Normal, Uniform
from simloop.errors import DataWarning, InputError
from simloop.gap import windowed_gaps
from simloop.loop import LoopFile
from simloop.parameters import Parameter, ParameterSpace
from simloop.targets.standin import standin_target
from simloop.targets.windows import Replay
from simloop.verbs import parsed_options
from simloop.worlds import World, get_world

MODEL = """<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <body name="link" pos="0 0 1">
      <joint name="j" axis="0 1 0" damping="0.1"/>
      <geom name="g" type="capsule" size="0.02" fromto="0 0 0 0 0 -0.3" mass="0.5"/>
    </body>
  </worldbody>
  <actuator><motor name="m" joint="j"/></actuator>
</mujoco>"""
HEAD = "world: arm\nmodel: arm.xml\n"
PARAMETERS = "parameters: {joint.*.damping: {range: [0.01, 1]}}\n"


def world(folder: Path, text: str | bytes = HEAD + PARAMETERS, model: str = MODEL) -> World:
    (folder / "arm.xml").write_text(model)
    (folder / "arm.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return get_world(str(folder / "arm.yaml"))


def said(error: pytest.ExceptionInfo[InputError], folder: Path) -> str:
    """The sentence, with paths relative to the folder; it must be one line."""
    text = str(error.value).replace(f"{folder}/", "")
    assert "\n" not in text
    return text


BAD_WORLDS: dict[str | bytes, str] = {
    "": "arm.yaml: expected keys and values (for example 'world: ...'), got an empty file",
    "- a\n- b\n": "arm.yaml: expected keys and values (for example 'world: ...'), got a list",
    "arm": "arm.yaml: expected keys and values (for example 'world: ...'), got 'arm'",
    b"\xff\xfearm": "arm.yaml: not UTF-8 text; give a YAML file",
    "world: arm\n\tmodel: b\n": (
        "arm.yaml, line 2, column 1: not YAML: found character '\\t' that cannot start any token"
    ),
    "world: a: b\n": "arm.yaml, line 1, column 9: not YAML: mapping values are not allowed here",
    "world: arm\nworld: arm\n": "arm.yaml, line 2, column 1: not YAML: key 'world' stands there twice",
    "world: 2026-13-45\n": "arm.yaml: not YAML: month must be in 1..12",
    HEAD + PARAMETERS + "modle: x\n": "arm.yaml, line 4: unknown key 'modle' (did you mean 'model'?)",
    "world: arm\n" + PARAMETERS: "arm.yaml, line 1: 'model' is missing",
    "world: 5\nmodel: arm.xml\n" + PARAMETERS: "arm.yaml, line 1: world: expected text, got 5",
    "world: ''\nmodel: arm.xml\n" + PARAMETERS: "arm.yaml, line 1: world: expected some text, got ''",
    "world: arm\nmodel: amr.xml\n" + PARAMETERS: ("arm.yaml: model: no such file 'amr.xml' (did you mean 'arm.xml'?)"),
    HEAD + "parameters: {}\n": "arm.yaml: parameters: name at least one that may vary",
    HEAD + "parameters: [a]\n": "arm.yaml, line 3: parameters: expected keys and values, got ['a']",
    HEAD + "control_dt: 0.003\n" + PARAMETERS: (
        "arm.yaml: world 'arm': control_dt 0.003 s is not a whole number of the model's time steps of 0.002 s"
    ),
    HEAD + "control_dt: 0\n" + PARAMETERS: "arm.yaml, line 3: control_dt: expected more than 0, got 0",
    HEAD + "control_dt: .nan\n" + PARAMETERS: "arm.yaml, line 3: control_dt: expected a finite number, got nan",
    HEAD + "control_dt: fast\n" + PARAMETERS: "arm.yaml, line 3: control_dt: expected a number, got 'fast'",
    HEAD + "actions: m\n" + PARAMETERS: "arm.yaml, line 3: actions: expected a list, got 'm'",
    HEAD + "actions: [mm]\n" + PARAMETERS: "arm.yaml: unknown action 'mm' (did you mean 'm'?)",
    HEAD + "actions: [m, m]\n" + PARAMETERS: "arm.yaml: actions: 'm' stands there twice",
    HEAD + "channels: [jj]\n" + PARAMETERS: "arm.yaml: unknown channel 'jj' (did you mean 'j'?)",
    HEAD + "channels: [j, j]\n" + PARAMETERS: "arm.yaml: channels: 'j' stands there twice",
    HEAD + "channels: [sensor.x]\n" + PARAMETERS: "arm.yaml: unknown sensor 'x' (there is none)",
    HEAD + "channels: []\n" + PARAMETERS: (
        "arm.yaml: world 'arm': the positions of 'j' are not among its channels, so a recording does not say where they"
        " start; add a channel for each"
    ),
}


@pytest.mark.parametrize("text", BAD_WORLDS)
def test_a_bad_world_file_is_named_with_line_and_field(text: str | bytes, tmp_path: Path) -> None:
    """A YAML file that is none, or has an unknown, doubled, missing or wrong key, is one sentence that leads to it."""
    with pytest.raises(InputError) as error:
        world(tmp_path, text)
    assert said(error, tmp_path) == BAD_WORLDS[text]


AT = "arm.yaml, line 4: parameters.joint.j.damping"
BAD_PARAMETERS = {
    "joint.jj.damping: {range: [0, 1]}": "arm.yaml: unknown joint in 'joint.jj.damping': 'jj' (did you mean 'j'?)",
    "joint.j.dampng: {range: [0, 1]}": (
        "arm.yaml: unknown quantity of a joint in 'joint.j.dampng': 'dampng' (did you mean 'damping'?)"
    ),
    "jiont.j.damping: {range: [0, 1]}": (
        "arm.yaml: unknown parameter 'jiont.j.damping' (did you mean 'joint.NAME.damping' or 'tendon.NAME.damping'?)"
    ),
    "joint.damping: {range: [0, 1]}": (
        "arm.yaml: parameters: 'joint.damping' names no joint; write 'joint.NAME.damping' or 'joint.*.damping'"
    ),
    "tendon.t.damping: {range: [0, 1]}": "arm.yaml: unknown tendon in 'tendon.t.damping': 't' (there is none)",
    "joint.j.damping: {range: [1, 0]}": f"{AT}: the first number must be below the second, got [1, 0]",
    "joint.j.damping: {range: [0, .inf]}": f"{AT}: expected two finite numbers, got [0, inf]",
    "joint.j.damping: {range: [0]}": f"{AT}.range: expected at least 2 values",
    "joint.j.damping: {range: [0, 1, 2]}": f"{AT}.range: expected 2 values, got [0, 1, 2]",
    "joint.j.damping: {range: [a, b]}": f"{AT}.range.0: expected a number, got 'a'",
    "joint.j.damping: {factor: [0, 2]}": f"{AT}: a factor must be above 0, got 0",
    "joint.j.damping: {}": f"{AT}: give either 'range: [low, high]' or 'factor: [low, high]'",
    "joint.j.damping: [0, 1]": f"{AT}: expected keys and values, got [0, 1]",
    "joint.j.damping: {rnage: [0, 1]}": (
        "arm.yaml, line 4: unknown key 'parameters.joint.j.damping.rnage' (did you mean 'range'?)"
    ),
    "joint.j.damping: {range: [-1, 1]}": (
        "arm.yaml: parameters: joint.j.damping cannot be negative, got a range from -1"
    ),
    "joint.j.stiffness: {factor: [0.5, 2]}": (
        "arm.yaml: parameters: joint.j.stiffness is 0 in the model, so a factor cannot change it; give a 'range'"
    ),
    "joint.j.damping: {range: [0, 1]}\n  joint.*.damping: {range: [0, 1]}": (
        "arm.yaml: parameter 'joint.j.damping' is named twice"
    ),
    "channel.j.noise: {range: [1e300, 1e301]}": (
        "arm.yaml: parameter 'channel.j.noise': a spread of 4.5e+300 cannot be computed with"
    ),
}


@pytest.mark.parametrize("text", BAD_PARAMETERS)
def test_a_bad_parameter_of_a_world_is_named(text: str, tmp_path: Path) -> None:
    """A parameter that the model lacks, or whose range makes no sense, is named with its close match."""
    with pytest.raises(InputError) as error:
        world(tmp_path, f"{HEAD}parameters:\n  {text}\n")
    assert said(error, tmp_path) == BAD_PARAMETERS[text]


COMPILE = "arm.yaml: arm.xml: does not compile: "
PARSE = "arm.yaml: arm.xml: not a model that MuJoCo reads: "
BAD_MODELS = {
    "nothing": ("", PARSE),
    "no XML": ("not xml", PARSE),
    "not MJCF": ("<foo/>", PARSE + "XML Unrecognized XML model type: 'foo'"),
    "unknown attribute": (
        MODEL.replace("axis", "axes"),
        PARSE + "XML Schema violation: unrecognized attribute: 'axes'",
    ),
    "unknown joint": (MODEL.replace('joint="j"', 'joint="k"'), COMPILE + "unknown transmission target 'k'"),
    "no mass": (MODEL.replace('mass="0.5"', 'mass="0"'), COMPILE + "mass and inertia of moving bodies must be larger"),
    "missing mesh": (
        MODEL.replace("<worldbody>", '<asset><mesh name="a" file="no.stl"/></asset><worldbody>'),
        COMPILE + "Error opening file 'no.stl'",
    ),
    "missing include": (MODEL.replace("<worldbody>", '<include file="no.xml"/><worldbody>'), PARSE),
    "no time step": (MODEL.replace("0.002", "0"), "arm.yaml: world 'arm': the model's time step is 0 s, not above 0"),
    "unnamed actuator": (
        MODEL.replace('name="m" ', ""),
        "arm.yaml: arm.xml: an actuator has no name; name it, so that its action can be",
    ),
    "unnamed joint": (
        MODEL.replace('name="j" ', "").replace('<motor name="m" joint="j"/>', ""),
        "arm.yaml: 1 of the model's 1 joints have no name; name them, as channels need",
    ),
    "no joints": ("<mujoco/>", "arm.yaml: unknown joint in 'joint.*.damping': '*' (there is none)"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_model_that_does_not_compile_is_named(case: str, tmp_path: Path) -> None:
    """A model that MuJoCo refuses, or that cannot be observed, is one line with MuJoCo's reason in it."""
    model, sentence = BAD_MODELS[case]
    text = HEAD + (PARAMETERS if case != "unnamed joint" else "parameters: {body.link.mass: {factor: [0.5, 2]}}\n")
    with pytest.raises(InputError) as error:
        world(tmp_path, text, model)
    assert said(error, tmp_path).startswith(sentence)


def test_a_urdf_with_a_missing_mesh_is_named(tmp_path: Path) -> None:
    """A URDF whose mesh is not there is one sentence that names the mesh."""
    mesh = '<collision><geometry><mesh filename="no.stl"/></geometry></collision>'
    inertial = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
    joint = '<joint name="j" type="continuous"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/></joint>'
    robot = f'<robot name="r"><link name="a"/><link name="b">{inertial}{mesh}</link>{joint}</robot>'
    (tmp_path / "arm.urdf").write_text(robot)
    with pytest.raises(InputError) as error:
        world(tmp_path, "world: arm\nmodel: arm.urdf\nactions: [j]\n" + PARAMETERS)
    assert said(error, tmp_path) == "arm.yaml: arm.urdf: does not compile: Error opening file 'no.stl'"


def test_an_actuator_with_a_memory_is_warned_of(tmp_path: Path) -> None:
    """What a recording cannot hold, the activation of an actuator, is said and not passed over."""
    integrating = MODEL.replace('<motor name="m" joint="j"/>', '<general name="m" joint="j" dyntype="integrator"/>')
    with pytest.warns(DataWarning, match="an actuator has an internal state, which no recording holds"):
        world(tmp_path, model=integrating)


BAD_NAMES = {
    "doble-pendulum": "unknown world 'doble-pendulum' (did you mean 'double-pendulum' or 'double-pendulum/c1'?)",
    "cartpole": "unknown world 'cartpole' (did you mean 'cart-pole'?)",
    "hexapod": (
        "unknown world 'hexapod' (there are: double-pendulum/c1, double-pendulum/a0, qube, cart-pole, cube-toss,"
        " drawer, peg, tabletop, drive, drive/held-out, crowd, crowd/sampled, crowd/sampled-orca, crowd-nav, or a YAML"
        " file around your own MJCF or URDF)"
    ),
    "no.yaml": "no.yaml: no such file",
    "arm.xml": (
        "arm.xml: give a YAML file that names this model and what may vary in it (see docs/your-robot.md), for example"
        " 'model: arm.xml' and 'parameters: {joint.*.damping: {factor: [0.3, 3]}}'"
    ),
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_unknown_world_is_answered_by_what_there_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt world names its neighbours, and a bare model says what to write around it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        get_world(name)
    assert str(error.value) == BAD_NAMES[name]


LOOP = "world: double-pendulum\ntarget: {fit: standin, test: standin}\n"
BAD_LOOPS = {
    "world: double-pendulum\n": "loop.yaml, line 1: 'target' is missing",
    "world: double-pendulum\ntarget: logs\n": "loop.yaml, line 2: target: expected keys and values, got 'logs'",
    "world: a\ntarget: {fit: '', test: b}\n": "loop.yaml, line 2: target.fit: expected some text, got ''",
    LOOP + "horizonts: [1]\n": "loop.yaml, line 3: unknown key 'horizonts' (did you mean 'horizons'?)",
    LOOP + "horizons: []\n": "loop.yaml, line 3: horizons: expected at least 1, got []",
    LOOP + "horizons: 0.2\n": "loop.yaml, line 3: horizons: expected a list, got 0.2",
    LOOP + "horizons: [0]\n": "loop.yaml, line 3: horizons: expected positive numbers of seconds, got [0.0]",
    LOOP + "draws: 1.5\n": "loop.yaml, line 3: draws: expected a whole number, got 1.5",
    LOOP + "draws: 0\n": "loop.yaml, line 3: draws: expected at least 1, got 0",
    LOOP + "adapt: [simopt]\n": "loop.yaml, line 3: adapt.0: expected keys and values, got 'simopt'",
    LOOP + "adapt: [{method: simpot}]\n": (
        "loop.yaml, line 3: adapt: unknown method 'simpot' (did you mean 'simopt'?)"
    ),
    LOOP + "adapt:\n  - {method: simopt}\n  - {method: simopt}\n": (
        "loop.yaml, line 3: adapt: each method may stand there once"
    ),
    LOOP + "adapt:\n  - method: simopt\n    option: {}\n": (
        "loop.yaml, line 5: unknown key 'adapt.0.option' (did you mean 'options'?)"
    ),
    LOOP + "adapt: [{method: simopt, options: {kl: tight}}]\n": (
        "loop.yaml, line 3: adapt: option 'kl' of simopt: expected a finite number above 0, got 'tight'"
    ),
}


@pytest.mark.parametrize("text", BAD_LOOPS)
def test_a_bad_loop_file_is_named_with_line_and_field(text: str, tmp_path: Path) -> None:
    """Each wrong field of a loop's file is one sentence, said before anything is simulated."""
    (tmp_path / "loop.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        LoopFile.read(tmp_path / "loop.yaml")
    assert said(error, tmp_path) == BAD_LOOPS[text]


BAD_OPTIONS = {
    "iterations": "--option 'iterations': expected name=value, for example iterations=8",
    "iteration=3": "unknown option of simopt: 'iteration' (did you mean 'iterations' or 'temperature'?)",
    "iterations=": "option 'iterations' of simopt: expected a whole number above 0, got None",
    "iterations=1.5": "option 'iterations' of simopt: expected a whole number above 0, got 1.5",
    "iterations=true": "option 'iterations' of simopt: expected a whole number above 0, got True",
    "samples=1e400": "option 'samples' of simopt: expected a whole number above 0, got inf",
    "kl=.nan": "option 'kl' of simopt: expected a finite number above 0, got nan",
    "kl=-1": "option 'kl' of simopt: expected a finite number above 0, got -1",
    "kl=[1": "--option 'kl=[1', line 1, column 3: not YAML: expected ',' or ']', but got '<stream end>'",
}


@pytest.mark.parametrize("pair", BAD_OPTIONS)
def test_a_bad_option_of_a_method_is_named(pair: str) -> None:
    """An option that is unknown, no number or out of bounds says what it expected."""
    with pytest.raises(InputError) as error:
        parsed_options("simopt", [pair])
    assert str(error.value) == BAD_OPTIONS[pair]


def test_small_numbers_are_numbers() -> None:
    """1e-3, which YAML 1.1 reads as text, is a number in an option and in a file."""
    assert parsed_options("simopt", ["temperature=1e-3"]) == {"temperature": 1e-3}
    assert get_method("least-squares", parsed_options("least-squares", ["horizons=[2e-1, 5E-1]"])).horizons == (
        0.2,
        0.5,
    )


BAD_PARAMETER = {
    "low above high": ({"low": 2.0, "high": 1.0}, "parameter 'a': low 2 must be below high 1"),
    "default outside": ({"default": 3.0}, "parameter 'a': default 3 is outside [0, 2]"),
    "log of zero": ({"scale": "log"}, "parameter 'a': a log scale needs low above 0, got 0; use scale 'linear'"),
    "not finite": ({"high": np.inf}, "parameter 'a': low, high, default and spread must be finite numbers"),
    "unknown scale": ({"scale": "lgo"}, "unknown scale of parameter 'a': 'lgo' (did you mean 'log'?)"),
    "unknown kind": ({"kind": "dynamic"}, "unknown kind of parameter 'a': 'dynamic' (did you mean 'dynamics'?)"),
    "choices": ({"choices": ("x", "y")}, "parameter 'a': 2 choices need low 0 and high 1"),
}


@pytest.mark.parametrize("case", BAD_PARAMETER)
def test_a_parameter_that_makes_no_sense_is_refused(case: str) -> None:
    """Bounds, default, scale and kind of a parameter are checked where it is made."""
    changes, sentence = BAD_PARAMETER[case]
    with pytest.raises(InputError) as error:
        Parameter("a", **{"low": 0.0, "high": 2.0, "default": 1.0, **changes})
    assert str(error.value) == sentence


PAIR = ParameterSpace([Parameter("a", 0.0, 2.0, 1.0, unit="kg"), Parameter("b", 0.0, 9.0, 4.0, integer=True)])
BAD_ROWS: dict[str, tuple[Any, str]] = {
    "outside": ([[1, 4], [3, 4]], "parameter 'a' is 3 kg in row 1: outside its bounds [0, 2]"),
    "NaN": ([[1, np.nan]], "parameter 'b' is nan in row 0: expected a finite number"),
    "width": ([[1.0]], "parameter rows must have shape (n, 2), one column for each of a, b; got shape (1, 1)"),
    "words": ([["x", "y"]], "parameter rows must be numbers"),
    "fraction": ([[1, 4.5]], "parameter 'b' takes whole numbers, got 4.5"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_rows_outside_the_space_are_named(case: str) -> None:
    """A row of parameters that is outside, not finite, or of another shape names the parameter and the row."""
    rows, sentence = BAD_ROWS[case]
    with pytest.raises(InputError) as error:
        PAIR.check(rows)
    assert str(error.value) == sentence


def test_an_unknown_parameter_is_answered_by_its_neighbour(c1: World) -> None:
    """A misspelt parameter names its close match."""
    with pytest.raises(InputError) as error:
        c1.parameters.row({"link1.mas": 0.5})
    assert str(error.value) == "unknown parameter 'link1.mas' (did you mean 'link1.mass' or 'link2.mass'?)"


SQUARE = ParameterSpace([Parameter("a", 0.0, 2.0, 1.0), Parameter("b", 0.0, 2.0, 1.0)])
COVARIANCES: dict[str, tuple[Any, str]] = {
    "negative": (
        [[1, 0], [0, -1]],
        "covariance is not positive definite: its smallest eigenvalue is -1, mostly along parameter 'b'",
    ),
    "zero": (
        [[0, 0], [0, 1]],
        "covariance is not positive definite: its smallest eigenvalue is 0, mostly along parameter 'a'",
    ),
    "too correlated": (
        [[1, 2], [2, 1]],
        "covariance is not positive definite: its smallest eigenvalue is -1, mostly along parameter",
    ),
    "not symmetric": ([[1, 0.5], [0, 1]], "covariance is not symmetric"),
    "NaN": ([[1, 0], [0, np.nan]], "covariance has entries that are not finite"),
    "shape": ([1, 1], "covariance must have shape (2, 2), got (2,)"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", COVARIANCES)
def test_a_covariance_that_is_none_is_refused(case: str) -> None:
    """A covariance that is not positive definite says by how much, and along which parameter."""
    covariance, sentence = COVARIANCES[case]
    with pytest.raises(InputError) as error:
        Normal(SQUARE, [1, 1], covariance)
    assert str(error.value).startswith(sentence)


def test_other_distributions_check_their_values() -> None:
    """Crossed bounds and negative weights are refused."""
    with pytest.raises(InputError, match=r"^parameter 'a': uniform low 1 must be below high 1$"):
        Uniform(SQUARE, [1, 0], [1, 2])
    with pytest.raises(InputError, match=r"^weights must be 2 finite numbers of at least 0, not all of them 0$"):
        Empirical(SQUARE, [[1, 1], [1, 2]], [1, -1])


BAD_FILES: dict[str, tuple[Any, str]] = {
    "no JSON": (None, "d.json, line 1, column 1: not JSON: Expecting value"),
    "a list": ([1], "d.json: expected an object with 'kind', 'space' and the values of that kind"),
    "kind": ({"kind": "nromal"}, "unknown kind of distribution in d.json: 'nromal' (did you mean 'normal'?)"),
    "space": ({"space": 3}, "d.json: a parameter space is a list of objects, one for each parameter"),
    "incomplete": ({"space": [{"name": "a"}]}, "d.json: parameter 'a' has no 'low'"),
    "bounds": ({"mean": [1, 7]}, "d.json: parameter 'b' is 7 in row 0: outside its bounds [0, 2]"),
    "unknown field": ({"sigma": 1}, "d.json: not the fields of a normal distribution"),
    "covariance": ({"covariance": [[1]]}, "d.json: covariance must have shape (2, 2), got (1, 1)"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_distribution_file_is_named(case: str, tmp_path: Path) -> None:
    """A distribution that was edited by hand names its file and what is wrong in it."""
    changes, sentence = BAD_FILES[case]
    record = Normal(SQUARE, [1, 1], np.eye(2)).to_dict()
    text = "?" if changes is None else json.dumps({**record, **changes} if isinstance(changes, dict) else changes)
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(InputError) as error:
        Distribution.load(tmp_path / "d.json")
    assert said(error, tmp_path) == sentence


def test_a_distribution_of_another_world_is_refused(c1: World, tmp_path: Path) -> None:
    """Names that differ are listed, and a misspelt distribution names its close match."""
    (tmp_path / "d.json").write_text(json.dumps(Normal(SQUARE, [1, 1], np.eye(2)).to_dict()))
    with pytest.raises(InputError, match=r"a distribution over the parameters of another world \(differs in a, b, "):
        c1.distribution(str(tmp_path / "d.json"))
    with pytest.raises(InputError, match=r"^unknown distribution of world .*: 'wid' \(did you mean 'wide'\?\)"):
        c1.distribution("wid")
    with pytest.raises(InputError, match=r"no\.json: no distribution here \(expected a run's folder or a JSON file\)$"):
        c1.distribution(str(tmp_path / "no.json"))


def test_simulations_that_diverge_are_flagged_and_leave_the_others_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What blows up is NaN and flagged; its neighbours keep their bytes; the engine stays silent."""
    monkeypatch.chdir(tmp_path)
    arm = world(tmp_path, HEAD + "parameters: {joint.j.damping: {range: [0.01, 1e14]}}\n")
    segments = Replay(arm, standin_target(arm, seed=0, episodes=1, seconds=1.0, truth=np.array([0.1])).recordings)
    part = segments.windows(0.05).segments.take(np.zeros(6, dtype=int))
    healthy, mixed = np.full((6, 1), 0.1), np.full((6, 1), 0.1)
    mixed[[1, 4]] = 1e14
    alone, together = arm.simulate(healthy, part), arm.simulate(mixed, part)
    assert together.diverged is not None
    assert together.diverged.tolist() == [False, True, False, False, True, False]
    assert np.isnan(together.regular[[1, 4]]).all()
    np.testing.assert_array_equal(together.regular[[0, 2, 3, 5]], alone.regular[[0, 2, 3, 5]])
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "MUJOCO_LOG.TXT").exists()


@pytest.mark.filterwarnings("error")
def test_diverged_simulations_are_counted_in_the_gap(tmp_path: Path) -> None:
    """A gap counts what diverged and measures the rest, even where nothing is left of one arm."""
    arm = world(tmp_path, HEAD + "parameters: {joint.j.damping: {range: [0.01, 1e14]}}\n")
    target = standin_target(arm, seed=0, episodes=1, seconds=1.0, truth=np.array([0.1]))
    windows = Replay(arm, target.recordings).windows(0.1)
    space = arm.parameters
    some = Empirical(space, [[0.1], [1e14]])
    every = Uniform(space, [9e13], [1e14])
    default, half, none = windowed_gaps(
        arm, windows, {"default": arm.distributions()["default"], "half": some, "none": every}, draws=20
    )
    assert default.diverged == 0
    assert 0 < half.diverged < 20 * len(windows)
    assert half.value == pytest.approx(default.value, rel=0.2)  # the same rows, fewer of them
    assert none.diverged == 20 * len(windows)
    assert np.isnan(none.value)
    assert none.parts[0].covered is None
