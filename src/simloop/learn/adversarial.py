"""Adversarial imitation, `gail`: PPO whose reward is how much its decisions look like demonstrated ones.

    learner = get_learner("gail", {"demonstrations": "demos"})
    trained = learner.train(world, task, distribution, steps=1_000_000, seed=7)

Generative adversarial imitation learning (Ho and Ermon, NeurIPS 2016, Algorithm 1): a discriminator learns to tell the
pairs of observation and action that were demonstrated from those of the policy, and the policy is rewarded for being
taken for the demonstrator. It needs demonstrations and a world to act in, but nobody to ask and no reward. It departs
from the paper in that the policy is updated by PPO instead of TRPO, and in that demonstrated actions are blurred by as
much as the policy explores at first, without which the discriminator knows the policy by its exploration alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from simloop.errors import InputError
from simloop.learn.cloning import CLIP, scaling
from simloop.learn.demonstrations import imitation_pairs, read_demonstrations
from simloop.learn.policy import Float32, scaled
from simloop.learn.reinforcement import PPO
from simloop.learn.state import optimizer_arrays, restore_optimizer
from simloop.randomness import stream
from simloop.repeatable import repeatable

if TYPE_CHECKING:
    from simloop.learn.sb3 import BaselinesEnvironment
    from simloop.worlds.environment import Environment

#: rows in a gradient step of the discriminator
_BATCH = 1024


@dataclass(frozen=True)
class Gail(PPO):
    """PPO rewarded by a discriminator.

    Attributes:
        demonstrations: recordings: a file, a folder or a glob.
        judge: widths of the discriminator's hidden layers.
        judge_rate: its learning rate.
    """

    name: ClassVar[str] = "gail"
    demonstrations: str = ""
    judge: tuple[int, ...] = (64, 64)
    judge_rate: float = 3e-4

    def _adapter(self, environment: Environment) -> BaselinesEnvironment:
        from simloop.learn.sb3 import BaselinesEnvironment

        if not self.demonstrations:
            raise InputError("learner 'gail' needs recordings to learn from: give its option 'demonstrations'")
        if self.privileged:
            raise InputError("learner 'gail' cannot be privileged: demonstrations do not say the parameters")
        world, task = environment.world, environment.task
        pairs = imitation_pairs(world, task, read_demonstrations(self.demonstrations, world))
        judge = Discriminator(pairs.seen, pairs.done, self.judge, self.judge_rate, self.horizon, self.spread,
                              environment.seed)  # fmt: skip
        return BaselinesEnvironment(environment, reward=judge)

    def _more(self, model: Any) -> dict[str, Any]:
        arrays: dict[str, Any] = _judge(model).arrays()
        return arrays

    def _restore_more(self, model: Any, arrays: dict[str, Any]) -> None:
        _judge(model).restore(arrays)


def _judge(model: Any) -> Any:
    return model.get_env().venv.reward


class Discriminator:
    """Tells demonstrated pairs from a policy's, and learns so after every `horizon` calls.

    Args:
        seen, done: (N, O) observations and (N, A) actions, as fractions of their limits, that were demonstrated.
        hidden: widths of its hidden layers.
        rate: its learning rate.
        horizon: calls between two passes over what the policy did in them.
        blur: standard deviation of what is added to demonstrated actions.
        seed: of its weights and of the order in which it looks.
    """

    def __init__(
        self, seen: Float32, done: Float32, hidden: tuple[int, ...], rate: float, horizon: int, blur: float, seed: int
    ) -> None:
        import itertools

        import torch

        self._mean, self._scale = scaling(seen)
        self._seen, self._done = self._inputs(seen), done
        self._horizon, self._blur, self._seed, self._updates = horizon, blur, seed, 0
        widths = [seen.shape[1] + done.shape[1], *hidden, 1]
        modules: list[Any] = []
        with repeatable(int(stream(seed, "discriminator").integers(2**31))):
            for a, b in itertools.pairwise(widths):
                modules += [torch.nn.Linear(a, b), torch.nn.Tanh()]
            self._net = torch.nn.Sequential(*modules[:-1])
        self._adam = torch.optim.Adam(self._net.parameters(), lr=rate)
        self._pairs: list[Float32] = []

    def _inputs(self, seen: Any) -> Float32:
        return scaled(np.asarray(seen, dtype=np.float64), self._mean, self._scale, CLIP)

    def __call__(self, seen: Any, done: Any, _rewards: Any) -> Any:
        """Rewards (n,) of observations (n, O) and actions (n, A): -log(1 - D), D the chance of being demonstrated."""
        import torch

        pairs = np.concatenate([self._inputs(seen), np.asarray(done, dtype=np.float32)], axis=1)
        with torch.no_grad():
            reward = torch.nn.functional.softplus(self._net(torch.from_numpy(pairs))[:, 0]).numpy().astype(np.float64)
        self._pairs.append(pairs)
        if len(self._pairs) == self._horizon:
            self._learn(np.concatenate(self._pairs))
            self._pairs = []
        return reward

    def _learn(self, own: Float32) -> None:
        """Pass once over what the policy did, beside as many demonstrated pairs."""
        import torch

        rng = stream(self._seed, "discriminator", self._updates)
        self._updates += 1
        order, shown = rng.permutation(len(own)), rng.integers(len(self._seen), size=len(own))
        loss_of = torch.nn.functional.binary_cross_entropy_with_logits
        for a in range(0, len(own), _BATCH):
            at, of = order[a : a + _BATCH], shown[a : a + _BATCH]
            blurred = self._done[of] + self._blur * rng.standard_normal(self._done[of].shape)
            real = np.concatenate([self._seen[of], np.clip(blurred, -1, 1).astype(np.float32)], axis=1)
            logits = self._net(torch.from_numpy(np.concatenate([real, own[at]])))[:, 0]
            loss = loss_of(logits, torch.cat([torch.ones(len(of)), torch.zeros(len(at))]))
            self._adam.zero_grad()
            loss.backward()
            self._adam.step()

    def arrays(self) -> dict[str, Any]:
        """Everything that it has learned and counted, by name."""
        kept = {f"discriminator/{k}": v.detach().numpy().copy() for k, v in self._net.state_dict().items()}
        return kept | optimizer_arrays("judge", self._adam) | {"discriminator updates": np.array(self._updates)}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Put back what `arrays` gave."""
        import torch

        net = self._net.state_dict()
        self._net.load_state_dict({k: torch.from_numpy(np.array(arrays[f"discriminator/{k}"])) for k in net})
        restore_optimizer("judge", self._adam, arrays)
        self._updates, self._pairs = int(arrays["discriminator updates"]), []
