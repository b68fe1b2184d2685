"""Loops that numba compiles; what it made is kept beside the source, else in the user's cache, else in memory alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
