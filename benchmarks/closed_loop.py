"""SimOpt's loop on hidden realities, beside policies that never saw them: `python -m benchmarks closed_loop`.

For each hidden reality (a stand-in; nothing reads what it hides) the loop of a file of `examples/` is run with its
three rollouts an iteration; beside it policies trained as long under the first distribution (`none`) and under wide
ranges by hand (`wide`). Success is of 100 episodes on the stand-in that no step reads; its difference to that of `wide`
has a 95 % interval (Newcombe 1998, method 10), of each reality and pooled over them.

It keeps its runs in `runs/bench-...`, and goes on where it was stopped. The first policy and the arms do not depend on
the hidden reality, and are trained once.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.table import show
from simloop.learn.evaluate import difference_interval, success_interval
from simloop.policy_loop import PolicyLoopFile, configuration, run_policy_loop
from simloop.runs import POLICY, TRAINING, Run
from simloop.worlds import get_world

#: loop file -> hidden realities
LOOPS = {"examples/drawer.yaml": (0, 3, 4), "examples/qube_swing_up.yaml": (0, 1, 2), "examples/peg.yaml": (7, 8, 9)}


def run(realities: int = 3) -> None:
    """Print one table for each loop file."""
    for name, numbers in LOOPS.items():
        file = PolicyLoopFile.read(name)
        rows, pooled = [], {"loop": [0, 0], "wide": [0, 0]}
        for number in numbers[:realities]:
            target = f"{file.target.split('#')[0]}#{number}"
            folder = Path("runs") / f"bench-{Path(name).stem}-{number}"
            asked = file.model_copy(update={"target": target})
            if number != numbers[0]:
                share(Path("runs") / f"bench-{Path(name).stem}-{numbers[0]}", folder, asked)
            result = run_policy_loop(asked, folder)
            rows.append(_row(target, result, file, pooled))
        loop, wide = pooled["loop"], pooled["wide"]
        low, high = difference_interval(*loop, *wide)
        rows.append(["pooled", "", f"{loop[0] / loop[1]:.3f}", "", f"{wide[0] / wide[1]:.3f}",
                     f"{loop[0] / loop[1] - wide[0] / wide[1]:+.3f} [{low:+.3f}, {high:+.3f}]", "", ""])  # fmt: skip
        print(f"\n{name}")
        show(
            ["target", "success by iteration", "last [95 %]", "none", "wide", "last - wide [95 %]", "s of acting",
             "decisions"],
            rows,
        )  # fmt: skip


def share(finished: Path, folder: Path, file: PolicyLoopFile) -> None:
    """Take over what does not depend on the target, so that it is not trained again: the first policy and the arms."""
    if folder.exists():
        return
    world = get_world(file.world)
    with Run.open(folder, configuration(file, world, world.task(file.task))):
        (folder / "stages").mkdir()
        for name in ("iteration-0", *(f"arm-{arm}" for arm in file.arms if arm in ("none", "wide"))):
            for part in (TRAINING, POLICY):
                shutil.copytree(finished / name / part, folder / name / part)
            shutil.copy(finished / "stages" / f"train-{name}.json", folder / "stages")


def _row(target: str, result: dict[str, Any], file: PolicyLoopFile, pooled: dict[str, list[int]]) -> list[str]:
    """One hidden reality's line; its counts are added to the pooled ones."""
    stages = result["stages"]
    by_iteration = [stages[f"score-iteration-{i}"]["real"] for i in range(file.iterations + 1)]
    arms = {a: stages[f"score-arm-{a}"]["real"] for a in file.arms}
    last, wide = by_iteration[-1], arms["wide"]
    counts = {"loop": _count(last), "wide": _count(wide)}
    for arm, (k, n) in counts.items():
        pooled[arm][0] += k
        pooled[arm][1] += n
    low, high = success_interval(*counts["loop"])
    a, b = difference_interval(*counts["loop"], *counts["wide"])
    acted = sum(stages[f"acted-iteration-{i}"]["seconds"] for i in range(file.iterations))
    decisions = sum(stages[f"train-iteration-{i}"]["steps"] for i in range(file.iterations + 1))
    return [
        target,
        " ".join(f"{s['success']:.2f}" for s in by_iteration),
        f"{last['success']:.3f} [{low:.2f}, {high:.2f}]",
        f"{arms['none']['success']:.3f}" if "none" in arms else "",
        f"{wide['success']:.3f}",
        f"{last['success'] - wide['success']:+.3f} [{a:+.3f}, {b:+.3f}]",
        f"{acted:.0f}",
        f"{decisions:,}",
    ]


def _count(score: dict[str, Any]) -> tuple[int, int]:
    return round(score["success"] * score["episodes"]), score["episodes"]
