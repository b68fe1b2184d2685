"""The contract of an expert: someone who can do a task and knows more than a policy sees.

    expert = get_world("double-pendulum").expert("swing-up")
    environment.step(expert(environment))

An expert decides for all episodes of a running batch, of their true states (`Environment.values`), their parameters
and what was commanded before: nothing else, so its answer is the same whoever brought an episode where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from simloop.parameters import Array

if TYPE_CHECKING:
    from simloop.worlds.environment import Environment


class Expert(Protocol):
    """A running batch of n episodes -> decisions (n, active actions) for where they are now."""

    def __call__(self, environment: Environment, /) -> Array: ...
