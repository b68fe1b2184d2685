"""What surfaces wear: patterns, colours and gloss, each in a material of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simloop.errors import InputError
from simloop.parameters import Array
from simloop.worlds.appearance import textures
from simloop.worlds.appearance.colours import from_hsv
from simloop.worlds.appearance.textures import Images
from simloop.worlds.canvas import shown, shown_colours

if TYPE_CHECKING:
    import mujoco

#: textures that are wrapped around objects, and flat ones, which planes show and which are seen through objects as if
#: cut out of a block; few, because to hand over a wrapped one takes 1.5 ms, a flat one 0.4 ms. Pixels along a side
_WRAPPED, _FLAT, _SIDE = 2, 3, 64
#: materials that a context of MuJoCo's renderer holds
_MATERIALS = 1000
#: boxes that may mirror beside planes: the largest of those that never move
_MIRRORS = 2
_FIELDS = ("geom_matid", "geom_rgba", "mat_rgba", "mat_texid", "mat_texuniform", "mat_texrepeat", "mat_specular",
           "mat_shininess", "mat_reflectance")  # fmt: skip


def add_surfaces(spec: mujoco.MjSpec) -> None:
    """Add the textures, and a material for each geom as far as there is room: more than that keep their looks."""
    import mujoco

    kinds, flat = mujoco.mjtTexture, mujoco.mjtBuiltin.mjBUILTIN_FLAT
    for name, count, kind, side in (
        ("wrapped", _WRAPPED, kinds.mjTEXTURE_CUBE, _SIDE),
        ("flat", _FLAT, kinds.mjTEXTURE_2D, 2 * _SIDE),
    ):
        for k in range(count):
            spec.add_texture(name=f"look/{name}-{k}", type=kind, builtin=flat, rgb1=[0, 0, 0], width=side, height=side)
    for k in range(min(len(spec.geoms), _MATERIALS - len(spec.materials))):
        spec.add_material(name=f"look/{k}")


class Surfaces:
    """The surfaces of a scene that are seen, and what they can wear.

    Args:
        model: compiled from a prepared spec.
        more: (ngeom,) geoms that are surfaces although they are not seen as the world made them.
        images: what an `image` pattern shows.
        kept: names of geoms that always look as the world made them.
    """

    def __init__(
        self, model: mujoco.MjModel, more: NDArray[np.bool_], images: Images | None, kept: Collection[str] = ()
    ) -> None:
        import mujoco

        self._model, self._images = model, images
        self._default = {name: getattr(model, name).copy() for name in _FIELDS}
        names = [model.material(m).name for m in range(model.nmat)]
        materials = np.array([m for m, name in enumerate(names) if name.startswith("look/")], dtype=np.int64)
        free = shown(model) | more
        free[[model.geom(name).id for name in kept]] = False
        self._geoms = np.flatnonzero(free)[: len(materials)]
        self._materials = materials[: len(self._geoms)]
        kinds = mujoco.mjtGeom
        kind = model.geom_type[self._geoms]
        self._flat = np.isin(kind, (kinds.mjGEOM_PLANE, kinds.mjGEOM_HFIELD))
        meshes = np.where(kind == kinds.mjGEOM_MESH, model.geom_dataid[self._geoms], -1)
        #: meshes that say themselves where flat textures lie on them; OpenGL refuses to wrap them in others
        self._unwrapped = np.array([m >= 0 and model.mesh_texcoordadr[m] >= 0 for m in meshes.tolist()], dtype=bool)
        own = model.geom_matid[self._geoms]
        #: (n, 4) the colours that the world gave them
        self._rgba = shown_colours(model)[self._geoms]
        self._rgba[more[self._geoms], 3] = 1
        self._own = own
        rgb = mujoco.mjtTextureRole.mjTEXROLE_RGB.value
        self._role = rgb
        self._flat_slots = [model.texture(f"look/flat-{k}").id for k in range(_FLAT)]
        self.slots = (*(model.texture(f"look/wrapped-{k}").id for k in range(_WRAPPED)), *self._flat_slots)
        self._gloss = {
            field: np.where(own >= 0, getattr(model, f"mat_{field}")[own], usual)
            for field, usual in (("specular", 0.5), ("shininess", 0.5), ("reflectance", 0.0))
        }
        self._mirrors = (kind == kinds.mjGEOM_PLANE) & (self._rgba[:, 3] == 1)
        still = np.flatnonzero(
            (kind == kinds.mjGEOM_BOX) & ~more[self._geoms] & (model.body_weldid[model.geom_bodyid[self._geoms]] == 0)
        )
        order = np.argsort(-model.geom_rbound[self._geoms[still]], kind="stable")
        self._mirrors[still[order[:_MIRRORS]]] = True

    def apply(self, v: Mapping[str, float], rng: np.random.Generator, gloss: np.random.Generator) -> None:
        """Dress the surfaces anew: patterns and colours from the one stream, gloss from the other."""
        model, n = self._model, len(self._geoms)
        for name, value in self._default.items():
            getattr(model, name)[:] = value
        for texture in self.slots:
            self._write(texture, None)
        chance, again, slot = rng.random((3, n))
        colours = _colours(v, rng, n)
        seeds = rng.integers(2**62, size=len(self.slots))
        patterned = chance < v["texture.share"]
        coloured = ~patterned & (again < v["texture.recolour"])
        dressed = patterned | coloured
        glossed = any(v[f"gloss.{name}"] for name in ("specular", "shininess", "reflectance", "spread"))
        worn = np.ones(n, dtype=bool) if glossed else dressed
        if not worn.any():
            return
        self._wear(worn)
        materials = self._materials
        model.mat_texid[materials[dressed]] = -1
        rgba = self._rgba.copy()
        rgba[coloured, :3] = colours[coloured]
        rgba[patterned, :3] = 0.4 + 0.6 * colours[patterned]
        model.mat_rgba[materials[worn]] = rgba[worn]
        used = set()
        for k in np.flatnonzero(patterned):
            choices = self._flat_slots if self._flat[k] or self._unwrapped[k] else self.slots
            chosen = choices[int(slot[k] * len(choices))]
            self._put_on(int(k), chosen)
            used.add(chosen)
        for texture, seed in zip(self.slots, seeds, strict=True):
            if texture in used:
                self._write(texture, self._picture(texture, v, np.random.Generator(np.random.Philox(int(seed)))))
        if glossed:
            self._shine(v, gloss)

    def _wear(self, worn: NDArray[np.bool_]) -> None:
        """Let geoms wear their materials, which look as what the world gave them."""
        model, to, geoms, own = self._model, self._materials[worn], self._geoms[worn], self._own[worn]
        model.geom_matid[geoms] = to
        model.geom_rgba[geoms] = (0.5, 0.5, 0.5, 1)
        had = own >= 0
        for name in _FIELDS[3:]:
            field = getattr(model, name)
            field[to[had]] = self._default[name][own[had]]
        model.mat_emission[to[had]] = model.mat_emission[own[had]]

    def _put_on(self, k: int, texture: int) -> None:
        """Let the surface wear a texture; on planes it repeats twice in a length as large as the scene."""
        model, material = self._model, self._materials[k]
        model.mat_texid[material, self._role] = texture
        plane = self._flat[k]
        model.mat_texuniform[material] = plane
        model.mat_texrepeat[material] = 2 / model.stat.extent if plane else 1.0

    def _picture(self, texture: int, v: Mapping[str, float], rng: np.random.Generator) -> textures.Picture:
        """A pattern for a texture, (side, side, 3)."""
        side = int(self._model.tex_width[texture])
        kind = self._kind(int(v["texture.kind"]), rng)
        first, second = _colours(v, rng, 2)
        if kind == "image":
            if self._images is None:
                raise InputError(
                    "texture.kind is image, but no folder of images was given; say which: --textures FOLDER"
                )
            return self._images.texture(side, rng)
        scale, contrast = v["texture.scale"], v["texture.contrast"]
        return textures.texture(kind, side, rng, first=first, second=second, scale=scale, contrast=contrast)

    def _kind(self, choice: int, rng: np.random.Generator) -> str:
        kinds = ("mixed", *textures.KINDS, *(["image"] if self._images or choice > len(textures.KINDS) else []))
        return kinds[choice] if choice else kinds[1 + int(rng.integers(len(kinds) - 1))]

    def _write(self, texture: int, picture: textures.Picture | None) -> None:
        """Put a picture into a texture's pixels, on each face of a cube; None for black."""
        model = self._model
        start = int(model.tex_adr[texture])
        size = int(model.tex_height[texture]) * int(model.tex_width[texture]) * 3
        pixels = model.tex_data[start : start + size]
        pixels[:] = 0 if picture is None else np.tile(picture.reshape(-1), size // picture.size)

    def _shine(self, v: Mapping[str, float], rng: np.random.Generator) -> None:
        """Change the gloss of all surfaces, each a little differently."""
        model, materials = self._model, self._materials
        away = v["gloss.spread"] * rng.uniform(-1, 1, (3, len(materials)))
        for (name, own), other in zip(self._gloss.items(), away, strict=True):
            change = v[f"gloss.{name}"] + other
            if name == "reflectance":
                if (
                    v["gloss.reflectance"] > 0 and self._mirrors.any()
                ):  # MuJoCo draws one mirror: the first that it finds
                    mirror = np.arange(len(materials)) == rng.choice(np.flatnonzero(self._mirrors))
                    model.mat_reflectance[materials] = np.where(mirror, np.clip(own + change, 0, 1), 0)
                continue
            getattr(model, f"mat_{name}")[materials] = np.clip(own + change, 0, 1)


def _colours(v: Mapping[str, float], rng: np.random.Generator, n: int) -> Array:
    """(n, 3) colours about the hue, saturation and value that the parameters say."""
    hue, saturation, value = rng.uniform(-1, 1, (3, n))
    return from_hsv(
        (v["texture.hue"] + v["texture.hue_spread"] * hue / 2) % 1,
        np.clip(v["texture.saturation"] + 0.2 * saturation, 0, 1),
        np.clip(v["texture.value"] + 0.2 * value, 0, 1),
    )
