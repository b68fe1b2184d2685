"""Imitation by asking: `dagger` learns from the world's own expert, `distill` from a policy that knows more.

    get_learner("dagger").train(world, task, distribution, steps=150_000)
    get_learner("distill", {"teacher": "runs/teacher"}).train(world, task, distribution, steps=300_000)

DAgger (Ross, Gordon and Bagnell, AISTATS 2011, Algorithm 3.1): the learner acts, the expert says what it would have
done where the learner came to, and the learner is fitted to all that was said so far. In round i each decision is the
expert's with probability beta_i. `distill` is the same with a privileged teacher and a student that sees a history of
what the machine senses, as in learning by cheating, RMA and its kin (Lee et al., Science Robotics 2020; Kumar et al.,
RSS 2021): the student finds the parameters in its own past. It departs from RMA in that it imitates actions alone and
has no code of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.learn.cloning import CLIP, imitated, scaling, warm
from simloop.learn.learner import Clock, Learner, Trained
from simloop.learn.policy import Float32, Policy, begin, fraction_of, scaled, stacked_history
from simloop.learn.regression import Regression
from simloop.learn.state import keep_state, kept_state
from simloop.learn.teacher import PolicyExpert
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.worlds.environment import Environment
from simloop.worlds.expert import Expert
from simloop.worlds.task import Task
from simloop.worlds.world import World


@dataclass(frozen=True)
class Visits:
    """Episodes of one round: what was seen, done and said of it, padded to the longest, (E, T, .).

    Attributes:
        seen: (E, T, O) observations.
        done: (E, T, A) what was done, as fractions of the limits.
        said: (E, T, A) what the expert would have done.
        length: (E,) decisions.
    """

    seen: Float32
    done: Float32
    said: Float32
    length: NDArray[np.int64]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(E, T)."""
        return np.arange(self.seen.shape[1]) < self.length[:, None]

    def inputs(self, mean: Any, scale: Any, history: int) -> Float32:
        """What the network sees, (decisions, inputs)."""
        return stacked_history(scaled(self.seen.astype(np.float64), mean, scale, CLIP), self.done, history)[self.valid]


@dataclass(frozen=True)
class Dagger(Learner):
    """Dataset aggregation with an expert that can be asked anywhere.

    Attributes:
        envs: episodes in a round, side by side.
        mixing: beta_i = mixing ** i: how often the expert decides in round i; 0: in the first round alone.
        history: how many observations and actions of the past the policy sees.
        hidden: widths of the hidden layers.
        learning_rate: of Adam at the start; it falls to a tenth by the last round.
        batch: decisions in a gradient step.
        epochs: passes over all that was said so far, after each round.
    """

    name: ClassVar[str] = "dagger"
    needs: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    envs: int = 32
    mixing: float = 0.5
    history: int = 0
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3
    batch: int = 512
    epochs: int = 4

    def expert(self, world: World, task: Task) -> Expert:
        """Who is asked."""
        return world.expert(task)

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
        expert = self.expert(world, task)
        environment = world.make(self.envs, task=task, randomization=distribution, seed=seed, autoreset="disabled")
        rounds = max(1, -(-steps // (self.envs * task.steps)))
        record: dict[str, Any] = {"round": 0, "steps": 0, "wall_seconds": 0.0, "history": []}
        origin = {"world": world.name, "task": task.name, "learner": self.name, "distribution hash": distribution.hash}
        visits: list[Visits] = []
        learned = _Learned(self, task, seed, warm(begin_from), origin)
        kept = kept_state(folder) if folder else None
        if kept:
            arrays, record = kept
            visits = _visits(arrays, record["round"])
            learned.restore(arrays, visits)
        clock = Clock(record["wall_seconds"])
        for number in range(record["round"], rounds):
            beta = self.mixing**number if number else 1.0
            seed_of_round = int(stream(seed, "round", number).integers(2**31))
            found, line = _round(environment, expert, learned.policy, beta, seed_of_round)
            visits.append(found)
            loss = learned.fit(found, number, rounds)
            taken = record["steps"] + int(found.length.sum())
            line = {"steps": taken, "wall_seconds": clock.seconds, **line, "beta": beta, "loss": loss}
            record |= {"round": number + 1, "steps": taken, "wall_seconds": clock.seconds,
                       "history": [*record["history"], line]}  # fmt: skip
            if folder:
                keep_state(folder, learned.arrays() | _arrays(visits), record)
            progress(
                f"{self.name}: round {number + 1} of {rounds}, return {line['return']:.1f},"
                f" success {line['success']:.0%}, error {loss:.4f}",
                (number + 1) / rounds,
            )
        environment.close()
        assert learned.policy is not None
        simulated = record["steps"] * task.decision_dt
        return Trained(learned.policy, record["history"], record["steps"], simulated, record["wall_seconds"])


@dataclass(frozen=True)
class Distill(Dagger):
    """A student that sees a history of what the machine senses, from a teacher that sees the parameters.

    Attributes:
        teacher: the folder of the run that trained the teacher, usually with the option `privileged`.
    """

    name: ClassVar[str] = "distill"
    teacher: str = ""
    history: int = 10

    def expert(self, world: World, task: Task) -> Expert:
        if not self.teacher:
            raise InputError("learner 'distill' needs a teacher: give its option 'teacher', a run's folder")
        return PolicyExpert(Policy.load(self.teacher))


class _Learned:
    """The network of a training, and all that it is fitted to."""

    def __init__(self, options: Dagger, task: Task, seed: int, start: Any, origin: dict[str, Any]) -> None:
        self._options, self._task, self._seed, self._start, self._origin = options, task, seed, start, origin
        self._network: Regression | None = None
        self._inputs: list[Float32] = []
        self._said: list[Float32] = []
        self._scaling: tuple[Any, Any] = (None, None)
        self.policy: Policy | None = None

    def fit(self, visits: Visits, number: int, rounds: int) -> float:
        """Take what was said in a round, and fit the network to all; return the loss of the last pass."""
        o = self._options
        self._take(visits)
        inputs, said = np.concatenate(self._inputs), np.concatenate(self._said)
        assert self._network is not None
        rate = o.learning_rate * 0.1 ** (number / max(1, rounds - 1))
        loss = 0.0
        for epoch in range(o.epochs):
            order = stream(self._seed, "fit", number, epoch).permutation(len(said))
            loss = self._network.epoch(inputs, said, batch=o.batch, order=order, rate=rate)
        self._decide()
        return loss

    def _take(self, visits: Visits) -> None:
        o = self._options
        if self._network is None:  # how observations are scaled is what the expert saw in the first round
            self._scaling = scaling(visits.seen[visits.valid])
        inputs = visits.inputs(*self._scaling, o.history)
        self._inputs.append(inputs)
        self._said.append(visits.said[visits.valid])
        if self._network is None:
            actions = visits.said.shape[2]
            self._network = Regression(inputs.shape[1], actions, o.hidden, o.learning_rate, self._seed)
            if self._start is not None:
                self._network.restore(self._start[0])

    def _decide(self) -> None:
        assert self._network is not None
        weights, (mean, scale) = self._network.weights(), self._scaling
        self.policy = imitated(weights, mean, scale, self._task, self._options.history, self._origin)

    def arrays(self) -> dict[str, Any]:
        assert self._network is not None
        return self._network.arrays()

    def restore(self, arrays: dict[str, Any], visits: list[Visits]) -> None:
        """Be as after the rounds whose visits these are."""
        for found in visits:
            self._take(found)
        assert self._network is not None
        self._network.restore(arrays)
        self._decide()


def _round(
    environment: Environment, expert: Expert, policy: Policy | None, beta: float, seed: int
) -> tuple[Visits, dict[str, Any]]:
    """One episode in each place, in which the expert decides with probability `beta` and is asked always."""
    n, task = environment.num_envs, environment.task
    box: Any = environment.single_action_space
    low, high = box.low.astype(np.float64), box.high.astype(np.float64)
    rng = stream(seed, "mixing")
    observations, _ = environment.reset(seed=seed)
    if policy is not None:
        begin(policy, np.ones(n, dtype=bool))
    seen, done, said = [], [], []
    length, returns = np.zeros(n, dtype=np.int64), np.zeros(n)
    success, diverged = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for step in range(task.steps):
        wanted = expert(environment)
        action = wanted
        if policy is not None:
            own = policy(observations)
            action = np.where(rng.random(n)[:, None] < beta, wanted, own)
            policy.took(action)
        seen.append(observations)
        done.append(fraction_of(action, low, high))
        said.append(fraction_of(wanted, low, high))
        observations, _, terminated, truncated, infos = environment.step(action)
        ended = terminated | truncated
        if ended.any():
            final, new = infos["final_info"], ended & (length == 0)
            length[new] = step + 1
            returns[new], success[new] = final["return"][new], final["success"][new]
            diverged[new] = final["diverged"][new]
            if (length > 0).all():
                break
            observations, _ = environment.reset(options={"reset_mask": ended})  # goes on unseen
            if policy is not None:
                begin(policy, ended)
    line = {"episodes": n, "success": float(success.mean()), "return": float(returns.mean()),
            "diverged": int(diverged.sum())}  # fmt: skip
    return Visits(np.stack(seen, axis=1), np.stack(done, axis=1), np.stack(said, axis=1), length), line


def _arrays(visits: list[Visits]) -> dict[str, Any]:
    """Visits by name, for the state that is kept."""
    return {f"visits/{i}/{k}": v for i, found in enumerate(visits) for k, v in vars(found).items()}


def _visits(arrays: dict[str, Any], rounds: int) -> list[Visits]:
    names = ("seen", "done", "said", "length")
    return [Visits(*(arrays[f"visits/{i}/{k}"] for k in names)) for i in range(rounds)]
