"""Write three short logs of "my arm", so that the pages about your own robot can be tried without one.

    python examples/my_arm/make_logs.py        # -> logs/fit/run1.csv, logs/fit/run2.csv, logs/test/run3.csv

The arm behind the logs is arm.xml with other values, known only to this script: nothing in it is real. It has a
heavier forearm, a stiffer elbow, drier joints, motors that act 6 ms late, and encoders with steps of 0.02 degrees.
"""

from pathlib import Path

import mujoco
import numpy as np

HERE = Path(__file__).parent
SECONDS, LATE = 6.0, 0.006


def hidden_arm() -> mujoco.MjModel:
    """The arm that the logs come from, recorded each 2 ms."""
    spec = mujoco.MjSpec.from_file(str(HERE / "arm.xml"))
    spec.geoms[1].mass = 0.75
    for joint, damping, friction in zip(spec.joints, (0.07, 0.05), (0.05, 0.03), strict=True):
        joint.damping[0], joint.frictionloss = damping, friction
    return spec.compile()


def record(seed: int) -> np.ndarray:
    """One log, (T, 5): time in ms, two angles in degrees, two commanded torques in N m."""
    model, rng = hidden_arm(), np.random.default_rng(seed)
    data, dt = mujoco.MjData(model), model.opt.timestep
    time = np.arange(round(SECONDS / dt)) * dt
    phase = 2 * np.pi * (time[:, None, None] * rng.uniform(0.2, 2.0, (5, 2)) + rng.uniform(0, 1, (5, 2)))
    command = np.sin(phase).sum(axis=1) * [0.8, 0.2] * np.minimum(time / 0.5, 1.0)[:, None]
    command[:, :] = command[(np.arange(len(time)) // 2) * 2]  # the computer commands each 4 ms
    rows = np.empty((len(time), 5))
    for i, t in enumerate(time):
        rows[i] = t * 1000, *np.round(np.degrees(data.qpos) / 0.02) * 0.02, *command[i]
        data.ctrl = command[max(0, round((t - LATE) / dt))]
        mujoco.mj_step(model, data)
    return rows


if __name__ == "__main__":
    for seed, name in enumerate(("fit/run1.csv", "fit/run2.csv", "test/run3.csv"), 1):
        file = HERE / "logs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        digits = ["%.0f", "%.2f", "%.2f", "%.4f", "%.4f"]
        np.savetxt(file, record(seed), digits, ",", header="t_ms,q1_deg,q2_deg,tau1_cmd,tau2_cmd", comments="")
        print(f"{name}: {SECONDS:g} s")
