"""Photographs of scenes that MuJoCo draws: a world stages them, this draws, sees and labels them.

    for frame in photographs(world, range(10), request=Request(), seed=7): ...

Everything of a sequence depends on (seed, its number) alone: its scene's parameters are drawn from the stream of the
scene's number, how it looks from that of the sequence's, and the sensor's noise from that of the frame's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simloop.distributions import Distribution, Point, Uniform
from simloop.errors import InputError, unknown
from simloop.frames import WIDEST_ANGLE, Camera, Category, Frame, Request, undistorted, widest
from simloop.lens import Facets, Lens
from simloop.parameters import Array, ParameterSpace
from simloop.randomness import stream
from simloop.sensor import sense, sense_depth, sensor_distributions, sensor_space
from simloop.worlds.appearance import (
    Applied,
    Images,
    Look,
    Streams,
    appearance_distributions,
    appearance_space,
    prepare,
    see_as,
)
from simloop.worlds.canvas import SEEN, Canvas
from simloop.worlds.labels import Labelled, poses
from simloop.worlds.staged import Staged

if TYPE_CHECKING:
    import mujoco


#: an array (height, width, ...)
Image = NDArray[Any]
#: looks that are drawn for a sequence until none of its cameras stands in an object
_ATTEMPTS = 20
#: depth is stored in a step in which 16 bits reach at least this many times the scene's extent
_REACH = 6.0


class Stage(Protocol):
    """What is needed of a world to photograph it."""

    name: str
    parameters: ParameterSpace

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def categories(self) -> tuple[Category, ...]: ...

    def stage(self, row: Array, number: int, seed: int, request: Request) -> Staged:
        """Return scene `number` under a parameter row (d,)."""
        ...


def photographs(
    world: Stage,
    sequences: Iterable[int],
    *,
    request: Request,
    distribution: Distribution | None = None,
    look: Distribution | None = None,
    seed: int = 0,
) -> Iterator[Frame]:
    """Yield the frames of sequences, in order; at each step one for each camera that is asked for."""
    cameras = chosen(world, request)
    drawn = Point(world.parameters) if distribution is None else distribution
    looks = None if look is None or changes_nothing(look) else Looks(look, request, seed)
    seen = {} if look is None or looks is not None else dict(zip(look.space.names, look.mean.tolist(), strict=True))
    for number, group in itertools.groupby(sequences, key=lambda s: s // request.views):
        row = drawn.sample(1, stream(seed, "frames", "scene", number))[0]
        staged = world.stage(row, number, seed, request)
        shapes = None if looks is None else stream(seed, "frames", "clutter", number)
        with Studio(staged, request, world.categories, cameras, shapes) as studio:
            for sequence in group:
                own = dict(zip(world.parameters.names, row.tolist(), strict=True)) | seen
                yield from _sequence(studio, sequence, own, looks, request)


def changes_nothing(look: Distribution) -> bool:
    """Whether a look is always the scene as the world made it, so that it need not be dressed."""
    return isinstance(look, Point) and bool((look.value == look.space.default).all())


def chosen(world: Stage, request: Request) -> tuple[str, ...]:
    """The cameras that a request means."""
    if not world.cameras:
        raise InputError(f"world {world.name!r} has no camera: there is nothing to see in it")
    for name in request.cameras:
        if name not in world.cameras:
            raise unknown(f"camera of world {world.name!r}:", name, world.cameras)
    return request.cameras or world.cameras[:1]


def _sequence(
    studio: Studio, sequence: int, parameters: dict[str, float], looks: Looks | None, request: Request
) -> Iterator[Frame]:
    """The frames of one sequence."""
    if looks is not None:
        parameters |= studio.dress(looks, sequence)
    for step in range(request.length):
        index = sequence * request.length + step
        for camera in studio.cameras:
            shot = studio.shoot(step, camera)
            if looks is not None:
                shot = shot.sensed(parameters, looks.noise_of(index, camera), request)
            yield Frame(
                index=index,
                sequence=sequence,
                step=step,
                time=step / request.rate,
                camera=shot.camera,
                categories=studio.categories,
                parameters=parameters,
                **shot.images,
            )


class Looks:
    """How sequences look: what is drawn for each, and the streams of the choices that follow from it."""

    def __init__(self, distribution: Distribution, request: Request, seed: int) -> None:
        self._distribution, self._request, self._seed = distribution, request, seed
        names = distribution.space.names
        self._groups = [n.partition(".")[0] for n in names]
        for group in request.distinct:
            if group not in self._groups:
                raise unknown("group of appearance parameters in 'distinct':", group, sorted(set(self._groups)))

    def stream_of(self, sequence: int, group: str) -> np.random.Generator:
        """The stream of a group's choices in a sequence."""
        return stream(self._seed, "frames", "look", group, self._number(sequence, group))

    def noise_of(self, index: int, camera: str) -> Streams:
        """The streams of a sensor's noise in one frame."""
        return lambda what: stream(self._seed, "frames", "noise", index, camera, what)

    def rows(self, sequence: int) -> Iterator[dict[str, float]]:
        """What is drawn for a sequence, by name; then, again and again, the same with another camera."""
        names, groups = self._distribution.space.names, self._groups
        row = self._draw(sequence)
        for group in self._request.distinct:
            mine = np.array([g == group for g in groups])
            row[mine] = self._draw(self._number(sequence, group), group)[mine]
        yield dict(zip(names, row.tolist(), strict=True))
        camera = np.array([g == "camera" for g in groups])
        for attempt in range(1, _ATTEMPTS):
            row[camera] = self._draw(self._number(sequence, "camera"), "camera", attempt)[camera]
            yield dict(zip(names, row.tolist(), strict=True))

    def _number(self, sequence: int, group: str) -> int:
        return sequence % self._request.distinct.get(group, sequence + 1)

    def _draw(self, number: int, *what: str | int) -> Array:
        return self._distribution.sample(1, stream(self._seed, "frames", "looks", number, *what))[0]


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture with its annotations: what a frame is made of beside its number."""

    camera: Camera
    images: dict[str, Any]

    def sensed(self, values: Mapping[str, float], streams: Streams, request: Request) -> Shot:
        """The shot as a sensor takes it; labels stay as they are."""
        images = {**self.images, "rgb": sense(self.images["rgb"], values, streams("rgb"))}
        if "depth_sensed" in request.passes:
            images["depth_sensed"] = sense_depth(self.images["depth"], values, streams("depth"))
        return replace(self, images=images)


class Studio:
    """A compiled scene before its cameras. Use it in a `with` statement: it holds memory of the graphics.

    Args:
        staged: the scene; its description is changed where it is to be dressed.
        request: what to photograph.
        categories: the world's.
        cameras: their names.
        shapes: decides the shapes of what may lie about; None for a scene that always looks as it was made.
    """

    def __init__(
        self,
        staged: Staged,
        request: Request,
        categories: Sequence[Category],
        cameras: Sequence[str],
        shapes: np.random.Generator | None = None,
    ) -> None:
        import mujoco

        if shapes is not None:
            prepare(staged.spec)
        self.model = staged.spec.compile()
        staged.write(self.model)
        self.cameras, self.categories = tuple(cameras), tuple(categories)
        self._staged, self._request = staged, request
        images = pictures_in(request.textures) if request.textures else None
        self._look = (
            None if shapes is None else Look(self.model, shapes, qpos=staged.qpos[0], images=images, kept=staged.kept)
        )
        self._applied: Applied | None = None
        self._lenses: dict[str, Lens] = {}
        self._facets = {name: Facets(eye) for name, eye in staged.fisheyes.items() if name in self.cameras}
        clutter = () if self._look is None else self._look.clutter
        self._labelled = Labelled(self.model, (*staged.instances, *clutter), categories)
        self.data, self._next = mujoco.MjData(self.model), mujoco.MjData(self.model)
        room = (2 * request.size[0], 2 * request.size[1]) if self._facets else (0, 0)
        self.canvas = Canvas(request.size, samples=request.samples, shadows=request.shadows, room=room)
        self.canvas.load(self.model)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.canvas.close()

    def dress(self, looks: Looks, sequence: int) -> dict[str, float]:
        """Let the scene look as it does in a sequence; return what was drawn for it."""
        if self._look is None:
            raise RuntimeError("a scene that always looks as it was made cannot be dressed")

        def streams(group: str) -> np.random.Generator:
            return looks.stream_of(sequence, group)

        values, self._applied = self._look.apply_free(looks.rows(sequence), streams, self.cameras)
        self._look.upload(self.canvas.context)
        self._fit_lenses(values)
        self._applied.show(self.canvas.scene)
        return dict(values)

    def _fit_lenses(self, values: Mapping[str, float]) -> None:
        """Let the cameras see through the lenses of a look."""
        self._lenses = {}
        distortion = values["lens.k1"], values["lens.k2"]
        for camera in self.cameras:
            eye = self._staged.fisheyes.get(camera)
            if eye is not None:
                self._facets[camera] = Facets(_bent(eye, distortion, values["camera.view"]))
            elif any(distortion):
                view = self._stand(self.data, self._staged.qpos[0], camera)
                self._lenses[camera] = lens = Lens(replace(view, distortion=distortion))
                see_as(self.model, self.model.camera(camera).id, lens.fovy)

    def picture(self, step: int, camera: str) -> NDArray[np.uint8]:
        """(height, width, 3) what the camera sees at a step of the motion, and nothing else about it."""
        return self.glimpse(self._staged.qpos[step], camera)

    def glimpse(self, qpos: Array, camera: str) -> NDArray[np.uint8]:
        """(height, width, 3) what the camera sees of any state (nq,) of the scene, through haze and lens."""
        view, lens = self._stand(self.data, qpos, camera), self._lenses.get(camera)
        rgb = self._colour(camera, view, hazed=True)
        return rgb if lens is None else lens.blend(rgb)

    def shoot(self, step: int, camera: str) -> Shot:
        """Photograph a step of the motion."""
        self._check_perspective(camera)
        passes = self._request.passes
        qpos, lens = self._staged.qpos[step], self._lenses.get(camera)
        view = self._stand(self.data, qpos, camera)
        rgb = self._colour(camera, view, hazed=False)
        depth, geoms = self._surfaces(camera, view)
        if self._applied is not None:
            rgb = self._applied.hazed(rgb, depth)
        if lens is not None:
            rgb, depth, geoms = lens.blend(rgb), lens.pick(depth), lens.pick(geoms + 1) - 1
        instances = self._labelled.mask(geoms)
        visible = self._visible(instances, camera, view) if "visible" in passes else None
        images: dict[str, Any] = {
            "rgb": rgb,
            "objects": self._labelled.objects(self.data, view, instances, depth, visible, self._absent),
            "depth": depth if "depth" in passes else None,
            "instances": instances if "instances" in passes else None,
        }
        if "normals" in passes:
            images["normals"] = self._normals(view, geoms)
        if "flow" in passes:
            images["flow"] = self._flow(step, camera, view, geoms, depth)
        return Shot(view, images)

    def _colour(self, camera: str, view: Camera, *, hazed: bool) -> Image:
        """(H, W, 3) what a camera sees of the state that the scene is in, through its fisheye but no other lens."""
        facets = self._facets.get(camera)
        pictures = []
        for pinhole in () if facets is None else facets.at(view):
            self.canvas.aim(pinhole)
            pictures.append(self._hazed() if hazed else self.canvas.colour())
        if facets is not None:
            return facets.blend(pictures)
        return self._hazed() if hazed else self.canvas.colour()

    def _hazed(self) -> Image:
        """The canvas's picture through the haze of the look, if there is any."""
        if self._applied is None or not self._applied.haze.density:
            return self.canvas.colour()
        return self._applied.hazed(*self.canvas.colour_and_depth())

    def _surfaces(self, camera: str, view: Camera) -> tuple[Image, Image]:
        """The depth and the geom that is seen at each pixel, as `Canvas.surfaces` has them."""
        facets = self._facets.get(camera)
        if facets is None:
            return self.canvas.surfaces()
        depths, geoms = [], []
        for pinhole in facets.at(view):
            self.canvas.aim(pinhole)
            depth, seen = self.canvas.surfaces()
            depths.append(depth)
            geoms.append(seen + 1)
        return facets.depth(depths), facets.pick(geoms) - 1

    def _check_perspective(self, camera: str) -> None:
        """Refuse a camera whose lines of sight are parallel: `Camera` cannot say what it sees."""
        import mujoco

        if self.model.cam_projection[self.model.camera(camera).id] == mujoco.mjtProjection.mjPROJ_ORTHOGRAPHIC:
            raise InputError(
                f"camera {camera!r} is orthographic, and labels are those of a pinhole camera; give it a field of view"
                " (projection perspective), or choose another camera"
            )

    @property
    def _absent(self) -> frozenset[str]:
        """Names of instances that are not there in this look."""
        return frozenset() if self._applied is None else self._applied.absent

    def _stand(self, data: mujoco.MjData, qpos: Array, camera: str) -> Camera:
        """Put the scene into a state (nq,), and look at it."""
        import mujoco

        data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, data)
        mujoco.mj_comPos(self.model, data)
        mujoco.mj_flex(self.model, data)
        mujoco.mj_tendon(self.model, data)
        mujoco.mj_camlight(self.model, data)
        self.canvas.look(data, self.model.camera(camera).id)
        view = self.canvas.view(camera, depth_unit(_REACH * self.model.stat.extent))
        lens, facets = self._lenses.get(camera), self._facets.get(camera)
        if facets is not None:
            return replace(facets.camera, name=camera, position=view.position, rotation=view.rotation)
        return view if lens is None else lens.at(view)

    def _visible(self, instances: Image, camera: str, view: Camera) -> Array:
        """(n,) of each instance that is a thing the part of its pixels that nothing hides; NaN for others."""
        n = len(self._labelled.instances)
        seen = np.bincount(instances.reshape(-1), minlength=n + 1)[1 : n + 1]
        out = np.full(n, np.nan)
        things, lens = {c.name for c in self.categories if c.thing}, self._lenses.get(camera)
        for k, instance in enumerate(self._labelled.instances):
            if instance.category in things and instance.name not in self._absent:
                with self.canvas.alone(self._labelled.geoms_of(k + 1)):
                    geoms = self._surfaces(camera, view)[1]
                alone = int(((geoms if lens is None else lens.pick(geoms + 1) - 1) >= 0).sum())
                out[k] = min(seen[k] / alone, 1.0) if alone else np.nan
        return out

    def _normals(self, view: Camera, geoms: Image) -> Image:
        """(H, W, 3) normals, in the camera's axes, of what a ray through each pixel's centre meets."""
        import mujoco

        height, width = geoms.shape
        rays = view.rays.reshape(-1, 3) @ view.rotation.T
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        n = len(rays)
        met, distance, normals = np.empty(n, dtype=np.int32), np.empty(n), np.zeros(3 * n)
        mujoco.mj_multiRay(
            self.model, self.data, view.position, rays.reshape(-1), np.array(SEEN, dtype=np.uint8), True, -1,
            met, distance, normals, n, mujoco.mjMAXVAL,
        )  # fmt: skip
        own = normals.reshape(n, 3) @ view.rotation
        own[(met < 0) | (geoms.reshape(-1) < 0)] = 0
        return own.reshape(height, width, 3).astype(np.float32)

    def _flow(self, step: int, camera: str, view: Camera, geoms: Image, depth: Image) -> Image:
        """(H, W, 2) flow to the next step; NaN in the last one."""
        if step + 1 >= len(self._staged.qpos):
            return np.full((*geoms.shape, 2), np.nan, dtype=np.float32)
        later = self._stand(self._next, self._staged.qpos[step + 1], camera)
        return self._labelled.flow(geoms, depth, (view, poses(self.data)), (later, poses(self._next)))


def _bent(eye: Camera, more: tuple[float, float], view: float) -> Camera:
    """A fisheye with more distortion, which spreads `view` times the angle over the same width of its picture."""
    k1, k2 = (k + d for k, d in zip(eye.distortion, more, strict=True))
    side = np.array([(eye.size[0] - eye.intrinsics[0, 2]) / eye.intrinsics[0, 0]])
    angle = view * float(np.arctan(undistorted(side, 0 * side, eye.distortion, fisheye=True)[0][0]))
    angle = min(angle, widest((k1, k2)), WIDEST_ANGLE)
    factor = float(side[0]) / (angle * (1 + k1 * angle**2 + k2 * angle**4))
    intrinsics = eye.intrinsics.copy()
    intrinsics[[0, 1], [0, 1]] *= factor
    return replace(eye, intrinsics=intrinsics, distortion=(k1, k2))


@lru_cache(maxsize=4)
def pictures_in(folder: str) -> Images:
    """The images of a folder, read once."""
    return Images(folder)


def look_space() -> ParameterSpace:
    """What may vary in how any scene that MuJoCo draws is seen: appearance, lens and sensor."""
    return ParameterSpace([*appearance_space(), *sensor_space()])


def look_distributions() -> dict[str, Distribution]:
    """`default`, which changes nothing; `wide`, as far as someone would go by hand; `images`, of a folder, too."""
    found: dict[str, Distribution] = {"default": Point(look_space())}
    for name in ("wide", "images"):
        parts: list[Any] = [appearance_distributions()[name], sensor_distributions()["wide"]]
        low, high = (np.concatenate([getattr(p, end) for p in parts]) for end in ("low", "high"))
        found[name] = Uniform(look_space(), low, high)
    return found


def depth_unit(reach: float) -> float:
    """m, the least step of 1, 2 or 5 times a power of ten in which 16 bits reach that far, m."""
    least = reach / 65535
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(round(k * power, 12) for k in (1, 2, 5, 10) if k * power >= least))
