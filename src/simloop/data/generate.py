"""Make a dataset: frames of a world, drawn from distributions, into a folder that can be stopped at any time.

    made = generate("tabletop", 5000, Path("data/tabletop"), seed=7, workers=2)

A frame depends on (seed, its number) and the configuration alone: any number of workers, Ray, and a command that was
stopped and given again write the same bytes. The same command with a larger number adds what is missing.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import zlib
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast, get_args

import pyarrow

from simloop.data.order import Order, R
from simloop.data.plan import MANIFEST, Manifest, Plan, shard_name
from simloop.data.processes import Told, in_processes, in_this_process
from simloop.data.shard import DamagedError, ShardRecord, total
from simloop.distributions import Distribution
from simloop.errors import InputError, unknown
from simloop.frames import Request
from simloop.progress import Progress, silent
from simloop.runs import (
    Resume,
    check_folder,
    check_resume,
    content_hash,
    first_difference,
    lock_folder,
    unwritable,
    write_json,
)
from simloop.worlds import World, get_world
from simloop.worlds.description import versions
from simloop.worlds.photograph import pictures_in

Executor = Literal["processes", "ray"]
#: of a dataset of one kind or another
M = TypeVar("M", bound=Manifest)
#: s, between two words on how far it is
_PATIENCE = 1.0


@dataclass(frozen=True)
class Generated:
    """What was made.

    Attributes:
        folder: where.
        manifest: of the whole dataset.
        made: photographs that were made now; the others were there already.
        seconds: that it took.
    """

    folder: Path
    manifest: Manifest
    made: int
    seconds: float

    def to_dict(self, what: str) -> dict[str, Any]:
        """JSON-able; `what` the manifest counts as frames."""
        return {
            "folder": str(self.folder),
            what: self.manifest.frames,
            "hash": self.manifest.hash,
            "made": self.made,
            "seconds": self.seconds,
            "counts": self.manifest.counts,
        }

    @property
    def rate(self) -> str:
        """How long it took and how fast it was, in words; nothing where nothing was made."""
        return f" in {duration(self.seconds)}, {self.made / max(self.seconds, 1e-9):.3g}/s" if self.made else ""


def configure(
    world: World, request: Request, distribution: Distribution | None, look: Distribution | None, seed: int
) -> dict[str, Any]:
    """Everything that decides the frames of a dataset but their number, JSON-able; what cannot be drawn is refused."""
    from simloop.worlds.photograph import Looks

    request = with_cameras(world, request)
    drawn = distribution or world.distributions()["default"]
    seen = look or world.looks().get("default")
    if seen is not None:
        Looks(seen, request, seed)
    configuration = {
        "world": {"name": world.name, "content": world.content()},
        "versions": {
            **versions(world),
            **world.graphics(),
            "pyarrow": pyarrow.__version__,
            "zlib": zlib.ZLIB_RUNTIME_VERSION,
        },
        "categories": [asdict(c) for c in world.categories],
        "request": {name: x for name, x in request.to_dict().items() if name != "textures"},
        **({"textures hash": pictures_in(request.textures).hash} if request.textures else {}),
        "seed": seed,
        "distribution": drawn.to_dict(),
        "distribution hash": drawn.hash,
        "look": seen.to_dict() if seen else None,
        "look hash": seen.hash if seen else None,
        "frames in a shard": Plan(0, request).frames_in_shard,
    }
    # as it will be read back: tuples are lists
    return dict(json.loads(json.dumps(configuration)))


def with_cameras(world: World, request: Request) -> Request:
    """A request that names its cameras, and its folder of textures from the root, as any process finds it."""
    from simloop.worlds.photograph import Stage, chosen

    textures = str(Path(request.textures).resolve()) if request.textures else ""
    return replace(request, cameras=chosen(cast(Stage, world), request), textures=textures)


def generate(
    world: str | World,
    n: int,
    folder: str | Path,
    *,
    seed: int = 0,
    request: Request | None = None,
    distribution: Distribution | None = None,
    look: Distribution | None = None,
    workers: int = 1,
    executor: Executor = "processes",
    address: str | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> Generated:
    """Make a dataset of `n` frames, or what is missing of it.

    Args:
        world: one with cameras, or its name or YAML file.
        n: frames; with sequences, as many whole ones as it takes.
        folder: a new one, or one that holds a part of this dataset.
        seed: of everything random.
        request: what to photograph; by default the world's own `request`.
        distribution: what scenes are drawn from; by default the default parameters.
        look: what their appearance is drawn from; by default the world as it was made.
        workers: processes; 1 is this one. Ray takes as many as its cluster has.
        executor: processes of this machine, or Ray.
        address: of the Ray cluster; None starts one on this machine.
        resume: `if-match` finishes or enlarges the same dataset and refuses another one; `never` refuses any; `always`
            starts over where it is another.
        progress: told how far it is.
    """
    check_resume(resume)
    if executor not in get_args(Executor):
        raise unknown("executor", executor, get_args(Executor))
    if n < 1 or workers < 1:
        raise InputError(f"{'n' if n < 1 else 'workers'} must be at least 1, got {min(n, workers)}")
    asked = world if isinstance(world, str) else world.name
    found = get_world(world) if isinstance(world, str) else world
    request = with_cameras(found, request or found.request)
    manifest = Manifest(configure(found, request, distribution, look, seed), n, asked, request.textures)
    manifest = manifest.replace(frames=Plan.of(n, manifest.request).frames)
    with opened(Path(folder), manifest, resume) as manifest:
        order = Order(Path(folder), world, manifest)
        return complete(order, workers=workers, executor=executor, address=address, progress=progress)


def complete(
    order: Order,
    *,
    workers: int = 1,
    executor: Executor = "processes",
    address: str | None = None,
    progress: Progress = silent,
) -> Generated:
    """Make the shards that are missing in a folder that is locked, and write the counts."""
    folder, manifest = order.folder, order.manifest
    records = whole_shards(folder, manifest)
    missing = [k for k in manifest.plan.shards if k not in records]
    cameras = len(manifest.request.cameras)
    meter = Meter(
        "images", manifest.plan.photographs, sum(len(manifest.plan.frames_of(k)) for k in missing) * cameras, progress
    )
    making = _made(order, missing, min(workers, len(missing)), executor, address, meter.tell)
    for record in gathered(folder, manifest, making, unfinished=bool(missing)):
        records[record.frames[0] // manifest.plan.frames_in_shard] = record
    manifest = manifest.replace(counts=total([records[k] for k in sorted(records)], manifest.categories))
    write_json(folder / MANIFEST, manifest.to_dict())
    return Generated(folder, manifest, meter.made, meter.seconds)


def gathered(folder: Path, manifest: Manifest, making: Generator[R], *, unfinished: bool) -> Iterator[R]:
    """The records of shards as they are made, in a folder that says meanwhile that it is not complete."""
    if unfinished:
        write_json(folder / MANIFEST, manifest.replace(counts=None).to_dict())
    try:
        with contextlib.closing(making) as made:
            for record in made:
                if record.configuration != manifest.hash:
                    raise RuntimeError(f"a shard of another dataset came back: {record}")
                yield record
    finally:
        remove_left_over(folder)


def _made(
    order: Order, shards: list[int], workers: int, executor: Executor, address: str | None, told: Told
) -> Generator[ShardRecord]:
    """Make shards in one way or another."""
    if not shards:
        return (r for r in list[ShardRecord]())
    if executor == "ray":
        from simloop.data.ray_tasks import in_ray

        return in_ray(order, shards, address, told)
    if workers > 1:
        return in_processes(order, shards, workers, told)
    return in_this_process(order, shards, told)


def whole_shards(folder: Path, manifest: Manifest) -> dict[int, ShardRecord]:
    """The records of the shards of a dataset that are there and whole, by number."""
    found = {}
    for shard in manifest.plan.shards:
        if (folder / shard_name(shard)).is_dir():
            with contextlib.suppress(DamagedError):
                record = ShardRecord.read(folder, shard)
                if record.is_of(manifest.hash, manifest.plan, shard):
                    found[shard] = record
    return found


@contextlib.contextmanager
def opened(folder: Path, manifest: M, resume: Resume) -> Iterator[M]:
    """Lock a folder for a dataset, decide what becomes of what it holds, and give the manifest that counts there."""
    check_folder(folder, MANIFEST, "dataset")
    lock: IO[str] = lock_folder(folder)
    try:
        yield _begun(folder, manifest, resume)
    finally:
        lock.close()


def _begun(folder: Path, manifest: M, resume: Resume) -> M:
    remove_left_over(folder)
    if (folder / MANIFEST).exists():
        if resume == "never":
            raise InputError(f"{folder}: holds a dataset already, and --resume is 'never'; give a new folder")
        before = None
        with contextlib.suppress(InputError) if resume == "always" else contextlib.nullcontext():
            before = type(manifest).read(folder)
        if before is not None and content_hash(before.configuration) == manifest.hash:
            return before.replace(frames=max(before.frames, manifest.frames), textures=manifest.textures)
        shards = list(folder.glob("shard-*"))
        if resume == "if-match" and before is not None and shards:
            changed = first_difference(dict(before.configuration), dict(manifest.configuration))
            raise InputError(
                f"{folder}: holds another dataset ({changed}); give a new folder, or --resume always to start over in"
                " this one"
            )
        try:
            # the manifest first, so that what is left of the other dataset is never taken for this one's
            (folder / MANIFEST).unlink()
            for shard in shards:
                shutil.rmtree(shard)
        except OSError as error:
            raise unwritable(folder, error) from None
    write_json(folder / MANIFEST, manifest.to_dict())
    return manifest


def remove_left_over(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    for part in folder.glob(".*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


class Meter:
    """Counts what is made, and says now and then how much there is, how fast it comes and how long it will take.

    Args:
        unit: what is counted.
        whole: how many of them the dataset has.
        missing: how many of them are to be made.
        progress: told how far it is.
    """

    def __init__(self, unit: str, whole: int, missing: int, progress: Progress) -> None:
        self._unit, self._all, self._missing = unit, whole, missing
        self._of: dict[int, int] = {}
        self._progress = progress
        self._began = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def made(self) -> int:
        """How many were made."""
        return sum(self._of.values())

    def tell(self, shard: int, made: int) -> None:
        """Say how many of a shard are made."""
        self._of[shard] = made
        now = time.monotonic()
        if now - self._last < _PATIENCE and self.made < self._missing:
            return
        self._last = now
        rate = self.made / max(now - self._began, 1e-9)
        there = self._all - self._missing + self.made
        left = (self._missing - self.made) / max(rate, 1e-9)
        self._progress(
            f"generate: {there} of {self._all} {self._unit}, {rate:.3g}/s, {duration(left)} left", there / self._all
        )


def duration(seconds: float) -> str:
    """A time that is easy to read."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
