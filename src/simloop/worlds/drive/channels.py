"""What is known of a car, and what it is told: the channels of world `drive`."""

from __future__ import annotations

from simloop.trajectories import Channel

#: m ahead at which the line's curvature is told
PREVIEW = (0.0, 3.0, 6.0, 12.0, 24.0)
BENDS = tuple(f"line.bend.{far:g}" for far in PREVIEW)

#: a car's place and wheels, where it is beside the line that is wanted, how far turned from it, how fast an expert
#: would be there, the line's bends ahead, and the car's speeds over the plane; what is left is positive
CHANNELS = (
    Channel("x", "m"),
    Channel("y", "m"),
    Channel("yaw", "rad", "angle"),
    Channel("wheel", "rad", "angle"),
    Channel("line.offset", "lane widths"),
    Channel("line.heading", "rad", "angle"),
    Channel("line.speed", "m/s"),
    *(Channel(name, "1/m") for name in BENDS),
    Channel("x.velocity", "m/s", rate_of="x"),
    Channel("y.velocity", "m/s", rate_of="y"),
    Channel("yaw.velocity", "rad/s", rate_of="yaw"),
)
#: parts of the most that the car can; steering is positive to the right, as Donkeycar's and CARLA's is
ACTIONS = (Channel("steering"), Channel("throttle"))
#: where each channel stands among the values
AT = {c.name: j for j, c in enumerate(CHANNELS)}
