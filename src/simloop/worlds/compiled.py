"""Loops that numba compiles; what it made is kept beside the source, else in the user's cache, else in memory alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from simloop.errors import MissingExtraError


def compiler(feature: str, extra: str) -> Callable[[Callable[..., Any]], Any]:
    """Return what compiles a function of arrays and numbers; it lets other threads run.

    Args:
        feature: what the functions are for, as "world 'drive'".
        extra: what brings numba.
    """
    try:
        from numba import njit
    except ImportError as error:
        raise MissingExtraError(feature, extra) from error

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # nowhere to keep it: the source and the user's cache can only be read
            return njit(nogil=True, error_model="numpy")(function)

    return compiled


def loop_versions() -> dict[str, str]:
    """The versions that results of compiled loops depend on; without numba those that are there."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"numpy": np.__version__, "numba": version("numba")}
    except PackageNotFoundError:
        return {"numpy": np.__version__}


def source_hash(*folders: Path) -> str:
    """A hash of all Python files in folders and below: of what decides a world's results."""
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
