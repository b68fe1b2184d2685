"""What is known of people who walk: the channels of their tracks, and the traits that each of them has."""

from __future__ import annotations

from simloop.trajectories import Channel

#: a person's place, which way the body faces, its group (-1: none) and its velocity over the ground; the same for
#: recordings, which lack what cannot be seen
CHANNELS = (
    Channel("x", "m"),
    Channel("y", "m"),
    Channel("heading", "rad", "angle"),
    Channel("group", "", "category"),
    Channel("x.velocity", "m/s", rate_of="x"),
    Channel("y.velocity", "m/s", rate_of="y"),
)
#: where each channel stands among the values
AT = {c.name: j for j, c in enumerate(CHANNELS)}

#: what a person is like, by column of `Scene.traits`:
#: speed: m/s, walked where nobody is in the way
#: radius: m, of the body; bodies never overlap under ORCA
#: space: m, kept free around the body where there is room
#: reaction: s, in which a change of velocity is carried out
#: horizon: s, how far ahead meetings are foreseen
#: sight: m, how far away others are seen
#: share: part of an avoidance that the person takes on; 0.5 is fair, less is assertive
#: cohesion: 0 to 1, how much a member of a group keeps to it
#: wander: rad, standard deviation of the direction from that to the goal
#: distraction: part of the time in which others are not seen
TRAITS = ("speed", "radius", "space", "reaction", "horizon", "sight", "share", "cohesion", "wander", "distraction")
#: where each trait stands among the columns
TRAIT = {name: j for j, name in enumerate(TRAITS)}
