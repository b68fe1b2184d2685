"""What may vary in world `drive` beside how it looks: roads, what stands on them, cars, and how they are driven.

Lengths are those of a full-size road. A small car on a track of tape is the same at another scale: what it sees, and
how far it turns its wheels, does not change when every length is multiplied by the same number.
"""

from __future__ import annotations

from simloop.worlds.spreads import Row, ranged

CENTRES = ("none", "dashed", "solid", "double", "tape")
EDGES = ("none", "solid", "dashed", "tape")
DANGERS = ("none", "cut-in", "blocked lane", "pedestrian", "ice")

ROAD: list[Row] = [
    ranged("road.closed", 0, 0, 1, (0, 1), "", "whether it leads back to its start", choices=("open", "closed")),
    ranged("road.length", 60, 200, 20000, (120, 250), "m", "of the road's middle", log=True),
    ranged("road.radius", 4, 20, 300, (4.8, 14), "m", "of the tightest bend", log=True),
    ranged("road.straight", 0, 0.3, 1, (0.1, 0.5), "", "part of an open road's pieces that are straight"),
    ranged("road.lane_width", 2, 3.5, 6, (2.8, 4.2), "m", "of each lane"),
    ranged("road.lanes", 1, 2, 2, (1, 2), "", "2: the right one is driven, the left one is for others", integer=True),
    ranged("lines.centre", 0, 1, 4, (0, 4), "", "line between the lanes; of a single lane only tape", choices=CENTRES),
    ranged("lines.edge", 0, 1, 3, (0, 3), "", "lines at the sides", choices=EDGES),
    ranged("lines.width", 0.05, 0.2, 0.6, (0.1, 0.45), "m", "of a line", log=True),
    ranged("lines.dash", 0.3, 2, 8, (0.8, 4), "m", "length of a dash", log=True),
    ranged("lines.gap", 0.3, 2, 12, (0.8, 5), "m", "from a dash to the next", log=True),
    ranged("kerb.there", 0, 0, 1, (0, 1), "", "along both sides", choices=("no kerb", "kerb")),
]  # fmt: skip

THINGS: list[Row] = [
    ranged("cones.count", 0, 0, 40, (0, 8), "", "cones beside and on the lines", integer=True),
    ranged("barriers.count", 0, 0, 20, (0, 4), "", "barriers along the sides", integer=True),
    ranged("parked.count", 0, 0, 20, (0, 4), "", "cars that stand at the roadside", integer=True),
    ranged("traffic.count", 0, 0, 20, (0, 3), "", "cars that drive, in the other lane and ahead", integer=True),
    ranged("pedestrians.count", 0, 0, 30, (0, 4), "", "people who walk beside the road", integer=True),
    ranged("buildings.count", 0, 0, 40, (0, 8), "", "houses and walls", integer=True),
    ranged("clutter.count", 0, 0, 80, (0, 20), "", "posts, trees, boxes, signs", integer=True),
    ranged("things.parts", 1, 2, 5, (1, 5), "", "most parts that a piece of clutter is made of", integer=True),
    ranged("danger.kind", 0, 0, 4, (0, 4), "", "what happens on the way, on purpose", choices=DANGERS),
    ranged("danger.after", 5, 30, 200, (15, 60), "m", "from where the car starts to where it happens", log=True),
    ranged("danger.grip", 0.05, 0.15, 0.6, (0.08, 0.3), "", "of ice, beside the road's", log=True),
]  # fmt: skip

DRIVING: list[Row] = [
    ranged("expert.lookahead", 1, 2.1, 5, (1.8, 2.5), "lane widths", "how far ahead the point that it steers to is",
           kind="behaviour"),
    ranged("expert.offset", 0, 0.35, 0.8, (0.3, 0.4), "lane widths", "how far right of the middle line of two lanes",
           kind="behaviour"),
    ranged("start.offset", 0, 0.15, 0.5, (0.1, 0.5), "lane widths", "standard deviation of where a car starts",
           kind="behaviour"),
    ranged("start.heading", 0, 0.12, 0.6, (0.1, 0.35), "rad", "standard deviation of its first heading",
           kind="behaviour"),
    ranged("traffic.speed", 0, 5, 20, (2, 8), "m/s", "of the other cars", kind="behaviour"),
    ranged("pedestrians.speed", 0.3, 1.3, 3, (0.8, 1.8), "m/s", "of people who walk", kind="behaviour"),
]  # fmt: skip

CAR: list[Row] = [
    ranged("car.speed", 1, 5, 30, (3, 7), "m/s", "that it is driven at where the road is straight", kind="dynamics"),
    ranged("car.wheelbase", 1, 2, 4, (1.8, 2.2), "m", "between its axles", kind="dynamics", log=True),
    ranged("car.balance", 0.35, 0.5, 0.65, (0.45, 0.55), "", "part of the weight on the rear axle", kind="dynamics"),
    ranged("car.turn", 0.2, 0.52, 1, (0.45, 0.6), "rad", "of the front wheels at full lock", kind="dynamics", log=True),
    ranged("car.acceleration", 0.5, 3, 10, (2, 4), "m/s^2", "the most, speeding up and braking", kind="dynamics",
           log=True),
    ranged("tyre.stiffness", 2, 10, 40, (6, 15), "1/rad", "side force by slip angle, beside the weight on it",
           kind="dynamics", log=True),
    ranged("tyre.grip", 0.05, 0.9, 1.5, (0.6, 1.1), "", "largest force, beside the weight", kind="dynamics", log=True),
    ranged("steering.rate", 0.2, 2, 20, (1, 4), "rad/s", "at which the wheels turn", kind="dynamics", log=True),
    ranged("steering.delay", 0, 0.05, 0.4, (0, 0.1), "s", "from a command to its effect", kind="dynamics"),
]  # fmt: skip

#: the last, so that what is drawn of the others is as it was
OBSTACLES: list[Row] = [
    ranged("obstacles.count", 0, 0, 20, (0, 4), "", "in the driven lane, that one drives around", integer=True),
]  # fmt: skip

TABLE: list[Row] = [*ROAD, *THINGS, *DRIVING, *CAR, *OBSTACLES]
