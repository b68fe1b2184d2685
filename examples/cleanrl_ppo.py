"""PPO in one file, in the manner of CleanRL, on a running batch as it is: nothing here knows of simloop but `make`.

    python examples/cleanrl_ppo.py --steps 1000000

Proximal policy optimisation (Schulman et al., arXiv 1707.06347) with generalised advantages (Schulman et al., arXiv
1506.02438). The batch resets in the step after an episode ended, as Gymnasium's vector environments do; the decision
taken there does nothing, so it is left out of the updates. An episode that ran out of time is worth what its last
observation is worth; one that terminated is worth nothing.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from simloop import get_world


class Agent(nn.Module):
    """A Gaussian policy with actions in [-1, 1], and what an observation is worth."""

    def __init__(self, observation: int, action: int, width: int = 64) -> None:
        super().__init__()
        self.policy, self.value = self._net(observation, action, width), self._net(observation, 1, width)
        self.log_std = nn.Parameter(torch.full((action,), -0.5))

    @staticmethod
    def _net(inputs: int, outputs: int, width: int) -> nn.Sequential:
        layers = [nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)]
        for layer in layers[::2]:
            nn.init.orthogonal_(layer.weight, np.sqrt(2) if layer is not layers[-1] else 0.01)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(*layers)

    def actions(self, seen: torch.Tensor) -> torch.distributions.Independent:
        normal = torch.distributions.Normal(self.policy(seen), self.log_std.exp(), validate_args=False)
        return torch.distributions.Independent(normal, 1, validate_args=False)


def advantages(rewards, values, after, terminated, ended, discount=0.99, gae=0.95):
    """Generalised advantages (T, n), eq. 16 of 1506.02438; `after` (T, n) is the value of what each decision led to."""
    out, carried = torch.zeros_like(rewards), torch.zeros(rewards.shape[1])
    for t in reversed(range(len(rewards))):
        error = rewards[t] + discount * after[t] * ~terminated[t] - values[t]
        carried = error + discount * gae * carried * ~ended[t]
        out[t] = carried
    return out


def train(steps: int, *, envs: int = 128, horizon: int = 64, epochs: int = 8, minibatch: int = 2048, rate: float = 1e-3,
          clip: float = 0.2, randomization: str = "wide", seed: int = 0) -> list[float]:  # fmt: skip
    """Train for so many decisions; return the mean return of the episodes that ended before each update."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    batch = get_world("double-pendulum").make(
        envs, task="swing-up", randomization=randomization, seed=seed, autoreset="next-step"
    )
    low, high = (torch.as_tensor(x) for x in (batch.single_action_space.low, batch.single_action_space.high))
    agent = Agent(batch.single_observation_space.shape[0], len(low))
    optimizer = torch.optim.Adam(agent.parameters(), lr=rate, eps=1e-5)
    observation = torch.as_tensor(batch.reset()[0])
    over = torch.zeros(envs, dtype=torch.bool)  # whose episode ended in the step before: this one resets it
    curve: list[float] = []
    for update in range(max(1, steps // (envs * horizon))):
        begun, kept, returns = time.perf_counter(), [], []
        for _ in range(horizon):
            with torch.no_grad():
                chosen = agent.actions(observation)
                action = chosen.sample()
            scaled = low + (action.clip(-1, 1) + 1) / 2 * (high - low)
            following, reward, terminated, truncated, infos = batch.step(scaled.numpy())
            following, terminated = torch.as_tensor(following), torch.as_tensor(terminated)
            ended = terminated | torch.as_tensor(truncated)
            kept.append((observation, action, chosen.log_prob(action), torch.as_tensor(reward, dtype=torch.float32),
                         following, terminated, ended | over, ~over))  # fmt: skip
            if ended.any():
                returns += infos["final_info"]["return"][ended.numpy()].tolist()
            observation, over = following, ended
        seen, action, log_prob, reward, after, terminated, ended, used = (
            torch.stack(x) for x in zip(*kept, strict=True)
        )
        with torch.no_grad():
            value = agent.value(seen).squeeze(-1)
            advantage = advantages(reward, value, agent.value(after).squeeze(-1), terminated, ended)[used]
        seen, action, log_prob = seen[used], action[used], log_prob[used]
        target = advantage + value[used]
        for _ in range(epochs):
            for rows in torch.randperm(len(seen)).split(minibatch):
                chosen = agent.actions(seen[rows])
                ratio = (chosen.log_prob(action[rows]) - log_prob[rows]).exp()
                gain = advantage[rows]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                policy_loss = -torch.min(gain * ratio, gain * ratio.clip(1 - clip, 1 + clip)).mean()
                value_loss = (agent.value(seen[rows]).squeeze(-1) - target[rows]).square().mean()
                optimizer.zero_grad()
                (policy_loss + 0.5 * value_loss).backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        curve.append(float(np.mean(returns)) if returns else float("nan"))
        speed = envs * horizon / (time.perf_counter() - begun)
        print(f"{(update + 1) * envs * horizon:>9,} decisions  return {curve[-1]:6.1f}  {speed:,.0f} decisions/s")
    return curve


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000, help="decisions")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train(given.steps, seed=given.seed)
