"""Errors that a person can act on: one sentence, what, where, what was expected, a close match."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib.util import find_spec


class InputError(ValueError):
    """Something given to simloop is wrong; the message is one sentence for the person who gave it."""


class MissingExtraError(ImportError):
    """A feature needs an optional dependency; the message names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'simloop[{extra}]'")


def need(packages: Iterable[str], feature: str, extra: str) -> None:
    """Raise a MissingExtraError where one of the packages of a feature is not installed; none is imported."""
    if any(find_spec(package) is None for package in packages):
        raise MissingExtraError(feature, extra)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean 'a' or 'b'?)" with the close matches of `name`, or ""."""
    close = difflib.get_close_matches(name, list(names), n=2, cutoff=0.5)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def unknown(what: str, name: str, names: Iterable[str]) -> InputError:
    """Return the error for a name that is none of `names`: it lists close matches, else all of them."""
    known = list(names)
    hint = did_you_mean(name, known) or f" (there {'are: ' + ', '.join(known) if known else 'is none'})"
    return InputError(f"unknown {what} {name!r}{hint}")


class DataWarning(UserWarning):
    """Something in the data is probably not what its owner thinks; the message gives the evidence."""


def count(n: int, what: str) -> str:
    """Return "1 file", "2 files", ..."""
    return f"{n} {what}{'' if n == 1 else 's'}"
