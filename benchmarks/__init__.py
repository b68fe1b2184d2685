"""Benchmarks: `python -m benchmarks [NAME ...]` prints each as a Markdown table, measured in one run.

accuracy         the double pendulum protocol's figures, on files that no fit has seen
calibration      do fitted randomisations hold reality as often as they say: C.1 cross-validated, Qube across motions
residual         what a residual force gains on held-out recordings over parameters alone
tosses           cube tosses under fitted contacts, against the best of a grid
linear_gaussian  methods against a posterior and a population that are known in closed form
recovery         parameters injected into stand-ins and found again, 100 times
planning         planned against random recordings of a simulated machine
closed_loop      SimOpt's loop on hidden realities, beside policies that never saw them
imitation        cloning, DAgger, students of teachers and adversarial imitation beside whom they imitate
cheating         audits of what PPO learns in a world with a planted flaw and in an honest one
forecast         forecasts of policies on 50 hidden realities: coverage of intervals, rank violation
speed            the fits and `simulate` against bare `Batch.rollout` of the same windows
environments     decisions/s against bare `mujoco.batch`, Gymnasium's vector environments and EnvPool
wall_clock       s to a fixed return by PPO, against Stable-Baselines3 on its own vector environments
startup          `--help`, `worlds` and a wrong file name against an empty Python
new_user         from an MJCF and its CSV logs to a gap, a fit and a report
"""
