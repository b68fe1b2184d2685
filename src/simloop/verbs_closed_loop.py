"""What the command line's verbs do and print of drivers at the wheel: `evaluate --target drive/held-out`, `watch`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from simloop import terminal
from simloop.errors import unknown
from simloop.learn.driver_model import DriverModel
from simloop.progress import Progress, silent
from simloop.report.video import write_film
from simloop.runs import POLICY
from simloop.verbs_data import look_named
from simloop.worlds import get_world, world_names

if TYPE_CHECKING:
    from simloop.worlds.drive.closed_loop import Driven
    from simloop.worlds.drive.world import Drive

#: pixels of what a driver's camera sees in a film, and how often they are enlarged; the size of what a network sees
_EYE, _ENLARGED, _SEEN = (160, 120), 4, (320, 240)
#: frames a second
_FPS = 20


def driven_world(name: str) -> Drive:
    """The world of that name, if cars drive in it."""
    places = [n for n in world_names() if n.split("/")[0] == "drive"]
    if name not in places:
        raise unknown("world to drive in:", name, places)
    return cast("Drive", get_world(name))


@dataclass(frozen=True)
class DrivenResult:
    """How drivers did on the same roads, by name."""

    world: str
    look: str
    rows: dict[str, Driven]

    def to_dict(self) -> dict[str, Any]:
        return {"world": self.world, "look": self.look, "drivers": {n: d.to_dict() for n, d in self.rows.items()}}

    def show(self) -> None:
        terminal.table(
            ["driver", "km", "interventions", "km each, 95 %", "off the line, m", "to the side, m/s^2", "jerk, m/s^3"],
            [[name, *cells(d)] for name, d in self.rows.items()],
        )
        terminal.say(
            f"{self.world}, look {self.look}: an intervention is half a lane off the line, or off the road; the last"
            " three are root mean squares"
        )


def cells(driven: Driven) -> list[str]:
    """A drive as a row of a table."""
    low, high = driven.interval
    each = driven.kilometres_per_intervention
    said = f"none, > {low:.1f}" if math.isinf(each) else f"{each:.2f} [{low:.2f}, {high:.2f}]"
    return [f"{driven.kilometres:.1f}", str(int(driven.interventions.sum())), said, f"{driven.error:.2f}",
            f"{driven.acceleration:.2f}", f"{driven.jerk:.1f}"]  # fmt: skip


def evaluate_driver(
    folders: Sequence[Path],
    target: str,
    *,
    distribution: str | None = None,
    look: str | None = None,
    kilometres: float = 5.0,
    roads: int = 10,
    seed: int = 0,
    progress: Progress = silent,
) -> DrivenResult:
    """Let drivers, the expert and one that goes straight on drive the same roads."""
    from simloop.worlds.drive.closed_loop import close_loop, constant

    world = driven_world(target)
    drawn = world.distribution(distribution or "wide")
    seen = look_named(world, look, "wide")
    models = {folder.name: DriverModel.load(folder / POLICY) for folder in folders}
    rows: dict[str, Driven] = {}
    drivers: dict[str, Any] = {**models, "expert": None, "straight on": constant()}
    for k, (name, driver) in enumerate(drivers.items()):

        def tell(text: str, done: float, k: int = k, name: str = name) -> None:
            progress(f"{name}: {text}", (k + done) / len(drivers))

        with world.onboard(_EYE, look=seen, seed=seed) as see:
            rows[name] = close_loop(
                world, driver, see=see if isinstance(driver, DriverModel) else None, distribution=drawn, roads=roads,
                kilometres=kilometres, seed=seed, progress=tell,
            )  # fmt: skip
    return DrivenResult(world.name, look or "wide", rows)


def watch_driver(
    folder: Path,
    output: Path,
    target: str,
    *,
    distribution: str | None = None,
    look: str | None = None,
    seconds: float = 30.0,
    seed: int = 0,
    progress: Progress = silent,
) -> str:
    """Film a drive: what the camera sees with how it steers, and beside it what the network sees."""
    from simloop.worlds.drive.closed_loop import close_loop

    world, model = driven_world(target), DriverModel.load(folder / POLICY)
    drawn = world.distribution(distribution or "wide")
    pictures: list[NDArray[np.uint8]] = []
    steered: list[float] = []

    def drive(images: NDArray[np.uint8]) -> Any:
        commands = model(images)
        pictures.append(images[0])
        steered.append(float(commands[0]))
        return commands

    speed = float(drawn.mean[drawn.space.index("car.speed")])
    with world.onboard(_EYE, look=look_named(world, look, "wide"), seed=seed) as see:
        driven = close_loop(world, drive, see=see, distribution=drawn, roads=1, kilometres=speed * seconds / 1000,
                            seed=seed, progress=progress)  # fmt: skip
    shown = [_shot(image, command, model) for image, command in zip(pictures, steered, strict=True)]
    write_film(output, np.stack(shown), fps=_FPS)
    n = int(driven.interventions.sum())
    return f"{output}: {1000 * driven.kilometres:.0f} m in {world.name} with {n} intervention{'' if n == 1 else 's'}"


def _shot(image: NDArray[np.uint8], command: float, model: DriverModel) -> NDArray[np.uint8]:
    """One picture of a film: the camera's with the steering as a bar, and the network's."""
    from PIL import Image, ImageDraw

    width, height = _EYE[0] * _ENLARGED, _EYE[1] * _ENLARGED
    page = Image.new("RGB", (width + _SEEN[0], height), "black")
    page.paste(Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST))
    page.paste(Image.fromarray(network_view(image, model)).resize(_SEEN, Image.Resampling.NEAREST), (width, 0))
    draw, middle = ImageDraw.Draw(page), width + _SEEN[0] // 2
    reach = _SEEN[0] // 2 - 20
    top = _SEEN[1] + 90
    draw.text((width + 16, _SEEN[1] + 16), "above: what the network sees", fill="white")
    draw.text((width + 16, _SEEN[1] + 56), f"steering {command:+.2f} (left - right +)", fill="white")
    draw.rectangle([middle - reach, top, middle + reach, top + 24], outline="grey")
    end = middle + int(np.clip(command, -1, 1) * reach)
    draw.rectangle([min(middle, end), top, max(middle, end), top + 24], fill="orange")
    return np.array(page)


def network_view(image: NDArray[np.uint8], model: DriverModel) -> NDArray[np.uint8]:
    """What a network is shown of a picture (H, W, 3), from its darkest to its brightest: (h, w, 3).

    Of a normalisation that gives more channels the first three are shown: of `local-standard` those of `local`.
    """
    seen = model.shape.prepared(image[None]).take([0])[0, :3].permute(1, 2, 0).numpy()
    low, high = np.percentile(seen, [1, 99])
    grey = np.clip(255 * (seen - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey
