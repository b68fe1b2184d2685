"""What stands beside a loop: an oracle that learns on the target itself, and curricula that widen as they may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("pybullet")

from simloop import get_world, policy_arms, policy_loop
from simloop.distributions import Distribution, Point
from simloop.errors import InputError
from simloop.learn import PPO, Policy
from simloop.learn.curricula import AutomaticRandomisation, EntropyMaximisation
from simloop.learn.evaluate import ratio_interval
from simloop.policy_loop import PolicyLoopFile, run_policy_loop
from simloop.report import learned, opening, write_report
from simloop.report.learned import Learned
from simloop.targets import live_target
from simloop.targets.live_batch import LiveWorld

WORLD = get_world("double-pendulum")
TARGET = "standin:double-pendulum#3"
FEW = PPO(envs=4, chunk=32, horizon=16, batch=32, epochs=1, hidden=(8,))
TINY = f"""
world: double-pendulum
target: "{TARGET}"
learn:
  learner: ppo
  options: {{envs: 4, chunk: 300, horizon: 20, batch: 80, epochs: 1, hidden: [8]}}
  steps: 1200
  again: 1200
adapt: {{method: simopt, options: {{iterations: 1, samples: 4, windows: 4}}}}
iterations: 1
rollouts: 1
arms: [adr, doraemon, oracle]
episodes: 2
"""


def reality() -> LiveWorld:
    return LiveWorld(WORLD, lambda: live_target(TARGET, WORLD))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Curricula of two parts that probe with few episodes, and scores of few."""
    quick = {"adr": AutomaticRandomisation(episodes=1), "doraemon": EntropyMaximisation(episodes=20)}
    with pytest.MonkeyPatch.context() as patch:
        for module in (policy_arms, learned):
            patch.setattr(module, "PARTS", 2)
        patch.setattr(policy_loop, "SIMULATED", 4)
        patch.setattr(policy_arms, "get_curriculum", quick.__getitem__)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arms")
    (folder / "loop.yaml").write_text(TINY)
    run_policy_loop(PolicyLoopFile.read(folder / "loop.yaml"), folder / "run")
    return folder / "run"


def test_a_batch_of_copies_is_the_live_target() -> None:
    """Under the same actions an episode of the batch returns what the target's own rollout of its number returns."""
    episodes = 3
    with reality() as world:
        envs = world.make(episodes)
        seen = [envs.reset(seed=5)[0]]
        total, over = np.zeros(episodes), np.zeros(episodes, dtype=bool)
        final = np.zeros(episodes)
        while not over.all():
            observations, rewards, terminated, truncated, infos = envs.step(np.tile(np.sin(3 * seen[-1][:, :1]), 2))
            total[~over] += rewards[~over]
            ended = (terminated | truncated) & ~over
            final[ended] = infos["final_info"]["return"][ended] if ended.any() else 0.0
            over |= ended
            seen.append(observations)
    with live_target(TARGET, WORLD) as live:
        rollouts = live.rollout(lambda o: np.tile(np.sin(3 * o[:, :1]), 2), episodes, seed=5)
    assert np.array_equal(final, rollouts.returns)
    assert np.allclose(total, final)


def test_a_training_on_the_target_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """Interrupted between two chunks, it ends with the weights of one that was not, though on other copies."""

    def stop(_message: str, _done: float) -> None:
        raise KeyboardInterrupt

    drawn, steps = Point(WORLD.parameters), 3 * 32 * 4
    with reality() as world:
        whole = FEW.train(world, world.make(1).task, drawn, steps=steps, seed=1)
    with reality() as world, pytest.raises(KeyboardInterrupt):
        FEW.train(world, world.make(1).task, drawn, steps=steps, seed=1, folder=tmp_path, progress=stop)
    with reality() as world:
        again = FEW.train(world, world.make(1).task, drawn, steps=steps, seed=1, folder=tmp_path)
    assert again.steps == whole.steps == steps
    assert all(np.array_equal(whole.policy.weights[k], again.policy.weights[k]) for k in whole.policy.weights)


def test_few_episodes_at_once_leave_updates_as_large() -> None:
    """What is collected between two updates, and so the learner, is the same on 16 episodes at once as on 128."""
    few = PPO().on_few(16)
    assert few.envs == 16
    assert few.horizon * few.envs == PPO().horizon * PPO().envs
    assert few.chunk % few.horizon == 0
    assert PPO(envs=8).on_few(16).envs == 8


def test_a_training_in_parts_has_the_learning_rates_of_the_whole() -> None:
    """Parts that follow one another go through the same schedule as one training."""
    whole = PPO(learning_rate=1e-3, last_rate=0.1)
    parts = [whole.part(k / 4, (k + 1) / 4) for k in range(4)]
    for done in np.linspace(0, 0.999, 20):
        k = int(4 * done)
        assert parts[k].rate(4 * done - k) == pytest.approx(whole.rate(done))


def test_arms_have_the_budget_of_the_loop(finished: Path) -> None:
    """Curricula take as many decisions as the loop, the oracle as many as its later iterations, on the target."""
    outcome = Learned.read(finished)
    curves = {name: arm.curve for name, arm in outcome.arms.items()}
    assert curves["adr"].steps == curves["doraemon"].steps == 2400
    assert curves["oracle"].steps == 1200
    assert curves["oracle"].acted == pytest.approx(1200 * 0.02)
    assert curves["oracle"].simulated_seconds == 0
    assert outcome.arms["oracle"].simulated is None
    assert not outcome.missing


def test_the_oracle_goes_on_from_the_first_policy_and_moves(finished: Path) -> None:
    """Its weights are other ones than those that it began from."""
    first, oracle = (Policy.load(finished / name) for name in ("iteration-0", "arm-oracle"))
    assert any(not np.array_equal(first.weights[k], oracle.weights[k]) for k in first.weights)


def test_curricula_begin_narrow_and_stay_within_wide(finished: Path) -> None:
    """Every part's distribution is kept, and draws nothing outside the ranges by hand."""
    wide = WORLD.distribution("wide")
    for arm in ("adr", "doraemon"):
        parts = [d for _, d in Learned.read(finished).widened[arm]]
        assert len(parts) == 2
        for d in parts:
            assert isinstance(d, Distribution)
            rows = d.sample(200, np.random.default_rng(0))
            assert (rows >= wide.low - 1e-9).all()
            assert (rows <= wide.high + 1e-9).all()


def test_the_report_shows_the_oracle_and_how_ranges_widened(finished: Path) -> None:
    """Its own sentence, section, and s of acting; a policy that learned on the target is not said to be a stranger."""
    outcome = Learned.read(finished)
    assert "an oracle that learned there itself" in opening.headline(outcome)
    assert "24 s on the target itself" in opening.beside_it(outcome)
    page = write_report(finished).read_text(encoding="utf-8")
    assert 'id="widening"' in page
    assert "except the oracle" in page


def test_an_interrupted_curriculum_goes_on_to_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    """Stopped in its middle, the same command ends with the same policy, and does nothing twice."""
    (tmp_path / "loop.yaml").write_text(TINY.replace("[adr, doraemon, oracle]", "[doraemon]"))
    file = PolicyLoopFile.read(tmp_path / "loop.yaml")

    def stop(message: str, _done: float) -> None:
        if message.startswith("arm-doraemon-1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_policy_loop(file, tmp_path / "run", progress=stop)
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "run" / "stages").iterdir()}
    run_policy_loop(file, tmp_path / "run")
    assert "train-arm-doraemon-0.json" in before
    assert all((tmp_path / "run" / "stages" / name).stat().st_mtime_ns == then for name, then in before.items())
    a, b = (Policy.load(f / "arm-doraemon") for f in (finished, tmp_path / "run"))
    assert all(np.array_equal(a.weights[k], b.weights[k]) for k in a.weights)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((f'"{TARGET}"', "gym:Pendulum-v1"), "only a stand-in bears; 'gym:Pendulum-v1' is none"),
        (("learner: ppo\n", "learner: dagger\n"), "does not learn by acting"),
        (("hidden: [8]", "hidden: [8], privileged: true"), "sees parameters, which a target has none of"),
        (("[adr,", "[adrr,"), "arms"),
    ],
)
def test_an_arm_that_cannot_be_is_one_sentence(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """What an arm needs is said when the file is read, before anything is trained."""
    text = TINY.replace(*change)
    if "dagger" in text:
        text = text.replace(text[text.index("  options:") : text.index("  steps:")], "")
    (tmp_path / "loop.yaml").write_text(text)
    with pytest.raises(InputError, match=says):
        PolicyLoopFile.read(tmp_path / "loop.yaml")


def test_ratios_have_the_published_interval() -> None:
    """Koopman's own example (1984) comes out to three digits; a rate of 0 or 1 does no harm."""
    assert ratio_interval(36, 40, 16, 80) == pytest.approx((2.94, 7.15), abs=0.005)
    low, high = ratio_interval(100, 100, 100, 100)
    assert low * high == pytest.approx(1.0)
    assert ratio_interval(0, 50, 20, 50)[0] == 0
    assert ratio_interval(20, 50, 0, 50)[1] == np.inf


def test_ratio_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Over draws of two rates 0.9 and 0.95 of 100 episodes each, 95 % of intervals hold their ratio."""
    rng = np.random.default_rng(0)
    draws = rng.binomial(100, [0.9, 0.95], (600, 2))
    held = [low <= 0.9 / 0.95 <= high for k, j in draws.tolist() for low, high in [ratio_interval(k, 100, j, 100)]]
    assert 0.92 < np.mean(held) < 0.98
