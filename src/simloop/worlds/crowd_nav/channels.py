"""What is known of the robot and of the people around it: the channels of world `crowd-nav`."""

from __future__ import annotations

from simloop.trajectories import Channel

PEOPLE = 5

#: the robot's place, where it goes, the least gap between it and anybody during the last step (negative: a collision),
#: where people are, then all velocities
CHANNELS = (
    Channel("x", "m"),
    Channel("y", "m"),
    Channel("goal.x", "m"),
    Channel("goal.y", "m"),
    Channel("gap", "m"),
    *(Channel(f"person{k}.{axis}", "m") for k in range(PEOPLE) for axis in "xy"),
    Channel("x.velocity", "m/s", rate_of="x"),
    Channel("y.velocity", "m/s", rate_of="y"),
    *(
        Channel(f"person{k}.{axis}.velocity", "m/s", rate_of=f"person{k}.{axis}")
        for k in range(PEOPLE)
        for axis in "xy"
    ),
)
#: the velocity that the robot is told to have
ACTIONS = (Channel("x.velocity", "m/s"), Channel("y.velocity", "m/s"))
#: where each channel stands among the values
AT = {c.name: j for j, c in enumerate(CHANNELS)}
#: of channel values, where people's places begin, and their velocities
_PLACES, _SPEEDS = AT["person0.x"], AT["person0.x.velocity"]
PLACES, SPEEDS = slice(_PLACES, _PLACES + 2 * PEOPLE), slice(_SPEEDS, _SPEEDS + 2 * PEOPLE)
