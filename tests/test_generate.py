"""A dataset is the same bytes however it was made: by how many workers, with what interruptions, in how many steps."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simloop.data.generate import Generated, generate
from simloop.data.plan import MANIFEST
from simloop.data.repair import repair
from simloop.data.store import Dataset
from simloop.errors import InputError
from simloop.frames import Request
from simloop.verbs_data import generate_into
from simloop.worlds import get_world
from simloop.worlds.photograph import pictures_in
from tests.painted import Painted

ROOT = Path(__file__).parents[1]
WORLD = Painted()
WIDE, LOOK = WORLD.distributions()["wide"], WORLD.looks()["wide"]
REQUEST = Request(size=(24, 16), length=2, cameras=WORLD.cameras)


def make(folder: Path, n: int = 450, world: Painted = WORLD, **options: Any) -> Generated:
    return generate(world, n, folder, seed=3, request=REQUEST, distribution=WIDE, look=LOOK, **options)


def content(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bytes of 450 frames that one process makes without a break."""
    folder = tmp_path_factory.mktemp("expected") / "data"
    make(folder)
    return content(folder)


def test_workers_make_the_same_bytes(expected: dict[str, str], tmp_path: Path) -> None:
    """Two processes write what one writes, file by file."""
    made = make(tmp_path / "data", workers=2)
    assert made.made == 900
    assert content(tmp_path / "data") == expected


def test_a_dataset_grows_by_what_is_missing(expected: dict[str, str], tmp_path: Path) -> None:
    """More frames are added to full shards that stay as they are, and fewer change nothing; the bytes are the same."""
    folder = tmp_path / "data"
    assert make(folder, 7).manifest.frames == 8  # whole sequences
    assert len(Dataset.open(folder)) == 16
    make(folder, 250)
    before = {p: p.stat().st_ino for p in sorted(folder.glob("shard-0000[01]/*"))}
    assert make(folder, 450).made == 500  # the last shard was not full, and is made again
    assert {p: p.stat().st_ino for p in sorted(folder.glob("shard-0000[01]/*"))} == before
    assert make(folder, 100).made == 0
    assert content(folder) == expected


def test_what_is_said_of_progress(tmp_path: Path) -> None:
    """The last word says that all is there; a dataset that is whole is not made again."""
    told: list[tuple[str, float]] = []
    make(tmp_path / "data", 200, progress=lambda message, fraction: told.append((message, fraction)))
    assert told[-1][0].startswith("generate: 400 of 400 images, ")
    assert told[-1][1] == 1.0
    assert make(tmp_path / "data", 200).made == 0


def test_a_worker_that_dies_is_replaced(expected: dict[str, str], tmp_path: Path) -> None:
    """The shard of a process that was killed once is made by another one: the same bytes."""
    world = Painted(dies=(257, str(tmp_path / "killed")))
    make(tmp_path / "data", world=world, workers=2)
    assert (tmp_path / "killed").exists()
    assert content(tmp_path / "data") == expected


def test_a_worker_that_always_dies_names_its_shard(expected: dict[str, str], tmp_path: Path) -> None:
    """What was made stays, the sentence names the shard and how its process ended, the same command goes on."""
    with pytest.raises(InputError) as error:
        make(tmp_path / "data", world=Painted(dies=(257, "")), workers=2)
    assert str(error.value) == (
        "shard-00002: the process that makes it died 3 times, killed by signal 9 (SIGKILL); is there enough memory for"
        " so many workers?; the shards that are there stay"
    )
    with pytest.raises(InputError, match=r"not complete, it has \d+ of 450 frames"):
        Dataset.open(tmp_path / "data")
    make(tmp_path / "data")
    assert content(tmp_path / "data") == expected


def test_a_worker_says_what_went_wrong(tmp_path: Path) -> None:
    """An error in the world's own code comes back with its shard and its place in the code."""
    with pytest.raises(RuntimeError, match=r"(?s)shard-00001:.*_trouble.*the brush broke"):
        make(tmp_path / "data", world=Painted(breaks=130), workers=2)
    assert not list((tmp_path / "data").glob(".*.part"))


SCRIPT = """
import sys
from pathlib import Path
from tests.painted import Painted
from tests.test_generate import make
if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), Painted(pause=float(sys.argv[4])), workers=int(sys.argv[3]))
"""


def start(script: Path, folder: Path, n: int, workers: int, pause: float) -> subprocess.Popen[bytes]:
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(n), str(workers), str(pause)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def killed(script: Path, folder: Path, n: int, workers: int, times: int, how: Callable[[Any], None]) -> int:
    """Begin a dataset again and again, and end it at random moments; return how often it was at work then."""
    rng, at_work = np.random.default_rng(workers), 0
    for _ in range(times):
        process = start(script, folder, n, workers, 0.002)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None and not list(folder.glob(".*.part")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.7))
        at_work += process.poll() is None
        how(process)
        process.communicate()
        shards = {p.name for p in folder.glob("shard-*")}
        for name in shards:  # what has its name is whole
            assert {"frames.parquet", "objects.parquet", "shard.json"} <= {p.name for p in (folder / name).iterdir()}
    return at_work


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process alone, as `kill -9` does; its workers find out by themselves."""
    process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments_nothing_is_lost(expected: dict[str, str], tmp_path: Path, workers: int) -> None:
    """After kill -9 again and again the finished dataset has the same bytes."""
    folder = tmp_path / "data"
    assert killed(tmp_path / "go.py", folder, 450, workers, 3, kill) > 0
    make(folder)
    assert content(folder) == expected


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_fifty_times_nothing_is_lost_or_doubled(tmp_path: Path, workers: int) -> None:
    """50 kills at random moments: no frame lost, none doubled, the same bytes."""
    whole, folder = tmp_path / "whole", tmp_path / "data"
    make(whole, 6000)
    assert killed(tmp_path / "go.py", folder, 6000, workers, 50, kill) >= 20
    make(folder, 6000)
    assert content(folder) == content(whole)
    assert [f.index for f in Dataset.open(folder)] == [i for i in range(6000) for _ in range(2)]


@pytest.mark.slow
def test_drawn_images_are_the_same_bytes_too(tmp_path: Path) -> None:
    """The table, drawn and dressed: 1, 2 and 8 workers, and twenty kills at random moments, end in the same files."""
    options = ("tabletop", "-n", "300", "--size", "32x32", "--views", "20", "--seed", "5", "-o")
    command = [sys.executable, "-m", "simloop.cli", "generate", *options]
    for workers in (1, 2, 8):
        subprocess.run([*command, str(tmp_path / str(workers)), "--workers", str(workers)], check=True)
    folder, rng, at_work = tmp_path / "killed", np.random.default_rng(0), 0
    for _ in range(20):
        process = subprocess.Popen([*command, str(folder)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None and not list(folder.glob(".*.part")):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 4))
        at_work += process.poll() is None
        process.kill()
        process.wait()
    assert at_work > 2
    subprocess.run([*command, str(folder)], check=True)
    whole = content(tmp_path / "1")
    for name in ("2", "8", "killed"):
        assert content(tmp_path / name) == whole, name


def test_control_c_leaves_a_folder_that_goes_on(expected: dict[str, str], tmp_path: Path) -> None:
    """Ctrl-C, which reaches all processes, leaves whole shards and nothing half made."""
    folder = tmp_path / "data"
    killed(tmp_path / "go.py", folder, 450, 2, 1, lambda process: os.killpg(process.pid, signal.SIGINT))
    assert not list(folder.glob(".*.part"))
    make(folder)
    assert content(folder) == expected


def test_orphans_end_by_themselves(tmp_path: Path) -> None:
    """Workers whose parent was killed stop, and what they leave is removed by the next command."""
    process = start(tmp_path / "go.py", tmp_path / "data", 2000, 2, 0.01)
    until = time.monotonic() + 60
    while len(parts := list((tmp_path / "data").glob(".*.part"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(p.name.split(".")[2]) for p in parts]
    assert len(workers) == 2
    kill(process)
    process.communicate()
    until = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(alive, workers))


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_world_of_one_s_own_goes_to_workers_by_name_or_by_itself() -> None:
    """A world that can neither be found by its name nor be sent says so."""
    from simloop.data.order import Order, unpacked
    from simloop.data.plan import Manifest
    from simloop.worlds import get_world

    manifest = Manifest({"world": {"name": "mine"}}, 1, "mine")
    assert unpacked(Order(Path("x"), get_world("cart-pole"), manifest).packed()).world == "cart-pole"
    mine = Painted(summary=lambda: "no pickle has this")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="world 'mine' cannot be sent to other processes"):
        Order(Path("x"), mine, manifest).packed()


@pytest.mark.slow
def test_ray_makes_the_same_bytes_though_a_process_is_killed(expected: dict[str, str], tmp_path: Path) -> None:
    """A local Ray, of which a worker is killed in the middle of a shard, writes what one process writes."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    world = Painted(dies=(257, str(tmp_path / "killed")))
    script = tmp_path / "go.py"
    script.write_text(SCRIPT.replace("Painted(pause=float(sys.argv[4]))", "Painted(dies=(257, sys.argv[4]))").replace(
        "workers=int(sys.argv[3])", "executor='ray'"))  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "data"), "450", "1", world.dies[1] if world.dies else ""],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "killed").exists()
    assert content(tmp_path / "data") == expected


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Over 50,000 frames memory grows by less than 5 % after the first 1,000; reading them back too."""
    most: list[int] = []

    def watch(message: str, fraction: float) -> None:
        if int(message.split()[1]) >= 1000:
            most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    request = Request(size=(24, 16))
    generate(WORLD, 50_000, tmp_path / "data", request=request, distribution=WIDE, look=LOOK, progress=watch)
    assert most[-1] < 1.05 * most[0]
    dataset = Dataset.open(tmp_path / "data")
    for k, _ in enumerate(dataset):
        if k in (5000, 49_999):
            most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert most[-1] < 1.05 * most[-2]


def test_the_manifest_stands_before_the_first_shard(tmp_path: Path) -> None:
    """From the first moment the folder says what it will be, and that it is not complete."""
    seen: list[Any] = []

    def look(message: str, fraction: float) -> None:
        seen.append((tmp_path / "data" / MANIFEST).exists())
        with pytest.raises(InputError, match="not complete"):
            Dataset.open(tmp_path / "data")

    make(tmp_path / "data", 20, progress=look)
    assert seen
    assert all(seen)


def test_surfaces_wear_the_images_of_a_folder(tmp_path: Path) -> None:
    """A dataset made with a folder of textures says so by their hash: the folder may move, but not change."""
    from PIL import Image

    folder = tmp_path / "textures"
    folder.mkdir()
    Image.fromarray(np.full((9, 9, 3), 200, dtype=np.uint8)).save(folder / "wall.png")
    changes = {"size": (16, 16), "passes": (), "textures": str(folder)}
    made = generate_into(tmp_path / "d", "cube-toss", 1, changes, None, None)
    assert made.made.manifest.configuration["look hash"] == get_world("cube-toss").looks()["images"].hash
    record = (tmp_path / "d" / "shard-00000" / "shard.json").read_bytes()
    moved = folder.rename(tmp_path / "moved")
    pictures_in.cache_clear()
    with pytest.raises(InputError, match=r"no such folder; expected the images for textures \(has it moved"):
        generate_into(tmp_path / "d", "cube-toss", 2, {}, None, None)
    there = generate_into(tmp_path / "d", "cube-toss", 1, {"textures": str(moved)}, None, "images").made
    assert (there.made, there.manifest.hash) == (0, made.made.manifest.hash)
    assert Dataset.open(tmp_path / "d").request.textures == str(moved)
    moved.rename(folder)
    (tmp_path / "d" / "shard-00000" / "000000-watch.rgb.png").unlink()
    assert repair(tmp_path / "d", textures=folder).damages
    assert (tmp_path / "d" / "shard-00000" / "shard.json").read_bytes() == record
    Image.fromarray(np.full((9, 9, 3), 90, dtype=np.uint8)).save(folder / "wall.png")
    pictures_in.cache_clear()
    with pytest.raises(InputError, match="textures hash was"):
        generate_into(tmp_path / "d", "cube-toss", 2, changes, None, None)
    with pytest.raises(InputError, match="say which: --textures FOLDER"):
        generate_into(tmp_path / "e", "cube-toss", 1, {}, None, "images")
