"""Behavioural cloning, `bc`: do what was done in recordings where the same was seen (Pomerleau 1989).

    learner = get_learner("bc", {"demonstrations": "demos"})
    trained = learner.train(world, task, distribution, steps=1_000_000, seed=7)

It needs demonstrations of the world and no acting: of the distribution nothing is drawn. Its `steps` are demonstrated
decisions that it looks at, over all passes; it stops before where what it does in recordings that it does not learn
from no longer gets nearer to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from simloop.distributions import Distribution
from simloop.errors import InputError
from simloop.learn.demonstrations import Pairs, imitation_pairs, read_demonstrations
from simloop.learn.learner import Clock, Learner, Trained
from simloop.learn.policy import Float32, Policy, scaled, stacked_history
from simloop.learn.regression import Regression
from simloop.learn.state import keep_state, kept_state
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.worlds.task import Task
from simloop.worlds.world import World

#: what scaled observations are clipped to, and the least spread that they are divided by
CLIP, _LEAST = 10.0, 1e-3
#: passes between two states that are kept
_EACH = 5


@dataclass(frozen=True)
class BehaviouralCloning(Learner):
    """A network that predicts the demonstrated action.

    Attributes:
        demonstrations: recordings: a file, a folder or a glob.
        hidden: widths of the hidden layers.
        history: how many observations and actions of the past the policy sees.
        learning_rate: of Adam.
        batch: decisions in a gradient step.
        held_out: part of the recordings that it is judged by and does not learn from; of one recording its end.
        patience: passes without a better judgement after which it stops.
    """

    name: ClassVar[str] = "bc"
    needs: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    demonstrations: str = ""
    hidden: tuple[int, ...] = (128, 128)
    history: int = 0
    learning_rate: float = 1e-3
    batch: int = 256
    held_out: float = 0.1
    patience: int = 20

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
        if not self.demonstrations:
            raise InputError("learner 'bc' needs recordings to learn from: give its option 'demonstrations'")
        pairs = imitation_pairs(world, task, read_demonstrations(self.demonstrations, world))
        mean, scale = scaling(pairs.seen)
        learn, judge = split(pairs, self.held_out, seed)
        inputs = features(pairs, mean, scale, self.history)
        network = Regression(inputs.shape[1], pairs.done.shape[1], self.hidden, self.learning_rate, seed)
        passes = max(1, -(-steps // len(learn)))
        record: dict[str, Any] = {"pass": 0, "best": None, "since": 0, "wall_seconds": 0.0, "history": []}
        best = network.weights()
        if kept := (kept_state(folder) if folder else None) or warm(begin_from):
            network.restore(kept[0])
            if "best" in kept[1]:
                best, record = {k[5:]: v for k, v in kept[0].items() if k.startswith("best/")}, kept[1]
        clock = Clock(record["wall_seconds"])
        for number in range(record["pass"], passes):
            if record["since"] >= self.patience:
                break
            order = learn[stream(seed, "cloning", number).permutation(len(learn))]
            loss = network.epoch(inputs, pairs.done, batch=self.batch, order=order)
            judged = network.loss(inputs[judge], pairs.done[judge])
            better = record["best"] is None or judged < record["best"]
            best = network.weights() if better else best
            record |= {"pass": number + 1, "wall_seconds": clock.seconds, "best": judged if better else record["best"],
                       "since": 0 if better else record["since"] + 1}  # fmt: skip
            line = {"steps": (number + 1) * len(learn), "wall_seconds": clock.seconds, "episodes": 0, "success": None,
                    "return": None, "diverged": 0, "loss": loss, "held_out_loss": judged}  # fmt: skip
            record["history"] = [*record["history"], line]
            if folder and ((number + 1) % _EACH == 0 or number + 1 == passes or record["since"] >= self.patience):
                keep_state(folder, network.arrays() | {f"best/{k}": v for k, v in best.items()}, record)
            progress(f"bc: pass {number + 1}, held-out error {judged:.4f}", (number + 1) / passes)
        policy = imitated(best, mean, scale, task, self.history, self._record(world, task, distribution))
        return Trained(policy, record["history"], record["pass"] * len(learn), 0.0, record["wall_seconds"])

    def _record(self, world: World, task: Task, distribution: Distribution) -> dict[str, Any]:
        return {"world": world.name, "task": task.name, "learner": self.name, "distribution hash": distribution.hash}


def warm(begin_from: Path | None) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The network of a finished training to begin from, without how far that was."""
    if begin_from is None:
        return None
    kept = kept_state(begin_from)
    if kept is None:
        raise InputError(f"{begin_from}: no training to begin from")
    return kept[0], {}


def scaling(seen: Float32) -> tuple[Any, Any]:
    """Mean and spread of observations (N, O), each (O,)."""
    x = seen.astype(np.float64)
    return x.mean(axis=0), np.maximum(x.std(axis=0), _LEAST)


def split(pairs: Pairs, part: float, seed: int) -> tuple[Any, Any]:
    """Rows to learn from and rows to judge by: whole recordings, or the end of the only one."""
    episodes = np.unique(pairs.episode)
    if len(episodes) == 1:
        end = max(1, min(len(pairs) - 1, round(len(pairs) * (1 - part))))
        return np.arange(end), np.arange(end, len(pairs)) if end < len(pairs) else np.arange(end)
    count = max(1, min(len(episodes) - 1, round(part * len(episodes))))
    chosen = np.isin(pairs.episode, stream(seed, "held out").permutation(episodes)[:count])
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def features(pairs: Pairs, mean: Any, scale: Any, history: int) -> Float32:
    """What the network sees of pairs, (N, inputs)."""
    seen = scaled(pairs.seen.astype(np.float64), mean, scale, CLIP)
    if not history:
        return seen
    parts = [pairs.episode == e for e in np.unique(pairs.episode)]
    return np.concatenate([stacked_history(seen[None, p], pairs.done[None, p], history)[0] for p in parts])


def imitated(
    weights: dict[str, Float32], mean: Any, scale: Any, task: Task, history: int, record: dict[str, Any]
) -> Policy:
    """A policy of fitted weights."""
    low, high = (np.array(x, dtype=float)[task.active] for x in (task.low, task.high))
    return Policy(weights, "relu", "tanh", np.asarray(mean), np.asarray(scale), low, high, CLIP, history, record)
