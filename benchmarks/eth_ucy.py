"""What a predictor of pedestrians has to beat: baselines on ETH and UCY, in every variant of the field's measures.

No model is trained here (`prediction` does that). The two numbers of the noisy baseline were chosen on training parts.
"""

from __future__ import annotations

import time

from benchmarks.table import show
from simloop.benchmark.prediction import MEASURES, benchmark_tracks
from simloop.verbs_benchmark_tracks import PAIRS, by_set, by_set_head, measured, overall, sets_of, title_of, variants

#: by set, windows that the field counts, and the published ADE / FDE of constant velocity
_PUBLISHED = {
    "eth": (181, "1.00 / 2.23"),
    "hotel": (1053, ".32 / .62"),
    "univ": (24334, ".52 / 1.17"),
    "zara1": (2253, ".43 / .96"),
    "zara2": (5833, ".33 / .73"),
}


def run() -> None:
    """Print the tables."""
    sets, _ = sets_of("eth-ucy", "m", None)
    started = time.process_time()
    found = benchmark_tracks(sets, [])
    seconds = (time.process_time() - started) / len(found.rows)
    constant = next(by_set(found, ("ADE", "FDE")))
    head = [
        "set",
        "windows",
        "the field's",
        "scenes",
        "alone beside",
        "constant velocity",
        "published",
        "collide really",
    ]
    rows = [
        [name, n, _PUBLISHED[name][0], scenes, found.alone[name], constant[1 + k], _PUBLISHED[name][1],
         f"{found.real[name]:.2%}"]
        for k, (name, (n, scenes)) in enumerate(found.sets.items())
    ]  # fmt: skip
    show(head, rows)
    for title, pair in PAIRS.items():
        print(f"\n{title_of(title, found)}\n")
        show(by_set_head(found), list(by_set(found, pair)))
    print(f"\n{overall(found)}, with 95 % intervals\n")
    show(["", *MEASURES], list(measured(found)))
    print("\nevery variant: ADE / FDE\n")
    show(["", *(r.name for r in found.rows)], list(variants(found)))
    print(f"\n{seconds:.0f} s of CPU for each row of the table")
