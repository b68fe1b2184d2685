"""What may vary in the scenarios of world `crowd` beside how people walk: numbers of people, flows, sizes of places."""

from __future__ import annotations

from simloop.worlds.spreads import Row, ranged

TABLE: list[Row] = [
    ranged("people.count", 1, 40, 5000, (10, 80), "", "people in a scene", log=True, integer=True),
    ranged("people.flow", 0.02, 2, 100, (0.5, 4), "1/s", "people who come, all entrances together", log=True),
    ranged("people.back", 0, 0.5, 1, (0.0, 1.0), "", "part of the people who go the other way where two ways are"),
    ranged("corridor.length", 6, 20, 1000, (12, 30), "m", "of corridors and of the arms of junctions", log=True),
    ranged("corridor.width", 1.2, 4, 50, (2.5, 6), "m", "of corridors and of the arms of junctions", log=True),
    ranged("circle.radius", 1, 5, 200, (4, 9), "m", "of the circle that people swap sides of, at least", log=True),
    ranged("bottleneck.width", 0.6, 1.2, 10, (0.8, 2), "m", "of the narrow passage", log=True),
    ranged("bottleneck.length", 0.1, 1, 50, (0.2, 4), "m", "of the narrow passage", log=True),
    ranged("room.size", 3, 10, 200, (7, 14), "m", "of a square room, and of the room before a bottleneck", log=True),
    ranged("exits.count", 1, 2, 8, (1, 4), "", "exits of a room", integer=True),
    ranged("exits.width", 0.7, 1.2, 10, (0.8, 2), "m", "of each exit", log=True),
    ranged("plaza.size", 6, 20, 500, (15, 30), "m", "of a square place", log=True),
    ranged("plaza.obstacles", 0, 4, 60, (0, 8), "", "kiosks, fountains and trees on it", integer=True),
    ranged("street.width", 3, 7, 30, (5, 10), "m", "of the roadway", log=True),
    ranged("street.pavement", 1.5, 3, 12, (2, 5), "m", "width of the pavement at either side", log=True),
    ranged("street.crossers", 0, 0.4, 1, (0.1, 0.8), "", "part of the people who change sides, at the crossing"),
]  # fmt: skip
