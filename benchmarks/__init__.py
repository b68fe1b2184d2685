"""Benchmarks: `python -m benchmarks [NAME ...]` prints each as a Markdown table, measured in one run.

accuracy    the protocol's figures on real recordings, on files that no fit has seen (rows 1-3)
speed       the fits and `simulate` against bare `Batch.rollout` of the same windows (rows 4-6)
startup     `--help`, `worlds` and a wrong file name against an empty Python (row 7)
new_user    from an MJCF and its CSV logs to a gap, a fit and a report (row 8)
recovery    parameters injected into stand-ins and found again, 100 times
planning    planned against random recordings of a simulated machine (row 9)
residual    what a residual force gains on held-out recordings over parameters alone (row 5)
"""
