"""The folder of an export: written aside and renamed when it is whole, and never over what is not ours."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simloop.errors import InputError
from simloop.runs import Resume, check_folder, check_resume, first_difference, read_json, unwritable

#: says in each export what made it; readers of the formats pass it over
RECORD = "simloop.json"


def finished(folder: Path, configuration: dict[str, Any], resume: Resume) -> dict[str, Any] | None:
    """What a folder says of the same export if it holds it already; None if there is an export to be written.

    Raises:
        InputError: for a folder that holds something else, or that `resume` forbids to touch.
    """
    check_resume(resume)
    check_folder(folder, RECORD, "export")
    if not (folder / RECORD).exists():
        return None
    if resume == "never":
        raise InputError(f"{folder}: holds an export already, and --resume is 'never'; give a new folder")
    if resume == "always":
        return None
    record: dict[str, Any] = read_json(folder / RECORD)
    now = json.loads(json.dumps(configuration))  # as it is read back: tuples are lists
    if record.get("export") != now:
        raise InputError(
            f"{folder}: holds another export ({first_difference(record.get('export'), now)}); give a new folder, or"
            " --resume always to replace it"
        )
    return record


@contextlib.contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, beside `folder`; rename it to `folder` at the end, in place of an older export."""
    folder = folder.resolve()
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    before = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        _remove_left_over(folder)
        aside.mkdir(parents=True)
        yield aside
        if folder.exists():
            os.replace(folder, before)
        os.replace(aside, folder)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        if error.filename and not str(error.filename).startswith((str(aside), str(folder))):
            raise  # something else than this folder: what is exported could not be read
        raise unwritable(folder, error) from None
    finally:
        if before.exists() and not folder.exists():  # stopped between the two renames
            os.replace(before, folder)
        shutil.rmtree(aside, ignore_errors=True)


def _remove_left_over(folder: Path) -> None:
    """Remove what exports into this folder left that were killed."""
    for ending in (".part", ".old"):
        for part in folder.parent.glob(f".{glob.escape(folder.name)}.*{ending}"):
            process = part.name.removesuffix(ending).rpartition(".")[2]
            if not process.isdigit() or _alive(int(process)):
                continue
            if ending == ".old" and not folder.exists():  # it was stopped between the two renames
                os.replace(part, folder)
            else:
                shutil.rmtree(part, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
