"""The lights of a scene, its sky and its haze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simloop.parameters import Array
from simloop.worlds.appearance.colours import from_hsv, of_temperature
from simloop.worlds.appearance.space import LIGHTS

if TYPE_CHECKING:
    import mujoco

_FIELDS = ("light_active", "light_pos", "light_dir", "light_castshadow", "light_ambient", "light_diffuse",
           "light_specular")  # fmt: skip
#: the sky counts as so many times as far away as the scene
_SKY = 5
_COLOURS = ("ambient", "diffuse", "specular")


def add_lights(spec: mujoco.MjSpec) -> None:
    """Add lights that are off, and a sky that is not shown to a scene without one."""
    import mujoco

    for k in range(LIGHTS):
        spec.worldbody.add_light(name=f"look/light-{k}", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, active=False)
    sky = mujoco.mjtTexture.mjTEXTURE_SKYBOX
    if all(t.type != sky for t in spec.textures):
        spec.add_texture(
            name="look/sky", type=sky, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT, rgb1=[0, 0, 0], width=32, height=32
        )


class Lights:
    """The lights of a compiled scene: its own, and those that were added."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._default = {name: getattr(model, name).copy() for name in _FIELDS}
        headlight = model.vis.headlight
        self._headlight = {name: np.array(getattr(headlight, name)) for name in _COLOURS}
        self._active = int(headlight.active)
        self._added = [model.light(f"look/light-{k}").id for k in range(LIGHTS)]

    def apply(self, v: Mapping[str, float], rng: np.random.Generator) -> None:
        """Set all lights anew."""
        model, headlight = self._model, self._model.vis.headlight
        for name, value in self._default.items():
            getattr(model, name)[:] = value
        headlight.active = self._active
        own = v["light.own"]
        for name in _COLOURS:
            getattr(model, f"light_{name}")[:] *= own
            getattr(headlight, name)[:] = own * self._headlight[name] if self._active else 0.0
        if not self._active:
            for name in _COLOURS:
                getattr(headlight, name)[:] = self._headlight[name]
        if v["light.ambient"]:
            if not self._active:  # it gives nothing but what comes from everywhere
                headlight.active = 1
                for name in _COLOURS:
                    getattr(headlight, name)[:] = 0
            headlight.ambient[:] += v["light.ambient"]
        self._add(v, rng)

    def _add(self, v: Mapping[str, float], rng: np.random.Generator) -> None:
        """Switch lights on."""
        model, count = self._model, int(v["light.count"])
        turn, height, share = rng.uniform(-0.5, 0.5, (3, LIGHTS))
        turn[0] = height[0] = 0  # the first stands where the parameters say
        strength = 1 + share
        strength[count:] = 0
        colour = v["light.strength"] * of_temperature(v["light.temperature"])
        for k in range(count):
            light = self._added[k]
            azimuth = v["light.azimuth"] + v["light.spread"] * 2 * turn[k]
            elevation = np.clip(v["light.elevation"] + v["light.spread"] * height[k], 0.1, np.pi / 2)
            towards = np.array(
                [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
            )
            model.light_active[light] = True
            model.light_castshadow[light] = k < v["light.shadows"]
            model.light_dir[light] = -towards
            # a shadow map reaches as far to both sides of a light's place; from farther away the floor shades itself
            model.light_pos[light] = model.stat.center + 0.5 * model.stat.extent * towards
            model.light_ambient[light] = 0
            model.light_diffuse[light] = colour * strength[k] / strength.sum()
            model.light_specular[light] = 0.5 * colour * strength[k] / strength.sum()


@dataclass(frozen=True, eq=False)
class Haze:
    """What is lost on the way to the camera: `colour` (3,) 0 to 255 of the haze, `density` 1/m, `sky` m to the sky."""

    colour: Array
    density: float
    sky: float


class Sky:
    """The sky of a compiled scene; `away` m is how far its cameras are from its middle."""

    def __init__(self, model: mujoco.MjModel, away: float) -> None:
        import mujoco

        self._model = model
        self.texture = int(np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)[0])
        self._shown = model.texture(self.texture).name != "look/sky"
        self._pixels = self._data().copy()
        self._away = away

    def _data(self) -> np.ndarray:
        model, t = self._model, self.texture
        height, width, depth = (int(getattr(model, f"tex_{x}")[t]) for x in ("height", "width", "nchannel"))
        start = int(model.tex_adr[t])
        return model.tex_data[start : start + height * width * depth].reshape(height, width, depth)

    def apply(self, v: Mapping[str, float], rng: np.random.Generator) -> tuple[bool, Haze]:
        """Paint the sky; return whether one is shown, and the haze."""
        pixels, mix = self._data(), v["sky.mix"]
        hue, saturation, brightness = v["sky.hue"], v["sky.saturation"], v["sky.brightness"]
        zenith = from_hsv(hue, saturation, brightness)
        horizon = from_hsv(hue, saturation * rng.uniform(0.2, 0.8), min(1.0, brightness * rng.uniform(0.9, 1.3)))
        if mix:
            drawn = np.repeat(_faces(pixels.shape[1], zenith, horizon).reshape(-1, 1, 3), pixels.shape[1], axis=1)
            pixels[..., :3] = np.rint(255 * mix * drawn + (1 - mix) * self._pixels[..., :3])
        else:
            pixels[:] = self._pixels
        haze = -np.log1p(-v["sky.haze"]) / self._away
        return self._shown or mix > 0, Haze(255 * horizon, float(haze), _SKY * self._away)


def _faces(side: int, zenith: Array, horizon: Array) -> Array:
    """(6, side, 3) colour of each row of a sky's faces: right, left, up, down, front, back."""
    height = np.clip(1 - 2 * (np.arange(side) + 0.5) / side, 0, 1)[:, None]
    wall = horizon + (zenith - horizon) * height
    above, below = np.broadcast_to(zenith, (side, 3)), np.broadcast_to(0.5 * horizon, (side, 3))
    return np.stack([wall, wall, above, below, wall, wall])
