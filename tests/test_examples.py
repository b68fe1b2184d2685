"""Examples that use other libraries on running batches do what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'simloop[learn]'")


def example(name: str) -> ModuleType:
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_advantages_are_discounted_sums_of_errors():
    """Generalised advantages are eq. 16 written out, cut where episodes end, with no future where they terminate."""
    ppo, rng = example("cleanrl_ppo"), np.random.default_rng(0)
    reward, value, after = rng.standard_normal((3, 6, 1))
    terminated, truncated = np.zeros((2, 6, 1), dtype=bool)
    terminated[1], truncated[3] = True, True
    ended = terminated | truncated
    error = reward + 0.9 * after * ~terminated - value
    expected = np.zeros((6, 1))
    for t in range(6):
        weight = 1.0
        for k in range(t, 6):
            expected[t] += weight * error[k]
            weight *= 0.9 * 0.8
            if ended[k]:
                break
    given = [torch.as_tensor(x) for x in (reward, value, after, terminated, ended)]
    assert np.allclose(ppo.advantages(*given, discount=0.9, gae=0.8).numpy(), expected)


def test_cleanrl_ppo_runs_on_a_batch_as_it_is(capsys):
    """PPO in one file takes its decisions in a randomised batch, to the same curve from the same seed."""
    ppo, curves = example("cleanrl_ppo"), []
    for _ in range(2):
        curves.append(ppo.train(3200, envs=8, horizon=200, epochs=1, minibatch=400, seed=1))
    assert np.array_equal(*curves, equal_nan=True)
    assert len(curves[0]) == 2
    assert np.isfinite(curves[0][-1])
    assert "3,200 decisions" in capsys.readouterr().out


@pytest.mark.slow
def test_cleanrl_ppo_learns():
    """PPO in one file learns to swing up in randomised worlds."""
    curve = example("cleanrl_ppo").train(300_000)
    assert curve[0] < 50
    assert curve[-1] > 150
