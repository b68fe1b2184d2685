"""The headline of a run with policies, what its target is, and what came out of it in a few lines."""

from __future__ import annotations

from simloop.learn import evaluate
from simloop.report.blocks import Block, Points, Section, Text
from simloop.report.learned import ORACLE, Learned, Scored, Trainee
from simloop.report.quantities import count, number, percent
from simloop.report.stages import without_folders
from simloop.report.summary import not_real

#: how arms are spoken of: as long trained, without the target; the oracle on it
ARMS = {
    "none": "without the target",
    "wide": "under wide ranges",
    "adr": "under ranges widened by adr",
    "doraemon": "under ranges widened by doraemon",
    ORACLE: "on the target itself",
}


def headline(outcome: Learned) -> str:
    """The plain sentence that the report opens with."""
    return _of_loop(outcome) if outcome.kind == "loop" else _of_training(outcome)


def _of_loop(outcome: Learned) -> str:
    last, live = outcome.last, outcome.live
    world = outcome.configuration["world"]["name"]
    if last is None or last.real is None or live is None:
        return f"The loop of {world} has not come far enough to say how its policy does on its target."
    done, seconds = outcome.finished, outcome.seconds_of_acting(outcome.finished)
    each = count(outcome.file["rollouts"], "rollout")
    real = "" if seconds is None else f" ({number(seconds)} s on the target)"
    after = f"After {count(done, 'iteration')} with {each} each{real}" if done else "Before any rollout on the target"
    said = (
        f"{after} the policy does its task ({outcome.task['summary']}) in {rate(last.real)} of"
        f" {count(last.real.episodes, 'episode')} on {live.spoken}"
    )
    beside = [f"{ARMS.get(name, name)} {percent(arm.real.success)}" for name, arm in outcome.arms.items()
              if arm.real and name != ORACLE]  # fmt: skip
    oracle = outcome.arms.get(ORACLE)
    best = f"; an oracle that learned there itself {percent(oracle.real.success)}" if oracle and oracle.real else ""
    return f"{said}; trained as long {', '.join(beside)}{best}." if beside else f"{said}{best}."


def _of_training(outcome: Learned) -> str:
    curve = outcome.trainees[0].curve if outcome.trainees else None
    world = outcome.configuration["world"]["name"]
    if curve is None or not outcome.scores:
        return f"The training in {world} has not come far enough to say how its policy does."
    drawn, first = next(iter(outcome.scores.items()))
    others = [f"{percent(s.success)} {place(name)}" for name, s in list(outcome.scores.items())[1:]]
    return (
        f"After {count(curve.steps, 'decision')} in simulation the policy does its task ({outcome.task['summary']}) in"
        f" {rate(first)} of {count(first.episodes, 'simulated episode')} {place(drawn)}"
        + (f", and in {', '.join(others)}" if others else "")
        + ". It has not met a target."
    )


def place(name: str) -> str:
    """Where a policy of a training was scored, in words."""
    name = without_folders(name)
    return "with the default parameters" if name == "default" else f"with parameters drawn from {name}"


def rate(scored: Scored) -> str:
    """A rate of success with its 95 % interval: 94 % [88, 97]."""
    low, high = (f"{100 * x:.0f}" for x in scored.success_interval)
    return f"{percent(scored.success)} [{low}, {high}]"


def beside_it(outcome: Learned) -> str:
    """How the loop's last policy stands to the arms that never met the target, in words."""
    last = outcome.last
    if last is None or last.real is None:
        return ""
    compare = {name: _compared(last.real, arm, name) for name, arm in outcome.arms.items()
               if arm.real and name != ORACLE}  # fmt: skip
    return " ".join([*compare.values(), *_recovered(outcome, last.real)])


def _recovered(outcome: Learned, real: Scored) -> list[str]:
    """What part of the oracle's success the loop's last policy has, in words."""
    oracle = outcome.arms.get(ORACLE)
    if oracle is None or oracle.real is None or oracle.curve is None:
        return []
    best = f"an oracle that learned for {number(oracle.curve.acted)} s on the target itself"
    counts = [(round(s.success * s.episodes), s.episodes) for s in (real, oracle.real)]
    low, high = evaluate.ratio_interval(*counts[0], *counts[1])
    if not oracle.real.success:
        return [f"What it recovers of {best} cannot be said: that one never succeeds."]
    share = real.success / oracle.real.success
    return [f"It recovers {percent(share)} [{100 * low:.0f}, {100 * high:.0f}] of the success of {best}."]


def _compared(real: Scored, arm: Trainee, name: str) -> str:
    assert arm.real is not None
    low, high = difference_interval(real, arm.real)
    against = f"the policy trained {ARMS.get(name, name)}"
    apart, least, most = (round(100 * x) for x in (real.success - arm.real.success, low, high))
    points = f"{apart:+d} points [{least:+d}, {most:+d}]".replace("+0", "0").replace("-", "−")
    if low > 0:
        return f"It does better than {against}: {points}."
    if high < 0:
        return f"It does worse than {against}: {points}."
    return f"It cannot be told apart from {against}: {points}."


def difference_interval(a: Scored, b: Scored) -> tuple[float, float]:
    """95 % interval of the difference of two rates of success, a - b.

    It is for independent samples. Both act in episodes of the same numbers, which this does not use, so that it is
    rather too wide.
    """
    (k, n), (j, m) = ((round(s.success * s.episodes), s.episodes) for s in (a, b))
    return evaluate.difference_interval(k, n, j, m)


def target_line(outcome: Learned) -> str:
    """What the target is and how long it was acted on, directly under the headline."""
    if outcome.kind == "train":
        return "No target: everything here was simulated, in episodes whose parameters were drawn anew each time."
    live = outcome.live
    if live is None:
        return "What the target is is not kept in this run: it stopped before that."
    kind = "A real machine" if live.real else "Not a real machine"
    rollouts = sum(a.rollouts for a in outcome.acted.values())
    acted = sum(a.seconds for a in outcome.acted.values())
    scored = [t.real for t in (*outcome.trainees, *outcome.arms.values()) if t.real]
    tested = sum(s.seconds or 0.0 for s in scored)
    learned = f"learned from {count(rollouts, 'rollout')}, {number(acted)} s"
    scores = f"tested in {count(sum(s.episodes for s in scored), 'episode')} that no fit has seen, {number(tested)} s"
    oracle = " The oracle beside it did." if ORACLE in outcome.arms else ""
    return f"{kind}: {live.description}; {learned}; {scores}. No step of the loop saw the reward there.{oracle}"


def banner(outcome: Learned) -> str:
    """What is said over a page whose target is not a real machine; "" where it is."""
    if outcome.kind == "train":
        return "Everything here is simulation alone. Nothing here says how the policy does in reality."
    if outcome.live is None or outcome.live.real:
        return ""
    return not_real(outcome.live.provenance, "a real machine")


def section(outcome: Learned) -> Section:
    """What came out, in a few lines."""
    blocks: list[Block] = []
    if outcome.missing:
        blocks.append(
            Text(
                f"This run has not finished. Missing: {', '.join(outcome.missing)}. The same command goes on where it"
                " stopped; what is there already is shown below.",
                tone="warning",
            )
        )
    said = _findings(outcome)
    if said:
        blocks.append(Points(tuple(said)))
    return Section("summary", "In short", tuple(blocks))


def _findings(outcome: Learned) -> list[str]:
    """Sentences on how far simulation and target are apart, and on what went wrong."""
    said = []
    first, last = (outcome.trainees[0] if outcome.trainees else None), outcome.last
    if last and last.real and last.simulated:
        said.append(
            f"In simulation, in the distribution that it was trained in, the last policy succeeds in"
            f" {rate(last.simulated)}; on the target in {rate(last.real)}."
        )
    if first and last and first.real and last.real and first is not last:
        low, high = difference_interval(last.real, first.real)
        told = (
            "more often than" if low > 0 else "less often than" if high < 0 else "as often, as far as can be told, as"
        )
        said.append(f"On the target it succeeds {told} the policy before the loop, {rate(first.real)}.")
    diverged = sum(t.curve.diverged for t in (*outcome.trainees, *outcome.arms.values()) if t.curve)
    if diverged:
        said.append(f"{count(diverged, 'simulated episode')} diverged in training; they ended there, without reward.")
    return said
