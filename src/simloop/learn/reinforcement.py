"""Reinforcement learning by Stable-Baselines3, on running batches: `ppo`, `sac`, and `recurrent-ppo` with a memory.

The defaults work for the worlds that simloop ships on two cores. What is learned leaves as a `Policy`, which needs
neither Stable-Baselines3 nor PyTorch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.learn.learner import Clock, Learner, Trained
from simloop.learn.policy import Policy
from simloop.learn.state import keep_state, kept_state, optimizer_arrays, restore_optimizer
from simloop.learn.teacher import PRIVILEGED
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.repeatable import repeatable
from simloop.worlds.environment import Environment
from simloop.worlds.task import Task
from simloop.worlds.world import World

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.vec_env import VecNormalize

    from simloop.learn.sb3 import BaselinesEnvironment

#: what observations, centred and scaled, are clipped to
_CLIP = 10.0


@dataclass(frozen=True)
class Reinforcement(Learner):
    """What the learners of Stable-Baselines3 share.

    Attributes:
        envs: episodes at once.
        chunk: decisions of each of them between two states that are kept.
        learning_rate: of Adam.
        discount: gamma.
        hidden: widths of the hidden layers, of policy and value alike.
        privileged: whether it sees the parameters of its episode: a teacher, see `learn/teacher.py`.
    """

    envs: int = 128
    chunk: int = 1024
    learning_rate: float = 1e-3
    discount: float = 0.99
    hidden: tuple[int, ...] = (64, 64)
    privileged: bool = False
    #: whether observations and rewards are scaled by their running spread
    scaled: ClassVar[bool] = True
    #: subtrees of the model that its state is made of
    parts: ClassVar[tuple[str, ...]] = ("policy",)

    @abstractmethod
    def model(self, envs: Any, seed: int) -> BaseAlgorithm:
        """The algorithm on a vector environment of Stable-Baselines3."""

    @abstractmethod
    def weights(self, model: Any) -> tuple[dict[str, Any], str, str]:
        """The policy's weights as `Policy` names them, its activation, and how its output is squashed."""

    def part(self, begin: float, end: float) -> Self:
        """The learner for one part of a training, from where `begin` of it is done to where `end` of it is."""
        return self

    def on_few(self, envs: int) -> Self:
        """The learner on at most so many episodes at once; its updates see as much, its states are kept more often."""
        fewer = min(envs, self.envs)
        return replace(self, envs=fewer, chunk=max(1, self.chunk // 16 * self.envs // fewer))

    def _adapter(self, environment: Environment) -> BaselinesEnvironment:
        """The running batch as Stable-Baselines3 wants it."""
        from simloop.learn.sb3 import BaselinesEnvironment

        return BaselinesEnvironment(environment, privileged=self.privileged)

    def train(
        self,
        world: World,
        task: Task,
        distribution: Distribution,
        *,
        steps: int,
        seed: int = 0,
        folder: Path | None = None,
        begin_from: Path | None = None,
        progress: Progress = silent,
    ) -> Trained:
        self.check_installed()
        with repeatable(seed):
            return self._train(world, task, distribution, steps, seed, folder, begin_from, progress)

    def _train(
        self,
        world: World,
        task: Task,
        distribution: Distribution,
        steps: int,
        seed: int,
        folder: Path | None,
        begin_from: Path | None,
        progress: Progress,
    ) -> Trained:
        from stable_baselines3.common.logger import Logger
        from stable_baselines3.common.utils import set_random_seed
        from stable_baselines3.common.vec_env import VecNormalize

        environment = world.make(self.envs, task=task, randomization=distribution, seed=seed)
        adapter = self._adapter(environment)
        envs = VecNormalize(adapter, norm_obs=self.scaled, norm_reward=self.scaled, clip_obs=_CLIP, gamma=self.discount)
        model = self.model(envs, seed)
        model.set_logger(Logger(None, []))  # its own would leave a folder for every training
        record: dict[str, Any] = {"chunk": 0, "steps": 0, "wall_seconds": 0.0, "history": []}
        kept = kept_state(folder) if folder else None
        if kept:
            record = self._restore(model, envs, kept)
        elif begin_from:
            warm = kept_state(begin_from)
            if warm is None:
                raise InputError(f"{begin_from}: no training to begin from")
            self._restore(model, envs, warm)
        clock = Clock(record["wall_seconds"])
        for chunk, decisions in self._chunks(steps, record["chunk"]):
            chunk_seed = int(stream(seed, "training", chunk).integers(2**31))
            set_random_seed(chunk_seed)
            envs.seed(chunk_seed)  # for the reset that `learn` begins with
            model.action_space.seed(chunk_seed)
            model._last_obs, adapter.ended = None, []
            model.learning_rate = self.rate(chunk * self.chunk * self.envs / steps)
            model._setup_lr_schedule()
            model.learn(decisions * self.envs, reset_num_timesteps=False)
            taken = record["steps"] + decisions * self.envs
            record |= {"chunk": chunk + 1, "steps": taken, "wall_seconds": clock.seconds,
                       "history": [*record["history"], _line(taken, clock.seconds, adapter.ended)]}  # fmt: skip
            if folder:
                keep_state(folder, self._arrays(model, envs), record)
            progress(_said(self.name, record["history"][-1]), min(1.0, taken / steps))
        return Trained(
            policy=self._policy(model, envs, environment, distribution),
            history=record["history"],
            steps=record["steps"],
            simulated_seconds=record["steps"] * task.decision_dt,
            wall_seconds=record["wall_seconds"],
        )

    def rate(self, done: float) -> float:
        """The learning rate when this part of the training is done."""
        return self.learning_rate

    def _chunks(self, steps: int, done: int) -> Iterator[tuple[int, int]]:
        """The chunks that are still to do: number, and decisions of each episode."""
        left, chunk = -(-steps // self.envs), 0
        while left > 0:
            decisions = min(self.chunk, left)
            if chunk >= done:
                yield chunk, decisions
            left, chunk = left - decisions, chunk + 1

    def _arrays(self, model: Any, envs: VecNormalize) -> dict[str, Any]:
        """Everything that the model has learned and counted, by name."""
        arrays: dict[str, Any] = {}
        for part in self.parts:
            arrays |= {f"{part}/{k}": v for k, v in _flat(getattr(model, part).state_dict()).items()}
        for name, optimizer in self._optimizers(model).items():
            arrays |= optimizer_arrays(name, optimizer)
        for name in self._scales:
            rms = getattr(envs, name)
            arrays |= {f"{name}/{k}": np.asarray(getattr(rms, k)) for k in ("mean", "var", "count")}
        return arrays | self._more(model)

    def _restore(self, model: Any, envs: VecNormalize, kept: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
        """Put a kept state into the model; return its record."""
        import torch

        arrays, record = kept
        try:
            for part in self.parts:
                module = getattr(model, part)
                module.load_state_dict(
                    {k: torch.from_numpy(np.array(arrays[f"{part}/{k}"])) for k in module.state_dict()}
                )
            for name, optimizer in self._optimizers(model).items():
                restore_optimizer(name, optimizer, arrays)
            for name in self._scales:
                rms = getattr(envs, name)
                rms.mean, rms.var = np.array(arrays[f"{name}/mean"]), np.array(arrays[f"{name}/var"])
                rms.count = float(arrays[f"{name}/count"])
            self._restore_more(model, arrays)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"this training state is of another network ({error})") from None
        model.num_timesteps = record["steps"]
        return record

    @property
    def _scales(self) -> tuple[str, ...]:
        return ("obs_rms", "ret_rms") if self.scaled else ()

    def _optimizers(self, model: Any) -> dict[str, Any]:
        return {"optimizer": model.policy.optimizer}

    def _more(self, model: Any) -> dict[str, Any]:
        """What else the state is made of."""
        return {}

    def _restore_more(self, model: Any, arrays: dict[str, Any]) -> None:
        """Put what else the state is made of back."""

    def _policy(self, model: Any, envs: VecNormalize, environment: Environment, distribution: Distribution) -> Policy:
        weights, activation, squash = self.weights(model)
        width = envs.observation_space.shape[0]
        mean = np.array(envs.obs_rms.mean) if self.scaled else np.zeros(width)
        scale = np.sqrt(envs.obs_rms.var + envs.epsilon) if self.scaled else np.ones(width)
        box: Any = environment.single_action_space
        return Policy(
            weights=weights,
            activation=activation,  # type: ignore[arg-type]
            squash=squash,  # type: ignore[arg-type]
            mean=mean,
            scale=scale,
            low=box.low.astype(float),
            high=box.high.astype(float),
            clip=_CLIP,
            record={"world": environment.world.name, "task": environment.task.name, "learner": self.name,
                    "distribution hash": distribution.hash,
                    **({PRIVILEGED: list(distribution.space.names)} if self.privileged else {})},
        )  # fmt: skip


@dataclass(frozen=True)
class PPO(Reinforcement):
    """Proximal policy optimisation (Schulman et al., arXiv 1707.06347), as in Stable-Baselines3.

    Attributes:
        horizon: decisions of each episode between two updates.
        batch: decisions in a minibatch.
        epochs: passes over what was collected, at each update.
        gae: lambda of the generalised advantage estimate.
        spread: standard deviation that exploration starts with, in units of half the actions' range.
        target_kl: KL divergence after which an update stops: what keeps a policy that has become sure of itself from
            leaping.
        last_rate: what the learning rate has fallen to by the end, linearly, as a part of the first.
    """

    name: ClassVar[str] = "ppo"
    horizon: int = 64
    batch: int = 2048
    epochs: int = 8
    gae: float = 0.95
    clip: float = 0.2
    spread: float = 0.6
    target_kl: float = 0.03
    last_rate: float = 0.1

    def rate(self, done: float) -> float:
        return self.learning_rate * (1 - done * (1 - self.last_rate))

    def part(self, begin: float, end: float) -> Self:
        return replace(self, learning_rate=self.rate(begin), last_rate=self.rate(end) / self.rate(begin))

    def on_few(self, envs: int) -> Self:
        few = super().on_few(envs)
        return replace(few, horizon=self.horizon * self.envs // few.envs)

    def _options(self, seed: int) -> dict[str, Any]:
        return {"n_steps": self.horizon, "batch_size": self.batch, "n_epochs": self.epochs, "gamma": self.discount,
                "gae_lambda": self.gae, "clip_range": self.clip, "target_kl": self.target_kl,
                "learning_rate": self.learning_rate, "seed": seed, "device": "cpu"}  # fmt: skip

    def _network(self) -> dict[str, Any]:
        return {"net_arch": list(self.hidden), "log_std_init": float(np.log(self.spread))}

    def model(self, envs: Any, seed: int) -> BaseAlgorithm:
        import stable_baselines3

        return stable_baselines3.PPO("MlpPolicy", envs, policy_kwargs=self._network(), **self._options(seed))

    def weights(self, model: Any) -> tuple[dict[str, Any], str, str]:
        layers = [*model.policy.mlp_extractor.policy_net, model.policy.action_net]
        return _perceptron(layers), "tanh", "clip"


@dataclass(frozen=True)
class RecurrentPPO(PPO):
    """PPO with an LSTM before the network (sb3-contrib): it may find out in an episode what world it is in.

    Attributes:
        memory: width of the LSTM.
    """

    name: ClassVar[str] = "recurrent-ppo"
    needs: ClassVar[tuple[str, ...]] = (*Learner.needs, "sb3_contrib")
    envs: int = 64
    batch: int = 1024
    epochs: int = 5
    learning_rate: float = 5e-4
    memory: int = 64

    def model(self, envs: Any, seed: int) -> BaseAlgorithm:
        import sb3_contrib

        network = {**self._network(), "lstm_hidden_size": self.memory}
        return sb3_contrib.RecurrentPPO("MlpLstmPolicy", envs, policy_kwargs=network, **self._options(seed))

    def weights(self, model: Any) -> tuple[dict[str, Any], str, str]:
        found, activation, squash = super().weights(model)
        lstm = model.policy.lstm_actor
        memory = {
            "memory.weight_ih": _array(lstm.weight_ih_l0),
            "memory.weight_hh": _array(lstm.weight_hh_l0),
            "memory.bias": _array(lstm.bias_ih_l0 + lstm.bias_hh_l0),
        }
        return found | memory, activation, squash


@dataclass(frozen=True)
class SAC(Reinforcement):
    """Soft actor-critic (Haarnoja et al., arXiv 1812.05905), as in Stable-Baselines3.

    Attributes:
        updates: gradient steps for each decision of the whole batch.
        batch: decisions in a gradient step.
        buffer: decisions that are remembered.
        warmup: decisions before the first gradient step.
    """

    name: ClassVar[str] = "sac"
    envs: int = 16
    chunk: int = 512
    hidden: tuple[int, ...] = (128, 128)
    updates: int = 8
    batch: int = 256
    buffer: int = 200_000
    warmup: int = 4000
    scaled: ClassVar[bool] = False

    def model(self, envs: Any, seed: int) -> BaseAlgorithm:
        import stable_baselines3

        return stable_baselines3.SAC(
            "MlpPolicy", envs, learning_rate=self.learning_rate, gamma=self.discount, batch_size=self.batch,
            buffer_size=self.buffer, learning_starts=self.warmup, train_freq=1, gradient_steps=self.updates, seed=seed,
            device="cpu", policy_kwargs={"net_arch": list(self.hidden)},
        )  # fmt: skip

    def on_few(self, envs: int) -> Self:
        return replace(self, chunk=max(1, self.chunk // 16))  # what it remembers is of that many episodes at once

    def weights(self, model: Any) -> tuple[dict[str, Any], str, str]:
        return _perceptron([*model.actor.latent_pi, model.actor.mu]), "relu", "tanh"

    def _optimizers(self, model: Any) -> dict[str, Any]:
        return {"actor": model.actor.optimizer, "critic": model.critic.optimizer, "entropy": model.ent_coef_optimizer}

    def _more(self, model: Any) -> dict[str, Any]:
        buffer = model.replay_buffer
        size = buffer.buffer_size if buffer.full else buffer.pos
        kept = {f"buffer/{k}": getattr(buffer, k)[:size] for k in _REMEMBERED}
        return kept | {"buffer/pos": np.array(buffer.pos), "buffer/full": np.array(int(buffer.full)),
                       "log_entropy": _array(model.log_ent_coef)}  # fmt: skip

    def _restore_more(self, model: Any, arrays: dict[str, Any]) -> None:
        import torch

        buffer = model.replay_buffer
        for name in _REMEMBERED:
            getattr(buffer, name)[: len(arrays[f"buffer/{name}"])] = arrays[f"buffer/{name}"]
        buffer.pos, buffer.full = int(arrays["buffer/pos"]), bool(arrays["buffer/full"])
        with torch.no_grad():
            model.log_ent_coef.copy_(torch.from_numpy(np.array(arrays["log_entropy"])))


_REMEMBERED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def _array(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy()


def _flat(state: dict[str, Any]) -> dict[str, Any]:
    return {k: _array(v) for k, v in state.items()}


def _perceptron(modules: list[Any]) -> dict[str, Any]:
    """Weights of the linear layers among modules, as `Policy` names them."""
    linear = [m for m in modules if hasattr(m, "weight")]
    found = {f"layers.{i}.weight": _array(m.weight) for i, m in enumerate(linear)}
    return found | {f"layers.{i}.bias": _array(m.bias) for i, m in enumerate(linear)}


def _line(steps: int, wall: float, ended: list[tuple[bool, float, bool]]) -> dict[str, Any]:
    """One line of the learning curve."""
    success, returns, diverged = (np.array(x, dtype=float) for x in (zip(*ended, strict=True) if ended else ([],) * 3))
    return {
        "steps": steps,
        "wall_seconds": wall,
        "episodes": len(ended),
        "success": float(success.mean()) if ended else None,
        "return": float(returns.mean()) if ended else None,
        "diverged": int(diverged.sum()),
    }


def _said(name: str, line: dict[str, Any]) -> str:
    """A line of the learning curve in words."""
    if not line["episodes"]:
        return f"{name}: {line['steps']:,} decisions"
    rate = line["steps"] / max(line["wall_seconds"], 1e-9)
    return (
        f"{name}: {line['steps']:,} decisions ({rate:,.0f}/s), return {line['return']:.1f},"
        f" success {line['success']:.0%}"
    )
