"""What is trained: policies, by reinforcement in running batches and by imitation of demonstrations."""

from __future__ import annotations

from typing import Any

from simloop.config import with_options
from simloop.errors import unknown
from simloop.learn.cloning import BehaviouralCloning
from simloop.learn.imitation import Dagger, Distill
from simloop.learn.learner import Learner, Trained
from simloop.learn.policy import Actor, Policy, begin
from simloop.learn.reinforcement import PPO, SAC, RecurrentPPO

__all__ = [
    "LEARNERS",
    "PPO",
    "SAC",
    "Actor",
    "BehaviouralCloning",
    "Dagger",
    "Distill",
    "Learner",
    "Policy",
    "RecurrentPPO",
    "Trained",
    "begin",
    "get_learner",
]

#: learners import what they need of other packages when they train, so this table costs nothing
LEARNERS: dict[str, type[Learner]] = {c.name: c for c in (PPO, SAC, RecurrentPPO, BehaviouralCloning, Dagger, Distill)}


def get_learner(name: str, options: dict[str, Any] | None = None) -> Learner:
    """Return the learner `name` with its options; unknown names are answered by close matches."""
    if name not in LEARNERS:
        raise unknown("learner", name, LEARNERS)
    cls = LEARNERS[name]
    cls.check_installed()
    learner: Any = cls()
    changed: Learner = with_options(learner, options or {}, name)
    return changed
