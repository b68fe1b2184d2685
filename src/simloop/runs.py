"""A run's folder: stages that finish once, a manifest written last, safe to kill at any instant.

    with Run.open(Path("runs/demo"), configuration, resume="if-match") as run:
        before = run.stage("gap-before", lambda: measure())       # computed once, then read from the folder

Every file is written aside, flushed to disk and renamed, so what stands in a folder is whole. A stage's file exists
only if the stage finished. A lock held by the operating system keeps two processes out of one folder and falls
with the process that held it, however that ended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, get_args

from simloop.errors import InputError, unknown

Resume = Literal["never", "if-match", "always"]
_MANIFEST = "run.json"
#: folders in a run: the state of a training, and what came out of it
LEARNED = TRAINING, POLICY = "training", "policy"


@contextlib.contextmanager
def write_aside(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` once it is whole and on disk.

    A full disk, a missing permission or any other failure leaves what stood at `path` as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise unwritable(path, error) from None
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def unwritable(path: Path, error: OSError) -> InputError:
    """The sentence for a file or folder that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{path}: the disk is full; free some space and give the same command again")
    return InputError(f"{path}: cannot be written: {error.strerror or error}")


def write_json(path: Path, record: Any) -> None:
    """Write `record` as JSON, aside and then renamed."""
    with write_aside(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file of ours; a damaged one is named with its line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: damaged ({error.msg}); delete this file and give the same command again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def content_hash(record: Any) -> str:
    """Sixteen hex digits that name a JSON-able record."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def check_resume(resume: str) -> None:
    """Raise unless `resume` is one of the choices."""
    if resume not in get_args(Resume):
        raise unknown("choice of --resume", resume, get_args(Resume))


def check_folder(folder: Path, manifest: str, what: str) -> None:
    """Raise unless `folder` is new, empty, or one of ours: with `manifest` in it, which makes it a `what`."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder for the {what}")
    if (
        folder.is_dir()
        and not (folder / manifest).exists()
        and any(p.name != "lock" and not p.name.endswith(".part") for p in folder.iterdir())
    ):
        article = "an" if what[0] in "aeiou" else "a"
        raise InputError(f"{folder}: not empty and not {article} {what} of simloop; give a new or an empty folder")


def lock_folder(folder: Path) -> IO[str]:
    """Create a folder and keep other processes of ours out of it until the file that is returned is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")  # noqa: SIM115 - held until it is closed
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(f"{folder}: another simloop process is working in this folder") from None
    return lock


@dataclass
class Checkpoint:
    """Where a long computation keeps its state between steps; `load` gives the last saved one or None."""

    path: Path

    def save(self, state: dict[str, Any]) -> None:
        write_json(self.path, {"state": state, "hash": content_hash(state)})

    def load(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        record = read_json(self.path)
        if not isinstance(record, dict) or record.get("hash") != content_hash(record.get("state")):
            raise InputError(f"{self.path}: damaged; delete this file and give the same command again")
        state: dict[str, Any] = record["state"]
        return state


class Run:
    """The folder of one run. Use `Run.open` in a `with` statement."""

    def __init__(self, folder: Path, configuration: dict[str, Any], lock: IO[str]) -> None:
        self.folder = folder
        self.configuration = json.loads(json.dumps(configuration))  # as it will be read back: tuples are lists
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, configuration: dict[str, Any], *, resume: Resume = "if-match") -> Run:
        """Create the folder, or continue the run that it holds.

        Args:
            folder: where the run lives.
            configuration: everything that decides the results, JSON-able. Its hash names the run.
            resume: `if-match` continues a run of the same configuration and refuses another one; `never` refuses
                any existing run; `always` starts over in a folder of another configuration.
        """
        check_resume(resume)
        check_folder(folder, _MANIFEST, "run")
        lock = lock_folder(folder)
        try:
            run = cls(folder, configuration, lock)
            run._begin(resume)
        except BaseException:
            lock.close()
            raise
        return run

    def _begin(self, resume: Resume) -> None:
        manifest = self.folder / _MANIFEST
        for part in self.folder.rglob(".*.part"):  # left by a process that was killed while writing
            part.unlink(missing_ok=True)
        if manifest.exists():
            if resume == "never":
                raise InputError(f"{self.folder}: holds a run already, and --resume is 'never'; give a new folder")
            before = None
            with contextlib.suppress(InputError) if resume == "always" else contextlib.nullcontext():
                before = _read_manifest(manifest)["configuration"]
            if before == self.configuration:
                return
            if resume == "if-match" and self._holds_results():
                changed = first_difference(before, self.configuration)
                raise InputError(
                    f"{self.folder}: holds a run of another configuration ({changed}); give a new folder, or"
                    " --resume always to start over in this one"
                )
            for name in self.stages():
                (self.folder / "stages" / f"{name}.json").unlink()
            for file in (self.folder / "checkpoints").glob("*.json"):
                file.unlink()
            for name in ("distribution.json", "report.html", "film.mp4", "film.json"):
                (self.folder / name).unlink(missing_ok=True)
            for pattern in (*LEARNED, "iteration-*", "arm-*"):
                for part in self.folder.glob(pattern):
                    shutil.rmtree(part, ignore_errors=True)
        write_json(manifest, {"configuration": self.configuration, "hash": content_hash(self.configuration)})

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._lock.close()

    def _holds_results(self) -> bool:
        """Whether there is anything to lose: a finished stage, a checkpoint, a training or a policy."""
        learned = any(any((self.folder / name).glob("*.json")) for name in LEARNED)
        return bool(self.stages() or learned or any((self.folder / "checkpoints").glob("*.json")))

    def stages(self) -> list[str]:
        """Names of the stages that finished."""
        return sorted(p.stem for p in (self.folder / "stages").glob("*.json"))

    def stage(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return the result of stage `name`: from the folder if it finished before, else computed and stored."""
        path = self.folder / "stages" / f"{name}.json"
        if not path.exists():
            write_json(path, compute())
        return read_json(path)

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of the computation `name`."""
        return Checkpoint(self.folder / "checkpoints" / f"{name}.json")


def trained(folder: str | Path, what: str) -> bool:
    """Whether a folder is a run whose configuration says that it trained `what`: a "detector", a "driver"."""
    try:
        return what in read_run(Path(folder))["configuration"]
    except InputError:
        return False


def read_run(folder: Path) -> dict[str, Any]:
    """Return {"configuration": ..., "stages": {name: result}} of a run's folder."""
    if not (folder / _MANIFEST).exists():
        raise InputError(f"{folder}: not a run of simloop (it has no {_MANIFEST})")
    stages = {p.stem: read_json(p) for p in sorted((folder / "stages").glob("*.json"))}
    return {**_read_manifest(folder / _MANIFEST), "stages": stages}


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = read_json(path)
        _ = record["configuration"].items()
    except (InputError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: damaged; give a new folder, or --resume always to start over in this one") from None
    return record


def differences(then: Any, now: Any, at: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The fields in which two JSON-able records differ: their paths, and the values of both; None where one has none.

    Records in lists of the same length are called by their `name`, other items by their number.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            yield from differences(then.get(key), now.get(key), f"{at}.{key}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, (a, b) in enumerate(zip(then, now, strict=True)):
            name = a.get("name", i) if isinstance(a, dict) else i
            yield from differences(a, b, f"{at}.{name}".lstrip("."))
    elif then != now:
        yield at, (then, now)


def first_difference(then: Any, now: Any) -> str:
    """Say in words where two configurations first differ."""
    at, (a, b) = next(differences(then, now), ("", (then, now)))
    return f"{at or 'it'} was {str(a)[:60]!r}, now {str(b)[:60]!r}"
