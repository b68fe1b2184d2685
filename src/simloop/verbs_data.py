"""What the command line's verbs about data sets do and print: `generate`, `look`, `data show`, `diff` and `repair`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from simloop import terminal
from simloop.config import listed
from simloop.data.difference import Difference, difference
from simloop.data.generate import Executor, Generated, generate, with_cameras
from simloop.data.plan import MANIFEST, Manifest, shard_name
from simloop.data.repair import Repaired, repair
from simloop.data.sheet import check_sheet, write_sheet
from simloop.data.store import Dataset
from simloop.data.summary import SIZE_BINS, VISIBLE_BINS, Summary, summarise
from simloop.distributions import Distribution
from simloop.errors import DataWarning, InputError, count, unknown
from simloop.frames import Request
from simloop.progress import Progress, silent
from simloop.randomness import stream
from simloop.runs import Resume
from simloop.worlds import World, get_world

#: frames, where nobody says how many
FRAMES = 100
#: how a contact sheet is photographed, where nobody says it
SHEET = Request(size=(192, 192), samples=4)
#: differing fields of a configuration, the most that are shown
_FIELDS = 20
#: characters, the length of a histogram's longest bar
_BAR = 30


def changes_of_request(
    *,
    size: str | None = None,
    passes: str | None = None,
    cameras: str | None = None,
    distinct: Sequence[str] | None = None,
    textures: str | None = None,
    **numbers: int | float | None,
) -> dict[str, Any]:
    """The fields of a request that are given on a command line: "128x128", "depth,instances", "front", ["light=3"]."""
    changes: dict[str, Any] = {name: x for name, x in numbers.items() if x is not None}
    if size is not None:
        sides = size.lower().split("x")
        if len(sides) != 2 or not all(s.strip().isdecimal() for s in sides):
            raise InputError(f"--size is {size!r}: expected width and height in pixels, as 128x128")
        changes["size"] = (int(sides[0]), int(sides[1]))
    if passes is not None:
        changes["passes"] = () if passes in ("", "none") else listed(passes)
    if textures is not None:
        changes["textures"] = textures
    if cameras is not None:
        changes["cameras"] = listed(cameras)
    if distinct:
        pairs = [pair.partition("=") for pair in distinct]
        for name, _, value in pairs:
            if not name or not value.isdecimal():
                raise InputError(f"--distinct is {name + '=' + value!r}: expected a group and a number, as texture=10")
        changes["distinct"] = {name: int(value) for name, _, value in pairs}
    return changes


def distribution_named(world: World, name: str | None, otherwise: str) -> Distribution:
    """What scenes are drawn from: the world's distribution of that name, or else `otherwise` or its default."""
    if name is None:
        own = world.distributions()
        return own.get(otherwise, own["default"])
    return world.distribution(name)


def look_named(world: World, name: str | None, otherwise: str) -> Distribution | None:
    """What appearance is drawn from, by name or file; None where the world has no say in it."""
    own = world.looks()
    if name is None or name in own:
        return own.get(name or otherwise, own.get("default"))
    if not own:
        raise InputError(f"world {world.name!r} has no parameters of appearance, so that --look has nothing to change")
    if "/" not in name and "." not in name and not Path(name).exists():
        raise InputError(f"{unknown(f'look of world {world.name!r}:', name, own)}, and no file of that name")
    loaded = Distribution.load(name)
    if loaded.space.names != world.look.names:
        missing = sorted(set(loaded.space.names) ^ set(world.look.names))
        raise InputError(f"{name}: over other parameters than the look of {world.name!r} ({', '.join(missing[:4])})")
    return loaded


@dataclass(frozen=True)
class GeneratedResult:
    """A dataset that was made."""

    made: Generated

    def to_dict(self) -> dict[str, Any]:
        return self.made.to_dict("frames")

    def show(self) -> None:
        m = self.made
        counts = m.manifest.counts or {}
        terminal.say(
            f"{m.folder}: {count(m.manifest.frames, 'frame')}, {count(counts['photographs'], 'image')};"
            f" {m.made} made now{m.rate}"
        )
        _say_lost(counts["lost"], m.folder)


def _say_lost(lost: dict[str, int], folder: Path) -> None:
    for kind, pixels in lost.items():
        what = {"flow": "move by more than 512 pixels and are stored as unknown"}.get(
            kind, "are farther than 65,535 steps of the camera's depth_unit and are stored as 0"
        )
        terminal.say(f"{folder}: {count(pixels, 'pixel')} of {kind} {what}")


def generate_into(
    folder: Path,
    world: str,
    frames: int | None,
    changes: dict[str, Any],
    distribution: str | None,
    look: str | None,
    *,
    workers: int = 1,
    executor: Executor = "processes",
    address: str | None = None,
    seed: int | None = None,
    resume: Resume = "if-match",
    progress: Progress = silent,
) -> GeneratedResult:
    """Make a dataset; what is None, or not among the changes to the request, is as in the one that is there."""
    found = get_world(world)
    before = Manifest.read(folder) if (folder / MANIFEST).is_file() and resume != "always" else None
    if before is not None and before.configuration["world"]["name"] != found.name:
        raise InputError(
            f"{folder}: holds a dataset of world {before.configuration['world']['name']!r}, not of {found.name!r}; give"
            " a new folder, or --resume always to start over in this one"
        )
    drawn = distribution_named(found, distribution, "wide")
    request = replace(found.request if before is None else before.request, **changes)
    if look == "images" and not request.textures:
        raise InputError("--look images: a folder of images is needed; say which: --textures FOLDER")
    seen = look_named(found, look, "images" if request.textures else "wide")
    if "flow" in request.passes and request.length == 1:
        warnings.warn(
            DataWarning("flow is unknown in stills, which have no next frame; --length 2 or more"), stacklevel=2
        )
    if before is not None:
        drawn = drawn if distribution else before.distribution()
        seen = before.distribution("look") if not look and before.configuration["look"] else seen
        seed = int(before.configuration["seed"]) if seed is None else seed
        frames = frames or before.frames
    made = generate(
        world, frames or FRAMES, folder, seed=seed or 0, request=request, distribution=drawn,
        look=seen, workers=workers, executor=executor, address=address, resume=resume, progress=progress,
    )  # fmt: skip
    return GeneratedResult(made)


def look_at(
    path: Path,
    what: str,
    images: int,
    changes: dict[str, Any],
    distribution: str | None,
    look: str | None,
    *,
    seed: int = 0,
) -> str:
    """Write a contact sheet of a world's random draws or of a dataset; say what it shows."""
    check_sheet(path)
    if Path(what).is_dir():
        if changes or distribution or look:
            raise InputError(
                f"{what}: is a dataset, whose images are as they are; leave out everything but -n and --seed"
            )
        dataset = Dataset.open(what, unfinished=True)
        if not len(dataset):
            raise InputError(f"{what}: holds no images yet; give the command that makes it again, and it goes on")
        picked = stream(seed, "look").permutation(len(dataset))[:images]
        size = write_sheet(path, [dataset[int(i)] for i in sorted(picked)])
        shown = f"{min(images, len(dataset))} of the {count(len(dataset), 'image')} in dataset {what}"
    else:
        world = get_world(what)
        request = with_cameras(world, replace(SHEET, **changes))
        if "flow" in request.passes:  # of a still there is none
            request = replace(request, length=2)
        scenes = -(-images // len(request.cameras))
        drawn = world.frames(
            range(scenes),
            request=request,
            distribution=distribution_named(world, distribution, "wide"),
            look=look_named(world, look, "wide"),
            seed=seed,
        )
        frames = [f for f in drawn if f.step == 0][:images]
        size = write_sheet(path, frames)
        shown = f"{count(scenes, 'random draw')} of {what}"
    return f"{path}: {shown}, {size[0]} x {size[1]} pixels"


@dataclass(frozen=True)
class ShownDataset:
    """A dataset and what it holds."""

    dataset: Dataset
    summary: Summary

    @classmethod
    def read(cls, folder: Path) -> ShownDataset:
        """Look at a dataset, complete or not."""
        dataset = Dataset.open(folder, unfinished=True)
        return cls(dataset, summarise(dataset))

    def to_dict(self) -> dict[str, Any]:
        m = self.dataset.manifest
        c = m.configuration
        return {
            "folder": str(self.dataset.folder),
            "complete": m.counts is not None,
            "frames": m.frames,
            "hash": m.hash,
            "world": c["world"],
            "versions": c["versions"],
            "seed": c["seed"],
            "request": c["request"],
            "distribution hash": c["distribution hash"],
            "look hash": c["look hash"],
            **asdict(self.summary),
            "size bins": list(SIZE_BINS),
            "visible bins": list(VISIBLE_BINS),
        }

    def show(self) -> None:
        d, s = self.dataset, self.summary
        c = d.manifest.configuration
        r = d.request
        whole = d.manifest.plan.photographs
        there = "" if d.manifest.counts is not None else f" of {whole}: NOT COMPLETE, give its command again"
        terminal.say(f"{d.folder}: world {d.world!r}, {count(s.photographs, 'image')}{there}")
        terminal.say(
            f"{count(s.scenes, 'scene')}, {count(s.sequences, 'sequence')} of {count(r.length, 'frame')}, cameras"
            f" {', '.join(r.cameras)}, {r.size[0]} x {r.size[1]} pixels, RGB {' '.join(r.passes)}, seed {d.seed}"
        )
        terminal.say("made with " + ", ".join(f"{k} {v}" for k, v in d.versions.items()))
        terminal.say(
            f"distribution {c['distribution hash']}, look {c['look hash'] or 'none'}, dataset {d.manifest.hash}"
        )
        terminal.table(
            ["category", "objects", "visible", "images"],
            [[k, f"{s.objects[k]}", f"{s.seen[k]}", f"{s.images[k]}"] for k in s.objects],
        )
        if s.per_image:
            _histogram("visible things in an image", [str(k) for k in range(len(s.per_image))], s.per_image)
        if sum(s.sizes):
            _histogram("size of a box, pixels", _bins(SIZE_BINS), s.sizes)
            terminal.say(f"{s.truncated} of {sum(s.sizes)} visible things reach beyond the image")
        if sum(s.visible):
            _histogram("visible fraction", _bins(VISIBLE_BINS), s.visible)
        if s.coverage:
            terminal.table(
                ["parameter", "from", "to", "can be from", "to", "unit", "stretches met"],
                [[x.name, f"{x.low:.3g}", f"{x.high:.3g}", f"{x.expected[0]:.3g}", f"{x.expected[1]:.3g}", x.unit,
                  f"{x.tenths} of {x.of}"] for x in s.coverage],
            )  # fmt: skip
        _say_lost(s.lost, d.folder)


def _bins(ends: Sequence[float]) -> list[str]:
    return [f"{a:.3g} to {b:.3g}" if b < float("inf") else f"{a:.3g} and more" for a, b in pairwise(ends)]


def _histogram(title: str, bins: Sequence[str], counts: Sequence[int]) -> None:
    """Print a histogram, without the empty bins at its end."""
    last = max((k for k, n in enumerate(counts) if n), default=0)
    most = max(counts)
    terminal.say(title)
    for name, n in list(zip(bins, counts, strict=False))[: last + 1]:
        terminal.say(f"  {name:>12} {n:>8} {'#' * round(_BAR * n / max(most, 1))}")


@dataclass(frozen=True)
class ComparedDatasets:
    """Two datasets side by side."""

    a: Path
    b: Path
    found: Difference

    @classmethod
    def read(cls, a: Path, b: Path) -> ComparedDatasets:
        """Compare two datasets, complete or not."""
        return cls(a, b, difference(Dataset.open(a, unfinished=True), Dataset.open(b, unfinished=True)))

    def to_dict(self) -> dict[str, Any]:
        return {"equal": self.found.equal, **asdict(self.found)}

    def show(self) -> None:
        f = self.found
        if f.configuration:
            rows = [[k, _short(x), _short(y)] for k, (x, y) in f.configuration.items()]
            more = [[f"... and {len(rows) - _FIELDS} more", "", ""]] if len(rows) > _FIELDS else []
            terminal.table(["made with", str(self.a), str(self.b)], rows[:_FIELDS] + more)
        if f.equal:
            terminal.say(f"{self.a} and {self.b} are equal: {count(f.same, 'image')} with the same labels")
            return
        terminal.say(f"{count(f.same, 'image')} equal; {f.only_a} only in {self.a}, {f.only_b} only in {self.b}")
        for kind, n in f.images.items():
            terminal.say(f"{kind} differs in {count(n, 'image')}")
        if f.labels:
            terminal.say(f"labels differ in {count(f.labels, 'image')}")
        if f.changed:
            terminal.say("the first: " + ", ".join(f"{i} {camera}" for i, camera in f.changed))
        a, b = f.summaries
        rows = [["images", f"{a.photographs}", f"{b.photographs}"]]
        rows += [[f"visible: {k}", f"{a.seen.get(k, 0)}", f"{b.seen.get(k, 0)}"] for k in {**a.seen, **b.seen}]
        rows += [["visible things in an image, mean", _mean(a.per_image), _mean(b.per_image)]]
        rows += [[f"boxes of {name} pixels", _share(a.sizes, k), _share(b.sizes, k)]
                 for k, name in enumerate(_bins(SIZE_BINS)) if a.sizes[k] or b.sizes[k]]  # fmt: skip
        terminal.table(["", str(self.a), str(self.b)], rows)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _mean(counts: Sequence[int]) -> str:
    return f"{sum(k * n for k, n in enumerate(counts)) / max(sum(counts), 1):.3g}"


def _share(counts: Sequence[int], k: int) -> str:
    return f"{counts[k] / max(sum(counts), 1):.1%}"


@dataclass(frozen=True)
class RepairResult:
    """What was damaged in a dataset, and is whole again."""

    folder: Path
    repaired: Repaired

    def to_dict(self) -> dict[str, Any]:
        made = self.repaired.made
        return {
            "folder": str(self.folder),
            "damaged": [{"shard": shard_name(d.shard), "what": d.what} for d in self.repaired.damages],
            "made": made.made if made else 0,
        }

    def show(self) -> None:
        for d in self.repaired.damages:
            terminal.say(f"{shard_name(d.shard)}: {d.what}")
        made = self.repaired.made
        terminal.say(
            f"{self.folder}: whole again, {count(made.made, 'image')} made anew" if made else f"{self.folder}: is whole"
        )


def repair_dataset(
    folder: Path, world: str | None, textures: str | None, *, workers: int = 1, progress: Progress = silent
) -> RepairResult:
    """Make what is damaged or missing of a dataset anew."""
    return RepairResult(folder, repair(folder, world, textures=textures, workers=workers, progress=progress))
