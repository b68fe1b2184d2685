"""What the fast renderer's kernels read of a look: an array of numbers, and lamps.

    numbers, lamps = uniforms(values, stream(7, "drive", "look", 3))

Places of the numbers have the names that `raster.py` gives them.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping

import numpy as np

from simloop.parameters import Array
from simloop.worlds.drive import raster
from simloop.worlds.drive.look import MAY_BE_ABSENT, look_space
from simloop.worlds.drive.scene import SHOULDER

#: most lamps
LAMPS = 16
#: parameters that the renderer reads as they are, and where
_READ = (
    (raster.NOISE, "texture.noise"), (raster.GRAIN, "texture.grain"), (raster.PATCHES, "texture.patches"),
    (raster.GLOSS, "texture.gloss"), (raster.ROUGH, "texture.rough"), (raster.WEAR, "lines.wear"),
    (raster.SUN, "light.sun"), (raster.AMBIENT, "light.ambient"), (raster.SHADE, "light.shadows"),
    (raster.SHADE_SIZE, "light.shadow_size"), (raster.CLOUDS, "sky.clouds"), (raster.BACK_HEIGHT, "sky.backdrop"),
    (raster.BACK_CONTRAST, "sky.contrast"), (raster.BACK_SIZE, "sky.pieces"), (raster.LAMP_COUNT, "light.lamps"),
    (raster.LAMP_LIGHT, "light.lamp"), (raster.HEADLAMPS, "light.headlamps"), (raster.FOG, "weather.fog"),
    (raster.RAIN, "weather.rain"), (raster.SNOW, "weather.snow"), (raster.WET, "weather.wet"),
    (raster.RECOLOUR, "things.recolour"), (raster.GLARE, "light.glare"),
)  # fmt: skip
#: verges of this tint are green
_GREEN = look_space()["texture.verge_tint"].default


def uniforms(values: Mapping[str, float], rng: np.random.Generator) -> tuple[Array, Array]:
    """The numbers that the renderer reads, (raster.NUMBERS,), and lamps (LAMPS, 4): azimuth, elevation, size, strength.

    Args:
        values: by name the parameters of `look_space`.
        rng: of what parameters do not say: hues of the ground, places of lamps.
    """
    v = {name: max(x, 0.0) if name in MAY_BE_ABSENT else x for name, x in values.items()}
    out = np.full(raster.NUMBERS, np.nan)
    out[raster.SEED] = int(rng.integers(2**31))
    hues = rng.random(3)
    road = _tinted(v["texture.road"], hues[0], v["texture.road_tint"])
    green = 0.3 if v["texture.verge_tint"] == _GREEN else hues[1]
    _put(out, raster.ROAD_R, road)
    _put(out, raster.VERGE_R,
         road if v["texture.floor"] else _tinted(v["texture.verge"], green, v["texture.verge_tint"]))  # fmt: skip
    _put(out, raster.CENTRE_R, _tinted(v["lines.bright"], v["lines.centre_hue"], v["lines.centre_tint"]))
    _put(out, raster.EDGE_R, _tinted(v["lines.bright"], v["lines.edge_hue"], v["lines.edge_tint"]))
    _put(out, raster.ZENITH_R, _tinted(v["sky.bright"], 0.6, v["sky.tint"]))
    _put(out, raster.HORIZON_R, _tinted(v["sky.bright"], 0.58, 0.4 * v["sky.tint"]))
    elevation, azimuth = v["light.elevation"], v["light.azimuth"]
    flat = math.cos(elevation)
    _put(out, raster.SUN_X, (flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)))
    out[raster.SHOULDER] = SHOULDER
    out[raster.BACK_LIGHT] = 0.35 * v["sky.bright"] + 0.15 * v["light.ambient"]
    for place, name in _READ:
        out[place] = v[name]
    lamps = np.stack(
        [rng.uniform(-np.pi, np.pi, LAMPS), rng.uniform(0.1, 0.9, LAMPS), rng.uniform(0.02, 0.08, LAMPS),
         rng.uniform(0.3, 1, LAMPS)], axis=1,
    )  # fmt: skip
    return out, lamps


def _put(out: Array, place: int, three: tuple[float, float, float]) -> None:
    out[place], out[place + 1], out[place + 2] = three


def _tinted(bright: float, hue: float, tint: float) -> tuple[float, float, float]:
    """A colour in linear light."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, tint, 1.0)
    return bright * r * r, bright * g * g, bright * b * b
