"""How a long computation says how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: told what is being done and which fraction of it is done
Progress = Callable[[str, float], None]


def silent(_message: str, _fraction: float) -> None:
    """Progress for nobody."""
