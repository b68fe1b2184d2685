"""The demo through the Python API: the gap of the published model of a real double pendulum, a fit, the gap again.

simloop data get double-pendulum --part design-c1/all
python examples/double_pendulum.py
"""

import simloop


def main() -> None:
    """Fit on six recordings, measure on four that the fit never saw."""
    world = simloop.get_world("double-pendulum/c1")
    train = simloop.get_target("double-pendulum/design-c1/train", world)
    test = simloop.get_target("double-pendulum/design-c1/test", world)

    fit = simloop.LeastSquares().fit(simloop.Comparison(world, train), world.distribution("prior"), seed=0)
    print(f"fitted on {len(train.files)} files: {fit.rollouts} windows, {fit.simulated_seconds:.0f} s simulated")

    arms = {"persistence": None, "default": world.distribution("default"), "fitted": fit.distribution}
    for horizon in (0.2, 0.5):
        windows = simloop.Replay(world, test.recordings).windows(horizon)
        for gap in simloop.windowed_gaps(world, windows, arms, seed=0):
            said = f"{gap.name:12} {horizon:g} s: RMSE {gap.value:.4f} rad, median {gap.median:.4f} rad"
            if gap.ratio is not None and gap.ratio_interval is not None:
                said += ", ratio to default {:.2f} [{:.2f}, {:.2f}]".format(gap.ratio, *gap.ratio_interval)
            print(said)


if __name__ == "__main__":
    main()
