"""Policies that know the parameters of their episode, and what they teach.

    policy = get_learner("ppo", {"privileged": True}).train(world, task, distribution, steps=1_000_000).policy
    expert = PolicyExpert(policy)
    actions = expert(environment)

A privileged policy sees, after what the machine senses, every parameter of its episode as its distance from the default
in spreads, on the parameter's own scale. It cannot act where parameters are not known, so it is there to teach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simloop.errors import InputError
from simloop.learn.policy import Policy
from simloop.parameters import Array, ParameterSpace

if TYPE_CHECKING:
    from simloop.worlds.environment import Environment

#: the key of a policy's record that holds the names of the parameters that it sees
PRIVILEGED = "privileged"


def informed(observation: Array, rows: Array, space: ParameterSpace) -> Array:
    """What is sensed, (n, O), and the parameters (n, d) of each episode in spreads from the default, (n, O + d)."""
    away = (space.to_scale(rows) - space.to_scale(space.default)) / space.spread
    return np.concatenate([observation, away], axis=1)


class PolicyExpert:
    """A policy as an expert: it sees what the machine senses and, if it is privileged, the parameters."""

    def __init__(self, policy: Policy) -> None:
        if policy.recurrent or policy.history:
            raise InputError("a policy with a memory of its episode cannot teach: it does not see where others are")
        self.policy = policy
        self._names = tuple(policy.record.get(PRIVILEGED, ()))

    def __call__(self, environment: Environment, /) -> Array:
        seen = environment.observations.astype(np.float64)
        if self._names:
            space = environment.randomization.space
            if space.names != self._names:
                other = sorted(set(space.names) ^ set(self._names)) or ["their order"]
                raise InputError(
                    f"this teacher learned with other parameters than the distribution has (differs in {other[0]!r})"
                )
            seen = informed(seen, environment.parameters, space)
        return self.policy(seen)
