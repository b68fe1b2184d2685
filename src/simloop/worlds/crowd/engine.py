"""Many scenes of people at once: step them all, whatever makes them walk.

    batch = Batch(scenes, model="orca", dt=0.1, seed=7)
    while not batch.done.all():
        batch.step()
    batch.position, batch.velocity, batch.heading      # (N, 2), (N, 2), (N,): people of all scenes, one after another

or, whole and recorded,

    simulate(scenes, seconds=60.0, model="orca", every=4, seed=7)     # a TrajectorySet: an episode for each scene

What happens in a scene depends on the scene, the model, `dt` and its number's stream of the seed alone: neither on the
scenes beside it, nor on their order, nor on threads.
"""
