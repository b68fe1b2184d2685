"""What is trained: policies, by reinforcement in running batches and by imitation of demonstrations.

What each learner needs beside the world, the task and the distribution:

- `ppo`, `sac`, `recurrent-ppo`: nothing;
- `bc`: recordings of someone who can do the task (option `demonstrations`), and no acting;
- `gail`: the same recordings, and to act, without reward;
- `dagger`: the world's own expert (`World.expert`);
- `distill`: a trained teacher (option `teacher`), usually one that saw the parameters (`ppo` with `privileged`).
"""

from __future__ import annotations

from typing import Any

from simloop.config import with_options
from simloop.errors import unknown
from simloop.learn.adversarial import Gail
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
    "Gail",
    "Learner",
    "Policy",
    "RecurrentPPO",
    "Trained",
    "begin",
    "get_learner",
]

#: learners import what they need of other packages when they train, so this table costs nothing
LEARNERS: dict[str, type[Learner]] = {
    c.name: c for c in (PPO, SAC, RecurrentPPO, BehaviouralCloning, Dagger, Distill, Gail)
}


def get_learner(name: str, options: dict[str, Any] | None = None) -> Learner:
    """Return the learner `name` with its options; unknown names are answered by close matches."""
    if name not in LEARNERS:
        raise unknown("learner", name, LEARNERS)
    cls = LEARNERS[name]
    cls.check_installed()
    learner: Any = cls()
    changed: Learner = with_options(learner, options or {}, name)
    return changed
