"""What stands beside a loop with policies: policies of the same budget that learned elsewhere.

`none` and `wide` are trained under the first distribution and under wide ranges by hand. `adr` and `doraemon` widen the
randomisation as far as the policy bears it: the budget is cut into parts, each of which goes on from the one before in
the distribution as widened by then. All these never meet the target.

`oracle` learns on the target itself, with the reward that the task computes there: what could be had at best. Only a
stand-in bears it. It goes on from the loop's first policy, since another engine is a hundred times slower than a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from simloop.distributions import Distribution, Point
from simloop.errors import InputError, count
from simloop.learn import Learner, Policy
from simloop.learn.curricula import CURRICULA, get_curriculum
from simloop.learn.evaluate import Score, evaluate
from simloop.learn.randomisation import randomisation, with_sensing
from simloop.learn.reinforcement import Reinforcement
from simloop.progress import Progress
from simloop.targets import live_target
from simloop.targets.live_batch import LiveWorld

if TYPE_CHECKING:
    from simloop.policy_loop import Loop

Arm = Literal["none", "wide", "adr", "doraemon", "oracle"]
#: parts of a curriculum's training, each in one distribution
PARTS = 10
#: copies of a target that an oracle acts on at once
COPIES = 16


def check_arms(arms: Sequence[Arm], target: str, learner: Learner) -> None:
    """Raise where arms are asked for that a learner or a target cannot give."""
    for arm in arms:
        if arm in CURRICULA and not isinstance(learner, Reinforcement):
            raise InputError(f"arm {arm!r}: learner {learner.name!r} does not learn by acting; expected ppo or sac")
    if "oracle" not in arms:
        return
    if target.partition(":")[0] != "standin":
        raise InputError(
            f"arm 'oracle' learns on the target itself, for hours of its time, which only a stand-in bears; {target!r}"
            " is none, so leave it out of 'arms'"
        )
    if not isinstance(learner, Reinforcement) or learner.privileged:
        what = "sees parameters, which a target has none of" if isinstance(learner, Reinforcement) else "needs a world"
        raise InputError(f"arm 'oracle': learner {learner.name!r} {what}; expected ppo, sac or recurrent-ppo")


def train_arm(loop: Loop, arm: Arm, start: Distribution, progress: Progress) -> tuple[Policy, Distribution | None]:
    """Train an arm's policy; return it, and the distribution that it was trained in last, None where in reality."""
    name, total = f"arm-{arm}", loop.budget.total(loop.file.iterations)
    if arm == "oracle":
        return train_oracle(loop, progress), None
    if arm in CURRICULA:
        return train_widening(loop, arm, total, progress)
    drawn = start if arm == "none" else randomisation(loop.world, loop.task, "wide")
    return loop.train(name, drawn, total, progress), drawn


def said(loop: Loop, arm: Arm) -> str:
    """What an arm is about to do, in words."""
    if arm == "oracle":
        return f"training the arm 'oracle': {count(loop.budget.oracle, 'decision')} on the target itself"
    total = count(loop.budget.total(loop.file.iterations), "decision")
    widening = f", in {PARTS} parts that widen the randomisation" if arm in CURRICULA else ""
    return f"training the arm {arm!r}: {total} that never see the target{widening}"


def train_oracle(loop: Loop, progress: Progress) -> Policy:
    """Train on copies of the target, from where the loop's first policy left off."""
    file = loop.file
    assert isinstance(loop.learner, Reinforcement)
    learner = loop.learner.on_few(COPIES)
    with LiveWorld(loop.world, lambda: live_target(file.target, loop.world, loop.task, seed=file.seed)) as reality:
        return loop.train(
            "arm-oracle", Point(loop.world.parameters), loop.budget.oracle, progress, "iteration-0",
            world=reality, learner=learner, more={"simulated_seconds": 0.0, "seconds of acting": loop.budget.oracle
                                                  * loop.task.decision_dt},
        )  # fmt: skip


def train_widening(loop: Loop, arm: str, total: int, progress: Progress) -> tuple[Policy, Distribution]:
    """Train in parts, and widen the randomisation after each by how the policy does in simulation."""
    world, task, learner = loop.world, loop.task, loop.learner
    assert isinstance(learner, Reinforcement)
    curriculum, before = get_curriculum(arm), None
    current: Distribution = curriculum.begin(world)
    loop.run.stage(f"widest-arm-{arm}", world.distribution("wide").to_dict)
    for k, steps in enumerate(np.diff(np.linspace(0, total, PARTS + 1).round()).astype(int).tolist()):
        name, narrow = f"arm-{arm}-{k}", current
        loop.run.stage(f"distribution-{name}", narrow.to_dict)
        policy = loop.train(
            name, with_sensing(world, task, current), steps, progress, before,
            learner=learner.part(k / PARTS, (k + 1) / PARTS),
        )  # fmt: skip
        before = name
        if k == PARTS - 1:
            break

        def probe(distribution: Distribution, episodes: int, k: int = k, policy: Policy = policy) -> Score:
            drawn = with_sensing(world, task, distribution)
            return evaluate(world, task, policy, drawn, episodes=episodes, seed=loop.seed("widen", arm, k))

        def widened(narrow: Distribution = narrow, probe: Any = probe) -> dict[str, Any]:
            return curriculum.widen(world, narrow, probe).to_dict()

        current = Distribution.from_dict(loop.run.stage(f"widened-{name}", widened))
    loop.run.stage(f"train-arm-{arm}", lambda: joined([loop.run.stage(f"train-arm-{arm}-{k}", dict)
                                                       for k in range(PARTS)]))  # fmt: skip
    policy.save(loop.run.folder / f"arm-{arm}")
    return policy, with_sensing(world, task, current)


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of one training that was done in parts."""
    history, steps, wall = [], 0, 0.0
    for part in parts:
        history += [{**line, "steps": line["steps"] + steps, "wall_seconds": line["wall_seconds"] + wall}
                    for line in part["history"]]  # fmt: skip
        steps, wall = steps + part["steps"], wall + part["wall_seconds"]
    simulated = sum(part["simulated_seconds"] for part in parts)
    return {"history": history, "steps": steps, "simulated_seconds": simulated, "wall_seconds": wall}
