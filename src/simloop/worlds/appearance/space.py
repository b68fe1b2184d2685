"""What may vary in how a scene looks: surfaces, gloss, lights, sky, cameras, and things that lie about.

Every default changes nothing. The parameters say how wide choices are (of what hue, how strong); which surface wears
what is drawn from random streams.
"""

from __future__ import annotations

import numpy as np

from simloop.distributions import Distribution, Point, Uniform
from simloop.parameters import Parameter, ParameterSpace
from simloop.worlds.appearance import textures

#: the most things that can lie about
CLUTTER = 8
#: the most lights beside the world's own
LIGHTS = 4

#: what `texture.kind` may be; images need a folder
_KINDS = ("mixed", *textures.KINDS, "image")


def _row(
    name: str, low: float, default: float, high: float, wide: tuple[float, float], description: str, *, unit: str = "",
    log: bool = False, integer: bool = False, choices: tuple[str, ...] = (),
) -> tuple[Parameter, tuple[float, float]]:  # fmt: skip
    parameter = Parameter(
        name, low=low, high=high, default=default, unit=unit, scale="log" if log else "linear", kind="appearance",
        integer=integer, choices=choices, description=description,
    )  # fmt: skip
    return parameter, wide


def _table() -> list[tuple[Parameter, tuple[float, float]]]:
    """The parameters, each with its range in `wide`."""
    last, pi = len(_KINDS) - 1, float(np.pi)
    return [
        _row("texture.share", 0, 0, 1, (0, 1), "part of the surfaces that get a pattern"),
        _row("texture.recolour", 0, 0, 1, (0, 1), "part of the other surfaces that get a colour"),
        _row("texture.kind", 0, 0, last, (0, last - 1), "what patterns there are", choices=_KINDS),
        _row("texture.scale", 1, 4, 16, (1, 16), "how often a pattern repeats across a face", log=True),
        _row("texture.contrast", 0, 1, 1, (0.1, 1), "how far a pattern's two colours are apart"),
        _row("texture.hue", 0, 0, 1, (0, 1), "middle of the hues, as a part of the colour wheel from red"),
        _row("texture.hue_spread", 0, 1, 1, (0, 1), "width of the hues, as a part of the colour wheel"),
        _row("texture.saturation", 0, 0.5, 1, (0, 1), "middle of the colours' saturation"),
        _row("texture.value", 0, 0.6, 1, (0.2, 1), "middle of the colours' value"),
        _row("gloss.specular", -1, 0, 1, (-0.5, 0.5), "added to how strongly surfaces shine"),
        _row("gloss.shininess", -1, 0, 1, (-0.5, 0.5), "added to how sharply they shine"),
        _row("gloss.reflectance", 0, 0, 1, (0, 0.3), "added to how much one plane or still box mirrors"),
        _row("gloss.spread", 0, 0, 1, (0, 0.3), "how far surfaces differ in gloss, to both sides"),
        _row("light.own", 0, 1, 2, (0, 1), "factor on the lights that the world has"),
        _row("light.count", 0, 0, LIGHTS, (1, LIGHTS), "further lights, far away", integer=True),
        _row("light.azimuth", -pi, 0, pi, (-pi, pi), "from where they shine, about the vertical", unit="rad"),
        _row("light.elevation", 0.1, 1, pi / 2, (0.4, pi / 2), "how high they stand", unit="rad"),
        _row("light.spread", 0, 0.5, pi, (0, 1.5), "how far they stand from each other", unit="rad"),
        _row("light.strength", 0, 0.7, 3, (0.3, 1.2), "strength of all of them together"),
        _row("light.temperature", 2000, 6500, 15000, (2700, 10000), "their colour", unit="K", log=True),
        _row("light.ambient", 0, 0, 1, (0, 0.3), "light from everywhere, added"),
        _row("light.shadows", 0, 1, LIGHTS, (0, 2), "how many of the further lights cast shadows", integer=True),
        _row("sky.mix", 0, 0, 1, (0, 1), "how much the drawn sky covers the world's own"),
        _row("sky.hue", 0, 0.6, 1, (0, 1), "hue of the drawn sky"),
        _row("sky.saturation", 0, 0.3, 1, (0, 0.6), "its saturation"),
        _row("sky.brightness", 0, 0.8, 1, (0.1, 1), "its value"),
        _row("sky.haze", 0, 0, 0.95, (0, 0.3), "part of the light that haze takes between the scene and its cameras"),
        _row("camera.azimuth", -pi, 0, pi, (-0.3, 0.3), "turn about what it looks at, to the left", unit="rad"),
        _row("camera.elevation", -pi / 2, 0, pi / 2, (-0.15, 0.2), "turn about what it looks at, up", unit="rad"),
        _row("camera.distance", 0.3, 1, 3, (0.85, 1.2), "factor on the distance from what it looks at", log=True),
        _row("camera.roll", -pi, 0, pi, (-0.1, 0.1), "turn about its axis, clockwise", unit="rad"),
        _row("camera.view", 0.5, 1, 2, (0.85, 1.2), "factor on the field of view", log=True),
        _row("clutter.count", 0, 0, CLUTTER, (0, CLUTTER), "things that lie about", integer=True),
    ]  # fmt: skip


def appearance_space() -> ParameterSpace:
    """The parameters of how a scene looks."""
    return ParameterSpace([p for p, _ in _table()])


def appearance_distributions() -> dict[str, Distribution]:
    """`default`, the scene as the world made it; `wide`, as far as someone would go by hand; `images`.

    `images` is `wide` with the images of a folder among the patterns.
    """
    space = appearance_space()
    low, high = np.array([wide for _, wide in _table()]).T
    further = high.copy()
    further[space.index("texture.kind")] = len(_KINDS) - 1
    return {"default": Point(space), "wide": Uniform(space, low, high), "images": Uniform(space, low, further)}
